//! The last hand on a signal's words: nothing may read like a name of this bundle that the bundle does not show.
//!
//! A verdict rejects a finding whose title or statement names what stands nowhere in the bundle. Advice may name
//! a setting (`vm.min_free_kbytes`) that the collector did not save; then it is said in plain words instead.

use super::Signal;
use crate::bundle::Tree;

/// Signals whose words are settled: more are never shown.
const SETTLED: usize = 12;

/// Settles the words of the strongest signals.
pub fn settle(tree: &Tree, signals: &mut [Signal]) {
    for signal in signals.iter_mut() {
        for evidence in &mut signal.evidence {
            if evidence.quote.chars().any(is_control) {
                evidence.quote = printable(&evidence.quote).to_owned();
            }
        }
        signal
            .evidence
            .retain(|evidence| !evidence.quote.is_empty());
        let ended = signal.title.trim_end_matches([':', ';', ',', ' ']).len();
        signal.title.truncate(ended);
        for text in [
            &mut signal.title,
            &mut signal.statement,
            &mut signal.subject.name,
        ] {
            if text.chars().any(is_control) {
                *text = uncoloured(text);
            }
            smooth(text);
            // A quotation that lost its end.
            if text.matches('"').count() % 2 == 1 && !text.ends_with(['"', '…']) {
                text.push('"');
            }
            // Braces that touch are the mark of a template that nobody filled, in a report too.
            while text.contains("{{") || text.contains("}}") {
                *text = text.replace("{{", "{ {").replace("}}", "} }");
            }
        }
    }
    signals_with_words(tree, signals);
}

/// Takes away what a template leaves where a part of it stayed empty or ended like the text behind it: `failed:.`,
/// `ephemeral-storage..`, `""error`, and the second half of a pair of brackets. What stands in quotes stays.
fn smooth(text: &mut String) {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut open) = (false, 0_usize);
    let chars: Vec<char> = text.chars().collect();
    for (at, c) in chars.iter().enumerate() {
        let next = chars.get(at + 1);
        let ends = |c: Option<&char>| c.is_none_or(|c| c.is_whitespace());
        match c {
            '"' if next == Some(&'"') && doubled(&chars, at) => continue,
            '"' => quoted = !quoted,
            '(' => open += 1,
            ')' if open == 0 && !quoted && next.is_none_or(|c| " .,;:".contains(*c)) => continue,
            ')' => open = open.saturating_sub(1),
            '.' if !quoted
                && ends(next)
                && out.ends_with(['.', ':', ';', ','])
                && !out.ends_with("..") =>
            {
                out.truncate(out.trim_end_matches([':', ';', ',', '.']).len());
            }
            _ => {}
        }
        out.push(*c);
    }
    if out != *text {
        *text = out;
    }
}

/// Whether the two quotation marks at `at` are those of a quotation within a quotation, not of an empty text.
fn doubled(chars: &[char], at: usize) -> bool {
    let before = at.checked_sub(1).map(|at| chars[at]);
    let after = chars.get(at + 2);
    let opens = before.is_none_or(char::is_whitespace);
    let closes = after.is_none_or(|c| c.is_whitespace() || ".,;:".contains(*c));
    opens != closes && !before.is_some_and(|c| "=:([{".contains(c))
}

/// What a report refuses: all control characters but tabs and line breaks.
fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n')
}

/// The longest part of a line without control characters, without the rest of a colour code before it:
/// still verbatim.
fn printable(line: &str) -> &str {
    line.split(is_control)
        .map(|part| strip_colour(part).trim())
        .max_by_key(|part| part.len())
        .unwrap_or_default()
}

/// `[31m` and the like at the beginning, whose escape character was cut off.
fn strip_colour(part: &str) -> &str {
    let code = part.strip_prefix('[').and_then(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == ';'))?;
        rest[end..].strip_prefix(['m', 'K', 'H', 'J'])
    });
    code.unwrap_or(part)
}

/// The text without colour codes and control characters.
fn uncoloured(text: &str) -> String {
    text.split(is_control).map(strip_colour).collect()
}

fn signals_with_words(tree: &Tree, signals: &mut [Signal]) {
    for signal in signals
        .iter_mut()
        .filter(|signal| !signal.detector.starts_with("k8s."))
        .take(SETTLED)
    {
        let shown = shown(signal);
        signal.title = plain(&signal.title, &shown);
        signal.statement = plain(&signal.statement, &shown);
        let name = signal.subject.name.to_ascii_lowercase();
        if !name.is_empty() && !whole(&shown, &name) && !in_paths(tree, &name) {
            signal.subject.name.clear();
        }
    }
}

/// All that the signal's own evidence shows, in lower case.
fn shown(signal: &Signal) -> String {
    let mut text = String::new();
    for evidence in &signal.evidence {
        text.push_str(&evidence.path);
        text.push('\n');
        text.push_str(&evidence.quote);
        text.push('\n');
    }
    text.make_ascii_lowercase();
    text
}

fn in_paths(tree: &Tree, name: &str) -> bool {
    tree.index()
        .entries
        .iter()
        .any(|entry| whole(&entry.path.as_str().to_ascii_lowercase(), name))
}

/// Whether `text` contains `name` with no letter, digit or `_` beside it.
fn whole(text: &str, name: &str) -> bool {
    let part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    !name.is_empty()
        && text.match_indices(name).any(|(at, _)| {
            let before = at.checked_sub(1).and_then(|at| text.as_bytes().get(at));
            !part(before) && !part(text.as_bytes().get(at + name.len()))
        })
}

/// The text with settings that are not shown in plain words, and without quotation marks around what was not quoted.
fn plain(text: &str, shown: &str) -> String {
    let text = unquoted(text, shown);
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/') {
            word.push(c);
            continue;
        }
        out.push_str(&settled(&word, shown));
        word.clear();
        out.push(c);
    }
    // "(_ssl.c:1131)" tells nobody anything.
    while let Some(from) = out.find("(_ssl.c:").or_else(|| out.find("( ssl.c:")) {
        let Some(length) = out[from..].find(')') else {
            break;
        };
        out.replace_range(from..=from + length, "");
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn settled(word: &str, shown: &str) -> String {
    let core = word.trim_matches(['.', '-', '/']);
    let lower = core.to_ascii_lowercase();
    if !core.contains('_') && !is_sysctl(core) {
        return word.to_owned();
    }
    // Names that begin or end with `_` are never found whole once a reader trims them.
    if core.starts_with('_') || core.ends_with('_') {
        return word.replace('_', " ");
    }
    let setting = core.bytes().all(|b| {
        b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-' | b'/')
    });
    let code = core.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    if whole(shown, &lower) || !(setting || code) || core.starts_with('/') {
        return word.to_owned();
    }
    // The same setting may be shown as a path of /proc/sys.
    let path = lower.replace('.', "/");
    if is_sysctl(core) && whole(shown, &path) {
        return word.replace('.', "/");
    }
    let spaced = word.replace('_', " ");
    if is_sysctl(core) {
        let (body, end) = spaced.split_at(spaced.trim_end_matches('.').len());
        format!("{}{end}", body.replace(['.', '/'], " "))
    } else {
        spaced
    }
}

/// `vm.swappiness`, `net.ipv4.tcp_mem`, `fs.file-max`, `kernel.pid_max`.
fn is_sysctl(word: &str) -> bool {
    ["vm.", "net.", "fs.", "kernel."]
        .iter()
        .any(|start| word.starts_with(start))
}

/// Quotation marks stay only around what the evidence shows.
fn unquoted(text: &str, shown: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find('"') {
        let Some(close) = rest[open + 1..].find('"').map(|at| open + 1 + at) else {
            break;
        };
        let inner = &rest[open + 1..close];
        out.push_str(&rest[..open]);
        if shown.contains(&inner.trim().to_ascii_lowercase()) {
            out.push_str(&rest[open..=close]);
        } else {
            out.push_str(inner);
        }
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_template_leaves_is_smoothed() {
        let smoothed = |text: &str| {
            let mut text = text.to_owned();
            smooth(&mut text);
            text
        };
        for (text, wanted) in [
            ("Mount /srv failed:.", "Mount /srv failed."),
            ("low on storage.. Evicted", "low on storage. Evicted"),
            ("it is degraded. Degraded: .", "it is degraded. Degraded: ."),
            (
                "refused: password expired) (24 times)",
                "refused: password expired (24 times)",
            ),
            (
                "logs \"\"no route\" err=1\" once",
                "logs \"no route\" err=1\" once",
            ),
            ("says \"user \"a\"\" once", "says \"user \"a\" once"),
        ] {
            assert_eq!(smoothed(text), wanted);
        }
        for text in [
            "waits … and so on...",
            "invalid value \"\" for --name",
            "name=\"\" is empty",
            "a (b) c",
            "see \"a) b\".",
            "v1.2..v1.3",
        ] {
            assert_eq!(smoothed(text), text);
        }
    }

    #[test]
    fn settings_that_nothing_shows_are_said_in_plain_words() {
        let say = |text: &str, shown: &str| plain(text, shown);
        assert_eq!(
            say("raise vm.min_free_kbytes.", ""),
            "raise vm min free kbytes."
        );
        assert_eq!(
            say("vm.min_free_kbytes is 1", "vm.min_free_kbytes = 1"),
            "vm.min_free_kbytes is 1"
        );
        assert_eq!(
            say(
                "net.ipv4.ip_forward is 0",
                "proc/sys/net/ipv4/ip_forward\n0"
            ),
            "net/ipv4/ip_forward is 0"
        );
        assert_eq!(
            say("max_connections (pid_max)", "max_connections = 5"),
            "max_connections (pid max)"
        );
        assert_eq!(
            say("mode GFP_KERNEL|__GFP_COMP", "gfp_kernel|__gfp_comp"),
            "mode GFP_KERNEL| GFP COMP"
        );
    }

    #[test]
    fn colours_are_cut_off() {
        let line = "\u{1b}[31mERROR\u{1b}[0m 2022-02-10 connection refused";
        assert_eq!(printable(line), "2022-02-10 connection refused");
        assert_eq!(uncoloured(line), "ERROR 2022-02-10 connection refused");
        assert!(line.contains(printable(line)));
    }

    #[test]
    fn quotation_marks_and_places_in_libraries() {
        assert_eq!(
            plain("fails with \"No space left\" often", ""),
            "fails with No space left often"
        );
        assert_eq!(
            plain("says \"disk full\"", "error: disk full"),
            "says \"disk full\""
        );
        assert_eq!(plain("expired (_ssl.c:1131) here", ""), "expired here");
    }
}
