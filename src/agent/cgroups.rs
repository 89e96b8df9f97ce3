//! The cgroups of one container: `containers/NAME` with the limits, `main` for its processes,
//! `setup` for the process that prepares it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use orlop::container::{Missing, Place, Setting};

use crate::engine::{Entrances, Failure};
use crate::linux::{Errno, Result, cgroup};

const PARENT: &str = "containers";
const CHILDREN: [&str; 2] = ["main", "setup"];

/// The cgroup of a container that holds its limits and its figures.
pub fn path(name: &str) -> String {
    format!("{PARENT}/{name}")
}

pub struct Cgroups {
    pub outer: OwnedFd,
    /// cgroup.events of `outer`: ready (EPOLLPRI) when it changes.
    pub events: OwnedFd,
}

impl Cgroups {
    /// Makes the container's cgroups and writes every limit before anything enters.
    ///
    /// # Errors
    /// [`Failure`] naming the file that was refused.
    pub fn make(name: &str, settings: &[Setting]) -> core::result::Result<(Self, Entrances), Failure> {
        let fail = |object: &str| {
            let object = object.to_owned();
            move |errno| Failure::new("cgroup", object, errno)
        };
        let parent = cgroup::open_path(PARENT).map_err(fail(PARENT))?;
        let outer = cgroup::make(parent.as_fd(), name).map_err(fail(name))?;
        cgroup::enable_controllers(outer.as_fd());
        let main = cgroup::make(outer.as_fd(), "main").map_err(fail("main"))?;
        let setup = cgroup::make(outer.as_fd(), "setup").map_err(fail("setup"))?;
        write(outer.as_fd(), Some(main.as_fd()), settings)?;
        let cgroups = Self::of(outer).map_err(fail("cgroup.events"))?;
        Ok((cgroups, Entrances { main, setup }))
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
        Ok(Self { outer, events })
    }

    /// Whether any process is in there. Reading also arms the next EPOLLPRI.
    pub fn is_populated(&self) -> bool {
        match cgroup::reread(self.events.as_fd()) {
            Ok(text) => cgroup::keyed(&text, "populated") != Some(0),
            Err(_) => false,
        }
    }

    /// Whether the kernel has killed a process of this generation for want of memory.
    pub fn has_oom_kill(&self) -> bool {
        cgroup::read(self.outer.as_fd(), "memory.events")
            .ok()
            .and_then(|text| cgroup::keyed(&text, "oom_kill"))
            .is_some_and(|count| count > 0)
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
        let Setting { place, file, value, .. } = setting;
        let inner = inner.filter(|_| *place == Place::Both);
        for cgroup in [Some(outer), inner].into_iter().flatten() {
            write_one(cgroup, setting)
                .map_err(|errno| Failure::new("cgroup", format!("{file} = {value}"), errno))?;
        }
    }
    Ok(())
}

fn write_one(cgroup: BorrowedFd<'_>, setting: &Setting) -> Result<()> {
    match (cgroup::write(cgroup, &setting.file, &setting.value), &setting.missing) {
        (Err(Errno::ENOENT), Missing::Pass) => Ok(()),
        (Err(Errno::ENOENT), Missing::Instead { file, value }) => cgroup::write(cgroup, file, value),
        (other, _) => other,
    }
}

/// Removes a container's empty cgroups, also what an earlier release or the container made there.
///
/// # Errors
/// EBUSY while something lives there.
pub fn remove(name: &str) -> Result<()> {
    let parent = cgroup::open_path(PARENT)?;
    let Ok(outer) = cgroup::open_path(&format!("{PARENT}/{name}")) else { return Ok(()) };
    for child in CHILDREN {
        cgroup::remove_tree(outer.as_fd(), child)?;
    }
    match cgroup::remove_tree(parent.as_fd(), name) {
        Err(Errno::ENOENT) => Ok(()),
        other => other,
    }
}
