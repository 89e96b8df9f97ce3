//! A container gets the CPU time that it was given, within a tenth, however much it wants.

use orlop_vm::Accelerator;

use crate::common::{container, world};

#[test]
fn cpu_quota_holds() {
    // Time by instructions: a busy host cannot take the processor away in the middle of a period. Long
    // enough that a period more or less is no tenth of it.
    let machine = world(&container("busy", "burn 4", "limits = { cpus = 0.25 }"))
        .options(|options| options.accelerator = Accelerator::InstructionCount)
        .boot();
    let text = machine.logged("busy", " s\n");
    let got: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    let wanted = 4_000_000 / 4;
    assert!(got.abs_diff(wanted) <= wanted / 10, "{got} us of {wanted}");
    machine.power_off();
}
