//! RabbitMQ and the Erlang run-time below it.

use super::rule::{RULE, Rule};
use crate::signals::Role;

const RABBIT: &[&str] = &["rabbit", "beam.smp"];
/// Clients that talk AMQP through oslo.messaging.
const CLIENTS: &[&str] = &[
    "nova",
    "neutron",
    "cinder",
    "glance",
    "heat",
    "octavia",
    "designate",
    "barbican",
    "manila",
    "ceilometer",
    "aodh",
    "gnocchi",
    "magnum",
    "ironic",
    "watcher",
    "masakari",
];

/// The rules of this family.
pub const RULES: &[Rule] = &[
    // Mnesia detects that both sides ran apart: data diverged and does not heal without an action or a policy.
    Rule {
        id: "rabbitmq.partition",
        cause: "rabbitmq-partition",
        scope: RABBIT,
        needs: &[
            "running_partitioned_network",
            "inconsistent_database",
            "Network partition detected",
            "partitioned_network",
        ],
        pattern: r"inconsistent_database, ?\{?(?P<context>running_partitioned_network|starting_partitioned_network),? ?'?(?P<peer>rabbit@[\w.-]+)?|(?P<seen>running_partitioned_network|Network partition detected|starting_partitioned_network)",
        near: r"Discarding message|no synchronised slave|rabbit on node \S+ down|partitions",
        strength: 0.93,
        kind: "RabbitMQ cluster",
        subject: "rabbitmq",
        title: "RabbitMQ cluster is partitioned ({context}{seen}) {peer}",
        statement: "Mnesia on this RabbitMQ node detected a network partition ({context}{seen} {peer}): the cluster's nodes ran apart, the database is inconsistent and mirrored queues diverge or lose messages until one side is restarted.",
        yes: &[
            " Mnesia('rabbit@a'): ** ERROR ** mnesia_event got {inconsistent_database, running_partitioned_network, 'rabbit@b'}",
            "2024-01-01 10:00:00.123 [error] <0.1.0> Mnesia('rabbit@a'): ** ERROR ** mnesia_event got {inconsistent_database, starting_partitioned_network, 'rabbit@c'}",
        ],
        no: &[
            "cluster_partition_handling = pause_minority",
            "2024-01-01 10:00:00.123 [info] <0.1.0> node 'rabbit@b' up",
        ],
        ..RULE
    },
    // A mirror that is promoted without being synchronised drops what only the dead master had.
    Rule {
        id: "rabbitmq.messages-discarded",
        cause: "rabbitmq-unsynchronised-mirrors",
        scope: RABBIT,
        needs: &[
            "Discarding message",
            "no synchronised",
            "unsynchronised",
            "not be synchronised",
        ],
        pattern: r"(?P<what>Discarding message .{0,120}|(?:Queue|queue) '?(?P<queue>[^']{1,120}?)'?(?: in vhost '(?P<vhost>[^']*)')?.{0,120}no synchronised (?:slave|mirror).*)",
        strength: 0.82,
        kind: "RabbitMQ cluster",
        subject: "mirrors",
        title: "RabbitMQ discards messages: mirrored queues have no synchronised mirror {queue}",
        statement: "RabbitMQ lost messages: {what}. Mirrors were not synchronised when their master went away.",
        yes: &[
            "Discarding message {'$gen_call',{<0.1.0>,#Ref<0.1.1>},stat} from <0.1.0> to <0.2.0> in an old incarnation (1) of this node (2)",
            "Mirrored queue 'x' in vhost '/': Stopping all nodes on master shutdown since no synchronised slave is available",
        ],
        no: &["Mirrored queue 'x' in vhost '/': Adding mirror on node rabbit@b"],
        ..RULE
    },
    Rule {
        id: "rabbitmq.memory-alarm",
        cause: "rabbitmq-memory-alarm",
        scope: RABBIT,
        needs: &[
            "vm_memory_high_watermark set",
            "memory resource limit alarm set",
        ],
        pattern: r"vm_memory_high_watermark set\. Memory used:(?P<used>\d+) allowed:(?P<allowed>\d+)|memory resource limit alarm set on node (?P<node>\S+?)\.?$",
        cleared_by: r"vm_memory_high_watermark clear|memory resource limit alarm cleared",
        strength: 0.86,
        kind: "RabbitMQ node",
        subject: "memory",
        title: "RabbitMQ memory alarm: used {used} of allowed {allowed} bytes {node}",
        statement: "RabbitMQ passed its memory high watermark ({used} of {allowed} bytes, {node}) and blocks all publishers until it falls; look for queues that grow without consumers.",
        yes: &[
            "vm_memory_high_watermark set. Memory used:7000 allowed:6000",
            "2024-01-01 10:00:00.123 [warning] <0.1.0> memory resource limit alarm set on node rabbit@a.",
        ],
        no: &[
            "vm_memory_high_watermark clear. Memory used:5 allowed:6000",
            "Memory high watermark set to 6000 MiB",
        ],
        ..RULE
    },
    Rule {
        id: "rabbitmq.disk-alarm",
        cause: "rabbitmq-disk-alarm",
        scope: RABBIT,
        needs: &[
            "disk resource limit alarm set",
            "free disk space is insufficient",
            "Free bytes:",
        ],
        pattern: r"(?:disk resource limit alarm set on node (?P<node>\S+?)\.?$|[Ff]ree (?:disk space is insufficient|bytes).{0,20}[. ]Free bytes: ?(?P<free>\d+)[. ]+Limit: ?(?P<limit>\d+))",
        cleared_by: r"disk resource limit alarm cleared|free disk space is sufficient",
        strength: 0.88,
        kind: "RabbitMQ node",
        subject: "disk",
        title: "RabbitMQ disk alarm: free {free} below limit {limit} bytes {node}",
        statement: "RabbitMQ's disk has less free space than disk_free_limit ({free} of {limit} bytes, {node}); all publishers are blocked until space is made.",
        yes: &[
            "2024-01-01 10:00:00.123 [info] <0.1.0> Free disk space is insufficient. Free bytes: 40. Limit: 50",
            "disk resource limit alarm set on node rabbit@a.",
        ],
        no: &[
            "disk free limit set to 50MB",
            "Free disk space is sufficient. Free bytes: 90. Limit: 50",
        ],
        ..RULE
    },
    Rule {
        id: "rabbitmq.fd-limit",
        cause: "rabbitmq-fd-limit",
        scope: RABBIT,
        needs: &[
            "file_descriptor_limit alarm set",
            "file descriptor limit alarm set",
            "emfile",
            "system_limit",
        ],
        pattern: r"(?P<what>file[_ ]descriptor[_ ]limit alarm set.*|\{error, ?emfile\}.*|\bsystem_limit\b.*)",
        strength: 0.87,
        kind: "RabbitMQ node",
        title: "RabbitMQ {daemon} has run out of file descriptors or processes: {what}",
        statement: "RabbitMQ reached its limit of file descriptors, ports or processes ({what}) and refuses new connections; raise LimitNOFILE or find the client that leaks connections.",
        yes: &[
            "2024-01-01 10:00:00.123 [warning] <0.1.0> file descriptor limit alarm set.",
            "{error,emfile}",
        ],
        no: &["Limiting to approx 65436 file handles (58890 sockets)"],
        ..RULE
    },
    Rule {
        id: "rabbitmq.auth-refused",
        cause: "rabbitmq-auth-failed",
        scope: &[
            "rabbit",
            "beam.smp",
            "nova",
            "neutron",
            "cinder",
            "glance",
            "heat",
            "octavia",
            "designate",
        ],
        needs: &["ACCESS_REFUSED", "invalid credentials", "access_refused"],
        pattern: r"(?:user '(?P<user>[^']+)' - invalid credentials|ACCESS_REFUSED - (?P<what>.{0,120})|access_refused,.{0,40}|login refused for user '(?P<login>[^']+)')",
        at_least: 2,
        strength: 0.78,
        persistent: 0.82,
        kind: "RabbitMQ user",
        subject: "{user}{login}",
        title: "RabbitMQ refuses the login of {user}{login}: {what}",
        statement: "RabbitMQ refuses user {user}{login} ({line}): the password, user or virtual host of that client does not match the broker's.",
        yes: &[
            "PLAIN login refused: user 'nova' - invalid credentials",
            "amqp.exceptions.AccessRefused: (0, 0): (403) ACCESS_REFUSED - Login was refused using authentication mechanism AMQPLAIN",
        ],
        no: &["user 'nova' authenticated and granted access to vhost 'openstack'"],
        ..RULE
    },
    // Client heartbeats that the broker misses: a blocked client or a path that drops idle connections.
    Rule {
        id: "rabbitmq.missed-heartbeats",
        cause: "rabbitmq-missed-heartbeats",
        scope: RABBIT,
        needs: &["missed heartbeats from client"],
        pattern: r"missed heartbeats from client, timeout: (?P<timeout>\d+)s",
        at_least: 20,
        strength: 0.45,
        kind: "RabbitMQ node",
        title: "RabbitMQ closes connections: missed heartbeats from clients, time-out {timeout} s",
        statement: "RabbitMQ closed client connections {count} times because their heartbeats were missed for {timeout} s: clients block (CPU, eventlet) or the network drops packets.",
        yes: &["missed heartbeats from client, timeout: 60s"],
        no: &["client unexpectedly closed TCP connection"],
        ..RULE
    },
    Rule {
        id: "rabbitmq.node-down",
        cause: "rabbitmq-node-down",
        scope: RABBIT,
        needs: &["rabbit on node", "' down:", "node down"],
        pattern: r"(?:rabbit on node '?(?P<peer>rabbit@[\w.-]+)'? down|node '?(?P<node>rabbit@[\w.-]+)'? down: (?P<why>\w+))",
        cleared_by: r"rabbit on node '?rabbit@[\w.-]+'? up|node '?rabbit@[\w.-]+'? up",
        at_least: 1,
        strength: 0.5,
        persistent: 0.7,
        role: Role::Symptom,
        kind: "RabbitMQ node",
        subject: "{peer}{node}",
        title: "RabbitMQ lost its cluster peer {peer}{node} {why}",
        statement: "This RabbitMQ node saw {peer}{node} go down ({why}).",
        yes: &[
            "rabbit on node 'rabbit@b' down",
            "node 'rabbit@b' down: net_tick_timeout",
        ],
        no: &["rabbit on node 'rabbit@b' up"],
        ..RULE
    },
    Rule {
        id: "rabbitmq.net-tick-timeout",
        cause: "rabbitmq-net-tick-timeout",
        scope: RABBIT,
        needs: &["net_tick_timeout"],
        pattern: r"node '?(?P<peer>rabbit@[\w.-]+)'? down: net_tick_timeout|(?P<seen>net_tick_timeout)",
        strength: 0.74,
        kind: "RabbitMQ node",
        subject: "{peer}",
        title: "RabbitMQ peer {peer} lost by net_tick_timeout",
        statement: "Erlang's distribution got no tick from {peer} within net_ticktime (60 s): the network between the nodes, or a stalled virtual machine, interrupted the cluster.",
        yes: &["2024-01-01 10:00:00.123 [info] <0.1.0> node 'rabbit@b' down: net_tick_timeout"],
        no: &["net_ticktime set to 60"],
        ..RULE
    },
    Rule {
        id: "rabbitmq.cookie",
        cause: "rabbitmq-cluster-cookie",
        scope: RABBIT,
        needs: &[
            "Connection attempt from disallowed node",
            "invalid challenge reply",
            "Erlang cookie",
            ".erlang.cookie",
        ],
        pattern: r"(?P<what>Connection attempt from (?:disallowed )?node '?\S+'? rejected.*|Connection attempt from disallowed node '?(?P<peer>[\w@.-]+).*|[Ii]nvalid challenge reply.*|.*(?:Cookie file \S+ must be accessible by owner only|Erlang cookie.*(?:mismatch|does not match|not match)).*)",
        strength: 0.85,
        kind: "RabbitMQ node",
        title: "RabbitMQ nodes cannot cluster: Erlang cookie mismatch {peer}",
        statement: "Erlang refuses the other node ({what}): the .erlang.cookie differs or has wrong permissions, so the nodes cannot form a cluster.",
        yes: &[
            "** Connection attempt from disallowed node 'rabbitmqcli@b' **",
            "Cookie file /var/lib/rabbitmq/.erlang.cookie must be accessible by owner only",
        ],
        no: &["home dir: /var/lib/rabbitmq, cookie hash: abc="],
        ..RULE
    },
    Rule {
        id: "rabbitmq.boot-failed",
        cause: "rabbitmq-cannot-start",
        scope: RABBIT,
        needs: &[
            "BOOT FAILED",
            "timeout_waiting_for_tables",
            "inconsistent_cluster",
            "schema_integrity_check_failed",
            "Waiting for Mnesia tables",
            "epmd reports",
            "failed_to_cluster_with",
            "Error description",
            "cannot_read_enabled_plugins",
        ],
        pattern: r"(?P<what>BOOT FAILED|timeout_waiting_for_tables.{0,120}|inconsistent_cluster.{0,160}|schema_integrity_check_failed.{0,120}|failed_to_cluster_with.{0,120}|Error while waiting for Mnesia tables.{0,120}|epmd reports: node 'rabbit' not running.{0,60}|cannot_read_enabled_plugins.{0,80})",
        near: r"timeout_waiting_for_tables|inconsistent_cluster|schema_integrity|Error description|eacces|eaddrinuse",
        cleared_by: r"Server startup complete|Starting broker\.\.\. completed",
        strength: 0.84,
        kind: "RabbitMQ node",
        title: "RabbitMQ cannot start: {what}",
        statement: "RabbitMQ did not boot: {what}. When it waits for Mnesia tables, the node that stopped last has to start first.",
        yes: &[
            "BOOT FAILED",
            "{error,{timeout_waiting_for_tables,[rabbit_user,rabbit_user_permission]}}",
            "Error while waiting for Mnesia tables: {timeout_waiting_for_tables,['rabbit@a']}",
        ],
        no: &["Waiting for Mnesia tables for 30000 ms, 9 retries left"],
        ..RULE
    },
    Rule {
        id: "rabbitmq.queue-unavailable",
        cause: "rabbitmq-queue-unavailable",
        scope: &[
            "rabbit", "nova", "neutron", "cinder", "heat", "octavia", "oslo",
        ],
        needs: &[
            "home node",
            "NOT_FOUND - no queue",
            "NOT_FOUND - no exchange",
            "Failed to process message",
            "is down or inaccessible",
        ],
        pattern: r"(?:home node '(?P<node>[^']+)' of durable queue '(?P<queue>[^']+)'|queue '(?P<q>[^']+)' in vhost '[^']*' (?:process is stopped by supervisor|is down or inaccessible)|NOT_FOUND - no (?P<what>queue|exchange) '(?P<name>[^']+)')",
        at_least: 2,
        strength: 0.66,
        persistent: 0.72,
        kind: "RabbitMQ queue",
        subject: "{queue}{q}{name}",
        title: "RabbitMQ {what} {queue}{q}{name} is not available {node}",
        statement: "Clients cannot use {queue}{q}{name}: {line}. Its home node is down, or it was lost when nodes ran apart.",
        yes: &[
            "operation queue.declare caused a channel exception not_found: home node 'rabbit@b' of durable queue 'q1' in vhost '/' is down or inaccessible",
            "(404) NOT_FOUND - no queue 'reply_1' in vhost 'openstack'",
        ],
        no: &["queue 'x' declared"],
        ..RULE
    },
    // Clients: the broker's address answers with "refused" or is not routed at all.
    Rule {
        id: "oslo.amqp-network",
        cause: "messaging-network-unreachable",
        scope: CLIENTS,
        needs: &[
            "ENETUNREACH",
            "EHOSTUNREACH",
            "No route to host",
            "Network is unreachable",
        ],
        pattern: r"(?:impl_rabbit|amqp|oslo[._]messaging).*(?P<what>ENETUNREACH|EHOSTUNREACH|No route to host|Network is unreachable)",
        near: r"cannot switch to a different thread|greenlet",
        strength: 0.8,
        title: "{daemon} cannot reach RabbitMQ: network unreachable ({what})",
        statement: "{daemon} lost its AMQP connection to RabbitMQ because the network is unreachable ({what}): a route or interface of this host went away, not the broker.",
        yes: &[
            "2022-02-09 22:53:10.702 1402787 ERROR oslo.messaging._drivers.impl_rabbit [-] Connection failed: [Errno 101] ENETUNREACH (retrying in 0 seconds): OSError: [Errno 101] ENETUNREACH",
        ],
        no: &[
            "2022-02-09 22:53:10.702 1402787 ERROR oslo.messaging._drivers.impl_rabbit [-] [x] AMQP server on a:5672 is unreachable: timed out",
        ],
        ..RULE
    },
    // Green threads and real threads mixed: the heartbeat thread of oslo.messaging uses an object of another hub.
    Rule {
        id: "oslo.greenlet-thread",
        cause: "eventlet-thread-conflict",
        scope: CLIENTS,
        needs: &[
            "cannot switch to a different thread",
            "Second simultaneous",
            "Cannot switch to a different thread",
        ],
        pattern: r"(?P<what>greenlet\.error: cannot switch to a different thread|cannot switch to a different thread|Second simultaneous (?:read|write) on fileno \d+ detected)",
        near: r"ENETUNREACH|heartbeat|impl_rabbit",
        strength: 0.78,
        title: "{daemon}: eventlet fails: {what}",
        statement: "{daemon} mixes native and green threads: {what}. The heartbeat thread of its messaging or database connection dies and the connection is not restored; the service hangs until restarted.",
        yes: &[
            "greenlet.error: cannot switch to a different thread",
            "RuntimeError: Second simultaneous read on fileno 12 detected.  Unless you really know what you're doing",
        ],
        no: &["Using eventlet monkey patching"],
        ..RULE
    },
    Rule {
        id: "oslo.amqp-lost",
        cause: "messaging-server-unreachable",
        scope: CLIENTS,
        needs: &["AMQP server on", "Connection failed"],
        pattern: r"(?:AMQP server (?:on )?(?P<peer>[\w.:-]+) is unreachable: (?P<why>.{0,80}?)\.? (?:Trying again|\(retrying)|impl_rabbit.{0,80}Connection failed: (?P<cause>\[Errno 111\].{0,40}|timed out|.{0,40}ECONNREFUSED))",
        cleared_by: r"Reconnected to AMQP server",
        at_least: 10,
        strength: 0.5,
        persistent: 0.6,
        role: Role::Symptom,
        subject: "{peer}",
        title: "{daemon} cannot reach the AMQP server {peer}: {why}{cause}",
        statement: "{daemon} failed {count} times to reach RabbitMQ {peer} ({why}{cause}); the broker's own log tells why.",
        yes: &[
            "2024-01-01 10:00:00.1 1 ERROR oslo.messaging._drivers.impl_rabbit [-] [x] AMQP server on 10.0.0.1:5672 is unreachable: [Errno 111] ECONNREFUSED. Trying again in 2 seconds.: ConnectionRefusedError",
        ],
        no: &["Reconnected to AMQP server on 10.0.0.1:5672 via [amqp] client with port 1."],
        ..RULE
    },
    Rule {
        id: "oslo.rpc-timeout",
        cause: "rpc-timeouts",
        scope: CLIENTS,
        needs: &["MessagingTimeout", "Timed out waiting for a reply"],
        pattern: r"(?:MessagingTimeout: )?Timed out waiting for a reply to message ID (?P<message>[0-9a-f]+)",
        at_least: 5,
        strength: 0.5,
        persistent: 0.6,
        role: Role::Symptom,
        title: "{daemon}: RPC calls time out ({count} MessagingTimeout)",
        statement: "{daemon} waited {count} times in vain for a reply over the message bus: the service that should answer or the broker is down or overloaded.",
        yes: &[
            "oslo_messaging.exceptions.MessagingTimeout: Timed out waiting for a reply to message ID 0a1b2c3d",
        ],
        no: &["No calling threads waiting for msg_id : 0a1b"],
        ..RULE
    },
];
