//! A disk that is pulled out, never answers, is full or damaged takes with it what it would have kept, and nothing else: containers run on,
//! it is said, the machine ends in time, and what was safe is there when the disk is.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::disk::{DISK, formatted, is_there, this_boot, until_written, with_disk};
use crate::common::outside::Outside;
use crate::common::{Booted, container};

/// What a machine is given for its end, and what its emulation may add.
const END: &str = "poweroff_timeout = \"40s\"\n";
const AT_MOST: Duration = Duration::from_secs(70);

fn config() -> String {
    DISK.replace("[host]\n", &format!("[host]\n{END}"))
        + &container("web", "each write 160 splendid , sleep", "")
        + &container("mark", "each write 16 mark , sleep", "")
}

/// A line of each of its starts.
fn mark(machine: &Booted) {
    machine.ok("Restart", json!({ "name": "mark" }));
}

fn marks(machine: &Booted, count: usize) {
    logged(machine, "mark", "0000000000 mark\n", count);
}

/// It does so in time, whatever the disk does.
fn ends_in_time(machine: &Booted) {
    let begun = Instant::now();
    machine.power_off();
    assert!(begun.elapsed() < AT_MOST, "{:?}\n{}", begun.elapsed(), machine.console());
}

#[test]
fn a_disk_that_is_pulled_out_is_said_and_has_what_was_safe_when_it_is_back() {
    let machine = with_disk(&config(), formatted).built();
    let first = machine.boot();
    is_there(&first);
    let outside = Outside::of(&first);
    let id = this_boot(&outside);
    until_written(&outside, &id, "web", "sleeping\n", 1);
    until_written(&outside, &id, "mark", "sleeping\n", 1);
    let web = first.identity("web");
    first.machine.pull_disk().unwrap();
    mark(&first);
    first.logged("@orlop", "disk: /var/lib/orlop: logs cannot be written: ");
    marks(&first, 2);
    // Who reads it is told something, and does not wait for ever.
    let (_, out, err) = outside.run("logs web --boot -1");
    assert!(!out.is_empty() || !err.is_empty());
    assert_eq!(first.identity("web"), web);
    drop(outside);
    ends_in_time(&first);

    let second = machine.boot();
    is_there(&second);
    let outside = Outside::of(&second);
    assert!(outside.run(&format!("logs web --boot {id}")).1.contains("0000000000 splendid\n"));
    second.power_off();
}

#[test]
fn a_disk_that_never_answers_holds_up_nobody_and_gets_all_of_it_once_it_does() {
    let machine = with_disk(&config(), formatted).built();
    let first = machine.boot();
    is_there(&first);
    let outside = Outside::of(&first);
    let id = this_boot(&outside);
    until_written(&outside, &id, "mark", "sleeping\n", 1);
    let web = first.identity("web");
    first.machine.stall_disk().unwrap();
    for count in 2..4 {
        mark(&first);
        marks(&first, count);
    }
    assert_eq!(first.identity("web"), web);
    first.machine.resume_disk().unwrap();
    until_written(&outside, &id, "mark", "0000000000 mark\n", 3);

    first.machine.stall_disk().unwrap();
    mark(&first);
    marks(&first, 4);
    drop(outside);
    ends_in_time(&first);
    let console = first.console();
    assert!(console.contains("disk: no answer; its newest logs may be lost"), "{console}");

    let second = machine.boot();
    is_there(&second);
    let outside = Outside::of(&second);
    // What came just before it stopped answering was not safe yet.
    let kept = outside.run(&format!("logs mark --boot {id}")).1;
    assert!(kept.contains("0000000000 mark\n"), "{kept}");
    second.power_off();
}

#[test]
fn a_disk_that_is_only_slow_is_waited_for() {
    const LONG: Duration = Duration::from_secs(25);
    // A single read of it takes a second or two, a small share of what a disk that does not answer is given.
    let flood = container("flood", "noise 4000000", "restart = \"no\"\nlog = { memory = \"6M\" }");
    let config = DISK.to_owned() + "logs = \"16M\"\n[host.log]\nmemory = \"12M\"\n" + &flood;
    let machine = with_disk(&config, formatted).built();
    let first = machine.boot();
    is_there(&first);
    first.wait("flood", "exited");
    first.power_off();

    let second = machine.boot();
    is_there(&second);
    let outside = Outside::of(&second);
    let boots = outside.json("logs --boots --json");
    let bytes = boots["boots"][1]["bytes"].as_u64().unwrap();
    assert!(bytes > 2 << 20, "{bytes}: so little is read at once");
    let rate = bytes / (LONG.as_secs() * 3 / 2);
    second.machine.slow_disk(rate).unwrap();
    let begun = Instant::now();
    // All of it is read, and there is nothing to tell.
    assert_eq!(outside.ok("logs flood --boot -1 --since boot+9h"), "");
    assert!(begun.elapsed() > LONG, "{:?}: that was no slow disk", begun.elapsed());
    second.machine.resume_disk().unwrap();
    assert_eq!(outside.ok("logs flood --boot -1 -n 1").lines().count(), 1);
    second.power_off();
}

#[test]
fn a_full_disk_is_said_also_by_the_next_keeper() {
    let full = |path: &Path| {
        formatted(path);
        // All but so much: enough for what it has to make, and not for the logs.
        const LEFT: u64 = 600 << 10;
        /// Of its blocks, that ext4 gives to nobody.
        const KEPT: u32 = 50;
        let superblock = std::fs::read(path).unwrap()[1024..2048].to_vec();
        let word = |at: usize| u32::from_le_bytes(superblock[at..at + 4].try_into().unwrap());
        let free = u64::from(word(12) - word(4) / KEPT) * (1024u64 << word(24));
        let filler = path.with_file_name("filler");
        std::fs::write(&filler, vec![b'x'; (free - LEFT) as usize]).unwrap();
        let write = format!("write {} filler", filler.display());
        let done = Command::new("/usr/sbin/debugfs").args(["-w", "-R", &write]).arg(path).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    let flood = container("flood", "write 8000000 much", "restart = \"no\"\nlog = { memory = \"16M\" }");
    let config = config().replace("[host]\n", "[host.log]\nmemory = \"32M\"\n[host]\n") + &flood;
    let machine = with_disk(&config, full).boot();
    let said = "disk: /var/lib/orlop: logs cannot be written: No space left on device";
    let there = "disk: LABEL=orlop is at /var/lib/orlop";
    machine.logged("@orlop", said);
    machine.wait("web", "running");
    machine.crash("keep", "SIGKILL");
    // It has found its disk, and then what is wrong with it.
    let own = logged(&machine, "@orlop", said, 2);
    // Each of its lines is a message, with its priority before it.
    let begins: Vec<_> = own.split('<').filter(|line| line.contains(there) || line.contains(said)).collect();
    let is = |line: &str, text: &str| line.contains(text);
    assert_eq!(begins.len(), 4, "{own}");
    assert!(is(begins[0], there) && is(begins[1], said), "{own}");
    assert!(is(begins[2], there) && is(begins[3], said), "{own}");
    ends_in_time(&machine);
}

/// A log, once this stands in it so often.
#[track_caller]
fn logged(machine: &Booted, name: &str, wanted: &str, count: usize) -> String {
    let mut text = String::new();
    let parameters = json!({ "names": [name], "lines": null, "follow": true });
    let taken = machine.machine.stream("Logs", parameters, |answer| {
        for entry in answer["entries"].as_array().into_iter().flatten() {
            text.push_str(entry["text"].as_str().unwrap_or_default());
        }
        text.matches(wanted).count() < count
    });
    taken.unwrap_or_else(|error| panic!("{error}: {text}"));
    text
}

/// Where this stands on the disk.
fn place(disk: &[u8], text: &[u8]) -> usize {
    disk.windows(text.len()).position(|it| it == text).unwrap()
}

#[test]
fn what_is_damaged_on_a_disk_takes_nothing_else_away() {
    let config = config().replace("60s", "20s");
    let world = with_disk(&config, formatted);
    let disk = world.config().join("../disk");
    let machine = world.built();
    let first = machine.boot();
    is_there(&first);
    first.logged("web", "sleeping\n");
    first.logged("mark", "sleeping\n");
    first.power_off();

    // A frame of one log.
    let mut bytes = std::fs::read(&disk).unwrap();
    let text = place(&bytes, b"splendid");
    bytes[text] ^= 1;
    std::fs::write(&disk, &bytes).unwrap();
    let second = machine.boot();
    is_there(&second);
    let outside = Outside::of(&second);
    let (_, out, err) = outside.run("logs web --boot -1");
    assert!(!out.contains("splendid") && err.contains("make no sense"), "{out}{err}");
    assert!(outside.ok("logs mark --boot -1").contains("0000000000 mark\n"));
    second.wait("web", "running");
    drop(outside);
    second.power_off();

    // What the file system says of itself: its name is still there.
    const INODE_SIZE: usize = 1024 + 88;
    let mut bytes = std::fs::read(&disk).unwrap();
    let before = bytes[INODE_SIZE];
    bytes[INODE_SIZE] = 0x77;
    std::fs::write(&disk, &bytes).unwrap();
    let third = machine.boot();
    third.wait("web", "running");
    third.logged("@orlop", "disk: /dev/vda: ");
    Outside::of(&third).fails("logs web --boot -1", 1, "the disk is not there: /dev/vda: ");
    third.power_off();
    assert!(std::fs::read(&disk).unwrap() == bytes, "nobody has written on it");

    bytes[INODE_SIZE] = before;
    std::fs::write(&disk, &bytes).unwrap();
    let fourth = machine.boot();
    is_there(&fourth);
    assert!(Outside::of(&fourth).ok("logs mark --boot -2").contains("0000000000 mark\n"));
    fourth.power_off();
}
