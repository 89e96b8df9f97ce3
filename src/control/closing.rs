//! Words of a shutdown: as it goes on.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::{LeavingStage, PowerAction};

/// A container that was up when the shutdown began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    pub name: String,
    pub stage: LeavingStage,
    /// Until this stage is over at the latest.
    pub left_ms: Option<u64>,
    pub waits_for: Vec<String>,
    /// All three since the shutdown began.
    pub asked_ms: Option<u64>,
    pub killed_ms: Option<u64>,
    pub gone_ms: Option<u64>,
    /// Of its end, once it is gone.
    pub cause: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shutdown {
    pub action: PowerAction,
    pub by: String,
    pub began: String,
    /// All the time that there is, from its begin.
    pub within_ms: u64,
    /// Of that.
    pub left_ms: u64,
    /// Until all was down, or the time was over.
    pub done_ms: Option<u64>,
    pub containers: Vec<Leaving>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShutdownReply {
    /// None: the machine is not being ended.
    pub shutdown: Option<Shutdown>,
}
