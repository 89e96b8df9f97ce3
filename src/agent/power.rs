//! The end of the machine, as the supervisor begins it, and what people are told of it meanwhile.

use std::time::Duration;

use orlop::control::{self, Empty, PowerAction, ShutdownReply};
use orlop::ledger::{Action, Frame};
use orlop::supervisor::{Closing, Event, Leaving, Stage};
use serde::{Deserialize, Serialize};

use super::control::{CallId, Peer};
use super::{Agent, records, say};
use crate::linux::fs;
use crate::linux::kmsg::Level;

/// Who asked, for the supervisor after this one.
const KEPT: &str = "/run/orlop/shutdown";

/// Between two lines at the consoles: somebody who stands before one wants to know what it waits for.
const PROGRESS: Duration = Duration::from_secs(5);

/// The machine is being ended.
pub struct Ending {
    action: Action,
    by: String,
    /// When people are told again what is in the way; `None`: all is said.
    tell_at: Option<Duration>,
}

/// What PID 1 does not keep.
#[derive(Serialize, Deserialize)]
struct Kept {
    by: String,
}

impl Ending {
    pub fn deadline(&self) -> Option<Duration> {
        self.tell_at
    }
}

impl Agent {
    /// Stops everything in order, then lets PID 1 end the machine. `by` whom or what, for people.
    pub fn shut_down(&mut self, action: Action, by: &str, deadline: Duration, now: Duration) {
        if self.power.is_some() {
            return;
        }
        let ours = now.saturating_add(self.config.host.poweroff_timeout);
        let deadline = deadline.min(ours).max(now);
        let within = deadline.saturating_sub(now).as_secs();
        let word = word(action).as_str();
        let line = format!("shutdown: {word}, asked for by {by}; {within} s at most");
        say(Level::Info, &line);
        self.report_begins(line);
        let kept = serde_json::to_string(&Kept { by: by.to_owned() }).unwrap_or_default();
        if let Err(errno) = records::write_file(KEPT, &kept) {
            say(Level::Error, &format!("{KEPT}: {}", errno.desc()));
        }
        self.power = Some(Ending { action, by: by.to_owned(), tell_at: Some(now.saturating_add(PROGRESS)) });
        self.keep_shutdown(action, deadline, now);
        self.ledger.send(Frame::Power { action, deadline_us: deadline.as_micros() as u64 });
        // What a disk is still to get is written when all have ended, and before the machine does.
        let of_disk = self.keeping.at_end(deadline.saturating_sub(now));
        self.events.push_back(Event::Shutdown { deadline: deadline.saturating_sub(of_disk) });
        // Who waits to be started waits no longer.
        self.release(now);
    }

    /// As the supervisor before this one began it.
    pub fn go_on_shutting_down(&mut self, action: Action, deadline: Duration, now: Duration) {
        let kept =
            fs::read_text(KEPT).ok().and_then(|text| serde_json::from_slice::<Kept>(text.as_bytes()).ok());
        // PID 1 was sent a signal, and nobody has heard of it before.
        let by = kept.map_or_else(|| SIGNAL.to_owned(), |kept| kept.by);
        self.shut_down(action, &by, deadline, now);
    }

    /// What is in the way, every few seconds.
    pub fn tell_progress(&mut self, now: Duration) {
        let Some(ending) = self.power.as_mut().filter(|it| it.tell_at.is_some_and(|at| at <= now)) else {
            return;
        };
        ending.tell_at = Some(now.saturating_add(PROGRESS));
        if let Some(line) = self.core.closing().and_then(|closing| closing.progress(now)) {
            say(Level::Info, &format!("shutdown: {line}"));
        }
    }

    /// Everything is down, or the time is over.
    pub fn shutdown_done(&mut self, now: Duration) {
        // From here on the machine may go at any time, and with it who has not been told of the last end.
        self.tell_events(now);
        let lines = self.core.closing().iter().flat_map(Closing::summary).collect::<Vec<_>>();
        let lines: Vec<String> = lines.iter().map(|line| format!("shutdown: {line}")).collect();
        for line in &lines {
            say(Level::Info, line);
        }
        self.report_ends(lines);
        if let Some(ending) = &mut self.power {
            ending.tell_at = None;
        }
        self.flush_disk(now);
    }

    /// Answered before it begins.
    pub fn asked_to_end(&mut self, call: CallId, action: PowerAction, peer: &Peer, now: Duration) {
        self.server.reply(now, call, &Empty {});
        let action = match action {
            PowerAction::Poweroff => Action::PowerOff,
            PowerAction::Reboot => Action::Reboot,
        };
        self.shut_down(action, &peer.to_string(), Duration::MAX, now);
    }

    /// What is being done, and within how many milliseconds.
    pub fn ending(&self, now: Duration) -> Option<(PowerAction, u64)> {
        let (ending, closing) = self.power.as_ref().zip(self.core.closing())?;
        Some((word(ending.action), millis(closing.deadline.saturating_sub(now))))
    }

    pub fn tell_shutdown(&mut self, call: CallId, now: Duration) {
        let shutdown = self.power.as_ref().zip(self.core.closing());
        let shutdown = shutdown.map(|(ending, closing)| self.shutdown_words(ending, &closing, now));
        self.server.reply(now, call, &ShutdownReply { shutdown });
    }

    fn shutdown_words(&self, ending: &Ending, closing: &Closing, now: Duration) -> control::Shutdown {
        let since = |at: Duration| millis(at.saturating_sub(closing.began));
        let cause = |leaving: &Leaving| {
            let status = self.core.status(&leaving.name).filter(|_| leaving.stage == Stage::Gone);
            status.and_then(|status| status.cause).map(|cause| cause.text)
        };
        let leaving = |leaving: &Leaving| control::Leaving {
            name: leaving.name.clone(),
            stage: stage(leaving.stage),
            left_ms: leaving.until.map(|until| millis(until.saturating_sub(now))),
            waits_for: leaving.waits_for.clone(),
            asked_ms: leaving.trace.asked.map(since),
            killed_ms: leaving.trace.killed.map(since),
            gone_ms: leaving.trace.gone.map(since),
            cause: cause(leaving),
        };
        control::Shutdown {
            action: word(ending.action),
            by: ending.by.clone(),
            began: self.clock.wall(closing.began),
            within_ms: since(closing.deadline),
            left_ms: millis(closing.deadline.saturating_sub(now)),
            done_ms: closing.done.map(since),
            containers: closing.containers.iter().map(leaving).collect(),
        }
    }
}

/// Ctrl-Alt-Del is one as well.
pub const SIGNAL: &str = "a signal to PID 1";

pub fn word(action: Action) -> PowerAction {
    match action {
        Action::PowerOff => PowerAction::Poweroff,
        Action::Reboot => PowerAction::Reboot,
    }
}

fn stage(stage: Stage) -> control::LeavingStage {
    match stage {
        Stage::Up => control::LeavingStage::Up,
        Stage::Waits => control::LeavingStage::Waits,
        Stage::Asked => control::LeavingStage::Asked,
        Stage::Killed => control::LeavingStage::Killed,
        Stage::Emptied => control::LeavingStage::Emptied,
        Stage::Stuck => control::LeavingStage::Stuck,
        Stage::Gone => control::LeavingStage::Gone,
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
