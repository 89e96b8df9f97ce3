//! What happens to the command itself: it is killed, interrupted, spoken to by its own hooks, has lost its record.

#![allow(clippy::disallowed_methods, reason = "the command has to be killed while it runs")]

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::world::{World, eventually, is_alive};

/// At different moments; more in the soak.
const KILLS: u32 = 30;

/// Living processes that have this variable in their environment.
fn marked(mark: &str) -> Vec<i64> {
    let numbers = fs::read_dir("/proc").unwrap().flatten();
    let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has =
        |pid: &i64| fs::read(format!("/proc/{pid}/environ")).is_ok_and(|it| contains(&it, mark.as_bytes()));
    numbers.filter(|pid| has(pid) && is_alive(*pid)).collect()
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|it| it == part)
}

#[test]
fn a_creator_that_is_killed_leaves_nobody_behind() {
    let world = World::new("sleep 1000");
    let mark = format!("MARK={}", world.path("").display());
    for number in 0..KILLS {
        let mut command = world.command(&["create", "web"]);
        command.env("MARK", world.path("")).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(number) * 700));
        child.kill().unwrap();
        child.wait().unwrap();
        world.done(&["delete", "--force", "web"]);
        eventually(|| marked(&mark).is_empty());
    }
}

#[test]
fn who_attends_a_container_keeps_nobody_else_from_it() {
    let world = World::new("echo begun; exec sleep 1000");
    let mut child = world.command(&["run", "web"]).stdout(Stdio::null()).spawn().unwrap();
    eventually(|| world.ids() == ["web"] && world.status("web") == "running");
    world.fails(&["start", "web"], "already running");
    world.done(&["delete", "--force", "web"]);
    assert_eq!(child.wait().unwrap().code(), Some(128 + 9));
    assert_eq!(world.ids(), [""; 0]);
}

fn with_hook(kind: &str, hook: Value) -> World {
    World::with("sleep 1000", |spec| spec["hooks"] = json!({ kind: [hook] }))
}

fn shell(script: &str) -> Value {
    json!({ "path": "/bin/sh", "args": ["sh", "-c", script] })
}

#[test]
fn a_container_whose_hook_hangs_is_deleted_by_force() {
    let world = with_hook("createRuntime", shell("echo > /dev/null; exec sleep 1000"));
    let mut child = world.command(&["create", "web"]).stderr(Stdio::null()).spawn().unwrap();
    eventually(|| world.ids() == ["web"] && world.state("web")["pid"] != 0);
    world.done(&["delete", "--force", "web"]);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(world.ids(), [""; 0]);
}

#[test]
fn a_hook_may_ask_for_what_it_belongs_to() {
    let world = World::new("sleep 1000");
    let text = fs::read_to_string(world.bundle().join("config.json")).unwrap();
    let mut spec: Value = serde_json::from_str(&text).unwrap();
    let (orlop, root, out) = (env!("CARGO_BIN_EXE_orlop"), world.path("root"), world.shared().join("seen"));
    let ask = format!(
        "{orlop} oci --root {} state web > {out}.state && {orlop} oci --root {} kill web 0 2> {out}.kill",
        root.display(),
        root.display(),
        out = out.display()
    );
    spec["hooks"] = json!({ "poststart": [shell(&ask)] });
    world.write(&spec);
    world.create("web", &[]);
    world.done(&["start", "web"]);
    let seen: Value = serde_json::from_str(&world.read("seen.state")).unwrap();
    assert_eq!(seen["status"], "running");
    assert_eq!(world.read("seen.kill"), "");
}

#[test]
fn a_hook_may_delete_what_is_run() {
    let world = World::new("exec sleep 1000");
    let delete = format!(
        "{} oci --root {} delete --force web",
        env!("CARGO_BIN_EXE_orlop"),
        world.path("root").display()
    );
    let with = |script: &str| {
        let text = fs::read_to_string(world.bundle().join("config.json")).unwrap();
        let mut spec: Value = serde_json::from_str(&text).unwrap();
        spec["hooks"] = json!({ "poststart": [shell(script)] });
        world.write(&spec);
    };
    with(&delete);
    assert_eq!(world.call(&["run", "web"]).code, 128 + 9);
    assert_eq!(world.ids(), [""; 0]);
    with(&format!("{delete}; exit 3"));
    world.fails(&["run", "web"], "error running poststart hook #0: /bin/sh: exit status 3");
    assert_eq!(world.ids(), [""; 0]);
}

#[test]
fn a_run_that_is_still_being_made_can_be_interrupted() {
    let world = with_hook("createRuntime", shell("exec sleep 1000"));
    let mut child = world.command(&["run", "web"]).stderr(Stdio::null()).spawn().unwrap();
    eventually(|| world.ids() == ["web"] && world.state("web")["pid"] != 0);
    let begin = Instant::now();
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(60));
    world.done(&["delete", "--force", "web"]);
}

#[test]
fn a_container_whose_record_is_damaged_is_deleted_by_force_alone() {
    let world = World::new("true");
    world.done(&["run", "--keep", "web"]);
    fs::write(world.path("root/web/state.json"), "{").unwrap();
    world.fails(&["delete", "web"], "the state of container");
    assert_eq!(world.call(&["delete", "--force", "web"]).code, 0);
    assert_eq!(world.ids(), [""; 0]);
    world.create("web", &[]);
}

#[test]
fn a_number_that_is_nobodys_makes_nobody_root() {
    for (key, value) in
        [("uid", json!(u32::MAX)), ("gid", json!(u32::MAX)), ("additionalGids", json!([u32::MAX]))]
    {
        let world = World::with("id", |spec| {
            spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 });
            spec["process"]["user"][key] = value;
        });
        world.fails(&["run", "web"], "4294967295");
        assert_eq!(world.ids(), [""; 0]);
    }
}

#[test]
fn what_comes_to_nothing_leaves_no_pid_file() {
    let world = World::with("true", |spec| spec["process"]["args"] = json!(["/etc/no-program"]));
    fs::write(world.bundle().join("rootfs/etc/no-program"), "neither this nor that").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(world.bundle().join("rootfs/etc/no-program"), mode).unwrap();
    let file = world.shared().join("pid");
    world.fails(&["run", "--pid-file", file.to_str().unwrap(), "web"], "/etc/no-program");
    assert!(!file.exists());
    let world = World::new("sleep 1000");
    fs::write(world.bundle().join("rootfs/etc/no-program"), "neither this nor that").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(world.bundle().join("rootfs/etc/no-program"), mode).unwrap();
    let file = world.shared().join("pid");
    world.create("web", &[]);
    world.done(&["start", "web"]);
    let words = ["exec", "--pid-file", file.to_str().unwrap(), "web", "/etc/no-program"];
    world.fails(&words, "/etc/no-program");
    assert!(!file.exists());
}

#[test]
fn relative_sources_are_the_bundles() {
    let world = World::with("cat /mnt/note", |spec| {
        let bind = json!({ "destination": "/mnt", "type": "bind", "source": "beside", "options": ["bind"] });
        spec["mounts"].as_array_mut().unwrap().push(bind);
    });
    fs::create_dir(world.bundle().join("beside")).unwrap();
    fs::write(world.bundle().join("beside/note"), "the bundle's").unwrap();
    let bundle = world.bundle();
    let output = world
        .command(&["run", "--bundle", bundle.to_str().unwrap(), "web"])
        .current_dir("/")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "the bundle's", "{output:?}");
}
