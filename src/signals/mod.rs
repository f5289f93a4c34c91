//! Typed facts with file and line, found without a model.
//!
//! Owns: the detectors and their ranking. Touches: the unpacked tree, read-only, through
//! [`crate::bundle::Tree`]. Zone: 2.
//!
//! Scale of [`Signal::strength`], so that detectors of different families compare:
//!
//! | strength | meaning | example |
//! |---|---|---|
//! | 0.90-0.97 | decisive and specific; an expert stops looking | container OOM-killed at its limit; connection-tracking table full |
//! | 0.70-0.89 | specific error of a component that visibly fails | missing environment variable in the last words of a crash-looping container |
//! | 0.40-0.69 | real fault, may be a side scene | a failed unit with its own error; repeated refused connections |
//! | 0.15-0.39 | odd, often harmless | rare error line in a log of a component that runs |
//! | below 0.15 | boot, collection and shutdown noise | not worth a signal |

pub mod model;
pub use model::*;
