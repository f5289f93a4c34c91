//! Scores one report against the truth of its case: the definitions of the corpus's `score.py`, in
//! the same order, so that both give the same numbers for any JSON that calls itself a report.
//!
//! Runs in a sealed process of zone 3's kind, because it reads the bundle's lines.

use super::truth::{Kind, Truth};
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::LazyLock;

/// Lines of a citation that count for grounding.
const MAX_RANGE: u64 = 60;
/// Confidence from which a finding is a statement and not a mention.
const STRONG: f64 = 0.5;
const OUTCOMES: [&str; 3] = ["findings", "insufficient-evidence", "healthy"];

static ANSI: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\x1b\[[0-9;?]*[A-Za-z]").ok());
static REDACTED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:\[|<|\{)?\b(?:REDACTED|redacted|MASKED|masked)[A-Za-z0-9_:#.-]*(?:\]|>|\})?|\*{3,}|\x{2588}{2,}").ok()
});

/// An expression of a truth: case-insensitive, bounded in size.
///
/// # Errors
/// What the expression's parser says.
pub fn expression(form: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(form)
        .case_insensitive(true)
        .size_limit(1 << 20)
        .build()
}

/// The lines of a bundle, by path.
pub trait Lines {
    /// The lines `first..=last` joined by line feeds; `None` when the file is not there.
    fn range(&self, path: &str, first: u64, last: u64) -> Option<Range>;
}

/// An answer of [`Lines`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Range {
    /// The file ends before.
    Beyond,
    /// The lines.
    Text(String),
}

/// How one case was answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CaseScore {
    /// Whether there is a report at all that can be read as one.
    pub valid: bool,
    /// The report's outcome.
    pub outcome: Option<String>,
    /// Citations that hold.
    pub cite_ok: u64,
    /// Citations in all.
    pub cite_n: u64,
    /// Those that do not hold, with the reason; at most eight.
    pub cite_bad: Vec<String>,
    /// Confidence of the first finding.
    pub top_confidence: Option<f64>,
    /// Positive: rank of the first right finding.
    pub hit_rank: Option<u64>,
    /// Positive: the first finding is right by its words alone, without its quotes.
    pub hit_statement: bool,
    /// The first finding validly cites a line that decides the case.
    pub grounded: bool,
    /// Negative: a false alarm.
    pub false_alarm: bool,
    /// Negative and abstain: answered right.
    pub ok: bool,
    /// Abstain: `missing` names something relevant.
    pub missing_ok: bool,
    /// Multi: faults in all.
    pub faults: u64,
    /// Multi: faults found among the first findings.
    pub found: u64,
    /// Multi: the first finding is one of the faults.
    pub first_ok: bool,
    /// Multi: findings of enough confidence.
    pub strong: u64,
    /// Multi: those of them that are right.
    pub strong_ok: u64,
    /// Title of the first finding, or of the alarm.
    pub title: String,
    /// Cause of the first finding.
    pub first_cause: Option<String>,
    /// Cause of the right finding, wherever it stands.
    pub right_cause: Option<String>,
    /// For each finding in order: right, wrong, or neither (another true fault of the bundle).
    pub right: Vec<Option<bool>>,
}

/// The score of `report` (anything that was parsed, or nothing) for the case of `truth`.
pub fn score(truth: &Truth, report: Option<&Value>, lines: &dyn Lines) -> CaseScore {
    let forms = Forms::default();
    let mut score = CaseScore {
        faults: truth.faults.len() as u64,
        ..CaseScore::default()
    };
    let Some(report) = report.and_then(valid) else {
        return score;
    };
    score.valid = true;
    let findings = findings(report);
    let outcome = match report.get("outcome").and_then(Value::as_str) {
        Some(known) if OUTCOMES.contains(&known) => known,
        _ if findings.is_empty() => "insufficient-evidence",
        _ => "findings",
    };
    score.outcome = Some(outcome.to_owned());
    let texts: Vec<String> = findings.iter().map(|f| statement(f, true)).collect();
    let confidence: Vec<f64> = findings
        .iter()
        .map(|f| number(f.get("confidence"), 1.0))
        .collect();
    score.top_confidence = confidence.first().copied();
    let mut cited: HashMap<usize, Vec<String>> = HashMap::new();
    for (at, finding) in findings.iter().enumerate() {
        for evidence in evidence(finding) {
            score.cite_n += 1;
            match citation(evidence, lines) {
                Ok(text) => {
                    score.cite_ok += 1;
                    cited.entry(at).or_default().push(text);
                }
                Err(why) if score.cite_bad.len() < 8 => {
                    let path: String = flat(evidence.get("path"));
                    let tail: String = path
                        .chars()
                        .skip(path.chars().count().saturating_sub(80))
                        .collect();
                    score.cite_bad.push(format!(
                        "{why}: {tail}:{}",
                        flat(evidence.get("line_start"))
                    ));
                }
                Err(_) => {}
            }
        }
    }
    score.grounded = cited.get(&0).is_some_and(|texts| {
        texts.iter().flat_map(|text| text.split('\n')).any(|line| {
            truth
                .decisive
                .iter()
                .any(|decisive| forms.matches(&decisive.regex, line))
        })
    });
    let known_other = |text: &str| {
        truth
            .other_real_faults
            .iter()
            .any(|form| forms.matches(form, text))
    };
    let title_of =
        |at: usize| -> String { flat(findings[at].get("title")).chars().take(100).collect() };
    let cause_of = |at: usize| findings.get(at).map(|f| flat(f.get("cause")));
    score.first_cause = findings.first().map(|f| flat(f.get("cause")));
    let right = |text: &str| match truth.kind {
        Kind::Positive => forms.meets(&truth.must, text),
        Kind::Multi => truth
            .faults
            .iter()
            .any(|fault| forms.meets(&fault.must, text)),
        Kind::Negative | Kind::Abstain => false,
    };
    score.right = texts
        .iter()
        .map(|text| match right(text) {
            true => Some(true),
            false if known_other(text) => None,
            false => Some(false),
        })
        .collect();
    let alarms: Vec<usize> = (0..findings.len())
        .filter(|at| confidence[*at] >= STRONG && !known_other(&texts[*at]))
        .collect();
    match truth.kind {
        Kind::Positive => {
            let hit = texts.iter().position(|text| forms.meets(&truth.must, text));
            score.hit_rank = hit.map(|at| at as u64 + 1);
            score.right_cause = hit.and_then(cause_of);
            score.hit_statement = findings
                .first()
                .is_some_and(|first| forms.meets(&truth.must, &statement(first, false)));
            score.title = if findings.is_empty() {
                String::new()
            } else {
                title_of(0)
            };
        }
        Kind::Negative => {
            score.false_alarm = outcome == "findings" && !alarms.is_empty();
            score.ok = !score.false_alarm;
            score.title = alarms.first().map_or_else(String::new, |at| title_of(*at));
        }
        Kind::Abstain => {
            score.ok =
                outcome == "insufficient-evidence" || (!findings.is_empty() && alarms.is_empty());
            let gone: Vec<&str> = truth
                .removed
                .iter()
                .map(|path| path.split_once('/').map_or(path.as_str(), |(_, rest)| rest))
                .filter(|path| !path.is_empty())
                .collect();
            score.missing_ok = list(report.get("missing")).iter().any(|item| {
                let text = flat(Some(item));
                truth.missing.iter().any(|form| forms.matches(form, &text))
                    || gone.iter().any(|path| text.contains(path))
            });
            score.title = alarms.first().map_or_else(String::new, |at| title_of(*at));
        }
        Kind::Multi => {
            let first = texts.len().min(truth.faults.len().max(5));
            score.found = truth
                .faults
                .iter()
                .filter(|fault| {
                    texts[..first]
                        .iter()
                        .any(|text| forms.meets(&fault.must, text))
                })
                .count() as u64;
            score.first_ok = texts.first().is_some_and(|text| right(text));
            score.right_cause = texts.iter().position(|text| right(text)).and_then(cause_of);
            let strong: Vec<usize> = (0..findings.len())
                .filter(|at| confidence[*at] >= STRONG)
                .collect();
            score.strong = strong.len() as u64;
            score.strong_ok = strong
                .iter()
                .filter(|at| right(&texts[**at]) || known_other(&texts[**at]))
                .count() as u64;
        }
    }
    score
}

/// Expressions, compiled once a case.
#[derive(Default)]
struct Forms(std::cell::RefCell<HashMap<String, Option<Regex>>>);

impl Forms {
    fn matches(&self, form: &str, text: &str) -> bool {
        self.0
            .borrow_mut()
            .entry(form.to_owned())
            .or_insert_with(|| expression(form).ok())
            .as_ref()
            .is_some_and(|form| form.is_match(text))
    }
    fn meets(&self, must: &[Vec<String>], text: &str) -> bool {
        !must.is_empty()
            && must
                .iter()
                .all(|group| group.iter().any(|form| self.matches(form, text)))
    }
}

/// A report is an object with findings, or with one of the known outcomes.
fn valid(report: &Value) -> Option<&Map<String, Value>> {
    let report = report.as_object()?;
    let known = report
        .get("outcome")
        .and_then(Value::as_str)
        .is_some_and(|outcome| OUTCOMES.contains(&outcome));
    (known || !findings(report).is_empty()).then_some(report)
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The findings by rank, then by place.
fn findings(report: &Map<String, Value>) -> Vec<&Map<String, Value>> {
    let mut ranked: Vec<(f64, &Map<String, Value>)> = list(report.get("findings"))
        .iter()
        .filter_map(Value::as_object)
        .enumerate()
        .map(|(at, finding)| (number(finding.get("rank"), (at + 1) as f64), finding))
        .collect();
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    ranked.into_iter().map(|(_, finding)| finding).collect()
}

fn evidence(finding: &Map<String, Value>) -> Vec<&Map<String, Value>> {
    match finding.get("evidence") {
        Some(Value::Object(one)) => vec![one],
        other => list(other).iter().filter_map(Value::as_object).collect(),
    }
}

/// Any JSON value as text.
fn flat(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(map)) => map
            .values()
            .map(|v| flat(Some(v)))
            .collect::<Vec<_>>()
            .join(" "),
        Some(Value::Array(items)) => items
            .iter()
            .map(|v| flat(Some(v)))
            .collect::<Vec<_>>()
            .join(" "),
        Some(Value::Bool(true)) => "True".into(),
        Some(Value::Bool(false)) => "False".into(),
        Some(Value::Number(number)) => number.to_string(),
    }
}

fn number(value: Option<&Value>, default: f64) -> f64 {
    let parsed = match value {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(Value::Bool(yes)) => Some(f64::from(u8::from(*yes))),
        _ => None,
    };
    parsed
        .filter(|number: &f64| !number.is_nan())
        .unwrap_or(default)
}

fn integer(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64().or_else(|| {
            number
                .as_f64()
                .filter(|n| n.abs() < 9e15)
                .map(|n| n.trunc() as i64)
        }),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(yes) => Some(i64::from(*yes)),
        _ => None,
    }
}

/// Without colour, with every control character and run of white space as one space.
fn normal(text: &str) -> String {
    let plain = match ANSI.as_ref() {
        Some(ansi) => ansi.replace_all(text, ""),
        None => text.into(),
    };
    let spaced: String = plain
        .chars()
        .map(|c| match c {
            '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}' | '\u{200b}' | '\u{feff}' => ' ',
            other => other,
        })
        .collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a finding says: title, root cause, subject and, if asked, its first six quotes.
fn statement(finding: &Map<String, Value>, quotes: bool) -> String {
    let mut parts = vec![
        flat(finding.get("title")),
        flat(finding.get("root_cause")),
        flat(finding.get("subject")),
    ];
    if quotes {
        parts.extend(
            evidence(finding)
                .iter()
                .take(6)
                .map(|e| flat(e.get("quote")).chars().take(400).collect()),
        );
    }
    normal(&parts.join(" \n "))
}

/// Whether a quote stands in the lines; redaction marks in it stand for any text.
fn contains(quote: &str, text: &str) -> bool {
    let (quote, text) = (normal(quote), normal(text));
    if quote.is_empty() {
        return false;
    }
    if text.contains(&quote) {
        return true;
    }
    let Some(mark) = REDACTED.as_ref().filter(|mark| mark.is_match(&quote)) else {
        return false;
    };
    let parts: Vec<&str> = mark
        .split(&quote)
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    if parts.iter().map(|part| part.chars().count()).sum::<usize>() < 6 {
        return false;
    }
    let mut rest = text.as_str();
    parts.iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// The cited lines if the citation holds, else why it does not.
fn citation(evidence: &Map<String, Value>, lines: &dyn Lines) -> Result<String, &'static str> {
    let path = evidence
        .get("path")
        .filter(|path| truthy(path))
        .ok_or("no path")?;
    let path = flat(Some(path)).replace('\\', "/");
    let mut path = path.as_str();
    while let Some(rest) = path.strip_prefix("./") {
        path = rest;
    }
    let path = path.trim_start_matches('/');
    let first = integer(evidence.get("line_start"));
    let last = integer(evidence.get("line_end")).or(first);
    let first = first.or(last);
    let span = match (first, last) {
        (Some(first), Some(last)) => Some((first, last)),
        _ => None,
    };
    // The file is looked up first: a wrong path is the graver mistake.
    let asked = span.and_then(|(first, last)| {
        let first = u64::try_from(first).ok().filter(|first| *first >= 1)?;
        u64::try_from(last)
            .ok()
            .filter(|last| *last >= first)
            .map(|last| (first, last))
    });
    let (from, to) = asked.unwrap_or((1, 1));
    let found = lines.range(path, from, to).ok_or("no such path")?;
    if span.is_none() {
        return Err("no line");
    }
    let (Some(_), Range::Text(text)) = (asked, found) else {
        return Err("no such line");
    };
    let quote = evidence
        .get("quote")
        .and_then(Value::as_str)
        .filter(|quote| !quote.trim().is_empty())
        .ok_or("no quote")?;
    if !contains(quote, &text) {
        return Err("quote not in lines");
    }
    let plain = normal(quote);
    if plain.chars().count() < 6 && plain != normal(&text) {
        return Err("quote too short");
    }
    let counted = usize::try_from(MAX_RANGE).unwrap_or(usize::MAX);
    Ok(text
        .split('\n')
        .take(counted)
        .collect::<Vec<_>>()
        .join("\n"))
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct One;
    impl Lines for One {
        fn range(&self, path: &str, first: u64, last: u64) -> Option<Range> {
            let lines = ["start", "ERROR disk sdq is full", "end"];
            (path == "top/a.log" || path == "a.log").then(|| {
                match lines.get(first as usize - 1..last as usize) {
                    Some(found) => Range::Text(found.join("\n")),
                    None => Range::Beyond,
                }
            })
        }
    }

    fn truth(kind: &str) -> Truth {
        let text = json!({"kind": kind, "must": [["\\bsdq\\b"], ["full", "no space"]],
            "decisive": [{"path": "top/a.log", "regex": "disk sdq is full"}], "missing": ["log"], "removed": ["top/b.log"],
            "faults": [{"must": [["sdq"], ["full"]]}, {"must": [["eth9"], ["down"]]}]});
        Truth::from_json("x", &text.to_string()).unwrap()
    }

    fn finding(title: &str, confidence: f64, line: u64, quote: &str) -> Value {
        json!({"cause": "c", "title": title, "confidence": confidence,
            "evidence": [{"path": "./top/a.log", "line_start": line, "quote": quote}]})
    }

    #[test]
    fn the_cause_at_rank_two_is_a_hit_at_two_and_not_grounded() {
        let report = json!({"findings": [finding("boot noise", 0.9, 1, "start"), finding("disk SDQ is full", 0.8, 2, "disk sdq is full")]});
        let score = score(&truth("positive"), Some(&report), &One);
        assert_eq!(
            (score.hit_rank, score.hit_statement, score.grounded),
            (Some(2), false, false)
        );
        assert_eq!((score.cite_ok, score.cite_n), (2, 2));
        assert_eq!(score.right, [Some(false), Some(true)]);
    }

    #[test]
    fn ranks_order_the_findings_and_the_quote_may_carry_the_cause() {
        let mut first = finding("a device fills up", 0.9, 2, "disk sdq is full");
        first["rank"] = json!(1);
        let mut second = finding("noise", 0.2, 1, "start");
        second["rank"] = json!(2);
        let score = score(
            &truth("positive"),
            Some(&json!({"findings": [second, first]})),
            &One,
        );
        assert_eq!(
            (score.hit_rank, score.hit_statement, score.grounded),
            (Some(1), false, true)
        );
    }

    #[test]
    fn wrong_citations_are_told_apart() {
        for (evidence, why) in [
            (
                json!({"path": "no/such", "line_start": 1, "quote": "start of"}),
                "no such path",
            ),
            (
                json!({"path": "a.log", "line_start": 99, "quote": "start of"}),
                "no such line",
            ),
            (
                json!({"path": "a.log", "line_start": 1, "quote": "qqzz not there"}),
                "quote not in lines",
            ),
            (json!({"path": "a.log", "quote": "start"}), "no line"),
            (
                json!({"path": "a.log", "line_start": 2, "quote": "is"}),
                "quote too short",
            ),
            (json!({"path": "a.log", "line_start": 2}), "no quote"),
            (json!({"line_start": 2, "quote": "disk sdq"}), "no path"),
        ] {
            assert_eq!(
                citation(evidence.as_object().unwrap(), &One),
                Err(why),
                "{evidence}"
            );
        }
        let masked =
            json!({"path": "a.log", "line_start": 2, "quote": "ERROR disk [MASKED:x] full"});
        assert!(citation(masked.as_object().unwrap(), &One).is_ok());
    }

    #[test]
    fn an_alarm_needs_confidence_and_abstaining_needs_words_about_what_is_missing() {
        let alarm = |confidence| json!({"outcome": "findings", "findings": [finding("x", confidence, 1, "start")]});
        assert!(score(&truth("negative"), Some(&alarm(0.5)), &One).false_alarm);
        assert!(score(&truth("negative"), Some(&alarm(0.49)), &One).ok);
        let abstain = json!({"outcome": "insufficient-evidence", "missing": [{"what": "it", "path": "b.log"}]});
        let score = score(&truth("abstain"), Some(&abstain), &One);
        assert!(score.ok && score.missing_ok);
    }

    #[test]
    fn several_faults_are_counted_and_garbage_is_no_report() {
        let report = json!({"findings": [finding("link eth9 down", 0.9, 1, "start"), finding("odd", 0.7, 1, "start")]});
        let multi = score(&truth("multi"), Some(&report), &One);
        assert_eq!(
            (multi.found, multi.strong, multi.strong_ok, multi.first_ok),
            (1, 2, 1, true)
        );
        for garbage in [
            json!(null),
            json!([]),
            json!({}),
            json!({"findings": "x"}),
            json!({"findings": [1], "outcome": 7}),
        ] {
            assert!(
                !score(&truth("positive"), Some(&garbage), &One).valid,
                "{garbage}"
            );
        }
    }
}
