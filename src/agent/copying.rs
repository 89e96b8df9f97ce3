//! `CopyFrom` and `CopyTo`: has files of a container packed or made by `orlop copy`, a process of ours that
//! has entered it, and counts against its limits.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use super::Agent;
use super::control::CallId;
use super::copier;
use super::relay::Parts;
use super::sessions::Start;
use crate::engine::Failure;
use crate::linux::clone::{Cloned, Parent, clone3, flags};
use crate::linux::{Errno, Result, c_path, fd, process, seqpacket, signal};

/// Which way, and how; words of `orlop copy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Out of the container; the link that is named as a link, or followed.
    From { follow: bool },
    /// Into it; under the name that is given, or within a folder.
    To { within: bool },
}

impl Way {
    fn words(self) -> [&'static std::ffi::CStr; 2] {
        match self {
            Self::From { follow: false } => [copier::FROM, copier::AS_LINK],
            Self::From { follow: true } => [copier::FROM, copier::FOLLOW],
            Self::To { within: false } => [copier::TO, copier::AS_NAMED],
            Self::To { within: true } => [copier::TO, copier::WITHIN],
        }
    }
}

impl Agent {
    pub fn copy(&mut self, call: CallId, name: &str, path: &str, way: Way, now: Duration) {
        if self.may_begin(call, name, now).is_some()
            && let Err(failure) = self.try_copy(call, name, path, way, now)
        {
            self.not_begun(call, name, failure, now);
        }
    }

    fn try_copy(
        &mut self,
        call: CallId,
        name: &str,
        path: &str,
        way: Way,
        now: Duration,
    ) -> core::result::Result<(), Failure> {
        let fail = |step: &'static str| move |errno| Failure::new(step, "", errno);
        let path = c_path(path).map_err(|errno| Failure::new("copy", path, errno))?;
        let cookie = self.sessions.cookie(self.boot.starts);
        let entrance = self.entrance(name, cookie).map_err(fail("cgroup"))?;
        let main = self.main_process(name).map_err(fail("join"))?;
        let (stdio, parts) = streams(way).map_err(fail("output"))?;
        let (link, theirs) = seqpacket::pair().map_err(fail("link"))?;
        let (report, reports) = seqpacket::pair().map_err(fail("report"))?;
        let [input, output, error] = &stdio;
        // In the order of their numbers.
        let given = [input, output, error, &reports, &main];
        let made = start(&given, &entrance, way, path).map_err(fail("clone"))?;
        let start = Start::new(call, report, parts, theirs, now);
        self.add_helper(name.to_owned(), cookie, (link, start), made, now).map_err(fail("epoll"))
    }
}

fn streams(way: Way) -> Result<([OwnedFd; 3], Parts)> {
    let (error_output, stderr) = fd::pipe()?;
    let mut parts = Parts { error_output: Some(error_output), ..Parts::default() };
    let (stdin, stdout) = match way {
        Way::From { .. } => {
            let (output, stdout) = fd::pipe()?;
            parts.output = Some(output);
            (fd::null()?, stdout)
        }
        Way::To { .. } => {
            let (stdin, input) = fd::pipe()?;
            parts.input = Some(input);
            (stdin, fd::null()?)
        }
    };
    Ok(([stdin, stdout, stderr], parts))
}

fn start(given: &[&OwnedFd], cgroup: &OwnedFd, way: Way, path: CString) -> Result<(i32, OwnedFd)> {
    match clone3(Parent::CallersParent, flags::INTO_CGROUP, Some(cgroup.as_fd()))? {
        Cloned::Parent { pid, pidfd } => Ok((pid, pidfd)),
        Cloned::Child => {
            signal::reset();
            let _ = process::new_session();
            // As much worth as what it works for.
            let _ = process::set_oom_score(0);
            if fd::place(given.iter().map(|fd| fd.as_fd()), 0).is_err() {
                process::exit_now(Errno::EMFILE as i32);
            }
            let [direction, manner] = way.words();
            let argv = [c"orlop".to_owned(), c"copy".to_owned(), direction.into(), manner.into(), path];
            process::exec_path(c"/proc/self/exe", &argv, &[]);
            process::exit_now(127)
        }
    }
}
