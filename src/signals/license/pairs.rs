//! Keys and values of a settings file with their lines, from JSON, YAML, TOML and plain `key: value` alike.

use regex::Regex;
use std::sync::LazyLock;

static PAIR: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"["']?([A-Za-z][\w.\-]{0,63})["']?\s*[:=]\s*(?:"([^"]{0,200})"|'([^']{0,200})'|([^\s,;{}\[\]"'#]{1,80}))?"#).ok()
});

/// A key with its value; an empty value when what follows is nested or on the next line.
pub fn of_line(line: &str) -> Vec<(&str, &str)> {
    let Some(form) = PAIR.as_ref() else {
        return vec![];
    };
    form.captures_iter(line)
        .filter_map(|found| {
            let value = found
                .get(2)
                .or(found.get(3))
                .or(found.get(4))
                .map_or("", |value| value.as_str());
            Some((found.get(1)?.as_str(), value))
        })
        .collect()
}

/// A whole, plausible count.
pub fn count(value: &str) -> Option<u64> {
    value
        .trim()
        .parse()
        .ok()
        .filter(|n| (1..1_000_000).contains(n))
}

/// A time stamp: its day, to compare by, and its text as it stands in the bundle, to show.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Year, month and day.
    pub day: String,
    /// As written.
    pub written: String,
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.written)?;
        if self.written.bytes().all(|byte| byte.is_ascii_digit()) {
            f.write_str(" since 1970")?;
        }
        Ok(())
    }
}

/// Reads a time stamp: RFC 3339, a plain date, or milliseconds or seconds since 1970.
pub fn stamp(value: &str) -> Option<Stamp> {
    let written = value.trim().to_owned();
    day(value).map(|day| Stamp { day, written })
}

fn day(value: &str) -> Option<String> {
    let value = value.trim();
    let bytes = value.as_bytes();
    if bytes.len() >= 10 && bytes[4] == b'-' && bytes[7] == b'-' {
        let date = value.get(..10)?;
        let digits = date.bytes().filter(u8::is_ascii_digit).count();
        return (digits == 8).then(|| date.to_owned());
    }
    let number: u64 = value.parse().ok()?;
    let seconds = match number {
        1_000_000_000_000..10_000_000_000_000 => number / 1000,
        1_000_000_000..10_000_000_000 => number,
        _ => return None,
    };
    Some(crate::record::rfc3339(seconds).get(..10)?.to_owned())
}
