//! Why something is not in the bundle: the reasons are told apart, because each asks for another next
//! step. Collected again with more rights, asked for over a longer span, or simply waited for.
//!
//! | reason | how it is told |
//! |---|---|
//! | failed to collect | a collector's error file, or a file that holds a tool's error instead of its output, names the thing |
//! | not yet happened | the collector was told that there is no earlier run |
//! | empty | the file is there and holds nothing, or an empty list |
//! | redacted | the file is there and its text was taken out |
//! | rotated | only an older generation of the file is there |
//! | not collected | none of these: nobody asked for it |

use crate::bundle::{Entry, FileKind, Tree};
use crate::report::Missing;
use std::collections::BTreeSet;

/// Most entries of the list.
const MOST: usize = 30;
/// Collectors' error files read, and bytes of each.
const MAX_ERROR_FILES: usize = 400;
const MAX_ERROR_BYTES: u64 = 256 << 10;
/// A file that holds an error message instead of a tool's output is short.
const SHORT: u64 = 4 << 10;
/// Longest error message that is repeated, in characters.
const MAX_MESSAGE: usize = 200;

/// What a collecting tool writes where its output should be (kubectl, docker, sos, shells).
const TOOL_ERRORS: [&str; 18] = [
    "error from server",
    "failed to get log stream",
    "unable to retrieve container logs",
    "unable to connect to the server",
    "previous terminated container",
    "is forbidden: user",
    "command not found",
    "no such file or directory",
    "permission denied",
    "operation not permitted",
    "timed out",
    "timeout exceeded",
    "context deadline exceeded",
    "connection refused",
    "could not be found",
    "failed to run",
    "error: ",
    "[sos] ",
];

/// The list as it goes into the report: each entry with the reason of its absence, and the files that
/// are there but empty where events, logs or states were to be expected.
pub fn explained(missing: &[Missing], tree: &Tree) -> Vec<Missing> {
    let errors = if missing.is_empty() {
        vec![]
    } else {
        errors(tree)
    };
    let mut all: Vec<Missing> = missing
        .iter()
        .take(MOST)
        .map(|item| explain(item, tree, &errors))
        .collect();
    for entry in tree.files().filter(|entry| entry.kind == FileKind::Empty) {
        if all.len() >= MOST {
            break;
        }
        let path = entry.path.to_string();
        if tells(tree.rel(entry)) && !all.iter().any(|item| item.path.as_deref() == Some(&path)) {
            all.push(Missing {
                what: format!("the content of {}", entry.path.name()),
                why: Absence::Empty.told(),
                path: Some(path),
            });
        }
    }
    all
}

/// Whether a file would tell what happened: a log, events, the state of pods; settings do not.
fn tells(rel: &str) -> bool {
    let rel = rel.to_ascii_lowercase();
    // The last folder speaks too: `events/shop.json`.
    let tail = rel.rsplitn(3, '/').take(2);
    let mut words = tail.flat_map(|part| part.split(|c: char| !c.is_ascii_alphanumeric()));
    !rel.starts_with("etc/")
        && !rel.contains("-errors.")
        && words.any(|word| {
            [
                "events",
                "event",
                "log",
                "logs",
                "journalctl",
                "describe",
                "pods",
            ]
            .contains(&word)
        })
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Absence {
    Failed(String),
    NotYet(String),
    Empty,
    Redacted,
    Rotated(String),
    NotCollected,
}

impl Absence {
    fn told(&self) -> String {
        match self {
            Absence::Failed(message) => format!("failed to collect: {message}"),
            Absence::NotYet(message) => format!("not yet happened: the collector was told {message:?}"),
            Absence::Empty => "empty: the file is there and holds nothing, which is not the same as nothing having happened".into(),
            Absence::Redacted => "redacted: the file is there, its text was taken out before it was sent".into(),
            Absence::Rotated(older) => format!("rotated: only an older generation is there, {older}"),
            Absence::NotCollected => "not collected: no file of it and no error of a collector is in the bundle".into(),
        }
    }
}

fn explain(item: &Missing, tree: &Tree, errors: &[Failure]) -> Missing {
    let absence = reason(item, tree, errors);
    let why = item
        .why
        .trim_end_matches("; it was not collected")
        .trim_end_matches('.');
    let why = match absence {
        // The detector knows the file and says what it lacks.
        None => item.why.clone(),
        Some(absence) if why.is_empty() => absence.told(),
        Some(absence) => format!("{why}. {}", capital(&absence.told())),
    };
    Missing {
        why,
        ..item.clone()
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

fn reason(item: &Missing, tree: &Tree, errors: &[Failure]) -> Option<Absence> {
    let told = item.why.to_ascii_lowercase();
    if [
        "could not be collected",
        "empty in the bundle",
        "in the bundle is empty",
    ]
    .iter()
    .any(|known| told.contains(known))
    {
        let failed = named(item).and_then(|names| failure(item, &names, errors));
        return match failed {
            Some(absence) if told.contains("could not be collected") => Some(absence),
            _ if told.contains("empty") => Some(Absence::Empty),
            _ => None,
        };
    }
    if let Some(entry) = item.path.as_deref().and_then(|path| tree.find(path)) {
        return in_file(entry, tree);
    }
    if let Some(absence) = named(item).and_then(|names| failure(item, &names, errors)) {
        return Some(absence);
    }
    match item.path.as_deref().and_then(|path| rotated(path, tree)) {
        Some(older) => Some(Absence::Rotated(older)),
        None => Some(Absence::NotCollected),
    }
}

/// What a file that is there lacks.
fn in_file(entry: &Entry, tree: &Tree) -> Option<Absence> {
    if entry.kind == FileKind::Empty {
        return Some(Absence::Empty);
    }
    if entry.bytes > SHORT * 16 {
        return None;
    }
    let text = tree.text(entry).ok().flatten()?;
    let text = text.as_str().trim();
    if is_empty_list(text) {
        return Some(Absence::Empty);
    }
    if is_redacted(text) {
        return Some(Absence::Redacted);
    }
    tool_error(text).map(|message| Absence::of_error(&message))
}

impl Absence {
    fn of_error(message: &str) -> Self {
        let lower = message.to_ascii_lowercase();
        let none_before =
            lower.contains("previous terminated container") && lower.contains("not found");
        if none_before {
            Absence::NotYet(message.to_owned())
        } else {
            Absence::Failed(message.to_owned())
        }
    }
}

/// `[]`, `{}`, `null`, a Kubernetes list without items, or kubectl's own words for none.
fn is_empty_list(text: &str) -> bool {
    let bare: String = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(4_000)
        .collect();
    matches!(bare.as_str(), "" | "[]" | "{}" | "null")
        || (bare.starts_with('{')
            && (bare.contains("\"items\":null") || bare.contains("\"items\":[]"))
            && bare.len() < 400)
        || text.to_ascii_lowercase().starts_with("no resources found")
}

/// Whether most of a text's lines were taken out.
fn is_redacted(text: &str) -> bool {
    let marks = ["***HIDDEN***", "[REDACTED]", "<REDACTED>", "********"];
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(2_000)
        .collect();
    let masked = lines
        .iter()
        .filter(|line| marks.iter().any(|mark| line.contains(mark)))
        .count();
    masked > 0 && masked * 2 >= lines.len()
}

/// The error message that a short text consists of.
fn tool_error(text: &str) -> Option<String> {
    if text.len() as u64 > SHORT || text.lines().count() > 4 {
        return None;
    }
    let lower = text.to_ascii_lowercase();
    TOOL_ERRORS
        .iter()
        .any(|form| lower.contains(form))
        .then(|| message(text))
}

fn message(text: &str) -> String {
    text.lines()
        .next()
        .unwrap_or_default()
        .trim()
        .chars()
        .take(MAX_MESSAGE)
        .collect()
}

/// One message of a collector, with the path of the file it stands in.
#[derive(Debug)]
struct Failure {
    path: String,
    message: String,
}

/// What collectors complained about.
fn errors(tree: &Tree) -> Vec<Failure> {
    let mut found = Vec::new();
    let of_collector = |rel: &str| {
        rel.contains("collector-errors/")
            || rel.contains("-errors.")
            || rel.contains("-errors/")
            || rel.starts_with("sos_logs/")
            || rel.ends_with("execution-data/summary.txt")
    };
    let listed = tree.files().filter(|entry| {
        !matches!(
            entry.kind,
            FileKind::Empty | FileKind::Binary | FileKind::Archive
        ) && ((of_collector(tree.rel(entry)) && entry.bytes <= MAX_ERROR_BYTES)
            || entry.bytes <= SHORT / 4)
    });
    let mut of_collectors = 0;
    for entry in listed {
        let known = of_collector(tree.rel(entry));
        of_collectors += usize::from(known);
        if of_collectors > MAX_ERROR_FILES || found.len() > MAX_ERROR_FILES {
            break;
        }
        let Some(text) = tree.text(entry).ok().flatten() else {
            continue;
        };
        let path = tree.rel(entry).to_owned();
        if known {
            for line in text
                .as_str()
                .lines()
                .filter(|line| line.len() < 8_000)
                .take(500)
            {
                let lower = line.to_ascii_lowercase();
                if TOOL_ERRORS.iter().any(|form| lower.contains(form))
                    || lower.contains("fail")
                    || lower.contains("error")
                {
                    found.push(Failure {
                        path: path.clone(),
                        message: message(line.trim().trim_matches(['"', ','])),
                    });
                }
            }
        } else if let Some(message) = tool_error(text.as_str().trim()) {
            found.push(Failure { path, message });
        }
    }
    found
}

/// The names that a wish is about: words that look like an object's, a host's or a file's name.
fn named(item: &Missing) -> Option<BTreeSet<String>> {
    let names: BTreeSet<String> = item
        .what
        .split(|c: char| c.is_whitespace() || "(),:/".contains(c))
        .filter(|word| {
            word.len() >= 5 && word.contains(|c: char| c.is_ascii_digit() || "-._".contains(c))
        })
        .filter(|word| !word.starts_with('-') && !word.contains('='))
        .map(str::to_ascii_lowercase)
        .collect();
    (!names.is_empty()).then_some(names)
}

/// The collector's message about one of the names, if it fits what is asked for.
fn failure(item: &Missing, names: &BTreeSet<String>, errors: &[Failure]) -> Option<Absence> {
    let what = item.what.to_ascii_lowercase();
    let previous = what.contains("previous");
    let mut best = None;
    for error in errors {
        let place = format!("{} {}", error.path, error.message).to_ascii_lowercase();
        if !names.iter().any(|name| place.contains(name.as_str())) {
            continue;
        }
        let absence = Absence::of_error(&error.message);
        // A missing earlier run explains only the missing earlier log.
        if matches!(absence, Absence::NotYet(_)) && !previous {
            continue;
        }
        let about_previous = place.contains("previous");
        if about_previous == previous || best.is_none() {
            best = Some(absence);
        }
    }
    best
}

/// An older generation of `path`: the same name with a number, a date or a compression behind it.
fn rotated(path: &str, tree: &Tree) -> Option<String> {
    let full = |path: &str| path.strip_prefix(tree.top()).unwrap_or(path).to_owned();
    let wanted = full(path);
    let stem = wanted.strip_suffix(".log").unwrap_or(&wanted);
    tree.files()
        .map(|entry| tree.rel(entry))
        .find(|rel| {
            [wanted.as_str(), stem].iter().any(|base| {
                rel.strip_prefix(base).is_some_and(|rest| {
                    rest.starts_with(['.', '-'])
                        && (rest.contains(|c: char| c.is_ascii_digit())
                            || rest.contains(".gz")
                            || rest.contains(".old")
                            || rest.contains(".xz"))
                        && !rest.contains('/')
                })
            })
        })
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
        tree_of(files.iter().map(|(name, text)| (format!("b/{name}"), text)))
    }

    fn why(files: &[(&str, &str)], what: &str, path: Option<&str>) -> String {
        let (_dir, tree) = tree(files);
        let item = Missing {
            what: what.into(),
            why: "it decides".into(),
            path: path.map(str::to_owned),
        };
        explained(&[item], &tree)[0].why.clone()
    }

    const LOGS: &str =
        "container logs of pod shop/orders-7f6b9 (kubectl -n shop logs orders-7f6b9)";
    const BEFORE: &str = "previous container logs of pod shop/orders-7f6b9";

    #[test]
    fn a_collectors_error_about_the_pod_is_repeated() {
        let error = "failed to get log stream: pods \"orders-7f6b9\" is forbidden: User \"x\" cannot get resource";
        let told = why(
            &[
                ("pods/logs/shop/orders-7f6b9/orders-logs-errors.log", error),
                ("a", "x"),
            ],
            LOGS,
            None,
        );
        assert!(
            told.contains("Failed to collect: failed to get log stream"),
            "{told}"
        );
        // Of another pod it says nothing.
        let told = why(
            &[
                ("x-errors.log", &error.replace("orders", "other")),
                ("a", "x"),
            ],
            LOGS,
            None,
        );
        assert!(told.contains("Not collected"), "{told}");
    }

    #[test]
    fn no_earlier_run_is_not_a_failure_and_only_of_the_earlier_log() {
        let file = [
            (
                "kubectl/logs-previous.txt",
                "Error from server (BadRequest): previous terminated container \"orders\" in pod \"orders-7f6b9\" not found",
            ),
            ("a", "x"),
        ];
        assert!(why(&file, BEFORE, None).contains("Not yet happened"));
        assert!(why(&file, LOGS, None).contains("Not collected"));
    }

    #[test]
    fn empty_redacted_rotated_and_never_asked_for_are_told_apart() {
        let told = |text: &str| {
            why(
                &[("var/log/app.log", text), ("a", "x")],
                "the log",
                Some("b/var/log/app.log"),
            )
        };
        assert!(told("").contains("Empty:"));
        assert!(told("{\"kind\": \"EventList\", \"items\": null}").contains("Empty:"));
        assert!(told("No resources found in shop namespace.").contains("Empty:"));
        assert!(told("***HIDDEN***\n***HIDDEN***\n").contains("Redacted:"));
        assert!(
            told("ls: cannot access '/x': No such file or directory")
                .contains("Failed to collect:")
        );
        // There, long and plain: the detector's own words stand.
        assert_eq!(
            told("a line\nanother line\nof a real log\nwith text\nin it\n"),
            "it decides"
        );
        let rotated = why(
            &[("var/log/app.log.1", "x"), ("a", "x")],
            "the log",
            Some("b/var/log/app.log"),
        );
        assert!(
            rotated.contains("Rotated: only an older generation is there, var/log/app.log.1"),
            "{rotated}"
        );
        assert!(
            why(
                &[("a", "x"), ("c", "y")],
                "the log",
                Some("b/var/log/app.log")
            )
            .contains("Not collected")
        );
    }

    #[test]
    fn an_empty_setting_is_no_gap_and_an_empty_log_is() {
        let (_dir, tree) = tree(&[
            ("etc/apparmor.d/local/usr.sbin.rsyslogd", ""),
            ("cluster/events/shop.json", ""),
            ("sos_commands/kubernetes/pods_logs_x", ""),
            ("events.txt", ""),
        ]);
        let paths: Vec<String> = explained(&[], &tree)
            .into_iter()
            .filter_map(|item| item.path)
            .collect();
        assert_eq!(
            paths,
            [
                "b/cluster/events/shop.json",
                "b/events.txt",
                "b/sos_commands/kubernetes/pods_logs_x"
            ]
        );
    }
}
