//! Added lines that are worth the model's time: broad rules, far too noisy to be shown themselves. The
//! model says which of them is what the rule suspects. Runs in the sealed room, on masked text.

use crate::bundle::Tree;
use crate::report::CommandClass;
use crate::verify::command::classify;
use regex::Regex;
use std::sync::LazyLock;

/// A line under suspicion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// The signal, as a catalogue's `signals_for` names it.
    pub signal: &'static str,
    /// Path in the tree.
    pub path: String,
    /// Line, counted from 1.
    pub line: u64,
    /// The line.
    pub text: String,
    /// Added lines around it, this one included.
    pub around: Vec<(u64, String)>,
}

/// Lines shown before and after.
const AROUND: usize = 3;
/// Longest line that is looked at, in characters.
const MAX_LINE: usize = 400;

const CONFIG: &[&str] = &[
    "yaml",
    "yml",
    "json",
    "toml",
    "ini",
    "env",
    "properties",
    "conf",
    "cfg",
    "xml",
    "tf",
    "tfvars",
    "config",
];
const SCRIPTS: &[&str] = &["sh", "bash", "zsh", "ksh", "mk"];
const DATA: &[&str] = &[
    "csv", "tsv", "sql", "json", "jsonl", "xml", "yaml", "yml", "txt",
];

struct Patterns {
    literal: Regex,
    debug: Regex,
    credential: Regex,
    person: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let regex = |text: &str| Regex::new(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    Patterns {
        literal: regex(r#"["'`=:\s](?:[A-Za-z0-9+/_-]{20,}={0,2})(?:["'`\s,;]|$)"#),
        debug: regex(
            r"(?i)\b(?:console\.(?:log|debug|trace)|print|println!?|eprintln!|printf|pprint|puts|logger?\.debug|log\.debug|alert)\s*\(|\b(?:debug|trace|verbose)\w*\s*[:=]\s*(?:true|1|on|yes)\b|\b(?:XXX|HACK|FIXME)\b|\b(?:remove|delete) (?:this|me|before)\b",
        ),
        credential: regex(
            r#"(?i)[\w.-]*(?:user(?:name)?|login|account|auth|pass\w*|secret|token|api[_-]?key|credential|dsn|connection[_-]?string|database[_-]?url)[\w.-]*["']?\s*[:=>]\s*["']?[^\s"'<>{}$]{3,}"#,
        ),
        person: regex(
            r#"(?i)\b[\w.+-]+@[\w-]+\.[a-z]{2,}\b|\b(?:\+\d{1,3}[ -]?)?(?:\(\d{2,4}\)|\d{2,4})[ /-]\d{3,4}[ -]?\d{3,4}\b|\b\d{3}-\d{2}-\d{4}\b|\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}\b|\b(?:date_?of_?birth|dob|ssn|passport|iban|street|home_?address|phone|mobile)\b"#,
        ),
    }
});

/// The suspicion that a line falls under, the strongest first.
fn signal(path: &str, line: &str) -> Option<&'static str> {
    let lower = path.to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or(&lower);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let script = SCRIPTS.contains(&ending) || name == "makefile" || name.starts_with("dockerfile");
    let text = line.trim();
    if text.chars().count() < 6 || text.chars().count() > MAX_LINE {
        return None;
    }
    let masked = crate::secrets::find_mark(text).is_some();
    if script
        && !text.starts_with('#')
        && classify(text.trim_start_matches("RUN ").trim_end_matches('\\')).class
            == CommandClass::Destructive
    {
        return Some("diff.destroying-command");
    }
    let config = CONFIG.contains(&ending) || name.starts_with(".env");
    if config && !masked && PATTERNS.credential.is_match(text) {
        return Some("diff.credential-key");
    }
    let fixture = [
        "test", "fixture", "sample", "seed", "mock", "example", "spec", "demo",
    ]
    .iter()
    .any(|word| lower.contains(word));
    if (fixture || DATA.contains(&ending)) && PATTERNS.person.is_match(text) {
        return Some("diff.personal-words");
    }
    if !config && PATTERNS.debug.is_match(text) {
        return Some("diff.debug-words");
    }
    let mixed =
        text.bytes().any(|b| b.is_ascii_digit()) && text.bytes().any(|b| b.is_ascii_alphabetic());
    if !masked
        && mixed
        && PATTERNS.literal.is_match(text)
        && !name.ends_with(".lock")
        && !name.contains("lock.")
    {
        return Some("diff.long-literal");
    }
    None
}

/// The suspects of the whole change, spread over the files: the first of each file before the second of any.
pub fn suspects(
    tree: &Tree,
    admits: &dyn Fn(&str) -> bool,
    most: usize,
) -> std::io::Result<Vec<Suspect>> {
    let mut by_file: Vec<Vec<Suspect>> = Vec::new();
    for entry in tree.files() {
        let path = entry.path.as_str();
        if !admits(path) {
            continue;
        }
        let mut lines: Vec<(u64, String)> = Vec::new();
        tree.for_each_line(entry, |number, line| {
            // Lines that were not added are empty here.
            if !line.trim().is_empty() {
                lines.push((number as u64, line.to_owned()));
            }
            true
        })?;
        let mut found = Vec::new();
        for (at, (number, text)) in lines.iter().enumerate() {
            let Some(signal) = signal(path, text) else {
                continue;
            };
            let around = lines[at.saturating_sub(AROUND)..(at + AROUND + 1).min(lines.len())]
                .iter()
                .filter(|(near, _)| near.abs_diff(*number) <= AROUND as u64)
                .cloned()
                .collect();
            found.push(Suspect {
                signal,
                path: path.to_owned(),
                line: *number,
                text: text.clone(),
                around,
            });
            if found.len() >= most {
                break;
            }
        }
        if !found.is_empty() {
            by_file.push(found);
        }
    }
    let mut chosen = Vec::new();
    for turn in 0..most {
        for file in &by_file {
            if let Some(suspect) = file.get(turn)
                && chosen.len() < most
            {
                chosen.push(suspect.clone());
            }
        }
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_worth_a_look() {
        for (path, line, expected) in [
            ("a.py", "    print(user)", Some("diff.debug-words")),
            (
                "app.yaml",
                "  db_user: svc_orders",
                Some("diff.credential-key"),
            ),
            (
                "tests/fixtures/people.csv",
                "7,Ada,ada@company.net,1975-02-03",
                Some("diff.personal-words"),
            ),
            (
                "a.go",
                "key := \"q8Zt4LmPz0RrW1x9Yv7Bn3Cd\"",
                Some("diff.long-literal"),
            ),
            (
                "clean.sh",
                "rm -rf /var/lib/app",
                Some("diff.destroying-command"),
            ),
            ("a.py", "def total(items):", None),
            ("app.yaml", "  replicas: 3", None),
            (
                "Cargo.lock",
                "checksum = \"2f5a3b1c2f5a3b1c2f5a3b1c2f5a3b1c\"",
                None,
            ),
        ] {
            assert_eq!(signal(path, line), expected, "{path}: {line}");
        }
    }
}
