//! What programs say by syslog(3) is kept with their container's output: each message once, whatever dies.

use serde_json::json;

use crate::common::{Booted, container, count, section, value, world};

const SAID: usize = 400;

#[test]
fn every_message_of_dev_log_is_kept_once_whatever_dies() {
    let task = format!("messages /dev/log {SAID} 10 hello");
    let without = "each open r /dev/log , stat /dev/null";
    let once = "restart = \"no\"";
    let machine = world(&format!(
        "[host]\nfault_injection = true\n{}{}{}",
        container(
            "app",
            &task,
            &format!("{once}\nuser = \"web\"\nstdin_open = true\nlog = {{ syslog = true }}")
        ),
        container(
            "strict",
            "each stat /dev/log , stat /dev/null",
            &format!("{once}\nlog = {{ syslog = true }}")
        ),
        container("without", without, once),
    ))
    .boot();
    let kills = count(6) as usize;
    for kill in 0..kills {
        let enough = SAID / 2 * kill / kills;
        machine.until("app", "to have said more", |_| heard(&machine).len() > enough);
        machine.crash("log", "SIGKILL");
        if kill == kills / 2 {
            machine.crash("supervisor", "SIGKILL");
            machine.supervisor(2);
        }
    }
    assert!(heard(&machine).len() < SAID, "it had said all before the last kill");
    machine.wait("app", "exited");
    machine.until("app", "all to be read", |_| heard(&machine).len() >= SAID);
    assert_eq!(heard(&machine), (0..SAID).collect::<Vec<_>>());

    // Another run has a socket of its own.
    machine.ok("Start", json!({ "name": "app" }));
    machine.until("app", "to have run again", |it| it["state"] == "exited" && it["exit_code"] == 0);
    machine.until("app", "all to be read", |_| heard(&machine).len() >= 2 * SAID);
    assert_eq!(heard(&machine)[SAID..], (0..SAID).collect::<Vec<_>>());

    machine.wait("without", "exited");
    assert!(machine.logged("without", "== stat").contains("ENOENT"), "{}", machine.logs("without"));
    machine.wait("strict", "exited");
    let strict = machine.logged("strict", "== stat /dev/null");
    assert_eq!(value(section(&strict, "stat /dev/log"), "/dev/log"), "666 65534 65534");
    machine.power_off();
}

/// The numbers of its messages, as they are kept.
fn heard(machine: &Booted) -> Vec<usize> {
    let log = machine.logs("app");
    log.split("<14>hello ").skip(1).map(|rest| rest[..6].parse().unwrap()).collect()
}
