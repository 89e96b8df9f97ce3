//! A connection to a machine: one request, one answer or many, and never an endless wait.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orlop::control::session::CLOSED_ERROR;
use orlop::control::{Decoder, Empty, Frame, Reply, Request, encode_call, read};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::failure::{self, Failure};
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::socket;

/// For each step of an exchange: more than a supervisor needs to be back after a crash, and what a
/// person is willing to wait.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes of one answer, so that a server gone mad does not fill this computer's memory: over a
/// hundred times the list of a machine with a thousand containers.
const MAX_REPLY: usize = 64 << 20;

/// What a supervisor needs to be back, on a machine that is not slow.
const RETURN: Duration = Duration::from_millis(200);

const READ: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Client {
    path: PathBuf,
    stream: UnixStream,
    decoder: Decoder,
    /// An answer is missing or half read: the next request needs another connection.
    is_broken: bool,
}

impl Client {
    pub(crate) fn connect(path: &Path) -> Result<Self, Failure> {
        Self::connect_within(path, PATIENCE)
    }

    /// `time`: for a place in the machine's queue.
    pub(crate) fn connect_within(path: &Path, time: Duration) -> Result<Self, Failure> {
        let connected = socket::connect(path, time).map(UnixStream::from);
        let prepared = connected.and_then(|stream| {
            stream.set_write_timeout(Some(PATIENCE))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        let stream = prepared.map_err(|error| {
            let why = match error.kind() {
                io::ErrorKind::NotFound => String::from("there is no such socket"),
                io::ErrorKind::ConnectionRefused => String::from("nobody listens there"),
                io::ErrorKind::WouldBlock => String::from("it takes no connection"),
                _ => failure::why(&error),
            };
            Failure::Disconnected(format!("cannot reach the machine at {}: {why}", path.display()))
        })?;
        let decoder = Decoder::new(MAX_REPLY);
        Ok(Self { path: path.to_owned(), stream, decoder, is_broken: false })
    }

    /// Asks, and returns the parameters of the answer as they came. A question is asked once more
    /// when the connection breaks: a supervisor that crashed is back before a person notices.
    pub(crate) fn ask(&mut self, request: &Request) -> Result<Value, Failure> {
        match self.ask_once(request) {
            Err(Failure::Disconnected(_)) if is_question(request) => {
                self.pause(RETURN);
                self.ask_once(request)
            }
            answer => answer,
        }
    }

    fn ask_once(&mut self, request: &Request) -> Result<Value, Failure> {
        let mut answer = Value::Null;
        self.exchange(request, Time::Limited, |value| {
            answer = value;
            Ok(())
        })?;
        Ok(answer)
    }

    pub(crate) fn call<T: DeserializeOwned>(&mut self, request: &Request) -> Result<T, Failure> {
        understand(self.ask(request)?)
    }

    /// Asks, and hands on each of many answers. `time`: how long one may be waited for.
    pub(crate) fn stream(
        &mut self,
        request: &Request,
        time: Time,
        each: impl FnMut(Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        self.exchange(request, time, each)
    }

    /// Asks for the connection; what comes after the answer, and whatever of it came with that.
    pub(crate) fn upgrade(mut self, request: &Request) -> Result<(UnixStream, Decoder), Failure> {
        let Empty {} = understand(self.ask_once(request)?)?;
        Ok((self.stream, self.decoder))
    }

    /// Asks, and leaves the answers to the caller.
    pub(crate) fn begin(mut self, request: &Request) -> Result<(UnixStream, Decoder), Failure> {
        self.stream.write_all(&encode_call(request)).map_err(|error| self.broken(&error))?;
        Ok((self.stream, self.decoder))
    }

    /// Waits, at most so long, and shorter when the machine closes the connection meanwhile.
    pub(crate) fn pause(&self, time: Duration) {
        // Without an epoll instance the caller asks again at once, and is told what is wrong.
        let _ = Epoll::new().and_then(|epoll| {
            if !self.is_broken {
                epoll.add(self.stream.as_fd(), Interest::empty(), 0)?;
            }
            epoll.wait(Some(time)).map(drop)
        });
    }

    fn exchange(
        &mut self,
        request: &Request,
        time: Time,
        mut each: impl FnMut(Value) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.is_broken {
            *self = Self::connect(&self.path)?;
        }
        let limit = match time {
            Time::Limited => Some(PATIENCE),
            Time::Unlimited => None,
        };
        self.stream.set_read_timeout(limit).map_err(|error| self.broken(&error))?;
        self.is_broken = true;
        let sent = self.stream.write_all(&encode_call(request));
        loop {
            // A machine that refuses us closes at once, and has said why.
            let reply = match (self.reply(), &sent) {
                (Err(_), Err(error)) => return Err(self.broken(error)),
                (reply, _) => reply?,
            };
            if reply.error.as_deref() == Some(CLOSED_ERROR) {
                let text = "the machine's supervisor was replaced before it answered";
                return Err(Failure::Disconnected(text.to_owned()));
            }
            let is_last = reply.is_last();
            match reply.into_result() {
                Ok(value) => each(value)?,
                Err(error) => {
                    self.is_broken = false;
                    return Err(error.into());
                }
            }
            if is_last {
                self.is_broken = false;
                return Ok(());
            }
        }
    }

    fn reply(&mut self) -> Result<Reply, Failure> {
        let mut buffer = vec![0; READ];
        loop {
            match self.decoder.next_frame() {
                Some(Frame::Message(message)) => {
                    return Reply::parse(&message).map_err(|error| not_understood(&error.to_string()));
                }
                Some(Frame::TooLarge) => return Err(not_understood("it is too large")),
                None => {}
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    let text = "the machine closed the connection before it answered";
                    return Err(Failure::Disconnected(text.to_owned()));
                }
                Ok(count) => self.decoder.push(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(&error)),
            }
        }
    }

    fn broken(&self, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                let seconds = PATIENCE.as_secs();
                Failure::Failed(format!("the machine does not answer within {seconds} s"))
            }
            _ => {
                Failure::Disconnected(format!("the connection to the machine broke: {}", failure::why(error)))
            }
        }
    }
}

/// Whether asking twice changes nothing.
fn is_question(request: &Request) -> bool {
    matches!(
        request,
        Request::List
            | Request::Status { .. }
            | Request::Stats { .. }
            | Request::Top { .. }
            | Request::Spec { .. }
            | Request::Boot
            | Request::Version
            | Request::LogLevel { .. }
    )
}

/// How long an answer may be waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    Limited,
    Unlimited,
}

/// Parameters of an answer as the type they should be.
pub(crate) fn understand<T: DeserializeOwned>(value: Value) -> Result<T, Failure> {
    read(value).map_err(|error| not_understood(&error.to_string()))
}

fn not_understood(why: &str) -> Failure {
    Failure::Failed(format!("the machine's answer is not understood (another version?): {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use orlop::control::{Error, encode_error};
    use std::os::unix::net::UnixListener;

    use crate::cli::testing::{Machine, done};

    #[test]
    fn who_waits_without_an_end_does_so_on_every_connection_and_others_do_not() {
        let machine = Machine::new(vec![b"{".to_vec(), done(), done()]);
        let mut client = Client::connect(&machine.path).unwrap();
        let mut stream = || {
            let told = client.stream(&Request::List, Time::Unlimited, |_| Ok(()));
            (told, client.stream.read_timeout().unwrap())
        };
        assert!(matches!(stream(), (Err(Failure::Disconnected(_)), None)));
        assert!(matches!(stream(), (Ok(()), None)));
        client.ask(&Request::List).unwrap();
        assert_eq!(client.stream.read_timeout().unwrap(), Some(PATIENCE));
    }

    #[test]
    fn a_machine_that_refuses_at_once_is_heard_although_nothing_can_be_sent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let mut client = Client::connect(&path).unwrap();
        let (mut machine, _) = listener.accept().unwrap();
        let busy = Error::Busy { what: "clients".into(), limit: 64 };
        machine.write_all(&encode_error(&busy)).unwrap();
        drop(machine);
        match client.ask(&Request::List) {
            Err(Failure::Refused(error)) => assert_eq!(error, busy),
            other => panic!("{other:?}"),
        }
    }
}
