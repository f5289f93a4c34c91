//! Differences between two things that must agree, and things that must be there and are not: what is wanted and
//! what is observed, an address in a setting and the services there are, one tag and the images behind it.

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

/// A stateful set's pods have names in the DNS only through its governing service.
fn governing(ctx: &Ctx) {
    for (ns, name, service) in &ctx.cluster.facts.governing {
        let known = ctx
            .cluster
            .services
            .iter()
            .any(|known| known.ns == *ns && known.name == service.v);
        if known || !ctx.cluster.is_listed("Service", ns) {
            continue;
        }
        let unresolved = ctx.signals().iter().find_map(|signal| {
            let said = signal.evidence.iter().find(|line| {
                line.quote.contains(&format!("{name}-0."))
                    || line.quote.contains(&format!("{name}-1."))
                    || line.quote.contains(&format!("{name}-2."))
                    || line.quote.contains(&format!("{}.", service.v))
            })?;
            signal.cause.contains("unresolved").then(|| said.clone())
        });
        let strength = match (unresolved.is_some(), ctx.in_ticket(name)) {
            (true, _) => 0.94,
            (false, true) => 0.7,
            _ => 0.35,
        };
        let who = full_name(ns, name);
        let draft = Draft::cause("governing-service-missing", "StatefulSet", ns, name, strength)
            .says(
                format!("stateful set {who} names the service {} (serviceName), which does not exist, so its pods have no names in the DNS", service.v),
                format!("Stateful set {who} names {} as its governing service, but there is none of that name in namespace {ns}: names such as {name}-0.{} do not resolve.", service.v, service.v),
            )
            .show(ctx.quote_loc(service))
            .show(unresolved)
            .entity("service", &service.v);
        ctx.emit(draft);
    }
}

/// Pods keep an old revision until somebody deletes them or lowers the partition.
fn held(ctx: &Ctx) {
    for held in &ctx.cluster.facts.held {
        let who = format!(
            "{} {}",
            held.kind.to_lowercase(),
            full_name(&held.ns, &held.name)
        );
        let asked = ctx.is_asked(&held.name) || ctx.in_ticket(&held.name);
        let how = if held.how.v == "OnDelete" {
            "its update strategy is OnDelete, so pods are replaced only when somebody deletes them"
                .to_owned()
        } else {
            format!(
                "its update strategy has partition {}, so pods below that ordinal keep the old revision",
                held.how.v
            )
        };
        let draft = Draft::cause(
            "rollout-held-back",
            &held.kind,
            &held.ns,
            &held.name,
            if asked { 0.84 } else { 0.45 },
        )
        .says(
            format!("{who} does not roll its new revision out: {how}"),
            format!("{who} has a new revision that not all of its pods run: {how}."),
        )
        .show(ctx.quote_loc(&held.how))
        .show(ctx.quote_loc(&held.wanted));
        ctx.emit(draft);
    }
}

/// A generation that no controller has observed: the controller does not work.
fn unobserved(ctx: &Ctx) {
    let all = &ctx.cluster.facts.unobserved;
    let manager = ctx.cluster.pods.iter().find(|pod| {
        pod.name.starts_with("kube-controller-manager") && !pod.is_ready() && !pod.is_done()
    });
    // Some controllers never write it, and one object may be changed while the bundle is collected: the controller
    // manager itself must be seen to fail.
    let idle = ctx
        .cluster
        .facts
        .leases
        .iter()
        .any(|(_, name, renewed, _)| {
            name.ends_with("controller-manager")
                && ctx
                    .cluster
                    .clock
                    .is_some_and(|clock| clock - renewed >= PATIENCE)
        });
    if all.is_empty() || manager.is_none() && !idle {
        return;
    }
    let (kind, ns, name, generation, observed) = &all[0];
    let who = format!("{} {}", kind.to_lowercase(), full_name(ns, name));
    let others = match all.len() - 1 {
        0 => String::new(),
        n => format!(" and {n} more objects"),
    };
    let draft = Draft::cause("controller-not-acting", kind, ns, name, if manager.is_some() { 0.8 } else { 0.7 })
        .says(
            format!("the controllers of the cluster do not act on changes: {who} is at generation {generation}, observed is {}{others}", observed.v),
            format!("{who}{others} were changed and no controller has looked at the change (generation {generation}, observedGeneration {}): kube-controller-manager does not work, is not the leader or cannot keep up.", observed.v),
        )
        .show(ctx.quote(observed.src, "observedGeneration"))
        .show(manager.and_then(|pod| ctx.quote(pod.src, &pod.name)))
        .show(all.get(1).and_then(|(.., observed)| ctx.quote(observed.src, "observedGeneration")));
    ctx.emit(draft);
}

/// One tag, two images: nodes keep what they pulled first.
fn images(ctx: &Ctx) {
    let mut by_app: BTreeMap<(&str, &str, &str, &str), Vec<&Image>> = BTreeMap::new();
    for image in &ctx.cluster.facts.images {
        // A digest in the name says which image it is, and a version's tag stays where it is: those that are meant
        // to move (`latest`, `stable`, `main`) have no figure in them.
        let tag = image.tag.rsplit(['/', '@']).next().unwrap_or_default();
        let tag = tag.split_once(':').map_or("latest", |(_, tag)| tag);
        if image.tag.contains("@sha256")
            || image.tag.is_empty()
            || tag.bytes().any(|byte| byte.is_ascii_digit())
        {
            continue;
        }
        by_app
            .entry((&image.ns, app_of(&image.pod), &image.container, &image.tag))
            .or_default()
            .push(image);
    }
    for ((ns, app, container, tag), images) in by_app {
        let digest = |image: &Image| {
            image
                .id
                .v
                .rsplit("sha256:")
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let Some(first) = images.first() else {
            continue;
        };
        let Some(other) = images.iter().find(|image| digest(image) != digest(first)) else {
            continue;
        };
        // Images for several architectures have a digest for each.
        let arch = |pod: &str| {
            let node = &ctx.cluster.pod(ns, pod)?.node;
            let node = ctx.cluster.nodes.iter().find(|known| known.name == *node)?;
            node.labels
                .iter()
                .find(|(key, _)| key == "kubernetes.io/arch")
                .map(|(_, value)| value.clone())
        };
        if arch(&first.pod) != arch(&other.pod) {
            continue;
        }
        // It explains replicas that behave differently, and nothing else.
        let unlike = [
            "every second",
            "every other",
            "sometimes",
            "half of",
            "some of",
            "some requests",
            "one of the",
            "differ",
            "inconsistent",
            "old version",
            "only one",
        ]
        .iter()
        .any(|word| ctx.ticket.contains(word));
        let asked = ctx.is_asked(app) || ctx.in_ticket(app);
        let strength = match (unlike, asked) {
            (true, true) => 0.76,
            (true, false) => 0.5,
            _ => 0.3,
        };
        let draft = Draft::cause("image-tag-moved", "Pod", ns, &other.pod, strength)
            .says(
                format!(
                    "replicas of {} run different images under the same tag {tag}: {} and {} have different digests (imageID)",
                    full_name(ns, app),
                    first.pod,
                    other.pod
                ),
                format!(
                    "Container {container} of pods {} and {} names the same image {tag}, but their digests (imageID) differ: the tag was moved in the registry and a node kept what it had.",
                    first.pod, other.pod
                ),
            )
            .show(ctx.quote_loc(&other.id))
            .show(ctx.quote_loc(&first.id))
            .entity("pod", &other.pod)
            .entity("container", container);
        ctx.emit(draft);
    }
}

/// A controller that holds no lease any more does nothing.
fn leaders(ctx: &Ctx) {
    let Some(clock) = ctx.cluster.clock else {
        return;
    };
    for (ns, name, renewed, text) in &ctx.cluster.facts.leases {
        let age = clock - renewed;
        if age < PATIENCE {
            continue;
        }
        let waits = ctx
            .cluster
            .pods
            .iter()
            .any(|pod| pod.phase.v == "Pending" && pod.node.is_empty());
        let draft = Draft::cause("controller-leader-missing", "Lease", ns, name, if waits { 0.8 } else { 0.6 })
            .says(
                format!("{name} has no leader: its lease was last renewed {} before the collection", show(age)),
                format!("The lease {} is renewed every few seconds by the {name} that leads; it was last renewed {} before the bundle was collected, so none works.", full_name(ns, name), show(age)),
            )
            .show(ctx.quote_loc(text));
        ctx.emit(draft);
    }
}

/// What is suspended is not reconciled: changes do not arrive.
fn suspended(ctx: &Ctx) {
    let waits = [
        "deploy",
        "roll",
        "release",
        "reconcil",
        "flux",
        "version",
        "scale",
        "not applied",
        "does not arrive",
        "gitops",
        "drift",
        "merged",
    ]
    .iter()
    .any(|word| ctx.ticket.contains(word));
    for (kind, ns, name, src) in &ctx.cluster.facts.suspended {
        let who = format!("{} {}", kind.to_lowercase(), full_name(ns, name));
        let strength = match (ctx.in_ticket(name), waits) {
            (true, true) => 0.88,
            (true, false) => 0.7,
            (false, true) => 0.5,
            _ => 0.3,
        };
        let draft = Draft::cause("reconciliation-suspended", kind, ns, name, strength)
            .says(
                format!("{who} is suspended, so nothing of it is applied or scaled"),
                format!("{who} is suspended or paused by its own setting: its controller leaves it as it is until somebody resumes it."),
            )
            .show(ctx.quote(*src, ""));
        ctx.emit(draft);
    }
    for job in ctx
        .cluster
        .workloads
        .iter()
        .filter(|workload| workload.kind == "Job" && workload.suspended.v)
    {
        let who = full_name(&job.ns, &job.name);
        let strength = if ctx.in_ticket(&job.name) { 0.86 } else { 0.45 };
        let draft = Draft::cause("reconciliation-suspended", "Job", &job.ns, &job.name, strength)
            .says(
                format!("job {who} is suspended (suspend: true), so it has no pods"),
                format!("Job {who} has suspend: true; its controller starts no pod until whoever suspended it (a queue such as Kueue, or a person) resumes it."),
            )
            .show(ctx.quote(job.suspended.src, ""));
        ctx.emit(draft);
    }
}

/// A claim that asks for more than its volume has.
fn resizes(ctx: &Ctx) {
    for (ns, name, wanted, has) in &ctx.cluster.facts.resizes {
        let who = full_name(ns, name);
        let asked = ctx.in_ticket(name)
            || ["full", "space", "resize", "expand", "grow", "larger"]
                .iter()
                .any(|word| ctx.ticket.contains(word));
        let draft = Draft::cause("volume-resize-failed", "PersistentVolumeClaim", ns, name, if asked { 0.78 } else { 0.5 })
            .says(
                format!("claim {who} asks for {} and its volume still has {}", wanted.v, has.v),
                format!("Claim {who} was enlarged to {} and its volume has {}: the resize is not done (the class may not allow it, the provider may refuse it, or a pod must be started again for the file system).", wanted.v, has.v),
            )
            .show(ctx.quote_loc(wanted))
            .show(ctx.quote_loc(has));
        ctx.emit(draft);
    }
}

fn attachments(ctx: &Ctx) {
    for (volume, node, message) in &ctx.cluster.facts.attachments {
        let words = cut(&one_line(&message.v), 260);
        let draft = Draft::cause("volume-attach-failed", "PersistentVolume", "", volume, 0.88)
            .says(
                format!(
                    "volume {volume} cannot be attached to or detached from node {node}: {}",
                    cut(&words, 140)
                ),
                format!("The attachment of volume {volume} to node {node} fails: {words}"),
            )
            .show(ctx.quote(message.src, &message.v))
            .entity("node", node);
        ctx.emit(draft);
    }
}

/// A finalizer is removed by the controller that set it; without it the object stays for ever.
fn ending(ctx: &Ctx) {
    let Some(clock) = ctx.cluster.clock else {
        return;
    };
    for (kind, ns, name, since, finalizers) in &ctx.cluster.facts.ending {
        let age = clock - since;
        if age < 2 * PATIENCE {
            continue;
        }
        let who = format!("{} {}", kind.to_lowercase(), full_name(ns, name));
        // It holds its namespace, or the ticket speaks of it.
        let holds = ctx.cluster.terminating.iter().any(|(of, ..)| of == ns);
        let asked = ctx.in_ticket(name)
            || ["delet", "terminating", "finalizer", "remove", "uninstall"]
                .iter()
                .any(|word| ctx.ticket.contains(word));
        let strength = match (holds, asked) {
            (true, _) => 0.84,
            (false, true) => 0.8,
            _ => 0.5,
        };
        let draft = Draft::cause("object-stuck-deleting", kind, ns, name, strength)
            .says(
                format!("{who} has been being deleted for {}: its finalizer {} was never removed", show(age), finalizers.v),
                format!("{who} was deleted {} before the collection and stays, because the controller that must remove its finalizer ({}) does not: it is gone, or it fails.", show(age), finalizers.v),
            )
            .show(ctx.quote_loc(finalizers));
        ctx.emit(draft);
    }
}

/// Seconds between two starts of a simple schedule.
fn period(schedule: &str) -> Option<i64> {
    match schedule.trim() {
        "@hourly" => return Some(3_600),
        "@daily" | "@midnight" => return Some(86_400),
        _ => {}
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    let [minute, hour, day, month, week] = fields[..] else {
        return None;
    };
    if [day, month, week].iter().any(|field| *field != "*") {
        return None;
    }
    let step = |field: &str| field.strip_prefix("*/").and_then(|n| n.parse::<i64>().ok());
    let number = |field: &str| field.parse::<i64>().is_ok();
    match (minute, hour) {
        ("*", "*") => Some(60),
        (minute, "*") => step(minute)
            .map(|n| n * 60)
            .or(number(minute).then_some(3_600)),
        (minute, hour) if number(minute) => step(hour)
            .map(|n| n * 3_600)
            .or(number(hour).then_some(86_400)),
        _ => None,
    }
}

/// Cron jobs whose last start is long ago by their own schedule.
fn crons(ctx: &Ctx) {
    let mut told = BTreeSet::new();
    for cron in ctx
        .cluster
        .facts
        .crons
        .iter()
        .filter(|cron| !cron.suspended)
    {
        let last = match cron.last {
            Some(Time::Ago(age)) => age,
            Some(Time::At(at)) => ctx.cluster.clock.map_or(0, |clock| clock - at),
            None => continue,
        };
        let Some(every) = period(&cron.schedule) else {
            continue;
        };
        if last < 3 * every + 600 || !told.insert((cron.ns.clone(), cron.name.clone())) {
            continue;
        }
        let name = full_name(&cron.ns, &cron.name);
        let asked = ctx.in_ticket(&cron.name);
        let (slug, why, strength) = if cron.active > 0 {
            (
                "cronjob-blocked-by-running-job",
                "a job of it still runs, and until that ends no other is started",
                if asked { 0.9 } else { 0.74 },
            )
        } else {
            (
                "cronjob-missed-schedules",
                "no job has been started since",
                if asked { 0.8 } else { 0.58 },
            )
        };
        let draft = Draft::cause(slug, "CronJob", &cron.ns, &cron.name, strength)
            .says(
                format!("cron job {name} ({}) was last started {} ago: {why}", cron.schedule, show(last)),
                format!("Cron job {name} should start every {} ({}) and was last started {} before the collection: {why}.", show(every), cron.schedule, show(last)),
            )
            .show(ctx.quote(cron.src, &cron.name));
        ctx.emit(draft);
    }
}

/// A volume that was released still carries the claim that it had, and is bound to no other.
fn released(ctx: &Ctx) {
    for claim in ctx
        .cluster
        .pvcs
        .iter()
        .filter(|claim| claim.phase.v == "Pending")
    {
        let full = full_name(&claim.ns, &claim.name);
        let Some(volume) = ctx
            .cluster
            .pvs
            .iter()
            .find(|volume| volume.phase.v == "Released" && volume.claim == full)
        else {
            continue;
        };
        let draft = Draft::cause("volume-released-not-reusable", "PersistentVolumeClaim", &claim.ns, &claim.name, 0.88)
            .says(
                format!("claim {full} is Pending: volume {} that it had is Released and is not bound again by itself", volume.name),
                format!("Volume {} still carries the reference to an earlier claim {full} (Released, reclaim policy Retain): it is not given to the new claim until somebody removes that reference.", volume.name),
            )
            .show(ctx.quote_loc(&volume.phase))
            .show(ctx.quote_loc(&claim.phase))
            .entity("pv", &volume.name);
        ctx.emit(draft);
    }
}

static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?:[^@/\s]*@)?(?P<host>[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*)(?::(?P<port>\d{2,5}))?(?:[/?,].*)?$").ok()
});

/// Service and namespace that a host means, if it can be one of the cluster.
fn service_of(host: &str, ns: &str) -> Option<(String, String, bool)> {
    let parts: Vec<&str> = host.split('.').collect();
    match parts[..] {
        [name] => Some((ns.to_owned(), name.to_owned(), false)),
        [name, of] => Some((of.to_owned(), name.to_owned(), false)),
        [name, of, "svc", ..] => Some((of.to_owned(), name.to_owned(), true)),
        _ => None,
    }
}

/// Addresses in the settings of pods against the services there are.
fn addresses(ctx: &Ctx) {
    let mut told = BTreeSet::new();
    for pod in ctx.cluster.pods.iter().filter(|pod| !pod.is_done()) {
        for container in &pod.containers {
            for (variable, value) in &container.env {
                let Some(found) = ADDRESS
                    .as_ref()
                    .filter(|_| value.v.len() < 300)
                    .and_then(|regex| regex.captures(value.v.trim()))
                else {
                    continue;
                };
                let host = &found["host"];
                let scheme = found.name("scheme").map_or("", |part| part.as_str());
                let is_address = !scheme.is_empty()
                    || found.name("port").is_some()
                    || ["_HOST", "_ADDR", "_ADDRESS", "_SERVER", "_ENDPOINT", "_URL"]
                        .iter()
                        .any(|end| variable.ends_with(end));
                let Some((ns, name, certain)) = service_of(host, &pod.ns).filter(|_| is_address)
                else {
                    continue;
                };
                let port: Option<i64> = found
                    .name("port")
                    .and_then(|port| port.as_str().parse().ok())
                    .or_else(|| {
                        let stem = variable.strip_suffix("_HOST")?;
                        let (_, port) = container
                            .env
                            .iter()
                            .find(|(other, _)| *other == format!("{stem}_PORT"))?;
                        port.v.trim().parse().ok()
                    })
                    .or(match scheme {
                        "http" => Some(80),
                        "https" => Some(443),
                        _ => None,
                    });
                let Some((title, place)) = wrong(ctx, &ns, &name, host, port, certain) else {
                    continue;
                };
                if !told.insert((pod.ns.clone(), pod.app().to_owned(), variable.clone())) {
                    continue;
                }
                let complains = ctx.signals().iter().any(|signal| {
                    signal.role == Role::Cause
                        && app_of(&signal.subject.name) == pod.app()
                        && signal.evidence.iter().any(|line| {
                            contains_word(&line.quote, host) || contains_word(&line.quote, &name)
                        })
                });
                let strength = match (complains, pod.is_ready()) {
                    (true, _) => 0.92,
                    (false, false) => 0.7,
                    (false, true) => 0.34,
                };
                let who = pod_words(pod, &container.name);
                let draft =
                    Draft::cause("wrong-service-address", "Pod", &pod.ns, &pod.name, strength)
                        .says(
                            format!("{who}: {variable} is {}, but {title}", cut(&value.v, 80)),
                            format!(
                                "{who} is configured with {variable}={}, but {title}.",
                                cut(&value.v, 120)
                            ),
                        )
                        .show(ctx.quote_loc(value))
                        .show(place.and_then(|src| ctx.quote(src, &name)))
                        .entity("dependency", host)
                        .entity("service", &name);
                ctx.emit(with_pod(draft, pod, &container.name));
            }
        }
    }
}

/// What is wrong with an address, and the place that shows it.
fn wrong(
    ctx: &Ctx,
    ns: &str,
    name: &str,
    host: &str,
    port: Option<i64>,
    certain: bool,
) -> Option<(String, Option<Src>)> {
    let cluster = ctx.cluster;
    let of_rows = cluster
        .facts
        .ports
        .iter()
        .find(|(of, service, ..)| of == ns && service == name);
    let known = cluster
        .services
        .iter()
        .find(|service| service.ns == ns && service.name == name);
    let have: Vec<i64> = known
        .map(|service| {
            service
                .ports
                .iter()
                .map(|port| port.port)
                .collect::<Vec<_>>()
        })
        .filter(|ports| !ports.is_empty())
        .or_else(|| of_rows.map(|(_, _, ports, _)| ports.clone()))
        .unwrap_or_default();
    if let Some(known) = known {
        // A headless service has no ports of its own: names lead to the pods.
        let headless =
            known.cluster_ip.eq_ignore_ascii_case("none") || known.kind == "ExternalName";
        let port = port.filter(|port| !have.is_empty() && !have.contains(port) && !headless)?;
        let list: Vec<String> = have.iter().map(i64::to_string).collect();
        return Some((
            format!(
                "service {} has no port {port} (it has {})",
                full_name(ns, name),
                list.join(", ")
            ),
            Some(of_rows.map_or(known.src, |(.., src)| *src)),
        ));
    }
    let all: Vec<&Service> = cluster
        .services
        .iter()
        .filter(|service| service.ns == ns)
        .collect();
    if all.is_empty() || !cluster.is_listed("Service", ns) && all.len() < 2 {
        return None;
    }
    // A bare name may be anything, unless one that is nearly the same exists.
    let near = all.iter().find(|service| {
        let (a, b) = (service.name.as_str(), name);
        a.len() > 3 && b.len() > 3 && (a.contains(b) || b.contains(a) || differs_little(a, b))
    });
    if !certain && (near.is_none() || host.contains('.')) {
        return None;
    }
    let instead = near
        .map(|service| format!("; there is a service {}", service.name))
        .unwrap_or_default();
    Some((
        format!(
            "no service {} exists (not found){instead}",
            full_name(ns, name)
        ),
        near.or(all.first()).map(|service| service.src),
    ))
}

/// Whether two names differ in one character, or two that changed places.
fn differs_little(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let tail = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(x, y)| x == y)
        .count();
    let rest = a.len().max(b.len()).saturating_sub(head + tail);
    rest <= 1
        || rest == 2
            && a.len() == b.len()
            && a.get(head) == b.get(head + 1)
            && a.get(head + 1) == b.get(head)
}

/// Programs that send what is meant for the cluster to an HTTP proxy.
fn proxied(ctx: &Ctx) {
    for pod in ctx.cluster.pods.iter().filter(|pod| !pod.is_done()) {
        for container in &pod.containers {
            let env = |name: &str| {
                container
                    .env
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value)
            };
            let Some(proxy) = env("HTTP_PROXY").or_else(|| env("HTTPS_PROXY")) else {
                continue;
            };
            let except = env("NO_PROXY").map_or("", |value| value.v.as_str());
            if except.contains(".svc") || except.contains("cluster.local") || except.trim() == "*" {
                continue;
            }
            let inside = |text: &str| {
                text.contains(".svc")
                    || ctx.cluster.services.iter().any(|service| {
                        service.ns == pod.ns
                            && service.name.len() > 2
                            && contains_word(text, &service.name)
                    })
            };
            let failing = ctx.signals().iter().find_map(|signal| {
                let fits = app_of(&signal.subject.name) == pod.app()
                    && (signal.cause.starts_with("dependency-")
                        || signal.cause.starts_with("workload-dependency")
                        || signal.cause.starts_with("application-")
                        || signal.cause == "http-proxy-refuses");
                let line = signal.evidence.iter().find(|line| inside(&line.quote))?;
                fits.then(|| line.clone())
            });
            let Some(line) = failing else { continue };
            if except
                .split(',')
                .map(str::trim)
                .any(|part| part.len() > 2 && line.quote.contains(part))
            {
                continue;
            }
            let who = pod_words(pod, &container.name);
            let lacks = if except.is_empty() {
                "NO_PROXY is not set".to_owned()
            } else {
                format!(
                    "NO_PROXY ({}) does not name .svc or cluster.local",
                    cut(except, 80)
                )
            };
            let draft = Draft::cause("proxy-catches-cluster-traffic", "Pod", &pod.ns, &pod.name, 0.93)
                .says(
                    format!("{who} sends requests for the cluster's own services to its HTTP proxy {}: {lacks}", cut(&proxy.v, 60)),
                    format!("{who} has an HTTP proxy in its environment ({}) and {lacks}, so that its requests to services of the cluster go to a proxy that cannot reach them.", cut(&proxy.v, 80)),
                )
                .show(ctx.quote_loc(proxy))
                .show(env("NO_PROXY").and_then(|value| ctx.quote_loc(value)))
                .show(Some(line));
            ctx.emit(with_pod(draft, pod, &container.name));
        }
    }
}

/// Pods that the scheduler has not looked at: it says so of each pod that it cannot place.
fn unscheduled(ctx: &Ctx) {
    let waiting: Vec<&Pod> = ctx
        .cluster
        .pods
        .iter()
        .filter(|pod| {
            pod.phase.v == "Pending"
                && pod.node.is_empty()
                && pod.detailed
                && matches!(pod.scheduler.v.as_str(), "" | "default-scheduler")
                && pod.conditions.is_empty()
                && pod.age.is_none_or(|age| age > 180)
                && !ctx
                    .cluster
                    .notes
                    .iter()
                    .any(|note| note.name == pod.name && note.reason.ends_with("cheduling"))
        })
        .collect();
    let Some(pod) = waiting.first() else { return };
    let runs = ctx
        .cluster
        .pods
        .iter()
        .find(|pod| pod.name.starts_with("kube-scheduler"));
    if runs.is_some_and(Pod::is_ready) && waiting.len() < 2 {
        return;
    }
    let strength = if runs.is_some_and(|pod| !pod.is_ready()) {
        0.88
    } else {
        0.6
    };
    let who = format!("pod {}", pod.full_name());
    let more = match waiting.len() - 1 {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let draft = Draft::cause("scheduler-missing", "Pod", &pod.ns, &pod.name, strength)
        .says(
            format!("{who}{more} wait and no scheduler has looked at them: kube-scheduler does not work"),
            format!("{who}{more} are Pending without any word of the scheduler, which otherwise writes why it cannot place a pod: kube-scheduler does not run or is not the leader."),
        )
        .show(ctx.quote(pod.src, &pod.name))
        .show(runs.and_then(|pod| ctx.quote(pod.src, &pod.name)));
    ctx.emit(with_pod(draft, pod, ""));
}

#[cfg(test)]
mod tests {
    use super::*;

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
