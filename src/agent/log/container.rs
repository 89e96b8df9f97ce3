//! One container's ring in the logger, and the moving of bytes into it.

use std::os::fd::{AsFd, BorrowedFd};

use orlop::log::{Bucket, READ_MAX, Recovered, Ring, Stamp, Stream};

use super::RingFile;
use crate::linux::{Errno, Result, splice};

/// What comes in whole messages.
#[derive(Debug, Clone, Copy)]
pub(super) enum Message<'a> {
    /// At most [`orlop::log::MESSAGE_MAX`].
    Kept(&'a [u8]),
    Lost {
        bytes: u64,
        reads: u64,
    },
}

#[derive(Debug)]
pub(super) struct Container {
    file: RingFile,
    /// `None`: it could not be read or written when it was last tried.
    ring: Option<Ring>,
    rate: Option<u64>,
    bucket: Option<Bucket>,
    /// The supervisor waits for a change after this one.
    follow: Option<u64>,
}

impl Container {
    pub(super) fn new(file: RingFile) -> Self {
        Self { file, ring: None, rate: None, bucket: None, follow: None }
    }

    pub(super) fn is_ring(&self, file: &RingFile) -> bool {
        self.file.identity() == file.identity()
    }

    /// What the ring's writer had read of its messages' source; 0 while it cannot be read.
    pub(super) fn mark(&self) -> u64 {
        self.ring.as_ref().map_or(0, Ring::mark)
    }

    /// The mark alone.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn set_mark(&mut self, mark: u64) -> Result<()> {
        let Some(mut ring) = self.ring.take() else { return Err(Errno::EIO) };
        ring.set_mark(&self.file, mark)?;
        self.ring = Some(ring);
        Ok(())
    }

    /// Whether a message of so many bytes is within the rate. A part of one is no use.
    pub(super) fn allows(&mut self, stamp: Stamp, bytes: u64) -> bool {
        let Some(bucket) = &mut self.bucket else { return true };
        let allowed = bucket.take(stamp.boot_us, bytes);
        if allowed < bytes {
            bucket.put_back(allowed);
        }
        allowed == bytes
    }

    /// Enters a message, or how much of them was lost, and the mark with it.
    ///
    /// # Errors
    /// As [`Self::read`]: what was not entered is to be read once more.
    pub(super) fn enter(&mut self, stamp: Stamp, message: Message<'_>, mark: u64) -> Result<()> {
        let Some(mut ring) = self.ring.take() else { return Err(Errno::EIO) };
        match message {
            Message::Kept(bytes) => ring.append(&self.file, stamp, Stream::Syslog, bytes, mark)?,
            Message::Lost { bytes, reads } => ring.append_refused(&self.file, stamp, (bytes, reads), mark)?,
        }
        self.ring = Some(ring);
        Ok(())
    }

    /// From here on at most `rate` bytes a second are kept.
    pub(super) fn set_rate(&mut self, rate: Option<u64>, now_us: u64) {
        if self.rate != rate {
            self.rate = rate;
            self.bucket = rate.map(|rate| Bucket::new(rate, now_us));
        }
    }

    /// Takes the ring up where it was left, by us or by another logger.
    pub(super) fn recover(&mut self) -> Result<Recovered> {
        self.ring = None;
        let (ring, recovered) = Ring::recover(&self.file, self.file.layout())?;
        self.ring = Some(ring);
        Ok(recovered)
    }

    pub(super) fn is_usable(&self) -> bool {
        self.ring.is_some()
    }

    pub(super) fn follow(&mut self, after: u64) {
        self.follow = Some(after);
    }

    /// Whether the one who follows is to be woken now; says so once.
    pub(super) fn take_wake(&mut self) -> bool {
        let seq = self.ring.as_ref().map(Ring::seq);
        // Less: it began anew.
        let due = self.follow.zip(seq).is_some_and(|(after, seq)| seq != after);
        if due {
            self.follow = None;
        }
        due
    }

    /// Moves what is in `pipe`, at most [`READ_MAX`] of it, so that no container keeps the others
    /// waiting.
    ///
    /// # Errors
    /// The ring cannot be written: `recover` has to come before the next read. Nothing is lost, the
    /// position of the ring's file says what was moved.
    pub(super) fn read(&mut self, pipe: BorrowedFd<'_>, stream: Stream, stamp: Stamp) -> Result<()> {
        let Some(mut ring) = self.ring.take() else { return Err(Errno::EIO) };
        self.read_into(&mut ring, pipe, stream, stamp)?;
        self.ring = Some(ring);
        Ok(())
    }

    fn read_into(
        &mut self,
        ring: &mut Ring,
        pipe: BorrowedFd<'_>,
        stream: Stream,
        stamp: Stamp,
    ) -> Result<()> {
        let there = splice::bytes_in_pipe(pipe)?.min(READ_MAX);
        let allowed = match &mut self.bucket {
            Some(bucket) => bucket.take(stamp.boot_us, there),
            None => there,
        };
        if allowed == 0 {
            return self.refuse(ring, pipe, stamp, there);
        }
        let target = ring.keep(&self.file, stamp, stream, allowed)?;
        let moved = splice::to_position(pipe, self.file.as_fd(), length(target.len));
        let count = moved.unwrap_or(0) as u64;
        ring.moved(&self.file, count)?;
        if let Some(bucket) = &mut self.bucket {
            bucket.put_back(allowed.saturating_sub(count));
        }
        match moved {
            Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => Ok(()),
            // No page for it. Better counted than in the pipe, where it would stop the container.
            Err(Errno::ENOMEM | Errno::ENOSPC) => self.refuse(ring, pipe, stamp, there),
            Err(errno) => Err(errno),
        }
    }

    /// Moves up to `count` bytes out of the way, counted.
    fn refuse(&self, ring: &mut Ring, pipe: BorrowedFd<'_>, stamp: Stamp, count: u64) -> Result<()> {
        let mut left = count;
        while left > 0 {
            let target = ring.refuse(&self.file, stamp, left)?;
            let moved = splice::to_position(pipe, self.file.as_fd(), length(target.len));
            ring.moved(&self.file, moved.unwrap_or(0) as u64)?;
            match moved {
                Ok(0) | Err(Errno::EAGAIN | Errno::EINTR) => return Ok(()),
                Ok(moved) => left = left.saturating_sub(moved as u64),
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

/// Lengths here are at most [`READ_MAX`].
fn length(len: u64) -> usize {
    usize::try_from(len).unwrap_or(0)
}
