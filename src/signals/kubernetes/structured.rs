//! What a structured log line (JSON, logfmt) says without its envelope: the message, the error it carries
//! and the few fields that name a thing. A title made of these reads like a sentence, not like half a JSON text.

use super::emit::{cut, one_line};
use super::logs::strip_runtime;
use super::words::Level;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// Longest line that is taken apart, in bytes.
const MAX_LINE: usize = 64 << 10;
/// Fields beside message and error that are kept.
const MAX_FIELDS: usize = 5;
/// Longest value of such a field, in characters.
const MAX_VALUE: usize = 80;

const MESSAGE: [&str; 9] = [
    "msg",
    "message",
    "@message",
    "short_message",
    "event",
    "text",
    "log",
    "@m",
    "RenderedMessage",
];
const ERROR: [&str; 17] = [
    "error",
    "err",
    "exception",
    "exc_info",
    "@x",
    "error_message",
    "errorMessage",
    "error.message",
    "exception.message",
    "cause",
    "detail",
    "error_description",
    "error_detail",
    "reason",
    "stack_trace",
    "stacktrace",
    "stack",
];
const LEVEL: [&str; 9] = [
    "level",
    "severity",
    "lvl",
    "levelname",
    "log.level",
    "@level",
    "@l",
    "loglevel",
    "s",
];
/// Members that hold the fields of a line.
const NESTED: [&str; 8] = [
    "attr", "fields", "data", "context", "ctx", "extra", "details", "params",
];
/// Fields that name what a line is about, the most telling first.
const TELLING: [&str; 40] = [
    "ns",
    "collection",
    "table",
    "index",
    "indexes",
    "planSummary",
    "topic",
    "partition",
    "offset",
    "queue",
    "addr",
    "address",
    "host",
    "endpoint",
    "upstream",
    "url",
    "path",
    "status",
    "statusCode",
    "status_code",
    "code",
    "errorCode",
    "key",
    "flag",
    "file",
    "filename",
    "name",
    "user",
    "resource",
    "bucket",
    "limit",
    "quota",
    "remote",
    "namespace",
    "provider",
    "method",
    "service",
    "docsExamined",
    "durationMillis",
    "elapsed_ms",
];

/// A line taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// Its level, if it states one.
    pub level: Option<Level>,
    /// The error it carries, "" for none.
    pub error: String,
    /// Message, error and telling fields on one line.
    pub text: String,
}

/// The parts of a structured line; `None` for any other line.
pub fn of(line: &str) -> Option<Said> {
    if line.len() > MAX_LINE {
        return None;
    }
    let body = strip_runtime(line).trim();
    if body.starts_with('{') {
        return of_json(body);
    }
    if body.contains('\t') {
        return of_console(body);
    }
    of_logfmt(body)
}

/// zap's console form: time, level, perhaps a logger and a caller, message and fields, with tabs between.
fn of_console(body: &str) -> Option<Said> {
    let parts: Vec<&str> = body.split('\t').collect();
    let level = level_of(&Value::String((*parts.get(1)?).to_owned()))?;
    let (fields_of, words) = match parts.last()?.trim() {
        last if last.starts_with('{') => (
            serde_json::from_str::<Value>(last).ok()?,
            parts.get(2..parts.len() - 1)?,
        ),
        _ => (Value::Null, parts.get(2..)?),
    };
    let message = one_line(words.last()?);
    let object = fields_of.as_object().cloned().unwrap_or_default();
    let error = error_of(&object);
    (!message.is_empty()).then(|| Said {
        level: Some(level),
        text: joined(&message, &error, &fields(&object)),
        error,
    })
}

/// A plain line that ends with a JSON answer, as a sentence: `… -> 403: {"error":{"message":"no"}}`.
pub fn with_answer(text: &str) -> Option<String> {
    let at = text.find(": {\"").map(|at| at + 2)?;
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(text.get(at..)?.trim_end())
    else {
        return None;
    };
    let error = error_of(&object);
    let message = MESSAGE
        .iter()
        .find_map(|key| object.get(*key).and_then(Value::as_str))
        .map(one_line)
        .unwrap_or_default();
    if error.is_empty() && message.is_empty() {
        return None;
    }
    Some(format!(
        "{} {}",
        text[..at].trim_end(),
        joined(&message, &error, &[])
    ))
}

fn of_json(body: &str) -> Option<Said> {
    // What a container runtime wrapped keeps its quotation marks escaped.
    let body: Cow<str> = if body.starts_with("{\\\"") {
        Cow::Owned(body.replace("\\\"", "\"").replace("\\\\", "\\"))
    } else {
        Cow::Borrowed(body)
    };
    let Ok(Value::Object(object)) = serde_json::from_str::<Value>(&body) else {
        return None;
    };
    said_by(&object)
}

/// What a line's fields say; `None` when there is neither a message nor an error among them.
fn said_by(object: &Map<String, Value>) -> Option<Said> {
    let message = MESSAGE
        .iter()
        .find_map(|key| object.get(*key).and_then(Value::as_str))
        .map(one_line)
        .unwrap_or_default();
    let error = error_of(object);
    if message.is_empty() && error.is_empty() {
        return None;
    }
    let level = LEVEL
        .iter()
        .find_map(|key| object.get(*key))
        .and_then(level_of);
    Some(Said {
        level,
        text: joined(&message, &error, &fields(object)),
        error,
    })
}

/// The error of a line: a text, or an object with a type and a message; of a stack its first line.
fn error_of(object: &Map<String, Value>) -> String {
    let mut found: Vec<String> = Vec::new();
    let holders = NESTED
        .iter()
        .filter_map(|key| object.get(*key).and_then(Value::as_object));
    for holder in std::iter::once(object).chain(holders) {
        for key in ERROR {
            let text = match holder.get(key) {
                Some(Value::String(text)) => first_line(text),
                Some(Value::Object(inner)) => of_object(inner),
                _ => String::new(),
            };
            if text.chars().any(char::is_alphabetic)
                && !found.iter().any(|known| known.contains(&text))
            {
                found.push(text);
            }
        }
        if !found.is_empty() {
            break;
        }
    }
    // A stack's first line repeats the message with its type: the longer one says both.
    match found.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [one, two, ..] if two.contains(one.as_str()) => two.clone(),
        [one, ..] => one.clone(),
    }
}

fn of_object(inner: &Map<String, Value>) -> String {
    let text = |keys: &[&str]| {
        keys.iter()
            .find_map(|key| inner.get(*key).and_then(Value::as_str))
            .map(first_line)
            .unwrap_or_default()
    };
    let stack = text(&["stack", "stack_trace", "stacktrace"]);
    let kind = text(&["type", "name", "class", "kind", "exception_class", "code"]);
    let message = text(&["message", "msg", "errmsg", "error", "detail", "reason"]);
    match (message.is_empty(), kind.is_empty()) {
        _ if !message.is_empty() && stack.contains(&message) => stack,
        (true, true) => stack,
        (true, false) => kind,
        (false, true) => message,
        (false, false) if message.contains(&kind) => message,
        (false, false) => format!("{kind}: {message}"),
    }
}

fn first_line(text: &str) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    if first.starts_with("Traceback (most recent call last)") {
        return one_line(
            text.lines()
                .map(str::trim)
                .rfind(|line| !line.is_empty())
                .unwrap_or_default(),
        );
    }
    one_line(first)
}

fn level_of(value: &Value) -> Option<Level> {
    if let Some(number) = value.as_i64() {
        // Bunyan and pino count in tens.
        return Some(match number {
            60.. => Level::Fatal,
            50..=59 => Level::Error,
            40..=49 => Level::Warning,
            10..=39 => Level::Quiet,
            _ => return None,
        });
    }
    let word = value.as_str()?.trim().to_ascii_lowercase();
    Some(match word.as_str() {
        "f" | "fatal" | "critical" | "crit" | "emerg" | "emergency" | "alert" | "panic"
        | "dpanic" => Level::Fatal,
        "e" | "error" | "err" | "severe" => Level::Error,
        "w" | "warn" | "warning" => Level::Warning,
        "i" | "d" | "d1" | "d2" | "info" | "information" | "informational" | "debug" | "trace"
        | "notice" | "verbose" => Level::Quiet,
        _ => return None,
    })
}

fn fields(object: &Map<String, Value>) -> Vec<(String, String)> {
    let mut found: Vec<(usize, String, String)> = Vec::new();
    let nested = NESTED
        .iter()
        .filter_map(|key| object.get(*key).and_then(Value::as_object));
    for (key, value) in std::iter::once(object).chain(nested).flatten() {
        let Some(place) = TELLING.iter().position(|known| known == key) else {
            continue;
        };
        let text = match value {
            Value::String(text) => one_line(text),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => continue,
        };
        if !text.is_empty() && text.chars().count() <= MAX_VALUE {
            found.push((place, key.clone(), text));
        }
    }
    found.sort();
    found.dedup_by(|a, b| a.1 == b.1);
    found
        .into_iter()
        .take(MAX_FIELDS)
        .map(|(_, key, text)| (key, text))
        .collect()
}

fn joined(message: &str, error: &str, fields: &[(String, String)]) -> String {
    let mut text = match (message.is_empty(), error.is_empty()) {
        (true, _) => error.to_owned(),
        (_, true) => message.to_owned(),
        _ if message.contains(error) => message.to_owned(),
        _ if error.contains(message) => error.to_owned(),
        _ => format!("{}: {error}", message.trim_end_matches([':', '.', ' '])),
    };
    let fields: Vec<String> = fields
        .iter()
        .filter(|(_, value)| !text.contains(value.as_str()))
        .map(|(key, value)| format!("{key} {value}"))
        .collect();
    if !fields.is_empty() {
        text.push_str(&format!(" ({})", fields.join(", ")));
    }
    cut(&text, 600)
}

/// `level=error ts=… msg="…" err="…"`.
fn of_logfmt(body: &str) -> Option<Said> {
    let is_pairs =
        |key: &str| body.starts_with(&format!("{key}=")) || body.contains(&format!(" {key}="));
    if !(is_pairs("msg") || is_pairs("message"))
        || !["level", "lvl", "severity", "ts", "time", "t"]
            .iter()
            .any(|key| is_pairs(key))
    {
        return None;
    }
    let mut object = Map::new();
    let mut rest = body;
    while let Some(at) = rest.find('=') {
        let key = rest[..at].rsplit(char::is_whitespace).next()?;
        let value = &rest[at + 1..];
        let (value, used) = match value.strip_prefix('"') {
            Some(inner) => {
                let mut escaped = false;
                let end = inner
                    .bytes()
                    .position(|byte| {
                        let hit = byte == b'"' && !escaped;
                        escaped = byte == b'\\' && !escaped;
                        hit
                    })
                    .unwrap_or(inner.len());
                let text = inner.get(..end)?.replace("\\\"", "\"").replace("\\n", "\n");
                (text, (end + 2).min(value.len()))
            }
            None => {
                let end = value.find(char::is_whitespace).unwrap_or(value.len());
                (value[..end].to_owned(), end)
            }
        };
        if !key.is_empty() {
            object.entry(key.to_owned()).or_insert(Value::String(value));
        }
        rest = rest[at + 1..].get(used..)?;
    }
    said_by(&object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_many_loggers_become_one_sentence() {
        for (line, level, text) in [
            (
                r#"{"level":"error","ts":"2025-01-01T00:00:00Z","caller":"a/b.go:9","msg":"cannot load profile","error":"dial tcp 10.0.0.9:5432: i/o timeout","addr":"pg.data.svc:5432"}"#,
                Some(Level::Error),
                "cannot load profile: dial tcp 10.0.0.9:5432: i/o timeout (addr pg.data.svc:5432)",
            ),
            (
                r#"{"level":50,"time":1,"err":{"type":"TypeError","message":"x is undefined","stack":"TypeError: x is undefined\n    at f (/app/a.js:1:2)"},"msg":"request failed"}"#,
                Some(Level::Error),
                "request failed: TypeError: x is undefined",
            ),
            (
                r#"{"@timestamp":"2025","log.level":"WARN","message":"pool is empty","stack_trace":"java.sql.SQLException: pool is empty\n\tat a.B.c(B.java:1)"}"#,
                Some(Level::Warning),
                "java.sql.SQLException: pool is empty",
            ),
            (
                r#"{"t":{"$date":"2025"},"s":"I","c":"COMMAND","msg":"Slow query","attr":{"ns":"shop.carts","planSummary":"COLLSCAN","durationMillis":9001}}"#,
                Some(Level::Quiet),
                "Slow query (ns shop.carts, planSummary COLLSCAN, durationMillis 9001)",
            ),
            (
                "2025-01-01T00:00:00.000Z\terror\tstore/load.go:20\tload failed\t{\"path\": \"/a\", \"error\": \"no index\"}",
                Some(Level::Error),
                "load failed: no index (path /a)",
            ),
            (
                r#"ts=2025-01-01T00:00:00Z level=warn msg="upload \"a\" refused" err="status 403" bucket=logs"#,
                Some(Level::Warning),
                "upload \"a\" refused: status 403 (bucket logs)",
            ),
        ] {
            let said = of(line).unwrap_or_else(|| panic!("{line}"));
            assert_eq!((said.level, said.text.as_str()), (level, text));
        }
    }

    #[test]
    fn a_json_answer_at_the_end_of_a_line_is_told_in_words() {
        assert_eq!(
            with_answer(
                r#"POST /v1/charge -> 402: {"error":{"code":"card_declined","message":"The card was declined."}}"#
            )
            .as_deref(),
            Some("POST /v1/charge -> 402: card_declined: The card was declined.")
        );
        assert_eq!(with_answer("no answer"), None);
    }

    #[test]
    fn other_lines_are_left_alone() {
        for line in [
            "2025-01-01 ERROR [app] a=b",
            "{not json",
            r#"{"a":1}"#,
            "msg=alone",
            "",
        ] {
            assert_eq!(of(line), None, "{line}");
        }
    }
}
