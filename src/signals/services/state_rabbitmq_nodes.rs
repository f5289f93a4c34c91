//! RabbitMQ by its status and report: limits nearly reached, nodes gone, mirrors behind, queues on one node.

use super::engine::compile;
use super::state::{Says, at, texts};
use super::state_rabbitmq::is_output;
use crate::bundle::{Entry, Text, Tree};
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use std::collections::{BTreeMap, BTreeSet};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[LIMIT, MEMORY, GONE, MIRRORS, UNEVEN];
const LIMIT: (&str, &str) = ("rabbitmq.status-fd-limit", "rabbitmq-fd-limit");
const MEMORY: (&str, &str) = ("rabbitmq.status-memory-high", "rabbitmq-memory-alarm");
const GONE: (&str, &str) = ("rabbitmq.status-node-missing", "rabbitmq-node-missing");
const MIRRORS: (&str, &str) = (
    "rabbitmq.report-unsynchronised",
    "rabbitmq-unsynchronised-mirrors",
);
const UNEVEN: (&str, &str) = ("rabbitmq.queues-on-one-node", "rabbitmq-queue-imbalance");

/// Fewer queues than this are no load that needs balance.
const MANY_QUEUES: usize = 60;

/// Findings from status and report.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    for (entry, text) in texts(tree, is_output) {
        partial.signals.extend(descriptors(entry, &text));
        partial.signals.extend(memory(entry, &text));
        partial.signals.extend(gone(entry, &text));
        partial.signals.extend(mirrors(entry, &text));
        partial.signals.extend(uneven(entry, &text));
    }
    partial
}

/// The first line that the pattern matches, with its numbers.
fn numbers(entry: &Entry, text: &Text, pattern: &str) -> Option<(Vec<f64>, Evidence)> {
    let pattern = compile(pattern)?;
    text.lines().take(100_000).find_map(|(number, line)| {
        let found = pattern.captures(line)?;
        let values = found
            .iter()
            .skip(1)
            .flatten()
            .filter_map(|m| m.as_str().parse().ok())
            .collect();
        Some((values, at(entry, number, line)))
    })
}

fn descriptors(entry: &Entry, text: &Text) -> Option<Signal> {
    let (values, line) = numbers(entry, text, r"total_limit,(\d+)\},\s*\{total_used,(\d+)\}")
        .or_else(|| {
            numbers(
                entry,
                text,
                r"sockets_limit,(\d+)\},\s*\{sockets_used,(\d+)\}",
            )
        })
        .or_else(|| {
            let (values, line) =
                numbers(entry, text, r"^\s*(?:Total|Sockets): (\d+), limit: (\d+)")?;
            Some((values.into_iter().rev().collect(), line))
        })?;
    let [limit, used] = values[..] else {
        return None;
    };
    if limit < 1.0 || used < limit * 0.9 {
        return None;
    }
    Says {
        id: LIMIT,
        subject: ("RabbitMQ node", ""),
        title: format!("RabbitMQ uses {used} of {limit} file descriptors"),
        statement: format!("{used} of {limit} file descriptors are in use: RabbitMQ soon accepts no further connection. Either the limit is too low or a client leaks connections."),
        strength: 0.84,
        role: Role::Cause,
        evidence: vec![line],
    }
    .signal(&[])
}

fn memory(entry: &Entry, text: &Text) -> Option<Signal> {
    let (limit, limit_at) = numbers(entry, text, r"\{vm_memory_limit,(\d+)\}")?;
    let (used, used_at) = numbers(entry, text, r"\{total,\[\{erlang,(\d+)\},\{rss,(\d+)\}")
        .or_else(|| numbers(entry, text, r"\{total,(\d+)\}"))?;
    let used = used.into_iter().fold(0.0, f64::max);
    let limit = *limit.first()?;
    if limit < 1.0 || used < limit * 0.9 {
        return None;
    }
    Says {
        id: MEMORY,
        subject: ("RabbitMQ node", ""),
        title: format!("RabbitMQ memory is at its high watermark: {used} of {limit} bytes"),
        statement: format!("RabbitMQ holds {used} bytes, its limit is {limit} bytes: at the watermark all publishers are blocked. Queues that nobody reads or too many connections fill it."),
        strength: 0.76,
        role: Role::Cause,
        evidence: vec![used_at, limit_at],
    }
    .signal(&[])
}

/// Names `rabbit@host` in a text.
fn names(text: &str) -> BTreeSet<String> {
    compile(r"\b(rabbit(?:mq)?@[\w.-]+)")
        .map(|pattern| {
            pattern
                .find_iter(text)
                .map(|m| m.as_str().to_owned())
                .collect()
        })
        .unwrap_or_default()
}

/// Members of the cluster that do not run: Erlang terms, or the sections of newer releases.
fn gone(entry: &Entry, text: &Text) -> Option<Signal> {
    let (mut members, mut running) = (BTreeSet::new(), BTreeSet::new());
    let (mut shown, mut section, mut open) = (Vec::new(), String::new(), "");
    for (number, line) in text.lines().take(20_000) {
        let bare = line.trim();
        if bare.contains("{running_nodes,") {
            open = "running";
            shown.push(at(entry, number, line));
        } else if bare.contains("{nodes,") {
            open = "members";
            shown.push(at(entry, number, line));
        } else if bare.starts_with('{') || bare.starts_with(" {") {
            open = "";
        }
        if !bare.is_empty() && !line.starts_with(' ') && bare.ends_with("Nodes") {
            bare.clone_into(&mut section);
        } else if !bare.is_empty() && !bare.contains('@') && !bare.contains(',') {
            section.clear();
        }
        match (open, section.as_str()) {
            ("running", _) | (_, "Running Nodes") => running.extend(names(line)),
            ("members", _) | (_, "Disk Nodes" | "RAM Nodes") => members.extend(names(line)),
            _ => {}
        }
        if bare.contains("]}]") || bare.ends_with("]},") {
            open = "";
        }
        if members.iter().any(|name| bare == name.as_str()) {
            shown.push(at(entry, number, line));
        }
    }
    let lost: Vec<&String> = members.difference(&running).collect();
    if lost.is_empty() || running.is_empty() {
        return None;
    }
    let lost: Vec<&str> = lost.into_iter().map(String::as_str).collect();
    Says {
        id: GONE,
        subject: ("RabbitMQ node", lost[0]),
        title: format!("RabbitMQ node {} is a member of the cluster but does not run ({} of {} run)", lost.join(", "), running.len(), members.len()),
        statement: format!("{} belongs to the cluster but is not among its running nodes: the broker there is stopped, cut off or was not removed from the cluster; queues without a mirror elsewhere are not available.", lost.join(", ")),
        strength: 0.66,
        role: Role::Cause,
        evidence: shown,
    }
    .signal(&[])
}

/// Queues that have mirrors of which none is synchronised: if the master goes, their messages go.
fn mirrors(entry: &Entry, text: &Text) -> Option<Signal> {
    let mut header: Vec<&str> = Vec::new();
    let mut behind: Vec<(String, Evidence)> = Vec::new();
    let mut all = 0usize;
    for (number, line) in text.lines().take(500_000) {
        if line.contains("synchronised_slave_pids") || line.contains("synchronised_mirror_pids") {
            header = line.split('\t').map(str::trim).collect();
            continue;
        }
        if line.trim().is_empty() {
            header.clear();
        }
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let cell = |names: [&str; 2]| {
            let at = header.iter().position(|column| names.contains(column))?;
            cells.get(at).copied()
        };
        let (Some(mirrors), Some(synced)) = (
            cell(["slave_pids", "mirror_pids"]),
            cell(["synchronised_slave_pids", "synchronised_mirror_pids"]),
        ) else {
            continue;
        };
        if mirrors.contains('@') {
            all += 1;
            if !synced.contains('@') {
                let name = cell(["name", "queue"]).unwrap_or_default();
                behind.push((name.to_owned(), at(entry, number, line)));
            }
        }
    }
    let (first, _) = behind.first()?;
    Says {
        id: MIRRORS,
        subject: ("RabbitMQ queue", first),
        title: format!("RabbitMQ queues have no synchronised mirror: {} of {all} mirrored queues, such as {first}", behind.len()),
        statement: format!("{} of {all} mirrored queues (such as {first}) have mirrors but none is synchronised: if the node of the master stops, their messages are lost.", behind.len()),
        strength: 0.72,
        role: Role::Cause,
        evidence: behind.iter().take(3).map(|(_, line)| line.clone()).collect(),
    }
    .signal(&[("queue", first)])
}

/// Nearly all queue masters on one node: it carries the load of the whole cluster.
fn uneven(entry: &Entry, text: &Text) -> Option<Signal> {
    let pid = compile(r"^<(rabbit(?:mq)?@[\w.-]+?)\.\d+\.\d+\.\d+>\t")?;
    let mut inside = false;
    let mut masters: BTreeMap<String, (usize, Evidence)> = BTreeMap::new();
    let mut nodes = BTreeSet::new();
    for (number, line) in text.lines().take(500_000) {
        if line.starts_with("Queues on") || line.starts_with("Listing queues") {
            inside = true;
        } else if line.contains(" on ") && line.ends_with(':') {
            inside = false;
        }
        if line.contains("running_nodes") {
            nodes.extend(names(line));
        }
        if let Some(found) = pid.captures(line).filter(|_| inside) {
            masters
                .entry(found[1].to_owned())
                .or_insert_with(|| (0, at(entry, number, line)))
                .0 += 1;
        }
    }
    let total: usize = masters.values().map(|(count, _)| count).sum();
    let count = nodes.len().max(masters.len());
    let (node, (most, line)) = masters.iter().max_by_key(|(_, (count, _))| *count)?;
    // Twice its share, and two thirds of all: 2 nodes need more than 5 in 6.
    if total < MANY_QUEUES || count < 2 || *most * 3 < total * 2 || *most * count < total * 5 / 3 {
        return None;
    }
    Says {
        id: UNEVEN,
        subject: ("RabbitMQ node", node),
        title: format!("RabbitMQ queues are unevenly distributed: {most} of {total} queue masters are on {node}"),
        statement: format!("{node} is the master of {most} of {total} queues in a cluster of {count} nodes: the imbalance loads one node with nearly all traffic (usual after the others were restarted one by one)."),
        strength: 0.62,
        role: Role::Cause,
        evidence: vec![line.clone()],
    }
    .signal(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BundlePath, FileKind};

    fn entry() -> Entry {
        Entry {
            path: BundlePath::parse("rabbitmqctl_report").unwrap(),
            bytes: 1,
            sha256: String::new(),
            kind: FileKind::Text,
            link_to: None,
        }
    }

    #[test]
    fn members_that_do_not_run() {
        let old = |running: &str| {
            Text::new(format!("[{{nodes,[{{disc,['rabbit@h1','rabbit@h2',\n                'rabbit@h3']}}]}},\n {{running_nodes,[{running}]}},\n {{partitions,[]}}]\n").as_bytes())
        };
        assert!(gone(&entry(), &old("'rabbit@h1','rabbit@h2','rabbit@h3'")).is_none());
        assert_eq!(
            gone(&entry(), &old("'rabbit@h1','rabbit@h2'"))
                .unwrap()
                .subject
                .name,
            "rabbit@h3"
        );
        let new = "Disk Nodes\n\nrabbit@h1\nrabbit@h2\n\nRunning Nodes\n\nrabbit@h1\n\nVersions\n";
        assert_eq!(
            gone(&entry(), &Text::new(new.as_bytes()))
                .unwrap()
                .subject
                .name,
            "rabbit@h2"
        );
    }

    #[test]
    fn limits_and_mirrors() {
        let status = |used: u32| {
            Text::new(
                format!(" {{file_descriptors,[{{total_limit,1024}},{{total_used,{used}}}]}}\n")
                    .as_bytes(),
            )
        };
        assert!(descriptors(&entry(), &status(100)).is_none());
        assert!(descriptors(&entry(), &status(1000)).is_some());
        let report = |synced: &str| {
            Text::new(format!("pid\tname\tslave_pids\tsynchronised_slave_pids\n<rabbit@h1.1.2.0>\tconductor\t[<rabbit@h2.1.2.0>]\t[{synced}]\n").as_bytes())
        };
        assert!(mirrors(&entry(), &report("<rabbit@h2.1.2.0>")).is_none());
        assert_eq!(
            mirrors(&entry(), &report("")).unwrap().subject.name,
            "conductor"
        );
    }
}
