//! The OOM killer: who was killed, within which limit, and who really used the memory.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::{Draft, size, times};
use crate::signals::host::facts::{Host, cite};
use crate::signals::host::logs::{Group, Hits};
use crate::signals::host::rules::{weigh, when};
use std::collections::BTreeMap;

/// Lines before a kill that may belong to its report.
const REPORT_LINES: usize = 1500;
const WORDS: &[&str] = &[
    "oom", "memory", "killed", "kill", "restart", "restarts", "crash", "died", "down",
];

/// What the kernel's report before a kill says.
#[derive(Default)]
struct Report {
    cgroup: Option<(String, Evidence)>,
    /// Largest program by resident pages, number of processes, evidence of its largest one.
    largest: Option<(String, u64, usize, Evidence)>,
    anon_kib: Option<u64>,
}

pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    for (victim, group) in hits.of("oom-global") {
        let report = read(host, group);
        let user = match &report.largest {
            Some((name, pages, count, _)) if name != victim => {
                format!(
                    "; {name} used most: {} in {count} processes",
                    size(pages.saturating_mul(4))
                )
            }
            Some((name, pages, count, _)) if *count > 1 => format!(
                "; {count} processes of {name} used {}",
                size(pages.saturating_mul(4))
            ),
            _ => String::new(),
        };
        let held = report
            .anon_kib
            .map_or(String::new(), |kib| format!(" holding {}", size(kib)));
        let n = times(group.count());
        Draft::cause("oom-global", "host-out-of-memory", weigh(0.9, 1, group, host), "Process", victim)
            .says(
                format!("Out of memory: the kernel's OOM killer killed {victim}{held} ({n}){}", when(group, host)),
                format!("The host ran out of memory and the OOM killer killed {victim}{held}, {n}{user}. Memory or the number of its consumers must change; the victim is not necessarily the culprit."),
            )
            .cites(group.evidence().into_iter().take(3))
            .cites(report.largest.map(|l| l.3))
            .with("process", victim)
            .if_ticket(host, WORDS)
            .put(out);
    }
    for (victim, group) in hits.of("oom-cgroup") {
        let report = read(host, group);
        let (place, proof) = match report.cgroup {
            Some((name, evidence)) => (format!(" of cgroup {name}"), Some(evidence)),
            None => (String::new(), None),
        };
        let held = report
            .anon_kib
            .map_or(String::new(), |kib| format!(" holding {}", size(kib)));
        let n = times(group.count());
        Draft::cause("oom-cgroup", "cgroup-out-of-memory", weigh(0.84, 1, group, host), "Process", victim)
            .says(
                format!("Memory limit{place} reached: {victim}{held} was OOM-killed ({n}){}", when(group, host)),
                format!("{victim}{held} was killed because the memory limit{place} (MemoryMax or the container's limit) was reached, {n}; the host itself need not be short of memory."),
            )
            .cites(group.evidence().into_iter().take(3))
            .cites(proof)
            .with("process", victim)
            .if_ticket(host, WORDS)
            .put(out);
    }
}

/// Reads backwards from the last kill to its "invoked oom-killer", and a few lines on.
fn read(host: &Host, group: &Group) -> Report {
    let mut report = Report::default();
    let evidence = group.evidence();
    let Some(kill) = evidence.get(1).or(evidence.first()) else {
        return report;
    };
    let Some(entry) = host.tree.find(&kill.path) else {
        return report;
    };
    let Ok(Some(text)) = host.tree.text(entry) else {
        return report;
    };
    let Ok(at) = usize::try_from(kill.line_start) else {
        return report;
    };
    let mut users: BTreeMap<String, (u64, usize, u64, usize)> = BTreeMap::new();
    for number in (at.saturating_sub(REPORT_LINES)..=at + 3).rev() {
        let Some(line) = text.line(number) else {
            continue;
        };
        if report.anon_kib.is_none() && line.contains("anon-rss:") {
            report.anon_kib = number_after(line, "anon-rss:");
        }
        if report.cgroup.is_none() {
            let name = text_after(line, "oom_memcg=").or_else(|| text_after(line, "limit of "));
            report.cgroup = name.map(|name| (name, cite(&kill.path, number, line)));
        }
        if let Some((name, pages)) = task_row(line) {
            let user = users.entry(name).or_default();
            user.0 = user.0.saturating_add(pages);
            user.1 += 1;
            if pages >= user.2 {
                (user.2, user.3) = (pages, number);
            }
        }
        if number < at && line.contains("invoked oom-killer") {
            break;
        }
    }
    report.largest = users.into_iter().max_by_key(|(_, user)| user.0).map(
        |(name, (pages, count, _, number))| {
            (
                name,
                pages,
                count,
                cite(&kill.path, number, text.line(number).unwrap_or_default()),
            )
        },
    );
    report
}

/// `[ pid ] uid tgid total_vm rss pgtables_bytes swapents oom_score_adj name`: name and rss in pages.
fn task_row(line: &str) -> Option<(String, u64)> {
    let (head, rest) = line.rsplit_once(']')?;
    let (_, pid) = head.rsplit_once('[')?;
    pid.trim().parse::<u64>().ok()?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    if !(7..=9).contains(&words.len())
        || words[..words.len() - 1]
            .iter()
            .any(|w| w.parse::<i64>().is_err())
    {
        return None;
    }
    Some(((*words.last()?).to_owned(), words[3].parse().ok()?))
}

fn number_after(line: &str, key: &str) -> Option<u64> {
    let rest = line.split_once(key)?.1;
    rest[..rest.bytes().take_while(u8::is_ascii_digit).count()]
        .parse()
        .ok()
}

fn text_after(line: &str, key: &str) -> Option<String> {
    let rest = line.split_once(key)?.1;
    let end = rest.find([',', ' ']).unwrap_or(rest.len());
    (rest.starts_with('/')).then(|| rest[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    const REPORT: &str = "\
[ 100.000001] java invoked oom-killer: gfp_mask=0x100cca, order=0, oom_score_adj=0
[ 100.000002] [  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
[ 100.000003] [    900]     0   900    10000     2000    90112        0             0 sshd
[ 100.000004] [   1200]   998  1200  9000000  3000000    90112        0             0 mysqld
[ 100.000005] [   1300]   998  1300  1000000    90000    90112        0             0 java
[ 100.000006] Out of memory: Killed process 1300 (java) total-vm:4000000kB, anon-rss:360000kB, file-rss:0kB
";

    #[test]
    fn names_the_victim_and_the_largest_user() {
        let out = on(&[("var/log/dmesg", REPORT)]);
        let signal = out
            .signals
            .iter()
            .find(|s| s.cause == "host-out-of-memory")
            .unwrap();
        assert!(
            signal.title.contains("java holding 352 MiB"),
            "{}",
            signal.title
        );
        assert!(
            signal.statement.contains("mysqld used most: 11.4 GiB"),
            "{}",
            signal.statement
        );
        assert!(signal.strength >= 0.85);
    }

    #[test]
    fn a_limit_of_a_cgroup_is_not_the_hosts() {
        let line = "[ 9.000001] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,oom_memcg=/system.slice/web.service,task=web,pid=7,uid=0\n[ 9.000002] Memory cgroup out of memory: Killed process 7 (web) total-vm:1kB, anon-rss:2048kB\n";
        let out = on(&[("var/log/dmesg", line)]);
        assert_eq!(causes(&out), ["cgroup-out-of-memory"]);
        assert!(out.signals[0].title.contains("/system.slice/web.service"));
    }

    #[test]
    fn a_daemon_that_speaks_of_oom_is_no_kill() {
        assert!(
            on(&[(
                "var/log/syslog",
                "Feb  1 10:00:00 h systemd[1]: Started Userspace Out-Of-Memory (OOM) Killer.\n"
            )])
            .signals
            .is_empty()
        );
    }
}
