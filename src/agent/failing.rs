//! What fails: whose fault a start is that did, how the core is told, and what is rebooted for.

use std::time::Duration;

use orlop::ledger::Action;
use orlop::supervisor::{Event, Fault, StartFailure};

use super::{Agent, say};
use crate::engine::Failure;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, insist};

/// Short of something that others use too: not the container's fault.
pub fn fault(errno: i32) -> Fault {
    if insist::passes(Errno::from_raw(errno)) { Fault::Transient } else { Fault::Permanent }
}

/// The supervisor died between the barrier and the program: nobody's failure.
pub fn cut_off() -> StartFailure {
    StartFailure {
        step: "start".into(),
        object: "the container".into(),
        errno: 0,
        text: "the supervisor was restarted meanwhile".into(),
        fault: Fault::Transient,
    }
}

/// As the core has it.
pub fn start_failure(failure: Failure) -> StartFailure {
    let Failure { step, object, errno } = failure;
    let text = if errno == 0 { String::new() } else { Errno::from_raw(errno).desc().to_owned() };
    StartFailure { step, object, errno, text, fault: fault(errno) }
}

impl Agent {
    /// What became of a container is declared to be a reason.
    pub fn reboot_for(&mut self, name: &str, now: Duration) {
        say(Level::Warning, &format!("{name}: the machine reboots for it, as declared"));
        self.shut_down(Action::Reboot, &format!("what became of {name}"), Duration::MAX, now);
    }

    pub fn start_failed(&mut self, name: &str, generation: u64, failure: Failure) {
        let failure = start_failure(failure);
        self.events.push_back(Event::StartFailed { name: name.into(), generation, failure });
    }
}
