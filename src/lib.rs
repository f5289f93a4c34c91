//! narrowroom: a local model triages a private diagnostic bundle inside a sealed room; a verifier
//! that does not guess checks every word before a person sees it. This file is the map.

pub mod bundle;
pub mod error;
pub mod report;
pub mod signals;
