//! What is asked of a Linux host: files that the kernel and the administrator write, and commands
//! that print state. The names of the answers are those that sos gives them.

use super::{Ask, Question, WhenLong};

/// Area and command. The answer's name is the command with `_` for spaces and `.` for slashes.
const COMMANDS: &[(&str, &str)] = &[
    ("date", "date"),
    ("host", "uptime"),
    ("host", "hostnamectl status"),
    ("kernel", "uname -a"),
    ("kernel", "dmesg"),
    ("kernel", "sysctl -a"),
    ("kernel", "lsmod"),
    ("memory", "free"),
    ("processor", "lscpu"),
    ("process", "ps auxwww"),
    ("filesys", "df -al -x autofs"),
    ("filesys", "df -ali -x autofs"),
    ("filesys", "mount -l"),
    ("filesys", "findmnt"),
    ("block", "lsblk"),
    ("lvm2", "lvs"),
    ("lvm2", "vgs"),
    ("md", "mdadm --detail --scan"),
    ("multipath", "multipath -ll"),
    ("networking", "ip -s -d link"),
    ("networking", "ip -o addr"),
    ("networking", "ip route show table all"),
    ("networking", "ss -peaonmi"),
    ("networking", "nstat -zas"),
    ("systemd", "systemctl list-units --all"),
    ("systemd", "systemctl list-unit-files"),
    ("systemd", "systemctl list-timers --all"),
    ("systemd", "timedatectl"),
    ("chrony", "chronyc -n tracking"),
    ("login", "last -x -n 200"),
    ("logs", "journalctl --no-pager --boot --lines=50000"),
    ("logs", "journalctl --no-pager --boot=-1 --lines=5000"),
    ("dpkg", "dpkg -l"),
    ("rpm", "rpm -qa"),
    ("podman", "podman ps -a"),
    ("docker", "docker ps -a"),
];

/// Files, by their place on the host.
const FILES: &[&str] = &[
    "/etc/os-release",
    "/etc/fstab",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/sysctl.conf",
    "/etc/chrony.conf",
    "/etc/chrony/chrony.conf",
    "/etc/security/limits.conf",
    "/proc/cmdline",
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/interrupts",
    "/proc/loadavg",
    "/proc/mdstat",
    "/proc/meminfo",
    "/proc/mounts",
    "/proc/net/dev",
    "/proc/net/netstat",
    "/proc/net/snmp",
    "/proc/net/sockstat",
    "/proc/net/softnet_stat",
    "/proc/pressure/cpu",
    "/proc/pressure/io",
    "/proc/pressure/memory",
    "/proc/slabinfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/sys/fs/file-nr",
    "/proc/sys/fs/inode-nr",
    "/proc/sys/net/netfilter/nf_conntrack_count",
    "/proc/sys/net/netfilter/nf_conntrack_max",
    "/proc/uptime",
    "/proc/vmstat",
    "/var/log/messages",
    "/var/log/syslog",
    "/var/log/kern.log",
    "/var/log/cron",
    "/var/log/dpkg.log",
    "/var/log/yum.log",
    "/var/log/dnf.log",
];

/// Everything that is asked of a host.
pub fn host_questions() -> Vec<Question> {
    let commands = COMMANDS.iter().map(|(area, command)| Question {
        ask: Ask::Command(command.split(' ').map(str::to_owned).collect()),
        path: format!(
            "sos_commands/{area}/{}",
            command.replace(' ', "_").replace('/', ".")
        ),
        when_long: match *area {
            "logs" => WhenLong::KeepEnd,
            _ => WhenLong::KeepBeginning,
        },
    });
    let files = FILES.iter().map(|path| Question {
        ask: Ask::File((*path).to_owned()),
        path: path.trim_start_matches('/').to_owned(),
        when_long: match path.starts_with("/var/log/") {
            true => WhenLong::KeepEnd,
            false => WhenLong::KeepBeginning,
        },
    });
    commands.chain(files).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::CommandClass;

    #[test]
    fn every_question_only_reads_and_has_its_own_place() {
        let mut places = std::collections::BTreeSet::new();
        for question in host_questions() {
            let shown = question.shown();
            assert!(places.insert(question.path.clone()), "{}", question.path);
            assert!(!question.path.contains("..") && !question.path.starts_with('/'));
            if let Ask::Command(_) = question.ask {
                assert_eq!(
                    crate::verify::command::classify(&shown).class,
                    CommandClass::ReadOnly,
                    "{shown}"
                );
            }
        }
    }
}
