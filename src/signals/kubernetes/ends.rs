//! What the two ends of a connection do not agree on: a proxy that speaks HTTP/1.1 to a server of HTTP/2 (gRPC), and a
//! server that closes idle connections sooner than the proxy in front of it stops using them.

use super::emit::{Ctx, Draft, cut, full_name_words};
use super::lastwords;
use super::model::*;
use crate::report::Evidence;
use aho_corasick::AhoCorasick;
use regex::Regex;
use std::sync::LazyLock;

/// Longest log scanned, in lines.
const MAX_LINES: usize = 400_000;
/// Largest configuration looked into, in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// Lines from which a proxy's complaint, and a server's alone, are no chance.
const ENOUGH: usize = 2;
const MANY: usize = 5;
/// Time-outs of that name that do not say when a server closes an idle connection of HTTP/1.1.
const OTHER: [&str; 8] = [
    "tcp", "client", "grpc", "http2", "etcd", "proxy", "session", "probe",
];

/// Words of a server of HTTP/2 that was spoken to in HTTP/1, and of a client of HTTP/1 that got frames of HTTP/2 back. The
/// first frame, SETTINGS, begins with 00 00.
const PREFACE: [&str; 9] = [
    "bogus greeting",
    "client preface string missing or corrupt",
    "error reading preface from client",
    "upstream sent no valid HTTP/1.0 header",
    "upstream sent invalid header",
    "malformed HTTP response \"\\x00\\x00",
    "Trying to connect an http1.x server",
    "Unexpected HTTP/1.x request",
    "Expected HTTP/2 connection preface",
];
/// nginx: the server closed a connection that a request was sent on.
const CLOSED: [&str; 3] = [
    "upstream prematurely closed connection while reading response header",
    "recv() failed (104: Connection reset by peer) while reading response header",
    "upstream_reset_before_response_started{connection_termination}",
];

/// `keepAliveTimeout: 5000`, `server.keep-alive-timeout=20s`, `"keep_alive": 5`, `upstream-keepalive-timeout: "75"`.
static TIMEOUT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?P<name>(?:[\w.-]*keep[-_ ]?alive[-_ ]?(?:timeout|idle[-_ ]?timeout)?(?:[-_]?(?:ms|seconds|sec))?))\\?["']?\s{0,2}[:=]\s{0,2}\\?["']?(?P<value>\d+(?:\.\d+)?)\s?(?P<unit>ms|s|sec|seconds|m)?\b"#).ok()
});

/// A time after which idle connections are closed or no longer used, in seconds, and where it is said.
#[derive(Clone)]
struct Idle {
    seconds: f64,
    words: String,
    evidence: Evidence,
}

/// The lines of a log that matter here: how many, and the last.
struct Seen<'a> {
    log: &'a Log,
    count: usize,
    line: u32,
    text: String,
}

fn seconds(name: &str, value: &str, unit: &str) -> Option<f64> {
    let number: f64 = value.parse().ok()?;
    let name = name.to_ascii_lowercase();
    Some(match unit.to_ascii_lowercase().as_str() {
        "ms" => number / 1e3,
        "m" => number * 60.0,
        "" if name.ends_with("ms") || number >= 1_000.0 => number / 1e3,
        _ => number,
    })
}

/// The lines of each log in which words of either kind stand: first those of a wrong protocol, then of closed connections.
fn seen<'a>(ctx: &'a Ctx) -> [Vec<Seen<'a>>; 2] {
    let mut all = [Vec::new(), Vec::new()];
    let Ok(finder) = AhoCorasick::new(PREFACE.iter().chain(&CLOSED)) else {
        return all;
    };
    for log in ctx.cluster.logs.iter().filter(|log| !log.empty) {
        let none = || Seen {
            log,
            count: 0,
            line: 0,
            text: String::new(),
        };
        let mut here = [none(), none()];
        ctx.each_line(log, MAX_LINES, |number, line| {
            if let Some(found) = finder.find(line) {
                let kind = usize::from(found.pattern().as_usize() >= PREFACE.len());
                let here = &mut here[kind];
                here.count += 1;
                here.line = number;
                line.trim().clone_into(&mut here.text);
            }
        });
        for (all, here) in all.iter_mut().zip(here) {
            if here.count > 0 {
                all.push(here);
            }
        }
    }
    all
}

/// Both disagreements.
pub fn detect(ctx: &Ctx) {
    let [protocols, closed] = seen(ctx);
    protocol(ctx, &protocols);
    idle(ctx, &closed);
}

fn who(log: &Log) -> String {
    full_name_words(&log.ns, &log.pod, &log.container)
}

fn protocol(ctx: &Ctx, told: &[Seen]) {
    let Some(most) = told.iter().max_by_key(|one| (one.count, one.line)) else {
        return;
    };
    let by_server = |one: &&Seen| !one.text.contains("upstream sent");
    let server = told.iter().find(by_server);
    let proxy = told.iter().find(|one| one.text.contains("upstream sent"));
    let grpc = told
        .iter()
        .any(|one| one.text.contains("HTTP/2.0\"") || one.text.to_lowercase().contains("grpc"));
    // A single line may be a probe or a scanner that tried the port; a server alone does not say who speaks to it.
    let strength = match (server, proxy) {
        (Some(_), Some(_)) => 0.92,
        (None, _) if grpc && most.count >= ENOUGH => 0.86,
        (Some(server), None) if server.count >= MANY => 0.6,
        _ => return,
    };
    let subject = server.or(proxy).unwrap_or(most);
    let (title, statement) = match (server, proxy) {
        (Some(server), proxy) => {
            let by = proxy.map_or("a client or proxy".to_owned(), |proxy| who(proxy.log));
            (
                format!(
                    "{by} speaks HTTP/1.1 to {}, which expects HTTP/2 (gRPC) — {}",
                    who(server.log),
                    cut(&server.text, 110)
                ),
                format!(
                    "{} expects HTTP/2, as gRPC does, and is spoken to in HTTP/1.1 by {by}: a protocol mismatch. The proxy in front of it must be told the protocol of its backend (ingress-nginx: the annotation backend-protocol, a service port named or marked grpc or h2c elsewhere).",
                    who(server.log)
                ),
            )
        }
        (None, _) => (
            format!(
                "{} speaks HTTP/1.1 to a server that answers in HTTP/2 (gRPC) — {}",
                who(most.log),
                cut(&most.text, 110)
            ),
            format!(
                "{} sends requests in HTTP/1.1 and gets frames of HTTP/2 back: a protocol mismatch with a gRPC server. It must be told the protocol of its backend (ingress-nginx: the annotation backend-protocol).",
                who(most.log)
            ),
        ),
    };
    let mut draft = Draft::cause(
        "http-protocol-mismatch",
        "Pod",
        &subject.log.ns,
        &subject.log.pod,
        strength,
    )
    .says(title, statement);
    for one in [server, proxy].into_iter().flatten() {
        let src = Src {
            file: one.log.file,
            line: one.line,
            column: 0,
        };
        draft = draft.show(ctx.quote(src, ""));
    }
    if server.is_none() && proxy.is_none() {
        let src = Src {
            file: most.log.file,
            line: most.line,
            column: 0,
        };
        draft = draft.show(ctx.quote(src, ""));
    }
    ctx.emit(draft);
}

fn idle(ctx: &Ctx, told: &[Seen]) {
    let Some(proxy) = told
        .iter()
        .max_by_key(|one| one.count)
        .filter(|one| one.count >= ENOUGH)
    else {
        return;
    };
    let pods: Vec<&Pod> = ctx
        .cluster
        .pods
        .iter()
        .filter(|pod| pod.restarts > 2 && !pod.is_ready())
        .collect();
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for entry in ctx
        .tree
        .files()
        .filter(|entry| entry.bytes > 0 && entry.bytes <= MAX_BYTES)
    {
        let _ = ctx.tree.for_each_line(entry, |number, line| {
            let lower = line.to_ascii_lowercase();
            if lower.contains("keep")
                && lower.contains("alive")
                && let Some(found) = TIMEOUT.as_ref().and_then(|regex| regex.captures(line))
                && let Some(seconds) = seconds(
                    &found["name"],
                    &found["value"],
                    found.name("unit").map_or("", |unit| unit.as_str()),
                )
                && (1.0..=3_600.0).contains(&seconds)
            {
                let name = found["name"].to_ascii_lowercase();
                let idle = Idle {
                    seconds,
                    words: cut(found[0].trim_matches(['"', '\'', ' ']), 60).replace('"', ""),
                    evidence: Evidence {
                        path: entry.path.as_str().to_owned(),
                        line_start: number as u64,
                        line_end: number as u64,
                        quote: cut(line.trim(), 300),
                    },
                };
                if name.contains("upstream") {
                    theirs.push(idle);
                } else if name.contains("timeout") && !OTHER.iter().any(|word| lower.contains(word))
                {
                    ours.push(idle);
                }
            }
            number < 20_000
        });
    }
    // ingress-nginx keeps them for 60 s when nobody says otherwise.
    let kept = theirs.first().map_or(60.0, |idle| idle.seconds);
    let Some(short) = ours
        .iter()
        .filter(|idle| idle.seconds < kept)
        .min_by(|a, b| a.seconds.total_cmp(&b.seconds))
        .filter(|_| pods.is_empty())
    else {
        return;
    };
    let src = Src {
        file: proxy.log.file,
        line: proxy.line,
        column: 0,
    };
    let other = theirs.first().map_or_else(
        || "the proxy goes on using them for longer".to_owned(),
        |idle| format!("the proxy goes on using them for longer ({})", idle.words),
    );
    let mut draft = Draft::cause("keepalive-mismatch", "Pod", &proxy.log.ns, &proxy.log.pod, 0.82)
        .says(
            format!("the server behind {} closes idle keep-alive connections sooner than the proxy stops using them ({}): sporadic resets — {}", who(proxy.log), short.words, cut(&proxy.text, 110)),
            format!("The server closes idle connections early ({}), {other}: a request that is sent on such a connection just then is reset, and the client gets a 502. The server's keep-alive timeout must be longer than the proxy's.", short.words),
        )
        .show(Some(short.evidence.clone()))
        .show(ctx.quote(src, ""));
    if let Some(idle) = theirs.first() {
        draft = draft.show(Some(idle.evidence.clone()));
    }
    if let Some(pod) = ctx
        .cluster
        .pods
        .iter()
        .find(|pod| lastwords::belongs(proxy.log, pod, ""))
    {
        draft = draft.show(ctx.quote(pod.src, &pod.name));
    }
    ctx.emit(draft);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};

    const RESET: &str = "2026/02/18 09:41:25 [error] 29#29: *123 upstream prematurely closed connection while reading response header from upstream, client: 192.0.2.3, server: shop.example.com, request: \"GET /p HTTP/1.1\", upstream: \"http://10.0.0.29:3000/p\"\n2026/02/18 09:51:25 [error] 29#29: *129 recv() failed (104: Connection reset by peer) while reading response header from upstream, client: 192.0.2.3, server: shop.example.com, request: \"GET /p HTTP/1.1\", upstream: \"http://10.0.0.29:3000/p\"\n";

    #[test]
    fn a_server_that_closes_idle_connections_before_its_proxy() {
        let of = |value: &str| {
            let app =
                format!("{{\"level\":30,\"msg\":\"listening\",\"keepAliveTimeout\":{value}}}\n");
            run(&[
                ("logs/ingress/controller-1.log", RESET),
                ("logs/shop/web-1.log", &app),
            ])
        };
        assert_eq!(first(&of("5000")).cause, "keepalive-mismatch");
        assert_ne!(first(&of("75000")).cause, "keepalive-mismatch");
    }

    #[test]
    fn a_proxy_that_does_not_know_that_its_backend_speaks_grpc() {
        let server = "2026-03-12T04:47:43Z level=error msg=\"http2: server: error reading preface from client 10.0.0.9:41000: bogus greeting \\\"POST /v1.Feed/Push HTTP/1.1\\\"\"\n";
        let proxy = "2026/03/12 04:47:43 [error] 37#37: *99 upstream sent invalid header: \"\\x20...\" while reading response header from upstream, client: 192.0.2.3, server: in.example.com, request: \"POST /v1.Feed/Push HTTP/2.0\", upstream: \"http://10.0.0.40:50051/v1.Feed/Push\"\n";
        let found = run(&[
            ("logs/feed/push-1.log", server),
            ("logs/ingress/controller-1.log", proxy),
        ]);
        assert_eq!(first(&found).cause, "http-protocol-mismatch");
        // One broken header of an ordinary server is no mismatch.
        let plain = proxy.replace("HTTP/2.0", "HTTP/1.1");
        let found = run(&[("logs/ingress/controller-1.log", &plain)]);
        assert!(
            found
                .signals
                .iter()
                .all(|signal| signal.cause != "http-protocol-mismatch")
        );
    }
}
