//! `run`: its output, its end, its signals.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::world::{Said, World};

#[test]
fn the_exit_code_is_the_programs_and_nothing_is_left() {
    let world = World::new("echo out; echo err >&2; exit 7");
    let said = world.call(&["run", "web"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (7, "out\n", "err\n"));
    assert_eq!(world.ids(), [""; 0]);
}

#[test]
fn a_program_that_died_of_a_signal_has_128_and_its_number() {
    // Of its own doing: the first process of a namespace hears no signal that it has not asked for.
    let world = World::with("kill -SEGV $$", |spec| {
        spec["linux"]["namespaces"].as_array_mut().unwrap().retain(|it| it["type"] != "pid");
    });
    assert_eq!(world.call(&["run", "web"]).code, 128 + 11);
}

#[test]
fn kept_when_asked() {
    let world = World::new("true");
    world.done(&["run", "--keep", "web"]);
    assert_eq!(world.status("web"), "stopped");
    world.done(&["delete", "web"]);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the command has to be signalled while it runs")]
fn signals_go_to_the_program() {
    let world =
        World::new("trap 'echo USR1' USR1; trap 'exit 9' TERM; echo ready; while :; do sleep 0.01; done");
    let mut child = world.command(&["run", "web"]).stdout(Stdio::piped()).spawn().unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "ready");
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGUSR1).unwrap();
    assert_eq!(next(), "USR1");
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(9));
    assert_eq!(world.ids(), [""; 0]);
}

#[test]
fn detached_it_goes_on_alone() {
    let world = World::new("echo begun; exec sleep 1000");
    let out = std::fs::File::create(world.shared().join("out")).unwrap();
    let status = world.command(&["run", "-d", "web"]).stdout(out).status().unwrap();
    assert!(status.success());
    assert_eq!(world.status("web"), "running");
    super::world::eventually(|| world.read("out") == "begun\n");
}

#[test]
fn a_program_that_is_none_is_said_and_nothing_is_left() {
    let world = World::new("true");
    std::fs::write(world.shared().join("none"), "\u{7f}neither").unwrap();
    let path = world.shared().join("none");
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let text = std::fs::read_to_string(world.bundle().join("config.json")).unwrap();
    let mut spec: serde_json::Value = serde_json::from_str(&text).unwrap();
    spec["process"]["args"] = serde_json::json!(["/shared/none"]);
    world.write(&spec);
    world.fails(&["run", "web"], "/shared/none: exec format error");
    assert_eq!(world.ids(), [""; 0]);
    world.create("web", &[]);
    world.fails(&["start", "web"], "exec format error");
    world.until_stopped("web");
}

#[test]
fn whoever_reads_its_output_is_not_kept_by_others() {
    // The daemon's output is its own; ours ends with the container.
    let world = World::new("sleep 1000 > /dev/null 2>&1 & echo out");
    let said: Said = world.call(&["run", "web"]);
    assert_eq!((said.code, said.out.as_str()), (0, "out\n"));
}
