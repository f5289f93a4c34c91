//! Another tool's answer: its prose sentence by sentence, its citations, its commands.

use super::citation::nowhere;
use super::known::{Strictness, Wanted};
use super::ledger::Spot;
use super::{Judge, Mode, Options};
use crate::bundle::Tree;
use crate::report::Evidence;
use crate::verify::advice::{Block, advice, blocks};
use crate::verify::answer::{Answer, Citation, ReadAnswer, split_place};
use crate::verify::command::class_name;
use crate::verify::prose::{
    distinctive, flat, repeats, sentences, statement_fault, tool_call, without_quotes,
};
use crate::verify::quote::Quote;
use crate::verify::verdict::{Matched, Rule, Status, Verdict};
use regex::Regex;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A sentence that stands in a text this often is a loop.
const LOOP: usize = 3;
/// Least words of a sentence that may not come again.
const MIN_WORDS: usize = 4;

/// A file and a line inside prose: `logs/web.log:12`, `web.log, line 12`.
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:^|[\s(\[`<])((?:[\w.@+-]+/)*[\w@+-][\w.@+-]*\.(?:log|txt|ya?ml|json|conf|cfg|ini|out|err|csv|xml|toml|service|\d)|(?:[\w.@+-]+/)+[\w.@+-]+)(?::L?(\d{1,9})(?:-L?(\d{1,9}))?|`?,?\s+(?:at\s+|on\s+)?lines?\s+(\d{1,9})(?:\s?(?:-|–|to)\s?(\d{1,9}))?)")
        .unwrap_or_else(|why| panic!("place pattern: {why}"))
});

/// Judges every sentence, citation and command of another tool's answer against `tree`.
pub fn judge_answer(read: &ReadAnswer, tree: &Tree, options: &Options) -> Verdict {
    let answer = &read.answer;
    let mut wanted = Wanted::default();
    let prose = prose_of(&answer.text);
    wanted.deceptive(&prose);
    for sentence in sentences(&prose) {
        wanted.text(sentence);
    }
    for command in &answer.commands {
        let why = command.why.as_deref().unwrap_or_default();
        wanted.text(why);
        wanted.deceptive(why);
        wanted.command(&command.command);
    }
    for found in advice(&answer.text) {
        wanted.command(&found.command);
    }
    let known = wanted.look(tree, options.max_scan_bytes);
    let mut options = options.clone();
    options.prompts.extend(answer.prompt.clone());
    let mut judge = Judge::new(tree, &options, known);
    judge.instructions();
    for odd in &read.oddities {
        let spot = Spot::new(odd.place.clone());
        judge
            .ledger
            .note(&spot, Rule::Form, Status::Flagged, odd.what.clone());
    }
    let shown = judge.citations(answer);
    judge.prose(&answer.text, &shown);
    for (at, command) in answer.commands.iter().enumerate() {
        let spot = Spot::new(format!("/commands/{at}"));
        let judged = judge.policy.classify(&command.command);
        judge.command(&spot.at("command"), &judged);
        judge.names_of_command(&spot.at("command"), &command.command, &shown);
        if let Some(why) = &command.why {
            judge.sentence(&spot.at("why"), why);
            judge.names(&spot.at("why"), why, &shown, Strictness::Advice);
        }
    }
    judge.verdict(Mode::Strict, false)
}

/// The text without its fences, which hold code.
fn prose_of(text: &str) -> String {
    blocks(text)
        .into_iter()
        .filter_map(|block| match block {
            Block::Prose(part) => Some(part),
            Block::Fence(_) => None,
        })
        .collect::<Vec<_>>()
        .join("\n")
}

impl Judge<'_> {
    /// Judges the citations; gives the text of those that hold.
    fn citations(&mut self, answer: &Answer) -> String {
        let mut shown = String::new();
        let said = distinctive(&answer.text);
        let mut held = 0;
        for (at, cited) in answer.citations.iter().enumerate() {
            let spot = Spot::new(format!("/citations/{at}"));
            if !self.loose_citation(&spot, cited) {
                continue;
            }
            held += 1;
            let text = format!("{}\n{}\n", cited.path, self.cited_text(cited));
            if said.is_disjoint(&distinctive(&text)) {
                let reason = if answer.text.trim().is_empty() {
                    "there is evidence and nothing is said about it"
                } else {
                    "this citation shares no distinctive word with what is said"
                };
                self.ledger
                    .note(&spot, Rule::Grounding, Status::Flagged, reason);
            }
            shown.push_str(&text);
        }
        let (status, reason) = match (answer.citations.len(), held) {
            (0, _) => (Status::Flagged, "the answer cites nothing".to_owned()),
            (_, 0) => (
                Status::Rejected,
                "no citation of the answer holds".to_owned(),
            ),
            (cited, held) => (Status::Ok, format!("{held} of {cited} citations hold")),
        };
        self.ledger
            .note(&Spot::new("/citations"), Rule::Evidence, status, reason);
        shown
    }

    /// What a citation shows: its quote, or the lines that it points to.
    fn cited_text(&mut self, cited: &Citation) -> String {
        let quote = cited.quote.as_deref().unwrap_or_default();
        match (quote.trim().is_empty(), cited.line_start) {
            (true, Some(start)) => self
                .find(&cited.path)
                .and_then(|entry| {
                    self.lines(&entry, start, cited.line_end.unwrap_or(start))
                        .ok()
                })
                .map_or_else(String::new, |lines| lines.join("\n")),
            _ => quote.to_owned(),
        }
    }

    /// A citation whose lines or quote may be missing.
    fn loose_citation(&mut self, spot: &Spot, cited: &Citation) -> bool {
        let lines = cited
            .line_start
            .map(|start| (start, cited.line_end.unwrap_or(start)));
        let quote = cited
            .quote
            .as_deref()
            .filter(|quote| !quote.trim().is_empty());
        match (lines, quote) {
            (Some((line_start, line_end)), Some(quote)) => self.citation(
                spot,
                &Evidence {
                    path: cited.path.clone(),
                    line_start,
                    line_end,
                    quote: quote.to_owned(),
                },
            ),
            (lines, None) => self.pointer(&spot.at("path"), &cited.path, lines),
            (None, Some(quote)) => {
                let Some(entry) = self.cited_file(&spot.at("path"), &cited.path) else {
                    return false;
                };
                let spot = spot.at("quote");
                let quote = Quote::new(quote);
                match self.elsewhere(&entry, &quote) {
                    Some(line) => {
                        let matched = Matched {
                            path: entry.path.to_string(),
                            line_start: line,
                            line_end: line,
                        };
                        let reason = format!("verbatim in line {line}");
                        self.ledger
                            .note_at(&spot, Rule::Quote, Status::Ok, reason, Some(matched));
                        true
                    }
                    None => {
                        self.ledger
                            .note(&spot, Rule::Quote, Status::Rejected, nowhere(&quote));
                        false
                    }
                }
            }
        }
    }

    /// Judges the text: sentences, the commands in it, repetitions.
    fn prose(&mut self, text: &str, shown: &str) {
        let whole = Spot::new("/text");
        if text.trim().is_empty() {
            self.ledger.note(
                &whole,
                Rule::Sentence,
                Status::Flagged,
                "the answer says nothing",
            );
            return;
        }
        let mut seen: HashMap<String, usize> = HashMap::new();
        for block in blocks(text) {
            let Block::Prose(part) = block else { continue };
            for sentence in sentences(part) {
                let spot = Spot {
                    span: offset(text, sentence),
                    ..whole.saying(sentence)
                };
                self.answer_sentence(&spot, sentence, shown);
                let flat = flat(&without_quotes(sentence));
                if flat.split(' ').count() < MIN_WORDS {
                    continue;
                }
                let count = seen.entry(flat).or_default();
                *count += 1;
                match *count {
                    1 => {}
                    LOOP.. => self.ledger.note(
                        &spot,
                        Rule::Repetition,
                        Status::Rejected,
                        "it says the same sentence again and again",
                    ),
                    _ => self.ledger.note(
                        &spot,
                        Rule::Repetition,
                        Status::Flagged,
                        "it says the same sentence twice",
                    ),
                }
            }
        }
        if repeats(&without_quotes(&prose_of(text))) {
            self.ledger.note(
                &whole,
                Rule::Repetition,
                Status::Rejected,
                "it repeats itself",
            );
        }
        for found in advice(text) {
            let spot = Spot {
                span: offset(text, &found.command),
                ..whole.saying(&found.command)
            };
            let judged = self.policy.classify(&found.command);
            if found.recommended {
                self.command(&spot, &judged);
                self.names_of_command(&spot, &found.command, shown);
            } else {
                let reason = format!(
                    "mentioned, not recommended; it is {}",
                    class_name(judged.class)
                );
                self.ledger.note(&spot, Rule::Command, Status::Ok, reason);
            }
        }
    }

    /// Judges one sentence of an answer.
    fn answer_sentence(&mut self, spot: &Spot, sentence: &str, shown: &str) {
        let before = self.ledger.claims.len();
        let plain = without_quotes(sentence);
        let plain = plain
            .trim_start()
            .trim_start_matches(['#', '*', '-', '>', ' ']);
        if let Some(fault) = tool_call(plain).or_else(|| statement_fault(plain, &self.echoes)) {
            // Talk is no reason to refuse what an assistant says besides.
            let status = if fault.talk {
                Status::Flagged
            } else {
                Status::Rejected
            };
            self.ledger.note(spot, fault.rule, status, fault.why);
        }
        self.hidden(spot, sentence);
        self.repeats_instruction(spot, sentence);
        let rest = self.places(spot, sentence);
        self.names(spot, &rest, shown, Strictness::Answer);
        if !self.ledger.rejected_since(before) {
            self.ledger
                .note(spot, Rule::Sentence, Status::Ok, "a statement");
        }
    }

    /// Places that a sentence points to, `logs/web.log:12`; gives the sentence without those that were judged.
    fn places(&mut self, spot: &Spot, sentence: &str) -> String {
        let mut rest = String::with_capacity(sentence.len());
        let mut end = 0;
        for found in PLACE.captures_iter(sentence) {
            let number = |at: usize| {
                found
                    .get(at)
                    .and_then(|digits| digits.as_str().parse::<u64>().ok())
            };
            let path = &found[1];
            if is_address(path) {
                continue;
            }
            let Some(start) = number(2).or_else(|| number(4)) else {
                continue;
            };
            let last = number(3).or_else(|| number(5)).unwrap_or(start);
            // `db.example/x:5432` and the like are addresses unless a file is called so.
            let named_like_file = found[1]
                .rsplit_once('.')
                .is_some_and(|(_, end)| end.len() <= 7);
            if self.find(path).is_none() && self.similar(path).is_some() {
                // Given without its folders, and only one file is called so.
                let path = self.similar(path).unwrap_or_default();
                self.pointer(spot, &path, Some((start, last)));
            } else if self.find(path).is_some()
                || named_like_file
                    && !in_error_text(sentence, found.get(1).map_or(0, |path| path.start()))
            {
                self.pointer(spot, split_place(path).0, Some((start, last)));
            } else {
                continue;
            }
            if let (Some(whole), Some(path)) = (found.get(0), found.get(1)) {
                rest.push_str(&sentence[end..path.start()]);
                rest.push_str(" , ");
                end = whole.end();
            }
        }
        rest.push_str(&sentence[end..]);
        rest
    }
}

/// Whether a path is an address with a port behind it.
fn is_address(path: &str) -> bool {
    let parts: Vec<&str> = path.split('.').collect();
    parts.len() == 4
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether what begins at `at` stands in a code span or quotation with further words: then it is text of an error, not
/// a place.
fn in_error_text(sentence: &str, at: usize) -> bool {
    ['`', '"'].into_iter().any(|mark| {
        let open = sentence[..at].matches(mark).count() % 2 == 1;
        let start = sentence[..at].rfind(mark).map_or(0, |start| start + 1);
        let end = sentence[at..].find(mark).map(|end| at + end);
        open && end.is_some_and(|end| sentence[start..end].split_whitespace().count() > 1)
    })
}

/// Where `part`, which was cut out of `text`, stands in it, in bytes.
fn offset(text: &str, part: &str) -> Option<(u64, u64)> {
    let start = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize);
    let start = start
        .filter(|start| start + part.len() <= text.len())
        .or_else(|| text.find(part))?;
    Some((start as u64, (start + part.len()) as u64))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{answer, answer_in, claims};
    use super::*;
    use serde_json::json;

    #[test]
    fn places_are_told_from_addresses_and_from_texts_of_errors() {
        let more = "yaml: conf/app.yaml:12: did not find expected key\ndial shop.example/cart-api:5432 refused\n";
        let places = |text: &str| {
            let verdict = answer_in(more, &json!({"text": text}));
            let all: Vec<Status> = claims(&verdict, Rule::Path)
                .into_iter()
                .map(|(_, status, _)| status)
                .collect();
            all
        };
        for text in [
            "The log says `yaml: conf/app.yaml:12: did not find expected key`.",
            "The pod `cart-5f7d9` says `yaml: conf/app.yaml:12: did not find expected key`.",
            "The log says \"yaml: conf/app.yaml:12: did not find expected key\" there.",
            "It calls shop.example/cart-api:5432 there.",
            "It calls 10.43.0.1:443 there.",
        ] {
            assert_eq!(places(text), [], "{text}");
        }
        for text in [
            "See conf/app.yaml:12 for it.",
            "See conf/app.yaml, line 12 for it.",
            "See `conf/app.yaml:12` for it.",
            "See ` conf/app.yaml:12 ` for it.",
            "`conf/app.yaml:12` is broken.",
            "In `container web` of conf/app.yaml:12 it has `exit code 137` there.",
        ] {
            assert_eq!(places(text), [Status::Rejected], "{text}");
        }
        for text in ["See logs/web.log:2 for it.", "See web.log:2-3 for it."] {
            assert_eq!(places(text), [Status::Ok], "{text}");
        }
    }

    #[test]
    fn an_address_is_four_numbers() {
        assert!(is_address("10.43.0.1"));
        for path in [
            "10.43.0",
            "10.43.0.1.7",
            "10.43..1",
            "web.log.2.1",
            "10.43.0.x",
            "web.log",
        ] {
            assert!(!is_address(path), "{path}");
        }
    }

    #[test]
    fn a_sentence_that_comes_again_is_placed_where_it_stands() {
        let again = "It was killed there. ";
        let text = format!("{again}The container web exceeded its limit. {again}");
        let verdict = answer(&json!({"text": text}));
        let spans: Vec<(u64, u64)> = verdict
            .claims
            .iter()
            .filter(|claim| claim.rule == Rule::Sentence)
            .filter_map(|claim| claim.span)
            .collect();
        let second = text.rfind("It was").unwrap() as u64;
        let length = again.trim_end().len() as u64;
        assert_eq!(spans.first(), Some(&(0, length)));
        assert_eq!(spans.last(), Some(&(second, second + length)));
    }

    #[test]
    fn what_citations_show_is_the_evidence() {
        let text = "The pod shop/cart-5f7d9 was OOMKilled.";
        let name = |citations: serde_json::Value| {
            let verdict = answer(&json!({"text": text, "citations": citations}));
            let names = claims(&verdict, Rule::Name);
            names[0].2.rsplit(' ').next().unwrap().to_owned()
        };
        let quote = "pod shop/cart-5f7d9 container web OOMKilled";
        for shown in [
            json!([{"path": "logs/web.log", "line_start": 2, "quote": quote}]),
            json!([{"path": "logs/web.log", "line_start": 2, "line_end": 3}]),
            json!([{"path": "logs/web.log", "line_start": 2, "quote": " "}]),
            json!([{"path": "logs/web.log", "quote": quote}]),
        ] {
            assert_eq!(name(shown.clone()), "evidence", "{shown}");
        }
        for beside in [
            json!([]),
            json!([{"path": "logs/web.log"}]),
            json!([{"path": "logs/web.log", "line_start": 3}]),
            json!([{"path": "logs/web.log", "line_start": 99}]),
        ] {
            assert_eq!(name(beside.clone()), "bundle", "{beside}");
        }
    }

    #[test]
    fn a_citation_of_lines_that_are_not_there_does_not_hold() {
        let verdict = answer(&json!({
            "text": "The container web was OOMKilled.",
            "citations": [{"path": "logs/web.log", "line_start": 99}],
        }));
        assert_eq!(
            claims(&verdict, Rule::Evidence),
            [(
                "/citations",
                Status::Rejected,
                "no citation of the answer holds"
            )]
        );
    }
}
