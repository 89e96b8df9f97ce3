//! What Orlop itself keeps in memory, with few and with many containers that sleep.

use crate::Result;
use crate::guest::{BUSYBOX, Bench, SYSTEMD, boot, container};
use crate::table::Table;

/// Name, KiB of proportional set size, of anonymous memory.
struct Process {
    name: String,
    proportional: u64,
    anonymous: u64,
}

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    table.begin("memory: proportional set size, and of it anonymous, KiB");
    let mut ours = None;
    for count in [3, 100] {
        let toml: String =
            (0..count).map(|number| container(&format!("sleep{number}"), &["sleep"], "")).collect();
        let machine = bench.machine(&format!("sleep-{count}"), &toml)?;
        let processes: Vec<Process> = look(&machine, "/init")?
            .into_iter()
            .filter(|process| process.name == "init" || process.name.starts_with("orlop"))
            .collect();
        for process in &processes {
            row(
                table,
                &format!("orlop, {count} containers: {}", process.name),
                std::slice::from_ref(process),
            );
        }
        row(table, &format!("orlop, {count} containers: all of ours"), &processes);
        ours.get_or_insert(machine);
    }
    for peer in [BUSYBOX, SYSTEMD] {
        let Some(ours) = &ours else { break };
        let processes: Vec<Process> = look(&bench.peer(&peer, ours)?, peer.init)?
            .into_iter()
            .filter(|process| process.name != "payload")
            .collect();
        row(table, &format!("{}, 1 container: all", peer.name), &processes);
    }
    Ok(())
}

fn row(table: &mut Table, name: &str, processes: &[Process]) {
    let sum = |field: fn(&Process) -> u64| processes.iter().map(field).sum::<u64>();
    table.row(name, format!("{} {:>6}", sum(|it| it.proportional), sum(|it| it.anonymous)));
}

fn look(machine: &std::path::Path, init: &str) -> Result<Vec<Process>> {
    let machine = boot(machine, "memory", init)?;
    machine.wait_for_console("witness: done")?;
    let console = machine.console();
    let process = |line: &str| {
        let mut words = line.strip_prefix("witness: memory ")?.split(' ').skip(1);
        let name = words.next()?.to_owned();
        Some(Process {
            name,
            proportional: words.next()?.parse().ok()?,
            anonymous: words.next()?.parse().ok()?,
        })
    };
    Ok(console.lines().filter_map(process).collect())
}
