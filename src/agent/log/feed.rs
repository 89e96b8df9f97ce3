//! Terminals of containers: what is written on one goes into a pipe, and from there the way of all output.
//!
//! A terminal cannot be moved into a ring in one step that a kill leaves whole; into a pipe it can, and the
//! pipe is kept by others too. The end that is written to is opened here alone, so that the pipe ends with the
//! terminal.

use std::os::fd::{AsFd, OwnedFd};

use orlop::log::{PipeKey, READ_MAX};

use crate::linux::epoll::{Epoll, Interest};
use crate::linux::{Errno, Result, fd, splice};

/// Tokens of feeds have this bit; those of pipes never come so far.
const FEED: u64 = 1 << 63;

pub(super) fn is_feed(token: u64) -> bool {
    token & FEED != 0
}

#[derive(Default)]
pub(super) struct Feeds {
    all: Vec<Feed>,
    next: u64,
}

struct Feed {
    key: PipeKey,
    token: u64,
    terminal: OwnedFd,
    pipe: OwnedFd,
    is_watched: bool,
}

impl Feeds {
    /// Moves from this terminal into the pipe with that read end, in the place of what was known of it.
    ///
    /// # Errors
    /// EMFILE; ENOTTY.
    pub(super) fn add(
        &mut self,
        key: PipeKey,
        terminal: OwnedFd,
        read_end: &OwnedFd,
        epoll: &Epoll,
    ) -> Result<()> {
        self.drop_where(|known| *known == key, epoll);
        let pipe = splice::write_end(read_end.as_fd())?;
        fd::nonblocking(terminal.as_fd())?;
        self.next = self.next.wrapping_add(1);
        let token = FEED | self.next & !FEED;
        epoll.add(terminal.as_fd(), Interest::EPOLLIN, token)?;
        self.all.push(Feed { key, token, terminal, pipe, is_watched: true });
        Ok(())
    }

    pub(super) fn drop_where(&mut self, dropped: impl Fn(&PipeKey) -> bool, epoll: &Epoll) {
        self.all.retain(|feed| {
            let keep = !dropped(&feed.key);
            if !keep && feed.is_watched {
                // Others hold it, so that closing alone would not do. It is in the set.
                let _ = epoll.remove(feed.terminal.as_fd());
            }
            keep
        });
    }

    /// There is something to move.
    pub(super) fn ready(&mut self, token: u64, epoll: &Epoll) {
        let Some(feed) = self.all.iter_mut().find(|feed| feed.token == token) else { return };
        let most = usize::try_from(READ_MAX).unwrap_or(usize::MAX);
        match splice::into_pipe(feed.terminal.as_fd(), feed.pipe.as_fd(), most) {
            Ok(1..) | Err(Errno::EINTR) => {}
            // There is no room, until some of it was read; or there was nothing, which costs nothing to see.
            Err(Errno::EAGAIN) => {
                if splice::bytes_in_pipe(feed.pipe.as_fd()).is_ok_and(|count| count > 0) {
                    feed.is_watched = epoll.remove(feed.terminal.as_fd()).is_err();
                }
            }
            // Nobody has the terminal open any more.
            Ok(0) | Err(_) => {
                let key = feed.key;
                self.drop_where(|known| *known == key, epoll);
            }
        }
    }

    /// Output of this container was read: there is room.
    pub(super) fn has_room(&mut self, id: u64, epoll: &Epoll) {
        for feed in self.all.iter_mut().filter(|feed| feed.key.id == id && !feed.is_watched) {
            feed.is_watched = epoll.add(feed.terminal.as_fd(), Interest::EPOLLIN, feed.token).is_ok();
        }
    }
}
