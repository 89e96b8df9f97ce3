//! Sentences for people, made of facts: why a container is in its state.
//!
//! Nothing is guessed here: what is not known is not said. The first line says it all; the others say more.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Cause, ExitRecord, Health, NextStep, Remaining, Standing, State, Wanted, WhyReply};

/// Why a container is in its state, as a few lines; those that begin with a blank belong to the one before them.
#[must_use]
pub fn why(facts: &WhyReply) -> Vec<String> {
    let mut lines: Vec<String> = facts.standings.iter().flat_map(standing).collect();
    if let Some(first) = facts.standings.first() {
        lines.extend(restarts(first));
    }
    if let Some(asked) = &facts.asked {
        lines.push(format!("The last word: {} at {}.", asked.text, clock(&asked.time)));
    }
    if !facts.ends.is_empty() {
        lines.push("How it ended before, the latest first:".to_string());
        lines.extend(facts.ends.iter().rev().map(|it| end(it, facts.boot_before.as_deref())));
    }
    if !facts.log.is_empty() {
        lines.push("The last that it wrote:".to_string());
        lines.extend(facts.log.iter().map(|line| format!("  {line}")));
    }
    lines
}

/// One container: what it is, why, and what comes next.
pub(super) fn standing(it: &Standing) -> Vec<String> {
    let since = format!("since {} ({})", clock(&it.since), span(it.for_ms));
    let why = match reason(it) {
        Some(why) => format!(": it {why}"),
        None => String::new(),
    };
    let mut lines = Vec::from([format!("{} {}, {since}{why}.", it.name, state(it))]);
    lines.extend(it.remains.iter().map(remaining));
    lines.extend(next(it).map(|next| format!("  {next}")));
    lines
}

fn state(it: &Standing) -> &'static str {
    match (it.state, it.ready, it.health) {
        (State::Waiting, ..) => "is waiting",
        (State::Starting, ..) => "is being started",
        (State::Running, _, Health::Unhealthy) => "runs, and is unhealthy",
        (State::Running, true, Health::None | Health::Starting | Health::Healthy) => "runs",
        (State::Running, false, Health::None | Health::Starting | Health::Healthy) => {
            "runs, and is not ready yet"
        }
        (State::Stopping, ..) => "is going down",
        (State::Backoff, ..) => "pauses before its next start",
        (State::Exited, ..) => "is down",
        (State::Failed, ..) => "has failed",
        (State::Stuck, ..) => "is stuck",
        (State::Invalid, ..) => "cannot be started",
    }
}

/// The cause; of one that runs it is history, and only its health has one.
fn reason(it: &Standing) -> Option<String> {
    match it.state {
        State::Running if it.health == Health::Unhealthy => {
            it.health_report.as_ref().map(|report| format!("was asked, and said: {report}"))
        }
        State::Running | State::Starting => None,
        State::Waiting
        | State::Stopping
        | State::Backoff
        | State::Exited
        | State::Failed
        | State::Stuck
        | State::Invalid => {
            let text = it.cause.as_ref().map(|cause| cause.text.clone())?;
            let is_failing = matches!(it.state, State::Backoff | State::Failed) && it.failures > 1;
            let often = format!(", its failure number {} without a healthy run between them", it.failures);
            Some(if is_failing { text + &often } else { text })
        }
    }
}

fn next(it: &Standing) -> Option<String> {
    let waited = list(&it.waits_for);
    let at = it.next_at.as_deref().map(|at| {
        let span = it.next_in_ms.map(|ms| format!(", in {}", span(ms))).unwrap_or_default();
        format!(" at {}{span}", clock(at))
    });
    let at = at.unwrap_or_default();
    Some(match it.next {
        NextStep::Nothing => return None,
        NextStep::Person => person(it),
        NextStep::Declaration => {
            "It can be started when that is mended: `orlop reload` reads another configuration.".to_string()
        }
        NextStep::Boot => "It is started when what runs already has been taken over, and the disk, if there is one, has been read.".to_string(),
        NextStep::Resume => "This is safe mode: it is started after `orlop resume`.".to_string(),
        NextStep::Dependencies => format!("It is started by itself as soon as {waited} allows it."),
        NextStep::Conflict => format!("It is started by itself when {waited} is down."),
        NextStep::Connection => "It is started by the first connection to one of its sockets.".to_string(),
        NextStep::Gates => "It is started by itself when the machine has that.".to_string(),
        NextStep::Turn => "It is started when it has its turn: only so many start at once.".to_string(),
        NextStep::Time => format!("Its timetable starts it{at}."),
        NextStep::Shutdown => "It runs when the machine ends.".to_string(),
        NextStep::Started => format!("It is given up, if it has not begun, at the latest{at}."),
        NextStep::Restart if it.budget_spent => {
            format!(
                "Its failure budget is spent, so that its pauses are as long as they get; the next start is{at}."
            )
        }
        NextStep::Restart => format!("It is started again{at}."),
        NextStep::Dependents => format!("It is asked to stop when {waited} is down."),
        NextStep::Kill => format!("It was asked to stop, and is killed if it is still there{at}."),
        NextStep::Gone => format!("It was killed; if something of it is still there{at}, it is stuck."),
        NextStep::Retry if at.is_empty() => {
            "It holds up nobody else; what is left of it is waited for. `orlop replace` starts it beside that.".to_string()
        }
        NextStep::Retry => format!("It is tried once more{at}."),
    })
}

/// Why nothing follows by itself.
fn person(it: &Standing) -> String {
    let why = match (it.wanted, it.state, it.restart.as_deref()) {
        (Wanted::Down, ..) => "It is not wanted".to_string(),
        (Wanted::Up, State::Exited, Some("always" | "unless-stopped")) => {
            "Nobody starts it again".to_string()
        }
        (Wanted::Up, _, Some("no")) => "It is not to be started again (restart = \"no\")".to_string(),
        (Wanted::Up, State::Exited, Some(restart)) => {
            format!("It has done what it was to do (restart = {restart:?})")
        }
        (Wanted::Up, State::Failed, Some(_)) => {
            "It failed too often, or in a way that its rules call final".to_string()
        }
        (Wanted::Up, ..) => "Nobody starts it again".to_string(),
    };
    format!("{why}; `orlop start {}` does.", it.name)
}

fn restarts(it: &Standing) -> Option<String> {
    let times = |count: u64| if count == 1 { "once".to_string() } else { format!("{count} times") };
    match (it.restarts, it.restarts_asked) {
        (0, 0) => None,
        (own, 0) => Some(format!("It was started again {} by itself.", times(own))),
        (0, asked) => Some(format!("It was restarted {} by a person.", times(asked))),
        (own, asked) => {
            Some(format!("It was started again {} by itself, and {} by a person.", times(own), times(asked)))
        }
    }
}

fn end(end: &ExitRecord, boot_before: Option<&str>) -> String {
    let how = end.cause.as_ref().map(|cause: &Cause| cause.text.as_str());
    let how = how.unwrap_or("ended, and nobody knows how");
    let ran = end.started_us.map(|started| end.ended_us.saturating_sub(started) / 1000);
    let ran = ran.map(|ms| format!(" after {}", span(ms))).unwrap_or_default();
    let used = [
        end.memory_peak_bytes.map(|most| format!("{} of memory at most", bytes(most))),
        end.cpu_us.map(|us| format!("{} of CPU", span(us / 1000))),
        end.processes_peak.map(|most| format!("{most} processes at most")),
    ];
    let used: Vec<String> = used.into_iter().flatten().collect();
    let used = if used.is_empty() { String::new() } else { format!(" ({})", used.join(", ")) };
    format!("  {}, start {}:{ran} it {how}{used}", when(end, boot_before), end.generation)
}

/// A time of day says nothing of another boot.
fn when(end: &ExitRecord, boot_before: Option<&str>) -> String {
    let Some(boot) = end.boot.as_deref() else { return clock(&end.time) };
    let which = if boot_before == Some(boot) { "in the boot before this one" } else { "in an earlier boot" };
    format!("{which}, {}", moment(&end.time))
}

/// What a stuck container hangs on, for its cause: the first processes of all that are left.
#[must_use]
pub fn hang(remains: &[Remaining]) -> String {
    const TOLD: usize = 3;
    let one = |it: &Remaining| {
        let place = it.waits_in.as_ref().map(|place| format!(" in {place}")).unwrap_or_default();
        format!("process {} ({}, state {}){place}", it.pid, it.command, it.state)
    };
    let told: Vec<String> = remains.iter().take(TOLD).map(one).collect();
    let more = match remains.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("left are {}{more}", told.join(", "))
}

fn remaining(it: &Remaining) -> String {
    let place = it.waits_in.as_ref().map(|place| format!(" in {place}")).unwrap_or_default();
    let stack = if it.stack.is_empty() { String::new() } else { format!(": {}", it.stack.join(" < ")) };
    format!("  Process {} ({}, state {}) is left{place}{stack}.", it.pid, it.command, it.state)
}

fn list(names: &[String]) -> String {
    match names {
        [] => "what it waits for".to_string(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The time of day of RFC 3339, to the second.
pub(super) fn clock(time: &str) -> String {
    match time.get(11..19) {
        Some(clock) => format!("{clock} UTC"),
        None => time.to_string(),
    }
}

/// Day and time of RFC 3339, to the second.
pub(super) fn moment(time: &str) -> String {
    match time.get(..10) {
        Some(day) => format!("{day} {}", clock(time)),
        None => time.to_string(),
    }
}

/// The two largest parts.
pub(super) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes, seconds) {
        (0, 0, 0, 0) => format!("{ms} ms"),
        (0, 0, 0, _) => format!("{seconds} s"),
        (0, 0, _, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _, _) => format!("{hours} h {} min", minutes % 60),
        (_, _, _, _) => format!("{days} d {} h", hours % 24),
    }
}

/// With a binary unit, and a tenth.
pub(super) fn bytes(count: u64) -> String {
    let (unit, size) = match count {
        0..=1023 => return format!("{count} B"),
        1024..=1_048_575 => ("KiB", 1u64 << 10),
        1_048_576..=1_073_741_823 => ("MiB", 1 << 20),
        _ => ("GiB", 1 << 30),
    };
    let tenths = count.saturating_mul(10) / size;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
#[path = "explain_test.rs"]
mod tests;
