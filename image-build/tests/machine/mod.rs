//! A small machine to build: a configuration, an image in a folder, and an `/init` of its own.

#![allow(dead_code, reason = "each test file uses its part")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes `config/a.toml`, which adds a module and names one image, and the image's root.
pub(crate) fn config(world: &Path) -> PathBuf {
    let config = world.join("config");
    fs::create_dir_all(config.join("root/etc")).unwrap();
    fs::write(config.join("root/hello"), "hello\n").unwrap();
    fs::write(config.join("root/etc/x"), "x".repeat(5_000)).unwrap();
    fs::write(config.join("web.env"), "A=1\n").unwrap();
    let text = "[host]\nmodules = [\"dummy\"]\n\n\
        [container.web]\nimage = \"dir:root\"\ncommand = [\"/hello\"]\nenv_file = \"web.env\"\n";
    fs::write(config.join("a.toml"), text).unwrap();
    config
}

/// The program of `tests/payload/boot_probe.rs`, static.
pub(crate) fn init(world: &Path) -> PathBuf {
    let binary = world.join("init");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/payload/boot_probe.rs");
    let target = format!("{}-unknown-linux-musl", env::consts::ARCH);
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--edition", "2024", "-O", "-C", "strip=symbols", "--target", &target, "-o"])
        .args([&binary, &source])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    binary
}
