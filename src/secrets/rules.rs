//! The rules as data, compiled once.

use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use std::sync::{LazyLock, OnceLock};

/// The shipped rules: common forms, commands and configuration files, keys in their own formats, configurations of
/// network equipment, sentences, what providers issue, calls in source code.
const SHIPPED: [(&str, &str); 7] = [
    ("rules.toml", include_str!("rules.toml")),
    ("commands.toml", include_str!("commands.toml")),
    ("keys.toml", include_str!("keys.toml")),
    ("network.toml", include_str!("network.toml")),
    ("prose.toml", include_str!("prose.toml")),
    ("providers.toml", include_str!("providers.toml")),
    ("source.toml", include_str!("source.toml")),
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
    /// Where the secret is: every group whose name begins with `s`, else the whole match. Group `k` is a key that must
    /// allow the value, as in assignments; a match with a group `no` is none.
    pub regex: String,
    /// Least Shannon entropy, bits per character.
    #[serde(default)]
    pub entropy: f64,
    /// A checksum that the format carries.
    pub check: Option<String>,
    /// Whether the match is an arbitrary value, to be held against [`super::dummy`].
    #[serde(default)]
    pub value: bool,
    /// Whether the value must look made up: letters with digits or signs, no version, size or name.
    #[serde(default)]
    pub chosen: bool,
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

/// A rule; its expression is compiled when a keyword first calls for it.
pub(super) struct Rule {
    pub text: RuleText,
    compiled: OnceLock<Compiled>,
}

/// The expression of a rule, and what its groups are.
pub(super) struct Compiled {
    pub regex: Regex,
    /// The groups that hold secrets; the whole match where there is none.
    pub secrets: Vec<usize>,
    /// The group that holds the key of the value.
    pub key: Option<usize>,
    /// The group that says that it is no secret.
    pub no: Option<usize>,
}

impl Rule {
    /// The compiled expression.
    pub fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| {
            let regex = RegexBuilder::new(&self.text.regex)
                .size_limit(MAX_COMPILED_BYTES)
                .build()
                .unwrap_or_else(|why| panic!("the rule {}: {why}", self.text.id));
            let named = |wanted: fn(&str) -> bool| {
                let names = regex.capture_names().enumerate();
                let found = names.filter(|(_, name)| name.is_some_and(wanted));
                found.map(|(index, _)| index).collect::<Vec<_>>()
            };
            let secrets = named(|name| name.starts_with('s'));
            let key = named(|name| name == "k").first().copied();
            let no = named(|name| name == "no").first().copied();
            Compiled {
                secrets: if secrets.is_empty() { vec![0] } else { secrets },
                key,
                no,
                regex,
            }
        })
    }
}

/// All rules in the order of the files.
pub(super) static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let mut rules = Vec::new();
    for (name, text) in SHIPPED {
        let file: File = toml::from_str(text).unwrap_or_else(|why| panic!("secrets/{name}: {why}"));
        rules.extend(file.rules.into_iter().map(|text| Rule {
            text,
            compiled: OnceLock::new(),
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

    /// In an example a `~` stands inside the secret: there the text must be hidden, and the whole word with it.
    #[test]
    fn what_an_example_plants_is_hidden() {
        let mut wrong = Vec::new();
        for rule in RULES.iter() {
            for example in &rule.text.found {
                let mut text = String::new();
                let mut places = Vec::new();
                for part in example.split('~') {
                    text.push_str(part);
                    places.push(text.len());
                }
                places.pop();
                let hits = Scanner::new().scan(&text);
                let masked = crate::secrets::Masker::new().mask(&text);
                for place in places {
                    match hits.iter().find(|hit| hit.range.contains(&place)) {
                        Some(hit) if !masked.contains(&text[hit.range.clone()]) => {}
                        _ => {
                            wrong.push(format!("{}: {example:?} becomes {masked:?}", rule.text.id))
                        }
                    }
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

    #[test]
    fn every_rule_spans_its_own_line_at_least() {
        for rule in RULES.iter() {
            assert!(rule.text.lines >= 1, "{}", rule.text.id);
        }
    }
}
