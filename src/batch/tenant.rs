//! Whose a bundle is, read from where it lies; and what a tenant may be called.

use crate::error::{Error, Result};
use crate::tenant::Tenant;
use regex::Regex;
use std::path::Path;
use std::str::FromStr;

/// Largest compiled pattern, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// How the tenant of a bundle is found.
#[derive(Debug, Clone)]
pub enum TenantFrom {
    /// The name of the folder that holds it.
    ParentDir,
    /// The first group, or the group `tenant`, of a pattern over the path below the root.
    NameRegex(Regex),
    /// The same for all.
    Name(String),
}

impl FromStr for TenantFrom {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "parent-dir" {
            return Ok(Self::ParentDir);
        }
        if let Some(pattern) = text.strip_prefix("name-regex:") {
            let regex = regex::RegexBuilder::new(pattern)
                .size_limit(MAX_PATTERN)
                .build()
                .map_err(|error| {
                    Error::usage(format!("{pattern:?} is no regular expression")).source(error)
                })?;
            if regex.captures_len() < 2 {
                return Err(Error::usage(format!(
                    "the pattern {pattern:?} has no group for the tenant"
                ))
                .hint("put the tenant in brackets, as in name-regex:^([a-z]+)-"));
            }
            return Ok(Self::NameRegex(regex));
        }
        check(text)?;
        Ok(Self::Name(text.to_owned()))
    }
}

impl TenantFrom {
    /// The tenant of the bundle at `path`, which is below the folder `root`.
    ///
    /// # Errors
    /// A usage error that names the bundle whose tenant cannot be told.
    pub fn of(&self, root: &Path, path: &Path) -> Result<String> {
        let name = match self {
            Self::Name(name) => Some(name.clone()),
            Self::ParentDir => root
                .join(path)
                .parent()
                .and_then(|parent| Some(parent.file_name()?.to_str()?.to_owned())),
            Self::NameRegex(regex) => path.to_str().and_then(|path| {
                let found = regex.captures(path)?;
                let group = found.name("tenant").or_else(|| found.get(1))?;
                Some(group.as_str().to_owned())
            }),
        };
        let shown = crate::files::shown(path);
        let name = name.ok_or_else(|| {
            Error::usage(format!("the tenant of {shown} cannot be told"))
                .hint("every bundle needs one: change --tenant-from, or leave the bundle out")
        })?;
        check(&name)
            .map_err(|error| Error::usage(format!("the tenant of {shown}: {}", error.message)))?;
        Ok(name)
    }
}

/// What a run accepts as a tenant, and nothing else.
///
/// # Errors
/// A usage error.
pub fn check(name: &str) -> Result<()> {
    name.parse::<Tenant>().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(from: &str, path: &str) -> Result<String> {
        from.parse::<TenantFrom>()?
            .of(Path::new("/in/acme"), Path::new(path))
    }

    #[test]
    fn the_tenant_comes_from_folder_pattern_or_name() {
        assert_eq!(of("parent-dir", "a.tar").unwrap(), "acme");
        assert_eq!(of("parent-dir", "umbra/a.tar").unwrap(), "umbra");
        assert_eq!(of("name-regex:^([a-z]+)-", "zeta-1.tar").unwrap(), "zeta");
        let named = "name-regex:(x)?-(?P<tenant>[a-z]+)";
        assert_eq!(of(named, "1-beta.tar").unwrap(), "beta");
        assert_eq!(of("ops", "x/y.tar").unwrap(), "ops");
    }

    #[test]
    fn what_cannot_be_told_or_named_is_refused() {
        assert!(of("name-regex:^([a-z]+)-", "1.tar").is_err());
        assert!("name-regex:abc".parse::<TenantFrom>().is_err());
        assert!("name-regex:(".parse::<TenantFrom>().is_err());
        assert!(of("parent-dir", ".hidden/a.tar").is_err());
        for name in [
            "",
            "..",
            ".x",
            "a..b",
            "a/b",
            "a b",
            "é",
            "-x",
            "x-",
            "Acme",
            &"x".repeat(64),
        ] {
            assert!(check(name).is_err(), "{name:?}");
        }
        assert!(check("acme_1.eu-west").is_ok());
    }
}
