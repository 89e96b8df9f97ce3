//! Facts about a machine, and the sentences that they become.

use super::*;
use crate::control::{Asker, Crash, Event, Happening, Phase, PowerAction};

fn phase(name: &str, duration_us: u64, error: Option<&str>) -> Phase {
    let (ok, error) = (Some(error.is_none()), error.map(String::from));
    Phase { name: name.into(), start_us: 0, duration_us: Some(duration_us), ok, error }
}

#[test]
fn a_boot_that_went_well_says_so_and_one_that_did_not_says_what_is_wrong() {
    let well = WhyBootReply {
        text: Vec::new(),
        complete: true,
        safe: false,
        supervisor_starts: 1,
        phases: Vec::from([phase("containers", 12_345, None), phase("mounts", 999, None)]),
        missing: Vec::new(),
        crashes: Vec::new(),
    };
    let longest = "What took longest: containers 12 ms, mounts 0 ms (`orlop boot` has all, `orlop blame` the containers).";
    assert_eq!(why_boot(&well), ["The boot is complete, and all that is wanted is up.", longest]);
    let ill = WhyBootReply {
        complete: false,
        safe: true,
        supervisor_starts: 4,
        phases: Vec::from([phase("network", 1000, Some("no link"))]),
        crashes: Vec::from([Crash { name: "dmesg-efi-1".into(), lines: Vec::from(["Kernel panic".into()]) }]),
        ..well
    };
    let text = why_boot(&ill);
    assert_eq!(text[0], "The boot still goes on.");
    assert!(text[1].starts_with("Safe mode: three supervisors in a row died"), "{text:?}");
    assert_eq!(
        text[2..],
        [
            "This supervisor followed 3 before it; `orlop events` says when.",
            "The phase `network` failed: no link.",
            "What took longest: network 1 ms (`orlop boot` has all, `orlop blame` the containers).",
            "The kernel before this one died, and left this (dmesg-efi-1):",
            "  Kernel panic",
        ]
    );
}

#[test]
fn a_shutdown_says_who_asked_for_it() {
    let none = WhyShutdownReply {
        text: Vec::new(),
        action: None,
        within_ms: None,
        asked: None,
        remaining: Vec::new(),
        before: Vec::new(),
        before_at: None,
        unannounced: false,
    };
    let calm = "The machine is not going down.";
    assert_eq!(why_shutdown(&none), [calm, "Of its end before this boot nothing is kept."]);
    let told = WhyShutdownReply { before: Vec::from(["all is down after 2s".into()]), ..none.clone() };
    assert_eq!(why_shutdown(&told), [calm, "Of its end before this boot it said:", "  all is down after 2s"]);
    let at = Some("2026-11-22T19:04:10.123456Z".into());
    let told = WhyShutdownReply {
        before: Vec::from(["all is down after 2s".into()]),
        before_at: at,
        ..none.clone()
    };
    let when = "Of its end before this boot, at 2026-11-22 19:04:10 UTC, it said:";
    assert_eq!(why_shutdown(&told), [calm, when, "  all is down after 2s"]);
    let cut = why_shutdown(&WhyShutdownReply { unannounced: true, ..none.clone() });
    assert!(cut[1].starts_with("The boot before this one has not said on the disk how it ended:"), "{cut:?}");
    let unasked = WhyShutdownReply { action: Some(PowerAction::Reboot), within_ms: Some(9_000), ..none };
    let first = "The machine goes down (reboot, in 9 s at the latest).";
    let nobody = "Nobody asked for it on the control socket: a signal, a button or a rule did.";
    assert_eq!(why_shutdown(&unasked), [first, nobody]);
    let by = Asker { port: Some("org.orlop.control.0".into()), ..Asker::default() };
    let asked = Happening::Asked { by, name: None, what: "reboot".into() };
    let asked = Event::of(asked, 1, 1, "2026-11-22T19:04:10.123456Z".into());
    let second = "It was asked by port org.orlop.control.0: reboot at 19:04:10 UTC.";
    assert_eq!(why_shutdown(&WhyShutdownReply { asked: Some(asked), ..unasked }), [first, second]);
}
