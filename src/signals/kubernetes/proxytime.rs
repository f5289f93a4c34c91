//! A proxy that waits for less time than the answers behind it take: it answers 504 while the program goes on and
//! finishes. Neither of the two is at fault alone; the time-out and the request do not fit.

use super::emit::{Ctx, Draft, contains_word, cut};
use super::lastwords;
use super::model::*;
use crate::bundle::FileKind;
use crate::report::Evidence;
use regex::Regex;
use std::sync::LazyLock;

/// Longest log scanned, in lines, and largest file of settings, in bytes.
const MAX_LINES: usize = 200_000;
const MAX_BYTES: u64 = 4 << 20;
/// Answers cut off from which it is no chance.
const ENOUGH: usize = 2;
/// Seconds that nginx waits unless told otherwise.
const USUAL: f64 = 60.0;
/// How many times the time-out an answer may take that is meant here; what takes longer hangs.
const TIMES: f64 = 12.0;

/// nginx and its ingress controller.
static CUT_OFF: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"upstream timed out \(110: [^)]*\) while reading (?:response header from )?upstream.*?(?:upstream: "\w+://(?P<behind>[^:/"]+).*?)?(?:host: "(?P<host>[^"]+)"|$)"#).ok()
});
/// A time-out for answers, in a setting.
static SETTING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^\s*["']?(?:nginx\.ingress\.kubernetes\.io/)?(?P<key>proxy[-_]read[-_]timeout)["']?\s*[:= ]\s*["']?(?P<seconds>\d{1,5})s?["';,]*\s*$"#).ok()
});
/// How long an answer took, in a program's own log.
static TOOK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(?:completed|finished|done|served|responded|took|elapsed|duration|request[ _]time|latency)\b[^\n]{0,60}?\b(?P<number>\d{1,7}(?:\.\d+)?)\s?(?P<unit>ms|s|sec|seconds)\b"#).ok()
});

struct Long {
    line: u32,
    seconds: f64,
    count: usize,
}

/// The longest answers of a log between `from` and `to` seconds.
fn long(ctx: &Ctx, log: &Log, from: f64, to: f64) -> Option<Long> {
    let took = TOOK.as_ref()?;
    let mut found: Option<Long> = None;
    ctx.each_line(log, MAX_LINES, |line, text| {
        let Some(captures) = took.captures(text) else {
            return;
        };
        let number: f64 = captures["number"].parse().unwrap_or(0.0);
        let seconds = if captures["unit"].eq_ignore_ascii_case("ms") {
            number / 1e3
        } else {
            number
        };
        if !(from..to).contains(&seconds) {
            return;
        }
        let known = found.get_or_insert(Long {
            line,
            seconds,
            count: 0,
        });
        known.count += 1;
        if seconds > known.seconds {
            (known.line, known.seconds) = (line, seconds);
        }
    });
    found
}

/// The time-out that is set for answers: of an object that names the host, else the only one of the bundle.
fn setting(ctx: &Ctx, host: &str) -> Option<(f64, Evidence)> {
    let setting = SETTING.as_ref()?;
    let mut all: Vec<(bool, f64, Evidence)> = Vec::new();
    for entry in ctx.tree.files() {
        let structured = matches!(entry.kind, FileKind::Yaml | FileKind::Json | FileKind::Text);
        if !structured || entry.bytes > MAX_BYTES {
            continue;
        }
        let Ok(Some(text)) = ctx.tree.text(entry) else {
            continue;
        };
        if !text.as_str().contains("read") {
            continue;
        }
        let of_host = !host.is_empty() && text.as_str().contains(host);
        for (number, line) in text.lines() {
            if let Some(found) = setting.captures(line) {
                let evidence = Evidence {
                    path: entry.path.as_str().to_owned(),
                    line_start: number as u64,
                    line_end: number as u64,
                    quote: cut(line.trim(), 200),
                };
                if let Ok(seconds) = found["seconds"].parse() {
                    all.push((of_host, seconds, evidence));
                }
            }
        }
    }
    // Of several values none can be told to be the one that counts.
    let best = all.iter().any(|(of_host, ..)| *of_host);
    all.retain(|(of_host, ..)| *of_host == best);
    let (_, seconds, evidence) = all.first()?.clone();
    all.iter()
        .all(|(_, other, _)| *other == seconds)
        .then_some((seconds, evidence))
}

/// Proxies that cut answers off, and programs that go on with them.
pub fn detect(ctx: &Ctx) {
    let Some(cut_off) = CUT_OFF.as_ref() else {
        return;
    };
    let mut proxy: Option<(&Log, usize, u32, String, String)> = None;
    for log in ctx.cluster.logs.iter().filter(|log| !log.empty) {
        let (mut count, mut last) = (0, 0);
        let (mut host, mut behind) = (String::new(), String::new());
        ctx.each_line(log, MAX_LINES, |number, line| {
            if line.contains("upstream timed out")
                && let Some(found) = cut_off.captures(line)
            {
                (count, last) = (count + 1, number);
                for (name, kept) in [("host", &mut host), ("behind", &mut behind)] {
                    if let Some(named) = found.name(name) {
                        named.as_str().clone_into(kept);
                    }
                }
            }
        });
        if count >= ENOUGH && proxy.as_ref().is_none_or(|(_, most, ..)| count > *most) {
            proxy = Some((log, count, last, host, behind));
        }
    }
    let Some((log, count, line, host, address)) = proxy else {
        return;
    };
    let shows = |pod: &&Pod| {
        let row = ctx.line(pod.src).unwrap_or_default();
        !address.is_empty() && contains_word(&row, &address)
    };
    let app = ctx.cluster.pods.iter().find(shows).map(Pod::app);
    let set = setting(ctx, &host);
    let limit = set.as_ref().map_or(USUAL, |(seconds, _)| *seconds);
    let behind = ctx
        .cluster
        .logs
        .iter()
        .filter(|other| !other.empty && app_of(&other.pod) != app_of(&log.pod))
        .filter(|other| app.is_none_or(|app| app_of(&other.pod) == app))
        .filter_map(|other| Some((other, long(ctx, other, limit, limit * TIMES)?)))
        .max_by_key(|(_, long)| long.count);
    let strength = match (&set, &behind) {
        // Which program stands behind the proxy is not known: it may be another one that takes long.
        (_, Some((_, long))) if app.is_none() && long.count >= ENOUGH => 0.48,
        (Some(_), Some((_, long))) if long.count >= ENOUGH => 0.9,
        (None, Some((_, long))) if long.count >= ENOUGH => 0.8,
        (Some((seconds, _)), None) if *seconds < USUAL => 0.6,
        _ => return,
    };
    let stated = match &set {
        Some((seconds, _)) => format!("proxy-read-timeout is {seconds:.0} s"),
        None => format!("it waits {USUAL:.0} s unless told otherwise"),
    };
    let takes = match &behind {
        Some((other, long)) => format!(
            ", and answers of {} take up to {:.1} s",
            super::emit::full_name_words(&other.ns, &other.pod, &other.container),
            long.seconds
        ),
        None => String::new(),
    };
    let who = super::emit::full_name_words(&log.ns, &log.pod, &log.container);
    let mut draft = Draft::cause("proxy-timeout-too-short", "Pod", &log.ns, &log.pod, strength)
        .says(
            format!("the proxy gives up before the answer is there ({stated}{takes}): upstream timed out, 504"),
            format!("{who} gives up waiting for an answer {count} times and answers 504: {stated}{takes}. The read timeout of the proxy is shorter than these requests take."),
        );
    let src = |log: &Log, line: u32| Src {
        file: log.file,
        line,
        column: 0,
    };
    draft = draft.show(set.map(|(_, evidence)| evidence));
    if let Some((other, long)) = &behind {
        draft = draft.show(ctx.quote(src(other, long.line), ""));
    }
    draft = draft.show(ctx.quote(src(log, line), "upstream timed out"));
    let pods = &ctx.cluster.pods;
    if let Some(pod) = pods.iter().find(|pod| lastwords::belongs(log, pod, "")) {
        draft = super::emit::with_pod(draft, pod, &log.container);
    }
    ctx.emit(draft);
    // What the proxy says is the same fault.
    let name = app_of(&log.pod).to_owned();
    ctx.amend(|signal| {
        if signal.cause == "dependency-timeout" && app_of(&signal.subject.name) == name {
            signal.strength = signal.strength.min(strength - 0.2);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};

    const PODS: &str = "NAMESPACE   NAME                    READY   STATUS    RESTARTS   AGE   IP            NODE\nshop        bills-5b9c6d7f4-b4c5d   1/1     Running   0          3d    10.244.1.31   n1\nshop        night-5b9c6d7f4-c6d7f   1/1     Running   0          3d    10.244.1.32   n1\n";

    #[test]
    fn a_proxy_that_waits_less_than_the_answer_takes() {
        let nginx = "2026/05/05 09:26:59 [error] 41#41: *7 upstream timed out (110: Operation timed out) while reading response header from upstream, client: 192.0.2.9, server: bills.example.net, request: \"GET /year HTTP/2.0\", upstream: \"http://10.244.1.31:3000/year\", host: \"bills.example.net\"\n".repeat(3);
        let of = |seconds: u32, took: u32, pod: &str| {
            let path = format!("logs/shop/{pod}.log");
            let ingress = format!(
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: bills\n  namespace: shop\n  annotations:\n    nginx.ingress.kubernetes.io/proxy-read-timeout: \"{seconds}\"\nspec:\n  rules:\n  - host: bills.example.net\n"
            );
            let app = format!("I, [2026-05-05T10:00:08 #1]  INFO -- : Completed 200 OK in {took}ms (Views: 211.0ms)\n").repeat(3);
            run(&[
                ("ingress.yaml", &ingress),
                ("get_pods_-o_wide.txt", PODS),
                ("logs/ingress-nginx/ingress-nginx-controller-1.log", &nginx),
                (path.as_str(), &app),
            ])
        };
        let found = of(20, 42_801, "bills-5b9c6d7f4-b4c5d");
        assert_eq!(first(&found).cause, "proxy-timeout-too-short");
        assert!(
            first(&found).title.contains("20 s"),
            "{}",
            first(&found).title
        );
        // Long enough for what stands behind; and one that takes long and does not stand behind.
        for found in [
            of(120, 801, "bills-5b9c6d7f4-b4c5d"),
            of(90, 142_801, "night-5b9c6d7f4-c6d7f"),
        ] {
            let causes = || found.signals.iter().map(|one| one.cause.as_str());
            assert!(causes().all(|cause| cause != "proxy-timeout-too-short"));
        }
    }
}
