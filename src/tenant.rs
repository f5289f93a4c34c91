//! A tenant: whose bundle it is. Its runs have directories of their own.
//!
//! Owns: which names are allowed and where they lead. Touches: nothing. Zone: 0.

use crate::error::{Error, Result};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Folder of all tenants below the runs directory.
pub const TENANTS: &str = "tenants";
/// Longest name, in bytes.
const MAX_LEN: usize = 63;

/// A name that is one folder on every file system: lower-case letters, digits, `-`, `_`, `.`;
/// begins and ends with a letter or digit. No two names differ only in what some system folds.
#[derive(
    Debug,
    Clone,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct Tenant(String);

impl Tenant {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where runs are kept: `runs` itself without a tenant, else `runs/tenants/<name>`.
    pub fn home(tenant: Option<&Self>, runs: &Path) -> PathBuf {
        tenant.map_or_else(|| runs.to_owned(), |t| runs.join(TENANTS).join(&t.0))
    }
}

impl FromStr for Tenant {
    type Err = Error;
    fn from_str(name: &str) -> Result<Self> {
        let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = name.as_bytes();
        let good = (1..=MAX_LEN).contains(&bytes.len())
            && bytes.iter().all(|b| alnum(*b) || b"-_.".contains(b))
            && bytes.first().copied().is_some_and(alnum)
            && bytes.last().copied().is_some_and(alnum)
            && !name.contains("..");
        if good {
            return Ok(Self(name.to_owned()));
        }
        Err(Error::usage(format!("{name:?} is no usable tenant name")).hint(
            "use 1 to 63 lower-case letters, digits, '-', '_' or '.', beginning and ending with a letter or digit",
        ))
    }
}

impl TryFrom<String> for Tenant {
    type Error = Error;
    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl From<Tenant> for String {
    fn from(tenant: Tenant) -> Self {
        tenant.0
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_folder_and_nothing_else() {
        for good in ["a", "acme", "acme-eu.1", "0", &"x".repeat(63)] {
            good.parse::<Tenant>().unwrap();
        }
        for bad in [
            "",
            ".",
            "..",
            "a..b",
            "-a",
            "a.",
            "A",
            "a/b",
            "a\\b",
            "ä",
            "a b",
            "a\n",
            "a\0",
            "../x",
            &"x".repeat(64),
        ] {
            assert!(bad.parse::<Tenant>().is_err(), "{bad:?}");
        }
    }
}
