//! Faults that stand in figures: quotas and addresses used up, a disk slower than its peers, partitions
//! without replicas, queues of mail, limits of proxies, name servers and caches.

use super::engine::compile;
use super::state::{Says, at};
use super::state_edge_counts::{mail, memcached, proxy, redis, resolver};
use super::tables::{Output, Table, tables};
use crate::bundle::{Entry, Text, Tree};
use crate::signals::{Partial, Role, Signal};
use std::collections::{BTreeMap, BTreeSet};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[QUOTA, ADDRESSES, PERF, OFFLINE, BEHIND, SIZE];
const QUOTA: (&str, &str) = ("openstack.quota-used-up", "quota-exceeded-openstack");
const ADDRESSES: (&str, &str) = ("neutron.subnet-used-up", "neutron-addresses-used-up");
const PERF: (&str, &str) = ("ceph.osd-perf-outlier", "ceph-osd-slow-disk");
const OFFLINE: (&str, &str) = ("kafka.partition-without-leader", "kafka-partition-offline");
const BEHIND: (&str, &str) = ("kafka.broker-out-of-sync", "kafka-broker-out-of-sync");
const SIZE: (&str, &str) = ("etcd.database-size", "etcd-nospace");

/// Findings from figures in outputs.
pub fn detect(tree: &Tree, outputs: &[Output<'_>]) -> Partial {
    let mut partial = Partial::default();
    type Reader = fn(&Entry, &Text) -> Vec<Signal>;
    const READERS: &[(&[&str], Reader)] = &[
        (&["quota", "limits_show", "absolute_limits"], quotas),
        (&["ip_availability"], addresses),
        (&["osd_perf"], |entry, text| {
            osd_perf(entry, text).into_iter().collect()
        }),
        (&["kafka", "topics", "under_replicated"], partitions),
        (&["show_stat", "haproxy_stat", "haproxy_show"], proxy),
        (&["mailq", "postqueue"], |entry, text| {
            mail(entry, text).into_iter().collect()
        }),
        (&["rndc_status", "rndc"], |entry, text| {
            resolver(entry, text).into_iter().collect()
        }),
        (&["redis", "valkey"], |entry, text| {
            redis(entry, text).into_iter().collect()
        }),
        (&["memcached", "memcstat", "stats_memc"], |entry, text| {
            memcached(entry, text).into_iter().collect()
        }),
        (&["endpoint_status", "etcdctl"], |entry, text| {
            etcd_size(entry, text).into_iter().collect()
        }),
    ];
    for output in outputs {
        for (parts, reader) in READERS {
            if parts.iter().any(|part| output.name.contains(part))
                && let Ok(Some(text)) = tree.text(output.entry)
            {
                partial.signals.extend(reader(output.entry, &text));
            }
        }
    }
    partial
}

fn number(row: &[String], column: Option<usize>) -> Option<f64> {
    row.get(column?)?.trim().replace(',', "").parse().ok()
}

fn rows_of<'a>(
    text: &'a Text,
    table: &'a Table,
) -> impl Iterator<Item = (usize, &'a str, &'a Vec<String>)> {
    table
        .rows
        .iter()
        .filter_map(|(number, row)| Some((*number, text.line(*number)?, row)))
}

/// `quota show --usage` (Resource, Limit, In Use) or the pairs `maxTotalX`, `totalXUsed` of the limits.
fn quotas(entry: &Entry, text: &Text) -> Vec<Signal> {
    let mut out = Vec::new();
    let mut say = |name: &str, used: f64, limit: f64, lines: Vec<crate::report::Evidence>| {
        if limit < 1.0 || used < limit {
            return;
        }
        out.extend(
            Says {
                id: QUOTA,
                subject: ("Quota", name),
                title: format!("OpenStack quota of {name} is used up: {used} of {limit}"),
                statement: format!("The project uses {used} of {limit} {name}: every further request for it is refused until the quota is raised or something is removed."),
                strength: 0.8,
                role: Role::Cause,
                evidence: lines,
            }
            .signal(&[("resource", name)]),
        );
    };
    for table in tables(text) {
        if let (Some(name), Some(limit), Some(used)) = (
            table.column(&["resource"]),
            table.column(&["limit"]),
            table.column(&["in use", "in_use", "used"]),
        ) {
            for (at_line, line, row) in rows_of(text, &table) {
                if let (Some(limit), Some(used)) =
                    (number(row, Some(limit)), number(row, Some(used)))
                {
                    say(&row[name], used, limit, vec![at(entry, at_line, line)]);
                }
            }
        }
        if let (Some(name), Some(value)) = (table.column(&["name"]), table.column(&["value"])) {
            let of = |wanted: &str| {
                rows_of(text, &table).find_map(|(at_line, line, row)| {
                    row.get(name)
                        .is_some_and(|name| name.eq_ignore_ascii_case(wanted))
                        .then(|| Some((number(row, Some(value))?, at(entry, at_line, line))))?
                })
            };
            for (what, limit, used) in [
                ("cores", "maxTotalCores", "totalCoresUsed"),
                ("RAM", "maxTotalRAMSize", "totalRAMUsed"),
                ("instances", "maxTotalInstances", "totalInstancesUsed"),
                ("volumes", "maxTotalVolumes", "totalVolumesUsed"),
                (
                    "volume gigabytes",
                    "maxTotalVolumeGigabytes",
                    "totalGigabytesUsed",
                ),
                ("snapshots", "maxTotalSnapshots", "totalSnapshotsUsed"),
            ] {
                if let (Some((limit, l)), Some((used, u))) = (of(limit), of(used)) {
                    say(what, used, limit, vec![u, l]);
                }
            }
        }
    }
    out
}

/// `ip availability list`: a network with no address left.
fn addresses(entry: &Entry, text: &Text) -> Vec<Signal> {
    let mut out = Vec::new();
    for table in tables(text) {
        let (Some(name), Some(total), Some(used)) = (
            table.column(&["network name", "network_name"]),
            table.column(&["total ips", "total_ips"]),
            table.column(&["used ips", "used_ips"]),
        ) else {
            continue;
        };
        for (at_line, line, row) in rows_of(text, &table) {
            if let (Some(all), Some(taken)) = (number(row, Some(total)), number(row, Some(used)))
                && all > 0.0
                && taken >= all
            {
                let network = &row[name];
                out.extend(
                    Says {
                        id: ADDRESSES,
                        subject: ("Network", network),
                        title: format!("Network {network} has no address left: {taken} of {all} are used"),
                        statement: format!("All {all} addresses of network {network} are used ({taken}): new ports and floating addresses on it are refused."),
                        strength: 0.84,
                        role: Role::Cause,
                        evidence: vec![at(entry, at_line, line)],
                    }
                    .signal(&[("network", network)]),
                );
            }
        }
    }
    out
}

/// `ceph osd perf`: one disk whose commits take many times as long as the others'.
fn osd_perf(entry: &Entry, text: &Text) -> Option<Signal> {
    let mut rows: Vec<(u64, u64, usize, &str)> = text
        .lines()
        .filter_map(|(number, line)| {
            let mut words = line.split_whitespace();
            let osd = words.next()?.parse().ok()?;
            Some((words.next()?.parse().ok()?, osd, number, line))
        })
        .collect();
    rows.sort_unstable();
    let worst = rows.last()?;
    let median = rows.get(rows.len() / 2)?.0;
    if rows.len() < 4 || worst.0 < 100 || worst.0 < median.max(1).saturating_mul(8) {
        return None;
    }
    let (latency, osd, number, line) = worst;
    Says {
        id: PERF,
        subject: ("Ceph OSD", &format!("osd.{osd}")),
        title: format!("Ceph OSD {osd} commits in {latency} ms, the others in {median} ms"),
        statement: format!("OSD {osd} takes {latency} ms to commit where the median OSD takes {median} ms: its disk is failing or overloaded, and every request that touches it waits for it."),
        strength: 0.78,
        role: Role::Cause,
        evidence: vec![at(entry, *number, line)],
    }
    .signal(&[("osd", &osd.to_string())])
}

/// Brokers out of sync: how many partitions, and some of their lines.
type Missing<'a> = BTreeMap<String, (usize, Vec<(usize, &'a str)>)>;

/// `kafka-topics --describe`: partitions without leader, and the broker that is missing from their replicas.
fn partitions(entry: &Entry, text: &Text) -> Vec<Signal> {
    let Some(row) = compile(
        r"Topic:\s*(?P<topic>\S+)\s+Partition:\s*(?P<partition>\d+)\s+Leader:\s*(?P<leader>\S+)\s+Replicas:\s*(?P<replicas>[\d,]+)\s+Isr:\s*(?P<isr>[\d,]*)",
    ) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let mut missing: Missing<'_> = BTreeMap::new();
    let mut headless = Vec::new();
    for (number, line) in text.lines().take(50_000) {
        let Some(hit) = row.captures(line) else {
            continue;
        };
        if matches!(&hit["leader"], "none" | "-1") {
            headless.push((
                number,
                line,
                format!("{}-{}", &hit["topic"], &hit["partition"]),
            ));
        }
        let isr: BTreeSet<&str> = hit
            .name("isr")
            .map_or("", |m| m.as_str())
            .split(',')
            .collect();
        for broker in hit.name("replicas").map_or("", |m| m.as_str()).split(',') {
            if !isr.contains(broker) {
                let (count, lines) = missing.entry(broker.to_owned()).or_default();
                *count += 1;
                if lines.len() < 3 {
                    lines.push((number, line));
                }
            }
        }
    }
    if let Some((number, line, name)) = headless.first() {
        out.extend(
            Says {
                id: OFFLINE,
                subject: ("Kafka partition", name),
                title: format!("Kafka partition {name} has no leader ({} such partitions)", headless.len()),
                statement: format!("{} partitions, among them {name}, have no leader: none of their in-sync replicas is up, so they take no reads or writes.", headless.len()),
                strength: 0.78,
                role: Role::Cause,
                evidence: vec![at(entry, *number, line)],
            }
            .signal(&[]),
        );
    }
    if let Some((broker, (count, lines))) = missing.iter().max_by_key(|(_, (count, _))| *count) {
        out.extend(
            Says {
                id: BEHIND,
                subject: ("Kafka broker", broker),
                title: format!("Kafka broker {broker} is out of sync for {count} partitions"),
                statement: format!("Broker {broker} is a replica of {count} partitions but not in their in-sync set: it is down, cut off, or its disk or network does not keep up."),
                strength: if *count >= 3 { 0.74 } else { 0.62 },
                role: Role::Cause,
                evidence: lines.iter().map(|(number, line)| at(entry, *number, line)).collect(),
            }
            .signal(&[("broker", broker)]),
        );
    }
    out
}

/// The default quota is 2 GiB; near it etcd raises its alarm and refuses writes.
fn etcd_size(entry: &Entry, text: &Text) -> Option<Signal> {
    let size = compile(r"(?:\||,)\s*(?P<n>\d+(?:\.\d+)?) (?P<unit>MB|GB|GiB|MiB)\s*(?:\||,)")?;
    let (megabytes, number, line) = text
        .lines()
        .filter_map(|(number, line)| {
            let hit = size.captures(line)?;
            let value: f64 = hit["n"].parse().ok()?;
            let scale = if hit["unit"].starts_with('G') {
                1024.0
            } else {
                1.0
            };
            Some((value * scale, number, line))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    if !(1800.0..=2200.0).contains(&megabytes) && megabytes < 7300.0 {
        return None;
    }
    Says {
        id: SIZE,
        subject: ("etcd", "etcd"),
        title: format!("etcd's database is {megabytes:.0} MB, close to its quota"),
        statement: format!("etcd's database holds {megabytes:.0} MB; the quota is 2 GiB unless raised (8 GiB at most): at the quota etcd refuses all writes. It needs compaction and defragmentation."),
        strength: 0.72,
        role: Role::Cause,
        evidence: vec![at(entry, number, line)],
    }
    .signal(&[("unit", "etcd")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::services::tables::tests::entry;

    fn titles(found: impl IntoIterator<Item = Signal>) -> Vec<String> {
        found.into_iter().map(|signal| signal.title).collect()
    }
    fn text(content: &str) -> Text {
        Text::new(content.as_bytes())
    }

    #[test]
    fn quotas_and_addresses() {
        let quota = |used: u32| {
            text(&format!(
                "| Resource | Limit | In Use | Reserved |\n| cores | 20 | {used} | 0 |\n| ram | -1 | 5 | 0 |\n"
            ))
        };
        assert_eq!(titles(quotas(&entry(), &quota(20))).len(), 1);
        assert!(quotas(&entry(), &quota(19)).is_empty());
        let limits = text("| Name | Value |\n| maxTotalCores | 8 |\n| totalCoresUsed | 8 |\n");
        assert_eq!(quotas(&entry(), &limits).len(), 1);
        let free = |used: u32| {
            text(&format!(
                "| Network ID | Network Name | Total IPs | Used IPs |\n| a | ext | 61 | {used} |\n"
            ))
        };
        assert!(titles(addresses(&entry(), &free(61)))[0].contains("ext"));
        assert!(addresses(&entry(), &free(12)).is_empty());
    }

    #[test]
    fn one_slow_disk() {
        let perf = |worst: u32| {
            text(&format!(
                "osd  commit_latency(ms)  apply_latency(ms)\n 4 {worst} {worst}\n 3 9 9\n 2 7 7\n 1 8 8\n 0 9 9\n"
            ))
        };
        assert!(titles(osd_perf(&entry(), &perf(730)))[0].contains("OSD 4"));
        assert!(osd_perf(&entry(), &perf(30)).is_none());
    }

    #[test]
    fn partitions_of_topics() {
        let bad = text(
            "\tTopic: a\tPartition: 0\tLeader: none\tReplicas: 3\tIsr: 3\n\tTopic: a\tPartition: 1\tLeader: 1\tReplicas: 1,2\tIsr: 1\n",
        );
        let found = titles(partitions(&entry(), &bad));
        assert!(
            found[0].contains("a-0") && found[1].contains("broker 2"),
            "{found:?}"
        );
        let good = text("\tTopic: a\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 2,1\n");
        assert!(partitions(&entry(), &good).is_empty());
    }

    #[test]
    fn sizes_of_stores() {
        assert!(
            etcd_size(
                &entry(),
                &text("| https://a:2379 | 8e | 3.5.9 | 2.1 GB | true | false | 7 |\n")
            )
            .is_some()
        );
        assert!(
            etcd_size(
                &entry(),
                &text("| https://a:2379 | 8e | 3.5.9 | 120 MB | true | false | 7 |\n")
            )
            .is_none()
        );
    }
}
