//! The sealed worker that reads the change: parses, searches, masks. It has no directory at all; when
//! the change is to be reviewed, it may write one, and writes the added lines there with every secret
//! masked.

use super::accept::{Baseline, Ignored};
use super::file::FileText;
use super::model::{Part, Source};
use super::patch::{self, Form, Header, Kind, Sink};
use super::scan::{ReviewLine, Scan};
use crate::bundle::path::BundlePath;
use crate::bundle::{Entry, Tree};
use crate::error::{Context, Error, ExitCode, Result};
use crate::room::protocol::{Boot, FromWorker, ToWorker};
use crate::room::{self, Out, frame};
use crate::seal::{self, Zone};
use crate::secrets::{Masker, beginning};
use aho_corasick::{AhoCorasick, MatchKind};
use std::io::{self, BufReader, Read};

/// List items per frame.
const BATCH: usize = 500;
/// Characters of a commit's id that are shown.
const SHORT_ID: usize = 12;
/// Characters of a line shown with a remark.
const MAX_QUOTE: usize = 200;
/// Shortest value that is masked wherever it stands, in characters; shorter ones would hit ordinary words.
const MIN_ANYWHERE: usize = 6;

/// Runs the worker: in zone 3's seal without any directory, or in zone 1's with one to write.
pub(crate) fn main(zone: Zone, boot: &Boot, out: &mut Out) -> Result<()> {
    let entered = seal::enter(&room::plan(zone, boot))?;
    let sealed = seal::close(entered)?;
    let proof = sealed.prove();
    out.send(&FromWorker::Sealed(Box::new(proof.clone())))?;
    proof.demand()?;
    let mut from = BufReader::with_capacity(256 << 10, io::stdin().lock());
    let broken = "failed to read the task";
    let Some(ToWorker::Scan(job)) = frame::read(&mut from).or_fail(ExitCode::Bug, broken)? else {
        return Err(Error::bug("the scan was given another task"));
    };
    let ignored = Ignored::new(job.ignore.as_deref().unwrap_or_default());
    let baseline = match &job.baseline {
        Some(text) => Baseline::parse(text)?,
        None => Baseline::default(),
    };
    let mut scan = Scan::new(ignored, baseline, job.write_tree);
    for line in scan.ignored.wrong.clone() {
        scan.note(format!(
            "line {line} of .narrowroomignore is no pattern, so it leaves nothing out"
        ));
    }
    let lost = "failed to read the change";
    match job.source {
        Source::Patch | Source::Log => {
            let form = if job.source == Source::Log {
                Form::Log
            } else {
                Form::Patch
            };
            let mut change = Change {
                scan: &mut scan,
                file: None,
                skip: false,
                commit: None,
            };
            let seen = patch::read(&mut from, form, &mut change).or_fail(ExitCode::Bug, lost)?;
            drop(change);
            judge_form(&seen, job.source, &mut scan)?;
        }
        Source::Files => files(&mut from, &mut scan).or_fail(ExitCode::Bug, lost)?,
    }
    let everywhere = Everywhere::new(std::mem::take(&mut scan.values));
    if job.write_tree {
        let entries = write_tree(&mut scan, &everywhere, &room::open_tree(&sealed)?)?;
        for part in entries.chunks(BATCH) {
            out.send(&FromWorker::Entries(part.to_vec()))?;
        }
    }
    mask_all(&mut scan, &everywhere);
    send(scan, out)
}

/// What the form of the input itself says.
fn judge_form(seen: &patch::Seen, source: Source, scan: &mut Scan) -> Result<()> {
    if source == Source::Patch && seen.files == 0 && seen.stray > 0 {
        return Err(Error::refused("the input is not a patch: no file begins in it")
            .hint("give the output of `git diff` or `git format-patch`; for whole files use: narrowroom guard PATHS"));
    }
    if seen.broken > 0 {
        return Err(Error::refused(format!(
            "the patch is damaged: {} of its hunks end before their header says",
            seen.broken
        ))
        .hint("make it again; nothing was passed"));
    }
    if source == Source::Patch && seen.stray > 0 {
        scan.note(format!(
            "{} lines belong to no file of the patch (a mail's text, say) and were not searched",
            seen.stray
        ));
    }
    Ok(())
}

/// A patch as it comes in.
struct Change<'s> {
    scan: &'s mut Scan,
    file: Option<FileText>,
    /// Whether the current file is left out.
    skip: bool,
    commit: Option<String>,
}

impl Sink for Change<'_> {
    fn commit(&mut self, id: &str) {
        self.finish_message();
        let id: String = id
            .chars()
            .filter(char::is_ascii_hexdigit)
            .take(SHORT_ID)
            .collect();
        self.scan.counts.commits += 1;
        self.scan.next_file();
        let mut message = FileText::new(format!("(message of {id})"), Some(id.clone()));
        message.hunk(1, self.scan);
        self.file = Some(message);
        self.commit = Some(id);
    }
    fn message(&mut self, bytes: &[u8], starts: bool, ends: bool) {
        if let Some(file) = &mut self.file {
            file.push(true, bytes, starts, ends, self.scan);
        }
    }
    fn begin(&mut self, header: &Header) {
        self.finish_message();
        self.scan.counts.files += 1;
        self.scan.next_file();
        let shown = self.scan.shown_path(&header.path);
        self.skip = false;
        if self.scan.ignored.covers(&header.path) {
            self.skip = true;
            self.scan.counts.ignored += 1;
            self.scan
                .not_examined(&shown, "ignored", ".narrowroomignore leaves it out");
            return;
        }
        if header.path.ends_with(super::IGNORE_FILE) || header.path.ends_with(super::BASELINE_FILE)
        {
            self.scan.note(format!(
                "{shown}: this change itself edits what the guard leaves out or accepts"
            ));
        }
        let cannot = match header {
            Header {
                mode: Some(patch::SUBMODULE),
                ..
            } => Some((
                "submodule",
                "it is a submodule; its content is not in this change",
            )),
            Header { unmerged: true, .. } => Some((
                "unmerged",
                "its merge is not finished; resolve it and add it first",
            )),
            Header {
                binary: true,
                deleted: false,
                ..
            } => Some((
                "binary",
                "the patch says only that it differs, it does not hold the content",
            )),
            _ => None,
        };
        if let Some((what, why)) = cannot {
            self.skip = true;
            self.scan.not_examined(&shown, what, why);
            return;
        }
        if !header.deleted {
            self.scan.name(&header.path, self.commit.as_deref());
        }
        self.file = Some(FileText::new(shown, self.commit.clone()));
    }
    fn hunk(&mut self, first_line: u64) {
        if let Some(file) = self.file.as_mut().filter(|_| !self.skip) {
            file.hunk(first_line, self.scan);
        }
    }
    fn line(&mut self, kind: Kind, bytes: &[u8], starts: bool, ends: bool) {
        let Some(file) = self.file.as_mut().filter(|_| !self.skip) else {
            return;
        };
        match kind {
            Kind::Removed => file.remove(bytes, ends),
            kind => file.push(kind == Kind::Added, bytes, starts, ends, self.scan),
        }
    }
    fn end(&mut self, _: &Header) {
        let Some(file) = self.file.take().filter(|_| !self.skip) else {
            return;
        };
        if !file.any_added {
            self.scan.counts.nothing_added += 1;
        }
        file.finish(self.scan);
    }
}

impl Change<'_> {
    /// A commit's message is complete when its first file begins, or the next commit.
    fn finish_message(&mut self) {
        if let Some(message) = self.file.take() {
            let searched = self.scan.counts.searched;
            message.finish(self.scan);
            self.scan.counts.searched = searched;
        }
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.finish_message();
    }
}

/// Whole files: everything in them counts as added.
fn files(from: &mut impl Read, scan: &mut Scan) -> Result<()> {
    let broken = "the coordinator broke off inside a file";
    let mut chunk = Vec::new();
    while let Some(path) = frame::read::<String>(from).or_fail(ExitCode::Bug, broken)? {
        scan.counts.files += 1;
        scan.next_file();
        let shown = scan.shown_path(&path);
        let skip = scan.ignored.covers(&path);
        if skip {
            scan.counts.ignored += 1;
            scan.not_examined(&shown, "ignored", ".narrowroomignore leaves it out");
        } else {
            scan.name(&path, None);
        }
        let mut file = FileText::new(shown, None);
        file.hunk(1, scan);
        let mut starts = true;
        loop {
            let mut length = [0; 4];
            from.read_exact(&mut length)
                .or_fail(ExitCode::Bug, broken)?;
            let length = u32::from_le_bytes(length) as usize;
            if length == 0 {
                break;
            }
            if length > super::run::CHUNK_BYTES {
                return Err(Error::bug("a chunk is over its limit"));
            }
            chunk.resize(length, 0);
            from.read_exact(&mut chunk).or_fail(ExitCode::Bug, broken)?;
            if skip {
                continue;
            }
            for line in chunk.split_inclusive(|byte| *byte == b'\n') {
                let text = line.strip_suffix(b"\n").unwrap_or(line);
                let ends = text.len() < line.len();
                file.push(true, text, starts, ends, scan);
                starts = ends;
            }
        }
        if !skip {
            file.finish(scan);
        }
    }
    Ok(())
}

/// Writes the added lines, masked, each at its own line number, so that the room and the verifier can
/// cite them. Files whose names cannot be written are said.
fn write_tree(
    scan: &mut Scan,
    everywhere: &Everywhere,
    dir: &cap_std::fs::Dir,
) -> Result<Vec<Entry>> {
    let fail = "failed to write the masked change";
    for (path, lines) in scan.review.take().unwrap_or_default() {
        let Ok(name) = BundlePath::parse(&path) else {
            scan.note(format!(
                "{path}: not shown to the model, its name is unusual"
            ));
            continue;
        };
        if let Some((folder, _)) = name.as_str().rsplit_once('/') {
            dir.create_dir_all(folder).or_fail(ExitCode::Bug, fail)?;
        }
        dir.write(name.as_str(), everywhere.text(&lines))
            .or_fail(ExitCode::Bug, fail)?;
    }
    if scan.review_cut() {
        scan.note("the change is larger than the model can review; the model saw the first 256 KiB of added lines without the very long ones");
    }
    let index = Tree::index_dir(dir).or_fail(ExitCode::Bug, fail)?;
    Ok(index.entries)
}

/// Whether a value is so short or so plain a word that it stands in ordinary text and names too.
fn is_ordinary(value: &str) -> bool {
    let count = value.chars().count();
    count < MIN_ANYWHERE
        || (count < 12 && value.chars().all(char::is_alphabetic))
        || (count < 9 && value.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Masks values wherever they stand.
struct Everywhere {
    values: Vec<(String, String)>,
    finder: Option<AhoCorasick>,
}

impl Everywhere {
    fn new(mut values: Vec<(String, String)>) -> Self {
        values.retain(|(value, _)| !is_ordinary(value));
        let finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(values.iter().map(|(value, _)| beginning(value)))
            .ok();
        Self { values, finder }
    }
    /// `text` with every known value replaced.
    fn mask(&self, text: &str) -> String {
        let Some(finder) = &self.finder else {
            return text.to_owned();
        };
        let mut out = String::with_capacity(text.len());
        let replace = |part: &str, out: &mut String| {
            finder.replace_all_with(part, out, |hit, _, dst| {
                dst.push_str(&self.values[hit.pattern().as_usize()].1);
                true
            });
        };
        // A mark that is already there stays as it is.
        let mut rest = text;
        while let Some(mark) = crate::secrets::find_mark(rest) {
            replace(&rest[..mark.start], &mut out);
            out.push_str(&rest[mark.clone()]);
            rest = &rest[mark.end..];
        }
        replace(rest, &mut out);
        out
    }
    /// Lines at their own numbers.
    fn text(&self, lines: &[ReviewLine]) -> String {
        let mut out = String::new();
        let mut number = 1;
        for line in lines {
            while number < line.number {
                out.push('\n');
                number += 1;
            }
            let masked = self.mask(&line.text);
            out.push_str(&Masker::new().mask(&masked));
            out.push('\n');
            number += 1;
        }
        out
    }
}

/// A value that was found in one place is masked in every other that is shown: a line quoted with a
/// remark, a reason, a name.
fn mask_all(scan: &mut Scan, everywhere: &Everywhere) {
    let mask = |text: &mut String| *text = everywhere.mask(text);
    scan.findings
        .iter_mut()
        .for_each(|finding| mask(&mut finding.path));
    for item in &mut scan.suppressed {
        mask(&mut item.finding.path);
        item.reason.iter_mut().for_each(mask);
    }
    for item in &mut scan.not_examined {
        mask(&mut item.path);
    }
    for remark in &mut scan.remarks {
        mask(&mut remark.path);
        mask(&mut remark.quote);
        // Cut after masking: a value that is cut in two is not recognised.
        if remark.quote.chars().count() > MAX_QUOTE {
            remark.quote = remark.quote.chars().take(MAX_QUOTE).chain(['…']).collect();
        }
    }
    scan.notes.iter_mut().for_each(mask);
}

fn send(mut scan: Scan, out: &mut Out) -> Result<()> {
    scan.findings.sort();
    scan.remarks.sort();
    let mut part = |part: Part| out.send(&FromWorker::Scanned(Box::new(part)));
    for items in scan.findings.chunks(BATCH) {
        part(Part::Findings(items.to_vec()))?;
    }
    for items in scan.suppressed.chunks(BATCH) {
        part(Part::Suppressed(items.to_vec()))?;
    }
    for items in scan.not_examined.chunks(BATCH) {
        part(Part::NotExamined(items.to_vec()))?;
    }
    for items in scan.remarks.chunks(BATCH) {
        part(Part::Remarks(items.to_vec()))?;
    }
    part(Part::Done {
        counts: scan.counts,
        more_findings: scan.more_findings,
        notes: std::mem::take(&mut scan.notes),
    })
}
