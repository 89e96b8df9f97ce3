//! What a container says of itself: datagrams of sd_notify(3).
//!
//! Lines of `KEY=value`. Nothing that names a process is believed, and nothing is kept for the program: MAINPID,
//! FDSTORE and their like are left out, as are words that nobody knows.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::mem::discriminant;
use core::time::Duration;

use super::up::Notice;

/// The longest datagram that is read.
pub const MAX_NOTICE: usize = 4096;

/// Letters of a status line that are kept.
const MAX_STATUS: usize = 256;

/// All that a datagram says, in its order, the last of each kind; nothing, if it is no such text.
pub fn notices(datagram: &[u8]) -> Vec<Notice> {
    let is_text = !datagram.is_empty() && datagram.len() <= MAX_NOTICE && !datagram.contains(&0);
    let Some(text) = core::str::from_utf8(datagram).ok().filter(|_| is_text) else { return Vec::new() };
    let mut said: Vec<Notice> = Vec::new();
    for notice in text.lines().filter_map(notice) {
        // A datagram has room for hundreds.
        said.retain(|earlier| discriminant(earlier) != discriminant(&notice));
        said.push(notice);
    }
    said
}

fn notice(line: &str) -> Option<Notice> {
    let (key, value) = line.split_once('=')?;
    match (key, value) {
        ("READY", "1") => Some(Notice::Ready),
        ("WATCHDOG", "1") => Some(Notice::Alive),
        ("WATCHDOG", "trigger") => Some(Notice::Trigger),
        ("EXTEND_TIMEOUT_USEC", micros) => {
            micros.parse().ok().map(|micros| Notice::Extend(Duration::from_micros(micros)))
        }
        ("STATUS", text) => Some(Notice::Status(printable(text))),
        _ => None,
    }
}

/// Fit to be shown on a terminal.
fn printable(text: &str) -> String {
    let text: String = text.chars().filter(|letter| !letter.is_control()).take(MAX_STATUS).collect();
    text.trim().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_it_says_and_no_more() {
        let check = |datagram: &[u8], expected: &[Notice]| {
            assert_eq!(notices(datagram), expected, "{}", String::from_utf8_lossy(datagram));
        };
        check(b"READY=1", &[Notice::Ready]);
        check(b"READY=1\nSTATUS=up\nMAINPID=1\n", &[Notice::Ready, Notice::Status("up".into())]);
        check(&b"READY=1\n".repeat(500), &[Notice::Ready]);
        check(b"STATUS=a\nREADY=1\nSTATUS=b", &[Notice::Ready, Notice::Status("b".into())]);
        check(b"WATCHDOG=1", &[Notice::Alive]);
        check(b"WATCHDOG=trigger", &[Notice::Trigger]);
        check(b"EXTEND_TIMEOUT_USEC=2000000", &[Notice::Extend(Duration::from_secs(2))]);
        check(b"EXTEND_TIMEOUT_USEC=-1\nEXTEND_TIMEOUT_USEC=99999999999999999999", &[]);
        check(b"STATUS=\x1b[31mred\x07 ", &[Notice::Status("[31mred".into())]);
        check(b"READY=2\nREADY\nready=1\n=\nFDSTORE=1\nWATCHDOG_USEC=1", &[]);
        check(b"", &[]);
        check(b"READY=1\0", &[]);
        check(b"READY=1\xff", &[]);
        let mut long = b"READY=1\n".to_vec();
        long.resize(MAX_NOTICE + 1, b'x');
        check(&long, &[]);
        long.truncate(MAX_NOTICE);
        check(&long, &[Notice::Ready]);
        let status = [b"STATUS=".as_slice(), &[b'x'; 3000]].concat();
        check(&status, &[Notice::Status("x".repeat(MAX_STATUS))]);
    }
}
