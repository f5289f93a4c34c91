//! A rule: what one fault looks like in a log, why an expert reads it so, and examples that must and must not match.

use crate::signals::Role;

/// One fault as it shows in log lines. All texts are templates: `{name}` is a named group of the pattern, or
/// `{file}` (file name), `{daemon}` (file name without `.log`, or the writer of a syslog line), `{count}`,
/// `{span}` (" 12 times between … and …", or empty for one line), `{line}` (the message, shortened).
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Detector id.
    pub id: &'static str,
    /// Slug of the catalogue.
    pub cause: &'static str,
    /// The rule applies where the path or the line's writer contains one of these (lower case). Empty: anywhere.
    pub scope: &'static [&'static str],
    /// A line needs one of these literally (ASCII case does not matter) before the pattern is tried.
    pub needs: &'static [&'static str],
    /// The pattern, without regard to case.
    pub pattern: &'static str,
    /// Lines that match this too are something else.
    pub unless: &'static str,
    /// Lines of this form near by (15 lines) belong to the evidence.
    pub near: &'static str,
    /// The line heads a stack trace: its innermost cause belongs to the title, the statement and the evidence.
    pub traced: bool,
    /// A later line of the same file that shows recovery; the fault then is history.
    pub cleared_by: &'static str,
    /// Hits needed before it speaks.
    pub at_least: u32,
    /// Hits needed within this many seconds (0: no matter when), if the lines have times.
    pub within_s: u32,
    /// Strength of one qualified hit.
    pub strength: f64,
    /// Strength once hits are many (20 or more).
    pub persistent: f64,
    /// Cause or symptom.
    pub role: Role,
    /// Kind of the subject.
    pub kind: &'static str,
    /// Name of the subject; also what hits are grouped by.
    pub subject: &'static str,
    /// The title.
    pub title: &'static str,
    /// The statement; `{span}` is appended when it does not name it.
    pub statement: &'static str,
    /// Lines that must match.
    pub yes: &'static [&'static str],
    /// Lines that must not.
    pub no: &'static [&'static str],
}

/// What a rule is unless it says otherwise.
pub const RULE: Rule = Rule {
    id: "",
    cause: "",
    scope: &[],
    needs: &[],
    pattern: "",
    unless: "",
    near: "",
    traced: false,
    cleared_by: "",
    at_least: 1,
    within_s: 0,
    strength: 0.6,
    persistent: 0.0,
    role: Role::Cause,
    kind: "Service",
    subject: "{daemon}",
    title: "",
    statement: "",
    yes: &[],
    no: &[],
};

/// Fills `{name}` slots; unknown ones become empty and leave no blank before a mark, runs of spaces one.
pub fn fill(template: &str, value: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open..];
        let Some(close) = rest.find('}') else { break };
        let part = value(&rest[1..close]).unwrap_or_default();
        rest = &rest[close + 1..];
        if part.trim().is_empty() && rest.starts_with([':', ',', ';', '.', ')']) {
            out.truncate(out.trim_end().len());
        }
        out.push_str(&part);
    }
    out.push_str(rest);
    let mut clean = String::with_capacity(out.len());
    for c in out.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if c != ' ' || !clean.ends_with(' ') {
            clean.push(c);
        }
    }
    clean.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_filled_and_gaps_closed() {
        let value = |name: &str| (name == "osd").then(|| "osd.3".to_owned());
        assert_eq!(fill("{osd} of {host} is\tdown", &value), "osd.3 of is down");
        assert_eq!(fill("open {osd", &value), "open {osd");
        assert_eq!(fill("router {id}: twice", &value), "router: twice");
        assert_eq!(fill("osd {osd}: twice", &value), "osd osd.3: twice");
    }
}
