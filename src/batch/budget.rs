//! How many workers fit into a budget of memory and processors, and what each of them gets.
//!
//! A worker is one bundle at a time in sealed processes, one after the other, each held to
//! `max_memory` of the manifest by the kernel. The model's weights are mapped from one file, so all
//! workers share them. What does not fit is refused; nothing is made smaller to fit.

use super::Manifest;
use crate::error::{Error, Result};
use crate::files;
use std::path::{Path, PathBuf};

/// Kept free for the coordinator and the system when the budget is not given.
const SPARE: u64 = 256 << 20;

/// What may be used in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Budget {
    /// Bytes.
    pub memory: u64,
    /// Processors.
    pub cpus: u32,
}

/// What the work asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Need {
    /// Bytes that one worker may use.
    pub worker: u64,
    /// Bytes that all workers share: the model's weights.
    pub shared: u64,
    /// Threads of one worker.
    pub threads: u32,
    /// Context of one worker in tokens; `None`: no model.
    pub context: Option<u32>,
}

/// How many workers run, and in what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Fit {
    /// Workers.
    pub workers: u32,
    /// Workers that would fit.
    pub most: u32,
    /// The budget.
    pub budget: Budget,
    /// The need.
    pub need: Need,
}

impl Need {
    /// What `manifest` asks for; `weights`: bytes of the model's files.
    pub fn of(manifest: &Manifest, weights: u64) -> Self {
        let settings = &manifest.settings;
        let model = settings.model.is_some();
        Self {
            worker: settings.limits.max_memory,
            shared: if model { weights } else { 0 },
            // Without a model a worker is one busy thread, whatever was planned for the model.
            threads: if model { settings.threads.max(1) } else { 1 },
            context: model.then_some(settings.limits.context),
        }
    }
}

impl Fit {
    /// Fits workers into `budget`: `wanted`, or as many as there is room and work for.
    ///
    /// # Errors
    /// A usage error when not even one fits, or fewer than wanted.
    pub fn new(budget: Budget, need: Need, wanted: Option<u32>, items: usize) -> Result<Self> {
        let by_memory = budget.memory.saturating_sub(need.shared) / need.worker.max(1);
        let by_memory = u32::try_from(by_memory).unwrap_or(u32::MAX);
        let by_cpus = budget.cpus / need.threads.max(1);
        let most = by_memory.min(by_cpus);
        let fit = Self {
            workers: wanted
                .unwrap_or_else(|| most.min(u32::try_from(items).unwrap_or(u32::MAX)).max(1)),
            most,
            budget,
            need,
        };
        if fit.workers <= most {
            return Ok(fit);
        }
        let mut reasons = Vec::new();
        if by_memory < fit.workers {
            let shared = match need.shared {
                0 => String::new(),
                bytes => format!(" and {} for the model's weights", show_bytes(bytes)),
            };
            reasons.push(format!(
                "{} of memory hold {by_memory}: each may use {}{shared}",
                show_bytes(budget.memory),
                show_bytes(need.worker)
            ));
        }
        if by_cpus < fit.workers {
            reasons.push(format!(
                "{} {} carry {by_cpus}: each has {}",
                budget.cpus,
                plural(budget.cpus, "processor", "processors"),
                threads(need.threads)
            ));
        }
        Err(Error::usage(format!(
            "{} {} not fit: {}",
            fit.workers,
            plural(fit.workers, "worker does", "workers do"),
            reasons.join("; ")
        ))
        .hint(match most {
            0 => "raise --memory or --cpus, or plan with a smaller --worker-memory, --context or --threads".to_owned(),
            most => format!("use --workers {most}, or raise --memory or --cpus; nothing is cut down to fit"),
        }))
    }

    /// One line for a person.
    pub fn line(&self) -> String {
        let Self {
            workers,
            most,
            budget,
            need,
        } = self;
        let context = need.context.map_or_else(String::new, |context| {
            let all = u64::from(context) * u64::from(*workers);
            format!(", ctx {context} = {all} / {workers}")
        });
        let shared = match need.shared {
            0 => String::new(),
            bytes => format!(" + {} shared", show_bytes(bytes)),
        };
        format!(
            "{workers} {} ({most} fit): {} each{shared} of {}, {} each of {} {}{context}",
            plural(*workers, "worker", "workers"),
            show_bytes(need.worker),
            show_bytes(budget.memory),
            threads(need.threads),
            budget.cpus,
            plural(budget.cpus, "processor", "processors"),
        )
    }
}

fn plural(n: u32, one: &'static str, many: &'static str) -> &'static str {
    if n == 1 { one } else { many }
}

fn threads(n: u32) -> String {
    format!("{n} {}", plural(n, "thread", "threads"))
}

impl Budget {
    /// What this process may use: the machine's free memory and its processors, or less where a
    /// control group or Slurm allows less.
    pub fn of_machine() -> Self {
        let cpus = std::thread::available_parallelism()
            .map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX));
        let variable = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let slurm_cpus = variable("SLURM_CPUS_PER_TASK").or_else(|| variable("SLURM_CPUS_ON_NODE"));
        let cpus = slurm_cpus.map_or(cpus, |n| cpus.min(u32::try_from(n).unwrap_or(u32::MAX)));
        // Slurm counts mebibytes.
        let slurm_memory = variable("SLURM_MEM_PER_NODE").or_else(|| {
            variable("SLURM_MEM_PER_CPU").map(|each| each.saturating_mul(u64::from(cpus)))
        });
        let memory = [
            available_memory(),
            group_memory(),
            slurm_memory
                .filter(|n| *n > 0)
                .map(|n| n.saturating_mul(1 << 20)),
        ]
        .into_iter()
        .flatten()
        .min()
        .unwrap_or(2 << 30);
        Self {
            memory: memory.saturating_sub(SPARE),
            cpus: cpus.max(1),
        }
    }
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available_memory() -> Option<u64> {
    let text = files::read_text(Path::new("/proc/meminfo")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib.saturating_mul(1024))
}

/// The smallest memory limit of this process's control groups, version 2 and 1.
fn group_memory() -> Option<u64> {
    let text = files::read_text(Path::new("/proc/self/cgroup")).ok()?;
    let mut least = None;
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(kind), Some(group)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (mount, file) = match kind {
            "" => ("/sys/fs/cgroup", "memory.max"),
            kind if kind.split(',').any(|kind| kind == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let mut at = PathBuf::from(mount).join(group.trim_start_matches('/'));
        while at.starts_with(mount) {
            let limit = files::read_text(&at.join(file)).ok();
            if let Some(bytes) = limit.and_then(|text| text.trim().parse::<u64>().ok()) {
                least = Some(least.map_or(bytes, |least: u64| least.min(bytes)));
            }
            if !at.pop() {
                break;
            }
        }
    }
    least
}

/// Reads a size: `8GiB`, `512MiB`, `2G` (the same as `2GiB`), `1500MB`, plain bytes.
///
/// # Errors
/// Words for the person.
pub fn parse_bytes(text: &str) -> std::result::Result<u64, String> {
    let text = text.trim();
    let split = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err("a size is a number with a unit, such as 8GiB or 512MiB".into()),
    };
    let value: f64 = number
        .parse()
        .map_err(|_| "a size begins with a number, such as 8GiB")?;
    let bytes = value * unit as f64;
    if !(1.0..9e18).contains(&bytes) {
        return Err("the size is out of range".into());
    }
    Ok(bytes as u64)
}

/// A size as a person reads it, in binary units.
pub fn show_bytes(bytes: u64) -> String {
    for (unit, name) in [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if bytes >= unit {
            let value = bytes as f64 / unit as f64;
            let whole = (value - value.round()).abs() < 0.05;
            return if whole {
                format!("{value:.0} {name}")
            } else {
                format!("{value:.1} {name}")
            };
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn need() -> Need {
        Need {
            worker: 2 * GIB,
            shared: GIB,
            threads: 2,
            context: Some(4096),
        }
    }

    #[test]
    fn as_many_workers_as_memory_and_processors_carry() {
        let budget = Budget {
            memory: 8 * GIB,
            cpus: 16,
        };
        let fit = Fit::new(budget, need(), None, 60).unwrap();
        assert_eq!((fit.workers, fit.most), (3, 3));
        assert_eq!(
            fit.line(),
            "3 workers (3 fit): 2 GiB each + 1 GiB shared of 8 GiB, 2 threads each of 16 processors, ctx 4096 = 12288 / 3"
        );
        let fit = Fit::new(Budget { cpus: 4, ..budget }, need(), None, 60).unwrap();
        assert_eq!(fit.workers, 2);
        assert_eq!(Fit::new(budget, need(), None, 1).unwrap().workers, 1);
    }

    #[test]
    fn what_does_not_fit_is_refused_and_nothing_is_cut_down() {
        let budget = Budget {
            memory: 8 * GIB,
            cpus: 4,
        };
        let error = Fit::new(budget, need(), Some(4), 60).unwrap_err();
        assert_eq!(error.exit, crate::error::ExitCode::Usage);
        assert!(error.message.contains("hold 3"), "{}", error.message);
        assert!(error.message.contains("carry 2"), "{}", error.message);
        assert!(error.hint.unwrap().contains("--workers 2"));
        let small = Budget {
            memory: 2 * GIB,
            cpus: 4,
        };
        assert!(Fit::new(small, need(), None, 60).is_err());
    }

    #[test]
    fn sizes_are_read_and_shown_in_binary_units() {
        assert_eq!(parse_bytes("8GiB"), Ok(8 * GIB));
        assert_eq!(parse_bytes("1.5g"), Ok(GIB + GIB / 2));
        assert_eq!(parse_bytes("1500MB"), Ok(1_500_000_000));
        assert_eq!(parse_bytes("4096"), Ok(4096));
        for bad in ["", "GiB", "-1", "8 apples", "0", "1e30"] {
            assert!(parse_bytes(bad).is_err(), "{bad:?}");
        }
        assert_eq!(show_bytes(8 * GIB), "8 GiB");
        assert_eq!(show_bytes(GIB + GIB / 2), "1.5 GiB");
        assert_eq!(show_bytes(12), "12 bytes");
    }
}
