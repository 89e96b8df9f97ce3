//! `kill`: a signal to the first process of a container, or to all of them.

use std::os::fd::AsFd;

use orlop::config::signal;

use super::arguments::KillArguments;
use super::container::{Container, Status};
use super::failure::{Failure, Result, at};
use super::store::Store;
use super::{cgroup, members};
use crate::linux::{Errno, cgroup as files, pidfd};

/// # Errors
/// There is no such container or signal; it does not run.
pub(crate) fn kill(store: Option<&Store>, asked: &KillArguments) -> Result<()> {
    let signal = number(&asked.signal)?;
    let container = Container::find(store, &asked.id)?;
    let process = match container.living() {
        Ok(process) => process,
        // Of one without a pid namespace others may be left, and engines kill those so.
        Err(_) if asked.all && container.status == Status::Stopped => return signal_all(&container, signal),
        Err(failure) => return Err(failure),
    };
    if asked.all || (signal == libc::SIGKILL && !container.record.own_pid_namespace) {
        return signal_all(&container, signal);
    }
    match pidfd::send_signal(process.as_fd(), signal) {
        Err(Errno::ESRCH) => return Err(Failure::not_running()),
        other => other.map_err(at(format_args!("signal {signal}")))?,
    }
    // The kernel kills a frozen process, but of a v2 cgroup no other signal is heard before it goes on.
    if signal == libc::SIGKILL && container.status == Status::Paused {
        return container.cgroup().and_then(|it| cgroup::thaw(it.as_fd()).map_err(at("thaw")));
    }
    Ok(())
}

/// A name or a number; 0 only looks whether somebody is there.
fn number(text: &str) -> Result<i32> {
    if text == "0" {
        return Ok(0);
    }
    signal::number(text).ok_or_else(|| Failure::new(format!("unknown signal {text:?}")))
}

/// Every process that belongs to it, also those that appear while this runs.
fn signal_all(container: &Container, signal: i32) -> Result<()> {
    let Some(found) = &container.record.cgroup else {
        return signal_each(&members::of(container)?, signal);
    };
    let directory = match cgroup::open(&found.path) {
        Err(Errno::ENOENT) => return Ok(()),
        other => other.map_err(at(format_args!("cgroup {}", found.path)))?,
    };
    if signal == libc::SIGKILL {
        return files::kill(directory.as_fd()).map_err(at("cgroup.kill"));
    }
    // Frozen, nobody forks or ends while they are counted; the signal is heard when they go on.
    let was_frozen = container.status == Status::Paused;
    if !was_frozen {
        cgroup::freeze(directory.as_fd()).map_err(at("freeze"))?;
    }
    let sent = cgroup::processes(directory.as_fd())
        .map_err(at("cgroup.procs"))
        .and_then(|pids| signal_each(&pids, signal));
    if !was_frozen {
        cgroup::thaw(directory.as_fd()).map_err(at("thaw"))?;
    }
    sent
}

fn signal_each(pids: &[i32], signal: i32) -> Result<()> {
    for pid in pids {
        match pidfd::open(*pid).and_then(|it| pidfd::send_signal(it.as_fd(), signal)) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(at(format_args!("signal {signal} to process {pid}"))(errno)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        for (text, expected) in [("KILL", 9), ("sigterm", 15), ("9", 9), ("0", 0), ("RTMIN+1", 35)] {
            assert_eq!(number(text), Ok(expected));
        }
        for text in ["", "FOO", "65", "-9", "+9"] {
            assert!(number(text).is_err(), "{text}");
        }
    }
}
