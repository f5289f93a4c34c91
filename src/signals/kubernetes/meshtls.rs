//! Service meshes: clients that are told to speak another TLS than the workload accepts.

use super::emit::{Ctx, Draft, contains_word, cut};
use super::lastwords;
use super::model::*;
use super::value::Val;

/// Namespace of the mesh itself: what stands there holds for all namespaces.
const ROOT: &str = "istio-system";

fn place(file: u32, val: &Val) -> Src {
    Src {
        file,
        line: val.at.line,
        column: val.at.column,
    }
}

/// Reads the TLS mode that a destination rule tells clients to use.
pub fn read_rule(cluster: &mut Cluster, file: u32, val: &Val) {
    let mode = val.at_path(&["spec", "trafficPolicy", "tls", "mode"]);
    if mode.text().is_empty() {
        return;
    }
    let meta = val.get("metadata");
    cluster.tls_modes.push(TlsMode {
        ns: meta.get("namespace").text().to_owned(),
        name: meta.get("name").text().to_owned(),
        host: val.at_path(&["spec", "host"]).text().to_owned(),
        mode: mode.text().to_owned(),
        selector: Labels::new(),
        created: meta.get("creationTimestamp").text().to_owned(),
        src: place(file, mode),
    });
}

/// Reads the TLS mode that a peer authentication demands of a workload's clients.
pub fn read_peer(cluster: &mut Cluster, file: u32, val: &Val) {
    let mode = val.at_path(&["spec", "mtls", "mode"]);
    if mode.text().is_empty() {
        return;
    }
    let meta = val.get("metadata");
    cluster.tls_modes.push(TlsMode {
        ns: meta.get("namespace").text().to_owned(),
        name: meta.get("name").text().to_owned(),
        host: String::new(),
        mode: mode.text().to_owned(),
        selector: val
            .at_path(&["spec", "selector", "matchLabels"])
            .members()
            .iter()
            .map(|(key, value)| (key.clone(), value.scalar()))
            .collect(),
        created: meta.get("creationTimestamp").text().to_owned(),
        src: place(file, mode),
    });
}

/// Rules for clients that contradict what the workload accepts.
pub fn detect(ctx: &Ctx) {
    outsiders(ctx);
    let modes = &ctx.cluster.tls_modes;
    for rule in modes.iter().filter(|mode| !mode.host.is_empty()) {
        let mut parts = rule.host.split('.');
        let service = parts.next().unwrap_or_default();
        let ns = parts.next().unwrap_or(&rule.ns);
        let Some(peer) = demanded(ctx, service, ns) else {
            continue;
        };
        let plain = matches!(rule.mode.as_str(), "DISABLE" | "SIMPLE");
        let clash = plain && peer.mode == "STRICT"
            || matches!(rule.mode.as_str(), "ISTIO_MUTUAL" | "MUTUAL") && peer.mode == "DISABLE";
        if !clash {
            continue;
        }
        let refused = refusals(ctx, service);
        let (rule_name, peer_name) = (
            full_name(&rule.ns, &rule.name),
            full_name(&peer.ns, &peer.name),
        );
        let (speak, accept) = match (plain, rule.mode.as_str()) {
            (true, "DISABLE") => ("plain text", "only mutual TLS"),
            (true, _) => ("TLS without a client certificate", "only mutual TLS"),
            _ => ("mutual TLS", "only plain text"),
        };
        let since = if rule.created.is_empty() {
            String::new()
        } else {
            format!(" The rule was created at {}.", rule.created)
        };
        let mut draft = Draft::cause(
            "mesh-tls-conflict",
            "DestinationRule",
            &rule.ns,
            &rule.name,
            if refused.is_empty() { 0.62 } else { 0.9 },
        )
        .says(
            format!("destination rule {rule_name} (TLS mode {}) makes clients speak {speak} to {service}, but peer authentication {peer_name} ({}) lets {service} accept {accept} (mTLS)", rule.mode, peer.mode),
            format!("Destination rule {rule_name} sets TLS mode {} for {}, so clients in the mesh speak {speak}; peer authentication {peer_name} demands {}, so the workload accepts {accept} and resets their connections.{since}", rule.mode, rule.host, peer.mode),
        )
        .show(ctx.quote(rule.src, &rule.mode))
        .show(ctx.quote(peer.src, &peer.mode))
        .entity("service", service);
        for (src, line) in refused {
            draft = draft.show(ctx.quote(src, &cut(&line, 200)));
        }
        ctx.emit(draft);
    }
}

/// Proxies that turn plain text away where a rule demands mutual TLS: the client is outside of the mesh.
fn outsiders(ctx: &Ctx) {
    for log in ctx.cluster.logs.iter().filter(|log| !log.empty) {
        let strict = ctx.cluster.tls_modes.iter().find(|mode| {
            mode.host.is_empty() && mode.mode == "STRICT" && mode.ns == log.ns && !log.ns.is_empty()
        });
        let Some(peer) = strict else { continue };
        let (mut count, mut last) = (0u32, 0u32);
        ctx.each_line(log, usize::MAX, |number, line| {
            if line.contains("filter_chain_not_found") {
                (count, last) = (count + 1, number);
            }
        });
        if count < 2 {
            continue;
        }
        let peer_name = full_name(&peer.ns, &peer.name);
        let who = full_name(&log.ns, &log.pod);
        let src = Src {
            file: log.file,
            line: last,
            column: 0,
        };
        let draft = Draft::cause("mesh-tls-conflict", "PeerAuthentication", &peer.ns, &peer.name, 0.92)
            .says(
                format!("peer authentication {peer_name} demands mutual TLS (STRICT mTLS), and a client without a sidecar speaks plain text to pod {who}: filter_chain_not_found"),
                format!("The proxy of pod {who} turns connections away {count} times because they are plain text (filter_chain_not_found), while peer authentication {peer_name} of its namespace demands STRICT mTLS. The client is outside of the mesh: it has no sidecar, or its namespace no injection."),
            )
            .show(ctx.quote(peer.src, &peer.mode))
            .show(ctx.quote(src, "filter_chain_not_found"));
        ctx.emit(draft);
        return;
    }
}

/// What the pods behind a service demand: their own rule before that of their namespace before the mesh's.
fn demanded<'a>(ctx: &Ctx<'a>, service: &str, ns: &str) -> Option<&'a TlsMode> {
    let peers = || {
        ctx.cluster
            .tls_modes
            .iter()
            .filter(|mode| mode.host.is_empty())
    };
    let labels: Option<&Labels> = ctx
        .cluster
        .services
        .iter()
        .find(|known| known.name == service && known.ns == ns)
        .map(|known| &known.selector);
    peers()
        .find(|peer| {
            peer.ns == ns
                && !peer.selector.is_empty()
                && (labels.is_some_and(|labels| selects(&peer.selector, labels))
                    || peer.selector.iter().any(|(_, value)| value == service))
        })
        .or_else(|| peers().find(|peer| peer.ns == ns && peer.selector.is_empty()))
        .or_else(|| peers().find(|peer| peer.ns == ROOT && peer.selector.is_empty()))
}

/// Lines of proxies that show refused connections: one of the workload's, one of a client's.
fn refusals(ctx: &Ctx, service: &str) -> Vec<(Src, String)> {
    let find = |signs: &[&str], named: bool| {
        ctx.cluster.logs.iter().find_map(|log| {
            let own = log.pod.starts_with(service);
            if log.empty || !named && !own {
                return None;
            }
            lastwords::tail(ctx, log)
                .into_iter()
                .find(|(_, line)| {
                    signs.iter().any(|sign| line.contains(sign))
                        && (!named || contains_word(line, service))
                })
                .map(|(line, text)| {
                    let src = Src {
                        file: log.file,
                        line,
                        column: 0,
                    };
                    (src, text)
                })
        })
    };
    let server = find(
        &[
            "filter_chain_not_found",
            "WRONG_VERSION_NUMBER",
            "HTTP_REQUEST",
        ],
        false,
    );
    let client = find(
        &[
            "upstream_reset_before_response_started",
            "connection_termination",
            "upstream connect error",
            "WRONG_VERSION_NUMBER",
            "TLS_error",
        ],
        true,
    );
    server.into_iter().chain(client).collect()
}
