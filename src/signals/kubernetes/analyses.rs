//! What others already concluded: the bundle's own analysers (Troubleshoot `analysis.json`) and
//! exported alerts (Alertmanager, issue trackers of monitoring tools).

use super::model::*;
use super::time::parse_time;
use super::value::Val;
use crate::bundle::{Entry, Tree};

/// Whether a JSON file is the output of Troubleshoot's analysers.
pub fn is_analysis(rel: &str, head: &[String]) -> bool {
    rel.rsplit('/').next() == Some("analysis.json")
        || head.iter().any(|line| {
            line.contains("\"analyzerSpec\"")
                || line.contains("\"insight\":")
                || line.contains("\"isFail\":")
        })
}

/// Whether a JSON file is a list of alerts about Kubernetes objects.
pub fn is_alerts(tree: &Tree, entry: &Entry) -> bool {
    let (mut subject, mut title) = (false, false);
    let _ = tree.for_each_line(entry, |number, line| {
        subject |= [
            "\"subject_name\"",
            "\"alertname\"",
            "\"involvedObject\"",
            "\"subject_type\"",
        ]
        .iter()
        .any(|key| line.contains(key));
        title |= [
            "\"title\"",
            "\"description\"",
            "\"summary\"",
            "\"message\"",
            "\"aggregation_key\"",
        ]
        .iter()
        .any(|key| line.contains(key));
        !(subject && title) && number < 400
    });
    subject && title
}

/// Reads analysers' results, in the old (`severity`) and new (`isFail`) form.
pub fn read_analysis(cluster: &mut Cluster, file: u32, doc: &Val) {
    for item in doc.items() {
        let insight = item.get("insight");
        let severity = if insight.get("severity").is_null() {
            item.get("severity")
        } else {
            insight.get("severity")
        }
        .text()
        .to_owned();
        let fail = severity == "error" || item.get("isFail").bool() == Some(true);
        let warn = matches!(severity.as_str(), "warn" | "warning")
            || item.get("isWarn").bool() == Some(true);
        if !fail && !warn {
            continue;
        }
        let first = |candidates: &[&Val]| {
            candidates
                .iter()
                .find(|value| !value.text().is_empty())
                .map(|value| (value.text().to_owned(), value.at))
        };
        let (message, at) = first(&[
            insight.get("detail"),
            item.get("message"),
            item.get("error"),
            item.get("name"),
        ])
        .unwrap_or_default();
        let title = first(&[insight.get("primary"), item.get("title"), item.get("name")])
            .unwrap_or_default()
            .0;
        let involved = item.get("involvedObject");
        let object = if involved.is_null() {
            String::new()
        } else {
            format!(
                "{} {}",
                involved.get("kind").text(),
                full_name(
                    involved.get("namespace").text(),
                    involved.get("name").text()
                )
            )
        };
        cluster.analysers.push(Analyser {
            title,
            message: Loc::new(
                message,
                Src {
                    file,
                    line: at.line,
                    column: at.column,
                },
            ),
            fail,
            object,
        });
    }
}

/// Reads Troubleshoot's collected certificates; their dates are judged later by the bundle's clock.
pub fn read_certificates(cluster: &mut Cluster, file: u32, doc: &Val) {
    for item in doc.items() {
        let source = item.get("source");
        let kind = if source.get("secret").is_null() {
            "ConfigMap"
        } else {
            "Secret"
        };
        let name = if kind == "Secret" {
            source.get("secret")
        } else {
            source.get("configMap")
        };
        for certificate in item.get("certificateChain").items() {
            let end = certificate.get("notAfter");
            if let Some(time) = parse_time(end.text()) {
                let src = Src {
                    file,
                    line: end.at.line,
                    column: end.at.column,
                };
                cluster.certificates.push(Certificate {
                    kind: kind.to_owned(),
                    ns: source.get("namespace").text().to_owned(),
                    name: name.text().to_owned(),
                    end: time,
                    text: Loc::new(end.text().to_owned(), src),
                });
            }
        }
    }
}

/// Reads what Troubleshoot could not collect (`*-errors.json`: a list of messages).
pub fn read_errors(cluster: &mut Cluster, file: u32, doc: &Val) {
    for item in doc.items().iter().filter(|item| !item.text().is_empty()) {
        cluster.refusals.push(Refusal {
            message: item.text().to_owned(),
            src: Src {
                file,
                line: item.at.line,
                column: item.at.column,
            },
        });
    }
}

/// Reads alerts as notes about their subjects.
pub fn read_alerts(cluster: &mut Cluster, file: u32, doc: &Val) {
    let list = [
        doc,
        doc.get("data"),
        doc.get("alerts"),
        doc.at_path(&["data", "alerts"]),
        doc.get("items"),
        doc.get("issues"),
    ];
    let Some(items) = list
        .iter()
        .map(|value| value.items())
        .find(|items| !items.is_empty())
    else {
        return;
    };
    for item in items {
        let labels = item.get("labels");
        let any = |keys: &[(&Val, &str)]| {
            keys.iter()
                .map(|(of, key)| of.get(key))
                .find(|value| !value.text().is_empty())
                .cloned()
                .unwrap_or_default()
        };
        if item.at_path(&["status", "state"]).text() == "resolved"
            || item.get("state").text() == "inactive"
        {
            continue;
        }
        let notes = item.get("annotations");
        let name = any(&[
            (item, "subject_name"),
            (labels, "pod"),
            (labels, "pod_name"),
            (labels, "deployment"),
            (labels, "job_name"),
            (labels, "node"),
            (item, "subject"),
        ]);
        let ns = any(&[
            (item, "subject_namespace"),
            (labels, "namespace"),
            (item, "namespace"),
        ]);
        let kind = any(&[(item, "subject_type"), (item, "kind")]);
        let reason = any(&[
            (item, "aggregation_key"),
            (labels, "alertname"),
            (labels, "reason"),
            (item, "reason"),
        ]);
        let words = [
            any(&[(item, "title"), (item, "name")]),
            any(&[
                (item, "description"),
                (item, "message"),
                (notes, "description"),
                (notes, "message"),
                (notes, "summary"),
            ]),
        ];
        let time = any(&[
            (item, "starts_at"),
            (item, "startsAt"),
            (item, "activeAt"),
            (item, "creation_date"),
        ]);
        let time = parse_time(time.text());
        cluster.saw_time(time);
        let title = labels.get("alertname");
        if !title.text().is_empty() {
            let object = [
                "pod",
                "deployment",
                "statefulset",
                "persistentvolumeclaim",
                "job_name",
                "service",
                "node",
                "instance",
                "container",
                "job",
            ]
            .iter()
            .map(|key| labels.get(key).text())
            .find(|text| !text.is_empty())
            .unwrap_or_default();
            let said = words.iter().rev().find(|text| !text.text().is_empty());
            let place = |value: &Val| Src {
                file,
                line: value.at.line,
                column: value.at.column,
            };
            cluster.alerts.push(Alert {
                name: title.text().to_owned(),
                severity: labels.get("severity").text().to_ascii_lowercase(),
                ns: ns.text().to_owned(),
                object: object.to_owned(),
                words: said.map_or_else(
                    || Loc::new(String::new(), place(title)),
                    |text| Loc::new(text.text().to_owned(), place(text)),
                ),
                src: place(title),
                labels: ["pod", "node", "deployment", "container", "namespace"]
                    .iter()
                    .filter(|key| !labels.get(key).text().is_empty())
                    .map(|key| ((*key).to_owned(), labels.get(key).text().to_owned()))
                    .collect(),
                silenced: item.at_path(&["status", "state"]).text() == "suppressed"
                    || !item.at_path(&["status", "silencedBy"]).items().is_empty()
                    || !item.get("silencedBy").items().is_empty(),
            });
        }
        for text in words.iter().filter(|text| !text.text().is_empty()) {
            cluster.notes.push(Note {
                kind: super::table::kind_name(kind.text()),
                ns: ns.text().to_owned(),
                name: name.text().to_owned(),
                reason: reason.text().to_owned(),
                message: text.text().to_owned(),
                src: Src {
                    file,
                    line: text.at.line,
                    column: text.at.column,
                },
                time,
                count: 1,
                warning: true,
                current: true,
                quiet: matches!(
                    labels.get("severity").text().to_ascii_lowercase().as_str(),
                    "info" | "none" | "debug" | "information"
                ),
                ..Note::default()
            });
        }
    }
}
