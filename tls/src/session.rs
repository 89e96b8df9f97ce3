//! One session: what comes from the forwarder is sent, what the collector says is read for the session's sake alone.
//!
//! A collector acknowledges no message. What its kernel has is what can be known to have arrived, as of TCP, and one thing
//! more: in TLS 1.3 our side of the handshake is over before the collector has looked at our certificate. So nothing has
//! arrived before it has said something afterwards, as most do at once (a ticket), or has not refused us for a while.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::poll::PollFlags;
use orlop::log::FromPump;
use rustls::{ClientConnection, ProtocolVersion};

use crate::linux;
use crate::marks::Marks;
use crate::reason;

/// For the handshake, once there is a connection.
const AGREED_WITHIN: Duration = Duration::from_secs(30);
/// A collector that refuses our certificate has said so by then.
const REFUSED_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks at what was acknowledged: nobody tells. While nothing is on its way there are none.
const LOOK: Duration = Duration::from_secs(1);
/// And two that there is another reason for are not closer than this.
const SOONEST_LOOK: Duration = Duration::from_millis(100);
/// What one record holds (RFC 8446 §5.1).
const PART: usize = 16 << 10;

/// How it ended.
#[derive(Debug)]
pub(crate) enum End {
    /// Who started it is gone.
    Alone,
    /// Why, and what is still to be said before that.
    Over { words: Vec<u8>, why: String },
}

/// Ended by the collector's word, after which nothing is known of what was on its way; or otherwise.
enum Stop {
    Refused(String),
    Cut(String),
    Alone,
}

struct Session<'a> {
    link: &'a UnixStream,
    tcp: TcpStream,
    tls: ClientConnection,
    marks: Marks,
    /// Bytes that the kernel took from us, and that we were given.
    sent: u64,
    given: u64,
    /// Since when there is a session.
    agreed: Option<Instant>,
    /// Whether the collector takes us.
    is_welcome: bool,
    looked: Instant,
    /// What is to be said, as far as there is no room for it: of bytes that arrived the newest.
    saying: Vec<u8>,
    arrived: Option<u64>,
}

pub(crate) fn run(link: &UnixStream, tcp: TcpStream, tls: ClientConnection) -> End {
    let nonblocking = link.set_nonblocking(true).and_then(|()| tcp.set_nonblocking(true));
    if let Err(error) = nonblocking {
        return End::Over { words: Vec::new(), why: reason::plain(&error) };
    }
    let now = Instant::now();
    let mut session = Session {
        link,
        tcp,
        tls,
        marks: Marks::default(),
        sent: 0,
        given: 0,
        agreed: None,
        is_welcome: false,
        looked: now,
        saying: Vec::new(),
        arrived: None,
    };
    let deadline = now + AGREED_WITHIN;
    loop {
        if let Err(stop) = session.turn(deadline) {
            return session.end(stop);
        }
    }
}

impl Session<'_> {
    /// Waits once, and does what there is to do.
    fn turn(&mut self, deadline: Instant) -> Result<(), Stop> {
        self.write()?;
        self.look();
        self.say()?;
        let now = Instant::now();
        if self.agreed.is_none() && deadline <= now {
            return Err(Stop::Cut("the collector did not finish the handshake".to_owned()));
        }
        let next = match self.agreed {
            None => Some(deadline),
            Some(_) if self.marks.is_empty() => None,
            Some(_) => Some(self.looked + LOOK),
        };
        let (to_collector, from_above) = (self.tls.wants_write(), self.takes_more());
        let tcp = PollFlags::POLLIN | flag(to_collector, PollFlags::POLLOUT);
        let link = flag(from_above, PollFlags::POLLIN) | flag(!self.saying.is_empty(), PollFlags::POLLOUT);
        let most = next.map(|at| at.saturating_duration_since(now));
        let waited = linux::wait((&self.tcp, tcp), (self.link, link), most);
        let [tcp, link] = waited.map_err(|errno| Stop::Cut(errno.desc().to_owned()))?;
        if !(tcp & !PollFlags::POLLOUT).is_empty() {
            self.read()?;
        }
        // What is left unsent is sent again by whoever comes next.
        if link.contains(PollFlags::POLLHUP) && !from_above {
            return Err(Stop::Alone);
        }
        if from_above && link.intersects(PollFlags::POLLIN | PollFlags::POLLHUP) {
            self.take()?;
        }
        Ok(())
    }

    /// All that was taken is on its way before more is.
    fn takes_more(&self) -> bool {
        self.agreed.is_some() && !self.tls.wants_write()
    }

    fn take(&mut self) -> Result<(), Stop> {
        let mut part = [0; PART];
        let mut link = self.link;
        match link.read(&mut part) {
            Ok(0) => {
                // All that it was given is the kernel's by now, and so is this, or the collector is behind.
                self.tls.send_close_notify();
                self.write()?;
                Err(Stop::Alone)
            }
            Ok(count) => {
                let part = part.get(..count).unwrap_or_default();
                self.tls.writer().write_all(part).map_err(|error| cut(&error))?;
                self.given = self.given.saturating_add(count as u64);
                Ok(())
            }
            Err(error) if waits(error.kind()) => Ok(()),
            Err(_) => Err(Stop::Alone),
        }
    }

    /// Sends what there is room for.
    fn write(&mut self) -> Result<(), Stop> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.tcp) {
                Ok(count) => self.sent = self.sent.saturating_add(count as u64),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => {
                    // Why it went is often there to be read.
                    self.read()?;
                    return Err(cut(&error));
                }
            }
            if !self.tls.wants_write() && self.agreed.is_some() && self.given > 0 {
                self.marks.add(self.sent, self.given);
            }
        }
        Ok(())
    }

    /// What the collector says beside the session's own words is for nobody.
    fn read(&mut self) -> Result<(), Stop> {
        match self.tls.read_tls(&mut self.tcp) {
            Ok(0) if self.agreed.is_none() => {
                return Err(Stop::Cut("the collector closed the connection in the handshake".to_owned()));
            }
            Ok(0) => return Err(Stop::Cut("the collector closed the connection".to_owned())),
            Ok(_) => {}
            Err(error) if waits(error.kind()) => return Ok(()),
            Err(error) => return Err(cut(&error)),
        }
        let was_agreed = self.agreed.is_some();
        let state = self.tls.process_new_packets().map_err(|error| {
            // It is told why, as far as it listens.
            let _ = self.tls.write_tls(&mut self.tcp);
            Stop::Refused(reason::of(&error))
        })?;
        let mut noise = [0; 4096];
        while matches!(self.tls.reader().read(&mut noise), Ok(1..)) {}
        if state.peer_has_closed() {
            return Err(Stop::Cut("the collector ended the session".to_owned()));
        }
        self.is_welcome |= was_agreed;
        if !was_agreed && !self.tls.is_handshaking() {
            self.agreed = Some(Instant::now());
            self.is_welcome = self.tls.protocol_version() == Some(ProtocolVersion::TLSv1_2);
            self.saying.extend(FromPump::Up.encode());
        }
        Ok(())
    }

    /// Looks what has arrived, when it is time.
    fn look(&mut self) {
        let now = Instant::now();
        if self.marks.is_empty() || now < self.looked + SOONEST_LOOK {
            return;
        }
        self.looked = now;
        self.is_welcome |= self.agreed.is_some_and(|since| since + REFUSED_WITHIN <= now);
        self.arrived = self.has_arrived().or(self.arrived);
    }

    fn has_arrived(&mut self) -> Option<u64> {
        if !self.is_welcome {
            return None;
        }
        let waits = linux::unacknowledged(&self.tcp).unwrap_or(self.sent);
        self.marks.arrived(self.sent.saturating_sub(waits))
    }

    fn say(&mut self) -> Result<(), Stop> {
        loop {
            if self.saying.is_empty() {
                let Some(arrived) = self.arrived.take() else { return Ok(()) };
                self.saying = FromPump::Arrived(arrived).encode();
            }
            let mut link = self.link;
            match link.write(&self.saying) {
                Ok(count) => drop(self.saying.drain(..count.min(self.saying.len()))),
                Err(error) if waits(error.kind()) => return Ok(()),
                Err(_) => return Err(Stop::Alone),
            }
        }
    }

    fn end(mut self, stop: Stop) -> End {
        let (why, arrived) = match stop {
            Stop::Alone => return End::Alone,
            Stop::Refused(why) => (why, None),
            Stop::Cut(why) => (why, self.has_arrived()),
        };
        let mut words = self.saying;
        if let Some(arrived) = arrived.or(self.arrived) {
            words.extend(FromPump::Arrived(arrived).encode());
        }
        End::Over { words, why }
    }
}

fn flag(is_wanted: bool, flag: PollFlags) -> PollFlags {
    if is_wanted { flag } else { PollFlags::empty() }
}

fn waits(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn cut(error: &std::io::Error) -> Stop {
    Stop::Cut(format!("the connection was cut: {}", reason::plain(error)))
}
