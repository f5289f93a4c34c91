//! Interrupts of network cards that one processor handles alone, clocks that are slow to read, links that are set up in vain.

use crate::signals::Partial;
use crate::signals::host::emit::{Draft, percent};
use crate::signals::host::facts::Host;

const WORDS: &[&str] = &[
    "slow",
    "network",
    "packet",
    "packets",
    "latency",
    "throughput",
    "cpu",
    "performance",
    "loss",
];

pub fn detect(host: &Host, out: &mut Partial) {
    if host.container {
        return;
    }
    one_processor(host, out);
    slow_clock(host, out);
    links(host, out);
}

/// Many queues, and all of them interrupt the same processor: nobody spreads them.
fn one_processor(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("proc/interrupts") else {
        return;
    };
    let Some((_, header)) = doc.lines().next() else {
        return;
    };
    let cpus = header
        .split_whitespace()
        .filter(|word| word.starts_with("CPU"))
        .count();
    if !(8..=4096).contains(&cpus) {
        return;
    }
    let mut by_cpu = vec![0u64; cpus];
    let mut queues: Vec<(u64, usize, String)> = Vec::new();
    for (number, line) in doc.lines().skip(1) {
        let queue = [
            "-TxRx-",
            "-tx-rx-",
            "-rx-",
            "-Tx-Rx-",
            "mlx5_comp",
            "-fp-",
            "-rxtx-",
        ]
        .iter()
        .any(|part| line.contains(part));
        if !queue {
            continue;
        }
        let counts: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .take(cpus)
            .filter_map(|word| word.parse().ok())
            .collect();
        if counts.len() < cpus {
            continue;
        }
        for (sum, count) in by_cpu.iter_mut().zip(&counts) {
            *sum = sum.saturating_add(*count);
        }
        let name = line.split_whitespace().next_back().unwrap_or_default();
        queues.push((
            counts.iter().fold(0, |a, b| a.saturating_add(*b)),
            number,
            name.to_owned(),
        ));
    }
    let total = by_cpu.iter().fold(0u64, |a, b| a.saturating_add(*b));
    let Some((cpu, most)) = by_cpu.iter().copied().enumerate().max_by_key(|row| row.1) else {
        return;
    };
    let active = queues.iter().filter(|queue| queue.0 > 1_000_000).count();
    if active < 4 || total < 100_000_000 || percent(most, total) < 90 {
        return;
    }
    queues.sort_by_key(|queue| std::cmp::Reverse(queue.0));
    let balancer = host
        .commands("systemctl", |name| name.contains("list-unit"))
        .into_iter()
        .find_map(|doc| {
            let (number, _) = doc.line_with(|line| {
                line.contains("irqbalance.service")
                    && (line.contains("inactive")
                        || line.contains("disabled")
                        || line.contains("failed"))
            })?;
            Some(doc.cite(number))
        });
    let name = &queues[0].2;
    Draft::cause("interrupts-on-one-cpu", "interrupts-not-spread", 0.62, "Processor", &format!("CPU{cpu}"))
        .says(
            format!("CPU{cpu} handles {} % of the network cards' interrupts, of {active} queues such as {name}", percent(most, total)),
            format!("{active} queues of network cards ({name} …) interrupt the same processor CPU{cpu} while the others idle: nobody spreads them (irqbalance), so packets are delayed or dropped although the machine has processors to spare."),
        )
        .cites(queues.iter().take(2).map(|queue| doc.cite(queue.1)))
        .cites(doc.lines().next().map(|(number, _)| doc.cite(number)))
        .cites(balancer)
        .if_ticket(host, WORDS)
        .put(out);
}

/// Reading `hpet` or `acpi_pm` costs a thousand times what reading the processor's own counter costs.
fn slow_clock(host: &Host, out: &mut Partial) {
    let folder = "sys/devices/system/clocksource/clocksource0/";
    let (Some(current), Some(available)) = (
        host.file(&format!("{folder}current_clocksource")),
        host.file(&format!("{folder}available_clocksource")),
    ) else {
        return;
    };
    let (Some((at, name)), Some((all_at, all))) =
        (current.lines().next(), available.lines().next())
    else {
        return;
    };
    if !matches!(name.trim(), "hpet" | "acpi_pm" | "jiffies") {
        return;
    }
    Draft::cause("clocksource-slow", "clocksource-unstable", 0.46, "Clock", name.trim())
        .says(
            format!("The kernel uses the slow clock source {}", name.trim()),
            format!("The current clock source is {} (available: {}): every reading of the time goes to a slow device, which databases and tracing feel at once. The processor's own counter was found unstable or switched off.", name.trim(), all.trim()),
        )
        .cites([current.cite(at), available.cite(all_at)])
        .if_ticket(host, &["slow", "time", "clock", "performance", "latency", "cpu"])
        .put(out);
}

/// `networkctl`: a link whose setup failed.
fn links(host: &Host, out: &mut Partial) {
    for doc in host.commands("networkctl", |_| true) {
        let Some((number, name)) = doc.lines().find_map(|(number, line)| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [index, name, _, _, "failed"] = words[..] else {
                return None;
            };
            index.parse::<u32>().ok()?;
            Some((number, name.to_owned()))
        }) else {
            continue;
        };
        Draft::cause("link-setup-failed", "network-config-broken", 0.66, "Interface", &name)
            .says(
                format!("systemd-networkd could not set up {name}: setup failed"),
                format!("networkctl shows {name} with setup failed: its configuration cannot be applied, so addresses or routes of it are missing."),
            )
            .cites([doc.cite(number)])
            .with("interface", name.as_str())
            .if_ticket(host, WORDS)
            .put(out);
        return;
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn queues_on_one_processor() {
        let table = |spread: bool| {
            let mut text = (0..8).map(|cpu| format!(" CPU{cpu}")).collect::<String>() + "\n";
            for queue in 0..8 {
                let counts: String = (0..8)
                    .map(|cpu| {
                        if (spread && cpu == queue) || (!spread && cpu == 0) {
                            " 90000000"
                        } else {
                            " 12"
                        }
                    })
                    .collect();
                text.push_str(&format!(
                    " {}:{counts} IR-PCI-MSI 1-edge ens3f0-TxRx-{queue}\n",
                    60 + queue
                ));
            }
            on(&[("proc/stat", "cpu 0\n"), ("proc/interrupts", &text)])
        };
        assert_eq!(causes(&table(false)), ["interrupts-not-spread"]);
        assert!(table(true).signals.is_empty());
    }

    #[test]
    fn slow_clocks_and_links() {
        let folder = "sys/devices/system/clocksource/clocksource0/";
        let clock = |name: &str| {
            on(&[
                ("etc/os-release", "ID=x\n"),
                (&format!("{folder}current_clocksource"), name),
                (&format!("{folder}available_clocksource"), "hpet acpi_pm\n"),
            ])
        };
        assert_eq!(causes(&clock("hpet\n")), ["clocksource-unstable"]);
        assert!(clock("tsc\n").signals.is_empty());
        let link = |state: &str| {
            on(&[(
                "sos_commands/networkd/networkctl_list",
                &format!("IDX LINK TYPE OPERATIONAL SETUP\n  2 ens3 ether routable {state}\n"),
            )])
        };
        assert_eq!(causes(&link("failed")), ["network-config-broken"]);
        assert!(link("configured").signals.is_empty());
    }
}
