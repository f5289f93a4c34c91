//! Replacing every occurrence of the secret values that are known, and what looks like one.

use super::cuts::Cuts;
use super::scan::Scanner;
use super::{MARK_OPEN, check, dummy, find_mark};
use crate::report::{Report, SubjectField};
use aho_corasick::{AhoCorasick, MatchKind};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;

/// How often a text is looked at; what is plain after that was never seen to exist.
const MOST_ROUNDS: usize = 4;

/// What of a longer value is known anywhere, in bytes: its beginning. Where its key stands beside it all of it is hidden.
const MAX_KNOWN: usize = 4 << 10;

/// As much of a value as is looked for anywhere.
pub fn beginning(value: &str) -> &str {
    &value[..value.floor_char_boundary(MAX_KNOWN)]
}

/// Replaces secrets by marks. Holds the values; its `Debug` does not show them.
#[derive(Default)]
pub struct Masker {
    /// Value to mark.
    known: HashMap<String, String>,
    /// How many marks each rule has given out.
    counts: BTreeMap<&'static str, usize>,
    /// Spellings that are replaced anywhere, parallel to the patterns of `finder`.
    spellings: Vec<(String, String)>,
    finder: Option<AhoCorasick>,
    /// What may be left of a spelling where a text was cut.
    cuts: Cuts,
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Masker")
            .field("values", &self.known.len())
            .field("kinds", &self.counts)
            .finish_non_exhaustive()
    }
}

impl Masker {
    /// A masker that knows no value yet; it still masks by pattern.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of distinct values known.
    pub fn len(&self) -> usize {
        self.known.len()
    }
    /// Whether no value is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
    /// How many values of each kind are known.
    pub fn counts(&self) -> &BTreeMap<&'static str, usize> {
        &self.counts
    }

    /// The mark of `value`, given out if it has none.
    pub(super) fn mark(&mut self, rule: &'static str, value: &str) -> String {
        if let Some(mark) = self.known.get(value) {
            return mark.clone();
        }
        let count = self.counts.entry(rule).or_default();
        *count += 1;
        let mark = format!("{MARK_OPEN}{rule}:{count}›");
        self.known.insert(value.to_owned(), mark.clone());
        // Half of what a Secret holds is no secret: ports, versions, names of databases.
        let short = rule == "kubernetes-secret" && value.chars().count() < 6;
        if !short && !dummy::only_in_context(value) {
            for spelling in spellings(beginning(value)) {
                self.spellings.push((spelling, mark.clone()));
            }
        }
        mark
    }

    /// The mark of a value that is met only while masking: a known value keeps its mark, another gets the next free number.
    fn mark_of(
        &self,
        rule: &'static str,
        value: &str,
        fresh: &mut BTreeMap<&'static str, Vec<String>>,
    ) -> String {
        let spelled = || self.spellings.iter().find(|(text, _)| text == value);
        if let Some(mark) = self
            .known
            .get(value)
            .or_else(|| spelled().map(|(_, mark)| mark))
        {
            return mark.clone();
        }
        let list = fresh.entry(rule).or_default();
        let at = list
            .iter()
            .position(|known| known == value)
            .unwrap_or_else(|| {
                list.push(value.to_owned());
                list.len() - 1
            });
        format!(
            "{MARK_OPEN}{rule}:{}›",
            self.counts.get(rule).copied().unwrap_or(0) + at + 1
        )
    }

    pub(super) fn build(&mut self) {
        let patterns: Vec<&str> = self
            .spellings
            .iter()
            .map(|(spelling, _)| spelling.as_str())
            .collect();
        self.finder = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(patterns)
            .ok();
        self.cuts = Cuts::of(self.spellings.iter().map(|(spelling, _)| spelling.as_str()));
    }

    /// `text` with every secret replaced: known values anywhere, and what looks like a secret here.
    pub fn mask(&self, text: &str) -> String {
        self.mask_keeping(text, false, |_| true)
    }

    /// The path or name of a file with the secrets in it replaced. Known values that look like a word stay: folders
    /// are called as the things they are about, and a password may be such a word too.
    pub fn mask_name(&self, name: &str) -> String {
        self.mask_keeping(name, false, is_distinct)
    }

    /// As [`Masker::mask`], with as many lines as before: a mark stands for the first line of a secret
    /// that spans several, the others are left empty. For text that is shown with line numbers.
    pub fn mask_lines(&self, text: &str) -> String {
        self.mask_keeping(text, true, |_| true)
    }

    /// A mark in the place of one secret can make another one plain that the text around it hid, so what was
    /// masked is looked at again.
    fn mask_keeping(&self, text: &str, lines: bool, wanted: fn(&str) -> bool) -> String {
        let mut fresh = BTreeMap::new();
        let mut out = text.to_owned();
        for _ in 0..MOST_ROUNDS {
            match self.masked_once(&out, lines, wanted, &mut fresh) {
                Some(masked) => out = masked,
                None => break,
            }
        }
        out
    }

    /// `None` when there is nothing to mask.
    fn masked_once(
        &self,
        text: &str,
        lines: bool,
        wanted: fn(&str) -> bool,
        fresh: &mut BTreeMap<&'static str, Vec<String>>,
    ) -> Option<String> {
        let mut spans: Vec<(Range<usize>, String)> = Vec::new();
        if let Some(finder) = &self.finder {
            for hit in finder.find_overlapping_iter(text) {
                let (spelling, mark) = &self.spellings[hit.pattern().as_usize()];
                if wanted(spelling)
                    && (spelling.len() >= 16
                        || is_distinct(spelling)
                        || stands_alone(text, hit.range()))
                {
                    spans.push((hit.range(), mark.clone()));
                }
            }
        }
        for (range, nth) in self.cuts.find(text) {
            let (spelling, mark) = &self.spellings[nth];
            if wanted(spelling) && (spelling.len() >= 16 || is_distinct(spelling)) {
                spans.push((range, mark.clone()));
            }
        }
        for hit in Scanner::new().scan(text) {
            let mark = self.mark_of(hit.rule, &text[hit.range.clone()], fresh);
            spans.push((hit.range, mark));
        }
        if spans.is_empty() {
            return None;
        }
        // A mark that is already there stays as it is.
        let mut marks = Vec::new();
        let mut from = 0;
        while let Some(range) = find_mark(&text[from..]) {
            marks.push(from + range.start..from + range.end);
            from += range.end;
        }
        spans.retain(|(span, _)| {
            !marks
                .iter()
                .any(|mark| mark.start < span.end && span.start < mark.end)
        });
        if spans.is_empty() {
            return None;
        }
        spans.sort_by(|a, b| {
            (a.0.start, std::cmp::Reverse(a.0.end), &a.1).cmp(&(
                b.0.start,
                std::cmp::Reverse(b.0.end),
                &b.1,
            ))
        });
        let mut out = String::with_capacity(text.len());
        let mut at = 0;
        let mut spans = spans.into_iter().peekable();
        while let Some((mut span, mark)) = spans.next() {
            while let Some((next, _)) = spans.next_if(|(next, _)| next.start < span.end) {
                span.end = span.end.max(next.end);
            }
            out.push_str(&text[at..span.start]);
            out.push_str(&mark);
            if lines {
                let ends = text[span.clone()].matches('\n').count();
                out.extend(std::iter::repeat_n('\n', ends));
            }
            at = span.end;
        }
        out.push_str(&text[at..]);
        Some(out)
    }

    /// Masks every text of a report that a person or a file may see.
    pub fn mask_report(&self, report: &mut Report) {
        let mask = |text: &mut String| *text = self.mask(text);
        mask(&mut report.run);
        mask(&mut report.bundle.profile);
        for finding in &mut report.findings {
            for text in [
                &mut finding.cause,
                &mut finding.title,
                &mut finding.root_cause,
            ] {
                mask(text);
            }
            match &mut finding.subject {
                Some(SubjectField::Text(text)) => mask(text),
                Some(SubjectField::Subject(subject)) => {
                    mask(&mut subject.kind);
                    mask(&mut subject.name);
                    if let Some(namespace) = &mut subject.namespace {
                        mask(namespace);
                    }
                }
                None => {}
            }
            for evidence in &mut finding.evidence {
                mask(&mut evidence.quote);
                evidence.path = self.mask_name(&evidence.path);
            }
            for command in &mut finding.commands {
                mask(&mut command.command);
                mask(&mut command.why);
            }
        }
        for missing in &mut report.missing {
            mask(&mut missing.what);
            mask(&mut missing.why);
            if let Some(path) = &mut missing.path {
                *path = self.mask_name(path);
            }
        }
        for part in &mut report.not_examined {
            mask(&mut part.what);
            mask(&mut part.why);
        }
    }
}

/// Whether a value is nothing but itself, even inside a longer word.
fn is_distinct(value: &str) -> bool {
    value.len() >= 10
        && value.bytes().any(|byte| byte.is_ascii_digit())
        && value.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// Whether no letter or digit touches the range: a short value inside a longer word is not that value.
fn stands_alone(text: &str, range: Range<usize>) -> bool {
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !word(text[..range.start].chars().next_back()) && !word(text[range.end..].chars().next())
}

/// `value` as it is, in base64, and as JSON and URLs escape it.
fn spellings(value: &str) -> Vec<String> {
    let mut out = vec![value.to_owned()];
    if value.len() >= 8 {
        out.push(
            check::to_base64(value.as_bytes())
                .trim_end_matches('=')
                .to_owned(),
        );
    }
    if let Ok(json) = serde_json::to_string(value) {
        out.push(json[1..json.len() - 1].to_owned());
    }
    let url: String = value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    out.push(url);
    out.sort_unstable();
    out.dedup();
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_same_value_has_the_same_mark_everywhere() {
        let mut masker = Masker::new();
        masker.learn_text("password: hunter2value\napi_key=0a1b2c3d4e5f6a7b\n");
        let out = masker.mask("login with hunter2value and hunter2value, then 0a1b2c3d4e5f6a7b");
        assert_eq!(
            out,
            "login with ‹secret:password:1› and ‹secret:password:1›, then ‹secret:password:2›"
        );
        assert!(!format!("{masker:?}").contains("hunter2"));
    }

    #[test]
    fn values_first_met_while_masking_are_told_apart() {
        assert_eq!(
            Masker::new()
                .mask("password: hunter2value\npassword: hunter3value\npassword: hunter2value"),
            "password: ‹secret:password:1›\npassword: ‹secret:password:2›\npassword: ‹secret:password:1›"
        );
    }

    #[test]
    fn values_that_touch_have_a_mark_each() {
        let mut masker = Masker::new();
        masker.learn_text("password: Tr0ub4dorSeven\napi_password: Tr0ub4dorEight\n");
        assert_eq!(
            masker.mask("saw Tr0ub4dorSevenTr0ub4dorEight"),
            "saw ‹secret:password:1›‹secret:password:2›"
        );
    }

    #[test]
    fn other_spellings_of_a_value_are_hidden_too() {
        let mut masker = Masker::new();
        masker.learn_text("password: \"p@ss/w0rd!x\"\n");
        for text in ["p@ss/w0rd!x", "cEBzcy93MHJkIXg=", "p%40ss%2Fw0rd%21x"] {
            assert!(masker.mask(text).contains("‹secret:password:1›"), "{text}");
        }
    }

    #[test]
    fn what_a_cut_leaves_of_a_value_is_hidden_too() {
        let value = "Zq8vTr5mB2nLp9YcHd7FsGj4";
        let mut masker = Masker::new();
        masker.learn_text(&format!("password: {value}\n"));
        for kept in 6..value.len() {
            let (head, tail) = (&value[..kept], &value[value.len() - kept..]);
            for text in [
                format!("it is amqp://shop:{head}…, and no service of that name exists"),
                format!("connecting to amqp://shop:{head}"),
                format!("…{tail}@broker:5672/x is refused"),
                format!("{tail}@broker:5672/x is refused"),
            ] {
                let out = masker.mask(&text);
                assert!(out.contains("‹secret:password:1›"), "{text}: {out}");
                assert!(
                    !out.contains(&head[..6]) && !out.contains(&tail[kept - 6..]),
                    "{out}"
                );
                assert_eq!(masker.mask(&out), out);
            }
        }
        for text in [
            "a word that ends with Zq8",
            "Zq8vTrx",
            "an ordinary line …",
            "…",
        ] {
            assert_eq!(masker.mask(text), text);
        }
    }

    #[test]
    fn base64_of_a_manifest_hides_the_plain_value() {
        let mut masker = Masker::new();
        masker.learn_text("kind: Secret\ndata:\n  pw: aHVudGVyMnZhbHVl\n");
        assert_eq!(
            masker.mask("using hunter2value now"),
            "using ‹secret:kubernetes-secret:2› now"
        );
    }

    #[test]
    fn common_words_are_masked_in_context_only() {
        let mut masker = Masker::new();
        masker.learn_text("POSTGRES_PASSWORD=postgres\n");
        assert_eq!(masker.mask("the postgres pod"), "the postgres pod");
        assert_eq!(
            masker.mask("POSTGRES_PASSWORD=postgres"),
            "POSTGRES_PASSWORD=‹secret:password:1›"
        );
    }

    #[test]
    fn one_line_of_a_private_key_is_hidden() {
        let mut masker = Masker::new();
        masker.learn_text("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQC7VJTU\n-----END PRIVATE KEY-----\n");
        assert!(
            masker
                .mask("saw AASCBKcwggSjAgEAAoIBAQC7VJTU there")
                .contains("‹secret:private-key:")
        );
    }

    #[test]
    fn a_short_value_is_masked_wherever_it_stands_alone() {
        let mut masker = Masker::new();
        masker.learn_text("password: x7!q\nDB_PASSWORD=4711-x\nroot_password: 918273\n");
        for value in ["x7!q", "4711-x", "918273"] {
            let masked = masker.mask(&format!("login failed with {value}."));
            assert!(masked.starts_with("login failed with ‹secret:"), "{masked}");
        }
        assert_eq!(
            masker.mask("max7!quux and 19182730"),
            "max7!quux and 19182730"
        );
        for part in ["x7!quux", "max7!q"] {
            assert_eq!(masker.mask(part), part);
        }
    }

    #[test]
    fn a_distinct_value_is_masked_inside_a_longer_word() {
        let mut masker = Masker::new();
        masker.learn_text("password: Tr0ub4dorSeven\n");
        assert_eq!(
            masker.mask("backup_Tr0ub4dorSevenOld.tar"),
            "backup_‹secret:password:1›Old.tar"
        );
    }

    #[test]
    fn names_of_files_keep_their_words() {
        let mut masker = Masker::new();
        masker.learn_text("password: monitoring\napi_password: Tr0ub4dorSeven\n");
        assert_eq!(
            masker.mask_name("pods/monitoring/a.log"),
            "pods/monitoring/a.log"
        );
        assert_eq!(
            masker.mask_name("pods/Tr0ub4dorSeven/password=hunter2value"),
            "pods/‹secret:password:2›/password=‹secret:password:3›"
        );
    }

    #[test]
    fn an_escaped_spelling_has_the_mark_of_its_value() {
        let mut masker = Masker::new();
        masker.learn_text("password: hunter2value\npassword: 'a\"b/c d9'\n");
        let masked = masker.mask(r#"{"password":"a\"b/c d9"}"#);
        assert_eq!(masked, r#"{"password":"‹secret:password:2›"}"#);
    }

    #[test]
    fn lines_stay_where_they_are() {
        let mut masker = Masker::new();
        masker.learn_text("password: hunter2value\n");
        let key =
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAyx\n-----END RSA PRIVATE KEY-----";
        let text = format!("one hunter2value\n{key}\nfour");
        let masked = masker.mask_lines(&text);
        let lines: Vec<&str> = masked.split('\n').collect();
        assert_eq!(lines.len(), 5, "{masked}");
        assert_eq!(lines[0], "one ‹secret:password:1›");
        assert!(lines[1].contains("‹secret:private-key:"), "{masked}");
        assert_eq!((lines[2], lines[4]), ("", "four"));
        assert!(!masked.contains("MIIE"), "{masked}");
        assert_eq!(masker.mask(&text).split('\n').count(), 3);
    }

    #[test]
    fn marks_stay_and_hide_only_what_they_stand_for() {
        let mut masker = Masker::new();
        masker.learn_text("password: hunter2value\napi_password: private-key\n");
        let kept = "a ‹secret:private-key:1› b ‹secret:private-key:2› c";
        assert_eq!(masker.mask(kept), kept);
        for text in [
            "‹secret:x:1›hunter2value",
            "hunter2value‹secret:x:1›",
            "‹secret:x:1› then hunter2value, ‹secret:x:2›",
            "the private-key ‹secret:x:1›",
        ] {
            let out = masker.mask(text);
            assert!(
                !out.contains("hunter2") && !out.contains("the private-key"),
                "{out}"
            );
            assert!(
                out.contains("‹secret:x:1›") && out.contains("‹secret:password:"),
                "{out}"
            );
        }
    }

    #[test]
    fn the_rest_of_a_cut_word_is_hidden_when_it_is_long() {
        let mut masker = Masker::new();
        masker.learn_text("password: monitoring\napi_password: correcthorsebattery\n");
        assert_eq!(masker.mask("looks at monitor…"), "looks at monitor…");
        assert_eq!(
            masker.mask("it is amqp://shop:correcthorse…"),
            "it is amqp://shop:‹secret:password:2›…"
        );
    }

    #[test]
    fn what_is_known_is_counted_and_never_shown() {
        let mut masker = Masker::new();
        assert!(masker.is_empty() && masker.counts().is_empty());
        masker.learn_text("password: hunter2value\napi_password: Tr0ub4dorSeven\n");
        assert!(!masker.is_empty());
        assert_eq!(masker.counts().get("password"), Some(&2));
        let shown = format!("{masker:?}");
        assert_eq!(shown, "Masker { values: 2, kinds: {\"password\": 2}, .. }");
    }

    #[test]
    fn what_a_manifest_holds_beside_secrets_stays_legible() {
        let mut masker = Masker::new();
        // "54321" and "654321".
        masker.learn_text("kind: Secret\ndata:\n  port: NTQzMjE=\n  pin: NjU0MzIx\n");
        assert_eq!(masker.mask("listens on 54321"), "listens on 54321");
        let masked = masker.mask("dials 654321 now");
        assert!(
            masked.starts_with("dials ‹secret:kubernetes-secret:"),
            "{masked}"
        );
    }

    #[test]
    fn every_text_of_a_report_is_masked() {
        let mut masker = Masker::new();
        masker.learn_text("password: Tr0ub4dorSeven\n");
        let secret = "at Tr0ub4dorSeven/x";
        let text = || secret.to_owned();
        let mut report: Report = serde_json::from_value(serde_json::json!({
            "schema": crate::report::SCHEMA, "run": text(), "outcome": "findings",
            "bundle": {"sha256": "", "profile": text(), "files": 1},
            "findings": [{
                "rank": 1, "cause": text(), "title": text(), "root_cause": text(),
                "subject": {"kind": text(), "namespace": text(), "name": text()}, "confidence": 0.5,
                "evidence": [{"path": text(), "line_start": 1, "line_end": 1, "quote": text()}],
                "commands": [{"command": text(), "why": text(), "class": "read-only"}],
            }],
            "missing": [{"what": text(), "why": text(), "path": text()}],
            "not_examined": [{"what": text(), "why": text()}],
        }))
        .unwrap();
        let before = serde_json::to_string(&report).unwrap();
        assert_eq!(before.matches(secret).count(), 17);
        masker.mask_report(&mut report);
        let after = serde_json::to_string(&report).unwrap();
        assert_eq!(after.matches("at ‹secret:password:1›/x").count(), 17);
    }

    #[test]
    fn of_a_very_long_value_the_beginning_is_known_anywhere_and_all_of_it_beside_its_key() {
        let value = "x7Fq2mKc9vLw4RtYz8BnPq3xJ5sD1gH0".repeat(200);
        let mut masker = Masker::new();
        let line = format!("SESSION_TOKEN={value}");
        masker.learn_text(&line);
        assert_eq!(masker.mask(&line), "SESSION_TOKEN=‹secret:token:1›");
        let beginning = &value[..MAX_KNOWN];
        let masked = masker.mask(&format!("got {beginning} here"));
        assert_eq!(masked, "got ‹secret:token:1› here");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..ProptestConfig::default() })]
        #[test]
        fn masking_twice_changes_nothing_more(text in "(\\PC{0,12}|password[:=] ?[a-zA-Z0-9]{6,14} ?|‹secret:x:1›| postgres://a:[a-z0-9]{6,9}@h | \n){0,8}") {
            let mut masker = Masker::new();
            masker.learn_text(&text);
            let once = masker.mask(&text);
            prop_assert_eq!(masker.mask(&once), once.clone());
        }

        #[test]
        fn a_learnt_random_value_never_survives(value in "[A-Za-z0-9]{12,40}", around in "[ -~]{0,20}") {
            prop_assume!(!dummy::is_dummy(&value) && !dummy::only_in_context(&value));
            let mut masker = Masker::new();
            masker.learn_text(&format!("password: \"{value}\""));
            prop_assume!(!masker.is_empty());
            let masked = masker.mask(&format!("{around} {value} {around}"));
            prop_assert!(!masked.contains(&value));
        }
    }
}
