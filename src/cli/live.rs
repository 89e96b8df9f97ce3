//! `pause`, `resume NAME`, `update`: changes to containers that go on running.

use orlop::control::{Empty, Request};

use super::arguments::UpdateArguments;
use super::client::Client;
use super::failure::{self, Failure};
use super::screen::{Screen, printable};

pub(crate) fn pause(client: &mut Client, screen: &mut Screen<'_>, names: &[String]) -> Result<(), Failure> {
    each(client, screen, names, |name| Request::Pause { name }, "paused")
}

pub(crate) fn unpause(client: &mut Client, screen: &mut Screen<'_>, names: &[String]) -> Result<(), Failure> {
    each(client, screen, names, |name| Request::Unpause { name }, "goes on")
}

fn each(
    client: &mut Client,
    screen: &mut Screen<'_>,
    names: &[String],
    request: fn(String) -> Request,
    done: &str,
) -> Result<(), Failure> {
    let mut failures = Vec::new();
    for name in names {
        match client.call::<Empty>(&request(name.clone())) {
            Ok(Empty {}) => screen.line(&printable(&format!("{name}: {done}")))?,
            Err(failure) => failures.push(failure),
        }
    }
    failure::all(failures)
}

pub(crate) fn update(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &UpdateArguments,
) -> Result<(), Failure> {
    let limits = arguments.limits.iter().cloned().collect();
    let Empty {} = client.call(&Request::Update { name: arguments.name.clone(), limits })?;
    let pairs: Vec<String> = arguments.limits.iter().map(|(key, value)| format!("{key}={value}")).collect();
    screen.line(&printable(&format!("{}: {} until the next start", arguments.name, pairs.join(" "))))
}
