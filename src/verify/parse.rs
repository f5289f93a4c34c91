//! Reading a report that nobody vouches for.

use crate::error::{Error, Result};
use crate::report::{Report, SCHEMA, SubjectField};
use serde_json::Value;

/// Largest report accepted, in bytes.
pub const MAX_REPORT_BYTES: usize = 4 << 20;
/// Most findings.
pub const MAX_FINDINGS: usize = 50;
/// Most citations of one finding.
pub const MAX_EVIDENCE: usize = 50;
/// Most commands of one finding.
pub const MAX_COMMANDS: usize = 50;
/// Most entries of `missing` and of `not_examined`.
pub const MAX_LISTED: usize = 2_000;
/// Longest one-line text (titles, names, paths are bounded by the bundle's own limit), in characters.
const MAX_LINE_CHARS: usize = 400;
/// Longest path, in bytes.
const MAX_PATH_BYTES: usize = crate::bundle::path::MAX_PATH_BYTES;
/// Longest prose, quote or command, in characters.
const MAX_TEXT_CHARS: usize = 8_000;

const HINT: &str = "the form is narrowroom.report/v1; `narrowroom schema report` prints it";

/// Reads a report: valid JSON of the schema, no unknown field, everything within its limit, no control characters.
///
/// # Errors
/// What is wrong and where, as a JSON Pointer.
pub fn parse_report(bytes: &[u8]) -> Result<Report> {
    if bytes.len() > MAX_REPORT_BYTES {
        return Err(Error::refused(format!(
            "the report is {} bytes, more than {MAX_REPORT_BYTES}",
            bytes.len()
        ))
        .hint(HINT));
    }
    let text = std::str::from_utf8(bytes).map_err(|why| {
        Error::refused("the report is not UTF-8")
            .hint(HINT)
            .source(why)
    })?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    let value: Value = serde_json::from_str(text).map_err(|why| {
        Error::refused("the report is not JSON")
            .hint(HINT)
            .source(why)
    })?;
    let Value::Object(top) = &value else {
        return Err(Error::refused("the report is not a JSON object").hint(HINT));
    };
    match top.get("schema").and_then(Value::as_str) {
        Some(SCHEMA) => {}
        Some(other) => {
            return Err(Error::refused(format!(
                "the report's schema is {:?}, not {SCHEMA:?}",
                shorten(other)
            ))
            .hint(HINT));
        }
        None => return Err(Error::refused("the report names no schema").hint(HINT)),
    }
    if let Some(place) = unknown_field(&value, &REPORT, String::new()) {
        return Err(Error::refused(format!("the report has the unknown field {place}")).hint(HINT));
    }
    // From the text again: here a field that stands twice is an error, in a `Value` the last one wins.
    let report: Report = serde_json::from_str(text).map_err(|why| {
        Error::refused("the report does not have the form of its schema")
            .hint(HINT)
            .source(why)
    })?;
    check(&report)?;
    Ok(report)
}

fn shorten(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

/// The fields of an object and what stands in them.
struct Shape {
    fields: &'static [(&'static str, Option<&'static Shape>)],
}

static COMMAND: Shape = Shape {
    fields: &[("command", None), ("why", None), ("class", None)],
};
static EVIDENCE: Shape = Shape {
    fields: &[
        ("path", None),
        ("line_start", None),
        ("line_end", None),
        ("quote", None),
    ],
};
static SUBJECT: Shape = Shape {
    fields: &[("kind", None), ("namespace", None), ("name", None)],
};
static MISSING: Shape = Shape {
    fields: &[("what", None), ("why", None), ("path", None)],
};
static NOT_EXAMINED: Shape = Shape {
    fields: &[("what", None), ("why", None)],
};
static BUNDLE: Shape = Shape {
    fields: &[("sha256", None), ("profile", None), ("files", None)],
};
static FINDING: Shape = Shape {
    fields: &[
        ("rank", None),
        ("cause", None),
        ("title", None),
        ("root_cause", None),
        ("subject", Some(&SUBJECT)),
        ("confidence", None),
        ("evidence", Some(&EVIDENCE)),
        ("commands", Some(&COMMAND)),
    ],
};
static REPORT: Shape = Shape {
    fields: &[
        ("schema", None),
        ("run", None),
        ("outcome", None),
        ("bundle", Some(&BUNDLE)),
        ("findings", Some(&FINDING)),
        ("missing", Some(&MISSING)),
        ("not_examined", Some(&NOT_EXAMINED)),
    ],
};

/// The JSON Pointer of the first field that the shape does not have.
fn unknown_field(value: &Value, shape: &Shape, place: String) -> Option<String> {
    match value {
        Value::Object(map) => map.iter().find_map(|(key, inner)| {
            match shape.fields.iter().find(|(name, _)| name == key) {
                None => Some(format!(
                    "{place}/{}",
                    shorten(key).replace('~', "~0").replace('/', "~1")
                )),
                Some((name, Some(shape))) => unknown_field(inner, shape, format!("{place}/{name}")),
                Some(_) => None,
            }
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(at, item)| unknown_field(item, shape, format!("{place}/{at}"))),
        _ => None,
    }
}

/// Limits and characters.
fn check(report: &Report) -> Result<()> {
    let count = |what: &str, count: usize, most: usize| {
        if count > most {
            Err(Error::refused(format!("{what} has {count} entries, more than {most}")).hint(HINT))
        } else {
            Ok(())
        }
    };
    count("/findings", report.findings.len(), MAX_FINDINGS)?;
    count("/missing", report.missing.len(), MAX_LISTED)?;
    count("/not_examined", report.not_examined.len(), MAX_LISTED)?;
    line("/run", &report.run)?;
    line("/bundle/sha256", &report.bundle.sha256)?;
    line("/bundle/profile", &report.bundle.profile)?;
    for (at, finding) in report.findings.iter().enumerate() {
        let place = |field: &str| format!("/findings/{at}/{field}");
        count(&place("evidence"), finding.evidence.len(), MAX_EVIDENCE)?;
        count(&place("commands"), finding.commands.len(), MAX_COMMANDS)?;
        line(&place("cause"), &finding.cause)?;
        line(&place("title"), &finding.title)?;
        prose(&place("root_cause"), &finding.root_cause)?;
        match &finding.subject {
            Some(SubjectField::Text(text)) => line(&place("subject"), text)?,
            Some(SubjectField::Subject(subject)) => {
                line(&place("subject/kind"), &subject.kind)?;
                line(&place("subject/name"), &subject.name)?;
                line(
                    &place("subject/namespace"),
                    subject.namespace.as_deref().unwrap_or_default(),
                )?;
            }
            None => {}
        }
        for (number, evidence) in finding.evidence.iter().enumerate() {
            path(&place(&format!("evidence/{number}/path")), &evidence.path)?;
            prose(&place(&format!("evidence/{number}/quote")), &evidence.quote)?;
        }
        for (number, command) in finding.commands.iter().enumerate() {
            bounded(
                &place(&format!("commands/{number}/command")),
                &command.command,
                MAX_TEXT_CHARS,
                |c| matches!(c, '\n' | '\t'),
                false,
            )?;
            prose(&place(&format!("commands/{number}/why")), &command.why)?;
        }
    }
    for (at, missing) in report.missing.iter().enumerate() {
        prose(&format!("/missing/{at}/what"), &missing.what)?;
        prose(&format!("/missing/{at}/why"), &missing.why)?;
        path(
            &format!("/missing/{at}/path"),
            missing.path.as_deref().unwrap_or_default(),
        )?;
    }
    for (at, part) in report.not_examined.iter().enumerate() {
        path(&format!("/not_examined/{at}/what"), &part.what)?;
        prose(&format!("/not_examined/{at}/why"), &part.why)?;
    }
    Ok(())
}

fn line(place: &str, text: &str) -> Result<()> {
    bounded(place, text, MAX_LINE_CHARS, |_| false, true)
}
fn path(place: &str, text: &str) -> Result<()> {
    bounded(place, text, MAX_PATH_BYTES, |_| false, true)
}
fn prose(place: &str, text: &str) -> Result<()> {
    bounded(
        place,
        text,
        MAX_TEXT_CHARS,
        |c| matches!(c, '\n' | '\t'),
        true,
    )
}

/// `invisible`: whether marks that turn the direction of writing are refused here; in commands the classifier judges them.
fn bounded(
    place: &str,
    text: &str,
    most: usize,
    allowed: impl Fn(char) -> bool,
    invisible: bool,
) -> Result<()> {
    let mut length = 0;
    for c in text.chars() {
        length += 1;
        if c.is_control() && !allowed(c) {
            return Err(Error::refused(format!("{place} holds the control character U+{:04X}", u32::from(c))).hint("take control characters out of texts; tabs and line breaks are allowed in prose, quotes and commands"));
        }
        if invisible && matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}') {
            return Err(Error::refused(format!(
                "{place} holds the bidirectional mark U+{:04X}",
                u32::from(c)
            ))
            .hint("such a mark makes text read other than it is"));
        }
    }
    if length > most {
        return Err(Error::refused(format!(
            "{place} is {length} characters long, more than {most}"
        ))
        .hint(HINT));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn report(finding: &str) -> String {
        format!(
            r#"{{"schema":"narrowroom.report/v1","outcome":"findings","findings":[{finding}]}}"#
        )
    }
    const FINDING: &str = r#"{"rank":1,"cause":"x","title":"t","root_cause":"r","confidence":0.5,"subject":{"kind":"Pod","name":"a"},"evidence":[{"path":"a","line_start":1,"line_end":1,"quote":"q"}],"commands":[{"command":"df -h"}]}"#;

    #[test]
    fn a_report_is_read() {
        let parsed = parse_report(report(FINDING).as_bytes()).unwrap();
        assert_eq!(parsed.findings[0].evidence[0].quote, "q");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, part) in [
            ("[]".to_owned(), "not a JSON object"),
            ("{".to_owned(), "not JSON"),
            (r#"{"schema":"x"}"#.to_owned(), "schema is"),
            (
                report(&FINDING.replace("\"title\"", "\"titel\"")),
                "/findings/0/titel",
            ),
            (
                report(&FINDING.replace("\"quote\"", "\"qoute\"")),
                "/findings/0/evidence/0/qoute",
            ),
            (
                report(&FINDING.replace("\"kind\":\"Pod\",", "\"kind\":\"Pod\",\"uid\":1,")),
                "/findings/0/subject/uid",
            ),
            (
                report(&FINDING.replace("\"rank\":1", "\"rank\":1,\"rank\":2")),
                "form of its schema",
            ),
            (
                report(&FINDING.replace("\"t\"", "\"a\\u001b[2J\"")),
                "/findings/0/title holds the control character",
            ),
            (
                report(&FINDING.replace("\"t\"", &format!("\"{}\"", "x".repeat(401)))),
                "401 characters",
            ),
            (report(&[FINDING; 51].join(",")), "/findings has 51 entries"),
            (
                format!("{}1{}", "[".repeat(500), "]".repeat(500)),
                "not JSON",
            ),
        ] {
            let error = parse_report(text.as_bytes()).unwrap_err();
            assert!(
                error.chain().contains(part),
                "{} has no {part:?}",
                error.chain()
            );
        }
        assert!(parse_report(&vec![b' '; MAX_REPORT_BYTES + 1]).is_err());
        assert!(parse_report(b"\xff").is_err());
    }

    #[test]
    fn a_report_may_be_as_large_as_the_limit_and_no_larger() {
        let mut text = report(FINDING);
        text.push_str(&" ".repeat(MAX_REPORT_BYTES - text.len()));
        parse_report(text.as_bytes()).unwrap();
        text.push(' ');
        let error = parse_report(text.as_bytes()).unwrap_err();
        assert!(error.chain().contains("4194305 bytes"), "{}", error.chain());
    }

    #[test]
    fn an_unknown_field_is_named_as_a_pointer_that_can_be_followed() {
        for (field, place) in [
            ("a/b~c", "/a~1b~0c".to_owned()),
            ("a\u{7}b", "/ab".to_owned()),
            (&"x".repeat(61), format!("/{}", "x".repeat(60))),
        ] {
            let mut value = full();
            value[field] = Value::Null;
            assert!(
                refusal(&value).ends_with(&format!("unknown field {place}")),
                "{}",
                refusal(&value)
            );
        }
        let mut value = full();
        value["not_examined"][0]["path"] = "c".into();
        assert!(refusal(&value).ends_with("unknown field /not_examined/0/path"));
    }

    /// A report in which every field stands.
    fn full() -> Value {
        serde_json::json!({
            "schema": SCHEMA, "run": "r", "outcome": "findings",
            "bundle": {"sha256": "s", "profile": "p", "files": 1},
            "findings": [{
                "rank": 1, "cause": "c", "title": "t", "root_cause": "r", "confidence": 0.5,
                "subject": {"kind": "Pod", "namespace": "n", "name": "a"},
                "evidence": [{"path": "a", "line_start": 1, "line_end": 1, "quote": "q"}],
                "commands": [{"command": "df -h", "why": "w", "class": "read-only"}],
            }],
            "missing": [{"what": "m", "why": "w", "path": "p"}],
            "not_examined": [{"what": "n", "why": "w"}],
        })
    }

    /// Why it is refused; empty if it is not.
    fn refusal(value: &Value) -> String {
        parse_report(value.to_string().as_bytes()).map_or_else(|why| why.chain(), |_| String::new())
    }

    const LINES: [&str; 8] = [
        "/run",
        "/bundle/sha256",
        "/bundle/profile",
        "/findings/0/cause",
        "/findings/0/title",
        "/findings/0/subject/kind",
        "/findings/0/subject/namespace",
        "/findings/0/subject/name",
    ];
    const PATHS: [&str; 3] = [
        "/findings/0/evidence/0/path",
        "/missing/0/path",
        "/not_examined/0/what",
    ];
    const PROSE: [&str; 6] = [
        "/findings/0/root_cause",
        "/findings/0/evidence/0/quote",
        "/findings/0/commands/0/why",
        "/missing/0/what",
        "/missing/0/why",
        "/not_examined/0/why",
    ];
    const COMMAND_TEXT: &str = "/findings/0/commands/0/command";

    /// What becomes of the whole report when `text` stands in that place.
    fn with(place: &str, text: &str) -> String {
        let mut value = full();
        *value
            .pointer_mut(place)
            .unwrap_or_else(|| panic!("{place}")) = text.into();
        refusal(&value)
    }

    #[test]
    fn each_text_has_a_limit_of_its_own_and_is_named_when_it_is_passed() {
        let lines = LINES.iter().map(|place| (*place, MAX_LINE_CHARS));
        let paths = PATHS.iter().map(|place| (*place, MAX_PATH_BYTES));
        let long = PROSE.iter().chain([&COMMAND_TEXT]);
        let long = long.map(|place| (*place, MAX_TEXT_CHARS));
        for (place, most) in lines.chain(paths).chain(long) {
            assert_eq!(with(place, &"ä".repeat(most)), "", "{place}");
            let why = with(place, &"ä".repeat(most + 1));
            let said = format!("{place} is {} characters long, more than {most}", most + 1);
            assert!(why.contains(&said), "{place}: {why}");
        }
        let mut free = full();
        free["findings"][0]["subject"] = "x".repeat(MAX_LINE_CHARS).into();
        assert_eq!(refusal(&free), "");
        free["findings"][0]["subject"] = "x".repeat(MAX_LINE_CHARS + 1).into();
        assert!(refusal(&free).contains("/findings/0/subject is 401 characters"));
    }

    #[test]
    fn each_list_has_a_limit_of_its_own_and_is_named_when_it_is_passed() {
        for (place, most) in [
            ("/findings", MAX_FINDINGS),
            ("/findings/0/evidence", MAX_EVIDENCE),
            ("/findings/0/commands", MAX_COMMANDS),
            ("/missing", MAX_LISTED),
            ("/not_examined", MAX_LISTED),
        ] {
            let mut value = full();
            let list = value
                .pointer_mut(place)
                .and_then(Value::as_array_mut)
                .unwrap();
            list.resize(most, list[0].clone());
            assert_eq!(refusal(&value), "", "{place}");
            let list = value
                .pointer_mut(place)
                .and_then(Value::as_array_mut)
                .unwrap();
            list.push(list[0].clone());
            let said = format!("{place} has {} entries, more than {most}", most + 1);
            assert!(refusal(&value).contains(&said), "{place}");
        }
    }

    #[test]
    fn line_breaks_and_tabs_stand_in_prose_and_commands_and_no_other_control_character_anywhere() {
        for place in LINES
            .iter()
            .chain(&PATHS)
            .chain(&PROSE)
            .chain([&COMMAND_TEXT])
        {
            let wide = PROSE.contains(place) || *place == COMMAND_TEXT;
            for (text, code, fits) in [
                ("a\nb", "U+000A", wide),
                ("a\tb", "U+0009", wide),
                ("a\rb", "U+000D", false),
                ("a\u{1b}[2J", "U+001B", false),
                ("a\u{9b}2J", "U+009B", false),
            ] {
                let why = with(place, text);
                let said = format!("{place} holds the control character {code}");
                assert_eq!(why.is_empty(), fits, "{place} {text:?}: {why}");
                assert!(fits || why.contains(&said), "{place} {text:?}: {why}");
            }
        }
    }

    #[test]
    fn marks_that_turn_the_writing_are_refused_everywhere_but_in_commands() {
        for (mark, code) in [
            ('\u{202A}', "U+202A"),
            ('\u{202E}', "U+202E"),
            ('\u{2066}', "U+2066"),
            ('\u{2069}', "U+2069"),
        ] {
            for place in LINES.iter().chain(&PATHS).chain(&PROSE) {
                let said = format!("{place} holds the bidirectional mark {code}");
                assert!(with(place, &format!("a{mark}b")).contains(&said), "{said}");
            }
            assert_eq!(with(COMMAND_TEXT, &format!("df {mark}-h")), "", "{code}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..ProptestConfig::default() })]
        #[test]
        fn hostile_bytes_are_refused_or_read(at in 0usize..400, byte in any::<u8>(), cut in 0usize..400) {
            let mut bytes = report(FINDING).into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(bytes.len().saturating_sub(cut % 7));
            let _ = parse_report(&bytes);
        }
    }
}
