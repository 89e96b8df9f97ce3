//! One message from a client: which method, with what, and how it wants to be answered.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Error, Request};

/// As on the wire. A field that Varlink does not have is an error.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// With its interface: `org.orlop.Control.List`.
    pub method: String,
    #[serde(default)]
    pub parameters: Option<Map<String, Value>>,
    /// The client takes many replies.
    #[serde(default)]
    pub more: Option<bool>,
    /// The client wants no reply.
    #[serde(default)]
    pub oneway: Option<bool>,
    /// The client wants the connection for another protocol afterwards.
    #[serde(default)]
    pub upgrade: Option<bool>,
}

impl Call {
    /// One message, its NUL left out.
    ///
    /// # Errors
    /// [`Error::InvalidMessage`] when it is not JSON or not a call.
    pub fn parse(message: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(message).map_err(|error| Error::InvalidMessage { reason: format!("{error}") })
    }

    #[must_use]
    pub fn is_oneway(&self) -> bool {
        self.oneway == Some(true)
    }
}

/// A request as a client sends it, its NUL included; one with many replies asks for them, and one that
/// needs its connection for itself.
#[must_use]
pub fn encode_call(request: &Request) -> Vec<u8> {
    #[derive(Serialize)]
    struct Wire<'a> {
        #[serde(flatten)]
        request: &'a Request,
        #[serde(skip_serializing_if = "core::ops::Not::not")]
        more: bool,
        #[serde(skip_serializing_if = "core::ops::Not::not")]
        upgrade: bool,
    }
    super::reply::message(&Wire { request, more: request.is_stream(), upgrade: request.is_upgrade() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &[u8], expected: Result<Call, &str>) {
        let found = Call::parse(message).map_err(|error| error.to_string());
        assert_eq!(found, expected.map_err(String::from));
    }

    fn call(method: &str) -> Call {
        Call { method: method.into(), parameters: None, more: None, oneway: None, upgrade: None }
    }

    #[test]
    fn reads_a_call_with_or_without_its_flags() {
        check(br#"{"method":"a.B"}"#, Ok(call("a.B")));
        check(br#"{"method":"a.B","parameters":null,"more":null}"#, Ok(call("a.B")));
        check(
            br#" {"more":true,"oneway":false,"method":"a.B","parameters":{}} "#,
            Ok(Call { parameters: Some(Map::new()), more: Some(true), oneway: Some(false), ..call("a.B") }),
        );
    }

    #[test]
    fn refuses_what_is_no_call_and_says_why() {
        check(b"", Err("no Varlink call: EOF while parsing a value at line 1 column 0"));
        check(b"GET / HTTP/1.1", Err("no Varlink call: expected value at line 1 column 1"));
        check(
            b"[1]",
            Err("no Varlink call: invalid type: integer `1`, expected a string at line 1 column 2"),
        );
        check(b"{}", Err("no Varlink call: missing field `method` at line 1 column 2"));
        check(br#"{"method":"a.B"} x"#, Err("no Varlink call: trailing characters at line 1 column 18"));
        check(
            br#"{"method":"a.B","parameters":[]}"#,
            Err("no Varlink call: invalid type: sequence, expected a map at line 1 column 29"),
        );
        check(
            b"{\"method\":\"\xff\"}",
            Err("no Varlink call: invalid unicode code point at line 1 column 12"),
        );
        let mut deep = br#"{"method":"a.B","parameters":{"a":"#.to_vec();
        deep.extend([b'['; 10_000]);
        check(&deep, Err("no Varlink call: recursion limit exceeded at line 1 column 160"));
    }
}
