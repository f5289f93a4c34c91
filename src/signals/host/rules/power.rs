//! Hosts that are switched off or restarted by something other than a fault of the kernel, clocks without a battery,
//! and services that a watchdog ends.

use super::{BASE, Rule, Scope};

const OFF: &[&str] = &[
    "reboot",
    "rebooted",
    "reboots",
    "shutdown",
    "shut",
    "off",
    "restart",
    "restarted",
    "power",
    "crash",
    "crashed",
    "down",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        detector: "power-key",
        cause: "power-button",
        scope: Scope::System,
        needles: &["Power key pressed"],
        pattern: r"(?:systemd-logind|elogind-daemon)(?:\[\d+\])?: (?P<msg>Power key pressed(?: short| long)?)",
        title: "The host was switched off by its power button: {msg} ({n}){when}",
        statement: "The ACPI power button was pressed ({msg}), by hand, by the management controller or by the hypervisor that stops its guest; the operating system shut down in order.",
        strength: 0.42,
        ticket: OFF,
        ..BASE
    },
    Rule {
        detector: "ups-shutdown",
        cause: "power-lost",
        scope: Scope::System,
        needles: &[
            "automatic power-fail shutdown",
            "Initiating system shutdown",
            "Battery charge below low limit",
            "Remaining battery runtime below limit",
            "FSD set on UPS",
            "Forced shutdown in progress",
        ],
        pattern: r"(?P<tool>upsmon|apcupsd|nut-\w+|upsd|pwrstatd|powerpanel)\S*: (?P<msg>.{0,40}(?:automatic power-fail shutdown|Initiating system shutdown|Battery charge below low limit|Remaining battery runtime below limit|FSD set on UPS|Forced shutdown in progress).{0,40})",
        title: "Mains power failed and the UPS shut the host down: {msg}{when}",
        statement: "The power supply failed and {tool} shut the host down before the battery was empty ({msg}).",
        strength: 0.86,
        ticket: OFF,
        ..BASE
    },
    Rule {
        detector: "sysrq-reset",
        cause: "sysrq-reset",
        scope: Scope::System,
        needles: &["sysrq: ", "SysRq : "],
        pattern: r"(?:sysrq: ){0,1}(?:SysRq : |sysrq: )(?P<msg>Resetting|Trigger a crash|Power Off)",
        title: "The host was reset through SysRq: {msg}{when}",
        statement: "Somebody or some program reset the machine through SysRq ({msg}): a cluster's fencing agent, a watchdog daemon or an operator. The reason stands in that program's log, not in the kernel.",
        strength: 0.74,
        ticket: OFF,
        ..BASE
    },
    Rule {
        detector: "watchdog-reset",
        cause: "watchdog-reset",
        scope: Scope::System,
        needles: &[
            "shutting down the system because of error",
            "Watchdog hardware is going to reset",
            "Watchdog reset",
        ],
        pattern: r"watchdog(?:\[\d+\])?: (?P<msg>shutting down the system because of error \S+.{0,40})",
        title: "The watchdog daemon restarts the host: {msg}{when}",
        statement: "The watchdog daemon found one of its checks failed and restarts the host ({msg}): load, memory, a test program or a ping beyond its limit.",
        strength: 0.84,
        ticket: OFF,
        ..BASE
    },
    // The administrator allowed it; nobody remembers when the host goes down at night.
    Rule {
        detector: "automatic-reboot",
        cause: "automatic-reboot",
        kind: "Service",
        name: "{tool}",
        scope: Scope::Any,
        needles: &[
            "reboot-required, rebooting",
            "reboot-required', rebooting",
            "rebootmgr",
            "requires reboot, rebooting",
            "Commanding reboot",
            "Shutdown msg",
        ],
        pattern: r"(?:(?P<tool>rebootmgrd?|kured|unattended-upgrades?|dnf-automatic)?\S*[: ].{0,60}?(?P<msg>Found '?/var/run/reboot-required'?, rebooting|rebootmgr: reboot triggered.{0,20}|reboot triggered now|Commanding reboot.{0,40}|Shutdown msg: b?'?Shutdown scheduled.{0,60}))",
        title: "Automatic updates restarted the host: {msg}{when}",
        statement: "Automatic updates restart this host by themselves when they need to ({msg}); the restart was ordered, at the configured time.",
        strength: 0.46,
        ticket: OFF,
        ..BASE
    },
    Rule {
        detector: "service-watchdog",
        cause: "service-watchdog-timeout",
        kind: "Unit",
        name: "{unit}",
        scope: Scope::System,
        needles: &["Watchdog timeout (limit"],
        pattern: r"systemd(?:\[\d+\])?: (?P<unit>[\w@:.\\-]+\.service): (?P<msg>Watchdog timeout \(limit [^)]+\))",
        title: "{unit} no longer answers and is killed: {msg} ({n}){when}",
        statement: "{unit} sent no sign of life within its limit ({msg}) and systemd kills it: it hangs, or the whole host stood still (storage, memory, processors).",
        strength: 0.6,
        ticket: &["hang", "restart", "restarts", "killed", "crash", "slow"],
        ..BASE
    },
    Rule {
        detector: "clock-without-battery",
        cause: "clock-lost",
        kind: "Clock",
        name: "hardware clock",
        scope: Scope::System,
        needles: &[
            "System time before build time",
            "setting system clock to 19",
            "setting system clock to 200",
            "hctosys: invalid date",
            "hctosys: unable to read",
        ],
        pattern: r"(?P<msg>System time before build time, advancing clock|setting system clock to (?:19\d\d|200\d)-\d\d-\d\d\S*|hctosys: (?:invalid date/time|unable to read the hardware clock))",
        title: "The hardware clock had lost its time at boot: {msg}{when}",
        statement: "The hardware clock gave a time far in the past at boot ({msg}): its battery is empty. Until the network sets the clock, certificates are refused and stamps are wrong.",
        strength: 0.52,
        ticket: &["time", "clock", "date", "certificate", "ntp", "boot"],
        ..BASE
    },
    Rule {
        detector: "start-job-waits",
        cause: "boot-waits",
        kind: "Unit",
        name: "{what}",
        scope: Scope::Any,
        needles: &["start job is running for"],
        pattern: r"A start job is running for (?P<what>.{2,80}?) \((?P<msg>\d+min[^)]{0,20} / [^)]{2,20})\)",
        title: "The boot waits for {what}: {msg}{when}",
        statement: "systemd has been waiting for {what} ({msg}), and the boot does not go on meanwhile.",
        strength: 0.56,
        symptom: true,
        ticket: &["boot", "boots", "start", "slow", "hang"],
        ..BASE
    },
    Rule {
        detector: "unit-not-found",
        cause: "unit-not-found",
        kind: "Unit",
        name: "{missing}",
        scope: Scope::System,
        needles: &[" not found."],
        pattern: r"Failed to (?:start|restart|enable|isolate) (?P<unit>[\w@:.\\-]{2,80}): Unit (?P<missing>[\w@:.\\-]{2,80}) not found\.",
        title: "Unit {missing} does not exist: {unit} cannot be started ({n}){when}",
        statement: "{unit} was to be started, and {missing} is not installed or its name is wrong.",
        strength: 0.46,
        ticket: &["start", "service", "unit", "boot"],
        ..BASE
    },
    Rule {
        detector: "unit-not-reloaded",
        cause: "unit-not-reloaded",
        kind: "Unit",
        name: "{unit}",
        scope: Scope::System,
        needles: &["changed on disk. Run 'systemctl daemon-reload'"],
        pattern: r"(?:drop-ins of|unit file of) (?P<unit>[\w@:.\\-]+\.\w+) (?P<msg>changed on disk)",
        title: "The configuration of {unit} {msg} and systemd uses the old one ({n}){when}",
        statement: "The unit file of {unit} was changed and systemd did not read it again ({msg}); limits, environment or commands in force are the old ones.",
        strength: 0.42,
        ticket: &[
            "limit",
            "setting",
            "settings",
            "change",
            "changed",
            "config",
            "configuration",
            "override",
        ],
        ..BASE
    },
    Rule {
        detector: "boot-loader",
        cause: "boot-loader-broken",
        kind: "Host",
        name: "boot loader",
        scope: Scope::Any,
        needles: &[
            "grub rescue>",
            "bad shim signature",
            "Security Violation",
            "error: symbol `",
            "error: symbol '",
            "error: no such device: ",
        ],
        pattern: r"(?P<msg>grub rescue>|error: bad shim signature|Verification failed: \(0x1A\) Security Violation|error: symbol [`']\w+' not found|error: no such device: [0-9a-f-]{8,40})",
        title: "The boot loader stops: {msg}",
        statement: "The machine does not get as far as its kernel ({msg}): the boot loader was not installed again after an update, its disk or partition changed, or secure boot refuses an unsigned image.",
        strength: 0.86,
        ticket: OFF,
        ..BASE
    },
    // Logins and tools wait 25 seconds each for a service of the bus that never comes.
    Rule {
        detector: "bus-activation-timeout",
        cause: "bus-activation-timeout",
        kind: "Service",
        name: "{service}",
        scope: Scope::System,
        needles: &["Failed to activate service '"],
        pattern: r"Failed to activate service '(?P<service>[\w.-]+)': (?P<msg>timed out \(service_start_timeout=\d+ms\))",
        except: r"org\.bluez|PackageKit|fwupd|GeoClue|ModemManager|ColorManager|UPower|RealtimeKit",
        title: "The system bus cannot start {service}: {msg} ({n}){when}",
        statement: "Programs ask the system bus for {service} and wait in vain ({msg}): logins, sudo and systemctl hang for as long each time.",
        strength: 0.56,
        enough: 2,
        ticket: &["login", "ssh", "slow", "sudo", "hang", "systemctl"],
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::super::tests::{means, silent};

    #[test]
    fn power() {
        means(&[
            (
                "systemd-logind[812]: Power key pressed short.",
                "power-button",
            ),
            (
                "upsmon[9]: Executing automatic power-fail shutdown",
                "power-lost",
            ),
            ("kernel: sysrq: Resetting", "sysrq-reset"),
            ("kernel: sysrq: SysRq : Trigger a crash", "sysrq-reset"),
            (
                "watchdog[77]: shutting down the system because of error 253 = 'load average too high'",
                "watchdog-reset",
            ),
            (
                "systemd[1]: Failed to start shop.service: Unit postgresql-13.service not found.",
                "unit-not-found",
            ),
            (
                "console[9]: error: bad shim signature.",
                "boot-loader-broken",
            ),
            (
                "systemd[1]: shop.service: Watchdog timeout (limit 30s)!",
                "service-watchdog-timeout",
            ),
            (
                "systemd[1]: System time before build time, advancing clock.",
                "clock-lost",
            ),
            (
                "systemd[1]: A start job is running for /dev/disk/by-uuid/1-2 (1min 29s / no limit)",
                "boot-waits",
            ),
            (
                "dbus-daemon[9]: [system] Failed to activate service 'org.freedesktop.login1': timed out (service_start_timeout=25000ms)",
                "bus-activation-timeout",
            ),
        ]);
        silent(&[
            "systemd-logind[812]: Watching system buttons on /dev/input/event0 (Power Button)",
            "kernel: sysrq: Show Blocked State",
            "systemd[1]: A start job is running for Network (12s / 2min)",
            "kernel: rtc_cmos 00:00: setting system clock to 2022-02-10T10:00:00 UTC (1644487200)",
        ]);
    }
}
