//! Put into the crate under test: which mutant is switched on, and which ones a test reaches.
//!
//! `MUTANT` names the one that is on. With `MUTANT_REACHED` the numbers of those that were asked for are written to that
//! file when the process ends.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

static ACTIVE: AtomicUsize = AtomicUsize::new(0);
static NOTING: AtomicBool = AtomicBool::new(false);
static REACHED: [AtomicBool; 1 << 16] = [const { AtomicBool::new(false) }; 1 << 16];
static BEGUN: Once = Once::new();

extern "C" fn tell() {
    let reached = REACHED.iter().enumerate();
    let reached = reached.filter(|(_, reached)| reached.load(Relaxed));
    let text: Vec<String> = reached.map(|(id, _)| id.to_string()).collect();
    if let Some(path) = std::env::var_os("MUTANT_REACHED") {
        let _ = std::fs::write(path, text.join("\n"));
    }
}

fn begin() {
    if let Some(id) = std::env::var("MUTANT").ok().and_then(|id| id.parse().ok()) {
        ACTIVE.store(id, Relaxed);
    }
    if std::env::var_os("MUTANT_REACHED").is_some() {
        NOTING.store(true, Relaxed);
        // SAFETY: `tell` touches nothing that is gone when a process ends.
        unsafe { libc::atexit(tell) };
    }
}

/// Whether this mutant is switched on.
#[inline(never)]
pub fn on(id: usize) -> bool {
    if !BEGUN.is_completed() {
        BEGUN.call_once(begin);
    }
    if NOTING.load(Relaxed) {
        REACHED[id].store(true, Relaxed);
    }
    ACTIVE.load(Relaxed) == id
}
