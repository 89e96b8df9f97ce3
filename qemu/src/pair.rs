//! One client of the control socket and the control port that it was given.
//!
//! Opens the session for the client, then carries bytes both ways. What one side does not take,
//! the other is not asked for: at most a buffer's worth waits in each direction.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use orlop::control::session::{Opened, Opening};

use crate::client::{FIRST_PATIENCE, LAST_PATIENCE, nonce};
use crate::ports::Lease;
use crate::relay::Interest;

/// In one direction. A virtio port takes 32 KiB at once; twice that keeps it busy.
const BUFFER: usize = 64 << 10;

pub(crate) struct Pair {
    client: UnixStream,
    port: UnixStream,
    /// `None` once the session has begun.
    opening: Option<Knock>,
    to_port: Vec<u8>,
    to_client: Vec<u8>,
    /// The client will send nothing more; it may still wait for answers.
    client_done: bool,
    /// Freed after both sockets are closed: fields are dropped in this order.
    _lease: Lease,
}

/// A request for a session, and when it is made again.
struct Knock {
    opening: Opening,
    patience: Duration,
    again: Instant,
}

impl Pair {
    pub(crate) fn new(client: UnixStream, lease: Lease) -> crate::Result<Self> {
        let port = lease.connect()?;
        port.set_nonblocking(true).map_err(|e| crate::Error::host("set up a control port", e))?;
        let mut pair = Self {
            client,
            port,
            opening: None,
            to_port: Vec::new(),
            to_client: Vec::new(),
            client_done: false,
            _lease: lease,
        };
        pair.knock(FIRST_PATIENCE);
        Ok(pair)
    }

    fn knock(&mut self, patience: Duration) {
        let opening = Opening::new(nonce());
        self.to_port.extend_from_slice(&opening.hello());
        self.opening = Some(Knock { opening, patience, again: Instant::now() + patience });
    }

    pub(crate) fn interests(&self) -> impl Iterator<Item = Interest<'_>> {
        let mut client = PollFlags::empty();
        // Before the session, the client's bytes wait in its own socket.
        client.set(PollFlags::POLLIN, self.wants_client());
        client.set(PollFlags::POLLOUT, !self.to_client.is_empty());
        let mut port = PollFlags::empty();
        port.set(PollFlags::POLLIN, self.to_client.len() < BUFFER);
        port.set(PollFlags::POLLOUT, !self.to_port.is_empty());
        // The client is always looked at, for its hang-up. A port that has hung up is seen only when
        // its last bytes are wanted: until then it would wake us for nothing.
        let port = (!port.is_empty()).then_some((self.port.as_fd(), port));
        [(self.client.as_fd(), client)].into_iter().chain(port)
    }

    fn wants_client(&self) -> bool {
        self.opening.is_none() && !self.client_done && self.to_port.len() < BUFFER
    }

    /// Until the session is asked for again.
    pub(crate) fn patience(&self) -> Option<Duration> {
        let knock = self.opening.as_ref()?;
        Some(knock.again.saturating_duration_since(Instant::now()))
    }

    /// Does all that can be done without waiting. `false`: one side is gone, and so is the pair.
    pub(crate) fn work(&mut self) -> bool {
        self.try_work().unwrap_or(false)
    }

    fn try_work(&mut self) -> io::Result<bool> {
        if let Some(knock) = &self.opening {
            // Only when the last request has left: a port that takes nothing has nobody behind it.
            if Instant::now() >= knock.again {
                let patience = knock.patience.saturating_mul(2).min(LAST_PATIENCE);
                if self.to_port.is_empty() {
                    self.knock(patience);
                } else if let Some(knock) = &mut self.opening {
                    knock.again = Instant::now() + patience;
                }
            }
        }
        if self.to_client.len() < BUFFER {
            match receive(&mut self.port)? {
                Received::Bytes(bytes) => self.take_from_port(&bytes),
                Received::Nothing => {}
                Received::End => return Ok(false),
            }
        }
        if self.wants_client() {
            match receive(&mut self.client)? {
                Received::Bytes(bytes) => self.to_port.extend_from_slice(&bytes),
                Received::Nothing => {}
                Received::End => self.client_done = true,
            }
        }
        send(&mut self.port, &mut self.to_port)?;
        send(&mut self.client, &mut self.to_client)?;
        Ok(!has_hung_up(&self.client))
    }

    fn take_from_port(&mut self, bytes: &[u8]) {
        let Some(knock) = &mut self.opening else {
            self.to_client.extend_from_slice(bytes);
            return;
        };
        match knock.opening.receive(bytes) {
            Opened::Waiting => {}
            Opened::Closed => {
                let patience = knock.patience;
                // As above: a request that has not left yet will be heard, and a machine that only says
                // this and reads nothing must not fill our memory.
                if self.to_port.is_empty() {
                    self.knock(patience);
                }
            }
            Opened::Begun(rest) => {
                self.to_client = rest.to_vec();
                self.opening = None;
            }
        }
    }
}

enum Received {
    Bytes(Vec<u8>),
    Nothing,
    End,
}

fn receive(stream: &mut UnixStream) -> io::Result<Received> {
    let mut buffer = vec![0; BUFFER];
    match stream.read(&mut buffer) {
        Ok(0) => Ok(Received::End),
        Ok(count) => {
            buffer.truncate(count);
            Ok(Received::Bytes(buffer))
        }
        Err(e) if is_later(&e) => Ok(Received::Nothing),
        Err(e) => Err(e),
    }
}

fn send(stream: &mut UnixStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    match stream.write(bytes) {
        Ok(count) => {
            bytes.drain(..count);
            Ok(())
        }
        Err(e) if is_later(&e) => Ok(()),
        Err(e) => Err(e),
    }
}

fn is_later(e: &io::Error) -> bool {
    matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Gone for good, not only done with sending.
fn has_hung_up(client: &UnixStream) -> bool {
    let mut fds = [nix::poll::PollFd::new(client.as_fd(), PollFlags::empty())];
    let polled = nix::poll::poll(&mut fds, nix::poll::PollTimeout::ZERO);
    let [fd] = fds;
    polled.is_ok() && fd.revents().is_some_and(|flags| flags.contains(PollFlags::POLLHUP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{Ports, socket_path};
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_machine_that_only_says_closed_and_reads_nothing_takes_no_memory() {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(socket_path(folder.path(), 0)).unwrap();
        let (_person, client) = UnixStream::pair().unwrap();
        client.set_nonblocking(true).unwrap();
        let mut pair = Pair::new(client, Ports::new(folder.path()).take().unwrap()).unwrap();
        let (mut machine, _) = listener.accept().unwrap();
        for _ in 0..20_000 {
            machine.write_all(&orlop::control::session::closed_notice()).unwrap();
            assert!(pair.work());
        }
        assert!(pair.to_port.len() < BUFFER, "{} bytes", pair.to_port.len());
    }
}
