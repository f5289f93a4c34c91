//! Credentials that were changed while a program that took them from its environment went on running: it still offers
//! the old ones until it is restarted.

use super::emit::{Ctx, Draft, pod_words};
use super::model::*;
use super::time::parse_time;
use super::words::{self, Level};
use crate::report::Evidence;
use crate::signals::logs::clock_text;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// A refusal must be at least this sure.
const FROM: f64 = 0.5;

/// Pods that are refused, started before the secret was written that their environment comes from.
pub fn detect(ctx: &Ctx) {
    let refused: Vec<(String, String, f64, Option<Evidence>)> = ctx
        .signals()
        .iter()
        .filter(|signal| signal.cause == "dependency-auth-failed" && signal.strength >= FROM)
        .map(|signal| {
            let ns = signal.subject.namespace.clone().unwrap_or_default();
            let shown = signal.evidence.first().cloned();
            (ns, signal.subject.name.clone(), signal.strength, shown)
        })
        .collect();
    let mut told: Vec<&str> = Vec::new();
    for (ns, name, strength, shown) in refused {
        let pods = &ctx.cluster.pods;
        let Some(pod) = pods.iter().find(|pod| pod.ns == ns && pod.name == name) else {
            continue;
        };
        if tell(ctx, pod, (strength + 0.06).min(0.95), shown) {
            told.push(&pod.name);
        }
    }
    // Of the replicas of one program some have the new credentials and some the old ones: what the one signs or sends,
    // the other refuses.
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    for pod in &ctx.cluster.pods {
        if told.contains(&pod.name.as_str()) {
            continue;
        }
        let Some((_, _, written, ..)) = outdated(ctx, pod) else {
            continue;
        };
        // One of the replicas stands for all that were not restarted.
        if fresh(ctx, pod, written).is_some() && seen.insert((&pod.ns, &pod.owner)) {
            let refusal = refusal(ctx, pod, written);
            let strength = if refusal.is_some() { 0.84 } else { 0.3 };
            tell(ctx, pod, strength, refusal);
        }
    }
}

/// A replica that was started after its secret was written, and is ready.
fn fresh<'a>(ctx: &Ctx<'a>, pod: &Pod, written: i64) -> Option<&'a Pod> {
    ctx.cluster.pods.iter().find(|other| {
        other.ns == pod.ns
            && other.name != pod.name
            && !pod.owner.is_empty()
            && other.owner == pod.owner
            && other.is_ready()
            && other
                .containers
                .iter()
                .any(|one| one.state.started.is_some_and(|at| at >= written))
    })
}

/// The last line of a program's logs that speaks of refused credentials, when that began with the secret's change:
/// what was refused before has another reason, and tokens of users expire every day.
fn refusal(ctx: &Ctx, pod: &Pod, written: i64) -> Option<Evidence> {
    const MAX_LINES: usize = 100_000;
    const TIMES: usize = 3;
    const REFUSED: [&str; 8] = [
        "signature",
        "401",
        "nauthor",
        "nvalid token",
        "uthentication failed",
        "rong password",
        "nvalid key",
        "nvalid credentials",
    ];
    static TIME: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?Z?").ok());
    let (time, app) = (TIME.as_ref()?, pod.app());
    let own = |log: &&Log| !log.empty && log.pod.contains(app);
    for log in ctx.cluster.logs.iter().filter(own) {
        let (mut before, mut after, mut last) = (0, 0, 0);
        ctx.each_line(log, MAX_LINES, |line, text| {
            if text.contains("expired") || !REFUSED.iter().any(|words| text.contains(words)) {
                return;
            }
            // Stores of logs give lines as texts in JSON.
            let loud = words::level(&text.replace("\\\"", "\"")) >= Level::Warning;
            let at = time.find(text).and_then(|found| parse_time(found.as_str()));
            match at.filter(|_| loud) {
                Some(at) if at < written => before += 1,
                Some(_) => (after, last) = (after + 1, line),
                None => {}
            }
        });
        if after >= TIMES && before == 0 {
            let src = Src {
                file: log.file,
                line: last,
                column: 0,
            };
            return ctx.quote(src, "");
        }
    }
    None
}

/// Tells of a pod that runs since before its secret was written.
fn tell(ctx: &Ctx, pod: &Pod, strength: f64, shown: Option<Evidence>) -> bool {
    let Some((container, secret, written, src, started)) = outdated(ctx, pod) else {
        return false;
    };
    let who = pod_words(pod, &container.name);
    let fresh = fresh(ctx, pod, written);
    let also = fresh.map_or(String::new(), |other| {
        format!(" Pod {}, started after that, has the new ones.", other.name)
    });
    let then = match shown.is_some() {
        true => "and what it signs or offers with the old ones is refused",
        false => "and its logs do not show what follows",
    };
    let mut draft = Draft::cause("credential-rotated", "Pod", &pod.ns, &pod.name, strength)
            .says(
                format!("{who} still uses the credentials from before secret {secret} was changed"),
                format!("{who} takes credentials from secret {secret} into its environment when it starts, at {}; the secret was written at {}, {then}. It needs a restart to use the new ones.{also}", clock_text(started * 1000), clock_text(written * 1000)),
            )
            .show(shown)
            .show(ctx.quote(src, ""))
            .show(ctx.quote(pod.src, &pod.name));
    if let Some(other) = fresh {
        draft = draft.show(ctx.quote(other.src, &other.name));
    }
    ctx.emit(super::emit::with_pod(draft, pod, &container.name).entity("secret", secret));
    true
}

/// The container that runs since before a secret of its environment was written, with both times.
fn outdated<'a>(ctx: &'a Ctx, pod: &'a Pod) -> Option<(&'a Container, &'a str, i64, Src, i64)> {
    pod.containers.iter().find_map(|container| {
        let started = container.state.started?;
        container.references.iter().find_map(|reference| {
            let (_, name, written, src) =
                ctx.cluster
                    .secrets_written
                    .iter()
                    .find(|(ns, name, at, _)| {
                        reference.kind == "Secret"
                            && *ns == pod.ns
                            && *name == reference.name
                            && *at > started
                    })?;
            Some((container, name.as_str(), *written, *src, started))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};

    fn pods(started: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: api-1\n  namespace: shop\nspec:\n  containers:\n  - name: api\n    image: api:2\n    env:\n    - name: DB_PASSWORD\n      valueFrom:\n        secretKeyRef:\n          name: db-login\n          key: password\nstatus:\n  phase: Running\n  containerStatuses:\n  - name: api\n    ready: false\n    restartCount: 0\n    state:\n      running:\n        startedAt: \"{started}\"\n"
        )
    }
    const SECRET: &str = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: db-login\n  namespace: shop\n  managedFields:\n  - manager: kubectl\n    operation: Update\n    time: \"2025-03-04T06:00:14Z\"\n";
    const LOG: &str = "2025-03-04T06:03:00Z ERROR FATAL: password authentication failed for user \"shop\"\n2025-03-04T06:04:00Z ERROR FATAL: password authentication failed for user \"shop\"\n";

    #[test]
    fn a_password_that_was_changed_while_the_pod_ran() {
        let of = |started: &str| {
            let pods = pods(started);
            run(&[
                ("pods.yaml", &pods),
                ("secrets.yaml", SECRET),
                ("logs/shop/api-1.log", LOG),
            ])
        };
        let found = of("2025-01-01T00:00:00Z");
        assert_eq!(first(&found).cause, "credential-rotated");
        assert_eq!(
            first(&of("2025-03-04T06:02:00Z")).cause,
            "dependency-auth-failed"
        );
    }

    #[test]
    fn one_replica_of_two_that_was_not_restarted() {
        let list = |second: &str| {
            let pod = |name: &str, started: &str| {
                pods(started)
                    .replace("name: api-1\n", &format!("name: {name}\n"))
                    .replace(
                        "  namespace: shop\n",
                        "  namespace: shop\n  ownerReferences:\n  - kind: ReplicaSet\n    name: api-5f\n",
                    )
                    .replace("ready: false", "ready: true")
                    .replace(
                        "  phase: Running\n",
                        "  phase: Running\n  conditions:\n  - type: Ready\n    status: \"True\"\n",
                    )
            };
            format!(
                "{}---\n{}",
                pod("api-5f-b4c5d", "2025-01-01T00:00:00Z"),
                pod("api-5f-c6d7f", second)
            )
        };
        let line =
            |time: &str| format!("2025-03-04T{time}Z ERROR token signature is invalid: mismatch\n");
        let log = line("06:03:00").repeat(4);
        let of = |second: &str| {
            let pods = list(second);
            run(&[
                ("pods.yaml", &pods),
                ("secrets.yaml", SECRET),
                ("logs/shop/api-5f-b4c5d.log", &log),
            ])
        };
        let found = of("2025-03-04T06:01:00Z");
        assert_eq!(first(&found).cause, "credential-rotated");
        assert_eq!(first(&found).subject.name, "api-5f-b4c5d");
        // Refused as much before the change: another reason.
        let (list, always) = (
            list("2025-03-04T06:01:00Z"),
            line("05:03:00").repeat(4) + &log,
        );
        let found = run(&[
            ("pods.yaml", &list),
            ("secrets.yaml", SECRET),
            ("logs/shop/api-5f-b4c5d.log", &always),
        ]);
        assert!(
            found
                .signals
                .iter()
                .all(|one| one.cause != "credential-rotated" || one.strength < 0.5)
        );
        // All of them run since before: then it is no difference between them.
        let all = of("2025-01-02T00:00:00Z");
        assert!(
            all.signals
                .iter()
                .all(|one| one.cause != "credential-rotated")
        );
    }
}
