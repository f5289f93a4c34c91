//! Clients that are refused at the address of a service: which service that is, and whether it has endpoints.
//! Without any the cluster itself refuses, whatever its pods do.

use super::emit::{Ctx, contains_word};
use super::model::full_name;
use crate::signals::{Role, Signal};

/// What a client says that was refused.
const REFUSALS: [&str; 5] = [
    "connection refused",
    "econnrefused",
    "connect refused",
    "actively refused",
    "no route to host",
];
/// Causes that only say that something else did not answer.
const CLIENTS: [&str; 6] = [
    "workload-dependency-unreachable",
    "dependency-unreachable",
    "dependency-timeout",
    "connection-lost",
    "application-exception",
    "application-error",
];
/// The least strength of a service without endpoints at which clients are refused.
const ROOT: f64 = 0.88;
const BELOW: f64 = 0.08;

/// Gives the addresses of services in clients' errors the names of the services.
pub fn name_services(ctx: &Ctx) {
    let services: Vec<(&str, String, &str, _)> = ctx
        .cluster
        .services
        .iter()
        .filter(|service| service.cluster_ip.contains(['.', ':']))
        .map(|service| {
            (
                service.cluster_ip.as_str(),
                full_name(&service.ns, &service.name),
                service.name.as_str(),
                service.src,
            )
        })
        .collect();
    ctx.amend(|signal| {
        if !CLIENTS.contains(&signal.cause.as_str()) || signal.entities.contains_key("service") {
            return;
        }
        let Some((address, whole, name, src)) = services.iter().find(|(address, ..)| {
            signal.title.contains(address) && stands_alone(&signal.title, address)
        }) else {
            return;
        };
        let said = format!("{address} (service {whole})");
        for text in [&mut signal.title, &mut signal.statement] {
            // A port stays with its address.
            let Some(at) = text.find(address).map(|at| at + address.len()) else {
                continue;
            };
            let port = text[at..]
                .char_indices()
                .find(|(_, c)| !(c.is_ascii_digit() || *c == ':'))
                .map_or(text.len(), |(end, _)| at + end);
            let rest = text[at..port].trim_end_matches(':').len();
            text.insert_str(at + rest, &said[address.len()..]);
        }
        signal.entities.insert("service".into(), (*name).to_owned());
        if signal.evidence.len() < 4
            && let Some(row) = ctx.quote(*src, name)
        {
            signal.evidence.push(row);
        }
    });
}

/// Whether an address is not the beginning of a longer one.
fn stands_alone(text: &str, address: &str) -> bool {
    text.match_indices(address).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + address.len()..].chars().next();
        !before.is_some_and(|c| c.is_ascii_digit() || c == '.')
            && !after.is_some_and(|c| c.is_ascii_digit())
    })
}

/// Whether a client that was refused names the service of `root`.
fn refused_there(client: &Signal, root: &Signal) -> bool {
    let said: String = client
        .evidence
        .iter()
        .map(|line| line.quote.to_lowercase() + "\n")
        .collect();
    let name = root.subject.name.to_lowercase();
    CLIENTS.contains(&client.cause.as_str())
        && REFUSALS.iter().any(|word| said.contains(word))
        && (client.entities.get("service") == Some(&root.subject.name)
            || contains_word(&said, &name)
            || client
                .entities
                .get("dependency")
                .is_some_and(|host| host.split([':', '.']).next() == Some(name.as_str())))
}

/// A service whose selector passes by ready pods of its application stands above the clients that are refused at it.
pub fn above_clients(signals: &mut [Signal]) {
    for root in 0..signals.len() {
        // Pods that are not ready would be no endpoints either: then they are the root.
        let found = &signals[root];
        if found.cause != "service-selector-mismatch"
            || found.role != Role::Cause
            || !found.entities.contains_key("endpoint")
        {
            continue;
        }
        let clients: Vec<usize> = (0..signals.len())
            .filter(|at| refused_there(&signals[*at], &signals[root]))
            .collect();
        let Some(best) = clients
            .iter()
            .map(|at| signals[*at].strength)
            .reduce(f64::max)
        else {
            continue;
        };
        let own = signals[root]
            .strength
            .max(ROOT)
            .max((best + 0.04).min(0.95));
        signals[root].strength = own;
        for at in clients {
            signals[at].strength = signals[at].strength.min(own - BELOW);
        }
    }
}
