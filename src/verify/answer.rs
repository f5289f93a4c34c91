//! Answers of other tools: a small form that any of them can be brought into, read leniently.
//!
//! Fields that are not known, other spellings of known ones and numbers written as text are accepted and said as claims
//! of the rule `form`; what the answer says is judged as strictly as a report.

use super::parse::MAX_REPORT_BYTES;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The schema name of an answer.
pub const ANSWER_SCHEMA: &str = "narrowroom.answer/v1";
/// Longest text of an answer, in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// Most citations and most commands.
pub const MAX_ITEMS: usize = 500;
/// Longest citation path, quote, command or reason, in bytes.
const MAX_FIELD_BYTES: usize = 16 << 10;
/// Most oddities of the form that are said one by one.
const MAX_ODDITIES: usize = 50;

const HINT: &str = "the form is narrowroom.answer/v1: an object with `text`, `citations` and `commands`; `narrowroom schema adapter` prints it";

/// What another tool said about a bundle, `narrowroom.answer/v1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Answer {
    /// `narrowroom.answer/v1`; may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// Which tool or model said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// What it was asked, to recognise a prompt that is echoed back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// What it said: prose or Markdown. Also read from `answer`, `response`, `content`, `output`, `message`.
    pub text: String,
    /// What it points to in the bundle. Also read from `evidence`, `references`, `sources`.
    #[serde(default)]
    pub citations: Vec<Citation>,
    /// What it advises to run. Also read from `recommended_commands`, `actions`; an entry may be a plain text.
    #[serde(default)]
    pub commands: Vec<Advised>,
}

/// A place in the bundle that an answer points to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Citation {
    /// Path inside the bundle. Also read from `file`, `source`.
    pub path: String,
    /// First line, from 1. Also read from `line`, `start_line`, `start`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_start: Option<u64>,
    /// Last line, inclusive. Also read from `end_line`, `end`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_end: Option<u64>,
    /// Verbatim text of those lines. Also read from `text`, `snippet`, `excerpt`, `content`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<String>,
}

/// A command that an answer advises.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Advised {
    /// The command. Also read from `cmd`, `run`.
    pub command: String,
    /// Why. Also read from `reason`, `description`, `explanation`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Something about the form that is worth saying and no reason to refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oddity {
    /// JSON Pointer.
    pub place: String,
    /// What is odd.
    pub what: String,
}

/// An answer as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadAnswer {
    /// What it says.
    pub answer: Answer,
    /// What was odd about its form.
    pub oddities: Vec<Oddity>,
}

impl ReadAnswer {
    /// Masks every text of it, the names of its odd fields too, and the paths of its citations as `name` does it.
    pub fn mask(&mut self, mask: impl Fn(&str) -> String, name: impl Fn(&str) -> String) {
        for odd in &mut self.oddities {
            let fields: Vec<String> = odd.place.split('/').map(&mask).collect();
            odd.place = fields.join("/");
        }
        let answer = &mut self.answer;
        answer.tool = answer.tool.as_deref().map(&mask);
        answer.text = mask(&answer.text);
        answer.prompt = answer.prompt.as_deref().map(&mask);
        for citation in &mut answer.citations {
            citation.quote = citation.quote.as_deref().map(&mask);
            citation.path = name(&citation.path);
        }
        for command in &mut answer.commands {
            command.command = mask(&command.command);
            command.why = command.why.as_deref().map(&mask);
        }
    }
}

const TEXT: &[&str] = &["text", "answer", "response", "content", "output", "message"];
const CITATIONS: &[&str] = &["citations", "evidence", "references", "sources"];
const COMMANDS: &[&str] = &["commands", "recommended_commands", "actions"];

/// Whether a JSON object without a schema can be read as an answer.
pub(super) fn is_answer(object: &Map<String, Value>) -> bool {
    TEXT.iter().any(|name| object.contains_key(*name))
}

/// Reads plain text or Markdown as an answer.
///
/// # Errors
/// It is too long or no UTF-8.
pub fn text_answer(bytes: &[u8]) -> Result<ReadAnswer> {
    let text = std::str::from_utf8(bytes)
        .map_err(|why| Error::refused("the answer is not UTF-8").source(why))?;
    let mut reader = Reader::default();
    let answer = Answer {
        text: reader.bounded(
            text.strip_prefix('\u{FEFF}').unwrap_or(text),
            "/text",
            MAX_TEXT_BYTES,
        )?,
        ..Answer::default()
    };
    Ok(ReadAnswer {
        answer,
        oddities: reader.oddities,
    })
}

/// Reads an answer from a JSON object.
///
/// # Errors
/// Refused: no text in it, over its limits, or a field of a kind that can't be read.
pub(super) fn object_answer(object: &Map<String, Value>) -> Result<ReadAnswer> {
    let mut reader = Reader::default();
    let mut known = vec!["schema", "tool", "prompt"];
    let answer = Answer {
        schema: object
            .get("schema")
            .and_then(Value::as_str)
            .map(str::to_owned),
        tool: reader.text(object, &["tool"], "", MAX_FIELD_BYTES)?,
        prompt: reader.text(object, &["prompt"], "", MAX_TEXT_BYTES)?,
        text: reader
            .text(object, TEXT, "", MAX_TEXT_BYTES)?
            .ok_or_else(|| Error::refused("the answer has no text").hint(HINT))?,
        citations: reader.list(object, CITATIONS, Reader::citation)?,
        commands: reader.list(object, COMMANDS, Reader::advised)?,
    };
    known.extend(TEXT.iter().chain(CITATIONS).chain(COMMANDS));
    reader.unknown(object, &known, "");
    Ok(ReadAnswer {
        answer,
        oddities: reader.oddities,
    })
}

/// Reads leniently and remembers what was odd.
#[derive(Default)]
struct Reader {
    oddities: Vec<Oddity>,
}

impl Reader {
    fn odd(&mut self, place: String, what: impl Into<String>) {
        if self.oddities.len() < MAX_ODDITIES {
            self.oddities.push(Oddity {
                place,
                what: what.into(),
            });
        }
    }

    /// Fields that the form does not have.
    fn unknown(&mut self, object: &Map<String, Value>, known: &[&str], place: &str) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let key: String = key.chars().filter(|c| !c.is_control()).take(60).collect();
            let key = key.replace('~', "~0").replace('/', "~1");
            self.odd(
                format!("{place}/{key}"),
                "a field that the form does not have; it is not judged",
            );
        }
    }

    /// The first of `names` that is there and not null, with its place; the others are said.
    fn first<'a>(
        &mut self,
        object: &'a Map<String, Value>,
        names: &[&str],
        place: &str,
    ) -> Option<(String, &'a Value)> {
        let mut given = names.iter().filter_map(|name| {
            let value = object.get(*name).filter(|value| !value.is_null())?;
            Some((*name, value))
        });
        let (name, value) = given.next()?;
        for (other, _) in given {
            self.odd(
                format!("{place}/{other}"),
                format!("`{name}` stands beside it and is read; this is not judged"),
            );
        }
        let place = format!("{place}/{name}");
        if name != names[0] {
            self.odd(place.clone(), format!("read as `{}`", names[0]));
        }
        Some((place, value))
    }

    /// The first of `names` that is there, as text.
    fn text(
        &mut self,
        object: &Map<String, Value>,
        names: &[&str],
        place: &str,
        most: usize,
    ) -> Result<Option<String>> {
        let Some((place, value)) = self.first(object, names, place) else {
            return Ok(None);
        };
        match value {
            Value::String(text) => self.bounded(text, &place, most).map(Some),
            Value::Number(number) => Ok(Some(number.to_string())),
            // Paragraphs or lines.
            Value::Array(lines) if lines.iter().all(Value::is_string) => {
                self.odd(place.clone(), "a list of texts, read as lines");
                let lines: Vec<&str> = lines.iter().filter_map(Value::as_str).collect();
                self.bounded(&lines.join("\n"), &place, most).map(Some)
            }
            _ => Err(Error::refused(format!("{place} of the answer is no text")).hint(HINT)),
        }
    }

    /// A text within its limit, control characters said and taken out.
    fn bounded(&mut self, text: &str, place: &str, most: usize) -> Result<String> {
        if text.len() > most {
            return Err(Error::refused(format!(
                "{place} is {} bytes long, more than {most}",
                text.len()
            ))
            .hint(HINT));
        }
        let odd = |c: &char| c.is_control() && !matches!(c, '\n' | '\t' | '\r');
        if text.chars().any(|c| odd(&c)) {
            self.odd(
                place.to_owned(),
                "it holds control characters; they are taken out",
            );
            return Ok(text.chars().filter(|c| !odd(c)).collect());
        }
        Ok(text.to_owned())
    }

    fn number(&mut self, object: &Map<String, Value>, names: &[&str], place: &str) -> Option<u64> {
        let (place, value) = self.first(object, names, place)?;
        let number = match value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.trim().trim_start_matches(['L', 'l']).parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.odd(place, "no number of a line");
        } else if value.is_string() {
            self.odd(place, "a number written as text");
        }
        number
    }

    fn list<T>(
        &mut self,
        object: &Map<String, Value>,
        names: &[&str],
        read: impl Fn(&mut Self, &Value, &str) -> Result<Option<T>>,
    ) -> Result<Vec<T>> {
        let Some((place, value)) = self.first(object, names, "") else {
            return Ok(Vec::new());
        };
        let items: &[Value] = match value {
            Value::Array(items) => items,
            one => std::slice::from_ref(one),
        };
        if items.len() > MAX_ITEMS {
            return Err(Error::refused(format!(
                "{place} has {} entries, more than {MAX_ITEMS}",
                items.len()
            ))
            .hint(HINT));
        }
        let mut out = Vec::new();
        for (at, item) in items.iter().enumerate() {
            out.extend(read(self, item, &format!("{place}/{at}"))?);
        }
        Ok(out)
    }

    fn citation(&mut self, value: &Value, place: &str) -> Result<Option<Citation>> {
        match value {
            // `path`, `path:12`, `path:12-14`.
            Value::String(text) => {
                let text = self.bounded(text, place, MAX_FIELD_BYTES)?;
                let (path, lines) = split_place(&text);
                Ok(Some(Citation {
                    path: path.to_owned(),
                    line_start: lines.map(|lines| lines.0),
                    line_end: lines.map(|lines| lines.1),
                    quote: None,
                }))
            }
            Value::Object(object) => {
                let names: [&[&str]; 4] = [
                    &["path", "file", "source"],
                    &["line_start", "line", "start_line", "start"],
                    &["line_end", "end_line", "end"],
                    &["quote", "text", "snippet", "excerpt", "content"],
                ];
                let path = self
                    .text(object, names[0], place, MAX_FIELD_BYTES)?
                    .unwrap_or_default();
                let line_start = self.number(object, names[1], place);
                let line_end = self.number(object, names[2], place).or(line_start);
                let quote = self.text(object, names[3], place, MAX_FIELD_BYTES)?;
                self.unknown(object, &names.concat(), place);
                let (path, lines) = match (line_start, split_place(&path)) {
                    (None, (file, Some(lines))) => (file.to_owned(), Some(lines)),
                    _ => (path, None),
                };
                Ok(Some(Citation {
                    path,
                    line_start: line_start.or(lines.map(|lines| lines.0)),
                    line_end: line_end.or(lines.map(|lines| lines.1)),
                    quote,
                }))
            }
            _ => {
                self.odd(place.to_owned(), "no citation; it is not judged");
                Ok(None)
            }
        }
    }

    fn advised(&mut self, value: &Value, place: &str) -> Result<Option<Advised>> {
        match value {
            Value::String(text) => Ok(Some(Advised {
                command: self.command(text, place)?,
                why: None,
            })),
            Value::Object(object) => {
                let names: [&[&str]; 2] = [
                    &["command", "cmd", "run"],
                    &["why", "reason", "description", "explanation"],
                ];
                let command = match self.first(object, names[0], place) {
                    Some((_, Value::String(text))) => self.command(text, place)?,
                    _ => {
                        self.odd(place.to_owned(), "no command in it; it is not judged");
                        return Ok(None);
                    }
                };
                let why = self.text(object, names[1], place, MAX_FIELD_BYTES)?;
                self.unknown(object, &[names[0], names[1], &["class"]].concat(), place);
                Ok(Some(Advised { command, why }))
            }
            _ => {
                self.odd(place.to_owned(), "no command; it is not judged");
                Ok(None)
            }
        }
    }

    /// A command, with its control and invisible characters: the classifier judges those.
    fn command(&mut self, text: &str, place: &str) -> Result<String> {
        if text.len() > MAX_FIELD_BYTES {
            return Err(Error::refused(format!(
                "{place} is {} bytes long, more than {MAX_FIELD_BYTES}",
                text.len()
            ))
            .hint(HINT));
        }
        Ok(text.to_owned())
    }
}

/// `path:12-14`, taken apart.
pub(super) fn split_place(text: &str) -> (&str, Option<(u64, u64)>) {
    let whole = (text, None);
    let Some((path, lines)) = text.rsplit_once(':').or_else(|| text.rsplit_once("#L")) else {
        return whole;
    };
    let lines = lines.trim_start_matches('L');
    let (start, end) = lines.split_once('-').unwrap_or((lines, lines));
    match (start.parse(), end.trim_start_matches('L').parse()) {
        (Ok(start), Ok(end)) if !path.is_empty() => (path, Some((start, end))),
        _ => whole,
    }
}

/// A report or an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Document {
    /// Of our own form.
    Report(Box<crate::report::Report>),
    /// Another tool's.
    Answer(Box<ReadAnswer>),
}

/// Reads what is to be verified: a report by its schema, else an answer.
///
/// # Errors
/// What is wrong and where, as a JSON Pointer.
pub fn read_document(bytes: &[u8]) -> Result<Document> {
    if bytes.len() <= MAX_REPORT_BYTES
        && let Ok(Value::Object(object)) =
            serde_json::from_slice::<Value>(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes))
    {
        let schema = object.get("schema").and_then(Value::as_str);
        if schema == Some(ANSWER_SCHEMA) || schema.is_none() && is_answer(&object) {
            return object_answer(&object).map(|answer| Document::Answer(Box::new(answer)));
        }
    }
    super::parse_report(bytes).map(|report| Document::Report(Box::new(report)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> ReadAnswer {
        match read_document(text.as_bytes()).unwrap() {
            Document::Answer(read) => *read,
            Document::Report(_) => panic!("a report"),
        }
    }

    #[test]
    fn the_documented_form_is_read_without_oddities() {
        let read = read(
            r#"{"schema":"narrowroom.answer/v1","tool":"x","prompt":"why?","text":"a","citations":[{"path":"a.log","line_start":1,"line_end":2,"quote":"q"}],"commands":[{"command":"df -h","why":"w"}]}"#,
        );
        assert!(read.oddities.is_empty(), "{:?}", read.oddities);
        assert_eq!(read.answer.citations[0].line_end, Some(2));
        assert_eq!(read.answer.commands[0].command, "df -h");
    }

    #[test]
    fn other_spellings_are_read_and_said() {
        let read = read(
            r#"{"response":["a","b"],"model":"m","sources":["a.log:3-4",{"file":"b.log","line":"L7","snippet":"s","score":1}],"commands":"df -h"}"#,
        );
        assert_eq!(read.answer.text, "a\nb");
        assert_eq!(
            read.answer.citations[0],
            Citation {
                path: "a.log".into(),
                line_start: Some(3),
                line_end: Some(4),
                quote: None
            }
        );
        assert_eq!(read.answer.citations[1].line_start, Some(7));
        assert_eq!(read.answer.commands[0].command, "df -h");
        for place in [
            "/model",
            "/response",
            "/sources",
            "/sources/1/file",
            "/sources/1/line",
            "/sources/1/score",
        ] {
            assert!(
                read.oddities.iter().any(|odd| odd.place == place),
                "{place} {:?}",
                read.oddities
            );
        }
    }

    /// Places and words of what was odd.
    fn odd(text: &str) -> Vec<(String, String)> {
        let oddities = read(text).oddities.into_iter();
        oddities.map(|odd| (odd.place, odd.what)).collect()
    }

    #[test]
    fn what_is_given_twice_under_two_names_is_read_once_and_said() {
        for (text, unread) in [
            (r#"{"text":"a","answer":"b"}"#, "/answer"),
            (
                r#"{"text":"a","citations":[],"sources":["a.log"]}"#,
                "/sources",
            ),
            (
                r#"{"text":"a","commands":[],"actions":["rm -rf /data"]}"#,
                "/actions",
            ),
            (
                r#"{"text":"a","commands":[{"command":"ls -l","run":"rm -rf /data"}]}"#,
                "/commands/0/run",
            ),
            (
                r#"{"text":"a","citations":[{"path":"a.log","line_start":2,"line":7}]}"#,
                "/citations/0/line",
            ),
        ] {
            let odd = odd(text);
            assert_eq!(odd.len(), 1, "{text} {odd:?}");
            assert_eq!(odd[0].0, unread);
            assert!(odd[0].1.contains("not judged"), "{odd:?}");
        }
        // What is null is not given.
        let twice = r#"{"text":null,"answer":"b","commands":null,"actions":["df -h"]}"#;
        let read = read(twice).answer;
        assert_eq!(read.text, "b");
        assert_eq!(read.commands[0].command, "df -h");
        let nulls = r#"{"text":"a","tool":null,"commands":null,"citations":[{"path":"a","line_start":null}]}"#;
        assert_eq!(odd(nulls), []);
    }

    #[test]
    fn fields_of_another_kind_are_said_or_refused() {
        for (text, place) in [
            (
                r#"{"text":"a","citations":[{"path":"a.log","line_start":-3}]}"#,
                "/citations/0/line_start",
            ),
            (
                r#"{"text":"a","citations":[{"path":"a.log","line_start":2.5}]}"#,
                "/citations/0/line_start",
            ),
            (
                r#"{"text":"a","citations":[{"path":"a.log","line_start":"third"}]}"#,
                "/citations/0/line_start",
            ),
            (
                r#"{"text":"a","citations":[{"path":"a.log","line_start":[3]}]}"#,
                "/citations/0/line_start",
            ),
            (r#"{"text":"a","citations":[7]}"#, "/citations/0"),
            (r#"{"text":"a","commands":[7]}"#, "/commands/0"),
            (r#"{"text":"a","commands":[{"command":7}]}"#, "/commands/0"),
            (r#"{"text":["a","b"]}"#, "/text"),
            (r#"{"text":"a","x\u0007/y~":1}"#, "/x~1y~0"),
        ] {
            let odd = odd(text);
            assert_eq!(odd.len(), 1, "{text} {odd:?}");
            assert_eq!(odd[0].0, place, "{text}");
        }
        assert_eq!(read(r#"{"text":42}"#).answer.text, "42");
        let refused = |text: &str| read_document(text.as_bytes()).unwrap_err().to_string();
        assert!(refused(r#"{"text":["a",1]}"#).contains("/text of the answer is no text"));
        assert!(refused(r#"{"findings":[]}"#).contains("the report names no schema"));
    }

    #[test]
    fn a_place_may_stand_in_the_path() {
        let place = |text: &str| {
            let cited = read(&format!(r#"{{"text":"a","citations":[{text}]}}"#));
            let cited = cited.answer.citations.into_iter().next().unwrap();
            (cited.path, cited.line_start, cited.line_end)
        };
        for (given, path, start, end) in [
            (r#""a.log""#, "a.log", None, None),
            (r#""a.log:3""#, "a.log", Some(3), Some(3)),
            (r#""a.log:L3-L5""#, "a.log", Some(3), Some(5)),
            (r#""a.log#L3-L5""#, "a.log", Some(3), Some(5)),
            (r#""a:b.log""#, "a:b.log", None, None),
            (r#"":3""#, ":3", None, None),
            (r#"{"path":"a.log:3-5"}"#, "a.log", Some(3), Some(5)),
            (
                r#"{"path":"a.log","line_start":3}"#,
                "a.log",
                Some(3),
                Some(3),
            ),
            (
                r#"{"path":"a.log:3-5","line_start":7,"line_end":8}"#,
                "a.log:3-5",
                Some(7),
                Some(8),
            ),
        ] {
            assert_eq!(place(given), (path.to_owned(), start, end), "{given}");
        }
    }

    #[test]
    fn the_limits_are_met_and_not_exceeded() {
        let text = |length| format!(r#"{{"text":"{}"}}"#, "x".repeat(length));
        let command = |length| format!(r#"{{"text":"a","commands":["{}"]}}"#, "x".repeat(length));
        let path = |length| format!(r#"{{"text":"a","citations":["{}"]}}"#, "x".repeat(length));
        let commands = |count| {
            let all = vec![r#""df -h""#; count].join(",");
            format!(r#"{{"text":"a","commands":[{all}]}}"#)
        };
        for (given, most) in [
            (&text as &dyn Fn(usize) -> String, MAX_TEXT_BYTES),
            (&command, MAX_FIELD_BYTES),
            (&path, MAX_FIELD_BYTES),
            (&commands, MAX_ITEMS),
        ] {
            assert!(read_document(given(most).as_bytes()).is_ok(), "{most}");
            assert!(read_document(given(most + 1).as_bytes()).is_err(), "{most}");
        }
        let fields: Vec<String> = (0..MAX_ODDITIES + 5)
            .map(|number| format!(r#""field{number}":1"#))
            .collect();
        let odd = odd(&format!(r#"{{"text":"a",{}}}"#, fields.join(",")));
        assert_eq!(odd.len(), MAX_ODDITIES);
    }

    #[test]
    fn plain_text_is_read_without_its_control_characters() {
        let read = text_answer("\u{FEFF}a\tb\r\nc\u{7}d\u{1b}e".as_bytes()).unwrap();
        assert_eq!(read.answer.text, "a\tb\r\ncde");
        assert_eq!(read.oddities.len(), 1);
        assert_eq!(read.oddities[0].place, "/text");
        let plain = text_answer(b"a\tb\r\nc").unwrap();
        assert_eq!(plain.answer.text, "a\tb\r\nc");
        assert_eq!(plain.oddities, []);
    }

    #[test]
    fn no_text_of_an_answer_stays_unmasked() {
        let mut read = read(
            r#"{"tool":"hunter2","prompt":"hunter2","text":"hunter2","hunter2":1,"citations":[{"path":"hunter2","quote":"hunter2"}],"commands":[{"command":"hunter2","why":"hunter2"}]}"#,
        );
        assert_eq!(format!("{read:?}").matches("hunter2").count(), 8);
        read.mask(
            |text| text.replace("hunter2", "‹secret›"),
            |path| path.replace("hunter2", "‹name›"),
        );
        let masked = format!("{read:?}");
        assert!(!masked.contains("hunter2"), "{masked}");
        assert_eq!(masked.matches("‹name›").count(), 1);
        assert_eq!(read.oddities[0].place, "/‹secret›");
    }

    #[test]
    fn what_can_not_be_read_is_refused() {
        let many = format!(
            r#"{{"text":"a","commands":[{}"x"]}}"#,
            "\"x\",".repeat(MAX_ITEMS)
        );
        for text in [
            r#"{"text":{"a":1}}"#,
            r#"{"schema":"narrowroom.answer/v1"}"#,
            r#"{"schema":"other/v1","text":"a"}"#,
            &many,
            &format!(r#"{{"text":"{}"}}"#, "x".repeat(MAX_TEXT_BYTES + 1)),
        ] {
            assert!(
                read_document(text.as_bytes()).is_err(),
                "{}",
                &text[..text.len().min(60)]
            );
        }
        assert!(text_answer(b"\xff").is_err());
    }
}
