//! Points in time, as logs write them.

use crate::verify::lookup::{Edge, has};
use regex::Regex;
use std::sync::LazyLock;

/// Names of the months; three letters are enough.
pub(in crate::verify) const MONTH_NAMES: &str = "Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?";
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// Days before each month in a year that is no leap year.
const DAYS_BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

fn compiled(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|why| panic!("time pattern: {why}"))
}

const CLOCK: &str = r"(?P<h>[0-2]?\d):(?P<m>[0-5]\d)(?::(?P<s>[0-6]\d)(?:[.,](?P<f>\d{1,9}))?)?";
const ZONE: &str = r"(?:\s?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?";

/// A whole text that is a point in time.
static FORMS: LazyLock<[Regex; 7]> = LazyLock::new(|| {
    [
        compiled(&format!(
            r"^(?P<y>[12]\d{{3}})[-/.](?P<mo>\d{{1,2}})[-/.](?P<d>\d{{1,2}})(?:[T ]{CLOCK}{ZONE})?$"
        )),
        compiled(&format!(r"^{CLOCK}{ZONE}$")),
        compiled(&format!(
            r"^(?P<name>{MONTH_NAMES})\.? {{1,2}}(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y>[12]\d{{3}}))?(?: {CLOCK}{ZONE})?$"
        )),
        compiled(&format!(
            r"^(?P<d>\d{{1,2}})[ /-](?P<name>{MONTH_NAMES})(?:,?[ /-](?P<y>[12]\d{{3}}))?(?:[: ]{CLOCK}{ZONE})?$"
        )),
        // Days as Germans and Americans write them; where the order can't be told, it is no value.
        compiled(&format!(
            r"^(?P<d>\d{{1,2}})\.(?P<mo>0?[1-9]|1[0-2])\.(?P<y>20\d{{2}})(?:,? {CLOCK}{ZONE})?$"
        )),
        compiled(&format!(
            r"^(?P<mo>0?[1-9]|1[0-2])/(?P<d>1[3-9]|2\d|3[01])/(?P<y>20\d{{2}})(?:,? {CLOCK}{ZONE})?$"
        )),
        compiled(r"^(?P<y>20\d{2})(?P<mo>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])$"),
    ]
});

/// A point in time inside evidence, with its day, to measure spans.
static STAMP: LazyLock<Regex> = LazyLock::new(|| {
    compiled(&format!(
        r"(?:(?P<y>[12]\d{{3}})[-/](?P<mo>\d{{2}})[-/](?P<d>\d{{2}})[T ]|(?P<name>{MONTH_NAMES}) {{1,2}}(?P<d2>\d{{1,2}}) |\b){CLOCK}"
    ))
});

/// A day, a time of day, or both; what is not given is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) struct Moment {
    day: Option<Day>,
    clock: Option<Clock>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Day {
    year: Option<i64>,
    month: u8,
    day: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Clock {
    hour: u8,
    minute: u8,
    second: Option<u8>,
    /// Digits after the point of the seconds.
    fraction: String,
}

impl Moment {
    /// Reads a text that is nothing but a point in time.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        FORMS.iter().find_map(|form| {
            let found = form.captures(text.trim())?;
            let day = match (found.name("d"), found.name("mo"), found.name("name")) {
                (Some(day), Some(month), _) => {
                    Some((day.as_str().parse().ok()?, month.as_str().parse().ok()?))
                }
                (Some(day), _, Some(name)) => {
                    Some((day.as_str().parse().ok()?, month_of(name.as_str())?))
                }
                _ => None,
            };
            let day = match day {
                Some((day, month)) if (1..=31).contains(&day) && (1..=12).contains(&month) => {
                    Some(Day {
                        year: found.name("y").and_then(|year| year.as_str().parse().ok()),
                        month,
                        day,
                    })
                }
                Some(_) => return None,
                None => None,
            };
            let clock = clock_of(&found);
            if clock.as_ref().is_some_and(|clock| clock.hour > 24) {
                return None;
            }
            (day.is_some() || clock.is_some()).then_some(Self { day, clock })
        })
    }

    /// Whether `text` writes it, alone or as the beginning of a more exact one.
    pub fn stands_in(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.spellings()
            .iter()
            .any(|spelling| has(&text, &spelling.to_ascii_lowercase(), Edge::Number))
    }

    /// The usual ways to write it.
    pub fn spellings(&self) -> Vec<String> {
        let clocks = self.clock.as_ref().map(Clock::spellings);
        let Some(day) = self.day else {
            return clocks.unwrap_or_default();
        };
        let Some(clocks) = clocks else {
            return day.spellings();
        };
        let mut out = Vec::new();
        for day in day.spellings() {
            for clock in &clocks {
                for between in ["T", " ", ":", "_"] {
                    out.push(format!("{day}{between}{clock}"));
                }
            }
        }
        if let (Some(seconds), Some(Some(_))) = (
            self.epoch_seconds(),
            self.clock.as_ref().map(|clock| clock.second),
        ) {
            out.push(seconds.to_string());
            let thousandths: String = self
                .clock
                .iter()
                .flat_map(|clock| clock.fraction.chars())
                .chain("000".chars())
                .take(3)
                .collect();
            out.push(format!("{seconds}{thousandths}"));
        }
        out
    }

    /// Its day alone, if it has a time of day as well.
    pub fn day_alone(&self) -> Option<Self> {
        self.clock.as_ref()?;
        self.day.map(|day| Self {
            day: Some(day),
            clock: None,
        })
    }

    /// The days before and after, on which the same instant falls in another time zone.
    pub fn neighbours(&self) -> Vec<Self> {
        let Some(day) = self.day else {
            return Vec::new();
        };
        let years = match (day.year, day.month, day.day) {
            (Some(year), ..) => vec![year],
            (None, 2, 29) => vec![2024],
            // A leap year or none.
            (None, ..) => vec![2023, 2024],
        };
        years
            .into_iter()
            .map(|year| day.number(year))
            .flat_map(|number| [number - 1, number + 1])
            .map(|number| {
                let (year, month, date) = civil(number);
                Self {
                    day: Some(Day {
                        year: day.year.map(|_| year),
                        month,
                        day: date,
                    }),
                    clock: None,
                }
            })
            .collect()
    }

    /// Hour, minute, second and the digits behind the second, if it has a time of day.
    pub(super) fn clock(&self) -> Option<(u8, u8, Option<u8>, &str)> {
        let clock = self.clock.as_ref()?;
        Some((clock.hour, clock.minute, clock.second, &clock.fraction))
    }

    /// This time of day on the day of `other`, if the one has no day and the other a day and a year.
    pub fn on_the_day_of(&self, other: &Self) -> Option<Self> {
        let day = other.day.filter(|day| day.year.is_some())?;
        (self.day.is_none() && self.clock.is_some()).then(|| Self {
            day: Some(day),
            clock: self.clock.clone(),
        })
    }

    /// Whether it says at which time of day.
    pub fn has_clock(&self) -> bool {
        self.clock.is_some()
    }

    /// Whether it says on which day.
    pub fn has_day(&self) -> bool {
        self.day.is_some()
    }

    /// Seconds since 1970 in universal time, where day, year and time are known.
    fn epoch_seconds(&self) -> Option<i64> {
        let (day, clock) = (self.day?, self.clock.as_ref()?);
        Some(day.number(day.year?) * 86_400 + clock.seconds_of_day())
    }
}

/// Seconds of the points in time that `text` writes, at most `most`; comparable among themselves.
pub(super) fn stamps(text: &str, most: usize) -> Vec<f64> {
    STAMP
        .captures_iter(text)
        .filter_map(|found| {
            let clock = clock_of(&found)?;
            let day = match (
                found.name("d"),
                found.name("mo"),
                found.name("name"),
                found.name("d2"),
            ) {
                (Some(day), Some(month), ..) => Day {
                    year: found.name("y").and_then(|year| year.as_str().parse().ok()),
                    month: month
                        .as_str()
                        .parse()
                        .ok()
                        .filter(|month| (1..=12).contains(month))?,
                    day: day.as_str().parse().ok()?,
                }
                .number(found.name("y")?.as_str().parse().ok()?),
                (_, _, Some(name), Some(day)) => Day {
                    year: None,
                    month: month_of(name.as_str())?,
                    day: day.as_str().parse().ok()?,
                }
                .number(2023),
                _ => 0,
            };
            let fraction = format!("0.{}", clock.fraction).parse().unwrap_or(0.0);
            Some((day * 86_400 + clock.seconds_of_day()) as f64 + fraction)
        })
        .take(most)
        .collect()
}

fn month_of(name: &str) -> Option<u8> {
    let at = MONTHS.iter().position(|month| name.starts_with(month))?;
    u8::try_from(at + 1).ok()
}

fn clock_of(found: &regex::Captures<'_>) -> Option<Clock> {
    Some(Clock {
        hour: found.name("h")?.as_str().parse().ok()?,
        minute: found.name("m")?.as_str().parse().ok()?,
        second: found
            .name("s")
            .and_then(|second| second.as_str().parse().ok()),
        fraction: found
            .name("f")
            .map_or_else(String::new, |digits| digits.as_str().to_owned()),
    })
}

impl Clock {
    fn seconds_of_day(&self) -> i64 {
        i64::from(self.hour) * 3_600
            + i64::from(self.minute) * 60
            + i64::from(self.second.unwrap_or(0))
    }
    fn spellings(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut hours = vec![format!("{:02}", self.hour)];
        if self.hour < 10 {
            hours.push(self.hour.to_string());
        }
        for hour in hours {
            let minutes = format!("{hour}:{:02}", self.minute);
            match self.second {
                None => out.push(minutes),
                Some(second) if self.fraction.is_empty() => {
                    out.push(format!("{minutes}:{second:02}"))
                }
                Some(second) => {
                    for point in ['.', ','] {
                        out.push(format!("{minutes}:{second:02}{point}{}", self.fraction));
                    }
                }
            }
        }
        out
    }
}

impl Day {
    fn spellings(self) -> Vec<String> {
        let (month, day) = (self.month, self.day);
        let name = MONTHS[usize::from(month - 1)];
        let mut out = vec![
            format!("{name} {day:2}"),
            format!("{name} {day:02}"),
            format!("{name} {day}"),
            format!("{day} {name}"),
            format!("{day:02} {name}"),
            // klog: a letter for the level, month and day, then the time.
            format!("I{month:02}{day:02}"),
            format!("W{month:02}{day:02}"),
            format!("E{month:02}{day:02}"),
            format!("F{month:02}{day:02}"),
        ];
        match self.year {
            Some(year) => {
                for dash in ['-', '/', '.'] {
                    out.push(format!("{year}{dash}{month:02}{dash}{day:02}"));
                }
                out.extend([
                    format!("{year}{month:02}{day:02}"),
                    format!("{day:02}/{name}/{year}"),
                    format!("{day:02}-{name}-{year}"),
                    format!("{day:02}/{month:02}/{year}"),
                    format!("{month:02}/{day:02}/{year}"),
                    format!("{day:02}.{month:02}.{year}"),
                    format!("{name} {day:2} {year}"),
                    format!("{name} {day}, {year}"),
                    format!("{day} {name} {year}"),
                ]);
            }
            None => {
                for dash in ['-', '/'] {
                    out.push(format!("{dash}{month:02}{dash}{day:02}"));
                }
                out.push(format!("{day:02}/{name}"));
            }
        }
        out.sort();
        out.dedup();
        out
    }

    /// Days since 1970-01-01.
    fn number(self, year: i64) -> i64 {
        let leaps = |year: i64| year / 4 - year / 100 + year / 400;
        let leap_day =
            i64::from(self.month > 2 && (year % 4 == 0 && year % 100 != 0 || year % 400 == 0));
        (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
            + DAYS_BEFORE[usize::from(self.month.clamp(1, 12) - 1)]
            + i64::from(self.day)
            - 1
            + leap_day
    }
}

/// Year, month and day of a day since 1970-01-01.
fn civil(number: i64) -> (i64, u8, u8) {
    let first = |year| {
        Day {
            year: None,
            month: 1,
            day: 1,
        }
        .number(year)
    };
    let mut year = 1970 + number / 365;
    while first(year) > number {
        year -= 1;
    }
    let month = (1..=12u8)
        .rev()
        .find(|month| {
            Day {
                year: None,
                month: *month,
                day: 1,
            }
            .number(year)
                <= number
        })
        .unwrap_or(1);
    let start = Day {
        year: None,
        month,
        day: 1,
    }
    .number(year);
    (year, month, u8::try_from(number - start + 1).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_right() {
        for (year, month, day, number) in [
            (1970, 1, 1, 0),
            (2000, 2, 29, 11_016),
            (2000, 3, 1, 11_017),
            (2021, 12, 31, 18_992),
            (2022, 2, 17, 19_040),
            (2023, 3, 1, 19_417),
            (2024, 3, 1, 19_783),
            (2100, 3, 1, 47_541),
            (1969, 12, 31, -1),
            (1968, 2, 29, -672),
        ] {
            assert_eq!(
                Day {
                    year: None,
                    month,
                    day
                }
                .number(year),
                number
            );
            assert_eq!(civil(number), (year, month, day));
        }
    }

    #[test]
    fn days_and_times_that_there_are_not_are_none() {
        for text in [
            "2022-02-17",
            "2022-12-31",
            "0:00",
            "24:00",
            "23:59:60",
            "Feb 17",
            "17/Feb/2022:12:00:05",
        ] {
            assert!(Moment::parse(text).is_some(), "{text}");
        }
        for text in [
            "2022-13-01",
            "2022-00-01",
            "2022-02-32",
            "2022-02-00",
            "25:00",
            "12:60",
            "12:00:70",
            "Feb 32",
            "Foo 17",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
        assert!(Moment::parse(&format!("{:>64}", "12:00")).is_some());
        assert!(Moment::parse(&format!("{:>65}", "12:00")).is_none());
    }

    #[test]
    fn a_time_of_day_is_found_with_and_without_its_leading_zero_and_to_its_last_digit() {
        for (said, shown, there) in [
            ("09:41", "at 9:41:52", true),
            ("9:41", "T09:41:52", true),
            ("10:41", "at 10:41:52", true),
            ("12:00:05.123", "12:00:05.123 x", true),
            ("12:00:05.123", "12:00:05,123 x", true),
            ("12:00:05.123", "12:00:05.456 x", false),
            ("12:00:05.123", "12:00:05 x", false),
        ] {
            let moment = Moment::parse(said).unwrap();
            assert_eq!(moment.stands_in(shown), there, "{said} in {shown}");
        }
    }

    #[test]
    fn a_day_and_a_time_of_day_are_taken_apart_and_put_together() {
        let of = |text: &str| Moment::parse(text).unwrap();
        let both = of("2022-02-17 12:00:05");
        assert_eq!(both.day_alone(), Some(of("2022-02-17")));
        assert_eq!(of("2022-02-17").day_alone(), None);
        assert_eq!(of("12:00:05").day_alone(), None);

        let clock = of("12:00:05");
        assert_eq!(clock.on_the_day_of(&of("2022-02-17")), Some(both.clone()));
        assert_eq!(
            clock.on_the_day_of(&of("2022-02-17 09:30")),
            Some(both.clone())
        );
        assert_eq!(clock.on_the_day_of(&of("Feb 17")), None);
        assert_eq!(clock.on_the_day_of(&of("09:30")), None);
        assert_eq!(both.on_the_day_of(&of("2022-02-18")), None);
        assert_eq!(of("2022-02-17").on_the_day_of(&of("2022-02-18")), None);

        assert!(both.has_day() && both.has_clock());
        assert!(clock.has_clock() && !clock.has_day());
        assert!(of("Feb 17").has_day() && !of("Feb 17").has_clock());
    }

    #[test]
    fn the_day_before_the_first_of_march_is_found() {
        let moment = Moment::parse("2024-03-01").unwrap();
        assert_eq!(moment.neighbours()[0], Moment::parse("2024-02-29").unwrap());
        assert_eq!(moment.neighbours()[1], Moment::parse("2024-03-02").unwrap());
        assert!(Moment::parse("12:00").unwrap().neighbours().is_empty());
    }

    #[test]
    fn a_day_without_a_year_may_be_of_a_leap_year() {
        for (day, around) in [
            ("Mar 1", vec!["Feb 28", "Feb 29", "Mar 2"]),
            ("Feb 29", vec!["Feb 28", "Mar 1"]),
            ("Feb 28", vec!["Feb 27", "Feb 29", "Mar 1"]),
            ("Jan 1", vec!["Dec 31", "Jan 2"]),
        ] {
            let found = Moment::parse(day).unwrap().neighbours();
            let around: Vec<Moment> = around.into_iter().filter_map(Moment::parse).collect();
            assert!(
                around.iter().all(|day| found.contains(day)),
                "{day}: {found:?}"
            );
            assert!(
                found.iter().all(|day| around.contains(day)),
                "{day}: {found:?}"
            );
        }
    }
}
