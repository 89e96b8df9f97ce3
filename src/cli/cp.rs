//! `orlop cp`: files of this computer to a container, and the other way.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use orlop::control::stream::{FromMachine, MAX_DATA, ToMachine, WINDOW};
use orlop::control::{Decoder, Frame, Request};

use super::arguments::CopyArguments;
use super::client::Client;
use super::failure::{self, Failure};
use super::screen::{Screen, printable};
use crate::copy::{self, Links, Modes, Place, Unpacker};

/// One side of a copy, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Side<'a> {
    /// `NAME:PATH`
    Container {
        name: &'a str,
        path: &'a str,
    },
    Here(&'a str),
    /// `-`: a tar stream.
    Stream,
}

impl<'a> Side<'a> {
    /// As Docker has it: what begins with a dot or a slash is a path, and so is what has no colon, or a slash
    /// before it.
    fn read(text: &'a str) -> Self {
        match text.split_once(':') {
            _ if text == "-" => Self::Stream,
            Some((name, path)) if !text.starts_with('.') && !name.contains('/') => {
                Self::Container { name, path }
            }
            Some(_) | None => Self::Here(text),
        }
    }
}

pub(crate) fn cp(
    connect: impl Fn() -> Result<Client, Failure>,
    screen: &mut Screen<'_>,
    arguments: &CopyArguments,
) -> Result<(), Failure> {
    let (from, to) = (Side::read(&arguments.source), Side::read(&arguments.destination));
    match (from, to) {
        (Side::Container { name, path }, to @ (Side::Here(_) | Side::Stream)) => {
            let (name, from, follow) = (name.to_owned(), path.to_owned(), arguments.follow_link);
            let pipe = Pipe::open(connect()?, &Request::CopyFrom { name, path: from, follow })?;
            from_container(pipe, screen, path, &to)
        }
        (from @ (Side::Here(_) | Side::Stream), Side::Container { name, path }) => {
            let within = from == Side::Stream;
            let request = Request::CopyTo { name: name.to_owned(), path: path.to_owned(), within };
            to_container(|| Pipe::open(connect()?, &request), screen, &from, arguments.follow_link)
        }
        (Side::Container { .. }, Side::Container { .. }) => {
            Err(Failure::Failed("copy by way of here: between two containers there is no way".into()))
        }
        (Side::Here(_) | Side::Stream, Side::Here(_) | Side::Stream) => {
            Err(Failure::Failed("one of the two must be NAME:PATH".into()))
        }
    }
}

fn from_container(mut pipe: Pipe, screen: &mut Screen<'_>, from: &str, to: &Side<'_>) -> Result<(), Failure> {
    let mut told = Vec::new();
    match to {
        Side::Here(destination) => {
            let destination = destination.as_bytes();
            let found = copy::find(destination, &opened).map_err(failed)?;
            let from = from.as_bytes();
            let choose = |path: &[u8], kind: &_| Place::choose_for(from, destination, found, path, kind);
            let mut tell = |text| told.push(text);
            // A stranger's files give nobody's power away.
            let mut unpacker = Unpacker::new(choose, Modes::Plain, &mut tell);
            let mut wrong = None;
            pipe.receive(|bytes| {
                unpacker
                    .push(bytes)
                    .map_err(|failure| wrong.insert(failed(failure)).line().unwrap_or_default())
            })
            .map_err(|failure| wrong.take().unwrap_or(failure))?;
            unpacker.finish().map_err(failed)?;
        }
        Side::Stream | Side::Container { .. } => {
            pipe.receive(|bytes| screen.out.write_all(bytes).map_err(|error| failure::why(&error)))?;
        }
    }
    say(screen, pipe.told().into_iter().chain(told))
}

fn to_container(
    begin: impl FnOnce() -> Result<Pipe, Failure>,
    screen: &mut Screen<'_>,
    from: &Side<'_>,
    follow: bool,
) -> Result<(), Failure> {
    let mut told = Vec::new();
    let mut pipe;
    match from {
        Side::Here(source) => {
            let links = if follow { Links::Follow } else { Links::Copy };
            let open = |flags| {
                opened(source.as_bytes(), flags | if links == Links::Copy { libc::O_NOFOLLOW } else { 0 })
            };
            // What is not there is not asked for.
            open(libc::O_PATH).map_err(|errno| Failure::Failed(format!("{source}: {}", errno.desc())))?;
            pipe = begin()?;
            let name = copy::last(source.as_bytes());
            let name = if name == b".." { b"" } else { name };
            let mut wrong = None;
            let mut write = |bytes: &[u8]| {
                pipe.send(bytes).map_err(|failure| {
                    let text = failure.line().unwrap_or_default();
                    wrong = Some(failure);
                    copy::Failure::new(b"the machine", text)
                })
            };
            let packed = copy::pack(&open, name, &mut write, &mut |text| told.push(text));
            match (packed, wrong) {
                (Ok(()), _) => {}
                (Err(_), Some(failure)) => return Err(failure),
                (Err(failure), None) => return Err(failed(failure)),
            }
        }
        Side::Stream | Side::Container { .. } => {
            pipe = begin()?;
            let (mut stdin, mut buffer) = (std::io::stdin().lock(), vec![0; MAX_DATA]);
            loop {
                let count = stdin.read(&mut buffer).map_err(|error| Failure::Failed(failure::why(&error)))?;
                match buffer.get(..count) {
                    Some([]) | None => break,
                    Some(bytes) => pipe.send(bytes)?,
                }
            }
        }
    }
    pipe.say(&ToMachine::EndOfInput)?;
    pipe.receive(|_| Ok(()))?;
    say(screen, pipe.told().into_iter().chain(told))
}

/// What was left out.
fn say(screen: &mut Screen<'_>, lines: impl Iterator<Item = String>) -> Result<(), Failure> {
    for line in lines {
        writeln!(screen.err, "{}", printable(&line))?;
    }
    Ok(())
}

fn failed(failure: copy::Failure) -> Failure {
    Failure::Failed(failure.to_string())
}

fn opened(path: &[u8], flags: i32) -> crate::linux::Result<OwnedFd> {
    let flags = OFlag::from_bits_retain(flags | libc::O_CLOEXEC);
    open(Path::new(OsStr::from_bytes(path)), flags, Mode::empty())
}

/// Bytes of what was told on the standard error that are kept.
const ERRORS: usize = 1 << 20;

/// A session whose input is written and whose output is read, one after the other.
struct Pipe {
    stream: UnixStream,
    decoder: Decoder,
    window: usize,
    /// What came on the standard error.
    errors: Vec<u8>,
    end: Option<FromMachine>,
}

impl Pipe {
    fn open(client: Client, request: &Request) -> Result<Self, Failure> {
        let (stream, decoder) = client.upgrade(request)?;
        let patient = stream.set_read_timeout(None).and_then(|()| stream.set_write_timeout(None));
        patient.map_err(|error| Failure::Failed(failure::why(&error)))?;
        Ok(Self { stream, decoder, window: WINDOW, errors: Vec::new(), end: None })
    }

    fn say(&mut self, frame: &ToMachine) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes);
        // A machine that has ended it has said why.
        match self.stream.write_all(&bytes) {
            Err(error) if self.end.is_none() => {
                while let Ok(Some(_)) = self.hear() {}
                if self.end.is_some() { self.outcome() } else { Err(lost(&error)) }
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Sends input, and waits for credit where there is none.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        for piece in bytes.chunks(MAX_DATA) {
            while self.window < piece.len() {
                if self.hear()?.is_some() {
                    continue;
                }
                return Err(self
                    .outcome()
                    .err()
                    .unwrap_or_else(|| Failure::Failed("the machine took no more of it".into())));
            }
            self.window -= piece.len();
            self.say(&ToMachine::Input(piece.to_vec()))?;
        }
        Ok(())
    }

    /// Hands on output until the end.
    fn receive(&mut self, mut each: impl FnMut(&[u8]) -> Result<(), String>) -> Result<(), Failure> {
        while let Some(output) = self.hear()? {
            each(&output).map_err(Failure::Failed)?;
        }
        self.outcome()
    }

    /// One frame, and the output in it; `None`: it was the last.
    fn hear(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut buffer = vec![0; MAX_DATA];
        while self.end.is_none() {
            match self.decoder.next_frame() {
                Some(Frame::Message(message)) => match FromMachine::decode(&message) {
                    Ok(FromMachine::Output(data)) => return Ok(Some(data)),
                    Ok(FromMachine::ErrorOutput(data)) => {
                        // The last line says why it did not work.
                        if self.errors.len() >= ERRORS {
                            self.errors.drain(..ERRORS / 2);
                        }
                        self.errors.extend(data);
                        return Ok(Some(Vec::new()));
                    }
                    Ok(FromMachine::Credit(more)) => {
                        self.window = self.window.saturating_add(more as usize);
                        return Ok(Some(Vec::new()));
                    }
                    Ok(end) => self.end = Some(end),
                    Err(_) => return Err(Failure::Failed("the machine's answer is not understood".into())),
                },
                Some(Frame::TooLarge) => {
                    return Err(Failure::Failed("the machine's answer is not understood".into()));
                }
                None => match self.stream.read(&mut buffer) {
                    Ok(0) => {
                        let text = "the machine closed the connection before all was copied";
                        return Err(Failure::Disconnected(text.into()));
                    }
                    Ok(count) => self.decoder.push(buffer.get(..count).unwrap_or_default()),
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(lost(&error)),
                },
            }
        }
        Ok(None)
    }

    /// What its end means: the last line says why it did not work.
    fn outcome(&mut self) -> Result<(), Failure> {
        let why = match &self.end {
            Some(FromMachine::Exited(0)) => return Ok(()),
            Some(FromMachine::Failed(reason)) => reason.clone(),
            Some(FromMachine::Killed(_)) => {
                "it was killed in the container, maybe for want of memory".to_owned()
            }
            Some(_) | None => {
                let text = String::from_utf8_lossy(&self.errors).into_owned();
                text.lines().last().unwrap_or("it failed in the container").to_owned()
            }
        };
        Err(Failure::Failed(why))
    }

    /// The lines of what was left out.
    fn told(&self) -> Vec<String> {
        String::from_utf8_lossy(&self.errors).lines().map(str::to_owned).collect()
    }
}

fn lost(error: &std::io::Error) -> Failure {
    Failure::Disconnected(format!("the connection to the machine broke: {}", failure::why(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_side_is_a_container_only_where_it_can_be_no_path() {
        let check = |text, expected| assert_eq!(Side::read(text), expected, "{text}");
        check("web:/etc", Side::Container { name: "web", path: "/etc" });
        check("web:", Side::Container { name: "web", path: "" });
        check("web:a:b", Side::Container { name: "web", path: "a:b" });
        check("-", Side::Stream);
        for here in ["file", "./web:x", "/web:x", "a/web:x", "../web:x", "."] {
            check(here, Side::Here(here));
        }
    }
}
