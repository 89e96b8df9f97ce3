//! From the kernel's hand-over to the first instruction of the first container.

use orlop_vm::Machine;
use serde_json::{Value, json};

use crate::Result;
use crate::guest::{BUSYBOX, Bench, STAMP, SYSTEMD, boot, container, milliseconds, stamps, told};
use crate::table::Table;

const HAND_OVER: &str = "witness: hand-over ";

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    let toml = container("web", &["stamp-and-stay"], "");
    let ours = bench.machine("boot", &toml)?;
    let machine = boot(&ours, "", "/init")?;
    let hand_over = told(&machine, HAND_OVER)?;
    // Nothing is asked before: an answer takes instructions.
    machine.wait_for_console("boot complete")?;
    machine.wait_for("web", "running")?;
    let first = *stamps(&machine, "web", "first")?.first().ok_or("the container has no stamp")?;
    let phases = machine.ask("Boot", json!({}))?;
    drop(machine);

    let nothing = stamp(&boot(&bench.peer(&STAMP, &ours)?, "", STAMP.init)?)?;
    table.begin("boot: from the kernel's hand-over to the first container's first instruction, guest ms");
    table.number("orlop (wanted: 30)", milliseconds(first.saturating_sub(hand_over)) - nothing);
    for peer in [BUSYBOX, SYSTEMD] {
        let machine = boot(&bench.peer(&peer, &ours)?, "", peer.init)?;
        table.number(peer.name, stamp(&machine)? - nothing);
    }
    table.number("subtracted from each: an init that only stamps", nothing);
    table.number("the kernel alone, until it hands over", milliseconds(hand_over));

    table.begin("boot: orlop's phases, guest ms: begin after the hand-over, and length");
    for phase in phases.get("phases").and_then(Value::as_array).into_iter().flatten() {
        let field = |name: &str| phase.get(name).and_then(Value::as_u64).unwrap_or_default();
        let begin = milliseconds((field("start_us") * 1000).saturating_sub(hand_over));
        let name = phase.get("name").and_then(Value::as_str).unwrap_or_default();
        table.row(name, format!("{begin:.2} {:>9.2}", field("duration_us") as f64 / 1000.0));
    }
    table.row("the first container's first instruction", format!("{:.2}", milliseconds(first - hand_over)));
    Ok(())
}

/// Of a machine that prints the container's stamp on its console.
fn stamp(machine: &Machine) -> Result<f64> {
    let hand_over = told(machine, HAND_OVER)?;
    Ok(milliseconds(told(machine, "first ")?.saturating_sub(hand_over)))
}
