//! Ports, poll-mode threads and raft peers of Open vSwitch and OVN: what is lost, overloaded or cut off.

use super::engine::compile;
use super::state::{Says, at, name_of, texts};
use crate::bundle::{Entry, Text, Tree};
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[DROPS, BUSY, UPCALLS, MISSED, LINK, PEER];
const DROPS: (&str, &str) = ("ovs.port-drops", "ovs-port-drops");
const BUSY: (&str, &str) = ("ovs.pmd-busy", "ovs-pmd-overloaded");
const UPCALLS: (&str, &str) = ("ovs.pmd-failed-upcalls", "ovs-pmd-overloaded");
const MISSED: (&str, &str) = ("ovs.rx-missed", "ovs-port-drops");
const LINK: (&str, &str) = ("ovs.interface-fault", "ovs-port-missing");
const PEER: (&str, &str) = ("ovn.raft-peer-lost", "ovsdb-raft-peer-lost");

/// Findings from ports, threads and peers.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    for (entry, text) in texts(tree, |rel| {
        let name = name_of(rel);
        !rel.starts_with("var/log/")
            && ["ovs-", "ovsdb", "ovn-", "ovs_", "ovn_"]
                .iter()
                .any(|start| name.starts_with(start))
    }) {
        let rel = tree.rel(entry).to_ascii_lowercase();
        let name = name_of(&rel);
        let found = if name.contains("dpctl.show")
            || name.contains("dpctl_show")
            || name.contains("dpctl_-s_show")
        {
            drops(entry, &text)
        } else if name.contains("pmd-stats-show") {
            threads(entry, &text)
        } else if name.contains("list_interface") {
            interfaces(entry, &text)
        } else if name.contains("cluster.status") || name.contains("cluster_status") {
            peer(entry, &text).into_iter().collect()
        } else {
            Vec::new()
        };
        partial.signals.extend(found);
    }
    partial
}

/// A counter `name:123` or `name=123` of a line.
fn counter(line: &str, name: &str) -> u64 {
    line.match_indices(name)
        .find_map(|(at, _)| {
            let digits: String = line[at + name.len()..]
                .trim_start_matches([':', '='])
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            digits.parse().ok()
        })
        .unwrap_or(0)
}

/// Ports of the datapath that drop a percent of their packets and more. Guests' taps drop when the guest is
/// slow, which is the guest's matter; tunnels, bonds and physical ports are the host's.
fn drops(entry: &Entry, text: &Text) -> Vec<Signal> {
    let Some(head) = compile(r"^\s*port \d+: (\S+)") else {
        return Vec::new();
    };
    let mut out: Vec<(u64, Signal)> = Vec::new();
    let mut port = (String::new(), None::<Evidence>);
    for (number, line) in text.lines().take(100_000) {
        if let Some(found) = head.captures(line) {
            port = (found[1].to_owned(), Some(at(entry, number, line)));
            continue;
        }
        let bare = line.trim();
        let Some(way) = ["RX", "TX"]
            .into_iter()
            .find(|way| bare.starts_with(way) && bare.contains("packets:"))
        else {
            continue;
        };
        let (packets, errors, dropped) = (
            counter(bare, "packets"),
            counter(bare, "errors"),
            counter(bare, "dropped"),
        );
        let (what, lost) = if errors > dropped {
            ("errors", errors)
        } else {
            ("dropped", dropped)
        };
        if lost < 10_000 || lost.saturating_mul(100) < packets || port.0.is_empty() {
            continue;
        }
        let guest = ["tap", "vnet", "qvo", "veth", "vhu"]
            .iter()
            .any(|start| port.0.starts_with(start));
        let name = port.0.clone();
        out.extend(
            Says {
                id: DROPS,
                subject: ("Open vSwitch port", &name),
                title: format!("Open vSwitch port {name}: {lost} packets {what} on {way} ({packets} packets passed)"),
                statement: format!("The datapath port {name} counts {lost} {what} on {way} beside {packets} packets: {}.", if guest { "the guest behind it does not take its packets in time" } else { "its device, tunnel or queue does not take the traffic" }),
                strength: if guest { 0.5 } else { 0.66 },
                role: Role::Cause,
                evidence: std::iter::once(at(entry, number, line)).chain(port.1.clone()).collect(),
            }
            .signal(&[("interface", &name)])
            .map(|signal| (lost, signal)),
        );
    }
    out.sort_by_key(|(lost, _)| std::cmp::Reverse(*lost));
    out.into_iter().map(|(_, signal)| signal).take(3).collect()
}

/// Poll-mode threads that have no idle cycles left, or lose packets on their way to vswitchd.
fn threads(entry: &Entry, text: &Text) -> Vec<Signal> {
    let (Some(head), Some(busy)) = (
        compile(r"^(?:pmd thread numa_id \d+ core_id (\d+)|main thread)"),
        compile(r"processing cycles: \d+ \((\d+)(?:\.\d+)?%\)"),
    ) else {
        return Vec::new();
    };
    let mut core: Option<(String, Evidence)> = None;
    let mut out = Vec::new();
    let mut packets = 0;
    for (number, line) in text.lines().take(100_000) {
        if let Some(found) = head.captures(line) {
            core = found
                .get(1)
                .map(|id| (id.as_str().to_owned(), at(entry, number, line)));
            continue;
        }
        let Some((id, shown)) = &core else { continue };
        if line.contains("packets received") {
            packets = counter(line, "packets received: ");
        }
        let failed = counter(line, "miss with failed upcall: ").max(counter(line, "lost: "));
        if line.contains("failed upcall")
            && failed >= 1000
            && failed.saturating_mul(1000) >= packets
        {
            out.extend(
                Says {
                    id: UPCALLS,
                    subject: ("PMD thread", ""),
                    title: format!("PMD thread on core {id} lost {failed} packets: miss with failed upcall"),
                    statement: format!("{failed} packets of the PMD thread on core {id} found no flow and could not be handed to ovs-vswitchd ({packets} received): they were dropped; new flows arrive faster than they are set up."),
                    strength: 0.74,
                    role: Role::Cause,
                    evidence: vec![at(entry, number, line), shown.clone()],
                }
                .signal(&[]),
            );
        }
        let share: u64 = busy
            .captures(line)
            .and_then(|found| found[1].parse().ok())
            .unwrap_or(0);
        if share >= 95 && packets > 0 {
            out.extend(
                Says {
                    id: BUSY,
                    subject: ("PMD thread", ""),
                    title: format!("PMD thread on core {id} is overloaded: {}", line.trim()),
                    statement: format!("The PMD thread on core {id} has no idle cycles left ({}): its receive queues overflow. Queues are unevenly assigned or there are too few threads.", line.trim()),
                    strength: 0.68,
                    role: Role::Cause,
                    evidence: vec![at(entry, number, line), shown.clone()],
                }
                .signal(&[]),
            );
        }
    }
    out.truncate(4);
    out
}

/// Records of `ovs-vsctl list interface`: an error, a physical link that is down, packets the card could not store.
fn interfaces(entry: &Entry, text: &Text) -> Vec<Signal> {
    let mut out = Vec::new();
    let lines: Vec<(usize, &str)> = text.lines().take(200_000).collect();
    for record in lines.split(|(_, line)| line.trim().is_empty()) {
        let field = |name: &str| {
            record.iter().find_map(|(number, line)| {
                let (key, value) = line.split_once(':')?;
                (key.trim() == name).then(|| (*number, *line, value.trim().trim_matches('"')))
            })
        };
        let Some((name_at, name_line, name)) = field("name") else {
            continue;
        };
        let kind = field("type").map_or("", |(.., kind)| kind);
        let shown = at(entry, name_at, name_line);
        let error = field("error").filter(|(.., value)| !value.is_empty() && *value != "[]");
        if let Some((number, line, value)) = error {
            out.extend(
                Says {
                    id: LINK,
                    subject: ("Open vSwitch port", name),
                    title: format!("Open vSwitch interface {name} has an error: {value}"),
                    statement: format!("Open vSwitch cannot use interface {name}: {value}."),
                    strength: 0.68,
                    role: Role::Cause,
                    evidence: vec![at(entry, number, line), shown.clone()],
                }
                .signal(&[("interface", name)]),
            );
        } else if kind == "dpdk"
            && let Some((number, line, _)) =
                field("link_state").filter(|(.., state)| *state == "down")
        {
            out.extend(
                Says {
                    id: LINK,
                    subject: ("Open vSwitch port", name),
                    title: format!("DPDK interface {name} has no link: link_state is down"),
                    statement: format!("The physical DPDK port {name} reports its link as down: cable, transceiver, switch port or driver binding."),
                    strength: 0.7,
                    role: Role::Cause,
                    evidence: vec![at(entry, number, line), shown.clone()],
                }
                .signal(&[("interface", name)]),
            );
        }
        if let Some((number, line, _)) = field("statistics") {
            let (missed, packets) = (
                counter(line, "rx_missed_errors")
                    .max(counter(line, "rx_no_mbuf"))
                    .max(if kind == "dpdk" {
                        counter(line, "rx_dropped")
                    } else {
                        0
                    }),
                counter(line, "rx_packets"),
            );
            if missed >= 100_000 && missed.saturating_mul(1000) >= packets {
                out.extend(
                    Says {
                        id: MISSED,
                        subject: ("Open vSwitch port", name),
                        title: format!("Interface {name} dropped {missed} received packets ({packets} passed)"),
                        statement: format!("The card behind {name} had no free buffer for {missed} packets beside {packets} received ones: the poll-mode threads do not fetch them in time, or the receive ring is too small."),
                        strength: 0.7,
                        role: Role::Cause,
                        evidence: vec![at(entry, number, line), shown],
                    }
                    .signal(&[("interface", name)]),
                );
            }
        }
    }
    out.truncate(4);
    out
}

/// `cluster/status`: a server that the list of connections does not name. `->0000` is a connection not yet made.
fn peer(entry: &Entry, text: &Text) -> Option<Signal> {
    let row = compile(r"^\s+([0-9a-f]{4}) \(\S+ at (\S+?)\)(.*)$")?;
    let (number, connections) = text
        .lines()
        .find(|(_, line)| line.starts_with("Connections:"))?;
    let name = text
        .lines()
        .find_map(|(_, line)| line.strip_prefix("Name: "))
        .unwrap_or("database")
        .trim()
        .to_owned();
    let gone: Vec<(String, String, Evidence)> = text
        .lines()
        .filter_map(|(at_line, line)| {
            let found = row.captures(line)?;
            let own = found[3].contains("(self)");
            let reached = connections.contains(&format!("->{}", &found[1]))
                || connections.contains(&format!("<-{}", &found[1]));
            (!own && !reached).then(|| {
                (
                    found[1].to_owned(),
                    found[2].to_owned(),
                    at(entry, at_line, line),
                )
            })
        })
        .collect();
    let (id, address, _) = gone.first()?;
    Says {
        id: PEER,
        subject: ("OVN database", &name),
        title: format!("{name}: raft member {id} at {address} is not connected"),
        statement: format!("{name} has no connection to its raft member {id} ({address}): that server is down, cut off or refuses TLS; the cluster has lost its redundancy and one more failure stops all writes."),
        strength: 0.78,
        role: Role::Cause,
        evidence: gone.iter().map(|(.., line)| line.clone()).chain([at(entry, number, connections)]).collect(),
    }
    .signal(&[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BundlePath, FileKind};

    fn entry() -> Entry {
        Entry {
            path: BundlePath::parse("ovs-x").unwrap(),
            bytes: 1,
            sha256: String::new(),
            kind: FileKind::Text,
            link_to: None,
        }
    }

    #[test]
    fn a_raft_member_without_connection() {
        let status = |connections: &str| {
            Text::new(format!("Name: OVN_Southbound\nConnections: {connections}\nServers:\n    6e3a (6e3a at ssl:10.0.0.1:6644) (self)\n    77cd (77cd at ssl:10.0.0.2:6644) next_index=1\n    bc10 (bc10 at ssl:10.0.0.3:6644)\n").as_bytes())
        };
        assert!(peer(&entry(), &status("->77cd <-77cd <-bc10")).is_none());
        let lost = peer(&entry(), &status("->0000 ->77cd")).unwrap();
        assert!(lost.title.contains("bc10"));
    }

    #[test]
    fn ports_and_threads() {
        let ports = |dropped: u64| {
            Text::new(format!("  port 3: gre_sys (gre: packet_type=ptap)\n    RX packets:1000000 errors:0 dropped:0 overruns:0 frame:0\n    TX packets:10000000 errors:0 dropped:{dropped} aborted:0 carrier:0\n").as_bytes())
        };
        assert_eq!(drops(&entry(), &ports(3_000_000)).len(), 1);
        assert!(drops(&entry(), &ports(3_000)).is_empty());
        let stats = |busy: u32| {
            Text::new(format!("pmd thread numa_id 0 core_id 4:\n  packets received: 900000\n  miss with failed upcall: 0\n  processing cycles: 999 ({busy}.90%)\n").as_bytes())
        };
        assert_eq!(threads(&entry(), &stats(99)).len(), 1);
        assert!(threads(&entry(), &stats(40)).is_empty());
    }
}
