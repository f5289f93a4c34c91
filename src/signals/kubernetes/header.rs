//! What stands before the message of a line: time stamps, levels, loggers and threads in the forms that
//! frameworks write. A title is made of the message alone.

use super::emit::one_line;
use super::lastwords::clean;
use super::structured;
use regex::Regex;
use std::sync::LazyLock;

/// A line as a reader wants to see it: message and error of a structured line, else the message behind the
/// header.
pub fn shown(line: &str) -> String {
    match structured::of(line) {
        Some(said) => said.text,
        None => {
            let text = clean(line);
            let text = without(&text);
            structured::with_answer(text).unwrap_or_else(|| one_line(text))
        }
    }
}

/// `10:00:00.123 fail: `: a time of the day alone, and the level as .NET writes it.
static CLOCK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?\s+(?:(?:fail|crit|warn|info|dbug|trce): )?(?P<rest>.{8,})$").ok()
});
/// `F, [2025-01-01T10:00:00 #1] FATAL -- : `: the header of Ruby's logger.
static RUBY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[DIWEFA], \[[^\]]+\]\s+\w+ -- [^:]*: (?P<rest>.{8,})$").ok());
/// `1 --- [main] c.e.Shop :`: process, thread and logger of Spring.
static SPRING: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\d+ --- (?:\[[^\]]*\] ?)+\S+\s*: (?P<rest>.{8,})$").ok());

/// The message behind time stamp and level; the whole line where there is no such header.
pub fn without(text: &str) -> &str {
    const ENOUGH: usize = 8;
    if let Some(rest) = CLOCK
        .as_ref()
        .and_then(|regex| regex.captures(text))
        .and_then(|found| found.name("rest"))
    {
        return rest.as_str();
    }
    if let Some(rest) = RUBY
        .as_ref()
        .and_then(|regex| regex.captures(text))
        .and_then(|found| found.name("rest"))
    {
        return rest.as_str();
    }
    let line = crate::signals::logs::parse_line(text);
    if line.time.is_none() || line.message.len() < ENOUGH || !text.ends_with(line.message) {
        return text;
    }
    let message = line.message.trim_start_matches([']', ' ']);
    SPRING
        .as_ref()
        .and_then(|regex| regex.captures(message))
        .and_then(|found| found.name("rest"))
        .map_or(message, |rest| rest.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_many_frameworks_are_taken_off() {
        for (line, text) in [
            (
                "2025-01-01T00:00:00.000Z ERROR 1 --- [nio-8080-exec-3] c.e.shop.Orders : cannot place order",
                "cannot place order",
            ),
            ("10:00:00.123 fail: Shop.Orders[500]", "Shop.Orders[500]"),
            (
                "F, [2025-01-01T00:00:00.0 #17] FATAL -- : no such column",
                "no such column",
            ),
            (
                "2025-01-01 00:00:00,000 ERROR [shop.orders] no stock left",
                "[shop.orders] no stock left",
            ),
            ("no header at all", "no header at all"),
        ] {
            assert_eq!(shown(line), text, "{line}");
        }
    }
}
