//! The last word on strengths: the customer's words, one cause per pod, the replicas of one fault.

use super::emit::Ctx;
use super::model::app_of;
use crate::signals::{Partial, Role, Signal};
use std::collections::BTreeMap;

/// Applies the ticket, pushes weaker causes of the same object below the strongest, and keeps one
/// signal for the replicas of one application. `host_report`: a sosreport or supportconfig.
pub fn settle(ctx: Ctx, ticket: &str, host_report: bool) -> Partial {
    let namespaces: Vec<String> = ctx
        .cluster
        .pods
        .iter()
        .map(|pod| pod.ns.clone())
        .filter(|ns| !ns.is_empty())
        .collect();
    let asked = |signal: &Signal| asks(&ctx, signal, &namespaces);
    let has_ticket = !ticket.trim().is_empty();
    let levels: Vec<u8> = {
        let out = ctx.signals();
        out.iter().map(asked).collect()
    };
    let named = levels.contains(&2);
    let mut partial = ctx.finish();
    for (signal, level) in partial.signals.iter_mut().zip(levels) {
        // A report collected on a host is about the host: what its pods lack is a side scene, unless
        // somebody asks for it.
        let of_cluster = !matches!(
            signal.subject.kind.as_str(),
            "Node" | "Cluster" | "APIService"
        );
        if host_report && of_cluster && level == 0 {
            signal.strength *= 0.72;
        }
        if !has_ticket {
            continue;
        }
        let strength = signal.strength;
        signal.strength = match level {
            2 => strength + (0.97 - strength) * 0.3,
            1 => strength + (0.97 - strength).max(0.0) * 0.08,
            // Something else is broken, too: true, but not what was asked.
            _ if named && strength < 0.97 => strength * 0.72,
            _ => strength,
        };
        if signal.role == Role::Symptom {
            signal.strength = signal.strength.min(0.6);
        }
    }
    replicas(&mut partial.signals);
    waited_for(&mut partial.signals);
    partial
}

/// Causes that say no more than that something else did not answer.
const WAITS: [&str; 6] = [
    "dependency-timeout",
    "workload-dependency-unreachable",
    "connection-lost",
    "application-slow",
    "application-server-errors",
    "application-error",
];
/// A program whose own log says what is wrong counts as waited for from this strength on.
const SAYS_WHY_FROM: f64 = 0.3;

/// A program that waits for another names it; when that one's own log says what is wrong with it, that is
/// the root: it goes above everything that waits for it, along chains of services.
fn waited_for(signals: &mut [Signal]) {
    const CHAIN: usize = 4;
    for _ in 0..CHAIN {
        let mut raised = false;
        for waiting in 0..signals.len() {
            if !WAITS.contains(&signals[waiting].cause.as_str()) {
                continue;
            }
            let own = app_of(&signals[waiting].subject.name).to_owned();
            let said: String = signals[waiting]
                .evidence
                .iter()
                .map(|evidence| evidence.quote.to_lowercase() + "\n")
                .collect();
            let ceiling = signals[waiting].strength;
            for root in 0..signals.len() {
                let (app, signal) = (app_of(&signals[root].subject.name), &signals[root]);
                if root == waiting
                    || signal.subject.kind != "Pod"
                    || signal.role != Role::Cause
                    || signal.strength < SAYS_WHY_FROM
                    || signal.strength > ceiling
                    || app.len() < 4
                    || app == own
                    || own.contains(app)
                    || !super::emit::contains_word(&said, &app.to_lowercase())
                {
                    continue;
                }
                signals[root].strength = (ceiling + 0.05).min(0.9);
                signals[waiting].strength = (ceiling - 0.08).max(0.05);
                raised = true;
                break;
            }
        }
        if !raised {
            break;
        }
    }
}

/// 2: the ticket names the subject or its application; 1: its namespace; 0: neither.
fn asks(ctx: &Ctx, signal: &Signal, namespaces: &[String]) -> u8 {
    let mut names: Vec<&str> = vec![signal.subject.name.as_str(), app_of(&signal.subject.name)];
    for slot in [
        "pod",
        "workload",
        "deployment",
        "service",
        "job",
        "node",
        "container",
        "pvc",
    ] {
        if let Some(name) = signal.entities.get(slot) {
            names.push(name);
            names.push(app_of(name));
        }
    }
    // A namespace's name is also an ordinary word; it is matched as a namespace below.
    if names.iter().any(|name| {
        ctx.in_ticket(name)
            && !namespaces
                .iter()
                .any(|ns| ns == name && ns != &signal.subject.name)
    }) {
        return 2;
    }
    u8::from(
        signal
            .subject
            .namespace
            .as_deref()
            .is_some_and(|ns| ctx.in_ticket(ns)),
    )
}

/// Ten replicas with the same fault are one fault: the first keeps its strength.
fn replicas(signals: &mut [Signal]) {
    let mut best: BTreeMap<(String, String, String, String), f64> = BTreeMap::new();
    let mut order: Vec<usize> = (0..signals.len()).collect();
    order.sort_by(|a, b| {
        signals[*b]
            .strength
            .total_cmp(&signals[*a].strength)
            .then(signals[*a].subject.name.cmp(&signals[*b].subject.name))
    });
    for at in order {
        let signal = &mut signals[at];
        if signal.subject.kind != "Pod" {
            continue;
        }
        let container = signal
            .entities
            .get("container")
            .cloned()
            .unwrap_or_default();
        let key = (
            signal.cause.clone(),
            signal.subject.namespace.clone().unwrap_or_default(),
            app_of(&signal.subject.name).to_owned(),
            container,
        );
        match best.get(&key) {
            Some(first) => signal.strength = signal.strength.min(first - 0.15).max(0.05),
            None => {
                best.insert(key, signal.strength);
            }
        }
    }
}
