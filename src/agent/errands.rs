//! Errands: what a client asks for that takes reading or writing which may block, done by a process
//! that may die.
//!
//! A child writes the whole answer, as it goes to the client, and ends. The supervisor passes it on
//! without looking into it: names and arguments of a container's processes are nothing that it parses.

mod child;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::control::{Access, Error, ReloadReply, Remaining, encode_error, encode_reply};
use orlop::supervisor::Event;

use super::control::CallId;
use super::{Agent, Token, say};
use crate::linux::epoll::Interest;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, fd, pidfd};

pub use child::{child, write_all};

/// At once; each is a process.
const ERRANDS: usize = 8;
/// Of them, for all together who may only look.
const READERS: usize = 4;
/// A kernel that takes memory from a container for a smaller limit has this long, and so has one
/// that waits for a process to stand still.
const LONGEST: Duration = Duration::from_secs(20);
/// Bytes of an answer: the figures of as many containers as there may be.
const MAX_ANSWER: usize = 4 << 20;
/// Read in one turn.
const READ: usize = 64 << 10;

/// An answer, or why there is none.
pub type Answer = core::result::Result<Vec<u8>, Error>;

#[derive(Default)]
pub struct Errands {
    running: BTreeMap<u32, Errand>,
    next: u32,
    /// Of stuck containers.
    pub remains: BTreeMap<String, Vec<Remaining>>,
}

struct Errand {
    /// `None`: nobody waits for the answer.
    call: Option<CallId>,
    after: After,
    access: Access,
    answer: OwnedFd,
    pidfd: OwnedFd,
    bytes: Vec<u8>,
    until: Duration,
}

impl Errand {
    /// One message, and nothing behind it.
    fn is_done(&self) -> bool {
        let end = self.bytes.iter().position(|byte| *byte == 0);
        end.is_some_and(|end| end + 1 == self.bytes.len())
    }

    /// Those of this reload. One that was cut short is done once more by whoever comes next.
    fn has_written_limits_of(&self, number: u64) -> bool {
        self.is_done() && matches!(&self.after, After::Limits(told) if told.number == number)
    }
}

/// What is different when it is over.
enum After {
    Nothing,
    /// Whether this container stands still.
    Pause(String),
    /// Limits of a reload are in force, as far as they can be: of this one, of which this is to be told beside.
    Limits(ReloadReply),
    /// What this generation of a stuck container hangs on is known.
    Remains(String, u64),
    /// What is left of it is set aside, if the answer says so.
    Aside(String, u64),
}

impl Errands {
    /// Whether what is left of this container is being set aside.
    pub fn replaces(&self, name: &str) -> bool {
        let of_it = |errand: &Errand| matches!(&errand.after, After::Aside(of, _) if of == name);
        self.running.values().any(of_it)
    }

    /// Whether a pause of this container, or its end, is under way.
    pub fn is_being_paused(&self, name: &str) -> bool {
        self.running.values().any(|it| matches!(&it.after, After::Pause(of) if of == name))
    }

    /// Those that write limits.
    fn of_limits(&self) -> Vec<u32> {
        let of_limits = self.running.iter().filter(|(_, it)| matches!(it.after, After::Limits(..)));
        of_limits.map(|(key, _)| *key).collect()
    }

    fn has_room(&self, access: Access) -> core::result::Result<(), u64> {
        let readers = self.running.values().filter(|errand| errand.access == Access::Read).count();
        room(self.running.len(), readers, access)
    }

    pub fn deadline(&self) -> Option<Duration> {
        self.running.values().map(|errand| errand.until).min()
    }
}

impl Agent {
    /// Has `work` done, and its answer sent. It has a copy of our memory and none of our descriptors:
    /// what it is given must not own any.
    pub fn errand(&mut self, call: CallId, now: Duration, work: impl FnOnce() -> Answer) {
        self.send_errand(Some(call), After::Nothing, now, work);
    }

    /// As [`Agent::errand`], of one that has the container `name` stand still or go on.
    pub fn errand_of_pause(
        &mut self,
        call: CallId,
        name: String,
        now: Duration,
        work: impl FnOnce() -> Answer,
    ) {
        self.send_errand(Some(call), After::Pause(name), now, work);
    }

    /// As [`Agent::errand`], of one that writes the limits of a reload.
    pub fn errand_of_limits(
        &mut self,
        call: Option<CallId>,
        told: ReloadReply,
        now: Duration,
        work: impl FnOnce() -> Answer,
    ) {
        self.send_errand(call, After::Limits(told), now, work);
    }

    /// As [`Agent::errand`], of one that looks up what a stuck container hangs on.
    pub fn errand_of_remains(
        &mut self,
        name: String,
        generation: u64,
        now: Duration,
        work: impl FnOnce() -> Answer,
    ) {
        self.send_errand(None, After::Remains(name, generation), now, work);
    }

    /// As [`Agent::errand`], of one that sets aside what is left of a stuck container.
    pub fn errand_of_aside(
        &mut self,
        call: CallId,
        (name, generation): (String, u64),
        now: Duration,
        work: impl FnOnce() -> Answer,
    ) {
        self.send_errand(Some(call), After::Aside(name, generation), now, work);
    }

    fn send_errand(
        &mut self,
        call: Option<CallId>,
        after: After,
        now: Duration,
        work: impl FnOnce() -> Answer,
    ) {
        // A reload is in force already, and has its place.
        if let Some(call) = call
            && !matches!(after, After::Limits(..))
            && !self.errand_has_room(call, now)
        {
            return;
        }
        let access = call.map_or(Access::Change, |call| self.errand_access(call));
        let key = self.errands.next;
        self.errands.next = key.wrapping_add(1);
        let sent = send(work).and_then(|(answer, pidfd)| {
            self.epoll.add(answer.as_fd(), Interest::EPOLLIN, Token::Errand(key).number())?;
            Ok((answer, pidfd))
        });
        match sent {
            Ok((answer, pidfd)) => {
                let until = now.saturating_add(LONGEST);
                let bytes = Vec::new();
                self.errands.running.insert(key, Errand { call, access, after, answer, pidfd, bytes, until });
            }
            Err(errno) => self.fail_errand(call, after, failed(errno.desc()), now),
        }
    }

    fn fail_errand(&mut self, call: Option<CallId>, after: After, error: Error, now: Duration) {
        match (call, after) {
            // It is in force all the same.
            (Some(call), After::Limits(mut told)) => {
                told.problems.push(format!("limits: {error}"));
                self.server.reply(now, call, &told);
            }
            (Some(call), After::Nothing | After::Pause(_) | After::Remains(..) | After::Aside(..)) => {
                self.server.fail(now, call, &error);
            }
            (None, _) => say(Level::Error, &format!("errand: {error}")),
        }
    }

    /// Whether one more may begin for this call; if not, it has its answer. Who prepares one at length asks before.
    pub fn errand_has_room(&mut self, call: CallId, now: Duration) -> bool {
        let room = self.errands.has_room(self.errand_access(call));
        if let Err(limit) = room {
            self.server.fail(now, call, &Error::Busy { what: "errands".into(), limit });
        }
        room.is_ok()
    }

    /// As [`Agent::errand_has_room`], and nobody is answered.
    pub fn errands_have_room(&self, call: CallId) -> bool {
        self.errands.has_room(self.errand_access(call)).is_ok()
    }

    /// One whose client is gone goes on, as what it changes was asked for.
    fn errand_access(&self, call: CallId) -> Access {
        self.server.access(call.client).unwrap_or(Access::Change)
    }

    /// Something came of one, or it is over.
    pub fn errand_ready(&mut self, key: u32, now: Duration) {
        let Some(errand) = self.errands.running.get_mut(&key) else { return };
        // Not on the stack: every child that is made meanwhile would have it copied, page by page.
        let mut buffer = vec![0; READ];
        match fd::read(errand.answer.as_fd(), &mut buffer) {
            Ok(0) => self.errand_over(key, now),
            Ok(count) => {
                errand.bytes.extend_from_slice(buffer.get(..count).unwrap_or_default());
                if errand.bytes.len() > MAX_ANSWER {
                    self.give_up(key, "the answer is too large", now);
                }
            }
            Err(Errno::EAGAIN) => {}
            Err(errno) => self.give_up(key, errno.desc(), now),
        }
    }

    /// Those that write limits of before give way to who writes all that are in force now.
    pub fn end_limits_errands(&mut self, now: Duration) {
        for key in self.errands.of_limits() {
            self.give_up(key, "another reload came before it was done", now);
        }
    }

    fn take_errand(&mut self, key: u32) -> Option<Errand> {
        let errand = self.errands.running.remove(&key)?;
        // A child that was made meanwhile may have it too: closing ours would not take it out.
        let _ = self.epoll.remove(errand.answer.as_fd());
        match &errand.after {
            After::Nothing => {}
            After::Pause(name) => {
                let (name, paused) = (name.clone(), self.is_paused(name));
                self.events.push_back(Event::Paused { name, paused });
            }
            After::Limits(..) => self.see_who_goes_on(),
            After::Aside(name, generation) => self.set_aside(name, *generation, &errand.bytes),
            After::Remains(name, generation) => self.remains_found(name, *generation, &errand.bytes),
        }
        Some(errand)
    }

    fn errand_over(&mut self, key: u32, now: Duration) {
        let Some(errand) = self.take_errand(key) else { return };
        if errand.is_done() {
            if errand.has_written_limits_of(self.reloading.done().0) {
                self.limits_written();
            }
            if let Some(call) = errand.call {
                self.server.reply_message(now, call, &errand.bytes);
            }
        } else {
            let error = failed("the process that was to do it ended");
            self.fail_errand(errand.call, errand.after, error, now);
        }
    }

    fn give_up(&mut self, key: u32, why: &str, now: Duration) {
        let Some(errand) = self.take_errand(key) else { return };
        if let Err(errno) = pidfd::send_signal(errand.pidfd.as_fd(), libc::SIGKILL) {
            say(Level::Error, &format!("errand: {}", errno.desc()));
        }
        self.fail_errand(errand.call, errand.after, failed(why), now);
    }

    /// Those that take too long.
    pub fn late_errands(&mut self, now: Duration) {
        let late = self.errands.running.iter().filter(|(_, errand)| errand.until <= now);
        let late: Vec<u32> = late.map(|(key, _)| *key).collect();
        for key in late {
            self.give_up(key, &format!("not done after {} s", LONGEST.as_secs()), now);
        }
    }
}

/// Whether one more may begin beside so many, of which some are readers'; else as many as there may be.
fn room(all: usize, readers: usize, access: Access) -> core::result::Result<(), u64> {
    let is_readers_turn = access == Access::Change || readers < READERS;
    match (all < ERRANDS, is_readers_turn) {
        (true, true) => Ok(()),
        (_, false) => Err(READERS as u64),
        (false, true) => Err(ERRANDS as u64),
    }
}

fn failed(why: &str) -> Error {
    Error::Failed { reason: why.to_owned() }
}

fn send(work: impl FnOnce() -> Answer) -> Result<(OwnedFd, OwnedFd)> {
    child(|to| write_all(&to, &work().unwrap_or_else(|error| encode_error(&error))))
}

/// For an errand that has nothing to say but that it is done.
pub fn done() -> Answer {
    Ok(encode_reply(&orlop::control::Empty {}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errand(after: After, bytes: &[u8]) -> Errand {
        // Nothing is read here, and nobody ended.
        let (answer, pidfd) = fd::pipe().unwrap();
        let (access, until) = (Access::Change, Duration::ZERO);
        Errand { call: None, after, access, answer, pidfd, bytes: bytes.to_vec(), until }
    }

    fn limits(number: u64) -> After {
        After::Limits(ReloadReply { number, problems: Vec::new(), righted: Vec::new(), lasts: false })
    }

    #[test]
    fn limits_are_written_once_all_of_the_last_reloads_are() {
        let check = |number, bytes: &[u8], expected| {
            assert_eq!(errand(limits(number), bytes).has_written_limits_of(7), expected);
        };
        check(7, b"{}\0", true);
        // It was killed, or is an older one's.
        check(7, b"", false);
        check(7, b"{}", false);
        check(6, b"{}\0", false);
        assert!(!errand(After::Nothing, b"{}\0").has_written_limits_of(7));
    }

    #[test]
    fn those_of_an_older_reload_give_way_and_a_pause_that_is_under_way_does_not() {
        let mut errands = Errands::default();
        let pause = || After::Pause("web".into());
        let all = [limits(6), pause(), After::Nothing, limits(7)];
        errands.running.extend(all.into_iter().enumerate().map(|(key, it)| (key as u32, errand(it, b""))));
        assert_eq!(errands.of_limits(), [0, 3]);
        assert_eq!(["web", "db"].map(|name| errands.is_being_paused(name)), [true, false]);
    }

    #[test]
    fn those_who_may_only_look_leave_half_of_the_places_to_others() {
        let check = |all, readers, access, expected| assert_eq!(room(all, readers, access), expected);
        check(3, 3, Access::Read, Ok(()));
        check(4, 4, Access::Read, Err(4));
        check(4, 4, Access::Change, Ok(()));
        check(7, 4, Access::Change, Ok(()));
        check(8, 4, Access::Change, Err(8));
        check(8, 0, Access::Read, Err(8));
    }
}
