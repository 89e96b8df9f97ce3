//! Messages as RFC 5424 has them, and as RFC 6587 frames them on a stream.
#![deny(clippy::arithmetic_side_effects)]

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::entry::Stream;
use super::frames::KERNEL;
use super::outgoing::{Kind, Outgoing};

/// Of daemons: information, warnings and errors (§6.2.1).
const INFO: u32 = 30;
const WARNING: u32 = 28;
const ERROR: u32 = 27;
/// Facility 1 with severity 0. What is below is of facility 0, the kernel's.
const USER: u32 = 8;
/// The greatest priority there is.
const MOST: u32 = 191;
/// Characters of a name (§6).
const APP_NAME: usize = 48;
/// Sequence numbers begin again behind it (§7.3.1).
const LAST_SEQUENCE: u32 = 2_147_483_647;

/// What is the same for all messages of one log.
#[derive(Debug, Clone, Copy)]
pub struct Log<'a> {
    pub host: &'a str,
    pub name: &'a str,
    /// The number of its ring.
    pub id: u64,
}

/// The next number, from 1 on.
#[must_use]
pub fn next_sequence(sequence: u32) -> u32 {
    if sequence >= LAST_SEQUENCE { 1 } else { sequence.saturating_add(1) }
}

/// One message. `time`: RFC 3339 in UTC.
#[must_use]
pub fn message(log: Log<'_>, outgoing: &Outgoing, time: &str, sequence: u32) -> Vec<u8> {
    let (priority, kind, text) = match outgoing.kind {
        Kind::Output(Stream::Stdout) => (INFO, "stdout", line(&outgoing.text)),
        Kind::Output(Stream::Stderr) => (ERROR, "stderr", line(&outgoing.text)),
        Kind::Output(Stream::Syslog) => {
            let (priority, text) = split_priority(&outgoing.text);
            // As every syslogd has it, nobody else speaks for the kernel.
            let priority = priority.map(|it| if it < USER && log.id != KERNEL { it | USER } else { it });
            (priority.unwrap_or(INFO), "syslog", line(without_time(text)))
        }
        Kind::Gap => (WARNING, "gone", outgoing.text.as_slice()),
    };
    // In hundredths of a second, as SNMP has it (§7.3.3).
    let up_time = outgoing.stamp.boot_us / 10_000;
    let host = word(log.host, 255);
    let name = word(log.name, APP_NAME);
    let meta = format!("[meta sequenceId=\"{sequence}\" sysUpTime=\"{up_time}\"]");
    let mut message = format!("<{priority}>1 {time} {host} {name} - {kind} {meta} ").into_bytes();
    message.extend_from_slice(text);
    message
}

/// Behind its length: octet counting (RFC 6587 §3.4.1), so that a message may have newlines in it.
#[must_use]
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut framed = format!("{} ", message.len()).into_bytes();
    framed.extend_from_slice(message);
    framed
}

/// Printable ASCII without blanks; a dash for nothing.
fn word(text: &str, most: usize) -> String {
    let word: String = text.chars().filter(char::is_ascii_graphic).take(most).collect();
    if word.is_empty() { String::from("-") } else { word }
}

fn line(text: &[u8]) -> &[u8] {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    text.strip_suffix(b"\r").unwrap_or(text)
}

/// `<30>text`, as programs write it.
#[must_use]
pub fn split_priority(text: &[u8]) -> (Option<u32>, &[u8]) {
    let end = text.iter().take(5).position(|byte| *byte == b'>');
    let parts = end.and_then(|end| text.split_at_checked(end));
    let found = parts.and_then(|(head, rest)| {
        let digits = core::str::from_utf8(head.strip_prefix(b"<")?).ok()?;
        let priority = digits.parse::<u32>().ok().filter(|priority| *priority <= MOST)?;
        Some((priority, rest.get(1..)?))
    });
    found.map_or((None, text), |(priority, rest)| (Some(priority), rest))
}

/// Without the time that syslog(3) writes (`Nov 22 14:05:09 `, RFC 3164 §4.1.2): ours is exact, and has a year and a zone.
fn without_time(text: &[u8]) -> &[u8] {
    const FORM: &[u8] = b"Aaa 99 99:99:99 ";
    let Some((time, rest)) = text.split_at_checked(FORM.len()) else { return text };
    let fits = time.iter().zip(FORM).all(|(byte, form)| match form {
        b'A' => byte.is_ascii_uppercase(),
        b'a' => byte.is_ascii_lowercase(),
        // Days below ten begin with a blank.
        b'9' => byte.is_ascii_digit() || *byte == b' ',
        other => byte == other,
    });
    if fits { rest } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{OWN, Place, Stamp};

    const LOG: Log<'_> = Log { host: "gateway-7", name: "web", id: 7 };

    #[track_caller]
    fn check(kind: Kind, text: &str, expected: &str) {
        let stamp = Stamp { boot_us: 12_345_678, wall_ns: 0 };
        let outgoing = Outgoing { stamp, kind, text: text.as_bytes().to_vec(), place: Place::default() };
        let found = message(LOG, &outgoing, "2026-11-22T14:05:09.000001Z", 7);
        assert_eq!(String::from_utf8_lossy(&found), expected);
    }

    #[test]
    fn a_message_has_a_header_and_its_text() {
        let head = |priority: u32, kind: &str| {
            format!(
                "<{priority}>1 2026-11-22T14:05:09.000001Z gateway-7 web - {kind} [meta sequenceId=\"7\" sysUpTime=\"1234\"] "
            )
        };
        check(Kind::Output(Stream::Stdout), "hello\n", &(head(30, "stdout") + "hello"));
        check(Kind::Output(Stream::Stdout), "a\r\n", &(head(30, "stdout") + "a"));
        check(Kind::Output(Stream::Stderr), "", &head(27, "stderr"));
        check(Kind::Output(Stream::Syslog), "<3>usb: gone", &(head(11, "syslog") + "usb: gone"));
        let timed = "<13>Nov  2 14:05:08 cron[7]: ran\n";
        check(Kind::Output(Stream::Syslog), timed, &(head(13, "syslog") + "cron[7]: ran"));
        check(Kind::Output(Stream::Syslog), "<192>x", &(head(30, "syslog") + "<192>x"));
        check(Kind::Output(Stream::Syslog), "<>x", &(head(30, "syslog") + "<>x"));
        check(Kind::Gap, "9 bytes", &(head(28, "gone") + "9 bytes"));
    }

    #[test]
    fn nobody_but_the_kernel_speaks_for_the_kernel() {
        let text = b"<0>panic".to_vec();
        let outgoing = Outgoing {
            stamp: Stamp::default(),
            kind: Kind::Output(Stream::Syslog),
            text,
            place: Place::default(),
        };
        for (id, expected) in [(7, &b"<8>1 "[..]), (OWN, b"<8>1 "), (KERNEL, b"<0>1 ")] {
            assert!(message(Log { id, ..LOG }, &outgoing, "T", 1).starts_with(expected), "{id}");
        }
    }

    #[test]
    fn names_are_words_of_their_length() {
        assert_eq!(word("a b\u{e4}c", 2), "ab");
        assert_eq!(word(" ", 2), "-");
        assert_eq!(word(&"x".repeat(60), APP_NAME).len(), 48);
        assert_eq!(framed(b"two\nlines"), b"9 two\nlines");
        assert_eq!([next_sequence(0), next_sequence(LAST_SEQUENCE)], [1, 1]);
    }
}
