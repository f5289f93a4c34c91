//! Faults of services: rules over log lines, and detectors that compare configuration and state.
//!
//! Owns: the rule engine ([`rule`], [`engine`]), a table of rules a family, and the `state_*` detectors that
//! read status outputs and configuration files. Touches: the unpacked tree, read-only. Zone: 2.
//! Each rule says in its comment or statement why an expert reads the line that way, and carries lines that
//! must and must not match; one test checks them all.

pub mod engine;
pub mod rule;
mod state;

mod agents;
mod block_access;
mod ceph;
mod ceph_osd;
mod ceph_start;
mod cloud_backends;
mod cloud_config;
mod cloud_faults;
mod cloud_storage;
mod clusters;
mod database_refusals;
mod databases;
mod edge;
mod enterprise;
mod guests;
mod infra;
mod juju;
mod neutron;
mod node_services;
mod nova;
mod octavia;
mod openstack;
mod ovn;
mod ovs;
mod platforms;
mod programs;
mod rabbitmq;
mod refusals;
mod renewals;
mod repositories;
mod resolving;
mod routing;
mod runtimes;
mod shared_keys;
mod starting;
mod state_addresses;
mod state_ceph;
mod state_ceph_crush;
mod state_ceph_osd;
mod state_ceph_pools;
mod state_cluster;
mod state_config;
mod state_counts;
mod state_db;
mod state_edge_counts;
mod state_hooks;
mod state_loopback;
mod state_net;
mod state_nova;
mod state_ovs;
mod state_ovs_ports;
mod state_packages;
mod state_postgres;
mod state_quorum;
mod state_rabbitmq;
mod state_rabbitmq_nodes;
mod state_sessions;
mod state_settings;
mod state_settings_host;
mod state_slow;
mod store_refusals;
mod stores;
mod system_refusals;
pub mod tables;
mod tables_cloud;
mod tables_clusters;
mod tables_data;
mod tables_settings;
mod tables_storage;
mod wanted_logs;

use super::{Partial, Signal};
use crate::bundle::Tree;
use crate::signals::Role;

/// All rule tables.
const TABLES: &[&[rule::Rule]] = &[
    ceph::RULES,
    ceph_osd::RULES,
    ceph_start::RULES,
    cloud_backends::RULES,
    cloud_config::RULES,
    cloud_faults::RULES,
    cloud_storage::RULES,
    rabbitmq::RULES,
    ovs::RULES,
    ovn::RULES,
    nova::RULES,
    guests::RULES,
    shared_keys::RULES,
    neutron::RULES,
    octavia::RULES,
    openstack::RULES,
    databases::RULES,
    database_refusals::RULES,
    store_refusals::RULES,
    agents::RULES,
    node_services::RULES,
    refusals::RULES,
    renewals::RULES,
    clusters::RULES,
    enterprise::RULES,
    edge::RULES,
    block_access::RULES,
    stores::RULES,
    juju::RULES,
    infra::RULES,
    programs::RULES,
    platforms::RULES,
    repositories::RULES,
    resolving::RULES,
    routing::RULES,
    runtimes::RULES,
    starting::RULES,
    system_refusals::RULES,
];

/// Finds faults of services by their logs, status outputs and configuration.
pub fn detect(tree: &Tree, ticket: Option<&str>) -> Partial {
    let mut partial = engine::Engine::new(TABLES)
        .map(|engine| engine.run(tree))
        .unwrap_or_default();
    let outputs = tables::outputs(tree);
    for part in [
        tables::detect(tree, &outputs, ticket),
        state_sessions::detect(tree, &outputs),
        state_counts::detect(tree, &outputs),
        state_settings::detect(tree, &outputs),
        state_slow::detect(tree, &outputs, ticket),
        state_loopback::detect(tree, &outputs),
        state_ceph::detect(tree, ticket),
        state_rabbitmq::detect(tree),
        state_ovs::detect(tree),
        state_db::detect(tree),
        state_cluster::detect(tree),
        state_config::detect(tree),
        state_ceph_osd::detect(tree),
        state_ceph_crush::detect(tree),
        state_postgres::detect(tree),
        state_rabbitmq_nodes::detect(tree),
        state_ovs_ports::detect(tree),
        state_net::detect(tree),
        state_nova::detect(tree),
        state_addresses::detect(tree),
        state_packages::detect(tree),
        state_hooks::detect(tree),
        state_quorum::detect(tree),
        state_ceph_pools::detect(tree),
    ] {
        partial.merge(part);
    }
    suppress_repeats(&mut partial.signals);
    state_rabbitmq::tell_handling(tree, &mut partial.signals);
    wanted_logs::of_symptoms(tree, &mut partial);
    if !partial
        .signals
        .iter()
        .any(|signal| signal.role == Role::Cause && signal.strength >= 0.5)
    {
        partial.missing.extend(wanted_logs::of_ticket(tree, ticket));
    }
    partial
}

/// Every detector of this family with its cause, for checking catalogues.
pub fn detectors() -> impl Iterator<Item = (&'static str, &'static str)> {
    let rules = TABLES
        .iter()
        .flat_map(|table| table.iter())
        .map(|rule| (rule.id, rule.cause));
    let rows = tables::TABLES
        .iter()
        .flat_map(|table| table.iter())
        .map(|row| (row.id, row.cause));
    let states = [
        state_sessions::IDS,
        state_counts::IDS,
        state_settings::IDS,
        state_settings_host::IDS,
        state_edge_counts::IDS,
        state_slow::IDS,
        state_loopback::IDS,
        state_ceph::IDS,
        state_rabbitmq::IDS,
        state_ovs::IDS,
        state_db::IDS,
        state_cluster::IDS,
        state_config::IDS,
        state_ceph_osd::IDS,
        state_ceph_crush::IDS,
        state_postgres::IDS,
        state_rabbitmq_nodes::IDS,
        state_ovs_ports::IDS,
        state_net::IDS,
        state_nova::IDS,
        state_addresses::IDS,
        state_packages::IDS,
        state_hooks::IDS,
        state_quorum::IDS,
        state_ceph_pools::IDS,
    ];
    rules
        .chain(rows)
        .chain(states.into_iter().flatten().copied())
}

/// A general rule that cites a line which a more special one cites too is left out.
fn suppress_repeats(signals: &mut Vec<Signal>) {
    let strongest: Vec<(String, u64, f64)> = signals
        .iter()
        .filter_map(|signal| {
            signal
                .evidence
                .first()
                .map(|e| (e.path.clone(), e.line_start, signal.strength))
        })
        .collect();
    signals.retain(|signal| {
        signal.evidence.first().is_none_or(|ours| {
            !strongest.iter().any(|(path, line, strength)| {
                *path == ours.path && *line == ours.line_start && *strength > signal.strength
            })
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_rule_keeps_its_examples() {
        let mut ids = BTreeSet::new();
        let mut wrong: Vec<String> = Vec::new();
        for rule in TABLES.iter().flat_map(|table| table.iter()) {
            assert!(ids.insert(rule.id), "{} twice", rule.id);
            let pattern =
                engine::compile(rule.pattern).unwrap_or_else(|| panic!("pattern of {}", rule.id));
            for text in [rule.unless, rule.near, rule.cleared_by] {
                assert!(
                    text.is_empty() || engine::compile(text).is_some(),
                    "{}: {text}",
                    rule.id
                );
            }
            let unless = engine::compile(rule.unless).filter(|_| !rule.unless.is_empty());
            let matches = |line: &str| {
                let lower = line.to_ascii_lowercase();
                rule.needs
                    .iter()
                    .any(|need| lower.contains(&need.to_ascii_lowercase()))
                    && pattern.is_match(line)
                    && !unless.as_ref().is_some_and(|unless| unless.is_match(line))
            };
            assert!(
                !rule.yes.is_empty() && !rule.no.is_empty() && !rule.needs.is_empty(),
                "{} needs examples",
                rule.id
            );
            for line in rule.yes {
                if !matches(line) {
                    wrong.push(format!("{} must match {line}", rule.id));
                }
            }
            for line in rule.no {
                if matches(line) {
                    wrong.push(format!("{} must not match {line}", rule.id));
                }
            }
            let names: BTreeSet<&str> = pattern.capture_names().flatten().collect();
            for text in [rule.subject, rule.title, rule.statement] {
                for slot in text
                    .split('{')
                    .skip(1)
                    .filter_map(|part| part.split('}').next())
                {
                    if !names.contains(slot)
                        && !["daemon", "file", "line", "count", "span", "subject"].contains(&slot)
                    {
                        wrong.push(format!("{}: no slot {slot}", rule.id));
                    }
                }
            }
            assert!(
                (0.0..=0.97).contains(&rule.strength)
                    && rule.title.len() > 8
                    && rule.statement.len() > 20,
                "{}",
                rule.id
            );
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// A title or statement about the first example of `rule`, with its slots filled.
    fn told(rule: &rule::Rule, text: &str) -> Option<String> {
        let line = rule.yes[0];
        let found = engine::compile(rule.pattern)?;
        let found = found.captures(line)?;
        let mut out = text.to_owned();
        for name in engine::compile(rule.pattern)?.capture_names().flatten() {
            let value = found.name(name).map_or("", |value| value.as_str());
            let value = engine::without_tail(value.trim());
            out = out.replace(&format!("{{{name}}}"), value);
        }
        for (slot, value) in [
            ("daemon", "app"),
            ("file", "x"),
            ("line", line),
            ("count", "3"),
            ("span", "a while"),
            ("subject", "app"),
        ] {
            out = out.replace(&format!("{{{slot}}}"), value);
        }
        Some(out)
    }

    #[test]
    fn what_rules_say_beside_their_lines_passes_the_verifier() {
        let mut refused = Vec::new();
        // Named by its product, which its lines do not name; a domain's last dot.
        let known = ["db2-fault", "neutron-dns-driver-failed"];
        let rules = TABLES.iter().flat_map(|table| table.iter());
        for rule in rules.filter(|rule| !known.contains(&rule.cause)) {
            let line = rule.yes[0];
            let (Some(title), Some(statement)) =
                (told(rule, rule.title), told(rule, rule.statement))
            else {
                continue;
            };
            let content = format!("{line}\napp 3\n");
            let (_folder, tree) =
                crate::bundle::testing::tree_of([("b/x.log", content.as_bytes())]);
            let signal = Signal {
                cause: rule.cause.into(),
                title,
                statement,
                evidence: vec![crate::report::Evidence {
                    path: "b/x.log".into(),
                    line_start: 1,
                    line_end: 1,
                    quote: line.chars().take(400).collect(),
                }],
                detector: rule.id.into(),
                subject: crate::report::Subject {
                    kind: "Service".into(),
                    namespace: None,
                    name: "app".into(),
                },
                strength: 0.5,
                role: Role::Cause,
                entities: BTreeMap::new(),
            };
            refused.extend(crate::signals::testing::refused(&tree, &[signal]));
        }
        assert!(
            refused.is_empty(),
            "{} of them: {refused:#?}",
            refused.len()
        );
    }

    /// The finding on top of what is said about these files.
    fn first(files: &[(&str, &str)]) -> Signal {
        let mut catalogue: toml::Table = include_str!("../../../playbooks/causes/services.toml")
            .parse()
            .unwrap();
        let causes: Vec<crate::playbook::Cause> =
            catalogue.remove("causes").unwrap().try_into().unwrap();
        let (_folder, tree) = crate::bundle::testing::tree_of(files.iter().copied());
        crate::signals::rank(detect(&tree, None).signals, &causes).remove(0)
    }

    /// Of a deployment that fails, what it lacks is to be mended.
    #[test]
    fn the_missing_service_stands_above_the_failed_deployment() {
        let failed = "2024-03-01 10:00:00,117 ERROR [org.jboss.as.controller.management-operation] (Controller Boot Thread) WFLYCTL0013: Operation (\"deploy\") failed - address: ([(\"deployment\" => \"shop.ear\")]) - failure description: {\n";
        let why = "    \"WFLYCTL0412: Required services that are not installed:\" => [\"jboss.naming.context.java.jboss.datasources.ShopDS\"],\n    \"WFLYCTL0180: Services with missing/unavailable dependencies\" => [\"jboss.persistenceunit.\\\"shop.ear/shop-ejb.jar#pu\\\" is missing [jboss.naming.context.java.jboss.datasources.ShopDS]\"]\n}\n";
        let log = "j/JBOSS_HOME/standalone/log/server.log";
        let found = first(&[(log, &format!("{failed}{why}"))]);
        assert_eq!(found.cause, "application-service-missing");
        assert!(
            found.title.contains(
                "deployment shop.ear needs jboss.naming.context.java.jboss.datasources.ShopDS"
            ),
            "{}",
            found.title
        );
        let other = "    \"WFLYCTL0080: Failed services\" => {\"jboss.deployment.unit.\\\"shop.ear\\\".PARSE\" => \"org.jboss.msc.service.StartException: WFLYSRV0153: Failed to process phase PARSE\n    Caused by: java.io.IOException: web.xml is damaged\"}\n}\n";
        let found = first(&[(log, &format!("{failed}{other}"))]);
        assert_eq!(found.cause, "application-deployment-failed");
        assert!(
            found.title.contains("web.xml is damaged"),
            "{}",
            found.title
        );
    }

    /// Ticks that stop are how a partition begins; the partition stays and has to be repaired.
    #[test]
    fn a_partition_stands_above_what_set_it_off() {
        let lost = "2024-03-01 10:00:00.100 [info] <0.1.0> node rabbit@a down: net_tick_timeout\n";
        let split = "2024-03-01 10:00:40.100 [error] <0.2.0> Mnesia(rabbit@b): ** ERROR ** mnesia_event got {inconsistent_database, running_partitioned_network, rabbit@a}\n";
        let log = "b/rabbitmq/log/rabbit@b.log";
        for text in [format!("{lost}{split}"), format!("{split}{lost}")] {
            let found = first(&[
                (log, &text),
                (
                    "b/rabbitmq/rabbitmq.conf",
                    "cluster_partition_handling = ignore\n",
                ),
            ]);
            assert_eq!(found.cause, "rabbitmq-partition");
            assert!(found.statement.contains("does not heal by itself"));
        }
        let status = "Running Nodes\n\nrabbit@b\n\nNetwork Partitions\n\nNode rabbit@b cannot communicate with rabbit@a\n\n";
        let found = first(&[(log, lost), ("b/rabbitmq/cluster_status.txt", status)]);
        assert_eq!(found.cause, "rabbitmq-partition");
        assert!(!found.statement.contains("does not heal by itself"));
        let status = status.replace("Node rabbit@b cannot communicate with rabbit@a", "(none)");
        let found = first(&[(log, lost), ("b/rabbitmq/cluster_status.txt", &status)]);
        assert_eq!(found.cause, "rabbitmq-net-tick-timeout");
    }

    #[test]
    fn each_rule_and_detector_is_in_the_catalogues() {
        let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for text in [
            include_str!("../../../playbooks/causes/services.toml"),
            include_str!("../../../playbooks/causes/logs.toml"),
        ] {
            let catalogue: toml::Table = text.parse().unwrap();
            assert_eq!(
                catalogue["schema"].as_str(),
                Some("narrowroom.catalogue/v1")
            );
            for cause in catalogue["causes"].as_array().unwrap() {
                let slug = cause["slug"].as_str().unwrap().to_owned();
                let ids = cause["signals_for"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|id| id.as_str().unwrap().to_owned())
                    .collect();
                assert!(
                    (1..=5).contains(&cause["commands"].as_array().unwrap().len()),
                    "{slug}"
                );
                assert!(known.insert(slug.clone(), ids).is_none(), "{slug} twice");
            }
        }
        for (id, cause) in
            detectors().chain([(crate::signals::logs::DETECTOR, crate::signals::logs::CAUSE)])
        {
            assert!(
                known.get(cause).is_some_and(|ids| ids.contains(id)),
                "{id} under {cause}"
            );
        }
    }
}
