//! The client's half of a session on a control port, without the port.
//!
//! A virtio port keeps what a former client left in it, in both directions, and does not say
//! reliably that a client went. So a session begins with a NUL, which ends whatever half message
//! the machine has, and a nonce; everything up to the answer with that nonce belongs to somebody
//! else and is thrown away. What follows it is plain Varlink.

use serde_json::Value;

/// The answer is some 50 bytes; a longer message cannot be it and need not be kept to its end.
const LONGEST_ANSWER: usize = 256;

pub(crate) struct Opening {
    nonce: String,
    message: Vec<u8>,
    /// The message is too long to be the answer: skip to its end.
    skip: bool,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Progress {
    Waiting,
    /// The machine answered; these bytes after its answer are the session's already.
    Begun {
        rest: Vec<u8>,
    },
}

impl Opening {
    pub(crate) fn new(nonce: u64) -> Self {
        Self { nonce: format!("{nonce:016x}"), message: Vec::new(), skip: false }
    }

    /// What to send first.
    pub(crate) fn request(&self) -> Vec<u8> {
        let nonce = &self.nonce;
        let call = format!(r#"{{"method":"org.orlop.Session.Begin","parameters":{{"nonce":"{nonce}"}}}}"#);
        [b"\0", call.as_bytes(), b"\0"].concat()
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Progress {
        for (at, byte) in bytes.iter().enumerate() {
            if *byte != 0 {
                self.skip |= self.message.len() >= LONGEST_ANSWER;
                if !self.skip {
                    self.message.push(*byte);
                }
                continue;
            }
            let answered = !self.skip && self.is_answer();
            self.message.clear();
            self.skip = false;
            if answered {
                let rest = bytes.get(at.saturating_add(1)..).unwrap_or_default();
                return Progress::Begun { rest: rest.to_vec() };
            }
        }
        Progress::Waiting
    }

    fn is_answer(&self) -> bool {
        let Ok(message) = serde_json::from_slice::<Value>(&self.message) else {
            return false;
        };
        message.get("error").is_none()
            && message.pointer("/parameters/nonce").and_then(Value::as_str) == Some(&self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "\0{\"parameters\":{\"nonce\":\"00000000000000ab\"}}\0";

    fn check(received: &str, expected: Progress) {
        let mut whole = Opening::new(0xab);
        assert_eq!(whole.receive(received.as_bytes()), expected, "{received:?} at once");
        let mut bytewise = Opening::new(0xab);
        let mut rest = Vec::new();
        let mut begun = false;
        for byte in received.as_bytes() {
            if begun {
                rest.push(*byte);
            } else {
                begun = bytewise.receive(&[*byte]) != Progress::Waiting;
            }
        }
        let found = if begun { Progress::Begun { rest } } else { Progress::Waiting };
        assert_eq!(found, expected, "{received:?} byte by byte");
    }

    fn begun(rest: &str) -> Progress {
        Progress::Begun { rest: rest.as_bytes().to_vec() }
    }

    #[test]
    fn asks_with_a_nul_before_and_after() {
        let request = Opening::new(0xab).request();
        let expected =
            "\0{\"method\":\"org.orlop.Session.Begin\",\"parameters\":{\"nonce\":\"00000000000000ab\"}}\0";
        assert_eq!(request, expected.as_bytes());
    }

    #[test]
    fn begins_with_the_answer_to_its_own_nonce() {
        check(ANSWER, begun(""));
        check(&format!("{ANSWER}{{\"parameters\":{{}}}}\0"), begun("{\"parameters\":{}}\0"));
    }

    #[test]
    fn throws_away_what_a_former_client_left() {
        check(&format!("\"half\":1}}{ANSWER}"), begun(""));
        check(&format!("{}{ANSWER}", ANSWER.replace("ab", "cd")), begun(""));
        check(
            &format!("{{\"parameters\":{{\"x\":\"{}\"}}}}\0\0\u{fffd}\0{ANSWER}", "y".repeat(5000)),
            begun(""),
        );
    }

    #[test]
    fn takes_nothing_else_for_an_answer() {
        for other in [
            "",
            "\0\0",
            "{\"parameters\":{}}\0",
            "{\"error\":\"x\",\"parameters\":{\"nonce\":\"00000000000000ab\"}}\0",
        ] {
            check(other, Progress::Waiting);
        }
        check(ANSWER.trim_end_matches('\0'), Progress::Waiting);
    }
}
