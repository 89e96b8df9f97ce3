//! `orlop graph`, `boot --svg` and `blame`; pictures against the files in tests/simulate.

use orlop::control::{BootReply, Edge, Phase, Rise, State};

use super::simulate_test::{golden, is_golden};
use super::testing::{Machine, check, reply, run_alone};

fn edge(name: &str, condition: &str) -> Edge {
    Edge { name: name.into(), condition: condition.into(), restart: false, required: true }
}

/// Wanted after 20 ms; starting, running and ready so many ms after that.
fn rise(name: &str, times: [Option<u64>; 3], depends_on: &[Edge]) -> Rise {
    let [starting_us, running_us, ready_us] = times.map(|at| at.map(|ms| 20_000 + ms * 1000));
    let state = if running_us.is_some() { State::Running } else { State::Waiting };
    Rise {
        name: name.into(),
        state,
        cause: None,
        wanted_us: 20_000,
        starting_us,
        running_us,
        ready_us,
        next_us: None,
        depends_on: depends_on.to_vec(),
    }
}

fn booted() -> BootReply {
    let phase = |name: &str, start_us, duration_us, error: Option<&str>| Phase {
        name: name.into(),
        start_us,
        duration_us: Some(duration_us),
        ok: Some(error.is_none()),
        error: error.map(Into::into),
    };
    let mut late = rise("late", [None; 3], &[edge("web", "healthy")]);
    late.cause = Some("waits for web, which is <not> healthy yet".into());
    BootReply {
        phases: vec![
            phase("mounts", 1_000, 5_000, None),
            phase("network", 6_000, 9_000, Some("no such device: eth7")),
            phase("containers", 20_000, 80_000, None),
        ],
        complete: true,
        containers: vec![
            rise("db", [Some(0), Some(10), Some(60)], &[]),
            late,
            rise("net", [Some(0), Some(5), Some(5)], &[]),
            rise("web", [Some(61), Some(75), None], &[edge("db", "started"), edge("net", "started")]),
        ],
    }
}

#[test]
fn a_graph_is_drawn_of_a_configuration() {
    for (name, option) in [("graph.svg", ""), ("graph.svg", "--svg"), ("graph.dot", "--dot")] {
        let outcome = run_alone(&format!("graph {option} {}", golden("shop.toml").display()));
        assert_eq!((outcome.code, outcome.err.as_str()), (0, ""));
        is_golden(name, &outcome.out.replace(&golden("").display().to_string(), ""));
    }
}

#[test]
fn a_graph_is_drawn_of_a_machine_with_what_its_containers_do() {
    let machine = Machine::new(vec![reply(&booted())]);
    let out = machine.run("graph --dot").out;
    assert_eq!(machine.calls(), ["Boot"]);
    let expected = "\
digraph orlop {
  rankdir=RL;
  node [shape=box, style=\"rounded,filled\", fillcolor=white];
  \"db\" [tooltip=\"db running\", fillcolor=\"#7bc47f\"];
  \"late\" [tooltip=\"late waiting: waits for web, which is <not> healthy yet\", fillcolor=\"#d9d9d9\"];
  \"net\" [tooltip=\"net running\", fillcolor=\"#7bc47f\"];
  \"web\" [tooltip=\"web running\", fillcolor=\"#7bc47f\"];
  \"late\" -> \"web\" [label=\"healthy\"];
  \"web\" -> \"db\" [label=\"started\"];
  \"web\" -> \"net\" [label=\"started\"];
}
";
    assert_eq!(out, expected);
}

#[test]
fn the_boot_is_a_picture() {
    let out = Machine::new(vec![reply(&booted())]).run("boot --svg").out;
    assert!(out.contains("waits for web, which is &lt;not&gt; healthy yet"), "{out}");
    is_golden("boot.svg", &out);
    let nothing = BootReply { phases: vec![], complete: false, containers: vec![] };
    let out = Machine::new(vec![reply(&nothing)]).run("boot --svg").out;
    assert!(out.contains("the boot goes on"), "{out}");
}

#[test]
fn blame_names_the_slowest_first_and_what_they_waited_for() {
    let expected = "\
NAME  UP AFTER  WAITED   STARTED IN  READY IN  WAITED FOR
late  -         -        -           -         waits for web, which is <not> healthy yet
web   0.075 s   0.061 s  0.014 s     -         db (0.060 s)
db    0.010 s   0.000 s  0.010 s     0.050 s
net   0.005 s   0.000 s  0.005 s     0.000 s
";
    check("blame", vec![reply(&booted())], 0, expected, "");
    let older = reply(&serde_json::json!({ "phases": [], "complete": true }));
    check("blame", vec![older], 0, "no containers are declared\n", "");
}

#[test]
fn a_circle_that_a_machine_tells_of_ends_the_chain() {
    let a = rise("a", [Some(5), Some(5), Some(5)], &[edge("b", "started")]);
    let b = rise("b", [Some(5), Some(5), Some(5)], &[edge("a", "started")]);
    let boot = BootReply { phases: vec![], complete: true, containers: vec![a, b] };
    let outcome = Machine::new(vec![reply(&boot)]).run("blame");
    assert!(outcome.out.contains("b (0.005 s), a (0.005 s)\n"), "{}", outcome.out);
}

#[test]
fn who_comes_after_the_boot_does_not_stretch_it() {
    let mut boot = booted();
    let plain = Machine::new(vec![reply(&boot)]).run("boot --svg").out;
    let mut late = rise("job", [Some(7_200_000), Some(7_200_010), Some(7_200_010)], &[]);
    late.wanted_us = late.starting_us.unwrap();
    let mut later = rise("report", [None; 3], &[]);
    (later.next_us, later.cause) = (Some(86_400_000_000), Some("exited with code 0".into()));
    boot.containers.extend([late, later]);
    let out = Machine::new(vec![reply(&boot)]).run("boot --svg").out;
    let bars = |svg: &str| svg.matches("<rect").count();
    assert_eq!(bars(&out), bars(&plain), "nothing of them is drawn");
    assert!(out.contains("report") && out.contains("boot complete after 0.100 s"), "{out}");
    let blame = Machine::new(vec![reply(&boot)]).run("blame").out;
    let lines: Vec<&str> = blame.lines().skip(1).map(str::trim_end).collect();
    assert!(lines[0].starts_with("late") && lines[3].starts_with("job     0.010 s"), "{blame}");
    assert!(lines[5].starts_with("report") && lines[5].ends_with("its time"), "{blame}");
}
