//! The program that a container becomes.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd};

use super::Job;
use super::inside::Made;
use super::report::Failure;
use crate::linux::{Errno, Result, c_path, fd, fs, process, pty, signal};

/// Looks the program up in PATH as execvp(3) does, for whoever we are by now.
pub fn find(args: &[String], made: &mut Made) -> core::result::Result<(), Failure> {
    let Some(program) = args.first().filter(|program| !program.is_empty()) else {
        return Err(Failure::said("execute", "neither the image nor the configuration names a program"));
    };
    if program.contains('/') {
        made.program = Some(check(program).map_err(|errno| Failure::new("execute", program, errno))?);
        return Ok(());
    }
    let path = made.env.iter().rev().find_map(|pair| pair.strip_prefix("PATH=")).unwrap_or_default();
    let mut worst = Errno::ENOENT;
    for directory in path.split(':').filter(|directory| directory.starts_with('/')) {
        match check(&format!("{directory}/{program}")) {
            Ok(found) => {
                made.program = Some(found);
                return Ok(());
            }
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(errno) => worst = errno,
        }
    }
    Err(Failure::new("execute", program, worst))
}

/// Whether it can be executed by us.
fn check(path: &str) -> Result<CString> {
    let path = c_path(path)?;
    fs::may_execute(&path)?;
    Ok(path)
}

/// What a program finds that is not its own doing.
pub fn prepare(umask: u32, made: &Made, job: &Job) -> Result<()> {
    // All dispositions are default since setup began, or handlers, which an exec makes default.
    signal::unblock_all();
    process::set_umask(umask);
    let first = 3 + job.further.count();
    #[cfg(naive)]
    let first = super::naive::first_to_close(&made.env, first);
    fd::cloexec_from(first);
    match &made.terminal {
        // It stands at their numbers since it was opened.
        Some(terminal) => pty::control(terminal.as_fd()),
        None => job.stdio.iter().try_for_each(|stdio| fd::install(stdio.as_fd(), stdio.as_raw_fd())),
    }
}

/// Returns only when it cannot.
pub fn become_it(args: &[String], made: &Made) -> Failure {
    let program = args.first().map(String::as_str).unwrap_or_default();
    let strings =
        |list: &[String]| -> Result<Vec<CString>> { list.iter().map(|text| c_path(text)).collect() };
    match (&made.program, strings(args), strings(&made.env)) {
        (Some(path), Ok(argv), Ok(env)) => {
            Failure::new("execute", program, process::exec_path(path, &argv, &env))
        }
        (None, ..) => Failure::said("execute", "the plan did not look for the program"),
        (_, Err(errno), _) | (_, _, Err(errno)) => Failure::new("execute", program, errno),
    }
}
