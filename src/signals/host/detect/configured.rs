//! What the network's configuration and the boot loader's ask for, against what the host has.

use super::interfaces::WORDS;
use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Options of the kernel that change how a host works; others (quiet, splash, console) do not matter here.
const OPTIONS: [&str; 14] = [
    "hugepages",
    "hugepagesz",
    "default_hugepagesz",
    "isolcpus",
    "nohz_full",
    "rcu_nocbs",
    "intel_iommu",
    "amd_iommu",
    "iommu",
    "crashkernel",
    "numa_balancing",
    "transparent_hugepage",
    "intel_idle.max_cstate",
    "systemd.unified_cgroup_hierarchy",
];

/// Compares.
pub fn detect(host: &Host, out: &mut Partial) {
    addresses(host, out);
    carriers(host, out);
    gateways(host, out);
    boot_options(host, out);
    passthrough(host, out);
}

/// Addresses of all interfaces, by `ip address`.
pub(super) fn present(host: &Host) -> BTreeSet<IpAddr> {
    let mut found = BTreeSet::new();
    for doc in host.commands("ip", |name| {
        name.contains("addr") && !name.contains("netns")
    }) {
        for (_, line) in doc.lines() {
            let mut words = line.split_whitespace();
            if matches!(words.next(), Some("inet" | "inet6"))
                && let Some(address) = words
                    .next()
                    .and_then(|word| word.split('/').next()?.parse().ok())
            {
                found.insert(address);
            }
        }
    }
    found
}

/// `- 192.0.2.5/24` in netplan, `address` of ifupdown, `IPADDR` of the older scripts.
fn addresses(host: &Host, out: &mut Partial) {
    let present = present(host);
    if !present.iter().any(|address| !address.is_loopback()) {
        return;
    }
    let mut docs = host.files("etc/netplan/");
    docs.extend(host.files("etc/network/interfaces"));
    docs.extend(host.files("etc/sysconfig/network-scripts/ifcfg-"));
    docs.extend(host.files("etc/sysconfig/network/ifcfg-"));
    let mut absent: Vec<(IpAddr, Evidence)> = Vec::new();
    let mut wanted = 0;
    for doc in docs {
        for (number, line) in doc.lines() {
            let bare = line.trim();
            let value = if doc.path.contains("netplan") {
                bare.strip_prefix("- ").filter(|value| value.contains('/'))
            } else {
                ["address ", "IPADDR="]
                    .iter()
                    .find_map(|key| bare.strip_prefix(key))
            };
            let Some(address) = value
                .map(|value| value.trim_matches(['"', '\'', ' ', ':']))
                .and_then(|value| value.split('/').next()?.parse::<IpAddr>().ok())
            else {
                continue;
            };
            wanted += 1;
            if !present.contains(&address) && absent.iter().all(|(known, _)| *known != address) {
                absent.push((address, doc.cite(number)));
            }
        }
    }
    let Some((address, _)) = absent.first() else {
        return;
    };
    // Where none of many is there, the list is of another name space or the file of another host.
    if wanted > 1 && absent.len() >= wanted {
        return;
    }
    let address = address.to_string();
    let more = match absent.len() {
        1 => String::new(),
        many => format!(" (and {} more)", many - 1),
    };
    Draft::cause("configured-address-absent", "configured-address-absent", 0.66, "Address", &address)
        .says(
            format!("Configured address {address} is on no interface{more}"),
            format!("The network configuration gives this host {address}{more}, but no interface has it: it was not applied, the interface is missing or has another name, or it was removed by hand."),
        )
        .cites(absent.into_iter().map(|(_, line)| line).take(4))
        .if_ticket(host, WORDS)
        .put(out);
}

/// A physical interface with an address and no carrier.
fn carriers(host: &Host, out: &mut Partial) {
    let Some(doc) = host
        .commands("ip", |name| {
            name.contains("addr") && !name.contains("netns")
        })
        .into_iter()
        .next()
    else {
        return;
    };
    let mut dead: Option<(String, usize)> = None;
    let mut told = BTreeSet::new();
    for (number, line) in doc.lines() {
        if line.starts_with(|c: char| c.is_ascii_digit()) {
            let name = line.split_whitespace().nth(1).unwrap_or_default();
            let name = name.trim_end_matches(':');
            let name = name.split('@').next().unwrap_or(name);
            let wired = ["en", "eth", "ib", "bond", "em", "p"]
                .iter()
                .any(|start| name.starts_with(start));
            dead = (wired && line.contains("NO-CARRIER")).then(|| (name.to_owned(), number));
        } else if let Some((name, at)) = &dead
            && line.trim_start().starts_with("inet")
            && !line.contains("scope link")
            && told.insert(name.clone())
        {
            let address = line.split_whitespace().nth(1).unwrap_or_default();
            Draft::cause("no-carrier", "interface-no-carrier", 0.68, "Interface", name)
                .says(
                    format!("Interface {name} with address {address} has no carrier"),
                    format!("{name} holds {address} but has no link (NO-CARRIER): cable, transceiver or switch port; what uses this network does not work."),
                )
                .cites([doc.cite(*at), doc.cite(number)])
                .with("interface", name.as_str())
                .if_ticket(host, WORDS)
                .put(out);
        }
    }
}

/// Two default routes of one metric: which one a connection takes is chance.
fn gateways(host: &Host, out: &mut Partial) {
    let Some(doc) = host
        .commands("ip", |name| {
            name.contains("route") && !name.contains("netns") && !name.contains("-6")
        })
        .into_iter()
        .next()
    else {
        return;
    };
    let mut by_metric: BTreeMap<(String, String), Vec<(String, Evidence)>> = BTreeMap::new();
    for (number, line) in doc
        .lines()
        .filter(|(_, line)| line.starts_with("default via "))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |key: &str| {
            let at = words.iter().position(|word| *word == key);
            at.and_then(|at| words.get(at + 1))
                .copied()
                .unwrap_or_default()
                .to_owned()
        };
        if words[2].contains(':') {
            continue;
        }
        by_metric
            .entry((after("table"), after("metric")))
            .or_default()
            .push((format!("{} ({})", words[2], after("dev")), doc.cite(number)));
    }
    for routes in by_metric.into_values().filter(|routes| routes.len() > 1) {
        let names: Vec<&str> = routes
            .iter()
            .map(|(name, _)| name.as_str())
            .take(3)
            .collect();
        Draft::cause("default-routes", "default-route-ambiguous", 0.6, "Host", "default route")
            .says(
                format!("Two default routes of the same metric: {}", names.join(", ")),
                format!("The host has several default routes without a difference ({}): answers leave by another interface than the requests came, and firewalls or reverse-path filters drop them.", names.join(", ")),
            )
            .cites(routes.iter().map(|(_, line)| line.clone()).take(3))
            .if_ticket(host, WORDS)
            .put(out);
    }
}

/// Options that `/etc/default/grub` asks for and the running kernel was not given.
fn boot_options(host: &Host, out: &mut Partial) {
    let (Some(grub), Some(running)) = (host.file("etc/default/grub"), host.file("proc/cmdline"))
    else {
        return;
    };
    let Some((at, given)) = running.lines().next() else {
        return;
    };
    let given: BTreeSet<&str> = given.split_whitespace().collect();
    let mut lacking: Vec<(String, usize)> = Vec::new();
    for (number, line) in grub.lines() {
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        if !matches!(
            key.trim(),
            "GRUB_CMDLINE_LINUX_DEFAULT" | "GRUB_CMDLINE_LINUX"
        ) {
            continue;
        }
        for word in value.trim().trim_matches(['"', '\'']).split_whitespace() {
            let name = word.split('=').next().unwrap_or(word);
            if OPTIONS.contains(&name) && !given.contains(word) {
                lacking.push((word.to_owned(), number));
            }
        }
    }
    let Some((_, number)) = lacking.first() else {
        return;
    };
    let words: Vec<&str> = lacking.iter().map(|(word, _)| word.as_str()).collect();
    let words = words.join(" ");
    Draft::cause("boot-options-not-applied", "boot-options-not-applied", 0.74, "Host", "kernel command line")
        .says(
            format!("The running kernel lacks options of /etc/default/grub: {words}"),
            format!("/etc/default/grub asks for {words}, but the running kernel's command line does not have it: update-grub or the reboot after it was left out, or another boot entry was chosen, so the setting is not in force."),
        )
        .cites([grub.cite(*number), running.cite(at)])
        .if_ticket(host, &["hugepages", "dpdk", "cpu", "iommu", "sriov", "sr-iov", "passthrough", "latency", "kdump", "crash"])
        .put(out);
}

/// Nova offers PCI devices, and the kernel was started without the IOMMU that they need.
fn passthrough(host: &Host, out: &mut Partial) {
    let (Some(nova), Some(cmdline), Some(log)) = (
        host.file("etc/nova/nova.conf"),
        host.file("proc/cmdline"),
        host.command("dmesg", &[])
            .or_else(|| host.file("var/log/dmesg")),
    ) else {
        return;
    };
    let offers = nova.line_with(|line| {
        let key = line.split('=').next().unwrap_or_default().trim();
        matches!(
            key,
            "passthrough_whitelist" | "device_spec" | "pci_passthrough_whitelist"
        )
    });
    let started = log.contains("Linux version ");
    let on = cmdline.contains("iommu=")
        || log.contains("IOMMU enabled")
        || log.contains("Adding to iommu group");
    let intel = host
        .file("proc/cpuinfo")
        .is_some_and(|doc| doc.contains("GenuineIntel"))
        || host
            .command("lscpu", &[])
            .is_some_and(|doc| doc.contains("GenuineIntel"));
    let (Some((offer, _)), true, true, false) = (offers, started, intel, on) else {
        return;
    };
    Draft::cause("iommu-off", "iommu-off", 0.76, "Host", "iommu")
        .says(
            "Nova offers PCI devices, but the kernel runs without the IOMMU",
            "Nova is configured to hand PCI devices (SR-IOV, pass-through) to guests, but the kernel's command line does not switch the IOMMU on and its log shows none: such guests cannot start here.",
        )
        .cites([cmdline.cite(1), nova.cite(offer)])
        .if_ticket(host, &["sriov", "sr-iov", "passthrough", "pci", "gpu", "direct"])
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    const ADDRESSES: (&str, &str) = (
        "sos_commands/networking/ip_-d_address",
        "1: lo: <LOOPBACK,UP> mtu 65536\n    inet 127.0.0.1/8 scope host lo\n2: ens3: <BROADCAST,UP,LOWER_UP> mtu 1500\n    inet 192.0.2.17/24 scope global ens3\n",
    );

    #[test]
    fn an_address_of_netplan_that_is_not_there() {
        let plan = |second: &str| {
            format!(
                "network:\n  ethernets:\n    ens3:\n      addresses:\n      - 192.0.2.17/24\n      - {second}/24\n      nameservers:\n        addresses:\n        - 198.51.100.53\n"
            )
        };
        assert_eq!(
            causes(&on(&[
                ADDRESSES,
                ("etc/netplan/50-cloud-init.yaml", &plan("203.0.113.9"))
            ])),
            ["configured-address-absent"]
        );
        assert!(
            causes(&on(&[
                ADDRESSES,
                ("etc/netplan/50-cloud-init.yaml", &plan("192.0.2.17"))
            ]))
            .is_empty()
        );
    }

    #[test]
    fn carrier_and_default_routes() {
        let dead = "2: ens3: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 state DOWN\n    inet 192.0.2.17/24 scope global ens3\n3: docker0: <NO-CARRIER,UP> mtu 1500\n    inet 172.17.0.1/16 scope global docker0\n";
        assert_eq!(
            causes(&on(&[("sos_commands/networking/ip_-d_address", dead)])),
            ["interface-no-carrier"]
        );
        let route = |metric: u32| {
            format!(
                "default via 192.0.2.1 dev ens3 proto static metric 100\ndefault via 198.51.100.1 dev ens4 proto static metric {metric}\n"
            )
        };
        let path = "sos_commands/networking/ip_route_show_table_all";
        assert_eq!(
            causes(&on(&[(path, &route(100))])),
            ["default-route-ambiguous"]
        );
        assert!(causes(&on(&[(path, &route(200))])).is_empty());
    }

    #[test]
    fn options_of_the_boot_loader() {
        let grub = (
            "etc/default/grub",
            "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet isolcpus=4-7 hugepages=64\"\n",
        );
        let found = on(&[
            grub,
            (
                "proc/cmdline",
                "BOOT_IMAGE=/vmlinuz root=/dev/sda1 ro isolcpus=4-7\n",
            ),
        ]);
        assert_eq!(causes(&found), ["boot-options-not-applied"]);
        assert!(found.signals[0].title.ends_with(": hugepages=64"));
        assert!(
            on(&[grub, ("proc/cmdline", "ro isolcpus=4-7 hugepages=64\n")])
                .signals
                .is_empty()
        );
    }

    #[test]
    fn devices_need_the_iommu() {
        let files = |cmdline: &'static str| {
            on(&[
                (
                    "etc/nova/nova.conf",
                    "[pci]\npassthrough_whitelist = {\"physical_network\": \"p\"}\n",
                ),
                ("proc/cmdline", cmdline),
                ("proc/cpuinfo", "vendor_id\t: GenuineIntel\n"),
                (
                    "sos_commands/kernel/dmesg",
                    "[    0.000000] Linux version 5.4.0\n",
                ),
            ])
        };
        assert_eq!(causes(&files("ro quiet\n")), ["iommu-off"]);
        assert!(files("ro intel_iommu=on\n").signals.is_empty());
    }
}
