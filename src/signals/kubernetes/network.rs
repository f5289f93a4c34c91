//! Services without endpoints, wrong ports, ingresses without backends.

use super::emit::{Ctx, Draft};
use super::model::*;

/// Services, ingresses and policies.
pub fn detect(ctx: &Ctx) {
    for service in &ctx.cluster.services {
        endpoints(ctx, service);
        ports(ctx, service);
        if let Some(src) = service.pending_address {
            // That nobody gave an address is known; why, only events or the controller's words tell.
            let draft = Draft::symptom("loadbalancer-pending", "Service", &service.ns, &service.name, 0.5)
                .says(
                    format!("service {} has no external address: its load balancer is pending", full_name(&service.ns, &service.name)),
                    format!("Service {} is of type LoadBalancer and no controller has given it an external address (EXTERNAL-IP <pending>).", full_name(&service.ns, &service.name)),
                )
                .show(ctx.quote(src, &service.name));
            ctx.emit(draft);
            without_address(ctx, service);
        }
    }
    for ingress in &ctx.cluster.ingresses {
        backends(ctx, ingress);
        ingress_class(ctx, ingress);
    }
}

/// Asks for what would tell why a load balancer gets no address, when nothing does.
fn without_address(ctx: &Ctx, service: &Service) {
    let said = ctx.cluster.notes.iter().any(|note| {
        note.kind == "Service"
            && note.name == service.name
            && (note.ns.is_empty() || note.ns == service.ns)
            && note.warning
    });
    if said {
        return;
    }
    let who = full_name(&service.ns, &service.name);
    ctx.ask(
        format!(
            "events of service {who} (kubectl -n {} describe service {})",
            service.ns, service.name
        ),
        "whoever makes load balancers writes there why it could not make this one",
        None,
    );
    ctx.ask(
        format!("log of the cloud controller manager, or of the cluster's own load balancer controller, about service {who}"),
        "it tells what the cloud or the address pool answered: no free public IP address, a quota, a missing right, a wrong subnet or annotation",
        None,
    );
    ctx.ask(
        "quota and use of load balancers and public IP addresses at the cloud provider, or the address pools of the controller",
        "an address is not given when the quota or the pool is used up",
        None,
    );
}

pub(super) fn pairs(labels: &Labels) -> String {
    labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(",")
}

fn endpoints(ctx: &Ctx, service: &Service) {
    let cluster = ctx.cluster;
    if service.selector.is_empty() || service.kind == "ExternalName" {
        return;
    }
    let sets: Vec<&Endpoints> = cluster
        .endpoints
        .iter()
        .filter(|set| set.service == service.name && set.ns == service.ns)
        .collect();
    let described_none = service
        .endpoints
        .as_ref()
        .is_some_and(|loc| loc.v.is_empty());
    let none = described_none || (!sets.is_empty() && sets.iter().all(|set| set.ready == 0));
    let pods: Vec<&Pod> = cluster
        .pods
        .iter()
        .filter(|pod| pod.ns == service.ns && !pod.labels.is_empty())
        .collect();
    let matching: Vec<&&Pod> = pods
        .iter()
        .filter(|pod| selects(&service.selector, &pod.labels) && !pod.is_done())
        .collect();
    let who = format!("service {}", full_name(&service.ns, &service.name));
    let all_pods_known = cluster.is_listed("Pod", &service.ns) || !pods.is_empty();
    // Nothing is said about endpoints, but every pod is known and none of them fits.
    let unsaid = sets.is_empty()
        && service.endpoints.is_none()
        && matching.is_empty()
        && cluster.is_listed("Pod", &service.ns)
        && !pods.is_empty();
    if !none && !unsaid {
        return;
    }
    let place = service
        .endpoints
        .as_ref()
        .map(|loc| loc.src)
        .or_else(|| sets.first().map(|set| set.src));
    if matching.is_empty() && all_pods_known {
        // Which pods come closest: the same value for one of the keys, or the same keys with others.
        let near = pods.iter().find(|pod| {
            service
                .selector
                .iter()
                .any(|(key, _)| pod.labels.iter().any(|(k, _)| k == key))
                && (pod.app() == service.name || pod.labels.iter().any(|(_, v)| *v == service.name))
        });
        let wanted = cluster
            .workloads
            .iter()
            .find(|w| w.ns == service.ns && selects(&service.selector, &w.template_labels));
        if let Some(workload) = wanted.filter(|workload| {
            workload
                .desired
                .as_ref()
                .is_some_and(|desired| desired.v == 0)
        }) {
            let draft = Draft::cause(
                "workload-scaled-to-zero",
                &workload.kind,
                &workload.ns,
                &workload.name,
                if ctx.in_ticket(&workload.name) || ctx.in_ticket(&service.name) {
                    0.85
                } else {
                    0.35
                },
            )
            .says(
                format!(
                    "{who} has no endpoints: {} {} is scaled to 0 replicas",
                    workload.kind.to_lowercase(),
                    workload.name
                ),
                format!(
                    "{who} has no endpoints because {} {} that it selects is scaled to zero.",
                    workload.kind.to_lowercase(),
                    full_name(&workload.ns, &workload.name)
                ),
            )
            .show(
                workload
                    .desired
                    .as_ref()
                    .and_then(|desired| ctx.quote(desired.src, "")),
            )
            .show(place.and_then(|src| ctx.quote(src, &service.name)));
            ctx.emit(draft.entity("service", &service.name));
            return;
        }
        let labels = near
            .map(|pod| format!("; pod {} has {}", pod.name, pairs(&pod.labels)))
            .unwrap_or_default();
        let asked = ctx.in_ticket(&service.name);
        let strength = match (near.is_some(), asked) {
            (true, _) => 0.78,
            (false, true) => 0.86,
            _ => 0.4,
        };
        let draft = Draft::cause(
            "service-selector-mismatch",
            "Service",
            &service.ns,
            &service.name,
            strength,
        )
        .says(
            format!(
                "{who} has no endpoints: no pod matches its selector {}",
                pairs(&service.selector)
            ),
            format!(
                "{who} has no endpoints: its selector {} matches the labels of no pod{labels}.",
                pairs(&service.selector)
            ),
        )
        .show(ctx.quote(service.selector_src, ""))
        .show(place.and_then(|src| ctx.quote(src, &service.name)))
        .show(near.and_then(|pod| ctx.quote(pod.src, &pod.name)));
        // A pod that is ready would be an endpoint, were it not for the selector.
        let ready = near.filter(|pod| pod.is_ready());
        ctx.emit(draft.entity("endpoint", ready.map_or("", |pod| pod.name.as_str())));
        return;
    }
    if none && unlabelled(ctx, service, place) {
        return;
    }
    if none {
        let unready: Vec<&str> = matching
            .iter()
            .filter(|pod| !pod.is_ready())
            .map(|pod| pod.name.as_str())
            .collect();
        let why = if unready.is_empty() {
            String::new()
        } else {
            format!(": none of its pods is ready ({})", unready.join(", "))
        };
        let draft = Draft::symptom(
            "service-no-endpoints",
            "Service",
            &service.ns,
            &service.name,
            0.55,
        )
        .says(
            format!("{who} has no ready endpoints{why}"),
            format!("{who} has no ready endpoints{why}, so connections to it are refused."),
        )
        .show(place.and_then(|src| ctx.quote(src, &service.name)))
        .show(ctx.quote(service.selector_src, ""));
        ctx.emit(match unready.first() {
            Some(pod) => draft.entity("pod", pod),
            None => draft,
        });
    }
}

/// No endpoints, although pods that look like the service's own are ready: the labels of pods are not in the
/// bundle, but a ready pod that the selector matched would be an endpoint.
fn unlabelled(ctx: &Ctx, service: &Service, place: Option<Src>) -> bool {
    let cluster = ctx.cluster;
    if cluster
        .pods
        .iter()
        .any(|pod| pod.ns == service.ns && !pod.labels.is_empty())
    {
        return false;
    }
    let here: Vec<&Pod> = cluster
        .pods
        .iter()
        .filter(|pod| pod.ns == service.ns && !pod.is_done())
        .collect();
    let own = here.iter().find(|pod| {
        pod.is_ready()
            && (pod.app() == service.name
                || service.name.starts_with(pod.app())
                || pod.app().starts_with(&service.name))
    });
    let all_ready = !here.is_empty() && here.iter().all(|pod| pod.is_ready());
    let Some(pod) = own.or_else(|| all_ready.then(|| &here[0])) else {
        return false;
    };
    let who = format!("service {}", full_name(&service.ns, &service.name));
    let strength = match (own.is_some(), ctx.in_ticket(&service.name)) {
        (true, true) => 0.84,
        (true, false) => 0.74,
        (false, true) => 0.66,
        (false, false) => 0.45,
    };
    let draft = Draft::cause("service-selector-mismatch", "Service", &service.ns, &service.name, strength)
        .says(
            format!("{who} has no endpoints although pod {} is ready: its selector {} matches no pod", pod.name, pairs(&service.selector)),
            format!("{who} has no endpoints. Pod {} is ready and would be one if the selector {} matched its labels.", pod.name, pairs(&service.selector)),
        )
        .show(ctx.quote(service.selector_src, ""))
        .show(place.and_then(|src| ctx.quote(src, &service.name)))
        .show(ctx.quote(pod.src, &pod.name));
    let ready = own.map_or("", |pod| pod.name.as_str());
    ctx.emit(draft.entity("pod", &pod.name).entity("endpoint", ready));
    true
}

/// An ingress whose class no controller answers for, or that has none.
fn ingress_class(ctx: &Ctx, ingress: &Ingress) {
    let class = ingress.class.v.as_str();
    let who = format!("ingress {}", full_name(&ingress.ns, &ingress.name));
    let known: Vec<&str> = ctx
        .cluster
        .names
        .iter()
        .filter(|(kind, _, _)| kind == "IngressClass")
        .map(|(_, _, name)| name.as_str())
        .collect();
    let listed = ctx.cluster.is_listed("IngressClass", "");
    let asked = ctx.in_ticket(&ingress.name)
        || ["ingress", "404", "reach", "unavailable", "url", "http"]
            .iter()
            .any(|word| ctx.ticket.contains(word));
    let (strength, title, statement) = if listed && !class.is_empty() && !known.contains(&class) {
        let have = if known.is_empty() {
            "none exists".to_owned()
        } else {
            format!("the cluster has: {}", known.join(", "))
        };
        (
            0.88,
            format!("{who} names ingress class {class}, which does not exist"),
            format!(
                "{who} names ingress class {class}, but there is no such class ({have}), so no controller serves it."
            ),
        )
    } else if ingress.no_address && !class.is_empty() {
        let usual = [
            "nginx",
            "traefik",
            "haproxy",
            "alb",
            "gce",
            "istio",
            "kong",
            "contour",
            "openshift-default",
            "azure-application-gateway",
            "cilium",
            "public",
            "webapprouting.kubernetes.azure.com",
        ];
        let odd = !usual.contains(&class);
        let others = ctx
            .cluster
            .ingresses
            .iter()
            .any(|other| other.class.v == class && !other.no_address);
        if others {
            return;
        }
        let strength = match (odd, asked) {
            (true, true) => 0.7,
            (true, false) => 0.58,
            (false, true) => 0.54,
            _ => 0.4,
        };
        (
            strength,
            format!("{who} has no address: no controller serves its ingress class {class}"),
            format!(
                "{who} has no address, which means that no ingress controller has taken it: its ingress class is {class}; a wrong class name or a missing controller leaves it like that."
            ),
        )
    } else if listed && class.is_empty() && ingress.no_address && !known.is_empty() {
        (
            if asked { 0.6 } else { 0.42 },
            format!("{who} names no ingress class and no controller has taken it"),
            format!(
                "{who} names no ingress class and has no address; the cluster has the classes {}.",
                known.join(", ")
            ),
        )
    } else {
        return;
    };
    let draft = Draft::cause(
        "ingress-class-unknown",
        "Ingress",
        &ingress.ns,
        &ingress.name,
        strength,
    )
    .says(title, statement)
    .show(ctx.quote_loc(&ingress.class))
    .show(ctx.quote(ingress.src, &ingress.name));
    ctx.emit(draft);
}

/// A target port that no selected container listens on.
fn ports(ctx: &Ctx, service: &Service) {
    if service.selector.is_empty() {
        return;
    }
    let pods: Vec<&Pod> = ctx
        .cluster
        .pods
        .iter()
        .filter(|pod| {
            pod.ns == service.ns && pod.detailed && selects(&service.selector, &pod.labels)
        })
        .collect();
    let Some(pod) = pods.first() else { return };
    let declared: Vec<&(String, i64)> = pod
        .containers
        .iter()
        .filter(|container| !container.init)
        .flat_map(|container| &container.ports)
        .filter(|(_, port)| *port > 0)
        .collect();
    if declared.is_empty() {
        return;
    }
    for port in &service.ports {
        let by_number = port.target.parse::<i64>().ok();
        let names_known = declared.iter().any(|(name, _)| !name.is_empty());
        let fits = match by_number {
            Some(number) => declared.iter().any(|(_, declared)| *declared == number),
            None => !names_known || declared.iter().any(|(name, _)| *name == port.target),
        };
        if fits || port.target.is_empty() {
            continue;
        }
        let who = format!("service {}", full_name(&service.ns, &service.name));
        let have = declared
            .iter()
            .map(|(name, number)| {
                if name.is_empty() {
                    number.to_string()
                } else {
                    format!("{name}={number}")
                }
            })
            .collect::<Vec<_>>()
            .join(", ");
        let asked = ctx.in_ticket(&service.name) || ctx.in_ticket(pod.app());
        // Containers may listen on ports that they do not declare; a missing name is certain.
        let strength = match (by_number.is_none(), asked) {
            (true, _) => 0.85,
            (false, true) => 0.8,
            (false, false) => 0.35,
        };
        let draft = Draft::cause("service-target-port-mismatch", "Service", &service.ns, &service.name, strength)
            .says(
                format!("{who}: targetPort {} is not a port of its pods ({have})", port.target),
                format!("{who} sends port {} to targetPort {}, but the containers of pod {} declare {have}.", port.port, port.target, pod.name),
            )
            .show(ctx.quote(port.src, &port.target))
            .show(ctx.quote(pod.src, &pod.name));
        ctx.emit(draft.entity("pod", &pod.name));
    }
}

fn backends(ctx: &Ctx, ingress: &Ingress) {
    let who = format!("ingress {}", full_name(&ingress.ns, &ingress.name));
    for (service, port, src) in &ingress.backends {
        let known = ctx
            .cluster
            .services
            .iter()
            .find(|known| known.name == *service && known.ns == ingress.ns);
        let listed = ctx.cluster.is_listed("Service", &ingress.ns);
        match known {
            None if listed => {
                let draft = Draft::cause("ingress-backend-missing", "Ingress", &ingress.ns, &ingress.name, 0.88)
                    .says(format!("{who} sends traffic to service {service}, which does not exist"), format!("{who} names the backend service {service}, but there is no such service (not found) in namespace {}.", ingress.ns))
                    .show(ctx.quote(*src, service));
                ctx.emit(draft.entity("service", service));
            }
            Some(known) if !known.ports.is_empty() && !port.is_empty() => {
                let fits = known.ports.iter().any(|candidate| {
                    candidate.name == *port || candidate.port.to_string() == *port
                });
                if !fits {
                    let draft = Draft::cause("ingress-backend-port-mismatch", "Ingress", &ingress.ns, &ingress.name, 0.84)
                        .says(format!("{who} sends traffic to port {port} of service {service}, which has no such port"), format!("{who} names port {port} of service {service}; the service offers {}.", known.ports.iter().map(|p| p.port.to_string()).collect::<Vec<_>>().join(", ")))
                        .show(ctx.quote(*src, port))
                        .show(ctx.quote(known.src, service));
                    ctx.emit(draft.entity("service", service));
                }
            }
            _ => {}
        }
    }
    for secret in &ingress.tls {
        if ctx.cluster.is_listed("Secret", &ingress.ns)
            && !ctx.cluster.has("Secret", &ingress.ns, &secret.v)
        {
            let draft = Draft::cause("ingress-tls-secret-missing", "Ingress", &ingress.ns, &ingress.name, 0.72)
                .says(format!("{who} needs TLS secret {}, which does not exist", secret.v), format!("{who} names the TLS secret {}, but there is no such secret (not found) in namespace {}.", secret.v, ingress.ns))
                .show(ctx.quote_loc(secret));
            ctx.emit(draft);
        }
    }
}
