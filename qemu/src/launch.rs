//! Starts QEMU so that it never outlives this process, and says how it ended.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{AccessFlags, Pid, access};

use crate::error::{Error, Result};
use crate::state::Shared;

const PROGRAM: &str = "qemu-system-x86_64";

/// Sets what Rust can only set with unsafe code, and becomes QEMU.
const WRAPPER: &str = "setpriv";

/// QEMU's standard input and output are sockets to us, which its command line names so.
pub(crate) const CONSOLE_FD: RawFd = 0;
pub(crate) const MONITOR_FD: RawFd = 1;

/// QEMU's ends of its sockets.
pub(crate) struct Sockets {
    pub(crate) console: OwnedFd,
    pub(crate) monitor: OwnedFd,
}

/// QEMU's own errors are a few lines; more is a guest that makes a device complain.
const KEPT_STDERR: usize = 64 << 10;

/// Starts QEMU. Its end is written to `shared`, by a thread that lives just as long as QEMU does.
pub(crate) fn start(arguments: Vec<OsString>, sockets: Sockets, shared: Arc<Shared>) -> Result<Pid> {
    // Asked before, because afterwards only the wrapper could be missing.
    if !is_installed(PROGRAM) {
        return Err(Error::QemuMissing { program: PROGRAM.to_owned() });
    }
    let (tell, told) = mpsc::channel();
    std::thread::Builder::new()
        .name("keeper".into())
        .spawn(move || keep(&arguments, sockets, &shared, &tell))
        .map_err(|e| Error::host("start QEMU's thread", e))?;
    match told.recv() {
        Ok(Ok(pid)) => Ok(pid),
        Ok(Err(e)) => Err(Error::host(format!("start {WRAPPER} (of util-linux)"), e)),
        Err(e) => Err(Error::host("start QEMU's thread", io::Error::other(e))),
    }
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| access(&folder.join(program), AccessFlags::X_OK).is_ok())
}

/// The kernel kills QEMU when the *thread* that started it ends: so this one stays.
fn keep(arguments: &[OsString], sockets: Sockets, shared: &Shared, tell: &mpsc::Sender<io::Result<Pid>>) {
    let child = spawn(arguments, sockets);
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

/// Our copies of the sockets are closed with the command: with them open, QEMU's end would not be
/// seen on them.
#[expect(clippy::disallowed_methods, reason = "on the host; its own thread waits for it, nobody else")]
fn spawn(arguments: &[OsString], sockets: Sockets) -> io::Result<Child> {
    Command::new(WRAPPER)
        .args(["--pdeathsig", "KILL", "--", PROGRAM])
        .args(arguments)
        .stdin(sockets.console)
        .stdout(sockets.monitor)
        .stderr(Stdio::piped())
        // A Ctrl-C in the terminal is ours to answer.
        .process_group(0)
        .spawn()
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
