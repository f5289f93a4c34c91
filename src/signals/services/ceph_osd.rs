//! Ceph's daemons and clients by their own logs: devices, RocksDB, network, clocks.

use super::rule::{RULE, Rule};
use crate::signals::Role;

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "ceph.osd-io-error",
        cause: "ceph-osd-disk-error",
        scope: &["ceph"],
        needs: &["Input/output error", "got r=-5", "bdev"],
        pattern: r"(?P<what>_aio_thread got r=-\d+ \([^\r\n]{0,40}|bdev\([^\r\n]{0,90}\) (?:_aio_thread|read|_sync_write|direct_read_unaligned)[^\r\n]{0,60}(?:\(5\) Input/output error|\(61\) No data available)[^\r\n]{0,20}|Unexpected IO error[^\r\n]{0,100})",
        strength: 0.9,
        title: "{daemon}: its disk returns I/O errors: {what}",
        statement: "The block device below {daemon} fails reads or writes ({what}); the OSD aborts on them. The disk has to be replaced.",
        yes: &[
            "-1 bdev(0x55 /var/lib/ceph/osd/ceph-3/block) _aio_thread got r=-5 ((5) Input/output error)",
        ],
        no: &[
            "1 bdev(0x55 /var/lib/ceph/osd/ceph-3/block) open path /var/lib/ceph/osd/ceph-3/block",
        ],
        ..RULE
    },
    // BlueStore logs each operation above bluestore_log_op_age (5 s): the device does not keep up.
    Rule {
        id: "ceph.bluestore-slow",
        cause: "ceph-osd-slow-disk",
        scope: &["ceph"],
        needs: &["slow operation observed for"],
        pattern: r"slow operation observed for (?P<op>\S+?),(?: .{0,20})?latency = (?P<latency>[\d.]+)s",
        at_least: 5,
        strength: 0.68,
        persistent: 0.74,
        title: "{daemon}: slow device: {op} takes up to {latency} s ({count} times)",
        statement: "BlueStore of {daemon} sees {op} take {latency} seconds{span}: the device (or its RocksDB partition) is overloaded or failing, which makes client requests slow.",
        yes: &[
            "0 bluestore(/var/lib/ceph/osd/ceph-3) log_latency slow operation observed for submit_transact, latency = 12.5s",
        ],
        no: &["0 bluestore(/var/lib/ceph/osd/ceph-3) _open_db opened rocksdb"],
        ..RULE
    },
    Rule {
        id: "ceph.rocksdb-stall",
        cause: "ceph-rocksdb-stalls",
        scope: &["ceph"],
        needs: &["Stalling writes because", "Stopping writes because"],
        pattern: r"(?P<what>(?:Stalling|Stopping) writes because [^\r\n]{0,120})",
        at_least: 3,
        strength: 0.66,
        persistent: 0.72,
        title: "{daemon}: RocksDB stalls writes ({count} times): {what}",
        statement: "RocksDB of {daemon} slows down or stops writes{span} ({what}): compaction cannot keep up with the amount of metadata, so requests block.",
        yes: &[
            "rocksdb: [db/column_family.cc:1] [default] Stalling writes because we have 4 immutable memtables (waiting for flush)",
        ],
        no: &["rocksdb: [db/flush_job.cc:1] flush started"],
        ..RULE
    },
    Rule {
        id: "ceph.bad-crc",
        cause: "ceph-network-corruption",
        scope: &["ceph"],
        needs: &["bad crc in", "bad crc"],
        pattern: r"(?P<what>bad crc in (?:data|front|middle|footer) \S+ != exp \S+)(?: from (?P<peer>\S+))?",
        at_least: 3,
        strength: 0.78,
        title: "{daemon} receives corrupted messages: {what} ({count} times)",
        statement: "Messages arrive with a wrong checksum{span} ({what}): network card, offloading, switch or memory corrupts data on the way.",
        yes: &["0 bad crc in data 12345 != exp 54321 from v1:10.0.0.5:0/123"],
        no: &["crc ok"],
        ..RULE
    },
    Rule {
        id: "ceph.messages-from-future",
        cause: "ceph-mon-clock-skew",
        scope: &["ceph"],
        needs: &["clocks not synchronized", "possible clock skew"],
        pattern: r"(?P<what>message from (?P<mon>mon\.\S+) was stamped [\d.-]+s in the (?:future|past), clocks not synchronized|possible clock skew, rotating keys expired way too early[^\r\n]{0,60})",
        strength: 0.84,
        title: "Ceph clocks are not synchronised: {what}",
        statement: "{daemon} meets time stamps that do not fit its own clock ({what}): time synchronisation of one of the hosts is broken; authentication and quorum suffer.",
        yes: &[
            "mon.a@0(leader) log [WRN] message from mon.b was stamped 0.873s in the future, clocks not synchronized",
        ],
        no: &["mon.a@0(leader) timecheck finished"],
        ..RULE
    },
    // The kernel client (krbd, CephFS) loses monitors or OSDs.
    Rule {
        id: "ceph.kernel-client",
        cause: "ceph-client-lost-cluster",
        needs: &["libceph: "],
        pattern: r"libceph: (?P<what>(?:mon|osd)\d+ \S+ (?:session lost|socket closed|socket error|connect error|bad crc|wrong peer)[^\r\n]{0,60})",
        at_least: 10,
        strength: 0.55,
        persistent: 0.62,
        role: Role::Symptom,
        title: "The kernel's Ceph client loses its cluster: {what} ({count} times)",
        statement: "The kernel's Ceph client cannot keep its connections{span} ({what}): network or daemons of the cluster are not reachable, I/O on RBD and CephFS hangs.",
        yes: &["libceph: mon0 10.0.0.1:6789 session lost, hunting for new mon"],
        no: &["libceph: mon0 10.0.0.1:6789 session established"],
        ..RULE
    },
];
