//! Manifests and indexes as tools write them, and those that must be refused.

use super::*;
use alloc::string::ToString;

const D: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn linux(architecture: &str) -> Platform {
    Platform { os: "linux".into(), architecture: architecture.into() }
}

fn entry(size: u64, more: &str) -> String {
    format!(r#"{{"digest":"{D}","size":{size}{more}}}"#)
}

fn index(entries: &[String]) -> Index {
    let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
    Index::parse("index.json", text.as_bytes()).unwrap()
}

fn named(size: u64, name: &str) -> String {
    entry(size, &format!(r#","annotations":{{"org.opencontainers.image.ref.name":"{name}"}}"#))
}

fn on(size: u64, architecture: &str) -> String {
    entry(size, &format!(r#","platform":{{"os":"linux","architecture":"{architecture}"}}"#))
}

#[test]
fn tells_an_index_from_a_manifest() {
    let index = r#"{"schemaVersion":2,"manifests":[]}"#;
    assert!(matches!(Document::parse("x", index.as_bytes()), Ok(Document::Index(_))));
    let manifest = format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, entry(2, ""), entry(3, ""));
    let Ok(Document::Manifest(manifest)) = Document::parse("x", manifest.as_bytes()) else { panic!() };
    assert_eq!((manifest.config.size, manifest.layers.len()), (2, 1));
}

#[test]
fn picks_by_tag_and_by_platform() {
    fn check(entries: &[String], tag: Option<&str>, expected: u64) {
        assert_eq!(index(entries).pick("index.json", tag, &linux("amd64")).unwrap().size, expected);
    }
    check(&[entry(1, "")], None, 1);
    check(&[named(1, "a")], None, 1);
    check(&[named(1, "a"), named(2, "b")], Some("b"), 2);
    check(&[named(1, "a"), named(2, "docker.io/library/x:b")], Some("b"), 2);
    check(&[named(1, "a"), named(2, "docker.io/library/x:b")], Some("docker.io/library/x:b"), 2);
    check(&[on(1, "arm64"), on(2, "amd64"), on(3, "unknown")], None, 2);
    check(&[on(1, "amd64"), on(2, "amd64")], None, 1);
}

#[test]
fn says_what_could_be_picked() {
    fn check(entries: &[String], tag: Option<&str>, expected: &str) {
        let error = index(entries).pick("index.json", tag, &linux("amd64")).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    check(&[], None, "index.json: holds no image");
    check(&[entry(1, "")], Some("a"), "index.json: no image is tagged `a` (none has a tag: leave it out)");
    check(
        &[named(1, "a"), named(2, "b")],
        Some("c"),
        "index.json: no image is tagged `c`; there is `a`, `b`",
    );
    check(&[named(1, "a"), named(2, "b")], None, "index.json: holds 2 images: add one of the tags `a`, `b`");
    let foreign = "index.json: no image for linux/amd64; there is linux/arm64";
    check(&[on(1, "arm64")], None, foreign);
    check(
        &[on(1, "arm64"), on(1, "s390x")],
        None,
        "index.json: no image for linux/amd64; there is linux/arm64, linux/s390x",
    );
}

#[test]
fn refuses_what_is_no_manifest_and_says_why() {
    fn check(input: &str, expected: &str) {
        assert_eq!(Document::parse("manifest", input.as_bytes()).unwrap_err().to_string(), expected);
    }
    check("", "manifest: EOF while parsing a value at line 1 column 0");
    check("[]", "manifest: not a JSON object");
    check("{}", "manifest: no schemaVersion");
    check(r#"{"schemaVersion":1}"#, "manifest: Docker's manifest schema 1, which has no digests to trust");
    check(r#"{"schemaVersion":3}"#, "manifest: schemaVersion 3, only 2 is known");
    check(r#"{"schemaVersion":2}"#, "manifest: missing field `config` at line 1 column 19");
    let digest = r#"{"schemaVersion":2,"config":{"digest":"sha1:0","size":1},"layers":[]}"#;
    check(digest, "manifest: digest `sha1:0`: only sha256 is supported at line 1 column 46");
    let layers = vec![entry(1, ""); 129].join(",");
    let many = format!(r#"{{"schemaVersion":2,"config":{},"layers":[{layers}]}}"#, entry(1, ""));
    check(&many, "manifest: 129 layers, more than the 128 that are taken");
    let large = " ".repeat(MAX_DOCUMENT + 1);
    check(&large, "manifest: 4194305 bytes, more than the 4194304 that are read");
    check(
        &format!("{{\"x\":{}", "[".repeat(100_000)),
        "manifest: EOF while parsing a list at line 1 column 100005",
    );
}

#[test]
fn wants_as_many_layers_as_diff_ids() {
    let text = format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, entry(2, ""), entry(3, ""));
    let manifest = Manifest::parse("manifest", text.as_bytes()).unwrap();
    let error = manifest.check_config(&ImageConfig::default()).unwrap_err();
    assert_eq!(error.to_string(), "manifest: 1 layers, but its config has 0 in rootfs.diff_ids");
}
