//! The machine's watchdog: when PID 1 feeds it, and what is tried before it is left to bite.
//!
//! The device resets the machine unless it is fed within its timeout. Only PID 1 feeds it, so that a PID 1 that stands
//! still is followed by a reset. It feeds while the supervisor gives the signs of life that it is asked for:
//!
//! ```text
//!   silent for   0 ───────────────── timeout/2 ───────────── timeout ──────────── 2 × timeout, at most
//!                fed, asked again     killed: the next one     not fed any more     reset
//!                each timeout/4       has half the time
//! ```
//!
//! A supervisor that lives again meanwhile ends all this. Once the machine ends the supervisor has nothing to prove:
//! PID 1 keeps to deadlines of its own, and feeds until the last of them.

use core::time::Duration;

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Turn {
    pub feed: bool,
    /// The supervisor is to give a sign of life.
    pub ask: bool,
    /// It has had its time.
    pub kill: bool,
}

#[derive(Debug)]
pub struct Watchdog<Device> {
    pub device: Device,
    timeout: Duration,
    /// The last sign of life.
    heard: Duration,
    next: Duration,
    /// The supervisor of now knows what it is asked, since then. One of another release may not.
    answers: Option<Duration>,
    /// It was killed for its silence.
    killed: bool,
}

impl<Device> Watchdog<Device> {
    #[must_use]
    pub fn new(device: Device, timeout: Duration, now: Duration) -> Self {
        Self { device, timeout, heard: now, next: now, answers: Some(now), killed: false }
    }

    /// When there is something to do again.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.next
    }

    /// A supervisor has said that it answers when it is asked.
    pub fn answers(&mut self, now: Duration) {
        self.answers = Some(now);
    }

    pub fn heard(&mut self, now: Duration) {
        self.heard = now;
    }

    /// The supervisor is gone. Its successor has yet to live.
    pub fn died(&mut self) {
        (self.answers, self.killed) = (None, false);
    }

    /// `serves`: there is a supervisor that served. `ends`: the machine does, and until when at the latest.
    pub fn due(&mut self, now: Duration, serves: bool, ends: Option<Duration>) -> Option<Turn> {
        if now < self.next {
            return None;
        }
        self.next = now.saturating_add(self.timeout / 4);
        if let Some(ends) = ends {
            return Some(Turn { feed: now <= ends, ..Turn::default() });
        }
        if serves && self.answers.is_none() {
            self.heard = now;
        }
        let silent = now.saturating_sub(self.heard);
        let own = self.answers.map(|since| now.saturating_sub(since.max(self.heard)));
        let kill = own.is_some_and(|own| own >= self.timeout / 2) && !self.killed;
        self.killed |= kill;
        Some(Turn { feed: silent < self.timeout, ask: self.answers.is_some(), kill })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);
    const TIMEOUT: Duration = Duration::from_secs(40);

    fn after(seconds: u64) -> Duration {
        NOW + Duration::from_secs(seconds)
    }

    fn turn(feed: bool, ask: bool, kill: bool) -> Option<Turn> {
        Some(Turn { feed, ask, kill })
    }

    #[test]
    fn it_is_fed_four_times_as_often_as_it_has_to_be_while_the_supervisor_answers() {
        let mut watchdog = Watchdog::new((), TIMEOUT, NOW);
        for seconds in (0..1000).step_by(10) {
            assert_eq!(watchdog.due(after(seconds), true, None), turn(true, true, false));
            assert_eq!(watchdog.due(after(seconds), true, None), None);
            assert_eq!(watchdog.deadline(), after(seconds + 10));
            watchdog.heard(after(seconds));
        }
    }

    #[test]
    fn who_is_silent_is_killed_once_and_then_the_machine_is_left_to_the_device() {
        let mut watchdog = Watchdog::new((), TIMEOUT, NOW);
        let turns: Vec<_> = (0..8)
            .map(|at| watchdog.due(after(at * 10), true, None).unwrap())
            .map(|it| (it.feed, it.kill))
            .collect();
        let (fed, killed, unfed) = ((true, false), (true, true), (false, false));
        assert_eq!(turns, [fed, fed, killed, fed, unfed, unfed, unfed, unfed]);
    }

    #[test]
    fn a_successor_that_lives_in_time_is_all_that_it_takes() {
        let mut watchdog = Watchdog::new((), TIMEOUT, NOW);
        assert_eq!(watchdog.due(after(20), true, None), turn(true, true, true));
        watchdog.died();
        assert_eq!(watchdog.due(after(30), false, None), turn(true, false, false));
        watchdog.answers(after(30));
        watchdog.heard(after(31));
        assert_eq!(
            watchdog.due(after(60), true, None),
            turn(true, true, true),
            "and it is judged like the first"
        );
    }

    #[test]
    fn supervisors_that_never_serve_do_not_keep_the_machine_alive() {
        let mut watchdog = Watchdog::new((), TIMEOUT, NOW);
        for at in 1..4 {
            watchdog.died();
            watchdog.answers(after(at * 10));
            assert_eq!(
                watchdog.due(after(at * 10), false, None),
                turn(true, true, false),
                "each has its time"
            );
        }
        assert!(!watchdog.due(after(40), false, None).unwrap().feed);
    }

    #[test]
    fn one_that_cannot_answer_is_asked_nothing_and_lives_as_long_as_it_serves() {
        let mut watchdog = Watchdog::new((), TIMEOUT, NOW);
        watchdog.died();
        for seconds in (0..1000).step_by(10) {
            assert_eq!(watchdog.due(after(seconds), true, None), turn(true, false, false));
        }
    }

    #[test]
    fn the_end_of_the_machine_is_fed_to_its_last_deadline_whoever_is_silent() {
        let mut watchdog = Watchdog::new((), TIMEOUT, NOW);
        for (seconds, feed) in [(100, true), (200, true), (300, true), (301, true), (311, false)] {
            let due = watchdog.due(after(seconds), false, Some(after(305)));
            assert_eq!(due.is_none_or(|turn| turn.feed), feed, "{seconds}");
        }
    }
}
