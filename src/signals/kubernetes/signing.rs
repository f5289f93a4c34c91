//! Certificate signing requests that nobody approves: kubelets without a certificate to serve with, nodes that
//! cannot join.

use super::emit::{Ctx, Draft};
use super::model::{Cluster, Src};
use super::time::{parse_time, show};
use super::value::Val;
use std::collections::BTreeSet;

/// Requests are approved within seconds; one that waits longer than this waits for a person.
const PATIENCE_S: i64 = 600;

/// One request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// Name.
    pub name: String,
    /// Signer, "" where the table does not tell.
    pub signer: String,
    /// Who asks, `system:node:NAME` for a kubelet.
    pub requestor: String,
    /// `Pending`, `Approved,Issued`, `Denied` …
    pub state: String,
    /// Age in seconds, where a table tells it.
    pub age: Option<i64>,
    /// When it was made, in seconds since 1970, where an object tells it.
    pub created: Option<i64>,
    /// Its place.
    pub src: Src,
}

/// Reads a request object.
pub fn read(cluster: &mut Cluster, file: u32, val: &Val, name: &str) {
    let spec = val.get("spec");
    let conditions: Vec<&str> = val
        .at_path(&["status", "conditions"])
        .items()
        .iter()
        .map(|condition| condition.get("type").text())
        .collect();
    let state = if conditions.is_empty() {
        "Pending".to_owned()
    } else {
        conditions.join(",")
    };
    let created = parse_time(val.at_path(&["metadata", "creationTimestamp"]).text());
    let at = val.at_path(&["metadata", "name"]).at;
    cluster.signing.push(Request {
        name: name.to_owned(),
        signer: spec.get("signerName").text().to_owned(),
        requestor: spec.get("username").text().to_owned(),
        state,
        age: None,
        created,
        src: Src {
            file,
            line: at.line,
            column: at.column,
        },
    });
}

/// Requests that wait or were refused.
pub fn detect(ctx: &Ctx) {
    // The bundle's own clock is known when everything is read.
    let age_of = |request: &Request| {
        let since = |(created, now)| now - created;
        request
            .age
            .or(request.created.zip(ctx.cluster.clock).map(since))
    };
    let waits = |request: &&Request| {
        request.state == "Pending" && age_of(request).is_none_or(|age| age >= PATIENCE_S)
            || request.state.contains("Denied")
            || request.state.contains("Failed")
    };
    let waiting: Vec<&Request> = ctx.cluster.signing.iter().filter(waits).collect();
    let Some(first) = waiting.first() else { return };
    let asking: BTreeSet<&str> = waiting
        .iter()
        .map(|request| {
            request
                .requestor
                .strip_prefix("system:node:")
                .unwrap_or(&request.requestor)
        })
        .filter(|name| !name.is_empty())
        .collect();
    let who = asking
        .iter()
        .take(4)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    let of_kubelets = first.signer.contains("kubelet")
        || first.requestor.starts_with("system:node:")
        || first.requestor.contains("bootstrap");
    if !of_kubelets {
        return;
    }
    let serving = first.signer.ends_with("kubelet-serving");
    let (means, sign) = if serving {
        (
            "their kubelets have no serving certificate, so logs, exec and metrics of their pods fail with a TLS error",
            ["tls", "logs", "exec", "rsh", "metrics", "certificate"],
        )
    } else {
        (
            "they cannot join the cluster or renew their certificate",
            ["node", "join", "worker", "certificate", "notready", "added"],
        )
    };
    let asked = sign.iter().any(|word| ctx.ticket.contains(word));
    let strength = if asked { 0.92 } else { 0.7 };
    let state = if first.state == "Pending" {
        "pending (not approved)".to_owned()
    } else {
        first.state.to_lowercase()
    };
    let since = age_of(first)
        .map(|age| format!(" for {}", show(age)))
        .unwrap_or_default();
    let mut draft = Draft::cause("kubelet-certificate-pending", "CertificateSigningRequest", "", &first.name, strength)
        .says(
            format!("{} certificate signing requests (CSR, {}) of {who} are {state}{since}: {means}", waiting.len(), first.signer),
            format!("{} certificate signing requests of {who} are {state}, the first ({}){since}; until somebody approves them {means}.", waiting.len(), first.name),
        )
        .entity("node", asking.iter().next().copied().unwrap_or_default());
    for request in waiting.iter().take(3) {
        draft = draft.show(ctx.quote(request.src, &request.name));
    }
    ctx.emit(draft);
}
