//! Loads the kernel modules that the machine needs, dependencies first: some before the first
//! container, the others later in a process of their own.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use orlop::config::Config;
use orlop::image::module_turns::{added, turns};
use orlop::image::modules::{Deps, NEEDED, parameters};

use crate::linux::clone::{Cloned, Parent, clone3};
use crate::linux::module::load_module;
use crate::linux::{Errno, Result, fd, fs, process, seqpacket, signal};

/// Where the process that loads finds the way back to us.
const REPORT_FD: i32 = 3;
/// All went well; anything else is what did not.
const DONE: &str = "done";
/// More is cut: every module of the machine can fail with a line.
const LONGEST_REPORT: usize = 8192;

/// Loads what no container starts without, and what the configuration adds.
///
/// # Errors
/// Every module that could not be loaded, and why.
pub fn load_first(config: &Config) -> core::result::Result<(), String> {
    load(NEEDED, &turns(config).before, &added(config))
}

/// The process that loads the rest.
pub struct Loading {
    report: OwnedFd,
    pub since: Duration,
}

impl Loading {
    /// Starts it. It gives way to everything else.
    ///
    /// # Errors
    /// As clone3(2); EMFILE.
    pub fn begin(config: &Config, now: Duration) -> Result<Self> {
        let (report, theirs) = seqpacket::pair()?;
        match clone3(Parent::CallersParent, 0, None)? {
            Cloned::Parent { .. } => Ok(Self { report, since: now }),
            Cloned::Child => {
                signal::reset();
                process::set_name(c"orlop-modules");
                let _ = fd::install(theirs.as_fd(), REPORT_FD);
                // What else is open is other starts', which must see each other's ends.
                fd::close_from(REPORT_FD + 1);
                process::give_way();
                let result = load(&[], &turns(config).after, &[]);
                let text = result.err().unwrap_or_else(|| DONE.to_owned());
                if let Ok(report) = fd::inherited(REPORT_FD) {
                    let cut = text.len().min(LONGEST_REPORT);
                    let _ =
                        seqpacket::send(report.as_fd(), text.as_bytes().get(..cut).unwrap_or_default(), &[]);
                }
                process::exit_now(0)
            }
        }
    }

    pub fn as_fd(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }

    /// How it ended, once it has.
    pub fn hear(&self) -> Option<core::result::Result<(), String>> {
        let mut bytes = vec![0; LONGEST_REPORT];
        match fd::read(self.report.as_fd(), &mut bytes) {
            Ok(0) => Some(Err("the process that loads them was killed".to_owned())),
            Ok(size) => match String::from_utf8_lossy(bytes.get(..size).unwrap_or_default()).into_owned() {
                text if text == DONE => Some(Ok(())),
                text => Some(Err(text)),
            },
            Err(Errno::EAGAIN) => None,
            Err(errno) => Some(Err(errno.desc().to_owned())),
        }
    }
}

/// Loads these. A module whose device is not there is as good as loaded.
fn load(needed: &[&str], optional: &[&str], added: &[String]) -> core::result::Result<(), String> {
    let release = nix::sys::utsname::uname().map_err(|errno| errno.desc().to_owned())?;
    let directory = format!("/lib/modules/{}", release.release().to_string_lossy());
    let read = |name: &str| match fs::read_text(&format!("{directory}/{name}")) {
        // A kernel without modules.
        Err(Errno::ENOENT) => Ok(String::new()),
        read => read.map_err(|errno| format!("{directory}/{name}: {}", errno.desc())),
    };
    let deps = Deps::parse(&read("modules.dep")?, &read("modules.builtin")?);
    let optional = optional.iter().copied().filter(|name| deps.knows(name));
    let wanted = needed.iter().copied().chain(optional).chain(added.iter().map(String::as_str));
    let (order, unknown) = deps.order_of_what_there_is(wanted);
    let mut failed: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    let words = std::fs::read_to_string("/proc/cmdline").unwrap_or_default();
    for path in order {
        let parameters = CString::new(parameters(&words, path)).unwrap_or_default();
        match load_module(&Path::new(&directory).join(path), &parameters) {
            Ok(_) => {}
            Err(error) if error.is_no_device() => {}
            Err(error) => failed.push(error.to_string()),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}
