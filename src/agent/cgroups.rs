//! The cgroups of one container: `containers/NAME` with the limits, `main` for its processes and, before
//! them, for the one that prepares it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::container::{Confinement, Place, Refused, Setting, When, devices, settings};
use orlop::supervisor::Shortage;

use super::compile::Known;
use super::live::MARKED;
use crate::engine::{Failure, limits};
use crate::linux::cgroup::Origin;
use crate::linux::{Errno, Result, cgroup, mark};

pub const PARENT: &str = "containers";
/// In the name of a cgroup for what is left of one that was replaced, and of no container's.
const ASIDE: char = '~';
/// For its processes; the root of its cgroup namespace.
pub const MAIN: &str = "main";

/// The cgroup of a container that holds its limits and its figures.
pub fn path(name: &str) -> String {
    format!("{PARENT}/{name}")
}

/// Where that goes that is left of a generation.
pub fn aside(name: &str, generation: u64) -> String {
    format!("{name}{ASIDE}{generation}")
}

/// Those that are empty by now.
pub fn forget_aside() {
    let Ok(parent) = cgroup::open_path(PARENT) else { return };
    let parent = parent.as_fd();
    for name in cgroup::below(parent).unwrap_or_default().iter().filter(|name| name.contains(ASIDE)) {
        // Of the others something is left still.
        let _ = cgroup::remove(parent, name);
    }
}

pub struct Cgroups {
    pub outer: OwnedFd,
    /// cgroup.events of `outer`: ready (EPOLLPRI) when it changes.
    pub events: OwnedFd,
    /// What comes into force when the container is there; `None`: it is.
    late: Option<Vec<Setting>>,
}

impl Cgroups {
    /// Makes the container's cgroups; the filter of devices and every limit that setup fits under are in
    /// force before anything enters.
    ///
    /// # Errors
    /// [`Failure`] naming the field or the file that was refused.
    pub fn make(
        name: &str,
        known: &Known,
        filters: &mut Filters,
    ) -> core::result::Result<(Self, OwnedFd), Failure> {
        let Confinement { resources, devices: nodes } = &known.confinement;
        let refused = |refused: Refused| Failure::said("limits", refused.to_string());
        let wanted = settings(resources, When::Start).map_err(refused)?;
        let rules = devices::rules(&resources.devices, nodes).map_err(refused)?;
        let filter = devices::program(&rules).map_err(refused)?;
        let fail = |object: &str| {
            let object = object.to_owned();
            move |errno| Failure::new("cgroup", object, errno)
        };
        let parent = cgroup::open_path(PARENT).map_err(fail(PARENT))?;
        let (outer, origin) = cgroup::make_or_find(parent.as_fd(), name).map_err(fail(name))?;
        cgroup::enable_controllers(outer.as_fd());
        let main = cgroup::make(outer.as_fd(), MAIN).map_err(fail(MAIN))?;
        let (late, wanted): (Vec<Setting>, _) = wanted.into_iter().partition(Setting::counts_processes);
        write(outer.as_fd(), Some(main.as_fd()), &wanted)?;
        filters.attach(outer.as_fd(), origin, filter)?;
        if let Some((uid, gid)) = known.divider {
            cgroup::delegate(main.as_fd(), uid, gid).map_err(fail("cgroup.procs"))?;
        }
        let cgroups = Self::of(outer).map_err(fail("cgroup.events"))?;
        // Where none can be kept, a pause is not told from what others do.
        let _ = mark::set(cgroups.outer.as_fd(), MARKED, "");
        Ok((Self { late: Some(late), ..cgroups }, main))
    }

    /// Limits how many processes there may be, once the container is there: no other is made for it.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub fn limit_processes(&mut self) -> core::result::Result<(), Failure> {
        let late = self.late.take().unwrap_or_default();
        if late.is_empty() {
            return Ok(());
        }
        let main = cgroup::open_below(self.outer.as_fd(), MAIN);
        let main = main.map_err(|errno| Failure::new("cgroup", MAIN, errno))?;
        write(self.outer.as_fd(), Some(main.as_fd()), &late)
    }

    /// Other limits than those it is started with: what is to be written of them at once.
    pub fn change_limits(&mut self, settings: Vec<Setting>) -> Vec<Setting> {
        let Some(late) = &mut self.late else { return settings };
        let (later, at_once) = settings.into_iter().partition(Setting::counts_processes);
        *late = later;
        at_once
    }

    /// Those that a container of an earlier supervisor lives in.
    ///
    /// # Errors
    /// ENOENT when they are gone.
    pub fn open(name: &str) -> Result<Self> {
        Self::of(cgroup::open_path(&format!("{PARENT}/{name}"))?)
    }

    fn of(outer: OwnedFd) -> Result<Self> {
        let events = cgroup::watch(outer.as_fd(), "cgroup.events")?;
        Ok(Self { outer, events, late: None })
    }

    /// Whether any process is in there. Reading also arms the next EPOLLPRI.
    pub fn is_populated(&self) -> bool {
        match cgroup::reread(self.events.as_fd()) {
            Ok(text) => cgroup::keyed(&text, "populated") != Some(0),
            Err(_) => false,
        }
    }

    /// Whether all of it stands still. Not while it is waited for to empty: reading takes the
    /// announcement away.
    pub fn is_frozen(&self) -> bool {
        cgroup::reread(self.events.as_fd()).is_ok_and(|text| cgroup::keyed(&text, "frozen") == Some(1))
    }

    /// Whose memory ran out, if the kernel has killed in this generation for want of it. Kills are counted where
    /// the victim was, and in `oom` where the limit was: here, if it was of this cgroup or of one in it.
    pub fn shortage(&self) -> Option<Shortage> {
        let events = cgroup::read(self.outer.as_fd(), "memory.events").ok()?;
        shortage(&events, || cgroup::read(self.outer.as_fd(), "memory.max").ok()?.trim().parse().ok())
    }

    /// Kills everything in there.
    ///
    /// # Errors
    /// As write(2); ENODEV when it is gone, which is as good.
    pub fn kill(&self) -> Result<()> {
        match cgroup::kill(self.outer.as_fd()) {
            Err(Errno::ENODEV | Errno::ENOENT) => Ok(()),
            other => other,
        }
    }
}

/// Filters of devices in the kernel. The one that most containers share is loaded once: a start then
/// costs no more than its attachment.
#[derive(Default)]
pub struct Filters(Option<(Vec<devices::Instruction>, OwnedFd)>);

impl Filters {
    /// From here on this program alone decides for the cgroup and what is below it. Where there can
    /// be none before, one system call does; else that one is replaced.
    ///
    /// # Errors
    /// [`Failure`], with the kernel's reason when it did not take the program.
    pub fn attach(
        &mut self,
        cgroup: BorrowedFd<'_>,
        origin: Origin,
        program: Vec<devices::Instruction>,
    ) -> core::result::Result<(), Failure> {
        match &self.0 {
            Some((loaded, filter)) if *loaded == program => limits::attach(cgroup, origin, filter),
            Some(_) => limits::attach(cgroup, origin, &limits::load(&program)?),
            None => {
                let filter = limits::load(&program)?;
                limits::attach(cgroup, origin, &filter)?;
                self.0 = Some((program, filter));
                Ok(())
            }
        }
    }
}

/// Writes settings, in their order, to a container's cgroup and the one that is the root inside.
///
/// # Errors
/// [`Failure`] naming the file that was refused, and what was written to it.
pub fn write(
    outer: BorrowedFd<'_>,
    inner: Option<BorrowedFd<'_>>,
    settings: &[Setting],
) -> core::result::Result<(), Failure> {
    for setting in settings {
        let inner = inner.filter(|_| setting.place == Place::Both);
        for cgroup in [Some(outer), inner].into_iter().flatten() {
            limits::write(cgroup, setting)?;
        }
    }
    Ok(())
}

/// By the container's memory.events.
fn shortage(events: &str, limit: impl FnOnce() -> Option<u64>) -> Option<Shortage> {
    let has = |key: &str| cgroup::keyed(events, key).is_some_and(|count| count > 0);
    match (has("oom_kill"), has("oom")) {
        (false, _) => None,
        (true, true) => Some(Shortage::Own { limit: limit() }),
        (true, false) => Some(Shortage::Machine),
    }
}

/// What a generation has used; a figure that the kernel does not have is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    pub memory_peak_bytes: Option<u64>,
    pub cpu_us: Option<u64>,
    pub processes_peak: Option<u64>,
}

/// What all that was in a container's cgroups has used, as long as they are there.
pub fn usage(name: &str) -> Usage {
    let Ok(outer) = cgroup::open_path(&path(name)) else { return Usage::default() };
    let read = |file: &str| cgroup::read(outer.as_fd(), file).ok();
    let number = |file: &str| read(file).and_then(|text| text.trim().parse().ok());
    Usage {
        memory_peak_bytes: number("memory.peak"),
        cpu_us: read("cpu.stat").and_then(|text| cgroup::keyed(&text, "usage_usec")),
        processes_peak: number("pids.peak"),
    }
}

/// Removes a container's empty cgroups, also what an earlier release or the container made there.
///
/// # Errors
/// EBUSY while something lives there.
pub fn remove(name: &str) -> Result<()> {
    let parent = cgroup::open_path(PARENT)?;
    let outer = match cgroup::open_path(&path(name)) {
        Err(Errno::ENOENT) => return Ok(()),
        // One that cannot be opened is there all the same.
        opened => opened?,
    };
    // The one that is always there first: the kernel refuses what is not empty.
    cgroup::remove_tree(outer.as_fd(), MAIN)?;
    match cgroup::remove_tree(parent.as_fd(), name) {
        Err(Errno::ENOENT) => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::forked::Forked;
    use crate::linux::testing::in_own_cgroup;
    use orlop::config::Limits;
    use orlop::container::all_settings;
    use orlop::container::spec::DeviceRule;

    /// Of a program in a cgroup with these rules: whether it opens what everybody may, and nothing else.
    #[track_caller]
    fn check(filters: &mut Filters, rules: &[DeviceRule], opens: &[&str], denied: &[&str]) {
        in_own_cgroup(|cgroup| {
            let program = devices::program(&devices::rules(rules, &[]).unwrap()).unwrap();
            for origin in [Origin::Made, Origin::Found] {
                let attached = filters.attach(cgroup, origin, program.clone());
                attached.unwrap_or_else(|failure| panic!("{failure}"));
            }
            let child = Forked::run(|| {
                if cgroup::write(cgroup, "cgroup.procs", "0").is_err() {
                    return 100;
                }
                let open = |path: &&str| std::fs::File::open(path).err().and_then(|e| e.raw_os_error());
                let opened = opens.iter().filter(|path| open(path).is_none()).count();
                let refused = denied.iter().filter(|path| open(path) == Some(libc::EPERM)).count();
                i32::try_from(opened * 10 + refused).unwrap()
            });
            let expected = opens.len() * 10 + denied.len();
            assert_eq!(usize::try_from(child.wait()).unwrap(), expected, "{opens:?}, and not {denied:?}");
        });
    }

    #[test]
    fn a_kill_without_a_limit_that_was_reached_is_the_machines() {
        let check = |oom: u64, kills: u64, expected| {
            let events = format!("low 0\nhigh 3\nmax 9\noom {oom}\noom_kill {kills}\noom_group_kill 1\n");
            assert_eq!(shortage(&events, || Some(4096)), expected, "{events}");
        };
        check(0, 0, None);
        check(2, 0, None);
        check(1, 1, Some(Shortage::Own { limit: Some(4096) }));
        check(0, 3, Some(Shortage::Machine));
        assert_eq!(shortage("oom_kill 1", || None), Some(Shortage::Machine));
    }

    #[test]
    fn the_kernel_takes_the_filters_and_does_as_they_say() {
        let mut filters = Filters::default();
        let common = devices::common();
        let everybodys = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/ptmx"];
        check(&mut filters, &common, &everybodys, &["/dev/kmsg"]);
        // Another one does not take the common one's place.
        let rule = DeviceRule { allow: true, access: "r".into(), ..DeviceRule::default() };
        check(&mut filters, &[rule], &["/dev/null", "/dev/kmsg"], &[]);
        check(&mut filters, &common, &["/dev/null"], &["/dev/kmsg"]);
        let common = devices::program(&devices::rules(&common, &[]).unwrap()).unwrap();
        assert_eq!(filters.0.unwrap().0, common);
    }

    #[test]
    fn other_limits_that_come_during_a_start_wait_as_those_of_the_start_do() {
        in_own_cgroup(|cgroup| {
            let mut cgroups = Cgroups::of(cgroup.try_clone_to_owned().unwrap()).unwrap();
            let limits = |pids| Limits { memory: Some(64 << 20), pids: Some(pids), ..Limits::default() };
            let all = |pids| all_settings(&limits(pids)).unwrap();
            let counts = |settings: &[Setting]| settings.iter().filter(|it| it.counts_processes()).count();
            cgroups.late = Some(all(5).into_iter().filter(Setting::counts_processes).collect());
            let at_once = cgroups.change_limits(all(6));
            assert!(counts(&at_once) == 0 && at_once.iter().any(|it| it.file == "memory.max"), "{at_once:?}");
            let late: Vec<Setting> = all(6).into_iter().filter(Setting::counts_processes).collect();
            assert_eq!(cgroups.late, Some(late));
            // The container is there.
            cgroups.late = None;
            assert_eq!(cgroups.change_limits(all(7)), all(7));
        });
    }

    #[test]
    fn the_longest_filter_is_one_that_the_kernel_takes() {
        // A letter each, so that every rule needs all its questions and none ends the program.
        let rule = |at: u32| DeviceRule {
            allow: !at.is_multiple_of(3),
            kind: ["a", "b", "c"][at as usize % 3].into(),
            major: Some((at % 1000).into()),
            minor: Some(at.into()),
            access: ["r", "w", "m"][at as usize / 3 % 3].into(),
        };
        let of = |count| {
            let rules: Vec<DeviceRule> = (0..count).map(rule).collect();
            devices::program(&devices::rules(&rules, &[]).unwrap())
        };
        let longest = (1..).map_while(|hundreds| of(hundreds * 100).ok()).last().unwrap();
        assert!(longest.len() > 3000, "{}", longest.len());
        limits::load(&longest).unwrap_or_else(|failure| panic!("{failure}"));
    }
}
