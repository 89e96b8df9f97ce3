//! The machine's watchdog bites when nobody looks after the machine any more, and at no other time.

use std::time::Duration;

use orlop_vm::End;
use serde_json::json;

use crate::common::{Booted, container, world};

/// As short as a configuration may have it.
const TIMEOUT: Duration = Duration::from_secs(4);

const HOST: &str = "[host]\nfault_injection = true\npoweroff_timeout = \"15s\"\n\
                    [host.watchdog]\ndevice = \"/dev/watchdog0\"\ntimeout = \"4s\"\n";

fn machine(more: &str) -> Booted {
    let machine = world(&format!("{HOST}{}", container("still", "ignore-term", more))).boot();
    machine.wait("still", "running");
    machine.wait_for_console("watchdog: /dev/watchdog0 resets").unwrap_or_else(|error| panic!("{error}"));
    machine
}

#[track_caller]
fn ends(machine: &Booted, expected: End) {
    let end = machine.wait_for_end().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(end, expected, "{}", machine.console());
}

#[test]
fn a_supervisor_that_stands_still_is_replaced_and_the_machine_lives() {
    let machine = machine("");
    let before = machine.identity("still");
    machine.crash("supervisor", "SIGSTOP");
    machine.supervisor(2);
    assert_eq!(machine.identity("still"), before);
    // The next one answers PID 1 as the first did, or it would be killed in its turn.
    assert!(machine.has_not_ended_after(TIMEOUT * 3));
    machine.supervisor(2);
}

#[test]
fn a_machine_whose_supervisors_stay_dead_is_reset() {
    let machine = machine("");
    machine.ok("DebugCrash", json!({ "process": "supervisor", "starts": 1000 }));
    ends(&machine, End::Watchdog);
}

#[test]
fn a_machine_whose_pid_1_stands_still_is_reset() {
    let group = "/proc/1/root/sys/fs/cgroup/still";
    let errands = [
        "wait /proc/1/root/run/orlop/watchdog".to_owned(),
        format!("mkdir {group}"),
        format!("write {group}/cgroup.procs 1"),
        format!("write {group}/cgroup.freeze 1"),
    ];
    let machine = world(&format!("{HOST}{}", container("still", "sleep", ""))).witness(&errands).boot();
    ends(&machine, End::Watchdog);
}

#[test]
fn an_end_that_takes_longer_than_the_timeout_is_not_cut_short() {
    let machine = machine("stop_grace_period = \"1h\"");
    machine.ok("Power", json!({ "action": "poweroff" }));
    // PID 1 has deadlines of its own, and needs no sign of life any more.
    machine.crash("supervisor", "SIGSTOP");
    ends(&machine, End::PoweredOff);
}
