//! Failures that a program only passes on, and requests that are only slow: symptoms, whose reason stands
//! with the one that is called.

use super::emit::{Ctx, contains_word, host_of};
use super::model::app_of;
use crate::signals::{Role, Signal};
use regex::Regex;
use std::sync::LazyLock;

/// A program that only passes on what another one of the cluster answered (HTTP 5xx) is not the cause. When
/// nothing of the other one is in the bundle, its log is what is missing.
pub fn settle(ctx: &Ctx) {
    let mut apps: Vec<(String, String)> = ctx
        .cluster
        .pods
        .iter()
        .map(|pod| (pod.ns.clone(), pod.app().to_owned()))
        .filter(|(_, app)| app.len() > 3)
        .collect();
    apps.sort();
    apps.dedup();
    let mut asked: Vec<(String, String)> = Vec::new();
    let mut subjects: Vec<(String, f64)> = Vec::new();
    let is_subject = |name: &str| ctx.is_asked(name);
    ctx.amend(|signal| {
        if !matches!(
            signal.cause.as_str(),
            "application-server-errors" | "application-error" | "application-slow"
        ) {
            return;
        }
        let own = app_of(&signal.subject.name).to_owned();
        let said = signal
            .evidence
            .iter()
            .map(|line| line.quote.to_lowercase() + "\n")
            .collect::<String>();
        // That a request is slow says nothing about why; what it waits for may.
        // One or two in a quiet cluster are no trouble at all.
        // The first line tells what is slow; the others may be what waits for it.
        let first = said.lines().next().unwrap_or_default();
        if signal.cause == "application-slow" && is_request(first) {
            if signal.strength >= BLEMISH {
                signal.role = Role::Symptom;
            }
            signal.strength = signal.strength.min(SLOW_REQUEST);
            return;
        }
        let failed = is_http_failure(&said);
        if signal.cause != "application-server-errors" && !failed {
            return;
        }
        if signal.cause == "application-error" && is_bare(&said) {
            signal.role = Role::Symptom;
            signal.strength = signal.strength.min(PASSED_ON);
        }
        let Some((ns, callee)) = apps.iter().find(|(_, app)| {
            let name = app.to_lowercase();
            *app != own
                && !own.contains(app.as_str())
                && (names_host(&said, &name) || failed && contains_word(&said, &name))
        }) else {
            return;
        };
        if is_subject(&own) || !ctx.focus.is_known() {
            subjects.push((callee.to_lowercase(), signal.strength));
        }
        signal.strength = signal.strength.min(PASSED_ON);
        signal.role = Role::Symptom;
        asked.push((ns.clone(), callee.clone()));
    });
    // Whose failures the subject passes on is the subject itself: what its own log says counts like that.
    for (callee, passed) in subjects {
        if !ctx.quoted.borrow_mut().insert(callee.clone()) || ctx.focus.holds(&callee) {
            continue;
        }
        let of_callee = |signal: &Signal| {
            signal.role == Role::Cause
                && signal.subject.kind == "Pod"
                && app_of(&signal.subject.name.to_lowercase()) == callee
        };
        let loudest = ctx
            .signals()
            .iter()
            .filter(|signal| of_callee(signal))
            .map(|signal| signal.strength)
            .fold(0.0, f64::max);
        ctx.amend(|signal| {
            if of_callee(signal) {
                // What it says most loudly is why the others fail.
                let as_loud = if signal.strength >= loudest {
                    passed * AS_LOUD
                } else {
                    0.0
                };
                signal.strength = (signal.strength + AS_SUBJECT).max(as_loud).min(0.8);
            }
        });
    }
    asked.extend(unread(ctx));
    uncollected(ctx);
    asked.sort();
    asked.dedup();
    for (ns, app) in asked.into_iter().take(3) {
        let has_log = ctx
            .cluster
            .logs
            .iter()
            .any(|log| !log.empty && log.ns == ns && app_of(&log.pod) == app);
        if has_log {
            continue;
        }
        let of = if ns.is_empty() {
            String::new()
        } else {
            format!("-n {ns} ")
        };
        ctx.ask(
            format!("log of {app} (kubectl {of}logs deploy/{app} --all-containers), and traces of its calls to what it depends on (upstream)"),
            format!("other programs get errors from {app}; why it fails stands in its own log, which is not in the bundle"),
            None,
        );
    }
}

/// Calls to a program of a namespace of which nothing was collected: why they fail cannot be known.
fn uncollected(ctx: &Ctx) {
    let mut asked: Vec<String> = Vec::new();
    let known = |ns: &str| {
        let pods = ctx.cluster.pods.iter().any(|pod| pod.ns == ns);
        pods || ctx.cluster.services.iter().any(|service| service.ns == ns)
            || ctx.cluster.logs.iter().any(|log| log.ns == ns)
    };
    ctx.amend(|signal| {
        let calls = matches!(
            signal.cause.as_str(),
            "workload-dependency-unreachable" | "dependency-timeout" | "application-error"
        );
        if !calls || signal.role != Role::Cause || ctx.cluster.pods.is_empty() {
            return;
        }
        let Some(host) = signal.entities.get("dependency") else {
            return;
        };
        let Some(ns) = host_of(host).split('.').nth(1).map(str::to_owned) else {
            return;
        };
        if ctx.cluster.has("Namespace", "", &ns) && !known(&ns) {
            signal.role = Role::Symptom;
            signal.strength = signal.strength.min(PASSED_ON);
            asked.push(ns);
        }
    });
    asked.sort();
    asked.dedup();
    for ns in asked.into_iter().take(3) {
        ctx.ask(
            format!("pods, events, services and logs of namespace {ns} (kubectl -n {ns} get pods,events,services; kubectl -n {ns} logs …)"),
            format!("calls to a program of namespace {ns} fail, and nothing of that namespace is in the bundle"),
            None,
        );
    }
}

/// A proxy that says that the pod behind it closed the connection, whose log is not in the bundle: why it did cannot be
/// known. Gives the namespaces and names of such programs.
fn unread(ctx: &Ctx) -> Vec<(String, String)> {
    static BEHIND: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"upstream prematurely closed connection.*upstream: "\w+://(?P<ip>[0-9.]+):"#)
            .ok()
    });
    let (mut found, mut proxies) = (Vec::new(), Vec::new());
    ctx.amend(|signal| {
        let quote = signal.evidence.first().map_or("", |line| &line.quote);
        let ip = BEHIND
            .as_ref()
            .and_then(|regex| Some(regex.captures(quote)?["ip"].to_owned()));
        let Some(ip) = ip.filter(|_| signal.role == Role::Cause) else {
            return;
        };
        let shows = |pod: &&super::model::Pod| {
            let row = ctx.line(pod.src).unwrap_or_default();
            contains_word(&row, &ip)
        };
        let Some(pod) = ctx.cluster.pods.iter().find(shows) else {
            return;
        };
        let read = ctx
            .cluster
            .logs
            .iter()
            .any(|log| !log.empty && log.ns == pod.ns && app_of(&log.pod) == pod.app());
        if !read {
            signal.role = Role::Symptom;
            signal.strength = signal.strength.min(PASSED_ON);
            proxies.push(app_of(&signal.subject.name).to_owned());
            found.push((pod.ns.clone(), pod.app().to_owned()));
        }
    });
    // What the proxy answers then is the same.
    ctx.amend(|signal| {
        if signal.cause == "application-server-errors"
            && proxies
                .iter()
                .any(|proxy| proxy == app_of(&signal.subject.name))
        {
            signal.role = Role::Symptom;
            signal.strength = signal.strength.min(PASSED_ON);
        }
    });
    found
}

/// Most that a passed-on failure is worth: it stays below what counts as an answer.
const PASSED_ON: f64 = 0.42;

/// What an error of the subject counts more than one of a bystander.
const AS_SUBJECT: f64 = 0.2;
/// What the loudest error of a program is worth, measured by the failures that others pass on.
const AS_LOUD: f64 = 0.95;
/// What is weaker is mentioned and asks for nothing.
const BLEMISH: f64 = 0.35;
/// Most that a slow request is worth.
const SLOW_REQUEST: f64 = 0.45;

/// Whether a line is about a request that a program answers.
fn is_request(said: &str) -> bool {
    [
        "slow request",
        "request took",
        "request completed",
        "request finished",
        "requests took",
    ]
    .iter()
    .any(|words| said.contains(words))
        || ["get /", "post /", "put /", "patch /", "delete /"]
            .iter()
            .any(|verb| said.contains(verb))
}

/// Whether words tell no more than a failed HTTP request.
fn is_http_failure(said: &str) -> bool {
    static FAILED: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r#"(?:status(?:[ _]?code)?|http(?:/[\d.]+)?|returned|responded(?: with)?|answered(?: with)?|got|failed:|code|->|response)["']?\s*[:=]?\s*["']?(?:http )?50[0-4]\b|\b50[0-4] (?:from|by|internal server|bad gateway|service unavailable|gateway time)"#).ok()
    });
    FAILED.as_ref().is_some_and(|regex| regex.is_match(said))
}

/// Whether a gateway's answer is all that a line tells: another one failed behind the one that gave it.
fn is_bare(said: &str) -> bool {
    static BARE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new(r"(?:get|post|put|patch|delete|head) /\S*[^\n]{0,20}\b(?:answered|returned|responded|->|status|got)\b[^\n]{0,12}\b50[234]\b").ok()
    });
    let all = || said.lines().filter(|line| !line.is_empty());
    BARE.as_ref()
        .is_some_and(|regex| all().next().is_some() && all().all(|line| regex.is_match(line)))
}

/// Whether a host of this name is called: `http://name:8080/x`, `name.ns.svc`.
fn names_host(said: &str, app: &str) -> bool {
    said.match_indices(app).any(|(at, _)| {
        let before = &said[..at];
        let after = &said[at + app.len()..];
        before.ends_with("://") && after.starts_with([':', '/', '.', '"', ' '])
            || after.starts_with(".") && after.contains(".svc") && !before.ends_with(['-', '.'])
            || before.ends_with("||")
    })
}
