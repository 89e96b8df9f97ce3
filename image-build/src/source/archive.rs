//! Where the members of an archive lie in its file. Only files and symbolic links count, which is
//! all that archives of images have; of two members with one name the last counts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use orlop::image::Error;
use orlop::image::tar::{Entry, Event, Kind, Reader};

use super::wrong;
use crate::layer::decompress;

/// Several times the members of the largest image: layers, documents and old directories.
const MAX_MEMBERS: usize = 10_000;

pub(super) type Members = BTreeMap<String, Member>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Member {
    File(Extent),
    /// The name of another member.
    Link(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) at: u64,
    pub(super) len: u64,
}

/// The archive itself, or a nameless copy of it without its compression.
pub(super) fn plain(mut file: File, scratch: &Path) -> io::Result<File> {
    let (mut reader, form) = decompress(&file)?;
    if form == "tar" {
        drop(reader);
        file.seek(SeekFrom::Start(0))?;
        return Ok(file);
    }
    let mut copy = BufWriter::new(tempfile::tempfile_in(scratch)?);
    io::copy(&mut reader, &mut copy)?;
    copy.flush()?;
    copy.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Reads headers and steps over contents.
pub(super) fn members(file: &File) -> Result<Members, Error> {
    let failed = |error: io::Error| wrong("archive", error);
    let end = file.metadata().map_err(failed)?.len();
    let (mut tar, mut members, mut at) = (Reader::default(), Members::new(), 0);
    let mut block = [0; 512];
    while at < end {
        let len = file.read_at(&mut block, at).map_err(failed)?;
        let mut left = block.get(..len).unwrap_or_default();
        while !left.is_empty() {
            let (taken, event) = tar.read(left)?;
            left = left.get(taken..).unwrap_or_default();
            at += taken as u64;
            if let Event::Entry(entry) = event {
                let body = tar.skip();
                if let Some((name, member)) = member(&entry, at, body)? {
                    members.insert(name, member);
                }
                at += body;
                break;
            }
        }
        if members.len() > MAX_MEMBERS {
            return Err(wrong("archive", format!("more than {MAX_MEMBERS} members")));
        }
    }
    if at > end {
        return Err(wrong("archive", format!("truncated: {end} bytes, its last member ends at {at}")));
    }
    tar.finish()?;
    Ok(members)
}

/// Looks a member up, through links.
pub(super) fn find(members: &Members, name: &str) -> Option<Extent> {
    const MAX_LINKS: usize = 8; // old archives have one
    let mut name = name;
    for _ in 0..MAX_LINKS {
        match members.get(name)? {
            Member::File(extent) => return Some(*extent),
            Member::Link(target) => name = target,
        }
    }
    None
}

fn member(entry: &Entry, at: u64, body: u64) -> Result<Option<(String, Member)>, Error> {
    let name = tidy("", &String::from_utf8_lossy(&entry.path));
    Ok(match &entry.kind {
        Kind::File { size } if body == size.next_multiple_of(512) => {
            Some((name, Member::File(Extent { at, len: *size })))
        }
        Kind::File { .. } => return Err(wrong(format!("archive: {name}"), "a sparse member")),
        Kind::Symlink(target) => {
            let parent = name.rsplit_once('/').map_or("", |(parent, _)| parent);
            let target = tidy(parent, &String::from_utf8_lossy(target));
            Some((name, Member::Link(target)))
        }
        Kind::HardLink(target) => Some((name, Member::Link(tidy("", &String::from_utf8_lossy(target))))),
        Kind::Directory | Kind::Char { .. } | Kind::Block { .. } | Kind::Fifo => None,
    })
}

/// A path without `.` and `..`, which are only names to be looked up here.
fn tidy(parent: &str, path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in parent.split('/').chain(path.split('/')) {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    names.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_links_but_not_for_ever() {
        let extent = Extent { at: 512, len: 3 };
        let link = |target: &str| Member::Link(tidy("old", target));
        let members = Members::from([
            (String::from("a.tar"), Member::File(extent)),
            (String::from("old/layer.tar"), link("../a.tar")),
            (String::from("old/loop"), link("loop")),
        ]);
        assert_eq!(find(&members, "old/layer.tar"), Some(extent));
        assert_eq!(find(&members, "old/loop"), None);
        assert_eq!(find(&members, "b.tar"), None);
    }
}
