//! `orlop simulate`: what would happen to a configuration, without a machine.
//!
//! The library plays it; here it is told, line by line, as JSON, and as a picture.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::time::Duration;

use orlop::config::{Severity, read};
use orlop::picture::{Bar, Mark, Row, Timeline};
use orlop::simulation::{Connect, Fail, Fate, Happening, Is, MOST_NEWS, News, Run, Scenario, Turn, simulate};
use serde_json::{Value, json};

use super::WRONG_USAGE;
use super::arguments::SimulateArguments;
use super::check;
use super::failure::{self, Failure};
use super::screen::{Screen, Tone, printable};
use super::table::{self, Cell};

pub(crate) fn run(screen: &mut Screen<'_>, arguments: &SimulateArguments) -> Result<(), Failure> {
    let reading = read(&check::sources(&arguments.paths)?);
    let config = &reading.config;
    for found in reading.diagnostics.iter().filter(|found| found.severity == Severity::Error) {
        writeln!(screen.err, "{found}\n")?;
    }
    let end = arguments.time;
    let fails = each("--fail", &arguments.fails, end, |text| Fail::parse(text, config), Fail::at)?;
    let connects =
        each("--connect", &arguments.connects, end, |text| Connect::parse(text, config), |it| Some(it.at))?;
    let turns = each("--gate", &arguments.gates, end, |text| Turn::parse(text, config), |it| Some(it.at))?;
    if arguments.shutdown.is_some_and(|at| at > end) {
        return Err(wrong(format!("--shutdown: {TOO_LATE}")));
    }
    let scenario = Scenario {
        config,
        fails: &fails,
        connects: &connects,
        turns: &turns,
        seed: arguments.seed,
        time: arguments.time,
        at_boot: arguments.at_boot,
        shutdown: arguments.shutdown,
    };
    let run = simulate(&scenario);
    if let Some(file) = &arguments.svg {
        draw(file, &run)?;
    }
    if arguments.json {
        screen.json(&as_json(&run, arguments.seed))?;
    } else {
        tell(screen, &run)?;
    }
    match &run.breach {
        None => Ok(()),
        Some(breach) => {
            let text = format!("this is a mistake of Orlop itself, with --seed {}: {breach}", arguments.seed);
            Err(Failure::Failed(text))
        }
    }
}

const TOO_LATE: &str = "the simulation is over by then; --for says how long it is";

/// All that was said with one option, in its order.
fn each<T, E: Display>(
    option: &str,
    texts: &[String],
    end: Duration,
    parse: impl Fn(&str) -> Result<T, E>,
    at: impl Fn(&T) -> Option<Duration>,
) -> Result<Vec<T>, Failure> {
    let one = |text: &String| {
        let said = parse(text).map_err(|bad| wrong(format!("{option} {bad}")))?;
        if at(&said).is_some_and(|at| at > end) {
            return Err(wrong(format!("{option} `{text}`: {TOO_LATE}")));
        }
        Ok(said)
    };
    texts.iter().map(one).collect()
}

fn wrong(line: String) -> Failure {
    Failure::Coded { code: WRONG_USAGE, line: Some(line) }
}

fn draw(file: &Path, run: &Run) -> Result<(), Failure> {
    fs::write(file, timeline(run).svg()).map_err(|error| {
        Failure::Failed(format!("cannot write {}: {}", file.display(), failure::why(&error)))
    })
}

fn tell(screen: &mut Screen<'_>, run: &Run) -> Result<(), Failure> {
    let rows = run.news.iter().map(row).collect();
    table::show(screen, ["TIME", "CONTAINER", "CHANGE", "CAUSE"], rows)?;
    screen.line("")?;
    if run.cut {
        let text = format!("cut off after {}: {MOST_NEWS} lines are enough", time(run.end));
        screen.line(&screen.colours.paint(Tone::Bad, &text))?;
    }
    let rows = run.fates.iter().map(fate).collect();
    table::show(screen, ["NAME", "STATE", "CAME UP", "RESTARTS", "CAUSE"], rows)?;
    let down: Vec<&Fate> = run.fates.iter().filter(|it| it.came_up.is_none()).collect();
    let (later, down): (Vec<&Fate>, Vec<&Fate>) = down.into_iter().partition(|it| it.is_for_later());
    let (unasked, never): (Vec<&Fate>, Vec<&Fate>) =
        down.into_iter().partition(|it| it.is_for_who_connects());
    let names = |fates: &[&Fate]| {
        let names: Vec<&str> = fates.iter().map(|it| it.status.name.as_str()).collect();
        names.join(", ")
    };
    let text = match (never.is_empty(), run.fates.len() == later.len() + unasked.len()) {
        (_, true) if run.fates.is_empty() => String::from("no containers are declared"),
        (_, true) => String::from("nothing came up"),
        (true, false) => String::from("all came up"),
        (false, false) => format!("never came up: {}", names(&never)),
    };
    let tone = if never.is_empty() { Tone::Good } else { Tone::Bad };
    screen.line(&screen.colours.paint(tone, &printable(&text)))?;
    if !later.is_empty() {
        screen.line(&printable(&format!("wait for their time: {}", names(&later))))?;
    }
    if !unasked.is_empty() {
        screen.line(&printable(&format!("wait for a connection: {}", names(&unasked))))?;
    }
    for fate in run.fates.iter().filter(|it| it.queue > 0) {
        let text = format!("still wait at sockets of {}: {}", fate.status.name, fate.queue);
        screen.line(&screen.colours.paint(Tone::Bad, &printable(&text)))?;
    }
    Ok(())
}

/// Seconds since boot, to the millisecond.
fn time(at: Duration) -> String {
    format!("{}.{:03}", at.as_secs(), at.subsec_millis())
}

fn row(news: &News) -> [Cell; 4] {
    let at = Cell::plain(&format!("{:>9}", time(news.at)));
    match &news.what {
        Happening::Changed { name, from, to, cause } => {
            let change = format!("{} -> {}", from.word(), to.word());
            let cause = cause.as_ref().map_or("", |cause| &cause.text);
            [at, Cell::plain(name), Cell::new(tone(to.word()), &change), Cell::plain(cause)]
        }
        Happening::Noted { name, note, report } => {
            let tone = if matches!(*note, "not ready" | "unhealthy") { Tone::Bad } else { Tone::Good };
            let report = report.as_deref().unwrap_or_default();
            [at, Cell::plain(name), Cell::new(tone, note), Cell::plain(report)]
        }
        Happening::Missed { name, fail } => {
            let text = format!("nothing of it runs, so that {fail} changes nothing");
            [at, Cell::plain(name), Cell::new(Tone::Quiet, "-"), Cell::plain(&text)]
        }
        Happening::Gate { gate, is } => {
            let (tone, text) = (if *is == Is::Open { Tone::Good } else { Tone::Bad }, gate.to_string());
            [at, Cell::new(Tone::Quiet, "-"), Cell::new(tone, gate_words(*is)), Cell::plain(&text)]
        }
        Happening::Connected { name, socket, taken } => {
            let what = if *taken { "is taken" } else { "waits there" };
            let text = format!("somebody connects to {socket}, and {what}");
            [at, Cell::plain(name), Cell::new(Tone::Busy, "connection"), Cell::plain(&text)]
        }
        Happening::Took { name, people } => {
            let text = format!("takes who waits at its sockets: {people}");
            [at, Cell::plain(name), Cell::new(Tone::Good, "connection"), Cell::plain(&text)]
        }
        Happening::ShutdownAsked { by, deadline } => {
            let why = by.as_ref().map_or(String::from("is asked for"), |name| format!("follows for {name}"));
            let text = format!("a shutdown {why}; it is over at {} at the latest", time(*deadline));
            [at, Cell::new(Tone::Quiet, "-"), Cell::plain("shutdown"), Cell::plain(&text)]
        }
        Happening::ShutdownDone => {
            [at, Cell::new(Tone::Quiet, "-"), Cell::plain("shutdown"), Cell::plain("the shutdown is over")]
        }
    }
}

fn gate_words(is: Is) -> &'static str {
    match is {
        Is::Open => "gate opens",
        Is::Shut => "gate is shut",
    }
}

fn tone(state: &str) -> Tone {
    match state {
        "running" => Tone::Good,
        "backoff" | "failed" | "stuck" | "invalid" => Tone::Bad,
        "exited" => Tone::Quiet,
        _ => Tone::Busy,
    }
}

fn fate(fate: &Fate) -> [Cell; 5] {
    let status = &fate.status;
    let state = status.state.word();
    let cause = status.cause.as_ref().map_or("", |cause| &cause.text);
    let came_up = fate.came_up.map(time);
    // How it ended last says nothing about one that runs.
    let cause = if state == "running" { "" } else { cause };
    let shown = if status.listens { format!("{state} (for a connection)") } else { state.to_owned() };
    [
        Cell::plain(&status.name),
        Cell::new(tone(state), &shown),
        Cell::maybe(came_up.as_deref()),
        Cell::plain(&status.restarts.to_string()),
        Cell::plain(cause),
    ]
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn as_json(run: &Run, seed: u64) -> Value {
    let news = run.news.iter().map(|news| {
        let at_us = micros(news.at);
        match &news.what {
            Happening::Changed { name, from, to, cause } => {
                json!({ "at_us": at_us, "name": name, "from": from.word(), "to": to.word(), "cause": cause })
            }
            Happening::Noted { name, note, report } => {
                json!({ "at_us": at_us, "name": name, "note": note, "report": report })
            }
            Happening::Missed { name, fail } => json!({ "at_us": at_us, "name": name, "missed": fail }),
            Happening::Gate { gate, is } => {
                json!({ "at_us": at_us, "gate": gate.to_string(), "open": *is == Is::Open })
            }
            Happening::Connected { name, socket, taken } => {
                json!({ "at_us": at_us, "name": name, "connected": socket, "taken": taken })
            }
            Happening::Took { name, people } => json!({ "at_us": at_us, "name": name, "took": people }),
            Happening::ShutdownAsked { by, deadline } => {
                json!({ "at_us": at_us, "shutdown": "asked", "by": by, "deadline_us": micros(*deadline) })
            }
            Happening::ShutdownDone => json!({ "at_us": at_us, "shutdown": "done" }),
        }
    });
    let fates = run.fates.iter().map(|fate| {
        let status = &fate.status;
        json!({
            "name": status.name, "wanted": status.wanted.word(), "state": status.state.word(),
            "cause": status.cause, "waits_for": status.waits_for, "restarts": status.restarts,
            "came_up_us": fate.came_up.map(micros), "next_start_us": status.next_start.map(micros),
            "listens": status.listens, "queue": fate.queue,
        })
    });
    json!({
        "seed": seed, "end_us": micros(run.end), "cut": run.cut,
        "events": news.collect::<Vec<_>>(), "containers": fates.collect::<Vec<_>>(),
        "breach": run.breach.as_ref().map(ToString::to_string),
    })
}

/// A row for each container, in the order of their names; what was from the begin on is `waiting` or `invalid`.
fn timeline(run: &Run) -> Timeline {
    let end_us = micros(run.end);
    let rows = run.fates.iter().map(|fate| row_of(run, fate, end_us)).collect();
    let marks = run.news.iter().filter_map(|news| match &news.what {
        Happening::ShutdownAsked { .. } => Some((news.at, "a shutdown is asked for".to_owned())),
        Happening::ShutdownDone => Some((news.at, "the shutdown is over".to_owned())),
        Happening::Gate { gate, is } => {
            let words = gate_words(*is).replacen("gate", &format!("the gate {gate}"), 1);
            Some((news.at, format!("{}: {words}", time(news.at))))
        }
        Happening::Connected { name, socket, taken } => {
            let what = if *taken { "is taken" } else { "waits there" };
            Some((news.at, format!("{}: somebody connects to {socket} of {name}, and {what}", time(news.at))))
        }
        Happening::Changed { .. }
        | Happening::Noted { .. }
        | Happening::Missed { .. }
        | Happening::Took { .. } => None,
    });
    let marks = marks.map(|(at, title)| Mark { at_us: micros(at), title }).collect();
    Timeline { title: format!("orlop simulate, {} s from boot on", time(run.end)), end_us, rows, marks }
}

fn row_of(run: &Run, fate: &Fate, end_us: u64) -> Row {
    let name = fate.status.name.as_str();
    let mut well = "running";
    let changes = run.news.iter().filter_map(|news| match &news.what {
        Happening::Changed { name: about, from, to, cause } if about == name => {
            well = "running";
            Some((micros(news.at), from.word(), to.word(), cause.as_ref().map_or("", |cause| &cause.text)))
        }
        // One that runs and is not well is drawn in another colour.
        Happening::Noted { name: about, note, report } if about == name => {
            let before = well;
            well = if *note == "unhealthy" { note } else { "running" };
            let report = report.as_deref().unwrap_or_default();
            (before != well).then_some((micros(news.at), before, well, report))
        }
        Happening::Changed { .. }
        | Happening::Noted { .. }
        | Happening::Missed { .. }
        | Happening::Gate { .. }
        | Happening::Connected { .. }
        | Happening::Took { .. }
        | Happening::ShutdownAsked { .. }
        | Happening::ShutdownDone => None,
    });
    let changes: Vec<(u64, &str, &str, &str)> = changes.collect();
    let last = fate.status.state.word();
    let first = changes.first().map_or(last, |(_, from, ..)| *from);
    let mut bars = Vec::new();
    let mut since = (0, first, "");
    for (at, _, to, cause) in &changes {
        bars.push(bar(name, since, *at));
        since = (*at, *to, *cause);
    }
    bars.push(bar(name, since, end_us));
    bars.retain(|bar| bar.until_us > bar.from_us);
    Row { name: name.to_owned(), bars }
}

fn bar(name: &str, (from_us, word, cause): (u64, &str, &str), until_us: u64) -> Bar {
    let lasted = time(Duration::from_micros(until_us.saturating_sub(from_us)));
    let cause = if cause.is_empty() { String::new() } else { format!(": {cause}") };
    let from = time(Duration::from_micros(from_us));
    let title = format!("{name} {word} from {from} for {lasted} s{cause}");
    Bar { from_us, until_us, word: word.to_owned(), title }
}
