//! A named volume is one place for all that mount it, keeps its files over restarts, and shows each
//! container its own ids; read-only means read-only.

use serde_json::json;

use crate::common::{container, section, world};

#[test]
fn volumes_are_shared_and_kept() {
    let writer =
        "each mounts , stat /data , cat /data/kept , write-file /data/kept hello , stat /data/kept , sleep";
    let reader =
        "each cat /data/kept , stat /data/kept , write-file /data/new x , try-remount /data , ls /data";
    let config = String::from("[volume.data]\nsize = \"1M\"\n")
        + &container("writer", writer, "volumes = [\"data:/data\"]\nuser = \"web\"")
        + &container(
            "reader",
            reader,
            "volumes = [\"data:/data:ro\"]\ndepends_on = [\"writer\"]\ncap_add = [\"ALL\"]\nrestart = \"no\"",
        )
        + &container(
            "own",
            "each ls /data , stat /data , write-file /data/x y , ls /data",
            "volumes = [\"/data\"]",
        )
        + &container("others", "each ls /data", "volumes = [\"/data\"]\ndepends_on = [\"own\"]");
    let world = world(&config);
    std::os::unix::fs::chown(world.config().join("payload/data"), Some(101), Some(102)).unwrap();
    let machine = world.boot();
    let log = machine.logged("writer", "sleeping");
    assert_eq!(section(&log, "cat /data/kept"), "/data/kept: ENOENT\n");
    assert_eq!(section(&log, "write-file /data/kept hello"), "");
    let mount = section(&log, "mounts").lines().find(|line| line.contains(" /data ")).unwrap();
    assert!(mount.contains(" rw,nosuid,nodev,") && mount.contains(",size=1024k,"), "{mount}");
    // As the image has the folder, to each of them with its own ids.
    assert_eq!(section(&log, "stat /data"), "/data 755 101 102\n");
    assert_eq!(section(&log, "stat /data/kept"), "/data/kept 644 101 102\n");

    let log = machine.logged("reader", "== end");
    let tried = section(&log, "try-remount /data");
    let refused = "remount EPERM\nmount_setattr EPERM\nmount_setattr of a copy EPERM\nwrite EROFS\n";
    assert_eq!(tried, refused);
    assert_eq!(section(&log, "write-file /data/new x"), "write /data/new: EROFS\n");

    machine.ok("Restart", json!({ "name": "writer" }));
    machine.logged("writer", "== cat /data/kept\nhello");
    machine.wait("reader", "exited");
    machine.ok("Start", json!({ "name": "reader" }));
    // Not when it began, perhaps, but now the writer has been there.
    machine.logged("reader", "hello== stat /data/kept\n/data/kept 644 101 102\n");

    let own = machine.logged("own", "== end");
    assert!(own.contains("== ls /data\n== stat"), "{own}");
    assert!(own.ends_with("== ls /data\nx\n== end\n"), "{own}");
    // Once its owner has ended, and left something in it.
    machine.wait("own", "exited");
    machine.wait("others", "exited");
    machine.ok("Start", json!({ "name": "others" }));
    let others = machine.logged("others", "== end\n== ls /data\n== end\n");
    assert_eq!(others, "== ls /data\n== end\n".repeat(2));
    machine.power_off();
}
