//! What a log says by its numbers, not by its words: shares of failing requests, slow operations,
//! memory that only grows. One pass over the lines, bounded memory.

use super::model::Src;
use aho_corasick::AhoCorasick;
use regex::Regex;
use std::collections::HashMap;
use std::sync::LazyLock;

/// Different requests and operations remembered per log.
const MAX_SHAPES: usize = 300;
/// Durations remembered per operation.
const MAX_SAMPLES: usize = 2_000;
/// Memory readings remembered per log.
const MAX_READINGS: usize = 20_000;

static REQUEST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"\b(?P<method>GET|POST|PUT|DELETE|PATCH|HEAD)["\s,]{1,3}(?:path[=:]\s*"?)?(?P<path>/[^\s"?,]*)"#).ok()
});
static FIELDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(?:path|uri|url|request|route|endpoint)["']?\s*[=:]\s*["']?(?P<path>(?:https?://[^/\s"]+)?/[^\s"?,]*)"#).ok()
});
static STATUS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?:status(?:_?code)?|http_status|code|response)["']?\s*[=:]\s*["']?(?P<a>[1-5]\d\d)\b|"\s(?P<b>[1-5]\d\d)\s|(?:\s|->\s?|→\s?|returned\s|- )(?P<c>[1-5]\d\d)(?:\s|$|,|;|\))"#).ok()
});
static TOOK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?:\b(?:took|elapsed|latency|duration|lasted|cost)|(?:response|request|query|execution|processing|upstream_response|elapsed|total)[_ -]?time|\b(?:completed|finished|executed|processed|done|responded|answered|served|returned|returning|\d{3}) in|duration|latency|elapsed)(?:_?(?P<key>ms|sec|seconds|s|us|ns))?["']?\s*(?:[=:]|is|was|of|after)?\s*["']?(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>ms|milliseconds?|millis|s|secs?|seconds?|µs|us|ns|m|min|minutes?)?\b"#).ok()
});
/// Durations that are plans, not measurements, or that belong to a start.
static PLANNED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:retry(?:ing)?|next|wait(?:ing)?|sleep(?:ing)?|refresh|expires?|every|interval|timeout|backoff|ttl|uptime|schedul\w*|started|startup|boot\w*|initiali[sz]\w*|migrat\w*|compil\w*|checkpoint|vacuum|compact\w*|snapshot|backup|keepalive|lease|session|replay\w*)\b").ok()
});
/// Work that a program does for itself; told as information, nobody waits for it.
static BACKGROUND: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:gc|garbage|wal|tsdb|block|rotat\w*|flush\w*|prun\w*|sync\w*|reconcil\w*|reindex\w*|truncat\w*|clean\w*|housekeeping|purg\w*|evict\w*|rebalanc\w*|reload\w*|scrap\w*|crawl\w*|export\w*|rollup|retention)\b").ok()
});
static MEMORY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(?:memory|heap|rss|mem|heap_?used|memory_?usage|alloc(?:ated)?)(?:[ _-]?(?:usage|used|use|size|consumption|in use|now))*["']?\s*(?:[=:]|is|at|now)?\s*["']?(?P<value>\d+(?:\.\d+)?)\s*(?P<unit>[KMG]i?B|bytes|[KMG]i?|%)"#).ok()
});
static INNER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:select|insert|update|delete from|query|sql|database|db|redis|mongo\w*|upstream|downstream|external|call(?:ing|ed)? |dependency|rpc|lookup|dns|fetch\w*)\b").ok()
});

static COUNTS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build([
            "took", "elapsed", "latency", "duration", "lasted", "time", " in ", "memory", "heap",
            "rss", "mem", "alloc",
        ])
        .ok()
});

/// Whether a line may hold a duration or a reading of memory.
pub fn may_count(line: &str) -> bool {
    line.bytes().any(|byte| byte.is_ascii_digit())
        && COUNTS
            .as_ref()
            .is_some_and(|words| words.is_match(clip(line)))
}

/// A path without what differs between requests.
fn path_shape(path: &str) -> String {
    let mut out = String::new();
    for part in path.split('/').take(8) {
        let variable = part.len() > 24
            || part.bytes().any(|b| b.is_ascii_digit())
                && !(part.starts_with('v') && part.len() < 4)
                && !part.bytes().all(|b| b.is_ascii_lowercase());
        if !out.is_empty() || path.starts_with('/') {
            out.push('/');
        }
        out.push_str(if variable { "*" } else { part });
    }
    let out = out.replace("//", "/");
    out.chars().take(80).collect()
}

/// Requests of one kind.
#[derive(Debug, Clone, Default)]
pub struct Requests {
    /// All.
    pub total: usize,
    /// Answered with 5xx.
    pub server: usize,
    /// Answered with 4xx.
    pub client: usize,
    /// How often each failing status occurred.
    pub codes: HashMap<u16, usize>,
    /// First and last failing line.
    pub lines: Option<(u32, u32)>,
}

/// Durations of one kind of operation.
#[derive(Debug, Clone, Default)]
pub struct Operation {
    /// Milliseconds.
    pub samples: Vec<f64>,
    /// How many in all.
    pub count: usize,
    /// Longest, and its line.
    pub longest: (f64, u32),
    /// First line.
    pub first: u32,
    /// Whether it is a call to something else, such as a query.
    pub inner: bool,
    /// The longest line, shortened.
    pub text: String,
}

impl Operation {
    /// The middle duration, milliseconds.
    pub fn median(&self) -> f64 {
        let mut sorted = self.samples.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
    }
}

/// What was seen in one log.
#[derive(Debug, Default)]
pub struct Seen {
    /// Requests by method and path.
    pub requests: HashMap<String, Requests>,
    /// Operations by shape.
    pub operations: HashMap<String, Operation>,
    /// Readings of memory: line, megabytes or per cent.
    pub memory: Vec<(u32, f64, bool)>,
    /// Lines with a request and a status.
    pub answered: usize,
    /// Lines with a duration.
    pub timed: usize,
}

impl Seen {
    /// Looks at one line; `shape` is the line without its numbers.
    pub fn line(&mut self, number: u32, line: &str, shape: &str) {
        let line = clip(line);
        if line.contains(['/']) {
            self.request(number, line);
        }
        self.duration(number, line, shape);
        if self.memory.len() < MAX_READINGS
            && let Some(found) = MEMORY.as_ref().and_then(|regex| regex.captures(line))
            && let Some(value) = number_of(&found)
        {
            let unit = found
                .name("unit")
                .map_or("", |unit| unit.as_str())
                .to_ascii_uppercase();
            let factor = match unit.as_bytes().first() {
                Some(b'K') => 1.0 / 1024.0,
                Some(b'G') => 1024.0,
                Some(b'B') => 1.0 / 1_048_576.0,
                _ => 1.0,
            };
            self.memory.push((number, value * factor, unit == "%"));
        }
    }

    fn request(&mut self, number: u32, line: &str) {
        let (key, rest) = match REQUEST.as_ref().and_then(|regex| regex.captures(line)) {
            Some(found) => {
                let (Some(method), Some(path)) = (found.name("method"), found.name("path")) else {
                    return;
                };
                (
                    format!("{} {}", method.as_str(), path_shape(path.as_str())),
                    &line[path.end()..],
                )
            }
            None => {
                let Some(path) = FIELDS
                    .as_ref()
                    .and_then(|regex| regex.captures(line))
                    .and_then(|found| found.name("path"))
                else {
                    return;
                };
                (path_shape(path.as_str()), line)
            }
        };
        // A status before the path counts only where it is named (`status=500 … path=/x`).
        let status = |text: &str| -> Option<u16> {
            let found = STATUS.as_ref()?.captures(text)?;
            let code = ["a", "b", "c"].iter().find_map(|group| found.name(group))?;
            // A bare number with a unit behind it is a duration or a size.
            let after = text.get(code.end()..).unwrap_or_default().trim_start();
            let has_unit = [
                "ms", "s ", "sec", "µs", "us ", "bytes", "items", "rows", "MB", "kB", "KB",
            ]
            .iter()
            .any(|unit| after.starts_with(unit));
            if has_unit && found.name("c").is_some() {
                return None;
            }
            code.as_str().parse().ok()
        };
        let Some(code) = status(rest).or_else(|| {
            line.to_ascii_lowercase()
                .contains("status")
                .then(|| status(line))
                .flatten()
        }) else {
            return;
        };
        if !self.requests.contains_key(&key) && self.requests.len() >= MAX_SHAPES {
            return;
        }
        self.answered += 1;
        let entry = self.requests.entry(key).or_default();
        entry.total += 1;
        if code >= 400 {
            if code >= 500 {
                entry.server += 1;
            } else {
                entry.client += 1;
            }
            *entry.codes.entry(code).or_default() += 1;
            entry.lines = Some((entry.lines.map_or(number, |(first, _)| first), number));
        }
    }

    fn duration(&mut self, number: u32, line: &str, shape: &str) {
        let Some(found) = TOOK.as_ref().and_then(|regex| regex.captures(line)) else {
            return;
        };
        let Some(value) = number_of(&found) else {
            return;
        };
        let unit = found
            .name("unit")
            .or_else(|| found.name("key"))
            .map_or("", |unit| unit.as_str())
            .to_ascii_lowercase();
        let milliseconds = match unit.as_str() {
            "ns" => value / 1e6,
            "us" | "µs" => value / 1e3,
            text if text.starts_with("ms") || text.starts_with("milli") => value,
            text if text.starts_with('s') => value * 1e3,
            text if text.starts_with('m') => value * 6e4,
            // `request_time 5.012`: seconds by the custom of web servers.
            _ if found
                .get(0)
                .is_some_and(|all| all.as_str().to_ascii_lowercase().contains("_time"))
                && value < 600.0 =>
            {
                value * 1e3
            }
            _ => return,
        };
        let own_work = || {
            BACKGROUND
                .as_ref()
                .is_some_and(|regex| regex.is_match(line))
                && super::words::level(line) == super::words::Level::Quiet
        };
        if PLANNED.as_ref().is_some_and(|regex| regex.is_match(line)) || own_work() {
            return;
        }
        if !self.operations.contains_key(shape) && self.operations.len() >= MAX_SHAPES {
            return;
        }
        self.timed += 1;
        let entry = self.operations.entry(shape.to_owned()).or_default();
        entry.count += 1;
        if entry.first == 0 {
            entry.first = number;
            entry.inner = INNER.as_ref().is_some_and(|regex| regex.is_match(line));
        }
        if entry.samples.len() < MAX_SAMPLES {
            entry.samples.push(milliseconds);
        }
        if milliseconds > entry.longest.0 {
            entry.longest = (milliseconds, number);
            entry.text = line.to_owned();
        }
    }

    /// Whether memory only grows: first reading, last reading, last line, whether per cent.
    pub fn growth(&self) -> Option<(f64, f64, u32, bool)> {
        let of = self.memory.last()?.2;
        let series: Vec<(u32, f64)> = self
            .memory
            .iter()
            .filter(|(_, _, percent)| *percent == of)
            .map(|(line, value, _)| (*line, *value))
            .collect();
        let (first, last) = (series.first()?, series.last()?);
        let steps = series.len().checked_sub(1)?;
        let up = series
            .windows(2)
            .filter(|pair| pair[1].1 >= pair[0].1)
            .count();
        let grown =
            last.1 >= first.1 * 1.6 && (!of || last.1 >= 80.0) && (of || last.1 - first.1 >= 20.0);
        (steps >= 5 && up * 10 >= steps * 9 && grown).then_some((first.1, last.1, last.0, of))
    }
}

fn number_of(found: &regex::Captures) -> Option<f64> {
    found.name("value")?.as_str().parse().ok()
}

fn clip(line: &str) -> &str {
    let mut end = line.len().min(1_500);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

/// A place in the log's file.
pub fn at(file: u32, line: u32) -> Src {
    Src {
        file,
        line,
        column: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lines: &[String]) -> Seen {
        let mut seen = Seen::default();
        for (number, line) in lines.iter().enumerate() {
            seen.line(
                u32::try_from(number).unwrap() + 1,
                line,
                &line.replace(|c: char| c.is_ascii_digit(), "#"),
            );
        }
        seen
    }

    #[test]
    fn statuses_are_read_in_many_styles() {
        for line in [
            r#"10.0.0.1 - - [14/Jul/2025:10:00:00 +0000] "POST /pay HTTP/1.1" 503 153"#,
            r#"{"method":"POST","path":"/pay","status":503}"#,
            "level=info method=POST path=/pay status=503 dur=3ms",
            "INFO POST /pay 503 in 12ms",
            "POST /pay -> 503",
        ] {
            let seen = seen(&[line.to_owned()]);
            let (path, requests) = seen
                .requests
                .iter()
                .next()
                .unwrap_or_else(|| panic!("{line}"));
            assert!(path.ends_with("/pay"), "{path}");
            assert_eq!(requests.server, 1, "{line}");
        }
        assert!(
            seen(&["GET /items took 500 ms".to_owned()])
                .requests
                .is_empty()
        );
    }

    #[test]
    fn durations_have_units_and_plans_are_none() {
        for (line, want) in [
            ("query took 5.01 seconds", 5010.0),
            ("GET /x 200 in 5200ms", 5200.0),
            (r#"{"duration_ms": 812}"#, 812.0),
            (r#"request_time=2.5 upstream"#, 2500.0),
            ("duration=1.2s", 1200.0),
        ] {
            let seen = seen(&[line.to_owned()]);
            assert_eq!(
                seen.operations.values().next().map(|o| o.longest.0.round()),
                Some(want),
                "{line}"
            );
        }
        for line in [
            "retrying in 30 seconds",
            "Started App in 12.2 seconds",
            "lease duration 15s",
            "level=info component=tsdb msg=\"write block\" duration=9.6s",
            "took 12 items",
        ] {
            assert!(seen(&[line.to_owned()]).operations.is_empty(), "{line}");
        }
    }

    #[test]
    fn memory_that_only_grows_is_told_from_memory_that_breathes() {
        let grows: Vec<String> = (0..20)
            .map(|n| format!("memory usage: {}MB / 1024MB", 100 + n * 20))
            .collect();
        assert_eq!(
            seen(&grows)
                .growth()
                .map(|(first, last, _, _)| (first, last)),
            Some((100.0, 480.0))
        );
        let breathes: Vec<String> = (0..20)
            .map(|n| format!("heap used: {}MB", 100 + (n % 5) * 40))
            .collect();
        assert!(seen(&breathes).growth().is_none());
    }

    #[test]
    fn paths_lose_their_identifiers() {
        assert_eq!(path_shape("/api/v1/items/4711"), "/api/v1/items/*");
        assert_eq!(path_shape("/checkout"), "/checkout");
    }
}
