//! Whether a quote stands in cited lines.

use crate::secrets::find_mark;

/// Least length of a quote, in characters, unless it is a whole line.
pub(super) const MIN_QUOTE_CHARS: usize = 6;

/// Text as it is compared: no colour codes, no control or invisible characters, each run of blanks one blank.
pub(super) fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut blank = false;
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => {
                if chars.next_if_eq(&'[').is_some() {
                    while chars
                        .next_if(|c| c.is_ascii_digit() || matches!(c, ';' | '?'))
                        .is_some()
                    {}
                    chars.next_if(char::is_ascii_alphabetic);
                }
            }
            c if c.is_whitespace() => blank = true,
            c if c.is_control() || matches!(c, '\u{200B}' | '\u{FEFF}') => {}
            c => {
                if blank && !out.is_empty() {
                    out.push(' ');
                }
                blank = false;
                out.push(c);
            }
        }
    }
    out
}

/// A quote, normalised and split at its masks.
#[derive(Debug)]
pub(super) struct Quote {
    parts: Vec<String>,
    length: usize,
}

impl Quote {
    pub(super) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(mark) = find_mark(rest) {
            parts.push(normalise(&rest[..mark.start]));
            rest = &rest[mark.end..];
        }
        parts.push(normalise(rest));
        let length = parts.iter().map(|part| part.chars().count()).sum();
        Self { parts, length }
    }
    /// Whether there is anything to compare.
    pub(super) fn is_empty(&self) -> bool {
        self.length == 0
    }
    /// Whether it is long enough to be more than a coincidence.
    pub(super) fn is_long(&self) -> bool {
        self.length >= MIN_QUOTE_CHARS
    }
    /// Whether normalised `text` contains it; masks stand for any text.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let mut rest = text;
        for part in self.parts.iter().filter(|part| !part.is_empty()) {
            let Some(at) = rest.find(part.as_str()) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        !self.is_empty()
    }
    /// Whether it is the whole of normalised `line`.
    pub(super) fn is_whole(&self, line: &str) -> bool {
        self.parts.len() == 1 && self.parts[0] == line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn blanks_colours_and_controls_do_not_matter() {
        assert_eq!(normalise("  a\t b\u{1b}[31;1mc\u{7}\r\n d "), "a bc d");
        assert!(Quote::new("OOMKilled:  true").is_in(&normalise("  OOMKilled: \ttrue,")));
        assert!(!Quote::new("OOMKilled: false").is_in("OOMKilled: true"));
    }

    #[test]
    fn what_no_screen_shows_is_not_compared() {
        for (text, shown) in [
            ("a\u{1b}[0;1mb", "ab"),
            ("a\u{1b}[?25lb", "ab"),
            ("a\u{1b}b", "ab"),
            ("a\u{1b}[2", "a"),
            ("a[2mb", "a[2mb"),
            ("\u{FEFF}a\u{200B}b\u{0}", "ab"),
            (" \t ", ""),
            ("\u{7} a", "a"),
            ("a\u{A0}\u{2003}b", "a b"),
        ] {
            assert_eq!(normalise(text), shown, "{text:?}");
        }
    }

    #[test]
    fn six_characters_are_a_quote_and_fewer_only_as_a_whole_line() {
        assert!(Quote::new("größer").is_long() && !Quote::new("große").is_long());
        assert!(Quote::new("abc‹secret:token:1›def").is_long());
        assert!(!Quote::new("ab‹secret:token:1›def").is_long());
        assert!(Quote::new(" full ").is_whole("full"));
        assert!(!Quote::new("full").is_whole("full now"));
        assert!(!Quote::new("full ‹secret:token:1›").is_whole("full"));
        assert!(Quote::new(" \n").is_empty() && !Quote::new(" \n").is_in("a"));
    }

    #[test]
    fn parts_between_masks_stand_in_their_order() {
        let quote = Quote::new("user=‹secret:user:1› user=");
        for (line, there) in [
            ("user=bob user=eve", true),
            ("user=bob; user= eve", true),
            ("user=bob", false),
            ("xuser= user=", true),
            ("user=user=", true),
        ] {
            assert_eq!(quote.is_in(line), there, "{line}");
        }
        let quote = Quote::new("b‹secret:user:1›a");
        assert!(quote.is_in("ba") && !quote.is_in("ab"));
    }

    #[test]
    fn masks_stand_for_any_text() {
        let quote = Quote::new("password=‹secret:password:1› for user bob");
        assert!(quote.is_in("x password=hunter2 for user bob"));
        assert!(!quote.is_in("password=hunter2 for user eve"));
        assert!(Quote::new("‹secret:jwt:1›").is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_part_of_a_line_is_in_it(line in "\\PC{1,80}", from in 0usize..80, to in 0usize..80) {
            let chars: Vec<char> = line.chars().collect();
            let (from, to) = (from.min(to).min(chars.len()), from.max(to).min(chars.len()));
            let part: String = chars[from..to].iter().collect();
            let quote = Quote::new(&part);
            prop_assert!(quote.is_empty() || quote.is_in(&normalise(&line)));
        }
    }
}
