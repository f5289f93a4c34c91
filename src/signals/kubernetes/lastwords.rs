//! The most decisive line of a log: what a container said before it ended.

use super::emit::{Ctx, cut, one_line};
use super::header;
use super::logs::{has_content, strip_runtime};
use super::model::*;
use super::structured;
use super::words::{self, Level};
use crate::report::Evidence;
use regex::Regex;
use std::collections::VecDeque;
use std::sync::LazyLock;

/// Lines kept from the end of a log.
const TAIL: usize = 400;
/// Characters of a line that are kept.
const MAX_CHARS: usize = 2_000;

/// The decisive line and how much it says.
#[derive(Debug, Clone)]
pub struct Words {
    /// Cause.
    pub slug: &'static str,
    /// 0 to 1.
    pub score: f64,
    /// Said about the container.
    pub headline: String,
    /// Dependency, file, variable, …
    pub what: String,
    /// The line, cleaned.
    pub text: String,
    /// Its place.
    pub src: Src,
    /// Further telling lines.
    pub more: Vec<Src>,
}

impl Words {
    /// A title: the headline, with the line itself where the headline is general.
    pub fn title(&self) -> String {
        match self.slug {
            "application-exception" | "application-error" => cut(&self.text, 160),
            _ => format!("{} — {}", self.headline, cut(&self.text, 110)),
        }
    }
    /// The line, quoted.
    pub fn evidence(&self, ctx: &Ctx) -> Option<Evidence> {
        ctx.quote(self.src, &self.text)
    }
}

/// Whether a log is that of the pod's container; an empty container name matches all.
pub fn belongs(log: &Log, pod: &Pod, container: &str) -> bool {
    let same_ns = log.ns.is_empty() || pod.ns.is_empty() || log.ns == pod.ns;
    let same_pod = log.pod == pod.name || (log.pod == pod.app() && !pod.app().is_empty());
    let same_container =
        container.is_empty() || log.container.is_empty() || log.container == container;
    same_ns && same_pod && same_container
}

/// The line without runtime prefix, colours and the quoting of JSON logs.
pub fn clean(line: &str) -> String {
    let out = uncoloured(line);
    let out = out.trim().trim_start_matches("\"data\": \"");
    after_meter(out).to_owned()
}

/// The line without runtime prefix and colours, its indentation kept.
pub fn uncoloured(line: &str) -> String {
    let body = strip_runtime(line);
    let mut out = String::with_capacity(body.len().min(MAX_CHARS));
    let mut chars = body.chars().take(MAX_CHARS);
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // ESC [ … letter
            if chars.next() == Some('[') {
                for c in chars.by_ref() {
                    if c.is_ascii_alphabetic() {
                        break;
                    }
                }
            }
            continue;
        }
        out.push(if c.is_control() { ' ' } else { c });
    }
    out
}

/// What follows curl's progress meter: it ends without a line break, so that the error stands behind its figures.
fn after_meter(line: &str) -> &str {
    match line.find("curl: (") {
        Some(at)
            if line[..at]
                .chars()
                .all(|c| c.is_ascii_digit() || " \t-:.%kMG".contains(c)) =>
        {
            &line[at..]
        }
        _ => line,
    }
}

/// The last `TAIL` lines with content, with their numbers.
pub fn tail(ctx: &Ctx, log: &Log) -> Vec<(u32, String)> {
    let mut lines: VecDeque<(u32, String)> = VecDeque::with_capacity(TAIL + 1);
    let path = ctx.path(log.file).to_owned();
    let Some(entry) = ctx.tree.find(&path) else {
        return Vec::new();
    };
    let _ = ctx.tree.for_each_line(entry, |number, line| {
        if number >= log.first && number <= log.last && has_content(line) {
            if lines.len() == TAIL {
                lines.pop_front();
            }
            lines.push_back((
                u32::try_from(number).unwrap_or(u32::MAX),
                line.chars().take(MAX_CHARS).collect(),
            ));
        }
        number <= log.last
    });
    lines.into()
}

/// The decisive line of a log; `failing`: the container ended, so the end of the log counts most.
pub fn of_log(ctx: &Ctx, log: &Log, failing: bool) -> Option<Words> {
    if log.empty {
        return None;
    }
    best(&tail(ctx, log), log.file, failing)
}

/// Whether a pod is one of the cluster's own DNS.
pub fn is_dns(pod: &str) -> bool {
    [
        "coredns",
        "kube-dns",
        "dns-default",
        "node-local-dns",
        "nodelocaldns",
        "rke2-coredns",
    ]
    .iter()
    .any(|name| pod.starts_with(name))
}

/// What a fault means in a pod of the cluster's own DNS.
pub fn as_system(pod: &str, slug: &'static str) -> &'static str {
    let dns = is_dns(pod);
    match slug {
        "dependency-timeout" | "workload-dependency-unreachable" | "dependency-name-unresolved"
            if dns =>
        {
            "cluster-dns-failing"
        }
        other => other,
    }
}

/// The decisive line of a termination message.
pub fn of_text(message: &Loc<String>) -> Option<Words> {
    let lines: Vec<(u32, String)> = message
        .v
        .lines()
        .filter(|line| has_content(line))
        .map(|line| (message.src.line, line.to_owned()))
        .collect();
    let mut words = best(&lines, message.src.file, true)?;
    words.src = message.src;
    words.more.clear();
    Some(words)
}

/// How a line scores by what it says and how loud it is; `None` for lines that say nothing.
pub fn judge(line: &str) -> Option<Judged> {
    if !words::may_matter(line) {
        return None;
    }
    if let Some(said) = structured::of(line) {
        return judge_said(&said);
    }
    let text = clean(line);
    let level = words::level(&text);
    if is_stack_frame(&text) || words::is_client_leaving(&text) || is_dns_answer(&text) {
        return None;
    }
    if matches!(level, Level::Quiet | Level::None) && is_upkeep(&text) {
        return None;
    }
    let shown = header::without(&text);
    match words::classify(&text) {
        Some(verdict) => {
            let mut loud = loudness(level, verdict.slug);
            if matches!(level, Level::Warning | Level::Quiet)
                && verdict.slug == "dependency-auth-failed"
                && (is_login(&text) || is_answered(&text))
            {
                loud *= OF_A_USER;
            }
            if is_tried_again(&text) {
                loud *= TRIED_AGAIN;
            }
            if verdict.slug == "application-slow" && is_brief(&text) {
                loud *= BRIEF;
            }
            let before = text.len() - shown.len();
            let shown = structured::with_answer(shown)
                .unwrap_or_else(|| from_word(shown, verdict.at.saturating_sub(before)));
            Some(Judged {
                weight: verdict.weight * loud,
                slug: verdict.slug,
                headline: verdict.headline,
                what: verdict.what,
                text: shown,
            })
        }
        None => {
            let weight = match level {
                Level::Fatal => 0.68,
                Level::Error => 0.6,
                Level::None if words::is_trouble(&text) => 0.5,
                Level::Warning if words::is_warned(&text) && !is_bad_input(&text) => 0.3,
                Level::Warning => REMARK,
                _ => return None,
            };
            Some(Judged {
                weight,
                slug: "application-error",
                headline: "its log ends with an error".to_owned(),
                what: String::new(),
                text: structured::with_answer(shown).unwrap_or_else(|| one_line(shown)),
            })
        }
    }
}

/// Whether a line is CoreDNS's note of a question that it answered: `"A IN db. udp 41 false 1232" NXDOMAIN qr,aa,rd 134
/// 0.0002s`. A name that does not exist is an answer too; each search domain but one gives it.
fn is_dns_answer(line: &str) -> bool {
    line.contains(" IN ") && (line.contains("\" NXDOMAIN qr") || line.contains("\" NOERROR qr"))
}

/// Whether a line tells that a program tidied up: old entries were dropped, expired sessions removed.
fn is_upkeep(line: &str) -> bool {
    static UPKEEP: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?ix)\b(?:swept|sweep(?:ing|s)?|prun(?:ed|ing)|purg(?:ed|ing)|housekeep\w*|garbage[\ -]collect\w*|clean(?:ed|ing)?[\ -]?up|evict(?:ed|ing)|remov(?:ed|ing)|dropp(?:ed|ing)|delet(?:ed|ing)|expir(?:ed|ing))\b
            .{0,30}\b(?:stale|old|expired|idle|unused|outdated)\ (?:\w+\ )?(?:entries|sessions|records|rows|items|keys|files|drafts|tokens|connections|locks|leases|jobs|snapshots|segments|images|objects|versions|backups|logs|caches|carts|messages)\b
            |\b\d+\ (?:stale|old|expired|idle|unused|outdated)\ [\w\ ]{2,30}\b(?:swept|pruned|purged|evicted|removed|dropped|deleted|expired)\b").ok()
    });
    UPKEEP.as_ref().is_some_and(|regex| regex.is_match(line))
}

/// Whether a program notes that one of its own users gave a wrong password: people do that all day.
fn is_login(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let told = [
        "bad credentials",
        "wrong password",
        "invalid password",
        "login failed",
        "invalid credentials",
        "incorrect password",
    ];
    let who = [
        "user=",
        "user:",
        "username=",
        "login=",
        "email=",
        "account=",
        "for user ",
        "principal=",
    ];
    told.iter().any(|words| lower.contains(words)) && who.iter().any(|words| lower.contains(words))
}

/// Whether a line tells that a caller's request was wrong, which the caller has to mend.
fn is_bad_input(line: &str) -> bool {
    static WRONG: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?i)\b(?:rejected|bad|invalid|malformed) (?:request|input|payload|body)\b|\b(?:field|parameter|property|argument|value)\b.{0,40}\b(?:must (?:be|not|match|have)|is required|is not valid|is invalid)\b|\bvalidation (?:failed|error)").ok()
    });
    WRONG.as_ref().is_some_and(|regex| regex.is_match(line))
}

/// Whether a line tells of a request that the program answered: then whom it refused is its caller.
fn is_answered(line: &str) -> bool {
    [
        "request completed",
        "request finished",
        "request handled",
        "method GET",
        "method POST",
        "\"GET /",
        "\"POST /",
    ]
    .iter()
    .any(|words| line.contains(words))
}

/// Whether a line tells of an attempt after which there is another: `attempt 1/4`.
fn is_tried_again(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    let Some((_, rest)) = lower.split_once("attempt ") else {
        return false;
    };
    let number = |text: &str| -> Option<u32> {
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    let all = rest.split_once('/').or_else(|| rest.split_once(" of "));
    let this = number(rest);
    this.zip(all.and_then(|(_, all)| number(all.trim_start())))
        .is_some_and(|(this, all)| this < all && all < 100)
}

/// Whether a line calls something slow that took less than a second: its own threshold is strict, and every day has such.
fn is_brief(line: &str) -> bool {
    static TOOK: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"(?i)\b(?P<ms>\d{1,7})(?:\.\d+)? ?ms\b").ok());
    let Some(took) = TOOK.as_ref() else {
        return false;
    };
    let mut all = took
        .captures_iter(line)
        .filter_map(|found| found["ms"].parse::<u32>().ok())
        .peekable();
    all.peek().is_some() && all.all(|ms| ms < 1_000)
}

/// How much less such a line counts.
const BRIEF: f64 = 0.6;
/// How much less that counts: the last attempt tells what became of it.
const TRIED_AGAIN: f64 = 0.8;
/// How much less a mistyped password counts.
const OF_A_USER: f64 = 0.25;

/// Weight of a warning that speaks of no trouble.
pub const REMARK: f64 = 0.28;

/// How much a verdict counts at a level.
fn loudness(level: Level, slug: &str) -> f64 {
    match level {
        Level::Fatal => 1.05,
        Level::Error => 1.0,
        Level::None => 0.97,
        // What a foreign service refuses is told as a warning by those who can live with it for a while.
        Level::Warning if matches!(slug, "dependency-rate-limited" | "consumer-too-slow") => 0.95,
        Level::Warning => 0.8,
        // The client library says it in passing.
        Level::Quiet if slug == "api-client-throttled" => 0.9,
        // Databases report a scan as information.
        Level::Quiet if matches!(slug, "database-scan-without-index" | "database-lock-wait") => 1.0,
        Level::Quiet => 0.55,
    }
}

/// A line of JSON or logfmt: the error it carries says more than its message, both more than the rest.
fn judge_said(said: &structured::Said) -> Option<Judged> {
    if words::is_client_leaving(&said.text) {
        return None;
    }
    let level = said.level.unwrap_or(Level::None);
    if matches!(level, Level::Quiet | Level::None) && said.error.is_empty() && is_upkeep(&said.text)
    {
        return None;
    }
    let verdict = Some(&said.error)
        .filter(|error| !error.is_empty())
        .and_then(|error| words::classify(error))
        .filter(|verdict| verdict.slug != "application-exception")
        .or_else(|| words::classify(&said.text));
    if let Some(verdict) = verdict {
        let own = verdict.slug == "dependency-auth-failed"
            && matches!(level, Level::Quiet | Level::Warning)
            && is_answered(&said.text);
        let share = if own { OF_A_USER } else { 1.0 };
        return Some(Judged {
            weight: verdict.weight * loudness(level, verdict.slug) * share,
            slug: verdict.slug,
            headline: verdict.headline,
            what: verdict.what,
            text: said.text.clone(),
        });
    }
    let weight = match level {
        Level::Fatal => 0.68,
        Level::Error => 0.6,
        Level::None if words::is_trouble(&said.text) => 0.5,
        Level::Warning if !said.error.is_empty() => 0.45,
        Level::Warning if words::is_warned(&said.text) && !is_bad_input(&said.text) => 0.3,
        Level::Warning => REMARK,
        _ => return None,
    };
    Some(Judged {
        weight,
        slug: "application-error",
        headline: "its log ends with an error".to_owned(),
        what: String::new(),
        text: said.text.clone(),
    })
}

/// What a line says.
pub struct Judged {
    /// 0 to 1.
    pub weight: f64,
    /// Cause.
    pub slug: &'static str,
    /// Said about the container.
    pub headline: String,
    /// Dependency, file, variable, …
    pub what: String,
    /// The line on one line, without a long preamble.
    pub text: String,
}

/// The line from shortly before what it says, when a long preamble (a progress meter) comes first.
fn from_word(text: &str, at: usize) -> String {
    const LEAD: usize = 90;
    if at <= LEAD {
        return one_line(text);
    }
    let start = text
        .char_indices()
        .map(|(pos, _)| pos)
        .rfind(|pos| *pos + 24 <= at)
        .unwrap_or(0);
    // A word is not cut: where nothing separates words, the line is shown whole.
    let start = text
        .get(start..at)
        .and_then(|lead| {
            lead.find([' ', ',', '{', '[', '('])
                .map(|found| start + found + 1)
        })
        .unwrap_or(0);
    one_line(&text[start..])
}

/// A line of a stack trace that only says where.
fn is_stack_frame(text: &str) -> bool {
    if super::hangs::is_dump_line(text) {
        return true;
    }
    let text = text.trim_start_matches(['\\', 't', ' ']).trim_start();
    text.starts_with("at ")
        || text.contains("Traceback (most recent call last)")
        || text.starts_with("File \"")
        || text.starts_with("... ")
        || text.starts_with("goroutine ")
        || (text.ends_with(')') && text.contains(".go:"))
}

fn best(lines: &[(u32, String)], file: u32, failing: bool) -> Option<Words> {
    let last = lines.len().checked_sub(1)?;
    let mut found: Option<Words> = None;
    let mut more: Vec<(f64, Src)> = Vec::new();
    for (at, (number, line)) in lines.iter().enumerate() {
        let Some(Judged {
            weight,
            slug,
            headline,
            what,
            text,
        }) = judge(line).filter(|judged| judged.weight > REMARK)
        else {
            continue;
        };
        // The end of the log says why a container ended; in a running one age counts less.
        let from_end = (last - at) as f64;
        let near = if failing {
            1.0 / (1.0 + from_end / 120.0)
        } else {
            1.0 / (1.0 + from_end / 800.0)
        };
        let score = weight * (0.55 + 0.45 * near);
        let src = Src {
            file,
            line: *number,
            column: 0,
        };
        more.push((score, src));
        // Of equals the first names the fault, what follows repeats it; a later one must say more.
        if found
            .as_ref()
            .is_none_or(|known| score > known.score * 1.02)
        {
            found = Some(Words {
                slug,
                score,
                headline,
                what,
                text,
                src,
                more: Vec::new(),
            });
        }
    }
    let mut words = found?;
    // What PostgreSQL and others say below the error belongs to it.
    let detail = lines
        .iter()
        .position(|(number, _)| *number == words.src.line)
        .and_then(|at| lines.get(at + 1))
        .filter(|(_, line)| {
            let line = clean(line);
            ["DETAIL:", "HINT:", "Reason:", "Description:"]
                .iter()
                .any(|lead| line.contains(lead))
        });
    if let Some((number, _)) = detail {
        let src = Src {
            file,
            line: *number,
            column: 0,
        };
        more.push((f64::MAX, src));
    }
    more.sort_by(|a, b| b.0.total_cmp(&a.0));
    words.more = more
        .into_iter()
        .map(|(_, src)| src)
        .filter(|src| *src != words.src)
        .take(2)
        .collect();
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(lines: &[&str]) -> Option<Words> {
        let lines: Vec<(u32, String)> = lines
            .iter()
            .enumerate()
            .map(|(n, line)| (n as u32 + 1, (*line).to_owned()))
            .collect();
        best(&lines, 0, true)
    }

    #[test]
    fn what_is_tried_again_and_what_people_mistype_count_less() {
        let weight = |line: &str| judge(line).map_or(0.0, |judged| judged.weight);
        let last = weight("WARN request to api.example.com timed out, attempt 4/4");
        assert!(weight("WARN request to api.example.com timed out, attempt 1/4") < last);
        assert!(weight("WARN request to api.example.com timed out, attempt 3 of 4") < last);
        let own = weight("WARN smtp: login failed, bad credentials");
        assert!(weight("WARN Login - bad credentials user=u1") < own / 2.0);
        assert!(weight("FATAL: password authentication failed for user \"shop\"") > own);
    }

    #[test]
    fn the_exception_wins_over_its_frames_and_the_usage() {
        let java = said(&[
            "2025 INFO start",
            "Exception in thread \"main\" java.lang.RuntimeException: boot failed",
            "\tat a.B.c(B.java:1)",
            "Caused by: java.net.ConnectException: Connection refused: db:5432",
            "\tat a.B.d(B.java:2)",
        ])
        .unwrap();
        assert_eq!(
            (java.slug, java.src.line),
            ("workload-dependency-unreachable", 4)
        );
        let python = said(&[
            "Traceback (most recent call last):",
            "  File \"/a.py\", line 1, in <module>",
            "    x()",
            "KeyError: 'DB_HOST'",
        ])
        .unwrap();
        assert_eq!(
            (python.slug, python.what.as_str()),
            ("container-missing-env-variable", "DB_HOST")
        );
        let go = said(&[
            "panic: cannot open store",
            "",
            "goroutine 1 [running]:",
            "main.main()",
            "\t/app/main.go:12 +0x1",
        ])
        .unwrap();
        assert_eq!((go.slug, go.src.line), ("application-exception", 1));
        let cli = said(&[
            "Error: unknown command \"srv\" for \"tool\"",
            "Run 'tool --help' for usage.",
            "An error occurred: unknown command \"srv\" for \"tool\"",
        ])
        .unwrap();
        assert_eq!(
            (cli.slug, cli.what.as_str()),
            ("container-unknown-argument", "srv")
        );
    }

    #[test]
    fn silent_logs_say_nothing() {
        assert!(said(&["npm info ok", "listening on 8080", "ready"]).is_none());
        assert!(said(&[]).is_none());
    }

    #[test]
    fn colours_and_carriage_returns_are_cleaned() {
        assert_eq!(clean("\u{1b}[31mERROR\u{1b}[0m boom"), "ERROR boom");
    }

    #[test]
    fn logs_match_their_pod() {
        let pod = Pod {
            ns: "a".into(),
            name: "web-5f7c9d6b8-x2x4z".into(),
            ..Pod::default()
        };
        let log = |ns: &str, pod: &str, container: &str| Log {
            ns: ns.into(),
            pod: pod.into(),
            container: container.into(),
            ..Log::default()
        };
        assert!(belongs(&log("a", "web-5f7c9d6b8-x2x4z", "main"), &pod, ""));
        assert!(belongs(&log("a", "web", ""), &pod, "main"));
        assert!(!belongs(&log("b", "web", ""), &pod, "main"));
        assert!(!belongs(
            &log("a", "web-5f7c9d6b8-x2x4z", "side"),
            &pod,
            "main"
        ));
    }
}
