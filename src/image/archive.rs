//! `manifest.json` of a `docker save` archive: which members are the config and the layers.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;

use super::json::{null_is_default, parse};
use super::{Error, MAX_LAYERS};

const PLACE: &str = "manifest.json";

/// One image in the archive.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DockerArchive {
    /// A member's name.
    pub config: String,
    /// `nginx:1.27`
    #[serde(default, deserialize_with = "null_is_default")]
    pub repo_tags: Vec<String>,
    /// Members' names, lowest first.
    #[serde(deserialize_with = "null_is_default")]
    pub layers: Vec<String>,
}

impl DockerArchive {
    /// Picks the image that the tag means, or the only one.
    pub fn parse(bytes: &[u8], tag: Option<&str>) -> Result<Self, Error> {
        let all: Vec<Self> = parse(PLACE, bytes)?;
        let tags: Vec<_> =
            all.iter().flat_map(|image| &image.repo_tags).map(|tag| format!("`{tag}`")).collect();
        let mut fitting = all.into_iter().filter(|image| tag.is_none_or(|tag| image.is_called(tag)));
        let image = match (fitting.next(), fitting.next(), tag) {
            (Some(image), None, _) => image,
            (None, _, Some(tag)) => {
                return Err(Error::new(
                    PLACE,
                    format!("no image is tagged `{tag}`; there is {}", tags.join(", ")),
                ));
            }
            (None, _, None) => return Err(Error::new(PLACE, "holds no image")),
            (Some(_), Some(_), _) => {
                return Err(Error::new(
                    PLACE,
                    format!("holds several images: add one of the tags {}", tags.join(", ")),
                ));
            }
        };
        if image.layers.len() > MAX_LAYERS {
            let count = image.layers.len();
            return Err(Error::new(
                PLACE,
                format!("{count} layers, more than the {MAX_LAYERS} that are taken"),
            ));
        }
        Ok(image)
    }

    /// By the whole reference, in Docker's short form or the long one, or by the tag alone.
    fn is_called(&self, tag: &str) -> bool {
        self.repo_tags.iter().any(|name| {
            let short = |text: &str| {
                let text = text.strip_prefix("docker.io/").unwrap_or(text);
                String::from(text.strip_prefix("library/").unwrap_or(text))
            };
            let (name, tag) = (short(name), short(tag));
            name == tag
                || name.strip_suffix(":latest") == Some(&tag)
                || name.strip_suffix(&tag).is_some_and(|rest| rest.ends_with(':'))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = r#"[
        {"Config":"a.json","RepoTags":["nginx:1.27","nginx:latest"],"Layers":["a/layer.tar"]},
        {"Config":"b.json","RepoTags":["registry.example/redis:7"],"Layers":["b/layer.tar"]},
        {"Config":"c.json","RepoTags":null,"Layers":null}
    ]"#;

    #[test]
    fn finds_the_image_by_tag_or_reference() {
        fn check(tag: &str, config: &str) {
            assert_eq!(DockerArchive::parse(TWO.as_bytes(), Some(tag)).unwrap().config, config, "{tag}");
        }
        check("nginx:1.27", "a.json");
        check("docker.io/library/nginx:1.27", "a.json");
        check("nginx", "a.json");
        check("1.27", "a.json");
        check("registry.example/redis:7", "b.json");
        check("7", "b.json");
    }

    #[test]
    fn says_which_tags_there_are() {
        fn check(input: &str, tag: Option<&str>, expected: &str) {
            assert_eq!(DockerArchive::parse(input.as_bytes(), tag).unwrap_err().to_string(), expected);
        }
        let there = "`nginx:1.27`, `nginx:latest`, `registry.example/redis:7`";
        check(TWO, Some("8"), &format!("manifest.json: no image is tagged `8`; there is {there}"));
        check(TWO, None, &format!("manifest.json: holds several images: add one of the tags {there}"));
        check("[]", None, "manifest.json: holds no image");
        check("[{}]", None, "manifest.json: missing field `Config` at line 1 column 3");
        let many = format!(r#"[{{"Config":"a","Layers":[{}]}}]"#, vec![r#""l""#; 129].join(","));
        check(&many, None, "manifest.json: 129 layers, more than the 128 that are taken");
    }
}
