//! Hooks: programs that are told the container's state on their standard input (config.md, POSIX-platform
//! Hooks).

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use orlop::container::spec::Hook;

use crate::linux::clone::{Cloned, Parent, clone3};
use crate::linux::{Errno, Result, c_path, fd, memfd, pidfd, process, signal, time, wait};

/// Runs them in their order, each to its end.
///
/// # Errors
/// For a person: which hook, and how it failed. Those after it are not run.
pub fn run(hooks: &[Hook], state: &[u8]) -> core::result::Result<(), String> {
    hooks.iter().try_for_each(|hook| one(hook, state).map_err(|why| format!("{}: {why}", hook.path)))
}

fn one(hook: &Hook, state: &[u8]) -> core::result::Result<(), String> {
    let said = |errno: Errno| errno.desc().to_owned();
    let strings =
        |list: &[String]| -> Result<Vec<CString>> { list.iter().map(|text| c_path(text)).collect() };
    let path = c_path(&hook.path).map_err(said)?;
    let mut argv = strings(&hook.args).map_err(said)?;
    if argv.is_empty() {
        argv.push(path.clone());
    }
    let env = strings(&hook.env).map_err(said)?;
    // A file: whoever does not read it keeps nobody waiting.
    let input = memfd::with_contents(c"state", state).map_err(said)?;
    // Closed by exec; otherwise it says why there was none.
    let (told, tell) = fd::pipe().map_err(said)?;
    match clone3(Parent::Caller, 0, None).map_err(said)? {
        Cloned::Child => {
            signal::reset();
            if fd::install(input.as_fd(), 0).is_ok() {
                fd::cloexec_from(3);
                let errno = process::exec_path(&path, &argv, &env);
                let _ = nix::unistd::write(&tell, &(errno as i32).to_ne_bytes());
            }
            process::exit_now(127)
        }
        Cloned::Parent { pidfd, .. } => {
            drop(tell);
            wait_for(pidfd, told.as_fd(), hook.timeout)
        }
    }
}

fn wait_for(child: OwnedFd, told: BorrowedFd<'_>, timeout: Option<i64>) -> core::result::Result<(), String> {
    let said = |errno: Errno| errno.desc().to_owned();
    let until = timeout
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map(|seconds| time::since_boot().saturating_add(Duration::from_secs(seconds)));
    let in_time = ends_by(child.as_fd(), until).map_err(said)?;
    if !in_time {
        pidfd::send_signal(child.as_fd(), libc::SIGKILL).map_err(said)?;
    }
    let ended = wait::wait_for(child.as_fd()).map_err(said)?;
    let mut errno = [0u8; 4];
    if in_time && fd::read(told, &mut errno).is_ok_and(|size| size == errno.len()) {
        return Err(said(Errno::from_raw(i32::from_ne_bytes(errno))));
    }
    match ended {
        _ if !in_time => Err(format!("not done after {} s", timeout.unwrap_or_default())),
        Some(reaped) if reaped.code == libc::CLD_EXITED && reaped.status == 0 => Ok(()),
        Some(reaped) if reaped.code == libc::CLD_EXITED => Err(format!("exit status {}", reaped.status)),
        Some(reaped) => Err(format!("killed by signal {}", reaped.status)),
        None => Err("it was lost".to_owned()),
    }
}

fn ends_by(child: BorrowedFd<'_>, until: Option<Duration>) -> Result<bool> {
    loop {
        let left = match until.map(|until| until.saturating_sub(time::since_boot())) {
            None => PollTimeout::NONE,
            Some(left) if left.is_zero() => return Ok(false),
            Some(left) => {
                PollTimeout::try_from(left.as_millis().saturating_add(1)).unwrap_or(PollTimeout::MAX)
            }
        };
        match poll(&mut [PollFd::new(child, PollFlags::POLLIN)], left) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(true),
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests")]
mod tests {
    use super::*;

    fn hook(script: &str, timeout: Option<i64>) -> Hook {
        let args = ["sh", "-c", script].map(String::from).to_vec();
        Hook { path: "/bin/sh".into(), args, env: vec!["KEY=value".into()], timeout }
    }

    #[test]
    fn is_told_the_state_and_has_the_environment_that_it_was_given() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let script = format!("cat > {0}; echo \" $KEY $HOME\" >> {0}", out.display());
        run(&[hook(&script, Some(60))], b"state").unwrap();
        assert_eq!(std::fs::read_to_string(out).unwrap(), "state value \n");
    }

    #[test]
    fn says_which_one_failed_and_how() {
        let check = |hook: Hook, expected: &str| assert_eq!(run(&[hook], b"").unwrap_err(), expected);
        check(hook("exit 3", None), "/bin/sh: exit status 3");
        check(hook("kill -9 $$", None), "/bin/sh: killed by signal 9");
        check(hook("sleep 60", Some(1)), "/bin/sh: not done after 1 s");
        check(Hook { path: "/nowhere".into(), ..Hook::default() }, "/nowhere: No such file or directory");
    }

    #[test]
    fn none_runs_after_one_that_failed() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        run(&[hook("false", None), hook(&format!("touch {}", out.display()), None)], b"").unwrap_err();
        assert!(!out.exists());
    }
}
