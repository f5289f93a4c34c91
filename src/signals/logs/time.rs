//! Time stamps of log lines, normalised to milliseconds on one scale.
//!
//! Zones are ignored: the stamps of one file share their zone, and times of different files are only
//! compared roughly. Stamps without a year (syslog, klog) get the year 2000, dmesg counts from boot.

/// Milliseconds: since 1970 as written, or since boot for dmesg.
pub type Millis = i64;

/// The time stamp at the start of `text`, and the number of bytes it takes.
///
/// Understands ISO 8601 (`T` or space, `.` or `,` fraction, zone), `2024/01/02 10:00:00`, syslog
/// (`Jan  2 10:00:00`), klog (`E0102 10:00:00.1`, after the letter), dmesg (`[  12.345678]`), Apache
/// (`Tue Jan 02 10:00:00.1 2024`), RabbitMQ and Redis (`2-Jan-2024::10:00:00`, `02 Jan 2024 10:00:00.1`),
/// common log (`02/Jan/2024:10:00:00 +0000`) and old MySQL (`240102 10:00:00`).
pub fn leading(text: &str) -> Option<(Millis, usize)> {
    let bytes = text.as_bytes();
    match bytes.first()? {
        b'0'..=b'9' => iso(bytes)
            .or_else(|| day_first(bytes))
            .or_else(|| old_mysql(bytes)),
        b'A'..=b'Z' => month_first(bytes, 0).or_else(|| week_day(bytes)),
        b'[' => dmesg(bytes),
        _ => None,
    }
}

/// The time of a klog header, `0102 10:00:00.123456`, and its length.
pub fn klog(bytes: &[u8]) -> Option<(Millis, usize)> {
    let (month, day) = (digits(bytes, 0, 2)?, digits(bytes, 2, 2)?);
    (bytes.get(4) == Some(&b' ')).then_some(())?;
    let (clock, used) = clock(bytes, 5)?;
    Some((days(2000, month, day)? + clock, 5 + used))
}

fn digits(bytes: &[u8], at: usize, count: usize) -> Option<i64> {
    let part = bytes.get(at..at + count)?;
    part.iter().try_fold(0, |sum, byte| {
        byte.is_ascii_digit()
            .then(|| sum * 10 + i64::from(byte - b'0'))
    })
}

/// Days before the date as milliseconds (proleptic Gregorian, Howard Hinnant's civil-days formula).
fn days(year: i64, month: i64, day: i64) -> Option<Millis> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let of_era_days = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some((era * 146_097 + of_era_days - 719_468) * 86_400_000)
}

/// `10:00:00[.,fraction]` at `at`: milliseconds and bytes used.
fn clock(bytes: &[u8], at: usize) -> Option<(Millis, usize)> {
    let (hour, minute, second) = (
        digits(bytes, at, 2)?,
        digits(bytes, at + 3, 2)?,
        digits(bytes, at + 6, 2)?,
    );
    if bytes.get(at + 2) != Some(&b':')
        || bytes.get(at + 5) != Some(&b':')
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let mut millis = ((hour * 60 + minute) * 60 + second) * 1000;
    let mut used = 8;
    if matches!(bytes.get(at + 8), Some(b'.' | b','))
        && bytes.get(at + 9).is_some_and(u8::is_ascii_digit)
    {
        used = 9;
        let mut scale = 100;
        while let Some(byte) = bytes.get(at + used).filter(|byte| byte.is_ascii_digit()) {
            millis += i64::from(byte - b'0') * scale;
            scale /= 10;
            used += 1;
        }
    }
    Some((millis, used))
}

fn zone(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b'Z') => 1,
        Some(b'+' | b'-') if digits(bytes, at + 1, 2).is_some() => {
            let colon = usize::from(bytes.get(at + 3) == Some(&b':'));
            if digits(bytes, at + 3 + colon, 2).is_some() {
                5 + colon
            } else {
                3
            }
        }
        _ => 0,
    }
}

fn iso(bytes: &[u8]) -> Option<(Millis, usize)> {
    let (year, month, day) = (
        digits(bytes, 0, 4)?,
        digits(bytes, 5, 2)?,
        digits(bytes, 8, 2)?,
    );
    if !matches!(bytes.get(4), Some(b'-' | b'/'))
        || bytes.get(7) != bytes.get(4)
        || !matches!(bytes.get(10), Some(b' ' | b'T'))
    {
        return None;
    }
    let (clock, used) = clock(bytes, 11)?;
    let end = 11 + used;
    Some((days(year, month, day)? + clock, end + zone(bytes, end)))
}

fn month(bytes: &[u8], at: usize) -> Option<i64> {
    const NAMES: [&[u8; 3]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let name = bytes.get(at..at + 3)?;
    NAMES
        .iter()
        .position(|known| known.eq_ignore_ascii_case(name))
        .and_then(|at| i64::try_from(at + 1).ok())
}

/// `Jan  2 10:00:00[.1][ 2024]`.
fn month_first(bytes: &[u8], at: usize) -> Option<(Millis, usize)> {
    let month = month(bytes, at)?;
    (bytes.get(at + 3) == Some(&b' ')).then_some(())?;
    let (day, after) = match digits(bytes, at + 4, 2) {
        Some(day) => (day, at + 6),
        None => {
            let pad = usize::from(bytes.get(at + 4) == Some(&b' '));
            (digits(bytes, at + 4 + pad, 1)?, at + 5 + pad)
        }
    };
    (bytes.get(after) == Some(&b' ')).then_some(())?;
    let (clock, used) = clock(bytes, after + 1)?;
    let end = after + 1 + used;
    match (bytes.get(end), digits(bytes, end + 1, 4)) {
        (Some(b' '), Some(year)) if (1990..2100).contains(&year) => {
            Some((days(year, month, day)? + clock, end + 5))
        }
        _ => Some((days(2000, month, day)? + clock, end)),
    }
}

/// `Tue Jan 02 10:00:00 2024`.
fn week_day(bytes: &[u8]) -> Option<(Millis, usize)> {
    (bytes.get(3) == Some(&b' '))
        .then(|| month_first(bytes, 4))
        .flatten()
}

/// `2-Jan-2024::10:00:00`, `02 Jan 2024 10:00:00.1`, `02/Jan/2024:10:00:00 +0000`.
fn day_first(bytes: &[u8]) -> Option<(Millis, usize)> {
    let wide = usize::from(bytes.get(1).is_some_and(u8::is_ascii_digit));
    let day = digits(bytes, 0, 1 + wide)?;
    let mut at = 1 + wide;
    let mark = *bytes
        .get(at)
        .filter(|mark| matches!(mark, b'-' | b' ' | b'/'))?;
    let month = month(bytes, at + 1)?;
    at += 4;
    (bytes.get(at) == Some(&mark)).then_some(())?;
    let year = digits(bytes, at + 1, 4)?;
    at += 5;
    while matches!(bytes.get(at), Some(b':' | b' ')) {
        at += 1;
    }
    let (clock, used) = clock(bytes, at)?;
    at += used;
    if bytes.get(at) == Some(&b' ') {
        let zone = zone(bytes, at + 1);
        at += if zone > 0 { zone + 1 } else { 0 };
    }
    Some((days(year, month, day)? + clock, at))
}

fn old_mysql(bytes: &[u8]) -> Option<(Millis, usize)> {
    let (year, month, day) = (
        digits(bytes, 0, 2)?,
        digits(bytes, 2, 2)?,
        digits(bytes, 4, 2)?,
    );
    (bytes.get(6) == Some(&b' ')).then_some(())?;
    let at = 7 + usize::from(bytes.get(7) == Some(&b' '));
    let (clock, used) = clock(bytes, at)?;
    Some((days(2000 + year, month, day)? + clock, at + used))
}

fn dmesg(bytes: &[u8]) -> Option<(Millis, usize)> {
    let end = bytes.iter().take(24).position(|byte| *byte == b']')?;
    let inner = std::str::from_utf8(&bytes[1..end]).ok()?.trim();
    let (seconds, fraction) = inner.split_once('.')?;
    let millis: i64 = fraction.get(..3)?.parse().ok()?;
    Some((
        seconds
            .parse::<i64>()
            .ok()
            .filter(|s| (0..10_000_000_000).contains(s))?
            * 1000
            + millis,
        end + 1,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_names_the_same_moment() {
        let want = days(2024, 1, 2).unwrap() + 36_000_123;
        for text in [
            "2024-01-02 10:00:00.123 4 ERROR",
            "2024-01-02T10:00:00.123456+00:00 x",
            "2024-01-02T10:00:00,123Z x",
            "Tue Jan 02 10:00:00.123 2024] x",
            "02 Jan 2024 10:00:00.123 # x",
            "2-Jan-2024::10:00:00.123 x",
            "02/Jan/2024:10:00:00.123 +0000] x",
        ] {
            assert_eq!(leading(text).map(|(time, _)| time), Some(want), "{text}");
        }
        assert_eq!(leading("240102 10:00:00.123 [ERROR]").unwrap(), (want, 19));
    }

    #[test]
    fn stamps_without_a_year_keep_their_order() {
        let first = leading("Jan  2 09:59:59 host a: b").unwrap();
        let second = leading("Jan 12 10:00:00 host a: b").unwrap();
        assert!(first.0 < second.0);
        assert_eq!((first.1, second.1), (15, 15));
        assert_eq!(klog(b"0102 10:00:00.123456   1 x.go:1] y").unwrap().1, 20);
        assert_eq!(leading("[   12.345678] usb 1-1").unwrap(), (12_345, 14));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "10.0.0.1 - -",
            "Error: x",
            "2024-13-01 10:00:00",
            "2024-01-02",
            "[error] x",
            "1234567890123456789",
            "Jane 1",
            "é2024",
        ] {
            assert_eq!(leading(text), None, "{text}");
        }
    }
}
