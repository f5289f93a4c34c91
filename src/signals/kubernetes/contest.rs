//! Two that write the same number: an autoscaler scales a workload up, and somebody sets it back each time,
//! mostly a GitOps controller whose manifest states the replicas.

use super::emit::{Ctx, Draft};
use super::model::*;
use super::value::Val;

/// Times that the same number must come back.
const TIMES: usize = 2;
/// Longest manifest that is looked at.
const MAX_BYTES: u64 = 128 << 10;

/// Reads whether a GitOps application undoes what others change.
pub fn read(cluster: &mut Cluster, file: u32, val: &Val) {
    for condition in val.at_path(&["status", "conditions"]).items() {
        let (kind, message) = (condition.get("type"), condition.get("message"));
        if kind.text() == "SharedResourceWarning" {
            cluster.answers.push(Answer {
                tool: "argo",
                words: format!("{}: {}", kind.text(), message.text()),
                src: Src {
                    file,
                    line: message.at.line,
                    column: message.at.column,
                },
            });
        }
    }
    let heals = val.at_path(&["spec", "syncPolicy", "automated", "selfHeal"]);
    let automated = val.at_path(&["spec", "syncPolicy", "automated"]);
    if automated.is_null() {
        return;
    }
    let shown = if heals.is_null() { automated } else { heals };
    cluster.syncs.push(Sync {
        name: val.at_path(&["metadata", "name"]).text().to_owned(),
        ns: val
            .at_path(&["spec", "destination", "namespace"])
            .text()
            .to_owned(),
        heals: heals.bool().unwrap_or(false),
        src: Src {
            file,
            line: shown.at.line,
            column: shown.at.column,
        },
    });
}

/// `Scaled down replica set web-1 to 2 from 6`: the numbers after `to` and `from`.
fn scaled(message: &str) -> Option<(bool, i64, i64)> {
    let down = message.contains("caled down");
    if !down && !message.contains("caled up") {
        return None;
    }
    // Older clusters write `to 2 from 6`, newer ones `from 6 to 2`.
    let (to, from) = match message.split_once(" from ") {
        Some((head, from)) if head.contains(" to ") => (head.rsplit_once(" to ")?.1, from),
        Some((_, rest)) => rest.split_once(" to ").map(|(from, to)| (to, from))?,
        None => return None,
    };
    let number = |text: &str| {
        let digits: String = text
            .trim()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse::<i64>().ok()
    };
    Some((down, number(to)?, number(from)?))
}

/// Workloads that swing between what the autoscaler wants and one number.
pub fn detect(ctx: &Ctx) {
    for hpa in &ctx.cluster.hpas {
        let target = hpa.target.rsplit('/').next().unwrap_or_default();
        if target.is_empty() {
            continue;
        }
        let notes: Vec<(&Note, (bool, i64, i64))> = ctx
            .cluster
            .notes
            .iter()
            .filter(|note| note.name == target && (note.ns == hpa.ns || note.ns.is_empty()))
            .filter_map(|note| Some((note, scaled(&note.message)?)))
            .collect();
        let Some((_, (_, back, _))) = notes.iter().find(|(_, (down, ..))| *down) else {
            continue;
        };
        let downs: Vec<_> = notes
            .iter()
            .filter(|(_, (down, to, _))| *down && to == back)
            .collect();
        let ups = notes
            .iter()
            .filter(|(_, (down, _, from))| !*down && from == back)
            .count();
        // What the autoscaler scales down itself, it says.
        let own = ctx.cluster.notes.iter().any(|note| {
            note.name == hpa.name
                && note.message.contains(&format!("New size: {back};"))
                && note.message.contains("below target")
        });
        if downs.len() < TIMES || ups < TIMES || own {
            continue;
        }
        let sync = ctx
            .cluster
            .syncs
            .iter()
            .filter(|sync| sync.ns == hpa.ns || sync.name == target)
            .max_by_key(|sync| (sync.name == target, sync.heals));
        let manifest = manifest(ctx, target, *back);
        let who = format!("deployment {}", full_name(&hpa.ns, target));
        let by = match sync {
            Some(sync) if sync.heals => format!(
                "the GitOps application {} (automated sync, selfHeal)",
                sync.name
            ),
            Some(sync) => format!("the GitOps application {} (automated sync)", sync.name),
            None => "something else".to_owned(),
        };
        let stated = if manifest.is_some() {
            format!(", the number of replicas in its manifest in git ({back})")
        } else {
            String::new()
        };
        let strength = match (sync.is_some(), manifest.is_some()) {
            (true, true) => 0.92,
            (true, false) => 0.86,
            (false, _) => 0.66,
        };
        let mut draft = Draft::cause(
            "gitops-fights-autoscaler",
            "Deployment",
            &hpa.ns,
            target,
            strength,
        )
        .says(
            format!("{who} is scaled up by its autoscaler (HPA {}) and set back to {back} replicas each time by {by}", hpa.name),
            format!("The autoscaler {} scales {who} up, and {by} sets it back to {back}{stated}: {} times in the events. Each of the two undoes what the other does.", hpa.name, downs.len()),
        )
        .entity("deployment", target)
        .entity("hpa", &hpa.name);
        if let Some((note, _)) = downs.last() {
            draft = draft.show(ctx.quote(note.src, &note.message));
        }
        if let Some(sync) = sync {
            draft = draft.show(ctx.quote(sync.src, "selfHeal"));
        }
        draft = draft.show(manifest);
        if let Some((note, _)) = notes.iter().rfind(|(_, (down, ..))| !*down) {
            draft = draft.show(ctx.quote(note.src, &note.message));
        }
        ctx.emit(draft);
    }
}

/// The line of a manifest kept for deployment, not of the cluster's own state, that states the number.
fn manifest(ctx: &Ctx, target: &str, replicas: i64) -> Option<crate::report::Evidence> {
    let wanted = format!("replicas: {replicas}");
    ctx.tree
        .files()
        .filter(|entry| entry.bytes <= MAX_BYTES)
        .find_map(|entry| {
            let path = ctx.tree.rel(entry).to_ascii_lowercase();
            let kept = [".yaml", ".yml"].iter().any(|end| path.ends_with(end))
                && [
                    "argo", "flux", "git", "manifest", "helm", "deploy", "kustom",
                ]
                .iter()
                .any(|word| path.contains(word))
                && !path.contains("kubectl/");
            if !kept {
                return None;
            }
            let text = ctx.tree.text(entry).ok()??;
            let text = text.as_str();
            let of_target = text
                .lines()
                .any(|line| line.trim() == format!("name: {target}"));
            let at = text.lines().position(|line| line.trim() == wanted)?;
            of_target.then(|| crate::report::Evidence {
                path: entry.path.to_string(),
                line_start: at as u64 + 1,
                line_end: at as u64 + 1,
                quote: wanted.clone(),
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_scaling_are_read() {
        assert_eq!(
            scaled("Scaled down replica set web-5f to 2 from 9"),
            Some((true, 2, 9))
        );
        assert_eq!(
            scaled("Scaled up replica set web-5f to 7 from 2"),
            Some((false, 7, 2))
        );
        assert_eq!(scaled("Created pod: web-5f-x"), None);
    }
}
