//! A quote in its lines, for the HTML report: line numbers, the quoted words marked.

use super::escape::html as esc;
use super::model::Evidence;
use super::view::{EvidenceContext, Tick};
use super::wording as say;
use std::fmt::Write as _;

/// Most characters shown of a line around the quote, and on each side of the quote in its own line.
const MAX_SIDE_CHARS: usize = 240;
/// Most characters marked in one line.
const MAX_MARKED_CHARS: usize = 2000;

/// A figure with the place, the lines and the checks of one piece of evidence.
pub fn figure<'a>(
    evidence: &Evidence,
    context: Option<&EvidenceContext>,
    ticks: impl Iterator<Item = &'a Tick>,
) -> String {
    let lines = match evidence.line_end > evidence.line_start {
        true => format!("lines {} to {}", evidence.line_start, evidence.line_end),
        false => format!("line {}", evidence.line_start),
    };
    let body = context.map_or_else(|| bare(evidence), |context| in_context(evidence, context));
    let mut out = format!(
        "<figure>\n<figcaption><code>{}</code> <span class=\"why\">{lines}</span></figcaption>\n<pre class=\"lines\">{body}</pre>\n",
        esc(&evidence.path)
    );
    out.push_str(&ticks_list(ticks));
    out.push_str("</figure>\n");
    out
}

/// A list of checks, or nothing.
pub fn ticks_list<'a>(ticks: impl Iterator<Item = &'a Tick>) -> String {
    let mut items = String::new();
    for tick in ticks {
        let class = match tick.status {
            super::view::TickStatus::Ok => "ok",
            super::view::TickStatus::Flagged => "flagged",
            super::view::TickStatus::Dropped => "dropped",
            super::view::TickStatus::Rejected => "rejected",
        };
        // What holds is told by its mark; the word is for those who hear the page.
        let word = if class == "ok" { "hear" } else { "why" };
        let mut text = format!(
            "{} <span class=\"{word}\">{}",
            esc(&tick.what),
            say::tick_word(tick.status)
        );
        if !tick.reason.is_empty() {
            let _ = write!(text, ": {}", esc(&tick.reason));
        }
        let _ = writeln!(
            items,
            "<li class=\"{class}\"><span aria-hidden=\"true\">{}</span><span>{text}</span></span></li>",
            say::tick(tick.status)
        );
    }
    match items.is_empty() {
        true => items,
        false => format!("<ul class=\"ticks\">\n{items}</ul>\n"),
    }
}

/// The quote alone, when the lines around it are not at hand.
fn bare(evidence: &Evidence) -> String {
    let mut out = String::new();
    for (at, line) in evidence.quote.split('\n').enumerate() {
        let text = mark(line.strip_suffix('\r').unwrap_or(line));
        out.push_str(&row(
            evidence.line_start.saturating_add(at as u64),
            true,
            &text,
        ));
    }
    out
}

fn in_context(evidence: &Evidence, context: &EvidenceContext) -> String {
    let shared = shared_indent(&context.lines);
    let quote: Vec<&str> = evidence
        .quote
        .split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .collect();
    let mut out = String::new();
    for (at, line) in context.lines.iter().enumerate() {
        let number = context.first_line.saturating_add(at as u64);
        let line = line.get(shared..).unwrap_or(line);
        if number < context.marked_first || number > context.marked_last {
            out.push_str(&row(number, false, &cut_end(line)));
            continue;
        }
        let nth = usize::try_from(number - context.marked_first).unwrap_or(usize::MAX);
        let wanted = if quote.len() == 1 {
            quote.first()
        } else {
            quote.get(nth)
        };
        out.push_str(&row(
            number,
            true,
            &marked(line, wanted.copied().unwrap_or(line)),
        ));
    }
    out
}

/// Leading spaces that all lines have, less two, so that deep JSON needs less room.
fn shared_indent(lines: &[String]) -> usize {
    let indent = |line: &String| line.len() - line.trim_start_matches(' ').len();
    lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(indent)
        .min()
        .unwrap_or(0)
        .saturating_sub(2)
}

fn row(number: u64, hit: bool, text: &str) -> String {
    let class = if hit { " class=\"hit\"" } else { "" };
    format!("<span{class}><span class=\"n\">{number}</span><span class=\"t\">{text}</span></span>")
}

/// The line with `quote` marked in it; the whole line when the quote is not found there.
fn marked(line: &str, quote: &str) -> String {
    let quote = quote.trim();
    match line.find(quote).filter(|_| !quote.is_empty()) {
        Some(at) => format!(
            "{}{}{}",
            cut_start(&line[..at]),
            mark(quote),
            cut_end(&line[at + quote.len()..])
        ),
        None => {
            let text = line.trim_start();
            format!("{}{}", esc(&line[..line.len() - text.len()]), mark(text))
        }
    }
}

fn mark(text: &str) -> String {
    let kept: String = text.chars().take(MAX_MARKED_CHARS).collect();
    format!(
        "<mark>{}</mark>{}",
        esc(&kept),
        more(text.chars().count() - kept.chars().count())
    )
}

fn cut_end(text: &str) -> String {
    let kept: String = text.chars().take(MAX_SIDE_CHARS).collect();
    format!(
        "{}{}",
        esc(&kept),
        more(text.chars().count() - kept.chars().count())
    )
}

fn cut_start(text: &str) -> String {
    let all = text.chars().count();
    let kept: String = text
        .chars()
        .skip(all.saturating_sub(MAX_SIDE_CHARS))
        .collect();
    format!("{}{}", more(all.saturating_sub(MAX_SIDE_CHARS)), esc(&kept))
}

fn more(chars: usize) -> String {
    match chars {
        0 => String::new(),
        n => format!(
            " <span class=\"cut\">… {}</span> ",
            say::plural(n as u64, "more character", "more characters")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(quote: &str) -> Evidence {
        Evidence {
            path: "a/b.json".into(),
            line_start: 12,
            line_end: 12,
            quote: quote.into(),
        }
    }

    #[test]
    fn the_quote_is_marked_in_its_own_line_only() {
        let context = EvidenceContext {
            path: "a/b.json".into(),
            first_line: 11,
            lines: vec![
                "      \"reason\": \"Error\"".into(),
                "      \"reason\": \"OOMKilled\", <x>".into(),
                "      }".into(),
            ],
            marked_first: 12,
            marked_last: 12,
        };
        let out = in_context(&evidence("\"reason\": \"OOMKilled\""), &context);
        assert_eq!(out.matches("<mark>").count(), 1);
        assert!(out.contains("<span class=\"n\">12</span><span class=\"t\">  <mark>&quot;reason&quot;: &quot;OOMKilled&quot;</mark>, &lt;x&gt;</span>"), "{out}");
    }

    #[test]
    fn long_lines_are_cut_around_the_quote() {
        let context = EvidenceContext {
            path: "a/b.json".into(),
            first_line: 12,
            lines: vec![format!("{}needle{}", "é".repeat(900), "ü".repeat(900))],
            marked_first: 12,
            marked_last: 12,
        };
        let out = in_context(&evidence("needle"), &context);
        assert!(out.contains("<mark>needle</mark>"));
        assert_eq!(out.matches("660 more characters").count(), 2, "{out}");
    }
}
