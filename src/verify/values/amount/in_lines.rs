//! Amounts in lines of a bundle: what to look for, and whether a line gives the same amount.

use super::{Amount, Kind, PART, SPAN, UNITS, meanings, plain, span};

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
                // The step leaves so many digits unknown; a figure below the last power of ten has two that are known.
                let known = text
                    .len()
                    .saturating_sub(usize::try_from(size - 2).unwrap_or(0));
                out.push(text[..known].to_owned());
                let first = text.len() % 3;
                if (1..known).contains(&first) {
                    out.push(format!("{},{}", &text[..first], &text[first..known]));
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

impl Amount {
    /// Whether it is a time with digits behind the point, in seconds or less: such a figure is copied, not estimated.
    pub fn is_exact_time(&self) -> bool {
        plain(&self.figure).contains('.')
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
            let longer = !text.ends_with(char::is_whitespace)
                && rest.is_some_and(|c| c.is_alphanumeric() || c == '_');
            !longer && self.stands_in(text)
        }) || SPAN
            .find_iter(line)
            .filter_map(|found| span(found.as_str().trim()))
            .any(|(value, half)| self.is(Kind::Seconds, value, half))
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
            ("1 s", "took 997ms"),
            ("1.0 GB", "size: 963 MB"),
            ("10.0 GB", "Mem: 9,962,000 kB"),
            ("57.9 seconds", "took:57912ms"),
            ("57.9 seconds", "took 57912ms."),
            ("50MiB", "rss 52428800."),
            ("50MiB", "rss 52428800: high"),
            ("367 bytes", "length: 367"),
            ("12%", "usage: 12"),
        ] {
            assert!(holds(said, line), "{said} in {line}");
        }
    }

    #[test]
    fn any_figure_in_a_range_has_one_of_its_beginnings_with_and_without_marks() {
        for (low, high, expected) in [
            (57_911.5, 57_912.5, vec!["579", "57,9"]),
            (3_262.0, 3_263.0, vec!["326", "3,26"]),
            (375_911.5, 375_912.5, vec!["375"]),
            (52_428_800.0, 52_428_800.0, vec!["524", "52,4"]),
            (
                98.5,
                99.5,
                vec![
                    "98.5", "98.6", "98.7", "98.8", "98.9", "99", "99.1", "99.2", "99.3", "99.4",
                    "99.5",
                ],
            ),
            (99.5, 101.0, vec!["99", "100", "101"]),
            (995.0, 1_010.0, vec!["99", "100", "1,00", "101", "1,01"]),
            (9_950.0, 10_000.0, vec!["99", "9,9", "100", "10,0"]),
            (0.2495, 0.2505, vec!["0.249", "0.25"]),
            (2.0, 2.0, vec!["2"]),
            (0.0004, 0.0005, vec![]),
            (1e15, 1e15, vec![]),
            (100.0, 221.0, vec![]),
        ] {
            let mut out = Vec::new();
            beginnings(low, high, &mut out);
            assert_eq!(out, expected, "{low} to {high}");
        }
        let mut out = Vec::new();
        beginnings(100.0, 220.0, &mut out);
        assert_eq!(out.len(), 121);
    }

    #[test]
    fn only_seconds_with_digits_behind_the_point_are_copied() {
        for (said, exact) in [
            ("57.9 seconds", true),
            ("57,9s", true),
            ("0.25 ms", true),
            ("57 s", false),
            ("1,500 s", false),
            ("1.5 minutes", false),
            ("1.5m", false),
            ("57.9 %", false),
            ("57.9 MB", false),
        ] {
            let amount = Amount::parse(said).unwrap();
            assert_eq!(amount.is_exact_time(), exact, "{said}");
        }
    }

    #[test]
    fn what_is_copied_leaves_no_room_for_rounding() {
        for (said, line, exact) in [
            ("50MiB", "limit 52428800", true),
            ("50MiB", "limit 52428801", false),
            ("1.4GiB", "rss 1503238553", true),
            ("0%", "Use% 0%", true),
        ] {
            let amount = Amount::parse(said).unwrap();
            assert!(amount.stands_in_line(line), "{said} in {line}");
            assert_eq!(
                amount.exactly().stands_in_line(line),
                exact,
                "{said} in {line}"
            );
        }
    }

    #[test]
    fn a_number_that_is_something_else_is_not_taken_for_it() {
        for (said, line) in [
            ("57.9 seconds", "at 12:57.9 s"),
            ("57.9 seconds", "x57912ms"),
            ("57.9 seconds", "web-57912ms"),
            ("57.9 seconds", "run/57912ms"),
            ("57.9 seconds", "1.57912ms"),
            ("57.9 seconds", "a_57912ms"),
            ("57.9 seconds", "took 57912ms_max"),
            ("57.9 seconds", "took 57912ms2"),
            ("50MiB", "rss 52428800-1"),
            ("50MiB", "rss 52428800_x"),
            ("50MiB", "rss 52428800:x"),
            ("50MiB", "rss 52428800/x"),
            ("37 %", "replicas: 37"),
            ("30s", "replicas: 30"),
            ("12 cores", "timeout: 12"),
            ("12 bytes", "length: 12"),
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
