//! Pages of `kubectl describe` into the typed picture.
//!
//! [`super::pages`] reads a page as a tree by indentation; here each kind of page is mapped.

mod network;
mod pods;
mod workloads;

pub use pods::container_of;

use super::model::*;
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
            "NetworkPolicy" => self.policy(cluster),
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
                quiet: false,
            });
        }
    }
}
