//! A customer who describes a fault that the bundle shows nothing of: then the bundle is not healthy, it lacks what
//! would tell.

use super::{Role, Signal};
use crate::bundle::Tree;
use crate::report::Missing;
use regex::Regex;
use std::sync::LazyLock;

/// Strength from which a cause may be what the customer means.
const MAY_ANSWER: f64 = 0.5;
/// Most logs of programs asked for.
const MAX_LOGS: usize = 4;

/// Words of something that went wrong.
static TROUBLE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\b(?:fail\w*|errors?|crash\w*|down|outage|unavailable|unreachable|slow\w*|stuck|hang(?:s|ing)?|hung|frozen?|freez\w+|lost|los(?:es|ing)|gone|disappear\w*|vanish\w*|time[sd]? ?out|timeouts?|refused|rejected|denied|broken?|breaks|corrupt\w*|disconnect\w*|no longer|not (?:start|come|work|respond|answer|reach|mount|boot|reach)\w*|(?:does|do|did|is|are|was|were|can|could|will|would)(?:n't|n’t| not)|cannot|[45]\d\d|had no \w+|what happened|unexpected\w*|(?:re)?boot(?:s|ed) (?:by itself|without|again)|restart(?:s|ed) (?:by itself|again|every)|delay\w*|duplicate[sd]?|missing|(?:went|goes|gone|going) wrong|dropped out|stopped|hangs up)\b",
    )
});
/// What people write who only want to be told that all is well.
static ROUTINE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)\bno (?:complaints?|(?:known )?(?:problems?|issues?|faults?)|errors? (?:known|seen))\b|nothing (?:is )?known|\broutine\b|\b(?:health|yearly|quarterly|monthly|regular|pre-?\w+|post-?\w+)[ -](?:check|review)|\bplease (?:check|confirm|have a look|look)\b.{0,40}\b(?:that|whether|if|healthy|all|everything|over)\b|\bis (?:anything|something|it all|everything)\b",
    )
});

/// Programs by a part of the names of their files, what their own log is called, and parts of that log's path.
const PROGRAMS: &[(&str, &str, &[&str])] = &[
    ("tomcat", "Tomcat (catalina.out)", &["catalina", "tomcat"]),
    ("jboss", "JBoss or WildFly (server.log)", &["server.log"]),
    ("wildfly", "WildFly (server.log)", &["server.log"]),
    (
        "apache2",
        "the web server (error log)",
        &["error.log", "error_log"],
    ),
    (
        "httpd",
        "the web server (error log)",
        &["error.log", "error_log"],
    ),
    ("nginx", "nginx (error log)", &["error.log"]),
    ("haproxy", "HAProxy", &["haproxy"]),
    (
        "consul",
        "Consul (journal or log file of the agent)",
        &["consul"],
    ),
    (
        "vault",
        "Vault (journal or log file of the server)",
        &["vault"],
    ),
    (
        "nomad",
        "Nomad (journal or log file of the agent)",
        &["nomad"],
    ),
    ("etcd", "etcd", &["etcd"]),
    ("keycloak", "Keycloak", &["keycloak"]),
    ("jenkins", "Jenkins", &["jenkins"]),
    ("postgres", "PostgreSQL", &["postgresql", "pg_log"]),
    ("mysql", "MySQL (error log)", &["mysql", "error.log"]),
    (
        "mariadb",
        "MariaDB (error log)",
        &["mariadb", "mysql", "error.log"],
    ),
    ("mongo", "MongoDB", &["mongod"]),
    ("redis", "Redis", &["redis"]),
    ("rabbitmq", "RabbitMQ", &["rabbit"]),
    ("kafka", "the broker", &["kafka", "server.log"]),
    ("elasticsearch", "Elasticsearch", &["elasticsearch"]),
];
/// Parts of paths that hold the system's own log.
const SYSTEM_LOGS: [&str; 6] = [
    "syslog",
    "messages",
    "journal",
    "kern.log",
    "daemon.log",
    "system.log",
];

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|why| panic!("{text}: {why}"))
}

/// Whether the customer's words describe a fault, rather than ask whether there is one.
fn complains(ticket: &str) -> bool {
    TROUBLE.is_match(ticket) && !ROUTINE.is_match(ticket)
}

/// Whether a file holds what a program logged, other than requests that it answered.
fn is_log(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    ["log", "journal", ".out", "messages"]
        .iter()
        .any(|word| name.contains(word))
        && !name.contains("access")
        && !name.contains("config")
}

/// What is missing when nothing in the bundle is what the ticket describes.
pub fn unexplained(tree: &Tree, ticket: Option<&str>, signals: &[Signal]) -> Vec<Missing> {
    let answered = signals
        .iter()
        .any(|signal| signal.role == Role::Cause && signal.strength >= MAY_ANSWER);
    let Some(ticket) = ticket
        .filter(|ticket| complains(ticket))
        .filter(|_| !answered)
    else {
        return Vec::new();
    };
    let ticket = ticket.to_lowercase();
    let paths: Vec<String> = tree
        .files()
        .filter(|entry| entry.bytes > 0)
        .map(|entry| tree.rel(entry).to_lowercase())
        .collect();
    let logs: Vec<&String> = paths.iter().filter(|path| is_log(path)).collect();
    let mut all: Vec<Missing> = PROGRAMS
        .iter()
        .filter(|(name, _, own)| {
            let is_there = ticket.contains(name) || paths.iter().any(|path| path.contains(name));
            is_there && !logs.iter().any(|path| own.iter().any(|part| path.contains(part)))
        })
        .take(MAX_LOGS)
        .map(|(name, called, _)| Missing {
            what: format!("the own log of {called}, from the time in question"),
            why: format!("the bundle is about {name} and holds no file of its log; nothing else in it explains what the ticket describes"),
            path: None,
        })
        .collect();
    let in_cluster = paths
        .iter()
        .any(|path| path.contains("pods") || path.contains("kubectl"));
    if !in_cluster
        && !logs
            .iter()
            .any(|path| SYSTEM_LOGS.iter().any(|part| path.contains(part)))
    {
        all.push(Missing {
            what: "the system log of the time in question (journalctl, /var/log/syslog or /var/log/messages)".into(),
            why: "no system log is in the bundle; kernel, services and timers report there what they ended, changed or ran out of".into(),
            path: None,
        });
    }
    if all.is_empty() {
        all.push(Missing {
            what: "what was logged and measured when it happened, on the machine or in the program that the ticket is about".into(),
            why: "nothing that was collected shows the fault that the ticket describes".into(),
            path: None,
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    #[test]
    fn complaints_and_requests() {
        for ticket in [
            "Between nine and ten the portal answered 502. Why?",
            "Nobody can log in since the patch, sessions are lost",
            "the agent had no leader for two minutes",
            "Uploads don't finish",
            "The import went wrong again last night",
        ] {
            assert!(complains(ticket), "{ticket}");
        }
        for ticket in [
            "Routine check before the upgrade, please confirm that this host is healthy.",
            "No known problems; please check whether everything came up after the reboot",
            "Yearly health check.",
            "We upgraded yesterday.",
            "",
        ] {
            assert!(!complains(ticket), "{ticket}");
        }
    }

    #[test]
    fn the_log_of_the_program_in_question_is_asked_for() {
        let files = [
            ("b/tomcat9/server.xml", "<Server/>"),
            ("b/apache2/access.log", "GET / 503"),
        ];
        let asked = |files: &[(&str, &str)], ticket: &str| {
            let (_folder, tree) = tree_of(files.iter().copied());
            unexplained(&tree, Some(ticket), &[])
        };
        let wanted = asked(&files, "At noon the shop answered 503");
        let text: String = wanted.iter().map(|item| item.what.as_str()).collect();
        assert!(
            text.contains("catalina.out")
                && text.contains("error log")
                && text.contains("system log"),
            "{text}"
        );
        let with_log = [
            files[0],
            ("b/tomcat9/catalina.out", "started"),
            ("b/var/log/syslog", "x"),
        ];
        let wanted = asked(&with_log, "At noon the shop answered 503");
        assert_eq!(wanted.len(), 1, "{wanted:?}");
        assert!(wanted[0].why.contains("nothing that was collected"));
        assert!(asked(&files, "Routine check, no problem known.").is_empty());
    }
}
