//! Debian's supervisors beside ours: how long a crash is felt, and how long it takes until many services run; and
//! what many cost that do nothing.

use std::path::Path;

use orlop_vm::Machine;
use serde_json::Value;

use crate::Result;
use crate::guest::{Bench, Peer, boot_in, container, milliseconds, stamps, stamps_of, told as told_number};
use crate::memory::{self, seen, sum};
use crate::table::{Table, median};

const MEMORY: u64 = 512 << 20;
const MUCH_MEMORY: u64 = 1536 << 20;
const MANY: usize = 500;
/// Crashes whose middle is told; the machine is over sooner where a supervisor makes pauses.
const CRASHES: u64 = 24;
/// Who lives so long is well to every supervisor here: none makes a pause because of how short a life was.
const LIFE: &str = "1500";

/// Each with its init for a container by crun, and for a plain process.
const SUPERVISORS: [(&str, [&str; 2]); 4] = [
    ("runit 2.1.2", ["/init runit crun", "/init runit plain"]),
    ("s6 2.11.3, which always pauses for 1 s", ["/init s6 crun", "/init s6 plain"]),
    (
        "systemd 252",
        ["/usr/lib/systemd/systemd --unit=crun.service", "/usr/lib/systemd/systemd --unit=plain.service"],
    ),
    ("supervisord 4.2.5", ["/init supervisord crun", "/init supervisord plain"]),
];
const BY_MANY: [(&str, &str); 3] = [
    ("runit 2.1.2", "/init runit many"),
    ("s6 2.11.3", "/init s6 many"),
    ("systemd 252", "/usr/lib/systemd/systemd --unit=many.target"),
];

pub(crate) fn crashes(bench: &Bench, table: &mut Table) -> Result<()> {
    table.begin("a crash: from the last instruction to its replacement's first, guest ms: the middle, and the longest");
    let restart = "restart = \"always\"\nrestart_policy = { delay = \"0s\", healthy_after = \"1s\" }";
    let ours = bench.machine("crashes", &container("crash", &["stamps", LIFE], restart))?;
    match our_crashes(&ours) {
        Ok((firsts, lasts)) => crash_row(table, "orlop: a container of the machine", &firsts, &lasts),
        Err(error) => table.row("orlop", error),
    }
    for (which, what) in ["a container by crun", "a plain process"].into_iter().enumerate() {
        for (name, inits) in SUPERVISORS {
            let init = inits.get(which).copied().unwrap_or_default();
            let peer = Peer { name, archive: "supervisors", init };
            let machine = boot_in(&bench.peer(&peer, &ours)?, "script /stamps", init, MEMORY)?;
            match told(&machine) {
                Ok(told) => {
                    crash_row(table, &format!("{name}: {what}"), &told.of("first"), &told.of("last"));
                }
                Err(error) => table.row(&format!("{name}: {what}"), error),
            }
        }
    }
    Ok(())
}

fn our_crashes(machine: &Path) -> Result<(Vec<u64>, Vec<u64>)> {
    let machine = boot_in(machine, "", "/init", MEMORY)?;
    let many = |container: &Value| container.get("restarts").and_then(Value::as_u64) >= Some(CRASHES);
    machine.wait_until("crash", "to be started again and again", many)?;
    Ok((stamps(&machine, "crash", "first")?, stamps(&machine, "crash", "last")?))
}

/// All at once, and then a minute in which nothing happens.
pub(crate) fn many(bench: &Bench, table: &mut Table) -> Result<()> {
    let toml: String =
        (0..MANY).map(|number| container(&format!("one{number}"), &["stamp-and-stay"], "")).collect();
    let ours = bench.machine("many-services", &toml)?;
    let machine = boot_in(&ours, "memory", "/init", MUCH_MEMORY)?;
    let processes = memory::ours(seen(&machine)?);
    let names: Vec<_> = (0..MANY).map(|number| format!("one{number}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let firsts = stamps_of(&machine, &names, "first")?;
    let hand_over = told_number(&machine, "witness: hand-over ")?;
    drop(machine);
    table.begin(&format!(
        "{MANY} services: from the first's first instruction to the last's, guest ms, and each"
    ));
    many_row(table, "orlop: containers of the machine", &firsts)?;
    let last = firsts.iter().max().copied().unwrap_or_default();
    table.number(
        "    from the kernel's hand-over to the last's",
        milliseconds(last.saturating_sub(hand_over)),
    );
    for (name, init) in BY_MANY {
        let peer = Peer { name, archive: "supervisors", init };
        let machine = boot_in(&bench.peer(&peer, &ours)?, "script /stamps", init, MUCH_MEMORY)?;
        match told(&machine)
            .and_then(|told| many_row(table, &format!("{name}: plain processes"), &told.of("first")))
        {
            Ok(()) => {}
            Err(error) => table.row(name, error),
        }
    }
    table.begin(&format!(
        "{MANY} containers that sleep: PSS in KiB, and how often it wakes up in a minute (wanted: 0)"
    ));
    for process in &processes {
        table.row(&process.name, format!("{} {:>6}", process.figures.proportional, process.figures.wakes));
    }
    let all = sum(&processes, |it| it.proportional);
    table.row("all of ours", format!("{all} {:>6}", sum(&processes, |it| it.wakes)));
    table.number("for each container, KiB (wanted: 4)", all as f64 / MANY as f64);
    Ok(())
}

fn many_row(table: &mut Table, name: &str, firsts: &[u64]) -> Result<()> {
    let (Some(first), Some(last), MANY) = (firsts.iter().min(), firsts.iter().max(), firsts.len()) else {
        return Err(format!("{} of {MANY} have a stamp", firsts.len()).into());
    };
    let took = milliseconds(last.saturating_sub(*first));
    table.row(name, format!("{took:.0} {:>8.2}", took / (MANY - 1) as f64));
    Ok(())
}

/// What the services of a supervisor have written, in the order in which they did.
struct Told(String);

impl Told {
    fn of(&self, word: &str) -> Vec<u64> {
        let lines = self.0.split('|').filter_map(|line| line.strip_prefix(word)?.trim().parse().ok());
        lines.collect()
    }
}

fn told(machine: &Machine) -> Result<Told> {
    const BEFORE: &str = "witness: read /run/stamps: ";
    machine.wait_for_console("witness: done")?;
    let console = machine.console();
    let (_, rest) = console.split_once(BEFORE).ok_or("no stamps on the console")?;
    Ok(Told(rest.lines().next().unwrap_or_default().to_owned()))
}

fn crash_row(table: &mut Table, name: &str, firsts: &[u64], lasts: &[u64]) {
    let pairs = lasts.iter().zip(firsts.iter().skip(1));
    let felt: Vec<_> = pairs.map(|(last, first)| milliseconds(first.saturating_sub(*last))).collect();
    let longest = felt.iter().copied().fold(f64::NAN, f64::max);
    let count = felt.len();
    table.row(name, format!("{:.2} {longest:>8.2} of {count}", median(felt).unwrap_or(f64::NAN)));
}
