//! Addresses in the settings of containers beside the services that exist.

use super::*;

static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?(?:[^@/\s]*@)?(?P<host>[a-z][a-z0-9-]*(?:\.[a-z0-9-]+)*)(?::(?P<port>\d{2,5}))?(?:[/?,].*)?$").ok()
});

/// Service and namespace that a host means, if it can be one of the cluster.
pub(super) fn service_of(host: &str, ns: &str) -> Option<(String, String, bool)> {
    let parts: Vec<&str> = host.split('.').collect();
    match parts[..] {
        [name] => Some((ns.to_owned(), name.to_owned(), false)),
        [name, of] => Some((of.to_owned(), name.to_owned(), false)),
        [name, of, "svc", ..] => Some((of.to_owned(), name.to_owned(), true)),
        _ => None,
    }
}

/// Addresses in the settings of pods against the services there are.
pub(super) fn addresses(ctx: &Ctx) {
    let mut told = BTreeSet::new();
    for pod in ctx.cluster.pods.iter().filter(|pod| !pod.is_done()) {
        for container in &pod.containers {
            for (variable, value) in &container.env {
                let Some(found) = ADDRESS
                    .as_ref()
                    .filter(|_| value.v.len() < 300)
                    .and_then(|regex| regex.captures(value.v.trim()))
                else {
                    continue;
                };
                let host = &found["host"];
                let scheme = found.name("scheme").map_or("", |part| part.as_str());
                let is_address = !scheme.is_empty()
                    || found.name("port").is_some()
                    || ["_HOST", "_ADDR", "_ADDRESS", "_SERVER", "_ENDPOINT", "_URL"]
                        .iter()
                        .any(|end| variable.ends_with(end));
                let Some((ns, name, certain)) = service_of(host, &pod.ns).filter(|_| is_address)
                else {
                    continue;
                };
                let port: Option<i64> = found
                    .name("port")
                    .and_then(|port| port.as_str().parse().ok())
                    .or_else(|| {
                        let stem = variable.strip_suffix("_HOST")?;
                        let (_, port) = container
                            .env
                            .iter()
                            .find(|(other, _)| *other == format!("{stem}_PORT"))?;
                        port.v.trim().parse().ok()
                    })
                    .or(match scheme {
                        "http" => Some(80),
                        "https" => Some(443),
                        _ => None,
                    });
                let Some((title, place)) = wrong(ctx, &ns, &name, host, port, certain) else {
                    continue;
                };
                if !told.insert((pod.ns.clone(), pod.app().to_owned(), variable.clone())) {
                    continue;
                }
                let complains = ctx.signals().iter().any(|signal| {
                    signal.role == Role::Cause
                        && app_of(&signal.subject.name) == pod.app()
                        && signal.evidence.iter().any(|line| {
                            contains_word(&line.quote, host) || contains_word(&line.quote, &name)
                        })
                });
                let strength = match (complains, pod.is_ready()) {
                    (true, _) => 0.92,
                    (false, false) => 0.7,
                    (false, true) => 0.34,
                };
                let who = pod_words(pod, &container.name);
                let draft =
                    Draft::cause("wrong-service-address", "Pod", &pod.ns, &pod.name, strength)
                        .says(
                            format!("{who}: {variable} is {}, but {title}", cut(&value.v, 80)),
                            format!(
                                "{who} is configured with {variable}={}, but {title}.",
                                cut(&value.v, 120)
                            ),
                        )
                        .show(ctx.quote_loc(value))
                        .show(place.and_then(|src| ctx.quote(src, &name)))
                        .entity("dependency", host)
                        .entity("service", &name);
                ctx.emit(with_pod(draft, pod, &container.name));
            }
        }
    }
}

/// What is wrong with an address, and the place that shows it.
pub(super) fn wrong(
    ctx: &Ctx,
    ns: &str,
    name: &str,
    host: &str,
    port: Option<i64>,
    certain: bool,
) -> Option<(String, Option<Src>)> {
    let cluster = ctx.cluster;
    let of_rows = cluster
        .facts
        .ports
        .iter()
        .find(|(of, service, ..)| of == ns && service == name);
    let known = cluster
        .services
        .iter()
        .find(|service| service.ns == ns && service.name == name);
    let have: Vec<i64> = known
        .map(|service| {
            service
                .ports
                .iter()
                .map(|port| port.port)
                .collect::<Vec<_>>()
        })
        .filter(|ports| !ports.is_empty())
        .or_else(|| of_rows.map(|(_, _, ports, _)| ports.clone()))
        .unwrap_or_default();
    if let Some(known) = known {
        // A headless service has no ports of its own: names lead to the pods.
        let headless =
            known.cluster_ip.eq_ignore_ascii_case("none") || known.kind == "ExternalName";
        let port = port.filter(|port| !have.is_empty() && !have.contains(port) && !headless)?;
        let list: Vec<String> = have.iter().map(i64::to_string).collect();
        return Some((
            format!(
                "service {} has no port {port} (it has {})",
                full_name(ns, name),
                list.join(", ")
            ),
            Some(of_rows.map_or(known.src, |(.., src)| *src)),
        ));
    }
    let all: Vec<&Service> = cluster
        .services
        .iter()
        .filter(|service| service.ns == ns)
        .collect();
    if all.is_empty() || !cluster.is_listed("Service", ns) && all.len() < 2 {
        return None;
    }
    // A bare name may be anything, unless one that is nearly the same exists.
    let near = all.iter().find(|service| {
        let (a, b) = (service.name.as_str(), name);
        a.len() > 3 && b.len() > 3 && (a.contains(b) || b.contains(a) || differs_little(a, b))
    });
    if !certain && (near.is_none() || host.contains('.')) {
        return None;
    }
    let instead = near
        .map(|service| format!("; there is a service {}", service.name))
        .unwrap_or_default();
    Some((
        format!(
            "no service {} exists (not found){instead}",
            full_name(ns, name)
        ),
        near.or(all.first()).map(|service| service.src),
    ))
}

/// Whether two names differ in one character, or two that changed places.
pub(super) fn differs_little(a: &str, b: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let tail = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(x, y)| x == y)
        .count();
    let rest = a.len().max(b.len()).saturating_sub(head + tail);
    rest <= 1
        || rest == 2
            && a.len() == b.len()
            && a.get(head) == b.get(head + 1)
            && a.get(head + 1) == b.get(head)
}
