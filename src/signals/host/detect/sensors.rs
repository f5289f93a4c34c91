//! Hardware by its own counters: sensors beyond their limits, counters of memory errors, cards that left the bus, GPUs
//! that their driver does not reach, transceivers with alarms, fabrics without a manager.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};

const HARD: &[&str] = &[
    "hardware",
    "temperature",
    "fan",
    "power",
    "sensor",
    "crash",
    "reboot",
    "slow",
];
const LINK: &[&str] = &[
    "network",
    "link",
    "port",
    "loss",
    "packet",
    "traffic",
    "infiniband",
    "fibre",
    "slow",
];

pub fn detect(host: &Host, out: &mut Partial) {
    critical(host, out);
    memory_counters(host, out);
    lost_cards(host, out);
    gpu(host, out);
    optics(host, out);
    infiniband(host, out);
}

/// `FAN3 | 0 RPM | cr` of `ipmitool sdr`, `FAN3 | 0.000 | RPM | cr | …` of `ipmitool sensor`.
fn critical(host: &Host, out: &mut Partial) {
    let docs = host.commands("ipmitool", |name| {
        name.contains("sdr") || name.contains("sensor")
    });
    let mut found: Vec<(String, String, crate::report::Evidence)> = Vec::new();
    for doc in docs {
        for (number, line) in doc.lines() {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let state = match fields[..] {
                [_, _, state] => state,
                [_, _, _, state, ..] => state,
                _ => continue,
            };
            if matches!(state, "cr" | "nr") && found.iter().all(|known| known.0 != fields[0]) {
                found.push((fields[0].to_owned(), fields[1].to_owned(), doc.cite(number)));
            }
        }
    }
    let Some((name, value, _)) = found.first() else {
        return;
    };
    let more = match found.len() {
        1 => String::new(),
        many => format!(" and {} more", many - 1),
    };
    Draft::cause("sensor-critical", "sensor-critical", 0.7, "Sensor", name)
        .says(
            format!("Sensor {name} is in a critical state: {value}{more}"),
            format!("The management controller calls {name} critical ({value}){more}: a fan, supply, voltage or temperature is beyond its limit, and the machine throttles or switches off."),
        )
        .cites(found.iter().take(4).map(|row| row.2.clone()))
        .if_ticket(host, HARD)
        .put(out);
}

/// `sys/devices/system/edac/mc/mc0/ue_count`, and lines of `edac-util` and `ras-mc-ctl`.
fn memory_counters(host: &Host, out: &mut Partial) {
    let mut found: Vec<(bool, u64, String, crate::report::Evidence)> = Vec::new();
    for doc in host.files("sys/devices/system/edac/mc/") {
        let uncorrected = doc.name.ends_with("/ue_count");
        if !uncorrected && !doc.name.ends_with("/ce_count") {
            continue;
        }
        if let Some((number, count)) = doc
            .lines()
            .find_map(|(number, line)| Some((number, line.trim().parse::<u64>().ok()?)))
        {
            let place = doc
                .name
                .trim_start_matches("sys/devices/system/edac/mc/")
                .rsplit_once('/')
                .map_or("", |part| part.0)
                .to_owned();
            found.push((uncorrected, count, place, doc.cite(number)));
        }
    }
    let mut tools = host.commands("edac-util", |_| true);
    tools.extend(host.commands("ras-mc-ctl", |_| true));
    for doc in tools {
        for (number, line) in doc.lines() {
            for (words, uncorrected) in
                [(" Uncorrected Errors", true), (" Corrected Errors", false)]
            {
                let Some((before, _)) = line.split_once(words) else {
                    continue;
                };
                if let Some(count) = before
                    .split([' ', ':'])
                    .next_back()
                    .and_then(|word| word.parse::<u64>().ok())
                {
                    let place = before
                        .rsplit_once(':')
                        .map_or(before, |part| part.0)
                        .trim()
                        .to_owned();
                    found.push((uncorrected, count, place, doc.cite(number)));
                }
                break;
            }
        }
    }
    found.retain(|(uncorrected, count, ..)| *count >= if *uncorrected { 1 } else { 500 });
    found.sort_by_key(|row| (std::cmp::Reverse(row.0), std::cmp::Reverse(row.1)));
    let Some((uncorrected, count, place, _)) = found.first() else {
        return;
    };
    let kind = if *uncorrected {
        "uncorrectable"
    } else {
        "corrected"
    };
    Draft::cause("memory-error-counters", "memory-hardware-error", if *uncorrected { 0.82 } else { 0.62 }, "Memory", place)
        .says(
            format!("Memory {place} counts {count} {kind} errors"),
            format!("The memory controller counts {count} {kind} errors at {place}; the module there is failing and must be replaced."),
        )
        .cites(found.iter().take(4).map(|row| row.3.clone()))
        .if_ticket(host, &["memory", "ecc", "crash", "reboot", "hardware"])
        .put(out);
}

/// `(rev ff)`: the card no longer answers on the bus.
fn lost_cards(host: &Host, out: &mut Partial) {
    let Some(doc) = host.commands("lspci", |_| true).into_iter().next() else {
        return;
    };
    let Some((number, line)) = doc.line_with(|line| {
        line.contains("(rev ff)") && line.starts_with(|c: char| c.is_ascii_hexdigit())
    }) else {
        return;
    };
    let (slot, what) = line.split_once(' ').unwrap_or((line, ""));
    let what = what.split(" (rev").next().unwrap_or(what);
    Draft::cause("pci-device-lost", "pci-device-lost", 0.84, "Device", slot)
        .says(
            format!("PCI device {slot} no longer answers: {what}"),
            format!("The card in {slot} ({what}) is listed with revision ff: reads from it give nothing but ones, it fell off the bus. Card, slot or its power fail; a cold start brings it back for a while at most."),
        )
        .cites([doc.cite(number)])
        .cites(doc.lines().skip_while(|(n, _)| *n <= number).take(3).find(|(_, line)| line.contains("Unknown header type")).map(|(n, _)| doc.cite(n)))
        .if_ticket(host, &["hardware", "gpu", "network", "disk", "card", "nic", "device"])
        .put(out);
}

fn gpu(host: &Host, out: &mut Partial) {
    const SAYS: [(&str, &str); 5] = [
        (
            "couldn't communicate with the NVIDIA driver",
            "the driver is not loaded for the running kernel",
        ),
        (
            "No devices were found",
            "the driver is loaded and finds no card that works",
        ),
        (
            "Unable to determine the device handle",
            "a card fell off its bus",
        ),
        ("GPU is lost", "a card fell off its bus"),
        (
            "Driver/library version mismatch",
            "module and libraries have different versions; the host was not restarted after an update",
        ),
    ];
    for doc in host.commands("nvidia-smi", |_| true) {
        let Some((number, line, why)) = doc.lines().find_map(|(number, line)| {
            let (_, why) = SAYS.iter().find(|(words, _)| line.contains(words))?;
            Some((number, line.trim(), why))
        }) else {
            continue;
        };
        Draft::cause("gpu-not-reached", "gpu-error", 0.84, "Device", "nvidia")
            .says(
                format!("The GPU cannot be used: {line}"),
                format!("nvidia-smi says \"{line}\": {why}."),
            )
            .cites([doc.cite(number)])
            .if_ticket(host, &["gpu", "cuda", "nvidia", "driver"])
            .put(out);
        return;
    }
}

/// Alarms of a module in a port that has a link; without one, no light is no news.
fn optics(host: &Host, out: &mut Partial) {
    for doc in host.commands("ethtool", |name| name.contains("-m ")) {
        let dev = doc
            .name
            .split(' ')
            .next_back()
            .unwrap_or_default()
            .to_owned();
        let linked = host
            .commands("ethtool", |name| name == format!("ethtool {dev}"))
            .iter()
            .any(|doc| doc.contains("Link detected: yes"));
        if !linked {
            continue;
        }
        let alarms: Vec<(usize, &str)> = doc
            .lines()
            .filter(|(_, line)| {
                line.contains(" alarm")
                    && line
                        .split(':')
                        .next_back()
                        .is_some_and(|state| state.trim() == "On")
            })
            .collect();
        let Some((_, first)) = alarms.first() else {
            continue;
        };
        let what = first.split(':').next().unwrap_or(first).trim();
        Draft::cause("transceiver-alarm", "transceiver-alarm", 0.66, "Interface", &dev)
            .says(
                format!("Transceiver of {dev} raises an alarm: {what}"),
                format!("The module in {dev} reports {what}: dirty or damaged fibre, too long a line, or a module that fails. Frames are damaged and the link may drop."),
            )
            .cites(alarms.iter().take(3).map(|(number, _)| doc.cite(*number)))
            .with("interface", dev.as_str())
            .if_ticket(host, LINK)
            .put(out);
    }
}

/// `State: Initializing` with `Physical state: LinkUp`: no subnet manager answers on the fabric.
fn infiniband(host: &Host, out: &mut Partial) {
    for doc in host
        .commands("ibstat", |_| true)
        .into_iter()
        .chain(host.commands("ibstatus", |_| true))
        .take(2)
    {
        let lines: Vec<(usize, &str)> = doc.lines().collect();
        let Some(at) = lines.iter().position(|(_, line)| {
            let line = line.trim().to_ascii_lowercase();
            line.starts_with("state:") && line.contains("init")
        }) else {
            continue;
        };
        let named = lines[..at]
            .iter()
            .rev()
            .find(|(_, line)| line.contains('\''));
        let device = named
            .and_then(|(_, line)| line.split('\'').nth(1))
            .unwrap_or("port")
            .to_owned();
        Draft::cause("infiniband-initializing", "infiniband-no-manager", 0.8, "Device", &device)
            .says(
                format!("InfiniBand port of {device} stays in state Initializing"),
                format!("The cable of {device} is up, but no subnet manager gives the port an address: no manager runs on the fabric, or the port belongs to no partition of it."),
            )
            .cites([doc.cite(lines[at].0)])
            .cites(named.map(|(number, _)| doc.cite(*number)))
            .cites(neighbour(&doc, &lines, at))
            .if_ticket(host, LINK)
            .put(out);
        return;
    }
}

/// The physical state beside the logical one.
fn neighbour(doc: &Doc, lines: &[(usize, &str)], at: usize) -> Option<crate::report::Evidence> {
    lines[at..]
        .iter()
        .take(3)
        .find(|(_, line)| line.to_ascii_lowercase().contains("phys"))
        .map(|(number, _)| doc.cite(*number))
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn sensors_and_counters() {
        let sdr = |state: &str| {
            on(&[(
                "sos_commands/ipmitool/ipmitool_sdr",
                &format!("FAN1 | 5400 RPM | ok\nFAN3 | 0 RPM | {state}\nPS2 | disabled | ns\n"),
            )])
        };
        assert_eq!(causes(&sdr("cr")), ["sensor-critical"]);
        assert!(sdr("ok").signals.is_empty());
        let mc = |ue: &str, ce: &str| {
            on(&[
                ("etc/os-release", "ID=x\n"),
                ("sys/devices/system/edac/mc/mc0/ue_count", ue),
                ("sys/devices/system/edac/mc/mc0/ce_count", ce),
            ])
        };
        assert_eq!(causes(&mc("2\n", "0\n")), ["memory-hardware-error"]);
        assert_eq!(causes(&mc("0\n", "81234\n")), ["memory-hardware-error"]);
        assert!(mc("0\n", "3\n").signals.is_empty());
    }

    #[test]
    fn cards() {
        let pci = |rev: &str| {
            on(&[(
                "sos_commands/pci/lspci_-nnvv",
                &format!(
                    "3b:00.0 3D controller: NVIDIA Corporation GA100 ({rev})\n\t!!! Unknown header type 7f\n"
                ),
            )])
        };
        assert_eq!(causes(&pci("rev ff")), ["pci-device-lost"]);
        assert!(pci("rev a1").signals.is_empty());
        let smi = "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n";
        assert_eq!(
            causes(&on(&[("sos_commands/nvidia/nvidia-smi_--list-gpus", smi)])),
            ["gpu-error"]
        );
        let optic = |link: &str| {
            on(&[
                (
                    "sos_commands/networking/ethtool_-m_ens3f0",
                    "\tLaser rx power low alarm                  : On\n\tLaser rx power high alarm                 : Off\n",
                ),
                ("sos_commands/networking/ethtool_ens3f0", link),
            ])
        };
        assert_eq!(
            causes(&optic("\tSpeed: 10000Mb/s\n\tLink detected: yes\n")),
            ["transceiver-alarm"]
        );
        assert!(optic("\tLink detected: no\n").signals.is_empty());
        let ib = |state: &str| {
            on(&[
                (
                    "sos_commands/infiniband/ibstat",
                    &format!(
                        "CA 'mlx5_0'\n\tPort 1:\n\t\tState: {state}\n\t\tPhysical state: LinkUp\n"
                    ),
                ),
                ("etc/os-release", "ID=x\n"),
            ])
        };
        assert_eq!(causes(&ib("Initializing")), ["infiniband-no-manager"]);
        assert!(ib("Active").signals.is_empty());
    }
}
