//! Texts of /proc → one process of a container.
//!
//! Names and arguments are the container's own words: any bytes may be in them, and no length of a line
//! or number of a field is believed.
#![deny(clippy::arithmetic_side_effects)]

use alloc::format;
use alloc::string::String;

/// What /proc/PID/stat says (proc_pid_stat(5)). Times are in ticks of the clock, memory in pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    pub name: String,
    pub state: char,
    pub cpu_ticks: u64,
    pub threads: u64,
    pub started_ticks: u64,
    pub resident_pages: u64,
}

impl Stat {
    /// `None`: it has another form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // The name may hold anything, blanks and brackets too; the last one is the kernel's.
        let (head, rest) = text.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        // Counted from 3, the state's number in the manual page.
        let mut number = |skip: usize| fields.nth(skip)?.parse::<u64>().ok();
        let (user, system) = (number(10)?, number(0)?);
        let (threads, started, resident) = (number(4)?, number(1)?, number(1)?);
        Some(Self {
            name: name.into(),
            state,
            cpu_ticks: user.saturating_add(system),
            threads,
            started_ticks: started,
            resident_pages: resident,
        })
    }
}

/// The function that /proc/PID/wchan names; `None`: it does not sleep, or the kernel does not say.
#[must_use]
pub fn place(wchan: &str) -> Option<&str> {
    Some(wchan.trim()).filter(|name| !name.is_empty() && *name != "0")
}

/// The functions of /proc/PID/stack, the innermost first: of `[<0>] pipe_read+0x3f1/0x6b0 [module]` the name.
pub fn frames(stack: &str) -> impl Iterator<Item = &str> {
    stack.lines().filter_map(|line| {
        let (_, frame) = line.split_once("] ")?;
        let name = frame.split(['+', ' ']).next()?;
        Some(name).filter(|name| !name.is_empty())
    })
}

/// The effective user and the innermost pid of /proc/PID/status; what has no line is `None`.
#[must_use]
pub fn identity(status: &str) -> (Option<u32>, Option<u32>) {
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let uid = line("Uid").and_then(|line| line.split_ascii_whitespace().nth(1)?.parse().ok());
    let pid = line("NSpid").and_then(|line| line.split_ascii_whitespace().next_back()?.parse().ok());
    (uid, pid)
}

/// What an id of the machine is inside, by a uid_map as the machine reads it: lines of
/// `inside outside count`. `None`: it is not mapped.
#[must_use]
pub fn id_inside(map: &str, outside: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut fields = line.split_ascii_whitespace().map(str::parse::<u32>);
        let (inside, first, count) = (fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?);
        let offset = outside.checked_sub(first).filter(|offset| *offset < count)?;
        inside.checked_add(offset)
    })
}

/// /proc/PID/cmdline for a person: NULs become blanks. One that has none shows its short name, as the
/// kernel's own processes and the dead do.
#[must_use]
pub fn command(cmdline: &[u8], name: &str) -> String {
    let end = cmdline.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    let words = cmdline.get(..end).unwrap_or_default();
    if words.is_empty() {
        return format!("[{name}]");
    }
    String::from_utf8_lossy(words).replace('\0', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str =
        "S 1 1 1 0 -1 4194560 161 0 0 0 12 30 0 0 20 0 3 0 777 2109440 99 18446744073709551615 1 1 0";

    #[test]
    fn where_a_process_sleeps_is_read_from_what_the_kernel_says() {
        assert_eq!(
            ["pipe_read", "request_wait_answer\n", "0", ""].map(place),
            [Some("pipe_read"), Some("request_wait_answer"), None, None]
        );
        let stack = "[<0>] request_wait_answer+0x1b/0x260 [fuse]\n[<0>] __fuse_simple_request+0x1/0x2\n[<0>] vfs_statx\nodd\n[<0>] \n";
        let found: Vec<_> = frames(stack).collect();
        assert_eq!(found, ["request_wait_answer", "__fuse_simple_request", "vfs_statx"]);
        assert_eq!(frames("").count(), 0);
    }

    #[test]
    fn a_name_may_hold_anything() {
        for name in ["sh", "a b", "x) R 1 (", "((", ")", "S 9 9"] {
            let stat = Stat::parse(&format!("42 ({name}) {TAIL}\n")).unwrap();
            let expected = Stat {
                name: name.into(),
                state: 'S',
                cpu_ticks: 42,
                threads: 3,
                started_ticks: 777,
                resident_pages: 99,
            };
            assert_eq!(stat, expected);
        }
        for wrong in
            ["", "42", "42 (sh)", "42 (sh) S 1", "42 sh S 1 1 1 0", &format!("42 (sh) {}", &TAIL[..40])]
        {
            assert_eq!(Stat::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn ids_are_those_that_the_container_gives() {
        let status = "Name:\tsh\nUid:\t1048576\t1048677\t1048576\t1048576\nNSpid:\t4211\t7\n";
        assert_eq!(identity(status), (Some(1_048_677), Some(7)));
        assert_eq!(identity("NSpid:\t12\n"), (None, Some(12)));
        assert_eq!(identity("Uid:\tx\nNSpid:\n"), (None, None));
        let map = "         0    1048576      65536\n     70000 5 2\n";
        let check = |outside, expected| assert_eq!(id_inside(map, outside), expected, "{outside}");
        check(1_048_576, Some(0));
        check(1_048_677, Some(101));
        check(1_048_576 + 65_536, None);
        check(6, Some(70_001));
        check(7, None);
        assert_eq!(id_inside("0 0 4294967295\nrubbish", u32::MAX), None);
    }

    #[test]
    fn a_command_is_its_words_or_its_name() {
        assert_eq!(command(b"/bin/sh\0-c\0sleep 1\0", "sh"), "/bin/sh -c sleep 1");
        assert_eq!(command(b"", "kthreadd"), "[kthreadd]");
        assert_eq!(command(b"\0\0", "sh"), "[sh]");
        assert_eq!(command(b"\xff\0x", "sh"), "\u{fffd} x");
    }
}
