//! Boots Orlop machines under QEMU, and lets a program drive them: tests, ours and users'.
//!
//! A machine is a folder that `orlop-image` built. [`Machine::boot`] starts it; the methods of
//! [`Machine`] talk to it over its control ports, read its console, press its buttons and cut its
//! power. Every wait has a deadline. What fails says so with the machine's console, and a kernel
//! that died is told apart from a machine that did not do what was expected.
//!
//! ```no_run
//! use orlop_vm::{End, Machine, Options};
//!
//! # fn main() -> Result<(), orlop_vm::Error> {
//! let machine = Machine::boot(&Options::new("build/demo"))?;
//! machine.wait_for("web", "running")?;
//! machine.power_button()?;
//! assert_eq!(machine.wait_for_end()?, End::PoweredOff);
//! # Ok(())
//! # }
//! ```
//!
//! [`TestMachine`] builds one from a configuration first, as tests want it.
//!
//! Dropping a machine ends its QEMU, and so does the end of this process, however it comes.

mod accelerator;
mod arguments;
mod calls;
mod client;
mod console;
mod disk;
mod end;
mod error;
mod launch;
mod machine;
mod monitor;
mod options;
mod pair;
mod ports;
mod qmp;
mod relay;
mod state;
mod test_machine;

pub use client::Client;
pub use end::End;
pub use error::{Error, Result};
pub use machine::Machine;
pub use options::{Accelerator, ConsoleCopy, Options, Publish, Reset, parse_memory};
pub use relay::ControlSocket;
pub use test_machine::{Built, TestMachine};
