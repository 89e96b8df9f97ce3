//! From root of a namespace to a user's program, in the order that loses no power too late and none
//! too early.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::Capabilities;
use crate::container::refused::Refused;
use crate::container::scheduling;
use crate::container::seccomp::{Action, Programs, Seccomp};
use crate::container::spec::{self, Process, Rlimit};
use crate::container::steps::{CapabilitySets, InsideStep, Names, SetupStep};

/// A container that says nothing of its own has the usual one.
const UMASK: u32 = 0o022;

/// What children inherit, and only the engine's privileges reach: before the container is there.
pub(super) fn setup(process: &Process) -> Result<Vec<SetupStep>, Refused> {
    let mut steps = Vec::new();
    if let Some(score) = process.oom_score_adj {
        if !(-1000..=1000).contains(&score) {
            return Err(Refused::new("process.oomScoreAdj", "it is from -1000 to 1000"));
        }
        // Whatever comes of a start, it is no more worth than what it starts.
        steps.push(SetupStep::OomScore(score));
    }
    if let Some(scheduler) = &process.scheduler {
        let scheduling = scheduling::scheduling(scheduler)?;
        if !scheduling.is_deadline() {
            steps.push(SetupStep::Scheduler(scheduling));
        }
    }
    if let Some(priority) = &process.io_priority {
        let (class, priority) = scheduling::io_priority(priority)?;
        steps.push(SetupStep::IoPriority { class, priority });
    }
    Ok(steps)
}

/// Last of all that setup does, which they could hinder.
pub(super) fn rlimits(process: &Process) -> Result<Vec<SetupStep>, Refused> {
    let mut steps = Vec::new();
    for (index, Rlimit { kind, soft, hard }) in process.rlimits.iter().enumerate() {
        let field = || format!("process.rlimits[{index}]");
        if process.rlimits.iter().take(index).any(|other| other.kind == *kind) {
            return Err(Refused::new(field(), format!("`{kind}` is there already")));
        }
        if soft > hard {
            return Err(Refused::new(field(), format!("{soft} is more than the hard limit, {hard}")));
        }
        steps.push(SetupStep::Rlimit { kind: kind.clone(), soft: *soft, hard: *hard });
    }
    Ok(steps)
}

/// Before the container's own /proc could answer for it.
pub(super) fn labels(process: &Process) -> Vec<InsideStep> {
    let named = |label: &Option<String>| label.clone().filter(|label| !label.is_empty());
    let apparmor = named(&process.apparmor_profile).map(InsideStep::AppArmor);
    apparmor.into_iter().chain(named(&process.selinux_label).map(InsideStep::Selinux)).collect()
}

/// A set by the names of capabilities(7).
fn set(field: &str, names: &[String]) -> Result<u64, Refused> {
    let mut set = 0;
    for name in names {
        match Capabilities::named(name) {
            Some(Capabilities(bit)) => set |= bit,
            None => {
                let field = format!("process.capabilities.{field}");
                return Err(Refused::new(field, format!("nobody knows `{name}`")));
            }
        }
    }
    Ok(set)
}

fn capabilities(process: &Process) -> Result<(u64, CapabilitySets), Refused> {
    let none = spec::Capabilities::default();
    let wanted = process.capabilities.as_ref().unwrap_or(&none);
    let sets = CapabilitySets {
        effective: set("effective", &wanted.effective)?,
        permitted: set("permitted", &wanted.permitted)?,
        inheritable: set("inheritable", &wanted.inheritable)?,
        ambient: set("ambient", &wanted.ambient)?,
    };
    // capset(2) and prctl(2) would refuse them without a name.
    for (field, inner, outer, name) in [
        ("effective", sets.effective, sets.permitted, "permitted"),
        ("ambient", sets.ambient, sets.permitted & sets.inheritable, "permitted and inheritable"),
    ] {
        if let Some(name_of_one) = Capabilities(inner & !outer).names().next() {
            let field = format!("process.capabilities.{field}");
            return Err(Refused::new(field, format!("{name_of_one} is not in {name}")));
        }
    }
    Ok((set("bounding", &wanted.bounding)?, sets))
}

/// The largest number means nobody: to the kernel that nothing is to change.
fn user(user: &spec::User) -> Result<(), Refused> {
    let refuse = |field: &str, id: u32| {
        Err(Refused::new(format!("process.user.{field}"), format!("{id} is nobody's number")))
    };
    let groups = user.additional_gids.iter().map(|gid| ("additionalGids", *gid));
    for (field, id) in [("uid", user.uid), ("gid", user.gid)].into_iter().chain(groups) {
        if id == u32::MAX {
            return refuse(field, id);
        }
    }
    match user.umask {
        Some(umask) if umask > 0o777 => {
            let why = format!("{umask:#o} has more than permissions");
            Err(Refused::new("process.user.umask", why))
        }
        Some(_) | None => Ok(()),
    }
}

/// What execve(2) is given ends with a NUL, and has none.
fn words(field: &str, words: &[String]) -> Result<(), Refused> {
    match words.iter().position(|word| word.contains('\0')) {
        Some(index) => Err(Refused::new(format!("{field}[{index}]"), "there is a NUL in it")),
        None => Ok(()),
    }
}

/// All before the barrier.
pub(super) fn become_it(
    process: &Process,
    names: &Names,
    filter: Option<&InsideStep>,
) -> Result<Vec<InsideStep>, Refused> {
    let (bounding, sets) = capabilities(process)?;
    if !process.cwd.starts_with('/') {
        return Err(Refused::new("process.cwd", format!("`{}` is not absolute", process.cwd)));
    }
    if process.args.is_empty() {
        return Err(Refused::new("process.args", "there is no program in it"));
    }
    user(&process.user)?;
    words("process.args", &process.args)?;
    words("process.env", &process.env)?;
    let mut steps = Vec::new();
    if let Some(scheduler) = &process.scheduler {
        let scheduling = scheduling::scheduling(scheduler)?;
        steps.extend(scheduling.is_deadline().then_some(InsideStep::Scheduler(scheduling)));
    }
    steps.push(InsideStep::ResolveUser { user: process.user.clone(), names: names.clone() });
    steps.extend(process.no_new_privileges.then_some(InsideStep::NoNewPrivileges));
    steps.push(InsideStep::BoundCapabilities(bounding));
    steps.extend((process.cwd != "/").then(|| InsideStep::TryWorkingDirectory(process.cwd.clone())));
    steps.push(InsideStep::BecomeUser);
    steps.push(InsideStep::Capabilities(match needs_admin(process, filter) {
        true => CapabilitySets {
            effective: sets.effective | SYS_ADMIN,
            permitted: sets.permitted | SYS_ADMIN,
            ..sets
        },
        false => sets,
    }));
    steps.push(InsideStep::WorkingDirectory(process.cwd.clone()));
    steps.push(InsideStep::FindProgram { args: process.args.clone() });
    Ok(steps)
}

/// After the barrier.
pub(super) fn last(process: &Process, filter: Option<InsideStep>) -> Result<Vec<InsideStep>, Refused> {
    let mut steps = Vec::new();
    steps.push(InsideStep::Prepare { umask: process.user.umask.unwrap_or(UMASK) });
    let lower = needs_admin(process, filter.as_ref());
    steps.extend(filter);
    let (_, sets) = capabilities(process)?;
    if lower && sets.effective & SYS_ADMIN == 0 {
        steps.push(InsideStep::LowerCapabilities(sets));
    }
    steps.push(InsideStep::Execute { args: process.args.clone() });
    Ok(steps)
}

/// CAP_SYS_ADMIN of linux/capability.h.
const SYS_ADMIN: u64 = 1 << 21;

/// Without no_new_privs the kernel takes a filter only from those who have it (seccomp(2)).
fn needs_admin(process: &Process, filter: Option<&InsideStep>) -> bool {
    filter.is_some() && !process.no_new_privileges
}

/// Where it goes depends on no_new_privs.
pub(super) fn filter(
    seccomp: Option<&Arc<Seccomp>>,
    programs: &mut Programs,
) -> Result<Option<InsideStep>, Refused> {
    let Some(filter) = seccomp else { return Ok(None) };
    let mut actions = filter.syscalls.iter().map(|rule| rule.action).chain([filter.default_action]);
    let notifies = actions.any(|action| action == Action::Notify);
    if notifies && filter.listener_path.is_none() {
        return Err(Refused::new("linux.seccomp.listenerPath", "SCMP_ACT_NOTIFY asks somebody who listens"));
    }
    let program = programs.of(filter)?;
    Ok(Some(InsideStep::Seccomp { program, flags: filter.flags.clone(), notifies }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn refuses_capabilities_that_nobody_knows_or_could_have() {
        let check = |wanted: spec::Capabilities, expected: Option<&str>| {
            let process = Process { capabilities: Some(wanted), ..Process::default() };
            let refused = capabilities(&process).err().map(|refused| refused.to_string());
            assert_eq!(refused.as_deref(), expected);
        };
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        check(
            spec::Capabilities { bounding: names(&["CAP_FLY"]), ..Default::default() },
            Some("process.capabilities.bounding: nobody knows `CAP_FLY`"),
        );
        check(
            spec::Capabilities { effective: names(&["CAP_KILL"]), ..Default::default() },
            Some("process.capabilities.effective: CAP_KILL is not in permitted"),
        );
        check(
            spec::Capabilities {
                permitted: names(&["CAP_KILL"]),
                ambient: names(&["CAP_KILL"]),
                ..Default::default()
            },
            Some("process.capabilities.ambient: CAP_KILL is not in permitted and inheritable"),
        );
    }
}
