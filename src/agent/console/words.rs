//! The kernel's log as the consoles show it: Orlop's own lines, as far as they are urgent enough.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::log::{LONGEST_RECORD, Record, Speaker, split_priority};

use crate::linux::{Errno, Result};

pub(super) struct Words {
    kmsg: OwnedFd,
    /// What is less urgent is not shown; `None`: nothing is, yet.
    least: Option<u8>,
    /// Number of the last record that was read.
    last: Option<u64>,
    record: Vec<u8>,
}

impl Words {
    pub(super) fn new(kmsg: OwnedFd) -> Self {
        Self { kmsg, least: None, last: None, record: vec![0; LONGEST_RECORD] }
    }

    pub(super) fn kmsg(&self) -> BorrowedFd<'_> {
        self.kmsg.as_fd()
    }

    /// From here on that is the least urgent that is shown; what was before.
    pub(super) fn set_least(&mut self, least: u8) -> Option<u8> {
        self.least.replace(least)
    }

    /// What the next record has to show: mostly a line or nothing, and before it what was overwritten unread. `None`: there
    /// is no record yet.
    ///
    /// # Errors
    /// As read(2).
    pub(super) fn read(&mut self) -> Result<Option<Vec<String>>> {
        let size = match nix::unistd::read(&self.kmsg, &mut self.record) {
            Ok(size @ 1..) => size,
            Ok(0) | Err(Errno::EAGAIN) => return Ok(None),
            // The next record is there: it says how many are not.
            Err(Errno::EPIPE | Errno::EINTR) => return Ok(Some(Vec::new())),
            Err(errno) => return Err(errno),
        };
        let Some(record) = Record::parse(self.record.get(..size).unwrap_or_default()) else {
            return Ok(Some(Vec::new()));
        };
        let missed = self.last.map_or(0, |last| record.sequence.saturating_sub(last).saturating_sub(1));
        self.last = Some(record.sequence);
        let missed = (missed > 0).then(|| overwritten(missed));
        Ok(Some(missed.into_iter().chain(line_of(&record, self.least)).collect()))
    }
}

/// What stands in the place of records that were gone when their turn came; the kernel's own are among them.
fn overwritten(records: u64) -> String {
    format!("(up to {records} lines were not shown: the kernel's log had no room for them)")
}

/// What Orlop says, unless it is less urgent than that.
fn line_of(record: &Record, least: Option<u8>) -> Option<String> {
    let (priority, text) = split_priority(&record.message);
    let is_shown = record.speaker == Speaker::Orlop && priority? & 7 <= u32::from(least?);
    is_shown.then(|| String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consoles_show_what_orlop_says_as_it_was_written() {
        let line = |record: &str| line_of(&Record::parse(record.as_bytes()).unwrap(), Some(6));
        assert_eq!(line("30,1,2,-;orlop: gr\\xc3\\xb6\\xc3\\x9fer\n KEY=x\n").as_deref(), Some("größer"));
        assert_eq!(line("31,1,2,-;orlop: less urgent\n"), None);
        // Whoever else may write there is no daemon of ours.
        assert_eq!(line("14,1,2,-;orlop: forged\n"), None);
    }
}
