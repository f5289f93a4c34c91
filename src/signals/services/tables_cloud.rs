//! Status tables of clouds: OpenStack's lists, Juju, LXD, libvirt's guests.

use super::tables::{ROW, Row};
use crate::signals::Role;

const PLACING: &[&str] = &[
    "schedul",
    "valid host",
    "launch",
    "instance",
    "boot",
    "spawn",
    "hypervisor",
    "compute",
    "volume",
    "vm",
];

/// The rows of this family.
pub const ROWS: &[Row] = &[
    Row {
        id: "openstack.agent-not-alive",
        cause: "openstack-service-down",
        files: &["agent_list", "network_agents", "neutron_agents"],
        pattern: r"^\|\s*[0-9a-f-]{8,36}\s*\|\s*(?P<agent>[^|]+?)\s*\|\s*(?P<host>[^|]+?)\s*\|[^|]*\|\s*(?:XXX|False|down)\s*\|.*$",
        kind: "OpenStack service",
        subject: "{agent} on {host}",
        title: "Neutron's {agent} on {host} is not alive",
        statement: "Neutron has not heard from the {agent} on {host} for longer than agent_down_time ({line}): the agent stopped, hangs, or has lost the message bus; ports on that host are not wired.",
        strength: 0.62,
        role: Role::Symptom,
        yes: &[
            "| 0f8a6b1c-2d3e-4f50-8a9b-0c1d2e3f4a5b | Open vSwitch agent | cmp7 | None | XXX | UP | neutron-openvswitch-agent |",
        ],
        no: &[
            "| 0f8a6b1c-2d3e-4f50-8a9b-0c1d2e3f4a5b | DHCP agent | net2 | nova | :-) | UP | neutron-dhcp-agent |",
        ],
        ..ROW
    },
    // A service that somebody (or nova-compute itself) disabled takes no new work although it is up.
    Row {
        id: "openstack.service-disabled",
        cause: "openstack-service-disabled",
        files: &["service_list", "compute_services", "volume_services"],
        pattern: r"^\|(?:[^|]*\|)?\s*(?P<binary>(?:nova|cinder|manila)-[\w-]+)\s*\|\s*(?P<host>[^|]+?)\s*\|[^|]*\|\s*disabled\s*\|\s*(?P<state>up|down)\s*\|[^|]*\|(?:\s*(?P<why>[^|\s-][^|]*?)\s*\|)?.*$",
        kind: "OpenStack service",
        subject: "{binary} on {host}",
        title: "{binary} on {host} is disabled: {why}",
        statement: "{binary} on {host} is disabled (state {state}; reason: {why}), so the scheduler places nothing there until somebody enables it again.",
        strength: 0.38,
        words: PLACING,
        yes: &[
            "| 12 | nova-compute | cmp3 | nova | disabled | up | 2024-03-01T10:00:00.000000 | memory exchange |",
            "| cinder-volume | ctl1@lvm | nova | disabled | up | 2024-03-01T10:00:00.000000 |",
        ],
        no: &[
            "| 12 | nova-compute | cmp3 | nova | enabled | up | 2024-03-01T10:00:00.000000 | None |",
        ],
        ..ROW
    },
    // nova-compute disables itself when it loses libvirt; that is never meant.
    Row {
        id: "openstack.service-disabled-itself",
        cause: "openstack-service-disabled",
        files: &["service_list", "compute_services"],
        pattern: r"^\|(?:[^|]*\|)?\s*(?P<binary>nova-[\w-]+)\s*\|\s*(?P<host>[^|]+?)\s*\|[^|]*\|\s*disabled\s*\|.*\|\s*AUTO: (?P<why>[^|\s][^|]*?)\s*\|.*$",
        kind: "OpenStack service",
        subject: "{binary} on {host}",
        title: "{binary} on {host} has disabled itself: {why}",
        statement: "{binary} on {host} disabled itself ({why}), so the scheduler places nothing there until the reason is gone and it is enabled again.",
        strength: 0.7,
        words: PLACING,
        yes: &[
            "| 12 | nova-compute | cmp3 | nova | disabled | up | 2024-03-01T10:00:00.000000 | AUTO: Connection to libvirt lost: 1 |",
        ],
        no: &[
            "| 12 | nova-compute | cmp3 | nova | disabled | up | 2024-03-01T10:00:00.000000 | memory exchange |",
        ],
        ..ROW
    },
    Row {
        id: "openstack.hypervisor-down",
        cause: "openstack-service-down",
        files: &["hypervisor_list", "hypervisors"],
        pattern: r"^\|\s*[\w-]+\s*\|\s*(?P<name>[^|]+?)\s*\|\s*QEMU\s*\|[^|]*\|\s*down\s*\|.*$",
        kind: "OpenStack service",
        title: "Hypervisor {name} is down",
        statement: "Nova lists the hypervisor {name} as down: its nova-compute does not report.",
        strength: 0.6,
        role: Role::Symptom,
        yes: &["| 4 | cmp4.example.org | QEMU | 192.0.2.14 | down |"],
        no: &["| 4 | cmp4.example.org | QEMU | 192.0.2.14 | up |"],
        ..ROW
    },
    Row {
        id: "openstack.object-in-error",
        cause: "openstack-object-error",
        files: &[
            "server_list",
            "volume_list",
            "snapshot_list",
            "loadbalancer_list",
            "amphora_list",
            "stack_list",
            "share_list",
            "baremetal_node_list",
            "zone_list",
            "backup_list",
            "router_list",
        ],
        pattern: r"^\|\s*(?P<id>[0-9a-f]{8}-[0-9a-f-]{27})\s*\|\s*(?P<name>[^|]*?)\s*\|(?:[^|]*\|){0,6}?\s*(?P<state>ERROR|error_\w+|(?:CREATE|UPDATE|DELETE|ROLLBACK|RESUME)_FAILED|PENDING_(?:CREATE|UPDATE|DELETE)|(?:clean|deploy|inspect|adopt) failed)\s*\|.*$",
        kind: "OpenStack object",
        subject: "{id}",
        title: "{name} ({id}) is in state {state}",
        statement: "{name} ({id}) is in state {state}; the log of the service that worked on it says why.",
        strength: 0.16,
        words: &["error", "stuck", "pending", "fail"],
        role: Role::Symptom,
        yes: &[
            "| 3f0a6b1c-2d3e-4f50-8a9b-0c1d2e3f4a5b | web-3 | ERROR | | img | m1 |",
            "| 3f0a6b1c-2d3e-4f50-8a9b-0c1d2e3f4a5b | lb1 | 1f0a | 192.0.2.7 | PENDING_UPDATE | amphora |",
        ],
        no: &[
            "| 3f0a6b1c-2d3e-4f50-8a9b-0c1d2e3f4a5b | web-3 | ACTIVE | net=192.0.2.4 | img | m1 |",
        ],
        ..ROW
    },
    Row {
        id: "ironic.node-maintenance",
        cause: "bmc-unreachable",
        files: &["baremetal_node_list", "ironic_node_list"],
        pattern: r"^\|\s*(?P<id>[0-9a-f]{8}-[0-9a-f-]{27})\s*\|\s*(?P<name>[^|]*?)\s*\|[^|]*\|\s*(?P<power>[^|]*?)\s*\|\s*(?P<state>[^|]*?)\s*\|\s*True\s*\|$",
        kind: "Bare-metal node",
        title: "Bare-metal node {name} is in maintenance (power {power}, state {state})",
        statement: "Ironic holds node {name} in maintenance, power state {power}: Ironic sets this itself when it cannot reach the management controller; the node is not scheduled.",
        strength: 0.5,
        words: &["baremetal", "bare metal", "ironic", "valid host", "node"],
        yes: &["| 3f0a6b1c-2d3e-4f50-8a9b-0c1d2e3f4a5b | bm3 | None | None | manageable | True |"],
        no: &["| 3f0a6b1c-2d3e-4f50-8a9b-0c1d2e3f4a5b | bm3 | None | power on | active | False |"],
        ..ROW
    },
    // A blocked unit waits for a person; its message says what for.
    Row {
        id: "juju.unit-blocked",
        cause: "juju-unit-blocked",
        files: &["juju_status"],
        pattern: r"^\s*(?P<name>[\w-]+/\d+)\*?\s+blocked\s+\S+\s.*?\s{2,}(?:\S+\s+)??(?P<what>[A-Za-z][^\s]* [^\r\n]{4,200})$",
        unless: r"services? not running that should be|[Pp]orts which should be open",
        kind: "Juju unit",
        title: "Juju unit {name} is blocked: {what}",
        statement: "The charm of {name} cannot go on without a person: {what}.",
        strength: 0.7,
        yes: &[
            "store/3*           blocked   idle   4        192.0.2.30             No block devices detected using current configuration",
            "  gate/0           blocked   idle   4/lxd/1  192.0.2.31  443/tcp    Missing relations: database",
        ],
        no: &[
            "store/3*           active    idle   4        192.0.2.30             Unit is ready (1 OSD)",
            "store/3            blocked   idle   4        192.0.2.30             Services not running that should be: x",
        ],
        ..ROW
    },
    Row {
        id: "juju.unit-services-stopped",
        cause: "juju-unit-error",
        files: &["juju_status"],
        pattern: r"^\s*(?P<name>[\w-]+/\d+)\*?\s+blocked\s.*(?P<what>(?:Services? not running that should be|Ports which should be open)[^\r\n]{2,160})$",
        kind: "Juju unit",
        title: "Juju unit {name}: {what}",
        statement: "The charm of {name} finds its service stopped or not listening: {what}. The service's own log says why.",
        strength: 0.6,
        role: Role::Symptom,
        yes: &[
            "store/3   blocked   idle   4   192.0.2.30     Services not running that should be: some-api",
        ],
        no: &["store/3   active   idle   4   192.0.2.30      Unit is ready"],
        ..ROW
    },
    Row {
        id: "juju.machine-not-started",
        cause: "juju-provisioning-failed",
        files: &["juju_status", "juju_machines"],
        pattern: r"^(?P<name>\d+(?:/(?:lxd|kvm)/\d+)?)\s+(?:down|pending|error)\s.*?\s{2,}(?P<what>[^\r\n]*(?:fail|error|cannot|unable|no |not |timed out|exceed)[^\r\n]*)$",
        kind: "Juju machine",
        title: "Juju machine {name} does not start: {what}",
        statement: "Juju cannot bring up machine {name}: {what}.",
        strength: 0.74,
        yes: &[
            "7        down   pending        jammy      failed to start machine 7 (No available machine matches constraints), retrying in 10s",
        ],
        no: &["7        started  192.0.2.8  bm7  jammy  default  Deployed"],
        ..ROW
    },
    Row {
        id: "lxd.member-offline",
        cause: "lxd-cluster-offline",
        files: &[
            "lxc_cluster_list",
            "incus_cluster_list",
            "cluster_list",
            "microcloud_cluster",
        ],
        pattern: r"^\|\s*(?P<name>[\w.-]+)\s*\|.*\|\s*(?P<state>OFFLINE|EVACUATED|BLOCKED)\s*\|\s*(?P<why>[^|]*?)\s*\|$",
        kind: "Cluster node",
        title: "LXD cluster member {name} is {state}: {why}",
        statement: "Member {name} of the LXD cluster is {state} ({why}): its containers and volumes are not available, and a member that is missing or behind blocks upgrades.",
        strength: 0.74,
        yes: &[
            "| n3 | https://192.0.2.3:8443 | database | x86_64 | default | | OFFLINE | No heartbeat for 5m12s |",
        ],
        no: &[
            "| n3 | https://192.0.2.3:8443 | database | x86_64 | default | | ONLINE | Fully operational |",
        ],
        ..ROW
    },
    // QEMU pauses a guest when a write fails: no room or no way to its disk.
    Row {
        id: "libvirt.guest-paused",
        cause: "guest-paused",
        files: &["virsh_list", "virsh_r_list"],
        pattern: r"^\s*\d+\s+(?P<name>\S+)\s+(?P<state>paused|crashed|pmsuspended)\s*$",
        kind: "Virtual machine",
        title: "Guest {name} is {state}",
        statement: "The guest {name} is {state}. QEMU pauses a guest by itself when a write to its disk fails (no space, storage gone), during a migration, or because somebody asked for it.",
        strength: 0.58,
        role: Role::Symptom,
        yes: &[" 3     vm-a     paused"],
        no: &[" 3     vm-a     running", " -     vm-b     shut off"],
        ..ROW
    },
    Row {
        id: "libvirt.network-not-active",
        cause: "libvirt-network-inactive",
        files: &["net_list", "pool_list"],
        pattern: r"^\s*(?P<name>[\w.-]+)\s+inactive\s+(?P<auto>yes|no)\b.*$",
        kind: "Virtual network",
        title: "libvirt's network or pool {name} is not active (autostart: {auto})",
        statement: "libvirt's network or storage pool {name} is defined but inactive (autostart {auto}): guests that use it cannot start.",
        strength: 0.3,
        words: &[
            "guest",
            "virsh",
            "libvirt",
            "vm ",
            "vms",
            "domain",
            "virtual machine",
        ],
        yes: &[" default   inactive   no          yes"],
        no: &[" default   active     yes         yes"],
        ..ROW
    },
];
