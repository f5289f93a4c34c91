//! Slow statements by the databases' own slow logs, and tables that are full of dead rows.

use super::engine::compile;
use super::state::{Says, at, name_of};
use super::tables::{Output, tables};
use crate::bundle::{Entry, FileKind, Text, Tree};
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use std::collections::BTreeMap;

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[SLOW, DEAD, EVICTED];
const SLOW: (&str, &str) = ("database.slow-statements", "slow-statements");
const DEAD: (&str, &str) = ("postgres.dead-rows", "postgres-dead-rows");
const EVICTED: (&str, &str) = ("redis.evictions", "redis-evicts");

/// Statements that count as many.
const MANY: usize = 5;
/// Rows read for one statement that an index would have spared.
const EXAMINED: u64 = 100_000;
/// Milliseconds from which a statement of PostgreSQL is slow.
const SLOW_MS: f64 = 3000.0;
/// What a ticket about slowness adds.
const ASKED: f64 = 0.15;

/// What is known of the slow statements on one table.
#[derive(Default)]
struct Slow {
    count: usize,
    longest: f64,
    examined: u64,
    sent: u64,
    locked: f64,
    total: f64,
    lines: Vec<Evidence>,
}

/// Findings from slow logs and statistics.
pub fn detect(tree: &Tree, outputs: &[Output<'_>], ticket: Option<&str>) -> Partial {
    let mut partial = Partial::default();
    let told = ticket.map(str::to_ascii_lowercase).unwrap_or_default();
    let asked = [
        "slow",
        "hang",
        "timeout",
        "time out",
        "latency",
        "load",
        "performance",
        "takes",
        "seconds",
        "minutes",
    ]
    .iter()
    .any(|word| told.contains(word));
    for entry in tree.files().filter(|entry| {
        let rel = tree.rel(entry).to_ascii_lowercase();
        !matches!(
            entry.kind,
            FileKind::Binary | FileKind::Archive | FileKind::Empty
        ) && entry.bytes <= 64 << 20
            && (name_of(&rel).contains("slow") || rel.contains("postgresql") && rel.contains("log"))
    }) {
        let Ok(Some(text)) = tree.text(entry) else {
            continue;
        };
        let mut found = mysql(entry, &text);
        found.extend(postgres(entry, &text));
        let worst = found
            .into_iter()
            .max_by(|a, b| a.1.total.total_cmp(&b.1.total));
        partial
            .signals
            .extend(worst.and_then(|(table, slow)| says(&table, &slow, asked)));
    }
    for output in outputs {
        if ["stat_user_tables", "stat_all_tables", "bloat", "dead"]
            .iter()
            .any(|part| output.name.contains(part))
            && let Ok(Some(text)) = tree.text(output.entry)
        {
            partial.signals.extend(dead_rows(output.entry, &text));
        }
        if ["redis", "valkey"]
            .iter()
            .any(|part| output.name.contains(part))
            && let Ok(Some(text)) = tree.text(output.entry)
        {
            partial
                .signals
                .extend(evictions(output.entry, &text, &told));
        }
    }
    partial
}

fn says(table: &str, slow: &Slow, asked: bool) -> Option<Signal> {
    if slow.count < MANY {
        return None;
    }
    let scans = slow.examined / slow.count as u64 >= EXAMINED
        && slow.sent.saturating_mul(100) < slow.examined;
    let (why, strength) = if slow.locked > slow.total / 2.0 {
        ("most of the time they wait for locks", 0.6)
    } else if scans {
        (
            "they read far more rows than they return, so an index is missing",
            0.7,
        )
    } else {
        (
            "their plans, locks or the disk below are to be looked at",
            0.52,
        )
    };
    Says {
        id: SLOW,
        subject: ("Table", table),
        title: format!(
            "{} slow statements on {table}, the longest {} s: {why}",
            slow.count, slow.longest
        ),
        statement: format!(
            "The slow log holds {} statements on {table}, the longest took {} s: {why}.",
            slow.count, slow.longest
        ),
        strength: if asked { strength + ASKED } else { strength },
        role: Role::Cause,
        evidence: slow.lines.clone(),
    }
    .signal(&[("table", table)])
}

/// `# Query_time: 31.2  Lock_time: 0.0 Rows_sent: 1  Rows_examined: 48000000`, then the statement.
fn mysql(entry: &Entry, text: &Text) -> BTreeMap<String, Slow> {
    let mut out: BTreeMap<String, Slow> = BTreeMap::new();
    let (Some(head), Some(on)) = (
        compile(
            r"^# Query_time: ([\d.]+)\s+Lock_time: ([\d.]+)\s+Rows_sent: (\d+)\s+Rows_examined: (\d+)",
        ),
        compile(r"\b(?:from|update|into)\s+[`\x22]?([\w.$-]+)"),
    ) else {
        return out;
    };
    let mut open: Option<(f64, f64, u64, u64, Evidence)> = None;
    for (number, line) in text.lines() {
        if let Some(hit) = head.captures(line) {
            let float = |at: usize| hit[at].parse::<f64>().unwrap_or(0.0);
            let whole = |at: usize| hit[at].parse::<u64>().unwrap_or(0);
            open = Some((
                float(1),
                float(2),
                whole(3),
                whole(4),
                at(entry, number, line),
            ));
        } else if line.contains("SQL_NO_CACHE") {
            // A dump reads whole tables, as it must.
            open = None;
        } else if !line.starts_with('#')
            && let Some(hit) = on.captures(line)
            && let Some((seconds, locked, sent, examined, shown)) = open.take()
        {
            let slow = out.entry(hit[1].to_owned()).or_default();
            slow.count += 1;
            slow.total += seconds;
            slow.locked += locked;
            slow.sent = slow.sent.saturating_add(sent);
            slow.examined = slow.examined.saturating_add(examined);
            if seconds > slow.longest {
                slow.longest = seconds;
                slow.lines = vec![shown, at(entry, number, line)];
            }
        }
    }
    out
}

/// `LOG:  duration: 31234.5 ms  statement: SELECT …`
fn postgres(entry: &Entry, text: &Text) -> BTreeMap<String, Slow> {
    let mut out: BTreeMap<String, Slow> = BTreeMap::new();
    let (Some(row), Some(on)) = (
        compile(
            r"duration: (\d+)\.\d+ ms\s+(?:statement|execute [^:]{1,60}|parse [^:]{1,60}|bind [^:]{1,60}|plan): (.{0,400})",
        ),
        compile(r"\b(?:from|update|into)\s+\x22?([\w.$-]+)"),
    ) else {
        return out;
    };
    for (number, line) in text.lines().filter(|(_, line)| line.contains("duration: ")) {
        let Some(hit) = row.captures(line) else {
            continue;
        };
        let (Ok(took), Some(table)) = (hit[1].parse::<f64>(), on.captures(&hit[2])) else {
            continue;
        };
        if took < SLOW_MS {
            continue;
        }
        let slow = out.entry(table[1].to_owned()).or_default();
        slow.count += 1;
        slow.total += took / 1000.0;
        if took / 1000.0 > slow.longest {
            slow.longest = (took / 1000.0).round();
            slow.lines = vec![at(entry, number, line)];
        }
    }
    out
}

/// Statistics of tables: more dead rows than live ones mean that vacuum does not get through.
fn dead_rows(entry: &Entry, text: &Text) -> Option<Signal> {
    tables(text).iter().find_map(|table| {
        let (name, live, dead) = (
            table.column(&["relname", "table", "table_name"])?,
            table.column(&["n_live_tup", "live"])?,
            table.column(&["n_dead_tup", "dead"])?,
        );
        let count = |row: &[String], column: usize| row.get(column)?.parse::<u64>().ok();
        let (number, row) = table
            .rows
            .iter()
            .filter(|(_, row)| {
                let (live, dead) = (count(row, live).unwrap_or(0), count(row, dead).unwrap_or(0));
                dead >= 1_000_000 && dead > live
            })
            .max_by_key(|(_, row)| count(row, dead))?;
        let (table, live, dead) = (&row[name], &row[live], &row[dead]);
        Says {
            id: DEAD,
            subject: ("Table", table),
            title: format!("Table {table} has {dead} dead rows beside {live} live ones"),
            statement: format!("Table {table} holds {dead} dead rows and {live} live ones: vacuum does not get through (an old transaction or slot holds it up, it is switched off, or it is too slow), so the table grows and every scan is slow."),
            strength: 0.74,
            role: Role::Cause,
            evidence: vec![at(entry, *number, text.line(*number)?)],
        }
        .signal(&[("table", table)])
    })
}

/// A store that evicts loses what its users take for kept.
fn evictions(entry: &Entry, text: &Text, told: &str) -> Option<Signal> {
    let value = |name: &str| {
        text.lines().take(5000).find_map(|(number, line)| {
            let value = line.trim().strip_prefix(name)?.strip_prefix(':')?.trim();
            Some((value.to_owned(), number, line))
        })
    };
    let (evicted, number, line) = value("evicted_keys")?;
    let (limit, ..) = value("maxmemory")?;
    if evicted.parse::<u64>().ok()? < 1000 || limit == "0" {
        return None;
    }
    let asked = [
        "session",
        "logged out",
        "log out",
        "lost",
        "missing",
        "disappear",
        "vanish",
        "cache",
    ]
    .iter()
    .any(|word| told.contains(word));
    let mut evidence = vec![at(entry, number, line)];
    for name in ["maxmemory_policy", "maxmemory_human", "maxmemory"] {
        if let Some((_, number, line)) = value(name) {
            evidence.push(at(entry, number, line));
        }
    }
    let policy = value("maxmemory_policy")
        .map_or(String::new(), |(policy, ..)| format!(" by policy {policy}"));
    Says {
        id: EVICTED,
        subject: ("Redis", "redis"),
        title: format!("Redis evicted {evicted} keys at its memory limit{policy}"),
        statement: format!("Redis is at its memory limit of {limit} bytes and has thrown {evicted} keys away{policy}: what was only there (sessions, locks, queues) is lost."),
        strength: if asked { 0.76 } else { 0.46 },
        role: Role::Cause,
        evidence,
    }
    .signal(&[("unit", "redis")])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::services::tables::tests::entry;

    #[test]
    fn statements_without_an_index() {
        let log = |n: usize, examined: u64| {
            let one = format!(
                "# Time: 2024-03-01T10:00:00Z\n# User@Host: web[web] @ [192.0.2.7]\n# Query_time: 31.5  Lock_time: 0.0 Rows_sent: 1  Rows_examined: {examined}\nSET timestamp=1;\nSELECT * FROM orders WHERE mail = 'a';\n"
            );
            let text = Text::new(one.repeat(n).as_bytes());
            mysql(&entry(), &text)
                .into_iter()
                .find_map(|(table, slow)| says(&table, &slow, false))
        };
        let found = log(9, 48_000_000).unwrap();
        assert!(
            found.title.contains("orders") && found.title.contains("index"),
            "{}",
            found.title
        );
        assert!(log(2, 48_000_000).is_none());
        assert!(log(9, 10).unwrap().strength < 0.6);
    }

    #[test]
    fn durations_dead_rows_and_evictions() {
        let log =
            "LOG:  duration: 31234.512 ms  statement: SELECT count(*) FROM bookings\n".repeat(6);
        let found = postgres(&entry(), &Text::new(log.as_bytes()));
        assert_eq!(found["bookings"].count, 6);
        let fast = "LOG:  duration: 12.512 ms  statement: SELECT 1 FROM a\n";
        assert!(postgres(&entry(), &Text::new(fast.as_bytes())).is_empty());
        let rows = |dead: u64| {
            Text::new(
                format!(
                    " relname | n_live_tup | n_dead_tup\n---+---+---\n events | 900000 | {dead}\n"
                )
                .as_bytes(),
            )
        };
        assert!(
            dead_rows(&entry(), &rows(48_000_000))
                .unwrap()
                .title
                .contains("events")
        );
        assert!(dead_rows(&entry(), &rows(1000)).is_none());
        let info = |n: u32| {
            Text::new(
                format!("maxmemory:1048576\nmaxmemory_policy:allkeys-lru\nevicted_keys:{n}\n")
                    .as_bytes(),
            )
        };
        assert!(
            evictions(&entry(), &info(81234), "users lose their session")
                .unwrap()
                .strength
                > 0.7
        );
        assert!(evictions(&entry(), &info(0), "").is_none());
    }
}
