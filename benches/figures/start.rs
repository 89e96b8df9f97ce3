//! Starts of containers on a machine that is up: in a chain, and all at once.

use std::path::Path;

use crate::Result;
use crate::guest::{BUSYBOX, Bench, boot, container, milliseconds, number_after, stamps};
use crate::table::{Table, median};

/// As many links as make a middle worth naming.
const CHAIN: usize = 12;
/// Started at once, none waits for another.
const MANY: usize = 100;

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    let mut toml = container("one0", &["stamp-and-stay"], "");
    for number in 1..CHAIN {
        let more = format!("depends_on = [\"one{}\"]", number - 1);
        toml += &container(&format!("one{number}"), &["stamp-and-stay"], &more);
    }
    let chain = bench.machine("chain", &toml)?;

    let one_by_one = beside_the_limit(&chain, CHAIN)?;

    let toml: String =
        (0..MANY).map(|number| container(&format!("one{number}"), &["stamp-and-stay"], "")).collect();
    let at_once = beside_the_limit(&bench.machine("many", &toml)?, MANY)?;

    let tried = tried(&chain)?;

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
    for (what, Starts { ours, limit }, which) in [
        ("one container started, to the next that waits for it", one_by_one, 0),
        ("100 at once, for each, from the first's first instruction", at_once, 1),
    ] {
        let (Some(ours), Some(limit)) = (ours.get(which), limit.get(which)) else { continue };
        table.row(&format!("orlop: {what}"), format!("{ours:.2}, {:.2} x", ours / limit));
        table.number("    limit: its system calls and nothing else (wanted: 1.3 x)", *limit);
    }
    table.number("crun run from a shell (no user namespace, no overlay)", median(crun).unwrap_or(f64::NAN));
    table.begin("what was tried, guest µs each");
    for (what, nanoseconds) in tried {
        table.number(&what, nanoseconds / 1000.0);
    }
    Ok(())
}

/// Of each a name and nanoseconds.
fn tried(machine: &Path) -> Result<Vec<(String, f64)>> {
    let machine = boot(machine, "script /try", "/init")?;
    machine.wait_for_console("tried over")?;
    let console = machine.console();
    let lines = console.lines().filter_map(|line| line.trim().strip_prefix("tried ")?.split_once(' '));
    Ok(lines.filter_map(|(what, figure)| Some((what.replace('-', " "), figure.parse().ok()?))).collect())
}

/// Guest ms of each start but the first: by the middle of all, and on the average.
struct Starts {
    ours: [f64; 2],
    limit: [f64; 2],
}

/// Starts the machine's containers, and then as many by the program that makes their system calls only.
fn beside_the_limit(machine: &Path, count: usize) -> Result<Starts> {
    let machine = boot(machine, &format!("script /limit-{count}"), "/init")?;
    // Nothing is asked before: an answer takes instructions.
    machine.wait_for_console("boot complete")?;
    let mut ours = Vec::new();
    for number in 0..count {
        let name = format!("one{number}");
        machine.wait_for(&name, "running")?;
        ours.extend(stamps(&machine, &name, "first")?);
    }
    machine.wait_for_console("limit: ")?;
    let console = machine.console();
    let limit = console.lines().filter_map(|line| line.trim().strip_prefix("first ")?.parse().ok()).collect();
    Ok(Starts { ours: between(ours, count)?, limit: between(limit, count)? })
}

fn between(mut firsts: Vec<u64>, count: usize) -> Result<[f64; 2]> {
    firsts.sort_unstable();
    let (Some(first), Some(last), true) = (firsts.first(), firsts.last(), firsts.len() == count) else {
        return Err(format!("{} of {count} containers have a stamp", firsts.len()).into());
    };
    let average = milliseconds(last.saturating_sub(*first)) / (count - 1) as f64;
    let pairs = firsts.iter().zip(firsts.iter().skip(1));
    let each = pairs.map(|(one, next)| milliseconds(next.saturating_sub(*one))).collect();
    Ok([median(each).unwrap_or(f64::NAN), average])
}
