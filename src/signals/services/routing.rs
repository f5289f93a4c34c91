//! Routing daemons and first-hop redundancy: FRR, Quagga, BIRD, ExaBGP, GoBGP; BGP, OSPF, BFD.

use super::rule::{RULE, Rule};

const ROUTING: &[&str] = &[
    "frr", "bgp", "ospf", "zebra", "quagga", "bird", "bfd", "isis", "exabgp", "gobgp", "watchfrr",
    "calico", "syslog", "messages", "journal",
];

/// The rules of this family.
pub const RULES: &[Rule] = &[
    // A session that the limit closed stays down until somebody clears it or a restart timer is set.
    Rule {
        id: "bgp.prefix-limit",
        cause: "bgp-prefix-limit",
        scope: ROUTING,
        needs: &[
            "MAXPFXEXCEED",
            "Maximum Number of Prefixes",
            "Route limit exceeded",
            "maximum-prefix",
            "receive limit",
            "prefix limit",
            "prefixes received",
            "PfxCt",
        ],
        pattern: r"(?P<what>%?MAXPFXEXCEED:? [^\r\n]{0,120}|[^\r\n]{0,60}Cease/Maximum Number of Prefixes[^\r\n]{0,40}|[^\r\n]{0,60}Route limit exceeded[^\r\n]{0,60}|[^\r\n]{0,80}(?:import|receive|prefix)[ -]limit (?:of \d+ )?(?:exceeded|reached|hit)[^\r\n]{0,40})",
        near: r"Down BGP Notification|ADJCHANGE|MAXPFX",
        strength: 0.9,
        kind: "BGP",
        subject: "bgp",
        title: "BGP closes sessions at the prefix limit: {what}",
        statement: "A BGP neighbour sent more prefixes than the configured maximum-prefix ({what}); the session is closed and stays Idle until it is cleared, so its routes are gone. Either the neighbour leaks routes or the limit is too low.",
        yes: &[
            "2024/03/01 10:00:00 BGP: [ABC-DEF] %MAXPFXEXCEED: No. of IPv4 Unicast prefix received from 192.0.2.1 101 exceed, limit 100",
            "2024/03/01 10:00:00 BGP: %NOTIFICATION: sent to neighbor 192.0.2.1 6/1 (Cease/Maximum Number of Prefixes Reached) 7 bytes",
            "bird[12]: edge1: Route limit exceeded, shutting down",
        ],
        no: &[
            "BGP: %MAXPFX: No. of IPv4 Unicast prefix received from 192.0.2.1 reaches 76, max 100",
        ],
        ..RULE
    },
    // What the notification says is the reason, whichever side sent it.
    Rule {
        id: "bgp.refused-open",
        cause: "bgp-session-misconfigured",
        scope: ROUTING,
        needs: &[
            "OPEN Message Error",
            "Bad Peer AS",
            "bad OPEN",
            "Unsupported Capability",
            "Bad BGP Identifier",
            "Connection Rejected",
            "Peer De-configured",
            "Administrative",
            "Invalid MD5",
            "MD5 digest",
            "MD5 Hash",
            "Tcp MD5",
        ],
        pattern: r"(?P<what>[^\r\n]{0,80}(?:OPEN Message Error/[\w ]+|Bad Peer AS|remote AS [^\r\n]{0,20}(?:mismatch|expected)[^\r\n]{0,20}|Bad BGP Identifier|Cease/(?:Connection Rejected|Peer De-configured|Peer Unconfigured|Administrative(?:ly)? (?:Shutdown|Reset))|(?:MD5|TCP-AO) (?:hash|digest|authentication) [^\r\n]{0,20}(?:mismatch|fail|NOT found|unexpected|missing)|MD5 Hash (?:NOT expected|NOT found|failed|mismatch|is missing)|Invalid MD5)[^\r\n]{0,80})",
        at_least: 2,
        strength: 0.78,
        kind: "BGP",
        subject: "bgp",
        title: "BGP session is refused: {what} ({count} times)",
        statement: "BGP neighbours refuse each other's OPEN or connection{span} ({what}): AS number, identifier, capability or password of the two sides do not fit, or one side has it shut down.",
        yes: &[
            "BGP: %NOTIFICATION: received from neighbor 192.0.2.1 2/2 (OPEN Message Error/Bad Peer AS) 2 bytes fd e8",
            "kernel: TCP: MD5 Hash NOT found for (192.0.2.1, 179)->(192.0.2.2, 34211)",
            "bird: edge1: Received: Administrative shutdown, Error: Cease/Administrative Shutdown",
        ],
        no: &["BGP: %ADJCHANGE: neighbor 192.0.2.1 in vrf default Up"],
        ..RULE
    },
    Rule {
        id: "bgp.session-down",
        cause: "bgp-session-flapping",
        scope: ROUTING,
        needs: &[
            "Hold Timer Expired",
            "hold timer expired",
            "BFD down received",
            "ADJCHANGE",
            "Control detection time expired",
        ],
        pattern: r"(?P<what>(?:neighbor (?P<peer>[0-9a-fA-F.:]+\S*)[^\r\n]{0,40}Down [^\r\n]{0,60}|[^\r\n]{0,60}Hold [Tt]imer [Ee]xpired[^\r\n]{0,60}))",
        unless: r"Admin(?:istrative)? ?[Ss]hutdown|User reset|neighbor deleted|Interface down",
        at_least: 4,
        strength: 0.72,
        kind: "BGP",
        subject: "bgp",
        title: "BGP sessions go down: {what} ({count} times)",
        statement: "BGP sessions are lost again and again{span} ({what}): keepalives do not arrive in time. The path between the neighbours loses packets, its MTU is too small for large updates, or one side is overloaded.",
        yes: &[
            "BGP: %ADJCHANGE: neighbor 192.0.2.1(leaf) in vrf default Down BGP Notification send",
            "bird: edge1: Error: Hold timer expired",
        ],
        no: &["BGP: %ADJCHANGE: neighbor 192.0.2.1 in vrf default Up"],
        ..RULE
    },
    Rule {
        id: "ospf.neighbour-trouble",
        cause: "ospf-adjacency-broken",
        scope: ROUTING,
        needs: &[
            "MTU mismatch",
            "larger than",
            "Hello Interval mismatch",
            "HelloInterval mismatch",
            "Dead Interval mismatch",
            "RouterDeadInterval",
            "NetMask mismatch",
            "Netmask mismatch",
            "area mismatch",
            "Area mismatch",
            "auth-type",
            "Authentication type mismatch",
            "auth mismatch",
            "InactivityTimer",
            "duplicate router id",
            "Duplicate router",
            "Wrong authentication",
        ],
        pattern: r"(?P<what>[^\r\n]{0,100}(?:MTU (?:mismatch|\d+ is larger than)|larger than \[?\S+\]?'?s? MTU|(?:Hello|Dead|RouterDead) ?Interval mismatch|[Nn]et ?[Mm]ask mismatch|[Aa]rea (?:id )?mismatch|auth(?:entication)?[- ]type mismatch|auth mismatch|[Dd]uplicate router(?:[ -]id)?|Wrong authentication)[^\r\n]{0,80})",
        at_least: 2,
        strength: 0.82,
        kind: "OSPF",
        subject: "ospf",
        title: "OSPF neighbours do not agree: {what} ({count} times)",
        statement: "OSPF neighbours cannot become adjacent{span} ({what}): their interfaces are configured differently (MTU, timers, area, mask or authentication), so no routes are exchanged.",
        yes: &[
            "OSPF: Packet[DD]: Neighbor 192.0.2.1 MTU 9000 is larger than [eth0:192.0.2.2]'s MTU 1500",
            "ospfd[9]: Packet 192.0.2.1 [Hello:RECV]: RouterDeadInterval mismatch (expected 40, but received 12).",
            "bird: ospf1: Bad HELLO packet from nbr 192.0.2.1 on eth0 - hello interval mismatch (5)",
        ],
        no: &["OSPF: AdjChg: Nbr 192.0.2.1(default) on eth0: Loading -> Full (LoadingDone)"],
        ..RULE
    },
    // The daemon's supervisor says that a daemon hangs or died.
    Rule {
        id: "routing.daemon-down",
        cause: "routing-daemon-down",
        scope: &["frr", "watchfrr", "zebra", "syslog", "messages", "journal"],
        needs: &[
            "state -> unresponsive",
            "state -> down",
            "no response yet to ping",
            "Received signal 11",
            "Received signal 6",
        ],
        pattern: r"(?i)watchfrr(?:\[\d+\])?: [^\r\n]{0,40}?(?P<what>(?P<who>\w+) state -> (?:unresponsive|down)[^\r\n]{0,80})|(?:BGP|ZEBRA|OSPF|BFD|ISIS|STATIC): (?P<sig>Received signal (?:11|6) at[^\r\n]{0,60})",
        unless: r"initial connection attempt failed|normal termination",
        strength: 0.8,
        kind: "Service",
        subject: "{who}",
        title: "Routing daemon {who} does not answer: {what}{sig}",
        statement: "A routing daemon hangs or crashed ({what}{sig}): its sessions end and its routes are withdrawn.",
        yes: &[
            "2024/03/01 10:00:00 WATCHFRR: [AB-CD] bgpd state -> unresponsive : no response yet to ping sent 90 seconds ago",
            "BGP: Received signal 11 at 1709287200 (si_addr 0x18, PC 0x55); aborting...",
        ],
        no: &["WATCHFRR: [AB-CD] zebra state -> up : connect succeeded"],
        ..RULE
    },
    // The kernel refuses routes: a table is full or the next hop cannot be resolved.
    Rule {
        id: "routing.table-full",
        cause: "route-table-full",
        scope: &[],
        needs: &[
            "route_max_size",
            "max_size",
            "Route cache is full",
            "dst cache overflow",
            "neighbour table overflow",
            "neighbor table overflow",
            "table overflow!",
        ],
        pattern: r"(?P<what>Route cache is full[^\r\n]{0,80}|dst cache overflow|[^\r\n]{0,30}(?:dst_alloc|rt6?_)[^\r\n]{0,40}max_size[^\r\n]{0,40})",
        strength: 0.82,
        kind: "Host",
        subject: "",
        title: "The kernel's table of routes is full: {what} ({count} times)",
        statement: "The kernel cannot keep further routes{span} ({what}): route max_size is too small for what the routing daemon or the traffic brings.",
        yes: &["kernel: Route cache is full: consider increasing sysctl net.ipv6.route.max_size."],
        no: &["net.ipv6.route.max_size = 4096"],
        ..RULE
    },
];
