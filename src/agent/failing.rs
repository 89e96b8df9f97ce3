//! Starts that fail: whose fault it is, and how the core is told.

use orlop::supervisor::{Event, Fault, StartFailure};

use super::Agent;
use crate::engine::Failure;
use crate::linux::Errno;

/// Short of something that others use too: not the container's fault.
pub fn fault(errno: i32) -> Fault {
    let transient =
        [Errno::EAGAIN, Errno::ENOMEM, Errno::EMFILE, Errno::ENFILE, Errno::EIO, Errno::EBUSY, Errno::ENOSPC];
    if transient.iter().any(|known| *known as i32 == errno) { Fault::Transient } else { Fault::Permanent }
}

impl Agent {
    pub fn start_failed(&mut self, name: &str, generation: u64, failure: Failure) {
        let Failure { step, object, errno } = failure;
        let text = if errno == 0 { String::new() } else { Errno::from_raw(errno).desc().to_owned() };
        let failure = StartFailure { step, object, errno, text, fault: fault(errno) };
        self.events.push_back(Event::StartFailed { name: name.into(), generation, failure });
    }
}
