//! Whole lines of all kinds: what is hidden of them is the secret, all of it and nothing else.

use super::Masker;
use crate::secrets::find_mark;

/// The text without its marks.
fn unmarked(mut text: &str) -> String {
    let mut out = String::new();
    while let Some(mark) = find_mark(text) {
        out.push_str(&text[..mark.start]);
        text = &text[mark.end..];
    }
    out + text
}

#[test]
fn of_each_line_the_secret_is_hidden_and_nothing_else() {
    let mut wrong = Vec::new();
    let (mut secrets, mut harmless) = (0, 0);
    for case in include_str!("cases.txt").lines() {
        if case.is_empty() || case.starts_with("# ") {
            continue;
        }
        let case = case
            .replace("\\n", "\n")
            .replace("\\t", "\t")
            .replace('~', "");
        let text = case.replace(['«', '»'], "");
        let (mut rest, mut around) = (case.as_str(), String::new());
        let mut values = Vec::new();
        while let Some((before, behind)) = rest.split_once('«') {
            let (value, after) = behind.split_once('»').expect("a closing mark");
            around.push_str(before);
            values.push(value);
            rest = after;
        }
        around.push_str(rest);
        match values.is_empty() {
            true => harmless += 1,
            false => secrets += values.len(),
        }
        let masked = Masker::new().mask(&text);
        if values.iter().any(|value| masked.contains(value)) || unmarked(&masked) != around {
            wrong.push(format!("{case:?}\n  becomes {masked:?}"));
        }
    }
    assert!(secrets > 280 && harmless > 60, "{secrets} and {harmless}");
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
