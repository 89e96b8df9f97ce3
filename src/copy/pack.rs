//! A file, a link or a whole tree → a tar stream.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::fcntl::{AtFlags, OFlag, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use nix::sys::statfs::fstatfs;
use orlop::image::tar::{END, Entry, Kind, Time, header, padding};

use super::{DEPTH, Failure};
use crate::linux::{Errno, Result, directory, fd};

/// Bytes of one read.
const READ: usize = 64 << 10;

/// What to do with the link that was named; those below it are copied as links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    Copy,
    Follow,
}

/// Packs what `open` opens, by flags of open(2) beside its own, calling it `name` in the stream; an empty name
/// stands for what is in a folder, without the folder. `write` takes the stream, `tell` what is left out.
///
/// # Errors
/// [`Failure`] for what cannot be read, and of `write`.
pub(crate) fn pack(
    open: &dyn Fn(i32) -> Result<OwnedFd>,
    name: &[u8],
    write: &mut dyn FnMut(&[u8]) -> core::result::Result<(), Failure>,
    tell: &mut dyn FnMut(String),
) -> core::result::Result<(), Failure> {
    let mut packer = Packer { write, tell, path: name.to_vec(), levels: Vec::new() };
    packer.top(open)?;
    while let Some(level) = packer.levels.last_mut() {
        match level.names.next() {
            None => packer.leave(),
            Some(Ok(entry)) => {
                let child = entry.file_name().to_bytes().to_vec();
                if child != b"." && child != b".." {
                    packer.child(&child)?;
                }
            }
            Some(Err(errno)) => return Err(Failure::of(&packer.path, errno)),
        }
    }
    (packer.write)(&END)
}

struct Packer<'a> {
    write: &'a mut dyn FnMut(&[u8]) -> core::result::Result<(), Failure>,
    tell: &'a mut dyn FnMut(String),
    /// In the stream, of the folder that is being read.
    path: Vec<u8>,
    levels: Vec<Level>,
}

struct Level {
    directory: OwnedFd,
    names: nix::dir::OwningIter,
    device: u64,
    /// Of its parent's path.
    length: usize,
}

impl Packer<'_> {
    fn top(&mut self, open: &dyn Fn(i32) -> Result<OwnedFd>) -> core::result::Result<(), Failure> {
        let path = self.path.clone();
        let failed = |errno| Failure::of(&path, errno);
        let named = open(libc::O_PATH).map_err(failed)?;
        let stat = fstat(&named).map_err(failed)?;
        match kind(&stat) {
            SFlag::S_IFDIR => {
                let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
                let opened = openat(&named, ".", flags, Mode::empty());
                self.enter(opened.map_err(failed)?, &stat, 0)
            }
            SFlag::S_IFREG => {
                let opened = open(libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY);
                self.file(&opened.map_err(failed)?, &path)
            }
            SFlag::S_IFLNK => {
                let target = readlinkat(&named, "").map_err(failed)?;
                self.link(&stat, &path, target)
            }
            _ => Err(Failure::new(&path, "it is neither a file, nor a folder, nor a link")),
        }
    }

    fn child(&mut self, name: &[u8]) -> core::result::Result<(), Failure> {
        let Some(level) = self.levels.last() else { return Ok(()) };
        let directory = fd::copy(level.directory.as_fd());
        let (directory, device) = (directory.map_err(|errno| Failure::of(&self.path, errno))?, level.device);
        let path = join(&self.path, name);
        let name = std::ffi::OsStr::from_bytes(name);
        let stat = match fstatat(&directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            // It has gone meanwhile.
            Err(Errno::ENOENT) => return Ok(()),
            other => other.map_err(|errno| Failure::of(&path, errno))?,
        };
        let open =
            |flags| openat(&directory, name, flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::empty());
        let opened = match kind(&stat) {
            SFlag::S_IFDIR => open(OFlag::O_DIRECTORY),
            // It may have become a fifo meanwhile, or a terminal.
            SFlag::S_IFREG => open(OFlag::O_NONBLOCK | OFlag::O_NOCTTY),
            SFlag::S_IFLNK => {
                return match readlinkat(&directory, name) {
                    Ok(target) => self.link(&stat, &path, target),
                    Err(Errno::ENOENT | Errno::EINVAL) => Ok(()),
                    Err(errno) => Err(Failure::of(&path, errno)),
                };
            }
            other => {
                self.leave_out(&path, what(other));
                return Ok(());
            }
        };
        let opened = match opened {
            // Another one stands there by now.
            Err(Errno::ENOENT | Errno::ELOOP | Errno::ENOTDIR | Errno::ENXIO) => return Ok(()),
            other => other.map_err(|errno| Failure::of(&path, errno))?,
        };
        let stat = fstat(&opened).map_err(|errno| Failure::of(&path, errno))?;
        match kind(&stat) {
            SFlag::S_IFDIR if stat.st_dev != device && is_of_the_kernel(&opened) => {
                self.leave_out(&path, "a file system of the kernel's");
                Ok(())
            }
            SFlag::S_IFDIR => {
                let length = self.path.len();
                self.path = path;
                self.enter(opened, &stat, length)
            }
            SFlag::S_IFREG => self.file(&opened, &path),
            other => {
                self.leave_out(&path, what(other));
                Ok(())
            }
        }
    }

    fn leave_out(&mut self, path: &[u8], what: &str) {
        (self.tell)(Failure::new(path, format!("{what} is not copied")).to_string());
    }

    fn enter(
        &mut self,
        directory: OwnedFd,
        stat: &FileStat,
        length: usize,
    ) -> core::result::Result<(), Failure> {
        if self.levels.len() >= DEPTH {
            return Err(Failure::new(&self.path, format!("more than {DEPTH} folders in one another")));
        }
        self.announce(
            Kind::Directory,
            stat,
            if self.path.is_empty() { b"./".to_vec() } else { self.path.clone() },
        )?;
        let failed = |errno| Failure::of(&self.path, errno);
        let copy = fd::copy(directory.as_fd()).map_err(failed)?;
        let names = directory::stream(copy).map_err(failed)?.into_iter();
        self.levels.push(Level { directory, names, device: stat.st_dev, length });
        Ok(())
    }

    fn leave(&mut self) {
        if let Some(level) = self.levels.pop() {
            self.path.truncate(level.length);
        }
    }

    fn link(&mut self, stat: &FileStat, path: &[u8], target: OsString) -> core::result::Result<(), Failure> {
        self.announce(Kind::Symlink(target.into_vec()), stat, path.to_vec())
    }

    /// As many bytes as it had when it was opened; one that grows is cut, one that shrinks is a failure, for
    /// what is missing cannot be told apart from zeros.
    fn file(&mut self, file: &OwnedFd, path: &[u8]) -> core::result::Result<(), Failure> {
        let failed = |errno| Failure::of(path, errno);
        let stat = fstat(file).map_err(failed)?;
        if kind(&stat) != SFlag::S_IFREG {
            return Err(Failure::new(path, "it is no file any more"));
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        self.announce(Kind::File { size }, &stat, path.to_vec())?;
        let (mut left, mut buffer) = (size, vec![0; READ]);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(READ).min(READ);
            match fd::read(file.as_fd(), buffer.get_mut(..most).unwrap_or_default()).map_err(failed)? {
                0 => return Err(Failure::new(path, "it has shrunk while it was read")),
                count => {
                    left = left.saturating_sub(count as u64);
                    (self.write)(buffer.get(..count).unwrap_or_default())?;
                }
            }
        }
        (self.write)(padding(size))
    }

    fn announce(&mut self, kind: Kind, stat: &FileStat, path: Vec<u8>) -> core::result::Result<(), Failure> {
        let entry = Entry {
            path,
            kind,
            mode: u16::try_from(stat.st_mode & 0o7777).unwrap_or_default(),
            uid: stat.st_uid,
            gid: stat.st_gid,
            mtime: Time { seconds: stat.st_mtime, nanoseconds: 0 },
            xattrs: Default::default(),
        };
        let mut bytes = Vec::new();
        header(&entry, &mut bytes);
        (self.write)(&bytes)
    }
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

fn what(kind: SFlag) -> &'static str {
    match kind {
        SFlag::S_IFCHR | SFlag::S_IFBLK => "a device",
        SFlag::S_IFIFO => "a fifo",
        SFlag::S_IFSOCK => "a socket",
        _ => "what is of no known kind",
    }
}

fn join(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [path, name].join(&b'/') }
}

/// Whoever copies a whole root means what is kept in it.
#[allow(clippy::unnecessary_cast, reason = "it is unsigned in some C libraries")]
fn is_of_the_kernel(directory: &OwnedFd) -> bool {
    /// linux/magic.h: proc, sysfs, cgroup2, devpts, mqueue.
    const MAGICS: [i64; 5] = [0x9fa0, 0x6265_6572, 0x6367_7270, 0x1cd1, 0x1980_0202];
    fstatfs(directory).is_ok_and(|found| MAGICS.contains(&(found.filesystem_type().0 as i64)))
}
