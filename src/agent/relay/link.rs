//! What a relay and the supervisor say to each other: one short message each time.

use std::os::fd::BorrowedFd;

use crate::linux::{Errno, Result, seqpacket};

/// How the process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Exited(i32),
    Killed(i32),
}

/// What a relay says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// Its client wants this signal sent, 1–64.
    Signal(i32),
    /// It is no more, and with it its client's session.
    Over,
}

/// # Errors
/// EPIPE when the relay is gone.
pub(crate) fn send_end(relay: BorrowedFd<'_>, end: End) -> Result<()> {
    let (letter, number) = match end {
        End::Exited(code) => (b'x', code),
        End::Killed(signal) => (b'k', signal),
    };
    let [a, b, c, d] = number.to_be_bytes();
    seqpacket::send(relay, &[letter, a, b, c, d], &[])
}

/// # Errors
/// EAGAIN when there is nothing yet; EPIPE when there never will be.
pub(super) fn receive_end(supervisor: BorrowedFd<'_>) -> Result<End> {
    let mut message = [0; 5];
    match (seqpacket::receive(supervisor, &mut message)?.0, message) {
        (5, [b'x', number @ ..]) => Ok(End::Exited(i32::from_be_bytes(number))),
        (5, [b'k', number @ ..]) => Ok(End::Killed(i32::from_be_bytes(number))),
        (0, _) => Err(Errno::EPIPE),
        _ => Err(Errno::EBADMSG),
    }
}

pub(super) fn send_signal(supervisor: BorrowedFd<'_>, signal: i32) {
    // One who has as many unread needs no more; and what is not a byte is no signal.
    let _ = u8::try_from(signal).map(|signal| seqpacket::send(supervisor, &[b's', signal], &[]));
}

/// # Errors
/// EAGAIN when there is nothing; EBADMSG for what no relay says.
pub(crate) fn receive(relay: BorrowedFd<'_>) -> Result<Word> {
    let mut message = [0; 2];
    match (seqpacket::receive(relay, &mut message)?.0, message) {
        (0, _) => Ok(Word::Over),
        (2, [b's', signal @ 1..=64]) => Ok(Word::Signal(signal.into())),
        _ => Err(Errno::EBADMSG),
    }
}
