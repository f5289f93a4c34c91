//! What people accepted: comments with a reason, the baseline, `.narrowroomignore`. Parsed in the
//! sealed worker; only the writing of a baseline happens in zone 0, from findings.

use super::model::Finding;
use crate::error::{Context, Error, ExitCode, Result};
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Looked for at the top of the repository when no other baseline is named.
pub const BASELINE_FILE: &str = ".narrowroom-baseline.json";
/// Paths that the guard leaves out, in gitignore syntax, at the top of the repository.
pub const IGNORE_FILE: &str = ".narrowroomignore";

const BASELINE_SCHEMA: &str = "narrowroom.guard-baseline/v1";
/// Longest reason kept, in characters.
const MAX_REASON: usize = 160;
/// Fewest letters that can be a reason.
const MIN_REASON_LETTERS: usize = 3;
const MARK: &str = "narrowroom:allow";

/// A `narrowroom:allow RULE REASON` comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The rule it names.
    pub rule: String,
    /// Its reason; `None` when there is none, and then it allows nothing.
    pub reason: Option<String>,
}

/// The comments on one line.
pub fn allows(line: &str) -> Vec<Allow> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices(MARK) {
        let rest = &line[at + MARK.len()..];
        if !rest.is_empty() && !rest.starts_with(char::is_whitespace) {
            continue;
        }
        let rest = rest.find(MARK).map_or(rest, |next| &rest[..next]);
        let mut words = rest.split_whitespace();
        let rule = words.next().unwrap_or_default().to_owned();
        let reason = words.collect::<Vec<_>>().join(" ");
        let reason = ["-->", "*/", "*)", "#}", "}}", "%>", "//", "#"]
            .iter()
            .fold(reason.as_str(), |text, close| {
                text.trim_end().trim_end_matches(close)
            })
            .trim();
        let letters = reason.chars().filter(|c| c.is_alphabetic()).count();
        found.push(Allow {
            rule,
            reason: (letters >= MIN_REASON_LETTERS)
                .then(|| reason.chars().take(MAX_REASON).collect()),
        });
    }
    found
}

/// Accepted fingerprints.
#[derive(Debug, Default)]
pub struct Baseline(BTreeMap<String, Entry>);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    fingerprint: String,
    rule: String,
    path: String,
    line: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaselineFile {
    schema: String,
    findings: Vec<Entry>,
}

impl Baseline {
    /// Reads a baseline's text.
    ///
    /// # Errors
    /// A usage error: the file is the user's own.
    pub fn parse(text: &str) -> Result<Self> {
        let hint = "write it again with: narrowroom guard --write-baseline FILE";
        let file: BaselineFile = serde_json::from_str(text)
            .or_fail(ExitCode::Usage, "failed to read the baseline")
            .map_err(|error| error.hint(hint))?;
        if file.schema != BASELINE_SCHEMA {
            return Err(Error::usage(format!(
                "failed to read the baseline: its schema is not {BASELINE_SCHEMA}"
            ))
            .hint(hint));
        }
        Ok(Self(
            file.findings
                .into_iter()
                .map(|entry| (entry.fingerprint.clone(), entry))
                .collect(),
        ))
    }
    /// Whether this finding was accepted: the same fingerprint, under the same rule.
    pub fn accepts(&self, finding: &Finding) -> bool {
        self.0
            .get(&finding.fingerprint)
            .is_some_and(|entry| entry.rule == finding.rule)
    }
}

/// The text of a baseline that accepts these findings: fingerprints and places, no values.
///
/// # Errors
/// A bug.
pub fn baseline_text<'a>(findings: impl Iterator<Item = &'a Finding>) -> Result<String> {
    let mut entries: Vec<Entry> = findings
        .map(|finding| Entry {
            fingerprint: finding.fingerprint.clone(),
            rule: finding.rule.clone(),
            path: finding.path.clone(),
            line: finding.line,
        })
        .collect();
    entries
        .sort_by(|a, b| (&a.path, a.line, &a.fingerprint).cmp(&(&b.path, b.line, &b.fingerprint)));
    entries.dedup_by(|a, b| a.fingerprint == b.fingerprint);
    let file = BaselineFile {
        schema: BASELINE_SCHEMA.into(),
        findings: entries,
    };
    let mut text = serde_json::to_string_pretty(&file)
        .or_fail(ExitCode::Bug, "failed to write the baseline")?;
    text.push('\n');
    Ok(text)
}

/// `.narrowroomignore`, compiled.
pub struct Ignored {
    rules: Gitignore,
    /// Lines that are no pattern, by number.
    pub wrong: Vec<usize>,
}

impl Ignored {
    /// Compiles the file's text; lines that do not compile are said, not obeyed.
    pub fn new(text: &str) -> Self {
        let mut builder = GitignoreBuilder::new("");
        let mut wrong = Vec::new();
        for (at, line) in text.lines().enumerate() {
            if builder.add_line(None, line).is_err() {
                wrong.push(at + 1);
            }
        }
        Self {
            rules: builder.build().unwrap_or_else(|_| Gitignore::empty()),
            wrong,
        }
    }
    /// Whether `path`, or a folder above it, is left out.
    pub fn covers(&self, path: &str) -> bool {
        !path.is_empty()
            && !path.starts_with('/')
            && self
                .rules
                .matched_path_or_any_parents(path, false)
                .is_ignore()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(rule: &str, reason: Option<&str>) -> Allow {
        Allow {
            rule: rule.into(),
            reason: reason.map(str::to_owned),
        }
    }

    #[test]
    fn a_comment_needs_a_rule_and_a_reason() {
        assert_eq!(
            allows("x = 'y'  # narrowroom:allow password throw-away test account"),
            [allow("password", Some("throw-away test account"))]
        );
        assert_eq!(
            allows("<!-- narrowroom:allow jwt expired sample -->"),
            [allow("jwt", Some("expired sample"))]
        );
        assert_eq!(
            allows("# narrowroom:allow password"),
            [allow("password", None)]
        );
        assert_eq!(
            allows("/* narrowroom:allow password - */"),
            [allow("password", None)]
        );
        assert_eq!(allows("# narrowroom:allow"), [allow("", None)]);
        assert!(allows("# narrowroom:allowed password because I say so").is_empty());
        assert_eq!(
            allows("# narrowroom:allow a for tests narrowroom:allow b"),
            [allow("a", Some("for tests")), allow("b", None)]
        );
    }

    #[test]
    fn ignore_rules_are_gitignore_rules() {
        let ignored = Ignored::new("# comment\n/fixtures/\n*.snap\n!keep.snap\n");
        for path in ["fixtures/a/b.txt", "deep/x.snap"] {
            assert!(ignored.covers(path), "{path}");
        }
        for path in [
            "src/fixtures/a",
            "keep.snap",
            "fixtures2/x",
            "../x.txt",
            "/x.snap",
            "",
        ] {
            assert!(!ignored.covers(path), "{path}");
        }
    }

    #[test]
    fn a_baseline_comes_back_and_a_strange_one_is_refused() {
        let finding = Finding {
            path: "a".into(),
            line: 3,
            column: 1,
            end_line: 3,
            end_column: 2,
            rule: "password".into(),
            mask: "m".into(),
            fingerprint: "f".into(),
            commit: None,
            verified: None,
        };
        let text = baseline_text([&finding, &finding].into_iter()).unwrap();
        let baseline = Baseline::parse(&text).unwrap();
        assert!(baseline.accepts(&finding));
        assert!(!baseline.accepts(&Finding {
            rule: "jwt".into(),
            ..finding.clone()
        }));
        assert!(!baseline.accepts(&Finding {
            fingerprint: "g".into(),
            ..finding
        }));
        assert!(Baseline::parse("{}").is_err());
        assert!(Baseline::parse(r#"{"schema":"x","findings":[]}"#).is_err());
    }
}
