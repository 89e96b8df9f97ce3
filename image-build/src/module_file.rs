//! One kernel module's file: what it says about itself, and the form in which it is shipped.
//!
//! A module goes into the initramfs unpacked, and by default without its signature, and without what
//! only tracers and debuggers read: the archive as a whole is compressed better than its pieces, and
//! checking signatures is by far the slowest thing that a machine does at boot.
//! `docs/decisions/modules.md` has the figures.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use lzma_rust2::XzReader;
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSection};

use crate::error::{At, Error, Result};
use crate::module_slim;

/// Whether a module keeps the signature that Debian put on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signatures {
    /// For machines whose kernel is locked down: it takes no module without one. They go in as they
    /// are, whatever is in them.
    Keep,
    #[default]
    Strip,
}

/// No module of Debian's is near it; a file that unpacks to more is none.
const LARGEST: u64 = 256 << 20;

/// kernel/module/signing.c: what a signed module ends with, and the fields before it
/// (`struct module_signature`), the last of which is the length of the signature.
const SIGNED: &[u8] = b"~Module signature appended~\n";
const SIGNATURE_FIELDS: usize = 12;

/// The module's bytes, unpacked.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = fs::read(path).at("read", path)?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("ko") => Ok(bytes),
        Some("xz") => unpack(&bytes).map_err(|error| wrong(path, format!("is damaged: {error}"))),
        _ => Err(wrong(path, "is packed in a way that is not understood; unpack it to .ko first".to_owned())),
    }
}

/// The modules that this one cannot be loaded without, as its own `.modinfo` names them.
pub(crate) fn needs(path: &Path, module: &[u8]) -> Result<Vec<String>> {
    let elf = ElfFile64::<Endianness>::parse(module)
        .map_err(|error| wrong(path, format!("is no kernel module: {error}")))?;
    let info = elf
        .section_by_name_bytes(b".modinfo")
        .and_then(|section| section.data().ok())
        .ok_or_else(|| wrong(path, "is no kernel module: it has no .modinfo".to_owned()))?;
    let depends = info
        .split(|byte| *byte == 0)
        .filter_map(|field| std::str::from_utf8(field).ok()?.strip_prefix("depends="))
        .flat_map(|names| names.split(','))
        .filter(|name| !name.is_empty());
    Ok(depends.map(str::to_owned).collect())
}

/// The module as it is shipped, and whether it is still signed.
pub(crate) fn shipped(path: &Path, mut module: Vec<u8>, signatures: Signatures) -> Result<(Vec<u8>, bool)> {
    let body = module.strip_suffix(SIGNED);
    if signatures == Signatures::Keep {
        let signed = body.is_some();
        return Ok((module, signed));
    }
    let Some(body) = body else {
        return Ok((module_slim::slim(&module).unwrap_or(module), false));
    };
    let unsigned = body
        .split_last_chunk::<4>()
        .and_then(|(_, length)| {
            body.len().checked_sub(SIGNATURE_FIELDS + u32::from_be_bytes(*length) as usize)
        })
        .ok_or_else(|| wrong(path, "has a damaged signature".to_owned()))?;
    module.truncate(unsigned);
    Ok((module_slim::slim(&module).unwrap_or(module), false))
}

fn unpack(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    let read = XzReader::new(bytes, true).take(LARGEST + 1).read_to_end(&mut unpacked)?;
    match read as u64 {
        0..=LARGEST => Ok(unpacked),
        _ => Err(io::Error::other("it is too large")),
    }
}

fn wrong(path: &Path, why: String) -> Error {
    Error::ModuleFile { path: path.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(body: &[u8], length: u32) -> Vec<u8> {
        [body, b"signature", &[0; 8], &length.to_be_bytes(), SIGNED].concat()
    }

    #[test]
    fn cuts_the_signature_off_and_nothing_else() {
        let check = |module: Vec<u8>, signatures, expected: (&[u8], bool)| {
            let (bytes, signed) = shipped(Path::new("a.ko"), module, signatures).unwrap();
            assert_eq!((bytes.as_slice(), signed), expected);
        };
        let module = signed(b"body", 9);
        check(module.clone(), Signatures::Strip, (b"body", false));
        check(module.clone(), Signatures::Keep, (&module, true));
        check(b"body".to_vec(), Signatures::Keep, (b"body", false));
    }

    #[test]
    fn refuses_a_signature_longer_than_its_module() {
        for module in [signed(b"body", 14), signed(b"body", u32::MAX), SIGNED.to_vec()] {
            let error = shipped(Path::new("a.ko"), module, Signatures::Strip).unwrap_err();
            assert_eq!(error.to_string(), "a.ko: has a damaged signature");
        }
    }

    #[test]
    fn refuses_a_file_that_is_no_module() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, bytes: &[u8], expected: &str| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            let error = read(&path).and_then(|module| needs(&path, &module)).unwrap_err().to_string();
            let text = error.replace(folder.path().to_str().unwrap(), "");
            assert!(text.starts_with(expected), "{text}");
        };
        check("a.ko", b"text", "/a.ko: is no kernel module: ");
        check("a.ko.xz", b"text", "/a.ko.xz: is damaged: ");
        check(
            "a.ko.zst",
            b"",
            "/a.ko.zst: is packed in a way that is not understood; unpack it to .ko first",
        );
        let program = fs::read(std::env::current_exe().unwrap()).unwrap();
        check("b.ko", &program, "/b.ko: is no kernel module: it has no .modinfo");
    }
}
