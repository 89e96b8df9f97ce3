//! Finds the static programs that go into machines: given by the environment, else built once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Static, so that it runs where there is nothing else.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// A package's program: `ORLOP_PAYLOAD` names the payload, `ORLOP_BINARY` Orlop itself.
pub(crate) fn find(package: &str) -> PathBuf {
    static BUILT: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let variable = if package == "orlop" { "ORLOP_BINARY" } else { "ORLOP_PAYLOAD" };
    if let Some(path) = std::env::var_os(variable) {
        return PathBuf::from(path);
    }
    // Held while cargo builds: who comes meanwhile wants the same.
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    built.entry(package.to_owned()).or_insert_with(|| build(package)).clone()
}

/// Cargo itself says where the program is: the target folder may be anywhere.
fn build(package: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--profile", "vm", "--target", TARGET, "--package", package, "--bin", package])
        .args(["--message-format", "json-render-diagnostics"])
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
