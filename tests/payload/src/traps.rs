//! What an init may fall into, set up by a process of the machine's own, outside of every container.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use crate::chaos::{processes, set_clock};
use crate::system::clock;

/// `UD2`, which no processor has.
const NOT_CODE: [u8; 2] = [0x0f, 0x0b];

/// What each process of Orlop's has of what nobody else may get: threads, a terminal, descriptors that an exec
/// would hand on.
pub(crate) fn own() -> String {
    let ours = processes().into_iter().filter(|(pid, words)| *pid == 1 || words.starts_with("orlop "));
    let seen = ours.map(|(pid, words)| {
        let role = if pid == 1 { "init" } else { words.split(' ').nth(1).unwrap_or_default() };
        let threads = fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count);
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // proc_pid_stat(5): the fifth after the name.
        let terminal =
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(4)).unwrap_or_default();
        let handed_on: Vec<String> = handed_on(pid);
        format!("{role} threads={threads} terminal={terminal} handed_on={}", handed_on.join(","))
    });
    seen.collect::<Vec<_>>().join("\n")
}

/// Descriptors that are not closed by an exec, but for the first three.
fn handed_on(pid: i32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fdinfo")).into_iter().flatten().flatten();
    let stays = |entry: &fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok());
        flags.is_some_and(|flags| flags & libc::O_CLOEXEC == 0)
    };
    let names = entries.filter(stays).map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !["0", "1", "2"].contains(&name.as_str())).collect()
}

/// So many seconds later than now, or earlier.
pub(crate) fn turn_clock(by: i64) -> io::Result<()> {
    let now = clock(libc::CLOCK_REALTIME);
    let by_seconds = Duration::from_secs(by.unsigned_abs());
    set_clock(if by < 0 { now.saturating_sub(by_seconds) } else { now + by_seconds })
}

/// Process 1 executes what is no code as soon as it wakes up.
pub(crate) fn spoil_pid_1() -> io::Result<()> {
    let maps = fs::read_to_string("/proc/1/maps")?;
    let memory = fs::OpenOptions::new().write(true).open("/proc/1/mem")?;
    for line in maps.lines().filter(|line| line.contains(" r-xp ") && !line.contains('[')) {
        let Some((from, to)) = line.split(' ').next().and_then(|range| range.split_once('-')) else {
            continue;
        };
        let number = |text: &str| u64::from_str_radix(text, 16).map_err(io::Error::other);
        let size = usize::try_from(number(to)? - number(from)?).unwrap_or_default();
        memory.write_all_at(&NOT_CODE.repeat(size / NOT_CODE.len()), number(from)?)?;
    }
    Ok(())
}
