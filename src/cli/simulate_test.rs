//! `orlop simulate` and `orlop graph` on tests/simulate/shop.toml, against the files beside it; `ORLOP_BLESS=1`
//! writes these anew.

use std::path::{Path, PathBuf};

use super::testing::{Outcome, run_alone};

pub(super) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulate").join(name)
}

#[track_caller]
pub(super) fn is_golden(name: &str, found: &str) {
    if std::env::var_os("ORLOP_BLESS").is_some() {
        std::fs::write(golden(name), found).unwrap();
    }
    let expected = std::fs::read_to_string(golden(name)).unwrap_or_default();
    assert!(found == expected, "{name} is not\n{found}");
}

fn run(words: &str) -> Outcome {
    run_alone(&format!("{} {}", words, golden("shop.toml").display()))
}

#[track_caller]
fn check(name: &str, words: &str) {
    let outcome = run(words);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
    is_golden(name, &outcome.out);
}

#[test]
fn tells_what_would_happen() {
    check("boot.txt", "simulate");
    check("oom.txt", "simulate --fail db=oom@run:20s --fail cache=exit:1@boot --for 1m");
    check("shutdown.txt", "simulate --fail web=hang@stop --shutdown 5s --for 30s --seed 7");
    check("shutdown.json", "simulate --fail web=hang@stop --shutdown 5s --for 30s --seed 7 --json");
}

#[test]
fn draws_what_it_tells() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("shop.svg");
    check(
        "oom.txt",
        &format!("simulate --svg {} --fail db=oom@run:20s --fail cache=exit:1@boot --for 1m", svg.display()),
    );
    is_golden("oom.svg", &std::fs::read_to_string(svg).unwrap());
    let outcome = run("simulate --svg /nonexistent/x.svg");
    assert_eq!(outcome.err, "error: cannot write /nonexistent/x.svg: there is no such file\n");
}

#[test]
fn tells_who_connects_and_what_gates_do() {
    let folder = tempfile::tempdir().unwrap();
    let svg = folder.path().join("door.svg");
    let words = "--gate network-online=open@20s --gate path:/run/ready=shut@10s --gate path:/run/ready=open@30s \
                 --connect door@5s --connect door=admin@40s --connect door@50s \
                 --fail door=exit:0@run:10s --fail door=hang@50s --for 1m";
    let door = golden("door.toml").display().to_string();
    let outcome = run_alone(&format!("simulate {words} --svg {} {door}", svg.display()));
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
    is_golden("door.txt", &outcome.out);
    is_golden("door.svg", &std::fs::read_to_string(svg).unwrap());
    let outcome = run_alone(&format!("simulate {words} --json {door}"));
    is_golden("door.json", &outcome.out);
    let outcome = run_alone(&format!("simulate {door} --gate path:/run/ready=shut"));
    assert!(outcome.out.ends_with("never came up: sync\nwait for a connection: door\n"), "{}", outcome.out);
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_not() {
    let out = |seed| run(&format!("simulate --fail web=exit:1@start --seed {seed}")).out;
    assert_eq!(out(3), out(3));
    assert_ne!(out(3), out(4));
}

#[test]
fn what_cannot_be_simulated_is_wrong_usage() {
    let check = |words: &str, expected: &str| {
        let outcome = run(&format!("simulate {words}"));
        assert_eq!((outcome.code, outcome.out.as_str()), (2, ""), "{words}");
        assert!(outcome.err.contains(expected), "{words}: {}", outcome.err);
    };
    check(
        "--fail wbe=oom@boot",
        "error: --fail `wbe=oom@boot`: no container is named `wbe`; did you mean `web`?\n",
    );
    check("--fail web=oom@20m", "error: --fail `web=oom@20m`: the simulation is over by then; --for says");
    check("--shutdown 11m", "error: --shutdown: the simulation is over by then; --for says");
    check("--connect web@30s", "error: --connect `web@30s`: `web` has no sockets; no container has any\n");
    check("--gate time-synced=shut", "no container waits for time-synced; none has `gates`\n");
    let door = golden("door.toml").display().to_string();
    check(&format!("--connect door@20m {door}"), "--connect `door@20m`: the simulation is over by then");
    check(&format!("--gate network-online=open@20m {door}"), "=open@20m`: the simulation is over by then");
    check("--for 40d", "31d is the longest");
    check("--at boot+5s", "write 14:30[:05] (UTC), or 2026-11-21T22:46:01Z");
    check("--at 1969-12-31T23:59:59Z", "write 14:30[:05] (UTC), or 2026-11-21T22:46:01Z");
    check("--for 10", "\"10\" needs a unit");
}

#[test]
fn what_waits_for_its_time_has_not_failed_to_come_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.toml");
    let job = |name: &str, time: &str| {
        format!("[container.{name}]\nimage = 'oci-archive:x.tar'\nschedule = '{time}'\n")
    };
    std::fs::write(&file, job("soon", "5 14 * * mon") + &job("late", "0 3 * * *")).unwrap();
    let last = |words: &str| {
        let outcome = run_alone(&format!("simulate {words} {}", file.display()));
        assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
        let lines: Vec<&str> = outcome.out.lines().collect();
        lines[lines.len() - 2..].join("|")
    };
    assert_eq!(last("--at 14:00"), "all came up|wait for their time: late");
    // A Monday too.
    assert_eq!(last("--at 2026-11-23T14:03:00Z"), "all came up|wait for their time: late");
    assert_eq!(last("--at 12:00"), "nothing came up|wait for their time: late, soon");
}
