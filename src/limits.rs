//! Every limit of a run in one table, with its default and the reason for it.
//!
//! Sizes are bytes, times are seconds. Each can be set on the command line; the record keeps what
//! was in force.

use serde::{Deserialize, Serialize};

/// The limits of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema, clap::Args)]
pub struct Limits {
    /// Bytes that the unpacked bundle may hold in all (gathers of 32 GiB exist)
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 30, help_heading = "Limits")]
    pub max_bytes: u64,
    /// Files the bundle may hold (host reports of 135,000 exist)
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000_000,
        help_heading = "Limits"
    )]
    pub max_files: u64,
    /// Bytes of the largest single file
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30, help_heading = "Limits")]
    pub max_file_bytes: u64,
    /// Wall-clock seconds for the whole run
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 900,
        help_heading = "Limits"
    )]
    pub max_seconds: u64,
    /// Tokens that the model may read and write in all
    #[arg(
        long,
        value_name = "N",
        default_value_t = 40_000,
        help_heading = "Limits"
    )]
    pub max_tokens: u64,
    /// Address space of each sealed process, in bytes (the largest supported model needs about 6 GiB)
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 30, help_heading = "Limits")]
    pub max_memory: u64,
    /// Context window asked of the model, in tokens
    #[arg(
        long,
        value_name = "N",
        default_value_t = 4096,
        help_heading = "Limits"
    )]
    pub context: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 30,
            max_files: 1_000_000,
            max_file_bytes: 4 << 30,
            max_seconds: 900,
            max_tokens: 40_000,
            max_memory: 16 << 30,
            context: 4096,
        }
    }
}
