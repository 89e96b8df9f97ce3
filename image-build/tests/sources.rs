//! One image, brought in as every kind of source, is the same image.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step ends the test")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::snapshot::{assert_same, snapshot};
use common::{Mounted, add, sh, store_files, temp};
use orlop::config::ImageSource;
use orlop::image::{Digest, ImageConfig, Manifest, Store};
use orlop_image::source::Added;

/// Two layers: the second takes a file and all of a folder away, and has a file of its own. umoci
/// writes no entry for /etc, where nothing but a file has gone, and none for the root.
const MAKE_IMAGE: &str = r#"
    umoci init --layout layout; umoci new --image layout:web
    umoci unpack --image layout:web bundle
    mkdir -p bundle/rootfs/etc bundle/rootfs/srv/old bundle/rootfs/tmp
    chmod 1777 bundle/rootfs/tmp; echo one > bundle/rootfs/etc/gone; echo two > bundle/rootfs/etc/kept
    echo old > bundle/rootfs/srv/old/file; cp bundle/rootfs/etc/kept bundle/rootfs/etc/capable
    setcap cap_net_raw+ep bundle/rootfs/etc/capable; chown 33:33 bundle/rootfs/etc/kept
    chown 0:33 bundle/rootfs/etc; chmod 2750 bundle/rootfs/etc
    find bundle/rootfs -exec touch -h -d '2024-05-06 07:08:09 UTC' {} +
    umoci repack --refresh-bundle --image layout:web bundle
    rm bundle/rootfs/etc/gone; rm -r bundle/rootfs/srv/old; echo new > bundle/rootfs/srv/new
    find bundle/rootfs -exec touch -h -d '2024-05-06 07:08:09 UTC' {} +
    umoci repack --image layout:web bundle
    umoci config --image layout:web --config.cmd /bin/web --config.env A=b --config.stopsignal SIGQUIT
"#;

fn text(text: &str) -> String {
    String::from(text)
}

/// What the machine will find for an image: its config, and its layers laid over one another.
fn found(store: &Path, source: &ImageSource) -> (ImageConfig, BTreeMap<PathBuf, String>) {
    let index = Store::parse(&fs::read(store.join("index.json")).unwrap()).unwrap();
    let stored = index.image(source).unwrap();
    let blob = |digest: &Digest| {
        let bytes = fs::read(store.join(digest.blob_path())).unwrap();
        digest.check("blob", &bytes).unwrap();
        bytes
    };
    let manifest = Manifest::parse("manifest", &blob(&stored.manifest)).unwrap();
    let config = ImageConfig::parse("config", &blob(&manifest.config.digest)).unwrap();
    let layers: Vec<_> = stored.layers.iter().map(|file| Mounted::new(&store.join(file))).collect();
    let overlay = Mounted::overlay(&layers);
    (config, snapshot(overlay.dir.path()))
}

/// The image's own tree, less what umoci does not put into a layer.
fn wanted(dir: &Path) -> BTreeMap<PathBuf, String> {
    snapshot(&dir.join("bundle/rootfs"))
}

#[test]
fn every_source_gives_the_same_image() {
    let dir = temp();
    let path = dir.path();
    sh(path, MAKE_IMAGE);
    sh(path, "skopeo copy -q oci:layout:web oci-archive:oci.tar:web");
    sh(path, "skopeo copy -q oci:layout:web docker-archive:docker.tar:example.org/web:1");
    sh(path, "gzip -k oci.tar; cp -a bundle/rootfs rootfs");
    let sources = [
        ImageSource::Oci { path: text("layout"), tag: Some(text("web")) },
        ImageSource::Oci { path: text("layout"), tag: None },
        ImageSource::OciArchive { path: text("oci.tar"), tag: Some(text("web")) },
        ImageSource::OciArchive { path: text("oci.tar.gz"), tag: None },
        ImageSource::DockerArchive { path: text("docker.tar"), tag: Some(text("example.org/web:1")) },
        ImageSource::DockerArchive { path: text("docker.tar"), tag: None },
        ImageSource::Dir { path: text("rootfs") },
    ];
    let added = add(path, "store", &sources).unwrap();
    for (source, added) in sources.iter().zip(&added) {
        assert_eq!(added.warnings, Vec::<String>::new());
        let (config, tree) = found(&path.join("store"), source);
        assert_same(&wanted(path), &tree);
        if !matches!(source, ImageSource::Dir { .. }) {
            assert_eq!(
                (config.cmd, config.stop_signal),
                (Some(vec![text("/bin/web")]), Some(text("SIGQUIT")))
            );
            assert!(config.env.contains(&(text("A"), text("b"))));
        }
    }
}

#[test]
fn images_share_what_they_have_in_common() {
    let dir = temp();
    sh(dir.path(), MAKE_IMAGE);
    sh(dir.path(), "umoci config --image layout:web --tag other --config.cmd /bin/other");
    let oci = |tag: &str| ImageSource::Oci { path: text("layout"), tag: Some(text(tag)) };
    let added = add(dir.path(), "store", &[oci("web"), oci("other")]).unwrap();
    let layers = |added: &Added| added.layers.clone();
    assert_eq!(layers(&added[0]), layers(&added[1]));
    let files = store_files(&dir.path().join("store"));
    let count = |start: &str| files.keys().filter(|path| path.to_string_lossy().starts_with(start)).count();
    assert_eq!((count("layers/"), count("blobs/sha256/")), (2, 4), "{files:?}");
}

#[test]
fn a_cached_layer_is_not_converted_again() {
    let dir = temp();
    sh(dir.path(), MAKE_IMAGE);
    let source = [
        ImageSource::Oci { path: text("layout"), tag: None },
        ImageSource::Dir { path: text("bundle/rootfs") },
    ];
    let first = add(dir.path(), "store", &source).unwrap();
    let stamp = || sh(dir.path(), "stat -c '%n %i %y' cache/layers-*/*.erofs");
    let before = stamp();
    assert_eq!(add(dir.path(), "again", &source).unwrap(), first);
    assert_eq!(stamp(), before);
    assert_eq!(store_files(&dir.path().join("store")), store_files(&dir.path().join("again")));
}

#[test]
fn sockets_of_a_folder_are_left_out_and_said() {
    let dir = temp();
    sh(
        dir.path(),
        "mkdir rootfs; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"rootfs/s\")'",
    );
    let added = add(dir.path(), "store", &[ImageSource::Dir { path: text("rootfs") }]).unwrap();
    assert_eq!(added[0].warnings, [format!("{}/rootfs/s: left out, a socket", dir.path().display())]);
}

#[test]
fn a_folder_with_odd_files_survives() {
    let dir = temp();
    sh(dir.path(), common::ODD_FILES);
    sh(dir.path(), "truncate -s 9G tree/huge; echo end >> tree/huge; mkdir 'tree/socketless'");
    let source = ImageSource::Dir { path: text("tree") };
    let added = add(dir.path(), "store", std::slice::from_ref(&source)).unwrap();
    // Of nine GiB that are nothing, nothing is stored.
    assert!(added[0].layers[0].size < 16 << 20, "{:?}", added[0].layers);
    let mounted = Mounted::new(&dir.path().join("store").join("layers").join(&added[0].layers[0].file));
    sh(
        dir.path(),
        &format!(
            "cmp -n 1000 tree/huge {0}/huge; tail -c 4 {0}/huge | grep -q end",
            mounted.dir.path().display()
        ),
    );
    sh(
        dir.path(),
        &format!("test $(stat -c %s {}/huge) = 9663676420; rm tree/huge", mounted.dir.path().display()),
    );
    let mut found = snapshot_without(mounted.dir.path(), "huge");
    let wanted = snapshot(&dir.path().join("tree"));
    found.insert(PathBuf::new(), wanted[Path::new("")].clone()); // its time changed with the file's removal
    assert_same(&wanted, &found);
}

fn snapshot_without(dir: &Path, name: &str) -> BTreeMap<PathBuf, String> {
    common::snapshot::snapshot_of(dir, &|path| path != Path::new(name))
}
