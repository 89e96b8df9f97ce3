//! Kernel parameters, of the container's own namespaces alone.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::namespaces::Namespaces;
use crate::container::refused::Refused;
use crate::container::steps::{InsideStep, NamespaceKind as Kind};

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

/// The namespace that has a value of its own for it.
fn owner(key: &str) -> Option<Kind> {
    match key {
        _ if IPC.contains(&key) || key.starts_with("fs.mqueue.") => Some(Kind::Ipc),
        "kernel.hostname" | "kernel.domainname" => Some(Kind::Uts),
        _ if key.starts_with("net.") => Some(Kind::Network),
        _ if key.starts_with("user.") => Some(Kind::User),
        _ => None,
    }
}

pub(super) fn steps(
    wanted: &BTreeMap<String, String>,
    namespaces: &Namespaces,
) -> Result<Vec<InsideStep>, Refused> {
    let mut steps = Vec::new();
    for (key, value) in wanted {
        // sysctl(8) takes both; what follows a first slash is a path.
        let dotted = if key.find(['.', '/']).is_some_and(|at| key.as_bytes().get(at) == Some(&b'/')) {
            key.replace('/', ".")
        } else {
            key.clone()
        };
        let field = || format!("linux.sysctl.{key}");
        match owner(&dotted) {
            None => {
                return Err(Refused::new(field(), "it is the whole machine's, of which there is only one"));
            }
            Some(kind) if !namespaces.has(kind) => {
                let why = format!("it needs a namespace of the type {}", kind.name());
                return Err(Refused::new(field(), why));
            }
            Some(_) => steps.push(InsideStep::Sysctl { key: key.clone(), value: value.clone() }),
        }
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_has_the_namespace_that_has_a_value_of_its_own_for_it() {
        let check = |key, expected| assert_eq!(owner(key), expected, "{key}");
        check("net.ipv4.ip_forward", Some(Kind::Network));
        check("kernel.shmmax", Some(Kind::Ipc));
        check("fs.mqueue.msg_max", Some(Kind::Ipc));
        check("kernel.domainname", Some(Kind::Uts));
        check("user.max_user_namespaces", Some(Kind::User));
        check("kernel.core_pattern", None);
        check("kernel.shmmaximum", None);
        check("vm.overcommit_memory", None);
        check("fs.file-max", None);
    }
}
