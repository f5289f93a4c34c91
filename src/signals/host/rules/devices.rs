//! Cards, transceivers, controllers and the virtual devices of guests, in the words of their drivers.

use super::storage::DISK;
use super::{BASE, Rule, Scope};

const LINK: &[&str] = &[
    "network",
    "link",
    "nic",
    "port",
    "cable",
    "traffic",
    "interface",
    "bond",
];

pub(super) const RULES: &[Rule] = &[
    // The card refuses the module that is plugged in: no link, whatever the switch does.
    Rule {
        detector: "transceiver-refused",
        cause: "transceiver-unsupported",
        kind: "Device",
        name: "{dev}",
        needles: &[
            "unsupported SFP",
            "unqualified module",
            "Unqualified SFP",
            "Port module event[error]",
            "unsupported QSFP",
        ],
        pattern: r"(?P<drv>\w+) (?P<dev>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d)\S*:? .*?(?P<msg>(?:unsupported|unqualified) (?:Q?SFP|module).{0,40}|Port module event\[error\].{0,80}|Unqualified SFP\+? module.{0,60})",
        title: "Transceiver in {dev} ({drv}) is not accepted: {msg} ({n}){when}",
        statement: "The card {dev} ({drv}) does not accept the module or cable in its port ({msg}); the port gets no link until a supported one is plugged in.",
        strength: 0.76,
        ticket: LINK,
        ..BASE
    },
    Rule {
        detector: "nic-filters-full",
        cause: "nic-filter-table-full",
        kind: "Device",
        name: "{dev}",
        needles: &[
            "adding RX filters",
            "Unable to add mac filter",
            "No space for MAC filter",
        ],
        pattern: r"(?P<drv>\w+) (?P<dev>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d)\S*:? .*?(?P<msg>Error \w+,? ?\w* adding RX filters.{0,60}|promiscuous mode forced on|No space for MAC filter.{0,30})",
        title: "Card {dev} ({drv}) has no room for further address filters: {msg} ({n}){when}",
        statement: "The filter table of {dev} is full ({msg}): more addresses or VLANs are used on the port than the card can filter. Frames of some of them are dropped or the port falls back to promiscuous mode.",
        strength: 0.72,
        ordinary_at_boot: true,
        ticket: LINK,
        ..BASE
    },
    Rule {
        detector: "half-duplex-logged",
        cause: "interface-errors",
        kind: "Interface",
        name: "{dev}",
        needles: &["alf Duplex", "alf duplex", "half duplex", "Half/"],
        pattern: r"(?P<dev>\b(?:eth|en|em|p\d+p)\w*)\S*: .*?[Ll]ink is [Uu]p.{0,4}?(?:at )?(?P<msg>\d+ ?[Mm]bps,? ?(?:/ ?)?[Hh]alf)",
        title: "Interface {dev} came up with half duplex: {msg} ({n}){when}",
        statement: "{dev} negotiated half duplex ({msg}): speed or duplex is fixed on one side only, so frames collide and throughput collapses.",
        strength: 0.62,
        ticket: &["slow", "network", "link", "throughput", "loss", "duplex"],
        ..BASE
    },
    // A queue entry that the device never had: the hypervisor's side and the guest's no longer agree.
    Rule {
        detector: "virtio-queue-broken",
        cause: "virtio-device-broken",
        kind: "Device",
        name: "{dev}",
        needles: &[
            "is not a head!",
            "queue failure: -",
            "Virtqueue is broken",
            "virtio: device uses modern interface but",
        ],
        pattern: r"(?P<drv>virtio\w*) (?P<dev>virtio\d+)\S*:?.*?(?P<msg>\S+:id \d+ is not a head!|Unexpected TXQ \(\d+\) queue failure: -\d+|[^:]{0,30}[Vv]irtqueue is broken)",
        title: "Virtual device {dev} ({drv}) stopped working: {msg} ({n}){when}",
        statement: "The queue of the virtual device {dev} ({drv}) is broken ({msg}): guest and hypervisor no longer agree about it, so its network or disk stands still until it is reset.",
        strength: 0.8,
        enough: 2,
        ticket: LINK,
        ..BASE
    },
    Rule {
        detector: "hyperv-storage-errors",
        cause: "disk-io-errors",
        kind: "Disk",
        name: "{dev}",
        needles: &["hv_storvsc"],
        pattern: r"hv_storvsc (?P<dev>[0-9a-f-]{8,40}): .*?(?P<msg>tag#\d+ cmd 0x(?:28|2a|88|8a|35)\b.{0,60})",
        title: "Disk behind {dev} of the Hyper-V host fails reads or writes: {msg} ({n}){when}",
        statement: "The virtual storage controller {dev} returns errors for reads and writes ({msg}): the storage of the hypervisor is slow, full or lost.",
        strength: 0.64,
        enough: 10,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "xen-grants-full",
        cause: "xen-grants-exhausted",
        needles: &["max_grant_frames reached", "Grant tables exhausted"],
        pattern: r"(?P<msg>max_grant_frames reached.{0,60}|Grant tables? exhausted)",
        title: "Xen guest has no grant entries left: {msg} ({n}){when}",
        statement: "The guest used up its table of pages shared with the hypervisor ({msg}); its disks and network cards stall until gnttab_max_frames is raised or devices are removed.",
        strength: 0.86,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "balloon-empty",
        cause: "balloon-starves-guest",
        kind: "Memory",
        name: "balloon",
        needles: &[
            "Out of puff!",
            "hv_balloon: Balloon request will be partially fulfilled",
            "hv_balloon: hot_add memory failed",
        ],
        pattern: r"(?P<msg>Out of puff! Can't get \d+ pages|Balloon request will be partially fulfilled|hot_add memory failed.{0,40})",
        title: "The hypervisor takes more memory back than the guest can give: {msg} ({n}){when}",
        statement: "The balloon driver cannot hand over the pages that the hypervisor asks for ({msg}): the hypervisor is short of memory and empties this guest, which then swaps or kills processes.",
        strength: 0.66,
        ticket: &["memory", "oom", "slow", "swap"],
        ..BASE
    },
    // `originator(PL)`: the protocol layer, that is the SAS link, cable, expander or disk.
    Rule {
        detector: "sas-link-errors",
        cause: "sas-link-errors",
        kind: "Controller",
        name: "{dev}",
        needles: &["log_info(0x"],
        pattern: r"(?P<dev>mpt\dsas\w*|mptbase|ioc\d+)\S*: (?:LogInfo|log_info)\((?P<msg>0x\w+)\): originator.(?:PL|\{PL\})",
        title: "SAS controller {dev} reports errors of its links or disks: {msg} ({n}){when}",
        statement: "{dev} repeats the event {msg} of the protocol layer: a disk, cable or expander behind it drops commands and is reset.",
        strength: 0.58,
        enough: 40,
        ordinary_at_boot: true,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "raid-card-event",
        cause: "raid-degraded",
        kind: "Controller",
        name: "{dev}",
        needles: &[
            "/FATAL) - ",
            "/CRIT) - ",
            "/DEAD) - ",
            "State change on PD",
            "Predictive failure: PD",
            "Unexpected sense: PD",
        ],
        pattern: r"megaraid_sas (?P<dev>[0-9a-f:.]+): \d+ \(\S+?\) - (?P<msg>(?:VD |State change on (?:VD|PD) .{0,60}to (?:FAILED|OFFLINE|DEGRADED|UNCONFIGURED_BAD)|Predictive failure: PD |Unexpected sense: PD .{0,80}Sense: [34]/|Controller encountered a fatal|Controller ID: \d+ .{0,20}[Ff]atal|Fatal firmware error|Battery has failed|Error on PD).{0,80})",
        except: r"is now OPTIMAL|Consistency Check|to (?:ONLINE|OPTIMAL|REBUILD|HOT SPARE|UNCONFIGURED_GOOD)",
        title: "RAID card {dev}: {msg} ({n}){when}",
        statement: "The RAID card {dev} reports {msg}: a disk or volume behind it failed or is about to.",
        strength: 0.82,
        ticket: DISK,
        ..BASE
    },
    // A volume of the card that is gone takes its file systems along.
    Rule {
        detector: "raid-volume-offline",
        cause: "raid-array-down",
        kind: "Controller",
        name: "{dev}",
        needles: &["is now OFFLINE", "is now FAILED", "to OFFLINE(0)"],
        pattern: r"megaraid_sas (?P<dev>[0-9a-f:.]+): \d+ \(\S+?\) - (?P<msg>VD \S+ is now (?:OFFLINE|FAILED)|State change on VD \S+ from .{0,30} to OFFLINE\(0\))",
        title: "RAID card {dev}: {msg} ({n}){when}",
        statement: "A volume of the RAID card {dev} is gone ({msg}): more of its disks failed or vanished than its redundancy covers, and every file system on it is shut down.",
        strength: 0.92,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "array-controller-reset",
        cause: "storage-controller-fault",
        kind: "Controller",
        name: "{drv} {dev}",
        needles: &[
            "resetting logical",
            "resetting physical",
            "controller is offline",
            "ISP System Error",
            "MBX Command timeout",
            "Mailbox command timeout",
            "Mailbox cmd timeout",
            "attempting host reset",
            "issued host reset",
        ],
        pattern: r"(?P<drv>hpsa|smartpqi|qla2xxx|lpfc|fnic|qedf|mptscsih|mpt\dsas\w*|pm80xx|mvsas|aacraid)\S* \[?(?P<dev>[0-9a-f:.]{7,12})?.*?(?P<msg>resetting (?:logical|physical)|controller is offline.{0,30}|ISP System Error.{0,40}|MBX Command timeout.{0,30}|Mailbox (?:command|cmd) \S* ?timeout.{0,20}|(?:attempting|issued) host reset)",
        except: r"resetting logical +(?:Enclosure|RAID)",
        title: "Storage controller {drv} {dev}: {msg} ({n}){when}",
        statement: "The controller {dev} driven by {drv} stops answering or resets what is behind it ({msg}); I/O on all of its disks stalls meanwhile.",
        strength: 0.74,
        ordinary_at_boot: true,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "nvme-duplicate-ids",
        cause: "nvme-duplicate-ids",
        kind: "Disk",
        name: "{dev}",
        needles: &["duplicate IDs"],
        pattern: r"nvme (?P<dev>nvme\d+)\S*: (?P<msg>(?:globally )?duplicate IDs (?:for|in subsystem for) nsid \d+)",
        title: "NVMe drive {dev} is left out: {msg}",
        statement: "Two NVMe drives report the same identifiers ({msg}), so the kernel refuses the name space of {dev}; firmware or a quirk of the driver must tell them apart.",
        strength: 0.7,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "swiotlb-full",
        cause: "swiotlb-full",
        kind: "Device",
        name: "{dev}",
        needles: &["swiotlb buffer is full", "Out of SW-IOMMU space"],
        pattern: r"(?P<dev>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d|virtio\d+|\w+)?:? ?(?:DMA: )?(?P<msg>swiotlb buffer is full.{0,70}|Out of SW-IOMMU space.{0,40})",
        title: "Bounce buffers for DMA are used up by {dev}: {msg} ({n}){when}",
        statement: "Device {dev} needs bounce buffers and none is left ({msg}): its transfers fail. swiotlb= is too small for encrypted guests or devices with short addresses, or a driver leaks them.",
        strength: 0.78,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "iommu-timeout",
        cause: "iommu-fault",
        kind: "Device",
        name: "IOMMU",
        needles: &[
            "Completion-Wait loop timed out",
            "DMAR: QI command timeout",
            "Invalidation Time-out Error",
        ],
        pattern: r"(?P<msg>AMD-Vi: Completion-Wait loop timed out|Invalidation Time-out Error.{0,30})",
        title: "The IOMMU does not answer: {msg} ({n}){when}",
        statement: "The IOMMU does not finish its commands ({msg}): a device behind it hangs or fell off its bus, and DMA of all devices stalls.",
        strength: 0.7,
        enough: 3,
        ..BASE
    },
    Rule {
        detector: "eeh-frozen",
        cause: "pcie-errors",
        kind: "Device",
        name: "{dev}",
        needles: &["EEH: "],
        pattern: r"EEH: (?P<msg>Frozen P\S+ detected|PHB#\w+ failure detected.{0,30}|.{0,60}has failed \d+ times.{0,60}|Unable to recover from failure from P\S+).{0,10}?(?P<dev>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d)?",
        title: "PCI device {dev} was frozen by the platform: {msg} ({n}){when}",
        statement: "The platform isolated a PCI slot after errors ({msg}); the device in it is lost or reset.",
        strength: 0.8,
        ticket: DISK,
        ..BASE
    },
    // The initiators give up on commands: what is behind the target answers too slowly.
    Rule {
        detector: "iscsi-target-aborts",
        cause: "iscsi-target-slow",
        kind: "Target",
        name: "iSCSI target",
        needles: &[
            "ABORT_TASK: Found referenced",
            "ABORT_TASK: Sending TMR_TASK_DOES_NOT_EXIST",
        ],
        pattern: r"(?P<msg>ABORT_TASK: (?:Found referenced \S+ task_tag: \d+|Sending \S+ for ref_tag: \d+))",
        title: "The iSCSI target's clients abort commands: {msg} ({n}){when}",
        statement: "Initiators abort commands that this target did not finish in time ({msg}): the storage behind it is too slow or hangs.",
        strength: 0.6,
        enough: 3,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "thin-threshold",
        cause: "lun-thin-threshold",
        kind: "Disk",
        name: "{dev}",
        needles: &["thin provisioning soft threshold"],
        pattern: r"sd (?P<dev>[\d:]+): .*?(?P<msg>reached a thin provisioning soft threshold)",
        title: "LUN {dev} {msg} ({n}){when}",
        statement: "The array warns that the pool behind LUN {dev} is nearly full; when it is full, writes fail although the disk has free space.",
        strength: 0.62,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "disk-vanished",
        cause: "disk-io-errors",
        kind: "Disk",
        name: "{dev}",
        needles: &["detected capacity change from"],
        pattern: r"(?P<dev>(?:sd|nvme|vd|dasd|xvd)\w+): (?P<msg>detected capacity change from [1-9]\d* to 0)",
        title: "Disk {dev} vanished: {msg} ({n}){when}",
        statement: "The disk {dev} suddenly reports no capacity ({msg}): it was unmapped, pulled, or its controller lost it.",
        strength: 0.62,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "bond-without-link",
        cause: "bond-slave-down",
        kind: "Interface",
        name: "{bond}",
        scope: Scope::System,
        needles: &["without any active interface"],
        pattern: r"(?P<bond>\S+?): (?P<msg>now running without any active interface)",
        title: "Bond {bond} lost all of its links: {msg} ({n}){when}",
        statement: "No slave of {bond} has a link any more ({msg}); everything that uses the bond was cut off.",
        strength: 0.76,
        ordinary_at_boot: true,
        ticket: LINK,
        ..BASE
    },
    Rule {
        detector: "nic-slot-power",
        cause: "pcie-slot-power",
        kind: "Device",
        name: "{dev}",
        needles: &["insufficient power on the PCIe slot"],
        pattern: r"(?P<drv>\w+) (?P<dev>[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.\d)\S*:? .*?(?P<msg>[Dd]etected insufficient power on the PCIe slot.{0,10})",
        title: "Card {dev} gets too little power: {msg}",
        statement: "The PCIe slot of {dev} ({drv}) supplies less power than the card asks for ({msg}); optical modules may stay dark.",
        strength: 0.42,
        ticket: LINK,
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::super::tests::{means, silent};

    #[test]
    fn devices() {
        means(&[
            (
                "kernel: ixgbe 0000:05:00.0: failed to load because an unsupported SFP+ or QSFP module type was detected.",
                "transceiver-unsupported",
            ),
            (
                "kernel: mlx5_core 0000:03:00.0: Port module event[error]: module 0, Cable error, Bad or shorted cable/module",
                "transceiver-unsupported",
            ),
            (
                "kernel: i40e 0000:3b:00.1: Error I40E_AQ_RC_ENOSPC adding RX filters on PF, promiscuous mode forced on",
                "nic-filter-table-full",
            ),
            (
                "kernel: e1000e 0000:00:19.0 eno1: NIC Link is Up 100 Mbps Half Duplex, Flow Control: None",
                "interface-errors",
            ),
            (
                "kernel: virtio_net virtio1: output.0:id 12 is not a head!",
                "virtio-device-broken",
            ),
            (
                "kernel: xen:grant_table: max_grant_frames reached cur=64 extra=1 limit=64",
                "xen-grants-exhausted",
            ),
            (
                "kernel: virtio_balloon virtio5: Out of puff! Can't get 1 pages",
                "balloon-starves-guest",
            ),
            (
                "kernel: megaraid_sas 0000:18:00.0: 19521 (675012345s/0x0001/FATAL) - VD 02/2 is now OFFLINE",
                "raid-array-down",
            ),
            (
                "kernel: megaraid_sas 0000:18:00.0: 77 (675012345s/0x0002/WARN) - Predictive failure: PD 04(e0x20/s4)",
                "raid-degraded",
            ),
            (
                "kernel: hpsa 0000:03:00.0: scsi 1:1:0:0: resetting logical  Direct-Access     HP       LOGICAL VOLUME   RAID-5",
                "storage-controller-fault",
            ),
            (
                "kernel: smartpqi 0000:5c:00.0: controller is offline: status code 0x14803",
                "storage-controller-fault",
            ),
            (
                "kernel: qla2xxx [0000:06:00.0]-5003:3: ISP System Error - mbx1=f2h mbx2=8b1h mbx3=0h",
                "storage-controller-fault",
            ),
            (
                "kernel: nvme nvme1: globally duplicate IDs for nsid 1",
                "nvme-duplicate-ids",
            ),
            (
                "kernel: mpt3sas 0000:01:00.0: swiotlb buffer is full (sz: 65536 bytes), total 32768 (slots), used 32768 (slots)",
                "swiotlb-full",
            ),
            ("kernel: EEH: Frozen PHB#1-PE#fd detected", "pcie-errors"),
            (
                "kernel: sd 2:0:0:1: Warning! Received an indication that the LUN reached a thin provisioning soft threshold.",
                "lun-thin-threshold",
            ),
            (
                "kernel: sdc: detected capacity change from 2147483648 to 0",
                "disk-io-errors",
            ),
            (
                "kernel: bond0: now running without any active interface!",
                "bond-slave-down",
            ),
        ]);
        silent(&[
            "kernel: megaraid_sas 0000:18:00.0: 19522 (675012345s/0x0001/INFO) - VD 02/2 is now OPTIMAL",
            "kernel: megaraid_sas 0000:18:00.0: 19 (boot + 5s/0x0020/WARN) - Patrol Read started",
            "kernel: e1000e 0000:00:19.0 eno1: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: None",
            "kernel: loop3: detected capacity change from 8 to 0",
            "kernel: mlx5_core 0000:03:00.0: Port module event: module 0, Cable plugged",
            "kernel: mpt3sas_cm0: log_info(0x31110e03): originator(PL), code(0x11), sub_code(0x0e03)",
            "kernel: hpsa 0000:03:00.0: scsi 0:0:0:0: resetting logical  RAID              HP       P420i            controller",
        ]);
    }
}
