//! The name of a finding in a baseline, which must not help anybody to guess the value.
//!
//! A baseline is committed, so whatever a fingerprint is made of can be tried offline, and a key kept
//! beside it would only be a salt. So the value of a password or of anything else that a person may
//! have chosen does not go into it: it is made of the rule, the path, the text before the value on its
//! line (there the key's name stands) and a counter for the same again. Only a value that was issued
//! at random, with a format of its own and far more bits than can be tried, goes in as its hash: a new
//! token in an old token's place is a new finding.
//!
//! What that leaves open, another password on the same line keeping its fingerprint, is closed for
//! changes: the old side of the diff is looked at, and a value that differs from it does not pass.

use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Characters of the line before the value that count.
const MAX_BEFORE: usize = 160;
/// Shortest value that may be told by its hash, in characters.
const MIN_RANDOM: usize = 24;

/// Counts what has the same name so far.
#[derive(Default)]
pub struct Fingerprints(HashMap<[u8; 16], u32>);

/// The place of a value: what its fingerprint is made of if the value may be guessed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    rule: String,
    before: String,
}

impl Place {
    /// `line` is the text of the line up to the value, other secrets masked.
    pub fn new(rule: &str, line: &str) -> Self {
        let mut before = String::new();
        for word in line.split_whitespace() {
            if !before.is_empty() {
                before.push(' ');
            }
            before.push_str(word);
        }
        let skip = before.chars().count().saturating_sub(MAX_BEFORE);
        Self {
            rule: rule.to_owned(),
            before: before.chars().skip(skip).collect(),
        }
    }
}

impl Place {
    /// The rule.
    pub fn rule(&self) -> &str {
        &self.rule
    }
}

impl Fingerprints {
    /// The fingerprint of `value` at `place` in the file `path`: 32 hex digits.
    pub fn next(&mut self, path: &str, place: &Place, value: &str) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        part("narrowroom.fingerprint/v1");
        part(&place.rule);
        part(path);
        if is_random(&place.rule, value) {
            part("value");
            part(&hex::encode(Sha256::digest(value.as_bytes())));
        } else {
            part("place");
            part(&place.before);
        }
        let digest = hash.finalize();
        let mut base = [0; 16];
        base.copy_from_slice(&digest[..16]);
        let count = self.0.entry(base).or_default();
        *count += 1;
        if *count == 1 {
            return hex::encode(base);
        }
        let again = Sha256::new()
            .chain_update(base)
            .chain_update(count.to_le_bytes())
            .finalize();
        hex::encode(&again[..16])
    }
}

/// Whether the value is one that a machine issued, beyond guessing: the rule names a token's own
/// format, and the value is long and has many different characters.
pub fn is_random(rule: &str, value: &str) -> bool {
    let issued = rule.ends_with("-token") || rule.ends_with("-key") || rule == "jwt";
    let generic = rule.contains("password") || rule.contains("header");
    let mut seen = [false; 256];
    for byte in value.bytes() {
        seen[usize::from(byte)] = true;
    }
    let different = seen.iter().filter(|seen| **seen).count();
    issued && !generic && value.chars().count() >= MIN_RANDOM && different >= 14
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(path: &str, rule: &str, line: &str, value: &str) -> String {
        Fingerprints::default().next(path, &Place::new(rule, line), value)
    }

    #[test]
    fn a_password_does_not_go_into_its_fingerprint() {
        let a = one("a.yml", "password", "  password: ", "hunter2value");
        assert_eq!(a, one("a.yml", "password", "password: ", "another one"));
        assert_ne!(a, one("b.yml", "password", "password: ", "hunter2value"));
        assert_ne!(a, one("a.yml", "password", "db_password: ", "hunter2value"));
        assert_ne!(
            a,
            one("a.yml", "sql-password", "password: ", "hunter2value")
        );
        assert_eq!(a.len(), 32);
    }

    #[test]
    fn an_issued_token_is_told_from_the_next_one() {
        let token = |seed: &str| format!("gh{}{seed}abcdefghijKLMNOPQRST0123456789", "p_");
        assert!(is_random("github-token", &token("Z")));
        assert_ne!(
            one("a", "github-token", "t=", &token("Z")),
            one("a", "github-token", "t=", &token("Y"))
        );
        // Long, but chosen by a person for all we know.
        assert!(!is_random("password", "correct-horse-battery-staple-1234"));
        assert!(!is_random(
            "vault-token",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        ));
    }

    #[test]
    fn the_same_again_has_its_own() {
        let mut all = Fingerprints::default();
        let place = Place::new("password", "password: ");
        let first = all.next("a", &place, "x");
        let second = all.next("a", &place, "y");
        assert_ne!(first, second);
        assert_ne!(second, all.next("a", &place, "z"));
    }
}
