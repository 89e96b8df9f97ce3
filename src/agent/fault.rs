//! Breaks the machine on purpose, where its configuration allows it.

use std::os::fd::AsFd;
use std::time::Duration;

use orlop::config::Config;
use orlop::control::{Empty, Error, Process};

use super::control::CallId;
use super::{Agent, records, say};
use crate::linux::clone::{Cloned, Parent, clone3};
use crate::linux::kmsg::Level;
use crate::linux::{Result, fd, fs, process, signal, wait};

/// How many supervisors are still to die before they serve.
const STARTS: &str = "/run/orlop/crash-starts";
/// More would only be a longer wait.
const MOST_ORPHANS: u32 = 1_000_000;
/// Orphans with one parent: most of them outlive it.
const SIBLINGS: u32 = 100;

/// Dies when an earlier supervisor was told that this one should.
pub fn before_serving(config: &Config) {
    if !config.host.fault_injection {
        return;
    }
    if let Some(left) = starts_left().and_then(|left| left.checked_sub(1))
        && keep_starts(left).is_ok()
    {
        say(Level::Error, "dies before it serves, as it was told");
        signal::die_of(libc::SIGABRT);
    }
}

fn starts_left() -> Option<u32> {
    let fd = fs::open_regular(STARTS).ok()?;
    String::from_utf8(fs::read_regular(fd.as_fd(), 16).ok()?).ok()?.parse().ok()
}

fn keep_starts(left: u32) -> Result<()> {
    records::write_file(STARTS, &left.to_string())
}

impl Agent {
    /// How it dies, how many supervisors after it die too, and how many steps it still takes.
    pub fn crash(
        &mut self,
        call: CallId,
        process: Process,
        (number, starts, steps): (i32, u32, u32),
        now: Duration,
    ) {
        if !self.config.host.fault_injection {
            return self.server.fail(now, call, &Error::FaultInjectionOff {});
        }
        if starts > 0
            && let Err(errno) = keep_starts(starts)
        {
            return self.server.fail(now, call, &Error::Failed { reason: errno.desc().into() });
        }
        self.server.reply(now, call, &Empty {});
        // What is buffered goes out before we do.
        if let Err(error) = self.server.work(now) {
            say(Level::Error, &format!("control: {error}"));
        }
        match process {
            Process::Supervisor if steps > 0 => self.dies_after = Some((steps, number)),
            Process::Supervisor => signal::die_of(number),
            Process::Log => self.logs.crash(number),
            Process::Forward => self.forwarding.reader.helper.signal(number),
            Process::Keep => self.keeping.reader.helper.signal(number),
            Process::Init => signal::send_to_parent(number),
        }
    }

    /// Between any two things that it does for containers, a supervisor may be told to die.
    pub fn step(&mut self) {
        if let Some((left, number)) = &mut self.dies_after {
            *left = left.saturating_sub(1);
            if *left == 0 {
                // Told to, it is not the container's fault.
                self.blamed.acquit();
                signal::die_of(*number);
            }
        }
    }

    pub fn make_orphans(&mut self, call: CallId, count: u32, now: Duration) {
        if !self.config.host.fault_injection {
            return self.server.fail(now, call, &Error::FaultInjectionOff {});
        }
        if count == 0 || count > MOST_ORPHANS {
            return self.server.fail(now, call, &Error::InvalidParameter { parameter: "count".into() });
        }
        match clone3(Parent::CallersParent, 0, None) {
            Ok(Cloned::Child) => {
                fd::close_from(0);
                signal::reset();
                // PID 1 knows nothing of this process either, so that it is one of them.
                let made = orphans(count.saturating_sub(1));
                process::exit_now(i32::from(made.is_err()))
            }
            Ok(Cloned::Parent { .. }) => self.server.reply(now, call, &Empty {}),
            Err(errno) => self.server.fail(now, call, &Error::Failed { reason: errno.desc().into() }),
        }
    }
}

/// One parent after the other, each of which makes some children and ends.
fn orphans(mut count: u32) -> Result<()> {
    while count > 0 {
        let siblings = count.min(SIBLINGS);
        match clone3(Parent::Caller, 0, None)? {
            Cloned::Child => {
                for _ in 0..siblings {
                    if let Ok(Cloned::Child) = clone3(Parent::Caller, 0, None) {
                        process::exit_now(0);
                    }
                }
                process::exit_now(0)
            }
            Cloned::Parent { pidfd, .. } => drop(wait::wait_for(pidfd.as_fd())?),
        }
        count = count.saturating_sub(siblings);
    }
    Ok(())
}
