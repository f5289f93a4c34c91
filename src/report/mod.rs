//! The report and its renderings: terminal, JSON, Markdown, HTML.
//!
//! Owns: the report's type and every escape function for the places it is shown.
//! Touches: nothing; renderers turn values into strings. Zone: types in all zones, renderers in zone 0.

pub mod escape;
pub mod html;
pub(crate) mod html_evidence;
mod html_sections;
pub mod markdown;
pub mod model;
pub mod sarif;
pub mod terminal;
pub mod view;
pub(crate) mod wording;
pub mod wrap;
pub use model::*;
pub use view::View;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
