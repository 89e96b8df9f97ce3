//! The processes of a container: by its cgroup, or without one by its pid namespace or descent.

use std::collections::BTreeSet;
use std::os::fd::AsFd;

use super::cgroup;
use super::container::Container;
use super::failure::{Result, at};
use crate::linux::proc;

/// Their numbers, rising.
///
/// # Errors
/// They cannot be read.
pub(crate) fn of(container: &Container) -> Result<Vec<i32>> {
    if container.record.cgroup.is_some() {
        return cgroup::processes(container.cgroup()?.as_fd()).map_err(at("cgroup.procs"));
    }
    let (Some(first), Some(_)) = (container.record.process, &container.process) else {
        return Ok(Vec::new());
    };
    let all = proc::all().map_err(at("/proc"))?;
    if container.record.own_pid_namespace
        && let Ok(namespace) = proc::pid_namespace(first.pid)
    {
        return Ok(all.into_iter().filter(|pid| proc::pid_namespace(*pid) == Ok(namespace)).collect());
    }
    let parents: Vec<(i32, i32)> =
        all.into_iter().filter_map(|pid| Some((pid, proc::parent(pid).ok()?))).collect();
    Ok(descendants(first.pid, &parents))
}

/// `first`, and whoever descends from it. Pairs are (process, its parent).
fn descendants(first: i32, parents: &[(i32, i32)]) -> Vec<i32> {
    let mut found = BTreeSet::from([first]);
    loop {
        let before = found.len();
        let children = parents.iter().filter(|(_, parent)| found.contains(parent)).map(|(pid, _)| *pid);
        let children: Vec<i32> = children.collect();
        found.extend(children);
        if found.len() == before {
            return found.into_iter().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descent_goes_down_any_number_of_steps_whatever_the_numbers() {
        let parents = [(2, 1), (30, 2), (10, 30), (11, 10), (40, 1), (41, 40)];
        assert_eq!(descendants(30, &parents), [10, 11, 30]);
        assert_eq!(descendants(99, &parents), [99]);
    }
}
