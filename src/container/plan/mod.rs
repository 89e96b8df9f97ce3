//! Spec and root → the steps of a start, in order, as data.

mod devices;
mod hooks;
mod mounts;
mod namespaces;
mod process;
mod sysctl;

pub use mounts::is_bind;
pub use namespaces::{host_id, kinds_of};

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::mount_options::{Propagation, Reach};
use super::refused::Refused;
use super::scheduling;
use super::seccomp::{self, Programs};
use super::spec::{Process, Spec};
use super::steps::{Files, InsideStep, Plan, Root, SetupStep, Taking};
use namespaces::Namespaces;

/// Orders everything that a start does.
///
/// # Errors
/// [`Refused`] for what cannot be done.
pub fn plan(spec: &Spec, root: &Root) -> Result<Plan, Refused> {
    plan_with(spec, root, &mut Programs::once())
}

/// As [`plan`], with the filters of earlier plans.
///
/// # Errors
/// [`Refused`] for what cannot be done.
pub fn plan_with(spec: &Spec, root: &Root, programs: &mut Programs) -> Result<Plan, Refused> {
    check_version(&spec.oci_version)?;
    hooks::check(&spec.hooks)?;
    let process = spec.process.as_ref().ok_or_else(|| Refused::new("process", "a start needs one"))?;
    let namespaces = Namespaces::of(&spec.linux)?;
    if let Some(rdt) = &spec.linux.intel_rdt
        && *rdt != super::spec::IntelRdt::default()
    {
        return Err(Refused::new("linux.intelRdt", "resource control of the processor is not done here"));
    }
    if !spec.linux.net_devices.is_empty() && !namespaces.has(super::steps::NamespaceKind::Network) {
        return Err(Refused::new("linux.netDevices", "they need a namespace of the type network"));
    }
    let mounts = mounts::order(spec, root, &namespaces)?;
    let mut setup = process::setup(process)?;
    setup.extend(roots(spec, root, &namespaces)?);
    let mut last = devices::steps(spec)?;
    if matches!(root.files, Files::Directory(_)) && process.cwd != "/" && !mounts.is_over(&process.cwd) {
        last.push(SetupStep::WorkingDirectory { at: process.cwd.clone() });
    }
    let (early, late) = if mounts.ends_inside { (Vec::new(), last) } else { (last, Vec::new()) };
    setup.extend(mounts.setup);
    setup.extend(early);
    // Hooks of the creation may still write to it.
    let hooked = !(spec.hooks.create_container.is_empty()
        && spec.hooks.create_runtime.is_empty()
        && spec.hooks.prestart.is_empty());
    let readonly = spec.root.as_ref().is_some_and(|root| root.readonly);
    let closed_late = hooked || mounts.ends_inside;
    setup.extend((readonly && !closed_late).then_some(SetupStep::RootReadOnly));
    setup.extend(process::rlimits(process)?);
    setup.extend(namespaces.after_mounts());
    // Most have fewer; a step is large, and to move all of them again and again costs a start more than any of them.
    let mut inside = Vec::with_capacity(64);
    inside.push(InsideStep::TakeRoot(namespaces.taking()));
    inside.extend(Namespaces::time_offsets(&spec.linux.time_offsets)?);
    inside.extend(namespaces.user.is_some().then_some(InsideStep::BecomeRoot));
    inside.extend(mounts.inside);
    inside.extend(late.into_iter().map(InsideStep::AsSetup));
    // With all mounts made, which is what hooks of the creation wait for.
    inside.extend((hooked || !spec.linux.net_devices.is_empty()).then_some(InsideStep::Meet));
    inside.extend(sysctl::steps(spec, &namespaces)?);
    if process.terminal {
        inside.extend([InsideStep::Terminal { size: process.console_size }, InsideStep::Console]);
    }
    inside.extend(mounts.last);
    inside.extend(paths(spec)?);
    if !spec.hooks.create_container.is_empty() {
        inside.push(InsideStep::Hooks(spec.hooks.create_container.clone()));
    }
    inside.extend((readonly && closed_late).then_some(InsideStep::RootReadOnly));
    inside.extend(process::labels(process));
    inside.push(InsideStep::PivotRoot);
    inside.extend(identity(spec, &namespaces)?);
    inside.extend(program(spec, process, root, programs)?);
    Ok(Plan { setup, inside })
}

fn check_version(version: &str) -> Result<(), Refused> {
    let mut parts = version.split(['.', '-', '+']);
    let is_number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u32>().is_ok());
    if parts.next() == Some("1") && is_number(parts.next()) && is_number(parts.next()) {
        return Ok(());
    }
    Err(Refused::new("ociVersion", format!("`{version}` is not 1.x.y, which is what is understood here")))
}

/// What makes the root, and the namespaces that it is made in.
fn roots(spec: &Spec, root: &Root, namespaces: &Namespaces) -> Result<Vec<SetupStep>, Refused> {
    let mut steps = Vec::new();
    if let Files::Layers { names, .. } = &root.files {
        steps.extend(names.iter().map(|id| SetupStep::MountLayer { diff_id: id.clone() }));
    }
    steps.extend(
        root.volumes
            .iter()
            .map(|volume| SetupStep::MountVolume { path: volume.path.clone(), size: volume.size }),
    );
    steps.extend(root.pod.iter().cloned().map(SetupStep::MakeNamespaces));
    let propagation = propagation(spec)?.map(|(propagation, _)| propagation);
    let of_all = match propagation {
        Some(Propagation::Shared) => Propagation::Shared,
        Some(Propagation::Private | Propagation::Unbindable) => Propagation::Private,
        Some(Propagation::Slave) | None => Propagation::Slave,
    };
    steps.push(SetupStep::NewMountNamespace { propagation: of_all });
    steps.extend(namespaces.before_mounts());
    steps.push(match &root.files {
        Files::Directory(path) => SetupStep::BindRoot { path: path.clone() },
        Files::Layers { names, upper_size } => {
            SetupStep::Overlay { layers: names.clone(), upper_size: *upper_size }
        }
    });
    Ok(steps)
}

fn propagation(spec: &Spec) -> Result<Option<(Propagation, Reach)>, Refused> {
    let Some(word) = spec.linux.rootfs_propagation.as_deref().filter(|word| !word.is_empty()) else {
        return Ok(None);
    };
    Propagation::named(word)
        .map(Some)
        .ok_or_else(|| Refused::new("linux.rootfsPropagation", format!("nobody knows `{word}`")))
}

fn paths(spec: &Spec) -> Result<Vec<InsideStep>, Refused> {
    let relative = spec.linux.masked_paths.iter().find(|path| !path.starts_with('/'));
    if let Some(path) = relative {
        return Err(Refused::new("linux.maskedPaths", format!("`{path}` is not absolute")));
    }
    let read_only = spec.linux.readonly_paths.iter().cloned().map(|path| InsideStep::ReadOnly { path });
    let masked = spec.linux.masked_paths.iter().cloned().map(|path| InsideStep::Mask { path });
    let mut steps: Vec<InsideStep> =
        Vec::with_capacity(spec.linux.readonly_paths.len() + spec.linux.masked_paths.len());
    for step in read_only.chain(masked) {
        // Said twice it is done once.
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    Ok(steps)
}

/// What the container is called, and whatever else its namespaces hold.
fn identity(spec: &Spec, namespaces: &Namespaces) -> Result<Vec<InsideStep>, Refused> {
    use super::steps::NamespaceKind as Kind;
    let mut steps = Vec::new();
    if let Some((propagation, reach)) = propagation(spec)? {
        steps.push(InsideStep::RootPropagation(propagation, reach));
    }
    for (field, name, step) in [
        ("hostname", &spec.hostname, InsideStep::Hostname as fn(_) -> _),
        ("domainname", &spec.domainname, InsideStep::DomainName as fn(_) -> _),
    ] {
        match name.as_deref().filter(|name| !name.is_empty()) {
            Some(_) if !namespaces.has(Kind::Uts) => {
                return Err(Refused::new(field, "it needs a namespace of the type uts"));
            }
            Some(name) => steps.push(step(name.to_owned())),
            None => {}
        }
    }
    if namespaces.is_new(Kind::Network) {
        steps.push(InsideStep::LoopbackUp);
    }
    Ok(steps)
}

/// From whoever made the container to the program in it: power is dropped in the order of
/// capabilities(7) and seccomp(2), and what can fail does so before `Ready`.
fn program(
    spec: &Spec,
    process: &Process,
    root: &Root,
    programs: &mut Programs,
) -> Result<Vec<InsideStep>, Refused> {
    let mut steps = Vec::with_capacity(24);
    steps.push(InsideStep::Keyring);
    if let Some(personality) = &spec.linux.personality {
        steps.push(InsideStep::Personality(scheduling::personality(personality)?));
    }
    if let Some(policy) = &spec.linux.memory_policy {
        steps.push(InsideStep::MemoryPolicy(scheduling::memory_policy(policy)?));
    }
    let filter = process::filter(spec.linux.seccomp.as_ref(), programs)?;
    steps.extend(process::become_it(process, &root.names, filter.as_ref())?);
    // Whoever answers system calls is told while the container is made.
    let asks = matches!(filter, Some(InsideStep::Seccomp { notifies: true, .. }));
    steps.extend(filter.clone().filter(|_| asks));
    steps.push(InsideStep::Ready);
    steps.push(InsideStep::Barrier);
    if !spec.hooks.start_container.is_empty() {
        steps.push(InsideStep::StartHooks(spec.hooks.start_container.clone()));
    }
    let mut last = process::last(process, filter)?;
    last.retain(|step| !(asks && matches!(step, InsideStep::Seccomp { .. })));
    steps.extend(last);
    Ok(steps)
}

/// As [`plan`], for a process that joins a running container whose spec this is.
///
/// # Errors
/// [`Refused`] for what cannot be done.
pub fn plan_exec(spec: &Spec, process: &Process, names: &super::steps::Names) -> Result<Plan, Refused> {
    let filter = process::filter(spec.linux.seccomp.as_ref(), &mut Programs::once())?;
    let mut inside = Vec::from([InsideStep::TakeRoot(Taking::Joined)]);
    let mapped = kinds_of(&spec.linux)?.iter().any(|(kind, _)| *kind == super::steps::NamespaceKind::User);
    inside.extend(mapped.then_some(InsideStep::BecomeRoot));
    inside.extend(process.terminal.then_some(InsideStep::Terminal { size: process.console_size }));
    inside.extend(process::labels(process));
    if let Some(personality) = &spec.linux.personality {
        inside.push(InsideStep::Personality(scheduling::personality(personality)?));
    }
    if let Some(policy) = &spec.linux.memory_policy {
        inside.push(InsideStep::MemoryPolicy(scheduling::memory_policy(policy)?));
    }
    inside.extend(process::become_it(process, names, filter.as_ref())?);
    inside.extend([InsideStep::Ready, InsideStep::Barrier]);
    inside.extend(process::last(process, filter)?);
    let affinity = process.exec_cpu_affinity.clone().unwrap_or_default();
    let [initial, last] = scheduling::affinity(&affinity)?;
    inside.splice(1..1, last.map(InsideStep::Cpus));
    let mut setup: Vec<SetupStep> = initial.map(SetupStep::Cpus).into_iter().collect();
    setup.extend(process::setup(process)?);
    setup.extend(process::rlimits(process)?);
    setup.push(SetupStep::Clone { namespaces: Vec::new() });
    Ok(Plan { setup, inside })
}

impl From<seccomp::Refused> for Refused {
    fn from(refused: seccomp::Refused) -> Self {
        Self::new("linux.seccomp", refused.to_string())
    }
}
