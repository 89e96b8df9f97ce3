//! Why a container is in its state, why a boot was as it was, and why the machine goes down: the facts, field for
//! field as in the interface. `explain.rs` makes sentences of them.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::{Cause, Event, ExitRecord, Health, NextStep, Phase, PowerAction, State, Wanted};

/// Where one container stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub name: String,
    pub wanted: Wanted,
    pub state: State,
    pub since: String,
    pub for_ms: u64,
    pub ready: bool,
    pub health: Health,
    pub health_report: Option<String>,
    pub cause: Option<Cause>,
    pub waits_for: Vec<String>,
    pub next: NextStep,
    pub next_at: Option<String>,
    pub next_in_ms: Option<u64>,
    /// As configured; none of one that is not.
    pub restart: Option<String>,
    pub restarts: u64,
    pub restarts_asked: u64,
    pub failures: u64,
    pub budget_spent: bool,
    /// What is left of one that is stuck.
    pub remains: Vec<Remaining>,
}

/// A process that was killed and is not gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remaining {
    pub pid: u32,
    pub command: String,
    /// A letter, as ps shows it.
    pub state: String,
    /// The function of the kernel that it sleeps in.
    pub waits_in: Option<String>,
    /// The innermost first.
    pub stack: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyReply {
    pub text: Vec<String>,
    /// The container, then what it waits for, and what that waits for.
    pub standings: Vec<Standing>,
    pub asked: Option<Event>,
    pub ends: Vec<ExitRecord>,
    /// On the same disk.
    #[serde(default)]
    pub boot_before: Option<String>,
    pub log: Vec<String>,
}

/// What the kernel before this one said when it died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    pub name: String,
    pub lines: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyBootReply {
    pub text: Vec<String>,
    pub complete: bool,
    pub safe: bool,
    pub supervisor_starts: u64,
    /// The longest first.
    pub phases: Vec<Phase>,
    /// Wanted, and not there.
    pub missing: Vec<Standing>,
    pub crashes: Vec<Crash>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhyShutdownReply {
    pub text: Vec<String>,
    /// What is being done; null: the machine is not going down.
    pub action: Option<PowerAction>,
    pub within_ms: Option<u64>,
    pub asked: Option<Event>,
    /// What is still there.
    pub remaining: Vec<Standing>,
    /// While it does not go down: what the machine said of its end before this boot, where memory, firmware
    /// or a disk kept that.
    #[serde(default)]
    pub before: Vec<String>,
    /// When that was, as a disk has it.
    #[serde(default)]
    pub before_at: Option<String>,
    /// The boot before used the disk, and nothing of its end is there.
    #[serde(default)]
    pub unannounced: bool,
}
