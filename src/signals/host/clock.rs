//! Time stamps of Linux logs and commands, and the bundle's own clock.
//!
//! Everything is seconds since 1970-01-01 UTC. Zones are ignored where the text names none: a host's
//! logs and its `date` share one zone, and the rules compare days, not minutes.

/// Seconds in a day.
pub const DAY: i64 = 86_400;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Days since 1970-01-01 of a civil date (Howard Hinnant's `days_from_civil`).
pub fn days(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let yoe = y.rem_euclid(400);
    let doy = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468
}

fn seconds(year: i64, month: i64, day: i64, time: &str) -> Option<i64> {
    if !(1970..=2200).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let mut parts = time.splitn(3, ':');
    let hour: i64 = parts.next()?.parse().ok()?;
    let minute: i64 = parts.next()?.parse().ok()?;
    let second: i64 = digits(parts.next().unwrap_or("0"))?;
    if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return None;
    }
    Some(days(year, month, day) * DAY + hour * 3600 + minute * 60 + second)
}

/// The number at the beginning of `text`.
fn digits(text: &str) -> Option<i64> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.get(..end)?.parse().ok()
}

fn month(name: &str) -> Option<i64> {
    let at = MONTHS.iter().position(|month| *month == name)?;
    i64::try_from(at + 1).ok()
}

/// When the boot was, and which year logs without a year belong to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Frame {
    /// The year for stamps such as `Feb  4 09:34:10`.
    pub year: Option<i64>,
    /// The time of the boot, for stamps such as `[  12.345678]`.
    pub boot: Option<i64>,
    /// The time the bundle was made.
    pub now: Option<i64>,
}

/// The time stamp at the beginning of a log line, in any of the usual forms.
pub fn stamp(line: &str, frame: &Frame) -> Option<i64> {
    let line = line.trim_start_matches(['<', '>', '"']).trim_start();
    if let Some(rest) = line.strip_prefix('[') {
        let inner = rest.split(']').next()?.trim();
        return match inner.as_bytes().first()? {
            b'0'..=b'9' if !inner.contains('-') => {
                let seconds: f64 = inner.parse().ok()?;
                #[expect(clippy::cast_possible_truncation, reason = "an uptime in seconds")]
                frame
                    .boot
                    .filter(|_| (0.0..1e10).contains(&seconds))
                    .map(|boot| boot + seconds as i64)
            }
            _ => calendar(inner).or_else(|| iso(inner)),
        };
    }
    iso(line).or_else(|| syslog(line, frame))
}

/// `2022-02-10T16:19:17…`, `2022-02-10 16:19:17…`
pub fn iso(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 16 || bytes[4] != b'-' || bytes[7] != b'-' || !matches!(bytes[10], b'T' | b' ')
    {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to).and_then(|t| t.parse::<i64>().ok());
    let time = text.get(11..text.len().min(19))?;
    seconds(part(0, 4)?, part(5, 7)?, part(8, 10)?, time)
}

/// `Feb  4 09:34:10 host …`, in the frame's year, never after the bundle was made.
fn syslog(line: &str, frame: &Frame) -> Option<i64> {
    let mut words = line.split_whitespace();
    let month = month(words.next()?)?;
    let day = words.next()?.parse().ok()?;
    let time = words.next()?;
    let year = frame.year?;
    let at = seconds(year, month, day, time)?;
    match frame.now {
        Some(now) if at > now + 2 * DAY => seconds(year - 1, month, day, time),
        _ => Some(at),
    }
}

/// `Thu Feb 10 16:19:17 UTC 2022`, `Thu Feb 10 16:19:17 2022`, `Thu 10 Feb 2022 04:19:17 PM UTC`,
/// `Feb 10 16:19:17 2022 GMT`.
pub fn calendar(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.split([' ', ',']).filter(|w| !w.is_empty()).collect();
    let at = words.iter().position(|word| month(word).is_some())?;
    let month = month(words[at])?;
    let near = |index: Option<usize>| index.and_then(|i| words.get(i));
    let day = |index| {
        near(index)
            .filter(|w| w.len() <= 2)
            .and_then(|w| w.parse::<i64>().ok())
    };
    let day = day(at.checked_sub(1)).or_else(|| day(Some(at + 1)))?;
    let year = words
        .iter()
        .filter(|word| word.len() == 4)
        .find_map(|word| word.parse::<i64>().ok())?;
    let clock = words.iter().position(|word| word.contains(':'))?;
    let base = seconds(year, month, day, words[clock])?;
    let half = 12 * 3600;
    Some(match near(Some(clock + 1)) {
        Some(&"PM") if (base / 3600) % 24 < 12 => base + half,
        Some(&"AM") if (base / 3600) % 24 == 12 => base - half,
        _ => base,
    })
}

/// The calendar year of `at`.
pub fn year_of(at: i64) -> i64 {
    let guess = 1970 + at.div_euclid(31_556_952);
    if days(guess, 1, 1) * DAY > at {
        guess - 1
    } else if days(guess + 1, 1, 1) * DAY <= at {
        guess + 1
    } else {
        guess
    }
}

/// `YYYY-MM-DD` of `at`, for titles.
pub fn date(at: i64) -> String {
    let year = year_of(at);
    let mut month = 12;
    while month > 1 && days(year, month, 1) * DAY > at {
        month -= 1;
    }
    let day = at.div_euclid(DAY) - days(year, month, 1) + 1;
    format!("{year:04}-{month:02}-{day:02}")
}

/// Seconds of `up 25 min`, `up 17:41`, `up 3 days,  2:05`.
pub fn uptime(text: &str) -> Option<i64> {
    let rest = text.split(" up ").nth(1)?;
    let mut total = 0;
    let mut found = false;
    for part in rest.split(',').take(2) {
        let part = part.trim();
        let Some(number) = digits(part).filter(|n| *n < 1_000_000) else {
            continue;
        };
        if part.contains("user") || part.contains("load") {
            break;
        }
        found = true;
        total += if part.contains("day") {
            number * DAY
        } else if part.contains("min") {
            number * 60
        } else if let Some((_, minutes)) = part.split_once(':') {
            number * 3600 + digits(minutes).unwrap_or(0).min(59) * 60
        } else {
            number
        };
    }
    found.then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_usual_stamps() {
        let now = calendar("Thu Feb 10 16:19:17 UTC 2022").unwrap();
        assert_eq!(now, 1_644_509_957);
        assert_eq!(calendar("Thu 10 Feb 2022 04:19:17 PM UTC"), Some(now));
        assert_eq!(iso("2022-02-10T16:19:17.123+00:00 host"), Some(now));
        let frame = Frame {
            year: Some(2022),
            boot: Some(now - 100),
            now: Some(now),
        };
        assert_eq!(stamp("Feb 10 16:19:17 host kernel: x", &frame), Some(now));
        assert_eq!(stamp("[   40.500000] x", &frame), Some(now - 60));
        assert_eq!(stamp("[Thu Feb 10 16:19:17 2022] x", &frame), Some(now));
        assert_eq!(stamp("no stamp here", &frame), None);
        // A log of December in a bundle of February belongs to the year before.
        assert!(stamp("Dec 31 23:00:00 host x", &frame).is_some_and(|at| at < now));
    }

    #[test]
    fn reads_uptimes_and_dates() {
        assert_eq!(
            uptime(" 19:23:40 up 25 min,  1 user,  load average: 0.83"),
            Some(1500)
        );
        assert_eq!(
            uptime(" 16:19:19 up 17:41,  2 users"),
            Some(17 * 3600 + 41 * 60)
        );
        assert_eq!(
            uptime(" 16:19:19 up 3 days,  2:05,  2 users"),
            Some(3 * DAY + 7500)
        );
        assert_eq!(date(1_644_509_957), "2022-02-10");
        assert_eq!(year_of(1_644_509_957), 2022);
    }

    #[test]
    fn hostile_stamps_give_nothing() {
        let frame = Frame {
            year: Some(2022),
            ..Frame::default()
        };
        for text in [
            "",
            "[",
            "[]",
            "[999999999999999999999]",
            "Feb",
            "Feb 99 1:1:1",
            "9999-99-99T99:99",
            "ééééééééééééééééé",
        ] {
            assert_eq!(stamp(text, &frame), None, "{text}");
        }
    }
}
