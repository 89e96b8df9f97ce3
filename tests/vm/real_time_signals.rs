//! A real-time signal is a death like any other: PID 1 reaps whom it kills, and replaces them.

use crate::common::{container, world};

#[test]
fn real_time_signals() {
    let machine =
        world(&("[host]\nfault_injection = true\n".to_owned() + &container("web", "sleep", ""))).boot();
    machine.wait("web", "running");
    let before = machine.identity("web");
    for (number, signal) in [(2, "SIGRTMIN"), (3, "SIGRTMIN+2"), (4, "SIGRTMAX")] {
        machine.crash("log", signal);
        machine.crash("supervisor", signal);
        machine.supervisor(number);
        assert_eq!(machine.identity("web"), before, "after {signal}");
    }
    machine.logged("web", "sleeping");
    for number in [34, 36, 64] {
        let line = format!("the supervisor ended: signal {number}");
        machine.wait_for_console(&line).unwrap_or_else(|error| panic!("{error}"));
    }
    machine.power_off();
}
