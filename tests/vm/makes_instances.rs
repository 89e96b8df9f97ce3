//! A template's instances and a container's replicas are containers of their own, which one name means all of.

use crate::common::outside::Outside;
use crate::common::{container, section, world};

#[test]
fn makes_instances() {
    let config = "[host]\nfault_injection = true\n".to_owned()
        + &container("\"worker@\"", "each where , args %i %p 100%% , sleep", "limits = { pids = 7 }")
        + "[container.\"worker@mail\"]\n[container.\"worker@sms\"]\nlimits = { memory = \"32M\" }\n"
        + &container(
            "web",
            "each until-file /tmp/go-%i , line-on 3 , sleep",
            "replicas = 2\ntmpfs = [\"/tmp\"]\nready = \"fd\"",
        )
        + &container("front", "sleep", "depends_on = [\"web\", \"worker\"]");
    let machine = world(&config).boot();
    let orlop = Outside::of(&machine);
    let log = machine.logged("worker@sms", "sleeping");
    assert_eq!(section(&log, "args sms worker 100%"), "sms\nworker\n100%\n");
    assert_eq!(orlop.ok("exec worker@mail /payload cat /proc/sys/kernel/hostname"), "worker-mail\n");
    assert_eq!(orlop.ok("exec worker@sms /payload cat /sys/fs/cgroup/pids.max"), "7\n");
    assert_eq!(orlop.ok("exec worker@sms /payload cat /sys/fs/cgroup/memory.max"), "33554432\n");

    // All of them are waited for.
    orlop.ok("exec web@1 /payload write-file /tmp/go-1 yes\n");
    machine.until("web@1", "to be ready", |it| it["ready"] == true);
    assert_eq!(orlop.json("status --json front")["waits_for"], serde_json::json!(["web@2"]));
    orlop.ok("exec web@2 /payload write-file /tmp/go-2 yes\n");
    let front = machine.wait("front", "running");

    // One name for all, and nobody else is touched.
    let before =
        ["worker@mail", "worker@sms"].map(|name| orlop.json(&format!("status --json {name}"))["pid"].clone());
    let told = orlop.ok("restart worker");
    let runs = |name: &str| told.lines().any(|line| line.starts_with(&format!("{name}: running")));
    assert!(runs("worker@mail") && runs("worker@sms"), "{told}");
    let after =
        ["worker@mail", "worker@sms"].map(|name| orlop.json(&format!("status --json {name}"))["pid"].clone());
    assert!(before[0] != after[0] && before[1] != after[1], "{before:?} {after:?}");
    assert_eq!(orlop.json("status --json front")["pid"], front["pid"]);
    orlop.fails(
        "exec worker /payload args",
        125,
        "there is no container `worker`; did you mean `worker@mail`?",
    );

    // The next supervisor knows them by their names.
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    assert_eq!(orlop.json("status --json worker@sms")["pid"], after[1]);
    machine.power_off();
}
