//! Pods, nodes and events.

use super::super::model::*;
use super::super::time::parse_time;
use super::super::value::Val;
use super::{Obj, labels, owner};

pub fn pod(cluster: &mut Cluster, obj: &Obj) {
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

pub fn node(cluster: &mut Cluster, obj: &Obj) {
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

pub fn event(cluster: &mut Cluster, obj: &Obj) {
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
        quiet: false,
    });
}
