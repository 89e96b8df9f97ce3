//! A path in an archive → names below the root.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// NAME_MAX of Linux, and of EROFS.
const MAX_NAME: usize = 255;

/// PATH_MAX of Linux: no program could open a longer one.
const MAX_PATH: usize = 4096;

/// Without `.` and empty names; none for the root itself. An absolute path is taken as relative
/// to the root, as every reader of images does.
pub(super) fn names(path: &[u8]) -> Result<Vec<&[u8]>, String> {
    if path.is_empty() {
        return Err(String::from("a member without a name"));
    }
    if path.len() > MAX_PATH {
        return Err(format!("a path of {} bytes, more than the {MAX_PATH} that Linux opens", path.len()));
    }
    if path.contains(&0) {
        return Err(String::from("a NUL in the path"));
    }
    let names: Vec<_> =
        path.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b".")).collect();
    for name in &names {
        if *name == b".." {
            return Err(String::from("the path leads upwards (`..`)"));
        }
        if name.len() > MAX_NAME {
            return Err(format!("a name of {} bytes, more than the {MAX_NAME} that Linux has", name.len()));
        }
    }
    Ok(names)
}

/// What the last name of a path means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning<'a> {
    Entry,
    /// The name is gone from the layers below.
    Whiteout(&'a [u8]),
    /// All is gone that the layers below have in this directory.
    Opaque,
    /// Bookkeeping of aufs; no reader of images unpacks it.
    Bookkeeping,
}

pub(super) fn meaning<'a>(names: &[&'a [u8]]) -> Result<Meaning<'a>, String> {
    let Some((last, parents)) = names.split_last() else {
        return Ok(Meaning::Entry);
    };
    if parents.iter().any(|name| name.starts_with(b".wh..wh.")) {
        return Ok(Meaning::Bookkeeping);
    }
    if parents.iter().any(|name| name.starts_with(b".wh.")) {
        return Err(String::from("an entry below a whiteout"));
    }
    match last.strip_prefix(b".wh.") {
        None => Ok(Meaning::Entry),
        Some(b".wh..opq") => Ok(Meaning::Opaque),
        Some(b"" | b"." | b"..") => Err(String::from("a whiteout without a name")),
        Some(name) if name.starts_with(b".wh.") => Ok(Meaning::Bookkeeping),
        Some(name) => Ok(Meaning::Whiteout(name)),
    }
}
