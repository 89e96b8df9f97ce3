//! Small real worlds: folders of odd files, tars of them, EROFS files mounted by this kernel.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod another_reader;
pub(crate) mod snapshot;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use orlop::config::ImageSource;
use orlop::image::Digest;
use orlop_image::layer::{Below, Cache, Converted, convert};
use orlop_image::source::{Added, Error, add_image};
use orlop_image::store::StoreWriter;
use tempfile::TempDir;

/// One of each: types, modes, owners, times, links, names, sizes around a block, xattrs, holes, and
/// contents that can be compressed, partly, or not at all.
pub(crate) const ODD_FILES: &str = r#"
    mkdir -p tree/dir/empty "tree/$(printf 'sp ace\303\244')" tree/wide
    cd tree
    printf hello > file; : > zero; cp file dir/copy
    for size in 1 31 4031 4032 4033 4064 4095 4096 4097 8191 8192 8193 100000; do
        head -c $size /dev/urandom > dir/size-$size
    done
    ln file dir/link; ln file dir/link2; ln -s ../file dir/sym; ln dir/sym dir/sym-link
    ln -s "$(printf '%04000d' 0)" long-sym
    ln -s /absolute/and/dangling dangling
    mkfifo -m 0620 fifo; mknod char c 1 3; mknod block b 8 300000; mknod big-char c 4095 1048575
    chmod 4755 file; chmod 1777 dir/empty; chmod 2711 dir; chmod 0 dir/copy
    chown 1000:1001 dir/copy; chown 70000:4000000000 dir/size-1; chown -h 12:13 dangling
    touch -d '1970-01-01 00:00:00 UTC' zero; touch -h -d '2030-01-01 UTC' dangling
    touch -d '1960-02-03 04:05:06.75 UTC' dir/size-31; touch -d '2020-02-03 04:05:06.123456789 UTC' dir/size-4096
    touch -d '2200-01-01 UTC' dir/size-4097
    i=0; while [ $i -lt 700 ]; do : > wide/file-with-a-name-that-fills-the-directory-$i; i=$((i+1)); done
    : > "wide/$(printf '%0255d' 7)"
    mkdir -p "$(printf 'd%0120d/' 1 2 3)"; printf deep > "$(printf 'd%0120d/' 1 2 3)/f"
    truncate -s 1M holes; printf x | dd of=holes bs=1 seek=500000 conv=notrunc status=none
    truncate -s 3M only-hole
    printf 'first' > many-holes; i=1; while [ $i -lt 40 ]; do printf "piece $i" | dd of=many-holes bs=1 seek=$((i*150000)) conv=notrunc status=none; i=$((i+1)); done
    truncate -s 40M large-chunks; for at in 3 17 18 30; do dd if=/dev/urandom of=large-chunks bs=100k count=1 seek=$((at*10)) conv=notrunc status=none; done
    mkdir packed
    for size in 4096 4097 5000 8192 8193 16384 16385 70000 300000 4194305; do
        seq 1 2000000 | head -c $size > packed/lines-$size
    done
    for size in 4097 300000; do yes x | head -c $size > packed/same-$size; done
    (seq 1 50000; head -c 70001 /dev/urandom; seq 1 50000; head -c 5000 /dev/zero; head -c 33 /dev/urandom) > packed/mixed
    seq 1 3000 > packed/with-a-hole; truncate -s 200000 packed/with-a-hole; seq 1 300000 >> packed/with-a-hole
    cp packed/lines-70000 packed/with-an-attribute
    cp file capable; setcap cap_net_bind_service,cap_net_raw+ep capable
    python3 - <<'PY'
import os
os.setxattr('file', 'user.plain', b'value')
os.setxattr('file', 'user.empty', b'')
os.setxattr('file', 'trusted.some', bytes(range(256)))
os.setxattr('packed/with-an-attribute', 'user.odd', b'123456')
os.setxattr('dir', 'user.on-a-directory', b'yes')
os.setxattr('dir/size-4095', 'user.large', b'L' * 3000)
os.setxattr('dir/size-8191', 'user.' + 'n' * 250, b'')
os.setxattr('dangling', 'trusted.on-a-link', b'1', follow_symlinks=False)
PY
"#;

/// Runs a shell script in a folder and wants it to succeed.
pub(crate) fn sh(dir: &Path, script: &str) -> String {
    let output = Command::new("sh").arg("-euc").arg(script).current_dir(dir).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}\n{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

pub(crate) fn temp() -> TempDir {
    assert!(
        rustix::process::geteuid().is_root(),
        "devices, owners and mounts need root: run the tests as root"
    );
    tempfile::tempdir().unwrap()
}

/// Converts a tar, compressed or not, that has this tar inside.
pub(crate) fn converted(file: &Path, tar: &Path, cache: &Path) -> Converted {
    let diff_id = Digest::of(&fs::read(tar).unwrap());
    convert(File::open(file).unwrap(), &diff_id, &Below::default(), &Cache::open(cache).unwrap()).unwrap()
}

/// An EROFS file, mounted by the kernel.
pub(crate) struct Mounted {
    pub(crate) dir: TempDir,
    /// Folders that it is made of.
    parts: Vec<TempDir>,
}

impl Mounted {
    pub(crate) fn new(image: &Path) -> Self {
        let dir = temp();
        sh(dir.path(), &format!("mount -t erofs -o ro,loop {} {}", image.display(), dir.path().display()));
        Self { dir, parts: Vec::new() }
    }
}

impl Mounted {
    /// An overlay of mounted layers, lowest first, as a container sees it.
    pub(crate) fn overlay(layers: &[Self]) -> Self {
        let dir = temp();
        let paths: Vec<_> = layers.iter().rev().map(|layer| layer.dir.path().display().to_string()).collect();
        // A single layer needs a second one to be an overlay.
        let empty = temp();
        let lower = format!("{}:{}", paths.join(":"), empty.path().display());
        sh(dir.path(), &format!("mount -t overlay x -o ro,lowerdir={lower} {}", dir.path().display()));
        Self { dir, parts: vec![empty] }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A mount left behind would keep the folder; the test has failed already then.
        let _ = Command::new("umount").arg(self.dir.path()).status();
    }
}

/// Adds images to a new store in a folder, whose `cache` they share.
pub(crate) fn add(dir: &Path, store: &str, sources: &[ImageSource]) -> Result<Vec<Added>, Error> {
    let mut writer = StoreWriter::create(&dir.join(store)).unwrap();
    let add = |source| add_image(source, dir, &mut writer, &dir.join("cache"), "amd64");
    let added = sources.iter().map(add).collect::<Result<Vec<_>, _>>()?;
    writer.finish().unwrap();
    Ok(added)
}

/// Files of a store and the digests of their bytes, with modes.
pub(crate) fn store_files(dir: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = snapshot::snapshot(dir);
    for line in files.values_mut() {
        let mode = line.split(' ').next().unwrap_or_default().to_string();
        *line = format!("{mode} {}", line.split(" contents ").nth(1).unwrap_or_default());
    }
    files
}
