//! Citations: is the file there, are the lines, does the quote stand in them?

use super::ledger::Spot;
use super::{BROAD_LINES, Judge, MAX_CITED_LINES};
use crate::bundle::{Entry, FileKind};
use crate::report::Evidence;
use crate::verify::quote::{MIN_QUOTE_CHARS, Quote, normalise};
use crate::verify::verdict::{Matched, Rule, Status};
use std::collections::BTreeMap;

impl Judge<'_> {
    /// Judges one citation: path, lines, quote.
    pub(super) fn citation(&mut self, spot: &Spot, cited: &Evidence) -> bool {
        let Some(entry) = self.cited_file(&spot.at("path"), &cited.path) else {
            return false;
        };
        let place = |start, end| {
            Some(Matched {
                path: entry.path.to_string(),
                line_start: start,
                line_end: end,
            })
        };
        let (start, end) = (cited.line_start, cited.line_end);
        let quote = Quote::new(&cited.quote);
        let quoted = spot.at("quote");
        let lines = match self.lines(&entry, start, end) {
            Ok(lines) => lines,
            Err(why) => {
                self.ledger
                    .note(&spot.at("line_start"), Rule::Lines, Status::Rejected, why);
                let (reason, matched) = match self.elsewhere(&entry, &quote) {
                    Some(line) => (
                        format!("the quote stands in line {line}"),
                        place(line, line),
                    ),
                    None => (nowhere(&quote), None),
                };
                self.ledger
                    .note_at(&quoted, Rule::Quote, Status::Rejected, reason, matched);
                return false;
            }
        };
        let (status, reason) = if end - start >= BROAD_LINES {
            (
                Status::Flagged,
                format!("the citation spans {} lines", end - start + 1),
            )
        } else {
            (Status::Ok, "the lines are in the file".to_owned())
        };
        self.ledger.note_at(
            &spot.at("line_start"),
            Rule::Lines,
            status,
            reason,
            place(start, end),
        );
        if quote.is_empty() {
            self.ledger.note(
                &quoted,
                Rule::Quote,
                Status::Rejected,
                "the quote says nothing",
            );
            return false;
        }
        let normal: Vec<String> = lines.iter().map(|line| normalise(line)).collect();
        if quote.is_in(&normal.join(" ")) {
            if quote.is_long() || normal.iter().any(|line| quote.is_whole(line)) {
                self.ledger.note_at(
                    &quoted,
                    Rule::Quote,
                    Status::Ok,
                    "verbatim",
                    place(start, end),
                );
                return true;
            }
            self.ledger
                .note(&quoted, Rule::Quote, Status::Rejected, nowhere(&quote));
            return false;
        }
        let (reason, matched) = match self.elsewhere(&entry, &quote) {
            Some(line) => (
                format!("the quote is not in the cited lines; it stands in line {line}"),
                place(line, line),
            ),
            None => (nowhere(&quote), None),
        };
        self.ledger
            .note_at(&quoted, Rule::Quote, Status::Rejected, reason, matched);
        false
    }

    /// Judges a citation without a quote: a file, and lines if they are given.
    pub(super) fn pointer(&mut self, spot: &Spot, path: &str, lines: Option<(u64, u64)>) -> bool {
        let Some(entry) = self.cited_file(spot, path) else {
            return false;
        };
        let Some((start, end)) = lines else {
            return true;
        };
        let matched = Some(Matched {
            path: entry.path.to_string(),
            line_start: start,
            line_end: end,
        });
        match self.lines(&entry, start, end) {
            Ok(_) => {
                self.ledger.note_at(
                    spot,
                    Rule::Lines,
                    Status::Ok,
                    "the lines are in the file",
                    matched,
                );
                true
            }
            Err(why) => {
                self.ledger.note(spot, Rule::Lines, Status::Rejected, why);
                false
            }
        }
    }

    /// The cited file, if it is there and has lines of text.
    pub(super) fn cited_file(&mut self, spot: &Spot, path: &str) -> Option<Entry> {
        let Some(entry) = self.find(path) else {
            let hint = self.similar(path).map_or_else(String::new, |path| {
                format!("; a file of that name is {path}")
            });
            let reason = format!("the bundle has no such file{hint}");
            self.ledger.note(spot, Rule::Path, Status::Rejected, reason);
            return None;
        };
        let matched = Some(Matched {
            path: entry.path.to_string(),
            line_start: 0,
            line_end: 0,
        });
        self.ledger.note_at(
            spot,
            Rule::Path,
            Status::Ok,
            "the file is in the bundle",
            matched,
        );
        if matches!(
            entry.kind,
            FileKind::Binary | FileKind::Archive | FileKind::Empty
        ) {
            let place = spot.place.strip_suffix("/path").unwrap_or(&spot.place);
            let lines = Spot {
                place: format!("{place}/line_start"),
                ..spot.clone()
            };
            self.ledger.note(
                &lines,
                Rule::Lines,
                Status::Rejected,
                "the file has no lines of text",
            );
            return None;
        }
        Some(entry)
    }

    /// The file of a cited path, with or without the top folder, `./` and a leading `/` overlooked.
    pub(super) fn find(&self, path: &str) -> Option<Entry> {
        let path = path.strip_prefix("./").unwrap_or(path);
        self.tree
            .find(path)
            .or_else(|| self.tree.find(path.trim_start_matches('/')))
            .filter(|_| !path.is_empty())
            .cloned()
    }

    /// The only file whose path ends like `path`.
    pub(super) fn similar(&self, path: &str) -> Option<String> {
        let name = path.rsplit('/').next().filter(|name| name.len() > 2)?;
        let mut same = self.tree.files().filter(|entry| entry.path.name() == name);
        let first = same.next()?;
        same.next().is_none().then(|| first.path.to_string())
    }

    /// Lines `start` to `end` of a file.
    pub(super) fn lines(
        &mut self,
        entry: &Entry,
        start: u64,
        end: u64,
    ) -> Result<Vec<String>, String> {
        if start == 0 || end < start {
            return Err(format!(
                "lines {start} to {end} are no lines: they count from 1"
            ));
        }
        if end - start >= MAX_CITED_LINES {
            return Err(format!(
                "the citation spans {} lines, more than {MAX_CITED_LINES}",
                end - start + 1
            ));
        }
        let beyond =
            |count: u64| format!("the file has {count} lines, lines {start} to {end} are cited");
        match self.tree.text(entry) {
            Ok(Some(text)) => {
                let count = text.len() as u64;
                if end > count {
                    return Err(beyond(count));
                }
                Ok((start..=end)
                    .filter_map(|number| {
                        text.line(usize::try_from(number).ok()?).map(str::to_owned)
                    })
                    .collect())
            }
            Ok(None) => self.lines_of_large(entry, start, end, beyond),
            Err(_) => Err("the file can't be read".to_owned()),
        }
    }

    /// The same for a file that is too large to be held whole; what was read of it is kept.
    fn lines_of_large(
        &mut self,
        entry: &Entry,
        start: u64,
        end: u64,
        beyond: impl Fn(u64) -> String,
    ) -> Result<Vec<String>, String> {
        let key = entry.path.to_string();
        let known = self.files.get(&key).is_some_and(|(count, lines)| {
            end > *count || (start..=end).all(|number| lines.contains_key(&number))
        });
        if !known {
            let (mut count, mut lines) = (0, BTreeMap::new());
            self.tree
                .for_each_line(entry, |number, line| {
                    count = number as u64;
                    if (start..=end).contains(&count) {
                        lines.insert(count, line.to_owned());
                    }
                    true
                })
                .map_err(|_| "the file can't be read".to_owned())?;
            let slot = self.files.entry(key.clone()).or_default();
            slot.0 = count;
            slot.1.extend(lines);
        }
        let (count, lines) = &self.files[&key];
        if end > *count {
            return Err(beyond(*count));
        }
        Ok((start..=end)
            .filter_map(|number| lines.get(&number).cloned())
            .collect())
    }

    /// The first line of the file that holds the quote; a short one must be the whole line.
    pub(super) fn elsewhere(&self, entry: &Entry, quote: &Quote) -> Option<u64> {
        let mut found = None;
        let _ = self.tree.for_each_line(entry, |number, line| {
            let line = normalise(line);
            if quote.is_in(&line) && (quote.is_long() || quote.is_whole(&line)) {
                found = Some(number as u64);
            }
            found.is_none()
        });
        found
    }
}

/// Why a quote holds in no line of the file.
pub(super) fn nowhere(quote: &Quote) -> String {
    if quote.is_empty() {
        "the quote says nothing".to_owned()
    } else if quote.is_long() {
        "the quote stands nowhere in the file".to_owned()
    } else {
        format!("the quote is shorter than {MIN_QUOTE_CHARS} characters and not a whole line")
    }
}

#[cfg(test)]
mod tests {
    use super::super::known::Known;
    use super::super::tests::{answer, cite, claims, finding, report, tree, tree_of};
    use super::super::{Options, judge};
    use super::*;

    #[test]
    fn a_citation_points_to_few_lines_that_are_there() {
        use Status::{Flagged, Ok, Rejected};
        let log: Vec<String> = (1..=400)
            .map(|at| format!("entry {at} of the log"))
            .collect();
        let (_folder, tree) = tree_of(&[("long.log", &log.join("\n"))]);
        for (start, end, expected) in [
            (1, 1, Ok),
            (1, 60, Ok),
            (1, 61, Flagged),
            (100, 159, Ok),
            (100, 160, Flagged),
            (100, 299, Flagged),
            (100, 300, Rejected),
            (400, 400, Ok),
            (400, 401, Rejected),
            (401, 401, Rejected),
            (0, 0, Rejected),
            (0, 3, Rejected),
            (8, 7, Rejected),
            (1, u64::MAX, Rejected),
        ] {
            let mut judge = Judge::new(&tree, &Options::default(), Known::default());
            let mut cited = cite("long.log", start, &format!("entry {start} of the log"));
            cited.line_end = end;
            let holds = judge.citation(&Spot::new(""), &cited);
            assert_eq!(holds, expected != Rejected, "{start} to {end}");
            let lines = judge.ledger.claims.iter();
            let lines: Vec<Status> = lines
                .filter(|claim| claim.rule == Rule::Lines)
                .map(|claim| claim.status)
                .collect();
            assert_eq!(lines, [expected], "{start} to {end}");
        }
    }

    #[test]
    fn a_file_that_is_not_held_whole_gives_the_same_lines() {
        let (_folder, tree) = tree_of(&[("a.log", "one\ntwo\n\nfour\nfive\n"), ("b.log", "one")]);
        let mut judge = Judge::new(&tree, &Options::default(), Known::default());
        let beyond = |count: u64| format!("{count} lines");
        // In this order: what was read before is kept.
        for (path, start, end) in [
            ("a.log", 2, 2),
            ("a.log", 2, 2),
            ("a.log", 1, 1),
            ("a.log", 5, 5),
            ("a.log", 1, 5),
            ("a.log", 3, 4),
            ("b.log", 1, 1),
            ("b.log", 1, 2),
            ("b.log", 1, 1),
            ("a.log", 5, 6),
            ("a.log", 6, 6),
            ("a.log", 9, 12),
        ] {
            let entry = judge.find(path).unwrap();
            let whole = judge.lines(&entry, start, end);
            let large = judge.lines_of_large(&entry, start, end, beyond);
            assert_eq!(whole.is_ok(), large.is_ok(), "{path} {start} to {end}");
            if let Ok(lines) = large {
                assert_eq!(whole.unwrap(), lines, "{path} {start} to {end}");
            }
        }
    }

    #[test]
    fn files_are_found_by_their_path_and_proposed_by_a_name_of_their_own() {
        let (_folder, tree) = tree_of(&[
            ("a/web.log", "x"),
            ("a/log", "x"),
            ("a/ps", "x"),
            ("b/db.log", "x"),
            ("c/db.log", "x"),
        ]);
        let judge = Judge::new(&tree, &Options::default(), Known::default());
        for (path, found) in [
            ("a/web.log", true),
            ("top/a/web.log", true),
            ("./a/web.log", true),
            ("/a/web.log", true),
            ("web.log", false),
            ("../a/web.log", false),
            ("", false),
        ] {
            assert_eq!(judge.find(path).is_some(), found, "{path}");
        }
        for (path, proposed) in [
            ("x/web.log", Some("top/a/web.log")),
            ("web.log", Some("top/a/web.log")),
            ("x/log", Some("top/a/log")),
            ("x/ps", None),
            ("x/db.log", None),
            ("x/none.log", None),
        ] {
            assert_eq!(judge.similar(path).as_deref(), proposed, "{path}");
        }
    }

    #[test]
    fn why_a_quote_fails_is_true() {
        for (line, quote, reason) in [
            (
                1,
                "pod",
                "the quote is shorter than 6 characters and not a whole line",
            ),
            (
                2,
                "pod",
                "the quote is shorter than 6 characters and not a whole line",
            ),
            (
                1,
                "short",
                "the quote is not in the cited lines; it stands in line 5",
            ),
            (9, "short", "the quote stands in line 5"),
            (
                1,
                "limit 50Mi",
                "the quote is not in the cited lines; it stands in line 3",
            ),
            (1, "limit 99Mi", "the quote stands nowhere in the file"),
            (1, " ", "the quote says nothing"),
            (9, " ", "the quote says nothing"),
        ] {
            let (_folder, tree) = tree();
            let mut cited = finding();
            cited.evidence.push(cite("logs/web.log", line, quote));
            let verdict = judge(&report(vec![cited]), &tree, &Options::default()).verdict;
            let place = "/findings/0/evidence/2/quote";
            let all = claims(&verdict, Rule::Quote);
            assert!(
                all.contains(&(place, Status::Rejected, reason)),
                "{line} {quote:?} {all:?}"
            );
        }
    }

    #[test]
    fn a_short_quote_without_lines_must_be_a_whole_line() {
        for (quote, expected) in [
            ("short", (Status::Ok, "verbatim in line 5")),
            (
                "pod",
                (
                    Status::Rejected,
                    "the quote is shorter than 6 characters and not a whole line",
                ),
            ),
            ("limit 50Mi", (Status::Ok, "verbatim in line 3")),
            (
                "limit 99Mi",
                (Status::Rejected, "the quote stands nowhere in the file"),
            ),
        ] {
            let verdict = answer(&serde_json::json!({
                "text": "The container web was OOMKilled.",
                "citations": [{"path": "logs/web.log", "quote": quote}],
            }));
            let (status, reason) = expected;
            assert_eq!(
                claims(&verdict, Rule::Quote),
                [("/citations/0/quote", status, reason)]
            );
        }
    }
}
