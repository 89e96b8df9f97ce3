//! A folder → a tar whose bytes depend on nothing but the files: sorted by name, ids as on disk,
//! no names of users, pax records only where a header is too small. Sockets are left out (they
//! are nothing without the process behind them).
//!
//! Large files are looked through for holes first: what is all zeros is not written, however the
//! disk stores it, so that a sparse file stays one and a copy of it gives the same bytes.

mod header;
mod holes;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use orlop::image::Error;

use super::wrong;
use crate::layer::at;
use header::Header;
use holes::{Segment, segments};

/// XATTR_SIZE_MAX and XATTR_LIST_MAX of Linux.
const MAX_XATTR: usize = 64 << 10;

type Sink<'a> = dyn FnMut(&[u8]) -> Result<(), Error> + 'a;

/// Names of things left out, and why.
type Warnings = Vec<String>;

/// Writes the tar of a folder into `sink`.
pub(super) fn pack(root: &Path, sink: &mut Sink<'_>) -> Result<Warnings, Error> {
    let metadata = fs::symlink_metadata(root).map_err(at(root))?;
    if !metadata.is_dir() {
        return Err(wrong(root.display(), "not a folder"));
    }
    let mut packer = Packer { root, sink, links: BTreeMap::new(), warnings: Vec::new() };
    let mut next = vec![PathBuf::new()];
    while let Some(path) = next.pop() {
        if packer.member(&path)? {
            let children = packer.children(&path)?;
            next.extend(children.into_iter().rev().map(|name| path.join(name)));
        }
    }
    (packer.sink)(&[0; 1024])?;
    Ok(packer.warnings)
}

struct Packer<'a, 'b> {
    root: &'a Path,
    sink: &'a mut Sink<'b>,
    /// Files with several names: device and inode → the first name.
    links: BTreeMap<(u64, u64), PathBuf>,
    warnings: Warnings,
}

impl Packer<'_, '_> {
    /// Writes one member; is it a directory?
    fn member(&mut self, path: &Path) -> Result<bool, Error> {
        let full = self.root.join(path);
        let metadata = fs::symlink_metadata(&full).map_err(at(&full))?;
        let kind = metadata.file_type();
        if path.file_name().is_some_and(|name| name.as_bytes().starts_with(b".wh.")) {
            return Err(wrong(full.display(), "a name that images use for files that are gone (`.wh.`)"));
        }
        let mut header = Header::new(path.as_os_str().as_bytes(), &metadata, xattrs(&full)?);
        if kind.is_socket() {
            self.warnings.push(format!("{}: left out, a socket", full.display()));
        } else if kind.is_dir() {
            header.directory().write(self.sink)?;
        } else if let Some(first) = self.link(path, &metadata) {
            header.hard_link(first.as_os_str().as_bytes()).write(self.sink)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&full).map_err(at(&full))?;
            header.symlink(target.as_os_str().as_bytes()).write(self.sink)?;
        } else if kind.is_file() {
            self.file(header, &full, &metadata)?;
        } else {
            let flag = if kind.is_char_device() {
                b'3'
            } else if kind.is_block_device() {
                b'4'
            } else {
                b'6'
            };
            header.special(flag, metadata.rdev()).write(self.sink)?;
        }
        Ok(kind.is_dir())
    }

    fn children(&self, path: &Path) -> Result<Vec<OsString>, Error> {
        let full = self.root.join(path);
        let entries = fs::read_dir(&full).map_err(at(&full))?;
        let mut names = entries
            .map(|entry| entry.map(|entry| entry.file_name()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(at(&full))?;
        names.sort_unstable();
        Ok(names)
    }

    /// The first name of a file that has come before.
    fn link(&mut self, path: &Path, metadata: &Metadata) -> Option<PathBuf> {
        if metadata.nlink() < 2 {
            return None;
        }
        let key = (metadata.dev(), metadata.ino());
        let known = self.links.get(&key).cloned();
        if known.is_none() {
            self.links.insert(key, path.to_path_buf());
        }
        known
    }

    fn file(&mut self, mut header: Header, full: &Path, metadata: &Metadata) -> Result<(), Error> {
        let file = File::open(full).map_err(at(full))?;
        let size = metadata.len();
        match segments(&file, size).map_err(at(full))? {
            None => {
                header.file(size).write(self.sink)?;
                self.contents(&file, full, &[Segment { at: 0, len: size }])
            }
            Some(segments) => {
                header.sparse(size, &segments).write(self.sink)?;
                self.contents(&file, full, &segments)
            }
        }
    }

    /// Exactly what the header has announced, filled up to a block.
    fn contents(&mut self, file: &File, full: &Path, segments: &[Segment]) -> Result<(), Error> {
        let (mut chunk, mut sum) = (vec![0; 128 << 10], 0);
        for Segment { at: start, len } in segments {
            let (mut from, end) = (*start, start + len);
            while from < end {
                let wanted = usize::try_from(end - from).map_or(chunk.len(), |left| left.min(chunk.len()));
                let part = chunk.get_mut(..wanted).unwrap_or_default();
                file.read_exact_at(part, from)
                    .map_err(|error| wrong(full.display(), format!("changed while it was read: {error}")))?;
                (self.sink)(part)?;
                from += part.len() as u64;
            }
            sum += len;
        }
        let padding = sum.next_multiple_of(512) - sum;
        (self.sink)([0; 512].get(..padding as usize).unwrap_or_default())
    }
}

/// All extended attributes; a file system without them has none.
fn xattrs(path: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>, Error> {
    let fail = |error: rustix::io::Errno| at(path)(error.into());
    let mut names = vec![0; MAX_XATTR];
    let len = match rustix::fs::llistxattr(path, names.as_mut_slice()) {
        Ok(len) => len,
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(BTreeMap::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut found = BTreeMap::new();
    for name in names.get(..len).unwrap_or_default().split(|byte| *byte == 0).filter(|name| !name.is_empty())
    {
        let mut value = vec![0; MAX_XATTR];
        let len = rustix::fs::lgetxattr(path, OsStr::from_bytes(name), value.as_mut_slice()).map_err(fail)?;
        value.truncate(len);
        found.insert(name.to_vec(), value);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use orlop::image::tar::{Event, Reader};

    #[test]
    fn members_come_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let names: Vec<_> = (0..50).rev().map(|number| format!("{:02}", number * 37 % 50)).collect();
        names.iter().for_each(|name| fs::write(dir.path().join(name), name).unwrap());
        let mut tar = Vec::new();
        let mut sink = |bytes: &[u8]| {
            tar.extend_from_slice(bytes);
            Ok(())
        };
        assert_eq!(pack(dir.path(), &mut sink), Ok(Vec::new()));
        let (mut reader, mut rest, mut found) = (Reader::default(), tar.as_slice(), Vec::new());
        while !rest.is_empty() {
            let (taken, event) = reader.read(rest).unwrap();
            rest = &rest[taken..];
            if let Event::Entry(entry) = event {
                found.push(entry.path);
            }
        }
        assert_eq!(found.len(), 51);
        assert!(found.is_sorted(), "{found:?}");
    }
}
