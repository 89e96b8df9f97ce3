//! Sockets that are opened before their containers run, and stay open when these end.
//!
//! They are the machine's, whatever network their container is in, and PID 1 keeps them: neither a program's end
//! nor a supervisor's costs anybody his place in the queue. A supervisor knows them again by where they stand; what no
//! configuration asks for any more is closed. Nothing is taken from them here: that somebody waits is seen, and told.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use orlop::config::{Config, Container, Listen, Socket};
use orlop::ledger::{Child, Frame, Kind, Label};
use orlop::supervisor::Event;

use super::ledger::{Fds, Ledger};
use super::{Agent, Token, failing, say};
use crate::engine::Failure;
use crate::linux::epoll::Interest;
use crate::linux::kmsg::Level;
use crate::linux::listen::{self, Local};
use crate::linux::{Errno, Result, fd};

/// Beside those of containers and of what they say.
const COOKIES: u64 = 1 << 60;

/// By the lower half of their cookies.
#[derive(Default)]
pub struct Sockets(BTreeMap<u32, Open>);

struct Open {
    listen: Listen,
    fd: OwnedFd,
    /// Whose it is, while it is looked at.
    watched: Option<String>,
}

/// What PID 1 kept of them: the lower half of the cookie.
pub fn of(child: &Child) -> Option<u32> {
    let is_ours = child.kind == Kind::Listener && child.cookie >> 60 == 1;
    is_ours.then_some((child.cookie & 0xffff_ffff) as u32)
}

impl Sockets {
    pub fn adopt(&mut self, key: u32, kept: Fds, ledger: &mut Ledger) {
        let fd = kept.into_iter().flatten().next();
        match fd.and_then(|fd| Some((place(&fd)?, fd))) {
            Some((listen, fd)) => drop(self.0.insert(key, Open { listen, fd, watched: None })),
            None => release(key, ledger),
        }
    }

    /// Closes what is not asked for.
    fn close_others(&mut self, config: &Config, ledger: &mut Ledger) {
        let wanted = |listen: &Listen| {
            config.containers.values().any(|it| it.sockets.iter().any(|socket| socket.listen == *listen))
        };
        self.0.retain(|key, open| {
            let stays = wanted(&open.listen);
            if !stays {
                release(*key, ledger);
                if let Listen::Unix(path) = &open.listen {
                    // Somebody may have taken it away.
                    let _ = std::fs::remove_file(path);
                }
            }
            stays
        });
    }

    /// Forgets one that a program has shut for all who have it: it is of no use to the next one.
    fn close_shut(&mut self, name: &str, listen: &Listen, ledger: &mut Ledger) {
        let found = self.0.iter().find(|(_, open)| open.listen == *listen).map(|(key, _)| *key);
        let Some(key) = found.filter(|key| self.is_shut(*key)) else { return };
        self.0.remove(&key);
        release(key, ledger);
        say(Level::Warning, &format!("{name}: {listen}: its program has shut it; it is opened anew"));
    }

    fn is_shut(&self, key: u32) -> bool {
        self.0.get(&key).is_some_and(|open| listen::is_shut(open.fd.as_fd()).unwrap_or_default())
    }

    /// Its key; it is opened, and kept by PID 1, if it is not.
    fn open(&mut self, name: &str, socket: &Socket, ledger: &mut Ledger) -> Result<u32> {
        self.close_shut(name, &socket.listen, ledger);
        if let Some((key, _)) = self.0.iter().find(|(_, open)| open.listen == socket.listen) {
            if let Listen::Unix(path) = &socket.listen {
                // It may be declared as somebody else's now; or somebody has taken it away.
                match listen::give(Path::new(path), socket.mode, socket.owner) {
                    Ok(()) | Err(Errno::ENOENT) => {}
                    Err(errno) => return Err(errno),
                }
            }
            return Ok(*key);
        }
        let fd = match &socket.listen {
            Listen::Tcp(at) => listen::tcp(at),
            Listen::Udp(at) => listen::udp(at),
            Listen::Unix(path) => listen::unix(Path::new(path), socket.mode, socket.owner),
        }?;
        let key = self.0.last_key_value().map_or(0, |(last, _)| last.wrapping_add(1));
        let cookie = COOKIES | u64::from(key);
        let child = Child { cookie, kind: Kind::Listener, pid: 0, label: Label::new(name) };
        ledger.register(child, &[fd.as_fd()])?;
        self.0.insert(key, Open { listen: socket.listen.clone(), fd, watched: None });
        Ok(key)
    }

    /// Copies of a container's, in their order, for its program.
    ///
    /// # Errors
    /// [`Failure`] naming the one that cannot be opened.
    pub fn given(
        &mut self,
        container: &Container,
        ledger: &mut Ledger,
    ) -> core::result::Result<Vec<OwnedFd>, Failure> {
        let mut given = Vec::with_capacity(container.sockets.len());
        for socket in &container.sockets {
            let fail = |errno| Failure::new("socket", socket.listen.to_string(), errno);
            let key = self.open(&container.name, socket, ledger).map_err(fail)?;
            if let Some(open) = self.0.get(&key) {
                given.push(fd::copy(open.fd.as_fd()).map_err(fail)?);
            }
        }
        Ok(given)
    }
}

fn place(fd: &OwnedFd) -> Option<Listen> {
    Some(match listen::local(fd.as_fd()).ok()? {
        Local::Tcp(at) => Listen::Tcp(at),
        Local::Udp(at) => Listen::Udp(at),
        Local::Unix(path) => Listen::Unix(path.to_str()?.to_owned()),
    })
}

fn release(key: u32, ledger: &mut Ledger) {
    ledger.send(Frame::Release { cookie: COOKIES | u64::from(key) });
}

impl Agent {
    /// Opens what the configuration asks for, and closes the rest. What cannot be opened is tried again when it is
    /// needed, and is a failure then.
    pub fn open_sockets(&mut self) {
        let awaited: BTreeSet<String> =
            self.sockets.0.values().filter_map(|open| open.watched.clone()).collect();
        awaited.iter().for_each(|name| self.look_away(name));
        self.sockets.close_others(&self.config, &mut self.ledger);
        for (name, container) in &self.config.containers {
            for socket in &container.sockets {
                if let Err(errno) = self.sockets.open(name, socket, &mut self.ledger) {
                    say(Level::Error, &format!("{name}: {}: {}", socket.listen, errno.desc()));
                }
            }
        }
        // They may be others now.
        awaited.iter().for_each(|name| self.listen(name));
    }

    /// Looks at a container's sockets until somebody waits at one.
    pub fn listen(&mut self, name: &str) {
        let Some(container) = self.config.containers.get(name) else { return };
        for socket in &container.sockets {
            let opened = self.sockets.open(name, socket, &mut self.ledger);
            let watched = opened.and_then(|key| {
                let Some(open) = self.sockets.0.get_mut(&key) else { return Err(Errno::EBADF) };
                match self.epoll.add(open.fd.as_fd(), Interest::EPOLLIN, Token::Socket(key).number()) {
                    Ok(()) | Err(Errno::EEXIST) => {
                        open.watched = Some(name.to_owned());
                        Ok(())
                    }
                    Err(errno) => Err(errno),
                }
            });
            if let Err(errno) = watched {
                let failure =
                    failing::start_failure(Failure::new("socket", socket.listen.to_string(), errno));
                self.events.push_back(Event::ListenFailed { name: name.to_owned(), failure });
                return self.look_away(name);
            }
        }
    }

    /// Somebody waits, and the program will take him; or nobody can any more.
    pub fn connected(&mut self, key: u32) {
        let Some(name) = self.sockets.0.get(&key).and_then(|open| open.watched.clone()) else { return };
        self.look_away(&name);
        if self.sockets.is_shut(key) {
            return self.listen(&name);
        }
        self.events.push_back(Event::Connected { name });
    }

    /// Its sockets are its program's now, or nobody's.
    pub fn look_away(&mut self, name: &str) {
        for open in self.sockets.0.values_mut().filter(|open| open.watched.as_deref() == Some(name)) {
            let _ = self.epoll.remove(open.fd.as_fd());
            open.watched = None;
        }
    }
}
