//! A record that a consumer reads again and again: the same offset of the same partition fails, is sought again and fails,
//! and everything behind it in the partition waits. The program's words for the failure may be any.

use super::emit::{Ctx, Draft, cut, full_name_words};
use super::lastwords;
use super::model::*;
use super::words::{self, Level};
use regex::{Captures, Regex};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Longest log scanned, in lines.
const MAX_LINES: usize = 400_000;
/// Most places in partitions that are counted in one log.
const MAX_PLACES: usize = 5_000;
/// Times from which a record is one that is tried for ever.
const ENOUGH: u32 = 3;
/// Lines below the seek or the failure in which its reason stands.
const BELOW: u32 = 6;

/// `Seeking to offset 48 for partition orders-7`, `orders-7@48 failed`, `partition=7 offset=48`, `(offset 48)`.
static PLACE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)seek\w* (?:back )?to offset (?P<o1>\d+) (?:for|of|in) (?:topic[- ])?partition (?P<p1>[\w.-]+-\d+)|(?P<p2>[\w.-]+-\d+)@(?P<o2>\d+)|\b(?:topic[=: ]+\x22?(?P<t3>[\w.-]+)\x22?[, ]+)?partition[=: ]+(?P<p3>\d+)[, ]+(?:at )?offset[=: ]+(?P<o3>\d+)|\boffset[=: ]+(?P<o4>\d{2,})\b").ok()
});

#[derive(Default)]
struct Tried {
    count: u32,
    failed: bool,
    line: u32,
    why: Option<(u32, String)>,
    /// The line itself, where it names an offset alone: it may tell why.
    text: Option<String>,
}

/// Whether a line speaks of a failure.
fn fails(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    [
        "fail",
        "error",
        "exception",
        "invalid",
        "cannot",
        "retry",
        "backoff",
        "seek",
    ]
    .iter()
    .any(|word| lower.contains(word))
        || words::level(line) >= Level::Warning
}

/// Whether a line that names an offset and no partition speaks of another attempt with its record.
fn is_tried(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    says(&["attempt", "retry", "retrying", "again", "redeliver"])
        && !says(&["commit", "fetch", "out of range", "rebalanc", "coordinator"])
}

/// Whether a line names the reason: an exception with its words.
fn is_reason(line: &str) -> bool {
    let text = line.trim();
    (text.contains("Exception: ") || text.contains("Error: ")) && !text.starts_with("at ")
}

/// The partition and the offset that a line names.
fn place(found: &Captures) -> (String, String) {
    let group = |names: [&str; 4]| {
        let found = names.iter().find_map(|name| found.name(name));
        found.map_or("", |found| found.as_str()).to_owned()
    };
    let partition = group(["p1", "p2", "p3", "t3"]);
    let partition = match found.name("t3") {
        Some(topic) => format!("{}-{partition}", topic.as_str()),
        None => partition,
    };
    (partition, group(["o1", "o2", "o3", "o4"]))
}

/// Records that a log tries at least three times.
pub fn detect(ctx: &Ctx) {
    let Some(places) = PLACE.as_ref() else { return };
    for log in ctx.cluster.logs.iter().filter(|log| !log.empty) {
        let mut tried: BTreeMap<(String, String), Tried> = BTreeMap::new();
        let mut last: Option<((String, String), u32)> = None;
        ctx.each_line(log, MAX_LINES, |at, line| {
            let spoken = line.contains("artition") || line.contains('@') || line.contains("ffset");
            if spoken
                && let Some(found) = places.captures(line)
                && fails(line)
            {
                let place = place(&found);
                // Commits and fetches name offsets, too; an offset alone is a record's where it is tried again.
                if found.name("o4").is_some() && !is_tried(line) {
                    return;
                }
                if tried.len() < MAX_PLACES || tried.contains_key(&place) {
                    let one = tried.entry(place.clone()).or_default();
                    one.count += 1;
                    one.line = at;
                    one.failed |= !line.contains("eeking");
                    if found.name("o4").is_some() {
                        one.text = Some(line.trim().to_owned());
                    }
                    last = Some((place, at));
                }
            } else if is_reason(line)
                && let Some((place, from)) = &last
                && at.saturating_sub(*from) <= BELOW
                && let Some(one) = tried.get_mut(place)
            {
                one.why = Some((at, line.trim().to_owned()));
                one.failed = true;
            }
        });
        let most = tried
            .iter()
            .filter(|(_, one)| one.count >= ENOUGH && one.failed)
            .max_by_key(|(_, one)| one.count);
        let Some(((partition, offset), one)) = most else {
            continue;
        };
        let who = full_name_words(&log.ns, &log.pod, &log.container);
        let told = one.why.as_ref().map(|(_, text)| text).or(one.text.as_ref());
        let why = match told {
            Some(text) => format!(" — {}", cut(super::header::without(text), 140)),
            None => String::new(),
        };
        let src = |line: u32| Src {
            file: log.file,
            line,
            column: 0,
        };
        let (blocks, of) = match partition.is_empty() {
            true => ("holds up what comes behind it,".to_owned(), String::new()),
            false => (
                format!("blocks partition {partition}"),
                format!(" of partition {partition}"),
            ),
        };
        let mut draft = Draft::cause("message-undecodable", "Pod", &log.ns, &log.pod, 0.86)
            .says(
                format!("{who}: a record that it cannot process (poison message) {blocks} at offset {offset}{why}"),
                format!("{who} fails on the record at offset {offset}{of} and tries it again and again ({} times in this log), so that everything behind it waits{why}.", one.count),
            )
            .show(ctx.quote(src(one.line), offset));
        if let Some((line, _)) = &one.why {
            draft = draft.show(ctx.quote(src(*line), ""));
        }
        let pods = &ctx.cluster.pods;
        if let Some(pod) = pods.iter().find(|pod| lastwords::belongs(log, pod, "")) {
            draft = super::emit::with_pod(draft, pod, &log.container);
        }
        ctx.emit(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};

    #[test]
    fn a_record_that_is_tried_for_ever() {
        let round = |offset: u32| {
            format!(
                "2026-03-11T08:02:05Z INFO Seeking to offset {offset} for partition bills-2\n2026-03-11T08:02:06Z WARN mapping of record bills-2@{offset} failed\njava.lang.IllegalArgumentException: no such currency XAU\n\tat com.example.Bills.map(Bills.java:17)\n"
            )
        };
        let same = round(771).repeat(3);
        let found = run(&[("logs/shop/bills-1.log", &same)]);
        assert_eq!(first(&found).cause, "message-undecodable");
        assert!(first(&found).title.contains("bills-2 at offset 771"));
        // Each of these is passed by after its failure.
        let others: String = (0..3).map(|n| round(771 + n)).collect();
        let found = run(&[("logs/shop/bills-1.log", &others)]);
        assert!(
            found
                .signals
                .iter()
                .all(|one| one.cause != "message-undecodable")
        );
    }

    #[test]
    fn an_offset_without_its_partition() {
        let of = |words: &str| {
            let log = (1..5)
                .map(|n| format!("2026-03-11T08:0{n}:05Z ERROR bills: {words} {n}\n"))
                .collect::<String>();
            run(&[("logs/shop/bills-1.log", &log)])
        };
        let found = of("record at offset 771 has no currency, giving it back, attempt");
        assert_eq!(first(&found).cause, "message-undecodable");
        for words in [
            "Offset commit failed on partition bills-2 at offset 771: the coordinator is not aware of this member, attempt",
            "Fetch offset 771 is out of range, retry",
            "clock offset 771 is large",
        ] {
            let found = of(words);
            let causes = || found.signals.iter().map(|one| one.cause.as_str());
            assert!(
                causes().all(|cause| cause != "message-undecodable"),
                "{words}"
            );
        }
    }
}
