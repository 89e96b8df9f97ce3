//! What a container finds in its file system: its root, /proc /sys /dev of its own, nothing else.

use std::collections::BTreeMap;

use crate::common::{container, section, world};

/// Mount point → file system and attributes that must be there.
const MOUNTS: [(&str, &str, &str); 17] = [
    ("/", "overlay", "nodev"),
    ("/proc", "proc", BARE),
    ("/proc/bus", "proc", SEALED),
    ("/proc/fs", "proc", SEALED),
    ("/proc/irq", "proc", SEALED),
    ("/proc/sys", "proc", SEALED),
    ("/proc/sysrq-trigger", "proc", SEALED),
    ("/sys", "sysfs", SEALED),
    ("/sys/fs/cgroup", "cgroup2", SEALED),
    ("/sys/firmware", "tmpfs", "ro"),
    // Devices are what it is for.
    ("/dev", "tmpfs", "ro,nosuid,noexec"),
    ("/dev/pts", "devpts", "nosuid,noexec"),
    ("/dev/shm", "tmpfs", BARE),
    ("/dev/mqueue", "mqueue", BARE),
    ("/etc/hosts", "tmpfs", SEALED),
    ("/etc/hostname", "tmpfs", SEALED),
    ("/etc/resolv.conf", "tmpfs", SEALED),
];

const BARE: &str = "nosuid,nodev,noexec";
const SEALED: &str = "ro,nosuid,nodev,noexec";

const MASKED: [&str; 8] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/scsi",
    "/proc/timer_list",
];

#[test]
fn sees_its_own_file_systems() {
    let looks = "each mounts , ls / , ls /dev , cat /proc/interrupts , cat /proc/keys , ls /sys/firmware , \
                 write-file /proc/sys/kernel/domainname x , write-file /sys/kernel/uevent_seqnum x , \
                 write-file /new x , write-file /scratch/new x , write-file /dev/new x , stat /data";
    let more = "read_only = true\nshm_size = \"3M\"\ntmpfs = [\"/scratch:size=2M,mode=700\", \"/run\"]";
    let config =
        container("plain", looks, "") + &container("sealed", &format!("{looks} , stat /scratch"), more);
    let world = world(&config);
    std::os::unix::fs::chown(world.config().join("payload/data"), Some(101), Some(102)).unwrap();
    let machine = world.boot();
    let (plain, sealed) = (machine.logged("plain", "== end"), machine.logged("sealed", "== end"));
    for log in [&plain, &sealed] {
        let mounts = mounts(log);
        for (at, kind, attributes) in MOUNTS {
            let Some(found) = mounts.get(at) else { panic!("{at} is not there: {mounts:#?}") };
            assert_eq!(found.kind, kind, "{at}");
            for attribute in attributes.split(',') {
                assert!(has(found.attributes, attribute), "{at}: {}", found.attributes);
            }
        }
        let known = |at: &str| {
            MOUNTS.iter().any(|(known, ..)| *known == at)
                || MASKED.contains(&at)
                || ["/scratch", "/run", "/tmp", "/sys/devices/virtual/powercap"].contains(&at)
        };
        let others: Vec<&&str> = mounts.keys().filter(|at| !known(at)).collect();
        assert!(others.is_empty(), "{others:?}");
        assert_eq!(section(log, "cat /proc/interrupts"), "");
        assert_eq!(section(log, "cat /proc/keys"), "");
        assert_eq!(section(log, "ls /sys/firmware"), "");
        for path in ["/proc/sys/kernel/domainname", "/sys/kernel/uevent_seqnum", "/dev/new"] {
            let tried = section(log, &format!("write-file {path} x"));
            assert_eq!(tried, format!("write {path}: EROFS\n"));
        }
        // Owners are those of the image, in the container's own ids.
        assert_eq!(section(log, "stat /data"), "/data 755 101 102\n");
        let devices =
            "console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero";
        let found: Vec<&str> = section(log, "ls /dev").lines().collect();
        for device in &found {
            assert!(devices.split(' ').any(|known| known == *device), "/dev/{device}");
        }
        for device in ["null", "zero", "full", "random", "urandom", "tty", "ptmx", "fd", "stdout"] {
            assert!(found.contains(&device), "{device} in {found:?}");
        }
    }
    assert_eq!(section(&plain, "write-file /new x"), "");
    assert_eq!(section(&sealed, "write-file /new x"), "write /new: EROFS\n");
    assert_eq!(section(&sealed, "write-file /scratch/new x"), "");
    assert_eq!(section(&sealed, "stat /scratch"), "/scratch 700 0 0\n");
    let (plain, sealed) = (mounts(&plain), mounts(&sealed));
    assert!(has(plain["/"].attributes, "rw") && has(sealed["/"].attributes, "ro"));
    assert!(has(plain["/dev/shm"].options, "size=65536k"), "{}", plain["/dev/shm"].options);
    assert!(has(sealed["/dev/shm"].options, "size=3072k"), "{}", sealed["/dev/shm"].options);
    for attribute in BARE.split(',') {
        assert!(has(sealed["/scratch"].attributes, attribute), "{}", sealed["/scratch"].attributes);
    }
    assert!(has(sealed["/scratch"].options, "size=2048k"), "{}", sealed["/scratch"].options);
    machine.power_off();
}

#[derive(Debug)]
struct Mount<'a> {
    attributes: &'a str,
    kind: &'a str,
    options: &'a str,
}

fn has(options: &str, wanted: &str) -> bool {
    options.split(',').any(|option| option == wanted)
}

/// proc_pid_mountinfo(5); what is mounted last is what is seen.
fn mounts(log: &str) -> BTreeMap<&str, Mount<'_>> {
    section(log, "mounts")
        .lines()
        .map(|line| {
            let (head, tail) = line.split_once(" - ").unwrap();
            let (head, tail): (Vec<&str>, Vec<&str>) = (head.split(' ').collect(), tail.split(' ').collect());
            (head[4], Mount { attributes: head[5], kind: tail[0], options: tail[2] })
        })
        .collect()
}
