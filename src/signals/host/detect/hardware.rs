//! Hardware as its own tools report it: RAID cards, the management controller's event log, lost volumes, replication.

use crate::signals::Partial;
use crate::signals::host::clock;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};

const WORDS: &[&str] = &[
    "disk", "raid", "storage", "hardware", "slow", "power", "memory", "io",
];

/// Looks at all outputs of such tools.
pub fn detect(host: &Host, out: &mut Partial) {
    for doc in host
        .commands("storcli", |_| true)
        .into_iter()
        .chain(host.commands("storcli64", |_| true))
        .chain(host.commands("perccli64", |_| true))
        .chain(host.commands("MegaCli64", |_| true))
        .chain(host.commands("MegaCli", |_| true))
        .chain(host.commands("ssacli", |_| true))
        .chain(host.commands("hpssacli", |_| true))
        .chain(host.commands("arcconf", |_| true))
    {
        raid_card(host, &doc, out);
    }
    for doc in host.commands("ipmitool", |name| name.contains("sel")) {
        event_log(host, &doc, out);
    }
    for program in ["vgs", "pvs", "lvs", "vgdisplay", "pvscan", "vgscan"] {
        if let Some(doc) = host
            .commands(program, |_| true)
            .into_iter()
            .find(|doc| missing_volume(doc).is_some())
            && let Some((number, line)) = missing_volume(&doc)
        {
            Draft::cause("lvm-missing-device", "lvm-volume-missing", 0.76, "Volume group", "")
                    .says(format!("LVM misses a physical volume: {}", line.trim()), format!("A disk of a volume group is gone: {}. Logical volumes on it are partial or cannot be activated.", line.trim().trim_end_matches('.')))
                    .cites([doc.cite(number)])
                    .if_ticket(host, WORDS)
                    .put(out);
            break;
        }
    }
    if let Some(doc) = host.file("proc/drbd") {
        drbd(host, &doc, out);
    }
}

/// Words of RAID tools for a volume or disk that is not well, and for a battery that is.
fn raid_card(host: &Host, doc: &Doc, out: &mut Partial) {
    let bad = |line: &str| -> Option<(&'static str, f64)> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let has = |word: &str| words.contains(&word);
        let after = |key: &str| line.split_once(key).map(|(_, rest)| rest.trim().to_owned());
        if (has("Dgrd") || has("Pdgd") || has("OfLn")) && line.contains("RAID") {
            return Some(("a virtual drive is degraded or offline", 0.84));
        }
        if line.trim_start().starts_with("State") && line.contains("Degraded") {
            return Some(("a virtual drive is degraded", 0.84));
        }
        if words.len() > 6
            && words[0].contains(':')
            && (has("Failed") || has("UBad") || has("Offln") || has("Msng"))
        {
            return Some(("a physical drive has failed", 0.84));
        }
        if line.starts_with("Firmware state: Failed")
            || line.contains("physicaldrive")
                && (line.contains("Failed") || line.contains("Predictive Failure"))
        {
            return Some(("a physical drive has failed", 0.84));
        }
        if line.contains("logicaldrive")
            && (line.contains("Interim Recovery") || line.contains("Failed"))
        {
            return Some(("a logical drive is degraded", 0.84));
        }
        if after("Battery State")
            .is_some_and(|state| state.contains("Failed") || state.contains("Degraded"))
            || after("Battery Replacement required").is_some_and(|state| state.ends_with("Yes"))
            || after("Battery/Capacitor Status:").is_some_and(|state| state.starts_with("Failed"))
        {
            return Some((
                "its cache battery has failed, so the write cache is switched off and writes are slow",
                0.74,
            ));
        }
        None
    };
    let found: Vec<(usize, &str, &'static str, f64)> = doc
        .lines()
        .filter_map(|(number, line)| {
            bad(line).map(|(what, strength)| (number, line, what, strength))
        })
        .take(6)
        .collect();
    let Some((_, line, what, strength)) = found.first() else {
        return;
    };
    Draft::cause("raid-card", "raid-degraded", *strength, "Controller", "")
        .says(
            format!(
                "RAID controller: {what}: {}",
                line.split_whitespace().collect::<Vec<_>>().join(" ")
            ),
            format!("The RAID controller reports that {what}."),
        )
        .cites(found.iter().map(|(number, ..)| doc.cite(*number)))
        .if_ticket(host, WORDS)
        .put(out);
}

/// Events of the management controller that name a broken part; routine entries (log cleared, power on) are none.
fn event_log(host: &Host, doc: &Doc, out: &mut Partial) {
    const PARTS: &[(&str, &str, &str, f64)] = &[
        (
            "Uncorrectable ECC",
            "memory-hardware-error",
            "a memory module delivers uncorrectable errors",
            0.86,
        ),
        (
            "Uncorrectable error",
            "machine-check",
            "the hardware reported an uncorrectable error",
            0.74,
        ),
        (
            "Correctable ECC logging limit reached",
            "memory-hardware-error",
            "a memory module reached its limit of corrected errors",
            0.78,
        ),
        (
            "Correctable ECC",
            "memory-hardware-error",
            "a memory module needs error correction",
            0.54,
        ),
        (
            "Power Supply AC lost",
            "power-supply-failed",
            "a power supply has lost its input",
            0.68,
        ),
        (
            "Failure detected",
            "power-supply-failed",
            "a power supply or fan has failed",
            0.7,
        ),
        (
            "Redundancy Lost",
            "power-supply-failed",
            "the redundancy of power or cooling is lost",
            0.62,
        ),
        (
            "Drive Fault",
            "disk-smart-failing",
            "a drive has failed",
            0.8,
        ),
        (
            "Predictive Failure",
            "disk-smart-failing",
            "a part is about to fail",
            0.7,
        ),
        (
            "Upper Critical going high",
            "thermal-throttling",
            "a temperature or voltage is above its critical limit",
            0.66,
        ),
        (
            "CPU Machine Chk",
            "machine-check",
            "a processor reported a machine check",
            0.8,
        ),
        (
            "Bus Fatal Error",
            "pcie-errors",
            "a PCI bus reported a fatal error",
            0.8,
        ),
    ];
    for (words, cause, what, strength) in PARTS {
        let found: Vec<(usize, &str)> = doc
            .lines()
            .filter(|(_, line)| line.contains(words) && !line.contains("Deasserted"))
            .filter(|(number, line)| !is_over(doc, *number, line))
            .filter(|(_, line)| host.frame.now.is_none_or(|now| !is_old(line, now)))
            .collect();
        let (Some((first, line)), Some((last, _))) = (found.first(), found.last()) else {
            continue;
        };
        let detail: Vec<&str> = line.split('|').skip(3).map(str::trim).collect();
        Draft::cause("ipmi-event", cause, *strength, "Hardware", "")
            .says(
                format!(
                    "The management controller logged: {} ({} such events)",
                    detail.join(", "),
                    found.len()
                ),
                format!(
                    "The event log of the management controller says that {what}: {}.",
                    detail.join(", ")
                ),
            )
            .cites([doc.cite(*last), doc.cite(*first)])
            .if_ticket(host, WORDS)
            .put(out);
        break;
    }
}

/// Sensor and event of an entry: `2 | 09/21/2022 | 10:29:03 | Power Supply #0x85 | AC lost | Asserted`.
fn entry(line: &str) -> Option<(&str, &str)> {
    let mut fields = line.split('|').skip(3).map(str::trim);
    Some((fields.next()?, fields.next()?))
}

/// Whether a later entry takes this one back: the sensor no longer asserts it.
fn is_over(doc: &Doc, number: usize, line: &str) -> bool {
    let this = entry(line);
    this.is_some()
        && doc.lines().any(|(later, other)| {
            later > number && other.contains("Deasserted") && entry(other) == this
        })
}

/// Whether an entry is from so long ago that its part was replaced or the fault accepted since. The log is kept for
/// years, over the whole life of the machine.
fn is_old(line: &str, now: i64) -> bool {
    const OLD: i64 = 90 * 86_400;
    let date = line.split('|').nth(1).map(str::trim).unwrap_or_default();
    let mut parts = date.split('/').map(|part| part.parse::<i64>().ok());
    let (Some(Some(month)), Some(Some(day)), Some(Some(year))) =
        (parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    now - clock::days(year, month, day) * 86_400 > OLD
}

/// `Couldn't find device with uuid`, `VG x is missing PV`.
fn missing_volume(doc: &Doc) -> Option<(usize, &str)> {
    doc.line_with(|line| {
        line.contains("is missing PV")
            || line.contains("ouldn't find device with uuid")
            || line.contains("Cannot change VG") && line.contains("while PVs are missing")
    })
}

/// `cs:` other than connected or syncing, `ds:` other than up to date.
fn drbd(host: &Host, doc: &Doc, out: &mut Partial) {
    for (number, line) in doc.lines() {
        let state = |key: &str| {
            line.split_whitespace()
                .find_map(|word| word.strip_prefix(key))
        };
        let (Some(connection), Some(disks)) = (state("cs:"), state("ds:")) else {
            continue;
        };
        let alone = matches!(
            connection,
            "StandAlone"
                | "WFConnection"
                | "Timeout"
                | "BrokenPipe"
                | "NetworkFailure"
                | "ProtocolError"
        );
        let bad = ["Diskless", "Inconsistent", "Outdated", "Failed"]
            .iter()
            .any(|word| disks.contains(word))
            && !connection.starts_with("Sync");
        if !(alone || bad) {
            continue;
        }
        let device = line.trim_start().split(':').next().unwrap_or_default();
        Draft::cause("drbd-state", "drbd-not-replicating", if connection == "StandAlone" { 0.8 } else { 0.68 }, "Device", "")
            .says(
                format!("DRBD device {device} does not replicate: connection {connection}, disks {disks}"),
                format!("DRBD device {device} is in connection state {connection} with disks {disks}: {}", if connection == "StandAlone" { "it gave up its peer (a split brain or a refused connection) and stays alone until somebody reconnects it." } else { "its copies are not the same." }),
            )
            .cites([doc.cite(number)])
            .if_ticket(host, WORDS)
            .put(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn raid_cards() {
        let run = |state: &str| {
            let text = format!(
                "DG/VD TYPE  State Access Consist Cache Cac sCC       Size Name\n0/0   RAID1 {state} RW     Yes     RWBD  -   ON  446.625 GB OS\n"
            );
            causes(&on(&[("sos_commands/megaraid/storcli_-call_show", &text)])).len()
        };
        assert_eq!((run("Dgrd"), run("Optl")), (1, 0));
    }

    #[test]
    fn events_and_replication() {
        let run = |event: &str| {
            let text = format!(
                "   1 | 02/10/2022 | 10:00:01 | Power Supply PS2 Status | {event} | Asserted\n"
            );
            causes(&on(&[("sos_commands/ipmitool/ipmitool_sel_list", &text)])).len()
        };
        assert_eq!(
            (run("Power Supply AC lost"), run("Presence detected")),
            (1, 0)
        );
        // Power that came back, and what was years before the bundle.
        let log = |date: &str, more: &str| {
            let text = format!(
                "   1 | {date} | 10:00:01 | Power Supply PS2 Status | Power Supply AC lost | Asserted\n{more}"
            );
            let date = ("sos_commands/date/date", "Thu Feb 10 16:19:17 UTC 2022\n");
            causes(&on(&[
                ("sos_commands/ipmitool/ipmitool_sel_list", &text),
                date,
            ]))
            .len()
        };
        let back = "   2 | 02/10/2022 | 10:04:09 | Power Supply PS2 Status | Power Supply AC lost | Deasserted\n";
        let other = back.replace("PS2", "PS1");
        assert_eq!(log("02/10/2022", ""), 1);
        assert_eq!(log("02/10/2022", &other), 1);
        assert_eq!(log("02/10/2022", back), 0);
        assert_eq!((log("11/20/2021", ""), log("11/01/2021", "")), (1, 0));
        let run = |state: &str| {
            causes(&on(&[("etc/fstab", ""), ("proc/drbd", &format!("version: 8.4\n 0: cs:{state} ro:Primary/Secondary ds:UpToDate/UpToDate C r-----\n"))])).len()
        };
        assert_eq!((run("StandAlone"), run("Connected")), (1, 0));
    }
}
