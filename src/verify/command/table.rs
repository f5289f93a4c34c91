//! The allow-list as data: which program, sub-command and flags do what.

use super::Judge;
use super::flags::{Parsed, Style, list, parse};
use super::words::Arg;
use crate::report::CommandClass;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

/// The shipped table's source.
pub(super) const SHIPPED_TEXT: &str = concat!(
    include_str!("commands.toml"),
    include_str!("services.toml"),
    include_str!("estate.toml")
);

/// One program, or several that behave alike.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tool {
    /// Names, blank-separated.
    pub(super) names: String,
    /// Class of a call that nothing below matches.
    #[serde(default = "unknown")]
    base: CommandClass,
    /// Class of a call without arguments.
    bare: Option<CommandClass>,
    /// Flags whose value is the next argument.
    #[serde(default)]
    values: String,
    /// The flags known not to change the class; with this list, any other flag makes the call `other_flags`.
    only: Option<String>,
    #[serde(default = "unknown")]
    other_flags: CommandClass,
    /// Most words without effect on the class.
    words: Option<usize>,
    /// Class with more words than that.
    #[serde(default = "unknown")]
    more_words: CommandClass,
    /// Whether `-abc` is one flag.
    #[serde(default)]
    one_dash: bool,
    /// Whether case is ignored in sub-commands.
    #[serde(default)]
    any_case: bool,
    /// Whether the verb may stand anywhere among the first words (`aws ec2 describe-x`, `az vm list`).
    #[serde(default)]
    verb: bool,
    /// Sub-commands by class; a class is that of the longest entry that the words begin with.
    #[serde(default)]
    subs: BTreeMap<CommandClass, Vec<String>>,
    /// Exceptions, in order.
    #[serde(default)]
    when: Vec<When>,
    /// Examples of what only reads.
    #[serde(default)]
    pub(super) ok: Vec<String>,
    /// Examples of what doesn't.
    #[serde(default)]
    pub(super) no: Vec<String>,
    /// Examples with their class.
    #[serde(default)]
    pub(super) examples: BTreeMap<CommandClass, Vec<String>>,
    #[serde(skip)]
    value_list: Vec<String>,
}

fn unknown() -> CommandClass {
    CommandClass::Unknown
}

/// An exception: flags or words that make a call better or worse.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct When {
    /// Only under this sub-command.
    #[serde(default)]
    sub: String,
    /// Any of these flags, `-x` or `--flag` or `--flag=value`; `--flag=` is the flag without a value.
    #[serde(default)]
    flags: String,
    /// Any word that matches one of these, `*` stands for anything.
    #[serde(default)]
    word: String,
    class: CommandClass,
    /// Whether it sets the class instead of making it worse (a dry run).
    #[serde(default)]
    instead: bool,
    /// Why, for the person.
    #[serde(default)]
    why: String,
}

/// A table of programs.
#[derive(Debug, Default)]
pub(super) struct Table {
    tools: HashMap<String, Arc<Tool>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tools: Vec<Tool>,
}

static SHIPPED: LazyLock<Table> = LazyLock::new(|| {
    Table::parse(SHIPPED_TEXT).unwrap_or_else(|why| panic!("verify/command/commands.toml: {why}"))
});

impl Table {
    /// Reads a table.
    ///
    /// # Errors
    /// What is wrong with it: no TOML, an unknown field, a name that stands there twice.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|why| why.to_string())?;
        let mut tools = HashMap::new();
        for mut tool in file.tools {
            tool.value_list = list(&tool.values);
            let tool = Arc::new(tool);
            for name in tool.names.split_whitespace() {
                if tools.insert(name.to_owned(), Arc::clone(&tool)).is_some() {
                    return Err(format!("{name} stands there twice"));
                }
            }
        }
        Ok(Self { tools })
    }

    /// The shipped table.
    pub fn shipped() -> &'static Self {
        &SHIPPED
    }

    /// The entry for a program.
    pub fn tool(&self, name: &str) -> Option<&Arc<Tool>> {
        self.tools.get(name)
    }

    /// Every entry once.
    pub fn entries(&self) -> Vec<&Arc<Tool>> {
        let mut tools: Vec<&Arc<Tool>> = self.tools.values().collect();
        tools.sort_by(|a, b| a.names.cmp(&b.names));
        tools.dedup_by(|a, b| a.names == b.names);
        tools
    }
}

/// Whether a text matches a pattern in which `*` stands for anything.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    for (index, part) in parts.iter().enumerate() {
        if index + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

impl Tool {
    /// Splits arguments the way this program does.
    pub(super) fn parse(&self, args: &[Arg]) -> Parsed {
        parse(
            args,
            Style {
                values: &self.value_list,
                one_dash: self.one_dash,
                stop_at_word: false,
            },
        )
    }

    fn same(&self, a: &str, b: &str) -> bool {
        if self.any_case {
            a.eq_ignore_ascii_case(b)
        } else {
            a == b
        }
    }

    /// How many words an entry matches at the beginning of `words`, if it does.
    fn begins(&self, words: &[&str], entry: &str) -> Option<usize> {
        let mut count = 0;
        for part in entry.split(' ') {
            let word = words.get(count)?;
            let matches = match part.split_once('*') {
                Some(_) => glob(&part.to_ascii_lowercase(), &word.to_ascii_lowercase()),
                None => self.same(part, word),
            };
            if !matches {
                return None;
            }
            count += 1;
        }
        Some(count)
    }

    fn by_sub(&self, words: &[&str]) -> Option<(CommandClass, String)> {
        let best = |words: &[&str]| {
            self.subs
                .iter()
                .flat_map(|(class, entries)| {
                    entries
                        .iter()
                        .flat_map(|entry| entry.split(',').map(str::trim))
                        .map(move |entry| (*class, entry))
                })
                .filter_map(|(class, entry)| {
                    self.begins(words, entry)
                        .map(|count| (count, !entry.contains('*'), class))
                })
                .max()
                .map(|(count, _, class)| (class, words[..count].join(" ")))
        };
        // Services and groups have names like `monitor` or `deploy`: of all words that are verbs, the worst counts.
        if self.verb {
            (0..words.len().min(6))
                .filter_map(|from| best(&words[from..]))
                .max_by_key(|(class, _)| *class)
        } else {
            best(words)
        }
    }
}

/// Parts of flags that turn an action into a preview of it.
const PREVIEWS: &[&str] = &[
    "dry",
    "simulate",
    "just-print",
    "recon",
    "no-act",
    "assumeno",
    "what-if",
    "validate",
    "skeleton",
    "noop",
    "why-run",
    "check",
    "--list",
    "--help",
];

fn has_flag(parsed: &Parsed, wanted: &str, worse: bool) -> bool {
    parsed.flags.iter().any(|flag| {
        if let Some((name, value)) = wanted.split_once('=') {
            return flag.name == name && glob(value, flag.value.as_deref().unwrap_or_default());
        }
        // GNU programs take any unambiguous beginning of a long flag; to be safe, so do the flags that make things worse.
        let taken_back = !worse
            && matches!(
                flag.value.as_deref(),
                Some("false" | "False" | "0" | "none" | "no" | "off")
            );
        flag.name == wanted && !taken_back
            || (worse
                && flag.name.len() > 2
                && flag.name.starts_with("--")
                && wanted.starts_with(&flag.name))
    })
}

impl Judge {
    /// Judges a call by the table; `false` if the program is not in it.
    pub(super) fn by_table(&mut self, name: &str, args: &[Arg]) -> bool {
        match Table::shipped().tool(name) {
            Some(tool) => {
                self.by_tool(tool, name, args);
                true
            }
            None => false,
        }
    }

    /// Judges a call by an organisation's own table; `false` if the program is not in it.
    pub(super) fn by_own_table(&mut self, name: &str, args: &[Arg]) -> bool {
        let Some(tool) = self.policy.own().and_then(|own| own.tool(name)).cloned() else {
            return false;
        };
        self.by_tool(&tool, name, args);
        true
    }

    fn by_tool(&mut self, tool: &Tool, name: &str, args: &[Arg]) {
        let parsed = tool.parse(args);
        // What stands after `--` counts as well: `hostname -- web2`.
        let all_words = parsed.all_words();
        let words: Vec<&str> = all_words.iter().map(|word| word.text.as_str()).collect();
        let sub = tool.by_sub(&words);
        let mut class = match &sub {
            Some((class, _)) => *class,
            None if args.is_empty() => tool.bare.unwrap_or(tool.base),
            None => tool.base,
        };
        let mut reason = match &sub {
            Some((_, sub)) => format!("{name} {sub}"),
            None => name.to_owned(),
        };
        // What decides is not known: a placeholder where the sub-command stands.
        if sub.is_none()
            && !tool.subs.is_empty()
            && all_words.first().is_some_and(|word| !word.known())
        {
            class = class.max(CommandClass::Unknown);
        }
        if tool.words.is_some_and(|most| words.len() > most) && tool.more_words > class {
            class = tool.more_words;
            reason = format!(
                "{name} with {} {}",
                words.len(),
                if words.len() == 1 {
                    "argument"
                } else {
                    "arguments"
                }
            );
        }
        for when in &tool.when {
            let under = when.sub.is_empty()
                || when.sub.split(',').map(str::trim).any(|entry| {
                    if tool.verb {
                        sub.as_ref().is_some_and(|(_, sub)| glob(entry, sub))
                    } else {
                        tool.begins(&words, entry).is_some()
                    }
                });
            let flag = when.flags.split_whitespace().find(|flag| {
                has_flag(
                    &parsed,
                    flag,
                    !when.instead && when.class != CommandClass::ReadOnly,
                )
            });
            let word = (!when.word.is_empty())
                .then(|| {
                    words
                        .iter()
                        .find(|word| when.word.split(' ').any(|pattern| glob(pattern, word)))
                })
                .flatten();
            if !under || (flag.is_none() && word.is_none()) {
                continue;
            }
            if when.instead {
                // A flag that only asks does not excuse a verb that acts, nor words that make the call act; a preview does.
                let acts = sub
                    .as_ref()
                    .is_some_and(|(class, _)| *class > CommandClass::ReadOnly)
                    || tool.words.is_some_and(|most| words.len() > most);
                let preview =
                    flag.is_some_and(|flag| PREVIEWS.iter().any(|part| flag.contains(part)));
                if when.sub.is_empty()
                    && word.is_none()
                    && acts
                    && !preview
                    && when.class == CommandClass::ReadOnly
                {
                    continue;
                }
                class = when.class;
            } else if when.class > class {
                class = when.class;
                reason = match (flag, word) {
                    (Some(flag), _) => format!("{name} {flag}"),
                    (None, Some(word)) => format!("{name} {}", super::shell::show(word)),
                    _ => reason,
                };
            } else {
                continue;
            }
            if !when.why.is_empty() {
                reason = format!("{reason}: {}", when.why);
            }
        }
        // Last, so that no exception excuses a flag that is not known.
        if let Some(only) = &tool.only {
            let known: Vec<&str> = only
                .split_whitespace()
                .chain(tool.value_list.iter().map(String::as_str))
                .collect();
            let excepted = |name: &str| {
                tool.when.iter().any(|when| {
                    when.flags
                        .split_whitespace()
                        .any(|known| known.split('=').next() == Some(name))
                })
            };
            let other = parsed
                .flags
                .iter()
                .find(|flag| !known.contains(&flag.name.as_str()) && !excepted(&flag.name));
            if let Some(flag) = other.filter(|_| tool.other_flags > class) {
                class = tool.other_flags;
                reason = format!("{name} {}", flag.name);
            }
        }
        let what = match class {
            CommandClass::ReadOnly => "reads",
            CommandClass::Unknown => "is not on the list of what only reads",
            CommandClass::ChangesState => "changes state",
            CommandClass::Destructive => "deletes, overwrites or stops something",
        };
        self.add(class, format!("`{reason}` {what}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::command::Policy;

    #[test]
    fn a_flag_that_only_asks_excuses_no_call_that_acts() {
        let policy = Policy::with_own(
            r#"
[[tools]]
names = "acmectl"
base = "changes-state"
words = 1
more_words = "changes-state"
subs = { destructive = ["wipe"], read-only = ["status"] }
when = [
    { flags = "--ask --dry-run", class = "read-only", instead = true },
    { sub = "wipe", flags = "--count", class = "read-only", instead = true },
    { word = "help", class = "read-only", instead = true },
]
"#,
        )
        .unwrap();
        for (command, class) in [
            ("acmectl", CommandClass::ChangesState),
            ("acmectl web", CommandClass::ChangesState),
            ("acmectl web --ask", CommandClass::ReadOnly),
            ("acmectl status --ask", CommandClass::ReadOnly),
            ("acmectl web db --ask", CommandClass::ChangesState),
            ("acmectl web db --dry-run", CommandClass::ReadOnly),
            ("acmectl web db --dry-run=false", CommandClass::ChangesState),
            ("acmectl web help", CommandClass::ReadOnly),
            ("acmectl wipe", CommandClass::Destructive),
            ("acmectl wipe --ask", CommandClass::Destructive),
            ("acmectl wipe --dry-run", CommandClass::ReadOnly),
            ("acmectl wipe --count", CommandClass::ReadOnly),
        ] {
            let judged = policy.classify(command);
            assert_eq!(judged.class, class, "{command}: {:?}", judged.reasons);
        }
    }

    #[test]
    fn reasons_name_what_decides() {
        for (command, reason) in [
            (
                "kubectl delete pod x",
                "`kubectl delete` deletes, overwrites or stops something",
            ),
            ("date 01020304", "`date with 1 argument` changes state"),
            ("hostname a b", "`hostname with 2 arguments` changes state"),
            (
                "telnet db 1 2",
                "`telnet` is not on the list of what only reads",
            ),
            ("sort -o out in", "`sort -o: writes a file` changes state"),
            (
                "fuser -k x",
                "`fuser -k` deletes, overwrites or stops something",
            ),
            (
                "mv a /dev/null",
                "`mv /dev/null` deletes, overwrites or stops something",
            ),
            (
                "mv -f a /dev/null",
                "`mv -f` deletes, overwrites or stops something",
            ),
            (
                "dmesg --frob",
                "`dmesg --frob` is not on the list of what only reads",
            ),
            ("logrotate --frob", "`logrotate` changes state"),
        ] {
            assert_eq!(
                crate::verify::command::classify(command).reasons,
                [reason],
                "{command}"
            );
        }
    }

    #[test]
    fn globs() {
        assert!(
            glob("describe-*", "describe-instances")
                && glob("*drop*", "a drop b")
                && glob("x", "x")
        );
        assert!(!glob("describe-*", "delete") && !glob("x", "xy") && !glob("a*b", "ac"));
    }
}
