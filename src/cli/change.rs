//! `start`, `stop`, `restart`, `replace`, `kill`: asks for a change, then watches until it has come about.

use std::time::{Duration, Instant};

use orlop::config::signal;
use orlop::control::{Container, Empty, ListReply, NextStep, Request, State, Wanted, WhyReply};

use super::arguments::{ChangeArguments, KillArguments};
use super::client::Client;
use super::failure::{self, Failure};
use super::names;
use super::screen::{Screen, printable};

/// Between two looks: quick enough for a person, and a thousandth of a processor for the machine.
const PAUSE: Duration = Duration::from_millis(100);

/// A supervisor that is replaced, or has crashed, is back within a second on a slow machine; after
/// ten the machine is gone.
const ABSENCE: Duration = Duration::from_secs(10);

/// What is to become of the containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Up,
    Down,
    Again,
    /// Up, beside what is left of it.
    Beside,
}

/// What a look at a container says about the wish.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    NotYet,
    Reached,
    /// It will not come about by itself, and why.
    Missed(String),
}

/// Asks for all of them first, so that they change at the same time, then watches.
pub(crate) fn change(
    client: &mut Client,
    screen: &mut Screen<'_>,
    wish: Wish,
    arguments: &ChangeArguments,
) -> Result<(), Failure> {
    let before = if wish == Wish::Again { list(client)? } else { Vec::new() };
    let mut asked = Vec::new();
    let mut failures = names::each(client, &arguments.names, |client, name| {
        let name = name.to_owned();
        let request = match wish {
            Wish::Up => Request::Start { name: name.clone() },
            Wish::Down => Request::Stop { name: name.clone() },
            Wish::Again => Request::Restart { name: name.clone() },
            Wish::Beside => Request::Replace { name: name.clone() },
        };
        let Empty {} = client.call(&request)?;
        let started = find(&before, &name).and_then(|container| container.started_at.clone());
        asked.push((name, started));
        Ok(())
    })?;
    if !arguments.no_wait && !asked.is_empty() {
        failures.extend(watch(client, screen, (wish, &before), asked, arguments.timeout)?);
    }
    failure::all(failures)
}

/// Looks until nothing is left to wait for. `asked`: names, and when each was started before.
fn watch(
    client: &mut Client,
    screen: &mut Screen<'_>,
    (wish, before): (Wish, &[Container]),
    mut asked: Vec<(String, Option<String>)>,
    timeout: Duration,
) -> Result<Vec<Failure>, Failure> {
    let begin = Instant::now();
    let mut heard = begin;
    let mut failures = Vec::new();
    loop {
        let found = match list(client) {
            Ok(found) => found,
            Err(Failure::Disconnected(_)) if heard.elapsed() < ABSENCE => {
                client.pause(PAUSE);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        heard = Instant::now();
        let mut waiting = Vec::new();
        for (name, started) in asked {
            let Some(container) = find(&found, &name) else {
                // A group is those that are in it.
                let members = found.iter().filter(|it| it.group.as_ref() == Some(&name));
                let started = |name: &str| find(before, name).and_then(|it| it.started_at.clone());
                let members: Vec<&Container> = members.collect();
                if !members.is_empty() {
                    let jobs = if wish == Wish::Down { Vec::new() } else { jobs(client, &members) };
                    let meant = members.iter().filter(|it| !jobs.contains(&it.name));
                    waiting.extend(meant.map(|it| (it.name.clone(), started(&it.name))));
                    continue;
                }
                failures.push(Failure::Failed(format!("container `{name}` is not declared any more")));
                continue;
            };
            match judge(wish, started.as_deref(), container) {
                Verdict::NotYet => waiting.push((name, started)),
                Verdict::Reached => screen.line(&reached(container))?,
                Verdict::Missed(why) => failures.push(Failure::Failed(why)),
            }
        }
        asked = waiting;
        if asked.is_empty() {
            return Ok(failures);
        }
        if begin.elapsed() >= timeout {
            failures.extend(asked.iter().filter_map(|(name, _)| late(&found, name, timeout)));
            return Ok(failures);
        }
        client.pause(PAUSE);
    }
}

/// Of a group those that wait for the end of the machine: they do not come up with it.
fn jobs(client: &mut Client, members: &[&Container]) -> Vec<String> {
    let waits = members.iter().filter(|it| it.state == State::Waiting).map(|it| it.name.clone());
    let mut is_job = |name: &String| {
        let standing: Result<WhyReply, Failure> = client.call(&Request::Why { name: name.clone() });
        standing.is_ok_and(|why| why.standings.first().is_some_and(|it| it.next == NextStep::Shutdown))
    };
    waits.filter(|name| is_job(name)).collect()
}

fn judge(wish: Wish, started_before: Option<&str>, container: &Container) -> Verdict {
    let name = &container.name;
    let cause = container.cause.as_ref().map_or("", |cause| &cause.text);
    let because = |what: &str| {
        let colon = if cause.is_empty() { "" } else { ": " };
        Verdict::Missed(printable(&format!("container `{name}` {what}{colon}{cause}")))
    };
    let is_old = wish == Wish::Again && container.started_at.as_deref() == started_before;
    match (wish, container.wanted) {
        (Wish::Down, Wanted::Up) => return because("was started again meanwhile"),
        (Wish::Up | Wish::Again | Wish::Beside, Wanted::Down) => return because("was stopped meanwhile"),
        (Wish::Down, Wanted::Down) | (Wish::Up | Wish::Again | Wish::Beside, Wanted::Up) => {}
    }
    match (wish, container.state) {
        (_, State::Stuck) => because("is killed, and still has processes"),
        (Wish::Down, State::Exited | State::Failed | State::Invalid) => Verdict::Reached,
        (
            Wish::Down,
            State::Waiting | State::Starting | State::Running | State::Stopping | State::Backoff,
        ) => Verdict::NotYet,
        (Wish::Up | Wish::Again | Wish::Beside, State::Running | State::Exited) if is_old => Verdict::NotYet,
        // One that has nothing more to do has done it.
        (Wish::Up | Wish::Again | Wish::Beside, State::Running | State::Exited) => Verdict::Reached,
        (Wish::Up | Wish::Again | Wish::Beside, State::Waiting | State::Starting | State::Stopping) => {
            Verdict::NotYet
        }
        (Wish::Up | Wish::Again | Wish::Beside, State::Backoff) => {
            because("does not stay up, and will be tried again")
        }
        (Wish::Up | Wish::Again | Wish::Beside, State::Failed) => because("has failed"),
        (Wish::Up | Wish::Again | Wish::Beside, State::Invalid) => because("is invalid"),
    }
}

fn reached(container: &Container) -> String {
    let pid = container.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    printable(&format!("{}: {}{pid}", container.name, container.state.as_str()))
}

fn late(found: &[Container], name: &str, timeout: Duration) -> Option<Failure> {
    let container = find(found, name)?;
    let cause = container.cause.as_ref().map(|cause| format!(": {}", cause.text)).unwrap_or_default();
    let text = format!(
        "container `{name}` is still {} after {} s{cause}",
        container.state.as_str(),
        timeout.as_secs()
    );
    Some(Failure::Failed(printable(&text)))
}

fn list(client: &mut Client) -> Result<Vec<Container>, Failure> {
    Ok(client.call::<ListReply>(&Request::List)?.containers)
}

fn find<'a>(containers: &'a [Container], name: &str) -> Option<&'a Container> {
    containers.iter().find(|container| container.name == name)
}

/// `orlop kill`: nothing to wait for, a signal may change nothing.
pub(crate) fn kill(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &KillArguments,
) -> Result<(), Failure> {
    let failures = names::each(client, &arguments.names, |client, name| {
        let request = Request::Kill { name: name.to_owned(), signal: arguments.signal };
        let Empty {} = client.call(&request)?;
        screen.line(&format!("{name}: {} sent", signal::name(arguments.signal)))
    })?;
    failure::all(failures)
}

#[cfg(test)]
#[path = "change_test.rs"]
mod tests;
