//! One bundle, run by every runtime and by the program that makes the system calls of a container only:
//! one after the other in one machine, round after round.

use std::fs;
use std::path::Path;

use orlop::container::seccomp::{Instruction, Seccomp, allowed, compile};
use orlop::container::spec::Spec;

use crate::Result;
use crate::guest::{Bench, Peer, boot, container, milliseconds, number_after};
use crate::smallest::{Least, smallest};
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

/// The capabilities of a container of a machine that asks for none (`tests/specs/plain.steps`).
const USUAL: u64 = 1531;

/// Writes what `make-peers.sh` needs of ours: the filter of a container without capabilities, as the
/// specification has it (`seccomp.json`) and as the kernel (`filter.bpf`); and that of a container of a
/// machine (`machine.bpf`).
pub(crate) fn write_filter(folder: &Path) -> Result<()> {
    let filter: Seccomp = allowed(0);
    let spec = Spec {
        linux: orlop::container::spec::Linux { seccomp: Some(filter.clone().into()), ..Default::default() },
        ..Spec::default()
    };
    let value = serde_json::to_value(&spec)?;
    let seccomp = value.pointer("/linux/seccomp").ok_or("no filter in the specification")?;
    fs::write(folder.join("seccomp.json"), serde_json::to_vec(seccomp)?)?;
    for (name, filter) in [("filter", filter), ("machine", allowed(USUAL))] {
        let program = compile(&filter).map_err(|refused| refused.to_string())?;
        fs::write(folder.join(format!("{name}.bpf")), bytes(&program))?;
        for (kind, least) in [("short", Least::Instructions), ("flat", Least::Steps)] {
            let least = smallest(&program, least).ok_or("the filter is not of the usual form")?;
            same_verdicts(&program, &least)?;
            fs::write(folder.join(format!("{name}-{kind}.bpf")), bytes(&least))?;
        }
    }
    Ok(())
}

/// Of every number and architecture, with arguments of all kinds.
fn same_verdicts(one: &[Instruction], other: &[Instruction]) -> Result<()> {
    let constants = one.iter().map(|it| u64::from(it.value));
    let arguments: Vec<u64> =
        constants.flat_map(|it| [it, !it, it << 32, it | 1 << 40]).chain([0, u64::MAX]).collect();
    for architecture in [0xc000_003e, 0x4000_0003, 0xc000_00b7, 0] {
        for number in (0..1024).chain([0x4000_0000, 0x4000_0001, u32::MAX]) {
            for argument in &arguments {
                let call = Call { number, architecture, argument: *argument };
                if call.verdict(one) != call.verdict(other) {
                    return Err(format!("two filters differ on {number} of {architecture:#x}").into());
                }
            }
        }
    }
    Ok(())
}

/// All of its arguments are the same.
struct Call {
    number: u32,
    architecture: u32,
    argument: u64,
}

impl Call {
    /// As the kernel finds it. `None`: it would not have taken the program.
    fn verdict(&self, program: &[Instruction]) -> Option<u32> {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let it = program.get(at)?;
            let mut jump = |yes: bool| at += usize::from(if yes { it.jump_true } else { it.jump_false });
            match (it.code, it.value) {
                (0x06, value) => return Some(value),
                (0x20, 0) => loaded = self.number,
                (0x20, 4) => loaded = self.architecture,
                (0x20, offset) if offset % 8 == 0 => loaded = self.argument as u32,
                (0x20, _) => loaded = (self.argument >> 32) as u32,
                (0x54, mask) => loaded &= mask,
                (0x05, far) => at += far as usize,
                (0x15, value) => jump(loaded == value),
                (0x25, value) => jump(loaded > value),
                (0x35, value) => jump(loaded >= value),
                _ => return None,
            }
            at += 1;
        }
    }
}

/// As the kernel takes it.
fn bytes(program: &[Instruction]) -> Vec<u8> {
    let word = |it: &Instruction| {
        let mut bytes = Vec::from(it.code.to_ne_bytes());
        bytes.extend([it.jump_true, it.jump_false]);
        bytes.extend(it.value.to_ne_bytes());
        bytes
    };
    program.iter().flat_map(word).collect()
}

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    // For its kernel.
    let ours = bench.machine("runtimes-kernel", &container("none", &["stamp-and-stay"], ""))?;
    let machine = boot(&bench.peer(&RUNTIMES, &ours)?, "", RUNTIMES.init)?;
    machine.wait_for_console("rounds are over")?;
    let console = machine.console();
    drop(machine);
    filters(&console, table);
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

/// Ours, and those of the same verdicts that nothing makes shorter.
fn filters(console: &str, table: &mut Table) {
    table.begin("the filter over system calls put in place, guest µs");
    for name in ["filter", "machine"] {
        let took =
            |kind: &str| Some(number_after(console, &format!("filter {name}{kind}.bpf "))? as f64 / 1000.0);
        let (Some(ours), Some(short), Some(flat)) = (took(""), took("-short"), took("-flat")) else {
            continue;
        };
        let smallest = short.min(flat);
        table.row(&format!("{name}: ours"), format!("{ours:.0}, {:.2} x", ours / smallest));
        table.row("    the smallest, of least instructions (wanted: 1.2 x)", format!("{short:.0}"));
        table.row("    the smallest, of least steps", format!("{flat:.0}"));
    }
}
