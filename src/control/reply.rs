//! What the machine answers: one type for each method, and the messages made of them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Container, Details, Entry, Error, Event, Figures, KeptBoot, LogLevel, Phase, Rise, Task, Upgrade,
};

/// The answer of a method that has nothing to say but that it was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListReply {
    pub containers: Vec<Container>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReply {
    pub container: Container,
    pub details: Details,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsReply {
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsReply {
    pub events: Vec<Event>,
    pub dropped: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatsReply {
    pub boot_us: u64,
    pub containers: Vec<Figures>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopReply {
    pub processes: Vec<Task>,
    pub left_out: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootReply {
    pub phases: Vec<Phase>,
    pub complete: bool,
    /// None from a machine that does not tell them yet.
    #[serde(default)]
    pub containers: Vec<Rise>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootsReply {
    pub boots: Vec<KeptBoot>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionReply {
    pub version: String,
    /// None of a machine that had the first.
    #[serde(default)]
    pub interface: Option<String>,
    pub commit: Option<String>,
    pub protocol: u32,
    pub uptime_ms: u64,
    pub supervisor_starts: u64,
    pub orphans: u64,
    pub safe: bool,
    pub kernel: String,
    pub upgrade: Option<Upgrade>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLevelReply {
    pub level: LogLevel,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadReply {
    pub received: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitReply {
    pub number: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpecReply {
    /// config.json of the OCI runtime specification.
    pub spec: Value,
}

/// The last reply of a call, its NUL included.
#[must_use]
pub fn encode_reply<T: Serialize>(parameters: &T) -> Vec<u8> {
    #[derive(Serialize)]
    struct Wire<'a, T> {
        parameters: &'a T,
    }
    message(&Wire { parameters })
}

/// A reply that others follow, its NUL included.
#[must_use]
pub fn encode_continued<T: Serialize>(parameters: &T) -> Vec<u8> {
    #[derive(Serialize)]
    struct Wire<'a, T> {
        parameters: &'a T,
        continues: bool,
    }
    message(&Wire { parameters, continues: true })
}

/// An error, which ends its call, its NUL included.
#[must_use]
pub fn encode_error(error: &Error) -> Vec<u8> {
    message(error)
}

/// JSON and a NUL. The types of this room always become JSON; if one did not, its reader is told
/// so by a message that cannot fail.
pub(super) fn message<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).unwrap_or_else(|_| {
        br#"{"error":"org.orlop.Control.Failed","parameters":{"reason":"the answer cannot be written as JSON"}}"#.to_vec()
    });
    bytes.push(0);
    bytes
}

/// A reply as a client reads it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Reply {
    #[serde(default)]
    pub parameters: Option<Value>,
    #[serde(default)]
    pub continues: Option<bool>,
    #[serde(default)]
    pub error: Option<String>,
}

impl Reply {
    /// One message, its NUL left out.
    ///
    /// # Errors
    /// [`Error::InvalidMessage`] when it is no reply.
    pub fn parse(message: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(message).map_err(|error| Error::InvalidMessage { reason: error.to_string() })
    }

    #[must_use]
    pub fn is_last(&self) -> bool {
        self.continues != Some(true)
    }

    /// The parameters, or the error that the machine answered with. One that this program does
    /// not know is [`Error::Failed`] with its name.
    ///
    /// # Errors
    /// What the machine answered.
    pub fn into_result(self) -> Result<Value, Error> {
        let parameters = self.parameters.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
        let Some(name) = self.error else {
            return Ok(parameters);
        };
        let wire = serde_json::json!({ "error": name, "parameters": parameters });
        let reason = format!("the machine answered {name}: {parameters}");
        Err(serde_json::from_value(wire).unwrap_or(Error::Failed { reason }))
    }
}

/// Parameters of a reply as one of the types above.
///
/// # Errors
/// [`Error::InvalidMessage`] when a field is missing or has a word that this program does not know.
pub fn read<T: DeserializeOwned>(parameters: Value) -> Result<T, Error> {
    serde_json::from_value(parameters).map_err(|error| Error::InvalidMessage { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn replies_have_these_bytes() {
        assert_eq!(text(encode_reply(&Empty {})), "{\"parameters\":{}}\0");
        assert_eq!(
            text(encode_continued(&LogsReply { entries: vec![] })),
            "{\"parameters\":{\"entries\":[]},\"continues\":true}\0"
        );
        assert_eq!(
            text(encode_error(&Error::TooLarge { limit: 3 })),
            "{\"error\":\"org.orlop.Control.TooLarge\",\"parameters\":{\"limit\":3}}\0"
        );
    }

    #[test]
    fn what_cannot_be_json_is_an_error_and_not_a_crash() {
        let keys = alloc::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(text(encode_reply(&keys)).contains("org.orlop.Control.Failed"));
    }

    #[track_caller]
    fn check(message: &str, expected: Result<&str, &str>) {
        let found = Reply::parse(message.as_bytes()).and_then(Reply::into_result);
        let found = found.map(|value| value.to_string()).map_err(|error| error.to_string());
        assert_eq!(found, expected.map(String::from).map_err(String::from));
    }

    #[test]
    fn a_client_reads_answers_and_errors_also_those_it_does_not_know() {
        check(r#"{"parameters":{"a":1}}"#, Ok(r#"{"a":1}"#));
        check("{}", Ok("{}"));
        check(
            r#"{"error":"org.orlop.Control.FaultInjectionOff"}"#,
            Err("fault injection is off; `[host] fault_injection = true` allows it"),
        );
        check(
            r#"{"error":"org.orlop.Control.Later","parameters":{"x":1}}"#,
            Err(r#"the machine answered org.orlop.Control.Later: {"x":1}"#),
        );
        check("HTTP", Err("no Varlink call: expected value at line 1 column 1"));
    }
}
