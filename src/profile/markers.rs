//! The markers of each layout. A marker is a path (relative to some root) or a first line that the
//! tool which makes the layout writes by itself.

use super::{Layout, Name};
use crate::bundle::{FileKind, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// Small text files looked into for the headers of `kubectl` outputs.
const MAX_PEEKS: usize = 400;
/// A file larger than this is not looked into while recognising a layout.
const MAX_PEEK_BYTES: u64 = 4 << 20;
/// Lines read of each file that is looked into.
const PEEK_LINES: usize = 6;

/// A path marker: the layout, the part that must occur at a folder border, its weight, its words.
const PATHS: &[(Name, &str, f64, &str)] = &[
    (
        Name::Troubleshoot,
        "cluster-resources/pods/",
        0.6,
        "cluster-resources/pods/",
    ),
    (
        Name::Troubleshoot,
        "cluster-resources/nodes.json",
        0.4,
        "cluster-resources/nodes.json",
    ),
    (
        Name::Troubleshoot,
        "cluster-resources/namespaces.json",
        0.3,
        "cluster-resources/namespaces.json",
    ),
    (
        Name::Troubleshoot,
        "cluster-resources/events/",
        0.3,
        "cluster-resources/events/",
    ),
    (
        Name::Troubleshoot,
        "cluster-info/cluster_version.json",
        0.2,
        "cluster-info/cluster_version.json",
    ),
    (
        Name::Troubleshoot,
        "execution-data/summary.txt",
        0.2,
        "execution-data/summary.txt",
    ),
    (
        Name::MustGather,
        "cluster-scoped-resources/",
        0.6,
        "cluster-scoped-resources/",
    ),
    (Name::MustGather, "namespaces/", 0.2, "namespaces/"),
    (
        Name::MustGather,
        "event-filter.html",
        0.4,
        "event-filter.html",
    ),
    (
        Name::MustGather,
        "host_service_logs/",
        0.2,
        "host_service_logs/",
    ),
    (Name::MustGather, "etcd_info/", 0.2, "etcd_info/"),
    (Name::Sosreport, "sos_commands/", 0.7, "sos_commands/"),
    (Name::Sosreport, "sos_reports/", 0.3, "sos_reports/"),
    (Name::Sosreport, "sos_logs/", 0.3, "sos_logs/"),
    (Name::Sosreport, "etc/os-release", 0.1, "etc/os-release"),
    (
        Name::Supportconfig,
        "basic-environment.txt",
        0.5,
        "basic-environment.txt",
    ),
    (
        Name::Supportconfig,
        "basic-health-check.txt",
        0.3,
        "basic-health-check.txt",
    ),
    (
        Name::Supportconfig,
        "supportconfig.txt",
        0.4,
        "supportconfig.txt",
    ),
    (Name::Supportconfig, "rpm.txt", 0.1, "rpm.txt"),
    (Name::Rke2, "rke2/kubectl/", 0.7, "rke2/kubectl/"),
    (Name::Rke2, "rke2/podlogs/", 0.5, "rke2/podlogs/"),
    (Name::Rke2, "k3s/kubectl/", 0.7, "k3s/kubectl/"),
    (Name::Rke2, "k3s/podlogs/", 0.5, "k3s/podlogs/"),
    (Name::Rke2, "rke2/crictl/", 0.3, "rke2/crictl/"),
    (Name::Rke2, "systemlogs/", 0.1, "systemlogs/"),
    (
        Name::Insights,
        "insights-operator/gathers.json",
        0.60,
        "insights-operator/gathers.json",
    ),
    (
        Name::Insights,
        "insights_commands/",
        0.60,
        "insights_commands/",
    ),
    (
        Name::Insights,
        "config/clusteroperator/",
        0.30,
        "config/clusteroperator/",
    ),
    (Name::Insights, "config/pod/", 0.20, "config/pod/"),
    (
        Name::Insights,
        "config/version.json",
        0.20,
        "config/version.json",
    ),
    (Name::Insights, "conditional/", 0.10, "conditional/"),
    (Name::Insights, "branch_info", 0.20, "branch_info"),
    (Name::Harvester, "yamls/cluster/", 0.50, "yamls/cluster/"),
    (
        Name::Harvester,
        "yamls/namespaced/",
        0.30,
        "yamls/namespaced/",
    ),
    (Name::Harvester, "nodes/", 0.05, "nodes/"),
    (
        Name::Elastic,
        "diagnostic_manifest.json",
        0.40,
        "diagnostic_manifest.json",
    ),
    (Name::Elastic, "diagnostics.log", 0.20, "diagnostics.log"),
    (
        Name::Elastic,
        "cluster_health.json",
        0.30,
        "cluster_health.json",
    ),
    (Name::Elastic, "nodes_stats.json", 0.30, "nodes_stats.json"),
    (Name::Elastic, "cat/cat_", 0.30, "cat/cat_"),
    (Name::Elastic, "commercial/", 0.10, "commercial/"),
    (Name::Hcdiag, "Manifest.json", 0.30, "Manifest.json"),
    (Name::Hcdiag, "Results.json", 0.40, "Results.json"),
];

/// A layout is taken for found from this weight on.
const ENOUGH: f64 = 0.5;

/// Every layout whose markers are in the tree, unsorted, each root on its own.
pub fn find(tree: &Tree) -> Vec<Layout> {
    let mut hits: BTreeMap<(Name, String), BTreeMap<&str, f64>> = BTreeMap::new();
    for entry in &tree.index().entries {
        let path = entry.path.as_str();
        for (name, part, weight, words) in PATHS {
            if let Some(root) = root_before(path, part) {
                hits.entry((*name, root.to_owned()))
                    .or_default()
                    .insert(words, *weight);
            }
        }
        if let Some((root, namespace)) = dump_namespace(path) {
            let _ = namespace;
            let seen = hits
                .entry((Name::ClusterInfoDump, root.to_owned()))
                .or_default();
            let marker = if path.ends_with("/logs.txt") {
                "<namespace>/<pod>/logs.txt"
            } else {
                "<namespace>/{pods,events,…}.json"
            };
            let weight = seen.get(marker).copied().unwrap_or(0.0) + 0.15;
            seen.insert(marker, weight.min(0.6));
        }
    }
    let mut found: Vec<Layout> = hits
        .into_iter()
        .filter_map(|((name, root), seen)| {
            let weight: f64 = seen.values().sum();
            (weight >= ENOUGH).then(|| Layout {
                name,
                root,
                why: seen.keys().map(|words| format!("holds {words}")).collect(),
                confidence: (0.45 + weight * 0.5).min(0.99),
            })
        })
        .collect();
    // `namespaces/` and `cluster-resources/…` also occur inside other layouts' folders.
    if found.iter().any(|layout| layout.name == Name::Troubleshoot) {
        found.retain(|layout| layout.name != Name::ClusterInfoDump);
    }
    found.extend(kubectl_outputs(tree, &found));
    found
}

/// The part of `path` before `part`, when `part` begins at a folder border.
fn root_before<'a>(path: &'a str, part: &str) -> Option<&'a str> {
    let at = path.find(part)?;
    let whole = part.ends_with(['/', '_']) || path.len() == at + part.len();
    (whole && (at == 0 || path.as_bytes().get(at - 1) == Some(&b'/'))).then(|| &path[..at])
}

/// Root and namespace when `path` looks like a file of `kubectl cluster-info dump`.
fn dump_namespace(path: &str) -> Option<(&str, &str)> {
    const KINDS: [&str; 8] = [
        "pods.json",
        "events.json",
        "services.json",
        "daemonsets.json",
        "deployments.json",
        "replicasets.json",
        "replication-controllers.json",
        "logs.txt",
    ];
    let (folder, file) = path.rsplit_once('/')?;
    if !KINDS.contains(&file) || path.contains("cluster-resources/") {
        return None;
    }
    let folder = if file == "logs.txt" {
        folder.rsplit_once('/')?.0
    } else {
        folder
    };
    let namespace = folder.rsplit('/').next()?;
    Some((&path[..folder.len() - namespace.len()], namespace))
}

/// Whether a line is the head of what `kubectl` prints.
pub fn is_kubectl_head(line: &str) -> bool {
    let line = line.trim_start_matches([' ', '"']);
    let words: BTreeSet<&str> = line.split_whitespace().collect();
    let table = (words.contains("NAME")
        && (words.contains("AGE") || words.contains("READY") || words.contains("STATUS")))
        || (words.contains("REASON") && words.contains("OBJECT") && words.contains("MESSAGE"))
        || (words.contains("NAME") && line.contains("CPU(cores)"));
    table || line.starts_with("Error from server (") || line.starts_with("No resources found in ")
}

/// A row of `kubectl get pods` without its header: `[namespace] name 1/1 Running 0 5d …`.
pub fn is_pod_row(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_ready = |word: &&str| {
        word.split_once('/')
            .is_some_and(|(a, b)| is_number(a) && is_number(b))
    };
    [1, 2].iter().any(|at| {
        words.get(*at).is_some_and(is_ready)
            && words.get(at + 2).is_some_and(|word| is_number(word))
            && words.len() > at + 3
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 10 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn kubectl_outputs(tree: &Tree, found: &[Layout]) -> Option<Layout> {
    let mut why: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut roots: Option<String> = None;
    let mut peeks = 0;
    for entry in tree.files() {
        let path = entry.path.as_str();
        let inside = found.iter().any(|layout| match layout.name {
            Name::Troubleshoot => path.starts_with(&format!("{}cluster-resources/", layout.root)),
            Name::Sosreport => path.strip_prefix(layout.root.as_str()).is_some_and(|rest| {
                [
                    "sos_", "etc/", "var/", "proc/", "sys/", "usr/", "run/", "boot/", "lib/",
                ]
                .iter()
                .any(|dir| rest.starts_with(dir))
            }),
            _ => path.starts_with(layout.root.as_str()),
        });
        if inside
            || peeks >= MAX_PEEKS
            || entry.bytes > MAX_PEEK_BYTES
            || !matches!(
                entry.kind,
                FileKind::Text | FileKind::Log | FileKind::Yaml | FileKind::Json
            )
        {
            continue;
        }
        peeks += 1;
        let mut head = Vec::new();
        let read = tree.for_each_line(entry, |number, line| {
            head.push(line.chars().take(400).collect::<String>());
            number < PEEK_LINES
        });
        if read.is_err() {
            continue;
        }
        let reason = if head.first().is_some_and(|line| line.starts_with("Name:  ")) {
            Some("kubectl describe pages")
        } else if head.iter().take(2).any(|line| is_kubectl_head(line)) {
            Some("kubectl get tables")
        } else if head.first().is_some_and(|line| is_pod_row(line)) {
            Some("rows of kubectl get tables")
        } else if head.iter().take(3).any(|line| {
            line.starts_with("apiVersion: ") || line.trim_start().starts_with("\"apiVersion\":")
        }) {
            Some("Kubernetes objects as YAML or JSON")
        } else if path
            .rsplit_once('/')
            .is_some_and(|(dir, _)| dir.ends_with("kubectl") || dir.contains("/kubectl/"))
        {
            Some("files in a folder named kubectl")
        } else {
            None
        };
        if let Some(reason) = reason {
            *why.entry(reason).or_default() += 1;
            let dir = path
                .rsplit_once('/')
                .map_or(String::new(), |(dir, _)| format!("{dir}/"));
            roots = Some(match roots {
                None => dir,
                Some(known) => common_folder(&known, &dir).to_owned(),
            });
        }
    }
    let count: usize = why.values().sum();
    let others = !found.is_empty();
    // Inside another layout a single stray table is not a layout of its own.
    if count == 0 || (others && count < 3) {
        return None;
    }
    let weight = 0.55 + 0.04 * count.min(10) as f64;
    Some(Layout {
        name: Name::KubectlOutputs,
        root: roots.unwrap_or_default(),
        why: why
            .into_iter()
            .map(|(what, files)| format!("{files} x {what}"))
            .collect(),
        confidence: if others { weight.min(0.8) } else { weight },
    })
}

/// The longest folder (with its `/`) that both paths share.
fn common_folder<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
    a.get(..same)
        .and_then(|common| common.rfind('/'))
        .map_or("", |end| &a[..=end])
}
