//! Configuration that contradicts itself or a visible component.

use crate::signals::Partial;
use crate::signals::host::emit::{Draft, percent, size};
use crate::signals::host::facts::{Doc, Host};
use crate::signals::host::logs::Hits;
use std::collections::BTreeMap;

pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    rsyslog_loop(host, out);
    sssd(host, out);
    sysctl_files(host, out);
    settings(host, hits, out);
    resolver(host, out);
}

/// A log that rsyslog writes and also reads through imfile feeds itself.
fn rsyslog_loop(host: &Host, out: &mut Partial) {
    let mut docs = host.files("etc/rsyslog.d/");
    docs.extend(host.file("etc/rsyslog.conf"));
    let mut read: BTreeMap<String, (Doc, usize)> = BTreeMap::new();
    let mut written: BTreeMap<String, (Doc, usize)> = BTreeMap::new();
    for doc in &docs {
        let mut in_input = false;
        for (number, line) in doc.lines() {
            let text = line.trim();
            if text.starts_with('#') || text.is_empty() {
                continue;
            }
            let lower = text.to_lowercase();
            in_input = (in_input || lower.contains("input("))
                && !(lower.contains("action(") || lower.contains("module("));
            if let Some(path) = quoted(text, &lower, "file=")
                .filter(|_| in_input)
                .or_else(|| text.strip_prefix("$InputFileName ").map(str::to_owned))
            {
                read.insert(path, (doc.clone(), number));
            } else if let Some(path) =
                quoted(text, &lower, "file=").filter(|_| lower.contains("omfile"))
            {
                written.insert(path, (doc.clone(), number));
            } else if !in_input
                && let Some(path) = text
                    .split_whitespace()
                    .next_back()
                    .map(|w| w.trim_start_matches('-'))
                    .filter(|w| w.starts_with("/var/log/") && text.contains('.'))
            {
                written.insert(path.to_owned(), (doc.clone(), number));
            }
            if text.ends_with(')') {
                in_input = false;
            }
        }
    }
    // Where the shipped configuration sends everything, unless this one says otherwise.
    const SHIPPED: [&str; 4] = [
        "/var/log/syslog",
        "/var/log/messages",
        "/var/log/daemon.log",
        "/var/log/auth.log",
    ];
    for (path, (doc, number)) in &read {
        let target = written.get(path);
        if target.is_none() && !SHIPPED.contains(&path.as_str()) {
            continue;
        }
        Draft::cause("rsyslog-imfile-loop", "rsyslog-imfile-loop", if target.is_some() { 0.9 } else { 0.85 }, "Service", "rsyslog")
            .says(
                format!("rsyslog reads {path} through imfile and also writes to it: log loop"),
                format!("The imfile input of rsyslog reads {path}, which rsyslog itself writes; every line is read and written again, so the log grows without end and fills the disk."),
            )
            .cites([doc.cite(*number)])
            .cites(target.map(|(doc, number)| doc.cite(*number)))
            .cites(doc.line_with(|l| l.contains("imfile")).map(|(n, _)| doc.cite(n)))
            .with("file", path.as_str())
            .if_ticket(host, &["log", "logs", "syslog", "rsyslog", "disk", "full"])
            .put(out);
    }
}

/// `File="/x"` in any case; the value.
fn quoted(text: &str, lower: &str, key: &str) -> Option<String> {
    let at = lower.find(key)?;
    if at > 0 && lower.as_bytes()[at - 1].is_ascii_alphanumeric() {
        return None;
    }
    let rest = text.get(at + key.len()..)?.trim_start().strip_prefix('"')?;
    Some(rest.split('"').next()?.to_owned())
}

/// Active AD domains that take groups from tokenGroups miss groups of other domains and scopes.
fn sssd(host: &Host, out: &mut Partial) {
    let mut docs = host.files("etc/sssd/conf.d/");
    docs.extend(host.file("etc/sssd/sssd.conf"));
    for doc in docs {
        let mut section = String::new();
        let mut provider: Option<usize> = None;
        for (number, line) in doc.lines().chain([(0, "[end]")]) {
            let text = line.trim();
            if text.starts_with('[') {
                section = text.to_owned();
                provider = None;
                continue;
            }
            let Some((key, value)) = text.split_once('=').map(|(k, v)| (k.trim(), v.trim())) else {
                continue;
            };
            if key == "id_provider" && value == "ad" {
                provider = Some(number);
            }
            if key != "ldap_use_tokengroups"
                || !value.eq_ignore_ascii_case("true")
                || !section.starts_with("[domain/")
            {
                continue;
            }
            // The provider may stand after the option: look at the whole section.
            let ad = provider.or_else(|| {
                doc.lines()
                    .skip_while(|(n, _)| *n <= number)
                    .take_while(|(_, l)| !l.trim().starts_with('['))
                    .find(|(_, l)| l.replace(' ', "") == "id_provider=ad")
                    .map(|(n, _)| n)
            });
            let Some(ad) = ad else { continue };
            Draft::cause("sssd-tokengroups", "sssd-tokengroups", 0.56, "Service", "sssd")
                .says(
                    format!("sssd {section} uses id_provider=ad with ldap_use_tokengroups=True"),
                    format!("The AD domain {section} of sssd sets ldap_use_tokengroups = True: group memberships come from tokenGroups, which makes logins slow and leaves out groups that cannot be mapped, so users miss groups."),
                )
                .cites([doc.cite(number), doc.cite(ad)])
                .if_ticket(host, &["sssd", "login", "group", "groups", "user", "users", "ad", "ldap", "slow"])
                .put(out);
        }
    }
}

/// A value set in sysctl.d that the kernel does not have: never applied, or overwritten later.
fn sysctl_files(host: &Host, out: &mut Partial) {
    let mut wanted: BTreeMap<String, (String, Doc, usize)> = BTreeMap::new();
    let mut docs = host.files("etc/sysctl.d/");
    docs.extend(host.file("etc/sysctl.conf"));
    for doc in docs.into_iter().filter(|d| d.path.ends_with(".conf")) {
        for (number, line) in doc.lines() {
            let text = line.trim().trim_start_matches('-');
            if let Some((key, value)) = text
                .split_once('=')
                .filter(|_| !text.starts_with(['#', ';']))
            {
                wanted.insert(
                    key.trim().replace('/', "."),
                    (words(value), doc.clone(), number),
                );
            }
        }
    }
    let mut wrong = Vec::new();
    for (key, (value, doc, number)) in wanted {
        // Templates for future interfaces, per-interface keys and keys that read back differently prove nothing.
        if [
            ".default.",
            ".all.",
            "conf.",
            "kernel.printk",
            "kernel.core",
            "sysrq",
            "use_tempaddr",
            "neigh.",
        ]
        .iter()
        .any(|part| key.contains(part))
            || !value.bytes().any(|b| b.is_ascii_digit())
        {
            continue;
        }
        let Some((now, live, line)) = host.sysctl(&key) else {
            continue;
        };
        if words(&now) != value {
            wrong.push((key, value, words(&now), doc.cite(number), live.cite(line)));
        }
    }
    let Some((key, value, now, _, _)) = wrong.first() else {
        return;
    };
    let others = if wrong.len() > 1 {
        format!(" and {} other settings", wrong.len() - 1)
    } else {
        String::new()
    };
    Draft::cause("sysctl-not-applied", "sysctl-not-applied", 0.5, "Setting", key)
        .says(
            format!("sysctl {key} is configured as {value} but is {now}{others}"),
            format!("/etc/sysctl.d sets {key} = {value}, the running kernel has {now}{others}: the files were not applied or something changed the values later, so limits and tuning differ from what is configured."),
        )
        .cites(wrong.iter().take(3).flat_map(|w| [w.3.clone(), w.4.clone()]))
        .if_ticket(host, &["sysctl", "setting", "settings", "tuning", "limit"])
        .put(out);
}

fn words(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Settings that break something that visibly runs here.
fn settings(host: &Host, _hits: &Hits, out: &mut Partial) {
    let runs = |names: &[&str]| {
        let doc = host
            .commands("ps", |name| name.contains("aux"))
            .into_iter()
            .next()?;
        let (number, _) = doc.line_with(|line| {
            let command = line.split_whitespace().nth(10).unwrap_or_default();
            names.contains(&command.rsplit('/').next().unwrap_or_default())
        })?;
        Some(doc.cite(number))
    };
    let nodes = runs(&["kubelet", "kube-proxy", "flanneld"]);
    let engines = || runs(&["dockerd", "containerd-shim"]);
    let is_node = nodes.is_some();
    if let (Some((0, at)), Some(process)) = (
        host.sysctl_number("net.ipv4.ip_forward"),
        nodes.or_else(engines),
    ) {
        // Programs of the host itself need no forwarding: it matters where containers are what fails.
        const OF_CONTAINERS: &[&str] = &[
            "container",
            "containerized",
            "docker",
            "compose",
            "pod",
            "kubernetes",
            "podman",
            "forwarding",
            "nat",
        ];
        let asked = host.ticket_has(OF_CONTAINERS);
        let strength = if is_node || asked || host.ticket.trim().is_empty() {
            0.7
        } else {
            0.45
        };
        let draft = Draft::cause("ip-forward-off", "ip-forwarding-disabled", strength, "Setting", "net.ipv4.ip_forward")
            .says("IP forwarding is off (net.ipv4.ip_forward = 0) on a container host", "net.ipv4.ip_forward is 0 although containers or pods run here; the kernel does not route their traffic, so they reach nothing beyond the host.")
            .cites([at, process]);
        let draft = if is_node {
            draft.if_ticket(host, &["network", "connection", "connectivity"])
        } else {
            draft
        };
        draft.if_ticket(host, OF_CONTAINERS).put(out);
    }
    if let (Some((0, at)), Some(process)) = (
        host.sysctl_number("net.bridge.bridge-nf-call-iptables"),
        runs(&["kubelet", "kube-proxy"]),
    ) {
        Draft::cause("bridge-nf-off", "ip-forwarding-disabled", 0.52, "Setting", "net.bridge.bridge-nf-call-iptables")
            .says("bridge-nf-call-iptables is 0 on a Kubernetes node", "Bridged pod traffic bypasses iptables, so services do not answer pods on the same node.")
            .cites([at, process])
            .if_ticket(host, &["network", "service", "pod", "pods", "connectivity"])
            .put(out);
    }
    if let Some((1, at)) = host.sysctl_number("net.ipv4.tcp_tw_recycle") {
        Draft::cause("tcp-tw-recycle", "tcp-tw-recycle", 0.62, "Setting", "net.ipv4.tcp_tw_recycle")
            .says("net.ipv4.tcp_tw_recycle = 1 drops connections of clients behind NAT", "With tcp_tw_recycle the kernel drops SYNs whose time stamps run backwards, which those of several clients behind one NAT address do.")
            .cites([at])
            .if_ticket(host, &["connection", "connections", "timeout", "nat", "load"])
            .put(out);
    }
    if let (Some((reserve, at)), Some((total, total_at))) = (
        host.sysctl_number("vm.min_free_kbytes"),
        host.meminfo("MemTotal"),
    ) && total > 4 << 20
    {
        if percent(reserve, total) >= 10 {
            Draft::cause("min-free-high", "min-free-kbytes-extreme", 0.56, "Setting", "vm.min_free_kbytes")
                .says(format!("vm.min_free_kbytes reserves {} of {} memory", size(reserve), size(total)), "The reserve for atomic allocations is so large that ordinary allocations reclaim or fail although memory is free.")
                .cites([at, total_at])
                .if_ticket(host, &["memory", "oom", "swap"])
                .put(out);
        } else if reserve < 16 << 10 && total > 32 << 20 {
            Draft::cause("min-free-low", "min-free-kbytes-extreme", 0.32, "Setting", "vm.min_free_kbytes")
                .says(format!("vm.min_free_kbytes is only {} on {} memory", size(reserve), size(total)), "The reserve for atomic allocations is small for this machine; bursts of network traffic can fail to get memory.")
                .cites([at, total_at])
                .if_ticket(host, &["memory", "allocation", "packet", "packets"])
                .put(out);
        }
    }
    if let Some((mode, at)) = host
        .sysctl_number("vm.zone_reclaim_mode")
        .filter(|s| s.0 != 0)
    {
        Draft::cause("zone-reclaim", "numa-imbalance", 0.5, "Setting", "vm.zone_reclaim_mode")
            .says(format!("vm.zone_reclaim_mode = {mode}: nodes reclaim their cache before they use remote memory"), "Zone reclaim throws away page cache on one NUMA node while others have free memory; databases and file servers stall.")
            .cites([at])
            .if_ticket(host, &["memory", "slow", "numa", "latency"])
            .put(out);
    }
}

/// A resolver configuration without any server.
fn resolver(host: &Host, out: &mut Partial) {
    let Some(doc) = host.file("etc/resolv.conf") else {
        return;
    };
    let mut lines = doc.lines().filter(|(_, l)| !l.trim().is_empty());
    if doc
        .line_with(|l| l.trim_start().starts_with("nameserver"))
        .is_some()
    {
        return;
    }
    let Some((number, _)) = lines.next() else {
        return;
    };
    Draft::cause(
        "no-nameserver",
        "dns-resolution-failed",
        0.52,
        "Host",
        "resolver",
    )
    .says(
        "/etc/resolv.conf names no name server",
        "The resolver has no server to ask, so no name outside /etc/hosts can be resolved.",
    )
    .cites([doc.cite(number)])
    .if_ticket(host, &["dns", "resolve", "name", "names", "network"])
    .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn a_log_read_and_written_by_rsyslog() {
        let input = |file: &str| {
            format!(
                "module(load=\"imfile\")\ninput(type=\"imfile\"\n      File=\"{file}\"\n      Tag=\"x\")\n"
            )
        };
        assert_eq!(
            causes(&on(&[
                ("etc/rsyslog.d/40.conf", &input("/var/log/syslog")),
                ("etc/fstab", "")
            ])),
            ["rsyslog-imfile-loop"]
        );
        assert!(
            causes(&on(&[
                ("etc/rsyslog.d/40.conf", &input("/var/log/dpkg.log")),
                (
                    "etc/rsyslog.d/50.conf",
                    "*.*;auth,authpriv.none -/var/log/syslog\n"
                ),
                ("etc/fstab", "")
            ]))
            .is_empty()
        );
        assert_eq!(
            causes(&on(&[
                ("etc/rsyslog.d/40.conf", &input("/var/log/my.log")),
                ("etc/rsyslog.d/50.conf", "local0.* /var/log/my.log\n"),
                ("etc/fstab", "")
            ])),
            ["rsyslog-imfile-loop"]
        );
    }

    #[test]
    fn token_groups_only_with_the_ad_provider() {
        let conf = |provider: &str| {
            format!(
                "[domain/a]\nid_provider = {provider}\nldap_use_tokengroups = True\n[domain/b]\nid_provider = ad\n"
            )
        };
        assert_eq!(
            causes(&on(&[
                ("etc/sssd/sssd.conf", &conf("ad")),
                ("etc/fstab", "")
            ])),
            ["sssd-tokengroups"]
        );
        assert!(
            causes(&on(&[
                ("etc/sssd/sssd.conf", &conf("ldap")),
                ("etc/fstab", "")
            ]))
            .is_empty()
        );
    }

    #[test]
    fn settings_that_were_not_applied() {
        let files = |now: u32| {
            [
                (
                    "etc/sysctl.d/60.conf".to_owned(),
                    "net.core.somaxconn = 4096\n".to_owned(),
                ),
                (
                    "sos_commands/kernel/sysctl_-a".to_owned(),
                    format!("net.core.somaxconn = {now}\n"),
                ),
            ]
        };
        let run = |now: u32| {
            let files = files(now);
            on(&[(&files[0].0, &files[0].1), (&files[1].0, &files[1].1)])
        };
        assert_eq!(causes(&run(128)), ["sysctl-not-applied"]);
        assert!(causes(&run(4096)).is_empty());
    }
}
