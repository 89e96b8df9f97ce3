//! A container may make the system calls that programs need, unless its configuration says otherwise.

use crate::common::{container, section, value, world};

/// One call gets an errno that nobody else would give.
const PROFILE: &str = r#"{
  "defaultAction": "SCMP_ACT_ALLOW",
  "syscalls": [{ "names": ["mknod", "mknodat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 71 }]
}"#;

#[test]
fn system_calls_are_filtered() {
    let tasks = "each cat /proc/self/status , cat /proc/sys/user/max_user_namespaces , try-host";
    let config = container("usual", tasks, "")
        + &container("open", tasks, "seccomp = \"unconfined\"")
        + &container("own", tasks, "seccomp = \"profiles/own.json\"")
        + &container("wrong", tasks, "seccomp = \"profiles/wrong.json\"\nrestart = \"no\"");
    let world = world(&config);
    let profiles = world.config().join("profiles");
    std::fs::create_dir(&profiles).unwrap();
    std::fs::write(profiles.join("own.json"), PROFILE).unwrap();
    std::fs::write(profiles.join("wrong.json"), "{ \"defaultAction\": \"SCMP_ACT_MAYBE\" }").unwrap();
    let machine = world.boot();
    let tried = |name: &str| {
        let log = machine.logged(name, "== end");
        let mut status = section(&log, "cat /proc/self/status").lines();
        let filters = status.find_map(|line| line.strip_prefix("Seccomp:\t")).unwrap().to_owned();
        let limit = section(&log, "cat /proc/sys/user/max_user_namespaces").trim();
        assert_eq!(limit == "0", name == "usual", "{name}: {limit} user namespaces");
        let found = |what| value(section(&log, "try-host"), what).to_owned();
        (filters, found("unshare user"), found("mknod"))
    };
    let is = |filters: &str, unshare: &str, mknod: &str| (filters.into(), unshare.into(), mknod.into());
    assert_eq!(tried("usual"), is("2", "EPERM", "EPERM"));
    assert_eq!(tried("open"), is("0", "ok", "EPERM"));
    assert_eq!(tried("own"), is("2", "ok", "errno 71"));
    let wrong = machine.wait("wrong", "failed");
    let text = wrong["cause"]["text"].as_str().unwrap();
    assert!(text.contains("profiles/wrong.json: unknown variant `SCMP_ACT_MAYBE`"), "{text}");
    machine.power_off();
}
