//! The allocator of the whole program: dlmalloc behind a lock of one exchange.
//!
//! The crate's own lock is a mutex of pthread, which costs more than what it guards. There is one thread
//! here; should there ever be another, it waits for the first in a loop that gives the processor away.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use dlmalloc::Dlmalloc;

pub struct Allocator {
    taken: AtomicBool,
    heap: UnsafeCell<Dlmalloc>,
}

// SAFETY: the heap is used by whoever has taken it, and by nobody else.
unsafe impl Sync for Allocator {}

impl Allocator {
    #[must_use]
    pub const fn new() -> Self {
        Self { taken: AtomicBool::new(false), heap: UnsafeCell::new(Dlmalloc::new()) }
    }

    #[inline]
    fn with<T>(&self, what: impl FnOnce(&mut Dlmalloc) -> T) -> T {
        while self.taken.swap(true, Ordering::Acquire) {
            // SAFETY: takes nothing.
            unsafe { libc::sched_yield() };
        }
        // SAFETY: it was taken just now, and is let go below.
        let done = what(unsafe { &mut *self.heap.get() });
        self.taken.store(false, Ordering::Release);
        done
    }
}

// SAFETY: dlmalloc keeps the promises of an allocator, and what is asked goes to it as it came.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout.
        self.with(|heap| unsafe { heap.malloc(layout.size(), layout.align()) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout.
        self.with(|heap| unsafe { heap.calloc(layout.size(), layout.align()) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller got it from here, with this layout.
        self.with(|heap| unsafe { heap.free(memory, layout.size(), layout.align()) });
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller got it from here, with this layout.
        self.with(|heap| unsafe { heap.realloc(memory, layout.size(), layout.align(), size) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the program's: asked by many at once, it gives each memory of its own.
    #[test]
    fn memory_is_given_once_and_keeps_what_is_in_it() {
        static HEAP: Allocator = Allocator::new();
        let work = |mark: u8| {
            let layout = Layout::array::<u8>(100).unwrap();
            for round in 0..2000 {
                // SAFETY: allocated, written and freed with one layout.
                unsafe {
                    let memory = if round % 2 == 0 { HEAP.alloc(layout) } else { HEAP.alloc_zeroed(layout) };
                    assert!(!memory.is_null() && (round % 2 == 0 || *memory.add(99) == 0));
                    memory.write_bytes(mark, 100);
                    let more = HEAP.realloc(memory, layout, 5000);
                    let larger = Layout::array::<u8>(5000).unwrap();
                    assert!((0..100).all(|at| *more.add(at) == mark));
                    HEAP.dealloc(more, larger);
                }
            }
        };
        std::thread::scope(|scope| (1..5).for_each(|mark| drop(scope.spawn(move || work(mark)))));
    }
}
