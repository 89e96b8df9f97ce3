//! The machine ends as it was asked to, in order and in time, whoever asks and whoever does not listen.

use orlop_vm::{End, Machine, Options};
use serde_json::json;

use crate::common::{Booted, container, world};

/// Three that depend on one another, each of which takes a moment to stop.
fn chain() -> String {
    let after = |name: &str| format!("depends_on = [{name:?}]");
    [
        container("bottom", "sleep", ""),
        container("middle", "sleep", &after("bottom")),
        container("top", "sleep", &after("middle")),
    ]
    .join("\n")
}

#[track_caller]
fn ends(machine: &Booted, expected: End) {
    let end = machine.wait_for_end().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(end, expected);
}

/// All of the chain were stopped, from the top to the bottom.
#[track_caller]
fn check_stopped(machine: &Booted) {
    let console = machine.console();
    let line = |name| format!("{name}: stopping -> exited");
    let places = ["top", "middle", "bottom"].map(|name| console.find(&line(name)));
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "stopped at {places:?}");
}

#[test]
fn a_reboot_is_a_reboot() {
    let machine = world(&chain()).boot();
    machine.wait("top", "running");
    machine.ok("Power", json!({ "action": "reboot" }));
    ends(&machine, End::Rebooted);
    check_stopped(&machine);
}

#[test]
fn control_alt_delete_stops_everything_and_reboots() {
    let machine = world(&chain()).boot();
    machine.wait("top", "running");
    machine.control_alt_delete().unwrap();
    ends(&machine, End::Rebooted);
    check_stopped(&machine);
}

#[test]
fn the_power_button_stops_everything_and_powers_off() {
    let machine = world(&chain()).boot();
    machine.wait("top", "running");
    // Its driver is loaded after the containers.
    machine.wait_for_console("boot complete").unwrap_or_else(|error| panic!("{error}"));
    machine.power_button().unwrap();
    ends(&machine, End::PoweredOff);
    check_stopped(&machine);
}

#[test]
fn pid_1_ends_the_machine_at_the_signals_for_it_and_survives_all_others() {
    for (signal, end) in
        [("SIGTERM", End::PoweredOff), ("SIGPWR", End::PoweredOff), ("SIGINT", End::Rebooted)]
    {
        let machine = world(&format!("[host]\nfault_injection = true\n{}", chain())).boot();
        machine.wait("top", "running");
        for other in ["SIGKILL", "SIGSEGV", "SIGHUP", "SIGSTOP", "SIGUSR1", "SIGRTMIN"] {
            machine.crash("init", other);
        }
        assert_eq!(machine.ok("Version", json!({}))["supervisor_starts"], 1);
        machine.wait("top", "running");
        machine.crash("init", signal);
        ends(&machine, end);
        check_stopped(&machine);
    }
}

#[test]
fn a_stopped_supervisor_does_not_hold_up_the_end() {
    let deaf = container("deaf", "ignore-term", LONG);
    let machine = world(&format!("[host]\nfault_injection = true\n{deaf}")).boot();
    machine.wait("deaf", "running");
    machine.crash("supervisor", "SIGSTOP");
    machine.control_alt_delete().unwrap();
    ends(&machine, End::Rebooted);
}

#[test]
fn a_machine_whose_pid_1_dies_is_booted_again_by_the_kernel() {
    let host = "[host.watchdog]\ndevice = \"/dev/watchdog0\"\n".to_owned();
    let errands = ["wait /proc/1/root/run/orlop/watchdog", "spoil-pid-1"].map(str::to_owned);
    let machine = world(&(host + &chain())).witness(&errands).boot();
    ends(&machine, End::Panicked);
    let console = machine.console();
    assert!(console.contains("Attempted to kill init") && console.contains("Rebooting in 10 seconds"));
}

#[test]
fn a_machine_that_was_cut_off_boots_again() {
    let machine = world(&chain()).boot();
    machine.wait("top", "running");
    machine.cut_power();
    ends(&machine, End::Killed { signal: 9 });
    let options = Options::new(machine.folder.path().join("machine"));
    let again = Machine::boot(&options).unwrap_or_else(|error| panic!("{error}"));
    let top = again.wait_for("top", "running").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(top["restarts"], 0, "{top}");
}

/// Longer than any test lasts: whoever waited for it would be seen.
const LONG: &str = r#"stop_grace_period = "1h""#;

const MUCH_LATER: &str = r#"restart = "always"
restart_policy = { delay = "1h", max_delay = "1h" }"#;

/// One in each state that a container can be kept in, none of which ends when it is asked to.
fn deaf_in_every_state() -> String {
    let deaf = |name: &str, more: &str| container(name, "ignore-term", &format!("{LONG}\n{more}"));
    let ended = |name: &str, code: u8, more: &str| container(name, &format!("exit {code}"), more);
    [
        "[host]\nfault_injection = true\npoweroff_timeout = \"5s\"".to_owned(),
        container("invalid", "sleep", "colour = \"blue\""),
        deaf("running", ""),
        deaf("stopping", ""),
        deaf("held", "depends_on = [\"running\"]"),
        deaf("waiting", "depends_on = [\"backoff\"]"),
        // It never runs, so that whoever depends on it waits.
        container("backoff", "sleep", MUCH_LATER).replace("[\"/payload\"]", "[\"/nothing\"]"),
        ended("exited", 0, "restart = \"no\""),
        ended("failed", 1, "restart = \"no\""),
    ]
    .join("\n")
}

#[test]
fn whoever_does_not_listen_is_gone_by_the_deadline_in_every_state() {
    // Past the builder, which refuses what is invalid.
    let valid = container("valid", "sleep", "");
    let machine = world(&valid).smuggle("/orlop/config/test.toml", &deaf_in_every_state()).boot();
    machine.wait("stopping", "running");
    machine.ok("Stop", json!({ "name": "stopping" }));
    let states = ["running", "stopping", "waiting", "backoff", "exited", "failed", "invalid"];
    for state in states {
        machine.wait(state, state);
    }
    machine.wait("held", "running");
    machine.ok("Power", json!({ "action": "poweroff" }));
    // Nobody changes the machine's mind now, and the supervisor is not what it hangs on.
    machine.ok("Power", json!({ "action": "reboot" }));
    machine.crash("supervisor", "SIGKILL");
    ends(&machine, End::PoweredOff);
}
