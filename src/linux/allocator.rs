//! The allocator of the whole program: dlmalloc behind a lock of one exchange.
//!
//! The crate's own lock is a mutex of pthread, which costs more than what it guards. There is one thread
//! here; should there ever be another, it waits for the first in a loop that gives the processor away.
//!
//! A process that lives for milliseconds has no use for a heap, and should not write on its maker's: every
//! page that it touches there is copied first. It is given [`Fresh`] memory, one after the other, and gives
//! none of it back.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use dlmalloc::Dlmalloc;

pub struct Allocator {
    taken: AtomicBool,
    heap: UnsafeCell<Dlmalloc>,
    fresh: &'static Fresh,
}

// SAFETY: the heap is used by whoever has taken it, and by nobody else.
unsafe impl Sync for Allocator {}

/// More than a start takes. What asks for more (a large file that is read, a tree that is copied) goes on with
/// the heap.
const ROOM: usize = 128 << 10;

/// As every heap of a C library does; nix counts on it where it keeps control messages in bytes.
const ALIGNED: usize = 16;

/// Memory that nobody has touched yet, and that takes none until then.
#[repr(C, align(4096))]
pub struct Fresh {
    /// Where the free part begins; 0: nothing is given from here.
    next: AtomicUsize,
    room: UnsafeCell<[u8; ROOM]>,
}

// SAFETY: used after [`Allocator::use_fresh`] alone, by a process of one thread.
unsafe impl Sync for Fresh {}

impl Fresh {
    #[must_use]
    pub const fn new() -> Self {
        Self { next: AtomicUsize::new(0), room: UnsafeCell::new([0; ROOM]) }
    }

    fn begin(&self) -> usize {
        self.room.get() as usize
    }

    fn is_in_use(&self) -> bool {
        self.next.load(Ordering::Relaxed) != 0
    }

    fn has(&self, memory: *mut u8) -> bool {
        (self.begin()..self.begin() + ROOM).contains(&(memory as usize))
    }

    /// Null when there is no room, and from then on.
    fn give(&self, layout: Layout) -> *mut u8 {
        let at = self.next.load(Ordering::Relaxed).next_multiple_of(layout.align().max(ALIGNED));
        match at.checked_add(layout.size()) {
            Some(end) if end <= self.begin() + ROOM => {
                self.next.store(end, Ordering::Relaxed);
                self.room.get().cast::<u8>().wrapping_add(at - self.begin())
            }
            _ => {
                self.next.store(0, Ordering::Relaxed);
                core::ptr::null_mut()
            }
        }
    }

    /// Larger or smaller in its place, if it was given last.
    fn resize(&self, memory: *mut u8, old: usize, new: usize) -> bool {
        let (at, end) = (memory as usize, self.begin() + ROOM);
        let fits = self.next.load(Ordering::Relaxed) == at + old && new <= end - at;
        if fits {
            self.next.store(at + new, Ordering::Relaxed);
        }
        fits
    }
}

impl Allocator {
    #[must_use]
    pub const fn new(fresh: &'static Fresh) -> Self {
        Self { taken: AtomicBool::new(false), heap: UnsafeCell::new(Dlmalloc::new()), fresh }
    }

    /// From now on memory is fresh, and what was allocated before is not given back. For a process that was
    /// just made, has one thread and will soon execute another program, or end.
    pub fn use_fresh(&self) {
        self.fresh.next.store(self.fresh.begin(), Ordering::Relaxed);
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
        if self.fresh.is_in_use() {
            let memory = self.fresh.give(layout);
            if !memory.is_null() {
                return memory;
            }
        }
        // SAFETY: the caller's layout.
        self.with(|heap| unsafe { heap.malloc(layout.size(), layout.align()) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if self.fresh.is_in_use() {
            // SAFETY: the caller's layout.
            let memory = unsafe { self.alloc(layout) };
            if !memory.is_null() {
                // SAFETY: so many bytes were given just now. They may have been used before.
                unsafe { memory.write_bytes(0, layout.size()) };
            }
            return memory;
        }
        // SAFETY: the caller's layout.
        self.with(|heap| unsafe { heap.calloc(layout.size(), layout.align()) })
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if self.fresh.has(memory) {
            self.fresh.resize(memory, layout.size(), 0);
            return;
        }
        if self.fresh.is_in_use() {
            return;
        }
        // SAFETY: the caller got it from here, with this layout.
        self.with(|heap| unsafe { heap.free(memory, layout.size(), layout.align()) });
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if self.fresh.has(memory) && self.fresh.resize(memory, layout.size(), size) {
            return memory;
        }
        if self.fresh.has(memory) || self.fresh.is_in_use() {
            // SAFETY: the caller's alignment with a size that it promises to be possible with it.
            let new = unsafe { self.alloc(Layout::from_size_align_unchecked(size, layout.align())) };
            if !new.is_null() {
                // SAFETY: two different places, each of at least so many bytes.
                unsafe { new.copy_from_nonoverlapping(memory, layout.size().min(size)) };
            }
            return new;
        }
        // SAFETY: the caller got it from here, with this layout.
        self.with(|heap| unsafe { heap.realloc(memory, layout.size(), layout.align(), size) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Memory from a heap and, from somewhere within, from what is fresh; each keeps what is in it.
    #[test]
    fn fresh_memory_is_given_until_there_is_none_left() {
        static FRESH: Fresh = Fresh::new();
        static HEAP: Allocator = Allocator::new(&FRESH);
        let layout = |size, align| Layout::from_size_align(size, align).unwrap();
        // SAFETY: all is written within its size, and given back with its layout.
        unsafe {
            let before = HEAP.alloc(layout(100, 8));
            before.write_bytes(1, 100);
            HEAP.use_fresh();
            assert!(!FRESH.has(before));
            let grown = HEAP.realloc(before, layout(100, 8), 200);
            assert!(FRESH.has(grown) && (0..100).all(|at| *grown.add(at) == 1));
            let odd = HEAP.alloc(layout(3, 1));
            assert!((odd as usize).is_multiple_of(ALIGNED));
            let wide = HEAP.alloc(layout(64, 64));
            assert!((wide as usize).is_multiple_of(64) && FRESH.has(odd) && odd >= grown.add(200));
            wide.write_bytes(2, 64);
            assert_eq!(HEAP.realloc(wide, layout(64, 64), 128), wide, "given last");
            HEAP.dealloc(wide, layout(128, 64));
            let zeroed = HEAP.alloc_zeroed(layout(64, 64));
            assert!(zeroed == wide && (0..64).all(|at| *zeroed.add(at) == 0));
            let large = HEAP.alloc(layout(ROOM, 8));
            assert!(!FRESH.has(large) && !FRESH.is_in_use());
            large.write_bytes(3, ROOM);
            let moved = HEAP.realloc(grown, layout(200, 8), 300);
            assert!(!FRESH.has(moved) && (0..100).all(|at| *moved.add(at) == 1));
            HEAP.dealloc(odd, layout(3, 1));
            HEAP.dealloc(moved, layout(300, 8));
            HEAP.dealloc(large, layout(ROOM, 8));
        }
    }

    /// As the program's: asked by many at once, it gives each memory of its own.
    #[test]
    fn memory_is_given_once_and_keeps_what_is_in_it() {
        static FRESH: Fresh = Fresh::new();
        static HEAP: Allocator = Allocator::new(&FRESH);
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
