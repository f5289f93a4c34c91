//! Network cards by their own counters and settings: rings that are too small, damaged frames, slow links.

use super::interfaces::WORDS;
use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};
use std::collections::{BTreeMap, BTreeSet};

/// Counters of packets that reached the card and found no place in memory, as drivers call them.
const NO_ROOM: [&str; 12] = [
    "rx_missed_errors",
    "rx_no_dma_resources",
    "rx_no_buffer_count",
    "rx_out_of_buffer",
    "rx_discards_phy",
    "rx_fifo_errors",
    "rx_over_errors",
    "port.rx_discards",
    "rx_total_ring_discards",
    "rx_discard_pkts",
    "rx_no_desc_drop",
    "pkts rx ring full",
];
/// Counters of frames that arrived damaged.
const DAMAGED: [&str; 5] = [
    "rx_crc_errors",
    "port.rx_crc_errors",
    "rx_crc_errors_phy",
    "rx_fcs_errors",
    "rx_symbol_err_phy",
];
/// Counters of what arrived at all.
const RECEIVED: [&str; 5] = [
    "rx_packets",
    "rx_packets_phy",
    "port.rx_unicast",
    "rx_ucast_packets",
    "rx_unicast",
];

/// Looks at every card that `ethtool` or `ip` describes.
pub fn detect(host: &Host, out: &mut Partial) {
    let mut told = BTreeSet::new();
    for doc in host.commands("ethtool", |name| name.starts_with("ethtool -S ")) {
        let dev = doc.name["ethtool -S ".len()..].trim().to_owned();
        let values = counters(&doc);
        let most = |names: &[&'static str]| {
            names
                .iter()
                .filter_map(|name| Some((*name, *values.get(*name)?)))
                .max_by_key(|(_, (value, _))| *value)
        };
        let received = most(&RECEIVED).map_or(0, |(_, (value, _))| value);
        if let Some((name, (lost, line))) = most(&NO_ROOM)
            && worth_telling(lost, received)
        {
            no_room(
                host,
                &dev,
                &Loss {
                    name,
                    lost,
                    received,
                },
                doc.cite(line),
                out,
            );
            told.insert(dev.clone());
        }
        if let Some((name, (damaged, line))) = most(&DAMAGED)
            && damaged >= 1000
            && damaged.saturating_mul(1_000_000) >= received
        {
            Draft::cause("card-damaged-frames", "interface-errors", 0.6, "Interface", &dev)
                .says(
                    format!("Interface {dev} receives damaged frames: {name} {damaged} of {received} packets"),
                    format!("{dev} counts {damaged} frames with wrong checksums ({name}) in {received} packets: cable, transceiver or the switch port damages them."),
                )
                .cites([doc.cite(line)])
                .with("interface", dev.as_str())
                .if_ticket(host, WORDS)
                .put(out);
        }
    }
    for doc in host.commands("ip", |name| {
        name.contains("link") && name.contains("-s") && !name.contains("netns")
    }) {
        missed(host, &doc, &told, out);
    }
    slow_links(host, out);
}

/// A counter of lost packets and what it compares with.
struct Loss<'a> {
    name: &'a str,
    lost: u64,
    received: u64,
}

/// One packet in ten thousand costs throughput of TCP; a few thousand after a restart do not.
fn worth_telling(lost: u64, received: u64) -> bool {
    lost >= 100_000 && lost.saturating_mul(10_000) >= received
        || lost >= 10_000 && lost.saturating_mul(1000) >= received
}

/// `     name: value` lines.
fn counters(doc: &Doc) -> BTreeMap<String, (u64, usize)> {
    doc.lines()
        .filter_map(|(number, line)| {
            let (name, value) = line.rsplit_once(':')?;
            Some((name.trim().to_owned(), (value.trim().parse().ok()?, number)))
        })
        .collect()
}

/// Receive descriptors: how many the card may have, how many it has, and the line that says so.
fn ring(host: &Host, dev: &str) -> Option<(u64, u64, Evidence)> {
    let doc = host
        .commands("ethtool", |name| name == format!("ethtool -g {dev}"))
        .into_iter()
        .next()?;
    let (mut most, mut current) = (None, false);
    for (number, line) in doc.lines() {
        if line.starts_with("Current") {
            current = true;
        } else if let Some(value) = line
            .strip_prefix("RX:")
            .and_then(|rest| rest.trim().parse::<u64>().ok())
        {
            if current {
                return Some((most?, value, doc.cite(number)));
            }
            most = Some(value);
        }
    }
    None
}

fn no_room(host: &Host, dev: &str, loss: &Loss, line: Evidence, out: &mut Partial) {
    let Loss {
        name,
        lost,
        received,
    } = *loss;
    let ring = ring(host, dev);
    let small = ring.as_ref().filter(|(most, now, _)| now < most);
    let (title, why) = match (small, &ring) {
        (Some((most, now, _)), _) => (
            format!("Interface {dev} drops packets: {name} {lost}, its RX ring has {now} of {most} descriptors"),
            format!("its receive ring has only {now} of {most} possible descriptors, which bursts overflow"),
        ),
        (None, Some((most, ..))) => (
            format!("Interface {dev} drops packets: {name} {lost} with the RX ring at its maximum of {most}"),
            "its ring is at its maximum, so the processors do not empty it in time (interrupts, queues, power saving)".to_owned(),
        ),
        _ => (
            format!("Interface {dev} drops packets: {name} {lost}"),
            "packets arrive faster than the host takes them from the card's ring".to_owned(),
        ),
    };
    Draft::cause(
        "card-ring-overflow",
        "nic-ring-overflow",
        if small.is_some() { 0.78 } else { 0.62 },
        "Interface",
        dev,
    )
    .says(
        title,
        format!("{dev} dropped {lost} received packets ({name}) beside {received} taken: {why}."),
    )
    .cites([line])
    .cites(ring.map(|(.., line)| line))
    .with("interface", dev)
    .if_ticket(host, WORDS)
    .put(out);
}

/// The column `missed` (or `overrun`) of `ip -s link`.
fn missed(host: &Host, doc: &Doc, told: &BTreeSet<String>, out: &mut Partial) {
    let mut dev = String::new();
    let mut column = None;
    for (number, line) in doc.lines() {
        if line.starts_with(|c: char| c.is_ascii_digit()) {
            let name = line.split_whitespace().nth(1).unwrap_or_default();
            let name = name.trim_end_matches(':');
            name.split('@').next().unwrap_or(name).clone_into(&mut dev);
        } else if let Some(rest) = line.trim_start().strip_prefix("RX:") {
            column = rest
                .split_whitespace()
                .position(|word| matches!(word, "missed" | "overrun"))
                .map(|at| {
                    (
                        at,
                        if rest.contains("missed") {
                            "missed"
                        } else {
                            "overrun"
                        },
                    )
                });
        } else if let Some((at, name)) = column.take() {
            let values: Vec<u64> = line
                .split_whitespace()
                .filter_map(|word| word.parse().ok())
                .collect();
            let (Some(received), Some(lost)) = (values.get(1), values.get(at)) else {
                continue;
            };
            if worth_telling(*lost, *received) && !told.contains(&dev) {
                no_room(
                    host,
                    &dev,
                    &Loss {
                        name,
                        lost: *lost,
                        received: *received,
                    },
                    doc.cite(number),
                    out,
                );
            }
        }
    }
}

/// A card for a gigabit and more that runs at 100 Mb/s: a pair of the cable is broken, or one side is fixed.
fn slow_links(host: &Host, out: &mut Partial) {
    for doc in host.commands("ethtool", |name| {
        name.split(' ').count() == 2 && !name.contains(" -")
    }) {
        let dev = doc.name.split(' ').nth(1).unwrap_or_default().to_owned();
        let fast = doc.line_with(|line| line.contains("1000base") || line.contains("10000base"));
        let slow = doc.line_with(|line| matches!(line.trim(), "Speed: 100Mb/s" | "Speed: 10Mb/s"));
        if let (Some((can, _)), Some((number, line))) = (fast, slow)
            && doc.contains("Link detected: yes")
        {
            let speed = line.trim().trim_start_matches("Speed: ").to_owned();
            Draft::cause("link-speed-low", "link-speed-low", 0.64, "Interface", &dev)
                .says(
                    format!("Interface {dev} runs at {speed} only, though it can do a gigabit and more"),
                    format!("{dev} negotiated {speed} although the card supports a gigabit and more: a damaged cable or a port with a fixed speed."),
                )
                .cites([doc.cite(number), doc.cite(can)])
                .with("interface", dev.as_str())
                .if_ticket(host, WORDS)
                .put(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    fn ring(now: u32) -> String {
        format!(
            "Ring parameters for ens5f0:\nPre-set maximums:\nRX:\t\t8160\nTX:\t\t8160\nCurrent hardware settings:\nRX:\t\t{now}\nTX:\t\t512\n"
        )
    }

    #[test]
    fn a_small_ring_that_overflows() {
        let stats = |lost: u32| {
            format!("NIC statistics:\n     rx_packets: 900000000\n     rx_out_of_buffer: {lost}\n")
        };
        let on_card = |lost: u32, now: u32| {
            on(&[
                ("sos_commands/networking/ethtool_-S_ens5f0", &stats(lost)),
                ("sos_commands/networking/ethtool_-g_ens5f0", &ring(now)),
            ])
        };
        let found = on_card(4_000_000, 1024);
        assert_eq!(causes(&found), ["nic-ring-overflow"]);
        assert!(found.signals[0].title.contains("1024 of 8160"));
        assert!(found.signals[0].strength > on_card(4_000_000, 8160).signals[0].strength);
        assert!(on_card(500, 1024).signals.is_empty());
    }

    #[test]
    fn missed_packets_by_ip() {
        let link = |missed: u32| {
            format!(
                "2: ens9: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc mq state UP\n    RX: bytes  packets  errors  dropped missed  mcast\n    778213169  10000000   0       0       {missed}       0\n"
            )
        };
        let path = "sos_commands/networking/ip_-s_-d_link";
        assert_eq!(
            causes(&on(&[(path, &link(700_000))])),
            ["nic-ring-overflow"]
        );
        assert!(causes(&on(&[(path, &link(90))])).is_empty());
    }

    #[test]
    fn damage_and_speed() {
        let stats = "NIC statistics:\n     rx_packets: 900000\n     rx_crc_errors: 5100\n";
        assert_eq!(
            causes(&on(&[("sos_commands/networking/ethtool_-S_eth7", stats)])),
            ["interface-errors"]
        );
        let card = |speed: &str| {
            format!(
                "Settings for eth7:\n\tSupported link modes:   100baseT/Full\n\t                        1000baseT/Full\n\tSpeed: {speed}\n\tDuplex: Full\n\tLink detected: yes\n"
            )
        };
        let path = "sos_commands/networking/ethtool_eth7";
        assert_eq!(causes(&on(&[(path, &card("100Mb/s"))])), ["link-speed-low"]);
        assert!(causes(&on(&[(path, &card("1000Mb/s"))])).is_empty());
    }
}
