//! The binary that becomes `/init`: where it is, and whether a kernel could start it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf};

use crate::error::{At, Error, Result};

/// Names the binary for all that build a machine.
const VARIABLE: &str = "ORLOP_BINARY";

/// The file that `given` names, else `ORLOP_BINARY`, else the one that lies beside this tool.
pub(crate) fn find(given: Option<&Path>) -> Result<PathBuf> {
    let named = given.map(Path::to_owned).or_else(|| env::var_os(VARIABLE).map(PathBuf::from));
    if let Some(path) = named {
        return check(&path).map(|()| path);
    }
    let candidates = env::current_exe().map(|tool| beside(&tool)).unwrap_or_default();
    candidates
        .iter()
        .find(|path| path.is_file() && check(path).is_ok())
        .cloned()
        .ok_or_else(|| Error::Init(not_found(&candidates)))
}

fn not_found(candidates: &[PathBuf]) -> String {
    let tried: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
    format!(
        "the static binary `orlop`, which becomes /init, was not found (tried {}): name it with --init or {VARIABLE}",
        tried.join(", ")
    )
}

/// Installed tools lie in one folder; cargo's in `target/PROFILE`, tests one deeper, and the
/// static binary under its own target's name, built with the same profile or one made to boot.
fn beside(tool: &Path) -> Vec<PathBuf> {
    let Some(folder) = tool.parent() else { return Vec::new() };
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let mut candidates = vec![folder.join("orlop")];
    if let (Some(target), Some(profile)) = (folder.parent(), folder.file_name()) {
        let triple = target.join(format!("{}-unknown-linux-musl", env::consts::ARCH));
        let profiles = [profile, "vm".as_ref(), "release".as_ref()];
        candidates.extend(profiles.map(|profile| triple.join(profile).join("orlop")));
    }
    candidates
}

/// A dynamic binary would end as a panic of the kernel that names nothing.
fn check(path: &Path) -> Result<()> {
    let bytes = fs::read(path).at("read", path)?;
    let why = match Header::parse(&*bytes) {
        Err(_) => "is no 64-bit ELF file".to_owned(),
        Ok(header) => match refusal(header, &bytes) {
            Some(why) => why,
            None => return Ok(()),
        },
    };
    Err(Error::Init(format!("{}: {why}, and cannot be /init", path.display())))
}

type Header = elf::FileHeader64<Endianness>;

fn refusal(header: &Header, bytes: &[u8]) -> Option<String> {
    let Ok(endian) = header.endian() else { return Some("has an unknown byte order".to_owned()) };
    if header.e_machine.get(endian) != MACHINE {
        return Some(format!("is not built for {}", env::consts::ARCH));
    }
    let Ok(programs) = header.program_headers(endian, bytes) else { return Some("is damaged".to_owned()) };
    let dynamic = programs.iter().any(|program| program.p_type(endian) == elf::PT_INTERP);
    dynamic.then(|| "is linked dynamically".to_owned())
}

#[cfg(target_arch = "x86_64")]
const MACHINE: elf::Machine = elf::EM_X86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: elf::Machine = elf::EM_AARCH64;

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(bytes: &[u8], expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("orlop");
        fs::write(&path, bytes).unwrap();
        let text = find(Some(&path)).unwrap_err().to_string();
        assert_eq!(text, format!("{}: {expected}, and cannot be /init", path.display()));
    }

    #[test]
    fn refuses_what_a_kernel_could_not_start() {
        let dynamic = fs::read(env::current_exe().unwrap()).unwrap();
        check_refused(b"#!/bin/sh\n", "is no 64-bit ELF file");
        check_refused(&dynamic, "is linked dynamically");
        let mut foreign = dynamic.clone();
        foreign[18] = elf::EM_RISCV.0 as u8;
        check_refused(&foreign, &format!("is not built for {}", env::consts::ARCH));
        check_refused(&dynamic[..64], "is damaged");
    }

    #[test]
    fn finds_the_static_binary_of_a_cargo_target_folder() {
        let paths = beside(Path::new("/p/target/debug/deps/test-123"));
        let triple = format!("/p/target/{}-unknown-linux-musl", env::consts::ARCH);
        let expected = [
            "/p/target/debug/orlop".to_owned(),
            format!("{triple}/debug/orlop"),
            format!("{triple}/vm/orlop"),
            format!("{triple}/release/orlop"),
        ];
        assert_eq!(paths, expected.map(PathBuf::from));
    }
}
