//! Addresses of another environment: production that calls staging's database, or the other way round.

use super::emit::{Ctx, Draft, pod_words, with_pod};
use regex::Regex;
use std::sync::LazyLock;

/// Names of environments as people use them in namespaces and host names.
const ENVIRONMENTS: &[(&str, &[&str])] = &[
    ("production", &["prod", "production", "prd", "live"]),
    (
        "staging",
        &["staging", "stage", "stg", "preprod", "preproduction"],
    ),
    ("development", &["dev", "develop", "development"]),
    (
        "test",
        &["test", "testing", "qa", "uat", "int", "sandbox", "demo"],
    ),
];

static HOST: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?i)\b[a-z0-9][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+\b").ok());

/// The environment that a word of a name tells, when all such words agree.
fn environment_of(name: &str) -> Option<&'static str> {
    let mut found = None;
    for word in name.to_ascii_lowercase().split(['-', '_', '.']) {
        let of_word = ENVIRONMENTS
            .iter()
            .find(|(_, words)| words.contains(&word))
            .map(|(environment, _)| *environment);
        match (found, of_word) {
            (Some(known), Some(other)) if known != other => return None,
            (None, Some(other)) => found = Some(other),
            _ => {}
        }
    }
    found
}

/// Pods whose namespace names one environment and whose variables hold a host of another one.
pub fn detect(ctx: &Ctx) {
    let mut told = std::collections::BTreeSet::new();
    for pod in ctx.cluster.pods.iter().filter(|pod| !pod.is_done()) {
        let Some(own) = environment_of(&pod.ns) else {
            continue;
        };
        for container in &pod.containers {
            for (name, value) in &container.env {
                let Some((host, other)) = HOST.as_ref().and_then(|regex| {
                    regex.find_iter(&value.v).find_map(|host| {
                        let other = environment_of(host.as_str())?;
                        (other != own).then(|| (host.as_str().to_owned(), other))
                    })
                }) else {
                    continue;
                };
                if !told.insert((pod.ns.clone(), pod.app().to_owned(), name.clone())) {
                    continue;
                }
                // A running program may call another environment on purpose.
                let strength = if pod.is_ready() { 0.3 } else { 0.93 };
                let who = pod_words(pod, &container.name);
                let draft = Draft::cause(
                    "config-of-other-environment",
                    "Pod",
                    &pod.ns,
                    &pod.name,
                    strength,
                )
                .says(
                    format!("{who} is configured with a host of {other}: {name} points to {host}"),
                    format!("{who} runs in namespace {} ({own}), but its environment variable {name} points to {host} ({other}): the wrong environment's address, where its names and passwords are not known.", pod.ns),
                )
                .show(ctx.quote_loc(value))
                .entity("dependency", &host);
                ctx.emit(with_pod(draft, pod, &container.name));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_are_told_by_whole_words() {
        for (name, environment) in [
            ("crm-prod", Some("production")),
            ("db.shop-staging.svc.cluster.local", Some("staging")),
            ("payments", None),
            ("product-catalog", None),
            ("latest-int3", None),
            ("prod-to-test", None),
            ("api.uat.example.test", Some("test")),
            ("api.uat.example.org", Some("test")),
        ] {
            assert_eq!(environment_of(name), environment, "{name}");
        }
    }
}
