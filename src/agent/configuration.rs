//! The configuration in force, as text: where the next supervisor finds it, what was before it, and how far its
//! coming into force has got.
//!
//! The first one since boot is the folder in the initramfs, or what a disk has kept (`lasting/`). One that takes its place
//! is kept in `/run`, written by rename before anything is done about it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use orlop::config::Source;
use orlop::control::{ConfigFile, rfc3339};
use orlop::supervisor::Numbers;
use serde::{Deserialize, Serialize};

use super::clock::Clock;
use super::{boot_id, records, say};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, directory, fs, time};

const PATH: &str = "/run/orlop/config.json";
/// Two configurations of the largest size, each character escaped.
const LIMIT: usize = 24 << 20;

/// Fields are only added: an earlier release may have to read it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Kept {
    /// 0: the first since boot.
    pub number: u64,
    /// For each container that has been declared anew, by which number.
    #[serde(default)]
    pub since: BTreeMap<String, u64>,
    pub files: Vec<ConfigFile>,
    #[serde(default)]
    pub previous: Option<Previous>,
    /// Until then it has to be confirmed, or the previous one comes back. Microseconds since boot.
    #[serde(default)]
    pub confirm_by_us: Option<u64>,
    /// Containers whose limits are still to be written while they run.
    #[serde(default)]
    pub unwritten: Vec<String>,
    #[serde(default)]
    pub origin: Origin,
    /// With a disk: the digest of the configuration that the machine was built with.
    #[serde(default)]
    pub built_in: Option<String>,
    /// This boot has found it on the disk.
    #[serde(default)]
    pub is_from_disk: bool,
    /// Why the one on the disk is not in force.
    #[serde(default)]
    pub notice: Option<String>,
}

/// When a configuration came into force, by what, and what it changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// Since the boot that it was in.
    pub at_us: u64,
    pub by: String,
    pub changes: Vec<String>,
    /// What is kept on a disk: which boot that was, and nanoseconds since 1970 as the clock had it then.
    #[serde(default)]
    pub boot: Option<String>,
    #[serde(default)]
    pub wall_ns: Option<u64>,
}

impl Default for Origin {
    fn default() -> Self {
        Self { at_us: 0, by: "boot".into(), changes: Vec::new(), boot: None, wall_ns: None }
    }
}

impl Origin {
    pub fn new(at: Duration, by: String, changes: Vec<String>) -> Self {
        let wall = time::wall().saturating_sub(time::since_boot()).saturating_add(at);
        let wall_ns = u64::try_from(wall.as_nanos()).ok();
        Self { at_us: at.as_micros() as u64, by, changes, boot: boot_id::this(), wall_ns }
    }

    /// For people.
    pub fn since(&self, clock: &Clock) -> String {
        match self.wall_ns.filter(|_| self.boot.is_some() && self.boot != boot_id::this()) {
            Some(wall) => rfc3339((wall / 1_000_000_000) as i64, (wall % 1_000_000_000) as u32),
            None => clock.wall(Duration::from_micros(self.at_us)),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Previous {
    pub number: u64,
    pub files: Vec<ConfigFile>,
}

impl Kept {
    pub fn sources(&self) -> Vec<Source> {
        sources(&self.files)
    }

    pub fn numbers(&self) -> Numbers {
        Numbers { number: self.number, since: self.since.clone() }
    }

    /// For the next supervisor.
    ///
    /// # Errors
    /// ENOSPC; what was written before is then still there.
    pub fn write(&self) -> Result<()> {
        records::write_file(PATH, &serde_json::to_string(self).unwrap_or_default())
    }
}

pub fn sources(files: &[ConfigFile]) -> Vec<Source> {
    files.iter().map(|file| Source { path: file.path.clone(), text: file.text.clone() }).collect()
}

/// Where a configuration was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// An earlier supervisor of this boot kept it.
    Run,
    Folder,
}

/// The one that an earlier supervisor kept, else the folder's; the number of files that cannot be read.
pub fn kept_or_folder(folder: &str) -> (Kept, usize, Place) {
    match fs::read_whole(PATH, LIMIT).map(|bytes| serde_json::from_slice::<Kept>(&bytes)) {
        Ok(Ok(kept)) => return (kept, 0, Place::Run),
        Ok(Err(error)) => say(Level::Error, &format!("{PATH}: {error}; the configuration is {folder} again")),
        // There was no reload since boot.
        Err(Errno::ENOENT) => {}
        Err(errno) => {
            say(Level::Error, &format!("{PATH}: {}; the configuration is {folder} again", errno.desc()))
        }
    }
    let (files, errors) = read_folder(folder);
    for error in &errors {
        say(Level::Error, error);
    }
    (Kept { files, ..Kept::default() }, errors.len(), Place::Folder)
}

/// Every `*.toml` of a folder, in the order of their names, and what cannot be read.
pub fn read_folder(folder: &str) -> (Vec<ConfigFile>, Vec<String>) {
    let (mut files, mut errors) = (Vec::new(), Vec::new());
    match directory::names(folder) {
        Err(errno) => errors.push(format!("{folder}: {}", errno.desc())),
        Ok(names) => {
            for name in names {
                if Path::new(&name).extension().is_none_or(|extension| extension != "toml") {
                    continue;
                }
                let bytes = fs::read_whole(&format!("{folder}/{name}"), LIMIT);
                match bytes.map(String::from_utf8) {
                    Ok(Ok(text)) => files.push(ConfigFile { path: name, text }),
                    Ok(Err(error)) => errors.push(format!("{name}: {error}")),
                    Err(errno) => errors.push(format!("{name}: {}", errno.desc())),
                }
            }
        }
    }
    (files, errors)
}
