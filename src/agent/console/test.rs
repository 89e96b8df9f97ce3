//! Promises of the console: nobody waits for it, and what it prints obeys nobody.

use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;

use super::*;
use crate::linux::forked::Forked;
use crate::linux::tty;
use crate::linux::tty::testing::{Mode as Output, Pty};

struct World {
    console: Console,
    role: Forked,
}

impl World {
    fn new(paths: &[&str]) -> Self {
        let (ours, theirs) = seqpacket::pair().unwrap();
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let role = Forked::run(|| {
            fd::install(theirs.as_fd(), SOCKET_FD).unwrap();
            confine().and_then(|socket| serve(socket, paths)).map_or(1, |()| 0)
        });
        Self { console: Console::new(ours), role }
    }

    /// Closes the socket and waits until the role has said all and ended.
    fn end(self) -> i32 {
        drop(self.console);
        self.role.wait()
    }
}

/// Reads until `text` has come.
fn read_until(fd: &OwnedFd, text: &str) -> String {
    let mut file = std::fs::File::from(fd.try_clone().unwrap());
    let mut read = String::new();
    while !read.contains(text) {
        let timeout = PollTimeout::try_from(20_000).unwrap();
        let ready = poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], timeout).unwrap();
        assert!(ready > 0, "{text:?} did not come after {read:?}");
        let mut buffer = [0; 4096];
        let count = file.read(&mut buffer).unwrap();
        read.push_str(core::str::from_utf8(&buffer[..count]).unwrap());
    }
    read
}

#[test]
fn prints_on_every_console_that_is_there() {
    let (one, other) = (Pty::open(Output::Cooked), Pty::open(Output::Cooked));
    let mut world = World::new(&[one.path(), "/dev/there-is-none", other.path()]);
    world.console.send("");
    world.console.send("web: started");
    world.console.send("\x1b[2Jdb: \u{9b}0mstarted\n");
    for pty in [&one, &other] {
        let text = read_until(pty.outside(), "?0mstarted\r\n");
        assert_eq!(text, " \r\nweb: started\r\n?[2Jdb: ?0mstarted\r\n");
    }
    assert_eq!(world.end(), 0);
}

#[test]
fn a_raw_console_gets_carriage_returns() {
    let pty = Pty::open(Output::Raw);
    let mut world = World::new(&[pty.path()]);
    world.console.send("one");
    world.console.send("two");
    assert_eq!(read_until(pty.outside(), "two\r\n"), "one\r\ntwo\r\n");
}

#[test]
fn no_console_at_all_hurts_nobody() {
    let mut world = World::new(&[]);
    world.console.send("into the void");
    assert_eq!(world.end(), 0);
    let mut world = World::new(&["/dev/there-is-none"]);
    world.console.send("into the void");
    assert_eq!(world.end(), 0);
}

#[test]
fn a_stopped_console_holds_up_no_other_and_tells_what_it_missed() {
    let (stopped, other) = (Pty::open(Output::Cooked), Pty::open(Output::Cooked));
    let mut world = World::new(&[stopped.path(), other.path()]);
    for number in 0..2_000 {
        world.console.send(&format!("line {number} {}", "x".repeat(60)));
        // Nothing reads the first; each line arrives at the second before the next is sent.
        read_until(other.outside(), &format!("line {number} "));
    }
    let text = read_until(stopped.outside(), "line 200 ");
    assert!(text.starts_with("line 0 xxx"));
    // Now that it goes on, what was missed is told before the next line.
    let mut waited = 0;
    loop {
        world.console.send("after");
        waited += 1;
        let timeout = PollTimeout::try_from(100).unwrap();
        let ready = poll(&mut [PollFd::new(stopped.outside().as_fd(), PollFlags::POLLIN)], timeout).unwrap();
        if ready > 0 && read_until(stopped.outside(), "\n").contains("lines were not shown") {
            break;
        }
        assert!(waited < 1_000);
    }
}

#[test]
fn the_sender_waits_for_nobody_and_counts() {
    let (ours, theirs) = seqpacket::pair().unwrap();
    let mut console = Console::new(ours);
    // Nobody prints: it fills up, and every call returns.
    for _ in 0..10_000 {
        console.send("line");
    }
    let dropped = console.dropped;
    assert!(dropped > 5_000);
    let mut packet = [0; LINE_MAX];
    for _ in 0..100 {
        seqpacket::receive(theirs.as_fd(), &mut packet).unwrap();
    }
    console.send("and on");
    let mut last = [String::new(), String::new()];
    while let Ok((size, _)) = seqpacket::receive(theirs.as_fd(), &mut packet) {
        last.swap(0, 1);
        last[1] = String::from_utf8(packet[..size].to_vec()).unwrap();
    }
    assert_eq!(last, [gap(dropped), "and on".to_owned()]);
}

#[test]
fn a_console_that_was_hung_up_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("console");
    let path = path.to_str().unwrap();
    let first = Pty::open(Output::Cooked);
    std::os::unix::fs::symlink(first.path(), path).unwrap();
    let mut world = World::new(&[path]);
    world.console.send("one");
    read_until(first.outside(), "one\r\n");
    let second = Pty::open(Output::Cooked);
    std::fs::remove_file(path).unwrap();
    std::os::unix::fs::symlink(second.path(), path).unwrap();
    // The hang-up.
    drop(first);
    for _ in 0..1_000 {
        world.console.send("again");
        let timeout = PollTimeout::try_from(20).unwrap();
        if poll(&mut [PollFd::new(second.outside().as_fd(), PollFlags::POLLIN)], timeout).unwrap() > 0 {
            return;
        }
    }
    panic!("nothing came");
}

#[test]
fn a_role_that_prints_nothing_never_wakes() {
    let pty = Pty::open(Output::Cooked);
    let mut world = World::new(&[pty.path()]);
    world.console.send("one");
    read_until(pty.outside(), "one\r\n");
    let status = || std::fs::read_to_string(format!("/proc/{}/status", world.role.pid())).unwrap();
    while !status().contains("State:\tS") {}
    let switches = || status().lines().filter(|line| line.contains("ctxt_switches")).collect::<String>();
    let before = switches();
    let (read, _write) = fd::pipe().unwrap();
    let timeout = PollTimeout::try_from(1_000).unwrap();
    assert_eq!(poll(&mut [PollFd::new(read.as_fd(), PollFlags::POLLIN)], timeout), Ok(0));
    assert_eq!(switches(), before);
}

#[test]
fn opening_a_console_takes_no_controlling_terminal() {
    let pty = Pty::open(Output::Cooked);
    let role = Forked::run(|| {
        process::new_session().unwrap();
        let _console = tty::open_to_print(pty.path()).unwrap();
        // Without a controlling terminal there is no /dev/tty (ENXIO).
        i32::from(open("/dev/tty", OFlag::O_RDWR, Mode::empty()).is_ok())
    });
    assert_eq!(role.wait(), 0);
}
