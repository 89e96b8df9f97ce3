//! One bundle, run by every runtime and by the program that makes the system calls of a container only:
//! one after the other in one machine, round after round.

use std::fs;
use std::path::Path;

use orlop::container::seccomp::{Instruction, Seccomp, allowed, compile};
use orlop::container::spec::Spec;

use crate::Result;
use crate::guest::{Bench, Peer, boot, container, milliseconds, number_after};
use crate::table::{Table, median};

const RUNTIMES: Peer = Peer { name: "runtimes", archive: "runtimes", init: "/init" };
/// By the names that the machine's script has for them; the limit first.
const WHO: [(&str, &str); 5] = [
    ("limit", "limit: the system calls and nothing else"),
    ("orlop", "orlop oci run"),
    ("crun", "crun run"),
    ("bwrap", "bubblewrap"),
    ("runc", "runc run"),
];

/// Writes what `make-peers.sh` needs of ours: the filter of a container without capabilities, as the
/// specification has it (`seccomp.json`) and as the kernel (`filter.bpf`).
pub(crate) fn write_filter(folder: &Path) -> Result<()> {
    let filter: Seccomp = allowed(0);
    let spec = Spec {
        linux: orlop::container::spec::Linux { seccomp: Some(filter.clone()), ..Default::default() },
        ..Spec::default()
    };
    let value = serde_json::to_value(&spec)?;
    let seccomp = value.pointer("/linux/seccomp").ok_or("no filter in the specification")?;
    fs::write(folder.join("seccomp.json"), serde_json::to_vec(seccomp)?)?;
    let program = compile(&filter).map_err(|refused| refused.to_string())?;
    let word = |it: &Instruction| {
        let mut bytes = Vec::from(it.code.to_ne_bytes());
        bytes.extend([it.jump_true, it.jump_false]);
        bytes.extend(it.value.to_ne_bytes());
        bytes
    };
    let bytes: Vec<u8> = program.iter().flat_map(word).collect();
    Ok(fs::write(folder.join("filter.bpf"), bytes)?)
}

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    // For its kernel.
    let ours = bench.machine("runtimes-kernel", &container("none", &["stamp-and-stay"], ""))?;
    let machine = boot(&bench.peer(&RUNTIMES, &ours)?, "", RUNTIMES.init)?;
    machine.wait_for_console("rounds are over")?;
    let console = machine.console();
    drop(machine);
    table.begin("one bundle, guest ms: create, start, run, delete; in brackets to the first instruction");
    let mut limit = f64::NAN;
    for (name, what) in WHO {
        let (mut whole, mut first) = (Vec::new(), Vec::new());
        for round in console.split(&format!("begin {name} ")).skip(1) {
            let round = format!("begin {round}");
            let at = |words: &str| number_after(&round, words);
            if let (Some(begin), Some(inside), Some(end)) = (at("begin "), at("inside "), at("end ")) {
                whole.push(milliseconds(end.saturating_sub(begin)));
                first.push(milliseconds(inside.saturating_sub(begin)));
            }
        }
        let (whole, first) = (median(whole).unwrap_or(f64::NAN), median(first).unwrap_or(f64::NAN));
        if limit.is_nan() {
            limit = whole;
        }
        table.row(what, format!("{whole:.2} ({first:.2}), {:.2} x", whole / limit));
    }
    Ok(())
}
