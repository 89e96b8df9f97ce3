//! `orlop simulate`: what would happen to a configuration, without a machine.
//!
//! The library plays it; here it is told, line by line, as JSON, and as a picture.

use std::fs;
use std::path::Path;
use std::time::Duration;

use orlop::config::{Severity, read};
use orlop::picture::{Bar, Mark, Row, Timeline};
use orlop::simulation::{Fail, Fate, Happening, MOST_NEWS, News, Run, Scenario, simulate};
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
    let mut fails = Vec::new();
    for text in &arguments.fails {
        let fail = Fail::parse(text, config).map_err(|bad| wrong(format!("--fail {bad}")))?;
        if fail.at().is_some_and(|at| at > arguments.time) {
            let text = format!("--fail `{text}`: the simulation is over by then; --for says how long it is");
            return Err(wrong(text));
        }
        fails.push(fail);
    }
    if arguments.shutdown.is_some_and(|at| at > arguments.time) {
        let text = "--shutdown: the simulation is over by then; --for says how long it is";
        return Err(wrong(String::from(text)));
    }
    let scenario = Scenario {
        config,
        fails: &fails,
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
    let (later, never): (Vec<&Fate>, Vec<&Fate>) =
        run.fates.iter().filter(|it| it.came_up.is_none()).partition(|it| it.is_for_later());
    let names = |fates: &[&Fate]| {
        let names: Vec<&str> = fates.iter().map(|it| it.status.name.as_str()).collect();
        names.join(", ")
    };
    let text = match (never.is_empty(), run.fates.len() == later.len()) {
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
    [
        Cell::plain(&status.name),
        Cell::new(tone(state), state),
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
        Happening::ShutdownAsked { .. } => Some((news.at, "a shutdown is asked for")),
        Happening::ShutdownDone => Some((news.at, "the shutdown is over")),
        Happening::Changed { .. } | Happening::Noted { .. } | Happening::Missed { .. } => None,
    });
    let marks = marks.map(|(at, title)| Mark { at_us: micros(at), title: title.into() }).collect();
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
