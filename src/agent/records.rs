//! Records: one file per container, written by rename, so that a crash leaves the old or the new.

use std::os::fd::AsFd;

use nix::fcntl::{OFlag, open, renameat};
use nix::sys::stat::Mode;

use crate::linux::{Errno, Result, fs};

/// `/run/orlop/containers/NAME/record.json`.
pub const DIRECTORY: &str = "/run/orlop/containers";
/// A record is small; anything larger is not one of ours.
const LIMIT: usize = 256 << 10;

fn path(name: &str) -> String {
    format!("{DIRECTORY}/{name}/record.json")
}

/// Where the machine keeps what belongs to one container.
pub fn directory(name: &str) -> String {
    format!("{DIRECTORY}/{name}")
}

/// Writes the record of a container.
///
/// # Errors
/// ENOSPC when /run is full.
pub fn write(name: &str, text: &str) -> Result<()> {
    fs::make_directory(&directory(name), 0o755)?;
    match write_file(&path(name), text) {
        // The end of a container has to be recorded although /run is full: in place, in the page
        // that the old record has. The caller starts nothing then.
        Err(Errno::ENOSPC) => {
            let fd = open(path(name).as_str(), OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
            nix::sys::uio::pwrite(&fd, text.as_bytes(), 0)?;
            nix::unistd::ftruncate(&fd, i64::try_from(text.len()).unwrap_or_default())?;
            Err(Errno::ENOSPC)
        }
        other => other,
    }
}

/// Writes a small file by rename.
///
/// # Errors
/// ENOSPC; the old file is then still there.
pub fn write_file(path: &str, text: &str) -> Result<()> {
    let new = format!("{path}.new");
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_CLOEXEC;
    let fd = open(new.as_str(), flags, Mode::from_bits_truncate(0o644))?;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let written = nix::unistd::write(fd.as_fd(), rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    renameat(nix::fcntl::AT_FDCWD, new.as_str(), nix::fcntl::AT_FDCWD, path)
}

/// Reads all records: name and text, or why it cannot be read.
pub fn read_all() -> Vec<(String, Result<String>)> {
    let Ok(entries) = std::fs::read_dir(DIRECTORY) else { return Vec::new() };
    let mut records = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(fd) = fs::open_regular(&path(&name)) else { continue };
        let text = fs::read_regular(fd.as_fd(), LIMIT);
        records.push((name, text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())));
    }
    records
}

/// Puts a record aside that cannot be read; its new name.
pub fn set_aside(name: &str) -> String {
    let (old, new) = (path(name), format!("{}.bad", path(name)));
    let _ = renameat(nix::fcntl::AT_FDCWD, old.as_str(), nix::fcntl::AT_FDCWD, new.as_str());
    new
}
