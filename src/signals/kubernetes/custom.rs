//! What controllers say about their own resources: conditions of custom resources (certificates, GitOps
//! applications and releases, external secrets, gateways, operators' clusters …) in objects, describe
//! pages and tables. They become notes, judged by the words in them.

use super::model::*;
use super::pages::Item;
use super::value::Val;

/// Condition types that are good when `True`.
const GOOD: &[&str] = &[
    "Ready",
    "Available",
    "Synced",
    "Healthy",
    "Established",
    "NamesAccepted",
    "Accepted",
    "Programmed",
    "Reconciled",
    "Succeeded",
    "ResolvedRefs",
    "Issued",
    "SecretSynced",
    "Valid",
    "Deployed",
    "Released",
    "Installed",
    "Connected",
    "ScalingActive",
    "Active",
    "ConfigurationsReady",
    "RoutesReady",
    "Provisioned",
    "Resolved",
    "Admitted",
    "Scheduled",
    "Schedulable",
    "ContinuousArchiving",
    "LastBackupSucceeded",
    "ImportSuccess",
    "ReconcileSuccess",
];
/// Condition types that are bad when `True`.
const BAD: &[&str] = &[
    "Degraded",
    "Failed",
    "Failure",
    "Stalled",
    "Error",
    "ErrorOccurred",
    "ReconcileError",
    "ReconcileFailure",
    "InvalidRequest",
    "Denied",
    "InvalidSpec",
    "ReleaseFailed",
    "Irreconcilable",
    "NonStructuralSchema",
    "Conflicted",
    "UpgradeFailed",
    "Failing",
    "ErrorUpdating",
    "AgentDegraded",
    "ResolutionFailed",
    "CatalogSourcesUnhealthy",
    "BundleUnpackFailed",
    "NotReady",
    "Fallback",
];
/// Ends of further condition types: operators put the part before their common words (`NodeDegraded`,
/// `RouterCertsDegraded`, `EtcdMembersAvailable`).
const GOOD_ENDS: &[&str] = &["Ready", "Available", "Healthy", "Synced", "Accepted"];
const BAD_ENDS: &[&str] = &["Degraded", "Failed", "Failing", "Failure"];
/// Phases and states that say that a resource does not do its work.
const BAD_PHASES: &[&str] = &[
    "failed",
    "error",
    "degraded",
    "invalid",
    "unavailable",
    "faulted",
    "unhealthy",
    "partiallyfailed",
    "failedvalidation",
    "importfailed",
    "health_err",
    "lost",
    "createfailed",
    "updatefailed",
    "syncfailed",
    "errored",
    "red",
];
/// Lists in a status whose items have conditions of their own: routes by their gateways, gateways by their
/// listeners, OpenShift's routes by their routers, image streams by their tags.
const PARTS: &[&str] = &["parents", "listeners", "ingress", "ancestors", "tags"];

/// A resource's name for notes.
struct Of<'a> {
    kind: &'a str,
    ns: &'a str,
    name: &'a str,
}

/// Whether the condition says that something is wrong.
fn is_bad(kind: &str, status: &str) -> bool {
    let good = GOOD.contains(&kind) || GOOD_ENDS.iter().any(|end| kind.ends_with(end));
    let bad = BAD.contains(&kind) || BAD_ENDS.iter().any(|end| kind.ends_with(end));
    (good && !bad && status == "False") || (bad && status == "True")
}

fn push(cluster: &mut Cluster, of: &Of, reason: &str, message: &str, src: Src) {
    // Waiting, progressing and deliberately switched off is ordinary life.
    let calm = [
        "Progressing",
        "InProgress",
        "Pending",
        "Suspended",
        "Paused",
        "Reconciling",
        "NotReconciling",
    ]
    .contains(&reason)
        && !super::words::is_trouble(message);
    if calm || (message.is_empty() && reason.is_empty()) || !src.is_known() {
        return;
    }
    cluster.notes.push(Note {
        kind: of.kind.to_owned(),
        ns: of.ns.to_owned(),
        name: of.name.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        src,
        count: 1,
        warning: true,
        current: true,
        of_custom: true,
        ..Note::default()
    });
}

/// Reads the status of an object that no detector knows by its kind.
pub fn read_object(cluster: &mut Cluster, file: u32, kind: &str, val: &Val) {
    let meta = val.get("metadata");
    let of = Of {
        kind,
        ns: meta.get("namespace").text(),
        name: meta.get("name").text(),
    };
    if of.name.is_empty() || kind.is_empty() {
        return;
    }
    let src = |value: &Val| Src {
        file,
        line: value.at.line,
        column: value.at.column,
    };
    let status = val.get("status");
    let lists = std::iter::once(status.get("conditions")).chain(
        PARTS
            .iter()
            .flat_map(|part| status.get(part).items())
            .map(|item| item.get("conditions")),
    );
    for condition in lists.flat_map(Val::items) {
        let (ctype, state, message) = (
            condition.get("type"),
            condition.get("status"),
            condition.get("message"),
        );
        // Argo CD's conditions have no status: each is an error or a warning.
        let errs = state.is_null()
            && (ctype.text().ends_with("Error") || ctype.text().ends_with("Warning"));
        if is_bad(ctype.text(), &state.scalar()) || errs {
            // A reason is one word; some operators write a sentence there, and the type tells more.
            let given = condition.get("reason").text();
            let reason = if given.is_empty() || given.contains(' ') {
                ctype.text()
            } else {
                given
            };
            push(
                cluster,
                &of,
                reason,
                message.text(),
                src(if message.text().is_empty() {
                    state
                } else {
                    message
                }),
            );
        }
    }
    // Argo CD: health, and the last operation.
    let health = status.at_path(&["health", "status"]);
    if matches!(health.text(), "Degraded" | "Missing") {
        let words = status.at_path(&["health", "message"]);
        push(cluster, &of, health.text(), words.text(), src(health));
    }
    let operation = status.get("operationState");
    if matches!(operation.get("phase").text(), "Failed" | "Error") {
        push(
            cluster,
            &of,
            "SyncFailed",
            operation.get("message").text(),
            src(operation.get("message")),
        );
    }
    for resource in operation.at_path(&["syncResult", "resources"]).items() {
        if resource.get("status").text() == "SyncFailed" {
            push(
                cluster,
                &of,
                "SyncFailed",
                resource.get("message").text(),
                src(resource.get("message")),
            );
        }
    }
    // Operators with a phase and words of their own.
    let phases = [
        status.get("phase"),
        status.get("state"),
        status.get("robustness"),
        status.at_path(&["ceph", "health"]),
        status.get("printableStatus"),
        status.get("health"),
        status.get("PostgresClusterStatus"),
    ];
    // cert-manager's challenges and orders wait for ever, and say for what.
    let waiting = status.get("reason");
    if matches!(kind, "Challenge" | "Order" | "CertificateRequest")
        && status.get("state").text() == "pending"
        && super::words::is_trouble(waiting.text())
    {
        push(cluster, &of, "StatePending", waiting.text(), src(waiting));
    }
    let phase = phases.into_iter().find(|phase| {
        let lower = phase.text().to_ascii_lowercase();
        BAD_PHASES.contains(&lower.as_str()) || lower.starts_with("error")
    });
    if let Some(phase) = phase {
        let words = [
            status.get("message"),
            status.get("errorMessage"),
            status.get("failureMessage"),
            status.get("failureReason"),
            status.get("reason"),
            status.get("error"),
        ]
        .into_iter()
        .find(|value| !value.text().is_empty())
        .unwrap_or(phase);
        push(cluster, &of, phase.text(), words.text(), src(words));
    }
}

/// Reads the `Status: Conditions:` part of a describe page of a custom resource.
pub fn read_page(cluster: &mut Cluster, file: u32, page: &Item, ns: &str, name: &str) {
    let kind = page.get("Kind").text();
    let of = Of { kind, ns, name };
    if kind.is_empty() || name.is_empty() {
        return;
    }
    let status = page.get("Status");
    let lists = std::iter::once(status.get("Conditions")).chain(
        ["Parents", "Listeners", "Ingress", "Ancestors"]
            .iter()
            .map(|part| status.get(part).get("Conditions")),
    );
    let (mut message, mut reason, mut state): (Option<&Item>, &str, &str) = (None, "", "");
    for item in lists.flat_map(|list| &list.children) {
        match item.key.as_str() {
            "Message" => message = Some(item),
            "Reason" => reason = item.text(),
            "Status" => state = item.text(),
            // Keys are sorted: the type ends a condition.
            "Type" => {
                let errs = state.is_empty() && item.text().ends_with("Error");
                if is_bad(item.text(), state) || errs {
                    let words = message.map_or(String::new(), |item| {
                        let mut text = item.value.clone();
                        for more in item.children.iter().take(5) {
                            text.push(' ');
                            text.push_str(&more.raw);
                        }
                        text
                    });
                    let reason = if reason.is_empty() {
                        item.text()
                    } else {
                        reason
                    };
                    push(
                        cluster,
                        &of,
                        reason,
                        &words,
                        message.unwrap_or(item).src(file),
                    );
                }
                (message, reason, state) = (None, "", "");
            }
            _ => {}
        }
    }
    let phase = ["Phase", "State", "Health", "Robustness"]
        .iter()
        .map(|key| status.get(key))
        .find(|phase| BAD_PHASES.contains(&phase.text().to_ascii_lowercase().as_str()));
    let waits = matches!(kind, "Challenge" | "Order")
        && status.get("State").text() == "pending"
        && super::words::is_trouble(status.get("Reason").text());
    if let Some(phase) = phase.or(waits.then(|| status.get("State"))) {
        let words = [
            "Message",
            "Error Message",
            "Failure Message",
            "Failure Reason",
            "Reason",
            "Error",
        ]
        .iter()
        .map(|key| status.get(key))
        .find(|words| !words.text().is_empty())
        .unwrap_or(phase);
        let told = if waits { "StatePending" } else { phase.text() };
        push(cluster, &of, told, words.text(), words.src(file));
    }
    let health = page.get("Status").get("Health").get("Status");
    if matches!(health.text(), "Degraded" | "Missing") {
        push(
            cluster,
            &of,
            health.text(),
            page.get("Status").get("Health").get("Message").text(),
            health.src(file),
        );
    }
    let operation = page.get("Status").get("Operation State");
    if matches!(operation.get("Phase").text(), "Failed" | "Error") {
        push(
            cluster,
            &of,
            "SyncFailed",
            operation.get("Message").text(),
            operation.get("Message").src(file),
        );
    }
}

/// A row of a table of resources that no detector knows: a `READY`, `SYNCED`, `HEALTH STATUS` … cell that says no.
/// Returns whether it was one. `cell` gives the row's cells by column.
pub fn read_row(
    cluster: &mut Cluster,
    ns: &str,
    name: &str,
    kind: &str,
    src: Src,
    cell: &dyn Fn(&str) -> String,
) -> bool {
    let words = ["MESSAGE", "STATUS", "REASON", "DESCRIPTION"]
        .iter()
        .map(|column| cell(column))
        .find(|text| text.len() > 3)
        .unwrap_or_default();
    let of = Of {
        kind: if kind.is_empty() { "Resource" } else { kind },
        ns,
        name,
    };
    let bad_health = matches!(cell("HEALTH STATUS").as_str(), "Degraded" | "Missing")
        || matches!(cell("HEALTH").as_str(), "Degraded" | "Missing");
    let no = ["READY", "SYNCED", "VALID", "AVAILABLE", "APPROVED"]
        .iter()
        .find(|column| cell(column) == "False");
    if let Some(column) = no {
        let message = if words == "False" || words.is_empty() {
            format!("{column} is False")
        } else {
            words
        };
        push(cluster, &of, column, &message, src);
        return true;
    }
    if bad_health {
        let sync = [cell("SYNC STATUS"), cell("STATUS")]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default();
        push(
            cluster,
            &of,
            "Degraded",
            &format!("{sync} {}", cell("CONDITIONS")),
            src,
        );
        return true;
    }
    let release = cell("STATUS");
    if !cell("CHART").is_empty() && (release == "failed" || release.starts_with("pending-")) {
        let message = if cell("DESCRIPTION").is_empty() {
            format!("release {name} revision {} is {release}", cell("REVISION"))
        } else {
            cell("DESCRIPTION")
        };
        push(
            cluster,
            &Of {
                kind: "Release",
                ..of
            },
            &release,
            &message,
            src,
        );
        return true;
    }
    false
}
