//! What tools that people run beside kubectl print about a fault: checks of meshes and networks, DNS and HTTP
//! probes, brokers, databases, file systems, certificates. Each is known by the form of its lines.

use super::emit::{Ctx, Draft, contains_word, cut};
use super::model::*;
use super::words;
use regex::{Captures, Regex};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A longer file is a log.
const MAX_LINES: usize = 20_000;
/// Facts of one kind taken of a file.
const MAX_EACH: usize = 12;

/// What a tool says.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// Cause.
    pub slug: &'static str,
    /// Kind of the object.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What is said of it, after the name.
    pub says: String,
    /// Strength.
    pub strength: f64,
    /// Strength when the complaint is about it.
    pub asked: f64,
    /// Words by which a complaint may mean it, beside its name.
    pub about: &'static [&'static str],
    /// Place.
    pub src: Src,
    /// Another telling place.
    pub more: Option<Src>,
}

/// Makes a statement of a match, the lines around it and the index of its own among them.
type Make = fn(&Captures, &[(u32, &str)], usize) -> Option<Told>;

/// A form of line and what it means.
struct Form {
    /// A literal that the line holds.
    needs: &'static str,
    pattern: &'static str,
    make: Make,
}

fn group(found: &Captures, name: &str) -> String {
    found
        .name(name)
        .map_or("", |part| part.as_str())
        .trim()
        .to_owned()
}

fn number(found: &Captures, name: &str) -> f64 {
    group(found, name).parse().unwrap_or(0.0)
}

const FORMS: &[Form] = &[
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

static COMPILED: LazyLock<Vec<Option<Regex>>> = LazyLock::new(|| {
    FORMS
        .iter()
        .map(|form| Regex::new(form.pattern).ok())
        .collect()
});

/// A place in a file that the caller fills in.
fn at_line(line: u32) -> Src {
    Src {
        file: 0,
        line,
        column: 0,
    }
}

/// Collects what tools say in a file; returns how much there was.
pub fn read(cluster: &mut Cluster, file: u32, lines: &[(u32, &str)]) -> usize {
    if lines.len() > MAX_LINES {
        return 0;
    }
    let before = cluster.told.len();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    for (at, (number, line)) in lines.iter().enumerate() {
        if line.len() > 1_000 {
            continue;
        }
        for (which, form) in FORMS.iter().enumerate() {
            let fits = if form.needs == "D" {
                line.starts_with('D')
            } else {
                line.contains(form.needs)
            };
            if !fits || counts.get(&which).is_some_and(|count| *count >= MAX_EACH) {
                continue;
            }
            let Some(found) = COMPILED[which]
                .as_ref()
                .and_then(|regex| regex.captures(line))
            else {
                continue;
            };
            let Some(mut told) = (form.make)(&found, lines, at) else {
                continue;
            };
            *counts.entry(which).or_default() += 1;
            told.src = Src {
                file,
                line: *number,
                column: 0,
            };
            told.more = told.more.map(|src| Src { file, ..src });
            push(cluster, told);
        }
    }
    tables(cluster, file, lines);
    stale(cluster, file, lines);
    cluster.told.len() - before
}

/// Kinds of objects that only tools speak of, which nobody runs without a suspicion.
pub const KINDS: [&str; 20] = [
    "Session",
    "Flow",
    "Check",
    "MeshConfiguration",
    "Proxy",
    "Topic",
    "Host",
    "DNS",
    "Member",
    "Index",
    "IPPool",
    "FileSystem",
    "ReplicationSlot",
    "Target",
    "Subnet",
    "ManagedService",
    "ScalingGroup",
    "CloudResource",
    "CloudOperation",
    "Queue",
];

/// Adds what a tool says, once.
pub fn push(cluster: &mut Cluster, told: Told) {
    let known = cluster.told.iter().any(|known| {
        known.slug == told.slug
            && known.says == told.says
            && (known.name == told.name || told.kind == "Target")
    });
    if !known {
        cluster.told.push(told);
    }
}

/// `istioctl proxy-status`: a proxy that did not take what it was sent.
fn stale(cluster: &mut Cluster, file: u32, lines: &[(u32, &str)]) {
    let Some(head) = lines.iter().position(|(_, line)| {
        line.starts_with("NAME") && line.contains("CDS") && line.contains("LDS")
    }) else {
        return;
    };
    for (number, line) in lines[head + 1..]
        .iter()
        .filter(|(_, line)| line.contains("STALE"))
        .take(MAX_EACH)
    {
        let name = line.split_whitespace().next().unwrap_or_default();
        push(
            cluster,
            Told {
                slug: "mesh-proxy-stale",
                kind: "Proxy",
                name: name.to_owned(),
                says:
                    "the proxy has not taken the configuration that the control plane sent (STALE)"
                        .into(),
                strength: 0.68,
                asked: 0.86,
                src: Src {
                    file,
                    line: *number,
                    column: 0,
                },
                ..Told::default()
            },
        );
    }
}

/// Seconds of `01:12:44.1`, `2 days 03:00:00` or a number.
fn seconds(text: &str) -> f64 {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return number;
    }
    let (days, clock) = match text.split_once(" day") {
        Some((days, rest)) => (
            days.trim().parse::<f64>().unwrap_or(0.0),
            rest.trim_start_matches('s').trim(),
        ),
        None => (0.0, text),
    };
    let parts: Vec<f64> = clock
        .split(':')
        .map(|part| part.trim().parse().unwrap_or(0.0))
        .collect();
    days * 86_400.0
        + match parts[..] {
            [h, m, s] => h * 3_600.0 + m * 60.0 + s,
            _ => 0.0,
        }
}

/// Tables with bars, as the shells of databases, patronictl and etcdctl draw them.
fn tables(cluster: &mut Cluster, file: u32, lines: &[(u32, &str)]) {
    const LONG: f64 = 300.0;
    let mut head: Vec<String> = Vec::new();
    let mut members: Option<(Src, bool)> = None;
    let cells = |line: &str| -> Vec<String> {
        line.trim()
            .trim_start_matches('|')
            .trim_end_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let mut told: Vec<Told> = Vec::new();
    for (number, line) in lines {
        if !line.contains('|') {
            let rule = line.trim_start().starts_with(['+', '-']) || line.trim().is_empty();
            if !rule {
                head.clear();
            }
            continue;
        }
        let row = cells(line);
        if row.len() < 3 {
            continue;
        }
        let lower: Vec<String> = row.iter().map(|cell| cell.to_lowercase()).collect();
        let is_head = [
            "pid",
            "blocked_pid",
            "slot_name",
            "member",
            "endpoint",
            "id",
            "datname",
        ]
        .iter()
        .any(|name| lower.iter().any(|cell| cell == name))
            && lower
                .iter()
                .all(|cell| !cell.is_empty() && !cell.starts_with(|c: char| c.is_ascii_digit()));
        if is_head || head.is_empty() {
            if is_head {
                head = lower;
            }
            continue;
        }
        let cell = |name: &str| {
            head.iter()
                .position(|column| column == name)
                .and_then(|at| row.get(at))
                .map_or("", String::as_str)
        };
        let any = |names: &[&str]| {
            head.iter()
                .zip(&row)
                .find(|(column, _)| names.iter().any(|name| column.contains(name)))
                .map_or("", |(_, cell)| cell.as_str())
        };
        let src = Src {
            file,
            line: *number,
            column: 0,
        };
        let query = cut(
            any(&["blocking_query", "blocking_statement", "query", "info"]),
            120,
        );
        if head
            .iter()
            .any(|column| column.contains("blocking") || column.contains("blocked_by"))
        {
            let blocker = any(&["blocking_pid", "blocked_by", "blocking_thread"]);
            if blocker.chars().any(|c| c.is_ascii_digit()) && blocker != "{}" {
                told.push(Told {
                    slug: "database-lock-wait",
                    kind: "Session",
                    name: blocker.trim_matches(['{', '}']).to_owned(),
                    says: format!("this session of the database blocks others: {query}"),
                    strength: 0.84,
                    asked: 0.88,
                    src,
                    ..Told::default()
                });
            }
        } else if cell("state").starts_with("idle in transaction") {
            let age = any(&["age", "duration", "idle_for", "since", "xact", "seconds"]);
            if seconds(age) >= LONG {
                told.push(Told {
                    slug: "database-lock-wait",
                    kind: "Session",
                    name: cell("pid").to_owned(),
                    says: format!("this session has left its transaction open for {} (idle in transaction) and keeps its locks: {} {query}", age, any(&["application_name", "usename", "user"])),
                    strength: 0.78,
                    asked: 0.84,
                    src,
                    ..Told::default()
                });
            }
        } else if any(&["state"]).contains("Waiting for") && any(&["state"]).contains("lock") {
            told.push(Told {
                slug: "database-lock-wait",
                kind: "Session",
                name: cell("id").to_owned(),
                says: format!("this session is {}: {query}", any(&["state"])),
                strength: 0.74,
                asked: 0.82,
                src,
                ..Told::default()
            });
        } else if head.iter().any(|column| column == "slot_name") {
            if matches!(cell("active"), "f" | "false") {
                told.push(Told {
                    slug: "database-log-retained",
                    kind: "ReplicationSlot",
                    name: cell("slot_name").to_owned(),
                    says: format!("nobody reads this replication slot (active: f), so the database keeps all its write-ahead log for it {}", any(&["retained", "lag", "wal_size", "behind"])),
                    strength: 0.66,
                    asked: 0.82,
                    about: &["disk", "wal", "space", "full"],
                    src,
                    ..Told::default()
                });
            }
        } else if head.iter().any(|column| column == "datname")
            && head.iter().any(|column| column.contains("age"))
        {
            let age: f64 = any(&["age"]).replace(',', "").parse().unwrap_or(0.0);
            if age > 1_800_000_000.0 {
                told.push(Told {
                    slug: "database-transaction-ids-used-up",
                    kind: "Database",
                    name: cell("datname").to_owned(),
                    says: format!("{age:.0} of about 2100000000 transaction ids are used without a freeze: the database stops to accept writes"),
                    strength: 0.88,
                    asked: 0.9,
                    src,
                    ..Told::default()
                });
            }
        } else if head.iter().any(|column| column == "member")
            && head.iter().any(|column| column == "role")
        {
            let leads = cell("role").to_lowercase().contains("leader");
            let (_, known) = members.get_or_insert((src, false));
            *known |= leads;
            let state = cell("state");
            if ["failed", "stopped", "crashed"]
                .iter()
                .any(|word| state.contains(word))
            {
                told.push(Told {
                    slug: "database-node-down",
                    kind: "Member",
                    name: cell("member").to_owned(),
                    says: format!("this member of the database cluster is not running ({state})"),
                    strength: 0.74,
                    asked: 0.82,
                    src,
                    ..Told::default()
                });
            }
            let lag: f64 = any(&["lag"]).parse().unwrap_or(0.0);
            if lag >= 512.0 {
                told.push(Told {
                    slug: "database-replica-behind",
                    kind: "Member",
                    name: cell("member").to_owned(),
                    says: format!("the replica is {lag:.0} MB behind its primary"),
                    strength: 0.7,
                    asked: 0.82,
                    src,
                    ..Told::default()
                });
            }
        } else if head.iter().any(|column| column == "endpoint")
            && head.iter().any(|column| column == "errors")
        {
            let error = cell("errors");
            if error.len() > 3 {
                told.push(Told {
                    slug: "etcd-unhealthy",
                    kind: "Member",
                    name: cell("endpoint").to_owned(),
                    says: format!("this member of etcd reports: {}", cut(error, 120)),
                    strength: 0.84,
                    asked: 0.86,
                    src,
                    ..Told::default()
                });
            }
        }
    }
    if let Some((src, false)) = members {
        let name = lines
            .iter()
            .find_map(|(_, line)| line.split_once("Cluster: "))
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .unwrap_or_default();
        told.push(Told {
            slug: "database-no-primary",
            kind: "Cluster",
            name: name.to_owned(),
            says: "no member of the database cluster has the role Leader, each is a Replica, so nothing can be written".into(),
            strength: 0.88,
            asked: 0.9,
            src,
            ..Told::default()
        });
    }
    for one in told.into_iter().take(MAX_EACH) {
        push(cluster, one);
    }
}

/// Signals of what tools said.
pub fn detect(ctx: &Ctx) {
    for told in &ctx.cluster.told {
        let asked = ctx.in_ticket(&told.name)
            || told
                .name
                .split(['/', '.'])
                .any(|part| part.len() > 3 && ctx.is_asked(app_of(part)))
            || told
                .about
                .iter()
                .any(|word| contains_word(&ctx.ticket, word))
            || ctx.narrow && told.about.is_empty();
        let who = match told.name.is_empty() {
            true => told.kind.to_lowercase(),
            false => format!("{} {}", told.kind.to_lowercase(), told.name),
        };
        let strength = if asked { told.asked } else { told.strength };
        let kind = told.kind;
        let draft = Draft::cause(told.slug, kind, "", &told.name, strength);
        ctx.emit(
            draft
                .says(
                    format!("{who}: {}", told.says),
                    format!("The output of a tool says of {who}: {}.", told.says),
                )
                .show(ctx.quote(told.src, &told.name))
                .show(told.more.and_then(|src| ctx.quote(src, ""))),
        );
    }
}

/// Causes that tools name.
#[cfg(test)]
pub const SLUGS: &[&str] = &[
    "mesh-check-failed",
    "mesh-config-invalid",
    "mesh-proxy-stale",
    "apiserver-check-failed",
    "broker-partitions-degraded",
    "search-cluster-red",
    "database-node-down",
    "database-no-primary",
    "database-replica-behind",
    "database-log-retained",
    "database-transaction-ids-used-up",
    "cni-peer-down",
    "backup-failing",
];

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, loudest, run_with};
    use super::*;

    #[test]
    fn every_form_compiles() {
        assert!(COMPILED.iter().all(Option::is_some));
    }

    #[test]
    fn tools_name_the_fault() {
        for (file, text, cause, words) in [
            (
                "linkerd_check.txt",
                "linkerd-identity\n----------------\n√ certificate config is valid\n× trust anchors are within their validity period\n    Invalid anchors:\n    * 117 root.linkerd.cluster.local not valid anymore. Expired on 2025-03-01T00:00:00Z\n    see https://linkerd.io/2/checks/#l5d for hints\n",
                "workload-certificate-expired",
                "trust anchors",
            ),
            (
                "istioctl_analyze.txt",
                "Error [IST0101] (VirtualService web.shop) Referenced host+subset in destinationrule not found: \"api+v3\"\nInfo [IST0102] (Namespace x) The namespace is not enabled for Istio injection.\n",
                "mesh-config-invalid",
                "web.shop",
            ),
            (
                "readyz.txt",
                "[+]ping ok\n[+]log ok\n[-]etcd failed: reason withheld\nreadyz check failed\n",
                "etcd-unhealthy",
                "etcd",
            ),
            (
                "kafka-topics_describe.txt",
                "Topic: orders\tPartitionCount: 2\tReplicationFactor: 3\tConfigs: min.insync.replicas=2\n\tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1,2,3\tIsr: 1\n\tTopic: orders\tPartition: 1\tLeader: 1\tReplicas: 1,2,3\tIsr: 1,2,3\n",
                "broker-partitions-degraded",
                "acks=all",
            ),
            (
                "exec_df.txt",
                "Filesystem     Size  Used Avail Use% Mounted on\noverlay        100G   40G   60G  40% /\n/dev/nvme1n1    20G   20G   12K 100% /var/lib/postgresql/data\n/dev/loop3      64M   64M     0 100% /snap/core/1\n",
                "container-disk-full",
                "/var/lib/postgresql/data",
            ),
            (
                "certs.txt",
                "CERTIFICATE                EXPIRES                  RESIDUAL TIME   CERTIFICATE AUTHORITY   EXTERNALLY MANAGED\nadmin.conf                 Mar 10, 2025 10:00 UTC   <invalid>       ca                      no\n",
                "workload-certificate-expired",
                "admin.conf",
            ),
            (
                "pg_stat_activity.txt",
                " pid  | usename | state               | xact_age | query\n------+---------+---------------------+----------+-------\n 4711 | app     | idle in transaction | 02:10:44 | UPDATE stock SET n = 1\n 4712 | app     | active              | 00:00:01 | SELECT 1\n",
                "database-lock-wait",
                "4711",
            ),
            (
                "patronictl_list.txt",
                "+ Cluster: pg (7300) --+---------+---------+----+-----------+\n| Member | Host     | Role    | State   | TL | Lag in MB |\n+--------+----------+---------+---------+----+-----------+\n| pg-0   | 10.0.0.1 | Replica | running |  4 |         0 |\n| pg-1   | 10.0.0.2 | Replica | running |  4 |         0 |\n",
                "database-no-primary",
                "role Leader",
            ),
            (
                "nslookup.txt",
                "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10#53\n\n** server can't find ledger.pay.svc.cluster.local: NXDOMAIN\n",
                "dependency-name-unresolved",
                "ledger.pay.svc.cluster.local",
            ),
            (
                "cilium_status.txt",
                "KVStore: Ok\nKubernetes: Ok\nIPAM:                    IPv4: 254/254 allocated from 10.0.1.0/24, \n",
                "cni-ip-exhausted",
                "254 of 254",
            ),
        ] {
            finds(&[(file, text)], cause, words);
        }
    }

    #[test]
    fn healthy_outputs_say_nothing() {
        for (file, text) in [
            (
                "linkerd_check.txt",
                "√ can initialize the client\n√ all good\nStatus check results are √\n",
            ),
            (
                "kafka-topics_describe.txt",
                "\tTopic: a\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 2,1\n",
            ),
            (
                "df.txt",
                "Filesystem     Size  Used Avail Use% Mounted on\noverlay        100G   40G   60G  40% /\n/dev/loop3      64M   64M     0 100% /snap/core/1\n",
            ),
            (
                "pg_stat_activity.txt",
                " pid  | usename | state               | xact_age | query\n------+---------+------+------+-----\n 4711 | app     | idle in transaction | 00:00:00.2 | BEGIN\n",
            ),
            (
                "patronictl_list.txt",
                "| Member | Host | Role | State | TL | Lag in MB |\n| pg-0 | 10.0.0.1 | Leader | running | 4 | |\n| pg-1 | 10.0.0.2 | Replica | streaming | 4 | 0 |\n",
            ),
        ] {
            let partial = run_with(&[(file, text)], None);
            assert!(loudest(&partial) < 0.3, "{file}");
        }
    }
}
