//! The control plane: webhooks and aggregated APIs without a service behind them, namespaces that do
//! not go away, analysers of the bundle, refusals of the API server.

use super::emit::{Ctx, Draft, cut, one_line};
use super::model::*;

/// Control plane and the bundle's own conclusions.
pub fn detect(ctx: &Ctx) {
    for extension in &ctx.cluster.extensions {
        extension_service(ctx, extension);
    }
    for (name, src, why) in &ctx.cluster.terminating {
        let strength = if why.is_empty() { 0.4 } else { 0.6 };
        let draft = Draft::cause(
            "namespace-stuck-terminating",
            "Namespace",
            "",
            name,
            strength,
        )
        .says(
            format!("namespace {name} is stuck in Terminating"),
            format!(
                "Namespace {name} is being deleted and does not go away: {}",
                cut(&one_line(why), 300)
            ),
        )
        .show(ctx.quote(*src, name));
        ctx.emit(draft.entity("namespace", name));
    }
    certificates(ctx);
    analysers(ctx);
    refusals(ctx);
    terminating_pods(ctx);
}

fn extension_service(ctx: &Ctx, extension: &Extension) {
    if let Some(condition) = extension
        .condition
        .as_ref()
        .filter(|condition| condition.status.v == "False")
    {
        let metrics = extension.name.contains("metrics.k8s.io");
        let draft = Draft::cause(
            "apiservice-unavailable",
            "APIService",
            "",
            &extension.name,
            if metrics { 0.6 } else { 0.7 },
        )
        .says(
            format!(
                "aggregated API {} is not available ({})",
                extension.name, condition.reason.v
            ),
            format!(
                "The API service {} is not available: {} {}",
                extension.name,
                condition.reason.v,
                cut(&one_line(&condition.message.v), 260)
            ),
        )
        .show(ctx.quote(
            if condition.message.v.is_empty() {
                condition.status.src
            } else {
                condition.message.src
            },
            &condition.message.v,
        ));
        ctx.emit(draft);
    }
    let Some((ns, service)) = &extension.service else {
        return;
    };
    if !extension.blocking {
        return;
    }
    let listed = ctx.cluster.is_listed("Service", ns);
    let exists = ctx
        .cluster
        .services
        .iter()
        .any(|known| known.ns == *ns && known.name == *service);
    let empty = ctx
        .cluster
        .endpoints
        .iter()
        .filter(|set| set.ns == *ns && set.service == *service)
        .map(|set| set.ready)
        .reduce(|a, b| a + b)
        == Some(0);
    if (listed && !exists) || empty {
        let why = if exists {
            "has no ready endpoints"
        } else {
            "does not exist"
        };
        let draft = Draft::cause("webhook-unavailable", &extension.kind, "", &extension.name, 0.72)
            .says(format!("admission webhook {} cannot be called: its service {ns}/{service} {why}", extension.name), format!("Webhook {} has failurePolicy Fail and its service {ns}/{service} {why}, so the API server refuses the requests that it guards.", extension.name))
            .show(ctx.quote(extension.src, &extension.name));
        ctx.emit(draft.entity("service", service).entity("namespace", ns));
    }
}

/// Certificates that had expired when the bundle was collected, or expire within a week.
fn certificates(ctx: &Ctx) {
    let Some(clock) = ctx.cluster.clock else {
        return;
    };
    for Certificate {
        kind,
        ns,
        name,
        end,
        text,
    } in &ctx.cluster.certificates
    {
        let left = end - clock;
        if left > 7 * 86_400 {
            continue;
        }
        let who = format!("{} {}", kind.to_lowercase(), full_name(ns, name));
        let (strength, words) = if left <= 0 {
            (0.7, "has expired")
        } else {
            (0.3, "expires within a week")
        };
        let draft = Draft::cause("workload-certificate-expired", kind, ns, name, strength)
            .says(
                format!("the certificate in {who} {words} ({})", text.v),
                format!(
                    "The TLS certificate in {who} {words}: it is valid until {}.",
                    text.v
                ),
            )
            .show(ctx.quote_loc(text));
        ctx.emit(draft);
    }
}

/// What the vendor's own checks say: above everything that is only odd, below hard faults.
fn analysers(ctx: &Ctx) {
    let failed = ctx
        .cluster
        .analysers
        .iter()
        .filter(|analyser| analyser.fail)
        .count();
    for analyser in &ctx.cluster.analysers {
        let message = one_line(&analyser.message.v);
        let missing = [
            "not found",
            "missing",
            "unavailable",
            "not available",
            "not ready",
            "unhealthy",
            "failed",
            "crash",
        ]
        .iter()
        .any(|word| message.to_lowercase().contains(word));
        let asked = ctx.in_ticket(
            analyser
                .object
                .rsplit(['/', ' '])
                .next()
                .unwrap_or_default(),
        );
        let mut strength = match (analyser.fail, missing) {
            (true, true) => 0.6,
            (true, false) => 0.56,
            (false, _) => 0.3,
        };
        if asked {
            strength += 0.15;
        }
        let slug = if analyser.fail {
            "analyser-requirement-failed"
        } else {
            "analyser-warning"
        };
        let of = if analyser.object.is_empty() {
            String::new()
        } else {
            format!(" ({})", analyser.object)
        };
        let others = if failed > 1 && analyser.fail {
            format!(" {failed} of the vendor's checks fail in all.")
        } else {
            String::new()
        };
        let draft = Draft::cause(slug, "Analyser", "", &analyser.title, strength)
            .says(
                format!(
                    "vendor check '{}' {}: {}{of}",
                    analyser.title,
                    if analyser.fail { "fails" } else { "warns" },
                    cut(&message, 150)
                ),
                format!(
                    "The bundle's own analyser '{}' says: {}{of}.{others}",
                    analyser.title,
                    message.trim_end_matches('.')
                ),
            )
            .show(ctx.quote(analyser.message.src, &analyser.message.v));
        ctx.emit(draft);
    }
}

/// The API server did not answer the collector.
fn refusals(ctx: &Ctx) {
    for refusal in &ctx.cluster.refusals {
        let lower = refusal.message.to_lowercase();
        let down = lower.contains("unable to connect to the server")
            || lower.contains("connection to the server")
            || lower.contains("(internalerror)")
            || lower.contains("(serviceunavailable)")
            || lower.contains("etcdserver");
        if lower.contains("etcdserver") {
            let draft = Draft::cause("etcd-unhealthy", "Cluster", "", "etcd", 0.85)
                .says(
                    "etcd does not answer the API server",
                    format!(
                        "The API server passes on an error of etcd: {}",
                        cut(&refusal.message, 300)
                    ),
                )
                .show(ctx.quote(refusal.src, &refusal.message));
            ctx.emit(draft);
        } else if lower.contains("x509") && down {
            let slug = if lower.contains("expired") {
                "workload-certificate-expired"
            } else {
                "workload-certificate-untrusted"
            };
            let draft = Draft::cause(slug, "Cluster", "", "kube-apiserver", 0.82)
                .says(
                    "the API server's certificate is not accepted",
                    format!(
                        "The collector could not reach the API server: {}",
                        cut(&refusal.message, 300)
                    ),
                )
                .show(ctx.quote(refusal.src, &refusal.message));
            ctx.emit(draft);
        } else if down {
            let draft = Draft::cause(
                "apiserver-unavailable",
                "Cluster",
                "",
                "kube-apiserver",
                0.55,
            )
            .says(
                "the API server did not answer the collector",
                format!(
                    "A collecting command failed: {}",
                    cut(&refusal.message, 300)
                ),
            )
            .show(ctx.quote(refusal.src, &refusal.message));
            ctx.emit(draft);
        } else if lower.contains("forbidden") {
            let file = ctx.path(refusal.src.file);
            ctx.ask(
                format!("the output of {}", file.rsplit('/').next().unwrap_or(file)),
                format!(
                    "the collector was not allowed to read it: {}",
                    cut(&refusal.message, 200)
                ),
                Some(file.to_owned()),
            );
        } else if lower.contains("metrics api not available")
            && (ctx.ticket.contains("metric")
                || ctx.ticket.contains("autoscal")
                || ctx.ticket.contains("hpa")
                || ctx.ticket.contains("kubectl top"))
        {
            let draft = Draft::cause("apiservice-unavailable", "APIService", "", "v1beta1.metrics.k8s.io", 0.6)
                .says("the metrics API is not available", "kubectl top says that the Metrics API is not available: the metrics server is missing or down.")
                .show(ctx.quote(refusal.src, &refusal.message));
            ctx.emit(draft);
        }
    }
}

/// Pods that were deleted long ago and are still there.
fn terminating_pods(ctx: &Ctx) {
    for pod in ctx.cluster.pods.iter() {
        let row = pod.row_status.v == "Terminating";
        let old = pod
            .deleted
            .filter(|at| *at > 0)
            .zip(ctx.cluster.clock)
            .is_some_and(|(at, clock)| clock - at > 600);
        if !(old
            || row
                && (ctx.in_ticket(&pod.name)
                    || ctx.in_ticket(pod.app())
                    || ctx.ticket.contains("terminating")))
        {
            continue;
        }
        let node_down = ctx.cluster.nodes.iter().any(|node| {
            node.name == pod.node
                && node
                    .conditions
                    .iter()
                    .any(|c| c.kind == "Ready" && c.status.v != "True")
        });
        let why = if node_down {
            format!(": its node {} is not ready", pod.node)
        } else {
            String::new()
        };
        let place = if row {
            ctx.quote_loc(&pod.row_status)
        } else {
            ctx.quote(pod.deleted_src, "")
        };
        let draft = Draft::cause("pod-stuck-terminating", "Pod", &pod.ns, &pod.name, 0.5)
            .says(format!("pod {} is stuck in Terminating{why}", pod.full_name()), format!("Pod {} was deleted and does not end{why} (finalizers, volumes that cannot be unmounted, or a node that does not answer).", pod.full_name()))
            .show(place);
        ctx.emit(super::emit::with_pod(draft, pod, ""));
    }
}
