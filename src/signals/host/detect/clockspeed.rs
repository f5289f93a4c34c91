//! Processors that run slower than they can, are switched off, or are eaten up by one thread of the kernel.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;

const WORDS: &[&str] = &[
    "slow",
    "cpu",
    "performance",
    "latency",
    "frequency",
    "clock",
    "throttled",
    "load",
];

pub fn detect(host: &Host, out: &mut Partial) {
    if host.container {
        return;
    }
    capped(host, out);
    offline(host, out);
    busy_threads(host, out);
}

/// `scaling_max_freq` far below what the processor can: a policy or the firmware holds the clock down.
fn capped(host: &Host, out: &mut Partial) {
    let read = |cpu: usize, file: &str| {
        let doc = host.file(&format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/{file}"))?;
        let (number, line) = doc.lines().next()?;
        Some((line.trim().parse::<u64>().ok()?, doc.cite(number)))
    };
    let mut low = Vec::new();
    let mut all = 0;
    for cpu in 0..8 {
        let (Some((allowed, allowed_at)), Some((can, can_at))) =
            (read(cpu, "scaling_max_freq"), read(cpu, "cpuinfo_max_freq"))
        else {
            continue;
        };
        all += 1;
        if allowed > 0 && allowed.saturating_mul(4) <= can.saturating_mul(3) {
            low.push((allowed, can, allowed_at, can_at));
        }
    }
    let Some((allowed, can, allowed_at, can_at)) =
        low.first().cloned().filter(|_| low.len() * 2 > all)
    else {
        return;
    };
    Draft::cause("frequency-capped", "cpu-frequency-capped", 0.48, "Processor", "processor")
        .says(
            format!("Processors may not run faster than {} MHz of {} MHz", allowed / 1000, can / 1000),
            format!("The highest clock allowed is {} MHz although the processors can do {} MHz: a power profile, thermal limit or management controller holds them down, so everything is slower than it was measured.", allowed / 1000, can / 1000),
        )
        .cites([allowed_at, can_at])
        .if_ticket(host, WORDS)
        .put(out);
}

/// Processors that are there and do not take part; without SMT every second one is off on purpose.
fn offline(host: &Host, out: &mut Partial) {
    let Some(doc) = host.command("lscpu", &[]) else {
        return;
    };
    let value = |key: &str| {
        doc.lines()
            .find_map(|(number, line)| Some((number, line.strip_prefix(key)?.trim())))
    };
    let Some((number, list)) = value("Off-line CPU(s) list:").filter(|(_, list)| !list.is_empty())
    else {
        return;
    };
    let asked = host.file("proc/cmdline").is_some_and(|doc| {
        ["nosmt", "maxcpus=", "nr_cpus=", "mitigations=auto,nosmt"]
            .iter()
            .any(|option| doc.contains(option))
    });
    let single = value("Thread(s) per core:").is_some_and(|(_, count)| count == "1");
    let guest = value("Hypervisor vendor:").is_some();
    if asked || single || guest {
        return;
    }
    Draft::cause("processors-offline", "processors-offline", 0.48, "Processor", list)
        .says(
            format!("Processors {list} are switched off"),
            format!("The machine has the processors {list}, but they are off-line and nothing on the kernel's command line asks for it: switched off by hand, by a power tool, or after a fault of the processor."),
        )
        .cites([doc.cite(number)])
        .cites(value("On-line CPU(s) list:").map(|(number, _)| doc.cite(number)))
        .if_ticket(host, WORDS)
        .put(out);
}

/// Threads of the kernel that are idle on a healthy host, by their share of a processor since the boot.
fn busy_threads(host: &Host, out: &mut Partial) {
    const THREADS: [(&str, f64, &str); 5] = [
        (
            "kswapd",
            20.0,
            "it looks for memory to free all the time: memory is too small for what runs here",
        ),
        (
            "kcompactd",
            20.0,
            "it moves pages to make large blocks all the time: memory is fragmented",
        ),
        (
            "khugepaged",
            30.0,
            "it collects transparent hugepages all the time",
        ),
        (
            "ksoftirqd",
            40.0,
            "one processor handles more packets or timers than it can: interrupts of the cards are not spread",
        ),
        (
            "ksmd",
            40.0,
            "it searches guests' memory for equal pages all the time",
        ),
    ];
    let Some(doc) = host
        .commands("ps", |name| name.contains("aux"))
        .into_iter()
        .next()
    else {
        return;
    };
    for (number, line) in doc.lines().filter(|(_, line)| line.contains(" [k")) {
        let mut words = line.split_whitespace();
        let Some(share) = words.nth(2).and_then(|word| word.parse::<f64>().ok()) else {
            continue;
        };
        let name = line
            .rsplit_once('[')
            .map_or("", |part| part.1)
            .trim_end_matches(']');
        let Some((_, _, why)) = THREADS
            .iter()
            .find(|(start, limit, _)| name.starts_with(start) && share >= *limit)
        else {
            continue;
        };
        Draft::cause("kernel-thread-busy", "kernel-thread-busy", 0.52, "Process", name)
            .says(
                format!("The kernel's thread {name} uses {share} % of a processor"),
                format!("{name} has used {share} % of a processor since it started, where a healthy host shows next to nothing: {why}."),
            )
            .cites([doc.cite(number)])
            .if_ticket(host, WORDS)
            .put(out);
        return;
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn processors_below_what_they_can() {
        let of = |allowed: &str| {
            on(&[
                (
                    "sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq",
                    allowed,
                ),
                (
                    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq",
                    "3500000\n",
                ),
                ("proc/stat", ""),
            ])
        };
        assert_eq!(causes(&of("1200000\n")), ["cpu-frequency-capped"]);
        assert!(of("3500000\n").signals.is_empty());
        let cpu = |more: &str| {
            on(&[
                ("etc/os-release", "ID=x\n"),
                (
                    "sos_commands/processor/lscpu",
                    &format!(
                        "CPU(s): 32\nOn-line CPU(s) list: 0-23\nOff-line CPU(s) list: 24-31\nThread(s) per core: 2\n{more}"
                    ),
                ),
            ])
        };
        assert_eq!(causes(&cpu("")), ["processors-offline"]);
        assert!(cpu("Hypervisor vendor: KVM\n").signals.is_empty());
        let ps = |share: &str| {
            on(&[(
                "sos_commands/process/ps_auxwwwm",
                &format!(
                    "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\nroot 97 {share} 0.0 0 0 ? S Feb01 900:00 [kswapd0]\n"
                ),
            )])
        };
        assert_eq!(causes(&ps("61.2")), ["kernel-thread-busy"]);
        assert!(ps("0.1").signals.is_empty());
    }
}
