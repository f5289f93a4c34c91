//! Memory as `/proc` shows it: hugepages, available memory, swap, slab, commit limit.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::{Draft, percent, size};
use crate::signals::host::facts::Host;
use crate::signals::host::logs::Hits;

const WORDS: &[&str] = &["memory", "oom", "swap", "slow", "allocate", "killed"];

pub fn detect(host: &Host, _hits: &Hits, out: &mut Partial) {
    hugepages(host, out);
    available(host, out);
    swap(host, out);
    slab(host, out);
    committed(host, out);
    fragmentation(host, out);
}

/// Reserved hugepages can't be used for anything else. Half of the memory reserved and mostly
/// unused, with little left, starves the host; unused alone is waste.
fn hugepages(host: &Host, out: &mut Partial) {
    let (Some((total, total_at)), Some((reserved, reserved_at))) =
        (host.meminfo("MemTotal"), host.meminfo("HugePages_Total"))
    else {
        return;
    };
    let (Some((free, free_at)), Some((page, page_at))) =
        (host.meminfo("HugePages_Free"), host.meminfo("Hugepagesize"))
    else {
        return;
    };
    let all_sizes = host.meminfo("Hugetlb");
    let kib = reserved
        .saturating_mul(page)
        .max(all_sizes.as_ref().map_or(0, |h| h.0));
    // HugePages_* counts the default size only; Hugetlb counts all sizes.
    let sizes = if kib == reserved.saturating_mul(page) {
        format!(" of {}", size(page))
    } else {
        String::new()
    };
    let share = percent(kib, total);
    if reserved == 0 || share < 40 || total == 0 {
        return;
    }
    let available = host.meminfo("MemAvailable");
    let left = available
        .as_ref()
        .map_or(total.saturating_sub(kib), |a| a.0);
    let starved = percent(left, total) < 5;
    let unused = percent(free, reserved);
    let strength = match (starved, unused) {
        (true, 50..) => 0.9,
        (true, _) => 0.66,
        (false, 80..) if share >= 70 => 0.56,
        (false, 80..) => 0.4,
        _ => return,
    };
    Draft::cause("hugepages-unused", "hugepages-starve-memory", strength, "Memory", "hugepages")
        .says(
            format!("Hugepages reserve {} of {} memory ({share} %), {unused} % of them unused; only {} memory is left available", size(kib), size(total), size(left)),
            format!("{reserved} reserved hugepages{sizes} hold {} of {} memory and {free} of them are used by nobody. Hugepages cannot serve ordinary allocations, so everything else shares {} and memory is exhausted although the machine is large.", size(kib), size(total), size(left)),
        )
        .cites([reserved_at, free_at, page_at, total_at])
        .cites(available.map(|a| a.1))
        .cites(all_sizes.map(|h| h.1))
        .if_ticket(host, &["memory", "oom", "swap", "slow", "allocate", "hugepages", "hugepage"])
        .put(out);
}

/// Less than 2 % available means reclaim and OOM kills are near. Containers show their own share.
fn available(host: &Host, out: &mut Partial) {
    let (Some((total, total_at)), Some((left, left_at))) =
        (host.meminfo("MemTotal"), host.meminfo("MemAvailable"))
    else {
        return;
    };
    let huge = host.meminfo("Hugetlb").map_or(0, |h| h.0);
    if total < 512 << 10
        || left > 1 << 20
        || percent(left, total) >= 3
        || percent(huge, total) >= 40
    {
        return;
    }
    Draft::cause("memory-exhausted", "memory-exhausted", 0.56, "Memory", "memory")
        .says(
            format!("Memory is nearly exhausted: {} of {} available", size(left), size(total)),
            format!("Only {} of {} memory can be given out without swapping; the host reclaims constantly and the OOM killer is near.", size(left), size(total)),
        )
        .cites([left_at, total_at])
        .cites(largest(host))
        .if_ticket(host, WORDS)
        .put(out);
}

/// Swap used up while memory is short. Full swap with much memory free is only old pages.
fn swap(host: &Host, out: &mut Partial) {
    let (Some((total, total_at)), Some((free, free_at))) =
        (host.meminfo("SwapTotal"), host.meminfo("SwapFree"))
    else {
        return;
    };
    let short = host
        .meminfo("MemAvailable")
        .zip(host.meminfo("MemTotal"))
        .is_some_and(|(a, t)| percent(a.0, t.0) < 10);
    if total < 64 << 10 || percent(free, total) >= 4 {
        return;
    }
    let strength = if short { 0.62 } else { 0.3 };
    Draft::cause(
        "swap-exhausted",
        "swap-exhausted",
        strength,
        "Memory",
        "swap",
    )
    .says(
        format!("Swap is used up: {} of {} free", size(free), size(total)),
        format!(
            "Swap space is used up ({} of {} free){}.",
            size(free),
            size(total),
            if short {
                " and memory is short, so the next allocation may end in an OOM kill"
            } else {
                ", though memory is available: pages swapped out earlier"
            }
        ),
    )
    .cites([free_at, total_at])
    .cites(host.meminfo("MemAvailable").map(|a| a.1))
    .if_ticket(host, WORDS)
    .put(out);
}

/// Kernel memory that can't be reclaimed does not grow to a quarter of the machine without a leak.
fn slab(host: &Host, out: &mut Partial) {
    let (Some((total, total_at)), Some((slab, slab_at))) =
        (host.meminfo("MemTotal"), host.meminfo("SUnreclaim"))
    else {
        return;
    };
    let share = percent(slab, total);
    if share < 25 || slab < 2 << 20 {
        return;
    }
    let largest = host.command("slabtop", &[]).and_then(|doc| {
        doc.line_with(|l| {
            l.contains('K') && l.trim_start().starts_with(|c: char| c.is_ascii_digit())
        })
        .map(|(n, _)| doc.cite(n))
    });
    Draft::cause("slab-leak", "kernel-memory-leak", if share >= 40 { 0.68 } else { 0.56 }, "Memory", "slab")
        .says(
            format!("Kernel memory (unreclaimable slab) holds {} of {} ({share} %)", size(slab), size(total)),
            format!("Unreclaimable slab takes {} ({share} %) of memory: a leak in the kernel or a driver, or an object cache without bound.", size(slab)),
        )
        .cites([slab_at, total_at])
        .cites(largest)
        .if_ticket(host, WORDS)
        .put(out);
}

/// With strict accounting, allocations fail at the commit limit although memory is free.
fn committed(host: &Host, out: &mut Partial) {
    let Some((2, mode_at)) = host.sysctl_number("vm.overcommit_memory") else {
        return;
    };
    let (Some((limit, limit_at)), Some((used, used_at))) =
        (host.meminfo("CommitLimit"), host.meminfo("Committed_AS"))
    else {
        return;
    };
    if percent(used, limit) < 95 {
        return;
    }
    Draft::cause("commit-limit", "commit-limit-reached", 0.8, "Memory", "memory")
        .says(
            format!("Commit limit reached: {} of {} with vm.overcommit_memory=2", size(used), size(limit)),
            format!("vm.overcommit_memory is 2 (strict) and {} of {} are committed, so allocations and forks fail although memory is free.", size(used), size(limit)),
        )
        .cites([used_at, limit_at, mode_at])
        .if_ticket(host, WORDS)
        .put(out);
}

/// Compaction that nearly always fails, often, means that no contiguous blocks are left.
fn fragmentation(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("proc/vmstat") else {
        return;
    };
    let read = |key: &str| {
        let (number, line) = doc.line_with(|l| l.split(' ').next() == Some(key))?;
        Some((
            line.split(' ').nth(1)?.parse::<u64>().ok()?,
            doc.cite(number),
        ))
    };
    let (Some((fail, fail_at)), Some((good, good_at))) =
        (read("compact_fail"), read("compact_success"))
    else {
        return;
    };
    let often = fail >= 10_000 && percent(fail, fail.saturating_add(good)) >= 60;
    let scarce = fail >= 1000 && no_large_blocks(host);
    if !often && !scarce {
        return;
    }
    let blocks = host.file("proc/buddyinfo").map(|d| {
        d.lines()
            .filter(|(_, l)| l.contains("Normal"))
            .map(|(n, _)| d.cite(n))
            .take(2)
            .collect::<Vec<_>>()
    });
    Draft::cause("compaction-failing", "memory-fragmentation", if fail > 100_000 { 0.56 } else { 0.46 }, "Memory", "memory")
        .says(
            format!("Memory is fragmented: compaction failed {fail} times and succeeded {good} times"),
            format!("The kernel fails to make contiguous memory ({fail} of {} compactions failed), so large allocations stall or fail.", fail.saturating_add(good)),
        )
        .cites([fail_at, good_at])
        .cites(blocks.unwrap_or_default())
        .if_ticket(host, &["memory", "fragmentation", "allocation", "slow", "stall"])
        .put(out);
}

/// `/proc/buddyinfo`: every Normal zone without a free block of 64 KiB or more (order 4).
fn no_large_blocks(host: &Host) -> bool {
    let Some(doc) = host.file("proc/buddyinfo") else {
        return false;
    };
    let mut zones = doc
        .lines()
        .filter(|(_, line)| line.contains("Normal"))
        .peekable();
    zones.peek().is_some()
        && zones.all(|(_, line)| line.split_whitespace().skip(4 + 4).all(|word| word == "0"))
}

/// The three largest processes of `ps aux`.
fn largest(host: &Host) -> Vec<Evidence> {
    let Some(doc) = host
        .commands("ps", |name| name.contains("aux"))
        .into_iter()
        .next()
    else {
        return Vec::new();
    };
    let mut rows: Vec<(u64, usize)> = doc
        .lines()
        .filter_map(|(n, l)| Some((l.split_whitespace().nth(5)?.parse().ok()?, n)))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.0));
    rows.into_iter()
        .take(3)
        .map(|(_, number)| doc.cite(number))
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn unused_hugepages_starve_the_host_only_if_little_is_left() {
        let info = |total: u64, free: u64, left: u64| {
            format!(
                "MemTotal: 100000000 kB\nMemAvailable: {left} kB\nHugePages_Total: {total}\nHugePages_Free: {free}\nHugepagesize: 1048576 kB\n"
            )
        };
        let strength = |text: &str| {
            on(&[("proc/meminfo", text)])
                .signals
                .first()
                .map_or(0.0, |s| s.strength)
        };
        assert!(strength(&info(90, 90, 2_000_000)) >= 0.85);
        assert!(strength(&info(45, 45, 40_000_000)) < 0.5);
        assert_eq!(strength(&info(4, 4, 2_000_000)), 0.0);
    }

    #[test]
    fn swap_full_is_a_cause_only_with_memory_short() {
        let info = |left: u64| {
            format!(
                "MemTotal: 16000000 kB\nMemAvailable: {left} kB\nSwapTotal: 4000000 kB\nSwapFree: 1000 kB\n"
            )
        };
        assert!(on(&[("proc/meminfo", &info(1_200_000))]).signals[0].strength >= 0.5);
        assert!(
            on(&[("proc/meminfo", &info(12_000_000))])
                .signals
                .iter()
                .all(|s| s.strength < 0.5)
        );
    }

    #[test]
    fn ordinary_memory_is_silent() {
        let info = "MemTotal: 16393172 kB\nMemAvailable: 16017412 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\nSUnreclaim: 500000 kB\nHugePages_Total: 0\nHugePages_Free: 0\nHugepagesize: 2048 kB\n";
        assert!(causes(&on(&[("proc/meminfo", info)])).is_empty());
    }
}
