//! What one container asks for, against what the machine gives to all.

use super::super::diagnostic::Mistake;
use super::super::life::{KILL_WAIT, Kind, LONGEST_RESERVE};
use super::super::model::{Config, Rlimit};
use super::super::report::Report;
use super::super::tree::{Map, Path};
use super::super::value::{size, time};
use super::place;
use alloc::collections::BTreeMap;
use alloc::format;
use core::time::Duration;

/// fs.nr_open of a kernel that nobody told otherwise: more open files are refused to root, too.
const DEFAULT_NR_OPEN: u64 = 1 << 20;

pub(crate) fn check(report: &mut Report<'_>, tree: &Map, config: &Config) {
    jobs_have_time(report, tree, config);
    let host = &config.host;
    let nr_open =
        host.sysctls.get("fs.nr_open").and_then(|value| value.parse().ok()).unwrap_or(DEFAULT_NR_OPEN);
    for (name, container) in &config.containers {
        if container.log.memory > host.log_memory {
            let path = Path::keys(&["container", name, "log", "memory"]);
            let message = format!("the logs of all containers together have {}", size::show(host.log_memory));
            let help = "raise it, [host.log] memory, or ask for less";
            report.error(place(tree, &path), &path, Mistake::new(message).help(help));
        }
        if container.stop_grace_period > host.poweroff_timeout {
            let path = Path::keys(&["container", name, "stop_grace_period"]);
            let message = format!("a power-off takes {} at most", time::show(host.poweroff_timeout));
            let help = "raise it: [host] poweroff_timeout";
            report.warning(place(tree, &path), &path, Mistake::new(message).help(help));
        }
        if container.ulimits.get(&Rlimit::Nofile).is_some_and(|limit| limit.hard > nr_open) {
            let path = Path::keys(&["container", name, "ulimits", "nofile"]);
            let message = format!("the kernel lets nobody open more than {nr_open} files");
            let help = "raise it: [host] sysctls = { \"fs.nr_open\" = … }, or ask for less";
            report.error(place(tree, &path), &path, Mistake::new(message).help(help));
        }
    }
}

/// Jobs of the shutdown have what the stops of all others leave.
fn jobs_have_time(report: &mut Report<'_>, tree: &Map, config: &Config) {
    let whole = config.host.poweroff_timeout;
    let reserve = (whole / 10).min(LONGEST_RESERVE).saturating_add(KILL_WAIT);
    let left = whole.saturating_sub(reserve).saturating_sub(longest_stop(config));
    let jobs = config.containers.iter().filter(|(_, container)| container.kind == Kind::Shutdown);
    for (name, job) in jobs {
        let (key, message) = match job.run_timeout {
            _ if left.is_zero() => {
                let whole = time::show(whole);
                (
                    "type",
                    format!(
                        "it would not run: a power-off has {whole}, and the stops of all others may take them"
                    ),
                )
            }
            Some(timeout) if timeout > left => {
                let left = time::show(left);
                (
                    "run_timeout",
                    format!("it has {left} at most: the rest of a power-off is for the stops of all others"),
                )
            }
            Some(_) | None => continue,
        };
        let path = Path::keys(&["container", name, key]);
        let help = "raise [host] poweroff_timeout, or shorten a stop_grace_period";
        report.warning(place(tree, &path), &path, Mistake::new(message).help(help));
    }
}

/// Along the longest chain of dependencies.
fn longest_stop(config: &Config) -> Duration {
    let mut ways: BTreeMap<&str, Duration> = BTreeMap::new();
    // No chain is longer than there are containers; a circle is told elsewhere.
    for _ in 0..config.containers.len() {
        let mut is_settled = true;
        let services = config.containers.iter().filter(|(_, container)| container.kind != Kind::Shutdown);
        for (name, container) in services {
            let below = container.depends_on.keys().filter_map(|on| ways.get(on.as_str())).max().copied();
            let own = container.stop_grace_period.saturating_add(KILL_WAIT);
            let way = below.unwrap_or_default().saturating_add(own);
            is_settled &= ways.insert(name, way) == Some(way);
        }
        if is_settled {
            break;
        }
    }
    ways.into_values().max().unwrap_or_default()
}
