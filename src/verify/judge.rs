//! The judgement of a whole report.

use super::command::classify;
use super::lookup::find_names;
use super::names::{Name, extract, spellings, stands_in};
use super::prose::{Echoes, distinctive, fault};
use super::quote::{MIN_QUOTE_CHARS, Quote, normalise};
use super::verdict::{
    ClaimVerdict, Counts, Matched, Rule, Status, VERDICT_SCHEMA, Verdict, VerdictOutcome,
};
use crate::bundle::{Entry, FileKind, Tree};
use crate::report::{CommandClass, Evidence, Finding, Outcome, Report, SubjectField};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Most lines one citation may span.
pub const MAX_CITED_LINES: u64 = 200;
/// A citation of more lines than this is flagged: it does not point anywhere.
const BROAD_LINES: u64 = 60;

/// The namespace of an object that names none; outputs of one namespace do not repeat it.
const DEFAULT_NAMESPACE: &str = "default";

/// What happens to a claim that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// A foreign report: one failed claim rejects it.
    Strict,
    /// Our own: what fails is taken out, what stands is kept.
    Filter,
}

/// How to judge.
#[derive(Debug, Clone)]
pub struct Options {
    /// See [`Mode`].
    pub mode: Mode,
    /// Most bytes of the bundle that the search for names reads.
    pub max_scan_bytes: u64,
    /// Texts of the prompts that were used, to recognise echoes.
    pub prompts: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Strict,
            max_scan_bytes: 4 << 30,
            prompts: Vec::new(),
        }
    }
}

/// What was judged and what is left.
#[derive(Debug, Clone)]
pub struct Judged {
    /// Claim by claim.
    pub verdict: Verdict,
    /// The report with what passed: in [`Mode::Filter`] without what failed, ranks closed up; commands carry their class.
    pub report: Report,
}

/// Judges every path, line, quote, name, command and sentence of `report` against `tree`.
pub fn judge(report: &Report, tree: &Tree, options: &Options) -> Judged {
    let mut judge = Judge {
        tree,
        claims: Vec::new(),
        echoes: Echoes::new(&options.prompts),
        files: BTreeMap::new(),
    };
    let names = judge.gather_names(report, options.max_scan_bytes);
    let mut kept = Vec::new();
    let mut failed = false;
    judge.shape(report, &mut failed);
    for (at, finding) in report.findings.iter().enumerate() {
        let before = judge.claims.len();
        let outcome = judge.finding(at, finding, &names);
        let bad = judge.claims[before..]
            .iter()
            .any(|claim| claim.status == Status::Rejected);
        failed |= bad;
        match (outcome, options.mode) {
            (Some(_), Mode::Strict) if bad => kept.push(finding.clone()),
            (Some(finding), _) => kept.push(finding),
            (None, Mode::Strict) => kept.push(finding.clone()),
            (None, Mode::Filter) => judge.claim(
                format!("/findings/{at}"),
                Some(finding.rank),
                Rule::Finding,
                Status::Dropped,
                "the finding is taken out",
                None,
            ),
        }
    }
    let mut out = report.clone();
    let had = report.findings.len();
    for (at, missing) in report.missing.iter().enumerate() {
        let mut ok = true;
        for (field, text) in [("what", &missing.what), ("why", &missing.why)] {
            ok &= judge.sentence(&format!("/missing/{at}/{field}"), None, text);
        }
        failed |= !ok;
        if !ok && options.mode == Mode::Filter {
            out.missing.retain(|kept| kept != missing);
        }
    }
    for (at, part) in report.not_examined.iter().enumerate() {
        failed |= !judge.sentence(&format!("/not_examined/{at}/why"), None, &part.why);
    }
    // Commands of what is kept get their class even when nothing is filtered.
    for finding in &mut kept {
        for command in &mut finding.commands {
            command.class = Some(classify(&command.command).class);
        }
    }
    out.findings = kept;
    if options.mode == Mode::Filter {
        for (at, finding) in out.findings.iter_mut().enumerate() {
            finding.rank = u32::try_from(at + 1).unwrap_or(u32::MAX);
        }
        if out.findings.is_empty() && out.outcome == Outcome::Findings {
            out.outcome = Outcome::InsufficientEvidence;
        }
    }
    let mut counts = Counts::default();
    for claim in &judge.claims {
        match claim.status {
            Status::Ok => counts.ok += 1,
            Status::Flagged => counts.flagged += 1,
            Status::Dropped => counts.dropped += 1,
            Status::Rejected => counts.rejected += 1,
        }
    }
    let outcome = match options.mode {
        Mode::Strict if failed => VerdictOutcome::Rejected,
        Mode::Filter if had > 0 && out.findings.is_empty() => VerdictOutcome::Rejected,
        Mode::Filter if failed || counts.dropped > 0 => VerdictOutcome::AcceptedWithChanges,
        _ => VerdictOutcome::Accepted,
    };
    let verdict = Verdict {
        schema: VERDICT_SCHEMA.to_owned(),
        mode: options.mode,
        outcome,
        counts,
        claims: judge.claims,
    };
    Judged {
        verdict,
        report: out,
    }
}

/// Where each name that was asked for stands.
struct Names {
    places: BTreeMap<String, Matched>,
    limited: bool,
}

struct Judge<'a> {
    tree: &'a Tree,
    claims: Vec<ClaimVerdict>,
    echoes: Echoes,
    /// Cited lines of files that are too large to be held whole, and the number of lines of each.
    files: BTreeMap<String, (u64, BTreeMap<u64, String>)>,
}

impl Judge<'_> {
    fn claim(
        &mut self,
        place: String,
        finding: Option<u32>,
        rule: Rule,
        status: Status,
        reason: impl Into<String>,
        matched: Option<Matched>,
    ) {
        self.claims.push(ClaimVerdict {
            place,
            finding,
            rule,
            status,
            reason: reason.into(),
            matched,
        });
    }

    /// Ranks and the outcome.
    fn shape(&mut self, report: &Report, failed: &mut bool) {
        let ranks: BTreeSet<u32> = report.findings.iter().map(|finding| finding.rank).collect();
        let count = u32::try_from(report.findings.len()).unwrap_or(u32::MAX);
        for (at, finding) in report.findings.iter().enumerate() {
            let twice = report
                .findings
                .iter()
                .filter(|other| other.rank == finding.rank)
                .count()
                > 1;
            let (status, reason) = match () {
                () if finding.rank == 0 || finding.rank > count => (
                    Status::Rejected,
                    format!("rank {} of {count} findings", finding.rank),
                ),
                () if twice => (
                    Status::Rejected,
                    format!("rank {} is given twice", finding.rank),
                ),
                () if ranks.len() != report.findings.len() => {
                    (Status::Ok, "the rank is its own".to_owned())
                }
                () => (Status::Ok, "ranks are 1 to n".to_owned()),
            };
            *failed |= status == Status::Rejected;
            self.claim(
                format!("/findings/{at}/rank"),
                Some(finding.rank),
                Rule::Rank,
                status,
                reason,
                None,
            );
        }
        let (status, reason) = match report.outcome {
            Outcome::Findings if report.findings.is_empty() => (
                Status::Rejected,
                "the outcome is findings and there are none",
            ),
            Outcome::Healthy
                if report
                    .findings
                    .iter()
                    .any(|finding| finding.confidence >= 0.5) =>
            {
                (
                    Status::Rejected,
                    "the outcome is healthy and a finding has a confidence of 0.5 or more",
                )
            }
            Outcome::Healthy if !report.findings.is_empty() => (
                Status::Flagged,
                "the outcome is healthy and there are findings",
            ),
            Outcome::InsufficientEvidence if report.missing.is_empty() => (
                Status::Flagged,
                "the evidence is called insufficient and nothing is named as missing",
            ),
            _ => (Status::Ok, "the outcome fits"),
        };
        *failed |= status == Status::Rejected;
        self.claim("/outcome".into(), None, Rule::Outcome, status, reason, None);
    }

    /// All names of all texts, looked for in one pass.
    fn gather_names(&self, report: &Report, max_bytes: u64) -> Names {
        let mut wanted = BTreeSet::new();
        let mut want = |text: &str| {
            for name in extract(text) {
                wanted.extend(spellings(&name.text));
                // namespace/name may stand apart, and so may image and tag.
                if name.text.contains('/') || name.text.contains(':') {
                    wanted.extend(
                        name.text
                            .split(['/', ':'])
                            .filter(|part| part.len() > 1)
                            .map(str::to_owned),
                    );
                }
                wanted.insert(name.text);
            }
        };
        for finding in &report.findings {
            for text in [&finding.title, &finding.root_cause] {
                want(text);
            }
            for command in &finding.commands {
                want(&command.why);
            }
            if let Some(SubjectField::Text(text)) = &finding.subject {
                want(text);
            }
        }
        for finding in &report.findings {
            if let Some(SubjectField::Subject(subject)) = &finding.subject {
                wanted.extend(
                    [Some(subject.name.clone()), subject.namespace.clone()]
                        .into_iter()
                        .flatten()
                        .filter(|name| !name.is_empty()),
                );
                // kind/name or namespace/name in one text.
                wanted.extend(
                    subject
                        .name
                        .split('/')
                        .filter(|part| part.len() > 1)
                        .map(str::to_owned),
                );
            }
        }
        let wanted: Vec<String> = wanted
            .into_iter()
            .filter(|name| name.len() <= 512)
            .collect();
        let found = find_names(self.tree, &wanted, max_bytes);
        Names {
            places: found.places,
            limited: found.limited,
        }
    }

    /// Judges a finding; `None` if it can't stand, else what is left of it.
    fn finding(&mut self, at: usize, finding: &Finding, names: &Names) -> Option<Finding> {
        let place = |field: &str| format!("/findings/{at}/{field}");
        let rank = Some(finding.rank);
        let mut stands = true;
        let mut left = finding.clone();
        if finding.confidence.is_finite() && (0.0..=1.0).contains(&finding.confidence) {
            self.claim(
                place("confidence"),
                rank,
                Rule::Confidence,
                Status::Ok,
                "a number from 0 to 1",
                None,
            );
        } else {
            self.claim(
                place("confidence"),
                rank,
                Rule::Confidence,
                Status::Rejected,
                "not a number from 0 to 1",
                None,
            );
            stands = false;
        }
        // Evidence first: the rest is held against it.
        let mut evidence = Vec::new();
        for (number, cited) in finding.evidence.iter().enumerate() {
            if self.evidence(&place(&format!("evidence/{number}")), finding.rank, cited) {
                evidence.push(cited.clone());
            }
        }
        if evidence.is_empty() {
            self.claim(
                place("evidence"),
                rank,
                Rule::Evidence,
                Status::Rejected,
                if finding.evidence.is_empty() {
                    "the finding cites nothing"
                } else {
                    "no citation of the finding holds"
                },
                None,
            );
            stands = false;
        } else {
            self.claim(
                place("evidence"),
                rank,
                Rule::Evidence,
                Status::Ok,
                format!(
                    "{} of {} citations hold",
                    evidence.len(),
                    finding.evidence.len()
                ),
                None,
            );
        }
        let shown = evidence
            .iter()
            .map(|cited| format!("{}\n{}", cited.path, cited.quote))
            .collect::<Vec<_>>()
            .join("\n");
        for (field, text) in [
            ("title", &finding.title),
            ("root_cause", &finding.root_cause),
        ] {
            stands &= self.sentence(&place(field), rank, text);
            stands &= self.names(&place(field), rank, &extract(text), &shown, names);
        }
        match &finding.subject {
            Some(SubjectField::Text(text)) => {
                stands &= self.names(&place("subject"), rank, &extract(text), &shown, names)
            }
            Some(SubjectField::Subject(subject)) => {
                for (field, text) in [
                    ("subject/name", Some(&subject.name)),
                    (
                        "subject/namespace",
                        subject
                            .namespace
                            .as_ref()
                            .filter(|name| *name != DEFAULT_NAMESPACE),
                    ),
                ] {
                    if let Some(text) = text.filter(|text| !text.is_empty()) {
                        stands &= self.names(
                            &place(field),
                            rank,
                            &[Name {
                                text: text.clone(),
                                computed: false,
                            }],
                            &shown,
                            names,
                        );
                    }
                }
            }
            None => {}
        }
        if !evidence.is_empty() {
            let said = distinctive(&format!(
                "{} {} {}",
                finding.title, finding.root_cause, finding.cause
            ));
            if said.is_disjoint(&distinctive(&shown)) {
                self.claim(
                    place("root_cause"),
                    rank,
                    Rule::Grounding,
                    Status::Flagged,
                    "the evidence shares no distinctive word with what is said",
                    None,
                );
            } else {
                self.claim(
                    place("root_cause"),
                    rank,
                    Rule::Grounding,
                    Status::Ok,
                    "the evidence speaks about it",
                    None,
                );
            }
        }
        left.commands.clear();
        for (number, command) in finding.commands.iter().enumerate() {
            let judged = classify(&command.command);
            let why = if judged.reasons.is_empty() {
                "it only reads".to_owned()
            } else {
                judged.reasons.join("; ")
            };
            let (status, reason) = match judged.class {
                CommandClass::ReadOnly => (Status::Ok, why),
                CommandClass::Unknown => (
                    Status::Flagged,
                    format!("what it does can't be told: {why}"),
                ),
                CommandClass::ChangesState => (Status::Flagged, format!("it changes state: {why}")),
                CommandClass::Destructive => {
                    (Status::Rejected, format!("it is destructive: {why}"))
                }
            };
            self.claim(
                place(&format!("commands/{number}/command")),
                rank,
                Rule::Command,
                status,
                reason,
                None,
            );
            stands &= status != Status::Rejected;
            let sentence = self.sentence(
                &place(&format!("commands/{number}/why")),
                rank,
                &command.why,
            );
            let known = self.names(
                &place(&format!("commands/{number}/why")),
                rank,
                &extract(&command.why),
                &shown,
                names,
            );
            if sentence && known {
                let mut command = command.clone();
                command.class = Some(judged.class);
                left.commands.push(command);
            }
        }
        left.evidence = evidence;
        stands.then_some(left)
    }

    /// Judges one sentence field; an empty one has nothing to judge.
    fn sentence(&mut self, place: &str, finding: Option<u32>, text: &str) -> bool {
        if text.trim().is_empty() {
            return true;
        }
        match fault(text, &self.echoes) {
            Some(why) => {
                self.claim(
                    place.to_owned(),
                    finding,
                    Rule::Sentence,
                    Status::Rejected,
                    why,
                    None,
                );
                false
            }
            None => {
                self.claim(
                    place.to_owned(),
                    finding,
                    Rule::Sentence,
                    Status::Ok,
                    "a statement",
                    None,
                );
                true
            }
        }
    }

    /// Judges names: each must stand in the evidence or elsewhere in the bundle.
    fn names(
        &mut self,
        place: &str,
        finding: Option<u32>,
        wanted: &[Name],
        shown: &str,
        known: &Names,
    ) -> bool {
        let mut all = true;
        for name in wanted {
            let short: String = name.text.chars().take(80).collect();
            let variants = spellings(&name.text);
            if stands_in(name, shown) {
                self.claim(
                    place.to_owned(),
                    finding,
                    Rule::Name,
                    Status::Ok,
                    format!("{short:?} stands in the evidence"),
                    None,
                );
                continue;
            }
            let whole = known
                .places
                .get(&name.text)
                .or_else(|| variants.iter().find_map(|other| known.places.get(other)));
            // namespace/name, kind/name, image:tag: each part counts when the whole stands nowhere.
            let parts: Vec<&str> = name
                .text
                .split(['/', ':'])
                .filter(|part| part.len() > 1 && *part != DEFAULT_NAMESPACE)
                .collect();
            let by_parts = || {
                let splits = !parts.is_empty()
                    && name.text.contains(['/', ':'])
                    && parts.len() <= 4
                    && !name.text.starts_with('/')
                    && !name.text.contains(' ');
                splits
                    .then(|| {
                        parts
                            .iter()
                            .map(|part| known.places.get(*part))
                            .collect::<Option<Vec<_>>>()
                    })
                    .flatten()
                    .and_then(|places| places.last().copied())
            };
            match whole.or_else(by_parts) {
                Some(matched) => self.claim(
                    place.to_owned(),
                    finding,
                    Rule::Name,
                    Status::Ok,
                    format!("{short:?} stands in the bundle"),
                    Some(matched.clone()),
                ),
                None if name.computed => self.claim(
                    place.to_owned(),
                    finding,
                    Rule::Name,
                    Status::Flagged,
                    format!("{short:?} stands nowhere in the bundle: computed or invented"),
                    None,
                ),
                None if known.limited => self.claim(
                    place.to_owned(),
                    finding,
                    Rule::Name,
                    Status::Flagged,
                    format!(
                        "{short:?} was not found in what was searched; a limit ended the search"
                    ),
                    None,
                ),
                None => {
                    self.claim(
                        place.to_owned(),
                        finding,
                        Rule::Name,
                        Status::Rejected,
                        format!("{short:?} stands nowhere in the bundle"),
                        None,
                    );
                    all = false;
                }
            }
        }
        all
    }

    /// Judges one citation: path, lines, quote.
    fn evidence(&mut self, place: &str, rank: u32, cited: &Evidence) -> bool {
        let finding = Some(rank);
        let Some(entry) = self.find(&cited.path) else {
            let hint = self.similar(&cited.path).map_or_else(String::new, |path| {
                format!("; a file of that name is {path}")
            });
            self.claim(
                format!("{place}/path"),
                finding,
                Rule::Path,
                Status::Rejected,
                format!("the bundle has no such file{hint}"),
                None,
            );
            return false;
        };
        let at = |start, end| {
            Some(Matched {
                path: entry.path.to_string(),
                line_start: start,
                line_end: end,
            })
        };
        self.claim(
            format!("{place}/path"),
            finding,
            Rule::Path,
            Status::Ok,
            "the file is in the bundle",
            at(0, 0),
        );
        if matches!(
            entry.kind,
            FileKind::Binary | FileKind::Archive | FileKind::Empty
        ) {
            self.claim(
                format!("{place}/line_start"),
                finding,
                Rule::Lines,
                Status::Rejected,
                "the file has no lines of text",
                None,
            );
            return false;
        }
        let (start, end) = (cited.line_start, cited.line_end);
        let quote = Quote::new(&cited.quote);
        let lines = match self.lines(&entry, start, end) {
            Ok(lines) => lines,
            Err(why) => {
                self.claim(
                    format!("{place}/line_start"),
                    finding,
                    Rule::Lines,
                    Status::Rejected,
                    why,
                    None,
                );
                let (status, reason, matched) = match self.elsewhere(&entry, &quote) {
                    Some(line) => (
                        Status::Rejected,
                        format!("the quote stands in line {line}"),
                        at(line, line),
                    ),
                    None => (
                        Status::Rejected,
                        "the quote stands nowhere in the file".to_owned(),
                        None,
                    ),
                };
                self.claim(
                    format!("{place}/quote"),
                    finding,
                    Rule::Quote,
                    status,
                    reason,
                    matched,
                );
                return false;
            }
        };
        if end - start >= BROAD_LINES {
            self.claim(
                format!("{place}/line_start"),
                finding,
                Rule::Lines,
                Status::Flagged,
                format!("the citation spans {} lines", end - start + 1),
                at(start, end),
            );
        } else {
            self.claim(
                format!("{place}/line_start"),
                finding,
                Rule::Lines,
                Status::Ok,
                "the lines are in the file",
                at(start, end),
            );
        }
        let normal: Vec<String> = lines.iter().map(|line| normalise(line)).collect();
        let whole = normal.iter().any(|line| quote.is_whole(line));
        if quote.is_empty() {
            self.claim(
                format!("{place}/quote"),
                finding,
                Rule::Quote,
                Status::Rejected,
                "the quote says nothing",
                None,
            );
            return false;
        }
        let joined = normal.join(" ");
        if quote.is_in(&joined) {
            if quote.is_long() || whole {
                self.claim(
                    format!("{place}/quote"),
                    finding,
                    Rule::Quote,
                    Status::Ok,
                    "verbatim",
                    at(start, end),
                );
                return true;
            }
            self.claim(
                format!("{place}/quote"),
                finding,
                Rule::Quote,
                Status::Rejected,
                format!(
                    "the quote is shorter than {MIN_QUOTE_CHARS} characters and not a whole line"
                ),
                None,
            );
            return false;
        }
        let (reason, matched) = match self.elsewhere(&entry, &quote) {
            Some(line) => (
                format!("the quote is not in the cited lines; it stands in line {line}"),
                at(line, line),
            ),
            None => ("the quote stands nowhere in the file".to_owned(), None),
        };
        self.claim(
            format!("{place}/quote"),
            finding,
            Rule::Quote,
            Status::Rejected,
            reason,
            matched,
        );
        false
    }

    /// The file of a cited path, with or without the top folder, `./` and a leading `/` overlooked.
    fn find(&self, path: &str) -> Option<Entry> {
        let path = path.strip_prefix("./").unwrap_or(path);
        self.tree
            .find(path)
            .or_else(|| self.tree.find(path.trim_start_matches('/')))
            .filter(|_| !path.is_empty())
            .cloned()
    }

    /// The only file whose path ends like `path`.
    fn similar(&self, path: &str) -> Option<String> {
        let name = path.rsplit('/').next().filter(|name| name.len() > 2)?;
        let mut same = self.tree.files().filter(|entry| entry.path.name() == name);
        let first = same.next()?;
        same.next().is_none().then(|| first.path.to_string())
    }

    /// Lines `start` to `end` of a file.
    fn lines(&mut self, entry: &Entry, start: u64, end: u64) -> Result<Vec<String>, String> {
        if start == 0 || end < start {
            return Err(format!(
                "lines {start} to {end} are no lines: they count from 1"
            ));
        }
        if end - start >= MAX_CITED_LINES {
            return Err(format!(
                "the citation spans {} lines, more than {MAX_CITED_LINES}",
                end - start + 1
            ));
        }
        let beyond =
            |count: u64| format!("the file has {count} lines, lines {start} to {end} are cited");
        match self.tree.text(entry) {
            Ok(Some(text)) => {
                let count = text.len() as u64;
                if end > count {
                    return Err(beyond(count));
                }
                Ok((start..=end)
                    .filter_map(|number| {
                        text.line(usize::try_from(number).ok()?).map(str::to_owned)
                    })
                    .collect())
            }
            Ok(None) => {
                let key = entry.path.to_string();
                let known = self.files.get(&key).is_some_and(|(count, lines)| {
                    end > *count && *count > 0
                        || (start..=end).all(|number| lines.contains_key(&number))
                });
                if !known {
                    let (mut count, mut lines) = (0, BTreeMap::new());
                    self.tree
                        .for_each_line(entry, |number, line| {
                            count = number as u64;
                            if (start..=end).contains(&count) {
                                lines.insert(count, line.to_owned());
                            }
                            true
                        })
                        .map_err(|_| "the file can't be read".to_owned())?;
                    let slot = self.files.entry(key.clone()).or_default();
                    slot.0 = count;
                    slot.1.extend(lines);
                }
                let (count, lines) = &self.files[&key];
                if end > *count {
                    return Err(beyond(*count));
                }
                Ok((start..=end)
                    .filter_map(|number| lines.get(&number).cloned())
                    .collect())
            }
            Err(_) => Err("the file can't be read".to_owned()),
        }
    }

    /// The first line of the file that holds the quote.
    fn elsewhere(&self, entry: &Entry, quote: &Quote) -> Option<u64> {
        if quote.is_empty() || !quote.is_long() {
            return None;
        }
        let mut found = None;
        let _ = self.tree.for_each_line(entry, |number, line| {
            if quote.is_in(&normalise(line)) {
                found = Some(number as u64);
            }
            found.is_none()
        });
        found
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make their own bundles")]
mod tests;
