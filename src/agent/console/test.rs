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
    socket: OwnedFd,
    /// In the kernel's log's place: a record a packet.
    kmsg: OwnedFd,
    sequence: u64,
    role: Forked,
}

impl World {
    fn new(paths: &[&str]) -> Self {
        Self::with_level(Level::Info, paths)
    }

    fn with_level(least: Level, paths: &[&str]) -> Self {
        let (socket, theirs) = seqpacket::pair().unwrap();
        let (kmsg, read) = seqpacket::pair().unwrap();
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        let role = Forked::run(|| {
            fd::place([theirs.as_fd(), read.as_fd()].into_iter(), SOCKET_FD).unwrap();
            confine().and_then(|(socket, kmsg)| serve(socket, kmsg, paths)).map_or(1, |()| 0)
        });
        tell_level(socket.as_fd(), least).unwrap();
        Self { socket, kmsg, sequence: 0, role }
    }

    fn say(&mut self, text: &str) {
        self.say_at(Level::Info, text);
    }

    /// As the kernel tells it.
    fn say_at(&mut self, level: Level, text: &str) {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'\\' || byte == b' ';
        let escape = |byte| if plain(byte) { char::from(byte).to_string() } else { format!("\\x{byte:02x}") };
        let text: String = text.bytes().map(escape).collect();
        let record = format!("{},{},0,-;orlop: {text}\n", 24 + level as u8, self.sequence);
        self.sequence += 1;
        while seqpacket::send(self.kmsg.as_fd(), record.as_bytes(), &[]) == Err(Errno::EAGAIN) {
            poll(&mut [PollFd::new(self.kmsg.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE).unwrap();
        }
    }

    /// Closes the socket and waits until the role has said all and ended.
    fn end(self) -> i32 {
        drop(self.socket);
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
    world.say("");
    world.say("web: started");
    world.say("\x1b[2Jdb: \u{9b}0mstarted\n");
    for pty in [&one, &other] {
        let text = read_until(pty.outside(), "?0mstarted\r\n");
        assert_eq!(text, "\r\nweb: started\r\n?[2Jdb: ?0mstarted\r\n");
    }
    assert_eq!(world.end(), 0);
}

#[test]
fn a_raw_console_gets_carriage_returns() {
    let pty = Pty::open(Output::Raw);
    let mut world = World::new(&[pty.path()]);
    world.say("one");
    world.say("two");
    assert_eq!(read_until(pty.outside(), "two\r\n"), "one\r\ntwo\r\n");
}

#[test]
fn no_console_at_all_hurts_nobody() {
    let mut world = World::new(&[]);
    world.say("into the void");
    assert_eq!(world.end(), 0);
    let mut world = World::new(&["/dev/there-is-none"]);
    world.say("into the void");
    assert_eq!(world.end(), 0);
}

#[test]
fn a_stopped_console_holds_up_no_other_and_tells_what_it_missed() {
    let (stopped, other) = (Pty::open(Output::Cooked), Pty::open(Output::Cooked));
    let mut world = World::new(&[stopped.path(), other.path()]);
    for number in 0..2_000 {
        world.say(&format!("line {number} {}", "x".repeat(60)));
        // Nothing reads the first; each line arrives at the second before the next is sent.
        read_until(other.outside(), &format!("line {number} "));
    }
    let text = read_until(stopped.outside(), "line 200 ");
    assert!(text.starts_with("line 0 xxx"));
    // Now that it goes on, what was missed is told before the next line.
    let mut waited = 0;
    loop {
        world.say("after");
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
fn what_was_overwritten_before_it_was_read_is_told() {
    let pty = Pty::open(Output::Cooked);
    let mut world = World::new(&[pty.path()]);
    world.say("one");
    world.sequence += 7;
    world.say("two");
    let text = read_until(pty.outside(), "two\r\n");
    assert_eq!(
        text,
        "one\r\n(up to 7 lines were not shown: the kernel's log had no room for them)\r\ntwo\r\n"
    );
}

#[test]
fn nothing_is_shown_that_is_less_urgent_than_somebody_wants() {
    let pty = Pty::open(Output::Cooked);
    let mut world = World::with_level(Level::Error, &[pty.path()]);
    world.say("not shown");
    world.say_at(Level::Error, "one");
    assert_eq!(read_until(pty.outside(), "\n"), "one\r\n");
    tell_level(world.socket.as_fd(), Level::Info).unwrap();
    for _ in 0..1_000 {
        world.say_at(Level::Debug, "not shown");
        world.say("two");
        let timeout = PollTimeout::try_from(20).unwrap();
        if poll(&mut [PollFd::new(pty.outside().as_fd(), PollFlags::POLLIN)], timeout).unwrap() > 0 {
            return assert_eq!(read_until(pty.outside(), "\n"), "two\r\n");
        }
    }
    panic!("nothing came");
}

#[test]
fn what_is_left_in_the_log_is_printed_at_the_end() {
    let pty = Pty::open(Output::Cooked);
    let mut world = World::new(&[pty.path()]);
    for number in 0..100 {
        world.say(&format!("line {number}"));
    }
    assert_eq!(world.end(), 0);
    read_until(pty.outside(), "line 99\r\n");
}

#[test]
fn a_console_that_was_hung_up_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("console");
    let path = path.to_str().unwrap();
    let first = Pty::open(Output::Cooked);
    std::os::unix::fs::symlink(first.path(), path).unwrap();
    let mut world = World::new(&[path]);
    world.say("one");
    read_until(first.outside(), "one\r\n");
    let second = Pty::open(Output::Cooked);
    std::fs::remove_file(path).unwrap();
    std::os::unix::fs::symlink(second.path(), path).unwrap();
    // The hang-up.
    drop(first);
    for _ in 0..1_000 {
        world.say("again");
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
    world.say("one");
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
