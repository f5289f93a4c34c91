//! RabbitMQ by `rabbitmqctl` outputs: queues that nobody reads, partitions, alarms, nodes that are gone.

use super::state::{Says, at, name_of, texts};
use super::state_config::ignores_partitions;
use crate::bundle::{Entry, Text, Tree};
use crate::signals::{Partial, Role, Signal};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[QUEUE, PARTITION, ALARM, NODES];
const QUEUE: (&str, &str) = (
    "rabbitmq.queue-without-consumer",
    "rabbitmq-queue-not-consumed",
);
const PARTITION: (&str, &str) = ("rabbitmq.status-partition", "rabbitmq-partition");
const ALARM: (&str, &str) = ("rabbitmq.status-alarm", "rabbitmq-memory-alarm");
const NODES: (&str, &str) = ("rabbitmq.status-nodes", "rabbitmq-node-down");

/// Findings from RabbitMQ's outputs.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    for (entry, text) in texts(tree, is_output) {
        partial.signals.extend(queues(entry, &text));
        partial.signals.extend(cluster(entry, &text));
    }
    partial
}

/// Whether a file holds what `rabbitmqctl` printed: named after the command, or after what it was asked in a
/// folder of RabbitMQ's.
pub(super) fn is_output(rel: &str) -> bool {
    const ASKED: [&str; 5] = [
        "cluster_status",
        "list_queues",
        "status",
        "report",
        "environment",
    ];
    let name = name_of(rel);
    let asked = |word: &&str| {
        name.strip_prefix(*word)
            .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    };
    let named = name.contains("rabbitmqctl") || name.contains("rabbitmq-diagnostics");
    let in_folder = rel.contains("rabbit") && ASKED.iter().any(asked);
    !rel.starts_with("var/log/") && (named || in_folder && !name.ends_with(".log"))
}

/// With `ignore` no node gives way, so a partition lasts until somebody restarts one side: each partition that
/// was found says so and shows the setting's line.
pub(super) fn tell_handling(tree: &Tree, signals: &mut [Signal]) {
    if !signals.iter().any(|signal| signal.cause == PARTITION.1) {
        return;
    }
    let settings = |rel: &str| {
        rel.contains("rabbit")
            && !rel.contains("/log/")
            && (is_output(rel)
                || [".conf", ".config"]
                    .iter()
                    .any(|end| name_of(rel).ends_with(end)))
    };
    let Some(line) = texts(tree, settings).find_map(|(entry, text)| {
        ignores_partitions(&text).map(|(number, line)| at(entry, number, line))
    }) else {
        return;
    };
    for signal in signals
        .iter_mut()
        .filter(|signal| signal.cause == PARTITION.1)
    {
        signal.statement.push_str(" cluster_partition_handling is \"ignore\", so the cluster does not heal by itself: the nodes of one side have to be restarted once they reach each other again.");
        signal.evidence.truncate(5);
        signal.evidence.push(line.clone());
    }
}

/// One row of a queue list: name, ready, unacknowledged, total, consumers if the list has them.
struct Row<'a> {
    name: &'a str,
    ready: u64,
    unacked: u64,
    total: u64,
    consumers: Option<u64>,
}

/// Columns by their header where tabs are kept; else the three numbers of which the third is the sum.
fn row<'a>(line: &'a str, header: &[&str]) -> Option<Row<'a>> {
    if line.contains('\t') {
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let cell = |name: &str| {
            header
                .iter()
                .position(|column| *column == name)
                .and_then(|at| cells.get(at))
                .and_then(|value| value.parse().ok())
        };
        let total = cell("messages")?;
        return Some(Row {
            name: cells
                .get(header.iter().position(|column| *column == "name")?)
                .copied()?,
            ready: cell("messages_ready").unwrap_or(total),
            unacked: cell("messages_unacknowledged").unwrap_or(0),
            total,
            consumers: cell("consumers"),
        });
    }
    let mut words = line.split_whitespace();
    let name = words.next()?;
    let numbers: Vec<u64> = words
        .map_while(|word| Some(word.parse::<u64>().ok()))
        .flatten()
        .collect();
    let sums = numbers.windows(3).find(|three| {
        three[2] > 0 && three[0].checked_add(three[1]) == Some(three[2]) && three[0] >= three[1]
    })?;
    Some(Row {
        name,
        ready: sums[0],
        unacked: sums[1],
        total: sums[2],
        consumers: None,
    })
}

/// A queue with messages ready, none handed out and no consumer only grows.
fn queues(entry: &Entry, text: &Text) -> Vec<Signal> {
    let mut header: Vec<&str> = Vec::new();
    let mut out: Vec<(u64, Signal)> = Vec::new();
    for (number, line) in text.lines() {
        if line.starts_with("name") && line.contains("messages") {
            header = if line.contains('\t') {
                line.split('\t').map(str::trim).collect()
            } else {
                line.split_whitespace().collect()
            };
            continue;
        }
        if header.is_empty() || line.trim().is_empty() {
            if line.trim().is_empty() {
                header.clear();
            }
            continue;
        }
        let Some(found) = row(line, &header) else {
            continue;
        };
        let notes =
            found.name.starts_with("notifications") || found.name.contains("notifications.");
        let unread = match found.consumers {
            Some(consumers) => consumers == 0 && found.total > 0,
            None => found.unacked == 0 && found.ready > 0,
        };
        // Dead letters wait for a person: nobody consumes them.
        let set_aside = [".dlq", "-dlq", "_dlq", "dead-letter", "deadletter", ".dead"]
            .iter()
            .any(|word| found.name.to_ascii_lowercase().contains(word));
        let strength = match found.total {
            total if set_aside && total < 10_000 => continue,
            total if total >= 10_000 => 0.85,
            total if total >= 1000 => 0.74,
            total if total >= 10 && notes => 0.64,
            total if total >= 100 && found.consumers == Some(0) => 0.5,
            _ => continue,
        };
        // Without a consumer column a large backlog may only be slow.
        if !unread && found.total < 10_000 {
            continue;
        }
        let who = if unread {
            "it has no consumer"
        } else {
            "its consumers do not keep up"
        };
        let why = if notes {
            " OpenStack services publish notifications here, but nothing (for instance Ceilometer) reads them; switch the notification driver off or consume the queue."
        } else {
            ""
        };
        out.extend(
            Says {
                id: QUEUE,
                subject: ("RabbitMQ queue", found.name),
                title: format!("RabbitMQ queue {} grows: {} messages, {who}", found.name, found.total),
                statement: format!("Queue {} holds {} messages ({} ready, {} unacknowledged) and is not consumed: {who}.{why}", found.name, found.total, found.ready, found.unacked),
                strength,
                role: Role::Cause,
                evidence: vec![at(entry, number, line)],
            }
            .signal(&[("queue", found.name)])
            .map(|signal| (found.total, signal)),
        );
    }
    out.sort_by_key(|(total, _)| std::cmp::Reverse(*total));
    out.into_iter().map(|(_, signal)| signal).take(5).collect()
}

fn cluster(entry: &Entry, text: &Text) -> Vec<Signal> {
    let mut out = Vec::new();
    let mut section = String::new();
    for (number, line) in text.lines() {
        let bare = line.trim();
        if !line.starts_with(' ')
            && !bare.is_empty()
            && (bare.ends_with("Partitions")
                || bare.ends_with("Alarms")
                || bare.ends_with("Nodes")
                || bare.ends_with("Versions"))
        {
            section = bare.to_owned();
            continue;
        }
        let old = bare.contains("{partitions,[{")
            || bare.contains("{partitions,[[")
            || bare.starts_with("partitions,[{");
        let new = section == "Network Partitions"
            && bare.starts_with("Node ")
            && bare.contains("cannot communicate");
        if old || new {
            out.extend(
                Says {
                    id: PARTITION,
                    subject: ("RabbitMQ cluster", "rabbitmq"),
                    title: format!("RabbitMQ cluster is partitioned: {bare}"),
                    statement: format!("The cluster status shows a network partition ({bare}): nodes ran apart and do not share queues until one side is restarted."),
                    strength: 0.93,
                    role: Role::Cause,
                    evidence: vec![at(entry, number, line)],
                }
                .signal(&[]),
            );
        }
        let alarm = section == "Alarms"
            && (bare.contains("alarm on node") || bare.contains("resource limit"))
            || bare.contains("{resource_limit,");
        if alarm {
            out.extend(
                Says {
                    id: ALARM,
                    subject: ("RabbitMQ node", "alarm"),
                    title: format!("RabbitMQ alarm is in effect: {bare}"),
                    statement: format!(
                        "RabbitMQ has a resource alarm ({bare}) and blocks all publishers."
                    ),
                    strength: 0.88,
                    role: Role::Cause,
                    evidence: vec![at(entry, number, line)],
                }
                .signal(&[]),
            );
        }
        if bare.contains("nodedown") && (bare.contains("Error:") || bare.contains("unable to")) {
            out.extend(
                Says {
                    id: NODES,
                    subject: ("RabbitMQ node", "rabbitmq"),
                    title: format!("RabbitMQ node does not answer: {bare}"),
                    statement: format!("rabbitmqctl could not reach its node ({bare}); the broker is not running or its Erlang cookie or host name does not match."),
                    strength: 0.6,
                    role: Role::Symptom,
                    evidence: vec![at(entry, number, line)],
                }
                .signal(&[]),
            );
        }
    }
    out.truncate(4);
    out
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
    fn queues_without_consumers() {
        let tabs = Text::new(b"name\tmessages_ready\tmessages_unacknowledged\tmessages\tconsumers\nq1\t20000\t0\t20000\t0\nq2\t5\t0\t5\t1\nq3\t50000\t3\t50003\t4\n");
        let found = queues(&entry(), &tabs);
        assert_eq!(
            found
                .iter()
                .map(|s| s.subject.name.as_str())
                .collect::<Vec<_>>(),
            ["q3", "q1"]
        );
        let spaces = Text::new(b"name    durable messages_ready  messages\nnotifications.error   false  []  <rabbit@a.1.2.0>  false  0  40  0  40  0  9\nreply_1 false [] 1 2 0 0 0\n");
        assert_eq!(queues(&entry(), &spaces).len(), 1);
    }

    #[test]
    fn cluster_status() {
        let bad = Text::new(b"Network Partitions\n\nNode rabbit@a cannot communicate with rabbit@b\n\nAlarms\n\nMemory alarm on node rabbit@a\n");
        assert_eq!(cluster(&entry(), &bad).len(), 2);
        let good = Text::new(b" {partitions,[]},\n {alarms,[{'rabbit@a',[]}]}]\nNetwork Partitions\n\n(none)\n\nAlarms\n\n(none)\n");
        assert!(cluster(&entry(), &good).is_empty());
    }

    #[test]
    fn outputs_by_command_or_by_folder() {
        for name in [
            "sos_commands/rabbitmq/rabbitmqctl_report",
            "rabbitmq/cluster_status.txt",
            "broker-rabbit/list_queues_-p_.txt",
            "out/rabbitmq-diagnostics_cluster_status",
        ] {
            assert!(is_output(name), "{name}");
        }
        for name in [
            "var/log/rabbitmq/rabbitmqctl.log",
            "rabbitmq/status.log",
            "rabbitmq/statusbar.txt",
            "galera/cluster_status.txt",
        ] {
            assert!(!is_output(name), "{name}");
        }
    }
}
