//! Volumes of fixed disks that hold a file system and are mounted nowhere, by `lsblk`, `blkid` and `lvs`.

use crate::report::Evidence;
use crate::signals::host::facts::Host;
use std::collections::{BTreeMap, BTreeSet};

/// File systems of disks.
const KINDS: [&str; 8] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "jfs", "f2fs", "reiserfs",
];

/// A volume that is mounted nowhere.
pub struct Volume {
    /// Its name as `lsblk` and the device mapper write it.
    pub name: String,
    /// Its size as printed.
    pub size: String,
    /// Its file system, where a list of them is in the bundle.
    pub kind: Option<String>,
    /// Its lines.
    pub cites: Vec<Evidence>,
}

/// File systems on block devices by `blkid` and `lsblk -f`: name, kind, line. `None` without such a list.
fn kinds(host: &Host) -> Option<BTreeMap<String, (String, Evidence)>> {
    let mut all = BTreeMap::new();
    let mut asked = false;
    for doc in host.commands("blkid", |_| true) {
        for (number, line) in doc.lines() {
            let Some((device, rest)) = line.split_once(": ") else {
                continue;
            };
            let kind = rest
                .split(" TYPE=\"")
                .nth(1)
                .or_else(|| rest.strip_prefix("TYPE=\""))
                .and_then(|rest| rest.split('"').next());
            if let Some(kind) = kind {
                asked = true;
                let name = device.rsplit('/').next().unwrap_or(device);
                all.insert(name.to_owned(), (kind.to_owned(), doc.cite(number)));
            }
        }
    }
    for doc in host.commands("lsblk", |_| true) {
        if !doc.lines().take(3).any(|(_, line)| line.contains("FSTYPE")) {
            continue;
        }
        asked = true;
        for (number, line) in doc.lines() {
            let mut words = line
                .trim_start_matches(|c: char| !c.is_alphanumeric())
                .split_whitespace();
            let Some(name) = words.next() else { continue };
            if let Some(kind) = words.find(|word| KINDS.contains(word)) {
                all.entry(name.to_owned())
                    .or_insert_with(|| (kind.to_owned(), doc.cite(number)));
            }
        }
    }
    asked.then_some(all)
}

/// Volumes of fixed disks that are mounted nowhere and hold a file system, as far as is known.
pub fn volumes(host: &Host) -> Vec<Volume> {
    let kinds = kinds(host);
    let mut found: Vec<Volume> = Vec::new();
    let mut busy = BTreeSet::new();
    for doc in host.commands("lsblk", |_| true) {
        let rows: Vec<Row> = doc.lines().filter_map(|(n, line)| row(n, line)).collect();
        for (at, row) in rows.iter().enumerate() {
            let parent = rows.get(at + 1).is_some_and(|next| next.depth > row.depth);
            if parent || row.mounted || row.removable {
                busy.insert(row.name.clone());
                continue;
            }
            let kind = kinds.as_ref().and_then(|kinds| kinds.get(&row.name));
            let fits = match (&kinds, kind) {
                (Some(_), Some((kind, _))) => KINDS.contains(&kind.as_str()),
                (Some(_), None) => false,
                // An LVM volume is made to be used; a bare partition may be the firmware's.
                (None, _) => row.kind == "lvm" && !row.name.starts_with("ceph"),
            };
            if fits && !found.iter().any(|volume| volume.name == row.name) {
                found.push(Volume {
                    name: row.name.clone(),
                    size: row.size.clone(),
                    kind: kind.map(|(kind, _)| kind.clone()),
                    cites: std::iter::once(doc.cite(row.line))
                        .chain(kind.map(|(_, cite)| cite.clone()))
                        .collect(),
                });
            }
        }
    }
    found.retain(|volume| !busy.contains(&volume.name));
    if found.is_empty() && busy.is_empty() {
        found = closed(host, kinds.as_ref());
    }
    found.sort_by_key(|volume| volume.kind.is_none());
    found
}

/// One device of `lsblk`.
struct Row {
    line: usize,
    depth: usize,
    name: String,
    removable: bool,
    size: String,
    kind: String,
    mounted: bool,
}

/// `└─vg-home 253:4 0 499G 0 lvm /home`: what stands left of the numbers is the name, right of them the rest.
fn row(line: usize, text: &str) -> Option<Row> {
    const TYPES: [&str; 12] = [
        "disk", "part", "lvm", "crypt", "mpath", "raid0", "raid1", "raid4", "raid5", "raid6",
        "raid10", "md",
    ];
    let words: Vec<&str> = text.split_whitespace().collect();
    let numbers = |word: &str| {
        word.split_once(':').is_some_and(|(major, minor)| {
            [major, minor].iter().all(|part| {
                !part.is_empty() && part.len() < 8 && part.bytes().all(|b| b.is_ascii_digit())
            })
        })
    };
    let at = words.iter().position(|word| numbers(word))?;
    let [removable, size, _, kind, rest @ ..] = words.get(at + 1..)? else {
        return None;
    };
    // Older releases write `vg-home (dm-4)`.
    let name = words[..at].iter().rfind(|word| !word.starts_with('('))?;
    let name = name.trim_start_matches(|c: char| !c.is_alphanumeric());
    (TYPES.contains(kind) && matches!(*removable, "0" | "1") && !name.is_empty()).then(|| Row {
        line,
        depth: text.chars().take_while(|c| !c.is_alphanumeric()).count(),
        name: name.to_owned(),
        removable: *removable == "1",
        size: (*size).to_owned(),
        kind: (*kind).to_owned(),
        mounted: !rest.is_empty(),
    })
}

/// Without `lsblk`: LVM's volumes that are active and that nobody has open, the sixth letter of their attributes.
fn closed(host: &Host, kinds: Option<&BTreeMap<String, (String, Evidence)>>) -> Vec<Volume> {
    let mut found: Vec<Volume> = Vec::new();
    for doc in host.commands("lvs", |_| true) {
        for (number, line) in doc.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [volume, group, attributes, size, ..] = words[..] else {
                continue;
            };
            let plain = attributes.len() == 10 && attributes.is_ascii();
            if !plain || !attributes.starts_with('-') || &attributes[4..6] != "a-" {
                continue;
            }
            let name = format!("{}-{}", group.replace('-', "--"), volume.replace('-', "--"));
            let kind = kinds.and_then(|kinds| kinds.get(&name));
            let fits = kinds.is_none() || kind.is_some_and(|k| KINDS.contains(&k.0.as_str()));
            if fits && !found.iter().any(|volume| volume.name == name) {
                found.push(Volume {
                    name,
                    size: size.to_owned(),
                    kind: kind.map(|(kind, _)| kind.clone()),
                    cites: vec![doc.cite(number)],
                });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::row;

    #[test]
    fn rows_of_lsblk() {
        let found = row(3, "  ├─vg-a (dm-1) 253:1 0 4G 0 lvm [SWAP]").unwrap();
        assert_eq!(
            (found.name.as_str(), found.depth, found.mounted),
            ("vg-a", 4, true)
        );
        assert!(row(1, "NAME MAJ:MIN RM SIZE RO TYPE MOUNTPOINT").is_none());
        assert!(row(1, "sr0 11:0 1 1024M 0 rom").is_none());
    }
}
