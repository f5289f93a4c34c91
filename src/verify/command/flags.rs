//! Arguments split into flags, their values, and words.

use super::words::Arg;

/// One flag as given, with its value if it has one.
#[derive(Debug, Clone)]
pub(super) struct Flag {
    pub name: String,
    pub value: Option<String>,
}

/// A command line taken apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Parsed {
    pub flags: Vec<Flag>,
    /// Arguments that are not flags, before a `--`.
    pub words: Vec<Arg>,
    /// Arguments after a `--`, if there is one.
    pub rest: Option<Vec<Arg>>,
}

/// How a program reads its arguments.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Style<'a> {
    /// Flags whose value is the next argument.
    pub values: &'a [String],
    /// Whether `-abc` is one flag and not three.
    pub one_dash: bool,
    /// Whether flags end at the first word (wrappers, `ssh`, `docker run`).
    pub stop_at_word: bool,
}

/// Splits `args` (without the program's name).
pub(super) fn parse(args: &[Arg], style: Style<'_>) -> Parsed {
    let takes_value = |name: &str| style.values.iter().any(|known| known == name);
    let mut out = Parsed::default();
    let mut at = 0;
    while at < args.len() {
        let text = args[at].text.as_str();
        at += 1;
        if text == "--" {
            out.rest = Some(args[at..].to_vec());
            break;
        }
        let is_flag = text.len() > 1 && text.starts_with('-');
        if !is_flag {
            out.words.push(args[at - 1].clone());
            if style.stop_at_word {
                out.words.extend_from_slice(&args[at..]);
                break;
            }
            continue;
        }
        let take_next = |at: &mut usize| {
            let value = args.get(*at).map(|arg| arg.text.clone());
            *at += 1;
            value
        };
        if text.starts_with("--") || style.one_dash {
            match text.split_once('=') {
                Some((name, value)) => out.flags.push(Flag {
                    name: name.to_owned(),
                    value: Some(value.to_owned()),
                }),
                None => {
                    let value = if takes_value(text) {
                        take_next(&mut at)
                    } else {
                        None
                    };
                    out.flags.push(Flag {
                        name: text.to_owned(),
                        value,
                    });
                }
            }
            continue;
        }
        // A cluster of letters; the first that takes a value takes the rest of it, or the next argument.
        for (offset, letter) in text[1..].char_indices() {
            let name = format!("-{letter}");
            let rest = &text[1 + offset + letter.len_utf8()..];
            if takes_value(&name) {
                let value = if rest.is_empty() {
                    take_next(&mut at)
                } else {
                    Some(rest.strip_prefix('=').unwrap_or(rest).to_owned())
                };
                out.flags.push(Flag { name, value });
                break;
            }
            if letter == '=' {
                break;
            }
            out.flags.push(Flag { name, value: None });
        }
    }
    out
}

/// Splits arguments of a program whose flags may stand anywhere; `values` are the flags with a value.
pub(super) fn anywhere(args: &[Arg], values: &str) -> Parsed {
    let style = Style {
        values: &list(values),
        ..Style::default()
    };
    parse(args, style)
}

/// Splits arguments of a program whose flags end at the first word: what follows is a command or for another program.
pub(super) fn leading(args: &[Arg], values: &str) -> Parsed {
    let style = Style {
        values: &list(values),
        stop_at_word: true,
        ..Style::default()
    };
    parse(args, style)
}

impl Parsed {
    /// Whether any of `names` is given.
    pub fn has(&self, names: &[&str]) -> bool {
        self.flags
            .iter()
            .any(|flag| names.contains(&flag.name.as_str()))
    }
    /// The value of the first of `names` that is given with one.
    pub fn value(&self, names: &[&str]) -> Option<&str> {
        self.flags
            .iter()
            .find(|flag| names.contains(&flag.name.as_str()))
            .and_then(|flag| flag.value.as_deref())
    }
    /// Every value that any of `names` is given, in order: which of them counts is up to the program.
    pub fn values<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.flags
            .iter()
            .filter(|flag| names.contains(&flag.name.as_str()))
            .filter_map(|flag| flag.value.as_deref())
    }
    /// The words' texts.
    pub fn texts(&self) -> Vec<&str> {
        self.words.iter().map(|word| word.text.as_str()).collect()
    }
    /// Words and what stands after `--`.
    pub fn all_words(&self) -> Vec<Arg> {
        self.words
            .iter()
            .chain(self.rest.iter().flatten())
            .cloned()
            .collect()
    }
}

/// Turns a constant list into what [`Style`] takes.
pub(super) fn list(names: &str) -> Vec<String> {
    names.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a command line comes to: `flag`, `flag=value`, `word`, `-- rest`.
    fn shown(line: &str, style: Style<'_>) -> String {
        let args: Vec<Arg> = line.split_whitespace().map(Arg::new).collect();
        let parsed = parse(&args, style);
        let mut out: Vec<String> = parsed
            .flags
            .iter()
            .map(|flag| match &flag.value {
                Some(value) => format!("{}={value}", flag.name),
                None => flag.name.clone(),
            })
            .collect();
        out.extend(parsed.words.iter().map(|word| word.text.clone()));
        if let Some(rest) = &parsed.rest {
            out.push("--".to_owned());
            out.extend(rest.iter().map(|word| word.text.clone()));
        }
        out.join(" ")
    }

    #[test]
    fn flags_take_the_values_that_are_theirs() {
        let values = list("-n --name -é");
        let style = Style {
            values: &values,
            ..Style::default()
        };
        for (line, expected) in [
            ("-n 5 x", "-n=5 x"),
            ("-n5 x", "-n=5 x"),
            ("-n=5 x", "-n=5 x"),
            ("-abn 5 x", "-a -b -n=5 x"),
            ("-abn5c x", "-a -b -n=5c x"),
            ("-é5 -ü x", "-é=5 -ü x"),
            ("-a=n x", "-a x"),
            ("--name y x", "--name=y x"),
            ("--name=y=z x", "--name=y=z x"),
            ("--all x", "--all x"),
            ("- x", "- x"),
            ("-n", "-n"),
            ("--name", "--name"),
            ("x -a y -- -b z", "-a x y -- -b z"),
            ("--", "--"),
        ] {
            assert_eq!(shown(line, style), expected, "{line}");
        }
        let one = Style {
            one_dash: true,
            ..style
        };
        assert_eq!(shown("-name x -n 5 -a=b y", one), "-name -n=5 -a=b x y");
        let stop = Style {
            stop_at_word: true,
            ..style
        };
        assert_eq!(shown("-a x -b -- -c", stop), "-a x -b -- -c");
        assert_eq!(shown("-a -- x -b", stop), "-a -- x -b");
    }
}
