//! Probes of what must still be possible: a seal that breaks the work is no seal.

use super::{Outcome, Probe, SUCCESS};
use crate::seal::sys;

pub(super) fn probes() -> Vec<Probe> {
    let probe = |name: &str, attempt: &str, run: fn() -> Outcome| Probe {
        name: name.to_owned(),
        attempt: attempt.to_owned(),
        layers: vec![],
        expected: vec![SUCCESS],
        open: vec![],
        run: Box::new(run),
    };
    vec![
        probe("random", "getrandom, must be possible", || {
            let mut bytes = [0_u8; 16];
            let args = [bytes.as_mut_ptr() as usize, bytes.len(), 0, 0, 0, 0];
            // SAFETY: writes at most the given length into a local that lives through the call.
            let drawn = unsafe { sys::call(libc::SYS_getrandom, args) };
            Outcome::from(drawn.map(drop))
        }),
        probe("yield", "sched_yield, must be possible", || {
            std::thread::yield_now();
            Outcome::Answer(SUCCESS)
        }),
    ]
}
