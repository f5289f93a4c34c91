//! A setting of one environment that points into another: production that asks staging's service, mostly left from a copy.

use super::emit::{Ctx, Draft, cut};
use crate::bundle::FileKind;
use crate::report::Evidence;
use regex::Regex;
use std::sync::LazyLock;

/// Largest file looked into, in bytes.
const MAX_BYTES: u64 = 2 << 20;
/// What environments are called; those of one list are the same.
const NAMES: [&[&str]; 4] = [
    &["production", "prod", "live"],
    &["staging", "stage", "stg", "preprod"],
    &["testing", "test", "qa", "uat"],
    &["development", "dev", "sandbox"],
];

/// `TAX_URL: http://tax.staging.svc.cluster.local`: a key and an address inside the cluster.
static SETTING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^\s*(?:-\s+)?["']?(?P<key>[\w.-]{2,60})["']?\s*[:=]\s*["']?(?:\w+://)?(?:[^\s"'@/]*@)?(?P<service>[a-z0-9-]+)\.(?P<ns>[a-z0-9-]+)\.svc\b"#).ok()
});
static NAMESPACE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"^\s*["']?namespace["']?\s*:\s*["']?(?P<ns>[a-z0-9-]+)"#).ok());

/// The environment that a namespace belongs to.
fn environment(namespace: &str) -> Option<usize> {
    NAMES
        .iter()
        .position(|names| namespace.split('-').any(|part| names.contains(&part)))
}

/// Settings whose namespace is of another environment than their object's.
pub fn detect(ctx: &Ctx) {
    let (Some(setting), Some(namespace)) = (SETTING.as_ref(), NAMESPACE.as_ref()) else {
        return;
    };
    for entry in ctx.tree.files() {
        if !matches!(entry.kind, FileKind::Yaml | FileKind::Json) || entry.bytes > MAX_BYTES {
            continue;
        }
        let Ok(Some(text)) = ctx.tree.text(entry) else {
            continue;
        };
        if !text.as_str().contains(".svc") {
            continue;
        }
        // One object a file: with several, whose setting it is cannot be told by its lines alone.
        let homes: Vec<(usize, &str)> = text
            .lines()
            .filter_map(|(at, line)| Some((at, namespace.captures(line)?.name("ns")?.as_str())))
            .collect();
        let Some((home_line, home)) = homes.first().copied() else {
            continue;
        };
        let (Some(own), true) = (
            environment(home),
            homes.iter().all(|(_, other)| *other == home),
        ) else {
            continue;
        };
        let all: Vec<(usize, String, String, String)> = text
            .lines()
            .filter_map(|(at, line)| {
                let found = setting.captures(line)?;
                Some((
                    at,
                    found["key"].to_owned(),
                    found["service"].to_owned(),
                    found["ns"].to_owned(),
                ))
            })
            .collect();
        let strange: Vec<_> = all
            .iter()
            .filter(|(.., ns)| environment(ns).is_some_and(|other| other != own))
            .collect();
        // Where most point elsewhere, somebody meant it so.
        let Some((at, key, service, ns)) = strange
            .first()
            .filter(|_| strange.len() * 2 <= all.len() || all.len() == 1)
        else {
            continue;
        };
        let cite = |at: usize| Evidence {
            path: entry.path.as_str().to_owned(),
            line_start: at as u64,
            line_end: at as u64,
            quote: cut(text.line(at).unwrap_or_default().trim(), 300),
        };
        let asked = ctx.ticket.contains(service.as_str())
            || service
                .split('-')
                .any(|part| part.len() > 2 && ctx.in_ticket(part))
            || ctx.is_asked(entry.path.name());
        let strength = match (own, asked) {
            (0, true) => 0.86,
            (0, false) => 0.6,
            (_, true) => 0.66,
            (_, false) => 0.42,
        };
        let draft = Draft::cause("environment-crossed", "Service", ns, service, strength)
            .says(
                format!("{key} in namespace {home} points to service {service} of namespace {ns}: another environment"),
                format!("A setting of namespace {home} ({key}) names service {service} in namespace {ns}, while the settings beside it stay in their own environment: it answers with the other environment's data and fails with it."),
            )
            .show(Some(cite(*at)))
            .show(Some(cite(home_line)));
        ctx.emit(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};

    #[test]
    fn production_that_asks_staging() {
        let of = |ns: &str| {
            let map = format!(
                "apiVersion: v1\ndata:\n  COUPON_URL: http://coupons.production.svc.cluster.local\n  RATES_URL: http://rates.{ns}.svc.cluster.local\nkind: ConfigMap\nmetadata:\n  name: quote\n  namespace: production\n"
            );
            run(&[("configmap.yaml", &map)])
        };
        assert_eq!(first(&of("staging")).cause, "environment-crossed");
        for same in ["production", "shared-services"] {
            assert!(
                of(same)
                    .signals
                    .iter()
                    .all(|one| one.cause != "environment-crossed")
            );
        }
    }
}
