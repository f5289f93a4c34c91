//! Boots that stop half way: a device of fstab that does not exist, file systems that need a check, an
//! initramfs that does not find its root.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};
use crate::signals::host::logs::Hits;

const WORDS: &[&str] = &[
    "boot",
    "boots",
    "booting",
    "reboot",
    "rebooted",
    "emergency",
    "maintenance",
    "mount",
    "mounted",
    "fstab",
    "start",
    "grub",
];

/// One line of fstab.
struct Wanted {
    device: String,
    place: String,
    kind: String,
    line: Evidence,
}

pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    let emergency: Vec<Evidence> = hits
        .of("emergency-mode")
        .flat_map(|(_, group)| group.evidence().into_iter().take(1))
        .collect();
    let wanted = host
        .file("etc/fstab")
        .map(|doc| fstab(&doc))
        .unwrap_or_default();
    let known = host.command("blkid", &[]);
    for (_, group) in hits.of("device-timeout") {
        let device = readable(group.get("device"));
        let spec = wanted.iter().find(|w| same(&w.device, &device));
        let absent = known.as_ref().filter(|doc| {
            device.contains('=') && !doc.contains(device.split('=').nth(1).unwrap_or_default())
        });
        let instead = absent.and_then(|doc| unused(doc, &wanted, spec));
        let place = spec.map_or(String::new(), |w| format!(" for {}", w.place));
        let then = if emergency.is_empty() {
            "what is mounted from it and what depends on that does not start"
        } else {
            "local-fs.target fails and the boot ends in emergency mode"
        };
        let exists = match (&instead, absent) {
            (Some((_, name)), _) => {
                format!("blkid does not know it; {name} is used by no line of fstab")
            }
            (None, Some(_)) => "blkid does not know it".to_owned(),
            _ => "it does not appear".to_owned(),
        };
        let strength = match (absent.is_some(), emergency.is_empty()) {
            (true, _) => 0.9,
            (false, false) => 0.84,
            (false, true) => 0.72,
        };
        Draft::cause("device-missing", "boot-device-missing", strength, "Device", &device)
            .says(
                format!("Device {device}{place} of /etc/fstab does not exist: timed out at boot"),
                format!("systemd waits in vain for {device}{place} ({exists}): {then}. The entry is wrong or stale, or the disk, its driver, path or login is missing."),
            )
            .cites(group.evidence().into_iter().take(2))
            .cites(spec.map(|w| w.line.clone()))
            .cites(instead.map(|(line, _)| line))
            .cites(emergency.iter().take(1).cloned())
            .if_ticket(host, WORDS)
            .with("device", device.as_str())
            .put(out);
    }
}

fn fstab(doc: &Doc) -> Vec<Wanted> {
    doc.lines()
        .filter(|(_, line)| !line.trim_start().starts_with('#'))
        .filter_map(|(number, line)| {
            let mut words = line.split_whitespace();
            Some(Wanted {
                device: words.next()?.replace('"', ""),
                place: words.next()?.to_owned(),
                kind: words.next()?.to_owned(),
                line: doc.cite(number),
            })
        })
        .collect()
}

/// `UUID=…` for `/dev/disk/by-uuid/…`, and the device of a unit's escaped name.
fn readable(device: &str) -> String {
    let device = device
        .trim_end_matches(['.', '…'])
        .trim_end_matches(".device");
    let plain = if device.starts_with('/') {
        device.to_owned()
    } else {
        let mut path = String::from("/");
        let mut rest = device;
        while let Some(c) = rest.chars().next() {
            let hex = rest
                .strip_prefix("\\x")
                .and_then(|tail| u8::from_str_radix(tail.get(..2)?, 16).ok());
            if let Some(byte) = hex {
                path.push(char::from(byte));
                rest = &rest[4..];
            } else {
                path.push(if c == '-' { '/' } else { c });
                rest = &rest[c.len_utf8()..];
            }
        }
        path
    };
    for (folder, key) in [
        ("/dev/disk/by-uuid/", "UUID="),
        ("/dev/disk/by-label/", "LABEL="),
        ("/dev/disk/by-partuuid/", "PARTUUID="),
        ("/dev/disk/by-partlabel/", "PARTLABEL="),
    ] {
        if let Some(value) = plain.strip_prefix(folder) {
            return format!("{key}{value}");
        }
    }
    plain
}

/// `/dev/system/var` and `/dev/mapper/system-var` are one device.
fn same(a: &str, b: &str) -> bool {
    let flat = |text: &str| {
        text.trim_start_matches("/dev/mapper/")
            .trim_start_matches("/dev/")
            .replace('/', "-")
            .to_lowercase()
    };
    flat(a) == flat(b)
}

/// A file system of the wanted type that blkid knows and no line of fstab names.
fn unused(doc: &Doc, wanted: &[Wanted], spec: Option<&Wanted>) -> Option<(Evidence, String)> {
    let kind = spec.map(|w| w.kind.as_str()).filter(|kind| *kind != "auto");
    let (number, line) = doc.line_with(|line| {
        let field = |key: &str| {
            line.split_once(&format!(" {key}=\""))
                .and_then(|(_, rest)| rest.split('"').next())
        };
        let named = line.split(':').next().unwrap_or_default();
        let of_kind = field("TYPE").is_some_and(|t| {
            kind.map_or(
                !matches!(t, "LVM2_member" | "swap" | "squashfs" | "crypto_LUKS"),
                |k| k == t,
            )
        });
        of_kind
            && !wanted.iter().any(|w| {
                same(&w.device, named)
                    || field("UUID").is_some_and(|u| w.device.contains(u))
                    || field("LABEL").is_some_and(|l| w.device == format!("LABEL={l}"))
            })
    })?;
    Some((doc.cite(number), line.split(':').next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::readable;
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn a_uuid_of_fstab_that_no_disk_has() {
        let log = "Jun 11 11:01:18 a systemd[1]: Timed out waiting for device /dev/disk/by-uuid/11-22.\nJun 11 11:01:18 a systemd[1]: Dependency failed for /data.\nJun 11 11:01:19 a systemd[1]: Reached target Emergency Mode.\n";
        let fstab = (
            "etc/fstab",
            "UUID=aa-bb / ext4 defaults 0 1\nUUID=11-22 /data xfs defaults 0 2\n",
        );
        let blkid =
            "/dev/sda1: UUID=\"aa-bb\" TYPE=\"ext4\"\n/dev/sdb1: UUID=\"33-44\" TYPE=\"xfs\"\n";
        let out = on(&[
            ("var/log/messages", log),
            fstab,
            ("sos_commands/block/blkid_-c_.dev.null", blkid),
        ]);
        assert_eq!(causes(&out)[0], "boot-device-missing");
        let first = out
            .signals
            .iter()
            .find(|s| s.cause == "boot-device-missing")
            .unwrap();
        assert!(
            first.title.contains("UUID=11-22 for /data") && first.statement.contains("/dev/sdb1")
        );
        assert!(first.statement.contains("emergency"));
        let fine = "Jun 11 11:01:18 a systemd[1]: Mounted /data.\n";
        assert!(on(&[("var/log/messages", fine), fstab]).signals.is_empty());
    }

    #[test]
    fn names_of_units_are_read_back() {
        assert_eq!(
            readable("dev-disk-by\\x2duuid-11\\x2d22.device"),
            "UUID=11-22"
        );
        assert_eq!(readable("/dev/disk/by-label/data."), "LABEL=data");
        assert_eq!(
            readable("dev-mapper-vg0\\x2ddata.device"),
            "/dev/mapper/vg0-data"
        );
        assert_eq!(readable("dev-é\\xzz"), "/dev/é\\xzz");
    }
}
