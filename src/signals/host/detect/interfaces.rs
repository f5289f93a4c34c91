//! Interfaces, bridges and bonds: state and counters.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};
use std::collections::BTreeMap;

pub(super) const WORDS: &[&str] = &[
    "network",
    "connection",
    "connections",
    "packet",
    "packets",
    "traffic",
    "link",
    "connectivity",
    "loss",
    "latency",
    "mtu",
    "slow",
];

/// One interface of `ip -s -d link`.
pub(super) struct Link {
    /// Its name.
    pub name: String,
    flags: String,
    /// Its MTU in bytes.
    pub mtu: u64,
    /// The bridge or bond it belongs to, or "".
    pub master: String,
    /// The interface it sits on: `bond0` for `bond0.100@bond0`, or `dev X` of a tunnel.
    pub below: String,
    /// `vlan`, `vxlan`, `geneve`, `bridge`, `bond` … by the detail lines, or "".
    pub kind: String,
    rx: [u64; 4],
    tx: [u64; 4],
    /// Line of the name.
    pub at: usize,
    rx_at: usize,
    tx_at: usize,
}

/// Looks at all interfaces outside of namespaces.
pub fn detect(host: &Host, out: &mut Partial) {
    if let Some(doc) = host
        .commands("ip", |n| {
            n.contains("link") && !n.contains("netns") && n.contains("-s")
        })
        .into_iter()
        .next()
    {
        let links = links(&doc);
        for link in &links {
            counters(host, &doc, link, out);
        }
        bridge_mtus(host, &doc, &links, out);
        super::mtu::detect(host, &doc, &links, out);
    }
    ethernet(host, out);
}

fn links(doc: &Doc) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let mut expect = None;
    for (number, line) in doc.lines() {
        if line.starts_with(|c: char| c.is_ascii_digit()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let after = |key: &str| {
                words
                    .iter()
                    .position(|w| *w == key)
                    .and_then(|at| words.get(at + 1))
                    .copied()
                    .unwrap_or_default()
            };
            let name = words.get(1).map_or("", |w| w.trim_end_matches(':'));
            links.push(Link {
                name: name.split('@').next().unwrap_or(name).to_owned(),
                flags: words.get(2).copied().unwrap_or_default().to_owned(),
                mtu: after("mtu").parse().unwrap_or(0),
                master: after("master").to_owned(),
                below: name
                    .split_once('@')
                    .map_or("", |(_, below)| below)
                    .to_owned(),
                kind: String::new(),
                rx: [0; 4],
                tx: [0; 4],
                at: number,
                rx_at: 0,
                tx_at: 0,
            });
        } else if let Some((link, kind)) = links
            .last_mut()
            .filter(|link| link.kind.is_empty())
            .and_then(|link| {
                let kind = line.split_whitespace().next()?;
                [
                    "vlan", "vxlan", "geneve", "gre", "bridge", "bond", "veth", "tun",
                ]
                .contains(&kind)
                .then_some((link, kind))
            })
        {
            kind.clone_into(&mut link.kind);
            let words: Vec<&str> = line.split_whitespace().collect();
            if let Some(at) = words.iter().position(|word| *word == "dev") {
                words
                    .get(at + 1)
                    .copied()
                    .unwrap_or_default()
                    .clone_into(&mut link.below);
            }
        } else if line.trim_start().starts_with("RX: bytes") {
            expect = Some(true);
        } else if line.trim_start().starts_with("TX: bytes") {
            expect = Some(false);
        } else if let (Some(receive), Some(link)) = (expect.take(), links.last_mut()) {
            let mut values = [0; 4];
            for (value, word) in values.iter_mut().zip(line.split_whitespace()) {
                *value = word.parse().unwrap_or(0);
            }
            if receive {
                (link.rx, link.rx_at) = (values, number);
            } else {
                (link.tx, link.tx_at) = (values, number);
            }
        }
    }
    links
}

/// Names of interfaces that carry no traffic of their own or drop by design.
fn is_virtual(name: &str) -> bool {
    [
        "lo",
        "veth",
        "docker",
        "virbr",
        "cali",
        "flannel",
        "ovs-system",
        "ifb",
        "dummy",
        "tunl",
        "cilium",
        "lxc",
        "sit",
        "gre",
        "erspan",
        "genev",
        "vxlan",
    ]
    .iter()
    .any(|prefix| name.starts_with(prefix))
}

/// Errors are never ordinary; drops of a percent and more are. Few of either are history.
fn counters(host: &Host, doc: &Doc, link: &Link, out: &mut Partial) {
    if is_virtual(&link.name) || !link.flags.contains("UP") {
        return;
    }
    for (way, [_, packets, errors, dropped], at) in [
        ("receive", link.rx, link.rx_at),
        ("transmit", link.tx, link.tx_at),
    ] {
        let per_mille = |n: u64| n.saturating_mul(1000) / packets.max(1);
        let (what, number, strength) = if errors > 1000 && per_mille(errors) >= 1 {
            (
                "errors",
                errors,
                if per_mille(errors) >= 10 { 0.62 } else { 0.5 },
            )
        } else if dropped > 10_000 && per_mille(dropped) >= 10 {
            (
                "drops",
                dropped,
                if per_mille(dropped) >= 50 { 0.58 } else { 0.5 },
            )
        } else if dropped > 1000 && per_mille(dropped) >= 10 {
            ("drops", dropped, 0.4)
        } else {
            continue;
        };
        Draft::cause(
            "interface-counters",
            if what == "errors" {
                "interface-errors"
            } else {
                "interface-drops"
            },
            strength,
            "Interface",
            &link.name,
        )
        .says(
            format!(
                "Interface {} counts {number} {way} {what} in {packets} packets",
                link.name
            ),
            format!(
                "{} {way} {what} on {} ({number} of {packets} packets): {}.",
                number,
                link.name,
                if what == "errors" {
                    "cable, transceiver, duplex or card"
                } else {
                    "ring buffer, backlog or a filter cannot keep up with the traffic"
                }
            ),
        )
        .cites([doc.cite(at), doc.cite(link.at)])
        .with("interface", link.name.as_str())
        .if_ticket(host, WORDS)
        .put(out);
    }
}

/// Ports of one Linux bridge with different MTUs: large frames disappear without an ICMP message.
fn bridge_mtus(host: &Host, doc: &Doc, links: &[Link], out: &mut Partial) {
    let mut ports: BTreeMap<&str, Vec<&Link>> = BTreeMap::new();
    for link in links
        .iter()
        .filter(|l| !l.master.is_empty() && l.master != "ovs-system" && l.mtu > 0)
    {
        ports.entry(&link.master).or_default().push(link);
    }
    for (bridge, ports) in ports {
        let (Some(low), Some(high)) = (
            ports.iter().min_by_key(|l| l.mtu),
            ports.iter().max_by_key(|l| l.mtu),
        ) else {
            continue;
        };
        if low.mtu == high.mtu {
            continue;
        }
        let own = links.iter().find(|l| l.name == bridge);
        Draft::cause("port-mtus-differ", "mtu-mismatch", 0.52, "Interface", bridge)
            .says(
                format!("MTU mismatch on {bridge}: {} has {}, {} has {}", high.name, high.mtu, low.name, low.mtu),
                format!("Members of {bridge} have different MTUs ({} {}, {} {}); frames larger than the smallest are dropped between them.", high.name, high.mtu, low.name, low.mtu),
            )
            .cites([doc.cite(low.at), doc.cite(high.at)])
            .cites(own.map(|l| doc.cite(l.at)))
            .with("interface", bridge)
            .if_ticket(host, &["mtu", "packet", "packets", "fragment", "hang", "loss"])
            .put(out);
    }
}

/// `ethtool DEV`: half duplex on a wired card is a failed negotiation.
fn ethernet(host: &Host, out: &mut Partial) {
    for doc in host.commands("ethtool", |name| {
        name.split(' ').count() == 2 && !name.contains(" -")
    }) {
        let dev = doc.name.split(' ').nth(1).unwrap_or_default().to_owned();
        if is_virtual(&dev) || !doc.contains("Link detected: yes") {
            continue;
        }
        let half = doc.line_with(|l| l.trim() == "Duplex: Half");
        if let Some((number, _)) = half {
            Draft::cause("half-duplex", "interface-errors", 0.62, "Interface", &dev)
                .says(format!("Interface {dev} runs half duplex"), format!("{dev} negotiated half duplex; collisions cost most of its throughput. Cable, port or a fixed setting on one side."))
                .cites([doc.cite(number)])
                .cites(doc.line_with(|l| l.trim().starts_with("Speed:")).map(|(n, _)| doc.cite(n)))
                .with("interface", dev.as_str())
                .if_ticket(host, WORDS)
                .put(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn interface_counters_by_share() {
        let link = |dropped: u32| {
            format!(
                "2: ens3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP\n    RX: bytes  packets  errors  dropped overrun mcast\n    778213169  1000000   0       {dropped}       0       0\n    TX: bytes  packets  errors  dropped carrier collsns\n    30274591   169937   0       0       0       0\n"
            )
        };
        assert!(
            on(&[
                ("sos_commands/networking/ip_-s_-d_link", &link(90_000)),
                ("etc/fstab", "")
            ])
            .signals[0]
                .strength
                >= 0.5
        );
        assert!(
            causes(&on(&[(
                "sos_commands/networking/ip_-s_-d_link",
                &link(500)
            )]))
            .is_empty()
        );
    }

    #[test]
    fn bond_with_one_slave_down() {
        let text = "Bonding Mode: IEEE 802.3ad\nMII Status: up\n\nSlave Interface: eth0\nMII Status: up\n\nSlave Interface: eth1\nMII Status: down\n";
        let out = on(&[("proc/net/bonding/bond0", text)]);
        assert_eq!(causes(&out), ["bond-slave-down"]);
        assert!(out.signals[0].title.contains("eth1"));
    }
}
