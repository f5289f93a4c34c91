//! Packets between guests that the host's filter drops because another program changed its policy.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;

/// Docker sets the policy of FORWARD to DROP for the whole host; guests on bridges of libvirt or LXD lose their network.
pub fn detect(host: &Host, out: &mut Partial) {
    let Some(doc) = host
        .commands("iptables", |name| {
            name.contains("nvL")
                || name.contains("nvxL")
                || name.contains("vnxL")
                || name.contains("-L")
        })
        .into_iter()
        .find(|doc| doc.contains("Chain FORWARD"))
    else {
        return;
    };
    let Some((number, line)) =
        doc.line_with(|line| line.starts_with("Chain FORWARD (policy DROP "))
    else {
        return;
    };
    let packets = line
        .split_whitespace()
        .nth(4)
        .map(
            |word| match word.trim_end_matches(['K', 'M', 'G']).parse::<u64>() {
                Ok(count) if word.ends_with(['K', 'M', 'G']) => count.saturating_mul(1000),
                Ok(count) => count,
                Err(_) => 0,
            },
        )
        .unwrap_or(0);
    let Some((docker, _)) = doc.line_with(|line| {
        line.starts_with("Chain DOCKER-USER") || line.starts_with("Chain DOCKER-FORWARD")
    }) else {
        return;
    };
    let guests = host
        .commands("ip", |name| name.contains("link") || name.contains("addr"))
        .into_iter()
        .find_map(|doc| {
            let (number, line) = doc.line_with(|line| {
                let name = line.split_whitespace().nth(1).unwrap_or_default();
                line.starts_with(|c: char| c.is_ascii_digit())
                    && ["vnet", "tap", "lxdbr", "incusbr", "virbr"]
                        .iter()
                        .any(|start| name.starts_with(start))
                    && line.contains("LOWER_UP")
            })?;
            let name = line
                .split_whitespace()
                .nth(1)
                .unwrap_or_default()
                .trim_end_matches(':')
                .split('@')
                .next()
                .unwrap_or_default()
                .to_owned();
            Some((name, doc.cite(number)))
        });
    let Some((bridge, bridge_at)) = guests.filter(|_| packets >= 500) else {
        return;
    };
    Draft::cause("forward-policy", "forward-policy-drops", 0.64, "Firewall", "FORWARD")
        .says(
            format!("Docker's policy DROP of chain FORWARD dropped {packets} packets of the guests on {bridge}"),
            format!("Docker set the policy of the chain FORWARD to DROP, and no rule accepts what the guests on {bridge} send ({packets} packets dropped): virtual machines or containers of the other system lose their network."),
        )
        .cites([doc.cite(number), doc.cite(docker), bridge_at])
        .if_ticket(host, &["network", "vm", "guest", "lxd", "libvirt", "container", "docker", "connection", "connectivity", "internet"])
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn guests_behind_dockers_policy() {
        let of = |policy: &str| {
            let table = format!(
                "Chain INPUT (policy ACCEPT 1 packets, 1 bytes)\nChain FORWARD (policy {policy} packets, 900K bytes)\nChain DOCKER-USER (1 references)\n"
            );
            on(&[
                ("sos_commands/networking/iptables_-t_filter_-nvL", &table),
                (
                    "sos_commands/networking/ip_-s_-d_link",
                    "5: lxdbr0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500\n",
                ),
            ])
        };
        assert_eq!(causes(&of("DROP 12034")), ["forward-policy-drops"]);
        assert!(of("DROP 0").signals.is_empty());
        assert!(of("ACCEPT 12034").signals.is_empty());
    }
}
