//! Document stores, rings, queues and caches that refuse, drop or cannot go on.

use super::rule::{RULE, Rule};

/// The rules of this family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "mongodb.too-many-connections",
        cause: "mongodb-too-many-connections",
        scope: &["mongo", "syslog", "messages", "journal"],
        needs: &["too many open connections"],
        pattern: r"(?P<what>[Cc]onnection refused because (?:there are )?too many open connections)",
        strength: 0.86,
        subject: "mongod",
        title: "MongoDB refuses connections: {what} ({count} times)",
        statement: "mongod refuses clients{span}: all connections that it may serve (its own limit, or the limit of open files) are used.",
        yes: &[
            "{\"s\":\"I\",\"c\":\"NETWORK\",\"id\":22942,\"msg\":\"Connection refused because there are too many open connections\",\"attr\":{\"connectionCount\":819}}",
        ],
        no: &["{\"msg\":\"Connection accepted\"}"],
        ..RULE
    },
    Rule {
        id: "mongodb.upgrade-blocked",
        cause: "mongodb-upgrade-blocked",
        scope: &["mongo", "syslog", "messages", "journal"],
        needs: &[
            "featureCompatibilityVersion",
            "UPGRADE PROBLEM",
            "unrecognized file format",
            "IncompatibleServerVersion",
        ],
        pattern: r"(?P<what>UPGRADE PROBLEM: [^\r\n]{0,200}|Invalid (?:value for )?featureCompatibilityVersion[^\r\n]{0,100}|[^\r\n]{0,100}featureCompatibilityVersion document[^\r\n]{0,60}(?:invalid|missing|error|problem)[^\r\n]{0,100}|IncompatibleServerVersion[^\r\n]{0,100})",
        strength: 0.88,
        subject: "mongod",
        title: "mongod does not start on these files: {what}",
        statement: "The data files belong to another release than mongod ({what}): the feature compatibility version was not raised before the upgrade, or releases were skipped.",
        yes: &[
            "{\"s\":\"F\",\"c\":\"-\",\"msg\":\"Wrong mongod version\",\"attr\":{\"error\":\"UPGRADE PROBLEM: Found an invalid featureCompatibilityVersion document\"}}",
        ],
        no: &[
            "{\"msg\":\"Setting featureCompatibilityVersion\",\"attr\":{\"newVersion\":\"6.0\"}}",
        ],
        ..RULE
    },
    Rule {
        id: "mongodb.lock-file",
        cause: "mongodb-cannot-start",
        scope: &["mongo", "syslog", "messages", "journal"],
        needs: &[
            "DBPathInUse",
            "Unable to lock",
            "Unable to create/open",
            "NonExistentPath",
            "Attempted to create a lock file on a read-only",
        ],
        pattern: r"(?P<what>DBPathInUse[^\r\n]{0,160}|Unable to (?:lock the lock file|create/open (?:the )?lock file)[^\r\n]{0,160}|NonExistentPath[^\r\n]{0,120}|Attempted to create a lock file on a read-only directory[^\r\n]{0,80})",
        strength: 0.86,
        subject: "mongod",
        title: "mongod cannot start: {what}",
        statement: "mongod cannot use its data directory: {what}.",
        yes: &[
            "{\"s\":\"E\",\"msg\":\"DBException in initAndListen, terminating\",\"attr\":{\"error\":\"DBPathInUse: Unable to lock the lock file: /var/lib/mongodb/mongod.lock (Resource temporarily unavailable)\"}}",
        ],
        no: &["{\"msg\":\"MongoDB starting\"}"],
        ..RULE
    },
    Rule {
        id: "mongodb.collection-scan",
        cause: "mongodb-collection-scan",
        scope: &["mongo", "syslog", "messages", "journal"],
        needs: &["COLLSCAN"],
        pattern: r"\x22ns\x22:\s?\x22(?P<namespace>[\w.$-]+)\x22.*planSummary\x22:\s?\x22COLLSCAN|(?P<n2>[\w-]+\.[\w.-]+) (?:command|query)[^\r\n]{0,200} planSummary: COLLSCAN",
        at_least: 20,
        strength: 0.62,
        subject: "{namespace}{n2}",
        title: "MongoDB scans the whole collection {namespace}{n2} for its queries ({count} slow ones)",
        statement: "Slow queries on {namespace}{n2} read the whole collection{span} (COLLSCAN): an index is missing.",
        yes: &[
            "{\"s\":\"I\",\"msg\":\"Slow query\",\"attr\":{\"type\":\"command\",\"ns\":\"shop.orders\",\"planSummary\":\"COLLSCAN\",\"durationMillis\":8123}}",
        ],
        no: &[
            "{\"msg\":\"Slow query\",\"attr\":{\"ns\":\"shop.orders\",\"planSummary\":\"IXSCAN\"}}",
        ],
        ..RULE
    },
    Rule {
        id: "cassandra.dropped",
        cause: "cassandra-overloaded",
        scope: &["cassandra", "scylla", "system.log"],
        needs: &["messages were dropped in"],
        pattern: r"(?P<type>\w+) messages were dropped in (?:the )?last \d+ ?ms: (?P<what>\d+ (?:for )?internal[^\r\n]{0,80})",
        at_least: 3,
        strength: 0.66,
        subject: "{type}",
        title: "Cassandra drops {type} messages: {what} ({count} times)",
        statement: "This node drops {type} messages because it cannot work them off in time{span}: it is overloaded (compaction, garbage collection, slow disk).",
        yes: &[
            "INFO  [ScheduledTasks:1] MessagingService.java:1236 - MUTATION messages were dropped in last 5000 ms: 812 internal and 17 cross node",
        ],
        no: &["INFO MessagingService - Starting"],
        ..RULE
    },
    Rule {
        id: "cassandra.tombstones",
        cause: "cassandra-tombstones",
        scope: &["cassandra", "scylla", "system.log"],
        needs: &["tombstone"],
        pattern: r"(?P<what>Read \d+ live rows and (?P<n>\d+) tombstone cells for query [^\r\n]{0,100}|Scanned over (?P<n2>\d+) tombstones[^\r\n]{0,100})",
        at_least: 3,
        strength: 0.7,
        title: "Cassandra reads over {n}{n2} tombstones: {what} ({count} times)",
        statement: "Queries read over many deleted cells{span} ({what}): they are slow or aborted; a queue-like table or deletions of ranges are the usual reason.",
        yes: &[
            "WARN  [ReadStage-2] ReadCommand.java:569 - Read 12 live rows and 48123 tombstone cells for query SELECT * FROM shop.queue",
        ],
        no: &["INFO tombstone_warn_threshold: 1000"],
        ..RULE
    },
    Rule {
        id: "cassandra.cannot-go-on",
        cause: "cassandra-fault",
        scope: &["cassandra", "scylla", "system.log"],
        needs: &[
            "Not enough space for compaction",
            "insufficient disk space",
            "CommitLogReplayException",
            "Unable to gossip with any",
            "Cannot achieve consistency level",
            "Saved cluster name",
            "FSWriteError",
            "FSReadError",
            "CorruptSSTableException",
        ],
        pattern: r"(?P<what>Not enough space for compaction[^\r\n]{0,100}|insufficient disk space[^\r\n]{0,100}|CommitLogReplayException: [^\r\n]{0,200}|Unable to (?:gossip with any (?:seeds|peers)|contact any seeds)[^\r\n]{0,100}|Cannot achieve consistency level (?P<level>\w+)|Saved cluster name [^\r\n]{0,100} != configured name [^\r\n]{0,100}|FS(?:Write|Read)Error[^\r\n]{0,100}|CorruptSSTableException: [^\r\n]{0,200})",
        strength: 0.82,
        subject: "cassandra",
        title: "Cassandra: {what} ({count} times)",
        statement: "Cassandra cannot go on{span}: {what}.",
        yes: &[
            "ERROR [main] CassandraDaemon.java:900 - Exception encountered during startup java.lang.RuntimeException: Unable to gossip with any peers",
            "ERROR - org.apache.cassandra.exceptions.UnavailableException: Cannot achieve consistency level QUORUM",
        ],
        no: &["INFO Compacted 4 sstables"],
        ..RULE
    },
    Rule {
        id: "kafka.consumer-evicted",
        cause: "kafka-consumer-evicted",
        scope: &["kafka", "consumer", "connect", "app", "service"],
        needs: &["poll timeout has expired", "max.poll.interval.ms"],
        pattern: r"(?P<what>consumer poll timeout has expired[^\r\n]{0,120}|[Cc]ommit cannot be completed since the group has already rebalanced[^\r\n]{0,60})",
        at_least: 2,
        strength: 0.74,
        title: "{daemon}: the consumer is thrown out of its group: {what} ({count} times)",
        statement: "The consumer takes longer for a batch than max.poll.interval.ms{span}, so Kafka gives its partitions to others and messages are worked on twice or never.",
        yes: &[
            "[Consumer clientId=a, groupId=g] consumer poll timeout has expired. This means the time between subsequent calls to poll() was longer than the configured max.poll.interval.ms",
        ],
        no: &["max.poll.interval.ms = 300000"],
        ..RULE
    },
    Rule {
        id: "kafka.refuses",
        cause: "kafka-request-refused",
        scope: &["kafka", "connect", "producer", "consumer", "app", "service"],
        needs: &[
            "RecordTooLargeException",
            "TopicAuthorizationException",
            "SaslAuthenticationException",
            "InconsistentBrokerIdException",
            "GroupAuthorizationException",
            "not present in metadata after",
        ],
        pattern: r"(?P<what>RecordTooLargeException: [^\r\n]{0,200}|(?:Topic|Group|Cluster)AuthorizationException: [^\r\n]{0,200}|InconsistentBrokerIdException: [^\r\n]{0,200}|SaslAuthenticationException: [^\r\n]{0,200}|Topic (?P<topic>\S+) not present in metadata after \d+ ms)",
        at_least: 2,
        strength: 0.76,
        title: "{daemon}: Kafka refuses: {what} ({count} times)",
        statement: "Kafka refuses the client's requests{span}: {what}.",
        yes: &[
            "org.apache.kafka.common.errors.RecordTooLargeException: The message is 1048700 bytes when serialized which is larger than 1048576",
            "org.apache.kafka.common.errors.TopicAuthorizationException: Not authorized to access topics: [orders]",
        ],
        no: &["max.request.size = 1048576"],
        ..RULE
    },
    Rule {
        id: "elasticsearch.versions",
        cause: "elasticsearch-version",
        scope: &["elastic", "opensearch", "es-"],
        needs: &[
            "minimum compatible",
            "cannot upgrade a node",
            "cannot downgrade a node",
            "plaintext http traffic",
            "plaintext traffic received",
            "wrong cluster name",
            "wrong_cluster",
        ],
        pattern: r"(?P<what>[^\r\n]{0,60}was created (?:with|before) version \[[^\]]+\][^\r\n]{0,40}minimum compatible[^\r\n]{0,100}|cannot (?:up|down)grade a node from version [^\r\n]{0,100}|received plaintext (?:http )?traffic on (?:an )?(?:https|encrypted) channel[^\r\n]{0,100}|[^\r\n]{0,100}wrong cluster[ _]name[^\r\n]{0,100})",
        strength: 0.8,
        subject: "elasticsearch",
        title: "Elasticsearch refuses: {what} ({count} times)",
        statement: "Versions or settings of nodes do not fit{span}: {what}.",
        yes: &[
            "[2024-03-01T10:00:00][ERROR][o.e.b.Elasticsearch] java.lang.IllegalStateException: cannot upgrade a node from version [6.8.0] directly to version [8.1.0]",
            "WARN [o.e.x.s.t.n.SecurityNetty4HttpServerTransport] received plaintext http traffic on an https channel, closing connection",
        ],
        no: &["[o.e.n.Node] version[8.1.0]"],
        ..RULE
    },
    Rule {
        id: "redis.slow-or-buffers",
        cause: "redis-overloaded",
        scope: &[
            "redis", "valkey", "syslog", "messages", "journal", "sentinel",
        ],
        needs: &[
            "fsync is taking too long",
            "overcoming of output buffer limits",
            "Can't handle RDB format",
        ],
        pattern: r"(?P<what>Asynchronous AOF fsync is taking too long[^\r\n]{0,60}|scheduled to be closed ASAP for overcoming of output buffer limits|Can't handle RDB format version \d+)",
        at_least: 2,
        strength: 0.68,
        subject: "redis",
        title: "Redis: {what} ({count} times)",
        statement: "Redis reports{span}: {what}. A slow disk stalls it, a replica or client that reads too slowly is cut off, or a file comes from a newer release.",
        yes: &[
            "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting for fsync to complete, this may slow down Redis.",
            "Client id=7 addr=192.0.2.9:411 flags=S cmd=psync scheduled to be closed ASAP for overcoming of output buffer limits.",
        ],
        no: &["AOF rewrite done"],
        ..RULE
    },
    Rule {
        id: "rabbitmq.flags-or-limits",
        cause: "rabbitmq-feature-flags",
        scope: &["rabbit"],
        needs: &[
            "eature flag",
            "connection limit",
            "channel_max",
            "larger than configured max",
        ],
        pattern: r"(?P<what>[Ff]eature flags?[^\r\n]{0,120}(?:incompatible|not supported|must be enabled|are required|unsupported|not enabled)[^\r\n]{0,80}|[Rr]equired feature flags? not enabled[^\r\n]{0,80}|(?:user|vhost|node|per-\w+)[^\r\n]{0,60}connection limit \(\d+\) is reached)",
        strength: 0.84,
        subject: "rabbitmq",
        title: "RabbitMQ refuses: {what} ({count} times)",
        statement: "RabbitMQ refuses{span}: {what}.",
        yes: &[
            "[error] <0.9.0> Feature flags: the following required feature flags are not enabled: classic_mirrored_queue_version",
            "access to vhost '/' refused for user 'a': vhost connection limit (100) is reached",
        ],
        no: &[
            "Feature flags: all required enabled",
            "Feature flags: list of feature flags found:",
        ],
        ..RULE
    },
];
