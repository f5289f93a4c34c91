//! What objects say of themselves beside what was asked of them.

use super::*;

/// A stateful set's pods have names in the DNS only through its governing service.
pub(super) fn governing(ctx: &Ctx) {
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
pub(super) fn held(ctx: &Ctx) {
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
pub(super) fn unobserved(ctx: &Ctx) {
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
pub(super) fn images(ctx: &Ctx) {
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
pub(super) fn leaders(ctx: &Ctx) {
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
pub(super) fn suspended(ctx: &Ctx) {
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
pub(super) fn resizes(ctx: &Ctx) {
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

pub(super) fn attachments(ctx: &Ctx) {
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
pub(super) fn ending(ctx: &Ctx) {
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
pub(super) fn period(schedule: &str) -> Option<i64> {
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
pub(super) fn crons(ctx: &Ctx) {
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
pub(super) fn released(ctx: &Ctx) {
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

/// Programs that send what is meant for the cluster to an HTTP proxy.
pub(super) fn proxied(ctx: &Ctx) {
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
                format!("NO_PROXY ({}) does not name .svc", cut(except, 80))
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

/// Pods that the scheduler has not looked at: it says so of each pod that it cannot place. Where a
/// container has a state, a node's kubelet has written it: that pod has its node.
pub(super) fn unscheduled(ctx: &Ctx) {
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
                && pod
                    .containers
                    .iter()
                    .all(|container| container.state.kind == StateKind::Unknown)
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
