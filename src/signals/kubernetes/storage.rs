//! Claims and volumes that are not bound, read from their own state.

use super::emit::{Ctx, Draft};
use super::model::*;
use std::collections::BTreeSet;

/// Claims that wait, claims without volume, failed volumes.
pub fn detect(ctx: &Ctx) {
    let mut seen = BTreeSet::new();
    for claim in &ctx.cluster.pvcs {
        if !seen.insert((claim.ns.as_str(), claim.name.as_str())) {
            continue;
        }
        match claim.phase.v.as_str() {
            "Pending" => pending(ctx, claim),
            "Lost" => {
                let who = format!("claim {}", full_name(&claim.ns, &claim.name));
                let draft = Draft::cause("pvc-lost", "PersistentVolumeClaim", &claim.ns, &claim.name, 0.88)
                    .says(format!("{who} lost its volume (Lost)"), format!("{who} is in phase Lost: the persistent volume it was bound to no longer exists."))
                    .show(ctx.quote_loc(&claim.phase));
                ctx.emit(draft);
            }
            _ => {}
        }
    }
    for (ns, name, src, users) in &ctx.cluster.ending_claims {
        let who = format!("claim {}", full_name(ns, name));
        let by = if users.is_empty() {
            String::new()
        } else {
            format!(": it is still used by {users}")
        };
        let draft = Draft::cause(
            "pvc-stuck-terminating",
            "PersistentVolumeClaim",
            ns,
            name,
            0.72,
        )
        .says(
            format!("{who} is stuck in Terminating{by}"),
            format!(
                "{who} was deleted and its finalizer kubernetes.io/pvc-protection keeps it{by}."
            ),
        )
        .show(ctx.quote(*src, ""));
        ctx.emit(draft);
    }
    for volume in ctx
        .cluster
        .pvs
        .iter()
        .filter(|volume| volume.phase.v == "Failed")
    {
        let draft = Draft::cause("pv-failed", "PersistentVolume", "", &volume.name, 0.6)
            .says(
                format!("persistent volume {} is in phase Failed", volume.name),
                format!(
                    "Persistent volume {} of claim {} failed: {}",
                    volume.name, volume.claim, volume.message.v
                ),
            )
            .show(ctx.quote_loc(&volume.phase))
            .show(ctx.quote_loc(&volume.message));
        ctx.emit(draft);
    }
}

fn pending(ctx: &Ctx, claim: &Pvc) {
    let cluster = ctx.cluster;
    let who = format!("claim {}", full_name(&claim.ns, &claim.name));
    let classes_known = !cluster.classes.is_empty() || cluster.is_listed("StorageClass", "");
    let names: Vec<&str> = cluster
        .classes
        .iter()
        .map(|class| class.name.as_str())
        .collect();
    let known = if names.is_empty() {
        "the cluster has no storage class".to_owned()
    } else {
        format!("the cluster has: {}", names.join(", "))
    };
    let build = |slug: &str, strength: f64, title: String, statement: String| {
        Draft::cause(
            slug,
            "PersistentVolumeClaim",
            &claim.ns,
            &claim.name,
            strength,
        )
        .says(title, statement)
    };
    match &claim.class {
        Some(class) if !class.v.is_empty() => {
            let Some(found) = cluster.classes.iter().find(|known| known.name == class.v) else {
                if classes_known {
                    let title =
                        format!("{who} is Pending: storage class {} does not exist", class.v);
                    let draft = build(
                        "pvc-storage-class-missing",
                        0.93,
                        title,
                        format!(
                            "{who} asks for storage class {}, which was not found; {known}.",
                            class.v
                        ),
                    );
                    ctx.emit(
                        draft
                            .show(ctx.quote_loc(class))
                            .show(ctx.quote_loc(&claim.phase))
                            .entity("storageclass", &class.v),
                    );
                }
                return unexplained(ctx, claim, &who);
            };
            if found.provisioner.v == "kubernetes.io/no-provisioner" {
                let title = format!(
                    "{who} is Pending: storage class {} has no provisioner and no volume fits",
                    class.v
                );
                let draft = build(
                    "pvc-no-matching-volume",
                    0.8,
                    title,
                    format!(
                        "{who} waits: storage class {} creates no volumes by itself (no-provisioner), and no existing volume matches the claim.",
                        class.v
                    ),
                );
                ctx.emit(
                    draft
                        .show(ctx.quote_loc(class))
                        .show(ctx.quote_loc(&found.provisioner))
                        .show(ctx.quote_loc(&claim.phase)),
                );
                return;
            }
            if found.binding == "WaitForFirstConsumer" {
                let used = cluster.pods.iter().any(|pod| {
                    pod.ns == claim.ns
                        && pod.volumes.iter().any(|volume| {
                            volume.kind == "PersistentVolumeClaim" && volume.target == claim.name
                        })
                });
                if !used {
                    // Waiting for its first pod is how such a class works.
                    return;
                }
            }
            unexplained(ctx, claim, &who);
        }
        _ => {
            if classes_known && !cluster.classes.iter().any(|class| class.default) {
                let title = format!(
                    "{who} is Pending: it names no storage class and the cluster has no default one"
                );
                let draft = build(
                    "pvc-no-storage-class",
                    0.9,
                    title,
                    format!(
                        "{who} names no storage class, and no class is marked as default; {known}."
                    ),
                );
                let first = cluster
                    .classes
                    .first()
                    .and_then(|class| ctx.quote(class.src, &class.name));
                ctx.emit(
                    draft
                        .show(ctx.quote_loc(&claim.phase))
                        .show(ctx.quote(claim.src, &claim.name))
                        .show(first),
                );
                return;
            }
            unexplained(ctx, claim, &who);
        }
    }
}

fn unexplained(ctx: &Ctx, claim: &Pvc, who: &str) {
    let told = ctx.cluster.notes.iter().any(|note| {
        note.name == claim.name && note.kind == "PersistentVolumeClaim" && note.warning
    });
    let draft = Draft::symptom(
        "pvc-pending",
        "PersistentVolumeClaim",
        &claim.ns,
        &claim.name,
        if told { 0.4 } else { 0.5 },
    )
    .says(
        format!("{who} is Pending"),
        format!("{who} is not bound to a volume."),
    )
    .show(ctx.quote_loc(&claim.phase));
    ctx.emit(draft);
    if !told {
        let ns = if claim.ns.is_empty() {
            String::new()
        } else {
            format!("-n {} ", claim.ns)
        };
        ctx.ask(
            format!("events of {who} (kubectl {ns}describe pvc {})", claim.name),
            "they say why no volume is provisioned or bound",
            None,
        );
        ctx.ask(
            "log of the storage provisioner (CSI controller)",
            "it says why it creates no volume",
            None,
        );
    }
}
