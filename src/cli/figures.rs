//! `stats` and `top`: what containers use, and what runs in them.

use std::collections::BTreeMap;
use std::time::Duration;

use orlop::control::{Figures, Pressure, Request, StatsReply, Task, TopReply};
use orlop::ordered::Ordered;

use super::arguments::StatsArguments;
use super::client::{Client, understand};
use super::failure::Failure;
use super::names;
use super::screen::{Screen, Tone};
use super::table::{self, Cell};
use super::units;

/// Between two looks: what people can follow.
const PAUSE: Duration = Duration::from_secs(1);

/// Moves the cursor to the top and clears what is below: the table is shown in its own place.
const ANEW: &str = "\x1b[H\x1b[J";

/// Rates need two looks; JSON is one, with counters.
pub(crate) fn stats(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &StatsArguments,
) -> Result<(), Failure> {
    names::all(client, &arguments.names, |client, names| of(client, screen, arguments, names))
}

fn of(
    client: &mut Client,
    screen: &mut Screen<'_>,
    arguments: &StatsArguments,
    names: &[String],
) -> Result<(), Failure> {
    let request = Request::Stats { names: names.to_vec() };
    if arguments.json.json {
        let answer = client.ask(&request)?;
        return screen.json(&answer);
    }
    let is_live = screen.width.is_some() && !arguments.no_stream;
    let mut before: StatsReply = client.call(&request)?;
    loop {
        client.pause(PAUSE);
        let now: StatsReply = client.call(&request)?;
        if is_live {
            write!(screen.out, "{ANEW}")?;
        }
        show(screen, &before, &now)?;
        screen.out.flush()?;
        if !is_live {
            return Ok(());
        }
        before = now;
    }
}

fn show(screen: &mut Screen<'_>, before: &StatsReply, now: &StatsReply) -> Result<(), Failure> {
    if now.containers.is_empty() {
        return screen.line("no container runs");
    }
    let head =
        ["NAME", "CPU", "MEMORY", "LIMIT", "TASKS", "READ", "WRITTEN", "CPU WAIT", "MEMORY WAIT", "IO WAIT"];
    let earlier: BTreeMap<&str, &Figures> =
        before.containers.iter().map(|figures| (figures.name.as_str(), figures)).ordered();
    let time = now.boot_us.saturating_sub(before.boot_us);
    let rows = now.containers.iter().map(|figures| {
        let earlier = earlier.get(figures.name.as_str()).and_then(|earlier| earlier.cpu_us);
        row(figures, earlier, time)
    });
    table::show(screen, head, rows.collect())
}

fn row(figures: &Figures, cpu_before: Option<u64>, time_us: u64) -> [Cell; 10] {
    let bytes = |count: Option<u64>| Cell::maybe(count.map(units::bytes).as_deref());
    let used = figures.cpu_us.zip(cpu_before).and_then(|(now, before)| now.checked_sub(before));
    // One that was started again in between has no rate yet.
    let cpu = used.filter(|_| time_us > 0).map(|used| used as f64 * 100.0 / time_us as f64);
    let percent = |percent: Option<f64>| Cell::maybe(percent.map(|it| format!("{it:.1}%")).as_deref());
    let wait = |pressure: Option<Pressure>| percent(pressure.map(|pressure| pressure.some.avg10));
    let tasks = figures.processes.map(|count| count.to_string());
    [
        Cell::plain(&figures.name),
        percent(cpu),
        bytes(figures.memory_bytes),
        bytes(figures.memory_limit_bytes),
        Cell::maybe(tasks.as_deref()),
        bytes(figures.io_read_bytes),
        bytes(figures.io_written_bytes),
        wait(figures.cpu_pressure),
        wait(figures.memory_pressure),
        wait(figures.io_pressure),
    ]
}

/// Of one container: its processes.
pub(crate) fn top(
    client: &mut Client,
    screen: &mut Screen<'_>,
    name: &str,
    json: bool,
) -> Result<(), Failure> {
    let answer = client.ask(&Request::Top { name: name.to_owned() })?;
    if json {
        return screen.json(&answer);
    }
    let top: TopReply = understand(answer)?;
    let head = ["PID", "INSIDE", "CGROUP", "USER", "STATE", "THREADS", "CPU TIME", "MEMORY", "COMMAND"];
    table::show(screen, head, top.processes.iter().map(task).collect())?;
    match top.left_out {
        0 => Ok(()),
        more => screen.line(&format!("and {more} more")),
    }
}

fn task(task: &Task) -> [Cell; 9] {
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let user = task.user.clone().or_else(|| number(task.uid));
    // Those that wait for a device, and the dead that nobody fetches, are what one looks for.
    let tone = if matches!(task.state.as_str(), "D" | "Z") { Tone::Bad } else { Tone::Plain };
    [
        Cell::plain(&task.pid.to_string()),
        Cell::maybe(number(task.pid_inside).as_deref()),
        Cell::plain(&task.cgroup),
        Cell::maybe(user.as_deref()),
        Cell::new(tone, &task.state),
        Cell::plain(&task.threads.to_string()),
        Cell::plain(&units::duration(Duration::from_micros(task.cpu_us))),
        Cell::plain(&units::bytes(task.memory_bytes)),
        Cell::plain(&task.command),
    ]
}
