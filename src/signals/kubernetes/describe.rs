//! Pages of `kubectl describe` into the typed picture.
//!
//! [`super::pages`] reads a page as a tree by indentation; here each kind of page is mapped.

use super::model::*;
use super::objects::{add_pod, add_workload};
use super::pages::{Item, pages, split_wide, split_wide_n};
use super::time::{parse_age, parse_count, parse_time};

/// Reads every page among `lines`. Returns whether there was one.
pub fn read(cluster: &mut Cluster, file: u32, lines: &[(u32, &str)]) -> bool {
    let pages = pages(lines);
    for page in &pages {
        let ctx = Page {
            file,
            page,
            ns: page.get("Namespace").text().to_owned(),
            name: page.get("Name").value.clone(),
        };
        ctx.read(cluster);
    }
    !pages.is_empty()
}

struct Page<'a> {
    file: u32,
    page: &'a Item,
    ns: String,
    name: String,
}

impl Page<'_> {
    fn kind(&self) -> &'static str {
        let has = |key| self.page.has(key);
        match () {
            () if has("Containers") && (has("QoS Class") || has("Node") || has("Status")) => "Pod",
            () if has("Parallelism") => "Job",
            () if has("Concurrency Policy") => "CronJob",
            () if has("StrategyType") => "Deployment",
            () if has("Update Strategy") => "StatefulSet",
            () if has("Desired Number of Nodes Scheduled") => "DaemonSet",
            () if has("Pod Template") => "ReplicaSet",
            () if has("Allocatable") || has("System Info") => "Node",
            () if has("TargetPort") || (has("Endpoints") && has("Selector")) => "Service",
            () if has("Reclaim Policy") => "PersistentVolume",
            () if has("Access Modes") && has("StorageClass") => "PersistentVolumeClaim",
            () if has("Provisioner") => "StorageClass",
            () if has("Reference") && has("Min replicas") => "HorizontalPodAutoscaler",
            () if has("Rules") && (has("Default backend") || has("Ingress Class")) => "Ingress",
            () if self
                .page
                .get("Spec")
                .children
                .iter()
                .any(|item| item.key == "PodSelector") =>
            {
                "NetworkPolicy"
            }
            () if has("Subsets") => "Endpoints",
            () if has("API Version") && has("Kind") => "CustomResource",
            () if self.page.get("Status").text() == "Terminating"
                && has("Labels")
                && !has("Namespace") =>
            {
                "Namespace"
            }
            () if self.page.children.iter().any(|item| {
                item.raw.starts_with("Resource ")
                    && item.raw.contains("Used")
                    && item.raw.contains("Hard")
            }) =>
            {
                "ResourceQuota"
            }
            () => "",
        }
    }
    fn name_src(&self) -> Src {
        self.page.get("Name").src(self.file)
    }
    fn conditions(&self, item: &Item) -> Vec<Condition> {
        let Some(header) = item
            .children
            .first()
            .filter(|row| row.raw.starts_with("Type"))
        else {
            return Vec::new();
        };
        let columns: Vec<&str> = split_wide(&header.raw);
        let mut conditions = Vec::new();
        for row in item
            .children
            .iter()
            .skip(1)
            .filter(|row| !row.raw.starts_with("---"))
        {
            let cells = split_wide_n(&row.raw, columns.len());
            let cell = |name: &str| {
                columns
                    .iter()
                    .position(|column| *column == name)
                    .and_then(|at| cells.get(at))
                    .copied()
                    .unwrap_or_default()
            };
            let at = |text: &str| Loc::new(text.to_owned(), row.src(self.file));
            conditions.push(Condition {
                kind: cell("Type").to_owned(),
                status: at(cell("Status")),
                reason: at(cell("Reason")),
                message: at(cell("Message")),
                since: parse_time(cell("LastTransitionTime")),
            });
        }
        conditions
    }
    fn read(&self, cluster: &mut Cluster) {
        let kind = self.kind();
        if self.name.is_empty() {
            return;
        }
        if !kind.is_empty() {
            cluster
                .names
                .insert((kind.to_owned(), self.ns.clone(), self.name.clone()));
        }
        cluster.saw_time(parse_time(self.page.get("CreationTimestamp").text()));
        cluster.saw_time(parse_time(self.page.get("Start Time").text()));
        self.events(cluster, kind);
        match kind {
            "Pod" => self.pod(cluster),
            "Node" => self.node(cluster),
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "CronJob" => {
                self.workload(cluster, kind)
            }
            "Service" => self.service(cluster),
            "PersistentVolumeClaim" => {
                let status = self.page.get("Status");
                if status.text().starts_with("Terminating") {
                    let users = self
                        .page
                        .get("Used By")
                        .all()
                        .map(|(text, _)| text.to_owned())
                        .collect::<Vec<_>>()
                        .join(", ");
                    cluster.ending_claims.push((
                        self.ns.clone(),
                        self.name.clone(),
                        status.src(self.file),
                        users,
                    ));
                }
                let class = self.page.get("StorageClass");
                let class = (!class.text().is_empty()).then(|| class.loc(self.file));
                let item = Pvc {
                    ns: self.ns.clone(),
                    name: self.name.clone(),
                    src: self.name_src(),
                    phase: self.page.get("Status").loc(self.file),
                    class,
                };
                cluster.pvcs.push(item);
            }
            "PersistentVolume" => cluster.pvs.push(Pv {
                name: self.name.clone(),
                phase: self.page.get("Status").loc(self.file),
                claim: self.page.get("Claim").text().to_owned(),
                message: self.page.get("Message").loc(self.file),
                src: self.name_src(),
            }),
            "StorageClass" => cluster.classes.push(StorageClass {
                name: self.name.clone(),
                provisioner: self.page.get("Provisioner").loc(self.file),
                default: self.page.get("IsDefaultClass").text() == "Yes",
                binding: self.page.get("VolumeBindingMode").text().to_owned(),
                src: self.name_src(),
            }),
            "HorizontalPodAutoscaler" => cluster.hpas.push(Hpa {
                ns: self.ns.clone(),
                name: self.name.clone(),
                src: self.name_src(),
                target: self.page.get("Reference").text().to_owned(),
                targets: Loc::default(),
                conditions: self.conditions(self.page.get("Conditions")),
                max: self.page.get("Max replicas").text().parse().ok(),
                current: self
                    .page
                    .children
                    .iter()
                    .find(|i| i.key.ends_with(" pods"))
                    .and_then(|i| i.value.split_whitespace().next()?.parse().ok()),
            }),
            "ResourceQuota" => {
                let mut items = Vec::new();
                for row in self.page.children.iter().filter(|row| row.key.is_empty()) {
                    if let [resource, used, hard] =
                        row.raw.split_whitespace().collect::<Vec<_>>()[..]
                        && used.starts_with(|c: char| c.is_ascii_digit())
                    {
                        let at = |text: &str| Loc::new(text.to_owned(), row.src(self.file));
                        items.push(QuotaItem {
                            resource: resource.to_owned(),
                            used: at(used),
                            hard: at(hard),
                        });
                    }
                }
                cluster.quotas.push(Quota {
                    ns: self.ns.clone(),
                    name: self.name.clone(),
                    items,
                });
            }
            "Ingress" => self.ingress(cluster),
            "CustomResource" => {
                super::custom::read_page(cluster, self.file, self.page, &self.ns, &self.name)
            }
            "Namespace" => {
                let bad: Vec<String> = self
                    .conditions(self.page.get("Conditions"))
                    .into_iter()
                    .filter(|condition| condition.status.v == "True")
                    .map(|condition| condition.message.v)
                    .collect();
                let place = self.page.get("Status").src(self.file);
                cluster
                    .terminating
                    .push((self.name.clone(), place, bad.join("; ")));
            }
            "NetworkPolicy" => {
                let spec = self.page.get("Spec");
                let selector = spec
                    .children
                    .iter()
                    .find(|item| item.key == "PodSelector")
                    .map(Item::pairs)
                    .unwrap_or_default();
                let says = |words: &str| {
                    spec.children.iter().any(|item| {
                        item.raw.contains(words)
                            || item.children.iter().any(|below| below.raw.contains(words))
                    })
                };
                let egress = spec
                    .children
                    .iter()
                    .find(|item| item.raw.starts_with("Allowing egress traffic"));
                cluster.netpols.push(NetPol {
                    limits_egress: egress.is_some(),
                    // Peers are shown in many ways here; a rule for port 53 or any port may reach the DNS.
                    admits_dns: egress.is_some_and(|egress| {
                        egress.children.iter().any(|item| {
                            let port = item.raw.strip_prefix("To Port:").map(str::trim);
                            port.is_some_and(|port| {
                                port.starts_with("53/")
                                    || port.starts_with("<any>")
                                    || port.contains("dns")
                            })
                        })
                    }),
                    has_expressions: spec.children.iter().any(|item| {
                        item.key == "PodSelector"
                            && [" in (", " notin (", "!"]
                                .iter()
                                .any(|sign| item.value.contains(sign))
                    }),
                    egress_src: egress.map_or_else(Src::default, |egress| Src {
                        line: egress.line,
                        ..self.name_src()
                    }),
                    ns: self.ns.clone(),
                    name: self.name.clone(),
                    src: self.name_src(),
                    selector,
                    denies_ingress: says("Selected pods are isolated for ingress connectivity"),
                    denies_egress: says("Selected pods are isolated for egress connectivity"),
                    limits_ingress: spec
                        .children
                        .iter()
                        .any(|item| item.raw.starts_with("Allowing ingress traffic")),
                    admits_pods: admitted_pods(spec),
                });
            }
            _ => {}
        }
    }
    fn events(&self, cluster: &mut Cluster, kind: &str) {
        for row in &self.page.get("Events").children {
            let cells = split_wide_n(&row.raw, 5);
            let [event_type, reason, age, _, message] = cells[..] else {
                continue;
            };
            if event_type != "Normal" && event_type != "Warning" {
                continue;
            }
            let mut message = message.to_owned();
            for more in &row.children {
                message.push(' ');
                message.push_str(&more.raw);
            }
            cluster.notes.push(Note {
                kind: kind.to_owned(),
                ns: self.ns.clone(),
                name: self.name.clone(),
                reason: reason.to_owned(),
                container: container_of(&message),
                message,
                src: row.src(self.file),
                age: parse_age(age),
                time: None,
                count: parse_count(age),
                warning: event_type == "Warning",
                current: false,
                of_custom: false,
            });
        }
    }
    fn state(&self, item: &Item) -> State {
        let kind = match item.text() {
            "Waiting" => StateKind::Waiting,
            "Running" => StateKind::Running,
            "Terminated" => StateKind::Terminated,
            _ => return State::default(),
        };
        let mut message = item.get("Message").loc(self.file);
        for more in item.get("Message").children.iter().take(40) {
            message.v.push('\n');
            message.v.push_str(&more.raw);
        }
        let code = item.get("Exit Code");
        State {
            kind,
            reason: item.get("Reason").loc(self.file),
            message,
            exit_code: code
                .text()
                .parse()
                .ok()
                .map(|number| Loc::new(number, code.src(self.file))),
            started: parse_time(item.get("Started").text()),
            finished: parse_time(item.get("Finished").text()),
        }
    }
    fn containers(&self, item: &Item, init: bool) -> Vec<Container> {
        item.children
            .iter()
            .filter(|child| !child.key.is_empty())
            .map(|child| self.container(child, init))
            .collect()
    }
    fn container(&self, item: &Item, init: bool) -> Container {
        let resources = |key: &str| {
            item.get(key)
                .children
                .iter()
                .map(|child| (child.key.clone(), child.loc(self.file)))
                .collect()
        };
        let restarts = item.get("Restart Count");
        let mut container = Container {
            name: item.key.clone(),
            init,
            image: item.get("Image").loc(self.file),
            state: self.state(item.get("State")),
            last: self.state(item.get("Last State")),
            ready: item.get("Ready").text().to_ascii_lowercase().parse().ok(),
            restarts: Loc::new(
                restarts.text().parse().unwrap_or(0),
                restarts.src(self.file),
            ),
            limits: resources("Limits"),
            requests: resources("Requests"),
            ..Container::default()
        };
        for part in ["Command", "Args"] {
            for (word, line) in item.get(part).all() {
                container.command.push(Loc::new(
                    word.to_owned(),
                    Src {
                        file: self.file,
                        line,
                        column: 0,
                    },
                ));
            }
        }
        for (kind, key) in [
            ("liveness", "Liveness"),
            ("readiness", "Readiness"),
            ("startup", "Startup"),
        ] {
            let probe = item.get(key);
            if !probe.text().is_empty() {
                container.probes.push(Probe {
                    kind: kind.into(),
                    port: probe_port(probe.text()),
                    text: probe.loc(self.file),
                });
            }
        }
        for part in ["Port", "Ports"] {
            for port in item.get(part).text().split(',') {
                if let Some(number) = port
                    .trim()
                    .split('/')
                    .next()
                    .and_then(|number| number.parse().ok())
                {
                    container.ports.push((String::new(), number));
                }
            }
        }
        for env in &item.get("Environment").children {
            // NAME:  <set to the key 'k' in secret 's'>  Optional: false
            match env
                .value
                .split_once("<set to the key '")
                .and_then(|(_, rest)| rest.split_once("' "))
            {
                Some((key, rest)) => {
                    let kind = if rest.contains("secret '") {
                        "Secret"
                    } else {
                        "ConfigMap"
                    };
                    let name = rest.split('\'').nth(1).unwrap_or_default().to_owned();
                    let optional = rest.contains("Optional: true");
                    container.references.push(Reference {
                        kind: kind.into(),
                        name,
                        key: key.into(),
                        optional,
                        src: env.src(self.file),
                    });
                    container.env.push((env.key.clone(), Loc::default()));
                }
                None => container.env.push((env.key.clone(), env.loc(self.file))),
            }
        }
        for source in &item.get("Environment Variables from").children {
            let words: Vec<&str> = source.raw.split_whitespace().collect();
            if let [name, kind, ..] = words[..] {
                let optional = source.raw.contains("Optional: true");
                container.references.push(Reference {
                    kind: kind.into(),
                    name: name.into(),
                    key: String::new(),
                    optional,
                    src: source.src(self.file),
                });
            }
        }
        container
    }
    fn pod(&self, cluster: &mut Cluster) {
        let page = self.page;
        let status = page.get("Status");
        let deleted =
            status.text().starts_with("Terminating") || page.has("Termination Grace Period");
        let phase = match status.text() {
            text if text.starts_with("Terminating") => "Running",
            text => text,
        };
        let node = page.get("Node").text();
        let mut containers = self.containers(page.get("Init Containers"), true);
        containers.extend(self.containers(page.get("Containers"), false));
        for container in &containers {
            for time in [
                container.state.started,
                container.state.finished,
                container.last.finished,
            ] {
                cluster.saw_time(time);
            }
        }
        let main: Vec<&Container> = containers
            .iter()
            .filter(|container| !container.init)
            .collect();
        let mut pod = Pod {
            ns: self.ns.clone(),
            name: self.name.clone(),
            src: self.name_src(),
            phase: Loc::new(phase.to_owned(), status.src(self.file)),
            reason: page.get("Reason").loc(self.file),
            message: page.get("Message").loc(self.file),
            ready: Some((
                main.iter()
                    .filter(|container| container.ready == Some(true))
                    .count() as i64,
                main.len() as i64,
            )),
            restarts: containers
                .iter()
                .map(|container| container.restarts.v)
                .sum(),
            node: node.split('/').next().unwrap_or_default().to_owned(),
            owner: page.get("Controlled By").text().to_owned(),
            labels: page.get("Labels").pairs(),
            service_account: page.get("Service Account").text().to_owned(),
            node_selector: page.get("Node-Selectors").pairs(),
            conditions: self.conditions(page.get("Conditions")),
            deleted: deleted.then_some(0),
            deleted_src: status.src(self.file),
            detailed: true,
            containers,
            ..Pod::default()
        };
        for volume in &page.get("Volumes").children {
            let of = |kind: &str, item: &Item| Volume {
                name: volume.key.clone(),
                kind: kind.into(),
                target: item.text().to_owned(),
                optional: volume.get("Optional").text() == "true",
                src: item.src(self.file),
            };
            let kind = volume
                .get("Type")
                .text()
                .split_whitespace()
                .next()
                .unwrap_or_default();
            pod.volumes.extend(match kind {
                "Secret" => Some(of("Secret", volume.get("SecretName"))),
                "ConfigMap" => Some(of("ConfigMap", volume.get("Name"))),
                "PersistentVolumeClaim" => {
                    Some(of("PersistentVolumeClaim", volume.get("ClaimName")))
                }
                "NFS" => Some(of("NFS", volume.get("Server"))),
                "HostPath" => Some(of("HostPath", volume.get("Path"))),
                _ => None,
            });
        }
        add_pod(cluster, pod);
    }
    fn node(&self, cluster: &mut Cluster) {
        let page = self.page;
        cluster.saw_time(parse_time(page.get("Lease").get("RenewTime").text()));
        let conditions = self.conditions(page.get("Conditions"));
        let unschedulable = page.get("Unschedulable");
        cluster.nodes.push(Node {
            name: self.name.clone(),
            src: self.name_src(),
            row_status: Loc::default(),
            conditions,
            taints: page
                .get("Taints")
                .all()
                .map(|(text, line)| {
                    Loc::new(
                        text.to_owned(),
                        Src {
                            file: self.file,
                            line,
                            column: 0,
                        },
                    )
                })
                .collect(),
            unschedulable: Loc::new(unschedulable.text() == "true", unschedulable.src(self.file)),
            allocatable: page
                .get("Allocatable")
                .children
                .iter()
                .map(|child| (child.key.clone(), child.loc(self.file)))
                .collect(),
            labels: page.get("Labels").pairs(),
            version: page
                .get("System Info")
                .get("Kubelet Version")
                .loc(self.file),
        });
    }
    fn workload(&self, cluster: &mut Cluster, kind: &str) {
        let page = self.page;
        let mut workload = Workload {
            kind: kind.into(),
            ns: self.ns.clone(),
            name: self.name.clone(),
            src: self.name_src(),
            owner: page.get("Controlled By").text().to_owned(),
            selector: page.get("Selector").pairs(),
            conditions: self.conditions(page.get("Conditions")),
            detailed: true,
            ..Workload::default()
        };
        let template = page.get("Pod Template");
        workload.template_labels = template.get("Labels").pairs();
        workload.service_account = template.get("Service Account").loc(self.file);
        workload.containers = self.containers(template.get("Init Containers"), true);
        workload
            .containers
            .extend(self.containers(template.get("Containers"), false));
        let number = |text: &str| {
            text.split_whitespace()
                .next()
                .and_then(|word| word.parse::<i64>().ok())
        };
        let replicas = page.get("Replicas");
        if let Some(desired) = number(replicas.text()) {
            workload.desired = Some(Loc::new(desired, replicas.src(self.file)));
            let available = replicas
                .text()
                .split('|')
                .find(|part| part.contains("available") && !part.contains("unavailable"));
            let available = available.and_then(number).or_else(|| {
                page.get("Pods Status")
                    .text()
                    .split_once(" Running")
                    .and_then(|(count, _)| number(count))
            });
            workload.ready = available.map(|count| Loc::new(count, replicas.src(self.file)));
        }
        let scheduled = page.get("Desired Number of Nodes Scheduled");
        if let Some(desired) = number(scheduled.text()) {
            workload.desired = Some(Loc::new(desired, scheduled.src(self.file)));
            let ready = page.get("Number of Nodes Scheduled with Available Pods");
            workload.ready =
                number(ready.text()).map(|count| Loc::new(count, ready.src(self.file)));
        }
        if kind == "Job" {
            let statuses = page.get("Pods Statuses");
            let count = |word: &str| {
                statuses
                    .text()
                    .split('/')
                    .find(|part| part.contains(word))
                    .and_then(number)
                    .map(|n| Loc::new(n, statuses.src(self.file)))
            };
            workload.desired = number(page.get("Completions").text())
                .map(|n| Loc::new(n, page.get("Completions").src(self.file)));
            workload.ready = count("Succeeded");
            workload.failed = count("Failed");
            workload.backoff_limit = number(page.get("Backoff Limit").text());
        }
        let suspend = page.get("Suspend");
        workload.suspended = Loc::new(
            suspend.text().eq_ignore_ascii_case("true"),
            suspend.src(self.file),
        );
        workload.schedule = page.get("Schedule").text().to_owned();
        for condition in &workload.conditions {
            cluster.saw_time(condition.since);
        }
        add_workload(cluster, workload);
    }
    fn service(&self, cluster: &mut Cluster) {
        let page = self.page;
        let mut ports: Vec<ServicePort> = Vec::new();
        let mut endpoints: Option<Loc<String>> = None;
        for item in &page.children {
            match item.key.as_str() {
                "Port" => {
                    // Port:  http  80/TCP
                    let words: Vec<&str> = item.value.split_whitespace().collect();
                    let port = words
                        .last()
                        .and_then(|word| word.split('/').next()?.parse().ok())
                        .unwrap_or(0);
                    let name = if words.len() > 1 {
                        words[0].trim_matches(['<', '>']).to_owned()
                    } else {
                        String::new()
                    };
                    ports.push(ServicePort {
                        name,
                        port,
                        target: port.to_string(),
                        src: item.src(self.file),
                    });
                }
                "TargetPort" => {
                    if let Some(port) = ports.last_mut() {
                        port.target = item.value.split('/').next().unwrap_or_default().to_owned();
                        port.src = item.src(self.file);
                    }
                }
                "Endpoints" if endpoints.as_ref().is_none_or(|known| known.v.is_empty()) => {
                    endpoints = Some(item.loc(self.file))
                }
                _ => {}
            }
        }
        let kind = page.get("Type").text().to_owned();
        cluster.services.push(Service {
            ns: self.ns.clone(),
            name: self.name.clone(),
            src: self.name_src(),
            pending_address: (kind == "LoadBalancer" && !page.has("LoadBalancer Ingress"))
                .then(|| page.get("Type").src(self.file)),
            kind,
            selector: page.get("Selector").pairs(),
            selector_src: page.get("Selector").src(self.file),
            ports,
            endpoints,
            cluster_ip: page.get("IP").text().to_owned(),
        });
    }
    fn ingress(&self, cluster: &mut Cluster) {
        let page = self.page;
        let mut backends = Vec::new();
        // "/path   service:port (10.0.0.1:80)" or "service:port (<error: endpoints "x" not found>)"
        let mut rows: Vec<&Item> = vec![page.get("Default backend")];
        rows.extend(
            page.get("Rules")
                .children
                .iter()
                .flat_map(|row| std::iter::once(row).chain(row.children.iter())),
        );
        for row in rows {
            for word in row.raw.split_whitespace() {
                if let Some((name, port)) = word.split_once(':')
                    && !name.is_empty()
                    && !name.contains(['/', '(', '.', '"'])
                    && !port.is_empty()
                    && !port.contains([',', ')', '/'])
                    && name != "<default>"
                {
                    backends.push((name.to_owned(), port.to_owned(), row.src(self.file)));
                }
            }
            if let Some((_, rest)) = row.raw.split_once("<error: ") {
                cluster.notes.push(Note {
                    kind: "Ingress".into(),
                    ns: self.ns.clone(),
                    name: self.name.clone(),
                    reason: "BackendNotFound".into(),
                    message: rest.trim_end_matches([')', '>']).to_owned(),
                    src: row.src(self.file),
                    count: 1,
                    warning: true,
                    current: true,
                    ..Note::default()
                });
            }
        }
        let tls = page.get("TLS").children.iter().filter_map(|row| {
            let name = row.raw.split_whitespace().next()?;
            (row.raw.contains("terminates") && !name.contains("SNI"))
                .then(|| Loc::new(name.to_owned(), row.src(self.file)))
        });
        cluster.ingresses.push(Ingress {
            ns: self.ns.clone(),
            name: self.name.clone(),
            src: self.name_src(),
            class: page.get("Ingress Class").loc(self.file),
            no_address: page.has("Address") && page.get("Address").text().is_empty(),
            backends,
            tls: tls.collect(),
        });
    }
}

/// The labels of the pods that the ingress rules of a described policy let in; `None` where they admit
/// more than labels tell.
fn admitted_pods(spec: &Item) -> Option<Vec<Labels>> {
    let rules = spec
        .children
        .iter()
        .find(|item| item.raw.starts_with("Allowing ingress traffic"))?;
    let mut admitted = Vec::new();
    let mut todo: Vec<&Item> = rules.children.iter().collect();
    while let Some(item) = todo.pop() {
        if item.key == "PodSelector" {
            let pairs = item.pairs();
            if pairs.is_empty() {
                return None;
            }
            admitted.push(pairs);
        } else if item.raw.starts_with("From: <any>")
            || item.key == "IPBlock"
            || item.key == "NamespaceSelector"
        {
            return None;
        }
        todo.extend(&item.children);
    }
    Some(admitted)
}

/// Port of a probe's description: `http-get http://:8079/ delay=…`, `tcp-socket :5432 …`.
fn probe_port(text: &str) -> String {
    let place = text.split_whitespace().nth(1).unwrap_or_default();
    let place = place.split_once("://").map_or(place, |(_, rest)| rest);
    place
        .split_once(':')
        .map(|(_, rest)| rest.split('/').next().unwrap_or_default().to_owned())
        .unwrap_or_default()
}

/// The container named in a kubelet's message.
pub fn container_of(message: &str) -> String {
    for lead in [
        "failed container ",
        "Created container: ",
        "Started container ",
        "Container ",
        "for container ",
    ] {
        if let Some((_, rest)) = message.split_once(lead) {
            let name = rest
                .split_whitespace()
                .next()
                .unwrap_or_default()
                .trim_matches(['"', ',', '.']);
            if !name.is_empty() && !name.contains('/') && name != "image" {
                return name.to_owned();
            }
        }
    }
    String::new()
}
