//! The store on a machine: which manifest an image of the config is, and where its parts lie.
//!
//! `index.json`, `blobs/sha256/HEX` (manifests and configs, as in an OCI layout),
//! `layers/DIFFID.erofs`. Each manifest in the index carries the text that the config has for the
//! image, so that nothing has to be guessed on the machine.

use alloc::format;
use alloc::string::String;

use crate::config::ImageSource;

use super::{Digest, Error, Index};

/// On a manifest's descriptor: the image as the config spells it.
pub const ANNOTATION_IMAGE: &str = "org.orlop.image";
/// On the index: the form of the store.
pub const ANNOTATION_STORE: &str = "org.orlop.store";
/// Raised when a store can no longer be read by what came before.
pub const STORE_VERSION: &str = "1";

const PLACE: &str = "index.json";

/// The checked `index.json` of a store.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    index: Index,
}

impl Store {
    pub fn parse(index_json: &[u8]) -> Result<Self, Error> {
        let index = Index::parse(PLACE, index_json)?;
        match index.annotations.get(ANNOTATION_STORE).map(String::as_str) {
            Some(STORE_VERSION) => Ok(Self { index }),
            Some(other) => Err(Error::new(
                PLACE,
                format!("a store of form {other}, only {STORE_VERSION} is known"),
            )),
            None => Err(Error::new(
                PLACE,
                format!("not a store: no annotation {ANNOTATION_STORE}"),
            )),
        }
    }

    /// The digest of the image's manifest; its bytes are in [`Digest::blob_path`].
    pub fn manifest(&self, source: &ImageSource) -> Result<Digest, Error> {
        let text = source_text(source);
        let found = self
            .index
            .manifests
            .iter()
            .find(|found| found.annotations.get(ANNOTATION_IMAGE) == Some(&text));
        found
            .map(|found| found.digest)
            .ok_or_else(|| Error::new(text, "not in the store"))
    }
}

impl Digest {
    /// Where a store or an OCI layout has the bytes.
    pub fn blob_path(&self) -> String {
        format!("blobs/sha256/{}", self.hex())
    }

    /// Are these the bytes that the digest names?
    pub fn check(&self, place: &str, bytes: &[u8]) -> Result<(), Error> {
        let found = Digest::of(bytes);
        if found == *self {
            return Ok(());
        }
        Err(Error::new(
            place,
            format!("damaged: the digest is {found}, not {self}"),
        ))
    }
}

/// Where a store has the layer with this diff-id.
pub fn layer_path(diff_id: &Digest) -> String {
    format!("layers/{}.erofs", diff_id.hex())
}

/// The source as the config spells it, in its full form.
pub fn source_text(source: &ImageSource) -> String {
    let tagged = |transport: &str, path: &str, tag: &Option<String>| match tag {
        Some(tag) => format!("{transport}:{path}:{tag}"),
        None => format!("{transport}:{path}"),
    };
    match source {
        ImageSource::Registry(reference) => reference.clone(),
        ImageSource::Oci { path, tag } => tagged("oci", path, tag),
        ImageSource::OciArchive { path, tag } => tagged("oci-archive", path, tag),
        ImageSource::DockerArchive { path, tag } => tagged("docker-archive", path, tag),
        ImageSource::Dir { path } => format!("dir:{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oci(path: &str, tag: Option<&str>) -> ImageSource {
        ImageSource::Oci {
            path: path.into(),
            tag: tag.map(String::from),
        }
    }

    fn index(version: &str) -> String {
        let digest = Digest::of(b"manifest");
        format!(
            r#"{{"schemaVersion":2,"annotations":{{"org.orlop.store":"{version}"}},"manifests":[
                {{"digest":"{digest}","size":8,"annotations":{{"org.orlop.image":"oci:images/web:1"}}}}]}}"#
        )
    }

    #[test]
    fn finds_an_image_by_the_text_of_the_config() {
        let store = Store::parse(index("1").as_bytes()).unwrap();
        assert_eq!(
            store.manifest(&oci("images/web", Some("1"))),
            Ok(Digest::of(b"manifest"))
        );
        let error = store.manifest(&oci("images/web", None)).unwrap_err();
        assert_eq!(error.to_string(), "oci:images/web: not in the store");
    }

    #[test]
    fn refuses_a_store_of_another_form() {
        fn check(input: &str, expected: &str) {
            assert_eq!(
                Store::parse(input.as_bytes()).unwrap_err().to_string(),
                expected
            );
        }
        check(
            &index("2"),
            "index.json: a store of form 2, only 1 is known",
        );
        check(
            r#"{"schemaVersion":2,"manifests":[]}"#,
            "index.json: not a store: no annotation org.orlop.store",
        );
        check(
            "{",
            "index.json: EOF while parsing an object at line 1 column 1",
        );
    }

    #[test]
    fn spells_every_source_as_the_config_does() {
        let path = || String::from("a/b");
        let tag = || Some(String::from("t"));
        assert_eq!(
            source_text(&ImageSource::OciArchive {
                path: path(),
                tag: tag()
            }),
            "oci-archive:a/b:t"
        );
        assert_eq!(
            source_text(&ImageSource::DockerArchive {
                path: path(),
                tag: None
            }),
            "docker-archive:a/b"
        );
        assert_eq!(source_text(&ImageSource::Dir { path: path() }), "dir:a/b");
        assert_eq!(
            source_text(&ImageSource::Registry("docker.io/library/redis:7".into())),
            "docker.io/library/redis:7"
        );
    }

    #[test]
    fn says_when_bytes_are_not_those_of_the_digest() {
        assert_eq!(Digest::of(b"a").check("config", b"a"), Ok(()));
        let text = Digest::of(b"a")
            .check("config", b"b")
            .unwrap_err()
            .to_string();
        assert!(
            text.starts_with("config: damaged: the digest is sha256:3e23e8"),
            "{text}"
        );
    }
}
