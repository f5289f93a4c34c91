//! Name resolution as resolvers and name servers log it: DNSSEC, zones, forwarders, leases.

use super::rule::{RULE, Rule};

const HOST: &[&str] = &[
    "resolved", "systemd", "syslog", "messages", "journal", "daemon",
];
const SERVERS: &[&str] = &[
    "named", "bind", "unbound", "dnsmasq", "pdns", "knot", "syslog", "messages", "journal",
    "daemon",
];

/// The rules of this family.
pub const RULES: &[Rule] = &[
    // A validating resolver refuses unsigned answers for a zone that should be signed: internal zones never are.
    Rule {
        id: "dns.dnssec-validation",
        cause: "dnssec-validation-fails",
        scope: HOST,
        needs: &["DNSSEC validation failed"],
        pattern: r"DNSSEC validation failed for question (?P<name>[\w.-]+) IN (?P<kind_>\w+): (?P<why>[\w-]+)",
        at_least: 3,
        strength: 0.84,
        persistent: 0.9,
        kind: "DNS name",
        subject: "{name}",
        title: "DNSSEC validation fails for {name}: {why} ({count} times)",
        statement: "systemd-resolved validates answers (DNSSEC) and refuses those for {name}{span}: {why}. The zone is unsigned or its signatures are broken or unknown to the forwarder, so its names do not resolve although the server answers.",
        yes: &[
            "systemd-resolved[99]: DNSSEC validation failed for question git.example.internal IN A: no-signature",
        ],
        no: &[
            "systemd-resolved[99]: Server 10.0.0.2 does not support DNSSEC, downgrading to non-DNSSEC mode.",
        ],
        ..RULE
    },
    Rule {
        id: "dns.dnssec-server",
        cause: "dnssec-validation-fails",
        scope: SERVERS,
        needs: &[
            "validation failure",
            "broken trust chain",
            "no valid RRSIG",
            "no valid DS",
            "got insecure response; parent indicates it should be secure",
            "insecure DS reply",
            "Validation result is BOGUS",
            "signature expired",
            "RRSIG has expired",
        ],
        pattern: r"(?P<what>validation failure <(?P<name>[^>]{2,120})>[^\r\n]{0,120}|error \((?:broken trust chain|no valid RRSIG|no valid DS|insecurity proof failed)\) resolving '(?P<n2>[^']{1,120})'|got insecure response; parent indicates it should be secure|Insecure DS reply received for \S+[^\r\n]{0,60}|(?:RRSIG|signature) has expired[^\r\n]{0,60})",
        at_least: 3,
        strength: 0.78,
        persistent: 0.84,
        kind: "DNS name",
        subject: "{name}{n2}",
        title: "DNSSEC validation fails in {daemon}: {what} ({count} times)",
        statement: "The resolver {daemon} refuses answers that it cannot validate{span} ({what}): expired or missing signatures, a wrong clock, a missing trust anchor, or a forwarder that strips DNSSEC.",
        yes: &[
            "unbound[99]: [99:0] info: validation failure <git.example.internal. A IN>: no signatures from 10.0.0.2",
            "named[99]: error (broken trust chain) resolving 'git.example.internal/A/IN': 10.0.0.2#53",
        ],
        no: &["named[99]: managed-keys-zone: loaded serial 3"],
        ..RULE
    },
    Rule {
        id: "dns.refused",
        cause: "dns-server-refuses",
        scope: SERVERS,
        needs: &["denied", "unexpected RCODE", "REFUSED", "rate limit"],
        pattern: r"(?P<what>(?:query|query \(cache\)|recursion|zone transfer|update) '(?P<name>[^']{1,120})' denied|zone transfer '[^']{1,100}' denied|query \(cache\) '[^']{1,100}' denied|error \(unexpected RCODE (?P<rcode>REFUSED|SERVFAIL|NOTAUTH)\) resolving '(?P<n2>[^']{1,120})'[^\r\n]{0,60})",
        at_least: 20,
        strength: 0.5,
        persistent: 0.62,
        kind: "DNS server",
        subject: "{daemon}",
        title: "DNS server {daemon} refuses or is refused: {what} ({count} times)",
        statement: "{daemon} logs refused queries{span} ({what}): the client is outside allow-query or allow-recursion, or the forwarder does not serve this name.",
        yes: &[
            "named[99]: client @0x7f 10.0.0.9#5353 (git.example.internal): query (cache) 'git.example.internal/A/IN' denied",
        ],
        no: &["named[99]: zone example.internal/IN: loaded serial 3"],
        ..RULE
    },
    Rule {
        id: "dns.zone-expired",
        cause: "dns-server-fault",
        scope: SERVERS,
        needs: &[
            "expired",
            "Transfer status:",
            "not loaded due to errors",
            "failed to connect",
            "journal rollforward failed",
            "has no address records",
            "unreachable",
        ],
        pattern: r"(?P<what>zone (?P<name>\S+?)/IN(?:/\w+)?: (?:expired|journal rollforward failed: [^\r\n]{0,60}|refresh: (?:unexpected rcode|failure trying master|retry limit for)[^\r\n]{0,80}|has no address records[^\r\n]{0,40}|NS '[^']+' has no address records[^\r\n]{0,30})|transfer of '(?P<n2>[^']+)' from \S+: (?:failed|Transfer status: (?:REFUSED|connection refused|timed out|tsig)[^\r\n]{0,40})[^\r\n]{0,60})",
        strength: 0.76,
        kind: "DNS zone",
        subject: "{name}{n2}",
        title: "DNS zone cannot be served or transferred: {what}",
        statement: "The name server {daemon} has no valid copy of a zone{span} ({what}): it answers SERVFAIL for its names or serves old ones.",
        yes: &[
            "named[99]: zone example.internal/IN: expired",
            "named[99]: transfer of 'example.internal/IN' from 10.0.0.2#53: Transfer status: REFUSED",
        ],
        no: &[
            "named[99]: transfer of 'example.internal/IN' from 10.0.0.2#53: Transfer status: success",
        ],
        ..RULE
    },
    Rule {
        id: "dns.loop-or-limit",
        cause: "dns-server-overloaded",
        scope: SERVERS,
        needs: &[
            "Maximum number of concurrent",
            "no more recursive clients",
            "exceeded max recursion",
            "recursive-clients",
            "DNS loop",
            "queries-per",
            "jostle",
        ],
        pattern: r"(?P<what>Maximum number of concurrent DNS queries (?:to \S+ )?reached[^\r\n]{0,40}|no more recursive clients[^\r\n]{0,80}|recursive-clients (?:soft|hard) limit exceeded[^\r\n]{0,60}|exceeded max (?:recursion depth|queries) resolving[^\r\n]{0,80})",
        at_least: 2,
        strength: 0.78,
        kind: "DNS server",
        subject: "{daemon}",
        title: "DNS server {daemon} is at its limit: {what} ({count} times)",
        statement: "{daemon} has no place for further queries{span} ({what}): its forwarders answer slowly or not at all, queries run in a loop, or clients ask too much.",
        yes: &[
            "named[99]: client @0x7f 10.0.0.9#5353: no more recursive clients (1000/900/1000): quota reached",
        ],
        no: &["named[99]: resolver priming query complete"],
        ..RULE
    },
];
