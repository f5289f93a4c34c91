//! Processes and processors at the moment of collection: blocked tasks, zombies, load, steal.

use crate::signals::Partial;
use crate::signals::host::emit::{Draft, ask, percent};
use crate::signals::host::facts::Host;
use std::collections::BTreeMap;

const WORDS: &[&str] = &[
    "slow",
    "hang",
    "hangs",
    "hung",
    "load",
    "performance",
    "unresponsive",
    "stuck",
    "latency",
    "cpu",
];

pub fn detect(host: &Host, out: &mut Partial) {
    processes(host, out);
    load(host, out);
    steal(host, out);
}

/// Several user processes in state D wait for storage or a network file system that does not answer.
fn processes(host: &Host, out: &mut Partial) {
    let Some(doc) = host
        .commands("ps", |name| name.contains("aux"))
        .into_iter()
        .next()
    else {
        return;
    };
    let Some(column) = doc
        .lines()
        .next()
        .and_then(|(_, l)| l.split_whitespace().position(|w| w == "STAT" || w == "S"))
    else {
        return;
    };
    let mut blocked = Vec::new();
    let mut zombies: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, line) in doc.lines().skip(1) {
        let mut words = line.split_whitespace();
        let state = words.nth(column).unwrap_or_default();
        let command = line.split_whitespace().nth(10).unwrap_or_default();
        if state.starts_with('D')
            && !command.starts_with('[')
            && !command.contains("sosreport")
            && !command.contains("/sos")
        {
            blocked.push((
                number,
                command.rsplit('/').next().unwrap_or(command).to_owned(),
            ));
        } else if state.starts_with('Z') {
            zombies.entry(command.to_owned()).or_default().push(number);
        }
    }
    if blocked.len() >= 5 {
        let mut names: Vec<&str> = blocked.iter().map(|b| b.1.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.truncate(5);
        Draft::cause("blocked-processes", "processes-blocked-on-io", 0.5, "Host", "host")
            .symptom()
            .says(
                format!("{} processes are in uninterruptible sleep (state D): {}", blocked.len(), names.join(", ")),
                format!("{} processes wait in the kernel (state D; {}): storage or a network file system does not answer.", blocked.len(), names.join(", ")),
            )
            .cites(blocked.iter().map(|b| doc.cite(b.0)).take(4))
            .if_ticket(host, WORDS)
            .put(out);
        if host.command("dmesg", &[]).is_none() {
            ask(
                out,
                "kernel messages (dmesg) with hung-task traces",
                "processes are blocked in the kernel and the traces would name the device or server they wait for",
                Some("sos_commands/kernel/dmesg"),
            );
        }
    }
    let count: usize = zombies.values().map(Vec::len).sum();
    if count >= 50 {
        let worst = zombies.iter().max_by_key(|z| z.1.len());
        let name = worst.map_or("", |w| w.0.as_str());
        Draft::cause("zombies", "zombie-processes", if count >= 500 { 0.56 } else { 0.42 }, "Process", name)
            .says(format!("{count} zombie processes, most of {name}"), format!("{count} processes have ended and nobody reads their status ({name}): their parent is hung or faulty, and process ids run out."))
            .cites(worst.into_iter().flat_map(|w| w.1.iter().take(3)).map(|n| doc.cite(*n)))
            .if_ticket(host, WORDS)
            .put(out);
    }
}

/// A load of four times the processors, on the five-minute average.
fn load(host: &Host, out: &mut Partial) {
    let Some(cpus) = host.cpus() else { return };
    let Some(doc) = host.command("uptime", &[]) else {
        return;
    };
    let Some((number, line)) = doc.line_with(|l| l.contains("load average")) else {
        return;
    };
    let Some(five) = line
        .split_once("load average:")
        .and_then(|(_, rest)| rest.split(',').nth(1)?.trim().parse::<f64>().ok())
    else {
        return;
    };
    #[expect(clippy::cast_precision_loss, reason = "a number of processors")]
    let each = five / cpus as f64;
    if each < 4.0 || five < 16.0 {
        return;
    }
    Draft::cause("load", "load-too-high", 0.48, "Host", "host")
        .symptom()
        .says(format!("Load average is {five} on {cpus} processors"), format!("{five} tasks on average run or wait on {cpus} processors: the host is overloaded or many processes are blocked."))
        .cites([doc.cite(number)])
        .if_ticket(host, WORDS)
        .put(out);
}

/// First line of `/proc/stat`, since boot: time the hypervisor gave to others, time waiting for disks.
fn steal(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("proc/stat") else {
        return;
    };
    let Some((number, line)) = doc.line_with(|l| l.starts_with("cpu ")) else {
        return;
    };
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|w| w.parse().ok())
        .collect();
    if ticks.len() < 8 {
        return;
    }
    let total: u64 = ticks
        .iter()
        .take(8)
        .fold(0, |sum, t| sum.saturating_add(*t));
    let (wait, stolen) = (percent(ticks[4], total), percent(ticks[7], total));
    if stolen >= 8 {
        Draft::cause("steal", "cpu-steal", if stolen >= 15 { 0.6 } else { 0.46 }, "Processor", "processor")
            .says(format!("The hypervisor takes {stolen} % of processor time (steal)"), format!("{stolen} % of the time since boot this virtual machine wanted to run and its host ran others: the host is over-committed."))
            .cites([doc.cite(number)])
            .if_ticket(host, WORDS)
            .put(out);
    }
    if wait >= 30 {
        Draft::cause("iowait", "processes-blocked-on-io", 0.46, "Host", "host")
            .symptom()
            .says(format!("{wait} % of processor time is waiting for I/O"), format!("{wait} % of the time since boot processors were idle only because of outstanding disk I/O: storage is the bottleneck."))
            .cites([doc.cite(number)])
            .if_ticket(host, WORDS)
            .put(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn blocked_processes_are_a_symptom() {
        let ps: String =
            std::iter::once("USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\n".to_owned())
                .chain(
                    (0..6).map(|n| format!("root {n} 0.0 0.1 1 1 ? D Feb01 0:01 /usr/bin/tar x\n")),
                )
                .collect();
        let out = on(&[("sos_commands/process/ps_auxwwwm", &ps)]);
        assert_eq!(causes(&out), ["processes-blocked-on-io"]);
        assert_eq!(out.missing.len(), 1);
        assert!(
            causes(&on(&[(
                "sos_commands/process/ps_auxwwwm",
                &ps.replace(" D ", " S ")
            )]))
            .is_empty()
        );
    }

    #[test]
    fn steal_of_a_virtual_machine() {
        assert_eq!(
            causes(&on(&[
                ("proc/stat", "cpu  100 0 100 500 10 0 10 280 0 0\n"),
                ("proc/meminfo", "")
            ])),
            ["cpu-steal"]
        );
        assert!(
            causes(&on(&[
                ("proc/stat", "cpu  100 0 100 500 10 0 10 2 0 0\n"),
                ("proc/meminfo", "")
            ]))
            .is_empty()
        );
    }
}
