//! The role `orlop copy`: packs files of a container, or makes them, from within.
//!
//! It enters the container's user and mount namespaces, so that nothing that it can name is outside, and its process
//! namespace not, so that nobody inside can see or trace it. Then it has what root of the container has, but for
//! power over files alone, and no descriptor but its streams.

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::copy::{self, Found, Modes, Place, Unpacker};
use crate::engine::{Failure, send_failure};
use crate::linux::{Errno, Result, capability, fd, fs, namespace, pidfd, process, seqpacket};

pub const FROM: &CStr = c"from";
pub const TO: &CStr = c"to";
pub const AS_LINK: &CStr = c"as-link";
pub const FOLLOW: &CStr = c"follow";
pub const AS_NAMED: &CStr = c"as-named";
pub const WITHIN: &CStr = c"within";

/// Where the supervisor leaves what it gives.
const REPORT_FD: i32 = 3;
const CONTAINER_FD: i32 = 4;

/// capabilities(7): CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_FOWNER, CAP_FSETID.
const POWER: u64 = 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4;

/// Two descriptors for each level of folders, and what else is open.
const DESCRIPTORS: u64 = 1024;

/// A stream's pieces.
const READ: usize = 64 << 10;

/// Runs the role. The value is the process's exit code.
pub fn run(words: &[String]) -> i32 {
    process::set_name(c"orlop-copy");
    let Ok(report) = fd::inherited(REPORT_FD) else { return 1 };
    // Nobody speaks when the supervisor dies before PID 1 knows us.
    let mut word = [0; 8];
    if !matches!(seqpacket::receive_blocking(report.as_fd(), &mut word), Ok((1.., _))) {
        return 126;
    }
    let work =
        enter().map_err(|errno| Failure::new("enter", "", errno)).and_then(|root| prepare(words, root));
    match work {
        Ok(work) => {
            // Now it is only about files, and said on the standard error.
            drop(report);
            work.run()
        }
        Err(failure) => {
            send_failure(report.as_fd(), &failure);
            1
        }
    }
}

/// Goes into the container, and gives up what is not needed for its files. Its root.
fn enter() -> Result<OwnedFd> {
    let container = fd::inherited(CONTAINER_FD)?;
    fd::close_from(CONTAINER_FD + 1);
    process::not_dumpable()?;
    process::set_limit(0, process::NOFILE, DESCRIPTORS, DESCRIPTORS)?;
    let theirs = pidfd::user_namespace(container.as_fd())?;
    let kinds = match namespace::is_same(theirs.as_fd(), namespace::own_user()?.as_fd())? {
        true => namespace::MOUNT,
        false => namespace::MOUNT | namespace::USER,
    };
    namespace::join_those_of(container.as_fd(), kinds)?;
    drop(container);
    process::become_user(0, 0, &[])?;
    process::no_new_privileges()?;
    // A change of ids may have made us visible again.
    process::not_dumpable()?;
    capability::bound(POWER)?;
    capability::set(POWER, POWER, 0)?;
    process::set_umask(0);
    let root = fs::open_path("/")?;
    nix::unistd::fchdir(root.as_fd())?;
    Ok(root)
}

/// What is to be done once the client listens.
enum Work {
    From { root: OwnedFd, path: String, links: copy::Links },
    To { destination: String, found: Found, manner: Manner },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    AsNamed,
    Within,
}

fn prepare(words: &[String], root: OwnedFd) -> core::result::Result<Work, Failure> {
    let wrong = || Failure::new("copy", words.join(" "), Errno::EINVAL);
    let [direction, manner, path] = words else { return Err(wrong()) };
    let path = path.clone();
    let is = |word: &CStr, text: &str| word.to_bytes() == text.as_bytes();
    if is(FROM, direction) {
        let links = if is(FOLLOW, manner) { copy::Links::Follow } else { copy::Links::Copy };
        open_source(root.as_fd(), &path, links, libc::O_PATH)
            .map_err(|errno| Failure::new("copy", &path, errno))?;
        return Ok(Work::From { root, path, links });
    }
    let open = |path: &[u8], flags| {
        let path = core::str::from_utf8(path).map_err(|_| Errno::EILSEQ)?;
        fs::open_in_root(root.as_fd(), path, flags)
    };
    let found =
        copy::find(path.as_bytes(), &open).map_err(|failure| Failure::said("copy", failure.to_string()))?;
    let manner = if is(WITHIN, manner) { Manner::Within } else { Manner::AsNamed };
    match (&found, manner) {
        (Found::Directory(_), _) | (_, Manner::AsNamed) => Ok(Work::To { destination: path, found, manner }),
        (Found::Other { .. } | Found::Nothing { .. }, Manner::Within) => {
            Err(Failure::said("copy", format!("{path}: it is no folder")))
        }
    }
}

fn open_source(root: BorrowedFd<'_>, path: &str, links: copy::Links, flags: i32) -> Result<OwnedFd> {
    let follow = match links {
        copy::Links::Follow => 0,
        copy::Links::Copy => libc::O_NOFOLLOW,
    };
    fs::open_in_root(root, path, flags | follow)
}

impl Work {
    fn run(self) -> i32 {
        let mut tell = |text: String| eprintln!("{text}");
        let done = match self {
            Self::From { root, path, links } => {
                let open = |flags| open_source(root.as_fd(), &path, links, flags);
                let name = copy::last(path.as_bytes());
                let name = if name == b".." { b"" } else { name };
                copy::pack(&open, name, &mut write_output, &mut tell)
            }
            Self::To { destination, found, manner } => {
                let destination = destination.as_bytes();
                let choose = |path: &[u8], kind: &orlop::image::tar::Kind| match (manner, found) {
                    (Manner::Within, Found::Directory(directory)) => Ok(Place::within(directory)),
                    (_, found) => Place::choose(destination, found, path, kind),
                };
                let mut unpacker = Unpacker::new(choose, Modes::All, &mut tell);
                read_input(|bytes| unpacker.push(bytes)).and_then(|()| unpacker.finish().map(drop))
            }
        };
        match done {
            Ok(()) => 0,
            Err(failure) => {
                eprintln!("{failure}");
                1
            }
        }
    }
}

fn write_output(bytes: &[u8]) -> core::result::Result<(), copy::Failure> {
    let stdout = std::io::stdout();
    let mut rest = bytes;
    while !rest.is_empty() {
        match nix::unistd::write(stdout.as_fd(), rest) {
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(copy::Failure::of(b"the stream", errno)),
        }
    }
    Ok(())
}

fn read_input(
    mut each: impl FnMut(&[u8]) -> core::result::Result<(), copy::Failure>,
) -> core::result::Result<(), copy::Failure> {
    let stdin = std::io::stdin();
    let mut buffer = vec![0; READ];
    loop {
        match fd::read(stdin.as_fd(), &mut buffer).map_err(|errno| copy::Failure::of(b"the stream", errno))? {
            0 => return Ok(()),
            count => each(buffer.get(..count).unwrap_or_default())?,
        }
    }
}
