//! Reboots that nobody ordered, and dumps of crashes that were left behind.

use crate::signals::Partial;
use crate::signals::host::clock::{self, DAY};
use crate::signals::host::emit::{Draft, ask};
use crate::signals::host::facts::{Host, cite};
use crate::signals::host::logs::is_system_log;
use std::collections::VecDeque;

const WORDS: &[&str] = &[
    "reboot",
    "reboots",
    "rebooted",
    "restart",
    "restarted",
    "crash",
    "crashed",
    "down",
    "panic",
    "reset",
];

pub fn detect(host: &Host, out: &mut Partial) {
    loops(host, out);
    dumps(host, out);
    silent_reset(host, out);
}

/// The customer asks why the host restarted, and the log goes on with the next boot as if nothing had been: neither a
/// shutdown nor a panic was written. Then the reason lies outside the log.
fn silent_reset(host: &Host, out: &mut Partial) {
    const ASKED: &[&str] = &[
        "reboot",
        "rebooted",
        "restarted",
        "restart",
        "reset",
        "crashed",
        "crash",
        "powered off",
        "rebooting",
    ];
    const MEANT: [&str; 16] = [
        "shutdown",
        "shutting down",
        "reboot",
        "power-off",
        "poweroff",
        "powering",
        "power key",
        "exiting on signal",
        "signal 15",
        "received sigterm",
        "stopped target",
        "panic",
        "oops:",
        "bug:",
        "watchdog",
        "journal stopped",
    ];
    const LOOKED_BACK: usize = 60;
    // A restart that was ordered is told of, too; here somebody wonders.
    const WONDERS: &[&str] = &[
        "why",
        "itself",
        "unexpected",
        "unexpectedly",
        "spontaneous",
        "spontaneously",
        "nobody",
        "suddenly",
        "cause",
        "reason",
        "rca",
        "crash",
        "crashed",
        "random",
        "randomly",
    ];
    if host.container || !host.ticket_has(ASKED) || !host.ticket_has(WONDERS) {
        return;
    }
    let logs = host.entries().filter(|entry| {
        let name = entry.path.name();
        ["messages", "syslog", "journal"]
            .iter()
            .any(|start| name.starts_with(start))
            && is_system_log(host.rel(entry), entry)
    });
    let mut silent = None;
    for entry in logs {
        let Ok(Some(text)) = host.tree.text(entry) else {
            continue;
        };
        let mut before: VecDeque<(usize, &str)> = VecDeque::new();
        for (number, line) in text.lines() {
            if line.contains(" kernel: ") && line.contains("Linux version ") && !before.is_empty() {
                let said = before.iter().any(|(_, line)| {
                    let line = line.to_lowercase();
                    MEANT.iter().any(|word| line.contains(word))
                });
                // Only the latest boot counts.
                silent = before
                    .back()
                    .filter(|(_, line)| !said && !line.contains(" kernel: "))
                    .map(|(last, words)| {
                        let path = entry.path.as_str();
                        [cite(path, *last, words), cite(path, number, line)]
                    });
                before.clear();
            }
            if before.len() == LOOKED_BACK {
                before.pop_front();
            }
            before.push_back((number, line));
        }
    }
    let Some(lines) = silent else { return };
    Draft::cause("reset-without-words", "unexpected-reboots", 0.45, "Host", "host")
        .symptom()
        .says(
            "The host was reset: its log ends without a shutdown or a panic and goes on with the next boot",
            "The log holds neither a shutdown nor a panic before the boot: power, hardware, a watchdog, the hypervisor or the cluster's fencing ended the machine at once, and the log cannot tell which.",
        )
        .cites(lines)
        .put(out);
    let has = |words: &[&str]| {
        host.entries().any(|entry| {
            let path = entry.path.as_str().to_lowercase();
            words.iter().any(|word| path.contains(word))
        })
    };
    if !has(&["vmcore", "var/crash/", "var.crash"]) {
        ask(
            out,
            "the crash dump of kdump, if there is one (/var/crash: vmcore, vmcore-dmesg.txt)",
            "the log ends without a word before the reset; a panic would stand only in the dump",
            Some("var/crash"),
        );
    }
    let guest = host
        .file("proc/cpuinfo")
        .is_some_and(|doc| doc.contains(" hypervisor"));
    if guest {
        ask(
            out,
            "the hypervisor's log of this virtual machine around the reset",
            "a reset, a migration or a crash of the virtual machine is recorded outside of it",
            None,
        );
    } else if !has(&["ipmitool_sel", "sel_list", "sel_elist", "idrac", "ilo_"]) {
        ask(
            out,
            "the hardware event log of the BMC (ipmitool sel elist; iDRAC, iLO)",
            "power, temperature, machine checks and watchdog resets are recorded there only",
            Some("sos_commands/ipmitool/ipmitool_sel_list"),
        );
    }
    if !has(&["ocssd", "corosync", "pacemaker", "cluster/"]) {
        ask(
            out,
            "if the host is a member of a cluster: the logs of the software that may reset it (Grid Infrastructure/Clusterware ocssd, corosync and pacemaker, sbd), from the other nodes too",
            "fencing and a node's eviction end a machine without a word in its system log",
            None,
        );
    }
}

/// `last`: three boots within a day, or sessions that ended in a crash lately.
fn loops(host: &Host, out: &mut Partial) {
    let Some(now) = host.frame.now else { return };
    let docs = host.commands("last", |name| !name.starts_with("lastlog"));
    let Some(doc) = docs.iter().find(|d| d.contains("system boot")) else {
        return;
    };
    let year = clock::year_of(now);
    let mut boots = Vec::new();
    let mut crashes = Vec::new();
    for (number, line) in doc.lines() {
        let Some(at) = line.find("system boot").and_then(|at| {
            let rest = line.get(at + 11..)?.split(" - ").next()?;
            clock::calendar(rest).or_else(|| clock::calendar(&format!("{rest} {year}")))
        }) else {
            if line.contains(" - crash") {
                crashes.push(number);
            }
            continue;
        };
        if (0..DAY).contains(&(now - at)) {
            boots.push(number);
        }
    }
    if boots.len() >= 3 {
        Draft::cause("reboot-loop", "unexpected-reboots", if boots.len() >= 5 { 0.56 } else { 0.45 }, "Host", "host")
            .symptom()
            .says(format!("The host booted {} times within the last day", boots.len()), format!("{} boots are recorded in the day before collection: somebody restarts it, or it crashes.", boots.len()))
            .cites(boots.iter().take(4).map(|n| doc.cite(*n)))
            .if_ticket(host, WORDS)
            .put(out);
        ask(
            out,
            "kernel log of the boots before (journalctl -b -1 -k) or a crash dump",
            "the host booted several times within a day and the end of each earlier boot would tell why",
            Some("sos_commands/logs/journalctl_--no-pager_--boot_-1"),
        );
    } else if !crashes.is_empty() && host.ticket_has(WORDS) {
        Draft::cause("crash-recorded", "unexpected-reboots", 0.45, "Host", "host")
            .symptom()
            .says("Login records end in a crash", "Sessions ended without a shutdown: the machine lost power, was reset or the kernel crashed.")
            .cites(crashes.iter().take(3).map(|n| doc.cite(*n)))
            .if_ticket(host, WORDS)
            .put(out);
    }
}

/// `ls /var/crash`: kernel dumps (folders of dates with vmcore or dump) and apport's reports.
fn dumps(host: &Host, out: &mut Partial) {
    for doc in host.commands("ls", |name| {
        name.contains("var.crash") || name.contains("var/crash")
    }) {
        let kernel: Vec<usize> = doc
            .lines()
            .filter(|(_, l)| {
                ["vmcore", " dump.", "linux-image"]
                    .iter()
                    .any(|w| l.contains(w))
                    && !l.contains("kexec_cmd")
            })
            .map(|(n, _)| n)
            .collect();
        if !kernel.is_empty() {
            Draft::cause("kernel-dump", "kernel-crash", 0.52, "Host", "host")
                .symptom()
                .says("The kernel crashed and left a dump in /var/crash", "kdump saved a crash of the kernel; its own log (vmcore-dmesg or dmesg in the dump's folder) names the reason.")
                .cites(kernel.iter().take(3).map(|n| doc.cite(*n)))
                .if_ticket(host, WORDS)
                .put(out);
            let saved = host.entries().any(|entry| {
                entry.path.as_str().contains("crash/") && entry.path.name().contains("dmesg")
            });
            if !saved {
                ask(
                    out,
                    "kernel log saved with the crash dump (/var/crash/*/dmesg* or vmcore-dmesg.txt)",
                    "the dump is listed but the log with the panic is not in the bundle",
                    Some("var/crash"),
                );
            }
        }
        let programs: Vec<(usize, String)> = doc
            .lines()
            .filter_map(|(n, l)| {
                let name = l.split_whitespace().next_back()?.strip_suffix(".crash")?;
                Some((n, name.split('.').next()?.rsplit('_').next()?.to_owned()))
            })
            .collect();
        if let Some((_, program)) = programs.first() {
            Draft::cause("apport-report", "process-crash", 0.36, "Process", program)
                .symptom()
                .says(
                    format!(
                        "Crash reports of programs lie in /var/crash: {}",
                        programs
                            .iter()
                            .take(4)
                            .map(|p| p.1.as_str())
                            .collect::<Vec<_>>()
                            .join(", ")
                    ),
                    "Programs crashed and the crash handler saved reports.",
                )
                .cites(programs.iter().take(4).map(|p| doc.cite(p.0)))
                .with("process", program.as_str())
                .if_ticket(host, &["crash", "crashed", "segfault"])
                .put(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on, on_ticket};

    #[test]
    fn a_reset_that_the_log_does_not_tell_of() {
        let of = |last: &str, ticket: &str| {
            let log = format!(
                "Mar  5 02:10:01 n CROND[9]: (root) CMD (x)\n{last}Mar  5 02:20:00 n kernel: Linux version 5.14.0\n"
            );
            on_ticket(&[("var/log/messages", &log)], Some(ticket))
        };
        let out = of("", "node n rebooted at night, why?");
        assert!(out.missing.len() == 3 && out.signals[0].strength < 0.5);
        assert!(of("", "slow logins").missing.is_empty());
        let meant = "Mar  5 02:12:00 n systemd[1]: Shutting down.\n";
        assert!(
            of(meant, "node n rebooted at night, why?")
                .missing
                .is_empty()
        );
    }

    #[test]
    fn several_boots_in_a_day() {
        let last = "reboot   system boot  5.4.0-97-generic Thu Feb 10 15:00   still running\nreboot   system boot  5.4.0-97-generic Thu Feb 10 13:00 - 14:00  (01:00)\nreboot   system boot  5.4.0-97-generic Thu Feb 10 09:00 - 10:00  (01:00)\n";
        let date = ("sos_commands/date/date", "Thu Feb 10 16:19:17 UTC 2022\n");
        let out = on(&[date, ("sos_commands/login/last_reboot", last)]);
        assert_eq!(causes(&out), ["unexpected-reboots"]);
        assert_eq!(out.missing.len(), 1);
        assert!(
            causes(&on(&[
                date,
                (
                    "sos_commands/login/last_reboot",
                    &last.replace("Feb 10", "Jan 10")
                )
            ]))
            .is_empty()
        );
    }

    #[test]
    fn a_dump_without_its_log_is_a_symptom() {
        let out = on(&[(
            "sos_commands/apport/ls_-alhR_.var.crash",
            "/var/crash/202202101500:\n-rw------- 1 root root 80M Feb 10 15:00 dump.202202101500\n",
        )]);
        assert_eq!(causes(&out), ["kernel-crash"]);
        assert!(!out.missing.is_empty());
    }
}
