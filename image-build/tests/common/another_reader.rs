//! The same lines as a snapshot's, read from an EROFS file by a reader that others wrote.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use erofs_rs::EroFS;
use erofs_rs::backend::SliceImage;

use erofs_rs::types::Inode;
use orlop::image::Hasher;

type Image<'a> = EroFS<SliceImage<'a>>;

pub(crate) fn another_reader(file: &Path) -> BTreeMap<PathBuf, String> {
    let bytes = fs::read(file).unwrap();
    let image = EroFS::new(SliceImage::new(&bytes)).unwrap();
    let root = image.get_inode(image.super_block().root_inode_id()).unwrap();
    let mut found = BTreeMap::from([(PathBuf::new(), root)]);
    for entry in image.walk_dir("/").unwrap() {
        let entry = entry.unwrap();
        let path = PathBuf::from(OsString::from_vec(entry.dir_entry.path().into_vec()));
        found.insert(path.strip_prefix("/").unwrap().to_path_buf(), entry.inode);
    }
    let mut first_names = BTreeMap::new();
    let mut lines = BTreeMap::new();
    for (path, inode) in found {
        let first = first_names.entry(inode.id()).or_insert_with(|| path.clone()).clone();
        lines.insert(path, line(&image, &inode, &first));
    }
    lines
}

fn line(image: &Image<'_>, inode: &Inode, first: &Path) -> String {
    let kind = inode.file_type().as_raw_mode();
    let device = inode.device().map_or(0, |(major, minor)| rustix::fs::makedev(major, minor));
    let (seconds, nanoseconds) = inode.modified_unix();
    let mut line = format!(
        "{:o} {}:{} size {} time {seconds}.{nanoseconds:09} device {device:x} links {} first {}",
        kind | (inode.permissions().mode() & 0o7777),
        inode.uid(),
        inode.gid(),
        if inode.is_dir() { 0 } else { inode.data_size() },
        if inode.is_dir() { 0 } else { inode.nlink() },
        first.display(),
    );
    if inode.is_symlink() {
        let target = image.read_link_inode(*inode).unwrap().into_vec();
        line += &format!(" to {}", PathBuf::from(OsString::from_vec(target)).display());
    }
    if inode.is_file() {
        let (mut file, mut hasher, mut chunk) =
            (image.open_inode_file(*inode).unwrap(), Hasher::default(), vec![0; 1 << 20]);
        loop {
            match file.read(&mut chunk).unwrap() {
                0 => break,
                len => hasher.update(&chunk[..len]),
            }
        }
        line += &format!(" contents {:?}", hasher.finish());
    }
    for (name, value) in image.xattrs_inode(*inode).unwrap() {
        line += &format!(" {}={}", String::from_utf8_lossy(&name), value.escape_ascii());
    }
    line
}
