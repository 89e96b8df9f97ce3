//! Every key has its class, and what is spelled in another way is the same.

use super::*;
use crate::config::{Source, read, reference};

fn config(text: &str) -> Config {
    let reading = read(&[Source { path: "test.toml".into(), text: text.into() }]);
    assert!(!reading.has_errors(), "{text}: {:#?}", reading.diagnostics);
    reading.config
}

fn changes(old: &str, new: &str) -> Vec<(&'static str, ReloadClass)> {
    let web = |keys: &str| {
        let (keys, host) = keys.split_once("---").unwrap_or((keys, ""));
        let other = "[container.db]\nimage = 'dir:db'\n[volume.data]\n";
        config(&format!("[container.web]\nimage = 'dir:web'\n{keys}\n{other}{host}"))
    };
    let (old, new) = (web(old), web(new));
    let of_web = container_changes(&old.containers["web"], &new.containers["web"]);
    of_web.into_iter().chain(host_changes(&old, &new)).map(|change| (change.key, change.class)).collect()
}

#[track_caller]
fn check(old: &str, new: &str, expected: &[(&'static str, ReloadClass)]) {
    assert_eq!(changes(old, new), expected, "{old} -> {new}");
    assert_eq!(changes(new, old).len(), expected.len(), "{new} -> {old}");
    assert_eq!(changes(new, new), [], "{new}");
}

#[test]
fn each_difference_has_its_key_and_class() {
    use ReloadClass::{Live, None, Reboot, Recreate, Restart};
    check("", "", &[]);
    check("", "labels = { a = 'b' }", &[("labels", None)]);
    check("", "depends_on = ['db']", &[("depends_on", Live)]);
    check(
        "",
        "stop_grace_period = '3s'\nrestart = 'always'",
        &[("restart", Live), ("stop_grace_period", Live)],
    );
    check("", "healthcheck = { tcp = 80 }", &[("healthcheck", Live)]);
    check("", "limits = { memory = '64M', cpus = 1 }", &[("limits.memory", Live), ("limits.cpus", Live)]);
    check("", "limits = { io = [{ device = '/dev/vda', rbps = '1M' }] }", &[("limits.io", Restart)]);
    check("", "log = { rate = '1M' }", &[("log.rate", Live)]);
    check("", "log = { memory = '1M' }", &[("log.memory", Reboot)]);
    check("", "command = 'serve'", &[("command", Restart)]);
    check("", "environment = { A = '1' }", &[("environment", Restart)]);
    check("", "volumes = ['data:/data']", &[("volumes", Recreate)]);
    check("", "type = 'oneshot'", &[("type", Restart)]);
    check("type = 'oneshot'", "every = '1h'", &[("every", Restart)]);
    check("every = '1h'", "schedule = '@hourly'", &[("schedule", Restart)]);
    let policy = "every = '1h'\nschedule_policy = { jitter = '1m' }";
    check("every = '1h'", policy, &[("schedule_policy", Restart)]);
    check("every = '1h'", "every = '1h'\nrun_timeout = '1m'", &[("run_timeout", Live)]);
    check("", "restart_rules = [{ on = 'oom', then = 'reboot' }]", &[("restart_rules", Live)]);
    check("", "watchdog = '30s'", &[("watchdog", Restart)]);
    check("", "ready = 'notify'", &[("ready", Restart)]);
    check("ready = 'notify'", "ready = 'notify'\nready_timeout = '3s'", &[("ready_timeout", Live)]);
    let group = "---[group.shop]\ncontainers = ['web', 'db']\n";
    let shares = format!("{group}share = ['network']");
    check(group, &shares, &[("share", Recreate), ("group", Live)]);
    let more = [("hostname", Recreate), ("share", Recreate), ("group", Live)];
    check(&shares, &format!("{group}share = ['network', 'uts']"), &more);
    check("", "log = { syslog = true }", &[("log.syslog", Restart)]);
    check("", "---[host.log]\nforward = [{ to = 'udp://192.0.2.1:514' }]", &[("host.log.forward", Reboot)]);
    check("", "---[host.disk]\ndevice = 'LABEL=orlop'", &[("host.disk", Reboot)]);
    check("", "---[host]\nhostname = 'other'", &[("host.hostname", Live)]);
    check("", "---[host.control]\ngroup = 900", &[("host.control", Live)]);
    check("", "---[host]\nmodules = ['loop']", &[("host.modules", Reboot)]);
    check("---[volume.more]\nsize = '1M'", "---[volume.more]\nsize = '2M'", &[("volume", Reboot)]);
}

#[test]
fn a_parameter_that_is_not_written_any_more_needs_a_reboot() {
    let one = "---[host]\nsysctls = { 'vm.swappiness' = 1 }";
    assert_eq!(changes("", one), [("host.sysctls", ReloadClass::Live)]);
    assert_eq!(changes(one, ""), [("host.sysctls", ReloadClass::Reboot)]);
}

#[test]
fn another_spelling_is_no_difference() {
    let spellings = [
        ("command = 'serve --now'", "command = ['serve', '--now']"),
        ("environment = { A = 1 }", "environment = ['A=1']"),
        ("limits = { memory = '64M' }", "limits.memory = '65536K'"),
        ("stop_signal = 'SIGTERM'", "stop_signal = 15"),
        ("stop_grace_period = '90s'", "stop_grace_period = '1m30s'"),
        ("depends_on = ['db']", "depends_on = { db = 'started' }"),
        ("volumes = ['data:/data']", "volumes = [{ type = 'volume', source = 'data', target = '/data' }]"),
        ("limits = { pids = 2048 }", "# the default"),
        ("", "\n\n# moved, and a comment\n"),
        (
            "---[host]
hostname = 'a'",
            "---[host]
# the same
\"hostname\" = \"a\"",
        ),
    ];
    for (one, other) in spellings {
        assert_eq!(changes(one, other), [], "{one} -> {other}");
        assert_eq!(changes(other, one), [], "{other} -> {one}");
    }
}

#[test]
fn keys_are_named_as_people_write_them() {
    let keys = reference();
    let (mut old, mut new) =
        (config("[container.web]\nimage = 'dir:a'"), config("[container.web]\nimage = 'dir:b'"));
    let (mut one, other) = (old.containers.remove("web").unwrap(), new.containers.remove("web").unwrap());
    one.hostname = "a".into();
    one.privileged = !other.privileged;
    one.apparmor = Some("x".into());
    one.no_new_privileges = !other.no_new_privileges;
    one.log.rate = Some(1);
    one.limits.swap = Some(1);
    for change in container_changes(&one, &other) {
        let name = change.key.rsplit('.').next().unwrap();
        assert!(keys.contains(&format!("- **`{name}`**")), "{}", change.key);
    }
}
