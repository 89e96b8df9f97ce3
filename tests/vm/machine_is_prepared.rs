//! What PID 1 and the supervisor prepare before any container: mounts with the right flags, /dev,
//! cgroups with every controller, the modules that were asked for.

use std::collections::BTreeMap;

use crate::common::{container, section, world};

/// Mount point → file system, attributes of the mount, options of the file system; some of each.
const MOUNTS: [(&str, &str, &str, &str); 10] = [
    ("/", "rootfs", "ro", ""),
    ("/proc", "proc", "nosuid,nodev,noexec", ""),
    ("/sys", "sysfs", "nosuid,nodev,noexec", ""),
    ("/dev", "devtmpfs", "nosuid,noexec", "mode=755"),
    ("/dev/pts", "devpts", "nosuid,noexec", "gid=5,mode=620,ptmxmode=666"),
    ("/dev/shm", "tmpfs", "nosuid,nodev", ""),
    ("/dev/mqueue", "mqueue", "nosuid,nodev,noexec", ""),
    ("/run", "tmpfs", "nosuid,nodev,noexec", "mode=755,size=65536k"),
    ("/tmp", "tmpfs", "nosuid,nodev", "size=65536k"),
    ("/sys/fs/cgroup", "cgroup2", "nosuid,nodev,noexec", "nsdelegate,memory_recursiveprot"),
];

/// What limits are made of.
const CONTROLLERS: [&str; 5] = ["cpuset", "cpu", "io", "memory", "pids"];

#[test]
fn machine_is_prepared() {
    let volumes = "volumes = [\"/proc:/machine/proc:ro\", \"/sys/fs/cgroup:/machine/cgroup:ro\", \
                   \"/dev:/machine/dev:ro\"]";
    let looks = "each cat /machine/proc/1/mountinfo , ls /machine/dev , stat /machine/dev/shm , \
                 cat /machine/cgroup/cgroup.subtree_control , cat /machine/cgroup/orlop/cgroup.subtree_control , \
                 cat /machine/cgroup/containers/cgroup.subtree_control , cat /machine/cgroup/orlop/cpu.weight , ls /machine/cgroup , cat /proc/modules";
    let config = String::from("[host]\nmodules = [\"dummy\"]\n") + &container("look", looks, volumes);
    // Without a disk there is no place for one, and the root is closed before the configuration is acted on.
    let errands = ["wait /proc/1/root/run/orlop/boot.json", "gone /proc/1/root/var"].map(str::to_owned);
    let machine = world(&config).witness(&errands).boot();
    assert_eq!(machine.witnessed(), errands.map(|errand| errand + ": ok"));
    let log = machine.logged("look", "== end");
    let mounts = mounts(&log);
    for (at, kind, attributes, options) in MOUNTS {
        let Some(found) = mounts.get(at) else { panic!("{at} is not there: {mounts:#?}") };
        assert_eq!(found[1], kind, "{at}");
        for (has, wanted) in [(found[0], attributes), (found[2], options)] {
            let missing =
                wanted.split(',').find(|word| !word.is_empty() && !has.split(',').any(|it| it == *word));
            assert_eq!(missing, None, "{at}: {has}");
        }
    }
    assert_eq!(section(&log, "stat /machine/dev/shm"), "/machine/dev/shm 755 65534 65534\n");
    let devices: Vec<&str> = section(&log, "ls /machine/dev").lines().collect();
    for device in ["console", "fd", "kmsg", "null", "ptmx", "pts", "stderr", "stdin", "stdout", "ttyS0"] {
        assert!(devices.contains(&device), "{device} is not in {devices:?}");
    }
    assert_eq!(section(&log, "cat /machine/cgroup/orlop/cpu.weight"), "1000\n");
    for cgroup in ["", "orlop/", "containers/"] {
        let enabled = section(&log, &format!("cat /machine/cgroup/{cgroup}cgroup.subtree_control"));
        for controller in CONTROLLERS {
            assert!(enabled.split_whitespace().any(|it| it == controller), "{controller} below /{cgroup}");
        }
    }
    let modules = section(&log, "cat /proc/modules");
    assert!(modules.lines().any(|line| line.starts_with("dummy ")), "{modules}");
    machine.power_off();
}

/// proc_pid_mountinfo(5): attributes, file system and options of each.
fn mounts(log: &str) -> BTreeMap<&str, [&str; 3]> {
    section(log, "cat /machine/proc/1/mountinfo")
        .lines()
        .map(|line| {
            let (head, tail) = line.split_once(" - ").unwrap();
            let (head, tail): (Vec<&str>, Vec<&str>) = (head.split(' ').collect(), tail.split(' ').collect());
            (head[4], [head[5], tail[0], tail[2]])
        })
        .collect()
}
