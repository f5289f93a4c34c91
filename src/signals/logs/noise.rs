//! What looks like an error and is none: counters at zero, names of options, shutdown, collection, retries that went well.

use crate::signals::services::engine::compile;
use regex::Regex;
use std::sync::LazyLock;

/// Words without which a line is not looked at.
pub const ALARM_WORDS: &[&str] = &[
    "error",
    "fail",
    "exception",
    "traceback",
    "fatal",
    "critical",
    "panic",
    "corrupt",
    "refused",
    "denied",
    "timed out",
    "timeout",
    "cannot",
    "can't",
    "unable",
    "could not",
    "couldn't",
    "not found",
    "no such",
    "|err|",
    "|emer|",
    "undefined",
    "invalid",
    "abort",
    "crash",
    "severe",
    "unhandled",
    "emerg",
    "alert",
    "unreachable",
    "unexpected",
    "expired",
    "caused by",
    "exhausted",
    "too many",
    "out of",
    "not enough",
    "insufficient",
    "no space",
    "unknown command",
    "missing",
    "rejected",
    "segfault",
    "segmentation",
    "caught signal",
    "assert",
    "mismatch",
    "duplicate",
    "overlap",
    "too open",
    "exceed",
    "unauthorized",
    "not authorized",
    "not allowed",
    "forbidden",
    "split brain",
    "split-brain",
    "quorum",
    "degraded",
    "killed",
    "unavailable",
    "violation",
    "ora-",
    "tns-",
    "deadlock",
    "stale",
    "is full",
    "not responding",
    "no route",
    "giving up",
    "incompatible",
    "locked",
    "suspended",
];

/// A line without a stated level counts as an error only when it says so in one of these ways.
static STRONG: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(
        r"\b(?:error|fatal|panic|exception|critical|failure)\b\s*[:\]=]|\b(?:failed|failing) (?:to|with|because)\b|\b(?:failed|failure)\b|^error |unable to|cannot |can't |could not|couldn't|connection refused|permission denied|access denied|no such (?:file|host|device)|timed out|\bpanic:|corrupt|caught signal|segmentation fault|segfault|\bassert(?:ion)?\b.{0,40}fail|failed assert|are too open|unhandled|is undefined|expired|out of memory|too many|no space left|not permitted|unknown command|aborted\b|crashed\b|\b\w+(?:Error|Exception)\b|(?:limit|quota|maximum|threshold) (?:is |was |has been )?(?:exceeded|reached)|\bexceed(?:s|ed)? (?:the |its )?(?:limit|max|quota)|EXCEED\b|login rejected|unauthori[sz]ed\b|not (?:authori[sz]ed|allowed) to|split[- ]brain detected|quorum (?:lost|is lost)|lost quorum|no quorum|not responding\b|no route to host|deadlock detected|is full\b|giving up\b|\b(?:ORA|TNS|RMAN|DIA|ADM|SQL|ANS|ANR|BEA|WFLY[A-Z]{2,5}|CWW[A-Z]{2}|DFH|IKJ|MSGW|HHH)-?\d{3,6}[A-Z]?\b[: ]",
    )
});

/// Reassurance, options, statistics, shutdown, collection.
static NOISE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(concat!(
        r"\b(?:0|no|zero|without|any) (?:errors?|failures?|exceptions?)\b|errors?[=: ]+\s*(?:0\b|none\b|null\b|nil\b|<nil>|false\b|\[\]|\{\})|error\(nil\)|",
        r"fail(?:ed|ures?)?[=: ]+(?:0|false|null)\b|\bsuccess(?:fully|ful)?\b|--?[a-z-]*(?:error|fail)[a-z-]*[= ]|(?:error|fail)[_-]?(?:log|page|document|file|threshold|timeout|over|count|rate|codes?)\b|",
        r"log[_-]error|on[_-](?:error|failure)|ignoring|deprecat|harmless|not an error|sigterm|received signal (?:15|term)|terminated by signal|shutting down|shutdown|graceful|",
        r"context canceled|operation was canceled|watch (?:closed|ended)|too old resource version|broken pipe|connection reset by peer|client disconnected|use of closed network connection|http: Server closed|",
        r"sosreport|sos report|sos_|collector|\bGET /|\bPOST /|HTTP/1\.[01]\x22 [23]|level=(?:info|debug)|failsafe|fail-?over|failed=0|unreachable=0|optimistic|can be ignored|",
        r"trying again in \d+ seconds|\b(?:will be )?retr(?:y|ied|ying)\b.{0,40}(?:in|after) |leader election lost|if (?:this|the|you|there)|in case of|\bwould (?:be|have)|recover(?:ed|ing from)|reconnect(?:ed|ing)|cache miss|",
        r"^-- |Error from server \((?:NotFound|BadRequest|Forbidden)\)|cannot refresh|has no updates available|inactivity probe|couldn't (?:get|read) container id|node exporter|no such option|unable to determine (?:resource|ip|local)|x509: signed by unknown authority.*dummy"
    ))
});

/// Lines inside a stack trace that are not its last word.
static FRAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(
        r#"^\s*(?:File "|at [\w.$<>]+\(|Traceback \(most recent|\.\.\. \d+ more|goroutine \d+|raise |return |self\.|result = |\^+\s*$|During handling of|The above exception)|\bTraceback \(most recent call last\)|^\s{4,}\S+\s*(?:=|\(|\.)|(?:ERROR|TRACE|CRITICAL) [\w.]+ (?:\[[^\]]*\] )?\s*(?:File "|    |raise |return |self\.|\^|Traceback)"#,
    )
});

/// `SomeError: text`, the last word of a stack trace or of an exception line. Groups: name, text.
static EXCEPTION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:^|\s|: )((?:[A-Za-z_][\w]*\.)*\w*(?:Error|Exception|Fault|Refused|Timeout|NotFound|Conflict|Failure|Failed|Unavailable|Forbidden|Unauthorized|Denied|Duplicate\w*|Invalid\w*|Exceeded|Mismatch)|greenlet\.error|[a-z_]+\.error)(?:: |:$)(.*)$").ok()
});

/// Words that name a reason, not only that something went wrong.
static REASON: LazyLock<Option<Regex>> = LazyLock::new(|| {
    compile(
        r"corrupt|expired|assert|caught signal|segmentation fault|segfault|no space left|out of memory|permission denied|access denied|too open|mismatch|duplicat|overlap|partition|unreachable|no such (?:file|device|host|table|column)|does not exist|exceed|exhausted|too many|too low|limit reached|already (?:exists|in use)|invalid|unknown|undefined|not permitted|refused|unsupported|incompatible|cannot be",
    )
});

fn hit(regex: &LazyLock<Option<Regex>>, text: &str) -> bool {
    regex.as_ref().is_some_and(|regex| regex.is_match(text))
}
/// Whether a line without a level reads like an error.
pub fn is_strong(text: &str) -> bool {
    hit(&STRONG, text)
}
/// Whether the text names a concrete reason.
pub fn names_reason(text: &str) -> bool {
    hit(&REASON, text)
}
/// Whether a line that has an alarming word is harmless.
pub fn is_noise(text: &str) -> bool {
    hit(&NOISE, text)
}
/// Whether the line is inside a stack trace.
pub fn is_frame(text: &str) -> bool {
    hit(&FRAME, text)
}
/// The exception that a line names, as (class, text).
pub fn exception(text: &str) -> Option<(&str, &str)> {
    let captures = EXCEPTION.as_ref()?.captures(text)?;
    // In JSON the rest of the trace follows in the same line.
    let said = captures.get(2)?.as_str();
    let said = said.split("\\n").next().unwrap_or(said);
    Some((captures.get(1)?.as_str(), said.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reassurance_is_noise_and_trouble_is_not() {
        for text in [
            "finished with 0 errors",
            "error=<nil>",
            "opened /var/log/x error_log=a",
            "received SIGTERM, error closing",
            "ok=3 failed=0 unreachable=0",
            "connection reset by peer",
        ] {
            assert!(is_noise(text), "{text}");
        }
        for text in [
            "failed to open database: no such file",
            "Error updating resources for node a",
            "DEPLOY_ENV is undefined",
        ] {
            assert!(!is_noise(text) && is_strong(text), "{text}");
        }
        assert!(!is_strong("reading error pages from disk"));
    }

    #[test]
    fn exceptions_and_frames() {
        assert_eq!(
            exception("2024 ERROR nova libvirt.libvirtError: Node gone"),
            Some(("libvirt.libvirtError", "Node gone"))
        );
        assert_eq!(
            exception("Caused by: java.net.ConnectException: refused"),
            Some(("java.net.ConnectException", "refused"))
        );
        assert_eq!(
            exception("greenlet.error: cannot switch"),
            Some(("greenlet.error", "cannot switch"))
        );
        assert_eq!(exception("the error is here"), None);
        assert!(
            is_frame("  File \"/usr/lib/a.py\", line 3, in b")
                && is_frame("\tat java.lang.Thread.run(Thread.java:1)")
        );
        assert!(!is_frame("ValueError: x"));
    }
}
