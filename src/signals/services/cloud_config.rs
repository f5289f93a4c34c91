//! OpenStack services that stumble over their own configuration, privileges or quotas of the network.

use super::rule::{RULE, Rule};

const CLOUD: &[&str] = &[
    "nova",
    "neutron",
    "cinder",
    "glance",
    "keystone",
    "heat",
    "octavia",
    "designate",
    "placement",
    "manila",
    "ironic",
    "barbican",
    "magnum",
    "aodh",
    "gnocchi",
    "ceilometer",
    "apache2",
    "httpd",
    "horizon",
];

/// The rules.
pub const RULES: &[Rule] = &[
    Rule {
        id: "oslo.config-invalid",
        cause: "openstack-config-invalid",
        scope: CLOUD,
        needs: &[
            "oslo_config",
            "ConfigFile",
            "RequiredOptError",
            "NoSuchOptError",
        ],
        pattern: r"(?P<what>(?:ConfigFileValueError|ConfigFileParseError|ConfigFilesNotFoundError|ConfigFilesPermissionDeniedError|RequiredOptError|NoSuchOptError|NoSuchGroupError|DuplicateOptError): (?P<why>[^\r\n]{4,200}))",
        strength: 0.88,
        title: "{daemon} cannot read its configuration: {why}",
        statement: "{daemon} does not start or fails because of its configuration ({what}){span}: the option named there has a wrong value or form, or its file is missing.",
        yes: &[
            "CRITICAL cinder [-] Unhandled error: oslo_config.cfg.ConfigFileParseError: Failed to parse /etc/cinder/cinder.conf: at /etc/cinder/cinder.conf:7, No ':' or '=' found in assignment: 'debug'",
            "oslo_config.cfg.ConfigFileValueError: Value for option port from LocationInfo(user) is not valid: invalid literal",
        ],
        no: &["WARNING oslo_config.cfg [-] Deprecated: Option \"os_region_name\" is deprecated"],
        ..RULE
    },
    // Agents run commands as root only through filters; a missing filter file or sudo rule stops all of them.
    Rule {
        id: "oslo.rootwrap",
        cause: "openstack-privileges",
        scope: &[
            "neutron", "nova", "cinder", "manila", "ironic", "syslog", "auth", "secure",
            "messages", "journal",
        ],
        needs: &[
            "rootwrap",
            "privsep",
            "no filter matched",
            "a password is required",
        ],
        pattern: r"(?P<what>Unauthorized command: [^\r\n]{4,140}|FailedToDropPrivileges[^\r\n]{0,120}|privsep helper command exited non-zero[^\r\n]{0,60}|privsep[^\r\n]{0,80}(?:Permission denied|Unexpected error|not permitted)[^\r\n]{0,60}|sudo: (?:a password is required|no tty present)[^\r\n]{0,80})",
        at_least: 2,
        strength: 0.84,
        title: "{daemon} cannot run commands as root: {what}",
        statement: "{daemon} may not run what it needs with privileges ({what}){span}: rootwrap filters, the sudoers file or the privsep helper are missing or do not fit its version.",
        yes: &[
            "Stderr: /usr/bin/neutron-rootwrap: Unauthorized command: ip netns exec qrouter-1 conntrack -D (no filter matched)",
            "oslo_privsep.daemon.FailedToDropPrivileges: privsep helper command exited non-zero (1)",
        ],
        no: &["INFO oslo.privsep.daemon [-] privsep daemon running as pid 811"],
        ..RULE
    },
    Rule {
        id: "keystone.endpoint-missing",
        cause: "keystone-endpoint-missing",
        scope: CLOUD,
        needs: &["EndpointNotFound", "endpoint for"],
        pattern: r"(?P<what>(?:\[[^\]]{0,60}\] )?endpoint for (?P<service>[\w-]+)(?: service)?(?: in (?P<region>\S+) region)? (?:region )?not found|EndpointNotFound: (?P<why>[^\r\n]{4,120}))",
        strength: 0.82,
        title: "{daemon}: the catalogue has no such endpoint: {what}",
        statement: "{daemon} asks Keystone's catalogue for an endpoint that is not there ({what}){span}: the region or interface in its configuration does not fit, or the service was not registered.",
        yes: &[
            "keystoneauth1.exceptions.catalog.EndpointNotFound: ['internal', 'public'] endpoint for image service in RegionTwo region not found",
        ],
        no: &["REQ: curl endpoint for volume found"],
        ..RULE
    },
    Rule {
        id: "neutron.addresses-used-up",
        cause: "neutron-addresses-used-up",
        scope: &["neutron", "nova", "octavia"],
        needs: &[
            "No more IP addresses",
            "No more free IP",
            "IpAddressGenerationFailure",
        ],
        pattern: r"(?P<what>No more (?:free )?IP addresses (?:available )?(?:on|in) (?:network|subnet|slice) (?P<network>[0-9a-f-]{8,36})?|IpAddressGenerationFailure[^\r\n]{0,80})",
        strength: 0.86,
        kind: "Network",
        subject: "{network}",
        title: "No more IP addresses on network {network}",
        statement: "Neutron cannot give a port an address: all addresses of network {network} are in use (or its allocation pool is too small), so new instances, routers or floating IPs fail there.",
        yes: &[
            "neutron_lib.exceptions.IpAddressGenerationFailure: No more IP addresses available on network 3b0c2952-aaaa-2222-3333-444455556666.",
        ],
        no: &["INFO neutron.wsgi GET /v2.0/network-ip-availabilities"],
        ..RULE
    },
    Rule {
        id: "neutron.segments-used-up",
        cause: "neutron-segments-used-up",
        scope: &["neutron"],
        needs: &[
            "No tenant network is available",
            "NoNetworkAvailable",
            "VlanIdInUse",
            "is outside the allocation",
            "TunnelIdInUse",
            "MacAddressGenerationFailure",
            "Unable to generate unique mac",
        ],
        pattern: r"(?P<what>No tenant network is available for allocation|NoNetworkAvailable[^\r\n]{0,80}|(?:VlanIdInUse|TunnelIdInUse)[^\r\n]{0,100}|Unable to generate unique mac[^\r\n]{0,60}|[Vv]lan(?: id)? \d+ is outside [^\r\n]{0,80})",
        strength: 0.84,
        title: "{daemon}: Neutron cannot allocate a network: {what}",
        statement: "Neutron refuses new networks or ports ({what}){span}: the configured range of VLANs, tunnel ids or MAC addresses is used up or does not contain what is asked for.",
        yes: &[
            "neutron_lib.exceptions.NoNetworkAvailable: Unable to create the network. No tenant network is available for allocation.",
        ],
        no: &["Allocated vlan (112) from the pool"],
        ..RULE
    },
    Rule {
        id: "neutron.bridge-absent",
        cause: "neutron-bridge-mapping-missing",
        scope: &["neutron", "ovn-controller", "ovn"],
        needs: &[
            "for physical network",
            "no bridge",
            "bridge not found",
            "Bridge ",
        ],
        pattern: r"(?P<what>Bridge (?P<bridge>[\w.-]+) for physical network (?P<net>[\w.-]+) does not exist[^\r\n]{0,30}|bridge not found for localnet port '(?P<port>[^']+)' with network name '(?P<n2>[^']+)'|Can not bridge [^\r\n]{0,80}|no bridge mapping for [^\r\n]{0,60})",
        strength: 0.88,
        kind: "Bridge",
        subject: "{bridge}{n2}",
        title: "{daemon}: provider network without its bridge: {what}",
        statement: "{what}: the bridge mapping of the agent names a bridge or provider network that this host does not have, so ports on it stay without connection (and the agent may stop).",
        yes: &[
            "ERROR neutron.plugins.ml2.drivers.openvswitch.agent.ovs_neutron_agent [-] Bridge br-data for physical network physnet2 does not exist. Agent terminated!",
            "00071|patch|ERR|bridge not found for localnet port 'provnet-1' with network name 'physnet9'",
        ],
        no: &["INFO neutron Mapping physical network physnet1 to bridge br-data"],
        ..RULE
    },
    Rule {
        id: "neutron.dhcp-process",
        cause: "neutron-dhcp-process-failed",
        scope: &["neutron", "dnsmasq", "syslog", "messages"],
        needs: &["dnsmasq: "],
        pattern: r"dnsmasq: (?P<what>(?:failed to (?:create|bind|open|load)|cannot (?:open|read|access|bind)|bad (?:option|address|dhcp)|unknown (?:interface|user)|illegal repeated)[^\r\n]{3,120})",
        at_least: 2,
        strength: 0.78,
        title: "{daemon}: dnsmasq cannot start: {what}",
        statement: "dnsmasq, which gives guests their addresses and names, fails to start ({what}){span}: instances of that network get no address.",
        yes: &[
            "Stderr: dnsmasq: failed to create listening socket for 10.0.0.2: Address already in use",
        ],
        no: &["dnsmasq[811]: started, version 2.80 cachesize 150"],
        ..RULE
    },
    Rule {
        id: "nova.retries-used-up",
        cause: "nova-build-retries",
        scope: &["nova"],
        needs: &["Exceeded maximum number of retries", "Exhausted all hosts"],
        pattern: r"(?P<what>Exceeded maximum number of retries\.[^\r\n]{0,140}|Exhausted all hosts available for retrying build failures[^\r\n]{0,80})",
        strength: 0.6,
        role: crate::signals::Role::Symptom,
        title: "{daemon}: instances fail on every host: {what}",
        statement: "Nova tried several hosts and each failed to build the instance ({what}); the logs of Nova on those hosts tell why.",
        yes: &[
            "nova.exception.MaxRetriesExceeded: Exceeded maximum number of retries. Exhausted all hosts available for retrying build failures for instance 1.",
        ],
        no: &["Retrying the request"],
        ..RULE
    },
    Rule {
        id: "placement.over-capacity",
        cause: "placement-over-capacity",
        scope: &["placement", "nova"],
        needs: &[
            "Over capacity for",
            "InvalidInventoryCapacity",
            "InventoryInUse",
            "Unable to allocate inventory",
        ],
        pattern: r"(?P<what>Over capacity for (?P<class>\w+) on resource provider \S+ Needed: \d+, Used: \d+, Capacity: [\d.]+|InvalidInventoryCapacity[^\r\n]{0,100}|InventoryInUse[^\r\n]{0,100}|Unable to allocate inventory[^\r\n]{0,100})",
        at_least: 3,
        strength: 0.7,
        title: "{daemon}: a host has no room for more: {what}",
        statement: "Placement refuses allocations ({what}){span}: the host's capacity by allocation ratio and reservations is used up, or its inventory shrank below what is allocated.",
        yes: &[
            "WARNING placement.objects.allocation [req-1] Over capacity for VCPU on resource provider 1. Needed: 4, Used: 190, Capacity: 192.0",
        ],
        no: &["capacity for VCPU updated"],
        ..RULE
    },
    Rule {
        id: "ironic.power",
        cause: "bmc-unreachable",
        scope: &["ironic", "maas"],
        needs: &["IPMI", "BMC", "ipmitool", "power"],
        pattern: r"(?P<what>IPMI call failed[^\r\n]{0,160}|Unable to establish (?:IPMI v2 / RMCP\+|LAN) session[^\r\n]{0,60}|Failed (?:to|talking) [^\r\n]{0,40}(?:power|BMC)[^\r\n]{0,120})",
        at_least: 2,
        strength: 0.78,
        title: "{daemon}: a management controller (BMC) does not answer: {what}",
        statement: "{daemon} cannot control a machine's power ({what}){span}: the address, user or password of its management controller is wrong, or its network does not reach it.",
        yes: &[
            "ironic.common.exception.IPMIFailure: IPMI call failed: power status. Error: Unable to establish IPMI v2 / RMCP+ session",
        ],
        no: &["Successfully set node power state to power on"],
        ..RULE
    },
    Rule {
        id: "swift.ring-missing",
        cause: "swift-ring-missing",
        scope: &["swift", "syslog", "messages"],
        needs: &[".ring.gz"],
        pattern: r"(?P<what>[^\r\n]{0,80}?(?P<ring>/\S*?\.ring\.gz)[^\r\n]{0,60})",
        unless: r"(?i)info:|loaded",
        at_least: 2,
        strength: 0.8,
        kind: "File",
        subject: "{ring}",
        title: "Swift cannot use its ring {ring}",
        statement: "Swift's services fail because of the ring file {ring} ({what}){span}: it is missing, damaged or unreadable on this node, so requests for its policy cannot be placed.",
        yes: &[
            "object-server[701]: Error: [Errno 2] No such file or directory: '/etc/swift/object-3.ring.gz'",
        ],
        no: &["INFO: loaded /etc/swift/object.ring.gz"],
        ..RULE
    },
    Rule {
        id: "ldap.size-limit",
        cause: "ldap-size-limit",
        needs: &[
            "SIZELIMIT_EXCEEDED",
            "exceeded size limit",
            "Size limit exceeded",
        ],
        pattern: r"(?P<what>SIZELIMIT_EXCEEDED|[^\r\n]{0,60}exceeded size limit|[Ss]ize limit exceeded)",
        at_least: 2,
        strength: 0.8,
        title: "{daemon}: LDAP answers with more entries than its size limit: {what}",
        statement: "A search in the directory exceeds the server's size limit ({what}){span}: listing fails; paging, a narrower filter or base is needed.",
        yes: &["ldap.SIZELIMIT_EXCEEDED: {'desc': 'Size limit exceeded', 'result': 4}"],
        no: &["ldap search returned 20 entries"],
        ..RULE
    },
];
