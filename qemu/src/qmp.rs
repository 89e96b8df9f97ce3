//! QEMU's monitor protocol, as far as machines need it: one JSON object a line. Pure.

use serde_json::{Value, json};

/// What QEMU says.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    Greeting,
    Reply {
        id: u64,
        result: Result<Value, String>,
    },
    Event {
        name: String,
        data: Value,
    },
    /// A line that is none of these, for the error text.
    Unknown(String),
}

/// One line, without its end.
pub(crate) fn parse(line: &str) -> Message {
    let unknown = || Message::Unknown(line.to_owned());
    let Ok(message) = serde_json::from_str::<Value>(line) else {
        return unknown();
    };
    if message.get("QMP").is_some() {
        return Message::Greeting;
    }
    if let Some(name) = message.get("event").and_then(Value::as_str) {
        let data = message.get("data").cloned().unwrap_or(Value::Null);
        return Message::Event { name: name.to_owned(), data };
    }
    let Some(id) = message.get("id").and_then(Value::as_u64) else {
        return unknown();
    };
    if let Some(result) = message.get("return") {
        return Message::Reply { id, result: Ok(result.clone()) };
    }
    match message.pointer("/error/desc").and_then(Value::as_str) {
        Some(description) => Message::Reply { id, result: Err(description.to_owned()) },
        None => unknown(),
    }
}

pub(crate) fn command(id: u64, name: &str, arguments: &Value) -> String {
    let mut line = json!({ "execute": name, "arguments": arguments, "id": id }).to_string();
    line.push('\n');
    line
}

/// The arguments of `send-key` for Ctrl-Alt-Del.
pub(crate) fn control_alt_delete() -> Value {
    let key = |code: &str| json!({ "type": "qcode", "data": code });
    json!({ "keys": [key("ctrl"), key("alt"), key("delete")] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_qemu_says() {
        let table = [
            (r#"{"QMP":{"version":{},"capabilities":[]}}"#, Message::Greeting),
            (r#"{"return":{},"id":7}"#, Message::Reply { id: 7, result: Ok(json!({})) }),
            (
                r#"{"id":8,"error":{"class":"GenericError","desc":"no such key"}}"#,
                Message::Reply { id: 8, result: Err("no such key".to_owned()) },
            ),
            (
                r#"{"timestamp":{},"event":"SHUTDOWN","data":{"guest":true,"reason":"guest-reset"}}"#,
                Message::Event {
                    name: "SHUTDOWN".to_owned(),
                    data: json!({ "guest": true, "reason": "guest-reset" }),
                },
            ),
            (r#"{"event":"STOP"}"#, Message::Event { name: "STOP".to_owned(), data: Value::Null }),
            ("garbage", Message::Unknown("garbage".to_owned())),
            (r#"{"return":{}}"#, Message::Unknown(r#"{"return":{}}"#.to_owned())),
        ];
        for (line, expected) in table {
            assert_eq!(parse(line), expected, "{line}");
        }
    }

    #[test]
    fn a_command_is_one_line() {
        let line = command(3, "send-key", &control_alt_delete());
        assert!(line.ends_with("}\n") && line.matches('\n').count() == 1);
        assert!(line.contains(r#""execute":"send-key""#) && line.contains(r#""id":3"#));
    }
}
