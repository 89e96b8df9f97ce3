//! A paused container stands still, also under another supervisor, and goes on or stops when it is told to.

use serde_json::json;

use crate::common::outside::Outside;
use crate::common::{container, world};

#[test]
fn pauses_and_goes_on() {
    let config = "[host]\nfault_injection = true\n".to_owned()
        + &container("web", "write-forever tick", "log = { rate = \"4K\" }")
        + &container("polite", "report-signal", "restart = \"no\"")
        + &container("done", "exit 0", "restart = \"no\"");
    let machine = world(&config).boot();
    machine.wait("web", "running");
    machine.logged("polite", "waiting");
    machine.wait("done", "exited");
    let orlop = Outside::of(&machine);

    orlop.ok("pause web polite");
    assert!(orlop.ok("ps").contains("running (paused)"));
    let used = || orlop.json("stats --json web")["containers"][0]["cpu_us"].as_u64().unwrap();
    let paused = |name: &str| machine.container(name).unwrap()["paused"] == true;
    let before = used();
    machine.crash("supervisor", "SIGKILL");
    machine.supervisor(2);
    machine.wait("web", "running");
    assert!(paused("web") && paused("polite"), "{:?}", machine.ps());
    assert_eq!(used(), before, "it ran");
    // Again is no mistake.
    orlop.ok("pause web");

    orlop.ok("resume web");
    machine.until("web", "to use the processor", |_| used() > before);
    assert!(!paused("web"));

    // It waits for it, and hears it once it goes on.
    orlop.ok("kill -s USR1 polite");
    assert!(paused("polite"));
    orlop.ok("resume polite");
    machine.until("polite", "to end", |one| one["exit_code"] == 10);

    machine.ok("Start", json!({ "name": "polite" }));
    machine.until("polite", "to be up", |one| one["state"] == "running");
    machine.until("polite", "to listen", |_| machine.logs("polite").matches("waiting").count() == 2);
    orlop.ok("pause polite");
    // It hears SIGTERM, and ends by itself.
    orlop.ok("stop polite");
    assert_eq!(machine.container("polite").unwrap()["exit_code"], 15);
    // The next generation is not born frozen.
    orlop.ok("start polite");
    assert!(!paused("polite"));

    orlop.ok("pause web");
    orlop.ok("kill web");
    machine.wait("web", "failed");

    orlop.fails("pause done", 1, "does not run, it is exited");
    orlop.fails("resume wbe", 1, "did you mean `web`?");
    machine.power_off();
}
