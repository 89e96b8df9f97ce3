//! All eight namespaces of a container are its own; the network only is the machine's when asked for.

use std::collections::BTreeMap;

use crate::common::{container, section, world};

/// The machine's own, linux/proc_ns.h: the same on every boot. PID 1 is in these.
const MACHINES: [(&str, &str); 6] = [
    ("cgroup", "cgroup:[4026531835]"),
    ("ipc", "ipc:[4026531839]"),
    ("pid", "pid:[4026531836]"),
    ("time", "time:[4026531834]"),
    ("user", "user:[4026531837]"),
    ("uts", "uts:[4026531838]"),
];

#[test]
fn has_namespaces_of_its_own() {
    let host = "network_mode = \"host\"";
    let config = container("one", "each ns , ls /sys/class/net", "")
        + &container("two", "each ns , ls /sys/class/net", "")
        + &container("host", "each ns , ls /sys/class/net", host)
        + &container("other-host", "each ns , ls /sys/class/net", host);
    let machine = world(&config).boot();
    let [one, two, host, other] =
        ["one", "two", "host", "other-host"].map(|name| machine.logged(name, "== end"));
    let [one, two, host, other] = [&one, &two, &host, &other].map(|log| namespaces(log));
    assert_eq!(one.len(), 10, "{one:?}");
    for (kind, inode) in &one {
        assert_ne!(Some(inode), two.get(kind), "{kind} is shared");
        assert_ne!(Some(inode), host.get(kind), "{kind} is the machine's");
        assert_eq!(host.get(kind) == other.get(kind), *kind == "net", "{kind} with network_mode = host");
    }
    for (kind, inode) in MACHINES {
        for found in [&one, &two, &host, &other] {
            assert_ne!(found.get(kind), Some(&inode), "{found:?}");
        }
    }
    machine.power_off();
}

fn namespaces(log: &str) -> BTreeMap<&str, &str> {
    section(log, "ns").lines().map(|line| line.split_once(' ').unwrap()).collect()
}
