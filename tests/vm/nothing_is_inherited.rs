//! A program starts clean: no fd but 0, 1 and 2, no signal blocked or ignored, no new privileges,
//! no keyring of anybody else.

use crate::common::{container, section, value, world};

#[test]
fn nothing_is_inherited() {
    let tasks = "each fds , signals , keyring , ids , cat /proc/self/oom_score_adj";
    // The filter over system calls would hide the keyring.
    let config = container("web", tasks, "seccomp = \"unconfined\"")
        + &container("user", tasks, "user = \"web\"\nseccomp = \"unconfined\"")
        + &container("host", tasks, "network_mode = \"host\"\nseccomp = \"unconfined\"");
    let machine = world(&config).boot();
    for name in ["web", "user", "host"] {
        let log = machine.logged(name, "== end");
        let fds: Vec<(&str, &str)> =
            section(&log, "fds").lines().map(|line| line.split_once(' ').unwrap()).collect();
        let numbers: Vec<&str> = fds.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, ["0", "1", "2"], "{name}: {fds:?}");
        assert_eq!(fds[0].1, "/dev/null", "{name}");
        assert!(fds[1].1.starts_with("pipe:") && fds[2].1.starts_with("pipe:"), "{name}: {fds:?}");
        assert_ne!(fds[1].1, fds[2].1, "{name}: both outputs are one pipe");
        let none = "0000000000000000";
        let expected = format!("SigBlk {none}\nSigIgn {none}\nSigCgt {none}\n");
        let expected = format!("Umask 0022\n{expected}");
        assert_eq!(section(&log, "signals"), expected, "{name}");
        assert_eq!(section(&log, "keyring"), "_ses\n", "{name}");
        assert_eq!(value(section(&log, "ids"), "NoNewPrivs"), "1", "{name}");
        assert_eq!(section(&log, "cat /proc/self/oom_score_adj"), "0\n", "{name}");
    }
    machine.power_off();
}
