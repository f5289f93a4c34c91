//! The operating system of a Linux host: what its logs, counters and settings say is wrong.
//!
//! Owns: reading sosreport, supportconfig and plain folders ([`layout`], [`facts`]), the pass over the logs
//! ([`logs`], [`rules`]) and the detectors that read state ([`detect`]). Services on top (databases,
//! brokers, clouds) are other families. Touches: the unpacked tree, read-only. Zone: 2.

mod clock;
mod detect;
mod emit;
mod facts;
mod layout;
mod logs;
mod rules;

use crate::bundle::Tree;
use crate::signals::Partial;
use facts::Host;
pub use layout::is_host;

/// Looks for faults of the operating system in every host of the bundle. `ticket` is the customer's
/// wording, if there is one. Empty for bundles without a host.
pub fn detect(tree: &Tree, ticket: Option<&str>) -> Partial {
    let mut out = Partial::default();
    let roots = layout::roots(tree);
    if roots.is_empty() {
        return out;
    }
    let Some(scanner) = logs::Scanner::new(rules::all()) else {
        return out;
    };
    let mut identities = Vec::new();
    let mut peers = Vec::new();
    for root in roots {
        let host = Host::new(tree, &root, ticket);
        identities.extend(detect::twins::identity(&host));
        peers.extend(detect::peers::of(&host));
        let hits = scanner.scan(&host, &mut out);
        rules::report(&host, &hits, &mut out);
        detect::run(&host, &hits, &mut out);
    }
    detect::twins::compare(&identities, &mut out);
    detect::peers::compare(&peers, &mut out);
    lower_consequences(&mut out);
    out
}

/// Pairs of a cause and what it always brings along; the second says nothing of its own beside the first.
const BRINGS: [(&str, &str); 2] = [
    ("kerberos-failure", "directory-unreachable"),
    ("nic-ring-overflow", "interface-drops"),
];

/// A consequence is no finding of its own where its cause is one.
fn lower_consequences(out: &mut Partial) {
    for (root, follows) in BRINGS {
        let stands = out
            .signals
            .iter()
            .any(|signal| signal.cause == root && signal.strength >= 0.6);
        for signal in out
            .signals
            .iter_mut()
            .filter(|signal| stands && signal.cause == follows)
        {
            signal.strength = signal.strength.min(0.45);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    /// What the detectors say about a bundle made of these files.
    pub(super) fn on(files: &[(&str, &str)]) -> Partial {
        on_ticket(files, None)
    }

    pub(super) fn on_ticket(files: &[(&str, &str)], ticket: Option<&str>) -> Partial {
        let files = files.iter();
        let (_folder, tree) = tree_of(files.map(|(path, text)| (format!("bundle/{path}"), text)));
        detect(&tree, ticket)
    }

    /// Slugs of all causes, strongest first.
    pub(super) fn causes(out: &Partial) -> Vec<&str> {
        let mut signals: Vec<_> = out.signals.iter().collect();
        signals.sort_by(|a, b| b.strength.total_cmp(&a.strength));
        signals.into_iter().map(|s| s.cause.as_str()).collect()
    }

    #[test]
    fn sections_of_supportconfig_are_read_as_files_and_commands() {
        let df = "#==[ Command ]======================================#\n# /bin/df -h\nFilesystem      Size  Used Avail Use% Mounted on\n/dev/sda2        40G   40G     0 100% /\n\n#==[ Configuration File ]===========================#\n# /proc/mdstat\nmd0 : active raid1 sda1[0]\n      1000 blocks [2/1] [U_]\n";
        let out = on(&[
            (
                "basic-environment.txt",
                "#==[ Command ]=====#\n# /bin/date\nThu Feb 10 16:19:17 UTC 2022\n",
            ),
            ("fs-diskio.txt", df),
        ]);
        assert_eq!(causes(&out), ["disk-full", "raid-degraded"]);
        assert_eq!(out.signals[0].evidence[0].line_start, 4);
    }

    #[test]
    fn plain_folders_and_several_hosts() {
        let out = on(&[("a/dmesg.txt", "[ 9.000001] Kernel panic - not syncing: x\n")]);
        assert_eq!(causes(&out), ["kernel-crash"]);
        let smart = "SMART overall-health self-assessment test result: FAILED!\n";
        let out = on(&[
            ("n1/sos_commands/ata/smartctl_-a_.dev.sda", smart),
            ("n2/sos_commands/ata/smartctl_-a_.dev.sdb", smart),
        ]);
        assert_eq!(out.signals.len(), 2);
        assert!(
            on(&[
                ("readme.md", "dmesg"),
                ("cluster-resources/pods/x.json", "[]")
            ])
            .signals
            .is_empty()
        );
    }

    /// Numbers at their ends, cut tables and text in odd alphabets: nothing may panic or claim much.
    #[test]
    fn hostile_files_do_no_harm() {
        let huge = "18446744073709551615";
        let files: Vec<(&str, String)> = vec![
            (
                "proc/meminfo",
                format!(
                    "MemTotal: {huge} kB\nMemAvailable: 0 kB\nHugePages_Total: {huge}\nHugePages_Free: {huge}\nHugepagesize: {huge} kB\nSwapTotal: {huge} kB\nSwapFree: {huge} kB\n"
                ),
            ),
            (
                "proc/net/sockstat",
                format!("TCP: inuse mem {huge}\nUDP: mem\nTCP:\n"),
            ),
            ("proc/net/netlink", format!("Drops\n{huge}\n{huge}\n\n")),
            (
                "proc/net/softnet_stat",
                "ffffffffffffffff ffffffffffffffff\nffffffffffffffff ffffffffffffffff\nzz\n"
                    .to_owned(),
            ),
            (
                "proc/stat",
                format!("cpu  {}\n", format!("{huge} ").repeat(10)),
            ),
            ("proc/loadavg", "é/é é\n".to_owned()),
            ("proc/mdstat", "[_] : active\n[\n]_[\n".to_owned()),
            (
                "proc/cmdline",
                "isolcpus=0-4294967295,0-4294967295,é\n".to_owned(),
            ),
            (
                "sos_commands/date/date",
                "Feb 99 99:99:99 UTC 9999\nThu Feb 10 16:19:17 UTC 2022\n".to_owned(),
            ),
            (
                "sos_commands/host/uptime",
                format!(" up {huge} days, {huge}:{huge}, load average: é, inf, nan\n"),
            ),
            (
                "sos_commands/kernel/sysctl_-a",
                format!(
                    "net.ipv4.tcp_mem = {huge} {huge} 1\nnet.ipv4.ip_local_port_range = 0 {huge}\nfs.file-nr = é\n=\n"
                ),
            ),
            (
                "sos_commands/filesys/df_-al_-x_autofs",
                format!("é%\n100% /\n/dev/x {huge}P {huge}P 9.9P 100% /é\n"),
            ),
            (
                "sos_commands/networking/ip_-s_-d_link",
                format!("1:\n2: é@\n    RX: bytes\n {huge} {huge} {huge} {huge}\n    RX: bytes\n"),
            ),
            (
                "sos_commands/systemd/systemctl_list-units",
                "● \n* a.b c failed\né é failed é é\n".to_owned(),
            ),
            (
                "sos_commands/lvm2/lvs",
                "LV Data% Meta%\né é té\n".to_owned(),
            ),
            (
                "sos_commands/ata/smartctl_-a_.dev.é",
                "Critical Warning:\nCritical Warning: é\nSMART Health Status:\n".to_owned(),
            ),
            (
                "var/log/syslog",
                format!(
                    "[{huge}.000000] Out of memory: Kill process {huge} (é)\n[ 1e300.000000] x\nmessage repeated {huge} times: [ No space left on device\nsystemd[1]: é.service: Failed with result 'x'.\n"
                ),
            ),
        ];
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (*path, text.as_str()))
            .collect();
        let out = on(&files);
        assert!(
            out.signals
                .iter()
                .all(|s| (0.0..=0.97).contains(&s.strength) && !s.evidence.is_empty())
        );
    }

    #[test]
    fn every_rule_compiles_and_stands_in_the_catalogue() {
        let text = include_str!("../../../playbooks/causes/host.toml");
        let catalogue: toml::Table = text.parse().unwrap();
        let causes = catalogue["causes"].as_array().unwrap();
        let names = |cause: &toml::Value, key: &str| -> Vec<String> {
            cause[key]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_str().unwrap().to_owned())
                .collect()
        };
        let slugs: Vec<&str> = causes.iter().map(|c| c["slug"].as_str().unwrap()).collect();
        for cause in causes {
            assert!(
                names(cause, "explains")
                    .iter()
                    .all(|s| slugs.contains(&s.as_str()))
            );
            assert!((1..=5).contains(&cause["commands"].as_array().unwrap().len()));
        }
        let known = |slug: &str, detector: &str| {
            let cause = causes.iter().find(|c| c["slug"].as_str() == Some(slug));
            cause.is_some_and(|c| names(c, "signals_for").contains(&format!("host.{detector}")))
        };
        for rule in rules::all() {
            regex::Regex::new(rule.pattern).unwrap_or_else(|e| panic!("{}: {e}", rule.detector));
            regex::Regex::new(rule.except).unwrap_or_else(|e| panic!("{}: {e}", rule.detector));
            assert!(
                rule.cause.is_empty() || known(rule.cause, rule.detector),
                "{}",
                rule.detector
            );
            assert!(
                rule.quiet || (!rule.title.is_empty() && !rule.statement.is_empty()),
                "{}",
                rule.detector
            );
        }
        // The detectors that read state name theirs in the source.
        let sources = [
            include_str!("detect/bonds.rs"),
            include_str!("detect/clockspeed.rs"),
            include_str!("detect/deleted.rs"),
            include_str!("detect/forwarding.rs"),
            include_str!("detect/interrupts.rs"),
            include_str!("detect/kernel_tables.rs"),
            include_str!("detect/memory_use.rs"),
            include_str!("detect/mounts.rs"),
            include_str!("detect/pressure.rs"),
            include_str!("detect/releases.rs"),
            include_str!("detect/resolving.rs"),
            include_str!("detect/routes.rs"),
            include_str!("detect/sensors.rs"),
            include_str!("detect/steal.rs"),
            include_str!("detect/unmounted.rs"),
            include_str!("detect/sessions.rs"),
            include_str!("detect/peers.rs"),
            include_str!("detect/twins.rs"),
            include_str!("detect/waits.rs"),
            include_str!("detect/boot.rs"),
            include_str!("detect/cards.rs"),
            include_str!("detect/kernel_drops.rs"),
            include_str!("detect/pcie.rs"),
            include_str!("detect/configured.rs"),
            include_str!("detect/idle_services.rs"),
            include_str!("detect/volumes.rs"),
            include_str!("detect/firewall.rs"),
            include_str!("detect/panic.rs"),
            include_str!("detect/certificates.rs"),
            include_str!("detect/filesystems.rs"),
            include_str!("detect/hardware.rs"),
            include_str!("detect/mtu.rs"),
            include_str!("detect/config.rs"),
            include_str!("detect/counters.rs"),
            include_str!("detect/cpu.rs"),
            include_str!("detect/interfaces.rs"),
            include_str!("detect/disk.rs"),
            include_str!("detect/limits.rs"),
            include_str!("detect/load.rs"),
            include_str!("detect/memory.rs"),
            include_str!("detect/network.rs"),
            include_str!("detect/nodes.rs"),
            include_str!("detect/oom.rs"),
            include_str!("detect/packages.rs"),
            include_str!("detect/raid.rs"),
            include_str!("detect/reboots.rs"),
            include_str!("detect/security.rs"),
            include_str!("detect/sockets.rs"),
            include_str!("detect/time.rs"),
            include_str!("detect/units.rs"),
            include_str!("detect/upgrades.rs"),
        ];
        let named = regex::Regex::new(r#"Draft::cause\(\s*"([^"]+)",\s*"([^"]+)""#).unwrap();
        for found in sources.iter().flat_map(|s| named.captures_iter(s)) {
            assert!(
                known(&found[2], &found[1]),
                "{} for {}",
                &found[1],
                &found[2]
            );
        }
    }
}
