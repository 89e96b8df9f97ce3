//! References to a registry, fetched by `skopeo` when it is installed.
//!
//! Layouts are kept by the digest of their manifest, blobs are shared by all of them. A reference
//! with a digest that was fetched before needs no network; a tag is looked up each time, because
//! it may have moved.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use orlop::image::{Digest, Error, Index, Platform};

use super::files::Folder;
use super::wrong;
use crate::layer::at;

/// The layout of the image, in the cache.
pub(super) fn fetch(reference: &str, platform: &Platform, cache: &Path) -> Result<Folder, Error> {
    let registry = cache.join("registry");
    let kept = |name: &str| registry.join(format!("{name}-{}", platform.architecture));
    let blobs = registry.join("blobs");
    let pinned = pinned(reference)?;
    if let Some(digest) = pinned
        && let there = kept(&digest.hex())
        && there.is_dir()
    {
        return Ok(Folder::with_blobs(&there, &blobs));
    }
    fs::create_dir_all(&blobs).map_err(at(&blobs))?;
    let fresh = tempfile::tempdir_in(&registry).map_err(at(&registry))?;
    copy(reference, platform, fresh.path(), &blobs)?;
    let manifest = manifest(fresh.path())?;
    // By the digest that was asked for: of an index it is another than the manifest's.
    let place = kept(&pinned.unwrap_or(manifest).hex());
    keep(fresh, &place)?;
    Ok(Folder::with_blobs(&place, &blobs))
}

fn pinned(reference: &str) -> Result<Option<Digest>, Error> {
    reference.split_once('@').map(|(_, digest)| digest.parse()).transpose()
}

fn copy(reference: &str, platform: &Platform, to: &Path, blobs: &Path) -> Result<(), Error> {
    let mut skopeo = Command::new("skopeo");
    skopeo.arg("--override-os").arg(&platform.os).arg("--override-arch").arg(&platform.architecture);
    skopeo.args(["copy", "--quiet", "--dest-shared-blob-dir"]).arg(blobs);
    if is_loopback(reference) {
        skopeo.arg("--src-tls-verify=false");
    }
    skopeo.arg(format!("docker://{}", name(reference))).arg(format!("oci:{}", to.display()));
    let output = match skopeo.output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(instead(reference, "fetching it needs `skopeo`, which is not installed"));
        }
        Err(error) => return Err(instead(reference, &format!("skopeo: {error}"))),
    };
    if output.status.success() {
        return Ok(());
    }
    Err(instead(reference, &reason(&String::from_utf8_lossy(&output.stderr))))
}

/// skopeo takes a tag or a digest, not both; the digest says more.
fn name(reference: &str) -> String {
    let Some((name, digest)) = reference.split_once('@') else {
        return String::from(reference);
    };
    let (path, last) = name.rsplit_once('/').map_or(("", name), |(path, last)| (path, last));
    let bare = last.split_once(':').map_or(last, |(bare, _)| bare);
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{path}{slash}{bare}@{digest}")
}

/// As Docker has it: a registry on this machine need not have TLS.
fn is_loopback(reference: &str) -> bool {
    let host = reference.split_once('/').map_or("", |(host, _)| host);
    let host = match host.strip_prefix('[') {
        Some(six) => six.split_once(']').map_or(six, |(six, _)| six),
        None => host.rsplit_once(':').map_or(host, |(host, _)| host),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// skopeo logs in logfmt; what it wants to say is the last `msg="…"`.
fn reason(stderr: &str) -> String {
    let last = stderr.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    match last.split_once("msg=\"") {
        Some((_, text)) => text.trim_end_matches('"').replace("\\\"", "\""),
        None => String::from(last),
    }
}

/// What went wrong, and what can be written where there is no registry to ask.
fn instead(reference: &str, what: &str) -> Error {
    let name = name(reference);
    let file = name.split('@').next().unwrap_or(&name).rsplit('/').next().unwrap_or(&name);
    let file = file.split(':').next().unwrap_or(file);
    let what = format!(
        "{what}\n  without a registry: where there is one, run\n    \
         skopeo copy docker://{name} oci-archive:{file}.tar\n  and write\n    image = \"oci-archive:{file}.tar\""
    );
    wrong(reference, what)
}

fn manifest(layout: &Path) -> Result<Digest, Error> {
    let path = layout.join("index.json");
    let bytes = fs::read(&path).map_err(at(&path))?;
    let index = Index::parse("index.json", &bytes)?;
    index
        .manifests
        .first()
        .map(|found| found.digest)
        .ok_or_else(|| wrong(path.display(), "skopeo wrote no image"))
}

/// Another build may have been faster; what it has is the same.
fn keep(fresh: tempfile::TempDir, place: &PathBuf) -> Result<(), Error> {
    match fs::rename(fresh.path(), place) {
        Ok(()) => drop(fresh.keep()),
        Err(_) if place.is_dir() => {}
        Err(error) => return Err(at(place)(error)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speaks_plain_http_to_this_machine_only() {
        fn check(reference: &str, expected: bool) {
            assert_eq!(is_loopback(reference), expected, "{reference}");
        }
        check("localhost:5000/web:1", true);
        check("127.0.0.1:5000/web:1", true);
        check("127.8.0.1/web", true);
        check("[::1]:5000/web", true);
        check("localhost.example/web", false);
        check("192.0.2.1:5000/web", false);
        check("docker.io/library/redis:7", false);
    }

    #[test]
    fn asks_by_digest_when_there_is_one() {
        fn check(reference: &str, expected: &str) {
            assert_eq!(name(reference), expected);
        }
        check("registry.example:5000/shop/web:2.1@sha256:00", "registry.example:5000/shop/web@sha256:00");
        check("registry.example:5000/web@sha256:00", "registry.example:5000/web@sha256:00");
        check("docker.io/library/redis:7", "docker.io/library/redis:7");
    }

    #[test]
    fn says_what_skopeo_says() {
        fn check(stderr: &str, expected: &str) {
            assert_eq!(reason(stderr), expected);
        }
        check(
            "time=\"x\" level=fatal msg=\"reading manifest 9 in \\\"a/b\\\": unknown\"\n",
            "reading manifest 9 in \"a/b\": unknown",
        );
        check("Illegal instruction\n", "Illegal instruction");
        check("", "no reason given");
    }
}
