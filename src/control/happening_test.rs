//! Records of what happened: their bytes, their bound, and those of other releases.

use proptest::prelude::*;

use super::*;
use crate::control::CauseKind;

fn check(happening: &Happening, expected: &str) {
    let bytes = happening.encode(476);
    assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
    assert_eq!(&Happening::decode(1, &bytes), happening);
}

#[test]
fn records_have_these_bytes_for_the_releases_that_read_them() {
    let by = Asker { uid: Some(1000), pid: Some(77), port: None };
    let cause = Cause { code: Some(3), ..Cause::new(CauseKind::Exit, "exited with code 3".into()) };
    let (from, to) = (State::Running, State::Stopping);
    check(
        &Happening::State { name: "web".into(), generation: 2, from, to, cause: Some(cause), pid: None },
        r#"{"cause":{"code":3,"kind":"exit","text":"exited with code 3"},"from":"running","generation":2,"kind":"state","name":"web","to":"stopping"}"#,
    );
    check(
        &Happening::End {
            name: "web".into(),
            generation: 2,
            exit_code: Some(3),
            signal: None,
            cpu_us: 5,
            memory_peak_bytes: 4096,
        },
        r#"{"cpu_us":5,"exit_code":3,"generation":2,"kind":"end","memory_peak_bytes":4096,"name":"web"}"#,
    );
    check(
        &Happening::Note { name: "web".into(), note: "is healthy".into() },
        r#"{"kind":"note","name":"web","note":"is healthy"}"#,
    );
    check(
        &Happening::Asked { by: by.clone(), name: Some("web".into()), what: "stop web".into() },
        r#"{"by":{"pid":77,"uid":1000},"kind":"asked","name":"web","what":"stop web"}"#,
    );
    check(
        &Happening::Refused { by, name: None, what: None, why: "no".into() },
        r#"{"by":{"pid":77,"uid":1000},"kind":"refused","why":"no"}"#,
    );
    check(
        &Happening::Phase { name: "mounts".into(), duration_us: 9, error: None },
        r#"{"duration_us":9,"kind":"phase","name":"mounts"}"#,
    );
    check(
        &Happening::Helper { name: "log".into(), exit_code: None, signal: Some("SIGKILL".into()) },
        r#"{"kind":"helper","name":"log","signal":"SIGKILL"}"#,
    );
    check(
        &Happening::Supervisor { starts: 2, safe: false },
        r#"{"kind":"supervisor","safe":false,"starts":2}"#,
    );
    check(
        &Happening::Shutdown { action: PowerAction::Reboot, within_us: 60 },
        r#"{"action":"reboot","kind":"shutdown","within_us":60}"#,
    );
}

#[test]
fn what_another_release_wrote_is_read_or_is_something_else() {
    let read = |version, text: &str| Happening::decode(version, text.as_bytes());
    let supervisor = Happening::Supervisor { starts: 2, safe: true };
    assert_eq!(read(1, r#"{"kind":"supervisor","starts":2,"safe":true,"why":"later"}"#), supervisor);
    for text in [r#"{"kind":"eclipse","of":"the sun"}"#, r#"{"kind":"supervisor"}"#, "", "\u{0}", "[]"] {
        assert_eq!(read(1, text), Happening::Other, "{text}");
    }
    assert_eq!(read(2, r#"{"kind":"supervisor","starts":2,"safe":true}"#), Happening::Other);
}

proptest! {
    /// However long a text is, and whatever stands in it: the record fits, and still says what it is about.
    #[test]
    fn a_record_fits_into_its_place(what in "\\PC{0,600}|[\"\\\\\n\u{1}x]{0,600}", why in ".{0,300}", name in "web|[\"\\\\x\u{1F600}]{200,300}", most in 200usize..600) {
        let by = Asker { uid: Some(1000), pid: Some(77), port: None };
        let asked = Happening::Asked { by: by.clone(), name: Some(name.clone()), what: what.clone() };
        let bytes = asked.encode(most);
        prop_assert!(bytes.len() <= most);
        let is_asked = matches!(Happening::decode(1, &bytes), Happening::Asked { .. });
        prop_assert!(is_asked);
        let name = Some(name);
        let refused = Happening::Refused { by, name, what: Some(what.clone()), why };
        let bytes = refused.encode(most);
        prop_assert!(bytes.len() <= most);
        let is_refused = matches!(Happening::decode(1, &bytes), Happening::Refused { .. });
        prop_assert!(is_refused);
        let cause = Cause { object: Some(what.clone()), ..Cause::new(CauseKind::Start, what) };
        let (from, to) = (State::Starting, State::Failed);
        let state = Happening::State { name: "web".into(), generation: 1, from, to, cause: Some(cause), pid: None };
        let bytes = state.encode(most);
        prop_assert!(bytes.len() <= most);
        let is_state = matches!(Happening::decode(1, &bytes), Happening::State { to: State::Failed, .. });
        prop_assert!(is_state);
    }
}
