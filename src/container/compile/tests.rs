//! What the compiled specs hold: the defaults, each opening, and what wins over what.

use super::*;
use crate::config::{Config, Source, read};

fn container(more: &str) -> Container {
    let text = format!("[volume.data]\n[container.x]\nimage = 'dir:x'\n{more}\n");
    let reading = read(&[Source { path: "x.toml".into(), text }]);
    assert!(!reading.has_errors(), "{:?}", reading.diagnostics);
    let Config { mut containers, .. } = reading.config;
    *containers.remove("x").unwrap()
}

fn facts() -> Facts {
    let device =
        |path: &str, kind, major, minor| HostDevice { path: path.into(), kind, major, minor, mode: 0o600 };
    let sound = [
        device("/dev/snd/controlC0", DeviceKind::Character, 116, 0),
        device("/dev/snd/timer", DeviceKind::Character, 116, 33),
    ];
    let disk = device("/dev/sda", DeviceKind::Block, 8, 0);
    let terminal = device("/dev/pts/0", DeviceKind::Character, 136, 0);
    let all = sound.iter().chain([&disk, &terminal]).cloned().collect();
    Facts {
        first_id: 1 << 20,
        dev: "/run/orlop/dev".into(),
        devices: [("/dev/snd".into(), sound.to_vec()), ("/dev/sda".into(), vec![disk]), ("/dev".into(), all)]
            .into(),
        thermal: vec!["/sys/devices/system/cpu/cpu0/thermal_throttle".into()],
        ..Facts::default()
    }
}

fn spec(more: &str) -> Spec {
    compile(&container(more), &Defaults::default(), &facts())
}

fn at<'a>(spec: &'a Spec, destination: &str) -> Option<&'a spec::Mount> {
    spec.mounts.iter().find(|mount| mount.destination == destination)
}

fn capabilities_of(spec: &Spec) -> Vec<&str> {
    let sets = spec.process.as_ref().unwrap().capabilities.as_ref().unwrap();
    sets.bounding.iter().map(|name| name.strip_prefix("CAP_").unwrap()).collect()
}

#[test]
fn a_container_that_says_nothing_has_the_strictest_defaults_known() {
    let spec = spec("");
    let kinds: Vec<&str> = spec.linux.namespaces.iter().map(|it| it.kind.as_str()).collect();
    assert_eq!(kinds, ["user", "mount", "pid", "network", "ipc", "uts", "cgroup", "time"]);
    assert_eq!(
        capabilities_of(&spec),
        [
            "CHOWN",
            "DAC_OVERRIDE",
            "FOWNER",
            "FSETID",
            "KILL",
            "SETGID",
            "SETUID",
            "SETPCAP",
            "NET_BIND_SERVICE"
        ]
    );
    assert!(spec.process.as_ref().unwrap().no_new_privileges);
    for masked in ["/proc/asound", "/sys/fs/selinux", "/sys/devices/system/cpu/cpu0/thermal_throttle"] {
        assert!(spec.linux.masked_paths.iter().any(|path| path == masked), "{masked}");
    }
    assert_eq!(spec.linux.resources.pids.limit, Some(2048));
    assert!(at(&spec, "/dev/shm").unwrap().options.contains(&"noexec".to_string()));
    for sealed in ["/dev", "/sys", "/sys/fs/cgroup"] {
        assert!(at(&spec, sealed).unwrap().options.contains(&"ro".to_string()), "{sealed}");
    }
    assert_eq!(delegated_to(&spec), None);
    let sysctls: Vec<(&str, &str)> =
        spec.linux.sysctl.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        sysctls,
        [
            ("net.ipv4.ip_unprivileged_port_start", "0"),
            ("net.ipv4.ping_group_range", "0 65535"),
            ("user.max_user_namespaces", "0"),
        ]
    );
}

/// `allow type major:minor access`.
fn rules(spec: &Spec) -> Vec<String> {
    let number = |it: Option<i64>| it.map_or("*".to_string(), |it| it.to_string());
    let rules = spec.linux.resources.devices.iter();
    rules
        .map(|rule| {
            let word = if rule.allow { "allow" } else { "deny" };
            let kind = if rule.kind.is_empty() { "a" } else { rule.kind.as_str() };
            format!("{word} {kind} {}:{} {}", number(rule.major), number(rule.minor), rule.access)
        })
        .collect()
}

const USUAL: [&str; 9] = [
    "deny a *:* rwm",
    "allow c 1:3 rwm",
    "allow c 1:5 rwm",
    "allow c 1:7 rwm",
    "allow c 1:8 rwm",
    "allow c 1:9 rwm",
    "allow c 5:0 rwm",
    "allow c 5:2 rwm",
    "allow c 136:* rwm",
];

#[test]
fn devices_are_denied_but_the_usual_and_those_that_were_given() {
    let spec_of_none = spec("");
    assert_eq!(rules(&spec_of_none), USUAL);
    assert!(spec_of_none.linux.devices.is_empty());
    let given = spec("devices = ['/dev/snd', '/dev/sda:/dev/xvda:r']");
    let more = ["allow c 116:0 rwm", "allow c 116:33 rwm", "allow b 8:0 r"];
    assert_eq!(rules(&given), USUAL.iter().chain(&more).copied().collect::<Vec<_>>());
    let paths: Vec<&str> = given.linux.devices.iter().map(|device| device.path.as_str()).collect();
    assert_eq!(paths, ["/dev/snd/controlC0", "/dev/snd/timer", "/dev/xvda"]);
    assert_eq!(at(&given, "/dev").unwrap().kind.as_deref(), Some("tmpfs"));
}

#[test]
fn privileged_opens_all_but_the_ids_and_other_keys_win() {
    let open = spec("privileged = true");
    assert_eq!(capabilities_of(&open).len(), 41);
    assert!(open.linux.masked_paths.is_empty() && open.linux.readonly_paths.is_empty());
    assert!(open.linux.seccomp.is_none() && !open.process.as_ref().unwrap().no_new_privileges);
    assert_eq!(rules(&open), ["allow a *:* rwm"]);
    let paths: Vec<&str> = open.linux.devices.iter().map(|device| device.path.as_str()).collect();
    assert_eq!(paths, ["/dev/snd/controlC0", "/dev/snd/timer", "/dev/sda"]);
    for writable in ["/sys", "/sys/fs/cgroup"] {
        assert!(!at(&open, writable).unwrap().options.contains(&"ro".to_string()), "{writable}");
    }
    assert_eq!(delegated_to(&open), Some((1 << 20, 1 << 20)));
    assert_eq!(open.linux.uid_mappings.len(), 1);
    let less = spec(
        "privileged = true\ncap_drop = ['SYS_MODULE']\nno_new_privileges = true\nseccomp = 'default'\ncgroup = 'private'",
    );
    assert_eq!(capabilities_of(&less).len(), 40);
    assert!(less.linux.seccomp.is_some() && less.process.as_ref().unwrap().no_new_privileges);
    assert_eq!(delegated_to(&less), None);
}

#[test]
fn the_machines_ids_leave_no_map_behind() {
    let spec = spec("userns = 'host'\nvolumes = ['data:/data']\ncgroup = 'delegate'");
    assert!(spec.linux.uid_mappings.is_empty() && spec.linux.gid_mappings.is_empty());
    assert!(!spec.linux.namespaces.iter().any(|it| it.kind == "user"));
    assert!(!at(&spec, "/data").unwrap().options.contains(&"idmap".to_string()));
    assert_eq!(spec.linux.sysctl.get("user.max_user_namespaces"), None);
    assert_eq!(spec.linux.sysctl["net.ipv4.ping_group_range"], "0 2147483647");
    assert_eq!(delegated_to(&spec), Some((0, 0)));
}

#[test]
fn presets_are_what_other_keys_change() {
    let strict = spec("security = 'strict'");
    assert_eq!(capabilities_of(&strict), [""; 0]);
    assert!(strict.root.as_ref().unwrap().readonly);
    assert_eq!(strict.linux.resources.pids.limit, Some(256));
    for memory in ["/tmp", "/run"] {
        assert_eq!(at(&strict, memory).unwrap().kind.as_deref(), Some("tmpfs"), "{memory}");
    }
    let changed = spec(
        "limits = { pids = 9 }\nsecurity = 'strict'\ncap_add = ['KILL']\nread_only = false\n\
         tmpfs = ['/run:size=1M']\nvolumes = ['data:/tmp']",
    );
    assert_eq!(capabilities_of(&changed), ["KILL"]);
    assert!(!changed.root.as_ref().unwrap().readonly);
    assert_eq!(changed.linux.resources.pids.limit, Some(9));
    let targets = |at: &str| changed.mounts.iter().filter(|mount| mount.destination == at).count();
    assert_eq!((targets("/tmp"), targets("/run")), (1, 1));
    assert_eq!(at(&changed, "/tmp").unwrap().kind.as_deref(), Some("bind"));
    assert!(at(&changed, "/run").unwrap().options.contains(&"size=1048576".to_string()));
    let docker = spec("security = 'docker'\ncap_drop = ['NET_RAW']");
    assert_eq!(capabilities_of(&docker).len(), 13);
    assert!(!docker.process.as_ref().unwrap().no_new_privileges);
}

#[test]
fn a_root_that_can_only_be_read_has_a_tmp() {
    assert!(at(&spec("read_only = true"), "/tmp").is_some());
    assert!(at(&spec(""), "/tmp").is_none());
}

#[test]
fn user_namespaces_are_for_those_with_sys_admin() {
    let check = |more, closed| {
        assert_eq!(spec(more).linux.sysctl.contains_key("user.max_user_namespaces"), closed, "{more}");
    };
    check("", true);
    check("seccomp = 'unconfined'", false);
    check("cap_add = ['SYS_ADMIN']", false);
    check("cap_add = ['ALL']", false);
    let own = spec("sysctls = { \"user.max_user_namespaces\" = 7 }");
    assert_eq!(own.linux.sysctl["user.max_user_namespaces"], "7");
}

#[test]
fn every_opening_is_accepted_by_the_plan() {
    for more in [
        "",
        "security = 'strict'",
        "security = 'docker'",
        "privileged = true",
        "privileged = true\nuserns = 'host'\nnetwork_mode = 'host'",
        "userns = 'host'\nvolumes = ['data:/data', '/anonymous']",
        "devices = ['/dev/snd']",
        "cgroup = 'delegate'\ninit = true\napparmor = 'web'",
        "sysctls = { \"net.core.somaxconn\" = 1024, \"kernel.shm_rmid_forced\" = 1 }",
    ] {
        let container = container(more);
        let spec =
            compile(&container, &Defaults { entrypoint: vec!["/x".into()], ..Defaults::default() }, &facts());
        let root = root(&container, &Defaults::default(), &facts(), &["l".to_string()], 1);
        let plan = super::super::plan(&spec, &root);
        assert!(plan.is_ok(), "{more}: {plan:?}");
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<Spec>(&text).unwrap(), spec, "{more}");
    }
}
