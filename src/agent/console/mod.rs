//! The role `orlop console`: prints Orlop's lines of the kernel's log on every console of the machine. A console may stop
//! (a serial line without a reader); then this process waits for it, the other consoles go on, and nobody else notices.
//!
//! It reads the kernel's log by itself, so that a supervisor that dies takes no line with it; all that the supervisor
//! says is how much is shown.

mod terminal;
#[cfg(test)]
mod test;
mod words;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::log::{LINE_MAX, clean_line};

use crate::linux::epoll::{Epoll, Interest};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, fd, fs, process, seqpacket, time};
use terminal::{Kept, Terminal};
use words::Words;

/// Where the supervisor leaves our end of the socket, and the kernel's log.
const SOCKET_FD: i32 = 3;
const KMSG_FD: i32 = 4;

/// Tokens; terminals have the following ones, in their order.
const SOCKET: u64 = 0;
const KMSG: u64 = 1;

/// Records read in one wake-up, so that terminals with room are served in between.
const RECORDS_PER_WAKE: u32 = 64;

/// At the end, how long what is left may take to print: a serial line prints 10 KiB in it.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The kernel's list of what `console=` named, the preferred one last.
const ACTIVE: &str = "/sys/class/tty/console/active";

/// Any one of them, when the list cannot be read.
const FALLBACK: &str = "/dev/console";

/// Says to the role at the other end of `socket` what is the least urgent that it shows. It shows nothing before.
///
/// # Errors
/// EAGAIN: it has stopped, and has not heard the last ones either.
pub(crate) fn tell_level(socket: BorrowedFd<'_>, least: Level) -> Result<()> {
    seqpacket::send(socket, &[least as u8], &[])
}

/// Runs the role. The value is the process's exit code.
pub(crate) fn run() -> i32 {
    match confine().and_then(|(socket, kmsg)| serve(socket, kmsg, active())) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

/// The socket, and the kernel's log.
fn confine() -> Result<(OwnedFd, OwnedFd)> {
    process::set_name(c"orlop-console");
    let (socket, kmsg) = (fd::inherited(SOCKET_FD)?, fd::inherited(KMSG_FD)?);
    fd::close_from(KMSG_FD + 1);
    // It has to lead no session: a terminal that it opens could become its own, and hang it up.
    process::no_new_privileges()?;
    Ok((socket, kmsg))
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
fn serve(socket: OwnedFd, kmsg: OwnedFd, paths: Vec<String>) -> Result<()> {
    let epoll = Epoll::new()?;
    epoll.add(socket.as_fd(), Interest::EPOLLIN, SOCKET)?;
    let mut words = Words::new(kmsg);
    let mut terminals: Vec<Terminal> = (KMSG + 1..).zip(paths).map(Terminal::new).collect();
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
            } else if token == KMSG {
                print_next(&mut words, &mut terminals, &epoll)?;
            } else {
                match hear(socket.as_fd())? {
                    Heard::Level(least) => {
                        if words.set_least(least).is_none() {
                            epoll.add(words.kmsg(), Interest::EPOLLIN, KMSG)?;
                        }
                    }
                    Heard::Nothing => {}
                    Heard::End => {
                        epoll.remove(socket.as_fd())?;
                        let end = time::since_boot().saturating_add(LAST_WORDS);
                        while print_next(&mut words, &mut terminals, &epoll)? == Left::More
                            && time::since_boot() < end
                        {}
                        until = Some(end);
                    }
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Level(u8),
    Nothing,
    End,
}

/// One word of the supervisor's.
fn hear(socket: BorrowedFd<'_>) -> Result<Heard> {
    let mut packet = [0; 1];
    match seqpacket::receive(socket, &mut packet) {
        Ok((0, _)) => Ok(Heard::End),
        Ok(_) => Ok(Heard::Level(u8::from_ne_bytes(packet))),
        Err(Errno::EAGAIN | Errno::EINTR) => Ok(Heard::Nothing),
        Err(errno) => Err(errno),
    }
}

/// Whether the kernel's log may have more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    More,
    Nothing,
}

/// Prints what has come into the kernel's log, some of it.
fn print_next(words: &mut Words, terminals: &mut [Terminal], epoll: &Epoll) -> Result<Left> {
    for _ in 0..RECORDS_PER_WAKE {
        let Some(read) = words.read()? else { return Ok(Left::Nothing) };
        for text in read {
            let mut line = [0; LINE_MAX];
            let length = clean_line(&text, &mut line);
            for terminal in terminals.iter_mut() {
                if terminal.print(line.get(..length).unwrap_or_default(), epoll) == Kept::No {
                    terminal.count_dropped();
                }
            }
        }
    }
    Ok(Left::More)
}
