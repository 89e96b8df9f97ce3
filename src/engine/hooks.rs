//! Hooks: programs that are told the container's state on their standard input (config.md, POSIX-platform
//! Hooks).
//!
//! Each has a session of its own and nothing open of ours: what it says is read while it runs, and its
//! end told with a failure. A process that it leaves behind keeps nobody waiting.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use orlop::container::spec::Hook;

use crate::linux::clone::{Cloned, Parent, clone3};
use crate::linux::{Errno, Result, c_path, fd, memfd, pidfd, process, signal, time, wait};

/// As much of the end of what a hook said as a line can hold.
const SAID: usize = 1024;
/// Exit code of a child that could not become the hook, as in shells.
const NOT_EXECUTED: i32 = 127;

/// Where and for whom hooks are run.
#[derive(Clone, Copy, Default)]
pub struct Place<'a> {
    pub directory: Option<&'a str>,
    /// A process without which there is no sense in them: when it ends they are ended.
    pub with: Option<BorrowedFd<'a>>,
}

/// Runs them in their order, each to its end. `env` is for those that say nothing of theirs.
///
/// # Errors
/// For a person: which hook, and how it failed. Those after it are not run.
pub fn run(
    hooks: &[Hook],
    state: &[u8],
    place: Place<'_>,
    env: &[String],
) -> core::result::Result<(), String> {
    hooks.iter().enumerate().try_for_each(|(n, hook)| {
        one(hook, state, place, env).map_err(|why| format!("#{n}: {}: {why}", hook.path))
    })
}

/// As [`run`], of those outside of the container: they have the environment of whoever calls.
///
/// # Errors
/// As [`run`].
pub fn run_outside(hooks: &[Hook], state: &[u8], place: Place<'_>) -> core::result::Result<(), String> {
    if hooks.is_empty() { Ok(()) } else { run(hooks, state, place, &own_env()) }
}

/// Of this process; a pair that is not UTF-8 is left out.
fn own_env() -> Vec<String> {
    let pairs =
        std::env::vars_os().filter_map(|(name, value)| name.into_string().ok().zip(value.into_string().ok()));
    pairs.map(|(name, value)| format!("{name}={value}")).collect()
}

/// Where the bundle is, by the state that hooks are told.
pub fn bundle(state: &[u8]) -> Option<String> {
    let state: serde_json::Value = serde_json::from_slice(state).ok()?;
    state.get("bundle")?.as_str().map(str::to_owned)
}

/// Kills it, and what it started, when its time is over.
fn one(hook: &Hook, state: &[u8], place: Place<'_>, env: &[String]) -> core::result::Result<(), String> {
    let desc = |errno: Errno| errno.desc().to_owned();
    let strings =
        |list: &[String]| -> Result<Vec<CString>> { list.iter().map(|text| c_path(text)).collect() };
    let path = c_path(&hook.path).map_err(desc)?;
    let mut argv = strings(&hook.args).map_err(desc)?;
    if argv.is_empty() {
        argv.push(path.clone());
    }
    let env = strings(hook.env.as_deref().unwrap_or(env)).map_err(desc)?;
    // A file: whoever does not read it keeps nobody waiting.
    let input = memfd::with_contents(c"state", state).map_err(desc)?;
    let (listen, output) = fd::pipe().map_err(desc)?;
    match clone3(Parent::Caller, 0, None).map_err(desc)? {
        Cloned::Child => {
            let errno = become_hook(input, output, place.directory, &path, &argv, &env);
            // By now this is what we hear.
            let _ = nix::unistd::write(std::io::stderr(), errno.desc().as_bytes());
            process::exit_now(NOT_EXECUTED)
        }
        Cloned::Parent { pid, pidfd } => {
            drop(output);
            let timeout = hook.timeout.and_then(|seconds| u64::try_from(seconds).ok());
            let until = timeout.map(|it| time::since_boot().saturating_add(Duration::from_secs(it)));
            let (end, said) = attend(pidfd.as_fd(), listen.as_fd(), place.with, until).map_err(desc)?;
            if end != End::ByItself {
                // It is not reaped yet, so that the number still means it and its session.
                let _ = pidfd::send_signal(pidfd.as_fd(), libc::SIGKILL);
                let group = nix::unistd::Pid::from_raw(pid);
                let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
            }
            let ended = reap(pidfd.as_fd()).map_err(desc)?;
            match end {
                End::ByItself => judge(None, ended, &said),
                End::Late => judge(Some(timeout.unwrap_or_default()), ended, &said),
                End::Alone => Err("the container ended while it ran".to_owned()),
            }
        }
    }
}

/// Returns only when it cannot.
fn become_hook(
    input: OwnedFd,
    output: OwnedFd,
    directory: Option<&str>,
    path: &CString,
    argv: &[CString],
    env: &[CString],
) -> Errno {
    signal::reset();
    let _ = process::new_session();
    if let Some(directory) = directory {
        // The folder of a bundle may be gone by now.
        let _ = nix::unistd::chdir(directory);
    }
    let installed = fd::install(input.as_fd(), 0)
        .and_then(|()| fd::install(output.as_fd(), 1))
        .and_then(|()| fd::install(output.as_fd(), 2));
    core::mem::forget((input, output));
    fd::close_from(3);
    match installed {
        Ok(()) => process::exec_path(path, argv, env),
        Err(errno) => errno,
    }
}

/// Why a hook is not listened to any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    ByItself,
    Late,
    /// The process that it was for has ended.
    Alone,
}

/// Listens until it ends or is to be ended, and what it said last.
fn attend(
    child: BorrowedFd<'_>,
    listen: BorrowedFd<'_>,
    with: Option<BorrowedFd<'_>>,
    until: Option<Duration>,
) -> Result<(End, Vec<u8>)> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    fcntl(listen, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    let mut said = Vec::new();
    let mut listens = true;
    loop {
        let left = match until.map(|until| until.saturating_sub(time::since_boot())) {
            None => PollTimeout::NONE,
            Some(left) if left.is_zero() => return Ok((End::Late, said)),
            Some(left) => {
                PollTimeout::try_from(left.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX)
            }
        };
        let mut waited = vec![PollFd::new(child, PollFlags::POLLIN)];
        waited.extend(with.map(|it| PollFd::new(it, PollFlags::POLLIN)));
        if listens {
            waited.push(PollFd::new(listen, PollFlags::POLLIN));
        }
        match poll(&mut waited, left) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
        let is_ready = |fd: BorrowedFd<'_>| {
            waited.iter().any(|it| it.as_fd().as_raw_fd() == fd.as_raw_fd() && it.any().unwrap_or_default())
        };
        let (ended, alone) = (is_ready(child), with.is_some_and(is_ready));
        if listens {
            listens = hear(listen, &mut said);
        }
        if ended {
            return Ok((End::ByItself, said));
        }
        if alone {
            return Ok((End::Alone, said));
        }
    }
}

/// Reads what is there, and keeps the end. Whether more may come.
fn hear(listen: BorrowedFd<'_>, said: &mut Vec<u8>) -> bool {
    /// A hook that writes without end does not keep us from seeing its time run out.
    const TURNS: u32 = 16;
    let mut buffer = [0u8; 4096];
    for _ in 0..TURNS {
        match nix::unistd::read(listen, &mut buffer) {
            Ok(0) => return false,
            Ok(size) => {
                said.extend_from_slice(buffer.get(..size).unwrap_or_default());
                said.drain(..said.len().saturating_sub(SAID));
            }
            Err(Errno::EAGAIN) => return true,
            Err(Errno::EINTR) => {}
            Err(_) => return false,
        }
    }
    true
}

fn reap(child: BorrowedFd<'_>) -> Result<Option<wait::Reaped>> {
    loop {
        match wait::wait_for(child) {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// `late`: it was killed when so many seconds were over.
fn judge(late: Option<u64>, ended: Option<wait::Reaped>, said: &[u8]) -> core::result::Result<(), String> {
    let said = String::from_utf8_lossy(said);
    let said = said.trim();
    let how = match (late, ended) {
        (Some(seconds), _) => format!("not done after {seconds} s"),
        (None, Some(it)) if it.code == libc::CLD_EXITED && it.status == 0 => return Ok(()),
        (None, Some(it)) if it.code == libc::CLD_EXITED && it.status == NOT_EXECUTED && !said.is_empty() => {
            return Err(said.to_owned());
        }
        (None, Some(it)) if it.code == libc::CLD_EXITED => format!("exit status {}", it.status),
        (None, Some(it)) => format!("killed by {}", orlop::config::signal::name(it.status)),
        (None, None) => "it was lost".to_owned(),
    };
    Err(if said.is_empty() { how } else { format!("{how}: {said}") })
}

#[path = "hooks_tests.rs"]
#[cfg(test)]
mod tests;
