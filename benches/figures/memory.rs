//! What Orlop itself keeps in memory, with few and with many containers that sleep, how often it
//! wakes up for nothing, and what it spends on output.

use crate::Result;
use crate::guest::{BUSYBOX, Bench, SYSTEMD, boot, container};
use crate::table::Table;

const FEW: usize = 3;
const MANY: usize = 100;
/// Enough for the rest of the logger's life not to count.
const OUTPUT: u64 = 64 << 20;

#[derive(Clone, Copy)]
struct Figures {
    /// KiB of proportional set size.
    proportional: u64,
    /// KiB.
    anonymous: u64,
    /// Nanoseconds on the processor.
    ran: u64,
    /// In a minute.
    wakes: u64,
}

struct Process {
    name: String,
    figures: Figures,
}

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    table.begin("memory: proportional set size, and of it anonymous, KiB");
    let mut seen = Vec::new();
    let mut machines = Vec::new();
    for count in [FEW, MANY] {
        let toml: String =
            (0..count).map(|number| container(&format!("sleep{number}"), &["sleep"], "")).collect();
        let machine = bench.machine(&format!("sleep-{count}"), &toml)?;
        let processes = ours(look(&machine, "/init")?);
        for process in &processes {
            row(
                table,
                &format!("orlop, {count} containers: {}", process.name),
                std::slice::from_ref(process),
            );
        }
        row(table, &format!("orlop, {count} containers: all of ours"), &processes);
        machines.push(machine);
        seen.push(processes);
    }
    let [few, many] = seen.as_slice() else { return Ok(()) };
    let each =
        |field: fn(&Figures) -> u64| (sum(many, field) as f64 - sum(few, field) as f64) / (MANY - FEW) as f64;
    let (proportional, anonymous) = (each(|it| it.proportional), each(|it| it.anonymous));
    table
        .row("orlop: each further idle container (wanted: 4)", format!("{proportional:.1} {anonymous:>6.1}"));
    let mut peers = Vec::new();
    for peer in [BUSYBOX, SYSTEMD] {
        let Some(ours) = machines.first() else { break };
        let mut processes = look(&bench.peer(&peer, ours)?, peer.init)?;
        processes.retain(|process| process.name != "payload");
        row(table, &format!("{}, 1 container: all", peer.name), &processes);
        peers.push((peer.name, processes));
    }
    table.begin("idle: how often all processes but the containers' wake up in a minute");
    for (name, processes) in [("orlop, 3 containers", few), ("orlop, 100 containers", many)] {
        table.row(name, sum(processes, |it| it.wakes));
    }
    for (name, processes) in &peers {
        table.row(&format!("{name}, 1 container"), sum(processes, |it| it.wakes));
    }
    output(bench, table)
}

/// What the logger takes beyond what it takes anyway.
fn output(bench: &Bench, table: &mut Table) -> Result<()> {
    const TEXT: &str = "a line of the length that lines of programs often have, with a number before it";
    let bytes = OUTPUT.to_string();
    let machines =
        [container("quiet", &["sleep"], ""), container("loud", &["write", &bytes, TEXT], "restart = \"no\"")];
    let mut took = Vec::new();
    for (number, toml) in machines.iter().enumerate() {
        let processes = ours(look(&bench.machine(&format!("output-{number}"), toml)?, "/init")?);
        let logger: Vec<_> = processes.into_iter().filter(|process| process.name.contains("log")).collect();
        took.push(sum(&logger, |it| it.ran));
    }
    let [quiet, loud] = took.as_slice() else { return Ok(()) };
    table.begin("log path: guest s of the logger for a GiB of output, 64 KiB a write");
    let gibibytes = OUTPUT as f64 / f64::from(1 << 30);
    table.number("orlop log (wanted: 1.2)", loud.saturating_sub(*quiet) as f64 / 1e9 / gibibytes);
    Ok(())
}

fn sum(processes: &[Process], field: fn(&Figures) -> u64) -> u64 {
    processes.iter().map(|process| field(&process.figures)).sum()
}

fn row(table: &mut Table, name: &str, processes: &[Process]) {
    let (proportional, anonymous) = (sum(processes, |it| it.proportional), sum(processes, |it| it.anonymous));
    table.row(name, format!("{proportional} {anonymous:>6}"));
}

fn ours(mut processes: Vec<Process>) -> Vec<Process> {
    processes.retain(|process| process.name == "init" || process.name.starts_with("orlop"));
    processes
}

fn look(machine: &std::path::Path, init: &str) -> Result<Vec<Process>> {
    let machine = boot(machine, "memory", init)?;
    machine.wait_for_console("witness: done")?;
    let console = machine.console();
    let process = |line: &str| {
        let mut words = line.strip_prefix("witness: memory ")?.split(' ').skip(1);
        let name = words.next()?.to_owned();
        let mut number = || words.next()?.trim().parse::<u64>().ok();
        let (proportional, anonymous) = (number()?, number()?);
        let (_, ran, wakes) = (number()?, number()?, number()?);
        Some(Process { name, figures: Figures { proportional, anonymous, ran, wakes } })
    };
    Ok(console.lines().filter_map(process).collect())
}
