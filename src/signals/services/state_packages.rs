//! Packages on hold against what installations ask for.

use super::engine::compile;
use super::state::{Says, at, name_of, texts};
use crate::bundle::{FileKind, Tree};
use crate::report::Evidence;
use crate::signals::{Partial, Role};
use std::collections::BTreeMap;

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[HELD];
const HELD: (&str, &str) = ("packages.held-back", "package-held-back");

/// Largest log that is searched.
const MAX_BYTES: u64 = 32 << 20;

/// Findings from `apt-mark showhold`, `dpkg -l` and the logs of installations.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    let held = held(tree);
    if held.is_empty() {
        return partial;
    }
    let Some(wanted) = compile(
        r"(?:Pre)?Depends: (?P<name>[\w.+-]+)(?::\w+)?(?P<version> \([^)]{1,80}\))?.{0,160}",
    ) else {
        return partial;
    };
    let mut told: Vec<String> = Vec::new();
    for entry in tree.files().filter(|entry| {
        matches!(entry.kind, FileKind::Log | FileKind::Text)
            && entry.bytes <= MAX_BYTES
            && (tree.rel(entry).contains("var/log/") || name_of(tree.rel(entry)).starts_with("apt"))
    }) {
        let Ok(Some(text)) = tree.text(entry) else {
            continue;
        };
        if !text.as_str().contains("Depends: ") {
            continue;
        }
        for (number, line) in text.lines() {
            let Some(found) = wanted.captures(line).filter(|_| line.contains(" but ")) else {
                continue;
            };
            let name = &found["name"];
            let (Some(lines), false) = (held.get(name), told.iter().any(|known| known == name))
            else {
                continue;
            };
            told.push(name.to_owned());
            let version = found.name("version").map_or("", |version| version.as_str());
            partial.signals.extend(
                Says {
                    id: HELD,
                    subject: ("Package", name),
                    title: format!("Package {name} is on hold, so an installation fails: it needs {name}{version}"),
                    statement: format!("{name} is held at its present version (apt-mark hold), but an installation or upgrade depends on {name}{version}: apt refuses it with unmet dependencies, \"held broken packages\"."),
                    strength: 0.88,
                    role: Role::Cause,
                    evidence: std::iter::once(at(entry, number, line)).chain(lines.iter().cloned()).collect(),
                }
                .signal(&[("package", name)]),
            );
            if told.len() >= 3 {
                return partial;
            }
        }
    }
    partial
}

/// Names on hold and the lines that say so.
fn held(tree: &Tree) -> BTreeMap<String, Vec<Evidence>> {
    let mut held: BTreeMap<String, Vec<Evidence>> = BTreeMap::new();
    for (entry, text) in texts(tree, |rel| {
        let name = name_of(rel);
        !rel.starts_with("var/log/")
            && (name.contains("showhold")
                || name.starts_with("dpkg_-l")
                || name.starts_with("dpkg-l"))
    }) {
        let list = name_of(tree.rel(entry)).contains("showhold");
        for (number, line) in text.lines().take(100_000) {
            let mut words = line.split_whitespace();
            let name = match (list, words.next()) {
                (true, first) => first,
                (false, Some("hi")) => words.next(),
                _ => None,
            };
            if let Some(name) = name.and_then(|name| name.split(':').next()) {
                held.entry(name.to_owned())
                    .or_default()
                    .push(at(entry, number, line));
            }
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    fn found(hold: &str, log: &str) -> Vec<String> {
        let (_folder, tree) = tree_of([
            ("top/sos_commands/apt/apt-mark_showhold", hold),
            ("top/var/log/apt/term.log", log),
        ]);
        detect(&tree)
            .signals
            .into_iter()
            .map(|signal| signal.title)
            .collect()
    }

    #[test]
    fn a_hold_matters_where_something_needs_the_package() {
        let log = " qemu-kvm : Depends: seabios (>= 1.15) but 1.13 is to be installed\n";
        assert_eq!(
            found("seabios\n", log),
            ["Package seabios is on hold, so an installation fails: it needs seabios (>= 1.15)"]
        );
        assert!(found("linux-image-generic\n", log).is_empty());
        assert!(found("seabios\n", "Setting up seabios (1.13)\n").is_empty());
    }
}
