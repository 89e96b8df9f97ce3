//! Images that are damaged or hostile are refused, by name and with the reason, and leave nothing
//! behind that could be taken for an image.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step ends the test")]

mod common;

use std::fs;
use std::path::Path;

use common::{add, sh, temp};
use orlop::config::ImageSource;
use orlop::image::Digest;
use orlop::image::erofs::FORMAT_VERSION;

/// A layout with one image of one layer, as hand-made as it can be: `$layer` is its tar.
fn layout(dir: &Path, layer: &[u8]) {
    fs::create_dir_all(dir.join("layout/blobs/sha256")).unwrap();
    let blob = |bytes: &[u8]| {
        let digest = Digest::of(bytes);
        fs::write(dir.join("layout").join(digest.blob_path()), bytes).unwrap();
        format!(r#""digest":"{digest}","size":{}"#, bytes.len())
    };
    let diff_id = Digest::of(layer);
    let config = format!(
        r#"{{"os":"linux","architecture":"amd64","rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
    );
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{{"mediaType":"application/vnd.oci.image.config.v1+json",{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar",{}}}]}}"#,
        blob(config.as_bytes()),
        blob(layer)
    );
    let index = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"application/vnd.oci.image.manifest.v1+json",{}}}]}}"#,
        blob(manifest.as_bytes())
    );
    fs::write(dir.join("layout/index.json"), index).unwrap();
}

fn good_layer(dir: &Path) -> Vec<u8> {
    sh(dir, "mkdir tree; echo contents > tree/file; tar -cf layer.tar -C tree .");
    fs::read(dir.join("layer.tar")).unwrap()
}

/// Adds what `damage` has made of a good layout; wants the message, `DIR` standing for the folder,
/// `LAYER`, `CONFIG` and `MANIFEST` for the digests.
fn check(damage: impl Fn(&Path), expected: &str) {
    let dir = temp();
    let layer = good_layer(dir.path());
    layout(dir.path(), &layer);
    damage(dir.path());
    refused(dir.path(), ImageSource::Oci { path: String::from("layout"), tag: None }, expected);
}

fn refused(dir: &Path, source: ImageSource, expected: &str) {
    let message = add(dir, "store", &[source]).unwrap_err().to_string();
    let message = message.replace(&dir.display().to_string(), "DIR");
    let words: Vec<_> = message.split_inclusive(|c: char| !c.is_ascii_hexdigit()).collect();
    let message: String = words
        .iter()
        .map(|word| if word.len() == 65 { format!("HEX{}", &word[64..]) } else { word.to_string() })
        .collect();
    assert_eq!(message, expected);
    let left: Vec<_> = fs::read_dir(dir.join(format!("cache/layers-{FORMAT_VERSION}"))).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!dir.join("store/index.json").exists());
}

/// The blob of this many bytes' place among those of the layout, by size: manifest, config, layer.
fn blobs(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut blobs: Vec<_> =
        fs::read_dir(dir.join("layout/blobs/sha256")).unwrap().map(|entry| entry.unwrap().path()).collect();
    blobs.sort_by_key(|path| fs::metadata(path).unwrap().len());
    blobs
}
const CONFIG: usize = 0;
const MANIFEST: usize = 1;
const LAYER: usize = 2;

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_layout_that_is_damaged_is_refused_by_name() {
    let index =
        |text: &'static str| move |dir: &Path| fs::write(dir.join("layout/index.json"), text).unwrap();
    check(
        |dir| fs::remove_dir_all(dir.join("layout")).unwrap(),
        "image `oci:layout`: DIR/layout: No such file or directory (os error 2)",
    );
    check(
        |dir| fs::remove_file(dir.join("layout/index.json")).unwrap(),
        "image `oci:layout`: DIR/layout/index.json: No such file or directory (os error 2)",
    );
    check(index("{"), "image `oci:layout`: index.json: EOF while parsing an object at line 1 column 1");
    check(index("[]"), "image `oci:layout`: index.json: not a JSON object");
    check(index(r#"{"schemaVersion":2,"manifests":[]}"#), "image `oci:layout`: index.json: holds no image");
    check(
        |dir| fs::write(dir.join("layout/index.json"), vec![b' '; 5 << 20]).unwrap(),
        "image `oci:layout`: index.json: 4194305 bytes, more than the 4194304 that are read",
    );
}

#[test]
fn a_blob_that_is_damaged_is_refused_by_name() {
    let blob = |number: usize| move |dir: &Path| flip(&blobs(dir)[number]);
    let message = |dir: &Path| {
        add(dir, "store", &[ImageSource::Oci { path: String::from("layout"), tag: None }])
            .unwrap_err()
            .to_string()
    };
    for (number, place) in [(CONFIG, "config"), (MANIFEST, "manifest")] {
        let dir = temp();
        let layer = good_layer(dir.path());
        layout(dir.path(), &layer);
        let name = blobs(dir.path())[number].file_name().unwrap().to_string_lossy().into_owned();
        blob(number)(dir.path());
        let text = message(dir.path());
        assert!(
            text.starts_with(&format!("image `oci:layout`: {place}: damaged: the digest is sha256:")),
            "{text}"
        );
        assert!(text.ends_with(&format!(", not sha256:{name}")), "{text}");
    }
    let dir = temp();
    let layer = good_layer(dir.path());
    layout(dir.path(), &layer);
    let path = blobs(dir.path())[LAYER].clone();
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    flip(&path);
    let text = message(dir.path());
    assert!(
        text.starts_with(&format!(
            "image `oci:layout`: layer 1 of 1: blobs/sha256/{name}: damaged: its digest is sha256:"
        )),
        "{text}"
    );
    fs::write(&path, &layer[..layer.len() - 512]).unwrap();
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    let expected = format!(
        "image `oci:layout`: layer 1 of 1: blobs/sha256/{name}: damaged: {} bytes, its descriptor says {}",
        layer.len() - 512,
        layer.len()
    );
    assert_eq!(message(dir.path()), expected);
    fs::remove_file(&path).unwrap();
    fs::remove_dir_all(dir.path().join("store")).unwrap();
    let expected = format!(
        "image `oci:layout`: layer 1 of 1: {}: No such file or directory (os error 2)",
        path.display()
    );
    assert_eq!(message(dir.path()), expected);
}

#[test]
fn a_layer_with_hostile_contents_is_refused_by_name() {
    let check = |layer: &[u8], expected: &str| {
        let dir = temp();
        layout(dir.path(), layer);
        refused(
            dir.path(),
            ImageSource::Oci { path: String::from("layout"), tag: None },
            &format!("image `oci:layout`: layer 1 of 1: {expected}"),
        );
    };
    let made = |script: &str| {
        let dir = temp();
        sh(dir.path(), script);
        fs::read(dir.path().join("layer.tar")).unwrap()
    };
    check(
        &made("echo x > f; tar -P --transform 's,^,../../etc/,' -cf layer.tar f"),
        "../../etc/f: the path leads upwards (`..`)",
    );
    check(
        &made(
            "ln -s /etc l; tar -cf layer.tar l; rm l; mkdir l; echo x > l/f; tar --append -f layer.tar l/f",
        ),
        "l/f: `l` is not a directory in this layer",
    );
    check(
        &made("echo x > f; ln f g; tar -cf all.tar f g; tar --delete -f all.tar f; mv all.tar layer.tar"),
        "g: hard link to `f`, which this layer does not have before it",
    );
    check(
        &made("echo x > f; tar -cJf layer.tar f"),
        "layer: compressed with xz: only gzip and zstd are supported",
    );
    check(
        &made("printf 'not a tar' > layer.tar"),
        "tar, byte 9: truncated: the archive ends within a member",
    );
    check(
        &made("head -c 2000 /dev/zero | tr '\\0' a > layer.tar"),
        "tar, byte 0: not a tar header, or a damaged one (checksum)",
    );
}

#[test]
fn a_layer_that_ends_too_early_is_refused_whatever_its_compression() {
    for (compress, expected) in [("gzip", "gzip, after"), ("zstd -q", "zstd, after"), ("cat", "tar, byte")] {
        let dir = temp();
        sh(
            dir.path(),
            &format!(
                "seq 100000 > f; tar -cf all.tar f; {compress} < all.tar > all; head -c 50000 all > cut"
            ),
        );
        layout(dir.path(), &fs::read(dir.path().join("cut")).unwrap());
        let source = ImageSource::Oci { path: String::from("layout"), tag: None };
        let message = add(dir.path(), "store", &[source]).unwrap_err().to_string();
        assert!(message.starts_with(&format!("image `oci:layout`: layer 1 of 1: {expected} ")), "{message}");
    }
}

#[test]
fn a_diff_id_that_is_not_the_layers_is_refused() {
    let dir = temp();
    let layer = good_layer(dir.path());
    layout(dir.path(), &layer);
    // A docker archive: nothing but the diff-ids says what a layer should be.
    sh(dir.path(), "skopeo copy -q oci:layout docker-archive:good.tar:x:1; mkdir a; tar -xf good.tar -C a");
    sh(
        dir.path(),
        "cd a; other=$(ls *.tar); mkdir t; echo other > t/f; rm -f $other; tar -cf $other -C t .; rm -r t; tar -cf ../bad.tar *",
    );
    let source = |path: &str| ImageSource::DockerArchive { path: String::from(path), tag: None };
    let message = add(dir.path(), "store", &[source("bad.tar")]).unwrap_err().to_string();
    assert!(
        message.starts_with(
            "image `docker-archive:bad.tar`: layer 1 of 1: layer: damaged: its diff-id is sha256:"
        ),
        "{message}"
    );
    assert!(message.ends_with(&format!(", the config has {}", Digest::of(&layer))), "{message}");
    add(dir.path(), "again", &[source("good.tar")]).unwrap();
}

#[test]
fn archives_that_are_damaged_are_refused_by_name() {
    let check = |script: &str, source: ImageSource, expected: &str| {
        let dir = temp();
        let layer = good_layer(dir.path());
        layout(dir.path(), &layer);
        sh(
            dir.path(),
            "skopeo copy -q oci:layout oci-archive:o.tar; skopeo copy -q oci:layout docker-archive:d.tar:x:1",
        );
        sh(dir.path(), script);
        refused(dir.path(), source, expected);
    };
    let oci = |path: &str| ImageSource::OciArchive { path: String::from(path), tag: None };
    let docker = |path: &str| ImageSource::DockerArchive { path: String::from(path), tag: None };
    check(
        "truncate -s 1000 o.tar",
        oci("o.tar"),
        "image `oci-archive:o.tar`: tar, byte 1000: truncated: the archive ends within a member",
    );
    check(
        "true",
        oci("missing.tar"),
        "image `oci-archive:missing.tar`: DIR/missing.tar: No such file or directory (os error 2)",
    );
    check("mkdir f", oci("f"), "image `oci-archive:f`: DIR/f: not a file");
    check(": > e.tar", oci("e.tar"), "image `oci-archive:e.tar`: index.json: not in the archive");
    check("true", oci("d.tar"), "image `oci-archive:d.tar`: index.json: not in the archive");
    check("true", docker("o.tar"), "image `docker-archive:o.tar`: manifest.json: not in the archive");
    check(
        "tar --delete -f d.tar $(tar -tf d.tar | grep -E '^[0-9a-f]{64}.tar$')",
        docker("d.tar"),
        "image `docker-archive:d.tar`: HEX.tar: not in the archive",
    );
}

#[test]
fn an_image_for_another_machine_is_refused() {
    let dir = temp();
    sh(
        dir.path(),
        "umoci init --layout layout; umoci new --image layout:a; umoci config --image layout:a --architecture arm64",
    );
    let source = ImageSource::Oci { path: String::from("layout"), tag: Some(String::from("a")) };
    let message = add(dir.path(), "store", &[source]).unwrap_err().to_string();
    assert_eq!(message, "image `oci:layout:a`: config: an image for linux/arm64, not for linux/amd64");
}
