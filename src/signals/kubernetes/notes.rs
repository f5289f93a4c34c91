//! Events and status messages: what the control plane and the kubelets say by themselves.
//!
//! Each rule names the words of one fault of Kubernetes; the first rule that matches a note wins.

use super::emit::{Ctx, Draft, cut, one_line, with_pod};
use super::model::*;
use super::note_rules::{MOUNT, Rule, rules};
use super::time::show;
use regex::{Captures, Regex};
use std::collections::BTreeMap;
use std::sync::LazyLock;

struct Compiled {
    rule: &'static Rule,
    words: Regex,
}

static COMPILED: LazyLock<Vec<Compiled>> = LazyLock::new(|| {
    rules()
        .filter_map(|rule| {
            regex::RegexBuilder::new(rule.words)
                .case_insensitive(true)
                .dot_matches_new_line(true)
                .build()
                .ok()
                .map(|words| Compiled { rule, words })
        })
        .collect()
});

static IMAGE_NAME: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?:image|reference|for) \\?"(?P<image>[^"\\\s]+)\\?""#).ok());

/// The rule for a note, with what its words captured.
pub fn classify<'n>(note: &'n Note) -> Option<(&'static Rule, Captures<'n>)> {
    if !note.warning
        && !matches!(
            note.reason.as_str(),
            "ExternalProvisioning"
                | "Killing"
                | "JobAlreadyActive"
                | "Preempted"
                | "TaintManagerEviction"
                | "FailedBinding"
                | "IssuerNotFound"
                | "IssuerNotReady"
                | "NotTriggerScaleUp"
                | "CIDRNotAvailable"
        )
    {
        return None;
    }
    COMPILED.iter().find_map(|compiled| {
        let reasons = compiled.rule.reasons;
        // Words of status reasons (`CreateContainerConfigError`) and of alerts stand in `reason`.
        let fits = reasons.is_empty()
            || reasons.iter().any(|reason| {
                note.reason == *reason
                    || (note.reason.len() > 9
                        && note.reason.starts_with(*reason)
                        && matches!(*reason, "Degraded" | "NotAvailable" | "OutOf"))
            });
        if !fits {
            return None;
        }
        let captures = compiled
            .words
            .captures(&note.message)
            .or_else(|| compiled.words.captures(&note.reason))?;
        Some((compiled.rule, captures))
    })
}

/// Fills a headline's `{group}`s.
fn fill(headline: &str, captures: &Captures, image: &str) -> String {
    let mut out = String::new();
    let mut rest = headline;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((slot, tail)) = after.split_once('}') else {
            break;
        };
        let group = |name: &str| {
            captures
                .name(name)
                .map(|found| found.as_str().trim())
                .filter(|text| !text.is_empty())
        };
        match slot {
            "image" => out.push_str(image),
            name => out.push_str(&cut(
                &one_line(
                    group(name)
                        .or_else(|| group(&format!("{name}2")))
                        .unwrap_or_default(),
                ),
                140,
            )),
        }
        rest = tail;
    }
    out.push_str(rest);
    out.replace("  ", " ").replace(" ()", "").trim().to_owned()
}

/// How much a note still says: history of an object that is well now is weak.
fn freshness(ctx: &Ctx, note: &Note) -> f64 {
    if note.current {
        return 1.0;
    }
    let cluster = ctx.cluster;
    let by_kind = match note.kind.as_str() {
        "Node" => cluster
            .nodes
            .iter()
            .find(|node| node.name == note.name)
            .map(|node| {
                let ready = node
                    .conditions
                    .iter()
                    .any(|c| c.kind == "Ready" && c.status.v == "True")
                    || node.row_status.v.starts_with("Ready");
                if ready { 0.4 } else { 1.0 }
            }),
        "PersistentVolumeClaim" => cluster
            .pvcs
            .iter()
            .find(|claim| claim.name == note.name && claim.ns == note.ns)
            .map(|claim| if claim.phase.v == "Bound" { 0.25 } else { 1.0 }),
        "Job" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Deployment" => {
            let done_later = cluster.notes.iter().any(|other| {
                other.name == note.name
                    && other.reason == "SuccessfulCreate"
                    && other
                        .age
                        .zip(note.age)
                        .is_some_and(|(later, earlier)| later < earlier)
            });
            let whole = cluster.workloads.iter().any(|w| {
                w.kind == note.kind
                    && w.name == note.name
                    && w.ns == note.ns
                    && w.ready
                        .as_ref()
                        .zip(w.desired.as_ref())
                        .is_some_and(|(r, d)| r.v >= d.v)
            });
            Some(
                if (done_later && note.reason.starts_with("Failed")) || whole {
                    0.4
                } else {
                    1.0
                },
            )
        }
        "Pod" | "" => match cluster.pod(&note.ns, &note.name) {
            Some(pod) if pod.is_done() => Some(0.2),
            Some(pod) if pod.is_ready() => {
                // Ready now, but restarted within the hour by what the note speaks of.
                let again = pod.restarts > 2
                    && note.age.is_some_and(|age| age < 900)
                    && matches!(note.reason.as_str(), "Unhealthy" | "Killing" | "BackOff");
                Some(if again { 0.55 } else { 0.3 })
            }
            Some(pod)
                if note.reason == "FailedScheduling"
                    && !pod.node.is_empty()
                    && pod.node != "none" =>
            {
                Some(0.25)
            }
            // The mount that failed at first worked later: the container has started.
            Some(pod)
                if MOUNT.contains(&note.reason.as_str())
                    && pod
                        .containers
                        .iter()
                        .any(|c| c.state.started.is_some() || c.last.finished.is_some()) =>
            {
                Some(0.4)
            }
            Some(_) => Some(1.0),
            // Gone: replaced by another pod.
            None if cluster.is_listed("Pod", &note.ns) => Some(0.35),
            None => Some(0.9),
        },
        _ => Some(0.9),
    };
    by_kind.unwrap_or(0.9)
}

/// A note that a rule matched.
struct Hit<'a> {
    note: &'a Note,
    rule: &'static Rule,
    headline: String,
    strength: f64,
}

/// What the status of each pod and of its waiting containers says, as notes.
fn status_notes(ctx: &Ctx) -> Vec<Note> {
    let mut notes = Vec::new();
    for pod in ctx
        .cluster
        .pods
        .iter()
        .filter(|pod| !pod.is_ready() && !pod.is_done())
    {
        let mut push = |reason: &Loc<String>, message: &Loc<String>, container: &str| {
            if reason.v.is_empty() && message.v.is_empty() {
                return;
            }
            notes.push(Note {
                kind: "Pod".into(),
                ns: pod.ns.clone(),
                name: pod.name.clone(),
                reason: reason.v.clone(),
                message: message.v.clone(),
                src: if message.v.is_empty() {
                    reason.src
                } else {
                    message.src
                },
                count: 1,
                warning: true,
                current: true,
                container: container.to_owned(),
                ..Note::default()
            });
        };
        push(&pod.reason, &pod.message, "");
        for container in &pod.containers {
            let quiet = ["CrashLoopBackOff", "ContainerCreating", "PodInitializing"]
                .contains(&container.state.reason.v.as_str());
            if container.state.kind == StateKind::Waiting && !quiet {
                push(
                    &container.state.reason,
                    &container.state.message,
                    &container.name,
                );
            }
        }
    }
    notes
}

/// A resource whose controller says that it is not well, in words that no rule knows.
fn own_state(ctx: &Ctx, note: &Note) {
    let trouble = super::words::is_trouble(&note.message);
    let asked = ctx.in_ticket(&note.name) || ctx.in_ticket(app_of(&note.name));
    let strength = match (trouble, asked) {
        (true, true) => 0.76,
        (true, false) => 0.58,
        (false, true) => 0.6,
        (false, false) => 0.42,
    };
    let who = format!(
        "{} {}",
        note.kind.to_lowercase(),
        full_name(&note.ns, &note.name)
    );
    let words = cut(&one_line(&note.message), 300);
    let draft = Draft::cause(
        "custom-resource-not-ready",
        &note.kind,
        &note.ns,
        &note.name,
        strength,
    )
    .says(
        format!("{who} is not ready ({}): {}", note.reason, cut(&words, 150)),
        format!("The controller of {who} says {}: {words}", note.reason),
    )
    .show(ctx.quote(note.src, &note.message));
    ctx.emit(draft);
}

/// Signals from events and status messages, grouped by cause and subject.
pub fn detect(ctx: &Ctx) {
    let own = status_notes(ctx);
    let mut groups: BTreeMap<(String, String, String, String), Vec<Hit>> = BTreeMap::new();
    for note in ctx.cluster.notes.iter().chain(&own) {
        if note.reason == "FailedScheduling" || note.reason == "Unschedulable" {
            continue;
        }
        let Some((rule, captures)) = classify(note) else {
            if note.of_custom {
                own_state(ctx, note);
            }
            continue;
        };
        let image = IMAGE_NAME
            .as_ref()
            .and_then(|regex| regex.captures(&note.message))
            .and_then(|found| found.name("image").map(|image| image.as_str().to_owned()));
        let image = image.or_else(|| {
            let pod = ctx.cluster.pod(&note.ns, &note.name)?;
            let waiting = pod.containers.iter().find(|c| {
                c.name == note.container
                    || matches!(
                        c.state.reason.v.as_str(),
                        "ImagePullBackOff"
                            | "ErrImagePull"
                            | "InvalidImageName"
                            | "ErrImageNeverPull"
                    )
            })?;
            Some(waiting.image.v.clone())
        });
        let headline = fill(rule.headline, &captures, &image.unwrap_or_default());
        // What an alert tells for information is no fault by itself, unless nothing else is known.
        let alone = ctx.ticket.trim().is_empty() && ctx.cluster.alerts.len() < 2;
        let asked = ctx.is_asked(&note.name) || ctx.is_asked(app_of(&note.name));
        let calm = if note.quiet && !alone && !asked {
            0.4
        } else {
            1.0
        };
        let strength = rule.strength * freshness(ctx, note) * calm;
        let kind = if note.kind.is_empty() {
            "Pod".to_owned()
        } else {
            note.kind.clone()
        };
        groups
            .entry((
                rule.slug.to_owned(),
                kind,
                note.ns.clone(),
                note.name.clone(),
            ))
            .or_default()
            .push(Hit {
                note,
                rule,
                headline,
                strength,
            });
    }
    for ((slug, kind, ns, name), mut notes) in groups {
        // The strongest and most telling note first.
        notes.sort_by(|a, b| {
            let telling = |hit: &Hit| hit.note.message.len().min(400);
            b.strength
                .total_cmp(&a.strength)
                .then(telling(b).cmp(&telling(a)))
                .then(a.note.src.cmp(&b.note.src))
        });
        let Some(Hit {
            note,
            rule,
            headline,
            strength,
        }) = notes.first()
        else {
            continue;
        };
        let mut draft = if rule.symptom {
            Draft::symptom(&slug, &kind, &ns, &name, *strength)
        } else {
            Draft::cause(&slug, &kind, &ns, &name, *strength)
        };
        let who = format!("{} {}", kind.to_lowercase(), full_name(&ns, &name));
        let container = if note.container.is_empty() {
            String::new()
        } else {
            format!(" container {}", note.container)
        };
        let when = match (note.current, note.age) {
            (false, Some(age)) if age < 7 * 86_400 => format!(
                " (seen {} times, last {} before collection)",
                note.count.max(1),
                show(age)
            ),
            _ => String::new(),
        };
        let words = cut(&one_line(&note.message), 320);
        draft = draft
            .says(
                format!("{who}{container}: {headline}"),
                format!(
                    "{who}{container}: {headline}. {}: {words}{when}.",
                    note.reason
                ),
            )
            .entity("container", &note.container);
        if let Some(pod) = ctx.cluster.pod(&ns, &name).filter(|_| kind == "Pod") {
            draft = with_pod(draft, pod, &note.container);
        }
        for hit in notes.iter().take(3) {
            draft = draft.show(ctx.quote(hit.note.src, &hit.note.message));
        }
        if rule.slug.contains("probe") {
            draft = super::probes::refine(ctx, draft, &ns, &name, note);
        }
        ctx.emit(draft);
    }
}

#[cfg(test)]
#[path = "notes_tests.rs"]
mod tests;
