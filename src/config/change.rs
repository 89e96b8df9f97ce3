//! What differs between two declarations, key by key, and what each difference takes on a machine that runs.
//!
//! Compared are checked values: two spellings of one thing are no difference. Every field of a declaration stands in
//! a table below with its class; one that does not is a pattern that does not cover its type, and does not compile.

use crate::ordered::Ordered;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::life::{Timetable, When};
use super::model::{Config, Container, ContainerLog, Host, Limits};

/// What it takes for a change of a key to be in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReloadClass {
    /// Nothing: it is said of the container, not to it.
    None,
    /// It is changed while the container, or the machine, runs.
    Live,
    /// A stop and a start: the program gets it when it is executed.
    Restart,
    /// As `Restart`, of what the container is made of: its root, its mounts, its namespaces.
    Recreate,
    /// Another boot, of a machine that was built with it.
    Reboot,
}

impl ReloadClass {
    pub const ALL: [Self; 5] = [Self::None, Self::Live, Self::Restart, Self::Recreate, Self::Reboot];

    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Live => "live",
            Self::Restart => "restart",
            Self::Recreate => "recreate",
            Self::Reboot => "reboot",
        }
    }

    /// Whether the container has to be stopped and started.
    pub fn forces(self) -> bool {
        match self {
            Self::Restart | Self::Recreate => true,
            Self::None | Self::Live | Self::Reboot => false,
        }
    }
}

/// A key with another value, by its name within the table that it stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyChange {
    pub key: &'static str,
    pub class: ReloadClass,
}

/// Takes both apart by all their fields.
macro_rules! differences {
    ($type:ident, $old:expr, $new:expr, $($field:ident $key:literal $class:ident,)+) => {{
        let ($type { $($field),+ }, new) = ($old, $new);
        let mut changes = Vec::new();
        $(if *$field != new.$field {
            changes.push(KeyChange { key: $key, class: ReloadClass::$class });
        })+
        changes
    }};
}

/// The keys of a container that differ.
#[rustfmt::skip]
pub fn container_changes(old: &Container, new: &Container) -> Vec<KeyChange> {
    let mut changes = differences!(Container, old, new,
        name "name" None,
        declared_at "" None,
        labels "labels" None,
        depends_on "depends_on" Live,
        gates "gates" Live,
        conflicts "conflicts" Live,
        ready_timeout "ready_timeout" Live,
        run_timeout "run_timeout" Live,
        healthcheck "healthcheck" Live,
        restart "restart" Live,
        restart_policy "restart_policy" Live,
        restart_rules "restart_rules" Live,
        stop_signal "stop_signal" Live,
        stop_grace_period "stop_grace_period" Live,
        // Told by their own keys, below.
        limits "" None,
        log "" None,
        sockets "sockets" Restart,
        start "start" Live,
        kind "type" Restart,
        // One that waits for its time waits for another; a run under way goes on.
        timetable "schedule" Restart,
        entrypoint "entrypoint" Restart,
        command "command" Restart,
        environment "environment" Restart,
        env_file "env_file" Restart,
        working_dir "working_dir" Restart,
        user "user" Restart,
        group_add "group_add" Restart,
        // The program was told: by its environment, by its descriptors.
        ready "ready" Restart,
        watchdog "watchdog" Restart,
        no_new_privileges "no_new_privileges" Restart,
        cap_base "security" Restart,
        cap_add "cap_add" Restart,
        cap_drop "cap_drop" Restart,
        seccomp "seccomp" Restart,
        apparmor "apparmor" Restart,
        init "init" Restart,
        tty "tty" Restart,
        stdin_open "stdin_open" Restart,
        ulimits "ulimits" Restart,
        image "image" Recreate,
        volumes "volumes" Recreate,
        tmpfs "tmpfs" Recreate,
        read_only "read_only" Recreate,
        hostname "hostname" Recreate,
        network_mode "network_mode" Recreate, pod "share" Recreate,
        privileged "privileged" Recreate,
        userns "userns" Recreate,
        devices "devices" Recreate,
        cgroup "cgroup" Recreate,
        sysctls "sysctls" Recreate,
        shm_size "shm_size" Recreate,
    );
    changes.retain(|change| !change.key.is_empty());
    for change in changes.iter_mut().filter(|change| change.key == "schedule") {
        change.key = key_of_times(old.timetable, new.timetable);
    }
    changes.extend(limits_changes(&old.limits, &new.limits));
    changes.extend(differences!(ContainerLog, &old.log, &new.log,
        rate "log.rate" Live,
        syslog "log.syslog" Restart,
        // What is in it would be lost.
        memory "log.memory" Reboot,
    ));
    changes
}

/// Which of the keys it is that have another value.
fn key_of_times(old: Option<Timetable>, new: Option<Timetable>) -> &'static str {
    let when = |table: Option<Timetable>| table.map(|table| table.when);
    match when(new.or(old)) {
        _ if when(old) == when(new) => "schedule_policy",
        Some(When::Every(_)) => "every",
        Some(When::Clock(_)) | None => "schedule",
    }
}

#[rustfmt::skip]
fn limits_changes(old: &Limits, new: &Limits) -> Vec<KeyChange> {
    differences!(Limits, old, new,
        memory "limits.memory" Live,
        memory_high "limits.memory_high" Live,
        memory_low "limits.memory_low" Live,
        swap "limits.swap" Live,
        cpus "limits.cpus" Live,
        cpu_weight "limits.cpu_weight" Live,
        cpuset "limits.cpuset" Live,
        pids "limits.pids" Live,
        oom "limits.oom" Live,
        // Of which device each line is, is looked up at a start.
        io "limits.io" Restart,
    )
}

/// The keys of the machine that differ.
#[rustfmt::skip]
pub fn host_changes(old: &Config, new: &Config) -> Vec<KeyChange> {
    let (Config { host, volumes, groups, containers: _, invalid: _ }, of) = (old, new);
    let mut changes = differences!(Host, host, &of.host,
        hostname "host.hostname" Live,
        fault_injection "host.fault_injection" Live,
        poweroff_timeout "host.poweroff_timeout" Live,
        sysctls "host.sysctls" Live,
        watchdog "host.watchdog" Reboot,
        disk "host.disk" Reboot,
        modules "host.modules" Reboot,
        apparmor_profiles "host.apparmor_profiles" Reboot,
        // Who is connected stays what he is.
        control "host.control" Live,
        control_ports "host.control_ports" Reboot,
        networks "host.network" Reboot,
        dns "host.dns" Reboot,
        log_memory "host.log.memory" Reboot,
        log_forward "host.log.forward" Reboot,
    );
    // Those that are not written any more keep what was written.
    if host.sysctls.keys().any(|key| !of.host.sysctls.contains_key(key)) {
        for change in changes.iter_mut().filter(|change| change.key == "host.sysctls") {
            change.class = ReloadClass::Reboot;
        }
    }
    if *groups != of.groups {
        changes.push(KeyChange { key: "group", class: ReloadClass::Live });
    }
    // A volume that is not there yet is made with its size; one that is there keeps it.
    let sizes = |config: &Config| -> BTreeMap<_, _> {
        config.volumes.iter().map(|(name, volume)| (name.clone(), volume.size)).ordered()
    };
    let after = sizes(of);
    if volumes.iter().any(|(name, volume)| after.get(name).is_some_and(|size| *size != volume.size)) {
        changes.push(KeyChange { key: "volume", class: ReloadClass::Reboot });
    }
    changes
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
