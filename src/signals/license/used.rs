//! What is used: telemetry records over time, and inventories of nodes.

use super::pairs::{Stamp, count, of_line, stamp};
use super::{At, Unit};
use crate::bundle::{Entry, FileKind, Tree};
use std::collections::BTreeMap;

/// Most bytes read of one telemetry file.
const MAX_BYTES: u64 = 256 << 20;
/// Different versions remembered.
const MAX_VERSIONS: usize = 100;

/// A count and when it was counted.
pub type Counted = (u64, Option<Stamp>);

/// Counted use.
#[derive(Debug, Default)]
pub struct Used {
    peaks: BTreeMap<Unit, At<Counted>>,
    pub last: Option<At<Stamp>>,
    pub versions: Vec<At<String>>,
}

impl Used {
    /// The largest count on record.
    pub fn peak(&self, unit: Unit) -> Option<&At<Counted>> {
        self.peaks.get(&unit)
    }
    pub fn is_empty(&self) -> bool {
        self.peaks.is_empty() && self.last.is_none()
    }
    fn count(&mut self, unit: Unit, found: At<Counted>) {
        if self
            .peaks
            .get(&unit)
            .is_none_or(|old| found.value.0 > old.value.0)
        {
            self.peaks.insert(unit, found);
        }
    }
}

/// Reads telemetry and inventories.
pub fn read(tree: &Tree) -> Used {
    let mut used = Used::default();
    for entry in tree.files().filter(|entry| {
        entry.bytes <= MAX_BYTES
            && !matches!(
                entry.kind,
                FileKind::Binary | FileKind::Archive | FileKind::Empty
            )
    }) {
        let rel = tree.rel(entry).to_ascii_lowercase();
        let name = rel.rsplit('/').next().unwrap_or_default();
        let declaration = name.contains("declar") || name.contains("licen");
        if !declaration
            && ["telemetry", "usage", "metering", "phone-home", "phonehome"]
                .iter()
                .any(|word| rel.contains(word))
        {
            telemetry(tree, entry, &mut used);
        } else if rel == "cluster-resources/nodes.json"
            || name == "nodes.json" && !rel.contains("stats")
        {
            nodes(tree, entry, &mut used);
        } else if name == "cluster_health.json" {
            health(tree, entry, &mut used);
        }
    }
    used
}

/// A record is one line with several pairs, or the lines between braces, or a row of a table with a head.
#[derive(Default)]
struct RecordState {
    time: Option<Stamp>,
    counts: Vec<(Unit, u64, usize, String)>,
}

fn telemetry(tree: &Tree, entry: &Entry, used: &mut Used) {
    let path = entry.path.to_string();
    let mut record = RecordState::default();
    let mut head: Option<Vec<String>> = None;
    let _ = tree.for_each_line(entry, |line, content| {
        let pairs: Vec<(String, String)> = match &head {
            Some(head) => head
                .iter()
                .cloned()
                .zip(
                    content
                        .split(',')
                        .map(|cell| cell.trim().trim_matches('"').to_owned()),
                )
                .collect(),
            None => of_line(content)
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        };
        if head.is_none()
            && line == 1
            && content.contains(',')
            && !content.contains([':', '{', '='])
        {
            head = Some(
                content
                    .split(',')
                    .map(|cell| cell.trim().trim_matches('"').to_owned())
                    .collect(),
            );
            return true;
        }
        let whole = pairs.len() > 1 || head.is_some();
        if whole || content.contains('{') {
            flush(&mut record, &path, used);
        }
        for (key, value) in pairs {
            let plain = key.to_ascii_lowercase();
            if [
                "time",
                "timestamp",
                "date",
                "@timestamp",
                "ts",
                "collected_at",
                "collectedat",
                "reported_at",
                "day",
            ]
            .contains(&plain.as_str())
            {
                if let Some(stamp) = stamp(&value) {
                    if used.last.as_ref().is_none_or(|old| stamp > old.value) {
                        used.last = Some(At {
                            value: stamp.clone(),
                            path: path.clone(),
                            line,
                            quote: content.to_owned(),
                        });
                    }
                    record.time = Some(stamp);
                }
            } else if plain == "version" || plain == "product_version" {
                let known = used.versions.iter().any(|old| old.value == value);
                if !known
                    && used.versions.len() < MAX_VERSIONS
                    && value.starts_with(|c: char| c.is_ascii_digit() || c == 'v')
                {
                    used.versions.push(At {
                        value,
                        path: path.clone(),
                        line,
                        quote: content.to_owned(),
                    });
                }
            } else if let (Some(unit), Some(n)) = (Unit::of_key(&key), count(&value)) {
                record.counts.push((unit, n, line, content.to_owned()));
            }
        }
        if whole || content.contains('}') {
            flush(&mut record, &path, used);
        }
        true
    });
    flush(&mut record, &path, used);
}

fn flush(record: &mut RecordState, path: &str, used: &mut Used) {
    let time = record.time.take();
    for (unit, n, line, quote) in record.counts.drain(..) {
        used.count(
            unit,
            At {
                value: (n, time.clone()),
                path: path.to_owned(),
                line,
                quote,
            },
        );
    }
}

/// Nodes and processors of a Kubernetes node list.
fn nodes(tree: &Tree, entry: &Entry, used: &mut Used) {
    let Ok(Some(text)) = tree.text(entry) else {
        return;
    };
    let Ok(parsed) = serde_json::from_str::<serde_json::Value>(text.as_str()) else {
        return;
    };
    let items = parsed
        .get("items")
        .unwrap_or(&parsed)
        .as_array()
        .cloned()
        .unwrap_or_default();
    let items: Vec<&serde_json::Value> = items
        .iter()
        .filter(|item| item.pointer("/status/capacity").is_some())
        .collect();
    let Some(first) = items
        .first()
        .and_then(|item| item.pointer("/metadata/name")?.as_str())
    else {
        return;
    };
    // The line that names the first node stands for the list.
    let needle = format!("\"{first}\"");
    let Some((line, quote)) = text.lines().find(|(_, line)| line.contains(&needle)) else {
        return;
    };
    let at = |value: Counted| At {
        value,
        path: entry.path.to_string(),
        line,
        quote: quote.to_owned(),
    };
    used.count(Unit::Nodes, at((items.len() as u64, None)));
    let cores: u64 = items
        .iter()
        .filter_map(|item| match item.pointer("/status/capacity/cpu")? {
            serde_json::Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        })
        .sum();
    if cores > 0 {
        used.count(Unit::Cores, at((cores, None)));
    }
}

/// Elasticsearch counts its nodes itself.
fn health(tree: &Tree, entry: &Entry, used: &mut Used) {
    let _ = tree.for_each_line(entry, |line, content| {
        for (key, value) in of_line(content) {
            if key == "number_of_nodes"
                && let Some(n) = count(value)
            {
                used.count(
                    Unit::Nodes,
                    At {
                        value: (n, None),
                        path: entry.path.to_string(),
                        line,
                        quote: content.to_owned(),
                    },
                );
            }
        }
        line < 100
    });
}
