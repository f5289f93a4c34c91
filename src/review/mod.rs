//! The person's part: reading a run claim by claim, deciding, signing, and what may be said to the
//! customer afterwards.
//!
//! Owns: `review.json` ([`Review`], `narrowroom.review/v1`), the rules of a review ([`Desk`]), its page
//! ([`serve`]) and its terminal ([`terminal`]), the queue over many runs ([`queue`]), the agreement of
//! people and model ([`stats`]) and the customer's reply ([`reply`]). Touches: `review.json` of one run
//! through [`crate::record`] and [`crate::files`], one listening socket on loopback, the terminal.
//! Zone: 0 and 4. It shows only what zone 3 let through; an edited claim goes through zones 1 and 3 again.
//!
//! `review.json` is written whole after every act of the person. Its history only grows: an undone
//! decision stays in it, with the undoing after it, and each entry carries the hash of the one before.
//! A sign-off names the files, the versions of the claims and the bytes that were shown, and is signed.

mod act;
mod apply;
mod check;
mod claims;
mod desk;
mod fold;
mod model;
mod page;
pub mod queue;
pub mod reply;
pub mod serve;
mod sign;
pub mod stats;
mod store;
pub mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use act::Action;
pub use apply::apply;
pub use check::{Checked, Standing, check};
pub use claims::{Claim, Content};
pub use desk::{Desk, Fault, Opening};
pub use fold::{Decided, Folded};
pub use model::{
    Agreement, Check, Decision, Entry, Event, Judged, Outcome as SignedOutcome, Review, SCHEMA,
    Shown, ShownClaim, SignOff, State, Surface,
};
pub use store::{DRAFT, FILE, load, pending};
