//! Deployments, jobs, cron jobs, autoscalers, quotas: faults seen in their own state.

use super::emit::{Ctx, Draft, cut, one_line};
use super::model::*;

/// Every workload.
pub fn detect(ctx: &Ctx) {
    for workload in &ctx.cluster.workloads {
        match workload.kind.as_str() {
            "CronJob" => suspended(ctx, workload),
            "Job" => job(ctx, workload),
            "Deployment" | "StatefulSet" | "DaemonSet" => rollout(ctx, workload),
            _ => {}
        }
        service_account(ctx, workload);
    }
    for pod in &ctx.cluster.pods {
        references(ctx, pod);
    }
    for hpa in &ctx.cluster.hpas {
        autoscaler(ctx, hpa);
    }
    quotas(ctx);
}

fn suspended(ctx: &Ctx, workload: &Workload) {
    if !workload.suspended.v {
        return;
    }
    let asked = ctx.in_ticket(&workload.name)
        || ctx.ticket.contains("cron")
        || ctx.ticket.contains("schedule");
    let name = full_name(&workload.ns, &workload.name);
    let draft = Draft::cause(
        "cronjob-suspended",
        "CronJob",
        &workload.ns,
        &workload.name,
        match () {
            () if asked => 0.85,
            () if ctx.narrow => 0.54,
            () => 0.4,
        },
    )
    .says(
        format!("cron job {name} is suspended and never runs"),
        format!(
            "Cron job {name} ({}) has suspend: true, so no job is started.",
            workload.schedule
        ),
    )
    .show(ctx.quote(workload.suspended.src, ""));
    ctx.emit(draft);
}

fn job(ctx: &Ctx, workload: &Workload) {
    let name = full_name(&workload.ns, &workload.name);
    let failed = workload
        .conditions
        .iter()
        .find(|condition| condition.kind == "Failed" && condition.status.v == "True");
    let done = workload
        .ready
        .as_ref()
        .zip(workload.desired.as_ref())
        .is_some_and(|(ready, desired)| ready.v >= desired.v);
    if done {
        return;
    }
    if let Some(condition) = failed.filter(|condition| condition.reason.v == "DeadlineExceeded") {
        let draft = Draft::cause("job-deadline-exceeded", "Job", &workload.ns, &workload.name, 0.86)
            .says(format!("job {name} ran longer than its deadline (DeadlineExceeded)"), format!("Job {name} was ended because it was active longer than its activeDeadlineSeconds: {}", one_line(&condition.message.v)))
            .show(ctx.quote_loc(&condition.reason))
            .show(ctx.quote_loc(&condition.message));
        ctx.emit(draft);
        return;
    }
    let count = workload.failed.as_ref().filter(|failed| failed.v > 0);
    if failed.is_none() && count.is_none() {
        return;
    }
    let limit = workload
        .backoff_limit
        .map(|limit| format!(", backoff limit {limit}"))
        .unwrap_or_default();
    let pod = ctx
        .cluster
        .pods
        .iter()
        .find(|pod| pod.ns == workload.ns && pod.owner == format!("Job/{}", workload.name));
    let reason = failed.map_or(String::new(), |condition| {
        format!(
            " {}: {}",
            condition.reason.v,
            cut(&one_line(&condition.message.v), 200)
        )
    });
    let mut draft = Draft::symptom("job-failed", "Job", &workload.ns, &workload.name, 0.52)
        .says(
            format!("job {name} failed{limit}"),
            format!("Job {name} failed{limit}.{reason}"),
        )
        .show(failed.and_then(|condition| ctx.quote_loc(&condition.reason)))
        .show(count.and_then(|count| ctx.quote(count.src, &workload.name)));
    if let Some(pod) = pod {
        draft = draft.entity("pod", &pod.name);
    }
    ctx.emit(draft);
    let has_log = ctx
        .cluster
        .logs
        .iter()
        .any(|log| !log.empty && log.pod.starts_with(workload.name.as_str()));
    if pod.is_none() && !has_log {
        let ns = if workload.ns.is_empty() {
            String::new()
        } else {
            format!("-n {} ", workload.ns)
        };
        ctx.ask(
            format!(
                "log of a pod of job {name} (kubectl {ns}logs job/{})",
                workload.name
            ),
            "the bundle holds no pod of this job; its log says why it failed",
            None,
        );
    }
}

fn rollout(ctx: &Ctx, workload: &Workload) {
    let name = full_name(&workload.ns, &workload.name);
    let kind = workload.kind.to_lowercase();
    let asked = ctx.in_ticket(&workload.name);
    if let Some(desired) = workload
        .desired
        .as_ref()
        .filter(|desired| desired.v == 0 && workload.kind != "DaemonSet")
    {
        let strength = if asked { 0.8 } else { 0.15 };
        let draft = Draft::cause(
            "workload-scaled-to-zero",
            &workload.kind,
            &workload.ns,
            &workload.name,
            strength,
        )
        .says(
            format!("{kind} {name} is scaled to 0 replicas"),
            format!("{kind} {name} wants zero replicas, so none of its pods runs."),
        )
        .show(ctx.quote(desired.src, &workload.name));
        ctx.emit(draft);
    }
    let nowhere = workload
        .desired
        .as_ref()
        .filter(|desired| desired.v == 0 && workload.kind == "DaemonSet");
    if let Some(desired) = nowhere.filter(|_| !workload.node_selector.v.is_empty()) {
        let selector = &workload.node_selector;
        let strength = match () {
            () if asked => 0.85,
            () if ctx.narrow => 0.6,
            () => 0.3,
        };
        let draft = Draft::cause("daemonset-selects-no-node", "DaemonSet", &workload.ns, &workload.name, strength)
            .says(
                format!("{kind} {name} runs on no node: none matches its node selector {}", selector.v),
                format!("{kind} {name} wants 0 pods because no node has the labels of its node selector {}.", selector.v),
            )
            .show(ctx.quote_loc(selector))
            .show(ctx.quote(desired.src, ""));
        ctx.emit(draft);
    }
    if workload.kind == "Deployment" && workload.suspended.v {
        let draft = Draft::cause(
            "rollout-paused",
            "Deployment",
            &workload.ns,
            &workload.name,
            if asked { 0.7 } else { 0.35 },
        )
        .says(
            format!("deployment {name} is paused"),
            format!(
                "The rollout of deployment {name} is paused, so changes of it are not rolled out."
            ),
        )
        .show(ctx.quote(workload.suspended.src, ""));
        ctx.emit(draft);
    }
    let stuck = workload.conditions.iter().find(|condition| {
        condition.kind == "Progressing" && condition.reason.v == "ProgressDeadlineExceeded"
    });
    let short = workload
        .ready
        .as_ref()
        .zip(workload.desired.as_ref())
        .filter(|(ready, desired)| ready.v < desired.v);
    if stuck.is_none() && short.is_none() {
        return;
    }
    let pods: Vec<&Pod> = ctx
        .cluster
        .pods
        .iter()
        .filter(|pod| {
            pod.ns == workload.ns
                && (pod.app() == workload.name || selects(&workload.selector, &pod.labels))
        })
        .collect();
    let starting = stuck.is_none()
        && !pods.is_empty()
        && pods
            .iter()
            .all(|pod| pod.is_ready() || pod.age.is_some_and(|age| age < 120));
    if starting {
        return;
    }
    let counts = short
        .map(|(ready, desired)| format!("{} of {} replicas ready", ready.v, desired.v))
        .unwrap_or_else(|| "no progress".into());
    let mut draft = Draft::symptom(
        "rollout-stuck",
        &workload.kind,
        &workload.ns,
        &workload.name,
        if stuck.is_some() { 0.5 } else { 0.44 },
    )
    .says(
        format!("{kind} {name} is not fully available: {counts}"),
        format!("{kind} {name} has {counts}."),
    )
    .show(stuck.and_then(|condition| ctx.quote_loc(&condition.reason)))
    .show(short.and_then(|(ready, _)| ctx.quote(ready.src, &workload.name)));
    if let Some(pod) = pods.iter().find(|pod| !pod.is_ready()) {
        draft = draft.entity("pod", &pod.name);
    }
    ctx.emit(draft);
    let told = ctx.cluster.notes.iter().any(|note| {
        note.ns == workload.ns
            && note.warning
            && (note.name == workload.name || note.name.starts_with(&format!("{}-", workload.name)))
    });
    if pods.is_empty() && !told {
        let ns = if workload.ns.is_empty() {
            String::new()
        } else {
            format!("-n {} ", workload.ns)
        };
        ctx.ask(format!("pods and events of {kind} {name} (kubectl {ns}get pods, kubectl {ns}describe {kind} {})", workload.name), "its replicas are not ready and the bundle shows none of its pods", None);
    }
}

fn service_account(ctx: &Ctx, workload: &Workload) {
    let wanted = &workload.service_account;
    if wanted.v.is_empty()
        || wanted.v == "default"
        || !ctx.cluster.is_listed("ServiceAccount", &workload.ns)
        || ctx.cluster.has("ServiceAccount", &workload.ns, &wanted.v)
    {
        return;
    }
    let running = workload.ready.as_ref().is_some_and(|ready| ready.v > 0);
    let name = full_name(&workload.ns, &workload.name);
    let draft = Draft::cause("service-account-missing", &workload.kind, &workload.ns, &workload.name, if running { 0.35 } else { 0.82 })
        .says(format!("{} {name} uses service account {}, which does not exist", workload.kind.to_lowercase(), wanted.v), format!("{} {name} names service account {}, but there is none of that name (not found) in its namespace.", workload.kind, wanted.v))
        .show(ctx.quote_loc(wanted));
    ctx.emit(draft);
}

/// Secrets and config maps a waiting pod refers to that the bundle's complete lists do not hold.
fn references(ctx: &Ctx, pod: &Pod) {
    if pod.is_ready() || pod.is_done() || !pod.detailed {
        return;
    }
    let waits = pod
        .containers
        .iter()
        .any(|container| container.state.kind == StateKind::Waiting);
    if !waits {
        return;
    }
    let absent = |kind: &str, name: &str| {
        !name.is_empty()
            && ctx.cluster.is_listed(kind, &pod.ns)
            && !ctx.cluster.has(kind, &pod.ns, name)
    };
    let who = format!("pod {}", pod.full_name());
    for container in &pod.containers {
        for reference in container
            .references
            .iter()
            .filter(|reference| !reference.optional)
        {
            let slug = if reference.kind == "Secret" {
                "config-secret-missing"
            } else {
                "config-configmap-missing"
            };
            let what = if reference.kind == "Secret" {
                "secret"
            } else {
                "config map"
            };
            let waiting = container.state.reason.v == "CreateContainerConfigError";
            if absent(&reference.kind, &reference.name) {
                let draft = Draft::cause(slug, "Pod", &pod.ns, &pod.name, if waiting { 0.93 } else { 0.6 })
                    .says(format!("{who} container {} needs {what} {}, which does not exist", container.name, reference.name), format!("{who} container {} takes its environment from {what} {}, which was not found in its namespace.", container.name, reference.name))
                    .show(ctx.quote(reference.src, &reference.name))
                    .show(ctx.quote_loc(&container.state.reason));
                ctx.emit(super::emit::with_pod(draft, pod, &container.name));
            } else if waiting
                && !reference.key.is_empty()
                && keys_known(ctx, &reference.kind, &pod.ns, &reference.name)
                && !ctx.cluster.has(
                    &format!("{}Key", reference.kind),
                    &pod.ns,
                    &format!("{}/{}", reference.name, reference.key),
                )
            {
                let draft = Draft::cause("config-key-missing", "Pod", &pod.ns, &pod.name, 0.93)
                    .says(format!("{who} container {} needs key {} of {what} {}, which does not exist", container.name, reference.key, reference.name), format!("{what} {} has no key {}, which {who} container {} takes into its environment.", reference.name, reference.key, container.name))
                    .show(ctx.quote(reference.src, &reference.name))
                    .show(ctx.quote_loc(&container.state.reason));
                ctx.emit(super::emit::with_pod(draft, pod, &container.name));
            }
        }
    }
    for volume in pod.volumes.iter().filter(|volume| !volume.optional) {
        let (slug, what) = match volume.kind.as_str() {
            "Secret" => ("mount-secret-missing", "secret"),
            "ConfigMap" => ("mount-configmap-missing", "config map"),
            _ => continue,
        };
        if absent(&volume.kind, &volume.target) {
            let draft = Draft::cause(slug, "Pod", &pod.ns, &pod.name, 0.9)
                .says(format!("{who} mounts {what} {}, which does not exist", volume.target), format!("{who} cannot start: its volume {} needs {what} {}, which was not found in its namespace.", volume.name, volume.target))
                .show(ctx.quote(volume.src, &volume.target));
            ctx.emit(super::emit::with_pod(draft, pod, ""));
        }
    }
}

fn keys_known(ctx: &Ctx, kind: &str, ns: &str, name: &str) -> bool {
    let lead = format!("{name}/");
    ctx.cluster.names.iter().any(|(known, of, key)| {
        *known == format!("{kind}Key") && of == ns && key.starts_with(&lead)
    })
}

fn autoscaler(ctx: &Ctx, hpa: &Hpa) {
    let name = full_name(&hpa.ns, &hpa.name);
    let unable = hpa.conditions.iter().find(|condition| {
        matches!(condition.kind.as_str(), "ScalingActive" | "AbleToScale")
            && condition.status.v == "False"
            && condition.reason.v != "ScalingDisabled"
    });
    if let Some(condition) = unable {
        let draft = Draft::cause(
            "hpa-metrics-unavailable",
            "HorizontalPodAutoscaler",
            &hpa.ns,
            &hpa.name,
            0.74,
        )
        .says(
            format!("autoscaler {name} cannot scale: {}", condition.reason.v),
            format!(
                "Autoscaler {name} of {} cannot scale ({}): {}",
                hpa.target,
                condition.reason.v,
                cut(&one_line(&condition.message.v), 260)
            ),
        )
        .show(ctx.quote(
            if condition.message.v.is_empty() {
                condition.reason.src
            } else {
                condition.message.src
            },
            &condition.message.v,
        ));
        ctx.emit(draft);
    } else if hpa.targets.v.contains("<unknown>") {
        let draft = Draft::cause("hpa-metrics-unavailable", "HorizontalPodAutoscaler", &hpa.ns, &hpa.name, 0.66)
            .says(format!("autoscaler {name} gets no metrics ({})", hpa.targets.v), format!("Autoscaler {name} of {} shows <unknown> for its target: metrics are missing (metrics server, or pods without requests).", hpa.target))
            .show(ctx.quote(hpa.targets.src, &hpa.name));
        ctx.emit(draft);
    }
    let limited = hpa.conditions.iter().find(|condition| {
        condition.kind == "ScalingLimited"
            && condition.status.v == "True"
            && condition.reason.v == "TooManyReplicas"
    });
    if limited.is_some() || (hpa.max.is_some() && hpa.max == hpa.current) {
        let asked = ctx.in_ticket(&hpa.name)
            || ["slow", "scale", "load", "latency"]
                .iter()
                .any(|word| ctx.ticket.contains(word));
        let draft = Draft::cause(
            "hpa-at-maximum",
            "HorizontalPodAutoscaler",
            &hpa.ns,
            &hpa.name,
            if asked { 0.62 } else { 0.3 },
        )
        .says(
            format!(
                "autoscaler {name} is at its maximum of {} replicas",
                hpa.max.unwrap_or(0)
            ),
            format!(
                "Autoscaler {name} of {} wants more replicas than its maximum allows.",
                hpa.target
            ),
        )
        .show(
            limited
                .and_then(|condition| ctx.quote_loc(&condition.reason))
                .or_else(|| ctx.quote(hpa.src, &hpa.name)),
        );
        ctx.emit(draft);
    }
}

/// A quantity as a number: `500m`, `2Gi`, `3`.
pub fn quantity(text: &str) -> Option<f64> {
    let digits = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let number: f64 = text.get(..digits)?.parse().ok()?;
    let unit = match text.get(digits..)? {
        "" => 1.0,
        "m" => 0.001,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "Ki" => 1024.0,
        "Mi" => 1024f64.powi(2),
        "Gi" => 1024f64.powi(3),
        "Ti" => 1024f64.powi(4),
        _ => return None,
    };
    Some(number * unit)
}

fn quotas(ctx: &Ctx) {
    for quota in &ctx.cluster.quotas {
        for item in &quota.items {
            let full = quantity(&item.used.v)
                .zip(quantity(&item.hard.v))
                .is_some_and(|(used, hard)| used >= hard && hard > 0.0);
            if !full {
                continue;
            }
            let short = ctx.cluster.workloads.iter().any(|w| {
                w.ns == quota.ns
                    && w.ready
                        .as_ref()
                        .zip(w.desired.as_ref())
                        .is_some_and(|(r, d)| r.v < d.v)
            });
            let name = full_name(&quota.ns, &quota.name);
            let draft = Draft::cause("resource-quota-exceeded", "ResourceQuota", &quota.ns, &quota.name, if short { 0.66 } else { 0.3 })
                .says(format!("quota {name} is used up: {} {} of {}", item.resource, item.used.v, item.hard.v), format!("Quota {name} allows {} of {} and {} is used, so further pods or objects are refused (exceeded quota).", item.hard.v, item.resource, item.used.v))
                .show(ctx.quote(item.used.src, &item.used.v))
                .show(ctx.quote(item.hard.src, &item.hard.v));
            ctx.emit(draft);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities() {
        assert_eq!(
            [
                quantity("500m"),
                quantity("2Gi"),
                quantity("3"),
                quantity("x")
            ],
            [Some(0.5), Some(2.0 * 1024f64.powi(3)), Some(3.0), None]
        );
    }
}
