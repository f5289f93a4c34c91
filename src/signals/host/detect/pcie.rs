//! Devices whose PCIe link came up narrower or slower than the device can.

use super::interfaces::WORDS;
use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};

/// Kinds of devices that a narrow link holds back. Graphics slow their link down when they rest.
const FAST: [&str; 9] = [
    "Ethernet controller",
    "Network controller",
    "Infiniband controller",
    "Non-Volatile memory controller",
    "RAID bus controller",
    "Serial Attached SCSI controller",
    "Fibre Channel",
    "SATA controller",
    "Processing accelerators",
];
const RESTING: [&str; 2] = ["VGA compatible controller", "3D controller"];

/// A device of `lspci -vv` and its link.
#[derive(Default)]
struct Device<'a> {
    address: &'a str,
    what: &'a str,
    line: usize,
    /// Width and speed it can.
    can: Option<(u32, f64, usize)>,
}

/// Looks at every device that `lspci -vv` describes.
pub fn detect(host: &Host, out: &mut Partial) {
    for doc in host.commands("lspci", |name| name.contains("vv")) {
        let mut device = Device::default();
        for (number, line) in doc.lines() {
            if line.starts_with(|c: char| c.is_ascii_hexdigit()) {
                let (address, what) = line.split_once(' ').unwrap_or((line, ""));
                device = Device {
                    address,
                    what,
                    line: number,
                    can: None,
                };
            } else if line.trim_start().starts_with("LnkCap:") {
                device.can = link(line).map(|(width, speed)| (width, speed, number));
            } else if line.trim_start().starts_with("LnkSta:")
                && let (Some((width, speed, can)), Some(now)) = (device.can, link(line))
            {
                held_back(host, &doc, &device, (width, speed), now, [can, number], out);
            }
        }
    }
}

/// Width in lanes and speed in GT/s of a line about a link.
fn link(line: &str) -> Option<(u32, f64)> {
    let after = |word: &str| {
        let rest = &line[line.find(word)? + word.len()..];
        Some(rest.split([' ', ',', '(']).next()?.to_owned())
    };
    let width = after("Width x")?.parse().ok()?;
    let speed = after("Speed ")?.strip_suffix("GT/s")?.parse().ok()?;
    (width > 0).then_some((width, speed))
}

fn held_back(
    host: &Host,
    doc: &Doc,
    device: &Device,
    can: (u32, f64),
    now: (u32, f64),
    lines: [usize; 2],
    out: &mut Partial,
) {
    let kind = |kinds: &[&str]| kinds.iter().any(|kind| device.what.contains(kind));
    let narrow = now.0 < can.0;
    // Half the lanes may be the slot's; a quarter are a contact, a riser or a cable.
    let strength = match (narrow, now.1 < can.1) {
        (true, _) if now.0 * 4 <= can.0 => 0.72,
        (true, _) => 0.5,
        (false, true) if !kind(&RESTING) => 0.4,
        _ => return,
    };
    if !(kind(&FAST) || narrow && kind(&RESTING)) {
        return;
    }
    let name = interface(host, device.address);
    let (dev, card_at) = match &name {
        Some((name, at)) => (name.as_str(), Some(at.clone())),
        None => (device.address, None),
    };
    let card: String = device.what.chars().take(90).collect();
    Draft::cause(
        "pcie-link-downgraded",
        "pcie-link-downgraded",
        strength,
        "Device",
        dev,
    )
    .says(
        format!(
            "PCIe link of {dev} ({}) is downgraded: width x{} of x{}, {} of {} GT/s",
            device.address, now.0, can.0, now.1, can.1
        ),
        format!(
            "The PCIe link of {dev} at {}, {card}, came up with width x{} at {} GT/s although the device can x{} at {} GT/s: it gets {} % of its bandwidth. The card, its slot or riser, or the slot's setting in the firmware is the reason.",
            device.address,
            now.0,
            now.1,
            can.0,
            can.1,
            (f64::from(now.0) * now.1 * 100.0 / (f64::from(can.0) * can.1)).round()
        ),
    )
    .cites([doc.cite(lines[1]), doc.cite(lines[0]), doc.cite(device.line)])
    .cites(card_at)
    .with("device", device.address)
    .if_ticket(host, WORDS)
    .put(out);
}

/// The interface of the card at `address`, by what its driver says.
fn interface(host: &Host, address: &str) -> Option<(String, Evidence)> {
    host.commands("ethtool", |name| name.starts_with("ethtool -i "))
        .iter()
        .find_map(|doc| {
            let (number, _) = doc.line_with(|line| {
                line.starts_with("bus-info:") && line.trim_end().ends_with(address)
            })?;
            let name = doc.name["ethtool -i ".len()..].trim().to_owned();
            Some((name, doc.cite(number)))
        })
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    fn listing(kind: &str, cap: &str, now: &str) -> String {
        format!(
            "3b:00.0 {kind}: Some Vendor Adapter\n\tSubsystem: Some\n\t\tLnkCap:\tPort #0, {cap}, ASPM not supported\n\t\tLnkSta:\t{now}\n"
        )
    }

    #[test]
    fn a_narrow_link_is_told_with_its_interface() {
        let path = "sos_commands/pci/lspci_-nnvv";
        let narrow = listing(
            "Ethernet controller [0200]",
            "Speed 16GT/s, Width x8",
            "Speed 16GT/s (ok), Width x1 (downgraded)",
        );
        let driver = "driver: some\nbus-info: 0000:3b:00.0\n";
        let found = on(&[
            (path, &narrow),
            ("sos_commands/networking/ethtool_-i_ens3f0", driver),
        ]);
        assert_eq!(causes(&found), ["pcie-link-downgraded"]);
        assert!(found.signals[0].title.contains("ens3f0 (3b:00.0)"));
        assert!(found.signals[0].title.contains("x1 of x8"));
        let fine = listing(
            "Ethernet controller [0200]",
            "Speed 16GT/s, Width x8",
            "Speed 16GT/s (ok), Width x8 (ok)",
        );
        assert!(on(&[(path, &fine)]).signals.is_empty());
        let resting = listing(
            "VGA compatible controller [0300]",
            "Speed 8GT/s, Width x16",
            "Speed 2.5GT/s (downgraded), Width x16 (ok)",
        );
        assert!(on(&[(path, &resting)]).signals.is_empty());
        let bridge = listing(
            "PCI bridge [0604]",
            "Speed 8GT/s, Width x16",
            "Speed 8GT/s (ok), Width x4 (downgraded)",
        );
        assert!(on(&[(path, &bridge)]).signals.is_empty());
    }
}
