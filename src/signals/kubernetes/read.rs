//! Walks the bundle and reads whatever holds Kubernetes objects, tables, pages and logs. Files are
//! recognised by their content; paths only help where the content is silent.

use super::model::*;
use super::places::{KINDS, is_uninteresting, kind_of_path, namespace_of_path, settle_namespaces};
use super::value::{Val, parse_json};
use super::{analyses, describe, lag, logs, objects, outputs, pages, table, traces, yaml};
use crate::bundle::{Entry, FileKind, Tree};
use crate::profile::{Name, Profile};
use crate::report::NotExamined;
use std::collections::BTreeSet;

/// Lines looked at to recognise a file.
const HEAD_LINES: usize = 30;
/// A larger text file is taken for a log without looking for tables and pages in it.
const MAX_TABLE_BYTES: u64 = 16 << 20;
/// Sum of bytes of JSON and YAML parsed; what comes after it is not examined.
const MAX_PARSED_BYTES: u64 = 1 << 30;

/// What was read and what was not.
#[derive(Debug, Default)]
pub struct Reading {
    /// The picture.
    pub cluster: Cluster,
    /// Files that could not be read.
    pub not_examined: Vec<NotExamined>,
}

/// Reads the whole bundle.
pub fn read(tree: &Tree, profile: &Profile) -> Reading {
    let mut reader = Reader {
        tree,
        profile,
        reading: Reading::default(),
        log_files: Vec::new(),
        parsed: 0,
        broken: Vec::new(),
        skipped: 0,
        first_skipped: None,
    };
    // Details first, then tables: a row completes a pod whose page or object was read.
    for entry in tree.files() {
        reader.file(entry);
    }
    let Reader {
        mut reading,
        log_files,
        broken,
        skipped,
        first_skipped,
        ..
    } = reader;
    settle_namespaces(&mut reading.cluster);
    let host_report = super::is_host_report(tree, profile, &reading.cluster);
    logs::attach(tree, &mut reading.cluster, &log_files, host_report);
    let clock = reading.cluster.clock;
    for note in &mut reading.cluster.notes {
        if note.age.is_none() && !note.current {
            note.age = clock
                .zip(note.time)
                .map(|(clock, time)| (clock - time).max(0));
        }
    }
    for (path, why) in broken.into_iter().take(20) {
        reading.not_examined.push(NotExamined { what: path, why });
    }
    if skipped > 0 {
        reading.not_examined.push(NotExamined {
            what: format!(
                "{} as Kubernetes objects{}",
                first_skipped.unwrap_or_default(),
                match skipped - 1 {
                    0 => String::new(),
                    more => format!(" and {more} more files"),
                }
            ),
            why: format!(
                "a file over {} MiB, or all together over {} MiB, is searched but not parsed",
                crate::bundle::tree::MAX_TEXT_BYTES >> 20,
                MAX_PARSED_BYTES >> 20
            ),
        });
    }
    reading
}

struct Reader<'a> {
    tree: &'a Tree,
    profile: &'a Profile,
    reading: Reading,
    log_files: Vec<(u32, String)>,
    parsed: u64,
    broken: Vec<(String, String)>,
    skipped: usize,
    first_skipped: Option<String>,
}

impl Reader<'_> {
    fn file(&mut self, entry: &Entry) {
        let rel = self.tree.rel(entry).to_owned();
        if matches!(
            entry.kind,
            FileKind::Binary | FileKind::Archive | FileKind::Link
        ) || self.is_foreign(entry.path.as_str(), &rel)
        {
            return;
        }
        let name = entry.path.name().to_ascii_lowercase();
        let is_log_place = logs::is_log_path(&rel);
        if entry.kind == FileKind::Empty {
            if is_log_place {
                self.push_log(entry);
            }
            return;
        }
        let mut head: Vec<String> = Vec::new();
        let read = self.tree.for_each_line(entry, |number, line| {
            head.push(line.chars().take(300).collect());
            number < HEAD_LINES
        });
        if read.is_err() || head.is_empty() {
            return;
        }
        // People put the command or query that gave it above a piece of JSON.
        let first = head
            .iter()
            .find(|line| !line.trim().is_empty() && !is_caption(line))
            .map(|line| line.trim_start().to_owned())
            .unwrap_or_default();
        // `{pod="a"} => 1` and `[+]ping ok` only begin like it.
        let looks_json = (first.starts_with('{') || first.starts_with('['))
            && !first.contains("} =>")
            && !["[+]", "[-]"].iter().any(|mark| first.starts_with(mark))
            && (entry.kind == FileKind::Json
                || name.ends_with(".json")
                || head.len() > 1
                || !is_log_place);
        if looks_json && (!is_log_place || super::records::is_store(&head)) {
            self.json(entry, &rel, &head);
        } else if head.iter().any(|line| {
            line.starts_with("apiVersion:")
                || line.starts_with("kind:")
                || line.starts_with("- apiVersion:")
        }) && !is_log_line(&first)
        {
            self.yaml(entry, &rel);
        } else if entry.bytes > MAX_TABLE_BYTES {
            if is_log_place {
                self.push_log(entry);
            }
        } else {
            self.text(entry, &rel, is_log_place);
        }
    }

    /// In host reports only what belongs to Kubernetes is read here.
    fn is_foreign(&self, path: &str, rel: &str) -> bool {
        let inside_kubectl = |path: &str| {
            let lower = path.to_ascii_lowercase();
            [
                "kube",
                "k8s",
                "openshift",
                "rke2",
                "k3s",
                "pods",
                "var/log/containers",
                "microk8s",
                "crictl",
            ]
            .iter()
            .any(|word| lower.contains(word))
        };
        match self.profile.name {
            Name::Sosreport | Name::Supportconfig => {
                !inside_kubectl(rel)
                    && !self.profile.also.iter().any(|layout| {
                        layout.name == Name::KubectlOutputs
                            && path.starts_with(&layout.root)
                            && !rel.starts_with("sos_")
                    })
                    || rel.starts_with("usr/")
                    || rel.starts_with("lib/")
                    || rel.starts_with("proc/")
                    || rel.starts_with("sys/")
            }
            _ => false,
        }
    }

    fn file_id(&mut self, entry: &Entry) -> u32 {
        let files = &mut self.reading.cluster.files;
        files.push(entry.path.as_str().to_owned());
        u32::try_from(files.len() - 1).unwrap_or(u32::MAX)
    }

    fn push_log(&mut self, entry: &Entry) {
        let id = self.file_id(entry);
        self.log_files.push((id, self.tree.rel(entry).to_owned()));
    }

    fn json(&mut self, entry: &Entry, rel: &str, head: &[String]) {
        let name = entry.path.name();
        let (kind, ns) = kind_of_path(rel);
        let is_object = head
            .iter()
            .any(|line| line.contains("\"apiVersion\"") || line.contains("\"kind\""));
        let is_analysis = analyses::is_analysis(rel, head);
        let is_alerts = !is_object && !is_analysis && analyses::is_alerts(self.tree, entry);
        let is_certificates = rel.ends_with("certificates/certificates.json");
        let is_errors = rel.ends_with("-errors.json") && rel.contains("cluster-resources/");
        let is_version = name == "cluster_version.json"
            || head.iter().any(|line| line.contains("\"gitVersion\""));
        let is_trace = !is_object && traces::is_trace(head);
        let is_query = !is_object && !is_trace && traces::is_query(head);
        let is_cloud = !is_object && kind.is_none() && super::clouds::is_answer(head);
        // Records of a log store (Loki, OpenSearch, Elasticsearch, …), one value a line.
        let is_records = !is_object
            && entry.kind != FileKind::Empty
            && head.len() > 5
            && head.iter().any(|line| {
                [
                    "\"streams\"",
                    "\"_source\"",
                    "\"hits\"",
                    "\"logs\"",
                    "\"log\":",
                    "\"line\":",
                    "\"message\":",
                ]
                .iter()
                .any(|key| line.contains(key))
            })
            && !is_alerts
            && !is_cloud
            && !is_analysis;
        if is_records {
            self.push_log(entry);
            return;
        }
        let is_lag = !is_object
            && head
                .iter()
                .any(|line| line.contains("lag\":") || line.contains("Lag\":"));
        let is_store = !is_object && kind.is_none() && super::records::is_store(head);
        if !(is_object
            || is_store
            || is_trace
            || is_query
            || is_lag
            || is_cloud
            || is_analysis
            || is_alerts
            || is_version
            || is_certificates
            || is_errors
            || kind.is_some())
            || is_uninteresting(rel)
        {
            return;
        }
        let Some(text) = self.budgeted(entry) else {
            return;
        };
        let (caption, body) = without_caption(text.as_str());
        let doc = match parse_json(&body) {
            Ok(doc) => doc,
            Err(why) => {
                self.broken.push((
                    entry.path.as_str().to_owned(),
                    format!("not readable as JSON: {why}"),
                ));
                return;
            }
        };
        let id = self.file_id(entry);
        let cluster = &mut self.reading.cluster;
        if is_store {
            super::records::read(cluster, id, &doc);
        } else if is_analysis {
            analyses::read_analysis(cluster, id, &doc);
        } else if is_trace {
            traces::read_traces(cluster, id, &doc);
        } else if is_query {
            let words = format!("{rel} {caption}").to_ascii_lowercase();
            traces::read_series(cluster, id, &doc, &words);
        } else if is_lag {
            lag::read_json(cluster, id, &doc);
        } else if is_alerts {
            analyses::read_alerts(cluster, id, &doc);
        } else if is_certificates {
            analyses::read_certificates(cluster, id, &doc);
        } else if is_errors {
            analyses::read_errors(cluster, id, &doc);
        } else if is_cloud {
            super::clouds::read(cluster, id, &doc);
        } else if is_version && !is_object {
            let version = if doc.get("string").is_null() {
                first_version(&doc)
            } else {
                doc.get("string")
            };
            cluster.server_version = Loc::new(
                version.text().to_owned(),
                Src {
                    file: id,
                    line: version.at.line,
                    column: version.at.column,
                },
            );
        } else {
            objects::read(cluster, id, &doc, kind, &ns);
        }
    }

    fn budgeted(&mut self, entry: &Entry) -> Option<std::sync::Arc<crate::bundle::Text>> {
        self.parsed += entry.bytes;
        if self.parsed > MAX_PARSED_BYTES || entry.bytes > crate::bundle::tree::MAX_TEXT_BYTES {
            self.skipped += 1;
            self.first_skipped
                .get_or_insert_with(|| entry.path.to_string());
            return None;
        }
        self.tree.text(entry).ok().flatten()
    }

    fn yaml(&mut self, entry: &Entry, rel: &str) {
        if is_uninteresting(rel) {
            return;
        }
        let Some(text) = self.budgeted(entry) else {
            return;
        };
        let known: BTreeSet<&str> = KINDS.iter().map(|(_, kind)| *kind).collect();
        let is_wanted = text.lines().any(|(_, line)| {
            // A resource of any kind that says something about its state.
            // One that is being deleted, or left alone on purpose, says so in a line of its own.
            let bare = line.trim_start();
            if matches!(
                bare,
                "conditions:"
                    | "operationState:"
                    | "attachError:"
                    | "suspend: true"
                    | "kind: CertificateSigningRequest"
            ) || bare.starts_with("deletionTimestamp:")
                || bare.starts_with("autoscaling.keda.sh/paused")
            {
                return true;
            }
            let kind = line
                .trim_start_matches([' ', '-'])
                .strip_prefix("kind: ")
                .map(|kind| kind.trim_matches(['"', '\'', ' ']));
            kind.is_some_and(|kind| {
                known.contains(kind)
                    || known.contains(kind.strip_suffix("List").unwrap_or_default())
            })
        });
        if !is_wanted {
            return;
        }
        let (docs, errors) = yaml::parse_yaml(text.as_str());
        let id = self.file_id(entry);
        let (kind, ns) = kind_of_path(rel);
        for doc in &docs {
            objects::read(&mut self.reading.cluster, id, doc, kind, &ns);
        }
        for why in errors.into_iter().take(1) {
            self.broken.push((
                entry.path.as_str().to_owned(),
                format!("not readable as YAML: {why}"),
            ));
        }
    }

    fn text(&mut self, entry: &Entry, rel: &str, is_log_place: bool) {
        let Ok(Some(text)) = self.tree.text(entry) else {
            return;
        };
        let lines: Vec<(u32, &str)> = text
            .lines()
            .map(|(number, line)| (u32::try_from(number).unwrap_or(u32::MAX), line))
            .collect();
        let id = self.file_id(entry);
        let ns = namespace_of_path(rel);
        let stem = entry.path.name();
        if !is_log_place {
            let refusals = lines.iter().take(5).filter(|(_, line)| is_refusal(line));
            for (number, line) in refusals {
                self.reading.cluster.refusals.push(Refusal {
                    message: (*line).trim().to_owned(),
                    src: Src {
                        file: id,
                        line: *number,
                        column: 0,
                    },
                });
            }
        }
        let pages = lines
            .iter()
            .filter(|(_, line)| pages::is_page_start(line))
            .count();
        let is_page = pages > 0
            && lines.iter().any(|(_, line)| {
                ["Namespace:", "Labels:", "Annotations:"]
                    .iter()
                    .any(|key| line.starts_with(key))
            });
        let of_host = matches!(self.profile.name, Name::Sosreport | Name::Supportconfig);
        if !of_host {
            outputs::read(&mut self.reading.cluster, id, &lines, is_page, is_log_place);
        }
        if is_page && describe::read(&mut self.reading.cluster, id, &lines) {
            return;
        }
        if is_log_place && !crate_head(&lines) {
            self.log_files.push((id, rel.to_owned()));
            return;
        }
        if super::metrics::read(&mut self.reading.cluster, id, &lines) {
            return;
        }
        let told = match of_host {
            true => 0,
            false => super::tools::read(&mut self.reading.cluster, id, &lines),
        };
        let rows = told + table::read(&mut self.reading.cluster, id, &lines, &ns, stem);
        if rows == 0 && logs::is_maybe_log(rel, entry.kind) {
            self.log_files.push((id, rel.to_owned()));
        }
    }
}

/// Whether the first line is the header of a `kubectl get` table, even in a folder of logs.
fn crate_head(lines: &[(u32, &str)]) -> bool {
    lines.first().is_some_and(|(_, line)| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.len() > 2
            && words.contains(&"NAME")
            && (words.contains(&"READY") || words.contains(&"STATUS") || words.contains(&"AGE"))
    })
}

/// Whether a line above JSON is a remark or the command or query that gave it.
fn is_caption(line: &str) -> bool {
    let line = line.trim_start();
    ["#", "$ ", "//", "> "]
        .iter()
        .any(|sign| line.starts_with(sign))
}

/// What stands above a piece of JSON, and the text with that blanked, so that places stay.
fn without_caption(text: &str) -> (String, std::borrow::Cow<'_, str>) {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty() && !is_caption(line) {
            break;
        }
        end += line.len();
    }
    let (above, rest) = text.split_at(end);
    if above.trim().is_empty() {
        return (String::new(), text.into());
    }
    let blank: String = above
        .chars()
        .map(|c| if c == '\n' { '\n' } else { ' ' })
        .collect();
    (above.trim().to_owned(), (blank + rest).into())
}

fn is_log_line(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether a line is kubectl saying that it could not do what it was asked.
pub fn is_refusal(line: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    line.starts_with("Error from server")
        || line.starts_with("error from server")
        || line.starts_with("Unable to connect to the server")
        || line.starts_with("The connection to the server")
        || line.starts_with("Metrics API not available")
        || line.starts_with("a container name must be specified")
        || line.starts_with("container ") && line.contains("is not valid for pod")
        || line.starts_with("unable to retrieve container logs")
        || line.starts_with("Request log error:")
}

fn first_version(doc: &Val) -> &Val {
    for path in [
        &["serverVersion", "gitVersion"][..],
        &["info", "gitVersion"],
        &["gitVersion"],
    ] {
        let found = doc.at_path(path);
        if !found.is_null() {
            return found;
        }
    }
    doc.get("string")
}
