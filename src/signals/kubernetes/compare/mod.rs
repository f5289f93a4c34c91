//! Differences between two things that must agree, and things that must be there and are not: what is wanted and
//! what is observed, an address in a setting and the services there are, one tag and the images behind it.

mod addresses;
mod objects;

use self::addresses::addresses;
use self::objects::*;
use super::emit::{Ctx, Draft, contains_word, cut, one_line, pod_words, with_pod};
use super::model::*;
use super::time::{parse_time, show};
use super::value::{At, Val};
use super::workloads::quantity;
use crate::signals::Role;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Seconds that a controller may need.
const PATIENCE: i64 = 300;
/// Most objects of one kind remembered.
const MOST: usize = 20_000;

/// What the comparisons need beyond the typed picture.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Governing services of stateful sets.
    governing: Vec<(String, String, Loc<String>)>,
    /// Roll-outs that somebody must go on with.
    held: Vec<Held>,
    /// Changes that no controller has looked at: kind, namespace, name, generations.
    unobserved: Vec<(String, String, String, i64, Loc<i64>)>,
    /// Images as pods run them.
    images: Vec<Image>,
    /// Leases of controllers: namespace, name, last renewal.
    leases: Vec<(String, String, i64, Loc<String>)>,
    /// Objects that nobody reconciles: kind, namespace, name, place.
    suspended: Vec<(String, String, String, Src)>,
    /// Claims larger than their volumes: namespace, name, wanted, is.
    resizes: Vec<(String, String, Loc<String>, Loc<String>)>,
    /// Volumes that cannot be attached or detached: volume, node, message.
    attachments: Vec<(String, String, Loc<String>)>,
    /// Objects that are being deleted: kind, namespace, name, since, finalizers.
    ending: Vec<(String, String, String, i64, Loc<String>)>,
    /// Ports of services from tables: namespace, name, ports, place.
    ports: Vec<(String, String, Vec<i64>, Src)>,
    /// Cron jobs with what they did last.
    crons: Vec<Cron>,
}

#[derive(Debug, Clone, Default)]
struct Held {
    kind: String,
    ns: String,
    name: String,
    how: Loc<String>,
    wanted: Loc<String>,
}

#[derive(Debug, Clone, Default)]
struct Image {
    ns: String,
    pod: String,
    container: String,
    tag: String,
    id: Loc<String>,
}

#[derive(Debug, Clone, Default)]
struct Cron {
    ns: String,
    name: String,
    schedule: String,
    /// Seconds since 1970, or seconds ago.
    last: Option<Time>,
    active: usize,
    suspended: bool,
    src: Src,
}

#[derive(Debug, Clone, Copy)]
enum Time {
    At(i64),
    Ago(i64),
}

/// Kinds whose removal is told elsewhere.
const ENDING_ELSEWHERE: [&str; 6] = [
    "Pod",
    "Namespace",
    "PersistentVolumeClaim",
    "Node",
    "Event",
    "Endpoints",
];
/// Controllers without which the cluster stands still.
const LEADERS: [&str; 4] = [
    "kube-scheduler",
    "kube-controller-manager",
    "cloud-controller-manager",
    "openshift-kube-controller-manager",
];

/// Remembers what an object says about itself.
pub fn read(cluster: &mut Cluster, file: u32, val: &Val, kind: &str) {
    let (meta, spec, status) = (val.get("metadata"), val.get("spec"), val.get("status"));
    let ns = meta.get("namespace").text();
    let name = meta.get("name").text();
    if name.is_empty() || kind.is_empty() {
        return;
    }
    let src = |at: At| Src {
        file,
        line: at.line,
        column: at.column,
    };
    let loc = |val: &Val| Loc::new(val.scalar(), src(val.at));
    let facts = &mut cluster.facts;
    let deleted = meta.get("deletionTimestamp");
    if let Some(since) = parse_time(deleted.text())
        && !ENDING_ELSEWHERE.contains(&kind)
        && facts.ending.len() < MOST
    {
        let finalizers = meta.get("finalizers");
        let words: Vec<&str> = finalizers.items().iter().map(Val::text).collect();
        if !words.is_empty() {
            let at = finalizers
                .items()
                .first()
                .map_or(finalizers.at, |item| item.at);
            facts.ending.push((
                kind.to_owned(),
                ns.to_owned(),
                name.to_owned(),
                since,
                Loc::new(words.join(", "), src(at)),
            ));
        }
    }
    match kind {
        "StatefulSet" | "DaemonSet" | "Deployment" | "ReplicaSet" => {
            workload(facts, kind, ns, name, val, &loc, &src);
        }
        "Pod" => {
            for state in status.get("containerStatuses").items() {
                let id = state.get("imageID");
                if facts.images.len() < MOST && id.text().contains("sha256:") {
                    facts.images.push(Image {
                        ns: ns.to_owned(),
                        pod: name.to_owned(),
                        container: state.get("name").text().to_owned(),
                        tag: state.get("image").text().to_owned(),
                        id: loc(id),
                    });
                }
            }
        }
        "Lease" => {
            if LEADERS.contains(&name)
                && let Some(time) = parse_time(spec.get("renewTime").text())
            {
                facts.leases.push((
                    ns.to_owned(),
                    name.to_owned(),
                    time,
                    loc(spec.get("renewTime")),
                ));
            }
        }
        "CronJob" => facts.crons.push(Cron {
            ns: ns.to_owned(),
            name: name.to_owned(),
            schedule: spec.get("schedule").text().to_owned(),
            last: parse_time(status.get("lastScheduleTime").text()).map(Time::At),
            active: status.get("active").items().len(),
            suspended: spec.get("suspend").bool().unwrap_or(false),
            src: src(if status.get("lastScheduleTime").is_null() {
                spec.get("schedule").at
            } else {
                status.get("lastScheduleTime").at
            }),
        }),
        "PersistentVolumeClaim" => {
            let wanted = spec.at_path(&["resources", "requests", "storage"]);
            let has = status.at_path(&["capacity", "storage"]);
            if let (Some(a), Some(b)) = (quantity(&wanted.scalar()), quantity(&has.scalar()))
                && a > b
            {
                facts
                    .resizes
                    .push((ns.to_owned(), name.to_owned(), loc(wanted), loc(has)));
            }
        }
        "VolumeAttachment" => {
            for part in ["attachError", "detachError"] {
                let message = status.at_path(&[part, "message"]);
                if !message.text().is_empty() {
                    facts.attachments.push((
                        spec.at_path(&["source", "persistentVolumeName"])
                            .text()
                            .to_owned(),
                        spec.get("nodeName").text().to_owned(),
                        loc(message),
                    ));
                }
            }
        }
        _ => {
            // Flux and others; a job or cron job that is suspended is told with its workload.
            let stops = spec.get("suspend");
            let notes = meta.get("annotations");
            let paused = [
                "autoscaling.keda.sh/paused",
                "autoscaling.keda.sh/paused-replicas",
            ]
            .iter()
            .map(|key| notes.get(key))
            .find(|value| !value.is_null() && value.scalar() != "false");
            if stops.bool() == Some(true) && kind != "Job" {
                facts.suspended.push((
                    kind.to_owned(),
                    ns.to_owned(),
                    name.to_owned(),
                    src(stops.at),
                ));
            } else if let Some(paused) = paused {
                facts.suspended.push((
                    kind.to_owned(),
                    ns.to_owned(),
                    name.to_owned(),
                    src(paused.at),
                ));
            }
        }
    }
}

fn workload(
    facts: &mut Facts,
    kind: &str,
    ns: &str,
    name: &str,
    val: &Val,
    loc: &dyn Fn(&Val) -> Loc<String>,
    src: &dyn Fn(At) -> Src,
) {
    let (meta, spec, status) = (val.get("metadata"), val.get("spec"), val.get("status"));
    if kind == "StatefulSet" && !spec.get("serviceName").text().is_empty() {
        facts
            .governing
            .push((ns.to_owned(), name.to_owned(), loc(spec.get("serviceName"))));
    }
    let strategy = spec.get("updateStrategy");
    let partition = strategy.at_path(&["rollingUpdate", "partition"]);
    let how = if strategy.get("type").text() == "OnDelete" {
        Some(strategy.get("type"))
    } else {
        Some(partition).filter(|partition| partition.int().is_some_and(|number| number > 0))
    };
    let (current, wanted) = (status.get("currentRevision"), status.get("updateRevision"));
    let behind = match kind {
        "StatefulSet" => !wanted.is_null() && current.text() != wanted.text(),
        "DaemonSet" => status
            .get("updatedNumberScheduled")
            .int()
            .zip(status.get("desiredNumberScheduled").int())
            .is_some_and(|(new, all)| new < all),
        _ => false,
    };
    if let Some(how) = how.filter(|_| behind) {
        facts.held.push(Held {
            kind: kind.to_owned(),
            ns: ns.to_owned(),
            name: name.to_owned(),
            how: loc(how),
            wanted: loc(if wanted.is_null() {
                status.get("updatedNumberScheduled")
            } else {
                wanted
            }),
        });
    }
    let seen = status.get("observedGeneration");
    if let Some((generation, observed)) = meta.get("generation").int().zip(seen.int())
        && generation > observed
        && facts.unobserved.len() < MOST
    {
        facts.unobserved.push((
            kind.to_owned(),
            ns.to_owned(),
            name.to_owned(),
            generation,
            Loc::new(observed, src(seen.at)),
        ));
    }
}

/// Remembers the `PORT(S)` cell of a service's row: `80/TCP,443:30443/TCP`.
pub fn read_ports(cluster: &mut Cluster, ns: &str, name: &str, cell: &str, src: Src) {
    let ports: Vec<i64> = cell
        .split(',')
        .filter_map(|part| part.split(['/', ':']).next()?.trim().parse().ok())
        .collect();
    if !ports.is_empty() && cluster.facts.ports.len() < MOST {
        cluster
            .facts
            .ports
            .push((ns.to_owned(), name.to_owned(), ports, src));
    }
}

/// Remembers a row of `kubectl get cronjobs`.
pub fn read_cron(
    cluster: &mut Cluster,
    ns: &str,
    name: &str,
    cell: &dyn Fn(&str) -> String,
    src: Src,
) {
    let age = super::time::parse_age(&cell("AGE"));
    cluster.facts.crons.push(Cron {
        ns: ns.to_owned(),
        name: name.to_owned(),
        schedule: cell("SCHEDULE"),
        last: super::time::parse_age(&cell("LAST SCHEDULE"))
            .or(age)
            .map(Time::Ago),
        active: cell("ACTIVE").parse().unwrap_or(0),
        suspended: cell("SUSPEND").eq_ignore_ascii_case("true"),
        src,
    });
}

/// All comparisons.
pub fn detect(ctx: &Ctx) {
    governing(ctx);
    held(ctx);
    unobserved(ctx);
    images(ctx);
    leaders(ctx);
    suspended(ctx);
    resizes(ctx);
    attachments(ctx);
    ending(ctx);
    crons(ctx);
    released(ctx);
    addresses(ctx);
    proxied(ctx);
    unscheduled(ctx);
}

#[cfg(test)]
mod tests {
    use super::addresses::{differs_little, service_of};
    use super::objects::period;

    #[test]
    fn periods_of_simple_schedules() {
        assert_eq!(
            [
                "*/5 * * * *",
                "0 * * * *",
                "30 2 * * *",
                "0 */6 * * *",
                "* * * * *",
                "0 2 * * 1"
            ]
            .map(period),
            [
                Some(300),
                Some(3600),
                Some(86_400),
                Some(21_600),
                Some(60),
                None
            ]
        );
    }

    #[test]
    fn names_that_differ_little() {
        for (a, b, want) in [
            ("orders", "order", true),
            ("ordres", "orders", true),
            ("billing", "mailing", false),
            ("redis", "redis", true),
        ] {
            assert_eq!(differs_little(a, b), want, "{a} {b}");
        }
    }

    #[test]
    fn hosts_of_the_cluster() {
        assert_eq!(
            service_of("orders.shop.svc.cluster.local", "x"),
            Some(("shop".into(), "orders".into(), true))
        );
        assert_eq!(service_of("api.example.org", "x"), None);
    }
}
