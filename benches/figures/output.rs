//! What becomes of a GiB of output on its way from a program to where it is kept: how fast, at whose cost,
//! and whether it is all there.

use serde_json::{Value, json};

use crate::Result;
use crate::guest::{Bench, Peer, boot, boot_in, container, milliseconds, number_after};
use crate::memory::{look, ours, sum};
use crate::table::Table;

/// Enough for the rest of the logger's life not to count.
const OUTPUT: u64 = 64 << 20;
const TEXT: &str = "a line of the length that lines of programs often have, with a number before it";
/// Who looks at each line gets less.
const LESS: u64 = 8 << 20;

/// What a machine's script calls it, what it is, and how much it is told.
type Logger = (&'static str, &'static str, u64);
const LOGGERS: [Logger; 6] = [
    ("file", "no logger: the program writes into a file", OUTPUT),
    ("cat", "cat into a file", OUTPUT),
    ("conmon", "conmon 2.1.6, which podman has", LESS),
    ("s6-log", "s6-log 2.11.3", LESS),
    ("s6-log-t", "s6-log 2.11.3 with time stamps", LESS),
    ("journald", "journald 252", LESS),
];
const SHIM: [Logger; 1] = [("shim", "the shim of containerd 1.6.20", OUTPUT)];
const PEERS: [(Peer, &[Logger]); 2] = [
    (Peer { name: "loggers", archive: "loggers", init: "/init" }, &LOGGERS),
    (Peer { name: "containerd", archive: "containerd", init: "/init" }, &SHIM),
];

pub(crate) fn section(bench: &Bench, table: &mut Table) -> Result<()> {
    let bytes = OUTPUT.to_string();
    let quiet = bench.machine("output-quiet", &container("quiet", &["sleep"], ""))?;
    let loud = container("loud", &["write-timed", &bytes, TEXT], "restart = \"no\"");
    let loud = bench.machine("output-loud", &loud)?;
    let machine = boot(&loud, "", "/init")?;
    let written = written(&machine)?;
    drop(machine);
    let mut took = Vec::new();
    for machine in [&quiet, &loud] {
        let mut processes = ours(look(machine, "/init")?);
        processes.retain(|process| process.name.contains("log"));
        took.push(sum(&processes, |it| it.ran));
    }
    table.begin("log path, 64 KiB a write: guest s for a GiB, writer and logger together, and MB/s");
    row(table, "orlop log", written.took, OUTPUT);
    table.row("    lost without being counted, bytes (wanted: 0)", written.lost);
    if let [quiet, loud] = took.as_slice() {
        let gibibytes = OUTPUT as f64 / f64::from(1 << 30);
        let alone = loud.saturating_sub(*quiet) as f64 / 1e9 / gibibytes;
        table.number("    of it the logger alone (wanted: 1.2)", alone);
    }
    for (peer, loggers) in PEERS {
        let machine = boot_in(&bench.peer(&peer, &quiet)?, "", peer.init, 1 << 30)?;
        machine.wait_for_console("all is written")?;
        let console = machine.console();
        for (name, what, bytes) in loggers {
            match number_after(&console, &format!("logger {name} took ")) {
                Some(took) => row(table, what, took, *bytes),
                None => table.row(what, "no figure"),
            }
        }
    }
    Ok(())
}

fn row(table: &mut Table, who: &str, nanoseconds: u64, bytes: u64) {
    let seconds = milliseconds(nanoseconds) / 1000.0;
    let each = seconds * f64::from(1 << 30) / bytes as f64;
    table.row(who, format!("{each:.2} {:>6.0}", bytes as f64 / 1e6 / seconds));
}

struct Written {
    /// Nanoseconds.
    took: u64,
    /// Bytes that were written, and are neither kept nor counted as dropped.
    lost: i64,
}

fn written(machine: &orlop_vm::Machine) -> Result<Written> {
    machine.wait_for("loud", "exited")?;
    let (mut text, mut dropped) = (String::new(), 0);
    let parameters = json!({ "names": ["loud"], "lines": null, "follow": false });
    machine.stream("Logs", parameters, |answer| {
        for entry in answer.get("entries").and_then(Value::as_array).into_iter().flatten() {
            text.push_str(entry.get("text").and_then(Value::as_str).unwrap_or_default());
            dropped += entry.pointer("/dropped/bytes").and_then(Value::as_i64).unwrap_or_default();
        }
        true
    })?;
    let (_, last) = text.rsplit_once("wrote ").ok_or("the program did not say how long it took")?;
    let (bytes, took) = last.trim().split_once(" in ").ok_or("not how long it took")?;
    let all = bytes.parse::<i64>()? + i64::try_from("wrote ".len() + last.len())?;
    Ok(Written { took: took.parse()?, lost: all - i64::try_from(text.len())? - dropped })
}
