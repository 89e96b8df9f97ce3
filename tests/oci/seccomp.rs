//! Somebody else decides on system calls.

use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use super::terminal::receive_both;
use super::world::World;

/// A container whose `mkdir` asks whoever listens; where nobody does any more, there is no such call.
fn asking(no_new_privileges: bool) -> (World, UnixListener) {
    let world = World::new("mkdir /shared/made; echo ended with $?");
    let path = world.path("agent.sock");
    let text = std::fs::read_to_string(world.bundle().join("config.json")).unwrap();
    let mut spec: Value = serde_json::from_str(&text).unwrap();
    spec["process"]["noNewPrivileges"] = no_new_privileges.into();
    if !no_new_privileges {
        let few = json!(["CAP_SYS_ADMIN"]);
        spec["process"]["capabilities"] = json!({"bounding": few, "effective": few, "permitted": few});
    }
    spec["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "of the test",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}],
    });
    world.write(&spec);
    (world, UnixListener::bind(path).unwrap())
}

#[track_caller]
fn told(world: &World, agent: &UnixListener, status: &str) -> std::os::fd::OwnedFd {
    let (text, fd) = receive_both(&agent.accept().unwrap().0);
    let said: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!((&said["ociVersion"], &said["fds"]), (&"1.2.0".into(), &json!(["seccompFd"])));
    assert_eq!((&said["metadata"], &said["pid"]), (&"of the test".into(), &world.state("web")["pid"]));
    assert_eq!((&said["state"]["id"], &said["state"]["status"]), (&"web".into(), &status.into()));
    fd
}

#[test]
fn whoever_listens_is_told_before_the_program_runs() {
    for no_new_privileges in [false, true] {
        let (world, agent) = asking(no_new_privileges);
        world.create("web", &[]);
        world.done(&["start", "web"]);
        let fd = told(&world, &agent, "creating");
        assert!(!world.shared().join("made").exists(), "nobody has answered");
        drop(fd);
        world.until_stopped("web");
        assert!(world.read("web.out").contains("ended with 1"), "{}", world.read("web.out"));
    }
}

#[test]
fn without_a_listener_nothing_runs() {
    let (world, agent) = asking(false);
    drop(agent);
    world.fails(&["create", "web"], "linux.seccomp.listenerPath");
    world.fails(&["run", "web"], "linux.seccomp.listenerPath");
    assert_eq!(world.ids(), [""; 0]);
}
