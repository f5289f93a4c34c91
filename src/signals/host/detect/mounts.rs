//! What fstab asks for against what is mounted.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;
use std::collections::BTreeSet;

const WORDS: &[&str] = &[
    "mount",
    "mounted",
    "fstab",
    "disk",
    "data",
    "empty",
    "missing",
    "nfs",
    "share",
    "filesystem",
];
const KINDS: [&str; 9] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "nfs", "nfs4", "cifs", "ceph",
];

/// Finds file systems that should be mounted at boot and are not: programs then write into the empty folder below.
pub fn detect(host: &Host, out: &mut Partial) {
    if host.container {
        return;
    }
    let (Some(fstab), Some(mounted)) = (
        host.file("etc/fstab"),
        host.commands("mount", |name| !name.contains("mountinfo"))
            .into_iter()
            .next(),
    ) else {
        return;
    };
    let places: BTreeSet<&str> = mounted
        .lines()
        .filter_map(|(_, line)| Some(line.split_once(" on ")?.1.split_once(" type ")?.0))
        .collect();
    // A list without the root is of a name space, or cut.
    if !places.contains("/") {
        return;
    }
    // The list of mounts may be cut; what df shows is mounted.
    let shown: BTreeSet<String> = super::filesystems::usage(host)
        .into_iter()
        .map(|row| row.0)
        .collect();
    let mut absent = Vec::new();
    for (number, line) in fstab.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [device, place, kind, options, ..] = words[..] else {
            continue;
        };
        let place = if place.len() > 1 {
            place.trim_end_matches('/')
        } else {
            place
        };
        if device.starts_with('#')
            || !place.starts_with('/')
            || !KINDS.contains(&kind)
            || place.starts_with("/boot")
            || place.starts_with("/media")
            || options.split(',').any(|option| {
                matches!(
                    option,
                    "noauto"
                        | "x-systemd.automount"
                        | "comment=systemd.automount"
                        | "bind"
                        | "ro,noauto"
                )
            })
            || places.contains(place.replace("\\040", " ").as_str())
            || shown.contains(place)
        {
            continue;
        }
        absent.push((device.to_owned(), place.to_owned(), fstab.cite(number)));
    }
    let Some((device, place, _)) = absent.first() else {
        return;
    };
    let more = match absent.len() {
        1 => String::new(),
        many => format!(" and {} more", many - 1),
    };
    Draft::cause("fstab-not-mounted", "fstab-not-mounted", 0.62, "Mount", place)
        .says(
            format!("{place} of /etc/fstab is not mounted{more}"),
            format!("/etc/fstab asks for {device} on {place}{more}, and nothing is mounted there: what programs write goes into the folder below on another file system, and what they look for is not there."),
        )
        .cites(absent.iter().take(3).map(|row| row.2.clone()))
        .cites(mounted.line_with(|line| line.contains(" on / type ")).map(|(number, _)| mounted.cite(number)))
        .with("mount", place.as_str())
        .with("device", device.as_str())
        .if_ticket(host, WORDS)
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn a_file_system_that_is_not_there() {
        let mount = "/dev/sda1 on / type ext4 (rw)\n/dev/sdb1 on /srv type xfs (rw)\n";
        let of = |fstab: &str| {
            on(&[
                ("etc/fstab", fstab),
                ("sos_commands/filesys/mount_-l", mount),
            ])
        };
        let root = "UUID=1 / ext4 defaults 0 1\n/dev/sdb1 /srv/ xfs defaults 0 2\n";
        assert_eq!(
            causes(&of(&format!(
                "{root}UUID=2 /var/lib/shop xfs defaults,nofail 0 2\n"
            ))),
            ["fstab-not-mounted"]
        );
        assert!(of(&format!("{root}UUID=2 /backup xfs noauto 0 2\n# UUID=3 /old xfs defaults 0 0\n/dev/cdrom /mnt iso9660 ro 0 0\n")).signals.is_empty());
    }
}
