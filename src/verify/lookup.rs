//! Whether names stand anywhere in the bundle: one pass over all text files for all of them.

use super::verdict::Matched;
use crate::bundle::{FileKind, Tree};
use aho_corasick::{AhoCorasick, MatchKind};
use std::collections::BTreeMap;
use std::io::Read;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;
/// Most names looked for at once.
const MAX_NAMES: usize = 20_000;

/// Most lines that speak to a model that are kept.
const MAX_INSTRUCTIONS: usize = 100;
/// Longest part of a line that is asked whether it speaks to a model, in bytes.
const MAX_SUSPICIOUS_BYTES: usize = 2_048;

/// What may stand beside a text for it to count as found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Edge {
    /// No letter, digit or `_`: a whole name.
    Name,
    /// No digit: a number or a time, which may go on with `T`, `:` or a unit.
    Number,
    /// As a name before it, anything after it: a name that was cut off.
    Begins,
    /// No letter, digit or `-`: a whole label, of which a longer one with dashes is another.
    Label,
}

/// A text to be looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Needle {
    pub text: String,
    pub edge: Edge,
}

impl Needle {
    /// A whole name.
    pub fn name(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            edge: Edge::Name,
        }
    }
}

/// Where each name was found first, and whether everything was read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub places: BTreeMap<Needle, Matched>,
    /// Whether a limit ended the search, or a file could not be read: then "not found" proves nothing.
    pub limited: bool,
    /// Text that speaks to a language model, in the order of the bundle.
    pub instructions: Vec<Instruction>,
}

/// A line of the bundle that speaks to a language model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instruction {
    /// The line, shortened.
    pub text: String,
    pub matched: Matched,
}

/// Looks for `names`, case ignored, each with its own [`Edge`], in the paths and texts of a bundle.
pub(super) fn find_names(tree: &Tree, names: &[Needle], max_bytes: u64) -> Found {
    let mut found = Found {
        limited: names.len() > MAX_NAMES,
        ..Found::default()
    };
    let names = &names[..names.len().min(MAX_NAMES)];
    for name in names {
        let lower = name.text.to_ascii_lowercase();
        if let Some(entry) =
            tree.index().entries.iter().find(|entry| {
                path_has(&entry.path.as_str().to_ascii_lowercase(), &lower, name.edge)
            })
        {
            found.places.insert(
                name.clone(),
                Matched {
                    path: entry.path.to_string(),
                    line_start: 0,
                    line_end: 0,
                },
            );
        }
    }
    let open: Vec<&Needle> = names
        .iter()
        .filter(|name| !found.places.contains_key(*name) && !name.text.is_empty())
        .collect();
    let Ok(finder) = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .build(open.iter().map(|name| &name.text))
    else {
        found.limited = true;
        return found;
    };
    let overlap = open
        .iter()
        .map(|name| name.text.len())
        .max()
        .unwrap_or(0)
        .max(MAX_SUSPICIOUS_BYTES)
        + 8;
    let mut left = open.len();
    let mut read_bytes = 0;
    for entry in tree.files() {
        if matches!(
            entry.kind,
            FileKind::Binary | FileKind::Archive | FileKind::Empty
        ) {
            continue;
        }
        if read_bytes >= max_bytes {
            found.limited = true;
            break;
        }
        let Ok(file) = tree.open(entry) else {
            found.limited = true;
            continue;
        };
        found.limited |= entry.bytes > max_bytes - read_bytes;
        let mut file = file.take(max_bytes - read_bytes);
        let mut buffer: Vec<u8> = Vec::new();
        let mut line_base = 1u64;
        loop {
            let kept = buffer.len();
            let Ok(read) = file
                .by_ref()
                .take(CHUNK_BYTES as u64)
                .read_to_end(&mut buffer)
            else {
                found.limited = true;
                break;
            };
            read_bytes += read as u64;
            let last = read < CHUNK_BYTES;
            if read == 0 && kept == 0 {
                break;
            }
            for (line, text) in suspicious(&buffer, kept, last) {
                if found.instructions.len() < MAX_INSTRUCTIONS {
                    let line = line_base + line;
                    found.instructions.push(Instruction {
                        text,
                        matched: Matched {
                            path: entry.path.to_string(),
                            line_start: line,
                            line_end: line,
                        },
                    });
                }
            }
            for hit in finder.find_overlapping_iter(&buffer) {
                if left == 0 {
                    break;
                }
                // Near the end of the chunk the next byte is not known yet; the overlap shows it again.
                if !last && hit.end() + 4 > buffer.len() {
                    continue;
                }
                let name = open[hit.pattern().as_usize()];
                if found.places.contains_key(name)
                    || !alone(&buffer, hit.start(), hit.end(), name.edge)
                {
                    continue;
                }
                let line = line_base
                    + buffer[..hit.start()]
                        .iter()
                        .filter(|byte| **byte == b'\n')
                        .count() as u64;
                found.places.insert(
                    name.clone(),
                    Matched {
                        path: entry.path.to_string(),
                        line_start: line,
                        line_end: line,
                    },
                );
                left -= 1;
            }
            if last {
                break;
            }
            let cut = buffer.len().saturating_sub(overlap);
            line_base += buffer[..cut].iter().filter(|byte| **byte == b'\n').count() as u64;
            buffer.drain(..cut);
        }
    }
    found
}

/// Lines of `buffer` that speak to a model, with the number of lines before each. The first `kept` bytes were seen
/// before; a line that is not whole yet comes again with the next chunk.
fn suspicious(buffer: &[u8], kept: usize, last: bool) -> Vec<(u64, String)> {
    let mut out = Vec::new();
    let Some(hints) = crate::signals::injection_hints() else {
        return out;
    };
    let mut next = 0;
    for hit in hints.find_iter(buffer) {
        if hit.start() < next {
            continue;
        }
        let start = buffer[..hit.start()]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1)
            .max(hit.start().saturating_sub(MAX_SUSPICIOUS_BYTES / 2));
        let end = buffer[hit.end()..]
            .iter()
            .take(MAX_SUSPICIOUS_BYTES / 2)
            .position(|byte| *byte == b'\n')
            .map(|at| hit.end() + at);
        let complete =
            end.is_some() || last || buffer.len() - hit.end() >= MAX_SUSPICIOUS_BYTES / 2;
        let end = end.unwrap_or(buffer.len().min(hit.end() + MAX_SUSPICIOUS_BYTES / 2));
        if !complete || end <= kept {
            continue;
        }
        let line = String::from_utf8_lossy(&buffer[start..end]);
        if crate::signals::is_attempt(&line) {
            let before = buffer[..start]
                .iter()
                .filter(|byte| **byte == b'\n')
                .count();
            let text: String = line.trim().chars().take(300).collect();
            out.push((before as u64, text));
            next = end;
        }
    }
    out
}

/// Whether what touches the bytes from `start` to `end` leaves them what `edge` asks for.
fn alone(bytes: &[u8], start: usize, end: usize, edge: Edge) -> bool {
    let before = start.checked_sub(1).and_then(|at| bytes.get(at)).copied();
    let after = bytes.get(end).copied();
    if edge == Edge::Number {
        let digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
        let begins = bytes[start].is_ascii_digit();
        // Before a time of day a `:` or digit makes it the minutes of another; before a letter a letter, part of a word.
        return !(begins
            && (digit(before)
                || before == Some(b':')
                    && bytes[start..end].contains(&b':')
                    && ends_in_digit(&bytes[..start - 1])))
            && !(bytes[start].is_ascii_alphabetic()
                && before.is_some_and(|byte| byte.is_ascii_alphabetic()))
            && !(bytes[end - 1].is_ascii_digit() && digit(after));
    }
    let word = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    // Underscores around a whole name are its decoration: `_verify_csum`, `__init`.
    let left = bytes[..start]
        .iter()
        .rev()
        .take(4)
        .find(|byte| **byte != b'_')
        .copied();
    let right = bytes[end..]
        .iter()
        .take(4)
        .find(|byte| **byte != b'_')
        .copied();
    if edge == Edge::Label {
        let part = |byte: Option<u8>| {
            byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        return !part(before) && !part(after);
    }
    // After a JSON or C escape, \nname, the letter before is not part of the name.
    let escaped =
        start >= 2 && bytes[start - 2] == b'\\' && matches!(before, Some(b'n' | b't' | b'r'));
    (!word(left) || escaped || !bytes[start].is_ascii_alphanumeric())
        && (edge == Edge::Begins || !word(right) || !bytes[end - 1].is_ascii_alphanumeric())
}

fn ends_in_digit(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(u8::is_ascii_digit)
}

/// Whether `name` stands in a path: as in a text, and where `_` stands for what parts words, as in a collector's file
/// names (`ethtool_-S_eth0`).
fn path_has(path: &str, name: &str, edge: Edge) -> bool {
    has(path, name, edge) || (!name.contains('_') && has(&path.replace('_', " "), name, edge))
}

/// Whether `text` contains `name` with that edge; both lower case.
pub(super) fn has(text: &str, name: &str, edge: Edge) -> bool {
    !name.is_empty()
        && text
            .match_indices(name)
            .any(|(at, _)| alone(text.as_bytes(), at, at + name.len(), edge))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make their own bundles")]
mod tests {
    use super::*;

    fn whole(text: &str, name: &str) -> bool {
        has(text, name, Edge::Name)
    }

    #[test]
    fn a_collector_writes_a_command_s_spaces_as_underlines() {
        assert!(path_has(
            "sos_commands/networking/ethtool_-s_eth7",
            "eth7",
            Edge::Name
        ));
        assert!(!path_has(
            "sos_commands/networking/ethtool_-s_eth70",
            "eth7",
            Edge::Name
        ));
        assert!(path_has("proc/sys/rp_filter", "rp_filter", Edge::Name));
    }

    #[test]
    fn whole_names_only() {
        assert!(whole("pod/cart-5f restarted", "cart-5f"));
        assert!(!whole("pod/cart-5f7 restarted", "cart-5f"));
        assert!(whole("a-web-1.", "web-1"));
        assert!(whole("line\\nweb-1", "web-1"));
        assert!(whole("50mi\"", "50mi") && !whole("250mi", "50mi"));
        assert!(whole("bluestore _verify_csum bad", "verify_csum"));
        assert!(!whole("foo_verify_csum bad", "verify_csum"));
        assert!(has("at 0x200000~80000,", "0x200000~8000", Edge::Begins));
        assert!(!has("at 0x200000~80000,", "0x200000~8000", Edge::Name));
        assert!(
            has("-n shop get", "shop", Edge::Label) && has("pod_x_shop.txt", "shop", Edge::Label)
        );
        assert!(!has("shop-front", "shop", Edge::Label) && !has("my-shop", "shop", Edge::Label));
        assert!(has("2022-02-17t12:00:05", "2022-02-17", Edge::Number));
        assert!(!has("11:12:00", "12:00", Edge::Number));
    }

    #[test]
    fn names_are_found_across_chunk_borders() {
        let folder = tempfile::tempdir().unwrap();
        let mut content = "x".repeat(CHUNK_BYTES - 4);
        content.insert(10, '\n');
        content.push_str(" node-77 is here\n");
        std::fs::write(folder.path().join("a.log"), content).unwrap();
        let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority())
            .unwrap();
        let index = Tree::index_dir(&dir).unwrap();
        let tree = Tree::new(dir, index);
        let found = find_names(
            &tree,
            &["node-77", "node-78", "a.log"].map(Needle::name),
            u64::MAX,
        );
        assert_eq!(found.places[&Needle::name("node-77")].line_start, 2);
        assert_eq!(found.places[&Needle::name("a.log")].line_start, 0);
        assert!(!found.places.contains_key(&Needle::name("node-78")) && !found.limited);
        assert!(find_names(&tree, &[Needle::name("node-78")], 10).limited);
    }
}
