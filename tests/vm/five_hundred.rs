//! Five hundred containers come up on a small machine, are looked after like few, go down in order, and leave nothing.

use std::time::Duration;

use orlop_vm::{End, Error};
use serde_json::{Value, json};

use crate::common::outside::Outside;
use crate::common::{Booted, container, world};

const COUNT: usize = 500;

/// Of what the kernel keeps for each, and of Orlop's own.
const MEMORY: u64 = 1 << 30;

/// An emulated machine on a busy host starts three a second, and its processes end no faster.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn five_hundred_containers_come_up_and_go_down() {
    let config = "[host]\npoweroff_timeout = \"4m\"\n[host.log]\nmemory = \"8M\"\n".to_owned()
        + &container("keel", "sleep", "")
        + &container(
            "crew",
            "each args %i , sleep",
            &format!(
                "replicas = {}\ndepends_on = [\"keel\"]\nstop_grace_period = \"3m\"\nlimits = {{ pids = 2 }}",
                COUNT - 2
            ),
        )
        + &container("flag", "sleep", "depends_on = [\"crew\"]");
    let machine =
        world(&config).options(|options| (options.memory, options.deadline) = (MEMORY, PATIENCE)).boot();
    let orlop = Outside::of(&machine);
    let all = || machine.ps().unwrap_or_else(|error| panic!("{error}"));
    let running = |all: &[Value]| all.iter().filter(|it| it["state"] == "running").count();
    machine.logged("flag", "sleeping");
    machine.wait("flag", "running");
    assert_eq!(running(&all()), COUNT);
    assert!(all().iter().all(|it| it["restarts"] == 0), "{:?}", all());

    // One of them is no further away than one of three.
    let before = machine.identities(&["keel", "crew@1", "flag"]);
    orlop.ok("restart crew@250");
    assert_eq!(machine.wait("crew@250", "running")["ready"], true);
    assert_eq!(machine.identities(&["keel", "crew@1", "flag"]), before);
    assert_eq!(machine.logged("crew@498", "sleeping"), "== args 498\n498\n== sleep\nsleeping\n");
    assert_eq!(orlop.ok("logs crew").lines().filter(|line| line.ends_with("sleeping")).count(), COUNT - 1);
    assert_eq!(orlop.ok("ps").lines().count(), COUNT + 1);

    go_down_in_order(&machine);
}

/// The one that all stand on is not asked to go while any of them is there.
fn go_down_in_order(machine: &Booted) {
    machine.ok("Power", json!({ "action": "poweroff" }));
    let mut looks = 0;
    loop {
        let told = match machine.call("Shutdown", json!({})) {
            Ok(told) => told,
            // It has ended, in the middle of an answer or before.
            Err(Error::Ended { .. } | Error::Protocol { .. } | Error::Host { .. }) => break,
            Err(error) => panic!("{error}"),
        };
        let Some(up) = told["shutdown"]["containers"].as_array() else { continue };
        let stage = |name: &str| up.iter().find(|it| it["name"] == name).map(|it| it["stage"].clone());
        if up.iter().any(|it| it["name"] != "keel" && it["stage"] != "gone") {
            assert!([Some("up".into()), Some("waits".into())].contains(&stage("keel")), "{told}");
            looks += 1;
        }
    }
    assert!(looks > 0, "nobody was told of it");
    let end = machine.wait_for_end().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(end, End::PoweredOff);
    let console = machine.console();
    assert!(!console.contains("did not end within") && !console.contains("killed"), "{console}");
}
