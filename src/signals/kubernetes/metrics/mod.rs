//! Metrics whose values are faults by themselves: a part of a whole that is used up, a state that says no, a
//! count that must be zero. Read from answers of Prometheus, from `promtool query` and from scraped pages.

mod quantities;

use self::quantities::{ALONE, SHARES, Share, When};
use super::emit::{Ctx, Draft, contains_word};
use super::model::*;
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Most series kept of one scraped page.
const MAX_SERIES: usize = 5_000;
/// Lines looked at to recognise a scraped page.
const HEAD: usize = 40;
/// Labels by which two metrics of the same thing may differ.
const APART: [&str; 10] = [
    "__name__", "state", "resource", "unit", "endpoint", "id", "uid", "job", "command", "datname",
];

/// Causes that the tables name.
#[cfg(test)]
pub fn slugs() -> impl Iterator<Item = &'static str> {
    SHARES
        .iter()
        .map(|share| share.slug)
        .chain(ALONE.iter().map(|alone| alone.slug))
}

static WANTED: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    SHARES
        .iter()
        .flat_map(|share| [share.used, share.most])
        .chain(ALONE.iter().map(|alone| alone.name))
        .chain([
            "rabbitmq_queue_consumers",
            "rabbitmq_queue_messages",
            "rabbitmq_queue_messages_ready",
            "kafka_consumergroup_lag",
            "up",
            "kube_pod_container_status_restarts_total",
        ])
        .collect()
});

static SAMPLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)?(?:\{(?P<labels>[^}]*)\})?\s*(?:=>)?\s*(?P<value>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?:\s+@?\[?\d+(?:\.\d+)?\]?)?\s*$"#).ok()
});
static LABEL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?P<key>[a-zA-Z_][a-zA-Z0-9_]*)="(?P<value>(?:[^"\\]|\\.)*)""#).ok()
});

/// Whether lines look like a scraped page or what `promtool query` prints.
fn is_page(lines: &[(u32, &str)]) -> bool {
    let head: Vec<&str> = lines
        .iter()
        .take(HEAD)
        .map(|(_, line)| *line)
        .filter(|line| !line.trim().is_empty())
        .collect();
    let typed = head
        .iter()
        .any(|line| line.starts_with("# TYPE ") || line.starts_with("# HELP "));
    let samples = head.iter().filter(|line| is_sample(line)).count();
    samples > 0 && (typed || samples * 2 > head.len())
}

/// A sample has labels or the arrow of promtool, or is a metric's name and a number.
fn is_sample(line: &str) -> bool {
    let shaped = line.contains("} ") || line.contains("=> ") || {
        let mut words = line.split_whitespace();
        words.next().is_some_and(|name| {
            name.contains('_')
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
        }) && words
            .next()
            .is_some_and(|value| value.parse::<f64>().is_ok())
            && words.count() <= 1
    };
    shaped && SAMPLE.as_ref().is_some_and(|regex| regex.is_match(line))
}

/// Reads a scraped page or the text of a query's answer; returns whether it was one.
pub fn read(cluster: &mut Cluster, file: u32, lines: &[(u32, &str)]) -> bool {
    if !is_page(lines) {
        return false;
    }
    let (Some(sample), Some(label)) = (SAMPLE.as_ref(), LABEL.as_ref()) else {
        return false;
    };
    let (mut caption, mut kept) = (String::new(), 0);
    for (number, line) in lines {
        if line.starts_with("# TYPE ") || line.starts_with("# HELP ") || line.trim().is_empty() {
            continue;
        }
        if line.starts_with(['#', '$', '>']) || line.to_ascii_lowercase().starts_with("query") {
            caption = line.to_ascii_lowercase();
            continue;
        }
        let name = line.split(['{', ' ', '\t']).next().unwrap_or_default();
        if kept >= MAX_SERIES || (!name.is_empty() && !WANTED.contains(name)) {
            continue;
        }
        let Some(found) = sample.captures(line) else {
            continue;
        };
        let Some(value) = found
            .name("value")
            .and_then(|value| value.as_str().parse::<f64>().ok())
            .filter(|value| value.is_finite())
        else {
            continue;
        };
        let labels: Labels = found
            .name("labels")
            .map(|labels| {
                label
                    .captures_iter(labels.as_str())
                    .map(|pair| (pair["key"].to_owned(), pair["value"].to_owned()))
                    .collect()
            })
            .unwrap_or_default();
        let src = Src {
            file,
            line: *number,
            column: 0,
        };
        kept += 1;
        cluster.series.push(Series {
            words: format!("{} {caption}", name.to_ascii_lowercase()),
            labels,
            first: value,
            last: (value, src),
            highest: value,
            src,
        });
    }
    true
}

fn label<'s>(series: &'s Series, key: &str) -> &'s str {
    series
        .labels
        .iter()
        .find(|(name, _)| name == key)
        .map_or("", |(_, value)| value.as_str())
}

/// The name of the metric, "" for the answer to an expression.
fn name_of(series: &Series) -> &str {
    series.words.split(' ').next().unwrap_or_default()
}

/// Whether two series are about the same thing.
fn same(a: &Series, b: &Series) -> bool {
    a.labels.iter().all(|(key, value)| {
        APART.contains(&key.as_str())
            || b.labels
                .iter()
                .find(|(other, _)| other == key)
                .is_none_or(|(_, other)| other == value)
    })
}

/// A value as it stands in the bundle: a figure that is rounded or turned into another unit stands nowhere.
fn shown(value: f64) -> String {
    match value.abs() {
        v if v >= 1e6 || value.fract() == 0.0 => format!("{value:.0}"),
        _ => value.to_string(),
    }
}

/// What a series is about: kind, namespace, name.
fn object(ctx: &Ctx, series: &Series) -> (&'static str, String, String) {
    const KINDS: [(&str, &str); 13] = [
        ("persistentvolumeclaim", "PersistentVolumeClaim"),
        ("horizontalpodautoscaler", "HorizontalPodAutoscaler"),
        ("pod", "Pod"),
        ("queue", "Queue"),
        ("topic", "Topic"),
        ("consumergroup", "Service"),
        ("deployment", "Deployment"),
        ("service", "Service"),
        ("schedule", "Schedule"),
        ("name", "Object"),
        ("node", "Node"),
        ("instance", "Instance"),
        ("cluster", "Cluster"),
    ];
    let ns = ["exported_namespace", "namespace"]
        .iter()
        .map(|key| label(series, key))
        .find(|ns| !ns.is_empty())
        .unwrap_or_default();
    for (key, kind) in KINDS {
        for key in [format!("exported_{key}"), key.to_owned()] {
            let value = label(series, &key);
            if !value.is_empty() {
                return (kind, ns.to_owned(), value.to_owned());
            }
        }
    }
    // A page scraped from one program: its file names it.
    let path = ctx.path(series.src.file).to_lowercase();
    let pod = ctx
        .cluster
        .pods
        .iter()
        .filter(|pod| contains_word(&path, &pod.name.to_lowercase()) || path.contains(pod.app()))
        .max_by_key(|pod| pod.app().len());
    match pod {
        Some(pod) => ("Pod", pod.ns.clone(), pod.name.clone()),
        None => {
            let path = ctx.path(series.src.file);
            let file = path.rsplit('/').next().unwrap_or_default();
            let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
            ("Instance", ns.to_owned(), stem.to_owned())
        }
    }
}

struct Found<'a> {
    slug: &'a str,
    says: String,
    strength: f64,
    symptom: bool,
    series: &'a Series,
    beside: Option<&'a Series>,
}

fn emit(ctx: &Ctx, found: Found) {
    let (kind, ns, name) = object(ctx, found.series);
    let asked = ctx.is_asked(&name) || ctx.is_asked(app_of(&name));
    let strength = found.strength + if asked { 0.06 } else { 0.0 };
    let who = full_name(&ns, &name);
    let metric = name_of(found.series);
    let of = if metric.is_empty() {
        String::new()
    } else {
        format!(" ({metric})")
    };
    let draft = if found.symptom {
        Draft::symptom(found.slug, kind, &ns, &name, found.strength)
    } else {
        Draft::cause(found.slug, kind, &ns, &name, strength)
    };
    let mut draft = draft
        .says(
            format!("{} {who}: {}", kind.to_lowercase(), found.says),
            format!(
                "The metrics say of {} {who}{of}: {}.",
                kind.to_lowercase(),
                found.says
            ),
        )
        .show(ctx.quote(found.series.src, &name))
        .show(ctx.quote(found.series.last.1, ""));
    if let Some(beside) = found.beside {
        draft = draft.show(ctx.quote(beside.last.1, ""));
    }
    for key in ["pod", "container", "node"] {
        draft = draft.entity(key, label(found.series, key));
    }
    ctx.emit(draft);
}

/// Every series that is a fault.
pub fn detect(ctx: &Ctx) {
    let all = &ctx.cluster.series;
    if all.is_empty() {
        return;
    }
    for share in SHARES {
        shares(ctx, share);
    }
    for series in all {
        let name = name_of(series);
        for alone in ALONE {
            let asks = alone.name.to_ascii_lowercase();
            // An expression may turn a state round (`count(x == 0)`); a size stays a size.
            let named = name == asks
                || name.is_empty()
                    && matches!(alone.when, When::From(_))
                    && series.words.contains(&asks);
            let (key, value) = alone.label;
            if !named || (!key.is_empty() && label(series, key) != value) {
                continue;
            }
            // A condition has a series for each state; only the true one counts.
            if key == "condition" && !matches!(label(series, "status"), "true" | "") {
                continue;
            }
            let now = series.last.0;
            let holds = match alone.when {
                When::From(least) => now.abs() >= least,
                When::Is(state) => now == state,
                When::Grew(least) => now - series.first >= least,
                When::Past => {
                    now > 1e9 && ctx.cluster.clock.is_some_and(|clock| (now as i64) < clock)
                }
            };
            if holds {
                emit(
                    ctx,
                    Found {
                        slug: alone.slug,
                        says: alone.says.replace("{value}", &shown(now)),
                        strength: alone.strength,
                        symptom: alone.symptom,
                        series,
                        beside: None,
                    },
                );
                break;
            }
        }
    }
    queues(ctx);
}

fn shares(ctx: &Ctx, share: &Share) {
    let all = &ctx.cluster.series;
    // The answer to a quotient is the share itself.
    for series in all.iter().filter(|series| {
        name_of(series).is_empty()
            && series.words.contains(share.used)
            && series.words.contains(share.most)
            && series.words.contains('/')
    }) {
        let now = series.last.0;
        let part = if now > 1.5 { now / 100.0 } else { now };
        let part = if share.left && !series.words.contains("1 -") && !series.words.contains("1-") {
            1.0 - part
        } else {
            part
        };
        if (share.from..=1.5).contains(&part) {
            emit(
                ctx,
                Found {
                    slug: share.slug,
                    says: format!("{} (its share is {})", share.says, shown(now)),
                    strength: share.strength,
                    symptom: false,
                    series,
                    beside: None,
                },
            );
        }
    }
    for most in all
        .iter()
        .filter(|series| name_of(series) == share.most && series.last.0 > 0.0)
    {
        let of: Vec<&Series> = all
            .iter()
            .filter(|series| name_of(series) == share.used && same(series, most))
            .collect();
        let Some(largest) = of
            .iter()
            .max_by(|a, b| a.last.0.total_cmp(&b.last.0))
            .copied()
        else {
            continue;
        };
        let used: f64 = if share.sum {
            of.iter().map(|series| series.last.0).sum()
        } else {
            largest.last.0
        };
        let used = if share.left { most.last.0 - used } else { used };
        let part = used / most.last.0;
        if part >= share.from && part < 1.6 {
            emit(
                ctx,
                Found {
                    slug: share.slug,
                    says: format!("{} ({} of {})", share.says, shown(used), shown(most.last.0)),
                    strength: share.strength,
                    symptom: false,
                    series: largest,
                    beside: Some(most),
                },
            );
        }
    }
}

/// Queues that fill and that nobody reads.
fn queues(ctx: &Ctx) {
    const MANY: f64 = 100.0;
    let all = &ctx.cluster.series;
    for readers in all
        .iter()
        .filter(|series| name_of(series) == "rabbitmq_queue_consumers" && series.last.0 == 0.0)
    {
        let waiting = all.iter().find(|series| {
            matches!(
                name_of(series),
                "rabbitmq_queue_messages_ready" | "rabbitmq_queue_messages"
            ) && same(series, readers)
                && series.last.0 >= MANY
        });
        if let Some(waiting) = waiting {
            emit(
                ctx,
                Found {
                    slug: "consumer-lag",
                    says: format!(
                        "{} messages wait and no consumer reads the queue",
                        shown(waiting.last.0)
                    ),
                    strength: 0.78,
                    symptom: false,
                    series: waiting,
                    beside: Some(readers),
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, loudest, run_with};

    #[test]
    fn a_scraped_page_shows_what_is_used_up() {
        let page = "# HELP process_open_fds Number of open file descriptors.\n# TYPE process_open_fds gauge\nprocess_open_fds 1019\n# TYPE process_max_fds gauge\nprocess_max_fds 1024\ngo_goroutines 91\n";
        finds(
            &[("metrics/ledger-0.txt", page)],
            "container-resource-limit",
            "1019 of 1024",
        );
        let calm = page.replace("1019", "40");
        let partial = run_with(&[("metrics/ledger-0.txt", &calm)], None);
        assert!(loudest(&partial) < 0.3);
    }

    #[test]
    fn answers_of_promtool_are_read() {
        let text = "$ promtool query instant http://p:9090 'kubelet_volume_stats_used_bytes / kubelet_volume_stats_capacity_bytes'\n{namespace=\"shop\", persistentvolumeclaim=\"data-pg-0\"} => 0.991 @[1750000000.0]\n{namespace=\"shop\", persistentvolumeclaim=\"data-mq-0\"} => 0.21 @[1750000000.0]\n";
        finds(
            &[("prometheus_volumes.txt", text)],
            "container-disk-full",
            "data-pg-0: the volume is full (its share is 0.991)",
        );
    }

    #[test]
    fn sums_are_compared_with_their_limit() {
        let page = "pg_settings_max_connections{instance=\"pg:9187\"} 100\npg_stat_activity_count{instance=\"pg:9187\",state=\"idle\",datname=\"a\"} 71\npg_stat_activity_count{instance=\"pg:9187\",state=\"active\",datname=\"a\"} 28\n";
        finds(
            &[("pg_exporter.txt", page)],
            "database-connections-used-up",
            "99 of 100",
        );
        let partial = run_with(&[("pg_exporter.txt", &page.replace("71", "7"))], None);
        assert!(loudest(&partial) < 0.3);
    }

    #[test]
    fn a_queue_that_nobody_reads() {
        let page = "rabbitmq_queue_consumers{queue=\"mail\"} 0\nrabbitmq_queue_messages_ready{queue=\"mail\"} 41877\nrabbitmq_queue_consumers{queue=\"x\"} 2\nrabbitmq_queue_messages_ready{queue=\"x\"} 4000\n";
        let files = [("rabbit_metrics.txt", page)];
        finds(&files, "consumer-lag", "mail: 41877 messages");
    }
}
