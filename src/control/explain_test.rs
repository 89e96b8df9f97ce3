//! Facts, and the sentences that they become.

use super::*;
use crate::control::{CauseKind, Event, Happening};

const TIME: &str = "2026-11-22T19:04:10.123456Z";

fn cause(kind: CauseKind, text: &str) -> Option<Cause> {
    Some(Cause::new(kind, text.into()))
}

fn runs(name: &str) -> Standing {
    Standing {
        name: name.into(),
        wanted: Wanted::Up,
        state: State::Running,
        since: TIME.into(),
        for_ms: 90_000,
        ready: true,
        health: Health::None,
        health_report: None,
        cause: None,
        waits_for: Vec::new(),
        next: NextStep::Nothing,
        next_at: None,
        next_in_ms: None,
        restart: Some("always".into()),
        restarts: 0,
        restarts_asked: 0,
        failures: 0,
        budget_spent: false,
        remains: Vec::new(),
    }
}

fn is(state: State, next: NextStep) -> Standing {
    Standing { state, next, ready: false, ..runs("web") }
}

#[track_caller]
fn check(it: &Standing, expected: &[&str]) {
    assert_eq!(standing(it), expected);
}

#[test]
fn each_state_says_what_it_is_since_when_and_why() {
    let since = "since 19:04:10 UTC (1 min 30 s)";
    check(&runs("web"), &[&format!("web runs, {since}.")]);
    check(&Standing { ready: false, ..runs("web") }, &[&format!("web runs, and is not ready yet, {since}.")]);
    let ill = Standing {
        health: Health::Unhealthy,
        health_report: Some("exit code 1".into()),
        cause: cause(CauseKind::Exit, "exited with code 1"),
        ..runs("web")
    };
    check(&ill, &[&format!("web runs, and is unhealthy, {since}: it was asked, and said: exit code 1.")]);
    let stuck = Standing {
        cause: cause(CauseKind::Unknown, "was killed and is not gone: its processes do not go away"),
        remains: Vec::from([Remaining {
            pid: 77,
            command: "cat".into(),
            state: "D".into(),
            waits_in: Some("request_wait_answer".into()),
            stack: ["request_wait_answer", "fuse_simulate_request"].map(String::from).to_vec(),
        }]),
        ..is(State::Stuck, NextStep::Retry)
    };
    check(
        &stuck,
        &[
            &format!("web is stuck, {since}: it was killed and is not gone: its processes do not go away."),
            "  Process 77 (cat, state D) is left in request_wait_answer: request_wait_answer < fuse_simulate_request.",
            "  It holds up nobody else; what is left of it is waited for. `orlop replace` starts it beside that.",
        ],
    );
}

#[test]
fn what_a_stuck_container_hangs_on_is_told_in_one_line() {
    let process = |pid, waits_in: Option<&str>| Remaining {
        pid,
        command: "cat".into(),
        state: "D".into(),
        waits_in: waits_in.map(String::from),
        stack: Vec::new(),
    };
    assert_eq!(hang(&[process(7, Some("pipe_read"))]), "left are process 7 (cat, state D) in pipe_read");
    let many: Vec<_> = (1..=5).map(|pid| process(pid, None)).collect();
    assert_eq!(
        hang(&many),
        "left are process 1 (cat, state D), process 2 (cat, state D), process 3 (cat, state D), and 2 more"
    );
}

#[test]
fn each_next_step_is_told_with_its_time() {
    let check = |it: Standing, expected: &str| {
        let it = Standing {
            next_at: Some("2026-11-22T19:05:52.000000Z".into()),
            next_in_ms: Some(12_345),
            waits_for: ["db", "cache", "mail"].map(String::from).to_vec(),
            ..it
        };
        assert_eq!(standing(&it)[1], format!("  {expected}"));
    };
    check(
        is(State::Waiting, NextStep::Dependencies),
        "It is started by itself as soon as db, cache and mail allows it.",
    );
    check(is(State::Waiting, NextStep::Conflict), "It is started by itself when db, cache and mail is down.");
    check(
        is(State::Waiting, NextStep::Connection),
        "It is started by the first connection to one of its sockets.",
    );
    check(is(State::Waiting, NextStep::Gates), "It is started by itself when the machine has that.");
    check(is(State::Waiting, NextStep::Time), "Its timetable starts it at 19:05:52 UTC, in 12 s.");
    check(is(State::Waiting, NextStep::Shutdown), "It runs when the machine ends.");
    check(is(State::Waiting, NextStep::Resume), "This is safe mode: it is started after `orlop resume`.");
    check(is(State::Backoff, NextStep::Restart), "It is started again at 19:05:52 UTC, in 12 s.");
    let held = Standing { budget_spent: true, ..is(State::Backoff, NextStep::Restart) };
    check(
        held,
        "Its failure budget is spent, so that its pauses are as long as they get; the next start is at 19:05:52 UTC, in 12 s.",
    );
    check(
        is(State::Stopping, NextStep::Kill),
        "It was asked to stop, and is killed if it is still there at 19:05:52 UTC, in 12 s.",
    );
    check(is(State::Stopping, NextStep::Dependents), "It is asked to stop when db, cache and mail is down.");
    check(is(State::Stuck, NextStep::Retry), "It is tried once more at 19:05:52 UTC, in 12 s.");
}

#[test]
fn one_that_nobody_starts_again_says_why_nobody_does() {
    let check = |it: Standing, expected: &str| {
        assert_eq!(next(&it).as_deref(), Some(format!("{expected}; `orlop start web` does.").as_str()));
    };
    let down =
        |state, restart: &str| Standing { restart: Some(restart.into()), ..is(state, NextStep::Person) };
    check(Standing { wanted: Wanted::Down, ..down(State::Exited, "always") }, "It is not wanted");
    check(down(State::Exited, "no"), "It is not to be started again (restart = \"no\")");
    check(down(State::Exited, "on-failure"), "It has done what it was to do (restart = \"on-failure\")");
    check(down(State::Failed, "always"), "It failed too often, or in a way that its rules call final");
    check(Standing { restart: None, ..is(State::Exited, NextStep::Person) }, "Nobody starts it again");
}

#[test]
fn the_whole_answer_goes_from_the_container_to_the_root_of_it() {
    let by = crate::control::Asker { uid: Some(0), pid: Some(7), port: None };
    let asked = Happening::Asked { by, name: Some("web".into()), what: "start web".into() };
    let end = |generation, started_us, text: &str| ExitRecord {
        generation,
        time: TIME.into(),
        started_us,
        ended_us: 4_000_000,
        cause: cause(CauseKind::Exit, text),
        ..ExitRecord::default()
    };
    let web = Standing {
        waits_for: Vec::from(["db".into()]),
        cause: cause(CauseKind::Dependency, "waits for db, which is failed"),
        restarts: 1,
        restarts_asked: 2,
        ..is(State::Waiting, NextStep::Dependencies)
    };
    let db = Standing {
        name: "db".into(),
        cause: cause(CauseKind::Exit, "exited with code 1"),
        failures: 3,
        ..is(State::Failed, NextStep::Person)
    };
    let used = ExitRecord {
        memory_peak_bytes: Some(5 << 20),
        cpu_us: Some(1_500),
        processes_peak: Some(3),
        ..end(2, Some(1_000_000), "was killed by SIGKILL")
    };
    let of = |boot: &str| ExitRecord { boot: Some(boot.into()), ..end(9, None, "exited with code 1") };
    let facts = WhyReply {
        text: Vec::new(),
        standings: Vec::from([web, db]),
        asked: Some(Event::of(asked, 1, 1, TIME.into())),
        ends: Vec::from([of("a"), of("b"), end(1, None, "could not be started: mount /x"), used]),
        boot_before: Some("b".into()),
        log: Vec::from(["no such table".into()]),
    };
    let expected = "\
web is waiting, since 19:04:10 UTC (1 min 30 s): it waits for db, which is failed.
  It is started by itself as soon as db allows it.
db has failed, since 19:04:10 UTC (1 min 30 s): it exited with code 1, its failure number 3 without a healthy run between them.
  It failed too often, or in a way that its rules call final; `orlop start db` does.
It was started again once by itself, and 2 times by a person.
The last word: asked by uid 0 (pid 7): start web at 19:04:10 UTC.
How it ended before, the latest first:
  19:04:10 UTC, start 2: after 3 s it was killed by SIGKILL (5.0 MiB of memory at most, 1 ms of CPU, 3 processes at most)
  19:04:10 UTC, start 1: it could not be started: mount /x
  in the boot before this one, 2026-11-22 19:04:10 UTC, start 9: it exited with code 1
  in an earlier boot, 2026-11-22 19:04:10 UTC, start 9: it exited with code 1
The last that it wrote:
  no such table";
    assert_eq!(why(&facts).join("\n"), expected);
}
