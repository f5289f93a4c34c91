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

/// Where each name was found first, and whether everything was read.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub places: BTreeMap<String, Matched>,
    /// Whether a limit ended the search, or a file could not be read: then "not found" proves nothing.
    pub limited: bool,
}

/// Looks for `names`, case ignored, as whole names: no letter, digit or `_` beside them.
pub(super) fn find_names(tree: &Tree, names: &[String], max_bytes: u64) -> Found {
    let mut found = Found {
        limited: names.len() > MAX_NAMES,
        ..Found::default()
    };
    let names = &names[..names.len().min(MAX_NAMES)];
    for name in names {
        let lower = name.to_ascii_lowercase();
        if let Some(entry) = tree
            .index()
            .entries
            .iter()
            .find(|entry| has_whole(&entry.path.as_str().to_ascii_lowercase(), &lower))
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
    let open: Vec<&String> = names
        .iter()
        .filter(|name| !found.places.contains_key(*name) && !name.is_empty())
        .collect();
    if open.is_empty() {
        return found;
    }
    let Ok(finder) = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .build(&open)
    else {
        found.limited = true;
        return found;
    };
    let overlap = open.iter().map(|name| name.len()).max().unwrap_or(0) + 8;
    let mut left = open.len();
    let mut read_bytes = 0;
    for entry in tree.files() {
        if matches!(
            entry.kind,
            FileKind::Binary | FileKind::Archive | FileKind::Empty
        ) {
            continue;
        }
        if left == 0 {
            break;
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
            for hit in finder.find_overlapping_iter(&buffer) {
                // Near the end of the chunk the next byte is not known yet; the overlap shows it again.
                if !last && hit.end() + 4 > buffer.len() {
                    continue;
                }
                let name = open[hit.pattern().as_usize()];
                if found.places.contains_key(name) || !alone(&buffer, hit.start(), hit.end()) {
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
            if last || left == 0 {
                break;
            }
            let cut = buffer.len().saturating_sub(overlap);
            line_base += buffer[..cut].iter().filter(|byte| **byte == b'\n').count() as u64;
            buffer.drain(..cut);
        }
    }
    found
}

/// Whether no letter, digit or `_` touches the bytes from `start` to `end`.
fn alone(bytes: &[u8], start: usize, end: usize) -> bool {
    let word =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let before = start.checked_sub(1).and_then(|at| bytes.get(at));
    // After a JSON or C escape, \nname, the letter before is not part of the name.
    let escaped =
        start >= 2 && bytes[start - 2] == b'\\' && matches!(before, Some(b'n' | b't' | b'r'));
    (!word(before) || escaped || !bytes[start].is_ascii_alphanumeric())
        && (!word(bytes.get(end)) || !bytes[end - 1].is_ascii_alphanumeric())
}

/// Whether `text` contains `name` as a whole name; both lower case.
pub(super) fn has_whole(text: &str, name: &str) -> bool {
    !name.is_empty()
        && text
            .match_indices(name)
            .any(|(at, _)| alone(text.as_bytes(), at, at + name.len()))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make their own bundles")]
mod tests {
    use super::*;

    #[test]
    fn whole_names_only() {
        assert!(has_whole("pod/cart-5f restarted", "cart-5f"));
        assert!(!has_whole("pod/cart-5f7 restarted", "cart-5f"));
        assert!(has_whole("a-web-1.", "web-1"));
        assert!(has_whole("line\\nweb-1", "web-1"));
        assert!(has_whole("50mi\"", "50mi") && !has_whole("250mi", "50mi"));
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
            &["node-77".into(), "node-78".into(), "a.log".into()],
            u64::MAX,
        );
        assert_eq!(found.places["node-77"].line_start, 2);
        assert_eq!(found.places["a.log"].line_start, 0);
        assert!(!found.places.contains_key("node-78") && !found.limited);
        assert!(find_names(&tree, &["node-78".into()], 10).limited);
    }
}
