//! A service that listens on loopback only, while another configuration of the host addresses it by one of
//! the host's own addresses: each side is right by itself, together they cannot work.

use super::engine::compile;
use super::state::{Says, at, name_of, texts};
use super::state_net::Interfaces;
use super::tables::Output;
use crate::bundle::Tree;
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use std::collections::BTreeMap;

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[LOOPBACK];
const LOOPBACK: (&str, &str) = ("service.listens-on-loopback", "service-on-loopback-only");

/// Largest configuration file that is read.
const MAX_CONFIG: u64 = 256 << 10;

/// What listens on one port.
#[derive(Default)]
struct Listener {
    /// The line of a loopback listener and its program.
    loopback: Option<(Evidence, String)>,
    /// Whether any other address is listened on.
    elsewhere: bool,
}

/// Findings from listeners against configuration.
pub fn detect(tree: &Tree, outputs: &[Output<'_>]) -> Partial {
    let mut partial = Partial::default();
    let listeners = listeners(tree, outputs);
    let alone: BTreeMap<u16, (Evidence, String)> = listeners
        .into_iter()
        .filter(|(_, listener)| !listener.elsewhere)
        .filter_map(|(port, listener)| Some((port, listener.loopback?)))
        .collect();
    if alone.is_empty() {
        return partial;
    }
    let own = Interfaces::read(tree).addresses;
    let Some(reference) = compile(r"\b(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}):(\d{2,5})\b") else {
        return partial;
    };
    for (entry, text) in texts(tree, |rel| {
        rel.starts_with("etc/")
            && [
                ".conf",
                ".cfg",
                ".ini",
                ".yaml",
                ".yml",
                ".env",
                ".properties",
                ".py",
                ".json",
                ".toml",
            ]
            .iter()
            .any(|end| rel.ends_with(end))
    }) {
        if entry.bytes > MAX_CONFIG {
            continue;
        }
        for (number, line) in text.lines() {
            let bare = line.trim_start();
            if bare.starts_with(['#', ';', '/']) || bare.contains("bind") || bare.contains("listen")
            {
                continue;
            }
            for hit in reference.captures_iter(line) {
                let Some((shown, program)) =
                    hit[2].parse().ok().and_then(|port: u16| alone.get(&port))
                else {
                    continue;
                };
                if hit[1].starts_with("127.") || !own.contains_key(&hit[1]) {
                    continue;
                }
                let user = at(entry, number, line);
                partial
                    .signals
                    .extend(says(tree, program, &hit[0], &hit[2], shown, user));
            }
        }
        if partial.signals.len() >= 4 {
            break;
        }
    }
    partial
}

fn says(
    tree: &Tree,
    program: &str,
    address: &str,
    port: &str,
    shown: &Evidence,
    user: Evidence,
) -> Option<Signal> {
    let file = user.path.rsplit('/').next().unwrap_or_default().to_owned();
    let folder = format!("etc/{program}");
    let setting = texts(tree, |rel| !program.is_empty() && rel.starts_with(&folder)).find_map(
        |(entry, text)| {
            text.lines()
                .find(|(_, line)| {
                    !line.trim_start().starts_with('#')
                        && (line.contains("127.0.0.1") || line.contains("localhost"))
                })
                .map(|(number, line)| at(entry, number, line))
        },
    );
    let mut evidence = vec![user, shown.clone()];
    evidence.extend(setting);
    Says {
        id: LOOPBACK,
        subject: ("Service", program),
        title: format!("{program} listens on loopback only (127.0.0.1 port {port}), but {file} uses {address}"),
        statement: format!("{program} listens on port {port} of 127.0.0.1 only, while {file} addresses it as {address}: that address is this host's own, yet nothing listens there, so every connection is refused."),
        strength: 0.82,
        role: Role::Cause,
        evidence,
    }
    .signal(&[("unit", program), ("port", port)])
}

/// Listening ports from `ss` or `netstat`.
fn listeners(tree: &Tree, outputs: &[Output<'_>]) -> BTreeMap<u16, Listener> {
    let mut out: BTreeMap<u16, Listener> = BTreeMap::new();
    let (Some(local), Some(program)) = (
        compile(r"\s(\[?[0-9a-fA-F.:*]+\]?(?:%\w+)?):(\d{2,5})\s"),
        compile(r#"users:\(\("([^"]+)"|\d+/([\w.-]+)"#),
    ) else {
        return out;
    };
    for output in outputs.iter().filter(|output| {
        let name = name_of(&output.name);
        name == "ss" || name.starts_with("ss_") || name.starts_with("netstat")
    }) {
        let Ok(Some(text)) = tree.text(output.entry) else {
            continue;
        };
        for (number, line) in text
            .lines()
            .take(50_000)
            .filter(|(_, line)| line.contains("LISTEN"))
        {
            let Some(hit) = local.captures(line) else {
                continue;
            };
            let Ok(port) = hit[2].parse() else { continue };
            let listener = out.entry(port).or_default();
            let address = hit[1].trim_matches(['[', ']']);
            if address.starts_with("127.") || address == "::1" || address == "::ffff:127.0.0.1" {
                let name = program
                    .captures(line)
                    .and_then(|found| found.get(1).or(found.get(2)));
                let name = name.map_or(String::new(), |name| name.as_str().to_owned());
                if listener.loopback.is_none() {
                    listener.loopback = Some((at(output.entry, number, line), name));
                }
            } else {
                listener.elsewhere = true;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    fn on(listen: &str, client: &str) -> Vec<String> {
        let files = [
            (
                "sos_commands/networking/ss_-peaonmi",
                format!("tcp LISTEN 0 128 {listen} 0.0.0.0:* users:((\"cached\",pid=7,fd=4))\n"),
            ),
            (
                "sos_commands/networking/ip_-d_address",
                "2: e0: <UP> mtu 1500\n    inet 192.0.2.17/24\n".to_owned(),
            ),
            ("etc/web/web.conf", format!("[cache]\nservers = {client}\n")),
        ];
        let (_folder, tree) = tree_of(files.map(|(path, text)| (format!("top/{path}"), text)));
        detect(&tree, &super::super::tables::outputs(&tree))
            .signals
            .into_iter()
            .map(|signal| signal.title)
            .collect()
    }

    #[test]
    fn a_client_that_uses_the_hosts_address_finds_nobody() {
        assert!(
            on("127.0.0.1:11211", "192.0.2.17:11211")[0].contains("cached listens on loopback")
        );
        assert!(on("0.0.0.0:11211", "192.0.2.17:11211").is_empty());
        assert!(on("127.0.0.1:11211", "127.0.0.1:11211").is_empty());
        assert!(on("127.0.0.1:11211", "192.0.2.99:11211").is_empty());
    }
}
