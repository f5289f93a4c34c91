//! What is asked of a cluster: `kubectl get`, `kubectl logs` and `kubectl version`, nothing else.

use super::{Ask, Question, WhenLong};
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::BTreeSet;

/// Most containers whose logs are asked for.
const MAX_CONTAINERS: usize = 2_000;

/// Kinds that are asked for in a namespace: the resource for `kubectl`, the folder in the archive.
/// Secrets are not among them, and nothing can add them.
pub const KINDS: &[(&str, &str)] = &[
    ("pods", "pods"),
    ("events", "events"),
    ("deployments.apps", "deployments"),
    ("statefulsets.apps", "statefulsets"),
    ("daemonsets.apps", "daemonsets"),
    ("replicasets.apps", "replicasets"),
    ("jobs.batch", "jobs"),
    ("cronjobs.batch", "cronjobs"),
    ("services", "services"),
    ("endpoints", "endpoints"),
    ("endpointslices.discovery.k8s.io", "endpointslices"),
    ("ingresses.networking.k8s.io", "ingress"),
    ("networkpolicies.networking.k8s.io", "network-policy"),
    ("persistentvolumeclaims", "pvcs"),
    ("resourcequotas", "resource-quotas"),
    ("limitranges", "limitranges"),
    (
        "horizontalpodautoscalers.autoscaling",
        "horizontalpodautoscalers",
    ),
    ("poddisruptionbudgets.policy", "pod-disruption-budgets"),
    ("configmaps", "configmaps"),
    ("serviceaccounts", "serviceaccounts"),
];

/// Kinds of the whole cluster, without which scheduling and storage cannot be judged.
const CLUSTER_KINDS: &[(&str, &str)] = &[
    ("nodes", "nodes"),
    ("persistentvolumes", "pvs"),
    ("storageclasses.storage.k8s.io", "storage-classes"),
];

/// Which cluster, and how it is reached.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The program, a name or a path.
    pub kubectl: String,
    /// `--kubeconfig`.
    pub kubeconfig: Option<String>,
    /// `--context`.
    pub context: Option<String>,
    /// The namespaces.
    pub namespaces: Vec<String>,
    /// Folders of [`KINDS`] or cluster kinds that are left out.
    pub without: Vec<String>,
    /// Lines of each log, from its end.
    pub tail: u64,
    /// Seconds that a single request may take.
    pub request_seconds: u64,
}

/// The only verbs there are.
#[derive(Debug, Clone, Copy)]
enum Verb {
    Version,
    Get,
    Logs,
}

impl Cluster {
    /// Refuses names that are none: they become arguments and paths.
    ///
    /// # Errors
    /// A usage error.
    pub fn check(&self) -> Result<()> {
        if self.namespaces.is_empty() {
            return Err(
                Error::usage("no namespace is given").hint("name one with --namespace NAME")
            );
        }
        for name in &self.namespaces {
            if !is_name(name) {
                return Err(Error::usage(format!(
                    "{:?} cannot be a namespace",
                    crate::report::escape::terminal(name)
                )));
            }
        }
        for kind in &self.without {
            let known = KINDS
                .iter()
                .chain(CLUSTER_KINDS)
                .any(|(_, folder)| folder == kind);
            if !known && kind != "logs" {
                let all: Vec<_> = KINDS
                    .iter()
                    .chain(CLUSTER_KINDS)
                    .map(|(_, folder)| *folder)
                    .collect();
                return Err(
                    Error::usage(format!("there is no kind {kind:?} to leave out"))
                        .hint(format!("known: logs, {}", all.join(", "))),
                );
            }
        }
        Ok(())
    }

    fn wants(&self, folder: &str) -> bool {
        !self.without.iter().any(|without| without == folder)
    }

    fn command(&self, verb: Verb, rest: &[&str]) -> Ask {
        let mut words = vec![self.kubectl.clone()];
        words.extend(
            self.kubeconfig
                .iter()
                .map(|path| format!("--kubeconfig={path}")),
        );
        words.extend(self.context.iter().map(|name| format!("--context={name}")));
        words.push(
            match verb {
                Verb::Version => "version",
                Verb::Get => "get",
                Verb::Logs => "logs",
            }
            .into(),
        );
        words.push(format!("--request-timeout={}s", self.request_seconds));
        words.extend(rest.iter().map(|word| (*word).to_owned()));
        Ask::Command(words)
    }
}

/// What is asked first: versions, objects of the namespaces, the few kinds of the whole cluster.
pub fn cluster_questions(cluster: &Cluster) -> Vec<Question> {
    let json = |ask, path: String| Question {
        ask,
        path,
        when_long: WhenLong::Drop,
    };
    let mut all = vec![json(
        cluster.command(Verb::Version, &["--output=json"]),
        "cluster-info/cluster_version.json".into(),
    )];
    for (resource, folder) in CLUSTER_KINDS {
        if cluster.wants(folder) {
            let ask = cluster.command(Verb::Get, &[resource, "--output=json"]);
            all.push(json(ask, format!("cluster-resources/{folder}.json")));
        }
    }
    for namespace in &cluster.namespaces {
        let selector = format!("--field-selector=metadata.name={namespace}");
        let ask = cluster.command(Verb::Get, &["namespaces", &selector, "--output=json"]);
        all.push(json(
            ask,
            format!("cluster-resources/namespaces/{namespace}.json"),
        ));
        let within = format!("--namespace={namespace}");
        for (resource, folder) in KINDS {
            if cluster.wants(folder) {
                let ask = cluster.command(Verb::Get, &[resource, &within, "--output=json"]);
                all.push(json(
                    ask,
                    format!("cluster-resources/{folder}/{namespace}.json"),
                ));
            }
        }
    }
    all
}

/// A container whose logs may exist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Container {
    /// Pod.
    pub pod: String,
    /// Container.
    pub name: String,
    /// Whether an earlier instance ended.
    pub restarted: bool,
}

/// The containers in an answer about pods, at most 2,000; names that are none are left out.
pub fn parse_containers(pods: &str) -> Vec<Container> {
    let list: Value = serde_json::from_str(pods).unwrap_or_default();
    let mut found = BTreeSet::new();
    for pod in list["items"].as_array().into_iter().flatten() {
        let Some(name) = pod["metadata"]["name"]
            .as_str()
            .filter(|name| is_name(name))
        else {
            continue;
        };
        for (of, state) in [
            ("initContainers", "initContainerStatuses"),
            ("containers", "containerStatuses"),
            ("ephemeralContainers", "ephemeralContainerStatuses"),
        ] {
            for container in pod["spec"][of].as_array().into_iter().flatten() {
                let Some(own) = container["name"].as_str().filter(|name| is_name(name)) else {
                    continue;
                };
                let states = pod["status"][state].as_array();
                let restarted = states.into_iter().flatten().any(|status| {
                    status["name"] == own && status["restartCount"].as_u64().unwrap_or(0) > 0
                });
                found.insert(Container {
                    pod: name.into(),
                    name: own.into(),
                    restarted,
                });
            }
        }
    }
    found.into_iter().take(MAX_CONTAINERS).collect()
}

/// What is asked about the logs of `containers`; `None` shows the form of these questions.
pub fn log_questions(
    cluster: &Cluster,
    namespace: &str,
    containers: Option<&[Container]>,
) -> Vec<Question> {
    if !cluster.wants("logs") {
        return vec![];
    }
    let any = [Container {
        pod: "<pod>".into(),
        name: "<container>".into(),
        restarted: true,
    }];
    let mut all = Vec::new();
    for container in containers.unwrap_or(&any) {
        let Container {
            pod,
            name,
            restarted,
        } = container;
        for previous in [false, true] {
            if previous && !restarted {
                continue;
            }
            let (within, which, tail) = (
                format!("--namespace={namespace}"),
                format!("--container={name}"),
                format!("--tail={}", cluster.tail),
            );
            let mut rest = vec![pod.as_str(), &within, &which, &tail, "--timestamps"];
            if previous {
                rest.push("--previous");
            }
            let end = if previous { "-previous" } else { "" };
            all.push(Question {
                ask: cluster.command(Verb::Logs, &rest),
                path: format!("cluster-resources/pods/logs/{namespace}/{pod}/{name}{end}.log"),
                when_long: WhenLong::KeepEnd,
            });
        }
    }
    all
}

/// Whether `text` is a DNS subdomain (RFC 1123), as Kubernetes names are: safe as an argument and as
/// a file's name.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
    };
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    let bytes = text.as_bytes();
    bytes.len() <= 253
        && bytes.iter().all(|byte| plain(*byte))
        && edge(bytes.first())
        && edge(bytes.last())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::CommandClass;

    fn cluster() -> Cluster {
        Cluster {
            kubectl: "kubectl".into(),
            kubeconfig: None,
            context: Some("prod".into()),
            namespaces: vec!["shop".into()],
            without: vec![],
            tail: 100,
            request_seconds: 30,
        }
    }

    #[test]
    fn every_question_only_reads_and_none_is_about_secrets() {
        let cluster = cluster();
        let mut all = cluster_questions(&cluster);
        let containers = parse_containers(
            r#"{"items":[{"metadata":{"name":"cart-1"},"spec":{"containers":[{"name":"web"}]}}]}"#,
        );
        all.extend(log_questions(&cluster, "shop", Some(&containers)));
        assert!(all.len() > 20);
        for question in &all {
            let shown = question.shown();
            assert_eq!(
                crate::verify::command::classify(&shown).class,
                CommandClass::ReadOnly,
                "{shown}"
            );
            assert!(!shown.contains("secret"), "{shown}");
            let words: Vec<_> = shown.split(' ').collect();
            assert!(["get", "logs", "version"].contains(&words[2]), "{shown}");
        }
    }

    #[test]
    fn names_that_could_be_options_or_paths_are_left_out() {
        let pods = r#"{"items":[
            {"metadata":{"name":"../x"},"spec":{"containers":[{"name":"web"}]}},
            {"metadata":{"name":"--all"},"spec":{"containers":[{"name":"web"}]}},
            {"metadata":{"name":"cart-1"},"spec":{"containers":[{"name":"a/b"},{"name":"web"}],"initContainers":[{"name":"init"}]},
             "status":{"containerStatuses":[{"name":"web","restartCount":3}]}}]}"#;
        let found = parse_containers(pods);
        let names: Vec<_> = found
            .iter()
            .map(|c| (c.pod.as_str(), c.name.as_str(), c.restarted))
            .collect();
        assert_eq!(names, [("cart-1", "init", false), ("cart-1", "web", true)]);
        assert!(parse_containers("no json").is_empty());
        let mut bad = cluster();
        bad.namespaces = vec!["-n".into()];
        assert!(bad.check().is_err());
        bad.namespaces.clear();
        assert!(bad.check().is_err());
    }
}
