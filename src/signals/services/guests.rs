//! Guests and the host they need: processor models, pass-through, machine types, firmware, versions of Nova.

use super::rule::{RULE, Rule};

const GUESTS: &[&str] = &[
    "nova", "libvirt", "qemu", "syslog", "messages", "journal", "kern", "dmesg",
];

/// The rules.
pub const RULES: &[Rule] = &[
    // libvirt compares the guest's processor model with that of the destination before a live migration.
    Rule {
        id: "nova.cpu-incompatible",
        cause: "nova-cpu-incompatible",
        scope: GUESTS,
        needs: &[
            "Unacceptable CPU info",
            "doesn't have compatibility",
            "InvalidCPUInfo",
            "CPU is incompatible",
            "guest CPU doesn't match",
            "virCPUCompareResult",
        ],
        pattern: r"(?P<what>(?:InvalidCPUInfo: )?Unacceptable CPU info: [^\r\n]{0,120}|CPU doesn't have compatibility[^\r\n]{0,60}|guest CPU doesn't match specification[^\r\n]{0,120}|(?:guest and host|the) CPU is (?:not compatible|incompatible) with host CPU[^\r\n]{0,120})",
        strength: 0.86,
        title: "Live migration of instances is refused: the guest's CPU model is not compatible with this host: {what}",
        statement: "{daemon} refuses instances that migrate here because the CPU model of the guest, taken from its source host, is not compatible with this host's CPU ({what}): it is older or lacks features. A guest that takes its model from its host moves only to equal or newer CPUs; one common model for all hosts lets them move.",
        yes: &[
            "ERROR nova.virt.libvirt.driver [-] CPU doesn't have compatibility.",
            "nova.exception.InvalidCPUInfo: Unacceptable CPU info: CPU doesn't have compatibility.",
            "libvirt.libvirtError: operation failed: guest CPU doesn't match specification: missing features: avx512f",
        ],
        no: &["INFO nova.virt.libvirt.host [-] Libvirt host capabilities <capabilities>"],
        ..RULE
    },
    // Without IOMMU no device can be handed to a guest.
    Rule {
        id: "libvirt.no-iommu",
        cause: "iommu-disabled",
        scope: GUESTS,
        needs: &[
            "doesn't support passthrough",
            "vfio",
            "VFIO",
            "No IOMMU",
            "IOMMU not",
        ],
        pattern: r"(?P<what>host doesn't support passthrough of host PCI devices|(?:no iommu_group|No IOMMU group) (?:found )?[^\r\n]{0,80}|VFIO: no IOMMU[^\r\n]{0,60}|vfio[^\r\n]{0,60}: failed to get group[^\r\n]{0,60}|failed to set iommu for container[^\r\n]{0,60}|Failed to bind to driver .{0,4}vfio-pci.{0,80})",
        strength: 0.88,
        kind: "Host",
        subject: "iommu",
        title: "PCI pass-through is not possible, the IOMMU is off: {what}",
        statement: "{daemon} cannot hand a PCI device to a guest ({what}){span}: the IOMMU is not enabled in the firmware or on the kernel's command line.",
        yes: &[
            "libvirt.libvirtError: unsupported configuration: host doesn't support passthrough of host PCI devices",
            "qemu-system-x86_64: -device vfio-pci,host=0000:3b:02.1: vfio 0000:3b:02.1: no iommu_group found: No such file or directory",
        ],
        no: &["vfio-pci 0000:3b:02.1: enabling device"],
        ..RULE
    },
    Rule {
        id: "libvirt.iommu-group",
        cause: "iommu-group-not-viable",
        scope: GUESTS,
        needs: &["group", "viable"],
        pattern: r"(?P<what>(?:vfio[^\r\n]{0,40}: )?group (?P<group>\d+) is not viable[^\r\n]{0,100})",
        strength: 0.86,
        kind: "IOMMU group",
        subject: "{group}",
        title: "PCI pass-through fails: IOMMU {what}",
        statement: "QEMU cannot use a device because its IOMMU group {group} is not viable: another device of the group is still bound to a driver of the host. All devices of a group go to the guest together.",
        yes: &[
            "qemu-system-x86_64: -device vfio-pci,host=0000:17:00.0: vfio 0000:17:00.0: group 31 is not viable",
        ],
        no: &["viable group of users"],
        ..RULE
    },
    Rule {
        id: "nova.service-too-old",
        cause: "openstack-version-skew",
        scope: &[
            "nova", "cinder", "neutron", "octavia", "heat", "ironic", "manila",
        ],
        needs: &[
            "TooOldComputeService",
            "is too old",
            "does not support computes older than",
            "RPCVersionCapError",
            "UnsupportedVersion",
            "IncompatibleObjectVersion",
            "not supported by the server",
        ],
        pattern: r"(?P<what>TooOldComputeService[^\r\n]{0,160}|Current Nova version does not support computes older than[^\r\n]{0,120}|(?:RPC version|Requested message version|Endpoint does not support RPC version)[^\r\n]{0,30}? [\d.]+[^\r\n]{0,80}|RPCVersionCapError[^\r\n]{0,100}|UnsupportedVersion: [^\r\n]{0,120}|IncompatibleObjectVersion: [^\r\n]{0,120})",
        at_least: 1,
        strength: 0.82,
        title: "{daemon}: versions of the service do not fit each other: {what}",
        statement: "Parts of the service run versions that do not understand each other ({what}){span}: a node was left out of the upgrade, or the configuration pins another release.",
        yes: &[
            "CRITICAL nova [-] nova.exception.TooOldComputeService: Current Nova version does not support computes older than Yoga but the minimum compute service level in your system is 57",
            "oslo_messaging.rpc.dispatcher.UnsupportedVersion: Endpoint does not support RPC version 6.1. Attempted method: build_and_run_instance",
        ],
        no: &["INFO nova.service [-] Starting compute node (version 25.1.1)"],
        ..RULE
    },
    Rule {
        id: "libvirt.version-too-old",
        cause: "openstack-version-skew",
        scope: &["nova"],
        needs: &[
            "requires libvirt version",
            "requires QEMU version",
            "HypervisorTooOld",
        ],
        pattern: r"(?P<what>Nova requires (?:libvirt|QEMU) version [^\r\n]{0,80}|HypervisorTooOld[^\r\n]{0,80})",
        unless: r"WARNING",
        strength: 0.86,
        title: "{daemon}: {what}",
        statement: "nova-compute does not start because the host's hypervisor is too old: {what}.",
        yes: &["nova.exception.InternalError: Nova requires libvirt version 7.0.0 or greater."],
        no: &[
            "WARNING nova.virt.libvirt.driver [-] Running Nova with a libvirt version less than 8.0.0 is deprecated",
        ],
        ..RULE
    },
    Rule {
        id: "qemu.machine-type",
        cause: "qemu-machine-type",
        scope: GUESTS,
        needs: &["machine type", "emulator '"],
        pattern: r"(?P<what>(?:unsupported machine type|Emulator '[^']+' does not support machine type|unable to find any emulator to serve)[^\r\n]{0,100}|emulator '[^']+' (?:does not support machine type|not found)[^\r\n]{0,60})",
        strength: 0.84,
        title: "{daemon}: guest cannot start here: {what}",
        statement: "QEMU of this host does not know the machine type of the guest ({what}){span}: the guest was started on a host with another QEMU version, or its definition names a type that was removed.",
        yes: &[
            "libvirt.libvirtError: internal error: Emulator '/usr/bin/qemu-system-x86_64' does not support machine type 'pc-i440fx-wily'",
        ],
        no: &["machine type pc-q35-6.2 selected"],
        ..RULE
    },
    Rule {
        id: "nova.image-unfit",
        cause: "nova-flavor-or-image",
        scope: &["nova"],
        needs: &[
            "FlavorDiskSmallerThan",
            "Flavor's disk",
            "ImageUnacceptable",
            "ImageNotActive",
            "FlavorMemoryTooSmall",
            "ImagePropertiesFilter",
            "InvalidDiskFormat",
            "ImageNUMATopology",
            "PciInvalidAlias",
            "PCI alias",
            "UEFI is not supported",
            "requires secure boot",
        ],
        pattern: r"(?P<what>Flavor's (?:disk|memory) is too small for requested image[^\r\n]{0,100}|FlavorDiskSmallerThan\w+[^\r\n]{0,100}|ImageUnacceptable[^\r\n]{0,120}|Image \S+ is unacceptable: [^\r\n]{0,120}|PCI alias \S+ is not defined[^\r\n]{0,40}|PciInvalidAlias[^\r\n]{0,80}|UEFI is not supported[^\r\n]{0,40})",
        strength: 0.76,
        title: "{daemon}: flavor or image does not fit: {what}",
        statement: "Nova refuses the instance because its flavor and image do not fit each other or the configuration: {what}.",
        yes: &[
            "nova.exception.FlavorDiskSmallerThanImage: Flavor's disk is too small for requested image. Flavor disk is 5 bytes, image is 9 bytes.",
            "nova.exception.PciRequestAliasNotDefined: PCI alias gpu-a is not defined",
        ],
        no: &["Creating image(s)"],
        ..RULE
    },
    Rule {
        id: "libvirt.qemu-no-access",
        cause: "qemu-no-access",
        scope: GUESTS,
        needs: &[
            "Could not open '",
            "cannot access storage file",
            "unable to set user and group",
        ],
        pattern: r"(?P<what>Could not open '(?P<path>[^']+)': (?:Permission denied|No such file or directory)|[Cc]annot access storage file '(?P<p2>[^']+)'[^\r\n]{0,80}|unable to set user and group to '[^']+' on '(?P<p3>[^']+)': [^\r\n]{0,40})",
        strength: 0.8,
        kind: "Disk image",
        subject: "{path}{p2}{p3}",
        title: "{daemon}: guest cannot start, its disk is not accessible: {what}",
        statement: "QEMU cannot open a disk of the guest ({what}){span}: owner, mode, AppArmor profile or the path (a missing mount or base image) is wrong.",
        yes: &[
            "qemu-system-x86_64: -blockdev {..}: Could not open '/var/lib/nova/instances/_base/0a1b': No such file or directory",
            "libvirt.libvirtError: Cannot access storage file '/srv/vm/a.qcow2' (as uid:64055, gid:108): Permission denied",
        ],
        no: &["Could not open 'https://example.com/x'"],
        ..RULE
    },
    Rule {
        id: "libvirt.migration-peer",
        cause: "libvirt-peer-unreachable",
        scope: GUESTS,
        needs: &[
            "unable to connect to server at",
            "Unable to connect to libvirt",
            "unable to connect to destination",
            "Failed to connect to remote libvirt",
        ],
        pattern: r"(?P<what>unable to connect to server at '(?P<peer>[^']+)': (?P<why>[^\r\n]{3,80})|Failed to connect to remote libvirt URI (?P<uri>\S+): (?P<w2>[^\r\n]{3,160}))",
        strength: 0.8,
        kind: "Compute host",
        subject: "{peer}{uri}",
        title: "{daemon}: libvirt of the other host cannot be reached for migration: {what}",
        statement: "A live migration fails because libvirt or QEMU of the destination {peer}{uri} does not answer ({why}{w2}){span}: a firewall, the listening address, keys, or a name that resolves to the wrong network.",
        yes: &[
            "libvirt.libvirtError: unable to connect to server at 'compute-9:49152': No route to host",
        ],
        no: &["Connecting to libvirt: qemu:///system"],
        ..RULE
    },
];
