//! Figures of proxies, mail, name servers and caches: limits that were reached, queues, refusals.

use super::engine::compile;
use super::state::{Says, at};
use crate::bundle::{Entry, Text};
use crate::signals::{Role, Signal};
use std::collections::BTreeMap;

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[SERVER, FRONT, MAIL, CLIENTS, REFUSED, EVICTED];
const SERVER: (&str, &str) = ("haproxy.server-down", "haproxy-no-server");
const FRONT: (&str, &str) = ("haproxy.sessions-at-limit", "haproxy-limit");
const MAIL: (&str, &str) = ("mail.queue-backlog", "mail-fault");
const CLIENTS: (&str, &str) = ("dns.recursive-clients", "dns-server-overloaded");
const REFUSED: (&str, &str) = ("redis.rejected-connections", "redis-client-refused");
const EVICTED: (&str, &str) = (
    "memcached.connections-refused",
    "memcached-connection-limit",
);

/// Messages in a mail queue that are no longer the usual few.
const MAILS: u64 = 50;

/// HAProxy's `show stat`: servers that are down with their check's words, front ends at their limit.
pub fn proxy(entry: &Entry, text: &Text) -> Vec<Signal> {
    let Some((_, head)) = text
        .lines()
        .find(|(_, line)| line.trim_start_matches(['#', ' ']).starts_with("pxname,"))
    else {
        return Vec::new();
    };
    let header: Vec<&str> = head.trim_start_matches(['#', ' ']).split(',').collect();
    let column = |name: &str| header.iter().position(|column| *column == name);
    let mut out = Vec::new();
    for (number, line) in text.lines() {
        let cells: Vec<&str> = line.split(',').collect();
        let value = |name: &str| {
            column(name)
                .and_then(|at| cells.get(at))
                .copied()
                .unwrap_or("")
        };
        let (proxy, server, status) = (value("pxname"), value("svname"), value("status"));
        if proxy == "pxname" || cells.len() + 5 < header.len() {
            continue;
        }
        if !matches!(server, "FRONTEND" | "BACKEND") && status.starts_with("DOWN") {
            let name = format!("{proxy}/{server}");
            out.extend(
                Says {
                    id: SERVER,
                    subject: ("Proxy server", &name),
                    title: format!("HAProxy server {name} is {status}: {} {}", value("check_status"), value("last_chk")),
                    statement: format!("HAProxy's check of {name} fails ({} {}, address {}): requests for {proxy} go to fewer servers or to none.", value("check_status"), value("last_chk"), value("addr")),
                    strength: 0.64,
                    role: Role::Symptom,
                    evidence: vec![at(entry, number, line)],
                }
                .signal(&[("backend", proxy)]),
            );
        }
        if server == "FRONTEND"
            && let (Ok(most), Ok(limit)) =
                (value("smax").parse::<u64>(), value("slim").parse::<u64>())
            && limit > 0
            && most >= limit
        {
            out.extend(
                Says {
                    id: FRONT,
                    subject: ("Proxy", proxy),
                    title: format!("HAProxy front end {proxy} reached its limit of {limit} sessions"),
                    statement: format!("Front end {proxy} had {most} sessions at once, its limit (maxconn) is {limit}: further connections wait in the kernel's queue and time out."),
                    strength: 0.82,
                    role: Role::Cause,
                    evidence: vec![at(entry, number, line)],
                }
                .signal(&[("proxy", proxy)]),
            );
        }
    }
    out.truncate(8);
    out
}

/// A queue of mail, by the reason that most of its messages give.
pub fn mail(entry: &Entry, text: &Text) -> Option<Signal> {
    let total = compile(r"^-- \d+ \w+ in (\d+) Requests?")?;
    let (end, total_line, count) = text.lines().find_map(|(number, line)| {
        Some((number, line, total.captures(line)?[1].parse::<u64>().ok()?))
    })?;
    if count < MAILS {
        return None;
    }
    let mut reasons: BTreeMap<String, (u64, usize, &str)> = BTreeMap::new();
    for (number, line) in text.lines() {
        let bare = line.trim();
        let Some(reason) = bare
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
        else {
            continue;
        };
        let key = reason
            .rsplit_once("]:")
            .map_or(reason, |(_, tail)| tail)
            .to_owned();
        reasons.entry(key).or_insert((0, number, line)).0 += 1;
    }
    let (_, (hits, number, line)) = reasons.iter().max_by_key(|(_, (hits, ..))| *hits)?;
    let reason = line.trim().trim_matches(['(', ')']);
    Says {
        id: MAIL,
        subject: ("Mail", "queue"),
        title: format!("{count} messages wait in the mail queue: {reason}"),
        statement: format!("{count} messages wait in the mail queue; {hits} of the listed give the reason: {reason}."),
        strength: 0.76,
        role: Role::Cause,
        evidence: vec![at(entry, *number, line), at(entry, end, total_line)],
    }
    .signal(&[("unit", "postfix")])
}

/// `rndc status`: clients in recursion at their limit.
pub fn resolver(entry: &Entry, text: &Text) -> Option<Signal> {
    let row = compile(
        r"^(?P<what>recursive clients|tcp clients): (?P<used>\d+)/(?:\d+/)?(?P<limit>\d+)",
    )?;
    text.lines().find_map(|(number, line)| {
        let hit = row.captures(line)?;
        let (used, limit) = (hit["used"].parse::<u64>().ok()?, hit["limit"].parse::<u64>().ok()?);
        if limit == 0 || used < limit * 9 / 10 {
            return None;
        }
        Says {
            id: CLIENTS,
            subject: ("Name server", "named"),
            title: format!("named is at its limit of {}: {used} of {limit}", &hit["what"]),
            statement: format!("named serves {used} {} of at most {limit}: further queries are dropped. Upstream servers that do not answer hold each query for seconds.", &hit["what"]),
            strength: 0.82,
            role: Role::Cause,
            evidence: vec![at(entry, number, line)],
        }
        .signal(&[("unit", "named")])
    })
}

pub fn redis(entry: &Entry, text: &Text) -> Option<Signal> {
    let (refused, number, line) = stat(text, "rejected_connections")?;
    let limit = stat(text, "maxclients").map_or(String::new(), |(limit, ..)| {
        format!(" (maxclients {limit})")
    });
    if refused < 10 {
        return None;
    }
    Says {
        id: REFUSED,
        subject: ("Redis", "redis"),
        title: format!("Redis rejected {refused} connections{limit}"),
        statement: format!("Redis turned {refused} connections away because all clients it may serve were connected{limit}: clients leak connections or the limit is too low."),
        strength: 0.74,
        role: Role::Cause,
        evidence: vec![at(entry, number, line)],
    }
    .signal(&[("unit", "redis")])
}

pub fn memcached(entry: &Entry, text: &Text) -> Option<Signal> {
    let (refused, number, line) = stat(text, "listen_disabled_num")?;
    let limit =
        stat(text, "max_connections").map_or(String::new(), |(limit, ..)| format!(" of {limit}"));
    if refused < 10 {
        return None;
    }
    Says {
        id: EVICTED,
        subject: ("Cache", "memcached"),
        title: format!("memcached stopped accepting connections {refused} times: all connections{limit} in use"),
        statement: format!("listen_disabled_num is {refused}: so often memcached had all its connections{limit} in use and accepted no more; clients wait and time out."),
        strength: 0.8,
        role: Role::Cause,
        evidence: vec![at(entry, number, line)],
    }
    .signal(&[("unit", "memcached")])
}

/// The number behind `name` or `STAT name` in lines `name:value` or `STAT name value`.
fn stat<'a>(text: &'a Text, name: &str) -> Option<(u64, usize, &'a str)> {
    text.lines().take(20_000).find_map(|(number, line)| {
        let bare = line.trim().trim_start_matches("STAT ");
        let value = bare
            .strip_prefix(name)?
            .trim_start_matches([':', ' ', '\t']);
        Some((value.trim().parse().ok()?, number, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::services::tables::tests::entry;

    fn titles(found: impl IntoIterator<Item = Signal>) -> Vec<String> {
        found.into_iter().map(|signal| signal.title).collect()
    }
    fn text(content: &str) -> Text {
        Text::new(content.as_bytes())
    }

    #[test]
    fn proxies_mail_and_names() {
        let stat = |status: &str, most: u32| {
            text(&format!(
                "# pxname,svname,scur,smax,slim,status,check_status,last_chk,addr\nweb,FRONTEND,1,{most},2000,OPEN,,,\nweb,s1,0,0,,{status},L4CON,Connection refused,192.0.2.7:80\n"
            ))
        };
        assert_eq!(proxy(&entry(), &stat("DOWN", 2000)).len(), 2);
        assert!(proxy(&entry(), &stat("UP", 20)).is_empty());
        let queue = |n: u32| {
            text(&format!(
                "A1  10 Fri a@b\n (connect to mx[192.0.2.1]:25: Connection timed out)\n   c@d\n\n-- 10 Kbytes in {n} Requests.\n"
            ))
        };
        assert!(titles(mail(&entry(), &queue(812)))[0].contains("Connection timed out"));
        assert!(mail(&entry(), &queue(2)).is_none());
        assert!(resolver(&entry(), &text("recursive clients: 998/900/1000\n")).is_some());
        assert!(resolver(&entry(), &text("recursive clients: 3/900/1000\n")).is_none());
    }

    #[test]
    fn caches_and_stores() {
        assert!(
            redis(
                &entry(),
                &text("rejected_connections:4021\nmaxclients:100\n")
            )
            .is_some()
        );
        assert!(redis(&entry(), &text("rejected_connections:0\n")).is_none());
        assert!(
            memcached(
                &entry(),
                &text("STAT max_connections 1024\nSTAT listen_disabled_num 388\n")
            )
            .is_some()
        );
        assert!(memcached(&entry(), &text("STAT listen_disabled_num 0\n")).is_none());
    }
}
