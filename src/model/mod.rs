//! The local model: from a GGUF file to tokens, inside this process, without a network.
//!
//! Owns the model store and everything about inference. Importing, preparing and measuring (zone 0, never in a
//! process that holds a bundle) read a GGUF file and write the store. Running (zone 2, the sealed room)
//! reads one model's folder and nothing else: [`Runtime::load`] before the seal, [`Model::open`] under
//! it, and after that only memory and waiting. `unsafe` is used here for memory maps and for the
//! environment variable that ONNX Runtime reads while it is loaded.
//!
//! Formats read: GGUF 2 and 3 (untrusted). Formats written: ONNX with external data, JSON.

mod bench;
mod constrain;
mod engine;
mod fetch;
mod generate;
pub mod gguf;
mod import;
mod inspect;
mod lookup;
mod manifest;
mod memory;
mod onnx;
pub mod prefix;
pub mod prepare;
mod runtime;
mod sample;
mod source;
mod steps;
pub mod store;
mod tokenizer;
mod words;

#[cfg(test)]
mod reference;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use bench::{Bench, BenchPlan, Rival, Series, bench};
pub use constrain::{Grammar, GrammarSpec, quote_rule};
pub use engine::{Model, ModelFacts, RunOptions, Stats};
pub use fetch::fetch;
pub use generate::{GenerateRequest, Generated, Progress, Scored, StopReason, Timings};
pub use import::{ImportProgress, import};
pub use inspect::{Inspection, inspect_file, inspect_model, tokenizer_of_file, tokenizer_of_model};
pub use manifest::{Manifest, Stored};
pub use memory::{Need, Usage, demand as demand_memory, show as show_bytes};
pub use onnx::Running;
pub use runtime::{PINNED, PinnedLibrary, Runtime};
pub use sample::Sampling;
pub use source::{Located, Source};
pub use store::{ModelId, Store};
pub use tokenizer::Tokenizer;
pub use tokenizer::template::Segment;
pub use words::Words;
