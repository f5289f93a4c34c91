//! Load that reaches one pod of many: its siblings idle while it works at its limit. Long-lived connections (HTTP/2, gRPC,
//! message brokers, database pools) are balanced when they are made and never again.

use super::emit::{Ctx, Draft};
use super::model::*;
use std::collections::BTreeMap;

/// Thousandths of a core from which a pod works.
const WORKS: f64 = 300.0;
/// How many times as much as its busiest sibling.
const TIMES: f64 = 12.0;
/// Siblings that must idle.
const SIBLINGS: usize = 2;

/// Thousandths of a core.
fn milli(text: &str) -> Option<f64> {
    match text.strip_suffix('m') {
        Some(number) => number.parse().ok(),
        None => text.parse::<f64>().ok().map(|cores| cores * 1e3),
    }
}

/// Whether a part of a pod's name looks like the hash of its replica set: letters and several digits.
fn is_hash(part: &str) -> bool {
    (7..=10).contains(&part.len())
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && part.bytes().filter(u8::is_ascii_digit).count() >= 2
}

/// Pods of one replica set of which one does all the work.
pub fn detect(ctx: &Ctx) {
    let mut groups: BTreeMap<(&str, &str), Vec<(&Usage, f64)>> = BTreeMap::new();
    for usage in ctx.cluster.usage.iter().filter(|usage| usage.kind == "Pod") {
        // A deployment's pods: name, replica set's hash, own suffix. Members of a stateful set are told apart on purpose.
        let Some((set, own)) = usage.name.rsplit_once('-') else {
            continue;
        };
        // A daemon set's pods have such a suffix too, yet no hash before it.
        let hash = set.rsplit_once('-').is_some_and(|(_, hash)| is_hash(hash));
        let Some(cpu) = milli(&usage.cpu.v).filter(|_| own.len() == 5 && hash) else {
            continue;
        };
        groups
            .entry((usage.ns.as_str(), set))
            .or_default()
            .push((usage, cpu));
    }
    for ((_, set), mut pods) in groups {
        if pods.len() <= SIBLINGS {
            continue;
        }
        pods.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (busy, most) = pods[0];
        let next = pods[1].1;
        // One that leads (a scheduler, an operator) works alone by design and is no server of requests.
        let leads = ["controller", "operator", "scheduler", "manager"]
            .iter()
            .any(|word| set.contains(word));
        if leads || most < WORKS || most < next.max(1.0) * TIMES {
            continue;
        }
        let name = super::app_of(&busy.name);
        let grpc = ctx.tree.files().any(|file| {
            file.bytes < 4 << 20
                && ctx.tree.text(file).ok().flatten().is_some_and(|text| {
                    let text = text.as_str();
                    text.contains("pick_first") || text.contains("grpc_server_")
                })
        });
        let asked = ctx.is_asked(&busy.name) || ctx.in_ticket(name);
        let strength = match (asked, grpc) {
            (true, true) => 0.9,
            (false, true) => 0.75,
            // Without a word of gRPC it may be one pod's job, or its busy loop.
            (true, false) => 0.48,
            (false, false) => 0.4,
        };
        let (reason, kind) = if grpc {
            (
                " — one long-lived connection (gRPC) carries it",
                "gRPC keeps one long-lived HTTP/2 connection, and a service's address balances connections and not requests",
            )
        } else {
            (
                "",
                "long-lived connections (gRPC, HTTP/2, brokers) are balanced when they are made and not for each request",
            )
        };
        let mut draft = Draft::cause("load-not-balanced", "Pod", &busy.ns, &busy.name, strength).says(
            format!("the load of {name} is not balanced: pod {} works with {} of CPU and its {} siblings idle{reason}", busy.name, busy.cpu.v, pods.len() - 1),
            format!("Of {} pods of {name} one uses {} of CPU and the next {}: requests reach a single pod, so more replicas do not help. The usual reason: {kind}. The client must balance itself (round_robin over a headless service) or a proxy that knows the protocol must.", pods.len(), busy.cpu.v, pods[1].0.cpu.v),
        );
        for (usage, _) in pods.iter().take(3) {
            draft = draft.show(ctx.quote(usage.cpu.src, &usage.name));
        }
        ctx.emit(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};

    #[test]
    fn one_pod_of_many_does_all_the_work() {
        let of = |others: &str| {
            let top = format!(
                "NAME                    CPU(cores)   MEMORY(bytes)\nseats-5f8c7d9b6-7hwwq   1890m        911Mi\nseats-5f8c7d9b6-9zplx   {others}           531Mi\nseats-5f8c7d9b6-mt4cj   {others}           541Mi\n"
            );
            run(&[("top-pods.txt", &top)])
        };
        assert_eq!(first(&of("8m")).cause, "load-not-balanced");
        assert!(
            of("640m")
                .signals
                .iter()
                .all(|one| one.cause != "load-not-balanced")
        );
    }
}
