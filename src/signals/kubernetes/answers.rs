//! Signals from what tools answered and from alerts that fire.

use super::emit::{Ctx, Draft, cut, one_line};
use super::focus::urgency;
use super::model::*;
use super::notes;
use regex::Regex;
use std::sync::LazyLock;

/// Words of an answer, the cause, what they mean, strength. Special before general.
const MEANINGS: &[(&str, &str, &str, f64)] = &[
    (
        r"field is immutable|updates to statefulset spec for fields other than|may not change once set|is immutable after",
        "immutable-field-changed",
        "a field that cannot be changed on an existing object was changed (field is immutable)",
        0.88,
    ),
    (
        r"another operation \(install/upgrade/rollback\) is in progress|STATUS: pending-|is pending-(?:install|upgrade|rollback)",
        "release-stuck-pending",
        "an earlier helm operation was interrupted and its release is still marked as pending",
        0.86,
    ),
    (
        r"violate the pod's disruption budget",
        "pdb-blocks-eviction",
        "a pod disruption budget forbids the eviction",
        0.84,
    ),
    (
        r"cannot delete Pods? (?:with local storage|not managed by|declare no controller)|DaemonSet-managed Pods|use --(?:force|ignore-daemonsets|delete-emptydir-data)",
        "drain-refused",
        "kubectl drain refuses to evict some kinds of pods without an explicit option",
        0.74,
    ),
    (
        r"cannot re-use a name that is still in use|invalid ownership metadata|cannot be imported into the current release|already exists and (?:is not|cannot)",
        "release-object-conflict",
        "an object of that name exists already and belongs to nobody or to another release",
        0.85,
    ),
    (
        r"unable to build kubernetes objects|error validating|unknown field|ValidationError|error converting YAML|error parsing|YAML parse error|did not find expected|execution error at|parse error at|nil pointer evaluating|values don't meet the specifications",
        "manifest-invalid",
        "the manifest or chart template is not valid",
        0.85,
    ),
    (
        r"authentication required|repository not found|Repository not found|failed to (?:list refs|fetch|clone|checkout)|unable to (?:clone|resolve|access)|could not read Username|permission denied \(publickey|app path does not exist|chart .{1,80} not found|failed to generate manifest",
        "gitops-source-failed",
        "the source of the manifests (repository, chart, path or credentials) cannot be read",
        0.86,
    ),
    (
        r"exceeded its progress deadline",
        "rollout-stuck",
        "the rollout exceeded its progress deadline",
        0.5,
    ),
    (
        r"is invalid:",
        "manifest-invalid",
        "the API server refuses the object as invalid",
        0.82,
    ),
];

static COMPILED: LazyLock<Vec<Option<Regex>>> = LazyLock::new(|| {
    MEANINGS
        .iter()
        .map(|(words, ..)| Regex::new(&format!("(?i){words}")).ok())
        .collect()
});

/// Alerts that always fire or only steer others.
const STEERING: [&str; 6] = [
    "Watchdog",
    "InfoInhibitor",
    "DeadMansSwitch",
    "DeadMansSnitch",
    "AlertmanagerTest",
    "TestAlert",
];

/// Cause and meaning of an answer's words.
pub fn meaning(words: &str) -> Option<(&'static str, &'static str, f64)> {
    MEANINGS
        .iter()
        .zip(COMPILED.iter())
        .find(|(_, regex)| regex.as_ref().is_some_and(|regex| regex.is_match(words)))
        .map(|((_, slug, meaning, strength), _)| (*slug, *meaning, *strength))
}

/// Every cause that answers can name.
#[cfg(test)]
pub fn slugs() -> impl Iterator<Item = &'static str> {
    MEANINGS.iter().map(|(_, slug, ..)| *slug)
}

/// Answers and alerts.
pub fn detect(ctx: &Ctx) {
    for answer in &ctx.cluster.answers {
        of_tool(ctx, answer);
    }
    evictions(ctx);
    for alert in &ctx.cluster.alerts {
        firing(ctx, alert);
    }
}

/// Controllers that drain nodes (updates of machines, autoscalers) log what `kubectl drain` prints.
fn evictions(ctx: &Ctx) {
    const MAX_LINES: usize = 200_000;
    const MAX_PODS: usize = 8;
    const OFTEN: u32 = 10;
    let mut told: Vec<String> = Vec::new();
    for log in ctx.cluster.logs.iter().filter(|log| !log.empty) {
        let mut found: Vec<(u32, String, u32)> = Vec::new();
        ctx.each_line(log, MAX_LINES, |line, text| {
            if text.contains("violate the pod's disruption budget")
                && let Some(at) = text.find("error when evicting pod")
            {
                let words = text[at..].trim();
                match found.iter().position(|(_, known, _)| known == words) {
                    Some(at) => (found[at].0, found[at].2) = (line, found[at].2 + 1),
                    None if found.len() < MAX_PODS => found.push((line, words.to_owned(), 1)),
                    None => {}
                }
            }
        });
        for (line, words, count) in found {
            let name = quoted(&words);
            // A drain that waits a little is an ordinary one.
            let stuck = count >= OFTEN || budget_of(ctx, &words).is_some();
            if told.contains(&name) || !stuck {
                continue;
            }
            told.push(name);
            let src = Src {
                file: log.file,
                line,
                column: 0,
            };
            of_tool(
                ctx,
                &Answer {
                    tool: "drain",
                    words,
                    src,
                },
            );
        }
    }
}

fn of_tool(ctx: &Ctx, answer: &Answer) {
    let words = cut(&one_line(&answer.words), 320);
    let name = quoted(&answer.words);
    let (slug, meaning, strength) = match meaning(&answer.words) {
        Some(found) => found,
        None => {
            let note = Note {
                reason: "FailedCreate".into(),
                message: answer.words.clone(),
                warning: true,
                ..Note::default()
            };
            match notes::classify(&note).filter(|(rule, _)| rule.slug != "workload-create-failed") {
                Some((rule, _)) => (
                    rule.slug,
                    "the API server or a controller refuses it",
                    rule.strength * 0.95,
                ),
                None if answer.words.contains("SharedResourceWarning") => (
                    "object-managed-twice",
                    "two applications manage the same object, and each overwrites what the other writes",
                    0.88,
                ),
                None if matches!(answer.tool, "helm" | "argo" | "flux") => (
                    "release-failed",
                    "the release could not be brought to the wanted state",
                    0.66,
                ),
                None => return,
            }
        }
    };
    let kind = match answer.tool {
        "helm" => "Release",
        "argo" => "Application",
        "flux" => "Kustomization",
        "drain" => "Pod",
        _ => "Object",
    };
    let of = if name.is_empty() {
        String::new()
    } else {
        format!(" {name}")
    };
    let tool = match answer.tool {
        "helm" => "helm",
        "argo" => "Argo CD",
        "flux" => "Flux",
        "drain" => "kubectl drain",
        _ => "the tool",
    };
    let budget = (slug == "pdb-blocks-eviction")
        .then(|| budget_of(ctx, &answer.words))
        .flatten();
    let meaning = match budget {
        Some(budget) => format!(
            "the pod disruption budget {} ({}, {} disruptions allowed) forbids the eviction",
            full_name(&budget.ns, &budget.name),
            budget.demand,
            budget.allowed
        ),
        None => meaning.to_owned(),
    };
    let title = format!(
        "{}{of}: {meaning}: {}",
        kind.to_lowercase(),
        cut(&words, 140)
    );
    let draft = if slug == "rollout-stuck" {
        Draft::symptom(slug, kind, "", &name, strength)
    } else {
        Draft::cause(slug, kind, "", &name, strength)
    };
    let draft = draft
        .says(title, format!("{meaning}. {tool} answers: {words}"))
        .show(ctx.quote(answer.src, &answer.words))
        .show(budget.and_then(|budget| ctx.quote(budget.src, &budget.name)));
    ctx.emit(draft);
}

/// The budget without room in the namespace that `kubectl drain` names: the one that the pod's name
/// begins with, or the only one.
fn budget_of<'c>(ctx: &Ctx<'c>, words: &str) -> Option<&'c Budget> {
    let ns = words.split("-n \"").nth(1)?.split('"').next()?;
    let pod = quoted(words);
    let full: Vec<&Budget> = ctx
        .cluster
        .budgets
        .iter()
        .filter(|budget| budget.allowed == 0 && budget.ns == ns)
        .collect();
    match full.as_slice() {
        [one] => Some(one),
        many => many
            .iter()
            .copied()
            .find(|budget| pod.starts_with(&budget.name)),
    }
}

/// The first quoted plain name in `text`.
fn quoted(text: &str) -> String {
    text.split('"')
        .skip(1)
        .step_by(2)
        .find(|name| {
            !name.is_empty()
                && name.len() < 80
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
        })
        .map(|name| name.rsplit('/').next().unwrap_or(name).to_owned())
        .unwrap_or_default()
}

fn firing(ctx: &Ctx, alert: &Alert) {
    if STEERING.contains(&alert.name.as_str()) || urgency(alert) == 0 {
        return;
    }
    // An alert says that something is wrong, never why.
    let known = alert.silenced || super::blemish::is_known(&alert.words.v);
    let base = match urgency(alert) {
        _ if known => 0.25,
        2 => 0.44,
        _ => 0.38,
    };
    let asked = ctx.is_asked(&alert.object) || ctx.in_ticket(&alert.name);
    let of = if alert.object.is_empty() {
        String::new()
    } else {
        format!(" for {}", full_name(&alert.ns, &alert.object))
    };
    let words = one_line(&alert.words.v);
    let mut draft = Draft::symptom(
        "alert-firing",
        "Alert",
        &alert.ns,
        &alert.name,
        if asked { base + 0.05 } else { base },
    )
    .says(
        format!("alert {} fires{of}: {}", alert.name, cut(&words, 140)),
        format!(
            "Alert {} ({}) fires{of}: {}",
            alert.name,
            if alert.severity.is_empty() {
                "no severity"
            } else {
                &alert.severity
            },
            cut(&words, 320)
        ),
    )
    .show(ctx.quote_loc(&alert.words))
    .show(ctx.quote(alert.src, &alert.name));
    for (slot, value) in &alert.labels {
        draft = draft.entity(slot, value);
    }
    ctx.emit(draft);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::kubernetes::tests::{first, run};

    #[test]
    fn two_applications_that_manage_one_object() {
        let app = |kind: &str| {
            format!(
                "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: shop-a\n  namespace: argocd\nstatus:\n  conditions:\n  - message: ConfigMap/limits is part of applications argocd/shop-a and shop-b\n    type: {kind}\n"
            )
        };
        let found = run(&[("app.yaml", &app("SharedResourceWarning"))]);
        assert_eq!(first(&found).cause, "object-managed-twice");
    }

    #[test]
    fn answers_mean_something() {
        assert!(COMPILED.iter().all(Option::is_some));
        for (words, slug) in [
            (
                "Error: UPGRADE FAILED: cannot patch \"web\" with kind Deployment: spec.selector: Invalid value: field is immutable",
                "immutable-field-changed",
            ),
            (
                "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress",
                "release-stuck-pending",
            ),
            (
                "Cannot evict pod as it would violate the pod's disruption budget.",
                "pdb-blocks-eviction",
            ),
            (
                "ComparisonError Failed to load target state: authentication required",
                "gitops-source-failed",
            ),
            (
                "error: error validating \"x.yaml\": unknown field \"spec.foo\"",
                "manifest-invalid",
            ),
            (
                "Error: INSTALLATION FAILED: rendered manifests contain a resource that already exists. invalid ownership metadata",
                "release-object-conflict",
            ),
        ] {
            assert_eq!(meaning(words).map(|(slug, ..)| slug), Some(slug), "{words}");
        }
        assert!(meaning("deployment.apps/web configured").is_none());
        assert_eq!(quoted("cannot patch \"web\" with kind"), "web");
    }
}
