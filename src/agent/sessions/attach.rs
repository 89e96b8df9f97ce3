//! `Attach`: a relay for the keys of a container's own program. Its output is the logger's business, and goes to the
//! client as its log does. Nothing of it outlives a supervisor: the client attaches again.

use std::os::fd::AsFd;
use std::time::Duration;

use orlop::ledger::Ended;

use super::{Session, Stage, end_of};
use crate::agent::control::CallId;
use crate::agent::launch::Stage as RunStage;
use crate::agent::relay::{self, Parts};
use crate::agent::stdio::Input;
use crate::agent::{Agent, say};
use crate::engine::Failure;
use crate::linux::kmsg::Level;
use crate::linux::{Errno, Result, fd, seqpacket};

impl Agent {
    /// To one that is paused, too: what is typed waits.
    pub fn attach(&mut self, call: CallId, name: &str, stdin: bool, now: Duration) {
        if self.running(call, name, now).is_none() {
            return;
        }
        if let Some(busy) = self.sessions.is_full() {
            return self.server.fail(now, call, &busy);
        }
        if let Err(errno) = self.try_attach(call, name, stdin) {
            self.not_begun(call, name, Failure::new("attach", "", errno), now);
        }
    }

    fn try_attach(&mut self, call: CallId, name: &str, stdin: bool) -> Result<()> {
        let of_it = |run: &&super::super::launch::Run| {
            run.name == name && matches!(run.stage, RunStage::Running { .. })
        };
        let run = self.runs.values().find(of_it).ok_or(Errno::ESRCH)?;
        let mut parts = Parts::default();
        match &run.input {
            // Its size is the client's also when its keys are not.
            Some(Input::Terminal(terminal)) => parts.keys = Some(fd::copy(terminal.as_fd())?),
            Some(Input::Pipe(pipe)) if stdin => parts.input = Some(fd::copy(pipe.as_fd())?),
            Some(Input::Pipe(_)) | None => {}
        }
        let stage = Stage::Attached { slot: run.slot, generation: run.generation, end: None };
        let (link, theirs) = seqpacket::pair()?;
        let key = self.sessions.next;
        self.sessions.next = key.wrapping_add(1);
        // Never one that PID 1 knows.
        let session = Session { name: name.to_owned(), cookie: 0, link, stage };
        self.sessions.all.insert(key, session);
        if let Some(client) = self.server.hand_over(call)
            && let Err(errno) = relay::start(&theirs, &client, &parts)
        {
            say(Level::Error, &format!("{name}: relay: {}", errno.desc()));
        }
        // Without a relay its end is told at once.
        drop(theirs);
        self.watch_link(key);
        Ok(())
    }

    /// The main process of a run has ended: those who are attached learn it once its output is in the log.
    pub fn attached_ended(&mut self, of_slot: u32, of_generation: u64, ended: Ended) {
        for session in self.sessions.all.values_mut() {
            if let Stage::Attached { slot, generation, end } = &mut session.stage
                && (*slot, *generation) == (of_slot, of_generation)
            {
                *end = Some(end_of(ended));
            }
        }
        self.tell_attached();
    }

    pub fn tell_attached(&mut self) {
        for session in self.sessions.all.values_mut() {
            if let Stage::Attached { slot, generation, end: Some(end) } = session.stage
                && !self.logs.has_pipes(slot, generation)
            {
                // EPIPE: its relay is gone, and that is heard of next.
                let _ = relay::send_end(session.link.as_fd(), end);
                session.stage = Stage::Ended;
            }
        }
    }
}
