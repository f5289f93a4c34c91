//! Databases by configuration and status: limits against need, Galera, replication, Redis, etcd, Elasticsearch.

use super::engine::compile;
use super::state::{Says, at, line_with, name_of, texts};
use crate::bundle::{Entry, Text, Tree};
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[
    LIMIT, BUFFER, USED, GALERA, REPLICA, REDIS_SAVE, REDIS_FULL, REDIS_LINK, ETCD, ELASTIC,
    LICENCE, VAULT,
];
const LIMIT: (&str, &str) = ("mysql.nofile-below-need", "mysql-open-files-limit");
const BUFFER: (&str, &str) = ("mysql.buffer-pool-too-large", "mysql-buffer-pool-too-large");
const USED: (&str, &str) = ("mysql.connections-used-up", "mysql-too-many-connections");
const GALERA: (&str, &str) = ("galera.wsrep-status", "galera-non-primary");
const REPLICA: (&str, &str) = ("mysql.replica-status", "mysql-replication-broken");
const REDIS_SAVE: (&str, &str) = ("redis.info-save", "redis-persistence-failed");
const REDIS_FULL: (&str, &str) = ("redis.info-memory", "redis-out-of-memory");
const REDIS_LINK: (&str, &str) = ("redis.info-link", "redis-replication-broken");
const ETCD: (&str, &str) = ("etcd.alarm-list", "etcd-nospace");
const ELASTIC: (&str, &str) = (
    "elasticsearch.health-status",
    "elasticsearch-cluster-unhealthy",
);
const LICENCE: (&str, &str) = (
    "elasticsearch.license-expired",
    "elasticsearch-license-expired",
);
const VAULT: (&str, &str) = ("vault.status-sealed", "vault-sealed");

/// Findings from databases' configuration and status outputs.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    partial.signals.extend(mysql_config(tree));
    for (entry, text) in texts(tree, |rel| {
        let name = name_of(rel);
        !rel.starts_with("var/log/")
            && !rel.starts_with("etc/")
            && [
                "mysql",
                "mariadb",
                "galera",
                "wsrep",
                "redis",
                "etcdctl",
                "cluster_health",
                "vault_status",
                "licenses.json",
                "results.json",
            ]
            .iter()
            .any(|word| name.contains(word))
    }) {
        let rel = tree.rel(entry).to_ascii_lowercase();
        let name = name_of(&rel);
        partial.signals.extend(mysql_status(entry, &text));
        if name.contains("redis") {
            partial.signals.extend(redis(entry, &text));
        }
        if name.contains("etcdctl") {
            partial.signals.extend(one(
                entry,
                &text,
                ETCD,
                ("etcd", "etcd"),
                r"alarm:\s?NOSPACE",
                0.93,
                Role::Cause,
                "etcd has the NOSPACE alarm",
                "its backend quota is used up and all writes are refused",
            ));
        }
        if name.contains("cluster_health") {
            partial.signals.extend(one(
                entry,
                &text,
                ELASTIC,
                ("Elasticsearch", "cluster"),
                r#""status"\s*:\s*"red""#,
                0.66,
                Role::Symptom,
                "Elasticsearch cluster status is red",
                "a primary shard is not allocated; the allocation explanation names why",
            ));
        }
        if name == "licenses.json" {
            partial.signals.extend(one(
                entry,
                &text,
                LICENCE,
                ("Elasticsearch", "license"),
                r#""status"\s*:\s*"(?:expired|invalid)""#,
                0.84,
                Role::Cause,
                "Elasticsearch's license has expired",
                "functions of the paid tiers (security, watcher, machine learning) refuse requests until it is renewed",
            ));
        }
        if name == "results.json" {
            partial.signals.extend(one(
                entry,
                &text,
                VAULT,
                ("Vault", "vault"),
                r#""sealed"\s*:\s*true"#,
                0.88,
                Role::Cause,
                "Vault is sealed",
                "secrets and certificates cannot be issued until it is unsealed",
            ));
        }
        if name.contains("vault_status") {
            partial.signals.extend(one(
                entry,
                &text,
                VAULT,
                ("Vault", "vault"),
                r"^Sealed\s+true",
                0.88,
                Role::Cause,
                "Vault is sealed",
                "secrets and certificates cannot be issued until it is unsealed",
            ));
        }
    }
    partial
}

#[allow(clippy::too_many_arguments)]
fn one(
    entry: &Entry,
    text: &Text,
    id: (&'static str, &'static str),
    subject: (&'static str, &str),
    pattern: &str,
    strength: f64,
    role: Role,
    title: &str,
    why: &str,
) -> Option<Signal> {
    let pattern = compile(pattern)?;
    let (number, line) = text.lines().find(|(_, line)| pattern.is_match(line))?;
    Says {
        id,
        subject,
        title: title.to_owned(),
        statement: format!("{title} (\"{}\"): {why}.", line.trim()),
        strength,
        role,
        evidence: vec![at(entry, number, line)],
    }
    .signal(&[])
}

/// `name = value` in any MySQL configuration file; the last one wins.
fn setting(files: &[(&Entry, std::sync::Arc<Text>)], names: &[&str]) -> Option<(u64, Evidence)> {
    let mut found = None;
    for (entry, text) in files {
        for (number, line) in text.lines() {
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            let name = name.trim().replace('-', "_").to_ascii_lowercase();
            if !names.contains(&name.as_str()) {
                continue;
            }
            if let Some(value) = bytes(value) {
                found = Some((value, at(entry, number, line)));
            }
        }
    }
    found
}

fn bytes(value: &str) -> Option<u64> {
    let value = value.split('#').next()?.trim();
    if value.eq_ignore_ascii_case("infinity") {
        return Some(u64::MAX);
    }
    let digits = value.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match value.get(digits.len()..)?.trim().chars().next() {
        Some('K' | 'k') => 1 << 10,
        Some('M' | 'm') => 1 << 20,
        Some('G' | 'g') => 1 << 30,
        None => 1,
        _ => return None,
    };
    // "soft:hard" limits: the soft one counts.
    digits
        .split(':')
        .next()?
        .parse::<u64>()
        .ok()?
        .checked_mul(unit)
}

/// MySQL needs a descriptor for each connection and two for each cached table (manual: open_files_limit).
fn mysql_config(tree: &Tree) -> Vec<Signal> {
    let config: Vec<_> = texts(tree, |rel| {
        rel.starts_with("etc/")
            && (rel.contains("mysql") || rel.contains("my.cnf") || rel.contains("mariadb"))
            && (rel.ends_with(".cnf") || rel.ends_with(".ini"))
    })
    .collect();
    if config.is_empty() {
        return Vec::new();
    }
    let units: Vec<_> = texts(tree, |rel| {
        rel.contains("systemd/system")
            && (rel.contains("mysql") || rel.contains("mariadb"))
            && (rel.ends_with(".conf") || rel.ends_with(".service"))
    })
    .collect();
    let mut out = Vec::new();
    if let (Some((connections, line)), Some((limit, unit))) = (
        setting(&config, &["max_connections"]),
        setting(&units, &["limitnofile"]),
    ) && connections > limit
    {
        out.extend(
            Says {
                id: LIMIT,
                subject: ("Database", "mysql"),
                title: format!("MySQL open-files limit {limit} is below max_connections {connections}"),
                statement: format!("max_connections is {connections}, but the unit's LimitNOFILE is {limit}: each connection takes a descriptor, so MySQL lowers max_connections by itself and refuses clients. LimitNOFILE must be larger (at least max_connections plus two per cached table)."),
                strength: 0.86,
                role: Role::Cause,
                evidence: vec![line, unit],
            }
            .signal(&[("unit", "mysql")]),
        );
    }
    let total = tree
        .get("proc/meminfo")
        .and_then(|entry| tree.text(entry).ok().flatten())
        .and_then(|text| {
            let line = text
                .lines()
                .find(|(_, line)| line.starts_with("MemTotal:"))?
                .1
                .to_owned();
            line.split_whitespace()
                .nth(1)?
                .parse::<u64>()
                .ok()?
                .checked_mul(1024)
        });
    if let (Some((pool, line)), Some(total)) =
        (setting(&config, &["innodb_buffer_pool_size"]), total)
        && total > 0
        && pool > total / 10 * 9
    {
        out.extend(
            Says {
                id: BUFFER,
                subject: ("Database", "mysql"),
                title: format!("innodb_buffer_pool_size {} MiB does not fit the host's {} MiB memory", pool >> 20, total >> 20),
                statement: format!("innodb_buffer_pool_size is {} MiB and the host has {} MiB: MySQL will swap, fail to start or be killed by the OOM killer.", pool >> 20, total >> 20),
                strength: 0.78,
                role: Role::Cause,
                evidence: vec![line],
            }
            .signal(&[("unit", "mysql")]),
        );
    }
    out
}

/// Rows of `SHOW STATUS`/`SHOW VARIABLES` and the vertical form of replica status.
fn mysql_status(entry: &Entry, text: &Text) -> Vec<Signal> {
    let value = |name: &str| {
        text.lines().find_map(|(number, line)| {
            let mut cells = line
                .split(|c: char| c == '|' || c == '\t' || c == ':' || c.is_whitespace())
                .filter(|cell| !cell.is_empty());
            (cells.next()?.eq_ignore_ascii_case(name))
                .then(|| (number, line, cells.next().unwrap_or("").to_owned()))
        })
    };
    let mut out = Vec::new();
    for (name, good) in [
        ("wsrep_cluster_status", "Primary"),
        ("wsrep_ready", "ON"),
        ("wsrep_connected", "ON"),
    ] {
        if let Some((number, line, found)) = value(name)
            && !found.is_empty()
            && !found.eq_ignore_ascii_case(good)
        {
            out.extend(
                Says {
                    id: GALERA,
                    subject: ("Galera cluster", "galera"),
                    title: format!("Galera: {name} is {found}, not {good}"),
                    statement: format!("This node reports {name} = {found} (expected {good}): it is not part of the primary component and refuses queries."),
                    strength: 0.9,
                    role: Role::Cause,
                    evidence: vec![at(entry, number, line)],
                }
                .signal(&[]),
            );
            break;
        }
    }
    for name in [
        "Slave_IO_Running",
        "Slave_SQL_Running",
        "Replica_IO_Running",
        "Replica_SQL_Running",
    ] {
        if let Some((number, line, found)) = value(name)
            && found.eq_ignore_ascii_case("no")
        {
            let error = text.lines().find(|(_, line)| {
                line.contains("Last_")
                    && line.contains("Error:")
                    && line
                        .split_once(':')
                        .is_some_and(|(_, rest)| !rest.trim().is_empty())
            });
            let told = error
                .map(|(_, line)| line.trim().to_owned())
                .unwrap_or_default();
            let mut lines: Vec<Evidence> = error
                .map(|(number, line)| at(entry, number, line))
                .into_iter()
                .collect();
            lines.push(at(entry, number, line));
            out.extend(
                Says {
                    id: REPLICA,
                    subject: ("Database", "replication"),
                    title: format!("MySQL replication has stopped: {name}: No {told}"),
                    statement: format!(
                        "{name} is No: {told}. The replica no longer follows its source."
                    ),
                    strength: 0.86,
                    role: Role::Cause,
                    evidence: lines,
                }
                .signal(&[]),
            );
            break;
        }
    }
    if let (Some((number, line, used)), Some((_, limit_line, limit))) =
        (value("Max_used_connections"), value("max_connections"))
        && let (Ok(used), Ok(limit)) = (used.parse::<u64>(), limit.parse::<u64>())
        && limit > 0
        && used >= limit
    {
        let mut lines = vec![at(entry, number, line)];
        lines.extend(line_with(entry, text, limit_line));
        out.extend(
            Says {
                id: USED,
                subject: ("Database", "mysql"),
                title: format!("MySQL used all its connections: {used} of {limit}"),
                statement: format!("Max_used_connections {used} reached max_connections {limit}: clients were refused with \"Too many connections\"."),
                strength: 0.84,
                role: Role::Cause,
                evidence: lines,
            }
            .signal(&[]),
        );
    }
    out
}

fn redis(entry: &Entry, text: &Text) -> Vec<Signal> {
    let mut out: Vec<Signal> = Vec::new();
    out.extend(one(
        entry,
        text,
        REDIS_SAVE,
        ("Redis", "redis"),
        r"(?:rdb_last_bgsave_status|aof_last_write_status|aof_last_bgrewrite_status):err",
        0.82,
        Role::Cause,
        "Redis could not write its data to disk",
        "with stop-writes-on-bgsave-error it refuses writes",
    ));
    out.extend(one(
        entry,
        text,
        REDIS_LINK,
        ("Redis", "redis"),
        r"master_link_status:down",
        0.66,
        Role::Symptom,
        "The Redis replica has lost its master",
        "it serves old data until the link is back",
    ));
    let value = |name: &str| {
        text.lines().find_map(|(number, line)| {
            Some((
                number,
                line,
                line.strip_prefix(name)?.trim().parse::<u64>().ok()?,
            ))
        })
    };
    if let (Some((number, line, used)), Some((_, limit_line, limit))) =
        (value("used_memory:"), value("maxmemory:"))
        && limit > 0
        && used.saturating_mul(100) >= limit.saturating_mul(98)
        && text.as_str().contains("maxmemory_policy:noeviction")
    {
        let mut lines = vec![at(entry, number, line)];
        lines.extend(line_with(entry, text, limit_line));
        out.extend(
            Says {
                id: REDIS_FULL,
                subject: ("Redis", "redis"),
                title: format!("Redis is full: used_memory {used} of maxmemory {limit}, policy noeviction"),
                statement: format!("Redis uses {used} of {limit} bytes and evicts nothing (noeviction): writes are refused."),
                strength: 0.86,
                role: Role::Cause,
                evidence: lines,
            }
            .signal(&[]),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{BundlePath, FileKind};

    fn entry() -> Entry {
        Entry {
            path: BundlePath::parse("x").unwrap(),
            bytes: 1,
            sha256: String::new(),
            kind: FileKind::Text,
            link_to: None,
        }
    }

    #[test]
    fn status_rows() {
        let causes = |text: &str| {
            mysql_status(&entry(), &Text::new(text.as_bytes()))
                .into_iter()
                .map(|s| s.cause)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            causes("| wsrep_cluster_status | non-Primary |\n"),
            ["galera-non-primary"]
        );
        assert_eq!(
            causes("Slave_IO_Running: Yes\n Slave_SQL_Running: No\n Last_SQL_Error: dup\n"),
            ["mysql-replication-broken"]
        );
        assert_eq!(
            causes("Max_used_connections\t151\nmax_connections\t151\n"),
            ["mysql-too-many-connections"]
        );
        assert!(causes("wsrep_ready ON\nwsrep_cluster_status Primary\nSlave_SQL_Running: Yes\nMax_used_connections 3\nmax_connections 151\n").is_empty());
    }

    #[test]
    fn redis_and_numbers() {
        let bad = Text::new(b"used_memory:99\nmaxmemory:100\nmaxmemory_policy:noeviction\nrdb_last_bgsave_status:err\n");
        assert_eq!(redis(&entry(), &bad).len(), 2);
        assert!(
            redis(
                &entry(),
                &Text::new(b"used_memory:99\nmaxmemory:0\nrdb_last_bgsave_status:ok\n")
            )
            .is_empty()
        );
        assert_eq!(
            (
                bytes(" 16M # x"),
                bytes("infinity"),
                bytes("1024:4096"),
                bytes("x")
            ),
            (Some(16 << 20), Some(u64::MAX), Some(1024), None)
        );
    }
}
