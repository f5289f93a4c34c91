//! What a license grants and what a customer declared, from files that call themselves so.

use super::pairs::{Stamp, count, of_line, stamp};
use super::{At, Unit};
use crate::bundle::{Entry, FileKind, Tree};
use std::collections::BTreeMap;

/// A license is a page, not a book, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Grants and declarations; the smallest grant and the largest declaration count.
#[derive(Debug, Default)]
pub struct Declared {
    pub granted: BTreeMap<Unit, At<u64>>,
    pub declared: BTreeMap<Unit, At<u64>>,
    pub expires: Option<At<Stamp>>,
    pub version: Option<At<String>>,
}

impl Declared {
    pub fn is_empty(&self) -> bool {
        self.granted.is_empty()
            && self.declared.is_empty()
            && self.expires.is_none()
            && self.version.is_none()
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Paper {
    License,
    Declaration,
}

fn paper(rel: &str) -> Option<Paper> {
    let rel = rel.to_ascii_lowercase();
    let name = rel.rsplit('/').next().unwrap_or_default();
    // The text of an open-source license is no grant.
    let settings = [
        ".json",
        ".yaml",
        ".yml",
        ".toml",
        ".txt",
        ".conf",
        ".ini",
        ".properties",
    ]
    .iter()
    .any(|end| name.ends_with(end))
        || !name.contains('.');
    if !settings
        || name == "license"
        || name == "license.txt"
        || rel.contains("/doc/")
        || rel.contains("node_modules/")
    {
        return None;
    }
    if name.contains("declar") || name.contains("true-up") || name.contains("true_up") {
        return Some(Paper::Declaration);
    }
    ["licens", "licenc", "entitlement", "subscription"]
        .iter()
        .any(|word| name.contains(word))
        .then_some(Paper::License)
}

/// Reads every license and declaration of the tree.
pub fn read(tree: &Tree) -> Declared {
    let mut found = Declared::default();
    for entry in tree.files() {
        if let Some(kind) = paper(tree.rel(entry))
            && entry.bytes <= MAX_BYTES
            && !matches!(
                entry.kind,
                FileKind::Binary | FileKind::Archive | FileKind::Empty
            )
        {
            file(tree, entry, kind, &mut found);
        }
    }
    found
}

fn file(tree: &Tree, entry: &Entry, kind: Paper, found: &mut Declared) {
    let Ok(Some(text)) = tree.text(entry) else {
        return;
    };
    // `num_nodes:` on one line, its `value: 5` below: the key above gives the value its meaning.
    let mut above = String::new();
    for (line, content) in text.lines() {
        for (key, value) in of_line(content) {
            if value.is_empty() {
                above = key.to_owned();
                continue;
            }
            let key = if key.eq_ignore_ascii_case("value") {
                above.clone()
            } else {
                key.to_owned()
            };
            if let (Some(unit), Some(n)) = (Unit::of_key(&key), count(value)) {
                let at = At {
                    value: n,
                    path: entry.path.to_string(),
                    line,
                    quote: content.to_owned(),
                };
                let (list, keep_new): (_, fn(u64, u64) -> bool) = match kind {
                    Paper::License => (&mut found.granted, |new, old| new < old),
                    Paper::Declaration => (&mut found.declared, |new, old| new > old),
                };
                if list.get(&unit).is_none_or(|old| keep_new(n, old.value)) {
                    list.insert(unit, at);
                }
                continue;
            }
            let plain = key.to_ascii_lowercase().replace(['_', '-', '.'], "");
            if kind == Paper::License
                && ["expir", "validuntil", "notafter", "enddate"]
                    .iter()
                    .any(|word| plain.contains(word))
            {
                if let Some(end) = stamp(value)
                    && found.expires.as_ref().is_none_or(|old| end < old.value)
                {
                    found.expires = Some(At {
                        value: end,
                        path: entry.path.to_string(),
                        line,
                        quote: content.to_owned(),
                    });
                }
            } else if kind == Paper::License
                && [
                    "maxversion",
                    "coveredversion",
                    "licensedversion",
                    "maxmajorversion",
                ]
                .contains(&plain.as_str())
            {
                found.version = Some(At {
                    value: value.to_owned(),
                    path: entry.path.to_string(),
                    line,
                    quote: content.to_owned(),
                });
            }
        }
    }
}
