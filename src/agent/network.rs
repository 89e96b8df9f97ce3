//! Makes the machine's links what the configuration declares: looks, lets `network` decide, does it.
//!
//! Nothing waits: a link that is not there yet is a problem in the answer, and whoever hears of the
//! link calls again. A change that the kernel refuses does not keep the others from being tried.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use orlop::config::{Config, Dns, HostNetwork};
use orlop::network::netlink::Question;
use orlop::network::{Change, Found, Plan, Problem, plan, resolv_conf};

use crate::engine::links::{Error, Kernel};

/// Where to find what netlink does not tell, and where to write.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    /// `/sys/class/net`
    pub(crate) sysfs: PathBuf,
    /// `/run/orlop/resolv.conf`
    pub(crate) resolv_conf: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self { sysfs: PathBuf::from("/sys/class/net"), resolv_conf: PathBuf::from("/run/orlop/resolv.conf") }
    }
}

/// One line of what came of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done(Change),
    Refused {
        change: Change,
        error: Error,
    },
    Problem(Problem),
    /// The links could not be looked at, so nothing was changed.
    Unseen(Error),
    ResolvConf {
        path: PathBuf,
        error: io::Error,
    },
}

impl Outcome {
    /// Whether something declared is not in force.
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            Self::Done(_) => false,
            Self::Refused { .. } | Self::Problem(_) | Self::Unseen(_) | Self::ResolvConf { .. } => true,
        }
    }
}

/// Makes it so, and says what was done and what could not be. Empty: it was so already.
pub(crate) fn configure(config: &Config, places: &Places) -> Vec<Outcome> {
    let mut outcomes = configure_links(&config.host.networks, &places.sysfs);
    if let Err(error) = write_resolv_conf(&config.host.dns, &places.resolv_conf) {
        outcomes.push(Outcome::ResolvConf { path: places.resolv_conf.clone(), error });
    }
    outcomes
}

fn configure_links(wanted: &BTreeMap<String, HostNetwork>, sysfs: &Path) -> Vec<Outcome> {
    let seen = Kernel::open().and_then(|mut kernel| Ok((look(&mut kernel, sysfs)?, kernel)));
    let (found, mut kernel) = match seen {
        Ok(seen) => seen,
        Err(error) => return vec![Outcome::Unseen(error)],
    };
    let Plan { changes, problems } = plan(wanted, &found);
    let mut outcomes: Vec<Outcome> = problems.into_iter().map(Outcome::Problem).collect();
    for change in changes {
        outcomes.push(match kernel.apply(&change) {
            Ok(()) => Outcome::Done(change),
            Err(error) => Outcome::Refused { change, error },
        });
    }
    outcomes
}

fn look(kernel: &mut Kernel, sysfs: &Path) -> Result<Found, Error> {
    let mut links = kernel.list(Question::Links)?.links;
    for link in &mut links {
        link.driver = driver(sysfs, &link.name);
    }
    let addresses = kernel.list(Question::Addresses)?.addresses;
    let routes = kernel.list(Question::Routes)?.routes;
    Ok(Found { links, addresses, routes })
}

/// The name of the link's driver. Links without hardware have none.
fn driver(sysfs: &Path, link: &str) -> Option<String> {
    let driver = fs::read_link(sysfs.join(link).join("device/driver")).ok()?;
    Some(driver.file_name()?.to_string_lossy().into_owned())
}

/// By rename, so that a resolver reads the old one or the new one.
fn write_resolv_conf(dns: &Dns, path: &Path) -> io::Result<()> {
    let new = path.with_extension("conf.new");
    // Left by a predecessor that died here.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(&new)?;
    file.write_all(resolv_conf(dns).as_bytes())?;
    fs::rename(&new, path)
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(change) => change.fmt(f),
            Self::Refused { change, error } => write!(f, "{change}: {error}"),
            Self::Problem(problem) => problem.fmt(f),
            Self::Unseen(error) => write!(f, "cannot look at the links: {error}"),
            Self::ResolvConf { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
