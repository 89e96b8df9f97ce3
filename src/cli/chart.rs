//! `graph`, `boot --svg` and `blame`: who waits for whom, and who took how long.

use std::time::Duration;

use orlop::config::{Condition, Config, Dependency, read};
use orlop::control::{BootReply, Phase, Request, Rise, State};
use orlop::picture::{Bar, Edge, Graph, Mark, Node, Row, Timeline};

use super::arguments::GraphArguments;
use super::check;
use super::client::Client;
use super::failure::Failure;
use super::screen::Screen;
use super::table::{self, Cell};

/// `orlop graph` of a configuration.
pub(crate) fn graph_of_configuration(
    screen: &mut Screen<'_>,
    arguments: &GraphArguments,
) -> Result<(), Failure> {
    let reading = read(&check::sources(&arguments.paths)?);
    for found in &reading.diagnostics {
        writeln!(screen.err, "{found}\n")?;
    }
    show(screen, arguments, &declared(&reading.config))
}

/// `orlop graph` of what a machine runs.
pub(crate) fn graph_of_machine(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &GraphArguments,
) -> Result<(), Failure> {
    let boot: BootReply = client.call(&Request::Boot)?;
    show(screen, arguments, &running(&boot.containers))
}

fn show(screen: &mut Screen<'_>, arguments: &GraphArguments, graph: &Graph) -> Result<(), Failure> {
    let text = if arguments.dot { graph.dot() } else { graph.svg() };
    Ok(screen.out.write_all(text.as_bytes())?)
}

fn declared(config: &Config) -> Graph {
    let valid = config.containers.iter().map(|(name, container)| Node {
        name: name.clone(),
        word: String::new(),
        title: container.declared_at.clone(),
    });
    let invalid = config.invalid.iter().map(|(name, why)| Node {
        name: name.clone(),
        word: State::Invalid.as_str().into(),
        title: why.join("; "),
    });
    let edges = config.containers.iter().flat_map(|(from, container)| {
        container.depends_on.iter().map(|(to, edge)| Edge {
            from: from.clone(),
            to: to.clone(),
            label: label(condition(edge), edge.restart, edge.required),
        })
    });
    let title = String::from("what depends on what");
    Graph { title, nodes: valid.chain(invalid).collect(), edges: edges.collect() }
}

fn condition(edge: &Dependency) -> &'static str {
    match edge.condition {
        Condition::Started => "started",
        Condition::Healthy => "healthy",
        Condition::Completed => "completed",
    }
}

fn label(condition: &str, restart: bool, required: bool) -> String {
    let restart = if restart { ", restart" } else { "" };
    let required = if required { "" } else { ", not required" };
    format!("{condition}{restart}{required}")
}

fn running(containers: &[Rise]) -> Graph {
    let nodes = containers.iter().map(|rise| Node {
        name: rise.name.clone(),
        word: rise.state.as_str().into(),
        title: match &rise.cause {
            Some(cause) => format!("{} {}: {cause}", rise.name, rise.state.as_str()),
            None => format!("{} {}", rise.name, rise.state.as_str()),
        },
    });
    let edges = containers.iter().flat_map(|rise| {
        rise.depends_on.iter().map(|edge| Edge {
            from: rise.name.clone(),
            to: edge.name.clone(),
            label: label(&edge.condition, edge.restart, edge.required),
        })
    });
    let title = String::from("what depends on what, and how it is");
    Graph { title, nodes: nodes.collect(), edges: edges.collect() }
}

/// `orlop boot --svg`.
pub(crate) fn boot(client: &mut Client, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let boot: BootReply = client.call(&Request::Boot)?;
    Ok(screen.out.write_all(boot_chart(&boot).svg().as_bytes())?)
}

/// Phases first, then containers in the order in which they began to start. What still goes on is drawn to the end.
fn boot_chart(boot: &BootReply) -> Timeline {
    let phase_end = |phase: &Phase| phase.start_us.saturating_add(phase.duration_us.unwrap_or(0));
    let times = |rise: &Rise| [rise.starting_us, rise.running_us, rise.ready_us].into_iter().flatten().max();
    let last_phase = boot.phases.iter().map(phase_end).max().unwrap_or(0);
    // Who came up after it is none of the boot's business.
    let containers = || boot.containers.iter().filter(|_| !boot.complete).filter_map(times).max();
    let last = containers().unwrap_or(0).max(last_phase);
    // A little more, so that one sees what it came to.
    let end_us = last.saturating_add(last / 20).max(1);
    let mut containers: Vec<&Rise> = boot.containers.iter().collect();
    containers.sort_unstable_by_key(|rise| (rise.starting_us.unwrap_or(u64::MAX), &rise.name));
    let phases = boot.phases.iter().map(|phase| phase_row(phase, end_us));
    let rows = phases.chain(containers.into_iter().map(|rise| container_row(rise, end_us)));
    let title = match boot.complete {
        true => format!("boot complete after {}", seconds(last_phase)),
        false => String::from("the boot goes on"),
    };
    let mark = boot.complete.then(|| Mark { at_us: last_phase, title: title.clone() });
    Timeline { title, end_us, rows: rows.collect(), marks: mark.into_iter().collect() }
}

fn phase_row(phase: &Phase, end_us: u64) -> Row {
    let took = phase.duration_us;
    let until_us = took.map_or(end_us, |took| phase.start_us.saturating_add(took));
    let word = if phase.ok == Some(false) { "failed" } else { "phase" };
    let error = phase.error.as_ref().map_or(String::new(), |error| format!(": {error}"));
    let title = match took {
        Some(took) => format!("{} took {}{error}", phase.name, seconds(took)),
        None => format!("{} goes on", phase.name),
    };
    let bar = Bar { from_us: phase.start_us, until_us, word: word.into(), title };
    Row { name: phase.name.clone(), bars: vec![bar] }
}

/// Waiting, starting, running but not ready, and ready; what it never came to is not there.
fn container_row(rise: &Rise, end_us: u64) -> Row {
    let cause = rise.cause.as_ref().map_or(String::new(), |cause| format!(": {cause}"));
    let ends = [rise.starting_us, rise.running_us, rise.ready_us, None];
    let mut bars = Vec::new();
    let mut since = Some(rise.wanted_us);
    for (nth, word) in ["waiting", "starting", "running", "ready"].into_iter().enumerate() {
        let Some(from_us) = since else { break };
        since = ends.get(nth).copied().flatten();
        // A supervisor that died meanwhile may have left a gap in what is known.
        since = since.or_else(|| ends.iter().skip(nth).copied().flatten().next());
        if since.is_none() && rise.starting_us.is_none() && rise.next_us.is_some() {
            // It waits for its time, and for nothing else.
            break;
        }
        let until_us = since.unwrap_or(end_us).clamp(from_us, end_us.max(from_us));
        let lasted = seconds(until_us.saturating_sub(from_us));
        let cause = if since.is_none() { cause.as_str() } else { "" };
        let title = format!("{} {word} for {lasted}{cause}", rise.name);
        if until_us > from_us && from_us < end_us {
            bars.push(Bar { from_us, until_us, word: colour(rise, word, since).into(), title });
        }
    }
    Row { name: rise.name.clone(), bars }
}

/// Running is one colour less than ready; the last of one that is down is its state's.
fn colour(rise: &Rise, word: &'static str, since: Option<u64>) -> &'static str {
    match (word, rise.state, since) {
        (_, State::Running | State::Starting | State::Waiting | State::Stopping, _) | (_, _, Some(_)) => word,
        (_, state, None) => state.as_str(),
    }
}

fn seconds(us: u64) -> String {
    let time = Duration::from_micros(us);
    format!("{}.{:03} s", time.as_secs(), time.subsec_millis())
}

/// `orlop blame`.
pub(crate) fn blame(client: &mut Client, screen: &mut Screen<'_>) -> Result<(), Failure> {
    let boot: BootReply = client.call(&Request::Boot)?;
    if boot.containers.is_empty() {
        return screen.line("no containers are declared");
    }
    let mut containers: Vec<&Rise> = boot.containers.iter().collect();
    // Those that never came up took longest, but for those whose time has not come.
    let is_for_later = |rise: &Rise| up(rise).is_none() && rise.next_us.is_some();
    let took = |rise: &Rise| core::cmp::Reverse(up(rise).unwrap_or(u64::MAX));
    containers.sort_unstable_by_key(|rise| (is_for_later(rise), took(rise), &rise.name));
    let rows = containers.iter().map(|rise| row(rise, &boot.containers)).collect();
    table::show(screen, ["NAME", "UP AFTER", "WAITED", "STARTED IN", "READY IN", "WAITED FOR"], rows)
}

/// From wanted to running.
fn up(rise: &Rise) -> Option<u64> {
    rise.running_us.map(|running| running.saturating_sub(rise.wanted_us))
}

fn row(rise: &Rise, all: &[Rise]) -> [Cell; 6] {
    let between = |from: Option<u64>, to: Option<u64>| Some(seconds(to?.saturating_sub(from?)));
    let cell = |text: Option<String>| Cell::maybe(text.as_deref());
    let why = match (rise.starting_us, &rise.cause) {
        (None, _) if rise.next_us.is_some() => String::from("its time"),
        (None, Some(cause)) if rise.running_us.is_none() => cause.clone(),
        (None | Some(_), _) => chain(rise, all),
    };
    [
        Cell::plain(&rise.name),
        cell(up(rise).map(seconds)),
        cell(between(Some(rise.wanted_us), rise.starting_us)),
        cell(between(rise.starting_us, rise.running_us)),
        cell(between(rise.running_us, rise.ready_us)),
        Cell::plain(&why),
    ]
}

/// What came last of what it waited for, what that waited for, and so on: `db (0.300 s), net (0.100 s)`, each with
/// its time from wanted to ready.
fn chain(rise: &Rise, all: &[Rise]) -> String {
    let mut links = Vec::new();
    let mut next = last_awaited(rise, all);
    while let Some(link) = next {
        // A circle cannot come up, but a machine of another release may say anything.
        if links.len() >= all.len() {
            break;
        }
        let took = there(link).map(|at| seconds(at.saturating_sub(link.wanted_us))).unwrap_or_default();
        links.push(format!("{} ({took})", link.name));
        next = last_awaited(link, all);
    }
    links.join(", ")
}

/// When a dependent may have been let go by it.
fn there(rise: &Rise) -> Option<u64> {
    rise.ready_us.or(rise.running_us)
}

/// The dependency that was there last, of those that were there before it started.
fn last_awaited<'a>(rise: &Rise, all: &'a [Rise]) -> Option<&'a Rise> {
    let started = rise.starting_us?;
    let awaited = rise.depends_on.iter().filter_map(|edge| all.iter().find(|it| it.name == edge.name));
    let before = awaited.filter(|it| there(it).is_some_and(|at| at <= started));
    before.max_by_key(|it| (there(it), &it.name))
}
