//! Which kernel parameters a namespace has values of its own for; all others are the whole machine's.

/// The namespace that a parameter belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SysctlOwner {
    Ipc,
    Uts,
    Network,
    User,
}

/// System V's, of ipc_namespaces(7).
const IPC: [&str; 10] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
    "kernel.auto_msgmni",
    "kernel.msg_next_id",
];

/// By its key with dots; `None`: it is the machine's.
#[must_use]
pub fn sysctl_owner(key: &str) -> Option<SysctlOwner> {
    match key {
        _ if IPC.contains(&key) || key.starts_with("fs.mqueue.") => Some(SysctlOwner::Ipc),
        "kernel.hostname" | "kernel.domainname" => Some(SysctlOwner::Uts),
        _ if key.starts_with("net.") => Some(SysctlOwner::Network),
        _ if key.starts_with("user.") => Some(SysctlOwner::User),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_has_the_namespace_that_has_a_value_of_its_own_for_it() {
        let check = |key, expected| assert_eq!(sysctl_owner(key), expected, "{key}");
        check("net.ipv4.ip_forward", Some(SysctlOwner::Network));
        check("kernel.shmmax", Some(SysctlOwner::Ipc));
        check("fs.mqueue.msg_max", Some(SysctlOwner::Ipc));
        check("kernel.domainname", Some(SysctlOwner::Uts));
        check("user.max_user_namespaces", Some(SysctlOwner::User));
        check("kernel.core_pattern", None);
        check("kernel.shmmaximum", None);
        check("vm.overcommit_memory", None);
        check("fs.file-max", None);
    }
}
