//! The role `orlop console`: prints lines on every console of the machine. A console may stop (a
//! serial line without a reader); then this process waits for it, the other consoles go on, and
//! nobody else notices. Its supervisor's side never waits and counts what did not fit.

mod terminal;
#[cfg(test)]
mod test;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::log::{LINE_MAX, clean_line};

use crate::linux::epoll::{Epoll, Interest};
use crate::linux::{Errno, Result, fd, fs, process, seqpacket, time};
use terminal::{Kept, Terminal};

/// Where the supervisor leaves our end of the socket.
const SOCKET_FD: i32 = 3;

/// The socket's token; terminals have the following ones, in their order.
const SOCKET: u64 = 0;

/// Lines taken in one wake-up, so that terminals with room are served in between.
const LINES_PER_WAKE: u32 = 64;

/// At the end, how long what is left may take to print: a serial line prints 10 KiB in it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The kernel's list of what `console=` named, the preferred one last.
const ACTIVE: &str = "/sys/class/tty/console/active";

/// Any one of them, when the list cannot be read.
const FALLBACK: &str = "/dev/console";

/// The supervisor's side.
pub(crate) struct Console {
    socket: OwnedFd,
    dropped: u64,
}

impl Console {
    /// `socket` is the other end of the one that the role has.
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self { socket, dropped: 0 }
    }

    /// Prints a line, or counts it when the consoles are behind; the next that fits tells how many
    /// there were. What a terminal would obey is taken out, and a line is cut at [`LINE_MAX`].
    pub(crate) fn send(&mut self, text: &str) {
        if self.dropped > 0 && self.send_line(&gap(self.dropped)).is_ok() {
            self.dropped = 0;
        }
        if self.dropped > 0 || self.send_line(text).is_err() {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// After the role died: the socket of the next.
    pub(crate) fn restart(&mut self, socket: OwnedFd) {
        self.socket = socket;
    }

    fn send_line(&self, text: &str) -> Result<()> {
        let mut line = [0; LINE_MAX];
        let length = clean_line(text, &mut line);
        // An empty packet would read as the end.
        let bytes = line.get(..length).filter(|bytes| !bytes.is_empty()).unwrap_or(b" ");
        seqpacket::send(self.socket.as_fd(), bytes, &[])
    }
}

/// What stands in the place of lines that were not printed.
fn gap(lines: u64) -> String {
    format!("({lines} lines were not shown: the console is slower than what there is to say)")
}

/// Runs the role. The value is the process's exit code.
pub(crate) fn run() -> i32 {
    match confine().and_then(|socket| serve(socket, active())) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn confine() -> Result<OwnedFd> {
    process::set_name(c"orlop-console");
    let socket = fd::inherited(SOCKET_FD)?;
    fd::close_from(SOCKET_FD + 1);
    // It has to lead no session: a terminal that it opens could become its own, and hang it up.
    process::no_new_privileges()?;
    Ok(socket)
}

/// The paths of all consoles.
fn active() -> Vec<String> {
    let list = fs::read_text(ACTIVE).unwrap_or_default();
    let mut paths: Vec<String> = list.split_whitespace().map(|name| format!("/dev/{name}")).collect();
    if paths.is_empty() {
        paths.push(FALLBACK.to_owned());
    }
    paths
}

/// Prints until the other side of `socket` is closed for good.
fn serve(socket: OwnedFd, paths: Vec<String>) -> Result<()> {
    let epoll = Epoll::new()?;
    epoll.add(socket.as_fd(), Interest::EPOLLIN, SOCKET)?;
    let mut terminals: Vec<Terminal> = (SOCKET + 1..).zip(paths).map(Terminal::new).collect();
    let mut until = None;
    loop {
        let behind = terminals.iter().any(Terminal::is_behind);
        let now = time::since_boot();
        let left = until.map(|until: Duration| until.saturating_sub(now));
        if left.is_some_and(|left| left.is_zero() || !behind) {
            return Ok(());
        }
        let ready = epoll.wait(left)?;
        for (token, events) in ready.iter() {
            if let Some(terminal) = terminals.iter_mut().find(|terminal| terminal.token() == token) {
                terminal.woken(events, &epoll);
            } else if hear(socket.as_fd(), &mut terminals, &epoll)? == Heard::End {
                epoll.remove(socket.as_fd())?;
                until = Some(time::since_boot().saturating_add(LAST_WORDS));
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Lines,
    End,
}

fn hear(socket: BorrowedFd<'_>, terminals: &mut [Terminal], epoll: &Epoll) -> Result<Heard> {
    let mut packet = [0; LINE_MAX];
    for _ in 0..LINES_PER_WAKE {
        let size = match seqpacket::receive(socket, &mut packet) {
            Ok((0, _)) => return Ok(Heard::End),
            Ok((size, _)) => size,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Heard::Lines),
            Err(errno) => return Err(errno),
        };
        // Cleaned once more: here is where it would do harm.
        let text = String::from_utf8_lossy(packet.get(..size).unwrap_or_default());
        let mut line = [0; LINE_MAX];
        let length = clean_line(&text, &mut line);
        for terminal in terminals.iter_mut() {
            if terminal.print(line.get(..length).unwrap_or_default(), epoll) == Kept::No {
                terminal.count_dropped();
            }
        }
    }
    Ok(Heard::Lines)
}
