//! Services, their endpoints, ingresses and network policies.

use super::super::model::*;
use super::super::value::Val;
use super::{Obj, labels};

pub fn endpoints(cluster: &mut Cluster, obj: &Obj) {
    let val = obj.val;
    let meta = val.get("metadata");
    let ns = meta.get("namespace").text().to_owned();
    let name = meta.get("name").text().to_owned();
    let count = |key: &str| {
        val.get("subsets")
            .items()
            .iter()
            .map(|subset| subset.get(key).items().len())
            .sum()
    };
    let item = Endpoints {
        ns,
        service: name,
        src: obj.name_src(),
        ready: count("addresses"),
        not_ready: count("notReadyAddresses"),
    };
    cluster.endpoints.push(item);
}

pub fn slice(cluster: &mut Cluster, obj: &Obj) {
    let val = obj.val;
    let meta = val.get("metadata");
    let ns = meta.get("namespace").text().to_owned();
    let service = meta
        .at_path(&["labels", "kubernetes.io/service-name"])
        .text()
        .to_owned();
    let is_ready = |endpoint: &Val| {
        endpoint
            .at_path(&["conditions", "ready"])
            .bool()
            .unwrap_or(true)
    };
    let ready = val
        .get("endpoints")
        .items()
        .iter()
        .filter(|endpoint| is_ready(endpoint))
        .count();
    let not_ready = val.get("endpoints").items().len() - ready;
    if !service.is_empty() {
        cluster.endpoints.push(Endpoints {
            ns,
            service,
            src: obj.name_src(),
            ready,
            not_ready,
        });
    }
}

pub fn policy(cluster: &mut Cluster, obj: &Obj) {
    let val = obj.val;
    let meta = val.get("metadata");
    let ns = meta.get("namespace").text().to_owned();
    let name = meta.get("name").text().to_owned();
    let spec = val.get("spec");
    let types: Vec<&str> = spec
        .get("policyTypes")
        .items()
        .iter()
        .map(Val::text)
        .collect();
    let has_ingress = types.is_empty() || types.contains(&"Ingress");
    let egress = spec.get("egress");
    let egress_type = spec
        .get("policyTypes")
        .items()
        .iter()
        .find(|item| item.text() == "Egress");
    cluster.netpols.push(NetPol {
        limits_egress: egress_type.is_some() || (types.is_empty() && !egress.items().is_empty()),
        confines_egress: (egress_type.is_some()
            || (types.is_empty() && !egress.items().is_empty()))
            && egress
                .items()
                .iter()
                .all(|rule| rule_stays_inside(rule, &ns)),
        admits_dns: egress.items().iter().any(|rule| rule_admits_dns(rule, &ns)),
        has_expressions: !spec
            .at_path(&["podSelector", "matchExpressions"])
            .items()
            .is_empty(),
        egress_src: obj.src(egress_type.unwrap_or(egress).at),
        ns,
        name,
        src: obj.name_src(),
        selector: labels(spec.at_path(&["podSelector", "matchLabels"])),
        denies_ingress: has_ingress && spec.get("ingress").items().is_empty(),
        limits_ingress: has_ingress,
        admits_pods: admitted_pods(spec.get("ingress")),
        peers: peers(obj, spec.get("ingress")),
        denies_egress: types.contains(&"Egress") && spec.get("egress").items().is_empty(),
    });
}

/// Whether an egress rule of a policy in `ns` lets nothing leave the namespace but questions to DNS.
fn rule_stays_inside(rule: &Val, ns: &str) -> bool {
    let ports = rule.get("ports").items();
    let only_dns = !ports.is_empty()
        && ports.iter().all(|port| {
            port.get("endPort").is_null()
                && matches!(port.get("port").scalar().as_str(), "53" | "dns" | "dns-tcp")
        });
    let peers = rule.get("to").items();
    only_dns
        || !peers.is_empty()
            && peers.iter().all(|peer| {
                let own = ["matchLabels", "kubernetes.io/metadata.name"];
                let namespaces = peer.get("namespaceSelector");
                peer.get("ipBlock").is_null()
                    && (namespaces.is_null() || namespaces.at_path(&own).text() == ns)
            })
}

/// Whether an egress rule of a policy in `ns` may let questions to the cluster's DNS pass: port 53 or
/// any port, to anybody or to peers that may be outside the namespace. In doubt it may.
fn rule_admits_dns(rule: &Val, ns: &str) -> bool {
    const DNS: i64 = 53;
    let ports = rule.get("ports").items();
    let by_port = ports.is_empty()
        || ports.iter().any(|port| {
            let first = port.get("port");
            if first.is_null() {
                return true;
            }
            let number = first.int().or_else(|| first.scalar().parse().ok());
            match (number, port.get("endPort").int()) {
                (Some(number), Some(end)) => (number..=end).contains(&DNS),
                (Some(number), None) => number == DNS,
                (None, _) => first.text().contains("dns"),
            }
        });
    let peers = rule.get("to").items();
    let by_peer = peers.is_empty()
        || peers.iter().any(|peer| {
            let namespaces = peer.get("namespaceSelector");
            if !peer.get("ipBlock").is_null() {
                return true;
            }
            if namespaces.is_null() {
                // Without a namespace selector the peers are pods of the policy's own namespace.
                return ns == "kube-system" || ns.ends_with("-dns");
            }
            let name = namespaces.at_path(&["matchLabels", "kubernetes.io/metadata.name"]);
            name.is_null() || name.text() == "kube-system" || name.text().ends_with("-dns")
        });
    by_port && by_peer
}

/// The labels of the pods of a policy's own namespace that its ingress rules let in; `None` when a rule
/// admits more than can be told by labels.
fn admitted_pods(rules: &Val) -> Option<Vec<Labels>> {
    let mut admitted = Vec::new();
    for rule in rules.items() {
        if rule.get("from").items().is_empty() {
            return None;
        }
        for peer in rule.get("from").items() {
            let pods = peer.at_path(&["podSelector", "matchLabels"]);
            if pods.members().is_empty()
                || !peer
                    .at_path(&["podSelector", "matchExpressions"])
                    .items()
                    .is_empty()
            {
                return None;
            }
            admitted.push(labels(pods));
        }
    }
    Some(admitted)
}

/// Whom the ingress rules let in; `None` when one of them does not go by equal labels alone.
fn peers(obj: &Obj, rules: &Val) -> Option<Vec<Peer>> {
    let mut peers = Vec::new();
    for rule in rules.items() {
        if rule.get("from").items().is_empty() {
            return None;
        }
        for peer in rule.get("from").items() {
            let (namespaces, pods) = (peer.get("namespaceSelector"), peer.get("podSelector"));
            let expressions = [namespaces, pods]
                .iter()
                .any(|selector| !selector.get("matchExpressions").items().is_empty());
            if expressions || !peer.get("ipBlock").is_null() {
                return None;
            }
            let wanted = |selector: &Val| labels(selector.get("matchLabels"));
            let shown = if namespaces.is_null() {
                pods
            } else {
                namespaces
            };
            let first = shown.get("matchLabels").members().first();
            peers.push(Peer {
                namespaces: (!namespaces.is_null()).then(|| wanted(namespaces)),
                pods: wanted(pods),
                src: obj.src(first.map_or(shown.at, |(_, value)| value.at)),
            });
        }
    }
    Some(peers)
}

pub fn service(cluster: &mut Cluster, obj: &Obj) {
    let (meta, spec) = (obj.val.get("metadata"), obj.val.get("spec"));
    let port = |port: &Val| {
        let target = if port.get("targetPort").is_null() {
            port.get("port")
        } else {
            port.get("targetPort")
        };
        ServicePort {
            name: port.get("name").text().to_owned(),
            port: port.get("port").int().unwrap_or(0),
            target: target.scalar(),
            src: obj.src(target.at),
        }
    };
    let kind = spec.get("type").text().to_owned();
    let balancer = obj.val.at_path(&["status", "loadBalancer"]);
    let pending = kind == "LoadBalancer"
        && !obj.val.get("status").is_null()
        && balancer.get("ingress").items().is_empty();
    cluster.services.push(Service {
        ns: meta.get("namespace").text().to_owned(),
        name: meta.get("name").text().to_owned(),
        src: obj.name_src(),
        pending_address: pending.then(|| obj.src(spec.get("type").at)),
        kind,
        selector: labels(spec.get("selector")),
        selector_src: obj.src(
            spec.get("selector")
                .members()
                .first()
                .map_or(spec.get("selector").at, |(_, value)| value.at),
        ),
        ports: spec.get("ports").items().iter().map(port).collect(),
        endpoints: None,
        cluster_ip: spec.get("clusterIP").text().to_owned(),
    });
}

pub fn ingress(cluster: &mut Cluster, obj: &Obj) {
    let (meta, spec) = (obj.val.get("metadata"), obj.val.get("spec"));
    let mut backends = Vec::new();
    let mut push = |backend: &Val| {
        let (new, old) = (
            backend.at_path(&["service", "name"]),
            backend.get("serviceName"),
        );
        let name = if new.is_null() { old } else { new };
        if !name.is_null() {
            let port = backend.at_path(&["service", "port"]);
            let number = if port.get("number").is_null() {
                port.get("name").scalar()
            } else {
                port.get("number").scalar()
            };
            let port = if number.is_empty() {
                backend.get("servicePort").scalar()
            } else {
                number
            };
            backends.push((name.text().to_owned(), port, obj.src(name.at)));
        }
    };
    push(spec.get("defaultBackend"));
    push(spec.get("backend"));
    for rule in spec.get("rules").items() {
        for path in rule.at_path(&["http", "paths"]).items() {
            push(path.get("backend"));
        }
    }
    let class = if spec.get("ingressClassName").is_null() {
        meta.at_path(&["annotations", "kubernetes.io/ingress.class"])
    } else {
        spec.get("ingressClassName")
    };
    cluster.ingresses.push(Ingress {
        ns: meta.get("namespace").text().to_owned(),
        name: meta.get("name").text().to_owned(),
        src: obj.name_src(),
        class: obj.loc(class),
        no_address: !obj.val.get("status").is_null()
            && obj
                .val
                .at_path(&["status", "loadBalancer", "ingress"])
                .items()
                .is_empty(),
        backends,
        tls: spec
            .get("tls")
            .items()
            .iter()
            .filter(|tls| !tls.get("secretName").is_null())
            .map(|tls| obj.loc(tls.get("secretName")))
            .collect(),
    });
}
