//! The command line of `orlop-vm`.

fn main() {}
