//! What a container gets: its spec and the steps to it, from the configuration, the image and the machine.

mod hardware;
mod spec;

use std::collections::BTreeMap;

use orlop::config::{self, CgroupMode, Config, Container, Pod};
use orlop::container::seccomp::Programs;
use orlop::container::{
    Confinement, Facts, Names, Plan, Refused, Root, Spec, capabilities, compile, compile_with, confinement,
    delegated_to, first_id, plan_with, root,
};
use orlop::ordered::Ordered;

use hardware::Hardware;

use super::boot::{self, Boot};
use super::cgroups::Filters;
use super::{files, records, store};
use crate::engine::{self, Failure};

/// What one start leaves for the next.
#[derive(Default)]
pub struct Compiled {
    pub programs: Programs,
    pub filters: Filters,
    pub images: store::Images,
}

/// What has to be known before there is a process.
pub struct Known {
    pub facts: Facts,
    pub confinement: Confinement,
    /// The ids of who may divide the container's cgroup, if anybody may.
    pub divider: Option<(u32, u32)>,
}

/// What all containers have in common.
pub struct Machine<'a> {
    pub config: &'a Config,
    pub boot: &'a Boot,
    /// Whose range of ids is which.
    pub slots: &'a BTreeMap<String, u32>,
}

impl Machine<'_> {
    /// Looks up what the plan is made of; its files in /etc are written, its filter is compiled.
    ///
    /// # Errors
    /// [`Failure`] naming what is missing, or cannot be done.
    pub fn look_up(
        &self,
        container: &Container,
        image: &store::Image,
        slot: u32,
        programs: &mut Programs,
    ) -> Result<Known, Failure> {
        let facts = self.facts_and_files(container, slot, programs)?;
        if let Some(filter) = &facts.seccomp {
            programs.of(filter).map_err(|refused| said(refused.into()))?;
        }
        let confinement = confinement(container, &facts);
        // How it is mounted tells, and of few it is mounted so.
        let divider = (container.cgroup == CgroupMode::Delegate)
            .then(|| compile(container, &image.defaults, &facts))
            .and_then(|spec| delegated_to(&spec));
        Ok(Known { facts, confinement, divider })
    }

    /// What a container gets, and how it comes to it. Asks nobody, and leaves nothing.
    ///
    /// # Errors
    /// [`Failure`] naming what is missing, or cannot be done.
    pub fn plan(
        &self,
        container: &Container,
        image: &store::Image,
        known: Known,
        programs: &mut Programs,
    ) -> Result<(Spec, Plan), Failure> {
        let (spec, root) = self.with_facts(container, image, &known.facts, known.confinement)?;
        let plan = plan_with(&spec, &root, programs).map_err(said)?;
        let plan = if container.init { plan.with_init() } else { plan };
        Ok((spec, plan))
    }

    /// Whether it could be started now; nothing is written.
    ///
    /// # Errors
    /// As [`Machine::plan`].
    pub fn could_start(
        &self,
        container: &Container,
        image: &store::Image,
        slot: u32,
        programs: &mut Programs,
    ) -> Result<(), Failure> {
        let facts = self.facts(container, slot, programs, Hardware::of(container)?)?;
        let confinement = confinement(container, &facts);
        let known = Known { facts, confinement, divider: None };
        self.plan(container, image, known, programs).map(drop)
    }

    /// What a container gets, and what it is made of; its files in /etc are written.
    ///
    /// # Errors
    /// As [`Machine::plan`].
    pub fn whole(
        &self,
        container: &Container,
        image: &store::Image,
        slot: u32,
        programs: &mut Programs,
    ) -> Result<(Spec, Root), Failure> {
        let facts = self.facts_and_files(container, slot, programs)?;
        let confinement = confinement(container, &facts);
        self.with_facts(container, image, &facts, confinement)
    }

    fn facts_and_files(
        &self,
        container: &Container,
        slot: u32,
        programs: &mut Programs,
    ) -> Result<Facts, Failure> {
        let directory = records::directory(&container.name);
        files::write_etc(container, &directory, self.config.host.dns.servers.is_empty())
            .map_err(|errno| Failure::new("files", &directory, errno))?;
        self.facts(container, slot, programs, Hardware::of(container)?)
    }

    fn with_facts(
        &self,
        container: &Container,
        image: &store::Image,
        facts: &Facts,
        confinement: Confinement,
    ) -> Result<(Spec, Root), Failure> {
        let spec = compile_with(container, &image.defaults, facts, confinement);
        if spec.process.as_ref().is_none_or(|process| process.args.is_empty()) {
            let why = "neither the image nor the configuration names a program";
            return Err(Failure::said("execute", why));
        }
        let quarter = self.boot.memory / 4;
        let upper_size = container.limits.memory.unwrap_or(quarter).min(quarter);
        let root = root(container, &image.defaults, facts, &image.layers, upper_size);
        Ok((spec, root))
    }

    /// The spec of a container that runs, and how it names its user.
    ///
    /// # Errors
    /// As [`Machine::plan`].
    pub fn spec(
        &self,
        container: &Container,
        image: &store::Image,
        slot: u32,
    ) -> Result<(Spec, Names), Failure> {
        // What is executed in it changes nothing of its devices, and they may be gone.
        let hardware = Hardware::default();
        let facts = self.facts(container, slot, &mut Programs::default(), hardware)?;
        let spec = compile(container, &image.defaults, &facts);
        Ok((spec, root(container, &image.defaults, &facts, &[], 0).names))
    }

    fn facts(
        &self,
        container: &Container,
        slot: u32,
        programs: &mut Programs,
        hardware: Hardware,
    ) -> Result<Facts, Failure> {
        let owner = container.pod.as_ref().map(Pod::owner_of_ids);
        let sized = |volume: &orlop::config::Volume| Some((volume.name.clone(), volume.size?));
        Ok(Facts {
            first_id: first_id(owner.and_then(|owner| self.slots.get(&owner)).copied().unwrap_or(slot)),
            disks: hardware.disks,
            devices: hardware.devices,
            thermal: hardware::thermal(),
            files: records::directory(&container.name),
            dev: engine::DEVICES.into(),
            volumes: boot::VOLUMES.into(),
            pods: engine::PODS.into(),
            volume_sizes: self.config.volumes.values().filter_map(sized).ordered(),
            seccomp: match &container.seccomp {
                config::Seccomp::Default => Some(programs.allowed(capabilities(container))),
                config::Seccomp::Unconfined | config::Seccomp::File(_) => {
                    files::seccomp(container, &self.boot.config_dir)?
                }
            },
        })
    }
}

fn said(refused: Refused) -> Failure {
    Failure::said(refused.field, refused.why)
}
