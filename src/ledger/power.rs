//! How the machine ends: latched once, in stages with deadlines of their own.

use core::time::Duration;

use super::Action;

/// For the supervisor to name its own deadline; one that has not by then is stopped or hangs, and
/// nobody answers. A machine that is just being prepared needs seconds of it.
const ANSWER: Duration = Duration::from_secs(15);
/// For the last processes to die and the disks to be written and unmounted.
const UNMOUNT: Duration = Duration::from_secs(15);
/// Of that time: for killed processes to be gone.
pub const GOING: Duration = Duration::from_secs(5);
/// Of that time: for all file systems to be written, the slow and the silent ones beside the others.
pub const WRITING: Duration = Duration::from_secs(7);
/// Of that time: for all mounts to be taken away. Nothing is left to be written then.
pub const UNMOUNTING: Duration = Duration::from_secs(2);
const _: () = assert!(GOING.as_secs() + WRITING.as_secs() + UNMOUNTING.as_secs() < UNMOUNT.as_secs());
/// For reboot(2) in a child; after that PID 1 asks itself.
const REBOOT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The supervisor has yet to answer.
    Asked,
    /// The supervisor stops the containers.
    Stopping,
    /// A child kills what is left, writes the disks and unmounts.
    Unmounting {
        pid: i32,
    },
    Rebooting,
}

/// What PID 1 has to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// In a child, whose pid is then told to [`Power::unmounting`].
    Unmount,
    /// In a child.
    Reboot,
    /// The child has not managed it.
    RebootItself,
}

/// The end that was asked for. The first request decides what is done at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Power {
    pub action: Action,
    /// When the stage of now is over, at the latest.
    pub until: Duration,
    /// When PID 1 has done all that it can.
    pub latest: Duration,
    stage: Stage,
}

impl Power {
    /// Asked for by a signal, or by the supervisor, which names its own deadline.
    #[must_use]
    pub fn asked(action: Action, deadline: Option<Duration>, now: Duration) -> Self {
        let stage = if deadline.is_some() { Stage::Stopping } else { Stage::Asked };
        let until = deadline.unwrap_or(now.saturating_add(ANSWER)).max(now);
        Self { action, until, latest: latest(until), stage }
    }

    /// The supervisor names the deadline of the configuration.
    pub fn deadline(&mut self, until: Duration) {
        if matches!(self.stage, Stage::Asked | Stage::Stopping) {
            self.until = until;
            self.latest = latest(until);
            self.stage = Stage::Stopping;
        }
    }

    /// How long the supervisor has for the containers, as far as that is known: the time for its answer
    /// is not theirs.
    #[must_use]
    pub fn until_us(&self) -> u64 {
        if self.stage == Stage::Asked { u64::MAX } else { self.until.as_micros() as u64 }
    }

    /// Everything has been stopped in order.
    pub fn stopped(&mut self, now: Duration) {
        self.deadline(now);
    }

    /// The child that unmounts; 0 when none could be made: then its deadline goes on.
    pub fn unmounting(&mut self, child: i32) {
        if let Stage::Unmounting { pid } = &mut self.stage {
            *pid = child;
        }
    }

    /// Whether it was the child that unmounts: then the next stage is due.
    pub fn child_ended(&mut self, of: i32, now: Duration) -> bool {
        match self.stage {
            Stage::Unmounting { pid } if pid == of => {
                self.until = now;
                true
            }
            Stage::Asked | Stage::Stopping | Stage::Unmounting { .. } | Stage::Rebooting => false,
        }
    }

    /// Goes on to the next stage when its time has come.
    pub fn due(&mut self, now: Duration) -> Option<Due> {
        if self.until > now {
            return None;
        }
        let (due, stage, time) = match self.stage {
            Stage::Asked | Stage::Stopping => (Due::Unmount, Stage::Unmounting { pid: 0 }, UNMOUNT),
            Stage::Unmounting { .. } => (Due::Reboot, Stage::Rebooting, REBOOT),
            Stage::Rebooting => (Due::RebootItself, Stage::Rebooting, REBOOT),
        };
        self.stage = stage;
        self.until = now.saturating_add(time);
        Some(due)
    }
}

/// The machine has ended by then, whatever hangs, if the containers have until `until`.
fn latest(until: Duration) -> Duration {
    until.saturating_add(UNMOUNT).saturating_add(REBOOT).saturating_add(REBOOT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(100);

    #[test]
    fn goes_through_its_stages_as_each_is_done() {
        let mut power = Power::asked(Action::PowerOff, None, NOW);
        assert_eq!(power.due(NOW), None);
        power.stopped(NOW);
        assert_eq!(power.due(NOW), Some(Due::Unmount));
        power.unmounting(7);
        assert!(!power.child_ended(8, NOW));
        assert_eq!(power.due(NOW), None);
        assert!(power.child_ended(7, NOW));
        assert_eq!(power.due(NOW), Some(Due::Reboot));
        assert_eq!(power.action, Action::PowerOff);
    }

    #[test]
    fn every_stage_ends_although_nobody_answers() {
        let mut power = Power::asked(Action::Reboot, None, NOW);
        let mut now = NOW;
        for (wait, due) in [(ANSWER, Due::Unmount), (UNMOUNT, Due::Reboot), (REBOOT, Due::RebootItself)] {
            now += wait;
            assert_eq!(power.due(now), Some(due));
        }
    }

    #[test]
    fn the_last_deadline_does_not_move_once_the_stops_are_over() {
        let mut power = Power::asked(Action::Reboot, Some(NOW), NOW);
        let latest = power.latest;
        let mut now = NOW;
        for _ in 0..10 {
            power.due(now);
            now += UNMOUNT;
        }
        assert_eq!((power.latest, latest), (latest, NOW + UNMOUNT + REBOOT * 2));
        assert!(now > latest);
    }

    #[test]
    fn the_time_for_an_answer_is_not_what_the_containers_have() {
        let mut power = Power::asked(Action::Reboot, None, NOW);
        assert_eq!(power.until_us(), u64::MAX);
        power.deadline(NOW + REBOOT);
        assert_eq!(power.until_us(), (NOW + REBOOT).as_micros() as u64);
    }

    #[test]
    fn a_deadline_that_comes_late_does_not_hold_up_the_end() {
        let mut power = Power::asked(Action::Reboot, Some(NOW), NOW);
        assert_eq!(power.due(NOW), Some(Due::Unmount));
        power.deadline(NOW + ANSWER);
        assert_eq!(power.due(NOW + UNMOUNT), Some(Due::Reboot));
    }
}
