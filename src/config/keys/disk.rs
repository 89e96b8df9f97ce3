//! `[host.disk]`.

use super::super::diagnostic::Mistake;
use super::super::machine::Disk;
use super::super::shape::{Key, Keys, Problem, Shape, Text, refused};
use super::super::tree::Map;
use super::super::value::disk;
use super::kinds::{size_from, time_from};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::time::Duration;

/// Each log has a file or two; below, hardly anything of a boot is kept.
const LEAST_LOGS: u64 = 1 << 20;
const SHORTEST_TIMEOUT: Duration = Duration::from_secs(1);
/// Above it, people take the machine for dead.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);

static DEVICE: Text = Text {
    what: "a disk like \"LABEL=orlop\", \"UUID=…\" or \"/dev/vda\"",
    pattern: disk::PATTERN,
    check: |text| disk::name(text).map(drop),
};

static KIND: Text = Text { what: "a type of file system", pattern: "^[a-z0-9_]{1,16}$", check: disk::kind };

pub(crate) static DISK: Keys<Disk> = Keys {
    what: "[host.disk]",
    keys: &[
        Key::new(
            "device",
            Shape::Text(&DEVICE),
            "device = \"LABEL=orlop\"",
            "Which disk, or part of one: by the label or the UUID of its file system (ext2, ext3 and ext4 have them), \
             or a device as it is. Nothing is ever formatted.",
            |node, disk: &mut Disk| disk.device = node.read(disk::name).unwrap_or_else(|| disk.device.clone()),
        )
        .required(),
        Key::new(
            "type",
            Shape::Text(&KIND),
            "type = \"ext4\"",
            "The type of its file system, as the kernel calls it.",
            |node, disk: &mut Disk| disk.kind = node.text().unwrap_or_default().to_string(),
        )
        .default("\"ext4\""),
        Key::new(
            "logs",
            size_from(LEAST_LOGS),
            "logs = \"1G\"",
            "What all logs on it take together; never more than three quarters of the file system. The oldest go first.",
            |node, disk: &mut Disk| disk.logs = node.bytes().unwrap_or(disk.logs),
        )
        .default("\"256M\""),
        Key::new(
            "timeout",
            time_from(SHORTEST_TIMEOUT, LONGEST_TIMEOUT),
            "timeout = \"10s\"",
            "How long a boot waits for it. Without it the containers start all the same, and it is used once it is there.",
            |node, disk: &mut Disk| disk.timeout = node.time().unwrap_or(disk.timeout),
        )
        .default("\"10s\""),
    ],
    refused: &[
        refused("path", "it is mounted at /var/lib/orlop"),
        refused("options", "it is mounted without set-user-id, devices and programs, and without times of access"),
        refused("format", "nothing is ever formatted: `mkfs.ext4 -L orlop DEVICE` once, elsewhere"),
        refused("size", "write logs = \"1G\" for what all logs take"),
    ],
    rules: &[found_by_what_it_has],
};

fn found_by_what_it_has(disk: &Map, problems: &mut Vec<Problem>) {
    let (Some(device), Some(kind)) = (disk.text("device"), disk.text("type")) else { return };
    if !device.starts_with("/dev/") && !disk::has_label(kind) {
        let message = format!("a file system of type {kind} is not found by a label or UUID");
        let help = "those of ext2, ext3 and ext4 are; for others write a device like \"/dev/vda\"";
        problems.push(Problem::error("device", Mistake::new(message).help(help)));
    }
}
