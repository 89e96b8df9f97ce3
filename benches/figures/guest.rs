//! Builds machines that begin with the witness, and boots them by instruction count.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orlop_vm::{Accelerator, Machine, Options};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Result;

/// What each init runs in its first container, and what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) archive: &'static str,
    pub(crate) init: &'static str,
}

/// The payload as an init that does nothing but stamp.
pub(crate) const STAMP: Peer =
    Peer { name: "an init that only stamps", archive: "reaper", init: "/witness stamp-and-stay" };
/// The payload as an init that does nothing but reap.
pub(crate) const REAPER: Peer =
    Peer { name: "limit: a loop around waitpid", archive: "reaper", init: "/witness reap-for-ever" };
pub(crate) const BUSYBOX: Peer = Peer { name: "busybox script and crun", archive: "busybox", init: "/init" };
pub(crate) const SYSTEMD: Peer =
    Peer { name: "systemd and crun", archive: "systemd", init: "/usr/lib/systemd/systemd" };

pub(crate) struct Bench {
    pub(crate) binary: PathBuf,
    payload: PathBuf,
    /// Archives that `benches/peers/make-peers.sh` made.
    pub(crate) peers: PathBuf,
    work: TempDir,
}

impl Bench {
    pub(crate) fn from_environment() -> Result<Self> {
        let path = |name: &str| {
            let value =
                std::env::var_os(name).ok_or_else(|| format!("{name} is not set: run `make bench`"))?;
            Ok::<_, crate::Error>(PathBuf::from(value))
        };
        Ok(Self {
            binary: path("ORLOP_BINARY")?,
            payload: path("ORLOP_PAYLOAD")?,
            peers: path("ORLOP_PEERS")?,
            work: tempfile::Builder::new().prefix("orlop-bench.").tempdir()?,
        })
    }

    /// A machine of this configuration, in which `dir:payload` is the payload.
    pub(crate) fn machine(&self, name: &str, toml: &str) -> Result<PathBuf> {
        let config = self.work.path().join(format!("{name}.config"));
        let root = config.join("payload");
        fs::create_dir_all(root.join("etc"))?;
        fs::write(root.join("etc/passwd"), "root:x:0:0:root:/root:/payload\n")?;
        fs::copy(&self.payload, root.join("payload"))?;
        fs::write(config.join("config.toml"), toml)?;
        let machine = self.work.path().join(name);
        let mut options = orlop_image::Options::new(config, &machine);
        options.init = Some(self.binary.clone());
        orlop_image::build(&options)?;
        self.add_witness(&machine.join("initrd.img"))?;
        Ok(machine)
    }

    /// The kernel takes archives one after the other, a plain one from a multiple of four on.
    fn add_witness(&self, initrd: &Path) -> Result<()> {
        const BLOCK: usize = 512;
        let mut bytes = fs::read(initrd)?;
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        bytes.extend(fs::read(self.peers.join("reaper.cpio"))?);
        Ok(fs::File::create(initrd)?.write_all(&bytes)?)
    }

    /// A peer's machine: the kernel and its words are those of one of ours.
    pub(crate) fn peer(&self, peer: &Peer, ours: &Path) -> Result<PathBuf> {
        let machine = self.work.path().join(peer.archive);
        fs::create_dir_all(&machine)?;
        for file in ["vmlinuz", "cmdline"] {
            fs::copy(ours.join(file), machine.join(file))?;
        }
        fs::copy(self.peers.join(format!("{}.cpio", peer.archive)), machine.join("initrd.img"))?;
        Ok(machine)
    }
}

/// Boots it, `task` being the witness's, in which time is counted by instructions.
pub(crate) fn boot(machine: &Path, task: &str, init: &str) -> Result<Machine> {
    boot_in(machine, task, init, 512 << 20)
}

/// With so many bytes of memory.
pub(crate) fn boot_in(machine: &Path, task: &str, init: &str, memory: u64) -> Result<Machine> {
    let mut options = Options::new(machine);
    options.accelerator = Accelerator::InstructionCount;
    options.memory = memory;
    // By the clock of a computer that may have other work.
    options.deadline = Duration::from_secs(1800);
    options.kernel_words = vec![format!("rdinit=/witness -- witness {task} then {init}")];
    Ok(Machine::boot(&options)?)
}

/// The number behind these words, once they stand on the console; nanoseconds mostly.
pub(crate) fn told(machine: &Machine, words: &str) -> Result<u64> {
    // With the end of the line, so that the number is whole.
    let start = machine.wait_for_console_after(0, words)?;
    machine.wait_for_console_after(start, "\n")?;
    number_after(&machine.console(), words).ok_or_else(|| format!("no number after `{words}`").into())
}

/// The first number that directly follows `words`.
pub(crate) fn number_after(text: &str, words: &str) -> Option<u64> {
    let (_, rest) = text.split_once(words)?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// The stamps of one word that a container has written, in their order.
pub(crate) fn stamps(machine: &Machine, container: &str, word: &str) -> Result<Vec<u64>> {
    stamps_of(machine, &[container], word)
}

/// Those of several.
pub(crate) fn stamps_of(machine: &Machine, containers: &[&str], word: &str) -> Result<Vec<u64>> {
    let mut text = String::new();
    let parameters = json!({ "names": containers, "lines": null, "follow": false });
    machine.stream("Logs", parameters, |answer| {
        let entries = answer.get("entries").and_then(Value::as_array);
        for entry in entries.into_iter().flatten() {
            text.push_str(entry.get("text").and_then(Value::as_str).unwrap_or_default());
            text.push('\n');
        }
        true
    })?;
    let stamps = text.lines().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok());
    Ok(stamps.collect())
}

pub(crate) fn container(name: &str, task: &[&str], more: &str) -> String {
    let task = task.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
    format!(
        "[container.{name}]\nimage = \"dir:payload\"\nentrypoint = [\"/payload\"]\ncommand = [{task}]\n{more}\n\n"
    )
}

pub(crate) fn milliseconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e6
}
