//! Starts of containers on a machine that is up: in a chain, and after a crash.

use crate::Result;
use crate::guest::{BUSYBOX, Bench, boot, container, milliseconds, number_after, stamps};
use crate::table::{Table, median};

/// As many links as make a middle worth naming.
const CHAIN: usize = 12;
const CRASHES: u64 = 12;
/// Started at once, none waits for another.
const MANY: usize = 100;
/// Before a start that follows a crash: the shortest that a configuration may have, in ms.
const PAUSE: u32 = 10;

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    let mut toml = container("link0", &["stamp-and-stay"], "");
    for number in 1..CHAIN {
        let more = format!("depends_on = [\"link{}\"]", number - 1);
        toml += &container(&format!("link{number}"), &["stamp-and-stay"], &more);
    }
    // It lives long enough to count as healthy, so that every pause is the first.
    let restart =
        format!("restart = \"always\"\nrestart_policy = {{ delay = \"{PAUSE}ms\", healthy_after = \"1s\" }}");
    let crash = container("crash", &["stamps", "1500"], &restart);
    let (chain, crash) = (bench.machine("chain", &toml)?, bench.machine("crash", &crash)?);

    let machine = boot(&chain, "", "/init")?;
    // Nothing is asked before: an answer takes instructions.
    machine.wait_for_console("boot complete")?;
    let mut firsts = Vec::new();
    for number in 0..CHAIN {
        let name = format!("link{number}");
        machine.wait_for(&name, "running")?;
        firsts.extend(stamps(&machine, &name, "first")?);
    }
    drop(machine);
    let pairs = firsts.iter().zip(firsts.iter().skip(1));
    let starts = pairs.map(|(one, next)| milliseconds(next.saturating_sub(*one))).collect();

    let machine = boot(&crash, "", "/init")?;
    let many = |container: &serde_json::Value| {
        container.get("restarts").and_then(serde_json::Value::as_u64) >= Some(CRASHES)
    };
    machine.wait_until("crash", "to be started again and again", many)?;
    let (firsts, lasts) = (stamps(&machine, "crash", "first")?, stamps(&machine, "crash", "last")?);
    drop(machine);
    let pairs = lasts.iter().zip(firsts.iter().skip(1));
    let restarts = pairs.map(|(last, first)| milliseconds(first.saturating_sub(*last))).collect();

    let many = many_at_once(bench)?;

    let peer = boot(&bench.peer(&BUSYBOX, &chain)?, "", BUSYBOX.init)?;
    let mut crun = Vec::new();
    let mut from = 0;
    for _ in 0..7 {
        from = peer.wait_for_console_after(from, "inside ")?;
    }
    peer.wait_for_console_after(from, "\n")?;
    let console = peer.console();
    for part in console.split("before ").skip(1) {
        let numbers = (number_after(&format!("before {part}"), "before "), number_after(part, "inside "));
        if let (Some(before), Some(inside)) = numbers {
            crun.push(milliseconds(inside.saturating_sub(before)));
        }
    }

    table.begin(
        "start: from the decision to the container's first instruction, guest ms, the middle of several",
    );
    table.number(
        "orlop: one container started, to the next that waits for it",
        median(starts).unwrap_or(f64::NAN),
    );
    table.number(
        "orlop: a crash to its replacement, with the pause of 10 ms",
        median(restarts).unwrap_or(f64::NAN),
    );
    table.number("orlop: 100 at once, for each, from the first's first instruction", many);
    table.number("crun run from a shell (no user namespace, no overlay)", median(crun).unwrap_or(f64::NAN));
    Ok(())
}

/// From the first container's first instruction to the last one's, for each of the others.
fn many_at_once(bench: &Bench) -> Result<f64> {
    let name = |number: usize| format!("one{number}");
    let toml: String = (0..MANY).map(|number| container(&name(number), &["stamp-and-stay"], "")).collect();
    let machine = boot(&bench.machine("many", &toml)?, "", "/init")?;
    machine.wait_for_console("boot complete")?;
    let mut firsts = Vec::new();
    for number in 0..MANY {
        machine.wait_for(&name(number), "running")?;
        firsts.extend(stamps(&machine, &name(number), "first")?);
    }
    let first = firsts.iter().min().copied().unwrap_or_default();
    let last = firsts.iter().max().copied().unwrap_or_default();
    Ok(milliseconds(last.saturating_sub(first)) / (MANY - 1) as f64)
}
