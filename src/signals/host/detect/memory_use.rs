//! Memory that belongs to no process: shared memory, page tables, caches of file systems, what nobody accounts for,
//! and modules that the machine has but does not use.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::{Draft, percent, size};
use crate::signals::host::facts::Host;

const WORDS: &[&str] = &["memory", "oom", "swap", "slow", "ram", "free", "leak"];

pub fn detect(host: &Host, out: &mut Partial) {
    if host.container {
        return;
    }
    shared(host, out);
    page_tables(host, out);
    unaccounted(host, out);
    modules(host, out);
}

/// Whether less than 15 % of the memory can still be given out.
fn short(host: &Host) -> Option<(u64, Evidence, Evidence)> {
    let (total, total_at) = host.meminfo("MemTotal")?;
    let (left, left_at) = host.meminfo("MemAvailable")?;
    (total > 1 << 20 && percent(left, total) < 15).then_some((total, total_at, left_at))
}

/// Files in tmpfs and System V segments stay until somebody deletes them.
fn shared(host: &Host, out: &mut Partial) {
    let (Some((total, total_at, left_at)), Some((used, used_at))) =
        (short(host), host.meminfo("Shmem"))
    else {
        return;
    };
    if percent(used, total) < 40 {
        return;
    }
    let largest = host
        .commands("df", |name| !name.contains("-i"))
        .into_iter()
        .find_map(|doc| {
            let mut rows: Vec<(u64, String, usize)> = doc
                .lines()
                .filter(|(_, line)| line.starts_with("tmpfs") || line.starts_with("shm "))
                .filter_map(|(number, line)| {
                    let words: Vec<&str> = line.split_whitespace().collect();
                    Some((
                        words.get(words.len().checked_sub(4)?)?.parse().ok()?,
                        (*words.last()?).to_owned(),
                        number,
                    ))
                })
                .collect();
            rows.sort();
            let (used, place, number) = rows.pop().filter(|row| row.0 > 1 << 19)?;
            Some((used, place, doc.cite(number)))
        });
    let (place, line) = largest.map_or((String::new(), None), |(kib, place, line)| {
        (
            format!("; {} of it are files in {place}", size(kib)),
            Some(line),
        )
    });
    Draft::cause("shared-memory", "shared-memory-starves-host", 0.68, "Memory", "shared memory")
        .says(
            format!("Shared memory holds {} of {} ({} %){place}", size(used), size(total), percent(used, total)),
            format!("{} of {} are shared memory or files in tmpfs{place}: no process seems to use them, they cannot be reclaimed, and the host runs out of memory until they are deleted.", size(used), size(total)),
        )
        .cites([used_at, total_at, left_at])
        .cites(line)
        .if_ticket(host, WORDS)
        .put(out);
}

/// Many processes that map one large segment in small pages.
fn page_tables(host: &Host, out: &mut Partial) {
    let (Some((total, total_at)), Some((used, used_at))) =
        (host.meminfo("MemTotal"), host.meminfo("PageTables"))
    else {
        return;
    };
    if percent(used, total) < 8 || used < 2 << 20 {
        return;
    }
    Draft::cause("page-tables", "page-tables-large", 0.62, "Memory", "page tables")
        .says(
            format!("Page tables alone take {} of {} ({} %)", size(used), size(total), percent(used, total)),
            format!("The kernel needs {} for page tables: very many processes map a large shared segment in small pages. Hugepages for that segment (a database's buffer) give the memory back.", size(used)),
        )
        .cites([used_at, total_at])
        .cites(host.meminfo("HugePages_Total").map(|h| h.1))
        .if_ticket(host, WORDS)
        .put(out);
}

/// Pages that `/proc/meminfo` counts nowhere: caches of ZFS, pages lent to the hypervisor, leaks of drivers.
fn unaccounted(host: &Host, out: &mut Partial) {
    let Some((total, total_at, left_at)) = short(host) else {
        return;
    };
    let read = |key: &str| host.meminfo(key).map_or(0, |found| found.0);
    if read("AnonPages") == 0 || read("Slab") == 0 {
        return;
    }
    let huge = read("Hugetlb").max(read("HugePages_Total").saturating_mul(read("Hugepagesize")));
    let known = [
        "MemFree",
        "Buffers",
        "Cached",
        "SwapCached",
        "AnonPages",
        "Slab",
        "PageTables",
        "KernelStack",
        "Percpu",
    ]
    .iter()
    .fold(huge, |sum, key| sum.saturating_add(read(key)));
    let lost = total.saturating_sub(known);
    if percent(lost, total) < 30 || lost < 3 << 20 {
        return;
    }
    let cites = [total_at, left_at];
    let arc = host.file("proc/spl/kstat/zfs/arcstats").and_then(|doc| {
        let (number, line) = doc.line_with(|line| line.starts_with("size "))?;
        let bytes: u64 = line.split_whitespace().last()?.parse().ok()?;
        Some((bytes >> 10, doc.cite(number)))
    });
    if let Some((kib, line)) = arc.filter(|(kib, _)| *kib >= lost / 2) {
        Draft::cause("zfs-cache", "zfs-cache-large", 0.66, "Memory", "ARC")
            .says(
                format!("The cache of ZFS holds {} of {}", size(kib), size(total)),
                format!("ZFS caches {} and gives memory back slowly, so programs and guests meet a host without free memory; zfs_arc_max limits it.", size(kib)),
            )
            .cites([line])
            .cites(cites)
            .if_ticket(host, WORDS)
            .put(out);
        return;
    }
    let lent = host
        .command("vmware-toolbox-cmd", &["balloon"])
        .and_then(|doc| {
            let (number, line) = doc.lines().find(|(_, line)| line.contains("MB"))?;
            let mib: u64 = line.split_whitespace().next()?.parse().ok()?;
            Some((mib << 10, doc.cite(number))).filter(|(kib, _)| *kib >= 1 << 20)
        });
    if let Some((kib, line)) = lent {
        Draft::cause("balloon-size", "balloon-starves-guest", 0.76, "Memory", "balloon")
            .says(
                format!("The hypervisor took {} of {} back from this guest", size(kib), size(total)),
                format!("The balloon driver lends {} to the hypervisor, which is short of memory; the guest cannot use them and starves.", size(kib)),
            )
            .cites([line])
            .cites(cites)
            .if_ticket(host, WORDS)
            .put(out);
        return;
    }
    Draft::cause("memory-unaccounted", "kernel-memory-leak", 0.56, "Memory", "unaccounted")
        .says(
            format!("{} of {} are in use and counted nowhere: neither processes nor caches", size(lost), size(total)),
            format!("About {} ({} %) belong to no process, cache or slab: a driver or module of the kernel holds these pages (a leak), or the hypervisor took them back with a balloon.", size(lost), percent(lost, total)),
        )
        .cites(cites)
        .cites(["AnonPages", "Cached", "Slab"].iter().filter_map(|key| host.meminfo(key).map(|found| found.1)))
        .if_ticket(host, WORDS)
        .put(out);
}

/// Modules that the firmware lists against what the kernel got: one that fails its test is left out silently.
fn modules(host: &Host, out: &mut Partial) {
    let (Some(doc), Some((total, total_at))) =
        (host.command("dmidecode", &[]), host.meminfo("MemTotal"))
    else {
        return;
    };
    let guest = host.file("proc/cpuinfo").is_none_or(|doc| {
        doc.line_with(|line| line.starts_with("flags") && line.contains("hypervisor"))
            .is_some()
    });
    if guest {
        return;
    }
    let mut inside = false;
    let mut sum: u64 = 0;
    let mut count = 0;
    let mut cites = Vec::new();
    for (number, line) in doc.lines() {
        if !line.starts_with(['\t', ' ']) {
            inside = line.trim() == "Memory Device";
        } else if inside && let Some(value) = line.trim().strip_prefix("Size: ") {
            let mut words = value.split(' ');
            let amount: u64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
            let kib = match words.next() {
                Some("GB") => amount << 20,
                Some("MB") => amount << 10,
                _ => 0,
            };
            if kib > 0 {
                sum = sum.saturating_add(kib);
                count += 1;
                cites.push(doc.cite(number));
            }
        }
    }
    let limited = host.file("proc/cmdline").and_then(|doc| {
        let (number, _) =
            doc.line_with(|line| line.split_whitespace().any(|word| word.starts_with("mem=")))?;
        Some(doc.cite(number))
    });
    let lost = sum.saturating_sub(total);
    if count < 2 || percent(lost, sum) < 15 || lost < 6 << 20 {
        return;
    }
    let why = if limited.is_some() {
        "the kernel's command line limits it (mem=)"
    } else {
        "the firmware left out what failed its test or is mirrored or reserved"
    };
    Draft::cause("memory-missing", "memory-modules-unused", 0.66, "Memory", "memory")
        .says(
            format!("The kernel has {} although {count} modules with {} are fitted", size(total), size(sum)),
            format!("{count} memory modules hold {}, the kernel got {}: {why}. A module is defective, badly seated or configured away.", size(sum), size(total)),
        )
        .cites([total_at])
        .cites(limited)
        .cites(cites.into_iter().take(3))
        .if_ticket(host, WORDS)
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    fn meminfo(rows: &[(&str, u64)]) -> String {
        rows.iter()
            .map(|(key, gib)| format!("{key}: {} kB\n", gib << 20))
            .collect()
    }

    #[test]
    fn who_holds_memory_that_no_process_has() {
        let base = |shmem: u64, tables: u64, anon: u64, cached: u64| {
            meminfo(&[
                ("MemTotal", 64),
                ("MemFree", 2),
                ("MemAvailable", 3),
                ("Buffers", 1),
                ("Cached", cached),
                ("AnonPages", anon),
                ("Slab", 2),
                ("PageTables", tables),
                ("KernelStack", 0),
                ("Shmem", shmem),
            ])
        };
        let df = "Filesystem 1K-blocks Used Available Use% Mounted on\ntmpfs 67108864 30000000 3000000 90% /dev/shm\n";
        let out = on(&[
            ("proc/meminfo", &base(36, 0, 18, 40)),
            ("sos_commands/filesys/df_-al", df),
        ]);
        assert_eq!(causes(&out).first(), Some(&"shared-memory-starves-host"));
        assert!(out.signals.iter().any(|s| s.title.contains("/dev/shm")));
        let out = on(&[("proc/meminfo", &base(1, 9, 40, 8))]);
        assert!(causes(&out).contains(&"page-tables-large"));
        let out = on(&[("proc/meminfo", &base(1, 0, 20, 8))]);
        assert!(causes(&out).contains(&"kernel-memory-leak"));
        let arc = format!("size                            4    {}\n", 30u64 << 30);
        let out = on(&[
            ("proc/meminfo", &base(1, 0, 20, 8)),
            ("proc/spl/kstat/zfs/arcstats", &arc),
        ]);
        assert!(causes(&out).contains(&"zfs-cache-large"));
        let lent = [
            ("proc/meminfo", base(1, 0, 20, 8)),
            (
                "sos_commands/vmware/vmware-toolbox-cmd_stat_balloon",
                "24576 MB\n".to_owned(),
            ),
        ];
        let lent: Vec<(&str, &str)> = lent.iter().map(|(a, b)| (*a, b.as_str())).collect();
        assert!(causes(&on(&lent)).contains(&"balloon-starves-guest"));
        let fine = meminfo(&[
            ("MemTotal", 64),
            ("MemFree", 2),
            ("MemAvailable", 30),
            ("Buffers", 1),
            ("Cached", 20),
            ("AnonPages", 9),
            ("Slab", 2),
            ("Shmem", 30),
        ]);
        assert!(on(&[("proc/meminfo", &fine)]).signals.is_empty());
    }

    #[test]
    fn modules_that_the_kernel_did_not_get() {
        let dimm = "Memory Device\n\tSize: 16 GB\n\nMemory Device\n\tSize: 16384 MB\n\nMemory Device\n\tSize: No Module Installed\n";
        let cpu = "processor\t: 0\nflags\t\t: fpu vme\n";
        let of = |gib| {
            on(&[
                ("proc/meminfo", &meminfo(&[("MemTotal", gib)])),
                ("sos_commands/hardware/dmidecode", dimm),
                ("proc/cpuinfo", cpu),
            ])
        };
        assert_eq!(causes(&of(16)), ["memory-modules-unused"]);
        assert!(of(31).signals.is_empty());
        let guest = "processor\t: 0\nflags\t\t: fpu hypervisor\n";
        let out = on(&[
            ("proc/meminfo", &meminfo(&[("MemTotal", 16)])),
            ("sos_commands/hardware/dmidecode", dimm),
            ("proc/cpuinfo", guest),
        ]);
        assert!(out.signals.is_empty());
    }
}
