//! A forwarder as a real process, the log that it sends, and a collector.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use orlop::config::Collector as To;
use orlop::log::{FORWARD_FRAME_MAX, FromForwarder, Ring, Stamp, Stream, ToForwarder};

use super::memory;
use crate::agent::log::RingFile;
use crate::linux::forked::Forked;
use crate::linux::{fd, memfd, seqpacket, time};

pub(super) const SOON: Duration = Duration::from_secs(20);
pub(super) const ID: u64 = 7;

/// A log, a forwarder, and what outlives it.
pub(super) struct World {
    pub(super) control: OwnedFd,
    pub(super) forwarder: Option<Forked>,
    to: To,
    others: Vec<To>,
    /// Of TLS: a program, and the files that it is given. They are opened when they are asked for.
    speaker: Vec<PathBuf>,
    pub(super) places: OwnedFd,
    pub(super) file: RingFile,
    ring: Ring,
    clock: u64,
    /// What it told beside questions.
    told: RefCell<Vec<FromForwarder>>,
}

impl World {
    pub(super) fn new(to: To) -> Self {
        Self::with(to, Vec::new(), 64 << 10)
    }

    pub(super) fn with(to: To, others: Vec<To>, memory_of_ring: u64) -> Self {
        Self::made(to, others, memory_of_ring, Vec::new())
    }

    pub(super) fn speaking(to: To, speaker: Vec<PathBuf>) -> Self {
        Self::made(to, Vec::new(), 64 << 10, speaker)
    }

    fn made(to: To, others: Vec<To>, memory_of_ring: u64, speaker: Vec<PathBuf>) -> Self {
        let (file, ring) = ring(memory_of_ring);
        let (control, _) = seqpacket::pair().unwrap();
        let places = memory().unwrap();
        let told = RefCell::default();
        let mut world =
            Self { control, forwarder: None, to, others, speaker, places, file, ring, clock: 0, told };
        world.start();
        world
    }

    /// One more, after the one before is dead, as the supervisor would.
    pub(super) fn start(&mut self) {
        let (ours, theirs) = seqpacket::pair().unwrap();
        self.control = ours;
        self.forwarder = Some(Forked::run(|| {
            fd::install(theirs.as_fd(), 3).unwrap();
            super::run()
        }));
        let send = |packet: ToForwarder, fds: &[_]| {
            seqpacket::send(self.control.as_fd(), &packet.encode(), fds).unwrap();
        };
        send(ToForwarder::Host("deck".into()), &[]);
        send(ToForwarder::Places, &[self.places.as_fd()]);
        for to in self.others.iter().chain([&self.to]) {
            send(ToForwarder::To(to.clone()), &[]);
        }
        let ring = memfd::read_only(self.file.as_fd()).unwrap();
        send(ToForwarder::Ring { id: ID, name: "web".into() }, &[ring.as_fd()]);
    }

    pub(super) fn kill(&mut self) {
        self.forwarder.take().unwrap().kill();
    }

    /// Another one in the place of its ring.
    pub(super) fn another_ring(&mut self) {
        (self.file, self.ring) = ring(64 << 10);
    }

    /// As if it had been read right after the boot.
    pub(super) fn write(&mut self, stream: Stream, text: &str) {
        self.clock += 1;
        self.write_at(self.clock, stream, text);
    }

    pub(super) fn write_now(&mut self, stream: Stream, text: &str) {
        let now = u64::try_from(time::since_boot().as_micros()).unwrap();
        self.write_at(now, stream, text);
    }

    fn write_at(&mut self, boot_us: u64, stream: Stream, text: &str) {
        let stamp = Stamp { boot_us, wall_ns: 1_763_764_400_000_000_000 };
        self.ring.append(&self.file, stamp, stream, text.as_bytes(), 0).unwrap();
    }

    /// Waits until it has seen all, and tells it that there is more.
    pub(super) fn wake(&mut self, after: impl FnOnce(&mut Self)) {
        loop {
            match self.hear() {
                FromForwarder::Follow(follow) => {
                    assert_eq!(follow.id, ID);
                    if follow.after == self.ring.seq() {
                        break;
                    }
                }
                other => self.told.get_mut().push(other),
            }
        }
        after(self);
        let wake = ToForwarder::Wake { id: ID }.encode();
        seqpacket::send(self.control.as_fd(), &wake, &[]).unwrap();
    }

    /// The first thing that it told beside questions.
    pub(super) fn tells(&mut self) -> FromForwarder {
        while self.told.get_mut().is_empty() {
            let heard = self.hear();
            self.told.get_mut().extend((!matches!(heard, FromForwarder::Follow(_))).then_some(heard));
        }
        self.told.get_mut().remove(0)
    }

    fn hear(&self) -> FromForwarder {
        loop {
            readable(self.control.as_fd());
            if let Some(heard) = self.receive() {
                return heard;
            }
        }
    }

    /// What it says, unless that is a question for files, which is answered.
    fn receive(&self) -> Option<FromForwarder> {
        let mut bytes = [0; FORWARD_FRAME_MAX];
        let (size, _) = seqpacket::receive(self.control.as_fd(), &mut bytes).unwrap();
        // Zero: it is not there any more.
        let heard = (size > 0).then(|| FromForwarder::decode(&bytes[..size]).unwrap())?;
        let FromForwarder::Files(to) = heard else { return Some(heard) };
        let opened: Result<Vec<File>, String> = self
            .speaker
            .iter()
            .map(|path| File::open(path).map_err(|error| format!("{}: {error}", path.display())))
            .collect();
        let (answer, files) = match opened {
            Ok(files) => (ToForwarder::Files(to), files),
            Err(why) => (ToForwarder::NoFiles { to, why }, Vec::new()),
        };
        let files: Vec<_> = files.iter().map(AsFd::as_fd).collect();
        seqpacket::send(self.control.as_fd(), &answer.encode(), &files).unwrap();
        None
    }

    /// Waits for what others do, a file of theirs has changed, say. Questions for files are answered meanwhile.
    pub(super) fn until(&self, mut is_so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < SOON);
            let wanted = match self.speaker.is_empty() {
                true => PollFlags::empty(),
                false => PollFlags::POLLIN,
            };
            let mut fds = [PollFd::new(self.control.as_fd(), wanted)];
            if poll(&mut fds, PollTimeout::from(10u8)).unwrap() > 0
                && fds[0].revents().is_some_and(|it| it.contains(PollFlags::POLLIN))
            {
                self.told.borrow_mut().extend(self.receive());
            }
        }
    }

    /// Waits until it is known that so many bytes of the standard output have arrived.
    pub(super) fn until_arrived(&self, bytes: u64) {
        let begun = Instant::now();
        let mut word = [0; 8];
        while u64::from_le_bytes(word) < bytes {
            assert!(begun.elapsed() < SOON, "{word:?}");
            memfd::read_exact_at(self.places.as_fd(), 8 * 8, &mut word).unwrap();
        }
    }
}

fn ring(memory: u64) -> (RingFile, Ring) {
    let file = RingFile::create(memory).unwrap();
    let (ring, _) = Ring::recover(&file, file.layout()).unwrap();
    (file, ring)
}

fn readable(fd: impl AsFd) {
    let mut fds = [PollFd::new(fd.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, PollTimeout::try_from(SOON).unwrap()), Ok(1));
}

/// A collector's end of a stream.
pub(super) struct Collector(BufReader<TcpStream>);

impl Collector {
    pub(super) fn accept(listener: &TcpListener) -> Self {
        readable(listener);
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        Self(BufReader::new(stream))
    }

    /// The next message, by its length.
    pub(super) fn message(&mut self) -> String {
        let mut length = String::new();
        loop {
            let mut byte = [0];
            self.0.read_exact(&mut byte).unwrap();
            match byte[0] {
                b' ' => break,
                digit => length.push(char::from(digit)),
            }
        }
        let mut message = vec![0; length.parse().unwrap()];
        self.0.read_exact(&mut message).unwrap();
        String::from_utf8(message).unwrap()
    }

    /// Its text alone.
    pub(super) fn text(&mut self) -> String {
        text(&self.message())
    }

    /// Texts up to that one.
    pub(super) fn texts(&mut self, last: &str) -> Vec<String> {
        let mut texts = vec![self.text()];
        while texts.last().unwrap() != last {
            texts.push(self.text());
        }
        texts
    }
}

pub(super) fn text(message: &str) -> String {
    message.split_once("] ").unwrap().1.to_owned()
}

/// An address that nobody else has, so that its port is still free for who comes back to it.
fn own_address() -> (Ipv4Addr, u16) {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    (Ipv4Addr::new(127, 0, 1, NEXT.fetch_add(1, Ordering::Relaxed)), 0)
}

pub(super) fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(own_address()).unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A collector of datagrams.
pub(super) fn datagrams() -> (UdpSocket, SocketAddr) {
    let collector = UdpSocket::bind(own_address()).unwrap();
    collector.set_read_timeout(Some(SOON)).unwrap();
    let address = collector.local_addr().unwrap();
    (collector, address)
}

/// Its next datagram.
pub(super) fn message_of(collector: &UdpSocket) -> String {
    let mut buffer = vec![0; 20_000];
    let size = collector.recv(&mut buffer).unwrap();
    String::from_utf8(buffer[..size].to_vec()).unwrap()
}
