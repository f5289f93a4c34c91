//! Two nodes of one cluster: the packet filter of one lacks what the other's lets in.

use crate::bundle::FileKind;
use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host, cite_at};
use crate::signals::host::logs::is_system_log;

/// What the nodes of a cluster tell each other.
struct Protocol {
    called: &'static str,
    /// One of these stands in the rule that lets it in.
    marks: &'static [&'static str],
    /// What a node logs that does not hear the others.
    trouble: &'static [&'static str],
    /// Both nodes must log it.
    both: bool,
    follows: &'static str,
}

const PROTOCOLS: [Protocol; 3] = [
    Protocol {
        called: "VRRP (protocol 112)",
        marks: &[" 112 ", "vrrp", "224.0.0.18"],
        trouble: &[
            "Entering MASTER STATE",
            "Transition to MASTER STATE",
            "with lower priority",
        ],
        both: true,
        follows: "it does not hear the advertisements of the other node and becomes MASTER too: split brain, both hold the virtual address",
    },
    Protocol {
        called: "corosync (UDP 5405)",
        marks: &["5404", "5405", "high-availability", "corosync"],
        trouble: &[
            "A processor failed, forming new configuration",
            "Token has not been received",
            "within the non-primary component",
            "FAILED TO RECEIVE",
        ],
        both: false,
        follows: "the nodes do not hear each other: quorum, fencing, split brain",
    },
    Protocol {
        called: "Galera (TCP 4567)",
        marks: &["4567", "galera"],
        trouble: &[
            "no nodes coming from prim view",
            "failed to reach primary view",
            "gmcast_connect_to_address",
        ],
        both: false,
        follows: "the node cannot join the database cluster",
    },
];

/// What one node's filter does with one protocol.
#[derive(Clone)]
struct Stand {
    /// The rule that lets it in, or the policy that lets in everything.
    open: Option<Evidence>,
    /// The policy that drops it, without a rule against that.
    closed: Option<Evidence>,
    trouble: Option<Evidence>,
}

/// One node with a packet filter.
pub struct Peer {
    name: String,
    stands: Vec<Stand>,
}

/// Reads a node's packet filter and what the protocols' daemons say. `None` without a filter.
pub fn of(host: &Host) -> Option<Peer> {
    let table = |name: &str| {
        !["nat", "mangle", "raw"]
            .iter()
            .any(|word| name.split(' ').any(|part| part == *word))
    };
    let mut docs = host.commands("iptables", table);
    docs.extend(host.commands("nft", |name| name.contains("list")));
    if docs.is_empty() {
        docs.extend(
            [
                "etc/sysconfig/iptables",
                "etc/iptables/rules.v4",
                "etc/nftables.conf",
                "etc/sysconfig/nftables.conf",
            ]
            .iter()
            .filter_map(|path| host.file(path)),
        );
        docs.extend(host.commands("etc", |name| {
            name.contains("iptables") || name.contains("nftables")
        }));
    }
    let rules: Vec<Input> = docs.iter().filter_map(input).collect();
    if rules.is_empty() {
        return None;
    }
    let mut stands: Vec<Stand> = PROTOCOLS
        .iter()
        .map(|protocol| stand(protocol, &rules))
        .collect();
    speak(host, &mut stands);
    let root = host.root.trim_end_matches('/');
    let name = host
        .file("etc/hostname")
        .and_then(|doc| doc.lines().next().map(|(_, line)| line.trim().to_owned()))
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| root.rsplit('/').next().unwrap_or(root).to_owned());
    Some(Peer { name, stands })
}

/// The rules of one listing that packets for the host meet.
struct Input {
    /// What drops the rest.
    drops: Option<Evidence>,
    /// What lets in the rest.
    accepts: Option<Evidence>,
    /// Rules that let something in, in lower case.
    rules: Vec<(String, Evidence)>,
}

fn input(doc: &Doc) -> Option<Input> {
    let mut found = Input {
        drops: None,
        accepts: None,
        rules: Vec::new(),
    };
    let mut chain = String::new();
    let mut seen = false;
    for (number, line) in doc.lines() {
        let lower = line.trim().to_lowercase();
        let words: Vec<&str> = lower.split_whitespace().collect();
        let Some(first) = words.first() else { continue };
        // `Chain INPUT (policy DROP`, `:INPUT DROP [0:0]`, `-A INPUT …`, `chain input {`.
        match *first {
            "chain" | "-a" => {
                words
                    .get(1)
                    .copied()
                    .unwrap_or_default()
                    .clone_into(&mut chain);
            }
            word if word.starts_with(':') => word[1..].clone_into(&mut chain),
            _ => {}
        }
        let inward = chain == "input";
        seen |= inward;
        let policy = *first == "chain" || first.starts_with(':') || lower.contains("policy ");
        if policy {
            let hooked = inward || lower.contains("hook input");
            if hooked
                && words
                    .iter()
                    .any(|word| word.trim_matches([';', ')']) == "drop")
            {
                found.drops = Some(doc.cite(number));
            } else if hooked
                && words
                    .iter()
                    .any(|word| word.trim_matches([';', ')']) == "accept")
            {
                found.accepts = Some(doc.cite(number));
            }
            continue;
        }
        let apart = ["forward", "output", "prerouting", "postrouting"].contains(&chain.as_str())
            || ["docker", "kube-", "cni-", "libvirt", "cali-"]
                .iter()
                .any(|start| chain.starts_with(start));
        if apart {
            continue;
        }
        if words.contains(&"accept") {
            found.rules.push((format!("{lower} "), doc.cite(number)));
        } else if inward
            && words
                .iter()
                .any(|word| *word == "drop" || *word == "reject")
            && is_broad(&lower)
        {
            found.drops = Some(doc.cite(number));
        }
    }
    seen.then_some(found)
}

/// Whether a rule names neither protocol, port, state nor the loopback interface.
fn is_broad(rule: &str) -> bool {
    let words: Vec<&str> = rule.split_whitespace().collect();
    if [
        "established",
        "invalid",
        "dport",
        "dpt",
        "l4proto",
        "protocol",
        " -p ",
        "icmp",
        "limit",
    ]
    .iter()
    .any(|word| rule.contains(word))
        || words.iter().any(|word| word.trim_matches('"') == "lo")
    {
        return false;
    }
    // A listing names the protocol after the target; `all` or 0 is any.
    let after = ["accept", "drop", "reject"]
        .iter()
        .find_map(|target| words.iter().position(|word| word == target))
        .and_then(|at| words.get(at + 1));
    rule.starts_with("-a ") || after.is_none_or(|word| ["all", "0"].contains(word))
}

fn stand(protocol: &Protocol, listings: &[Input]) -> Stand {
    let rule = listings
        .iter()
        .flat_map(|listing| &listing.rules)
        .find(|(rule, _)| protocol.marks.iter().any(|mark| rule.contains(mark)));
    let broad = || {
        listings
            .iter()
            .flat_map(|listing| &listing.rules)
            .find(|(rule, _)| is_broad(rule))
    };
    let drops = listings.iter().find_map(|listing| listing.drops.clone());
    let open = rule.or_else(broad).map(|(_, line)| line.clone());
    Stand {
        closed: drops.clone().filter(|_| open.is_none()),
        open: open.or_else(|| {
            listings
                .iter()
                .find_map(|listing| listing.accepts.clone())
                .filter(|_| drops.is_none())
        }),
        trouble: None,
    }
}

/// The last line of trouble that the logs hold for each protocol.
fn speak(host: &Host, stands: &mut [Stand]) {
    for entry in host.entries().filter(|entry| {
        !matches!(
            entry.kind,
            FileKind::Archive | FileKind::Binary | FileKind::Empty
        ) && is_system_log(host.rel(entry), entry)
    }) {
        let Ok(Some(text)) = host.tree.text(entry) else {
            continue;
        };
        for (number, line) in text.lines() {
            for (protocol, stand) in PROTOCOLS.iter().zip(stands.iter_mut()) {
                if let Some(at) = protocol.trouble.iter().find_map(|words| line.find(words)) {
                    stand.trouble = Some(cite_at(entry.path.as_str(), number, line, at));
                }
            }
        }
    }
}

/// Speaks where one node lets in what another drops, and their logs show that it is missed.
pub fn compare(peers: &[Peer], out: &mut Partial) {
    for (index, protocol) in PROTOCOLS.iter().enumerate() {
        let stand = |peer: &Peer| peer.stands.get(index).cloned();
        let open = peers.iter().filter_map(|peer| {
            let stand = stand(peer)?;
            Some((peer, stand.open.clone()?, stand.trouble))
        });
        let closed: Vec<_> = peers
            .iter()
            .filter_map(|peer| {
                let stand = stand(peer)?;
                Some((peer, stand.closed.clone()?, stand.trouble))
            })
            .collect();
        let open: Vec<_> = open.collect();
        for (lacks, policy, own) in &closed {
            let pair = open.iter().find(|(has, _, others)| {
                has.name != lacks.name
                    && if protocol.both {
                        own.is_some() && others.is_some()
                    } else {
                        own.is_some() || others.is_some()
                    }
            });
            let Some((has, rule, others)) = pair else {
                continue;
            };
            Draft::cause("filter-lacks-peer", "firewall-blocks-service", 0.92, "Firewall", &lacks.name)
                .says(
                    format!("The packet filter of {} does not let in {}, that of {} does: {}", lacks.name, protocol.called, has.name, protocol.follows),
                    format!("On {} the firewall's INPUT policy drops what no rule accepts, and no rule accepts {}, while {} lets it in; {}.", lacks.name, protocol.called, has.name, protocol.follows),
                )
                .cites([policy.clone(), rule.clone()])
                .cites(own.clone())
                .cites(others.clone())
                .put(out);
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    fn nodes(second: &str, log: &str) -> bool {
        let first = "Chain INPUT (policy DROP 5 packets, 1K bytes)\n pkts bytes target prot opt in out source destination\n 9 9 ACCEPT all -- lo * 0.0.0.0/0 0.0.0.0/0\n 3 3 ACCEPT 112 -- * * 0.0.0.0/0 0.0.0.0/0\n";
        let own = "Mar  5 10:00:00 a Keepalived_vrrp[9]: (gw) Entering MASTER STATE\n";
        let out = on(&[
            ("a/messages", own),
            ("a/iptables_-vnL", first),
            ("b/messages", log),
            ("b/iptables_-vnL", second),
        ]);
        causes(&out).contains(&"firewall-blocks-service")
    }

    #[test]
    fn a_rule_that_only_one_node_has() {
        let master = "Mar  5 10:00:09 b Keepalived_vrrp[9]: (gw) Entering MASTER STATE\n";
        let with = |rule: &str| {
            format!(
                "Chain INPUT (policy DROP 5 packets, 1K bytes)\n 9 9 ACCEPT all -- lo * 0.0.0.0/0 0.0.0.0/0\n{rule}"
            )
        };
        assert!(nodes(
            &with(" 1 1 ACCEPT tcp -- * * 0.0.0.0/0 0.0.0.0/0 tcp dpt:22\n"),
            master
        ));
        // It hears the other.
        let backup = "Mar  5 10:00:09 b Keepalived_vrrp[9]: (gw) Entering BACKUP STATE\n";
        assert!(!nodes(&with(""), backup));
        // It lets in the protocol, or everything from the other node.
        assert!(!nodes(
            &with(" 1 1 ACCEPT vrrp -- * * 0.0.0.0/0 0.0.0.0/0\n"),
            master
        ));
        assert!(!nodes(
            &with(" 1 1 ACCEPT all -- * * 10.0.0.7 0.0.0.0/0\n"),
            master
        ));
        assert!(!nodes(
            "Chain INPUT (policy ACCEPT 5 packets, 1K bytes)\n",
            master
        ));
        let nft = "table inet filter {\n chain input {\n type filter hook input priority filter; policy drop;\n iif \"lo\" accept\n tcp dport 22 accept\n }\n}\n";
        assert!(nodes(nft, master));
    }
}
