//! Volumes by their own records: file systems that noted errors, snapshots of LVM that overflowed.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;

const WORDS: &[&str] = &[
    "disk",
    "filesystem",
    "storage",
    "snapshot",
    "backup",
    "corrupt",
    "corruption",
    "read-only",
];

/// Looks at `dumpe2fs`, `tune2fs` and `lvs`.
pub fn detect(host: &Host, out: &mut Partial) {
    super_blocks(host, out);
    snapshots(host, out);
}

/// ext4 counts in its superblock what it found wrong, until a check clears it.
fn super_blocks(host: &Host, out: &mut Partial) {
    let mut docs = host.commands("dumpe2fs", |_| true);
    docs.extend(host.commands("tune2fs", |_| true));
    for doc in docs {
        let device = doc
            .name
            .split(' ')
            .find(|word| word.contains("dev"))
            .unwrap_or("ext4")
            .replace(".dev.", "/dev/");
        let state = doc.line_with(|line| {
            line.starts_with("Filesystem state:") && line.contains("with errors")
        });
        let count = doc.line_with(|line| {
            line.strip_prefix("FS Error count:")
                .is_some_and(|count| count.trim() != "0")
        });
        let Some((number, line)) = count.or(state) else {
            continue;
        };
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        Draft::cause("superblock-errors", "filesystem-errors-recorded", 0.72, "File system", &device)
            .says(
                format!("File system {device} has recorded errors: {line}"),
                format!("The superblock of {device} notes errors ({line}): the kernel found damage since the last check; it is repaired only by fsck on the unmounted file system."),
            )
            .cites([doc.cite(number)])
            .cites(state.map(|(number, _)| doc.cite(number)))
            .cites(doc.lines().filter(|(_, line)| line.contains("error time:") || line.contains("error function:")).map(|(number, _)| doc.cite(number)).take(3))
            .with("device", device.as_str())
            .if_ticket(host, WORDS)
            .put(out);
    }
}

/// A classic snapshot that is full is invalid: the sixth letter of its attributes says so, or its origin's name stands beside 100 %.
fn snapshots(host: &Host, out: &mut Partial) {
    for doc in host.commands("lvs", |_| true) {
        for (number, line) in doc.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some(attributes) = words.get(2).filter(|word| word.len() == 10) else {
                continue;
            };
            let bytes = attributes.as_bytes();
            let snapshot = matches!(bytes[0], b's' | b'S');
            let invalid = bytes[4] == b'I' || bytes[0] == b'S';
            let full = words
                .iter()
                .skip(4)
                .any(|word| word.parse::<f64>().is_ok_and(|percent| percent >= 99.9));
            if !snapshot || !(invalid || full) {
                continue;
            }
            let name = words[0];
            Draft::cause("snapshot-full", "lvm-snapshot-full", 0.66, "Volume", name)
                .says(
                    format!("LVM snapshot {name} is full and invalid"),
                    format!("Snapshot {name} of volume group {} ran out of space ({}): it is invalid, and what was to be saved by it is lost.", words[1], line.split_whitespace().collect::<Vec<_>>().join(" ")),
                )
                .cites([doc.cite(number)])
                .with("volume", name)
                .if_ticket(host, WORDS)
                .put(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn errors_in_the_superblock() {
        let text = |state: &str, count: u32| {
            format!(
                "Filesystem volume name:   <none>\nFilesystem state:         {state}\nFS Error count:           {count}\nLast error time:          Sat Mar  2 10:11:12 2024\n"
            )
        };
        let path = "sos_commands/filesys/dumpe2fs_-h_.dev.sda1";
        assert_eq!(
            causes(&on(&[(path, &text("clean with errors", 7))])),
            ["filesystem-errors-recorded"]
        );
        assert!(causes(&on(&[(path, &text("clean", 0))])).is_empty());
    }

    #[test]
    fn a_snapshot_that_overflowed() {
        let row = |attributes: &str, used: &str| {
            format!(
                "  LV VG Attr LSize Pool Origin Data%\n  root vg -wi-ao---- 20.00g\n  before vg {attributes} 1.00g root {used}\n"
            )
        };
        let path = "sos_commands/lvm2/lvs_-a_-o";
        assert_eq!(
            causes(&on(&[(path, &row("swi-I-s---", "100.00"))])),
            ["lvm-snapshot-full"]
        );
        assert!(causes(&on(&[(path, &row("swi-a-s---", "12.40"))])).is_empty());
    }
}
