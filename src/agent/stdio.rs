//! A container's standard streams: what its program gets, and what is kept of them for the logger and for
//! who attaches.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use orlop::config::Container;
use orlop::container::SYSLOG;
use orlop::ledger::{Child, Kind, Label};

use super::launch::Stage;
use super::logs::{self, Logs};
use super::{Agent, records};
use crate::engine::Failure;
use crate::linux::{Result, datagram, fd, peek, terminal};

/// Our ends.
pub struct Ends {
    streams: Streams,
    /// What the container finds at /dev/log, of one that is to have it.
    syslog: Option<OwnedFd>,
}

enum Streams {
    Pipes {
        out: OwnedFd,
        err: OwnedFd,
        /// Of one that has an input.
        input: Option<OwnedFd>,
    },
    Terminal {
        /// The logger fills it from the terminal.
        out: OwnedFd,
        /// Comes from the container, which opens it.
        terminal: Option<OwnedFd>,
    },
}

/// What a container reads.
pub enum Input {
    Pipe(OwnedFd),
    Terminal(OwnedFd),
}

impl Ends {
    /// Also the program's.
    ///
    /// # Errors
    /// [`Failure`] naming what could not be made.
    pub fn open(container: &Container) -> core::result::Result<([OwnedFd; 3], Self), Failure> {
        let pipe = || fd::pipe().map_err(|errno| Failure::new("output", "pipe", errno));
        let null = || fd::null().map_err(|errno| Failure::new("input", "/dev/null", errno));
        let syslog = container.log.syslog.then(|| listen(&container.name)).transpose()?;
        if container.tty {
            // Nothing but the logger writes there.
            let (out, _) = pipe()?;
            let streams = Streams::Terminal { out, terminal: None };
            return Ok(([null()?, null()?, null()?], Self { streams, syslog }));
        }
        let ((out, stdout), (err, stderr)) = (pipe()?, pipe()?);
        let (stdin, input) = match container.stdin_open {
            true => pipe().map(|(stdin, input)| (stdin, Some(input)))?,
            false => (null()?, None),
        };
        Ok(([stdin, stdout, stderr], Self { streams: Streams::Pipes { out, err, input }, syslog }))
    }

    /// As PID 1 has kept them, in the order of [`Ends::kept`], and apart from those.
    pub fn adopt(kept: [Option<OwnedFd>; 3], syslog: Option<OwnedFd>) -> Option<Self> {
        let [out, second, third] = kept;
        let (out, second) = (out?, second?);
        let streams = match terminal::size(second.as_fd()) {
            Some(_) => Streams::Terminal { out, terminal: Some(second) },
            None => Streams::Pipes { out, err: second, input: third },
        };
        Some(Self { streams, syslog })
    }

    /// Whether the terminal, if there is to be one, has come.
    pub fn are_whole(&self) -> bool {
        !matches!(self.streams, Streams::Terminal { terminal: None, .. })
    }

    pub fn set_terminal(&mut self, opened: OwnedFd) {
        if let Streams::Terminal { terminal, .. } = &mut self.streams {
            *terminal = Some(opened);
        }
    }

    /// What must outlive this supervisor.
    pub fn kept(&self) -> Vec<BorrowedFd<'_>> {
        let all = match &self.streams {
            Streams::Pipes { out, err, input } => [Some(out), Some(err), input.as_ref()],
            Streams::Terminal { out, terminal } => [Some(out), terminal.as_ref(), None],
        };
        all.into_iter().flatten().map(AsFd::as_fd).collect()
    }

    /// Gives the logger its part, and keeps the input.
    pub fn hand_out(self, logs: &mut Logs, slot: u32, generation: u64) -> Result<Option<Input>> {
        if let Some(syslog) = self.syslog {
            logs.add_syslog(slot, generation, syslog);
        }
        match self.streams {
            Streams::Pipes { out, err, input } => {
                logs.add_pipes(slot, generation, [out, err]);
                Ok(input.map(Input::Pipe))
            }
            Streams::Terminal { out, terminal } => {
                let Some(terminal) = terminal else { return Ok(None) };
                let ours = fd::copy(terminal.as_fd())?;
                logs.add_terminal(slot, generation, out, terminal);
                Ok(Some(Input::Terminal(ours)))
            }
        }
    }
}

/// A socket for this run alone: who still has that of an earlier one writes there.
fn listen(name: &str) -> core::result::Result<OwnedFd, Failure> {
    let path = format!("{}/{SYSLOG}", records::directory(name));
    let socket = datagram::listen(Path::new(&path));
    let counts = |socket: &OwnedFd| peek::set_looked_at(socket.as_fd(), 0);
    socket
        .and_then(|socket| counts(&socket).map(|()| socket))
        .map_err(|errno| Failure::new("syslog", path, errno))
}

impl Agent {
    /// Has PID 1 keep it and its streams, and gives those out.
    ///
    /// # Errors
    /// EMFILE.
    pub fn register(&mut self, key: u32, ends: Ends) -> Result<()> {
        let Some(run) = self.runs.get_mut(&key) else { return Ok(()) };
        let Stage::Registering { pid, pidfd, .. } = &run.stage else { return Ok(()) };
        let label = Label::new(&run.name);
        let child = Child { cookie: run.cookie, kind: Kind::Container, pid: *pid, label };
        // First: it may speak as soon as PID 1 has it.
        if let Some(notices) = &run.notices {
            notices.keep(&run.name, run.cookie, &mut self.ledger)?;
        }
        let kept: Vec<_> = core::iter::once(pidfd.as_fd()).chain(ends.kept()).collect();
        self.ledger.register(child, &kept)?;
        if let Some(syslog) = &ends.syslog {
            // An entry of its own: there is no room for another descriptor in that one.
            let (cookie, label) = (logs::syslog_of(run.cookie), Label::new(&run.name));
            let child = Child { cookie, kind: Kind::Listener, pid: 0, label };
            self.ledger.register(child, &[syslog.as_fd()])?;
        }
        run.input = ends.hand_out(&mut self.logs, run.slot, run.generation)?;
        Ok(())
    }

    pub fn terminal_opened(&mut self, key: u32, terminal: OwnedFd) {
        let Some(run) = self.runs.get_mut(&key) else { return };
        if let Stage::Setup { ends, made, .. } = &mut run.stage {
            ends.set_terminal(terminal);
            if let Some((pid, pidfd)) = made.take() {
                self.created(key, pid, pidfd);
            }
        }
    }
}
