//! MTUs of stacked interfaces: what sits on another one cannot send larger frames than that one.

use super::interfaces::Link;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};

const WORDS: &[&str] = &[
    "mtu", "packet", "packets", "fragment", "hang", "loss", "network", "slow",
];

/// Bytes that a tunnel adds over IPv4: outer Ethernet, IP, UDP and its own header (RFC 7348; Geneve with OVN's option 8 more).
fn overhead(kind: &str) -> Option<u64> {
    match kind {
        "vlan" => Some(0),
        "vxlan" => Some(50),
        "geneve" => Some(50),
        "gre" => Some(24),
        _ => None,
    }
}

/// Compares each interface with the one below it, and bridges with their ports.
pub fn detect(host: &Host, doc: &Doc, links: &[Link], out: &mut Partial) {
    let find = |name: &str| links.iter().find(|link| link.name == name);
    for link in links {
        let Some((below, extra)) = find(&link.below).zip(overhead(&link.kind)) else {
            continue;
        };
        if link.mtu == 0 || below.mtu == 0 || link.mtu + extra <= below.mtu || link.mtu >= 60_000 {
            continue;
        }
        let strength = if link.kind == "vlan" { 0.76 } else { 0.66 };
        let room = if extra == 0 {
            String::new()
        } else {
            format!(", of which the tunnel takes {extra}")
        };
        Draft::cause("stacked-mtu", "mtu-mismatch", strength, "Interface", &link.name)
            .says(
                format!("MTU mismatch: {} has MTU {}, but {} below it only {}", link.name, link.mtu, below.name, below.mtu),
                format!("{} ({}) sends frames of up to {} bytes over {}, whose MTU is {}{room}: larger packets are dropped while small ones pass.", link.name, link.kind, link.mtu, below.name, below.mtu),
            )
            .cites([doc.cite(link.at), doc.cite(below.at)])
            .with("interface", link.name.as_str())
            .if_ticket(host, WORDS)
            .put(out);
    }
    // A bridge whose MTU was set above that of its port: the host itself sends frames that the port drops.
    for bridge in links.iter().filter(|link| link.kind == "bridge") {
        let port = links
            .iter()
            .filter(|link| link.master == bridge.name && link.mtu > 0)
            .min_by_key(|link| link.mtu);
        let Some(port) = port.filter(|port| port.mtu < bridge.mtu) else {
            continue;
        };
        Draft::cause("stacked-mtu", "mtu-mismatch", 0.7, "Interface", &bridge.name)
            .says(
                format!("MTU mismatch: bridge {} has MTU {}, its port {} only {}", bridge.name, bridge.mtu, port.name, port.mtu),
                format!("{} has MTU {}, but its port {} carries only {} bytes: larger frames from the bridge are dropped at that port.", bridge.name, bridge.mtu, port.name, port.mtu),
            )
            .cites([doc.cite(bridge.at), doc.cite(port.at)])
            .with("interface", bridge.name.as_str())
            .if_ticket(host, WORDS)
            .put(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn a_vlan_and_a_tunnel_need_room_below() {
        let run = |vlan: u32, vxlan: u32| {
            let text = format!(
                "1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue\n2: bond0: <BROADCAST,UP> mtu 1500 qdisc noqueue\n3: bond0.100@bond0: <BROADCAST,UP> mtu {vlan} qdisc noqueue\n    link/ether aa:bb:cc:00:00:03 brd ff:ff:ff:ff:ff:ff\n    vlan protocol 802.1Q id 100\n4: vx1: <BROADCAST,UP> mtu {vxlan} qdisc noqueue\n    vxlan id 1 local 10.0.0.1 dev bond0\n"
            );
            let out = on(&[("sos_commands/networking/ip_-s_-d_link", &text)]);
            causes(&out).len()
        };
        assert_eq!(run(1500, 1450), 0);
        assert_eq!(run(9000, 1450), 1);
        assert_eq!(run(1500, 1500), 1);
    }
}
