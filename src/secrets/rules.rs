//! The rules as data, compiled once.

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use std::sync::LazyLock;

/// The shipped rules: common forms, commands and configuration files, what providers issue.
const SHIPPED: [(&str, &str); 3] = [
    ("rules.toml", include_str!("rules.toml")),
    ("commands.toml", include_str!("commands.toml")),
    ("providers.toml", include_str!("providers.toml")),
];
/// Largest compiled size of one rule, in bytes; the crate's own default of 10 MiB is for strangers' patterns.
const MAX_COMPILED_BYTES: usize = 8 << 20;

/// One rule as written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    /// What the mark calls it.
    pub id: String,
    /// Literals, any case, one of which must stand nearby.
    pub keywords: Vec<String>,
    /// Where the secret is: group `s`, `s2` or `s3`, else the whole match.
    pub regex: String,
    /// Least Shannon entropy, bits per character.
    #[serde(default)]
    pub entropy: f64,
    /// A checksum that the format carries.
    pub check: Option<String>,
    /// Whether the match is an arbitrary value, to be held against [`super::dummy`].
    #[serde(default)]
    pub value: bool,
    /// A literal that must stand in the same lines; what has none is not searched.
    #[serde(default)]
    pub needs: String,
    /// How many lines the expression may span, the keyword's line and those around it.
    #[serde(default = "one")]
    pub lines: usize,
    /// Texts with a secret.
    #[serde(default)]
    #[cfg_attr(not(test), allow(dead_code, reason = "examples are read by the test"))]
    pub found: Vec<String>,
    /// The same, taken as they are.
    #[serde(default)]
    #[cfg_attr(not(test), allow(dead_code, reason = "examples are read by the test"))]
    pub found_raw: Vec<String>,
    /// Texts without one.
    #[serde(default)]
    #[cfg_attr(not(test), allow(dead_code, reason = "examples are read by the test"))]
    pub ignored: Vec<String>,
    /// Whether the keywords hold a `~` of their own.
    #[serde(default)]
    #[allow(dead_code, reason = "documents the data, read by the test")]
    pub raw_keywords: bool,
}

fn one() -> usize {
    1
}

#[derive(Deserialize)]
struct File {
    rules: Vec<RuleText>,
}

/// A compiled rule.
pub(super) struct Rule {
    pub text: RuleText,
    pub regex: Regex,
}

/// All rules in the order of the file.
pub(super) static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let mut rules = Vec::new();
    for (name, text) in SHIPPED {
        let file: File = toml::from_str(text).unwrap_or_else(|why| panic!("secrets/{name}: {why}"));
        rules.extend(file.rules.into_iter().map(|text| {
            let regex = RegexBuilder::new(&text.regex)
                .size_limit(MAX_COMPILED_BYTES)
                .build()
                .unwrap_or_else(|why| panic!("secrets/{name}, {}: {why}", text.id));
            Rule { text, regex }
        }));
    }
    rules
});

#[cfg(test)]
mod tests {
    use super::super::Scanner;
    use super::*;

    #[test]
    fn every_rule_finds_and_ignores_what_its_examples_say() {
        let scanner = Scanner::new();
        let mut wrong = Vec::new();
        for rule in RULES.iter() {
            let examples = rule
                .text
                .found
                .iter()
                .map(|text| text.replace('~', ""))
                .chain(rule.text.found_raw.iter().cloned());
            let mut count = 0;
            for example in examples {
                count += 1;
                let hits = scanner.scan(&example);
                if !hits.iter().any(|hit| hit.rule == rule.text.id) {
                    wrong.push(format!("{}: {example:?} gives {hits:?}", rule.text.id));
                }
            }
            assert!(count > 0, "{} has no example", rule.text.id);
            for example in &rule.text.ignored {
                let hits = scanner.scan(example);
                if !hits.is_empty() {
                    wrong.push(format!(
                        "{}: not to be found in {example:?}, but {hits:?}",
                        rule.text.id
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn ids_can_stand_in_a_mark() {
        for rule in RULES.iter() {
            assert!(
                rule.text
                    .id
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b == b'-'),
                "{}",
                rule.text.id
            );
            assert!(rule.text.id.len() < 40);
        }
    }
}
