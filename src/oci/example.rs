//! `spec`: a config.json to begin with. It runs a shell in a terminal, with little power.

use std::os::fd::AsFd;
use std::path::Path;

use orlop::container::spec::{
    Capabilities, DeviceRule, IdMapping, Linux, Mount, Namespace, Process, Resources, Rlimit, RootPath, Spec,
};

use super::SPECIFICATION;
use super::arguments::SpecArguments;
use super::bundle::CONFIG;
use super::failure::{Failure, Result, at};
use crate::linux::directory;

/// # Errors
/// There is a config.json already.
pub(crate) fn spec(asked: &SpecArguments) -> Result<()> {
    let given = asked.bundle.as_deref().unwrap_or(Path::new("."));
    let folder = directory::open_at(given).map_err(at(given.display()))?;
    if directory::has(folder.as_fd(), CONFIG) {
        let place = given.join(CONFIG);
        return Err(Failure::new(format!("{} is there already: remove it first", place.display())));
    }
    let mut spec = example();
    if asked.rootless {
        for_a_user(&mut spec, nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    }
    let mut text = serde_json::to_vec_pretty(&spec).map_err(|error| Failure::new(error.to_string()))?;
    text.push(b'\n');
    directory::replace(folder.as_fd(), CONFIG, &text, 0o666).map_err(at(CONFIG))
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| String::from(*word)).collect()
}

fn example() -> Spec {
    let few = words(&["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]);
    Spec {
        oci_version: String::from(SPECIFICATION),
        hostname: Some(String::from("orlop")),
        process: Some(Process {
            terminal: true,
            cwd: String::from("/"),
            env: words(&["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"]),
            args: words(&["sh"]),
            rlimits: vec![Rlimit { kind: String::from("RLIMIT_NOFILE"), soft: 1024, hard: 1024 }],
            capabilities: Some(Capabilities {
                bounding: few.clone(),
                effective: few.clone(),
                permitted: few,
                ..Capabilities::default()
            }),
            no_new_privileges: true,
            ..Process::default()
        }),
        root: Some(RootPath { path: String::from("rootfs"), readonly: true }),
        mounts: mounts(),
        linux: Linux {
            namespaces: ["pid", "network", "ipc", "uts", "mount", "cgroup"].map(namespace).into(),
            resources: Resources {
                devices: vec![DeviceRule { access: String::from("rwm"), ..DeviceRule::default() }],
                ..Resources::default()
            },
            masked_paths: words(&orlop::container::MASKED),
            readonly_paths: words(&orlop::container::READ_ONLY),
            ..Linux::default()
        },
        ..Spec::default()
    }
}

fn namespace(kind: &str) -> Namespace {
    Namespace { kind: String::from(kind), path: None }
}

fn mounts() -> Vec<Mount> {
    let mount = |destination: &str, kind: &str, source: &str, options: &[&str]| Mount {
        destination: String::from(destination),
        kind: Some(String::from(kind)),
        source: Some(String::from(source)),
        options: words(options),
        ..Mount::default()
    };
    vec![
        mount("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
        mount("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        mount(
            "/dev/pts",
            "devpts",
            "devpts",
            &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        mount("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
        mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
        mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        mount("/sys/fs/cgroup", "cgroup", "cgroup", &["nosuid", "noexec", "nodev", "relatime", "ro"]),
    ]
}

/// As root of a user namespace in which there is nobody else: no network of its own, whose sysfs it
/// could not mount, and no limits.
fn for_a_user(spec: &mut Spec, uid: u32, gid: u32) {
    let linux = &mut spec.linux;
    linux.namespaces.retain(|namespace| namespace.kind != "network");
    linux.namespaces.push(namespace("user"));
    linux.uid_mappings = vec![IdMapping { container_id: 0, host_id: uid, size: 1 }];
    linux.gid_mappings = vec![IdMapping { container_id: 0, host_id: gid, size: 1 }];
    linux.resources = Resources::default();
    for mount in &mut spec.mounts {
        mount.options.retain(|option| !option.starts_with("gid=") && !option.starts_with("uid="));
        if mount.destination == "/sys" {
            mount.kind = Some(String::from("none"));
            mount.source = Some(String::from("/sys"));
            mount.options.insert(0, String::from("rbind"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orlop::container::{Root, plan};

    #[test]
    fn both_examples_are_specifications_that_can_be_carried_out() {
        let root = Root::directory(String::from("/bundle/rootfs"));
        let mut rootless = example();
        for_a_user(&mut rootless, 1000, 1000);
        for spec in [example(), rootless] {
            let text = serde_json::to_string(&spec).unwrap();
            let again: Spec = serde_json::from_str(&text).unwrap();
            assert_eq!(again, spec);
            plan(&again, &root).unwrap_or_else(|refused| panic!("{refused}"));
        }
    }
}
