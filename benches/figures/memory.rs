//! What Orlop itself keeps in memory, with few and with many containers that sleep, and how often it
//! wakes up for nothing.

use orlop_vm::Machine;

use crate::Result;
use crate::guest::{BUSYBOX, Bench, SYSTEMD, boot, container};
use crate::table::Table;

const FEW: usize = 3;
const MANY: usize = 100;

#[derive(Clone, Copy)]
pub(crate) struct Figures {
    /// KiB of proportional set size.
    pub(crate) proportional: u64,
    /// KiB.
    anonymous: u64,
    /// Nanoseconds on the processor.
    pub(crate) ran: u64,
    /// In a minute.
    pub(crate) wakes: u64,
}

pub(crate) struct Process {
    pub(crate) name: String,
    pub(crate) figures: Figures,
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
    Ok(())
}

pub(crate) fn sum(processes: &[Process], field: fn(&Figures) -> u64) -> u64 {
    processes.iter().map(|process| field(&process.figures)).sum()
}

fn row(table: &mut Table, name: &str, processes: &[Process]) {
    let (proportional, anonymous) = (sum(processes, |it| it.proportional), sum(processes, |it| it.anonymous));
    table.row(name, format!("{proportional} {anonymous:>6}"));
}

pub(crate) fn ours(mut processes: Vec<Process>) -> Vec<Process> {
    processes.retain(|process| process.name == "init" || process.name.starts_with("orlop"));
    processes
}

pub(crate) fn look(machine: &std::path::Path, init: &str) -> Result<Vec<Process>> {
    seen(&boot(machine, "memory", init)?)
}

/// What the witness has seen of a machine that it was to look at.
pub(crate) fn seen(machine: &Machine) -> Result<Vec<Process>> {
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
