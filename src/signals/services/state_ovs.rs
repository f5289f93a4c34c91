//! Open vSwitch and OVN by their outputs: tables that are full, masks, bonds, raft, memory.

use super::engine::compile;
use super::state::{Says, at, name_of, texts};
use crate::bundle::{Entry, Text, Tree};
use crate::signals::{Partial, Role, Signal};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[FDB, MASKS, FLOWS, LOST, BFD, BOND, RAFT, MEMORY, PORT];
const FDB: (&str, &str) = ("ovs.fdb-full", "ovs-mac-table-full");
const MASKS: (&str, &str) = ("ovs.dpdk-masks", "ovs-dpdk-cpu-masks");
const FLOWS: (&str, &str) = ("ovs.upcall-flow-limit", "ovs-flow-limit");
const LOST: (&str, &str) = ("ovs.datapath-lost", "ovs-netlink-overrun");
const BFD: (&str, &str) = ("ovs.bfd-show-down", "bfd-down");
const BOND: (&str, &str) = ("ovs.bond-member-down", "ovs-bond-degraded");
const RAFT: (&str, &str) = ("ovn.raft-status", "ovsdb-raft-no-leader");
const MEMORY: (&str, &str) = ("ovn.memory-high", "ovn-memory-high");
const PORT: (&str, &str) = ("ovs.show-port-error", "ovs-port-missing");

/// Memory of one OVN or OVS service beyond which an expert looks for the reason, in bytes.
const HIGH_MEMORY_BYTES: u64 = 12 << 30;

/// Findings from the switch's outputs.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    for (entry, text) in texts(tree, |rel| {
        let name = name_of(rel);
        ["ovs-", "ovsdb", "ovn-", "ovn_", "ovs_"]
            .iter()
            .any(|start| name.starts_with(start))
            && !rel.starts_with("var/log/")
            || name == "memory.current" && (rel.contains("ovn") || rel.contains("ovs"))
    }) {
        let rel = tree.rel(entry).to_ascii_lowercase();
        let name = name_of(&rel);
        let found = if name == "memory.current" {
            memory(entry, &text, &rel)
        } else if name.contains("fdb.stats") {
            fdb(entry, &text)
        } else if name.contains("other_config") || name.contains("list_open_vswitch") {
            masks(entry, &text)
        } else if name.contains("upcall.show") {
            flow_limit(entry, &text)
        } else if name.contains("dpctl.show")
            || name.contains("dpctl_show")
            || name.contains("dpctl_-s_show")
            || name.contains("dpif.show")
        {
            lost(entry, &text)
        } else if name.contains("bfd.show") {
            rows(
                entry,
                &text,
                BFD,
                r"(?i)session state: down|^\s*(?:Local )?Session State: down",
                "BFD session",
                "is down",
                0.62,
                Role::Symptom,
            )
        } else if name.contains("bond.show") || name.contains("lacp.show") {
            rows(
                entry,
                &text,
                BOND,
                r"^\s*(?:slave|member):? (\S+): disabled|lacp_status: configured",
                "Bond",
                "has a member that is disabled or LACP is not negotiated",
                0.72,
                Role::Cause,
            )
        } else if name.contains("cluster.status") || name.contains("cluster_status") {
            raft(entry, &text)
        } else if name.contains("vsctl") && name.contains("show") {
            rows(
                entry,
                &text,
                PORT,
                r#"^\s*error: "(.+)""#,
                "Open vSwitch port",
                "cannot be opened",
                0.5,
                Role::Symptom,
            )
        } else {
            Vec::new()
        };
        partial.signals.extend(found);
    }
    partial
}

/// Rows that match a pattern, told together.
#[allow(clippy::too_many_arguments)]
fn rows(
    entry: &Entry,
    text: &Text,
    id: (&'static str, &'static str),
    pattern: &str,
    kind: &'static str,
    fault: &str,
    strength: f64,
    role: Role,
) -> Vec<Signal> {
    let Some(pattern) = compile(pattern) else {
        return Vec::new();
    };
    let mut heading = String::new();
    let mut hits = Vec::new();
    for (number, line) in text.lines() {
        if line.starts_with("----") {
            heading = line.trim_matches(['-', ' ']).to_owned();
        }
        if pattern.is_match(line) {
            hits.push((number, line, heading.clone()));
        }
    }
    let Some((_, line, head)) = hits.first().cloned() else {
        return Vec::new();
    };
    let what = line.trim();
    let subject = if head.is_empty() {
        entry.path.name().to_owned()
    } else {
        head
    };
    Says {
        id,
        subject: (kind, &subject),
        title: format!("{kind} {subject} {fault}: {what}"),
        statement: format!(
            "{kind} {subject} {fault}: {what} ({} such lines).",
            hits.len()
        ),
        strength,
        role,
        evidence: hits
            .iter()
            .take(4)
            .map(|(number, line, _)| at(entry, *number, line))
            .collect(),
    }
    .signal(&[])
    .into_iter()
    .collect()
}

fn number_after(text: &Text, word: &str) -> Option<(usize, String, u64)> {
    let (number, line) = text
        .lines()
        .find(|(_, line)| line.to_ascii_lowercase().contains(word))?;
    let value = line
        .rsplit(':')
        .next()?
        .trim()
        .split(|c: char| !c.is_ascii_digit())
        .find(|part| !part.is_empty())?
        .parse()
        .ok()?;
    Some((number, line.to_owned(), value))
}

/// A MAC table at its maximum evicts entries, and traffic to evicted addresses is flooded.
fn fdb(entry: &Entry, text: &Text) -> Vec<Signal> {
    let Some((number, line)) = text
        .lines()
        .find(|(_, line)| line.contains("maximum MAC entries"))
    else {
        return Vec::new();
    };
    let Some((now, most)) = line
        .rsplit(':')
        .next()
        .and_then(|part| part.trim().split_once('/'))
    else {
        return Vec::new();
    };
    let (Ok(now), Ok(most)) = (now.trim().parse::<u64>(), most.trim().parse::<u64>()) else {
        return Vec::new();
    };
    let evicted = number_after(text, "evicted mac entries");
    let gone = evicted.as_ref().map_or(0, |(_, _, value)| *value);
    let full = most > 0 && now.saturating_mul(100) >= most.saturating_mul(98);
    if !full && gone < 100_000 {
        return Vec::new();
    }
    let bridge = text
        .lines()
        .find_map(|(_, line)| line.split('"').nth(1))
        .unwrap_or("")
        .to_owned();
    let mut lines = vec![at(entry, number, line)];
    lines.extend(
        evicted
            .as_ref()
            .map(|(number, line, _)| at(entry, *number, line)),
    );
    Says {
        id: FDB,
        subject: ("Bridge", &bridge),
        title: format!("MAC (FDB) table of bridge {bridge} is full: {now}/{most} entries, {gone} evicted"),
        statement: format!("The MAC learning (FDB) table of bridge {bridge} holds {now} of {most} entries and {gone} were evicted: addresses are forgotten at once and traffic is flooded. Raise other_config:mac-table-size or find what brings so many addresses."),
        strength: if full { 0.92 } else { 0.7 },
        role: Role::Cause,
        evidence: lines,
    }
    .signal(&[("bridge", &bridge)])
    .into_iter()
    .collect()
}

fn hex(mask: &str) -> Option<u128> {
    let digits = mask.trim_start_matches("0x").trim_start_matches("0X");
    u128::from_str_radix(digits.get(digits.len().saturating_sub(32)..)?, 16).ok()
}

/// Poll-mode threads need CPUs of their own, apart from the ones that DPDK's other threads use.
fn masks(entry: &Entry, text: &Text) -> Vec<Signal> {
    let Some((number, line)) = text.lines().find(|(_, line)| line.contains("dpdk-init")) else {
        return Vec::new();
    };
    let value = |name: &str| {
        line.split_once(name).and_then(|(_, rest)| {
            rest.trim_start_matches(['=', '"', '\''])
                .split(['"', ',', '}', '\''])
                .next()
        })
    };
    if !matches!(value("dpdk-init"), Some("true" | "try")) {
        return Vec::new();
    }
    let (lcore, pmd) = (value("dpdk-lcore-mask"), value("pmd-cpu-mask"));
    let (title, statement, strength) = match (lcore.and_then(hex), pmd.and_then(hex)) {
        (Some(a), Some(b)) if a & b != 0 => (
            format!(
                "DPDK CPU masks overlap: dpdk-lcore-mask {} and pmd-cpu-mask {} share CPUs 0x{:x}",
                lcore.unwrap_or(""),
                pmd.unwrap_or(""),
                a & b
            ),
            "dpdk-lcore-mask and pmd-cpu-mask share CPUs, so poll-mode threads compete with Open vSwitch's other threads and packets are dropped; the masks must be disjoint.",
            0.84,
        ),
        (_, None) => (
            "Open vSwitch DPDK has no pmd-cpu-mask".to_owned(),
            "DPDK is on but pmd-cpu-mask is not set: poll-mode threads run on one default CPU per NUMA node that is not reserved for them.",
            0.6,
        ),
        (None, Some(_)) => (
            "Open vSwitch DPDK has no dpdk-lcore-mask".to_owned(),
            "DPDK is on but dpdk-lcore-mask is not set: its control threads run on the first CPU, which may be one of the poll-mode threads.",
            0.55,
        ),
        _ => return Vec::new(),
    };
    Says {
        id: MASKS,
        subject: ("Service", "openvswitch"),
        title,
        statement: statement.into(),
        strength,
        role: Role::Cause,
        evidence: vec![at(entry, number, line)],
    }
    .signal(&[])
    .into_iter()
    .collect()
}

fn flow_limit(entry: &Entry, text: &Text) -> Vec<Signal> {
    let Some(pattern) = compile(r"current (\d+)\).*\(limit (\d+)\)") else {
        return Vec::new();
    };
    text.lines()
        .filter_map(|(number, line)| {
            let found = pattern.captures(line)?;
            let (now, most) = (found[1].parse::<u64>().ok()?, found[2].parse::<u64>().ok()?);
            if most == 0 || now.saturating_mul(100) < most.saturating_mul(95) {
                return None;
            }
            Says {
                id: FLOWS,
                subject: ("Service", "openvswitch"),
                title: format!("Open vSwitch datapath has {now} flows, its limit is {most}"),
                statement: format!("The datapath holds {now} flows and the limit is {most}: new flows are not installed and every packet of them takes the slow path."),
                strength: 0.82,
                role: Role::Cause,
                evidence: vec![at(entry, number, line)],
            }
            .signal(&[])
        })
        .take(1)
        .collect()
}

/// Upcalls that the kernel could not hand to vswitchd are packets lost.
fn lost(entry: &Entry, text: &Text) -> Vec<Signal> {
    let Some(pattern) = compile(r"lookups: hit:(\d+) missed:(\d+) lost:(\d+)") else {
        return Vec::new();
    };
    text.lines()
        .filter_map(|(number, line)| {
            let found = pattern.captures(line)?;
            let (missed, lost) = (found[2].parse::<u64>().ok()?, found[3].parse::<u64>().ok()?);
            // A handful at start-up is normal: more than one in a thousand misses is not.
            if lost < 1000 || lost.saturating_mul(1000) < missed {
                return None;
            }
            Says {
                id: LOST,
                subject: ("Service", "openvswitch"),
                title: format!("Open vSwitch datapath lost {lost} upcalls of {missed} misses"),
                statement: format!("The kernel datapath lost {lost} packets on their way to ovs-vswitchd ({missed} misses): netlink buffers overflow because vswitchd does not keep up with new flows."),
                strength: 0.72,
                role: Role::Cause,
                evidence: vec![at(entry, number, line)],
            }
            .signal(&[])
        })
        .take(1)
        .collect()
}

fn raft(entry: &Entry, text: &Text) -> Vec<Signal> {
    let bad: Vec<(usize, &str)> = text
        .lines()
        .filter(|(_, line)| {
            let line = line.trim();
            line.starts_with("Leader: unknown")
                || line.starts_with("Status:") && !line.contains("cluster member")
                || line.contains("disconnected from the cluster")
        })
        .collect();
    let Some((_, line)) = bad.first() else {
        return Vec::new();
    };
    let name = text
        .lines()
        .find_map(|(_, line)| line.strip_prefix("Name: "))
        .unwrap_or("database")
        .to_owned();
    Says {
        id: RAFT,
        subject: ("OVN database", &name),
        title: format!("{name}: raft cluster is not working: {}", line.trim()),
        statement: format!(
            "The cluster status of {name} shows \"{}\": without a leader no write succeeds.",
            line.trim()
        ),
        strength: 0.88,
        role: Role::Cause,
        evidence: bad
            .iter()
            .take(3)
            .map(|(number, line)| at(entry, *number, line))
            .collect(),
    }
    .signal(&[])
    .into_iter()
    .collect()
}

fn memory(entry: &Entry, text: &Text, rel: &str) -> Vec<Signal> {
    let Some((number, line)) = text.lines().next() else {
        return Vec::new();
    };
    let Ok(bytes) = line.trim().parse::<u64>() else {
        return Vec::new();
    };
    if bytes < HIGH_MEMORY_BYTES {
        return Vec::new();
    }
    let unit = rel.rsplit('/').nth(1).unwrap_or("").to_owned();
    let gib = bytes >> 30;
    Says {
        id: MEMORY,
        subject: ("Unit", &unit),
        title: format!("{unit} uses {gib} GiB of memory"),
        statement: format!("{unit} holds {gib} GiB ({bytes} bytes): far more than its database needs; a leak, or flow and database tables that grew without bound."),
        strength: 0.72,
        role: Role::Cause,
        evidence: vec![at(entry, number, line)],
    }
    .signal(&[("unit", &unit)])
    .into_iter()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BundlePath, FileKind};

    fn entry() -> Entry {
        Entry {
            path: BundlePath::parse("x").unwrap(),
            bytes: 1,
            sha256: String::new(),
            kind: FileKind::Text,
            link_to: None,
        }
    }
    fn fires(found: &[Signal]) -> bool {
        !found.is_empty()
    }

    #[test]
    fn full_tables_and_their_opposite() {
        let stats = |now: u64, evicted: u64| {
            Text::new(format!("Statistics for bridge \"br-x\":\n  Current/maximum MAC entries in the table: {now}/2048\n  Total number of evicted MAC entries     : {evicted}\n").as_bytes())
        };
        assert!(
            fires(&fdb(&entry(), &stats(2048, 9)))
                && !fires(&fdb(&entry(), &stats(12, 0)))
                && fires(&fdb(&entry(), &stats(1000, 900_000)))
        );
        let flows = |now: u64| {
            Text::new(
                format!("  flows         : (current {now}) (avg 1) (max 2) (limit 200000)\n")
                    .as_bytes(),
            )
        };
        assert!(
            fires(&flow_limit(&entry(), &flows(199_999)))
                && !fires(&flow_limit(&entry(), &flows(3)))
        );
        let show = |lost: u64| {
            Text::new(format!("  lookups: hit:100 missed:50000 lost:{lost}\n").as_bytes())
        };
        assert!(fires(&lost(&entry(), &show(4000))) && !fires(&lost(&entry(), &show(3))));
    }

    #[test]
    fn masks_must_be_set_and_disjoint() {
        let config = |lcore: &str, pmd: &str| {
            Text::new(
                format!(
                    "{{dpdk-init=\"true\", dpdk-lcore-mask=\"{lcore}\", pmd-cpu-mask=\"{pmd}\"}}\n"
                )
                .as_bytes(),
            )
        };
        assert!(!fires(&masks(
            &entry(),
            &config("0x03", "0x57000000000000570")
        )));
        assert!(fires(&masks(&entry(), &config("0x11", "0x10"))));
        assert!(fires(&masks(
            &entry(),
            &Text::new(b"{dpdk-init=\"true\", dpdk-lcore-mask=\"1\"}")
        )));
        assert!(!fires(&masks(
            &entry(),
            &Text::new(b"{dpdk-init=\"false\"}")
        )));
    }

    #[test]
    fn raft_and_memory() {
        assert!(fires(&raft(
            &entry(),
            &Text::new(b"Name: OVN_Southbound\nStatus: cluster member\nLeader: unknown\n")
        )));
        assert!(!fires(&raft(
            &entry(),
            &Text::new(
                b"Name: OVN_Southbound\nStatus: cluster member\nRole: leader\nLeader: self\n"
            )
        )));
        assert!(!fires(&memory(
            &entry(),
            &Text::new(b"5368709120"),
            "sys/ovn-northd.service/memory.current"
        )));
        assert!(fires(&memory(
            &entry(),
            &Text::new(b"53687091200"),
            "sys/ovn-northd.service/memory.current"
        )));
    }
}
