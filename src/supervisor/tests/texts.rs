//! The texts that people read, and that records survive being written.

use super::declared::failure;
use super::*;

#[test]
fn causes_read_as_sentences_about_the_container() {
    let check = |cause: Cause, kind: &str, text: &str| {
        assert_eq!((cause.kind.word(), cause.text.as_str()), (kind, text));
        let json = serde_json::to_string(&cause).unwrap();
        assert_eq!(serde_json::from_str::<Cause>(&json).unwrap(), cause, "{json}");
    };
    check(Cause::exit(Exit::Code(1)), "exit", "exited with code 1");
    check(Cause::exit(Exit::Signal(9)), "signal", "was killed by SIGKILL");
    check(Cause::exit(Exit::Signal(11)), "signal", "was killed by SIGSEGV");
    check(Cause::exit(Exit::Signal(31)), "signal", "was killed by SIGSYS");
    check(Cause::exit(Exit::Signal(32)), "signal", "was killed by signal 32");
    check(Cause::exit(Exit::Signal(34)), "signal", "was killed by SIGRTMIN");
    check(Cause::exit(Exit::Signal(40)), "signal", "was killed by SIGRTMIN+6");
    check(Cause::exit(Exit::Signal(0)), "signal", "was killed by signal 0");
    let own = |limit| Cause::oom(Shortage::Own { limit });
    check(own(None), "oom", "ran out of memory and was killed");
    check(own(Some(32 << 20)), "oom", "ran out of memory (its limit of 32 MiB) and was killed");
    check(own(Some(3 << 30)), "oom", "ran out of memory (its limit of 3 GiB) and was killed");
    check(own(Some(100 << 10)), "oom", "ran out of memory (its limit of 100 KiB) and was killed");
    check(Cause::oom(Shortage::Machine), "oom", "was killed because the machine ran out of memory");
    check(
        Cause::start(&failure(Fault::Permanent)),
        "start",
        "could not be started: exec /app: No such file or directory",
    );
    let said = StartFailure {
        step: "user".into(),
        object: "no `web`".into(),
        errno: 0,
        ..failure(Fault::Permanent)
    };
    let said = StartFailure { text: String::new(), ..said };
    check(Cause::start(&said), "start", "could not be started: user: no `web`");
    let of_nothing = StartFailure { object: String::new(), ..failure(Fault::Transient) };
    check(Cause::start(&of_nothing), "start", "could not be started: exec: No such file or directory");
    check(Cause::dependency("db", "is stopped"), "dependency", "waits for db, which is stopped");
    check(Cause::stopped_by_person(None), "user", "was stopped by a person");
    check(
        Cause::stopped_by_person(Some(Exit::Code(0))),
        "user",
        "was stopped by a person and exited with code 0",
    );
    check(
        Cause::restarted_by_person(Some(Exit::Signal(9))),
        "user",
        "was restarted by a person and was killed by SIGKILL",
    );
    check(Cause::config("no image"), "config", "cannot run: no image");
    check(Cause::undeclared(), "config", "is not declared any more");
    check(Cause::image("no manifest"), "image", "cannot run, its image is unusable: no manifest");
    check(Cause::shutdown(None), "shutdown", "was stopped by the shutdown");
    check(Cause::quarantine("it is cursed"), "unknown", "is left alone: it is cursed");
    check(Cause::unseen_end(), "unknown", "ended, and nobody saw how");
}

#[test]
fn a_cause_is_written_flat() {
    let check = |cause: Cause, expected: &str| {
        assert_eq!(serde_json::to_string(&cause).unwrap(), expected);
    };
    check(Cause::exit(Exit::Code(1)), r#"{"kind":"exit","text":"exited with code 1","code":1}"#);
    check(
        Cause::oom(Shortage::Own { limit: Some(4096) }),
        r#"{"kind":"oom","text":"ran out of memory (its limit of 4 KiB) and was killed","shortage":{"own":{"limit":4096}}}"#,
    );
    let older = r#"{"kind":"oom","text":"ran out of memory and was killed"}"#;
    assert_eq!(serde_json::from_str::<Cause>(older).unwrap(), Cause::oom(Shortage::Own { limit: None }));
    check(
        Cause::start(&failure(Fault::Permanent)),
        r#"{"kind":"start","text":"could not be started: exec /app: No such file or directory","step":"exec","object":"/app","errno":2}"#,
    );
}

#[test]
fn every_state_has_a_word_of_its_own() {
    let words = StateKind::ALL.map(StateKind::word);
    assert_eq!(
        words,
        ["waiting", "starting", "running", "stopping", "backoff", "exited", "failed", "stuck", "invalid"]
    );
    for kind in StateKind::ALL {
        assert_eq!(StateKind::from_word(kind.word()), Some(kind));
    }
}
