//! Volumes that cannot be mounted because multipathd has taken their block device: it claims every disk that looks
//! like a path to storage, those that a storage driver has just attached for a pod too.

use super::emit::{Ctx, Draft};
use crate::report::Evidence;

/// Largest file looked into, in bytes.
const MAX_BYTES: u64 = 4 << 20;
/// Words of the mount that fails.
const BUSY: [&str; 2] = [
    "already mounted or mount point busy",
    "is apparently in use by the system",
];

/// Lines by which multipath holds a device: of `lsblk`, and of its daemon.
fn holds(name: &str, line: &str) -> bool {
    if name.contains("lsblk") {
        return line.split_whitespace().any(|word| word == "mpath");
    }
    line.contains("multipathd")
        && (line.contains("to devmap mpath")
            || line.contains(": addmap [")
            || line.contains("load table ["))
}

/// Mounts that fail as busy where multipath holds disks.
pub fn detect(ctx: &Ctx) {
    // The decisive words stand at the end of a long message, whose middle is cut.
    let says = |text: &str| BUSY.iter().any(|words| text.contains(words));
    let busy = ctx.cluster.notes.iter().find(|note| {
        note.message.contains("MountVolume")
            && (says(&note.message) || ctx.line(note.src).is_some_and(|line| says(&line)))
    });
    let Some(note) = busy else { return };
    let mut shown: Vec<Evidence> = Vec::new();
    for entry in ctx.tree.files() {
        let name = entry.path.name().to_ascii_lowercase();
        let wanted = ["lsblk", "syslog", "messages", "journal", "multipath"];
        if entry.bytes > MAX_BYTES || !wanted.iter().any(|word| name.contains(word)) {
            continue;
        }
        let mut here: Option<Evidence> = None;
        let _ = ctx.tree.for_each_line(entry, |number, line| {
            if holds(&name, line) {
                here = Some(Evidence {
                    path: entry.path.as_str().to_owned(),
                    line_start: number as u64,
                    line_end: number as u64,
                    quote: super::emit::cut(line.trim(), 300),
                });
            }
            here.is_none()
        });
        shown.extend(here);
    }
    if shown.is_empty() {
        return;
    }
    let who = if note.ns.is_empty() {
        note.name.clone()
    } else {
        format!("{}/{}", note.ns, note.name)
    };
    let mut draft = Draft::cause("multipath-holds-volume", &note.kind, &note.ns, &note.name, 0.9)
        .says(
            format!("the volume of {who} cannot be mounted: multipathd has taken its block device"),
            format!("The volume of {who} is reported as already mounted or busy, and multipathd on the node has made a multipath map of a disk that the storage driver attached. Such disks must be left out of what multipath may take."),
        )
        .show(ctx.quote(note.src, BUSY[0]));
    for line in shown.into_iter().take(4) {
        draft = draft.show(Some(line));
    }
    ctx.emit(draft);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};

    const EVENTS: &str = "LAST SEEN   TYPE      REASON        OBJECT      MESSAGE\n2m          Warning   FailedMount   pod/db-0    MountVolume.MountDevice failed for volume \"pvc-1\" : rpc error: code = Internal desc = mount failed: exit status 32 mount: /var/lib/kubelet/plugins/x/globalmount: /dev/longhorn/pvc-1 already mounted or mount point busy.\n";

    #[test]
    fn a_disk_that_multipath_holds() {
        let held = "NAME     MAJ:MIN RM SIZE RO TYPE  MOUNTPOINT\nsda        8:0    0  40G  0 disk\nsdb        8:16   0  10G  0 disk\n└─mpathb 253:0    0  10G  0 mpath\n";
        let found = run(&[("events.txt", EVENTS), ("node-1/lsblk", held)]);
        assert_eq!(first(&found).cause, "multipath-holds-volume");
        let free = held.replace("mpath", "lvm");
        let found = run(&[("events.txt", EVENTS), ("node-1/lsblk", &free)]);
        assert!(
            found
                .signals
                .iter()
                .all(|signal| signal.cause != "multipath-holds-volume")
        );
    }
}
