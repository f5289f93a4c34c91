//! Ceph daemons and clients that cannot start or were shut out: labels, networks, maps, full monitors, blocklists.

use super::rule::{RULE, Rule};

const CEPH: &[&str] = &["ceph", "syslog", "messages", "journal"];
const CLIENT: &[&str] = &[
    "kern", "syslog", "messages", "dmesg", "journal", "ceph", "nova", "cinder", "qemu",
];

/// The rules.
pub const RULES: &[Rule] = &[
    Rule {
        id: "ceph.osd-device-unreadable",
        cause: "ceph-osd-device-unreadable",
        scope: CEPH,
        needs: &[
            "unable to open OSD superblock",
            "_read_bdev_label",
            "failed to load os-type",
            "bdev(",
        ],
        pattern: r"(?P<what>unable to open OSD superblock on (?P<path>\S+?): [^\r\n]{3,60}|_read_bdev_label failed to (?:open|read) (?P<p2>\S+?): [^\r\n]{3,60}|bdev\([^)]*\) open (?:open|lock) (?:got|failed)[^\r\n]{3,80})",
        strength: 0.84,
        kind: "Ceph daemon",
        title: "{daemon} cannot open its device: {what}",
        statement: "{daemon} does not start because it cannot open its store ({what}){span}: the logical volume or encryption is not active, the owner of the device is not ceph, or the directory was not prepared at the start.",
        yes: &[
            "-1 osd.3 0 ERROR: unable to open OSD superblock on /var/lib/ceph/osd/ceph-3: (2) No such file or directory",
            "-1 bluestore(/var/lib/ceph/osd/ceph-3/block) _read_bdev_label failed to open /var/lib/ceph/osd/ceph-3/block: (13) Permission denied",
        ],
        no: &[
            "1 bdev(0x55 /var/lib/ceph/osd/ceph-3/block) open path /var/lib/ceph/osd/ceph-3/block",
        ],
        ..RULE
    },
    Rule {
        id: "ceph.network-not-here",
        cause: "ceph-network-not-here",
        scope: CEPH,
        needs: &["unable to find any IP", "address in networks"],
        pattern: r"unable to find any IP(?:v[46])? address in networks '(?P<network>[^']*)'",
        strength: 0.9,
        kind: "Ceph daemon",
        title: "{daemon}: this host has no address in Ceph's network {network}",
        statement: "{daemon} does not start because no interface of this host has an address in {network} (its public or cluster network): the interface is down or the setting is wrong.",
        yes: &["-1 unable to find any IP address in networks '10.30.0.0/24' interfaces ''"],
        no: &["1 public_addr [v2:10.30.0.4:6800/1]"],
        ..RULE
    },
    Rule {
        id: "ceph.mon-lagging",
        cause: "ceph-mon-lagging",
        scope: &["ceph-mon"],
        needs: &["lease_expire", "lease_timeout", "probably laggy"],
        pattern: r"(?P<what>lease_expire from (?P<peer>\S+) is [\d.]+ seconds in the past; mons are probably laggy[^\r\n]{0,40}|lease_timeout -- calling new election)",
        at_least: 3,
        strength: 0.66,
        kind: "Ceph daemon",
        title: "{daemon}: monitors lag behind: {what} ({count} times)",
        statement: "The monitors renew their leases too late ({what}){span}: slow disks under a monitor, a lossy network or clocks that differ.",
        yes: &[
            "-1 mon.a@0(leader).paxos(paxos updating c 1..2) lease_expire from mon.1 is 0.4 seconds in the past; mons are probably laggy (or possibly clocks are too skewed)",
        ],
        no: &["lease_expire set"],
        ..RULE
    },
    Rule {
        id: "ceph.mon-disk-low",
        cause: "ceph-mon-disk-low",
        scope: CEPH,
        needs: &[
            "monitor data filesystem",
            "low disk space",
            "reached concerning levels",
        ],
        pattern: r"(?P<what>monitor data filesystem reached concerning levels of available storage space[^\r\n]{0,60}|reached concerning levels of available space on local monitor storage[^\r\n]{0,60})",
        strength: 0.88,
        kind: "Ceph daemon",
        title: "{daemon} shuts down, its disk is nearly full: {what}",
        statement: "{daemon} stops because the file system of its store has too little room ({what}): logs, crash dumps or a store that is not compacted fill it.",
        yes: &[
            "-1 error: monitor data filesystem reached concerning levels of available storage space (available: 4% 2 GiB)",
        ],
        no: &["mon data avail 60%"],
        ..RULE
    },
    Rule {
        id: "ceph.mon-not-in-map",
        cause: "ceph-mon-not-in-map",
        scope: &["ceph-mon"],
        needs: &[
            "does not exist in monmap",
            "not in monmap",
            "removed from monmap",
        ],
        pattern: r"(?P<what>(?:mon\.)?(?P<mon>\S+)(?:@\S+)? (?:does not exist in monmap|not in monmap|(?:was )?removed from monmap)[^\r\n]{0,80})",
        at_least: 2,
        strength: 0.76,
        kind: "Ceph daemon",
        title: "{daemon} is not in the monitors' map: {what}",
        statement: "{daemon} starts, but the cluster's map of monitors does not have it ({what}){span}: its name or address changed, or it was removed, so it cannot join the quorum.",
        yes: &["0 mon.c does not exist in monmap, will attempt to join an existing cluster"],
        no: &["mon.c calling monitor election"],
        ..RULE
    },
    Rule {
        id: "ceph.mds-damaged",
        cause: "ceph-mds-damaged",
        scope: CEPH,
        needs: &["up:damaged", "mds rank", "is damaged", "journal"],
        pattern: r"(?P<what>(?:i am now mds\.\S+,? |state )?up:damaged|mds rank \d+ is damaged|(?:Error recovering journal|journal [^\r\n]{0,30}corrupt)[^\r\n]{0,80})",
        unless: r"systemd-journal",
        strength: 0.88,
        kind: "Ceph daemon",
        title: "CephFS metadata are damaged: {what}",
        statement: "A rank of the metadata server is marked damaged ({what}){span}: its journal or metadata cannot be read, and the file system is offline until it is repaired.",
        yes: &["0 mds.0.12 handle_mds_map i am now mds.0.12, up:damaged"],
        no: &["1 mds.0.12 handle_mds_map state change up:rejoin --> up:active"],
        ..RULE
    },
    Rule {
        id: "ceph.rgw-zone",
        cause: "radosgw-failed",
        scope: &["rgw", "radosgw", "ceph"],
        needs: &["zonegroup", "realm", "init_complete", "period"],
        pattern: r"ERROR: (?P<what>[^\r\n]{0,40}(?:zonegroup|realm|zone |period)[^\r\n]{0,60}(?:No such file|failed|not found|missing|invalid|\(2\))[^\r\n]{0,60}|failed to (?:start|init|read)[^\r\n]{0,40}(?:zone|realm|period)[^\r\n]{0,80})",
        at_least: 2,
        strength: 0.8,
        kind: "Ceph daemon",
        title: "{daemon}: the gateway's zone or realm cannot be used: {what}",
        statement: "The object gateway fails over its zone, zonegroup or realm ({what}){span}: the names in its configuration do not fit the period, or the period was not committed.",
        yes: &[
            "0 ERROR: failed to start realm notifier; no zonegroup default: (2) No such file or directory",
        ],
        no: &["0 realm reloader: finished"],
        ..RULE
    },
    // A blocklisted client may never write again with its old session: its watches break and its writes fail.
    Rule {
        id: "ceph.client-blocklisted",
        cause: "ceph-client-blocklisted",
        scope: CLIENT,
        needs: &[
            "blocklisted",
            "blacklisted",
            "encountered watch error",
            "ESHUTDOWN",
        ],
        pattern: r"(?P<what>encountered watch error: -\d+|(?:client|session|connection|I was|I have been|we are|we have been)[^\r\n]{0,30}(?:block|black)listed[^\r\n]{0,60}|(?:block|black)listed[^\r\n]{0,30}(?:client|remount)[^\r\n]{0,40})",
        at_least: 2,
        strength: 0.76,
        title: "{daemon}: this Ceph client was shut out: {what}",
        statement: "The Ceph cluster blocklisted this client, or broke its watch ({what}){span}: it did not answer in time, or another client took its exclusive lock; mapped images and mounts of it fail until they are mapped anew.",
        yes: &[
            "kernel: rbd: rbd0: encountered watch error: -107",
            "kernel: ceph: mds0 hung; client blocklisted",
        ],
        no: &["osd blocklist ls: listed 0 entries"],
        ..RULE
    },
    // The kernel client is older than what the cluster demands of its clients.
    Rule {
        id: "ceph.client-features",
        cause: "ceph-client-features",
        scope: &["kern", "syslog", "messages", "dmesg", "journal"],
        needs: &["libceph"],
        pattern: r"libceph: (?P<peer>(?:mon|osd|mds)\d+) \S+ (?P<what>missing required protocol features|feature set mismatch[^\r\n]{0,80})",
        strength: 0.86,
        kind: "Ceph client",
        subject: "libceph",
        title: "The kernel's Ceph client is too old for the cluster: {what}",
        statement: "{peer} refuses the kernel client because it lacks a feature that the cluster requires ({what}){span}: tunables or the least release for clients were raised beyond this kernel.",
        yes: &["kernel: [ 12.5] libceph: mon1 (1)10.0.0.5:6789 missing required protocol features"],
        no: &["kernel: libceph: mon0 (1)10.0.0.5:6789 session established"],
        ..RULE
    },
    Rule {
        id: "ceph.mirror-split-brain",
        cause: "ceph-mirror-split-brain",
        scope: &["rbd-mirror", "ceph"],
        needs: &["split-brain"],
        pattern: r"rbd::mirror::\S+ [^\r\n]{0,80}(?P<what>split-brain detected[^\r\n]{0,120})",
        strength: 0.88,
        kind: "Ceph daemon",
        title: "rbd-mirror stopped replaying: {what}",
        statement: "{daemon} no longer replays an image to the other site ({what}){span}: both sides were primary at some time; one of them has to be demoted and synchronised anew.",
        yes: &[
            "-1 rbd::mirror::image_replayer::Replayer: 0x55 scan: split-brain detected: failed to find matching snapshot",
        ],
        no: &["5 rbd::mirror::image_replayer::Replayer: 0x55 scan: idle"],
        ..RULE
    },
];
