//! `pause`, `resume NAME`, `update`: changes to containers that go on running.

use std::collections::BTreeMap;

use orlop::control::{Empty, Request};
use orlop::ordered::Ordered;

use super::arguments::UpdateArguments;
use super::client::Client;
use super::failure::{self, Failure};
use super::names;
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
    let failures = names::each(client, names, |client, name| {
        let Empty {} = client.call(&request(name.to_owned()))?;
        screen.line(&printable(&format!("{name}: {done}")))
    })?;
    failure::all(failures)
}

pub(crate) fn update(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &UpdateArguments,
) -> Result<(), Failure> {
    let limits: BTreeMap<String, String> = arguments.limits.iter().cloned().ordered();
    let pairs: Vec<String> = arguments.limits.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let failures = names::each(client, core::slice::from_ref(&arguments.name), |client, name| {
        let Empty {} = client.call(&Request::Update { name: name.to_owned(), limits: limits.clone() })?;
        screen.line(&printable(&format!("{name}: {} until the next start", pairs.join(" "))))
    })?;
    failure::all(failures)
}
