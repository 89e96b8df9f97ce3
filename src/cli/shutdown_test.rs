//! `shutdown --status` against a machine of canned answers.

use orlop::control::{Leaving, LeavingStage, PowerAction, Shutdown, ShutdownReply};

use super::testing::{TIME, check, reply};

fn leaving(name: &str, stage: LeavingStage) -> Leaving {
    Leaving {
        name: name.into(),
        stage,
        left_ms: None,
        waits_for: vec![],
        asked_ms: None,
        killed_ms: None,
        gone_ms: None,
        cause: None,
    }
}

fn going() -> Shutdown {
    Shutdown {
        action: PowerAction::Poweroff,
        by: "uid 0, pid 7".into(),
        began: TIME.into(),
        within_ms: 60_000,
        left_ms: 48_000,
        done_ms: None,
        containers: vec![
            Leaving { left_ms: Some(7_000), asked_ms: Some(0), ..leaving("web", LeavingStage::Asked) },
            Leaving { waits_for: vec!["web".into()], ..leaving("db", LeavingStage::Waits) },
            Leaving {
                gone_ms: Some(120),
                cause: Some("was stopped by the shutdown".into()),
                ..leaving("log", LeavingStage::Gone)
            },
        ],
    }
}

#[test]
fn a_shutdown_is_told_with_what_it_waits_for() {
    let answer = reply(&ShutdownReply { shutdown: Some(going()) });
    let expected = "\
the machine powers off, asked for by uid 0, pid 7 12s ago; 48s left
NAME  STAGE  LEFT  TOOK   WHY
web   asked  7s    -      -
db    waits  -     -      waits for web
log   gone   -     120ms  was stopped by the shutdown
";
    let machine = check("shutdown --status", vec![answer], 0, expected, "");
    assert_eq!(machine.calls(), ["Shutdown"]);
}

#[test]
fn one_that_is_over_says_what_follows_and_one_that_is_not_there_says_so() {
    let over = Shutdown { done_ms: Some(3_000), containers: vec![], ..going() };
    let text = "the machine powers off, asked for by uid 0, pid 7 12s ago; \
                the containers took 3s, and disks are being unmounted\n";
    check("shutdown --status", vec![reply(&ShutdownReply { shutdown: Some(over) })], 0, text, "");
    let none = reply(&ShutdownReply { shutdown: None });
    check("shutdown --status", vec![none.clone()], 0, "the machine is not being ended\n", "");
    check("shutdown --status --json", vec![none], 0, "{\n  \"shutdown\": null\n}\n", "");
}
