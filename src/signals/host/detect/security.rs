//! Denials of SELinux and AppArmor: weak alone, strong when the denied program also fails.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::{Draft, times};
use crate::signals::host::facts::Host;
use crate::signals::host::logs::{Group, Hits};
use crate::signals::host::rules::{weigh, when};

const WORDS: &[&str] = &["selinux", "apparmor", "denied", "permission", "permissions"];

pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    let failing: Vec<String> = hits
        .of("systemd-unit-error")
        .map(|(unit, _)| unit.split(['.', '@']).next().unwrap_or(unit).to_owned())
        .collect();
    let fails = |name: &str| {
        name.len() > 2
            && failing.iter().any(|unit| {
                unit == name || unit.trim_end_matches('d') == name.trim_end_matches('d')
            })
    };
    for (comm, group) in hits.of("selinux-denied") {
        selinux(host, comm, group, fails(comm), out);
    }
    for (profile, group) in hits.of("apparmor-denied") {
        let program = profile.rsplit('/').next().unwrap_or(profile);
        let strength = if fails(program) || fails(group.get("comm")) {
            0.76
        } else {
            0.34
        };
        Draft::cause("apparmor-denied", "apparmor-denial", weigh(strength, 1, group, host), "Profile", profile)
            .says(
                format!("AppArmor denies {} {} {} (profile {profile}), {}{}", group.get("comm"), group.get("op"), group.get("file"), times(group.count()), when(group, host)),
                format!("The AppArmor profile {profile} denies {} the operation {} on {}; the program runs without what it asked for, or fails.", group.get("comm"), group.get("op"), group.get("file")),
            )
            .cites(group.evidence().into_iter().take(4))
            .with("profile", profile)
            .if_ticket(host, WORDS)
            .put(out);
    }
}

/// A denial is strong when the program fails, when its own log is refused too, or when a boolean that would allow just this
/// is off; and when it comes again and again for what a service does by its nature.
fn selinux(host: &Host, comm: &str, group: &Group, fails: bool, out: &mut Partial) {
    let (perm, target, source) = (group.get("perm"), group.get("target"), group.get("source"));
    let what = match (group.get("file"), group.get("port")) {
        ("", "") => target.to_owned(),
        ("", port) => format!("port {port} ({target})"),
        (file, _) => format!("{file} ({target})"),
    };
    let boolean = boolean(host, source, perm, target);
    let refused = refused(host, comm);
    let works = perm.split_whitespace().any(|perm| SERVING.contains(&perm));
    let strength = match (&boolean, &refused) {
        (Some(_), Some(_)) => 0.88,
        (Some(_), None) | (None, Some(_)) => 0.82,
        _ if fails => 0.78,
        _ if works && group.count() >= 10 => 0.58,
        _ => 0.4,
    };
    let why = match &boolean {
        Some((name, _)) => format!("the boolean {name}, which would allow it, is off"),
        None => "a wrong label or a missing boolean or rule".to_owned(),
    };
    let own = match &refused {
        Some(_) => format!(" {comm} writes of a refused permission in its own log."),
        None => String::new(),
    };
    let about = match &boolean {
        Some((name, _)) => format!(": {name} is off"),
        None => String::new(),
    };
    let aliases = match comm {
        "httpd" => vec!["apache", "httpd", "web"],
        "smbd" => vec!["samba", "smbd", "share"],
        other => vec![other],
    };
    Draft::cause(
        "selinux-denied",
        "selinux-denial",
        weigh(strength, 1, group, host),
        "Process",
        comm,
    )
    .says(
        format!(
            "SELinux denies {comm} {{ {perm} }} on {what}, {}{about}{}",
            times(group.count()),
            when(group, host)
        ),
        format!(
            "SELinux denies {comm} ({source}) the permission {perm} on {} {what}: {why}.{own}",
            group.get("class")
        ),
    )
    .cites(group.evidence().into_iter().take(3))
    .cites(boolean.map(|(_, cited)| cited))
    .cites(refused)
    .with("process", comm)
    .with("file", group.get("file"))
    .if_ticket(host, if strength > 0.5 { &aliases } else { WORDS })
    .put(out);
}

/// Permissions without which a service does not serve.
const SERVING: &[&str] = &[
    "name_connect",
    "name_bind",
    "open",
    "read",
    "write",
    "append",
    "create",
    "add_name",
    "remove_name",
    "unlink",
    "rename",
    "execute",
    "execmem",
    "connectto",
    "map",
];

/// The boolean of the denied domain that is off and would allow such an act, and its line.
fn boolean(host: &Host, source: &str, perm: &str, target: &str) -> Option<(String, Evidence)> {
    let domain = source.strip_suffix("_t")?;
    // Booleans of some domains go by the name of what they belong to.
    let owner = match domain {
        "smbd" | "nmbd" => "samba",
        "svirt" | "virtd" | "qemu" => "virt",
        "crond" | "system_cronjob" => "cron",
        other => other.trim_end_matches("_sys_script"),
    };
    let wanted: &[&str] = match perm.split_whitespace().next()? {
        "name_connect" => &[
            "can_network_connect",
            "connect_any",
            "can_network",
            "can_connect",
        ],
        "name_bind" => &["bind_all", "bind_any", "can_network"],
        "execmem" => &["execmem"],
        "execstack" => &["execstack"],
        _ => match target {
            "nfs_t" => &["use_nfs", "share_nfs"],
            "cifs_t" => &["use_cifs", "use_samba"],
            "fusefs_t" => &["use_fusefs", "share_fusefs"],
            "user_home_t" | "home_root_t" | "user_home_dir_t" => {
                &["enable_homedirs", "enable_home_dirs", "read_user_content"]
            }
            _ => return None,
        },
    };
    let docs = ["sestatus", "getsebool", "semanage"];
    let lists = docs
        .iter()
        .flat_map(|program| host.commands(program, |_| true));
    for doc in lists {
        for tail in wanted {
            let name = format!("{owner}_{tail}");
            let line = doc.lines().find(|(_, line)| {
                let mut words = line
                    .split(|c: char| c.is_whitespace() || "(,)>-".contains(c))
                    .filter(|word| !word.is_empty());
                words.next() == Some(name.as_str()) && words.next() == Some("off")
            });
            if let Some((number, _)) = line {
                return Some((name, doc.cite(number)));
            }
        }
    }
    None
}

/// A line in which the program's own log is refused a permission.
fn refused(host: &Host, comm: &str) -> Option<Evidence> {
    let folder = match comm {
        "smbd" | "nmbd" => "samba",
        "mysqld" | "mariadbd" => "mariadb",
        other => other,
    };
    host.files(&format!("var/log/{folder}"))
        .iter()
        .find_map(|doc| {
            let (number, _) =
                doc.line_with(|line| line.contains("ermission denied") || line.contains("EACCES"))?;
            Some(doc.cite(number))
        })
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::on;

    const DENIED: &str = "Feb  1 10:00:00 h kernel: [9.000001] audit: type=1400 audit(1.1:1): apparmor=\"DENIED\" operation=\"open\" profile=\"/usr/sbin/named\" name=\"/srv/zone\" pid=9 comm=\"named\" requested_mask=\"r\"\n";

    #[test]
    fn a_denial_counts_when_its_service_fails() {
        let alone = on(&[("var/log/syslog", DENIED)]);
        assert!(
            alone
                .signals
                .iter()
                .any(|s| s.cause == "apparmor-denial" && s.strength < 0.5)
        );
        let text = format!(
            "{DENIED}Feb  1 10:00:01 h systemd[1]: named.service: Failed with result 'exit-code'.\n"
        );
        assert!(
            on(&[("var/log/syslog", &text)])
                .signals
                .iter()
                .any(|s| s.cause == "apparmor-denial" && s.strength > 0.7)
        );
    }

    #[test]
    fn selinux_counts_when_its_boolean_is_off_or_the_program_says_so() {
        let denied = "type=AVC msg=audit(1700000000.100:77): avc:  denied  { name_connect } for  pid=9 comm=\"haproxy\" dest=9300 scontext=system_u:system_r:haproxy_t:s0 tcontext=system_u:object_r:unreserved_port_t:s0 tclass=tcp_socket permissive=0\n";
        let strength = |files: &[(&str, &str)]| {
            let found = on(files);
            let found = found.signals.iter().find(|s| s.cause == "selinux-denial");
            found.map_or(0.0, |s| s.strength)
        };
        let log = ("var/log/audit/audit.log", denied);
        assert!(strength(&[log]) < 0.5);
        let off = (
            "sos_commands/selinux/sestatus_-b",
            "SELinux status: enabled\nhaproxy_connect_any                         off\n",
        );
        assert!(strength(&[log, off]) > 0.8);
        let on = (
            "sos_commands/selinux/sestatus_-b",
            "haproxy_connect_any                         on\n",
        );
        assert!(strength(&[log, on]) < 0.5);
        let own = (
            "var/log/haproxy/haproxy.log",
            "cannot connect to 10.0.0.4:9300: Permission denied\n",
        );
        assert!(strength(&[log, own]) > 0.8);
        let permissive = denied.replace("permissive=0", "permissive=1");
        assert_eq!(
            strength(&[("var/log/audit/audit.log", &permissive), off]),
            0.0
        );
    }

    #[test]
    fn confinement_of_snaps_and_containers_is_ordinary() {
        let text = DENIED.replace("profile=\"/usr/sbin/named\"", "profile=\"snap.lxd.daemon\"");
        assert!(on(&[("var/log/syslog", &text)]).signals.is_empty());
    }
}
