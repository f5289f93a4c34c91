//! The report and its renderings: terminal, JSON, Markdown, HTML.
//!
//! Owns: the report's type and every escape function for the places it is shown.
//! Touches: nothing; renderers turn values into strings. Zone: types in all zones, renderers in zone 0.

pub mod model;
pub use model::*;
