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

impl Amount {
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
