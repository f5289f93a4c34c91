//! A JSON or YAML value whose every node knows where it stands, so that evidence can quote its line.

use std::fmt;

/// Deepest nesting read; deeper documents are refused.
const MAX_DEPTH: usize = 128;
/// Most nodes read from one document; larger ones are refused.
const MAX_NODES: usize = 6_000_000;

/// Where a value stands in its file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct At {
    /// Line, counted from 1; 0 when unknown.
    pub line: u32,
    /// Byte offset in that line, for single-line documents.
    pub column: u32,
}

/// A value with its place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Val {
    /// The value.
    pub node: Node,
    /// The place of its key, or of the value itself for list items.
    pub at: At,
}

/// The kinds of values.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Node {
    /// `null`, or nothing.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Val>),
    /// An object; order kept, the first of duplicate keys wins.
    Map(Vec<(String, Val)>),
}

static NULL: Val = Val {
    node: Node::Null,
    at: At { line: 0, column: 0 },
};

impl Val {
    /// The member `key`, or a null.
    pub fn get(&self, key: &str) -> &Val {
        match &self.node {
            Node::Map(members) => members
                .iter()
                .find(|(name, _)| name == key)
                .map_or(&NULL, |(_, value)| value),
            _ => &NULL,
        }
    }
    /// The value at a chain of keys, or a null.
    pub fn at_path(&self, keys: &[&str]) -> &Val {
        keys.iter().fold(self, |value, key| value.get(key))
    }
    /// The text of a string, "" otherwise.
    pub fn text(&self) -> &str {
        match &self.node {
            Node::Text(text) => text,
            _ => "",
        }
    }
    /// The text of any scalar.
    pub fn scalar(&self) -> String {
        match &self.node {
            Node::Text(text) | Node::Number(text) => text.clone(),
            Node::Bool(yes) => yes.to_string(),
            _ => String::new(),
        }
    }
    /// An integer, also when written as a string.
    pub fn int(&self) -> Option<i64> {
        match &self.node {
            Node::Number(text) | Node::Text(text) => text
                .parse()
                .ok()
                .or_else(|| text.parse::<f64>().ok().map(|number| number as i64)),
            _ => None,
        }
    }
    /// `true` or `false`, if it is one.
    pub fn bool(&self) -> Option<bool> {
        match &self.node {
            Node::Bool(yes) => Some(*yes),
            Node::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
    /// The items of a list; nothing for anything else (`items: null`).
    pub fn items(&self) -> &[Val] {
        match &self.node {
            Node::List(items) => items,
            _ => &[],
        }
    }
    /// The members of an object; nothing for anything else.
    pub fn members(&self) -> &[(String, Val)] {
        match &self.node {
            Node::Map(members) => members,
            _ => &[],
        }
    }
    /// Whether it is null or was absent.
    pub fn is_null(&self) -> bool {
        self.node == Node::Null
    }
}

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Parses one JSON document (RFC 8259); what follows it is ignored.
///
/// # Errors
/// [`Unreadable`] with the line, for anything that is not JSON, too deep or too large.
pub fn parse_json(text: &str) -> Result<Val, Unreadable> {
    let mut reader = Json {
        bytes: text.as_bytes(),
        text,
        pos: 0,
        line: 1,
        line_start: 0,
        nodes: 0,
    };
    if text.starts_with('\u{FEFF}') {
        reader.pos = 3;
    }
    reader.value(0)
}

struct Json<'a> {
    bytes: &'a [u8],
    text: &'a str,
    pos: usize,
    line: u32,
    line_start: usize,
    nodes: usize,
}

impl Json<'_> {
    fn fail<T>(&self, what: &str) -> Result<T, Unreadable> {
        Err(Unreadable(format!("{what} in line {}", self.line)))
    }
    fn at(&self) -> At {
        At {
            line: self.line,
            column: u32::try_from(self.pos - self.line_start).unwrap_or(u32::MAX),
        }
    }
    fn skip_space(&mut self) {
        while let Some(byte) = self.bytes.get(self.pos) {
            match byte {
                b'\n' => {
                    self.line += 1;
                    self.line_start = self.pos + 1;
                }
                b' ' | b'\t' | b'\r' => {}
                _ => return,
            }
            self.pos += 1;
        }
    }
    fn value(&mut self, depth: usize) -> Result<Val, Unreadable> {
        self.skip_space();
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return self.fail("too deep or too large");
        }
        let at = self.at();
        let node = match self.bytes.get(self.pos) {
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Node::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => {
                let start = self.pos;
                while self.bytes.get(self.pos).is_some_and(|byte| {
                    matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
                }) {
                    self.pos += 1;
                }
                Node::Number(self.text[start..self.pos].to_owned())
            }
            Some(b't') => self.word("true", Node::Bool(true))?,
            Some(b'f') => self.word("false", Node::Bool(false))?,
            Some(b'n') => self.word("null", Node::Null)?,
            _ => return self.fail("not JSON"),
        };
        Ok(Val { node, at })
    }
    fn word(&mut self, word: &str, node: Node) -> Result<Node, Unreadable> {
        if self.bytes[self.pos..].starts_with(word.as_bytes()) {
            self.pos += word.len();
            return Ok(node);
        }
        self.fail("not JSON")
    }
    fn list(&mut self, depth: usize) -> Result<Node, Unreadable> {
        self.pos += 1;
        let mut items = Vec::new();
        loop {
            self.skip_space();
            match self.bytes.get(self.pos) {
                Some(b']') => {
                    self.pos += 1;
                    return Ok(Node::List(items));
                }
                Some(b',') => self.pos += 1,
                Some(_) => items.push(self.value(depth + 1)?),
                None => return self.fail("an unfinished list"),
            }
        }
    }
    fn map(&mut self, depth: usize) -> Result<Node, Unreadable> {
        self.pos += 1;
        let mut members = Vec::new();
        loop {
            self.skip_space();
            match self.bytes.get(self.pos) {
                Some(b'}') => {
                    self.pos += 1;
                    return Ok(Node::Map(members));
                }
                Some(b',') => self.pos += 1,
                Some(b'"') => {
                    let at = self.at();
                    let key = self.string()?;
                    self.skip_space();
                    if self.bytes.get(self.pos) != Some(&b':') {
                        return self.fail("a key without value");
                    }
                    self.pos += 1;
                    let value = self.value(depth + 1)?;
                    members.push((
                        key,
                        Val {
                            node: value.node,
                            at,
                        },
                    ));
                }
                _ => return self.fail("an unfinished object"),
            }
        }
    }
    fn string(&mut self) -> Result<String, Unreadable> {
        let start = self.pos;
        self.pos += 1;
        let mut plain = true;
        loop {
            match self.bytes.get(self.pos) {
                Some(b'"') => break,
                Some(b'\\') => {
                    plain = false;
                    self.pos += 2;
                }
                Some(b'\n') | None => return self.fail("an unfinished string"),
                Some(_) => self.pos += 1,
            }
        }
        self.pos += 1;
        let Some(raw) = self.text.get(start..self.pos) else {
            return self.fail("a broken string");
        };
        if plain {
            return Ok(raw[1..raw.len() - 1].to_owned());
        }
        serde_json::from_str(raw).or_else(|_| Ok(raw[1..raw.len() - 1].to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_values_know_the_line_of_their_key() {
        let doc = parse_json("{\n  \"items\": [\n    {\"a\": \"x\\n\\u00e9\"},\n    {\"b\":\n 7}\n  ],\n \"n\": null, \"t\": true}").unwrap();
        assert_eq!(doc.get("items").items()[0].get("a").text(), "x\né");
        assert_eq!(doc.get("items").items()[0].get("a").at.line, 3);
        assert_eq!(
            (
                doc.get("items").items()[1].get("b").int(),
                doc.get("items").items()[1].get("b").at.line
            ),
            (Some(7), 4)
        );
        assert!(doc.get("n").is_null() && doc.get("absent").get("deeper").is_null());
        assert_eq!(doc.get("t").bool(), Some(true));
        assert!(doc.get("n").items().is_empty());
    }

    #[test]
    fn single_line_json_knows_the_column() {
        let doc = parse_json(r#"{"a":1,"reason":"OOMKilled"}"#).unwrap();
        assert_eq!(doc.get("reason").at, At { line: 1, column: 7 });
    }

    #[test]
    fn hostile_json_is_refused_without_panic() {
        assert!(parse_json(&"[".repeat(100_000)).is_err());
        for text in [
            "", "{", "{\"a\"", "{\"a\":", "\"\\", "[1,2", "tru", "{1:2}", "nul\n",
        ] {
            assert!(parse_json(text).is_err(), "{text:?}");
        }
    }
}
