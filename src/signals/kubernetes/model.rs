//! One typed picture of a cluster, whatever the bundle's layout; each field knows its file and line.

pub use super::observed::*;
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

/// The state of a container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    /// Which one.
    pub kind: StateKind,
    /// `CrashLoopBackOff`, `OOMKilled`, `Error`, …
    pub reason: Loc<String>,
    /// The runtime's or kubelet's words.
    pub message: Loc<String>,
    /// Exit code of a terminated container.
    pub exit_code: Option<Loc<i64>>,
    /// Start, seconds since 1970.
    pub started: Option<i64>,
    /// End, seconds since 1970.
    pub finished: Option<i64>,
}

/// The kinds of container states.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StateKind {
    /// Not said.
    #[default]
    Unknown,
    /// Not started, or backing off.
    Waiting,
    /// Running.
    Running,
    /// Ended.
    Terminated,
}

/// Where an environment variable or an `envFrom` block takes its value.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reference {
    /// `Secret` or `ConfigMap`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The key, "" for all.
    pub key: String,
    /// Whether it may be absent.
    pub optional: bool,
    /// Place.
    pub src: Src,
}

/// A probe of a container.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Probe {
    /// `liveness`, `readiness`, `startup`.
    pub kind: String,
    /// Port number or name; "" for exec probes.
    pub port: String,
    /// Its description, e.g. `http-get http://:8080/health delay=0s`.
    pub text: Loc<String>,
}

/// A container of a pod or a pod template.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// An init container.
    pub init: bool,
    /// Image reference.
    pub image: Loc<String>,
    /// `command`, then `args`.
    pub command: Vec<Loc<String>>,
    /// Current state.
    pub state: State,
    /// State before the last restart.
    pub last: State,
    /// Readiness.
    pub ready: Option<bool>,
    /// Restart count.
    pub restarts: Loc<i64>,
    /// Limits: `cpu`, `memory`, …
    pub limits: BTreeMap<String, Loc<String>>,
    /// Requests.
    pub requests: BTreeMap<String, Loc<String>>,
    /// Environment: names with plain values.
    pub env: Vec<(String, Loc<String>)>,
    /// Environment taken from elsewhere.
    pub references: Vec<Reference>,
    /// Probes.
    pub probes: Vec<Probe>,
    /// Declared ports: name, number.
    pub ports: Vec<(String, i64)>,
}

/// A condition of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Condition {
    /// `Ready`, `PodScheduled`, …
    pub kind: String,
    /// `True`, `False`, `Unknown`.
    pub status: Loc<String>,
    /// Machine word.
    pub reason: Loc<String>,
    /// Words.
    pub message: Loc<String>,
    /// Last transition, seconds since 1970.
    pub since: Option<i64>,
}

/// A volume that refers to another object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Volume {
    /// Its name in the pod.
    pub name: String,
    /// `Secret`, `ConfigMap`, `PersistentVolumeClaim`, `NFS`, `HostPath`, …
    pub kind: String,
    /// The referred object's name, the server for NFS, the path for host paths.
    pub target: String,
    /// Whether it may be absent.
    pub optional: bool,
    /// Place.
    pub src: Src,
}

/// A pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pod {
    /// Namespace, "" when the bundle does not say.
    pub ns: String,
    /// Name.
    pub name: String,
    /// Place of its name.
    pub src: Src,
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown`; "" when only a table row is known.
    pub phase: Loc<String>,
    /// The STATUS column of a table row.
    pub row_status: Loc<String>,
    /// Reason of the pod's status (`Evicted`).
    pub reason: Loc<String>,
    /// Message of the pod's status.
    pub message: Loc<String>,
    /// READY column or counted containers.
    pub ready: Option<(i64, i64)>,
    /// Sum of restarts.
    pub restarts: i64,
    /// Seconds since the last restart, from a table row.
    pub last_restart: Option<i64>,
    /// Seconds since creation.
    pub age: Option<i64>,
    /// Its node.
    pub node: String,
    /// Controller as `Kind/name`.
    pub owner: String,
    /// Labels.
    pub labels: Labels,
    /// Service account.
    pub service_account: String,
    /// Scheduler, when not the default one.
    pub scheduler: Loc<String>,
    /// Node selector.
    pub node_selector: Labels,
    /// Containers, init containers first.
    pub containers: Vec<Container>,
    /// Conditions.
    pub conditions: Vec<Condition>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Deletion time, seconds since 1970.
    pub deleted: Option<i64>,
    /// Deletion mark's place.
    pub deleted_src: Src,
    /// Whether more than a table row is known.
    pub detailed: bool,
}

impl Pod {
    /// The condition `kind`.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions
            .iter()
            .find(|condition| condition.kind == kind)
    }
    /// Ended well: a finished job's pod.
    pub fn is_done(&self) -> bool {
        self.phase.v == "Succeeded" || (self.phase.v.is_empty() && self.row_status.v == "Completed")
    }
    /// Running with every container ready.
    pub fn is_ready(&self) -> bool {
        if self.deleted.is_some() {
            return false;
        }
        let running = if self.phase.v.is_empty() {
            self.row_status.v == "Running"
        } else {
            self.phase.v == "Running"
        };
        let all = match self.condition("Ready") {
            Some(condition) => condition.status.v == "True",
            None => self
                .ready
                .is_some_and(|(ready, total)| ready == total && total > 0),
        };
        running && all
    }
    /// How it is called in text: `namespace/name`.
    pub fn full_name(&self) -> String {
        full_name(&self.ns, &self.name)
    }
    /// Name without the controller's hashes: `web-5f7c9d-x2x4z` is `web`.
    pub fn app(&self) -> &str {
        app_of(&self.name)
    }
}

/// `namespace/name`, or the bare name.
pub fn full_name(ns: &str, name: &str) -> String {
    if ns.is_empty() {
        name.to_owned()
    } else {
        format!("{ns}/{name}")
    }
}

/// A pod's name without the hashes and ordinals that controllers append.
pub fn app_of(name: &str) -> &str {
    let is_hash = |part: &str| {
        part.len() >= 5
            && part.len() <= 10
            && part
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && !part
                .bytes()
                .any(|byte| matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u'))
    };
    let is_template_hash = |part: &str| {
        part.len() >= 6
            && part.len() <= 10
            && part
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            && part.bytes().any(|b| b.is_ascii_digit())
    };
    let Some((head, tail)) = name.rsplit_once('-') else {
        return name;
    };
    if !tail.is_empty() && tail.len() < 4 && tail.bytes().all(|byte| byte.is_ascii_digit()) {
        return head;
    }
    if tail.len() == 5 && is_hash(tail) {
        return match head.rsplit_once('-') {
            Some((app, hash)) if is_template_hash(hash) => app,
            _ => head,
        };
    }
    name
}

/// A note of the cluster about an object: an event, or a message in a status.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Note {
    /// Kind of the object: `Pod`, `Job`, …
    pub kind: String,
    /// Its namespace.
    pub ns: String,
    /// Its name.
    pub name: String,
    /// Machine word: `FailedScheduling`, `BackOff`, `ErrImagePull`, …
    pub reason: String,
    /// Words.
    pub message: String,
    /// Place.
    pub src: Src,
    /// Seconds between the last occurrence and the collection of the bundle.
    pub age: Option<i64>,
    /// Seconds since 1970 of the last occurrence, where the source says so.
    pub time: Option<i64>,
    /// Occurrences.
    pub count: i64,
    /// `Warning` or an abnormal state; `false` for normal events.
    pub warning: bool,
    /// From a status: true now. Events may be history.
    pub current: bool,
    /// The container it speaks of, if it says so.
    pub container: String,
    /// From the status of a resource that no detector knows by its kind.
    pub of_custom: bool,
}

/// A node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    /// Name.
    pub name: String,
    /// Place of its name.
    pub src: Src,
    /// STATUS column of a table row.
    pub row_status: Loc<String>,
    /// Conditions.
    pub conditions: Vec<Condition>,
    /// Taints, `key=value:Effect`.
    pub taints: Vec<Loc<String>>,
    /// Cordoned.
    pub unschedulable: Loc<bool>,
    /// Allocatable resources.
    pub allocatable: BTreeMap<String, Loc<String>>,
    /// Labels.
    pub labels: Labels,
    /// Kubelet version.
    pub version: Loc<String>,
}

/// Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Workload {
    /// Its kind.
    pub kind: String,
    /// Namespace.
    pub ns: String,
    /// Name.
    pub name: String,
    /// Place of its name.
    pub src: Src,
    /// Controller as `Kind/name`.
    pub owner: String,
    /// Wanted replicas (completions of a job).
    pub desired: Option<Loc<i64>>,
    /// Ready replicas (succeeded pods of a job).
    pub ready: Option<Loc<i64>>,
    /// Failed pods of a job.
    pub failed: Option<Loc<i64>>,
    /// Backoff limit of a job.
    pub backoff_limit: Option<i64>,
    /// Suspended job or cron job; paused deployment.
    pub suspended: Loc<bool>,
    /// Schedule of a cron job.
    pub schedule: String,
    /// Selector.
    pub selector: Labels,
    /// Labels of the pod template.
    pub template_labels: Labels,
    /// Containers of the template.
    pub containers: Vec<Container>,
    /// Conditions.
    pub conditions: Vec<Condition>,
    /// Service account of the template.
    pub service_account: Loc<String>,
    /// Whether more than a table row is known.
    pub detailed: bool,
}

/// A port of a service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServicePort {
    /// Name.
    pub name: String,
    /// Port of the service.
    pub port: i64,
    /// Number or name of the port of the pods.
    pub target: String,
    /// Place of the target.
    pub src: Src,
}

/// A service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Service {
    /// Namespace.
    pub ns: String,
    /// Name.
    pub name: String,
    /// Place of its name.
    pub src: Src,
    /// `ClusterIP`, `LoadBalancer`, `ExternalName`, …
    pub kind: String,
    /// Selector and its place.
    pub selector: Labels,
    /// Place of the selector.
    pub selector_src: Src,
    /// Ports.
    pub ports: Vec<ServicePort>,
    /// `Endpoints:` of a describe page; empty means `<none>`.
    pub endpoints: Option<Loc<String>>,
    /// A load balancer without address: its place.
    pub pending_address: Option<Src>,
    /// Address inside the cluster, "" if unknown.
    pub cluster_ip: String,
}

/// The endpoints behind a service (Endpoints or EndpointSlice).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Endpoints {
    /// Namespace.
    pub ns: String,
    /// The service's name.
    pub service: String,
    /// Place.
    pub src: Src,
    /// Ready addresses.
    pub ready: usize,
    /// Addresses of pods that are not ready.
    pub not_ready: usize,
}

/// A claim.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pvc {
    /// Namespace.
    pub ns: String,
    /// Name.
    pub name: String,
    /// Place of its name.
    pub src: Src,
    /// `Pending`, `Bound`, `Lost`.
    pub phase: Loc<String>,
    /// Storage class; `None` when the claim names none.
    pub class: Option<Loc<String>>,
}

/// A persistent volume.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pv {
    /// Name.
    pub name: String,
    /// `Available`, `Bound`, `Released`, `Failed`.
    pub phase: Loc<String>,
    /// Claim as `namespace/name`.
    pub claim: String,
    /// Message.
    pub message: Loc<String>,
    /// Place of its name.
    pub src: Src,
}

/// A storage class.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StorageClass {
    /// Name.
    pub name: String,
    /// Provisioner.
    pub provisioner: Loc<String>,
    /// Whether it is the default.
    pub default: bool,
    /// Binding mode.
    pub binding: String,
    /// Place of its name.
    pub src: Src,
}

/// One resource of a quota.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QuotaItem {
    /// `requests.cpu`, `pods`, …
    pub resource: String,
    /// Used.
    pub used: Loc<String>,
    /// Limit.
    pub hard: Loc<String>,
}

/// A resource quota.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Quota {
    /// Namespace.
    pub ns: String,
    /// Name.
    pub name: String,
    /// Its resources.
    pub items: Vec<QuotaItem>,
}

/// A horizontal autoscaler.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hpa {
    /// Namespace.
    pub ns: String,
    /// Name.
    pub name: String,
    /// Place of its name.
    pub src: Src,
    /// The scaled object as `Kind/name`.
    pub target: String,
    /// TARGETS column.
    pub targets: Loc<String>,
    /// Conditions.
    pub conditions: Vec<Condition>,
    /// Most replicas.
    pub max: Option<i64>,
    /// Replicas now.
    pub current: Option<i64>,
}

/// An ingress.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ingress {
    /// Namespace.
    pub ns: String,
    /// Name.
    pub name: String,
    /// Place of its name.
    pub src: Src,
    /// Class, "" for none.
    pub class: Loc<String>,
    /// Backends: service, port, place.
    pub backends: Vec<(String, String, Src)>,
    /// TLS secrets.
    pub tls: Vec<Loc<String>>,
    /// The bundle shows that it has no address: no controller has taken it.
    pub no_address: bool,
}

/// A network policy.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NetPol {
    /// Namespace.
    pub ns: String,
    /// Name.
    pub name: String,
    /// Place of its name.
    pub src: Src,
    /// Selected pods; empty selects all of the namespace.
    pub selector: Labels,
    /// It forbids every incoming connection.
    pub denies_ingress: bool,
    /// It lets only listed incoming connections pass, perhaps none.
    pub limits_ingress: bool,
    /// Labels of pods of its own namespace that may connect; `None` where its rules say more than that.
    pub admits_pods: Option<Vec<Labels>>,
    /// It forbids every outgoing connection.
    pub denies_egress: bool,
    /// It lets only listed outgoing connections pass, perhaps none.
    pub limits_egress: bool,
    /// Its rules may let questions to the cluster's DNS pass.
    pub admits_dns: bool,
    /// It selects pods by expressions, which are not read.
    pub has_expressions: bool,
    /// Place where it says that it is about outgoing connections.
    pub egress_src: Src,
}

/// An admission webhook or aggregated API that needs a service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extension {
    /// `MutatingWebhookConfiguration`, `ValidatingWebhookConfiguration`, `APIService`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Place of its name.
    pub src: Src,
    /// Service namespace and name, if it has one.
    pub service: Option<(String, String)>,
    /// `failurePolicy: Fail`, or an unavailable API.
    pub blocking: bool,
    /// Condition, for APIs.
    pub condition: Option<Condition>,
}

/// The log of a container, or of something that could not be matched to one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Log {
    /// Index into [`Cluster::files`].
    pub file: u32,
    /// First line that belongs to it, counted from 1.
    pub first: usize,
    /// Last line, inclusive; `usize::MAX` for the whole file.
    pub last: usize,
    /// Namespace, "" if unknown.
    pub ns: String,
    /// Pod, or the name the file carries.
    pub pod: String,
    /// Container, "" if unknown.
    pub container: String,
    /// Log of the container before its last restart.
    pub previous: bool,
    /// The only thing in it is an error of the collecting command: its line.
    pub collection_error: Option<Loc<String>>,
    /// Where the log would have been, for a file in which the collector says why it is not there.
    pub instead_of: Option<String>,
    /// No line with content.
    pub empty: bool,
    /// A filtered excerpt, by its name.
    pub filtered: bool,
}

/// One result of the bundle's own analysers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Analyser {
    /// What was checked.
    pub title: String,
    /// The vendor's message.
    pub message: Loc<String>,
    /// A failure; otherwise a warning.
    pub fail: bool,
    /// What it is about, where known: `Deployment default/api`.
    pub object: String,
}

/// What a `kubectl` command answered instead of data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Refusal {
    /// Its words.
    pub message: String,
    /// Place.
    pub src: Src,
}

/// A row of `kubectl top`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usage {
    /// `Pod` or `Node`.
    pub kind: String,
    /// Namespace.
    pub ns: String,
    /// Name.
    pub name: String,
    /// CPU, e.g. `12m`.
    pub cpu: Loc<String>,
    /// Memory, e.g. `120Mi`.
    pub memory: Loc<String>,
}

/// A collected certificate.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Certificate {
    /// `Secret` or `ConfigMap`.
    pub kind: String,
    /// Namespace of the holder.
    pub ns: String,
    /// Name of the holder.
    pub name: String,
    /// End of validity, seconds since 1970.
    pub end: i64,
    /// End of validity, as written.
    pub text: Loc<String>,
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
    /// Claims that are being deleted: namespace, name, place, who still uses it.
    pub ending_claims: Vec<(String, String, Src, String)>,
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
