//! Times and ages as Kubernetes and kubectl write them, as seconds since 1970 or seconds.

/// Seconds since 1970 of an RFC 3339 time (`2025-05-29T08:46:14Z`, `2025-05-29 08:46:14.5+02:00`)
/// or of kubectl's `Thu, 29 May 2025 11:56:46 +0200`.
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim().trim_matches('"');
    let bytes = text.as_bytes();
    if bytes.len() >= 19
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && (bytes[10] == b'T' || bytes[10] == b' ')
    {
        let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
        let base = seconds(
            number(0, 4)?,
            number(5, 7)?,
            number(8, 10)?,
            number(11, 13)?,
            number(14, 16)?,
            number(17, 19)?,
        )?;
        let rest = text
            .get(19..)?
            .trim_start_matches(|c: char| c == '.' || c == ',' || c.is_ascii_digit())
            .trim();
        return Some(base - offset(rest).unwrap_or(0));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    if let [_, day, month, year, clock, rest @ ..] = words.as_slice() {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let month = MONTHS.iter().position(|name| name == month)? as i64 + 1;
        let mut clock = clock.split(':').map(|part| part.parse::<i64>().ok());
        let base = seconds(
            year.parse().ok()?,
            month,
            day.parse().ok()?,
            clock.next()??,
            clock.next()??,
            clock.next()??,
        )?;
        return Some(base - rest.first().and_then(|zone| offset(zone)).unwrap_or(0));
    }
    None
}

/// Seconds east of UTC of `+02:00`, `+0200`, `+00`, `Z`.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    let digits: String = zone.chars().filter(char::is_ascii_digit).collect();
    let hours: i64 = digits.get(0..2)?.parse().ok()?;
    let minutes: i64 = digits
        .get(2..4)
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    Some(sign * (hours * 3600 + minutes * 60))
}

/// Seconds since 1970 of a civil time in UTC; `None` when out of range.
fn seconds(year: i64, month: i64, day: i64, hour: i64, minute: i64, second: i64) -> Option<i64> {
    if !(1970..=9999).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 24
        || minute > 60
        || second > 61
    {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted / 400;
    let of_era = shifted - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Seconds of a kubectl age: `3m30s`, `44d`, `2y35d`, `58m (x5 over 2h)` (the first part), `<unknown>` is none.
pub fn parse_age(text: &str) -> Option<i64> {
    let word = text.split_whitespace().next()?;
    let (mut total, mut number, mut any) = (0i64, 0i64, false);
    for c in word.chars() {
        if let Some(digit) = c.to_digit(10) {
            number = number.checked_mul(10)?.checked_add(i64::from(digit))?;
            if number > 1_000_000_000 {
                return None;
            }
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'y' => 31_536_000,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(unit)?)?;
        number = 0;
        any = true;
    }
    (any && number == 0).then_some(total)
}

/// The count in `56m (x5 over 58m)`; 1 when there is none.
pub fn parse_count(text: &str) -> i64 {
    text.split_once("(x")
        .and_then(|(_, rest)| {
            rest.split(|c: char| !c.is_ascii_digit())
                .next()?
                .parse()
                .ok()
        })
        .unwrap_or(1)
}

/// A duration for people: `90s`, `5m`, `3h`, `12d`.
pub fn show(seconds: i64) -> String {
    match seconds {
        s if s < 120 => format!("{s}s"),
        s if s < 7200 => format!("{}m", s / 60),
        s if s < 172_800 => format!("{}h", s / 3600),
        s => format!("{}d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_both_forms_agree() {
        assert_eq!(parse_time("1970-01-02T00:00:00Z"), Some(86_400));
        assert_eq!(
            parse_time("2025-05-29T09:56:46Z"),
            parse_time("Thu, 29 May 2025 11:56:46 +0200")
        );
        assert_eq!(
            parse_time("2025-10-19 10:59:27.393256+00"),
            parse_time("2025-10-19T10:59:27Z")
        );
        assert_eq!(
            parse_time("2024-02-29T00:00:00Z").unwrap() + 86_400,
            parse_time("2024-03-01T00:00:00Z").unwrap()
        );
        for text in [
            "",
            "never",
            "<unset>",
            "2025-13-01T00:00:00Z",
            "99999999999",
        ] {
            assert_eq!(parse_time(text), None, "{text:?}");
        }
    }

    #[test]
    fn ages_and_counts() {
        assert_eq!(parse_age("3m30s (x256 over 58m)"), Some(210));
        assert_eq!(parse_age("2y35d"), Some(2 * 31_536_000 + 35 * 86_400));
        assert_eq!(
            [parse_age("<unknown>"), parse_age("12"), parse_age("")],
            [None, None, None]
        );
        assert_eq!(
            (parse_count("3m30s (x256 over 58m)"), parse_count("5s")),
            (256, 1)
        );
    }
}
