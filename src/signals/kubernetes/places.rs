//! What a path says by itself: the kind of the objects in a file, the namespace of its rows.

use super::model::*;
use super::objects;
use std::collections::BTreeSet;

/// Kinds of objects that detectors use, with the folder and file names that lists of them carry.
pub const KINDS: &[(&str, &str)] = &[
    ("pods", "Pod"),
    ("pod", "Pod"),
    ("nodes", "Node"),
    ("node", "Node"),
    ("events", "Event"),
    ("event", "Event"),
    ("deployments", "Deployment"),
    ("deployment", "Deployment"),
    ("statefulsets", "StatefulSet"),
    ("statefulset", "StatefulSet"),
    ("daemonsets", "DaemonSet"),
    ("daemonset", "DaemonSet"),
    ("replicasets", "ReplicaSet"),
    ("replicaset", "ReplicaSet"),
    ("replication-controllers", "ReplicationController"),
    ("jobs", "Job"),
    ("cronjobs", "CronJob"),
    ("services", "Service"),
    ("service", "Service"),
    ("endpoints", "Endpoints"),
    ("endpointslices", "EndpointSlice"),
    ("pvcs", "PersistentVolumeClaim"),
    ("persistentvolumeclaims", "PersistentVolumeClaim"),
    ("pvs", "PersistentVolume"),
    ("persistentvolumes", "PersistentVolume"),
    ("storage-classes", "StorageClass"),
    ("storageclasses", "StorageClass"),
    ("resource-quotas", "ResourceQuota"),
    ("resource-quota", "ResourceQuota"),
    ("resourcequotas", "ResourceQuota"),
    ("horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    ("ingress", "Ingress"),
    ("ingresses", "Ingress"),
    ("ingressclasses", "IngressClass"),
    ("ingress-classes", "IngressClass"),
    ("network-policy", "NetworkPolicy"),
    ("networkpolicies", "NetworkPolicy"),
    ("pod-disruption-budgets", "PodDisruptionBudget"),
    ("poddisruptionbudgets", "PodDisruptionBudget"),
    ("destinationrules", "DestinationRule"),
    ("peerauthentications", "PeerAuthentication"),
    ("applications", "Application"),
    ("namespaces", "Namespace"),
    ("configmaps", "ConfigMap"),
    ("secrets", "Secret"),
    ("serviceaccounts", "ServiceAccount"),
    ("apiservices", "APIService"),
    (
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
    ),
    (
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
    ),
    ("clusteroperators", "ClusterOperator"),
    ("clusterversions", "ClusterVersion"),
    ("machineconfigpools", "MachineConfigPool"),
];

/// Lists that are large and hold nothing detectors use.
pub fn is_uninteresting(rel: &str) -> bool {
    const PARTS: [&str; 15] = [
        "custom-resource-definitions",
        "customresourcedefinitions",
        "clusterroles",
        "clusterrole",
        "/roles/",
        "auth-cani-list",
        "cluster-resources/resources.json",
        "cluster-resources/groups.json",
        "managedfields",
        "packagemanifests",
        "imagestreams",
        "openapi",
        "helm-releases",
        "node-metrics/",
        "imagecontentsource",
    ];
    let lower = rel.to_ascii_lowercase();
    PARTS.iter().any(|part| lower.contains(part))
}

/// The kind and namespace that a path says: `cluster-resources/pods/ns.json`, `ns/events.json`,
/// `namespaces/ns/core/pods.yaml`.
pub fn kind_of_path(rel: &str) -> (Option<&'static str>, String) {
    let mut parts: Vec<&str> = rel.split('/').collect();
    let file = parts.pop().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let folder = parts.last().copied().unwrap_or_default();
    let of = |word: &str| {
        KINDS
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, kind)| *kind)
    };
    if parts.contains(&"cluster-resources") || parts.contains(&"custom-resources") {
        if parts.contains(&"custom-resources") {
            return (None, String::new());
        }
        return match of(folder) {
            Some(kind) => (Some(kind), stem.to_owned()),
            None => (of(stem), String::new()),
        };
    }
    if let Some(at) = parts.iter().position(|part| *part == "namespaces") {
        return (
            of(stem),
            parts.get(at + 1).copied().unwrap_or_default().to_owned(),
        );
    }
    (
        of(stem),
        if of(stem).is_some() && parts.len() > 1 {
            folder.to_owned()
        } else {
            String::new()
        },
    )
}

/// The namespace in a file's name: `…_-n_shop.txt`, `-n shop`, `namespaces/shop/…`.
pub fn namespace_of_path(rel: &str) -> String {
    for lead in [
        "_-n_",
        "-n_",
        "--namespace_",
        "-n=",
        " -n ",
        "namespace=",
        "_-n-",
        "--n-",
    ] {
        if let Some((_, rest)) = rel.rsplit_once(lead) {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')
                .collect();
            if !name.is_empty() {
                return name;
            }
        }
    }
    let parts: Vec<&str> = rel.split('/').collect();
    parts
        .iter()
        .position(|part| *part == "namespaces" || *part == "namespaced")
        .and_then(|at| parts.get(at + 1))
        .filter(|_| parts.len() > 2)
        .map(|ns| (*ns).to_owned())
        .unwrap_or_default()
}

/// The namespace in the command that a captured output begins with: `$ kubectl -n shop get svc`; "" when the
/// command names none, `None` for other lines.
pub fn namespace_of_command(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_command = words
        .iter()
        .take(4)
        .any(|word| matches!(word.rsplit('/').next(), Some("kubectl" | "oc" | "k")));
    let prompted = ["$", "#", "+", ">"]
        .iter()
        .any(|sign| line.trim_start().starts_with(sign));
    if !is_command || !prompted {
        return None;
    }
    let name = words.iter().enumerate().find_map(|(at, word)| match *word {
        "-n" | "--namespace" => words.get(at + 1).copied(),
        word => word
            .strip_prefix("--namespace=")
            .or_else(|| word.strip_prefix("-n=")),
    });
    let is_name = |name: &&str| {
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    Some(name.filter(is_name).unwrap_or_default().to_owned())
}

/// Fills in namespaces of rows from the file's name, where that names one that is known elsewhere.
pub fn settle_namespaces(cluster: &mut Cluster) {
    let mut known: BTreeSet<String> = cluster
        .pods
        .iter()
        .map(|pod| pod.ns.clone())
        .chain(cluster.workloads.iter().map(|w| w.ns.clone()))
        .collect();
    known.extend(cluster.notes.iter().map(|note| note.ns.clone()));
    known.extend(
        cluster
            .names
            .iter()
            .filter(|(kind, _, _)| kind == "Namespace")
            .map(|(_, _, name)| name.clone()),
    );
    known.insert("default".into());
    known.insert("kube-system".into());
    known.remove("");
    // The folders of logs are namespaces too: logs/<ns>/<pod>.log
    let files = cluster.files.clone();
    for path in &files {
        if let Some((_, rest)) = path.split_once("/logs/") {
            let mut parts = rest.split('/');
            if let (Some(ns), Some(_)) = (parts.next(), parts.next()) {
                known.insert(ns.to_owned());
            }
        }
    }
    let of_file: Vec<String> = files
        .iter()
        .map(|path| {
            let file = path.rsplit('/').next().unwrap_or_default();
            let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
            let by_end = stem
                .rsplit(['_', '.', ' '])
                .next()
                .filter(|word| known.contains(*word));
            by_end
                .or_else(|| path.split('/').find(|part| known.contains(*part)))
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    let ns_of = |src: Src| of_file.get(src.file as usize).cloned().unwrap_or_default();
    let by_pod: std::collections::BTreeMap<String, String> = cluster
        .pods
        .iter()
        .filter(|pod| !pod.ns.is_empty())
        .map(|pod| (pod.name.clone(), pod.ns.clone()))
        .collect();
    for pod in cluster.pods.iter_mut().filter(|pod| pod.ns.is_empty()) {
        pod.ns = ns_of(pod.src);
    }
    for note in cluster
        .notes
        .iter_mut()
        .filter(|note| note.ns.is_empty() && note.kind != "Node")
    {
        note.ns = by_pod
            .get(&note.name)
            .cloned()
            .unwrap_or_else(|| ns_of(note.src));
    }
    for workload in cluster
        .workloads
        .iter_mut()
        .filter(|workload| workload.ns.is_empty())
    {
        workload.ns = ns_of(workload.src);
    }
    for claim in cluster.pvcs.iter_mut().filter(|claim| claim.ns.is_empty()) {
        claim.ns = ns_of(claim.src);
    }
    for service in cluster
        .services
        .iter_mut()
        .filter(|service| service.ns.is_empty())
    {
        service.ns = ns_of(service.src);
    }
    for set in cluster.endpoints.iter_mut().filter(|set| set.ns.is_empty()) {
        set.ns = ns_of(set.src);
    }
    // Merge pods and workloads that are the same now that their namespaces are known.
    cluster.pods_by_name.clear();
    for pod in std::mem::take(&mut cluster.pods) {
        objects::add_pod(cluster, pod);
    }
    for workload in std::mem::take(&mut cluster.workloads) {
        objects::add_workload(cluster, workload);
    }
    merge_nodes(cluster);
}

fn merge_nodes(cluster: &mut Cluster) {
    let mut merged: Vec<Node> = Vec::new();
    for node in std::mem::take(&mut cluster.nodes) {
        match merged.iter_mut().find(|known| known.name == node.name) {
            Some(known) if known.conditions.is_empty() => {
                let row = std::mem::take(&mut known.row_status);
                *known = node;
                known.row_status = row;
            }
            Some(known) => {
                if known.row_status.v.is_empty() {
                    known.row_status = node.row_status;
                }
            }
            None => merged.push(node),
        }
    }
    cluster.nodes = merged;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_say_kind_and_namespace() {
        for (path, kind, ns) in [
            ("cluster-resources/pods/shop.json", Some("Pod"), "shop"),
            ("cluster-resources/nodes.json", Some("Node"), ""),
            (
                "cluster-resources/custom-resources/pods/shop.yaml",
                None,
                "",
            ),
            ("kube-system/events.json", Some("Event"), ""),
            ("dump/kube-system/events.json", Some("Event"), "kube-system"),
            ("img/namespaces/shop/core/pods.yaml", Some("Pod"), "shop"),
            ("notes.txt", None, ""),
        ] {
            assert_eq!(kind_of_path(path), (kind, ns.to_owned()), "{path}");
        }
        assert_eq!(namespace_of_path("kubectl/get_pod_-n_shop-2.txt"), "shop-2");
        assert_eq!(namespace_of_path("kubectl/get_pod.txt"), "");
        assert_eq!(namespace_of_path("out/07-get-svc--n-yard.txt"), "yard");
    }

    #[test]
    fn captured_commands_say_their_namespace() {
        for (line, ns) in [
            ("$ kubectl get svc -n yard -o wide", Some("yard")),
            ("# oc --namespace=yard-2 get pods", Some("yard-2")),
            ("+ kubectl --namespace yard get pods", Some("yard")),
            ("$ kubectl get svc -A", Some("")),
            ("$ sed -n yard file", None),
            ("NAME   kubectl -n yard", None),
        ] {
            assert_eq!(namespace_of_command(line).as_deref(), ns, "{line}");
        }
    }
}
