//! How long a client waits for the list of all containers, on a machine at rest, in a storm, and while orphans
//! come as fast as they can be made.

use crate::Result;
use crate::guest::{Bench, boot, container, milliseconds, number_after};
use crate::table::Table;

const FEW: usize = 3;
const MANY: usize = 200;
/// Enough for the hundredth part of them to be some.
const TIMES: u32 = 500;
/// A storm leaves little to the emulator: many minutes for as many.
const STORM_TIMES: u32 = 200;
/// More than there are numbers of processes to give out before they begin again: 32,768 with their parents.
const ORPHANS: u32 = 20_000;

const TITLE: &str = "control: `ps` by a new connection, guest ms: the middle, 99 of 100, and the longest";

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    table.begin(TITLE);
    for (what, count) in
        [("3 containers that sleep (wanted: 99 of 100 in 10)", FEW), ("200 that sleep", MANY)]
    {
        row(bench, table, what, &several(count, &["sleep"], ""), &format!("control {TIMES}"))?;
    }
    Ok(())
}

/// While as many as can be crash as often as they can.
pub(crate) fn storm(bench: &Bench, table: &mut Table) -> Result<()> {
    table.begin(TITLE);
    // As fast as a configuration may have it; how many start at once is the machine's to say.
    let storm = "restart = \"always\"\nrestart_policy = { delay = \"0s\", max_delay = \"10ms\" }";
    let toml = several(MANY, &["exit", "1"], storm);
    let what = format!("{MANY} that crash at once, for ever (wanted: 99 of 100 in 50)");
    row(bench, table, &what, &toml, &format!("control {STORM_TIMES}")).map(drop)
}

/// While PID 1 gets them as fast as one program can make them.
pub(crate) fn orphans(bench: &Bench, table: &mut Table) -> Result<()> {
    table.begin(TITLE);
    let what = format!("{FEW} that sleep, while {ORPHANS} orphans are reaped");
    let toml = several(FEW, &["sleep"], "");
    let console = row(bench, table, &what, &toml, &format!("control-among-orphans {ORPHANS}"))?;
    if !console.contains(&format!("witness: orphans {ORPHANS} made")) {
        return Err("not all orphans were made".into());
    }
    let left = number_after(&console, "witness: orphans left ").ok_or("nobody counted what is left")?;
    table.row("    of them left to reap when the last was made", left);
    Ok(())
}

fn several(count: usize, task: &[&str], more: &str) -> String {
    (0..count).map(|number| container(&format!("one{number}"), task, more)).collect()
}

/// What the console said.
fn row(bench: &Bench, table: &mut Table, what: &str, toml: &str, task: &str) -> Result<String> {
    let machine = bench.machine(&format!("control-{}", toml.len()), toml)?;
    let machine = boot(&machine, task, "/init")?;
    machine.wait_for_console("witness: done")?;
    let console = machine.console();
    let figure = |word: &str| {
        let found = console.split_once("witness: control ").and_then(|(_, rest)| number_after(rest, word));
        found.map(milliseconds).ok_or_else(|| format!("no figure for {word}"))
    };
    let (middle, most, longest) = (figure("middle ")?, figure("p99 ")?, figure("longest ")?);
    table.row(&format!("orlop: {what}"), format!("{middle:.2} {most:>6.2} {longest:>6.2}"));
    Ok(console)
}
