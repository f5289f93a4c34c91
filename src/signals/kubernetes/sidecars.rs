//! Sidecars that begin too late and end too late: a program whose first connections are refused because its
//! proxy is not ready yet, and a job that never ends because its sidecar runs on.

use super::emit::{Ctx, Draft, cut, full_name_words, with_pod};
use super::header;
use super::lastwords;
use super::model::*;
use crate::report::Evidence;
use crate::signals::logs::parse_line;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Containers that carry the traffic or the secrets of others.
const SIDECARS: [&str; 22] = [
    "istio-proxy",
    "linkerd-proxy",
    "envoy",
    "envoy-sidecar",
    "consul-dataplane",
    "kuma-sidecar",
    "kuma-dp",
    "osm-proxy",
    "daprd",
    "cloud-sql-proxy",
    "cloudsql-proxy",
    "cloudsql",
    "alloydb-auth-proxy",
    "sql-proxy",
    "pgbouncer",
    "vault-agent",
    "tailscale",
    "proxysql",
    "fluent-bit",
    "fluentd",
    "filebeat",
    "otel-collector",
];
/// Lines of a log that belong to the start.
const START: usize = 400;
/// Longest time between a first failure and a proxy that is ready, milliseconds.
const SOON: i64 = 120_000;
/// Findings of this kind per bundle.
const MOST: usize = 3;

static READY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)proxy is ready|ready for new connections|all dependencies initialized\. starting workers|certified identity|dapr initialized\. status: running|process up: pgbouncer|dataplane is ready|server is ready|initial auth(?:entication)? succe").ok()
});
static FAILED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\brefused\b|ECONNREFUSED|connection reset|ECONNRESET|network is unreachable|no route to host|timed? ?out|upstream connect error|\b503\b|unexpected EOF|could not connect|unable to (?:obtain connection|connect)|no such host|EAI_AGAIN").ok()
});

/// Whether a container is a sidecar by its name.
fn is_sidecar(name: &str) -> bool {
    SIDECARS.contains(&name) || name.ends_with("-sidecar") || name.ends_with("-proxy-sidecar")
}

/// Both kinds.
pub fn detect(ctx: &Ctx) {
    late(ctx);
    running_on(ctx);
}

/// A line that fits, its number and time in milliseconds.
type Moment = (u32, i64, String);

/// First and last lines of the start of a log that fit.
fn moments(ctx: &Ctx, log: &Log, regex: &LazyLock<Option<Regex>>) -> Option<(Moment, Moment)> {
    let entry = ctx.tree.find(ctx.path(log.file))?;
    let (mut first, mut last): (Option<Moment>, Option<Moment>) = (None, None);
    let mut seen = 0;
    let mut clock = None;
    let _ = ctx.tree.for_each_line(entry, |number, line| {
        if number < log.first || number > log.last {
            return number <= log.last;
        }
        seen += 1;
        // A line without a time of its own belongs to the record above it.
        clock = parse_line(line).time.or(clock);
        if let Some(time) = clock
            && regex
                .as_ref()
                .as_ref()
                .is_some_and(|regex| regex.is_match(line))
        {
            let moment = (
                u32::try_from(number).unwrap_or(u32::MAX),
                time,
                line.to_owned(),
            );
            if first.is_none() {
                first = Some(moment.clone());
            }
            last = Some(moment);
        }
        seen < START
    });
    first.zip(last)
}

/// Programs that call before their proxy is ready.
fn late(ctx: &Ctx) {
    let mut told: BTreeSet<(String, String)> = BTreeSet::new();
    for proxy in ctx
        .cluster
        .logs
        .iter()
        .filter(|log| !log.empty && is_sidecar(&log.container))
    {
        let app = (proxy.ns.clone(), app_of(&proxy.pod).to_owned());
        if told.len() >= MOST || told.contains(&app) {
            continue;
        }
        let Some((ready, _)) = moments(ctx, proxy, &READY) else {
            continue;
        };
        for log in ctx.cluster.logs.iter().filter(|log| {
            !log.empty
                && log.pod == proxy.pod
                && log.ns == proxy.ns
                && log.previous == proxy.previous
                && !log.container.is_empty()
                && !is_sidecar(&log.container)
        }) {
            let Some((first, last)) = moments(ctx, log, &FAILED) else {
                continue;
            };
            // What still fails when the proxy is ready has another reason.
            if first.1 >= ready.1 || ready.1 - first.1 > SOON || last.1 > ready.1 {
                continue;
            }
            let pod = ctx
                .cluster
                .pods
                .iter()
                .find(|pod| lastwords::belongs(proxy, pod, ""));
            let ended = pod.is_none_or(|pod| {
                pod.restarts > 0
                    || pod.phase.v == "Failed"
                    || !pod.is_ready() && !pod.is_done()
                    || pod.containers.iter().any(|container| {
                        container.name == log.container
                            && container
                                .state
                                .exit_code
                                .as_ref()
                                .is_some_and(|code| code.v != 0)
                    })
            });
            if !ended {
                continue;
            }
            told.insert(app.clone());
            tell_late(ctx, (log, &first), (proxy, &ready), pod);
            break;
        }
    }
}

fn tell_late(
    ctx: &Ctx,
    (log, first): (&Log, &Moment),
    (proxy, ready): (&Log, &Moment),
    pod: Option<&Pod>,
) {
    let who = full_name_words(&log.ns, &log.pod, &log.container);
    let after = (ready.1 - first.1) as f64 / 1000.0;
    let src = |log: &Log, line: u32| Src {
        file: log.file,
        line,
        column: 0,
    };
    let setting = not_held(ctx);
    let held = if setting.is_some() {
        " The mesh is set not to hold programs back until then (holdApplicationUntilProxyStarts: false)."
    } else {
        ""
    };
    let said = header::shown(&first.2);
    let mut draft = Draft::cause(
        "sidecar-not-ready-first",
        "Pod",
        &log.ns,
        &log.pod,
        if pod.is_some() { 0.9 } else { 0.72 },
    )
    .says(
        format!("{who} starts before its sidecar {} is ready: its first connections fail, the proxy is ready {after:.1} s later — {}", proxy.container, cut(&said, 90)),
        format!("{who} opens connections while its sidecar {} is not ready yet, which only says so {after:.1} s later, and gives up before that: {}.{held} It should wait for the proxy, try again, or start after it.", proxy.container, cut(&said, 200)),
    )
    .show(ctx.quote(src(log, first.0), ""))
    .show(ctx.quote(src(proxy, ready.0), ""))
    .show(setting)
    .entity("container", &log.container)
    .entity("sidecar", &proxy.container);
    if let Some(pod) = pod {
        draft = with_pod(draft, pod, &log.container);
    }
    ctx.emit(draft);
}

/// The line of a mesh's settings that lets programs start before their proxies.
fn not_held(ctx: &Ctx) -> Option<Evidence> {
    const MAX_BYTES: u64 = 4 << 20;
    const SETTING: &str = "holdApplicationUntilProxyStarts";
    ctx.tree.files().find_map(|entry| {
        let path = ctx.tree.rel(entry).to_ascii_lowercase();
        if entry.bytes > MAX_BYTES
            || !["configmap", "istio", "mesh"]
                .iter()
                .any(|word| path.contains(word))
            || path.contains("/logs/")
        {
            return None;
        }
        let text = ctx.tree.text(entry).ok()??;
        let (at, _) = text.as_str().lines().enumerate().find(|(_, line)| {
            line.split_once(SETTING).is_some_and(|(_, rest)| {
                rest.trim_start_matches(['"', '\\', ':', ' '])
                    .starts_with("false")
            })
        })?;
        let file = ctx
            .cluster
            .files
            .iter()
            .position(|known| *known == entry.path.as_str())
            .and_then(|file| u32::try_from(file).ok())?;
        ctx.quote(
            Src {
                file,
                line: u32::try_from(at + 1).ok()?,
                column: 0,
            },
            SETTING,
        )
    })
}

/// Pods of jobs whose work is done and whose sidecar runs on.
fn running_on(ctx: &Ctx) {
    let mut told = BTreeSet::new();
    for pod in &ctx.cluster.pods {
        let of_job = pod.owner.starts_with("Job/")
            || pod
                .labels
                .iter()
                .any(|(key, _)| key == "job-name" || key == "batch.kubernetes.io/job-name");
        let main: Vec<&Container> = pod
            .containers
            .iter()
            .filter(|container| !container.init && !is_sidecar(&container.name))
            .collect();
        let sidecar = pod.containers.iter().find(|container| {
            !container.init
                && is_sidecar(&container.name)
                && container.state.kind == StateKind::Running
        });
        let done = main
            .iter()
            .find_map(|container| container.state.exit_code.as_ref());
        let (true, Some(sidecar), Some(done)) = (of_job, sidecar, done) else {
            continue;
        };
        let all = main
            .iter()
            .all(|container| container.state.kind == StateKind::Terminated);
        if !all || told.len() >= MOST || !told.insert((pod.ns.clone(), pod.app().to_owned())) {
            continue;
        }
        let names: Vec<&str> = main
            .iter()
            .map(|container| container.name.as_str())
            .collect();
        let names = names.join(", ");
        let how = if done.v == 0 { "done" } else { "ended" };
        let who = pod.full_name();
        let draft = Draft::cause("job-held-by-sidecar", "Pod", &pod.ns, &pod.name, if done.v == 0 { 0.9 } else { 0.6 })
            .says(
                format!("pod {who} of a job does not end: its container {names} is {how} (exit {}), its sidecar {} runs on", done.v, sidecar.name),
                format!("The work of pod {who} is {how} (container {names}, exit {}), but its sidecar {} still runs. A pod ends when all of its containers have ended, so the job never completes and what waits for it waits.", done.v, sidecar.name),
            )
            .show(ctx.quote(done.src, ""))
            .show(ctx.quote_loc(&main[0].state.reason))
            .entity("sidecar", &sidecar.name);
        ctx.emit(with_pod(draft, pod, &main[0].name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_that_are_ready_and_calls_that_fail() {
        let fits = |regex: &LazyLock<Option<Regex>>, line: &str| {
            regex
                .as_ref()
                .as_ref()
                .is_some_and(|regex| regex.is_match(line))
        };
        for line in [
            "info Envoy proxy is ready",
            "The proxy has started successfully and is ready for new connections!",
            "linkerd2_proxy: Certified identity id=x",
            "dapr initialized. Status: Running. Init Elapsed 90ms",
        ] {
            assert!(fits(&READY, line), "{line}");
        }
        assert!(!fits(
            &READY,
            "Envoy proxy is NOT ready: config not received"
        ));
        assert!(fits(
            &FAILED,
            "dial tcp 127.0.0.1:5432: connect: connection refused"
        ));
        assert!(!fits(&FAILED, "starting"));
        assert!(is_sidecar("istio-proxy") && !is_sidecar("web"));
    }
}
