//! Small files that the supervisor writes: what containers find in /etc, and the id slots.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use orlop::config::{self, Config, Container, NetworkMode, Pod};
use orlop::container::seccomp::{Seccomp, read_profile};
use orlop::container::{assign_ids, capabilities};

use super::{boot, records, say};
use crate::engine::{EnvFile, Failure};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, fs};

const SLOTS: &str = "/run/orlop/ids.json";
const SLOTS_LIMIT: usize = 1 << 20;
/// Docker's own profile has 17 KiB.
const PROFILE_LIMIT: usize = 1 << 20;

/// Slots given out earlier in this boot stay; new names get their own.
pub fn load_slots(config: &Config) -> BTreeMap<String, u32> {
    use std::os::fd::AsFd;
    let taken = fs::open_regular(SLOTS)
        .and_then(|fd| fs::read_regular(fd.as_fd(), SLOTS_LIMIT))
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let slots = give_slots(config, &taken);
    if slots != taken {
        let text = serde_json::to_string(&slots).unwrap_or_default();
        if let Err(errno) = records::write_file(SLOTS, &text) {
            say(Level::Error, &format!("{SLOTS}: {}", errno.desc()));
        }
    }
    slots
}

/// A slot for each container, and one for each group that shares namespaces.
pub fn give_slots(config: &Config, taken: &BTreeMap<String, u32>) -> BTreeMap<String, u32> {
    let pods = config.containers.values().filter_map(|container| container.pod.as_ref());
    let pods: BTreeSet<String> = pods.map(Pod::owner_of_ids).collect();
    let names = config.containers.keys().chain(&pods);
    assign_ids(names.map(String::as_str), taken)
}

/// hosts, hostname and resolv.conf of a container. One that runs has those before for as long as it does.
///
/// # Errors
/// ENOSPC.
pub fn write_etc(container: &Container, directory: &str, no_servers: bool) -> Result<()> {
    let name = &container.hostname;
    let hosts =
        format!("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.1.1\t{name}\n");
    let path = format!("{directory}/hosts");
    match records::write_anew(&path, &hosts) {
        Err(Errno::ENOENT) => {
            fs::make_directory(directory, 0o755)?;
            records::write_anew(&path, &hosts)?;
        }
        written => written?,
    }
    records::write_anew(&format!("{directory}/hostname"), &format!("{name}\n"))?;
    let machine = match container.network_mode {
        NetworkMode::Host if !no_servers => match fs::read_text(boot::RESOLV_CONF) {
            Err(Errno::ENOENT) => String::new(),
            read => read?,
        },
        NetworkMode::Host | NetworkMode::None => String::new(),
    };
    records::write_anew(&format!("{directory}/resolv.conf"), &machine)
}

/// Where a file stands that the configuration names: beside it, or anywhere on the machine.
pub fn beside(config_dir: &str, path: &str) -> String {
    Path::new(config_dir).join(path).to_string_lossy().into_owned()
}

/// The env files of a container, for setup to read.
pub fn env_files(container: &Container, config_dir: &str) -> Vec<EnvFile> {
    let file = |file: &config::EnvFile| EnvFile {
        path: beside(config_dir, &file.path),
        name: file.path.clone(),
        required: file.required,
    };
    container.env_file.iter().map(file).collect()
}

/// The profile that a container's `seccomp` names.
///
/// # Errors
/// [`Failure`] naming the file, and what is wrong in it.
pub fn seccomp(
    container: &Container,
    config_dir: &str,
) -> core::result::Result<Option<Arc<Seccomp>>, Failure> {
    use std::os::fd::AsFd;
    let path = match &container.seccomp {
        config::Seccomp::Default | config::Seccomp::Unconfined => return Ok(None),
        config::Seccomp::File(path) => path,
    };
    let bytes = fs::open_regular(&beside(config_dir, path))
        .and_then(|fd| fs::read_regular(fd.as_fd(), PROFILE_LIMIT))
        .map_err(|errno| Failure::new("seccomp", path, errno))?;
    let profile = read_profile(&bytes, capabilities(container));
    profile.map(|it| Some(it.into())).map_err(|error| Failure::said("seccomp", format!("{path}: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absolute_path_is_the_machines_own() {
        assert_eq!(beside("/orlop/config", "env/web.env"), "/orlop/config/env/web.env");
        assert_eq!(beside("/orlop/config", "/etc/web.env"), "/etc/web.env");
    }
}
