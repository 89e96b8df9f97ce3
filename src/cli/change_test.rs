//! What a look at a container says about each wish.

use super::*;
use crate::cli::testing::container;
use orlop::control::{Cause, CauseKind};

/// Every state in the order of the interface, for a container that is wanted as wished.
#[track_caller]
fn check(wish: Wish, expected: [&str; 9]) {
    for (state, expected) in State::ALL.iter().zip(expected) {
        let mut container = container("web", *state);
        container.cause = Some(Cause::new(CauseKind::Oom, String::from("ran out of memory")));
        container.wanted = if wish == Wish::Down { Wanted::Down } else { Wanted::Up };
        let found = match judge(wish, None, &container) {
            Verdict::NotYet => String::from("not yet"),
            Verdict::Reached => String::from("reached"),
            Verdict::Missed(why) => why,
        };
        assert_eq!(found, expected, "{wish:?} {state:?}");
    }
}

#[test]
fn each_wish_is_reached_missed_or_open_in_each_state() {
    let backoff = "container `web` does not stay up, and will be tried again: ran out of memory";
    let failed = "container `web` has failed: ran out of memory";
    let stuck = "container `web` is killed, and still has processes: ran out of memory";
    let invalid = "container `web` is invalid: ran out of memory";
    let up = ["not yet", "not yet", "reached", "not yet", backoff, "reached", failed, stuck, invalid];
    check(Wish::Up, up);
    check(Wish::Again, up);
    check(
        Wish::Down,
        ["not yet", "not yet", "not yet", "not yet", "not yet", "reached", "reached", stuck, "reached"],
    );
}

#[test]
fn a_wish_that_somebody_else_took_back_is_missed() {
    let mut container = container("web", State::Running);
    assert_eq!(
        judge(Wish::Down, None, &container),
        Verdict::Missed(String::from("container `web` was started again meanwhile"))
    );
    container.wanted = Wanted::Down;
    for wish in [Wish::Up, Wish::Again] {
        assert_eq!(
            judge(wish, None, &container),
            Verdict::Missed(String::from("container `web` was stopped meanwhile"))
        );
    }
}

#[test]
fn the_run_from_before_is_no_restart() {
    let container = container("web", State::Running);
    assert_eq!(judge(Wish::Again, container.started_at.as_deref(), &container), Verdict::NotYet);
    assert_eq!(judge(Wish::Again, Some("2020-01-01T00:00:00.000000Z"), &container), Verdict::Reached);
}

#[test]
fn who_starts_a_group_does_not_wait_for_its_jobs_of_the_shutdown() {
    use crate::cli::testing::{check, done, reply};
    let member = |name: &str, state| Container { group: Some("shop".into()), ..container(name, state) };
    let list = |job| {
        let containers = vec![member("job", job), member("web", State::Running)];
        reply(&ListReply { containers })
    };
    let why = |next: &str| {
        let standing = serde_json::json!({
            "name": "job", "wanted": "up", "state": "waiting", "since": "", "for_ms": 0, "ready": false,
            "health": "none", "health_report": null, "cause": null, "waits_for": [], "next": next,
            "next_at": null, "next_in_ms": null, "restart": null, "restarts": 0, "restarts_asked": 0,
            "failures": 0, "budget_spent": false, "remains": [],
        });
        let standings = vec![serde_json::from_value(standing).unwrap()];
        reply(&WhyReply {
            text: Vec::new(),
            standings,
            asked: None,
            ends: Vec::new(),
            log: Vec::new(),
            boot_before: None,
        })
    };
    let answers = vec![done(), list(State::Waiting), why("shutdown"), list(State::Waiting)];
    let found = check("start shop", answers, 0, "web: running (pid 77)\n", "");
    assert_eq!(found.calls(), [r#"Start {"name":"shop"}"#, "List", r#"Why {"name":"job"}"#, "List"]);
    // One that waits for something else comes up with it.
    let answers = vec![done(), list(State::Waiting), why("gates"), list(State::Running)];
    let out = "job: running (pid 77)\nweb: running (pid 77)\n";
    check("start shop", answers, 0, out, "");
}
