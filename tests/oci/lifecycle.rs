//! From `create` to `delete`.

use super::world::{World, is_alive};

#[test]
fn a_container_is_created_runs_stops_and_is_gone() {
    let world = World::new("echo begun; read line < /shared/fifo; exit 3");
    nix::unistd::mkfifo(&world.shared().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    world.create("web", &[]);
    let state = world.state("web");
    assert_eq!(
        (&state["status"], &state["id"], &state["ociVersion"]),
        (&"created".into(), &"web".into(), &"1.2.0".into())
    );
    assert_eq!(state["bundle"], world.bundle().to_str().unwrap());
    assert_eq!(state["rootfs"], world.bundle().join("rootfs").to_str().unwrap());
    assert_eq!(state["annotations"]["org.example"], "value");
    let pid = state["pid"].as_i64().unwrap();
    assert!(is_alive(pid));
    assert_eq!(world.read("web.out"), "", "the program has not begun");
    world.done(&["start", "web"]);
    assert_eq!(world.status("web"), "running");
    assert_eq!(world.state("web")["pid"], pid);
    std::fs::write(world.shared().join("fifo"), "go\n").unwrap();
    world.until_stopped("web");
    assert_eq!(world.state("web")["pid"], 0);
    assert_eq!(world.read("web.out"), "begun\n");
    world.done(&["delete", "web"]);
    world.fails(&["state", "web"], "does not exist");
    assert_eq!(std::fs::read_dir(world.path("root")).unwrap().count(), 0);
}

#[test]
fn only_what_has_stopped_is_deleted_unless_by_force() {
    let world = World::new("sleep 1000");
    world.create("web", &[]);
    world.fails(&["delete", "web"], "that is not stopped: it is created");
    world.done(&["start", "web"]);
    world.fails(&["delete", "web"], "that is not stopped: it is running");
    let pid = world.state("web")["pid"].as_i64().unwrap();
    assert!(is_alive(pid));
    world.done(&["delete", "web", "--force"]);
    assert!(!is_alive(pid));
    world.fails(&["state", "web"], "does not exist");
}

#[test]
fn one_that_waits_ends_by_a_signal_too() {
    let world = World::new("sleep 1000");
    for signal in ["TERM", "INT", "KILL"] {
        world.create("web", &[]);
        world.done(&["kill", "web", signal]);
        world.until_stopped("web");
        world.done(&["delete", "web"]);
    }
    // What it was told to do meanwhile is not the program's.
    let world = World::new("kill -USR1 $$; echo on");
    world.create("web", &[]);
    world.done(&["start", "web"]);
    world.until_stopped("web");
    assert_eq!(world.read("web.out"), "on\n");
}

#[test]
fn start_wants_a_created_one() {
    let world = World::new("sleep 1000");
    world.create("web", &[]);
    world.done(&["start", "web"]);
    world.fails(&["start", "web"], "cannot start an already running container");
    world.done(&["kill", "web", "KILL"]);
    world.until_stopped("web");
    world.fails(&["start", "web"], "cannot start a container that has stopped");
}

#[test]
fn signals_have_names_and_numbers_and_reach_the_living_only() {
    let world = World::new(
        "trap 'echo USR1' USR1; trap 'echo TERM; exit 0' TERM; echo ready; while :; do sleep 0.01; done",
    );
    world.create("web", &[]);
    world.done(&["start", "web"]);
    super::world::eventually(|| world.read("web.out").contains("ready"));
    world.done(&["kill", "web", "0"]);
    world.fails(&["kill", "web", "SIGFOO"], "unknown signal \"SIGFOO\"");
    world.done(&["kill", "web", "SIGUSR1"]);
    super::world::eventually(|| world.read("web.out").contains("USR1"));
    world.done(&["kill", "web"]);
    world.until_stopped("web");
    assert!(world.read("web.out").ends_with("TERM\n"));
    world.fails(&["kill", "web", "9"], "container not running");
    world.done(&["kill", "--all", "web", "9"]);
}

#[test]
fn kill_all_reaches_every_process() {
    let world = World::with("sleep 1000 & sleep 1000 & wait", |spec| {
        // Without its own, the first process takes nobody with it.
        spec["linux"]["namespaces"].as_array_mut().unwrap().retain(|it| it["type"] != "pid");
    });
    world.create("web", &[]);
    world.done(&["start", "web"]);
    let pids = || serde_json::from_str::<Vec<i64>>(&world.done(&["ps", "--format", "json", "web"])).unwrap();
    super::world::eventually(|| pids().len() == 3);
    let all = pids();
    world.done(&["kill", "-a", "web", "KILL"]);
    world.until_stopped("web");
    super::world::eventually(|| !all.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn list_shows_all_of_them() {
    let world = World::new("sleep 1000");
    world.create("b", &[]);
    world.create("a", &[]);
    world.done(&["start", "a"]);
    assert_eq!(world.ids(), ["a", "b"]);
    let table = world.done(&["list"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("ID          PID         STATUS      BUNDLE"), "{table}");
    assert!(
        lines[1].starts_with("a ") && lines[1].contains(" running ") && lines[1].ends_with("root"),
        "{table}"
    );
    let list: serde_json::Value = serde_json::from_str(&world.done(&["list", "-f", "json"])).unwrap();
    assert_eq!(
        (&list[1]["id"], &list[1]["status"], &list[1]["owner"]),
        (&"b".into(), &"created".into(), &"root".into())
    );
}

#[test]
fn ps_shows_its_processes_alone() {
    let world = World::new("exec sleep 1000");
    world.create("web", &[]);
    world.done(&["start", "web"]);
    let pid = world.state("web")["pid"].as_i64().unwrap();
    assert_eq!(world.done(&["ps", "web", "--format", "json"]), format!("[{pid}]\n"));
    let mut command = world.command(&["ps", "web"]);
    let table = super::world::Said::of(command.env("PATH", std::env::var("PATH").unwrap()).output().unwrap());
    let lines: Vec<&str> = table.out.lines().collect();
    assert_eq!((lines.len(), table.code), (2, 0), "{table:?}");
    assert!(lines[0].contains("PID") && lines[1].contains("sleep 1000"), "{table:?}");
}

#[test]
fn what_needs_a_cgroup_says_that_there_is_none() {
    let world = World::new("sleep 1000");
    world.create("web", &[]);
    world.done(&["start", "web"]);
    for words in [&["pause", "web"][..], &["update", "--memory", "64M", "web"], &["events", "--stats", "web"]]
    {
        world.fails(words, "has no cgroup: it was created without cgroup v2");
    }
    assert_eq!(world.state("web")["missing"], "cgroup v2: no limits, no device filter, no pause");
}
