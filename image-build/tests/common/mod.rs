//! Small real worlds: folders of odd files, tars of them, EROFS files mounted by this kernel.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod snapshot;

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use orlop::image::Digest;
use orlop_image::layer::{Cache, Converted, convert};
use tempfile::TempDir;

/// Runs a shell script in a folder and wants it to succeed.
pub(crate) fn sh(dir: &Path, script: &str) -> String {
    let output = Command::new("sh")
        .arg("-euc")
        .arg(script)
        .current_dir(dir)
        .output()
        .unwrap();
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
    convert(
        File::open(file).unwrap(),
        &diff_id,
        &Cache::open(cache).unwrap(),
    )
    .unwrap()
}

/// An EROFS file, mounted by the kernel.
pub(crate) struct Mounted {
    pub(crate) dir: TempDir,
}

impl Mounted {
    pub(crate) fn new(image: &Path) -> Self {
        let dir = temp();
        sh(
            dir.path(),
            &format!(
                "mount -t erofs -o ro,loop {} {}",
                image.display(),
                dir.path().display()
            ),
        );
        Self { dir }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A mount left behind would keep the folder; the test has failed already then.
        let _ = Command::new("umount").arg(self.dir.path()).status();
    }
}
