//! Records of a log store (Loki, Elasticsearch, OpenSearch, Datadog, …) on one single line of JSON: taken apart,
//! because a line is otherwise the smallest thing that is read.

use super::emit::{Ctx, Draft, cut, full_name_words, with_pod};
use super::lastwords::{self, REMARK};
use super::model::*;
use super::shapes::{is_side_channel, shape_of};
use super::value::{At, Node as N, Val};
use std::collections::HashMap;

/// Most records remembered of a bundle.
const MOST: usize = 20_000;
/// Longest record, in characters.
const MAX_CHARS: usize = 2_000;

/// One record.
#[derive(Debug, Clone, Default)]
pub struct Record {
    ns: String,
    pod: String,
    container: String,
    text: String,
    src: Src,
}

/// Whether the beginning of a file is such a document on few lines.
pub fn is_store(head: &[String]) -> bool {
    let all: String = head.concat();
    head.len() <= 5
        && (all.contains("\"streams\"")
            || all.contains("\"_shards\"") && all.contains("\"hits\"")
            || all.contains("\"stream\":") && all.contains("\"values\"")
            || all.contains("\"attributes\"")
                && (all.contains("\"type\":\"log\"") || all.contains("\"type\": \"log\"")))
}

/// Who a record is of.
#[derive(Clone, Default)]
struct Who {
    ns: String,
    pod: String,
    container: String,
}

impl Who {
    fn with(&self, val: &Val) -> Self {
        let pick = |keys: &[&[&str]], known: &str| {
            keys.iter()
                .map(|path| val.at_path(path).text())
                .find(|text| !text.is_empty())
                .unwrap_or(known)
                .to_owned()
        };
        Self {
            ns: pick(
                &[
                    &["namespace"],
                    &["kubernetes", "namespace_name"],
                    &["kubernetes", "namespace"],
                    &["namespace_name"],
                    &["kube_namespace"],
                ],
                &self.ns,
            ),
            pod: pick(
                &[
                    &["pod"],
                    &["pod_name"],
                    &["kubernetes", "pod_name"],
                    &["kubernetes", "pod", "name"],
                    &["app"],
                    &["service"],
                    &["service_name"],
                    &["host"],
                ],
                &self.pod,
            ),
            container: pick(
                &[
                    &["container"],
                    &["container_name"],
                    &["kubernetes", "container_name"],
                ],
                &self.container,
            ),
        }
    }
}

/// Takes the records of a document.
pub fn read(cluster: &mut Cluster, file: u32, doc: &Val) {
    let mut todo = vec![(doc, Who::default())];
    while let Some((val, who)) = todo.pop() {
        if cluster.records.len() >= MOST {
            return;
        }
        match &val.node {
            N::List(items) => todo.extend(items.iter().rev().map(|item| (item, who.clone()))),
            N::Map(members) => {
                let own = who.with(val);
                let stream = val.get("stream");
                if !stream.is_null() && !val.get("values").is_null() {
                    let own = own.with(stream);
                    for pair in val.get("values").items() {
                        if let Some(line) = pair.items().get(1) {
                            push(cluster, file, &own, line.text(), line.at);
                        }
                    }
                    continue;
                }
                let text = ["message", "log", "msg", "line", "_raw"]
                    .iter()
                    .map(|key| val.get(key))
                    .find(|value| !value.text().is_empty());
                if let Some(text) = text {
                    let level = ["level", "severity", "status", "levelname"]
                        .iter()
                        .map(|key| val.get(key).text())
                        .find(|level| !level.is_empty());
                    let line = match level {
                        Some(level) => format!("{} {}", level.to_uppercase(), text.text()),
                        None => text.text().to_owned(),
                    };
                    push(cluster, file, &own, &line, text.at);
                    continue;
                }
                todo.extend(members.iter().rev().map(|(_, value)| (value, own.clone())));
            }
            _ => {}
        }
    }
}

fn push(cluster: &mut Cluster, file: u32, who: &Who, text: &str, at: At) {
    if text.trim().is_empty() || cluster.records.len() >= MOST {
        return;
    }
    cluster.records.push(Record {
        ns: who.ns.clone(),
        pod: who.pod.clone(),
        container: who.container.clone(),
        text: text.chars().take(MAX_CHARS).collect(),
        src: Src {
            file,
            line: at.line,
            column: at.column,
        },
    });
}

/// The two most telling faults of each program.
pub fn detect(ctx: &Ctx) {
    type Key<'a> = (&'a str, &'a str, String);
    let mut found: HashMap<Key, (lastwords::Judged, usize, &Record)> = HashMap::new();
    for record in &ctx.cluster.records {
        let Some(judged) = lastwords::judge(&record.text).filter(|judged| judged.weight > REMARK)
        else {
            continue;
        };
        let key = (
            record.ns.as_str(),
            record.pod.as_str(),
            shape_of(&record.text),
        );
        found
            .entry(key)
            .and_modify(|(_, count, _)| *count += 1)
            .or_insert((judged, 1, record));
    }
    let mut ranked: Vec<_> = found
        .into_values()
        .map(|(judged, count, record)| {
            let asked = ctx.is_asked(&record.pod) || ctx.is_asked(app_of(&record.pod));
            let quoted = ctx
                .focus
                .quotes()
                .iter()
                .any(|quote| record.text.to_lowercase().contains(quote.as_str()));
            let shared = ctx.shared_words(&record.text);
            let mut score = 0.28 + 0.3 * (judged.weight - 0.4);
            score += if asked || quoted { 0.2 } else { 0.08 };
            score += if shared >= 2 { 0.16 } else { 0.0 };
            score += if count >= 3 { 0.06 } else { 0.0 };
            if is_side_channel(&judged.text) {
                score -= 0.2;
            }
            (score.clamp(0.05, 0.8), judged, count, record)
        })
        .collect();
    ranked.sort_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then(b.2.cmp(&a.2))
            .then(a.3.src.cmp(&b.3.src))
    });
    let mut told: HashMap<(&str, &str), Vec<&str>> = HashMap::new();
    for (score, judged, count, record) in &ranked {
        let of = told
            .entry((record.ns.as_str(), record.pod.as_str()))
            .or_default();
        if of.len() >= 2 || of.contains(&judged.slug) || *score < 0.2 {
            continue;
        }
        of.push(judged.slug);
        let slug = if judged.slug == "application-exception" {
            "application-error"
        } else {
            lastwords::as_system(&record.pod, judged.slug)
        };
        let headline = if slug == "application-error" {
            "its log reports a failure"
        } else {
            judged.headline.as_str()
        };
        let name = if record.pod.is_empty() {
            "a program of this log"
        } else {
            record.pod.as_str()
        };
        let who = full_name_words(&record.ns, name, &record.container);
        let times = if *count > 1 {
            format!(" ({count} times)")
        } else {
            String::new()
        };
        let draft = Draft::cause(slug, "Pod", &record.ns, name, *score)
            .says(
                format!("{who}: {headline} — {}", cut(&judged.text, 120)),
                format!(
                    "{who}: {headline}. The log store holds{times}: {}.",
                    cut(judged.text.trim_end_matches('.'), 300)
                ),
            )
            .show(ctx.quote(record.src, &record.text))
            .entity("container", &record.container)
            .entity("dependency", &judged.what);
        let draft = match ctx.cluster.pod(&record.ns, &record.pod) {
            Some(pod) => with_pod(draft, pod, &record.container),
            None => draft,
        };
        ctx.emit(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{finds, loudest, run_with};

    #[test]
    fn records_on_one_line_are_taken_apart() {
        let lines: Vec<String> = (10..30)
            .map(|n| format!(r#"["17460{n}000000000","level=error msg=\"charge failed\" err=\"dial tcp: lookup bank-gw.pay.svc on 10.96.0.10:53: no such host\""]"#))
            .collect();
        let loki = format!(
            r#"{{"status":"success","data":{{"resultType":"streams","result":[{{"stream":{{"namespace":"pay","pod":"charge-6958c5bdd8-69gtn","container":"charge"}},"values":[{}]}}]}}}}"#,
            lines.join(",")
        );
        finds(
            &[("loki_query.json", loki.as_str())],
            "dependency-name-unresolved",
            "bank-gw.pay.svc",
        );
        let calm = loki
            .replace("level=error", "level=info")
            .replace("charge failed", "charged")
            .replace(
                "dial tcp: lookup bank-gw.pay.svc on 10.96.0.10:53: no such host",
                "none",
            );
        assert!(loudest(&run_with(&[("loki_query.json", calm.as_str())], None)) < 0.3);
    }
}
