//! What is to fail next, in memory that driver and tracer share: no lock, each word has one writer at a time.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// Kinds of processes, as bits.
pub(super) const INIT: u32 = 1;
/// A child of PID 1 that has not executed anything (yet): what becomes a supervisor, who unmounts, who reboots.
pub(super) const INIT_CHILD: u32 = 2;
pub(super) const SUPERVISOR: u32 = 4;
/// A child of the supervisor, and what that made, up to the container's own program.
pub(super) const SUPERVISOR_CHILD: u32 = 8;
pub(super) const LOG: u32 = 16;
/// Relays, the console's writer, and so on.
pub(super) const HELPER: u32 = 32;

pub(super) const KINDS: [(&str, u32); 6] = [
    ("init", INIT),
    ("init-child", INIT_CHILD),
    ("supervisor", SUPERVISOR),
    ("supervisor-child", SUPERVISOR_CHILD),
    ("log", LOG),
    ("helper", HELPER),
];

/// More calls than anything makes.
pub(super) const NEVER: u32 = u32::MAX;

#[derive(Default)]
pub(super) struct Order {
    /// Bits of the kinds whose calls count; 0: nobody's.
    pub(super) kinds: AtomicU32,
    pub(super) errno: AtomicI32,
    /// The one that fails, from 1.
    pub(super) nth: AtomicU32,
    /// So many after it another one does, and so on; 0: none.
    pub(super) every: AtomicU32,
    /// How many have been made since the order was given.
    pub(super) made: AtomicU32,
    /// Number of the call that failed last; -1 until then.
    pub(super) failed: AtomicI32,
}

impl Order {
    /// As long as the processes live.
    pub(super) fn shared() -> io::Result<&'static Self> {
        let (size, protection) = (size_of::<Self>(), libc::PROT_READ | libc::PROT_WRITE);
        let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
        // SAFETY: new memory, page-aligned, that is never unmapped; all zeroes are a valid order.
        unsafe {
            let memory = libc::mmap(std::ptr::null_mut(), size, protection, flags, -1, 0);
            if memory == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            let order = &*memory.cast::<Self>();
            order.failed.store(-1, Ordering::SeqCst);
            Ok(order)
        }
    }

    pub(super) fn give(&self, kinds: u32, errno: i32, nth: u32, every: u32) {
        self.kinds.store(0, Ordering::SeqCst);
        self.made.store(0, Ordering::SeqCst);
        self.failed.store(-1, Ordering::SeqCst);
        self.errno.store(errno, Ordering::SeqCst);
        self.nth.store(nth, Ordering::SeqCst);
        self.every.store(every, Ordering::SeqCst);
        self.kinds.store(kinds, Ordering::SeqCst);
    }

    /// How many calls were made, and the one that failed.
    pub(super) fn take_back(&self) -> (u32, Option<i32>) {
        self.kinds.store(0, Ordering::SeqCst);
        let failed = self.failed.load(Ordering::SeqCst);
        (self.made.load(Ordering::SeqCst), Some(failed).filter(|number| *number >= 0))
    }

    /// Asked before each call: the errno that it is to fail with.
    pub(super) fn judge(&self, kind: u32, number: i64) -> Option<i32> {
        if self.kinds.load(Ordering::SeqCst) & kind == 0 {
            return None;
        }
        let errno = self.errno.load(Ordering::SeqCst);
        if !super::call::can_fail(number, errno, kind) {
            return None;
        }
        let made = self.made.fetch_add(1, Ordering::SeqCst).wrapping_add(1);
        let after = made.checked_sub(self.nth.load(Ordering::SeqCst))?;
        // Of zero nothing is a multiple but zero.
        if !after.is_multiple_of(self.every.load(Ordering::SeqCst)) {
            return None;
        }
        self.failed.store(i32::try_from(number).unwrap_or_default(), Ordering::SeqCst);
        Some(errno)
    }
}
