//! Which files are logs, and whose.

use crate::bundle::FileKind;

/// Places that hold logs of package management, installation, first boot, log-ins or the collection itself:
/// their errors are about the past of the machine, not about a service. Kernel logs have their own detectors.
const HISTORY: &[&str] = &[
    "var/log/apt/",
    "var/log/dpkg",
    "var/log/unattended-upgrades/",
    "var/log/cloud-init",
    "cloud_init/",
    "var/log/installer/",
    "var/log/auth.log",
    "var/log/secure",
    "var/log/sysstat/",
    "var/log/sa/",
    "var/log/boot",
    "var/log/fontconfig",
    "var/log/alternatives",
    "var/log/anaconda/",
    "var/log/yum",
    "var/log/dnf",
    "var/log/hawkey",
    "var/log/landscape/sysinfo",
    "var/log/insights-client/",
    "sos_logs/",
    "sos_reports/",
    "execution-data/",
    "var/log/vmware-install",
    "var/log/ubuntu-advantage",
    "var/log/audit/",
    "var/log/Xorg",
    "sos_commands/lvm2/",
    "collectd/",
    "var/log/faillog",
    "var/log/lastlog",
];
/// Trees that never hold logs.
const NOT_LOGS: &[&str] = &[
    "proc/",
    "sys/",
    "etc/",
    "usr/",
    "run/systemd/",
    "boot/",
    "lib/",
    "dev/",
];

/// Whether the file at `rel` (without the top folder) is a log of anything.
pub fn is_log(rel: &str, kind: FileKind) -> bool {
    if matches!(
        kind,
        FileKind::Binary | FileKind::Archive | FileKind::Link | FileKind::Empty | FileKind::Yaml
    ) {
        return false;
    }
    if NOT_LOGS.iter().any(|dir| rel.starts_with(dir))
        || ["sos_logs/", "sos_reports/"]
            .iter()
            .any(|dir| rel.starts_with(dir))
    {
        return false;
    }
    let name = rel.rsplit('/').next().unwrap_or(rel);
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("ls_-") || lower.ends_with(".json") && !lower.contains("log") {
        return false;
    }
    kind == FileKind::Log
        || rel.contains("var/log/")
        || rel.contains("/logs/")
        || lower.contains("journalctl")
            && !lower.contains("--disk-usage")
            && !lower.contains("list-boots")
        || lower.ends_with(".log")
        || lower.contains(".log.")
        || lower.contains(".log-")
        || lower.contains("_log.")
        || lower.ends_with(".trc")
        || lower.ends_with(".err")
        || lower.ends_with(".out") && !is_output(&lower)
        || lower.strip_suffix(".txt").is_some_and(names_a_log)
        || lower.starts_with("logs")
        || lower.ends_with("_logs")
        || lower.contains("kubectl_logs")
        || lower.contains("docker_logs")
        || lower.starts_with("crm_report")
        || ["syslog", "messages", "stderr", "stdout"]
            .iter()
            .any(|word| lower.starts_with(word))
}

/// Whether a name that ends in `.out` is a command's, as `df.out` or `ip_addr.out`: not what a server printed.
fn is_output(name: &str) -> bool {
    const COMMANDS: [&str; 32] = [
        "df",
        "free",
        "uptime",
        "lsblk",
        "mount",
        "ps",
        "top",
        "uname",
        "sysctl",
        "systemctl",
        "ip",
        "ifconfig",
        "netstat",
        "ss",
        "route",
        "lsof",
        "lscpu",
        "lspci",
        "lsusb",
        "lsmod",
        "vmstat",
        "iostat",
        "sar",
        "dmidecode",
        "rpm",
        "dpkg",
        "date",
        "hostname",
        "env",
        "ethtool",
        "blkid",
        "fdisk",
    ];
    let first = name.split(['-', '_', '.', ' ']).next().unwrap_or_default();
    COMMANDS.contains(&first)
}

/// `error-log`, `app_logs`, `node-journal`: a log that was saved as text.
fn names_a_log(stem: &str) -> bool {
    let last = stem.rsplit(['-', '_', '.', ' ']).next().unwrap_or_default();
    ["log", "logs", "journal", "alert"].contains(&last)
}

/// Whether the log tells of the machine's past (packages, first boot, log-ins) or of the kernel.
pub fn is_history(rel: &str) -> bool {
    let name = rel.rsplit('/').next().unwrap_or(rel);
    HISTORY
        .iter()
        .any(|place| rel.starts_with(place) || rel.contains(&format!("/{place}")))
        || ["kern.log", "dmesg"]
            .iter()
            .any(|word| name.starts_with(word))
        || name.contains("dmesg")
}

/// File names that many programs share: the folder is part of the daemon's name.
const COMMON: &[&str] = &[
    "error", "errors", "access", "current", "previous", "server", "log", "logs", "stderr",
    "stdout", "output", "main", "messages", "console", "audit", "debug",
];

/// The daemon behind a line: the writer of a syslog or journal line, else the file's name without its endings.
pub fn daemon_of(rel: &str, component: &str) -> String {
    let name = rel.rsplit('/').next().unwrap_or(rel);
    let lower = name.to_ascii_lowercase();
    let shared = ["syslog", "messages", "daemon.log", "user.log"]
        .iter()
        .any(|word| lower.starts_with(word))
        || lower.contains("journalctl")
        || ["journal.txt", "journal.log", "journal"].contains(&lower.as_str());
    if shared {
        if !component.is_empty() {
            return component.to_ascii_lowercase();
        }
        if let Some((_, unit)) = name.split_once("--unit_") {
            return unit.to_owned();
        }
        return name.to_owned();
    }
    let mut stem = name;
    while let Some((head, tail)) = stem.rsplit_once('.') {
        let ending = matches!(tail, "log" | "txt" | "out" | "err" | "old" | "json")
            || tail.bytes().all(|b| b.is_ascii_digit()) && stem.contains(".log");
        if !ending || head.is_empty() {
            break;
        }
        stem = head;
    }
    if COMMON.contains(&stem.to_ascii_lowercase().as_str())
        && let Some(folder) = rel
            .rsplit('/')
            .nth(1)
            .filter(|folder| !matches!(*folder, "log" | "logs"))
    {
        return format!("{folder}/{stem}");
    }
    stem.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_and_what_is_none() {
        for rel in [
            "var/log/nova/nova-compute.log",
            "var/log/syslog",
            "sos_commands/logs/journalctl_--no-pager_--boot",
            "kubectl/logs/ns/pod.log",
            "var/log/rabbitmq/rabbit@a.log.1",
            "catalina.out",
            "diag/trace/PROD_ora_77.trc",
            "mysqld.err",
            "frr-log.txt",
            "app.log-20240301",
        ] {
            assert!(is_log(rel, FileKind::Text), "{rel}");
        }
        for rel in [
            "etc/logrotate.d/nova.log",
            "proc/kmsg",
            "sos_logs/sos.log",
            "sos_commands/logs/ls_-alRh_.var.log",
            "sos_commands/memory/free",
            "df.out",
            "ip_addr.out",
            "catalog.txt",
        ] {
            assert!(!is_log(rel, FileKind::Text), "{rel}");
        }
        assert!(!is_log("var/log/x.log.gz", FileKind::Archive));
        assert!(
            is_history("var/log/cloud-init-output.log")
                && is_history("var/log/kern.log.1")
                && !is_history("var/log/nova/nova-api.log")
        );
    }

    #[test]
    fn daemons() {
        assert_eq!(
            daemon_of("var/log/ceph/ceph-osd.3.log", "osd"),
            "ceph-osd.3"
        );
        assert_eq!(daemon_of("var/log/ceph/ceph-osd.3.log.1", ""), "ceph-osd.3");
        assert_eq!(daemon_of("var/log/syslog", "mysqld"), "mysqld");
        assert_eq!(daemon_of("node/journal.txt", "mysqld"), "mysqld");
        assert_eq!(daemon_of("var/log/apache2/error.log", ""), "apache2/error");
        assert_eq!(
            daemon_of("sos_commands/x/journalctl_--no-pager_--unit_haproxy", ""),
            "haproxy"
        );
    }
}
