//! `ps` and `status`: what the containers do.

use std::time::Duration;

use orlop::control::{Container, Health, ListReply, Request, State, StatusReply};
use serde_json::Value;

use super::arguments::StatusArguments;
use super::client::{Client, understand};
use super::failure::{self, Failure};
use super::names;
use super::screen::{Screen, Tone, printable};
use super::table::{self, Cell};
use super::units;

/// `orlop ps`. JSON is the machine's own list, words of later versions included.
pub(crate) fn ps(client: &mut Client, screen: &mut Screen<'_>, json: bool) -> Result<(), Failure> {
    let mut answer = client.ask(&Request::List)?;
    if json {
        return screen.json(&answer.get_mut("containers").map(Value::take));
    }
    let list: ListReply = understand(answer)?;
    if list.containers.is_empty() {
        return screen.line("no containers are declared");
    }
    let rows = list.containers.iter().map(row).collect();
    table::show(screen, ["NAME", "STATE", "READY", "RESTARTS", "UPTIME", "IMAGE", "CAUSE"], rows)
}

fn row(container: &Container) -> [Cell; 7] {
    let uptime = container.uptime_ms.map(|uptime| units::duration(Duration::from_millis(uptime)));
    let cause = container.cause.as_ref().map_or("", |cause| &cause.text);
    let ready = if container.ready { "yes" } else { "no" };
    [
        Cell::plain(&container.name),
        Cell::new(tone(container), &state(container)),
        Cell::plain(ready),
        Cell::plain(&container.restarts.to_string()),
        Cell::maybe(uptime.as_deref()),
        Cell::maybe(container.image.as_deref()),
        Cell::plain(cause),
    ]
}

/// With what the health check says, if there is one; one that stands still is neither well nor ill.
pub(crate) fn state(container: &Container) -> String {
    let state = container.state.as_str();
    match container.health {
        _ if container.paused => format!("{state} (paused)"),
        Health::None => state.to_owned(),
        health => format!("{state} ({})", health.as_str()),
    }
}

pub(crate) fn tone(container: &Container) -> Tone {
    match container.state {
        State::Running if container.paused => Tone::Busy,
        State::Running if container.health == Health::Unhealthy => Tone::Bad,
        State::Running => Tone::Good,
        State::Waiting | State::Starting | State::Stopping => Tone::Busy,
        State::Backoff | State::Failed | State::Stuck | State::Invalid => Tone::Bad,
        State::Exited => Tone::Quiet,
    }
}

/// `orlop status`. JSON is one object: the fields of `Container` and those of `Details`.
pub(crate) fn status(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &StatusArguments,
) -> Result<(), Failure> {
    let names = core::slice::from_ref(&arguments.name);
    failure::all(names::each(client, names, |client, name| one(client, screen, arguments, name))?)
}

fn one(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &StatusArguments,
    name: &str,
) -> Result<(), Failure> {
    let answer = client.ask(&Request::Status { name: name.to_owned() })?;
    if arguments.json.json {
        return screen.json(&flat(answer));
    }
    let status: StatusReply = understand(answer)?;
    let container = &status.container;
    let title = screen.colours.paint(Tone::Strong, &printable(&container.name));
    let state = screen.colours.paint(tone(container), &state(container));
    screen.line(&format!("{title}: {state}"))?;
    for (name, value) in facts(&status) {
        screen.line(&format!("  {name:<12}{}", printable(&value)))?;
    }
    Ok(())
}

fn flat(mut answer: Value) -> Value {
    let mut all = serde_json::Map::new();
    for part in ["container", "details"] {
        if let Some(Value::Object(fields)) = answer.get_mut(part).map(Value::take) {
            all.extend(fields);
        }
    }
    Value::Object(all)
}

/// Names and values, those left out that say nothing.
fn facts(status: &StatusReply) -> Vec<(&'static str, String)> {
    let StatusReply { container, details } = status;
    let text = |text: &Option<String>| text.clone();
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let list = |list: &[String], between: &str| (!list.is_empty()).then(|| list.join(between));
    let labels: Vec<String> = details.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let uptime = container.uptime_ms.map(|uptime| units::duration(Duration::from_millis(uptime)));
    let cpu = details.cpu_us.map(|cpu| units::duration(Duration::from_micros(cpu)));
    let ready = if container.ready { "yes" } else { "no" };
    let health = (container.health != Health::None).then(|| match &details.health_report {
        Some(report) => format!("{}, last failure: {report}", container.health.as_str()),
        None => container.health.as_str().to_owned(),
    });
    let facts = [
        ("wanted", Some(container.wanted.as_str().to_owned())),
        ("ready", Some(ready.to_owned())),
        ("health", health),
        ("says", text(&details.says)),
        ("cause", container.cause.as_ref().map(|cause| cause.text.clone())),
        ("problems", list(&details.problems, "; ")),
        ("waits for", list(&details.waits_for, ", ")),
        ("next start", text(&container.next_start)),
        ("pid", number(container.pid.map(u64::from))),
        ("uptime", uptime),
        ("started", text(&container.started_at)),
        ("restarts", Some(container.restarts.to_string())),
        ("exit code", container.exit_code.map(|code| code.to_string())),
        ("memory", memory(status)),
        ("cpu time", cpu),
        ("processes", number(details.processes)),
        ("image", text(&container.image)),
        ("command", list(&details.command, " ")),
        ("labels", list(&labels, ", ")),
        ("depends on", list(&details.depends_on, ", ")),
        ("declared", text(&details.declared_at)),
    ];
    facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn memory(status: &StatusReply) -> Option<String> {
    let details = &status.details;
    let mut text = units::bytes(details.memory_bytes?);
    if let Some(limit) = details.memory_limit_bytes {
        text += &format!(" of {}", units::bytes(limit));
    }
    if let Some(peak) = details.memory_peak_bytes {
        text += &format!(", {} at its peak", units::bytes(peak));
    }
    Some(text)
}
