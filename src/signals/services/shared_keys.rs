//! Keys that must be equal on both sides: each peer hears the other and throws away what it says.

use super::rule::{RULE, Rule};

/// The rules.
pub const RULES: &[Rule] = &[
    // Amphorae sign their heartbeats; the health manager drops the packets whose signature it cannot make itself,
    // and then takes the silent amphora for dead.
    Rule {
        id: "octavia.heartbeat-key",
        cause: "octavia-heartbeat-key",
        scope: &["octavia"],
        needs: &["hmac"],
        pattern: r"(?P<what>HMAC hashes didn't match|not equal to msg hmac[^\r\n]{0,12})",
        at_least: 3,
        strength: 0.88,
        persistent: 0.9,
        kind: "Service",
        title: "{daemon}: heartbeats of amphorae are dropped, their HMAC does not match",
        statement: "The Octavia health manager drops heartbeats of its amphorae because their HMAC signature does not match: its key (heartbeat_key) is not the one the amphorae were built with, so healthy amphorae look dead and are failed over.",
        yes: &[
            "WARNING octavia.amphorae.drivers.health.heartbeat_udp [-] Ignoring this packet. Exception: HMAC hashes didn't match",
            "WARNING octavia.amphorae.backends.health_daemon.status_message [-] calculated hmac(hex): 12ab not equal to msg hmac: 34cd dropping packet",
        ],
        no: &[
            "INFO octavia.amphorae.drivers.health.heartbeat_udp [-] Received packet, hmac verified",
        ],
        ..RULE
    },
    Rule {
        id: "corosync.authkey-differs",
        cause: "shared-key-differs",
        scope: &["corosync", "syslog", "messages", "journal"],
        needs: &["digest", "Decrypt data failed", "crypto: ", "TOTEM"],
        pattern: r"(?P<what>(?:Received message has invalid digest|Digest does not match|Decrypt data failed|Invalid packet data|failed to decrypt)[^\r\n]{0,60})",
        at_least: 3,
        strength: 0.86,
        kind: "Cluster",
        subject: "corosync",
        title: "Corosync ignores packets of a peer: {what} ({count} times)",
        statement: "Corosync receives packets whose signature does not verify ({what}){span}: the key file or the cryptographic settings differ between nodes, or a foreign cluster uses the same address and port; the nodes do not form one cluster.",
        yes: &[
            "corosync[1022]: [TOTEM ] Received message has invalid digest... ignoring.",
            "corosync[1022]: [TOTEM ] Digest does not match",
        ],
        no: &[
            "corosync[1022]: [TOTEM ] Initializing transmit/receive security (NSS) crypto: aes256 hash: sha256",
        ],
        ..RULE
    },
    Rule {
        id: "dns.transaction-key",
        cause: "shared-key-differs",
        needs: &["tsig", "BADKEY", "BADSIG", "bad auth"],
        pattern: r"(?P<what>tsig verify failure \((?:BADKEY|BADSIG|BADTIME)\)|TSIG error with server: [^\r\n]{0,60}|request has invalid signature: TSIG (?P<key>\S+): [^\r\n]{0,60}|invalid command from \S+: bad auth|dns\.tsig\.\w*(?:Bad|Peer)\w+[^\r\n]{0,80})",
        at_least: 2,
        strength: 0.82,
        kind: "Service",
        title: "{daemon}: DNS transaction key is refused: {what}",
        statement: "DNS updates, transfers or control commands are refused because their signature does not verify ({what}){span}: the key (TSIG, rndc) differs between the two sides, or their clocks do.",
        yes: &[
            "named[811]: client @0x7f 192.0.2.4#33211: request has invalid signature: TSIG upd-key: tsig verify failure (BADKEY)",
            "named[811]: invalid command from 192.0.2.4#42213: bad auth",
        ],
        no: &["named[811]: zone example.com/IN: sending notifies (serial 5) TSIG ok"],
        ..RULE
    },
    Rule {
        id: "keepalived.password",
        cause: "shared-key-differs",
        scope: &["keepalived", "syslog", "messages", "journal"],
        needs: &["vrrp", "VRRP"],
        pattern: r"(?P<what>(?:received an? invalid passwd|bogus VRRP packet received|invalid authentication|authentication (?:type mismatch|failure))[^\r\n]{0,80})",
        at_least: 3,
        strength: 0.8,
        kind: "VRRP instance",
        subject: "keepalived",
        title: "Keepalived refuses its peer's adverts: {what} ({count} times)",
        statement: "Keepalived throws away adverts of another router ({what}){span}: password, type of authentication or id differ between the peers, or a foreign router uses the same id; both sides may become master.",
        yes: &["Keepalived_vrrp[911]: (vip1): received an invalid passwd! VRRP"],
        no: &["Keepalived_vrrp[911]: VRRP_Instance(vip1) Entering MASTER STATE"],
        ..RULE
    },
    Rule {
        id: "tcp.md5-mismatch",
        cause: "shared-key-differs",
        needs: &["TCP: MD5", "TCP: TCP-AO"],
        pattern: r"TCP: (?P<what>MD5 Hash (?:failed|NOT expected but found|expected but NOT found)|MD5 Hash mismatch|TCP-AO: [^\r\n]{0,30}mismatch) (?:for )?\(?(?P<peer>[0-9a-f.:]+)",
        at_least: 3,
        strength: 0.82,
        kind: "Peer",
        subject: "{peer}",
        title: "TCP signature of {peer} does not verify: {what}",
        statement: "Segments of {peer} are dropped because of their TCP signature ({what}){span}: the password of the BGP (or LDP) session differs between the two sides.",
        yes: &["kernel: [12.5] TCP: MD5 Hash failed for (192.0.2.1, 179)->(192.0.2.2, 41231)"],
        no: &["kernel: TCP: Hash tables configured (established 524288 bind 65536)"],
        ..RULE
    },
    Rule {
        id: "radius.secret",
        cause: "shared-key-differs",
        needs: &["Message-Authenticator", "shared secret"],
        pattern: r"(?P<what>(?:invalid|bad|incorrect) Message-Authenticator[^\r\n]{0,100}|shared secret is incorrect[^\r\n]{0,40})",
        at_least: 2,
        strength: 0.8,
        title: "{daemon}: RADIUS peers have different shared secrets: {what}",
        statement: "RADIUS packets are dropped because they do not verify ({what}){span}: client and server have different shared secrets.",
        yes: &[
            "radiusd[77]: Dropping packet without response because of error: Received packet from 192.0.2.9 with invalid Message-Authenticator!  (Shared secret is incorrect.)",
        ],
        no: &["radiusd[77]: Login OK: [user] (from client nas port 0)"],
        ..RULE
    },
    Rule {
        id: "drbd.secret",
        cause: "shared-key-differs",
        needs: &["drbd"],
        pattern: r"drbd (?P<resource>[\w-]+)[^\r\n]{0,30}: (?P<what>Authentication of peer failed[^\r\n]{0,60}|peer did not agree on cram-hmac[^\r\n]{0,40}|The peer is configured to use [^\r\n]{0,80})",
        strength: 0.84,
        kind: "DRBD resource",
        subject: "{resource}",
        title: "DRBD {resource}: {what}",
        statement: "The peers of DRBD resource {resource} do not accept each other ({what}){span}: secret or settings differ, so they stay apart and do not replicate.",
        yes: &["kernel: drbd data: Authentication of peer failed, trying again."],
        no: &["kernel: drbd data: Peer authenticated using 20 bytes HMAC"],
        ..RULE
    },
];
