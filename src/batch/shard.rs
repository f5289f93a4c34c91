//! Which shard this process works on: said plainly, or read from the engine that started it.
//!
//! | engine | variable | shard |
//! |---|---|---|
//! | Slurm job array | `SLURM_ARRAY_TASK_ID`, `…_MIN`, `…_MAX`, `…_STEP`, `…_COUNT` | (id − min) / step, for an array of exactly as many tasks as shards |
//! | Kubernetes Indexed Job | `JOB_COMPLETION_INDEX` | the index |
//! | HyperQueue task array | `HQ_TASK_ID` | the id |

use super::Manifest;
use crate::error::{Error, Result};
use std::str::FromStr;

/// What `--shard` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shard {
    /// Every shard.
    All,
    /// One, from 0.
    One(u32),
    /// The engine's.
    Auto,
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "all" => Ok(Self::All),
            _ => text.parse().map(Self::One).map_err(|_| {
                Error::usage(format!("{text:?} is no shard"))
                    .hint("give a number from 0, or auto, or all")
            }),
        }
    }
}

impl Shard {
    /// The shard of `manifest` that is meant; `None` means all of them.
    ///
    /// # Errors
    /// A usage error when there is no such shard, or the environment does not say which.
    pub fn resolve(self, manifest: &Manifest) -> Result<Option<u32>> {
        let shard = match self {
            Self::All => return Ok(None),
            Self::One(shard) => shard,
            Self::Auto => shard_from(&|name| std::env::var(name).ok(), manifest.shards)?,
        };
        if shard >= manifest.shards {
            return Err(Error::usage(format!(
                "there is no shard {shard}: the manifest has {}, counted from 0",
                manifest.shards
            )));
        }
        Ok(Some(shard))
    }
}

/// The shard that the environment names, out of `shards`. `get` reads a variable.
///
/// # Errors
/// A usage error when no engine, more than one, or not clearly one shard is named.
pub fn shard_from(get: &dyn Fn(&str) -> Option<String>, shards: u32) -> Result<u32> {
    const VARIABLES: [&str; 3] = ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "HQ_TASK_ID"];
    let number = |name: &str| -> Result<Option<u32>> {
        get(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| Error::usage(format!("{name} is {text:?}, not a number from 0")))
            })
            .transpose()
    };
    let mut set = Vec::new();
    for name in VARIABLES {
        if let Some(value) = number(name)? {
            set.push((name, value));
        }
    }
    let (name, value) = match set.as_slice() {
        [one] => *one,
        [] => {
            return Err(
                Error::usage("no engine says which shard this is").hint(format!(
                    "--shard auto reads {}; otherwise give --shard K",
                    VARIABLES.join(", ")
                )),
            );
        }
        several => {
            let names: Vec<_> = several.iter().map(|(name, _)| *name).collect();
            return Err(Error::usage(format!(
                "more than one engine says which shard this is: {}",
                names.join(" and ")
            ))
            .hint("give --shard K"));
        }
    };
    if name != "SLURM_ARRAY_TASK_ID" {
        return if value < shards {
            Ok(value)
        } else {
            Err(Error::usage(format!(
                "{name} is {value}, but the manifest has {shards} shards, counted from 0"
            ))
            .hint("start as many tasks as the manifest has shards, counted from 0"))
        };
    }
    let least = number("SLURM_ARRAY_TASK_MIN")?;
    let most = number("SLURM_ARRAY_TASK_MAX")?;
    let count = number("SLURM_ARRAY_TASK_COUNT")?;
    let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
    let (Some(least), Some(most), Some(count)) = (least, most, count) else {
        return Err(Error::usage(
            "SLURM_ARRAY_TASK_ID is set, but SLURM_ARRAY_TASK_MIN, _MAX or _COUNT is not",
        )
        .hint("give --shard K"));
    };
    let regular = most.checked_sub(least) == count.checked_sub(1).and_then(|n| n.checked_mul(step));
    let at = value.checked_sub(least).filter(|at| at % step == 0);
    match at.map(|at| at / step) {
        Some(shard) if regular && count == shards && shard < shards => Ok(shard),
        _ => Err(Error::usage(format!(
            "task {value} of an array of {count} ({least} to {most}) is not clearly one of {shards} shards"
        ))
        .hint(format!("submit --array=0-{}: finished shards end at once; or give --shard K for a part of the array", shards.saturating_sub(1)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(environment: &[(&str, &str)], shards: u32) -> Result<u32> {
        let get = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        shard_from(&get, shards)
    }

    fn slurm(id: &str, min: &str, max: &str, step: &str, count: &str, shards: u32) -> Result<u32> {
        let set = [
            ("SLURM_ARRAY_TASK_ID", id),
            ("SLURM_ARRAY_TASK_MIN", min),
            ("SLURM_ARRAY_TASK_MAX", max),
            ("SLURM_ARRAY_TASK_STEP", step),
            ("SLURM_ARRAY_TASK_COUNT", count),
        ];
        shard(&set, shards)
    }

    #[test]
    fn a_whole_array_maps_to_the_shards_wherever_it_begins() {
        assert_eq!(slurm("3", "0", "7", "1", "8", 8).unwrap(), 3);
        assert_eq!(slurm("8", "1", "8", "1", "8", 8).unwrap(), 7);
        assert_eq!(slurm("6", "2", "8", "2", "4", 4).unwrap(), 2);
        assert_eq!(shard(&[("JOB_COMPLETION_INDEX", "4")], 5).unwrap(), 4);
        assert_eq!(shard(&[("HQ_TASK_ID", "0")], 5).unwrap(), 0);
    }

    #[test]
    fn what_is_ambiguous_is_refused_with_the_way_out() {
        // A part of an array may count from 0 or from 1: nobody can tell.
        assert!(slurm("3", "3", "3", "1", "1", 8).is_err());
        assert!(slurm("9", "0", "9", "1", "10", 8).is_err());
        assert!(
            slurm("2", "0", "9", "1", "8", 8).is_err(),
            "an array with holes"
        );
        assert!(shard(&[("SLURM_ARRAY_TASK_ID", "1")], 8).is_err());
        assert!(shard(&[], 8).is_err());
        assert!(shard(&[("HQ_TASK_ID", "8")], 8).is_err());
        assert!(shard(&[("HQ_TASK_ID", "-1")], 8).is_err());
        let two = [("HQ_TASK_ID", "1"), ("JOB_COMPLETION_INDEX", "1")];
        let error = shard(&two, 8).unwrap_err();
        assert!(
            error
                .message
                .contains("JOB_COMPLETION_INDEX and HQ_TASK_ID")
        );
        assert!(error.hint.is_some());
    }
}
