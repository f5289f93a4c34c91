//! Learning the secret values of a bundle and replacing every occurrence.

use super::scan::Scanner;
use super::{MARK_OPEN, check, dummy, find_mark};
use crate::bundle::{FileKind, Tree};
use crate::report::{Report, SubjectField};
use aho_corasick::{AhoCorasick, MatchKind};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::{self, Read};
use std::ops::Range;

/// Bytes scanned at a time.
const CHUNK_BYTES: usize = 2 << 20;
/// Bytes of the chunk before that are scanned again, so that what spans the border is seen.
const OVERLAP_BYTES: usize = 32 << 10;

/// How much is learnt at most.
#[derive(Debug, Clone, Copy)]
pub struct LearnLimits {
    /// Bytes read in all.
    pub max_bytes: u64,
    /// Values kept.
    pub max_values: usize,
}

impl Default for LearnLimits {
    fn default() -> Self {
        Self {
            max_bytes: 8 << 30,
            max_values: 50_000,
        }
    }
}

/// What learning a tree has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Learned {
    /// Files read.
    pub files: usize,
    /// Bytes read.
    pub bytes: u64,
    /// Distinct secret values known afterwards.
    pub values: usize,
    /// Whether a limit ended it before everything was read.
    pub limited: bool,
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

    /// Learns from every text file of the bundle, in the order of the index.
    ///
    /// # Errors
    /// What the file system says.
    pub fn learn_tree(&mut self, tree: &Tree, limits: LearnLimits) -> io::Result<Learned> {
        let mut learned = Learned::default();
        for entry in tree.files() {
            if matches!(
                entry.kind,
                FileKind::Binary | FileKind::Archive | FileKind::Empty
            ) {
                continue;
            }
            if learned.bytes >= limits.max_bytes || self.known.len() >= limits.max_values {
                learned.limited = true;
                break;
            }
            let mut file = tree.open(entry)?.take(limits.max_bytes - learned.bytes);
            learned.files += 1;
            let mut buffer: Vec<u8> = Vec::with_capacity(
                CHUNK_BYTES.min(usize::try_from(entry.bytes).unwrap_or(CHUNK_BYTES))
                    + OVERLAP_BYTES,
            );
            loop {
                let before = buffer.len();
                let read = file
                    .by_ref()
                    .take(CHUNK_BYTES as u64)
                    .read_to_end(&mut buffer)?;
                learned.bytes += read as u64;
                if read == 0 && before > 0 || buffer.is_empty() {
                    break;
                }
                self.note(&String::from_utf8_lossy(&buffer), limits.max_values);
                if read < CHUNK_BYTES {
                    break;
                }
                buffer.drain(..buffer.len().saturating_sub(OVERLAP_BYTES));
            }
        }
        self.build();
        learned.values = self.known.len();
        Ok(learned)
    }

    /// Learns from several texts.
    pub fn learn_texts<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        for text in texts {
            self.note(text, LearnLimits::default().max_values);
        }
        self.build();
    }

    /// Learns from a single text.
    pub fn learn_text(&mut self, text: &str) {
        self.note(text, LearnLimits::default().max_values);
        self.build();
    }

    fn note(&mut self, text: &str, max_values: usize) {
        for hit in Scanner::new().scan(text) {
            if self.known.len() >= max_values {
                return;
            }
            let value = &text[hit.range];
            self.mark(hit.rule, value);
            for inside in hit.plain.iter().filter(|value| !dummy::is_dummy(value)) {
                self.mark(hit.rule, inside);
            }
            match hit.rule {
                // A line of a key may be quoted alone.
                "private-key" => {
                    for line in value
                        .split(['\n', '\r', ' '])
                        .flat_map(|line| line.split("\\n"))
                        .filter(|line| line.len() >= 16)
                    {
                        self.mark(hit.rule, line);
                    }
                }
                "kubernetes-secret" | "docker-auth" | "authorization-header" => {
                    if let Some(plain) = check::from_base64_text(value) {
                        let plain = plain.trim();
                        // The password of user:password; each line of a file that was packed.
                        let parts = plain
                            .split_once(':')
                            .map(|(_, password)| password)
                            .filter(|_| hit.rule != "kubernetes-secret")
                            .into_iter();
                        for part in parts
                            .chain(plain.lines().map(str::trim))
                            .filter(|part| part.len() >= 6 && !dummy::is_dummy(part))
                        {
                            self.mark(hit.rule, part);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// The mark of `value`, given out if it has none.
    fn mark(&mut self, rule: &'static str, value: &str) -> String {
        if let Some(mark) = self.known.get(value) {
            return mark.clone();
        }
        let count = self.counts.entry(rule).or_default();
        *count += 1;
        let mark = format!("{MARK_OPEN}{rule}:{count}›");
        self.known.insert(value.to_owned(), mark.clone());
        if !dummy::only_in_context(value) {
            for spelling in spellings(value) {
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
        if let Some(mark) = self.known.get(value) {
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

    fn build(&mut self) {
        let patterns: Vec<&str> = self
            .spellings
            .iter()
            .map(|(spelling, _)| spelling.as_str())
            .collect();
        self.finder = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(patterns)
            .ok();
    }

    /// `text` with every secret replaced: known values anywhere, and what looks like a secret here.
    pub fn mask(&self, text: &str) -> String {
        self.mask_keeping(text, false)
    }

    /// As [`Masker::mask`], with as many lines as before: a mark stands for the first line of a secret
    /// that spans several, the others are left empty. For text that is shown with line numbers.
    pub fn mask_lines(&self, text: &str) -> String {
        self.mask_keeping(text, true)
    }

    fn mask_keeping(&self, text: &str, lines: bool) -> String {
        let mut spans: Vec<(Range<usize>, String)> = Vec::new();
        if let Some(finder) = &self.finder {
            for hit in finder.find_overlapping_iter(text) {
                let (spelling, mark) = &self.spellings[hit.pattern().as_usize()];
                if spelling.len() >= 16 || stands_alone(text, hit.range()) {
                    spans.push((hit.range(), mark.clone()));
                }
            }
        }
        let mut fresh = BTreeMap::new();
        for hit in Scanner::new().scan(text) {
            let mark = self.mark_of(hit.rule, &text[hit.range.clone()], &mut fresh);
            spans.push((hit.range, mark));
        }
        if spans.is_empty() {
            return text.to_owned();
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
        out
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
            }
            for command in &mut finding.commands {
                mask(&mut command.command);
                mask(&mut command.why);
            }
        }
        for missing in &mut report.missing {
            mask(&mut missing.what);
            mask(&mut missing.why);
        }
        for part in &mut report.not_examined {
            mask(&mut part.why);
        }
    }
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
#[allow(clippy::disallowed_methods, reason = "tests make their own bundles")]
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
    fn other_spellings_of_a_value_are_hidden_too() {
        let mut masker = Masker::new();
        masker.learn_text("password: \"p@ss/w0rd!x\"\n");
        for text in ["p@ss/w0rd!x", "cEBzcy93MHJkIXg=", "p%40ss%2Fw0rd%21x"] {
            assert!(masker.mask(text).contains("‹secret:password:1›"), "{text}");
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
    fn a_tree_is_learnt_over_chunk_borders() {
        let folder = tempfile::tempdir().unwrap();
        let mut content = "x".repeat(79);
        content.push('\n');
        let mut content = content.repeat(CHUNK_BYTES / 80);
        content.push_str("password: hunter2value\n");
        content.push_str(&"y\n".repeat(10));
        std::fs::write(folder.path().join("a.log"), &content).unwrap();
        std::fs::write(folder.path().join("b.bin"), b"\0password: hunter3value\n").unwrap();
        let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority())
            .unwrap();
        let index = Tree::index_dir(&dir).unwrap();
        let tree = Tree::new(dir, index);
        let mut masker = Masker::new();
        let learned = masker.learn_tree(&tree, LearnLimits::default()).unwrap();
        assert_eq!(
            (learned.files, learned.values, learned.limited),
            (1, 1, false)
        );
        assert_eq!(masker.mask("hunter2value"), "‹secret:password:1›");
        let limited = Masker::new()
            .learn_tree(
                &tree,
                LearnLimits {
                    max_bytes: 10,
                    max_values: 10,
                },
            )
            .unwrap();
        assert_eq!((limited.bytes, limited.values), (10, 0));
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
