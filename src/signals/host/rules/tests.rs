//! Lines as kernels and services really write them, with what they must and must not mean.

use crate::signals::Role;
use crate::signals::host::tests::{causes, on};

/// Line of syslog → slug of the strongest signal.
const MEANS: &[(&str, &str)] = &[
    (
        "kernel: [9.000001] Out of memory: Kill process 1234 (java) score 900 or sacrifice child",
        "host-out-of-memory",
    ),
    (
        "kernel: [9.000001] Memory cgroup out of memory: Killed process 77 (web) total-vm:1kB, anon-rss:2kB",
        "cgroup-out-of-memory",
    ),
    (
        "kernel: [9.000001] kworker/3:1: page allocation failure: order:4, mode:0x40dc0(GFP_KERNEL|__GFP_COMP), nodemask=(null)",
        "page-allocation-failure",
    ),
    (
        "kernel: HugeTLB: allocating 64 of page size 1.00 GiB failed.  Only allocated 40 hugepages.",
        "hugepages-not-allocated",
    ),
    (
        "kernel: cgroup: fork rejected by pids controller in /system.slice/web.service",
        "cannot-fork",
    ),
    ("bash[1]: bash: fork: Cannot allocate memory", "cannot-fork"),
    (
        "kernel: watchdog: BUG: soft lockup - CPU#3 stuck for 23s! [ksoftirqd/3:28]",
        "cpu-lockup",
    ),
    (
        "kernel: rcu: INFO: rcu_sched self-detected stall on CPU",
        "cpu-lockup",
    ),
    (
        "kernel: Kernel panic - not syncing: Fatal exception in interrupt",
        "kernel-crash",
    ),
    (
        "kernel: Kernel panic - not syncing: hung_task: blocked tasks",
        "panic-on-purpose",
    ),
    (
        "kernel: BUG: unable to handle page fault for address: ffffa1b2",
        "kernel-crash",
    ),
    (
        "kernel: INFO: task jbd2/sda1-8:345 blocked for more than 120 seconds.",
        "hung-task",
    ),
    (
        "kernel: unregister_netdevice: waiting for lo to become free. Usage count = 1",
        "kernel-netdevice-leak",
    ),
    (
        "kernel: named[812]: segfault at 18 ip 00007f1 sp 00007f2 error 4 in libuv.so.1.0.0[7f10+4000]",
        "process-crash",
    ),
    (
        "kernel: EDAC MC0: 1 UE memory read error on CPU_SrcID#0_MC#0_Chan#1_DIMM#0 (channel:1 slot:0)",
        "memory-hardware-error",
    ),
    (
        "kernel: EDAC MC1: 12 CE memory scrubbing error on CPU_SrcID#1_MC#0_Chan#0_DIMM#1 (channel:0 slot:1)",
        "memory-hardware-error",
    ),
    (
        "kernel: mce: CPU2: Core temperature above threshold, cpu clock throttled (total events = 44)",
        "thermal-throttling",
    ),
    (
        "kernel: pcieport 0000:00:1c.0: AER: Uncorrected (Fatal) error received: 0000:03:00.0",
        "pcie-errors",
    ),
    (
        "kernel: NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, GPU has fallen off the bus.",
        "gpu-error",
    ),
    (
        "kernel: blk_update_request: I/O error, dev sdb, sector 123456 op 0x0:(READ) flags 0x0",
        "disk-io-errors",
    ),
    (
        "kernel: sd 0:0:1:0: [sdb] tag#3 Sense Key : Medium Error [current]",
        "disk-io-errors",
    ),
    (
        "kernel: ata3.00: failed command: READ FPDMA QUEUED",
        "disk-io-errors",
    ),
    (
        "kernel: nvme nvme0: controller is down; will reset: CSTS=0xffffffff, PCI_STATUS=0x10",
        "nvme-failure",
    ),
    (
        "kernel: nvme nvme1: I/O 12 QID 3 timeout, aborting",
        "nvme-failure",
    ),
    (
        "kernel: megaraid_sas 0000:02:00.0: FW in FAULT state!!",
        "storage-controller-fault",
    ),
    (
        "kernel: EXT4-fs error (device dm-0): ext4_find_entry:1455: inode #131: comm ls: reading directory lblock 0",
        "filesystem-corruption",
    ),
    (
        "kernel: EXT4-fs (sda1): Remounting filesystem read-only",
        "filesystem-read-only",
    ),
    (
        "kernel: XFS (dm-2): Metadata CRC error detected at xfs_agi_read_verify+0xc6/0xe0 [xfs], xfs_agi block 0x2",
        "filesystem-corruption",
    ),
    (
        "kernel: XFS: mysqld(2345) possible memory allocation deadlock size 65552 in kmem_alloc (mode:0x250)",
        "xfs-allocation-deadlock",
    ),
    (
        "kernel: BTRFS error (device sdc): bdev /dev/sdc errs: wr 0, rd 5, flush 0, corrupt 0, gen 0",
        "filesystem-corruption",
    ),
    (
        "kernel: md/raid1:md0: Disk failure on sdb1, disabling device.",
        "raid-degraded",
    ),
    (
        "multipathd[711]: mpatha: remaining active paths: 0",
        "multipath-paths-down",
    ),
    (
        "kernel: device-mapper: thin: 253:4: switching pool to out-of-data-space mode",
        "lvm-thin-full",
    ),
    (
        "kernel:  connection1:0: detected conn error (1022)",
        "iscsi-session-lost",
    ),
    (
        "kernel: nfs: server filer1 not responding, still trying",
        "nfs-server-unreachable",
    ),
    (
        "kernel: CIFS: VFS: \\\\filer\\share has not responded in 180 seconds. Reconnecting...",
        "cifs-server-unreachable",
    ),
    (
        "kernel: block drbd0: Split-Brain detected but unresolved, dropping connection!",
        "drbd-split-brain",
    ),
    (
        "kernel: nf_conntrack: nf_conntrack: table full, dropping packet",
        "conntrack-table-full",
    ),
    (
        "kernel: neighbour: arp_cache: neighbor table overflow!",
        "arp-table-overflow",
    ),
    (
        "kernel: tap12: dropped over-mtu packet: 8950 > 1450",
        "mtu-mismatch",
    ),
    (
        "kernel: TCP: out of memory -- consider tuning tcp_mem",
        "socket-memory-exhausted",
    ),
    (
        "kernel: TCP: request_sock_TCP: Possible SYN flooding on port 443. Sending cookies.  Check SNMP counters.",
        "listen-queue-overflow",
    ),
    (
        "kernel: NETDEV WATCHDOG: eth0 (ixgbe): transmit queue 3 timed out",
        "nic-fault",
    ),
    (
        "kernel: ixgbe 0000:01:00.0 eth0: Reset adapter",
        "nic-fault",
    ),
    (
        "kernel: e1000e 0000:00:1f.6 eno1: Detected Hardware Unit Hang: tx hang",
        "nic-fault",
    ),
    (
        "kernel: igb 0000:04:00.0 eth2: igb: eth2 NIC Link is Down",
        "link-flapping",
    ),
    (
        "kernel: bond0: link status definitely down for interface eth1, disabling it",
        "bond-slave-down",
    ),
    (
        "kernel: IPv6: eth0: IPv6 duplicate address fe80::1 used by 52:54:00:11:22:33 detected!",
        "duplicate-ip-address",
    ),
    (
        "kernel: br0: received packet on eth0 with own address as source address (addr:52:54:00:11:22:33, vlan:0)",
        "network-loop",
    ),
    (
        "kernel: VFS: file-max limit 65536 reached",
        "file-descriptors-exhausted",
    ),
    (
        "web[2]: accept4() failed (24: Too many open files)",
        "file-descriptors-exhausted",
    ),
    (
        "web[2]: write() failed (28: No space left on device)",
        "disk-full",
    ),
    (
        "sshd[3]: Authentication refused: bad ownership or modes for directory /home/op",
        "ssh-login-refused",
    ),
    (
        "sssd[be[corp]]: Backend is offline",
        "directory-unreachable",
    ),
    (
        "CRON[9]: Authentication token is no longer valid; new one required",
        "account-locked",
    ),
    (
        "chronyd[1]: System clock wrong by 37.123456 seconds, adjustment started",
        "time-not-synchronised",
    ),
    (
        "audit[1]: AVC avc:  denied  { name_bind } for  pid=9 comm=\"httpd\" src=8443 scontext=system_u:system_r:httpd_t:s0 tcontext=system_u:object_r:unreserved_port_t:s0 tclass=tcp_socket permissive=0",
        "selinux-denial",
    ),
    (
        "systemd[1]: web.service: Failed at step EXEC spawning /opt/web/run: No such file or directory",
        "unit-failed",
    ),
    (
        "logrotate[5]: error: skipping \"/var/log/app/x.log\" because parent directory has insecure permissions (It's world writable)",
        "logrotate-failed",
    ),
    (
        "crond[6]: (root) FAILED to open PAM security session (Permission denied)",
        "cron-failed",
    ),
    (
        "elasticsearch[7]: max virtual memory areas vm.max_map_count [65530] is too low, increase to at least [262144]",
        "max-map-count-too-low",
    ),
    (
        "ssh[8]: Permissions 0644 for '/root/.ssh/id_rsa' are too open.",
        "private-key-permissions",
    ),
    (
        "haproxy[9]: SSL handshake failure: sslv3 alert certificate expired",
        "certificate-expired",
    ),
];

/// Ordinary on healthy hosts.
const ORDINARY: &[&str] = &[
    "kernel: [    0.1] ACPI BIOS Error (bug): Could not resolve symbol [\\_SB.PCI0], AE_NOT_FOUND",
    "kernel: [Firmware Bug]: TSC_DEADLINE disabled due to Errata",
    "kernel: blk_update_request: I/O error, dev loop3, sector 0 op 0x1:(WRITE) flags 0x800",
    "kernel: blk_update_request: I/O error, dev fd0, sector 0",
    "kernel: blk_update_request: critical target error, dev sda, sector 3 op 0x3:(DISCARD) flags 0x800",
    "kernel: bcache: register_bcache() error : device already registered",
    "kernel: audit: type=1400 audit(1.1:5): apparmor=\"STATUS\" operation=\"profile_load\" profile=\"unconfined\" name=\"x\" pid=9 comm=\"apparmor_parser\"",
    "kernel: audit: type=1400 audit(1.1:5): apparmor=\"DENIED\" operation=\"bind\" profile=\"snap.kube-apiserver.daemon\" pid=9 comm=\"kube-apiserver\"",
    "kernel: GPT: Use GNU Parted to correct GPT errors.",
    "kernel: RAS: Correctable Errors collector initialized.",
    "kernel: perf: interrupt took too long (2501 > 2500), lowering kernel.perf_event_max_sample_rate to 79750",
    "kernel: TCP: eth0: Driver has suspect GRO implementation, TCP performance may be compromised.",
    "kernel: cali12ab: Link is down",
    "multipathd[700]: sda: failed to get udev uid: Invalid argument",
    "multipathd[700]: sda: add missing path",
    "systemd[1]: Started Userspace Out-Of-Memory (OOM) Killer.",
    "systemd[1]: openipmi.service: Failed with result 'exit-code'.",
    "systemd-udevd[9]: vdb1: Process 'bcache-register /dev/vdb1' failed with exit code 1.",
    "snapd[4]: Get https://api.snapcraft.io: dial tcp: lookup api.snapcraft.io: Temporary failure in name resolution",
    "kernel: IPv6: ADDRCONF(NETDEV_UP): eth0: link is not ready",
    "kernel: watchdog: NMI not enabled, soft lockup detector disabled",
    "cloud-init[3]: WARNING: something deprecated",
    "rsyslogd: imklog: cannot open kernel log (/proc/kmsg): Permission denied.",
    "app[5]: DEBUG nf_conntrack is full of surprises",
    "app[5]: I once read kernel panics are rare",
];

fn syslog(text: &str) -> String {
    format!("Feb 10 10:00:00 node1 {text}\n")
}

/// Each line of syslog must give its cause as the strongest signal.
pub(super) fn means(table: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (line, cause) in table {
        let out = on(&[("var/log/syslog", &syslog(line))]);
        if causes(&out).first() != Some(cause) {
            wrong.push(format!("{line}\n    gives {:?}", causes(&out)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// None of these lines may give a signal worth reading.
pub(super) fn silent(lines: &[&str]) {
    let mut wrong = Vec::new();
    for line in lines {
        let out = on(&[("var/log/syslog", &syslog(line))]);
        if out
            .signals
            .iter()
            .any(|s| s.role == Role::Cause && s.strength >= 0.4)
        {
            wrong.push(format!("{line}\n    gives {:?}", causes(&out)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_line_means_what_an_expert_reads() {
    let mut wrong = Vec::new();
    for (line, cause) in MEANS {
        let out = on(&[("var/log/syslog", &syslog(line))]);
        if causes(&out).first() != Some(cause) {
            wrong.push(format!("{line}\n    gives {:?}", causes(&out)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn ordinary_lines_raise_no_alarm() {
    let mut wrong = Vec::new();
    for line in ORDINARY {
        let out = on(&[("var/log/syslog", &syslog(line))]);
        if out
            .signals
            .iter()
            .any(|s| s.role == Role::Cause && s.strength >= 0.25)
        {
            wrong.push(format!("{line}\n    gives {:?}", causes(&out)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_a_program_says_about_the_kernel_is_not_the_kernel() {
    let line = "Feb 10 10:00:00 node1 app[5]: nf_conntrack: table full, dropping packet\n";
    assert!(on(&[("var/log/app.log", line)]).signals.is_empty());
}

#[test]
fn repetition_across_logs_is_not_counted_twice_and_rotation_is() {
    let line = syslog("kernel: [9.000001] nf_conntrack: nf_conntrack: table full, dropping packet");
    let title = |files: &[(&str, &str)]| on(files).signals[0].title.clone();
    assert!(title(&[("var/log/syslog", &line), ("var/log/kern.log", &line)]).contains("(once)"));
    assert!(title(&[("var/log/syslog", &line), ("var/log/syslog.1", &line)]).contains("(2 times)"));
}

#[test]
fn quotes_are_verbatim_and_bounded() {
    let long = format!(
        "Feb 10 10:00:00 n ssh[8]: {} Permissions 0644 for '/k' are too open. {}\n",
        "x".repeat(3000),
        "é".repeat(3000)
    );
    let out = on(&[("var/log/syslog", &long)]);
    let quote = &out.signals[0].evidence[0].quote;
    assert!(
        quote.chars().count() <= 400
            && quote.contains("are too open")
            && long.contains(quote.as_str())
    );
}
