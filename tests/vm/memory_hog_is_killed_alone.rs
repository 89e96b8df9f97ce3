//! A container that takes more memory than it may is killed, says why, and disturbs nobody.

use crate::common::{container, world};

#[test]
fn memory_hog_is_killed_alone() {
    let limits = "limits = { memory = \"24M\", swap = \"0M\" }";
    let own = limits.replace(" }", ", oom = \"process\" }");
    let child = "each run /payload hog 64 , where";
    let config = container("neighbour", "sleep", limits)
        + &container("whole", child, &format!("restart = \"no\"\n{limits}"))
        + &container("process", child, &format!("restart = \"always\"\n{own}"))
        + &container("hog", "hog 64", limits)
        + &container("glutton", "hog 64", &format!("restart = \"always\"\n{limits}"));
    let machine = world(&config).boot();
    let before = machine.wait("neighbour", "running");
    let hog = machine.wait("hog", "failed");
    assert_eq!(hog["cause"]["kind"], "oom", "{hog}");
    let whose = (&hog["cause"]["scope"], &hog["cause"]["limit_bytes"]);
    assert_eq!(whose, (&"container".into(), &(24 << 20).into()));
    assert_eq!(hog["cause"]["text"], "ran out of memory (its limit of 24 MiB) and was killed");
    assert_eq!(machine.logged("hog", "16 MB"), "16 MB\n");
    // With all that is in its container, or without its parent: as the configuration says.
    assert_eq!(machine.wait("whole", "failed")["cause"]["kind"], "oom");
    assert!(!machine.logs("whole").contains("== where"), "{}", machine.logs("whole"));
    // Where the kernel takes its time to free what the child had, it may take the parent too: tried again.
    machine.logged("process", "exit -1\n== where\n");
    // Of every generation anew: the count of the last one is not carried on.
    let glutton = machine.until("glutton", "to be killed twice", |glutton| {
        glutton["restarts"].as_u64() >= Some(1) && glutton["state"] == "backoff"
    });
    assert_eq!(glutton["cause"]["kind"], "oom", "{glutton}");
    let after = machine.wait("neighbour", "running");
    assert_eq!((&after["pid"], &after["started_at"]), (&before["pid"], &before["started_at"]));
    machine.power_off();
}
