//! Kernel parameters, of the container's own namespaces alone.

use alloc::format;
use alloc::vec::Vec;

use super::namespaces::Namespaces;
use crate::config::{SysctlOwner, sysctl_owner};
use crate::container::refused::Refused;
use crate::container::spec::Spec;
use crate::container::steps::{InsideStep, NamespaceKind as Kind};

fn kind(owner: SysctlOwner) -> Kind {
    match owner {
        SysctlOwner::Ipc => Kind::Ipc,
        SysctlOwner::Uts => Kind::Uts,
        SysctlOwner::Network => Kind::Network,
        SysctlOwner::User => Kind::User,
    }
}

/// Names that a spec has fields for, which would overwrite another that a parameter gave.
fn named<'a>(spec: &'a Spec, key: &str) -> Option<(&'static str, &'a str)> {
    let name = spec.domainname.as_deref().filter(|name| key == "kernel.domainname" && !name.is_empty())?;
    Some(("domainname", name))
}

pub(super) fn steps(spec: &Spec, namespaces: &Namespaces) -> Result<Vec<InsideStep>, Refused> {
    let mut steps = Vec::new();
    for (key, value) in &spec.linux.sysctl {
        // sysctl(8) takes both; what follows a first slash is a path.
        let dotted = if key.find(['.', '/']).is_some_and(|at| key.as_bytes().get(at) == Some(&b'/')) {
            key.replace('/', ".")
        } else {
            key.clone()
        };
        let field = || format!("linux.sysctl.{key}");
        if dotted == "kernel.hostname" {
            return Err(Refused::new(field(), "it is what `hostname` is for"));
        }
        if let Some((other, name)) = named(spec, &dotted).filter(|(_, name)| name != value) {
            return Err(Refused::new(field(), format!("{other} says `{name}`")));
        }
        match sysctl_owner(&dotted).map(kind) {
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
