//! Containers of a group may share namespaces, which outlive each of them and the supervisor, and end with the last.

use crate::common::outside::Outside;
use crate::common::{Booted, container, value, world};

fn config() -> String {
    let comes_back = "restart = \"always\"\nrestart_policy = { delay = \"100ms\" }";
    [
        "[host]\nfault_injection = true\n".to_owned(),
        "[group.shop]\ncontainers = [\"db\", \"web\"]\nshare = [\"network\", \"ipc\", \"uts\"]\n".to_owned(),
        container("db", "serve 7000", &format!("{comes_back}\nsysctls = {{ \"{PORTS}\" = \"512\" }}")),
        container("web", "sleep", comes_back),
        container("other", "sleep", ""),
    ]
    .join("\n")
}

const PORTS: &str = "net.ipv4.ip_unprivileged_port_start";

const GONE: &str = "group shop: nothing of it is up, and its namespaces are let go";

const SHARED: [&str; 4] = ["user", "net", "ipc", "uts"];
const OWN: [&str; 3] = ["mnt", "pid", "cgroup"];

/// By the kind of namespace, which one a container is in.
fn namespaces(orlop: &Outside<'_>, name: &str, kinds: &[&str]) -> Vec<String> {
    let text = orlop.ok(&format!("exec {name} /payload ns"));
    kinds.iter().map(|kind| value(&text, kind).to_owned()).collect()
}

#[track_caller]
fn talk(orlop: &Outside<'_>) {
    let said = orlop.ok("exec web /payload get 127.0.0.1:7000");
    assert!(said.contains("hello from the payload"), "{said}");
}

/// Dies, and comes back.
fn crash(machine: &Booted, orlop: &Outside<'_>, name: &str) {
    let pid = || orlop.json(&format!("status --json {name}"))["pid"].clone();
    let before = pid();
    orlop.ok(&format!("kill -s KILL {name}"));
    machine.until(name, "to run again", |it| it["state"] == "running" && it["pid"] != before);
}

#[test]
fn shares_namespaces_in_a_group() {
    let machine = world(&config()).boot();
    let orlop = Outside::of(&machine);
    for name in ["db", "web", "other"] {
        machine.wait(name, "running");
    }
    machine.logged("db", "serving on 7000");
    let of = |name: &str| namespaces(&orlop, name, &SHARED);
    let shared = of("db");
    assert_eq!(of("web"), shared);
    assert!(of("other").iter().zip(&shared).all(|(own, shared)| own != shared));
    let own = |name: &str| namespaces(&orlop, name, &OWN);
    assert!(own("web").iter().zip(own("db")).all(|(one, other)| *one != other));
    talk(&orlop);
    assert_ne!(orlop.run("exec other /payload get 127.0.0.1:7000").0, Some(0));
    assert_eq!(orlop.ok("exec web /payload cat /proc/sys/kernel/hostname").trim(), "shop");

    // One that crashes comes back to the others, whoever dies besides.
    crash(&machine, &orlop, "web");
    // Who starts later takes nothing back that another has declared; what nobody has is set once.
    let parameter = |path: &str| orlop.ok(&format!("exec web /payload cat /proc/sys/{path}"));
    assert_eq!(parameter(&PORTS.replace('.', "/")), "512\n");
    assert_eq!(parameter("net/ipv4/ping_group_range"), "0\t65535\n");
    assert_eq!(parameter("user/max_user_namespaces"), "0\n");
    assert_eq!(of("web"), shared);
    talk(&orlop);
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    talk(&orlop);
    crash(&machine, &orlop, "db");
    machine.logged("db", "serving on 7000\nserving on 7000");
    assert_eq!(of("db"), shared);
    talk(&orlop);

    // They go with the last, and the next who comes makes new ones.
    orlop.ok("stop web");
    machine.wait("web", "exited");
    assert!(!machine.console().contains(GONE));
    orlop.ok("stop db");
    machine.wait("db", "exited");
    machine.wait_for_console(GONE).unwrap_or_else(|error| panic!("{error}"));
    orlop.ok("start shop");
    machine.wait("web", "running");
    assert_eq!(of("web"), of("db"));
    machine.power_off();
}

/// `run` is started by hand, and goes on over a reload.
fn timed(share: &str) -> String {
    [
        "[host]\nfault_injection = true\n".to_owned(),
        format!("[group.shop]\ncontainers = [\"db\", \"run\"]\n{share}\n"),
        container("db", "sleep", ""),
        container("run", "sleep", "every = \"9h\""),
    ]
    .join("\n")
}

#[test]
fn who_is_in_a_pod_is_judged_by_what_he_was_started_in() {
    let (shares, not) = (timed("share = [\"network\"]"), timed(""));
    let machine = world(&shares).boot();
    let orlop = Outside::of(&machine);
    machine.wait("db", "running");
    orlop.ok("start run");
    let of = |name: &str| namespaces(&orlop, name, &["user", "net"]);
    let shared = of("run");
    assert_eq!(of("db"), shared);
    let run = machine.identity("run");
    let reload = |toml: &str| {
        let folder = machine.folder.path().join("reload");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("test.toml"), toml).unwrap();
        let pid = machine.container("db").unwrap()["pid"].clone();
        orlop.ok(&format!("reload {}", folder.display()));
        machine.until("db", "to run anew", |it| it["state"] == "running" && it["pid"] != pid);
    };
    reload(&not);
    assert_ne!(of("db"), shared);
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    machine.wait("run", "running");
    machine.wait("db", "running");
    reload(&shares);
    assert_eq!((of("db"), machine.identity("run")), (shared.clone(), run), "they are the run's still");
    assert!(!machine.console().contains(GONE));
    orlop.ok("stop run db");
    machine.wait_for_console(GONE).unwrap_or_else(|error| panic!("{error}"));
    orlop.ok("start run db");
    assert_eq!(of("db"), of("run"));
    machine.power_off();
}
