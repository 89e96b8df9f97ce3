//! One upgraded connection: what is typed here goes there, what comes from there is shown here.
//!
//! One wait for the connection, the standard streams and signals. Nothing else is ever waited for: a
//! reader of our output who does not read does not keep a signal from being passed on.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use orlop::control::stream::{FromMachine, MAX_DATA, ToMachine, WINDOW};
use orlop::control::{Decoder, Frame};

use super::detach::Detach;
use super::failure::Failure;
use super::following::{Following, Piece};
use crate::linux::{Errno, fd, signal, socket, terminal};

/// Bytes of one read from the connection.
const READ: usize = 64 << 10;

/// Output that waits to be shown; with more, the connection is not read.
const ROOM: usize = 256 << 10;

/// What can be written when there is room at all (PIPE_BUF, pipe(7)).
const PIECE: usize = 4096;

/// What is passed on to the program. Those that a terminal types come as keys when it is the program's.
const PASSED: [i32; 6] =
    [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT, libc::SIGUSR1, libc::SIGUSR2];

/// Those of them that nobody ends us with.
const KEPT: [i32; 2] = [libc::SIGUSR1, libc::SIGUSR2];

/// Whoever asks this often in a row means us.
const INSISTED: u32 = 3;

/// What programs add to a signal to make it an exit code.
pub(crate) const SIGNAL_EXIT: i32 = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Input {
    /// The standard input is the program's.
    Passed,
    /// It stays ours, and unread.
    None,
}

/// Whose the signals are that are sent to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signals {
    Passed,
    /// They end us, as they would anybody.
    Ours,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    With(u8),
    /// By its keys: the program goes on.
    Detached,
}

/// Keeps what comes before there is a session for it. What should end us still does, while there is no answer.
pub(crate) fn keep_signals() {
    // What it reads with is opened with the session.
    let _ = signal::block_and_read(&KEPT);
}

/// Reads all that would be passed on.
pub(crate) fn signals() -> Result<OwnedFd, Failure> {
    signal::block_and_read(&PASSED).map_err(|errno| Failure::Failed(errno.desc().to_owned()))
}

/// Rows and columns of the terminal that we are on, whichever stream it is behind.
pub(crate) fn size() -> Option<(u16, u16)> {
    let streams = (io::stdout(), io::stdin(), io::stderr());
    terminal::size(streams.0.as_fd())
        .or_else(|| terminal::size(streams.1.as_fd()))
        .or_else(|| terminal::size(streams.2.as_fd()))
}

pub(crate) struct Session<'a> {
    connection: OwnedFd,
    decoder: Decoder,
    signals: OwnedFd,
    input: Input,
    /// Input that may still be sent.
    window: usize,
    /// Frames that the connection has not taken.
    unsent: Vec<u8>,
    /// Not shown yet, on the standard output and error.
    shown: [Vec<u8>; 2],
    insisted: (i32, u32),
    /// Where output comes from that is not in frames.
    following: Option<Following<'a>>,
    detach: Detach,
    end: Option<Result<Ended, Failure>>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(stream: UnixStream, decoder: Decoder, input: Input) -> Result<Self, Failure> {
        let failed = |errno: Errno| Failure::Failed(errno.desc().to_owned());
        let connection = OwnedFd::from(stream);
        fd::nonblocking(connection.as_fd()).map_err(failed)?;
        let wanted: Vec<i32> = PASSED.into_iter().chain([libc::SIGWINCH]).collect();
        let signals = signal::block_and_read(&wanted).map_err(failed)?;
        Ok(Self {
            connection,
            decoder,
            signals,
            input,
            window: WINDOW,
            unsent: Vec::new(),
            shown: [Vec::new(), Vec::new()],
            insisted: (0, 0),
            following: None,
            detach: Detach::new(&[]),
            end: None,
        })
    }

    /// It is a container's own streams: output comes as its log.
    pub(crate) fn attach(&mut self, following: Following<'a>, detach: Detach, signals: Signals) {
        self.following = Some(following);
        self.detach = detach;
        if signals == Signals::Ours {
            signal::unblock(&PASSED);
        }
    }

    /// Until the program has ended and its output is shown: its exit code.
    pub(crate) fn run(mut self) -> Result<Ended, Failure> {
        // The size may have changed since it was asked for.
        self.resize();
        self.take_frames();
        loop {
            if self.shown.iter().all(Vec::is_empty)
                && let Some(end) = self.end.take()
            {
                return end;
            }
            self.turn()?;
        }
    }

    fn turn(&mut self) -> Result<(), Failure> {
        let streams = (io::stdin(), io::stdout(), io::stderr());
        let is_open = self.end.is_none();
        let has_room = is_open && self.shown.iter().all(|it| it.len() < ROOM);
        let has_window = self.window > self.detach.typed;
        let takes_input = self.input == Input::Passed && has_window && self.unsent.len() < MAX_DATA;
        let [out, err] = &self.shown;
        let when = |wanted: bool, flag| if wanted { flag } else { PollFlags::empty() };
        let (read, write) = (PollFlags::POLLIN, PollFlags::POLLOUT);
        let of_connection = when(has_room, read) | when(is_open && !self.unsent.is_empty(), write);
        let log = self.following.as_ref().map_or(self.signals.as_fd(), Following::connection);
        let looked_at = [
            (self.signals.as_fd(), read),
            (self.connection.as_fd(), of_connection),
            (streams.0.as_fd(), when(is_open && takes_input, read)),
            (streams.1.as_fd(), when(!out.is_empty(), write)),
            (streams.2.as_fd(), when(!err.is_empty(), write)),
            (log, when(has_room && self.following.is_some(), read)),
        ];
        let [signals, connection, input, output, error, log] = wait(looked_at)?;
        if log {
            self.follow();
        }
        if signals {
            self.hear_signals();
        }
        if output {
            show(streams.1.as_fd(), &mut self.shown[0])?;
        }
        if error {
            show(streams.2.as_fd(), &mut self.shown[1])?;
        }
        if input {
            self.read_input(streams.0.as_fd());
        }
        if connection && is_open {
            self.send();
            self.receive();
        }
        Ok(())
    }

    fn say(&mut self, frame: &ToMachine) {
        frame.encode(&mut self.unsent);
    }

    fn resize(&mut self) {
        if let Some((rows, columns)) = size() {
            self.say(&ToMachine::Resize { rows, columns });
        }
    }

    fn hear_signals(&mut self) {
        let heard: Vec<i32> = signal::read(&self.signals).map(|(signal, _)| signal).collect();
        for signal in heard {
            if signal == libc::SIGWINCH {
                self.resize();
                continue;
            }
            self.say(&ToMachine::Signal(signal));
            let times = if self.insisted.0 == signal { self.insisted.1 + 1 } else { 1 };
            self.insisted = (signal, times);
            if times >= INSISTED {
                let code = u8::try_from(SIGNAL_EXIT + signal).unwrap_or(u8::MAX);
                self.end = Some(Ok(Ended::With(code)));
            }
        }
    }

    fn read_input(&mut self, stdin: BorrowedFd<'_>) {
        let mut buffer = [0; MAX_DATA];
        // With what was held back it is still no more than fits.
        let most = self.window.min(MAX_DATA) - self.detach.typed;
        match fd::read(stdin, buffer.get_mut(..most).unwrap_or_default()) {
            Err(Errno::EAGAIN) => {}
            // EIO: the terminal has gone.
            Ok(0) | Err(_) => {
                let held = self.detach.give_up();
                self.pass(held);
                self.input = Input::None;
                self.say(&ToMachine::EndOfInput);
            }
            Ok(count) => {
                self.insisted = (0, 0);
                let (passed, detached) = self.detach.filter(buffer.get(..count).unwrap_or_default());
                self.pass(passed);
                if detached {
                    self.send();
                    self.end = Some(Ok(Ended::Detached));
                }
            }
        }
    }

    fn pass(&mut self, input: Vec<u8>) {
        if !input.is_empty() {
            self.window = self.window.saturating_sub(input.len());
            self.say(&ToMachine::Input(input));
        }
    }

    fn send(&mut self) {
        while !self.unsent.is_empty() {
            match socket::send_now(self.connection.as_fd(), &self.unsent) {
                Ok(count) => drop(self.unsent.drain(..count)),
                // Full; or broken, which what is read next says better.
                Err(_) => return,
            }
        }
    }

    fn receive(&mut self) {
        let mut buffer = vec![0; READ];
        match socket::read(self.connection.as_fd(), &mut buffer) {
            Ok(0) => self.lost("the machine closed the connection"),
            Ok(count) => {
                self.decoder.push(buffer.get(..count).unwrap_or_default());
                self.take_frames();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => self.lost(&format!("the connection broke: {}", super::failure::why(&error))),
        }
    }

    fn take_frames(&mut self) {
        while let (None, Some(frame)) = (&self.end, self.decoder.next_frame()) {
            let decoded = match &frame {
                Frame::Message(message) => FromMachine::decode(message).ok(),
                Frame::TooLarge => None,
            };
            let code = |number: i32| Some(Ok(Ended::With(u8::try_from(number & 0xff).unwrap_or(u8::MAX))));
            match decoded {
                Some(FromMachine::Output(data)) => self.shown[0].extend(data),
                Some(FromMachine::ErrorOutput(data)) => self.shown[1].extend(data),
                Some(FromMachine::Credit(more)) => self.window = self.window.saturating_add(more as usize),
                Some(FromMachine::Exited(number)) => self.end = code(number),
                Some(FromMachine::Killed(signal)) => self.end = code(SIGNAL_EXIT + signal),
                // Of one that is attached to, the supervisor is gone, and no more is known.
                Some(FromMachine::Failed(reason)) if self.following.is_some() => self.lost(&reason),
                Some(FromMachine::Failed(reason)) => self.end = Some(Err(Failure::Failed(reason))),
                // That there is no session is said in the words of messages.
                None => self.lost("the machine's supervisor was replaced, or what it says is not understood"),
            }
        }
    }

    fn follow(&mut self) {
        let Some(following) = &mut self.following else { return };
        match following.receive() {
            Ok(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Output(bytes) => self.shown[0].extend(bytes),
                        Piece::ErrorOutput(bytes) => self.shown[1].extend(bytes),
                        Piece::Gap(text) => self.shown[1].extend(format!("orlop: {text}\n").into_bytes()),
                    }
                }
            }
            Err(failure) => {
                // The other connection may still know the end.
                self.following = None;
                self.end.get_or_insert(Err(failure));
            }
        }
    }

    fn lost(&mut self, why: &str) {
        self.end.get_or_insert_with(|| Err(Failure::Disconnected(format!("{why} before the program ended"))));
    }
}

/// Which of them have something; one that nothing is wanted of is not looked at.
fn wait<const N: usize>(looked_at: [(BorrowedFd<'_>, PollFlags); N]) -> Result<[bool; N], Failure> {
    let mut places = Vec::new();
    let mut polled = Vec::new();
    for (place, (fd, flags)) in looked_at.into_iter().enumerate() {
        if !flags.is_empty() {
            polled.push(PollFd::new(fd, flags));
            places.push(place);
        }
    }
    match poll(&mut polled, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(errno) => return Err(Failure::Failed(errno.desc().to_owned())),
    }
    let mut ready = [false; N];
    for (place, fd) in places.into_iter().zip(&polled) {
        if let Some(ready) = ready.get_mut(place) {
            *ready = fd.any().unwrap_or(false);
        }
    }
    Ok(ready)
}

/// Writes a piece of what waits.
fn show(to: BorrowedFd<'_>, waiting: &mut Vec<u8>) -> Result<(), Failure> {
    let piece = waiting.get(..waiting.len().min(PIECE)).unwrap_or_default();
    match nix::unistd::write(to, piece) {
        Ok(count) => drop(waiting.drain(..count)),
        Err(Errno::EINTR | Errno::EAGAIN) => {}
        // As a program of its own would end.
        Err(Errno::EPIPE) => {
            let code = u8::try_from(SIGNAL_EXIT + libc::SIGPIPE).unwrap_or(u8::MAX);
            return Err(Failure::Coded { code, line: None });
        }
        Err(errno) => return Err(Failure::Failed(format!("cannot write the output: {}", errno.desc()))),
    }
    Ok(())
}
