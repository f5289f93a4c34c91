//! Nova and the guests it starts: scheduling, placement, devices, migration, libvirt.

use super::rule::{RULE, Rule};

const NOVA: &[&str] = &["nova", "placement"];

/// The rules.
pub const RULES: &[Rule] = &[
    // SSH ignores a private key that others may read; cold migration and resize copy disks over SSH.
    Rule {
        id: "ssh.key-permissions",
        cause: "ssh-key-permissions",
        scope: &[],
        needs: &["are too open"],
        pattern: r"Permissions (?P<mode>0?\d{3}) for .{0,2}?(?P<key>/[^'\x22\\ ]+).{0,4} are too open",
        strength: 0.92,
        kind: "SSH key",
        subject: "{key}",
        title: "SSH private key {key} has permissions {mode}: too open, SSH ignores it",
        statement: "{daemon} cannot use SSH because private key {key} has permissions {mode} (readable by others, too open): ssh ignores the key and the login is denied; migrations and resizes that copy over SSH fail.",
        yes: &[
            "Permissions 0644 for \\'/var/lib/nova/.ssh/id_rsa\\' are too open.\\r\\n",
            "Permissions 0777 for '/root/.ssh/id_ed25519' are too open.",
        ],
        no: &["Permissions for /etc set"],
        ..RULE
    },
    Rule {
        id: "nova.ssh-denied",
        cause: "nova-ssh-migration",
        scope: NOVA,
        needs: &[
            "Permission denied (publickey",
            "Host key verification failed",
            "ResizeError",
        ],
        pattern: r"(?P<what>(?:nova@)?(?P<peer>[\w.-]+): Permission denied \(publickey[^)]*\)|Host key verification failed)",
        near: r"scp|ssh|Stderr|resize|migrat",
        strength: 0.82,
        title: "{daemon}: SSH between compute nodes fails: {what}",
        statement: "nova-compute copies disks between compute nodes over SSH; {what} for {peer}: key or known_hosts of the nova user do not fit.",
        yes: &[
            "Stderr: 'Host key verification failed.\\r\\n'",
            "nova@10.5.1.153: Permission denied (publickey).",
        ],
        no: &["Accepted publickey for nova"],
        ..RULE
    },
    // Inventory walks the node devices; one that is unplugged meanwhile makes the whole update fail.
    Rule {
        id: "nova.node-device-gone",
        cause: "nova-libvirt-node-device-race",
        scope: NOVA,
        needs: &["Node device not found"],
        pattern: r"Node device not found: no node device with matching name '(?P<device>[^']+)'",
        near: r"Error updating resources for node",
        strength: 0.86,
        title: "{daemon}: resource update fails: libvirt node device {device} not found",
        statement: "nova-compute could not update its resources because the libvirt node device {device} vanished while it was listed (node device not found, a race with an interface or VF being unplugged).",
        yes: &[
            "libvirt.libvirtError: Node device not found: no node device with matching name 'net_tap8b08ec90_e5'",
        ],
        no: &["Node device created"],
        ..RULE
    },
    Rule {
        id: "nova.no-valid-host",
        cause: "nova-no-valid-host",
        scope: NOVA,
        needs: &["No valid host was found", "NoValidHost", "returned 0 hosts"],
        pattern: r"(?:No valid host was found\.? ?(?P<why>.{0,120})|Filter (?P<filter>\w+) returned 0 hosts)",
        strength: 0.6,
        persistent: 0.68,
        subject: "nova-scheduler {filter}",
        title: "nova: No valid host was found {filter} {why}",
        statement: "The Nova scheduler finds no host for instances ({filter} returned 0 hosts; {why}): capacity, aggregates, traits or disabled compute services.",
        yes: &[
            "2024-01-01 10:00:00.1 1 INFO nova.filters [req-1] Filter NUMATopologyFilter returned 0 hosts",
            "nova.exception.NoValidHost: No valid host was found. There are not enough hosts available.",
        ],
        no: &["Filter ComputeFilter returned 3 host(s)"],
        ..RULE
    },
    Rule {
        id: "nova.placement-conflict",
        cause: "nova-placement-conflict",
        scope: NOVA,
        needs: &[
            "ResourceProviderCreationFailed",
            "resource provider",
            "Conflicting resource provider",
            "placement",
            "allocations",
        ],
        pattern: r"(?P<what>Conflicting resource provider name: (?P<rp>\S+).{0,80}|ResourceProviderCreationFailed.{0,120}|Failed to (?:create|retrieve) (?:resource provider|allocations?).{0,120}|Unable to refresh my resource provider record.{0,40}|There are allocations against the source host that might need to be removed.{0,80}|Instance \S+ has allocations against this compute host but is not found in the database)",
        strength: 0.74,
        title: "{daemon}: placement conflict: {what}",
        statement: "Nova and Placement disagree: {what}. A stale resource provider or allocation (for instance after a host was renamed or rebuilt) has to be reconciled.",
        yes: &[
            "Failed to create resource provider record in placement API for UUID 1. Got 409: Conflicting resource provider name: node1 already exists.",
            "nova.exception.ResourceProviderCreationFailed: Failed to create resource provider node1",
        ],
        no: &["Created resource provider record via placement API"],
        ..RULE
    },
    Rule {
        id: "nova.cell-mapping",
        cause: "nova-cell-mapping",
        scope: NOVA,
        needs: &["cell", "HostMappingNotFound"],
        pattern: r"(?P<what>HostMappingNotFound.{0,80}|Host '(?P<host>[^']+)' is not mapped to any cell|CellMappingNotFound.{0,80}|(?:Timed out|timeout) waiting for response from cell.{0,80}|cell .{0,60}(?:is not responding|unreachable|did not respond).{0,60})",
        strength: 0.8,
        title: "{daemon}: Nova cell mapping is broken: {what}",
        statement: "Nova cannot use a cell or host: {what}. Run host discovery for new hosts, or see why the cell's database or message bus is not reachable.",
        yes: &[
            "nova.exception.HostMappingNotFound: Host 'n1' is not mapped to any cell",
            "Timed out waiting for response from cell 1234",
        ],
        no: &["Cell cell1 created"],
        ..RULE
    },
    Rule {
        id: "nova.migration-failed",
        cause: "nova-migration-failed",
        scope: NOVA,
        needs: &["igration"],
        pattern: r"(?P<what>[Ll]ive [Mm]igration (?:failure|operation has aborted|failed)[^\r\n]{0,200}|MigrationPreCheckError.{0,160}|MigrationError.{0,160}|Migration operation has aborted.{0,60}|Unacceptable CPU info: .{0,120})",
        near: r"libvirtError|Instance has been moved|error",
        strength: 0.74,
        kind: "Service",
        title: "{daemon}: instance migration fails: {what}",
        statement: "Live or cold migration of an instance failed: {what}.",
        yes: &[
            "2024-01-01 10:00:00.1 1 ERROR nova.virt.libvirt.driver [-] [instance: 1] Live Migration failure: operation failed: guest CPU doesn't match specification: missing features: x: libvirt.libvirtError",
            "nova.exception.MigrationPreCheckError: Migration pre-check error: Unable to migrate: cpu",
        ],
        no: &[
            "Migration running for 30 secs, memory 20% remaining",
            "Live migration completed",
        ],
        ..RULE
    },
    Rule {
        id: "nova.vif-plug-timeout",
        cause: "nova-vif-plug-timeout",
        scope: NOVA,
        needs: &["network-vif-plugged", "VirtualInterfaceCreateException"],
        pattern: r"(?:Timeout waiting for \[?\(?'?network-vif-plugged'?,? ?'?(?P<port>[0-9a-f-]{36})?|(?P<what>VirtualInterfaceCreateException.{0,80}))",
        strength: 0.72,
        title: "{daemon}: instance start fails: no network-vif-plugged event {port}",
        statement: "Neutron did not report port {port} as plugged in time, so Nova gave up starting the instance; the L2 agent or ovn-controller of this host did not wire the port.",
        yes: &[
            "WARNING nova.virt.libvirt.driver [-] [instance: 1] Timeout waiting for [('network-vif-plugged', '0f0e0d0c-1111-2222-3333-444455556666')] for instance with vm_state building",
            "nova.exception.VirtualInterfaceCreateException: Virtual Interface creation failed",
        ],
        no: &["Received event network-vif-plugged-1"],
        ..RULE
    },
    Rule {
        id: "openstack.libvirt-error",
        cause: "nova-libvirt-error",
        scope: NOVA,
        needs: &["libvirtError", "libvirt.libvirtError"],
        pattern: r"libvirt(?:\.libvirt)?Error: (?P<what>.{4,200})",
        unless: r"Node device not found|Domain not found|no domain with matching",
        strength: 0.66,
        persistent: 0.72,
        title: "{daemon}: libvirt refuses: {what}",
        statement: "libvirt answered nova-compute with an error: {what}.",
        yes: &[
            "libvirt.libvirtError: internal error: process exited while connecting to monitor: Could not access KVM kernel module: Permission denied",
        ],
        no: &["libvirt.libvirtError: Domain not found: no domain with matching uuid '1'"],
        ..RULE
    },
    // A device that Nova tracks was removed, re-created or is handed out twice: firmware, VF count or whitelist changed.
    Rule {
        id: "nova.pci-device",
        cause: "nova-pci-device",
        scope: NOVA,
        needs: &["pci device", "PciDevice", "PciRequestAllocationFailed"],
        pattern: r"(?P<what>PCI device (?P<device>[0-9a-f:.]{7,12})[^\r\n]{0,20} (?:not found|is allocated instead of available|is \w+ instead of \S+)[^\r\n]{0,40}|Trying to remove device with pci address[^\r\n]{0,120}|PCI device request [^\r\n]{0,120} failed|Attempt to consume PCI device[^\r\n]{0,100}|PciDeviceDetachFailed[^\r\n]{0,120}|Failed to allocate PCI devices[^\r\n]{0,120})",
        strength: 0.78,
        kind: "PCI device",
        subject: "{device}",
        title: "{daemon}: PCI device {device} cannot be used: {what}",
        statement: "Nova's record of PCI devices does not fit the host ({what}): a device or virtual function vanished, changed its address or is still allocated, so guests with SR-IOV or pass-through ports cannot start.",
        yes: &[
            "ERROR nova.compute.manager [-] nova.exception.PciDeviceNotFoundById: PCI device 0000:3b:02.1 not found",
            "PciDeviceInvalidStatus: PCI device 0000:3b:10.2 is allocated instead of available",
        ],
        no: &["INFO nova.pci.stats PCI device 0000:3b:10.2 available"],
        ..RULE
    },
    // Guests backed by hugepages need free ones on the NUMA node that they are bound to.
    Rule {
        id: "qemu.no-guest-memory",
        cause: "hugepages-exhausted",
        needs: &[
            "backing store for",
            "os_mem_prealloc",
            "Insufficient free host memory pages",
            "cannot set up guest memory",
        ],
        pattern: r"(?P<what>unable to map backing store for (?:guest RAM|hugepages): Cannot allocate memory|os_mem_prealloc: [^\r\n]{0,90}|Insufficient free host memory pages[^\r\n]{0,60}|cannot set up guest memory '[^']+': [^\r\n]{0,40})",
        strength: 0.84,
        kind: "Service",
        title: "{daemon}: guest gets no memory, hugepages are exhausted: {what}",
        statement: "QEMU cannot allocate the guest's memory ({what}): not enough free hugepages (or memory) on the NUMA node that the guest is bound to.",
        yes: &[
            "qemu-system-x86_64: unable to map backing store for guest RAM: Cannot allocate memory",
            "-object memory-backend-file: os_mem_prealloc: Insufficient free host memory pages available to allocate guest RAM",
        ],
        no: &["qemu-system-x86_64: backing store for guest RAM mapped"],
        ..RULE
    },
    // Another process (a second guest, qemu-img, a stale migration target) has the image open.
    Rule {
        id: "qemu.image-locked",
        cause: "qemu-image-locked",
        needs: &[
            "Failed to get",
            "Is another process using the image",
            "image is locked",
        ],
        pattern: r"(?P<what>Failed to get (?:shared )?\\?[\x22'](?:write|consistent read|resize)\\?[\x22'] lock|Is another process using the image(?: \[(?P<image>[^\]]+)\])?)",
        strength: 0.82,
        title: "{daemon}: disk image is locked by another process: {what}",
        statement: "QEMU refuses the disk image because another process holds its lock ({what}): the guest runs twice, or a migration, snapshot or conversion still uses the image.",
        yes: &[
            "qemu-system-x86_64: -blockdev {..}: Failed to get \"write\" lock",
            "Is another process using the image [/var/lib/nova/instances/1/disk]?",
        ],
        no: &["Failed to get lock on resource"],
        ..RULE
    },
    Rule {
        id: "nova.resource-update",
        cause: "nova-resource-update-failed",
        scope: NOVA,
        needs: &["Error updating resources for node"],
        pattern: r"Error updating resources for node (?P<node>[\w.-]+)(?:: (?P<what>[^\r\n]{3,200}))?",
        unless: "node device not found",
        near: r"^(?:\S+ ){0,6}(?:ERROR )?\S*(?:Error|Exception|NotFound|Conflict)\S*: ",
        at_least: 3,
        strength: 0.72,
        kind: "Compute host",
        subject: "{node}",
        title: "{daemon}: resources of {node} cannot be updated ({count} times): {what}",
        statement: "nova-compute fails each time it reports the resources of {node} ({what}), so the scheduler works with old figures and may exclude the host.",
        yes: &[
            "ERROR nova.compute.manager [-] Error updating resources for node compute1: nova.exception.OrphanedObjectError: Cannot call obj_load_attr on orphaned InstanceNUMATopology object",
        ],
        no: &["Final resource view: name=compute1 phys_ram=1"],
        ..RULE
    },
    Rule {
        id: "nova.quota",
        cause: "quota-exceeded-openstack",
        scope: &["nova", "neutron", "cinder", "glance", "octavia"],
        needs: &["Quota exceeded for", "OverQuota", "QuotaError"],
        pattern: r"(?P<what>Quota exceeded for (?:resources: )?[^\r\n]{0,160}|OverQuota[^\r\n]{0,120})",
        at_least: 2,
        strength: 0.62,
        title: "{daemon}: OpenStack quota exceeded: {what}",
        statement: "Requests are refused because the project's quota is used up: {what}.",
        yes: &[
            "HTTP exception thrown: Quota exceeded for cores, instances: Requested 8, 1, but already used 40, 10 of 40, 10 cores, instances",
            "Quota exceeded for resources: ['port'].",
        ],
        no: &["GET /v2/quotas"],
        ..RULE
    },
    // The agent asks Nova's metadata API on behalf of the guest; the shared secret signs the request.
    Rule {
        id: "nova.metadata-secret",
        cause: "metadata-service-failed",
        scope: &["nova", "neutron", "metadata"],
        needs: &["X-Instance-ID-Signature", "Invalid proxy request signature"],
        pattern: r"(?P<what>X-Instance-ID-Signature: \S+ does not match the expected value[^\r\n]{0,60}|Invalid proxy request signature)",
        strength: 0.86,
        title: "{daemon}: metadata requests are refused, the shared secret differs",
        statement: "Nova refuses the metadata proxy's signature ({what}): the metadata proxy shared secret of Neutron and of Nova differ, so guests get no metadata (keys, user data).",
        yes: &[
            "WARNING nova.api.metadata.handler [-] X-Instance-ID-Signature: ab12 does not match the expected value: cd34 for id: 1.  Request From: 10.0.0.5",
        ],
        no: &["GET /2009-04-04/meta-data/ HTTP/1.1 200"],
        ..RULE
    },
    Rule {
        id: "nova.metadata-error",
        cause: "metadata-service-failed",
        scope: &["neutron", "metadata"],
        needs: &["Remote metadata server experienced"],
        pattern: r"(?P<what>Remote metadata server experienced an internal server error)",
        at_least: 3,
        strength: 0.62,
        persistent: 0.68,
        title: "{daemon}: Nova's metadata service answers with an internal error ({count} times)",
        statement: "The metadata proxy reaches Nova's metadata API but gets an internal server error{span}: guests get no metadata; the log of nova-api-metadata names the reason.",
        yes: &[
            "WARNING neutron.agent.metadata.agent [-] Remote metadata server experienced an internal server error.",
        ],
        no: &["Remote metadata server found"],
        ..RULE
    },
    // libvirt's per-domain job lock is held by an operation that never ends, most often a stuck monitor or storage.
    Rule {
        id: "libvirt.state-lock",
        cause: "libvirt-job-stuck",
        needs: &["cannot acquire state change lock", "Cannot start job"],
        pattern: r"(?P<what>cannot acquire state change lock(?: \(held by (?:monitor=|agent=)?(?P<holder>[^)]+)\))?|Cannot start job \((?P<job>[^)]+)\)[^\r\n]{0,120})",
        at_least: 1,
        strength: 0.76,
        persistent: 0.82,
        title: "{daemon}: libvirt cannot operate on a guest: {what}",
        statement: "An earlier operation on the guest never finished and holds its lock ({what}): QEMU's monitor or the storage below does not answer, so every further call for this guest times out.",
        yes: &[
            "Timed out during operation: cannot acquire state change lock (held by monitor=remoteDispatchDomainMemoryStats)",
            "warning : qemuDomainObjBeginJobInternal:1 : Cannot start job (query, none, none) for domain i-1; current job is (modify, none, none)",
        ],
        no: &["Acquired state change lock"],
        ..RULE
    },
    Rule {
        id: "qemu.internal-error",
        cause: "qemu-guest-crashed",
        scope: &["libvirt", "qemu", "nova", "syslog", "messages", "journal"],
        needs: &[
            "KVM internal error",
            "kvm run failed",
            "KVM: entry failed",
            "qemu: hardware error",
            "qemu_mutex_lock",
            "Assertion `",
        ],
        pattern: r"(?P<what>KVM internal error\. Suberror: \d+|(?:error: )?kvm run failed [^\r\n]{0,40}|KVM: entry failed[^\r\n]{0,60}|qemu: hardware error: [^\r\n]{0,80}|qemu-system-\S+: [^\r\n]{0,80}Assertion `[^\r\n]{0,120})",
        strength: 0.84,
        title: "{daemon}: QEMU stops the guest: {what}",
        statement: "The guest was paused or ended by QEMU or KVM itself ({what}): a defect of QEMU, KVM or the processor state, not of the guest's program.",
        yes: &[
            "KVM internal error. Suberror: 3",
            "error: kvm run failed Bad address",
        ],
        no: &["char device redirected to /dev/pts/1"],
        ..RULE
    },
    Rule {
        id: "nova.hypervisor-gone",
        cause: "nova-hypervisor-unavailable",
        scope: NOVA,
        needs: &[
            "HypervisorUnavailable",
            "Connection to libvirt lost",
            "client socket is closed",
            "End of file while reading data",
            "Cannot recv data",
            "Connection to libvirt failed",
        ],
        pattern: r"(?P<what>HypervisorUnavailable[^\r\n]{0,100}|Connection to libvirt (?:lost|failed)[^\r\n]{0,160}|libvirtError: (?:internal error: client socket is closed|End of file while reading data[^\r\n]{0,40}|Cannot recv data[^\r\n]{0,60}))",
        at_least: 2,
        strength: 0.7,
        persistent: 0.78,
        title: "{daemon} has lost libvirt: {what} ({count} times)",
        statement: "{daemon} cannot talk to libvirt{span} ({what}): libvirtd crashed, hangs, was restarted or refuses connections; the host counts as down for scheduling.",
        yes: &[
            "nova.exception.HypervisorUnavailable: Connection to the hypervisor is broken on host",
            "ERROR nova.virt.libvirt.host [-] Connection to libvirt failed: Failed to connect socket to '/var/run/libvirt/libvirt-sock': Connection refused",
        ],
        no: &["Connected to hypervisor qemu:///system"],
        ..RULE
    },
];
