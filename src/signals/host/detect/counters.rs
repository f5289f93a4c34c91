//! Counters of the network stack, from `/proc/net/{snmp,netstat}`, `nstat` or `netstat -s`.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;
use std::collections::BTreeMap;

const WORDS: &[&str] = &[
    "network",
    "connection",
    "connections",
    "packet",
    "packets",
    "socket",
    "sockets",
    "tcp",
    "udp",
    "timeout",
    "timeouts",
    "slow",
    "latency",
];

/// Counters of the network stack by their `nstat` names, from whatever printed them.
struct Counters {
    values: BTreeMap<String, (u64, Vec<Evidence>)>,
}

/// `netstat -s` words the same counters in sentences.
const SENTENCES: [(&str, &str); 8] = [
    (
        "times the listen queue of a socket overflowed",
        "TcpExtListenOverflows",
    ),
    ("SYNs to LISTEN sockets dropped", "TcpExtListenDrops"),
    ("receive buffer errors", "UdpRcvbufErrors"),
    ("segments retransmit", "TcpRetransSegs"),
    ("segments sent out", "TcpOutSegs"),
    ("packets pruned from receive queue", "TcpExtPruneCalled"),
    ("packet reassembles failed", "IpReasmFails"),
    ("reassemblies required", "IpReasmReqds"),
];

impl Counters {
    fn read(host: &Host) -> Self {
        let mut values = BTreeMap::new();
        for doc in [host.file("proc/net/snmp"), host.file("proc/net/netstat")]
            .into_iter()
            .flatten()
        {
            let mut names: Option<(usize, Vec<String>)> = None;
            for (number, line) in doc.lines() {
                let Some((group, rest)) = line.split_once(':') else {
                    continue;
                };
                let words: Vec<&str> = rest.split_whitespace().collect();
                match names.take() {
                    Some((at, names)) if names.len() == words.len() => {
                        for (name, word) in names.into_iter().zip(words) {
                            if let Ok(value) = word.parse() {
                                values.insert(name, (value, vec![doc.cite(number), doc.cite(at)]));
                            }
                        }
                    }
                    _ => {
                        names = Some((
                            number,
                            words.iter().map(|word| format!("{group}{word}")).collect(),
                        ))
                    }
                }
            }
        }
        let mut docs = host.commands("nstat", |name| !name.contains("netns"));
        docs.extend(host.commands("netstat", |name| {
            name.contains("-s") && !name.contains("netns")
        }));
        for doc in docs {
            for (number, line) in doc.lines() {
                let words: Vec<&str> = line.split_whitespace().collect();
                let sentence = SENTENCES.iter().find(|(text, _)| line.contains(text));
                let found = match (sentence, words.as_slice()) {
                    (Some((_, name)), words) => words
                        .iter()
                        .find_map(|w| w.parse().ok())
                        .map(|value| ((*name).to_owned(), value)),
                    (None, [name, value, ..]) => {
                        value.parse().ok().map(|value| ((*name).to_owned(), value))
                    }
                    _ => None,
                };
                if let Some((name, value)) = found {
                    values
                        .entry(name)
                        .or_insert_with(|| (value, vec![doc.cite(number)]));
                }
            }
        }
        Self { values }
    }
    fn get(&self, name: &str) -> Option<(u64, &[Evidence])> {
        self.values
            .get(name)
            .map(|(value, evidence)| (*value, evidence.as_slice()))
    }
}

/// A counter that must not grow, alone or as a share of another.
struct Judgement {
    counter: &'static str,
    of: &'static str,
    at_least: u64,
    /// Share in thousandths of `of`, if there is one.
    per_mille: u64,
    cause: &'static str,
    strength: f64,
    symptom: bool,
    means: &'static str,
}

const fn judged(
    counter: &'static str,
    at_least: u64,
    cause: &'static str,
    strength: f64,
    means: &'static str,
) -> Judgement {
    Judgement {
        counter,
        of: "",
        at_least,
        per_mille: 0,
        cause,
        strength,
        symptom: false,
        means,
    }
}

const fn share(
    counter: &'static str,
    of: &'static str,
    at_least: u64,
    per_mille: u64,
    cause: &'static str,
    strength: f64,
    means: &'static str,
) -> Judgement {
    Judgement {
        counter,
        of,
        at_least,
        per_mille,
        cause,
        strength,
        symptom: false,
        means,
    }
}

const JUDGEMENTS: &[Judgement] = &[
    judged(
        "TcpExtListenOverflows",
        10_000,
        "listen-queue-overflow",
        0.56,
        "finished connections were dropped because a server's accept queue was full: it accepts too slowly or its backlog (net.core.somaxconn) is too small",
    ),
    judged(
        "TcpExtListenOverflows",
        100,
        "listen-queue-overflow",
        0.44,
        "finished connections were dropped because a server's accept queue was full: it accepts too slowly or its backlog (net.core.somaxconn) is too small",
    ),
    judged(
        "TcpExtTCPReqQFullDrop",
        1000,
        "listen-queue-overflow",
        0.54,
        "connection requests were dropped because the SYN queue of a server was full",
    ),
    judged(
        "TcpExtTCPAbortOnMemory",
        1,
        "socket-memory-exhausted",
        0.66,
        "connections were aborted because socket memory or orphans were at their limit (tcp_mem, tcp_max_orphans)",
    ),
    judged(
        "UdpMemErrors",
        1,
        "socket-memory-exhausted",
        0.62,
        "datagrams were dropped because UDP socket memory was at its limit (udp_mem)",
    ),
    judged(
        "TcpExtPruneCalled",
        10_000,
        "socket-memory-exhausted",
        0.46,
        "receive queues were pruned because applications read too slowly for their buffers (tcp_rmem)",
    ),
    judged(
        "TcpExtTCPBacklogDrop",
        10_000,
        "socket-receive-drops",
        0.5,
        "segments were dropped because a socket's backlog was full: its process reads too slowly or its buffer is too small",
    ),
    judged(
        "TcpExtTCPRcvQDrop",
        10_000,
        "socket-receive-drops",
        0.5,
        "segments were dropped because a socket's receive queue was full: its process reads too slowly or its buffer is too small",
    ),
    share(
        "UdpRcvbufErrors",
        "UdpInDatagrams",
        10_000,
        10,
        "udp-receive-buffer-overflow",
        0.54,
        "datagrams were lost at full receive buffers: a UDP server reads too slowly or net.core.rmem_max is too small",
    ),
    share(
        "UdpSndbufErrors",
        "UdpOutDatagrams",
        10_000,
        10,
        "udp-receive-buffer-overflow",
        0.46,
        "datagrams could not be sent because send buffers were full",
    ),
    share(
        "TcpInCsumErrors",
        "TcpInSegs",
        1000,
        1,
        "interface-errors",
        0.52,
        "segments arrived with wrong checksums: a card, its offloading or the path damages packets",
    ),
    share(
        "UdpInCsumErrors",
        "UdpInDatagrams",
        1000,
        1,
        "interface-errors",
        0.5,
        "datagrams arrived with wrong checksums: a card, its offloading or the path damages packets",
    ),
    share(
        "IpReasmFails",
        "IpReasmReqds",
        1000,
        100,
        "ip-reassembly-failures",
        0.52,
        "fragmented packets could not be put together: fragments are lost or the fragment memory (ipfrag_high_thresh) is too small",
    ),
    Judgement {
        counter: "TcpRetransSegs",
        of: "TcpOutSegs",
        at_least: 10_000,
        per_mille: 30,
        cause: "packet-loss",
        strength: 0.46,
        symptom: true,
        means: "TCP segments had to be sent again: packets are lost on the way",
    },
];

/// Judges the counters of the host's own network namespace.
pub fn detect(host: &Host, out: &mut Partial) {
    let counters = Counters::read(host);
    let mut told: Vec<&str> = Vec::new();
    for rule in JUDGEMENTS {
        let Some((value, lines)) = counters.get(rule.counter).filter(|c| c.0 >= rule.at_least)
        else {
            continue;
        };
        let whole = counters.get(rule.of);
        let part = whole.map_or(1000, |w| {
            u64::try_from(u128::from(value) * 1000 / u128::from(w.0.max(1))).unwrap_or(u64::MAX)
        });
        if (rule.per_mille > 0 && (whole.is_none() || part < rule.per_mille))
            || told.contains(&rule.counter)
        {
            continue;
        }
        told.push(rule.counter);
        let strength = if rule.per_mille > 0 && part >= rule.per_mille.saturating_mul(5) {
            rule.strength + 0.06
        } else {
            rule.strength
        };
        let of = whole.map_or(String::new(), |w| format!(" of {} {}", w.0, rule.of));
        let mut draft = Draft::cause(
            "stack-counters",
            rule.cause,
            strength,
            "Counter",
            rule.counter,
        )
        .says(
            format!("{}: {value}{of}", rule.counter),
            format!("{} counts {value}{of}: {}.", rule.counter, rule.means),
        )
        .cites(lines.iter().take(1).cloned())
        .cites(whole.into_iter().flat_map(|w| w.1.iter().take(1).cloned()))
        .cites(lines.iter().skip(1).cloned())
        .if_ticket(host, WORDS);
        if rule.symptom {
            draft = draft.symptom();
        }
        draft.put(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn counters_of_any_tool_are_judged_by_share() {
        let snmp = |errors: u32| {
            format!(
                "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors\nUdp: 1000000 5 5 7 {errors}\n"
            )
        };
        assert_eq!(
            causes(&on(&[("proc/net/snmp", &snmp(80_000))])),
            ["udp-receive-buffer-overflow"]
        );
        assert!(causes(&on(&[("proc/net/snmp", &snmp(500))])).is_empty());
        let nstat = "#kernel\nTcpExtListenOverflows           25000              0.0\n";
        assert_eq!(
            causes(&on(&[("sos_commands/networking/nstat_-zas", nstat)])),
            ["listen-queue-overflow"]
        );
        let netstat = "    25000 times the listen queue of a socket overflowed\n";
        assert_eq!(
            causes(&on(&[("sos_commands/networking/netstat_-s", netstat)])),
            ["listen-queue-overflow"]
        );
    }
}
