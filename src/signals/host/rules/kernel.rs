//! Bugs of the kernel that are no oops, who else kills for memory, and tables of the network stack that are full.

use super::{BASE, Rule, Scope};

const DOWN: &[&str] = &[
    "hang",
    "hung",
    "crash",
    "crashed",
    "reboot",
    "panic",
    "unresponsive",
    "stuck",
];
const MEMORY: &[&str] = &[
    "memory", "oom", "killed", "kill", "restart", "crash", "died",
];
const NET: &[&str] = &[
    "network",
    "connection",
    "connections",
    "packet",
    "packets",
    "traffic",
    "timeout",
    "service",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        detector: "kernel-corruption",
        cause: "kernel-crash",
        needles: &[
            "list_add corruption",
            "list_del corruption",
            "scheduling while atomic",
            "usercopy: Kernel memory",
            "BUG: KASAN:",
            "Internal error: Oops",
            "Internal error: synchronous external abort",
            "SError Interrupt on CPU",
            "refcount_t: underflow",
            "VFS: Busy inodes after unmount",
        ],
        pattern: r"(?P<msg>list_(?:add|del) corruption.{0,60}|BUG: scheduling while atomic: .{0,60}|usercopy: Kernel memory \w+ attempt detected.{0,60}|BUG: KASAN: .{0,80}|Internal error: (?:Oops|synchronous external abort).{0,40}|SError Interrupt on CPU\d+.{0,40}|refcount_t: underflow.{0,30}|VFS: Busy inodes after unmount.{0,40})",
        title: "The kernel's own data is damaged: {msg} ({n}){when}",
        statement: "The kernel found its own structures damaged or used wrongly ({msg}): a bug of kernel or driver or faulty memory. What it does afterwards cannot be trusted.",
        strength: 0.78,
        ticket: DOWN,
        ..BASE
    },
    Rule {
        detector: "init-crashed",
        cause: "init-crashed",
        kind: "Process",
        name: "systemd",
        scope: Scope::System,
        needles: &["Freezing execution", "systemd[1]: Caught <"],
        pattern: r"systemd\[1\]: (?P<msg>Freezing execution|Caught <\w+>.{0,40})",
        title: "systemd itself (process 1) crashed: {msg}{when}",
        statement: "Process 1 crashed and stands still ({msg}): units can no longer be started or stopped, logins hang, and only a reboot helps. Often libraries were replaced under it.",
        strength: 0.92,
        ticket: DOWN,
        ..BASE
    },
    // Daemons that kill before the kernel has to.
    Rule {
        detector: "oomd-killed",
        cause: "host-out-of-memory",
        kind: "Unit",
        name: "{victim}{victim2}",
        scope: Scope::System,
        needles: &["systemd-oomd", "earlyoom"],
        pattern: r"systemd-oomd(?:\[\d+\])?: Killed (?P<victim>/\S+) due to (?P<msg>.{0,140})|earlyoom(?:\[\d+\])?: sending SIG(?:TERM|KILL) to process (?P<pid>\d+) (?:uid \d+ )?\x22(?P<victim2>[^\x22]+)\x22: (?P<msg2>.{0,80})",
        title: "Short of memory: {victim}{victim2} was killed ({msg}{msg2}, {n}){when}",
        statement: "The out-of-memory daemon killed {victim}{victim2} before memory ran out ({msg}{msg2}); memory or the number of its consumers must change.",
        strength: 0.86,
        ticket: MEMORY,
        ..BASE
    },
    Rule {
        detector: "unit-oom-killed",
        cause: "unit-killed",
        kind: "Unit",
        name: "{unit}",
        scope: Scope::System,
        needles: &["killed by the OOM killer", "Failed with result 'oom-kill'"],
        pattern: r"systemd(?:\[\d+\])?: (?P<unit>[\w@:.\\-]+\.(?:service|scope|slice)): (?P<msg>A process of this unit has been killed by the OOM killer|Failed with result 'oom-kill')",
        title: "A process of {unit} was killed for want of memory ({n}){when}",
        statement: "The OOM killer ended a process of {unit} ({msg}): the host or the unit's own limit of memory was used up.",
        strength: 0.7,
        ticket: MEMORY,
        ..BASE
    },
    Rule {
        detector: "percpu-allocation",
        cause: "page-allocation-failure",
        name: "percpu",
        needles: &["percpu: allocation failed"],
        pattern: r"percpu: allocation failed, (?P<msg>size=\d+ .{0,80})",
        title: "The kernel has no per-processor memory left: {msg} ({n}){when}",
        statement: "Allocations of per-processor memory fail ({msg}): address space of modules or control groups that were never freed are used up, so modules, containers and mounts fail.",
        strength: 0.5,
        enough: 3,
        ..BASE
    },
    Rule {
        detector: "conntrack-expect-full",
        cause: "conntrack-table-full",
        name: "expectations",
        needles: &["expectation table full"],
        pattern: r"nf_conntrack: (?P<msg>expectation table full)",
        title: "Connection tracking: {msg} ({n}){when}",
        statement: "The table of expected connections (helpers for FTP, SIP and the like) is full, so their data connections are dropped.",
        strength: 0.76,
        ticket: NET,
        ..BASE
    },
    Rule {
        detector: "ipset-full",
        cause: "ipset-full",
        kind: "Set",
        name: "{set}",
        scope: Scope::Any,
        needles: &["is full, maxelem", "Hash is full, cannot add more elements"],
        pattern: r"(?:Set (?P<set>[\w.:-]+) is full, maxelem (?P<max>\d+) reached|(?P<msg>Hash is full, cannot add more elements))",
        title: "IP set {set} is full: {max} {msg} ({n}){when}",
        statement: "The set {set} that firewall rules refer to reached its maximum ({max} {msg}), so further addresses are left out and their traffic is treated wrongly.",
        strength: 0.84,
        ticket: NET,
        ..BASE
    },
    Rule {
        detector: "ipvs-no-backend",
        cause: "ipvs-no-backend",
        kind: "Service",
        name: "{service}",
        needles: &["no destination available"],
        pattern: r"IPVS: \w+: \w+ (?P<service>\S+) - no destination available",
        title: "Virtual service {service} has no destination available ({n}){when}",
        statement: "The load balancer of the kernel has no live server for {service}: health checks removed all of them or none was ever added.",
        strength: 0.64,
        enough: 5,
        ticket: NET,
        ..BASE
    },
    Rule {
        detector: "spanning-tree-changes",
        cause: "spanning-tree-unstable",
        kind: "Bridge",
        name: "{bridge}",
        needles: &["topology change detected", "received tcn bpdu"],
        pattern: r"(?P<bridge>\S+?): (?:port \d+\((?P<port>\S+)\) )?(?P<msg>topology change detected|received tcn bpdu)",
        title: "Bridge {bridge}: spanning tree changes again and again ({n}){when}",
        statement: "The spanning tree around {bridge} is rebuilt again and again ({msg}): a link in it goes up and down or two switches compete to be its root; traffic stops for seconds each time.",
        strength: 0.58,
        enough: 30,
        ordinary_at_boot: true,
        ticket: NET,
        ..BASE
    },
    Rule {
        detector: "data-ulimit",
        cause: "process-limit-reached",
        kind: "Process",
        name: "{proc}",
        needles: &["exceed data ulimit"],
        pattern: r"mmap: (?P<proc>\S+) \(\d+\): (?P<msg>VmData \d+ exceed data ulimit \d+)",
        title: "{proc} reached its limit of memory: {msg} ({n}){when}",
        statement: "The limit RLIMIT_DATA of {proc} is reached ({msg}), so its allocations fail although memory is free.",
        strength: 0.7,
        ticket: MEMORY,
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::super::tests::{means, silent};

    #[test]
    fn kernel() {
        means(&[
            (
                "kernel: list_del corruption. prev->next should be ffff8881, but was dead0000",
                "kernel-crash",
            ),
            (
                "kernel: BUG: scheduling while atomic: swapper/3/0/0x00000100",
                "kernel-crash",
            ),
            (
                "systemd[1]: Caught <SEGV>, dumped core as pid 4123.",
                "init-crashed",
            ),
            (
                "systemd-oomd[712]: Killed /user.slice/user-1000.slice/app.scope due to memory pressure for /user.slice/user-1000.slice being 71.50% > 50.00% for > 20s with reclaim activity",
                "host-out-of-memory",
            ),
            (
                "earlyoom[9]: sending SIGTERM to process 123 uid 1000 \"java\": badness 900, VmRSS 12345 MiB",
                "host-out-of-memory",
            ),
            (
                "systemd[1]: web.service: A process of this unit has been killed by the OOM killer.",
                "unit-killed",
            ),
            (
                "kernel: nf_conntrack: expectation table full",
                "conntrack-table-full",
            ),
            (
                "kernel: Set blocklist is full, maxelem 65536 reached",
                "ipset-full",
            ),
            (
                "kernel: mmap: java (812): VmData 8592031744 exceed data ulimit 8589934592. Update limits or use boot option ignore_rlimit_data.",
                "process-limit-reached",
            ),
        ]);
        silent(&[
            "systemd[1]: Started Userspace Out-Of-Memory (OOM) Killer.",
            "systemd-oomd[712]: Watching for memory pressure",
            "earlyoom[9]: mem avail: 12034 of 31845 MiB (37.79%), swap free: 8191 of 8191 MiB (100.00%)",
            "kernel: br0: topology change detected, propagating",
        ]);
    }
}
