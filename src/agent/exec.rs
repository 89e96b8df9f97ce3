//! `Exec`: a program in a container that runs, with no more power than the container's own has.

use std::borrow::Cow;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use orlop::container::spec::Size;
use orlop::container::{Names, plan_exec};
use orlop::control::{Error, Exec};

use super::compile::Machine;
use super::control::CallId;
use super::launch::{Run, Stage};
use super::relay::Parts;
use super::sessions::{self, Start};
use super::{Agent, cgroups, files, store};
use crate::engine::{self, Environment, Failure, Further, Gate, Job, Work};
use crate::linux::clone::Parent;
use crate::linux::{Errno, Result, cgroup, fd, seqpacket};

impl Agent {
    pub fn exec(&mut self, call: CallId, asked: &Exec, now: Duration) {
        if self.may_begin(call, &asked.name, now).is_some()
            && let Err(failure) = self.try_exec(call, asked, now)
        {
            self.not_begun(call, &asked.name, failure, now);
        }
    }

    /// `None`: no session can begin in this container, and the client was told.
    pub fn may_begin(&mut self, call: CallId, name: &str, now: Duration) -> Option<()> {
        self.running(call, name, now)?;
        if self.is_paused(name) {
            self.server.fail(now, call, &Error::Paused { name: name.to_owned() });
            return None;
        }
        if let Some(busy) = self.sessions.is_full() {
            self.server.fail(now, call, &busy);
            return None;
        }
        Some(())
    }

    pub fn not_begun(&mut self, call: CallId, name: &str, failure: Failure, now: Duration) {
        let errno = (failure.errno != 0).then(|| format!("{:?}", Errno::from_raw(failure.errno)));
        let text = format!("{name}: {failure}");
        let Failure { step, object, .. } = failure;
        self.server.fail(now, call, &Error::ExecFailed { step, object, errno, text });
    }

    fn try_exec(&mut self, call: CallId, asked: &Exec, now: Duration) -> core::result::Result<(), Failure> {
        let fail = |step: &'static str| move |errno| Failure::new(step, "", errno);
        let name = asked.name.as_str();
        let Some(container) = self.config.containers.get(name) else {
            return Err(Failure::said("configuration", "it is not declared any more"));
        };
        let slot = self.slots.get(name).copied().unwrap_or_default();
        let image = store::find(&container.image).map_err(|reason| Failure::said("image", reason))?;
        let machine = Machine { config: &self.config, boot: &self.boot, slots: &self.slots };
        let (spec, names) = machine.spec(container, &image, slot)?;
        let mut process = spec.process.clone().unwrap_or_default();
        process.args.clone_from(&asked.command);
        process.terminal = asked.terminal;
        process.console_size = size(asked);
        if let Some(directory) = &asked.working_dir {
            process.cwd.clone_from(directory);
        }
        let names = match &asked.user {
            Some(user) => Names { user: Some(user.clone()), groups: Vec::new() },
            None => names,
        };
        let plan = plan_exec(&spec, &process, &names)
            .map_err(|refused| Failure::said(refused.field, refused.why))?;
        let over = environment(&process.env, container.environment.clone(), asked)?;
        let cookie = self.sessions.cookie(self.boot.starts);
        let entrance = self.entrance(name, cookie).map_err(fail("cgroup"))?;
        let (stdio, parts) = streams(asked).map_err(fail("output"))?;
        let (link, theirs) = seqpacket::pair().map_err(fail("link"))?;
        let files = files::env_files(container, &self.boot.config_dir);
        let environment =
            Environment { base: process.env.as_slice().into(), files: files.as_slice().into(), over: &over };
        let work = Work { plan: Cow::Borrowed(&plan), environment };
        let job = Job {
            stdio,
            further: Further::none(),
            cgroup: Some(entrance),
            parent: Parent::CallersParent,
            gate: Gate::Report,
            joins: Some(self.main_process(name).map_err(fail("join"))?),
        };
        let starting =
            engine::start(job, || engine::may_be_killed().map(|()| work)).map_err(fail("clone"))?;
        let start = Start::new(call, starting.report, parts, theirs, now);
        self.add_session(asked.name.clone(), cookie, link, start).map_err(fail("epoll"))
    }

    /// Whose namespaces are joined.
    pub fn main_process(&self, name: &str) -> Result<OwnedFd> {
        let pidfd = self.runs.values().find_map(|run| match run {
            Run { name: of, stage: Stage::Running { pidfd }, .. } if of == name => Some(pidfd),
            _ => None,
        });
        fd::copy(pidfd.ok_or(Errno::ESRCH)?.as_fd())
    }

    /// A cgroup of its own, within the limits of the container. Empty ones of others go meanwhile.
    pub fn entrance(&self, name: &str, cookie: u64) -> Result<OwnedFd> {
        let outer = cgroup::open_path(&cgroups::path(name))?;
        self.sessions.sweep(name);
        cgroup::make(outer.as_fd(), &sessions::group(cookie))
    }
}

/// The container's own, over it what was asked for; a terminal that nothing is said of is one that every program
/// knows.
fn environment(
    base: &[String],
    declared: Vec<(String, String)>,
    asked: &Exec,
) -> core::result::Result<Vec<(String, String)>, Failure> {
    let has_term =
        base.iter().any(|pair| pair.starts_with("TERM=")) || declared.iter().any(|(key, _)| key == "TERM");
    let mut over = declared;
    if asked.terminal && !has_term {
        over.push(("TERM".into(), "xterm".into()));
    }
    for pair in &asked.environment {
        match pair.split_once('=') {
            Some((key, value)) if !key.is_empty() => over.push((key.into(), value.into())),
            _ => {
                return Err(Failure::said(
                    "environment",
                    format!("write KEY=value in the place of `{pair}`"),
                ));
            }
        }
    }
    Ok(over)
}

fn size(asked: &Exec) -> Option<Size> {
    let (height, width) = asked.rows.zip(asked.columns)?;
    Some(Size { height, width })
}

/// The process's standard streams, and our ends of them. Those of a terminal come when there is one.
fn streams(asked: &Exec) -> Result<([OwnedFd; 3], Parts)> {
    let mut parts = Parts::default();
    if asked.terminal {
        return Ok(([fd::null()?, fd::null()?, fd::null()?], parts));
    }
    let stdin = if asked.stdin {
        let (theirs, ours) = fd::pipe()?;
        parts.input = Some(ours);
        theirs
    } else {
        fd::null()?
    };
    let ((output, stdout), (error_output, stderr)) = (fd::pipe()?, fd::pipe()?);
    (parts.output, parts.error_output) = (Some(output), Some(error_output));
    Ok(([stdin, stdout, stderr], parts))
}
