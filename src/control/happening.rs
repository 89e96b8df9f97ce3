//! What happened on the machine, as it is kept: one small record each, which the next supervisor reads, and after a
//! roll-back an older one.
//!
//! A record is JSON without what is null. Kinds and fields are only added: a kind that a release does not know is
//! [`Happening::Other`] to it.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Cause, PowerAction, State};
use crate::ordered::Ordered;

/// Of the records; another one would mean another form.
pub const HAPPENING_VERSION: u16 = 1;

/// Each kind is about one thing; times are those of the record, or lengths in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Happening {
    /// A container is in another state. `pid`: of one that runs now.
    State { name: String, generation: u64, from: State, to: State, cause: Option<Cause>, pid: Option<u32> },
    /// A container is in the same state, and something is different: its health.
    Note { name: String, note: String },
    /// A container's main process ended: `exit_code`, or `signal` by name. The usage is that of it and of those
    /// that it waited for.
    End {
        name: String,
        generation: u64,
        exit_code: Option<i32>,
        signal: Option<String>,
        cpu_us: u64,
        memory_peak_bytes: u64,
    },
    /// Somebody asked for a change; `name`: of which container.
    Asked { by: Asker, name: Option<String>, what: String },
    /// It was refused, or failed. `what` is there when he may not ask for it at all.
    Refused { by: Asker, name: Option<String>, what: Option<String>, why: String },
    /// A phase of the boot is over.
    Phase { name: String, duration_us: u64, error: Option<String> },
    /// A helper process of ours ended; it is started again.
    Helper { name: String, exit_code: Option<i32>, signal: Option<String> },
    /// This supervisor took over, the so many-th since boot.
    Supervisor { starts: u64, safe: bool },
    /// The machine is being ended.
    Shutdown { action: PowerAction, within_us: u64 },
    #[serde(other)]
    Other,
}

/// Who asked: a process, by the kernel's word, or whoever has a virtio port.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Asker {
    pub uid: Option<u32>,
    pub pid: Option<u32>,
    pub port: Option<String>,
}

impl Happening {
    /// At most `most` bytes: texts are cut for it, and of a cause the rest is left out.
    #[must_use]
    pub fn encode(&self, most: usize) -> Vec<u8> {
        let bytes = record(self);
        let Some(excess) = bytes.len().checked_sub(most).filter(|excess| *excess > 0) else {
            return bytes;
        };
        let mut shorter = self.clone();
        shorter.shorten(excess);
        let bytes = record(&shorter);
        if bytes.len() <= most { bytes } else { record(&Self::Other) }
    }

    /// What such a record says; one that makes no sense is as good as one of an unknown kind.
    #[must_use]
    pub fn decode(version: u16, bytes: &[u8]) -> Self {
        let read = || serde_json::from_slice(bytes).unwrap_or(Self::Other);
        if version == HAPPENING_VERSION { read() } else { Self::Other }
    }

    /// Cuts the texts by so many bytes of JSON together.
    fn shorten(&mut self, excess: usize) {
        let mut left = excess;
        // The name last: it is what the record is about, as somebody wrote it.
        let texts: [Option<&mut String>; 3] = match self {
            Self::State { cause, .. } => {
                if let Some(cause) = cause {
                    let was = record(cause).len();
                    *cause = Cause::new(cause.kind, core::mem::take(&mut cause.text));
                    left = left.saturating_sub(was.saturating_sub(record(cause).len()));
                }
                [cause.as_mut().map(|cause| &mut cause.text), None, None]
            }
            Self::Note { note: text, .. } => [Some(text), None, None],
            Self::Asked { what, name, .. } => [Some(what), None, name.as_mut()],
            Self::Refused { what, why, name, .. } => [what.as_mut(), Some(why), name.as_mut()],
            Self::Phase { error, .. } => [error.as_mut(), None, None],
            Self::End { .. }
            | Self::Helper { .. }
            | Self::Supervisor { .. }
            | Self::Shutdown { .. }
            | Self::Other => [None, None, None],
        };
        for text in texts.into_iter().flatten() {
            left = left.saturating_sub(cut(text, left));
        }
    }
}

/// Cuts a text from its end until it has `excess` bytes less as JSON, or none left; by how many it has.
pub(super) fn cut(text: &mut String, excess: usize) -> usize {
    const MARK: char = '…';
    if excess == 0 {
        return 0;
    }
    let mut gone = 0usize;
    while gone < excess.saturating_add(MARK.len_utf8()) {
        let Some(letter) = text.pop() else { return gone };
        gone = gone.saturating_add(record(&letter).len().saturating_sub(2));
    }
    text.push(MARK);
    gone.saturating_sub(MARK.len_utf8())
}

pub(super) fn record<T: Serialize>(value: &T) -> Vec<u8> {
    let value = serde_json::to_value(value).map(without_null).unwrap_or(Value::Null);
    serde_json::to_vec(&value).unwrap_or_default()
}

fn without_null(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let said = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(said.map(|(key, value)| (key, without_null(value))).ordered())
        }
        other => other,
    }
}

#[cfg(test)]
#[path = "happening_test.rs"]
mod tests;
