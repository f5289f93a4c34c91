//! The cluster's DNS server and the servers it asks: when those do not answer, names outside of the cluster
//! do not resolve, whatever program asks.

use super::emit::{Ctx, Draft};
use super::lastwords;
use super::model::*;
use crate::signals::{Role, Signal};
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// Longest log scanned, in lines.
const MAX_LINES: usize = 400_000;
/// Fewer unanswered questions than this happen every day.
const LEAST: usize = 3;
/// Names remembered.
const MAX_NAMES: usize = 50;

/// Errors of CoreDNS and its node-local cache, and of dnsmasq.
static ASKED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:plugin/\w+: (?:\d+ )?(?P<name>[\w.*-]+?)\.? (?P<kind>[A-Z]{1,6})\d*: (?:unreachable backend: )?)?(?:read|write|dial) (?:udp|tcp)[46]?:? (?:\S+?->)?(?P<up>\[[0-9a-fA-F:]+\]|\d{1,3}(?:\.\d{1,3}){3}):(?:53|853|5353): (?P<why>.*?(?:i/o timeout|connection refused|network is unreachable|no route to host|connection reset\b.*))|nameserver (?P<up2>[\d.]+) (?P<why2>refused to do a recursive query|did not (?:answer|respond)|timed out)").ok()
});

/// What one DNS server says about those it asks.
#[derive(Debug, Default)]
struct Upstreams {
    /// Servers by address: how often they did not answer, and the first line.
    servers: BTreeMap<String, (usize, u32)>,
    names: BTreeSet<String>,
    why: String,
    count: usize,
    last: u32,
}

impl Upstreams {
    fn line(&mut self, number: u32, line: &str) {
        if !["read ", "dial ", "write ", "nameserver "]
            .iter()
            .any(|word| line.contains(word))
        {
            return;
        }
        let Some(found) = ASKED.as_ref().and_then(|regex| regex.captures(line)) else {
            return;
        };
        let text = |key: &str| found.name(key).map(|part| part.as_str());
        let Some(server) = text("up").or(text("up2")) else {
            return;
        };
        self.count += 1;
        self.last = number;
        let server = server.trim_matches(['[', ']']).to_owned();
        if self.servers.len() < 16 || self.servers.contains_key(&server) {
            let known = self.servers.entry(server).or_insert((0, number));
            known.0 += 1;
        }
        if let Some(why) = text("why").or(text("why2"))
            && self.why.is_empty()
        {
            self.why = why.to_owned();
        }
        // The server's own test of a loop asks for random names.
        if let Some(name) = text("name").filter(|_| text("kind") != Some("HINFO"))
            && self.names.len() < MAX_NAMES
        {
            self.names.insert(name.to_ascii_lowercase());
        }
    }
}

/// Whether a name is one of the cluster's own.
fn is_inside(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    !name.contains('.')
        || name.ends_with(".svc")
        || name.ends_with(".cluster.local")
        || name.contains(".svc.")
}

/// What DNS servers of the cluster say about the servers they ask.
pub fn detect(ctx: &Ctx) {
    for log in ctx
        .cluster
        .logs
        .iter()
        .filter(|log| !log.empty && lastwords::is_dns(&log.pod))
    {
        let Some(entry) = ctx.tree.find(ctx.path(log.file)) else {
            continue;
        };
        let mut seen = Upstreams::default();
        let _ = ctx.tree.for_each_line(entry, |number, line| {
            if number >= log.first && number <= log.last {
                seen.line(u32::try_from(number).unwrap_or(u32::MAX), line);
            }
            number <= log.last && number < MAX_LINES
        });
        if seen.count >= LEAST {
            tell(ctx, log, &seen);
        }
    }
}

fn tell(ctx: &Ctx, log: &Log, seen: &Upstreams) {
    // A DNS server's log has such lines on good days; that programs miss names makes them count.
    let missed = ctx
        .signals()
        .iter()
        .any(|signal| is_client(signal, seen.outside_only()));
    let asked = [
        "dns",
        "resolve",
        "resolution",
        "lookup",
        "external",
        "outside",
        "internet",
    ]
    .iter()
    .any(|word| super::emit::contains_word(&ctx.ticket, word));
    let counts = missed || asked && seen.count >= 10;
    if !counts {
        return;
    }
    let servers: Vec<&str> = seen.servers.keys().map(String::as_str).take(4).collect();
    let servers = servers.join(" and ");
    let outside = seen.outside_only();
    let which = match (outside, seen.names.is_empty()) {
        (true, _) => "only names outside the cluster do not resolve",
        (false, true) => "names that it forwards do not resolve",
        (false, false) => "names inside and outside the cluster fail",
    };
    let names: Vec<&str> = seen.names.iter().map(String::as_str).take(4).collect();
    let names = if names.is_empty() {
        String::new()
    } else {
        format!(" Asked for were {}.", names.join(", "))
    };
    let who = full_name(&log.ns, &log.pod);
    let src = |line: u32| Src {
        file: log.file,
        line,
        column: 0,
    };
    let mut draft = Draft::cause("cluster-dns-failing", "Pod", &log.ns, &log.pod, 0.74)
        .says(
            format!("the cluster DNS (pod {who}) gets no answer from its upstream {servers} ({}): {which}", seen.why),
            format!("The DNS server of the cluster forwards to its upstream {servers} and gets no answer ({}, {} times): {which}.{names} Every program that asks for such a name fails.", seen.why, seen.count),
        )
        .entity("upstream", &servers)
        .entity("scope", if outside { "outside" } else { "all" });
    for (_, line) in seen.servers.values().take(3) {
        draft = draft.show(ctx.quote(src(*line), ""));
    }
    ctx.emit(draft.show(ctx.quote(src(seen.last), "")));
}

impl Upstreams {
    fn outside_only(&self) -> bool {
        !self.names.is_empty() && !self.names.iter().any(|name| is_inside(name))
    }
}

/// Whether a signal tells of a program that misses a name which the upstream should have known.
fn is_client(signal: &Signal, outside: bool) -> bool {
    signal.role == Role::Cause
        && signal.cause == "dependency-name-unresolved"
        && signal
            .entities
            .get("dependency")
            .is_none_or(|name| !outside || name.is_empty() || !is_inside(name))
}

/// The DNS server whose upstream is silent stands above all that miss names because of it.
pub fn above_clients(signals: &mut [Signal]) {
    const ABOVE: f64 = 0.06;
    let Some((root, outside)) = signals
        .iter()
        .enumerate()
        .filter(|(_, signal)| {
            signal.cause == "cluster-dns-failing" && signal.entities.contains_key("upstream")
        })
        .max_by(|a, b| a.1.strength.total_cmp(&b.1.strength))
        .map(|(at, signal)| {
            (
                at,
                signal
                    .entities
                    .get("scope")
                    .is_some_and(|scope| scope == "outside"),
            )
        })
    else {
        return;
    };
    let best = signals
        .iter()
        .filter(|signal| is_client(signal, outside))
        .map(|signal| signal.strength)
        .fold(0.0, f64::max);
    if best == 0.0 {
        return;
    }
    let own = (best + ABOVE).clamp(0.84, 0.95).max(signals[root].strength);
    signals[root].strength = own;
    for signal in signals
        .iter_mut()
        .filter(|signal| is_client(signal, outside))
    {
        signal.strength = signal.strength.min(own - ABOVE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silent_servers_and_the_names_are_read() {
        let mut seen = Upstreams::default();
        for (at, line) in [
            "[ERROR] plugin/errors: 2 api.example.com. A: read udp 10.2.0.9:4411->192.0.2.7:53: i/o timeout",
            "[ERROR] plugin/errors: 2 cdn.example.net. AAAA: dial tcp 192.0.2.8:53: connect: connection refused",
            "[ERROR] plugin/errors: 2 712.331. HINFO: read udp 10.2.0.9:1->[2001:db8::1]:53: i/o timeout",
            "dnsmasq[7]: nameserver 192.0.2.9 refused to do a recursive query",
            "[INFO] 10.2.0.1:3 - 4 \"A IN api.example.com. udp 33\" NOERROR",
            "read udp 10.2.0.9:1->10.2.0.3:8080: i/o timeout",
        ]
        .iter()
        .enumerate()
        {
            seen.line(at as u32 + 1, line);
        }
        assert_eq!(seen.count, 4);
        let servers: Vec<&String> = seen.servers.keys().collect();
        assert_eq!(
            servers,
            ["192.0.2.7", "192.0.2.8", "192.0.2.9", "2001:db8::1"]
        );
        assert!(seen.outside_only());
        assert_eq!(seen.why, "i/o timeout");
        seen.line(9, "[ERROR] plugin/errors: 2 db.shop.svc.cluster.local. A: read udp 10.2.0.9:4411->192.0.2.7:53: i/o timeout");
        assert!(!seen.outside_only());
    }
}
