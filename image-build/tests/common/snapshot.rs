//! All that can be known of a tree of files, as text that can be compared.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use orlop::image::Hasher;

/// Path → type, mode, owner, size, time, device, links, target, xattrs, contents.
pub(crate) fn snapshot(root: &Path) -> BTreeMap<PathBuf, String> {
    snapshot_of(root, &|_| true)
}

/// Of the paths that are wanted.
pub(crate) fn snapshot_of(root: &Path, wanted: &dyn Fn(&Path) -> bool) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut first_names = BTreeMap::new();
    let mut next = vec![PathBuf::new()];
    while let Some(path) = next.pop() {
        let full = root.join(&path);
        let metadata = fs::symlink_metadata(&full).unwrap();
        let kind = metadata.file_type();
        if kind.is_dir() {
            next.extend(fs::read_dir(&full).unwrap().map(|entry| path.join(entry.unwrap().file_name())));
        }
        if wanted(&path) {
            found.insert(path, full);
        }
    }
    let mut lines = BTreeMap::new();
    for (path, full) in found {
        let metadata = fs::symlink_metadata(&full).unwrap();
        let kind = metadata.file_type();
        let first = first_names.entry(metadata.ino()).or_insert_with(|| path.clone()).clone();
        let size = if kind.is_dir() { 0 } else { metadata.len() };
        let mut line = format!(
            "{:o} {}:{} size {size} time {}.{:09} device {:x} links {} first {}",
            metadata.mode(),
            metadata.uid(),
            metadata.gid(),
            metadata.mtime(),
            metadata.mtime_nsec(),
            metadata.rdev(),
            if kind.is_dir() { 0 } else { metadata.nlink() },
            first.display(),
        );
        if kind.is_symlink() {
            line += &format!(" to {}", fs::read_link(&full).unwrap().display());
        }
        if kind.is_file() {
            line += &format!(" contents {:?}", contents(&full));
        }
        assert!(!kind.is_socket());
        for (name, value) in xattrs(&full) {
            line += &format!(" {name}={}", value.escape_ascii());
        }
        lines.insert(path, line);
    }
    lines
}

fn contents(path: &Path) -> orlop::image::Digest {
    let (mut file, mut hasher, mut chunk) = (File::open(path).unwrap(), Hasher::default(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut chunk).unwrap() {
            0 => return hasher.finish(),
            len => hasher.update(&chunk[..len]),
        }
    }
}

pub(crate) fn xattrs(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = vec![0; 1 << 16];
    let len = rustix::fs::llistxattr(path, names.as_mut_slice()).unwrap();
    let names = names[..len].split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names
        .map(|name| {
            let mut value = vec![0; 1 << 16];
            let len = rustix::fs::lgetxattr(path, OsStr::from_bytes(name), value.as_mut_slice()).unwrap();
            (String::from_utf8_lossy(name).into_owned(), value[..len].to_vec())
        })
        .collect()
}

/// Wants two trees to be the same, and shows the lines in which they are not.
pub(crate) fn assert_same(expected: &BTreeMap<PathBuf, String>, found: &BTreeMap<PathBuf, String>) {
    let keys = expected.keys().chain(found.keys()).collect::<std::collections::BTreeSet<_>>();
    let differences: Vec<_> = keys
        .into_iter()
        .filter(|key| expected.get(*key) != found.get(*key))
        .map(|key| format!("{}\n  {:?}\n  {:?}", key.display(), expected.get(key), found.get(key)))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
