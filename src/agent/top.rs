//! `Top`: the processes of a container, looked up in /proc. Runs as an errand: what /proc says of a
//! process can make its reader wait for that process, and all of it is written by strangers.

use std::collections::VecDeque;
use std::os::fd::{AsFd, OwnedFd};

use nix::unistd::{SysconfVar, sysconf};
use orlop::container::process::{Stat, command, id_inside, identity};
use orlop::container::user_name;
use orlop::control::{Error, Task, TopReply, encode_reply};

use super::cgroups;
use super::errands::Answer;
use crate::linux::{Errno, Result, cgroup, fs};

/// Processes that are looked at; the interface names this bound.
const TASKS: usize = 1024;
/// Cgroups that are looked into: a container can make more below its own.
const CGROUPS: usize = 256;
/// Bytes of a command: what a person reads of it.
const COMMAND: usize = 4096;
/// Of all commands together, as JSON at its longest far below what an answer may be.
const COMMANDS: usize = 512 << 10;
const PASSWD: usize = 1 << 20;
/// A page is never smaller, and no architecture of ours makes it larger.
const PAGE: u64 = 4096;

/// The answer for a container whose main process is `main`.
pub fn top(name: &str, main: Option<i32>) -> Answer {
    let group = cgroup::open_path(&cgroups::path(name))
        .map_err(|errno| Error::Failed { reason: format!("{name}: its cgroup: {}", errno.desc()) })?;
    let names = Names::of(main);
    let mut reply = TopReply { processes: Vec::new(), left_out: 0 };
    let mut room = COMMANDS;
    for (place, pids) in groups(group) {
        for pid in pids {
            if reply.processes.len() >= TASKS || room == 0 {
                reply.left_out += 1;
            } else if let Some(task) = task(pid, &place, &names) {
                room = room.saturating_sub(task.command.len());
                reply.processes.push(task);
            }
        }
    }
    Ok(encode_reply(&reply))
}

/// Cgroups with processes, each with its path below the container's own.
pub fn groups(outer: OwnedFd) -> Vec<(String, Vec<i32>)> {
    let mut found = Vec::new();
    let mut waiting = VecDeque::from([(String::new(), outer)]);
    let mut seen = 0;
    while let Some((path, group)) = waiting.pop_front() {
        if let Ok(text) = read_all(group.as_fd(), "cgroup.procs") {
            let pids: Vec<i32> = text.lines().filter_map(|line| line.parse().ok()).collect();
            if !pids.is_empty() {
                found.push((path.clone(), pids));
            }
        }
        for name in cgroup::below(group.as_fd()).unwrap_or_default() {
            seen += 1;
            if seen <= CGROUPS
                && let Ok(child) = cgroup::open_below(group.as_fd(), &name)
            {
                let path = if path.is_empty() { name } else { format!("{path}/{name}") };
                waiting.push_back((path, child));
            }
        }
    }
    found
}

/// A list of pids can be longer than other files of a cgroup: four million of them at most.
fn read_all(group: std::os::fd::BorrowedFd<'_>, file: &str) -> Result<String> {
    const LONGEST: usize = 32 << 20;
    let bytes = fs::read_regular(cgroup::watch(group, file)?.as_fd(), LONGEST)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// How the container names its users.
#[derive(Default)]
struct Names {
    map: String,
    passwd: String,
}

impl Names {
    fn of(main: Option<i32>) -> Self {
        let Some(main) = main else { return Self::default() };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let map = proc(main, "uid_map", 4096).map(text).unwrap_or_default();
        let root = fs::open_directory(&format!("/proc/{main}/root"));
        let passwd = root.and_then(|root| fs::read_in_root(root.as_fd(), "/etc/passwd", PASSWD));
        Self { map, passwd: passwd.map(text).unwrap_or_default() }
    }
}

/// `None`: it has ended meanwhile.
fn task(pid: i32, cgroup: &str, names: &Names) -> Option<Task> {
    let text = |file| proc(pid, file, 16 << 10).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let stat = Stat::parse(&text("stat").ok()?)?;
    let (outside, pid_inside) = identity(&text("status").ok()?);
    let uid = outside.and_then(|outside| id_inside(&names.map, outside));
    // A zombie has none, and an error is as good as that.
    let cmdline = proc(pid, "cmdline", COMMAND).unwrap_or_default();
    let ticks = |ticks: u64| ticks.saturating_mul(1_000_000) / ticks_a_second();
    Some(Task {
        pid: u32::try_from(pid).ok()?,
        pid_inside,
        cgroup: cgroup.to_owned(),
        uid,
        user: uid.and_then(|uid| user_name(uid, &names.passwd)).map(str::to_owned),
        state: stat.state.to_string(),
        threads: stat.threads,
        cpu_us: ticks(stat.cpu_ticks),
        memory_bytes: stat.resident_pages.saturating_mul(PAGE),
        started_us: ticks(stat.started_ticks),
        command: command(&cmdline, &stat.name),
    })
}

fn ticks_a_second() -> u64 {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten();
    ticks.and_then(|ticks| u64::try_from(ticks).ok()).filter(|ticks| *ticks > 0).unwrap_or(100)
}

/// The first bytes of a file of a process.
pub fn proc(pid: i32, file: &str, limit: usize) -> Result<Vec<u8>> {
    let fd = fs::open_regular(&format!("/proc/{pid}/{file}"))?;
    let mut bytes = vec![0; limit];
    let mut size = 0;
    while size < limit {
        let rest = bytes.get_mut(size..).ok_or(Errno::EINVAL)?;
        match crate::linux::fd::read(fd.as_fd(), rest)? {
            0 => break,
            count => size += count,
        }
    }
    bytes.truncate(size);
    Ok(bytes)
}
