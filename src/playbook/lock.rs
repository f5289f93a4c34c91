//! The lock beside a playbook file: digests of the playbook, its catalogues, the model and the library it
//! was tested with, so that what runs is what was tested.
//!
//! Owns: `<playbook>.lock.toml`, the form `narrowroom.lock/v1`. Touches: that file through
//! [`crate::files`]. Zone: 0.

use super::Bound;
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Schema name of a lock.
pub const SCHEMA: &str = "narrowroom.lock/v1";

/// A lock file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// SHA-256 of the playbook's text.
    pub playbook: String,
    /// SHA-256 of the model's weights file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// SHA-256 of each catalogue's text, by family.
    pub catalogues: BTreeMap<String, String>,
}

impl Lock {
    /// The lock of a playbook as it is now.
    pub fn of(bound: &Bound, model: Option<String>) -> Self {
        let digest = |text: &str| hex::encode(Sha256::digest(text.as_bytes()));
        Self {
            schema: SCHEMA.into(),
            playbook: digest(&bound.text),
            model,
            catalogues: bound
                .catalogues
                .iter()
                .map(|(family, text)| (family.clone(), digest(text)))
                .collect(),
        }
    }

    /// What is not as it was, in words.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.playbook != now.playbook {
            found.push("the playbook was changed".to_owned());
        }
        for (family, digest) in &now.catalogues {
            match self.catalogues.get(family) {
                Some(locked) if locked == digest => {}
                Some(_) => found.push(format!("the catalogue {family} was changed")),
                None => found.push(format!("the catalogue {family} is new")),
            }
        }
        for family in self
            .catalogues
            .keys()
            .filter(|family| !now.catalogues.contains_key(*family))
        {
            found.push(format!("the catalogue {family} is gone"));
        }
        if let (Some(locked), Some(now)) = (&self.model, &now.model)
            && locked != now
        {
            found.push(format!(
                "the model is {}, locked is {}",
                short(now),
                short(locked)
            ));
        }
        found
    }
}

fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// Where the lock of a playbook file is.
pub fn path(playbook: &Path) -> PathBuf {
    playbook.with_extension("lock.toml")
}

/// The lock beside a playbook file, if there is one.
///
/// # Errors
/// A usage error when it cannot be read.
pub fn read(playbook: &Path) -> Result<Option<Lock>> {
    let at = path(playbook);
    if !files::exists(&at) {
        return Ok(None);
    }
    let fail = || format!("failed to read the lock {}", files::shown(&at));
    let text = files::read_text(&at).or_fail(ExitCode::Usage, fail())?;
    let lock: Lock = toml::from_str(&text).or_fail(ExitCode::Usage, fail())?;
    if lock.schema != SCHEMA {
        return Err(Error::usage(format!(
            "{}: its schema is not {SCHEMA}",
            fail()
        )));
    }
    Ok(Some(lock))
}

/// A locked playbook runs only as it was locked.
///
/// # Errors
/// A usage error that says what was changed.
pub fn check(playbook: &Path, bound: &Bound) -> Result<()> {
    demand(playbook, &Lock::of(bound, None))
}

/// As [`check`], with the model that is about to run.
///
/// # Errors
/// A usage error that says what is another.
pub fn demand(playbook: &Path, now: &Lock) -> Result<()> {
    let Some(lock) = read(playbook)? else {
        return Ok(());
    };
    let found = lock.differences(now);
    if found.is_empty() {
        return Ok(());
    }
    Err(Error::usage(format!("{} is locked: {}", files::shown(playbook), found.join("; ")))
        .hint("test it again and lock it anew: narrowroom playbook test FILE, narrowroom playbook lock FILE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_any_locked_part_is_told() {
        let bound = super::super::shipped("storage").unwrap();
        let lock = Lock::of(&bound, Some("a".repeat(64)));
        assert_eq!(
            lock.differences(&Lock::of(&bound, None)),
            Vec::<String>::new()
        );
        let mut changed = bound.clone();
        changed.text.push('\n');
        changed.catalogues[0].1.push('\n');
        let told = lock.differences(&Lock::of(&changed, Some("b".repeat(64))));
        assert_eq!(told.len(), 3, "{told:?}");
    }
}
