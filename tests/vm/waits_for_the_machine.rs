//! Containers that wait for files, devices, the clock and the end of the boot, and two that are never up together.

use crate::common::outside::Outside;
use crate::common::{container, world};

#[test]
fn waits_for_the_machine() {
    let maker = "each until-file /tmp/go , write-file /out/ready yes , sleep";
    let keeper = "each until-file /tmp/go , keep-clock , sleep";
    let config = "[host]\nfault_injection = true\n[volume.out]\nsize = \"1M\"\n".to_owned()
        + &container("maker", maker, "volumes = [\"out:/out\"]\ntmpfs = [\"/tmp\"]")
        + &container("keeper", keeper, "userns = \"host\"\ncap_add = [\"SYS_TIME\"]\ntmpfs = [\"/tmp\"]")
        + &container(
            "file",
            "sleep",
            "gates = [\"path:/run/orlop/volumes/out/ready\", \"device:/dev/null\"]",
        )
        + &container("clock", "sleep", "gates = [\"time-synced\"]")
        + &container("net", "sleep", "gates = [\"network-online\", \"device:/dev/shm\"]")
        + &container("late", "sleep", "gates = [\"boot-complete\"]")
        + &container("one", "sleep", "")
        + &container("other", "sleep", "conflicts = [\"one\"]");
    let machine = world(&config).boot();
    let orlop = Outside::of(&machine);
    // It comes up after the boot, and the boot without the others.
    machine.wait("late", "running");
    let cause = |name: &str| orlop.json(&format!("status --json {name}"))["cause"]["text"].clone();
    assert_eq!(cause("file"), "waits for path:/run/orlop/volumes/out/ready");
    assert_eq!(cause("clock"), "waits for time-synced");
    // A folder is no device.
    assert_eq!(cause("net"), "waits for network-online, device:/dev/shm");
    assert_eq!(cause("other"), "waits until one is down, which it is in conflict with");

    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    orlop.ok("exec maker /payload write-file /tmp/go yes\n");
    machine.wait("file", "running");
    assert_eq!(cause("clock"), "waits for time-synced");
    orlop.ok("exec keeper /payload write-file /tmp/go yes\n");
    machine.wait("clock", "running");

    orlop.ok("start other");
    machine.wait("other", "running");
    let why = cause("one");
    assert!(why.as_str().unwrap().starts_with("was stopped because other was started"), "{why}");
    orlop.ok("start one");
    machine.wait("one", "running");
    machine.wait("other", "exited");
    machine.power_off();
}
