//! The kernel's log, and our own words in it: each record goes into the ring of who said it.
//!
//! Records have numbers, and a ring keeps with each record how far we were. So it does not matter where in
//! /dev/kmsg a logger before this one has stopped: what is in a ring is passed over.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use orlop::log::{KERNEL, LONGEST_RECORD, OWN, Record, Speaker, Stamp};

use super::container::{Container, Message};
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::{Errno, Result, fd, kmsg};

/// Records read in one wake-up: others wait no longer than that.
const RECORDS_PER_WAKE: usize = 64;

pub(super) struct KernelLog {
    kmsg: OwnedFd,
    is_watched: bool,
    /// All that had been said before we came has been read.
    has_caught_up: bool,
    record: Vec<u8>,
}

impl KernelLog {
    pub(super) fn new(kmsg: OwnedFd) -> Self {
        Self { kmsg, is_watched: false, has_caught_up: false, record: vec![0; LONGEST_RECORD] }
    }

    /// From the oldest record there is, unless it is watched already.
    ///
    /// # Errors
    /// ESPIPE when it is another file; as epoll_ctl(2).
    pub(super) fn watch(&mut self, epoll: &Epoll, token: u64) -> Result<()> {
        if !self.is_watched {
            self.has_caught_up = false;
            kmsg::rewind(self.kmsg.as_fd())?;
            epoll.add(self.kmsg.as_fd(), Interest::EPOLLIN, token)?;
            self.is_watched = true;
        }
        Ok(())
    }

    /// Until [`Self::watch`].
    pub(super) fn leave(&mut self, epoll: &Epoll) {
        if self.is_watched {
            // Others may hold it, so that closing alone would not do. It is in the set.
            let _ = epoll.remove(self.kmsg.as_fd());
            self.is_watched = false;
        }
    }

    /// Reads what there is, but not too much at once.
    ///
    /// # Errors
    /// The ring, by its id, that cannot be written; [`Self::leave`] and [`Self::watch`] have to come before the next read.
    pub(super) fn read(
        &mut self,
        rings: &mut BTreeMap<u64, Container>,
        now: Stamp,
    ) -> core::result::Result<(), (u64, Errno)> {
        let mark = |id| rings.get(&id).map_or(0, Container::mark);
        let mut next = mark(KERNEL).max(mark(OWN));
        for _ in 0..RECORDS_PER_WAKE {
            let size = match fd::read(self.kmsg.as_fd(), &mut self.record) {
                Ok(size) => size,
                // What it was is overwritten; the next record says how many were.
                Err(Errno::EPIPE) => continue,
                Err(Errno::EAGAIN) => {
                    self.has_caught_up = true;
                    return Ok(());
                }
                Err(errno) => return Err((KERNEL, errno)),
            };
            let Some(record) = Record::parse(self.record.get(..size).unwrap_or_default()) else { continue };
            if record.sequence < next {
                continue;
            }
            let stamp = record.stamp(now, self.has_caught_up);
            let mut enter = |id, message, mark| {
                let ring = rings.get_mut(&id).ok_or((id, Errno::ENOENT))?;
                ring.enter(stamp, message, mark).map_err(|errno| (id, errno))
            };
            if record.sequence > next {
                // Whose they were, nobody knows.
                let reads = record.sequence.saturating_sub(next);
                enter(KERNEL, Message::Lost { bytes: 0, reads }, record.sequence)?;
            }
            next = record.sequence.saturating_add(1);
            let id = match record.speaker {
                Speaker::Kernel => KERNEL,
                Speaker::Orlop => OWN,
            };
            enter(id, Message::Kept(&record.message), next)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use orlop::log::{Cursor, Gone, Item, Reader};

    use super::*;
    use crate::agent::log::RingFile;
    use crate::linux::{memfd, seqpacket};

    #[test]
    fn what_the_kernel_lost_before_it_was_first_read_is_counted() {
        let (kmsg, ours) = seqpacket::pair().unwrap();
        for record in [&b"6,5,1,-;five\n"[..], b"6,6,1,-;six\n", b"6,9,1,-;nine\n"] {
            seqpacket::send(ours.as_fd(), record, &[]).unwrap();
        }
        let file = RingFile::create(64 << 10).unwrap();
        let shown = RingFile::adopt(memfd::read_only(file.as_fd()).unwrap()).unwrap();
        let mut ring = Container::new(file);
        ring.recover().unwrap();
        KernelLog::new(kmsg).read(&mut BTreeMap::from([(KERNEL, ring)]), Stamp::default()).unwrap();

        let mut reader = Reader::new(shown.layout(), Cursor::default());
        let (mut told, mut buffer) = (Vec::new(), [0; 100]);
        while let Some(item) = reader.next(&shown, &mut buffer).unwrap() {
            told.push(match item {
                Item::Output { bytes, .. } => String::from_utf8_lossy(bytes).into_owned(),
                Item::Gap { gone: Gone::Refused { reads, .. }, .. } => format!("-{reads}"),
                Item::Gap { gone, .. } => format!("{gone:?}"),
            });
        }
        assert_eq!(told, ["-5", "<6>five", "<6>six", "-2", "<6>nine"]);
    }
}
