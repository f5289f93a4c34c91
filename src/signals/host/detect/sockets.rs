//! Sockets: memory against its limits, listen queues, local ports.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::{Draft, percent};
use crate::signals::host::facts::{Doc, Host};

const WORDS: &[&str] = &[
    "network",
    "connection",
    "connections",
    "packet",
    "packets",
    "socket",
    "sockets",
    "tcp",
    "udp",
    "timeout",
    "timeouts",
    "slow",
    "latency",
];

pub fn detect(host: &Host, out: &mut Partial) {
    if let Some(doc) = host.file("proc/net/sockstat") {
        memory(host, &doc, out);
        time_wait(host, &doc, out);
    }
    listen_queues(host, out);
}

fn field(doc: &Doc, row: &str, key: &str) -> Option<(u64, usize)> {
    let (number, line) = doc.line_with(|line| line.starts_with(row))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| *word == key)?;
    Some((words.get(at + 1)?.parse().ok()?, number))
}

/// Pages in use against the third value of tcp_mem and udp_mem: there the kernel refuses memory.
fn memory(host: &Host, doc: &Doc, out: &mut Partial) {
    let mut full: Vec<(&str, u64, u64, Evidence, Evidence)> = Vec::new();
    for (row, proto, key) in [
        ("TCP:", "TCP", "net.ipv4.tcp_mem"),
        ("UDP:", "UDP", "net.ipv4.udp_mem"),
    ] {
        let Some((used, at)) = field(doc, row, "mem") else {
            continue;
        };
        let Some((value, sysctl, line)) = host.sysctl(key) else {
            continue;
        };
        let Some(max) = value
            .split_whitespace()
            .nth(2)
            .and_then(|v| v.parse::<u64>().ok())
        else {
            continue;
        };
        if percent(used, max) >= 90 {
            full.push((proto, used, max, doc.cite(at), sysctl.cite(line)));
        }
    }
    if full.is_empty() {
        return;
    }
    let worst = full.iter().map(|f| percent(f.1, f.2)).max().unwrap_or(0);
    let list: Vec<String> = full
        .iter()
        .map(|(proto, used, max, _, _)| format!("{proto} {used} of {max} pages"))
        .collect();
    let names: Vec<&str> = full.iter().map(|f| f.0).collect();
    Draft::cause("socket-memory", "socket-memory-exhausted", if worst >= 99 { 0.91 } else { 0.66 }, "Host", "host")
        .says(
            format!("{} socket memory is exhausted: {} in use (maximum of {})", names.join(" and "), list.join(", "), full.iter().map(|f| format!("{}_mem", f.0.to_lowercase())).collect::<Vec<_>>().join("/")),
            format!("The kernel's memory for {} sockets reached its limit ({}); it drops packets, closes windows and resets connections until sockets are read or net.ipv4.tcp_mem/udp_mem are raised.", names.join(" and "), list.join(", ")),
        )
        .cites(full.iter().map(|f| f.3.clone()))
        .cites(full.iter().map(|f| f.4.clone()))
        .if_ticket(host, WORDS)
        .put(out);
}

/// Sockets in TIME_WAIT against the range of local ports.
fn time_wait(host: &Host, doc: &Doc, out: &mut Partial) {
    let Some((waiting, at)) = field(doc, "TCP:", "tw") else {
        return;
    };
    let Some((value, sysctl, line)) = host.sysctl("net.ipv4.ip_local_port_range") else {
        return;
    };
    let mut ends = value
        .split_whitespace()
        .filter_map(|v| v.parse::<u64>().ok());
    let (Some(from), Some(to)) = (ends.next(), ends.next()) else {
        return;
    };
    let ports = to.saturating_sub(from).saturating_add(1);
    if percent(waiting, ports) < 85 {
        return;
    }
    Draft::cause("time-wait", "ephemeral-ports-exhausted", 0.58, "Host", "host")
        .says(
            format!("{waiting} sockets in TIME_WAIT against {ports} local ports"),
            format!("{waiting} sockets wait in TIME_WAIT and only {ports} local ports exist ({from}-{to}); new outgoing connections to the same peer fail."),
        )
        .cites([doc.cite(at), sysctl.cite(line)])
        .if_ticket(host, WORDS)
        .put(out);
}

/// `ss -l`: for LISTEN sockets Recv-Q is the accept queue and Send-Q its limit.
fn listen_queues(host: &Host, out: &mut Partial) {
    for doc in host.commands("ss", |name| !name.contains("netns")) {
        for (number, line) in doc.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some(at) = words.iter().take(2).position(|w| *w == "LISTEN") else {
                continue;
            };
            let number_at = |i: usize| words.get(i).and_then(|w| w.parse::<u64>().ok());
            let (Some(queued), Some(limit), Some(address)) =
                (number_at(at + 1), number_at(at + 2), words.get(at + 3))
            else {
                continue;
            };
            if limit > 0 && queued >= limit && address.contains(':') {
                Draft::cause("accept-queue-full", "listen-queue-overflow", 0.74, "Port", address)
                    .says(
                        format!("Accept queue of {address} is full: {queued} waiting, limit {limit}"),
                        format!("{queued} connections wait at {address} whose backlog is {limit}: its server hangs or accepts too slowly, and clients time out."),
                    )
                    .cites([doc.cite(number)])
                    .with("port", *address)
                    .if_ticket(host, WORDS)
                    .put(out);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn socket_memory_at_its_limit() {
        let stat = |mem: u32| {
            format!("sockets: used 908\nTCP: inuse 22 orphan 0 tw 2 alloc 58 mem {mem}\n")
        };
        let sysctl = "net.ipv4.tcp_mem = 100\t200\t300\n";
        assert_eq!(
            causes(&on(&[
                ("proc/net/sockstat", &stat(300)),
                ("sos_commands/kernel/sysctl_-a", sysctl)
            ])),
            ["socket-memory-exhausted"]
        );
        assert!(
            causes(&on(&[
                ("proc/net/sockstat", &stat(20)),
                ("sos_commands/kernel/sysctl_-a", sysctl)
            ]))
            .is_empty()
        );
    }

    #[test]
    fn a_full_accept_queue() {
        let ss = |queued: u32| format!("tcp LISTEN {queued} 128 0.0.0.0:443 0.0.0.0:*\n");
        assert_eq!(
            causes(&on(&[
                ("sos_commands/networking/ss_-peaonmi", &ss(129)),
                ("etc/fstab", "")
            ])),
            ["listen-queue-overflow"]
        );
        assert!(
            causes(&on(&[
                ("sos_commands/networking/ss_-peaonmi", &ss(0)),
                ("etc/fstab", "")
            ]))
            .is_empty()
        );
    }
}
