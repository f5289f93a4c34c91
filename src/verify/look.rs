//! A second look, line by line, for what no fixed text tells: a figure in other units, a quote with other blanks, a
//! number beside what it counts. Taken only for what the first search did not find.

use super::verdict::Matched;
use crate::bundle::{FileKind, Tree};
use aho_corasick::{AhoCorasick, MatchKind};

/// Most lines that are asked about one thing.
const MAX_ASKED: usize = 200_000;
/// Longest part of a line that is asked, in bytes.
const MAX_LINE_BYTES: usize = 64 << 10;

/// What is looked for.
pub(super) struct Look<'a> {
    /// Texts of which one stands in every line in question, case ignored.
    pub hints: Vec<String>,
    /// Whether a line holds it.
    pub holds: Box<dyn Fn(&str) -> bool + 'a>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sight {
    /// The first line that holds it.
    At(Matched),
    /// No line does.
    Nowhere,
    /// A limit ended the search.
    Unclear,
}

/// Looks for all of them in one pass over at most `max_bytes` of the bundle.
pub(super) fn look_closer(tree: &Tree, looks: &[Look<'_>], max_bytes: u64) -> Vec<Sight> {
    let mut sights = vec![Sight::Nowhere; looks.len()];
    let mut hints: Vec<(&str, usize)> = Vec::new();
    for (at, look) in looks.iter().enumerate() {
        hints.extend(
            look.hints
                .iter()
                .filter(|hint| !hint.is_empty())
                .map(|hint| (hint.as_str(), at)),
        );
    }
    if hints.is_empty() {
        return sights;
    }
    let Ok(finder) = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .match_kind(MatchKind::Standard)
        .build(hints.iter().map(|(hint, _)| hint))
    else {
        return vec![Sight::Unclear; looks.len()];
    };
    let mut asked = vec![0usize; looks.len()];
    let mut open = looks.len();
    let (mut read, mut limited) = (0u64, false);
    for entry in tree.files() {
        if matches!(
            entry.kind,
            FileKind::Binary | FileKind::Archive | FileKind::Empty
        ) {
            continue;
        }
        if open == 0 || read >= max_bytes {
            limited |= open > 0;
            break;
        }
        let mut now: Vec<usize> = Vec::new();
        let done = tree.for_each_line(entry, |number, line| {
            read += line.len() as u64 + 1;
            let line = cut(line);
            now.clear();
            for hit in finder.find_overlapping_iter(line) {
                let at = hints[hit.pattern().as_usize()].1;
                if sights[at] == Sight::Nowhere && !now.contains(&at) {
                    now.push(at);
                }
            }
            for at in &now {
                asked[*at] += 1;
                if asked[*at] > MAX_ASKED {
                    sights[*at] = Sight::Unclear;
                    open -= 1;
                } else if (looks[*at].holds)(line) {
                    let line = number as u64;
                    sights[*at] = Sight::At(Matched {
                        path: entry.path.to_string(),
                        line_start: line,
                        line_end: line,
                    });
                    open -= 1;
                }
            }
            open > 0 && read < max_bytes
        });
        limited |= done.is_err() || open > 0 && read >= max_bytes;
    }
    if limited {
        for sight in sights.iter_mut().filter(|sight| **sight == Sight::Nowhere) {
            *sight = Sight::Unclear;
        }
    }
    sights
}

/// The beginning of a line that is longer than what is asked.
fn cut(line: &str) -> &str {
    if line.len() <= MAX_LINE_BYTES {
        return line;
    }
    let mut end = MAX_LINE_BYTES;
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make their own bundles")]
mod tests {
    use super::*;

    #[test]
    fn lines_are_asked_only_where_a_hint_stands() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.log"), "one 31\ntwo 31 restarts\n").unwrap();
        let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority())
            .unwrap();
        let index = Tree::index_dir(&dir).unwrap();
        let tree = Tree::new(dir, index);
        let look = |hint: &str, word: &'static str| Look {
            hints: vec![hint.to_owned()],
            holds: Box::new(move |line| line.contains(word)),
        };
        let looks = [
            look("31", "restarts"),
            look("31", "three"),
            look("99", "one"),
        ];
        let sights = look_closer(&tree, &looks, u64::MAX);
        assert!(matches!(&sights[0], Sight::At(matched) if matched.line_start == 2));
        assert_eq!(sights[1..], [Sight::Nowhere, Sight::Nowhere]);
        assert_eq!(
            look_closer(&tree, &looks[1..], 3),
            [Sight::Unclear, Sight::Unclear]
        );
    }
}
