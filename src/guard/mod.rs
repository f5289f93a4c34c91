//! The guard: a secret-safe review of what a change adds, before it is published.
//!
//! Owns: reading patches ([`patch`]), the scan of added text ([`scan`] and what it uses), accepted
//! findings (comments, baseline, `.narrowroomignore`), the Git hook, the report `narrowroom.guard/v1`.
//! Zones: 0 starts `git` and copies its output, unread, into a sealed worker ([`run`], [`git`],
//! [`host`], [`hook`]); zone 1 or 3 parses and scans it ([`worker`]); with a model, zone 2 reviews the
//! masked text and zone 3 verifies what it says ([`review`]). Touches: in zone 0 the files that are
//! named on the command line, `git`, the hooks directory; in the worker its standard input.
//!
//! Formats read: unified and combined diffs, any file, gitignore syntax, the baseline
//! `narrowroom.guard-baseline/v1`. Nothing of a value leaves the worker; see [`fingerprint`].

mod accept;
mod doubtful;
mod ending;
mod file;
mod fingerprint;
mod git;
mod hook;
mod host;
mod model;
mod patch;
mod remarks;
mod review;
mod run;
mod scan;
mod suspect;
mod text;
mod worker;

pub use accept::{BASELINE_FILE, IGNORE_FILE, baseline_text};
pub use ending::exit;
pub use hook::{Installed, install, uninstall};
pub use model::*;
pub use review::ReviewSummary;
pub use run::{Request, What, run};
pub use text::{render, render_suppressed};

pub(crate) use review::room_main as review_main;
pub(crate) use worker::main as scan_main;
