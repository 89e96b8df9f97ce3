//! What a stuck container hangs on: its last processes, and where in the kernel they sleep. Looked up as an errand,
//! since what /proc says of such a process can hang as it does; once, when it becomes stuck.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use orlop::container::process::{Stat, frames, place};
use orlop::control::{Error, Remaining, hang, read};
use orlop::supervisor::{Change, Event, StateKind};
use serde::{Deserialize, Serialize};

use super::control::CallId;
use super::errands::{Answer, done};
use super::launch::Run;
use super::{Agent, cgroups, say, top};
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, cgroup, errno_of};

/// Processes that are told, threads of each that are looked at, and functions of a stack.
const PROCESSES: usize = 8;
const THREADS: usize = 64;
const FRAMES: usize = 8;
/// Bytes of a file of a process.
const FILE: usize = 4096;
const PROCESSES_FILE: &str = "cgroup.procs";
/// How often its processes are looked up, to move those that others have made meanwhile.
const ROUNDS: usize = 4;

/// As it comes from the errand.
#[derive(Serialize, Deserialize)]
struct Found {
    remains: Vec<Remaining>,
}

impl Agent {
    /// A container is in another state.
    pub fn watch_remains(&mut self, change: &Change, now: Duration) {
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

impl Agent {
    /// Another one beside what is left: a person says that both may be there.
    pub fn replace(&mut self, call: CallId, name: String, now: Duration) {
        let Some(status) = self.core.status(&name) else { return self.unknown(call, name, now) };
        let refusal = match status.state {
            StateKind::Stuck if self.errands.replaces(&name) => "is being replaced",
            StateKind::Stuck => {
                let (of, generation) = (name.clone(), status.generation);
                return self
                    .errand_of_aside(call, (name, generation), now, move || move_away(&of, generation));
            }
            _ => "is not stuck",
        };
        let reason = format!("container `{name}` {refusal}");
        self.server.fail(now, call, &Error::NotNow { reason });
    }

    /// The errand has come back. It may have been heard before that nothing is left in the cgroup, which is gone then.
    pub fn set_aside(&mut self, name: &str, generation: u64, bytes: &[u8]) {
        let text = bytes.strip_suffix(b"\0").unwrap_or(bytes);
        let moved = orlop::control::Reply::parse(text).and_then(orlop::control::Reply::into_result);
        if moved.is_err() {
            return;
        }
        let of_it = |(_, run): &(&u32, &Run)| run.name == name && run.generation == generation;
        if let Some(key) = self.runs.iter().find(of_it).map(|(key, _)| *key) {
            if let Err(errno) = cgroups::remove(name) {
                return say(Level::Error, &format!("{name}: rmdir: {}", errno.desc()));
            }
            self.forget_run(key);
        }
        self.events.push_back(Event::SetAside { name: name.to_owned(), generation });
    }
}

/// All processes of a container into a cgroup that is none's, which the kernel keeps for as long as they are there. One
/// that is at its very end cannot be moved: then all stay.
fn move_away(name: &str, generation: u64) -> Answer {
    let failed = |what: &str| Error::Failed { reason: format!("what is left of `{name}`: {what}") };
    let fail = |errno: Errno| failed(errno.desc());
    // Opened once: whatever has this name later is another one's.
    let outer = match cgroup::open_path(&cgroups::path(name)) {
        Err(Errno::ENOENT) => return done(),
        opened => opened.map_err(fail)?,
    };
    cgroups::forget_aside();
    let parent = cgroup::open_path(cgroups::PARENT).map_err(fail)?;
    let aside = cgroup::make(parent.as_fd(), &cgroups::aside(name, generation)).map_err(fail)?;
    let main = cgroup::open_below(outer.as_fd(), cgroups::MAIN).map_err(fail)?;
    let mut moved = Vec::new();
    let all = move_all(outer.as_fd(), aside.as_fd(), &mut moved);
    if all == Ok(true) {
        return done();
    }
    for pid in moved {
        // It may have gone meanwhile.
        let _ = cgroup::write(main.as_fd(), PROCESSES_FILE, &pid.to_string());
    }
    Err(all.map_or_else(fail, |_| failed("its processes are at their end, and cannot be moved")))
}

/// Whether nothing is left in `from`; and who was moved.
fn move_all(from: BorrowedFd<'_>, to: BorrowedFd<'_>, moved: &mut Vec<i32>) -> Result<bool> {
    for _ in 0..ROUNDS {
        if cgroup::keyed(&cgroup::read(from, "cgroup.events")?, "populated") == Some(0) {
            return Ok(true);
        }
        for pid in
            top::groups(from.try_clone_to_owned().map_err(errno_of)?).into_iter().flat_map(|(_, pids)| pids)
        {
            match cgroup::write(to, PROCESSES_FILE, &pid.to_string()) {
                Ok(()) => moved.push(pid),
                Err(Errno::ESRCH) => {}
                Err(errno) => return Err(errno),
            }
        }
    }
    Ok(cgroup::keyed(&cgroup::read(from, "cgroup.events")?, "populated") == Some(0))
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
