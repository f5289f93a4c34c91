//! Names of the outside that a search domain catches: with `ndots:5` a resolver tries `api.example.com.corp.local` before
//! `api.example.com`, and where that domain answers every name, the program reaches the wrong host.

use super::emit::{Ctx, Draft, cut};
use crate::report::Evidence;
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Largest file looked into, in bytes.
const MAX_BYTES: u64 = 8 << 20;
/// Most files looked into.
const MAX_FILES: usize = 2_000;

/// The line of a resolver's configuration.
static SEARCH: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\s*search\s+(?P<list>[\w.-]+(?:\s+[\w.-]+)*)\s*$").ok());
/// An answer with an address: CoreDNS's log, `getent hosts`, `nslookup`, `dig`.
static ANSWER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?:\x22A IN (?P<a>[\w.-]+?)\.? (?:udp|tcp) [^\x22]*\x22 NOERROR)|^\s*\d{1,3}(?:\.\d{1,3}){3}\s+(?P<b>[\w.-]+)\s*$|^Name:\s+(?P<c>[\w.-]+)\s*$|^(?P<d>[\w.-]+?)\.?\s+\d+\s+IN\s+A\s+\d"#).ok()
});

/// A search domain, the name it caught, and the lines.
struct Caught {
    domain: String,
    name: String,
    shown: Vec<Evidence>,
}

fn caught(ctx: &Ctx) -> Option<Caught> {
    let (search, answer) = (SEARCH.as_ref()?, ANSWER.as_ref()?);
    let files = || {
        let small = |entry: &&crate::bundle::Entry| entry.bytes > 0 && entry.bytes <= MAX_BYTES;
        ctx.tree.files().filter(small).take(MAX_FILES)
    };
    // The cluster's own domains and those that say nothing are no candidates.
    let mut domains: BTreeMap<String, Evidence> = BTreeMap::new();
    let evidence = |entry: &crate::bundle::Entry, number: usize, line: &str| Evidence {
        path: entry.path.as_str().to_owned(),
        line_start: number as u64,
        line_end: number as u64,
        quote: cut(line.trim(), 300),
    };
    for entry in files().filter(|entry| entry.path.name().contains("resolv")) {
        // A host's own resolver tries whole names first; only a pod's, with more dots asked for, goes through its domains.
        let of_pod = |text: &str| text.contains("ndots:") && text.contains(".svc");
        let text = ctx.tree.text(entry).ok().flatten();
        if !text.is_some_and(|text| of_pod(text.as_str())) {
            continue;
        }
        let _ = ctx.tree.for_each_line(entry, |number, line| {
            if let Some(found) = search.captures(line) {
                for domain in found["list"].split_whitespace() {
                    let own = domain.contains("svc") || domain.ends_with("cluster.local");
                    if !own && domain.contains('.') {
                        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
                        domains
                            .entry(domain)
                            .or_insert_with(|| evidence(entry, number, line));
                    }
                }
            }
            number < 10_000
        });
    }
    if domains.is_empty() {
        return None;
    }
    let mut best: Option<Caught> = None;
    for entry in files().filter(|entry| entry.path.name() != "hosts") {
        let _ = ctx.tree.for_each_line(entry, |number, line| {
            let Some((domain, from)) = domains
                .iter()
                .find(|(domain, _)| line.contains(domain.as_str()))
            else {
                return number < 400_000;
            };
            let Some(found) = answer.captures(line) else {
                return number < 400_000;
            };
            let full = ["a", "b", "c", "d"]
                .iter()
                .find_map(|group| found.name(group));
            let Some(full) = full.map(|found| found.as_str().trim_end_matches('.')) else {
                return true;
            };
            let outer = full
                .strip_suffix(domain.as_str())
                .and_then(|rest| rest.strip_suffix('.'));
            // Two labels and more before the domain, the last of them like a top-level domain: a whole name of its own.
            if let Some(name) = outer.filter(|name| is_whole(name)) {
                let here = evidence(entry, number, line);
                match &mut best {
                    Some(known) if known.shown.len() < 4 && known.name == name => {
                        known.shown.push(here)
                    }
                    Some(_) => {}
                    None => {
                        best = Some(Caught {
                            domain: domain.clone(),
                            name: name.to_owned(),
                            shown: vec![here, from.clone()],
                        });
                    }
                }
            }
            number < 400_000
        });
    }
    best
}

/// Whether a name could stand alone: `api.example.com`, not `db.shop.svc`.
fn is_whole(name: &str) -> bool {
    let labels: Vec<&str> = name.split('.').collect();
    let top = labels.last().copied().unwrap_or_default();
    labels.len() >= 2
        && (2..=6).contains(&top.len())
        && top.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !["svc", "pod", "local", "lan", "corp"].contains(&top)
}

/// Whether a text has the name as a whole: neither more labels before it nor a domain behind it.
fn is_alone(text: &str, name: &str) -> bool {
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    text.match_indices(name).any(|(at, _)| {
        let before = text.as_bytes()[..at].last();
        let behind = &text.as_bytes()[at + name.len()..];
        let goes_on = match behind {
            [b'.', next, ..] => part(next),
            [next, ..] => part(next),
            [] => false,
        };
        !goes_on && !before.is_some_and(|byte| part(byte) || *byte == b'.')
    })
}

/// A trouble with such a name is the domain's doing.
pub fn detect(ctx: &Ctx) {
    let Some(caught) = caught(ctx) else { return };
    let names = |text: &str| is_alone(text, &caught.name);
    let troubled = ctx.signals().iter().any(|signal| {
        signal.strength >= 0.4
            && (names(&signal.title)
                || names(&signal.statement)
                || signal.evidence.iter().any(|line| names(&line.quote)))
    });
    let asked = names(&ctx.ticket);
    if !troubled && !asked {
        return;
    }
    let Caught {
        domain,
        name,
        shown,
    } = caught;
    let mut draft = Draft::cause("search-domain-catches-name", "DNS", "", &domain, 0.93).says(
        format!("the search domain {domain} catches the name {name}: it resolves as {name}.{domain}, another host"),
        format!("Pods look {name} up as {name}.{domain} first, because {domain} is a search domain of theirs and the name has fewer dots than ndots; that domain has an answer for it (a wildcard record, it seems), so that they reach another host than the one meant. A dot at the name's end, a lower ndots, or the wildcard taken out of the domain avoids it."),
    );
    for line in shown {
        draft = draft.show(Some(line));
    }
    ctx.emit(draft);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};

    const LOG: &str = "2026-02-01T07:10:00Z ERROR tls: failed to verify certificate: x509: certificate is valid for *.in.example.net, not api.pay.example.com\n2026-02-01T07:11:00Z ERROR tls: failed to verify certificate: x509: certificate is valid for *.in.example.net, not api.pay.example.com\n";
    const RESOLV: &str = "search shop.svc.cluster.local svc.cluster.local cluster.local in.example.net\nnameserver 10.96.0.10\noptions ndots:5\n";

    #[test]
    fn a_domain_that_answers_every_name() {
        let of = |answer: &str| {
            run(&[
                ("logs/shop/pay-1.log", LOG),
                ("exec/resolv.conf", RESOLV),
                ("exec/getent.txt", answer),
            ])
        };
        let found = of(
            "$ getent hosts api.pay.example.com\n10.9.0.80       api.pay.example.com.in.example.net\n",
        );
        assert_eq!(first(&found).cause, "search-domain-catches-name");
        let right = of(
            "$ getent hosts api.pay.example.com\n198.51.100.7    api.pay.example.com\n10.9.0.1  wiki.in.example.net\n",
        );
        assert_ne!(first(&right).cause, "search-domain-catches-name");
    }

    #[test]
    fn a_host_whose_name_has_a_domain_is_not_caught() {
        let log = LOG.replace("api.pay.example.com", "node1.maas.in.example.net");
        let found = |resolv: &str| {
            run(&[
                ("logs/shop/pay-1.log", &log),
                ("exec/resolv.conf", resolv),
                ("exec/getent.txt", "10.9.0.80  node1.maas.in.example.net\n"),
            ])
        };
        for resolv in [RESOLV, "search in.example.net\nnameserver 10.0.0.2\n"] {
            assert!(
                found(resolv)
                    .signals
                    .iter()
                    .all(|one| one.cause != "search-domain-catches-name")
            );
        }
    }
}
