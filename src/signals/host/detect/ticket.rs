//! What the customer asks about and the bundle does not show: which file would have told.

use crate::signals::Partial;
use crate::signals::host::emit::ask;
use crate::signals::host::facts::Host;

/// Words of the customer, what would answer, its place, and commands or files any of which is enough.
struct Topic {
    words: &'static [&'static str],
    what: &'static str,
    why: &'static str,
    path: &'static str,
    files: &'static [&'static str],
    commands: &'static [(&'static str, &'static str)],
}

const TOPICS: &[Topic] = &[
    Topic {
        words: &[
            "reboot",
            "rebooted",
            "reboots",
            "crash",
            "crashed",
            "panic",
            "hang",
            "hung",
            "freeze",
            "frozen",
            "unresponsive",
            "oom",
        ],
        what: "kernel messages (dmesg, kern.log or the journal of the boot before)",
        why: "a crash, hang or kill by the kernel is told only there, and the bundle has no kernel log",
        path: "sos_commands/kernel/dmesg",
        files: &[
            "var/log/kern.log",
            "var/log/messages",
            "var/log/syslog",
            "var/log/dmesg",
        ],
        commands: &[("dmesg", ""), ("journalctl", "")],
    },
    Topic {
        words: &["disk", "space", "inode", "inodes", "filesystem"],
        what: "usage of file systems (df)",
        why: "the question is about disk space and the bundle does not show it",
        path: "sos_commands/filesys/df_-al_-x_autofs",
        files: &[],
        commands: &[("df", "")],
    },
    Topic {
        words: &["memory", "swap", "oom"],
        what: "memory usage (/proc/meminfo or free)",
        why: "the question is about memory and the bundle does not show it",
        path: "proc/meminfo",
        files: &["proc/meminfo"],
        commands: &[("free", "")],
    },
    Topic {
        words: &["network", "packet", "packets", "nic", "link"],
        what: "state and counters of interfaces (ip -s link)",
        why: "the question is about the network and the bundle has no counters of its interfaces",
        path: "sos_commands/networking/ip_-s_-d_link",
        files: &["proc/net/dev"],
        commands: &[("ip", "link"), ("ifconfig", "")],
    },
];

pub fn detect(host: &Host, out: &mut Partial) {
    // A finding that can stand needs nothing more.
    if host.ticket.is_empty()
        || out
            .signals
            .iter()
            .any(|s| s.role == crate::signals::Role::Cause && s.strength >= 0.6)
    {
        return;
    }
    for topic in TOPICS.iter().filter(|topic| host.ticket_has(topic.words)) {
        let there = topic.files.iter().any(|file| host.file(file).is_some())
            || topic
                .commands
                .iter()
                .any(|(program, word)| host.command(program, &[word]).is_some());
        if !there {
            ask(out, topic.what, topic.why, Some(topic.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::on_ticket;

    #[test]
    fn asks_for_the_kernel_log_only_when_it_is_absent() {
        let out = on_ticket(
            &[("etc/fstab", "x\n")],
            Some("The server rebooted last night."),
        );
        assert_eq!(out.missing.len(), 1);
        assert_eq!(
            out.missing[0].path.as_deref(),
            Some("sos_commands/kernel/dmesg")
        );
        assert!(
            on_ticket(
                &[("sos_commands/kernel/dmesg", "x\n")],
                Some("The server rebooted.")
            )
            .missing
            .is_empty()
        );
    }
}
