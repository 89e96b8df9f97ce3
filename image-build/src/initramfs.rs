//! The initramfs: which file stands where, and how the whole is written.
//!
//! Two archives one after the other, and the kernel unpacks both into the same root. The first is
//! the system (`/init`, configuration, modules), always compressed. The second is the store with
//! the images' layers, which are compressed themselves: stored plain, the kernel only copies it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use crate::cpio::{Archive, Content};
use crate::error::{At, Error, Result};
use crate::lz4::Compressor;
use crate::progress::Progress;

/// Where the machine looks for its configuration, unless `orlop.config=` says otherwise.
pub(crate) const CONFIG: &str = "orlop/config";
/// Where it finds its images.
pub(crate) const STORE: &str = "orlop/store";

/// Where it finds the program that speaks TLS.
pub(crate) const TLS: &str = "orlop/bin/orlop-tls";
/// Where it writes whom names are asked of.
pub(crate) const RESOLV_CONF: &str = "/run/orlop/resolv.conf";

/// Mount points and folders that every machine has, with their modes.
const FOLDERS: &[(&str, u32)] = &[
    ("dev", 0o755),
    ("etc", 0o755), // resolv.conf and hosts are written here
    ("proc", 0o555),
    ("root", 0o700),
    ("run", 0o755),
    ("sys", 0o555),
    ("tmp", 0o1777),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Lz4,
    /// For layers that are compressed themselves.
    None,
}

impl Compression {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lz4 => "lz4",
            Self::None => "none",
        }
    }
}

/// Files by their path without a leading slash. Folders come by themselves, as `0755 root`.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    entries: BTreeMap<String, (u32, Content)>,
}

impl Tree {
    /// A tree with what no machine boots without.
    pub(crate) fn with_mount_points() -> Self {
        let mut tree = Self::default();
        for (path, mode) in FOLDERS {
            tree.entries.insert((*path).to_owned(), (*mode, Content::Directory));
        }
        // The kernel opens it for /init's first three descriptors, before anything is mounted.
        tree.add("dev/console", 0o600, Content::CharacterDevice { major: 5, minor: 1 });
        // Rust's runtime takes it in their place on a machine without a console, and aborts without it.
        tree.add("dev/null", 0o666, Content::CharacterDevice { major: 1, minor: 3 });
        tree
    }

    pub(crate) fn add(&mut self, path: &str, mode: u32, content: Content) {
        for (end, _) in path.match_indices('/') {
            let parent = path.get(..end).unwrap_or_default();
            self.entries.entry(parent.to_owned()).or_insert((0o755, Content::Directory));
        }
        self.entries.insert(path.to_owned(), (mode, content));
    }

    /// A file of this machine, whatever its mode here.
    pub(crate) fn add_file(&mut self, path: &str, mode: u32, file: &Path) -> Result<u64> {
        let size = fs::metadata(file).at("read", file)?.len();
        self.add(path, mode, Content::File { path: file.to_owned(), size });
        Ok(size)
    }

    fn size(&self) -> u64 {
        self.entries.values().map(|(_, content)| content.size()).sum()
    }
}

/// One archive in the file.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) tree: Tree,
    pub(crate) compression: Compression,
}

/// How large a part became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) size: u64,
    /// Sum of the files' sizes.
    pub(crate) unpacked: u64,
}

/// Writes all parts to `path`; the answers stand in the order of the parts.
pub(crate) fn write(path: &Path, parts: &[Part], progress: &dyn Progress) -> Result<Vec<Written>> {
    progress.stage("packing", parts.iter().map(|part| part.tree.size()).sum());
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).at("create", path)?);
    let mut written = Vec::new();
    let mut start = 0;
    for part in parts {
        pack(&mut file, part, progress).map_err(|(on, source)| Error::File {
            doing: "pack",
            path: on.unwrap_or_else(|| path.to_owned()),
            source,
        })?;
        let end = file.stream_position().at("write", path)?;
        written.push(Written { size: end - start, unpacked: part.tree.size() });
        start = end;
    }
    file.flush().at("write", path)?;
    Ok(written)
}

/// What failed, and on which file when one is to blame.
type Failure = (Option<PathBuf>, io::Error);

fn pack(file: &mut BufWriter<File>, part: &Part, progress: &dyn Progress) -> Result<(), Failure> {
    match part.compression {
        Compression::None => archive(&mut *file, &part.tree, progress).map(drop)?,
        Compression::Lz4 => {
            let compressor = Compressor::new(&mut *file).map_err(plain)?;
            archive(compressor, &part.tree, progress)?.finish().map_err(plain)?;
        }
    }
    // The kernel looks for the next archive at a multiple of four.
    let position = file.stream_position().map_err(plain)?;
    let missing = position.next_multiple_of(4) - position;
    file.write_all([0; 4].get(..missing as usize).unwrap_or_default()).map_err(plain)
}

fn archive<W: Write>(to: W, tree: &Tree, progress: &dyn Progress) -> Result<W, Failure> {
    let mut archive = Archive::new(to);
    // Sorted by path, so that every folder precedes what is in it.
    for (path, (mode, content)) in &tree.entries {
        archive.add(path, *mode, content).map_err(|error| match content {
            Content::File { path, .. } => (Some(path.clone()), error),
            Content::Bytes(_) | Content::Directory | Content::CharacterDevice { .. } | Content::Link(_) => {
                plain(error)
            }
        })?;
        progress.advance(content.size());
    }
    archive.finish().map_err(plain)
}

fn plain(error: io::Error) -> Failure {
    (None, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Quiet;

    fn paths(tree: &Tree) -> Vec<&str> {
        tree.entries.keys().map(String::as_str).collect()
    }

    #[test]
    fn brings_the_folders_of_a_file_before_it() {
        let mut tree = Tree::default();
        tree.add("lib/modules/6.12/kernel/a.ko", 0o644, Content::Bytes(Vec::new()));
        tree.add("lib-x", 0o644, Content::Bytes(Vec::new()));
        assert_eq!(
            paths(&tree),
            [
                "lib",
                "lib-x",
                "lib/modules",
                "lib/modules/6.12",
                "lib/modules/6.12/kernel",
                "lib/modules/6.12/kernel/a.ko"
            ]
        );
    }

    #[test]
    fn keeps_the_mode_of_a_mount_point_that_gets_a_file() {
        let mut tree = Tree::with_mount_points();
        tree.add("tmp/x", 0o644, Content::Bytes(Vec::new()));
        assert_eq!(tree.entries["tmp"].0, 0o1777);
        assert_eq!(tree.entries["dev/console"].1, Content::CharacterDevice { major: 5, minor: 1 });
        assert_eq!(tree.entries["dev/null"].1, Content::CharacterDevice { major: 1, minor: 3 });
    }

    #[test]
    fn a_part_begins_at_a_multiple_of_four_and_counts_its_padding() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("initrd.img");
        let part = |name, compression| Part { name, tree: Tree::with_mount_points(), compression };
        let parts = [part("system", Compression::Lz4), part("store", Compression::None)];
        let written = write(&path, &parts, &Quiet).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(written[0].size % 4, 0);
        assert_eq!(&bytes[written[0].size as usize..][..6], b"070701");
        assert_eq!(written[0].size + written[1].size, bytes.len() as u64);
    }

    #[test]
    fn names_the_file_that_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut tree = Tree::default();
        tree.add("x", 0o644, Content::File { path: "/nonexistent/x".into(), size: 1 });
        let parts = [Part { name: "system", tree, compression: Compression::Lz4 }];
        let error = write(&folder.path().join("initrd.img"), &parts, &Quiet).unwrap_err();
        assert_eq!(error.to_string(), "cannot pack /nonexistent/x: No such file or directory (os error 2)");
    }
}
