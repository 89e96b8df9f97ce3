//! `exec`: another process in a running container.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};

use orlop::container::spec::{Capabilities, Process, Spec};
use orlop::container::{Names, last_of_each, plan_exec};

use super::World;
use super::arguments::ExecArguments;
use super::attend::{self, Attendant};
use super::bundle::LONGEST_CONFIG;
use super::cgroup;
use super::container::{Container, Status};
use super::create::{has_user_namespace, saved_spec};
use super::failure::{Failure, Result, at, io_at};
use super::granted;
use super::handed::Sockets;
use super::log::Log;
use super::reports::Reports;
use super::start::{NotBegun, end, until_it_runs};
use super::store::Store;
use crate::engine::{self, Environment, Further, Gate, Job, Report, Starting, Work};
use crate::linux::clone::Parent;
use crate::linux::wait;

/// The exit code of the process, or 0 for one that is left alone.
///
/// # Errors
/// It does not come to run.
pub(crate) fn exec(world: &World<'_>, asked: &ExecArguments) -> Result<i32> {
    let container = Container::find(Store::open(&world.place)?.as_ref(), &asked.id)?;
    let target = container.living().map_err(|_| match container.status {
        Status::Stopped => Failure::new("cannot exec in a stopped container"),
        status => Failure::new(format!("cannot exec in a container in the {} state", status.name())),
    })?;
    if container.status == Status::Paused && !asked.ignore_paused {
        return Err(Failure::new("cannot exec in a paused container (use --ignore-paused to override)"));
    }
    let spec = saved_spec(&container.folder)?;
    let process = process(&spec, asked, world.log)?;
    let sockets = Sockets::connect(&asked.handed)?;
    if sockets.wants_terminal() != (process.terminal && asked.detach) {
        return Err(Failure::new(if sockets.wants_terminal() {
            "--console-socket: there is no terminal that somebody else could hold"
        } else {
            "process.terminal: nobody would hold the terminal without --console-socket"
        }));
    }
    let plan = plan_exec(&spec, &process, &Names::default());
    let plan = plan.map_err(|refused| Failure::new(refused.to_string()))?;
    let environment =
        Environment { base: last_of_each(&process.env).into(), files: Cow::Borrowed(&[]), over: &[] };
    let job = Job {
        stdio: super::stdio()?,
        further: Further::Inherited(world.preserved.others),
        cgroup: entrance(&container, &asked.cgroup)?,
        parent: Parent::Caller,
        gate: Gate::Report,
        joins: Some(target.try_clone().map_err(super::failure::io_at("the container's process"))?),
    };
    let work = Work { plan: Cow::Borrowed(&plan), environment };
    let starting = engine::start(job, || Ok(work)).map_err(at("clone"))?;
    let mut made = Made::default();
    let begun = made.begin(&starting, &sockets, &container, || Ok(spec), asked.detach);
    match (begun, made.process, made.attendant) {
        (Ok(()), Some((pid, process)), Some(attendant)) => attendant.attend(pid, &process, made.terminal),
        (Ok(()), ..) => Ok(super::DONE),
        (Err(not_begun), process, _) => {
            sockets.take_back();
            if let Some((_, process)) = process {
                end(&process);
                let _ = wait::reap_one(process.as_fd());
            }
            Err(not_begun.into_failure())
        }
    }
}

#[derive(Default)]
struct Made {
    process: Option<(i32, OwnedFd)>,
    terminal: Option<OwnedFd>,
    attendant: Option<Attendant>,
}

impl Made {
    fn begin(
        &mut self,
        starting: &Starting,
        sockets: &Sockets,
        container: &Container,
        spec: impl FnOnce() -> Result<Spec>,
        detach: bool,
    ) -> core::result::Result<(), NotBegun> {
        let mut spec = Some(spec);
        let mut reports = Reports::of(starting);
        loop {
            match reports.next()? {
                Report::Container { pid, pidfd } => self.process = Some((pid, pidfd)),
                Report::Terminal(terminal) if sockets.wants_terminal() => {
                    sockets.send_terminal(terminal.as_fd())?;
                }
                Report::Terminal(terminal) => self.terminal = Some(attend::ours(terminal)),
                Report::Listener(listener) => {
                    let (Some(spec), Some((pid, _))) = (spec.take(), &self.process) else { continue };
                    let state =
                        super::inspect::State::new(&container.record, container.status, container.pid());
                    super::seccomp_agent::tell(&spec()?, &state, *pid, listener.as_fd())?;
                }
                Report::Ready => break,
                Report::Meets => {}
                Report::Failed(failure) => return Err(Failure::of_start(&failure).into()),
                Report::Closed => {
                    return Err(Failure::new("the process ended while it was being made").into());
                }
            }
        }
        let Some((pid, process)) = &self.process else {
            return Err(Failure::new("the process was ready before it was there").into());
        };
        sockets.send_process(*pid, process.as_fd())?;
        // Not before: until there is somebody to pass them on to, signals are for us.
        if !detach {
            self.attendant = Some(Attendant::new()?);
        }
        starting.go().map_err(at("the process"))?;
        let spec = || match spec.take() {
            Some(spec) => spec(),
            None => Err(Failure::new("the filter asks twice who listens")),
        };
        until_it_runs(starting.report.as_fd(), &container.record, (*pid, process), spec)
    }
}

/// Where the process goes: the container's cgroup, or one that is named below it.
fn entrance(container: &Container, below: &[String]) -> Result<Option<OwnedFd>> {
    let named = match below {
        [] => None,
        [path] if !path.contains(':') => Some(path.as_str()),
        _ => return Err(Failure::new("--cgroup: cgroup v2 has one path, without controllers")),
    };
    let Some(found) = &container.record.cgroup else {
        return match named {
            None => Ok(None),
            Some(_) => container.cgroup().map(|_| None),
        };
    };
    let main = match named {
        Some(path) => cgroup::open(&format!("{}/{path}", found.path)),
        None => cgroup::entrance(&found.path, container.pid()),
    };
    let main = main.map_err(at(format_args!("cgroup {} {}", found.path, named.unwrap_or_default())))?;
    Ok(Some(main))
}

/// What is run, without what nobody can give it.
fn process(spec: &Spec, asked: &ExecArguments, log: &Log) -> Result<Process> {
    let mapped = has_user_namespace(spec)?;
    if let Some(path) = &asked.process {
        let mut process = read(path)?;
        granted::reduce(&mut process, mapped, log);
        return Ok(process);
    }
    let mut spec = spec.clone();
    if let Some(process) = &mut spec.process {
        granted::reduce(process, mapped, log);
    }
    // A person who names one wants that one.
    changed(&spec, asked)
}

/// A whole process, as in config.json.
fn read(path: &std::path::Path) -> Result<Process> {
    let name = path.display();
    // A pipe too.
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST_CONFIG as u64).read_to_end(&mut bytes));
    read.map_err(io_at(&name))?;
    serde_json::from_slice(&bytes).map_err(|error| Failure::new(format!("{name}: {error}")))
}

/// The container's process with what was said on the command line.
fn changed(spec: &Spec, asked: &ExecArguments) -> Result<Process> {
    let none = || Process { cwd: String::from("/"), ..Process::default() };
    let mut process = spec.process.clone().unwrap_or_else(none);
    if asked.command.is_empty() {
        return Err(Failure::new("exec args cannot be empty"));
    }
    process.args.clone_from(&asked.command);
    process.terminal = asked.tty;
    process.env.extend(asked.env.iter().cloned());
    process.no_new_privileges = asked.no_new_privs.unwrap_or(process.no_new_privileges);
    if let Some(cwd) = &asked.cwd {
        process.cwd.clone_from(cwd);
    }
    if let Some((uid, gid)) = asked.user {
        process.user.uid = uid;
        process.user.gid = gid.unwrap_or(process.user.gid);
    }
    process.user.additional_gids.extend(&asked.additional_gids);
    if asked.apparmor.is_some() {
        process.apparmor_profile.clone_from(&asked.apparmor);
    }
    if asked.process_label.is_some() {
        process.selinux_label.clone_from(&asked.process_label);
    }
    if !asked.cap.is_empty() {
        give(process.capabilities.get_or_insert_default(), &asked.cap);
    }
    Ok(process)
}

/// In the sets that count now, and in the ambient one where it could be inherited.
fn give(sets: &mut Capabilities, more: &[String]) {
    for name in more {
        if sets.inheritable.contains(name) {
            sets.ambient.push(name.clone());
        }
        for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
            set.push(name.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::arguments::Command;
    use super::super::parse::parse;
    use super::*;

    fn read_line(line: &str) -> ExecArguments {
        let words = std::iter::once("orlop").chain(line.split(' ')).map(std::ffi::OsString::from).collect();
        match parse(words).unwrap().command {
            Some(Command::Exec(asked)) => asked,
            other => panic!("{other:?}"),
        }
    }

    fn spec() -> Spec {
        let text = r#"{"ociVersion": "1.0.0", "process": {"terminal": true, "cwd": "/", "args": ["init"],
            "env": ["A=1"], "noNewPrivileges": true, "user": {"uid": 1, "gid": 2},
            "capabilities": {"bounding": ["CAP_KILL"], "inheritable": ["CAP_CHOWN"]}}}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_was_said_goes_over_what_the_container_has() {
        let line =
            "exec --cwd /tmp -e B=2 --env C=3 -u 7:8 -g 9 --no-new-privs=false -c CAP_CHOWN web ls -l -e x";
        let process = changed(&spec(), &read_line(line)).unwrap();
        assert_eq!(process.args, ["ls", "-l", "-e", "x"]);
        assert_eq!(process.env, ["A=1", "B=2", "C=3"]);
        assert_eq!(process.cwd, "/tmp");
        assert_eq!((process.user.uid, process.user.gid), (7, 8));
        assert_eq!(process.user.additional_gids, [9]);
        assert!(!process.terminal && !process.no_new_privileges);
        let sets = process.capabilities.unwrap();
        assert_eq!(sets.bounding, ["CAP_KILL", "CAP_CHOWN"]);
        assert_eq!((sets.effective, sets.ambient), (vec!["CAP_CHOWN".into()], vec!["CAP_CHOWN".into()]));
    }

    #[test]
    fn what_was_not_said_stays_and_a_terminal_is_asked_for() {
        let process = changed(&spec(), &read_line("exec web -t sh")).unwrap();
        assert!(process.terminal && process.no_new_privileges);
        assert_eq!((process.user.uid, process.user.gid, process.cwd.as_str()), (1, 2, "/"));
        assert!(changed(&spec(), &read_line("exec web")).is_err());
    }
}
