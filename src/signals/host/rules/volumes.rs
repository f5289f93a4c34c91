//! Arrays, volumes and file systems that refuse to come up, and clients of file systems on the network.

use super::storage::DISK;
use super::{BASE, Rule, Scope};

const MOUNT: &[&str] = &[
    "mount",
    "mounted",
    "boot",
    "fstab",
    "disk",
    "filesystem",
    "nfs",
    "share",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        detector: "md-non-fresh",
        cause: "raid-degraded",
        kind: "Raid",
        name: "{dev}",
        needles: &["kicking non-fresh"],
        pattern: r"md: (?P<msg>kicking non-fresh (?P<dev>\w+) from array)",
        title: "Software RAID leaves {dev} out: {msg}{when}",
        statement: "The member {dev} missed writes of its array ({msg}): the array runs without it until it is added again.",
        strength: 0.8,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "md-array-down",
        cause: "raid-array-down",
        kind: "Raid",
        name: "{md}",
        needles: &[
            "not enough operational",
            "annot continue operation",
            "cannot start dirty degraded array",
            "pers->run() failed",
            "failed to run raid set",
        ],
        pattern: r"md(?:/raid\d*:?)?(?P<md>md\w+)?: (?P<msg>not enough operational (?:devices|mirrors).{0,30}|[Cc]annot continue operation.{0,30}|cannot start dirty degraded array.{0,10}|pers->run\(\) failed.{0,10}|failed to run raid set.{0,10})",
        title: "Software RAID {md} is down: {msg}{when}",
        statement: "More members of {md} are missing than its redundancy covers ({msg}); the array cannot be used and what lies on it is gone until members come back.",
        strength: 0.9,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "duplicate-uuid",
        cause: "filesystem-duplicate-uuid",
        kind: "Filesystem",
        name: "{dev}",
        needles: &["duplicate UUID", "duplicate uuid"],
        pattern: r"(?:XFS|BTRFS)[^(]{0,12}\((?:device )?(?P<dev>[\w./-]+)\): (?P<msg>.{0,20}[Dd]uplicate (?:UUID|uuid).{0,60})",
        title: "File system on {dev} is refused: {msg}{when}",
        statement: "{dev} carries the same UUID as a file system that is mounted already ({msg}): a clone or snapshot of it. It mounts with nouuid or once it has got a new UUID.",
        strength: 0.82,
        ticket: MOUNT,
        ..BASE
    },
    Rule {
        detector: "ext4-writes-lost",
        cause: "filesystem-writes-lost",
        kind: "Filesystem",
        name: "{dev}",
        needles: &[
            "Delayed block allocation failed",
            "This should not happen!! Data will be lost",
            "failed to convert unwritten extents",
            "I/O error while writing superblock",
        ],
        pattern: r"EXT4-fs (?:warning |error )?\((?:device )?(?P<dev>[^)]+)\): .{0,40}?(?P<msg>Delayed block allocation failed.{0,100}|failed to convert unwritten extents.{0,60}|I/O error while writing superblock)",
        title: "ext4 on {dev} loses data that was already accepted: {msg} ({n}){when}",
        statement: "Cached writes of {dev} could not be stored ({msg}): the volume below has no space or fails, and programs believe that their data is safe.",
        strength: 0.76,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "ext4-not-mountable",
        cause: "filesystem-corruption",
        kind: "Filesystem",
        name: "{dev}",
        needles: &[
            "group descriptors corrupted",
            "error loading journal",
            "no journal found",
            "Can't read superblock",
            "can't read superblock",
        ],
        pattern: r"EXT[34]-fs \((?P<dev>[^)]+)\): (?P<msg>group descriptors corrupted|error loading journal|no journal found|.{0,20}[Cc]an't read superblock)",
        title: "ext4 on {dev} cannot be mounted: {msg}{when}",
        statement: "The ext4 file system on {dev} is damaged so that it cannot be mounted ({msg}); it needs an offline check after the disk is verified.",
        strength: 0.84,
        ticket: MOUNT,
        ..BASE
    },
    Rule {
        detector: "ext4-errors-noted",
        cause: "filesystem-errors-recorded",
        kind: "Filesystem",
        name: "{dev}",
        needles: &[
            "error count since last fsck",
            "mounting fs with errors",
            "mounting unchecked fs",
        ],
        pattern: r"EXT[34]-fs \((?P<dev>[^)]+)\): (?:warning: )?(?P<msg>error count since last fsck: \d+|mounting fs with errors.{0,40})",
        title: "ext4 on {dev} has errors that were never repaired: {msg} ({n}){when}",
        statement: "The file system on {dev} noted errors in its superblock ({msg}); it is used all the same and gets worse until it is checked offline.",
        strength: 0.62,
        ticket: DISK,
        ..BASE
    },
    // Space for data is left, and none for metadata: df looks harmless.
    Rule {
        detector: "btrfs-no-space",
        cause: "btrfs-out-of-space",
        kind: "Filesystem",
        name: "{dev}",
        needles: &["errno=-28", "Transaction aborted (error -28"],
        pattern: r"BTRFS:? .*?(?:\(device (?P<dev>[^):]+)[^)]*\))?.{0,120}?(?P<msg>errno=-28 No space left|Transaction aborted \(error -28)",
        title: "btrfs on {dev} has no space for its metadata: {msg} ({n}){when}",
        statement: "btrfs could not get space for metadata ({msg}) and stopped writing. All chunks are allocated although data chunks may be half empty: old snapshots must go or a balance free chunks.",
        strength: 0.88,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "block-integrity",
        cause: "block-integrity-failed",
        kind: "Device",
        name: "{dev}",
        needles: &[
            "device-mapper: verity",
            "device-mapper: integrity",
            "device-mapper: crypt",
            "INTEGRITY AEAD ERROR",
        ],
        pattern: r"device-mapper: (?:verity(?:-fec)?|integrity|crypt): (?P<dev>[\w:-]+)?:? ?(?P<msg>.{0,30}(?:block \d+ is corrupted|[Cc]hecksum failed at sector|INTEGRITY AEAD ERROR).{0,40})",
        title: "Block device {dev} fails its integrity check: {msg} ({n}){when}",
        statement: "Stored blocks of {dev} do not match their checksums ({msg}): the medium or what wrote to it changed data silently.",
        strength: 0.86,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "thin-pool-damaged",
        cause: "lvm-thin-damaged",
        kind: "Volume",
        name: "{dev}{dev2}",
        scope: Scope::System,
        needles: &[
            "Manual repair required",
            "transaction_id is",
            "metadata operation '",
            "switching pool to read-only mode",
            "switching pool to failed mode",
            "switching pool to fail mode",
        ],
        pattern: r"(?:thin: (?P<dev>[\d:]+): (?P<msg>metadata operation '\w+' failed: error = -\d+|switching pool to (?:read-only|fail(?:ed)?) mode)|(?P<msg2>Check of pool (?P<dev2>\S+) failed \(status:-?\d+\)\. Manual repair required|Thin pool (?P<dev3>\S+) .{0,20}transaction_id is \d+.{0,30}))",
        title: "LVM thin pool {dev}{dev2}{dev3} is damaged: {msg}{msg2} ({n}){when}",
        statement: "The metadata of the thin pool {dev}{dev2}{dev3} is damaged or cannot be written ({msg}{msg2}); its volumes are read-only or cannot be activated until lvconvert --repair.",
        strength: 0.88,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "snapshot-invalid",
        cause: "lvm-snapshot-full",
        kind: "Volume",
        name: "snapshot",
        needles: &["Invalidating snapshot"],
        pattern: r"snapshots: (?P<msg>Invalidating snapshot: .{0,60})",
        title: "An LVM snapshot became invalid: {msg} ({n}){when}",
        statement: "The snapshot's space was used up or could not be written ({msg}); its content is lost, and a backup that reads it fails.",
        strength: 0.66,
        ticket: &["backup", "snapshot", "lvm", "restore"],
        ..BASE
    },
    Rule {
        detector: "vdo-fault",
        cause: "vdo-fault",
        kind: "Volume",
        name: "{dev}",
        needles: &["kvdo"],
        pattern: r"(?P<dev>kvdo\w*)\S*: .*?(?P<msg>[Oo]ut of (?:physical )?space.{0,40}|[Nn]o space.{0,30}|[Ee]nter(?:ing|ed) read-only mode.{0,40})",
        title: "VDO volume {dev}: {msg} ({n}){when}",
        statement: "The deduplicated volume {dev} cannot take writes ({msg}): its physical space is used up although the file system above shows free space, or its index is damaged.",
        strength: 0.84,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "lvm-devices-file",
        cause: "volume-group-incomplete",
        kind: "Device",
        name: "{dev}",
        scope: Scope::Any,
        needles: &["Devices file ", "is not in devices file"],
        pattern: r"(?P<msg>Devices file \S+ \S+ PVID \S+ last seen on (?P<dev>/dev/\S+) not found|(?P<dev2>/dev/\S+?):? .{0,20}device is not in devices file)",
        except: r"sos_commands|excluded by",
        title: "LVM ignores a disk: {msg} ({n}){when}",
        statement: "LVM uses only disks of its devices file, and this one does not fit it ({msg}): the disk was replaced, cloned or renamed, so its volume group is not activated.",
        strength: 0.64,
        ticket: &["lvm", "volume", "boot", "mount", "disk", "vg"],
        ..BASE
    },
    Rule {
        detector: "nfs-state-lost",
        cause: "nfs-state-lost",
        kind: "Server",
        name: "{server}",
        needles: &[
            "Lock reclaim failed",
            "state manager",
            "bad sequence-id error",
            "lost %d locks",
            "lease expired failed",
        ],
        pattern: r"NFS(?:v4)?: (?P<msg>nfs4_reclaim_open_state: Lock reclaim failed|.{0,12}state manager: .{0,60}failed on NFSv4 server (?P<server>\S+) with error \d+|v4 server (?P<server2>\S+) +returned a bad sequence-id error.{0,40}|.{0,40}state manager failed.{0,60})",
        title: "NFSv4 client lost its state: {msg} ({n}){when}",
        statement: "Client and NFS server {server}{server2} no longer agree about open files and locks ({msg}): the server restarted or failed over, or two clients use one identity. Programs get I/O errors or hang on locks.",
        strength: 0.68,
        enough: 2,
        ticket: &["nfs", "lock", "hang", "hangs", "share"],
        ..BASE
    },
    Rule {
        detector: "nfs-lock-service",
        cause: "nfs-lock-service",
        kind: "Service",
        name: "statd",
        scope: Scope::System,
        needles: &[
            "rpc.statd is not running",
            "lockd: cannot monitor",
            "statd: server rpc.statd not responding",
        ],
        pattern: r"(?P<msg>rpc\.statd is not running but is required for remote locking|lockd: cannot monitor \S+|statd: server rpc\.statd not responding.{0,20})",
        title: "File locks over NFS do not work: {msg} ({n}){when}",
        statement: "Locks of NFS version 3 need the status daemon, which does not run or answer ({msg}): mounts fail or programs hang as soon as they lock a file.",
        strength: 0.74,
        ticket: &["nfs", "lock", "mount", "hang", "share"],
        ..BASE
    },
    Rule {
        detector: "nfsd-overloaded",
        cause: "nfsd-overloaded",
        kind: "Service",
        name: "nfsd",
        needles: &["nfsd: too many open"],
        pattern: r"(?P<msg>nfsd: too many open (?:TCP sockets|connections).{0,80})",
        title: "The NFS server closes connections: {msg} ({n}){when}",
        statement: "More clients are connected than nfsd's threads allow ({msg}), so it drops the oldest connections; clients hang and reconnect.",
        strength: 0.74,
        ticket: &["nfs", "hang", "slow", "share"],
        ..BASE
    },
    Rule {
        detector: "lustre-lost",
        cause: "lustre-connection-lost",
        kind: "Server",
        name: "{target}",
        needles: &[
            "in progress operations using this service",
            "LustreError: 11-0",
            "LustreError: 166-1",
        ],
        pattern: r"(?:Lustre: .{0,60}?Connection to (?P<target>\S+) \(at (?P<server>\S+)\) was lost; (?P<msg>in progress operations using this service will (?:wait|fail))|LustreError: (?:11-0|166-1): (?P<target2>[^:]+): (?P<msg2>operation \w+ to node \S+ failed: rc = -\d+|Connection to .{0,60}))",
        title: "Lustre lost its connection to {target}{target2} {server}: {msg}{msg2} ({n}){when}",
        statement: "The Lustre client lost {target}{target2} {server} ({msg}{msg2}); every access to files there waits until the server is back.",
        strength: 0.74,
        enough: 2,
        ticket: &["lustre", "hang", "slow", "filesystem", "job"],
        ..BASE
    },
    Rule {
        detector: "automount-failed",
        cause: "mount-failed",
        kind: "Mount",
        name: "automount",
        scope: Scope::System,
        needles: &["automount["],
        pattern: r"automount\[\d+\]: (?P<msg>.{0,40}(?:no hosts available|lookup failed for \S+|can't contact LDAP server|failed to read map.{0,30}|could not .{0,30}master map.{0,20}))",
        title: "automount fails: {msg} ({n}){when}",
        statement: "The automounter cannot mount what users ask for: {msg}.",
        strength: 0.6,
        enough: 3,
        ticket: MOUNT,
        merge: true,
        ..BASE
    },
    Rule {
        detector: "filesystem-type-unknown",
        cause: "mount-failed",
        kind: "Mount",
        name: "{where}",
        scope: Scope::System,
        needles: &["unknown filesystem type"],
        pattern: r"mount(?:\.\w+)?(?:\[\d+\])?: (?:(?P<where>/\S*): )?(?P<msg>unknown filesystem type '[^']+')",
        except: r"'(?:squashfs|fuse[^']*|vboxsf|iso9660)'",
        title: "Mount of {where} fails: {msg} ({n}){when}",
        statement: "The kernel has no driver for the file system of {where} ({msg}): its module is missing for the running kernel, or the device holds something else than fstab says.",
        strength: 0.74,
        ticket: MOUNT,
        ..BASE
    },
    Rule {
        detector: "noexec",
        cause: "noexec-mount",
        kind: "Process",
        name: "{tag}",
        scope: Scope::Any,
        needles: &["failed to map segment from shared object"],
        pattern: r"(?P<file>/\S+?): failed to map segment from shared object",
        title: "{tag} cannot load {file}: its file system is mounted noexec ({n}){when}",
        statement: "The loader may not map {file} as code: the file system there (often one for temporary files) is mounted noexec, or a policy forbids it, so {tag} does not start.",
        strength: 0.76,
        ticket: &["start", "library", "load", "tmp"],
        merge: true,
        ..BASE
    },
    Rule {
        detector: "package-needs-space",
        cause: "disk-full",
        kind: "Filesystem",
        name: "{path}{path2}",
        scope: Scope::Any,
        needles: &[
            "enough free space in",
            "more space needed on the",
            "needs more space on",
            "on the /",
        ],
        pattern: r"(?P<msg>You don't have enough free space in (?P<path>/[\w/.-]*[\w/])|At least \d+\s?[KMG]i?B more space needed on the (?P<path2>/[\w/.-]*) filesystem|installing package \S+ needs \d+\s?[KMG]i?B (?:more space )?on the (?P<path3>/[\w/.-]*) filesystem)",
        title: "Packages cannot be installed: {msg}{when}",
        statement: "The package manager stops because a file system is too full: {msg}.",
        strength: 0.76,
        ticket: &[
            "package", "packages", "install", "upgrade", "update", "kernel", "boot",
        ],
        ..BASE
    },
    Rule {
        detector: "multipath-config",
        cause: "multipath-config-broken",
        kind: "File",
        name: "multipath.conf",
        scope: Scope::Any,
        needles: &["multipath.conf line", "multipath.conf +"],
        pattern: r"multipath\.conf (?:line |\+)(?P<line>\d+), (?P<msg>(?:invalid|missing|duplicate|unbalanced|wrong)[^\n]{3,100})",
        title: "multipath ignores a part of its configuration: line {line}: {msg}",
        statement: "multipath does not understand line {line} of its configuration ({msg}); what stands there, often queueing or path checking, is not in force.",
        strength: 0.56,
        ticket: DISK,
        ..BASE
    },
    Rule {
        detector: "zed-event",
        cause: "zfs-pool-fault",
        kind: "Pool",
        name: "{pool}",
        scope: Scope::System,
        needles: &[
            "class=statechange",
            "class=io_failure",
            "class=checksum",
            "class=data ",
        ],
        pattern: r"zed(?:\[\d+\])?: eid=\d+ (?P<msg>class=(?:io_failure|checksum|data|statechange) pool='?(?P<pool>[^' ]+)'?.{0,100})",
        except: r"vdev_state=(?:ONLINE|HEALTHY)",
        title: "ZFS pool {pool} reports faults: {msg} ({n}){when}",
        statement: "ZFS reports faults of {pool} ({msg}): a device of the pool fails or returns wrong data.",
        strength: 0.7,
        ticket: DISK,
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::super::tests::{means, silent};

    #[test]
    fn volumes() {
        means(&[
            (
                "kernel: md: kicking non-fresh sdb1 from array!",
                "raid-degraded",
            ),
            (
                "kernel: md/raid:md5: not enough operational devices (2/4 failed)",
                "raid-array-down",
            ),
            (
                "kernel: XFS (sdc1): Filesystem has duplicate UUID 5c1ab6d8-0000-4a4b-9d5f-000000000001 - can't mount",
                "filesystem-duplicate-uuid",
            ),
            (
                "kernel: EXT4-fs (dm-3): Delayed block allocation failed for inode 131 at logical offset 0 with max blocks 1 with error 28",
                "filesystem-writes-lost",
            ),
            (
                "kernel: EXT4-fs (sdb1): group descriptors corrupted!",
                "filesystem-corruption",
            ),
            (
                "kernel: EXT4-fs (sda1): error count since last fsck: 5",
                "filesystem-errors-recorded",
            ),
            (
                "kernel: BTRFS: error (device sda2: state A) in btrfs_run_delayed_refs:2156: errno=-28 No space left",
                "btrfs-out-of-space",
            ),
            (
                "kernel: device-mapper: verity: 253:0: data block 123 is corrupted",
                "block-integrity-failed",
            ),
            (
                "lvm[812]: Check of pool vg0/pool0 failed (status:1). Manual repair required!",
                "lvm-thin-damaged",
            ),
            (
                "kernel: device-mapper: thin: 253:4: metadata operation 'dm_pool_commit_metadata' failed: error = -5",
                "lvm-thin-damaged",
            ),
            (
                "kernel: device-mapper: snapshots: Invalidating snapshot: Unable to allocate exception.",
                "lvm-snapshot-full",
            ),
            (
                "lvm[7]: Devices file sys_wwid naa.5000c500 PVID hq9abc last seen on /dev/sdc not found.",
                "volume-group-incomplete",
            ),
            (
                "rpc.mountd[1]: mount.nfs: rpc.statd is not running but is required for remote locking.",
                "nfs-lock-service",
            ),
            (
                "kernel: nfsd: too many open connections, consider increasing the number of threads",
                "nfsd-overloaded",
            ),
            (
                "kernel: Lustre: 2:0:(client.c:1:x()) fs-OST0001-osc-ffff: Connection to fs-OST0001 (at 10.0.0.1@tcp) was lost; in progress operations using this service will wait for recovery to complete",
                "lustre-connection-lost",
            ),
            (
                "mount[9]: mount: /data: unknown filesystem type 'xfs'.",
                "mount-failed",
            ),
            (
                "app[9]: libjna: /tmp/jna-1/libx.so: failed to map segment from shared object: Operation not permitted",
                "noexec-mount",
            ),
            (
                "dnf[9]: At least 120MB more space needed on the /boot filesystem.",
                "disk-full",
            ),
            (
                "zed[99]: eid=15 class=statechange pool='tank' vdev=sdb vdev_state=FAULTED",
                "zfs-pool-fault",
            ),
        ]);
        silent(&[
            "kernel: md: bind<sdb1>",
            "kernel: EXT4-fs (sda1): mounted filesystem with ordered data mode. Opts: errors=remount-ro",
            "kernel: device-mapper: verity: sha256 using implementation sha256-avx2",
            "zed[99]: eid=15 class=statechange pool='tank' vdev=sdb vdev_state=ONLINE",
            "kernel: kvdo: modprobe: loaded version 6.2.5.74",
            "automount[12]: key \".Trash\" not found in map source(s).",
        ]);
    }
}
