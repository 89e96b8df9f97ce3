//! The store on a machine: which manifest an image of the config is, and where its parts lie.
//!
//! `index.json`, `blobs/sha256/HEX` (manifests and configs, as in an OCI layout),
//! `layers/DIFFID.erofs`. Each manifest in the index carries the text that the config has for the
//! image, so that nothing has to be guessed on the machine.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::ImageSource;

use super::error::show;
use super::{Digest, Error, Index};

/// On a manifest's descriptor: the image as the config spells it.
pub const ANNOTATION_IMAGE: &str = "org.orlop.image";
/// On a manifest's descriptor: the files of its layers, lowest first, between commas.
pub const ANNOTATION_LAYERS: &str = "org.orlop.layers";
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
            Some(other) => {
                Err(Error::new(PLACE, format!("a store of form {other}, only {STORE_VERSION} is known")))
            }
            None => Err(Error::new(PLACE, format!("not a store: no annotation {ANNOTATION_STORE}"))),
        }
    }

    pub fn image(&self, source: &ImageSource) -> Result<StoredImage, Error> {
        let text = source_text(source);
        let found = self.index.manifests.iter();
        let mut found = found.filter(|found| found.annotations.get(ANNOTATION_IMAGE) == Some(&text));
        let Some(found) = found.next() else {
            return Err(Error::new(text, "not in the store"));
        };
        let layers = found.annotations.get(ANNOTATION_LAYERS).map_or("", String::as_str);
        let names = layers.split(',').filter(|name| !name.is_empty());
        let path = |name: &str| {
            layer_path(name).ok_or_else(|| {
                Error::new(PLACE, format!("`{}` is no file of a layer", show(name.as_bytes())))
            })
        };
        Ok(StoredImage { manifest: found.digest, layers: names.map(path).collect::<Result<_, _>>()? })
    }
}

/// What a machine needs to run an image. All paths are those within the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// In [`Digest::blob_path`]; the config is where the manifest says.
    pub manifest: Digest,
    /// To be mounted and laid over one another, lowest first: no file twice.
    pub layers: Vec<String>,
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
        Err(Error::new(place, format!("damaged: the digest is {found}, not {self}")))
    }
}

/// Where a store has a layer: `layers/DIFFID.erofs`, or `layers/DIFFID-LOWER.erofs` for one that
/// takes parents from the layers below it. `None` for a name of another form.
pub fn layer_path(name: &str) -> Option<String> {
    let stem = name.strip_suffix(".erofs")?;
    let (diff_id, lower) = stem.split_once('-').unwrap_or((stem, "0"));
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (Digest::from_hex(diff_id).is_some() && !lower.is_empty() && is_hex(lower))
        .then(|| format!("layers/{name}"))
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
        ImageSource::Oci { path: path.into(), tag: tag.map(String::from) }
    }

    fn index(version: &str) -> String {
        let (digest, id) = (Digest::of(b"manifest"), Digest::of(b"layer").hex());
        format!(
            r#"{{"schemaVersion":2,"annotations":{{"org.orlop.store":"{version}"}},"manifests":[
                {{"digest":"{digest}","size":8,"annotations":{{"org.orlop.image":"oci:images/web:1",
                 "org.orlop.layers":"{id}.erofs,{id}-09af.erofs"}}}}]}}"#
        )
    }

    #[test]
    fn finds_an_image_and_its_layers_by_the_text_of_the_config() {
        let store = Store::parse(index("1").as_bytes()).unwrap();
        let id = Digest::of(b"layer").hex();
        let expected = StoredImage {
            manifest: Digest::of(b"manifest"),
            layers: vec![format!("layers/{id}.erofs"), format!("layers/{id}-09af.erofs")],
        };
        assert_eq!(store.image(&oci("images/web", Some("1"))), Ok(expected));
        let error = store.image(&oci("images/web", None)).unwrap_err();
        assert_eq!(error.to_string(), "oci:images/web: not in the store");
    }

    #[test]
    fn takes_no_layer_from_elsewhere() {
        for name in ["../x", "x.erofs", ".erofs", "/etc/passwd.erofs"] {
            let text = index("1").replace(&format!("{}.erofs", Digest::of(b"layer").hex()), name);
            let error =
                Store::parse(text.as_bytes()).unwrap().image(&oci("images/web", Some("1"))).unwrap_err();
            assert_eq!(error.to_string(), format!("index.json: `{name}` is no file of a layer"));
        }
    }

    #[test]
    fn refuses_a_store_of_another_form() {
        fn check(input: &str, expected: &str) {
            assert_eq!(Store::parse(input.as_bytes()).unwrap_err().to_string(), expected);
        }
        check(&index("2"), "index.json: a store of form 2, only 1 is known");
        check(
            r#"{"schemaVersion":2,"manifests":[]}"#,
            "index.json: not a store: no annotation org.orlop.store",
        );
        check("{", "index.json: EOF while parsing an object at line 1 column 1");
    }

    #[test]
    fn spells_every_source_as_the_config_does() {
        let path = || String::from("a/b");
        let tag = || Some(String::from("t"));
        assert_eq!(source_text(&ImageSource::OciArchive { path: path(), tag: tag() }), "oci-archive:a/b:t");
        assert_eq!(
            source_text(&ImageSource::DockerArchive { path: path(), tag: None }),
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
        let text = Digest::of(b"a").check("config", b"b").unwrap_err().to_string();
        assert!(text.starts_with("config: damaged: the digest is sha256:3e23e8"), "{text}");
    }
}
