//! The table of figures: boots machines in which time is the number of instructions executed, Orlop's
//! and those of its peers, and prints what it saw side by side.
//!
//! A word on the command line names a section; without one all are made. What happens inside is
//! told by the program that stands between the kernel and the init, `tests/payload/src/witness.rs`.

mod boot;
mod closing;
mod control;
mod guest;
mod host;
mod memory;
mod output;
mod reaping;
mod runtimes;
mod sizes;
mod smallest;
mod start;
mod supervision;
mod table;

use std::process::ExitCode;

use guest::Bench;
use table::Table;

type Error = Box<dyn std::error::Error>;
type Result<T> = std::result::Result<T, Error>;

type Section = (&'static str, fn(&Bench, &mut Table) -> Result<()>);

const SECTIONS: [Section; 14] = [
    ("boot", boot::section),
    ("start", start::section),
    ("runtimes", runtimes::section),
    ("host", host::section),
    ("memory", memory::section),
    ("reaping", reaping::section),
    ("control", control::section),
    ("storm", control::storm),
    ("orphans", control::orphans),
    ("supervision", supervision::crashes),
    ("many", supervision::many),
    ("output", output::section),
    ("closing", closing::section),
    ("sizes", sizes::section),
];

fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if let [what, folder] = wanted.as_slice()
        && what == "write-filter"
    {
        return match runtimes::write_filter(folder.as_ref()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("bench: {folder}: {error}");
                ExitCode::FAILURE
            }
        };
    }
    let bench = match Bench::from_environment() {
        Ok(bench) => bench,
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    for (name, section) in SECTIONS {
        if !wanted.is_empty() && !wanted.iter().any(|word| word == name) {
            continue;
        }
        let mut table = Table::default();
        // What was measured before a failure is worth seeing.
        if let Err(error) = section(&bench, &mut table) {
            eprintln!("bench: {name}: {error}");
            code = ExitCode::FAILURE;
        }
        print!("{table}");
    }
    code
}
