//! Kubernetes objects (JSON or YAML) into the typed picture.

mod containers;
mod network;
mod pods;
mod storage;
mod workloads;

pub use pods::add_pod;
pub use workloads::add_workload;

use super::model::*;
use super::time::parse_time;
use super::value::{At, Node as N, Val};

/// Reads one document: an object, a list of objects, or a bare array whose kind the path tells.
pub fn read(
    cluster: &mut Cluster,
    file: u32,
    doc: &Val,
    kind_of_path: Option<&str>,
    ns_of_path: &str,
) {
    let kind = doc.get("kind").text();
    if let N::List(items) = &doc.node {
        if let Some(kind) = kind_of_path {
            cluster
                .listed
                .insert((kind.to_owned(), ns_of_path.to_owned()));
        }
        for item in items {
            read_one(cluster, file, item, kind_of_path.unwrap_or_default());
        }
    } else if kind == "List"
        || kind.ends_with("List") && !doc.get("items").is_null()
        || (kind.is_empty() && !doc.get("items").items().is_empty())
    {
        let item_kind = kind
            .strip_suffix("List")
            .filter(|kind| !kind.is_empty())
            .or(kind_of_path)
            .unwrap_or_default();
        if !item_kind.is_empty() {
            cluster
                .listed
                .insert((item_kind.to_owned(), ns_of_path.to_owned()));
        }
        for item in doc.get("items").items() {
            read_one(cluster, file, item, item_kind);
        }
    } else if kind.ends_with("List") {
        if let Some(item_kind) = kind.strip_suffix("List") {
            cluster
                .listed
                .insert((item_kind.to_owned(), ns_of_path.to_owned()));
        }
    } else {
        read_one(cluster, file, doc, kind_of_path.unwrap_or_default());
    }
}

/// A view of one object in one file.
struct Obj<'a> {
    file: u32,
    val: &'a Val,
}

impl Obj<'_> {
    fn src(&self, at: At) -> Src {
        Src {
            file: self.file,
            line: at.line,
            column: at.column,
        }
    }
    fn loc(&self, val: &Val) -> Loc<String> {
        Loc::new(val.scalar(), self.src(val.at))
    }
    fn int(&self, val: &Val) -> Option<Loc<i64>> {
        val.int().map(|number| Loc::new(number, self.src(val.at)))
    }
    fn name_src(&self) -> Src {
        let name = self.val.at_path(&["metadata", "name"]);
        self.src(if name.at.line > 0 {
            name.at
        } else {
            self.val.at
        })
    }
    fn conditions(&self, list: &Val) -> Vec<Condition> {
        let of = |item: &Val| Condition {
            kind: item.get("type").text().to_owned(),
            status: self.loc(item.get("status")),
            reason: self.loc(item.get("reason")),
            message: self.loc(item.get("message")),
            since: parse_time(item.get("lastTransitionTime").text()),
        };
        list.items().iter().map(of).collect()
    }
}

/// Label pairs of a map.
fn labels(val: &Val) -> Labels {
    val.members()
        .iter()
        .map(|(key, value)| (key.clone(), value.scalar()))
        .collect()
}

fn owner(meta: &Val) -> String {
    let owners = meta.get("ownerReferences").items();
    owners
        .first()
        .map(|owner| format!("{}/{}", owner.get("kind").text(), owner.get("name").text()))
        .unwrap_or_default()
}

fn read_one(cluster: &mut Cluster, file: u32, val: &Val, kind_hint: &str) {
    let kind = if val.get("kind").text().is_empty() {
        kind_hint
    } else {
        val.get("kind").text()
    };
    if kind.ends_with("List") && !val.get("items").is_null() {
        return read(cluster, file, val, None, "");
    }
    let obj = Obj { file, val };
    let meta = val.get("metadata");
    let (ns, name) = (
        meta.get("namespace").text().to_owned(),
        meta.get("name").text().to_owned(),
    );
    cluster.saw_time(parse_time(meta.get("creationTimestamp").text()));
    for field in meta.get("managedFields").items() {
        cluster.saw_time(parse_time(field.get("time").text()));
    }
    if kind == "Secret" {
        // Tools that rotate credentials note when in an annotation.
        let rotated = meta.get("annotations").members().iter();
        let rotated = rotated.filter(|(key, _)| key.contains("rotat") || key.contains("renew"));
        let managed = meta.get("managedFields").items().iter();
        let written = managed
            .map(|field| field.get("time"))
            .chain(rotated.map(|(_, value)| value))
            .filter_map(|time| {
                let src = Src {
                    file,
                    line: time.at.line,
                    column: time.at.column,
                };
                Some((parse_time(time.text())?, src))
            });
        if let Some((at, src)) = written.max_by_key(|(at, _)| *at) {
            let known = &mut cluster.secrets_written;
            known.push((ns.clone(), name.clone(), at, src));
        }
    }
    let spec = val.get("spec");
    let status = val.get("status");
    cluster
        .names
        .insert((kind.to_owned(), ns.clone(), name.clone()));
    super::compare::read(cluster, file, val, kind);
    match kind {
        "Pod" => pods::pod(cluster, &obj),
        "Node" => pods::node(cluster, &obj),
        "Event" => pods::event(cluster, &obj),
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job"
        | "CronJob"
        | "DeploymentConfig" => workloads::workload(cluster, &obj, kind),
        "Service" => network::service(cluster, &obj),
        "Endpoints" => network::endpoints(cluster, &obj),
        "EndpointSlice" => network::slice(cluster, &obj),
        "PersistentVolumeClaim" => storage::claim(cluster, &obj),
        "PersistentVolume" => storage::volume(cluster, &obj),
        "StorageClass" => storage::class(cluster, &obj),
        "ResourceQuota" => storage::quota(cluster, &obj),
        "HorizontalPodAutoscaler" => {
            let target = spec.get("scaleTargetRef");
            cluster.hpas.push(Hpa {
                ns,
                name,
                src: obj.name_src(),
                target: format!(
                    "{}/{}",
                    target.get("kind").text(),
                    target.get("name").text()
                ),
                targets: Loc::default(),
                conditions: obj.conditions(status.get("conditions")),
                max: spec.get("maxReplicas").int(),
                current: status.get("currentReplicas").int(),
            });
        }
        "CertificateSigningRequest" => super::signing::read(cluster, file, val, &name),
        "DestinationRule" => {
            super::mesh::read(cluster, file, val);
            super::meshtls::read_rule(cluster, file, val);
        }
        "PeerAuthentication" => super::meshtls::read_peer(cluster, file, val),
        "Application" => super::contest::read(cluster, file, val),
        "RoleBinding" | "ClusterRoleBinding" => super::bindings::read(cluster, file, val),
        "PodDisruptionBudget" => {
            if let Some(allowed) = status.get("disruptionsAllowed").int() {
                let demand = ["minAvailable", "maxUnavailable"]
                    .iter()
                    .map(|key| (key, spec.get(key).scalar()))
                    .find(|(_, value)| !value.is_empty())
                    .map(|(key, value)| format!("{key} {value}"))
                    .unwrap_or_default();
                cluster.budgets.push(Budget {
                    ns,
                    name,
                    src: obj.name_src(),
                    allowed,
                    demand,
                });
            }
        }
        "Ingress" => network::ingress(cluster, &obj),
        "NetworkPolicy" => network::policy(cluster, &obj),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => {
            for hook in val.get("webhooks").items() {
                let service = hook.at_path(&["clientConfig", "service"]);
                cluster.extensions.push(Extension {
                    kind: kind.to_owned(),
                    name: hook.get("name").text().to_owned(),
                    src: obj.src(hook.get("name").at),
                    service: (!service.is_null()).then(|| {
                        (
                            service.get("namespace").text().to_owned(),
                            service.get("name").text().to_owned(),
                        )
                    }),
                    blocking: hook.get("failurePolicy").text() != "Ignore",
                    condition: None,
                });
            }
        }
        "APIService" => {
            let service = spec.get("service");
            let condition = obj
                .conditions(status.get("conditions"))
                .into_iter()
                .find(|condition| condition.kind == "Available");
            cluster.extensions.push(Extension {
                kind: kind.to_owned(),
                name,
                src: obj.name_src(),
                service: (!service.is_null()).then(|| {
                    (
                        service.get("namespace").text().to_owned(),
                        service.get("name").text().to_owned(),
                    )
                }),
                blocking: false,
                condition,
            });
        }
        "Namespace" => {
            let own = val.at_path(&["metadata", "labels"]);
            let shown = labels(own);
            if !shown.is_empty() {
                let src = own
                    .members()
                    .first()
                    .map_or_else(|| obj.name_src(), |(_, value)| obj.src(value.at));
                cluster.ns_labels.insert(name.clone(), (shown, src));
            }
            let phase = status.get("phase");
            if phase.text() == "Terminating" {
                let conditions = obj.conditions(status.get("conditions"));
                let why = conditions
                    .iter()
                    .filter(|condition| condition.status.v == "True")
                    .map(|condition| condition.message.v.as_str());
                cluster.terminating.push((
                    name,
                    obj.src(phase.at),
                    why.collect::<Vec<_>>().join("; "),
                ));
            }
        }
        "Secret" | "ConfigMap" => {
            for part in ["data", "binaryData", "stringData"] {
                for (key, _) in val.get(part).members() {
                    cluster.names.insert((
                        format!("{kind}Key"),
                        ns.clone(),
                        format!("{name}/{key}"),
                    ));
                }
            }
        }
        "PodMetrics" | "NodeMetrics" | "Lease" => {
            cluster.saw_time(parse_time(val.get("timestamp").text()));
            cluster.saw_time(parse_time(spec.get("renewTime").text()));
        }
        // OpenShift: what an operator says about itself.
        "ClusterOperator" | "ClusterVersion" | "MachineConfigPool" => {
            let conditions = obj.conditions(status.get("conditions"));
            for condition in conditions {
                let bad = matches!(
                    (condition.kind.as_str(), condition.status.v.as_str()),
                    (
                        "Degraded" | "Failing" | "NodeDegraded" | "RenderDegraded",
                        "True"
                    ) | ("Available", "False")
                );
                if bad {
                    let reason = format!(
                        "{}{}",
                        if condition.kind == "Available" {
                            "NotAvailable"
                        } else {
                            "Degraded"
                        },
                        condition.reason.v
                    );
                    let mut note = note_of(kind, "", &name, condition);
                    note.reason = reason;
                    cluster.notes.push(note);
                }
            }
        }
        "" | "Endpoint" | "ConfigMapList" | "CustomResourceDefinition" | "ClusterRole" | "Role" => {
        }
        _ => super::custom::read_object(cluster, file, kind, val),
    }
}

fn note_of(kind: &str, ns: &str, name: &str, condition: Condition) -> Note {
    let src = if condition.message.src.is_known() && !condition.message.v.is_empty() {
        condition.message.src
    } else {
        condition.status.src
    };
    Note {
        kind: kind.into(),
        ns: ns.into(),
        name: name.into(),
        reason: condition.reason.v,
        message: condition.message.v,
        src,
        time: condition.since,
        count: 1,
        warning: true,
        current: true,
        ..Note::default()
    }
}

/// A condition's message as a note, if it says something.
pub fn push_condition(
    cluster: &mut Cluster,
    kind: &str,
    ns: &str,
    name: &str,
    condition: Condition,
) {
    if !condition.message.v.is_empty() {
        cluster.notes.push(note_of(kind, ns, name, condition));
    }
}
