//! A disk for a machine: an empty file system that outlives it.

use std::path::Path;
use std::process::Command;

use super::outside::Outside;
use super::{Booted, World, world};

/// A configuration's beginning.
pub(crate) const DISK: &str =
    "[host]\nfault_injection = true\n[host.disk]\ndevice = \"LABEL=orlop\"\ntimeout = \"60s\"\n";

/// A raw image with a file system of this label.
pub(crate) fn formatted(path: &Path) {
    std::fs::File::create(path).unwrap().set_len(48 << 20).unwrap();
    let made = Command::new("/usr/sbin/mkfs.ext4").args(["-q", "-m", "0", "-L", "orlop"]).arg(path).output();
    let made = made.unwrap_or_else(|error| panic!("mkfs.ext4, of e2fsprogs: {error}"));
    assert!(made.status.success(), "{made:?}");
}

pub(crate) fn with_disk(config: &str, make: impl FnOnce(&Path)) -> World {
    let world = world(config);
    let disk = world.config().join("../disk");
    make(&disk);
    world.options(|options| options.disk = Some(disk))
}

/// What the machine itself says once the disk is there.
pub(crate) fn is_there(machine: &Booted) {
    machine.logged("@orlop", "disk: LABEL=orlop is at /var/lib/orlop");
}

/// Asks what the disk has of this boot until that text is there so often.
pub(crate) fn until_written(outside: &Outside<'_>, id: &str, name: &str, text: &str, count: usize) {
    const SOON: std::time::Duration = std::time::Duration::from_secs(120);
    let begun = std::time::Instant::now();
    loop {
        let (_, out, err) = outside.run(&format!("logs {name} --boot {id}"));
        if out.matches(text).count() >= count {
            return;
        }
        assert!(begun.elapsed() < SOON, "{name}: {err}");
    }
}

/// The id of this boot, once the disk has it.
pub(crate) fn this_boot(outside: &Outside<'_>) -> String {
    let boots = outside.json("logs --boots --json");
    assert_eq!(boots["boots"][0]["before"], serde_json::json!(0), "{boots}");
    boots["boots"][0]["id"].as_str().unwrap().to_owned()
}
