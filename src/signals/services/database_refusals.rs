//! Databases that refuse, wait or cannot go on: what their own logs say of clients, locks, versions and space.

use super::rule::{RULE, Rule};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "mysql.host-blocked",
        cause: "mysql-host-blocked",
        needs: &["many connection errors"],
        pattern: r"Host '(?P<host>[^']+)' is blocked because of many connection errors",
        strength: 0.88,
        subject: "{host}",
        title: "MySQL blocks the host {host} because of many connection errors",
        statement: "MySQL refuses every connection from {host}{span}: max_connect_errors broken handshakes in a row (health checks of a proxy, network faults) made it block the host until the host cache is flushed.",
        yes: &[
            "ERROR 1129 (HY000): Host 'lb1.example.org' is blocked because of many connection errors; unblock with 'mysqladmin flush-hosts'",
        ],
        no: &["Host 'lb1' connected"],
        ..RULE
    },
    Rule {
        id: "mysql.auth-plugin",
        cause: "mysql-auth-plugin",
        needs: &[
            "caching_sha2_password",
            "mysql_native_password",
            "authentication method unknown",
            "authentication protocol requested",
        ],
        pattern: r"(?P<what>Authentication plugin '[^']+' (?:cannot be loaded|reported error)[^\r\n]{0,100}|Plugin '?mysql_native_password'? is not loaded|(?:The )?[Ss]erver requested authentication method unknown to the client[^\r\n]{0,100}|Client does not support authentication protocol requested by server[^\r\n]{0,100}|Authentication requires secure connection)",
        strength: 0.84,
        title: "Client and MySQL server share no authentication plug-in: {what} ({count} times)",
        statement: "The server's account uses an authentication plug-in that the client (or the newer server) does not support{span}: {what}.",
        yes: &[
            "Authentication plugin 'caching_sha2_password' cannot be loaded: cannot open shared object file",
            "[ERROR] [MY-010000] Plugin 'mysql_native_password' is not loaded",
        ],
        no: &[
            "default_authentication_plugin = mysql_native_password",
            "[Warning] 'mysql_native_password' is deprecated and will be removed",
        ],
        ..RULE
    },
    Rule {
        id: "mysql.collation-unknown",
        cause: "mysql-collation-unknown",
        needs: &[
            "Unknown collation",
            "Unknown character set",
            "Illegal mix of collations",
        ],
        pattern: r"(?P<what>Unknown (?:collation|character set): '[^']+'|Illegal mix of collations [^\r\n]{0,100})",
        strength: 0.8,
        title: "{daemon}: {what}",
        statement: "The database does not know or cannot combine the collation ({what}): the dump or the program comes from another release or product of MySQL.",
        yes: &["ERROR 1273 (HY000) at line 25: Unknown collation: 'utf8mb4_0900_ai_ci'"],
        no: &["collation_server = utf8mb4_0900_ai_ci"],
        ..RULE
    },
    Rule {
        id: "galera.no-donor",
        cause: "galera-sst-failed",
        scope: &[
            "mysql",
            "mariadb",
            "mysqld",
            "galera",
            "percona",
            "syslog",
            "messages",
            "journal",
            "error.log",
        ],
        needs: &[
            "impossible to select State Transfer donor",
            "Requesting state transfer failed",
        ],
        pattern: r"(?P<what>(?:Member [\d.]+ \([^)]*\) )?requested state transfer from '[^']*', but it is impossible to select State Transfer donor[^\r\n]{0,100}|Requesting state transfer failed: -?\d+\([^)]*\)[^\r\n]{0,100})",
        at_least: 2,
        strength: 0.76,
        subject: "galera",
        title: "Galera finds no donor for a state transfer: {what}",
        statement: "A joining node gets no state{span} ({what}): no node is Synced, the wanted donor is busy or not in the cluster, or its segment is unreachable.",
        yes: &[
            "[Warning] WSREP: Member 1.0 (db2) requested state transfer from '*any*', but it is impossible to select State Transfer donor: Resource temporarily unavailable",
        ],
        no: &["WSREP: Member 1.0 (db2) synced with group."],
        ..RULE
    },
    Rule {
        id: "mysql.force-recovery",
        cause: "mysql-force-recovery",
        scope: &[
            "mysql",
            "mariadb",
            "mysqld",
            "galera",
            "percona",
            "syslog",
            "messages",
            "journal",
            "error.log",
        ],
        needs: &["innodb_force_recovery"],
        pattern: r"(?P<what>(?:innodb_force_recovery (?:is set|is on|> ?0|=? ?[1-6])|not allowed when innodb_force_recovery)[^\r\n]{0,100})",
        strength: 0.82,
        title: "MySQL runs with innodb_force_recovery: {what}",
        statement: "MySQL was started with innodb_force_recovery{span} ({what}): it is read-only for InnoDB, meant to dump the data after damage, not to work with.",
        yes: &[
            "[ERROR] InnoDB: Failed to find tablespace. innodb_force_recovery is on. We do not allow database modifications by the user",
        ],
        no: &["InnoDB: innodb_force_recovery = 0"],
        ..RULE
    },
    Rule {
        id: "mysql.redo-log-small",
        cause: "mysql-redo-log-small",
        scope: &[
            "mysql",
            "mariadb",
            "mysqld",
            "galera",
            "percona",
            "syslog",
            "messages",
            "journal",
            "error.log",
        ],
        needs: &[
            "exceeds the log",
            "reserve space in redo log",
            "log capacity",
        ],
        pattern: r"InnoDB: (?P<what>The age of the last checkpoint is \d+, which exceeds the log (?:group )?capacity \d+|Threads are unable to reserve space in redo log[^\r\n]{0,100}|The redo log is too small[^\r\n]{0,100})",
        at_least: 2,
        strength: 0.76,
        title: "MySQL's redo log is too small: {what} ({count} times)",
        statement: "InnoDB must wait for its redo log{span} ({what}): writes stall until pages are flushed.",
        yes: &[
            "InnoDB: The age of the last checkpoint is 217423871, which exceeds the log capacity 217423872.",
        ],
        no: &["InnoDB: Redo log capacity 100 MB"],
        ..RULE
    },
    Rule {
        id: "mysql.tablespace-missing",
        cause: "mysql-tablespace-missing",
        scope: &[
            "mysql",
            "mariadb",
            "mysqld",
            "galera",
            "percona",
            "syslog",
            "messages",
            "journal",
            "error.log",
        ],
        needs: &[
            "Tablespace is missing",
            "doesn't exist in engine",
            "Cannot find space id",
            "Tablespace for table",
        ],
        pattern: r"(?P<what>Tablespace is missing for (?:a )?table [^\r\n]{0,100}|[Tt]able '?(?P<table>[^' ]+)'? doesn't exist in engine|Cannot find space id \d+[^\r\n]{0,100}|Cannot open (?:datafile|tablespace)[^\r\n]{0,30}'[^']+'[^\r\n]{0,100})",
        strength: 0.84,
        subject: "{table}",
        title: "MySQL misses a table's file: {what}",
        statement: "InnoDB's dictionary has a table whose file is not there{span} ({what}): files were moved or removed below a running or restored server.",
        yes: &["[ERROR] InnoDB: Tablespace is missing for a table shop/orders."],
        no: &["InnoDB: Tablespace 7 opened"],
        ..RULE
    },
    Rule {
        id: "postgres.lock-wait",
        cause: "postgres-sessions-wait",
        scope: &[
            "postgres", "pgsql", "pg_log", "patroni", "syslog", "messages", "journal",
        ],
        needs: &["still waiting for"],
        pattern: r"process (?P<pid>\d+) still waiting for (?P<lock>\w+) on (?P<on>[^\r\n]{4,80}?) after (?P<ms>[\d.]+) ms",
        near: r"Process(?:es)? holding the lock: \d+",
        at_least: 3,
        strength: 0.7,
        subject: "postgres",
        title: "PostgreSQL sessions wait for a lock on {on} ({count} times)",
        statement: "Sessions wait for {lock} on {on}{span}; the detail line names the process that holds the lock.",
        yes: &[
            "LOG:  process 411 still waiting for ShareLock on transaction 88123 after 1000.123 ms",
        ],
        no: &["LOG:  process 411 acquired ShareLock on transaction 88123 after 12.3 ms"],
        ..RULE
    },
    Rule {
        id: "postgres.statements-cancelled",
        cause: "postgres-statements-cancelled",
        scope: &[
            "postgres", "pgsql", "pg_log", "patroni", "syslog", "messages", "journal",
        ],
        needs: &[
            "canceling statement due to",
            "terminating connection due to idle-in-transaction",
        ],
        pattern: r"(?:ERROR|FATAL):\s+(?P<what>canceling statement due to (?:statement timeout|lock timeout|conflict with recovery)|terminating connection due to (?:idle-in-transaction timeout|conflict with recovery))",
        at_least: 5,
        strength: 0.6,
        subject: "postgres",
        title: "PostgreSQL gives up statements: {what} ({count} times)",
        statement: "Statements are ended by the server{span}: {what}. A time-out is shorter than what the statement takes, it waits for a lock, or replay on a standby removes rows that it reads.",
        yes: &["ERROR:  canceling statement due to statement timeout"],
        no: &[
            "ERROR:  canceling statement due to user request",
            "ERROR:  canceling autovacuum task",
        ],
        ..RULE
    },
    Rule {
        id: "postgres.cannot-fork",
        cause: "postgres-resource-limit",
        scope: &[
            "postgres", "pgsql", "pg_log", "patroni", "syslog", "messages", "journal",
        ],
        needs: &["could not fork", "could not load", "could not reserve"],
        pattern: r"(?:LOG|FATAL|PANIC):\s+(?P<what>could not fork (?:new process for connection|autovacuum worker process|worker process|archiver)[^\r\n:]{0,30}: [^\r\n]{4,80})",
        strength: 0.86,
        subject: "postgres",
        title: "PostgreSQL cannot start processes: {what}",
        statement: "PostgreSQL cannot fork{span}: {what}. The host lacks memory, or a limit of processes is reached.",
        yes: &["LOG:  could not fork new process for connection: Cannot allocate memory"],
        no: &["LOG:  autovacuum launcher started"],
        ..RULE
    },
    Rule {
        id: "postgres.standby-slots",
        cause: "postgres-replication-broken",
        scope: &[
            "postgres", "pgsql", "pg_log", "patroni", "syslog", "messages", "journal",
        ],
        needs: &[
            "max_wal_senders",
            "all replication slots are in use",
            "max_replication_slots",
        ],
        pattern: r"(?:FATAL|ERROR):\s+(?P<what>number of requested standby connections exceeds max_wal_senders[^\r\n]{0,100}|all replication slots are in use|[^\r\n]{0,100}insufficient because of lower setting[^\r\n]{0,100}|hot standby is not possible because [^\r\n]{0,100})",
        strength: 0.84,
        subject: "postgres",
        title: "PostgreSQL's replication is refused: {what}",
        statement: "A standby cannot connect or start{span}: {what}.",
        yes: &[
            "FATAL:  number of requested standby connections exceeds max_wal_senders (currently 10)",
            "FATAL:  all replication slots are in use",
        ],
        no: &["max_wal_senders = 10"],
        ..RULE
    },
];
