//! What every promise starts from: a machine with Orlop, and the payload for its containers.

mod programs;

use orlop_vm::TestMachine;

/// `image = "dir:payload"` in the configuration is a root with nothing but `/payload`.
pub(crate) fn machine(name: &str, config: &str) -> TestMachine {
    TestMachine::new(name)
        .config(config)
        .program("payload", "payload", programs::find("payload"))
        .init(programs::find("orlop"))
}
