//! Deployments, stateful and daemon sets, jobs and cron jobs.

use super::super::model::*;
use super::{Obj, labels, owner, push_condition};

pub fn workload(cluster: &mut Cluster, obj: &Obj, kind: &str) {
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
            schedule_src: obj.src(spec.get("schedule").at),
            zone: spec.get("timeZone").text().to_owned(),
            selector: labels(selector),
            template_labels: labels(template.at_path(&["metadata", "labels"])),
            containers: obj.containers(template.get("spec")),
            conditions,
            service_account: obj.loc(template.at_path(&["spec", "serviceAccountName"])),
            node_selector: {
                let pairs = template.at_path(&["spec", "nodeSelector"]);
                let first = pairs.members().first();
                let words: Vec<String> = labels(pairs)
                    .into_iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                Loc::new(
                    words.join(","),
                    obj.src(first.map_or(pairs.at, |(_, value)| value.at)),
                )
            },
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
            if known.zone.is_empty() {
                known.zone = workload.zone;
            }
            known.desired = known.desired.take().or(workload.desired);
            known.ready = known.ready.take().or(workload.ready);
        }
    }
}
