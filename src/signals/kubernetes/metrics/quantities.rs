//! Which series of Prometheus tell of a fault: shares of a limit, and numbers that speak alone.

/// A part of a whole that must not fill it.
pub(super) struct Share {
    pub used: &'static str,
    pub most: &'static str,
    /// `used` counts what is left.
    pub left: bool,
    /// All series of one thing add up.
    pub sum: bool,
    /// Share from which it is a fault.
    pub from: f64,
    pub slug: &'static str,
    pub says: &'static str,
    pub strength: f64,
}

const fn share(
    used: &'static str,
    most: &'static str,
    from: f64,
    slug: &'static str,
    says: &'static str,
    strength: f64,
) -> Share {
    Share {
        used,
        most,
        left: false,
        sum: false,
        from,
        slug,
        says,
        strength,
    }
}

pub(super) const SHARES: &[Share] = &[
    share(
        "kubelet_volume_stats_used_bytes",
        "kubelet_volume_stats_capacity_bytes",
        0.97,
        "container-disk-full",
        "the volume is full",
        0.86,
    ),
    Share {
        left: true,
        ..share(
            "kubelet_volume_stats_available_bytes",
            "kubelet_volume_stats_capacity_bytes",
            0.97,
            "container-disk-full",
            "the volume is full",
            0.86,
        )
    },
    share(
        "kubelet_volume_stats_inodes_used",
        "kubelet_volume_stats_inodes",
        0.98,
        "container-disk-full",
        "the volume has no inodes left, so no file can be created although space is free",
        0.88,
    ),
    Share {
        left: true,
        ..share(
            "kubelet_volume_stats_inodes_free",
            "kubelet_volume_stats_inodes",
            0.98,
            "container-disk-full",
            "the volume has no inodes left, so no file can be created although space is free",
            0.88,
        )
    },
    Share {
        left: true,
        ..share(
            "node_filesystem_files_free",
            "node_filesystem_files",
            0.98,
            "node-disk-full",
            "a file system of the node has no inodes left",
            0.82,
        )
    },
    share(
        "node_nf_conntrack_entries",
        "node_nf_conntrack_entries_limit",
        0.95,
        "node-conntrack-full",
        "the connection tracking table is full, so new connections are dropped",
        0.9,
    ),
    Share {
        sum: true,
        ..share(
            "pg_stat_activity_count",
            "pg_settings_max_connections",
            0.95,
            "database-connections-used-up",
            "all connections that the database allows are in use",
            0.86,
        )
    },
    share(
        "mysql_global_status_threads_connected",
        "mysql_global_variables_max_connections",
        0.95,
        "database-connections-used-up",
        "all connections that the database allows are in use",
        0.86,
    ),
    share(
        "redis_connected_clients",
        "redis_config_maxclients",
        0.98,
        "database-connections-used-up",
        "all client connections that Redis allows are in use",
        0.84,
    ),
    share(
        "hikaricp_connections_active",
        "hikaricp_connections_max",
        1.0,
        "connection-pool-exhausted",
        "every connection of its pool is in use",
        0.72,
    ),
    share(
        "go_sql_in_use_connections",
        "go_sql_max_open_connections",
        1.0,
        "connection-pool-exhausted",
        "every connection of its pool is in use",
        0.7,
    ),
    share(
        "jdbc_connections_active",
        "jdbc_connections_max",
        1.0,
        "connection-pool-exhausted",
        "every connection of its pool is in use",
        0.72,
    ),
    share(
        "tomcat_threads_busy_threads",
        "tomcat_threads_config_max_threads",
        0.98,
        "worker-threads-exhausted",
        "all its worker threads are busy",
        0.76,
    ),
    share(
        "process_open_fds",
        "process_max_fds",
        0.95,
        "container-resource-limit",
        "it has nearly all the files open that it may (file descriptors)",
        0.84,
    ),
    share(
        "process_files_open_files",
        "process_files_max_files",
        0.95,
        "container-resource-limit",
        "it has nearly all the files open that it may (file descriptors)",
        0.84,
    ),
    share(
        "etcd_mvcc_db_total_size_in_bytes",
        "etcd_server_quota_backend_bytes",
        0.97,
        "etcd-unhealthy",
        "etcd's database is as large as its quota: it refuses writes",
        0.9,
    ),
    share(
        "container_memory_working_set_bytes",
        "container_spec_memory_limit_bytes",
        0.97,
        "application-memory-grows",
        "its memory use is at its limit",
        0.66,
    ),
    share(
        "kube_horizontalpodautoscaler_status_current_replicas",
        "kube_horizontalpodautoscaler_spec_max_replicas",
        1.0,
        "hpa-at-maximum",
        "the autoscaler is at its maximum",
        0.5,
    ),
];

/// When a value alone is a fault.
#[derive(Clone, Copy)]
pub(super) enum When {
    From(f64),
    Is(f64),
    /// It grew in the time shown.
    Grew(f64),
    /// A time, in seconds since 1970, that has passed.
    Past,
}

/// A value that is a fault.
pub(super) struct Alone {
    pub name: &'static str,
    /// A label that must have this value; "" for none.
    pub label: (&'static str, &'static str),
    pub when: When,
    pub slug: &'static str,
    pub says: &'static str,
    pub strength: f64,
    pub symptom: bool,
}

const fn alone(
    name: &'static str,
    when: When,
    slug: &'static str,
    says: &'static str,
    strength: f64,
) -> Alone {
    Alone {
        name,
        label: ("", ""),
        when,
        slug,
        says,
        strength,
        symptom: false,
    }
}

pub(super) const ALONE: &[Alone] = &[
    alone(
        "hikaricp_connections_pending",
        When::From(5.0),
        "connection-pool-exhausted",
        "{value} threads wait for a connection of its pool",
        0.84,
    ),
    alone(
        "pgbouncer_pools_client_waiting_connections",
        When::From(5.0),
        "connection-pool-exhausted",
        "{value} clients wait for a connection of the pooler",
        0.84,
    ),
    alone(
        "etcd_server_has_leader",
        When::Is(0.0),
        "etcd-unhealthy",
        "etcd has no leader",
        0.9,
    ),
    // etcd's own advice: the 99th percentile of WAL syncs stays below 10 ms; at 100 ms heartbeats are missed.
    alone(
        "etcd_disk_wal_fsync_duration_seconds",
        When::From(0.1),
        "etcd-unhealthy",
        "etcd's disk needs {value} s for a sync of its log, far too long",
        0.82,
    ),
    alone(
        "etcd_disk_backend_commit_duration_seconds",
        When::From(0.25),
        "etcd-unhealthy",
        "etcd's disk needs {value} s for a commit, far too long",
        0.8,
    ),
    alone(
        "kafka_server_replicamanager_underreplicatedpartitions",
        When::From(1.0),
        "broker-partitions-degraded",
        "{value} partitions lack copies (under-replicated)",
        0.72,
    ),
    alone(
        "kafka_controller_kafkacontroller_offlinepartitionscount",
        When::From(1.0),
        "broker-partitions-degraded",
        "{value} partitions have no leader (offline)",
        0.84,
    ),
    alone(
        "kafka_topic_partition_under_replicated_partition",
        When::Is(1.0),
        "broker-partitions-degraded",
        "a partition lacks copies (under-replicated)",
        0.7,
    ),
    alone(
        "rabbitmq_alarms_memory_used_watermark",
        When::Is(1.0),
        "message-broker-trouble",
        "the memory alarm of RabbitMQ is set: it blocks all publishers",
        0.88,
    ),
    alone(
        "rabbitmq_alarms_free_disk_space_watermark",
        When::Is(1.0),
        "message-broker-trouble",
        "the disk alarm of RabbitMQ is set: it blocks all publishers",
        0.88,
    ),
    alone(
        "redis_master_link_up",
        When::Is(0.0),
        "database-replica-behind",
        "the replica has lost its primary",
        0.78,
    ),
    alone(
        "redis_rdb_last_bgsave_status",
        When::Is(0.0),
        "database-error",
        "Redis cannot save its data, and then refuses writes",
        0.8,
    ),
    alone(
        "redis_rejected_connections_total",
        When::Grew(1.0),
        "database-connections-used-up",
        "Redis rejects connections, because as many clients as it allows are connected",
        0.8,
    ),
    alone(
        "mysql_slave_status_slave_sql_running",
        When::Is(0.0),
        "database-replica-behind",
        "replication has stopped on an error (SQL thread)",
        0.86,
    ),
    alone(
        "mysql_slave_status_slave_io_running",
        When::Is(0.0),
        "database-replica-behind",
        "the replica does not reach its source (IO thread)",
        0.84,
    ),
    alone(
        "mysql_slave_status_seconds_behind_master",
        When::From(300.0),
        "database-replica-behind",
        "the replica is {value} s behind",
        0.78,
    ),
    alone(
        "pg_replication_lag",
        When::From(300.0),
        "database-replica-behind",
        "the replica is {value} s behind",
        0.78,
    ),
    alone(
        "pg_replication_lag_seconds",
        When::From(300.0),
        "database-replica-behind",
        "the replica is {value} s behind",
        0.78,
    ),
    Alone {
        label: ("color", "red"),
        ..alone(
            "elasticsearch_cluster_health_status",
            When::Is(1.0),
            "search-cluster-red",
            "the search cluster is red: some primary shards are not there",
            0.84,
        )
    },
    alone(
        "node_timex_offset_seconds",
        When::From(0.5),
        "clock-skew",
        "the clock of the node is {value} s off",
        0.8,
    ),
    alone(
        "probe_ssl_earliest_cert_expiry",
        When::Past,
        "workload-certificate-expired",
        "its TLS certificate has expired",
        0.86,
    ),
    alone(
        "certmanager_certificate_expiration_timestamp_seconds",
        When::Past,
        "workload-certificate-expired",
        "its certificate has expired",
        0.84,
    ),
    alone(
        "x509_cert_not_after",
        When::Past,
        "workload-certificate-expired",
        "its certificate has expired",
        0.82,
    ),
    alone(
        "coredns_forward_max_concurrent_rejects_total",
        When::Grew(1.0),
        "cluster-dns-failing",
        "the cluster DNS rejects questions, because too many wait for its upstream",
        0.8,
    ),
    alone(
        "DCGM_FI_DEV_XID_ERRORS",
        When::From(1.0),
        "gpu-unavailable",
        "the driver reports error Xid {value} of a GPU",
        0.82,
    ),
    alone(
        "velero_backup_last_status",
        When::Is(0.0),
        "backup-failing",
        "the last backup of the schedule failed",
        0.72,
    ),
    alone(
        "apiserver_flowcontrol_rejected_requests_total",
        When::Grew(10.0),
        "apiserver-overloaded",
        "the API server rejects requests of this flow (priority and fairness)",
        0.74,
    ),
    Alone {
        label: ("reason", "CrashLoopBackOff"),
        symptom: true,
        ..alone(
            "kube_pod_container_status_waiting_reason",
            When::Is(1.0),
            "pod-crash-loop",
            "it crash-loops",
            0.45,
        )
    },
    Alone {
        label: ("condition", "DiskPressure"),
        ..alone(
            "kube_node_status_condition",
            When::Is(1.0),
            "node-disk-pressure",
            "the node runs out of disk space (DiskPressure)",
            0.8,
        )
    },
    Alone {
        label: ("condition", "MemoryPressure"),
        ..alone(
            "kube_node_status_condition",
            When::Is(1.0),
            "node-memory-pressure",
            "the node runs out of memory (MemoryPressure)",
            0.8,
        )
    },
    Alone {
        label: ("condition", "PIDPressure"),
        ..alone(
            "kube_node_status_condition",
            When::Is(1.0),
            "node-pid-pressure",
            "the node runs out of process ids (PIDPressure)",
            0.8,
        )
    },
];
