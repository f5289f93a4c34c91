//! Packets that the kernel's network stack drops for a reason that it counts by name.

use super::interfaces::WORDS;
use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;
use std::collections::BTreeMap;

/// Packets dropped before it is worth telling.
const LEAST: u64 = 10_000;

/// Counters by name, without the family before it, with their lines.
fn counters(host: &Host) -> BTreeMap<String, (u64, Evidence)> {
    let mut all = BTreeMap::new();
    for doc in host.commands("nstat", |_| true) {
        for (number, line) in doc.lines() {
            let mut words = line.split_whitespace();
            let (Some(name), Some(Ok(value))) = (words.next(), words.next().map(str::parse)) else {
                continue;
            };
            let name = name
                .trim_start_matches("TcpExt")
                .trim_start_matches("IpExt");
            all.entry(name.to_owned())
                .or_insert_with(|| (value, doc.cite(number)));
        }
    }
    let Some(doc) = host.file("proc/net/netstat") else {
        return all;
    };
    // Names in one line, values in the next.
    let lines: Vec<(usize, &str)> = doc.lines().collect();
    for pair in lines.windows(2) {
        let (names, values) = (pair[0].1.split_whitespace(), pair[1].1.split_whitespace());
        for (name, value) in names.zip(values).skip(1) {
            if let Ok(value) = value.parse() {
                all.entry(name.to_owned())
                    .or_insert_with(|| (value, doc.cite(pair[1].0)));
            }
        }
    }
    all
}

/// A strict reverse path filter where the way back is another one.
pub fn detect(host: &Host, out: &mut Partial) {
    let counters = counters(host);
    let Some((dropped, at)) = counters.get("IPReversePathFilter") else {
        return;
    };
    let received = counters.get("IpInReceives").map_or(0, |(value, _)| *value);
    if *dropped < LEAST || dropped.saturating_mul(100_000) < received {
        return;
    }
    let mut strict = None;
    for key in [
        "net.ipv4.conf.all.rp_filter",
        "net.ipv4.conf.default.rp_filter",
    ] {
        if let Some((1, line)) = host.sysctl_number(key) {
            strict.get_or_insert((key, line));
        }
    }
    let (how, line) = match strict {
        Some((key, line)) => (format!("strict, {key} = 1"), Some(line)),
        None => ("rp_filter".to_owned(), None),
    };
    let strength = if line.is_some() { 0.7 } else { 0.55 };
    Draft::cause(
        "reverse-path-filter",
        "reverse-path-filter",
        strength,
        "Setting",
        "rp_filter",
    )
    .says(
        format!("Reverse path filter ({how}) dropped {dropped} packets (IPReversePathFilter)"),
        format!(
            "The kernel dropped {dropped} packets because the route back to their sender leads through another interface than they came in by (reverse path filter, {how}): with asymmetric routing it must be loose (2), or the routes must be made symmetric."
        ),
    )
    .cites([at.clone()])
    .cites(line)
    .if_ticket(host, WORDS)
    .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn many_drops_with_a_strict_filter() {
        let nstat = |dropped: u64| {
            format!("#kernel\nIpInReceives 90000000 0.0\nTcpExtIPReversePathFilter {dropped} 0.0\n")
        };
        let sysctl = "net.ipv4.conf.all.rp_filter = 1\n";
        let host = |dropped: u64, sysctl: &str| {
            on(&[
                ("sos_commands/networking/nstat_-zas", &nstat(dropped)),
                ("sos_commands/kernel/sysctl_-a", sysctl),
            ])
        };
        let found = host(700_000, sysctl);
        assert_eq!(causes(&found), ["reverse-path-filter"]);
        assert!(found.signals[0].title.contains("700000"));
        assert!(found.signals[0].strength > host(700_000, "").signals[0].strength);
        assert!(host(40, sysctl).signals.is_empty());
        let two_lines = "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 50000\n";
        assert_eq!(
            causes(&on(&[("proc/net/netstat", two_lines)])),
            ["reverse-path-filter"]
        );
    }
}
