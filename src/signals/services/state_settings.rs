//! Settings that contradict each other: names that stand nowhere, timers shorter than what they wait for,
//! services that use different hosts, drivers that differ, heaps larger than the host.

use super::state::{Says, at, name_of, texts};
use super::tables::Output;
use crate::bundle::{Entry, Text, Tree};
use crate::report::Evidence;
use crate::signals::{Partial, Role, Signal};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[BACKEND, TIMER, TYPES, HOSTS, SECRET];
const BACKEND: (&str, &str) = ("openstack.backend-undefined", "openstack-backend-undefined");
const TIMER: (&str, &str) = ("openstack.report-interval", "openstack-report-interval");
const TYPES: (&str, &str) = ("neutron.type-driver-missing", "neutron-network-types");
const HOSTS: (&str, &str) = ("openstack.hosts-differ", "openstack-endpoints-differ");
const SECRET: (&str, &str) = ("nova.rbd-secret-unknown", "nova-rbd-secret");

/// One `key = value` of a configuration file with sections.
pub struct Setting {
    /// The section.
    pub section: String,
    /// The key, `_` for spaces.
    pub key: String,
    /// The value.
    pub value: String,
    /// Where it stands.
    pub line: Evidence,
}

/// Files that settings are compared from, read once.
pub struct Files<'a>(Vec<(String, &'a Entry, Arc<Text>)>);

impl Files<'_> {
    /// Those whose lower-case path satisfies `wanted`.
    pub fn of(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = (&Entry, &Text)> {
        self.0
            .iter()
            .filter(move |(rel, ..)| wanted(rel))
            .map(|(_, entry, text)| (*entry, text.as_ref()))
    }
}

/// Configuration whose path begins so.
const FOLDERS: [&str; 17] = [
    "etc/nova/",
    "etc/neutron/",
    "etc/cinder/",
    "etc/glance/",
    "etc/heat/",
    "etc/octavia/",
    "etc/designate/",
    "etc/manila/",
    "etc/barbican/",
    "etc/ironic/",
    "etc/ceph/",
    "etc/containerd/",
    "etc/docker/",
    "etc/crio/",
    "etc/kubernetes/kubelet",
    "etc/keepalived/",
    "var/lib/kubelet/config",
];

/// Findings from settings.
pub fn detect(tree: &Tree, outputs: &[Output<'_>]) -> Partial {
    let mut partial = Partial::default();
    let configuration = texts(tree, |rel| {
        FOLDERS.iter().any(|folder| rel.starts_with(folder))
            || rel == "proc/meminfo"
            || rel.starts_with("etc/") && rel.ends_with("jvm.options")
    })
    .map(|(entry, text)| (tree.rel(entry).to_ascii_lowercase(), entry, text));
    let commands = outputs
        .iter()
        .filter(|output| {
            let name = output.name.as_str();
            ["mon_dump", "mon_stat", "meminfo"]
                .iter()
                .any(|part| name.contains(part))
                || name == "ps"
                || name.starts_with("ps_")
        })
        .filter_map(|output| {
            let text = tree.text(output.entry).ok().flatten()?;
            Some((
                tree.rel(output.entry).to_ascii_lowercase(),
                output.entry,
                text,
            ))
        });
    let files = Files(configuration.chain(commands).collect());
    let found = [
        cinder(&files),
        glance(&files),
        timers(&files),
        network_types(&files),
        rbd_secret(tree, &files),
    ];
    partial.signals.extend(found.into_iter().flatten());
    partial.signals.extend(hosts(&files));
    partial.merge(super::state_settings_host::detect(&files));
    partial
}

/// Settings and section names of the files that `wanted` accepts.
pub fn read(files: &Files<'_>, wanted: impl Fn(&str) -> bool) -> (Vec<Setting>, BTreeSet<String>) {
    let (mut settings, mut sections) = (Vec::new(), BTreeSet::new());
    for (entry, text) in files.of(wanted) {
        let mut section = String::from("DEFAULT");
        for (number, line) in text.lines().take(20_000) {
            let bare = line.trim();
            if bare.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = bare
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                name.trim().clone_into(&mut section);
                sections.insert(section.clone());
            } else if let Some((key, value)) = bare.split_once('=') {
                settings.push(Setting {
                    section: section.clone(),
                    key: key.trim().replace(' ', "_"),
                    value: value.trim().to_owned(),
                    line: at(entry, number, line),
                });
            }
        }
    }
    (settings, sections)
}

pub fn get<'a>(settings: &'a [Setting], key: &str) -> Option<&'a Setting> {
    settings
        .iter()
        .rfind(|setting| setting.key == key && !setting.value.is_empty())
}

fn words(value: &str) -> impl Iterator<Item = &str> {
    value
        .split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

/// Each name of `enabled_backends` is a section; without it cinder-volume starts without that back end.
fn cinder(files: &Files<'_>) -> Option<Signal> {
    let (settings, sections) = read(files, |rel| {
        rel.starts_with("etc/cinder/") && rel.ends_with(".conf")
    });
    let enabled = get(&settings, "enabled_backends")?;
    let missing = words(&enabled.value).find(|name| !sections.contains(*name))?;
    Says {
        id: BACKEND,
        subject: ("Volume backend", missing),
        title: format!("Cinder's enabled_backends names {missing}, but there is no section [{missing}]"),
        statement: format!("enabled_backends = {} names {missing}, for which cinder.conf has no section [{missing}]: that back end does not start and its volumes find no host.", enabled.value),
        strength: 0.84,
        role: Role::Cause,
        evidence: vec![enabled.line.clone()],
    }
    .signal(&[("unit", "cinder-volume")])
}

/// The default store must be one of those that are enabled.
fn glance(files: &Files<'_>) -> Option<Signal> {
    let (settings, _) = read(files, |rel| rel.ends_with("etc/glance/glance-api.conf"));
    let pairs = [
        ("default_backend", "enabled_backends"),
        ("default_store", "stores"),
    ];
    pairs.iter().find_map(|(default, enabled)| {
        let (default, enabled) = (get(&settings, default)?, get(&settings, enabled)?);
        let known = words(&enabled.value).any(|name| {
            let name = name.split(':').next().unwrap_or(name);
            name == default.value || name.rsplit('.').next() == Some(&default.value)
        });
        // "filesystem" is the name of the store that is enabled as "file".
        if known || default.value.starts_with("file") && enabled.value.contains("file") {
            return None;
        }
        Says {
            id: BACKEND,
            subject: ("Image store", &default.value),
            title: format!(
                "Glance's {} is {}, which {} does not enable",
                default.key, default.value, enabled.key
            ),
            statement: format!(
                "{} = {} is not among {} = {}: uploads without an explicit store fail.",
                default.key, default.value, enabled.key, enabled.value
            ),
            strength: 0.84,
            role: Role::Cause,
            evidence: vec![default.line.clone(), enabled.line.clone()],
        }
        .signal(&[("unit", "glance-api")])
    })
}

/// A service counts as dead when it has not reported for the down time: that must be twice the interval.
fn timers(files: &Files<'_>) -> Option<Signal> {
    const TIMERS: [(&str, &str, &str, u64, u64); 4] = [
        ("neutron", "agent_down_time", "report_interval", 75, 30),
        ("nova", "service_down_time", "report_interval", 60, 10),
        ("cinder", "service_down_time", "report_interval", 60, 10),
        ("octavia", "heartbeat_timeout", "heartbeat_interval", 60, 10),
    ];
    TIMERS.iter().find_map(|(service, down_key, interval_key, down_default, interval_default)| {
        let folder = format!("etc/{service}/");
        let (settings, _) = read(files, |rel| {
            rel.starts_with(&folder) && (rel.ends_with(".conf") || rel.ends_with("agent.ini"))
        });
        let (down, interval) = (get(&settings, down_key), get(&settings, interval_key));
        let number = |setting: Option<&Setting>, default: u64| {
            setting.map_or(Some(default), |setting| setting.value.parse().ok())
        };
        let (seconds, every) = (number(down, *down_default)?, number(interval, *interval_default)?);
        if every == 0 || seconds > every {
            return None;
        }
        let evidence: Vec<Evidence> = [down, interval]
            .into_iter()
            .flatten()
            .map(|setting| setting.line.clone())
            .collect();
        let shown = |setting: Option<&Setting>, key: &str, seconds: u64| match setting {
            Some(_) => format!("{key} {seconds} s"),
            None => "its default".to_owned(),
        };
        let (time, period) = (shown(down, down_key, seconds), shown(interval, interval_key, every));
        Says {
            id: TIMER,
            subject: ("OpenStack service", service),
            title: format!("{service}: services count as dead after {time}, but report with {period}"),
            statement: format!("{service} counts a service as dead after the down time ({time}), which is not longer than the interval of its reports ({period}): services flap between up and down. The down time should be at least twice the interval."),
            strength: 0.84,
            role: Role::Cause,
            evidence,
        }
        .signal(&[])
    })
}

/// Types that tenants' networks may have need their driver loaded and a range to take from.
fn network_types(files: &Files<'_>) -> Option<Signal> {
    let (settings, _) = read(files, |rel| {
        rel.contains("etc/neutron/") && name_of(rel) == "ml2_conf.ini"
    });
    let (tenant, drivers) = (
        get(&settings, "tenant_network_types")?,
        get(&settings, "type_drivers")?,
    );
    let loaded: Vec<&str> = words(&drivers.value).collect();
    let missing = words(&tenant.value).find(|kind| !loaded.contains(kind))?;
    Says {
        id: TYPES,
        subject: ("Network type", missing),
        title: format!("Neutron's tenant_network_types has {missing}, which type_drivers does not load"),
        statement: format!("tenant_network_types = {} contains {missing}, but type_drivers = {} does not: neutron-server does not start, or cannot create such networks.", tenant.value, drivers.value),
        strength: 0.84,
        role: Role::Cause,
        evidence: vec![tenant.line.clone(), drivers.line.clone()],
    }
    .signal(&[("unit", "neutron-server")])
}

/// The hosts of an address list: `rabbit://u:p@a:5672,u:p@b:5672/v`, `http://vip:5000/v3`, `a:11211,b:11211`.
fn hosts_of(value: &str) -> BTreeSet<String> {
    let value = value.split_once("://").map_or(value, |(_, rest)| rest);
    let value = value.split(['/', '?']).next().unwrap_or(value);
    value
        .split(',')
        .filter_map(|part| {
            let host = part.rsplit('@').next()?.trim();
            let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
            (host.len() > 2 && !host.contains('*')).then(|| host.to_owned())
        })
        .collect()
}

/// Services of one cloud use the same message bus and the same Keystone: one that differs was forgotten.
fn hosts(files: &Files<'_>) -> Vec<Signal> {
    const SERVICES: [&str; 10] = [
        "nova",
        "neutron",
        "cinder",
        "glance",
        "heat",
        "octavia",
        "designate",
        "manila",
        "barbican",
        "ironic",
    ];
    let mut out = Vec::new();
    for key in ["transport_url", "auth_url"] {
        let mut users: BTreeMap<BTreeSet<String>, Vec<(&str, Evidence)>> = BTreeMap::new();
        for service in SERVICES {
            let folder = format!("etc/{service}/{service}");
            let (settings, _) = read(files, |rel| {
                rel.starts_with(&folder) && rel.ends_with(".conf")
            });
            let setting = settings.iter().find(|setting| {
                setting.key == key
                    && matches!(setting.section.as_str(), "DEFAULT" | "keystone_authtoken")
            });
            if let Some(setting) = setting {
                let hosts = hosts_of(&setting.value);
                if !hosts.is_empty() {
                    users
                        .entry(hosts)
                        .or_default()
                        .push((service, setting.line.clone()));
                }
            }
        }
        let Some((common, most)) = users.iter().max_by_key(|(_, who)| who.len()) else {
            continue;
        };
        if most.len() < 2 {
            continue;
        }
        for (other, who) in users
            .iter()
            .filter(|(hosts, who)| who.len() == 1 && hosts.is_disjoint(common))
        {
            let list =
                |hosts: &BTreeSet<String>| hosts.iter().cloned().collect::<Vec<_>>().join(", ");
            let (service, line) = &who[0];
            out.extend(
                Says {
                    id: HOSTS,
                    subject: ("OpenStack service", service),
                    title: format!("{service}'s {key} names {}, the other services' names {}", list(other), list(common)),
                    statement: format!("{service} has {key} at {}, while {} other services of this host use {}: {service} talks to another (old or wrong) server.", list(other), most.len(), list(common)),
                    strength: 0.66,
                    role: Role::Cause,
                    evidence: vec![line.clone(), most[0].1.clone()],
                }
                .signal(&[("unit", service)]),
            );
        }
    }
    out
}

/// libvirt finds the key for RBD by a secret's UUID; one that it does not hold stops every attachment.
fn rbd_secret(tree: &Tree, files: &Files<'_>) -> Option<Signal> {
    let (settings, _) = read(files, |rel| {
        rel == "etc/nova/nova.conf"
            || rel.starts_with("etc/nova/nova.conf.d/")
            || rel == "etc/nova/nova-compute.conf"
    });
    let wanted = get(&settings, "rbd_secret_uuid")?;
    let held: Vec<&Entry> = tree
        .files()
        .filter(|entry| {
            let rel = tree.rel(entry);
            rel.contains("etc/libvirt/secrets/") && rel.ends_with(".xml")
        })
        .collect();
    if held.is_empty()
        || wanted.value.len() != 36
        || held
            .iter()
            .any(|entry| tree.rel(entry).contains(&wanted.value))
    {
        return None;
    }
    let names: Vec<&str> = held
        .iter()
        .map(|entry| entry.path.name().trim_end_matches(".xml"))
        .collect();
    Says {
        id: SECRET,
        subject: ("Secret", &wanted.value),
        title: format!("Nova's rbd_secret_uuid {} is no secret of libvirt", wanted.value),
        statement: format!("rbd_secret_uuid is {}, but libvirt on this host holds only {}: guests with RBD disks fail to start or attach with \"Secret not found\".", wanted.value, names.join(", ")),
        strength: 0.86,
        role: Role::Cause,
        evidence: vec![wanted.line.clone()],
    }
    .signal(&[("unit", "nova-compute")])
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    pub fn on(files: &[(&str, &str)]) -> Vec<String> {
        let files = files
            .iter()
            .map(|(path, text)| (format!("top/{path}"), text));
        let (_folder, tree) = tree_of(files);
        detect(&tree, &super::super::tables::outputs(&tree))
            .signals
            .into_iter()
            .map(|signal| signal.title)
            .collect()
    }

    #[test]
    fn names_without_a_section_and_stores_that_are_not_enabled() {
        let cinder = |section: &str| {
            on(&[(
                "etc/cinder/cinder.conf",
                &format!("[DEFAULT]\nenabled_backends = fast,slow\n[fast]\na = 1\n[{section}]\n"),
            )])
        };
        assert!(cinder("slo")[0].contains("names slow"));
        assert!(cinder("slow").is_empty());
        let glance = |default: &str| {
            on(&[(
                "etc/glance/glance-api.conf",
                &format!(
                    "[DEFAULT]\nenabled_backends = a:rbd, b:file\n[glance_store]\ndefault_backend = {default}\n"
                ),
            )])
        };
        assert_eq!((glance("c").len(), glance("b").len()), (1, 0));
        let types = |tenant: &str| {
            on(&[(
                "etc/neutron/plugins/ml2/ml2_conf.ini",
                &format!("[ml2]\ntype_drivers = flat,vlan\ntenant_network_types = {tenant}\n"),
            )])
        };
        assert_eq!((types("geneve").len(), types("vlan").len()), (1, 0));
    }

    #[test]
    fn timers_and_hosts() {
        let timer = |down: u32| {
            on(&[(
                "etc/neutron/neutron.conf",
                &format!("[DEFAULT]\nagent_down_time = {down}\n[agent]\nreport_interval = 60\n"),
            )])
        };
        assert_eq!((timer(45).len(), timer(150).len()), (1, 0));
        let url = |host: &str| format!("[DEFAULT]\ntransport_url = rabbit://u:p@{host}:5672//\n");
        let bus = |odd: &str| {
            on(&[
                ("etc/nova/nova.conf", &url("mq1")),
                ("etc/cinder/cinder.conf", &url("mq1")),
                ("etc/heat/heat.conf", &url(odd)),
            ])
        };
        assert!(bus("old-mq")[0].contains("heat's transport_url names old-mq"));
        assert!(bus("mq1").is_empty());
    }

    #[test]
    fn secrets_that_libvirt_does_not_hold() {
        let secret = |held: &str| {
            on(&[
                (
                    "etc/nova/nova.conf",
                    "[libvirt]\nrbd_secret_uuid = 0f8a6b1c-2d3e-4f50-8a9b-0c1d2e3f4a5b\n",
                ),
                (&format!("etc/libvirt/secrets/{held}.xml"), "<secret/>"),
            ])
        };
        assert_eq!(
            (
                secret("1f8a6b1c-2d3e-4f50-8a9b-0c1d2e3f4a5b").len(),
                secret("0f8a6b1c-2d3e-4f50-8a9b-0c1d2e3f4a5b").len()
            ),
            (1, 0)
        );
    }
}
