//! How long a client waits for the list of all containers, on a machine at rest and in a storm.

use crate::Result;
use crate::guest::{Bench, boot, container, milliseconds, number_after};
use crate::table::Table;

const FEW: usize = 3;
const MANY: usize = 200;
/// Enough for the hundredth part of them to be some, and a storm takes its time.
const TIMES: u32 = 500;

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    table.begin("control: `ps` by a new connection, guest ms: the middle, 99 of 100, and the longest of 500");
    let of = |count: usize, task: &[&str], more: &str| -> String {
        (0..count).map(|number| container(&format!("one{number}"), task, more)).collect()
    };
    // As fast as a configuration may have it; how many start at once is the machine's to say.
    let storm = "restart = \"always\"\nrestart_policy = { delay = \"10ms\", max_delay = \"10ms\" }";
    for (what, toml) in [
        (format!("{FEW} containers that sleep (wanted: 99 of 100 in 10)"), of(FEW, &["sleep"], "")),
        (format!("{MANY} containers that sleep"), of(MANY, &["sleep"], "")),
        (format!("{MANY} that crash at once, for ever (wanted: in 50)"), of(MANY, &["exit", "1"], storm)),
    ] {
        let machine = bench.machine(&format!("control-{}", toml.len()), &toml)?;
        let machine = boot(&machine, &format!("control {TIMES}"), "/init")?;
        machine.wait_for_console("witness: done")?;
        let console = machine.console();
        let figure = |word: &str| {
            let found =
                console.split_once("witness: control ").and_then(|(_, rest)| number_after(rest, word));
            found.map(milliseconds).ok_or_else(|| format!("no figure for {word}"))
        };
        let (middle, most, longest) = (figure("middle ")?, figure("p99 ")?, figure("longest ")?);
        table.row(&format!("orlop: {what}"), format!("{middle:.2} {most:>6.2} {longest:>6.2}"));
    }
    Ok(())
}
