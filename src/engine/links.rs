//! The links of a network namespace: asks the kernel for them, and tells it one change at a time.

use std::fmt;
use std::io;

use orlop::network::netlink::{Answer, Malformed, Progress, Question, Refusal, ask, encode};
use orlop::network::{Change, Found};

use crate::linux::netlink::RouteSocket;

/// A list is asked for again when it changed while it was read; links do not come and go so often
/// that it happens three times.
const ATTEMPTS: usize = 3;

/// Why the kernel did not do, or tell, what it was asked.
#[derive(Debug)]
pub enum Error {
    Socket(io::Error),
    Malformed(Malformed),
    Refused(Refusal),
    /// The list changed under each of the attempts to read it.
    Restless,
}

/// The kernel's side of rtnetlink, one question at a time.
pub struct Kernel {
    socket: RouteSocket,
    sequence: u32,
}

impl Kernel {
    /// Of the network namespace that we are in.
    ///
    /// # Errors
    /// EMFILE.
    pub fn open() -> Result<Self, Error> {
        let socket = RouteSocket::open().map_err(Error::Socket)?;
        Ok(Self { socket, sequence: 0 })
    }

    /// All links, or addresses, or routes.
    ///
    /// # Errors
    /// They changed each time they were looked at.
    pub fn list(&mut self, question: Question) -> Result<Found, Error> {
        for _attempt in 0..ATTEMPTS {
            if let Some(found) = self.exchange(|sequence| ask(question, sequence))? {
                return Ok(found);
            }
        }
        Err(Error::Restless)
    }

    /// # Errors
    /// What the kernel has against it; that it is so already is none.
    pub fn apply(&mut self, change: &Change) -> Result<(), Error> {
        match self.exchange(|sequence| encode(change, sequence)) {
            Err(Error::Refused(refusal)) if change.is_done_by(refusal.errno) => Ok(()),
            result => result.map(|_| ()),
        }
    }

    /// `None`: interrupted.
    fn exchange(&mut self, request: impl Fn(u32) -> Vec<u8>) -> Result<Option<Found>, Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut answer = Answer::to(self.sequence);
        self.socket.send(&request(self.sequence)).map_err(Error::Socket)?;
        loop {
            let datagram = self.socket.receive().map_err(Error::Socket)?;
            match answer.read(datagram).map_err(Error::Malformed)? {
                Progress::More => {}
                Progress::Done(found) => return Ok(Some(found)),
                Progress::Interrupted => return Ok(None),
                Progress::Refused(refusal) => return Err(Error::Refused(refusal)),
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(error) => write!(f, "netlink: {error}"),
            Self::Malformed(error) => error.fmt(f),
            Self::Refused(Refusal { errno, text }) => {
                let error = io::Error::from_raw_os_error(*errno);
                match text {
                    Some(text) => write!(f, "{text} ({error})"),
                    None => error.fmt(f),
                }
            }
            Self::Restless => f.write_str("the links changed each time they were looked at"),
        }
    }
}

impl std::error::Error for Error {}
