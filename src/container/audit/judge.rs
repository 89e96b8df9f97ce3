//! Looks a spec over, line by line.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::weights::{self, CAPABILITIES, DEFAULT_SET, Open, SECRET_TREES, SECRETS, SHARED};
use super::{Audit, Finding, Level};
use crate::config::Capabilities;
use crate::container::devices::common;
use crate::container::seccomp;
use crate::container::spec::{Mount, Process, Spec};

/// What is open in this container.
#[must_use]
pub fn audit(spec: &Spec) -> Audit {
    let mut findings = Vec::new();
    let process = spec.process.clone().unwrap_or_default();
    let own_ids = has_namespace(spec, "user");
    let set = bounding(&process);
    if !own_ids && set.0 == Capabilities::ALL.0 {
        findings.push(open(Open::MachinesRoot, "all capabilities, and the machine's ids".into(), true));
    }
    namespaces(spec, own_ids, &mut findings);
    capabilities(set, own_ids, &mut findings);
    calls(spec, &process, set, &mut findings);
    kernel(spec, &mut findings);
    devices(spec, &mut findings);
    binds(spec, &mut findings);
    rest(spec, &process, &mut findings);
    findings
        .sort_unstable_by(|one, other| other.weight.cmp(&one.weight).then_with(|| one.what.cmp(&other.what)));
    let exposure = findings.iter().map(|finding| finding.weight).fold(0, u32::saturating_add).min(100);
    Audit { findings, exposure, level: Level::of(exposure) }
}

fn open(open: Open, what: String, opened: bool) -> Finding {
    let (weight, key, why) = weights::of(open);
    Finding { key: key.to_owned(), what, why: why.to_owned(), weight, opened }
}

fn has_namespace(spec: &Spec, kind: &str) -> bool {
    spec.linux.namespaces.iter().any(|it| it.kind == kind)
}

fn bounding(process: &Process) -> Capabilities {
    let sets = process.capabilities.as_ref();
    let names = sets.into_iter().flat_map(|sets| sets.bounding.iter().chain(&sets.permitted));
    Capabilities(names.filter_map(|name| Capabilities::named(name)).fold(0, |set, one| set | one.0))
}

fn namespaces(spec: &Spec, own_ids: bool, findings: &mut Vec<Finding>) {
    if !own_ids {
        findings.push(open(Open::MachinesIds, "user ids are the machine's".into(), true));
    }
    for (kind, weight, key, why) in SHARED {
        if !has_namespace(spec, kind) {
            let what = format!("no {kind} namespace of its own");
            findings.push(Finding { key: key.into(), what, why: why.into(), weight, opened: true });
        }
    }
}

fn capabilities(set: Capabilities, own_ids: bool, findings: &mut Vec<Finding>) {
    let usual = set.0 & Capabilities::DEFAULT.0;
    if usual != 0 {
        findings.push(Finding {
            key: "cap_drop".into(),
            what: format!("{} of the nine usual capabilities", usual.count_ones()),
            why: "its root may do with its own files and users what it likes".into(),
            weight: DEFAULT_SET,
            opened: false,
        });
    }
    let more = Capabilities(set.0 & !Capabilities::DEFAULT.0);
    let mut others = Vec::new();
    for number in (0..64).filter(|number| more.contains(*number)) {
        let name: String = Capabilities(1 << number).names().collect();
        match CAPABILITIES.iter().find(|(known, ..)| *known == number) {
            Some((_, own, machines, why)) => findings.push(Finding {
                key: "cap_add".into(),
                what: name,
                why: (*why).into(),
                weight: if own_ids { *own } else { *machines },
                opened: true,
            }),
            None => others.push(name),
        }
    }
    if !others.is_empty() {
        findings.push(Finding {
            key: "cap_add".into(),
            what: others.join(" "),
            why: "more than most programs need".into(),
            weight: if own_ids { 0 } else { others.len() as u32 },
            opened: true,
        });
    }
}

fn calls(spec: &Spec, process: &Process, set: Capabilities, findings: &mut Vec<Finding>) {
    match &spec.linux.seccomp {
        None => findings.push(open(Open::NoFilter, "no filter over system calls".into(), true)),
        Some(filter) if **filter != seccomp::allowed(set.0) => {
            findings.push(open(Open::OwnFilter, "a filter of its own over system calls".into(), true));
        }
        Some(_) => {}
    }
    if !process.no_new_privileges {
        findings.push(open(Open::NewPrivileges, "programs may gain privileges".into(), true));
    }
    // One that a group shares was made so that nobody in it does.
    let shares = spec.linux.namespaces.iter().any(|it| it.kind == "user" && it.path.is_some());
    let closed = spec.linux.sysctl.get("user.max_user_namespaces").map_or(shares, |most| most == "0");
    if !closed && has_namespace(spec, "user") {
        findings.push(open(Open::UserNamespaces, "it may make user namespaces".into(), true));
    }
}

fn at<'a>(spec: &'a Spec, destination: &str) -> Option<&'a Mount> {
    spec.mounts.iter().rev().find(|mount| mount.destination == destination)
}

fn is_read_only(mount: &Mount) -> bool {
    mount.options.iter().any(|option| matches!(option.as_str(), "ro" | "rro"))
}

fn kernel(spec: &Spec, findings: &mut Vec<Finding>) {
    let hides = |path: &str| spec.linux.masked_paths.iter().any(|masked| masked == path);
    let shown: Vec<&str> = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
        .into_iter()
        .filter(|path| !hides(path))
        .collect();
    if !shown.is_empty() {
        findings.push(open(Open::Unmasked, format!("{} can be seen", shown.join(", ")), true));
    }
    let sealed = |path: &str| spec.linux.readonly_paths.iter().any(|it| it == path) || hides(path);
    if !(sealed("/proc/sys") && sealed("/proc/sysrq-trigger")) {
        findings.push(open(
            Open::WritableKernel,
            "/proc/sys and /proc/sysrq-trigger can be written to".into(),
            true,
        ));
    }
    if at(spec, "/sys").is_some_and(|mount| !is_read_only(mount)) {
        findings.push(open(Open::WritableSysfs, "/sys can be written to".into(), true));
    }
    if at(spec, "/sys/fs/cgroup").is_some_and(|mount| !is_read_only(mount)) {
        findings.push(open(Open::DividedCgroup, "it may divide its cgroup".into(), true));
    }
}

fn devices(spec: &Spec, findings: &mut Vec<Finding>) {
    let rules = &spec.linux.resources.devices;
    let everything = |kind: &str| kind.is_empty() || kind == "a";
    let all = rules
        .iter()
        .rev()
        .find(|rule| everything(&rule.kind) && rule.major.is_none())
        .is_none_or(|rule| rule.allow);
    if all {
        return findings.push(open(Open::AllDevices, "all devices".into(), true));
    }
    for rule in rules.iter().filter(|rule| rule.allow && !common().contains(rule)) {
        let number = |it: Option<i64>| it.map_or("*".to_string(), |it| it.to_string());
        let is_it = |device: &&crate::container::spec::Device| {
            device.kind == rule.kind && Some(device.major) == rule.major && Some(device.minor) == rule.minor
        };
        let name = spec.linux.devices.iter().find(is_it).map(|device| device.path.as_str());
        let name = name.map_or_else(
            || format!("{} {}:{}", rule.kind, number(rule.major), number(rule.minor)),
            ToString::to_string,
        );
        let writes = rule.kind == "b" && rule.access.contains('w');
        findings.push(open(
            if writes { Open::BlockDevice } else { Open::Device },
            format!("{name} ({})", rule.access),
            true,
        ));
    }
}

/// Orlop's own, which are made for the container: volumes, devices, and three files.
fn is_ours(source: &str, at: &str) -> bool {
    let is_file = matches!(at, "/etc/hosts" | "/etc/hostname" | "/etc/resolv.conf");
    source.starts_with("/run/orlop/volumes/")
        || source == "/run/orlop/dev"
        || source.starts_with("/run/orlop/dev/")
        || is_file && source.starts_with("/run/orlop/containers/")
}

/// Whether all that is there, or something below it, is as good as the machine's root.
fn is_secret(source: &str) -> bool {
    let below = |secret: &&str| {
        source.strip_prefix(*secret).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    SECRETS.contains(&source) || SECRET_TREES.iter().any(below) || source.ends_with("/control.sock")
}

fn binds(spec: &Spec, findings: &mut Vec<Finding>) {
    for mount in spec.mounts.iter().filter(|mount| super::super::is_bind(mount)) {
        let source = mount.source.as_deref().unwrap_or_default();
        if is_ours(source, &mount.destination) || mount.destination == "/sys" {
            continue;
        }
        let how = if is_read_only(mount) { "read" } else { "written to" };
        let what = format!("{source} of the machine can be {how}");
        let kind = match is_read_only(mount) {
            _ if is_secret(source) => Open::MachinesSecrets,
            true => Open::Bind,
            false => Open::WritableBind,
        };
        findings.push(open(kind, what, true));
    }
}

fn rest(spec: &Spec, process: &Process, findings: &mut Vec<Finding>) {
    let resources = &spec.linux.resources;
    if resources.pids.limit.is_none_or(|limit| limit < 0) && !resources.unified.contains_key("pids.max") {
        findings.push(open(Open::NoProcessLimit, "any number of processes".into(), true));
    }
    if process.user.uid == 0 {
        findings.push(open(Open::Root, "it runs as root".into(), false));
    }
    if !spec.root.as_ref().is_some_and(|root| root.readonly) {
        findings.push(open(Open::WritableRoot, "its root can be written to".into(), false));
    }
    if resources.memory.limit.is_none_or(|limit| limit < 0) && !resources.unified.contains_key("memory.max") {
        findings.push(open(Open::NoMemoryLimit, "any amount of memory".into(), false));
    }
    if process.apparmor_profile.is_none() && process.selinux_label.is_none() {
        findings.push(open(Open::NoLabel, "no profile of a security module".into(), false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Source, read};
    use crate::container::{Defaults, DeviceKind, Facts, HostDevice, compile};

    fn audited(more: &str) -> Audit {
        let text = format!("[container.x]\nimage = 'dir:x'\n{more}\n");
        let reading = read(&[Source { path: "x.toml".into(), text }]);
        assert!(!reading.has_errors(), "{:?}", reading.diagnostics);
        let disk =
            HostDevice { path: "/dev/sda".into(), kind: DeviceKind::Block, major: 8, minor: 0, mode: 0o600 };
        let facts = Facts {
            first_id: 1 << 20,
            dev: "/run/orlop/dev".into(),
            files: "/run/orlop/containers/x".into(),
            devices: ["/dev/sda", "/dev"].map(|at| (at.into(), vec![disk.clone()])).into(),
            ..Facts::default()
        };
        audit(&compile(&reading.config.containers["x"], &Defaults::default(), &facts))
    }

    /// Exposure in tenths, level, and what was opened beyond the default.
    #[track_caller]
    fn check(more: &str, exposure: u32, level: Level, opened: &[&str]) {
        let audit = audited(more);
        let found: Vec<&str> =
            audit.findings.iter().filter(|it| it.opened).map(|it| it.what.as_str()).collect();
        assert_eq!(found, opened, "{more}");
        assert_eq!((audit.exposure, audit.level), (exposure, level), "{more}: {:#?}", audit.findings);
    }

    #[test]
    fn what_says_nothing_has_opened_nothing_and_could_close_some() {
        check("", 9, Level::Closed, &[]);
        let left: Vec<String> = audited("").findings.into_iter().map(|it| it.key).collect();
        assert_eq!(left, ["user", "cap_drop", "limits.memory", "read_only", "apparmor"]);
    }

    #[test]
    fn the_strictest_is_nearly_nothing() {
        check("security = 'strict'\nlimits = { memory = '8M' }\napparmor = 'x'", 3, Level::Closed, &[]);
    }

    #[test]
    fn each_opening_has_its_line_and_its_weight() {
        check(
            "seccomp = 'unconfined'",
            28,
            Level::Medium,
            &["no filter over system calls", "it may make user namespaces"],
        );
        check("network_mode = 'host'", 17, Level::Closed, &["no network namespace of its own"]);
        check("devices = ['/dev/sda:r']", 12, Level::Closed, &["/dev/sda (r)"]);
        check("devices = ['/dev/sda']", 19, Level::Closed, &["/dev/sda (rwm)"]);
        check("cgroup = 'delegate'", 11, Level::Closed, &["it may divide its cgroup"]);
        check("volumes = ['/srv:/srv']", 15, Level::Closed, &["/srv of the machine can be written to"]);
        check(
            "volumes = ['/run/orlop:/r:ro']",
            49,
            Level::Medium,
            &["/run/orlop of the machine can be read"],
        );
        check("cap_add = ['SYS_MODULE']", 9, Level::Closed, &["CAP_SYS_MODULE"]);
        check(
            "cap_add = ['SYS_MODULE']\nuserns = 'host'",
            59,
            Level::Exposed,
            &["CAP_SYS_MODULE", "user ids are the machine's"],
        );
    }

    #[test]
    fn what_is_the_machines_root_is_told_from_what_was_made_for_the_container() {
        let bind = |source: &str, destination: &str| Mount {
            destination: destination.into(),
            kind: Some("bind".into()),
            source: Some(source.into()),
            options: vec!["rbind".into(), "ro".into()],
            ..Mount::default()
        };
        let found = |source: &str, destination: &str| {
            let mut findings = Vec::new();
            let spec = Spec { mounts: vec![bind(source, destination)], ..Spec::default() };
            binds(&spec, &mut findings);
            findings.pop().map(|finding| finding.weight)
        };
        let (secret, plain) = (weights::of(Open::MachinesSecrets).0, weights::of(Open::Bind).0);
        assert!(secret > plain);
        for source in ["/", "/proc/1/root", "/run/orlop/containers/db", "/run/orlop", "/srv/control.sock"] {
            assert_eq!(found(source, "/x"), Some(secret), "{source}");
        }
        // Names that only begin like them.
        for source in ["/srv", "/procure", "/run/orlopper"] {
            assert_eq!(found(source, "/x"), Some(plain), "{source}");
        }
        assert_eq!(found("/run/orlop/volumes/data/_data", "/data"), None);
        assert_eq!(found("/run/orlop/containers/db/hosts", "/etc/hosts"), None);
        assert_eq!(found("/run/orlop/containers/db/hosts", "/hosts"), Some(secret));
    }

    #[test]
    fn privileged_with_the_machines_ids_is_said_to_be_the_machines_root() {
        let root = audited("privileged = true\nuserns = 'host'");
        assert_eq!((root.exposure, root.level), (100, Level::Open));
        assert_eq!(root.findings[0].why, "it is the machine's root: nothing keeps it from the machine");
        let own = audited("privileged = true");
        assert!(own.exposure < 100 && own.level == Level::Exposed, "{own:#?}");
        assert!(!own.findings.iter().any(|it| it.why.contains("machine's root")));
    }

    #[test]
    fn the_heaviest_comes_first() {
        let findings = audited("privileged = true").findings;
        assert!(findings.is_sorted_by(|one, other| one.weight >= other.weight));
    }
}
