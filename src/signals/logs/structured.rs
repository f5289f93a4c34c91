//! Log lines that are JSON or `key=value` pairs, read without building a tree.

use super::line::{Level, Line, parse};
use super::time;

/// The value of `"key":` in one line of JSON without parsing all of it; strings stay escaped.
fn json_value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let mut from = 0;
    while let Some(found) = text.get(from..)?.find(key) {
        let at = from + found;
        from = at + key.len();
        if at == 0
            || text.as_bytes().get(at - 1) != Some(&b'"')
            || text.as_bytes().get(from) != Some(&b'"')
        {
            continue;
        }
        let rest = text.get(from + 1..)?.trim_start();
        let Some(rest) = rest.strip_prefix(':').map(str::trim_start) else {
            continue;
        };
        if let Some(inner) = rest.strip_prefix('"') {
            let mut escaped = false;
            for (end, byte) in inner.bytes().enumerate() {
                match byte {
                    b'"' if !escaped => return inner.get(..end),
                    b'\\' => escaped = !escaped,
                    _ => escaped = false,
                }
            }
            return Some(inner);
        }
        return rest.split([',', '}']).next().map(str::trim);
    }
    None
}

/// A line of JSON; what is nested in it (container logs) is taken apart too while `depth` lasts.
pub(super) fn json(text: &str, depth: u8) -> Line<'_> {
    let pick = |keys: &[&str]| {
        keys.iter()
            .find_map(|key| json_value(text, key))
            .filter(|value| !value.starts_with('{'))
    };
    if let Some(inner) = json_value(text, "log")
        .filter(|_| text.contains("\"stream\""))
        .filter(|_| depth > 0)
    {
        let inner = parse(inner.trim_end_matches("\\n"), depth - 1);
        let time = json_value(text, "time")
            .and_then(time::leading)
            .map(|t| t.0);
        return Line {
            time: inner.time.or(time),
            continuation: false,
            ..inner
        };
    }
    let level = pick(&[
        "level",
        "severity",
        "lvl",
        "levelname",
        "log.level",
        "@level",
        "s",
    ])
    .and_then(|value| match value {
        "E" => Some(Level::Error),
        "F" => Some(Level::Fatal),
        "W" => Some(Level::Warn),
        "I" => Some(Level::Info),
        "50" => Some(Level::Error),
        "60" => Some(Level::Fatal),
        "40" => Some(Level::Warn),
        value => Level::named(value),
    });
    let time =
        pick(&["ts", "time", "timestamp", "@timestamp", "date", "$date"]).and_then(|value| {
            time::leading(value).map(|stamp| stamp.0).or_else(|| {
                let seconds: f64 = value.parse().ok()?;
                let millis = if seconds > 1e11 {
                    seconds
                } else {
                    seconds * 1000.0
                };
                #[allow(clippy::cast_possible_truncation)]
                (millis.is_finite() && millis.abs() < 1e15).then_some(millis as i64)
            })
        });
    let message = pick(&["msg", "message", "error", "err", "@message"])
        .filter(|m| !m.is_empty())
        .unwrap_or(text);
    let component = pick(&["logger", "component", "name", "service", "c", "module"]).unwrap_or("");
    Line {
        time,
        level,
        component,
        message,
        continuation: false,
    }
}

/// `key=value` pairs; `None` without a level and a time.
pub(super) fn logfmt(text: &str) -> Option<Line<'_>> {
    let value = |key: &str| {
        let mut from = 0;
        loop {
            let at = from + text.get(from..)?.find(key)?;
            from = at + key.len();
            if (at == 0 || text.as_bytes().get(at - 1) == Some(&b' '))
                && text.as_bytes().get(from) == Some(&b'=')
            {
                break;
            }
        }
        let rest = text.get(from + 1..)?;
        match rest.strip_prefix('"') {
            Some(inner) => {
                let mut escaped = false;
                let end = inner.bytes().position(|b| {
                    let hit = b == b'"' && !escaped;
                    escaped = b == b'\\' && !escaped;
                    hit
                });
                inner.get(..end.unwrap_or(inner.len()))
            }
            None => rest.split(' ').next(),
        }
    };
    let level = value("level")
        .or_else(|| value("lvl"))
        .and_then(Level::named);
    let time = value("time")
        .or_else(|| value("ts"))
        .or_else(|| value("t"))
        .and_then(time::leading)
        .map(|stamp| stamp.0);
    if level.is_none() && time.is_none() {
        return None;
    }
    let message = value("msg").filter(|m| !m.is_empty()).unwrap_or(text);
    Some(Line {
        time,
        level,
        component: value("component").or_else(|| value("logger")).unwrap_or(""),
        message,
        continuation: false,
    })
}
