//! A program gets the user, groups, directory, name, environment and limits that were declared.

use crate::common::{container, section, value, world};

#[test]
fn starts_as_declared() {
    let tasks = "each ids , where , env , limits , cat /etc/hostname , cat /etc/hosts , \
                 write-file /dev/stdout opened";
    let more = r#"
        user = "web"
        group_add = ["web", "77"]
        working_dir = "/data"
        hostname = "front"
        env_file = ["first.env", { path = "missing.env", required = false }, "second.env"]
        environment = { FROM = "toml", LITERAL = "$HOME ${X}" }
        ulimits = { nofile = { soft = 100, hard = 200 }, nproc = 50, core = 0 }
    "#;
    let world = world(&(container("web", tasks, more) + &container("bare", tasks, "")));
    std::fs::write(world.config().join("first.env"), "# comment\nFROM=first\nONLY_FIRST=1\nBOTH=first\n")
        .unwrap();
    std::fs::write(world.config().join("second.env"), "BOTH=second\n").unwrap();
    let machine = world.boot();
    let log = machine.logged("web", "== end");
    let ids = section(&log, "ids");
    assert_eq!(value(ids, "Uid"), "101 101 101 101");
    assert_eq!(value(ids, "Gid"), "102 102 102 102");
    // adm lists web as a member.
    assert_eq!(value(ids, "Groups"), "4 77 102");
    assert_eq!(section(&log, "where"), "cwd /data\nhostname front\n");
    assert_eq!(section(&log, "cat /etc/hostname"), "front\n");
    assert!(section(&log, "cat /etc/hosts").lines().any(|line| line.ends_with("front")), "{log}");
    // nginx and others open it anew, whoever they run as.
    assert_eq!(section(&log, "write-file /dev/stdout opened"), "opened");
    let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let env = [path, "FROM=toml", "ONLY_FIRST=1", "BOTH=second", "LITERAL=$HOME ${X}", "HOME=/"];
    assert_eq!(section(&log, "env").lines().collect::<Vec<_>>(), env);
    let limits = section(&log, "limits");
    for (name, expected) in [
        ("Max open files", "100 200 files"),
        ("Max processes", "50 50 processes"),
        ("Max core file size", "0 0 bytes"),
    ] {
        let found: Vec<&str> = value(limits, name).split_whitespace().collect();
        assert_eq!(found.join(" "), expected, "{name}");
    }
    let log = machine.logged("bare", "== end");
    let ids = section(&log, "ids");
    assert_eq!((value(ids, "Uid"), value(ids, "Gid")), ("0 0 0 0", "0 0 0 0"));
    assert_eq!(section(&log, "where"), "cwd /\nhostname bare\n");
    assert_eq!(section(&log, "env").lines().collect::<Vec<_>>(), [path, "HOME=/root"]);
    machine.power_off();
}
