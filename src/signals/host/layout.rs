//! Where the hosts of a bundle lie.
//!
//! A host's folder is the one above `sos_commands/`, `var/log/`, `proc/…` or `etc/…`; without such a
//! place, the folder of loose files named after logs and commands.

use crate::bundle::Tree;
use std::collections::BTreeSet;

/// Most hosts of one bundle that are looked at.
const MAX_HOSTS: usize = 16;

/// The folders of the hosts in the bundle: "" or ending in `/`.
pub fn roots(tree: &Tree) -> Vec<String> {
    const MARKS: [&str; 20] = [
        "snap.microk8s.daemon-",
        "systemlogs/",
        "journald/",
        "host_service_logs/",
        "sos_commands/",
        "var/log/",
        "basic-environment.txt",
        "proc/meminfo",
        "proc/cmdline",
        "proc/loadavg",
        "proc/mdstat",
        "proc/stat",
        "proc/net/",
        "proc/sys/",
        "etc/os-release",
        "etc/fstab",
        "etc/sysctl",
        "etc/systemd/",
        "etc/rsyslog",
        "etc/sssd/",
    ];
    const LOOSE: [&str; 12] = [
        "dmesg",
        "kern.log",
        "syslog",
        "messages",
        "journal",
        "vmcore-dmesg",
        "df",
        "free",
        "uptime",
        "lsblk",
        "smartctl",
        "systemctl",
    ];
    let mut found = BTreeSet::new();
    let mut loose = BTreeSet::new();
    for entry in &tree.index().entries {
        let path = entry.path.as_str();
        for mark in MARKS {
            let Some(at) = path.find(mark) else { continue };
            if at == 0 || path.as_bytes()[at - 1] == b'/' {
                found.insert(path[..at].to_owned());
                break;
            }
        }
        let name = entry.path.name();
        let follows = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric());
        if LOOSE
            .iter()
            .any(|word| name.strip_prefix(word).is_some_and(follows))
            || name.starts_with("journalctl")
        {
            loose.insert(path[..path.len() - name.len()].to_owned());
        }
    }
    if found.is_empty() {
        found = loose;
    }
    let mut kept: Vec<String> = Vec::new();
    for root in found {
        if !kept.iter().any(|outer| root.starts_with(outer.as_str())) && kept.len() < MAX_HOSTS {
            kept.push(root);
        }
    }
    kept
}

/// Whether a bundle without a known layout was collected on a host: outputs of several of the commands, or
/// several of the files, that only a host has.
pub fn is_host(tree: &Tree) -> bool {
    const OF_HOSTS: [&str; 22] = [
        "dmesg",
        "journal",
        "journalctl",
        "syslog",
        "messages",
        "df",
        "free",
        "uptime",
        "lsblk",
        "mount",
        "meminfo",
        "ps",
        "uname",
        "sysctl",
        "systemctl",
        "ip",
        "lscpu",
        "lspci",
        "os-release",
        "packages",
        "netstat",
        "vmstat",
    ];
    const ENOUGH: usize = 5;
    let found: BTreeSet<&str> = tree
        .files()
        .filter_map(|entry| {
            let name = entry.path.name();
            OF_HOSTS.into_iter().find(|word| {
                name.strip_prefix(word)
                    .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()))
            })
        })
        .collect();
    found.len() >= ENOUGH
}
