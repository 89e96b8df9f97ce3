//! A container's output as its log grows, for who is attached: nothing twice, and nothing left out, over any number
//! of connections.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::control::session::CLOSED_ERROR;
use orlop::control::{Decoder, Entry, Frame, Logs, LogsReply, Reply, Request, Stream};

use super::client::{Client, Time, understand};
use super::failure::{self, Failure};
use crate::linux::{fd, socket};

/// Bytes of one read from the connection.
const READ: usize = 64 << 10;

/// How far the log has been shown.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Of the last entry; both streams may have one of the same moment.
    boot_us: u64,
    at_that: u64,
    /// Entries of that moment that another connection shows again.
    again: u64,
}

impl Seen {
    /// From here on another connection tells, from the beginning.
    pub(crate) fn begin_again(&mut self) {
        self.again = self.at_that;
    }

    /// Whether this entry is new.
    fn take(&mut self, entry: &Entry) -> bool {
        if entry.boot_us < self.boot_us {
            return false;
        }
        if entry.boot_us > self.boot_us {
            (self.boot_us, self.at_that, self.again) = (entry.boot_us, 1, 0);
            return true;
        }
        if let Some(left) = self.again.checked_sub(1) {
            self.again = left;
            return false;
        }
        self.at_that += 1;
        true
    }
}

/// What an entry is to a person: output, or that some is gone.
pub(crate) enum Piece {
    Output(Vec<u8>),
    ErrorOutput(Vec<u8>),
    Gap(String),
}

/// The connection that follows.
pub(crate) struct Following<'a> {
    connection: OwnedFd,
    decoder: Decoder,
    seen: &'a mut Seen,
}

impl<'a> Following<'a> {
    pub(crate) fn begin(client: Client, name: &str, seen: &'a mut Seen) -> Result<Self, Failure> {
        let lines = if *seen == Seen::default() { Some(0) } else { None };
        seen.begin_again();
        let (stream, decoder) = client.begin(&Request::Logs(Logs {
            names: vec![name.to_owned()],
            lines,
            follow: true,
            ..Logs::default()
        }))?;
        let connection = OwnedFd::from(stream);
        let failed = |errno: crate::linux::Errno| Failure::Failed(errno.desc().to_owned());
        fd::nonblocking(connection.as_fd()).map_err(failed)?;
        Ok(Self { connection, decoder, seen })
    }

    pub(crate) fn connection(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }

    /// What has come.
    pub(crate) fn receive(&mut self) -> Result<Vec<Piece>, Failure> {
        let mut buffer = vec![0; READ];
        match socket::read(self.connection.as_fd(), &mut buffer) {
            Ok(0) => return Err(Failure::Disconnected("the machine closed the connection".into())),
            Ok(count) => self.decoder.push(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Vec::new()),
            Err(error) => return Err(Failure::Disconnected(failure::why(&error))),
        }
        let mut pieces = Vec::new();
        while let Some(frame) = self.decoder.next_frame() {
            let Frame::Message(message) = frame else { return Err(not_understood()) };
            let reply = Reply::parse(&message).map_err(|_| not_understood())?;
            if reply.error.as_deref() == Some(CLOSED_ERROR) {
                return Err(Failure::Disconnected("the machine's supervisor was replaced".into()));
            }
            let reply: LogsReply = understand(reply.into_result()?)?;
            pieces.extend(new(&reply, self.seen)?);
        }
        Ok(pieces)
    }
}

/// What the log has beyond what was seen, to its end.
pub(crate) fn rest(client: &mut Client, name: &str, seen: &mut Seen) -> Result<Vec<Piece>, Failure> {
    read(client, name, None, seen)
}

/// What is there already is not of interest.
pub(crate) fn pass_over(client: &mut Client, name: &str) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    read(client, name, Some(1), &mut seen)?;
    Ok(seen)
}

fn read(client: &mut Client, name: &str, lines: Option<u64>, seen: &mut Seen) -> Result<Vec<Piece>, Failure> {
    seen.begin_again();
    let mut pieces = Vec::new();
    let request = Request::Logs(Logs { names: vec![name.to_owned()], lines, ..Logs::default() });
    client.stream(&request, Time::Limited, |answer| {
        pieces.extend(new(&understand(answer)?, seen)?);
        Ok(())
    })?;
    Ok(pieces)
}

fn new(reply: &LogsReply, seen: &mut Seen) -> Result<Vec<Piece>, Failure> {
    let mut pieces = Vec::new();
    for entry in reply.entries.iter().filter(|entry| seen.take(entry)) {
        if let Some(dropped) = &entry.dropped {
            pieces.push(Piece::Gap(super::logs::gap(&entry.name, dropped)));
        }
        let bytes = entry.bytes().ok_or_else(not_understood)?;
        match entry.stream {
            Some(Stream::Stdout) | None => pieces.push(Piece::Output(bytes)),
            Some(Stream::Stderr) => pieces.push(Piece::ErrorOutput(bytes)),
            // Was never written where who is attached looks.
            Some(Stream::Syslog) => {}
        }
    }
    Ok(pieces)
}

fn not_understood() -> Failure {
    Failure::Failed("the machine's answer is not understood".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_shown_twice_or_left_out_over_connections() {
        let entry = |boot_us| Entry::output("web", Stream::Stdout, boot_us, String::new(), b"x");
        let mut seen = Seen::default();
        let mut take = |times: &[u64]| -> Vec<bool> {
            seen.begin_again();
            times.iter().map(|at| seen.take(&entry(*at))).collect()
        };
        assert_eq!(take(&[5, 7, 7]), [true, true, true]);
        // From the beginning again, with one more of the same moment.
        assert_eq!(take(&[2, 5, 7, 7, 7, 8]), [false, false, false, false, true, true]);
        assert_eq!(take(&[7, 8]), [false, false]);
        assert_eq!(take(&[8, 8, 9]), [false, true, true]);
    }

    #[test]
    fn what_the_machine_refuses_is_not_asked_for_again() {
        use std::io::Write;
        let receive = |said: &[u8]| {
            let (ours, mut theirs) = std::os::unix::net::UnixStream::pair().unwrap();
            theirs.write_all(said).unwrap();
            let mut seen = Seen::default();
            let decoder = Decoder::new(1 << 20);
            Following { connection: ours.into(), decoder, seen: &mut seen }.receive().err()
        };
        let busy = orlop::control::Error::Busy { what: "streams".into(), limit: 16 };
        let refused = receive(&orlop::control::encode_error(&busy));
        assert!(matches!(refused, Some(Failure::Refused(error)) if error == busy));
        // Another supervisor may answer.
        let closed = receive(&orlop::control::session::closed_notice());
        assert!(matches!(closed, Some(Failure::Disconnected(_))), "{closed:?}");
    }
}
