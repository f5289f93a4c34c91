//! Open vSwitch: its datapath, DPDK, ports and tunnels.

use super::rule::{RULE, Rule};
use crate::signals::Role;

const OVS: &[&str] = &["ovs", "ovn", "openvswitch", "vswitchd", "ovsdb"];

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "ovs.long-poll",
        cause: "ovs-long-poll-interval",
        scope: OVS,
        needs: &["Unreasonably long"],
        pattern: r"Unreasonably long (?P<ms>\d{5,})ms poll interval \((?P<user>\d+)ms user, (?P<system>\d+)ms system\)",
        at_least: 3,
        strength: 0.4,
        persistent: 0.5,
        title: "{daemon}: main loop blocked for up to {ms} ms ({count} times)",
        statement: "The main loop of {daemon} was blocked {count} times for 10 s or more ({ms} ms, {user} ms of it user time): too much work for one thread (large database, compaction) or a starved CPU.",
        yes: &[
            "2024-01-01T00:00:00.1Z|12|timeval|WARN|Unreasonably long 15012ms poll interval (14000ms user, 10ms system)",
        ],
        no: &[
            "2024-01-01T00:00:00.1Z|12|timeval|WARN|Unreasonably long 1501ms poll interval (1400ms user, 10ms system)",
        ],
        ..RULE
    },
    // BFD decides which gateway is alive.
    Rule {
        id: "ovs.bfd-down",
        cause: "bfd-down",
        scope: OVS,
        needs: &["bfd"],
        pattern: r"bfd.*(?P<port>\b(?:ovn-|vxlan|gen|ovs)\S+): (?:BFD state change|New remote|bfd state change).{0,40}?(?P<what>up->down|(?:Control Detection Time Expired|Neighbor Signaled Session Down))|bfd.{0,20}\|INFO\|(?P<iface>\S+): BFD state change: (?P<change>up->down).{0,80}",
        at_least: 2,
        strength: 0.66,
        persistent: 0.76,
        kind: "Tunnel",
        subject: "{port}{iface}",
        title: "BFD session on tunnel {port}{iface} goes down ({count} times)",
        statement: "BFD over tunnel {port}{iface} lost its peer {count} times ({line}): packets between the chassis are lost, so gateways fail over.",
        yes: &[
            "2024-01-01T00:00:00.1Z|12|bfd(monitor)|INFO|ovn-abc-0: BFD state change: up->down \"No Diagnostic\"->\"Control Detection Time Expired\".",
        ],
        no: &[
            "2024-01-01T00:00:00.1Z|12|bfd(monitor)|INFO|ovn-abc-0: BFD state change: down->up \"No Diagnostic\".",
        ],
        ..RULE
    },
    Rule {
        id: "ovs.netlink-overrun",
        cause: "ovs-netlink-overrun",
        scope: OVS,
        needs: &["netlink", "ENOBUFS", "No buffer space", "lost packet"],
        pattern: r"(?P<what>(?:netlink_(?:socket|notifier)|dpif(?:_netlink)?|nl_).{0,60}(?:No buffer space available|ENOBUFS|overrun|lost packet|Resource temporarily unavailable).*|lost packet on port channel \d+ of handler \d+)",
        at_least: 3,
        strength: 0.7,
        persistent: 0.78,
        title: "{daemon}: netlink buffer overrun, upcalls or notifications are lost: {what}",
        statement: "The kernel dropped netlink messages for {daemon} ({what}, {count} times): more new flows arrive than it handles; packets of new flows are lost.",
        yes: &[
            "2024-01-01T00:00:00.1Z|12|netlink_socket|WARN|netlink receive buffer overflow: No buffer space available",
            "2024-01-01T00:00:00.1Z|12|dpif(handler1)|WARN|system@ovs-system: lost packet on port channel 0 of handler 1",
        ],
        no: &[
            "2024-01-01T00:00:00.1Z|12|dpif_netlink|INFO|The kernel module does not support meters.",
        ],
        ..RULE
    },
    Rule {
        id: "ovs.flow-limit",
        cause: "ovs-flow-limit",
        scope: OVS,
        needs: &[
            "flow limit",
            "Dropped .* upcall",
            "upcall_cb failure",
            "flow table",
        ],
        pattern: r"(?P<what>.*(?:datapath flow limit reached|upcall_cb failure: (?:ukey installation fails|flow limit|upcall disabled)|flow table is full).*)",
        at_least: 2,
        strength: 0.74,
        title: "{daemon}: datapath flow limit reached: {what}",
        statement: "Open vSwitch cannot install more datapath flows ({what}): flows are evicted, every packet goes through the slow path.",
        yes: &[
            "2024-01-01T00:00:00.1Z|12|ofproto_dpif_upcall(handler1)|WARN|upcall: datapath flow limit reached",
        ],
        no: &["flow-limit set to 200000"],
        ..RULE
    },
    Rule {
        id: "ovs.dpdk-init",
        cause: "ovs-dpdk-init-failed",
        scope: OVS,
        needs: &["EAL:", "dpdk|", "netdev_dpdk", "dpdk"],
        pattern: r"(?:dpdk\|(?:EMER|ERR)\|(?P<what>.+)|EAL: (?P<eal>(?:.*(?:[Cc]annot|[Ff]ail|FATAL|[Nn]o free|[Nn]ot enough memory|PANIC|invalid).*))|(?P<port>Error attaching device '[^']+' to DPDK)|netdev_dpdk\|(?:ERR|WARN)\|(?P<dev>.*(?:Failed|Insufficient memory|cannot|Cannot|No free).*))",
        unless: r"No (?:free )?1048576 kB hugepages|VFIO support could not be|No legacy callbacks|module \w+ (?:is )?not (?:found|loaded)|Probing VFIO",
        strength: 0.84,
        title: "Open vSwitch DPDK fails to start: {what}{eal}{port}{dev}",
        statement: "DPDK in Open vSwitch did not initialise: {what}{eal}{port}{dev}. Hugepages per NUMA node, CPU masks (dpdk-lcore-mask, pmd-cpu-mask) and the driver bound to the device decide.",
        yes: &[
            "2024-01-01T00:00:00.1Z|12|dpdk|EMER|Unable to initialize DPDK: Cannot allocate memory",
            "2024-01-01T00:00:00.1Z|12|dpdk|ERR|EAL: Cannot get hugepage information.",
            "2024-01-01T00:00:00.1Z|12|netdev_dpdk|ERR|Insufficient memory to create memory pool for netdev dpdk0, with MTU 9000 on socket 0",
        ],
        no: &[
            "2024-01-01T00:00:00.1Z|12|dpdk|INFO|EAL: Detected 40 lcore(s)",
            "2024-01-01T00:00:00.1Z|12|dpdk|INFO|DPDK Enabled - initialized",
        ],
        ..RULE
    },
    Rule {
        id: "ovs.vhost",
        cause: "ovs-vhost-failed",
        scope: OVS,
        needs: &["vhost-user", "vhostuser", "VHOST_CONFIG"],
        pattern: r"(?P<what>vhost-user (?:server|client): socket create(?:d)?.{0,40}failed.*|VHOST_CONFIG:.{0,40}(?:failed|error|cannot).*|vHost Device '[^']+' .{0,60}(?:failed|removed unexpectedly).*|bind to \S+ failed: .*remove it and try again.*)",
        at_least: 2,
        strength: 0.7,
        title: "{daemon}: vhost-user port fails: {what}",
        statement: "The vhost-user socket between Open vSwitch and the guest fails: {what}.",
        yes: &[
            "VHOST_CONFIG: bind to /run/vhu1 failed: Address already in use; remove it and try again",
        ],
        no: &["VHOST_CONFIG: vhost-user server: socket created, fd: 72"],
        ..RULE
    },
    Rule {
        id: "ovs.schema-mismatch",
        cause: "ovsdb-schema-mismatch",
        scope: OVS,
        needs: &[
            "schema",
            "no column",
            "unknown column",
            "database lacks",
            "needs upgrade",
        ],
        pattern: r"(?P<what>(?:OVN_\w+|Open_vSwitch|ovsdb\S*).{0,80}(?:lacks? (?:the )?\S+ (?:table|column).{0,60}|(?:unknown|no) (?:column|table) .{0,60})|database needs upgrade.{0,60}|schema.{0,60}(?:mismatch|version .{0,30}(?:differ|unsupported)).{0,40}|(?P<table>\w+) table in \S+ database lacks (?P<column>\S+) column.*)",
        at_least: 1,
        strength: 0.66,
        title: "{daemon}: OVSDB schema mismatch: {what}",
        statement: "{daemon} and its database have different schema versions ({what}): one of them was upgraded without the other.",
        yes: &[
            "2024-01-01T00:00:00.1Z|12|ovsdb_cs|WARN|Chassis_Private table in OVN_Southbound database lacks nb_cfg_timestamp column (database needs upgrade?)",
        ],
        no: &["2024-01-01T00:00:00.1Z|12|ovsdb_server|INFO|schema version 20.1.0"],
        ..RULE
    },
    Rule {
        id: "ovs.db-unreachable",
        cause: "ovsdb-unreachable",
        scope: OVS,
        needs: &["connection attempt failed", "connection attempt timed out"],
        pattern: r"\|(?P<peer>(?:ssl|tcp|unix):\S+?): connection attempt (?:failed \((?P<why>[^)]+)\)|(?P<timeout>timed out))",
        cleared_by: r"\|reconnect\|INFO\|\S+: connected",
        at_least: 10,
        strength: 0.5,
        persistent: 0.6,
        role: Role::Symptom,
        subject: "{peer}",
        title: "{daemon} cannot connect to {peer}: {why}{timeout}",
        statement: "{daemon} failed {count} times to connect to {peer} ({why}{timeout}).",
        yes: &[
            "2024-01-01T00:00:00.1Z|12|reconnect|INFO|ssl:10.0.0.1:6642: connection attempt failed (Connection refused)",
        ],
        no: &["2024-01-01T00:00:00.1Z|12|reconnect|INFO|ssl:10.0.0.1:6642: connected"],
        ..RULE
    },
    Rule {
        id: "ovs.port-missing",
        cause: "ovs-port-missing",
        scope: OVS,
        needs: &[
            "could not open network device",
            "could not add network device",
            "could not set configuration",
        ],
        pattern: r"could not (?:open|add|set configuration of?) (?:network device|\()?\s*(?P<port>[\w.-]+)\)? ?(?:to ofproto )?\(?(?P<why>[^)]*)\)?",
        at_least: 2,
        strength: 0.52,
        persistent: 0.62,
        kind: "Port",
        subject: "{port}",
        title: "Open vSwitch cannot open port {port}: {why}",
        statement: "A port {port} is configured in Open vSwitch whose device does not exist or cannot be opened ({why}).",
        yes: &[
            "2024-01-01T00:00:00.1Z|12|bridge|WARN|could not open network device tap1 (No such device)",
        ],
        no: &[
            "2024-01-01T00:00:00.1Z|12|bridge|INFO|bridge br-int: added interface tap1 on port 3",
        ],
        ..RULE
    },
    // Kernel line, but its cause is the overlay's MTU: the guest or a peer sends larger frames than the port takes.
    Rule {
        id: "ovs.over-mtu",
        cause: "mtu-mismatch",
        scope: &[],
        needs: &["dropped over-mtu packet"],
        pattern: r"(?P<port>[\w.-]+): dropped over-mtu packet: (?P<size>\d+) > (?P<mtu>\d+)",
        strength: 0.86,
        kind: "Interface",
        subject: "{port}",
        title: "Packets of {size} bytes dropped on {port}: over its MTU {mtu}",
        statement: "The MTU does not match: packets of {size} bytes reach {port} whose MTU is {mtu} and are dropped; sender (guest or other side of the network) and port need the same MTU.",
        yes: &[
            "Feb  4 11:01:24 compute4 kernel: [13502680.515977] tap0e778df8-ca: dropped over-mtu packet: 8950 > 1450",
        ],
        no: &["kernel: tap0: MTU set to 1450"],
        ..RULE
    },
    // A loop in the flow tables or far too many ports in one flood: the packet is dropped.
    Rule {
        id: "ovs.resubmit-limit",
        cause: "ovs-translation-limit",
        scope: OVS,
        needs: &[
            "resubmit actions",
            "translation depth",
            "recursed over",
            "stack limit",
        ],
        pattern: r"(?P<what>over (?:max(?:imum)? (?:translation )?(?:resubmit )?depth )?\d* ?(?:resubmit actions|max translation depth)|resubmit actions recursed over \d+ times|over max(?:imum)? translation depth \d+)(?: on bridge (?P<bridge>\S+))?(?P<flow> while processing [^\r\n]{0,80})?",
        at_least: 2,
        strength: 0.76,
        persistent: 0.8,
        kind: "Bridge",
        subject: "{bridge}",
        title: "Open vSwitch drops packets on {bridge}: {what} ({count} times)",
        statement: "The translation of a packet exceeds its limit on bridge {bridge} ({what}){span}, and the packet is dropped: a loop in the flow tables or a flood to too many ports.",
        yes: &[
            "ofproto_dpif_xlate(handler5)|WARN|over 4096 resubmit actions on bridge br-int while processing tcp,in_port=5",
        ],
        no: &["ofproto_dpif|INFO|br-int: datapath supports recirculation"],
        ..RULE
    },
    Rule {
        id: "ovs.rcu-blocked",
        cause: "ovs-thread-blocked",
        scope: OVS,
        needs: &["to quiesce"],
        pattern: r"blocked (?P<ms>\d{4,}) ms waiting for (?P<thread>\S+) to quiesce",
        at_least: 3,
        strength: 0.58,
        persistent: 0.66,
        title: "{daemon}: thread {thread} is blocked for {ms} ms and more ({count} times)",
        statement: "The thread {thread} of {daemon} did not come to rest for {ms} ms{span}: it waits for the processor, memory or a device, and new flows are not set up meanwhile.",
        yes: &["ovs_rcu(urcu3)|WARN|blocked 32000 ms waiting for main to quiesce"],
        no: &["ovs_rcu(urcu3)|WARN|blocked 900 ms waiting for main to quiesce"],
        ..RULE
    },
    Rule {
        id: "ovs.dpdk-memory",
        cause: "ovs-dpdk-memory",
        scope: OVS,
        needs: &["memory pool", "mempool", "hugepage"],
        pattern: r"(?P<what>(?:Failed to create|Insufficient memory to create) (?:memory pool|mempool)[^\r\n]{0,100}|Not enough memory available on socket \d+[^\r\n]{0,60}|No free (?:\d+ kB )?hugepages[^\r\n]{0,80})",
        strength: 0.88,
        title: "Open vSwitch DPDK has too little hugepage memory: {what}",
        statement: "DPDK cannot create the packet buffers of a port ({what}): the socket memory or free hugepages of that NUMA node do not suffice for the port's MTU and queues.",
        yes: &[
            "netdev_dpdk|ERR|Failed to create memory pool for netdev dpdk0, with MTU 9000 on socket 0: Cannot allocate memory",
        ],
        no: &["netdev_dpdk|INFO|created memory pool"],
        ..RULE
    },
    Rule {
        id: "ovs.revalidator",
        cause: "ovs-revalidator-trouble",
        scope: OVS,
        needs: &["udpif_key", "dumping flows"],
        pattern: r"(?P<what>Failed to acquire udpif_key[^\r\n]{0,80}|Spent an unreasonably long (?P<ms>\d+)ms dumping flows)",
        at_least: 5,
        strength: 0.6,
        persistent: 0.68,
        title: "{daemon}: revalidators cannot keep up with the datapath flows: {what} ({count} times)",
        statement: "The revalidator threads of {daemon} fall behind or find flows that they do not know{span} ({what}): too many flows, too few threads, or flows that collide; stale flows misdirect traffic.",
        yes: &[
            "ofproto_dpif_upcall(revalidator12)|WARN|Failed to acquire udpif_key corresponding to unexpected flow (Invalid argument): ufid:1234",
            "ofproto_dpif_upcall(revalidator12)|WARN|Spent an unreasonably long 2514ms dumping flows",
        ],
        no: &["ofproto_dpif_upcall|INFO|Overriding n-handler-threads to 8"],
        ..RULE
    },
    Rule {
        id: "ovs.command-timeout",
        cause: "ovsdb-unreachable",
        needs: &["Alarm clock"],
        pattern: r"(?P<tool>ovs-\w+|ovn-\w+)?[^\r\n]{0,60}(?P<what>terminating with signal 14 \(Alarm clock\))",
        at_least: 2,
        strength: 0.56,
        persistent: 0.62,
        role: Role::Symptom,
        title: "{tool} commands time out: {what} ({count} times)",
        statement: "{tool} gave up after its time-out{span} ({what}): the daemon or database it talks to does not answer.",
        yes: &[
            "ovs-vsctl[1]: ovs|00002|fatal_signal|WARN|terminating with signal 14 (Alarm clock)",
        ],
        no: &["ovs-vsctl: terminating with signal 15 (Terminated)"],
        ..RULE
    },
    // The kernel refuses a flow, or two upcalls want the same one: packets of it go through vswitchd or are lost.
    Rule {
        id: "ovs.flow-install",
        cause: "ovs-revalidator-trouble",
        scope: OVS,
        needs: &[
            "failed to put[",
            "ukey installation fails",
            "failed to flow_get",
            "lost packet on",
        ],
        pattern: r"(?P<what>failed to put\[(?:create|modify)[^\]]*\] \([^)]{0,60}\)|upcall_cb failure: ukey installation fails|failed to flow_get \([^)]{0,60}\)|lost packet on (?:port channel|handler) \d+)",
        at_least: 5,
        strength: 0.62,
        persistent: 0.7,
        title: "{daemon}: flows cannot be installed in the datapath: {what} ({count} times)",
        statement: "{daemon} cannot put flows into the datapath{span} ({what}): each packet of them takes the slow path or is lost.",
        yes: &[
            "dpif(handler5)|WARN|system@ovs-system: failed to put[create] (Invalid argument) ufid:1 recirc_id(0)",
            "ofproto_dpif_upcall(pmd-c04/id:8)|WARN|upcall_cb failure: ukey installation fails",
        ],
        no: &["dpif(handler5)|DBG|put[create] ufid:1"],
        ..RULE
    },
    Rule {
        id: "ovsdb.file-damaged",
        cause: "ovsdb-file-damaged",
        scope: OVS,
        needs: &[
            "ovsdb error",
            "syntax error",
            "failed to lock lockfile",
            "I/O error",
            "checksum",
        ],
        pattern: r"(?P<what>I/O error: \S+: (?:failed to lock lockfile|open failed|write failed|fsync failed)[^\r\n]{0,80}|(?:syntax error|ovsdb error): [^\r\n]{0,40}\.db[^\r\n]{0,120}|\S+\.db: (?:\d+ bytes starting at offset \d+ have SHA-1 hash|parse error)[^\r\n]{0,120})",
        strength: 0.86,
        title: "{daemon}: the database file is damaged or locked: {what}",
        statement: "The OVSDB server cannot use its database file ({what}): it is damaged, on a full or failing disk, or a second server holds it.",
        yes: &[
            "ovsdb-server: I/O error: /etc/openvswitch/conf.db: failed to lock lockfile (Resource temporarily unavailable)",
        ],
        no: &["ovsdb_server|INFO|opened database conf.db"],
        ..RULE
    },
];
