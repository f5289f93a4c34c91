//! Kubernetes: reads whatever a bundle holds about a cluster into one typed picture, and finds the
//! faults of its pods, nodes, volumes, networks and workloads.
//!
//! Owns: the readers (Troubleshoot and `cluster-info dump` JSON, must-gather YAML, `kubectl` pages,
//! tables and logs under any name), the picture ([`model`]) and the detectors `k8s.*`, whose causes
//! are `playbooks/causes/kubernetes.toml`. Touches: the unpacked tree, read-only. Zone: 2.
//!
//! The way inside: [`read`] → [`model::Cluster`] → detectors → [`rank`] by the customer's words.

mod admission;
mod analyses;
mod answers;
mod applogs;
mod bindings;
mod blemish;
mod busy_device;
mod chains;
mod changes;
mod clouds;
mod compare;
mod containers;
mod contest;
mod control;
mod cpu;
mod crontime;
mod custom;
mod describe;
mod emit;
mod ends;
mod environment;
mod environments;
mod everywhere;
mod focus;
mod hangs;
mod header;
mod lag;
mod lastwords;
mod logs;
mod mesh;
mod meshtls;
mod metrics;
mod model;
mod mtu;
mod nat;
mod network;
mod nodeclock;
mod nodes;
mod note_rules;
mod notes;
mod numbers;
mod objects;
mod observe;
mod outputs;
mod pages;
mod passed_on;
mod patterns;
mod patterns_apps;
mod patterns_more;
mod places;
mod policies;
mod probes;
mod proxytime;
mod raised;
mod rank;
mod read;
mod records;
mod refused;
mod reloaded;
mod retried;
mod rotated;
mod scheduling;
mod search_domain;
mod service_rules;
mod shapes;
mod sidecars;
mod signing;
mod slowlog;
mod storage;
mod structured;
mod table;
mod throttled;
mod time;
mod tools;
mod topics;
mod traces;
mod uneven;
mod unexplained;
mod upstream;
mod value;
mod waits;
mod words;
mod workloads;
mod yaml;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_compare;
#[cfg(test)]
mod tests_objects;
#[cfg(test)]
mod tests_paths;
#[cfg(test)]
mod tests_relations;
#[cfg(test)]
mod tests_roots;
#[cfg(test)]
mod tests_subject;

pub(super) use model::{app_of, is_generated_name};

use super::Partial;
use crate::bundle::Tree;
use crate::profile::{Name, Profile};

/// A bundle with at most this many files was collected by hand for one problem.
const NARROW_FILES: usize = 20;

/// Whether the customer speaks of something that takes too long.
fn words_of_slowness(ctx: &emit::Ctx) -> bool {
    [
        "throttl",
        "slow",
        "latency",
        "cpu",
        "performance",
        "timeout",
        "hang",
        "seconds",
    ]
    .iter()
    .any(|word| ctx.speaks(word))
}

/// Finds the faults of the cluster that the bundle is about. `ticket`: the customer's words, else
/// those of `ticket.txt` in the bundle.
pub fn detect(tree: &Tree, profile: &Profile, ticket: Option<&str>) -> Partial {
    let reading = read::read(tree, profile);
    let host_report = is_host_report(tree, profile, &reading.cluster);
    let ticket = ticket
        .map(str::to_owned)
        .or_else(|| own_ticket(tree))
        .unwrap_or_default();
    let narrow = tree.files().count() <= NARROW_FILES && reading.cluster.logs.len() <= 6;
    let ctx = emit::Ctx::new(tree, &reading.cluster, &ticket, narrow);
    notes::detect(&ctx);
    scheduling::detect(&ctx);
    storage::detect(&ctx);
    containers::detect(&ctx);
    nodes::detect(&ctx);
    network::detect(&ctx);
    workloads::detect(&ctx);
    everywhere::detect(&ctx);
    throttled::detect(&ctx);
    busy_device::detect(&ctx);
    service_rules::detect(&ctx);
    retried::detect(&ctx);
    slowlog::detect(&ctx);
    uneven::detect(&ctx);
    environments::detect(&ctx);
    nat::detect(&ctx);
    ends::detect(&ctx);
    search_domain::detect(&ctx);
    environment::detect(&ctx);
    hangs::detect(&ctx);
    upstream::detect(&ctx);
    sidecars::detect(&ctx);
    rotated::detect(&ctx);
    bindings::detect(&ctx);
    proxytime::detect(&ctx);
    changes::link(&ctx);
    mesh::detect(&ctx);
    meshtls::detect(&ctx);
    contest::detect(&ctx);
    crontime::detect(&ctx);
    chains::detect(&ctx);
    control::detect(&ctx);
    signing::detect(&ctx);
    if !host_report {
        mtu::detect(&ctx);
        nodeclock::detect(&ctx);
    }
    answers::detect(&ctx);
    traces::detect(&ctx);
    metrics::detect(&ctx);
    tools::detect(&ctx);
    policies::detect(&ctx);
    lag::detect(&ctx);
    records::detect(&ctx);
    compare::detect(&ctx);
    reloaded::detect(&ctx);
    waits::detect(&ctx);
    unexplained::detect(&ctx);
    nodes::unexplained(&ctx);
    topics::detect(&ctx);
    refused::name_services(&ctx);
    let mut partial = rank::settle(ctx, &ticket, host_report);
    partial.not_examined.extend(reading.not_examined);
    partial
}

/// Whether the bundle is about a host: its logs then are those of the host's programs. A folder without a
/// layout is one when it holds several of a host's files and no pod.
fn is_host_report(tree: &Tree, profile: &Profile, cluster: &model::Cluster) -> bool {
    match profile.name {
        Name::Sosreport | Name::Supportconfig => true,
        Name::Plain => cluster.pods.is_empty() && super::host::is_host(tree),
        _ => false,
    }
}

/// The customer's words inside the bundle.
fn own_ticket(tree: &Tree) -> Option<String> {
    let entry = tree.get("ticket.txt")?;
    let text = tree.text(entry).ok()??;
    Some(text.as_str().chars().take(4_000).collect())
}
