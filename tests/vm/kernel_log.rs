//! What the kernel and Orlop say is kept as containers' output is, whatever happens to the logger.

use crate::common::outside::Outside;
use crate::common::{Booted, container, count, world};

const FAULTS: &str = "[host]\nfault_injection = true\n";

/// Messages of a program that may write there; the ring has room for all of them.
const SAID: usize = 600;

#[test]
fn every_record_of_the_kernels_log_is_kept_once_whatever_dies() {
    let task = format!("messages /dev/kmsg {SAID} 10 numbered");
    // So slow that it writes from the first kill to the last.
    let slow = "restart = \"no\"\ndevices = [\"/dev/kmsg\"]";
    let machine = world(&format!("{FAULTS}{}", container("talker", &task, slow))).boot();
    let kills = count(6) as usize;
    for kill in 0..kills {
        let enough = SAID / 2 * kill / kills;
        machine.until("talker", "to have said more", |_| heard(&machine).len() > enough);
        machine.crash("log", "SIGKILL");
        if kill == kills / 2 {
            machine.crash("supervisor", "SIGKILL");
            machine.supervisor(2);
        }
    }
    assert!(heard(&machine).len() < SAID, "it had said all before the last kill");
    machine.wait("talker", "exited");
    machine.until("talker", "all to be read", |_| heard(&machine).last() == Some(&(SAID - 1)));
    assert_eq!(heard(&machine), (0..SAID).collect::<Vec<_>>());
    machine.power_off();
}

/// The numbers of its messages, as they are kept.
fn heard(machine: &Booted) -> Vec<usize> {
    let log = machine.logs("@kernel");
    log.split("<14>numbered ").skip(1).map(|rest| rest[..6].parse().unwrap()).collect()
}

#[test]
fn orlops_own_words_are_kept_and_read_as_any_log() {
    let once = |name: &str, task: &str| container(name, task, "restart = \"no\"");
    let others = once("other", "exit 0") + &once("last", "exit 0");
    let machine = world(&format!("{FAULTS}{}{others}", once("web", "partial hello"))).boot();
    machine.wait("web", "exited");
    let booted = machine.logged("@orlop", "boot complete after");
    assert!(booted.starts_with("<"), "{booted}");
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    let later = machine.logged("@orlop", "supervisor ended: signal 9");
    assert!(later.starts_with(&booted), "{later}\nis not\n{booted}");

    let orlop = Outside::of(&machine);
    let lines = orlop.ok("logs @orlop");
    assert!(lines.lines().any(|line| line.starts_with("web: starting -> running")), "{lines}");
    let kernel = orlop.ok("logs --grep Linux @kernel");
    assert!(kernel.starts_with("Linux version "), "{kernel}");
    let all = orlop.ok("logs --all");
    for wanted in ["web     | hello\n", "@orlop  | web: starting -> running", "@kernel | Linux version"] {
        assert!(all.contains(wanted), "{wanted} is not in {all}");
    }
    assert_eq!(orlop.ok("logs"), "web | hello\n");
    orlop.fails("logs @kernal", 1, "@kernal");
    says_as_much_as_it_was_told_to(&machine, &orlop);
    machine.power_off();
}

/// Also another supervisor.
fn says_as_much_as_it_was_told_to(machine: &Booted, orlop: &Outside<'_>) {
    assert_eq!(orlop.ok("log-level"), "info\n");
    assert_eq!(orlop.ok("log-level error"), "error\n");
    orlop.ok("start --no-wait web");
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(3);
    orlop.ok("start --no-wait other");
    assert_eq!(orlop.ok("log-level"), "error\n");
    assert_eq!(orlop.ok("log-level info"), "info\n");
    orlop.ok("start --no-wait last");
    machine.logged("@orlop", ": start last");
    let said = orlop.ok("logs --grep start @orlop");
    assert!(!said.contains(": start web") && !said.contains(": start other"), "{said}");
}
