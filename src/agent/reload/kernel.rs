//! What the kernel has beside what is in force: limits and standing still of containers that run, and of the machine its
//! name and parameters. Of containers it runs in an errand: some of the files take the kernel's locks, and there may be hundreds.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use nix::unistd::{SysconfVar, gethostname, sysconf};
use orlop::config::{Config, Limits};
use orlop::container::Setting;
use orlop::container::drift::{Changer, Difference, Found, Group, decode_updated, differences, same_sysctl};
use orlop::control::KernelDrift;
use orlop::ordered::Ordered;
use orlop::supervisor::StateKind;

use crate::agent::live::{MARKED, PAUSED, UPDATED};
use crate::agent::{Agent, cgroups};
use crate::engine::limits;
use crate::linux::{cgroup, mark, node, sysctl};

const PAGE: u64 = 4096;

/// What is in force, as an errand takes it along.
#[derive(Default)]
pub struct Beside {
    containers: Vec<Declared>,
    machine: Machine,
}

/// What is declared of the machine itself.
#[derive(Default)]
struct Machine {
    hostname: String,
    sysctls: BTreeMap<String, String>,
}

struct Declared {
    name: String,
    limits: Limits,
    /// It was started by another declaration: devices are limited as that one said.
    is_older: bool,
}

/// A container's cgroups, while they are there.
struct Groups {
    outer: OwnedFd,
    main: Option<OwnedFd>,
}

impl Agent {
    pub fn beside_the_kernel(&self) -> Beside {
        let since = &self.reloading.current.since;
        let runs =
            |name: &&String| self.core.status(name).is_some_and(|status| status.state == StateKind::Running);
        let declared = |name: &String| {
            let made = self.core.record(name).map_or(0, |record| record.made);
            let is_older = since.get(name).is_some_and(|since| *since > made);
            let limits = self.config.containers.get(name)?.limits.clone();
            Some(Declared { name: name.clone(), limits, is_older })
        };
        Beside {
            containers: self.config.containers.keys().filter(runs).filter_map(declared).collect(),
            machine: Machine::of(&self.config),
        }
    }

    /// What others changed of the machine's name and parameters, as long as these are not written.
    pub(super) fn changed_of_the_machine(&self) -> Vec<KernelDrift> {
        Machine::of(&self.config).differences()
    }

    /// Of that, what is as it is declared again, now that these were written. What is declared otherwise by now was
    /// asked for.
    pub(super) fn righted_of_the_machine(&self, changed: Vec<KernelDrift>) -> Vec<String> {
        let machine = Machine::of(&self.config);
        let left = machine.differences();
        let is_right = |it: &KernelDrift| {
            machine.declares(&it.key) == Some(&it.declared) && !left.iter().any(|left| left.key == it.key)
        };
        let righted = changed.into_iter().filter(is_right);
        righted
            .map(|it| format!("{} is {} again, the kernel had {}", it.key, it.declared, it.found))
            .collect()
    }
}

impl Beside {
    /// Those of these names alone.
    pub fn only(mut self, names: &[String]) -> Self {
        self.containers.retain(|it| names.contains(&it.name));
        self
    }

    /// What others changed of limits that are about to be written anyway, each with the container's name: true once they are.
    pub fn written_over(&self) -> Vec<(&str, String)> {
        let mut found = Vec::new();
        for declared in &self.containers {
            let Some(groups) = Groups::of(&declared.name) else { continue };
            let strangers = groups.differences(declared).into_iter().filter(|it| it.by == Changer::Stranger);
            found.extend(strangers.map(|it| {
                let line = format!(
                    "{}: {} is as it is declared, the kernel had {}",
                    declared.name, it.key, it.found
                );
                (declared.name.as_str(), line)
            }));
        }
        found
    }

    pub fn has_no_containers(&self) -> bool {
        self.containers.is_empty()
    }

    pub fn differences(&self) -> Vec<KernelDrift> {
        let mut found = self.machine.differences();
        for declared in &self.containers {
            // One that has ended meanwhile has none.
            let Some(groups) = Groups::of(&declared.name) else { continue };
            found.extend(groups.differences(declared).into_iter().map(|it| drift(&declared.name, it)));
            found.extend(groups.stands_still().then(|| still(&declared.name)));
        }
        found
    }

    /// Has what a stranger changed of containers as it is declared again; what it was, and what could not be done.
    pub fn put_right(&self, problems: &mut Vec<String>) -> Vec<String> {
        let mut righted = Vec::new();
        for declared in &self.containers {
            let Some(groups) = Groups::of(&declared.name) else { continue };
            let name = &declared.name;
            for difference in groups.differences(declared) {
                if difference.by == Changer::Update {
                    continue;
                }
                let Difference { key, declared, found, setting, .. } = &difference;
                match groups.write(setting) {
                    Ok(()) => {
                        righted.push(format!("{name}: {key} is {declared} again, the kernel had {found}"))
                    }
                    Err(errno) => problems.push(format!("container.{name}.{key}: {}", errno.desc())),
                }
            }
            if groups.stands_still() {
                match groups.let_go_on() {
                    Ok(()) => {
                        righted.push(format!("{name}: goes on, it stood still and nobody had paused it"))
                    }
                    Err(errno) => problems.push(format!("container.{name}: cgroup.freeze: {}", errno.desc())),
                }
            }
        }
        righted
    }
}

impl Machine {
    fn of(config: &Config) -> Self {
        Self { hostname: config.host.hostname.clone(), sysctls: config.host.sysctls.clone() }
    }

    fn declares(&self, key: &str) -> Option<&String> {
        match key.strip_prefix("host.sysctls.") {
            Some(key) => self.sysctls.get(key),
            None => (key == "host.hostname").then_some(&self.hostname),
        }
    }

    fn differences(&self) -> Vec<KernelDrift> {
        let mut found = Vec::new();
        if let Ok(name) = gethostname()
            && name.to_string_lossy() != self.hostname
        {
            found.push(of_host(
                "host.hostname".into(),
                self.hostname.clone(),
                name.to_string_lossy().into_owned(),
            ));
        }
        for (key, declared) in &self.sysctls {
            match sysctl::read_sysctl(key) {
                Ok(value) if same_sysctl(declared, &value) => {}
                Ok(value) => {
                    let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
                    found.push(of_host(format!("host.sysctls.{key}"), declared.clone(), value));
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    found.push(of_host(format!("host.sysctls.{key}"), declared.clone(), "none such".into()));
                }
                // One that can only be written.
                Err(_) => {}
            }
        }
        found
    }
}

impl Groups {
    fn of(name: &str) -> Option<Self> {
        let outer = cgroup::open_path(&cgroups::path(name)).ok()?;
        let main = cgroup::open_below(outer.as_fd(), cgroups::MAIN).ok();
        Some(Self { outer, main })
    }

    fn differences(&self, declared: &Declared) -> Vec<Difference> {
        let updated = mark::get(self.outer.as_fd(), UPDATED).ok().flatten().unwrap_or_default();
        let read = |group: Group, file: &str| {
            let group = match group {
                Group::Outer => self.outer.as_fd(),
                Group::Main => self.main.as_ref()?.as_fd(),
            };
            cgroup::read(group, file).ok()
        };
        let disks = declared
            .limits
            .io
            .iter()
            .filter_map(|limit| Some((limit.device.clone(), node::block_device(&limit.device).ok()?)));
        let disks = disks.ordered();
        let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
        let found = Found {
            read: &read,
            updated: &decode_updated(&updated),
            disks: Some(&disks).filter(|_| !declared.is_older),
            page: page.and_then(|page| u64::try_from(page).ok()).unwrap_or(PAGE),
        };
        // What is refused was refused at its start.
        differences(&declared.limits, &found).unwrap_or_default()
    }

    fn all(&self) -> impl Iterator<Item = &OwnedFd> {
        [Some(&self.outer), self.main.as_ref()].into_iter().flatten()
    }

    fn write(&self, setting: &Setting) -> crate::linux::Result<()> {
        let places = match setting.place {
            orlop::container::Place::Outer => 1,
            orlop::container::Place::Both => 2,
        };
        self.all().take(places).try_for_each(|group| limits::write_or_instead(group.as_fd(), setting))
    }

    /// And no person has it so.
    fn stands_still(&self) -> bool {
        let is_frozen = |group: &OwnedFd| {
            cgroup::read(group.as_fd(), "cgroup.freeze").is_ok_and(|text| text.trim() == "1")
        };
        // Asked before and after: a pause, or its end, may be under way.
        let paused = self.may_be_paused();
        match (is_frozen(&self.outer), self.main.as_ref().is_some_and(is_frozen)) {
            (_, true) => true,
            (true, false) => paused == Ok(false) && self.may_be_paused() == Ok(false),
            (false, false) => false,
        }
    }

    /// By a person, for all that is known: a release that marked nothing left no mark of that either.
    fn may_be_paused(&self) -> crate::linux::Result<bool> {
        let has = |name| Ok(mark::get(self.outer.as_fd(), name)?.is_some());
        Ok(!has(MARKED)? || has(PAUSED)?)
    }

    fn let_go_on(&self) -> crate::linux::Result<()> {
        if let Some(main) = &self.main {
            cgroup::thaw(main.as_fd())?;
        }
        // A person's holds, whatever stood still below, and also one that comes meanwhile: its mark is written first.
        if self.may_be_paused()? {
            return Ok(());
        }
        cgroup::thaw(self.outer.as_fd())?;
        if self.may_be_paused()? { cgroup::freeze(self.outer.as_fd()) } else { Ok(()) }
    }
}

fn drift(name: &str, difference: Difference) -> KernelDrift {
    let text = format!("{name}: {difference}");
    let Difference { key, declared, found, file, by, .. } = difference;
    let updated = match by {
        Changer::Update => true,
        Changer::Stranger => false,
    };
    KernelDrift { container: Some(name.to_owned()), key, declared, found, file: Some(file), updated, text }
}

fn still(name: &str) -> KernelDrift {
    KernelDrift {
        container: Some(name.to_owned()),
        key: "pause".into(),
        declared: "goes on".into(),
        found: "stands still".into(),
        file: Some("cgroup.freeze".into()),
        updated: false,
        text: format!("{name}: nobody has paused it, and it stands still (cgroup cgroup.freeze)"),
    }
}

fn of_host(key: String, declared: String, found: String) -> KernelDrift {
    let text = format!("{key} is {declared}, the kernel has {found}");
    KernelDrift { container: None, key, declared, found, file: None, updated: false, text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::testing::in_own_cgroup;

    /// With these marks and what of it is frozen: whether it is told to stand still, and what is frozen once it was let go on.
    #[track_caller]
    fn check(marks: &[&std::ffi::CStr], frozen: [bool; 2], stands_still: bool, then: [bool; 2]) {
        in_own_cgroup(|cgroup| {
            let main = cgroup::make(cgroup, cgroups::MAIN).unwrap();
            let groups = Groups { outer: cgroup.try_clone_to_owned().unwrap(), main: Some(main) };
            marks.iter().for_each(|name| mark::set(cgroup, name, "").unwrap());
            let both = || groups.all().map(AsFd::as_fd);
            both().zip(frozen).filter(|(_, is)| *is).for_each(|(group, _)| cgroup::freeze(group).unwrap());
            let told = groups.stands_still();
            groups.let_go_on().unwrap();
            let now: Vec<bool> =
                both().map(|group| cgroup::read(group, "cgroup.freeze").unwrap().trim() == "1").collect();
            cgroup::remove(cgroup, cgroups::MAIN).unwrap();
            assert_eq!((told, now), (stands_still, then.to_vec()), "{marks:?} {frozen:?}");
        });
    }

    #[test]
    fn what_a_stranger_froze_goes_on_and_what_a_person_paused_does_not() {
        check(&[MARKED], [false, false], false, [false, false]);
        check(&[MARKED], [true, false], true, [false, false]);
        check(&[MARKED], [true, true], true, [false, false]);
        check(&[MARKED, PAUSED], [true, false], false, [true, false]);
        // The person's holds, whatever stood still below.
        check(&[MARKED, PAUSED], [true, true], true, [true, false]);
    }

    #[test]
    fn a_pause_that_comes_meanwhile_holds() {
        in_own_cgroup(|cgroup| {
            let groups = Groups { outer: cgroup.try_clone_to_owned().unwrap(), main: None };
            mark::set(cgroup, MARKED, "").unwrap();
            for _ in 0..2000 {
                mark::remove(cgroup, PAUSED).unwrap();
                cgroup::freeze(cgroup).unwrap();
                // As `orlop pause` does it.
                let pause = || mark::set(cgroup, PAUSED, "").and_then(|()| cgroup::freeze(cgroup)).unwrap();
                std::thread::scope(|scope| {
                    scope.spawn(pause);
                    groups.let_go_on().unwrap();
                });
                assert_eq!(cgroup::read(cgroup, "cgroup.freeze").unwrap().trim(), "1");
            }
        });
    }

    #[test]
    fn where_no_pause_was_marked_each_may_be_a_persons() {
        check(&[], [true, false], false, [true, false]);
        check(&[], [true, true], true, [true, false]);
    }
}
