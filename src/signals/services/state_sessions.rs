//! Sessions and members of databases by their own tables: who waits for whom, who lags, who is missing.

use super::engine::compile;
use super::state::{Says, at};
use super::tables::{Output, Table, tables};
use crate::bundle::{Entry, Text, Tree};
use crate::signals::{Partial, Role, Signal};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[METADATA, HISTORY, FLOW, LAG, SLOT, ACTIVITY, POOL, PATRONI];
const METADATA: (&str, &str) = ("mysql.metadata-lock", "mysql-sessions-wait");
const HISTORY: (&str, &str) = ("mysql.old-transaction", "mysql-old-transaction");
const FLOW: (&str, &str) = ("galera.flow-control", "galera-flow-control");
const LAG: (&str, &str) = ("mysql.replica-lag", "mysql-replica-lag");
const SLOT: (&str, &str) = ("postgres.inactive-slot", "postgres-slot-inactive");
const ACTIVITY: (&str, &str) = ("postgres.sessions-wait", "postgres-sessions-wait");
const POOL: (&str, &str) = ("postgres.pool-waits", "postgres-pool-exhausted");
const PATRONI: (&str, &str) = ("patroni.member-state", "patroni-member-unhealthy");

/// Sessions that wait before a lock is more than a moment's wait.
const WAITING: usize = 3;
/// Seconds after which an open transaction is old.
const OLD_SECONDS: u64 = 1800;
/// Undo records that purge may lag behind in a busy server.
const HISTORY_LENGTH: u64 = 1_000_000;
/// Seconds that a replica may lag behind a batch job.
const LAG_SECONDS: u64 = 900;

/// Findings from tables of sessions and members.
pub fn detect(tree: &Tree, outputs: &[Output<'_>]) -> Partial {
    let mut partial = Partial::default();
    const PARTS: &[&str] = &[
        "processlist",
        "mysql",
        "mariadb",
        "innodb",
        "wsrep",
        "galera",
        "slave",
        "replica",
        "slots",
        "activity",
        "pgbouncer",
        "pools",
        "patroni",
        "postgres",
        "psql",
        "pg_",
    ];
    for output in outputs {
        if !PARTS.iter().any(|part| output.name.contains(part)) {
            continue;
        }
        let Ok(Some(text)) = tree.text(output.entry) else {
            continue;
        };
        let entry = output.entry;
        let found = tables(&text);
        for table in &found {
            partial.signals.extend(metadata_lock(entry, &text, table));
            partial.signals.extend(slots(entry, &text, table));
            partial.signals.extend(activity(entry, &text, table));
            partial.signals.extend(pools(entry, &text, table));
            partial.signals.extend(patroni(entry, &text, table));
        }
        partial.signals.extend(old_transaction(entry, &text));
        partial.signals.extend(lag(entry, &text));
    }
    partial
}

fn cell(row: &[String], column: Option<usize>) -> &str {
    column.and_then(|at| row.get(at)).map_or("", String::as_str)
}

/// Everyone waits for a lock that the longest other session of the list holds, most often one that sleeps
/// in an open transaction or runs a long statement.
fn metadata_lock(entry: &Entry, text: &Text, table: &Table) -> Option<Signal> {
    let (id, time, state) = (
        table.column(&["id"])?,
        table.column(&["time"])?,
        table.column(&["state"])?,
    );
    let info = table.column(&["info"]);
    let user = table.column(&["user"]);
    let waits = |row: &[String]| {
        let state = cell(row, Some(state)).to_ascii_lowercase();
        state.starts_with("waiting for") && state.contains("lock")
            || state.contains("wsrep: waiting")
    };
    let waiting: Vec<_> = table.rows.iter().filter(|(_, row)| waits(row)).collect();
    if waiting.len() < WAITING {
        return None;
    }
    let seconds = |row: &[String]| cell(row, Some(time)).parse::<u64>().unwrap_or(0);
    let longest_wait = waiting
        .iter()
        .map(|(_, row)| seconds(row))
        .max()
        .unwrap_or(0);
    let holder = table
        .rows
        .iter()
        .filter(|(_, row)| !waits(row) && seconds(row) >= longest_wait)
        .filter(|(_, row)| {
            let (user, state) = (cell(row, user), cell(row, Some(state)).to_ascii_lowercase());
            user != "event_scheduler"
                && user != "system user"
                && !state.contains("binlog")
                && !state.contains("source has sent")
        })
        .max_by_key(|(_, row)| seconds(row));
    let (number, first) = waiting.first()?;
    let what = cell(first, Some(state)).to_owned();
    let mut lines = vec![at(entry, *number, text.line(*number)?)];
    let blamed = holder.map_or(String::new(), |(_, row)| {
        format!(
            "; session {} ({}) has been open for {} s: {}",
            cell(row, Some(id)),
            cell(row, user),
            seconds(row),
            match cell(row, info) {
                "" | "NULL" => "it sleeps, most likely in an open transaction",
                statement => statement,
            }
        )
    });
    if let Some((number, _)) = holder {
        lines.insert(0, at(entry, *number, text.line(*number)?));
    }
    Says {
        id: METADATA,
        subject: ("Database", "mysql"),
        title: format!("{} MySQL sessions are in \"{what}\"{blamed}", waiting.len()),
        statement: format!("{} sessions are in \"{what}\", the longest for {longest_wait} s{blamed}. A metadata lock is held until its transaction ends, and a waiting ALTER blocks every later query on the table.", waiting.len()),
        strength: 0.82,
        role: Role::Cause,
        evidence: lines,
    }
    .signal(&[("unit", "mysql")])
}

/// A transaction open for long keeps purge from removing old row versions: all reads slow down, undo grows.
fn old_transaction(entry: &Entry, text: &Text) -> Option<Signal> {
    let history = compile(r"^History list length (?P<n>\d+)")?;
    let active = compile(r"^---TRANSACTION (?P<id>[\w ]+?), ACTIVE (?:\(\w+\) )?(?P<s>\d+) sec")?;
    let (number, line, length) = text.lines().find_map(|(number, line)| {
        let hit = history.captures(line)?;
        Some((number, line, hit[1].parse::<u64>().ok()?))
    })?;
    let oldest = text
        .lines()
        .filter_map(|(number, line)| {
            let hit = active.captures(line)?;
            Some((hit[2].parse::<u64>().ok()?, number, line, hit[1].to_owned()))
        })
        .max();
    let old = oldest.as_ref().is_some_and(|(age, ..)| *age >= OLD_SECONDS);
    if length < HISTORY_LENGTH && !(old && length >= HISTORY_LENGTH / 10) {
        return None;
    }
    let mut lines = vec![at(entry, number, line)];
    let who = match &oldest {
        Some((age, number, line, id)) if old => {
            lines.insert(0, at(entry, *number, line));
            format!("transaction {id} has been open for {age} s")
        }
        _ => "purge does not keep up with the writes".to_owned(),
    };
    Says {
        id: HISTORY,
        subject: ("Database", "mysql"),
        title: format!("InnoDB's history list is {length} long: {who}"),
        statement: format!("InnoDB's history list length is {length} because {who}: old row versions cannot be purged, so reads slow down and the undo tablespaces grow."),
        strength: if old { 0.8 } else { 0.62 },
        role: Role::Cause,
        evidence: lines,
    }
    .signal(&[("unit", "mysql")])
}

/// Replica lag and Galera's flow control, rows of status outputs.
fn lag(entry: &Entry, text: &Text) -> Vec<Signal> {
    let mut out = Vec::new();
    for (number, line) in text.lines().take(20_000) {
        let Some((name, value)) = line
            .trim_matches(|c: char| c == '|' || c.is_whitespace())
            .split_once(['|', ':', '\t', ' '])
        else {
            continue;
        };
        let value = value.trim_matches(|c: char| c == '|' || c.is_whitespace());
        let name = name.trim();
        if name == "wsrep_flow_control_paused"
            && let Ok(paused) = value.parse::<f64>()
            && (0.3..=1.0).contains(&paused)
        {
            let percent = (paused * 100.0).round();
            out.extend(
                Says {
                    id: FLOW,
                    subject: ("Galera cluster", "flow control"),
                    title: format!("Galera's flow control pauses writes {percent} % of the time (wsrep_flow_control_paused {value})"),
                    statement: format!("wsrep_flow_control_paused is {value}: for {percent} % of the time all nodes stop writing because one node cannot apply as fast (slow disk, a backup, few applier threads)."),
                    strength: 0.8,
                    role: Role::Cause,
                    evidence: vec![at(entry, number, line)],
                }
                .signal(&[]),
            );
        }
        if matches!(name, "Seconds_Behind_Master" | "Seconds_Behind_Source")
            && let Ok(seconds) = value.parse::<u64>()
            && seconds >= LAG_SECONDS
        {
            out.extend(
                Says {
                    id: LAG,
                    subject: ("Database", "replication"),
                    title: format!("The MySQL replica is {seconds} s behind its source"),
                    statement: format!("{name} is {seconds}: replication runs but does not keep up (one long transaction, a table without primary key, too few applier threads, a slow disk); reads from this replica are old."),
                    strength: 0.68,
                    role: Role::Cause,
                    evidence: vec![at(entry, number, line)],
                }
                .signal(&[("unit", "mysql")]),
            );
        }
    }
    out
}

/// A slot without a consumer makes the server keep all WAL since then, until the disk is full.
fn slots(entry: &Entry, text: &Text, table: &Table) -> Vec<Signal> {
    let (Some(name), Some(active)) = (table.column(&["slot_name"]), table.column(&["active"]))
    else {
        return Vec::new();
    };
    let kept = table.column(&["retained_wal", "retained", "lag", "wal_kept", "wal_status"]);
    table
        .rows
        .iter()
        .filter(|(_, row)| matches!(cell(row, Some(active)), "f" | "false" | "0"))
        .filter_map(|(number, row)| {
            let (slot, kept) = (cell(row, Some(name)), cell(row, kept));
            Says {
                id: SLOT,
                subject: ("Replication slot", slot),
                title: format!("PostgreSQL replication slot {slot} is not active and keeps WAL {kept}"),
                statement: format!("Nothing reads replication slot {slot} (it is not active), but PostgreSQL keeps all WAL for it: pg_wal grows until the disk is full. Its consumer is gone or stopped."),
                strength: 0.76,
                role: Role::Cause,
                evidence: vec![at(entry, *number, text.line(*number)?)],
            }
            .signal(&[("slot", slot)])
        })
        .take(6)
        .collect()
}

/// Sessions that hold locks while idle in a transaction, and those that wait.
fn activity(entry: &Entry, text: &Text, table: &Table) -> Option<Signal> {
    let state = table.column(&["state"])?;
    let pid = table.column(&["pid"])?;
    let wait = table.column(&["wait_event_type"]);
    let query = table.column(&["query", "current_query"]);
    let age = table.column(&["xact_age", "age", "duration", "xact_start"]);
    let idle: Vec<_> = table
        .rows
        .iter()
        .filter(|(_, row)| cell(row, Some(state)).starts_with("idle in transaction"))
        .collect();
    let waiting: Vec<_> = table
        .rows
        .iter()
        .filter(|(_, row)| cell(row, wait) == "Lock")
        .collect();
    if waiting.len() < WAITING && idle.len() < 10 || idle.is_empty() && waiting.is_empty() {
        return None;
    }
    let (number, row) = idle.first().or(waiting.first())?;
    let mut lines = vec![at(entry, *number, text.line(*number)?)];
    if let Some((number, _)) = waiting.first() {
        lines.push(at(entry, *number, text.line(*number)?));
    }
    let holder = if idle.is_empty() {
        String::new()
    } else {
        format!(
            "; session {} is idle in transaction ({}) after: {}",
            cell(row, Some(pid)),
            cell(row, age),
            cell(row, query)
        )
    };
    Says {
        id: ACTIVITY,
        subject: ("Database", "postgres"),
        title: format!("{} PostgreSQL sessions wait for locks, {} are idle in transaction{holder}", waiting.len(), idle.len()),
        statement: format!("{} sessions wait for locks and {} are idle in transaction{holder}. A transaction left open keeps its locks and its snapshot: others wait, and vacuum cannot clean up.", waiting.len(), idle.len()),
        strength: 0.8,
        role: Role::Cause,
        evidence: lines,
    }
    .signal(&[("unit", "postgresql")])
}

/// PgBouncer's `SHOW POOLS`: clients that wait for a server connection.
fn pools(entry: &Entry, text: &Text, table: &Table) -> Vec<Signal> {
    let (Some(database), Some(waiting)) =
        (table.column(&["database"]), table.column(&["cl_waiting"]))
    else {
        return Vec::new();
    };
    let active = table.column(&["sv_active"]);
    let longest = table.column(&["maxwait"]);
    table
        .rows
        .iter()
        .filter(|(_, row)| {
            cell(row, Some(waiting)).parse::<u64>().unwrap_or(0) >= 5
                && cell(row, longest).parse::<u64>().unwrap_or(1) >= 1
        })
        .filter_map(|(number, row)| {
            let name = cell(row, Some(database));
            let (clients, servers, wait) = (cell(row, Some(waiting)), cell(row, active), cell(row, longest));
            Says {
                id: POOL,
                subject: ("Connection pool", name),
                title: format!("PgBouncer pool {name}: {clients} clients wait, all {servers} server connections are in use"),
                statement: format!("In PgBouncer's pool for {name} {clients} clients wait (longest {wait} s) while {servers} server connections are in use: the pool is too small, or its connections are held by long transactions."),
                strength: 0.82,
                role: Role::Cause,
                evidence: vec![at(entry, *number, text.line(*number)?)],
            }
            .signal(&[("unit", "pgbouncer")])
        })
        .take(4)
        .collect()
}

/// `patronictl list`: members that do not run or lag, or no leader at all.
fn patroni(entry: &Entry, text: &Text, table: &Table) -> Vec<Signal> {
    let (Some(member), Some(role), Some(state)) = (
        table.column(&["member"]),
        table.column(&["role"]),
        table.column(&["state"]),
    ) else {
        return Vec::new();
    };
    let behind = table.column(&["lag in mb", "replay lag", "receive lag"]);
    let leader = table.rows.iter().any(|(_, row)| {
        cell(row, Some(role))
            .to_ascii_lowercase()
            .contains("leader")
    });
    let mut out = Vec::new();
    for (number, row) in &table.rows {
        let (name, state) = (cell(row, Some(member)), cell(row, Some(state)));
        let lag = cell(row, behind);
        let ill = [
            "start failed",
            "crashed",
            "stopped",
            "creating replica",
            "starting",
        ]
        .iter()
        .any(|bad| state.starts_with(bad));
        let late =
            lag.parse::<u64>().is_ok_and(|megabytes| megabytes >= 1000) || lag == "unknown" && ill;
        if !(ill || late || !leader) {
            continue;
        }
        let alone = if leader {
            ""
        } else {
            ", and the cluster has no leader"
        };
        let Some(line) = text.line(*number) else {
            continue;
        };
        out.extend(
            Says {
                id: PATRONI,
                subject: ("Database", name),
                title: format!("Patroni member {name} is {state}, lag {lag} MB{alone}"),
                statement: format!("Patroni shows {name} as {state} with a lag of {lag} MB{alone}: PostgreSQL there does not run or cannot follow; its log says why (missing WAL, timeline, disk)."),
                strength: if leader { 0.74 } else { 0.8 },
                role: Role::Cause,
                evidence: vec![at(entry, *number, line)],
            }
            .signal(&[("unit", "patroni")]),
        );
        if out.len() >= 4 {
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::services::tables::tests::entry;

    fn first(text: &str, of: impl Fn(&Entry, &Text, &Table) -> Vec<Signal>) -> Option<Signal> {
        let text = Text::new(text.as_bytes());
        tables(&text)
            .iter()
            .flat_map(|table| of(&entry(), &text, table))
            .next()
    }

    #[test]
    fn the_session_that_others_wait_for_is_named() {
        let head = "| Id | User | Host | db | Command | Time | State | Info |\n";
        let waits = |n: u32| {
            (0..n)
                .map(|i| format!("| {} | web | h | shop | Query | 60 | Waiting for table metadata lock | SELECT 1 |\n", 10 + i))
                .collect::<String>()
        };
        let of = |text: String| {
            first(&text, |e, t, table| {
                metadata_lock(e, t, table).into_iter().collect()
            })
        };
        let holder = "| 7 | report | h | shop | Sleep | 4000 |  | NULL |\n";
        let found = of(format!("{head}{holder}{}", waits(5))).unwrap();
        assert!(
            found.title.contains("session 7 (report)"),
            "{}",
            found.title
        );
        assert!(of(format!("{head}{holder}{}", waits(1))).is_none());
    }

    #[test]
    fn history_and_lag() {
        let old = |text: &str| old_transaction(&entry(), &Text::new(text.as_bytes()));
        let found =
            old("History list length 400000\n---TRANSACTION 421, ACTIVE 9000 sec\n").unwrap();
        assert!(found.title.contains("421"), "{}", found.title);
        assert!(old("History list length 40\n---TRANSACTION 421, ACTIVE 9000 sec\n").is_none());
        let count = |text: &str| lag(&entry(), &Text::new(text.as_bytes())).len();
        assert_eq!(
            count("| wsrep_flow_control_paused | 0.71 |\nSeconds_Behind_Source: 7200\n"),
            2
        );
        assert_eq!(
            count("wsrep_flow_control_paused\t0.001\nSeconds_Behind_Master: 0\n"),
            0
        );
    }

    #[test]
    fn postgres_tables() {
        let bad = " slot_name | plugin | active | restart_lsn\n---+---+---+---\n cdc | pgoutput | f | 0/1\n ok | x | t | 0/2\n";
        assert!(first(bad, slots).unwrap().title.contains("cdc"));
        let sessions = |n: usize| {
            let rows = " 9 | active | Lock | UPDATE a\n".repeat(n);
            format!(
                " pid | state | wait_event_type | query\n---+---+---+---\n 4 | idle in transaction | Client | UPDATE b\n{rows}"
            )
        };
        let of = |n| {
            first(&sessions(n), |e, t, table| {
                activity(e, t, table).into_iter().collect()
            })
        };
        assert!(of(4).unwrap().title.contains("session 4"));
        assert!(of(1).is_none());
        let pool = |n: u32| {
            format!(
                "database | user | cl_active | cl_waiting | sv_active | maxwait\n---+---+---+---+---+---\nshop | web | 20 | {n} | 20 | 9\n"
            )
        };
        assert!(first(&pool(40), pools).is_some());
        assert!(first(&pool(0), pools).is_none());
        let members = |state: &str, role: &str| {
            format!(
                "+ Cluster: a (7) +\n| Member | Host | Role | State | TL | Lag in MB |\n+--+\n| p1 | h1 | {role} | running | 3 |  |\n| p2 | h2 | Replica | {state} | 3 | 0 |\n"
            )
        };
        assert!(
            first(&members("start failed", "Leader"), patroni)
                .unwrap()
                .title
                .contains("p2")
        );
        assert!(first(&members("running", "Leader"), patroni).is_none());
        assert!(first(&members("running", "Replica"), patroni).is_some());
    }
}
