//! Storage over the network and clustered volumes as their tools show them now: iSCSI sessions, NVMe paths, btrfs.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;

const WORDS: &[&str] = &[
    "iscsi",
    "nvme",
    "lun",
    "storage",
    "disk",
    "volume",
    "multipath",
    "path",
    "san",
    "btrfs",
    "filesystem",
];

pub fn detect(host: &Host, out: &mut Partial) {
    iscsi(host, out);
    nvme_paths(host, out);
    btrfs(host, out);
}

/// `iscsiadm -m session -P 3`: a connection that is not logged in.
fn iscsi(host: &Host, out: &mut Partial) {
    for doc in host.commands("iscsiadm", |name| name.contains("session")) {
        let mut target = String::new();
        let mut portal = None;
        for (number, line) in doc.lines() {
            let bare = line.trim();
            if let Some(name) = bare.strip_prefix("Target: ") {
                name.split(' ')
                    .next()
                    .unwrap_or(name)
                    .clone_into(&mut target);
            } else if bare.starts_with("Current Portal: ") {
                portal = Some(number);
            } else if let Some(state) = bare
                .strip_prefix("iSCSI Connection State: ")
                .or_else(|| bare.strip_prefix("Internal iscsid Session State: "))
                && !["LOGGED IN", "LOGGED_IN", "NO CHANGE", "Unknown"].contains(&state.trim())
                && !state.trim().is_empty()
            {
                let at = portal.and_then(|number| {
                    Some((number, doc.lines().find(|(n, _)| *n == number)?.1.trim()))
                });
                let address = at
                    .and_then(|(_, line)| line.strip_prefix("Current Portal: "))
                    .map_or("", |line| line.split(',').next().unwrap_or(line));
                Draft::cause("iscsi-state", "iscsi-session-lost", 0.84, "Target", &target)
                    .says(
                        format!("The session to {target} {address} is not logged in: {}", state.trim()),
                        format!("The initiator has no working connection to {target} at {address} (state {}): its disks stall or fail until portal and network answer again.", state.trim()),
                    )
                    .cites([doc.cite(number)])
                    .cites(at.map(|(number, _)| doc.cite(number)))
                    .if_ticket(host, WORDS)
                    .put(out);
                return;
            }
        }
    }
}

/// ` +- nvme1 tcp traddr=… connecting`: a path that tries to come back.
fn nvme_paths(host: &Host, out: &mut Partial) {
    for doc in host.commands("nvme", |name| name.contains("subsys")) {
        let lost: Vec<(usize, &str)> = doc
            .lines()
            .filter(|(_, line)| {
                line.contains("+- nvme")
                    && [" connecting", " resetting", " deleting", " dead"]
                        .iter()
                        .any(|state| line.contains(state))
            })
            .collect();
        let Some((_, line)) = lost.first() else {
            continue;
        };
        let name = line
            .split_whitespace()
            .find(|word| word.starts_with("nvme"))
            .unwrap_or("nvme");
        Draft::cause("nvme-path", "nvme-path-lost", 0.8, "Disk", name)
            .says(
                format!("NVMe path {name} is lost: {}", line.trim().trim_start_matches("+- ")),
                format!("The host tries to reach the NVMe target again over {name} and does not succeed; its name spaces lose a path or stall."),
            )
            .cites(lost.iter().take(3).map(|(number, _)| doc.cite(*number)))
            .if_ticket(host, WORDS)
            .put(out);
        return;
    }
}

/// Errors that btrfs counts for each device, and chunks for metadata that are full with none left to allocate.
fn btrfs(host: &Host, out: &mut Partial) {
    for doc in host.commands("btrfs", |_| true) {
        let bad = doc.lines().find(|(_, line)| {
            line.starts_with('[')
                && [
                    "write_io_errs",
                    "read_io_errs",
                    "corruption_errs",
                    "flush_io_errs",
                ]
                .iter()
                .any(|key| line.contains(key))
                && line
                    .split_whitespace()
                    .next_back()
                    .is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count > 0))
        });
        if let Some((number, line)) = bad {
            let device = line[1..].split(']').next().unwrap_or_default();
            Draft::cause("btrfs-device-errors", "filesystem-corruption", 0.7, "Disk", device)
                .says(
                    format!("btrfs counts errors of {device}: {}", line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")),
                    format!("btrfs noted errors while it read or wrote {device}; the disk, its cable or memory damages data."),
                )
                .cites([doc.cite(number)])
                .if_ticket(host, WORDS)
                .put(out);
        }
        let bytes = |text: &str| -> Option<f64> {
            let end = text.find(|c: char| c.is_ascii_alphabetic())?;
            let unit = match &text[end..] {
                "TiB" => 1024.0 * 1024.0,
                "GiB" => 1024.0,
                "MiB" => 1.0,
                "KiB" => 1.0 / 1024.0,
                "B" => 0.0,
                _ => return None,
            };
            Some(text[..end].parse::<f64>().ok()? * unit)
        };
        let after = |line: &str, key: &str| {
            line.split_once(key)
                .and_then(|(_, rest)| bytes(rest.trim_start().split([',', ' ', ')']).next()?))
        };
        let free = doc
            .lines()
            .find_map(|(number, line)| Some((number, after(line.trim(), "Device unallocated:")?)));
        let metadata = doc.lines().find_map(|(number, line)| {
            let (size, used) = if line.starts_with("Metadata,") {
                (
                    after(line, "Size:").or_else(|| after(line, "total="))?,
                    after(line, "Used:").or_else(|| after(line, "used="))?,
                )
            } else {
                return None;
            };
            Some((number, line, size, used))
        });
        if let (Some((free_at, free)), Some((number, line, size, used))) = (free, metadata)
            && free < 1024.0
            && size > 0.0
            && used / size >= 0.9
        {
            Draft::cause("btrfs-metadata-full", "btrfs-out-of-space", 0.84, "Filesystem", "btrfs")
                .says(
                    format!("btrfs has no room for metadata: {}", line.trim()),
                    format!("The chunks for metadata are nearly full ({}) and nothing of the device is left to allocate: writes fail with \"No space left on device\" although df shows free space.", line.trim()),
                )
                .cites([doc.cite(number), doc.cite(free_at)])
                .if_ticket(host, WORDS)
                .put(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn sessions_and_paths() {
        let iscsi = |state: &str| {
            let text = format!(
                "Target: iqn.2001-05.com.example:vol1 (non-flash)\n\tCurrent Portal: 10.0.0.9:3260,1\n\t\tiSCSI Connection State: {state}\n\t\tInternal iscsid Session State: NO CHANGE\n"
            );
            on(&[("sos_commands/iscsi/iscsiadm_-m_session_-P_3", &text)])
        };
        assert_eq!(causes(&iscsi("TRANSPORT WAIT")), ["iscsi-session-lost"]);
        assert!(iscsi("LOGGED IN").signals.is_empty());
        let nvme = |state: &str| {
            on(&[(
                "sos_commands/nvme/nvme_list-subsys",
                &format!(
                    "nvme-subsys1 - NQN=nqn.x\n\\\n +- nvme1 tcp traddr=10.0.0.9 trsvcid=4420 {state}\n"
                ),
            )])
        };
        assert_eq!(causes(&nvme("connecting")), ["nvme-path-lost"]);
        assert!(nvme("live").signals.is_empty());
    }

    #[test]
    fn btrfs_by_its_tools() {
        let stats = |count: &str| {
            on(&[(
                "sos_commands/btrfs/btrfs_device_stats_.",
                &format!("[/dev/sdb].write_io_errs    0\n[/dev/sdb].corruption_errs  {count}\n"),
            )])
        };
        assert_eq!(causes(&stats("12")), ["filesystem-corruption"]);
        assert!(stats("0").signals.is_empty());
        let usage = |used: &str, left: &str| {
            on(&[(
                "sos_commands/btrfs/btrfs_filesystem_usage_.",
                &format!(
                    "Overall:\n    Device size:\t\t  40.00GiB\n    Device unallocated:\t\t   {left}\nMetadata,DUP: Size:1.00GiB, Used:{used}\n"
                ),
            )])
        };
        assert_eq!(causes(&usage("0.98GiB", "1.00MiB")), ["btrfs-out-of-space"]);
        assert!(usage("0.40GiB", "1.00MiB").signals.is_empty());
        assert!(usage("0.98GiB", "12.00GiB").signals.is_empty());
    }
}
