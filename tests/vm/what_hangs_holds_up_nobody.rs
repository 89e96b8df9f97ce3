//! A file system that never answers again costs the end of the machine its time, and no other file system its data.

use std::os::unix::fs::FileExt;
use std::process::Command;

use orlop_vm::End;
use serde_json::json;

use crate::common::{container, world};

const ERRANDS: [&str; 7] = [
    "wait /proc/1/root/sys/block/vda/size",
    "join /proc/1/ns/mnt",
    // Whoever writes one after the other comes to the silent one first.
    "spawn /witness silent-files /run/silent",
    "wait /run/silent-now",
    "mount-disk ext4 /dev/vda /run/disk",
    "mkdir /run/disk/folder",
    "run /run/disk/file /witness partial kept",
];

#[test]
fn what_hangs_holds_up_nobody() {
    let world = world(&container("web", "sleep", "")).witness(&ERRANDS.map(str::to_owned));
    let disk = world.config().join("../disk");
    std::fs::File::create(&disk).unwrap().set_len(8 << 20).unwrap();
    let made = Command::new("mke2fs").args(["-q", "-t", "ext4"]).arg(&disk).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let machine = world.options(|options| options.disk = Some(disk.clone())).boot();
    for answer in machine.witnessed() {
        assert!(answer.ends_with(": ok") || answer.ends_with(": exit status: 0"), "{answer}");
    }
    machine.wait("web", "running");
    machine.ok("Power", json!({ "action": "poweroff" }));
    assert_eq!(machine.wait_for_end().unwrap(), End::PoweredOff);

    // Unmounted: the journal is empty, and the file system is whole.
    let disk = std::fs::File::open(&disk).unwrap();
    let at = |place: u64| {
        let mut two = [0; 2];
        disk.read_exact_at(&mut two, 1024 + place).unwrap();
        u16::from_le_bytes(two)
    };
    const STATE: u64 = 0x3A;
    const INCOMPATIBLE: u64 = 0x60;
    const RECOVER: u16 = 4;
    assert_eq!((at(STATE), at(INCOMPATIBLE) & RECOVER), (1, 0), "the disk was not unmounted");

    let console = machine.console();
    for at in ["/run/silent", "/run/silent/folder"] {
        let line = format!("does not answer at the end of the machine: \"{at}\"");
        assert!(console.contains(&line), "no `{line}`");
    }
    assert!(!console.contains("machine: \"/run/disk\""));
}
