//! The same inputs give the same files, whoever builds them, where and how.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says why and ends")]

mod machine;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use orlop_image::{Options, build};

const FILES: [&str; 4] = ["vmlinuz", "initrd.img", "cmdline", "manifest.json"];

/// Runs a script in a folder, with `$TOOL` the program under test.
fn sh(folder: &Path, script: &str) {
    let output = Command::new("sh")
        .args(["-euc", script])
        .env("TOOL", env!("CARGO_BIN_EXE_orlop-image"))
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// As another user: nobody for root, and for others a user namespace's root.
fn another_user() -> &'static str {
    if rustix::process::geteuid().is_root() {
        "setpriv --reuid=65534 --regid=65534 --clear-groups"
    } else {
        "unshare --user --map-root-user"
    }
}

#[test]
fn user_umask_folder_time_zone_and_cores_change_nothing() {
    let world = tempfile::tempdir().unwrap();
    let path = world.path();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    machine::config(path);
    machine::init(path);
    // Puts a kernel into the cache; both builds below are given it as files.
    let mut options = Options::new(path.join("config"), path.join("fetched"));
    options.init = Some(path.join("init"));
    let built = build(&options).unwrap();
    assert_eq!(built.manifest.tls, None, "nothing of it speaks TLS");
    speak_tls(path);
    let version = &built.manifest.kernel.version;
    // The cache is in the home of whoever runs this, where another user may not look.
    let modules = find_modules(&options.cache, version);
    sh(path, &format!("mkdir modules; cp -r {modules} modules/; chmod -R a+rX modules fetched"));
    let modules = path.join("modules").join(version).display().to_string();
    let build = format!("--init ./init --kernel {} --modules {modules}", built.kernel().display());
    sh(path, &format!("umask 022; TZ=UTC $TOOL build config -o one --cache cache-one {build}"));
    // Another folder for everything, other modes, and a link in the way.
    sh(
        path,
        "mkdir -m 777 there; cp -a config there/c; cp init orlop-tls there; ln -s there/c link; chmod -R a+rX there",
    );
    sh(path, "chmod 604 there/c/web.env");
    let other = format!("TZ=Asia/Tokyo HOME=/nonexistent {} taskset -c 0", another_user());
    let arguments = format!("build ../link/a.toml -o deep/er/two --cache ./cache {build}");
    sh(&path.join("there"), &format!("umask 077; {other} $TOOL {arguments}"));
    for name in FILES {
        let [one, two] =
            ["one", "there/deep/er/two"].map(|folder| fs::read(path.join(folder).join(name)).unwrap());
        assert!(one == two, "{name} differs");
    }
    let manifest = fs::read_to_string(path.join("one/manifest.json")).unwrap();
    for file in ["/orlop/bin/orlop-tls", "/orlop/config/ca.pem"] {
        assert!(manifest.contains(&format!("\"path\": \"{file}\"")), "{manifest}");
    }
}

/// A collector by TLS, and a program beside `/init` that stands for the one that speaks it.
fn speak_tls(path: &Path) {
    let config = path.join("config/a.toml");
    let text = fs::read_to_string(&config).unwrap();
    let forward = "[host.log]\nforward = [{ to = \"tls://collector.example:6514\", ca = \"ca.pem\" }]\n";
    fs::write(config, text + forward).unwrap();
    let ca = "-----BEGIN CERTIFICATE-----\nMAMCAQU=\n-----END CERTIFICATE-----\n";
    fs::write(path.join("config/ca.pem"), ca).unwrap();
    fs::copy(path.join("init"), path.join("orlop-tls")).unwrap();
}

fn find_modules(cache: &Path, version: &str) -> String {
    let folders = fs::read_dir(cache.join("kernel")).unwrap().map(|entry| entry.unwrap().path());
    let mut found =
        folders.map(|folder| folder.join("modules").join(version)).filter(|folder| folder.is_dir());
    found.next().unwrap().display().to_string()
}
