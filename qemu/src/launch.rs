//! Starts QEMU so that it never outlives this process, and says how it ended.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::error::{Error, Result};
use crate::state::Shared;

pub(crate) const PROGRAM: &str = "qemu-system-x86_64";

/// QEMU's own errors are a few lines; more is a guest that makes a device complain.
const KEPT_STDERR: usize = 64 << 10;

/// Starts QEMU with `inherited` open in it under the same numbers. Its end is written to
/// `shared`, by a thread that lives just as long as QEMU does.
pub(crate) fn start(arguments: Vec<OsString>, inherited: Vec<OwnedFd>, shared: Arc<Shared>) -> Result<Pid> {
    let (tell, told) = mpsc::channel();
    std::thread::Builder::new()
        .name("keeper".into())
        .spawn(move || keep(&arguments, inherited, &shared, &tell))
        .map_err(|e| Error::host("start QEMU's thread", e))?;
    match told.recv() {
        Ok(Ok(pid)) => Ok(pid),
        Ok(Err(e)) if e.kind() == io::ErrorKind::NotFound => {
            Err(Error::QemuMissing { program: PROGRAM.to_owned() })
        }
        Ok(Err(e)) => Err(Error::host(format!("start {PROGRAM}"), e)),
        Err(e) => Err(Error::host("start QEMU's thread", io::Error::other(e))),
    }
}

/// The kernel kills QEMU when the *thread* that started it ends: so this one stays.
fn keep(
    arguments: &[OsString],
    inherited: Vec<OwnedFd>,
    shared: &Shared,
    tell: &mpsc::Sender<io::Result<Pid>>,
) {
    let child = spawn(arguments, &inherited);
    // QEMU's ends of the sockets: with ours open too, its end would not be seen on them.
    drop(inherited);
    let mut child = match child {
        Ok(child) => child,
        Err(e) => {
            // Nobody listens only when `start` is gone, and then nobody cares.
            let _ = tell.send(Err(e));
            return;
        }
    };
    let _ = tell.send(Ok(pid_of(&child)));
    if let Some(stderr) = child.stderr.take() {
        collect(stderr, shared);
    }
    // Dead is not gone: its number stays its own until `wait`, which is made together with the
    // note of it, so that `end` never hits somebody else.
    let dead = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    while waitid(Id::Pid(pid_of(&child)), dead) == Err(nix::Error::EINTR) {}
    shared.change(|state| state.exit = Some(how(child.wait())));
}

/// Kills QEMU, unless it has ended.
pub(crate) fn end(pid: Pid, shared: &Shared) {
    shared.look(|state| {
        if state.exit.is_none() {
            // It cannot fail: the process is ours, and not waited for yet.
            let _ = kill(pid, Signal::SIGKILL);
        }
    });
}

#[expect(clippy::disallowed_methods, reason = "on the host; its own thread waits for it, nobody else")]
fn spawn(arguments: &[OsString], inherited: &[OwnedFd]) -> io::Result<Child> {
    let numbers: Vec<RawFd> = inherited.iter().map(AsRawFd::as_raw_fd).collect();
    let parent = nix::unistd::getpid();
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A Ctrl-C in the terminal is ours to answer.
        .process_group(0);
    let prepare = move || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        if nix::unistd::getppid() != parent {
            return Err(io::Error::from(nix::Error::ESRCH));
        }
        for number in &numbers {
            // SAFETY: the caller holds these fds open until the child has executed.
            let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(*number) };
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
        }
        Ok(())
    };
    // SAFETY: between fork and exec only prctl, getppid and fcntl are called, no allocation.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).unwrap_or_default())
}

fn how(exit: io::Result<ExitStatus>) -> (Option<i32>, Option<i32>) {
    exit.map_or((None, None), |status| (status.code(), status.signal()))
}

fn collect(mut stderr: ChildStderr, shared: &Shared) {
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = stderr.read(&mut buffer) {
        let text = String::from_utf8_lossy(buffer.get(..count).unwrap_or_default()).into_owned();
        shared.change(|state| {
            if state.stderr.len() < KEPT_STDERR {
                state.stderr.push_str(&text);
            }
        });
    }
}
