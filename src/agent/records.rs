//! Records: one file per container, of which a crash leaves the old or the new.
//!
//! One that has its page already is written into it: it wants no room, and a process that is killed dies before or
//! after what the kernel copies into one page. Others are written by rename.

use std::os::fd::AsFd;

use nix::fcntl::{FallocateFlags, OFlag, renameat};
use nix::sys::stat::Mode;

use crate::linux::{Errno, Result, directory, fs, memfd};

/// `/run/orlop/containers/NAME/record.json`.
pub const DIRECTORY: &str = "/run/orlop/containers";
/// Of memory, on all machines that we run on.
const PAGE: usize = 4096;
/// A record is small; anything larger is not one of ours.
const LIMIT: usize = 256 << 10;

const OURS: Mode = Mode::from_bits_truncate(0o600);
const EVERYBODYS: Mode = Mode::from_bits_truncate(0o644);

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
    if write_within_page(&path(name), text)? {
        return Ok(Place::New);
    }
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

/// Writes over an old file of one page. Whether there is one, and the text has room in it.
fn write_within_page(path: &str, text: &str) -> Result<bool> {
    let fd = match fs::open(path, OFlag::O_WRONLY, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::ENOENT) => return Ok(false),
        Err(errno) => return Err(errno),
    };
    let old = usize::try_from(nix::sys::stat::fstat(&fd)?.st_size).unwrap_or(usize::MAX);
    let fits = (1..=PAGE).contains(&old) && text.len() <= PAGE;
    if fits {
        memfd::write_all_at(fd.as_fd(), 0, &over(text, old))?;
    }
    Ok(fits)
}

/// Blanks behind it are nothing to JSON, and cutting the file off would be a second step.
fn over(text: &str, old: usize) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(old.max(bytes.len()), b' ');
    bytes
}

/// Writes over an old file, in the pages that it has.
fn overwrite(path: &str, text: &str) -> Result<()> {
    // Without an old one it is still for want of room that there is none.
    let fd = fs::open(path, OFlag::O_WRONLY, Mode::empty()).map_err(|_| Errno::ENOSPC)?;
    let old = usize::try_from(nix::sys::stat::fstat(&fd)?.st_size).unwrap_or_default();
    // First the room: what is half written is neither the old nor the new.
    let size = i64::try_from(text.len()).map_err(|_| Errno::EFBIG)?;
    nix::fcntl::fallocate(&fd, FallocateFlags::FALLOC_FL_KEEP_SIZE, 0, size)?;
    memfd::write_all_at(fd.as_fd(), 0, &over(text, old))
}

/// Writes a small file by rename, which is nobody's but the machine's to read: a configuration holds passwords.
///
/// # Errors
/// ENOSPC; the old file is then still there.
pub fn write_file(path: &str, text: &str) -> Result<()> {
    write_by_rename(path, text, OURS)
}

fn write_by_rename(path: &str, text: &str, mode: Mode) -> Result<()> {
    let new = format!("{path}.new");
    let written = write_at(&new, text, OFlag::O_TRUNC, mode)
        .and_then(|()| renameat(nix::fcntl::AT_FDCWD, new.as_str(), nix::fcntl::AT_FDCWD, path));
    if written.is_err() {
        // It may not be there at all.
        let _ = nix::unistd::unlink(new.as_str());
    }
    written
}

/// As [`write_file`], for everybody to read, and at once where there is none: a part of it is nothing to whoever
/// begins again.
///
/// # Errors
/// ENOENT without its directory; ENOSPC.
pub fn write_anew(path: &str, text: &str) -> Result<()> {
    match write_at(path, text, OFlag::O_EXCL, EVERYBODYS) {
        Err(Errno::EEXIST) => write_by_rename(path, text, EVERYBODYS),
        written => written,
    }
}

fn write_at(path: &str, text: &str, how: OFlag, mode: Mode) -> Result<()> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | how;
    let fd = fs::open(path, flags, mode)?;
    let written = memfd::write_all_at(fd.as_fd(), 0, text.as_bytes());
    if written.is_err() {
        // A part of it takes room that others need.
        let _ = nix::unistd::unlink(path);
    }
    written
}

/// Reads all records: name and text, or why it cannot be read.
///
/// # Errors
/// Which there are cannot be known: nobody may be taken for one without a record.
pub fn read_all() -> Result<Vec<(String, Result<String>)>> {
    let mut records = Vec::new();
    let names = match directory::names(DIRECTORY) {
        Err(Errno::ENOENT) => Vec::new(),
        names => names?,
    };
    for name in names {
        let text = match fs::read_whole(&path(&name), LIMIT) {
            Err(Errno::ENOENT) => continue,
            read => read,
        };
        records.push((name, text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())));
    }
    Ok(records)
}

/// Of whom anything is kept.
pub fn names() -> Vec<String> {
    directory::names(DIRECTORY).unwrap_or_default()
}

/// Removes what is kept of a container; what cannot be removed means nothing without its declaration.
pub fn forget(name: &str) {
    let _ = std::fs::remove_dir_all(directory(name));
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
    fn what_has_its_page_is_written_there_and_everything_else_beside_it() {
        use std::os::unix::fs::MetadataExt;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("record.json");
        let path = file.to_str().unwrap();
        let read = || std::fs::read_to_string(path).unwrap();
        let inode = || std::fs::metadata(path).unwrap().ino();
        assert_eq!(write_within_page(path, "{}"), Ok(false), "there is none");
        write_anew(path, "{\"long\":1}").unwrap();
        let first = inode();
        assert_eq!(write_within_page(path, "{}"), Ok(true));
        assert_eq!((read().as_str(), inode()), ("{}        ", first));
        let page = "x".repeat(PAGE);
        assert_eq!(write_within_page(path, &page), Ok(true));
        assert_eq!((read(), inode()), (page.clone(), first));
        assert_eq!(write_within_page(path, &(page.clone() + "x")), Ok(false), "a second page");
        std::fs::write(path, "").unwrap();
        assert_eq!(write_within_page(path, "{}"), Ok(false), "it has no page");
        // Who has the old one keeps it.
        let mut old = std::fs::File::open(path).unwrap();
        write_anew(path, "new").unwrap();
        assert_eq!(read(), "new");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut old, &mut text).unwrap();
        assert_eq!((text.as_str(), inode() == first), ("", false));
    }

    #[test]
    fn a_full_file_system_takes_what_fits_in_the_old_place_whole_or_not_at_all() {
        check("{\"state\":\"running\"}", "{\"state\":\"exited\"}", Ok("{\"state\":\"exited\"} "));
        check("{}", "{\"state\":\"exited\"}", Ok("{\"state\":\"exited\"}"));
        let long = "x".repeat(5000);
        check("{}", &long, Err(Errno::ENOSPC));
    }
}
