//! Reboots that nobody ordered, and dumps of crashes that were left behind.

use crate::signals::Partial;
use crate::signals::host::clock::{self, DAY};
use crate::signals::host::emit::{Draft, ask};
use crate::signals::host::facts::Host;

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
    use crate::signals::host::tests::{causes, on};

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
