//! Numbers with a unit: sizes, durations, shares.

mod in_lines;

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
                .chain(spans_in(text))
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
                let figure = if (figure - figure.round()).abs() < 1e-9 {
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

/// What a bare number may count where the text names it so: traces give durations in millionths of a second (Jaeger,
/// Zipkin: `"duration": 5615291`) or say their unit in the key (`durationNanos`, `latency_us`).
fn spans_in(text: &str) -> impl Iterator<Item = (Kind, f64)> + use<> {
    let lower = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let millionths = says(&["\"duration\"", "micro", "_us\"", "_us="]);
    let billionths = says(&["nano", "_ns\"", "_ns="]);
    [(millionths, 1e-6), (billionths, 1e-9)]
        .into_iter()
        .filter_map(|(said, scale)| said.then_some((Kind::Seconds, scale)))
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

    #[test]
    fn commas_part_thousands_or_stand_for_the_decimal_point() {
        for (text, value) in [
            ("12,5", 12.5),
            ("12,55", 12.55),
            ("1,2345", 1.2345),
            ("1,234", 1_234.0),
            ("1,234.5", 1_234.5),
            ("1,234.56", 1_234.56),
            ("1,234,567", 1_234_567.0),
            ("1,234,56", 123_456.0),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
    }

    #[test]
    fn an_amount_is_a_number_with_a_unit_and_not_too_long() {
        let long = |length: usize| format!("{}MB", "0".repeat(length - 3) + "5");
        assert!(Amount::parse(&long(40)).is_some());
        assert!(Amount::parse(&long(41)).is_none());
        for text in ["+5 MB", "-5MB", "~5 MB", " 5MB "] {
            assert!(
                Amount::parse(text).is_some_and(|amount| amount.stands_in("5 MB")),
                "{text}"
            );
        }
        for text in ["MB", "x5 MB", "5", "5 pods", "5MB/s", "5MB 3", "1h x 5m"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_amount_is_spelled_in_every_unit_in_which_it_is_exact() {
        for (said, there, not_there) in [
            (
                "50MiB",
                vec!["52428800", "51200Ki", "51200 KiB", "50Mi", "50 MB"],
                vec!["0.049GiB", "0.048GiB", "50ms", "50s", "50"],
            ),
            (
                "1.5 GiB",
                vec!["1.5Gi", "1536Mi", "1610612736"],
                vec!["2Gi", "1.5", "0.001TiB"],
            ),
            ("0.5 B", vec!["0.5 bytes"], vec!["0", "1"]),
            ("999 B", vec!["999bytes"], vec!["999"]),
            ("1Ki", vec!["1024", "1024 B"], vec![]),
            ("1.0005 KiB", vec!["1.0005"], vec!["1025", "1024"]),
            ("1 PiB", vec!["1024TiB"], vec!["1125899906842624"]),
            ("1000TB", vec!["1000"], vec!["1000000000000000"]),
            (
                "1.5s",
                vec!["1500ms", "1500 msec", "1500000us"],
                vec!["2s", "0m1s", "0m2s"],
            ),
            ("0.7s", vec!["700ms"], vec![]),
            ("1.4 s", vec!["1400 ms"], vec![]),
            ("57.912s", vec!["57912ms"], vec!["57.912"]),
            ("59s", vec!["59000ms"], vec!["0m59s"]),
            ("60s", vec!["1m0s", "1min", "1 minute"], vec!["0h1m0s"]),
            ("90.5s", vec!["90500ms"], vec!["1m30s", "1m31s"]),
            ("90m", vec!["1h30m0s", "1.5h", "0.09 cores"], vec!["1h"]),
            ("3661s", vec!["1h1m1s", "3661"], vec![]),
            ("999999999s", vec!["277777h46m39s"], vec![]),
            ("1000000000s", vec![], vec!["277777h46m40s"]),
            ("99.999%", vec!["99.999 %", "99.999percent"], vec!["99.999"]),
            ("5761 pods", vec![], vec![]),
        ] {
            let spelled = Amount::parse(said).map_or_else(Vec::new, |amount| amount.spellings());
            for text in there {
                assert!(
                    spelled.contains(&text.to_owned()),
                    "{said} is no {text}: {spelled:?}"
                );
            }
            for text in not_there {
                assert!(!spelled.contains(&text.to_owned()), "{said} is {text}");
            }
        }
    }

    #[test]
    fn nothing_is_nothing_in_any_unit() {
        for (said, shown, same) in [
            ("0s", "took 0ms", true),
            ("0 %", "Use% 0", true),
            ("0s", "took 1ms", false),
            ("1s", "took 0ms", false),
        ] {
            let amount = Amount::parse(said).unwrap();
            assert_eq!(amount.stands_in(shown), same, "{said} in {shown}");
        }
    }

    #[test]
    fn a_figure_follows_from_two_others_of_its_kind() {
        for (said, shown, how) in [
            ("85%", "used 3400 of 4000", Some("3400 of 4000")),
            ("15%", "used 3400 of 4000", Some("the rest of 3400 of 4000")),
            ("100%", "used 4000", None),
            ("0%", "used 4000", None),
            ("100%", "used 0 of 4000", None),
            ("600Mi", "400Mi and 200Mi", Some("400Mi and 200Mi")),
            ("200Mi", "400Mi of 600Mi", Some("400Mi less 600Mi")),
            ("200Mi", "600Mi of 400Mi", Some("600Mi less 400Mi")),
            ("800Mi", "400Mi", None),
            ("450 bytes", "400 bytes in 50 seconds", None),
            ("350 bytes", "400 bytes in 50 seconds", None),
            ("450 bytes", "50 seconds, 400 bytes", None),
            ("600Mi", "400Mi\n200Mi", None),
            ("30%", "10% and 20%", None),
        ] {
            let found = Amount::parse(said).unwrap().follows_from(shown);
            assert_eq!(found.as_deref(), how, "{said} from {shown}");
        }
    }

    #[test]
    fn a_span_is_the_time_between_two_lines() {
        for (said, shown, follows) in [
            ("30s", "2022-02-17T23:59:50 a\n2022-02-18T00:00:20 b", true),
            ("30s", "2021-12-31 23:59:50 a\n2022-01-01 00:00:20 b", true),
            ("30s", "Feb 28 23:59:50 a\nMar  1 00:00:20 b", true),
            ("30s", "23:59:50 a\n23:59:20 b", true),
            ("30s", "2022-02-17T23:59:50 a\n2022-02-19T00:00:20 b", false),
            ("30s", "Feb 17 23:59:50 a\nFeb 19 00:00:20 b", false),
            ("0.75s", "12:00:05.250 a\n12:00:06.000 b", true),
            ("1.25s", "12:00:05.250 a\n12:00:06.000 b", false),
            ("2m", "12:00 a\n12:02 b", true),
            ("0s", "12:00:05 a", false),
        ] {
            let found = Amount::parse(said).unwrap().follows_from(shown);
            assert_eq!(found.is_some(), follows, "{said} from {shown}");
        }
    }
}
