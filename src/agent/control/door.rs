//! Who is let in on the socket, and what he may there.
//!
//! The kernel tells who connected: root, a member of the group that `[host.control]` names, one who may look, or
//! somebody else, who is told that he may not, and costs nothing. Who may only look shares a part of the
//! places, so that he keeps nobody out who looks after the machine.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use orlop::control::{Access, Error, access, encode_error};

use super::channel::Channel;
use super::server::{LISTENER, Server};
use super::{Entrant, Event, Peer};
use crate::linux::epoll::Interest;
use crate::linux::socket::{self, Credentials};

/// Connections let in per wake-up, so that the loop soon sees its other descriptors again.
const ACCEPTS: usize = 8;

/// After accept(2) failed for want of descriptors or memory: the connection stays in the queue and
/// the socket readable, and asking again at once would only burn time.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

impl Server {
    pub(super) fn accept_some(&mut self) {
        for _ in 0..ACCEPTS {
            match socket::accept(self.listener.as_fd()) {
                Ok(fd) => self.let_in(fd),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // It left before it was let in.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(_) => {
                    self.accept_at = Some(self.now.saturating_add(ACCEPT_PAUSE));
                    // If even this fails, accept is tried at each wake-up, which does no more harm.
                    let _ = self.epoll.change(self.listener.as_fd(), Interest::empty(), LISTENER);
                    return;
                }
            }
        }
    }

    pub(super) fn resume_accepting(&mut self) {
        if self.accept_at.is_some_and(|at| self.now >= at) {
            let listener = self.listener.as_fd();
            let resumed = self.epoll.change(listener, Interest::EPOLLIN, LISTENER);
            self.accept_at = resumed.err().map(|_| self.now.saturating_add(ACCEPT_PAUSE));
        }
    }

    fn let_in(&mut self, fd: OwnedFd) {
        let Ok(credentials) = socket::credentials(fd.as_fd()) else {
            return;
        };
        let peer = Peer::Process(credentials);
        let Some(access) = self.may(fd.as_fd(), credentials) else {
            // A new socket takes this much at once, or its client is gone.
            let _ = socket::send_now(fd.as_fd(), &encode_error(&Error::PermissionDenied {}));
            self.news.push_back(Event::Denied(peer, None));
            return;
        };
        if let Err(limit) = self.make_room(access) {
            let error = Error::Busy { what: String::from("clients"), limit };
            let _ = socket::send_now(fd.as_fd(), &encode_error(&error));
            return;
        }
        let token = self.token();
        if self.epoll.add(fd.as_fd(), Interest::EPOLLIN, token).is_err() {
            return;
        }
        self.interests.insert(token, Interest::EPOLLIN);
        let mut channel = Channel::socket(fd, Entrant { peer, access }, self.limits, self.now);
        // What it has to say is mostly there already.
        let gone = channel.read(token, self.now);
        self.news.extend(gone.map(Event::Gone));
        self.channels.insert(token, channel);
        self.settle(token);
    }

    /// What somebody may, as the kernel saw him when he connected. Groups are asked for where they count.
    fn may(&self, fd: BorrowedFd<'_>, who: Credentials) -> Option<Access> {
        let mut groups = vec![who.gid];
        if self.admission.group.is_some() {
            groups.extend(socket::groups(fd).unwrap_or_default());
        }
        access(&self.admission, who.uid, &groups)
    }

    /// Lets the one go that has been idle for longest, when all places are taken; nobody who may change
    /// something for one who may only look. How many places there are, when there is none.
    fn make_room(&mut self, access: Access) -> Result<(), u64> {
        let clients = self.channels.values().filter(|channel| !channel.is_port());
        let (all, readers) = clients.fold((0, 0), |(all, readers), channel| {
            (all + 1, readers + usize::from(channel.access() == Access::Read))
        });
        let is_full = all >= self.limits.clients;
        let (has_room, limit) = match access {
            Access::Read => (!is_full && readers < self.limits.readers, self.limits.readers),
            Access::Change => (!is_full, self.limits.clients),
        };
        if has_room || self.let_the_most_idle_go(access) { Ok(()) } else { Err(limit as u64) }
    }

    fn let_the_most_idle_go(&mut self, access: Access) -> bool {
        let idle = self.channels.iter().filter(|(_, channel)| channel.access() <= access);
        let idle = idle.filter_map(|(token, channel)| Some((channel.idle_since()?, *token)));
        let Some((_, token)) = idle.min() else {
            return false;
        };
        self.close(token);
        true
    }
}
