//! From what the detectors found to one ranked list: duplicates merged, roots above their symptoms.

use super::{Role, Signal};
use crate::playbook::Cause;
use std::collections::{BTreeMap, BTreeSet};

/// Evidence lines kept per signal.
const MAX_EVIDENCE: usize = 6;
/// A root must be at least this strong to push its symptoms down.
const EXPLAINS_FROM: f64 = 0.5;
/// Siblings that a finding names.
const MAX_NAMED: usize = 4;
/// How far below its root a symptom ends.
const BELOW_ROOT: f64 = 0.12;

/// Merges signals with the same cause and subject, pushes what another signal explains below it,
/// and sorts by strength; ties by cause, subject and first evidence, so that the order never
/// depends on the order of files.
pub fn rank(signals: Vec<Signal>, causes: &[Cause]) -> Vec<Signal> {
    let mut merged: BTreeMap<(String, String, String), Signal> = BTreeMap::new();
    for signal in signals {
        let key = (
            signal.cause.clone(),
            signal.subject.namespace.clone().unwrap_or_default(),
            format!("{}/{}", signal.subject.kind, signal.subject.name),
        );
        match merged.entry(key) {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(signal);
            }
            std::collections::btree_map::Entry::Occupied(mut taken) => {
                let (best, other) = if better(&signal, taken.get()) {
                    (signal, taken.get().clone())
                } else {
                    (taken.get().clone(), signal)
                };
                taken.insert(absorb(best, other));
            }
        }
    }
    let mut signals: Vec<Signal> = merged.into_values().collect();
    signals.sort_by(order);
    let mut signals = drop_retold(signals);
    let by_slug: BTreeMap<&str, &Cause> = causes
        .iter()
        .map(|cause| (cause.slug.as_str(), cause))
        .collect();
    for root in 0..signals.len() {
        if signals[root].strength < EXPLAINS_FROM || signals[root].role != Role::Cause {
            continue;
        }
        let Some(explains) = by_slug
            .get(signals[root].cause.as_str())
            .map(|cause| &cause.explains)
        else {
            continue;
        };
        for symptom in 0..signals.len() {
            if symptom != root
                && explains.contains(&signals[symptom].cause)
                && related(&signals[root], &signals[symptom])
            {
                let ceiling = (signals[root].strength - BELOW_ROOT).max(0.05);
                let below = &mut signals[symptom].strength;
                *below = below.min(ceiling);
            }
        }
    }
    signals.sort_by(order);
    name_who_cannot_write(&mut signals);
    fold_siblings(signals)
}

/// A full file system matters by what cannot write to it any more: a program that says so is named.
fn name_who_cannot_write(signals: &mut [Signal]) {
    const FULL: [&str; 3] = ["disk-full", "container-disk-full", "inodes-exhausted"];
    let Some(victim) = signals
        .iter()
        .find(|signal| signal.cause == "disk-full-reported")
        .cloned()
    else {
        return;
    };
    if let Some(full) = signals
        .iter_mut()
        .find(|signal| FULL.contains(&signal.cause.as_str()) && signal.strength >= EXPLAINS_FROM)
    {
        full.statement = format!("{} {}.", full.statement.trim_end(), victim.title);
        if let Some(line) = victim.evidence.first()
            && !full.evidence.contains(line)
        {
            full.evidence.truncate(MAX_EVIDENCE - 1);
            full.evidence.push(line.clone());
        }
    }
}

/// The same fault of several things of one kind (two queues nobody reads, four ports that flap) is one
/// finding that names them all, with a line for each: a list of look-alikes would hide everything else.
fn fold_siblings(signals: Vec<Signal>) -> Vec<Signal> {
    let mut leaders: Vec<(Signal, Vec<Signal>)> = Vec::new();
    for signal in signals {
        match leaders
            .iter_mut()
            .find(|(leader, _)| are_siblings(leader, &signal))
        {
            Some((_, siblings)) => siblings.push(signal),
            None => leaders.push((signal, Vec::new())),
        }
    }
    leaders
        .into_iter()
        .map(|(leader, siblings)| with_siblings(leader, &siblings))
        .collect()
}

/// One detector, one kind of thing, and titles that differ in nothing but the name and figures. Pods are
/// siblings only as replicas of one workload: two workloads that fail alike are two faults.
fn are_siblings(a: &Signal, b: &Signal) -> bool {
    let app = |signal: &Signal| {
        signal
            .entities
            .get("workload")
            .cloned()
            .unwrap_or_else(|| super::kubernetes::app_of(&signal.subject.name).to_owned())
    };
    let pods_apart = a.detector.starts_with("k8s.") && app(a) != app(b);
    a.detector == b.detector
        && a.cause == b.cause
        && a.role == b.role
        && a.subject.kind == b.subject.kind
        && a.subject.namespace == b.subject.namespace
        && a.subject.name != b.subject.name
        && !pods_apart
        && shape(a) == shape(b)
}

/// A title without the subject's name and without figures; `None` when it does not name its subject.
fn shape(signal: &Signal) -> Option<String> {
    let name = signal.subject.name.as_str();
    if name.is_empty() || !signal.title.contains(name) {
        return None;
    }
    // A word with a figure in it (`9f03`, `order-17`, `10:00:01`) names one thing of many.
    let mut out = String::new();
    for word in signal
        .title
        .replace(name, "\u{0}")
        .split_inclusive(|c: char| !c.is_alphanumeric())
    {
        let (bare, end) = match word.chars().next_back() {
            Some(c) if !c.is_alphanumeric() => word.split_at(word.len() - c.len_utf8()),
            _ => (word, ""),
        };
        match bare.bytes().any(|byte| byte.is_ascii_digit()) {
            true => out.push('0'),
            false => out.push_str(bare),
        }
        out.push_str(end);
    }
    Some(out)
}

fn with_siblings(mut leader: Signal, siblings: &[Signal]) -> Signal {
    if siblings.is_empty() {
        return leader;
    }
    let own = MAX_EVIDENCE.saturating_sub(siblings.len()).max(2);
    leader.evidence.truncate(own);
    for line in siblings.iter().filter_map(|signal| signal.evidence.first()) {
        if leader.evidence.len() < MAX_EVIDENCE && !leader.evidence.contains(line) {
            leader.evidence.push(line.clone());
        }
    }
    let named: Vec<&str> = siblings
        .iter()
        .take(MAX_NAMED)
        .map(|signal| signal.subject.name.as_str())
        .collect();
    let more = match siblings.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    leader.statement = format!(
        "{} The same holds for {}{more}.",
        leader.statement.trim_end(),
        named.join(", ")
    );
    leader
}

/// Two families may read the same line: the stronger one keeps it, and a weaker one of another family
/// that cites nothing else would only say it again.
fn drop_retold(signals: Vec<Signal>) -> Vec<Signal> {
    let family = |signal: &Signal| {
        signal
            .detector
            .split('.')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let mut told: BTreeMap<(String, u64), String> = BTreeMap::new();
    let mut kept = Vec::new();
    for signal in signals {
        let own = family(&signal);
        let lines: Vec<_> = signal
            .evidence
            .iter()
            .map(|evidence| (evidence.path.clone(), evidence.line_start))
            .collect();
        if lines.is_empty()
            || !lines
                .iter()
                .all(|line| told.get(line).is_some_and(|teller| *teller != own))
        {
            for line in lines {
                told.entry(line).or_insert_with(|| own.clone());
            }
            kept.push(signal);
        }
    }
    kept
}

fn better(a: &Signal, b: &Signal) -> bool {
    order(a, b) == std::cmp::Ordering::Less
}

fn order(a: &Signal, b: &Signal) -> std::cmp::Ordering {
    // Causes before symptoms of the same strength.
    b.strength
        .total_cmp(&a.strength)
        .then((a.role == Role::Symptom).cmp(&(b.role == Role::Symptom)))
        .then_with(|| a.cause.cmp(&b.cause))
        .then_with(|| a.subject.namespace.cmp(&b.subject.namespace))
        .then_with(|| a.subject.name.cmp(&b.subject.name))
        .then_with(|| {
            a.evidence
                .first()
                .map(|e| (&e.path, e.line_start))
                .cmp(&b.evidence.first().map(|e| (&e.path, e.line_start)))
        })
}

fn absorb(mut best: Signal, other: Signal) -> Signal {
    for evidence in other.evidence {
        if best.evidence.len() < MAX_EVIDENCE
            && !best
                .evidence
                .iter()
                .any(|known| known.path == evidence.path && known.line_start == evidence.line_start)
        {
            best.evidence.push(evidence);
        }
    }
    for (slot, value) in other.entities {
        best.entities.entry(slot).or_insert(value);
    }
    best
}

/// Whether two signals speak about the same thing: a shared name, or either has none (the whole host).
fn related(a: &Signal, b: &Signal) -> bool {
    const NAMING: [&str; 12] = [
        "pod",
        "workload",
        "deployment",
        "job",
        "service",
        "node",
        "unit",
        "device",
        "pvc",
        "container",
        "daemon",
        "host",
    ];
    let names = |signal: &Signal| -> BTreeSet<String> {
        let own = (!signal.subject.name.is_empty()).then(|| signal.subject.name.clone());
        own.into_iter()
            .chain(
                NAMING
                    .iter()
                    .filter_map(|slot| signal.entities.get(*slot).cloned()),
            )
            .collect()
    };
    let (a_names, b_names) = (names(a), names(b));
    a_names.is_empty()
        || b_names.is_empty()
        || a_names.intersection(&b_names).next().is_some()
        || (a.subject.namespace.is_none() && b.subject.namespace.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Evidence, Subject};

    fn signal(cause: &str, name: &str, strength: f64, role: Role) -> Signal {
        Signal {
            detector: format!("test.{cause}"),
            cause: cause.into(),
            title: cause.into(),
            statement: cause.into(),
            subject: Subject {
                kind: "Pod".into(),
                namespace: Some("shop".into()),
                name: name.into(),
            },
            evidence: vec![Evidence {
                path: format!("{name}.log"),
                line_start: 1,
                line_end: 1,
                quote: "a line".into(),
            }],
            strength,
            role,
            entities: BTreeMap::new(),
        }
    }

    fn cause(slug: &str, explains: &[&str]) -> Cause {
        Cause {
            slug: slug.into(),
            about: slug.into(),
            signals_for: vec![],
            signals_against: vec![],
            explains: explains.iter().map(|s| (*s).to_owned()).collect(),
            commands: vec![],
        }
    }

    #[test]
    fn a_root_stands_above_the_symptom_it_explains_and_only_for_the_same_thing() {
        let causes = [cause("oom", &["crash-loop"]), cause("crash-loop", &[])];
        let ranked = rank(
            vec![
                signal("crash-loop", "a", 0.95, Role::Cause),
                signal("oom", "a", 0.9, Role::Cause),
                signal("crash-loop", "b", 0.93, Role::Cause),
            ],
            &causes,
        );
        let order: Vec<_> = ranked
            .iter()
            .map(|s| (s.cause.as_str(), s.subject.name.as_str()))
            .collect();
        assert_eq!(
            order,
            [("crash-loop", "b"), ("oom", "a"), ("crash-loop", "a")]
        );
    }

    #[test]
    fn the_same_fault_of_two_queues_is_one_finding_with_a_line_of_each() {
        let queue = |name: &str, messages: u32| Signal {
            detector: "rabbitmq.queue".into(),
            title: format!("queue {name} grows: {messages} messages"),
            subject: Subject {
                kind: "Queue".into(),
                namespace: None,
                name: name.into(),
            },
            ..signal("queue", name, 0.6, Role::Cause)
        };
        let ranked = rank(vec![queue("a.info", 12), queue("b.sample", 3000)], &[]);
        assert_eq!(ranked.len(), 1);
        assert!(
            ranked[0]
                .statement
                .ends_with("The same holds for b.sample.")
        );
        assert_eq!(ranked[0].evidence.len(), 2);
        let mut other = queue("b.sample", 3000);
        other.title = "queue b.sample is paused".into();
        assert_eq!(rank(vec![queue("a.info", 12), other], &[]).len(), 2);
        let pod = |name: &str, workload: &str| Signal {
            detector: "k8s.oom".into(),
            title: format!("pod {name} is killed"),
            entities: BTreeMap::from([("workload".into(), workload.into())]),
            ..signal("oom", name, 0.6, Role::Cause)
        };
        assert_eq!(rank(vec![pod("a-1", "a"), pod("a-2", "a")], &[]).len(), 1);
        assert_eq!(rank(vec![pod("a-1", "a"), pod("b-1", "b")], &[]).len(), 2);
    }

    #[test]
    fn a_line_is_told_once_by_the_stronger_signal() {
        let weaker = Signal {
            subject: Subject {
                kind: "Service".into(),
                namespace: None,
                name: "other".into(),
            },
            strength: 0.5,
            cause: "x".into(),
            detector: "other.x".into(),
            ..signal("oom", "a", 0.9, Role::Cause)
        };
        let ranked = rank(
            vec![weaker.clone(), signal("oom", "a", 0.9, Role::Cause)],
            &[],
        );
        assert_eq!(ranked.len(), 1);
        assert_eq!(ranked[0].cause, "oom");
        let mut more = weaker;
        more.evidence[0].line_start = 2;
        assert_eq!(
            rank(vec![more, signal("oom", "a", 0.9, Role::Cause)], &[]).len(),
            2
        );
    }

    #[test]
    fn the_order_of_arrival_does_not_matter_and_duplicates_merge() {
        let mut one = signal("oom", "a", 0.9, Role::Cause);
        one.evidence[0].line_start = 7;
        let list = vec![
            signal("oom", "a", 0.8, Role::Cause),
            one,
            signal("x", "b", 0.8, Role::Symptom),
        ];
        let forward = rank(list.clone(), &[]);
        let backward = rank(list.into_iter().rev().collect(), &[]);
        assert_eq!(forward, backward);
        assert_eq!(forward.len(), 2);
        assert_eq!(
            forward[0]
                .evidence
                .iter()
                .map(|e| e.line_start)
                .collect::<Vec<_>>(),
            [7, 1]
        );
    }
}
