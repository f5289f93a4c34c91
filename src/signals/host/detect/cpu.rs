//! Settings of processors, NUMA and the kernel command line. Settings alone are weak signals.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;
use std::collections::BTreeSet;

const WORDS: &[&str] = &[
    "slow",
    "performance",
    "latency",
    "cpu",
    "throughput",
    "jitter",
    "dpdk",
];

pub fn detect(host: &Host, out: &mut Partial) {
    governor(host, out);
    isolation(host, out);
    iommu(host, out);
    numa(host, out);
    dpdk(host, out);
}

/// A clock-saving governor on a server costs latency; intel_pstate's `powersave` scales by itself.
fn governor(host: &Host, out: &mut Partial) {
    let docs: Vec<_> = host
        .files("sys/devices/system/cpu/")
        .into_iter()
        .filter(|d| d.path.ends_with("scaling_governor"))
        .collect();
    let active = |doc: &&super::super::facts::Doc| {
        doc.lines()
            .next()
            .is_some_and(|(_, l)| ["powersave", "ondemand", "conservative"].contains(&l.trim()))
    };
    let slow: Vec<_> = docs.iter().filter(active).collect();
    let pstate = host.files("sys/devices/system/cpu/").into_iter().any(|d| {
        d.path.ends_with("scaling_driver")
            && (d.contains("intel_pstate") || d.contains("amd-pstate"))
    });
    let Some(first) = slow.first() else { return };
    if pstate {
        return;
    }
    let name = first.lines().next().map_or("", |l| l.1.trim());
    Draft::cause("cpu-governor", "cpu-governor-not-performance", 0.54, "Processor", "processor")
        .says(
            format!("{} of {} processors use the scaling governor {name}", slow.len(), docs.len()),
            format!("The processors' frequency governor is {name}, not performance, on {} of {} processors; latency-sensitive services and virtual machines run slower.", slow.len(), docs.len()),
        )
        .cites(slow.iter().take(3).map(|d| d.cite(1)))
        .if_ticket(host, WORDS)
        .put(out);
}

/// `0-3,8` as numbers; bounded.
fn cpu_list(text: &str) -> BTreeSet<u32> {
    let mut set = BTreeSet::new();
    for part in text.split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        if let (Ok(from), Ok(to)) = (
            from.trim().parse::<u32>(),
            to.split(':').next().unwrap_or("").trim().parse::<u32>(),
        ) {
            set.extend(from..=to.min(from.saturating_add(4096)));
            if set.len() > 8192 {
                break;
            }
        }
    }
    set
}

fn option<'a>(cmdline: &'a str, key: &str) -> Option<&'a str> {
    cmdline
        .split_whitespace()
        .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

/// Isolated processors that systemd, or everything, is told to run on.
fn isolation(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("proc/cmdline") else {
        return;
    };
    let Some((number, line)) = doc.lines().next() else {
        return;
    };
    let Some(list) = option(line, "isolcpus") else {
        return;
    };
    let isolated =
        cpu_list(list.trim_start_matches(|c: char| c.is_alphabetic() || c == '_' || c == ','));
    let all = host.cpus().unwrap_or(0);
    let every = u32::try_from(all).is_ok_and(|all| (0..all).all(|cpu| isolated.contains(&cpu)));
    if all > 0 && every {
        Draft::cause(
            "isolcpus-all",
            "cpu-isolation-conflict",
            0.62,
            "Processor",
            "processor",
        )
        .says(
            format!("isolcpus={list} isolates all {all} processors"),
            "Every processor is isolated from the scheduler, so all tasks crowd on one of them.",
        )
        .cites([doc.cite(number)])
        .if_ticket(host, WORDS)
        .put(out);
    }
    let Some(conf) = host.file("etc/systemd/system.conf") else {
        return;
    };
    let Some((at, affinity)) = conf.line_with(|l| l.starts_with("CPUAffinity=")) else {
        return;
    };
    let own = cpu_list(&affinity["CPUAffinity=".len()..].replace(' ', ","));
    let both: Vec<String> = own.intersection(&isolated).map(u32::to_string).collect();
    if !both.is_empty() {
        Draft::cause("isolcpus-affinity", "cpu-isolation-conflict", 0.6, "Processor", "processor")
            .says(
                format!("systemd's CPUAffinity overlaps isolcpus on processors {}", both.join(",")),
                format!("Processors {} are isolated by isolcpus={list} and given to all services by CPUAffinity; pinned workloads share them with the system.", both.join(",")),
            )
            .cites([conf.cite(at), doc.cite(number)])
            .if_ticket(host, WORDS)
            .put(out);
    }
}

/// AMD hypervisors translate every DMA unless `iommu=pt`; fast cards lose throughput by it.
fn iommu(host: &Host, out: &mut Partial) {
    let (Some(cpu), Some(doc)) = (host.file("proc/cpuinfo"), host.file("proc/cmdline")) else {
        return;
    };
    let epyc = cpu.line_with(|l| l.starts_with("model name") && l.contains("EPYC"));
    let guest = cpu.contains(" hypervisor");
    let hypervisor = host
        .command("lsmod", &[])
        .is_some_and(|d| d.contains("kvm_amd"));
    let Some((number, line)) = doc.lines().next() else {
        return;
    };
    let Some((model, _)) = epyc else { return };
    if guest
        || !hypervisor
        || option(line, "iommu") == Some("pt")
        || option(line, "amd_iommu") == Some("off")
    {
        return;
    }
    Draft::cause("iommu-not-passthrough", "iommu-not-passthrough", 0.52, "Host", "host")
        .says(
            "AMD EPYC hypervisor runs without iommu=pt",
            "The kernel command line lacks iommu=pt on an AMD EPYC hypervisor, so DMA of host devices is translated and fast network or NVMe devices lose throughput.",
        )
        .cites([doc.cite(number), cpu.cite(model)])
        .if_ticket(host, WORDS)
        .put(out);
}

/// Memory wanted from one node and given from another, as a share of all.
fn numa(host: &Host, out: &mut Partial) {
    let Some(doc) = host.commands("numastat", |_| true).into_iter().next() else {
        return;
    };
    let row = |name: &str| {
        let (number, line) = doc.line_with(|l| l.to_lowercase().starts_with(name))?;
        let values: Vec<f64> = line
            .split_whitespace()
            .skip(1)
            .filter_map(|w| w.parse().ok())
            .collect();
        Some((values, number))
    };
    let (Some((hit, hit_at)), Some((miss, miss_at))) = (row("numa_hit"), row("numa_miss")) else {
        return;
    };
    let worst = hit
        .iter()
        .zip(&miss)
        .map(|(h, m)| if h + m > 1e5 { m / (h + m) } else { 0.0 })
        .fold(0.0, f64::max);
    if hit.len() < 2 || worst < 0.1 {
        return;
    }
    Draft::cause("numa-misses", "numa-imbalance", if worst > 0.3 { 0.58 } else { 0.5 }, "Memory", "numa")
        .says(
            format!("NUMA imbalance: {:.0} % of a node's allocations missed their node", worst * 100.0),
            format!("{:.0} % of the allocations on one NUMA node were served for another: memory of a node is exhausted, remote access is slower and local reclaim starts early.", worst * 100.0),
        )
        .cites([doc.cite(miss_at), doc.cite(hit_at)])
        .if_ticket(host, WORDS)
        .put(out);
}

/// Open vSwitch with DPDK: poll threads must not share processors with the control threads.
fn dpdk(host: &Host, out: &mut Partial) {
    for doc in host.commands("ovs-vsctl", |_| true) {
        for (number, line) in doc.lines() {
            let mask = |key: &str| {
                let rest = line
                    .split_once(key)?
                    .1
                    .trim_start_matches(['=', '"', ':', ' ']);
                let digits: String = rest
                    .trim_start_matches("0x")
                    .chars()
                    .take_while(char::is_ascii_hexdigit)
                    .collect();
                u128::from_str_radix(&digits, 16).ok().filter(|m| *m != 0)
            };
            let (Some(poll), Some(control)) = (mask("pmd-cpu-mask"), mask("dpdk-lcore-mask"))
            else {
                continue;
            };
            if poll & control == 0 {
                continue;
            }
            Draft::cause("dpdk-masks", "dpdk-mask-overlap", 0.8, "Service", "openvswitch")
                .says(
                    format!("DPDK masks overlap: pmd-cpu-mask {poll:#x} and dpdk-lcore-mask {control:#x} share {:#x}", poll & control),
                    format!("Open vSwitch's poll-mode threads (pmd-cpu-mask {poll:#x}) and its control threads (dpdk-lcore-mask {control:#x}) are pinned to the same processors ({:#x}); packets are lost whenever control threads run.", poll & control),
                )
                .cites([doc.cite(number)])
                .if_ticket(host, WORDS)
                .put(out);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn overlapping_masks_only() {
        let config = |control: &str| {
            format!(
                "{{dpdk-init=\"true\", dpdk-lcore-mask=\"{control}\", pmd-cpu-mask=\"0x57000000000000570\"}}\n"
            )
        };
        let path = "sos_commands/openvswitch/ovs-vsctl_-t_5_get_Open_vSwitch_._other_config";
        assert_eq!(
            causes(&on(&[(path, &config("0x10"))])),
            ["dpdk-mask-overlap"]
        );
        assert!(causes(&on(&[(path, &config("0x03"))])).is_empty());
    }

    #[test]
    fn lists_of_processors() {
        assert_eq!(
            cpu_list("0-2,8").into_iter().collect::<Vec<_>>(),
            [0, 1, 2, 8]
        );
        assert!(cpu_list("0-4294967295").len() < 5000);
        assert!(cpu_list("x,-").is_empty());
    }

    #[test]
    fn isolated_processors_given_to_systemd() {
        let files = [
            ("proc/cmdline", "root=/dev/sda isolcpus=2-3\n"),
            ("etc/systemd/system.conf", "[Manager]\nCPUAffinity=0 1 2\n"),
        ];
        assert_eq!(causes(&on(&files)), ["cpu-isolation-conflict"]);
    }
}
