//! What a hung task waits for: the functions of its call trace name the file system or device.

use crate::signals::Partial;
use crate::signals::host::emit::{Draft, times};
use crate::signals::host::facts::{Host, cite};
use crate::signals::host::logs::Hits;
use crate::signals::host::rules::{weigh, when};

/// Lines after the report that may be its trace.
const TRACE: usize = 45;
/// Beginnings of functions, and what stands behind them; the first that matches speaks.
const BEHIND: [(&[&str], &str); 12] = [
    (
        &[
            "rpc_wait_bit_killable",
            "nfs_wait",
            "nfs4_",
            "nfs_",
            "nfs3_",
            "__rpc_execute",
        ],
        "an NFS server",
    ),
    (
        &["cifs_", "smb2_", "SMB2_", "wait_for_response"],
        "an SMB server",
    ),
    (&["ceph_", "rbd_", "__ceph"], "the Ceph cluster"),
    (
        &["fuse_", "request_wait_answer", "__fuse_request_send"],
        "the program behind a FUSE file system",
    ),
    (&["drbd_"], "its DRBD peer"),
    (&["cl_sync_io", "osc_", "ptlrpc_", "ll_"], "a Lustre server"),
    (
        &["dlm_", "gfs2_", "ocfs2_"],
        "a lock of the cluster file system",
    ),
    (&["zio_wait", "txg_wait", "cv_wait_common"], "the ZFS pool"),
    (
        &["md_write_start", "raid5_", "raid1_", "md_super_wait"],
        "the software RAID",
    ),
    (&["cached_dev_", "bch_", "closure_sync"], "bcache"),
    (
        &[
            "xlog_",
            "xfs_log_",
            "xfs_buf_",
            "jbd2_",
            "wait_on_page_writeback",
            "btrfs_",
        ],
        "the journal or writes of its file system, that is the disk below",
    ),
    (
        &[
            "blk_",
            "io_schedule",
            "submit_bio_wait",
            "wait_on_buffer",
            "rq_qos_wait",
            "wbt_wait",
        ],
        "the disk",
    ),
];

/// Says for each hung task what its trace shows.
pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    for (task, group) in hits.of("hung-task").take(8) {
        let Some((behind, line, first)) = group.evidence().into_iter().find_map(|noted| {
            let text = host.tree.text(host.tree.find(&noted.path)?).ok()??;
            let at = usize::try_from(noted.line_start).ok()?;
            let frames: Vec<(usize, &str)> = (at + 1..=(at + TRACE).min(text.len()))
                .map_while(|number| Some((number, text.line(number)?)))
                .take_while(|(_, line)| {
                    !line.contains("blocked for more than") && !line.contains("entry_SYSCALL")
                })
                .collect();
            let (behind, number) = BEHIND.iter().find_map(|(starts, what)| {
                let (number, _) = frames.iter().find(|(_, line)| {
                    line.contains("+0x")
                        && line.split([' ', '\t']).any(|word| {
                            word.contains("+0x")
                                && starts.iter().any(|start| word.starts_with(start))
                        })
                })?;
                Some((*what, *number))
            })?;
            let line = cite(&noted.path, number, text.line(number)?);
            Some((behind, line, noted))
        }) else {
            continue;
        };
        Draft::cause("hung-task-waits", "hung-task", weigh(0.74, 1, group, host), "Process", task)
            .says(
                format!("Hung task: {task} waits for {behind} ({}){}", times(group.count()), when(group, host)),
                format!("The call trace of the hung task {task} shows that it waits for {behind}, which does not answer; the task itself is not at fault."),
            )
            .cites([first, line])
            .if_ticket(host, &["hang", "hangs", "hung", "freeze", "frozen", "stuck", "slow", "nfs", "disk", "storage"])
            .put(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::on;

    #[test]
    fn the_trace_names_who_is_waited_for() {
        let of = |frame: &str| {
            let log = format!(
                "Feb 10 10:00:00 n kernel: INFO: task backup:345 blocked for more than 120 seconds.\nFeb 10 10:00:00 n kernel: Call Trace:\nFeb 10 10:00:00 n kernel:  __schedule+0x2e3/0x740\nFeb 10 10:00:00 n kernel:  {frame}+0x52/0x120\nFeb 10 10:00:00 n kernel:  entry_SYSCALL_64_after_hwframe+0x44/0xa9\n"
            );
            on(&[("var/log/syslog", &log)])
        };
        let says =
            |frame: &str, words: &str| of(frame).signals.iter().any(|s| s.title.contains(words));
        assert!(says("rpc_wait_bit_killable", "an NFS server"));
        assert!(says("jbd2_journal_commit_transaction", "its file system"));
        assert!(says("rq_qos_wait", "the disk"));
        assert!(!says("mutex_lock", "waits for"));
    }
}
