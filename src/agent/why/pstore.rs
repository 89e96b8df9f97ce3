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
/// The parts of one end are written one after the other.
const ONE_END: std::time::Duration = std::time::Duration::from_secs(5);
/// What we say at the end of a machine, and the first of it.
const ABOUT: [&str; 3] = ["shutdown: ", "the machine ends: ", "does not answer at the end of the machine: "];
const BEGINS: &str = ", asked for by ";

/// What the kernel's log held when the machine ended as it was asked to has this in its first line; of what else
/// there is, the kernel died.
const END: &str = "Shutdown#";

/// None of a machine that keeps nothing.
pub fn crashes() -> Vec<Crash> {
    mount_it();
    read(Path::new(FOLDER))
}

/// What we said at the latest end that was asked for, from who asked for it on.
pub fn last_end() -> Vec<String> {
    mount_it();
    end(Path::new(FOLDER))
}

fn mount_it() {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    if is_empty(Path::new(FOLDER)) {
        // Mounted already, with nothing in it, or of a kernel without it: then there is nothing to read.
        let _ = mount::mount(c"pstore", c"/sys/fs/pstore", c"pstore", flags, c"");
    }
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// What the kernel logged before it died; the records of one death have a part each.
fn read(folder: &Path) -> Vec<Crash> {
    let records = texts(folder).into_iter().filter(|(_, text)| !text.starts_with(END));
    records.map(|(name, text)| Crash { name, lines: last(&text, LINES) }).collect()
}

/// The records of ends, those of an earlier one may be among them, part 1 is the latest of each: the log's order is
/// that of its times, and after them what was asked for last is told.
fn end(folder: &Path) -> Vec<String> {
    let records = texts(folder).into_iter().filter(|(_, text)| text.starts_with(END));
    let records: Vec<_> = records.map(|(name, text)| (written(&folder.join(name)), text)).collect();
    let latest = records.iter().filter_map(|(at, _)| *at).max();
    let is_of_it = |at: &Option<std::time::SystemTime>| {
        let late = latest.zip(*at).and_then(|(latest, at)| latest.duration_since(at).ok());
        late.is_some_and(|late| late < ONE_END)
    };
    let mut parts: Vec<String> =
        records.into_iter().filter(|(at, _)| is_of_it(at)).map(|(_, text)| text).collect();
    parts.sort_unstable_by_key(|text| core::cmp::Reverse(part(text)));
    let log: Vec<String> = parts.iter().flat_map(|text| text.lines().filter_map(ours)).collect();
    let from = log.iter().position(|line| line.contains(BEGINS)).unwrap_or_default();
    let told: Vec<String> = log.into_iter().skip(from).collect();
    last(&told.join("\n"), LINES)
}

fn written(path: &Path) -> Option<std::time::SystemTime> {
    std::fs::metadata(path).and_then(|found| found.modified()).ok()
}

/// `Shutdown#1 Part2`
fn part(text: &str) -> u32 {
    let head = text.lines().next().unwrap_or_default();
    head.rsplit("Part").next().and_then(|number| number.trim().parse().ok()).unwrap_or_default()
}

/// What a line of the log says, if it is ours and about an end: `<30>[   12.3] orlop: shutdown: …`
fn ours(line: &str) -> Option<String> {
    let (stamp, text) = line.split_once("] orlop: ")?;
    let (priority, time) = stamp.strip_prefix('<')?.split_once(">[")?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || b" .".contains(&byte));
    // Another's line may quote one of ours.
    if !is_number(priority) || !is_number(time) {
        return None;
    }
    ABOUT.iter().any(|words| text.starts_with(words)).then(|| text.to_owned())
}

fn texts(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    // Those that could not be decompressed are no text.
    let mut names: Vec<String> =
        names.filter(|name| name.starts_with("dmesg-") && !name.ends_with(".enc.z")).collect();
    // The latest: firmware keeps them until somebody takes them away.
    names.sort_unstable_by_key(|name| core::cmp::Reverse((written(&folder.join(name)), name.clone())));
    names.truncate(RECORDS);
    names.sort_unstable();
    names.into_iter().filter_map(|name| record(folder, name)).collect()
}

fn record(folder: &Path, name: String) -> Option<(String, String)> {
    let fd = fs::open_regular(folder.join(&name).to_str()?).ok()?;
    let bytes = fs::read_regular(fd.as_fd(), BYTES).ok()?;
    Some((name, String::from_utf8_lossy(&bytes).into_owned()))
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

    #[test]
    fn the_last_end_that_was_asked_for_is_told_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str, age: u64| {
            let file = std::fs::File::create(folder.path().join(name)).unwrap();
            std::io::Write::write_all(&mut &file, text.as_bytes()).unwrap();
            let at = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
            file.set_modified(at).unwrap();
        };
        assert_eq!(end(folder.path()), [""; 0]);
        write(
            "dmesg-ramoops-0",
            "Shutdown#1 Part1\n<30>[ 9.1] orlop: shutdown: all is down after 2s\n<6>[ 9.2] usb: ] orlop: shutdown: hi\n<30>[ 9.2] orlop: shutdown: reboot, asked for by uid 0; 3 s at most\n<30>[ 9.3] orlop: the machine ends: Reboot\n",
            100,
        );
        let part_2 = "<30>[ 1.0] orlop: web: starting -> running\n<30>[ 7.0] orlop: shutdown: reboot, asked for by uid 0; 60 s at most\n";
        write("dmesg-ramoops-1", &format!("Shutdown#1 Part2\n{part_2}"), 101);
        write(
            "dmesg-ramoops-2",
            "Shutdown#1 Part3\n<30>[ 9.1] orlop: shutdown: poweroff, asked for by a week ago\n",
            600,
        );
        write("dmesg-ramoops-3", "Panic#1 Part1\n<30>[ 9.1] orlop: shutdown: in vain\n", 1);
        let told = [
            "shutdown: reboot, asked for by uid 0; 60 s at most",
            "shutdown: all is down after 2s",
            "shutdown: reboot, asked for by uid 0; 3 s at most",
            "the machine ends: Reboot",
        ];
        assert_eq!(end(folder.path()), told);
        for old in 4..20 {
            write(&format!("dmesg-efi-{old}"), "Panic#1 Part1\n", 1000 + old);
        }
        assert_eq!(end(folder.path()), told, "older ones do not take its place");
        (4..20).for_each(|old| std::fs::remove_file(folder.path().join(format!("dmesg-efi-{old}"))).unwrap());
        assert_eq!(read(folder.path()).len(), 1, "an end that was asked for is no crash");
    }
}
