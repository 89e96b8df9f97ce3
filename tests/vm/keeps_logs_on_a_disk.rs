//! Logs outlive a power-off where there is a disk, and where it is not as it should be, only they are lost.

use std::path::Path;

use serde_json::json;

use crate::common::container;
use crate::common::disk::{DISK, formatted, is_there, this_boot, until_written, with_disk};
use crate::common::outside::Outside;

/// Whether its journal would be replayed: `EXT4_FEATURE_INCOMPAT_RECOVER` of its superblock.
fn is_in_use(disk: &Path) -> bool {
    const FEATURES_AT: usize = 1024 + 96;
    std::fs::read(disk).unwrap()[FEATURES_AT] & 4 > 0
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

/// What `write` wrote.
fn numbered(text: &str) -> usize {
    text.lines().filter(|line| line.starts_with("00")).count()
}

#[test]
fn logs_of_the_boot_before_are_all_there_whatever_dies() {
    let config = DISK.to_owned()
        + "[host.log]\nmemory = \"16M\"\n"
        + &container("web", "each write 1600 line , partial end , sleep", "")
        + &container("flood", "write 1600000 much", "restart = \"no\"\nlog = { memory = \"8M\" }")
        + &container("late", "write 160 late", "restart = \"no\"");
    let world = with_disk(&config, formatted);
    let disk = world.config().join("../disk");
    let machine = world.built();
    let first = machine.boot();
    is_there(&first);
    assert!(is_in_use(&disk));
    // Who comes next goes on where it was, and writes nothing twice.
    for _ in 0..3 {
        first.crash("keep", "SIGKILL");
    }
    first.wait("flood", "exited");
    first.crash("keep", "SIGKILL");
    first.crash("supervisor", "SIGKILL");
    first.supervisor(2);
    let (web, flood) = (first.logged("web", "sleeping\n"), first.logs("flood"));
    assert_eq!(flood.len(), 1_600_000);
    first.wait("late", "exited");
    first.ok("Start", json!({ "name": "late" }));
    first.power_off();
    // It was let go of.
    assert!(!is_in_use(&disk));

    let second = machine.boot();
    is_there(&second);
    let outside = Outside::of(&second);
    let boots = outside.json("logs --boots --json");
    let numbers: Vec<_> = boots["boots"].as_array().unwrap().iter().map(|boot| &boot["before"]).collect();
    assert_eq!(numbers, [&json!(0), &json!(1)], "{boots}");
    assert_eq!(outside.ok("logs web --boot -1"), web);
    let kept = outside.ok("logs flood --boot -1");
    assert!(kept == flood, "{} bytes instead of {}", kept.len(), flood.len());
    let late = outside.ok("logs late --boot -1");
    assert_eq!(numbered(&late) % 10, 0, "{late}");
    assert!(numbered(&late) >= 10, "{late}");
    let own = outside.ok("logs @orlop --boot -1");
    for wanted in ["boot complete", "keep ended: signal 9", "shutdown: poweroff, asked for by "] {
        assert!(own.contains(wanted), "no `{wanted}` in {own}");
    }
    // The options mean what they mean of memory.
    assert_eq!(outside.ok("logs web --boot -1 -n 2"), "end== sleep\nsleeping\n");
    assert_eq!(lines(&outside.ok("logs --boot -1 --grep 0000000007 web")), [lines(&web)[8]]);
    let id = boots["boots"][1]["id"].as_str().unwrap();
    let json = outside.ok(&format!("logs --boot {} --json --since boot --until boot+9h web", &id[..8]));
    let entry: serde_json::Value = serde_json::from_str(lines(&json)[0]).unwrap();
    assert_eq!((entry["name"].as_str(), entry["stream"].as_str()), (Some("web"), Some("stdout")), "{json}");
    assert!(outside.ok("logs --boot -1 --since 9h -n 1 late").ends_with("late\n"));
    outside.fails("logs -f --boot -1 web", 2, "--boot -1 is not");
    outside.fails("logs --boot -2 web", 1, "the disk has no such boot: the first that it has is -1");
    outside.fails("logs --boot -1 nobody", 1, "no log of \"nobody\"");
    let refused = second.machine.call("Logs", json!({ "names": [], "follow": true, "boot": "-1" }));
    assert!(refused.is_err(), "{refused:?}");
    second.power_off();
}

#[test]
fn a_power_cut_takes_the_newest_and_the_quota_the_oldest_of_who_has_most() {
    let config = DISK.to_owned()
        + "logs = \"1M\"\n"
        + &container("quiet", "each write 160 quiet , sleep", "")
        + &container("flood", "write 24000000 much", "restart = \"no\"\ndepends_on = [\"mark\"]")
        + &container("mark", "each write 16 mark , sleep", "");
    let machine = with_disk(&config, formatted).built();
    let first = machine.boot();
    is_there(&first);
    first.wait("flood", "exited");
    let outside = Outside::of(&first);
    let id = this_boot(&outside);
    let flood = outside.run("logs flood").1;
    let last = lines(&flood).pop().unwrap();
    until_written(&outside, &id, "flood", last, 1);
    // The next turn of the keeper's begins when all that the one before has written is safe.
    for count in 2..4 {
        first.ok("Restart", json!({ "name": "mark" }));
        until_written(&outside, &id, "mark", "0000000000 mark\n", count);
    }
    drop(outside);
    first.machine.cut_power();
    drop(first);

    let second = machine.boot();
    is_there(&second);
    let outside = Outside::of(&second);
    let boots = outside.json("logs --boots --json");
    assert_eq!(boots["boots"][1]["id"], json!(id), "{boots}");
    let bytes: u64 = boots["boots"].as_array().unwrap().iter().map(|it| it["bytes"].as_u64().unwrap()).sum();
    assert!(bytes <= 1 << 20, "{boots}");
    let quiet = outside.run("logs quiet --boot -1").1;
    assert_eq!(numbered(&quiet), 10, "{quiet}");
    let (_, kept, said) = outside.run("logs flood --boot -1");
    assert!(kept.len() > 100_000, "{} {said}", kept.len());
    assert_eq!(lines(&kept).pop(), Some(last));
    second.power_off();
}

#[test]
fn without_the_disk_that_is_meant_containers_start_and_it_is_said() {
    let config = DISK.replace("60s", "20s") + &container("web", "each write 160 line , sleep", "");
    let blank = |path: &Path| std::fs::File::create(path).unwrap().set_len(4 << 20).unwrap();
    let machine = with_disk(&config, blank).boot();
    machine.logged("web", "sleeping\n");
    let why = "LABEL=orlop: no file system of this machine's disks is called so";
    machine.logged("@orlop", &format!("disk: {why}"));
    machine.logged("@orlop", &format!("boot: disk: {why}"));
    let outside = Outside::of(&machine);
    outside.fails("logs web --boot -1", 1, &format!("the disk is not there: {why}"));
    assert_eq!(numbered(&outside.ok("logs web")), 10);
    assert_eq!(outside.ok("logs web --boot 0"), outside.ok("logs web"));
    machine.power_off();

    let config = config.replace("LABEL=orlop", "/dev/vda");
    let machine = with_disk(&config, blank).boot();
    machine.wait("web", "running");
    machine.logged("@orlop", "disk: /dev/vda: there is no ext4 on it");
    machine.power_off();
}
