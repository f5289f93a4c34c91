//! Distributed traces (Tempo, Jaeger, OpenTelemetry) and results of Prometheus queries: what waits for
//! what, and series whose value is a fault by itself.

use super::emit::{Ctx, Draft};
use super::model::*;
use super::value::{Node as N, Val};

/// Most spans remembered of one file.
const MAX_SPANS: usize = 50_000;
/// Most series remembered of one file.
const MAX_SERIES: usize = 5_000;
/// A span of at least this many milliseconds is slow.
const SLOW_MS: f64 = 500.0;

/// Whether the beginning of a JSON file looks like traces.
pub fn is_trace(head: &[String]) -> bool {
    let any = |words: &[&str]| {
        head.iter()
            .any(|line| words.iter().any(|word| line.contains(word)))
    };
    any(&[
        "\"traceID\"",
        "\"traceId\"",
        "\"trace_id\"",
        "\"resourceSpans\"",
        "\"spanSets\"",
        "\"spanSet\"",
        "\"scopeSpans\"",
        "\"batches\"",
    ]) && (any(&[
        "\"spans\"",
        "\"spanID\"",
        "\"spanId\"",
        "\"rootServiceName\"",
        "\"duration",
        "\"startTimeUnixNano\"",
        "Spans\"",
    ]) || head.len() > 25)
}

/// Whether the beginning of a JSON file looks like the answer to a Prometheus query.
pub fn is_query(head: &[String]) -> bool {
    head.iter().any(|line| line.contains("\"resultType\""))
        || head.iter().any(|line| line.contains("\"metric\""))
            && head.iter().any(|line| line.contains("\"value"))
}

struct Walk<'a> {
    file: u32,
    spans: &'a mut Vec<Span>,
}

impl Walk<'_> {
    fn visit(&mut self, val: &Val, service: &str, processes: &Val, depth: usize) {
        if depth > 24 || self.spans.len() >= MAX_SPANS {
            return;
        }
        match &val.node {
            N::List(items) => items
                .iter()
                .for_each(|item| self.visit(item, service, processes, depth + 1)),
            N::Map(members) => {
                let own = service_of(val, processes);
                let service = if own.is_empty() {
                    service.to_owned()
                } else {
                    own
                };
                let processes = if val.get("processes").is_null() {
                    processes
                } else {
                    val.get("processes")
                };
                self.span(val, &service);
                for (key, value) in members {
                    if !matches!(
                        key.as_str(),
                        "attributes" | "tags" | "logs" | "events" | "links"
                    ) {
                        self.visit(value, &service, processes, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }

    fn span(&mut self, val: &Val, service: &str) {
        let name = [
            val.get("name"),
            val.get("operationName"),
            val.get("rootTraceName"),
        ]
        .into_iter()
        .find(|value| !value.text().is_empty());
        let id = ["spanID", "spanId", "span_id"]
            .iter()
            .map(|key| val.get(key).scalar())
            .find(|text| !text.is_empty())
            .unwrap_or_default();
        let Some(name) = name else { return };
        let number = |value: &Val| value.scalar().parse::<f64>().ok();
        let (start, end) = (
            number(val.get("startTimeUnixNano")),
            number(val.get("endTimeUnixNano")),
        );
        let took = number(val.get("durationNanos"))
            .map(|ns| (ns / 1e6, val.get("durationNanos").at))
            .or_else(|| {
                number(val.get("durationMs"))
                    .or_else(|| number(val.get("duration_ms")))
                    .map(|ms| (ms, val.get("durationMs").at))
            })
            .or_else(|| {
                start
                    .zip(end)
                    .map(|(a, b)| ((b - a) / 1e6, val.get("endTimeUnixNano").at))
            })
            .or_else(|| number(val.get("duration")).map(|us| (us / 1e3, val.get("duration").at)));
        let Some((ms, at)) = took else { return };
        let status = val.get("status");
        let tag = |key: &str| {
            val.get("tags")
                .items()
                .iter()
                .chain(val.get("attributes").items())
                .find(|tag| tag.get("key").text() == key)
                .map(|tag| {
                    if tag.get("value").scalar().is_empty() {
                        tag.get("value")
                            .members()
                            .first()
                            .map(|(_, value)| value.scalar())
                            .unwrap_or_default()
                    } else {
                        tag.get("value").scalar()
                    }
                })
                .unwrap_or_default()
        };
        let failed = matches!(
            status.get("code").scalar().as_str(),
            "2" | "STATUS_CODE_ERROR"
        ) || tag("error") == "true"
            || val.get("status").text() == "error";
        let statement = [
            tag("db.statement"),
            tag("db.query.text"),
            tag("http.url"),
            tag("url.full"),
        ]
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default();
        let parent = ["parentSpanId", "parentSpanID", "parent_span_id"]
            .iter()
            .map(|key| val.get(key).scalar())
            .find(|text| !text.is_empty())
            .or_else(|| {
                val.get("references")
                    .items()
                    .first()
                    .map(|reference| reference.get("spanID").scalar())
            })
            .unwrap_or_default();
        let service = [
            val.get("serviceName"),
            val.get("service"),
            val.get("rootServiceName"),
        ]
        .into_iter()
        .find(|value| !value.text().is_empty())
        .map_or(service, Val::text);
        let src = |at: super::value::At| Src {
            file: self.file,
            line: at.line,
            column: at.column,
        };
        self.spans.push(Span {
            id,
            parent,
            service: service.to_owned(),
            name: name.text().to_owned(),
            statement,
            message: status.get("message").text().to_owned(),
            ms,
            failed,
            src: src(name.at),
            took: src(if at.line > 0 { at } else { name.at }),
        });
    }
}

/// The service of an OTLP resource or a Jaeger process.
fn service_of(val: &Val, processes: &Val) -> String {
    for attribute in val.at_path(&["resource", "attributes"]).items() {
        if attribute.get("key").text() == "service.name" {
            return attribute
                .at_path(&["value", "stringValue"])
                .text()
                .to_owned();
        }
    }
    let id = val.get("processID").text();
    if id.is_empty() {
        String::new()
    } else {
        processes.at_path(&[id, "serviceName"]).text().to_owned()
    }
}

/// Reads the spans of a file.
pub fn read_traces(cluster: &mut Cluster, file: u32, doc: &Val) {
    let none = Val::default();
    let mut spans = Vec::new();
    Walk {
        file,
        spans: &mut spans,
    }
    .visit(doc, "", &none, 0);
    cluster.spans.extend(spans);
}

/// Reads the series of a file, wherever in it they are.
pub fn read_series(cluster: &mut Cluster, file: u32, doc: &Val, words: &str) {
    let mut todo = vec![(doc, words.to_ascii_lowercase())];
    let mut seen = 0;
    while let Some((val, words)) = todo.pop() {
        if let N::List(items) = &val.node {
            todo.extend(items.iter().map(|item| (item, words.clone())));
        }
        if let N::Map(members) = &val.node {
            let metric = val.get("metric");
            let points: Vec<&Val> = if val.get("values").is_null() {
                vec![val.get("value")]
            } else {
                val.get("values").items().iter().collect()
            };
            let numbers: Vec<(f64, super::value::At)> = points
                .iter()
                .filter_map(|point| {
                    let last = point.items().last()?;
                    Some((
                        last.scalar()
                            .parse::<f64>()
                            .ok()
                            .filter(|number| number.is_finite())?,
                        last.at,
                    ))
                })
                .collect();
            if !metric.is_null() && !numbers.is_empty() && seen < MAX_SERIES {
                seen += 1;
                let labels: Labels = metric
                    .members()
                    .iter()
                    .map(|(key, value)| (key.clone(), value.scalar()))
                    .collect();
                let place = |at: super::value::At| Src {
                    file,
                    line: at.line,
                    column: at.column,
                };
                cluster.series.push(Series {
                    words: format!(
                        "{} {words}",
                        metric.get("__name__").text().to_ascii_lowercase()
                    ),
                    src: place(if metric.members().is_empty() {
                        metric.at
                    } else {
                        metric.members()[0].1.at
                    }),
                    last: numbers
                        .last()
                        .map_or((0.0, Src::default()), |(number, at)| (*number, place(*at))),
                    first: numbers.first().map_or(0.0, |(number, _)| *number),
                    highest: numbers
                        .iter()
                        .map(|(number, _)| *number)
                        .fold(f64::MIN, f64::max),
                    labels,
                });
                continue;
            }
            let query = ["query", "promql", "expr", "description", "tool_name"]
                .iter()
                .map(|key| val.get(key).text())
                .collect::<Vec<_>>()
                .join(" ")
                .to_ascii_lowercase();
            let words = if query.trim().is_empty() {
                words
            } else {
                format!("{words} {query}")
            };
            todo.extend(members.iter().map(|(_, value)| (value, words.clone())));
        }
    }
}

/// Slow and failing spans, telling series.
pub fn detect(ctx: &Ctx) {
    slow_span(ctx);
    failed_span(ctx);
    for series in &ctx.cluster.series {
        of_series(ctx, series);
    }
}

fn span_words(span: &Span) -> String {
    match (span.service.is_empty(), span.statement.is_empty()) {
        (true, true) => span.name.clone(),
        (false, true) => format!("{} of {}", span.name, span.service),
        (true, false) => format!("{} ({})", span.name, span.statement),
        (false, false) => format!("{} of {} ({})", span.name, span.service, span.statement),
    }
}

/// The innermost span in which the time goes.
fn slow_span(ctx: &Ctx) {
    let spans = &ctx.cluster.spans;
    let Some(longest) = spans
        .iter()
        .max_by(|a, b| a.ms.total_cmp(&b.ms))
        .filter(|span| span.ms >= SLOW_MS)
    else {
        return;
    };
    let mut children: std::collections::HashMap<&str, f64> = std::collections::HashMap::new();
    for span in spans.iter().filter(|span| !span.parent.is_empty()) {
        *children.entry(span.parent.as_str()).or_default() += span.ms;
    }
    // With parents known the span that spends its time itself; else the shortest of those that take nearly all of it.
    let own = |span: &Span| {
        span.ms
            - children
                .get(span.id.as_str())
                .copied()
                .unwrap_or(0.0)
                .min(span.ms)
    };
    // The summary of a whole trace has no id of its own; where there are spans it says nothing more.
    let has_ids = spans.iter().any(|span| !span.id.is_empty());
    let near: Vec<&Span> = spans
        .iter()
        .filter(|span| span.ms >= longest.ms * 0.5 && (!has_ids || !span.id.is_empty()))
        .collect();
    let inner = if children.is_empty() {
        near.iter()
            .min_by(|a, b| a.ms.total_cmp(&b.ms).then(b.src.cmp(&a.src)))
    } else {
        near.iter()
            .max_by(|a, b| own(a).total_cmp(&own(b)).then(b.src.cmp(&a.src)))
    };
    let Some(inner) = inner else { return };
    let wanted = [
        "slow",
        "latency",
        "second",
        "timeout",
        "performance",
        "delay",
        "long",
        "hang",
    ]
    .iter()
    .any(|word| ctx.speaks(word));
    // A write of a few rows takes long when it waits for somebody else, and who that is the database knows, of
    // which nothing is in the bundle. A read takes long by itself: it is the answer.
    let outside = is_query_span(inner) && is_write(inner) && !has_database(ctx);
    let strength = if outside {
        OUTSIDE
    } else if wanted {
        0.8
    } else if longest.ms >= 2_000.0 {
        0.62
    } else {
        0.45
    };
    let draft = if outside {
        Draft::symptom("trace-slow-span", "Service", "", &inner.service, strength)
    } else {
        Draft::cause("trace-slow-span", "Service", "", &inner.service, strength)
    };
    let draft = draft
        .says(
            format!("the time is spent in {}: {:.2} s of {:.2} s", span_words(inner), inner.ms / 1e3, longest.ms / 1e3),
            format!("The slowest trace takes {:.2} s ({}); most of it is spent in {}, which takes {:.2} s.", longest.ms / 1e3, span_words(longest), span_words(inner), inner.ms / 1e3),
        )
        .show(ctx.quote(inner.src, &inner.name))
        .show(ctx.quote(inner.took, ""))
        .show(ctx.quote(longest.took, ""));
    ctx.emit(draft);
    if outside {
        ctx.ask(
            "activity and locks of the database at that time (PostgreSQL: pg_stat_activity, pg_locks; MySQL: SHOW PROCESSLIST, INNODB STATUS), its slow query log, and the plan of the query (EXPLAIN)",
            format!("the time passes inside {}; whether it waits for a lock, reads too much or the disk is slow is known to the database only, and nothing of it is in the bundle", span_words(inner)),
            None,
        );
    }
}

/// Most that a slow call to something outside of the bundle is worth.
const OUTSIDE: f64 = 0.45;

/// Whether a span is a call to a database.
fn is_query_span(span: &Span) -> bool {
    let name = format!("{} {}", span.name, span.statement).to_lowercase();
    [
        "select ", "insert", "update ", "delete ", "query", "pg.", "sql", "jdbc", "mongo", "db.",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// Whether a query changes rows.
fn is_write(span: &Span) -> bool {
    let text = format!("{} {}", span.name, span.statement).to_lowercase();
    ["insert", "update ", "delete ", "merge ", "upsert", "commit"]
        .iter()
        .any(|word| text.contains(word))
}

/// Whether a log of a database is in the bundle.
fn has_database(ctx: &Ctx) -> bool {
    ctx.cluster.logs.iter().any(|log| {
        !log.empty
            && [
                "postgres",
                "pg-",
                "-pg",
                "mysql",
                "maria",
                "mongo",
                "-db",
                "db-",
                "sql",
                "cockroach",
                "oracle",
            ]
            .iter()
            .any(|word| log.pod.contains(word))
    })
}

/// The innermost span that failed.
fn failed_span(ctx: &Ctx) {
    let spans = &ctx.cluster.spans;
    let parents: std::collections::HashSet<&str> = spans
        .iter()
        .filter(|span| span.failed)
        .map(|span| span.parent.as_str())
        .collect();
    let Some(span) = spans
        .iter()
        .find(|span| span.failed && !parents.contains(span.id.as_str()))
    else {
        return;
    };
    let count = spans
        .iter()
        .filter(|other| other.failed && other.name == span.name && other.service == span.service)
        .count();
    let words = if span.message.is_empty() {
        String::new()
    } else {
        format!(": {}", span.message)
    };
    let draft = Draft::cause(
        "trace-failed-span",
        "Service",
        "",
        &span.service,
        if count * 2 >= spans.len().min(40) || !ctx.ticket.is_empty() {
            0.62
        } else {
            0.46
        },
    )
    .says(
        format!("{} fails{words}", span_words(span)),
        format!(
            "In the traces {} fails {count} times{words}; the spans above it fail because of it.",
            span_words(span)
        ),
    )
    .show(ctx.quote(span.src, &span.name))
    .show(ctx.quote(span.took, ""));
    ctx.emit(draft);
}

fn of_series(ctx: &Ctx, series: &Series) {
    let label = |key: &str| {
        series
            .labels
            .iter()
            .find(|(name, _)| name == key)
            .map_or("", |(_, value)| value.as_str())
    };
    let words = series.words.as_str();
    let has = |text: &str| words.contains(text);
    let (value, high) = (series.last.0, series.highest);
    let object = [
        "pod",
        "service",
        "job",
        "deployment",
        "consumergroup",
        "persistentvolumeclaim",
        "instance",
        "container",
        "node",
    ]
    .iter()
    .map(|key| label(key))
    .find(|text| !text.is_empty())
    .unwrap_or_default();
    let ns = label("namespace");
    let found = if has("throttl") && (0.25..=100.0).contains(&high) {
        Some((
            "cpu-throttled",
            format!(
                "its CPU is throttled: up to {:.0} % of its periods",
                if high <= 1.0 { high * 100.0 } else { high }
            ),
            0.74,
        ))
    } else if (has("_lag") || has("lag{") || has("consumergroup_lag"))
        && value >= 1_000.0
        && value >= series.first
    {
        Some((
            "consumer-lag",
            format!(
                "its consumer lag is {value:.0} and grows from {:.0}",
                series.first
            ),
            0.72,
        ))
    } else if words.starts_with("up ") && value == 0.0 {
        Some((
            "target-down",
            "Prometheus cannot scrape it (up is 0)".to_owned(),
            0.56,
        ))
    } else if (has("kubelet_volume_stats_available") || has("filesystem_avail"))
        && (0.0..0.05).contains(&value)
    {
        Some((
            "container-disk-full",
            format!("only {:.1} % of its disk or volume is free", value * 100.0),
            0.7,
        ))
    } else if has("oom_events") && value > 0.0
        || has("last_terminated_reason") && label("reason") == "OOMKilled" && value > 0.0
    {
        Some(("container-oom-killed", "it was OOM-killed".to_owned(), 0.66))
    } else if has("restarts") && value - series.first >= 3.0 {
        return symptom(ctx, series, object, ns);
    } else {
        None
    };
    let Some((slug, says, strength)) = found else {
        return;
    };
    let kind = if label("pod").is_empty() {
        "Service"
    } else {
        "Pod"
    };
    let name = full_name(ns, object);
    let asked = ctx.in_ticket(object) || ctx.in_ticket(app_of(object));
    let draft = Draft::cause(
        slug,
        kind,
        ns,
        object,
        strength + if asked { 0.1 } else { 0.0 },
    )
    .says(
        format!("{name}: {says}"),
        format!("The metrics show of {name}: {says}."),
    )
    .show(ctx.quote(series.src, ""))
    .show(ctx.quote(series.last.1, ""));
    ctx.emit(draft);
}

fn symptom(ctx: &Ctx, series: &Series, object: &str, ns: &str) {
    let name = full_name(ns, object);
    let draft = Draft::symptom("pod-crash-loop", "Pod", ns, object, 0.45)
        .says(
            format!("{name} restarts again and again"),
            format!(
                "The metrics show that {name} was restarted {:.0} times in the time shown.",
                series.last.0 - series.first
            ),
        )
        .show(ctx.quote(series.src, object))
        .show(ctx.quote(series.last.1, ""));
    ctx.emit(draft);
}
