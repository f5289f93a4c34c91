//! Words that are not what they look like: with characters that can't be seen, or with letters of another alphabet.

use super::Judge;
use super::known::Wanted;
use super::ledger::Spot;
use crate::bundle::path::is_invisible;
use crate::verify::names::Name;
use crate::verify::verdict::{Rule, Status};

/// Most such words of a text that are said.
const MAX_WORDS: usize = 20;

/// Letters of other alphabets that pass for Latin ones.
const LOOKALIKES: &str = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορτυχϳАВЕЅІЈКМНОРСТУХаеорсухіјѕԁԛԝһӏ";

/// A word of a text that deceives its reader, and by which character.
fn deceptive(text: &str) -> Vec<(&str, char)> {
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        // Most words of most texts.
        if word.is_ascii() {
            continue;
        }
        if let Some(c) = unseen(word).or_else(|| foreign(word)) {
            out.push((word, c));
        }
        if out.len() >= MAX_WORDS {
            break;
        }
    }
    out
}

/// A character that can't be seen, other than those that make one picture of several.
fn unseen(word: &str) -> Option<char> {
    let chars: Vec<char> = word.chars().collect();
    chars.iter().enumerate().find_map(|(at, c)| {
        let latin = |at: Option<usize>| {
            at.and_then(|at| chars.get(at))
                .is_some_and(char::is_ascii_graphic)
        };
        let beside = latin(at.checked_sub(1)) || latin(Some(at + 1));
        let turns = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{E0000}'..='\u{E007F}');
        // Variants of pictures stand behind any character.
        let picture = matches!(c, '\u{FE00}'..='\u{FE0F}');
        (is_invisible(*c) && !picture && (beside || turns)).then_some(*c)
    })
}

/// A letter of another alphabet among Latin ones.
fn foreign(word: &str) -> Option<char> {
    word.split(|c: char| !c.is_alphanumeric()).find_map(|part| {
        let latin = part.chars().any(|c| c.is_ascii_alphabetic());
        part.chars().find(|c| {
            latin && LOOKALIKES.contains(*c)
                || matches!(c, '\u{FF10}'..='\u{FF5A}' | '\u{1D400}'..='\u{1D7FF}')
        })
    })
}

impl Wanted {
    /// Words that deceive, as they stand: a bundle may hold them itself.
    pub fn deceptive(&mut self, text: &str) {
        for (word, _) in deceptive(text) {
            self.plain(trimmed(word));
        }
    }
}

impl Judge<'_> {
    /// Rejects words that deceive, unless the bundle itself has them.
    pub(super) fn hidden(&mut self, spot: &Spot, text: &str) {
        let known = std::rc::Rc::clone(&self.known);
        for (word, c) in deceptive(text) {
            let code = u32::from(c);
            let (status, reason) = if known.stands(&Name::new(trimmed(word))) {
                (
                    Status::Flagged,
                    format!("a word of the bundle holds U+{code:04X}, which deceives its reader"),
                )
            } else if is_invisible(c) {
                (
                    Status::Rejected,
                    format!("a word holds the invisible character U+{code:04X}"),
                )
            } else {
                (
                    Status::Rejected,
                    format!("a word holds U+{code:04X}, which looks like another letter"),
                )
            };
            self.ledger
                .note(&spot.saying(text), Rule::Sentence, status, reason);
        }
    }
}

/// A word without the marks around it.
fn trimmed(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric() && !is_invisible(c))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{answer_in, claims, finding, report, tree_with};
    use super::super::{Options, judge};
    use super::*;
    use crate::report::{Missing, NotExamined};

    #[test]
    fn words_that_deceive_are_told_from_other_languages_and_pictures() {
        for text in [
            "the image ngi\u{200B}nx",
            "the pod c\u{0430}rt is down",
            "run \u{202E}txt.exe",
            "x\u{00AD}y",
            "the host ｗｅｂ",
            "ΡOD is down",
        ] {
            assert_eq!(deceptive(text).len(), 1, "{text:?}");
        }
        for text in [
            "it took 3 μs, Δt is small",
            "\u{2714}\u{FE0F} done \u{1F468}\u{200D}\u{1F4BB} here 1\u{FE0F}\u{20E3}",
            "под не работает, API-сервер молчит",
            "naïve café – “quoted” …",
            "größer als 50 %",
        ] {
            assert_eq!(deceptive(text), [], "{text:?}");
        }
    }
    #[test]
    fn every_deceptive_word_is_said_up_to_a_limit() {
        let code = |text: &str| -> Vec<u32> {
            deceptive(text).into_iter().map(|(_, c)| c.into()).collect()
        };
        assert_eq!(code("the p\u{43E}d c\u{430}rt"), [0x43E, 0x430]);
        assert_eq!(code("\u{200B}nginx"), [0x200B]);
        assert_eq!(code("nginx\u{200B}"), [0x200B]);
        assert_eq!(code("\u{200B}"), [] as [u32; 0]);
        let many = "c\u{430}rt ".repeat(MAX_WORDS + 1);
        assert_eq!(deceptive(&many).len(), MAX_WORDS);
    }

    #[test]
    fn what_the_bundle_itself_writes_so_is_flagged_and_not_rejected() {
        let more = "image ngi\u{200B}nx, job \u{200B}batch\u{200B} of c\u{430}rt-9\n";
        for (said, there) in [
            ("ngi\u{200B}nx", true),
            ("c\u{430}rt-9", true),
            ("\u{200B}batch\u{200B}", true),
            ("ngin\u{200B}x", false),
            ("c\u{430}rd-9", false),
            ("batch\u{200B}er", false),
        ] {
            for text in [
                format!("It is {said} there."),
                format!("The disk ({said}), not the network."),
                format!("The word is \"{said}\"."),
            ] {
                let verdict = answer_in(more, &serde_json::json!({"text": text}));
                let deceptive = claims(&verdict, Rule::Sentence);
                let (_, status, reason) = deceptive[0];
                let expected = if there {
                    Status::Flagged
                } else {
                    Status::Rejected
                };
                assert_eq!(status, expected, "{text:?} {reason}");
                assert!(reason.contains("U+"), "{reason}");
            }
        }
    }

    #[test]
    fn it_may_stand_in_any_sentence_of_a_report() {
        let said = "It is c\u{430}rt-9 there.";
        let mut given = report(vec![finding()]);
        given.findings[0].root_cause += said;
        given.findings[0].commands[0].why = said.into();
        given.missing.push(Missing {
            what: said.into(),
            why: said.into(),
            path: None,
        });
        given.not_examined.push(NotExamined {
            what: "logs".into(),
            why: said.into(),
        });
        for (more, expected) in [
            ("job c\u{430}rt-9 ended\n", Status::Flagged),
            ("", Status::Rejected),
        ] {
            let (_folder, tree) = tree_with(more);
            let verdict = judge(&given, &tree, &Options::default()).verdict;
            let deceptive: Vec<_> = claims(&verdict, Rule::Sentence)
                .into_iter()
                .filter(|(.., reason)| reason.contains("U+"))
                .map(|(place, status, _)| (place, status))
                .collect();
            let places = [
                "/findings/0/root_cause",
                "/findings/0/commands/0/why",
                "/missing/0/what",
                "/missing/0/why",
                "/not_examined/0/why",
            ];
            assert_eq!(deceptive, places.map(|place| (place, expected)));
            let command = serde_json::json!({"command": "df -h", "why": said});
            let answer = serde_json::json!({"text": "It was OOMKilled.", "commands": [command]});
            let verdict = answer_in(more, &answer);
            let why = claims(&verdict, Rule::Sentence).into_iter();
            let mut why = why.filter(|(place, ..)| *place == "/commands/0/why");
            assert_eq!(why.next().map(|(_, status, _)| status), Some(expected));
        }
    }
}
