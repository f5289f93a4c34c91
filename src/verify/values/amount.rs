//! Numbers with a unit: sizes, durations, shares.

use super::MAX_OPERANDS;
use super::moment::stamps;
use regex::Regex;
use std::sync::LazyLock;

/// What is measured; amounts of different kinds are never the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bytes,
    Seconds,
    /// Processor cores.
    Cores,
    Percent,
}

/// Units: name, kind, how many of the kind's base unit. One name may mean several.
const UNITS: &[(&str, Kind, f64)] = &[
    ("B", Kind::Bytes, 1.0),
    ("bytes", Kind::Bytes, 1.0),
    ("byte", Kind::Bytes, 1.0),
    ("Ki", Kind::Bytes, 1024.0),
    ("KiB", Kind::Bytes, 1024.0),
    ("K", Kind::Bytes, 1024.0),
    ("k", Kind::Bytes, 1024.0),
    ("kB", Kind::Bytes, 1024.0),
    ("KB", Kind::Bytes, 1024.0),
    ("kb", Kind::Bytes, 1024.0),
    ("kB", Kind::Bytes, 1e3),
    ("KB", Kind::Bytes, 1e3),
    ("k", Kind::Bytes, 1e3),
    ("Mi", Kind::Bytes, 1_048_576.0),
    ("MiB", Kind::Bytes, 1_048_576.0),
    ("M", Kind::Bytes, 1_048_576.0),
    ("MB", Kind::Bytes, 1_048_576.0),
    ("mb", Kind::Bytes, 1_048_576.0),
    ("M", Kind::Bytes, 1e6),
    ("MB", Kind::Bytes, 1e6),
    ("Gi", Kind::Bytes, 1_073_741_824.0),
    ("GiB", Kind::Bytes, 1_073_741_824.0),
    ("G", Kind::Bytes, 1_073_741_824.0),
    ("GB", Kind::Bytes, 1_073_741_824.0),
    ("gb", Kind::Bytes, 1_073_741_824.0),
    ("g", Kind::Bytes, 1_073_741_824.0),
    ("G", Kind::Bytes, 1e9),
    ("GB", Kind::Bytes, 1e9),
    ("Ti", Kind::Bytes, 1_099_511_627_776.0),
    ("TiB", Kind::Bytes, 1_099_511_627_776.0),
    ("T", Kind::Bytes, 1_099_511_627_776.0),
    ("TB", Kind::Bytes, 1_099_511_627_776.0),
    ("TB", Kind::Bytes, 1e12),
    ("Pi", Kind::Bytes, 1_125_899_906_842_624.0),
    ("PiB", Kind::Bytes, 1_125_899_906_842_624.0),
    ("PB", Kind::Bytes, 1_125_899_906_842_624.0),
    ("ns", Kind::Seconds, 1e-9),
    ("us", Kind::Seconds, 1e-6),
    ("µs", Kind::Seconds, 1e-6),
    ("ms", Kind::Seconds, 1e-3),
    ("msec", Kind::Seconds, 1e-3),
    ("millis", Kind::Seconds, 1e-3),
    ("milliseconds", Kind::Seconds, 1e-3),
    ("s", Kind::Seconds, 1.0),
    ("sec", Kind::Seconds, 1.0),
    ("secs", Kind::Seconds, 1.0),
    ("second", Kind::Seconds, 1.0),
    ("seconds", Kind::Seconds, 1.0),
    ("m", Kind::Seconds, 60.0),
    ("min", Kind::Seconds, 60.0),
    ("mins", Kind::Seconds, 60.0),
    ("minute", Kind::Seconds, 60.0),
    ("minutes", Kind::Seconds, 60.0),
    ("h", Kind::Seconds, 3_600.0),
    ("hr", Kind::Seconds, 3_600.0),
    ("hrs", Kind::Seconds, 3_600.0),
    ("hour", Kind::Seconds, 3_600.0),
    ("hours", Kind::Seconds, 3_600.0),
    ("d", Kind::Seconds, 86_400.0),
    ("day", Kind::Seconds, 86_400.0),
    ("days", Kind::Seconds, 86_400.0),
    ("m", Kind::Cores, 1e-3),
    ("millicores", Kind::Cores, 1e-3),
    ("cores", Kind::Cores, 1.0),
    ("core", Kind::Cores, 1.0),
    ("%", Kind::Percent, 1.0),
    ("percent", Kind::Percent, 1.0),
];

static PART: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(\d[\d,]*(?:\.\d+)?)\s?([A-Za-zµ%]*)")
        .unwrap_or_else(|why| panic!("amount pattern: {why}"))
});
/// Go and systemd write spans as `1h2m3.5s` and `1min 30s`.
static SPAN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(?:\d+(?:\.\d+)?(?:d|h|min|ms|m|s)\s?){2,5}\b")
        .unwrap_or_else(|why| panic!("span pattern: {why}"))
});

/// A number with a unit, or a span of several.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::verify) struct Amount {
    figure: String,
    /// What it may mean: kind, value in the base unit, half of its last digit in the base unit.
    meanings: Vec<(Kind, f64, f64)>,
}

fn number(text: &str) -> Option<f64> {
    plain(text).parse().ok()
}

/// A figure without marks between thousands; a last comma before other than three digits is a decimal point.
fn plain(text: &str) -> String {
    match text.rsplit_once(',') {
        Some((whole, rest)) if rest.len() != 3 && !rest.contains('.') && !whole.contains(',') => {
            format!("{whole}.{rest}")
        }
        _ => text.replace(',', ""),
    }
}

/// What a figure with a unit may mean.
fn meanings(figure: &str, unit: &str) -> Vec<(Kind, f64, f64)> {
    let Some(value) = number(figure) else {
        return Vec::new();
    };
    let digits = plain(figure)
        .split_once('.')
        .map_or(0, |(_, digits)| digits.len());
    let half = 0.5 * 10f64.powi(-i32::try_from(digits.min(12)).unwrap_or(0));
    UNITS
        .iter()
        .filter(|(name, ..)| *name == unit)
        .map(|(_, kind, scale)| (*kind, value * scale, half * scale))
        .collect()
}

/// `1h5m30s` in seconds, with half of its smallest unit.
fn span(text: &str) -> Option<(f64, f64)> {
    let (mut total, mut half, mut end, mut count) = (0.0, 0.0, 0, 0);
    for part in PART.captures_iter(text) {
        let whole = part.get(0)?;
        if !text.get(end..whole.start())?.trim().is_empty() {
            return None;
        }
        end = whole.end();
        let (_, value, error) = *meanings(&part[1], &part[2])
            .iter()
            .find(|(kind, ..)| *kind == Kind::Seconds)?;
        total += value;
        half = error;
        count += 1;
    }
    (end == text.len() && count > 1).then_some((total, half))
}

impl Amount {
    /// Reads a text that is nothing but a number with a unit.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches(['+', '-', '~']);
        if text.len() > 40 || !text.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        if let Some((value, half)) = span(text) {
            return Some(Self {
                figure: text.to_owned(),
                meanings: vec![(Kind::Seconds, value, half)],
            });
        }
        let part = PART.captures(text)?;
        if part.get(0)?.as_str().len() != text.len() {
            return None;
        }
        let meanings = meanings(&part[1], &part[2]);
        (!meanings.is_empty()).then(|| Self {
            figure: part[1].to_owned(),
            meanings,
        })
    }

    /// Whether it is a time with digits behind the point, in seconds or less: such a figure is copied, not estimated.
    pub fn is_exact_time(&self) -> bool {
        plain(&self.figure).contains('.')
            && !self.meanings.is_empty()
            && self
                .meanings
                .iter()
                .all(|(kind, _, half)| *kind == Kind::Seconds && *half <= 0.5)
    }

    /// The same, without room for rounding.
    pub fn exactly(&self) -> Self {
        let mut out = self.clone();
        for (_, _, half) in &mut out.meanings {
            *half = 0.0;
        }
        out
    }

    /// Whether it is a share.
    pub fn is_share(&self) -> bool {
        self.meanings
            .iter()
            .any(|(kind, ..)| *kind == Kind::Percent)
    }

    /// Beginnings of the figures under which it may stand in a line, in whatever unit.
    pub fn hints(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (kind, value, half) in &self.meanings {
            let scales = UNITS
                .iter()
                .filter(|(_, other, _)| other == kind)
                .map(|(_, _, scale)| *scale)
                .chain([1.0, 1e-3, 100.0]);
            for scale in scales {
                beginnings((value - half) / scale, (value + half) / scale, &mut out);
            }
        }
        out.sort();
        out.dedup();
        out
    }

    /// Whether a line of the bundle writes the same amount. Stricter than for evidence: parts of names and times do not
    /// count, nor a bare number for a share where nothing in the line speaks of shares.
    pub fn stands_in_line(&self, line: &str) -> bool {
        let shares = || {
            let lower = line.to_ascii_lowercase();
            ["%", "percent", "pct", "util", "ratio", "usage"]
                .iter()
                .any(|word| lower.contains(word))
        };
        let times = || {
            let lower = line.to_ascii_lowercase();
            self.meanings
                .iter()
                .any(|(kind, ..)| *kind == Kind::Seconds)
                && [
                    "sec", "timeout", "period", "delay", "interval", "duration", "ttl",
                ]
                .iter()
                .any(|word| lower.contains(word))
        };
        PART.captures_iter(line).any(|part| {
            let (Some(whole), Some(figure)) = (part.get(0), part.get(1)) else {
                return false;
            };
            let before = line[..figure.start()].chars().next_back();
            let part_of_more = match before {
                Some(':') => line[..figure.start() - 1].ends_with(|c: char| c.is_ascii_digit()),
                Some(c) => c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/'),
                None => false,
            };
            let after = line[whole.end()..].chars().next();
            if part_of_more
                || part[2].is_empty()
                    && matches!(after, Some(':' | '.' | '_' | '-' | '/'))
                    && line[whole.end() + 1..].starts_with(|c: char| c.is_ascii_alphanumeric())
            {
                return false;
            }
            let text = &line[whole.range()];
            if !part[2].is_empty() && meanings(&part[1], &part[2]).is_empty() {
                return false;
            }
            let digits = part[1].bytes().filter(u8::is_ascii_digit).count();
            if part[2].is_empty() && digits < 3 && !self.is_share() && !times() {
                return false;
            }
            if self.is_share() && !part[2].contains('%') && !shares() {
                return false;
            }
            let rest = line[whole.end()..].chars().next();
            let longer = rest.is_some_and(|c| c.is_alphanumeric() || c == '_');
            !longer && self.stands_in(text)
        }) || SPAN
            .find_iter(line)
            .filter_map(|found| span(found.as_str().trim()))
            .any(|(value, half)| self.is(Kind::Seconds, value, half))
    }

    fn is(&self, kind: Kind, value: f64, half: f64) -> bool {
        self.meanings.iter().any(|(own, wanted, own_half)| {
            // Either may be the rounded one; a value of nothing is nothing.
            *own == kind
                && (value - wanted).abs()
                    <= own_half.max(half).min(wanted.abs() * 0.05 + 1e-12) + wanted.abs() * 1e-9
        })
    }

    /// Whether `text` writes the same amount in some unit, or as a bare number of the base unit.
    pub fn stands_in(&self, text: &str) -> bool {
        PART.captures_iter(text).any(|part| {
            let (figure, unit) = (&part[1], &part[2]);
            if figure.replace(',', "") == self.figure.replace(',', "")
                && meanings(figure, unit).is_empty()
            {
                return true;
            }
            if meanings(figure, unit)
                .into_iter()
                .any(|(kind, value, half)| self.is(kind, value, half))
            {
                return true;
            }
            // Bare: bytes, seconds or thousandths, cores, a share from 0 to 1 or in percent.
            number(figure).is_some_and(|value| {
                [
                    (Kind::Bytes, 1.0),
                    (Kind::Bytes, 1024.0),
                    (Kind::Seconds, 1.0),
                    (Kind::Seconds, 1e-3),
                    (Kind::Cores, 1.0),
                    (Kind::Percent, 1.0),
                    (Kind::Percent, 100.0),
                ]
                .into_iter()
                .any(|(kind, scale)| self.is(kind, value * scale, 0.0))
            })
        }) || SPAN
            .find_iter(text)
            .filter_map(|found| span(found.as_str().trim()))
            .any(|(value, half)| self.is(Kind::Seconds, value, half))
    }

    /// How it follows from two numbers or two times of `text`.
    pub fn follows_from(&self, text: &str) -> Option<String> {
        for line in text.lines() {
            let numbers: Vec<(String, f64)> = PART
                .captures_iter(line)
                .filter_map(|part| Some((part[1].to_owned(), number(&part[1])?)))
                .filter(|(_, value)| *value > 0.0)
                .take(MAX_OPERANDS)
                .collect();
            for (first, a) in &numbers {
                for (second, b) in &numbers {
                    if a < b && self.is(Kind::Percent, a / b * 100.0, 0.0) {
                        return Some(format!("{first} of {second}"));
                    }
                    if a < b && self.is(Kind::Percent, 100.0 - a / b * 100.0, 0.0) {
                        return Some(format!("the rest of {first} of {second}"));
                    }
                }
            }
            let amounts: Vec<(String, Kind, f64)> = PART
                .captures_iter(line)
                .flat_map(|part| {
                    let shown = part[0].to_owned();
                    meanings(&part[1], &part[2])
                        .into_iter()
                        .map(move |(kind, value, _)| (shown.clone(), kind, value))
                })
                .filter(|(_, kind, _)| *kind != Kind::Percent)
                .take(MAX_OPERANDS)
                .collect();
            for (at, (first, kind, a)) in amounts.iter().enumerate() {
                for (second, other, b) in &amounts[at + 1..] {
                    if kind == other && self.is(*kind, a + b, 0.0) {
                        return Some(format!("{first} and {second}"));
                    }
                    if kind == other && self.is(*kind, (a - b).abs(), 0.0) {
                        return Some(format!("{first} less {second}"));
                    }
                }
            }
        }
        let stamps = stamps(text, MAX_OPERANDS);
        stamps
            .iter()
            .enumerate()
            .any(|(at, first)| {
                stamps[at + 1..]
                    .iter()
                    .any(|second| self.is(Kind::Seconds, (second - first).abs(), 0.5))
            })
            .then(|| "the time between two of its lines".to_owned())
    }

    /// Exact ways to write it in other units.
    pub fn spellings(&self) -> Vec<String> {
        let mut out = Vec::new();
        for (kind, value, _) in &self.meanings {
            for (unit, _, scale) in UNITS.iter().filter(|(_, other, _)| other == kind) {
                let figure = value / scale;
                if !(1e-3..1e15).contains(&figure) {
                    continue;
                }
                let figure = if figure.fract().abs() < 1e-9 {
                    format!("{figure:.0}")
                } else {
                    let short = format!("{figure:.3}");
                    let short = short.trim_end_matches('0').trim_end_matches('.').to_owned();
                    if number(&short) != Some(figure) {
                        continue;
                    }
                    short
                };
                out.push(format!("{figure}{unit}"));
                out.push(format!("{figure} {unit}"));
            }
            match kind {
                Kind::Bytes if value.fract() == 0.0 && *value >= 1024.0 && *value < 1e15 => {
                    out.push(format!("{value:.0}"))
                }
                Kind::Seconds if *value >= 60.0 && value.fract() == 0.0 && *value < 1e9 => {
                    out.push(go_span(*value as u64))
                }
                _ => {}
            }
        }
        // A short bare number stands in any bundle, and none is a share; the second look asks what stands beside it.
        if self.figure.bytes().filter(u8::is_ascii_digit).count() >= 4
            && !self.is_share()
            && !self.is_exact_time()
        {
            out.push(self.figure.clone());
        }
        out.sort();
        out.dedup();
        out
    }
}

/// Most beginnings between two figures.
const MAX_BEGINNINGS: i64 = 120;

/// The first three digits of every figure from `low` to `high`, as they are written, with and without marks between
/// thousands; a figure of fewer digits as it is.
fn beginnings(low: f64, high: f64, out: &mut Vec<String>) {
    if !(1e-3..1e15).contains(&high) {
        return;
    }
    let size = high.log10().floor() as i32;
    let step = 10f64.powi(size - 2);
    let (from, to) = ((low / step).floor() as i64, (high / step).floor() as i64);
    if to - from > MAX_BEGINNINGS {
        return;
    }
    for figure in from.max(0)..=to {
        let figure = figure as f64 * step;
        match size {
            2.. => {
                let text = format!("{figure:.0}");
                out.push(text[..text.len().min(3)].to_owned());
                if text.len() % 3 != 0 && text.len() > 3 {
                    let first = text.len() % 3;
                    out.push(format!("{},{}", &text[..first], &text[first..3.max(first)]));
                }
            }
            _ => {
                let digits = usize::try_from(2 - size).unwrap_or(0);
                let text = format!("{figure:.digits$}");
                let short = text.trim_end_matches('0').trim_end_matches('.');
                out.push(short.to_owned());
            }
        }
    }
}

/// As Go prints a duration: `1h0m5s`.
fn go_span(seconds: u64) -> String {
    let (hours, minutes, rest) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}h{minutes}m{rest}s")
    } else {
        format!("{minutes}m{rest}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(said: &str, line: &str) -> bool {
        let amount = Amount::parse(said).unwrap_or_else(|| panic!("{said} is no amount"));
        let hinted = amount
            .hints()
            .iter()
            .any(|hint| line.contains(hint.as_str()));
        hinted && amount.stands_in_line(line)
    }

    #[test]
    fn a_line_gives_an_amount_in_any_unit_and_rounded() {
        for (said, line) in [
            ("57.9 seconds", "took 57912ms to collect"),
            ("32.6 s", "elapsed=32,635ms"),
            ("367 MiB", "Mem: 16393216 375912 15000000"),
            ("2 GiB", "memory: 2097152Ki"),
            ("37 %", "/dev/vda2 9G 3G 5G 37% /"),
            ("37 %", "cpu usage 36.8"),
            ("30s", "initialDelaySeconds: 30"),
            ("12,5 GB", "size 12.5 GB"),
            ("3m0s", "timeout 180s"),
        ] {
            assert!(holds(said, line), "{said} in {line}");
        }
    }

    #[test]
    fn a_number_that_is_something_else_is_not_taken_for_it() {
        for (said, line) in [
            ("57.9 seconds", "2022-02-10T12:03:57.912 start"),
            ("57.9 seconds", "took 32635ms"),
            ("37 %", "ii libefivar1 37-2ubuntu2.2 amd64"),
            ("4Gi", "\"cpu\": \"4\","),
            ("4Gi", "containerID=4342019fbd"),
            ("30s", "30 pods"),
            ("64Mi", "64 packages"),
        ] {
            assert!(!holds(said, line), "{said} in {line}");
        }
        let spelled = Amount::parse("64Mi").map(|amount| amount.spellings());
        assert!(spelled.is_some_and(|all| !all.contains(&"64".to_owned())));
    }
}
