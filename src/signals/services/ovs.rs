//! Open vSwitch and OVN.

use super::rule::{RULE, Rule};
use crate::signals::Role;

const OVS: &[&str] = &["ovs", "ovn", "openvswitch", "vswitchd", "ovsdb"];

/// The rules of this family.
pub const RULES: &[Rule] = &[
    // The peer sends the TLS alert: the certificate that *this* side shows has expired.
    Rule {
        id: "ovn.certificate-expired",
        cause: "ovn-certificate-expired",
        scope: OVS,
        needs: &["certificate expired", "certificate has expired"],
        pattern: r"(?P<call>SSL_(?:accept|connect|read|write))?.{0,120}(?P<what>alert certificate expired|certificate has expired)",
        near: r"connection dropped|Protocol error",
        strength: 0.94,
        title: "{daemon}: SSL certificate has expired: {what} {call}",
        statement: "TLS connections of {daemon} (OVN/OVSDB) fail because an SSL certificate has expired ({what}); components cannot connect to the OVN databases until it is renewed.",
        yes: &[
            "2022-02-17T03:20:08.591Z|06893|stream_ssl|WARN|SSL_accept: error:14094415:SSL routines:ssl3_read_bytes:sslv3 alert certificate expired",
        ],
        no: &[
            "2022-02-17T03:20:08.591Z|06893|stream_ssl|WARN|SSL_accept: unexpected SSL connection close",
        ],
        ..RULE
    },
    Rule {
        id: "ovn.ssl-failure",
        cause: "ovn-ssl-handshake",
        scope: OVS,
        needs: &["stream_ssl"],
        pattern: r"stream_ssl\|(?:WARN|ERR)\|(?P<what>.*(?:unknown ca|bad certificate|certificate verify failed|wrong version number|no shared cipher|handshake failure|certificate unknown|must be configured|key values mismatch|Permission denied|No such file).*)",
        strength: 0.85,
        title: "{daemon}: SSL handshake fails: {what}",
        statement: "TLS between OVN/OVSDB components fails on {daemon}: {what}. Certificate, key or CA of one side do not fit.",
        yes: &[
            "2022-02-17T03:20:08.591Z|06893|stream_ssl|WARN|SSL_connect: error:1416F086:SSL routines:tls_process_server_certificate:certificate verify failed",
            "2024-01-01T00:00:00.1Z|1|stream_ssl|ERR|SSL_use_certificate_file: error:02001002:system library:fopen:No such file or directory",
        ],
        no: &[
            "2022-02-17T03:20:08.591Z|06893|stream_ssl|WARN|SSL_read: unexpected SSL connection close",
        ],
        ..RULE
    },
    // A chassis that claims the same port again and again fights with another one, or its BFD flaps.
    Rule {
        id: "ovn.port-claim-flapping",
        cause: "ovn-port-flapping",
        scope: OVS,
        needs: &[
            "Claiming lport",
            "Claiming virtual lport",
            "Changing chassis for lport",
        ],
        pattern: r"(?:Claiming (?:virtual )?lport|Changing chassis for lport) (?P<port>\S+?)(?: for this chassis| from (?P<from>\S+) to (?P<to>\S+?))?\.?$",
        at_least: 4,
        within_s: 600,
        strength: 0.86,
        kind: "Logical port",
        subject: "{port}",
        title: "OVN port {port} is claimed again and again by this chassis ({count} times): it flaps",
        statement: "ovn-controller claimed logical port {port} {count} times{span}: the port (gateway router port if cr-lrp) flaps between chassis {from} {to}, usually because BFD between gateways fails or two chassis have the same port.",
        yes: &[
            "2022-02-17T04:35:34.947Z|1044240|binding|INFO|Claiming lport cr-lrp-31f4fa6a-04cf for this chassis.",
            "2024-01-01T00:00:00.1Z|1|binding|INFO|Changing chassis for lport abc from c1 to c2.",
        ],
        no: &[
            "2022-02-17T04:35:34.947Z|1044240|binding|INFO|cr-lrp-31f4fa6a: Claiming fa:16:3e:00:00:01 10.0.0.1/24",
        ],
        ..RULE
    },
    Rule {
        id: "ovn.raft-trouble",
        cause: "ovsdb-raft-no-leader",
        scope: OVS,
        needs: &["raft", "not allowed to connect", "cluster", "disconnecting"],
        pattern: r"(?P<what>clustered database server is disconnected from cluster.*|clustered database server is not cluster leader; trying another server|raft\|(?:WARN|ERR)\|.*(?:stale|ignoring vote request|election|cannot find|timeout|aborted).*|.*failed to (?:join|commit).*cluster.*|raft\|INFO\|(?:term \d+: \d+ ms timeout expired, starting election|term \d+: elected leader|rejecting term|server \w+ is leader for term).*)",
        at_least: 10,
        strength: 0.5,
        persistent: 0.62,
        title: "{daemon}: OVSDB raft cluster is unstable: {what}",
        statement: "The OVSDB cluster elects leaders again and again or a member is cut off ({count} lines such as: {what}).",
        yes: &[
            "2024-01-01T00:00:00.1Z|00012|raft|INFO|term 12: 1555 ms timeout expired, starting election",
            "clustered database server is disconnected from cluster; trying another server",
        ],
        no: &["2024-01-01T00:00:00.1Z|00012|raft|INFO|local server ID is 1234"],
        ..RULE
    },
    Rule {
        id: "ovn.disconnected-from-cluster",
        cause: "ovsdb-raft-no-leader",
        scope: OVS,
        needs: &["disconnected from cluster"],
        pattern: r"(?P<peer>\S+?): clustered database server is disconnected from cluster",
        cleared_by: r"\|reconnect\|INFO\|\S+: connected",
        at_least: 3,
        strength: 0.68,
        subject: "{peer}",
        title: "{daemon}: OVN database {peer} has no cluster leader: server is disconnected from the cluster",
        statement: "{daemon} finds {peer} cut off from its raft cluster: that member sees no leader (quorum lost or network cut).",
        yes: &[
            "2024-01-01T00:00:00.1Z|12|ovsdb_cs|INFO|ssl:10.0.0.1:6642: clustered database server is disconnected from cluster; trying another server",
        ],
        no: &[
            "2024-01-01T00:00:00.1Z|12|ovsdb_cs|INFO|ssl:10.0.0.1:6642: clustered database server is not cluster leader; trying another server",
        ],
        ..RULE
    },
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
        id: "ovn.duplicate-address",
        cause: "ovn-duplicate-address",
        scope: &["ovn", "northd"],
        needs: &["duplicate", "Duplicate", "already used"],
        pattern: r"(?P<what>.*(?:duplicate (?:IP|MAC|IPv4|IPv6|logical (?:port|router port)|ethernet).*|[Dd]uplicate (?:MAC|IP) .*|MAC address conflict.*))",
        strength: 0.76,
        title: "OVN: {what}",
        statement: "OVN found the same address or port twice: {what}. Two logical ports answer for it.",
        yes: &[
            "2024-01-01T00:00:00.1Z|12|northd|WARN|duplicate logical router port lrp-1",
            "2024-01-01T00:00:00.1Z|12|ipam|WARN|Duplicate IP set on switch s1: 10.0.0.5",
        ],
        no: &["2024-01-01T00:00:00.1Z|12|northd|INFO|ovn-northd lock acquired"],
        ..RULE
    },
    Rule {
        id: "ovn.chassis-conflict",
        cause: "ovn-chassis-conflict",
        scope: &["ovn"],
        needs: &["chassis", "encap"],
        pattern: r"(?P<what>(?:'system-id' is different|[Cc]hassis .{0,80}(?:already exists|conflict|is changed)|transaction causes multiple rows in \W?(?:Encap|Chassis\w*)\W? table to have identical values.{0,200}|.*constraint violation.{0,40}Encap.*))",
        strength: 0.85,
        title: "OVN chassis conflict: {what}",
        statement: "ovn-controller cannot register its chassis because another one has the same name or tunnel address: {what}. It happens when a host was renamed or rebuilt and the stale chassis was not removed.",
        yes: &[
            "2024-01-01T00:00:00.1Z|12|main|WARN|OVNSB commit failed: Transaction causes multiple rows in \"Encap\" table to have identical values (geneve and \"10.0.0.1\") for index on columns \"type\" and \"ip\".",
        ],
        no: &["2024-01-01T00:00:00.1Z|12|chassis|INFO|chassis registered"],
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
];
