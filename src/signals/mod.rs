//! Typed facts with file and line, found without a model.
//!
//! Owns: the detectors and their ranking. Touches: the unpacked tree, read-only, through
//! [`crate::bundle::Tree`]. Zone: 2.
//!
//! Scale of [`Signal::strength`], so that detectors of different families compare:
//!
//! | strength | meaning | example |
//! |---|---|---|
//! | 0.90-0.97 | decisive and specific; an expert stops looking | container OOM-killed at its limit; connection-tracking table full |
//! | 0.70-0.89 | specific error of a component that visibly fails | missing environment variable in the last words of a crash-looping container |
//! | 0.40-0.69 | real fault, may be a side scene | a failed unit with its own error; repeated refused connections |
//! | 0.15-0.39 | odd, often harmless | rare error line in a log of a component that runs |
//! | below 0.15 | boot, collection and shutdown noise | not worth a signal |

mod complaint;
mod devices;
pub mod host;
mod injection;
pub mod kubernetes;
pub mod license;
pub mod logs;
pub mod model;
mod rank;
pub mod services;
#[cfg(test)]
pub(crate) mod testing;
mod wanted;
mod wording;

pub use injection::{injection_hints, is_attempt};
pub use model::*;
pub use rank::rank;

use crate::bundle::{FileKind, Tree};
use crate::playbook::Cause;
use crate::profile::Profile;
use crate::report::NotExamined;
use std::collections::HashSet;

/// Whether a signal of a host family was read from a pod's log: by the folder, or because the file, its folder or
/// the writer is called as a pod.
fn in_a_pod(signal: &Signal, pods: &HashSet<String>) -> bool {
    let is_pod = |name: &str| pods.contains(name) || kubernetes::is_generated_name(name);
    let unit = signal.entities.get("unit");
    !signal.detector.starts_with("k8s.")
        && (unit.is_some_and(|unit| is_pod(unit))
            || signal.evidence.iter().any(|evidence| {
                ["/pods/", "/podlogs/", "/kubectl/", "/containers/"]
                    .iter()
                    .any(|folder| evidence.path.contains(folder))
                    || evidence
                        .path
                        .split('/')
                        .any(|part| is_pod(part.strip_suffix(".log").unwrap_or(part)))
            }))
}

/// Runs every family of detectors over the tree. Signals whose cause is not in `causes` are left
/// out, and `not_examined` says so.
pub fn analyse(tree: &Tree, profile: &Profile, causes: &[Cause], ticket: Option<&str>) -> Analysis {
    let mut all = Partial::default();
    all.merge(kubernetes::detect(tree, profile, ticket));
    all.merge(host::detect(tree, ticket));
    all.merge(services::detect(tree, ticket));
    all.merge(license::detect(tree, causes));
    let mut general = logs::detect(tree, ticket);
    logs::drop_explained(&mut general.signals, &all.signals);
    all.merge(general);
    devices::settle(&mut all.signals);
    name_files(tree, &mut all.signals);
    once(&mut all.signals);
    held_by_log(&mut all.signals);
    let wanted = wanted::wanted(tree, &all.signals);
    all.missing.extend(wanted);
    let unexplained = complaint::unexplained(tree, ticket, &all.signals);
    all.missing.extend(unexplained);
    let (mut known, unknown): (Vec<Signal>, Vec<Signal>) = all
        .signals
        .into_iter()
        .partition(|signal| causes.iter().any(|cause| cause.slug == signal.cause));
    let pods = known.iter().filter_map(|one| one.entities.get("pod"));
    let pods: HashSet<String> = pods.cloned().collect();
    for signal in &mut known {
        signal.strength = signal.strength.clamp(0.01, 0.97);
        if in_a_pod(signal, &pods) {
            // What runs in a pod is no unit of the host: its commands must not ask systemd.
            for slot in ["unit", "daemon", "service_unit"] {
                signal.entities.remove(slot);
            }
        }
    }
    let mut not_examined = all.not_examined;
    if !unknown.is_empty() {
        not_examined.push(NotExamined {
            what: format!("{} signals", unknown.len()),
            why: "their causes are in no catalogue of this playbook".into(),
        });
    }
    // What was opened has a folder beside it.
    let opened: HashSet<&str> = tree
        .files()
        .filter_map(|entry| entry.path.as_str().rsplit_once("!/"))
        .map(|(archive, _)| archive)
        .collect();
    for (kind, why) in [
        (FileKind::Binary, "binary content is not read"),
        (
            FileKind::Archive,
            "single compressed files inside the bundle are not opened",
        ),
    ] {
        let paths: Vec<_> = tree
            .files()
            .filter(|entry| entry.kind == kind)
            .map(|entry| entry.path.as_str())
            .filter(|path| !opened.contains(path))
            .collect();
        if let Some(first) = paths.first() {
            let what = if paths.len() == 1 {
                (*first).to_owned()
            } else {
                format!("{} files such as {first}", paths.len())
            };
            not_examined.push(NotExamined {
                what,
                why: why.into(),
            });
        }
    }
    let mut missing = all.missing;
    let mut seen = HashSet::new();
    missing.retain(|item| seen.insert((item.what.clone(), item.path.clone())));
    let mut signals = rank(known, causes);
    wording::settle(tree, &mut signals);
    Analysis {
        signals,
        missing,
        not_examined,
        injections: injection::find(tree),
    }
}

/// A group of consumers that two families found behind is told by the one that knows its cluster.
fn once(signals: &mut Vec<Signal>) {
    let known: Vec<String> = signals
        .iter()
        .filter(|signal| signal.cause == "consumer-lag")
        .map(|signal| signal.subject.name.clone())
        .collect();
    signals.retain(|signal| {
        signal.cause != "kafka-consumer-behind" || !known.contains(&signal.subject.name)
    });
}

/// A file system that a database's log of changes has filled: why the database keeps it is the root.
fn held_by_log(signals: &mut [Signal]) {
    const KEEPS: [&str; 2] = ["postgres-archiving-fails", "database-log-retained"];
    const SAYS: [&str; 4] = [
        "wal-archive",
        "archive command failed",
        "archiving write-ahead",
        "archive_command failed",
    ];
    const BELOW: f64 = 0.1;
    let is_full = |signal: &Signal| {
        matches!(
            signal.cause.as_str(),
            "disk-full" | "container-disk-full" | "postgres-resource-limit"
        ) && signal
            .title
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.')))
            .any(|part| matches!(part, "pg_wal" | "pg_xlog" | "wal"))
    };
    let full = signals.iter().filter(|signal| is_full(signal));
    let Some(strength) = full.map(|signal| signal.strength).reduce(f64::max) else {
        return;
    };
    let says = |signal: &Signal| {
        let lines = signal.evidence.iter().map(|line| line.quote.as_str());
        let mut texts = lines.chain([signal.title.as_str()]);
        texts.any(|text| SAYS.iter().any(|words| text.contains(words)))
    };
    let keeps = |signal: &&mut Signal| {
        signal.role == Role::Cause
            && !is_full(signal)
            && (KEEPS.contains(&signal.cause.as_str())
                || signal.cause.starts_with("application-") && says(signal))
    };
    let weaker = |a: &&mut Signal, b: &&mut Signal| a.strength.total_cmp(&b.strength);
    let Some(root) = signals.iter_mut().filter(keeps).max_by(weaker) else {
        return;
    };
    root.strength = root.strength.max((strength + 0.01).min(0.95));
    let ceiling = root.strength - BELOW;
    for signal in signals.iter_mut().filter(|signal| is_full(signal)) {
        signal.strength = signal.strength.min(ceiling);
    }
}

/// Evidence that was read through a link names the file behind it, as a person who opens the bundle finds it.
fn name_files(tree: &Tree, signals: &mut [Signal]) {
    for evidence in signals.iter_mut().flat_map(|signal| &mut signal.evidence) {
        if let Some(entry) = tree.find(&evidence.path)
            && entry.path.as_str() != evidence.path
        {
            evidence.path = entry.path.as_str().to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BundlePath, Entry};

    fn signal(cause: &str, title: &str, strength: f64) -> Signal {
        Signal {
            detector: format!("host.{cause}"),
            cause: cause.into(),
            title: title.into(),
            statement: title.into(),
            subject: crate::report::Subject::default(),
            evidence: Vec::new(),
            strength,
            role: Role::Cause,
            entities: std::collections::BTreeMap::new(),
        }
    }

    #[test]
    fn what_runs_in_a_pod_is_no_unit() {
        let read = |unit: &str, path: &str, pods: &[&str]| {
            let mut one = signal("unexplained-error-in-log", "x reports y", 0.5);
            one.entities.insert("unit".into(), unit.into());
            one.evidence.push(crate::report::Evidence {
                path: path.into(),
                line_start: 1,
                line_end: 1,
                quote: "y".into(),
            });
            in_a_pod(&one, &pods.iter().map(|pod| (*pod).to_owned()).collect())
        };
        assert!(read(
            "bills-f55f599789-b5f6m",
            "b/shop/bills-f55f599789-b5f6m.log",
            &[]
        ));
        assert!(read("agent", "b/agent-x7k2p/agent.log", &[]));
        assert!(read("db-0", "b/shop/db-0.log", &["db-0"]));
        assert!(read("db", "b/kubectl/db.log", &[]));
        for unit in ["db-0", "nova-compute", "getty@tty1", "ifup-nvlst", "sshd"] {
            assert!(!read(unit, "host/var/log/messages", &[]), "{unit}");
        }
    }

    #[test]
    fn why_a_log_of_changes_is_kept_stands_above_the_full_disk() {
        let mut signals = vec![
            signal(
                "disk-full",
                "/data is full; /data/pg_wal holds 68 GiB",
                0.93,
            ),
            signal("postgres-archiving-fails", "archive command failed", 0.8),
        ];
        held_by_log(&mut signals);
        assert!(signals[1].strength > signals[0].strength);
        for other in ["/var is full; /var/log holds 9 GiB", "/srv/wallet is full"] {
            signals[0] = signal("disk-full", other, 0.93);
            signals[1].strength = 0.8;
            held_by_log(&mut signals);
            assert!(signals[1].strength < signals[0].strength, "{other}");
        }
    }

    #[test]
    fn evidence_read_through_a_link_names_the_file_behind_it() {
        let (folder, tree) = crate::bundle::testing::tree_of([("b/sos/df_-h", "full\n")]);
        let dir = cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority());
        let mut index = tree.index().clone();
        let link_to = Some(index.entries[0].path.clone());
        index.entries.push(Entry {
            path: BundlePath::parse("b/df").unwrap(),
            kind: FileKind::Link,
            link_to,
            ..index.entries[0].clone()
        });
        index.entries.sort_by(|a, b| a.path.cmp(&b.path));
        let tree = Tree::new(dir.unwrap(), index);
        let mut signals = vec![Signal {
            detector: "host.disk-full".into(),
            cause: "disk-full".into(),
            title: "/ is full".into(),
            statement: "/ is full.".into(),
            subject: crate::report::Subject::default(),
            evidence: vec![crate::report::Evidence {
                path: "b/df".into(),
                line_start: 1,
                line_end: 1,
                quote: "full".into(),
            }],
            strength: 0.9,
            role: Role::Cause,
            entities: std::collections::BTreeMap::new(),
        }];
        name_files(&tree, &mut signals);
        assert_eq!(signals[0].evidence[0].path, "b/sos/df_-h");
    }
}
