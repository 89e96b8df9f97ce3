//! The runtimes on this computer's own kernel, by its own clock: what it makes of the figures of emulated machines.
//! These change from run to run and with whatever else runs here.

use std::process::Command;

use crate::Result;
use crate::guest::Bench;
use crate::table::Table;

const TIMES: &str = "40";

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/on-host.sh");
    let output = Command::new(script).arg(bench.peers.join("runtimes.cpio")).arg(TIMES).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    table.begin(
        "this computer, no cgroups: ms that nine of ten runs are longer than, and ms of processors a run",
    );
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let figures = match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["host", name, "p10", elapsed, "cpu", ran] => {
                Some((*name, [elapsed.parse::<f64>()?, ran.parse()?]))
            }
            ["host", name, ..] => {
                table.row(name, "does not run here");
                None
            }
            _ => None,
        };
        if let Some((name, [elapsed, ran])) = figures {
            table.row(name, format!("{:.1} {:>6.1}", elapsed / 1000.0, ran / 1000.0));
        }
    }
    Ok(())
}
