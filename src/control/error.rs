//! Every error that a call can be answered with: Varlink's own and those of the interface.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::{Map, Value, value};

use super::State;

/// As on the wire: `{"error": name, "parameters": {…}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub enum Error {
    #[serde(rename = "org.varlink.service.InterfaceNotFound")]
    InterfaceNotFound { interface: String },
    #[serde(rename = "org.varlink.service.MethodNotFound")]
    MethodNotFound { method: String },
    #[serde(rename = "org.varlink.service.MethodNotImplemented")]
    MethodNotImplemented { method: String },
    #[serde(rename = "org.varlink.service.InvalidParameter")]
    InvalidParameter { parameter: String },
    #[serde(rename = "org.varlink.service.PermissionDenied")]
    PermissionDenied {},
    #[serde(rename = "org.varlink.service.ExpectedMore")]
    ExpectedMore {},
    #[serde(rename = "org.orlop.Control.UnknownContainer")]
    UnknownContainer { name: String, nearest: Option<String> },
    #[serde(rename = "org.orlop.Control.InvalidContainer")]
    InvalidContainer { name: String, problems: Vec<String> },
    #[serde(rename = "org.orlop.Control.NotRunning")]
    NotRunning { name: String, state: State },
    #[serde(rename = "org.orlop.Control.Paused")]
    Paused { name: String },
    #[serde(rename = "org.orlop.Control.ExpectedUpgrade")]
    ExpectedUpgrade {},
    #[serde(rename = "org.orlop.Control.ExecFailed")]
    ExecFailed { step: String, object: String, errno: Option<String>, text: String },
    #[serde(rename = "org.orlop.Control.BadLimit")]
    BadLimit { key: String, reason: String },
    #[serde(rename = "org.orlop.Control.BadConfiguration")]
    BadConfiguration { reason: String },
    #[serde(rename = "org.orlop.Control.Busy")]
    Busy { what: String, limit: u64 },
    #[serde(rename = "org.orlop.Control.TooLarge")]
    TooLarge { limit: u64 },
    #[serde(rename = "org.orlop.Control.InvalidMessage")]
    InvalidMessage { reason: String },
    #[serde(rename = "org.orlop.Control.NotNow")]
    NotNow { reason: String },
    #[serde(rename = "org.orlop.Control.FaultInjectionOff")]
    FaultInjectionOff {},
    #[serde(rename = "org.orlop.Control.UpgradeRefused")]
    UpgradeRefused { reason: String },
    #[serde(rename = "org.orlop.Control.Failed")]
    Failed { reason: String },
}

impl Error {
    /// The container that it is about, if it names one.
    #[must_use]
    pub fn container(&self) -> Option<&str> {
        match self {
            Self::UnknownContainer { name, .. }
            | Self::InvalidContainer { name, .. }
            | Self::NotRunning { name, .. }
            | Self::Paused { name } => Some(name),
            Self::InterfaceNotFound { .. }
            | Self::MethodNotFound { .. }
            | Self::MethodNotImplemented { .. }
            | Self::InvalidParameter { .. }
            | Self::PermissionDenied {}
            | Self::ExpectedMore {}
            | Self::ExpectedUpgrade {}
            | Self::ExecFailed { .. }
            | Self::BadLimit { .. }
            | Self::BadConfiguration { .. }
            | Self::Busy { .. }
            | Self::TooLarge { .. }
            | Self::InvalidMessage { .. }
            | Self::NotNow { .. }
            | Self::FaultInjectionOff {}
            | Self::UpgradeRefused { .. }
            | Self::Failed { .. } => None,
        }
    }
}

/// Serde's own form of it (`tag`, `content`) reads every error by two more readers: 40 KiB of the binary.
#[derive(Serialize, Deserialize)]
struct Wire {
    error: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Ok(Value::Object(named)) = Self::serialize(self, value::Serializer) else {
            return Err(ser::Error::custom("an error that is no object"));
        };
        let wire = named.into_iter().next().and_then(|(error, parameters)| match parameters {
            Value::Object(parameters) => Some(Wire { error, parameters }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
        });
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { error, parameters } = Wire::deserialize(deserializer)?;
        let named = Map::from_iter([(error, Value::Object(parameters))]);
        Self::deserialize(Value::Object(named)).map_err(de::Error::custom)
    }
}

/// One line for a person.
impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InterfaceNotFound { interface } => {
                write!(out, "the machine has no interface `{interface}`")
            }
            Self::MethodNotFound { method } => write!(out, "the machine does not know `{method}`"),
            Self::MethodNotImplemented { method } => {
                write!(out, "the machine cannot do `{method}`")
            }
            Self::InvalidParameter { parameter } => {
                write!(out, "the machine refuses the parameter `{parameter}`")
            }
            Self::PermissionDenied {} => write!(out, "the machine does not allow you to do this"),
            Self::ExpectedMore {} => write!(out, "the call has many answers and must ask for them"),
            Self::UnknownContainer { name, nearest: None } => {
                write!(out, "there is no container `{name}`")
            }
            Self::UnknownContainer { name, nearest: Some(nearest) } => {
                write!(out, "there is no container `{name}`; did you mean `{nearest}`?")
            }
            Self::InvalidContainer { name, problems } => {
                write!(out, "container `{name}` is invalid: {}", problems.join("; "))
            }
            Self::NotRunning { name, state } => {
                write!(out, "container `{name}` does not run, it is {}", state.as_str())
            }
            Self::Paused { name } => {
                write!(out, "container `{name}` is paused; `orlop resume {name}` lets it go on")
            }
            Self::ExpectedUpgrade {} => {
                write!(out, "the call needs its connection for itself, and must say so")
            }
            Self::ExecFailed { text, .. } => write!(out, "{text}"),
            Self::BadLimit { key, reason } => write!(out, "{key}: {reason}"),
            Self::BadConfiguration { reason } => write!(out, "nothing was changed: {reason}"),
            Self::Busy { what, limit } => {
                write!(out, "the machine is busy: all {limit} {what} are taken")
            }
            Self::TooLarge { limit } => write!(out, "the request is larger than {limit} bytes"),
            Self::InvalidMessage { reason } => write!(out, "no Varlink call: {reason}"),
            Self::NotNow { reason } => write!(out, "not now: {reason}"),
            Self::FaultInjectionOff {} => {
                write!(out, "fault injection is off; `[host] fault_injection = true` allows it")
            }
            Self::UpgradeRefused { reason } => write!(out, "the binary is refused: {reason}"),
            Self::Failed { reason } => write!(out, "{reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: &Error, wire: &str, text: &str) {
        assert_eq!(serde_json::to_string(error).unwrap(), wire);
        assert_eq!(&serde_json::from_str::<Error>(wire).unwrap(), error);
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn errors_carry_their_parameters_and_read_well() {
        check(
            &Error::UnknownContainer { name: "wbe".into(), nearest: Some("web".into()) },
            r#"{"error":"org.orlop.Control.UnknownContainer","parameters":{"name":"wbe","nearest":"web"}}"#,
            "there is no container `wbe`; did you mean `web`?",
        );
        check(
            &Error::InvalidParameter { parameter: "lines".into() },
            r#"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"lines"}}"#,
            "the machine refuses the parameter `lines`",
        );
        check(
            &Error::FaultInjectionOff {},
            r#"{"error":"org.orlop.Control.FaultInjectionOff","parameters":{}}"#,
            "fault injection is off; `[host] fault_injection = true` allows it",
        );
        check(
            &Error::Busy { what: "streams".into(), limit: 16 },
            r#"{"error":"org.orlop.Control.Busy","parameters":{"limit":16,"what":"streams"}}"#,
            "the machine is busy: all 16 streams are taken",
        );
        check(
            &Error::NotRunning { name: "db".into(), state: State::Backoff },
            r#"{"error":"org.orlop.Control.NotRunning","parameters":{"name":"db","state":"backoff"}}"#,
            "container `db` does not run, it is backoff",
        );
    }
}
