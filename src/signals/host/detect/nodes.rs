//! Memory per NUMA node, and transparent hugepages where a database runs.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;

/// Databases whose makers advise against transparent hugepages (MongoDB: production notes; Redis: administration;
/// Couchbase, Oracle alike).
const AGAINST_HUGEPAGES: [&str; 5] = [
    "mongod",
    "redis-server",
    "couchbase",
    "ora_pmon",
    "cassandra",
];

/// Looks at nodes and pages.
pub fn detect(host: &Host, out: &mut Partial) {
    nodes(host, out);
    transparent(host, out);
}

/// `numastat -m`: one node without free memory while another has plenty. Guests and DPDK ports bound to the
/// first cannot allocate, though the host looks half empty.
fn nodes(host: &Host, out: &mut Partial) {
    let Some(doc) = host.command("numastat", &["-m"]) else {
        return;
    };
    let row = |key: &str| {
        let (number, line) = doc.line_with(|line| line.starts_with(key))?;
        let values: Vec<f64> = line
            .split_whitespace()
            .skip(1)
            .filter_map(|word| word.parse().ok())
            .collect();
        // The last column is the total.
        (values.len() >= 3).then(|| (number, values[..values.len() - 1].to_vec()))
    };
    let (Some((total_at, total)), Some((free_at, free))) = (row("MemTotal"), row("MemFree")) else {
        return;
    };
    let share = |node: usize| {
        let all = total.get(node).copied().unwrap_or(0.0);
        (all > 0.0).then(|| free[node] / all * 100.0)
    };
    let shares: Vec<(usize, f64)> = (0..free.len().min(total.len()))
        .filter_map(|node| Some((node, share(node)?)))
        .collect();
    let (Some(low), Some(high)) = (
        shares.iter().min_by(|a, b| a.1.total_cmp(&b.1)),
        shares.iter().max_by(|a, b| a.1.total_cmp(&b.1)),
    ) else {
        return;
    };
    if low.1 >= 1.0 || high.1 < 20.0 {
        return;
    }
    Draft::cause("numa-node-full", "numa-imbalance", 0.62, "NUMA node", "")
        .says(
            format!("NUMA imbalance: node {} has {:.0} MB free, node {} has {:.0} MB", low.0, free[low.0], high.0, free[high.0]),
            format!("Node {} has {:.0} of {:.0} MB free while node {} still has {:.0}: what is bound to node {} (pinned guests, DPDK, interrupts) reclaims, fails to allocate or is killed although the host has memory.", low.0, free[low.0], total[low.0], high.0, free[high.0], low.0),
        )
        .cites([doc.cite(free_at), doc.cite(total_at)])
        .if_ticket(host, &["memory", "numa", "guest", "oom", "allocation", "slow"])
        .put(out);
}

fn transparent(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("sys/kernel/mm/transparent_hugepage/enabled") else {
        return;
    };
    let Some((number, _)) = doc.line_with(|line| line.contains("[always]")) else {
        return;
    };
    let Some(ps) = host.command("ps", &["aux"]) else {
        return;
    };
    let Some((at, _)) = ps.line_with(|line| {
        line.split_whitespace().nth(10).is_some_and(|command| {
            let name = command.rsplit('/').next().unwrap_or(command);
            AGAINST_HUGEPAGES.iter().any(|word| name.starts_with(word))
        })
    }) else {
        return;
    };
    Draft::cause("transparent-hugepages", "transparent-hugepages-on", 0.5, "Setting", "")
        .says(
            "Transparent hugepages are always on, on a host with a database that advises against them",
            "Transparent hugepages are set to always: the kernel stalls the database while it compacts memory, and copies far more on each snapshot; its makers advise to switch them off.",
        )
        .cites([doc.cite(number), ps.cite(at)])
        .if_ticket(host, &["slow", "latency", "database", "mongodb", "redis", "memory"])
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn a_node_without_memory_beside_one_with_plenty() {
        let run = |first: u32, second: u32| {
            let text = format!(
                "Node 0 Node 1 Total\nMemTotal 128000.00 129000.00 257000.00\nMemFree {first}.00 {second}.00 {}.00\n",
                first + second
            );
            causes(&on(&[("sos_commands/numa/numastat_-m", &text)])).len()
        };
        assert_eq!(
            (run(120, 90000), run(50000, 90000), run(120, 150)),
            (1, 0, 0)
        );
    }
}
