//! Neutron: agents, routers, ports, DHCP, DNS, its OVN driver.

use super::rule::{RULE, Rule};
use crate::signals::Role;

const NEUTRON: &[&str] = &["neutron"];

/// The rules.
pub const RULES: &[Rule] = &[
    // The agent works on a namespace that is gone (deleted by hand or by another agent) and retries for ever.
    Rule {
        id: "neutron.namespace-missing",
        cause: "neutron-namespace-missing",
        scope: &["neutron", "ovn", "octavia", "syslog", "keepalived"],
        needs: &[
            "Cannot open network namespace",
            "Failed to open netns",
            "No such namespace",
        ],
        pattern: r"(?:Cannot open network namespace|Failed to open netns|No such namespace)[: ]+.{0,3}?(?P<namespace>(?:qrouter|qdhcp|snat|fip|ovnmeta|qlbaas)?-?[\w-]+)",
        near: r"haproxy|RouterNotFound|ProcessExecutionError",
        strength: 0.84,
        kind: "Network namespace",
        subject: "{namespace}",
        title: "{daemon}: network namespace {namespace} does not exist (no such file or directory)",
        statement: "{daemon} keeps working on network namespace {namespace} (router or DHCP namespace) that no longer exists: it cannot be opened (No such file or directory), so its processes (haproxy, keepalived, dnsmasq) are not started.",
        yes: &[
            "Stderr: Cannot open network namespace \"qrouter-57837a95-ed3b-4a1b-9393-1374a8c744c3\": No such file or directory",
        ],
        no: &["Creating namespace qrouter-1"],
        ..RULE
    },
    // The external DNS service holds the record twice, so neutron cannot tell which one to delete.
    Rule {
        id: "neutron.dns-duplicate",
        cause: "neutron-dns-duplicate-record",
        scope: &["neutron", "designate"],
        needs: &[
            "DuplicateRecordSet",
            "is duplicated in the external DNS service",
            "Duplicate RecordSet",
            "duplicate_recordset",
            "Duplicate Record",
        ],
        pattern: r"Name '?(?P<record>[\w.*-]+?)\.?'? is duplicated in the external DNS service|(?P<what>designate\S*\.Duplicate\w+.{0,120}|duplicate_recordset.{0,60})",
        strength: 0.9,
        kind: "DNS record",
        subject: "{record}",
        title: "DNS record {record} is duplicated in the external DNS service (Designate)",
        statement: "Neutron's DNS integration fails because record {record} exists twice in the external DNS service, Designate ({line}).",
        yes: &[
            "neutron_lib.exceptions.dns.DuplicateRecordSet: Name vm-2.compute.stack.vpn. is duplicated in the external DNS service",
            "designate.exceptions.DuplicateRecordSet: Duplicate RecordSet",
        ],
        no: &["Created recordset"],
        ..RULE
    },
    Rule {
        id: "neutron.dns-driver",
        cause: "neutron-dns-driver-failed",
        scope: &["neutron"],
        needs: &["external DNS service"],
        pattern: r"Error (?P<doing>\w+) (?:port|[Ff]loating IP) data (?:in|from) external DNS service\. Name: '(?P<name>[^']*)'\. Domain: '(?P<domain>[^']*)'.*DNS service driver message '(?P<why>[^']{0,160})",
        unless: r"is duplicated",
        strength: 0.78,
        kind: "DNS record",
        subject: "{name}.{domain}",
        title: "Neutron DNS integration fails {doing} {name}.{domain}: {why}",
        statement: "Neutron could not finish {doing} the record {name}.{domain} in the external DNS service: {why}.",
        yes: &[
            "Error publishing port data in external DNS service. Name: 'vm'. Domain: 'a.b.'. DNS service driver message 'Domain a.b. not found in the external DNS service'",
        ],
        no: &[
            "Error deleting Floating IP data from external DNS service. Name: 'vm-2'. Domain: 'a.'. DNS service driver message 'Name vm-2.a. is duplicated in the external DNS service'",
        ],
        ..RULE
    },
    Rule {
        id: "neutron.binding-failed",
        cause: "neutron-port-binding-failed",
        scope: &["neutron", "nova"],
        needs: &[
            "Failed to bind port",
            "PortBindingFailed",
            "vif_type",
            "Refusing to bind",
        ],
        pattern: r"(?:Failed to bind port (?P<port>[0-9a-f-]+) on host (?P<host>\S+?)(?: for vnic_type.*)?(?: using .*)?$|PortBindingFailed: Binding failed for port (?P<p>[0-9a-f-]+)|Refusing to bind port (?P<q>\S+) .{0,80}(?:dead|due to).{0,60})",
        strength: 0.8,
        kind: "Port",
        subject: "{port}{p}{q}",
        title: "Neutron cannot bind port {port}{p}{q} on host {host}",
        statement: "Neutron could not bind port {port}{p}{q} on host {host}: no mechanism driver accepted it (agent dead, bridge mapping or physical network missing, host name differs).",
        yes: &[
            "ERROR neutron.plugins.ml2.managers [req-1] Failed to bind port 0f0e0d0c-1111 on host node1 for vnic_type normal using segments [{}]",
            "nova.exception.PortBindingFailed: Binding failed for port 0f0e, please check neutron logs for more information.",
        ],
        no: &["Bound port: 1"],
        ..RULE
    },
    Rule {
        id: "neutron.agent-dead",
        cause: "neutron-agent-down",
        scope: NEUTRON,
        needs: &[
            "Agent healthcheck",
            "is dead",
            "agents found dead",
            "found to be down",
            "no active L3 agent",
        ],
        pattern: r"(?:Agent healthcheck: found (?P<dead>\d+) dead agents out of (?P<total>\d+)|(?P<what>(?:.{0,80}agent.{0,60})(?:is dead|not alive|found to be down)))",
        unless: r"found 0 dead",
        cleared_by: r"found 0 active",
        at_least: 3,
        strength: 0.55,
        persistent: 0.62,
        role: Role::Symptom,
        title: "Neutron: {dead} of {total} agents are dead {what}",
        statement: "Neutron's health check sees {dead} dead agents of {total} ({what}); their hosts and logs tell why.",
        yes: &[
            "2024-01-01 10:00:00.1 1 WARNING neutron.db.agents_db [-] Agent healthcheck: found 3 dead agents out of 12:",
        ],
        no: &["Agent healthcheck: found 12 active agents"],
        ..RULE
    },
    // Two routers of an HA pair that take over from each other again and again.
    Rule {
        id: "neutron.ha-router-flap",
        cause: "l3-ha-flapping",
        scope: NEUTRON,
        needs: &["transitioned to", "became active", "became standby"],
        pattern: r"Router (?P<router>[0-9a-f-]{36}) transitioned to (?P<state>\w+)",
        at_least: 6,
        within_s: 3600,
        strength: 0.78,
        kind: "Router",
        subject: "{router}",
        title: "Neutron HA router {router} flaps: {count} VRRP transitions",
        statement: "HA router {router} changed between master (active) and backup {count} times{span}: VRRP advertisements are lost between the network nodes or keepalived restarts.",
        yes: &[
            "INFO neutron.agent.l3.ha [-] Router 57837a95-ed3b-4a1b-9393-1374a8c744c3 transitioned to master on agent node1",
        ],
        no: &["INFO neutron.agent.l3.ha [-] Router created"],
        ..RULE
    },
    Rule {
        id: "neutron.rpc-sync-failed",
        cause: "neutron-agent-sync-failed",
        scope: NEUTRON,
        needs: &[
            "Error while processing VIF ports",
            "Failed to process compatible router",
            "Unable to sync network state",
            "RevisionNumber",
            "RouterNotFound",
            "Error during sync",
            "fetch_and_sync_all_routers",
            "maximum number of retries",
            "IpAddressGenerationFailure",
            "DhcpNotFound",
            "Unable to reload_allocations",
            "SkipResync",
        ],
        pattern: r"(?P<what>Error while processing VIF ports|Failed to process compatible router: (?P<router>\S+)|Unable to sync network state.{0,80}|Failed to (?:fetch router information|sync routers).{0,60}|IpAddressGenerationFailure: .{0,120}|No more IP addresses available on network (?P<network>\S+?)\.?$)",
        strength: 0.62,
        persistent: 0.7,
        title: "{daemon}: {what}",
        statement: "{daemon} cannot bring its networks into the wanted state: {what}.",
        yes: &[
            "ERROR neutron.agent.l3.agent [-] Failed to process compatible router: 0f0e: RuntimeError",
            "ERROR neutron.plugins.ml2.drivers.openvswitch.agent.ovs_neutron_agent Error while processing VIF ports: OVSFWPortNotFound",
        ],
        no: &["Synchronizing state complete"],
        ..RULE
    },
    Rule {
        id: "neutron.ovn-driver",
        cause: "neutron-ovn-driver-failed",
        scope: NEUTRON,
        needs: &[
            "OVN_Northbound",
            "OVN_Southbound",
            "ovsdbapp",
            "MechanismDriverError",
            "RowNotFound",
            "OVS database connection to",
            "is not connected",
        ],
        pattern: r"(?P<what>(?:RowNotFound|ovsdbapp\.backend\.ovs_idl\.idlutils\.RowNotFound): .{0,120}|OVS database connection to OVN_(?:North|South)bound failed with error: '.{0,120}|TimeoutException: Commands .{0,120}exceeded timeout \d+ seconds.{0,60}|.{0,60}Unable to find.{0,40}(?:Chassis|Datapath_Binding|Port_Binding).{0,60})",
        strength: 0.68,
        persistent: 0.76,
        title: "{daemon}: OVN driver of Neutron fails: {what}",
        statement: "Neutron and the OVN databases do not work together: {what}.",
        yes: &[
            "ovsdbapp.backend.ovs_idl.idlutils.RowNotFound: Cannot find Logical_Switch_Port with name=0f0e",
            "ovsdbapp.exceptions.TimeoutException: Commands [DbSetCommand()] exceeded timeout 180 seconds, cause: TXN queue is full",
        ],
        no: &["OVS database connection to OVN_Northbound established"],
        ..RULE
    },
    // Two routers with one VRRP id on one network, or both halves believe to be master.
    Rule {
        id: "keepalived.foreign-advert",
        cause: "vrrp-conflict",
        needs: &[
            "Received advert",
            "Dropping received VRRP packet",
            "bogus VRRP packet",
            "not present in MASTER advert",
            "Invalid VRRP",
            "invalid authentication",
            "same priority",
        ],
        pattern: r"(?:\((?P<instance>[^()\s]{1,40})\):?\s{0,2})?(?P<what>Received advert from \S+ with (?:higher|lower|same|equal) priority \d+, ours \d+|Dropping received VRRP packet|bogus VRRP packet[^\r\n]{0,40}|ip address associated with VRID \d+ not present in MASTER advert[^\r\n]{0,40}|received an invalid (?:passwd|ip number count|authentication)[^\r\n]{0,40}|Invalid VRRP [^\r\n]{0,60})",
        at_least: 8,
        strength: 0.7,
        persistent: 0.78,
        kind: "VRRP instance",
        subject: "{instance}",
        title: "VRRP instance {instance}: a second master or a foreign router with the same id ({count} times): {what}",
        statement: "Keepalived receives advertisements that contradict its own state{span} ({what}): two routers use one virtual router id, or both are master because their advertisements were lost for a while (split brain).",
        yes: &[
            "Keepalived_vrrp[877]: VRRP_Instance(VR_5) Received advert from 169.254.192.7 with higher priority 50, ours 50",
            "Keepalived_vrrp[877]: (VR_5) Dropping received VRRP packet...",
        ],
        no: &["Keepalived_vrrp[877]: (VR_5) Entering BACKUP STATE"],
        ..RULE
    },
    // ovs-vswitchd or the database does not answer in time; agents then leave flows unfinished.
    Rule {
        id: "neutron.ovsdb-timeout",
        cause: "ovsdb-command-timeout",
        scope: &["neutron", "octavia", "nova", "ovn"],
        needs: &[
            "exceeded timeout",
            "ovsdbapp.exceptions.TimeoutException",
            "Switch connection timeout",
            "OVS is dead",
        ],
        pattern: r"(?P<what>Commands \[[^\]]{0,120}\]?[^\r\n]{0,60} exceeded timeout \d+ seconds|ovsdbapp\.exceptions\.TimeoutException[^\r\n]{0,120}|Switch connection timeout|OVS is dead[^\r\n]{0,20})",
        at_least: 2,
        strength: 0.7,
        persistent: 0.78,
        title: "{daemon}: Open vSwitch does not answer in time: {what} ({count} times)",
        statement: "{daemon} gets no answer from Open vSwitch or its database within the time-out ({what}){span}: vswitchd or the database is overloaded, restarting or down.",
        yes: &[
            "ovsdbapp.exceptions.TimeoutException: Commands [AddPortCommand(bridge=br-int)] exceeded timeout 10 seconds",
            "Failed to communicate with the switch: RuntimeError: Switch connection timeout",
        ],
        no: &["ovsdbapp connected"],
        ..RULE
    },
    Rule {
        id: "neutron.process-respawn",
        cause: "neutron-process-respawns",
        scope: &["neutron"],
        needs: &["The process should not have died", "respawning"],
        pattern: r"(?P<process>\w+) for (?P<kind>\w+) with uuid (?P<id>[0-9a-f-]{8,36}) not found\. The process should not have died|respawning (?P<p2>\w+) for uuid (?P<id2>[0-9a-f-]{8,36})",
        at_least: 4,
        strength: 0.62,
        persistent: 0.7,
        title: "{daemon}: helper process {process}{p2} of {kind} {id}{id2} dies and is started again ({count} times)",
        statement: "The agent finds {process}{p2} dead and starts it again{span}: it is killed (memory), cannot bind, or its configuration is refused; syslog holds its own words.",
        yes: &[
            "ERROR neutron.agent.linux.external_process [-] dnsmasq for dhcp with uuid 5e0c-11aa-22 not found. The process should not have died",
        ],
        no: &["Process is running"],
        ..RULE
    },
    Rule {
        id: "neutron.iptables-fails",
        cause: "neutron-iptables-failed",
        scope: &["neutron"],
        needs: &[
            "xtables lock",
            "Failure applying iptables",
            "iptables-restore",
        ],
        pattern: r"(?P<what>Another app is currently holding the xtables lock[^\r\n]{0,40}|Failure applying iptables rules[^\r\n]{0,160}|iptables-restore[^\r\n]{0,20}(?:line \d+ failed|unable to initialize|[Nn]o chain/target/match)[^\r\n]{0,80})",
        strength: 0.76,
        title: "{daemon}: firewall rules cannot be applied: {what}",
        statement: "The agent cannot write its iptables rules ({what}): security groups, NAT or metadata redirection stay incomplete.",
        yes: &[
            "Stderr: Another app is currently holding the xtables lock. Perhaps you want to use the -w option?",
        ],
        no: &["iptables-restore completed"],
        ..RULE
    },
    Rule {
        id: "neutron.ovn-maintenance",
        cause: "neutron-ovn-inconsistent",
        scope: &["neutron"],
        needs: &[
            "Maintenance task: Failed",
            "Maintenance task: ",
            "RowNotFound: Cannot find",
        ],
        pattern: r"(?P<what>Maintenance task: Failed to fix (?:\w+ )?(?:resource|deleted resource) (?P<id>\S+)[^\r\n]{0,160}|RowNotFound: Cannot find (?P<table>\w+) with \w+=(?P<row>[^\r\n]{1,80}))",
        at_least: 3,
        strength: 0.68,
        persistent: 0.76,
        title: "{daemon}: Neutron and OVN databases do not agree: {what} ({count} times)",
        statement: "Rows that Neutron expects are missing in the OVN databases{span} ({what}): the two are out of step and repair fails; ports or routers concerned do not work.",
        yes: &[
            "Maintenance task: Failed to fix resource 9c1 (type: ports): ovsdbapp.backend.ovs_idl.idlutils.RowNotFound: Cannot find Logical_Switch_Port with name=9c1",
            "ovsdbapp.backend.ovs_idl.idlutils.RowNotFound: Cannot find Chassis_Private with name=c1",
        ],
        no: &["Maintenance task: Synchronizing Neutron and OVN databases"],
        ..RULE
    },
];
