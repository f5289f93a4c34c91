//! How much memory a model needs, and what a process uses: figures from proc(5).

use super::manifest::{self, Manifest};
use super::store::{directory_bytes, file_bytes};
use crate::error::{Error, Result};
use crate::files;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What the tokenizer, the grammar's index and one step's intermediate values take, at most; 240 MB were
/// seen with the 1.5B model.
const WORK: u64 = 320 << 20;

/// What running a model takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Its weights: mapped from a file when they are prepared for this processor.
    pub weights: u64,
    /// Keys and values of the whole context.
    pub cache: u64,
    /// The rest.
    pub work: u64,
}

impl Need {
    /// What an imported model takes with a context of `context` tokens. A form that isn't prepared is
    /// laid out anew when it is loaded, which takes its size twice.
    pub fn of(dir: &Path, manifest: &Manifest, context: u32) -> Self {
        let plain = match &manifest.ready {
            None => file_bytes(&dir.join(manifest::WEIGHTS)),
            Some(_) => manifest.gguf_bytes,
        };
        let prepared = directory_bytes(&dir.join(manifest::PREPARED));
        let context = context.min(manifest.trained_context);
        Self {
            weights: if prepared > 0 { plain } else { 2 * plain },
            cache: manifest.cache_bytes_per_token() * u64::from(context),
            work: WORK,
        }
    }
    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights
            .saturating_add(self.cache)
            .saturating_add(self.work)
    }
    /// Demands that it fits into what is free and into the limit of the process.
    ///
    /// # Errors
    /// [`crate::error::ExitCode::LimitReached`], with every figure.
    pub fn demand(&self, name: &str, available: Option<u64>, limit: u64) -> Result<()> {
        let needs = format!(
            "{name} needs {} of memory (weights {}, context {}, work {})",
            show(self.total()),
            show(self.weights),
            show(self.cache),
            show(self.work)
        );
        let hint =
            "choose a smaller model (narrowroom model list), a shorter --context, or --no-model";
        if self.total() > limit {
            return Err(
                Error::limit(format!("{needs}, and --max-memory allows {}", show(limit)))
                    .hint(format!("raise --max-memory, or {hint}")),
            );
        }
        match available {
            Some(free) if self.total() > free => Err(Error::limit(format!(
                "{needs}, and {} are free on this machine",
                show(free)
            ))
            .hint(format!("free memory, or {hint}"))
            .transient()),
            _ => Ok(()),
        }
    }
}

/// Demands that a model of the store fits before anything of it is loaded.
///
/// # Errors
/// As [`Need::demand`]; refused when its folder is damaged.
pub fn demand(dir: &Path, context: u32, limit: u64) -> Result<()> {
    let manifest = Manifest::read(dir)?;
    Need::of(dir, &manifest, context).demand(&manifest.name, files::available_memory(), limit)
}

/// Resident memory of a process, in bytes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Usage {
    /// Memory of its own.
    pub anonymous: u64,
    /// Pages of files, which the kernel can give back.
    pub mapped: u64,
    /// The most it ever had.
    pub peak: u64,
}

impl Usage {
    /// What a process uses now; none when it is gone.
    pub fn of(process: u32) -> Option<Self> {
        Self::parse(&files::read_text(Path::new(&format!("/proc/{process}/status"))).ok()?)
    }
    /// What this process uses now.
    pub fn own() -> Self {
        Self::of(std::process::id()).unwrap_or_default()
    }
    fn parse(status: &str) -> Option<Self> {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(kib * 1024)
        };
        Some(Self {
            anonymous: field("RssAnon:")?,
            mapped: field("RssFile:")? + field("RssShmem:").unwrap_or(0),
            peak: field("VmHWM:")?,
        })
    }
    /// The larger of each.
    pub fn most(self, other: Self) -> Self {
        Self {
            anonymous: self.anonymous.max(other.anonymous),
            mapped: self.mapped.max(other.mapped),
            peak: self.peak.max(other.peak),
        }
    }
}

/// Bytes for a person: `1.9 GB`, `54 MB`.
pub fn show(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ExitCode;

    #[test]
    fn what_does_not_fit_is_refused_with_its_figures() {
        let need = Need {
            weights: 1_900_000_000,
            cache: 112_000_000,
            work: 300_000_000,
        };
        need.demand("m", Some(2_400_000_000), u64::MAX).unwrap();
        need.demand("m", None, u64::MAX).unwrap();
        let short = need.demand("m", Some(1_000_000_000), u64::MAX).unwrap_err();
        assert_eq!(short.exit, ExitCode::LimitReached);
        assert!(short.transient);
        for figure in ["2.3 GB", "1.9 GB", "112 MB", "1.0 GB are free"] {
            assert!(short.message.contains(figure), "{figure}: {short}");
        }
        let limited = need.demand("m", None, 2_000_000_000).unwrap_err();
        assert!(limited.message.contains("--max-memory allows 2.0 GB") && !limited.transient);
    }

    #[test]
    fn usage_is_read_as_the_kernel_writes_it() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nRssAnon:\t  100 kB\nRssFile:\t   20 kB\nRssShmem:\t    4 kB\n";
        assert_eq!(
            Usage::parse(status),
            Some(Usage {
                anonymous: 102_400,
                mapped: 24_576,
                peak: 2_097_152
            })
        );
        assert!(Usage::own().anonymous > 0);
        assert_eq!(Usage::of(u32::MAX), None);
    }
}
