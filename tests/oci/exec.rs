//! `exec` in a running container.

use serde_json::json;

use super::world::{Said, World, is_alive};

fn running() -> World {
    let world = World::new("exec sleep 1000");
    world.create("web", &[]);
    world.done(&["start", "web"]);
    world
}

#[test]
fn a_process_is_in_all_namespaces_with_the_containers_powers() {
    let world = running();
    let kinds = "for n in mnt pid net ipc uts; do readlink /proc/$PID/ns/$n; done";
    let inside = world.done(&["exec", "web", "sh", "-c", &kinds.replace("$PID", "self")]);
    let first = world.done(&["exec", "web", "sh", "-c", &kinds.replace("$PID", "1")]);
    assert_eq!(inside, first);
    let status = world.done(&["exec", "web", "grep", "-E", "^Cap(Bnd|Eff|Inh)", "/proc/self/status"]);
    assert_eq!(status, "CapInh:\t0000000000000000\nCapEff:\t0000000000000020\nCapBnd:\t0000000000000020\n");
}

#[test]
fn options_change_what_the_container_has() {
    let world = running();
    let script = "echo $PATH $A $(pwd) $(id -u):$(id -g) $(id -G)";
    let words =
        ["exec", "--cwd", "/shared", "-e", "A=b", "--user", "7:8", "-g", "9", "web", "sh", "-c", script];
    assert_eq!(world.done(&words), "/usr/bin:/usr/sbin b /shared 7:8 8 9\n");
    let after = ["exec", "web", "--cwd", "/shared", "sh", "-c", "pwd"];
    assert_eq!(world.done(&after), "/shared\n");
    let status = [
        "exec",
        "--no-new-privs",
        "-c",
        "CAP_CHOWN",
        "web",
        "grep",
        "-E",
        "^(CapEff|NoNew)",
        "/proc/self/status",
    ];
    assert_eq!(world.done(&status), "CapEff:\t0000000000000021\nNoNewPrivs:\t1\n");
}

#[test]
fn the_exit_code_is_the_processes() {
    let world = running();
    assert_eq!(world.call(&["exec", "web", "sh", "-c", "exit 5"]).code, 5);
    assert_eq!(world.call(&["exec", "web", "sh", "-c", "kill -KILL $$"]).code, 128 + 9);
    let said = world.call(&["exec", "web", "nowhere"]);
    assert_eq!((said.code, said.out.as_str()), (255, ""));
    assert_eq!(said.err, "error: execute: nowhere: no such file or directory\n");
}

#[test]
fn a_whole_process_is_read_from_a_file() {
    let world = running();
    let process = json!({"args": ["sh", "-c", "echo $A $HOME $(id -u)"], "cwd": "/", "env": ["PATH=/usr/bin", "A=b"],
                         "user": {"uid": 3, "gid": 3}});
    let file = world.path("process.json");
    std::fs::write(&file, process.to_string()).unwrap();
    assert_eq!(world.done(&["exec", "--process", file.to_str().unwrap(), "web"]), "b / 3\n");
}

#[test]
fn detached_it_goes_on_alone() {
    let world = running();
    let file = world.path("pid");
    let words = ["exec", "-d", "--pid-file", file.to_str().unwrap(), "web", "sleep", "1000"];
    assert!(world.command(&words).stdout(std::process::Stdio::null()).status().unwrap().success());
    let pid: i64 = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    assert!(is_alive(pid));
    let pids: Vec<i64> = serde_json::from_str(&world.done(&["ps", "-f", "json", "web"])).unwrap();
    assert_eq!((pids.len(), pids.contains(&pid)), (2, true));
}

#[test]
fn what_it_leaves_behind_keeps_nobody_waiting() {
    let world = running();
    // By its terminal or pipe, a child would.
    let script = "sleep 1000 > /dev/null 2>&1 & echo out";
    assert_eq!(world.done(&["exec", "web", "sh", "-c", script]), "out\n");
}

#[test]
fn a_container_that_does_not_run_is_left_alone() {
    let world = running();
    world.done(&["kill", "web", "KILL"]);
    world.until_stopped("web");
    world.fails(&["exec", "web", "true"], "cannot exec in a stopped container");
    world.fails(&["exec", "web"], "cannot exec in a stopped container");
}

#[test]
fn a_created_one_can_be_entered() {
    let world = World::new("true");
    world.create("web", &[]);
    assert_eq!(world.done(&["exec", "web", "hostname"]), "inside\n");
}

#[test]
fn whoever_has_power_over_none_but_its_own_namespaces_enters_those() {
    let world = World::new("exec sleep 1000");
    let orlop = world.command(&[]);
    let script = r#""$@" run -d web >/dev/null && "$@" exec web echo in; "$@" delete --force web"#;
    let said = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", script, "sh"])
        .arg(orlop.get_program())
        .args(orlop.get_args())
        .current_dir(world.bundle())
        .output();
    let said = Said::of(said.unwrap());
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "in\n", ""));
}

#[test]
fn root_of_a_user_namespace_keeps_its_containers_where_that_user_does() {
    let world = World::new("true");
    let said = std::process::Command::new("unshare")
        .args(["--user", "--map-root-user", env!("CARGO_BIN_EXE_orlop")])
        .args(["oci", "--cgroup-manager=disabled", "run", "web"])
        .env("XDG_RUNTIME_DIR", world.shared())
        .current_dir(world.bundle())
        .output();
    let said = Said::of(said.unwrap());
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(world.shared().join("orlop/oci").is_dir());
}
