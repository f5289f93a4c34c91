//! Connection tracking, neighbours, netlink, backlogs: use against limits.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::{Draft, percent};
use crate::signals::host::facts::Host;
use crate::signals::host::logs::Hits;

const WORDS: &[&str] = &[
    "network",
    "connection",
    "connections",
    "packet",
    "packets",
    "traffic",
    "link",
    "connectivity",
    "loss",
    "latency",
    "mtu",
    "slow",
];

pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    conntrack(host, hits, out);
    netlink(host, out);
    neighbours(host, out);
    softnet(host, out);
}

/// Tracked connections against the maximum.
fn conntrack(host: &Host, hits: &Hits, out: &mut Partial) {
    let key = |name: &str| host.sysctl_number(&format!("net.netfilter.{name}"));
    let (Some((count, count_at)), Some((max, max_at))) =
        (key("nf_conntrack_count"), key("nf_conntrack_max"))
    else {
        return;
    };
    let used = percent(count, max);
    let logged: Vec<Evidence> = hits
        .of("conntrack-full")
        .flat_map(|(_, g)| g.evidence().into_iter().take(1))
        .collect();
    let strength = match used {
        97.. => 0.92,
        85.. => 0.6,
        _ => return,
    };
    Draft::cause("conntrack-usage", "conntrack-table-full", strength, "Host", "host")
        .says(
            format!("Connection-tracking table is {used} % full: {count} of {max} entries"),
            format!("{count} of at most {max} connections are tracked (nf_conntrack_max); when the table is full the kernel drops packets of new connections."),
        )
        .cites(logged)
        .cites([count_at, max_at])
        .if_ticket(host, WORDS)
        .put(out);
}

/// Drops of a netlink socket: its reader lost events of the kernel (links, routes, conntrack).
fn netlink(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("proc/net/netlink") else {
        return;
    };
    let Some((_, header)) = doc.lines().next() else {
        return;
    };
    let Some(column) = header.split_whitespace().position(|w| w == "Drops") else {
        return;
    };
    let mut dropping = Vec::new();
    for (number, line) in doc.lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let drops: u64 = words.get(column).and_then(|w| w.parse().ok()).unwrap_or(0);
        if drops > 0 {
            dropping.push((
                drops,
                words.get(2).copied().unwrap_or_default().to_owned(),
                number,
            ));
        }
    }
    dropping.sort_by_key(|d| std::cmp::Reverse(d.0));
    let Some((most, pid, _)) = dropping.first() else {
        return;
    };
    let total = dropping.iter().fold(0u64, |sum, d| sum.saturating_add(d.0));
    let owner = process_name(host, pid).map_or_else(
        || format!("port id {pid}"),
        |name| format!("{name} (pid {pid})"),
    );
    Draft::cause("netlink-drops", "netlink-drops", if total >= 10 { 0.6 } else { 0.5 }, "Process", &owner)
        .says(
            format!("Netlink sockets drop messages: {total} drops on {} sockets, most by {owner} ({most})", dropping.len()),
            format!("The receive buffer of netlink sockets overflowed ({total} drops, {most} of {owner}), so their readers missed events of the kernel about links, routes or flows and work on stale state."),
        )
        .cites(dropping.iter().take(5).map(|d| doc.cite(d.2)))
        .with("pid", pid.as_str())
        .if_ticket(host, WORDS)
        .put(out);
}

fn process_name(host: &Host, pid: &str) -> Option<String> {
    let doc = host
        .commands("ps", |name| name.contains("aux"))
        .into_iter()
        .next()?;
    let (_, line) = doc.line_with(|line| line.split_whitespace().nth(1) == Some(pid))?;
    let command = line.split_whitespace().nth(10)?;
    Some(
        command
            .rsplit('/')
            .next()
            .unwrap_or(command)
            .trim_end_matches(':')
            .to_owned(),
    )
}

/// Neighbours known against the limit where the kernel stops adding.
fn neighbours(host: &Host, out: &mut Partial) {
    let Some((limit, limit_at)) = host.sysctl_number("net.ipv4.neigh.default.gc_thresh3") else {
        return;
    };
    let Some(doc) = host
        .commands("ip", |n| n.contains("neigh") && !n.contains("netns"))
        .into_iter()
        .next()
    else {
        return;
    };
    let known = doc
        .lines()
        .filter(|(_, l)| {
            l.contains(" dev ")
                && !l.contains("PERMANENT")
                && !l.contains("NOARP")
                && l.contains('.')
        })
        .count() as u64;
    if limit > 0 && percent(known, limit) >= 90 {
        Draft::cause("neighbour-table-usage", "arp-table-overflow", 0.72, "Host", "host")
            .says(
                format!("Neighbour (ARP) table is nearly full: {known} of {limit} entries"),
                format!("{known} neighbours are known and the kernel stops at {limit}; hosts beyond that can't be reached."),
            )
            .cites([limit_at])
            .cites(doc.lines().next().map(|(n, _)| doc.cite(n)))
            .if_ticket(host, WORDS)
            .put(out);
    }
}

/// `/proc/net/softnet_stat`, second column: packets dropped because a processor's backlog was full.
fn softnet(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("proc/net/softnet_stat") else {
        return;
    };
    let (mut seen, mut dropped, mut worst) = (0u64, 0u64, (0u64, 0usize));
    for (number, line) in doc.lines() {
        let mut words = line
            .split_whitespace()
            .map(|w| u64::from_str_radix(w, 16).unwrap_or(0));
        let (packets, drops) = (words.next().unwrap_or(0), words.next().unwrap_or(0));
        seen = seen.saturating_add(packets);
        dropped = dropped.saturating_add(drops);
        if drops > worst.0 {
            worst = (drops, number);
        }
    }
    if dropped < 1000 || dropped.saturating_mul(10_000) / seen.max(1) < 1 {
        return;
    }
    Draft::cause("softnet-drops", "interface-drops", if dropped > 100_000 { 0.52 } else { 0.4 }, "Host", "backlog")
        .says(
            format!("The kernel dropped {dropped} received packets because processor backlogs were full"),
            format!("{dropped} of {seen} packets were dropped in softirq (net.core.netdev_max_backlog): the processors cannot keep up with the interrupts of the cards."),
        )
        .cites([doc.cite(worst.1)])
        .cites(host.sysctl_number("net.core.netdev_max_backlog").map(|s| s.1))
        .if_ticket(host, WORDS)
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn conntrack_near_its_maximum() {
        let at = |count: u32| {
            format!(
                "net.netfilter.nf_conntrack_count = {count}\nnet.netfilter.nf_conntrack_max = 1000\n"
            )
        };
        assert_eq!(
            causes(&on(&[("sos_commands/kernel/sysctl_-a", &at(998))])),
            ["conntrack-table-full"]
        );
        assert!(causes(&on(&[("sos_commands/kernel/sysctl_-a", &at(300))])).is_empty());
    }

    #[test]
    fn netlink_drops_name_the_process() {
        let table = |drops: u32| {
            format!(
                "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n0000000000000000 0   23984      00000113 0        0        0     2        {drops}        129906\n"
            )
        };
        let ps = "USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND\nroot 23984 0.0 0.1 1 1 ? Ss Feb01 0:01 /usr/sbin/dnsmasq --x\n";
        let out = on(&[
            ("proc/net/netlink", &table(93)),
            ("sos_commands/process/ps_auxwwwm", ps),
        ]);
        assert_eq!(causes(&out), ["netlink-drops"]);
        assert!(out.signals[0].title.contains("dnsmasq"));
        assert!(causes(&on(&[("proc/net/netlink", &table(0))])).is_empty());
    }
}
