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
    super::passed_on::settle(&ctx);
    let asked = |signal: &Signal| asks(&ctx, signal, &namespaces);
    let has_ticket = !ticket.trim().is_empty();
    let has_focus = ctx.focus.is_known() || !ctx.quoted.borrow().is_empty();
    let levels: Vec<u8> = {
        let out = ctx.signals();
        out.iter().map(asked).collect()
    };
    let named = levels.contains(&2);
    let known = super::blemish::known(&ctx);
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
        if !has_ticket && !has_focus {
            continue;
        }
        let strength = signal.strength;
        // The platform's own trouble is rarely what users complain about.
        let beside = has_focus
            && signal.subject.kind == "Pod"
            && signal
                .subject
                .namespace
                .as_deref()
                .is_some_and(super::focus::is_platform);
        signal.strength = match level {
            2 => strength + (0.97 - strength) * 0.3,
            _ if beside && of_application(&signal.cause) => strength * 0.6,
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
    held_up(&mut partial.signals);
    not_renewed(&mut partial.signals);
    measured(&mut partial.signals);
    super::refused::above_clients(&mut partial.signals);
    super::upstream::above_clients(&mut partial.signals);
    super::blemish::lower(&mut partial.signals, &known);
    partial
}

/// Consumers fall behind because of something: an error of a consumer that names the topic or the group comes first.
fn held_up(signals: &mut [Signal]) {
    const BELOW: f64 = 0.08;
    for lag in 0..signals.len() {
        if signals[lag].cause != "consumer-lag" {
            continue;
        }
        let mut names: Vec<String> = vec![signals[lag].subject.name.to_lowercase()];
        names.extend(
            ["topic", "group", "consumergroup"]
                .iter()
                .filter_map(|slot| signals[lag].entities.get(*slot))
                .map(|name| name.to_lowercase()),
        );
        names.retain(|name| name.len() > 3);
        let ceiling = signals[lag].strength;
        let root = (0..signals.len())
            .filter(|at| {
                let signal = &signals[*at];
                let said = signal
                    .evidence
                    .iter()
                    .map(|line| line.quote.to_lowercase() + "\n")
                    .collect::<String>();
                signal.subject.kind == "Pod"
                    && signal.role == Role::Cause
                    && signal.strength >= SAYS_WHY_FROM
                    && signal.cause != "consumer-lag"
                    && (signal.cause == "message-undecodable"
                        || names.iter().any(|name| said.contains(name.as_str())))
            })
            .max_by(|a, b| signals[*a].strength.total_cmp(&signals[*b].strength));
        if let Some(root) = root {
            signals[root].strength = signals[root].strength.max((ceiling + 0.04).min(0.92));
            signals[lag].strength = ceiling.min(signals[root].strength - BELOW).max(0.05);
        }
    }
}

/// A certificate expires because nobody renewed it: what keeps its issuer from doing so comes first.
fn not_renewed(signals: &mut [Signal]) {
    const BELOW: f64 = 0.1;
    const LEAST: f64 = 0.5;
    let expired: Vec<usize> = (0..signals.len())
        .filter(|at| signals[*at].cause == "workload-certificate-expired")
        .collect();
    for at in expired {
        let host = signals[at].subject.name.to_lowercase();
        let said = |signal: &Signal| {
            let lines = signal.evidence.iter();
            lines
                .map(|line| line.quote.to_lowercase() + "\n")
                .collect::<String>()
                + &signal.subject.name.to_lowercase()
        };
        let labels: Vec<&str> = host
            .split(['.', '/', '-'])
            .filter(|part| part.len() > 3)
            .collect();
        let root = (0..signals.len())
            .filter(|other| {
                let signal = &signals[*other];
                let said = said(signal);
                signal.cause == "certificate-issuance-failed"
                    && signal.strength >= LEAST
                    && (said.contains(&host)
                        || labels.first().is_some_and(|label| said.contains(label)))
            })
            .max_by(|a, b| signals[*a].strength.total_cmp(&signals[*b].strength));
        if let Some(root) = root {
            let strength = signals[at].strength;
            signals[root].strength = signals[root].strength.max((strength + 0.03).min(0.94));
            signals[at].strength = strength.min(signals[root].strength - BELOW);
        }
    }
}

/// Causes that a program's own log or use tells, as opposed to faults of nodes, DNS or the control plane.
fn of_application(cause: &str) -> bool {
    cause.starts_with("application-")
        || cause.starts_with("dependency-")
        || matches!(
            cause,
            "cpu-throttled"
                | "connection-lost"
                | "workload-dependency-unreachable"
                | "container-oom-killed"
                | "liveness-probe-failing"
                | "readiness-probe-failing"
        )
}

/// Causes that say no more than that something else did not answer.
const WAITS: [&str; 7] = [
    "application-exception",
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
    // Where more things wait or fail than this, no chain of two leads to the root.
    const MOST: usize = 200;
    for _ in 0..CHAIN {
        let mut raised = false;
        let roots: Vec<(usize, String)> = (0..signals.len())
            .filter(|at| {
                let signal = &signals[*at];
                signal.subject.kind == "Pod"
                    && signal.role == Role::Cause
                    && signal.strength >= SAYS_WHY_FROM
                    && app_of(&signal.subject.name).len() >= 4
            })
            .map(|at| (at, app_of(&signals[at].subject.name).to_lowercase()))
            .take(MOST)
            .collect();
        let waits: Vec<usize> = (0..signals.len())
            .filter(|at| WAITS.contains(&signals[*at].cause.as_str()))
            .take(MOST)
            .collect();
        for waiting in waits {
            let own = app_of(&signals[waiting].subject.name).to_owned();
            let said: String = signals[waiting]
                .evidence
                .iter()
                .map(|evidence| evidence.quote.to_lowercase() + "\n")
                .collect();
            let ceiling = signals[waiting].strength;
            for (root, name) in &roots {
                let root = *root;
                let same_place =
                    signals[root].subject.namespace == signals[waiting].subject.namespace;
                let (app, signal) = (app_of(&signals[root].subject.name), &signals[root]);
                if root == waiting
                    || signal.strength < SAYS_WHY_FROM
                    || signal.strength > ceiling
                    || app == own
                    || own.contains(app)
                    || !(super::emit::contains_word(&said, name)
                        || same_place && of_product(app, &said))
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

/// Products by a part of the names that their pods and the errors of their clients share.
const PRODUCTS: [&str; 12] = [
    "mongo",
    "postgres",
    "mysql",
    "mariadb",
    "redis",
    "kafka",
    "rabbit",
    "elastic",
    "opensearch",
    "cassandra",
    "nats",
    "memcache",
];

/// Whether an error names the product that a pod runs: `MongoServerError` and `shop-mongodb`.
fn of_product(app: &str, said: &str) -> bool {
    const SQL: [&str; 12] = [
        "sql",
        "jdbc",
        "statement timeout",
        "lock timeout",
        "preparedstatement",
        "hikari",
        "psycopg",
        "hibernate",
        "dao.",
        "deadlock",
        "queuepool",
        "pq:",
    ];
    const DATABASES: [&str; 8] = [
        "postgres", "-pg", "pg-", "mysql", "mariadb", "-db", "database", "sql",
    ];
    PRODUCTS
        .iter()
        .any(|product| app.contains(product) && said.contains(product))
        || DATABASES.iter().any(|name| app.contains(name))
            && SQL.iter().any(|word| said.contains(word))
}

/// 2: the complaint is about the subject or its application; 1: its namespace, or what is named only beside
/// the complaint; 0: neither.
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
    let is_own = |name: &&&str| {
        !namespaces
            .iter()
            .any(|ns| ns == *name && ns != &signal.subject.name)
    };
    if names.iter().filter(is_own).any(|name| ctx.is_asked(name)) || of_asked_pod(ctx, signal) {
        return 2;
    }
    if super::tools::KINDS.contains(&signal.subject.kind.as_str()) {
        return 1;
    }
    let aside = names.iter().filter(is_own).any(|name| ctx.in_ticket(name));
    u8::from(
        aside
            || signal
                .subject
                .namespace
                .as_deref()
                .is_some_and(|ns| ctx.in_ticket(ns)),
    )
}

/// Whether a claim is that of a pod which the complaint is about: its volumes name it, or it is called after the
/// pod, as stateful sets do.
fn of_asked_pod(ctx: &Ctx, signal: &Signal) -> bool {
    let claim = signal.subject.name.as_str();
    signal.subject.kind == "PersistentVolumeClaim"
        && ctx.cluster.pods.iter().any(|pod| {
            let own = claim
                .strip_suffix(pod.name.as_str())
                .is_some_and(|rest| rest.ends_with('-'))
                || pod
                    .volumes
                    .iter()
                    .any(|volume| volume.kind == "PersistentVolumeClaim" && volume.target == claim);
            own && signal
                .subject
                .namespace
                .as_deref()
                .is_none_or(|ns| ns == pod.ns)
                && ctx.is_asked(&pod.name)
        })
}

/// What was measured at a database or on the way to it stands above the clients that only wait for it: a program
/// sees that it gets no connection, the database shows why.
fn measured(signals: &mut [Signal]) {
    const AT_DATABASE: [&str; 4] = [
        "database-connections-used-up",
        "database-lock-wait",
        "database-no-primary",
        "database-transaction-ids-used-up",
    ];
    const WORDS: [&str; 9] = [
        "connection",
        "session",
        "statement",
        "sql",
        "transaction",
        "pool",
        "database",
        "lock",
        "jdbc",
    ];
    for root in 0..signals.len() {
        let found = &signals[root];
        let at_database = AT_DATABASE.contains(&found.cause.as_str())
            && (found.subject.kind == "Session" || found.cause != "database-lock-wait");
        let on_the_way = found.subject.kind == "Flow";
        if !(at_database || on_the_way) || found.strength < 0.5 {
            continue;
        }
        let (title, own) = (found.title.clone(), app_of(&found.subject.name).to_owned());
        let highest = signals
            .iter()
            .filter(|signal| {
                let waits = WAITS.contains(&signal.cause.as_str())
                    || matches!(
                        signal.cause.as_str(),
                        "connection-pool-exhausted" | "database-error"
                    );
                let said = signal
                    .evidence
                    .iter()
                    .map(|line| line.quote.to_lowercase())
                    .collect::<String>();
                waits
                    && app_of(&signal.subject.name) != own
                    && (at_database && WORDS.iter().any(|word| said.contains(word))
                        || on_the_way && title.contains(app_of(&signal.subject.name)))
            })
            .map(|signal| signal.strength)
            .fold(0.0, f64::max);
        if highest > 0.0 {
            let found = &mut signals[root];
            found.strength = found.strength.max((highest + 0.04).min(0.92));
        }
    }
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
