//! The connection to QEMU's monitor: a thread that reads, and commands with their answers.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::qmp::{self, Message};
use crate::state::{Shared, State};

/// QEMU answers in milliseconds; it may be stopped by a busy host for a while.
const ANSWER: Duration = Duration::from_secs(30);

pub(crate) struct Monitor {
    writer: Mutex<UnixStream>,
    next: AtomicU64,
    shared: Arc<Shared>,
}

impl Monitor {
    /// Reads in a thread of its own until QEMU hangs up.
    pub(crate) fn attach(stream: UnixStream, shared: Arc<Shared>) -> Result<Self> {
        let reader = stream.try_clone().map_err(|e| Error::host("share the monitor's socket", e))?;
        let seen = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("monitor".into())
            .spawn(move || read(reader, &seen))
            .map_err(|e| Error::host("start the monitor's thread", e))?;
        Ok(Self { writer: Mutex::new(stream), next: AtomicU64::new(1), shared })
    }

    /// Waits until QEMU is ready to run. `false`: it ended instead.
    pub(crate) fn begin(&self) -> Result<bool> {
        let greeted = self.shared.wait(Some(Instant::now() + ANSWER), |state| {
            (state.greeted || state.monitor_closed).then_some(state.greeted)
        });
        match greeted {
            Some(true) => self.command("qmp_capabilities", &json!({})).map(|_| true),
            Some(false) => Ok(false),
            None => Err(protocol("QEMU's monitor does not greet")),
        }
    }

    pub(crate) fn command(&self, name: &str, arguments: &Value) -> Result<Value> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let line = qmp::command(id, name, arguments);
        self.writer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write_all(line.as_bytes())
            .map_err(|e| Error::host(format!("ask QEMU to {name}"), e))?;
        let answer = self.shared.wait(Some(Instant::now() + ANSWER), |state| {
            let answer = state.replies.remove(&id);
            if answer.is_none() && state.monitor_closed {
                return Some(Err("QEMU ended".to_owned()));
            }
            answer
        });
        match answer {
            Some(Ok(value)) => Ok(value),
            Some(Err(text)) => Err(protocol(&format!("QEMU, asked to {name}: {text}"))),
            None => Err(protocol(&format!("QEMU does not answer to {name}"))),
        }
    }
}

fn protocol(text: &str) -> Error {
    Error::Protocol { text: text.to_owned() }
}

fn read(stream: UnixStream, shared: &Shared) {
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { break };
        shared.change(|state| note(state, qmp::parse(&line)));
    }
    shared.change(|state| state.monitor_closed = true);
}

fn note(state: &mut State, message: Message) {
    match message {
        Message::Greeting => state.greeted = true,
        Message::Reply { id, result } => {
            state.replies.insert(id, result);
        }
        Message::Event { name, data } => match name.as_str() {
            "SHUTDOWN" => {
                let reason = data.get("reason").and_then(Value::as_str).unwrap_or("no reason");
                state.evidence.shutdown = Some(reason.to_owned());
            }
            "GUEST_PANICKED" => state.evidence.panicked = true,
            "WATCHDOG" => state.evidence.watchdog = true,
            "DEVICE_DELETED" => {
                state.disk_is_out |= data.get("device").and_then(Value::as_str) == Some("disk");
            }
            // Everything else that QEMU tells is nothing a machine ends by.
            _ => {}
        },
        Message::Unknown(line) => state.stderr.push_str(&format!("monitor: {line}\n")),
    }
}
