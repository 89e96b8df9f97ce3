//! References to a registry: fetched through skopeo, kept by digest, and when that cannot be, an
//! error that says what to write instead.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed step ends the test")]

mod common;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use common::{add, sh, store_files, temp};
use orlop::config::ImageSource;

/// Debian's docker-registry, on loopback.
struct Registry {
    process: Child,
    address: String,
    /// Kept open, for it to log into; the little that it has to say here fits into the pipe.
    _log: BufReader<ChildStderr>,
}

impl Registry {
    #[expect(clippy::disallowed_methods, reason = "no reaper here: this process waits for its own child")]
    fn start(dir: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("127.0.0.1:{port}");
        let config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}/registry}}}}\nhttp: {{addr: '{address}'}}\n",
            dir.display()
        );
        std::fs::write(dir.join("registry.yml"), config).unwrap();
        let mut process = Command::new("docker-registry")
            .args(["serve", "registry.yml"])
            .current_dir(dir)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("listening on") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the registry ended");
        }
        Self { process, address, _log: log }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn reference(text: String) -> [ImageSource; 1] {
    [ImageSource::Registry(text)]
}

const IMAGE: &str = "umoci init --layout l; umoci new --image l:a; umoci unpack --image l:a b; echo x > b/rootfs/x; umoci repack --image l:a b";

#[test]
fn a_reference_is_fetched_and_a_digest_kept() {
    let dir = temp();
    sh(dir.path(), IMAGE);
    let registry = Registry::start(dir.path());
    let name = format!("{}/shop/web", registry.address);
    sh(dir.path(), &format!("skopeo copy -q --dest-tls-verify=false oci:l:a docker://{name}:2.1"));
    let by_tag = add(dir.path(), "tag", &reference(format!("{name}:2.1"))).unwrap();
    let digest = by_tag[0].manifest;
    let pinned = reference(format!("{name}:2.1@{digest}"));
    assert_eq!(add(dir.path(), "pinned", &pinned).unwrap()[0].layers, by_tag[0].layers);
    drop(registry);
    // Nobody answers any more: what is named by its digest is there.
    add(dir.path(), "offline", &pinned).unwrap();
    assert_eq!(store_files(&dir.path().join("pinned")), store_files(&dir.path().join("offline")));
    let message = add(dir.path(), "gone", &reference(format!("{name}:2.1"))).unwrap_err().to_string();
    assert!(message.starts_with(&format!("image `{name}:2.1`: {name}:2.1: ")), "{message}");
    assert!(message.contains("connection refused"), "{message}");
    assert!(message.ends_with("image = \"oci-archive:web.tar\""), "{message}");
}

#[test]
fn a_tag_that_is_missing_says_what_to_write_instead() {
    let dir = temp();
    sh(dir.path(), IMAGE);
    let registry = Registry::start(dir.path());
    let name = format!("{}/shop/web", registry.address);
    sh(dir.path(), &format!("skopeo copy -q --dest-tls-verify=false oci:l:a docker://{name}:2.1"));
    let message = add(dir.path(), "store", &reference(format!("{name}:9"))).unwrap_err().to_string();
    assert!(message.starts_with(&format!("image `{name}:9`: {name}:9: ")), "{message}");
    assert!(message.contains("manifest unknown"), "{message}");
    let instead = format!(
        "skopeo copy docker://{name}:9 oci-archive:web.tar\n  and write\n    image = \"oci-archive:web.tar\""
    );
    assert!(message.ends_with(&instead), "{message}");
}

/// Set in a process of its own: PATH is a process's.
const CHILD: &str = "ORLOP_TEST_WITHOUT_SKOPEO";

#[test]
fn without_skopeo_it_says_what_to_install_or_to_write() {
    if std::env::var_os(CHILD).is_none() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again
            .arg("without_skopeo_it_says_what_to_install_or_to_write")
            .env("PATH", "/nowhere")
            .env(CHILD, "1");
        let output = again.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        return;
    }
    let dir = temp();
    let message = add(dir.path(), "store", &reference(String::from("docker.io/library/redis:7")))
        .unwrap_err()
        .to_string();
    let expected = "image `docker.io/library/redis:7`: docker.io/library/redis:7: \
        fetching it needs `skopeo`, which is not installed
  without a registry: where there is one, run
    skopeo copy docker://docker.io/library/redis:7 oci-archive:redis.tar
  and write
    image = \"oci-archive:redis.tar\"";
    assert_eq!(message, expected);
}
