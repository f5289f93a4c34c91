//! Votes of a Corosync cluster: what its configuration expects against the members that it lists.

use super::state::{Says, at, name_of, texts};
use crate::bundle::{Entry, Text, Tree};
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[VOTES, TWO];
const VOTES: (&str, &str) = ("corosync.votes-differ", "corosync-votes-wrong");
const TWO: (&str, &str) = ("corosync.two-node", "corosync-votes-wrong");

/// What `corosync.conf` says of its quorum.
#[derive(Default)]
struct Votes {
    expected: Option<(u64, Evidence)>,
    two_node: Option<(bool, Evidence)>,
    device: bool,
    /// Votes of the listed nodes, one each unless `quorum_votes` says otherwise.
    total: u64,
    nodes: Vec<Evidence>,
}

/// Findings from `corosync.conf` and `corosync-quorumtool`.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    let Some((entry, text)) = texts(tree, |rel| rel.ends_with("etc/corosync/corosync.conf")).next()
    else {
        return partial;
    };
    let votes = read(entry, &text);
    let lost = texts(tree, |rel| name_of(rel).contains("quorumtool")).find_map(|(entry, text)| {
        text.lines()
            .find(|(_, line)| {
                line.starts_with("Quorate:") && line.contains("No")
                    || line.contains("Activity blocked")
            })
            .map(|(number, line)| at(entry, number, line))
    });
    partial.signals.extend(judge(&votes, lost));
    partial
}

fn read(entry: &Entry, text: &Text) -> Votes {
    let mut votes = Votes::default();
    let mut own = 1;
    for (number, line) in text.lines().take(20_000) {
        let bare = line.trim();
        if bare.starts_with('#') {
            continue;
        }
        if let Some(name) = bare.strip_suffix('{').map(str::trim) {
            match name {
                "device" => votes.device = true,
                "node" => {
                    votes.nodes.push(at(entry, number, line));
                    votes.total = votes.total.saturating_add(1);
                    own = 1;
                }
                _ => {}
            }
            continue;
        }
        let Some((key, value)) = bare.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match (key.trim(), value.parse::<u64>()) {
            ("expected_votes", Ok(expected)) => {
                votes.expected = Some((expected, at(entry, number, line)));
            }
            ("two_node", Ok(two)) => votes.two_node = Some((two == 1, at(entry, number, line))),
            ("quorum_votes", Ok(mine)) if !votes.nodes.is_empty() && mine < 1000 => {
                votes.total = votes.total.saturating_sub(own).saturating_add(mine);
                own = mine;
            }
            _ => {}
        }
    }
    votes
}

fn judge(votes: &Votes, lost: Option<Evidence>) -> Option<Signal> {
    let nodes = votes.nodes.len();
    if nodes == 0 || votes.device {
        return None;
    }
    let stands = if lost.is_some() { 0.9 } else { 0.7 };
    if let Some((expected, line)) = &votes.expected
        && *expected != votes.total
    {
        let need = expected / 2 + 1;
        return Says {
            id: VOTES,
            subject: ("Cluster", "corosync"),
            title: format!("Corosync expects {expected} votes (expected_votes), but its {nodes} nodes have {}", votes.total),
            statement: format!("corosync.conf sets expected_votes to {expected} although the nodelist has {nodes} nodes with {} votes: quorum needs {need} of them, so the cluster loses it {} than it should.", votes.total, if *expected > votes.total { "earlier, with fewer failed nodes," } else { "later" }),
            strength: stands,
            role: Role::Cause,
            evidence: std::iter::once(line.clone()).chain(lost).chain(votes.nodes.iter().cloned()).collect(),
        }
        .signal(&[]);
    }
    let (two, line) = votes.two_node.as_ref()?;
    if !two || nodes == 2 {
        return None;
    }
    Says {
        id: TWO,
        subject: ("Cluster", "corosync"),
        title: format!("Corosync has two_node set, but {nodes} nodes"),
        statement: format!("corosync.conf sets two_node: 1 with {nodes} nodes: a single node keeps quorum alone, so a partition splits the cluster."),
        strength: stands,
        role: Role::Cause,
        evidence: std::iter::once(line.clone()).chain(votes.nodes.iter().cloned()).collect(),
    }
    .signal(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BundlePath, FileKind};

    fn entry() -> Entry {
        Entry {
            path: BundlePath::parse("corosync.conf").unwrap(),
            bytes: 1,
            sha256: String::new(),
            kind: FileKind::Text,
            link_to: None,
        }
    }

    fn judged(quorum: &str, nodes: usize) -> Option<Signal> {
        let node = "  node {\n    ring0_addr: 192.0.2.1\n  }\n".repeat(nodes);
        let text = format!("quorum {{\n{quorum}\n}}\nnodelist {{\n{node}}}\n");
        judge(&read(&entry(), &Text::new(text.as_bytes())), None)
    }

    #[test]
    fn votes_against_nodes() {
        let found = judged("  expected_votes: 7", 4).unwrap();
        assert!(found.title.contains("expects 7 votes") && found.title.contains("4 nodes"));
        assert!(judged("  expected_votes: 4", 4).is_none());
        assert!(judged("  provider: corosync_votequorum", 4).is_none());
        assert!(judged("  expected_votes: 5\n  device {\n    votes: 1\n  }", 4).is_none());
        assert_eq!(judged("  two_node: 1", 3).unwrap().detector, TWO.0);
        assert!(judged("  two_node: 1", 2).is_none());
    }

    #[test]
    fn votes_of_a_node_count() {
        let text = "quorum {\n expected_votes: 3\n}\nnodelist {\n node {\n  quorum_votes: 2\n }\n node {\n }\n}\n";
        assert!(judge(&read(&entry(), &Text::new(text.as_bytes())), None).is_none());
    }
}
