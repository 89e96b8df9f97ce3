//! A configuration on its way from a client, in pieces, and kept for it until it is put in force.

use std::time::Duration;

use orlop::control::{ConfigFile, Empty, Error, MAX_CONFIGURATION, UploadReply};

use super::Agent;
use super::control::{CallId, ClientId};

/// One at a time: it is kept in memory.
const AT_ONCE: u64 = 1;
/// A client that sends nothing for so long makes way for another.
const STALLED: Duration = Duration::from_secs(30);
/// Of its JSON, in which a character may take six bytes.
const MAX_SIZE: u64 = 6 * MAX_CONFIGURATION;

pub struct Sent {
    client: ClientId,
    heard_at: Duration,
    size: u64,
    bytes: Vec<u8>,
}

impl Agent {
    pub fn config_begin(&mut self, call: CallId, size: u64, now: Duration) {
        if size == 0 || size > MAX_SIZE {
            return self.server.fail(now, call, &Error::TooLarge { limit: MAX_SIZE });
        }
        let keeps_out =
            |sent: &Sent| sent.client != call.client && now.saturating_sub(sent.heard_at) < STALLED;
        if self.reloading.sent.as_ref().is_some_and(keeps_out) {
            let error = Error::Busy { what: "configurations".into(), limit: AT_ONCE };
            return self.server.fail(now, call, &error);
        }
        self.reloading.sent = Some(Sent { client: call.client, heard_at: now, size, bytes: Vec::new() });
        self.server.reply(now, call, &Empty {});
    }

    pub fn config_chunk(&mut self, call: CallId, data: &[u8], now: Duration) {
        let Some(sent) = self.reloading.sent.as_mut().filter(|sent| sent.client == call.client) else {
            return self.server.fail(now, call, &nothing_sent());
        };
        sent.heard_at = now;
        sent.bytes.extend_from_slice(data);
        let received = sent.bytes.len() as u64;
        if received > sent.size {
            let limit = sent.size;
            self.reloading.sent = None;
            return self.server.fail(now, call, &Error::TooLarge { limit });
        }
        self.server.reply(now, call, &UploadReply { received });
    }

    /// What this client sent, whole.
    ///
    /// # Errors
    /// For the client: there is none, or a part of it is missing, or it is too large.
    pub fn sent_files(&self, client: ClientId) -> Result<Vec<ConfigFile>, Error> {
        let sent = self.reloading.sent.as_ref().filter(|sent| sent.client == client);
        let sent = sent.ok_or_else(nothing_sent)?;
        if sent.bytes.len() as u64 != sent.size {
            let reason = format!("{} of {} bytes arrived", sent.bytes.len(), sent.size);
            return Err(Error::InvalidMessage { reason });
        }
        let files: Vec<ConfigFile> = serde_json::from_slice(&sent.bytes)
            .map_err(|error| Error::InvalidMessage { reason: error.to_string() })?;
        let size: usize = files.iter().map(|file| file.text.len().saturating_add(file.path.len())).sum();
        if size as u64 > MAX_CONFIGURATION {
            return Err(Error::TooLarge { limit: MAX_CONFIGURATION });
        }
        Ok(files)
    }

    /// A client is no more, and what it sent is of no use to anybody.
    pub fn forget_sent(&mut self, client: ClientId) {
        self.reloading.sent.take_if(|sent| sent.client == client);
    }
}

fn nothing_sent() -> Error {
    Error::NotNow { reason: "no configuration was sent".into() }
}
