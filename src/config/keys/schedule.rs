//! `schedule`, `every`, `schedule_policy` and `run_timeout` of a container.

use super::super::diagnostic::Mistake;
use super::super::life::{Kind, Missed, Overlap, Timetable, When};
use super::super::model::Container;
use super::super::shape::{Key, Keys, Problem, Shape, Text, refused, word};
use super::super::tree::{Map, Node};
use super::super::value::cron;
use super::kinds::time_from;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

const SHORTEST: Duration = Duration::from_secs(1);
/// What comes more seldom than once a year is no schedule of a machine.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);
const LONGEST_JITTER: Duration = Duration::from_secs(86_400);

static CRON: Text = Text { what: "a schedule", pattern: "", check: |text| cron::parse(text).map(drop) };

pub(crate) const SCHEDULE: Key<Container> = Key::new(
    "schedule",
    Shape::Text(&CRON),
    "schedule = \"*/5 * * * *\"",
    "When it runs, as cron writes it, in UTC: minute, hour, day, month, weekday; or `@hourly`, `@daily`, `@weekly`, \
     `@monthly`, `@yearly`. It is a oneshot then, and does not run at boot.",
    |node, container: &mut Container| {
        if let Some(cron) = node.read(cron::parse) {
            at(container, When::Clock(cron));
        }
    },
);

pub(crate) const EVERY: Key<Container> = Key::new(
    "every",
    time_from(SHORTEST, LONGEST),
    "every = \"1h\"",
    "How often it runs, counted from boot. It is a oneshot then, and does not run at boot.",
    |node, container: &mut Container| {
        if let Some(time) = node.time() {
            at(container, When::Every(time));
        }
    },
);

static POLICY: Keys<Timetable> = Keys {
    what: "`schedule_policy`",
    keys: &[
        Key::new(
            "jitter",
            time_from(Duration::ZERO, LONGEST_JITTER),
            "schedule_policy = { jitter = \"5m\" }",
            "It runs by chance up to so much later, so that not every machine does at once.",
            |node, table: &mut Timetable| table.jitter = node.time().unwrap_or(table.jitter),
        )
        .default("\"0s\""),
        Key::new(
            "missed",
            Shape::Word {
                words: &[
                    word("skip", "It is left out."),
                    word("run", "It runs at once, unless the clock was wrong by more than a day."),
                ],
                refused: &[refused("once", "write \"run\"")],
            },
            "schedule_policy = { missed = \"run\" }",
            "What becomes of a time that the clock was set over.",
            |node, table: &mut Timetable| {
                table.missed = if node.text() == Some("run") { Missed::Run } else { Missed::Skip };
            },
        )
        .default("\"skip\""),
        Key::new(
            "overlap",
            Shape::Word {
                words: &[
                    word("skip", "It is left out."),
                    word("queue", "It runs once more when it has ended."),
                ],
                refused: &[
                    refused("allow", "there is one of each container: write \"queue\""),
                    refused("forbid", "write \"skip\""),
                ],
            },
            "schedule_policy = { overlap = \"queue\" }",
            "What becomes of a time that comes while it still runs.",
            |node, table: &mut Timetable| {
                table.overlap = if node.text() == Some("queue") { Overlap::Queue } else { Overlap::Skip };
            },
        )
        .default("\"skip\""),
    ],
    refused: &[refused("timeout", "write run_timeout beside it")],
    rules: &[],
};

pub(crate) const POLICY_KEY: Key<Container> = Key::new(
    "schedule_policy",
    Shape::Table(&POLICY),
    "schedule_policy = { jitter = \"5m\" }",
    "How exactly its times are kept.",
    |node, container: &mut Container| {
        if let Some(table) = &mut container.timetable {
            super::fill(&POLICY, node, table);
        }
    },
);

pub(crate) const RUN_TIMEOUT: Key<Container> = Key::new(
    "run_timeout",
    time_from(SHORTEST, LONGEST),
    "run_timeout = \"10m\"",
    "The longest that it may run. Then it is stopped, which counts as a failure.",
    |node, container: &mut Container| container.run_timeout = node.time(),
);

fn at(container: &mut Container, when: When) {
    container.kind = Kind::Oneshot;
    let (jitter, missed, overlap) = (Duration::ZERO, Missed::Skip, Overlap::Skip);
    container.timetable = Some(Timetable { when, jitter, missed, overlap });
}

pub(crate) fn one_timetable(container: &Map, problems: &mut Vec<Problem>) {
    let key = ["schedule", "every"].into_iter().find(|key| container.has(key));
    if container.has("schedule") && container.has("every") {
        let mistake = Mistake::new("`schedule` and `every` both say when it runs");
        problems.push(Problem::error("every", mistake.help("leave one of them out")));
    }
    let Some(key) = key else {
        if container.has("schedule_policy") {
            let mistake =
                Mistake::new("`schedule_policy` never acts: there is neither `schedule` nor `every`");
            problems.push(Problem::warning("schedule_policy", mistake));
        }
        return;
    };
    if let Some(kind @ ("service" | "shutdown")) = container.get("type").and_then(Node::text) {
        let mistake = Mistake::new(format!("with `{key}` it is a oneshot, and not \"{kind}\""));
        problems.push(Problem::error("type", mistake.help("leave `type` out")));
    }
    if matches!(container.get("restart").and_then(Node::text), Some("always" | "unless-stopped")) {
        let mistake = Mistake::new(format!(
            "what runs by `{key}` comes to an end, and `restart` would start it for ever"
        ));
        problems.push(Problem::error("restart", mistake.help("write restart = \"on-failure\"")));
    }
}
