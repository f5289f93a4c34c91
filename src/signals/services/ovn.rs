//! OVN and its databases: certificates, raft, probes, versions, chassis.

use super::rule::{RULE, Rule};

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
        statement: "ovn-controller claimed logical port {port} {count} times{span}: the port (gateway router port if cr-lrp) flaps between chassis, usually because BFD between gateways fails or two chassis have the same port.",
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
        pattern: r"(?P<what>(?:'system-id' is different|[Cc]hassis .{0,80}(?:already exists|conflict|is changed)|transaction causes multiple rows in \W{0,3}(?:Encap|Chassis\w*)\W{0,3} table to have identical values.{0,200}|.*constraint violation.{0,40}Encap.*))",
        strength: 0.85,
        title: "OVN chassis conflict: {what}",
        statement: "ovn-controller cannot register its chassis because another one has the same name or tunnel address: {what}. It happens when a host was renamed or rebuilt and the stale chassis was not removed.",
        yes: &[
            "2024-02-13T12:14:22.282Z|00011|ovsdb_idl|WARN|transaction error: {\"details\":\"Transaction causes multiple rows in \\\"Encap\\\" table to have identical values (geneve and \\\"192.0.2.62\\\") for index on columns \\\"type\\\" and \\\"ip\\\".\",\"error\":\"constraint violation\"}",
            "2024-01-01T00:00:00.1Z|12|main|WARN|OVNSB commit failed: Transaction causes multiple rows in \"Encap\" table to have identical values (geneve and \"10.0.0.1\") for index on columns \"type\" and \"ip\".",
        ],
        no: &["2024-01-01T00:00:00.1Z|12|chassis|INFO|chassis registered"],
        ..RULE
    },
    // The peer was busy for longer than the probe: reconnects make it even busier (large databases, slow disks).
    Rule {
        id: "ovn.inactivity-probe",
        cause: "ovsdb-inactivity-probe",
        scope: OVS,
        needs: &["no response to inactivity probe"],
        pattern: r"(?P<peer>(?:ssl|tcp|unix|ptcp|pssl):[^\s|]+?): no response to inactivity probe after (?P<after>[\d.]+) seconds, disconnecting",
        at_least: 3,
        strength: 0.66,
        persistent: 0.76,
        title: "{daemon}: no response to inactivity probe after {after} seconds, connection to {peer} is dropped ({count} times)",
        subject: "{daemon}",
        statement: "{daemon} closes its connection because {peer} did not answer the inactivity probe within {after} seconds{span}: the peer is busy longer than that (large database, slow disk, full recompute), and each reconnect adds load; the probe interval is too short for this size.",
        yes: &[
            "reconnect|ERR|ssl:10.0.0.5:43210: no response to inactivity probe after 60 seconds, disconnecting",
        ],
        no: &["reconnect|INFO|ssl:10.0.0.5:6642: connected"],
        ..RULE
    },
    Rule {
        id: "ovn.version-mismatch",
        cause: "ovn-version-mismatch",
        scope: OVS,
        needs: &["mismatch with northd version"],
        pattern: r"controller version - (?P<ours>\S+) mismatch with northd version - (?P<theirs>\S+)",
        strength: 0.86,
        title: "ovn-controller {ours} does not match ovn-northd {theirs}",
        statement: "ovn-controller has version {ours}, ovn-northd {theirs}: with version matching on, the controller stops processing changes of the southbound database until both are the same; chassis and central were not upgraded together.",
        yes: &[
            "main|WARN|controller version - 20.12.0-20.14.0-53.0 mismatch with northd version - 22.03.0-20.21.0-58.3",
        ],
        no: &["main|INFO|OVN internal version is : [20.12.0]"],
        ..RULE
    },
    Rule {
        id: "ovn.northd-flap",
        cause: "ovn-northd-flapping",
        scope: OVS,
        needs: &["ovn-northd lock"],
        pattern: r"ovn-northd lock (?P<way>lost|acquired)",
        at_least: 4,
        strength: 0.68,
        persistent: 0.74,
        title: "ovn-northd changes between active and standby ({count} times)",
        statement: "ovn-northd lost and acquired its lock{span}: its connection to the southbound database breaks again and again, or the database has no stable leader.",
        yes: &["ovn_northd|INFO|ovn-northd lock lost. This ovn-northd instance is now on standby."],
        no: &["ovn_northd|INFO|ovn-northd started"],
        ..RULE
    },
    Rule {
        id: "ovn.openflow-error",
        cause: "ovn-flows-refused",
        scope: OVS,
        needs: &["OFPT_ERROR", "OpenFlow error"],
        pattern: r"(?:OpenFlow error: )?OFPT_ERROR[^\r\n]{0,40}?(?P<what>(?:OFP|NX)\w+)",
        at_least: 3,
        strength: 0.62,
        persistent: 0.7,
        title: "{daemon}: Open vSwitch refuses flows: {what} ({count} times)",
        statement: "Open vSwitch refuses flows that {daemon} installs with {what}{span}: flow tables stay incomplete and traffic of some ports is lost; the versions of both may not fit.",
        yes: &["ofctrl|INFO|OpenFlow error: OFPT_ERROR (OF1.5) (xid=0x1f): OFPBAC_BAD_OUT_PORT"],
        no: &["ofctrl|INFO|ofctrl-wait-before-clear is now 0 ms"],
        ..RULE
    },
    Rule {
        id: "ovn.chassis-config",
        cause: "ovn-chassis-config",
        scope: OVS,
        needs: &[
            "not configured",
            "Could not create tunnel",
            "encap type",
            "not specified in Open_vSwitch",
            "external-ids:system-id",
        ],
        pattern: r"(?P<what>[^|\r\n]{0,30}'?(?:encap-ip|encap-type|ovn-remote|system-id)'?[^\r\n]{0,40}not (?:configured|specified)[^\r\n]{0,60}|Could not create tunnel[^\r\n]{0,80}|'?system-id'? in Open_vSwitch database is missing[^\r\n]{0,20})",
        strength: 0.82,
        title: "{daemon}: chassis is not configured for OVN tunnels: {what}",
        statement: "This chassis lacks a setting that OVN needs ({what}): it has no tunnels to the others and its guests are cut off.",
        yes: &[
            "chassis|WARN|'local' chassis: 'encap-ip' not configured in OVS db",
            "encaps|ERR|Could not create tunnel: encap type is not supported",
        ],
        no: &["chassis|INFO|encap-ip is 10.0.0.1"],
        ..RULE
    },
    Rule {
        id: "ovsdb.transaction-error",
        cause: "ovsdb-constraint-violation",
        scope: OVS,
        needs: &["constraint violation", "referential integrity violation"],
        pattern: r"(?:transaction error|ovsdb_idl)[^\r\n]{0,40}?(?P<what>\{?\x22details\x22:[^\r\n]{0,200}(?:constraint|referential integrity) violation\x22\}?)",
        at_least: 3,
        strength: 0.66,
        persistent: 0.72,
        title: "{daemon}: the OVN database refuses transactions ({count} times): {what}",
        statement: "Writes of {daemon} are refused by the database{span}: {what}. Two clients write contradicting rows, or rows are left over from a removed chassis.",
        yes: &[
            "ovsdb_idl|WARN|transaction error: {\"details\":\"Transaction causes multiple rows in \\\"Encap\\\" table to have identical values\",\"error\":\"constraint violation\"}",
        ],
        no: &["ovsdb_idl|INFO|transaction committed"],
        ..RULE
    },
];
