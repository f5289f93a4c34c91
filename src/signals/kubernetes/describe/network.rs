//! Pages of services, ingresses and network policies.

use super::super::model::*;
use super::super::pages::Item;
use super::Page;

impl Page<'_> {
    pub fn service(&self, cluster: &mut Cluster) {
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

    pub fn ingress(&self, cluster: &mut Cluster) {
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

    pub fn policy(&self, cluster: &mut Cluster) {
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
            // Peers are shown in many ways here: nothing is said about them.
            confines_egress: false,
            // Peers are shown in many ways here; a rule for port 53 or any port may reach the DNS.
            admits_dns: egress.is_some_and(|egress| {
                egress.children.iter().any(|item| {
                    let port = item.raw.strip_prefix("To Port:").map(str::trim);
                    port.is_some_and(|port| {
                        port.starts_with("53/") || port.starts_with("<any>") || port.contains("dns")
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
            peers: peers(spec, self.file),
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

/// Whom the ingress rules of a described policy let in; `None` where they do not go by equal labels alone.
fn peers(spec: &Item, file: u32) -> Option<Vec<Peer>> {
    let rules = spec
        .children
        .iter()
        .find(|item| item.raw.starts_with("Allowing ingress traffic"))?;
    let mut found = Vec::new();
    let mut todo: Vec<&Item> = rules.children.iter().collect();
    while let Some(item) = todo.pop() {
        if item.raw.starts_with("From:") {
            let mut peer = Peer::default();
            let parts = || item.children.iter();
            let by_labels = !item.children.is_empty()
                && parts().all(|part| {
                    matches!(part.key.as_str(), "NamespaceSelector" | "PodSelector")
                        && (part.text().is_empty() || !part.pairs().is_empty())
                        && !part.value.contains([' ', '!'])
                });
            if !by_labels {
                return None;
            }
            for part in parts() {
                peer.src = part.src(file);
                match part.key.as_str() {
                    "NamespaceSelector" => peer.namespaces = Some(part.pairs()),
                    _ => peer.pods = part.pairs(),
                }
            }
            found.push(peer);
            continue;
        }
        todo.extend(&item.children);
    }
    Some(found)
}
