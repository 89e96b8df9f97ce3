//! Limits of a container: from the specification's words to the files of its cgroup.

use std::os::fd::{AsFd, BorrowedFd};

use orlop::container::spec::{Device, DeviceRule, Resources};
use orlop::container::{Refused, Setting, Spec, When, devices, settings};

use super::cgroup::{self, Hierarchy};
use super::failure::{Failure, Result, at};
use super::record::Cgroup;
use crate::engine::{self, limits};
use crate::linux::cgroup::Origin;

/// What is to be in force before the first process enters, or from now on.
pub(crate) struct Limits {
    settings: Vec<Setting>,
    /// What comes into force when the container is ready.
    late: Vec<Setting>,
    filter: Option<Vec<devices::Instruction>>,
}

/// Those of a container to be made.
///
/// # Errors
/// What cannot be limited; anything at all where there is no cgroup v2.
pub(crate) fn of_new(spec: &Spec, hierarchy: &Hierarchy, path: &str) -> Result<Limits> {
    let settings = settings(&spec.linux.resources, When::Start).map_err(refused)?;
    let filter = filter(&spec.linux.resources.devices, &spec.linux.devices)?;
    let Err(why) = hierarchy.root_for(path) else {
        let (late, settings) = settings.into_iter().partition(Setting::counts_processes);
        // Whoever was only lent a cgroup opens no device that is not open to that user anyway, and loads no filter.
        let filter = matches!(hierarchy, Hierarchy::Unified(_)).then_some(filter);
        return Ok(Limits { settings, late, filter });
    };
    match settings.iter().find(|setting| !is_none(&setting.value)) {
        Some(asked) => Err(Failure::new(format!(
            "linux.resources: {} = {} needs cgroup v2, and {why}",
            asked.file, asked.value
        ))),
        None => Ok(Limits { settings: Vec::new(), late: Vec::new(), filter: None }),
    }
}

/// Others for a container that runs: what they do not name stays.
///
/// # Errors
/// What cannot be limited, by its field.
pub(crate) fn of_update(wanted: &Resources, declared: &[Device], when: When<'_>) -> Result<Limits> {
    let settings = settings(wanted, when).map_err(refused)?;
    let changed = !wanted.devices.is_empty();
    let filter = if changed { Some(filter(&wanted.devices, declared)?) } else { None };
    Ok(Limits { settings, late: Vec::new(), filter })
}

fn refused(refused: Refused) -> Failure {
    Failure::new(refused.to_string())
}

fn filter(rules: &[DeviceRule], declared: &[Device]) -> Result<Vec<devices::Instruction>> {
    devices::rules(rules, declared).and_then(|rules| devices::program(&rules)).map_err(refused)
}

/// What limits nothing can be had without a cgroup.
fn is_none(value: &str) -> bool {
    value == "max" || value.starts_with("max ")
}

impl Limits {
    /// In their order.
    ///
    /// # Errors
    /// The first that the kernel refuses; those before it stand.
    pub(crate) fn apply(&self, directory: BorrowedFd<'_>) -> Result<()> {
        write(directory, &self.settings)?;
        match &self.filter {
            Some(filter) => limits::load(filter)
                .and_then(|loaded| limits::attach(directory, Origin::Found, &loaded))
                .map_err(said),
            None => Ok(()),
        }
    }

    /// Those that setup would not fit under: it has gone.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub(crate) fn apply_late(&self, cgroup: Option<&Cgroup>) -> Result<()> {
        match cgroup {
            Some(cgroup) if !self.late.is_empty() => {
                let directory = cgroup::open(&cgroup.path).map_err(at("cgroup"))?;
                write(directory.as_fd(), &self.late)
            }
            _ => Ok(()),
        }
    }
}

fn said(failure: engine::Failure) -> Failure {
    Failure::of_start(&failure)
}

fn write(directory: BorrowedFd<'_>, settings: &[Setting]) -> Result<()> {
    settings.iter().try_for_each(|setting| limits::write(directory, setting).map_err(said))
}
