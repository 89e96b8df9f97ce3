//! Finds the static programs that go into machines: given by the environment, else built once.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Static, so that it runs where there is nothing else.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// The program in test containers; `ORLOP_PAYLOAD` names it.
pub(crate) fn payload() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| find("ORLOP_PAYLOAD", "payload", "vm")).clone()
}

/// The machine's binary; `ORLOP_BINARY` names it.
pub(crate) fn orlop() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| find("ORLOP_BINARY", "orlop", "vm")).clone()
}

/// The program that speaks TLS; `ORLOP_TLS_BINARY` names it.
pub(crate) fn orlop_tls() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| find("ORLOP_TLS_BINARY", "orlop-tls", "vm")).clone()
}

/// A root of Debian with systemd and little else; `ORLOP_DEBIAN` names it.
pub(crate) fn debian() -> PathBuf {
    let made = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/demo/images/debian");
    std::env::var_os("ORLOP_DEBIAN").map_or_else(made, PathBuf::from)
}

/// The same, able to do some steps naively (`src/engine/naive.rs`); `ORLOP_NAIVE_BINARY` names it.
pub(crate) fn naive() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| find("ORLOP_NAIVE_BINARY", "orlop", "naive")).clone()
}

fn find(variable: &str, package: &str, profile: &str) -> PathBuf {
    match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => build(package, profile),
    }
}

/// Cargo itself says where the program is: the target folder may be anywhere.
fn build(package: &str, profile: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["rustc", "--profile", profile, "--target", TARGET, "--package", package, "--bin", package])
        .args(["--message-format", "json-render-diagnostics"])
        .args(if profile == "naive" { &["--", "--cfg", "naive"][..] } else { &[] })
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap_or_else(|e| panic!("cargo does not run: {e}"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message.pointer("/target/name") == Some(&package.into()))
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .unwrap_or_else(|| panic!("cargo names no program for {package}"))
}
