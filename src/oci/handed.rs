//! What a caller hands over and gets: descriptors from 3 on, the number of the process in a file, its
//! terminal and pidfd over sockets.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::arguments::Handed;
use super::failure::{Failure, Result, at, io_at};
use crate::linux::{directory, fd, seqpacket, socket};

/// Whoever makes the socket waits for us; a queue that is full for longer is none.
const PATIENCE: Duration = Duration::from_secs(10);

/// Descriptors from 3 on that the program is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Preserved {
    /// Of socket activation: LISTEN_FDS, sd_listen_fds(3).
    pub(crate) listening: u32,
    /// Behind those.
    pub(crate) others: u32,
}

impl Preserved {
    /// Before anything of ours is opened, which might take a number that should have been handed over.
    ///
    /// # Errors
    /// One of them is not open.
    pub(crate) fn take(others: u16) -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
        let is_for_us = variable("LISTEN_PID") == Some(std::process::id());
        let listening = variable("LISTEN_FDS").filter(|_| is_for_us).unwrap_or_default();
        Self { listening, others: others.into() }.checked()
    }

    /// As [`Self::take`]; sockets that are listened on are for a container's first process.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) fn without_listening(others: u16) -> Result<Self> {
        Self { listening: 0, others: others.into() }.checked()
    }

    fn checked(self) -> Result<Self> {
        match (3..).take(self.count() as usize).find(|number| !fd::is_open(*number)) {
            Some(number) => {
                Err(Failure::new(format!("descriptor {number} is to be preserved, and is not open")))
            }
            None => Ok(self),
        }
    }

    pub(crate) fn count(self) -> u32 {
        self.listening.saturating_add(self.others)
    }

    /// What the program's environment says of them.
    pub(crate) fn environment(self) -> Vec<(String, String)> {
        if self.listening == 0 {
            return Vec::new();
        }
        let pair = |name: &str, value: String| (String::from(name), value);
        vec![pair("LISTEN_FDS", self.listening.to_string()), pair("LISTEN_PID", String::from("1"))]
    }
}

/// Sockets of the caller, connected before anything is made.
pub(crate) struct Sockets {
    console: Option<OwnedFd>,
    pidfd: Option<OwnedFd>,
    pid_file: Option<PathBuf>,
}

impl Sockets {
    /// # Errors
    /// Nobody waits there.
    pub(crate) fn connect(handed: &Handed) -> Result<Self> {
        let connect = |path: &Option<PathBuf>| match path {
            Some(path) => socket::connect(path, PATIENCE)
                .map(Some)
                .map_err(io_at(format_args!("socket {}", path.display()))),
            None => Ok(None),
        };
        Ok(Self {
            console: connect(&handed.console_socket)?,
            pidfd: connect(&handed.pidfd_socket)?,
            pid_file: handed.pid_file.clone(),
        })
    }

    pub(crate) fn wants_terminal(&self) -> bool {
        self.console.is_some()
    }

    /// # Errors
    /// Nobody takes it.
    pub(crate) fn send_terminal(&self, terminal: BorrowedFd<'_>) -> Result<()> {
        let Some(console) = &self.console else { return Ok(()) };
        seqpacket::send(console.as_fd(), b"/dev/ptmx", &[terminal]).map_err(at("console socket"))
    }

    /// The last of a creation, or before an executed program runs: by then nothing can fail.
    ///
    /// # Errors
    /// The file cannot be written, or nobody takes the pidfd.
    pub(crate) fn send_process(&self, pid: i32, pidfd: BorrowedFd<'_>) -> Result<()> {
        if let Some(socket) = &self.pidfd {
            seqpacket::send(socket.as_fd(), b"pidfd", &[pidfd]).map_err(at("pidfd socket"))?;
        }
        match &self.pid_file {
            Some(path) => write_pid(path, pid),
            None => Ok(()),
        }
    }

    /// After a creation that came to nothing.
    pub(crate) fn take_back(&self) {
        if let Some(path) = &self.pid_file {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Whole or not at all: whoever waits for the file may read it at once.
fn write_pid(path: &Path, pid: i32) -> Result<()> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Failure::new(format!("{} is no file's name", path.display())))?;
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    directory::open_at(folder)
        .and_then(|folder| directory::replace(folder.as_fd(), name, pid.to_string().as_bytes(), 0o644))
        .map_err(at(format_args!("pid file {}", path.display())))
}
