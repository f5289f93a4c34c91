//! Many bundles: an immutable plan, workers within a budget, results that survive `kill -9`, one
//! merged file.
//!
//! Owns: the manifest (`narrowroom.batch/v1`), the batch directory, the merged file
//! (`narrowroom.batch-merged/v1`). Touches: the files it names, through [`crate::files`], and runs by
//! [`crate::triage`]. Zone: 0. Each bundle has its own sealed processes; nothing that saw one bundle
//! is used for another.
//!
//! ```text
//! OUT/manifest.json        the manifest that OUT belongs to
//! OUT/lock, OUT/lock-<K>   held while a batch, or its shard K, runs
//! OUT/claims/<item>.json   written before an item starts: the id its run will have
//! OUT/runs/…               the runs; those of tenant T below tenants/T
//! OUT/results/<item>.json  the item's only result, final
//! OUT/open/<item>.json     why an item has no result yet
//! OUT/summary….{json,html,md}
//! ```
//! What makes it safe to kill at any point: a run is whole or absent; its id is on disk before it
//! starts; a result is written after its run. So at a restart an item has a result (left alone), or a
//! claim with a whole run (adopted), or a claim without one (run again; what was half done is
//! swept), or nothing.

mod budget;
mod desk;
mod item;
mod manifest;
mod merge;
mod plan;
mod run;
mod shard;
mod summary;
mod summary_pages;
mod summary_text;
mod tenant;

pub use budget::{Budget, Fit, Need, parse_bytes, show_bytes};
pub use desk::{Desk, State};
pub use item::{Ended, Failure, ItemResult, Open};
pub use manifest::{Item, Manifest, ModelPin, Program, Settings};
pub use merge::{MergeRequest, MergedHead, MergedItem, merge};
pub use plan::{PlanRequest, Planned, plan};
pub use run::{Order, Progressed, RunOptions, Watcher, run};
pub use shard::{Shard, shard_from};
pub use summary::{Summary, summarise};
pub use summary_pages::{html, markdown};
pub use summary_text::text;
pub use tenant::TenantFrom;
