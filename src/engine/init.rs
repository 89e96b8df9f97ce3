//! Process 1 of a container whose program was not written to be one: passes signals on to it, reaps
//! whatever else ends, and ends as the program does.
//!
//! It is a copy of the process that would have become the program, with its filter, its user and no
//! capability more. It holds nothing open, and is not dumpable: for the container there is nothing in it.

use crate::linux::process::{self, Forked};
use crate::linux::{Errno, Result, fd, signal, wait};

/// When nothing is known of the program's end.
const LOST: i32 = 255;

/// Returns in a child of the init, which goes on to be the program.
///
/// # Errors
/// As fork(2).
pub fn become_init() -> Result<()> {
    // What comes from here on waits until somebody listens: PID 1 would not even notice.
    signal::block_all();
    match process::fork()? {
        Forked::Child => {
            // Who types at a terminal means the program.
            process::new_group_in_front();
            signal::reset();
            Ok(())
        }
        Forked::Parent { child } => {
            fd::close_from(0);
            process::set_name(c"orlop-init");
            process::exit_now(serve(child))
        }
    }
}

/// Until the program has ended: its status, as shells have it.
fn serve(program: i32) -> i32 {
    loop {
        let signal = signal::wait_for_any();
        if signal != libc::SIGCHLD {
            signal::send_to_child(program, signal);
            continue;
        }
        loop {
            match wait::reap_any() {
                Ok(Some(ended)) if ended.pid == program => return status(ended),
                Ok(Some(_)) => {}
                Ok(None) => break,
                // Nobody else could have reaped it, and yet it is gone.
                Err(Errno::ECHILD) => return LOST,
                Err(_) => break,
            }
        }
    }
}

fn status(ended: wait::Reaped) -> i32 {
    if ended.code == libc::CLD_EXITED { ended.status } else { 128 + ended.status }
}
