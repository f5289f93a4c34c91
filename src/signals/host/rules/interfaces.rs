//! Interfaces that are not brought up, addresses that two hosts use, rules that a firewall refuses.

use super::{BASE, Rule, Scope};

const NET: &[&str] = &[
    "network",
    "interface",
    "address",
    "connection",
    "connectivity",
    "ip",
    "dhcp",
    "bond",
    "vlan",
    "boot",
    "unreachable",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        detector: "nm-activation-failed",
        cause: "network-config-broken",
        kind: "Interface",
        name: "{dev}",
        scope: Scope::System,
        needles: &[
            "-> failed (reason '",
            "No suitable device found for this connection",
        ],
        pattern: r"device \((?P<dev>[^)]+)\): (?P<msg>state change: [\w-]+ -> failed \(reason '[\w-]+')",
        except: r"device \((?:veth|docker|tap|tun|wl|ww|cali|vnet|virbr|cni|p2p)",
        title: "NetworkManager cannot bring up {dev}: {msg}) ({n}){when}",
        statement: "NetworkManager gave up on {dev} ({msg})): no lease, no carrier, a missing secret, or a parent device that is not there. Its addresses and routes are missing.",
        strength: 0.58,
        ticket: NET,
        ..BASE
    },
    Rule {
        detector: "wicked-failed",
        cause: "network-config-broken",
        kind: "Interface",
        name: "{dev}",
        scope: Scope::System,
        needles: &["wicked"],
        pattern: r"wicked(?:d|d-\w+)?(?:\[\d+\])?: (?P<dev>[\w.@-]+): (?P<msg>(?:failed to|call to|cannot|unable to|couldn't) .{4,100}|device-not-running|no-device)",
        except: r"nanny|wickedd-auto4|[Ll]easeinfo|ioctl\(SIOCETHTOOL\)|ethtool",
        title: "wicked cannot bring up {dev}: {msg} ({n}){when}",
        statement: "wicked fails to set up {dev}: {msg}.",
        strength: 0.62,
        enough: 2,
        ticket: NET,
        ..BASE
    },
    // The configuration names a device or a hardware address that this machine does not have.
    Rule {
        detector: "interface-absent",
        cause: "interface-missing",
        kind: "Interface",
        name: "{dev}{dev2}",
        scope: Scope::System,
        needles: &[
            "does not seem to be present",
            "has different MAC address than expected",
            "Cannot find device",
        ],
        pattern: r"(?:network|ifup\S*|ifdown|NetworkManager|ifup-eth)(?:\[\d+\])?: .{0,60}?(?P<msg>[Dd]evice (?P<dev>[\w.-]+) (?:does not seem to be present|has different MAC address than expected).{0,30}|Cannot find device \x22?(?P<dev2>[\w.-]+)\x22?)",
        title: "Configured interface {dev}{dev2} is not there: {msg} ({n}){when}",
        statement: "The network configuration is for {dev}{dev2}, and the machine has no such device ({msg}): the card was replaced, the machine cloned, or names changed after an update.",
        strength: 0.8,
        ticket: NET,
        ..BASE
    },
    Rule {
        detector: "address-taken",
        cause: "duplicate-ip-address",
        kind: "Address",
        name: "{ip}{ip2}{ip3}{ip4}",
        scope: Scope::System,
        needles: &[
            "already uses address",
            "already in use in the network by host",
            "DHCPDECLINE",
            "flip flop",
        ],
        pattern: r"(?P<msg>some other host \((?P<mac>[0-9A-Fa-f:]+)\) already uses address (?P<ip>[\d.]+\d)|IP address (?P<ip2>\S+) cannot be configured because it is already in use in the network by host \S+|DHCPDECLINE (?:of|on) (?P<ip3>[\d.]+\d).{0,60}|flip flop (?P<ip4>[\d.]+\d) \S+ \([^)]*\).{0,30})",
        title: "Address {ip}{ip2}{ip3}{ip4} is used by two hosts: {msg} ({n}){when}",
        statement: "Another machine answers for {ip}{ip2}{ip3}{ip4} ({msg}); connections reach either one by chance.",
        strength: 0.84,
        ticket: NET,
        ..BASE
    },
    Rule {
        detector: "metadata-unreachable",
        cause: "metadata-unreachable",
        kind: "Service",
        name: "metadata",
        scope: Scope::Any,
        needles: &["169.254.169.254"],
        pattern: r"(?P<msg>Calling 'http://169\.254\.169\.254\S*' failed \[\d+/\d+s\]: .{0,80}|Giving up on (?:md|waiting for the metadata) from \[.{0,80})",
        title: "The cloud's metadata service does not answer at boot: {msg} ({n}){when}",
        statement: "cloud-init gets no answer from the metadata service ({msg}), so keys, host name, network and user data of this instance are missing.",
        strength: 0.42,
        enough: 2,
        ticket: &[
            "cloud-init",
            "boot",
            "metadata",
            "login",
            "ssh",
            "provision",
            "instance",
        ],
        ..BASE
    },
    Rule {
        detector: "firewall-rules-refused",
        cause: "firewall-rules-refused",
        kind: "Service",
        name: "{tool}",
        scope: Scope::System,
        needles: &[
            "firewalld",
            "nft[",
            "ptables-restore",
            "nftables.conf",
            "ufw-init",
        ],
        pattern: r"(?P<tool>firewalld|nft|ip6?tables\S*|ip6?tables-restore|ufw-init)(?:\[\d+\])?: (?P<msg>ERROR: (?:INVALID_\w+|ZONE_CONFLICT|NAME_CONFLICT|PARSE_ERROR|MISSING_\w+|COMMAND_FAILED: '[^']*restore[^']*' failed)[^\n]{0,80}|(?:/etc/\S+:\d+:\d+-\d+: )?Error: .{4,100}|iptables-restore(?: v\S+)?: .{0,20}(?:line \d+ failed|unable to|unknown option).{0,60}|.{0,40}line:? \d+ failed|Problem running .{0,60})",
        except: r"ALREADY_|NOT_ENABLED|DOCKER",
        title: "The firewall refuses its own rules: {tool}: {msg} ({n}){when}",
        statement: "{tool} does not accept the configured rules ({msg}): either none or only a part of them is in force.",
        strength: 0.7,
        ticket: &[
            "firewall",
            "port",
            "blocked",
            "connection",
            "network",
            "rules",
        ],
        ..BASE
    },
    // A firewall that is reloaded throws away the chains that the container engine made at its start.
    Rule {
        detector: "container-chains-lost",
        cause: "container-firewall-lost",
        kind: "Service",
        name: "docker",
        scope: Scope::System,
        needles: &["No chain/target/match by that name"],
        pattern: r"dockerd?(?:\[\d+\])?: .*?(?P<msg>(?:programming external connectivity|iptables failed|Failed to (?:program|set ?up|allocate)|Unable to enable|unable to (?:add|insert)).{0,160}No chain/target/match by that name)",
        title: "Docker cannot publish ports: its firewall chains are gone ({n}){when}",
        statement: "The chains that Docker made at its start no longer exist ({msg}): the firewall was reloaded or flushed after it. Containers with published ports fail to start until Docker is restarted.",
        strength: 0.84,
        ticket: &[
            "docker",
            "container",
            "containers",
            "port",
            "network",
            "start",
        ],
        ..BASE
    },
    Rule {
        detector: "port-allocated",
        cause: "address-already-in-use",
        kind: "Port",
        name: "{port}",
        scope: Scope::Any,
        needles: &["port is already allocated"],
        pattern: r"Bind for (?P<port>\S+) failed: (?P<msg>port is already allocated)",
        title: "Port {port} cannot be published: {msg} ({n}){when}",
        statement: "Another container or program holds {port} already, so the container that publishes it does not start.",
        strength: 0.8,
        ticket: &["docker", "container", "port", "start"],
        ..BASE
    },
    // Read by `detect::routes`, which knows whether a local bridge swallows the address.
    Rule {
        detector: "no-route",
        kind: "Address",
        name: "{ip}{ip2}",
        scope: Scope::Any,
        needles: &["o route to host"],
        pattern: r"(?:(?P<ip>\b(?:10|172|192)(?:\.\d{1,3}){3})\b.{0,60}[Nn]o route to host|[Nn]o route to host.{0,40}?(?P<ip2>\b(?:10|172|192)(?:\.\d{1,3}){3}))",
        quiet: true,
        ..BASE
    },
    Rule {
        detector: "libvirt-network-taken",
        cause: "libvirt-network-conflict",
        kind: "Network",
        name: "{dev}",
        scope: Scope::Any,
        needles: &["Network is already in use by interface"],
        pattern: r"(?P<msg>Network is already in use by interface (?P<dev>[\w.@-]+))",
        title: "A libvirt network does not start: {msg} ({n}){when}",
        statement: "The address range of the libvirt network is one that {dev} uses already ({msg}); guests on it get no network.",
        strength: 0.8,
        ticket: &["libvirt", "network", "guest", "vm", "start"],
        ..BASE
    },
    Rule {
        detector: "dhcp-timeout",
        cause: "dhcp-failed",
        kind: "Interface",
        name: "{dev}",
        scope: Scope::System,
        needles: &["): request timed out"],
        pattern: r"dhcp[46] \((?P<dev>[\w.@-]+)\): (?P<msg>request timed out)",
        except: r"\((?:veth|docker|tap|wl)",
        title: "DHCP gives {dev} no address: {msg} ({n}){when}",
        statement: "No DHCP server answers on {dev} ({msg}): wrong VLAN, a relay or server that is down, or no free lease.",
        strength: 0.56,
        ticket: &["dhcp", "address", "ip", "network"],
        ..BASE
    },
    Rule {
        detector: "time-server-bad",
        cause: "time-not-synchronised",
        kind: "Service",
        name: "time",
        scope: Scope::System,
        needles: &[
            "too large root distance",
            "timed out while polling for tx timestamp",
        ],
        pattern: r"(?:systemd-timesyncd|ptp4l)(?:\[[\d.]+\])?: .{0,40}?(?P<msg>Server has too large root distance|timed out while polling for tx timestamp)",
        title: "The clock is not set: {msg} ({n}){when}",
        statement: "The time source is not good enough or does not answer ({msg}), so the clock runs free and drifts.",
        strength: 0.64,
        enough: 3,
        ticket: &["time", "clock", "ntp", "ptp", "drift", "skew"],
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::super::tests::{means, silent};

    #[test]
    fn interfaces() {
        means(&[
            (
                "NetworkManager[9]: <info>  [1644.1] device (ens5): state change: ip-config -> failed (reason 'ip-config-unavailable', sys-iface-state: 'managed')",
                "network-config-broken",
            ),
            (
                "network[9]: Bringing up interface eth0:  ERROR: Device eth0 has different MAC address than expected, ignoring.",
                "interface-missing",
            ),
            (
                "network[9]: Error, some other host (52:54:00:11:22:33) already uses address 10.1.2.3.",
                "duplicate-ip-address",
            ),
            (
                "dhcpd[9]: DHCPDECLINE of 10.1.2.3 from 52:54:00:11:22:33 via eth0: abandoned",
                "duplicate-ip-address",
            ),
            (
                "cloud-init[9]: url_helper.py[WARNING]: Calling 'http://169.254.169.254/2009-04-04/meta-data/instance-id' failed [50/120s]: request error [timed out]",
                "metadata-unreachable",
            ),
            (
                "firewalld[9]: ERROR: INVALID_SERVICE: 'shop' not among existing services",
                "firewall-rules-refused",
            ),
            (
                "nft[9]: /etc/nftables.conf:12:9-13: Error: syntax error, unexpected saddr",
                "firewall-rules-refused",
            ),
            (
                "dockerd[9]: Handler for POST returned error: driver failed programming external connectivity on endpoint web (1f2e): iptables failed: iptables -t nat -A DOCKER -p tcp: iptables: No chain/target/match by that name.",
                "container-firewall-lost",
            ),
            (
                "dockerd[9]: Bind for 0.0.0.0:8080 failed: port is already allocated",
                "address-already-in-use",
            ),
            (
                "libvirtd[9]: internal error: Network is already in use by interface eth0",
                "libvirt-network-conflict",
            ),
            (
                "NetworkManager[9]: <warn>  [1644.1] dhcp4 (ens5): request timed out",
                "dhcp-failed",
            ),
        ]);
        silent(&[
            "NetworkManager[9]: <info>  [1644.1] device (ens5): state change: config -> ip-config (reason 'none', sys-iface-state: 'managed')",
            "firewalld[9]: WARNING: COMMAND_FAILED: '/usr/sbin/iptables -w10 -t filter -X DOCKER-ISOLATION-STAGE-1' failed: iptables: No chain/target/match by that name.",
            "wickedd[9]: eth0: link became ready",
            "dhclient[9]: DHCPACK of 10.1.2.3 from 10.1.2.1",
        ]);
    }
}
