//! Ceph: what its daemons write when they crash, lose data, run full or cannot agree.

use super::rule::{RULE, Rule};
use crate::signals::Role;

const CEPH: &[&str] = &["ceph", "rook", "radosgw", "osd"];

/// The rules of this family.
pub const RULES: &[Rule] = &[
    // A daemon's signal handler prints this once, then the backtrace: the process is gone.
    Rule {
        id: "ceph.daemon-signal",
        cause: "ceph-daemon-crash",
        scope: CEPH,
        needs: &["Caught signal"],
        pattern: r"\*\*\* Caught signal \((?P<signal>[^)]+)\)",
        unless: r"\((?:Terminated|Interrupt|Hangup)\)",
        near: r"ceph version|in thread [0-9a-f]+|FAILED ceph_assert",
        strength: 0.9,
        kind: "Ceph daemon",
        title: "{daemon} crashed: caught signal {signal}",
        statement: "The Ceph daemon {daemon} (OSD, monitor or manager by its log) crashed with signal {signal} and printed a backtrace; it is down until restarted, and the backtrace names the defect.",
        yes: &[
            "2022-02-10T09:36:18.237+0000 7f346aa64700 -1 *** Caught signal (Segmentation fault) **",
            " *** Caught signal (Aborted) **",
        ],
        no: &[
            "2022-02-10T09:36:18.237+0000 7f34 -1 received  signal: Terminated from /sbin/init",
            "*** Caught signal (Terminated) **",
        ],
        ..RULE
    },
    // A failed assertion is the daemon refusing to go on with an inconsistent state; its text names the invariant.
    Rule {
        id: "ceph.daemon-assert",
        cause: "ceph-daemon-assert",
        scope: CEPH,
        needs: &["FAILED ceph_assert", "FAILED assert", "ceph_abort"],
        pattern: r"(?P<place>[\w/.-]+\.(?:cc|h|cpp): \d+: )?(?:FAILED (?P<assert>(?:ceph_)?assert(?:_always)?\(.*\))|(?P<abort>ceph_abort(?:_msg)?\(.*\)))",
        near: r"In function|ceph version",
        strength: 0.92,
        kind: "Ceph daemon",
        title: "{daemon} crashed on a failed assertion: {assert}{abort}",
        statement: "The Ceph daemon {daemon} (OSD, monitor or manager by its log) aborted because the assertion {assert}{abort} at {place} failed; it will crash again whenever it meets the same state.",
        yes: &[
            "/build/ceph-15.2.14/src/osd/PrimaryLogPG.cc: 3001: FAILED ceph_assert(x > 0)",
            "common/x.cc: 12: ceph_abort_msg(\"abort() called\")",
        ],
        no: &["osd.3 12 asserting pg 1.2 clean"],
        ..RULE
    },
    // RocksDB holds all metadata of an OSD or monitor; a bad checksum means the store cannot be trusted.
    Rule {
        id: "ceph.rocksdb-corruption",
        cause: "ceph-store-corrupt",
        scope: CEPH,
        needs: &["Corruption:", "checksum mismatch"],
        pattern: r"(?:rocksdb|bluefs|Corruption).{0,240}?(?P<what>Corruption: [^,]{3,120}|checksum mismatch[^,]*)(?:, got \d+\s+in (?P<sst>\S+))?",
        strength: 0.93,
        kind: "Ceph daemon",
        title: "RocksDB of {daemon} is corrupt: {what}",
        statement: "The RocksDB (BlueStore metadata) of the Ceph OSD or monitor behind {file} is corrupt ({what} {sst}): compaction and opening of the database fail, so the daemon cannot run on this store; the device below is suspect.",
        yes: &[
            "2022-02-10 09:32:47.672 7ff3df46d700  3 rocksdb: [db/db_impl_compaction_flush.cc:2660] Compaction error: Corruption: block checksum mismatch: expected 4, got 2  in db/000141.sst offset 1 size 4093",
        ],
        no: &["2022-02-10 09:32:47.672 7ff3df46d700  4 rocksdb: Options.paranoid_checks: 1"],
        ..RULE
    },
    // BlueStore verifies each block it reads; an error here is bad media or memory, not software load.
    Rule {
        id: "ceph.bluestore-checksum",
        cause: "ceph-bluestore-data-error",
        scope: CEPH,
        needs: &["_verify_csum", "bluestore"],
        pattern: r"bluestore\S*\s+(?:_verify_csum bad (?P<what>\S+) checksum.*|.*(?P<io>read_random_buffered|_do_read|_txc_add_transaction|_read_bdev_label|aio).{0,80}(?:\(5\) Input/output error|error \(\d+\)|got: \(5\)|unexpected error code))",
        strength: 0.9,
        kind: "Ceph daemon",
        title: "{daemon}: BlueStore data error: {line}",
        statement: "BlueStore of {daemon} read data that does not match its checksum or got an I/O error from its device; the disk (or memory) below it is failing or its data is damaged.",
        yes: &[
            "2024-01-01T10:00:00.1+0000 7f346aa64700 -1 bluestore(/var/lib/ceph/osd/ceph-3) _verify_csum bad crc32c/0x1000 checksum at blob offset 0x0, got 0x1, expected 0x2",
        ],
        no: &[
            "2024-01-01T10:00:00.1+0000 7f346aa64700  1 bluestore(/var/lib/ceph/osd/ceph-3) _mount path /var/lib/ceph/osd/ceph-3",
        ],
        ..RULE
    },
    // BlueFS or BlueStore out of space: the OSD cannot even start to delete.
    Rule {
        id: "ceph.bluefs-enospc",
        cause: "ceph-osd-out-of-space",
        scope: CEPH,
        needs: &[
            "failed to allocate",
            "enospc",
            "no space left",
            "bluefs enospc",
            "allocate failed",
        ],
        pattern: r"(?:blue(?:fs|store)|bdev|osd|rocksdb).{0,160}(?:failed to allocate|enospc|no space left|allocate failed)",
        strength: 0.9,
        kind: "Ceph daemon",
        title: "{daemon} is out of space: {line}",
        statement: "BlueFS or BlueStore of {daemon} cannot allocate space on its device; the OSD stops and cannot start until it is expanded or relieved.",
        yes: &[
            "2024-01-01T10:00:00.1+0000 7f346aa64700 -1 bluefs _allocate failed to allocate 0x400000 on bdev 1, free 0x0; fallback to bdev 2",
        ],
        no: &["osd.1 allocate ok"],
        ..RULE
    },
    // Two CRUSH roots that share devices make the target PG count undefined; the autoscaler then skips these pools.
    Rule {
        id: "ceph.autoscaler-overlapping-roots",
        cause: "ceph-autoscaler-overlapping-roots",
        scope: CEPH,
        needs: &["overlapping root"],
        pattern: r"pool (?P<pool>\S+) (?:has|contains an?) overlapping roots?:? ?(?P<roots>\{[^}]*\}|-?\d+)?",
        strength: 0.85,
        kind: "Ceph cluster",
        subject: "pg_autoscaler",
        title: "Ceph PG autoscaler cannot scale pool {pool}: overlapping CRUSH roots {roots}",
        statement: "The CRUSH rules of pool {pool} and others use overlapping roots ({roots}), for instance one with a device class and one without, so the PG autoscaler skips scaling these pools.",
        yes: &[
            "2022-02-10T04:09:48+0100 7f641f7e3700  0 [pg_autoscaler ERROR root] pool 14 has overlapping roots: {-1, -2}",
            "[pg_autoscaler WARNING root] pool 4 contains an overlapping root -1... skipping scaling",
        ],
        no: &["[pg_autoscaler INFO root] pool 4 quantized to 32"],
        ..RULE
    },
    // Slow requests that repeat mean a disk, a network path or an OSD that does not keep up.
    Rule {
        id: "ceph.slow-ops",
        cause: "ceph-slow-ops",
        scope: CEPH,
        needs: &["slow requests", "slow ops", "slow request"],
        pattern: r"(?P<id>osd\.\d+|mon\.\w+)?.*?(?:(?P<n>\d+) (?:slow (?:requests|ops))|slow request (?P<age>[\d.]+) seconds? old)(?P<what>.{0,80})",
        unless: r"\b0 slow|Health check cleared",
        cleared_by: r"Health check cleared: SLOW_OPS|cluster is now healthy",
        at_least: 3,
        strength: 0.6,
        persistent: 0.7,
        kind: "Ceph cluster",
        subject: "{id}",
        title: "Ceph slow ops: {id} {n} requests blocked {what}",
        statement: "Ceph reports requests that are blocked for long ({line}); look at the disks and the network of the OSDs named.",
        yes: &[
            "2024-01-01 10:00:00.1 osd.12 osd.12 10.0.0.1:6800/1 77 : cluster [WRN] 5 slow requests, 5 included below; oldest blocked for > 30.1 secs",
            "cluster [WRN] Health check failed: 3 slow ops, oldest one blocked for 36 sec, osd.3 has slow ops (SLOW_OPS)",
        ],
        no: &["cluster [INF] Health check cleared: SLOW_OPS (was: 3 slow ops)"],
        ..RULE
    },
    Rule {
        id: "ceph.heartbeat-failures",
        cause: "ceph-heartbeat-failures",
        scope: CEPH,
        needs: &["heartbeat_check: no reply", "heartbeat_map is_healthy"],
        pattern: r"heartbeat_check: no reply from (?P<to>\S+) (?P<peer>osd\.\d+)|heartbeat_map is_healthy '(?P<thread>[^']+)' had timed out after (?P<after>\S+)",
        at_least: 5,
        strength: 0.6,
        persistent: 0.72,
        kind: "Ceph daemon",
        title: "{daemon}: OSD heartbeats fail: no reply from {peer} {to}{thread}",
        statement: "{daemon} gets no heartbeat from {peer} ({to}) or its own threads hang ({thread}): a broken cluster network, an MTU mismatch or a stuck disk, after which OSDs are marked down.",
        yes: &[
            "2024-01-01T10:00:00.1+0000 7f346aa64700 -1 osd.3 10 heartbeat_check: no reply from 10.0.0.2:6804 osd.7 since back x front y",
            "heartbeat_map is_healthy 'OSD::osd_op_tp thread 0x7f' had timed out after 15",
        ],
        no: &["osd.3 10 heartbeat ok"],
        ..RULE
    },
    // OSDs that are marked down while running flap between up and down.
    Rule {
        id: "ceph.osd-flapping",
        cause: "ceph-osd-flapping",
        scope: CEPH,
        needs: &[
            "wrongly marked me down",
            "marked itself down",
            "Monitor daemon marked",
        ],
        pattern: r"(?:Monitor daemon marked (?P<osd>osd\.\d+) down, but it is still running|wrongly marked me down[^\r\n]{0,40}|(?P<self>osd\.\d+) marked itself down)",
        at_least: 2,
        strength: 0.75,
        kind: "Ceph daemon",
        subject: "{osd}{self}",
        title: "Ceph {osd}{self} ({daemon}) flaps: it is marked down though it runs",
        statement: "The cluster marks {osd}{self} ({daemon}) down again and again although its process runs: its heartbeats do not get through (network, MTU, overload).",
        yes: &[
            "2024-01-01 10:00:00.1 osd.12 osd.12 10.0.0.1:6800/1 7 : cluster [WRN] Monitor daemon marked osd.12 down, but it is still running",
            "log_channel(cluster) log [WRN] : map e12 wrongly marked me down at e11 osd.3 wrongly marked me down",
        ],
        no: &["osd.3 boot (10.0.0.1)"],
        ..RULE
    },
    Rule {
        id: "ceph.osd-reported-failed",
        cause: "ceph-osd-down",
        scope: CEPH,
        needs: &["reported immediately failed", "failed (root="],
        pattern: r"(?P<osd>osd\.\d+)(?: \S+)? (?:failed \(root=(?P<where>[^)]*)\)|reported immediately failed by)",
        cleared_by: r"osd\.\d+ \S+ boot",
        strength: 0.55,
        role: Role::Symptom,
        kind: "Ceph daemon",
        subject: "{osd}",
        title: "Ceph {osd} was reported failed and marked down",
        statement: "Peers or the monitor reported {osd} failed ({where}); its own log and its device tell why.",
        yes: &[
            "cluster [INF] osd.3 failed (root=default,host=a) (connection refused reported by osd.1)",
            "cluster [DBG] osd.41 reported immediately failed by osd.89",
        ],
        no: &["cluster [DBG] osd.41 failure report canceled by osd.89"],
        ..RULE
    },
    Rule {
        id: "ceph.full",
        cause: "ceph-full",
        scope: CEPH,
        needs: &[
            "OSD_FULL",
            "OSD_NEARFULL",
            "OSD_BACKFILLFULL",
            "POOL_FULL",
            "full osd",
            "nearfull osd",
            "pool(s) full",
            "MON_DISK",
        ],
        pattern: r"Health check (?:failed|update): (?P<what>.*\((?P<check>OSD_FULL|OSD_NEARFULL|OSD_BACKFILLFULL|POOL_FULL|POOL_NEARFULL|MON_DISK_LOW|MON_DISK_CRIT|MON_DISK_BIG)\))",
        cleared_by: r"Health check cleared: (?:OSD_FULL|OSD_NEARFULL|OSD_BACKFILLFULL|POOL_FULL|MON_DISK)",
        strength: 0.85,
        kind: "Ceph cluster",
        subject: "{check}",
        title: "Ceph runs out of space: {what}",
        statement: "Ceph health check {check}: {what}. Full OSDs block all writes, near-full ones block backfill.",
        yes: &["cluster [WRN] Health check failed: 1 nearfull osd(s) (OSD_NEARFULL)"],
        no: &["cluster [INF] Health check cleared: OSD_NEARFULL (was: 1 nearfull osd(s))"],
        ..RULE
    },
    // Scrub found replicas that differ; needs the named PG to be looked at.
    Rule {
        id: "ceph.scrub-errors",
        cause: "ceph-pg-inconsistent",
        scope: CEPH,
        needs: &["scrub", "candidate had a read error", "missing attr"],
        pattern: r"(?:\[ERR\]|log \[ERR\]|-1 ).{0,60}?\b(?P<pg>\d+\.[0-9a-f]+)\b.*?(?P<what>(?:deep-)?scrub.{0,40}(?:errors|mismatch|missing)|candidate had a read error|shard \d+ .{0,60}(?:missing|error|mismatch))",
        unless: r"\b0 errors",
        strength: 0.86,
        kind: "Ceph PG",
        subject: "{pg}",
        title: "Ceph PG {pg} is inconsistent: {what}",
        statement: "Scrubbing PG {pg} found copies that differ or cannot be read ({what}); the OSD whose copy is bad usually has a failing disk.",
        yes: &[
            "2024-01-01 10:00:00.1 osd.1 [ERR] 2.1f scrub 1 errors",
            "log_channel(cluster) log [ERR] : 3.a shard 5 soid 3:5 : candidate had a read error",
        ],
        no: &["log_channel(cluster) log [DBG] : 2.1f deep-scrub ok"],
        ..RULE
    },
    Rule {
        id: "ceph.clock-skew",
        cause: "ceph-mon-clock-skew",
        scope: CEPH,
        needs: &["clock skew", "clocks are not synchronized"],
        pattern: r"(?P<mon>mon\.\S+)?.{0,60}clock skew (?P<skew>[\d.]+s)|clock skew detected on (?P<on>\S+)",
        cleared_by: r"Health check cleared: MON_CLOCK_SKEW",
        strength: 0.8,
        kind: "Ceph monitor",
        subject: "{on}",
        title: "Ceph monitor clock skew {skew} {on} {mon}",
        statement: "The clocks of the Ceph monitors differ ({line}); Paxos leases fail beyond 0.05 s, so time synchronisation of that host is broken.",
        yes: &[
            "cluster [WRN] Health check failed: clock skew detected on mon.b (MON_CLOCK_SKEW)",
            "log [WRN] : message from mon.1 was stamped 0.9s in the future, clocks not synchronized; mon.1 clock skew 0.9s > max 0.05s",
        ],
        no: &["cluster [INF] Health check cleared: MON_CLOCK_SKEW (was)"],
        ..RULE
    },
    Rule {
        id: "ceph.mon-down",
        cause: "ceph-mon-quorum",
        scope: CEPH,
        needs: &[
            "MON_DOWN",
            "lost quorum",
            "out of quorum",
            "election timer expired",
            "lease_timeout",
            "not enough of old quorum",
        ],
        pattern: r"Health check (?:failed|update): (?P<what>.*\(MON_DOWN\))|(?P<lost>lost quorum|out of quorum|lease_timeout -- calling new election|not enough of old quorum)",
        cleared_by: r"Health check cleared: MON_DOWN",
        at_least: 1,
        strength: 0.62,
        persistent: 0.75,
        kind: "Ceph cluster",
        subject: "monitors",
        title: "Ceph monitor quorum is degraded: {what}{lost}",
        statement: "A Ceph monitor is out of quorum or elections repeat ({line}); the monitor's own log, its disk and its network tell why.",
        yes: &[
            "cluster [WRN] Health check failed: 1/3 mons down, quorum a,b (MON_DOWN)",
            "mon.a@0(leader).paxos(paxos active) lease_timeout -- calling new election",
        ],
        no: &["cluster [INF] Health check cleared: MON_DOWN (was: 1/3 mons down, quorum a,b)"],
        ..RULE
    },
    Rule {
        id: "ceph.auth-failed",
        cause: "ceph-auth-failed",
        scope: &["ceph", "rook", "cinder", "glance", "nova", "libvirt", "rbd"],
        needs: &["cephx", "monclient", "librados"],
        pattern: r"(?:monclient\S*:?.{0,60}authenticate timed out|cephx.{0,60}(?:verify_reply couldn't decrypt|could not decrypt|error: unable to find a keyring|bad key|permission denied)|librados: (?P<who>\S+) authentication error \((?P<errno>\d+)\)[^:]*|handle_auth_bad_method server allowed_methods.{0,40}but i only support)",
        strength: 0.82,
        title: "{daemon}: Ceph authentication fails: {line}",
        statement: "{daemon} cannot authenticate to the Ceph monitors ({line}): the key, the keyring file or its capabilities do not match the cluster's.",
        yes: &[
            "2024-01-01T10:00:00.1+0000 7f346aa64700 -1 monclient(hunting): handle_auth_bad_method server allowed_methods [2] but i only support [2,1]",
            "librados: client.cinder authentication error (1) Operation not permitted",
            "cephx: verify_reply couldn't decrypt with error: error decoding block for decryption",
        ],
        no: &[
            "monclient: found mon.a",
            "cephx server client.admin: unexpected key 1",
        ],
        ..RULE
    },
    Rule {
        id: "ceph.osd-cannot-start",
        cause: "ceph-osd-cannot-start",
        scope: CEPH,
        needs: &[
            "ERROR: osd init failed",
            "unable to read osd superblock",
            "failed to load osd map",
            "** ERROR: unable to open OSD superblock",
            "unable to open OSD superblock",
            "OSD::init",
            "can't open",
            "failed to fetch mon config",
        ],
        pattern: r"(?P<what>\*\* ERROR: (?:osd init failed|unable to open OSD superblock on (?P<path>\S+?))(?:: \(\d+\) .*)?$|unable to read osd superblock|failed to load osd map.*|failed to fetch mon config.*)",
        strength: 0.82,
        kind: "Ceph daemon",
        title: "{daemon} cannot start: {what}",
        statement: "The Ceph OSD behind {file} cannot start: {what}. Its device is not there, not readable or not activated, or its key is refused.",
        yes: &[
            "2024-01-01T10:00:00.1+0000 7f346aa64700 -1  ** ERROR: unable to open OSD superblock on /var/lib/ceph/osd/ceph-3: (2) No such file or directory",
            "** ERROR: osd init failed: (5) Input/output error",
        ],
        no: &["osd.3 0 done with init, starting boot process"],
        ..RULE
    },
    // A single object with too many omap keys stalls recovery and deep scrub.
    Rule {
        id: "ceph.large-omap",
        cause: "ceph-large-omap",
        scope: CEPH,
        needs: &["Large omap object found"],
        pattern: r"Large omap object found\. Object: (?P<object>\S+).{0,60}Key count: (?P<keys>\d+)",
        strength: 0.68,
        kind: "Ceph object",
        subject: "{object}",
        title: "Ceph large omap object {object}: {keys} keys",
        statement: "Object {object} holds {keys} omap keys, over the warning limit; usually a bucket index that needs resharding or a log that is not trimmed.",
        yes: &[
            "cluster [WRN] Large omap object found. Object: 5:1:::.dir.abc:head PG: 5.1 (5.1) Key count: 1234567 Size (bytes): 9",
        ],
        no: &["deep-scrub ok"],
        ..RULE
    },
    Rule {
        id: "ceph.mds-trouble",
        cause: "ceph-mds-unhealthy",
        scope: CEPH,
        needs: &["MDS_", "FS_DEGRADED", "mds.", "damaged"],
        pattern: r"Health check (?:failed|update): (?P<what>.*\((?P<check>MDS_ALL_DOWN|MDS_DAMAGE|MDS_UP_LESS_THAN_MAX|MDS_SLOW_REQUEST|MDS_SLOW_METADATA_IO|MDS_TRIM|MDS_CACHE_OVERSIZED|MDS_CLIENT_LATE_RELEASE|MDS_CLIENT_RECALL|FS_DEGRADED|FS_WITH_FAILED_MDS|MDS_INSUFFICIENT_STANDBY)\))",
        cleared_by: r"Health check cleared: (?:MDS_|FS_)",
        strength: 0.66,
        kind: "Ceph file system",
        subject: "{check}",
        title: "CephFS metadata server trouble: {what}",
        statement: "Ceph health check {check}: {what}.",
        yes: &["cluster [ERR] Health check failed: 1 filesystem is offline (MDS_ALL_DOWN)"],
        no: &["cluster [INF] Health check cleared: MDS_ALL_DOWN (was: 1 filesystem is offline)"],
        ..RULE
    },
    Rule {
        id: "ceph.mgr-module",
        cause: "ceph-mgr-module-failed",
        scope: CEPH,
        needs: &["has failed:", "MGR_MODULE", "Module '"],
        pattern: r"Module '(?P<module>[^']+)' has failed(?: dependency)?: (?P<why>.+)|Health check failed: (?P<what>.*\(MGR_MODULE_(?:ERROR|DEPENDENCY)\))",
        strength: 0.72,
        kind: "Ceph manager module",
        subject: "{module}",
        title: "Ceph manager module {module} has failed: {why}{what}",
        statement: "The Ceph manager's module {module} stopped with {why}{what}; its functions (dashboard, orchestration, metrics, scaling) are gone until the manager restarts.",
        yes: &[
            "cluster [ERR] Health check failed: Module 'devicehealth' has failed: disk I/O error (MGR_MODULE_ERROR)",
        ],
        no: &["mgr[py] Loading python module 'dashboard'"],
        ..RULE
    },
    Rule {
        id: "ceph.pgs-unavailable",
        cause: "ceph-pg-unavailable",
        scope: CEPH,
        needs: &["PG_AVAILABILITY", "PG_DAMAGED", "OBJECT_UNFOUND"],
        pattern: r"Health check (?:failed|update): (?P<what>.*\((?P<check>PG_AVAILABILITY|PG_DAMAGED|OBJECT_UNFOUND|PG_RECOVERY_FULL|PG_BACKFILL_FULL)\))",
        cleared_by: r"Health check cleared: (?:PG_AVAILABILITY|PG_DAMAGED|OBJECT_UNFOUND)",
        strength: 0.72,
        kind: "Ceph cluster",
        subject: "{check}",
        title: "Ceph placement groups are not available: {what}",
        statement: "Ceph health check {check}: {what}. I/O to these placement groups hangs until enough of their OSDs are back.",
        yes: &[
            "cluster [WRN] Health check failed: Reduced data availability: 12 pgs inactive, 4 pgs down (PG_AVAILABILITY)",
        ],
        no: &[
            "cluster [INF] Health check cleared: PG_AVAILABILITY (was: Reduced data availability: 12 pgs inactive)",
        ],
        ..RULE
    },
    // The gateway starts only if it can reach its pools and bind its port.
    Rule {
        id: "ceph.radosgw-fails",
        cause: "radosgw-failed",
        scope: &["radosgw", "rgw"],
        needs: &[
            "Couldn't init storage provider",
            "failed to initialize",
            "Initialization timeout",
            "failed to bind",
            "failed reading obj info",
            "sync: ERROR",
            "keystone",
        ],
        pattern: r"(?P<what>Couldn't init storage provider.*|Initialization timeout, failed to initialize|failed to bind.*|ERROR: failed to initialize.*|keystone.{0,80}(?:failed|denied|timed out).*|ERROR: failed to get bucket instance info.*)",
        strength: 0.8,
        kind: "Ceph gateway",
        title: "RADOS gateway {daemon} fails: {what}",
        statement: "The RADOS gateway {daemon} cannot serve: {what}.",
        yes: &[
            "2024-01-01T10:00:00.1+0000 7f346aa64700 -1 Couldn't init storage provider (RADOS)",
            "2024-01-01T10:00:00.1+0000 7f346aa64700 -1 Initialization timeout, failed to initialize",
        ],
        no: &["2024-01-01T10:00:00.1+0000 7f346aa64700  0 starting handler: beast"],
        ..RULE
    },
    // Thread creation or memory allocation refused: limits of the unit, not of Ceph.
    Rule {
        id: "ceph.resource-limit",
        cause: "ceph-resource-limit",
        scope: CEPH,
        needs: &[
            "Thread::try_create",
            "bad_alloc",
            "tcmalloc: large alloc",
            "Too many open files",
        ],
        pattern: r"(?P<what>Thread::try_create\(\): pthread_create failed with error \d+|std::bad_alloc|Too many open files)",
        strength: 0.85,
        kind: "Ceph daemon",
        title: "{daemon} hits a resource limit: {what}",
        statement: "{daemon} cannot get threads, memory or descriptors ({what}); raise its limit (kernel.pid_max, cgroup tasks, open files, memory) or reduce what runs beside it.",
        yes: &[
            "2024-01-01T10:00:00.1+0000 7f346aa64700 -1 Thread::try_create(): pthread_create failed with error 11",
        ],
        no: &["tcmalloc: large alloc 1073741824 bytes"],
        ..RULE
    },
    // Jumbo frames on one side only: small heartbeats pass, big messages do not.
    Rule {
        id: "ceph.heartbeat-slow",
        cause: "ceph-slow-network",
        scope: CEPH,
        needs: &["OSD_SLOW_PING_TIME"],
        pattern: r"Health check (?:failed|update): (?P<what>.*\((?P<check>OSD_SLOW_PING_TIME_\w+)\))",
        cleared_by: r"Health check cleared: OSD_SLOW_PING_TIME",
        strength: 0.48,
        persistent: 0.66,
        kind: "Ceph cluster",
        subject: "{check}",
        title: "Ceph heartbeat pings between OSDs are slow: {what}",
        statement: "Heartbeats between OSDs take too long ({what}): congestion, a bad link or an MTU mismatch on that network.",
        yes: &[
            "cluster [WRN] Health check failed: Slow OSD heartbeats on back (longest 1234.5ms) (OSD_SLOW_PING_TIME_BACK)",
        ],
        no: &["cluster [INF] Health check cleared: OSD_SLOW_PING_TIME_BACK"],
        ..RULE
    },
];
