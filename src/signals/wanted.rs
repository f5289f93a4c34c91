//! What would settle a symptom that the bundle shows without its cause: the logs of the failing service
//! itself, of the other side of a proxy, of the boot before a reset.

use super::{Role, Signal};
use crate::bundle::Tree;
use crate::report::Missing;

/// Strength from which a cause answers the question, so that nothing more is asked for.
const ANSWERED: f64 = 0.6;
/// Most things asked for because of symptoms.
const MAX_WANTED: usize = 6;

/// Services by parts of their units' names, and where each one's own log lies. A service that writes its own
/// log tells systemd only that it ended.
const OWN_LOGS: &[(&[&str], &str, &str)] = &[
    (
        &["mysql", "mariadb", "mysqld", "galera", "percona"],
        "MySQL or MariaDB (error.log)",
        "var/log/mysql",
    ),
    (
        &["postgres", "postgresql", "patroni"],
        "PostgreSQL",
        "var/log/postgresql",
    ),
    (&["rabbitmq"], "RabbitMQ", "var/log/rabbitmq"),
    (&["mongod", "mongodb"], "MongoDB", "var/log/mongodb"),
    (&["redis"], "Redis", "var/log/redis"),
    (
        &["elasticsearch", "opensearch"],
        "the search engine",
        "var/log/elasticsearch",
    ),
    (&["kafka", "zookeeper"], "the broker", "var/log/kafka"),
    (&["nginx"], "nginx", "var/log/nginx"),
    (&["apache2", "httpd"], "the web server", "var/log/apache2"),
    (
        &["tomcat", "catalina"],
        "Tomcat (catalina.out)",
        "var/log/tomcat",
    ),
    (
        &["slapd", "dirsrv"],
        "the directory server",
        "var/log/dirsrv",
    ),
    (&["squid"], "Squid", "var/log/squid"),
    (
        &["postfix", "exim", "dovecot"],
        "the mail server",
        "var/log/mail",
    ),
    (
        &["pacemaker", "corosync"],
        "the cluster",
        "var/log/pacemaker",
    ),
    (
        &["libvirtd", "virtqemud"],
        "libvirt and its guests",
        "var/log/libvirt",
    ),
];

/// Another name of the same log, where distributions differ.
const SAME_LOG: &[(&str, &[&str])] = &[
    (
        "var/log/mysql",
        &["var/log/mariadb", "var/lib/mysql", "mysqld.log", "mysql"],
    ),
    ("var/log/apache2", &["var/log/httpd"]),
    (
        "var/log/pacemaker",
        &["var/log/cluster", "var/log/corosync"],
    ),
    ("var/log/postgresql", &["var/lib/pgsql", "pg_log"]),
    ("var/log/elasticsearch", &["var/log/opensearch"]),
];

/// What tells why a machine restarted without being told to, its place, and parts of paths that hold it.
const AFTER_A_RESET: &[(&str, &str, &str, &[&str])] = &[
    (
        "the kernel log of the boot before (journalctl -b -1 -k, or kern.log.1)",
        "the last lines before the reset tell a panic, an ordered restart and a loss of power apart",
        "var/log/kern.log.1",
        &[
            "kern.log.1",
            "boot_-1",
            "messages.1",
            "messages-",
            "syslog.1",
        ],
    ),
    (
        "the crash dump or its log (/var/crash, kdump, /sys/fs/pstore)",
        "a kernel that panicked leaves its message there when kdump or pstore is set up",
        "var/crash",
        &["var/crash/", "vmcore", "pstore/"],
    ),
    (
        "the event log of the management controller (ipmitool sel list, iDRAC, iLO)",
        "power, temperature and memory faults that reset a machine are recorded only there",
        "sos_commands/ipmitool/ipmitool_sel_list",
        &["sel_list", "sel_elist", "ipmi_sel", "idrac", "ilo_log"],
    ),
];

/// What is wanted for the symptoms among `signals`, nothing when a cause answers already.
pub fn wanted(tree: &Tree, signals: &[Signal]) -> Vec<Missing> {
    if signals
        .iter()
        .any(|signal| signal.role == Role::Cause && signal.strength >= ANSWERED)
    {
        return Vec::new();
    }
    let mut all: Vec<Missing> = Vec::new();
    for signal in signals
        .iter()
        .filter(|signal| signal.role == Role::Symptom && !signal.detector.starts_with("k8s."))
    {
        match signal.cause.as_str() {
            "unit-failed" => all.extend(own_log(tree, &signal.subject.name)),
            "unexpected-reboots" => all.extend(after_a_reset(tree)),
            "unit-killed" => all.extend(who_killed(tree, &signal.subject.name)),
            "upstream-unavailable" | "haproxy-no-server" => {
                all.extend(other_side(&signal.subject.name));
            }
            _ => {}
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|item| seen.insert(item.what.clone()));
    all.truncate(MAX_WANTED);
    all
}

/// Whether a path of the bundle holds `part`.
fn holds(tree: &Tree, part: &str) -> bool {
    tree.files()
        .any(|entry| entry.bytes > 0 && entry.path.as_str().contains(part))
}

fn own_log(tree: &Tree, unit: &str) -> Option<Missing> {
    let unit = unit.to_ascii_lowercase();
    let (_, called, place) = OWN_LOGS
        .iter()
        .find(|(names, ..)| names.iter().any(|name| unit.contains(name)))?;
    let others = SAME_LOG
        .iter()
        .find(|(of, _)| of == place)
        .map_or(&[][..], |(_, others)| *others);
    let there = holds(tree, &format!("{place}/"))
        || others.iter().any(|other| {
            tree.files().any(|entry| {
                entry.path.as_str().contains(other) && entry.path.as_str().contains("log")
            })
        });
    (!there).then(|| Missing {
        what: format!("the own log of {called}, {place}"),
        why: format!(
            "{unit} ended with an error and systemd does not know which; the service writes it to its own log. Not collected: no file of it is in the bundle"
        ),
        path: Some(format!("{}{place}", tree.top())),
    })
}

fn after_a_reset(tree: &Tree) -> impl Iterator<Item = Missing> + '_ {
    AFTER_A_RESET
        .iter()
        .filter(|(.., parts)| !parts.iter().any(|part| holds(tree, part)))
        .map(|(what, why, place, _)| Missing {
            what: (*what).to_owned(),
            why: (*why).to_owned(),
            path: Some(format!("{}{place}", tree.top())),
        })
}

/// SIGKILL comes from outside: the kernel's OOM killer, a limit, a watchdog or a person.
const WHO_KILLED: &[(&str, &str, &str, &[&str])] = &[
    (
        "kernel log of that time (dmesg, kern.log or journalctl -k)",
        "the OOM killer names its victim there",
        "var/log/kern.log",
        &["dmesg", "kern.log", "messages", "var/log/syslog"],
    ),
    (
        "audit log (/var/log/audit/audit.log)",
        "a signal that a person or a script sent is recorded only there",
        "var/log/audit/audit.log",
        &["audit.log", "audit/"],
    ),
    (
        "memory history (sar -r, or the monitoring of its control group)",
        "it shows whether memory ran out at that time",
        "var/log/sa",
        &["var/log/sa/", "var/log/sysstat/", "sar"],
    ),
];

fn who_killed<'a>(tree: &'a Tree, unit: &'a str) -> impl Iterator<Item = Missing> + 'a {
    WHO_KILLED
        .iter()
        .filter(|(.., parts)| !parts.iter().any(|part| holds(tree, part)))
        .map(move |(what, why, place, _)| Missing {
            what: (*what).to_owned(),
            why: format!("{unit} was ended by SIGKILL and the bundle does not show by whom; {why}"),
            path: Some(format!("{}{place}", tree.top())),
        })
}

fn other_side(name: &str) -> Option<Missing> {
    let name = name.trim();
    (!name.is_empty() && !name.starts_with('{')).then(|| Missing {
        what: format!("logs and state of the upstream service behind {name}"),
        why: "the proxy tells only that the other side does not answer well; why is known on the machine that runs it, of which this bundle holds nothing".into(),
        path: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    fn asked(files: &[(&str, &str)], ticket: &str) -> Vec<String> {
        let files = files.iter();
        let (_folder, tree) = tree_of(files.map(|(path, text)| (format!("bundle/{path}"), text)));
        let mut signals = crate::signals::host::detect(&tree, Some(ticket)).signals;
        signals.extend(crate::signals::services::detect(&tree, Some(ticket)).signals);
        wanted(&tree, &signals)
            .into_iter()
            .map(|item| item.what)
            .collect()
    }

    #[test]
    fn a_service_that_ended_is_asked_for_its_own_log() {
        let units = (
            "sos_commands/systemd/systemctl_list-units",
            "● mysql.service loaded failed failed MySQL Community Server\n",
        );
        let ticket = "The database is down.";
        let wanted = asked(&[units], ticket);
        assert!(
            wanted.iter().any(|what| what.contains("error.log")),
            "{wanted:?}"
        );
        assert!(asked(&[units, ("var/log/mysql/error.log", "x\n")], ticket).is_empty());
    }

    #[test]
    fn a_reset_is_asked_for_the_boot_before_the_dump_and_the_controller() {
        let last = (
            "sos_commands/login/last",
            "ubuntu   pts/0        10.20.0.9        Tue May 28 12:02 - crash (2+10:00)\n\
             reboot   system boot  5.15.0-105       Thu May 30 22:02   still running\n",
        );
        let date = ("date", "Thu May 30 23:12:00 UTC 2024\n");
        let ticket = "The machine rebooted by itself.";
        let wanted = asked(&[last, date], ticket);
        assert_eq!(wanted.len(), 3, "{wanted:?}");
        let wanted = asked(&[last, date, ("var/log/kern.log.1", "x\n")], ticket);
        assert_eq!(wanted.len(), 2, "{wanted:?}");
    }

    #[test]
    fn a_killed_service_is_asked_for_who_killed_it() {
        let line = "Jun 20 07:32:33 a systemd[1]: shop.service: Main process exited, code=killed, status=9/KILL\n";
        let wanted = asked(
            &[("journal.txt", line), ("df.txt", "x\n")],
            "It ends by itself.",
        );
        assert!(
            wanted.iter().any(|what| what.contains("kernel log")),
            "{wanted:?}"
        );
        let wanted = asked(
            &[
                ("journal.txt", line),
                ("dmesg.txt", "[ 1.0] x\n"),
                ("audit.log", "x\n"),
            ],
            "It ends by itself.",
        );
        assert!(
            !wanted.iter().any(|what| what.contains("kernel log")),
            "{wanted:?}"
        );
    }

    #[test]
    fn behind_a_proxy_the_other_side_is_asked_for() {
        let line = "2024/12/12 11:22:11 [error] 19#19: *9 connect() failed (111: Connection refused) while connecting to upstream, client: 10.0.0.1, server: a, request: \"GET / HTTP/1.1\", upstream: \"http://10.0.0.2:80/\"\n";
        let wanted = asked(&[("var/log/nginx/error.log", &line.repeat(4))], "502");
        assert!(
            wanted.iter().any(|what| what.contains("10.0.0.2")),
            "{wanted:?}"
        );
    }
}
