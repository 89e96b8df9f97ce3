//! What the machine can be asked, as checked values: a call becomes a request or an error.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Serialize, Serializer};

use super::parameters::{Parameters, invalid};
use super::{
    Access, Call, Error, Events, Exec, INTERFACE_NAME, LogLevel, Logs, MAX_CHUNK, PowerAction, Process,
    base64,
};
use crate::config::signal;

/// Written as a call (`method` and `parameters`), for the client; read by [`Request::from_call`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "method", content = "parameters")]
pub enum Request {
    #[serde(rename = "org.orlop.Control.List")]
    List,
    #[serde(rename = "org.orlop.Control.Status")]
    Status { name: String },
    #[serde(rename = "org.orlop.Control.Logs")]
    Logs(Logs),
    #[serde(rename = "org.orlop.Control.Boots")]
    Boots,
    #[serde(rename = "org.orlop.Control.Events")]
    Events(Events),
    #[serde(rename = "org.orlop.Control.Start")]
    Start { name: String },
    #[serde(rename = "org.orlop.Control.Stop")]
    Stop { name: String },
    #[serde(rename = "org.orlop.Control.Restart")]
    Restart { name: String },
    #[serde(rename = "org.orlop.Control.Replace")]
    Replace { name: String },
    /// `signal`: 1–64.
    #[serde(rename = "org.orlop.Control.Kill")]
    Kill {
        name: String,
        #[serde(serialize_with = "as_signal_name")]
        signal: i32,
    },
    /// No names: all that run.
    #[serde(rename = "org.orlop.Control.Stats")]
    Stats { names: Vec<String> },
    #[serde(rename = "org.orlop.Control.Top")]
    Top { name: String },
    /// `bundle`: absolute.
    #[serde(rename = "org.orlop.Control.Spec")]
    Spec { name: String, bundle: Option<String> },
    #[serde(rename = "org.orlop.Control.Pause")]
    Pause { name: String },
    #[serde(rename = "org.orlop.Control.Unpause")]
    Unpause { name: String },
    #[serde(rename = "org.orlop.Control.Exec")]
    Exec(Exec),
    #[serde(rename = "org.orlop.Control.Attach")]
    Attach { name: String, stdin: bool },
    #[serde(rename = "org.orlop.Control.CopyFrom")]
    CopyFrom { name: String, path: String, follow: bool },
    #[serde(rename = "org.orlop.Control.CopyTo")]
    CopyTo { name: String, path: String, within: bool },
    /// `limits`: keys and values as in the configuration.
    #[serde(rename = "org.orlop.Control.Update")]
    Update { name: String, limits: BTreeMap<String, String> },
    /// `size`: of all that [`Request::ConfigChunk`] brings, which is [`super::ConfigFile`]s as JSON.
    #[serde(rename = "org.orlop.Control.ConfigBegin")]
    ConfigBegin { size: u64 },
    /// `data`: as of [`Request::UpgradeChunk`].
    #[serde(rename = "org.orlop.Control.ConfigChunk")]
    ConfigChunk {
        #[serde(serialize_with = "as_base64")]
        data: Vec<u8>,
    },
    /// `sent`: of what this client sent; else of the machine's own folder.
    #[serde(rename = "org.orlop.Control.Plan")]
    Plan { sent: bool },
    /// `confirm_ms`: without a `ConfirmReload` until then, what was before comes back. `base`: refused unless this is
    /// still the number of the configuration in force.
    #[serde(rename = "org.orlop.Control.Reload")]
    Reload { sent: bool, confirm_ms: Option<u64>, base: Option<u64> },
    #[serde(rename = "org.orlop.Control.ConfirmReload")]
    ConfirmReload,
    /// `number`: of one that is kept; else the one before.
    #[serde(rename = "org.orlop.Control.Rollback")]
    Rollback { number: Option<u64>, built_in: Option<bool> },
    #[serde(rename = "org.orlop.Control.ConfigHistory")]
    ConfigHistory,
    #[serde(rename = "org.orlop.Control.ConfigDrift")]
    ConfigDrift,
    #[serde(rename = "org.orlop.Control.Config")]
    Config,
    #[serde(rename = "org.orlop.Control.Boot")]
    Boot,
    #[serde(rename = "org.orlop.Control.Why")]
    Why { name: String },
    #[serde(rename = "org.orlop.Control.WhyBoot")]
    WhyBoot,
    #[serde(rename = "org.orlop.Control.WhyShutdown")]
    WhyShutdown,
    #[serde(rename = "org.orlop.Control.Version")]
    Version,
    #[serde(rename = "org.orlop.Control.Shutdown")]
    Shutdown,
    #[serde(rename = "org.orlop.Control.Power")]
    Power { action: PowerAction },
    #[serde(rename = "org.orlop.Control.Resume")]
    Resume,
    #[serde(rename = "org.orlop.Control.LogLevel")]
    LogLevel { level: Option<LogLevel> },
    #[serde(rename = "org.orlop.Control.DebugCrash")]
    DebugCrash {
        process: Process,
        #[serde(serialize_with = "as_signal_name")]
        signal: i32,
        /// Supervisors after this one that die before they serve.
        starts: u32,
        /// Of what it does for containers, before it dies.
        steps: u32,
    },
    #[serde(rename = "org.orlop.Control.DebugOrphans")]
    DebugOrphans { count: u32 },
    /// `sha256`: 64 hex digits, in lower case.
    #[serde(rename = "org.orlop.Control.UpgradeBegin")]
    UpgradeBegin { size: u64, sha256: String },
    /// `data`: at most [`MAX_CHUNK`] bytes, and at least one.
    #[serde(rename = "org.orlop.Control.UpgradeChunk")]
    UpgradeChunk {
        #[serde(serialize_with = "as_base64")]
        data: Vec<u8>,
    },
    #[serde(rename = "org.orlop.Control.UpgradeCommit")]
    UpgradeCommit,
}

impl Request {
    /// # Errors
    /// Varlink's: the interface, the method or a parameter is not one of ours, or many replies
    /// would come and were not asked for.
    pub fn from_call(call: Call) -> Result<Self, Error> {
        let Some((interface, method)) = call.method.rsplit_once('.') else {
            return Err(Error::InterfaceNotFound { interface: call.method });
        };
        if interface != INTERFACE_NAME {
            return Err(Error::InterfaceNotFound { interface: interface.into() });
        }
        let upgrade = call.upgrade == Some(true);
        let mut parameters = Parameters::new(call.parameters.unwrap_or_default());
        let Some(request) = Self::read(method, &mut parameters)? else {
            return Err(Error::MethodNotFound { method: call.method });
        };
        parameters.finish()?;
        if request.is_stream() && call.more != Some(true) {
            return Err(Error::ExpectedMore {});
        }
        match (request.is_upgrade(), upgrade) {
            (true, false) => Err(Error::ExpectedUpgrade {}),
            // Its connection is for nothing else.
            (false, true) => Err(Error::MethodNotImplemented { method: call.method }),
            (true, true) | (false, false) => Ok(request),
        }
    }

    /// Who may ask for it. No other arm: a method that is new does not compile without a class.
    #[must_use]
    pub fn access(&self) -> Access {
        match self {
            Self::List
            | Self::Status { .. }
            | Self::Logs(_)
            | Self::Boots
            | Self::Events(_)
            | Self::Stats { .. }
            | Self::Top { .. }
            | Self::Boot
            | Self::Why { .. }
            | Self::WhyBoot
            | Self::WhyShutdown
            | Self::LogLevel { level: None }
            | Self::Version
            | Self::Shutdown => Access::Read,
            // These tell the environment, where passwords are.
            Self::Spec { .. }
            | Self::ConfigBegin { .. }
            | Self::ConfigChunk { .. }
            | Self::Plan { .. }
            | Self::Reload { .. }
            | Self::ConfirmReload
            | Self::Rollback { .. }
            | Self::ConfigHistory
            | Self::ConfigDrift
            | Self::Config
            // Files of a container.
            | Self::CopyFrom { .. }
            | Self::CopyTo { .. }
            | Self::Exec(_)
            | Self::Attach { .. }
            | Self::Start { .. }
            | Self::Stop { .. }
            | Self::Restart { .. }
            | Self::Replace { .. }
            | Self::Kill { .. }
            | Self::Pause { .. }
            | Self::Unpause { .. }
            | Self::Update { .. }
            | Self::Power { .. }
            | Self::Resume
            | Self::LogLevel { level: Some(_) }
            | Self::DebugCrash { .. }
            | Self::DebugOrphans { .. }
            | Self::UpgradeBegin { .. }
            | Self::UpgradeChunk { .. }
            | Self::UpgradeCommit => Access::Change,
        }
    }

    /// Whether its connection is for frames of [`super::stream`] once it is answered.
    #[must_use]
    pub fn is_upgrade(&self) -> bool {
        matches!(self, Self::Exec(_) | Self::Attach { .. } | Self::CopyFrom { .. } | Self::CopyTo { .. })
    }

    /// Whether it is answered many times.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Logs(_) | Self::Events(_))
    }

    fn read(method: &str, parameters: &mut Parameters) -> Result<Option<Self>, Error> {
        Ok(Some(match method {
            "List" => Self::List,
            "Status" => Self::Status { name: parameters.take("name")? },
            "Logs" => Self::Logs(Logs::take(parameters)?),
            "Boots" => Self::Boots,
            "Events" => Self::Events(Events::take(parameters)?),
            "Start" => Self::Start { name: parameters.take("name")? },
            "Stop" => Self::Stop { name: parameters.take("name")? },
            "Restart" => Self::Restart { name: parameters.take("name")? },
            "Replace" => Self::Replace { name: parameters.take("name")? },
            "Kill" => Self::Kill {
                name: parameters.take("name")?,
                signal: take_signal(parameters, libc_signal::KILL)?,
            },
            "Stats" => Self::Stats { names: parameters.take("names")? },
            "Top" => Self::Top { name: parameters.take("name")? },
            "Spec" => Self::Spec { name: parameters.take("name")?, bundle: take_bundle(parameters)? },
            "Pause" => Self::Pause { name: parameters.take("name")? },
            "Unpause" => Self::Unpause { name: parameters.take("name")? },
            "Exec" => Self::Exec(Exec::take(parameters)?),
            "Attach" => Self::Attach {
                name: parameters.take("name")?,
                stdin: parameters.take::<Option<bool>>("stdin")?.unwrap_or(false),
            },
            "CopyFrom" => Self::CopyFrom {
                name: parameters.take("name")?,
                path: parameters.take("path")?,
                follow: parameters.take::<Option<bool>>("follow")?.unwrap_or(false),
            },
            "CopyTo" => Self::CopyTo {
                name: parameters.take("name")?,
                path: parameters.take("path")?,
                within: parameters.take::<Option<bool>>("within")?.unwrap_or(false),
            },
            "Update" => Self::Update { name: parameters.take("name")?, limits: parameters.take("limits")? },
            "Boot" => Self::Boot,
            "Why" => Self::Why { name: parameters.take("name")? },
            "WhyBoot" => Self::WhyBoot,
            "WhyShutdown" => Self::WhyShutdown,
            "Version" => Self::Version,
            "Shutdown" => Self::Shutdown,
            "Power" => Self::Power { action: parameters.take("action")? },
            "Resume" => Self::Resume,
            "LogLevel" => Self::LogLevel { level: parameters.take("level")? },
            "DebugCrash" => Self::DebugCrash {
                process: parameters.take("process")?,
                signal: take_signal(parameters, libc_signal::SEGV)?,
                starts: parameters.take::<Option<u32>>("starts")?.unwrap_or(0),
                steps: parameters.take::<Option<u32>>("steps")?.unwrap_or(0),
            },
            "DebugOrphans" => Self::DebugOrphans { count: parameters.take("count")? },
            "UpgradeBegin" => {
                Self::UpgradeBegin { size: parameters.take("size")?, sha256: take_sha256(parameters)? }
            }
            "UpgradeChunk" => Self::UpgradeChunk { data: take_chunk(parameters)? },
            "UpgradeCommit" => Self::UpgradeCommit,
            _ => return Self::read_configuring(method, parameters),
        }))
    }

    /// Of the configuration in force.
    fn read_configuring(method: &str, parameters: &mut Parameters) -> Result<Option<Self>, Error> {
        Ok(Some(match method {
            "ConfigBegin" => Self::ConfigBegin { size: parameters.take("size")? },
            "ConfigChunk" => Self::ConfigChunk { data: take_chunk(parameters)? },
            "Plan" => Self::Plan { sent: parameters.take("sent")? },
            "Reload" => Self::Reload {
                sent: parameters.take("sent")?,
                confirm_ms: parameters.take("confirm_ms")?,
                base: parameters.take("base")?,
            },
            "ConfirmReload" => Self::ConfirmReload,
            "Rollback" => {
                Self::Rollback { number: parameters.take("number")?, built_in: parameters.take("built_in")? }
            }
            "ConfigHistory" => Self::ConfigHistory,
            "ConfigDrift" => Self::ConfigDrift,
            "Config" => Self::Config,
            _ => return Ok(None),
        }))
    }
}

/// The same on every architecture.
mod libc_signal {
    pub(super) const KILL: i32 = 9;
    pub(super) const SEGV: i32 = 11;
}

fn take_signal(parameters: &mut Parameters, default: i32) -> Result<i32, Error> {
    match parameters.take::<Option<String>>("signal")? {
        None => Ok(default),
        Some(text) => signal::number(&text).ok_or_else(|| invalid("signal")),
    }
}

fn take_bundle(parameters: &mut Parameters) -> Result<Option<String>, Error> {
    let path: Option<String> = parameters.take("bundle")?;
    let leads_there = |path: &String| path.len() > 1 && path.starts_with('/') && !path.contains("..");
    if path.as_ref().is_none_or(leads_there) { Ok(path) } else { Err(invalid("bundle")) }
}

fn take_sha256(parameters: &mut Parameters) -> Result<String, Error> {
    let hex: String = parameters.take("sha256")?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if hex.len() == 64 && hex.bytes().all(is_digit) { Ok(hex) } else { Err(invalid("sha256")) }
}

fn take_chunk(parameters: &mut Parameters) -> Result<Vec<u8>, Error> {
    let text: String = parameters.take("data")?;
    base64::decode(&text)
        .filter(|data| !data.is_empty() && data.len() <= MAX_CHUNK)
        .ok_or_else(|| invalid("data"))
}

fn as_signal_name<S: Serializer>(number: &i32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&signal::name(*number))
}

fn as_base64<S: Serializer>(data: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&base64::encode(data))
}

#[cfg(test)]
#[path = "request_test.rs"]
mod tests;
