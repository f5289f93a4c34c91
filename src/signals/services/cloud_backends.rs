//! Message bus and database behind the cloud: arguments that differ, replicas that are written to, members kept out.

use super::rule::{RULE, Rule};

/// The rules.
pub const RULES: &[Rule] = &[
    // Queues and exchanges keep the arguments they were declared with; a client that asks for others is refused for good.
    Rule {
        id: "rabbitmq.arguments-differ",
        cause: "rabbitmq-arguments-differ",
        needs: &["PRECONDITION_FAILED"],
        pattern: r"PRECONDITION_FAILED - (?P<what>inequivalent arg '(?P<argument>[^']+)' for (?P<kind>\w+) '(?P<name>[^']+)'[^\r\n]{0,120})",
        strength: 0.88,
        kind: "Queue",
        subject: "{name}",
        title: "RabbitMQ refuses {kind} {name}: {what}",
        statement: "A client declares the {kind} {name} with another {argument} than it exists with ({what}){span}: settings such as durable or quorum queues were changed on one side; all services must use the same and the old {kind} has to go first.",
        yes: &[
            "Exchange.declare: (406) PRECONDITION_FAILED - inequivalent arg 'durable' for exchange 'nova' in vhost 'openstack': received 'true' but current is 'false'",
        ],
        no: &["PRECONDITION_FAILED - unknown delivery tag 1"],
        ..RULE
    },
    Rule {
        id: "rabbitmq.delivery-timeout",
        cause: "rabbitmq-delivery-timeout",
        needs: &["PRECONDITION_FAILED", "delivery acknowledgement"],
        pattern: r"(?P<what>delivery acknowledgement on channel \d+ timed out[^\r\n]{0,80})",
        at_least: 2,
        strength: 0.72,
        title: "RabbitMQ closes channels of consumers that do not acknowledge: {what}",
        statement: "A consumer held a message longer than the broker allows without acknowledging it ({what}){span}, so RabbitMQ closed its channel: the work takes too long or hangs.",
        yes: &[
            "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out. Timeout value used: 1800000 ms.",
        ],
        no: &["delivery acknowledgement enabled"],
        ..RULE
    },
    Rule {
        id: "rabbitmq.vhost-down",
        cause: "rabbitmq-vhost-down",
        scope: &["rabbit"],
        needs: &["vhost"],
        pattern: r"(?P<what>vhost '?(?P<vhost>[^' ]+)'? is down|Failed to (?:start|recover) vhost '?(?P<v2>[^' ]+)'?[^\r\n]{0,80}|Unable to recover vhost [^\r\n]{0,120}|Restarting crashed (?:queue|vhost)[^\r\n]{0,60})",
        strength: 0.86,
        kind: "Virtual host",
        subject: "{vhost}{v2}",
        title: "RabbitMQ virtual host {vhost}{v2} is down: {what}",
        statement: "The virtual host {vhost}{v2} does not run on this node ({what}){span}: its message store could not be recovered, and clients of that host are refused.",
        yes: &["[error] <0.891.0> vhost 'openstack' is down"],
        no: &["[info] <0.1.0> Making sure data directory for vhost '/' exists"],
        ..RULE
    },
    Rule {
        id: "rabbitmq.handshake",
        cause: "rabbitmq-handshake-timeout",
        scope: &["rabbit"],
        needs: &["handshake_timeout", "bad_header", "handshake_error"],
        pattern: r"(?P<what>handshake_timeout(?:,\s*\w+)?|\{bad_header,[^\r\n]{0,40}|handshake_error[^\r\n]{0,60})",
        at_least: 3,
        strength: 0.6,
        title: "RabbitMQ: connections end in their handshake: {what} ({count} times)",
        statement: "Clients open connections and do not finish the handshake ({what}){span}: they or the node are overloaded, TLS meets plain text, or something only probes the port.",
        yes: &[
            "[error] closing AMQP connection <0.1.0> (192.0.2.7:1 -> 192.0.2.5:5672): {handshake_timeout,frame_header}",
        ],
        no: &["connection <0.1.0> (192.0.2.7:1 -> 192.0.2.5:5672): user 'nova' authenticated"],
        ..RULE
    },
    // Writes reached a secondary: the router, proxy or address of the clients points past the primary.
    Rule {
        id: "mysql.written-to-replica",
        cause: "mysql-written-to-replica",
        needs: &["read-only option", "read only", "READ_ONLY"],
        pattern: r"(?P<what>The (?:MySQL|MariaDB) server is running with the --(?P<option>(?:super-)?read[-_]only) option so it cannot execute this statement|cannot execute \w+ in a read-only transaction)",
        at_least: 2,
        strength: 0.84,
        title: "{daemon} writes to a database that is read-only: {what}",
        statement: "{daemon} sends writes to a member that only reads ({what}){span}: the router or address it uses leads to a secondary, or the primary was lost and no member took over.",
        yes: &[
            "pymysql.err.OperationalError: (1290, 'The MySQL server is running with the --super-read-only option so it cannot execute this statement')",
        ],
        no: &["Setting super_read_only=ON."],
        ..RULE
    },
    Rule {
        id: "mysql.member-kept-out",
        cause: "mysql-member-kept-out",
        needs: &["allowlist", "whitelist", "group_replication", "[GCS]"],
        pattern: r"(?P<what>Connection attempt from IP address (?P<peer>\S+) refused\. Address is not in the (?:IP )?(?:allow|white)list|\[GCS\] (?:Error connecting to all peers|Error on opening a connection to (?P<p2>\S+?)[ :]|Timeout while waiting for the group communication engine)[^\r\n]{0,80})",
        at_least: 2,
        strength: 0.84,
        title: "MySQL group replication keeps a member out: {what}",
        statement: "A member of the group is not let in or not reached ({what}){span}: its address is not in the group's list of allowed addresses, or the group's port is not reachable.",
        yes: &[
            "[Repl] Plugin group_replication reported: '[GCS] Connection attempt from IP address ::ffff:192.0.2.9 refused. Address is not in the IP allowlist.'",
        ],
        no: &["[GCS] Using XCom as Communication Stack for XCom group_replication"],
        ..RULE
    },
    Rule {
        id: "mysql.table-full",
        cause: "mysql-table-full",
        needs: &["is full"],
        pattern: r"(?P<what>[Tt]he table '(?P<table>[^']+)' is full)",
        at_least: 2,
        strength: 0.8,
        kind: "Table",
        subject: "{table}",
        title: "MySQL: {what}",
        statement: "{what}{span}: the disk or tablespace below it has no room, or an in-memory table reached its limit.",
        yes: &["pymysql.err.InternalError: (1114, \"The table 'instances' is full\")"],
        no: &["the disk is full"],
        ..RULE
    },
    Rule {
        id: "mysql.data-directory",
        cause: "mysql-cannot-start",
        scope: &[
            "mysql",
            "maria",
            "syslog",
            "messages",
            "journal",
            "error.log",
        ],
        needs: &[
            "Cannot downgrade",
            "data directory",
            "Upgrade is not supported",
            "is not supported",
            "Different lower_case_table_names",
        ],
        pattern: r"(?P<what>Cannot (?:downgrade|upgrade) from \d+ to \d+[^\r\n]{0,60}|The designated data directory \S+ is unusable[^\r\n]{0,60}|Different lower_case_table_names settings[^\r\n]{0,80}|Data Dictionary initialization failed[^\r\n]{0,40}|Upgrade (?:is not supported|after a crash is not supported)[^\r\n]{0,80})",
        strength: 0.88,
        title: "{daemon}: MySQL does not start with this data directory: {what}",
        statement: "MySQL refuses its data directory ({what}){span}: the package was downgraded or the directory belongs to another version or a first start that broke off.",
        yes: &[
            "[ERROR] [MY-013379] [Server] Server upgrade of '80036' is not supported: Cannot downgrade from 80036 to 80035",
            "[ERROR] [MY-013236] [Server] The designated data directory /var/lib/mysql/ is unusable. You can remove all files that the server added to it.",
        ],
        no: &["[System] [MY-013381] [Server] Server upgrade from '80035' to '80036' completed."],
        ..RULE
    },
    Rule {
        id: "vault.certificate-lifetime",
        cause: "vault-pki-refuses",
        needs: &[
            "notAfter beyond the expiration",
            "unknown role",
            "no handler for route",
            "cannot satisfy request",
        ],
        pattern: r"(?P<what>cannot satisfy request, as TTL would result in notAfter[^\r\n]{0,140}|no handler for route [^\r\n]{0,60}|unknown role: [^\r\n]{0,60})",
        strength: 0.84,
        title: "{daemon}: Vault does not issue certificates: {what}",
        statement: "Vault refuses to issue a certificate ({what}){span}: the CA ends before the certificate would, or the PKI backend or role does not exist.",
        yes: &[
            "* cannot satisfy request, as TTL would result in notAfter 2025-01-01T00:00:00Z that is beyond the expiration of the CA certificate at 2024-12-01T00:00:00Z",
        ],
        no: &["core: successfully mounted: type=pki path=charm-pki-local/"],
        ..RULE
    },
    Rule {
        id: "vault.token",
        cause: "vault-token-refused",
        scope: &[
            "vault", "juju", "syslog", "messages", "journal", "barbican", "octavia",
        ],
        needs: &[
            "error looking up token",
            "permission denied",
            "invalid token",
            "storage backend",
        ],
        pattern: r"(?P<what>error looking up token[^\r\n]{0,140}|hvac\.exceptions\.(?:Forbidden|InvalidPath|VaultDown|InvalidRequest)[^\r\n]{0,120})",
        at_least: 2,
        strength: 0.7,
        title: "{daemon}: Vault refuses a client or its storage does not answer: {what}",
        statement: "Requests to Vault fail ({what}){span}: the client's token or role expired or lacks a policy, or Vault's storage backend answers too late.",
        yes: &[
            "vault[500]: error looking up token: error=\"context deadline exceeded\"",
            "hvac.exceptions.Forbidden: permission denied, on post https://192.0.2.4:8200/v1/auth/approle/login",
        ],
        no: &["vault[500]: token renewed"],
        ..RULE
    },
];
