//! One typed picture of a cluster, whatever the bundle's layout; each field knows its file and line.

mod objects;
mod observed;
mod pods;

pub use objects::*;
pub use observed::*;
pub use pods::*;

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A place in the bundle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Src {
    /// Index into [`Cluster::files`].
    pub file: u32,
    /// Line, counted from 1; 0 when unknown.
    pub line: u32,
    /// Byte offset in the line, for documents on a single line.
    pub column: u32,
}

impl Src {
    /// Whether it points at a line.
    pub fn is_known(self) -> bool {
        self.line > 0
    }
}

/// A value and its place.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Loc<T> {
    /// The value.
    pub v: T,
    /// Its place.
    pub src: Src,
}

impl<T> Loc<T> {
    /// A value with its place.
    pub fn new(v: T, src: Src) -> Self {
        Self { v, src }
    }
}

/// Label pairs.
pub type Labels = Vec<(String, String)>;

/// Whether every pair of `selector` is among `labels`. An empty selector selects nothing here.
pub fn selects(selector: &Labels, labels: &Labels) -> bool {
    !selector.is_empty() && selector.iter().all(|pair| labels.contains(pair))
}

/// `namespace/name`, or the bare name.
pub fn full_name(ns: &str, name: &str) -> String {
    if ns.is_empty() {
        name.to_owned()
    } else {
        format!("{ns}/{name}")
    }
}

/// Everything read from the bundle.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    /// Bundle paths that [`Src::file`] counts.
    pub files: Vec<String>,
    /// Pods, one per namespace and name.
    pub pods: Vec<Pod>,
    /// Places in [`Self::pods`] by name.
    pub pods_by_name: HashMap<String, Vec<usize>>,
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Events and status messages.
    pub notes: Vec<Note>,
    /// Workloads.
    pub workloads: Vec<Workload>,
    /// Services.
    pub services: Vec<Service>,
    /// Endpoints.
    pub endpoints: Vec<Endpoints>,
    /// Claims.
    pub pvcs: Vec<Pvc>,
    /// Volumes.
    pub pvs: Vec<Pv>,
    /// Storage classes.
    pub classes: Vec<StorageClass>,
    /// Quotas.
    pub quotas: Vec<Quota>,
    /// Autoscalers.
    pub hpas: Vec<Hpa>,
    /// Ingresses.
    pub ingresses: Vec<Ingress>,
    /// Network policies.
    pub netpols: Vec<NetPol>,
    /// Webhooks and aggregated APIs.
    pub extensions: Vec<Extension>,
    /// Names of objects that matter by existing: (kind, namespace, name).
    pub names: BTreeSet<(String, String, String)>,
    /// Complete lists: (kind, namespace; "" for all namespaces).
    pub listed: BTreeSet<(String, String)>,
    /// Namespaces that are being deleted: name, place, message.
    pub terminating: Vec<(String, Src, String)>,
    /// Labels of namespaces, with the place where they are shown.
    pub ns_labels: BTreeMap<String, (Labels, Src)>,
    /// Logs.
    pub logs: Vec<Log>,
    /// The bundle's own analysers.
    pub analysers: Vec<Analyser>,
    /// Collected certificates.
    pub certificates: Vec<Certificate>,
    /// Refusals of the collecting commands.
    pub refusals: Vec<Refusal>,
    /// API server version, e.g. `v1.29.3`.
    pub server_version: Loc<String>,
    /// When secrets were last written: namespace, name, seconds since 1970, place of that time.
    pub secrets_written: Vec<(String, String, i64, Src)>,
    /// Service accounts to which role bindings grant.
    pub bindings: Vec<Binding>,
    /// The newest time seen in objects, seconds since 1970: the bundle's own clock.
    pub clock: Option<i64>,
    /// What `kubectl top` shows.
    pub usage: Vec<Usage>,
    /// What tools answered.
    pub answers: Vec<Answer>,
    /// Alerts that fire.
    pub alerts: Vec<Alert>,
    /// Spans of traces.
    pub spans: Vec<Span>,
    /// Results of queries of metrics.
    pub series: Vec<Series>,
    /// Consumers that are behind.
    pub lags: Vec<Lag>,
    /// Subsets of destination rules.
    pub subsets: Vec<Subset>,
    /// TLS modes of a mesh.
    pub tls_modes: Vec<TlsMode>,
    /// GitOps applications that sync by themselves.
    pub syncs: Vec<Sync>,
    /// Pod disruption budgets.
    pub budgets: Vec<Budget>,
    /// Claims that are being deleted: namespace, name, place, who still uses it.
    pub ending_claims: Vec<(String, String, Src, String)>,
    /// Certificate signing requests.
    pub signing: Vec<super::signing::Request>,
    /// What the comparisons of objects need.
    pub facts: super::compare::Facts,
    /// Records of log stores on a single line.
    pub records: Vec<super::records::Record>,
    /// What tools beside kubectl say.
    pub told: Vec<super::tools::Told>,
}

impl Cluster {
    /// The pod with this name; an empty namespace matches any.
    pub fn pod(&self, ns: &str, name: &str) -> Option<&Pod> {
        let places = self.pods_by_name.get(name)?;
        places
            .iter()
            .filter_map(|at| self.pods.get(*at))
            .find(|pod| ns.is_empty() || pod.ns.is_empty() || pod.ns == ns)
    }
    /// Whether the whole list of `kind` in `ns` was read, so that absence means absence.
    pub fn is_listed(&self, kind: &str, ns: &str) -> bool {
        self.listed.contains(&(kind.to_owned(), ns.to_owned()))
            || self.listed.contains(&(kind.to_owned(), String::new()))
    }
    /// Whether an object of this name was seen.
    pub fn has(&self, kind: &str, ns: &str, name: &str) -> bool {
        self.names
            .contains(&(kind.to_owned(), ns.to_owned(), name.to_owned()))
    }
    /// Moves the bundle's clock forward.
    pub fn saw_time(&mut self, time: Option<i64>) {
        self.clock = self.clock.max(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_names_lose_only_what_controllers_append() {
        for (pod, app) in [
            ("web-5f7c9d6b8-x2x4z", "web"),
            ("giant-narwhal-6958c5bdd8-69gtn", "giant-narwhal"),
            ("db-0", "db"),
            ("fluentd-49k7t", "fluentd"),
            ("frontend-service", "frontend-service"),
            ("node-local-dns", "node-local-dns"),
            ("etcd-master1", "etcd-master1"),
        ] {
            assert_eq!(app_of(pod), app);
        }
    }

    #[test]
    fn an_empty_selector_selects_nothing() {
        let labels = vec![
            ("app".to_owned(), "web".to_owned()),
            ("x".to_owned(), "y".to_owned()),
        ];
        assert!(selects(
            &vec![("app".to_owned(), "web".to_owned())],
            &labels
        ));
        assert!(!selects(
            &vec![("app".to_owned(), "api".to_owned())],
            &labels
        ));
        assert!(!selects(&Vec::new(), &labels));
    }
}
