//! What breaks things on purpose.

use clap::{Subcommand, ValueEnum};

use super::options::signal_number;

#[derive(Debug, Subcommand)]
pub(crate) enum DebugCommand {
    /// Crash one of Orlop's own processes, to see the machine survive it
    #[command(after_help = "\
Examples:
  orlop debug crash supervisor
  orlop debug crash log --signal KILL
  orlop debug crash init --signal PWR

PID 1 survives every signal: TERM and PWR power the machine off, INT reboots it, others change
nothing. Needs `[host] fault_injection = true` in the machine's configuration.")]
    Crash {
        /// Which of them
        process: CrashProcess,
        /// How it dies
        #[arg(short, long, default_value = "SEGV", value_parser = signal_number)]
        signal: i32,
        /// So many supervisors after this one die before they serve; three lead to safe mode
        #[arg(long, value_name = "N", default_value = "0")]
        starts: u32,
        /// The supervisor goes on for so many steps of what it does for containers before it dies
        #[arg(long, value_name = "N", default_value = "0")]
        steps: u32,
    },

    /// Make processes whose parent ends before they do, to see PID 1 reap them
    #[command(after_help = "\
Examples:
  orlop debug orphans 20000
  orlop version                  how many were reaped

Needs `[host] fault_injection = true` in the machine's configuration.")]
    Orphans {
        /// How many
        count: u32,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum CrashProcess {
    Supervisor,
    Log,
    Forward,
    Keep,
    Init,
}
