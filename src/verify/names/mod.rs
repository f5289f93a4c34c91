//! Which words of a sentence are names or values that must stand in the bundle, and which are plain English.

mod announced;
mod figure;
mod kind;
mod manner;
mod quoted;
mod vocabulary;

use super::lookup::{Edge, Needle, has};
use super::quote::normalise;
use super::values::{MONTH_NAMES, Value};
use crate::secrets::find_mark;
use kind::{Kind, kind};
use manner::Manner;
pub(super) use quoted::quoted_texts;
use quoted::without_commands;
use regex::Regex;
use std::sync::LazyLock;

pub(super) use figure::{Figure, What, counts_restarts};

/// Days written in words: `Feb 17 12:00:05`, `17 February 2022`.
static DAYS: LazyLock<Regex> = LazyLock::new(|| {
    let clock = r"(?:[ :]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)?";
    Regex::new(&format!(
        r"\b(?:(?:{MONTH_NAMES})\.? {{1,2}}\d{{1,2}}(?:st|nd|rd|th)?\b(?:,? [12]\d{{3}}\b)?{clock}|\d{{1,2}}[ /-](?:{MONTH_NAMES})\b(?:,?[ /-][12]\d{{3}}\b)?{clock})"
    ))
    .unwrap_or_else(|why| panic!("day pattern: {why}"))
});
/// A number and its unit with a blank between them, or a day and a time of day.
static JOINED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(?:\d[\d,]*(?:\.\d+)? (?:[KMGTP]i?B|[KMGTP]i|kB|bytes|ms|%|percent)|\d[\d,]*[.,]\d+ (?:seconds?|secs?|s|minutes?|mins?|hours?|hrs?|milliseconds|msecs?|days?)|[12]\d{3}-\d{2}-\d{2} \d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)(?:\W|$)")
        .unwrap_or_else(|why| panic!("joined pattern: {why}"))
});

/// A name or value found in a sentence.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Name {
    /// As written.
    pub text: String,
    /// Whether it may have been computed (a duration, a share, a sum, a time in another zone) instead of copied.
    pub computed: bool,
    /// Whether the sentence cut it off with `…`.
    pub cut: bool,
    /// What it denotes, if it is a value.
    pub value: Option<Value>,
    /// What it is, if it is a bare number.
    pub figure: Option<Figure>,
    /// How the sentence gives it.
    pub manner: Manner,
    /// Whether the sentence says that it is a name, which may stand between underscores.
    pub announced: bool,
}

impl Name {
    /// A name that is written out.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            computed: false,
            cut: false,
            value: None,
            figure: None,
            manner: Manner::default(),
            announced: false,
        }
    }

    /// By what it is known once it was looked for.
    pub fn key(&self) -> (String, Option<What>) {
        (
            self.text.clone(),
            self.figure.as_ref().map(|figure| figure.what),
        )
    }

    /// Texts under which it may stand in the bundle.
    pub fn needles(&self) -> Vec<Needle> {
        if self.figure.is_some() {
            return Vec::new();
        }
        let edge = if self.cut { Edge::Begins } else { Edge::Name };
        let mut out = vec![Needle {
            text: self.text.clone(),
            edge,
        }];
        out.extend(self.value.iter().flat_map(Value::needles));
        if self.announced {
            out.push(Needle {
                text: self.text.clone(),
                edge: Edge::Label,
            });
        }
        if self.value.is_none() && !self.cut {
            out.extend(other_writings(&self.text).into_iter().map(Needle::name));
        }
        out
    }

    /// Whether `text` itself names it, case ignored, in one of its spellings; a quoted passage may differ in blanks.
    pub fn stands_in(&self, text: &str) -> bool {
        if let Some(figure) = &self.figure {
            return figure.stands_in(text);
        }
        let lower = text.to_ascii_lowercase();
        let name = self.text.to_ascii_lowercase();
        let edge = if self.cut { Edge::Begins } else { Edge::Name };
        has(&lower, &name, edge)
            || self.announced && has(&lower, &name, Edge::Label)
            || self.value.is_none()
                && other_writings(&name)
                    .iter()
                    .any(|name| has(&lower, name, edge))
            || self
                .value
                .as_ref()
                .is_some_and(|value| value.stands_in(text))
            || name.contains(' ') && normalise(&lower).contains(&normalise(&name))
    }
}

/// Splits text into words, keeping what belongs to names together.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '"' | '\''
                    | '`'
                    | '“'
                    | '”'
                    | '‘'
                    | '’'
                    | '('
                    | ')'
                    | '['
                    | ']'
                    | '{'
                    | '}'
                    | '<'
                    | '>'
                    | ','
                    | ';'
                    | '|'
                    | '«'
                    | '»'
                    | '…'
                    | '—'
                    | '–'
                    | '→'
                    | '!'
                    | '?'
                    | '*'
            )
    })
    .flat_map(|word| {
        // key=value and key:value are two; host:port, 12:30:01, a::b and sha256:… stay one.
        match word.split_once('=') {
            Some((key, value)) => vec![key, value],
            None => vec![word],
        }
    })
    .map(|word| {
        word.trim_matches(|c: char| {
            matches!(
                c,
                '.' | ':' | '-' | '_' | '#' | '~' | '^' | '&' | '+' | '\\' | '$' | '@'
            )
        })
    })
    .map(|word| {
        word.strip_suffix("/")
            .filter(|rest| rest.contains('/'))
            .unwrap_or(word)
    })
    .filter(|word| !word.is_empty())
}

/// Names and values in `text` that must occur in the bundle, each once, in order.
pub(super) fn extract(text: &str) -> Vec<Name> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(mark) = find_mark(rest) {
        // A masked part makes its whole word unknown.
        plain.push_str(&rest[..mark.start]);
        while plain
            .chars()
            .next_back()
            .is_some_and(|c| !c.is_whitespace())
        {
            plain.pop();
        }
        plain.push(' ');
        rest = rest[mark.end..].trim_start_matches(|c: char| !c.is_whitespace());
    }
    plain.push_str(rest);
    let mut plain = without_commands(&plain);
    let mut out: Vec<Name> = Vec::new();
    let mut put = |name: Name| {
        let known = out.iter().any(|known| known.key() == name.key());
        if name.text.chars().count() <= 256 && !known {
            out.push(name);
        }
    };
    let named = |text: &str, computed, cut, manner| {
        let value = Value::of(text);
        Name {
            computed: computed || matches!(value, Some(Value::Moment(_))),
            cut,
            value,
            manner,
            ..Name::new(text)
        }
    };
    for quoted in quoted_texts(&plain) {
        let whole = quoted.trim_end_matches(['…', '.']).trim_end();
        let cut = whole.len() + 3 <= quoted.len();
        let manner = Manner::of(
            &plain,
            within(&plain, quoted),
            within(&plain, quoted) + quoted.len(),
        );
        put(named(if cut { whole } else { quoted }, false, cut, manner));
    }
    for text in announced::announced(&plain) {
        put(Name {
            announced: true,
            ..Name::new(text)
        });
    }
    // Bare numbers with what they are; taken out, so that they are not judged as any number.
    let mut left = String::with_capacity(plain.len());
    let mut end = 0;
    for said in figure::figures(&plain) {
        put(Name {
            figure: Some(said.figure.clone()),
            computed: said.added,
            ..Name::new(&plain[said.range.clone()])
        });
        left.push_str(&plain[end..said.range.start]);
        left.push_str(GONE);
        end = said.range.end;
    }
    left.push_str(&plain[end..]);
    plain = left;
    // Values of several words come first and are taken out, so that their parts are not judged alone.
    for form in [&*DAYS, &*JOINED] {
        let mut left = String::with_capacity(plain.len());
        let mut end = 0;
        for found in form.find_iter(&plain) {
            let text = found
                .as_str()
                .trim_end_matches(|c: char| !c.is_alphanumeric() && c != '%');
            if Value::of(text).is_some() {
                let manner = Manner::of(&plain, found.start(), found.start() + text.len());
                put(named(text, true, false, manner));
                left.push_str(&plain[end..found.start()]);
                left.push_str(GONE);
                end = found.start() + text.len();
            }
        }
        left.push_str(&plain[end..]);
        plain = left;
    }
    let all: Vec<&str> = words(&plain).collect();
    let cut_off = |word: &str| {
        let end = word.as_ptr() as usize - plain.as_ptr() as usize + word.len();
        plain[end..].starts_with('…') || plain[end..].starts_with("...")
    };
    for (at, word) in all.iter().enumerate() {
        let before = at
            .checked_sub(1)
            .and_then(|at| all.get(at))
            .map_or(String::new(), |word| word.to_ascii_lowercase());
        let manner = || {
            let start = within(&plain, word);
            Manner::of(&plain, start, start + word.len())
        };
        match kind(word, &before) {
            Kind::Plain => {}
            Kind::Name => {
                let manner = manner();
                // `250m` of a processor is copied, `33m` of time may be computed.
                let minutes = !manner.cpu
                    && word
                        .strip_suffix('m')
                        .is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
                put(named(word, minutes, cut_off(word), manner));
            }
            Kind::Computed => put(named(word, true, false, manner())),
            Kind::Parts(parts) => {
                for part in parts {
                    if kind(part, "") == Kind::Name {
                        put(named(part, false, false, manner()));
                    }
                }
            }
        }
    }
    out
}

/// Stands for what is taken out of a sentence: a word, so that `exit code 255 (14 times)` does not become code 14.
const GONE: &str = " , it , ";

/// Other ways to write a name: a version with and without its `v`, `order-5` as `order:5`.
fn other_writings(text: &str) -> Vec<String> {
    let version = text.strip_prefix('v').unwrap_or(text);
    if version.contains('.')
        && version.starts_with(|c: char| c.is_ascii_digit())
        && version.split('.').count() <= 3
        && version
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return match text.strip_prefix('v') {
            Some(plain) => vec![plain.to_owned()],
            None => vec![format!("v{text}")],
        };
    }
    match text.split_once('-') {
        Some((word, number))
            if word.len() >= 3
                && word.bytes().all(|byte| byte.is_ascii_alphabetic())
                && !number.is_empty()
                && number.len() <= 4
                && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            [" ", ":", "=", ": ", ""]
                .iter()
                .map(|between| format!("{word}{between}{number}"))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Where `part`, which is a part of `text`, begins in it.
fn within(text: &str, part: &str) -> usize {
    (part.as_ptr() as usize)
        .saturating_sub(text.as_ptr() as usize)
        .min(text.len().saturating_sub(part.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        extract(text).into_iter().map(|name| name.text).collect()
    }

    #[test]
    fn names_and_values_are_recognised() {
        for (text, expected) in [
            ("Pod shop/cart-5f7d9 is OOM-killed", vec!["shop/cart-5f7d9"]),
            ("the namespace kube-system has no DNS", vec!["kube-system"]),
            ("it exceeds its 50Mi memory limit", vec!["50Mi"]),
            (
                "connection to 10.0.0.12:5432 refused",
                vec!["10.0.0.12:5432"],
            ),
            ("/var/log is full on node7", vec!["/var/log", "node7"]),
            (
                "image registry.example.com/app:v1.2.3 can't be pulled",
                vec!["registry.example.com/app:v1.2.3"],
            ),
            ("the container ended with exit code 137", vec!["137"]),
            ("DB_PASSWORD is not set", vec!["DB_PASSWORD"]),
            ("nginx.service failed", vec!["nginx.service"]),
            (
                "it says \"no space left on device\" twice",
                vec!["no space left on device"],
            ),
            ("etcd took 3.2s for a request", vec!["3.2s"]),
            (
                "uuid 123e4567-e89b-12d3-a456-426614174000 is gone",
                vec!["123e4567-e89b-12d3-a456-426614174000"],
            ),
            ("password=‹secret:password:1› is wrong", vec![]),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn ordinary_english_is_no_name() {
        let corpus = include_str!("../prose_corpus.txt");
        let mut count = 0;
        for sentence in corpus.lines().filter(|line| !line.trim().is_empty()) {
            count += 1;
            let found: Vec<String> = extract(sentence)
                .into_iter()
                .filter(|name| !name.computed)
                .map(|name| name.text)
                .collect();
            assert!(found.is_empty(), "{sentence:?} gives {found:?}");
        }
        assert!(count >= 80, "{count}");
    }

    #[test]
    fn names_are_written_in_other_ways() {
        for (said, shown) in [
            ("it runs 1.28.12 here", "kubeletVersion: v1.28.12+rke2r1"),
            ("it runs v1.28.12 here", "version 1.28.12"),
            (
                "an order-5 allocation",
                "page allocation failure: order:5, mode",
            ),
        ] {
            assert!(extract(said)[0].stands_in(shown), "{said} in {shown}");
        }
        for (said, shown) in [
            ("it runs 1.28.12 here", "v1.28.120"),
            ("an order-5 allocation", "order:50"),
        ] {
            assert!(!extract(said)[0].stands_in(shown), "{said} in {shown}");
        }
    }

    #[test]
    fn versions_and_numbered_things_have_other_writings() {
        for (text, others) in [
            ("1.28.12", vec!["v1.28.12"]),
            ("v1.28", vec!["1.28"]),
            ("1.28.12.3", vec![]),
            ("v1", vec![]),
            ("v.1.2", vec![]),
            ("1.28x", vec![]),
            (
                "order-5",
                vec!["order 5", "order:5", "order=5", "order: 5", "order5"],
            ),
            (
                "osd-1234",
                vec!["osd 1234", "osd:1234", "osd=1234", "osd: 1234", "osd1234"],
            ),
            ("osd-12345", vec![]),
            ("cs-5", vec![]),
            ("c3s-5", vec![]),
            ("order-", vec![]),
            ("order-5a", vec![]),
            ("order", vec![]),
        ] {
            assert_eq!(other_writings(text), others, "{text}");
        }
        // In the bundle as in the evidence, but for a name that goes on, of which nobody knows how.
        let texts = |text: &str| -> Vec<String> {
            let names = extract(text);
            names[0]
                .needles()
                .into_iter()
                .map(|needle| needle.text)
                .collect()
        };
        assert_eq!(texts("it runs 1.28.12 here"), ["1.28.12", "v1.28.12"]);
        assert_eq!(texts("it runs 1.28.12… here"), ["1.28.12"]);
        assert!(!texts("it took 1.5s").contains(&"v1.5s".to_owned()));
    }

    #[test]
    fn a_word_with_a_masked_part_names_nothing() {
        for (text, expected) in [
            ("the pod web-5f‹secret:token:1› fails", vec![]),
            ("the pod ‹secret:token:1›web-5f fails", vec![]),
            ("web-5f ‹secret:token:1› web-6f", vec!["web-5f", "web-6f"]),
            (
                "node7 a=‹secret:token:1›node8\tnode9",
                vec!["node7", "node9"],
            ),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn a_name_comes_once_and_has_256_characters_at_most() {
        assert_eq!(names("node7, node8 and node7"), ["node7", "node8"]);
        let long = |length: usize| {
            "node7"
                .repeat(length)
                .chars()
                .take(length)
                .collect::<String>()
        };
        assert_eq!(names(&long(256)), [long(256)]);
        assert!(names(&long(257)).is_empty());
    }

    #[test]
    fn a_quotation_that_was_cut_off_is_told_from_one_that_ends_a_sentence() {
        for (text, quoted, cut) in [
            ("it says \"disk is full…\"", "disk is full", true),
            ("it says \"disk is full...\"", "disk is full", true),
            ("it says \"disk is full ...\"", "disk is full", true),
            ("it says \"disk is full.\"", "disk is full.", false),
            ("it says \"disk is full\"", "disk is full", false),
        ] {
            let found = &extract(text)[0];
            assert_eq!((found.text.as_str(), found.cut), (quoted, cut), "{text}");
        }
    }

    #[test]
    fn a_quoted_passage_may_differ_in_blanks() {
        let found = &extract("it says \"no space left\" twice")[0];
        assert!(found.stands_in("write: No  space\tleft on device"));
        assert!(!found.stands_in("no spaceleft"));
    }

    #[test]
    fn a_name_that_the_sentence_announces_may_stand_between_underscores() {
        let found = &extract("the user gitlab logged in")[0];
        assert!(found.announced && found.stands_in("home_gitlab_.txt"));
        assert!(!found.stands_in("home_gitlab2.txt"));
        assert!(found.needles().contains(&Needle {
            text: "gitlab".to_owned(),
            edge: Edge::Label,
        }));
        let found = &extract("the file web.log is empty")[0];
        assert!(!found.announced && !found.stands_in("home_web.log_old"));
        assert!(found.stands_in("open WEB.LOG: empty"));
    }

    #[test]
    fn a_bare_number_is_found_as_what_it_is_and_not_as_a_text() {
        let found = &extract("it ended with exit code 137")[0];
        assert!(found.needles().is_empty() && !found.computed);
        assert_eq!(found.key(), ("137".to_owned(), Some(What::ExitCode)));
        assert!(found.stands_in("Exit Code: 137") && !found.stands_in("port 137"));
        assert!(extract("285 restarts in total")[0].computed);
    }

    #[test]
    fn thousandths_of_a_processor_are_copied_and_minutes_may_be_computed() {
        for (text, computed) in [
            ("the CPU limit is 250m", false),
            ("it took 33m in all", true),
            ("it requests 64Mi", false),
            ("it took 1.5s in all", true),
        ] {
            assert_eq!(extract(text)[0].computed, computed, "{text}");
        }
        assert_eq!(names("it came from root@web/shell"), ["root@web"]);
    }

    #[test]
    fn times_are_values_and_cut_names_are_beginnings() {
        let found =
            extract("Since 2022-02-17 12:00:01 and Feb 17 the extent 0x200000~8000… fails.");
        let texts: Vec<&str> = found.iter().map(|name| name.text.as_str()).collect();
        assert_eq!(texts, ["Feb 17", "2022-02-17 12:00:01", "0x200000~8000"]);
        assert!(found[0].computed && found[1].computed && found[2].cut);
        assert!(found[2].stands_in("logical extent 0x200000~80000, object"));
        assert!(!extract("the extent 0x200000~8000 fails")[0].stands_in("extent 0x200000~80000"));
    }
}
