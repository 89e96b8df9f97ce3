//! Which container a supervisor was busy with when it died: one that is at fault three times is
//! left alone, and the others go on.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;

use super::{records, say};
use crate::linux::kmsg::Level;
use crate::linux::{Result, fs};

/// The name of the container that is handled now; empty when none is.
const BUSY: &str = "/run/orlop/busy";
/// How often each was being handled when a supervisor died.
const DEATHS: &str = "/run/orlop/deaths.json";
const LIMIT: usize = 1 << 16;
/// Once may be chance, twice may be chance.
const TOO_OFTEN: u32 = 3;

pub struct Blame {
    busy: OwnedFd,
    deaths: BTreeMap<String, u32>,
}

impl Blame {
    /// Counts the death of the supervisor before, if it was busy.
    ///
    /// # Errors
    /// ENOSPC, EMFILE.
    pub fn open() -> Result<Self> {
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_CLOEXEC;
        let busy = open(BUSY, flags, Mode::from_bits_truncate(0o644))?;
        let name = fs::read_regular(busy.as_fd(), LIMIT)?;
        let deaths = fs::open_regular(DEATHS)
            .and_then(|fd| fs::read_regular(fd.as_fd(), LIMIT))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let mut blame = Self { busy, deaths };
        if !name.is_empty() {
            let name = String::from_utf8_lossy(&name).into_owned();
            say(Level::Error, &format!("{name}: the supervisor died while it handled it"));
            let count = blame.deaths.entry(name).or_default();
            *count = count.saturating_add(1);
            let text = serde_json::to_string(&blame.deaths).unwrap_or_default();
            // Not kept, it is counted once too few; that is no reason to start no supervisor at all.
            if let Err(errno) = records::write_file(DEATHS, &text) {
                say(Level::Error, &format!("{DEATHS}: {}", errno.desc()));
            }
        }
        blame.done();
        Ok(blame)
    }

    pub fn quarantined(&self) -> Vec<String> {
        self.deaths.iter().filter(|(_, count)| **count >= TOO_OFTEN).map(|(name, _)| name.clone()).collect()
    }

    /// From here on this container is being handled.
    pub fn begin(&self, name: &str) {
        let written = nix::sys::uio::pwrite(&self.busy, name.as_bytes(), 0);
        if let Err(errno) = written.and_then(|_| nix::unistd::ftruncate(&self.busy, name.len() as i64)) {
            say(Level::Error, &format!("{BUSY}: {}", errno.desc()));
        }
    }

    /// It has been.
    pub fn done(&self) {
        if let Err(errno) = nix::unistd::ftruncate(&self.busy, 0) {
            say(Level::Error, &format!("{BUSY}: {}", errno.desc()));
        }
    }
}
