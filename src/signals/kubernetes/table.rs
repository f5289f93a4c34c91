//! Tables of `kubectl get` and `kubectl top` into the typed picture, with or without header, with or
//! without a NAMESPACE column, and the tree that `kubectl lineage` prints.

use super::describe::container_of;
use super::model::*;
use super::objects::{add_pod, add_workload};
use super::pages::split_wide;
use super::time::{parse_age, parse_count};

/// A header line with the byte offset of each column.
struct Header {
    columns: Vec<(String, usize)>,
}

impl Header {
    fn parse(line: &str) -> Option<Self> {
        let clean = line.trim_start_matches([' ', '"']);
        let mut columns = Vec::new();
        let mut from = line.len() - clean.len();
        let base = from;
        for name in split_wide(clean) {
            let at = line[from..].find(name)? + from;
            columns.push((name.trim().to_owned(), at - base));
            from = at + name.len();
        }
        // Narrow tables may have only one space between two headers.
        if columns.len() == 1 && clean.split_whitespace().count() > 2 {
            return None;
        }
        let is_name = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b" -()%/:<>".contains(&b))
                || text.contains("(cores)")
                || text.contains("(bytes)")
        };
        let has = |name: &str| columns.iter().any(|(column, _)| column == name);
        (columns.len() > 1
            && columns.iter().all(|(name, _)| is_name(name))
            && (has("NAME") || has("OBJECT") || has("NAMESPACE") || has("LAG")))
        .then_some(Self { columns })
    }
    fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|(column, _)| column == name)
    }
    /// The cells of `row` by column name.
    fn cells<'a>(&'a self, row: &'a str) -> Vec<(&'a str, &'a str)> {
        let wide = split_wide(row);
        let indented = row.starts_with(' ');
        if wide.len() == self.columns.len() && !indented {
            return self
                .columns
                .iter()
                .map(|(name, _)| name.as_str())
                .zip(wide)
                .collect();
        }
        let mut cells = Vec::new();
        for (at, (name, start)) in self.columns.iter().enumerate() {
            let end = self
                .columns
                .get(at + 1)
                .map_or(row.len(), |(_, next)| *next)
                .min(row.len());
            let last = at + 1 == self.columns.len();
            let cell = row
                .get(*start..if last { row.len() } else { end })
                .unwrap_or_default();
            cells.push((name.as_str(), cell.trim()));
        }
        cells
    }
}

/// Reads every table among `lines`. `ns` is the namespace that the file's name tells, "" if none.
/// Returns the number of rows understood.
pub fn read(
    cluster: &mut Cluster,
    file: u32,
    lines: &[(u32, &str)],
    ns: &str,
    stem: &str,
) -> usize {
    let mut header: Option<Header> = None;
    let mut rows = 0;
    let mut said = String::new();
    for (number, line) in lines {
        if let Some(found) = super::places::namespace_of_command(line) {
            header = None;
            said = found;
            continue;
        }
        let ns = if ns.is_empty() { said.as_str() } else { ns };
        let src = Src {
            file,
            line: *number,
            column: 0,
        };
        if line.trim().is_empty() {
            header = None;
            continue;
        }
        if let Some(found) = Header::parse(line) {
            header = Some(found);
            rows += 1;
            continue;
        }
        let used = match &header {
            Some(header) => row(cluster, header, line, src, ns, stem),
            None => bare_row(cluster, line, src, ns),
        };
        rows += usize::from(used);
    }
    rows
}

fn row(
    cluster: &mut Cluster,
    header: &Header,
    line: &str,
    src: Src,
    file_ns: &str,
    stem: &str,
) -> bool {
    let cells = header.cells(line);
    let cell = |name: &str| {
        cells
            .iter()
            .find(|(column, _)| *column == name)
            .map_or("", |(_, value)| *value)
    };
    let ns = if header.has("NAMESPACE") {
        cell("NAMESPACE")
    } else {
        file_ns
    }
    .to_owned();
    let at = |text: &str| Loc::new(text.to_owned(), src);
    let mut name = cell("NAME").to_owned();
    // `kubectl get all` writes `pod/name`.
    let mut kind_prefix = String::new();
    if let Some((kind, rest)) = name.split_once('/')
        && !kind.is_empty()
        && !rest.is_empty()
        && kind
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'.')
    {
        kind_prefix = kind.split('.').next().unwrap_or_default().to_owned();
        name = rest.to_owned();
    }
    let has = |column: &str| header.has(column);
    let number = |text: &str| {
        text.split_whitespace()
            .next()
            .and_then(|word| word.parse::<i64>().ok())
    };
    if name.starts_with(['├', '└', '│'])
        || line.contains("── ")
        || (has("READY") && name.starts_with(|c: char| c.is_ascii_uppercase()))
    {
        return lineage(cluster, line, src, file_ns);
    }
    if has("OBJECT") && has("MESSAGE") {
        let (kind, object) = cell("OBJECT")
            .split_once('/')
            .unwrap_or(("", cell("OBJECT")));
        if object.is_empty() {
            return false;
        }
        cluster.notes.push(Note {
            kind: kind_name(kind),
            ns,
            name: object.to_owned(),
            reason: cell("REASON").to_owned(),
            container: container_of(cell("MESSAGE")),
            message: cell("MESSAGE").to_owned(),
            src,
            age: parse_age(cell("LAST SEEN")).or_else(|| parse_age(cell("AGE"))),
            time: super::time::parse_time(cell("LAST SEEN")),
            count: number(cell("COUNT")).unwrap_or_else(|| parse_count(cell("LAST SEEN"))),
            warning: cell("TYPE") == "Warning",
            current: false,
            of_custom: false,
            quiet: false,
        });
        return true;
    }
    if has("LAG") && (has("TOPIC") || has("GROUP")) {
        super::lag::read_row(cluster, &|column| cell(column).to_owned(), src);
        return true;
    }
    if name.is_empty() {
        return false;
    }
    if has("REQUESTOR") && has("CONDITION") {
        cluster.signing.push(super::signing::Request {
            name,
            signer: cell("SIGNERNAME").to_owned(),
            requestor: cell("REQUESTOR").to_owned(),
            state: cell("CONDITION").to_owned(),
            age: parse_age(cell("AGE")),
            created: None,
            src,
        });
        return true;
    }
    if has("ALLOWED DISRUPTIONS") {
        if let Some(allowed) = number(cell("ALLOWED DISRUPTIONS")) {
            let demand = [
                ("MIN AVAILABLE", "minAvailable"),
                ("MAX UNAVAILABLE", "maxUnavailable"),
            ]
            .iter()
            .find(|(column, _)| !matches!(cell(column), "" | "N/A"))
            .map(|(column, key)| format!("{key} {}", cell(column)))
            .unwrap_or_default();
            cluster.budgets.push(Budget {
                ns: ns.clone(),
                name: name.to_owned(),
                src,
                allowed,
                demand,
            });
        }
        return true;
    }
    if has("CPU(cores)") || has("MEMORY(bytes)") {
        let kind = if has("CPU%") || has("CPU(%)") {
            "Node"
        } else {
            "Pod"
        };
        cluster.usage.push(Usage {
            kind: kind.into(),
            ns,
            name,
            cpu: at(cell("CPU(cores)")),
            memory: at(cell("MEMORY(bytes)")),
        });
        return true;
    }
    let pair = |text: &str| {
        text.split_once('/')
            .and_then(|(a, b)| Some((a.trim().parse::<i64>().ok()?, b.trim().parse::<i64>().ok()?)))
    };
    if has("RESTARTS") {
        let restarts = cell("RESTARTS");
        add_pod(
            cluster,
            Pod {
                ns,
                name,
                src,
                row_status: at(cell("STATUS")),
                ready: pair(cell("READY")),
                restarts: number(restarts).unwrap_or(0),
                last_restart: restarts.split_once('(').and_then(|(_, ago)| parse_age(ago)),
                age: parse_age(cell("AGE")),
                node: cell("NODE").trim_matches(['<', '>']).to_owned(),
                labels: label_cell(cell("LABELS")),
                ..Pod::default()
            },
        );
        return true;
    }
    if has("ROLES") && has("VERSION") {
        cluster.nodes.push(Node {
            name,
            src,
            row_status: at(cell("STATUS")),
            version: at(cell("VERSION")),
            labels: label_cell(cell("LABELS")),
            ..Node::default()
        });
        return true;
    }
    let kind = if kind_prefix.is_empty() {
        String::new()
    } else {
        kind_name(&kind_prefix)
    };
    if has("UP-TO-DATE") && has("READY") && !has("DESIRED") {
        let counts = pair(cell("READY"));
        plain_workload(cluster, "Deployment", ns, name, src, counts);
    } else if has("DESIRED") && has("NODE SELECTOR") {
        plain_workload(
            cluster,
            "DaemonSet",
            ns,
            name,
            src,
            number(cell("READY")).zip(number(cell("DESIRED"))),
        );
    } else if has("DESIRED") && has("READY") {
        plain_workload(
            cluster,
            "ReplicaSet",
            ns,
            name,
            src,
            number(cell("READY")).zip(number(cell("DESIRED"))),
        );
    } else if has("SCHEDULE") && has("SUSPEND") {
        super::compare::read_cron(cluster, &ns, &name, &|column| cell(column).to_owned(), src);
        add_workload(
            cluster,
            Workload {
                kind: "CronJob".into(),
                ns,
                name,
                src,
                suspended: Loc::new(cell("SUSPEND").eq_ignore_ascii_case("true"), src),
                schedule: cell("SCHEDULE").to_owned(),
                schedule_src: src,
                zone: match cell("TIMEZONE") {
                    "<none>" => String::new(),
                    zone => zone.to_owned(),
                },
                ..Workload::default()
            },
        );
    } else if has("COMPLETIONS") {
        let mut job = Workload {
            kind: "Job".into(),
            ns,
            name,
            src,
            ..Workload::default()
        };
        if let Some((ready, desired)) = pair(cell("COMPLETIONS")) {
            (job.ready, job.desired) = (Some(Loc::new(ready, src)), Some(Loc::new(desired, src)));
        }
        if cell("STATUS") == "Failed" {
            job.failed = Some(Loc::new(1, src));
        }
        add_workload(cluster, job);
    } else if has("CLUSTER-IP") {
        let kind = cell("TYPE").to_owned();
        super::compare::read_ports(cluster, &ns, &name, cell("PORT(S)"), src);
        cluster.services.push(Service {
            ns,
            name,
            src,
            pending_address: (cell("EXTERNAL-IP") == "<pending>").then_some(src),
            kind,
            selector: label_cell(cell("SELECTOR")),
            selector_src: src,
            ports: Vec::new(),
            endpoints: None,
            cluster_ip: cell("CLUSTER-IP").trim_matches(['<', '>']).to_owned(),
        });
    } else if has("ENDPOINTS") {
        let ready = if cell("ENDPOINTS") == "<none>" {
            0
        } else {
            cell("ENDPOINTS").split(',').count()
        };
        cluster.endpoints.push(Endpoints {
            ns,
            service: name,
            src,
            ready,
            not_ready: 0,
        });
    } else if has("RECLAIM POLICY") || has("RECLAIMPOLICY") && has("CLAIM") {
        cluster.pvs.push(Pv {
            name,
            phase: at(cell("STATUS")),
            claim: cell("CLAIM").to_owned(),
            message: Loc::default(),
            src,
        });
    } else if has("STORAGECLASS") && has("ACCESS MODES") {
        let class =
            (!matches!(cell("STORAGECLASS"), "" | "<unset>")).then(|| at(cell("STORAGECLASS")));
        cluster.pvcs.push(Pvc {
            ns,
            name,
            src,
            phase: at(cell("STATUS")),
            class,
        });
    } else if has("PROVISIONER") {
        cluster
            .listed
            .insert(("StorageClass".into(), String::new()));
        cluster.names.insert((
            "StorageClass".into(),
            String::new(),
            name.replace(" (default)", ""),
        ));
        cluster.classes.push(StorageClass {
            default: name.contains("(default)"),
            name: name.replace(" (default)", ""),
            provisioner: at(cell("PROVISIONER")),
            binding: cell("VOLUMEBINDINGMODE").to_owned(),
            src,
        });
    } else if has("REFERENCE") && has("TARGETS") {
        cluster.hpas.push(Hpa {
            ns,
            name,
            src,
            target: cell("REFERENCE").to_owned(),
            targets: at(cell("TARGETS")),
            conditions: Vec::new(),
            max: number(cell("MAXPODS")),
            current: number(cell("REPLICAS")),
        });
    } else if has("CONTROLLER") && has("PARAMETERS") {
        cluster
            .listed
            .insert(("IngressClass".into(), String::new()));
        cluster
            .names
            .insert(("IngressClass".into(), String::new(), name));
    } else if has("HOSTS") && has("CLASS") {
        cluster.ingresses.push(Ingress {
            ns,
            name,
            src,
            class: Loc::new(
                cell("CLASS").trim_matches(['<', '>']).replace("none", ""),
                src,
            ),
            no_address: has("ADDRESS") && cell("ADDRESS").is_empty(),
            ..Ingress::default()
        });
    } else if has("AVAILABLE") && has("SERVICE") {
        // kubectl get apiservices
        let status = cell("AVAILABLE");
        let (ok, reason) = status
            .split_once(" (")
            .map_or((status, ""), |(ok, reason)| {
                (ok, reason.trim_end_matches(')'))
            });
        let condition = Condition {
            kind: "Available".into(),
            status: at(ok),
            reason: at(reason),
            ..Condition::default()
        };
        let service = cell("SERVICE")
            .split_once('/')
            .map(|(ns, name)| (ns.to_owned(), name.to_owned()));
        cluster.extensions.push(Extension {
            kind: "APIService".into(),
            name,
            src,
            service,
            blocking: false,
            condition: Some(condition),
        });
    } else if has("DEGRADED") && has("PROGRESSING") {
        if cell("DEGRADED") == "True" || cell("AVAILABLE") == "False" {
            let reason = if cell("DEGRADED") == "True" {
                "Degraded"
            } else {
                "NotAvailable"
            };
            cluster.notes.push(Note {
                kind: "ClusterOperator".into(),
                name,
                reason: reason.into(),
                message: cell("MESSAGE").to_owned(),
                src,
                count: 1,
                warning: true,
                current: true,
                ..Note::default()
            });
        }
    } else if has("SECRETS") && has("AGE") {
        cluster.listed.insert(("ServiceAccount".into(), ns.clone()));
        cluster.names.insert(("ServiceAccount".into(), ns, name));
    } else if has("TYPE") && has("DATA") {
        cluster.listed.insert(("Secret".into(), ns.clone()));
        cluster.names.insert(("Secret".into(), ns, name));
    } else if has("DATA") && has("AGE") {
        cluster.listed.insert(("ConfigMap".into(), ns.clone()));
        cluster.names.insert(("ConfigMap".into(), ns, name));
    } else if has("READY") && has("AGE") && pair(cell("READY")).is_some() {
        plain_workload(
            cluster,
            if kind.is_empty() {
                "StatefulSet"
            } else {
                &kind
            },
            ns,
            name,
            src,
            pair(cell("READY")),
        );
    } else if has("STATUS") && has("AGE") && self::is_namespaces(stem, cell("STATUS")) {
        cluster
            .names
            .insert(("Namespace".into(), String::new(), name.clone()));
        let shown = label_cell(cell("LABELS"));
        if !shown.is_empty() {
            cluster.ns_labels.insert(name.clone(), (shown, src));
        }
        if cell("STATUS") == "Terminating" {
            cluster.terminating.push((name, src, String::new()));
        }
    } else {
        let kind = if kind.is_empty() {
            kind_of_stem(stem)
        } else {
            kind
        };
        return super::custom::read_row(cluster, &ns, &name, &kind, src, &|column| {
            cell(column).to_owned()
        });
    }
    true
}

/// The kind of rows by the name of their file: `get_certificate_-n_shop` lists `certificate`s.
fn kind_of_stem(stem: &str) -> String {
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    stem.trim_start_matches("kubectl_")
        .strip_prefix("get_")
        .unwrap_or_default()
        .split(['_', ' '])
        .next()
        .map(kind_name)
        .unwrap_or_default()
}

fn is_namespaces(stem: &str, status: &str) -> bool {
    (stem.contains("namespace") || stem.contains("get_ns") || status == "Terminating")
        && matches!(status, "Active" | "Terminating")
}

fn plain_workload(
    cluster: &mut Cluster,
    kind: &str,
    ns: String,
    name: String,
    src: Src,
    counts: Option<(i64, i64)>,
) {
    let (ready, desired) = counts.map_or((None, None), |(ready, desired)| {
        (Some(Loc::new(ready, src)), Some(Loc::new(desired, src)))
    });
    add_workload(
        cluster,
        Workload {
            kind: kind.into(),
            ns,
            name,
            src,
            ready,
            desired,
            ..Workload::default()
        },
    );
}

/// `k=v,k=v`; nothing for `<none>`.
fn label_cell(text: &str) -> Labels {
    text.split(',')
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// `Pod` of `pod`, `deployment.apps`, `Deployment`.
pub fn kind_name(word: &str) -> String {
    let lower = word
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match lower.as_str() {
        "pod" | "pods" | "po" => "Pod",
        "deployment" | "deployments" | "deploy" => "Deployment",
        "replicaset" | "replicasets" | "rs" => "ReplicaSet",
        "statefulset" | "statefulsets" | "sts" => "StatefulSet",
        "daemonset" | "daemonsets" | "ds" => "DaemonSet",
        "job" | "jobs" => "Job",
        "cronjob" | "cronjobs" => "CronJob",
        "node" | "nodes" => "Node",
        "service" | "services" | "svc" => "Service",
        "persistentvolumeclaim" | "persistentvolumeclaims" | "pvc" => "PersistentVolumeClaim",
        "persistentvolume" | "persistentvolumes" | "pv" => "PersistentVolume",
        "horizontalpodautoscaler" | "hpa" => "HorizontalPodAutoscaler",
        "ingress" | "ingresses" | "ing" => "Ingress",
        "namespace" => "Namespace",
        "endpoints" => "Endpoints",
        _ => return word.to_owned(),
    }
    .to_owned()
}

/// A row without header: pods, deployments, jobs, claims and nodes are told by their shape.
fn bare_row(cluster: &mut Cluster, line: &str, src: Src, file_ns: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_name = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
            && !word.starts_with(['-', '.'])
    };
    let pair = |word: &str| {
        word.split_once('/')
            .and_then(|(a, b)| Some((a.parse::<i64>().ok()?, b.parse::<i64>().ok()?)))
    };
    for at in [1, 2] {
        let (Some(before), Some(word)) = (words.get(at - 1), words.get(at)) else {
            continue;
        };
        if !is_name(before) || (at == 2 && !is_name(words[0])) {
            return false;
        }
        let ns = if at == 2 { words[0] } else { file_ns }.to_owned();
        let name = (*before).to_owned();
        let next = words.get(at + 1).copied().unwrap_or_default();
        let after = words.get(at + 2).copied().unwrap_or_default();
        if let Some(ready) = pair(word) {
            if next.starts_with(|c: char| c.is_ascii_uppercase()) && after.parse::<i64>().is_ok() {
                let mut rest = words[at + 3..].iter().copied().peekable();
                let mut last_restart = None;
                if rest.peek().is_some_and(|word| word.starts_with('(')) {
                    last_restart = rest
                        .next()
                        .and_then(|word| parse_age(word.trim_start_matches('(')));
                    rest.next();
                }
                let age = rest.next().and_then(parse_age);
                let node = rest
                    .nth(1)
                    .filter(|node| is_name(node))
                    .unwrap_or_default()
                    .to_owned();
                let labels = words
                    .last()
                    .map(|cell| label_cell(cell))
                    .unwrap_or_default();
                let status = Loc::new(next.to_owned(), src);
                let restarts = after.parse().unwrap_or(0);
                add_pod(
                    cluster,
                    Pod {
                        ns,
                        name,
                        src,
                        row_status: status,
                        ready: Some(ready),
                        restarts,
                        last_restart,
                        age,
                        node,
                        labels,
                        ..Pod::default()
                    },
                );
                return true;
            }
            if next.parse::<i64>().is_ok() && after.parse::<i64>().is_ok() {
                plain_workload(cluster, "Deployment", ns, name, src, Some(ready));
                return true;
            }
        }
        if matches!(*word, "Failed" | "Complete" | "Running" | "Suspended") && pair(next).is_some()
        {
            let (ready, desired) = pair(next).unwrap_or_default();
            let mut job = Workload {
                kind: "Job".into(),
                ns,
                name,
                src,
                ..Workload::default()
            };
            (job.ready, job.desired) = (Some(Loc::new(ready, src)), Some(Loc::new(desired, src)));
            job.failed = (*word == "Failed").then(|| Loc::new(1, src));
            add_workload(cluster, job);
            return true;
        }
        if matches!(
            *word,
            "Ready" | "NotReady" | "Ready,SchedulingDisabled" | "NotReady,SchedulingDisabled"
        ) && words.iter().any(|word| word.starts_with("v1."))
        {
            let version = words
                .iter()
                .find(|word| word.starts_with("v1."))
                .copied()
                .unwrap_or_default();
            cluster.nodes.push(Node {
                name,
                src,
                row_status: Loc::new((*word).to_owned(), src),
                version: Loc::new(version.to_owned(), src),
                ..Node::default()
            });
            return true;
        }
        let is_claim = matches!(*word, "Pending" | "Lost")
            && words.len() <= at + 5
            && words.last().is_some_and(|word| parse_age(word).is_some());
        if is_claim || (*word == "Bound" && next.starts_with("pvc-")) {
            let class = (is_claim && words.len() > at + 2).then(|| Loc::new(next.to_owned(), src));
            cluster.pvcs.push(Pvc {
                ns,
                name,
                src,
                phase: Loc::new((*word).to_owned(), src),
                class,
            });
            return true;
        }
    }
    false
}

/// A row of the tree printed by `kubectl lineage`: `└── Pod/name  0/1  Running  19s`.
fn lineage(cluster: &mut Cluster, line: &str, src: Src, ns: &str) -> bool {
    let body = line.trim_start_matches(['├', '└', '│', '─', ' ']);
    let cells = split_wide(body);
    let Some((kind, name)) = cells.first().and_then(|cell| cell.split_once('/')) else {
        return false;
    };
    let age = cells.last().and_then(|cell| parse_age(cell));
    let pair = |word: &str| {
        word.split_once('/')
            .and_then(|(a, b)| Some((a.parse::<i64>().ok()?, b.parse::<i64>().ok()?)))
    };
    match kind {
        "Pod" => {
            let status = cells.get(2).copied().unwrap_or_default();
            let pod = Pod {
                ns: ns.to_owned(),
                name: name.to_owned(),
                src,
                row_status: Loc::new(status.to_owned(), src),
                ready: cells.get(1).and_then(|cell| pair(cell)),
                age,
                ..Pod::default()
            };
            add_pod(cluster, pod);
        }
        "Deployment" | "StatefulSet" | "ReplicaSet" | "DaemonSet" => {
            plain_workload(
                cluster,
                kind,
                ns.to_owned(),
                name.to_owned(),
                src,
                cells.get(1).and_then(|cell| pair(cell)),
            );
        }
        "Event" => {
            let Some((reason, message)) = cells.get(2).and_then(|cell| cell.split_once(": "))
            else {
                return false;
            };
            let object = name.rsplit_once('.').map_or(name, |(object, _)| object);
            cluster.notes.push(Note {
                kind: "Pod".into(),
                ns: ns.to_owned(),
                name: object.to_owned(),
                reason: reason.to_owned(),
                container: container_of(message),
                message: message.to_owned(),
                src,
                age,
                count: 1,
                warning: reason.starts_with("Failed")
                    || reason == "BackOff"
                    || reason == "Unhealthy",
                ..Note::default()
            });
        }
        _ => return false,
    }
    true
}
