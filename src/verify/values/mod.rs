//! Values that can be written in several ways: points in time and amounts with a unit. They are compared by what they
//! denote, so `50MiB` is `52428800` bytes and `2022-02-17` is the day of `2022-02-17T12:00:05Z`.

mod amount;
mod moment;
mod near;

pub(super) use amount::Amount;
pub(super) use moment::{MONTH_NAMES, Moment};
pub(super) use near::{Nearness, begins_with_one, has_offset};

use super::lookup::{Edge, Needle};

/// Most numbers or times of the evidence that a computed figure is tried against.
const MAX_OPERANDS: usize = 32;

/// What a text denotes, if it is a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A day, a time of day, or both.
    Moment(Moment),
    /// A number with a unit.
    Amount(Amount),
}

impl Value {
    /// The value that `text` writes, if it is one.
    pub fn of(text: &str) -> Option<Self> {
        Moment::parse(text)
            .map(Self::Moment)
            .or_else(|| Amount::parse(text).map(Self::Amount))
    }

    /// Ways to write it, to be looked for in a whole bundle.
    pub fn needles(&self) -> Vec<Needle> {
        let (texts, edge) = match self {
            Self::Moment(moment) => (moment.spellings(), Edge::Number),
            Self::Amount(amount) => (amount.spellings(), Edge::Name),
        };
        texts
            .into_iter()
            .map(|text| Needle { text, edge })
            .collect()
    }

    /// Whether `text` writes the same value, in whatever form and to the given precision.
    pub fn stands_in(&self, text: &str) -> bool {
        match self {
            Self::Moment(moment) => moment.stands_in(text),
            Self::Amount(amount) => amount.stands_in(text),
        }
    }

    /// How it follows from the numbers and times of `text`: a share, a sum, a difference, a span of time.
    pub fn follows_from(&self, text: &str) -> Option<String> {
        match self {
            Self::Moment(_) => None,
            Self::Amount(amount) => amount.follows_from(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_in_another_form_is_recognised() {
        for (said, shown) in [
            ("2022-02-17", "2022-02-17T12:00:05.123+0000 7f5 -1 osd"),
            ("2022-02-17", "Feb 17 12:00:05 host kernel: x"),
            ("2022-02-07", "Feb  7 12:00:05 host kernel: x"),
            ("2022-02-17", "10.0.0.1 - - [17/Feb/2022:12:00:05 +0000]"),
            ("2022-02-17", "E0217 12:00:05.000 1 reflector.go"),
            (
                "2022-02-17T12:00:05Z",
                "2022-02-17 12:00:05.331 UTC [1] FATAL",
            ),
            ("2022-02-17T12:00:05Z", "ts=1645099205.332 level=error"),
            ("12:00", "2022-02-17T12:00:05Z"),
            ("17.02.2022", "2022-02-17T12:00:05Z"),
            ("02/17/2022", "2022-02-17T12:00:05Z"),
            ("12:00:05", "Feb 17 12:00:05 host x"),
            ("Feb 17", "2022-02-17T12:00:05Z"),
            ("17 February 2022", "2022/02/17 12:00:05 [error]"),
            ("Feb 17 12:00:05", "2022-02-17T12:00:05Z"),
            ("50MiB", "memory.limit 52428800"),
            ("50Mi", "limits: {memory: 51200Ki}"),
            ("1.4GiB", "rss 1503238553"),
            ("3m", "timeout after 180s"),
            ("1m30s", "took 90000ms"),
            ("1500ms", "took 1.5s"),
            ("98%", "Use% 98.2 /data"),
            ("2h", "2h0m0s"),
            ("250m", "cpu: 0.25"),
            ("1GB", "1000000000 bytes"),
            ("5.62 s", "\"duration\": 5615291,"),
            ("0.25 s", "\"durationNanos\": \"250012345\""),
        ] {
            let value = Value::of(said).unwrap_or_else(|| panic!("{said} is no value"));
            assert!(value.stands_in(shown), "{said} in {shown}");
        }
    }

    #[test]
    fn another_value_is_not_taken_for_it() {
        for (said, shown) in [
            ("2022-02-17", "2022-02-18T12:00:05Z"),
            ("2022-02-17", "2022-02-170"),
            ("2022-02-17T12:00:05Z", "2022-02-17 12:00:06"),
            ("12:00", "2022-02-17T11:12:00Z"),
            ("Feb 1", "Feb 17 12:00:05"),
            ("50MiB", "memory.limit 62428800"),
            ("1.4GiB", "rss 1603238553"),
            ("3m", "timeout after 170s"),
            ("98%", "Use% 99 /data"),
            ("5.62 s", "\"size\": 5615291,"),
            ("5.62 s", "\"duration\": 561529,"),
        ] {
            let value = Value::of(said).unwrap_or_else(|| panic!("{said} is no value"));
            assert!(!value.stands_in(shown), "{said} in {shown}");
        }
        for text in [
            "cart-5f7d9",
            "v1.2.3",
            "10.0.0.1",
            "2022-13-40",
            "25:99",
            "node7",
            "0x1f",
            "abc",
        ] {
            assert_eq!(Value::of(text), None, "{text}");
        }
    }

    #[test]
    fn computed_figures_follow_from_what_is_shown() {
        for (said, shown) in [
            ("85%", "used 3400 of 4000 connections"),
            ("15%", "used 3400 of 4000 connections"),
            (
                "90s",
                "2022-02-17T12:00:05 start\n2022-02-17T12:01:35 timeout",
            ),
            ("600Mi", "requested 400Mi, 200Mi in use"),
        ] {
            let value = Value::of(said).unwrap_or_else(|| panic!("{said} is no value"));
            assert!(value.follows_from(shown).is_some(), "{said} from {shown}");
        }
        let value = Value::of("37%").unwrap();
        assert_eq!(value.follows_from("used 3400 of 4000 connections"), None);
    }
}
