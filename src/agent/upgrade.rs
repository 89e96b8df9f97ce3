//! `upgrade-self`: takes a binary in pieces, checks it, and hands it to PID 1.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::control::{CommitReply, Empty, Error, Upgrade, UploadReply};
use orlop::image::{Digest, Hasher};

use super::control::{CallId, ClientId};
use super::{Agent, records, say};
use crate::linux::kmsg::Level;
use crate::linux::{fs, program};

/// The binary is to stay below 4 MiB; the rest is for the years.
const SIZE_LIMIT: u64 = 64 << 20;
/// What became of the last upgrade, for whoever asks after it.
const OUTCOME: &str = "/run/orlop/upgrade.json";

/// One at a time: each takes as much memory as it is large.
const UPLOADS: u64 = 1;
/// A client that sends nothing for so long makes way for another.
const STALLED: Duration = Duration::from_secs(30);

/// A binary on its way.
pub struct Upload {
    client: ClientId,
    heard_at: Duration,
    file: OwnedFd,
    hasher: Hasher,
    size: u64,
    received: u64,
    sha256: String,
}

impl Agent {
    pub fn upgrade_begin(&mut self, call: CallId, size: u64, sha256: String, now: Duration) {
        if size == 0 || size > SIZE_LIMIT {
            return self.server.fail(now, call, &Error::TooLarge { limit: SIZE_LIMIT });
        }
        if self.upload.as_ref().is_some_and(|upload| upload.keeps_out(call.client, now)) {
            let error = Error::Busy { what: "upgrades".into(), limit: UPLOADS };
            return self.server.fail(now, call, &error);
        }
        // First the room that an earlier one took.
        self.upload = None;
        match program::executable(c"orlop") {
            Ok(file) => {
                let (client, hasher) = (call.client, Hasher::default());
                self.upload = Some(Upload { client, heard_at: now, file, hasher, size, received: 0, sha256 });
                self.server.reply(now, call, &Empty {});
            }
            Err(errno) => self.server.fail(now, call, &Error::Failed { reason: errno.desc().into() }),
        }
    }

    pub fn upgrade_chunk(&mut self, call: CallId, data: &[u8], now: Duration) {
        let Some(upload) = self.upload.as_mut().filter(|upload| upload.client == call.client) else {
            return self.server.fail(now, call, &Error::NotNow { reason: "no upgrade has begun".into() });
        };
        upload.heard_at = now;
        upload.received = upload.received.saturating_add(data.len() as u64);
        let written = if upload.received > upload.size {
            Err("more bytes than announced".to_owned())
        } else {
            upload.hasher.update(data);
            program::append(upload.file.as_fd(), data).map_err(|errno| errno.desc().to_owned())
        };
        let received = upload.received;
        match written {
            Ok(()) => self.server.reply(now, call, &UploadReply { received }),
            Err(reason) => {
                self.upload = None;
                self.server.fail(now, call, &Error::UpgradeRefused { reason });
            }
        }
    }

    /// Checks the whole file; what runs now goes on until PID 1 replaces it.
    pub fn upgrade_commit(&mut self, call: CallId, now: Duration) {
        let Some(upload) = self.upload.take_if(|upload| upload.client == call.client) else {
            return self.server.fail(now, call, &Error::NotNow { reason: "no upgrade has begun".into() });
        };
        let file = match check(upload) {
            Ok(file) => file,
            Err(reason) => return self.server.fail(now, call, &Error::UpgradeRefused { reason }),
        };
        let number = self.upgrade.as_ref().map_or(0, |last| last.number).saturating_add(1);
        let mut outcome = Upgrade { number, sha256: file.1.hex(), ok: true, error: None };
        keep(&outcome);
        // The answer first: PID 1 ends us as soon as it has the file.
        self.server.reply(now, call, &CommitReply { number });
        if let Err(error) = self.server.work(now) {
            say(Level::Error, &format!("control: {error}"));
        }
        if let Err(errno) = self.ledger.upgrade(file.0.as_fd()) {
            outcome.ok = false;
            outcome.error = Some(format!("it was not handed over: {}", errno.desc()));
            keep(&outcome);
            self.upgrade = Some(outcome);
        }
    }

    /// A client is no more, and what it sent is of no use to anybody.
    pub fn forget_upload(&mut self, client: ClientId) {
        self.upload.take_if(|upload| upload.client == client);
    }

    /// PID 1 took the new executable back.
    pub fn upgrade_failed(&mut self, code: i32, status: i32) {
        let how = match code {
            libc::CLD_EXITED => format!("exited with code {status}"),
            _ if status == libc::SIGKILL => "did not serve within 10 s".to_owned(),
            _ => format!("was killed by {}", orlop::config::signal::name(status)),
        };
        say(Level::Error, &format!("the new executable {how}; the one before goes on"));
        if let Some(upgrade) = &mut self.upgrade {
            upgrade.ok = false;
            upgrade.error = Some(format!("it {how}"));
            keep(upgrade);
        }
    }
}

impl Upload {
    fn keeps_out(&self, client: ClientId, now: Duration) -> bool {
        self.client != client && now.saturating_sub(self.heard_at) < STALLED
    }
}

fn check(upload: Upload) -> Result<(OwnedFd, Digest), String> {
    if upload.received != upload.size {
        return Err(format!("{} of {} bytes arrived", upload.received, upload.size));
    }
    let digest = upload.hasher.finish();
    if digest.hex() != upload.sha256 {
        return Err("its digest is not the one announced".into());
    }
    program::check_static(upload.file.as_fd())?;
    program::seal(upload.file.as_fd()).map_err(|errno| errno.desc().to_owned())?;
    Ok((upload.file, digest))
}

fn keep(upgrade: &Upgrade) {
    let text = serde_json::to_string(upgrade).unwrap_or_default();
    if let Err(errno) = records::write_file(OUTCOME, &text) {
        say(Level::Error, &format!("{OUTCOME}: {}", errno.desc()));
    }
}

/// What an earlier supervisor wrote about the last upgrade.
pub fn last() -> Option<Upgrade> {
    let fd = fs::open_regular(OUTCOME).ok()?;
    serde_json::from_slice(&fs::read_regular(fd.as_fd(), 4096).ok()?).ok()
}
