//! What the kernel before this one said when it died, where firmware or memory keeps that (pstore). Read as an
//! errand: the medium may be slow, or never answer. Nothing of it is removed.

use std::os::fd::AsFd;
use std::path::Path;

use nix::mount::MsFlags;
use orlop::control::Crash;

use super::last;
use crate::linux::{fs, mount};

const FOLDER: &str = "/sys/fs/pstore";
/// Records that are read, bytes of each, and lines of its end that are told.
const RECORDS: usize = 8;
const BYTES: usize = 256 << 10;
const LINES: usize = 40;

/// None of a machine that keeps nothing.
pub fn crashes() -> Vec<Crash> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    if is_empty(Path::new(FOLDER)) {
        // Mounted already, with nothing in it, or of a kernel without it: then there is nothing to read.
        let _ = mount::mount(c"pstore", c"/sys/fs/pstore", c"pstore", flags, c"");
    }
    read(Path::new(FOLDER))
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// What the kernel logged before its end; the records of one end have a part each.
fn read(folder: &Path) -> Vec<Crash> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    // Those that could not be decompressed are no text.
    let mut names: Vec<String> =
        names.filter(|name| name.starts_with("dmesg-") && !name.ends_with(".enc.z")).collect();
    names.sort();
    names.truncate(RECORDS);
    names.into_iter().filter_map(|name| record(folder, name)).collect()
}

fn record(folder: &Path, name: String) -> Option<Crash> {
    let fd = fs::open_regular(folder.join(&name).to_str()?).ok()?;
    let bytes = fs::read_regular(fd.as_fd(), BYTES).ok()?;
    let lines = last(&String::from_utf8_lossy(&bytes), LINES);
    Some(Crash { name, lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_each_record_are_told_as_a_terminal_may_show_them() {
        let folder = tempfile::tempdir().unwrap();
        let long: String = (1..=50).map(|line| format!("<6>[ {line}.0] line {line}\n")).collect();
        for (name, text) in [
            ("dmesg-ramoops-1", "Panic#1\n\u{1b}[31mKernel panic\n"),
            ("dmesg-ramoops-0", long.as_str()),
            ("dmesg-ramoops-2.enc.z", "x"),
            ("console-ramoops-0", "x"),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let found = read(folder.path());
        let names: Vec<_> = found.iter().map(|crash| crash.name.as_str()).collect();
        assert_eq!(names, ["dmesg-ramoops-0", "dmesg-ramoops-1"]);
        assert_eq!((found[0].lines.len(), found[0].lines[0].as_str()), (40, "<6>[ 11.0] line 11"));
        assert_eq!(found[1].lines, ["Panic#1", "?[31mKernel panic"]);
        assert_eq!(read(Path::new("/no/such")), []);
    }
}
