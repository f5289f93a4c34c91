//! Pages of workloads and nodes.

use super::super::model::*;
use super::super::objects::add_workload;
use super::super::time::parse_time;
use super::Page;

impl Page<'_> {
    pub fn node(&self, cluster: &mut Cluster) {
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

    pub fn workload(&self, cluster: &mut Cluster, kind: &str) {
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
        workload.node_selector = [page.get("Node-Selector"), template.get("Node-Selectors")]
            .into_iter()
            .find(|item| !item.text().is_empty())
            .map(|item| item.loc(self.file))
            .unwrap_or_default();
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
        // A replica set's page says "0 current / 2 desired", the others "2 desired | 2 updated | …".
        let wanted = replicas
            .text()
            .split(['/', '|'])
            .find(|part| part.contains("desired"))
            .and_then(number)
            .or_else(|| number(replicas.text()));
        if let Some(desired) = wanted {
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
        workload.schedule_src = page.get("Schedule").src(self.file);
        workload.zone = match page.get("Time Zone").text() {
            "<unset>" | "<none>" => String::new(),
            zone => zone.to_owned(),
        };
        for condition in &workload.conditions {
            cluster.saw_time(condition.since);
        }
        add_workload(cluster, workload);
    }
}
