//! What a stuck container hangs on: its last processes, and where in the kernel they sleep. Looked up as an errand,
//! since what /proc says of such a process can hang as it does; once, when it becomes stuck.

use orlop::container::process::{Stat, frames, place};
use orlop::control::{Error, Remaining, hang, read};
use orlop::supervisor::{Change, Event, StateKind};
use serde::{Deserialize, Serialize};

use super::errands::Answer;
use super::{Agent, cgroups, say, top};
use crate::linux::cgroup;
use crate::linux::kmsg::Level;

/// Processes that are told, threads of each that are looked at, and functions of a stack.
const PROCESSES: usize = 8;
const THREADS: usize = 64;
const FRAMES: usize = 8;
/// Bytes of a file of a process.
const FILE: usize = 4096;

/// As it comes from the errand.
#[derive(Serialize, Deserialize)]
struct Found {
    remains: Vec<Remaining>,
}

impl Agent {
    /// A container is in another state.
    pub fn watch_remains(&mut self, change: &Change, now: std::time::Duration) {
        if change.to == StateKind::Stuck {
            let (name, generation) = (change.name.clone(), change.generation);
            let of = name.clone();
            self.errand_of_remains(name, generation, now, move || look(&of));
        } else {
            self.errands.remains.remove(&change.name);
        }
    }

    /// The errand has come back.
    pub fn remains_found(&mut self, name: &str, generation: u64, bytes: &[u8]) {
        let text = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        let found = orlop::control::Reply::parse(text).and_then(orlop::control::Reply::into_result);
        match found.and_then(read::<Found>) {
            Ok(Found { remains }) if remains.is_empty() => {}
            Ok(Found { remains }) => {
                let text = hang(&remains);
                self.errands.remains.insert(name.to_owned(), remains);
                self.events.push_back(Event::Hangs { name: name.to_owned(), generation, text });
            }
            Err(error) => say(Level::Error, &format!("{name}: what it hangs on: {error}")),
        }
    }
}

fn look(name: &str) -> Answer {
    let group = cgroup::open_path(&cgroups::path(name))
        .map_err(|errno| Error::Failed { reason: format!("its cgroup: {}", errno.desc()) })?;
    let pids = top::groups(group).into_iter().flat_map(|(_, pids)| pids);
    let remains = pids.filter_map(process).take(PROCESSES).collect();
    Ok(orlop::control::encode_reply(&Found { remains }))
}

/// `None`: it has ended meanwhile. Of several threads, the first that cannot be interrupted is told.
fn process(pid: i32) -> Option<Remaining> {
    let folder = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    let threads = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let stat = |thread: i32| Some((thread, Stat::parse(&text(pid, &format!("task/{thread}/stat"))?)?));
    let mut found = threads.take(THREADS).filter_map(stat);
    let first = found.next()?;
    let (thread, stat) =
        if first.1.state == 'D' { first } else { found.find(|(_, stat)| stat.state == 'D').unwrap_or(first) };
    Some(Remaining {
        pid: u32::try_from(pid).ok()?,
        command: stat.name,
        state: stat.state.to_string(),
        waits_in: text(pid, &format!("task/{thread}/wchan")).and_then(|text| place(&text).map(str::to_owned)),
        stack: text(pid, &format!("task/{thread}/stack"))
            .map(|text| frames(&text).take(FRAMES).map(str::to_owned).collect())
            .unwrap_or_default(),
    })
}

fn text(pid: i32, file: &str) -> Option<String> {
    top::proc(pid, file, FILE).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_sleeps_is_read_and_one_that_is_gone_is_none() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        let child = crate::linux::forked::Forked::run(|| {
            let mut byte = [0];
            // Until its parent has looked.
            let _ = nix::unistd::read(&reader, &mut byte);
            0
        });
        let found = process(child.pid()).unwrap();
        assert_eq!(found.pid, u32::try_from(child.pid()).unwrap());
        assert!(!found.command.is_empty() && found.state.len() == 1, "{found:?}");
        nix::unistd::write(&writer, b"x").unwrap();
        assert_eq!(child.wait(), 0);
        assert_eq!(process(i32::MAX), None);
    }
}
