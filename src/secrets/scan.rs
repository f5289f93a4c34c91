//! Finding secrets in a text.

use super::pieces::Pieces;
use super::rules::{RULES, Rule};
use super::{above, assign, check, dummy, headed, join, keys, manifest, nested, table, values};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

/// One secret in a text. It holds places, not the value.
#[derive(Clone, PartialEq, Eq)]
pub struct Hit {
    /// Which rule, as in the mark.
    pub rule: &'static str,
    /// Bytes of the value in the text that was scanned.
    pub range: Range<usize>,
    /// Line of its first byte, counted from 1.
    pub line: usize,
    /// Whether the value's own checksum holds; `None` when the format carries none.
    pub verified: Option<bool>,
    /// Values that stand inside, when the range is an encoding of something with secrets in it.
    pub plain: Vec<String>,
}

impl fmt::Debug for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at line {}, {} bytes",
            self.rule,
            self.line,
            self.range.len()
        )
    }
}

/// What a keyword calls for.
#[derive(Clone, Copy)]
enum Probe {
    Rule(usize),
    Assignment,
    SecretFile,
    Joint,
}

/// What stands for the searches that are no rules where it is noted what was searched.
const ASSIGNMENT: usize = usize::MAX;
const ABOVE: usize = usize::MAX - 1;
const TABLE: usize = usize::MAX - 2;
const SECRET_FILE: usize = usize::MAX - 3;

/// Bytes of joined lines searched in one scan.
const MAX_JOINED_BYTES: usize = 1 << 20;

struct Compiled {
    keywords: AhoCorasick,
    probes: Vec<Vec<Probe>>,
}

static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let mut words: Vec<String> = Vec::new();
    let mut probes: Vec<Vec<Probe>> = Vec::new();
    let mut add = |word: &str, probe| {
        let word = word.to_ascii_lowercase();
        match words.iter().position(|known| *known == word) {
            Some(at) => probes[at].push(probe),
            None => {
                words.push(word);
                probes.push(vec![probe]);
            }
        }
    };
    for (index, rule) in RULES.iter().enumerate() {
        for word in &rule.text.keywords {
            add(word, Probe::Rule(index));
        }
    }
    for word in keys::KEYWORDS {
        add(word, Probe::Assignment);
    }
    for word in headed::keywords() {
        add(word, Probe::SecretFile);
    }
    for word in ["\\\n", "\\\r\n"] {
        add(word, Probe::Joint);
    }
    let keywords = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .kind(Some(AhoCorasickKind::DFA))
        .build(&words)
        .unwrap_or_else(|why| panic!("the keywords of the rules: {why}"));
    Compiled { keywords, probes }
});

/// Finds secrets by the shipped rules, by the names of keys, and by the form of manifests and keys.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scanner;

impl Scanner {
    /// The scanner over the shipped rules, which are compiled once for the process.
    pub fn new() -> Self {
        Self
    }

    /// All secrets in `text`, by their first byte; ranges may overlap.
    pub fn scan(&self, text: &str) -> Vec<Hit> {
        self.scan_at(&words(text), 0, &mut { nested::MAX_DECODED_BYTES })
    }

    /// The same for the text of a file, whose path may say that all of it is secret.
    pub fn scan_file(&self, path: &str, text: &str) -> Vec<Hit> {
        let text = &*words(text);
        let mut found = self.search(text, 0, &mut { nested::MAX_DECODED_BYTES });
        headed::file(path, text, |range| {
            found.push(Found::at(range, "secret-file"))
        });
        finish(text, found)
    }

    /// The same for a text that stands `depth` encodings deep, of which `left` bytes may still be decoded.
    pub(super) fn scan_at(&self, text: &str, depth: usize, left: &mut usize) -> Vec<Hit> {
        finish(text, self.search(text, depth, left))
    }

    fn search(&self, text: &str, depth: usize, left: &mut usize) -> Vec<Found> {
        let mut found: Vec<Found> = Vec::new();
        let mut seen: HashSet<(usize, usize, usize)> = HashSet::new();
        let compiled = &*COMPILED;
        let mut pieces = Pieces::new(text);
        let (mut joined_upto, mut joined_left) = (0, MAX_JOINED_BYTES);
        for keyword in compiled.keywords.find_overlapping_iter(text) {
            let mut line = None;
            let mut own_line = |pieces: &mut Pieces| -> Range<usize> {
                line.get_or_insert_with(|| pieces.around(keyword.range(), 1))
                    .clone()
            };
            for probe in &compiled.probes[keyword.pattern().as_usize()] {
                match probe {
                    Probe::Rule(index) => {
                        let rule = &RULES[*index];
                        let piece = match rule.text.lines {
                            1 => own_line(&mut pieces),
                            lines => pieces.around(keyword.range(), lines),
                        };
                        if seen.insert((*index, piece.start, piece.end)) {
                            let start = piece.start;
                            apply(rule, &text[piece], |range, verified| {
                                let range = start + range.start..start + range.end;
                                found.push(Found::at(range, &rule.text.id).verified(verified));
                            });
                        }
                    }
                    Probe::Assignment => {
                        let at = keyword.range();
                        let mut report = |rule, range| found.push(Found::at(range, rule));
                        if keys::may_follow(text, at.clone()) {
                            let piece = own_line(&mut pieces);
                            let start = piece.start;
                            if seen.insert((ASSIGNMENT, start, piece.end)) {
                                assign::find(&text[piece], |rule, range| {
                                    report(rule, start + range.start..start + range.end)
                                });
                            }
                            if above::may_follow(text, &at) && seen.insert((ABOVE, at.end, 0)) {
                                above::find(text, &at, &mut report);
                            }
                        }
                        if table::may_head(text, &at) {
                            let piece = own_line(&mut pieces);
                            if seen.insert((TABLE, piece.start, piece.end)) {
                                table::find(text, &at, report);
                            }
                        }
                    }
                    Probe::SecretFile => {
                        let piece = own_line(&mut pieces);
                        if seen.insert((SECRET_FILE, piece.start, piece.end)) {
                            headed::below(text, &keyword.range(), |range| {
                                found.push(Found::at(range, "secret-file"));
                            });
                        }
                    }
                    Probe::Joint if keyword.start() >= joined_upto && joined_left > 0 => {
                        let (joined, end) = join::at(text, keyword.start());
                        joined_upto = end;
                        if let Some(joined) = joined {
                            joined_left = joined_left.saturating_sub(joined.text.len());
                            self.search_joined(&joined, depth, left, &mut found);
                        }
                    }
                    Probe::Joint => {}
                }
            }
        }
        manifest::private_keys(text, |range| found.push(Found::at(range, "private-key")));
        manifest::putty_keys(text, |range| found.push(Found::at(range, "private-key")));
        manifest::yaml_secrets(text, |range| {
            found.push(Found::at(range, "kubernetes-secret"))
        });
        if manifest::may_hold_json_secret(text) {
            json_manifests(text, &mut found);
        }
        nested::find(text, depth, left, |opened| {
            let mut inside = Found::at(opened.range, opened.rule);
            inside.plain = opened.values;
            found.push(inside);
        });
        found
    }

    /// What only the joined line shows, at its places in the text.
    fn search_joined(
        &self,
        joined: &join::Joined,
        depth: usize,
        left: &mut usize,
        found: &mut Vec<Found>,
    ) {
        for one in self.search(&joined.text, depth, left) {
            let (range, spans) = joined.place(&one.range);
            let mut plain = one.plain;
            if spans {
                plain.push(joined.text[one.range].to_owned());
            }
            found.push(Found {
                range,
                plain,
                rule: one.rule,
                verified: one.verified,
            });
        }
    }
}

/// The text with a line end for each NUL, which ends a word as in the environment of a process.
fn words(text: &str) -> Cow<'_, str> {
    match text.as_bytes().contains(&0) {
        true => Cow::Owned(text.replace('\0', "\n")),
        false => Cow::Borrowed(text),
    }
}

/// A secret before lines are counted.
struct Found {
    range: Range<usize>,
    rule: &'static str,
    verified: Option<bool>,
    plain: Vec<String>,
}

impl Found {
    fn at(range: Range<usize>, rule: &'static str) -> Self {
        Self {
            range,
            rule,
            verified: None,
            plain: Vec::new(),
        }
    }
    fn verified(self, verified: Option<bool>) -> Self {
        Self { verified, ..self }
    }
}

/// Values of JSON Secrets: the whole text if it is JSON, else each line that is.
fn json_manifests(text: &str, found: &mut Vec<Found>) {
    let mut values = Vec::new();
    let mut collect = |part: &str| {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(part) else {
            return false;
        };
        manifest::json_secrets(&value, 0, &mut |value| values.push(value.to_owned()));
        true
    };
    if !collect(text) {
        for line in text
            .lines()
            .filter(|line| manifest::may_hold_json_secret(line))
        {
            if let Some(at) = line.find('{') {
                let _ = collect(&line[at..])
                    || line
                        .rfind('}')
                        .is_some_and(|end| end > at && collect(&line[at..=end]));
            }
        }
    }
    values.retain(|value| value.len() >= 4);
    for at in 0..values.len() {
        let spelled = manifest::escaped(&values[at]);
        values.extend(spelled);
    }
    values.sort_unstable();
    values.dedup();
    if let Ok(finder) = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(&values)
    {
        found.extend(
            finder
                .find_iter(text)
                .filter(|hit| quoted(text, hit.range()))
                .map(|hit| Found::at(hit.range(), "kubernetes-secret")),
        );
    }
}

fn quoted(text: &str, range: Range<usize>) -> bool {
    text[..range.start].ends_with('"')
        && text[range.end..].trim_start_matches('\\').starts_with('"')
}

/// Runs one rule over a piece of text.
fn apply(rule: &'static Rule, piece: &str, mut report: impl FnMut(Range<usize>, Option<bool>)) {
    if !rule.text.needs.is_empty() && !piece.contains(&rule.text.needs) {
        return;
    }
    let compiled = rule.compiled();
    for captures in compiled.regex.captures_iter(piece) {
        if compiled
            .no
            .is_some_and(|group| captures.get(group).is_some())
        {
            continue;
        }
        let key = compiled.key.and_then(|group| captures.get(group));
        for secret in compiled
            .secrets
            .iter()
            .filter_map(|group| captures.get(*group))
        {
            let mut value = secret.as_str();
            if rule.text.chosen {
                // The sentence goes on behind it.
                value = value.trim_end_matches(['.', ',', ';', ':', ')', ']', '>']);
            }
            if rule.text.value && dummy::is_dummy(value)
                || rule.text.chosen && !values::is_chosen(value)
                || rule.text.entropy > 0.0 && check::entropy(value) < rule.text.entropy
                || dummy::is_example(&value.to_ascii_lowercase())
                || key.is_some_and(|key| assign::keeps(key.as_str(), value, None).is_none())
            {
                continue;
            }
            let verified = match rule.text.check.as_deref() {
                Some("github") => Some(check::github(value)),
                _ => None,
            };
            report(secret.start()..secret.start() + value.len(), verified);
        }
    }
}

/// Sorts, drops what lies inside marks and duplicates, counts lines.
fn finish(text: &str, mut found: Vec<Found>) -> Vec<Hit> {
    found.retain(|one| {
        !one.range.is_empty()
            && text.is_char_boundary(one.range.start)
            && text.is_char_boundary(one.range.end)
            && !text[one.range.clone()].contains(super::MARK_OPEN)
    });
    // Of two names for one range, the one that says more.
    let general = |rule: &str| match rule {
        "password" | "token" | "secret-file" => 2,
        "command-line-password" => 1,
        _ => 0,
    };
    found.sort_by_key(|one| {
        (
            one.range.start,
            std::cmp::Reverse(one.range.end),
            general(one.rule),
        )
    });
    found.dedup_by(|later, first| {
        let same = later.range == first.range;
        if same {
            first.plain.append(&mut later.plain);
        }
        same
    });
    let (mut line, mut upto) = (1, 0);
    found
        .into_iter()
        .map(|one| {
            line += text.as_bytes()[upto..one.range.start]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            upto = one.range.start;
            Hit {
                rule: one.rule,
                range: one.range,
                line,
                verified: one.verified,
                plain: one.plain,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(text: &str) -> Vec<&str> {
        Scanner::new()
            .scan(text)
            .into_iter()
            .map(|hit| &text[hit.range])
            .collect()
    }

    #[test]
    fn a_hit_never_prints_its_value() {
        let hits = Scanner::new().scan("a\npassword: hunter2value");
        assert_eq!(hits[0].line, 2);
        assert!(!format!("{hits:?}").contains("hunter2"));
    }

    #[test]
    fn one_very_long_line_is_searched_in_pieces() {
        let text = format!(
            "{}\"password\":\"hunter2value\"{}",
            "x ".repeat(50_000),
            " y".repeat(50_000)
        );
        assert_eq!(values(&text), ["hunter2value"]);
    }

    #[test]
    fn every_part_of_a_very_long_line_is_searched() {
        let fields: Vec<String> = (0..200)
            .map(|at| format!("\"password\":\"hunter{at}value\",{}", "x ".repeat(150)))
            .collect();
        assert_eq!(values(&fields.concat()).len(), 200);
    }

    #[test]
    fn private_keys_and_manifests_are_found_in_text() {
        assert_eq!(
            values(r#"{"kind":"Secret","data":{"pw":"aHVudGVyMg=="}}"#),
            ["aHVudGVyMg=="]
        );
        assert_eq!(
            values("x log {\"kind\":\"Secret\",\"data\":{\"pw\":\"aHVudGVyMg==\"}} end"),
            ["aHVudGVyMg=="]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]
        #[test]
        fn any_text_gives_ranges_inside_it(text in "\\PC{0,200}|(password[:=] ?\"?\\PC{0,20}\n?){0,6}|(kind: Secret\n|data:\n| {0,4}[a-z]{1,4}: [a-z0-9]{0,8}\n|- |---\n|-----BEGIN PRIVATE KEY-----\n){0,12}") {
            for hit in Scanner::new().scan(&text) {
                prop_assert!(text.get(hit.range.clone()).is_some());
            }
        }
    }

    #[test]
    fn a_hit_says_what_where_and_whether_its_checksum_holds() {
        let hits =
            Scanner::new().scan("a\n\nx\npassword: hunter2value\n\napi_password: hunter3value");
        assert_eq!(
            format!("{hits:?}"),
            "[password at line 4, 12 bytes, password at line 6, 12 bytes]"
        );
        assert_eq!(hits[0].verified, None);
        for (last, holds) in [("7", true), ("8", false)] {
            let text = format!(
                "{}{last}",
                concat!("gh", "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq1")
            );
            assert_eq!(Scanner::new().scan(&text)[0].verified, Some(holds));
        }
    }

    #[test]
    fn lines_that_go_on_behind_a_backslash_are_read_as_one() {
        let plain = |text: &str| -> Vec<String> {
            let hits = Scanner::new().scan(text).into_iter();
            let mut plain: Vec<_> = hits.flat_map(|hit| hit.plain).collect();
            plain.dedup();
            plain
        };
        let text = "run \\\n --user=ada \\\n --password=tisch\\\n442x\n";
        assert_eq!(plain(text), ["tisch442x"]);
        assert_eq!(plain(&text.replace('\n', "\r\n")), ["tisch442x"]);
        assert_eq!(plain(&text.replace("\\\n442x", " \\\n442x")).len(), 0);
        // As far as the limit of what is joined in one text.
        let line = format!("{}\\\n\n", "go on ".repeat(1_000));
        for (lines, found) in [(150, 1), (200, 0)] {
            let text = format!("{}{text}", line.repeat(lines));
            assert_eq!(plain(&text).len(), found, "{lines}");
        }
    }

    #[test]
    fn values_of_json_manifests_are_found_as_they_are_written() {
        let plain = r#"{"kind":"Secret","stringData":{"app":"wolke-9"}}"#;
        let nested = serde_json::json!({"last": serde_json::json!({"last": plain}).to_string()});
        for text in [
            plain.to_owned(),
            plain.replace(',', ",\n  "),
            format!("one\n{plain}\ntwo"),
            format!("one\napplied {plain}\ntwo"),
            format!("one\napplied {plain} at last\ntwo"),
            nested.to_string(),
            format!("applied {nested}"),
        ] {
            assert_eq!(values(&text), ["wolke-9"], "{text}");
        }
        for (written, value) in [
            (r#""kl4\"vier""#, r#"kl4\"vier"#),
            (r#""ada\ntisch\n""#, r#"ada\ntisch\n"#),
            (r#""a\u003cb\u0026c9""#, r#"a\u003cb\u0026c9"#),
            (r#""wolke""#, "wolke"),
            (r#""wol""#, ""),
            (r#""none""#, ""),
        ] {
            let text = plain.replace(r#""wolke-9""#, written);
            assert_eq!(values(&text).concat(), value, "{text}");
            let text = serde_json::json!({"last": text}).to_string();
            let escaped = value.replace('\\', r"\\").replace('"', r#"\""#);
            assert_eq!(values(&text).concat(), escaped, "{text}");
        }
    }

    #[test]
    fn only_whole_strings_are_the_values_of_a_json_manifest() {
        let text = r#"{"kind":"Secret","metadata":{"name":"shop-5432","id":"5432-shop"},"data":{"port":"5432"}}"#;
        let at = text.rfind("5432").expect("the value");
        let hits = Scanner::new().scan(text);
        assert_eq!(hits.len(), 1);
        assert_eq!(hits[0].range, at..at + 4);
        assert!(values(r#"} "Secret" {"#).is_empty());
    }

    #[test]
    fn what_is_empty_or_already_hidden_is_no_hit() {
        for text in [
            "PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 3",
            "-----BEGIN PRIVATE KEY-----\n‹secret:private-key:1› and more\n-----END PRIVATE KEY-----",
        ] {
            assert!(values(text).is_empty(), "{text}");
        }
    }

    #[test]
    fn a_value_has_the_least_entropy_its_rule_asks_for() {
        // Eight letters, each twice, are three bits a letter.
        assert_eq!(values("TOTP seed: QWKRTZ57QWKRTZ57"), ["QWKRTZ57QWKRTZ57"]);
        assert!(values("TOTP seed: QWKRTZ57QWKRTZ5Q").is_empty());
    }
}
