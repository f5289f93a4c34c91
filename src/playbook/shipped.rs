//! The playbooks that come with the program, and reading others from files.

use super::{Bound, parse};
use crate::error::{Context, Error, ExitCode, Result};
use std::path::Path;

/// The shipped playbooks: id and text.
pub const SHIPPED: &[(&str, &str)] = &[
    (
        "kubernetes",
        include_str!("../../playbooks/kubernetes.toml"),
    ),
    (
        "linux-host",
        include_str!("../../playbooks/linux-host.toml"),
    ),
    (
        "diff-review",
        include_str!("../../playbooks/diff-review.toml"),
    ),
    ("storage", include_str!("../../playbooks/storage.toml")),
    ("network", include_str!("../../playbooks/network.toml")),
    ("database", include_str!("../../playbooks/database.toml")),
    (
        "license-usage",
        include_str!("../../playbooks/license-usage.toml"),
    ),
    ("generic", include_str!("../../playbooks/generic.toml")),
];

/// The shipped catalogues: family and text.
const CATALOGUES: &[(&str, &str)] = &[
    (
        "kubernetes",
        include_str!("../../playbooks/causes/kubernetes.toml"),
    ),
    ("apps", include_str!("../../playbooks/causes/apps.toml")),
    ("host", include_str!("../../playbooks/causes/host.toml")),
    (
        "services",
        include_str!("../../playbooks/causes/services.toml"),
    ),
    ("logs", include_str!("../../playbooks/causes/logs.toml")),
    ("diff", include_str!("../../playbooks/causes/diff.toml")),
    (
        "license",
        include_str!("../../playbooks/causes/license.toml"),
    ),
];

/// Where a playbook came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Part of the program.
    Shipped,
    /// A file of the user's.
    File,
}

/// A shipped playbook with its catalogues.
///
/// # Errors
/// A usage error that names the known ones.
pub fn shipped(id: &str) -> Result<Bound> {
    let (_, text) = SHIPPED
        .iter()
        .find(|(known, _)| *known == id)
        .ok_or_else(|| {
            let known: Vec<_> = SHIPPED.iter().map(|(id, _)| *id).collect();
            Error::usage(format!("there is no playbook {id:?}")).hint(format!(
                "known: {}; or give the path of a .toml file",
                known.join(", ")
            ))
        })?;
    bind(text)
}

/// A playbook by shipped id, or by the path of a file. Catalogues are looked up beside the file
/// (`causes/<family>.toml`) first, then among the shipped ones.
///
/// # Errors
/// A usage error with the place and what is wrong.
pub fn load(name: &str) -> Result<(Bound, Source)> {
    if !name.contains('/') && !name.ends_with(".toml") {
        return Ok((shipped(name)?, Source::Shipped));
    }
    let path = Path::new(name);
    let bound = read_unlocked(path)?;
    super::lock::check(path, &bound)?;
    Ok((bound, Source::File))
}

/// A playbook file with its catalogues, whatever its lock says.
///
/// # Errors
/// As [`load`].
pub fn read_unlocked(path: &Path) -> Result<Bound> {
    let text = crate::files::read_text(path).or_fail(
        ExitCode::Usage,
        format!("failed to read the playbook {}", crate::files::shown(path)),
    )?;
    let playbook = parse(&text)?;
    let mut catalogues = Vec::new();
    for family in &playbook.catalogues {
        let beside = path
            .parent()
            .unwrap_or(Path::new("."))
            .join("causes")
            .join(format!("{family}.toml"));
        let text = match crate::files::read_text(&beside) {
            Ok(text) => text,
            Err(_) => catalogue(family)?.to_owned(),
        };
        catalogues.push((family.clone(), text));
    }
    Ok(Bound { text, catalogues })
}

/// The families of causes that come with the program.
pub fn families() -> impl Iterator<Item = &'static str> {
    CATALOGUES.iter().map(|(family, _)| *family)
}

/// The shipped playbook made for a profile; `linux-host` for what no playbook claims.
pub fn for_profile(profile: &str) -> &'static str {
    SHIPPED
        .iter()
        .find(|(_, text)| {
            parse(text).is_ok_and(|playbook| playbook.profiles.iter().any(|known| known == profile))
        })
        .map_or("linux-host", |(id, _)| id)
}

fn bind(text: &str) -> Result<Bound> {
    let playbook = parse(text)?;
    let mut catalogues = Vec::new();
    for family in &playbook.catalogues {
        catalogues.push((family.clone(), catalogue(family)?.to_owned()));
    }
    Ok(Bound {
        text: text.to_owned(),
        catalogues,
    })
}

fn catalogue(family: &str) -> Result<&'static str> {
    CATALOGUES
        .iter()
        .find(|(known, _)| *known == family)
        .map(|(_, text)| *text)
        .ok_or_else(|| {
            let known: Vec<_> = CATALOGUES.iter().map(|(family, _)| *family).collect();
            Error::usage(format!("there is no catalogue of causes {family:?}"))
                .hint(format!("known: {}", known.join(", ")))
        })
}
