//! The loop of a relay: frames of the client, bytes of the process, the end.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::control::stream::{FromMachine, MAX_DATA, ToMachine, WINDOW};

use super::client::Client;
use super::link::{self, End};
use super::process::{FIRST_TOKEN, Process};
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::{Errno, Result, time};

const LINK: u64 = 0;
const CLIENT: u64 = 1;

/// For a client to take what is left for it once all is said. Before, nobody hurries it: whoever stops
/// its own terminal stops the process, and no more.
const PATIENCE: Duration = Duration::from_secs(30);

/// Credit is given back in portions: a frame for each key would be as many as there are keys.
const PORTION: usize = MAX_DATA / 2;

/// Fields are dropped in this order: who sees the link's end finds the client's port free.
pub(super) struct Session {
    epoll: Epoll,
    client: Client,
    link: OwnedFd,
    process: Process,
    /// Input that the client may still send.
    window: usize,
    /// Input that has found its place, and was not credited yet.
    owed: usize,
    stage: Stage,
}

enum Stage {
    /// The process lives.
    Moving,
    /// It has ended; its last output is still read.
    Draining(FromMachine),
    /// All is said, and is to be taken by then.
    Said { until: Duration, waiting: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Again,
    Over,
}

impl Session {
    pub(super) fn new(link: OwnedFd, client: Client, process: Process) -> Result<Self> {
        let epoll = Epoll::new()?;
        process.begin()?;
        epoll.add(link.as_fd(), Interest::EPOLLIN, LINK)?;
        let edges = Interest::EPOLLIN | Interest::EPOLLOUT | Interest::EPOLLET;
        let interest = if client.is_port() { edges } else { Interest::EPOLLIN };
        epoll.add(client.fd(), interest, CLIENT)?;
        Ok(Self { epoll, link, client, process, window: WINDOW, owed: 0, stage: Stage::Moving })
    }

    /// The value is the process's exit code.
    pub(super) fn run(mut self) -> i32 {
        loop {
            match self.turn() {
                Ok(Turn::Again) => {}
                Ok(Turn::Over) => return 0,
                Err(_) => return 1,
            }
        }
    }

    /// Waits once and handles what came.
    pub(super) fn turn(&mut self) -> Result<Turn> {
        self.watch()?;
        for (token, events) in self.epoll.wait(self.timeout())?.iter() {
            match token {
                LINK => self.hear_link(),
                CLIENT => self.client.ready(events),
                FIRST_TOKEN.. => self.process.ready(token),
            }
        }
        self.hear_client();
        self.move_input();
        self.move_output();
        self.client.flush();
        if self.client.is_gone() || self.is_over() { Ok(Turn::Over) } else { Ok(Turn::Again) }
    }

    fn watch(&mut self) -> Result<()> {
        self.process.watch(&self.epoll, self.client.has_room())?;
        if !self.client.is_port() {
            let output = if self.client.waiting() > 0 { Interest::EPOLLOUT } else { Interest::empty() };
            self.epoll.change(self.client.fd(), Interest::EPOLLIN | output, CLIENT)?;
        }
        Ok(())
    }

    fn timeout(&self) -> Option<Duration> {
        match &self.stage {
            _ if self.client.is_unfinished() => Some(Duration::ZERO),
            Stage::Moving => None,
            // Goes on when the client has room.
            Stage::Draining(_) if !self.client.has_room() => None,
            Stage::Draining(_) => Some(Duration::ZERO),
            Stage::Said { until, .. } => Some(until.saturating_sub(time::since_boot())),
        }
    }

    fn hear_link(&mut self) {
        let end = match link::receive_end(self.link.as_fd()) {
            Ok(End::Exited(code)) => FromMachine::Exited(code),
            Ok(End::Killed(signal)) => FromMachine::Killed(signal),
            Err(Errno::EAGAIN | Errno::EINTR) => return,
            Err(_) => FromMachine::Failed("the machine has lost sight of it".into()),
        };
        if matches!(self.stage, Stage::Moving) {
            // It says no more.
            let _ = self.epoll.remove(self.link.as_fd());
            self.process.ended();
            self.stage = Stage::Draining(end);
        }
    }

    fn hear_client(&mut self) {
        let Self { client, process, link, window, .. } = self;
        let mut is_too_much = false;
        client.hear(|frame| match frame {
            ToMachine::Input(data) => match window.checked_sub(data.len()) {
                Some(left) => {
                    *window = left;
                    process.give(&data);
                }
                None => is_too_much = true,
            },
            ToMachine::EndOfInput => process.end_input(),
            ToMachine::Resize { rows, columns } => process.resize(rows, columns),
            ToMachine::Signal(signal) => link::send_signal(link.as_fd(), signal),
        });
        if is_too_much {
            client.cut_off();
        }
    }

    fn move_input(&mut self) {
        self.owed += self.process.write(&self.epoll);
        let is_worth_a_frame = self.owed >= PORTION || !self.process.has_pending();
        if self.owed > 0 && is_worth_a_frame {
            // At most a window; with the end of input of a terminal a byte more than that.
            let credit = self.owed.min(WINDOW.saturating_sub(self.window));
            self.owed = 0;
            self.window += credit;
            if let Ok(credit) = u32::try_from(credit) {
                self.client.say(&FromMachine::Credit(credit));
            }
        }
    }

    fn move_output(&mut self) {
        let client = &mut self.client;
        if client.has_room() {
            self.process.read(&self.epoll, |frame| {
                client.say(&frame);
                client.has_room()
            });
        }
        if let Stage::Draining(end) = &self.stage
            && self.process.is_drained()
        {
            client.say(end);
            self.stage = Stage::Said { until: time::since_boot() + PATIENCE, waiting: client.waiting() };
        }
    }

    /// Whether all that was said is taken, or will never be.
    fn is_over(&mut self) -> bool {
        let Stage::Said { until, waiting } = &mut self.stage else { return false };
        let now = time::since_boot();
        if self.client.waiting() < *waiting {
            *waiting = self.client.waiting();
            *until = now + PATIENCE;
        }
        *waiting == 0 || now >= *until
    }
}
