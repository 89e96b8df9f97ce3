//! How long a machine takes to go down whose containers wait for each other, and of which some do not listen.

use crate::Result;
use crate::guest::{Bench, boot, container};
use crate::table::Table;

const CHAIN: usize = 20;
/// Every fourth of the chain does not listen.
const DEAF: usize = 4;
const GRACE: f64 = 1000.0;

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    // Time for all that might come: with less of it, grace periods would be cut.
    let mut toml = "[host]\npoweroff_timeout = \"5m\"\n\n".to_owned();
    for number in 0..CHAIN {
        let task = if number % DEAF == 0 { "ignore-term" } else { "sleep" };
        let mut more = "stop_grace_period = \"1s\"".to_owned();
        if let Some(before) = number.checked_sub(1) {
            more += &format!("\ndepends_on = [\"one{before}\"]");
        }
        toml += &container(&format!("one{number}"), &[task], &more);
    }
    let machine = boot(&bench.machine("closing", &toml)?, "script /power-off", "/init")?;
    machine.wait_for_end()?;
    let console = machine.console();
    let said = |words: &str| said(&console, words).ok_or_else(|| format!("the kernel did not say: {words}"));
    let took = said("reboot: Power down")? - said("it is asked for")?;
    let must = (CHAIN / DEAF) as f64 * GRACE;
    table.begin(&format!(
        "shutdown: {CHAIN} in a chain, {} of which ignore SIGTERM for a second each, guest ms",
        CHAIN / DEAF
    ));
    table.number("orlop: from the request to the kernel's last word", took);
    table.number("    of which it has to wait", must);
    table.number("    what is beyond that, for each of them", (took - must) / CHAIN as f64);
    Ok(())
}

/// Milliseconds of `[   66.123456] WORDS`, by the kernel's own clock.
fn said(console: &str, words: &str) -> Option<f64> {
    let (before, _) = console.rsplit_once(&format!("] {words}"))?;
    let (_, seconds) = before.rsplit_once('[')?;
    seconds.trim().parse::<f64>().ok().map(|seconds| seconds * 1000.0)
}
