//! Makes system calls of Orlop fail on a machine: the n-th one that a process of a kind makes, with this errno.
//!
//! A tracer follows PID 1 and all that it starts, by ptrace(2), until a program of somebody else is executed: that one
//! goes on alone. A call that is to fail is never made, and returns what was asked. A driver, another process, says
//! which, does something with the machine meanwhile, and looks whether all is well afterwards. Orlop itself is not
//! changed for it, and whatever calls the kernel can be hit: its wrappers, the libraries below them, the C library.

mod call;
mod driver;
mod order;
mod sight;
mod tracer;

use std::fs;

use crate::system::{self, Fork, check, fork};
use order::Order;

/// The observer's part: never returns while PID 1 lives. The script is in a file, a line an errand: see [`driver`].
pub(crate) fn run(path: &str, ready: i32, say: fn(&str)) -> Result<(), String> {
    let script = fs::read_to_string(path).map_err(|e| format!("{path}: {e}"))?;
    let order = Order::shared().map_err(|e| format!("mmap: {e}"))?;
    let mut lines = script.lines().peekable();
    if let Some(boot) = lines.next_if(|line| line.starts_with("boot ")) {
        driver::arm_for_boot(order, boot)?;
    }
    let mut tracer = tracer::Tracer::new(order);
    tracer.seize(1).map_err(|e| format!("ptrace of 1: {e}"))?;
    // What follows is a copy, that is not traced.
    if let Fork::Child = fork().map_err(|e| format!("fork: {e}"))? {
        if let Err(text) = driver::drive(order, lines, say) {
            say(&format!("failed {text}"));
        }
        system::exit_now(0);
    }
    // SAFETY: one byte of a constant; PID 1 waits for it.
    check(unsafe { libc::write(ready, c"!".as_ptr().cast(), 1) } as i64)
        .map_err(|e| format!("ready: {e}"))?;
    tracer.follow();
    Ok(())
}
