//! The command line of `orlop-image`.

fn main() {}
