//! Boots that do not come up, and services that somebody ends from outside.

use super::{BASE, Rule, Scope};

const BOOT: &[&str] = &[
    "boot",
    "boots",
    "booting",
    "reboot",
    "rebooted",
    "emergency",
    "maintenance",
    "start",
    "grub",
    "initramfs",
    "dracut",
];

pub(super) const RULES: &[Rule] = &[
    Rule {
        detector: "device-timeout",
        kind: "Device",
        name: "{device}",
        scope: Scope::System,
        needles: &["Timed out waiting for device"],
        pattern: r"Timed out waiting for device (?:unit )?(?P<device>\S+)",
        except: r"dev-tty|/dev/tty|zram|dev-ttyS|/dev/hvc",
        quiet: true,
        ..BASE
    },
    Rule {
        detector: "emergency-mode",
        scope: Scope::Any,
        needles: &[
            "Emergency Mode",
            "emergency mode",
            "Emergency Shell",
            "Give root password for maintenance",
            "Dependency failed for Local File Systems",
            "Dependency failed for local-fs.target",
            "root account is locked",
        ],
        pattern: r"Reached target.{0,30}Emergency Mode|You are in emergency mode|Started Emergency Shell|Give root password for maintenance|Dependency failed for (?:Local File Systems|local-fs\.target)|Cannot open access to console, the root account is locked",
        quiet: true,
        ..BASE
    },
    Rule {
        detector: "firewall-drop",
        kind: "Firewall",
        name: "{proto}/{port}",
        needles: &[" PROTO="],
        pattern: r"(?P<label>[\w.:/\[\] -]{0,60}?(?i:DROP|BLOCK|REJECT|DENY|DENIED)[\w.:\] -]{0,30}?)\s?IN=(?P<in>\S*) OUT=\S* .*?SRC=(?P<src>(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|169\.254\.|f[cde][0-9a-f]{2}:)\S*) DST=(?P<dst>\S+) .*?PROTO=(?P<proto>112|89|47|ESP|TCP|UDP)\b(?: .*?DPT=(?P<port>\d+))?",
        except: r"(?i)AUDIT|ALLOW|ACCEPT| RST | ACK FIN | FIN ",
        quiet: true,
        ..BASE
    },
    Rule {
        detector: "fsck-needed",
        cause: "filesystem-check-needed",
        kind: "Device",
        name: "{dev}{dev2}",
        scope: Scope::Any,
        needles: &[
            "UNEXPECTED INCONSISTENCY",
            "RUN fsck MANUALLY",
            "Failed to start File System Check on",
            "fsck failed with",
            "fsck exited with status code 4",
        ],
        pattern: r"(?:(?P<dev>/dev/\S+?): )?(?P<msg>UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY|Failed to start File System Check on (?P<dev2>\S+?)\.?$|fsck failed with (?:exit status|error code) \d+|fsck exited with status code 4)",
        title: "File system {dev}{dev2} needs a check by hand: {msg}",
        statement: "The check at boot found damage that it may not repair by itself on {dev}{dev2} ({msg}); the file system is not mounted and the boot stops until fsck is run.",
        strength: 0.88,
        ticket: BOOT,
        ..BASE
    },
    Rule {
        detector: "initramfs-root-missing",
        cause: "boot-device-missing",
        kind: "Device",
        name: "{dev}",
        scope: Scope::Any,
        needles: &[
            "does not exist. Dropping to a shell",
            "does not exist",
            "Could not boot",
            "Unable to mount root fs",
            "Cannot open root device",
            "dracut-initqueue timeout",
            "Gave up waiting for root",
        ],
        pattern: r"(?:ALERT!\s+(?P<dev>\S+) does not exist\.\s*Dropping to a shell|(?P<msg>VFS: Unable to mount root fs on \S+|VFS: Cannot open root device \S+|Gave up waiting for root (?:file system )?device|dracut-initqueue.{0,12}: Warning: (?:Could not boot|dracut-initqueue timeout - starting timeout scripts|/dev/\S+ does not exist))|dracut.{0,30}Warning: (?:/dev/\S+ does not exist|Could not boot))",
        title: "The initramfs does not find its root device {dev} {msg}",
        statement: "The early boot cannot mount the root file system ({dev} {msg}): the device, its driver in the initramfs, the volume group or root= on the kernel command line is wrong.",
        strength: 0.9,
        ticket: BOOT,
        ..BASE
    },
    Rule {
        detector: "crypt-setup-failed",
        cause: "encrypted-device-locked",
        kind: "Device",
        name: "{dev}",
        scope: Scope::System,
        needles: &[
            "Cryptography Setup for",
            "systemd-cryptsetup",
            "No key available with this passphrase",
            "clevis",
            "luks",
        ],
        pattern: r"(?P<msg>Failed to start Cryptography Setup for (?P<dev>\S+?)\.?$|systemd-cryptsetup(?:\[\d+\])?: (?:Failed to (?:activate|unlock|load|unseal)[^\n]{0,80}|Too many attempts[^\n]{0,40}|Device .{0,60} is not a valid LUKS device[^\n]{0,20})|No key available with this passphrase|Error communicating with (?:the )?server \S*tang\S*)",
        title: "Encrypted device {dev} is not unlocked: {msg}",
        statement: "An encrypted device cannot be opened at boot ({msg}): key file, passphrase, TPM binding or the key server does not fit, so what lies on it is missing.",
        strength: 0.82,
        ticket: BOOT,
        ..BASE
    },
    Rule {
        detector: "volume-group-incomplete",
        cause: "volume-group-incomplete",
        kind: "Volume group",
        name: "{vg}",
        scope: Scope::Any,
        needles: &[
            "Couldn't find device with uuid",
            "is missing PV",
            "WARNING: VG ",
            "Volume group \"",
            "Cannot process volume group",
            "devices file",
        ],
        pattern: r"(?P<msg>Couldn't find device with uuid \S+|WARNING: VG (?P<vg>\S+) is missing PV \S+[^\n]{0,60}|Cannot process volume group \S+|Volume group \x22[^\x22]+\x22 not found[^\n]{0,40}|Refusing activation of partial LV \S+)",
        except: r"sos_commands|grub",
        title: "A volume group {vg} is incomplete: {msg} ({n}){when}",
        statement: "LVM does not find all disks of its volume group ({msg}): a disk or path is missing or not in the devices file, so its logical volumes are not activated.",
        strength: 0.72,
        ticket: &["lvm", "volume", "boot", "mount", "disk", "vg"],
        ..BASE
    },
    // Nothing in a program ends it with signal 9: somebody or the kernel does.
    Rule {
        detector: "service-killed",
        cause: "unit-killed",
        kind: "Unit",
        name: "{unit}",
        scope: Scope::System,
        needles: &["status=9/KILL"],
        pattern: r"systemd(?:\[\d+\])?: (?P<unit>[\w@:.\\-]+\.service): (?:Main|Control) process exited, code=killed, status=9/KILL",
        except: r"snap\.|fwupd|user@|session-",
        title: "Service {unit} is killed with SIGKILL ({n}){when}",
        statement: "The main process of {unit} was ended by SIGKILL, {n}: no program ends itself so. The kernel's OOM killer, a watchdog, a limit of its control group or somebody sent it.",
        strength: 0.5,
        symptom: true,
        ticket: &[
            "ends", "killed", "restart", "restarts", "stops", "dies", "crash", "crashes", "itself",
        ],
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn boots_that_stop() {
        for (line, cause) in [
            (
                "Jan  2 10:00:00 a systemd-fsck[9]: /dev/sdb1: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.",
                "filesystem-check-needed",
            ),
            (
                "Jan  2 10:00:00 a systemd[1]: Failed to start File System Check on /dev/vg0/data.",
                "filesystem-check-needed",
            ),
            (
                "ALERT!  UUID=11-22 does not exist.  Dropping to a shell!",
                "boot-device-missing",
            ),
            (
                "[    2.1] VFS: Cannot open root device \"sda9\" or unknown-block(0,0): error -6",
                "boot-device-missing",
            ),
            (
                "Jan  2 10:00:00 a systemd[1]: Failed to start Cryptography Setup for luks-data.",
                "encrypted-device-locked",
            ),
            (
                "Jan  2 10:00:00 a lvm[9]: WARNING: VG vg0 is missing PV abc-def (last written to /dev/sdc).",
                "volume-group-incomplete",
            ),
            (
                "Jan  2 10:00:00 a systemd[1]: shop.service: Main process exited, code=killed, status=9/KILL",
                "unit-killed",
            ),
        ] {
            let out = on(&[("var/log/messages", &format!("{line}\n"))]);
            assert!(causes(&out).contains(&cause), "{line}: {:?}", causes(&out));
        }
        for line in [
            "Jan  2 10:00:00 a systemd-fsck[9]: /dev/sdb1: clean, 11/65536 files, 8859/262144 blocks",
            "Jan  2 10:00:00 a systemd[1]: Finished Cryptography Setup for luks-data.",
            "Jan  2 10:00:00 a systemd[1]: shop.service: Main process exited, code=killed, status=15/TERM",
        ] {
            assert!(
                on(&[("var/log/messages", &format!("{line}\n"))])
                    .signals
                    .is_empty(),
                "{line}"
            );
        }
    }
}
