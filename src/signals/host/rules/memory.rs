//! Kernel memory: OOM kills, failed allocations, broken swap and pages.

use super::{BASE, Rule, Scope};

pub(super) const RULES: &[Rule] = &[
    // The kill line names the victim; the accounting around it is read by `detect::oom`.
    Rule {
        detector: "oom-global",
        cause: "host-out-of-memory",
        kind: "Process",
        name: "{proc}",
        needles: &["Out of memory: Kill"],
        pattern: r"(?:^|[^y] |\] |: )Out of memory: Kill(?:ed)? process (?P<pid>\d+)(?:,)? \((?P<proc>[^)]+)\)",
        quiet: true,
        ..BASE
    },
    Rule {
        detector: "oom-cgroup",
        cause: "cgroup-out-of-memory",
        kind: "Process",
        name: "{proc}",
        needles: &["Memory cgroup out of memory", "memory cgroup out of memory"],
        pattern: r"(?i)memory cgroup out of memory: Kill(?:ed)? process (?P<pid>\d+)(?:,)? \((?P<proc>[^)]+)\)",
        quiet: true,
        ..BASE
    },
    Rule {
        detector: "oom-no-victim",
        cause: "host-out-of-memory",
        needles: &["no killable processes", "System is deadlocked on memory"],
        pattern: r"Out of memory and no killable processes|System is deadlocked on memory",
        title: "The kernel ran out of memory and found no process left to kill",
        statement: "Memory was exhausted and every remaining process was protected from the OOM killer, so the kernel could not recover by itself.",
        strength: 0.93,
        ticket: &["memory", "oom", "panic", "crash", "reboot"],
        ..BASE
    },
    Rule {
        detector: "page-allocation-failure",
        cause: "page-allocation-failure",
        kind: "Process",
        name: "{proc}",
        needles: &["page allocation failure"],
        pattern: r"(?P<proc>\S+): page allocation failure[:.] order:\s*(?P<order>\d+), mode:(?P<mode>\S+)",
        title: "Page allocation failure in {proc}: no free block of order {order} ({n}){when}",
        statement: "The kernel could not give {proc} 2^{order} contiguous pages (mode {mode}): memory is fragmented or the reserve (vm.min_free_kbytes) is too small for atomic allocations, so packets or I/O are lost.",
        strength: 0.68,
        enough: 2,
        ticket: &["memory", "allocation", "drop", "slow"],
        ..BASE
    },
    Rule {
        detector: "slab-allocation-failure",
        cause: "page-allocation-failure",
        needles: &[
            "Unable to allocate memory on node",
            "vmap allocation for size",
        ],
        pattern: r"SL[UA]B: Unable to allocate memory on node (?P<node>-?\d+)|vmap allocation for size (?P<size>\d+) failed",
        title: "The kernel fails to allocate its own memory (slab or vmap), {n}{when}",
        statement: "Kernel-internal allocations fail, so drivers and file systems return errors although user memory may look free.",
        strength: 0.62,
        ticket: &["memory"],
        ..BASE
    },
    Rule {
        detector: "hugepages-not-allocated",
        cause: "hugepages-not-allocated",
        needles: &["HugeTLB: allocating"],
        pattern: r"HugeTLB: allocating (?P<wanted>\d+) of page size (?P<size>[\d.]+ \w+) failed\.\s+Only allocated (?P<got>\d+) hugepages",
        title: "Only {got} of {wanted} hugepages of {size} could be reserved",
        statement: "The kernel could not reserve the configured hugepages ({got} of {wanted} of {size}), so programs that need them (DPDK, guests, databases) fail to start or use small pages.",
        strength: 0.62,
        ticket: &["hugepage", "hugepages", "dpdk", "start"],
        ..BASE
    },
    Rule {
        detector: "swap-device-error",
        cause: "disk-io-errors",
        kind: "Disk",
        name: "swap",
        needles: &[
            "on swap-device",
            "swap_free: ",
            "Unable to handle swap header",
        ],
        pattern: r"(?:Read|Write)-error on swap-device|swap_free: (?:Bad|Unused) swap|Unable to handle swap header",
        title: "Reading or writing the swap device fails ({n}){when}",
        statement: "The kernel cannot read or write its swap device, so processes whose pages are there are killed or read garbage.",
        strength: 0.82,
        ..BASE
    },
    Rule {
        detector: "bad-page-state",
        cause: "kernel-crash",
        needles: &["BUG: Bad page ", "Bad rss-counter state"],
        pattern: r"BUG: Bad page (?:state|map) in process (?P<proc>\S+)|Bad rss-counter state",
        title: "The kernel found corrupted page tables ({n}){when}",
        statement: "Memory structures of the kernel are corrupted: faulty RAM or a kernel or driver bug.",
        strength: 0.75,
        ..BASE
    },
    Rule {
        detector: "memory-hardware-poison",
        cause: "memory-hardware-error",
        kind: "Memory",
        name: "memory",
        needles: &["Memory failure: 0x", "Uncorrected hardware memory error"],
        pattern: r"Memory failure: (?P<page>0x[0-9a-f]+): |Uncorrected hardware memory error",
        except: "soft offline",
        title: "Uncorrectable memory error: the kernel took a page out of use ({n}){when}",
        statement: "A memory module delivered data that ECC could not correct; the kernel poisoned the page and killed its users. The module must be replaced.",
        strength: 0.9,
        ticket: &["memory", "crash", "reboot", "killed"],
        ..BASE
    },
    Rule {
        detector: "fork-fails-memory",
        cause: "cannot-fork",
        name: "{tag}",
        kind: "Process",
        scope: Scope::Any,
        needles: &[
            "fork: Cannot allocate memory",
            "fork: retry: Resource temporarily unavailable",
            "fork: Resource temporarily unavailable",
            "Cannot fork",
            "unable to fork",
            "pthread_create failed",
            "can't start new thread",
            "unable to create new native thread",
            "unable to create native thread",
        ],
        pattern: r"(?P<msg>fork: Cannot allocate memory|fork: (?:retry: )?Resource temporarily unavailable|[Cc]annot fork|unable to fork|pthread_create failed|can't start new thread|unable to create (?:new )?native thread)",
        except: r"(?i)\bDEBUG\b",
        title: "{tag} cannot create processes or threads: {msg} ({n}){when}",
        statement: "{tag} cannot start further processes or threads ({msg}): a process limit (nproc, TasksMax, pid_max) or memory is exhausted.",
        strength: 0.72,
        ticket: &["fork", "thread", "threads", "process", "processes", "login"],
        ..BASE
    },
    Rule {
        detector: "pids-cgroup-limit",
        cause: "cannot-fork",
        kind: "Unit",
        name: "{cgroup}",
        needles: &["fork rejected by pids controller"],
        pattern: r"cgroup: fork rejected by pids controller in (?P<cgroup>\S+)",
        title: "Fork rejected: cgroup {cgroup} reached its limit of tasks ({n}){when}",
        statement: "The control group {cgroup} reached its limit of tasks (TasksMax), so its service can create no more threads or processes.",
        strength: 0.9,
        ticket: &["fork", "thread", "threads", "process", "tasks"],
        ..BASE
    },
];
