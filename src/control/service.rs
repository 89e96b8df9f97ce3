//! A message → what is to be done about it: a request for the machine, or an answer that needs
//! none of it.
//!
//! `org.varlink.service` is answered here, so that introspection works on any machine that still
//! reads its socket, and so are all errors of form.

use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

use super::parameters::{Parameters, invalid};
use super::{
    Call, Error, Frame, INTERFACE, INTERFACE_NAME, MAX_REQUEST, Request, encode_error, encode_reply,
};

const SERVICE_NAME: &str = "org.varlink.service";

/// Varlink's own interface, in our words; the names are those of the specification.
const SERVICE: &str = include_str!("org.varlink.service.varlink");

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    /// For the machine to do.
    Request(Request, Answer),
    /// A whole message to send back.
    Answer(Vec<u8>),
    /// It was wrong, and its sender wants to hear nothing.
    Nothing,
}

/// Whether the sender of a request waits for an answer (Varlink's `oneway`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Wanted,
    Unwanted,
}

/// `version` is the machine's, for `GetInfo`.
#[must_use]
pub fn receive(frame: &Frame, version: &str) -> Received {
    let message = match frame {
        Frame::Message(message) => message,
        Frame::TooLarge => {
            let limit = MAX_REQUEST as u64;
            return Received::Answer(encode_error(&Error::TooLarge { limit }));
        }
    };
    let call = match Call::parse(message) {
        Ok(call) => call,
        Err(error) => return Received::Answer(encode_error(&error)),
    };
    let wanted = if call.is_oneway() { Answer::Unwanted } else { Answer::Wanted };
    let answer = match introspect(&call, version) {
        Some(answer) => answer,
        None => match Request::from_call(call) {
            Ok(request) => return Received::Request(request, wanted),
            Err(error) => Err(error),
        },
    };
    match (wanted, answer) {
        (Answer::Unwanted, _) => Received::Nothing,
        (Answer::Wanted, Ok(answer)) => Received::Answer(answer),
        (Answer::Wanted, Err(error)) => Received::Answer(encode_error(&error)),
    }
}

/// `None`: not a method of Varlink's own interface.
fn introspect(call: &Call, version: &str) -> Option<Result<Vec<u8>, Error>> {
    let (interface, method) = call.method.rsplit_once('.')?;
    if interface != SERVICE_NAME {
        return None;
    }
    let parameters = Parameters::new(call.parameters.clone().unwrap_or_default());
    Some(match method {
        "GetInfo" => parameters.finish().map(|()| info(version)),
        "GetInterfaceDescription" => describe(parameters),
        _ => Err(Error::MethodNotFound { method: call.method.clone() }),
    })
}

fn info(version: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Info<'a> {
        vendor: &'a str,
        product: &'a str,
        version: &'a str,
        url: &'a str,
        interfaces: [&'a str; 2],
    }
    encode_reply(&Info {
        vendor: "Orlop",
        product: "orlop",
        version,
        // Nothing to point at from a machine that may have no network.
        url: "",
        interfaces: [SERVICE_NAME, INTERFACE_NAME],
    })
}

fn describe(mut parameters: Parameters) -> Result<Vec<u8>, Error> {
    #[derive(Serialize)]
    struct Description {
        description: &'static str,
    }
    let interface: String = parameters.take("interface")?;
    parameters.finish()?;
    let description = match interface.as_str() {
        SERVICE_NAME => SERVICE,
        INTERFACE_NAME => INTERFACE,
        _ => return Err(invalid("interface")),
    };
    Ok(encode_reply(&Description { description }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn answer(message: &str) -> String {
        match receive(&Frame::Message(message.into()), "1.2.3") {
            Received::Answer(bytes) => String::from_utf8(bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn check(message: &str, expected: &str) {
        assert_eq!(answer(message), format!("{expected}\0"));
    }

    #[test]
    fn introspection_is_answered_without_the_machine() {
        check(
            r#"{"method":"org.varlink.service.GetInfo","parameters":{}}"#,
            r#"{"parameters":{"vendor":"Orlop","product":"orlop","version":"1.2.3","url":"","interfaces":["org.varlink.service","org.orlop.Control"]}}"#,
        );
        for (name, text) in [(INTERFACE_NAME, INTERFACE), (SERVICE_NAME, SERVICE)] {
            let method = "org.varlink.service.GetInterfaceDescription";
            let found = answer(&format!(r#"{{"method":"{method}","parameters":{{"interface":"{name}"}}}}"#));
            let found: serde_json::Value = serde_json::from_str(found.trim_end_matches('\0')).unwrap();
            assert_eq!(found["parameters"]["description"], text);
        }
    }

    #[test]
    fn errors_of_form_are_answered_without_the_machine() {
        check(
            r#"{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"org.example"}}"#,
            r#"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"interface"}}"#,
        );
        check(
            r#"{"method":"org.varlink.service.GetInfo","parameters":{"x":1}}"#,
            r#"{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"x"}}"#,
        );
        check(
            r#"{"method":"org.varlink.service.Reset"}"#,
            r#"{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"org.varlink.service.Reset"}}"#,
        );
        check(
            r#"{"method":"org.orlop.Control.Fly"}"#,
            r#"{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"org.orlop.Control.Fly"}}"#,
        );
        check(
            "what",
            r#"{"error":"org.orlop.Control.InvalidMessage","parameters":{"reason":"expected value at line 1 column 1"}}"#,
        );
        assert_eq!(
            receive(&Frame::TooLarge, ""),
            Received::Answer(encode_error(&Error::TooLarge { limit: 262_144 }))
        );
    }

    #[test]
    fn who_wants_no_answer_gets_none_also_for_a_mistake() {
        let receive = |message: &str| receive(&Frame::Message(message.into()), "");
        assert_eq!(
            receive(r#"{"method":"org.orlop.Control.Boot","oneway":true}"#),
            Received::Request(Request::Boot, Answer::Unwanted)
        );
        assert_eq!(
            receive(r#"{"method":"org.orlop.Control.Boot"}"#),
            Received::Request(Request::Boot, Answer::Wanted)
        );
        for method in ["org.orlop.Control.Fly", "org.varlink.service.GetInfo"] {
            let message = format!(r#"{{"method":"{method}","oneway":true}}"#);
            assert_eq!(receive(&message), Received::Nothing);
        }
    }
}
