//! Where an image comes from: a transport that skopeo knows, or a reference to a registry.

use super::super::diagnostic::Mistake;
use super::super::model::ImageSource;
use super::super::nearest::nearest;
use super::path;
use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

/// The registry and the folder in it that Docker's short names mean.
const DOCKER_HUB: &str = "docker.io";
const DOCKER_LIBRARY: &str = "library";
/// Longest repository name (OCI distribution specification, "Pulling manifests").
const MAX_REPOSITORY: usize = 255;
/// Longest tag (same place).
const MAX_TAG: usize = 128;

const TRANSPORTS: [&str; 4] = ["oci", "oci-archive", "docker-archive", "dir"];
/// skopeo's others: there is no daemon here, and no other program's store.
const FOREIGN: [&str; 6] = ["docker-daemon", "containers-storage", "ostree", "tarball", "sif", "atomic"];

impl FromStr for ImageSource {
    type Err = Mistake;

    fn from_str(text: &str) -> Result<Self, Mistake> {
        if let Some(reference) = text.strip_prefix("docker://") {
            let mistake = Mistake::new("a reference to a registry has no transport before it");
            return Err(mistake.help(format!("write \"{reference}\"")));
        }
        let (before, after) = text.split_once(':').unwrap_or((text, ""));
        if FOREIGN.contains(&before) || text.contains("://") {
            let mistake = Mistake::new(format!("`{before}:` is no transport of this version"));
            return Err(mistake
                .help("a reference like \"registry.example/web:2.1\", or \"oci-archive:images/web.tar\""));
        }
        if !TRANSPORTS.contains(&before) {
            if after.contains('/')
                && !before.contains(['.', '/'])
                && let Some(near) = nearest(before, TRANSPORTS)
            {
                let mistake = Mistake::new(format!("`{before}:` is no transport"));
                return Err(mistake.help(format!("did you mean \"{near}:{after}\"?")));
            }
            return reference(text).map(ImageSource::Registry);
        }
        if before == "dir" {
            return Ok(ImageSource::Dir { path: path::beside(after)? });
        }
        let (file, tag) = after.split_once(':').map_or((after, None), |(file, tag)| (file, Some(tag)));
        let path = path::beside(file)?;
        let tag = tag
            .map(|tag| is_layout_tag(tag).then(|| tag.to_string()).ok_or_else(|| no_tag(tag)))
            .transpose()?;
        Ok(match before {
            "oci" => ImageSource::Oci { path, tag },
            "oci-archive" => ImageSource::OciArchive { path, tag },
            _ => ImageSource::DockerArchive { path, tag },
        })
    }
}

impl fmt::Display for ImageSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (transport, path, tag) = match self {
            ImageSource::Registry(reference) => return out.write_str(reference),
            ImageSource::Oci { path, tag } => ("oci", path, tag),
            ImageSource::OciArchive { path, tag } => ("oci-archive", path, tag),
            ImageSource::DockerArchive { path, tag } => ("docker-archive", path, tag),
            ImageSource::Dir { path } => ("dir", path, &None),
        };
        write!(out, "{transport}:{path}")?;
        tag.as_ref().map_or(Ok(()), |tag| write!(out, ":{tag}"))
    }
}

impl ImageSource {
    /// Whether the same bytes are meant for ever.
    pub(crate) fn is_pinned(&self) -> bool {
        !matches!(self, ImageSource::Registry(reference) if !reference.contains('@'))
    }
}

/// `[REGISTRY/]REPOSITORY[:TAG][@DIGEST]` with all that is left out filled in.
fn reference(text: &str) -> Result<String, Mistake> {
    let wrong = |why: &str| Mistake::new(format!("\"{text}\" is no image reference: {why}"));
    if text.is_empty() {
        return Err(wrong("it is empty"));
    }
    if matches!(text.rsplit('.').next(), Some("tar" | "gz" | "tgz")) && !text.contains([':', '@']) {
        let help = format!("write \"oci-archive:{text}\" or \"docker-archive:{text}\"");
        return Err(Mistake::new(format!("\"{text}\" names a file, not an image")).help(help));
    }
    let (rest, digest) = text.split_once('@').map_or((text, None), |(rest, digest)| (rest, Some(digest)));
    if let Some(digest) = digest.filter(|digest| !is_digest(digest)) {
        return Err(wrong(&format!("`{digest}` is no digest"))
            .help("sha256: and 64 hexadecimal digits in lower case"));
    }
    // A colon after the last slash is the tag's; one before it is a port's.
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
        return Err(wrong(&format!("`{tag}` is no tag")).help("letters, digits, `_`, `.`, `-`"));
    }
    let (registry, repository) = split_registry(name);
    if !is_registry(&registry) {
        return Err(wrong(&format!("`{registry}` is no registry")));
    }
    if repository.len() > MAX_REPOSITORY || !repository.split('/').all(is_component) {
        let mistake = wrong(&format!("`{repository}` is no repository's name"));
        let lower = name.to_ascii_lowercase();
        return Err(match lower == name {
            true => mistake.help("lower-case letters and digits, parted by `.`, `_`, `-` and `/`"),
            false => mistake.help(format!(
                "write it in lower case: \"{lower}{}\"",
                &text.get(name.len()..).unwrap_or("")
            )),
        });
    }
    let tag = tag.or(digest.is_none().then_some("latest")).map(|tag| format!(":{tag}")).unwrap_or_default();
    let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
    Ok(format!("{registry}/{repository}{tag}{digest}"))
}

/// The part before the first slash is a registry when it looks like a host; else it is Docker's.
fn split_registry(name: &str) -> (String, String) {
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest),
        _ => (DOCKER_HUB, name),
    };
    match registry {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => match repository.contains('/') {
            true => (DOCKER_HUB.to_string(), repository.to_string()),
            false => (DOCKER_HUB.to_string(), format!("{DOCKER_LIBRARY}/{repository}")),
        },
        _ => (registry.to_string(), repository.to_string()),
    }
}

fn is_registry(registry: &str) -> bool {
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if address.parse::<core::net::Ipv6Addr>().is_err() {
                return false;
            }
            ("localhost", rest.strip_prefix(':').or((!rest.is_empty()).then_some("x")))
        }
        None => registry.split_once(':').map_or((registry, None), |(host, port)| (host, Some(port))),
    };
    let digits = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    super::name::domain(host).is_ok()
        && !host.ends_with('.')
        && port.is_none_or(|port| digits(port) && port.parse::<u16>().is_ok())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(part: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let between = |gap: &str| matches!(gap, "." | "_" | "__") || gap.chars().all(|c| c == '-');
    part.starts_with(letter)
        && part.ends_with(letter)
        && part.split(letter).filter(|gap| !gap.is_empty()).all(between)
}

fn is_tag(tag: &str) -> bool {
    let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
    tag.len() <= MAX_TAG && tag.starts_with(first) && tag.chars().all(|c| first(c) || c == '.' || c == '-')
}

/// In a layout or an archive the name may be a whole reference, `library/redis:7`.
fn is_layout_tag(tag: &str) -> bool {
    let right = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
    tag.len() <= MAX_REPOSITORY
        && tag.starts_with(|c: char| c.is_ascii_alphanumeric())
        && tag.chars().all(right)
}

fn no_tag(tag: &str) -> Mistake {
    Mistake::new(format!("`{tag}` is no tag")).help("letters, digits, `_`, `.`, `-`")
}

fn is_digest(digest: &str) -> bool {
    let hex = |hex: &str, length| {
        hex.len() == length && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    match digest.split_once(':') {
        Some(("sha256", digits)) => hex(digits, 64),
        Some(("sha512", digits)) => hex(digits, 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_in_what_a_reference_leaves_out() {
        let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
        let check = |text: &str, wanted: &str| {
            let image: ImageSource = text.parse().unwrap();
            assert_eq!(image.to_string(), wanted);
            assert_eq!(wanted.parse(), Ok(image), "{wanted}");
        };
        check("redis", "docker.io/library/redis:latest");
        check("bitnami/redis:7", "docker.io/bitnami/redis:7");
        check("index.docker.io/redis", "docker.io/library/redis:latest");
        check("registry.example/shop/web:2.1", "registry.example/shop/web:2.1");
        check("localhost:5000/web", "localhost:5000/web:latest");
        check("localhost/web", "localhost/web:latest");
        check("[::1]:5000/web:a", "[::1]:5000/web:a");
        check(&format!("web@{digest}"), &format!("docker.io/library/web@{digest}"));
        check(&format!("r.io/web:2.1@{digest}"), &format!("r.io/web:2.1@{digest}"));
        check("a.b/c__d/e---f", "a.b/c__d/e---f:latest");
    }

    #[test]
    fn reads_the_transports() {
        let check =
            |text: &str, wanted: &str| assert_eq!(text.parse::<ImageSource>().unwrap().to_string(), wanted);
        check("oci-archive:images/redis.tar", "oci-archive:images/redis.tar");
        check("oci-archive:./images//redis.tar:7", "oci-archive:images/redis.tar:7");
        check("oci:/srv/layout", "oci:/srv/layout");
        check("docker-archive:redis.tar:library/redis:7", "docker-archive:redis.tar:library/redis:7");
        check("dir:rootfs/", "dir:rootfs");
    }

    #[test]
    fn refuses_what_no_registry_or_file_could_have() {
        let check = |text: &str, part: &str| {
            let mistake = text.parse::<ImageSource>().unwrap_err();
            assert!(format!("{mistake}").contains(part), "{text}: {mistake}");
        };
        check("", "empty");
        check("docker://redis:7", "write \"redis:7\"");
        check("docker-daemon:redis:7", "no transport of this version");
        check("https://r.io/web", "no transport of this version");
        check("oci-archve:images/redis.tar", "did you mean \"oci-archive:images/redis.tar\"?");
        check("images/redis.tar", "oci-archive:images/redis.tar");
        check("oci-archive:../redis.tar", "`..`");
        check("oci-archive:", "empty");
        check("oci-archive:a.tar:", "no tag");
        check("oci:a:@0", "no tag");
        check("r.io/Web:2", "\"r.io/web:2\"");
        check("r.io/web:", "no tag");
        check("r.io/web:a b", "no tag");
        check("r.io:99999/web", "no registry");
        check("r.io/a//b", "no repository");
        check("web@sha256:abc", "no digest");
        check("a..b", "no repository");
    }
}
