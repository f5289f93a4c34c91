//! Rows of status tables: what one fault looks like in a command's output, as data.
//!
//! A [`Row`] names the outputs it belongs to, the form of a bad line and what an expert reads from it. Where
//! the name stands in an earlier line (`Hostname: …` above `State: …`), `heading` finds it.

use super::engine::compile;
use super::rule::fill;
use super::state::{Says, at, name_of};
use crate::bundle::{Entry, FileKind, Text, Tree};
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use aho_corasick::AhoCorasick;
use std::collections::{BTreeMap, BTreeSet};

/// Lines of one output that are read.
const MAX_LINES: usize = 50_000;
/// Subjects that one row names in one output.
const MAX_SUBJECTS: usize = 8;
/// How far above a row its heading may stand.
const HEADING_WITHIN: usize = 40;
/// What a ticket that speaks of the thing adds: a symptom of 0.16 is then listed, a cause of 0.4 a finding.
const ASKED: f64 = 0.2;

/// One kind of bad row. Texts are templates: `{name}` is a named group of `pattern` or `heading`, `{line}`
/// the row with single spaces, `{count}` how many rows there are of this subject.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Detector id.
    pub id: &'static str,
    /// Slug of the catalogue.
    pub cause: &'static str,
    /// Parts of the output's file name, lower case, `_` for everything that is no letter or digit.
    pub files: &'static [&'static str],
    /// A bad row, without regard to case.
    pub pattern: &'static str,
    /// Rows that match this too are fine.
    pub unless: &'static str,
    /// The line above that names what the row is about.
    pub heading: &'static str,
    /// Rows of one subject that it takes.
    pub at_least: usize,
    /// Kind of the subject.
    pub kind: &'static str,
    /// Name of the subject; rows are grouped by it.
    pub subject: &'static str,
    /// Title.
    pub title: &'static str,
    /// Statement.
    pub statement: &'static str,
    /// Strength.
    pub strength: f64,
    /// Words of a ticket that asks about this; empty: it counts the same whatever the ticket says.
    pub words: &'static [&'static str],
    /// Words of which the ticket must have one; empty: it is told whatever the ticket says.
    pub about: &'static [&'static str],
    /// Cause or symptom.
    pub role: Role,
    /// Outputs that must give a signal.
    pub yes: &'static [&'static str],
    /// Outputs that must not.
    pub no: &'static [&'static str],
}

/// What a row is unless it says otherwise.
pub const ROW: Row = Row {
    id: "",
    cause: "",
    files: &[],
    pattern: "",
    unless: "",
    heading: "",
    at_least: 1,
    kind: "Service",
    subject: "{name}",
    title: "",
    statement: "",
    strength: 0.6,
    words: &[],
    about: &[],
    role: Role::Cause,
    yes: &[],
    no: &[],
};

/// All tables.
pub const TABLES: &[&[Row]] = &[
    super::tables_cloud::ROWS,
    super::tables_storage::ROWS,
    super::tables_data::ROWS,
    super::tables_clusters::ROWS,
    super::tables_settings::ROWS,
];

/// Rows of configuration files; all other tables are of outputs.
const SETTINGS: &[Row] = super::tables_settings::ROWS;

/// A command's output in the bundle.
pub struct Output<'a> {
    /// The file.
    pub entry: &'a Entry,
    /// Its name as [`plain`] writes it.
    pub name: String,
}

/// Largest output that is read.
const MAX_BYTES: u64 = 8 << 20;

/// The files that may be commands' outputs: neither logs nor what the system itself holds.
pub fn outputs(tree: &Tree) -> Vec<Output<'_>> {
    tree.files()
        .filter(|entry| {
            let rel = tree.rel(entry);
            entry.bytes > 0
                && entry.bytes <= MAX_BYTES
                && !matches!(entry.kind, FileKind::Binary | FileKind::Archive)
                && ![
                    "var/log/", "etc/", "proc/", "sys/", "usr/", "lib/", "boot/", "dev/",
                ]
                .iter()
                .any(|folder| rel.starts_with(folder))
        })
        .map(|entry| Output {
            entry,
            name: plain(name_of(tree.rel(entry))),
        })
        .collect()
}

/// Findings from the rows of status outputs.
pub fn detect(tree: &Tree, outputs: &[Output<'_>], ticket: Option<&str>) -> Partial {
    let mut partial = Partial::default();
    let told = ticket.map(str::to_ascii_lowercase).unwrap_or_default();
    let rows: Vec<&Row> = TABLES.iter().flat_map(|table| table.iter()).collect();
    let parts: Vec<(usize, &str)> = rows
        .iter()
        .enumerate()
        .flat_map(|(at, row)| row.files.iter().map(move |part| (at, *part)))
        .collect();
    let Ok(finder) = AhoCorasick::new(parts.iter().map(|(_, part)| part)) else {
        return partial;
    };
    let of_outputs = rows.len() - SETTINGS.len();
    let configuration = tree
        .files()
        .filter(|entry| entry.bytes <= MAX_BYTES && tree.rel(entry).starts_with("etc/"))
        .map(|entry| (entry, plain(name_of(tree.rel(entry))), true));
    let commands = outputs
        .iter()
        .map(|output| (output.entry, output.name.clone(), false));
    for (entry, name, is_setting) in commands.chain(configuration) {
        let wanted: BTreeSet<usize> = finder
            .find_overlapping_iter(&name)
            .map(|hit| parts[hit.pattern().as_usize()].0)
            .filter(|at| (*at >= of_outputs) == is_setting)
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let Some(text) = tree.text(entry).ok().flatten() else {
            continue;
        };
        for row in wanted.into_iter().map(|at| rows[at]) {
            let has = |words: &[&str]| words.iter().any(|word| told.contains(word));
            if !row.about.is_empty() && !has(row.about) {
                continue;
            }
            for mut signal in found(row, entry, &text) {
                if has(row.words) {
                    signal.strength = (signal.strength + ASKED).min(0.93);
                }
                partial.signals.push(signal);
            }
        }
    }
    partial
}

/// A file name in lower case with one `_` for each run of other characters.
pub fn plain(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out
}

/// A subject, the values of its first row, its lines and how many rows there are.
type Hit = (String, BTreeMap<String, String>, Vec<Evidence>, usize);

/// What one kind of row says about one output.
pub fn found(row: &Row, entry: &Entry, text: &Text) -> Vec<Signal> {
    let Some(pattern) = compile(row.pattern) else {
        return Vec::new();
    };
    let optional = |pattern: &str| (!pattern.is_empty()).then(|| compile(pattern)).flatten();
    let (unless, heading) = (optional(row.unless), optional(row.heading));
    let mut subjects: Vec<Hit> = Vec::new();
    for (number, line) in text.lines().take(MAX_LINES) {
        let Some(hit) = pattern.captures(line) else {
            continue;
        };
        if unless.as_ref().is_some_and(|unless| unless.is_match(line)) {
            continue;
        }
        let mut values: BTreeMap<String, String> = groups(&pattern, &hit);
        let mut lines = vec![at(entry, number, line)];
        if let Some(heading) = &heading {
            let above = (number.saturating_sub(HEADING_WITHIN).max(1)..number)
                .rev()
                .find_map(|above| {
                    let line = text.line(above)?;
                    Some((above, line, heading.captures(line)?))
                });
            if let Some((above, line, hit)) = above {
                for (name, value) in groups(heading, &hit) {
                    values.entry(name).or_insert(value);
                }
                lines.push(at(entry, above, line));
            }
        }
        values.insert(
            "line".into(),
            line.split_whitespace().collect::<Vec<_>>().join(" "),
        );
        let mut subject = fill(row.subject, &|name| values.get(name).cloned());
        if subject.is_empty() {
            subject = row.kind.to_ascii_lowercase();
        }
        if let Some((_, _, evidence, count)) =
            subjects.iter_mut().find(|(known, ..)| *known == subject)
        {
            *count += 1;
            if evidence.len() < 4 {
                evidence.extend(lines);
            }
        } else if subjects.len() < MAX_SUBJECTS {
            subjects.push((subject, values, lines, 1));
        }
    }
    subjects
        .into_iter()
        .filter(|(.., count)| *count >= row.at_least)
        .filter_map(|(subject, values, evidence, count)| {
            let value = |name: &str| match name {
                "count" => Some(count.to_string()),
                name => values.get(name).cloned(),
            };
            let entities: Vec<(&str, &str)> = values
                .iter()
                .filter(|(name, _)| name.as_str() != "line")
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .collect();
            Says {
                id: (row.id, row.cause),
                subject: (row.kind, &subject),
                title: fill(row.title, &value),
                statement: fill(row.statement, &value),
                strength: row.strength,
                role: row.role,
                evidence,
            }
            .signal(&entities)
        })
        .collect()
}

fn groups(pattern: &regex::Regex, hit: &regex::Captures<'_>) -> BTreeMap<String, String> {
    pattern
        .capture_names()
        .flatten()
        .filter_map(|name| Some((name.to_owned(), hit.name(name)?.as_str().trim().to_owned())))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

/// A table with bars: `| a | b |` between rules (MySQL, OpenStack, etcd) or ` a | b` (PostgreSQL).
pub struct Table {
    /// Column names in lower case.
    pub header: Vec<String>,
    /// Line number and cells of each row.
    pub rows: Vec<(usize, Vec<String>)>,
}

impl Table {
    /// The column whose name is one of `names`.
    pub fn column(&self, names: &[&str]) -> Option<usize> {
        names
            .iter()
            .find_map(|name| self.header.iter().position(|column| column == name))
    }
}

/// The tables of an output. Cells without bars may be split by tabs where the header is.
pub fn tables(text: &Text) -> Vec<Table> {
    let mut out: Vec<Table> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().take(MAX_LINES) {
        let bare = line.trim();
        if bare.starts_with('+') && bare.ends_with('+') || bare.starts_with("---") {
            continue;
        }
        let mark = if bare.contains('|') {
            '|'
        } else if bare.contains('\t') {
            '\t'
        } else {
            open = false;
            continue;
        };
        let inner = match bare.strip_prefix('|') {
            Some(rest) => rest.strip_suffix('|').unwrap_or(rest),
            None => bare,
        };
        let cells: Vec<String> = inner
            .split(mark)
            .map(|cell| cell.trim().to_owned())
            .collect();
        if cells.len() < 2 {
            continue;
        }
        match out.last_mut().filter(|_| open) {
            Some(table) => table.rows.push((number, cells)),
            None => {
                open = true;
                out.push(Table {
                    header: cells.iter().map(|cell| cell.to_ascii_lowercase()).collect(),
                    rows: Vec::new(),
                });
            }
        }
    }
    out
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::bundle::BundlePath;

    /// A file of the bundle.
    pub fn entry() -> Entry {
        Entry {
            path: BundlePath::parse("x").unwrap(),
            bytes: 1,
            sha256: String::new(),
            kind: FileKind::Text,
            link_to: None,
        }
    }

    #[test]
    fn every_row_keeps_its_examples() {
        let (mut ids, mut wrong) = (BTreeSet::new(), Vec::new());
        for row in TABLES.iter().flat_map(|table| table.iter()) {
            assert!(ids.insert(row.id), "{} twice", row.id);
            let pattern = compile(row.pattern).unwrap_or_else(|| panic!("pattern of {}", row.id));
            let heading = compile(row.heading).unwrap_or_else(|| panic!("heading of {}", row.id));
            assert!(compile(row.unless).is_some(), "{}", row.id);
            assert!(
                !row.yes.is_empty() && !row.no.is_empty() && !row.files.is_empty(),
                "{}",
                row.id
            );
            for part in row.files {
                assert_eq!(plain(part), *part, "{}", row.id);
            }
            let says = |text: &str| found(row, &entry(), &Text::new(text.as_bytes()));
            for text in row.yes {
                let signals = says(text);
                match signals.first() {
                    None => wrong.push(format!("{} must match {text}", row.id)),
                    Some(signal) if signal.subject.name.is_empty() => {
                        wrong.push(format!("{}: no name in {text}", row.id));
                    }
                    Some(_) => {}
                }
            }
            for text in row.no {
                if !says(text).is_empty() {
                    wrong.push(format!("{} must not match {text}", row.id));
                }
            }
            let names: BTreeSet<&str> = pattern
                .capture_names()
                .chain(heading.capture_names())
                .flatten()
                .collect();
            for text in [row.subject, row.title, row.statement] {
                for slot in text
                    .split('{')
                    .skip(1)
                    .filter_map(|part| part.split('}').next())
                {
                    if !names.contains(slot) && !["line", "count"].contains(&slot) {
                        wrong.push(format!("{}: no slot {slot}", row.id));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn tables_with_bars_and_tabs() {
        let of = |text: &str| tables(&Text::new(text.as_bytes()));
        let mysql = of("+----+---+\n| Id | B |\n+----+---+\n| 1  | x |\n+----+---+\n");
        assert_eq!((mysql.len(), mysql[0].column(&["b"])), (1, Some(1)));
        assert_eq!(mysql[0].rows, [(4, vec!["1".to_owned(), "x".to_owned()])]);
        let psql = of(" a | b\n---+---\n 1 |\n(1 row)\n\n c | d\n---+--\n");
        assert_eq!(psql.len(), 2);
        assert_eq!(psql[0].rows[0].1, ["1", ""]);
        assert_eq!(of("Id\tTime\n3\t77\n")[0].rows.len(), 1);
        assert_eq!(plain("ceph_-s --format.JSON"), "ceph_s_format_json");
    }
}
