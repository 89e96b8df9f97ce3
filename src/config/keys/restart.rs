//! `restart` and `restart_policy` of a container.

use super::super::diagnostic::Mistake;
use super::super::life::{Exhausted, MOST_ATTEMPTS, Restart, RestartPolicy};
use super::super::model::Container;
use super::super::nearest::nearest;
use super::super::shape::{Key, Keys, Problem, Shape, Text, refused, word};
use super::super::tree::{Map, Node, Step};
use super::kinds::time_from;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

/// The first failure after a healthy time may be followed at once; doubling begins at the second.
const SHORTEST_DELAY: Duration = Duration::ZERO;
/// Restarts faster than this, one after the other, would only burn a CPU.
const SHORTEST_MAX_DELAY: Duration = Duration::from_millis(10);
/// Nobody waits longer than a day for a restart.
const LONGEST_DELAY: Duration = Duration::from_secs(86_400);
/// Failures older than a year are history.
pub(crate) const LONGEST_WINDOW: Duration = Duration::from_secs(365 * 86_400);

pub(crate) static RESTART: Text = Text {
    what: "a restart policy",
    pattern: "^(no|always|on-failure(:[0-9]+)?|unless-stopped)$",
    check: |text| read(text).map(drop),
};

pub(crate) static POLICY: Keys<RestartPolicy> = Keys {
    what: "`restart_policy`",
    keys: &[
        Key::new(
            "delay",
            time_from(SHORTEST_DELAY, LONGEST_DELAY),
            "restart_policy = { delay = \"500ms\" }",
            "The pause before the first restart; with `\"0s\"` there is none. It doubles with each failure, and varies a little.",
            |node, policy: &mut RestartPolicy| policy.delay = node.time().unwrap_or(policy.delay),
        )
        .default("\"500ms\""),
        Key::new(
            "max_delay",
            time_from(SHORTEST_MAX_DELAY, LONGEST_DELAY),
            "restart_policy = { max_delay = \"30s\" }",
            "The longest pause.",
            |node, policy: &mut RestartPolicy| policy.max_delay = node.time().unwrap_or(policy.max_delay),
        )
        .default("\"30s\""),
        Key::new(
            "max_attempts",
            Shape::Integer { min: 1, max: MOST_ATTEMPTS as i64 },
            "restart_policy = { max_attempts = 5 }",
            "The failure budget: how many failures within `window` are one too many. Without it: no budget.",
            |node, policy: &mut RestartPolicy| policy.max_attempts = node.number(),
        ),
        Key::new(
            "window",
            time_from(Duration::from_secs(1), LONGEST_WINDOW),
            "restart_policy = { max_attempts = 5, window = \"10m\" }",
            "How far back failures count.",
            |node, policy: &mut RestartPolicy| policy.window = node.time().or(policy.window),
        )
        .default("\"60s\""),
        Key::new(
            "healthy_after",
            time_from(Duration::from_secs(1), LONGEST_DELAY),
            "restart_policy = { healthy_after = \"60s\" }",
            "A run this long is healthy: the failures before it are forgotten.",
            |node, policy: &mut RestartPolicy| {
                policy.healthy_after = node.time().unwrap_or(policy.healthy_after)
            },
        )
        .default("\"60s\""),
        Key::new(
            "then",
            Shape::Word {
                words: &[
                    word("hold", "It is tried again at `max_delay`, for ever."),
                    word("fail", "It is `failed`, until a person starts it."),
                    word("restart-group", "All containers of its group are stopped, and started again."),
                    word("reboot", "The machine is rebooted, unless it was booted in the last ten minutes."),
                ],
                refused: &[],
            },
            "restart_policy = { max_attempts = 5, then = \"fail\" }",
            "What happens when the failure budget is spent.",
            |node, policy: &mut RestartPolicy| {
                policy.then = exhausted(node);
            },
        )
        .default("\"hold\""),
    ],
    refused: &[
        refused("condition", "write it beside: restart = \"on-failure\""),
        refused("name", "write it beside: restart = \"on-failure\""),
        refused("backoff", "write delay and max_delay"),
    ],
    rules: &[delays_ascend],
};

pub(crate) fn exhausted(node: &Node) -> Exhausted {
    match node.text() {
        Some("fail") => Exhausted::Fail,
        Some("restart-group") => Exhausted::RestartGroup,
        Some("reboot") => Exhausted::Reboot,
        Some(_) | None => Exhausted::Hold,
    }
}

/// The policy, and how many failures are too many.
fn read(text: &str) -> Result<(Restart, Option<u32>), Mistake> {
    match text {
        "no" => return Ok((Restart::No, None)),
        "always" => return Ok((Restart::Always, None)),
        "on-failure" => return Ok((Restart::OnFailure, None)),
        "unless-stopped" => return Ok((Restart::UnlessStopped, None)),
        _ => {}
    }
    if let Some(count) = text.strip_prefix("on-failure:") {
        let digits = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        return match count.parse() {
            Ok(count) if digits && (1..=1_000_000).contains(&count) => Ok((Restart::OnFailure, Some(count))),
            _ => Err(Mistake::new(format!("\"{text}\": the count is from 1 to 1000000"))),
        };
    }
    let mistake = Mistake::new(format!("\"{text}\" is no restart policy"));
    Err(match nearest(text, ["no", "always", "on-failure", "unless-stopped"]) {
        Some(near) => mistake.help(format!("did you mean \"{near}\"?")),
        None => {
            mistake.help("it is \"no\", \"always\", \"on-failure\", \"on-failure:5\" or \"unless-stopped\"")
        }
    })
}

pub(crate) fn take_restart(node: &Node, container: &mut Container) {
    let Some((restart, count)) = node.read(read) else { return };
    container.restart = restart;
    if let Some(restarts) = count {
        // As Docker has it: restarted so many times in a row, it stays down when it fails once more.
        let max_attempts = Some(restarts.saturating_add(1));
        let policy = &mut container.restart_policy;
        *policy = RestartPolicy { max_attempts, then: Exhausted::Fail, window: None, ..*policy };
    }
}

fn delays_ascend(policy: &Map, problems: &mut Vec<Problem>) {
    let defaults = RestartPolicy::default();
    let time = |key, default| policy.get(key).map_or(Some(default), Node::time);
    if let (Some(delay), Some(most)) = (time("delay", defaults.delay), time("max_delay", defaults.max_delay))
        && delay > most
    {
        let key = if policy.get("delay").is_some() { "delay" } else { "max_delay" };
        problems.push(Problem::error(key, Mistake::new("`delay` is above `max_delay`")));
    }
}

/// `on-failure:5` and `max_attempts` say the same thing, and some keys mean nothing without one of them.
pub(crate) fn one_budget(container: &Map, problems: &mut Vec<Problem>) {
    let restart = container.get("restart").and_then(|node| node.read(read));
    let count = restart.is_some_and(|(_, count)| count.is_some());
    let Some(policy) = container.get("restart_policy").and_then(Node::map) else { return };
    if count && policy.has("max_attempts") {
        let mistake =
            Mistake::new("`restart` and `restart_policy.max_attempts` both give the failure budget");
        problems.push(Problem::error("restart", mistake.help("write restart = \"on-failure\"")));
    }
    if let Some((_, Some(count))) = restart
        && count >= MOST_ATTEMPTS
        && policy.has("window")
    {
        let mistake = Mistake::new(format!("with a `window`, the count is at most {}", MOST_ATTEMPTS - 1));
        problems.push(Problem::error("restart", mistake.help("leave `window` out: all failures count then")));
    }
    for key in ["then", "window"] {
        if policy.get(key).is_some() && !count && !policy.has("max_attempts") {
            let message = format!("`{key}` never acts: without `max_attempts` there is no failure budget");
            let problem =
                Problem::warning("restart_policy", Mistake::new(message).help("add max_attempts = 5"));
            problems.push(problem.inside(Step::Key(key)));
        }
    }
    if !container.has("restart") || restart.is_some_and(|(restart, _)| restart == Restart::No) {
        let mistake = Mistake::new("`restart_policy` never acts: this container is not restarted");
        problems.push(Problem::warning("restart_policy", mistake.help("add restart = \"always\"")));
    }
}
