//! Bare numbers of which the sentence says what they count or name: an exit code, restarts, a process.
//!
//! The number alone stands in any bundle; it counts as found where a line gives it as what the sentence says.

use regex::Regex;
use std::sync::LazyLock;

/// What a bare number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::verify) enum What {
    ExitCode,
    Restarts,
    Process,
    Signal,
    Errno,
    /// A user or a group.
    Account,
    Vlan,
}

impl What {
    /// How it is called in a reason.
    pub fn called(self) -> &'static str {
        match self {
            Self::ExitCode => "an exit code",
            Self::Restarts => "a number of restarts",
            Self::Process => "a process",
            Self::Signal => "a signal",
            Self::Errno => "an error number",
            Self::Account => "a user or group",
            Self::Vlan => "a VLAN",
        }
    }

    /// Words of which one stands in a line that gives such a number; lower case.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::ExitCode => &[
                "exit",
                "code",
                "status",
                "return",
                "rc=",
                "rc:",
                "terminated",
            ],
            Self::Restarts => &["restart"],
            Self::Process => &["pid", "process"],
            Self::Signal => &["signal", "sig=", "sig ", "killed by", "status="],
            Self::Errno => &["err", "rc", "ret", "code", "status", "failed"],
            Self::Account => &["uid", "gid", "user", "group", "runas", "owner", "passwd"],
            Self::Vlan => &["vlan", "vid", "tag", "segment", "dot1q", "802.1q"],
        }
    }
}

/// A bare number and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::verify) struct Figure {
    pub what: What,
    /// Its digits.
    pub number: String,
    /// Words of the sentence that tell a line of a table, which names no column; lower case.
    near: Vec<String>,
}

macro_rules! form {
    ($what:ident, $text:expr) => {
        (
            What::$what,
            Regex::new($text).unwrap_or_else(|why| panic!("{}: {why}", stringify!($what))),
        )
    };
}

static FORMS: LazyLock<Vec<(What, Regex)>> = LazyLock::new(|| {
    vec![
        form!(
            ExitCode,
            r"(?i)\b(?:exit(?:s|ed|ing)?|quits?|return(?:s|ed)?|terminated|ended|ends|finish(?:ed|es)|leaves|failed|stopped|died)\s+(?:with\s+|at\s+)?(?:an?\s+|the\s+)?(?:(?:exit|return|error)[\s-]?)?(?:code|status|value)\s*(?:is|was|of|=|:)?\s*[`(]?(\d{1,3})\b"
        ),
        form!(
            ExitCode,
            r"(?i)\b(?:exit|return)[\s_-]?(?:codes?|status|value)\s*(?:is|was|of|=|:|being|\(|`)*\s*[`(]?(\d{1,3})\b"
        ),
        form!(
            ExitCode,
            r"(?i)\b(?:exit(?:s|ed)?)\s+(?:with\s+)?`?(\d{1,3})\b"
        ),
        form!(
            Restarts,
            r"(?i)\b(\d{1,6})\s+(?:[a-z]+\s+){0,2}?(?:restarts|re-starts)\b"
        ),
        form!(
            Restarts,
            r"(?i)\brestart(?:s|ed|ing)?\s+(?:about\s+|already\s+|some\s+|more\s+than\s+)?(\d{1,6})\s+times\b"
        ),
        form!(
            Restarts,
            r"(?i)\brestart(?:[\s_-]?(?:count(?:er|s)?|number))\s*(?:is|was|of|at|has|reached|stands|now|=|:|for|`|\s)*\s*`?(\d{1,6})\b"
        ),
        form!(
            Process,
            r"(?i)\b(?:pids?|process(?:\s+id)?)\s*(?:is|was|of|=|:|number|no\.|#)*\s*[`(]?(\d{1,8})\b"
        ),
        form!(
            Signal,
            r"(?i)\bsignal\s*(?:is|was|of|=|:|number|no\.|#)*\s*`?(\d{1,2})\b"
        ),
        form!(Errno, r"(?i)\berrno\s*(?:is|was|of|=|:)*\s*`?-?(\d{1,3})\b"),
        form!(
            Account,
            r"(?i)\b(?:uid|gid|user\s+id|group\s+id)s?\s*(?:is|was|of|=|:)*\s*`?(\d{1,10})\b"
        ),
        form!(
            Vlan,
            r"(?i)\bvlans?\s*(?:id|tag|is|was|of|=|:|number)*\s*`?(\d{1,4})\b"
        ),
    ]
});

/// Words that speak of several added up, or of a guess.
static ADDED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:total|altogether|together|combined|overall|in all|sum|between them|each|about|around|roughly|approximately|some|nearly|almost|over|more than|at least|up to|another|further|fewer|additional|within)\s*$")
        .unwrap_or_else(|why| panic!("sum pattern: {why}"))
});
static ADDED_AFTER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s*(?:\w+\s+)?(?:in total|altogether|together|combined|overall|in all|between them|in sum|per\b|a day|an hour|a minute)")
        .unwrap_or_else(|why| panic!("sum pattern: {why}"))
});

/// A figure of a sentence: where its digits stand there, and whether it may have been added up.
pub(super) struct Said {
    pub figure: Figure,
    pub range: std::ops::Range<usize>,
    pub added: bool,
}

/// The figures of a sentence, in order.
pub(super) fn figures(text: &str) -> Vec<Said> {
    let mut out: Vec<Said> = Vec::new();
    let near = context(text);
    for (what, form) in FORMS.iter() {
        for found in form.captures_iter(text) {
            let (Some(whole), Some(digits)) = (found.get(0), found.get(1)) else {
                continue;
            };
            let beyond = text[digits.end()..].chars().next();
            let counts_time = *what != What::Restarts
                && text[digits.end()..]
                    .trim_start()
                    .starts_with(['%', 's', 'm'])
                && text[digits.end()..]
                    .split_whitespace()
                    .next()
                    .is_some_and(|word| {
                        matches!(
                            word.trim_end_matches(['.', ',', ';']),
                            "%" | "seconds" | "minutes" | "s" | "min" | "ms"
                        )
                    });
            let earlier = text[..digits.start()].chars().next_back();
            let part_of_more = *what == What::Restarts
                && (matches!(earlier, Some('/' | '.' | ':')) || digits.as_str() == "0")
                || matches!(beyond, Some('.' | ',' | ':' | '/' | '-'))
                    && text[digits.end() + 1..].starts_with(|c: char| c.is_ascii_digit());
            if counts_time
                || part_of_more
                || out
                    .iter()
                    .any(|known| known.range.contains(&digits.start()))
            {
                continue;
            }
            let added = *what == What::Restarts
                && (ADDED.is_match(&text[..whole.start()])
                    || ADDED.is_match(&text[..digits.start()])
                    || ADDED_AFTER.is_match(&text[whole.end()..]));
            out.push(Said {
                figure: Figure {
                    what: *what,
                    number: digits.as_str().to_owned(),
                    near: near.clone(),
                },
                range: digits.range(),
                added,
            });
        }
    }
    out.sort_by_key(|said| said.range.start);
    out
}

/// Words of a sentence that may name the line of a table.
fn context(text: &str) -> Vec<String> {
    const COMMON: &str = " about after again against because before being between cannot cause caused causes container containers cluster could created default during error errors every failed failing failure finished first found itself least least memory message minute minutes namespace nodes number other others output process processes reason restart restarted restarts running seconds service shows since started starting state status still system terminated their there these those three times under until version where which while whole with within without would exited exits times image hours again often always ";
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .map(|word| word.trim_matches(['-', '_', '.']).to_ascii_lowercase())
        .filter(|word| {
            word.len() >= 5
                && word.bytes().any(|byte| byte.is_ascii_alphabetic())
                && !COMMON.contains(&format!(" {word} "))
        })
        .take(24)
        .collect()
}

impl Figure {
    /// Texts of which one stands in any line that gives it.
    pub fn hints(&self) -> Vec<String> {
        let mut out = vec![self.number.clone()];
        out.extend(self.synonyms().iter().map(|(name, _)| (*name).to_owned()));
        out
    }

    /// Other ways in which systems say the same: a signal by its name or in an exit code.
    fn synonyms(&self) -> &'static [(&'static str, &'static str)] {
        const KILL: &[(&str, &str)] = &[
            ("oomkilled", ""),
            ("sigkill", ""),
            ("out of memory: kill", ""),
            ("137", "exit"),
            ("137", "code"),
            ("9", "signal"),
        ];
        const SEGV: &[(&str, &str)] = &[
            ("segmentation", ""),
            ("segfault", ""),
            ("sigsegv", ""),
            ("139", "exit"),
            ("139", "code"),
            ("11", "signal"),
        ];
        const ABRT: &[(&str, &str)] = &[
            ("sigabrt", ""),
            ("abort", ""),
            ("134", "exit"),
            ("6", "signal"),
        ];
        const TERM: &[(&str, &str)] = &[
            ("sigterm", ""),
            ("143", "exit"),
            ("143", "code"),
            ("15", "signal"),
        ];
        match (self.what, self.number.as_str()) {
            (What::ExitCode, "137") | (What::Signal, "9") => KILL,
            (What::ExitCode, "139") | (What::Signal, "11") => SEGV,
            (What::ExitCode, "134") | (What::Signal, "6") => ABRT,
            (What::ExitCode, "143") | (What::Signal, "15") => TERM,
            _ => &[],
        }
    }

    /// Whether a line of the bundle gives it as what it is.
    pub fn stands_in_line(&self, line: &str) -> bool {
        let line = line.to_ascii_lowercase();
        if self.number_alone(&line, &self.number)
            && (self.what.words().iter().any(|word| line.contains(word))
                || self.what == What::Process && line.contains(&format!("[{}]", self.number))
                || self.near.iter().any(|word| line.contains(word.as_str())))
        {
            return true;
        }
        self.synonyms().iter().any(|(name, beside)| {
            if name.bytes().all(|byte| byte.is_ascii_digit()) {
                line.contains(beside) && self.number_alone(&line, name)
            } else {
                line.contains(name)
            }
        })
    }

    /// Whether evidence gives it; what is cited is about it, so that the number alone will do for a column.
    pub fn stands_in(&self, shown: &str) -> bool {
        shown.lines().any(|line| {
            self.stands_in_line(line)
                || matches!(self.what, What::Restarts | What::Process)
                    && self.number_alone(&line.to_ascii_lowercase(), &self.number)
        })
    }

    /// Whether the number stands by itself: no part of a name, a time, a share, a larger number.
    fn number_alone(&self, line: &str, number: &str) -> bool {
        let bytes = line.as_bytes();
        line.match_indices(number).any(|(at, _)| {
            let before = at.checked_sub(1).map(|at| bytes[at]);
            let earlier = at.checked_sub(2).map(|at| bytes[at]);
            let after = bytes.get(at + number.len()).copied();
            let later = bytes.get(at + number.len() + 1).copied();
            let digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
            let letter = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphabetic());
            let begins = match before {
                None => true,
                // Error numbers are given with a minus; a repetition as x14.
                Some(b'-') => self.what == What::Errno || self.what == What::ExitCode,
                Some(b'x') => !earlier.is_some_and(|byte| byte.is_ascii_alphanumeric()),
                // After a JSON or C escape.
                Some(b'n' | b't') => earlier == Some(b'\\'),
                Some(b':' | b'.' | b'/') if digit(earlier) => false,
                Some(b'.' | b'/' | b'_') => false,
                Some(byte) => !byte.is_ascii_alphanumeric(),
            };
            let ends = match after {
                None => true,
                Some(b'.' | b':' | b',' | b'-') => !digit(later),
                Some(b'/') => letter(later),
                Some(b'%' | b'_') => false,
                Some(byte) => !byte.is_ascii_alphanumeric(),
            };
            begins && ends
        })
    }
}

/// Whether a line of the bundle says how often something was restarted, whatever the number.
pub(in crate::verify) fn counts_restarts(line: &str) -> bool {
    static COUNT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i)restart[\s_-]?count(?:er)?"?\s*(?:is at|[:=])?\s*\d|\bRESTARTS\b"#)
            .unwrap_or_else(|why| panic!("restart pattern: {why}"))
    });
    COUNT.is_match(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<(What, String, bool)> {
        figures(text)
            .into_iter()
            .map(|said| (said.figure.what, said.figure.number, said.added))
            .collect()
    }

    #[test]
    fn bare_numbers_are_what_the_sentence_says() {
        for (text, what, number) in [
            ("it ended with exit code 3", What::ExitCode, "3"),
            (
                "the container exits with status 127.",
                What::ExitCode,
                "127",
            ),
            ("Exit code: 6, which means a name", What::ExitCode, "6"),
            ("and runs `exit 125`", What::ExitCode, "125"),
            ("44 restarts so far", What::Restarts, "44"),
            ("21 container restarts", What::Restarts, "21"),
            ("it was restarted 19 times", What::Restarts, "19"),
            ("a restart count of 77", What::Restarts, "77"),
            ("corosync (PID 4242) left", What::Process, "4242"),
            ("caught signal 11", What::Signal, "11"),
            ("failed with errno -28", What::Errno, "28"),
            ("runs as UID 1001", What::Account, "1001"),
            ("on VLAN 208", What::Vlan, "208"),
        ] {
            assert_eq!(said(text), [(what, number.to_owned(), false)], "{text}");
        }
        for text in [
            "it restarted 5 minutes ago",
            "the process 3.2 of the list",
            "exits after 20 seconds",
            "restarts the pod",
            "it is in Init:0/2 with 0 restarts",
            "the code is on line 12 of it",
        ] {
            assert!(said(text).is_empty(), "{text}: {:?}", said(text));
        }
        assert!(said("285 restarts in total")[0].2 && said("about 30 restarts")[0].2);
    }

    #[test]
    fn what_counts_time_or_goes_on_is_another_number() {
        for (text, numbers) in [
            ("exit code 20 seconds later", vec![]),
            ("exit code 20 s, later", vec![]),
            ("errno 20 ms.", vec![]),
            ("the process 30 % of it", vec![]),
            ("the process 30% of it", vec![]),
            ("the process 30 sleeps", vec!["30"]),
            ("the process 30 more", vec!["30"]),
            ("restart count 5 min. ago", vec!["5"]),
            ("signal 9-10", vec![]),
            ("signal 9.5", vec![]),
            ("signal 9, 10", vec!["9"]),
            ("signal 9.", vec!["9"]),
            ("signal 9: bad", vec!["9"]),
            ("1/3 restarts", vec![]),
            ("1.3 restarts", vec![]),
            ("a:3 restarts", vec![]),
            ("3 restarts", vec!["3"]),
            ("0 restarts", vec![]),
            ("10 restarts", vec!["10"]),
            ("exit code 0", vec!["0"]),
            ("signal 9, exit code 137, 4 restarts", vec!["9", "137", "4"]),
        ] {
            let found: Vec<String> = said(text).into_iter().map(|said| said.1).collect();
            assert_eq!(found, numbers, "{text}");
        }
    }

    #[test]
    fn restarts_may_have_been_added_up_and_exit_codes_not() {
        for (text, added) in [
            ("about 30 restarts", true),
            ("a total 30 pod restarts", true),
            ("it restarted about 30 times", true),
            ("30 restarts altogether", true),
            ("30 restarts so far in total", false),
            ("30 restarts per pod", true),
            ("30 restarts", false),
            ("about exit code 30", false),
        ] {
            assert_eq!(said(text)[0].2, added, "{text}");
        }
    }

    #[test]
    fn each_kind_of_number_has_words_of_its_own() {
        for (text, given, other) in [
            ("exit code 6", "terminated: 6", "signal 6"),
            ("6 restarts", "restarted: 6", "exit code 6"),
            ("PID 600", "process 600", "signal 600"),
            ("signal 5", "killed by 5", "code 5"),
            ("errno 28", "ret -28", "signal 28"),
            ("UID 1001", "runAsUser: 1001", "signal 1001"),
            ("VLAN 208", "802.1q tag 208", "port 208"),
            ("PID 600", "corosync[600]: x", "corosync(600): x"),
        ] {
            let figure = &figures(text)[0].figure;
            assert!(figure.stands_in_line(given), "{text} in {given}");
            assert!(!figure.stands_in_line(other), "{text} in {other}");
        }
        for (what, called) in [
            (What::ExitCode, "an exit code"),
            (What::Restarts, "a number of restarts"),
            (What::Process, "a process"),
            (What::Signal, "a signal"),
            (What::Errno, "an error number"),
            (What::Account, "a user or group"),
            (What::Vlan, "a VLAN"),
        ] {
            assert_eq!(what.called(), called);
        }
    }

    #[test]
    fn a_signal_is_told_by_its_name_or_by_an_exit_code() {
        for (signal, code, names) in [
            (9, 137, vec!["OOMKilled", "SIGKILL", "Out of memory: Kill"]),
            (
                11,
                139,
                vec!["segmentation fault", "segfault at 0", "SIGSEGV"],
            ),
            (6, 134, vec!["SIGABRT", "Aborted"]),
            (15, 143, vec!["SIGTERM"]),
        ] {
            let texts = [format!("exit code {code}"), format!("signal {signal}")];
            for text in &texts {
                let figure = &figures(text)[0].figure;
                let lines = names.iter().map(|name| (*name).to_owned());
                for line in lines
                    .chain(texts.clone())
                    .chain([format!("exited with {code}")])
                {
                    assert!(figure.stands_in_line(&line), "{text} in {line}");
                    let hinted = figure
                        .hints()
                        .iter()
                        .any(|hint| line.to_lowercase().contains(hint));
                    assert!(hinted, "{text} has no hint for {line}");
                }
                for line in [
                    format!("port {code}0"),
                    format!("{code} pods"),
                    format!("{signal} pods"),
                ] {
                    assert!(!figure.stands_in_line(&line), "{text} in {line}");
                }
            }
        }
        let plain = &figures("exit code 3")[0].figure;
        assert_eq!(plain.hints(), ["3"]);
        assert!(!plain.stands_in_line("SIGKILL"));
    }

    #[test]
    fn a_number_stands_alone_or_is_part_of_another() {
        for (text, line, alone) in [
            ("exit code 14", "14 exit", true),
            ("exit code 14", "exit 14", true),
            ("exit code 14", "exit 140", false),
            ("exit code 14", "exit 114", false),
            ("exit code 14", "exit a14", false),
            ("exit code 14", "exit 14a", false),
            ("exit code 14", "exit -14", true),
            ("errno 14", "err -14", true),
            ("14 restarts", "restarts -14", false),
            ("14 restarts", "restarts x14", true),
            ("14 restarts", "restarts 2x14", false),
            ("14 restarts", "restarts max14", false),
            ("14 restarts", "x14 restarts", true),
            ("14 restarts", "restarts\\n14", true),
            ("14 restarts", "restarts\\t14", true),
            ("14 restarts", "restart in14", false),
            ("exit code 14", "exit 3:14", false),
            ("exit code 14", "exit:14", true),
            ("exit code 14", ":14 exit", true),
            ("exit code 14", "exit 3.14", false),
            ("exit code 14", "exit .14", false),
            ("exit code 14", "exit a/14", false),
            ("exit code 14", "exit a_14", false),
            ("exit code 14", "exit 14.", true),
            ("exit code 14", "exit 14.5", false),
            ("exit code 14", "exit 14:05", false),
            ("exit code 14", "exit 14, 5", true),
            ("exit code 14", "exit 14,5", false),
            ("exit code 14", "exit 14-5", false),
            ("exit code 14", "exit 14-x", true),
            ("exit code 14", "exit 14/EXEC", true),
            ("exit code 14", "exit 14/20", false),
            ("exit code 14", "exit 14/", false),
            ("exit code 14", "exit 14%", false),
            ("exit code 14", "exit 14_x", false),
            ("exit code 14", "exit 140 or 14", true),
            ("exit code 14", "exit", false),
        ] {
            let figure = &figures(text)[0].figure;
            assert_eq!(figure.stands_in_line(line), alone, "{text} in {line}");
        }
    }

    #[test]
    fn a_table_gives_a_number_in_the_row_of_what_the_sentence_names() {
        for (text, line, given) in [
            ("frontend ran as UID 1001", "frontend 0/1 1001", true),
            ("frontend ran as UID 1001", "backend 0/1 1001", false),
            // Words that stand in any row, and short ones, tell no row.
            ("the container has UID 1001", "container 1001", false),
            ("web7 has UID 1001", "web7 1001", false),
        ] {
            assert_eq!(
                figures(text)[0].figure.stands_in_line(line),
                given,
                "{text} in {line}"
            );
        }
    }

    #[test]
    fn evidence_may_give_restarts_and_processes_as_a_column() {
        for (text, shown, given) in [
            ("14 restarts", "NAME\nweb 0/1 14", true),
            ("PID 600", "NAME\nweb 600", true),
            ("14 restarts", "NAME\nweb 0/1 140", false),
            ("exit code 14", "NAME\nweb 14", false),
            ("exit code 14", "NAME\nexit 14", true),
        ] {
            assert_eq!(
                figures(text)[0].figure.stands_in(shown),
                given,
                "{text} in {shown}"
            );
        }
    }

    #[test]
    fn lines_that_count_restarts_whatever_the_number() {
        for (line, counts) in [
            ("    Restart Count:  14", true),
            (r#""restartCount":0,"#, true),
            ("restart counter is at 5.", true),
            ("NAME READY RESTARTS AGE", true),
            ("restart policy: 5", false),
            ("it restarted 5 services", false),
        ] {
            assert_eq!(counts_restarts(line), counts, "{line}");
        }
    }

    #[test]
    fn a_line_gives_the_number_as_what_it_is() {
        for (text, line) in [
            ("exit code 6", "      Exit Code:    6"),
            ("exit code 6", r#""exitCode":6,"finishedAt""#),
            (
                "exit code 203",
                "Main process exited, code=exited, status=203/EXEC",
            ),
            ("exit code 137", "container web OOMKilled"),
            ("signal 9", "Exit Code: 137"),
            (
                "web-7c9 has 14 restarts",
                "web-7c9   0/1   CrashLoopBackOff   14 (32s ago)   48m",
            ),
            ("14 restarts", "    Restart Count:  14"),
            (
                "the daemon has PID 256",
                "Feb 10 host corosync[256]: [TOTEM ] x",
            ),
            ("errno 28", "write failed: -28"),
        ] {
            assert!(
                figures(text)[0].figure.stands_in_line(line),
                "{text} in {line}"
            );
        }
        for (text, line) in [
            ("exit code 7", "2 of 7 packages are old"),
            ("exit code 7", "      Exit Code:    6"),
            ("exit code 7", "exit status 1 at 12:07:07"),
            ("31 restarts", "libfoo 31 amd64"),
            ("31 restarts", "Restart Count: 14  10.31.0.2"),
            ("the daemon has PID 731", "corosync[256]: 731.5 us"),
            ("signal 9", "exit code 139"),
        ] {
            assert!(
                !figures(text)[0].figure.stands_in_line(line),
                "{text} in {line}"
            );
        }
    }
}
