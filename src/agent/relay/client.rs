//! The client's side of a relay: frames in, frames out, and whether it is still there.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::control::session::Heard;
use orlop::control::stream::{FromMachine, MAX_FRAME, ToMachine};
use orlop::control::{Empty, Frame, encode_reply};

use crate::agent::control::input::{Edge, Host, Input};
use crate::agent::control::output::{Output, Sent};
use crate::linux::epoll::Interest;
use crate::linux::{Errno, Result, socket};

/// Bytes of one read, and how many of these before the process has its turn.
const READ: usize = 16 << 10;
const READS: usize = 4;
/// Messages of one read wait in a port's session until they are taken.
const LIMIT: usize = 2 * MAX_FRAME;
/// Output that waits; with more, the process's is not read.
const ROOM: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Client {
    fd: OwnedFd,
    input: Input,
    output: Output,
    is_gone: bool,
    /// Of a socket: epoll says that there is something. A port knows by itself.
    is_told: bool,
}

impl Client {
    /// `kind`: `socket`, `port`, or `port-early` when the port does not know yet that somebody is there.
    /// The answer to its call is the first that it hears.
    pub(super) fn new(fd: OwnedFd, kind: &str) -> Result<Self> {
        let input = match kind {
            "socket" => Input::socket(MAX_FRAME),
            "port" => Input::open_port(LIMIT, Host::Present),
            "port-early" => Input::open_port(LIMIT, Host::Absent),
            _ => return Err(Errno::EINVAL),
        };
        let mut output = Output::default();
        output.push(&encode_reply(&Empty {}));
        Ok(Self { fd, input, output, is_gone: false, is_told: false })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// It has left, or was cut off: nothing is to be done for it any more.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    pub(super) fn is_port(&self) -> bool {
        self.input.is_port()
    }

    pub(super) fn has_room(&self) -> bool {
        self.output.len() < ROOM
    }

    /// Bytes that it has not taken yet.
    pub(super) fn waiting(&self) -> usize {
        self.output.len()
    }

    /// A port that told of something which was not read; no event will come of it.
    pub(super) fn is_unfinished(&self) -> bool {
        self.input.is_undrained()
    }

    /// What epoll told.
    pub(super) fn ready(&mut self, events: Interest) {
        let hung_up = events.intersects(Interest::EPOLLHUP | Interest::EPOLLERR);
        let edge = self.input.edge(hung_up);
        self.is_told = true;
        self.is_gone |= edge == Edge::HostLeft || hung_up && !self.is_port();
    }

    /// Reads what is there and hands on each frame.
    pub(super) fn hear(&mut self, mut each: impl FnMut(ToMachine)) {
        if !std::mem::take(&mut self.is_told) && !self.is_unfinished() {
            return;
        }
        let mut buffer = [0; READ];
        for _ in 0..READS {
            if self.is_gone || self.is_port() && !self.is_unfinished() {
                return;
            }
            match socket::read(self.fd.as_fd(), &mut buffer) {
                Ok(0) if self.is_port() => self.input.drain(),
                Ok(0) => self.is_gone = true,
                Ok(count) => self.take(buffer.get(..count).unwrap_or_default(), &mut each),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.input.drain();
                    return;
                }
                Err(_) => self.is_gone = true,
            }
        }
    }

    fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(ToMachine)) {
        match self.input.push(bytes) {
            Heard::Nothing => {}
            // The next client of the port, who is answered by whoever has the port then.
            Heard::Begun(_) | Heard::Stray | Heard::Flooded => self.is_gone = true,
        }
        while let (false, Some(frame)) = (self.is_gone, self.input.next_frame()) {
            let decoded = match &frame {
                Frame::Message(message) => ToMachine::decode(message).ok(),
                Frame::TooLarge => None,
            };
            match decoded {
                Some(frame) => each(frame),
                None => self.is_gone = true,
            }
        }
    }

    /// Cuts it off.
    pub(super) fn cut_off(&mut self) {
        self.is_gone = true;
    }

    pub(super) fn say(&mut self, frame: &FromMachine) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        self.output.push(&bytes);
    }

    pub(super) fn flush(&mut self) {
        let (fd, is_port) = (self.fd.as_fd(), self.input.is_port());
        let sent = self
            .output
            .send(|bytes| if is_port { socket::write(fd, bytes) } else { socket::send_now(fd, bytes) });
        self.is_gone |= sent == Sent::Broken;
    }
}
