//! Nodes, workloads, networks, storage and what extends the API.

use super::{Condition, Container, Labels, Loc, Src};
use std::collections::BTreeMap;

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
    /// Place of the schedule.
    pub schedule_src: Src,
    /// Time zone of the schedule, "" for none.
    pub zone: String,
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
    /// Node selector of the template, as written.
    pub node_selector: Loc<String>,
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

/// A service account to which a role binding grants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Binding {
    /// Namespace of the binding, "" for one of the cluster.
    pub ns: String,
    /// Its name.
    pub name: String,
    /// Place of its name.
    pub src: Src,
    /// Name of the service account.
    pub account: String,
    /// Namespace of the service account.
    pub account_ns: String,
    /// Place of that.
    pub account_src: Src,
}

/// Whom a rule of a network policy lets in: pods with these labels in namespaces with those.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Peer {
    /// Labels of the namespaces, none for all of them; `None` for the policy's own namespace.
    pub namespaces: Option<Labels>,
    /// Labels of the pods; none for all of them.
    pub pods: Labels,
    /// Place of the selector.
    pub src: Src,
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
    /// Whom its ingress rules let in; `None` where they say more than labels (addresses, expressions, anybody).
    pub peers: Option<Vec<Peer>>,
    /// It forbids every outgoing connection.
    pub denies_egress: bool,
    /// It lets only listed outgoing connections pass, perhaps none.
    pub limits_egress: bool,
    /// Beside DNS it lets connections pass only to pods of its own namespace.
    pub confines_egress: bool,
    /// Its rules may let questions to the cluster's DNS pass.
    pub admits_dns: bool,
    /// It selects pods by expressions, which are not read.
    pub has_expressions: bool,
    /// Place where it says that it is about outgoing connections.
    pub egress_src: Src,
}

/// A subset of a destination rule: pods of a host that have certain labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Subset {
    /// Namespace of the rule.
    pub ns: String,
    /// Name of the rule.
    pub rule: String,
    /// The service it is about, short or with its namespace.
    pub host: String,
    /// Name of the subset.
    pub name: String,
    /// Labels it asks for.
    pub labels: Labels,
    /// Place of the first label.
    pub src: Src,
}

/// Which TLS a mesh's rule tells clients to speak (destination rule), or lets a workload accept (peer
/// authentication).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TlsMode {
    /// Namespace of the rule.
    pub ns: String,
    /// Name of the rule.
    pub name: String,
    /// The service it tells clients about; "" for what a workload accepts.
    pub host: String,
    /// The mode.
    pub mode: String,
    /// Labels of the workloads it is about; empty for all.
    pub selector: Labels,
    /// When it was created, as written.
    pub created: String,
    /// Place of the mode.
    pub src: Src,
}

/// A GitOps application that is brought to its manifests by itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sync {
    /// Name.
    pub name: String,
    /// Namespace it deploys to.
    pub ns: String,
    /// It undoes what others change.
    pub heals: bool,
    /// Place where it says so.
    pub src: Src,
}

/// A pod disruption budget: how many pods may be evicted now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Budget {
    /// Namespace.
    pub ns: String,
    /// Name.
    pub name: String,
    /// Place of its name.
    pub src: Src,
    /// Pods that may be evicted now.
    pub allowed: i64,
    /// What it demands, in its own words.
    pub demand: String,
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
