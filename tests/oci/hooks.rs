//! Hooks: when, where, with what, and what a failure does.

use serde_json::{Value, json};

use super::world::{World, is_alive};

/// A hook that adds a line to a file of the shared folder as it is seen from outside.
fn outside(world: &World, script: &str) -> Value {
    json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": [format!("S={}", world.shared().display()), "PATH=/usr/bin"]})
}

fn inside(script: &str) -> Value {
    json!({"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["S=/shared", "PATH=/usr/bin"]})
}

fn with_hooks(script: &str, hooks: impl FnOnce(&World) -> Value) -> World {
    let world = World::new(script);
    let text = std::fs::read_to_string(world.bundle().join("config.json")).unwrap();
    let mut spec: Value = serde_json::from_str(&text).unwrap();
    spec["hooks"] = hooks(&world);
    world.write(&spec);
    world
}

/// One hook a kind, each of which writes its kind and runs `more`.
fn one_each(world: &World, more: impl Fn(&str) -> &'static str) -> Value {
    let line = |kind: &str| format!("echo {kind} >> $S/log; {}", more(kind));
    let mut hooks = serde_json::Map::new();
    for kind in ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] {
        hooks.insert(kind.into(), json!([outside(world, &line(kind))]));
    }
    hooks.insert("startContainer".into(), json!([inside(&line("startContainer"))]));
    Value::Object(hooks)
}

#[test]
fn every_kind_runs_in_its_turn() {
    let world = with_hooks("echo program >> /shared/log; read line < /shared/fifo", |world| {
        one_each(world, |_| "true")
    });
    nix::unistd::mkfifo(&world.shared().join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    world.create("web", &[]);
    assert_eq!(world.read("log"), "prestart\ncreateRuntime\ncreateContainer\n");
    world.done(&["start", "web"]);
    super::world::eventually(|| world.read("log").contains("program"));
    let log = world.read("log");
    assert!(log.starts_with("prestart\ncreateRuntime\ncreateContainer\nstartContainer\n"), "{log}");
    assert!(log.contains("poststart"), "{log}");
    std::fs::write(world.shared().join("fifo"), "go\n").unwrap();
    world.until_stopped("web");
    assert!(!world.read("log").contains("poststop"));
    world.done(&["delete", "web"]);
    assert!(world.read("log").ends_with("poststop\n"));
}

#[test]
fn each_is_told_the_state_as_it_sees_it() {
    let world = with_hooks("sleep 1000", |world| {
        let outside = |kind: &str| json!([outside(world, &format!("cat > $S/{kind}"))]);
        json!({
            "createRuntime": outside("createRuntime"), "createContainer": outside("createContainer"),
            "poststart": outside("poststart"), "poststop": outside("poststop"),
            "startContainer": [inside("cat > $S/startContainer")],
        })
    });
    world.create("web", &[]);
    let pid = world.state("web")["pid"].clone();
    world.done(&["start", "web"]);
    world.done(&["delete", "-f", "web"]);
    for (kind, status, pid) in [
        ("createRuntime", "created", pid.clone()),
        ("createContainer", "created", 1.into()),
        ("startContainer", "created", 1.into()),
        ("poststart", "running", pid),
        ("poststop", "stopped", 0.into()),
    ] {
        let state: Value =
            serde_json::from_str(&world.read(kind)).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!((&state["status"], &state["pid"]), (&status.into(), &pid), "{kind}");
        assert_eq!(
            (&state["id"], &state["annotations"]["org.example"]),
            (&"web".into(), &"value".into()),
            "{kind}"
        );
        assert_eq!(state["bundle"], world.bundle().to_str().unwrap(), "{kind}");
    }
}

#[test]
fn a_failure_before_the_start_ends_the_creation_and_the_last_ones_run() {
    for kind in ["prestart", "createRuntime", "createContainer"] {
        let world = with_hooks("true", |world| {
            one_each(world, |it| if it == kind { "echo why; exit 3" } else { "true" })
        });
        world.fails(&["create", "web"], "/bin/sh: exit status 3: why");
        assert_eq!(world.ids(), [""; 0], "{kind}");
        let log = world.read("log");
        assert!(log.ends_with(&format!("{kind}\npoststop\n")), "{kind}: {log}");
    }
}

#[test]
fn a_failure_at_the_start_ends_the_container() {
    for kind in ["startContainer", "poststart"] {
        let world = with_hooks("sleep 1000", |world| {
            one_each(world, |it| if it == kind { "exit 3" } else { "true" })
        });
        world.create("web", &[]);
        let pid = world.state("web")["pid"].as_i64().unwrap();
        world.fails(&["start", "web"], &format!("error running {kind} hook #0: /bin/sh: exit status 3"));
        super::world::eventually(|| !is_alive(pid));
        assert_eq!(world.ids(), [""; 0], "{kind}");
        assert!(world.read("log").ends_with(&format!("{kind}\npoststop\n")), "{kind}: {}", world.read("log"));
    }
}

#[test]
fn a_failure_at_the_end_is_logged_and_the_others_run() {
    let world = with_hooks(
        "true",
        |world| json!({"poststop": [outside(world, "exit 3"), outside(world, "echo poststop >> $S/log")]}),
    );
    let log = world.path("log.json");
    world.done(&["--log", log.to_str().unwrap(), "run", "web"]);
    assert_eq!(world.read("log"), "poststop\n");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("level=warning msg=\"error running poststop hook #0: /bin/sh: exit status 3\""),
        "{log}"
    );
}

#[test]
fn its_time_is_limited() {
    let world = with_hooks(
        "true",
        |_| json!({"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]}),
    );
    world.fails(&["create", "web"], "error running createRuntime hook #0: /bin/sleep: not done after 1 s");
}

#[test]
fn a_hook_may_ask_for_the_state() {
    let world = with_hooks("true", |world| {
        let ask = format!(
            "{} oci --root {} state web > $S/state",
            env!("CARGO_BIN_EXE_orlop"),
            world.path("root").display()
        );
        json!({"createRuntime": [outside(world, &ask)]})
    });
    world.create("web", &[]);
    let state: Value = serde_json::from_str(&world.read("state")).unwrap();
    assert_eq!(state["status"], "creating");
    assert_eq!(state["pid"], world.state("web")["pid"]);
}

#[test]
fn those_of_the_creation_find_the_mounts_made_and_begin_in_the_bundle() {
    let world = with_hooks("true", |world| {
        let look = |kind: &str| {
            json!([outside(
                world,
                &format!("pwd > $S/{kind}; ls -d rootfs/proc/self rootfs/dev/null >> $S/{kind}")
            )])
        };
        json!({"createContainer": look("createContainer")})
    });
    world.create("web", &[]);
    let expected =
        format!("{}\nrootfs/dev/null\nrootfs/proc/self\n", world.bundle().canonicalize().unwrap().display());
    assert_eq!(world.read("createContainer"), expected);
}
