//! systemd's units: failed ones with their own error, restart loops, masked services.

use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::clock::DAY;
use crate::signals::host::detect::lastwords;
use crate::signals::host::emit::{Draft, ask};
use crate::signals::host::facts::{Doc, Host, cite};
use crate::signals::host::logs::{Group, Hits};
use std::collections::BTreeSet;

/// Units that fail on healthy machines: no such hardware, containers, first boot, one-shot timers.
const ORDINARY: [&str; 40] = [
    "openipmi",
    "ipmi",
    "ipmievd",
    "multipathd",
    "systemd-remount-fs",
    "cloud-",
    "snap.",
    "snapd",
    "apport",
    "fwupd",
    "motd-news",
    "ua-",
    "ubuntu-advantage",
    "unattended-upgrades",
    "plymouth",
    "NetworkManager-wait-online",
    "systemd-networkd-wait-online",
    "networkd-dispatcher",
    "mcelog",
    "console-setup",
    "keyboard-setup",
    "setvtrgb",
    "grub-",
    "user@",
    "session-",
    "apt-daily",
    "apt-news",
    "dnf-makecache",
    "man-db",
    "insights-client",
    "sos",
    "casper-md5check",
    "pollinate",
    "sys-kernel-",
    "dev-hugepages",
    "systemd-modules-load",
    "lvm2-monitor",
    "iscsid.socket",
    "finalrd",
    "run-",
];
/// Units that are masked where nobody touched anything.
const MASKED: [&str; 26] = [
    "x11-common",
    "sudo",
    "screen-cleanup",
    "rcS",
    "rc.",
    "multipath-tools-boot",
    "lvm2",
    "hwclock",
    "cryptdisks",
    "nfs-common",
    "ceph-create-keys",
    "alsa",
    "bootlogs",
    "bootmisc",
    "checkfs",
    "checkroot",
    "killprocs",
    "motd",
    "mountall",
    "mountdevsubfs",
    "mountkernfs",
    "mountnfs",
    "umount",
    "urandom",
    "procps.sh",
    "saned",
];

/// Most failed units looked at.
const MAX_UNITS: usize = 24;

/// A failed or looping unit.
struct Failed {
    name: String,
    looping: bool,
    evidence: Evidence,
}

pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    let mut units = failed(host);
    units.extend(looping(host, hits, &units));
    units.truncate(MAX_UNITS);
    for unit in units {
        let ordinary = ORDINARY.iter().any(|word| unit.name.starts_with(word));
        if !ordinary || named(host, &unit.name) || is_fatal_daemon(host, &unit.name) {
            report(host, hits, unit, out);
        }
    }
    masked(host, out);
}

/// A snap's daemon that ends with a fatal error of its own at each start: no blemish, whatever snaps do else.
fn is_fatal_daemon(host: &Host, unit: &str) -> bool {
    unit.starts_with("snap.")
        && lastwords::of(host, stem(unit), "").is_some_and(|words| words.fatal && words.count >= 3)
}

/// Whether the customer speaks of this unit.
fn named(host: &Host, unit: &str) -> bool {
    let stem = stem(unit).to_lowercase();
    let snap = stem.split('.').next().unwrap_or_default();
    stem.len() > 2 && host.ticket_has(&[&stem, stem.trim_end_matches('d'), snap])
}

/// `ceph-osd` for `ceph-osd@3.service`, `shop.web` for `snap.shop.web.service`: what the unit logs as.
fn stem(unit: &str) -> &str {
    let unit = unit.strip_suffix(".service").unwrap_or(unit);
    match unit.strip_prefix("snap.") {
        Some(app) => app,
        None => unit.split(['.', '@']).next().unwrap_or(unit),
    }
}

/// From `systemctl list-units`: failed now, or waiting for the next automatic restart.
fn failed(host: &Host) -> Vec<Failed> {
    let mut seen = BTreeSet::new();
    let mut units = Vec::new();
    for doc in host.commands("systemctl", |name| !name.contains("list-")) {
        units.extend(failed_in_status(&doc, &mut seen));
    }
    for doc in host.commands("systemctl", |name| {
        name.contains("list-units") || name.contains("--failed")
    }) {
        for (number, line) in doc.lines() {
            let words: Vec<&str> = line
                .trim_start_matches(['*', '●', '×', '↻', ' '])
                .split_whitespace()
                .collect();
            let [name, load, active, sub, ..] = words[..] else {
                continue;
            };
            let looping = active == "activating" && sub == "auto-restart";
            if (active == "failed" || looping)
                && load != "not-found"
                && name.contains('.')
                && seen.insert(name.to_owned())
            {
                units.push(Failed {
                    name: name.to_owned(),
                    looping,
                    evidence: doc.cite(number),
                });
            }
        }
    }
    units
}

/// From `systemctl status`: `● x.service - …`, some lines later `Active: failed (Result: …)`.
fn failed_in_status(doc: &Doc, seen: &mut BTreeSet<String>) -> Vec<Failed> {
    let mut units = Vec::new();
    let mut unit = String::new();
    for (number, line) in doc.lines() {
        if line.starts_with(['*', '●', '×', '↻', '○']) {
            unit = line
                .split_whitespace()
                .nth(1)
                .unwrap_or_default()
                .to_owned();
        } else if let Some(active) = line.trim_start().strip_prefix("Active: ") {
            let looping = active.starts_with("activating (auto-restart)");
            if (looping || active.starts_with("failed"))
                && unit.ends_with(".service")
                && seen.insert(unit.clone())
            {
                units.push(Failed {
                    name: unit.clone(),
                    looping,
                    evidence: doc.cite(number),
                });
            }
        }
    }
    units
}

/// The program that `systemctl status` says the unit runs: `Process: 3139 ExecStart=/usr/local/bin/k3s agent`,
/// `Main PID: 9911 (mysqld)`.
fn program(line: &str) -> Option<&str> {
    let named = match line.split_once("ExecStart=") {
        Some((_, rest)) => rest.split_whitespace().next()?.rsplit('/').next()?,
        None => line
            .trim_start()
            .strip_prefix("Main PID: ")?
            .split_once('(')?
            .1
            .split(')')
            .next()?,
    };
    (named.len() > 2 && !named.contains('=') && !is_wrapper(named)).then_some(named)
}

/// Programs that run others: their name in a log says nothing about the unit.
fn is_wrapper(name: &str) -> bool {
    [
        "bash",
        "python",
        "python3",
        "java",
        "node",
        "env",
        "sudo",
        "snap",
        "perl",
        "ruby",
        "systemctl",
    ]
    .contains(&name)
}

/// Known from the logs only: given up by systemd where no list of units tells the state now, or
/// restarted ten times and more until the end.
fn looping(host: &Host, hits: &Hits, known: &[Failed]) -> Vec<Failed> {
    let listed = host.command("systemctl", &["list-units"]).is_some();
    let mut units = Vec::new();
    for (name, group) in hits.of("systemd-unit-error") {
        if known.iter().any(|unit| unit.name == name) {
            continue;
        }
        let recent = match host.frame.now.zip(group.last) {
            Some((now, last)) => now - last < DAY,
            None => true,
        };
        let restarts: u64 = group.get("restarts").parse().unwrap_or(0);
        let given_up = !listed && group.get("msg").contains("repeated too quickly");
        let evidence = group.evidence();
        if let (true, Some(last)) = (
            recent && (restarts >= 10 || given_up),
            evidence.get(1).or(evidence.first()),
        ) {
            units.push(Failed {
                name: name.to_owned(),
                looping: !given_up,
                evidence: last.clone(),
            });
        }
    }
    units
}

fn report(host: &Host, hits: &Hits, unit: Failed, out: &mut Partial) {
    let group = hits
        .of("systemd-unit-error")
        .find(|(name, _)| *name == unit.name)
        .map(|(_, group)| group);
    let (status, status_lines, runs) = status(host, &unit.name);
    let words = lastwords::of(host, stem(&unit.name), &runs);
    // Said at every start: not what happened to stand there once, but why the unit ends.
    let insists = words.as_ref().is_some_and(|words| words.count >= 3);
    let fatal = words.as_ref().is_some_and(|words| words.fatal);
    let own = words
        .filter(|words| words.fatal || words.count >= 3)
        .map(|words| words.line)
        .or_else(|| group.and_then(|group| own_error(host, &unit.name, group)))
        .or_else(|| {
            let said = |e: &&Evidence| is_error(&e.quote) && !is_systemd_s(&e.quote);
            status_lines.iter().find(said).cloned()
        });
    let asked = named(host, &unit.name);
    let state = if unit.looping {
        "restarts again and again"
    } else {
        "has failed"
    };
    let name = unit.name.clone();
    let mut strength = match (&own, unit.looping) {
        (Some(_), _) if fatal && insists => 0.68,
        (Some(_), true) if insists => 0.64,
        (Some(_), true) => 0.58,
        (Some(_), false) => 0.47,
        (None, true) => 0.5,
        (None, false) => 0.4,
    };
    if asked {
        strength = if own.is_some() { 0.8 } else { 0.6 };
    }
    let reason = match (&own, &status) {
        (Some(line), _) => format!(": {}", lastwords::message(&line.quote)),
        (None, Some(result)) => format!(" ({result})"),
        (None, None) => group.map_or(String::new(), |g| format!(" ({})", g.get("msg"))),
    };
    let mut draft = Draft::cause("unit-failed", "unit-failed", strength, "Unit", &name)
        .says(
            format!("Unit {name} {state}{reason}"),
            format!("The systemd unit {name} {state}{reason}."),
        )
        .cites(own.clone())
        .cites([unit.evidence])
        .cites(
            group
                .into_iter()
                .flat_map(|g| g.evidence().into_iter().take(2)),
        )
        .cites(status_lines.into_iter().take(2))
        .with("unit", name.as_str());
    if own.is_none() {
        draft = draft.symptom();
        if asked {
            ask(
                out,
                &format!("journal of {name} (journalctl -u {name})"),
                &format!(
                    "{name} is failed and its own log lines are not in the bundle; they would tell why"
                ),
                Some("sos_commands/logs/journalctl_--no-pager"),
            );
        }
    }
    draft.put(out);
}

/// From `systemctl status`: the result, the log lines below, and the program that runs.
fn status(host: &Host, unit: &str) -> (Option<String>, Vec<Evidence>, String) {
    for doc in host.commands("systemctl", |name| !name.contains("list-")) {
        let mut inside = false;
        let mut runs = String::new();
        let mut result = None;
        let mut lines = Vec::new();
        for (number, line) in doc.lines() {
            if line.starts_with(['*', '●', '×', '↻', '○']) {
                inside = line.split_whitespace().nth(1) == Some(unit);
            } else if inside {
                if runs.is_empty()
                    && let Some(name) = program(line)
                {
                    name.clone_into(&mut runs);
                }
                if let Some((_, rest)) = line.split_once("(Result: ") {
                    result = Some(format!(
                        "result {}",
                        rest.split(')').next().unwrap_or_default()
                    ));
                    lines.push(doc.cite(number));
                } else if line.contains("status=") && line.contains("code=") {
                    lines.insert(0, doc.cite(number));
                } else if is_error(line) && line.len() > 20 {
                    lines.push(doc.cite(number));
                }
            }
        }
        if result.is_some() || !lines.is_empty() {
            return (result, lines, runs);
        }
    }
    (None, Vec::new(), String::new())
}

/// Whether a line of `systemctl status` is systemd's own account: it says that the unit ended, not why.
fn is_systemd_s(line: &str) -> bool {
    let line = line.trim_start();
    ["Active:", "Process:", "Main PID:", "Status:", "Loaded:"]
        .iter()
        .any(|lead| line.starts_with(lead))
        || line.contains("systemd[1]:")
}

/// The service's own last words before systemd noted the failure: at most 60 lines back.
fn own_error(host: &Host, unit: &str, group: &Group) -> Option<Evidence> {
    let evidence = group.evidence();
    let noted = evidence.get(1).or(evidence.first())?;
    let text = host.tree.text(host.tree.find(&noted.path)?).ok()??;
    let at = usize::try_from(noted.line_start).ok()?;
    let stem = stem(unit);
    let mut best = None;
    for number in (at.saturating_sub(60)..at).rev() {
        let Some(line) = text.line(number) else {
            continue;
        };
        let tag = line
            .split_whitespace()
            .take(6)
            .find(|word| word.ends_with(':') && word.len() > 1)
            .unwrap_or_default();
        let tag = tag
            .trim_end_matches(':')
            .split('[')
            .next()
            .unwrap_or_default();
        let own = tag == stem
            || (tag.len() > 2 && (stem.starts_with(tag) || tag.starts_with(stem)))
            || (tag.starts_with('(') && line.contains(unit));
        if own && tag != "systemd" && is_error(line) {
            best = Some(cite(&noted.path, number, line));
            if line.contains("ERROR") || line.contains("rror:") || line.contains("atal") {
                break;
            }
        }
    }
    best
}

pub(super) fn is_error(line: &str) -> bool {
    const WORDS: [&str; 16] = [
        "error",
        "fatal",
        "cannot",
        "can't",
        "could not",
        "denied",
        "no such",
        "not found",
        "unable",
        "invalid",
        "failed",
        "refused",
        "missing",
        "panic",
        "traceback",
        "unknown",
    ];
    let lower = line.to_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
        && !lower.contains("failed with result")
        && !lower.contains("systemd[1]: failed to start")
}

/// A service that somebody masked can't start, whatever else is right. Weak: it may be intended.
fn masked(host: &Host, out: &mut Partial) {
    let Some(doc) = host
        .commands("systemctl", |name| name.contains("list-unit-files"))
        .into_iter()
        .next()
    else {
        return;
    };
    let mut found = Vec::new();
    for (number, line) in doc.lines() {
        let mut words = line.split_whitespace();
        let (Some(unit), Some("masked")) = (words.next(), words.next()) else {
            continue;
        };
        if unit.ends_with(".service")
            && !MASKED
                .iter()
                .chain(&ORDINARY)
                .any(|word| unit.starts_with(word))
            && !unit.starts_with("systemd-")
            && !unit.starts_with("initrd")
        {
            found.push((unit.to_owned(), number));
        }
    }
    let Some((first, _)) = found.first() else {
        return;
    };
    let names: Vec<&str> = found.iter().take(6).map(|f| f.0.as_str()).collect();
    let asked = found.iter().any(|(unit, _)| named(host, unit));
    Draft::cause("unit-masked", "unit-masked", if asked { 0.76 } else { 0.38 }, "Unit", first)
        .says(format!("Masked services can't be started: {}", names.join(", ")), format!("{} masked, so systemd refuses to start {}; other services and packages that need {} fail.", if names.len() == 1 { format!("{first} is") } else { format!("{} are", names.join(", ")) }, if names.len() == 1 { "it" } else { "them" }, if names.len() == 1 { "it" } else { "them" }))
        .cites(found.iter().take(5).map(|f| doc.cite(f.1)))
        .with("unit", first.as_str())
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::Role;
    use crate::signals::host::tests::{on, on_ticket};

    const LIST: (&str, &str) = (
        "sos_commands/systemd/systemctl_list-units",
        "  UNIT LOAD ACTIVE SUB DESCRIPTION\n* named.service loaded failed failed BIND\n* openipmi.service loaded failed failed LSB: OpenIPMI\n",
    );
    const LOG: (&str, &str) = (
        "var/log/syslog",
        "Feb  1 10:00:00 h named[9]: /etc/bind/named.conf:3: unknown option 'foo'\nFeb  1 10:00:00 h named[9]: loading configuration: failure, error: bad\nFeb  1 10:00:01 h systemd[1]: named.service: Main process exited, code=exited, status=1/FAILURE\nFeb  1 10:00:01 h systemd[1]: named.service: Failed with result 'exit-code'.\n",
    );

    #[test]
    fn a_failed_unit_alone_is_a_symptom_without_alarm() {
        let out = on(&[LIST]);
        assert_eq!(
            out.signals.len(),
            1,
            "units that fail on healthy machines are left out"
        );
        assert_eq!(out.signals[0].role, Role::Symptom);
    }

    #[test]
    fn its_own_error_makes_it_a_cause_and_the_ticket_a_strong_one() {
        let out = on(&[LIST, LOG]);
        assert!(out.signals[0].role == Role::Cause && out.signals[0].strength < 0.5);
        let out = on_ticket(&[LIST, LOG], Some("named does not answer"));
        assert!(
            out.signals[0].strength >= 0.75 && out.signals[0].title.contains("error: bad"),
            "{}",
            out.signals[0].title
        );
        let out = on_ticket(&[LIST], Some("named does not answer"));
        assert!(out.missing.iter().any(|m| m.what.contains("named.service")));
    }

    #[test]
    fn systemd_s_own_words_of_an_end_are_no_reason_for_it() {
        let status = |line: &str| {
            let text = format!(
                "● named.service - BIND Domain Name Server\n     Loaded: loaded (/lib/systemd/system/named.service; enabled)\n     Active: failed (Result: exit-code) since Tue 2022-02-01 10:00:01 UTC; 1h ago\n    Process: 9 ExecStart=/usr/sbin/named (code=exited, status=1/FAILURE)\n\nFeb 01 10:00:01 h {line}\n"
            );
            let path = "sos_commands/systemd/systemctl_status_--all";
            on(&[LIST, (path, &text)]).signals.remove(0)
        };
        let own = status("systemd[1]: named.service: Failed with result 'exit-code'.");
        assert_eq!(own.role, Role::Symptom, "{}", own.title);
        let said = status("named[9]: loading configuration: failure, error: bad");
        assert_eq!(said.role, Role::Cause, "{}", said.title);
    }

    #[test]
    fn restart_loops_are_seen_in_the_log() {
        let log = |n: u32| {
            format!(
                "Feb  1 10:00:00 h web[9]: fatal: cannot open database\nFeb  1 10:00:00 h systemd[1]: web.service: Scheduled restart job, restart counter is at {n}.\n"
            )
        };
        let out = on(&[("var/log/syslog", &log(42))]);
        assert_eq!(out.signals.len(), 1);
        assert!(
            out.signals[0].role == Role::Cause
                && out.signals[0].title.contains("cannot open database")
        );
        assert!(on(&[("var/log/syslog", &log(1))]).signals.is_empty());
    }

    #[test]
    fn masked_services_are_weak_and_usual_ones_left_out() {
        let files = |unit: &str| {
            format!(
                "UNIT FILE STATE VENDOR PRESET\n{unit} masked enabled\nsudo.service masked enabled\n"
            )
        };
        let out = on(&[(
            "sos_commands/systemd/systemctl_list-unit-files",
            &files("libvirtd.service"),
        )]);
        assert!(out.signals.len() == 1 && out.signals[0].strength < 0.5);
        assert!(
            on(&[(
                "sos_commands/systemd/systemctl_list-unit-files",
                &files("hwclock.service")
            )])
            .signals
            .is_empty()
        );
    }
}
