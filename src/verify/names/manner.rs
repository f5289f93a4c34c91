//! In which manner a sentence gives a name or value: as it is, about, in another time zone, as something to be set.

use regex::Regex;
use std::sync::LazyLock;

/// What the words around a name or value say about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::verify) struct Manner {
    /// `about 12:30`.
    pub about: bool,
    /// The sentence speaks of a time zone.
    pub zone: bool,
    /// A span of time, not a point in it: `after 00:02:13`.
    pub lasts: bool,
    /// Something that the reader may set: `raise the limit to 256Mi`.
    pub planned: bool,
    /// A share of a file system that is used or free, as `df` prints it.
    pub filled: bool,
    /// The sentence speaks of processors, whose thousandths are written like minutes.
    pub cpu: bool,
    /// The distance between two things: `12.4 seconds later`.
    pub apart: bool,
}

macro_rules! pattern {
    ($name:ident, $text:expr) => {
        static $name: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new($text).unwrap_or_else(|why| panic!("{}: {why}", stringify!($name)))
        });
    };
}

pattern!(
    ABOUT,
    r"(?i)(?:\b(?:about|around|approximately|approx\.?|roughly|circa|ca\.?|nearly|almost|shortly|just|soon|a little|some|by|until|till|before|after|towards|toward|past|between|and|from|to|near)\s*|~\s*|≈\s*|–\s*)$"
);
pattern!(
    ZONE,
    r"(?i)\b(?:UTC|GMT|Zulu|CES?T|[ECMPW]ES?T|[ECMP][SD]T|IST|JST|BST|AES?T|MSK|local time|time ?zone|[ap]\.?m\b|o.clock)|[+-]\d{2}:\d{2}\b"
);
pattern!(
    LASTS,
    r"(?i)\b(?:for|took|takes|taking|lasted|lasting|within|duration(?: of| is| was|:)?|uptime(?: of| is| was|:)?|up|elapsed|in|over|lag(?: of)?|behind|age(?: of)?|old)\s*$"
);
pattern!(
    PLANNED,
    r"(?ix)
    (?: ^\W* | [:;,(–—-]\s+ | \b(?:please|should|must|can|could|may|might|would|to|then|you|we|or|try|consider|need|needs|recommend|suggest|simply|just|either|by|instead|if)\s+ | [.]\s+ )
    (?:be\s+)?
    (?:raise|raising|increase|increasing|lower|lowering|reduce|reducing|decrease|set|setting|change|changing|bump|bumping|configure|configuring|give|giving|allow|allowing|limit|extend|extending|grow|growing|scale|scaling|start|use|using|choose|specify|specifying|add|adding|adjust|adjusting|resize|put|make|define|defining|create|creating|enable|enabling|provide|request|grant|write|replace|correct|fix|edit|rename|switch|move|tune|check)
    (?:d|ed|n)?\b (?:[^.;!?]|\.\S)* $"
);
pattern!(
    PLANNED_AND,
    r"(?ix)(?: ^\W* | [.:;]\s+ ) (?:edit|open|patch|change|update|raise|increase|check|look|take|delete|remove|recreate|fix) \b (?:[^.;!?]|\.\S)* \band\s+(?:set|add|use|raise|lower|increase|change|put|give)\b (?:[^.;!?]|\.\S)* $"
);
pattern!(
    VALUE_TO,
    r"(?i)(?:\b(?:to|of|at|least|e\.g\.|say|example|with|or|about|than|a|an|like|be|by)\s*|[=:(]\s*)[`\x22(]*$"
);
pattern!(
    FILLED_AFTER,
    r"(?i)^[\s`*)]*(?:of\s+(?:its\s+|the\s+|all\s+)?\w+\s+)?(?:is\s+|are\s+|was\s+)?(?:used|full|usage|utili[sz]ed|utili[sz]ation|in\s+use|occupied|filled|free\b|capacity)"
);
pattern!(
    FILLED_BEFORE,
    r"(?i)\b(?:usage|use|used|full|filled|fill\s+level|utili[sz]ation|occupied|occupancy)\s*(?:is|was|at|of|to|up\s+to|level|:|=|now|stands|about|currently|only|just|\s)*$"
);
pattern!(
    FILES,
    r"(?i)\b(?:file[\s-]?systems?|disks?|partitions?|mount(?:ed|\s*points?)?|inodes?|df|volumes?|root|rootfs)\b|/dev/\S|(?:^|[\s`(])/(?:var|tmp|home|boot|opt|data|srv|usr)?[\s`,)]"
);
pattern!(
    CPU,
    r"(?i)\b(?:cpus?|cores?|millicores?|processors?|throttl\w+)\b"
);
pattern!(
    APART,
    r"(?i)^[\s`*]*(?:later|earlier|apart|after|before|between|elapsed|gap|passed|difference|delay|longer|more|less|shorter|into)\b"
);
pattern!(
    APART_BEFORE,
    r"(?i)\b(?:after|within|gap\s+of|difference\s+of|delay\s+of|every|interval\s+of|average|averag\w+|mean|total(?:\s+of)?|sum(?:\s+of)?|below|under|above|over|than|exceeds?|about|around|roughly|approximately|nearly|almost|some)\s*$|~\s*$"
);

impl Manner {
    /// The manner of what stands from `start` to `end` of a sentence.
    pub fn of(text: &str, start: usize, end: usize) -> Self {
        // The sentence at hand, if there are several.
        let from = text[..start]
            .rmatch_indices(['.', '!', '?', '\n'])
            .find(|(at, mark)| *mark == "\n" || text[at + 1..].starts_with(char::is_whitespace))
            .map_or(0, |(at, _)| at + 1);
        let before = &text[from..start];
        let to = text[end..]
            .match_indices(['.', '!', '?', '\n'])
            .find(|(at, mark)| {
                *mark == "\n"
                    || text[end + at + 1..]
                        .chars()
                        .next()
                        .is_none_or(char::is_whitespace)
            })
            .map_or(text.len(), |(at, _)| end + at);
        let after = &text[end..to];
        let sentence = &text[from..to];
        Self {
            about: ABOUT.is_match(before),
            zone: ZONE.is_match(sentence),
            lasts: LASTS.is_match(before)
                || after.trim_start().starts_with("hours")
                || after.trim_start().starts_with("(h"),
            planned: (PLANNED.is_match(before) || PLANNED_AND.is_match(before))
                && (VALUE_TO.is_match(before)
                    || !text[start..end].starts_with(|c: char| c.is_ascii_digit())),
            filled: (FILLED_AFTER.is_match(after) || FILLED_BEFORE.is_match(before))
                && FILES.is_match(sentence),
            cpu: CPU.is_match(sentence),
            apart: APART.is_match(after) || APART_BEFORE.is_match(before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manner(text: &str, of: &str) -> Manner {
        let start = text.find(of).unwrap_or_else(|| panic!("{of} in {text}"));
        Manner::of(text, start, start + of.len())
    }

    #[test]
    fn what_the_reader_may_set_is_told_from_what_is_set() {
        for (text, of) in [
            ("Raise the memory limit to 256Mi.", "256Mi"),
            ("You should increase it to at least 2Gi", "2Gi"),
            ("It is low! Raise it to 256Mi.", "256Mi"),
            ("It is low. Set `limits.memory` to 512Mi", "512Mi"),
            ("Edit the deployment and set the limit to 128Mi.", "128Mi"),
            ("the limit should be raised to 300Mi", "300Mi"),
            ("Add an `imageSecret` to the pod", "imageSecret"),
        ] {
            assert!(manner(text, of).planned, "{text}");
        }
        for (text, of) in [
            ("The limit is set to 64Mi.", "64Mi"),
            ("the limit was raised to 64Mi yesterday", "64Mi"),
            ("It exceeds its limit of 64Mi and is killed", "64Mi"),
            ("Raise the limit. It is 64Mi now", "64Mi"),
            ("it uses 64Mi", "64Mi"),
        ] {
            assert!(!manner(text, of).planned, "{text}");
        }
    }

    #[test]
    fn a_manner_is_of_its_own_sentence() {
        for (text, of, zone) in [
            ("Times are UTC. At 12:30 it stopped.", "12:30", false),
            ("At 12:30 it stopped. Times are UTC.", "12:30", false),
            ("Is it UTC? At 12:30 it stopped.", "12:30", false),
            ("At 12:30! Times are UTC.", "12:30", false),
            ("Times are UTC\nAt 12:30 it stopped.", "12:30", false),
            ("At 12:30 it stopped\nTimes are UTC", "12:30", false),
            ("UTC\n12:30", "12:30", false),
            ("12:30\nUTC", "12:30", false),
            ("12:30. UTC", "12:30", false),
            ("By UTC web.log ends at 12:30.", "12:30", true),
            ("At 12:30 web.log ends, by UTC", "12:30", true),
            ("At 12:30.5 of UTC", "12:30", true),
            ("At 12:30 UTC.", "12:30", true),
            ("End. In UTC at 12:30. More.", "12:30", true),
        ] {
            assert_eq!(manner(text, of).zone, zone, "{text}");
        }
    }

    #[test]
    fn each_manner_has_words_of_its_own() {
        let none = Manner::default();
        for (text, of, expected) in [
            ("It stopped once, 12:30 it was", "12:30", none),
            ("It is 250m of CPU", "250m", Manner { cpu: true, ..none }),
            (
                "It is up 12:30 hours",
                "12:30",
                Manner {
                    lasts: true,
                    ..none
                },
            ),
            (
                "It shows 12:30 hours",
                "12:30",
                Manner {
                    lasts: true,
                    ..none
                },
            ),
            (
                "It shows 12:30 (h:mm)",
                "12:30",
                Manner {
                    lasts: true,
                    ..none
                },
            ),
            ("It shows 12:30 (local)", "12:30", none),
            (
                "See 30s later",
                "30s",
                Manner {
                    apart: true,
                    ..none
                },
            ),
            (
                "/dev/sdx is 37% full",
                "37%",
                Manner {
                    filled: true,
                    ..none
                },
            ),
            ("/dev/sdx shows 37%", "37%", none),
            ("Its share is 37% full", "37%", none),
            (
                "Set replicas to 3",
                "3",
                Manner {
                    planned: true,
                    about: true,
                    ..none
                },
            ),
            ("Set it here, 3 is low", "3", none),
            (
                "Set it here, `web` is low",
                "web",
                Manner {
                    planned: true,
                    ..none
                },
            ),
            (
                "Open the file and set x to 3",
                "3",
                Manner {
                    planned: true,
                    about: true,
                    ..none
                },
            ),
        ] {
            assert_eq!(manner(text, of), expected, "{text}");
        }
    }

    #[test]
    fn shares_times_and_distances() {
        assert!(manner("The root file system is 37 % used.", "37 %").filled);
        assert!(manner("disk usage is at 91%", "91%").filled);
        assert!(!manner("memory is 37 % used", "37 %").filled);
        assert!(!manner("37 % of the disks failed", "37 %").filled);
        assert!(manner("at about 12:30 it stopped", "12:30").about);
        assert!(manner("at 12:30 CEST it stopped", "12:30").zone);
        assert!(!manner("at 12:30 it stopped", "12:30").zone);
        assert!(manner("it took 00:02:13 to start", "00:02:13").lasts);
        assert!(manner("12.4 seconds later it stopped", "12.4 seconds").apart);
        assert!(!manner("it took 12.4 seconds", "12.4 seconds").apart);
    }
}
