//! Bonds by `/proc/net/bonding`: slaves without link, unequal ones, links that failed again and again.

use super::interfaces::WORDS;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};

/// A link that failed this often did not fail once in a maintenance.
const MANY_FAILURES: u64 = 10;

/// Looks at all bonds of the host.
pub fn detect(host: &Host, out: &mut Partial) {
    bonds(host, out);
    for doc in host.files("proc/net/bonding/") {
        slaves(host, &doc, out);
    }
}

/// One slave: name, line, and what it reports with the line of each.
#[derive(Default)]
struct Slave {
    name: String,
    at: usize,
    speed: Option<(u64, usize)>,
    failures: Option<(u64, usize)>,
    aggregator: Option<(u64, usize)>,
    up: bool,
}

fn read(doc: &Doc) -> Vec<Slave> {
    let mut slaves: Vec<Slave> = Vec::new();
    for (number, line) in doc.lines() {
        if let Some(name) = line.strip_prefix("Slave Interface: ") {
            slaves.push(Slave {
                name: name.trim().to_owned(),
                at: number,
                ..Slave::default()
            });
            continue;
        }
        let (Some(slave), Some((key, value))) = (slaves.last_mut(), line.split_once(": ")) else {
            continue;
        };
        let figure = value
            .split_whitespace()
            .next()
            .and_then(|word| word.parse().ok());
        match key.trim() {
            "MII Status" => slave.up = value.trim() == "up",
            "Speed" => slave.speed = figure.map(|n| (n, number)),
            "Link Failure Count" => slave.failures = figure.map(|n| (n, number)),
            "Aggregator ID" if slave.aggregator.is_none() => {
                slave.aggregator = figure.map(|n| (n, number));
            }
            _ => {}
        }
    }
    slaves
}

fn slaves(host: &Host, doc: &Doc, out: &mut Partial) {
    let bond = doc.path.rsplit('/').next().unwrap_or_default().to_owned();
    let slaves = read(doc);
    for slave in &slaves {
        if let Some((failures, at)) = slave.failures.filter(|(n, _)| *n >= MANY_FAILURES) {
            Draft::cause("bond-link-failures", "link-flapping", if failures >= 100 { 0.66 } else { 0.54 }, "Interface", &slave.name)
                .says(
                    format!("Bond {bond}: the link of {} failed {failures} times", slave.name),
                    format!("The Link Failure Count of {} in {bond} is {failures}: its link flaps; cable, transceiver, switch port or card.", slave.name),
                )
                .cites([doc.cite(at), doc.cite(slave.at)])
                .with("interface", slave.name.as_str())
                .if_ticket(host, WORDS)
                .put(out);
        }
    }
    let up: Vec<&Slave> = slaves.iter().filter(|slave| slave.up).collect();
    let (Some(slow), Some(fast)) = (
        up.iter()
            .filter(|s| s.speed.is_some())
            .min_by_key(|s| s.speed),
        up.iter()
            .filter(|s| s.speed.is_some())
            .max_by_key(|s| s.speed),
    ) else {
        return;
    };
    if let (Some((low, low_at)), Some((high, high_at))) = (slow.speed, fast.speed)
        && low < high
    {
        Draft::cause("bond-speeds-differ", "bond-members-unequal", 0.62, "Interface", &bond)
            .says(
                format!("Bond {bond}: {} runs at {low} Mbps, {} at {high} Mbps", slow.name, fast.name),
                format!("The slaves of {bond} have different speeds ({} {low} Mbps, {} {high} Mbps): with 802.3ad only those of one speed carry traffic, otherwise the slow one limits its share.", slow.name, fast.name),
            )
            .cites([doc.cite(low_at), doc.cite(high_at), doc.cite(slow.at), doc.cite(fast.at)])
            .with("interface", bond.as_str())
            .if_ticket(host, WORDS)
            .put(out);
        return;
    }
    let mut groups: Vec<(u64, usize)> = up.iter().filter_map(|slave| slave.aggregator).collect();
    groups.dedup_by_key(|group| group.0);
    if groups.len() > 1 && doc.contains("802.3ad") {
        Draft::cause("bond-aggregators", "lacp-mismatch", 0.64, "Interface", &bond)
            .says(
                format!("Bond {bond}: its slaves are in different aggregators"),
                format!("The slaves of {bond} have different aggregator ids: the switch does not treat their ports as one group (cabling to two switches without multi-chassis aggregation, or no LACP there), so only one of them carries traffic."),
            )
            .cites(groups.into_iter().map(|(_, at)| doc.cite(at)))
            .with("interface", bond.as_str())
            .if_ticket(host, WORDS)
            .put(out);
    }
}

/// `/proc/net/bonding`: a slave whose MII status is not up, or a bond without any.
fn bonds(host: &Host, out: &mut Partial) {
    for doc in host.files("proc/net/bonding/") {
        let bond = doc.path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut slave = None;
        let mut down = Vec::new();
        let mut slaves = 0;
        let mut churned = Vec::new();
        for (number, line) in doc.lines() {
            if let Some(name) = line.strip_prefix("Slave Interface: ") {
                slave = Some((name.trim().to_owned(), number));
                slaves += 1;
            } else if let (Some(status), Some((name, at))) =
                (line.strip_prefix("MII Status: "), &slave)
            {
                if status.trim() != "up" {
                    down.push((name.clone(), *at, number));
                }
            } else if line.starts_with("Partner Mac Address: 00:00:00:00:00:00")
                || line.contains("Partner Churn State: churned")
            {
                churned.push(number);
            }
        }
        if !down.is_empty() {
            let names: Vec<&str> = down.iter().map(|d| d.0.as_str()).collect();
            let all = down.len() == slaves;
            Draft::cause(
                "bond-slave-state",
                "bond-slave-down",
                if all { 0.9 } else { 0.64 },
                "Interface",
                &bond,
            )
            .says(
                format!(
                    "Bond {bond}: {} of {slaves} slaves are down ({})",
                    down.len(),
                    names.join(", ")
                ),
                format!(
                    "{} of {bond} has no link: {}.",
                    names.join(", "),
                    if all {
                        "the bond carries no traffic"
                    } else {
                        "redundancy is lost; with 802.3ad also bandwidth"
                    }
                ),
            )
            .cites(
                down.iter()
                    .flat_map(|(_, at, status)| [doc.cite(*status), doc.cite(*at)]),
            )
            .with("interface", bond.as_str())
            .if_ticket(host, WORDS)
            .put(out);
        } else if !churned.is_empty() && slaves > 0 {
            Draft::cause("lacp-partner", "lacp-mismatch", 0.56, "Interface", &bond)
                .says(
                    format!("Bond {bond}: no LACP partner on the switch"),
                    format!("{bond} uses 802.3ad but its switch ports do not negotiate it (no partner, churned); traffic uses one link or none."),
                )
                .cites(churned.into_iter().map(|n| doc.cite(n)))
                .with("interface", bond.as_str())
                .if_ticket(host, WORDS)
                .put(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn unequal_slaves_and_failing_links() {
        let bond = |speed: u32, failures: u32, group: u32| {
            let text = format!(
                "Bonding Mode: IEEE 802.3ad Dynamic link aggregation\nMII Status: up\n\nSlave Interface: e0\nMII Status: up\nSpeed: {speed} Mbps\nLink Failure Count: {failures}\nAggregator ID: {group}\n\nSlave Interface: e1\nMII Status: up\nSpeed: 10000 Mbps\nLink Failure Count: 0\nAggregator ID: 1\n"
            );
            let out = on(&[("proc/net/bonding/bond0", &text)]);
            causes(&out)
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert!(bond(10000, 1, 1).is_empty());
        assert_eq!(bond(1000, 1, 1), ["bond-members-unequal"]);
        assert_eq!(bond(10000, 400, 1), ["link-flapping"]);
        assert_eq!(bond(10000, 0, 2), ["lacp-mismatch"]);
    }
}
