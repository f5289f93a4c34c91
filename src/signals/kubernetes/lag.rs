//! Consumer groups that fall behind: tables of `kafka-consumer-groups --describe`, JSON of the same,
//! and queues of RabbitMQ and the like that nobody empties.

use super::emit::{Ctx, Draft};
use super::model::*;
use super::value::{Node as N, Val};

/// Messages behind from which a group counts as lagging.
const LAGS_FROM: i64 = 1_000;
/// Most partitions remembered.
const MAX_ROWS: usize = 20_000;

/// Reads a row of a table that has a LAG column.
pub fn read_row(cluster: &mut Cluster, cell: &dyn Fn(&str) -> String, src: Src) {
    let number = |text: String| text.replace(',', "").parse::<i64>().ok();
    if let Some(lag) = number(cell("LAG")).filter(|_| cluster.lags.len() < MAX_ROWS) {
        cluster.lags.push(Lag {
            group: cell("GROUP"),
            topic: cell("TOPIC"),
            lag,
            consumer: cell("CONSUMER-ID"),
            src,
        });
    }
}

/// Reads objects with a `lag`, wherever they are.
pub fn read_json(cluster: &mut Cluster, file: u32, doc: &Val) {
    let mut todo = vec![(doc, String::new(), String::new())];
    while let Some((val, group, topic)) = todo.pop() {
        match &val.node {
            N::List(items) => todo.extend(
                items
                    .iter()
                    .map(|item| (item, group.clone(), topic.clone())),
            ),
            N::Map(members) => {
                let text = |keys: &[&str], known: &str| {
                    keys.iter()
                        .map(|key| val.get(key).text())
                        .find(|text| !text.is_empty())
                        .unwrap_or(known)
                        .to_owned()
                };
                let group = text(
                    &[
                        "group",
                        "group_id",
                        "groupId",
                        "consumer_group",
                        "consumerGroup",
                    ],
                    &group,
                );
                let topic = text(&["topic", "topic_name"], &topic);
                let lag = ["lag", "total_lag", "totalLag", "current_lag"]
                    .iter()
                    .map(|key| val.get(key))
                    .find_map(|value| Some((value.int()?, value.at)));
                if let Some((lag, at)) = lag.filter(|_| cluster.lags.len() < MAX_ROWS) {
                    let consumer =
                        text(&["consumer_id", "consumerId", "member_id", "client_id"], "");
                    cluster.lags.push(Lag {
                        group: group.clone(),
                        topic: topic.clone(),
                        lag,
                        consumer,
                        src: Src {
                            file,
                            line: at.line,
                            column: at.column,
                        },
                    });
                }
                todo.extend(
                    members
                        .iter()
                        .map(|(_, value)| (value, group.clone(), topic.clone())),
                );
            }
            _ => {}
        }
    }
}

/// The group that is furthest behind.
pub fn detect(ctx: &Ctx) {
    let mut sums: std::collections::BTreeMap<(&str, &str), (i64, &Lag, bool)> =
        std::collections::BTreeMap::new();
    for lag in &ctx.cluster.lags {
        let entry = sums
            .entry((&lag.group, &lag.topic))
            .or_insert((0, lag, true));
        entry.0 = entry.0.saturating_add(lag.lag);
        if lag.lag > entry.1.lag {
            entry.1 = lag;
        }
        entry.2 &= matches!(lag.consumer.as_str(), "-" | "");
    }
    let mut all: Vec<_> = sums
        .into_iter()
        .filter(|(_, (sum, ..))| *sum >= LAGS_FROM)
        .collect();
    all.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(&b.0)));
    let many = all.len();
    for ((group, topic), (sum, worst, nobody)) in all.into_iter().take(3) {
        let why = if nobody && worst.consumer == "-" {
            "; it has no active member, so nobody reads"
        } else {
            ""
        };
        let others = if many > 1 {
            format!(" ({many} groups and topics lag)")
        } else {
            String::new()
        };
        let strength = if sum >= 100_000 || nobody && worst.consumer == "-" {
            0.76
        } else {
            0.62
        };
        let draft = Draft::cause("consumer-lag", "ConsumerGroup", "", group, strength + if ctx.in_ticket(group) || ctx.in_ticket(topic) { 0.08 } else { 0.0 })
            .says(
                format!("consumer group {group} lags {sum} messages behind on topic {topic}{why}"),
                format!("Consumer group {group} is {sum} messages behind the end of topic {topic}{why}: it reads more slowly than messages arrive{others}."),
            )
            .show(ctx.quote(worst.src, ""))
            .entity("topic", topic);
        ctx.emit(draft);
    }
}
