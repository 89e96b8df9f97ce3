//! Creation: whole, or not at all.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;

use serde_json::{Value, json};

use super::world::{Said, World, is_alive};

#[track_caller]
fn refused(change: impl FnOnce(&mut Value), expected: &str) {
    let world = World::with("true", change);
    let pid_file = world.path("pid");
    world.fails(&["create", "--pid-file", pid_file.to_str().unwrap(), "web"], expected);
    assert!(!pid_file.exists(), "{expected}");
    assert_eq!(world.ids(), [""; 0], "{expected}");
}

#[test]
fn what_cannot_be_done_is_refused_and_nothing_is_left() {
    refused(|spec| spec["ociVersion"] = "2.0.0".into(), "ociVersion");
    refused(|spec| spec["linux"]["namespaces"][0]["type"] = "pod".into(), "linux.namespaces[0].type");
    refused(
        |spec| spec["linux"]["namespaces"][0]["path"] = "/proc/self/ns/net".into(),
        "pid: /proc/self/ns/net",
    );
    refused(|spec| spec["root"]["path"] = "nowhere".into(), "nowhere");
    refused(|spec| spec["process"]["args"] = json!(["/nowhere"]), "/nowhere: no such file or directory");
    refused(|spec| spec["process"]["args"] = json!(["nowhere"]), "nowhere: no such file or directory");
    refused(|spec| spec["process"]["cwd"] = "etc".into(), "process.cwd");
    let bounding = json!(["CAP_FLY", "CAP_KILL"]);
    refused(|spec| spec["process"]["capabilities"]["bounding"] = bounding, "nobody knows `CAP_FLY`");
    refused(|spec| spec["process"]["user"]["umask"] = 0o1000.into(), "process.user.umask");
    refused(|spec| spec["process"]["env"] = json!(["A=\0"]), "process.env[0]");
    let mount = json!({"destination": "/", "type": "tmpfs", "source": "tmpfs"});
    refused(|spec| spec["mounts"].as_array_mut().unwrap().push(mount), "mounts[7].destination");
    let device = json!([{"path": "/dev/../etc/x", "type": "c", "major": 1, "minor": 3}]);
    refused(|spec| spec["linux"]["devices"] = device, "linux.devices[0].path");
    refused(
        |spec| spec["process"]["rlimits"] = json!([{"type": "RLIMIT_X", "soft": 1, "hard": 1}]),
        "RLIMIT_X",
    );
    refused(|spec| spec["mounts"][0]["type"] = "nofs".into(), "/proc: no such device");
    refused(|spec| spec["root"] = Value::Null, "root.path");
    refused(|spec| spec["process"]["terminal"] = true.into(), "without --console-socket");
    refused(|spec| spec["hooks"] = json!({"poststop": [{"path": "true"}]}), "hooks.poststop[0].path");
    refused(|spec| spec["hooks"] = json!({"prestart": [{"path": "/bin/true", "timeout": 0}]}), "timeout");
}

#[test]
fn a_limit_that_cannot_be_kept_is_refused_and_none_is_not_one() {
    refused(
        |spec| spec["linux"]["resources"]["memory"] = json!({"limit": 67108864}),
        "memory.max = 67108864 needs cgroup v2",
    );
    let nothing = json!({"pids": {"limit": -1}, "memory": {"limit": -1}, "cpu": {"shares": 0}});
    let world = World::with("true", |spec| spec["linux"]["resources"] = nothing);
    world.done(&["run", "web"]);
}

#[test]
fn a_bundle_without_a_config_is_refused() {
    let world = World::new("true");
    std::fs::remove_file(world.bundle().join("config.json")).unwrap();
    world.fails(&["create", "web"], "config.json: No such file or directory");
    std::fs::write(world.bundle().join("config.json"), "{\"ociVersion\": 1}").unwrap();
    world.fails(&["create", "web"], "config.json: invalid type: integer");
    world.fails(&["create", "-b", "/nowhere", "web"], "bundle /nowhere");
}

#[test]
fn every_version_of_the_first_series_is_understood() {
    for version in ["1.0.0", "1.0.2-dev", "1.99.7"] {
        World::with("true", |spec| spec["ociVersion"] = version.into()).done(&["run", "web"]);
    }
}

#[test]
fn one_without_a_process_is_made_and_not_started() {
    let world = World::with("true", |spec| drop(spec.as_object_mut().unwrap().remove("process")));
    world.create("web", &[]);
    world.fails(&["start", "web"], "process: there is nothing to run");
    assert_eq!(world.status("web"), "created");
    assert_eq!(world.done(&["exec", "-e", "PATH=/usr/bin", "web", "hostname"]), "inside\n");
    world.done(&["delete", "-f", "web"]);
    world.fails(&["run", "web"], "process: there is nothing to run");
    assert_eq!(world.ids(), [""; 0]);
}

#[test]
fn what_is_read_only_can_be_filled_before() {
    let world = World::with(
        "touch /dev/made; mkdir /data/made; touch /dev/shm/made; echo x >/dev/null && ls /data; tty",
        |spec| {
            spec["process"]["terminal"] = true.into();
            let mounts = spec["mounts"].as_array_mut().unwrap();
            let dev = mounts.iter_mut().find(|mount| mount["destination"] == "/dev").unwrap();
            dev["options"] = json!(["nosuid", "mode=755", "ro"]);
            let memory = |at: &str, options: serde_json::Value| json!({"destination": at, "type": "tmpfs", "source": "tmpfs", "options": options});
            mounts.push(memory("/data", json!(["ro"])));
            mounts.push(memory("/data/below", json!([])));
        },
    );
    let said = world.call(&["run", "web"]).out;
    assert_eq!(said.matches("Read-only file system").count(), 2, "{said}");
    assert!(said.ends_with("below\n/dev/pts/0\n"), "{said}");
}

#[test]
fn an_id_is_taken_once() {
    let world = World::new("sleep 1000");
    world.create("web", &[]);
    let pid = world.state("web")["pid"].clone();
    world.fails(&["create", "web"], "container with id \"web\" already exists");
    world.fails(&["run", "web"], "already exists");
    assert_eq!((world.state("web")["pid"].clone(), world.status("web").as_str()), (pid, "created"));
}

#[test]
fn what_is_changed_in_the_config_afterwards_has_no_effect() {
    let world = World::new("echo first");
    world.create("web", &[]);
    std::fs::write(world.bundle().join("config.json"), "broken").unwrap();
    world.done(&["start", "web"]);
    world.until_stopped("web");
    assert_eq!(world.read("web.out"), "first\n");
}

#[test]
fn the_pid_file_has_the_number_and_nothing_else() {
    let world = World::new("sleep 1000");
    let file = world.path("pid");
    world.create("web", &["--pid-file", file.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), world.state("web")["pid"].to_string());
}

#[test]
fn a_pidfd_is_sent_to_whoever_asks_for_it() {
    let world = World::new("sleep 1000");
    let path = world.path("pidfd.sock");
    let listener = UnixListener::bind(&path).unwrap();
    world.create("web", &["--pidfd-socket", path.to_str().unwrap()]);
    let fd = super::terminal::receive(&listener.accept().unwrap().0);
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).unwrap();
    assert!(info.contains(&format!("Pid:\t{}\n", world.state("web")["pid"])), "{info}");
}

#[test]
fn nothing_of_the_caller_is_open_inside_but_what_was_asked_for() {
    let world = World::new("ls /proc/self/fd > /shared/fds; cat <&3; cat <&4");
    let file = |name: &str| {
        let path = world.path(name);
        std::fs::write(&path, format!("{name}\n")).unwrap();
        std::fs::File::open(path).unwrap()
    };
    let (three, four, five) = (file("three"), file("four"), file("five"));
    // As a shell does: our own descriptors may not be given fixed numbers here.
    let at = |file: &std::fs::File| format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    let script = format!(
        "exec {} oci --root {} --cgroup-manager=disabled run --preserve-fds 2 web 3<{} 4<{} 5<{}",
        env!("CARGO_BIN_EXE_orlop"),
        world.path("root").display(),
        at(&three),
        at(&four),
        at(&five)
    );
    let run = |script: &str| {
        let mut command = std::process::Command::new("sh");
        Said::of(command.args(["-c", script]).current_dir(world.bundle()).output().unwrap())
    };
    let said = run(&script);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "three\nfour\n", ""));
    // The last is what ls(1) reads.
    assert_eq!(world.read("fds"), "0\n1\n2\n3\n4\n5\n");
    let said = run(&script.replace("3<", "6<"));
    assert!(said.err.contains("descriptor 3 is to be preserved, and is not open"), "{said:?}");
}

#[test]
fn sockets_that_were_opened_for_it_are_passed_on() {
    let world = World::new("echo $LISTEN_FDS $LISTEN_PID; cat <&3");
    std::fs::write(world.path("three"), "three\n").unwrap();
    let script = format!(
        "LISTEN_FDS=1 LISTEN_PID=$$ exec {} oci --root {} --cgroup-manager=disabled run web 3<{}",
        env!("CARGO_BIN_EXE_orlop"),
        world.path("root").display(),
        world.path("three").display()
    );
    let mut command = std::process::Command::new("sh");
    let said = Said::of(command.args(["-c", &script]).current_dir(world.bundle()).output().unwrap());
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "1 1\nthree\n", ""));
}

#[test]
fn a_creation_that_is_killed_leaves_what_can_be_deleted() {
    let world = World::with("true", |spec| {
        spec["hooks"] = json!({"createRuntime": [
            {"path": "/bin/sh", "args": ["sh", "-c", "cat > state; kill -KILL $PPID; sleep 0.1"]},
        ]});
    });
    let output = world.command(&["create", "web"]).output().unwrap();
    assert_eq!(output.status.code(), None, "killed by its hook");
    let state: Value = serde_json::from_slice(&std::fs::read(world.bundle().join("state")).unwrap()).unwrap();
    world.until_stopped("web");
    assert!(!is_alive(state["pid"].as_i64().unwrap()));
    world.done(&["delete", "web"]);
    assert_eq!(world.ids(), [""; 0]);
}

#[test]
fn the_example_runs() {
    let world = World::new("true");
    std::fs::remove_file(world.bundle().join("config.json")).unwrap();
    world.done(&["spec"]);
    world.fails(&["spec"], "is there already");
    let text = std::fs::read_to_string(world.bundle().join("config.json")).unwrap();
    let mut spec: Value = serde_json::from_str(&text).unwrap();
    spec["process"]["terminal"] = false.into();
    spec["process"]["args"] = json!(["sh", "-c", "hostname"]);
    let usr = json!({"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]});
    spec["mounts"].as_array_mut().unwrap().push(usr);
    std::fs::create_dir(world.bundle().join("rootfs/usr")).unwrap();
    for mount in ["proc", "dev", "sys"] {
        std::fs::create_dir(world.bundle().join("rootfs").join(mount)).unwrap();
    }
    world.write(&spec);
    assert_eq!(world.done(&["run", "web"]), "orlop\n");
}

#[test]
fn interfaces_that_were_given_keep_their_addresses_and_come_up() {
    let script = "ip -br addr show dev eth7; ip -br link show dev mv0 || true";
    let world = World::with(script, |spec| {
        spec["linux"]["netDevices"] = json!({"veth0": {"name": "eth7"}, "veth1": {"name": "mv%d"}});
        let few = json!(["CAP_NET_ADMIN"]);
        spec["process"]["capabilities"] = json!({"bounding": few, "effective": few, "permitted": few});
    });
    // The interfaces of a network namespace that nobody else is in.
    let run = |more: &str| {
        let script = format!(
            "ip link add veth0 type veth peer name veth1 && ip addr add 192.0.2.7/24 dev veth0 && \
             ip addr add 2001:db8::7/64 dev veth0 && ip link set veth0 up && {more} \
             exec {} oci --root {} --cgroup-manager=disabled run web",
            env!("CARGO_BIN_EXE_orlop"),
            world.path("root").display()
        );
        let mut command = std::process::Command::new("unshare");
        Said::of(command.args(["-n", "sh", "-c", &script]).current_dir(world.bundle()).output().unwrap())
    };
    let said = run("");
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let line = said.out.lines().next().unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(words[1], "UP", "{line}");
    assert!(words.contains(&"192.0.2.7/24") && words.contains(&"2001:db8::7/64"), "{line}");
    assert!(said.out.lines().nth(1).unwrap().starts_with("mv0"), "{}", said.out);
    let said = run("ip link set veth1 name other &&");
    assert_eq!(said.err, "error: linux.netDevices: there is no interface veth1\n");
    assert_eq!(world.ids(), [""; 0]);
}

#[test]
fn another_file_can_be_its_configuration() {
    let world = World::new("echo usual");
    let config = world.bundle().join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::create_dir(world.bundle().join("more")).unwrap();
    std::fs::write(world.bundle().join("more/other.json"), text.replace("usual", "other")).unwrap();
    let elsewhere = world.path("link.json");
    std::os::unix::fs::symlink("bundle/more/other.json", &elsewhere).unwrap();
    assert_eq!(world.done(&["run", "web"]), "usual\n");
    assert_eq!(world.done(&["run", "-f", "more/other.json", "web"]), "other\n");
    std::fs::remove_file(config).unwrap();
    assert_eq!(world.done(&["run", "--config", elsewhere.to_str().unwrap(), "web"]), "other\n");
    world.fails(&["run", "web"], "bundle/config.json: No such file or directory");
}
