//! For tests: a container that writes, the supervisor's side, and a logger that is a real process.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use orlop::log::{Cursor, FromLogger, Gone, Item, PipeKey, Reader, Step, Stream, Tail};

use super::{Link, RingFile};
use crate::linux::forked::Forked;
use crate::linux::{datagram, fd, memfd, peek, pty, seqpacket, splice};

/// For what must happen soon. Long, because the machine that tests may be busy.
pub(super) const SOON: Duration = Duration::from_secs(20);

pub(super) const ID: u64 = 7;

pub(super) fn key(stream: Stream) -> PipeKey {
    PipeKey { id: ID, generation: 1, stream }
}

/// The role itself, with `control` where the supervisor would leave it.
pub(super) fn start_logger(control: &OwnedFd) -> Forked {
    Forked::run(|| {
        fd::install(control.as_fd(), 3).unwrap();
        super::run()
    })
}

pub(super) struct World {
    pub(super) link: Link,
    pub(super) logger: Option<Forked>,
    reader: Reader,
    /// What was read, all of it.
    pub(super) told: Told,
}

#[derive(Debug, Default)]
pub(super) struct Told {
    /// Bytes kept and read, or told as gone, so far.
    pub(super) at: u64,
    pub(super) overwritten: u64,
    pub(super) refused: u64,
    pub(super) gaps: u32,
}

impl World {
    pub(super) fn new(memory: u64, rate: Option<u64>) -> Self {
        let (ours, theirs) = seqpacket::pair().unwrap();
        let mut link = Link::new(ours);
        let file = RingFile::create(memory).unwrap();
        let reader = Reader::new(file.layout(), Cursor::default());
        link.add_ring(ID, file, rate);
        let logger = Some(start_logger(&theirs));
        Self { link, logger, reader, told: Told::default() }
    }

    /// The write end of a new pipe that the logger reads.
    pub(super) fn pipe(&mut self, stream: Stream) -> OwnedFd {
        let (read, write) = fd::pipe().unwrap();
        self.link.add_pipe(key(stream), read);
        write
    }

    /// A socket at this path, whose messages the logger reads.
    pub(super) fn messages(&mut self, path: &std::path::Path) {
        let socket = datagram::listen(path).unwrap();
        peek::set_looked_at(socket.as_fd(), 0).unwrap();
        self.link.add_pipe(key(Stream::Syslog), socket);
    }

    /// A new terminal that the logger reads, which changes nothing of what is written on it.
    pub(super) fn terminal(&mut self) -> OwnedFd {
        let ptmx = std::fs::OpenOptions::new().read(true).write(true).open("/dev/ptmx").unwrap();
        let (engine, terminal) = pty::open(ptmx.into()).unwrap();
        pty::make_raw(terminal.as_fd());
        let (read, _) = fd::pipe().unwrap();
        self.link.add_terminal(key(Stream::Stdout), read, engine);
        terminal
    }

    pub(super) fn kill_logger(&mut self) {
        self.logger.take().unwrap().kill();
    }

    pub(super) fn new_logger(&mut self) {
        let (ours, theirs) = seqpacket::pair().unwrap();
        self.logger = Some(start_logger(&theirs));
        self.link.restart(ours);
    }

    /// Waits until the logger says `wanted`; returns what it said before.
    pub(super) fn hear(&mut self, wanted: FromLogger) -> Vec<FromLogger> {
        let mut before = Vec::new();
        let until = Instant::now() + SOON;
        while Instant::now() < until {
            match self.link.receive().unwrap() {
                Some(frame) if frame == wanted => return before,
                Some(frame) => before.push(frame),
                None => drop(readable(self.link.socket(), SOON)),
            }
        }
        panic!("{wanted:?} did not come");
    }

    /// All that has come since, whatever the output is made of.
    pub(super) fn read(&mut self) -> Vec<(Stream, Vec<u8>)> {
        let mut output: Vec<(Stream, Vec<u8>)> = Vec::new();
        let file = self.link.ring(ID).unwrap();
        let mut buffer = vec![0; 9000];
        while let Some(item) = self.reader.next(file, &mut buffer).unwrap() {
            match item {
                Item::Output { stream, bytes, stamp } => {
                    assert!(stamp.boot_us > 0 && stamp.wall_ns > 0);
                    self.told.at += bytes.len() as u64;
                    match output.last_mut().filter(|(last, _)| *last == stream) {
                        Some((_, text)) => text.extend_from_slice(bytes),
                        None => output.push((stream, bytes.to_vec())),
                    }
                }
                Item::Gap { gone, .. } => self.told.gap(gone),
            }
        }
        output
    }

    /// Reads what a [`pump`] wrote: each byte is the one that belongs at its place.
    pub(super) fn check(&mut self) {
        let file = self.link.ring(ID).unwrap();
        let mut buffer = vec![0; 65_536];
        while let Some(item) = self.reader.next(file, &mut buffer).unwrap() {
            match item {
                Item::Output { bytes, .. } => {
                    let at = self.told.at;
                    assert!(bytes.iter().zip(at..).all(|(byte, at)| *byte == content(at)), "at {at}");
                    self.told.at += bytes.len() as u64;
                }
                Item::Gap { gone, .. } => self.told.gap(gone),
            }
        }
    }

    /// The last `lines` lines.
    pub(super) fn tail(&self, lines: u64) -> Vec<u8> {
        let file = self.link.ring(ID).unwrap();
        let mut buffer = vec![0; 100];
        let mut tail = Tail::new(file.layout(), lines, orlop::log::Range::default());
        let cursor = loop {
            if let Step::Found(cursor) = tail.step(file, &mut buffer).unwrap() {
                break cursor;
            }
        };
        let mut reader = Reader::new(file.layout(), cursor);
        let mut text = Vec::new();
        while let Some(item) = reader.next(file, &mut buffer).unwrap() {
            if let Item::Output { bytes, .. } = item {
                text.extend_from_slice(bytes);
            }
        }
        text
    }

    /// The logger goes to sleep, and nothing wakes it for this long.
    pub(super) fn stays_asleep(&self, time: Duration) {
        let logger = self.logger.as_ref().unwrap();
        let until = Instant::now() + SOON;
        while !status(logger, "State:").starts_with('S') {
            assert!(Instant::now() < until, "it does not sleep");
        }
        let switches = || status(logger, "voluntary_ctxt_switches:");
        let before = switches();
        assert!(!readable(self.link.socket(), time));
        assert_eq!(switches(), before);
    }

    /// What the reader has seen: to follow from.
    pub(super) fn seen(&self) -> u64 {
        self.reader.seen()
    }
}

impl Told {
    fn gap(&mut self, gone: Gone) {
        self.gaps += 1;
        match gone {
            Gone::Overwritten { bytes, .. } => {
                self.overwritten += bytes;
                self.at += bytes;
            }
            Gone::Refused { bytes, reads } => {
                assert!(reads > 0);
                self.refused += bytes;
                self.at += bytes;
            }
        }
    }
}

/// Whether something is to be read within `time`.
pub(super) fn readable(fd: BorrowedFd<'_>, time: Duration) -> bool {
    let timeout = PollTimeout::try_from(time.as_millis() as i32).unwrap();
    poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout).unwrap() > 0
}

/// A field of /proc/PID/status.
pub(super) fn status(process: &Forked, field: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let line = text.lines().find(|line| line.starts_with(field)).unwrap();
    line[field.len()..].trim().to_owned()
}

/// The byte that belongs at a place of a pump's output.
fn content(place: u64) -> u8 {
    (place.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// A process that writes until it is told to stop, and says how much that was.
pub(super) struct Pump {
    process: Forked,
    stop: OwnedFd,
    total: OwnedFd,
}

impl Pump {
    /// Writes pieces of changing size, up to `largest`.
    pub(super) fn start(output: OwnedFd, largest: u64) -> Self {
        let (stopped, stop) = fd::pipe().unwrap();
        let total = memfd::create_of_size(c"total", 8).unwrap();
        let process = Forked::run(|| {
            fd::install(output.as_fd(), 100).unwrap();
            fd::install(stopped.as_fd(), 101).unwrap();
            fd::install(total.as_fd(), 102).unwrap();
            fd::close_from(103);
            (3..100).for_each(|number| drop(fd::inherited(number)));
            let (output, stopped, total) =
                (fd::inherited(100).unwrap(), fd::inherited(101).unwrap(), fd::inherited(102).unwrap());
            write_until_stopped(&output, &stopped, &total, largest);
            0
        });
        Self { process, stop, total }
    }

    /// Returns how much it wrote in all.
    pub(super) fn stop(self) -> u64 {
        nix::unistd::write(&self.stop, b"x").unwrap();
        assert_eq!(self.process.wait(), 0);
        let mut total = [0; 8];
        memfd::read_exact_at(self.total.as_fd(), 0, &mut total).unwrap();
        u64::from_le_bytes(total)
    }
}

fn write_until_stopped(output: &OwnedFd, stopped: &OwnedFd, total: &OwnedFd, largest: u64) {
    let mut at = 0_u64;
    let mut piece = Vec::new();
    while splice::bytes_in_pipe(stopped.as_fd()).unwrap() == 0 {
        let size = 1 + (at.wrapping_mul(0xd129_0e7b_5f01_a3c5) >> 33) % largest;
        piece.clear();
        piece.extend((at..at + size).map(content));
        let mut rest = piece.as_slice();
        while !rest.is_empty() {
            let count = nix::unistd::write(output, rest).unwrap();
            rest = &rest[count..];
        }
        at += size;
    }
    memfd::write_all_at(total.as_fd(), 0, &at.to_le_bytes()).unwrap();
}
