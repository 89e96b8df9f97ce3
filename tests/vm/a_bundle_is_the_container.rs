//! A container and `orlop oci run` of the bundle that the machine makes of it are the same, seen from inside.

use serde_json::json;

use crate::common::{container, section, world};

const LOOKS: &str = "each ids , ns , mounts , limits , args , env , where , fds , keyring , signals , \
    system-calls , stat /data , stat /tmp , ls /dev , cat /proc/sys/kernel/hostname , cat /proc/sys/net/core/somaxconn , \
    cat /proc/self/oom_score_adj , cat /proc/self/cgroup , cat /sys/fs/cgroup/memory.max , \
    cat /sys/fs/cgroup/memory.high , cat /sys/fs/cgroup/memory.swap.max , cat /sys/fs/cgroup/memory.oom.group , \
    cat /sys/fs/cgroup/pids.max , cat /sys/fs/cgroup/cpu.max , \
    open w /dev/null , open w /dev/full , open r /proc/kcore , write-file /proc/sys/kernel/hostname x , \
    write-file /note x , write-file /data/note x , write-file /etc/note x";

const KEYS: &str = "restart = \"no\"
user = \"web:adm\"
cap_add = [\"SYS_NICE\"]
cap_drop = [\"CHOWN\"]
hostname = \"twin\"
working_dir = \"/data\"
environment = { FLAVOUR = \"sour\" }
sysctls = { \"net.core.somaxconn\" = 77 }
ulimits = { nofile = { soft = 100, hard = 200 }, core = 0 }
tmpfs = [\"/tmp:size=1M,mode=1777\"]
volumes = [\"data:/data\", \"/etc:/mnt/etc:ro\"]
limits = { memory = \"48M\", memory_high = \"32M\", swap = \"0\", pids = 30, cpus = 0.8 }";

/// A line of /proc/PID/mountinfo without what is numbered as it comes.
fn mount(line: &str) -> String {
    let (of_mount, of_system) = line.split_once(" - ").unwrap();
    let words: Vec<&str> = of_mount.split(' ').skip(3).collect();
    let kinds = words.iter().skip(3).map(|word| word.split(':').next().unwrap_or_default());
    format!("{} {} - {of_system}", words[..3].join(" "), kinds.collect::<Vec<_>>().join(" "))
}

fn all_look(more: &str) -> Vec<String> {
    let (_, looks) = LOOKS.split_once(' ').unwrap();
    assert_eq!(more.matches("== ").count(), looks.split(" , ").count() + 1, "{more}");
    looks.split(" , ").map(str::to_owned).collect()
}

#[test]
fn a_bundle_is_the_container() {
    let config = [
        container("web", LOOKS, KEYS),
        container(
            "reader",
            "each until-file /b/ran , cat /b/later , cat /b/out",
            "restart = \"no\"\nuserns = \"host\"\nvolumes = [\"/run/b:/b:ro\"]",
        ),
        // Not started before its bundle is.
        container(
            "later",
            "each stat /data , write-file /data/note x , cat /data/note",
            "user = \"web\"\ndepends_on = [\"reader\"]\nvolumes = [\"fresh:/data\"]",
        ),
        "[volume.data]\n[volume.fresh]\n".to_owned(),
    ];
    let errands = [
        "wait /proc/1/root/run/b/config.json".to_owned(),
        "join /proc/1/ns/mnt".to_owned(),
        "run /run/b/out /init oci --root /run/oci run --bundle /run/b twin".to_owned(),
        "wait /run/c/config.json".to_owned(),
        "run /run/b/later /init oci --root /run/oci run --bundle /run/c later".to_owned(),
        "run /run/b/ran /init oci --root /run/oci list --format json".to_owned(),
    ];
    let world = world(&config.concat()).witness(&errands);
    let data = world.config().join("payload/data");
    std::os::unix::fs::chown(data, Some(101), Some(102)).unwrap();
    let machine = world.boot();
    let ours = machine.logged("web", "== end");
    machine.wait("web", "exited");
    machine.wait("reader", "failed");
    let told = machine.ok("Spec", json!({ "name": "web", "bundle": "/run/b" }));
    machine.ok("Spec", json!({ "name": "later", "bundle": "/run/c" }));
    let ran = machine.witnessed();
    assert!(ran[2].ends_with("exit status: 0"), "{ran:?}");
    assert!(ran[4].ends_with("exit status: 0"), "{ran:?}");
    machine.ok("Start", json!({ "name": "reader" }));
    let log = machine.logged("reader", "== end\n== end");
    let (_, theirs) = log.split_once("== cat /b/out\n").unwrap();
    // A volume of its own belongs to whom the image says.
    assert_eq!(section(&log, "stat /data"), "/data 755 101 102\n");
    assert_eq!(section(&log, "cat /data/note"), "x");
    for look in all_look(&ours) {
        let [our, their] = [&ours, theirs].map(|log| section(log, &look));
        match look.as_str() {
            "mounts" => {
                let [our, their] = [our, their].map(|text| text.lines().map(mount).collect::<Vec<_>>());
                assert_eq!(our, their, "mounts");
                assert!(our.len() > 20, "{our:?}");
            }
            // All eight are of its own.
            "ns" => {
                let [our, their] = [our, their].map(|text| text.lines().collect::<Vec<_>>());
                assert_eq!(our.len(), their.len());
                for (our, their) in our.iter().zip(their) {
                    assert!(!our.contains(":[40265318"), "{our} is the machine's");
                    assert!(!their.contains(":[40265318"), "{their} is the machine's");
                }
            }
            // Where they lead is whose the runtime is.
            "fds" => assert_eq!([our, their].map(|text| text.lines().count()), [3, 3], "{our}{their}"),
            _ => assert_eq!(our, their, "{look}"),
        }
    }
    // What was compared is something.
    assert_eq!(section(&ours, "cat /sys/fs/cgroup/memory.max"), "50331648\n");
    assert_eq!(section(&ours, "cat /proc/sys/net/core/somaxconn"), "77\n");
    assert_eq!(section(&ours, "cat /proc/self/cgroup"), "0::/\n");
    let verdicts = section(&ours, "system-calls");
    assert!(verdicts.contains("EPERM: ") && verdicts.contains("ENOSYS: "), "{verdicts}");
    assert_eq!(told["spec"]["hostname"], "twin");
    machine.power_off();
}
