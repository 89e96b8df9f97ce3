//! A tar stream → files, below one open folder and nowhere else.
//!
//! The stream may come from somebody hostile: a path that leads upwards, a link and then something "in" it, a
//! file where a folder stands. Each folder on the way is opened by its name in the one above, and is never a
//! link; what is written is made anew, so that nothing is written through what was there.

use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, UtimensatFlags, fchmod, futimens, mkdirat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, ftruncate, linkat, symlinkat, unlinkat};
use orlop::image::tar::{Entry, Event, Kind, Reader, Time};

use super::place::{Place, Top, components, name};
use super::{DEPTH, Failure, left_out};
use crate::linux::{Errno, Result};

/// Which of the permission bits files get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Modes {
    All,
    /// Not those that give somebody else's power: the files come from a stranger.
    Plain,
}

/// Takes a stream piece by piece.
pub(crate) struct Unpacker<'a> {
    reader: Reader,
    destination: Destination<'a>,
    modes: Modes,
    tell: &'a mut dyn FnMut(String),
    /// Folders from the place down to where the last member was.
    way: Vec<Folder>,
    file: Option<File>,
    members: u64,
}

/// Chooses the place by the path and kind of the first member.
type Chooser<'a> = Box<dyn FnOnce(&[u8], &Kind) -> core::result::Result<Place, Failure> + 'a>;

enum Destination<'a> {
    Open(Option<Chooser<'a>>),
    Chosen(Place),
}

struct Folder {
    name: Vec<u8>,
    directory: OwnedFd,
    /// Its mode and time, once all is in it.
    later: Option<(u16, Time)>,
}

/// The file that is being written.
struct File {
    fd: OwnedFd,
    path: Vec<u8>,
    mode: u16,
    mtime: Time,
    size: u64,
}

impl<'a> Unpacker<'a> {
    /// `choose`: see [`Place::choose`]; called once, before anything is written. `tell`: what is left out.
    pub(crate) fn new(
        choose: impl FnOnce(&[u8], &Kind) -> core::result::Result<Place, Failure> + 'a,
        modes: Modes,
        tell: &'a mut dyn FnMut(String),
    ) -> Self {
        Self {
            reader: Reader::default(),
            destination: Destination::Open(Some(Box::new(choose))),
            modes,
            tell,
            way: Vec::new(),
            file: None,
            members: 0,
        }
    }

    /// # Errors
    /// [`Failure`]: what was written so far stays.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) -> core::result::Result<(), Failure> {
        while !bytes.is_empty() {
            let mut reader = core::mem::take(&mut self.reader);
            let step = reader.read(bytes).map_err(|error| Failure::new(b"the stream", error.to_string()));
            let (taken, event) = step?;
            match event {
                Event::None => {}
                Event::Entry(entry) => {
                    self.finish_file()?;
                    self.members = self.members.saturating_add(1);
                    self.member(*entry)?;
                }
                Event::Data { at, bytes } => self.data(at, bytes)?,
            }
            self.reader = reader;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// The stream has ended: how many members there were.
    ///
    /// # Errors
    /// [`Failure`] when it was cut off.
    pub(crate) fn finish(mut self) -> core::result::Result<u64, Failure> {
        self.finish_file()?;
        self.climb(0);
        let whole = core::mem::take(&mut self.reader).finish();
        whole.map_err(|error| Failure::new(b"the stream", error.to_string()))?;
        Ok(self.members)
    }

    fn member(&mut self, entry: Entry) -> core::result::Result<(), Failure> {
        let path = entry.path.clone();
        let parts = self.parts(&path, &entry.kind)?;
        let Some((last, above)) = parts.split_last() else { return Ok(()) };
        if let Some(what) = left_out(&entry.kind) {
            (self.tell)(Failure::new(&path, format!("{what} is not copied")).to_string());
            return Ok(());
        }
        self.descend(above, &path)?;
        let failed = |errno| Failure::of(&path, errno);
        match &entry.kind {
            Kind::Directory => self.folder(last, &entry).map_err(failed),
            Kind::File { size } => {
                let fd = create(self.here(&path)?.as_fd(), last).map_err(failed)?;
                let (mode, mtime, size) = (self.mode(entry.mode), entry.mtime, *size);
                self.file = Some(File { fd, path: path.clone(), mode, mtime, size });
                Ok(())
            }
            Kind::Symlink(target) => {
                let here = self.here(&path)?;
                make_way(here.as_fd(), last)
                    .and_then(|()| symlinkat(name(target), here, name(last)))
                    .map_err(failed)?;
                let time = spec(entry.mtime);
                // Not every file system keeps a link's time.
                let _ = utimensat(here, name(last), &time, &time, UtimensatFlags::NoFollowSymlink);
                Ok(())
            }
            Kind::HardLink(target) => self.hard_link(target, &path, last),
            Kind::Char { .. } | Kind::Block { .. } | Kind::Fifo => Ok(()),
        }
    }

    /// The path below the place. Chooses that at the first member.
    fn parts(&mut self, path: &[u8], kind: &Kind) -> core::result::Result<Vec<Vec<u8>>, Failure> {
        if let Destination::Open(choose) = &mut self.destination
            && let Some(choose) = choose.take()
        {
            self.destination = Destination::Chosen(choose(path, kind)?);
        }
        let Destination::Chosen(place) = &self.destination else {
            return Err(Failure::new(path, "there is no place for it"));
        };
        let mut parts: Vec<Vec<u8>> = components(path).map(<[u8]>::to_vec).collect();
        if parts.iter().any(|part| part == b"..") {
            return Err(Failure::new(path, "it leads upwards, and is not written"));
        }
        match (&place.top, parts.first_mut()) {
            (Top::AsItIs, _) => {}
            (Top::Of(of), Some(first)) if first == of => {}
            (Top::Instead { of, name }, Some(first)) if first == of => first.clone_from(name),
            (Top::Of(_) | Top::Instead { .. }, _) => {
                return Err(Failure::new(path, "it is not of the tree that was begun"));
            }
            (Top::Before(name), _) => parts.insert(0, name.clone()),
        }
        if parts.len() > DEPTH {
            return Err(Failure::new(path, format!("more than {DEPTH} folders in one another")));
        }
        Ok(parts)
    }

    fn mode(&self, mode: u16) -> u16 {
        match self.modes {
            Modes::All => mode & 0o7777,
            Modes::Plain => mode & 0o777,
        }
    }

    /// The folder that the way has come to.
    fn here(&self, path: &[u8]) -> core::result::Result<&OwnedFd, Failure> {
        match (self.way.last(), &self.destination) {
            (Some(folder), _) => Ok(&folder.directory),
            (None, Destination::Chosen(place)) => Ok(&place.directory),
            (None, Destination::Open(_)) => Err(Failure::new(path, "there is no place for it")),
        }
    }

    /// Goes to the folder that these components lead to, making those that are missing, as tar does.
    fn descend(&mut self, parts: &[Vec<u8>], path: &[u8]) -> core::result::Result<(), Failure> {
        let same = self.way.iter().zip(parts).take_while(|(folder, part)| folder.name == **part).count();
        self.climb(same);
        for part in parts.get(same..).unwrap_or_default() {
            let here = self.here(path)?.as_fd();
            let directory = match open_folder(here, part) {
                Err(Errno::ENOENT) => mkdirat(here, name(part), Mode::from_bits_truncate(0o755))
                    .and_then(|()| open_folder(here, part)),
                other => other,
            };
            let directory = directory.map_err(|errno| match errno {
                Errno::ELOOP | Errno::ENOTDIR => {
                    let part = String::from_utf8_lossy(part);
                    Failure::new(path, format!("`{part}` is no folder, and nothing is written through it"))
                }
                errno => Failure::of(path, errno),
            })?;
            self.way.push(Folder { name: part.clone(), directory, later: None });
        }
        Ok(())
    }

    /// Leaves folders behind, with the mode and time that they are to have.
    fn climb(&mut self, levels: usize) {
        while self.way.len() > levels {
            let Some(Folder { directory, later, .. }) = self.way.pop() else { return };
            if let Some((mode, mtime)) = later {
                // A folder of somebody else that was there keeps what it has.
                let _ = fchmod(&directory, Mode::from_bits_truncate(mode.into()));
                let _ = futimens(&directory, &spec(mtime), &spec(mtime));
            }
        }
    }

    fn folder(&mut self, last: &[u8], entry: &Entry) -> Result<()> {
        let here = match (self.way.last(), &self.destination) {
            (Some(folder), _) => &folder.directory,
            (None, Destination::Chosen(place)) => &place.directory,
            (None, Destination::Open(_)) => return Err(Errno::ENOENT),
        };
        // Ours to write in until all is there.
        match mkdirat(here, name(last), Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno),
        }
        let directory = open_folder(here.as_fd(), last)?;
        let later = Some((self.mode(entry.mode), entry.mtime));
        self.way.push(Folder { name: last.to_vec(), directory, later });
        Ok(())
    }

    /// Another name for a file of this stream.
    fn hard_link(&mut self, target: &[u8], path: &[u8], last: &[u8]) -> core::result::Result<(), Failure> {
        let failed = |errno| Failure::of(path, errno);
        let to = crate::linux::fd::copy(self.here(path)?.as_fd()).map_err(failed)?;
        let parts = self.parts(target, &Kind::File { size: 0 })?;
        let Some((old, above)) = parts.split_last() else { return Err(failed(Errno::EINVAL)) };
        self.descend(above, path)?;
        make_way(to.as_fd(), last)
            .and_then(|()| {
                linkat(
                    self.here(path).map_err(|_| Errno::ENOENT)?,
                    name(old),
                    &to,
                    name(last),
                    AtFlags::empty(),
                )
            })
            .map_err(failed)
    }

    fn data(&mut self, at: u64, bytes: &[u8]) -> core::result::Result<(), Failure> {
        let Some(file) = &self.file else { return Ok(()) };
        let (mut at, mut rest) = (at, bytes);
        while !rest.is_empty() {
            let offset = i64::try_from(at).map_err(|_| Failure::of(&file.path, Errno::EFBIG))?;
            match nix::sys::uio::pwrite(&file.fd, rest, offset) {
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    at = at.saturating_add(count as u64);
                }
                Err(Errno::EINTR) => {}
                Err(errno) => return Err(Failure::of(&file.path, errno)),
            }
        }
        Ok(())
    }

    fn finish_file(&mut self) -> core::result::Result<(), Failure> {
        let Some(File { fd, path, mode, mtime, size }) = self.file.take() else { return Ok(()) };
        let failed = |errno| Failure::of(&path, errno);
        // Holes at its end, too.
        let size = i64::try_from(size).map_err(|_| failed(Errno::EFBIG))?;
        ftruncate(&fd, size).map_err(failed)?;
        // A file in the place of one that could not be made anew keeps its owner, and so its mode.
        let _ = fchmod(&fd, Mode::from_bits_truncate(mode.into()));
        let _ = futimens(&fd, &spec(mtime), &spec(mtime));
        Ok(())
    }
}

fn open_folder(parent: impl AsFd, part: &[u8]) -> Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(parent, name(part), flags, Mode::empty())
}

/// Takes away what stands in the way of a file or link. A folder stays, and is an error.
fn make_way(parent: impl AsFd, part: &[u8]) -> Result<()> {
    match unlinkat(parent, name(part), UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// A new file. One that is a mount of its own (/etc/hosts) cannot be made anew, and is written over; a
/// link or a fifo is not.
fn create(parent: impl AsFd, part: &[u8]) -> Result<OwnedFd> {
    let fresh = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match make_way(&parent, part) {
        Err(Errno::EBUSY) => {
            let over = OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
            let found = openat(&parent, name(part), over | OFlag::O_CLOEXEC, Mode::empty())?;
            let is_file = nix::sys::stat::fstat(&found)?.st_mode & libc::S_IFMT == libc::S_IFREG;
            if is_file { Ok(found) } else { Err(Errno::EBUSY) }
        }
        Err(errno) => Err(errno),
        Ok(()) => openat(&parent, name(part), fresh, Mode::S_IRUSR | Mode::S_IWUSR),
    }
}

fn spec(time: Time) -> TimeSpec {
    TimeSpec::new(time.seconds, time.nanoseconds.into())
}
