//! Trees of files ↔ a tar stream, on descriptors: what `orlop cp` does on this computer, and `orlop copy` in
//! a container.
//!
//! Both ends may be hostile to each other: a container may change its files while they are read, and what it
//! sends may be made to write elsewhere. So every name is one component, looked up in an open directory, and no
//! link is ever followed or written through below the place that was named. Devices, fifos and sockets are
//! told and left out. Hard links become files of their own; extended attributes are not copied.

mod pack;
mod place;
#[cfg(test)]
mod test;
mod unpack;

use orlop::image::tar::Kind;

use crate::linux::Errno;

pub(crate) use pack::{Links, pack};
pub(crate) use place::{Found, Place, find, last};
pub(crate) use unpack::{Modes, Unpacker};

/// Levels of folders: a tree that has more is made to hurt. Each costs two descriptors.
const DEPTH: usize = 256;

/// What went wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) path: String,
    pub(crate) what: String,
}

impl Failure {
    pub(crate) fn new(path: &[u8], what: impl Into<String>) -> Self {
        Self { path: String::from_utf8_lossy(path).into_owned(), what: what.into() }
    }

    pub(crate) fn of(path: &[u8], errno: Errno) -> Self {
        Self::new(path, errno.desc())
    }
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let path: String = self.path.chars().flat_map(shown).take(300).collect();
        write!(f, "{path}: {}", self.what)
    }
}

/// A name may hold anything; it is not to move a terminal's cursor.
fn shown(letter: char) -> impl Iterator<Item = char> {
    let escaped = letter.is_control().then(|| letter.escape_default());
    let plain = (!letter.is_control()).then_some(letter);
    escaped.into_iter().flatten().chain(plain)
}

/// What is not copied is told by this.
fn left_out(kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::Char { .. } | Kind::Block { .. } => Some("a device"),
        Kind::Fifo => Some("a fifo"),
        Kind::File { .. } | Kind::Directory | Kind::Symlink(_) | Kind::HardLink(_) => None,
    }
}
