//! What disks say about themselves: SMART of ATA, SCSI and NVMe.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};

const WORDS: &[&str] = &["disk", "smart", "storage", "drive", "i/o", "slow"];

pub fn detect(host: &Host, out: &mut Partial) {
    let mut docs = host.commands("smartctl", |_| true);
    docs.extend(host.commands("nvme", |name| name.contains("smart")));
    for doc in docs {
        let device = device(&doc);
        health(host, &doc, &device, out);
        attributes(host, &doc, &device, out);
    }
}

/// `smartctl -a vda` or `smartctl -a .dev.sda`.
fn device(doc: &Doc) -> String {
    let last = doc
        .name
        .split(' ')
        .rfind(|w| !w.starts_with('-'))
        .unwrap_or_default();
    let last = last
        .rsplit(['/', '.'])
        .find(|part| !part.is_empty() && part.parse::<u32>().is_err())
        .unwrap_or(last);
    if last == "smartctl" {
        "disk".to_owned()
    } else {
        last.to_owned()
    }
}

/// The disk's own verdict, or NVMe's critical warning bits.
fn health(host: &Host, doc: &Doc, device: &str, out: &mut Partial) {
    let verdict = doc.lines().find(|(_, line)| {
        let bad =
            |value: &str| !["PASSED", "OK"].contains(&value.trim()) && !value.trim().is_empty();
        let ata = line
            .split_once("self-assessment test result:")
            .is_some_and(|(_, v)| bad(v));
        let scsi = line
            .split_once("SMART Health Status:")
            .is_some_and(|(_, v)| bad(v));
        let nvme = ["Critical Warning:", "critical_warning"].iter().any(|key| {
            let value = line
                .trim_start()
                .strip_prefix(key)
                .map(|v| v.trim_start_matches([' ', ':']).trim());
            value.is_some_and(|v| {
                !v.is_empty()
                    && !v
                        .trim_start_matches("0x")
                        .trim_start_matches('0')
                        .is_empty()
            })
        });
        ata || scsi || nvme
    });
    let Some((number, line)) = verdict else {
        return;
    };
    let verdict = line.split_once(':').map_or(line, |(_, v)| v).trim();
    Draft::cause("smart-failed", "disk-smart-failing", 0.9, "Disk", device)
        .says(
            format!("Disk {device} fails its SMART health self-assessment: {verdict}"),
            format!("The drive {device} predicts its own failure (SMART overall health: {verdict}); it must be replaced and its data checked."),
        )
        .cites([doc.cite(number)])
        .with("device", device)
        .if_ticket(host, WORDS)
        .put(out);
}

/// Raw values that grow only when the medium fails.
fn attributes(host: &Host, doc: &Doc, device: &str, out: &mut Partial) {
    let mut found: Vec<(String, u64, Evidence)> = Vec::new();
    for (number, line) in doc.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ata = [
            "Reallocated_Sector_Ct",
            "Current_Pending_Sector",
            "Offline_Uncorrectable",
            "Reported_Uncorrect",
        ];
        let entry = if words.len() >= 10 && ata.contains(&words[1]) {
            words[9]
                .parse()
                .ok()
                .map(|raw: u64| (words[1].to_owned(), raw))
        } else {
            let named = [
                "Elements in grown defect list",
                "Media and Data Integrity Errors",
                "media_errors",
            ];
            named
                .iter()
                .find(|name| line.trim_start().starts_with(**name))
                .and_then(|name| {
                    let raw = line
                        .split_once(':')?
                        .1
                        .trim()
                        .replace(',', "")
                        .parse()
                        .ok()?;
                    Some(((*name).to_owned(), raw))
                })
                .or_else(|| {
                    let words = ["Percentage Used", "percentage_used"]
                        .iter()
                        .find(|name| line.trim_start().starts_with(**name))?;
                    let worn = line.split_once(':')?.1.trim().trim_end_matches('%');
                    let worn = worn.parse().ok().filter(|worn: &u64| *worn >= 100)?;
                    Some(((*words).to_owned(), worn))
                })
        };
        if let Some((name, raw)) = entry.filter(|(_, raw)| *raw > 0) {
            found.push((name, raw, doc.cite(number)));
        }
        if words.len() >= 9 && words.contains(&"FAILING_NOW") {
            found.push((words[1].to_owned(), 1_000_000, doc.cite(number)));
        }
    }
    let pending = found.iter().any(|(name, _, _)| {
        name.contains("Pending") || name.contains("ncorrect") || name.contains("edia")
    });
    let worst = found.iter().map(|f| f.1).max().unwrap_or(0);
    if found
        .iter()
        .all(|(name, ..)| name.starts_with(['P', 'p']) && name.contains("ercentage"))
        && worst > 0
    {
        Draft::cause("disk-worn-out", "disk-smart-failing", 0.58, "Disk", device)
            .says(
                format!("Disk {device} is worn out: {} {worst} %", found[0].0),
                format!("The drive {device} has written more than it is made for ({} {worst} %); it becomes slow or read-only and must be replaced.", found[0].0),
            )
            .cites(found.into_iter().map(|f| f.2))
            .with("device", device)
            .if_ticket(host, WORDS)
            .put(out);
        return;
    }
    let strength = match (worst, pending) {
        (0, _) => return,
        (100.., true) => 0.68,
        (_, true) => 0.55,
        (100.., false) => 0.5,
        _ => 0.34,
    };
    let list: Vec<String> = found
        .iter()
        .map(|(name, raw, _)| format!("{name} {raw}"))
        .collect();
    Draft::cause("smart-attributes", "disk-smart-failing", strength, "Disk", device)
        .says(
            format!("Disk {device} has defective sectors: {}", list.join(", ")),
            format!("SMART of {device} counts defects ({}); pending and uncorrectable sectors give read errors, a rising number means replacement.", list.join(", ")),
        )
        .cites(found.into_iter().map(|f| f.2))
        .with("device", device)
        .if_ticket(host, WORDS)
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn a_failed_self_assessment_is_decisive() {
        let out = on(&[(
            "sos_commands/ata/smartctl_-a_.dev.sdb",
            "SMART overall-health self-assessment test result: FAILED!\n",
        )]);
        assert_eq!(causes(&out), ["disk-smart-failing"]);
        assert!(out.signals[0].title.contains("sdb") && out.signals[0].strength >= 0.85);
    }

    #[test]
    fn passed_is_silent_and_defects_are_counted() {
        let good = "SMART overall-health self-assessment test result: PASSED\n  5 Reallocated_Sector_Ct 0x0033 100 100 010 Pre-fail Always - 0\n";
        assert!(causes(&on(&[("sos_commands/ata/smartctl_-a_.dev.sda", good)])).is_empty());
        let bad = "197 Current_Pending_Sector 0x0012 100 100 000 Old_age Always - 24\n";
        assert_eq!(
            on(&[("sos_commands/ata/smartctl_-a_.dev.sda", bad)]).signals[0].strength,
            0.55
        );
    }

    #[test]
    fn nvme_critical_warning() {
        assert!(
            causes(&on(&[(
                "sos_commands/nvme/smartctl_-a_.dev.nvme0n1",
                "Critical Warning:                   0x00\n"
            )]))
            .is_empty()
        );
        assert_eq!(
            causes(&on(&[(
                "sos_commands/nvme/smartctl_-a_.dev.nvme0n1",
                "Critical Warning:                   0x04\n"
            )])),
            ["disk-smart-failing"]
        );
    }

    #[test]
    fn a_drive_at_the_end_of_its_writes() {
        let of = |worn: &str| {
            let text =
                format!("critical_warning : 0\npercentage_used : {worn}%\nmedia_errors : 0\n");
            on(&[("sos_commands/nvme/nvme_smart-log_.dev.nvme0n1", &text)])
        };
        assert_eq!(causes(&of("112")), ["disk-smart-failing"]);
        assert!(of("12").signals.is_empty());
    }
}
