//! Pages of pods: containers, states, probes, environment, volumes.

use super::super::model::*;
use super::super::objects::add_pod;
use super::super::pages::Item;
use super::super::time::parse_time;
use super::Page;

impl Page<'_> {
    pub fn state(&self, item: &Item) -> State {
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

    pub fn containers(&self, item: &Item, init: bool) -> Vec<Container> {
        item.children
            .iter()
            .filter(|child| !child.key.is_empty())
            .map(|child| self.container(child, init))
            .collect()
    }

    pub fn container(&self, item: &Item, init: bool) -> Container {
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

    pub fn pod(&self, cluster: &mut Cluster) {
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
