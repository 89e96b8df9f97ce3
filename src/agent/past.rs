//! Logs of boots before, for clients: a child reads the disk, which may never answer, and the supervisor passes on what it
//! writes, as fast as the client takes it, without looking into it.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::control::{Error, Logs, WhichBoot};

use super::control::{CallId, Server};
use super::keep::reading;
use super::keeping::State;
use super::{Agent, Token, errands, say};
use crate::linux::epoll::NEWS;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, fd, pidfd};

/// At once; each is a process. Those that hang on a disk count until they are gone.
const READINGS: usize = 4;
/// So long a disk may say nothing; a client hears of it before it gives up by itself.
const SILENCE: Duration = Duration::from_secs(20);
/// Read in one turn.
const READ: usize = 64 << 10;
/// Messages for one client in one turn, so that it does not keep the loop.
const MESSAGES_PER_TURN: usize = 16;

#[derive(Default)]
pub struct Past {
    running: BTreeMap<u32, Reading>,
    next: u32,
    /// Killed, and perhaps not gone.
    left: Vec<OwnedFd>,
}

struct Reading {
    call: CallId,
    answer: OwnedFd,
    pidfd: OwnedFd,
    /// What has not been passed on.
    bytes: Vec<u8>,
    is_readable: bool,
    until: Duration,
}

impl Reading {
    /// The message that is whole, and whether it is the last.
    fn message(&self) -> Option<(bool, &[u8])> {
        reading::framed(&self.bytes)
    }
}

impl Past {
    pub fn ready(&mut self, key: u32) {
        if let Some(reading) = self.running.get_mut(&key) {
            reading.is_readable = true;
        }
    }

    /// Whether some of it could go on at once, or has lost its client.
    pub fn has_work(&self, server: &Server) -> bool {
        self.running.values().any(|reading| {
            let has_room = server.room(reading.call).is_none_or(|room| room >= reading::LARGEST);
            has_room && (reading.is_readable || reading.message().is_some())
        })
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.running.values().map(|reading| reading.until).min()
    }

    /// Whether one more may begin.
    fn has_room(&mut self) -> bool {
        self.left.retain(|pidfd| !pidfd::ends_within(pidfd.as_fd(), Duration::ZERO).unwrap_or(true));
        self.running.len().saturating_add(self.left.len()) < READINGS
    }

    /// Nobody waits for it any more.
    fn end(&mut self, key: u32) -> Option<CallId> {
        let reading = self.running.remove(&key)?;
        if !pidfd::ends_within(reading.pidfd.as_fd(), Duration::ZERO).unwrap_or(true) {
            match pidfd::send_signal(reading.pidfd.as_fd(), libc::SIGKILL) {
                // It has ended by itself meanwhile.
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(errno) => say(Level::Error, &format!("disk: {}", errno.desc())),
            }
            self.left.push(reading.pidfd);
        }
        Some(reading.call)
    }
}

impl Agent {
    /// What was written in another boot.
    pub fn read_past(&mut self, call: CallId, asked: Logs, boot: WhichBoot, now: Duration) {
        self.begin_reading(call, now, move |to| reading::logs(&to, &asked, boot));
    }

    pub fn tell_boots(&mut self, call: CallId, now: Duration) {
        self.begin_reading(call, now, |to| reading::boots(&to));
    }

    fn begin_reading(&mut self, call: CallId, now: Duration, work: impl FnOnce(OwnedFd) -> Result<()>) {
        let missing = match self.keeping.disk() {
            None => Some(String::from("this machine has no disk: there is no [host.disk]")),
            Some((_, State::Missing(why))) => Some(format!("the disk is not there: {why}")),
            Some((_, State::Silent)) => Some(String::from("the disk is not there yet")),
            Some((_, State::Mounted | State::Trouble(_))) => None,
        };
        if let Some(reason) = missing {
            return self.server.fail(now, call, &Error::Failed { reason });
        }
        if !self.past.has_room() {
            let what = "readers of the disk".to_owned();
            return self.server.fail(now, call, &Error::Busy { what, limit: READINGS as u64 });
        }
        let key = self.past.next;
        self.past.next = key.wrapping_add(1);
        let sent = errands::child(work).and_then(|(answer, pidfd)| {
            self.epoll.add(answer.as_fd(), NEWS, Token::Past(key).number())?;
            Ok((answer, pidfd))
        });
        match sent {
            Ok((answer, pidfd)) => {
                let (bytes, until) = (Vec::new(), now.saturating_add(SILENCE));
                let reading = Reading { call, answer, pidfd, bytes, is_readable: true, until };
                self.past.running.insert(key, reading);
            }
            Err(errno) => self.server.fail(now, call, &Error::Failed { reason: errno.desc().to_owned() }),
        }
    }

    pub fn serve_past(&mut self, now: Duration) {
        let keys: Vec<u32> = self.past.running.keys().copied().collect();
        for key in keys {
            match self.pass_on(key, now) {
                Step::Later => {}
                Step::Over => drop(self.end_reading(key)),
                Step::Failed(reason) => {
                    if let Some(call) = self.end_reading(key) {
                        self.server.fail(now, call, &Error::Failed { reason: reason.to_owned() });
                    }
                }
            }
        }
    }

    fn end_reading(&mut self, key: u32) -> Option<CallId> {
        // A child that was made meanwhile may have it too: closing ours would not take it out.
        if let Some(reading) = self.past.running.get(&key) {
            let _ = self.epoll.remove(reading.answer.as_fd());
        }
        self.past.end(key)
    }

    fn pass_on(&mut self, key: u32, now: Duration) -> Step {
        let Some(reading) = self.past.running.get_mut(&key) else { return Step::Later };
        for _ in 0..MESSAGES_PER_TURN {
            match self.server.room(reading.call) {
                None => return Step::Over,
                // Who does not take it has its own deadline.
                Some(room) if room < reading::LARGEST => {
                    reading.until = now.saturating_add(SILENCE);
                    return Step::Later;
                }
                Some(_) => {}
            }
            if let Some((is_last, message)) = reading.message() {
                if is_last {
                    self.server.reply_message(now, reading.call, message);
                    return Step::Over;
                }
                // An empty one is a sign of life, for us alone.
                if !message.is_empty() {
                    self.server.stream_message(now, reading.call, message);
                }
                let taken = message.len().saturating_add(reading::HEAD);
                reading.bytes.drain(..taken);
                reading.until = now.saturating_add(SILENCE);
                continue;
            }
            if reading.bytes.len() > reading::LARGEST.saturating_add(READ) {
                return Step::Failed("the process that reads the disk makes no sense");
            }
            if !reading.is_readable {
                break;
            }
            let mut buffer = vec![0; READ];
            match fd::read(reading.answer.as_fd(), &mut buffer) {
                Ok(0) => return Step::Failed("the process that was to read the disk ended"),
                Ok(count) => {
                    reading.bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
                    reading.until = now.saturating_add(SILENCE);
                }
                Err(Errno::EAGAIN) => reading.is_readable = false,
                Err(Errno::EINTR) => {}
                Err(_) => return Step::Failed("the process that was to read the disk cannot be heard"),
            }
        }
        if reading.until <= now { Step::Failed("the disk does not answer") } else { Step::Later }
    }
}

enum Step {
    Later,
    Over,
    Failed(&'static str),
}
