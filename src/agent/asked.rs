//! Who asked for what: in the log and in the history, whatever came of it.
//!
//! What nobody refuses is said before it is done. What is refused to somebody who may not is said too, but he
//! may ask as often as he likes: he gets so many lines, and then one with a count.

use std::time::Duration;

use orlop::control::{Asker, Deed, Error, Happening, Request, one_line};

use super::control::Peer;
use super::{Agent, say};
use crate::linux::kmsg::Level;

/// Lines at once, and the time in which one more comes back.
const LINES: u32 = 10;
const LINE: Duration = Duration::from_secs(1);

/// Lines about those who may not.
#[derive(Debug)]
pub struct Refusals {
    left: u32,
    since: Duration,
    unsaid: u64,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { left: LINES, since: Duration::ZERO, unsaid: 0 }
    }
}

impl Refusals {
    /// Whether one more may be said; how many were not, since the last one that was.
    fn take(&mut self, now: Duration) -> Option<u64> {
        let back = now.saturating_sub(self.since).as_secs() / LINE.as_secs();
        if back > 0 {
            self.left = self.left.saturating_add(u32::try_from(back).unwrap_or(LINES)).min(LINES);
            self.since = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Some(core::mem::take(&mut self.unsaid))
            }
            None => {
                self.unsaid = self.unsaid.saturating_add(1);
                None
            }
        }
    }
}

impl Agent {
    pub fn say_asked(&mut self, peer: &Peer, request: &Request, now: Duration) {
        if request.is_told() {
            let Deed { name, text: what } = request.deed();
            say(Level::Info, &format!("asked by {peer}: {what}"));
            self.history.keep(now, &Happening::Asked { by: asker(peer), name, what });
        }
    }

    /// `None`: it may ask for nothing.
    pub fn say_denied(&mut self, peer: &Peer, request: Option<&Request>, now: Duration) {
        let Some(unsaid) = self.refusals.take(now) else { return };
        let Deed { name, text: what } = request.map_or_else(anything, Request::deed);
        let more = if unsaid == 0 { String::new() } else { format!(" (and {unsaid} more before it)") };
        say(Level::Warning, &format!("not allowed to {peer}: {what}{more}"));
        let why = format!("it is not allowed{more}");
        self.history.keep(now, &Happening::Refused { by: asker(peer), name, what: Some(what), why });
    }

    pub fn say_failed(&mut self, peer: &Peer, error: &Error, now: Duration) {
        let why = one_line(&error.to_string());
        say(Level::Info, &format!("refused to {peer}: {why}"));
        let name = error.container().map(one_line);
        self.history.keep(now, &Happening::Refused { by: asker(peer), name, what: None, why });
    }
}

fn anything() -> Deed {
    Deed { name: None, text: "to ask for anything".to_owned() }
}

fn asker(peer: &Peer) -> Asker {
    match peer {
        Peer::Process(who) => Asker { uid: Some(who.uid), pid: u32::try_from(who.pid).ok(), port: None },
        Peer::Port(name) => Asker { port: Some(name.clone()), ..Asker::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_in_vain_without_end_gets_ten_lines_and_then_one_a_second() {
        let mut refusals = Refusals::default();
        let mut take = |millis| refusals.take(Duration::from_millis(millis));
        let said: Vec<_> = (0..1000).filter_map(|_| take(5000)).collect();
        assert_eq!(said, [0; 10]);
        assert_eq!((take(5999), take(6000), take(6001)), (None, Some(991), None));
        let said = (0..1000).filter_map(|_| take(3_600_000)).count();
        assert_eq!(said, 10);
    }
}
