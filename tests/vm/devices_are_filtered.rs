//! No device outside of a container's list can be opened or made in its cgroup, by nobody: not by
//! root of the machine, with all capabilities and the machine's own /dev before it.

use crate::common::{container, section, world};

/// What is asked, what is answered outside, and what in the container's cgroup.
const ERRANDS: [(&str, &str, &str); 8] = [
    ("open /w/dev/vda", "ok", "EPERM"),
    ("open /w/dev/kmsg", "ok", "EPERM"),
    ("open /w/dev/tty0", "ok", "EPERM"),
    ("open /w/dev/null", "ok", "ok"),
    ("open /w/dev/urandom", "ok", "ok"),
    ("mknod /w/disk-PLACE b 254:0", "ok", "EPERM"),
    ("mknod /w/kmsg-PLACE c 1:11", "ok", "EPERM"),
    ("mknod /w/null-PLACE c 1:3", "ok", "ok"),
];

const GROUP: &str = "/w/cgroup/containers/web";

#[test]
fn devices_are_filtered() {
    let mut expected = vec![
        "mount devtmpfs /w/dev: ok".to_owned(),
        // With the options that the machine itself gives: they are the hierarchy's.
        "mount cgroup2 /w/cgroup nsdelegate,memory_recursiveprot: ok".to_owned(),
        format!("wait {GROUP}/main/cgroup.procs: ok"),
        // A sibling, as for whoever is executed in the container later.
        format!("mkdir {GROUP}/later: ok"),
        "mkdir /w/cgroup/witness: ok".to_owned(),
    ];
    let (outside, main, later) = ("/w/cgroup/witness", format!("{GROUP}/main"), format!("{GROUP}/later"));
    for (place, group) in [("before", outside), ("main", &main), ("later", &later), ("after", outside)] {
        expected.push(format!("write {group}/cgroup.procs 0: ok"));
        for (errand, out, inside) in ERRANDS {
            let answer = if group == outside { out } else { inside };
            expected.push(format!("{}: {answer}", errand.replace("PLACE", place)));
        }
    }
    let errands: Vec<String> =
        expected.iter().map(|line| line.rsplit_once(": ").unwrap().0.to_owned()).collect();

    let disk = "limits = { io = [{ device = \"/dev/vda\", rbps = \"1M\" }] }";
    let may_make = "cap_add = [\"MKNOD\"]\nvolumes = [\"/dev/vda:/disk\"]";
    let config = container("web", "sleep", disk) + &container("try", "each try-host /disk", may_make);
    let world = world(&config).witness(&errands);
    let disk = world.config().join("../disk");
    std::fs::File::create(&disk).unwrap().set_len(1 << 20).unwrap();
    let machine = world.options(|options| options.disk = Some(disk)).boot();
    assert_eq!(machine.witnessed(), expected);

    // Root of a container does not come so far.
    let log = machine.logged("try", "== end");
    let tried = section(&log, "try-host /disk");
    for line in ["mknod EPERM", "read /disk EACCES", "open for writing /disk EACCES"] {
        assert!(tried.lines().any(|it| it == line), "no `{line}` in {tried}");
    }
    machine.power_off();
}
