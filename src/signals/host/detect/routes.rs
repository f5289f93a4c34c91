//! Ways out of the host: a gateway that does not answer, networks that overlap, addresses that failed their check.

use super::interfaces::WORDS;
use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};
use crate::signals::host::logs::Hits;
use std::net::Ipv4Addr;

/// One route of the main table.
struct Route {
    net: Ipv4Addr,
    bits: u32,
    via: Option<Ipv4Addr>,
    dev: String,
    line: Evidence,
}

pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    failed_check(host, out);
    let routes = host
        .commands("ip", |name| {
            name.contains("route") && !name.contains("netns") && !name.contains("-6")
        })
        .into_iter()
        .next()
        .map(|doc| routes(&doc))
        .unwrap_or_default();
    gateway(host, &routes, out);
    overlap(host, hits, &routes, out);
}

fn routes(doc: &Doc) -> Vec<Route> {
    doc.lines()
        .filter(|(_, line)| !line.contains("linkdown") && !line.contains("dead"))
        .filter_map(|(number, line)| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let after = |key: &str| {
                words
                    .iter()
                    .position(|word| *word == key)
                    .and_then(|at| words.get(at + 1))
                    .copied()
            };
            if after("table").is_some_and(|table| table != "main") {
                return None;
            }
            let (net, bits) = match *words.first()? {
                "default" => (Ipv4Addr::UNSPECIFIED, 0),
                word => {
                    let (net, bits) = word.split_once('/').unwrap_or((word, "32"));
                    (
                        net.parse().ok()?,
                        bits.parse().ok().filter(|bits| *bits <= 32)?,
                    )
                }
            };
            Some(Route {
                net,
                bits,
                via: after("via").and_then(|word| word.parse().ok()),
                dev: after("dev")?.to_owned(),
                line: doc.cite(number),
            })
        })
        .collect()
}

fn within(address: Ipv4Addr, route: &Route) -> bool {
    let mask = u32::MAX.checked_shl(32 - route.bits).unwrap_or(0);
    u32::from(address) & mask == u32::from(route.net) & mask
}

/// The kernel asks for the gateway's hardware address and gets no answer.
fn gateway(host: &Host, routes: &[Route], out: &mut Partial) {
    let Some(doc) = host
        .commands("ip", |name| {
            name.contains("neigh") && !name.contains("netns") && !name.contains("noarp")
        })
        .into_iter()
        .next()
    else {
        return;
    };
    for route in routes.iter().filter(|route| route.bits == 0) {
        let Some(via) = route.via.map(|via| via.to_string()) else {
            continue;
        };
        let entry = doc.line_with(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(&via)
                && line.contains(&format!(" dev {} ", route.dev))
                && (line.contains("FAILED") || line.contains("INCOMPLETE"))
        });
        let Some((number, _)) = entry else { continue };
        Draft::cause("gateway-silent", "gateway-unreachable", 0.84, "Gateway", &via)
            .says(
                format!("The default gateway {via} does not answer on {}", route.dev),
                format!("The default route leads to {via} through {}, and nobody there answers for that address: the gateway is down, the port is in a wrong VLAN, or the address is wrong. Nothing beyond the own networks can be reached.", route.dev),
            )
            .cites([doc.cite(number), route.line.clone()])
            .with("interface", route.dev.as_str())
            .if_ticket(host, WORDS)
            .put(out);
        return;
    }
}

/// Bridges that container engines and libvirt make by themselves; Docker names its own after twelve hexadecimal
/// digits, other bridges may carry the host's own address.
fn is_private_bridge(name: &str) -> bool {
    let of_docker = name
        .strip_prefix("br-")
        .is_some_and(|id| id.len() == 12 && id.bytes().all(|b| b.is_ascii_hexdigit()));
    of_docker
        || [
            "docker", "virbr", "lxdbr", "lxcbr", "incusbr", "podman", "cni", "vmnet",
        ]
        .iter()
        .any(|start| name.starts_with(start))
}

/// A network of containers that covers an address which the host needs elsewhere.
fn overlap(host: &Host, hits: &Hits, routes: &[Route], out: &mut Partial) {
    let servers: Vec<(Ipv4Addr, Evidence)> = host
        .file("etc/resolv.conf")
        .map(|doc| {
            doc.lines()
                .filter_map(|(number, line)| {
                    Some((
                        line.trim()
                            .strip_prefix("nameserver")?
                            .trim()
                            .parse()
                            .ok()?,
                        doc.cite(number),
                    ))
                })
                .collect()
        })
        .unwrap_or_default();
    for bridge in routes.iter().filter(|route| {
        route.via.is_none() && (8..31).contains(&route.bits) && is_private_bridge(&route.dev)
    }) {
        let gateway = routes.iter().find(|route| {
            route.dev != bridge.dev && route.via.is_some_and(|via| within(via, bridge))
        });
        let card = routes.iter().find(|route| {
            route.via.is_none()
                && route.bits > 0
                && route.dev != bridge.dev
                && !is_private_bridge(&route.dev)
                && (within(route.net, bridge) || within(bridge.net, route))
        });
        // Near the bridge's own address stand containers, one of which may well be a name server.
        let near = u32::from(bridge.net) >> 8;
        let server = servers
            .iter()
            .find(|(address, _)| within(*address, bridge) && u32::from(*address) >> 8 != near);
        let (what, lines, strength) = if let Some(route) = gateway {
            (
                format!(
                    "the gateway of another route ({})",
                    route.via.map_or_else(String::new, |via| via.to_string())
                ),
                vec![route.line.clone()],
                0.82,
            )
        } else if let Some(route) = card {
            (
                format!("the network of {}", route.dev),
                vec![route.line.clone()],
                0.82,
            )
        } else if let Some((address, line)) = server {
            (
                format!("the name server {address}"),
                vec![line.clone()],
                0.82,
            )
        } else if let Some((address, lines, strength)) = unreached(host, hits, bridge) {
            (
                format!("{address}, which cannot be reached"),
                lines,
                strength,
            )
        } else {
            continue;
        };
        let network = network(host, bridge);
        let of = network
            .as_ref()
            .map_or_else(String::new, |(name, _)| format!(" (network {name})"));
        Draft::cause("bridge-overlap", "bridge-subnet-overlap", strength, "Interface", &bridge.dev)
            .says(
                format!("The network of bridge {}{of}, {}/{}, covers {what}: the subnets overlap", bridge.dev, bridge.net, bridge.bits),
                format!("Bridge {}{of} was given {}/{}, which covers {what}: packets for it go to the local bridge instead of the gateway and never leave the host.", bridge.dev, bridge.net, bridge.bits),
            )
            .cites([bridge.line.clone()])
            .cites(lines)
            .cites(network.into_iter().flat_map(|(_, lines)| lines))
            .with("interface", bridge.dev.as_str())
            .if_ticket(host, WORDS)
            .put(out);
        return;
    }
}

/// The container network that has the bridge's range, by `docker network inspect` or its like.
fn network(host: &Host, bridge: &Route) -> Option<(String, [Evidence; 2])> {
    let range = format!("\"{}/{}\"", bridge.net, bridge.bits);
    ["docker", "podman", "nerdctl"].iter().find_map(|engine| {
        host.commands(engine, |name| name.contains("inspect"))
            .iter()
            .find_map(|doc| {
                let (number, _) = doc.line_with(|line| {
                    line.to_lowercase().contains("\"subnet\"") && line.contains(&range)
                })?;
                let (at, name) = doc
                    .lines()
                    .take_while(|(at, _)| *at < number)
                    .filter_map(|(at, line)| {
                        let line = line.trim();
                        let value = line
                            .strip_prefix("\"Name\":")
                            .or_else(|| line.strip_prefix("\"name\":"))?;
                        Some((at, value.trim().trim_matches([',', '"']).to_owned()))
                    })
                    .last()?;
                Some((name, [doc.cite(number), doc.cite(at)]))
            })
    })
}

/// Addresses in a line of text.
fn addresses(text: &str) -> impl Iterator<Item = Ipv4Addr> {
    text.split(|c: char| !c.is_ascii_digit() && c != '.')
        .filter_map(|word| word.trim_matches('.').parse().ok())
}

/// An address that somebody needs and does not reach, in the bridge's range but not near the bridge's own address,
/// where the engine places its containers: a log says that there is no route to it, or nobody on the bridge answers for
/// it, or the ticket asks for it. With lines that show it, and how sure that is.
fn unreached(host: &Host, hits: &Hits, bridge: &Route) -> Option<(Ipv4Addr, Vec<Evidence>, f64)> {
    let near = u32::from(bridge.net) >> 8;
    let far = |address: &Ipv4Addr| within(*address, bridge) && u32::from(*address) >> 8 != near;
    let logged = hits.of("no-route").find_map(|(address, group)| {
        let address = address.parse().ok().filter(far)?;
        Some((address, group.evidence().into_iter().next()?))
    });
    let silent = host
        .commands("ip", |name| {
            name.contains("neigh") && !name.contains("netns")
        })
        .into_iter()
        .find_map(|doc| {
            doc.lines().find_map(|(number, line)| {
                let address = line.split_whitespace().next()?.parse().ok()?;
                let silent = far(&address)
                    && line.contains(&format!(" dev {} ", bridge.dev))
                    && (line.contains("FAILED") || line.contains("INCOMPLETE"));
                silent.then(|| (address, doc.cite(number)))
            })
        });
    let asked: Vec<Ipv4Addr> = addresses(&host.ticket).filter(far).collect();
    // Who needs it: names that /etc/hosts gives to addresses, and settings of programs.
    let wanted = wanted(host, &far);
    if let Some((address, line)) = logged {
        let more = silent
            .filter(|(known, _)| *known == address)
            .map(|found| found.1);
        return Some((address, std::iter::once(line).chain(more).collect(), 0.82));
    }
    if let Some((address, line)) = silent {
        let need = wanted.iter().find(|(known, ..)| *known == address);
        let strength = if asked.contains(&address) {
            0.86
        } else if need.is_some() {
            0.82
        } else {
            0.64
        };
        let more = need.map(|(_, line, _)| line.clone());
        return Some((
            address,
            std::iter::once(line).chain(more).collect(),
            strength,
        ));
    }
    // Without the table of neighbours: the ticket names the address, or the name that has it.
    wanted
        .into_iter()
        .find(|(address, _, names)| {
            asked.contains(address)
                || names
                    .iter()
                    .any(|name| name.len() > 3 && host.ticket.contains(name.as_str()))
        })
        .map(|(address, line, _)| (address, vec![line], 0.74))
}

/// Most files of settings that are searched for addresses.
const MAX_SETTINGS: usize = 400;

/// Addresses of the range that `/etc/hosts` or a program's settings name, with the line and the names beside it.
fn wanted(host: &Host, far: &dyn Fn(&Ipv4Addr) -> bool) -> Vec<(Ipv4Addr, Evidence, Vec<String>)> {
    const NOT: [&str; 10] = [
        "docker",
        "containers",
        "cni",
        "netplan",
        "iptables",
        "nftables",
        "firewalld",
        "libvirt",
        "network",
        "ufw",
    ];
    let mut found = Vec::new();
    for doc in host.files("etc/").into_iter().take(MAX_SETTINGS) {
        let path = doc
            .path
            .strip_prefix(host.root.as_str())
            .unwrap_or(&doc.path);
        if NOT.iter().any(|word| path.contains(word)) {
            continue;
        }
        let hosts = path.ends_with("etc/hosts");
        for (number, line) in doc
            .lines()
            .filter(|(_, line)| !line.trim_start().starts_with('#'))
        {
            // `10.0.0.0/8` is a range, not somebody to talk to.
            for address in addresses(line).filter(|address| far(address)) {
                if !line.contains(&format!("{address}/")) {
                    let names = line
                        .split_whitespace()
                        .skip(1)
                        .filter(|_| hosts)
                        .map(str::to_lowercase)
                        .collect();
                    found.push((address, doc.cite(number), names));
                }
            }
        }
    }
    found
}

/// `dadfailed`: another host answered for the address, so the kernel does not use it.
fn failed_check(host: &Host, out: &mut Partial) {
    for doc in host
        .commands("ip", |name| {
            name.contains("addr") && !name.contains("netns")
        })
        .into_iter()
        .take(1)
    {
        let mut dev = String::new();
        for (number, line) in doc.lines() {
            if line.starts_with(|c: char| c.is_ascii_digit()) {
                dev = line
                    .split_whitespace()
                    .nth(1)
                    .unwrap_or_default()
                    .trim_end_matches(':')
                    .to_owned();
            } else if line.contains(" dadfailed") {
                let address = line.split_whitespace().nth(1).unwrap_or_default();
                Draft::cause("address-check-failed", "duplicate-ip-address", 0.82, "Interface", &dev)
                    .says(
                        format!("Address {address} of {dev} is in use elsewhere (dadfailed)"),
                        format!("Another host answered when {dev} checked {address}, so the kernel does not use the address: two machines were given one address, or a loop brings the own question back."),
                    )
                    .cites([doc.cite(number)])
                    .with("interface", dev.as_str())
                    .if_ticket(host, WORDS)
                    .put(out);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on, on_ticket};

    const ROUTE: &str = "sos_commands/networking/ip_route_show_table_all";
    const NEIGH: &str = "sos_commands/networking/ip_-s_-s_neigh_show";

    #[test]
    fn a_gateway_that_is_silent() {
        let route = "default via 10.0.0.1 dev ens3 proto static\n10.0.0.0/24 dev ens3 proto kernel scope link src 10.0.0.5\n";
        let of = |neigh: &str| on(&[(ROUTE, route), (NEIGH, neigh)]);
        assert_eq!(
            causes(&of("10.0.0.1 dev ens3  used 9/9/9 probes 6 FAILED\n")),
            ["gateway-unreachable"]
        );
        assert!(
            of("10.0.0.1 dev ens3 lladdr 52:54:00:00:00:01 REACHABLE\n10.0.0.9 dev ens3  FAILED\n")
                .signals
                .is_empty()
        );
    }

    #[test]
    fn a_bridge_over_the_own_network() {
        let of = |bridge: &str, more: &str| {
            let route = format!(
                "default via 172.17.4.1 dev ens3\n172.17.4.0/24 dev ens3 proto kernel scope link src 172.17.4.5\n{bridge} dev docker0 proto kernel scope link src 172.17.0.1 {more}\n"
            );
            on(&[(ROUTE, &route)])
        };
        assert_eq!(causes(&of("172.17.0.0/16", "")), ["bridge-subnet-overlap"]);
        assert!(of("172.17.0.0/16", "linkdown").signals.is_empty());
        assert!(of("172.18.0.0/16", "").signals.is_empty());
    }

    #[test]
    fn an_address_that_a_bridge_swallows() {
        let route = "default via 10.0.0.1 dev ens3\n10.0.0.0/24 dev ens3 proto kernel scope link src 10.0.0.5\n172.18.0.0/16 dev br-0f1e2d3c4b5a proto kernel scope link src 172.18.0.1\n";
        let of = |address: &str| {
            let log = format!(
                "Feb 10 10:00:00 n shop[9]: dial tcp {address}:443: connect: no route to host\n"
            );
            on(&[(ROUTE, route), ("var/log/syslog", &log)])
        };
        assert!(causes(&of("172.18.40.12")).contains(&"bridge-subnet-overlap"));
        // A container that is stopped.
        assert!(!causes(&of("172.18.0.7")).contains(&"bridge-subnet-overlap"));
        assert!(!causes(&of("192.0.2.7")).contains(&"bridge-subnet-overlap"));
    }

    #[test]
    fn an_address_that_nobody_on_the_bridge_has() {
        const BRIDGE: &str = "default via 10.0.0.1 dev ens3\n172.19.0.0/16 dev br-0f1e2d3c4b5a proto kernel scope link src 172.19.0.1\n";
        let of = |neigh: &str, settings: &str, ticket: &str| {
            let out = on_ticket(
                &[
                    (ROUTE, BRIDGE),
                    (NEIGH, neigh),
                    ("etc/shop/shop.conf", settings),
                    (
                        "etc/hosts",
                        "127.0.0.1 localhost\n172.19.77.5 ledger.example\n",
                    ),
                ],
                Some(ticket),
            );
            out.signals
                .iter()
                .find(|s| s.cause == "bridge-subnet-overlap")
                .map_or(0.0, |s| s.strength)
        };
        const FAILED: &str = "172.19.40.12 dev br-0f1e2d3c4b5a  FAILED\n";
        assert!(of(FAILED, "url=db://172.19.40.12:1\n", "shop is down") > 0.8);
        assert!(of("", "", "the shop cannot reach ledger.example") > 0.7);
        assert!(
            of(
                "172.19.0.9 dev br-0f1e2d3c4b5a  FAILED\n",
                "",
                "shop is down"
            ) < 0.1
        );
        assert!(of("", "url=db://172.19.40.12:1\n", "shop is slow") < 0.1);
    }

    #[test]
    fn addresses_that_failed_their_check() {
        let of = |flags: &str| {
            on(&[(
                "sos_commands/networking/ip_-d_address",
                &format!("2: ens3: <UP>\n    inet6 2001:db8::5/64 scope global {flags}\n"),
            )])
        };
        assert_eq!(causes(&of("dadfailed tentative")), ["duplicate-ip-address"]);
        assert!(of("").signals.is_empty());
    }
}
