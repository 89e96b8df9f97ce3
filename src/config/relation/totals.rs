//! What one container asks for, against what the machine gives to all.

use super::super::diagnostic::Mistake;
use super::super::model::{Config, Rlimit};
use super::super::report::Report;
use super::super::tree::{Map, Path};
use super::super::value::{size, time};
use super::place;
use alloc::format;

/// fs.nr_open of a kernel that nobody told otherwise: more open files are refused to root, too.
const DEFAULT_NR_OPEN: u64 = 1 << 20;

pub(crate) fn check(report: &mut Report<'_>, tree: &Map, config: &Config) {
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
