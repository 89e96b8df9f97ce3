//! A machine without Orlop: built as any other, with the payload for its `/init`.

#[path = "../../../tests/vm/common/programs.rs"]
#[allow(dead_code, reason = "Orlop itself is not in these machines")]
mod programs;

use orlop_vm::{Accelerator, Built, TestMachine};

/// pvpanic beside what every machine loads: it tells QEMU of a panic.
const CONFIG: &str = "[host]\nmodules = [\"pvpanic-pci\"]\n";

pub(crate) fn build() -> Built {
    TestMachine::new("guest")
        .config(CONFIG)
        .init(programs::payload())
        // The trial of KVM has a test of its own.
        .with(|options| options.accelerator = Accelerator::Emulated)
        .build()
        .unwrap()
}
