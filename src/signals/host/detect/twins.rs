//! Hosts of one bundle that share what must be unique: machine ids, initiator names, addresses.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};
use std::collections::BTreeMap;

/// What one host says about itself.
pub struct Identity {
    name: String,
    /// (kind, value) → line.
    marks: Vec<(&'static str, String, Evidence)>,
}

/// Reads what identifies a host. `None` where it does not even tell its name.
pub fn identity(host: &Host) -> Option<Identity> {
    let name = host
        .file("etc/hostname")
        .or_else(|| host.command("hostname", &[]))
        .and_then(|doc| {
            doc.lines()
                .map(|(_, line)| line.trim().to_owned())
                .find(|line| !line.is_empty() && !line.contains(' '))
        })?;
    let mut marks = Vec::new();
    let mut first =
        |kind: &'static str, doc: Option<Doc>, test: &dyn Fn(&str) -> Option<String>| {
            let Some(doc) = doc else { return };
            let found = doc
                .lines()
                .find_map(|(number, line)| Some((number, test(line.trim())?)));
            if let Some((number, value)) = found {
                marks.push((kind, value, doc.cite(number)));
            }
        };
    first("machine id", host.file("etc/machine-id"), &|line| {
        (line.len() == 32 && line.bytes().all(|b| b.is_ascii_hexdigit())).then(|| line.to_owned())
    });
    first(
        "iSCSI initiator name",
        host.file("etc/iscsi/initiatorname.iscsi"),
        &|line| {
            line.strip_prefix("InitiatorName=")
                .map(|value| value.trim().to_owned())
                .filter(|value| value.len() > 8)
        },
    );
    first("NVMe host name", host.file("etc/nvme/hostnqn"), &|line| {
        line.starts_with("nqn.").then(|| line.to_owned())
    });
    for doc in host
        .commands("ip", |name| {
            name.contains("addr") && !name.contains("netns")
        })
        .into_iter()
        .take(1)
    {
        let mut card = false;
        for (number, line) in doc.lines() {
            if line.starts_with(|c: char| c.is_ascii_digit()) {
                let name = line.split_whitespace().nth(1).unwrap_or_default();
                card = ["en", "eth", "em", "bond", "p"]
                    .iter()
                    .any(|start| name.starts_with(start))
                    && line.contains("UP");
            } else if card && let Some(rest) = line.trim().strip_prefix("inet ") {
                let address = rest.split(['/', ' ']).next().unwrap_or_default();
                // Floating addresses move between hosts on purpose.
                if !rest.contains("/32")
                    && !rest.contains("secondary")
                    && !address.starts_with("169.254.")
                {
                    marks.push(("address", address.to_owned(), doc.cite(number)));
                }
            }
        }
    }
    Some(Identity { name, marks })
}

/// Two hosts of different names with one mark.
pub fn compare(hosts: &[Identity], out: &mut Partial) {
    let mut owners: BTreeMap<(&str, &str), Vec<(&str, &Evidence)>> = BTreeMap::new();
    for host in hosts {
        for (kind, value, line) in &host.marks {
            owners
                .entry((kind, value))
                .or_default()
                .push((&host.name, line));
        }
    }
    let mut told = 0;
    for ((kind, value), owners) in owners {
        let mut names: Vec<&str> = owners.iter().map(|owner| owner.0).collect();
        names.sort_unstable();
        names.dedup();
        if names.len() < 2 || told == 3 {
            continue;
        }
        told += 1;
        let list = names.join(" and ");
        let (cause, strength, follows) = match kind {
            "address" => (
                "duplicate-ip-address",
                0.62,
                "Connections to it reach either of them by chance.",
            ),
            "machine id" => (
                "identity-cloned",
                0.5,
                "They were cloned: DHCP gives both one lease, and services take them for one host.",
            ),
            _ => (
                "identity-cloned",
                0.78,
                "The array takes them for one host, ends the session of one when the other logs in, and lets both write to one disk.",
            ),
        };
        Draft::cause("shared-identity", cause, strength, "Host", names[0])
            .says(
                format!("{list} have the same {kind}: {value}"),
                format!("{list} are different hosts with one {kind} ({value}). {follows}"),
            )
            .cites(owners.into_iter().map(|owner| owner.1.clone()))
            .put(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn clones() {
        let files = |a: &'static str, b: &'static str, name: &'static str, ip: &'static str| {
            on(&[
                ("a/etc/hostname", "n1\n"),
                ("a/etc/os-release", "ID=ubuntu\n"),
                ("a/etc/iscsi/initiatorname.iscsi", a),
                (
                    "a/sos_commands/networking/ip_-d_address",
                    "2: ens3: <BROADCAST,UP,LOWER_UP>\n    inet 10.0.0.5/24 scope global ens3\n",
                ),
                ("b/etc/hostname", name),
                ("b/etc/os-release", "ID=ubuntu\n"),
                ("b/etc/iscsi/initiatorname.iscsi", b),
                ("b/sos_commands/networking/ip_-d_address", ip),
            ])
        };
        const ONE: &str = "InitiatorName=iqn.1993-08.org.debian:01:aaaa\n";
        const TWO: &str = "InitiatorName=iqn.1993-08.org.debian:01:bbbb\n";
        const OTHER: &str =
            "2: ens3: <BROADCAST,UP,LOWER_UP>\n    inet 10.0.0.6/24 scope global ens3\n";
        const SAME: &str =
            "2: ens3: <BROADCAST,UP,LOWER_UP>\n    inet 10.0.0.5/24 scope global ens3\n";
        assert_eq!(causes(&files(ONE, ONE, "n2\n", OTHER)), ["identity-cloned"]);
        assert_eq!(
            causes(&files(ONE, TWO, "n2\n", SAME)),
            ["duplicate-ip-address"]
        );
        assert!(files(ONE, TWO, "n2\n", OTHER).signals.is_empty());
        // One host, collected twice.
        assert!(files(ONE, ONE, "n1\n", SAME).signals.is_empty());
    }
}
