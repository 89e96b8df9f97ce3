//! ACT: the binary. Chooses the role: init, supervisor, helper, or a person's command.

#![deny(unsafe_code)]

mod agent;
mod linux;

fn main() {}
