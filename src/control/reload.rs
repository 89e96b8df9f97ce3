//! Words of plans, reloads and configurations.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::{FileDrift, PlanAction, ReloadClass};

/// Bytes of a configuration as it is sent: a folder of a large appliance has a tenth of it.
pub const MAX_CONFIGURATION: u64 = 1 << 20;

/// One file of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFile {
    /// Its name, without a folder.
    pub path: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanKey {
    pub key: String,
    pub class: ReloadClass,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanContainer {
    pub name: String,
    pub action: PlanAction,
    pub declared_at: Option<String>,
    pub keys: Vec<PlanKey>,
    pub follows: Option<String>,
}

/// A mistake, as `check` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigMistake {
    pub severity: String,
    pub file: Option<String>,
    pub line: Option<u64>,
    pub column: Option<u64>,
    pub key: String,
    pub message: String,
    pub container: Option<String>,
    /// All of it, with the line that it is about.
    pub text: String,
}

impl ConfigMistake {
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanReply {
    pub number: u64,
    pub containers: Vec<PlanContainer>,
    pub host: Vec<PlanKey>,
    pub mistakes: Vec<ConfigMistake>,
}

impl PlanReply {
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.mistakes.iter().any(ConfigMistake::is_error)
    }

    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.containers.is_empty() && self.host.is_empty()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReply {
    pub number: u64,
    /// What could not be changed live, a line each.
    pub problems: Vec<String>,
    /// What others had changed in the kernel, and is as it is declared again, a line each.
    #[serde(default)]
    pub righted: Vec<String>,
    /// A disk keeps it for the next boot, or will once it is confirmed.
    #[serde(default)]
    pub lasts: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigReply {
    pub number: u64,
    pub previous: Option<u64>,
    pub confirm_ms: Option<u64>,
    pub files: Vec<ConfigFile>,
}

/// One configuration that was in force since boot, or is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigVersion {
    pub number: u64,
    /// Since when it was.
    pub since: String,
    /// What made it the one in force.
    pub by: String,
    /// What that changed, a line each.
    pub changes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryReply {
    /// The last one is in force.
    pub versions: Vec<ConfigVersion>,
    /// The number of the one that a disk has for the next boot, once it is safely there.
    #[serde(default)]
    pub on_disk: Option<u64>,
    /// Why the one on the disk is not in force.
    #[serde(default)]
    pub notice: Option<String>,
}

/// A file that is not as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftingFile {
    pub path: String,
    pub drift: FileDrift,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriftReply {
    /// Of the configuration in force.
    pub number: u64,
    pub files: Vec<DriftingFile>,
    /// What a reload of the folder would do.
    pub containers: Vec<PlanContainer>,
    pub host: Vec<PlanKey>,
    pub mistakes: Vec<ConfigMistake>,
    #[serde(default)]
    pub kernel: Vec<KernelDrift>,
    /// Why the one on the disk is not in force.
    #[serde(default)]
    pub notice: Option<String>,
}

/// Of what is declared and in force, something that is otherwise in the kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelDrift {
    /// `None`: of the machine.
    pub container: Option<String>,
    pub key: String,
    pub declared: String,
    pub found: String,
    /// The kernel's file, below the container's cgroup.
    pub file: Option<String>,
    /// By `Update`, until the next start.
    pub updated: bool,
    /// All of it, as a sentence.
    pub text: String,
}
