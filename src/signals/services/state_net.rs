//! Interfaces and OpenStack's network settings against each other: MTUs, tunnel addresses, bridges.

use super::engine::compile;
use super::state::{Says, at, name_of, setting, texts};
use crate::bundle::Tree;
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use std::collections::BTreeMap;

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[MTU, LOCAL_IP, MAPPING];
const MTU: (&str, &str) = ("neutron.mtu-above-interface", "mtu-mismatch");
const LOCAL_IP: (&str, &str) = ("neutron.local-ip-missing", "neutron-tunnel-address-missing");
const MAPPING: (&str, &str) = ("neutron.bridge-mapping", "neutron-bridge-mapping-missing");

/// Interfaces of the host, outside of namespaces.
#[derive(Default)]
pub(super) struct Interfaces {
    /// Name: MTU and the line that shows it.
    mtus: BTreeMap<String, (u64, Evidence)>,
    /// Address: name.
    pub addresses: BTreeMap<String, String>,
}

impl Interfaces {
    pub fn read(tree: &Tree) -> Self {
        let mut out = Self::default();
        for (entry, text) in texts(tree, |rel| {
            let name = super::tables::plain(name_of(rel));
            name.starts_with("ip_")
                && !name.contains("netns")
                && (name.contains("addr") || name.contains("link"))
                && !rel.contains("namespaces/")
        }) {
            let mut current = String::new();
            for (number, line) in text.lines().take(200_000) {
                let words: Vec<&str> = line.split_whitespace().collect();
                let after = |key: &str| {
                    let at = words.iter().position(|word| *word == key)?;
                    words.get(at + 1).copied()
                };
                if line.starts_with(|c: char| c.is_ascii_digit()) && words.len() > 2 {
                    let name = words[1].trim_end_matches(':');
                    name.split('@')
                        .next()
                        .unwrap_or(name)
                        .clone_into(&mut current);
                    if let Some(mtu) = after("mtu").and_then(|value| value.parse().ok()) {
                        out.mtus
                            .entry(current.clone())
                            .or_insert_with(|| (mtu, at(entry, number, line)));
                    }
                }
                for key in ["inet", "inet6"] {
                    if let Some(address) = after(key) {
                        let bare = address.split('/').next().unwrap_or(address);
                        out.addresses.insert(bare.to_owned(), current.clone());
                    }
                }
            }
        }
        out
    }
}

/// Findings from Neutron's settings.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    let interfaces = Interfaces::read(tree);
    partial.signals.extend(tunnel_mtu(tree, &interfaces));
    partial.signals.extend(local_ip(tree, &interfaces));
    partial.signals.extend(mappings(tree));
    partial
}

fn agent_ini(rel: &str) -> bool {
    rel.starts_with("etc/neutron/") && rel.ends_with(".ini") || rel == "etc/neutron/neutron.conf"
}

/// The tunnel end of this host: Neutron's `local_ip`, or OVN's `ovn-encap-ip`.
fn tunnel_end(tree: &Tree) -> Option<(String, Evidence)> {
    setting(tree, agent_ini, "local_ip").or_else(|| {
        let pattern = compile(r"ovn-encap-ip[=:]\s*\x22?([0-9a-f.:]+)")?;
        texts(tree, |rel| name_of(rel).starts_with("ovs-vsctl")).find_map(|(entry, text)| {
            text.lines().find_map(|(number, line)| {
                let found = pattern.captures(line)?[1].to_owned();
                Some((found, at(entry, number, line)))
            })
        })
    })
}

/// Neutron subtracts the tunnel's overhead from `path_mtu`; the interface must carry `path_mtu` itself.
fn tunnel_mtu(tree: &Tree, interfaces: &Interfaces) -> Option<Signal> {
    let (end, end_at) = tunnel_end(tree)?;
    let name = interfaces.addresses.get(&end)?;
    let (mtu, mtu_at) = interfaces.mtus.get(name)?;
    let (key, (value, value_at)) = ["path_mtu", "global_physnet_mtu"].iter().find_map(|key| {
        let found = setting(tree, agent_ini, key)?;
        (found.0.parse::<u64>().ok()? > 0).then_some((*key, found))
    })?;
    let wanted: u64 = value.parse().ok()?;
    if wanted <= *mtu || *mtu < 576 {
        return None;
    }
    Says {
        id: MTU,
        subject: ("Interface", name),
        title: format!("MTU mismatch: {key} is {wanted}, but the tunnel interface {name} has MTU {mtu}"),
        statement: format!("Neutron is told that the network carries {wanted} bytes ({key}), but {name}, which holds the tunnel address {end}, has MTU {mtu}: guests get too large an MTU, and their large packets are dropped or fragmented in the tunnel."),
        strength: 0.84,
        role: Role::Cause,
        evidence: vec![value_at, mtu_at.clone(), end_at],
    }
    .signal(&[("interface", name)])
}

/// A tunnel address that no interface has: no tunnel of this host can be set up.
fn local_ip(tree: &Tree, interfaces: &Interfaces) -> Option<Signal> {
    let (end, end_at) = tunnel_end(tree)?;
    let known = interfaces
        .addresses
        .keys()
        .filter(|address| !address.starts_with("127.") && *address != "::1")
        .count();
    if known == 0
        || interfaces.addresses.contains_key(&end)
        || end.parse::<std::net::IpAddr>().is_err()
    {
        return None;
    }
    // An address beside it on the same network: the tunnel's interface is there, the address is not its own.
    // Without one the list may lack it: with a datapath in user space it belongs to a bridge of Open vSwitch.
    let network = |address: &str| address.rsplit_once('.').map(|(net, _)| net.to_owned());
    let beside = network(&end).and_then(|net| {
        interfaces
            .addresses
            .iter()
            .find(|(address, _)| network(address).as_ref() == Some(&net))
    });
    let in_user_space =
        texts(tree, |rel| name_of(rel).starts_with("ovs-vsctl")).any(|(_, text)| {
            text.lines().any(|(_, line)| {
                line.contains("dpdk-init=\"true\"") || line.contains("datapath_type: netdev")
            })
        });
    let has = beside.map_or(String::new(), |(address, name)| {
        format!(" {name} has {address} of the same network.")
    });
    Says {
        id: LOCAL_IP,
        subject: ("Setting", "local_ip"),
        title: format!("Tunnel address local_ip {end} is on no interface of this host"),
        statement: format!("The agent is configured to use {end} as its tunnel end, but none of the host's interfaces has that address: tunnels to other hosts cannot work, and guests here are cut off.{has}"),
        strength: match (beside, in_user_space) {
            (Some(_), _) => 0.86,
            (None, true) => 0.45,
            (None, false) => 0.78,
        },
        role: Role::Cause,
        evidence: vec![end_at],
    }
    .signal(&[])
}

/// OVN keeps its mappings in Open vSwitch's own table.
fn ovn_mappings(tree: &Tree) -> Option<(String, Evidence)> {
    let pattern = compile(r"ovn-bridge-mappings=\x22?([\w:.,-]+)")?;
    texts(tree, |rel| name_of(rel).starts_with("ovs-vsctl")).find_map(|(entry, text)| {
        text.lines().find_map(|(number, line)| {
            Some((
                pattern.captures(line)?[1].to_owned(),
                at(entry, number, line),
            ))
        })
    })
}

/// A provider network whose bridge does not exist in Open vSwitch.
fn mappings(tree: &Tree) -> Option<Signal> {
    let (value, value_at) =
        setting(tree, agent_ini, "bridge_mappings").or_else(|| ovn_mappings(tree))?;
    let (entry, text) = texts(tree, |rel| {
        let name = name_of(rel);
        name.starts_with("ovs-vsctl") && name.ends_with("show")
    })
    .next()?;
    let pattern = compile(r"^\s*Bridge \x22?([\w.-]+)\x22?")?;
    let bridges: Vec<(String, Evidence)> = text
        .lines()
        .filter_map(|(number, line)| {
            Some((
                pattern.captures(line)?[1].to_owned(),
                at(entry, number, line),
            ))
        })
        .collect();
    if bridges.is_empty() {
        return None;
    }
    let (network, bridge) = value.split(',').find_map(|pair| {
        let (network, bridge) = pair.trim().split_once(':')?;
        (!bridges.iter().any(|(name, _)| name == bridge)).then_some((network, bridge))
    })?;
    let have: Vec<&str> = bridges.iter().map(|(name, _)| name.as_str()).collect();
    Says {
        id: MAPPING,
        subject: ("Bridge", bridge),
        title: format!("Bridge {bridge} of provider network {network} does not exist in Open vSwitch"),
        statement: format!("The agent's bridge mappings send {network} to {bridge}, but Open vSwitch has only {}: ports on {network} cannot be connected and the agent stops.", have.join(", ")),
        strength: 0.86,
        role: Role::Cause,
        evidence: std::iter::once(value_at).chain(bridges.into_iter().map(|(_, line)| line)).take(4).collect(),
    }
    .signal(&[("bridge", bridge)])
}
