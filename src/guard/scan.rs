//! The search of added text: secrets with their place, what was accepted, what the line rules remark.

use super::accept::{Allow, Baseline, Ignored, allows};
use super::file::{FileText, Segment};
use super::fingerprint::{Fingerprints, Place, is_random};
use super::model::{Counts, Finding, NotExamined, Remark, RemarkBy, Suppressed, SuppressedBy};
use super::remarks;
use crate::secrets::{Hit, MARK_CLOSE, MARK_OPEN, Scanner};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

/// Findings, accepted findings and remarks listed at most, of each kind.
pub const MAX_LISTED: usize = 10_000;
/// Different values told apart by their marks.
const MAX_VALUES: usize = 50_000;
/// Bytes of values kept to be masked wherever they stand.
const MAX_VALUE_BYTES: usize = 16 << 20;
/// What stands for the text before a secret in a file's name.
const NAME_PLACE: &str = "the name of the file";
/// Longest path shown, in characters.
const MAX_PATH: usize = 1_000;
/// Longest line given to the line rules and to the review, in bytes.
const MAX_LINE_BYTES: usize = 8 << 10;
/// Bytes of added lines kept for the review.
const MAX_REVIEW_BYTES: usize = 256 << 10;
/// Empty lines that the masked change may hold, so that its lines keep their numbers.
const MAX_PADDING: u64 = 4 << 20;

/// An added line for the review, secrets masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewLine {
    /// Line in the new file.
    pub number: u64,
    /// Its text.
    pub text: String,
}

/// Everything a scan collects.
pub struct Scan {
    pub counts: Counts,
    pub findings: Vec<Finding>,
    pub more_findings: u64,
    pub suppressed: Vec<Suppressed>,
    pub not_examined: Vec<NotExamined>,
    pub remarks: Vec<Remark>,
    pub notes: Vec<String>,
    /// Added lines by path, if a review is wanted.
    pub review: Option<BTreeMap<String, Vec<ReviewLine>>>,
    /// Values and their marks: what is secret in one place is masked in all.
    pub values: Vec<(String, String)>,
    pub ignored: Ignored,
    baseline: Baseline,
    scanner: Scanner,
    marks: HashMap<[u8; 32], String>,
    marks_given: BTreeMap<String, usize>,
    fingerprints: Fingerprints,
    review_left: usize,
    padding_left: u64,
    values_left: usize,
    review_cut: bool,
    before: HashSet<(u64, u64)>,
    removed: (usize, HashMap<Place, HashSet<[u8; 32]>>),
}

impl Scan {
    pub fn new(ignored: Ignored, baseline: Baseline, review: bool) -> Self {
        Self {
            counts: Counts::default(),
            findings: vec![],
            more_findings: 0,
            suppressed: vec![],
            not_examined: vec![],
            remarks: vec![],
            notes: vec![],
            review: review.then(BTreeMap::new),
            values: vec![],
            ignored,
            baseline,
            scanner: Scanner::new(),
            marks: HashMap::new(),
            marks_given: BTreeMap::new(),
            fingerprints: Fingerprints::default(),
            review_left: MAX_REVIEW_BYTES,
            padding_left: MAX_PADDING,
            values_left: MAX_VALUE_BYTES,
            review_cut: false,
            before: HashSet::new(),
            removed: (0, HashMap::new()),
        }
    }

    /// Notes what was not looked at.
    pub fn not_examined(&mut self, path: &str, what: &str, why: &str) {
        if self.not_examined.len() >= MAX_LISTED {
            self.counts.more_not_examined += 1;
            return;
        }
        self.not_examined.push(NotExamined {
            path: path.to_owned(),
            what: what.to_owned(),
            why: why.to_owned(),
        });
    }

    /// Says something once.
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        if self.notes.len() < 200 && !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }

    /// Another file begins.
    pub fn next_file(&mut self) {
        self.before.clear();
        self.removed = (0, HashMap::new());
    }

    /// A path as it may be shown: a token in a file's name is masked like one in its text.
    pub fn shown_path(&mut self, path: &str) -> String {
        let mut out = path.to_owned();
        for hit in merged(self.scanner.scan(path)).into_iter().rev() {
            let mark = self.mark(hit.rule, &path[hit.range.clone()]);
            out.replace_range(hit.range, &mark);
        }
        if out.chars().count() > MAX_PATH {
            out = out.chars().take(MAX_PATH).chain(['…']).collect();
        }
        out
    }

    /// Finds what is secret in the name of a file that is added or changed; it counts as the file's first line.
    pub fn name(&mut self, path: &str, commit: Option<&str>) {
        let shown = self.shown_path(path);
        for hit in merged(self.scanner.scan(path)) {
            let value = &path[hit.range.clone()];
            let place = Place::new(hit.rule, NAME_PLACE);
            let finding = Finding {
                path: shown.clone(),
                line: 1,
                column: 1,
                end_line: 1,
                end_column: 1,
                rule: hit.rule.to_string(),
                mask: self.mark(hit.rule, value),
                fingerprint: self.fingerprints.next(&shown, &place, value),
                commit: commit.map(str::to_owned),
                verified: hit.verified,
            };
            if self.findings.len() >= MAX_LISTED {
                self.more_findings += 1;
            } else if !self.baseline.accepts(&finding) {
                self.note(format!("{shown}: the secret is in the name of the file"));
                self.findings.push(finding);
            } else if self.suppressed.len() < MAX_LISTED {
                self.suppressed.push(Suppressed {
                    finding,
                    by: SuppressedBy::Baseline,
                    reason: None,
                });
            }
        }
    }

    /// What stands for `value`.
    fn mark(&mut self, rule: &str, value: &str) -> String {
        let digest: [u8; 32] = Sha256::digest(value.as_bytes()).into();
        if let Some(mark) = self.marks.get(&digest) {
            return mark.clone();
        }
        if self.marks.len() >= MAX_VALUES {
            return format!("{MARK_OPEN}{rule}:more{MARK_CLOSE}");
        }
        let count = self.marks_given.entry(rule.to_owned()).or_default();
        *count += 1;
        let mark = format!("{MARK_OPEN}{rule}:{count}{MARK_CLOSE}");
        self.marks.insert(digest, mark.clone());
        if self.values_left >= value.len() {
            self.values_left -= value.len();
            self.values.push((value.to_owned(), mark.clone()));
        }
        mark
    }

    /// Searches one segment of a file.
    pub fn segment(&mut self, file: &mut FileText, segment: &Segment, text: &str) {
        let hits = merged(self.scanner.scan_file(&file.path, text));
        let marks: Vec<(Range<usize>, String)> = hits
            .iter()
            .map(|hit| {
                (
                    hit.range.clone(),
                    self.mark(hit.rule, &text[hit.range.clone()]),
                )
            })
            .collect();
        let mut cursor = Cursor::new(text, segment);
        let mut seen = HashSet::new();
        for (hit, (_, mark)) in hits.iter().zip(&marks) {
            let range = trimmed(text, &hit.range);
            let start = cursor.at(range.start);
            let end = cursor.clone().at(range.end);
            let Some(first) = segment.added.within(start.0, end.0) else {
                continue;
            };
            seen.insert(start);
            if self.before.contains(&start) {
                continue;
            }
            let (line, column) = if first == start.0 { start } else { (first, 1) };
            let lead = before_on_line(text, range.start, &marks);
            let place = Place::new(hit.rule, &lead);
            let value = &text[range.clone()];
            let finding = Finding {
                path: file.path.clone(),
                line,
                column,
                end_line: end.0,
                end_column: end.1,
                rule: hit.rule.to_string(),
                mask: mark.clone(),
                fingerprint: self.fingerprints.next(&file.path, &place, value),
                commit: file.commit.clone(),
                verified: hit.verified,
            };
            self.decide(file, finding, text, &range, &marks, &place);
        }
        self.before = seen;
        self.lines(file, segment, text, &marks);
    }

    /// Whether a finding counts, and puts it into its list.
    fn decide(
        &mut self,
        file: &FileText,
        finding: Finding,
        text: &str,
        range: &Range<usize>,
        marks: &[(Range<usize>, String)],
        place: &Place,
    ) {
        let accepted = self.comment(&finding, text, range, marks).or_else(|| {
            if !self.baseline.accepts(&finding) {
                return None;
            }
            if self.changed(file, place, &text[range.clone()]) {
                self.note(format!(
                    "{}:{}: the baseline accepts this place, but the value has changed",
                    finding.path, finding.line
                ));
                return None;
            }
            Some((SuppressedBy::Baseline, None))
        });
        match accepted {
            Some((by, reason)) if self.suppressed.len() < MAX_LISTED => {
                self.suppressed.push(Suppressed {
                    finding,
                    by,
                    reason,
                });
            }
            Some(_) => self.note(format!(
                "more than {MAX_LISTED} findings are accepted; the rest is not listed"
            )),
            None if self.findings.len() < MAX_LISTED => self.findings.push(finding),
            None => self.more_findings += 1,
        }
    }

    /// A comment that allows the finding: on its first or last line, or alone on the line above.
    fn comment(
        &mut self,
        finding: &Finding,
        text: &str,
        range: &Range<usize>,
        marks: &[(Range<usize>, String)],
    ) -> Option<(SuppressedBy, Option<String>)> {
        let own = line_around(text, range.start);
        let last = line_around(text, range.end);
        let above = own
            .start
            .checked_sub(1)
            .map(|end| line_around(text, end))
            .filter(|line| is_comment(&text[line.clone()]));
        let mut lines = vec![own.clone()];
        if last != own {
            lines.push(last);
        }
        lines.extend(above);
        for line in lines {
            for Allow { rule, reason } in allows(&masked(text, &line, marks)) {
                if rule != finding.rule {
                    continue;
                }
                match reason {
                    Some(reason) => return Some((SuppressedBy::Comment, Some(reason))),
                    None => self.note(format!(
                        "{}:{}: narrowroom:allow {rule} gives no reason, so it allows nothing",
                        finding.path, finding.line
                    )),
                }
            }
        }
        None
    }

    /// Whether the old side had another value at this place.
    fn changed(&mut self, file: &FileText, place: &Place, value: &str) -> bool {
        if file.removed.is_empty() || is_random(place.rule(), value) {
            return false;
        }
        if self.removed.0 != file.removed.len() {
            let text = String::from_utf8_lossy(&file.removed);
            let hits = merged(self.scanner.scan(&text));
            let marks: Vec<_> = hits
                .iter()
                .map(|hit| (hit.range.clone(), String::new()))
                .collect();
            let mut places: HashMap<Place, HashSet<[u8; 32]>> = HashMap::new();
            for hit in &hits {
                let range = trimmed(&text, &hit.range);
                let lead = before_on_line(&text, range.start, &marks);
                places
                    .entry(Place::new(hit.rule, &lead))
                    .or_default()
                    .insert(Sha256::digest(text[range].as_bytes()).into());
            }
            self.removed = (file.removed.len(), places);
        }
        let digest: [u8; 32] = Sha256::digest(value.as_bytes()).into();
        self.removed
            .1
            .get(place)
            .is_some_and(|old| !old.contains(&digest))
    }

    /// The rules for single lines, and the lines kept for the review.
    fn lines(
        &mut self,
        file: &mut FileText,
        segment: &Segment,
        text: &str,
        marks: &[(Range<usize>, String)],
    ) {
        let wanted = self.review.is_some() && self.review_left > 0;
        let rules = remarks::for_path(&file.path, text);
        if !wanted && !rules.any(text) {
            return;
        }
        let (mut number, mut at) = (segment.line, 0);
        // The first line may have lost its beginning.
        let mut whole = segment.column == 0;
        for line in text.split_inclusive('\n') {
            let range = at..at + line.trim_end_matches(['\n', '\r']).len();
            at += line.len();
            let fresh = whole && number > file.lines_done && line.ends_with('\n');
            if fresh && segment.added.within(number, number).is_some() {
                file.lines_done = number;
                if range.len() <= MAX_LINE_BYTES {
                    let plain = masked(text, &range, marks);
                    self.line(file, number, &plain, &rules, wanted);
                } else if wanted {
                    self.review_cut = true;
                }
            }
            whole = true;
            number += 1;
        }
    }

    fn line(
        &mut self,
        file: &FileText,
        number: u64,
        line: &str,
        rules: &remarks::Rules,
        wanted: bool,
    ) {
        if let Some((rule, message)) = rules.check(line)
            && self.remarks.len() < MAX_LISTED
        {
            let allowed = allows(line)
                .iter()
                .any(|allow| allow.rule == rule && allow.reason.is_some());
            if allowed {
                self.note(format!(
                    "{}:{number}: a comment allows {rule} there",
                    file.path
                ));
            } else {
                self.remarks.push(Remark {
                    path: file.path.clone(),
                    line: number,
                    rule: rule.to_owned(),
                    message,
                    quote: remarks::shown(rule, line.trim()),
                    by: RemarkBy::Rule,
                    commit: file.commit.clone(),
                });
            }
        }
        let Some(review) = self.review.as_mut().filter(|_| wanted) else {
            return;
        };
        let lines = review.entry(file.path.clone()).or_default();
        let padding = number - lines.last().map_or(0, |last| last.number.min(number));
        if self.review_left < line.len() + 1 || self.padding_left < padding {
            self.review_cut = true;
            return;
        }
        self.review_left -= line.len() + 1;
        self.padding_left -= padding;
        lines.push(ReviewLine {
            number,
            text: line.to_owned(),
        });
    }

    /// Whether some added lines are not for the model to see.
    pub fn review_cut(&self) -> bool {
        self.review_cut
    }
}

/// Of hits that overlap, the one that says most: a checksum that holds, a rule for one format, the longer.
fn merged(mut hits: Vec<Hit>) -> Vec<Hit> {
    let general = |hit: &Hit| matches!(hit.rule, "password" | "token" | "command-line-password");
    let worth = |hit: &Hit| (hit.verified == Some(true), !general(hit), hit.range.len());
    hits.sort_by_key(|hit| (hit.range.start, hit.range.end));
    let mut out: Vec<Hit> = Vec::with_capacity(hits.len());
    for hit in hits {
        match out.last_mut() {
            Some(last) if last.range.end > hit.range.start => {
                let range = last.range.start..last.range.end.max(hit.range.end);
                if worth(&hit) > worth(last) {
                    *last = hit;
                }
                last.range = range;
            }
            _ => out.push(hit),
        }
    }
    out
}

/// The range without white space around it.
fn trimmed(text: &str, range: &Range<usize>) -> Range<usize> {
    let value = &text[range.clone()];
    let start = range.start + (value.len() - value.trim_start().len());
    let end = start + value.trim().len();
    if start < end {
        start..end
    } else {
        range.clone()
    }
}

/// Goes through a text once, telling line and column, both from 1.
#[derive(Clone)]
struct Cursor<'t> {
    text: &'t str,
    at: usize,
    line: u64,
    column: u64,
}

impl<'t> Cursor<'t> {
    fn new(text: &'t str, segment: &Segment) -> Self {
        Self {
            text,
            at: 0,
            line: segment.line,
            column: segment.column + 1,
        }
    }
    /// The place of byte `to`, which is not before the last one asked for.
    fn at(&mut self, to: usize) -> (u64, u64) {
        let part = self.text.get(self.at..to).unwrap_or_default();
        if let Some(last) = part.rfind('\n') {
            self.line += part.bytes().filter(|byte| *byte == b'\n').count() as u64;
            self.column = 1 + part[last + 1..].chars().count() as u64;
        } else {
            self.column += part.chars().count() as u64;
        }
        self.at = to.max(self.at);
        (self.line, self.column)
    }
}

/// The line of byte `at`, without its line break; of a very long one the part around it.
fn line_around(text: &str, at: usize) -> Range<usize> {
    let low = floor(text, at.saturating_sub(MAX_LINE_BYTES));
    let high = floor(text, (at + MAX_LINE_BYTES).min(text.len()));
    let start = text[low..at]
        .rfind('\n')
        .map_or(low, |found| low + found + 1);
    let end = text[at..high].find('\n').map_or(high, |found| at + found);
    start..end
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A part of the text with the secrets in it replaced by their marks.
fn masked(text: &str, part: &Range<usize>, marks: &[(Range<usize>, String)]) -> String {
    let mut out = String::with_capacity(part.len());
    let mut at = part.start;
    let first = marks.partition_point(|(range, _)| range.end <= part.start);
    for (range, mark) in &marks[first..] {
        if range.start >= part.end {
            break;
        }
        out.push_str(&text[at..range.start.max(at)]);
        out.push_str(mark);
        at = range.end.min(part.end);
    }
    out.push_str(&text[at..part.end]);
    out
}

/// The text of the line before byte `at`, other secrets masked.
fn before_on_line(text: &str, at: usize, marks: &[(Range<usize>, String)]) -> String {
    let start = line_around(text, at).start;
    let nameless: Vec<(Range<usize>, String)> = {
        let first = marks.partition_point(|(range, _)| range.end <= start);
        marks[first..]
            .iter()
            .take_while(|(range, _)| range.start < at)
            .map(|(range, _)| (range.clone(), "‹›".to_owned()))
            .collect()
    };
    masked(text, &(start..at), &nameless)
}

/// Whether a line is nothing but a comment, in any of the usual languages.
fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    [
        "#", "//", "/*", "*", "--", "<!--", ";", "%", "{#", "{{!", "(*", "\"\"\"", "REM ", "rem ",
    ]
    .iter()
    .any(|sign| line.starts_with(sign))
}

#[cfg(test)]
mod tests;
