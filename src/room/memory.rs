//! What a sealed worker does when its memory limit is met: it ends with a status of its own.
//!
//! The standard library would abort, and an abort sends a signal to itself, which the seal refuses:
//! it would look like a crash. Zone 0 keeps the ordinary behaviour.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

/// Status of a worker that ran out of memory; no other part of a worker ends with it.
pub const STATUS: i32 = 77;

static IN_WORKER: AtomicBool = AtomicBool::new(false);

/// The system's allocator, which ends a worker that it can give nothing.
struct Bounded;

#[global_allocator]
static BOUNDED: Bounded = Bounded;

/// From now on this process ends when an allocation fails.
pub(super) fn end_when_short() {
    IN_WORKER.store(true, Ordering::Relaxed);
}

fn given(pointer: *mut u8) -> *mut u8 {
    if pointer.is_null() && IN_WORKER.load(Ordering::Relaxed) {
        // SAFETY: takes a number and does not return; nothing of this process is needed any more.
        unsafe { libc::_exit(STATUS) }
    }
    pointer
}

// SAFETY: every call is the system allocator's, with the caller's own arguments.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        given(unsafe { System.alloc(layout) })
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc_zeroed`.
        given(unsafe { System.alloc_zeroed(layout) })
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::realloc`.
        given(unsafe { System.realloc(pointer, layout, size) })
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
