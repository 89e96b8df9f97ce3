//! `create`: from a bundle to a container that waits; also the first half of `run`.
//!
//! Whatever fails undoes all that was made before it.

use std::borrow::Cow;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, OwnedFd};

use orlop::container::spec::{Hooks, Process, Spec};
use orlop::container::{InsideStep, NamespaceKind, Plan, Refused, Root, kinds_of, last_of_each, plan};

use super::arguments::CreateArguments;
use super::attend;
use super::bundle::{self, Bundle};
use super::cgroup;
use super::container::{Container, START_SOCKET, Status};
use super::failure::{Failure, Result, at};
use super::granted;
use super::handed::Sockets;
use super::inspect::State;
use super::log::Log;
use super::record::{Identity, Record};
use super::reports::Reports;
use super::store::{Folder, Store};
use super::{World, delete, net_devices, resources, seccomp_agent};
use crate::engine::{self, Environment, Further, Gate, HookPlace, Job, Report, Starting, Work};
use crate::linux::clone::Parent;
use crate::linux::{directory, pidfd, proc, seqpacket, time, wait};

/// Of a container that was made without `process`.
pub(crate) const NOTHING_TO_RUN: &str = "process: there is nothing to run";

/// What becomes of the container once it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// It waits for `start`.
    Wait,
    /// It is started by us, and nobody attends it.
    Detach,
    /// It is started by us, and we attend it.
    Attend,
}

/// A container that is ready, and waits.
pub(crate) struct Created {
    pub(crate) store: Store,
    pub(crate) folder: Folder,
    pub(crate) record: Record,
    pub(crate) starting: Starting,
    pub(crate) process: OwnedFd,
    pub(crate) pid: i32,
    /// The other end of its terminal, if nobody else got it.
    pub(crate) terminal: Option<OwnedFd>,
    pub(crate) sockets: Sockets,
}

/// # Errors
/// What cannot be done, and nothing is left of it.
pub(crate) fn create(world: &World<'_>, asked: &CreateArguments) -> Result<()> {
    make(world, asked, Then::Wait).map(drop)
}

/// By it engines ask crun for the groups of whoever calls (podman's keep-groups).
const KEEP_GROUPS: &str = "run.oci.keep_original_groups";

/// # Errors
/// As [`create`].
pub(crate) fn make(world: &World<'_>, asked: &CreateArguments, then: Then) -> Result<Created> {
    super::id::check_id(&asked.id)?;
    // A command ends soon: giving every string of a long filter back would take longer than using it.
    let mut bundle = ManuallyDrop::new(Bundle::open(asked.bundle.as_deref(), asked.config.as_deref())?);
    let mapped = has_user_namespace(&bundle.spec)?;
    let keeps_groups = bundle.spec.annotations.get(KEEP_GROUPS).is_some_and(|value| value != "0");
    if let Some(process) = &mut bundle.spec.process {
        granted::reduce(process, mapped, world.log);
        if keeps_groups {
            let own = nix::unistd::getgroups().map_err(at("groups"))?;
            process.user.additional_gids.extend(own.into_iter().map(nix::unistd::Gid::as_raw));
        }
    }
    let sockets = Sockets::connect(&asked.handed)?;
    let terminal = bundle.spec.process.as_ref().is_some_and(|process| process.terminal);
    check_terminal(terminal, &sockets, then)?;
    if asked.no_pivot {
        world
            .log
            .remark("--no-pivot: pivot_root is done all the same, as a container could undo anything less");
    }
    let mut plan = ManuallyDrop::new(plan_of(&bundle, then)?);
    if asked.no_new_keyring {
        plan.inside.retain(|step| *step != InsideStep::Keyring);
    }
    let wanted = bundle.spec.linux.cgroups_path.as_deref();
    let cgroup = world.hierarchy.path(wanted, world.naming, &asked.id)?;
    let limits = resources::of_new(&bundle.spec, &world.hierarchy, &cgroup)?;
    let store = Store::make(&world.place)?;
    let folder = store.add(&asked.id)?;
    let mut attempt = Attempt {
        record: record(&bundle, &asked.id)?,
        folder,
        bundle: &bundle,
        sockets: &sockets,
        log: world.log,
        process: None,
        terminal: None,
        hooked: false,
    };
    match attempt.go(world, &plan, (&cgroup, &limits), then) {
        Ok((starting, pid, process)) => {
            let Attempt { folder, record, terminal, .. } = attempt;
            Ok(Created { store, folder, record, starting, process, pid, terminal, sockets })
        }
        Err(failure) => {
            attempt.undo(&store);
            Err(failure)
        }
    }
}

/// # Errors
/// Its namespaces are none.
pub(crate) fn has_user_namespace(spec: &Spec) -> Result<bool> {
    let kinds = kinds_of(&spec.linux).map_err(|refused| Failure::new(refused.to_string()))?;
    Ok(kinds.iter().any(|(kind, _)| *kind == NamespaceKind::User))
}

/// As engines expect it of runc.
fn check_terminal(terminal: bool, sockets: &Sockets, then: Then) -> Result<()> {
    let detached = then != Then::Attend;
    if terminal && detached && !sockets.wants_terminal() {
        return Err(Failure::new(
            "process.terminal: nobody would hold the terminal without --console-socket",
        ));
    }
    if sockets.wants_terminal() && !(terminal && detached) {
        return Err(Failure::new("--console-socket: there is no terminal that somebody else could hold"));
    }
    Ok(())
}

/// A container without a process can be made, and not started (config.md, Process): whatever waits in it
/// looks for no program.
fn plan_of(bundle: &Bundle, then: Then) -> Result<Plan> {
    let root = Root::directory(bundle.rootfs.clone());
    let refused = |refused: Refused| Failure::new(refused.to_string());
    if bundle.spec.process.is_some() {
        return plan(&bundle.spec, &root).map_err(refused);
    }
    if then != Then::Wait {
        return Err(Failure::new(NOTHING_TO_RUN));
    }
    let nobody = Process { cwd: String::from("/"), args: vec![String::from("/")], ..Process::default() };
    let mut plan = plan(&Spec { process: Some(nobody), ..bundle.spec.clone() }, &root).map_err(refused)?;
    plan.inside.retain(|step| !matches!(step, InsideStep::FindProgram { .. }));
    Ok(plan)
}

fn record(bundle: &Bundle, id: &str) -> Result<Record> {
    let now = time::wall();
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let kinds = kinds_of(&bundle.spec.linux).map_err(|refused| Failure::new(refused.to_string()))?;
    Ok(Record {
        oci_version: bundle.spec.oci_version.clone(),
        bundle: bundle.path.clone(),
        rootfs: bundle.rootfs.clone(),
        created: orlop::control::rfc3339(seconds, now.subsec_nanos()),
        annotations: bundle.spec.annotations.clone(),
        startable: bundle.spec.process.is_some(),
        own_pid_namespace: kinds.contains(&(NamespaceKind::Pid, None)),
        poststart: bundle.spec.hooks.poststart.clone(),
        poststop: bundle.spec.hooks.poststop.clone(),
        ..Record::new(id)
    })
}

/// A creation under way, with all that would have to be undone.
struct Attempt<'a> {
    folder: Folder,
    record: Record,
    bundle: &'a Bundle,
    sockets: &'a Sockets,
    log: &'a Log,
    process: Option<OwnedFd>,
    terminal: Option<OwnedFd>,
    /// Hooks have been run, so that those of the end are run too.
    hooked: bool,
}

impl Attempt<'_> {
    fn go(
        &mut self,
        world: &World<'_>,
        plan: &Plan,
        (path, limits): (&str, &resources::Limits),
        then: Then,
    ) -> Result<(Starting, i32, OwnedFd)> {
        directory::replace(self.folder.fd(), bundle::CONFIG, &self.bundle.text, 0o600)
            .map_err(at(bundle::CONFIG))?;
        let cgroup = self.make_cgroup(world, path, limits)?;
        let gate = match then {
            Then::Wait => {
                Gate::Listen(seqpacket::listen(self.folder.fd(), START_SOCKET).map_err(at(START_SOCKET))?)
            }
            Then::Detach | Then::Attend => Gate::Report,
        };
        let preserved = world.preserved;
        let process = self.bundle.spec.process.as_ref();
        let base = process.map(|process| last_of_each(&process.env)).unwrap_or_default();
        let over = preserved.environment();
        let environment = Environment { base: base.into(), files: Cow::Borrowed(&[]), over: &over };
        let work = Work { plan: Cow::Borrowed(plan), environment };
        let job = Job {
            stdio: super::stdio()?,
            further: Further::Inherited(preserved.count()),
            cgroup,
            parent: Parent::Caller,
            gate,
            joins: None,
        };
        let starting = engine::start(job, || Ok(work)).map_err(at("clone"))?;
        self.attend(&starting)?;
        limits.apply_late(self.record.cgroup.as_ref())?;
        let (Some(process), Some(identity)) = (self.process.take(), self.record.process) else {
            return Err(Failure::new("the container was ready before it was there"));
        };
        self.record.creating = false;
        let told = self
            .record
            .write(self.folder.fd())
            .and_then(|()| self.sockets.send_process(identity.pid, process.as_fd()))
            // From here on others know where it waits.
            .and_then(|()| match then {
                Then::Wait => starting.go().map_err(at("the container")),
                Then::Detach | Then::Attend => Ok(()),
            });
        match told {
            Ok(()) => Ok((starting, identity.pid, process)),
            Err(failure) => {
                self.process = Some(process);
                Err(failure)
            }
        }
    }

    /// What limits more than the number of processes stands before anybody is in it.
    fn make_cgroup(
        &mut self,
        world: &World<'_>,
        path: &str,
        limits: &resources::Limits,
    ) -> Result<Option<OwnedFd>> {
        let root = match world.hierarchy.root_for(path) {
            Ok(root) => root,
            Err(why) => {
                self.log.remark(&cgroup::missing(why));
                return Ok(None);
            }
        };
        let place = cgroup::make(root, path)?;
        self.record.cgroup = Some(place.cgroup);
        self.record.write(self.folder.fd())?;
        limits.apply(place.directory.as_fd())?;
        cgroup::delegate(place.directory.as_fd(), &self.bundle.spec)?;
        Ok(Some(place.directory))
    }

    /// Until it is ready.
    fn attend(&mut self, starting: &Starting) -> Result<()> {
        let mut reports = Reports::of(starting);
        loop {
            match reports.next()? {
                Report::Container { pid, pidfd } => {
                    let identity = Identity::of(pid, pidfd.as_fd()).map_err(at("the container's process"))?;
                    self.record.process = Some(identity);
                    self.process = Some(pidfd);
                    // Whoever deletes it when we have died finds its processes in the cgroup.
                    if self.record.cgroup.is_none() {
                        self.record.write(self.folder.fd())?;
                    }
                }
                Report::Meets => self.meet(starting)?,
                Report::Terminal(terminal) if self.sockets.wants_terminal() => {
                    self.sockets.send_terminal(terminal.as_fd())?;
                }
                Report::Terminal(terminal) => self.terminal = Some(attend::ours(terminal)),
                Report::Listener(listener) => {
                    let state = State::new(&self.record, Status::Creating, self.pid());
                    seccomp_agent::tell(&self.bundle.spec, &state, self.pid(), listener.as_fd())?;
                }
                Report::Ready => return Ok(()),
                Report::Failed(failure) => return Err(Failure::of_start(&failure)),
                Report::Closed => return Err(Failure::new("the container ended while it was being made")),
            }
        }
    }

    fn pid(&self) -> i32 {
        self.record.process.map_or(0, |process| process.pid)
    }

    /// Its namespaces and mounts are there, and its root is not entered yet. Hooks come after the second step of
    /// the lifecycle, which ends `creating`.
    fn meet(&mut self, starting: &Starting) -> Result<()> {
        let Hooks { prestart, create_runtime, .. } = &self.bundle.spec.hooks;
        if let Some(process) = &self.process {
            net_devices::give(&self.bundle.spec.linux.net_devices, self.pid(), process.as_fd())?;
        }
        self.hooked = true;
        // A hook may ask for the state.
        self.record.write(self.folder.fd())?;
        let state = State::new(&self.record, Status::Created, self.pid()).json();
        let place = HookPlace {
            directory: Some(&self.bundle.path),
            // Whoever deletes it by force ends them with it.
            with: self.process.as_ref().map(AsFd::as_fd),
        };
        for (kind, hooks) in [("prestart", prestart), ("createRuntime", create_runtime)] {
            engine::run_hooks(hooks, state.as_bytes(), place)
                .map_err(|why| Failure::new(format!("error running {kind} hook {why}")))?;
        }
        // Of hooks in the container: as it sees itself.
        let inside = State::new(&self.record, Status::Created, inner_pid(self.pid()));
        engine::send_go(starting.report.as_fd(), inside.json().as_bytes()).map_err(at("the container"))
    }

    fn undo(mut self, store: &Store) {
        if let Some(process) = self.process.take() {
            let _ = pidfd::send_signal(process.as_fd(), libc::SIGKILL);
            // Ours to reap, and everybody of its namespace goes with it.
            let _ = wait::wait_for(process.as_fd());
        }
        self.sockets.take_back();
        if !self.hooked {
            self.record.poststop.clear();
        }
        let container =
            Container { folder: self.folder, record: self.record, status: Status::Stopped, process: None };
        if let Err(failure) = delete::destroy(store, &container, self.log) {
            self.log.warning(&failure.line());
        }
    }
}

/// The number of a process in its own namespace, the last of NSpid (proc_pid_status(5)).
pub(crate) fn inner_pid(pid: i32) -> i32 {
    let status = proc::read(&format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    line.and_then(|numbers| numbers.split_whitespace().last()?.parse().ok()).unwrap_or(pid)
}

/// The specification that a container was made from.
///
/// # Errors
/// It cannot be read.
pub(crate) fn saved_spec(folder: &Folder) -> Result<Spec> {
    let text = directory::read(folder.fd(), bundle::CONFIG, bundle::LONGEST_CONFIG)
        .map_err(at(format_args!("the config.json of container {:?}", folder.id)))?;
    bundle::read(&text, bundle::CONFIG)
}
