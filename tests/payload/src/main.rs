//! The program inside the test containers: does one odd thing by name.

fn main() {}
