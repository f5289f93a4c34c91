//! narrowroom: a local model triages a private diagnostic bundle inside a sealed room; a verifier
//! that does not guess checks every word before a person sees it. This file is the map.
//!
//! Zones of trust: 0 coordinator ([`cli`], [`triage`], [`record`], [`audit`], [`attest`],
//! [`keys`], [`tenant`], [`files`]), 1 unpack
//! ([`bundle::unpack`]), 2 the room ([`profile`], [`signals`], [`playbook`], [`model`]), 3 verify
//! ([`verify`], [`secrets`]). [`room`] starts the sealed workers, [`seal`] closes them.
//!
//! The way of the data: bundle → [`bundle`] → [`profile`] → [`signals`] → [`playbook`] with
//! [`model`] → [`report`] → [`secrets`] → [`verify`] → [`record`] → renderings in [`report`].

pub mod attest;
pub mod audit;
pub mod batch;
pub mod bundle;
pub mod cli;
pub mod collect;
pub mod error;
pub mod escalate;
pub mod eval;
pub mod files;
pub mod guard;
pub mod keys;
pub mod limits;
pub mod model;
pub mod playbook;
pub mod profile;
pub mod record;
pub mod report;
pub mod review;
pub mod room;
pub mod seal;
pub mod secrets;
pub mod signals;
pub mod tenant;
pub mod triage;
pub mod verify;
