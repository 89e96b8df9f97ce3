//! A converted layer is, file by file, what GNU tar extracts.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step ends the test")]

mod common;

use common::another_reader::another_reader;
use common::snapshot::{assert_same, snapshot};
use common::{Mounted, ODD_FILES, converted, sh, temp};

/// Makes the odd files with one way of calling tar, converts, and compares with tar's extraction.
fn check(archive: &str, compress: &str) {
    let dir = temp();
    let path = dir.path();
    sh(path, ODD_FILES);
    sh(path, &format!("tar --sort=name {archive} -cf layer.tar -C tree ."));
    sh(
        path,
        "mkdir wanted; tar --xattrs --xattrs-include='*' --same-owner -p --numeric-owner -xf layer.tar -C wanted",
    );
    sh(path, &format!("{compress} < layer.tar > layer"));
    let done = converted(&path.join("layer"), &path.join("layer.tar"), &path.join("cache"));
    assert_eq!(done.warnings, Vec::<String>::new());
    let mounted = Mounted::new(&done.file);
    let wanted = snapshot(&path.join("wanted"));
    assert_same(&wanted, &snapshot(mounted.dir.path()));
    assert_same(&wanted, &another_reader(&done.file));
    // erofs-utils read it too. Version 1.5 leaves holes out of what it extracts, so only files without.
    sh(path, &format!("mkdir fsck; fsck.erofs --extract=$PWD/fsck {}", done.file.display()));
    let sums = "find packed dir -type f -exec sha256sum {} + | sort";
    sh(path, &format!("(cd wanted; {sums}) > a; (cd fsck; {sums}) > b; diff a b >&2"));
}

#[test]
fn a_pax_layer_is_what_tar_extracts() {
    check("--format=pax --xattrs --xattrs-include='*'", "gzip -1");
}

#[test]
fn a_layer_of_every_sparse_format_is_what_tar_extracts() {
    for version in ["0.0", "0.1", "1.0"] {
        check(&format!("--format=pax --xattrs --sparse --sparse-version={version}"), "cat");
    }
}

#[test]
fn text_becomes_small_and_noise_does_not_grow() {
    let dir = temp();
    let path = dir.path();
    sh(
        path,
        "mkdir tree; seq 1 400000 > tree/text; head -c 2000000 /dev/urandom > tree/noise; tar -cf layer.tar tree",
    );
    let file = converted(&path.join("layer.tar"), &path.join("layer.tar"), &path.join("cache")).file;
    let size = std::fs::metadata(&file).unwrap().len();
    assert!((2_000_000..2_000_000 + 1_800_000).contains(&size), "{size}");
    // Dump tells the layouts: 1 is compressed with a full index, 0 and 2 are not.
    let layout = |name: &str| sh(path, &format!("dump.erofs --path=/tree/{name} {}", file.display()));
    assert!(layout("text").contains("Layout: 1"), "{}", layout("text"));
    assert!(
        layout("noise").contains("Layout: 0") || layout("noise").contains("Layout: 2"),
        "{}",
        layout("noise")
    );
}

#[test]
fn old_formats_are_what_tar_extracts() {
    check("--format=gnu", "cat");
    check("--format=gnu --sparse", "zstd -q");
}

#[test]
fn a_damaged_copy_is_seen_by_the_comparison() {
    let dir = temp();
    sh(dir.path(), "mkdir a b; echo x > a/f; echo x > b/f; touch -d '2020-01-01' a/f b/f a b; chmod 600 b/f");
    let (a, b) = (snapshot(&dir.path().join("a")), snapshot(&dir.path().join("b")));
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    assert_ne!(a, b);
}
