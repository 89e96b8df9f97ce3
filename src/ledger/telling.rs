//! What PID 1 still has to tell the supervisor of now, in order.
//!
//! Sending never waits: what does not fit stays here, or in the table itself (`told`).

use core::time::Duration;

use super::{Entry, Frame, Phase, State, Table};

/// How far the supervisor of now has been told what there is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// No Hello yet.
    #[default]
    Silent,
    Welcome,
    Phase(usize),
    Entry(usize),
    /// Everything; ends are told as they come.
    Done,
}

#[derive(Debug, Default)]
pub struct Telling {
    step: Step,
    /// Who said Hello.
    pub to: i32,
    /// The answer to the last frame.
    answer: Option<Frame>,
    /// Why an executable was taken back.
    upgrade_failed: Option<Frame>,
    /// That the machine is to end. A supervisor that has yet to be welcomed learns it then.
    power: Option<Frame>,
    /// It is to say that it is alive.
    ping: bool,
}

/// The next thing to send, and which entry's fds go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    pub frame: Frame,
    pub fds_of: Option<usize>,
}

/// What the next thing to be told waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wants {
    /// What cannot be heard before there is room for an answer must not wake anybody.
    pub to_hear: bool,
    /// The socket says when it has room.
    pub room: bool,
    /// Of what else is in the way nobody says when it is over, and a socket with room would say so without end.
    pub again: Option<Duration>,
}

/// A machine that is short of something is so for a while, and the supervisor waits for longer.
const AGAIN: Duration = Duration::from_millis(100);

impl Telling {
    /// After all that could be sent was; `Err`: something is left, whether because the socket is full.
    #[must_use]
    pub fn wants(&self, sent: Result<(), bool>) -> Wants {
        let (room, again) = match sent {
            Ok(()) => (false, None),
            Err(true) => (true, None),
            Err(false) => (false, Some(AGAIN)),
        };
        Wants { to_hear: self.can_hear(), room, again }
    }

    /// The supervisor is gone: its successor is told nothing before it says Hello.
    pub fn stop(&mut self) {
        self.step = Step::Silent;
        self.answer = None;
        self.power = None;
        self.ping = false;
    }

    pub fn hello(&mut self, pid: i32) {
        self.step = Step::Welcome;
        self.to = pid;
    }

    /// Nobody waits for an answer to what a dead supervisor had left in the queue; kept, it would
    /// keep its successor from being heard.
    pub fn answer(&mut self, frame: Frame) {
        if self.step != Step::Silent {
            self.answer = Some(frame);
        }
    }

    pub fn upgrade_failed(&mut self, code: i32, status: i32) {
        self.upgrade_failed = Some(Frame::UpgradeFailed { code, status });
    }

    pub fn power(&mut self, frame: Frame) {
        if self.step != Step::Silent {
            self.power = Some(frame);
        }
    }

    pub fn ping(&mut self) {
        self.ping = self.step == Step::Done;
    }

    /// Whether the next frame may be heard: its answer has a place, and the table stands still
    /// while it is told.
    #[must_use]
    pub fn can_hear(&self) -> bool {
        self.answer.is_none() && matches!(self.step, Step::Silent | Step::Done)
    }

    /// What comes next; `welcome` is made by who knows the counts.
    pub fn next<Fds>(&self, table: &Table<Fds>, phases: &[Phase], welcome: Frame) -> Option<Next> {
        let alone = |frame| Some(Next { frame, fds_of: None });
        match self.step {
            Step::Silent => return None,
            Step::Welcome => return alone(welcome),
            // Before the table is over, and with that before anybody can ask what became of it.
            Step::Phase(_) | Step::Entry(_) if self.upgrade_failed.is_some() => {
                return alone(self.upgrade_failed?);
            }
            Step::Phase(at) => {
                if let Some(phase) = phases.get(at) {
                    return alone(Frame::Phase(*phase));
                }
                if let Some(entry) = table.entries().first() {
                    return Some(entry_frame(entry, 0));
                }
            }
            Step::Entry(at) => {
                if let Some(entry) = table.entries().get(at) {
                    return Some(entry_frame(entry, at));
                }
            }
            Step::Done => {}
        }
        if let Some(frame) =
            self.answer.or(self.upgrade_failed).or(self.power).or(self.ping.then_some(Frame::Ping))
        {
            return alone(frame);
        }
        let untold = table.entries().iter().filter(|entry| !entry.told);
        let mut ends = untold.filter_map(|entry| match entry.state {
            State::Alive => None,
            State::Ended(ended) => Some(Frame::Ended { cookie: entry.child.cookie, ended }),
        });
        alone(ends.next()?)
    }

    /// It was sent.
    pub fn sent<Fds>(&mut self, next: &Next, table: &mut Table<Fds>, phases: usize) {
        match next.frame {
            Frame::Welcome { .. } => self.step = Step::Phase(0),
            Frame::Phase(_) => {
                if let Step::Phase(at) = self.step {
                    self.step = Step::Phase(at.saturating_add(1));
                }
            }
            Frame::Entry { child, ended } => {
                let at = next.fds_of.unwrap_or_default();
                self.step = Step::Entry(at.saturating_add(1));
                told(table, child.cookie, ended.is_some());
            }
            Frame::Ended { cookie, .. } => told(table, cookie, true),
            Frame::UpgradeFailed { .. } => self.upgrade_failed = None,
            Frame::Power { .. } => self.power = None,
            Frame::Ping => self.ping = false,
            _ => self.answer = None,
        }
        let over = match self.step {
            Step::Phase(at) => at >= phases && table.entries().is_empty(),
            Step::Entry(at) => at >= table.entries().len(),
            Step::Silent | Step::Welcome | Step::Done => false,
        };
        if over {
            self.step = Step::Done;
        }
    }
}

fn entry_frame<Fds>(entry: &Entry<Fds>, at: usize) -> Next {
    let ended = match entry.state {
        State::Alive => None,
        State::Ended(ended) => Some(ended),
    };
    Next { frame: Frame::Entry { child: entry.child, ended }, fds_of: Some(at) }
}

fn told<Fds>(table: &mut Table<Fds>, cookie: u64, is_told: bool) {
    if let Some(entry) = table.entries_mut().iter_mut().find(|entry| entry.child.cookie == cookie) {
        entry.told = is_told;
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Child, Ended, Kind, Label};
    use super::*;

    const WELCOME: Frame =
        Frame::Welcome { starts: 1, orphans: 0, safe: false, phases: 1, entries: 2, power: None, to: 5 };

    fn table() -> Table<()> {
        let mut table = Table::new();
        for (cookie, pid) in [(1, 10), (2, 20)] {
            let child = Child { cookie, kind: Kind::Container, pid, label: Label::new("web") };
            table.insert(child, ()).unwrap();
        }
        table
    }

    fn phases() -> [Phase; 1] {
        [Phase { start_us: 0, end_us: 1, errno: 0, label: Label::new("mounts") }]
    }

    /// Sends everything that is there to send.
    fn drain(telling: &mut Telling, table: &mut Table<()>) -> Vec<Frame> {
        let phases = phases();
        let mut frames = Vec::new();
        while let Some(next) = telling.next(table, &phases, WELCOME) {
            telling.sent(&next, table, phases.len());
            frames.push(next.frame);
        }
        frames
    }

    #[test]
    fn a_socket_with_room_is_not_waited_for() {
        let (mut telling, mut table) = (Telling::default(), table());
        let wants = |to_hear, room, again| Wants { to_hear, room, again };
        assert_eq!(telling.wants(Ok(())), wants(true, false, None));
        assert_eq!(telling.wants(Err(true)), wants(true, true, None));
        // Short of memory, or of descriptors on their way: it would say at once that it has room.
        assert_eq!(telling.wants(Err(false)), wants(true, false, Some(AGAIN)));
        telling.hello(5);
        assert_eq!(telling.wants(Err(true)), wants(false, true, None));
        assert_eq!(telling.wants(Err(false)), wants(false, false, Some(AGAIN)));
        drain(&mut telling, &mut table);
        assert_eq!(telling.wants(Ok(())), wants(true, false, None));
    }

    #[test]
    fn nobody_is_told_anything_before_hello() {
        let (mut telling, mut table) = (Telling::default(), table());
        table.ended(10, Ended::default()).unwrap();
        assert_eq!(drain(&mut telling, &mut table), []);
        assert!(telling.can_hear());
    }

    #[test]
    fn a_new_supervisor_is_told_everything_once_and_ends_as_they_come() {
        let (mut telling, mut table) = (Telling::default(), table());
        table.ended(10, Ended::default()).unwrap();
        telling.hello(5);
        assert!(!telling.can_hear(), "the table stands still while it is told");
        let frames = drain(&mut telling, &mut table);
        assert_eq!(frames.len(), 4);
        assert!(matches!(frames[2], Frame::Entry { ended: Some(_), .. }));
        assert!(telling.can_hear());
        table.ended(20, Ended::default()).unwrap();
        assert_eq!(drain(&mut telling, &mut table), [Frame::Ended { cookie: 2, ended: Ended::default() }]);
    }

    #[test]
    fn an_empty_table_is_told_too() {
        let mut telling = Telling::default();
        telling.hello(5);
        assert_eq!(drain(&mut telling, &mut Table::new()).len(), 2);
        assert!(telling.can_hear());
    }

    #[test]
    fn answers_come_before_ends_and_one_at_a_time() {
        let (mut telling, mut table) = (Telling::default(), table());
        telling.hello(5);
        drain(&mut telling, &mut table);
        table.ended(20, Ended::default()).unwrap();
        telling.answer(Frame::Registered { cookie: 3 });
        assert!(!telling.can_hear());
        let frames = drain(&mut telling, &mut table);
        assert_eq!(frames[0], Frame::Registered { cookie: 3 });
        assert!(matches!(frames[1], Frame::Ended { cookie: 2, .. }));
    }

    #[test]
    fn what_a_dead_one_had_asked_does_not_silence_its_successor() {
        let (mut telling, mut table) = (Telling::default(), table());
        telling.stop();
        telling.answer(Frame::Registered { cookie: 3 });
        assert!(telling.can_hear());
        telling.hello(5);
        assert!(!drain(&mut telling, &mut table).contains(&Frame::Registered { cookie: 3 }));
    }

    #[test]
    fn one_that_comes_back_hears_of_the_failed_upgrade_with_the_table() {
        let (mut telling, mut table) = (Telling::default(), table());
        telling.upgrade_failed(1, 7);
        telling.hello(5);
        let frames = drain(&mut telling, &mut table);
        assert_eq!(frames[1], Frame::UpgradeFailed { code: 1, status: 7 });
        assert_eq!(frames.len(), 5, "and once");
    }

    #[test]
    fn the_end_of_the_machine_is_told_as_soon_as_there_is_room_and_once() {
        let (mut telling, mut table) = (Telling::default(), table());
        let power = Frame::Power { action: super::super::Action::PowerOff, deadline_us: 7 };
        telling.power(power);
        telling.hello(5);
        assert!(!drain(&mut telling, &mut table).contains(&power), "the Welcome says it");
        telling.power(power);
        // What does not fit is asked for again.
        assert_eq!(telling.next(&table, &phases(), WELCOME).map(|next| next.frame), Some(power));
        assert_eq!(drain(&mut telling, &mut table), [power]);
        assert_eq!(drain(&mut telling, &mut table), []);
    }

    #[test]
    fn a_sign_of_life_is_asked_for_once_and_only_of_one_that_was_told_everything() {
        let (mut telling, mut table) = (Telling::default(), table());
        telling.hello(5);
        telling.ping();
        assert!(!drain(&mut telling, &mut table).contains(&Frame::Ping));
        telling.ping();
        telling.ping();
        assert_eq!(drain(&mut telling, &mut table), [Frame::Ping]);
        telling.ping();
        telling.stop();
        telling.hello(6);
        assert!(!drain(&mut telling, &mut table).contains(&Frame::Ping), "it was another that was asked");
    }

    #[test]
    fn a_successor_is_told_again_what_the_last_one_heard() {
        let (mut telling, mut table) = (Telling::default(), table());
        table.ended(10, Ended::default()).unwrap();
        telling.hello(5);
        drain(&mut telling, &mut table);
        telling.stop();
        table.forget_told();
        telling.hello(5);
        assert_eq!(drain(&mut telling, &mut table).len(), 4);
    }
}
