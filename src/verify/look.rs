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
        if open == 0 {
            break;
        }
        if read >= max_bytes {
            limited = true;
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
        limited |= done.is_err() || read >= max_bytes;
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

    use crate::bundle::testing::tree_of;

    /// Looks for a line with `hint`, in any case, and `word`.
    fn look(hint: &str, word: &'static str) -> Look<'static> {
        Look {
            hints: vec![hint.to_owned()],
            holds: Box::new(move |line| line.contains(word)),
        }
    }

    fn at(path: &str, line: u64) -> Sight {
        Sight::At(Matched {
            path: path.to_owned(),
            line_start: line,
            line_end: line,
        })
    }

    #[test]
    fn lines_are_asked_only_where_a_hint_stands() {
        let (_folder, tree) = tree_of([
            ("a.bin", &b"\0\0 31 restarts\n"[..]),
            ("a.log", b"one 31\ntwo 31 restarts\nthree 31 restarts\n"),
            ("b.log", b"Pod 32 RESTARTS\n"),
        ]);
        let looks = [
            look("31", "restarts"),
            look("31", "four"),
            look("99", "one"),
            look("restarts", "Pod"),
            look("", "one"),
        ];
        let sights = look_closer(&tree, &looks, u64::MAX);
        let nowhere = Sight::Nowhere;
        assert_eq!(
            sights,
            [
                at("a.log", 2),
                nowhere.clone(),
                nowhere.clone(),
                at("b.log", 1),
                nowhere.clone()
            ]
        );
        assert_eq!(look_closer(&tree, &looks[4..], u64::MAX), [nowhere]);
    }

    #[test]
    fn what_a_limit_or_a_lost_file_hides_is_unclear() {
        let (folder, tree) = tree_of([("a.log", "31 a\n32 b\n"), ("b.log", "33 c\n")]);
        let looks = [
            look("31", "a"),
            look("32", "b"),
            look("33", "c"),
            look("33", "d"),
        ];
        let seen = [at("a.log", 1), at("a.log", 2), at("b.log", 1)];
        for (max_bytes, found, rest) in [
            (u64::MAX, 3, Sight::Nowhere),
            (16, 3, Sight::Nowhere),
            (15, 3, Sight::Unclear),
            (11, 3, Sight::Unclear),
            (10, 2, Sight::Unclear),
            (6, 2, Sight::Unclear),
            (5, 1, Sight::Unclear),
            (0, 0, Sight::Unclear),
        ] {
            let sights = look_closer(&tree, &looks, max_bytes);
            assert_eq!(sights[..found], seen[..found], "{max_bytes}");
            assert!(
                sights[found..].iter().all(|sight| *sight == rest),
                "{max_bytes}"
            );
            assert_eq!(look_closer(&tree, &looks[..1], max_bytes).len(), 1);
        }
        std::fs::remove_file(folder.path().join("b.log")).unwrap();
        let sights = look_closer(&tree, &looks, u64::MAX);
        assert_eq!(sights[..2], seen[..2]);
        assert_eq!(sights[2..], [Sight::Unclear, Sight::Unclear]);
    }

    #[test]
    fn a_word_that_stands_everywhere_is_asked_about_so_often_and_no_more() {
        for (lines, sight) in [
            (MAX_ASKED - 1, at("a.log", MAX_ASKED as u64)),
            (MAX_ASKED, Sight::Unclear),
        ] {
            let content = "31 31\n".repeat(lines) + "31 restarts\n";
            let (_folder, tree) = tree_of([("a.log", content)]);
            assert_eq!(
                look_closer(&tree, &[look("31", "restarts")], u64::MAX),
                [sight]
            );
        }
    }

    #[test]
    fn a_long_line_is_asked_up_to_a_whole_character() {
        let line = "x".repeat(MAX_LINE_BYTES);
        assert_eq!(cut(&line), line);
        assert_eq!(cut(&format!("{line}y")), line);
        let line = "x".to_owned() + &"ä".repeat(MAX_LINE_BYTES / 2);
        assert_eq!(cut(&line).len(), MAX_LINE_BYTES - 1);
    }
}
