//! What works until it has to be renewed or followed: certificates by ACME, zones of name servers, time lines of standbys, workers of queues.

use super::rule::{RULE, Rule};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "acme.renewal-fails",
        cause: "certificate-renewal-fails",
        scope: &[
            "letsencrypt",
            "certbot",
            "acme",
            "lego",
            "dehydrated",
            "caddy",
            "traefik",
            "syslog",
            "messages",
            "journal",
        ],
        needs: &[
            "Challenge failed for domain",
            "failed to authenticate some domains",
            "too many certificates",
            "urn:ietf:params:acme",
            "Failed to renew certificate",
            "Timeout during connect",
        ],
        pattern: r"(?P<what>Challenge failed for domain (?P<domain>[\w.*-]+)|Certbot failed to authenticate some domains[^\r\n]{0,60}|Failed to renew certificate (?P<name>[\w.*-]+) with error: [^\r\n]{4,160}|too many certificates[^\r\n]{0,120}|urn:ietf:params:acme:error:(?:connection|dns|unauthorized|rateLimited|caa)[^\r\n]{0,160})",
        strength: 0.78,
        subject: "{domain}{name}",
        title: "The certificate of {domain}{name} is not renewed: {what} ({count} times)",
        statement: "The certificate authority refuses or cannot check the renewal{span}: {what}. The challenge must be reached from outside (port, firewall, redirect) or found in DNS; until then the certificate runs out.",
        yes: &[
            "2024-03-01 03:00:00,123:WARNING:certbot._internal.auth_handler:Challenge failed for domain shop.example.org",
            "certbot[9]: Failed to renew certificate shop.example.org with error: Some challenges have failed.",
        ],
        no: &[
            "certbot[9]: Congratulations, all renewals succeeded",
            "certbot[9]: Certificate not yet due for renewal",
        ],
        ..RULE
    },
    Rule {
        id: "dns.serial",
        cause: "zone-serial-wrong",
        scope: &["named", "bind", "syslog", "messages", "journal", "daemon"],
        needs: &["serial number (", "zone serial ("],
        pattern: r"zone (?P<zone>[\w.-]+)/IN(?:/\w+)?: (?P<what>serial number \((?P<theirs>\d+)\) received from (?:master|primary) \S+ < ours \((?P<ours>\d+)\)|zone serial \(\d+\) unchanged\. zone may fail to transfer[^\r\n]{0,30}|zone serial \(\d+\) has gone backwards)",
        strength: 0.84,
        kind: "Zone",
        subject: "{zone}",
        title: "The serial of zone {zone} is wrong: {what}",
        statement: "Secondaries take a zone over only when its serial has grown{span}; for {zone}: {what}. Its changes do not arrive.",
        yes: &[
            "named[9]: zone example.org/IN: serial number (2024010101) received from master 192.0.2.1#53 < ours (2024020101)",
            "named[9]: zone example.org/IN: zone serial (7) unchanged. zone may fail to transfer to slaves.",
        ],
        no: &["named[9]: zone example.org/IN: loaded serial 2024010101"],
        ..RULE
    },
    Rule {
        id: "postgres.timeline",
        cause: "postgres-replication-broken",
        scope: &[
            "postgres", "pgsql", "patroni", "pg_log", "syslog", "messages", "journal",
        ],
        needs: &["timeline", "system identifier differs"],
        pattern: r"(?:FATAL|LOG|ERROR|PANIC):\s+(?P<what>requested timeline \d+ (?:is not a child of this server's history|does not contain minimum recovery point[^\r\n]{0,60})|highest timeline \d+ of the primary is behind recovery timeline \d+|new timeline \d+ forked off current database system timeline \d+[^\r\n]{0,60}|database system identifier differs between the primary and standby)",
        strength: 0.86,
        subject: "postgres",
        title: "The PostgreSQL standby is on another time line: {what}",
        statement: "The standby and its primary have parted ways{span}: {what}. After a failover the old server must be rewound or rebuilt.",
        yes: &[
            "FATAL:  requested timeline 7 is not a child of this server's history",
            "LOG:  new timeline 5 forked off current database system timeline 4 before current recovery point 9/A1",
        ],
        no: &["LOG:  selected new timeline ID: 7"],
        ..RULE
    },
    Rule {
        id: "celery.worker",
        cause: "task-queue-fails",
        scope: &["celery", "worker", "app", "flower"],
        needs: &[
            "WorkerLostError",
            "unregistered task",
            "TimeLimitExceeded",
            "Cannot connect to amqp",
            "Cannot connect to redis",
        ],
        pattern: r"(?P<what>WorkerLostError: [^\r\n]{0,100}|Received unregistered task of type '(?P<task>[^']+)'|TimeLimitExceeded\(?[\d.]*[^\r\n]{0,100}|consumer: Cannot connect to (?:amqp|redis)s?://[^:\s]{1,60}[^\r\n]{0,100})",
        strength: 0.76,
        title: "{daemon}: tasks are lost: {what} ({count} times)",
        statement: "The task queue's workers fail{span}: {what}.",
        yes: &[
            "[ERROR/MainProcess] Received unregistered task of type 'shop.tasks.mail'.",
            "billiard.exceptions.WorkerLostError: Worker exited prematurely: signal 9 (SIGKILL) Job: 12.",
        ],
        no: &["[INFO/MainProcess] celery@n1 ready."],
        ..RULE
    },
    Rule {
        id: "haproxy.check-refused",
        cause: "haproxy-check-wrong",
        scope: &["haproxy", "syslog", "messages", "journal"],
        needs: &["Layer7 wrong status"],
        pattern: r"Server (?P<server>\S+/\S+) is DOWN, reason: Layer7 wrong status, code: (?P<code>30\d|40\d)",
        cleared_by: r"Server \S+ is UP, reason: Layer7 check passed",
        strength: 0.74,
        kind: "Proxy server",
        subject: "{server}",
        title: "HAProxy's check of {server} is answered with {code}",
        statement: "HAProxy takes {server} out because its health check is answered with {code}{span}: the program answers, but the path, host name or log-in of the check does not fit it.",
        yes: &[
            "haproxy[9]: Server app/s1 is DOWN, reason: Layer7 wrong status, code: 404, info: \"Not Found\", check duration: 2ms.",
        ],
        no: &[
            "haproxy[9]: Server app/s1 is DOWN, reason: Layer7 wrong status, code: 503, info: \"Service Unavailable\"",
        ],
        ..RULE
    },
    Rule {
        id: "java.deadlock",
        cause: "java-deadlock",
        needs: &["Java-level deadlock"],
        pattern: r"(?P<what>Found (?:one|\d+) Java-level deadlocks?)",
        near: r#"^"[^"]+":"#,
        strength: 0.8,
        title: "{daemon}: threads of a Java program wait for each other: {what}",
        statement: "A thread dump shows a deadlock{span} ({what}): the threads named below it hold the locks that the others wait for, and only a restart frees them.",
        yes: &["Found one Java-level deadlock:"],
        no: &["No Java-level deadlock was found"],
        ..RULE
    },
];
