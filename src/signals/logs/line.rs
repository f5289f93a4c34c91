//! One log line taken apart: when, how bad, who, what. Knows the forms that services write.

use super::structured::{json, logfmt};
use super::time::{self, Millis};

/// How bad the writer thought it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Debug and trace.
    Debug,
    /// Informational, notice, DBG of Ceph's cluster log excluded.
    Info,
    /// Warning.
    Warn,
    /// Error.
    Error,
    /// Critical, fatal, alert, emergency, panic.
    Fatal,
}

/// The parts of a line. `message` is never empty for a line that is not blank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    /// Normalised time, if the line begins with one.
    pub time: Option<Millis>,
    /// The level, if the line states one.
    pub level: Option<Level>,
    /// Program, module or logger that wrote it ("" if it does not say).
    pub component: &'a str,
    /// The text after the header.
    pub message: &'a str,
    /// Whether the line has no header of its own: a continuation of the line before.
    pub continuation: bool,
}

impl Level {
    /// A level's name in any of the usual spellings, in any case.
    pub fn named(word: &str) -> Option<Self> {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        if word.len() > 13 {
            return None;
        }
        Some(match word.to_ascii_lowercase().as_str() {
            "debug" | "dbg" | "trace" | "debug1" | "debug2" | "fine" | "verbose" | "dbug" => {
                Self::Debug
            }
            "info" | "inf" | "information" | "notice" | "log" | "note" | "informational"
            | "hint" | "statement" | "detail" | "system" => Self::Info,
            "warn" | "warning" | "wrn" => Self::Warn,
            "error" | "err" | "eror" | "severe" | "failure" => Self::Error,
            "fatal" | "critical" | "crit" | "alert" | "emerg" | "emergency" | "panic" | "emer"
            | "crash" | "dpanic" => Self::Fatal,
            _ => return None,
        })
    }
}

/// Takes `line` apart.
pub fn parse_line(line: &str) -> Line<'_> {
    parse(line, 2)
}

/// Takes a line apart; `depth` bounds forms inside forms.
pub(super) fn parse(line: &str, depth: u8) -> Line<'_> {
    let text = line.trim_end();
    if text.starts_with('{') && text.len() > 2 {
        return json(text, depth);
    }
    let bytes = text.as_bytes();
    // klog: E0102 10:00:00.123456   1234 file.go:12] message
    if let (Some(letter @ (b'I' | b'W' | b'E' | b'F' | b'D')), Some((at, used))) =
        (bytes.first(), bytes.get(1..).and_then(time::klog))
    {
        let rest = text.get(1 + used..).unwrap_or("").trim_start();
        let (head, message) = rest.split_once("] ").unwrap_or(("", rest));
        let level = match letter {
            b'E' => Level::Error,
            b'W' => Level::Warn,
            b'F' => Level::Fatal,
            b'D' => Level::Debug,
            _ => Level::Info,
        };
        return Line {
            time: Some(at),
            level: Some(level),
            component: head.rsplit(' ').next().unwrap_or(""),
            message,
            continuation: false,
        };
    }
    // Erlang's old report header; the text follows on the next lines.
    if let Some(report) = text
        .strip_prefix('=')
        .and_then(|rest| rest.split_once(" REPORT===="))
    {
        let stamp = time::leading(report.1.trim_start());
        return Line {
            time: stamp.map(|s| s.0),
            level: Level::named(report.0),
            component: "",
            message: text,
            continuation: false,
        };
    }
    let keyed = ["time=", "ts=", "t=", "level="]
        .iter()
        .any(|key| text.starts_with(key));
    if (keyed || text.contains(" level="))
        && let Some(line) = logfmt(text)
    {
        return line;
    }
    // Redis: 1234:M 02 Jan 2024 10:00:00.123 # message
    if let Some((role, rest)) = text.split_once(' ')
        && let Some((pid, letter)) = role.split_once(':')
        && letter.len() == 1
        && !pid.is_empty()
        && pid.bytes().all(|b| b.is_ascii_digit())
        && let Some((at, used)) = time::leading(rest)
    {
        let rest = rest.get(used..).unwrap_or("").trim_start();
        let level = match rest.bytes().next() {
            Some(b'#') => Some(Level::Warn),
            Some(b'*' | b'-') => Some(Level::Info),
            Some(b'.') => Some(Level::Debug),
            _ => None,
        };
        return Line {
            time: Some(at),
            level,
            component: "redis",
            message: rest.get(1..).unwrap_or("").trim_start(),
            continuation: false,
        };
    }
    let bracketed = text
        .strip_prefix('[')
        .filter(|rest| time::leading(rest).is_some());
    let (stamp, rest) = match (bracketed, time::leading(text)) {
        (Some(inner), _) => match time::leading(inner) {
            Some((at, used)) => (
                Some(at),
                inner
                    .get(used..)
                    .unwrap_or("")
                    .trim_start_matches(|c: char| c != ']')
                    .trim_start_matches(']'),
            ),
            None => (None, text),
        },
        (None, Some((at, used))) => (Some(at), text.get(used..).unwrap_or("")),
        (None, None) => (None, text),
    };
    let Some(at) = stamp else {
        return untimed(text);
    };
    after_time(at, rest, text, depth)
}

/// What follows a time stamp.
fn after_time<'a>(at: Millis, rest: &'a str, whole: &'a str, depth: u8) -> Line<'a> {
    let timed = |level, component, message: &'a str| Line {
        time: Some(at),
        level,
        component,
        message,
        continuation: false,
    };
    // OVS and OVN: |00012|module|ERR|message
    if let Some(rest) = rest.strip_prefix('|') {
        let mut parts = rest.splitn(4, '|');
        if let (Some(_), Some(module), Some(level), Some(message)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        {
            return timed(Level::named(level), module, message);
        }
    }
    let trimmed = rest.trim_start_matches([' ', '\t', ':']);
    // Container runtime: stdout F message
    for stream in ["stdout ", "stderr "] {
        if let Some(inner) = trimmed
            .strip_prefix(stream)
            .and_then(|inner| inner.get(2..))
            && depth > 0
        {
            let inner = parse(inner, depth - 1);
            return Line {
                time: inner.time.or(Some(at)),
                ..inner
            };
        }
    }
    if trimmed.starts_with('{') && depth > 0 {
        return Line {
            time: Some(at),
            ..json(trimmed, depth)
        };
    }
    // Ceph: 7f346aa64700 -1 message
    if let Some((thread, after)) = trimmed.split_once(' ')
        && thread.len() >= 8
        && thread.bytes().all(|b| b.is_ascii_hexdigit())
        && thread.bytes().any(|b| b.is_ascii_alphabetic())
        && let Some((priority, message)) = after.trim_start().split_once(' ')
        && let Ok(priority) = priority.parse::<i32>()
    {
        let level = if priority < 0 {
            Level::Error
        } else if priority == 0 {
            Level::Info
        } else {
            Level::Debug
        };
        let stated = message
            .split(' ')
            .take(2)
            .find_map(Level::named)
            .filter(|level| *level >= Level::Warn);
        let module = message.split([' ', ':']).next().unwrap_or("");
        return timed(
            Some(stated.unwrap_or(level)),
            module.trim_start_matches('['),
            message.trim_start(),
        );
    }
    // Level soon after the time: words, possibly in brackets, possibly after a process id or thread name.
    let mut offset = 0;
    let mut words = 0;
    for word in trimmed.split(' ') {
        let here = offset;
        offset += word.len() + 1;
        if word.is_empty() {
            continue;
        }
        words += 1;
        if words > 6 || here > 160 {
            break;
        }
        let bare = word.trim_matches(|c: char| {
            matches!(c, '[' | ']' | '<' | '>' | ':' | '(' | ')' | '|' | ',')
        });
        let bare = bare.split("][").next().unwrap_or(bare);
        let bare = bare
            .rsplit_once(':')
            .filter(|_| word.starts_with('['))
            .map_or(bare, |(_, level)| level);
        let shouted = bare.len() > 1 && bare.bytes().all(|b| b.is_ascii_uppercase());
        let marked = word.starts_with(['[', '<']) || word.ends_with([':', ']']);
        if (shouted || marked)
            && let Some(level) = Level::named(bare)
        {
            let after = trimmed
                .get(offset..)
                .unwrap_or("")
                .trim_start_matches([' ', ':', '-']);
            // Syslog lines may carry a level inside; their writer is the tag.
            let component = match syslog_tag(trimmed) {
                Some((tag, _)) if words > 2 => tag,
                _ => after
                    .split(' ')
                    .next()
                    .map(|w| w.trim_matches(['[', ']', ':']))
                    .filter(|w| {
                        w.contains(['.', '/']) && w.starts_with(|c: char| c.is_ascii_alphabetic())
                    })
                    .unwrap_or(""),
            };
            let message = if after.is_empty() { trimmed } else { after };
            return timed(Some(level), component, message);
        }
    }
    if let Some((tag, message)) = syslog_tag(trimmed) {
        let inner = if depth > 0 && tag != "kernel" {
            Some(parse(message, depth - 1))
        } else {
            None
        };
        return match inner {
            Some(inner) if !inner.continuation => Line {
                time: Some(at),
                level: inner.level,
                component: tag,
                message: inner.message,
                continuation: false,
            },
            _ => timed(level_word(message), tag, message),
        };
    }
    let message = if trimmed.is_empty() { whole } else { trimmed };
    timed(level_word(message), "", message)
}

/// `host tag[123]: message` of syslog and journal, as (tag, message).
fn syslog_tag(rest: &str) -> Option<(&str, &str)> {
    let (_, after) = rest.split_once(' ')?;
    let (head, message) = after
        .split_once(": ")
        .or_else(|| after.strip_suffix(':').map(|head| (head, "")))?;
    let tag = head.split('[').next()?;
    let plain = !tag.is_empty()
        && tag.len() <= 64
        && tag
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_./@()+#:".contains(&b));
    let message = if tag == "kernel" {
        message
            .trim_start()
            .strip_prefix('[')
            .and_then(|m| m.split_once("] "))
            .map_or(message, |(_, m)| m)
    } else {
        message
    };
    plain.then_some((tag, message))
}

/// A level that opens a message: `error: …`, `ERROR …`, `[error] …`.
fn level_word(message: &str) -> Option<Level> {
    let word = message
        .trim_start_matches(['[', '<', '*', ' '])
        .split([' ', ']', '>', ':'])
        .next()?;
    let marked = message.starts_with(['[', '<'])
        || message
            .get(word.len()..)
            .is_some_and(|rest| rest.starts_with(':'));
    let shouted = word.len() > 2 && word.bytes().all(|b| b.is_ascii_uppercase());
    (marked || shouted).then(|| Level::named(word)).flatten()
}

fn untimed(text: &str) -> Line<'_> {
    let level = level_word(text);
    Line {
        time: None,
        level,
        component: "",
        message: text,
        continuation: level.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, level: Option<Level>, component: &str, message: &str) {
        let line = parse_line(text);
        assert!(line.time.is_some(), "time of {text}");
        assert_eq!(
            (line.level, line.component, line.message),
            (level, component, message),
            "{text}"
        );
    }

    #[test]
    fn forms_of_services() {
        use Level::*;
        check(
            "E0102 10:00:00.123456    1234 kubelet.go:12] failed to sync",
            Some(Error),
            "kubelet.go:12",
            "failed to sync",
        );
        check(
            "time=\"2024-01-02T10:00:00Z\" level=error msg=\"no \\\"x\\\" left\" component=a",
            Some(Error),
            "a",
            "no \\\"x\\\" left",
        );
        check(
            "{\"level\":\"error\",\"ts\":1704189600.1,\"logger\":\"ctl\",\"msg\":\"lost \\\"it\\\"\"}",
            Some(Error),
            "ctl",
            "lost \\\"it\\\"",
        );
        check(
            "{\"t\":{\"$date\":\"2024-01-02T10:00:00.1+00:00\"},\"s\":\"E\",\"c\":\"NETWORK\",\"msg\":\"down\"}",
            Some(Error),
            "NETWORK",
            "down",
        );
        check(
            "Jan  2 10:00:00 host mysqld[12]: some text",
            None,
            "mysqld",
            "some text",
        );
        check(
            "Jan  2 10:00:00 host kernel: [  12.345678] oops",
            None,
            "kernel",
            "oops",
        );
        check(
            "2024-01-02 10:00:00.123 1234 ERROR nova.compute.manager [-] it broke",
            Some(Error),
            "nova.compute.manager",
            "nova.compute.manager [-] it broke",
        );
        check(
            "2024-01-02T10:00:00.1Z|00012|stream_ssl|ERR|bad",
            Some(Error),
            "stream_ssl",
            "bad",
        );
        check(
            "2024-01-02T10:00:00.1+0000 7f346aa64700 -1 osd.3 4 bad",
            Some(Error),
            "osd.3",
            "osd.3 4 bad",
        );
        check(
            "2024-01-02 10:00:00.123 [error] <0.1.0> closing",
            Some(Error),
            "",
            "<0.1.0> closing",
        );
        check(
            "2024-01-02T10:00:00.1Z 0 [ERROR] [MY-010001] [Server] x",
            Some(Error),
            "",
            "[MY-010001] [Server] x",
        );
        check(
            "2024-01-02 10:00:00.123 UTC [123] app@db FATAL:  too many",
            Some(Fatal),
            "",
            "too many",
        );
        check(
            "2024-01-02 10:00:00 ERROR juju.worker engine.go:671 boo",
            Some(Error),
            "juju.worker",
            "juju.worker engine.go:671 boo",
        );
        check(
            "[2024-01-02T10:00:00,123][ERROR][o.e.b.Boot] [node] x",
            Some(Error),
            "",
            "[node] x",
        );
        check(
            "12:M 02 Jan 2024 10:00:00.123 # OOM",
            Some(Warn),
            "redis",
            "OOM",
        );
        check(
            "2024/01/02 10:00:00 [emerg] 12#12: bind() failed",
            Some(Fatal),
            "",
            "12#12: bind() failed",
        );
        check(
            "[Tue Jan 02 10:00:00.123 2024] [core:error] [pid 1] AH1",
            Some(Error),
            "",
            "[pid 1] AH1",
        );
        check(
            "2024-01-02T10:00:00.1Z stderr F panic: x",
            Some(Fatal),
            "",
            "panic: x",
        );
        check(
            "{\"log\":\"E0102 10:00:00.1 1 a.go:1] x\\n\",\"stream\":\"stderr\",\"time\":\"2024-01-02T10:00:00Z\"}",
            Some(Error),
            "a.go:1",
            "x",
        );
    }

    #[test]
    fn continuations_and_reports() {
        assert!(parse_line("  File \"a.py\", line 1").continuation);
        assert!(parse_line("\tat java.lang.Thread.run(Thread.java:1)").continuation);
        let report = parse_line("=ERROR REPORT==== 2-Jan-2024::10:00:00 ===");
        assert_eq!(
            (report.level, report.time.is_some()),
            (Some(Level::Error), true)
        );
    }

    #[test]
    fn hostile_lines_do_no_harm() {
        for text in [
            "",
            "{",
            "{\"log\":\"",
            "level=\"",
            "[",
            "|||",
            "=X REPORT====",
            "E0102 ",
            "é: é",
            "2024-01-02T10:00:00Z",
            "t=\"\\",
        ] {
            let _ = parse_line(text);
        }
    }
}
