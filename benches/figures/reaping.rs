//! What an orphan costs PID 1.

use crate::Result;
use crate::guest::{Bench, REAPER, SYSTEMD, boot, container, number_after};
use crate::table::Table;

/// More would only take longer; a burst is alive at once, and a process takes some 100 KiB.
const STREAM: u32 = 4000;
const BURST: u32 = 1000;

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    let ours = bench.machine("reaping", &container("web", &["sleep"], ""))?;
    table.begin(&format!(
        "reaping: CPU of PID 1, guest us a child: {STREAM} one after the other, {BURST} at once"
    ));
    row(table, "orlop", &ours, "/init")?;
    for peer in [REAPER, SYSTEMD] {
        row(table, peer.name, &bench.peer(&peer, &ours)?, peer.init)?;
    }
    Ok(())
}

fn row(table: &mut Table, name: &str, machine: &std::path::Path, init: &str) -> Result<()> {
    let machine = boot(machine, &format!("reaping {STREAM} {BURST}"), init)?;
    machine.wait_for_console("witness: done")?;
    let console = machine.console();
    let each = |kind: &str, count: u32| {
        let took = number_after(&console, &format!("witness: reaping {kind} {count} "));
        took.map(|took| took as f64 / 1000.0 / f64::from(count)).ok_or(format!("no figure for {kind}"))
    };
    table.row(name, format!("{:.2} {:>7.2}", each("stream", STREAM)?, each("burst", BURST)?));
    Ok(())
}
