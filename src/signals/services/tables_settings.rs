//! Single settings that are wrong by themselves, or wrong for what the ticket asks.

use super::tables::{ROW, Row};

const REACH: &[&str] = &[
    "connect", "refused", "reach", "remote", "answer", "timeout", "time out",
];
const SPACE: &[&str] = &["disk", "full", "space", "grow", "slow", "bloat", "vacuum"];

/// The rows of this family: lines of configuration files.
pub const ROWS: &[Row] = &[
    // HAProxy takes a time without a unit for milliseconds.
    Row {
        id: "haproxy.timeout-in-milliseconds",
        cause: "proxy-timeout-too-short",
        files: &["haproxy_cfg"],
        pattern: r"^\s*timeout\s+(?P<name>client|server|connect|tunnel|http-request|queue)\s+(?P<value>[1-9]\d{0,2}(?:ms)?)\s*(?:#.*)?$",
        kind: "Setting",
        title: "HAProxy's timeout {name} is {value}, which means milliseconds",
        statement: "HAProxy takes a time without a unit for milliseconds: timeout {name} {value} ends connections after less than a second.",
        strength: 0.78,
        yes: &["    timeout server  50"],
        no: &[
            "    timeout server  50s",
            "    timeout server 50000",
            "    timeout connect 5000ms",
        ],
        ..ROW
    },
    Row {
        id: "kafka.advertised-loopback",
        cause: "service-on-loopback-only",
        files: &["server_properties"],
        pattern: r"^\s*advertised\.listeners\s*=\s*(?P<value>\S*(?:localhost|127\.0\.0\.1):\d+\S*)",
        kind: "Setting",
        subject: "kafka",
        title: "Kafka tells its clients to come to {value}",
        statement: "Kafka advertises {value}: every client is sent to its own loopback address after the first answer and fails, unless it runs on this host.",
        strength: 0.62,
        words: REACH,
        yes: &["advertised.listeners=PLAINTEXT://localhost:9092"],
        no: &[
            "#advertised.listeners=PLAINTEXT://localhost:9092",
            "advertised.listeners=PLAINTEXT://192.0.2.7:9092",
        ],
        ..ROW
    },
    Row {
        id: "named.listens-on-loopback",
        cause: "service-on-loopback-only",
        files: &["named_conf"],
        pattern: r"^\s*(?P<what>listen-on(?: port \d+)? \{ ?127\.0\.0\.1; ?\}|allow-query\s+\{ ?localhost; ?\})",
        kind: "Setting",
        subject: "named",
        title: "named serves this host only: {what}",
        statement: "named.conf has {what}, as it is shipped: other hosts get no answer or a refusal.",
        strength: 0.4,
        about: &["dns", "named", "bind", "name server", "resolv"],
        words: &[
            "client", "answer", "refused", "query", "queries", "reach", "timeout",
        ],
        yes: &["\tlisten-on port 53 { 127.0.0.1; };"],
        no: &["\tlisten-on port 53 { any; };"],
        ..ROW
    },
    Row {
        id: "postfix.listens-on-loopback",
        cause: "service-on-loopback-only",
        files: &["main_cf"],
        pattern: r"^\s*inet_interfaces\s*=\s*(?P<value>localhost|loopback-only|127\.0\.0\.1)\s*$",
        kind: "Setting",
        subject: "postfix",
        title: "Postfix listens on loopback only: inet_interfaces = {value}",
        statement: "inet_interfaces is {value}: Postfix takes mail from this host only, every other host is refused.",
        strength: 0.4,
        about: &["mail", "smtp", "postfix"],
        words: &[
            "receive", "incoming", "inbound", "refused", "connect", "relay",
        ],
        yes: &["inet_interfaces = loopback-only"],
        no: &["inet_interfaces = all"],
        ..ROW
    },
    Row {
        id: "postgres.listens-on-loopback",
        cause: "service-on-loopback-only",
        files: &["postgresql_conf"],
        pattern: r"^\s*listen_addresses\s*=\s*'(?P<value>localhost|127\.0\.0\.1)'",
        kind: "Setting",
        subject: "postgresql",
        title: "PostgreSQL listens on loopback only: listen_addresses = {value}",
        statement: "listen_addresses is {value}: connections from other hosts are refused.",
        strength: 0.4,
        about: &["postgres", "database", "data base"],
        words: REACH,
        yes: &["listen_addresses = 'localhost'"],
        no: &["#listen_addresses = 'localhost'", "listen_addresses = '*'"],
        ..ROW
    },
    Row {
        id: "mongodb.listens-on-loopback",
        cause: "service-on-loopback-only",
        files: &["mongod_conf"],
        pattern: r"^\s*bindIp:\s*(?P<value>127\.0\.0\.1|localhost)\s*(?:#.*)?$",
        kind: "Setting",
        subject: "mongod",
        title: "mongod listens on loopback only: bindIp {value}",
        statement: "bindIp is {value}: connections from other hosts and other members of a replica set are refused.",
        strength: 0.4,
        about: &["mongo", "database", "replica"],
        words: REACH,
        yes: &["  bindIp: 127.0.0.1"],
        no: &["  bindIp: 127.0.0.1,192.0.2.7"],
        ..ROW
    },
    Row {
        id: "postgres.autovacuum-off",
        cause: "postgres-autovacuum-off",
        files: &["postgresql_conf", "postgresql_auto_conf"],
        pattern: r"^\s*autovacuum\s*=\s*'?(?P<value>off|false|no)\b",
        kind: "Setting",
        subject: "autovacuum",
        title: "PostgreSQL's autovacuum is switched off ({value})",
        statement: "autovacuum is {value}: dead rows are never removed, tables grow, plans go wrong, and in the end the server refuses writes to protect itself from a wraparound of transaction numbers.",
        strength: 0.6,
        words: SPACE,
        yes: &["autovacuum = off"],
        no: &["#autovacuum = off", "autovacuum = on"],
        ..ROW
    },
    Row {
        id: "mysql.forced-settings",
        cause: "mysql-force-recovery",
        files: &[
            "mysqld_cnf",
            "my_cnf",
            "server_cnf",
            "50_server_cnf",
            "mysql_cnf",
        ],
        pattern: r"^\s*(?P<name>innodb[_-]force[_-]recovery\s*=\s*[1-6]|skip[_-]grant[_-]tables|skip[_-]networking(?:\s*=\s*(?:1|on))?)\s*(?:#.*)?$",
        kind: "Setting",
        title: "MySQL is configured for an emergency: {name}",
        statement: "{name} is set: forced recovery makes InnoDB read-only, without grant tables nothing is checked, without networking no client from elsewhere gets in. It was left over.",
        strength: 0.66,
        words: REACH,
        yes: &["innodb_force_recovery = 4", "skip-networking"],
        no: &["#skip-networking", "innodb_force_recovery = 0"],
        ..ROW
    },
    Row {
        id: "neutron.nova-not-told",
        cause: "neutron-does-not-notify",
        files: &["neutron_conf"],
        pattern: r"^\s*(?P<name>notify_nova_on_port_(?:status|data)_changes)\s*=\s*(?P<value>false|no|0)\s*$",
        kind: "Setting",
        title: "Neutron does not tell Nova about ports: {name} = {value}",
        statement: "{name} is {value}: Nova waits for the event that a port is plugged and gives up starting the instance.",
        strength: 0.6,
        words: &["instance", "boot", "spawn", "vm", "timeout", "error"],
        yes: &["notify_nova_on_port_status_changes = false"],
        no: &["notify_nova_on_port_status_changes = true"],
        ..ROW
    },
    Row {
        id: "nova.new-services-disabled",
        cause: "openstack-service-disabled",
        files: &["nova_conf"],
        pattern: r"^\s*(?P<name>enable_new_services)\s*=\s*(?P<value>false|no|0)\s*$",
        kind: "Setting",
        title: "New compute hosts begin disabled: {name} = {value}",
        statement: "{name} is {value}: a new compute host takes no instances until somebody enables it.",
        strength: 0.3,
        words: &[
            "new compute",
            "new host",
            "new hypervisor",
            "added",
            "valid host",
            "empty",
        ],
        yes: &["enable_new_services = false"],
        no: &["enable_new_services = true"],
        ..ROW
    },
    Row {
        id: "rabbitmq.watermark-low",
        cause: "rabbitmq-memory-alarm",
        files: &["rabbitmq_conf"],
        pattern: r"^\s*(?P<name>vm_memory_high_watermark\.relative)\s*=\s*(?P<value>0\.(?:0\d*|1\d*))\s*$",
        kind: "Setting",
        title: "RabbitMQ blocks publishers early: {name} = {value}",
        statement: "{name} is {value}: at this part of the memory RabbitMQ blocks all publishers; the usual value is four times as high.",
        strength: 0.5,
        words: &["block", "publish", "message", "rabbit", "alarm", "hang"],
        yes: &["vm_memory_high_watermark.relative = 0.1"],
        no: &["vm_memory_high_watermark.relative = 0.4"],
        ..ROW
    },
];
