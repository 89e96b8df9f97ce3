//! Datagrams of a container's /dev/log → messages in its ring, each once, whoever is killed meanwhile.
//!
//! In turns of a bounded number: messages are looked at and entered, then taken out of the socket. The ring's mark
//! says how many bytes were entered, the socket how many were looked at and not taken out: before all were entered
//! that is as many or more, afterwards as many or fewer. So the lesser of the two is what whoever comes next
//! has still to take out.

use std::os::fd::BorrowedFd;

use orlop::log::{MESSAGE_MAX, PipeKey, Stamp};

use super::container::{Container, Message};
use crate::linux::{Errno, Result, peek, splice};

/// Messages in one wake-up: others wait no longer than that.
const MESSAGES_PER_WAKE: u32 = 32;

/// The mark's lower part, bytes; above it is a part of the number of the run, which says whose bytes they are.
const BYTES: u64 = (1 << 40) - 1;

/// What is left in a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    /// The socket stays readable.
    Something,
}

/// How much of a run's messages was entered, and perhaps not taken out.
fn entered(container: &Container, key: &PipeKey) -> u64 {
    let mark = container.mark();
    if mark & !BYTES == whose(key) { mark & BYTES } else { 0 }
}

fn whose(key: &PipeKey) -> u64 {
    key.generation.wrapping_shl(40)
}

/// Takes the socket over, and ends what a logger before this one was in the midst of: the mark is about one run's
/// messages alone. Those of earlier runs come first.
///
/// # Errors
/// EOPNOTSUPP when it is no socket of messages; as [`Container::enter`].
pub(super) fn take_over(
    container: &mut Container,
    socket: BorrowedFd<'_>,
    key: &PipeKey,
    stamp: Stamp,
) -> Result<()> {
    let entered = entered(container, key);
    let left = peek::looked_at(socket)?.min(entered);
    peek::set_looked_at(socket, left)?;
    if entered == 0 {
        return Ok(());
    }
    container.set_mark(whose(key) | left)?;
    read(container, socket, key, stamp).map(drop)
}

/// Enters what there is, but not too much at once.
///
/// # Errors
/// As [`Container::enter`]: [`take_over`] has to come before the next read.
pub(super) fn read(
    container: &mut Container,
    socket: BorrowedFd<'_>,
    key: &PipeKey,
    stamp: Stamp,
) -> Result<Left> {
    let mut entered = entered(container, key);
    let mut messages = 0;
    let mut buffer = vec![0; MESSAGE_MAX];
    let left = loop {
        let has_time = messages < MESSAGES_PER_WAKE;
        // Without room nothing is looked at, but whether there is more.
        let room = if has_time { buffer.as_mut_slice() } else { &mut [] };
        let size = match peek::look(socket, room) {
            Ok(size) if has_time => size,
            Ok(_) => break Left::Something,
            Err(Errno::EAGAIN) => break Left::Nothing,
            Err(errno) => return Err(errno),
        };
        let message = buffer.get(..size.min(MESSAGE_MAX)).unwrap_or_default();
        entered = entered.saturating_add(message.len() as u64);
        let kept = if container.allows(stamp, message.len() as u64) {
            Message::Kept(message)
        } else {
            Message::Lost { bytes: message.len() as u64, reads: 1 }
        };
        if !message.is_empty() {
            container.enter(stamp, kept, whose(key) | entered)?;
        }
        // A longer one goes on with the next look; in the midst of it nothing may be taken out.
        messages = if size > MESSAGE_MAX { messages } else { messages.saturating_add(1) };
    };
    take_out(socket, entered)?;
    if entered > 0 {
        container.set_mark(whose(key))?;
    }
    Ok(left)
}

/// Takes out what was entered, and empty ones that stand first.
fn take_out(socket: BorrowedFd<'_>, entered: u64) -> Result<()> {
    let mut left = entered;
    while left > 0 {
        match peek::take_out(socket) {
            Ok(size) => left = left.saturating_sub(size as u64),
            // It was less than the mark said, which cannot be: then nothing is left to take out.
            Err(Errno::EAGAIN) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Of a socket that holds something: when an empty datagram stands first, it is dropped. It would be passed over for
/// ever, and the socket never be empty.
///
/// # Errors
/// As recv(2).
pub(super) fn drop_empty(socket: BorrowedFd<'_>) -> Result<()> {
    // The first has no bytes, and nobody else takes it out before we do.
    if splice::bytes_in_pipe(socket)? == 0 { peek::take_out(socket).map(drop) } else { Ok(()) }
}
