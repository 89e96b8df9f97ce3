//! Root of a container is nobody on the machine: what it tries there fails, and it sees only itself.

use crate::common::{container, section, value, world};

/// To root without capabilities beyond the default ones.
const REFUSED_BY_DEFAULT: [(&str, &str); 4] =
    [("sethostname", "EPERM"), ("mount", "EPERM"), ("umount", "EPERM"), ("chroot", "EPERM")];

/// Everything but `chroot` of its own root and capabilities that it has over itself.
const REFUSED: [(&str, &str); 20] = [
    ("read /machine/config/test.toml", "EACCES"),
    ("open for writing /machine/config/test.toml", "EACCES"),
    ("clock_settime", "EPERM"),
    ("settimeofday", "EPERM"),
    ("init_module", "EPERM"),
    ("finit_module", "EPERM"),
    ("syslog", "EPERM"),
    ("reboot", "EPERM"),
    ("swapoff", "EPERM"),
    ("kexec_load", "EPERM"),
    ("acct", "EPERM"),
    ("bpf", "EPERM"),
    ("iopl", "EPERM"),
    ("open for writing /proc/sysrq-trigger", "EACCES"),
    ("open for writing /proc/sys/kernel/core_pattern", "EACCES"),
    ("open for writing /sys/power/state", "EACCES"),
    ("open for writing /dev/kmsg", "ENOENT"),
    ("mknod", "EPERM"),
    ("nice -20", "EACCES"),
    ("setuid 70000", "EINVAL"),
];

#[test]
fn root_of_a_container_is_nobody_on_the_machine() {
    let tasks = "each stat /machine/config/test.toml , procs , ids , try-host /machine/config/test.toml";
    let all = "volumes = [\"/orlop:/machine\"]\ncap_add = [\"ALL\"]\nseccomp = \"unconfined\"";
    // Without the filter, that the rest must hold alone.
    let plain = container("plain", tasks, "volumes = [\"/orlop:/machine\"]\nseccomp = \"unconfined\"");
    let machine = world(&(plain + &container("every-capability", tasks, all))).boot();
    let mut ranges = Vec::new();
    for name in ["plain", "every-capability"] {
        let log = machine.logged(name, "== end");
        let owner = section(&log, "stat /machine/config/test.toml");
        assert_eq!(owner, "/machine/config/test.toml 600 65534 65534\n", "{name}");
        let tried = section(&log, "try-host /machine/config/test.toml");
        for (what, errno) in REFUSED {
            // A capability may get further, to the next refusal; never to success.
            let found = value(tried, what);
            assert!(found == errno || (name != "plain" && found != "ok"), "{name}: {what} {found}\n{tried}");
        }
        assert_eq!(section(&log, "procs"), "1 payload\n", "{name}");
        let ids = section(&log, "ids");
        let first: u32 = value(ids, "uid_map 0").split(' ').next().unwrap().parse().unwrap();
        assert!(first >= 1 << 20, "{name}: ids begin at {first}");
        assert_eq!(value(ids, "uid_map 0"), format!("{first} 65536"));
        assert_eq!(value(ids, "gid_map 0"), format!("{first} 65536"));
        ranges.push(first);
    }
    assert!(ranges[0].abs_diff(ranges[1]) >= 65536, "they share ids: {ranges:?}");
    let plain = machine.logs("plain");
    let tried = section(&plain, "try-host /machine/config/test.toml");
    for (what, errno) in REFUSED_BY_DEFAULT {
        assert_eq!(value(tried, what), errno, "{what}\n{tried}");
    }
    machine.power_off();
}
