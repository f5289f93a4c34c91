//! Services that are installed and switched off, and programs of one purpose that run side by side.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};

/// Programs that set the clock; two of them pull it to and fro.
const CLOCKS: [&str; 5] = [
    "chrony.service",
    "chronyd.service",
    "ntp.service",
    "ntpsec.service",
    "systemd-timesyncd.service",
];
/// Units that a host has for nothing else than to run them.
const ESSENTIAL: [&str; 15] = [
    "openvswitch-switch.service",
    "ovs-vswitchd.service",
    "ovn-controller.service",
    "libvirtd.service",
    "nova-compute.service",
    "rabbitmq-server.service",
    "mysql.service",
    "mariadb.service",
    "corosync.service",
    "pacemaker.service",
    "haproxy.service",
    "docker.service",
    "containerd.service",
    "kubelet.service",
    "multipathd.service",
];

/// Looks at systemd's lists.
pub fn detect(host: &Host, out: &mut Partial) {
    let Some(units) = host
        .commands("systemctl", |name| {
            name.contains("list-units")
                && !name.contains("failed")
                && !name.contains("list-unit-files")
        })
        .into_iter()
        .next()
    else {
        return;
    };
    clocks(host, &units, out);
    switched_off(host, &units, out);
}

/// A line of `systemctl list-units`: unit, load, active, sub.
fn row<'a>(line: &'a str, unit: &str) -> Option<Vec<&'a str>> {
    let words: Vec<&str> = line
        .trim_start_matches(['●', '*', ' '])
        .split_whitespace()
        .collect();
    (words.len() >= 4 && words[0] == unit).then_some(words)
}

fn clocks(host: &Host, units: &Doc, out: &mut Partial) {
    let running: Vec<(&str, usize)> = CLOCKS
        .iter()
        .filter_map(|unit| {
            let (number, _) = units
                .line_with(|line| row(line, unit).is_some_and(|words| words[3] == "running"))?;
            Some((*unit, number))
        })
        .collect();
    let [(first, at), (second, other), ..] = running.as_slice() else {
        return;
    };
    Draft::cause("two-clock-daemons", "two-clock-daemons", 0.52, "Host", "clock")
        .says(
            format!("Two programs set the clock: {first} and {second}"),
            format!("{first} and {second} run side by side and both set the clock: it jumps between their opinions."),
        )
        .cites([units.cite(*at), units.cite(*other)])
        .if_ticket(host, &["time", "clock", "ntp", "chrony", "drift", "skew"])
        .put(out);
}

fn switched_off(host: &Host, units: &Doc, out: &mut Partial) {
    let Some(files) = host.command("systemctl", &["list-unit-files"]) else {
        return;
    };
    for unit in ESSENTIAL {
        let Some((number, _)) = files.line_with(|line| {
            let mut words = line.split_whitespace();
            words.next() == Some(unit) && words.next() == Some("disabled")
        }) else {
            continue;
        };
        let state = units.line_with(|line| row(line, unit).is_some());
        if state
            .is_some_and(|(_, line)| row(line, unit).is_some_and(|words| words[2] != "inactive"))
        {
            continue;
        }
        let stem = unit.trim_end_matches(".service");
        Draft::cause("unit-disabled", "unit-disabled", 0.6, "Unit", unit)
            .says(
                format!("{unit} is disabled and does not run"),
                format!("{unit} is installed but disabled, and it does not run: it does not come back after a reboot, and what depends on it stays down."),
            )
            .cites([files.cite(number)])
            .cites(state.map(|(number, _)| units.cite(number)))
            .with("unit", unit)
            .if_ticket(host, &[stem, stem.trim_end_matches("-server"), stem.trim_end_matches("-switch"), "reboot", "rebooted", "restart", "started"])
            .put(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    const UNITS: &str = "sos_commands/systemd/systemctl_list-units_--all";
    const FILES: &str = "sos_commands/systemd/systemctl_list-unit-files";

    #[test]
    fn two_programs_for_one_clock() {
        let units = |other: &str| {
            format!(
                "  UNIT LOAD ACTIVE SUB DESCRIPTION\n  chrony.service loaded active running chrony\n  systemd-timesyncd.service loaded {other} Network Time\n"
            )
        };
        assert_eq!(
            causes(&on(&[(UNITS, &units("active running"))])),
            ["two-clock-daemons"]
        );
        assert!(causes(&on(&[(UNITS, &units("inactive dead"))])).is_empty());
    }

    #[test]
    fn an_essential_service_that_is_switched_off() {
        let files = "UNIT FILE STATE VENDOR PRESET\nopenvswitch-switch.service disabled enabled\nssh.service enabled enabled\n";
        assert_eq!(
            causes(&on(&[
                (UNITS, "  ssh.service loaded active running x\n"),
                (FILES, files)
            ])),
            ["unit-disabled"]
        );
        assert!(
            causes(&on(&[
                (
                    UNITS,
                    "  openvswitch-switch.service loaded active exited x\n"
                ),
                (FILES, files)
            ]))
            .is_empty()
        );
    }
}
