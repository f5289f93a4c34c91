//! Addresses that a service's configuration takes for its own, against those that the host has.

use super::state::{Says, at, name_of, texts};
use super::state_net::Interfaces;
use crate::bundle::Tree;
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use std::net::IpAddr;

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[OWN, NETWORK];
const OWN: (&str, &str) = ("config.own-address-missing", "configured-address-missing");
const NETWORK: (&str, &str) = ("ceph.networks-not-here", "ceph-network-not-here");

/// Settings whose value is an address of the host itself: path's end, key, and what it is for.
const OWN_ADDRESSES: &[(&str, &str, &str)] = &[
    ("etc/nova/nova.conf", "my_ip", "Nova's own address"),
    (
        "etc/nova/nova.conf",
        "live_migration_inbound_addr",
        "the address for migrations to this host",
    ),
    (
        "etc/nova/nova.conf",
        "server_proxyclient_address",
        "the address of guests' consoles",
    ),
    (
        "etc/nova/nova.conf",
        "vncserver_proxyclient_address",
        "the address of guests' consoles",
    ),
    ("etc/cinder/cinder.conf", "my_ip", "Cinder's own address"),
    (
        "etc/octavia/octavia.conf",
        "bind_ip",
        "the address for heartbeats of amphorae",
    ),
    ("etc/ceph/ceph.conf", "public addr", "Ceph's public address"),
    ("etc/ceph/ceph.conf", "public_addr", "Ceph's public address"),
    (
        "etc/ceph/ceph.conf",
        "cluster addr",
        "Ceph's cluster address",
    ),
    (
        "etc/ceph/ceph.conf",
        "cluster_addr",
        "Ceph's cluster address",
    ),
    ("mysqld.cnf", "bind-address", "MySQL's address"),
    (
        "mysqld.cnf",
        "wsrep_node_address",
        "Galera's address of this node",
    ),
    ("etc/my.cnf", "bind-address", "MySQL's address"),
    (
        "etc/my.cnf",
        "wsrep_node_address",
        "Galera's address of this node",
    ),
    (
        "galera.cnf",
        "wsrep_node_address",
        "Galera's address of this node",
    ),
    (
        "postgresql.conf",
        "listen_addresses",
        "PostgreSQL's address",
    ),
    ("etc/redis/redis.conf", "bind", "Redis' address"),
    ("etc/memcached.conf", "-l", "memcached's address"),
    ("rabbitmq-env.conf", "NODE_IP_ADDRESS", "RabbitMQ's address"),
    (
        "etc/default/ovn-central",
        "--db-nb-cluster-local-addr",
        "the address of OVN's northbound database",
    ),
    (
        "etc/default/ovn-central",
        "--db-sb-cluster-local-addr",
        "the address of OVN's southbound database",
    ),
];

/// Findings from configuration files and the list of addresses.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    let interfaces = Interfaces::read(tree);
    if !interfaces
        .addresses
        .keys()
        .any(|address| !address.starts_with("127.") && address != "::1")
    {
        return partial;
    }
    for (entry, text) in texts(tree, |rel| {
        OWN_ADDRESSES.iter().any(|(file, ..)| rel.ends_with(file))
    }) {
        let rel = tree.rel(entry).to_ascii_lowercase();
        for (_, key, what) in OWN_ADDRESSES
            .iter()
            .filter(|(file, ..)| rel.ends_with(file))
        {
            let found = text.lines().find_map(|(number, line)| {
                let value = value_of(line, key)?;
                let address: IpAddr = value.parse().ok()?;
                Some((address, at(entry, number, line)))
            });
            if let Some((address, line)) = found {
                partial
                    .signals
                    .extend(missing(&interfaces, address, line, key, what));
            }
        }
    }
    partial.signals.extend(ceph_networks(tree, &interfaces));
    partial
}

/// The value of `key = value`, `key value`, `key=value` at the start of a line, or of `--key=value` in options.
fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    let bare = line.trim();
    if bare.starts_with(['#', ';']) {
        return None;
    }
    let rest = if key.starts_with("--") {
        &bare[bare.find(key)? + key.len()..]
    } else {
        bare.strip_prefix(key)?
    };
    if !rest.starts_with(['=', ' ', '\t', ':']) {
        return None;
    }
    let value = rest.trim_start_matches(['=', ' ', '\t', ':', '\'', '"']);
    let end = value
        .find(|c: char| c.is_whitespace() || matches!(c, ',' | '\'' | '"' | ';'))
        .unwrap_or(value.len());
    Some(&value[..end])
}

fn missing(
    interfaces: &Interfaces,
    address: IpAddr,
    line: Evidence,
    key: &str,
    what: &str,
) -> Option<Signal> {
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
        return None;
    }
    let text = address.to_string();
    if interfaces.addresses.contains_key(&text) {
        return None;
    }
    let network = |address: &str| address.rsplit_once('.').map(|(net, _)| net.to_owned());
    let beside = interfaces
        .addresses
        .iter()
        .find(|(own, _)| network(own).is_some() && network(own) == network(&text));
    let has = beside.map_or(String::new(), |(own, name)| {
        format!(" {name} has {own} of the same network.")
    });
    Says {
        id: OWN,
        subject: ("Setting", key),
        title: format!("{key} {text} is on no interface of this host"),
        statement: format!("The configuration gives {text} as {what} ({key}), but none of the host's interfaces has it: the service cannot listen there, or others are told a wrong address.{has}"),
        strength: if beside.is_some() { 0.8 } else { 0.68 },
        role: Role::Cause,
        evidence: vec![line],
    }
    .signal(&[])
}

/// Networks of `ceph.conf` in which a host that runs Ceph's daemons has no address.
fn ceph_networks(tree: &Tree, interfaces: &Interfaces) -> Option<Signal> {
    let runs = texts(tree, |rel| name_of(rel).starts_with("ps_")).any(|(_, text)| {
        text.lines()
            .any(|(_, line)| line.contains("ceph-osd ") || line.contains("ceph-mon "))
    });
    let installed = || {
        tree.files().any(|entry| {
            let rel = tree.rel(entry);
            rel.contains("var/log/ceph/ceph-osd") || rel.contains("var/log/ceph/ceph-mon")
        })
    };
    if !runs && !installed() {
        return None;
    }
    let (entry, text) = texts(tree, |rel| rel.ends_with("etc/ceph/ceph.conf")).next()?;
    let own: Vec<IpAddr> = interfaces
        .addresses
        .keys()
        .filter_map(|address| address.parse().ok())
        .collect();
    text.lines().find_map(|(number, line)| {
        let (key, value) = line.split_once('=')?;
        let key = key.trim().replace(['_', '-'], " ");
        if !matches!(key.as_str(), "public network" | "cluster network") {
            return None;
        }
        let networks: Vec<(IpAddr, u32)> = value
            .split([',', ' '])
            .filter_map(|part| {
                let (base, bits) = part.trim().split_once('/')?;
                Some((base.parse().ok()?, bits.parse().ok()?))
            })
            .collect();
        if networks.is_empty()
            || own
                .iter()
                .any(|own| networks.iter().any(|(base, bits)| within(*own, *base, *bits)))
        {
            return None;
        }
        let value = value.trim();
        Says {
            id: NETWORK,
            subject: ("Setting", &key),
            title: format!("This host has no address in Ceph's {key} {value}"),
            statement: format!("ceph.conf sets {key} = {value}, but no interface of this host, which runs Ceph daemons, has an address in it: its daemons do not start, or use the wrong network."),
            strength: 0.84,
            role: Role::Cause,
            evidence: vec![at(entry, number, line)],
        }
        .signal(&[])
    })
}

/// Whether `address` lies in `base/bits`.
fn within(address: IpAddr, base: IpAddr, bits: u32) -> bool {
    let as_number = |address: IpAddr| match address {
        IpAddr::V4(four) => (u128::from(u32::from(four)), 32),
        IpAddr::V6(six) => (u128::from(six), 128),
    };
    let ((a, width), (b, other)) = (as_number(address), as_number(base));
    if width != other || bits > width {
        return false;
    }
    a.checked_shr(width - bits).unwrap_or(0) == b.checked_shr(width - bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let own = (
            "sos_commands/networking/ip_-d_address",
            "1: lo: <UP> mtu 65536\n    inet 127.0.0.1/8\n2: ens3: <UP> mtu 1500\n    inet 192.0.2.17/24\n",
        );
        let files = files.iter().chain([&own]);
        let (_folder, tree) = tree_of(files.map(|(path, text)| (format!("top/{path}"), text)));
        detect(&tree)
            .signals
            .into_iter()
            .map(|signal| signal.title)
            .collect()
    }

    #[test]
    fn an_own_address_that_nobody_has() {
        let mysql = |address: &str| {
            found(&[(
                "etc/mysql/mysql.conf.d/mysqld.cnf",
                &format!("[mysqld]\n#bind-address = 192.0.2.99\nbind-address = {address}\n"),
            )])
        };
        assert_eq!(
            mysql("192.0.2.71"),
            ["bind-address 192.0.2.71 is on no interface of this host"]
        );
        for fine in ["192.0.2.17", "0.0.0.0", "127.0.0.1", "*", "db.example.com"] {
            assert!(mysql(fine).is_empty(), "{fine}");
        }
        let ovn =
            "OVN_CTL_OPTS=--db-nb-cluster-local-addr=192.0.2.4 --db-nb-create-insecure-remote=no\n";
        assert_eq!(found(&[("etc/default/ovn-central", ovn)]).len(), 1);
    }

    #[test]
    fn networks_of_ceph() {
        let ceph = |network: &str| {
            found(&[
                (
                    "etc/ceph/ceph.conf",
                    &format!("[global]\ncluster_network = {network}\n"),
                ),
                ("var/log/ceph/ceph-osd.1.log", "x\n"),
            ])
        };
        assert_eq!(
            ceph("198.51.100.0/24"),
            ["This host has no address in Ceph's cluster network 198.51.100.0/24"]
        );
        assert!(ceph("198.51.100.0/24, 192.0.2.0/25").is_empty());
        assert!(within(
            "2001:db8::5".parse().unwrap(),
            "2001:db8::".parse().unwrap(),
            64
        ));
        assert!(!within(
            "10.0.0.1".parse().unwrap(),
            "::".parse().unwrap(),
            0
        ));
    }
}
