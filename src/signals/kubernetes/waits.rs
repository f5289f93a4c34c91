//! Init containers that wait for something that does not come: they log no error and never end.

use super::containers::command_text;
use super::emit::{Ctx, Draft, contains_word, cut, pod_words, with_pod};
use super::lastwords;
use super::model::*;
use super::shapes::shape_of;
use regex::Regex;
use std::sync::LazyLock;

/// Times that the same line must repeat, of a container that runs long enough, and of one of which that is unknown.
const TIMES: usize = 3;
const MANY_TIMES: usize = 15;
/// Seconds that a wait may take.
const PATIENCE: i64 = 120;

/// What somebody waits for, in a line or in a command.
static TARGET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?:wait(?:ing)?[- ]?(?:for|on|until|4)(?:-it)?|until|nc(?: -[a-z0-9]+)*|pg_isready -h|nslookup|getent hosts|redis-cli -h|-h|tcp://|https?://)\s*["']?(?P<what>[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*)(?:[: ](?P<port>\d{2,5}))?"#).ok()
});

/// Words that follow `waiting for` and are no name.
const NO_NAMES: [&str; 24] = [
    "the",
    "a",
    "an",
    "it",
    "to",
    "be",
    "database",
    "db",
    "service",
    "server",
    "connection",
    "migrations",
    "migration",
    "dns",
    "config",
    "job",
    "pod",
    "leader",
    "ready",
    "all",
    "is",
    "nslookup",
    "getent",
    "nc",
];

/// Pods whose init container runs and repeats itself.
pub fn detect(ctx: &Ctx) {
    for pod in ctx
        .cluster
        .pods
        .iter()
        .filter(|pod| !pod.is_ready() && !pod.is_done())
    {
        let by_row = pod.row_status.v.starts_with("Init:")
            && pod.row_status.v[5..].starts_with(|c: char| c.is_ascii_digit());
        let running = pod.containers.iter().find(|container| {
            container.init
                && container.state.kind == StateKind::Running
                && container.ready != Some(true)
        });
        if running.is_none()
            && !(by_row && !pod.detailed && pod.age.is_none_or(|age| age >= PATIENCE))
        {
            continue;
        }
        let name = running.map_or("", |container| container.name.as_str());
        // A native sidecar runs on as an init container, and the pod's other containers have begun.
        let begun = pod
            .containers
            .iter()
            .any(|container| !container.init && container.state.started.is_some());
        if begun {
            continue;
        }
        waits(ctx, pod, running, name);
    }
}

fn waits(ctx: &Ctx, pod: &Pod, container: Option<&Container>, name: &str) {
    let long = pod.age.is_some_and(|age| age >= PATIENCE)
        || container
            .and_then(|container| container.state.started)
            .zip(ctx.cluster.clock)
            .is_some_and(|(start, clock)| clock - start >= PATIENCE);
    let least = if long { TIMES } else { MANY_TIMES };
    let last = ctx
        .cluster
        .logs
        .iter()
        .filter(|log| !log.empty && !log.previous && lastwords::belongs(log, pod, name))
        .find_map(|log| {
            let lines = lastwords::tail(ctx, log);
            let (number, line) = lines.last()?;
            let shape = shape_of(line);
            let times = lines
                .iter()
                .filter(|(_, other)| shape_of(other) == shape)
                .count();
            let src = Src {
                file: log.file,
                line: *number,
                column: 0,
            };
            (times >= least).then(|| (lastwords::clean(line), src, times))
        });
    let command = container.map(command_text).unwrap_or_default();
    let said = last
        .as_ref()
        .map(|(line, ..)| line.clone())
        .unwrap_or_default();
    let target = [said.as_str(), command.as_str()].iter().find_map(|text| {
        TARGET.as_ref()?.captures_iter(text).find_map(|found| {
            let what = found.name("what")?.as_str().to_lowercase();
            (!NO_NAMES.contains(&what.as_str()) && what.len() > 1).then(|| {
                let port = found
                    .name("port")
                    .map_or(String::new(), |port| format!(":{}", port.as_str()));
                (what, port)
            })
        })
    });
    if last.is_none() && (target.is_none() || !long) {
        return;
    }
    let (host, port) = target.unwrap_or_default();
    let mut parts = host.split('.');
    let (service, of) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or(pod.ns.as_str()),
    );
    let cluster = ctx.cluster;
    let known = cluster
        .services
        .iter()
        .find(|known| known.name == service && (known.ns == of || known.ns.is_empty()));
    let unready = cluster.pods.iter().find(|other| {
        other.ns == of
            && !service.is_empty()
            && other.app() == service
            && !other.is_ready()
            && !other.is_done()
    });
    // Something else already says what is wrong with whom it waits for.
    let explained = !service.is_empty()
        && ctx.signals().iter().any(|signal| {
            signal.strength >= 0.5
                && signal.subject.name != pod.name
                && (app_of(&signal.subject.name) == service
                    || contains_word(&signal.title, service))
        });
    let absent = !service.is_empty()
        && known.is_none()
        && !host.contains("..")
        && cluster.is_listed("Service", of)
        && (host == service
            || host.contains(".svc")
            || cluster.services.iter().any(|s| s.ns == of));
    let (state, strength, symptom) = match () {
        () if absent => (
            format!(
                ", and no service {} exists (not found)",
                full_name(of, service)
            ),
            0.9,
            false,
        ),
        () if explained || unready.is_some() => (
            unready.map_or(String::new(), |other| {
                format!(", whose pod {} is not ready", other.name)
            }),
            0.5,
            true,
        ),
        () => (String::new(), 0.68, false),
    };
    let who = pod_words(pod, name);
    let whom = if host.is_empty() {
        "something that does not come".to_owned()
    } else {
        format!("{host}{port}")
    };
    let draft = if symptom {
        Draft::symptom("init-container-waits", "Pod", &pod.ns, &pod.name, strength)
    } else {
        Draft::cause("init-container-waits", "Pod", &pod.ns, &pod.name, strength)
    };
    let words = match &last {
        Some((line, _, times)) => format!(" It repeats ({times} times): {}", cut(line, 200)),
        None => format!(" Its command: {}", cut(&command, 200)),
    };
    let mut draft = draft
        .says(
            format!("{who} waits for {whom}{state}, so the pod does not start"),
            format!("{who} waits for {whom}{state} and never ends, so the containers of the pod are not started.{words}"),
        )
        .show(last.as_ref().and_then(|(line, src, _)| ctx.quote(*src, line)));
    if let Some(word) = container.and_then(|container| {
        container
            .command
            .iter()
            .find(|word| !service.is_empty() && word.v.contains(service))
    }) {
        draft = draft.show(ctx.quote(word.src, service));
    }
    draft = draft
        .show(ctx.quote_loc(&pod.row_status))
        .show(ctx.quote(pod.src, &pod.name))
        .entity("dependency", &host);
    ctx.emit(with_pod(draft, pod, name));
}
