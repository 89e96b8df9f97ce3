//! `Why`, `WhyBoot`, `WhyShutdown`: gathers what is known; the sentences are made in the library.
//!
//! All of it is in memory or on /run, and bounded; what the firmware keeps of the last kernel is read by an errand.

mod pstore;

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use orlop::config::Restart;
use orlop::control::{
    self, Happening, Standing, WhyBootReply, WhyReply, WhyShutdownReply, changes_state, encode_reply, why,
    why_boot, why_shutdown,
};
use orlop::log::{Item, Reader, Step, Tail, clean_line};
use orlop::supervisor::{Next, StateKind, Status, Wanted};

use crate::agent::answer::{cause_word, health_word, state_word, wanted_word};
use crate::agent::control::CallId;
use crate::agent::lasting::report;
use crate::agent::{Agent, boot_id, ends};

/// Containers in one answer.
const STANDINGS: usize = 32;
/// Lines of a log, and bytes of each.
const LINES: u64 = 5;
const LINE: usize = 400;
/// Read at once of a log, and how often: lines that are longer are not looked for.
const READ: usize = 32 << 10;
const READS: usize = 64;

impl Agent {
    pub fn tell_why(&mut self, call: CallId, name: String, now: Duration) {
        let Some(status) = self.core.status(&name) else { return self.unknown(call, name, now) };
        let is_down_for_the_wrong_reason =
            matches!(status.state, StateKind::Backoff | StateKind::Failed | StateKind::Stuck);
        let log = if is_down_for_the_wrong_reason { self.last_lines(&name) } else { Vec::new() };
        let is_about = |it: &Happening| match it {
            Happening::Asked { name: of, what, .. } => of.as_deref() == Some(&name) && changes_state(what),
            _ => false,
        };
        let mut reply = WhyReply {
            text: Vec::new(),
            standings: self.chain(&status, now),
            asked: self.history.last(is_about),
            ends: ends::of(&name),
            boot_before: boot_id::before(),
            log,
        };
        reply.text = why(&reply);
        self.server.reply(now, call, &reply);
    }

    pub fn tell_why_boot(&mut self, call: CallId, now: Duration) {
        let mut phases = self.boot.phase_words();
        phases.sort_unstable_by_key(|phase| core::cmp::Reverse(phase.duration_us));
        let missing = self.core.statuses().filter(is_missing).take(STANDINGS);
        let mut reply = WhyBootReply {
            text: Vec::new(),
            complete: self.boot.complete,
            safe: self.core.is_safe(),
            supervisor_starts: u64::from(self.boot.starts),
            phases,
            missing: missing.map(|status| self.standing(&status, now)).collect(),
            crashes: Vec::new(),
        };
        self.errand(call, now, move || {
            reply.crashes = pstore::crashes();
            reply.text = why_boot(&reply);
            Ok(encode_reply(&reply))
        });
    }

    pub fn tell_why_shutdown(&mut self, call: CallId, now: Duration) {
        let power = self.ending(now);
        let is_power = |it: &Happening| match it {
            Happening::Asked { name: None, what, .. } => {
                control::PowerAction::ALL.iter().any(|action| action.as_str() == what)
            }
            _ => false,
        };
        let remaining = self.core.statuses().filter(|status| power.is_some() && !status.state.is_down());
        let mut reply = WhyShutdownReply {
            text: Vec::new(),
            action: power.map(|(action, _)| action),
            within_ms: power.map(|(_, within)| within),
            asked: power.and_then(|_| self.history.last(is_power)),
            remaining: remaining.take(STANDINGS).map(|status| self.standing(&status, now)).collect(),
            before: Vec::new(),
            before_at: None,
            unannounced: false,
        };
        if power.is_some() {
            reply.text = why_shutdown(&reply);
            return self.server.reply(now, call, &reply);
        }
        let disk = self.lasting.is_on().then(report::before);
        self.errand(call, now, move || {
            let told = report::Told::of(disk, boot_id::before().is_some(), pstore::last_end());
            (reply.before, reply.before_at, reply.unannounced) = (told.lines, told.at, told.is_missing);
            reply.text = why_shutdown(&reply);
            Ok(encode_reply(&reply))
        });
    }

    /// A container, what it waits for, and what that waits for.
    fn chain(&self, status: &Status, now: Duration) -> Vec<Standing> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::from([status.name.clone()]);
        let mut waiting = VecDeque::from([status.clone()]);
        while let Some(status) = waiting.pop_front() {
            let others = status.waits_for.iter().filter(|name| seen.insert((*name).clone()));
            waiting.extend(others.filter_map(|name| self.core.status(name)));
            found.push(self.standing(&status, now));
            if found.len() == STANDINGS {
                break;
            }
        }
        found
    }

    fn standing(&self, status: &Status, now: Duration) -> Standing {
        let declared = self.config.containers.get(&status.name);
        Standing {
            name: status.name.clone(),
            wanted: wanted_word(status.wanted),
            state: state_word(status.state),
            since: self.clock.wall(status.since),
            for_ms: now.saturating_sub(status.since).as_millis() as u64,
            ready: status.ready,
            health: health_word(status.health),
            health_report: status.report.clone(),
            cause: status.cause.as_ref().map(cause_word),
            waits_for: status.waits_for.clone(),
            next: next_word(status.next),
            next_at: status.next_at.map(|at| self.clock.wall(at)),
            next_in_ms: status.next_at.map(|at| at.saturating_sub(now).as_millis() as u64),
            restart: declared.map(|container| restart_word(container.restart).to_owned()),
            restarts: u64::from(status.restarts),
            restarts_asked: u64::from(status.restarts_asked),
            failures: u64::from(status.failures),
            budget_spent: status.held,
            remains: self.errands.remains.get(&status.name).cloned().unwrap_or_default(),
        }
    }

    /// What a container wrote last; what is being written at this moment is left out.
    fn last_lines(&self, name: &str) -> Vec<String> {
        let ring = self.slots.get(name).and_then(|slot| self.logs.ring(u64::from(*slot)));
        let Some(ring) = ring else { return Vec::new() };
        let mut tail = Tail::new(ring.layout(), LINES, orlop::log::Range::default());
        let mut buffer = vec![0; READ];
        let found = (0..READS).find_map(|_| match tail.step(ring, &mut buffer) {
            Ok(Step::Found(cursor)) => Some(Some(cursor)),
            Ok(Step::Further) => None,
            Ok(Step::Busy) | Err(_) => Some(None),
        });
        let Some(cursor) = found.flatten() else { return Vec::new() };
        let mut reader = Reader::new(ring.layout(), cursor);
        let mut bytes = Vec::new();
        for _ in 0..READS {
            match reader.next(ring, &mut buffer) {
                Ok(Some(Item::Output { bytes: read, .. })) => bytes.extend_from_slice(read),
                Ok(Some(Item::Gap { .. })) => {}
                Ok(None) | Err(_) => break,
            }
        }
        last(&String::from_utf8_lossy(&bytes), LINES as usize)
    }
}

/// The last lines of a text, as a terminal may show them.
fn last(text: &str, lines: usize) -> Vec<String> {
    let mut last: Vec<String> = text.lines().rev().take(lines).map(cleaned).collect();
    last.reverse();
    last
}

fn cleaned(line: &str) -> String {
    let mut clean = [0; LINE];
    let len = clean_line(line, &mut clean);
    String::from_utf8_lossy(clean.get(..len).unwrap_or_default()).into_owned()
}

/// Wanted, and neither there nor done with what it was to do.
fn is_missing(status: &Status) -> bool {
    let is_there = match status.state {
        StateKind::Running => status.ready && status.health != orlop::supervisor::Health::Unhealthy,
        StateKind::Waiting => matches!(status.next, Next::Time | Next::Shutdown | Next::Connection),
        StateKind::Exited => true,
        StateKind::Starting
        | StateKind::Stopping
        | StateKind::Backoff
        | StateKind::Failed
        | StateKind::Stuck
        | StateKind::Invalid => false,
    };
    status.wanted == Wanted::Up && !is_there
}

fn restart_word(restart: Restart) -> &'static str {
    match restart {
        Restart::No => "no",
        Restart::Always => "always",
        Restart::OnFailure => "on-failure",
        Restart::UnlessStopped => "unless-stopped",
    }
}

fn next_word(next: Next) -> control::NextStep {
    match next {
        Next::Nothing => control::NextStep::Nothing,
        Next::Person => control::NextStep::Person,
        Next::Declaration => control::NextStep::Declaration,
        Next::Boot => control::NextStep::Boot,
        Next::Resume => control::NextStep::Resume,
        Next::Dependencies => control::NextStep::Dependencies,
        Next::Conflict => control::NextStep::Conflict,
        Next::Gates => control::NextStep::Gates,
        Next::Connection => control::NextStep::Connection,
        Next::Turn => control::NextStep::Turn,
        Next::Time => control::NextStep::Time,
        Next::Shutdown => control::NextStep::Shutdown,
        Next::Started => control::NextStep::Started,
        Next::Restart => control::NextStep::Restart,
        Next::Dependents => control::NextStep::Dependents,
        Next::Kill => control::NextStep::Kill,
        Next::Gone => control::NextStep::Gone,
        Next::Retry => control::NextStep::Retry,
    }
}
