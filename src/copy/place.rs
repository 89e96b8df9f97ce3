//! Where a copied tree comes to stand: cp(1)'s rules, as Docker has them.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use orlop::image::tar::Kind;

use super::Failure;
use crate::linux::{Errno, Result};

/// An open folder, and what the top of the tree is called in it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(super) directory: OwnedFd,
    pub(super) top: Top,
}

/// What becomes of the first component of each path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Top {
    /// It stays, whatever it is.
    AsItIs,
    /// It stays; another is not of the tree.
    Of(Vec<u8>),
    /// It is called otherwise; another first component than this is not of the tree.
    Instead { of: Vec<u8>, name: Vec<u8> },
    /// There is none, and this one is put before.
    Before(Vec<u8>),
}

/// What was found where the tree is to go.
#[derive(Debug)]
pub(crate) enum Found {
    Directory(OwnedFd),
    /// Something else, in this folder.
    Other {
        parent: OwnedFd,
    },
    /// Nothing, in this folder.
    Nothing {
        parent: OwnedFd,
    },
}

/// Looks at a destination. `open` opens a path with flags of open(2); it follows links as the destination's owner
/// would.
///
/// # Errors
/// [`Failure`] when not even its folder is there.
pub(crate) fn find(
    destination: &[u8],
    open: &dyn Fn(&[u8], i32) -> Result<OwnedFd>,
) -> core::result::Result<Found, Failure> {
    let failed = |errno| Failure::of(destination, errno);
    match open(destination, libc::O_DIRECTORY | libc::O_PATH) {
        Ok(directory) => return Ok(Found::Directory(directory)),
        Err(Errno::ENOENT | Errno::ENOTDIR) => {}
        Err(errno) => return Err(failed(errno)),
    }
    let there = open(destination, libc::O_PATH).is_ok();
    let parent = open(above(destination), libc::O_DIRECTORY | libc::O_PATH).map_err(failed)?;
    if last(destination).is_empty() || last(destination) == b".." {
        return Err(Failure::new(destination, "there is no such folder"));
    }
    Ok(if there { Found::Other { parent } } else { Found::Nothing { parent } })
}

impl Place {
    /// Everything goes into this folder, as it is called.
    pub(crate) fn within(directory: OwnedFd) -> Self {
        Self { directory, top: Top::AsItIs }
    }

    /// As [`Self::choose`], for a stream of somebody who was asked for this: it begins with it.
    ///
    /// # Errors
    /// Also for a stream that begins with anything else.
    pub(crate) fn choose_for(
        asked: &[u8],
        destination: &[u8],
        found: Found,
        path: &[u8],
        kind: &Kind,
    ) -> core::result::Result<Self, Failure> {
        // What is asked for by a way upwards has no name.
        let name = Some(last(asked)).filter(|name| name != b"..").unwrap_or_default();
        if name != components(path).next().unwrap_or_default() {
            return Err(Failure::new(path, "it is not what was asked for"));
        }
        Self::choose(destination, found, path, kind)
    }

    /// `destination`: as it was typed. `path` and `kind`: of the first member of the stream.
    ///
    /// # Errors
    /// [`Failure`] for a folder that would have to take a file's place, or the other way round.
    pub(crate) fn choose(
        destination: &[u8],
        found: Found,
        path: &[u8],
        kind: &Kind,
    ) -> core::result::Result<Self, Failure> {
        let is_folder = *kind == Kind::Directory;
        let name = last(destination).to_vec();
        let top = match components(path).next() {
            Some(first) => Top::Instead { of: first.to_vec(), name },
            None => Top::Before(name),
        };
        match found {
            Found::Directory(directory) => {
                let top = components(path).next().map_or(Top::AsItIs, |first| Top::Of(first.to_vec()));
                Ok(Self { directory, top })
            }
            Found::Other { .. } if is_folder => {
                Err(Failure::new(destination, "a folder cannot take the place of a file"))
            }
            Found::Other { .. } | Found::Nothing { .. } if !is_folder && destination.ends_with(b"/") => {
                Err(Failure::new(destination, "there is no such folder"))
            }
            Found::Other { parent } | Found::Nothing { parent } => Ok(Self { directory: parent, top }),
        }
    }
}

/// A path's components, those left out that lead nowhere.
pub(super) fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

/// The last component of a path; empty when it names a folder by its contents: `/`, `a/.`.
pub(crate) fn last(path: &[u8]) -> &[u8] {
    let mut parts = path.rsplit(|byte| *byte == b'/').skip_while(|part| part.is_empty());
    parts.next().filter(|part| *part != b".").unwrap_or_default()
}

/// The path of the folder that the last component is in.
fn above(path: &[u8]) -> &[u8] {
    let end = path.len() - path.iter().rev().take_while(|byte| **byte == b'/').count();
    let trimmed = path.get(..end).unwrap_or_default();
    match trimmed.iter().rposition(|byte| *byte == b'/') {
        Some(at) => trimmed.get(..=at).unwrap_or_default(),
        None => b".",
    }
}

/// As the file system takes it.
pub(super) fn name(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_a_last_component_or_stands_for_contents() {
        let check = |path: &str, expected: (&str, &str)| {
            let found = (above(path.as_bytes()), last(path.as_bytes()));
            assert_eq!(found, (expected.0.as_bytes(), expected.1.as_bytes()), "{path}");
        };
        check("/a/b", ("/a/", "b"));
        check("/a/b//", ("/a/", "b"));
        check("a", (".", "a"));
        check("/a", ("/", "a"));
        check("a/.", ("a/", ""));
        check("a/..", ("a/", ".."));
        assert_eq!(last(b"/"), b"");
        assert_eq!(last(b""), b"");
    }
}
