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
                    None => ("the quote stands nowhere in the file".to_owned(), None),
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
            let reason = format!(
                "the quote is shorter than {MIN_QUOTE_CHARS} characters and not a whole line"
            );
            self.ledger
                .note(&quoted, Rule::Quote, Status::Rejected, reason);
            return false;
        }
        let (reason, matched) = match self.elsewhere(&entry, &quote) {
            Some(line) => (
                format!("the quote is not in the cited lines; it stands in line {line}"),
                place(line, line),
            ),
            None => ("the quote stands nowhere in the file".to_owned(), None),
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
            end > *count && *count > 0 || (start..=end).all(|number| lines.contains_key(&number))
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

    /// The first line of the file that holds the quote.
    pub(super) fn elsewhere(&self, entry: &Entry, quote: &Quote) -> Option<u64> {
        if quote.is_empty() || !quote.is_long() {
            return None;
        }
        let mut found = None;
        let _ = self.tree.for_each_line(entry, |number, line| {
            if quote.is_in(&normalise(line)) {
                found = Some(number as u64);
            }
            found.is_none()
        });
        found
    }
}
