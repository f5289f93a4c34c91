//! How this host finds names: a resolver that does not run, a lookup order without DNS, an own name that points elsewhere.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;
use std::net::IpAddr;

const WORDS: &[&str] = &[
    "dns",
    "resolve",
    "resolution",
    "name",
    "names",
    "hostname",
    "lookup",
];

pub fn detect(host: &Host, out: &mut Partial) {
    if host.container {
        return;
    }
    stub(host, out);
    order(host, out);
    own_name(host, out);
}

/// `127.0.0.53` answers only while systemd-resolved runs.
fn stub(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("etc/resolv.conf") else {
        return;
    };
    let servers: Vec<(usize, &str)> = doc
        .lines()
        .filter(|(_, line)| line.trim_start().starts_with("nameserver"))
        .collect();
    let [(number, line)] = servers[..] else {
        return;
    };
    if !line.contains("127.0.0.53") {
        return;
    }
    let stopped = host
        .commands("systemctl", |name| {
            name.contains("list-units") && !name.contains("--failed")
        })
        .into_iter()
        .find_map(|doc| {
            let (number, _) = doc.line_with(|line| {
                let words: Vec<&str> = line
                    .trim_start_matches(['*', '●', '×', '○', ' '])
                    .split_whitespace()
                    .collect();
                words.first() == Some(&"systemd-resolved.service")
                    && matches!(words.get(2), Some(&"failed" | &"inactive"))
            })?;
            Some(doc.cite(number))
        });
    let Some(stopped) = stopped else {
        return;
    };
    Draft::cause("resolver-stopped", "dns-resolution-failed", 0.84, "Service", "systemd-resolved")
        .says(
            "resolv.conf names 127.0.0.53, and systemd-resolved does not run",
            "The only name server is the local stub 127.0.0.53, which systemd-resolved serves and which does not run: no name can be resolved on this host.",
        )
        .cites([doc.cite(number), stopped])
        .with("unit", "systemd-resolved.service")
        .if_ticket(host, WORDS)
        .put(out);
}

/// `hosts: files` asks no name server at all.
fn order(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("etc/nsswitch.conf") else {
        return;
    };
    let Some((number, line)) = doc.line_with(|line| line.trim_start().starts_with("hosts:")) else {
        return;
    };
    let asks = [
        "dns", "nis", "resolve", "sss", "ldap", "wins", "libvirt", "mdns",
    ];
    if line
        .split_whitespace()
        .skip(1)
        .any(|word| asks.iter().any(|ask| word.starts_with(ask)))
    {
        return;
    }
    Draft::cause("lookup-order", "dns-resolution-failed", 0.64, "File", "nsswitch.conf")
        .says(
            format!("nsswitch.conf asks no DNS for host names: {}", line.trim()),
            format!("The line `{}` names no source that asks a name server, so only names that stand in the local file of hosts are found.", line.trim()),
        )
        .cites([doc.cite(number)])
        .if_ticket(host, WORDS)
        .put(out);
}

/// The own name in `/etc/hosts` with an address that no interface has, and `localhost` that is not this host.
fn own_name(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("etc/hosts") else {
        return;
    };
    let own = host
        .file("etc/hostname")
        .or_else(|| host.command("hostname", &[]))
        .and_then(|doc| doc.lines().next().map(|(_, line)| line.trim().to_owned()))
        .filter(|name| !name.is_empty() && name != "localhost" && !name.contains(' '));
    let short = own
        .as_deref()
        .and_then(|name| name.split('.').next())
        .unwrap_or_default();
    let mut own_lines: Vec<(IpAddr, usize)> = Vec::new();
    for (number, line) in doc.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else {
            continue;
        };
        for name in words {
            if name == "localhost" && !address.is_loopback() {
                Draft::cause("localhost-elsewhere", "hosts-file-wrong", 0.74, "File", "/etc/hosts")
                    .says(
                        format!("/etc/hosts gives localhost the address {address}"),
                        format!("The name localhost points to {address}: programs that talk to themselves reach another interface or host, or are refused."),
                    )
                    .cites([doc.cite(number)])
                    .if_ticket(host, WORDS)
                    .put(out);
            } else if !short.is_empty() && name.split('.').next() == Some(short) {
                own_lines.push((address, number));
            }
        }
    }
    let present = super::configured::present(host);
    if !present
        .iter()
        .any(|address| address.is_ipv4() && !address.is_loopback())
        || own_lines.is_empty()
    {
        return;
    }
    let mine = |address: &IpAddr| address.is_loopback() || present.contains(address);
    if own_lines.iter().any(|(address, _)| mine(address)) {
        return;
    }
    let (address, number) = own_lines[0];
    Draft::cause("own-name-elsewhere", "hosts-file-wrong", 0.54, "Host", short)
        .says(
            format!("/etc/hosts gives this host's name {short} the address {address}, which no interface has"),
            format!("The host's own name {short} points to {address}, an address it does not have: services that bind to or announce their name (clusters, databases, Java) fail or talk to another host."),
        )
        .cites([doc.cite(number)])
        .if_ticket(host, WORDS)
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn resolvers() {
        let units = |state: &str| {
            format!(
                "  systemd-resolved.service loaded {state} {state} Network Name Resolution\n  cron.service loaded active running Cron\n"
            )
        };
        let stub = |state: &str| {
            on(&[
                ("etc/resolv.conf", "nameserver 127.0.0.53\n"),
                (
                    "sos_commands/systemd/systemctl_list-units_--all",
                    &units(state),
                ),
            ])
        };
        assert!(causes(&stub("inactive")).contains(&"dns-resolution-failed"));
        assert!(stub("active").signals.is_empty());
        let order = |line: &str| on(&[("etc/os-release", "ID=x\n"), ("etc/nsswitch.conf", line)]);
        assert_eq!(causes(&order("hosts: files\n")), ["dns-resolution-failed"]);
        assert!(
            order("hosts: files mdns4_minimal [NOTFOUND=return] dns\n")
                .signals
                .is_empty()
        );
        assert!(
            order("hosts:          files myhostname resolve [!UNAVAIL=return] dns\n")
                .signals
                .is_empty()
        );
    }

    #[test]
    fn own_names() {
        let of = |hosts: &str| {
            on(&[
                ("etc/os-release", "ID=x\n"),
                ("etc/hostname", "db1.example.com\n"),
                ("etc/hosts", hosts),
                (
                    "sos_commands/networking/ip_-d_address",
                    "2: ens3: <UP>\n    inet 10.0.0.5/24 scope global ens3\n",
                ),
            ])
        };
        assert_eq!(
            causes(&of("127.0.0.1 localhost\n10.0.0.9 db1.example.com db1\n")),
            ["hosts-file-wrong"]
        );
        assert_eq!(
            causes(&of("10.0.0.5 localhost db1\n")),
            ["hosts-file-wrong"]
        );
        assert!(
            of("127.0.0.1 localhost\n127.0.1.1 db1\n")
                .signals
                .is_empty()
        );
        assert!(
            of("127.0.0.1 localhost\n10.0.0.5 db1.example.com db1\n10.0.0.9 db2\n")
                .signals
                .is_empty()
        );
    }
}
