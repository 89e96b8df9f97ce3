//! What the supervisor is to be told, sent as it has room for it: of each thing the newest.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::BorrowedFd;

use orlop::config::Collector;
use orlop::log::{Follow, FromForwarder};

use super::link::{News, Why};
use crate::linux::seqpacket;

#[derive(Default)]
pub(super) struct Talk {
    /// What is still to be asked for: of each ring from where on.
    follows: BTreeMap<u64, u64>,
    /// Collectors, by their numbers, whose files are still to be asked for.
    files: BTreeMap<u64, Collector>,
    /// Of each collector, by its number, how it is.
    links: BTreeMap<u64, FromForwarder>,
    troubles: BTreeSet<(u64, i32)>,
    /// Of rings that cannot be read; said once.
    known: BTreeSet<(u64, i32)>,
}

impl Talk {
    /// One wake serves all: it comes for who has seen least.
    pub(super) fn follow(&mut self, id: u64, after: u64) {
        self.follows.entry(id).and_modify(|known| *known = after.min(*known)).or_insert(after);
    }

    pub(super) fn files(&mut self, number: u64, to: Collector) {
        self.files.insert(number, to);
    }

    pub(super) fn link(&mut self, number: u64, to: Collector, news: News) {
        let packet = match news {
            News::Works => FromForwarder::Link { to, errno: 0 },
            News::IsDown(Why::Errno(errno)) => FromForwarder::Link { to, errno: errno as i32 },
            News::IsDown(Why::Said(why)) => FromForwarder::Said { to, why },
        };
        self.links.insert(number, packet);
    }

    pub(super) fn trouble(&mut self, id: u64, errno: i32) {
        if self.known.insert((id, errno)) {
            self.troubles.insert((id, errno));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.follows.is_empty() && self.files.is_empty() && self.links.is_empty() && self.troubles.is_empty()
    }

    /// Says what there is room for.
    pub(super) fn flush(&mut self, socket: BorrowedFd<'_>) {
        let say = |packet: &FromForwarder| seqpacket::send(socket, &packet.encode(), &[]).is_ok();
        self.links.retain(|_, packet| !say(packet));
        self.files.retain(|_, to| !say(&FromForwarder::Files(to.clone())));
        self.troubles.retain(|(id, errno)| !say(&FromForwarder::Trouble { id: *id, errno: *errno }));
        self.follows.retain(|id, after| !say(&FromForwarder::Follow(Follow { id: *id, after: *after })));
    }
}
