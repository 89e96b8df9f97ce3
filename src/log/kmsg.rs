//! A record of /dev/kmsg → a message: see dev-kmsg in the kernel's ABI documentation.
#![deny(clippy::arithmetic_side_effects)]

use alloc::format;
use alloc::vec::Vec;

use super::entry::Stamp;

/// Of one record; a shorter buffer is refused (PRINTK_MESSAGE_MAX is 2048, CONSOLE_EXT_LOG_MAX was 8192).
pub const LONGEST_RECORD: usize = 8192;

/// What every line of Orlop's own begins with, there.
const OWN_PREFIX: &[u8] = b"orlop: ";
/// Of syslog(3), with which Orlop writes; the kernel's own has none.
const DAEMON: u32 = 3;

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaker {
    Kernel,
    Orlop,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub speaker: Speaker,
    /// Grows by one with each record of the kernel's log.
    pub sequence: u64,
    /// When it was said, microseconds on the clock of the kernel's log: that of the boot, as far as nobody slept.
    pub boot_us: u64,
    /// `<priority>text`, as syslog(3) has it: the text as it was written, without what the kernel adds.
    pub message: Vec<u8>,
}

impl Record {
    /// `PRIORITY,SEQUENCE,TIME,FLAGS;TEXT`, and lines about devices behind it, which are left out. `None`: it is none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let at = bytes.iter().position(|byte| *byte == b';')?;
        let (head, text) = bytes.split_at_checked(at)?;
        let mut fields = core::str::from_utf8(head).ok()?.split(',');
        let mut number = || fields.next()?.parse::<u64>().ok();
        let (priority, sequence, boot_us) = (number()?, number()?, number()?);
        let priority = u32::try_from(priority).ok()?;
        let text = text.get(1..)?.split(|byte| *byte == b'\n').next()?;
        let own = text.strip_prefix(OWN_PREFIX).filter(|_| priority >> 3 == DAEMON);
        let speaker = if own.is_some() { Speaker::Orlop } else { Speaker::Kernel };
        let mut message = format!("<{priority}>").into_bytes();
        unescape(own.unwrap_or(text), &mut message);
        Some(Self { speaker, sequence, boot_us, message })
    }

    /// When it was said, on both clocks, which now stand so. Of one that has just been said that is now: the
    /// kernel's clock goes a little wrong over weeks.
    #[must_use]
    pub fn stamp(&self, now: Stamp, is_news: bool) -> Stamp {
        let ago = now.boot_us.saturating_sub(self.boot_us);
        match i64::try_from(ago.saturating_mul(1000)) {
            Ok(ago_ns) if !is_news => {
                Stamp { boot_us: self.boot_us.min(now.boot_us), wall_ns: now.wall_ns.saturating_sub(ago_ns) }
            }
            Ok(_) | Err(_) => now,
        }
    }
}

/// The kernel writes what is not plain ASCII as `\xNN`.
fn unescape(text: &[u8], into: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'\\').then_some(after).and_then(|after| {
            let (digits, behind) = after.strip_prefix(b"x")?.split_at_checked(2)?;
            let digits = core::str::from_utf8(digits).ok()?;
            Some((u8::from_str_radix(digits, 16).ok()?, behind))
        });
        let (byte, behind) = escaped.unwrap_or((*first, after));
        into.push(byte);
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(record: &str, speaker: Speaker, (sequence, boot_us): (u64, u64), message: &str) {
        let expected = Record { speaker, sequence, boot_us, message: message.as_bytes().to_vec() };
        assert_eq!(Record::parse(record.as_bytes()), Some(expected));
    }

    #[test]
    fn a_record_has_a_speaker_and_its_text_as_it_was_written() {
        check(
            "6,339,5140900,-;NET: Registered PF\n",
            Speaker::Kernel,
            (339, 5_140_900),
            "<6>NET: Registered PF",
        );
        let device = "4,7,8,c;usb 1-1: new\n SUBSYSTEM=usb\n DEVICE=c189:1\n";
        check(device, Speaker::Kernel, (7, 8), "<4>usb 1-1: new");
        check(
            "30,1,2,-;orlop: web: gr\\xc3\\xb6\\xc3\\x9fer \\x5cx\n",
            Speaker::Orlop,
            (1, 2),
            "<30>web: größer \\x",
        );
        // Others may write there too, but never as a daemon of ours.
        check("6,1,2,-;orlop: no\n", Speaker::Kernel, (1, 2), "<6>orlop: no");
        check("12,1,2,-,caller=T1;\n", Speaker::Kernel, (1, 2), "<12>");
    }

    #[test]
    fn what_is_no_record_is_none() {
        for bytes in [&b""[..], b"6,1,2,-", b"6,1;x", b"a,1,2,-;x", b"\xff,1,2,-;x", b"99999999999,1,2,-;x"] {
            assert_eq!(Record::parse(bytes), None, "{bytes:?}");
        }
        assert_eq!(Record::parse(b"6,1,2,-;\\x4\\xzz\\").unwrap().message, b"<6>\\x4\\xzz\\");
    }

    #[test]
    fn what_was_said_before_has_its_own_time_and_news_have_ours() {
        let record = Record::parse(b"6,1,4000000,-;x").unwrap();
        let now = Stamp { boot_us: 10_000_000, wall_ns: 100_000_000_000 };
        assert_eq!(record.stamp(now, false), Stamp { boot_us: 4_000_000, wall_ns: 94_000_000_000 });
        assert_eq!(record.stamp(now, true), now);
        let early = Stamp { boot_us: 3_000_000, wall_ns: 1 };
        assert_eq!(record.stamp(early, false), early);
    }
}
