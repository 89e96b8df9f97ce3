//! The same image gives the same bytes, whoever builds it, where and when.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step ends the test")]

mod common;

use std::path::Path;
use std::process::Command;

use common::{ODD_FILES, add, sh, store_files, temp};
use orlop::config::ImageSource;

/// The builder of a store, in a process of its own: umask, time zone and folder are a process's.
const CHILD: &str = "ORLOP_TEST_BUILD";

fn sources() -> [ImageSource; 3] {
    [
        ImageSource::OciArchive { path: String::from("image.tar"), tag: None },
        ImageSource::DockerArchive { path: String::from("docker.tar"), tag: None },
        ImageSource::Dir { path: String::from("tree") },
    ]
}

#[test]
fn a_store_depends_on_the_image_alone() {
    if let Ok(store) = std::env::var(CHILD) {
        add(Path::new("."), &store, &sources()).unwrap();
        return;
    }
    let dir = temp();
    sh(dir.path(), ODD_FILES);
    sh(
        dir.path(),
        "rm -rf bundle; umoci init --layout l; umoci new --image l:a; umoci unpack --image l:a bundle",
    );
    sh(dir.path(), "cp -a tree/. bundle/rootfs; umoci repack --image l:a bundle; rm -rf bundle");
    sh(
        dir.path(),
        "skopeo copy -q oci:l:a oci-archive:image.tar; skopeo copy -q oci:l:a docker-archive:docker.tar:x:1",
    );
    let build = |store: &str, setting: &str| {
        let test = std::env::current_exe().unwrap();
        let command =
            format!("rm -rf cache; {setting}; exec {} a_store_depends_on_the_image_alone", test.display());
        let output = Command::new("sh")
            .arg("-c")
            .arg(command)
            .env(CHILD, store)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        store_files(&dir.path().join(store.trim_start_matches("../")))
    };
    let first = build("one", "umask 022; export TZ=UTC");
    assert!(first.len() > 8, "{first:?}");
    let second = build("two", "umask 077; export TZ=Asia/Tokyo LC_ALL=C HOME=/nowhere");
    common::snapshot::assert_same(&first, &second);
    // Elsewhere, extracted in another order: other inodes, other places on the disk.
    sh(dir.path(), "mkdir -p else/tree; cp image.tar docker.tar else");
    let tar = "tar --xattrs --xattrs-include='*' --numeric-owner";
    sh(
        dir.path(),
        &format!("cd tree; find . | sort -r | {tar} --format=pax --no-recursion -cf ../reversed.tar -T -"),
    );
    sh(dir.path(), &format!("{tar} -p -xf reversed.tar -C else/tree"));
    let third = build("../three", "umask 002; cd else");
    common::snapshot::assert_same(&first, &third);
}
