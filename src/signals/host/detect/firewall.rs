//! Packets of a cluster or service protocol that the host's own packet filter drops.
//!
//! A filter's log is full of scans; a drop matters when a private address sends what a service of this kind of
//! machine needs: advertisements of a redundancy protocol, cluster heartbeats, storage, databases.

use crate::signals::Partial;
use crate::signals::host::emit::{Draft, raise, times};
use crate::signals::host::facts::Host;
use crate::signals::host::logs::{Group, Hits};

/// Fewer drops than this are an accident.
const ENOUGH: usize = 3;

/// One protocol: `PROTO=` and `DPT=` of the log, its name, words of a ticket that mean it, what is lost, strength.
struct Service {
    proto: &'static str,
    ports: &'static [(u16, u16)],
    called: &'static str,
    words: &'static [&'static str],
    without: &'static str,
    strength: f64,
}

const SERVICES: &[Service] = &[
    Service {
        proto: "112",
        ports: &[],
        called: "VRRP advertisements (keepalived, protocol 112)",
        words: &[
            "vrrp",
            "keepalived",
            "vip",
            "virtual",
            "failover",
            "balancer",
            "mac",
        ],
        without: "the nodes do not hear each other, each becomes MASTER and holds the virtual address: split brain",
        strength: 0.88,
    },
    Service {
        proto: "89",
        ports: &[],
        called: "OSPF (protocol 89)",
        words: &["ospf", "route", "routes", "routing"],
        without: "adjacencies end and their routes are lost",
        strength: 0.84,
    },
    Service {
        proto: "47",
        ports: &[],
        called: "GRE tunnels (protocol 47)",
        words: &["gre", "tunnel", "vpn"],
        without: "the tunnel carries nothing",
        strength: 0.74,
    },
    Service {
        proto: "ESP",
        ports: &[],
        called: "IPsec (ESP)",
        words: &["ipsec", "vpn", "tunnel"],
        without: "the tunnel carries nothing",
        strength: 0.74,
    },
    Service {
        proto: "UDP",
        ports: &[(5404, 5412)],
        called: "corosync heartbeats",
        words: &[
            "cluster",
            "corosync",
            "pacemaker",
            "fence",
            "fenced",
            "quorum",
            "split",
        ],
        without: "the nodes lose each other: quorum, fencing, split brain",
        strength: 0.86,
    },
    Service {
        proto: "TCP",
        ports: &[(2224, 2224), (3121, 3121), (21064, 21064)],
        called: "pacemaker (pcsd, remote)",
        words: &["cluster", "pacemaker", "pcs"],
        without: "nodes of the cluster cannot be managed",
        strength: 0.7,
    },
    Service {
        proto: "UDP",
        ports: &[(4789, 4789), (8472, 8472), (6081, 6081)],
        called: "overlay network packets (VXLAN, Geneve)",
        words: &[
            "pod",
            "pods",
            "vxlan",
            "overlay",
            "instances",
            "container",
            "containers",
            "network",
        ],
        without: "workloads on different hosts cannot reach each other",
        strength: 0.84,
    },
    Service {
        proto: "TCP",
        ports: &[(179, 179)],
        called: "BGP sessions",
        words: &["bgp", "route", "routes", "routing"],
        without: "sessions end and their routes are lost",
        strength: 0.8,
    },
    Service {
        proto: "UDP",
        ports: &[(3784, 3785), (4784, 4784)],
        called: "BFD packets",
        words: &["bfd", "bgp", "ospf", "route", "routes"],
        without: "sessions guarded by BFD are torn down",
        strength: 0.8,
    },
    Service {
        proto: "TCP",
        ports: &[(4567, 4568), (4444, 4444)],
        called: "Galera replication",
        words: &["galera", "mariadb", "mysql", "database", "cluster"],
        without: "nodes drop out of the database cluster",
        strength: 0.84,
    },
    Service {
        proto: "TCP",
        ports: &[(2379, 2380)],
        called: "etcd",
        words: &["etcd", "kubernetes", "cluster"],
        without: "members lose the quorum",
        strength: 0.84,
    },
    Service {
        proto: "TCP",
        ports: &[(6443, 6443), (10250, 10250), (9345, 9345)],
        called: "Kubernetes control plane (API server, kubelet)",
        words: &["kubernetes", "node", "nodes", "kubectl", "pod", "pods"],
        without: "nodes become NotReady and logs and exec fail",
        strength: 0.8,
    },
    Service {
        proto: "TCP",
        ports: &[(6789, 6789), (3300, 3300), (6800, 7568)],
        called: "Ceph",
        words: &["ceph", "osd", "osds", "rbd", "storage"],
        without: "OSDs and monitors do not reach each other",
        strength: 0.84,
    },
    Service {
        proto: "TCP",
        ports: &[(4369, 4369), (25672, 25672), (5671, 5672)],
        called: "RabbitMQ (clients or nodes)",
        words: &["rabbitmq", "amqp", "queue", "queues", "messages"],
        without: "nodes partition or clients cannot connect",
        strength: 0.78,
    },
    Service {
        proto: "TCP",
        ports: &[
            (3306, 3306),
            (5432, 5432),
            (1521, 1521),
            (1433, 1433),
            (27017, 27019),
            (6379, 6379),
            (16379, 16379),
            (26379, 26379),
            (50000, 50000),
        ],
        called: "a database's port",
        words: &[
            "database",
            "mysql",
            "postgres",
            "oracle",
            "mongo",
            "redis",
            "sql",
            "connect",
            "replication",
        ],
        without: "its clients or replicas time out",
        strength: 0.74,
    },
    Service {
        proto: "TCP",
        ports: &[
            (9092, 9094),
            (2181, 2181),
            (2888, 2888),
            (3888, 3888),
            (9200, 9300),
            (9042, 9042),
            (7000, 7001),
            (8300, 8302),
            (4646, 4648),
        ],
        called: "a clustered service's port (Kafka, ZooKeeper, Elasticsearch, Cassandra, Consul, Nomad)",
        words: &[
            "kafka",
            "zookeeper",
            "elasticsearch",
            "cassandra",
            "consul",
            "nomad",
            "cluster",
        ],
        without: "its nodes or clients lose it",
        strength: 0.76,
    },
    Service {
        proto: "TCP",
        ports: &[
            (2049, 2049),
            (111, 111),
            (20048, 20048),
            (3260, 3260),
            (445, 445),
            (24007, 24008),
            (49152, 49251),
            (7788, 7799),
            (4420, 4420),
        ],
        called: "network storage (NFS, iSCSI, SMB, GlusterFS, DRBD, NVMe)",
        words: &[
            "nfs",
            "iscsi",
            "smb",
            "samba",
            "gluster",
            "drbd",
            "mount",
            "share",
            "storage",
            "migration",
        ],
        without: "mounts and replicas hang",
        strength: 0.74,
    },
    Service {
        proto: "TCP",
        ports: &[
            (389, 389),
            (636, 636),
            (88, 88),
            (464, 464),
            (53, 53),
            (514, 514),
            (6514, 6514),
            (25, 25),
            (587, 587),
            (80, 80),
            (443, 443),
            (8080, 8080),
            (8443, 8443),
            (10050, 10051),
            (9100, 9100),
            (16509, 16514),
            (5900, 5999),
        ],
        called: "a service's port",
        words: &[
            "connect",
            "connection",
            "timeout",
            "timeouts",
            "firewall",
            "blocked",
            "ldap",
            "login",
            "mail",
            "web",
            "page",
            "monitoring",
            "log",
            "logs",
        ],
        without: "clients of this host time out",
        strength: 0.56,
    },
    Service {
        proto: "UDP",
        ports: &[
            (53, 53),
            (123, 123),
            (514, 514),
            (88, 88),
            (500, 500),
            (4500, 4500),
            (1194, 1194),
            (51820, 51820),
            (1812, 1813),
            (69, 69),
            (161, 162),
        ],
        called: "a service's port",
        words: &[
            "dns",
            "time",
            "ntp",
            "syslog",
            "log",
            "logs",
            "vpn",
            "radius",
            "pxe",
            "snmp",
            "resolve",
            "resolution",
            "firewall",
        ],
        without: "its queries get no answer",
        strength: 0.56,
    },
];

pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    for (_, group) in hits.of("firewall-drop") {
        let (proto, port) = (group.get("proto"), group.get("port"));
        let port: Option<u16> = port.parse().ok();
        let service = SERVICES.iter().find(|service| {
            service.proto == proto
                && (service.ports.is_empty()
                    || port.is_some_and(|port| {
                        service.ports.iter().any(|(a, b)| (*a..=*b).contains(&port))
                    }))
        });
        if let Some(service) = service
            && group.count() >= ENOUGH
        {
            report(host, service, group, out);
        }
    }
}

fn report(host: &Host, service: &Service, group: &Group, out: &mut Partial) {
    let (from, to) = (group.get("src"), group.get("dst"));
    let port = match group.get("port") {
        "" => String::new(),
        port => format!(" to port {port}"),
    };
    let way = if group.get("in").is_empty() {
        "outgoing "
    } else {
        ""
    };
    let label = group
        .get("label")
        .trim_matches(|c: char| !c.is_alphanumeric())
        .rsplit(['[', ']', ':'])
        .next()
        .unwrap_or_default()
        .trim();
    let mut strength = service.strength;
    if host.ticket_has(service.words)
        || host.ticket_has(&[
            "firewall",
            "hardening",
            "iptables",
            "nftables",
            "ufw",
            "firewalld",
        ])
    {
        strength = raise(strength);
    }
    Draft::cause(
        "firewall-drops-service",
        "firewall-blocks-service",
        strength,
        "Firewall",
        &format!("{}/{}", group.get("proto"), group.get("port")),
    )
    .says(
        format!(
            "The firewall drops {way}{}{port} from {from} to {to} ({label}, {})",
            service.called,
            times(group.count())
        ),
        format!(
            "The packet filter of this host drops {way}{}{port} from {from} to {to} ({label}): {}.",
            service.called, service.without
        ),
    )
    .cites(group.evidence())
    .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    fn drops(label: &str, rest: &str) -> String {
        (0..4)
            .map(|n| format!("Mar  5 06:{n}1:49 a kernel: [28852.2756{n}] {label}IN=ens1 OUT= MAC=01:00:5e SRC={rest}\n"))
            .collect()
    }

    #[test]
    fn a_redundancy_protocol_that_is_dropped_is_a_cause() {
        for label in [
            "[UFW BLOCK] ",
            "FINAL_REJECT: ",
            "IPTABLES-DROP: ",
            "SFW2-INext-DROP-DEFLT ",
        ] {
            let text = drops(
                label,
                "192.168.7.1 DST=224.0.0.18 LEN=40 TTL=255 ID=40 PROTO=112 ",
            );
            let out = on(&[("var/log/kern.log", &text)]);
            assert_eq!(causes(&out), ["firewall-blocks-service"], "{label}");
            assert!(out.signals[0].title.contains("VRRP"));
        }
        let text = drops(
            "filter_IN_public_DROP: ",
            "10.1.0.4 DST=10.1.0.5 LEN=60 PROTO=TCP SPT=41000 DPT=4567 WINDOW=1 SYN ",
        );
        assert!(
            on(&[("var/log/messages", &text)]).signals[0]
                .title
                .contains("Galera")
        );
    }

    #[test]
    fn scans_and_accepted_packets_are_none() {
        for (label, rest) in [
            (
                "[UFW BLOCK] ",
                "203.0.113.9 DST=10.1.0.5 LEN=40 PROTO=TCP SPT=4 DPT=3306 SYN ",
            ),
            (
                "[UFW BLOCK] ",
                "10.1.0.9 DST=10.1.0.255 LEN=40 PROTO=UDP SPT=137 DPT=137 LEN=58 ",
            ),
            (
                "[UFW ALLOW] ",
                "10.1.0.9 DST=10.1.0.5 LEN=40 PROTO=TCP SPT=4 DPT=3306 SYN ",
            ),
        ] {
            let text = drops(label, rest);
            assert!(
                on(&[("var/log/kern.log", &text)]).signals.is_empty(),
                "{label}{rest}"
            );
        }
    }
}
