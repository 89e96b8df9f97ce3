//! The role `orlop supervisor`.

use super::{Agent, say};
use crate::linux::kmsg::{self, Level};
use crate::linux::process;

/// Runs the role. The value is the process's exit code.
pub fn run() -> i32 {
    kmsg::open_log();
    std::panic::set_hook(Box::new(|info| say(Level::Error, &format!("supervisor: {info}"))));
    process::set_name(c"orlop-super");
    match Agent::start() {
        Ok(mut agent) => loop {
            if let Err(errno) = agent.turn() {
                say(Level::Error, &format!("supervisor: the loop failed: {}", errno.desc()));
                return 1;
            }
        },
        Err(errno) => {
            say(Level::Error, &format!("supervisor: cannot start: {}", errno.desc()));
            1
        }
    }
}
