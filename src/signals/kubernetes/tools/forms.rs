//! What tools print about a fault, form by form.

use super::super::emit::cut;
use super::super::words;
use super::{Form, Told, at_line, group, number};

pub(super) const FORMS: &[Form] = &[
    // linkerd check, cilium connectivity test and others: a failed check, and why below it.
    Form {
        needs: "× ",
        pattern: r"^\s*× (?P<what>[a-z].{6,120})$",
        make: |found, lines, at| {
            let why: Vec<&str> = lines[at + 1..]
                .iter()
                .take(4)
                .take_while(|(_, line)| line.starts_with("    "))
                .map(|(_, line)| line.trim())
                .filter(|line| !line.starts_with("see "))
                .collect();
            let why = why.join(" ");
            let lower = format!("{} {why}", group(found, "what")).to_lowercase();
            let expired = ["expired", "not valid anymore", "validity period"]
                .iter()
                .any(|word| lower.contains(word));
            Some(Told {
                slug: if expired {
                    "workload-certificate-expired"
                } else {
                    "mesh-check-failed"
                },
                kind: "Check",
                name: group(found, "what"),
                says: if why.is_empty() {
                    "this check fails".into()
                } else {
                    format!("this check fails: {}", cut(&why, 160))
                },
                strength: if expired { 0.9 } else { 0.74 },
                asked: 0.9,
                more: lines
                    .get(at + 1)
                    .filter(|(_, line)| line.starts_with("    "))
                    .map(|(line, _)| at_line(*line)),
                ..Told::default()
            })
        },
    },
    Form {
        needs: "[IST0",
        pattern: r"^\s*(?:\x1b\[[\d;]*m)*Error(?:\x1b\[[\d;]*m)* \[IST\d{4}\] \((?P<what>[^)]+)\) (?P<why>.+)$",
        make: |found, _, _| {
            Some(Told {
                slug: "mesh-config-invalid",
                kind: "MeshConfiguration",
                name: group(found, "what"),
                says: cut(&group(found, "why"), 180),
                strength: 0.84,
                asked: 0.92,
                ..Told::default()
            })
        },
    },
    // kubectl get --raw '/readyz?verbose'
    Form {
        needs: "[-]",
        pattern: r"^\s*\[-\](?P<what>[\w./-]+) failed: (?P<why>.+)$",
        make: |found, _, _| {
            let what = group(found, "what");
            Some(Told {
                slug: if what == "etcd" {
                    "etcd-unhealthy"
                } else {
                    "apiserver-check-failed"
                },
                kind: "Check",
                says: format!(
                    "this check of the API server fails ({})",
                    group(found, "why")
                ),
                name: what,
                strength: 0.78,
                asked: 0.84,
                ..Told::default()
            })
        },
    },
    // Hubble and cilium monitor: a flow that a policy drops.
    Form {
        needs: "olicy denied",
        pattern: r"(?:(?P<from>[\w./-]+)(?::\d+)? (?:\([^)]*\) )?(?:<>|->|\|\|) (?P<to>[\w./-]+)(?::(?P<port>\d+))? (?:\([^)]*\) )?.{0,40}Policy denied|drop \(Policy denied\).{0,120}? (?P<from2>[\d.]+):\d+ -> (?P<to2>[\d.]+):(?P<port2>\d+))",
        make: |found, _, _| {
            let (from, to) = (
                group(found, "from") + &group(found, "from2"),
                group(found, "to") + &group(found, "to2"),
            );
            let port = group(found, "port") + &group(found, "port2");
            Some(Told {
                slug: "networkpolicy-blocks",
                kind: "Flow",
                says: format!(
                    "a network policy drops packets from {from} to port {port} (Policy denied)"
                ),
                name: to,
                strength: 0.66,
                asked: 0.88,
                ..Told::default()
            })
        },
    },
    // kafka-topics --describe
    Form {
        needs: "Isr:",
        pattern: r"Topic: (?P<topic>\S+)\s+Partition: (?P<partition>\d+)\s+Leader: (?P<leader>\S+)\s+Replicas: (?P<replicas>[\d,]+)\s+Isr: ?(?P<isr>[\d,]*)",
        make: |found, lines, _| {
            let count = |name: &str| {
                group(found, name)
                    .split(',')
                    .filter(|part| !part.is_empty())
                    .count()
            };
            let (all, live) = (count("replicas"), count("isr"));
            let headless = matches!(group(found, "leader").as_str(), "none" | "-1");
            if live >= all && !headless {
                return None;
            }
            let topic = group(found, "topic");
            let least = lines
                .iter()
                .find(|(_, line)| line.contains("min.insync.replicas=") && line.contains(&topic))
                .and_then(|(_, line)| {
                    line.split("min.insync.replicas=")
                        .nth(1)?
                        .split(|c: char| !c.is_ascii_digit())
                        .next()?
                        .parse::<usize>()
                        .ok()
                });
            let short = least.filter(|least| live < *least);
            let says = match (headless, short) {
                (true, _) => format!(
                    "partition {} has no leader: it can neither be read nor written",
                    group(found, "partition")
                ),
                (_, Some(least)) => format!(
                    "partition {} has {live} of {all} copies in sync and demands {least} (min.insync.replicas): writes with acks=all are refused",
                    group(found, "partition")
                ),
                _ => format!(
                    "partition {} has {live} of {all} copies in sync",
                    group(found, "partition")
                ),
            };
            Some(Told {
                slug: "broker-partitions-degraded",
                kind: "Topic",
                name: topic,
                says,
                strength: if headless || short.is_some() {
                    0.87
                } else {
                    0.62
                },
                asked: 0.9,
                ..Told::default()
            })
        },
    },
    Form {
        needs: "can't find",
        pattern: r"^\*\* server can't find (?P<what>[\w.-]+?)\.?: (?P<why>NXDOMAIN|SERVFAIL|REFUSED)",
        make: |found, _, _| {
            let why = group(found, "why");
            Some(Told {
                slug: if why == "NXDOMAIN" {
                    "dependency-name-unresolved"
                } else {
                    "cluster-dns-failing"
                },
                kind: "Host",
                says: format!("the name does not resolve: the DNS server answers {why}"),
                name: group(found, "what"),
                strength: 0.6,
                asked: 0.84,
                about: &["dns", "resolve", "name"],
                ..Told::default()
            })
        },
    },
    Form {
        needs: "no servers could be reached",
        pattern: r"^;; (?P<what>connection timed out|communications error)?.{0,40}no servers could be reached",
        make: |_, lines, at| {
            let server = lines[..at]
                .iter()
                .rev()
                .take(12)
                .find_map(|(_, line)| {
                    line.split_once("Server:")
                        .map(|(_, rest)| rest.trim().to_owned())
                        .or_else(|| {
                            line.split_once('@').map(|(_, rest)| {
                                rest.split_whitespace()
                                    .next()
                                    .unwrap_or_default()
                                    .to_owned()
                            })
                        })
                })
                .unwrap_or_default();
            Some(Told {
                slug: "cluster-dns-failing",
                kind: "DNS",
                says: "the DNS server does not answer (connection timed out; no servers could be reached)".into(),
                name: server,
                strength: 0.7,
                asked: 0.82,
                about: &["dns", "resolve", "name"],
                ..Told::default()
            })
        },
    },
    Form {
        needs: "curl: (",
        pattern: r"curl: \((?P<code>\d+)\) (?P<why>.{8,200})$",
        make: |found, lines, at| {
            let why = group(found, "why");
            let verdict = words::classify(&why)?;
            let client = lines[..=at]
                .iter()
                .rev()
                .take(40)
                .find_map(|(_, line)| line.contains("curl ").then(|| super::client(line)))
                .flatten();
            let url = lines[..=at]
                .iter()
                .rev()
                .take(40)
                .find_map(|(_, line)| {
                    let from = line.find("http://").or_else(|| line.find("https://"))?;
                    let rest = line[from..].split_once("//")?.1;
                    rest.split(['/', ' ', '\'', '"', ':'])
                        .next()
                        .map(str::to_owned)
                })
                .unwrap_or_default();
            let name = if verdict.what.is_empty() {
                url
            } else {
                verdict.what
            };
            Some(Told {
                slug: verdict.slug,
                kind: "Host",
                says: format!("a request ends with: {}", cut(&why, 150)),
                name,
                strength: if matches!(
                    verdict.slug,
                    "workload-certificate-expired" | "workload-certificate-untrusted"
                ) {
                    0.76
                } else {
                    0.58
                },
                asked: 0.84,
                client,
                ..Told::default()
            })
        },
    },
    Form {
        needs: "is unhealthy",
        pattern: r"^(?:https?://)?(?P<what>[\w.:-]+:2379) is unhealthy: (?P<why>.+)$",
        make: |found, _, _| {
            Some(Told {
                slug: "etcd-unhealthy",
                kind: "Member",
                says: format!(
                    "this member of etcd is unhealthy: {}",
                    cut(&group(found, "why"), 140)
                ),
                name: group(found, "what"),
                strength: 0.82,
                asked: 0.86,
                ..Told::default()
            })
        },
    },
    Form {
        needs: "unstarted",
        pattern: r"^\|?\s*(?P<what>[0-9a-f]{12,16})(?:,| \|) ?unstarted",
        make: |found, _, _| {
            Some(Told {
                slug: "etcd-unhealthy",
                kind: "Member",
                says: "this member of etcd was added and never started, and counts for the quorum"
                    .into(),
                name: group(found, "what"),
                strength: 0.76,
                asked: 0.82,
                ..Told::default()
            })
        },
    },
    // _cat/shards: a primary shard that is nowhere; replicas without a node are ordinary on one node.
    Form {
        needs: "UNASSIGNED",
        pattern: r"^(?P<what>[\w.-]+)\s+(?P<shard>\d+)\s+p\s+UNASSIGNED\s*(?P<why>[A-Z_]*)",
        make: |found, _, _| {
            Some(Told {
                slug: "search-cluster-red",
                kind: "Index",
                says: format!(
                    "its primary shard {} is assigned to no node {}",
                    group(found, "shard"),
                    group(found, "why")
                ),
                name: group(found, "what"),
                strength: 0.84,
                asked: 0.88,
                ..Told::default()
            })
        },
    },
    // nodetool status
    Form {
        needs: "D",
        pattern: r"^D[NLJM]\s+(?P<what>\d+\.\d+\.\d+\.\d+)\s+[\d.?]+",
        make: |found, _, _| {
            Some(Told {
                slug: "database-node-down",
                kind: "Member",
                says: "this node of the database cluster is down (DN)".into(),
                name: group(found, "what"),
                strength: 0.7,
                asked: 0.8,
                ..Told::default()
            })
        },
    },
    Form {
        needs: "allocated",
        pattern: r"IPAM:\s+IPv4: (?P<used>\d+)/(?P<all>\d+) allocated",
        make: |found, _, _| {
            let (used, all) = (number(found, "used"), number(found, "all"));
            (all >= 8.0 && used >= all - 1.0).then(|| Told {
                slug: "cni-ip-exhausted",
                kind: "Node",
                says: format!(
                    "{used:.0} of {all:.0} addresses of the node's pod network are in use"
                ),
                name: "IPAM".into(),
                strength: 0.88,
                asked: 0.9,
                ..Told::default()
            })
        },
    },
    Form {
        needs: "IP Pool",
        pattern: r"^\|\s*(?:IP Pool|Block)\s*\|\s*(?P<what>[\d./]+)\s*\|\s*(?P<all>\d+)\s*\|\s*(?P<used>\d+) \(\d+%\)\s*\|\s*0 \(0%\)",
        make: |found, _, _| {
            Some(Told {
                slug: "cni-ip-exhausted",
                kind: "IPPool",
                says: format!(
                    "all {} addresses of this pool of the pod network are in use",
                    group(found, "all")
                ),
                name: group(found, "what"),
                strength: 0.88,
                asked: 0.92,
                ..Told::default()
            })
        },
    },
    Form {
        needs: "node-to-node mesh",
        pattern: r"^\|\s*(?P<what>[\d.:a-f]+)\s*\|\s*node-to-node mesh\s*\|\s*(?:start|stop|down)\s*\|[^|]*\|\s*(?P<why>[^|]*)\|",
        make: |found, _, _| {
            Some(Told {
                slug: "cni-peer-down",
                kind: "Node",
                says: format!(
                    "the route exchange (BGP) of the pod network with this node is not established: {}",
                    group(found, "why")
                ),
                name: group(found, "what"),
                strength: 0.8,
                asked: 0.86,
                ..Told::default()
            })
        },
    },
    // kubeadm certs check-expiration
    Form {
        needs: "<invalid>",
        pattern: r"^(?P<what>[\w./-]+)\s+\w{3} \d{1,2}, \d{4} \d\d:\d\d UTC\s+<invalid>",
        make: |found, _, _| {
            Some(Told {
                slug: "workload-certificate-expired",
                kind: "Certificate",
                says: "this certificate of the control plane has expired".into(),
                name: group(found, "what"),
                strength: 0.9,
                asked: 0.93,
                ..Told::default()
            })
        },
    },
    // df: image and pseudo file systems are always full.
    Form {
        needs: "% /",
        pattern: r"^(?P<device>\S+)\s+\S+\s+\S+\s+\S+\s+(?P<part>9[89]|100)% (?P<what>/\S*)$",
        make: |found, lines, _| {
            let (device, mount) = (group(found, "device"), group(found, "what"));
            let pseudo = [
                "/snap",
                "/sys",
                "/proc",
                "/boot/efi",
                "/run",
                "/cdrom",
                "/media",
                "/mnt/cdrom",
            ]
            .iter()
            .any(|lead| mount.starts_with(lead))
                || [
                    "tmpfs",
                    "devtmpfs",
                    "udev",
                    "shm",
                    "/dev/loop",
                    "/dev/sr",
                    "none",
                ]
                .iter()
                .any(|lead| device.starts_with(lead));
            let head = lines.iter().find(|(_, line)| line.contains("Mounted on"))?;
            let inodes = head.1.contains("IUse%");
            (!pseudo).then(|| Told {
                slug: "container-disk-full",
                kind: "FileSystem",
                says: if inodes {
                    format!(
                        "{} % of the inodes of this file system are in use: no file can be created",
                        group(found, "part")
                    )
                } else {
                    format!(
                        "this file system is {} % full ({device})",
                        group(found, "part")
                    )
                },
                name: mount,
                strength: if group(found, "part") == "100" {
                    0.86
                } else {
                    0.7
                },
                asked: 0.9,
                about: &["space", "disk", "full", "write"],
                ..Told::default()
            })
        },
    },
    // velero get backups
    Form {
        needs: "ailed",
        pattern: r"^(?P<what>[a-z0-9][\w.-]+)\s+(?P<why>PartiallyFailed|Failed|FailedValidation)\s+(?P<errors>\d+)\s+\d+\s+\d{4}-",
        make: |found, _, _| {
            Some(Told {
                slug: "backup-failing",
                kind: "Backup",
                says: format!(
                    "the backup ended as {} with {} errors",
                    group(found, "why"),
                    group(found, "errors")
                ),
                name: group(found, "what"),
                strength: 0.52,
                asked: 0.8,
                about: &["backup", "restore", "velero"],
                ..Told::default()
            })
        },
    },
];
