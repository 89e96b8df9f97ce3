//! `orlop upgrade-self`: streams a binary to the machine, and waits until it has proved itself.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use orlop::control::{CommitReply, Empty, MAX_CHUNK, Request, Upgrade, UploadReply, VersionReply};
use sha2::{Digest, Sha256};

use super::arguments::UpgradeArguments;
use super::client::Client;
use super::failure::{self, Failure};
use super::screen::{Progress, Screen};

/// The new supervisor has 10 s, and the old one as long to come back; the rest is for a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(100);

/// No binary of ours is larger; a machine has to keep it in memory.
const MAX_SIZE: u64 = 64 << 20;

pub(crate) fn upgrade(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &UpgradeArguments,
) -> Result<(), Failure> {
    let binary = load(&arguments.file)?;
    let size = binary.len() as u64;
    let Empty {} = client.call(&Request::UpgradeBegin { size, sha256: sha256(&binary) })?;
    let mut received = 0;
    for chunk in binary.chunks(MAX_CHUNK) {
        let reply: UploadReply = client.call(&Request::UpgradeChunk { data: chunk.to_vec() })?;
        received = reply.received;
        progress(screen, received, size)?;
    }
    if received != size {
        return Err(Failure::Failed(format!("the machine has {received} of {size} bytes")));
    }
    let CommitReply { number } = client.call(&Request::UpgradeCommit)?;
    screen.line("the machine tries the new supervisor")?;
    let (outcome, version) = wait(client, number)?;
    if !outcome.ok {
        let why = outcome.error.unwrap_or_else(|| String::from("it did not say why"));
        return Err(Failure::Failed(format!("the old supervisor is back: {why}")));
    }
    let commit = version.commit.map(|commit| format!(" ({commit})")).unwrap_or_default();
    screen.line(&format!("the machine runs orlop {}{commit}", version.version))
}

fn load(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |why: &str| Failure::Failed(format!("cannot read {}: {why}", path.display()));
    let file = File::open(path).map_err(|error| failed(&failure::why(&error)))?;
    let mut binary = Vec::new();
    // One byte more, to see that there is more.
    let read = file.take(MAX_SIZE + 1).read_to_end(&mut binary);
    read.map_err(|error| failed(&failure::why(&error)))?;
    match binary.len() as u64 {
        0 => Err(failed("it is empty")),
        1..=MAX_SIZE => Ok(binary),
        _ => Err(failed(&format!("it is larger than {} MiB", MAX_SIZE >> 20))),
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn progress(screen: &mut Screen<'_>, received: u64, size: u64) -> Result<(), Failure> {
    if screen.progress == Progress::Shown {
        let percent = received.saturating_mul(100) / size.max(1);
        let end = if received < size { "" } else { "\n" };
        write!(screen.err, "\rsent {percent} %{end}")?;
        screen.err.flush()?;
    }
    Ok(())
}

/// Until the machine says what became of this attempt. The connection breaks when the supervisor is
/// replaced, maybe more than once.
fn wait(client: &mut Client, number: u64) -> Result<(Upgrade, VersionReply), Failure> {
    let begin = Instant::now();
    loop {
        let asked = client.call::<VersionReply>(&Request::Version);
        let late = begin.elapsed() >= PATIENCE;
        match asked {
            Ok(version) => {
                if let Some(outcome) = version.upgrade.clone().filter(|one| one.number == number) {
                    return Ok((outcome, version));
                }
                if late {
                    let seconds = PATIENCE.as_secs();
                    return Err(Failure::Failed(format!("no word of the upgrade after {seconds} s")));
                }
            }
            Err(Failure::Disconnected(_)) if !late => {}
            Err(failure) => return Err(failure),
        }
        client.pause(PAUSE);
    }
}
