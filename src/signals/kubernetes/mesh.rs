//! Service meshes: subsets of destination rules that select no pod.

use super::emit::{Ctx, Draft, one_line};
use super::model::*;
use super::value::Val;

/// Reads the subsets of a destination rule (Istio).
pub fn read(cluster: &mut Cluster, file: u32, val: &Val) {
    let meta = val.get("metadata");
    let host = val.at_path(&["spec", "host"]).text();
    for subset in val.at_path(&["spec", "subsets"]).items() {
        let labels = subset.get("labels").members();
        let Some((_, first)) = labels.first() else {
            continue;
        };
        cluster.subsets.push(Subset {
            ns: meta.get("namespace").text().to_owned(),
            rule: meta.get("name").text().to_owned(),
            host: host.to_owned(),
            name: subset.get("name").text().to_owned(),
            labels: labels
                .iter()
                .map(|(key, value)| (key.clone(), value.scalar()))
                .collect(),
            src: Src {
                file,
                line: first.at.line,
                column: first.at.column,
            },
        });
    }
}

/// Subsets whose labels no pod of their service has.
pub fn detect(ctx: &Ctx) {
    for subset in &ctx.cluster.subsets {
        let mut parts = subset.host.split('.');
        let service = parts.next().unwrap_or_default();
        let ns = parts.next().unwrap_or(&subset.ns);
        let of_host: Vec<&Pod> = ctx
            .cluster
            .pods
            .iter()
            .filter(|pod| {
                pod.ns == ns
                    && !pod.is_done()
                    && !pod.labels.is_empty()
                    && serves(ctx, pod, service, ns)
            })
            .collect();
        if of_host.is_empty()
            || of_host
                .iter()
                .any(|pod| subset.labels.iter().all(|label| pod.labels.contains(label)))
        {
            continue;
        }
        let wanted = words(&subset.labels);
        // The pod that nearly fits: the same key with another value that begins alike.
        let near = of_host.iter().find_map(|pod| {
            let (key, value) = subset.labels.first()?;
            let (_, has) = pod.labels.iter().find(|(k, _)| k == key)?;
            (has.starts_with(value.as_str()) || value.starts_with(has.as_str()))
                .then(|| (pod, format!("{key}={has}")))
        });
        let has = near
            .as_ref()
            .map(|(pod, label)| format!("; pod {} has {label}", pod.full_name()))
            .unwrap_or_default();
        let refused = ctx.cluster.logs.iter().find_map(|log| {
            super::lastwords::tail(ctx, log)
                .into_iter()
                .find(|(_, line)| {
                    line.contains(&format!("|{}|{service}", subset.name))
                        && [" UH ", "no_healthy_upstream", "no healthy upstream", " NR "]
                            .iter()
                            .any(|sign| line.contains(sign))
                })
                .map(|(line, text)| {
                    let src = Src {
                        file: log.file,
                        line,
                        column: 0,
                    };
                    (src, text)
                })
        });
        let strength = if refused.is_some() { 0.92 } else { 0.6 };
        let rule = full_name(&subset.ns, &subset.rule);
        let mut draft = Draft::cause(
            "mesh-subset-without-pods",
            "DestinationRule",
            &subset.ns,
            &subset.rule,
            strength,
        )
        .says(
            format!("subset {} of destination rule {rule} selects no pod of {service}: it asks for {wanted}{has}", subset.name),
            format!("Subset {} of destination rule {rule} for host {} selects pods with {wanted}, but no pod of the service has that label{has}. Requests that are routed to this subset find no healthy upstream.", subset.name, subset.host),
        )
        .show(ctx.quote(subset.src, ""))
        .entity("service", service);
        if let Some((src, line)) = refused {
            draft = draft.show(ctx.quote(src, &one_line(&line)));
        }
        if let Some((pod, label)) = near {
            draft = draft.show(ctx.quote(pod.src, &label));
        }
        ctx.emit(draft);
    }
}

/// Whether the pod is behind the service: by its selector, else by the application's name.
fn serves(ctx: &Ctx, pod: &Pod, service: &str, ns: &str) -> bool {
    let known = ctx
        .cluster
        .services
        .iter()
        .find(|known| known.name == service && known.ns == ns && !known.selector.is_empty());
    match known {
        Some(known) => known
            .selector
            .iter()
            .all(|label| pod.labels.contains(label)),
        None => pod
            .labels
            .iter()
            .any(|(key, value)| key.ends_with("app") && value == service),
    }
}

fn words(labels: &Labels) -> String {
    labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(", ")
}
