//! Settings of a host's programs that contradict each other or the host: cgroup drivers, router ids, heaps,
//! monitors that are gone.

use super::engine::compile;
use super::state::{Says, at, name_of};
use super::state_settings::{Files, get, read};
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use std::collections::{BTreeMap, BTreeSet};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[CGROUP, ROUTER, HEAP, MONITORS];
const CGROUP: (&str, &str) = ("kubelet.cgroup-driver-differs", "cgroup-driver-differs");
const ROUTER: (&str, &str) = ("keepalived.router-id-twice", "vrrp-conflict");
const HEAP: (&str, &str) = ("java.heap-above-memory", "java-heap-too-large");
const MONITORS: (&str, &str) = ("ceph.mon-host-stale", "ceph-mon-host-stale");

/// Findings from settings.
pub fn detect(files: &Files<'_>) -> Partial {
    let mut partial = Partial::default();
    let found = [
        cgroup_driver(files),
        router_ids(files),
        heap(files),
        monitors(files),
    ];
    partial.signals.extend(found.into_iter().flatten());
    partial
}

/// kubelet and runtime must use one cgroup driver, or pods' processes are counted twice and killed.
fn cgroup_driver(files: &Files<'_>) -> Option<Signal> {
    let line = |wanted: &dyn Fn(&str) -> bool, pattern: &str| {
        let pattern = compile(pattern)?;
        files.of(|rel| wanted(rel)).find_map(|(entry, text)| {
            text.lines().find_map(|(number, line)| {
                Some((
                    pattern.captures(line)?[1].to_ascii_lowercase(),
                    at(entry, number, line),
                ))
            })
        })
    };
    let (kubelet, ours) = line(
        &|rel| {
            rel.ends_with("var/lib/kubelet/config.yaml") || rel.contains("etc/kubernetes/kubelet")
        },
        r#"^\s*"?cgroupDriver"?:\s*"?(\w+)"?"#,
    )?;
    let (runtime, theirs) = line(
        &|rel| rel.ends_with("etc/containerd/config.toml"),
        r"^\s*SystemdCgroup\s*=\s*(\w+)",
    )
    .map(|(on, line)| {
        (
            (if on == "true" { "systemd" } else { "cgroupfs" }).to_owned(),
            line,
        )
    })
    .or_else(|| {
        line(
            &|rel| rel.ends_with("etc/docker/daemon.json") || rel.contains("etc/crio/"),
            r#"(?:native\.cgroupdriver=|cgroup_manager\s*=\s*")(\w+)"#,
        )
    })?;
    if kubelet == runtime {
        return None;
    }
    Says {
        id: CGROUP,
        subject: ("Kubelet", "cgroup driver"),
        title: format!("kubelet uses the cgroup driver {kubelet}, the container runtime {runtime}"),
        statement: format!("kubelet's cgroupDriver is {kubelet}, the container runtime's is {runtime}: pods are restarted or killed and the node becomes unstable until both are the same."),
        strength: 0.84,
        role: Role::Cause,
        evidence: vec![ours, theirs],
    }
    .signal(&[("unit", "kubelet")])
}

/// Two VRRP instances with one router id on one interface answer for each other.
fn router_ids(files: &Files<'_>) -> Option<Signal> {
    for (entry, text) in files.of(|rel| rel.ends_with("etc/keepalived/keepalived.conf")) {
        let mut seen: BTreeMap<(String, String), (String, Evidence)> = BTreeMap::new();
        let (mut instance, mut interface, mut id) = (String::new(), String::new(), None);
        for (number, line) in text.lines().take(20_000) {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("vrrp_instance"), Some(name)) => {
                    name.trim_end_matches('{').clone_into(&mut instance);
                    interface.clear();
                    id = None;
                }
                (Some("interface"), Some(name)) => name.clone_into(&mut interface),
                (Some("virtual_router_id"), Some(value)) => {
                    id = Some((value.to_owned(), at(entry, number, line)));
                }
                _ => {}
            }
            let Some((value, shown)) = &id else { continue };
            if interface.is_empty() {
                continue;
            }
            let key = (interface.clone(), value.clone());
            match seen.get(&key) {
                Some((other, first)) if *other != instance => {
                    return Says {
                        id: ROUTER,
                        subject: ("VRRP instance", &instance),
                        title: format!("VRRP instances {other} and {instance} share virtual_router_id {value} on {interface}"),
                        statement: format!("keepalived.conf gives {other} and {instance} the same virtual_router_id {value} on {interface}: each takes the other's advertisements for its own and addresses flap."),
                        strength: 0.84,
                        role: Role::Cause,
                        evidence: vec![first.clone(), shown.clone()],
                    }
                    .signal(&[("interface", &interface), ("unit", "keepalived")]);
                }
                Some(_) => {}
                None => {
                    seen.insert(key, (instance.clone(), shown.clone()));
                }
            }
        }
    }
    None
}

/// A heap that the host's memory cannot hold ends in swap or the OOM killer.
fn heap(files: &Files<'_>) -> Option<Signal> {
    let (total, memory) = files
        .of(|rel| rel.ends_with("proc/meminfo") || name_of(rel).starts_with("meminfo"))
        .find_map(|(entry, text)| {
            let (number, line) = text
                .lines()
                .find(|(_, line)| line.starts_with("MemTotal:"))?;
            let total = line.split_whitespace().nth(1)?.parse::<u64>().ok()?;
            Some((total, at(entry, number, line)))
        })?;
    let option = compile(r"-Xmx(\d+)([kmg])\b")?;
    let (entry, number, line, megabytes) = files
        .of(|rel| {
            let name = name_of(rel);
            name == "ps"
                || name.starts_with("ps_")
                || name == "ps.txt"
                || name.ends_with("jvm.options")
                || name.contains("ps_aux")
        })
        .find_map(|(entry, text)| {
            text.lines().take(20_000).find_map(|(number, line)| {
                if line.trim_start().starts_with('#') {
                    return None;
                }
                let hit = option.captures(line)?;
                let value: u64 = hit[1].parse().ok()?;
                let megabytes = match &hit[2].to_ascii_lowercase()[..] {
                    "g" => value.checked_mul(1024)?,
                    "m" => value,
                    _ => value / 1024,
                };
                (megabytes > total / 1024 / 100 * 97)
                    .then(|| (entry.clone(), number, line.to_owned(), megabytes))
            })
        })?;
    Says {
        id: HEAP,
        subject: ("Java", "heap"),
        title: format!("A Java heap of {megabytes} MB (-Xmx) does not fit the host's {} MB of memory", total / 1024),
        statement: format!("A Java process may grow to {megabytes} MB of heap while the host has {} MB in all: it swaps, or the kernel kills it.", total / 1024),
        strength: 0.74,
        role: Role::Cause,
        evidence: vec![at(&entry, number, &line), memory],
    }
    .signal(&[])
}

/// Clients find the monitors by ceph.conf; addresses that are no monitors any more cost time or the access.
fn monitors(files: &Files<'_>) -> Option<Signal> {
    let (settings, _) = read(files, |rel| rel.ends_with("etc/ceph/ceph.conf"));
    let named = get(&settings, "mon_host")?;
    let address = compile(r"(\d+\.\d+\.\d+\.\d+)(?::\d+)?")?;
    let wanted: BTreeSet<String> = address
        .captures_iter(&named.value)
        .map(|hit| hit[1].to_owned())
        .collect();
    let (known, shown) = files
        .of(|rel| {
            let name = name_of(rel);
            (name.contains("mon_dump") || name.contains("mon_stat") || name.contains("mon-dump"))
                && !name.contains("json")
        })
        .find_map(|(entry, text)| {
            let lines: Vec<_> = text
                .lines()
                .filter(|(_, line)| line.contains(":6789") || line.contains(":3300"))
                .collect();
            let known: BTreeSet<String> = lines
                .iter()
                .flat_map(|(_, line)| {
                    address
                        .captures_iter(line)
                        .map(|hit| hit[1].to_owned())
                        .collect::<Vec<_>>()
                })
                .collect();
            let (number, line) = lines.first()?;
            Some((known, at(entry, *number, line)))
        })?;
    let stale: Vec<&String> = wanted.difference(&known).collect();
    let first = *stale.first()?;
    let none = wanted.is_disjoint(&known);
    Says {
        id: MONITORS,
        subject: ("Ceph monitor", first),
        title: format!("ceph.conf's mon_host names {first}, which is no monitor of this cluster"),
        statement: format!(
            "mon_host = {} contains {first}, but the monitors are {}: {}.",
            named.value,
            known.iter().cloned().collect::<Vec<_>>().join(", "),
            if none {
                "no client with this file finds the cluster"
            } else {
                "clients try it first at times and wait for the time-out"
            }
        ),
        strength: if none { 0.88 } else { 0.58 },
        role: Role::Cause,
        evidence: vec![named.line.clone(), shown],
    }
    .signal(&[])
}

#[cfg(test)]
mod tests {
    use crate::signals::services::state_settings::tests::on;

    #[test]
    fn drivers_ids_heaps_and_monitors() {
        let driver = |on_off: &str| {
            on(&[
                ("var/lib/kubelet/config.yaml", "cgroupDriver: systemd\n"),
                (
                    "etc/containerd/config.toml",
                    &format!("   SystemdCgroup = {on_off}\n"),
                ),
            ])
        };
        assert_eq!((driver("false").len(), driver("true").len()), (1, 0));
        let vrrp = |id: u32| {
            on(&[(
                "etc/keepalived/keepalived.conf",
                &format!(
                    "vrrp_instance A {{\n interface eth0\n virtual_router_id 51\n}}\nvrrp_instance B {{\n interface eth0\n virtual_router_id {id}\n}}\n"
                ),
            )])
        };
        assert_eq!((vrrp(51).len(), vrrp(52).len()), (1, 0));
        let heap = |size: &str| {
            on(&[
                ("proc/meminfo", "MemTotal:  8000000 kB\n"),
                (
                    "sos_commands/process/ps_aux",
                    &format!("a 1 java -Xms1g -Xmx{size} -jar a.jar\n"),
                ),
            ])
        };
        assert_eq!((heap("16g").len(), heap("4g").len()), (1, 0));
        let mons = |host: &str| {
            on(&[
                (
                    "etc/ceph/ceph.conf",
                    &format!("[global]\nmon host = {host}\n"),
                ),
                (
                    "sos_commands/ceph_mon/ceph_mon_dump",
                    "0: [v2:192.0.2.1:3300/0,v1:192.0.2.1:6789/0] mon.a\n",
                ),
            ])
        };
        assert_eq!((mons("192.0.2.9").len(), mons("192.0.2.1").len()), (1, 0));
    }
}
