//! Times of day that are the same as another: rounded, in another time zone, or near it.

use super::moment::Moment;

/// In which way a time of day may be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::verify) enum Nearness {
    /// The same, whatever the day's form, or rounded up to the minute or second given.
    Rounded,
    /// In another time zone.
    Shifted,
    /// Within five minutes.
    About,
}

/// Minutes within which `about 12:30` is true.
const ABOUT_MINUTES: i32 = 5;

impl Nearness {
    pub const ALL: [Self; 3] = [Self::Rounded, Self::Shifted, Self::About];
}

impl Moment {
    /// Beginnings of times of day that are the same in that way; empty if it has no time of day.
    pub fn near(&self, how: Nearness) -> Vec<String> {
        let Some((hour, minute, second, fraction)) = self.clock() else {
            return Vec::new();
        };
        let (hour, minute) = (i32::from(hour), i32::from(minute));
        let tail = match second {
            None => String::new(),
            Some(second) if fraction.is_empty() => format!(":{second:02}"),
            Some(second) => format!(":{second:02}.{fraction}"),
        };
        let clock = |minutes: i32| {
            let minutes = minutes.rem_euclid(24 * 60);
            (minutes / 60, minutes % 60)
        };
        let mut out = Vec::new();
        match how {
            Nearness::Rounded => {
                out.extend(written(hour, minute, &tail));
                match second {
                    None => {
                        let (hour, minute) = clock(hour * 60 + minute - 1);
                        for tens in 3..6 {
                            out.extend(written(hour, minute, &format!(":{tens}")));
                        }
                    }
                    Some(second) if fraction.is_empty() => {
                        let whole = hour * 3_600 + minute * 60 + i32::from(second) - 1;
                        let (hour, minute) = clock(whole.div_euclid(60));
                        let second = whole.rem_euclid(60);
                        for tenth in 5..10 {
                            for point in ['.', ','] {
                                let tail = format!(":{second:02}{point}{tenth}");
                                out.extend(written(hour, minute, &tail));
                            }
                        }
                    }
                    Some(second) => {
                        let tail = format!(":{second:02},{fraction}");
                        out.extend(written(hour, minute, &tail));
                    }
                }
            }
            Nearness::Shifted => {
                // Zones differ by whole hours, some by halves and quarters.
                for shift in (15..24 * 60).step_by(15) {
                    let (hour, minute) = clock(hour * 60 + minute + shift);
                    out.extend(written(hour, minute, &tail));
                }
            }
            Nearness::About if second.is_none() => {
                for away in -ABOUT_MINUTES..=ABOUT_MINUTES {
                    let (hour, minute) = clock(hour * 60 + minute + away);
                    out.extend(written(hour, minute, ""));
                }
            }
            Nearness::About => {}
        }
        out
    }
}

/// A time of day with and without its leading zero.
fn written(hour: i32, minute: i32, tail: &str) -> Vec<String> {
    let mut out = vec![format!("{hour:02}:{minute:02}{tail}")];
    if hour < 10 {
        out.push(format!("{hour}:{minute:02}{tail}"));
    }
    out
}

/// Whether a line holds a time of day that begins with one of `times`.
pub(in crate::verify) fn begins_with_one(line: &str, times: &[String]) -> bool {
    let bytes = line.as_bytes();
    times.iter().any(|time| {
        line.match_indices(time.as_str()).any(|(at, _)| {
            let before = at.checked_sub(1).map(|at| bytes[at]);
            let earlier = at.checked_sub(2).map(|at| bytes[at]);
            let digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
            let part = digit(before)
                || before == Some(b':') && digit(earlier) && {
                    // 10/Feb/2022:09:41:52 has a day before the colon, 10:09:41 an hour.
                    let start = at.saturating_sub(12);
                    !line.get(start..at).is_some_and(|text| text.contains('/'))
                };
            !part
        })
    })
}

/// Whether a line gives its times with an offset from universal time.
pub(in crate::verify) fn has_offset(line: &str) -> bool {
    let bytes = line.as_bytes();
    line.match_indices(['+', '-']).any(|(at, _)| {
        let digits = bytes[at + 1..]
            .iter()
            .filter(|byte| **byte != b':')
            .take(4)
            .collect::<Vec<_>>();
        at.checked_sub(1)
            .is_some_and(|at| bytes[at].is_ascii_digit() || bytes[at] == b' ')
            && digits.len() == 4
            && digits.iter().all(|byte| byte.is_ascii_digit())
            && digits.iter().any(|byte| **byte != b'0')
            && *digits[0] <= b'1'
            && matches!(digits[2], b'0' | b'3' | b'4')
            && at >= 8
            && line
                .get(at.saturating_sub(13)..at)
                .is_some_and(|text| text.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(said: &str, how: Nearness, line: &str) -> bool {
        begins_with_one(line, &Moment::parse(said).unwrap().near(how))
    }

    #[test]
    fn the_same_time_is_rounded_shifted_or_about() {
        use Nearness::{About, Rounded, Shifted};
        for (said, how, line) in [
            ("09:42", Rounded, "2022-12-21T09:41:52Z started"),
            ("9:41", Rounded, "2022-12-21T09:41:52Z started"),
            ("09:41:53", Rounded, "09:41:52.731 started"),
            ("09:41:52", Rounded, "10/Feb/2022:09:41:52 GET"),
            ("09:41:52.73", Rounded, "09:41:52.731552 started"),
            ("11:41:52", Shifted, "09:41:52 started"),
            ("15:11", Shifted, "09:41:52 started"),
            ("11:41", Shifted, "00:41:52 started"),
            ("11:41", Shifted, "at 9:41:52"),
            ("00:00", Rounded, "23:59:31 started"),
            ("12:00:00", Rounded, "11:59:59.9 started"),
            ("09:41:52.73", Rounded, "09:41:52,731 started"),
            ("09:42", Rounded, "at 9:42:12"),
            ("12:41", Rounded, "12:41:52 started"),
            ("12:00", About, "11:55:00 started"),
            ("23:58", About, "00:03:00 started"),
            ("09:45", About, "09:41:52 started"),
        ] {
            assert!(holds(said, how, line), "{said} {how:?} {line}");
        }
        for (said, how, line) in [
            ("09:42", Rounded, "09:41:12 started"),
            ("09:41:53", Rounded, "09:41:52.231 started"),
            ("09:41:54", Rounded, "09:41:52.731 started"),
            ("41:52", Rounded, "x"),
            ("11:41:53", Shifted, "09:41:52 started"),
            ("09:50", About, "09:41:52 started"),
            ("09:45:00", About, "09:41:52 started"),
            ("12:00", About, "11:54:59 started"),
            ("12:00", About, "12:06:00 started"),
            ("11:41:52", Shifted, "11:41:52 started"),
            ("11:41:52", Shifted, "09:31:52 started"),
            ("1:41:52", Rounded, "11:41:52 started"),
            ("12:00", Rounded, "11:12:00 started"),
            ("12:42", Rounded, "11:12:41:52 started"),
            ("09:41:52.73", Rounded, "09:41:52.991 started"),
            ("09:41:52.73", Rounded, "09:41:51.731 started"),
        ] {
            if Moment::parse(said).is_some() {
                assert!(!holds(said, how, line), "{said} {how:?} {line}");
            }
        }
        assert!(
            has_offset("2022-02-10T09:36:18+0200 x")
                && has_offset("2022-02-10 09:36:18.1 +05:30 x")
        );
        for (line, offset) in [
            ("2022-02-10T09:36:18-0330 x", true),
            ("2022-02-10T09:36:18 +0545", true),
            ("2022-02-10T09:36:18 +00:30", true),
            ("2022-02-10T09:36:18 -00:00", false),
            ("2022-02-10T09:36:18 +2000", false),
            ("2022-02-10T09:36:18 +0210", false),
            ("2022-02-10T09:36:18 +020", false),
            ("2022-02-10T09:36:18 x+0200", false),
            ("9:36:18+0200", false),
            ("09:36:18+0200", true),
            ("id 12345678 +0200", false),
            ("+0200 at 09:36:18", false),
            ("", false),
        ] {
            assert_eq!(has_offset(line), offset, "{line}");
        }
        assert!(
            !has_offset("2022-02-10T09:36:18+0000") && !has_offset("2022-02-10T09:36:18Z a-1234")
        );
    }
}
