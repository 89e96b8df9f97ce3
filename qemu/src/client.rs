//! A Varlink client on a control port: opens a session, calls, takes answers.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use orlop::control::session::{Opened, Opening};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::ports::Lease;

/// The interface of names without a dot.
const INTERFACE: &str = "org.orlop.Control";

/// A supervisor that died after it took the request, and before it answered, leaves nobody to
/// answer: the request is made again after this, then after twice as long, and so on.
pub(crate) const FIRST_PATIENCE: Duration = Duration::from_secs(2);

/// Long enough for the slowest supervisor, short enough for the person who waits.
pub(crate) const LAST_PATIENCE: Duration = Duration::from_secs(30);

/// How often a client that waits for bytes looks whether its machine still lives.
const GLANCE: Duration = Duration::from_millis(200);

/// Larger than any answer that the interface allows by far; more is a machine gone wild.
const LONGEST_ANSWER: usize = 16 << 20;

/// Says whether waiting still makes sense.
pub(crate) type Alive<'a> = &'a (dyn Fn() -> Result<()> + 'a);

/// A session with the machine. Dropping it frees the port.
pub struct Client {
    stream: UnixStream,
    received: Vec<u8>,
    /// Freed after the stream is closed: fields are dropped in this order.
    _lease: Lease,
}

impl Client {
    /// `Ok(None)`: no session before the deadline.
    pub(crate) fn open(lease: Lease, deadline: Instant, alive: Alive<'_>) -> Result<Option<Self>> {
        let mut stream = lease.connect()?;
        let mut patience = FIRST_PATIENCE;
        loop {
            let mut opening = Opening::new(nonce());
            stream.write_all(&opening.hello()).map_err(|e| Error::host("open a session", e))?;
            let until = deadline.min(Instant::now() + patience);
            let mut closed = false;
            while let Some(bytes) = read(&mut stream, until, alive)? {
                match opening.receive(&bytes) {
                    Opened::Waiting => {}
                    Opened::Closed => {
                        closed = true;
                        break;
                    }
                    Opened::Begun(rest) => {
                        return Ok(Some(Self { stream, received: rest.to_vec(), _lease: lease }));
                    }
                }
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            if !closed {
                patience = patience.saturating_mul(2).min(LAST_PATIENCE);
            }
        }
    }

    /// Sends a call. `more` asks for a stream of answers.
    pub fn send(&mut self, method: &str, parameters: &Value, more: bool) -> Result<()> {
        let mut call = json!({ "method": full_name(method), "parameters": parameters });
        if let (true, Some(call)) = (more, call.as_object_mut()) {
            call.insert("more".to_owned(), Value::Bool(true));
        }
        self.send_raw(format!("{call}\0").as_bytes())
    }

    /// For bytes that are no call.
    pub fn send_raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).map_err(|e| Error::host("send over a control port", e))
    }

    /// The next message as it is; `Ok(None)`: none before the deadline.
    pub(crate) fn receive(&mut self, deadline: Instant, alive: Alive<'_>) -> Result<Option<Value>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == 0) {
                let message: Vec<u8> = self.received.drain(..=end).collect();
                let json = message.get(..end).unwrap_or_default();
                if json.is_empty() {
                    // It ends what a supervisor that died had begun to say.
                    continue;
                }
                return serde_json::from_slice(json).map(Some).map_err(|e| Error::Protocol {
                    text: format!("not JSON ({e}): {}", String::from_utf8_lossy(json)),
                });
            }
            if self.received.len() > LONGEST_ANSWER {
                return Err(Error::Protocol { text: "an answer without an end".to_owned() });
            }
            match read(&mut self.stream, deadline, alive)? {
                Some(bytes) => self.received.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }
}

/// The parameters of an answer, or its error.
pub(crate) fn outcome(method: &str, answer: Value) -> Result<Value> {
    let parameters = answer.get("parameters").cloned().unwrap_or_else(|| json!({}));
    match answer.get("error").and_then(Value::as_str) {
        None => Ok(parameters),
        Some(error) => Err(Error::Refused { method: method.to_owned(), error: error.to_owned(), parameters }),
    }
}

/// Whether nobody will answer, because the supervisor that had the session is dead.
pub(crate) fn is_closed(error: &Error) -> bool {
    error.refusal() == Some("org.orlop.Session.Closed")
}

fn full_name(method: &str) -> String {
    if method.contains('.') { method.to_owned() } else { format!("{INTERFACE}.{method}") }
}

/// What there is, as soon as there is something; `None` at the deadline.
fn read(stream: &mut UnixStream, deadline: Instant, alive: Alive<'_>) -> Result<Option<Vec<u8>>> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            return Ok(None);
        }
        stream.set_read_timeout(Some(left.min(GLANCE))).map_err(|e| Error::host("set a deadline", e))?;
        match stream.read(&mut buffer) {
            Ok(0) => {
                alive()?;
                return Err(Error::Protocol { text: "the control port was closed".to_owned() });
            }
            Ok(count) => {
                buffer.truncate(count);
                return Ok(Some(buffer));
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => alive()?,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => {
                alive()?;
                return Err(Error::host("read from a control port", e));
            }
        }
    }
}

/// Different for each session, so that no answer is taken for another's. It need not be secret:
/// who could forge it owns the machine already.
pub(crate) fn nonce() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names_are_of_the_control_interface() {
        assert_eq!(full_name("List"), "org.orlop.Control.List");
        assert_eq!(full_name("org.varlink.service.GetInfo"), "org.varlink.service.GetInfo");
    }

    #[test]
    fn an_error_answer_is_an_error_that_names_the_call() {
        let answer = json!({ "error": "org.orlop.Control.UnknownContainer", "parameters": { "name": "x" } });
        let error = outcome("Stop", answer).unwrap_err();
        assert_eq!(error.refusal(), Some("org.orlop.Control.UnknownContainer"));
        assert_eq!(error.to_string(), r#"Stop was refused: org.orlop.Control.UnknownContainer {"name":"x"}"#);
        assert_eq!(outcome("Stop", json!({})).unwrap(), json!({}));
    }

    #[test]
    fn nonces_differ() {
        assert_ne!(nonce(), nonce());
    }
}
