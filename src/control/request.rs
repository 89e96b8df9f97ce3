//! What the machine can be asked, as checked values: a call becomes a request or an error.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Serialize, Serializer};

use super::parameters::{Parameters, invalid};
use super::{Call, Error, INTERFACE_NAME, MAX_CHUNK, PowerAction, Process, base64};
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
    Logs { names: Vec<String>, lines: Option<u64>, follow: bool },
    #[serde(rename = "org.orlop.Control.Start")]
    Start { name: String },
    #[serde(rename = "org.orlop.Control.Stop")]
    Stop { name: String },
    #[serde(rename = "org.orlop.Control.Restart")]
    Restart { name: String },
    /// `signal`: 1–64.
    #[serde(rename = "org.orlop.Control.Kill")]
    Kill {
        name: String,
        #[serde(serialize_with = "as_signal_name")]
        signal: i32,
    },
    #[serde(rename = "org.orlop.Control.Boot")]
    Boot,
    #[serde(rename = "org.orlop.Control.Version")]
    Version,
    #[serde(rename = "org.orlop.Control.Power")]
    Power { action: PowerAction },
    #[serde(rename = "org.orlop.Control.Resume")]
    Resume,
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
        if call.upgrade == Some(true) {
            // No method here hands its connection over.
            return Err(Error::MethodNotImplemented { method: call.method });
        }
        let mut parameters = Parameters::new(call.parameters.unwrap_or_default());
        let Some(request) = Self::read(method, &mut parameters)? else {
            return Err(Error::MethodNotFound { method: call.method });
        };
        parameters.finish()?;
        if request.is_stream() && call.more != Some(true) {
            return Err(Error::ExpectedMore {});
        }
        Ok(request)
    }

    /// Whether it is answered many times.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        matches!(self, Self::Logs { .. })
    }

    fn read(method: &str, parameters: &mut Parameters) -> Result<Option<Self>, Error> {
        Ok(Some(match method {
            "List" => Self::List,
            "Status" => Self::Status { name: parameters.take("name")? },
            "Logs" => Self::Logs {
                names: parameters.take("names")?,
                lines: parameters.take("lines")?,
                follow: parameters.take::<Option<bool>>("follow")?.unwrap_or(false),
            },
            "Start" => Self::Start { name: parameters.take("name")? },
            "Stop" => Self::Stop { name: parameters.take("name")? },
            "Restart" => Self::Restart { name: parameters.take("name")? },
            "Kill" => Self::Kill {
                name: parameters.take("name")?,
                signal: take_signal(parameters, libc_signal::KILL)?,
            },
            "Boot" => Self::Boot,
            "Version" => Self::Version,
            "Power" => Self::Power { action: parameters.take("action")? },
            "Resume" => Self::Resume,
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
mod tests {
    use super::*;
    use crate::control::encode_call;

    /// A request ↔ the bytes of its call.
    #[track_caller]
    fn check(request: &Request, wire: &str) {
        let bytes = encode_call(request);
        assert_eq!(String::from_utf8_lossy(&bytes), format!("{wire}\0"));
        let call = Call::parse(wire.as_bytes()).unwrap();
        assert_eq!(Request::from_call(call).as_ref(), Ok(request));
    }

    #[test]
    fn requests_have_these_bytes() {
        let name = || String::from("web");
        check(&Request::List, r#"{"method":"org.orlop.Control.List"}"#);
        check(
            &Request::Status { name: name() },
            r#"{"method":"org.orlop.Control.Status","parameters":{"name":"web"}}"#,
        );
        check(
            &Request::Logs { names: vec![name()], lines: Some(3), follow: true },
            r#"{"method":"org.orlop.Control.Logs","parameters":{"names":["web"],"lines":3,"follow":true},"more":true}"#,
        );
        check(
            &Request::Start { name: name() },
            r#"{"method":"org.orlop.Control.Start","parameters":{"name":"web"}}"#,
        );
        check(
            &Request::Stop { name: name() },
            r#"{"method":"org.orlop.Control.Stop","parameters":{"name":"web"}}"#,
        );
        check(
            &Request::Restart { name: name() },
            r#"{"method":"org.orlop.Control.Restart","parameters":{"name":"web"}}"#,
        );
        check(
            &Request::Kill { name: name(), signal: 37 },
            r#"{"method":"org.orlop.Control.Kill","parameters":{"name":"web","signal":"SIGRTMIN+3"}}"#,
        );
        check(&Request::Boot, r#"{"method":"org.orlop.Control.Boot"}"#);
        check(&Request::Version, r#"{"method":"org.orlop.Control.Version"}"#);
        check(
            &Request::Power { action: PowerAction::Reboot },
            r#"{"method":"org.orlop.Control.Power","parameters":{"action":"reboot"}}"#,
        );
        check(&Request::Resume, r#"{"method":"org.orlop.Control.Resume"}"#);
        check(
            &Request::DebugCrash { process: Process::Log, signal: 11, starts: 0, steps: 0 },
            r#"{"method":"org.orlop.Control.DebugCrash","parameters":{"process":"log","signal":"SIGSEGV","starts":0,"steps":0}}"#,
        );
        check(
            &Request::DebugOrphans { count: 9 },
            r#"{"method":"org.orlop.Control.DebugOrphans","parameters":{"count":9}}"#,
        );
        let sha256 = "0123456789abcdef".repeat(4);
        check(
            &Request::UpgradeBegin { size: 5, sha256: sha256.clone() },
            &format!(
                r#"{{"method":"org.orlop.Control.UpgradeBegin","parameters":{{"size":5,"sha256":"{sha256}"}}}}"#
            ),
        );
        check(
            &Request::UpgradeChunk { data: vec![0xff] },
            r#"{"method":"org.orlop.Control.UpgradeChunk","parameters":{"data":"/w=="}}"#,
        );
        check(&Request::UpgradeCommit, r#"{"method":"org.orlop.Control.UpgradeCommit"}"#);
    }

    #[track_caller]
    fn answer(method: &str, parameters: &str) -> Result<Request, Error> {
        let wire = format!(r#"{{"method":"{method}","parameters":{parameters},"more":true}}"#);
        Request::from_call(Call::parse(wire.as_bytes()).unwrap())
    }

    #[test]
    fn what_may_be_left_out_has_its_default() {
        for parameters in [r#"{"name":"web"}"#, r#"{"name":"web","signal":null}"#] {
            assert_eq!(
                answer("org.orlop.Control.Kill", parameters),
                Ok(Request::Kill { name: "web".into(), signal: 9 })
            );
        }
        assert_eq!(
            answer("org.orlop.Control.DebugCrash", r#"{"process":"supervisor"}"#),
            Ok(Request::DebugCrash { process: Process::Supervisor, signal: 11, starts: 0, steps: 0 })
        );
        assert_eq!(
            answer("org.orlop.Control.Logs", r#"{"names":[]}"#),
            Ok(Request::Logs { names: vec![], lines: None, follow: false })
        );
        assert_eq!(answer("org.orlop.Control.List", "null"), Ok(Request::List));
    }

    #[test]
    fn refuses_a_wrong_parameter_by_name() {
        let cases = [
            ("Status", "{}", "name"),
            ("Status", r#"{"name":7}"#, "name"),
            ("Status", r#"{"name":null}"#, "name"),
            ("Status", r#"{"name":"web","nam":1}"#, "nam"),
            ("List", r#"{"all":true}"#, "all"),
            ("Logs", r#"{"names":"web"}"#, "names"),
            ("Logs", r#"{"names":[],"lines":-1}"#, "lines"),
            ("Logs", r#"{"names":[],"lines":1.5}"#, "lines"),
            ("Logs", r#"{"names":[],"follow":1}"#, "follow"),
            ("Kill", r#"{"name":"web","signal":"FOO"}"#, "signal"),
            ("Kill", r#"{"name":"web","signal":9}"#, "signal"),
            ("Power", r#"{"action":"halt"}"#, "action"),
            ("DebugCrash", r#"{"process":"kernel"}"#, "process"),
            ("DebugCrash", r#"{"process":"log","starts":-1}"#, "starts"),
            ("DebugOrphans", "{}", "count"),
            ("UpgradeBegin", r#"{"size":1,"sha256":"00"}"#, "sha256"),
            ("UpgradeChunk", r#"{"data":"?"}"#, "data"),
            ("UpgradeChunk", r#"{"data":""}"#, "data"),
        ];
        for (method, parameters, wrong) in cases {
            assert_eq!(
                answer(&format!("org.orlop.Control.{method}"), parameters),
                Err(Error::InvalidParameter { parameter: wrong.into() }),
                "{method} {parameters}"
            );
        }
        let large = base64::encode(&vec![0; MAX_CHUNK + 1]);
        let large = answer("org.orlop.Control.UpgradeChunk", &format!(r#"{{"data":"{large}"}}"#));
        assert_eq!(large, Err(invalid("data")));
    }

    #[test]
    fn refuses_a_method_that_is_not_there() {
        let found = |method: &str| answer(method, "{}").unwrap_err().to_string();
        assert_eq!(
            found("org.orlop.Control.Explode"),
            "the machine does not know `org.orlop.Control.Explode`"
        );
        assert_eq!(found("org.example.List"), "the machine has no interface `org.example`");
        assert_eq!(found("List"), "the machine has no interface `List`");
        assert_eq!(found(""), "the machine has no interface ``");
    }

    #[test]
    fn a_stream_must_be_asked_for_and_no_connection_is_handed_over() {
        let parse = |wire: &str| Request::from_call(Call::parse(wire.as_bytes()).unwrap());
        assert_eq!(
            parse(r#"{"method":"org.orlop.Control.Logs","parameters":{"names":[]}}"#),
            Err(Error::ExpectedMore {})
        );
        assert_eq!(
            parse(r#"{"method":"org.orlop.Control.List","upgrade":true}"#),
            Err(Error::MethodNotImplemented { method: "org.orlop.Control.List".into() })
        );
    }
}
