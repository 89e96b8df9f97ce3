//! Records: one file per container, written by rename, so that a crash leaves the old or the new.

use std::os::fd::AsFd;

use nix::fcntl::{FallocateFlags, OFlag, open, renameat};
use nix::sys::stat::Mode;

use crate::linux::{Errno, Result, fs, memfd};

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

/// Where a record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    New,
    /// Over the old one, for want of room. Nothing may be started then.
    Old,
}

/// Writes the record of a container.
///
/// # Errors
/// ENOSPC when /run is full and the old record's room is not enough; the old one is then still there.
pub fn write(name: &str, text: &str) -> Result<Place> {
    let written = match write_file(&path(name), text) {
        Err(Errno::ENOENT) => {
            fs::make_directory(&directory(name), 0o755)?;
            write_file(&path(name), text)
        }
        other => other,
    };
    match written {
        // The end of a container has to be recorded although /run is full.
        Err(Errno::ENOSPC) => overwrite(&path(name), text).map(|()| Place::Old),
        other => other.map(|()| Place::New),
    }
}

/// Writes over an old file, in the pages that it has.
fn overwrite(path: &str, text: &str) -> Result<()> {
    // Without an old one it is still for want of room that there is none.
    let fd = open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()).map_err(|_| Errno::ENOSPC)?;
    let old = usize::try_from(nix::sys::stat::fstat(&fd)?.st_size).unwrap_or_default();
    // First the room: what is half written is neither the old nor the new.
    let size = i64::try_from(text.len()).map_err(|_| Errno::EFBIG)?;
    nix::fcntl::fallocate(&fd, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, size)?;
    // Blanks behind it are nothing to JSON, and cutting the file off would be a second step.
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(old.max(bytes.len()), b' ');
    memfd::write_all_at(fd.as_fd(), 0, &bytes)
}

/// Writes a small file by rename.
///
/// # Errors
/// ENOSPC; the old file is then still there.
pub fn write_file(path: &str, text: &str) -> Result<()> {
    let new = format!("{path}.new");
    let written = write_new(&new, text)
        .and_then(|()| renameat(nix::fcntl::AT_FDCWD, new.as_str(), nix::fcntl::AT_FDCWD, path));
    if written.is_err() {
        // It may not be there at all; if it is, it takes room that others need.
        let _ = nix::unistd::unlink(new.as_str());
    }
    written
}

fn write_new(new: &str, text: &str) -> Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_CLOEXEC;
    let fd = open(new, flags, Mode::from_bits_truncate(0o644))?;
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let written = nix::unistd::write(fd.as_fd(), rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::testing::in_own_network;

    /// Writes over a file of three pages' room at most in a file system that is full.
    #[track_caller]
    fn check(old: &str, new: &str, expected: Result<&str>) {
        in_own_network(|| {
            let folder = tempfile::tempdir().unwrap();
            let none = nix::mount::MsFlags::empty();
            let size = Some("size=12k");
            nix::mount::mount(Some("tmpfs"), folder.path(), Some("tmpfs"), none, size).unwrap();
            let file = folder.path().join("record.json");
            let path = file.to_str().unwrap();
            std::fs::write(path, old).unwrap();
            std::fs::write(folder.path().join("rest"), vec![0; 1 << 20]).unwrap_err();
            assert_eq!(write_file(path, new), Err(Errno::ENOSPC));
            assert_eq!(overwrite(path, new), expected.map(drop));
            assert_eq!(std::fs::read_to_string(path).unwrap(), expected.unwrap_or(old));
            assert!(!folder.path().join("record.json.new").exists());
            assert_eq!(overwrite(&format!("{path}.of-another"), new), Err(Errno::ENOSPC));
        });
    }

    #[test]
    fn a_full_file_system_takes_what_fits_in_the_old_place_whole_or_not_at_all() {
        check("{\"state\":\"running\"}", "{\"state\":\"exited\"}", Ok("{\"state\":\"exited\"} "));
        check("{}", "{\"state\":\"exited\"}", Ok("{\"state\":\"exited\"}"));
        let long = "x".repeat(5000);
        check("{}", &long, Err(Errno::ENOSPC));
    }
}
