//! File systems: full, out of inodes, unexpectedly read-only.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};
use crate::signals::host::logs::Hits;
use std::collections::BTreeMap;

const WORDS: &[&str] = &[
    "disk",
    "space",
    "full",
    "write",
    "storage",
    "inode",
    "inodes",
    "filesystem",
];

/// One line of `df`.
struct Row {
    device: String,
    mount: String,
    used_percent: u64,
    total: u64,
    free: u64,
    cite: Evidence,
}

pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    let complaints: Vec<Evidence> = hits
        .of("no-space-left")
        .flat_map(|(_, group)| group.evidence().into_iter().take(1))
        .take(2)
        .collect();
    let mut seen = BTreeMap::new();
    for doc in host.commands("df", |_| true) {
        let inodes = doc
            .line_with(|line| line.contains("IUse%") || line.contains("Inodes"))
            .is_some();
        let mut rows = rows(&doc);
        rows.sort_by_key(|row| row.mount.len());
        for row in rows {
            // Subvolumes and bind mounts of one device are one file system.
            let key = if row.device.starts_with("/dev/") && row.used_percent > 90 {
                row.device.clone()
            } else {
                row.mount.clone()
            };
            if seen.insert((key, inodes), ()).is_none() {
                judge(host, &row, inodes, &complaints, out);
            }
        }
    }
    // The full file system explains the complaints; they stay as its evidence.
    let own = |path: &str| path.starts_with(host.root.as_str());
    let full = out.signals.iter().any(|s| {
        s.detector == "host.filesystem-full"
            && s.strength >= 0.9
            && s.evidence.iter().any(|e| own(&e.path))
    });
    if full {
        out.signals.retain(|s| {
            s.detector != "host.no-space-left" || !s.evidence.iter().any(|e| own(&e.path))
        });
    }
    read_only(host, out);
    stacked(host, out);
}

/// Mount point, use in percent, size in KiB and line of every real file system.
pub(super) fn usage(host: &Host) -> Vec<(String, u64, u64, Evidence)> {
    host.commands("df", |_| true)
        .iter()
        .filter(|doc| {
            doc.line_with(|line| line.contains("IUse%") || line.contains("Inodes"))
                .is_none()
        })
        .flat_map(rows)
        .map(|row| (row.mount, row.used_percent, row.total, row.cite))
        .collect()
}

/// Two real file systems on one mount point: the upper one hides the data of the lower.
fn stacked(host: &Host, out: &mut Partial) {
    if host.container {
        return;
    }
    const REAL: [&str; 9] = [
        "ext3",
        "ext4",
        "xfs",
        "btrfs",
        "nfs",
        "nfs4",
        "ceph",
        "fuse.glusterfs",
        "zfs",
    ];
    let Some(doc) = host
        .commands("mount", |name| !name.contains("mountinfo"))
        .into_iter()
        .next()
    else {
        return;
    };
    let mut seen: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for (number, line) in doc.lines() {
        let Some((device, rest)) = line.split_once(" on ") else {
            continue;
        };
        let Some((mount, kind)) = rest.split_once(" type ") else {
            continue;
        };
        let kind = kind.split_whitespace().next().unwrap_or_default();
        if !REAL.contains(&kind)
            || mount == "/"
            || mount.contains("/snap")
            || mount.contains("kubelet")
            || mount.contains("docker")
            || mount.contains("containers")
        {
            continue;
        }
        if let Some((first, below)) = seen.insert(mount.to_owned(), (number, device.to_owned())) {
            Draft::cause("stacked-mounts", "mounted-over", 0.6, "Filesystem", mount)
                .says(
                    format!("{mount} is mounted over: {below} and {device} on the same mount point"),
                    format!("Two file systems are mounted on {mount}: {device} hides {below}, so data written before seem lost and space is counted wrongly."),
                )
                .cites([doc.cite(first), doc.cite(number)])
                .with("mount", mount)
                .if_ticket(host, WORDS)
                .put(out);
        }
    }
}

/// 100 % is a fault; 95 % is one for small file systems, where it means megabytes.
fn judge(host: &Host, row: &Row, inodes: bool, complaints: &[Evidence], out: &mut Partial) {
    let temporary = row.device.contains("tmpfs") || row.device == "none" || row.device == "shm";
    let free_gib = row.free >> 20;
    let mut strength = match (inodes, row.used_percent) {
        (true, 99..) => 0.84,
        (true, 95..) => 0.55,
        (false, 100..) => 0.84,
        (false, 98..) if free_gib < 5 => 0.74,
        (false, 95..) if free_gib < 2 => 0.52,
        (false, 95..) => 0.34,
        _ => return,
    };
    if temporary || row.mount == "/boot" || row.mount == "/boot/efi" {
        strength -= 0.15;
    }
    if !complaints.is_empty() && row.used_percent >= 97 {
        strength = 0.93;
    }
    let (what, cause) = if inodes {
        ("inodes", "inodes-exhausted")
    } else {
        ("space", "disk-full")
    };
    let left = if inodes {
        format!("{} inodes free", row.free)
    } else {
        format!("{} MiB free", row.free >> 10)
    };
    Draft::cause(if inodes { "inodes-full" } else { "filesystem-full" }, cause, strength, "Filesystem", &row.mount)
        .says(
            format!("File system {} ({}) is out of {what}: {} % used, {left}", row.mount, row.device, row.used_percent),
            format!("{} on {} has {} % of its {what} in use ({left} of {}); programs that write there fail with \"No space left on device\".", row.mount, row.device, row.used_percent, row.total),
        )
        .cites([row.cite.clone()])
        .cites(complaints.iter().cloned())
        .with("mount", row.mount.as_str())
        .with("device", row.device.as_str())
        .if_ticket(host, WORDS)
        .put(out);
}

/// Rows of real file systems; images that are always full are left out.
fn rows(doc: &Doc) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut device_line: Option<String> = None;
    for (number, line) in doc.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.len() == 1 && words[0].starts_with('/') {
            device_line = Some(words[0].to_owned());
            continue;
        }
        let Some(at) = words
            .iter()
            .position(|w| w.ends_with('%') && w[..w.len() - 1].parse::<u64>().is_ok())
        else {
            continue;
        };
        let (Some(mount), true) = (words.get(at + 1..), at >= 3) else {
            continue;
        };
        let mount = mount.join(" ");
        let device = if at == 3 {
            device_line.take().unwrap_or_default()
        } else {
            words[0].to_owned()
        };
        let number_of = |index: usize| words.get(index).map_or(0, |word| blocks(word));
        let image = device.starts_with("/dev/loop")
            || device.starts_with("/dev/sr")
            || device == "overlay"
            || device == "squashfs"
            || device == "efivarfs"
            || mount.contains("/snap/")
            || mount.starts_with("/media")
            || mount.starts_with("/mnt/cdrom")
            || mount.starts_with("/sys")
            || mount.starts_with("/proc")
            || mount.contains("/kubelet/pods/")
            || device == "udev"
            || device == "devtmpfs"
            || device.starts_with("squashfuse")
            || device == "composefs";
        if image || !mount.starts_with('/') {
            continue;
        }
        rows.push(Row {
            device,
            mount,
            used_percent: blocks(words[at].trim_end_matches('%')),
            total: number_of(at - 3),
            free: number_of(at - 1),
            cite: doc.cite(number),
        });
    }
    rows
}

/// `1234` or, with `df -h`, `1.2G`; in KiB as far as a unit is given.
pub(super) fn blocks(word: &str) -> u64 {
    let unit = match word.chars().last() {
        Some('M') => 1 << 10,
        Some('G') => 1 << 20,
        Some('T') => 1 << 30,
        Some('P') => 1 << 40,
        _ => 1,
    };
    let number = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (whole, part) = number.split_once(['.', ',']).unwrap_or((number, ""));
    let tenth = part
        .bytes()
        .next()
        .map_or(0, |b| u64::from(b.saturating_sub(b'0').min(9)));
    whole.parse::<u64>().map_or(0, |n| {
        n.saturating_mul(unit).saturating_add(tenth * unit / 10)
    })
}

/// Mounted `ro` now although `/etc/fstab` asks for read and write: an error did that.
fn read_only(host: &Host, out: &mut Partial) {
    let Some(fstab) = host.file("etc/fstab") else {
        return;
    };
    if host.container {
        return;
    }
    let mut wanted = BTreeMap::new();
    for (number, line) in fstab.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.len() >= 4
            && !line.trim_start().starts_with('#')
            && ["ext3", "ext4", "xfs", "btrfs", "jfs"].contains(&words[2])
            && !words[3].split(',').any(|o| o == "ro")
        {
            wanted.insert(words[1].to_owned(), number);
        }
    }
    for doc in host.commands("mount", |name| !name.contains("mountinfo")) {
        for (number, line) in doc.lines() {
            let Some((_, rest)) = line.split_once(" on ") else {
                continue;
            };
            let Some((mount, options)) = rest.split_once(" type ") else {
                continue;
            };
            let Some(expected) = wanted.remove(mount) else {
                continue;
            };
            if options.split(['(', ')', ',']).any(|option| option == "ro") {
                Draft::cause("mounted-read-only", "filesystem-read-only", 0.84, "Filesystem", mount)
                    .says(
                        format!("{mount} is mounted read-only although /etc/fstab asks for read and write"),
                        format!("{mount} is read-only now; the kernel remounts a file system so after an error of it or of its disk, and every write fails."),
                    )
                    .cites([doc.cite(number), fstab.cite(expected)])
                    .with("mount", mount)
                    .if_ticket(host, &["read-only", "write", "disk", "filesystem"])
                    .put(out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    const HEAD: &str = "Filesystem 1K-blocks Used Available Use% Mounted on\n";

    #[test]
    fn a_full_disk_is_found_and_images_are_not() {
        let df = format!(
            "{HEAD}/dev/loop0 56832 56832 0 100% /snap/core18/1\ntmpfs 402604 1104 401500 1% /run\n/dev/sda1 40470732 40470000 0 100% /var\n"
        );
        let out = on(&[("sos_commands/filesys/df_-al_-x_autofs", &df)]);
        assert_eq!(causes(&out), ["disk-full"]);
        assert!(out.signals[0].title.contains("/var"));
    }

    #[test]
    fn complaints_become_evidence_of_the_full_disk() {
        let df = format!("{HEAD}/dev/sda1 40470732 40470000 0 100% /var\n");
        let log = "Feb  1 10:00:00 h web[9]: write: No space left on device\n";
        let out = on(&[
            ("sos_commands/filesys/df_-al", &df),
            ("var/log/syslog", log),
        ]);
        assert_eq!(causes(&out), ["disk-full"]);
        assert!(out.signals[0].strength >= 0.9 && out.signals[0].evidence.len() == 2);
        assert_eq!(causes(&on(&[("var/log/syslog", log)])), ["disk-full"]);
    }

    #[test]
    fn inodes_are_told_from_space() {
        let df =
            "Filesystem Inodes IUsed IFree IUse% Mounted on\n/dev/sda1 1000 1000 0 100% /srv\n";
        assert_eq!(
            causes(&on(&[("sos_commands/filesys/df_-ali_-x_autofs", df)])),
            ["inodes-exhausted"]
        );
    }

    #[test]
    fn a_large_disk_at_95_percent_is_no_alarm() {
        let df = format!("{HEAD}/dev/sda1 4047073200 3844719540 202353660 95% /srv\n");
        assert!(
            on(&[("df", &df), ("etc/fstab", "")])
                .signals
                .iter()
                .all(|s| s.strength < 0.5)
        );
    }

    #[test]
    fn read_only_against_fstab() {
        let fstab = "UUID=1 / ext4 defaults 0 1\n/dev/sdb1 /iso ext4 ro 0 0\n";
        let mount = "/dev/sda1 on / type ext4 (ro,relatime)\n/dev/sdb1 on /iso type ext4 (ro)\n";
        let out = on(&[
            ("etc/fstab", fstab),
            ("sos_commands/filesys/mount_-l", mount),
        ]);
        assert_eq!(causes(&out), ["filesystem-read-only"]);
        assert!(
            causes(&on(&[
                ("etc/fstab", fstab),
                (
                    "sos_commands/filesys/mount_-l",
                    "/dev/sda1 on / type ext4 (rw)\n/dev/sdb1 on /iso type ext4 (ro)\n"
                )
            ]))
            .is_empty()
        );
    }
}
