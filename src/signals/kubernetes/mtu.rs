//! MTUs of the pod network: an overlay that writes larger packets than the network below it carries. Small
//! packets pass, so connections open and pings answer, and large transfers hang.

use super::emit::{Ctx, Draft};
use super::model::Src;
use crate::bundle::Entry;
use crate::report::Evidence;
use regex::Regex;
use std::sync::LazyLock;

/// Largest file looked into, in bytes.
const MAX_BYTES: u64 = 2 << 20;
/// Most findings of one bundle.
const MAX_SAID: usize = 3;
/// Words of tickets that speak of it.
const WORDS: &[&str] = &[
    "mtu",
    "hang",
    "large",
    "big",
    "small",
    "timeout",
    "timed out",
    "slow",
    "upload",
    "download",
    "network",
    "packet",
    "fragment",
    "provider",
    "stall",
];

/// What overlays' interfaces are called, and the bytes that each adds to a packet (outer IPv4 and its own header;
/// WireGuard with room for IPv6 outside).
const OVERLAYS: &[(&str, u64)] = &[
    ("vxlan", 50),
    ("flannel", 50),
    ("cilium_vxlan", 50),
    ("cilium_geneve", 50),
    ("genev", 58),
    ("ovn-k8s-mp", 58),
    ("antrea-gw", 50),
    ("weave", 50),
    ("tunl", 20),
    ("wireguard", 60),
    ("cilium_wg", 60),
    ("flannel-wg", 60),
    ("kube-ipvs", 0),
];
/// Interfaces that are none of a machine's own.
const VIRTUAL: &[&str] = &[
    "lo",
    "veth",
    "cali",
    "cni",
    "docker",
    "br-",
    "virbr",
    "lxc",
    "tap",
    "kube-",
    "nodelocaldns",
    "dummy",
    "ovs-",
    "br-int",
    "cilium",
    "flannel",
    "vxlan",
    "tunl",
    "genev",
    "ovn",
    "weave",
    "wireguard",
    "wg",
    "antrea",
    "ip6tnl",
    "sit",
    "gre",
    "erspan",
    "ifb",
];

/// One interface.
#[derive(Debug, Clone, Default)]
struct Link {
    name: String,
    mtu: u64,
    up: bool,
    /// `dev X` of a tunnel's details, or the name after `@`.
    below: String,
    line: u32,
}

static LINK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\d+: (?P<name>[\w.:-]+?)(?:@(?P<below>[\w.-]+))?: <(?P<flags>[^>]*)>.*?\bmtu (?P<mtu>\d+)").ok()
});
static TUNNEL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\s+(?:vxlan|geneve|gre|ipip|wireguard)\b.*?\bdev (?P<dev>[\w.-]+)").ok()
});
/// What a path tells whoever sends a packet that it does not carry.
static REFUSED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)message too long,? \(?mtu ?= ?(?P<mtu>\d+)|frag(?:mentation)? needed(?: and DF set)?(?: \(mtu ?= ?(?P<mtu2>\d+)\))?|packet too big:? ?mtu ?=? ?(?P<mtu3>\d+)").ok()
});
/// The MTU that the pod network was set up with.
static CONFIGURED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(?:veth_?mtu|calico_?mtu|vxlanmtu|ipinipmtu|wireguardmtu|overlay-?mtu|tunnel-?mtu|mtu)["']?\s*[:=]\s*["']?(?P<mtu>\d{4,5})\b"#).ok()
});

fn links_in(text: &str) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if let Some(found) = LINK.as_ref().and_then(|regex| regex.captures(line)) {
            let below = found.name("below").map_or("", |name| name.as_str());
            links.push(Link {
                name: found["name"].to_owned(),
                mtu: found["mtu"].parse().unwrap_or(0),
                up: found["flags"].split(',').any(|flag| flag == "LOWER_UP"),
                below: below.to_owned(),
                line: u32::try_from(at + 1).unwrap_or(u32::MAX),
            });
        } else if let Some(found) = TUNNEL.as_ref().and_then(|regex| regex.captures(line))
            && let Some(link) = links.last_mut()
        {
            found["dev"].clone_into(&mut link.below);
        }
    }
    links
}

fn overhead(name: &str) -> Option<u64> {
    OVERLAYS
        .iter()
        .find(|(lead, _)| name.starts_with(lead))
        .map(|(_, bytes)| *bytes)
        .filter(|bytes| *bytes > 0)
}

/// An overlay's interface and the one below it that carries less.
fn mismatch(links: &[Link]) -> Option<(&Link, &Link, u64, bool)> {
    links
        .iter()
        .filter(|link| link.up && link.mtu < 60_000)
        .find_map(|over| {
            let extra = overhead(&over.name)?;
            let told = links
                .iter()
                .find(|link| link.name == over.below && link.name != over.name);
            // Without the detail lines the only one of the machine's own interfaces carries it, of several the
            // widest is the kindest guess.
            let own: Vec<&Link> = links
                .iter()
                .filter(|link| {
                    link.up
                        && link.mtu > 0
                        && !VIRTUAL.iter().any(|lead| link.name.starts_with(lead))
                })
                .collect();
            let sure = told.is_some() || own.len() == 1;
            let below = told.or_else(|| own.into_iter().max_by_key(|link| link.mtu))?;
            (below.mtu > 0 && over.mtu + extra > below.mtu).then_some((over, below, extra, sure))
        })
}

fn small_text(ctx: &Ctx, entry: &Entry) -> Option<String> {
    if entry.bytes == 0 || entry.bytes > MAX_BYTES {
        return None;
    }
    let text = ctx.tree.text(entry).ok()??;
    Some(text.as_str().to_owned())
}

fn quote(ctx: &Ctx, path: &str, line: u32) -> Option<Evidence> {
    let file = ctx.cluster.files.iter().position(|known| known == path);
    if let Some(file) = file {
        let src = Src {
            file: u32::try_from(file).ok()?,
            line,
            column: 0,
        };
        return ctx.quote(src, "mtu");
    }
    let entry = ctx.tree.find(path)?;
    let text = ctx.tree.text(entry).ok()??;
    Some(Evidence {
        path: path.to_owned(),
        line_start: u64::from(line),
        line_end: u64::from(line),
        quote: super::emit::cut(text.line(line as usize)?.trim(), 300),
    })
}

/// Looks at interfaces, at answers of pings, and at what the network was set up with.
pub fn detect(ctx: &Ctx) {
    let mut found: Vec<(String, String, String, Vec<Evidence>)> = Vec::new();
    let (mut refused, mut configured) = (Vec::new(), Vec::new());
    let mut sure = false;
    let mut of_node: Option<String> = None;
    for entry in ctx.tree.files() {
        let path = entry.path.as_str().to_owned();
        let lower = path.to_ascii_lowercase();
        let name = lower.rsplit('/').next().unwrap_or_default();
        let of_links = [
            "link",
            "ip_a",
            "ip-a",
            "ipaddr",
            "addr",
            "ifconfig",
            "interfaces",
        ]
        .iter()
        .any(|word| name.contains(word));
        let of_pings = ["ping", "tracepath", "traceroute", "mtu"]
            .iter()
            .any(|word| name.contains(word));
        let of_setup = [
            "calico",
            "flannel",
            "cilium",
            "canal",
            "cni",
            "installation",
            "felix",
            "weave",
        ]
        .iter()
        .any(|word| lower.contains(word))
            && ["config", "yaml", "json", "installation"]
                .iter()
                .any(|word| name.contains(word))
            && !lower.contains("logs");
        if !(of_links || of_pings || of_setup) {
            continue;
        }
        let Some(text) = small_text(ctx, entry) else {
            continue;
        };
        if of_links {
            let links = links_in(&text);
            if let Some((over, below, extra, told)) = mismatch(&links) {
                sure |= told;
                let lines = [over.line, below.line]
                    .into_iter()
                    .filter_map(|line| quote(ctx, &path, line))
                    .collect();
                // Collectors give each node a folder of its own.
                let node = ctx
                    .cluster
                    .nodes
                    .iter()
                    .find(|node| path.split('/').any(|part| part == node.name));
                let on = node.map_or(String::new(), |node| format!(" on node {}", node.name));
                of_node = of_node.or(node.map(|node| node.name.clone()));
                found.push((
                    over.name.clone(),
                    format!(
                        "{} has MTU {}, {} below it {}{on}",
                        over.name, over.mtu, below.name, below.mtu
                    ),
                    format!(
                        "a packet of {} bytes and {extra} bytes of tunnel do not fit into {}",
                        over.mtu, below.mtu
                    ),
                    lines,
                ));
            }
        }
        for (at, line) in text.lines().enumerate() {
            let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
            if of_pings
                && refused.len() < 2
                && let Some(said) = REFUSED.as_ref().and_then(|regex| regex.captures(line))
            {
                let mtu = ["mtu", "mtu2", "mtu3"]
                    .iter()
                    .find_map(|group| said.name(group))
                    .map_or("", |mtu| mtu.as_str())
                    .to_owned();
                refused.extend(quote(ctx, &path, number).map(|line| (mtu, line)));
            }
            if of_setup
                && configured.len() < 2
                && CONFIGURED
                    .as_ref()
                    .is_some_and(|regex| regex.is_match(line))
            {
                configured.extend(quote(ctx, &path, number));
            }
        }
    }
    let asked = WORDS.iter().any(|word| ctx.ticket.contains(word));
    if let Some((name, what, why, lines)) = found.first() {
        let strength = match (sure || !refused.is_empty(), asked) {
            (true, true) => 0.92,
            (true, false) => 0.8,
            (false, true) => 0.74,
            (false, false) => 0.5,
        };
        let more = match found.len() {
            1 => String::new(),
            n => format!(" (on {n} nodes)"),
        };
        let path_says = refused
            .first()
            .filter(|(mtu, _)| !mtu.is_empty())
            .map(|(mtu, _)| format!(" A ping is told that the path carries {mtu} bytes."))
            .unwrap_or_default();
        let (kind, subject) = match &of_node {
            Some(node) => ("Node", node),
            None => ("Interface", name),
        };
        let mut draft = Draft::cause("network-mtu", kind, "", subject, strength).says(
            format!("MTU mismatch of the pod network: {what}{more}"),
            format!("The MTU of the pod network (overlay) is too large for the network below it: {what}{more}, so {why}. Large packets between nodes are dropped while small ones pass: connections open and then hang.{path_says}"),
        );
        for line in lines
            .iter()
            .cloned()
            .chain(refused.iter().map(|(_, line)| line.clone()))
            .chain(configured)
            .chain(
                found
                    .iter()
                    .skip(1)
                    .take(MAX_SAID)
                    .filter_map(|(_, _, _, lines)| lines.first().cloned()),
            )
        {
            draft = draft.show(Some(line));
        }
        ctx.emit(draft);
    } else if let Some((mtu, _)) = refused.first() {
        let said = if mtu.is_empty() {
            String::new()
        } else {
            format!(" (MTU {mtu})")
        };
        let mut draft = Draft::cause("network-mtu", "Cluster", "", "", if asked { 0.6 } else { 0.4 }).says(
            format!("a path of the network does not carry large packets{said}"),
            format!("Packets are refused as too large for the path{said}; what sends larger ones without being told so hangs. The MTU of the pod network must leave room for its tunnel below this."),
        );
        for (_, line) in refused {
            draft = draft.show(Some(line));
        }
        for line in configured {
            draft = draft.show(Some(line));
        }
        ctx.emit(draft);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tunnel: u32, nic: u32, detail: &str) -> bool {
        let text = format!(
            "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536\n2: ens3: <BROADCAST,UP,LOWER_UP> mtu 1500\n3: ens4: <BROADCAST,UP,LOWER_UP> mtu {nic}\n9: flannel.1: <BROADCAST,UP,LOWER_UP> mtu {tunnel}\n{detail}11: veth1@if3: <BROADCAST,UP,LOWER_UP> mtu 9000\n"
        );
        mismatch(&links_in(&text)).is_some()
    }

    #[test]
    fn the_patterns_read_what_tools_print() {
        let links = links_in(
            "3: enp7s0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc fq_codel state UP mode DEFAULT group default qlen 1000\n    alias private\n9: vxlan.calico: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue\n    vxlan id 4096 local 172.30.8.12 dev enp7s0 srcport 0 0 dstport 4789\n",
        );
        assert_eq!(links.len(), 2);
        assert_eq!(links[1].below, "enp7s0");
        assert!(mismatch(&links).is_some());
        for line in [
            "ping: local error: message too long, mtu=1450",
            "From 10.0.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)",
        ] {
            assert!(
                REFUSED.as_ref().is_some_and(|regex| regex.is_match(line)),
                "{line}"
            );
        }
        assert!(
            CONFIGURED
                .as_ref()
                .is_some_and(|regex| regex.is_match("  veth_mtu: \"1440\""))
        );
    }

    #[test]
    fn a_tunnel_needs_room_on_the_interface_that_carries_it() {
        let dev = "    vxlan id 1 local 10.0.0.1 dev ens4 srcport 0 0\n";
        assert!(of(1450, 1450, dev));
        assert!(!of(1450, 1500, dev));
        assert!(!of(1400, 1450, dev));
        // Which interface carries it is not known: the widest may.
        assert!(!of(1450, 1450, ""));
        assert!(of(1500, 1500, ""));
        assert!(!of(8950, 9000, ""));
    }
}
