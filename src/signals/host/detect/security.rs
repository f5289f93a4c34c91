//! Denials of SELinux and AppArmor: weak alone, strong when the denied program also fails.

use crate::signals::Partial;
use crate::signals::host::emit::{Draft, times};
use crate::signals::host::facts::Host;
use crate::signals::host::logs::Hits;
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
        let strength = if fails(comm) { 0.78 } else { 0.4 };
        let (perm, file, target) = (group.get("perm"), group.get("file"), group.get("target"));
        Draft::cause("selinux-denied", "selinux-denial", weigh(strength, 1, group, host), "Process", comm)
            .says(
                format!("SELinux denies {comm} {{ {perm} }} on {file} ({target}), {}{}", times(group.count()), when(group, host)),
                format!("SELinux denies {comm} ({}) the permission {perm} on {} {file} labelled {target}; a wrong label or a missing boolean or rule.", group.get("source"), group.get("class")),
            )
            .cites(group.evidence().into_iter().take(4))
            .with("process", comm)
            .if_ticket(host, WORDS)
            .put(out);
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
    fn confinement_of_snaps_and_containers_is_ordinary() {
        let text = DENIED.replace("profile=\"/usr/sbin/named\"", "profile=\"snap.lxd.daemon\"");
        assert!(on(&[("var/log/syslog", &text)]).signals.is_empty());
    }
}
