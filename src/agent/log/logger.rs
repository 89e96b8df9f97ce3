//! The logger's loop: frames from the supervisor, bytes from pipes. One wait, bounded work after it,
//! and no timer unless a ring cannot be written.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::log::{FRAME_LEN, FromLogger, KERNEL, OWN, PipeKey, Recovered, Stamp, Stream, ToLogger};

use super::RingFile;
use super::container::Container;
use super::feed::{Feeds, is_feed};
use super::kernel::KernelLog;
use super::messages::{self, Left};
use crate::linux::epoll::{Epoll, Interest};
use crate::linux::{Errno, Result, insist, peek, seqpacket, splice, time};

/// The control socket's token; pipes have the following ones.
const CONTROL: u64 = 0;

/// The kernel's log's; those of pipes never come so far.
const KMSG: u64 = 1 << 62;

/// After a ring could not be written (no memory), the next try. Meanwhile output waits in the pipes.
const RETRY: Duration = Duration::from_secs(1);

/// Frames heard in one wake-up: pipes wait no longer than that.
const FRAMES_PER_WAKE: u32 = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Again,
    /// Nobody is at the other end of the socket, nor ever will be.
    Over,
}

pub(super) struct Logger {
    control: OwnedFd,
    epoll: Epoll,
    containers: BTreeMap<u64, Container>,
    pipes: BTreeMap<u64, Pipe>,
    feeds: Feeds,
    kernel: Option<KernelLog>,
    next_token: u64,
    /// What did not fit in the socket; at most a few frames a container.
    unsent: VecDeque<FromLogger>,
    /// When containers whose ring could not be written are tried again.
    retry_at: Option<Duration>,
}

struct Pipe {
    key: PipeKey,
    fd: OwnedFd,
    watch: Watch,
    /// A socket of messages that nobody can write to any more.
    is_over: bool,
}

/// Whether the pipe is in the epoll set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Watch {
    On,
    Off,
}

impl Logger {
    pub(super) fn new(control: OwnedFd) -> Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(control.as_fd(), Interest::EPOLLIN, CONTROL)?;
        Ok(Self {
            control,
            epoll,
            containers: BTreeMap::new(),
            pipes: BTreeMap::new(),
            feeds: Feeds::default(),
            kernel: None,
            next_token: CONTROL,
            unsent: VecDeque::new(),
            retry_at: None,
        })
    }

    /// Waits once and handles what came.
    pub(super) fn turn(&mut self) -> Result<Turn> {
        let timeout = self.retry_at.map(|at| at.saturating_sub(time::since_boot()));
        let ready = self.epoll.wait(timeout)?;
        let stamp = now();
        for (token, events) in ready.iter() {
            if is_feed(token) {
                self.feeds.ready(token, &self.epoll);
            } else if token == KMSG {
                self.read_kernel(stamp);
            } else if token != CONTROL {
                self.read(token, events, stamp);
            } else if self.hear(stamp)? == Turn::Over {
                return Ok(Turn::Over);
            }
        }
        if self.retry_at.is_some_and(|at| at <= Duration::from_micros(stamp.boot_us)) {
            self.retry();
        }
        self.flush()?;
        Ok(Turn::Again)
    }

    fn hear(&mut self, stamp: Stamp) -> Result<Turn> {
        let mut frame = [0; FRAME_LEN];
        for _ in 0..FRAMES_PER_WAKE {
            let (size, [fd, terminal, ..]) = match seqpacket::receive(self.control.as_fd(), &mut frame) {
                Ok((0, _)) => return Ok(Turn::Over),
                Ok(received) => received,
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Turn::Again),
                Err(errno) => return Err(errno),
            };
            if let Some(frame) = ToLogger::decode(frame.get(..size).unwrap_or_default()) {
                self.obey(frame, fd, terminal, stamp);
            }
        }
        Ok(Turn::Again)
    }

    fn obey(&mut self, frame: ToLogger, fd: Option<OwnedFd>, terminal: Option<OwnedFd>, stamp: Stamp) {
        match (frame, fd) {
            (ToLogger::Ring { id, rate }, Some(fd)) => match RingFile::adopt(fd) {
                Ok(file) => self.ring(id, rate, file, stamp),
                Err(errno) => self.tell(FromLogger::Trouble { id, errno: errno as i32 }),
            },
            (ToLogger::Pipe(key), Some(fd)) => self.pipe(key, fd),
            (ToLogger::Terminal(key), Some(fd)) => self.terminal(key, fd, terminal),
            (ToLogger::Drain(key), _) => self.drain(key, stamp),
            (ToLogger::Kmsg, Some(fd)) => {
                if let Some(mut before) = self.kernel.replace(KernelLog::new(fd)) {
                    before.leave(&self.epoll);
                }
                self.watch_kernel();
            }
            (ToLogger::Kmsg, None) => {
                self.tell(FromLogger::Trouble { id: KERNEL, errno: Errno::EBADF as i32 });
            }
            (
                ToLogger::Ring { id, .. }
                | ToLogger::Pipe(PipeKey { id, .. })
                | ToLogger::Terminal(PipeKey { id, .. }),
                None,
            ) => {
                self.tell(FromLogger::Trouble { id, errno: Errno::EBADF as i32 });
            }
            (ToLogger::Follow { id, after }, _) => {
                if let Some(container) = self.containers.get_mut(&id) {
                    container.follow(after);
                    self.wake(id);
                }
            }
            (ToLogger::Ping { token }, _) => self.tell(FromLogger::Pong { token }),
        }
    }

    fn ring(&mut self, id: u64, rate: Option<u64>, file: RingFile, stamp: Stamp) {
        let known = self.containers.get_mut(&id).filter(|container| container.is_ring(&file));
        if let Some(container) = known {
            return container.set_rate(rate, stamp.boot_us);
        }
        let mut container = Container::new(file);
        container.set_rate(rate, stamp.boot_us);
        self.containers.insert(id, container);
        self.recover(id);
    }

    /// First what fills the pipe: without anybody who could, it would be at its end.
    fn terminal(&mut self, key: PipeKey, fd: OwnedFd, terminal: Option<OwnedFd>) {
        let terminal = terminal.ok_or(Errno::EBADF);
        if let Err(errno) = terminal.and_then(|terminal| self.feeds.add(key, terminal, &fd, &self.epoll)) {
            self.tell(FromLogger::Trouble { id: key.id, errno: errno as i32 });
        }
        self.pipe(key, fd);
    }

    fn pipe(&mut self, key: PipeKey, fd: OwnedFd) {
        self.drop_pipes(|known| *known == key);
        let fit = match self.containers.contains_key(&key.id) {
            // It is sent once, and who writes there waits for us.
            true if key.stream == Stream::Syslog => insist(|| peek::looked_at(fd.as_fd())).map(drop),
            true => insist(|| splice::bytes_in_pipe(fd.as_fd())).map(drop),
            false => Err(Errno::ENOENT),
        };
        if let Err(errno) = fit {
            return self.tell(FromLogger::Trouble { id: key.id, errno: errno as i32 });
        }
        self.next_token = self.next_token.wrapping_add(1);
        self.pipes.insert(self.next_token, Pipe { key, fd, watch: Watch::Off, is_over: false });
        self.watch(key.id);
    }

    fn drop_pipes(&mut self, dropped: impl Fn(&PipeKey) -> bool) {
        let epoll = &self.epoll;
        self.pipes.retain(|_, pipe| {
            let keep = !dropped(&pipe.key);
            if !keep && pipe.watch == Watch::On {
                // Others hold the pipe, so that closing alone would not do. It is in the set.
                let _ = epoll.remove(pipe.fd.as_fd());
            }
            keep
        });
    }

    /// Puts the container's pipes into the set, those that are not.
    fn watch(&mut self, id: u64) {
        let Some(container) = self.containers.get_mut(&id).filter(|it| it.is_usable()) else { return };
        let mut failed = None;
        for (token, pipe) in self.pipes.iter_mut().filter(|(_, pipe)| pipe.key.id == id) {
            if pipe.watch == Watch::Off {
                let taken_over = match pipe.key.stream {
                    Stream::Syslog => messages::take_over(container, pipe.fd.as_fd(), &pipe.key, now()),
                    Stream::Stdout | Stream::Stderr => Ok(()),
                };
                let watched =
                    taken_over.and_then(|()| self.epoll.add(pipe.fd.as_fd(), Interest::EPOLLIN, *token));
                match watched {
                    Ok(()) => pipe.watch = Watch::On,
                    Err(errno) => failed = Some(errno),
                }
            }
        }
        if let Some(errno) = failed {
            self.try_again(id, errno);
        }
        self.close_empty(id);
    }

    /// Those that were over before they were watched: an empty one never says anything.
    fn close_empty(&mut self, id: u64) {
        let over = self.pipes.iter().filter(|(_, pipe)| pipe.key.id == id && pipe.is_over);
        let over: Vec<u64> = over.map(|(token, _)| *token).collect();
        for token in over {
            self.read_messages(token, now());
        }
    }

    /// It is closed when it is found empty.
    fn drain(&mut self, key: PipeKey, stamp: Stamp) {
        let known = self.pipes.iter_mut().find(|(_, pipe)| pipe.key == key);
        let Some((token, pipe)) = known else { return self.tell(FromLogger::PipeClosed(key)) };
        pipe.is_over = true;
        let token = *token;
        self.read_messages(token, stamp);
    }

    fn read_messages(&mut self, token: u64, stamp: Stamp) {
        let Some(pipe) = self.pipes.get(&token).filter(|pipe| pipe.watch == Watch::On) else { return };
        let (key, is_over) = (pipe.key, pipe.is_over);
        let Some(container) = self.containers.get_mut(&key.id) else { return };
        match messages::read(container, pipe.fd.as_fd(), &key, stamp) {
            Ok(Left::Nothing) if is_over => {
                self.drop_pipes(|known| *known == key);
                self.tell(FromLogger::PipeClosed(key));
            }
            Ok(Left::Nothing | Left::Something) => {}
            Err(errno) => return self.trouble(key.id, errno),
        }
        self.wake(key.id);
    }

    fn read(&mut self, token: u64, events: Interest, stamp: Stamp) {
        let Some(pipe) = self.pipes.get(&token).filter(|pipe| pipe.watch == Watch::On) else { return };
        let key = pipe.key;
        if key.stream == Stream::Syslog {
            return match messages::drop_empty(pipe.fd.as_fd()) {
                Ok(()) => self.read_messages(token, stamp),
                Err(errno) => self.trouble(key.id, errno),
            };
        }
        let Some(container) = self.containers.get_mut(&key.id) else { return };
        if events.contains(Interest::EPOLLIN) {
            if let Err(errno) = container.read(pipe.fd.as_fd(), key.stream, stamp) {
                return self.trouble(key.id, errno);
            }
            self.feeds.has_room(key.id, &self.epoll);
            self.wake(key.id);
        } else {
            // Hung up, and nothing to read: with the last writer gone nothing can come.
            self.drop_pipes(|known| *known == key);
            self.tell(FromLogger::PipeClosed(key));
        }
    }

    /// From its beginning: what is in the rings is passed over.
    fn watch_kernel(&mut self) {
        if let Some(kernel) = &mut self.kernel
            && let Err(errno) = kernel.watch(&self.epoll, KMSG)
        {
            self.try_again(KERNEL, errno);
        }
    }

    fn read_kernel(&mut self, stamp: Stamp) {
        let Some(kernel) = &mut self.kernel else { return };
        if let Err((id, errno)) = kernel.read(&mut self.containers, stamp) {
            kernel.leave(&self.epoll);
            self.try_again(id, errno);
        }
        self.wake(KERNEL);
        self.wake(OWN);
    }

    fn wake(&mut self, id: u64) {
        if self.containers.get_mut(&id).is_some_and(Container::take_wake) {
            self.tell(FromLogger::Wake { id });
        }
    }

    /// Leaves the container's pipes alone until the next try.
    fn trouble(&mut self, id: u64, errno: Errno) {
        for pipe in self.pipes.values_mut().filter(|pipe| pipe.key.id == id) {
            // Not interested is not enough: a hang-up is told anyway, again and again.
            let _ = self.epoll.remove(pipe.fd.as_fd());
            pipe.watch = Watch::Off;
        }
        self.try_again(id, errno);
    }

    fn try_again(&mut self, id: u64, errno: Errno) {
        self.retry_at = Some(time::since_boot().saturating_add(RETRY));
        self.tell(FromLogger::Trouble { id, errno: errno as i32 });
    }

    fn recover(&mut self, id: u64) {
        let Some(container) = self.containers.get_mut(&id) else { return };
        match container.recover() {
            Ok(Recovered::Whole | Recovered::Completed(_)) => {}
            Ok(Recovered::Reset) => self.tell(FromLogger::Trouble { id, errno: Errno::EILSEQ as i32 }),
            Err(errno) => return self.trouble(id, errno),
        }
        self.watch(id);
    }

    fn retry(&mut self) {
        self.retry_at = None;
        let ids: Vec<u64> = self.containers.keys().copied().collect();
        for id in ids {
            if self.containers.get(&id).is_some_and(Container::is_usable) {
                self.watch(id);
            } else {
                self.recover(id);
            }
        }
        self.watch_kernel();
    }

    fn tell(&mut self, frame: FromLogger) {
        // Said once is enough, also of what is tried again every second while nobody listens.
        if !self.unsent.contains(&frame) {
            self.unsent.push_back(frame);
        }
    }

    fn flush(&mut self) -> Result<()> {
        let waited = !self.unsent.is_empty();
        while let Some(frame) = self.unsent.front() {
            match seqpacket::send(self.control.as_fd(), &frame.encode(), &[]) {
                Ok(()) => drop(self.unsent.pop_front()),
                Err(_) => break,
            }
        }
        if waited {
            let more = if self.unsent.is_empty() { Interest::empty() } else { Interest::EPOLLOUT };
            self.epoll.change(self.control.as_fd(), Interest::EPOLLIN | more, CONTROL)?;
        }
        Ok(())
    }
}

fn now() -> Stamp {
    Stamp {
        boot_us: u64::try_from(time::since_boot().as_micros()).unwrap_or(u64::MAX),
        wall_ns: i64::try_from(time::wall().as_nanos()).unwrap_or(i64::MAX),
    }
}
