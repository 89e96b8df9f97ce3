//! Sentences for people, made of facts: why a boot was as it was, and why the machine goes down.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::explain::{clock, moment, span, standing};
use super::{WhyBootReply, WhyShutdownReply};

/// Phases that are told: the rest took less.
const LONGEST: usize = 3;

/// What took long, what is missing, and what the last kernel died of.
#[must_use]
pub fn why_boot(facts: &WhyBootReply) -> Vec<String> {
    let mut lines = Vec::from([String::from(match (facts.complete, facts.missing.is_empty()) {
        (true, true) => "The boot is complete, and all that is wanted is up.",
        (true, false) => "The boot is complete, and not all that is wanted is up.",
        (false, _) => "The boot still goes on.",
    })]);
    if facts.safe {
        lines.push(
            "Safe mode: three supervisors in a row died before they served, so that nothing is started or stopped \
             unasked; `orlop resume` leaves it."
                .to_string(),
        );
    }
    if facts.supervisor_starts > 1 {
        let before = facts.supervisor_starts.saturating_sub(1);
        let those = if before == 1 { "one before it".to_string() } else { format!("{before} before it") };
        lines.push(format!("This supervisor followed {those}; `orlop events` says when."));
    }
    for phase in facts.phases.iter().filter(|phase| phase.ok == Some(false)) {
        let error = phase.error.as_deref().unwrap_or("it failed");
        lines.push(format!("The phase `{}` failed: {error}.", phase.name));
    }
    let longest = facts.phases.iter().take(LONGEST);
    let longest =
        longest.filter_map(|phase| Some(format!("{} {} ms", phase.name, phase.duration_us? / 1000)));
    let longest: Vec<String> = longest.collect();
    if !longest.is_empty() {
        lines.push(format!(
            "What took longest: {} (`orlop boot` has all, `orlop blame` the containers).",
            longest.join(", ")
        ));
    }
    lines.extend(facts.missing.iter().flat_map(standing));
    for crash in &facts.crashes {
        lines.push(format!("The kernel before this one died, and left this ({}):", crash.name));
        lines.extend(crash.lines.iter().map(|line| format!("  {line}")));
    }
    lines
}

/// What is being done, who asked for it, and what is still there.
#[must_use]
pub fn why_shutdown(facts: &WhyShutdownReply) -> Vec<String> {
    let Some(action) = facts.action else {
        return not_going_down(facts);
    };
    let within = facts.within_ms.map(|ms| format!(", in {} at the latest", span(ms))).unwrap_or_default();
    let mut lines = Vec::from([format!("The machine goes down ({}{within}).", action.as_str())]);
    match &facts.asked {
        Some(asked) => lines.push(format!("It was {} at {}.", asked.text, clock(&asked.time))),
        None => lines
            .push("Nobody asked for it on the control socket: a signal, a button or a rule did.".to_string()),
    }
    lines.extend(facts.remaining.iter().flat_map(standing));
    lines
}

fn not_going_down(facts: &WhyShutdownReply) -> Vec<String> {
    let mut lines = Vec::from(["The machine is not going down.".to_string()]);
    let at = facts.before_at.as_deref().map(|at| format!(", at {},", moment(at))).unwrap_or_default();
    match facts.before.as_slice() {
        [] if facts.unannounced => lines.push(
            "The boot before this one has not said on the disk how it ended: its power went, something reset it, or \
             the disk did not answer."
                .to_string(),
        ),
        [] => lines.push("Of its end before this boot nothing is kept.".to_string()),
        before => {
            lines.push(format!("Of its end before this boot{at} it said:"));
            lines.extend(before.iter().map(|line| format!("  {line}")));
        }
    }
    lines
}

#[cfg(test)]
#[path = "explain_machine_test.rs"]
mod tests;
