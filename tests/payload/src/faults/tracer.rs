//! Follows Orlop's processes by ptrace(2), and makes calls fail that the order names.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use super::order::{HELPER, INIT, INIT_CHILD, LOG, Order, SUPERVISOR, SUPERVISOR_CHILD};
use crate::system::check;

const OPTIONS: i32 = libc::PTRACE_O_TRACESYSGOOD
    | libc::PTRACE_O_TRACEEXEC
    | libc::PTRACE_O_TRACEFORK
    | libc::PTRACE_O_TRACEVFORK
    | libc::PTRACE_O_TRACECLONE;

#[cfg(target_env = "musl")]
type Request = libc::c_int;
#[cfg(not(target_env = "musl"))]
type Request = libc::c_uint;

const GET_SYSCALL_INFO: Request = 0x420e;
const AT_ENTRY: u8 = 1;

/// `struct ptrace_syscall_info` of ptrace(2), as it is at the beginning of a call.
#[repr(C)]
#[derive(Default)]
struct CallInfo {
    op: u8,
    architecture: u32,
    pointers: [u64; 2],
    number: u64,
    arguments: [u64; 7],
}

pub(super) struct Tracer {
    order: &'static Order,
    followed: BTreeMap<i32, Followed>,
    /// New ones whose parent's word has not come yet; they stand still.
    unknown: Vec<i32>,
}

struct Followed {
    kind: u32,
    /// What the call that it is in returns, which is not made.
    fails: Option<i32>,
}

fn ptrace(request: Request, pid: i32, address: usize, data: usize) -> io::Result<i64> {
    // SAFETY: the kernel reads and writes only what `data` points to for requests that have it so.
    check(unsafe { libc::ptrace(request, pid, address, data) })
}

impl Tracer {
    pub(super) fn new(order: &'static Order) -> Self {
        Self { order, followed: BTreeMap::new(), unknown: Vec::new() }
    }

    /// It stands still at its next call, at once if it is in one.
    pub(super) fn seize(&mut self, pid: i32) -> io::Result<()> {
        ptrace(libc::PTRACE_SEIZE, pid, 0, OPTIONS as usize)?;
        ptrace(libc::PTRACE_INTERRUPT, pid, 0, 0)?;
        // Until it executes the init that is meant, it is nobody.
        self.followed.insert(pid, Followed { kind: 0, fails: None });
        Ok(())
    }

    /// Until nobody is left.
    pub(super) fn follow(&mut self) {
        loop {
            let mut status = 0;
            // SAFETY: `status` lives through the call.
            let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) };
            if pid < 0 {
                return;
            }
            if !libc::WIFSTOPPED(status) {
                self.followed.remove(&pid);
                self.unknown.retain(|one| *one != pid);
                continue;
            }
            self.stopped(pid, libc::WSTOPSIG(status), status >> 16);
        }
    }

    fn stopped(&mut self, pid: i32, signal: i32, event: i32) {
        if !self.followed.contains_key(&pid) {
            self.unknown.push(pid);
            return;
        }
        match event {
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => {
                self.has_child(pid);
                resume(pid, 0);
            }
            libc::PTRACE_EVENT_EXEC => self.executed(pid),
            // Stopped by a signal: until another lets it go on.
            libc::PTRACE_EVENT_STOP if signal != libc::SIGTRAP => {
                let _ = ptrace(libc::PTRACE_LISTEN, pid, 0, 0);
            }
            libc::PTRACE_EVENT_STOP => resume(pid, 0),
            _ if signal == libc::SIGTRAP | 0x80 => {
                self.called(pid);
                resume(pid, 0);
            }
            _ => resume(pid, signal),
        }
    }

    fn has_child(&mut self, parent: i32) {
        let mut child: libc::c_ulong = 0;
        if ptrace(libc::PTRACE_GETEVENTMSG, parent, 0, &raw mut child as usize).is_err() {
            return;
        }
        let child = i32::try_from(child).unwrap_or_default();
        let kind = match self.followed.get(&parent).map_or(HELPER, |it| it.kind) {
            INIT | INIT_CHILD => INIT_CHILD,
            SUPERVISOR | SUPERVISOR_CHILD => SUPERVISOR_CHILD,
            _ => HELPER,
        };
        self.followed.insert(child, Followed { kind, fails: None });
        if let Some(at) = self.unknown.iter().position(|one| *one == child) {
            self.unknown.swap_remove(at);
            resume(child, 0);
        }
    }

    /// Another program than ours is let go.
    fn executed(&mut self, pid: i32) {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = words.split(|byte| *byte == 0);
        let kind = match (words.next(), words.next()) {
            _ if pid == 1 => INIT,
            (Some(b"orlop"), Some(b"supervisor")) => SUPERVISOR,
            (Some(b"orlop"), Some(b"log")) => LOG,
            (Some(b"orlop"), _) => HELPER,
            _ => {
                self.followed.remove(&pid);
                let _ = ptrace(libc::PTRACE_DETACH, pid, 0, 0);
                return;
            }
        };
        self.followed.insert(pid, Followed { kind, fails: None });
        resume(pid, 0);
    }

    /// At the beginning of a call, or at its end.
    fn called(&mut self, pid: i32) {
        let Some(followed) = self.followed.get_mut(&pid) else { return };
        let mut info = CallInfo::default();
        let size = size_of_val(&info);
        if ptrace(GET_SYSCALL_INFO, pid, size, &raw mut info as usize).is_err() {
            return;
        }
        if info.op == AT_ENTRY {
            let number = i64::try_from(info.number).unwrap_or(-1);
            followed.fails = self.order.judge(followed.kind, number);
            if followed.fails.is_some() {
                set_number(pid, -1);
            }
        } else if let Some(errno) = followed.fails.take() {
            set_result(pid, -i64::from(errno));
        }
    }
}

fn resume(pid: i32, signal: i32) {
    // One that was killed meanwhile is gone.
    let _ = ptrace(libc::PTRACE_SYSCALL, pid, 0, usize::try_from(signal).unwrap_or_default());
}

/// Where the kernel keeps them in `struct user`, in words of 8 bytes; as in sys/reg.h.
#[cfg(target_arch = "x86_64")]
mod register {
    pub(super) const RESULT: usize = 10 * 8;
    pub(super) const NUMBER: usize = 15 * 8;
}

#[cfg(target_arch = "x86_64")]
fn set_number(pid: i32, number: i64) {
    let _ = ptrace(libc::PTRACE_POKEUSER, pid, register::NUMBER, number as usize);
}

#[cfg(target_arch = "x86_64")]
fn set_result(pid: i32, result: i64) {
    let _ = ptrace(libc::PTRACE_POKEUSER, pid, register::RESULT, result as usize);
}

/// The machines of the tests are of one architecture.
#[cfg(not(target_arch = "x86_64"))]
fn set_number(_: i32, _: i64) {}

#[cfg(not(target_arch = "x86_64"))]
fn set_result(_: i32, _: i64) {}
