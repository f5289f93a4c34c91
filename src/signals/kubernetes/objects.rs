//! Kubernetes objects (JSON or YAML) into the typed picture.

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
    fn state(&self, val: &Val) -> State {
        for (key, kind) in [
            ("waiting", StateKind::Waiting),
            ("terminated", StateKind::Terminated),
            ("running", StateKind::Running),
        ] {
            let inner = val.get(key);
            if !inner.is_null() {
                return State {
                    kind,
                    reason: self.loc(inner.get("reason")),
                    message: self.loc(inner.get("message")),
                    exit_code: self.int(inner.get("exitCode")),
                    started: parse_time(inner.get("startedAt").text()),
                    finished: parse_time(inner.get("finishedAt").text()),
                };
            }
        }
        State::default()
    }
    fn resources(&self, val: &Val) -> std::collections::BTreeMap<String, Loc<String>> {
        val.members()
            .iter()
            .map(|(key, value)| (key.clone(), self.loc(value)))
            .collect()
    }
    fn reference(&self, kind: &str, val: &Val) -> Reference {
        Reference {
            kind: kind.into(),
            name: val.get("name").text().to_owned(),
            key: val.get("key").text().to_owned(),
            optional: val.get("optional").bool().unwrap_or(false),
            src: self.src(if val.get("name").at.line > 0 {
                val.get("name").at
            } else {
                val.at
            }),
        }
    }
    fn container(&self, val: &Val, init: bool) -> Container {
        let mut container = Container {
            name: val.get("name").text().to_owned(),
            init,
            image: self.loc(val.get("image")),
            limits: self.resources(val.at_path(&["resources", "limits"])),
            requests: self.resources(val.at_path(&["resources", "requests"])),
            ..Container::default()
        };
        for part in ["command", "args"] {
            container
                .command
                .extend(val.get(part).items().iter().map(|word| self.loc(word)));
        }
        for env in val.get("env").items() {
            let from = env.get("valueFrom");
            for (key, kind) in [("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")] {
                if !from.get(key).is_null() {
                    container
                        .references
                        .push(self.reference(kind, from.get(key)));
                }
            }
            container.env.push((
                env.get("name").text().to_owned(),
                self.loc(env.get("value")),
            ));
        }
        for source in val.get("envFrom").items() {
            for (key, kind) in [("secretRef", "Secret"), ("configMapRef", "ConfigMap")] {
                if !source.get(key).is_null() {
                    container
                        .references
                        .push(self.reference(kind, source.get(key)));
                }
            }
        }
        for (key, kind) in [
            ("livenessProbe", "liveness"),
            ("readinessProbe", "readiness"),
            ("startupProbe", "startup"),
        ] {
            let probe = val.get(key);
            if probe.is_null() {
                continue;
            }
            let (mut port, mut text, mut at) = (String::new(), String::from("exec"), probe.at);
            for (how, label) in [
                ("httpGet", "http-get"),
                ("tcpSocket", "tcp-socket"),
                ("grpc", "grpc"),
            ] {
                let action = probe.get(how);
                if !action.is_null() {
                    port = action.get("port").scalar();
                    text = format!("{label} :{port}{}", action.get("path").text());
                    at = if action.get("port").at.line > 0 {
                        action.get("port").at
                    } else {
                        action.at
                    };
                }
            }
            container.probes.push(Probe {
                kind: kind.into(),
                port,
                text: Loc::new(text, self.src(at)),
            });
        }
        for port in val.get("ports").items() {
            container.ports.push((
                port.get("name").text().to_owned(),
                port.get("containerPort").int().unwrap_or(0),
            ));
        }
        container
    }
    fn containers(&self, spec: &Val) -> Vec<Container> {
        let init = spec
            .get("initContainers")
            .items()
            .iter()
            .map(|val| self.container(val, true));
        init.chain(
            spec.get("containers")
                .items()
                .iter()
                .map(|val| self.container(val, false)),
        )
        .collect()
    }
}

/// Whether an egress rule of a policy in `ns` may let questions to the cluster's DNS pass: port 53 or
/// any port, to anybody or to peers that may be outside the namespace. In doubt it may.
fn rule_admits_dns(rule: &Val, ns: &str) -> bool {
    const DNS: i64 = 53;
    let ports = rule.get("ports").items();
    let by_port = ports.is_empty()
        || ports.iter().any(|port| {
            let first = port.get("port");
            if first.is_null() {
                return true;
            }
            let number = first.int().or_else(|| first.scalar().parse().ok());
            match (number, port.get("endPort").int()) {
                (Some(number), Some(end)) => (number..=end).contains(&DNS),
                (Some(number), None) => number == DNS,
                (None, _) => first.text().contains("dns"),
            }
        });
    let peers = rule.get("to").items();
    let by_peer = peers.is_empty()
        || peers.iter().any(|peer| {
            let namespaces = peer.get("namespaceSelector");
            if !peer.get("ipBlock").is_null() {
                return true;
            }
            if namespaces.is_null() {
                // Without a namespace selector the peers are pods of the policy's own namespace.
                return ns == "kube-system" || ns.ends_with("-dns");
            }
            let name = namespaces.at_path(&["matchLabels", "kubernetes.io/metadata.name"]);
            name.is_null() || name.text() == "kube-system" || name.text().ends_with("-dns")
        });
    by_port && by_peer
}

/// The labels of the pods of a policy's own namespace that its ingress rules let in; `None` when a rule
/// admits more than can be told by labels.
fn admitted_pods(rules: &Val) -> Option<Vec<Labels>> {
    let mut admitted = Vec::new();
    for rule in rules.items() {
        if rule.get("from").items().is_empty() {
            return None;
        }
        for peer in rule.get("from").items() {
            let pods = peer.at_path(&["podSelector", "matchLabels"]);
            if pods.members().is_empty()
                || !peer
                    .at_path(&["podSelector", "matchExpressions"])
                    .items()
                    .is_empty()
            {
                return None;
            }
            admitted.push(labels(pods));
        }
    }
    Some(admitted)
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
    let spec = val.get("spec");
    let status = val.get("status");
    cluster
        .names
        .insert((kind.to_owned(), ns.clone(), name.clone()));
    match kind {
        "Pod" => pod(cluster, &obj),
        "Node" => node(cluster, &obj),
        "Event" => event(cluster, &obj),
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "ReplicationController"
        | "Job"
        | "CronJob"
        | "DeploymentConfig" => workload(cluster, &obj, kind),
        "Service" => service(cluster, &obj),
        "Endpoints" => {
            let count = |key: &str| {
                val.get("subsets")
                    .items()
                    .iter()
                    .map(|subset| subset.get(key).items().len())
                    .sum()
            };
            let item = Endpoints {
                ns,
                service: name,
                src: obj.name_src(),
                ready: count("addresses"),
                not_ready: count("notReadyAddresses"),
            };
            cluster.endpoints.push(item);
        }
        "EndpointSlice" => {
            let service = meta
                .at_path(&["labels", "kubernetes.io/service-name"])
                .text()
                .to_owned();
            let is_ready = |endpoint: &Val| {
                endpoint
                    .at_path(&["conditions", "ready"])
                    .bool()
                    .unwrap_or(true)
            };
            let ready = val
                .get("endpoints")
                .items()
                .iter()
                .filter(|endpoint| is_ready(endpoint))
                .count();
            let not_ready = val.get("endpoints").items().len() - ready;
            if !service.is_empty() {
                cluster.endpoints.push(Endpoints {
                    ns,
                    service,
                    src: obj.name_src(),
                    ready,
                    not_ready,
                });
            }
        }
        "PersistentVolumeClaim" => {
            let class = spec.get("storageClassName");
            let class = (!class.is_null()).then(|| obj.loc(class));
            cluster.pvcs.push(Pvc {
                ns: ns.clone(),
                name: name.clone(),
                src: obj.name_src(),
                phase: obj.loc(status.get("phase")),
                class,
            });
            let conditions = obj.conditions(status.get("conditions"));
            conditions.into_iter().for_each(|condition| {
                push_condition(cluster, "PersistentVolumeClaim", &ns, &name, condition)
            });
        }
        "PersistentVolume" => {
            let claim = spec.get("claimRef");
            let claim = if claim.is_null() {
                String::new()
            } else {
                format!(
                    "{}/{}",
                    claim.get("namespace").text(),
                    claim.get("name").text()
                )
            };
            cluster.pvs.push(Pv {
                name,
                phase: obj.loc(status.get("phase")),
                claim,
                message: obj.loc(status.get("message")),
                src: obj.name_src(),
            });
        }
        "StorageClass" => {
            let notes = meta.get("annotations");
            let default = [
                "storageclass.kubernetes.io/is-default-class",
                "storageclass.beta.kubernetes.io/is-default-class",
            ]
            .iter()
            .any(|key| notes.get(key).text() == "true");
            let (provisioner, binding) = (
                obj.loc(val.get("provisioner")),
                val.get("volumeBindingMode").text().to_owned(),
            );
            cluster.classes.push(StorageClass {
                name,
                provisioner,
                default,
                binding,
                src: obj.name_src(),
            });
        }
        "ResourceQuota" => {
            let hard = if status.get("hard").is_null() {
                spec.get("hard")
            } else {
                status.get("hard")
            };
            let item = |(resource, limit): &(String, Val)| QuotaItem {
                resource: resource.clone(),
                used: obj.loc(status.get("used").get(resource)),
                hard: obj.loc(limit),
            };
            cluster.quotas.push(Quota {
                ns,
                name,
                items: hard.members().iter().map(item).collect(),
            });
        }
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
        "Ingress" => ingress(cluster, &obj),
        "NetworkPolicy" => {
            let types: Vec<&str> = spec
                .get("policyTypes")
                .items()
                .iter()
                .map(Val::text)
                .collect();
            let has_ingress = types.is_empty() || types.contains(&"Ingress");
            let egress = spec.get("egress");
            let egress_type = spec
                .get("policyTypes")
                .items()
                .iter()
                .find(|item| item.text() == "Egress");
            cluster.netpols.push(NetPol {
                limits_egress: egress_type.is_some()
                    || (types.is_empty() && !egress.items().is_empty()),
                admits_dns: egress.items().iter().any(|rule| rule_admits_dns(rule, &ns)),
                has_expressions: !spec
                    .at_path(&["podSelector", "matchExpressions"])
                    .items()
                    .is_empty(),
                egress_src: obj.src(egress_type.unwrap_or(egress).at),
                ns,
                name,
                src: obj.name_src(),
                selector: labels(spec.at_path(&["podSelector", "matchLabels"])),
                denies_ingress: has_ingress && spec.get("ingress").items().is_empty(),
                limits_ingress: has_ingress,
                admits_pods: admitted_pods(spec.get("ingress")),
                denies_egress: types.contains(&"Egress") && spec.get("egress").items().is_empty(),
            });
        }
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

fn pod(cluster: &mut Cluster, obj: &Obj) {
    let (val, meta) = (obj.val, obj.val.get("metadata"));
    let (spec, status) = (val.get("spec"), val.get("status"));
    let mut pod = Pod {
        ns: meta.get("namespace").text().to_owned(),
        name: meta.get("name").text().to_owned(),
        src: obj.name_src(),
        phase: obj.loc(status.get("phase")),
        reason: obj.loc(status.get("reason")),
        message: obj.loc(status.get("message")),
        node: spec.get("nodeName").text().to_owned(),
        owner: owner(meta),
        labels: labels(meta.get("labels")),
        service_account: spec.get("serviceAccountName").text().to_owned(),
        scheduler: obj.loc(spec.get("schedulerName")),
        node_selector: labels(spec.get("nodeSelector")),
        containers: obj.containers(spec),
        conditions: obj.conditions(status.get("conditions")),
        deleted: parse_time(meta.get("deletionTimestamp").text()),
        deleted_src: obj.src(meta.get("deletionTimestamp").at),
        detailed: true,
        ..Pod::default()
    };
    if pod.name.is_empty() {
        return;
    }
    for (list, init) in [
        ("initContainerStatuses", true),
        ("containerStatuses", false),
    ] {
        for state in status.get(list).items() {
            let name = state.get("name").text();
            let Some(container) = pod
                .containers
                .iter_mut()
                .find(|container| container.name == name && container.init == init)
            else {
                continue;
            };
            container.state = obj.state(state.get("state"));
            container.last = obj.state(state.get("lastState"));
            container.ready = state.get("ready").bool();
            container.restarts = obj.int(state.get("restartCount")).unwrap_or_default();
            pod.restarts += container.restarts.v;
            for time in [
                container.state.started,
                container.state.finished,
                container.last.finished,
            ] {
                cluster.saw_time(time);
            }
        }
    }
    let main: Vec<&Container> = pod
        .containers
        .iter()
        .filter(|container| !container.init)
        .collect();
    pod.ready = Some((
        main.iter()
            .filter(|container| container.ready == Some(true))
            .count() as i64,
        main.len() as i64,
    ));
    for condition in &pod.conditions {
        cluster.saw_time(condition.since);
    }
    for volume in spec.get("volumes").items() {
        let name = volume.get("name").text().to_owned();
        let mut push = |kind: &str, target: &Val, optional: bool| {
            pod.volumes.push(Volume {
                name: name.clone(),
                kind: kind.into(),
                target: target.scalar(),
                optional,
                src: obj.src(target.at),
            });
        };
        let optional = |val: &Val| val.get("optional").bool().unwrap_or(false);
        push_if(volume, "secret", "secretName", &mut |v, t| {
            push("Secret", t, optional(v))
        });
        push_if(volume, "configMap", "name", &mut |v, t| {
            push("ConfigMap", t, optional(v))
        });
        push_if(volume, "persistentVolumeClaim", "claimName", &mut |_, t| {
            push("PersistentVolumeClaim", t, false)
        });
        push_if(volume, "nfs", "server", &mut |_, t| push("NFS", t, false));
        push_if(volume, "hostPath", "path", &mut |_, t| {
            push("HostPath", t, false)
        });
    }
    add_pod(cluster, pod);
}

fn push_if(volume: &Val, key: &str, target: &str, each: &mut dyn FnMut(&Val, &Val)) {
    let inner = volume.get(key);
    if !inner.is_null() {
        each(inner, inner.get(target));
    }
}

/// Adds a pod, or completes the one that is known: details win over rows, the row's status is kept.
pub fn add_pod(cluster: &mut Cluster, mut pod: Pod) {
    let Cluster {
        pods, pods_by_name, ..
    } = cluster;
    let places = pods_by_name.entry(pod.name.clone()).or_default();
    let same = |at: &usize| {
        pods.get(*at)
            .is_some_and(|known| known.ns == pod.ns || known.ns.is_empty() || pod.ns.is_empty())
    };
    let Some(known) = places
        .iter()
        .copied()
        .find(same)
        .and_then(|at| pods.get_mut(at))
    else {
        places.push(pods.len());
        pods.push(pod);
        return;
    };
    let richer = |pod: &Pod| {
        (
            pod.detailed,
            pod.containers.len(),
            pod.conditions.len(),
            pod.volumes.iter().filter(|v| v.src.is_known()).count(),
        )
    };
    if richer(&pod) > richer(known) {
        std::mem::swap(known, &mut pod);
    }
    if known.ns.is_empty() {
        known.ns = pod.ns;
    }
    if known.row_status.v.is_empty() {
        known.row_status = pod.row_status;
    }
    if known.ready.is_none() {
        known.ready = pod.ready;
    }
    if known.labels.is_empty() {
        known.labels = pod.labels;
    }
    if known.node.is_empty() {
        known.node = pod.node;
    }
    known.restarts = known.restarts.max(pod.restarts);
    known.age = known.age.or(pod.age);
    known.last_restart = known.last_restart.or(pod.last_restart);
}

fn node(cluster: &mut Cluster, obj: &Obj) {
    let (meta, spec, status) = (
        obj.val.get("metadata"),
        obj.val.get("spec"),
        obj.val.get("status"),
    );
    let conditions = obj.conditions(status.get("conditions"));
    for condition in status.get("conditions").items() {
        cluster.saw_time(parse_time(condition.get("lastHeartbeatTime").text()));
    }
    let taint = |taint: &Val| {
        let value = taint.get("value").text();
        let pair = if value.is_empty() {
            taint.get("key").text().to_owned()
        } else {
            format!("{}={value}", taint.get("key").text())
        };
        Loc::new(
            format!("{pair}:{}", taint.get("effect").text()),
            obj.src(taint.get("key").at),
        )
    };
    cluster.nodes.push(Node {
        name: meta.get("name").text().to_owned(),
        src: obj.name_src(),
        row_status: Loc::default(),
        conditions,
        taints: spec.get("taints").items().iter().map(taint).collect(),
        unschedulable: Loc::new(
            spec.get("unschedulable").bool().unwrap_or(false),
            obj.src(spec.get("unschedulable").at),
        ),
        allocatable: obj.resources(status.get("allocatable")),
        labels: labels(meta.get("labels")),
        version: obj.loc(status.at_path(&["nodeInfo", "kubeletVersion"])),
    });
}

fn event(cluster: &mut Cluster, obj: &Obj) {
    let val = obj.val;
    let about = if val.get("involvedObject").is_null() {
        val.get("regarding")
    } else {
        val.get("involvedObject")
    };
    let message = if val.get("message").is_null() {
        val.get("note")
    } else {
        val.get("message")
    };
    let series = val.get("series");
    let time = [
        series.get("lastObservedTime"),
        val.get("lastTimestamp"),
        val.get("deprecatedLastTimestamp"),
        val.get("eventTime"),
        val.get("firstTimestamp"),
        val.at_path(&["metadata", "creationTimestamp"]),
    ]
    .iter()
    .find_map(|field| parse_time(field.text()));
    cluster.saw_time(time);
    let reason = val.get("reason");
    let field = about.get("fieldPath").text();
    let container = field
        .split_once('{')
        .and_then(|(_, rest)| rest.strip_suffix('}'))
        .unwrap_or_default()
        .to_owned();
    cluster.notes.push(Note {
        kind: about.get("kind").text().to_owned(),
        ns: about.get("namespace").text().to_owned(),
        name: about.get("name").text().to_owned(),
        reason: reason.text().to_owned(),
        message: message.text().to_owned(),
        src: obj.src(if message.at.line > 0 {
            message.at
        } else {
            reason.at
        }),
        age: None,
        time,
        count: series
            .get("count")
            .int()
            .or(val.get("count").int())
            .or(val.get("deprecatedCount").int())
            .unwrap_or(1),
        warning: val.get("type").text() == "Warning",
        current: false,
        container,
        of_custom: false,
    });
}

fn workload(cluster: &mut Cluster, obj: &Obj, kind: &str) {
    let (val, meta) = (obj.val, obj.val.get("metadata"));
    let (spec, status) = (val.get("spec"), val.get("status"));
    let template = if kind == "CronJob" {
        spec.at_path(&["jobTemplate", "spec", "template"])
    } else {
        spec.get("template")
    };
    let selector = if spec.at_path(&["selector", "matchLabels"]).is_null() {
        spec.get("selector")
    } else {
        spec.at_path(&["selector", "matchLabels"])
    };
    let (desired, ready) = match kind {
        "DaemonSet" => (
            status.get("desiredNumberScheduled"),
            status.get("numberReady"),
        ),
        "Job" => (spec.get("completions"), status.get("succeeded")),
        _ => (spec.get("replicas"), status.get("readyReplicas")),
    };
    let name_src = obj.name_src();
    let desired = obj.int(desired);
    let ready = obj.int(ready).or_else(|| {
        (!status.is_null() && kind != "CronJob")
            .then(|| Loc::new(0, desired.as_ref().map_or(name_src, |d| d.src)))
    });
    let suspended = if kind == "Deployment" {
        spec.get("paused")
    } else {
        spec.get("suspend")
    };
    let (ns, name) = (
        meta.get("namespace").text().to_owned(),
        meta.get("name").text().to_owned(),
    );
    let conditions = obj.conditions(status.get("conditions"));
    for condition in &conditions {
        cluster.saw_time(condition.since);
        if condition.kind == "ReplicaFailure" && condition.status.v == "True" {
            push_condition(cluster, kind, &ns, &name, condition.clone());
        }
    }
    add_workload(
        cluster,
        Workload {
            kind: kind.into(),
            ns,
            name,
            src: name_src,
            owner: owner(meta),
            desired,
            ready,
            failed: obj.int(status.get("failed")),
            backoff_limit: spec.get("backoffLimit").int(),
            suspended: Loc::new(suspended.bool().unwrap_or(false), obj.src(suspended.at)),
            schedule: spec.get("schedule").text().to_owned(),
            selector: labels(selector),
            template_labels: labels(template.at_path(&["metadata", "labels"])),
            containers: obj.containers(template.get("spec")),
            conditions,
            service_account: obj.loc(template.at_path(&["spec", "serviceAccountName"])),
            detailed: true,
        },
    );
}

/// Adds a workload, or completes the one that is known; details win over rows.
pub fn add_workload(cluster: &mut Cluster, mut workload: Workload) {
    let same = |known: &Workload| {
        known.kind == workload.kind
            && known.name == workload.name
            && (known.ns == workload.ns || known.ns.is_empty() || workload.ns.is_empty())
    };
    match cluster.workloads.iter_mut().find(|known| same(known)) {
        None => cluster.workloads.push(workload),
        Some(known) => {
            if workload.detailed && !known.detailed {
                std::mem::swap(known, &mut workload);
            }
            if known.ns.is_empty() {
                known.ns = workload.ns;
            }
            known.desired = known.desired.take().or(workload.desired);
            known.ready = known.ready.take().or(workload.ready);
        }
    }
}

fn service(cluster: &mut Cluster, obj: &Obj) {
    let (meta, spec) = (obj.val.get("metadata"), obj.val.get("spec"));
    let port = |port: &Val| {
        let target = if port.get("targetPort").is_null() {
            port.get("port")
        } else {
            port.get("targetPort")
        };
        ServicePort {
            name: port.get("name").text().to_owned(),
            port: port.get("port").int().unwrap_or(0),
            target: target.scalar(),
            src: obj.src(target.at),
        }
    };
    let kind = spec.get("type").text().to_owned();
    let balancer = obj.val.at_path(&["status", "loadBalancer"]);
    let pending = kind == "LoadBalancer"
        && !obj.val.get("status").is_null()
        && balancer.get("ingress").items().is_empty();
    cluster.services.push(Service {
        ns: meta.get("namespace").text().to_owned(),
        name: meta.get("name").text().to_owned(),
        src: obj.name_src(),
        pending_address: pending.then(|| obj.src(spec.get("type").at)),
        kind,
        selector: labels(spec.get("selector")),
        selector_src: obj.src(
            spec.get("selector")
                .members()
                .first()
                .map_or(spec.get("selector").at, |(_, value)| value.at),
        ),
        ports: spec.get("ports").items().iter().map(port).collect(),
        endpoints: None,
        cluster_ip: spec.get("clusterIP").text().to_owned(),
    });
}

fn ingress(cluster: &mut Cluster, obj: &Obj) {
    let (meta, spec) = (obj.val.get("metadata"), obj.val.get("spec"));
    let mut backends = Vec::new();
    let mut push = |backend: &Val| {
        let (new, old) = (
            backend.at_path(&["service", "name"]),
            backend.get("serviceName"),
        );
        let name = if new.is_null() { old } else { new };
        if !name.is_null() {
            let port = backend.at_path(&["service", "port"]);
            let number = if port.get("number").is_null() {
                port.get("name").scalar()
            } else {
                port.get("number").scalar()
            };
            let port = if number.is_empty() {
                backend.get("servicePort").scalar()
            } else {
                number
            };
            backends.push((name.text().to_owned(), port, obj.src(name.at)));
        }
    };
    push(spec.get("defaultBackend"));
    push(spec.get("backend"));
    for rule in spec.get("rules").items() {
        for path in rule.at_path(&["http", "paths"]).items() {
            push(path.get("backend"));
        }
    }
    let class = if spec.get("ingressClassName").is_null() {
        meta.at_path(&["annotations", "kubernetes.io/ingress.class"])
    } else {
        spec.get("ingressClassName")
    };
    cluster.ingresses.push(Ingress {
        ns: meta.get("namespace").text().to_owned(),
        name: meta.get("name").text().to_owned(),
        src: obj.name_src(),
        class: obj.loc(class),
        no_address: !obj.val.get("status").is_null()
            && obj
                .val
                .at_path(&["status", "loadBalancer", "ingress"])
                .items()
                .is_empty(),
        backends,
        tls: spec
            .get("tls")
            .items()
            .iter()
            .filter(|tls| !tls.get("secretName").is_null())
            .map(|tls| obj.loc(tls.get("secretName")))
            .collect(),
    });
}
