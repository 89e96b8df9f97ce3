//! The programs of ours that go into a machine: where they are, and whether a kernel could start them.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, elf};

use crate::error::{At, Error, Result};

/// A program, and how people speak of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    name: &'static str,
    /// On the machine.
    place: &'static str,
    option: &'static str,
    /// Names it for all that build a machine.
    variable: &'static str,
}

/// What every machine begins with.
pub(crate) const INIT: Program =
    Program { name: "orlop", place: "/init", option: "--init", variable: "ORLOP_BINARY" };
/// What speaks TLS with collectors of logs, where there are any.
pub(crate) const TLS: Program = Program {
    name: "orlop-tls",
    place: "/orlop/bin/orlop-tls",
    option: "--tls",
    variable: "ORLOP_TLS_BINARY",
};

impl Program {
    /// The file that `given` names, else the variable, else the one that lies beside another program of ours (`near`), else
    /// beside this tool. `why` the machine has it: "becomes /init".
    pub(crate) fn find(&self, given: Option<&Path>, near: Option<&Path>, why: &str) -> Result<PathBuf> {
        let named = given.map(Path::to_owned).or_else(|| env::var_os(self.variable).map(PathBuf::from));
        if let Some(path) = named {
            return self.check(&path).map(|()| path);
        }
        let near = near.and_then(Path::parent).map(|folder| folder.join(self.name));
        let tools = env::current_exe().map(|tool| self.beside(&tool)).unwrap_or_default();
        let candidates: Vec<PathBuf> = near.into_iter().chain(tools).collect();
        candidates
            .iter()
            .find(|path| path.is_file() && self.check(path).is_ok())
            .cloned()
            .ok_or_else(|| Error::Init(self.not_found(&candidates, why)))
    }

    fn not_found(&self, candidates: &[PathBuf], why: &str) -> String {
        let tried: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
        let Self { name, option, variable, .. } = self;
        format!(
            "the static binary `{name}`, which {why}, was not found (tried {}): name it with {option} or {variable}",
            tried.join(", ")
        )
    }

    /// Installed tools lie in one folder; cargo's in `target/PROFILE`, tests one deeper, and the
    /// static binary under its own target's name, built with the same profile or one made to boot.
    fn beside(&self, tool: &Path) -> Vec<PathBuf> {
        let Some(folder) = tool.parent() else { return Vec::new() };
        let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
        let mut candidates = vec![folder.join(self.name)];
        if let (Some(target), Some(profile)) = (folder.parent(), folder.file_name()) {
            let triple = target.join(format!("{}-unknown-linux-musl", env::consts::ARCH));
            let profiles = [profile, "vm".as_ref(), "release".as_ref()];
            candidates.extend(profiles.map(|profile| triple.join(profile).join(self.name)));
        }
        candidates
    }

    /// A dynamic binary would end as a panic of the kernel that names nothing.
    fn check(&self, path: &Path) -> Result<()> {
        let bytes = fs::read(path).at("read", path)?;
        let why = match Header::parse(&*bytes) {
            Err(_) => "is no 64-bit ELF file".to_owned(),
            Ok(header) => match refusal(header, &bytes) {
                Some(why) => why,
                None => return Ok(()),
            },
        };
        Err(Error::Init(format!("{}: {why}, and cannot be {}", path.display(), self.place)))
    }
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
        let text = INIT.find(Some(&path), None, "becomes /init").unwrap_err().to_string();
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
        let paths = INIT.beside(Path::new("/p/target/debug/deps/test-123"));
        let triple = format!("/p/target/{}-unknown-linux-musl", env::consts::ARCH);
        let expected = [
            "/p/target/debug/orlop".to_owned(),
            format!("{triple}/debug/orlop"),
            format!("{triple}/vm/orlop"),
            format!("{triple}/release/orlop"),
        ];
        assert_eq!(paths, expected.map(PathBuf::from));
    }

    #[test]
    fn finds_a_program_beside_another_and_says_what_it_is_for_when_it_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let init = folder.path().join("orlop");
        let why = "tls://collector.example:6514 in [host.log] forward needs";
        // Not with one in the tests' own target folder.
        let other = Program { name: "orlop-nothing", variable: "ORLOP_NOTHING_BINARY", ..TLS };
        let text = other.find(None, Some(&init), why).unwrap_err().to_string();
        let begin = format!(
            "the static binary `orlop-nothing`, which {why}, was not found (tried {}",
            folder.path().join("orlop-nothing").display()
        );
        assert!(
            text.starts_with(&begin) && text.ends_with("name it with --tls or ORLOP_NOTHING_BINARY"),
            "{text}"
        );
        // Static, as far as is looked: it asks for no interpreter.
        let mut program = fs::read(env::current_exe().unwrap()).unwrap();
        let header = Header::parse(&*program).unwrap();
        let (endian, offset) =
            (header.endian().unwrap(), header.e_phoff.get(header.endian().unwrap()) as usize);
        for entry in 0..usize::from(header.e_phnum.get(endian)) {
            let at = offset + entry * 56;
            if program[at..at + 4] == 3u32.to_le_bytes() {
                program[at] = 0;
            }
        }
        let path = folder.path().join("orlop-nothing");
        fs::write(&path, &program).unwrap();
        assert_eq!(other.find(None, Some(&init), why).unwrap(), path);
    }
}
