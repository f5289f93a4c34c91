//! What tools that people run beside kubectl print about a fault: checks of meshes and networks, DNS and HTTP
//! probes, brokers, databases, file systems, certificates. Each is known by the form of its lines.

mod forms;
mod tables;

use self::forms::FORMS;
use self::tables::{stale, tables};
use super::emit::{Ctx, Draft, contains_word, cut};
use super::model::*;
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
    /// Namespace and name of the pod or workload in which somebody ran the tool.
    pub client: Option<(String, String)>,
}

/// Namespace and name of `kubectl -n shop exec -it deploy/web -- curl …`.
fn client(line: &str) -> Option<(String, String)> {
    static EXEC: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"\b(?:kubectl|oc)\b.*?\s(?:-n|--namespace)[ =](?P<ns>[a-z0-9-]+)\b").ok()
    });
    static POD: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"\s(?:exec|debug)\s+(?:-\S+\s+)*(?:[a-z.]+/)?(?P<name>[a-z0-9][a-z0-9.-]*)")
            .ok()
    });
    let ns = EXEC.as_ref()?.captures(line)?;
    let name = POD.as_ref()?.captures(line)?;
    Some((ns["ns"].to_owned(), name["name"].to_owned()))
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
        let mut draft = Draft::cause(told.slug, kind, "", &told.name, strength);
        if let Some((ns, name)) = &told.client {
            draft = draft
                .entity("client_namespace", ns)
                .entity("client", name)
                .entity("dependency", &told.name);
        }
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
