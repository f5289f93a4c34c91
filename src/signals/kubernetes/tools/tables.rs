//! Tables and ages that tools print: what counts is a cell, not a sentence.

use super::*;

/// `istioctl proxy-status`: a proxy that did not take what it was sent.
pub(super) fn stale(cluster: &mut Cluster, file: u32, lines: &[(u32, &str)]) {
    let Some(head) = lines.iter().position(|(_, line)| {
        line.starts_with("NAME") && line.contains("CDS") && line.contains("LDS")
    }) else {
        return;
    };
    for (number, line) in lines[head + 1..]
        .iter()
        .filter(|(_, line)| line.contains("STALE"))
        .take(MAX_EACH)
    {
        let name = line.split_whitespace().next().unwrap_or_default();
        push(
            cluster,
            Told {
                slug: "mesh-proxy-stale",
                kind: "Proxy",
                name: name.to_owned(),
                says:
                    "the proxy has not taken the configuration that the control plane sent (STALE)"
                        .into(),
                strength: 0.68,
                asked: 0.86,
                src: Src {
                    file,
                    line: *number,
                    column: 0,
                },
                ..Told::default()
            },
        );
    }
}

/// Seconds of `01:12:44.1`, `2 days 03:00:00` or a number.
fn seconds(text: &str) -> f64 {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        return number;
    }
    let (days, clock) = match text.split_once(" day") {
        Some((days, rest)) => (
            days.trim().parse::<f64>().unwrap_or(0.0),
            rest.trim_start_matches('s').trim(),
        ),
        None => (0.0, text),
    };
    let parts: Vec<f64> = clock
        .split(':')
        .map(|part| part.trim().parse().unwrap_or(0.0))
        .collect();
    days * 86_400.0
        + match parts[..] {
            [h, m, s] => h * 3_600.0 + m * 60.0 + s,
            _ => 0.0,
        }
}

/// Tables with bars, as the shells of databases, patronictl and etcdctl draw them.
pub(super) fn tables(cluster: &mut Cluster, file: u32, lines: &[(u32, &str)]) {
    const LONG: f64 = 300.0;
    let mut head: Vec<String> = Vec::new();
    let mut members: Option<(Src, bool)> = None;
    let cells = |line: &str| -> Vec<String> {
        line.trim()
            .trim_start_matches('|')
            .trim_end_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let mut told: Vec<Told> = Vec::new();
    for (number, line) in lines {
        if !line.contains('|') {
            let rule = line.trim_start().starts_with(['+', '-']) || line.trim().is_empty();
            if !rule {
                head.clear();
            }
            continue;
        }
        let row = cells(line);
        if row.len() < 3 {
            continue;
        }
        let lower: Vec<String> = row.iter().map(|cell| cell.to_lowercase()).collect();
        let is_head = [
            "pid",
            "blocked_pid",
            "slot_name",
            "member",
            "endpoint",
            "id",
            "datname",
        ]
        .iter()
        .any(|name| lower.iter().any(|cell| cell == name))
            && lower
                .iter()
                .all(|cell| !cell.is_empty() && !cell.starts_with(|c: char| c.is_ascii_digit()));
        if is_head || head.is_empty() {
            if is_head {
                head = lower;
            }
            continue;
        }
        let cell = |name: &str| {
            head.iter()
                .position(|column| column == name)
                .and_then(|at| row.get(at))
                .map_or("", String::as_str)
        };
        let any = |names: &[&str]| {
            head.iter()
                .zip(&row)
                .find(|(column, _)| names.iter().any(|name| column.contains(name)))
                .map_or("", |(_, cell)| cell.as_str())
        };
        let src = Src {
            file,
            line: *number,
            column: 0,
        };
        let query = cut(
            any(&["blocking_query", "blocking_statement", "query", "info"]),
            120,
        );
        if head
            .iter()
            .any(|column| column.contains("blocking") || column.contains("blocked_by"))
        {
            let blocker = any(&["blocking_pid", "blocked_by", "blocking_thread"]);
            if blocker.chars().any(|c| c.is_ascii_digit()) && blocker != "{}" {
                told.push(Told {
                    slug: "database-lock-wait",
                    kind: "Session",
                    name: blocker.trim_matches(['{', '}']).to_owned(),
                    says: format!("this session of the database blocks others: {query}"),
                    strength: 0.84,
                    asked: 0.88,
                    src,
                    ..Told::default()
                });
            }
        } else if cell("state").starts_with("idle in transaction") {
            let age = any(&["age", "duration", "idle_for", "since", "xact", "seconds"]);
            if seconds(age) >= LONG {
                told.push(Told {
                    slug: "database-lock-wait",
                    kind: "Session",
                    name: cell("pid").to_owned(),
                    says: format!("this session has left its transaction open for {} (idle in transaction) and keeps its locks: {} {query}", age, any(&["application_name", "usename", "user"])),
                    strength: 0.78,
                    asked: 0.84,
                    src,
                    ..Told::default()
                });
            }
        } else if any(&["state"]).contains("Waiting for") && any(&["state"]).contains("lock") {
            told.push(Told {
                slug: "database-lock-wait",
                kind: "Session",
                name: cell("id").to_owned(),
                says: format!("this session is {}: {query}", any(&["state"])),
                strength: 0.74,
                asked: 0.82,
                src,
                ..Told::default()
            });
        } else if head.iter().any(|column| column == "slot_name") {
            if matches!(cell("active"), "f" | "false") {
                told.push(Told {
                    slug: "database-log-retained",
                    kind: "ReplicationSlot",
                    name: cell("slot_name").to_owned(),
                    says: format!("nobody reads this replication slot (active: f), so the database keeps all its write-ahead log for it {}", any(&["retained", "lag", "wal_size", "behind"])),
                    strength: 0.66,
                    asked: 0.82,
                    about: &["disk", "wal", "space", "full"],
                    src,
                    ..Told::default()
                });
            }
        } else if head.iter().any(|column| column == "datname")
            && head.iter().any(|column| column.contains("age"))
        {
            let age: f64 = any(&["age"]).replace(',', "").parse().unwrap_or(0.0);
            if age > 1_800_000_000.0 {
                told.push(Told {
                    slug: "database-transaction-ids-used-up",
                    kind: "Database",
                    name: cell("datname").to_owned(),
                    says: format!("{age:.0} of about 2100000000 transaction ids are used without a freeze: the database stops to accept writes"),
                    strength: 0.88,
                    asked: 0.9,
                    src,
                    ..Told::default()
                });
            }
        } else if head.iter().any(|column| column == "member")
            && head.iter().any(|column| column == "role")
        {
            let leads = cell("role").to_lowercase().contains("leader");
            let (_, known) = members.get_or_insert((src, false));
            *known |= leads;
            let state = cell("state");
            if ["failed", "stopped", "crashed"]
                .iter()
                .any(|word| state.contains(word))
            {
                told.push(Told {
                    slug: "database-node-down",
                    kind: "Member",
                    name: cell("member").to_owned(),
                    says: format!("this member of the database cluster is not running ({state})"),
                    strength: 0.74,
                    asked: 0.82,
                    src,
                    ..Told::default()
                });
            }
            let lag: f64 = any(&["lag"]).parse().unwrap_or(0.0);
            if lag >= 512.0 {
                told.push(Told {
                    slug: "database-replica-behind",
                    kind: "Member",
                    name: cell("member").to_owned(),
                    says: format!("the replica is {lag:.0} MB behind its primary"),
                    strength: 0.7,
                    asked: 0.82,
                    src,
                    ..Told::default()
                });
            }
        } else if head.iter().any(|column| column == "endpoint")
            && head.iter().any(|column| column == "errors")
        {
            let error = cell("errors");
            if error.len() > 3 {
                told.push(Told {
                    slug: "etcd-unhealthy",
                    kind: "Member",
                    name: cell("endpoint").to_owned(),
                    says: format!("this member of etcd reports: {}", cut(error, 120)),
                    strength: 0.84,
                    asked: 0.86,
                    src,
                    ..Told::default()
                });
            }
        }
    }
    if let Some((src, false)) = members {
        let name = lines
            .iter()
            .find_map(|(_, line)| line.split_once("Cluster: "))
            .and_then(|(_, rest)| rest.split_whitespace().next())
            .unwrap_or_default();
        told.push(Told {
            slug: "database-no-primary",
            kind: "Cluster",
            name: name.to_owned(),
            says: "no member of the database cluster has the role Leader, each is a Replica, so nothing can be written".into(),
            strength: 0.88,
            asked: 0.9,
            src,
            ..Told::default()
        });
    }
    for one in told.into_iter().take(MAX_EACH) {
        push(cluster, one);
    }
}
