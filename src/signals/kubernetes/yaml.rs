//! YAML documents as located values: bounded in events, depth, aliases and bytes.

use super::value::{At, Node, Unreadable, Val};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::fmt;

/// A larger YAML file is not parsed.
pub const MAX_YAML_BYTES: usize = 16 << 20;
/// Documents read of one file.
const MAX_DOCUMENTS: usize = 2_000;

struct Located(Val);
struct Plain(Node);

impl<'de> Deserialize<'de> for Located {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Plain>::deserialize(deserializer)?;
        let at = At {
            line: u32::try_from(spanned.referenced.line()).unwrap_or(0),
            column: u32::try_from(spanned.referenced.column().saturating_sub(1)).unwrap_or(0),
        };
        Ok(Self(Val {
            node: spanned.value.0,
            at,
        }))
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor).map(Self)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }
    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }
    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Number(value.to_string()))
    }
    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }
    fn visit_bytes<E>(self, value: &[u8]) -> Result<Node, E> {
        Ok(Node::Text(String::from_utf8_lossy(value).into_owned()))
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(Located(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(Plain(key)) = map.next_key()? {
            let Located(value) = map.next_value()?;
            let key = match key {
                Node::Text(text) | Node::Number(text) => text,
                Node::Bool(yes) => yes.to_string(),
                _ => String::new(),
            };
            members.push((key, value));
        }
        Ok(Node::Map(members))
    }
}

/// Parses every document of a YAML stream. A document that cannot be read is left out and named
/// in the second list.
pub fn parse_yaml(text: &str) -> (Vec<Val>, Vec<Unreadable>) {
    if text.len() > MAX_YAML_BYTES {
        return (
            Vec::new(),
            vec![Unreadable(format!(
                "larger than {} MiB",
                MAX_YAML_BYTES >> 20
            ))],
        );
    }
    let (mut documents, mut errors) = (Vec::new(), Vec::new());
    for (first_line, part) in split_documents(text).into_iter().take(MAX_DOCUMENTS) {
        if part.trim().is_empty() {
            continue;
        }
        let mut options = serde_saphyr::Options::default();
        options.with_snippet = false;
        options.strict_indentation = false;
        options.duplicate_keys = serde_saphyr::options::DuplicateKeyPolicy::FirstWins;
        match serde_saphyr::from_str_with_options::<Located>(part, options) {
            Ok(Located(mut value)) => {
                shift(&mut value, first_line - 1);
                documents.push(value);
            }
            Err(why) => errors.push(Unreadable(
                why.to_string()
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .take(200)
                    .collect(),
            )),
        }
    }
    (documents, errors)
}

/// The documents of a stream with the line each begins in, split at `---` lines outside block texts.
fn split_documents(text: &str) -> Vec<(u32, &str)> {
    let (mut parts, mut start, mut first_line) = (Vec::new(), 0, 1);
    let (mut offset, mut number) = (0, 1u32);
    for line in text.split_inclusive('\n') {
        let bare = line.trim_end();
        if bare == "---" || bare.starts_with("--- ") || bare == "..." {
            parts.push((first_line, &text[start..offset]));
            start = offset + line.len();
            first_line = number + 1;
        }
        offset += line.len();
        number = number.saturating_add(1);
    }
    parts.push((first_line, &text[start.min(text.len())..]));
    parts
}

fn shift(value: &mut Val, lines: u32) {
    if value.at.line > 0 {
        value.at.line += lines;
    }
    match &mut value.node {
        Node::List(items) => items.iter_mut().for_each(|item| shift(item, lines)),
        Node::Map(members) => members
            .iter_mut()
            .for_each(|(_, member)| shift(member, lines)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_values_know_their_line_in_every_document() {
        let (docs, errors) = parse_yaml(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n---\nkind: Pod\nspec:\n  containers:\n  - name: web\n    args: [\"1\", two]\n",
        );
        assert_eq!((docs.len(), errors.len()), (2, 0));
        assert_eq!(
            (
                docs[0].at_path(&["metadata", "name"]).text(),
                docs[0].at_path(&["metadata", "name"]).at.line
            ),
            ("a", 4)
        );
        let container = &docs[1].at_path(&["spec", "containers"]).items()[0];
        assert_eq!(
            (container.get("name").text(), container.get("name").at.line),
            ("web", 9)
        );
        assert_eq!(container.get("args").items()[0].text(), "1");
    }

    #[test]
    fn alias_bombs_and_broken_documents_end_in_errors() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for n in 1..12 {
            let prev = format!("*a{}, ", n - 1).repeat(9);
            bomb.push_str(&format!("a{n}: &a{n} [{prev}*a{}]\n", n - 1));
        }
        let (docs, errors) = parse_yaml(&bomb);
        assert_eq!((docs.len(), errors.len()), (0, 1));
        let (docs, errors) = parse_yaml("a: [1\n---\nb: 2\n");
        assert_eq!((docs.len(), errors.len()), (1, 1));
        assert_eq!(docs[0].get("b").at.line, 3);
    }
}
