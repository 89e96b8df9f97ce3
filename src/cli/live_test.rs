//! `stats`, `top`, `pause`, `resume NAME` and `update` against a machine of canned answers.

use orlop::control::{
    Error, Figures, ListReply, Pressure, Stall, State, StatsReply, Task, TopReply, encode_error,
};

use super::testing::{Machine, check, container, done, reply};

fn figures(name: &str, cpu_us: u64) -> Figures {
    let some = Stall { avg10: 12.5, avg60: 1.0, avg300: 0.0, total_us: 7 };
    Figures {
        name: name.into(),
        cpu_us: Some(cpu_us),
        memory_bytes: Some(12 << 20),
        memory_limit_bytes: Some(64 << 20),
        processes: Some(5),
        io_read_bytes: Some(4096),
        cpu_pressure: Some(Pressure { some, full: None }),
        ..Figures::default()
    }
}

fn stats(boot_us: u64, containers: Vec<Figures>) -> Vec<u8> {
    reply(&StatsReply { boot_us, containers })
}

#[test]
fn stats_are_a_table_with_the_rate_between_two_looks() {
    let again = Figures { name: "new".into(), ..Figures::default() };
    let answers = vec![
        stats(1_000_000, vec![figures("web", 500_000)]),
        stats(3_000_000, vec![again, figures("web", 1_000_000)]),
    ];
    let expected = "\
NAME  CPU    MEMORY    LIMIT     TASKS  READ     WRITTEN  CPU WAIT  MEMORY WAIT  IO WAIT
new   -      -         -         -      -        -        -         -            -
web   25.0%  12.0 MiB  64.0 MiB  5      4.0 KiB  -        12.5%     -            -
";
    let machine = check("stats", answers, 0, expected, "");
    assert_eq!(machine.calls(), [r#"Stats {"names":[]}"#, r#"Stats {"names":[]}"#]);
    check("stats", vec![stats(1, vec![]), stats(2, vec![])], 0, "no container runs\n", "");
}

#[test]
fn a_counter_that_begins_anew_has_no_rate() {
    let answers = vec![stats(1, vec![figures("web", 500)]), stats(2_000_000, vec![figures("web", 100)])];
    let out = Machine::new(answers).run("stats --no-stream web").out;
    assert!(out.contains("web   -    12.0 MiB"), "{out}");
}

#[test]
fn stats_as_json_are_one_look() {
    let machine = Machine::new(vec![stats(7, vec![figures("web", 9)])]);
    let found: serde_json::Value = serde_json::from_str(&machine.run("stats --json web").out).unwrap();
    assert_eq!((&found["boot_us"], &found["containers"][0]["cpu_us"]), (&7.into(), &9.into()));
    assert_eq!(found["containers"][0]["cpu_pressure"]["some"]["avg10"], 12.5);
    assert_eq!(machine.calls(), [r#"Stats {"names":["web"]}"#]);
}

#[test]
fn top_is_a_table_of_processes() {
    let task = Task {
        pid: 4211,
        pid_inside: Some(1),
        cgroup: "main".into(),
        uid: Some(101),
        user: Some("web".into()),
        state: "S".into(),
        threads: 3,
        cpu_us: 1_200_000,
        memory_bytes: 5 << 20,
        started_us: 1,
        command: "/app --x\x1b[2J".into(),
    };
    let nobody = Task { user: None, uid: None, pid_inside: None, command: "[sh]".into(), ..task.clone() };
    let answer = reply(&TopReply { processes: vec![task, nobody], left_out: 2 });
    let expected = "\
PID   INSIDE  CGROUP  USER  STATE  THREADS  CPU TIME  MEMORY   COMMAND
4211  1       main    web   S      3        1s        5.0 MiB  /app --x\u{fffd}[2J
4211  -       main    -     S      3        1s        5.0 MiB  [sh]
and 2 more
";
    let machine = check("top web", vec![answer], 0, expected, "");
    assert_eq!(machine.calls(), [r#"Top {"name":"web"}"#]);
}

#[test]
fn pause_and_resume_name_containers_and_resume_alone_leaves_safe_mode() {
    let machine = check("pause web db", vec![done(), done()], 0, "web: paused\ndb: paused\n", "");
    assert_eq!(machine.calls(), [r#"Pause {"name":"web"}"#, r#"Pause {"name":"db"}"#]);
    let machine = check("resume web", vec![done()], 0, "web: goes on\n", "");
    assert_eq!(machine.calls(), [r#"Unpause {"name":"web"}"#]);
    let mut paused = container("web", State::Running);
    paused.paused = true;
    let out = Machine::new(vec![reply(&ListReply { containers: vec![paused] })]).run("ps").out;
    assert!(out.contains("running (paused)"), "{out}");
    let error = encode_error(&Error::Paused { name: "web".into() });
    check(
        "pause web",
        vec![error],
        1,
        "",
        "error: container `web` is paused; `orlop resume web` lets it go on\n",
    );
}

#[test]
fn update_sends_what_was_typed_and_says_how_long_it_holds() {
    let out = "web: memory=128M cpus=0.5 until the next start\n";
    let machine = check("update web memory=128M cpus=0.5", vec![done()], 0, out, "");
    assert_eq!(machine.calls(), [r#"Update {"limits":{"cpus":"0.5","memory":"128M"},"name":"web"}"#]);
    let bad = Error::BadLimit { key: "memory".into(), reason: "write a unit".into() };
    check("update web memory=128", vec![encode_error(&bad)], 1, "", "error: memory: write a unit\n");
    let (code, err) = {
        let outcome = Machine::new(vec![]).run("update web memory");
        (outcome.code, outcome.err)
    };
    assert!(code == 2 && err.contains("KEY=VALUE"), "{err}");
}
