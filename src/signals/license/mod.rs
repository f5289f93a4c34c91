//! Use against entitlement: what a license grants, what the customer declared, what the bundle shows.
//!
//! Owns: reading licenses and declarations ([`declared`]), telemetry and inventories ([`used`]), and the
//! comparison. Touches: the unpacked tree, read-only. Zone: 2. Every number is read and compared here, by
//! code, and cited with the line it stands in; a model words at most the sentence around it.
//!
//! | detector | fires when |
//! |---|---|
//! | `license.over-used` | more nodes or cores are used than the license grants |
//! | `license.under-reported` | more are used than the customer's own declaration says |
//! | `license.expired` | the license ended before the last use on record |
//! | `license.version-not-covered` | a version newer than the license covers is used |

mod declared;
mod pairs;
mod used;

use super::{Partial, Role, Signal};
use crate::bundle::Tree;
use crate::playbook::Cause;
use crate::report::{Evidence, Missing, Subject};
use std::collections::BTreeMap;

/// Longest quote, in characters.
const MAX_QUOTE: usize = 400;

/// Every detector of this family with its cause, for checking catalogues.
pub const DETECTORS: &[(&str, &str)] = &[
    ("license.over-used", "license-over-used"),
    ("license.under-reported", "license-under-reported"),
    ("license.expired", "license-expired"),
    ("license.version-not-covered", "license-version-not-covered"),
];

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Unit {
    Nodes,
    Cores,
}

impl Unit {
    fn word(self) -> &'static str {
        match self {
            Unit::Nodes => "nodes",
            Unit::Cores => "cores",
        }
    }
    /// The unit a key speaks of: `max_nodes`, `licensedServers`, `node_count`, `cpu_cores`, `vcpus`.
    fn of_key(key: &str) -> Option<Self> {
        let key: String = key
            .to_ascii_lowercase()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let bare = [
            "maximum", "max", "licensed", "entitled", "declared", "reported", "allowed", "number",
            "numberof", "total", "num", "count", "limit", "used", "active", "of",
        ]
        .iter()
        .fold(key, |key, part| key.replace(part, ""));
        match bare.as_str() {
            "nodes" | "node" | "servers" | "server" | "hosts" | "host" | "instances" => {
                Some(Unit::Nodes)
            }
            "cores" | "core" | "cpus" | "cpu" | "vcpus" | "vcpu" | "cpucores" | "cpucore"
            | "physicalcores" => Some(Unit::Cores),
            _ => None,
        }
    }
}

/// A number or a word of the bundle, with its place.
#[derive(Debug, Clone)]
struct At<T> {
    pub value: T,
    pub path: String,
    pub line: usize,
    pub quote: String,
}

impl<T> At<T> {
    fn evidence(&self) -> Evidence {
        Evidence {
            path: self.path.clone(),
            line_start: self.line as u64,
            line_end: self.line as u64,
            quote: self.quote.trim().chars().take(MAX_QUOTE).collect(),
        }
    }
}

/// Compares use with license and declaration. A playbook about nothing else also says what it would
/// need.
pub fn detect(tree: &Tree, causes: &[Cause]) -> Partial {
    let mut partial = Partial::default();
    let declared = declared::read(tree);
    let used = used::read(tree);
    for (unit, limit) in &declared.granted {
        if let Some(peak) = used.peak(*unit).filter(|peak| peak.value.0 > limit.value) {
            let (n, word) = (peak.value.0, unit.word());
            let when = peak
                .value
                .1
                .as_ref()
                .map_or_else(String::new, |when| format!(" at {when}"));
            partial.signals.push(signal(
                0,
                format!(
                    "{n} {word} are used{when}, the license grants {}",
                    limit.value
                ),
                format!(
                    "The use of {n} {word}{when} is {} more than the {} that the license grants.",
                    n - limit.value,
                    limit.value
                ),
                vec![peak.evidence(), limit.evidence()],
            ));
        }
    }
    for (unit, said) in &declared.declared {
        if let Some(peak) = used
            .peak(*unit)
            .filter(|peak| peak.value.0 > said.value && peak.path != said.path)
        {
            let (n, word) = (peak.value.0, unit.word());
            let when = peak
                .value
                .1
                .as_ref()
                .map_or_else(String::new, |when| format!(" at {when}"));
            partial.signals.push(signal(
                1,
                format!("{n} {word} are used{when}, the declaration says {}", said.value),
                format!("The declaration says {} {word}, and {n} are used{when}: {} are under-reported.", said.value, n - said.value),
                vec![peak.evidence(), said.evidence()],
            ));
        }
    }
    if let (Some(end), Some(last)) = (&declared.expires, &used.last)
        && last.value.day > end.value.day
    {
        partial.signals.push(signal(
            2,
            format!(
                "the license ended at {}, use is on record until {}",
                end.value, last.value
            ),
            format!(
                "The license ended at {}, and the last use on record is of {}.",
                end.value, last.value
            ),
            vec![end.evidence(), last.evidence()],
        ));
    }
    if let Some(covered) = &declared.version
        && let Some(newer) = used
            .versions
            .iter()
            .filter(|found| newer(&found.value, &covered.value))
            .max_by_key(|found| numbers(&found.value))
    {
        partial.signals.push(signal(
            3,
            format!(
                "version {} is used, the license covers up to {}",
                newer.value, covered.value
            ),
            format!(
                "The license covers versions up to {}, and version {} is used.",
                covered.value, newer.value
            ),
            vec![newer.evidence(), covered.evidence()],
        ));
    }
    // Only a playbook about licenses asks for what others never need.
    if !causes.is_empty()
        && causes
            .iter()
            .all(|cause| cause.slug.starts_with("license-"))
    {
        if declared.is_empty() {
            partial.missing.push(ask(
                "the license or the customer's declaration of use",
                "without what is granted or declared there is nothing to compare the use with",
            ));
        }
        if used.is_empty() {
            partial.missing.push(ask(
                "telemetry, a usage report or an inventory of nodes",
                "without what is used there is nothing to compare with the license",
            ));
        }
    }
    partial
}

fn ask(what: &str, why: &str) -> Missing {
    Missing {
        what: what.into(),
        why: why.into(),
        path: None,
    }
}

fn signal(detector: usize, title: String, statement: String, evidence: Vec<Evidence>) -> Signal {
    let (id, cause) = DETECTORS[detector];
    Signal {
        detector: id.into(),
        cause: cause.into(),
        title,
        statement,
        subject: Subject {
            kind: "License".into(),
            namespace: None,
            name: "license".into(),
        },
        evidence,
        // Two numbers of the bundle compared: nothing is guessed.
        strength: 0.93,
        role: Role::Cause,
        entities: BTreeMap::new(),
    }
}

/// The numbers of a version; what is no number ends it.
fn numbers(version: &str) -> Vec<u64> {
    version
        .trim_start_matches(['v', 'V'])
        .split('.')
        .map_while(|part| {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .collect()
}

/// Whether `found` is newer than everything `covered` stands for: 8.x covers 8.17.
fn newer(found: &str, covered: &str) -> bool {
    let (found, covered) = (numbers(found), numbers(covered));
    !covered.is_empty() && found.len() >= covered.len() && found[..covered.len()] > covered[..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    fn found(files: &[(&str, &str)]) -> Vec<(String, String, usize)> {
        let files = files.iter();
        let (_folder, tree) = tree_of(files.map(|(name, text)| (format!("b/{name}"), text)));
        detect(&tree, &[])
            .signals
            .into_iter()
            .map(|signal| (signal.detector, signal.title, signal.evidence.len()))
            .collect()
    }

    #[test]
    fn every_detector_has_its_cause_in_the_catalogue() {
        let (_, causes) = crate::playbook::shipped("license-usage")
            .unwrap()
            .parse()
            .unwrap();
        for (id, slug) in DETECTORS {
            assert!(
                causes.iter().any(|cause| cause.slug == *slug
                    && cause.signals_for.iter().any(|known| known == id)),
                "{id}"
            );
        }
    }

    const LICENSE: &str =
        "licensed_nodes: 3\nlicensed_cores: 24\nmax_version: 8\nexpires_at: 2026-03-01T00:00:00Z\n";
    const LOW: &str = "{\"time\": \"2026-02-01T00:00:00Z\", \"nodes\": 3, \"cores\": 24, \"version\": \"8.4.1\"}\n";
    const HIGH: &str = "{\"time\": \"2026-02-02T00:00:00Z\", \"nodes\": 5, \"cores\": 20, \"version\": \"8.4.1\"}\n";

    #[test]
    fn use_within_the_license_is_silent_and_the_peak_above_it_is_named_with_its_day() {
        assert!(found(&[("license.yaml", LICENSE), ("telemetry/usage.jsonl", LOW)]).is_empty());
        let all = format!("{LOW}{HIGH}{LOW}");
        let signals = found(&[("license.yaml", LICENSE), ("telemetry/usage.jsonl", &all)]);
        assert_eq!(
            signals,
            [(
                "license.over-used".to_owned(),
                "5 nodes are used at 2026-02-02T00:00:00Z, the license grants 3".to_owned(),
                2
            )]
        );
    }

    #[test]
    fn a_declaration_below_the_inventory_is_under_reported() {
        let nodes = r#"{"kind": "NodeList", "items": [
{"metadata": {"name": "a"}, "status": {"capacity": {"cpu": "8"}}},
{"metadata": {"name": "b"}, "status": {"capacity": {"cpu": "8"}}}]}"#;
        let signals = found(&[
            ("usage-declaration.json", "{\"nodes\": 1,\n\"cores\": 16}"),
            ("cluster-resources/nodes.json", nodes),
        ]);
        assert_eq!(signals.len(), 1, "{signals:?}");
        assert_eq!(signals[0].1, "2 nodes are used, the declaration says 1");
    }

    #[test]
    fn an_end_before_the_last_use_and_a_newer_version_are_found() {
        let late = LOW
            .replace("2026-02-01", "2026-04-01")
            .replace("8.4.1", "9.0.0");
        let signals = found(&[("license.yaml", LICENSE), ("telemetry.json", &late)]);
        let ids: Vec<&str> = signals.iter().map(|signal| signal.0.as_str()).collect();
        assert_eq!(ids, ["license.expired", "license.version-not-covered"]);
    }

    #[test]
    fn entitlements_of_a_license_resource_and_of_elastic_are_read() {
        let kots = "apiVersion: kots.io/v1beta1\nkind: License\nspec:\n  entitlements:\n    num_nodes:\n      title: Nodes\n      value: 2\n    expires_at:\n      value: \"2030-01-01T00:00:00Z\"\n";
        assert_eq!(
            found(&[("kots/license.yaml", kots), ("telemetry.jsonl", LOW)])[0].1,
            "3 nodes are used at 2026-02-01T00:00:00Z, the license grants 2"
        );
        let elastic = "{\n  \"license\" : {\n    \"status\" : \"active\",\n    \"expiry_date_in_millis\" : 1767225600000,\n    \"max_nodes\" : 100\n  }\n}\n";
        let signals = found(&[("licenses.json", elastic), ("telemetry.jsonl", LOW)]);
        assert_eq!(
            signals[0].1,
            "the license ended at 1767225600000 since 1970, use is on record until 2026-02-01T00:00:00Z"
        );
    }

    #[test]
    fn keys_and_versions_are_read_as_a_person_would() {
        for (key, unit) in [
            ("maxNodes", Some(Unit::Nodes)),
            ("node_count", Some(Unit::Nodes)),
            ("licensedServers", Some(Unit::Nodes)),
            ("cpu_cores", Some(Unit::Cores)),
            ("vCPUs", Some(Unit::Cores)),
            ("nodePort", None),
            ("name", None),
            ("max_connections", None),
        ] {
            assert_eq!(Unit::of_key(key), unit, "{key}");
        }
        assert!(
            newer("9.0.1", "8")
                && newer("8.5", "8.4")
                && !newer("8.17.2", "8.x")
                && !newer("8.4", "8.4.1")
        );
    }
}
