//! What was mounted until the boot and is not mounted since: a mount by hand that nobody wrote into fstab.

use super::loose_volumes::volumes;
use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::clock::{DAY, date};
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;
use crate::signals::host::logs::Hits;
use std::collections::{BTreeMap, BTreeSet};

/// Parts of paths that name no program.
const COMMON: [&str; 18] = [
    "var", "lib", "opt", "srv", "data", "home", "mnt", "usr", "local", "log", "logs", "www",
    "cache", "app", "apps", "storage", "disk", "volume",
];
/// From the last unmounting to the kernel's first second: a shutdown and the firmware's own start.
const SHUTDOWN: i64 = 3600;
/// `uptime` counts in minutes.
const BLUR: i64 = 120;

/// A mount point as the logs show it.
#[derive(Default)]
struct Seen {
    last: Option<i64>,
    /// The last that was seen is that it was mounted: the host went down without a word.
    up: bool,
    cites: Vec<Evidence>,
}

/// Looks for mount points of the logs among what is mounted now.
pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    if host.container {
        return;
    }
    let seen = seen(hits);
    if seen.is_empty() {
        return;
    }
    let (mounted, automatic) = mounted(host);
    // Without the root the list is of a name space, or there is none.
    if !mounted.contains("/") {
        return;
    }
    let free = volumes(host);
    for (place, seen) in seen {
        let below = |outer: &String| {
            place
                .strip_prefix(outer.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if mounted.contains(&place) || automatic.iter().any(below) || is_unit(host, &place) {
            continue;
        }
        let (asked, remark) = fstab(host, &place);
        if asked {
            continue;
        }
        let until_boot = host
            .frame
            .boot
            .zip(seen.last)
            .filter(|(boot, last)| {
                *last <= boot + BLUR && boot - last <= if seen.up { 30 * DAY } else { SHUTDOWN }
            })
            .map(|(boot, _)| boot);
        let named = is_named(host, &place);
        let volume = free
            .iter()
            .find(|volume| shares_a_word(&volume.name, &place))
            .or_else(|| free.first());
        let known = volume.is_some_and(|volume| volume.kind.is_some());
        let strength = match (until_boot, known, named) {
            (Some(_), true, _) | (Some(_), _, true) => 0.78,
            (None, true, true) if !seen.up => 0.6,
            (Some(_), false, false) if volume.is_some() => 0.5,
            _ => continue,
        };
        let when = until_boot.map_or_else(
            || "before".to_owned(),
            |boot| format!("until the boot of {}", date(boot)),
        );
        let missing = match (&remark, host.file("etc/fstab").is_some()) {
            (Some(_), _) => " Its line in /etc/fstab is commented out.",
            (None, true) => " /etc/fstab has no entry for it.",
            (None, false) => "",
        };
        let holder = volume.map_or_else(String::new, |volume| {
            let kind = volume
                .kind
                .as_deref()
                .map_or(String::new(), |kind| format!(", {kind}"));
            let sure = match shares_a_word(&volume.name, &place) {
                true => "is probably it",
                false => "may be it",
            };
            format!(
                " Volume {} ({}{kind}) is mounted nowhere and {sure}; what was written before lies there.",
                volume.name, volume.size
            )
        });
        Draft::cause("mount-lost", "mount-lost-at-boot", strength, "Mount", &place)
            .says(
                format!("{place} was mounted {when} and is not mounted now"),
                format!("A file system was mounted on {place} {when} and is not mounted now.{missing}{holder} Programs find an empty folder in its place and start anew in it."),
            )
            .cites(seen.cites.iter().rev().take(2).rev().cloned())
            .cites(remark)
            .cites(volume.into_iter().flat_map(|volume| volume.cites.iter().cloned()))
            .with("mount", place.as_str())
            .put(out);
    }
}

/// Mount points that systemd named, by path.
fn seen(hits: &Hits) -> BTreeMap<String, Seen> {
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    for (_, group) in hits.of("mount-seen") {
        let unit = [group.get("unit"), group.get("ended")];
        let unit = unit.into_iter().find(|unit| !unit.is_empty());
        let place = match unit {
            Some(unit) => path_of(unit),
            None => group.get("place").to_owned(),
        };
        // Of the root systemd speaks at each shutdown.
        if place.len() < 2 || !place.starts_with('/') {
            continue;
        }
        let one = seen.entry(place).or_default();
        let up = group.get("did") == "M";
        if one.last.is_none() || group.last > one.last {
            one.up = up;
        } else if group.last == one.last {
            one.up &= up;
        }
        one.last = one.last.max(group.last);
        one.cites.extend(group.evidence());
    }
    seen
}

/// `srv-big\x2ddata` as `/srv/big-data` (systemd.unit(5), "string escaping for inclusion in unit names").
fn path_of(unit: &str) -> String {
    let mut path = String::from("/");
    let mut rest = unit;
    while let Some(c) = rest.chars().next() {
        let code = rest
            .strip_prefix("\\x")
            .and_then(|hex| hex.get(..2))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .filter(u8::is_ascii);
        if let Some(code) = code {
            path.push(char::from(code));
            rest = &rest[4..];
        } else {
            path.push(if c == '-' { '/' } else { c });
            rest = &rest[c.len_utf8()..];
        }
    }
    path
}

/// The unit of a path, without its suffix.
fn unit_of(place: &str) -> String {
    place
        .trim_start_matches('/')
        .replace('-', "\\x2d")
        .replace('/', "-")
}

/// Whether a unit file or an automount cares for the place: then its absence is another fault, or none.
fn is_unit(host: &Host, place: &str) -> bool {
    let unit = unit_of(place);
    let (own, auto) = (format!("{unit}.mount"), format!("{unit}.automount"));
    host.file(&format!("etc/systemd/system/{own}")).is_some()
        || host
            .file(&format!("usr/lib/systemd/system/{own}"))
            .is_some()
        || host
            .commands("systemctl", |name| name.contains("list-unit"))
            .iter()
            .any(|doc| doc.contains(&auto))
}

/// What is mounted, by every list there is, and where the automounter waits.
fn mounted(host: &Host) -> (BTreeSet<String>, Vec<String>) {
    let mut places = BTreeSet::new();
    let mut automatic = Vec::new();
    for doc in host.commands("mount", |name| !name.contains("mountinfo")) {
        for (_, line) in doc.lines() {
            let Some((place, kind)) = line
                .split_once(" on ")
                .and_then(|(_, rest)| rest.split_once(" type "))
            else {
                continue;
            };
            places.insert(place.to_owned());
            if kind.starts_with("autofs") {
                automatic.push(place.to_owned());
            }
        }
    }
    for file in ["proc/mounts", "proc/self/mounts", "proc/1/mounts"] {
        for (_, line) in host.file(file).iter().flat_map(|doc| doc.lines()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [_, place, kind, ..] = words[..] {
                let place = place.replace("\\040", " ");
                if kind == "autofs" {
                    automatic.push(place.clone());
                }
                places.insert(place);
            }
        }
    }
    let trees = ["findmnt", "lsblk", "df"];
    for doc in trees.iter().flat_map(|tool| host.commands(tool, |_| true)) {
        for (_, line) in doc.lines() {
            // findmnt begins with the place, lsblk and df end with it.
            let drawn = line.trim_start_matches(|c: char| !c.is_ascii_alphanumeric() && c != '/');
            let ends = [
                drawn.split_whitespace().next(),
                line.split_whitespace().last(),
            ];
            places.extend(
                ends.into_iter()
                    .flatten()
                    .filter(|word| word.starts_with('/'))
                    .map(str::to_owned),
            );
        }
    }
    (places, automatic)
}

/// Whether fstab has the place, and its line if that is commented out.
fn fstab(host: &Host, place: &str) -> (bool, Option<Evidence>) {
    let mut remark = None;
    for (doc, number, line) in host
        .file("etc/fstab")
        .iter()
        .flat_map(|doc| doc.lines().map(move |(number, line)| (doc, number, line)))
    {
        let bare = line.trim_start().trim_start_matches('#');
        let words: Vec<&str> = bare.split_whitespace().collect();
        let [_, at, _, ..] = words[..] else { continue };
        if at.replace("\\040", " ").trim_end_matches('/') != place {
            continue;
        }
        if bare.len() == line.trim_start().len() {
            return (true, None);
        }
        remark = Some(doc.cite(number));
    }
    (false, remark)
}

/// Parts of a path or a volume's name that say whose it is.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() >= 3 && !COMMON.contains(word))
}

fn shares_a_word(name: &str, place: &str) -> bool {
    let name = name.to_lowercase();
    words(&place.to_lowercase()).any(|word| name.contains(word))
}

/// Whether the customer names the path, or the program whose folder it is.
fn is_named(host: &Host, place: &str) -> bool {
    let place = place.to_lowercase();
    let whole = host.ticket.match_indices(&place).any(|(at, _)| {
        let before = host.ticket[..at].chars().next_back();
        let after = host.ticket[at + place.len()..].chars().next();
        let goes_on = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        !before.is_some_and(goes_on) && !after.is_some_and(goes_on)
    });
    whole || words(&place).any(|word| host.ticket_has(&[word]))
}

#[cfg(test)]
mod tests {
    use super::{path_of, unit_of};
    use crate::signals::Partial;
    use crate::signals::host::tests::{causes, on_ticket};

    const MOUNT: &str = "/dev/sda1 on / type ext4 (rw)\n";
    const DISKS: &str = "NAME MAJ:MIN RM SIZE RO TYPE MOUNTPOINT\nsda 8:0 0 100G 0 disk \n└─sda1 8:1 0 100G 0 part /\nsdb 8:16 0 500G 0 disk \n└─vg-shop 253:4 0 499G 0 lvm  \n";
    const KINDS: &str = "/dev/sda1: UUID=\"1\" TYPE=\"ext4\"\n/dev/sdb: UUID=\"2\" TYPE=\"LVM2_member\"\n/dev/mapper/vg-shop: UUID=\"3\" TYPE=\"xfs\"\n";
    const LOG: &str = "Mar  1 02:10:00 n1 systemd[1]: Unmounting /srv/shop...\nMar  1 02:10:01 n1 systemd[1]: srv-shop.mount: Succeeded.\nMar  1 02:10:01 n1 systemd[1]: Unmounted /srv/shop.\n";

    /// A host that booted on 1 March at 02:12; `more` replaces or adds files.
    fn host(more: &[(&'static str, &'static str)], ticket: Option<&str>) -> Partial {
        let mut files = vec![
            ("etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n"),
            ("sos_commands/filesys/mount_-l", MOUNT),
            ("sos_commands/block/lsblk", DISKS),
            ("sos_commands/block/blkid_-c_.dev.null", KINDS),
            ("sos_commands/date/date", "Sat Mar  2 02:12:00 UTC 2024\n"),
            (
                "sos_commands/host/uptime",
                " 02:12:00 up 1 day,  0:00,  1 user,  load average: 0.1, 0.1, 0.1\n",
            ),
            ("var/log/syslog", LOG),
        ];
        for (path, text) in more {
            files.retain(|(known, _)| known != path);
            if !text.is_empty() {
                files.push((path, text));
            }
        }
        on_ticket(&files, ticket)
    }
    fn strength(more: &[(&'static str, &'static str)], ticket: Option<&str>) -> f64 {
        let out = host(more, ticket);
        let found = out.signals.iter().find(|s| s.cause == "mount-lost-at-boot");
        found.map_or(0.0, |signal| signal.strength)
    }

    #[test]
    fn mounted_until_the_boot() {
        let out = host(&[], None);
        assert_eq!(causes(&out), ["mount-lost-at-boot"]);
        let found = &out.signals[0];
        assert!(found.strength > 0.77 && found.statement.contains("vg-shop (499G, xfs)"));
        assert!(found.statement.contains("no entry"));
        // Newer releases name the unit; without a word the host was cut off while it was mounted.
        let syslog = "var/log/syslog";
        for log in [
            "Mar  1 02:10:01 n1 systemd[1]: Unmounted srv-shop.mount - /srv/shop.\n",
            "Mar  1 02:10:01 n1 systemd[1]: srv-shop.mount: Deactivated successfully.\n",
            "Feb 20 02:10:01 n1 systemd[1]: Mounted srv-shop.mount - Shop data.\n",
        ] {
            assert!(strength(&[(syslog, log)], None) > 0.77, "{log}");
        }
        let fstab = "/dev/sda1 / ext4 defaults 0 1\n#/dev/vg/shop /srv/shop xfs defaults 0 0\n";
        let out = host(&[("etc/fstab", fstab)], None);
        assert!(out.signals[0].statement.contains("commented out"));
    }

    #[test]
    fn how_sure_it_is() {
        let blkid = "sos_commands/block/blkid_-c_.dev.null";
        assert!((strength(&[(blkid, "")], None) - 0.5).abs() < 0.01);
        assert!(strength(&[(blkid, "")], Some("The shop lost all orders")) > 0.77);
        let one = "NAME MAJ:MIN RM SIZE RO TYPE MOUNTPOINT\nsda 8:0 0 100G 0 disk \n└─sda1 8:1 0 100G 0 part /\n";
        assert!(strength(&[("sos_commands/block/lsblk", one)], None) < 0.1);
        let lvs = "  LV VG Attr LSize\n  shop vg -wi-a----- 499.00g\n";
        let by_lvs = [
            ("sos_commands/block/lsblk", ""),
            ("sos_commands/lvm2/lvs_-a", lvs),
        ];
        assert!(strength(&by_lvs, None) > 0.77);
        let open = "  LV VG Attr LSize\n  shop vg -wi-ao---- 499.00g\n";
        let by_lvs = [
            ("sos_commands/block/lsblk", ""),
            ("sos_commands/lvm2/lvs_-a", open),
        ];
        assert!(strength(&by_lvs, None) < 0.1);
    }

    #[test]
    fn what_is_mounted_asked_for_or_passing_is_no_finding() {
        for (path, text) in [
            (
                "sos_commands/filesys/mount_-l",
                "/dev/sda1 on / type ext4 (rw)\n/dev/mapper/vg-shop on /srv/shop type xfs (rw)\n",
            ),
            (
                "sos_commands/filesys/mount_-l",
                "/dev/sda1 on / type ext4 (rw)\nauto.srv on /srv type autofs (rw)\n",
            ),
            (
                "sos_commands/filesys/findmnt",
                "TARGET SOURCE\n/ /dev/sda1\n└─/srv/shop /dev/mapper/vg-shop\n",
            ),
            ("etc/fstab", "/dev/vg/shop /srv/shop xfs noauto 0 0\n"),
            ("etc/systemd/system/srv-shop.mount", "[Mount]\n"),
            (
                "sos_commands/systemd/systemctl_list-units",
                "srv-shop.automount loaded active waiting x\n",
            ),
            // A backup that mounts and unmounts each night.
            (
                "var/log/syslog",
                "Feb 29 23:10:01 n1 systemd[1]: Unmounted /srv/shop.\n",
            ),
            (
                "var/log/syslog",
                "Mar  1 22:10:01 n1 systemd[1]: Unmounted /srv/shop.\n",
            ),
            (
                "var/log/syslog",
                "Mar  1 02:10:01 n1 systemd[1]: run-user-1000.mount: Succeeded.\nMar  1 02:10:01 n1 systemd[1]: var-lib-docker-overlay2-a-merged.mount: Succeeded.\nMar  1 02:10:01 n1 systemd[1]: Unmounted /boot/efi.\nMar  1 02:10:01 n1 systemd[1]: Unmounted /media/usb.\nMar  1 02:10:01 n1 systemd[900]: Unmounted /srv/shop.\n",
            ),
        ] {
            assert!(strength(&[(path, text)], None) < 0.1, "{path} {text}");
        }
    }

    #[test]
    fn names_of_units() {
        assert_eq!(path_of(r"srv-big\x2ddata"), "/srv/big-data");
        assert_eq!(path_of(r"a\xzz-é\x"), r"/a\xzz/é\x");
        assert_eq!(unit_of("/srv/big-data"), r"srv-big\x2ddata");
    }
}
