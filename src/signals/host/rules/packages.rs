//! Package managers, libraries and repositories, beyond what `services` reads.

use super::{BASE, Rule, Scope};

const PKG: &[&str] = &[
    "package", "packages", "install", "upgrade", "update", "updates", "apt", "dpkg", "rpm", "yum",
    "dnf", "zypper", "patch",
];

pub(super) const RULES: &[Rule] = &[
    // A repository that does not exist any more; `detect::releases` knows whether the release's end is the reason.
    Rule {
        detector: "repository-gone",
        scope: Scope::Any,
        name: "repository",
        needles: &[
            "404  Not Found",
            "Status code: 404",
            "HTTP Error 404",
            "Cannot prepare internal mirrorlist",
            "does not have a Release file",
            "no longer has a Release file",
            "Could not retrieve mirrorlist",
        ],
        pattern: r"404 +Not Found|Status code: 404|HTTP Error 404|Cannot prepare internal mirrorlist|(?:does not have|no longer has) a Release file|Could not retrieve mirrorlist",
        except: r"(?i)ppa\.|launchpad|GET /|POST /|HEAD /",
        quiet: true,
        ..BASE
    },
    Rule {
        detector: "package-file-conflict",
        cause: "package-file-conflict",
        kind: "Package",
        name: "{other}{other2}",
        scope: Scope::Any,
        needles: &[
            "which is also in package",
            "conflicts with file from package",
        ],
        pattern: r"(?P<msg>trying to overwrite '(?P<file>[^']+)', which is also in package (?P<other>\S+).{0,40}|file (?P<file2>/\S+) (?:from install of|conflicts between attempted installs of) (?P<pkg>\S+) conflicts with file from package (?P<other2>\S+))",
        title: "Two packages bring the same file: {msg} ({n}){when}",
        statement: "The installation stops because {file}{file2} belongs to {other}{other2} already ({msg}); one of the two must go.",
        strength: 0.74,
        ticket: PKG,
        ..BASE
    },
    Rule {
        detector: "package-unsolvable",
        cause: "package-unsolvable",
        kind: "Package",
        name: "{pkg}{pkg2}{pkg3}",
        scope: Scope::Any,
        needles: &[
            "nothing provides",
            "none of the providers can be installed",
            "annot install both",
        ],
        pattern: r"(?P<msg>nothing provides '?(?P<need>\S.{0,60}?)'? needed by (?:the to be installed )?(?P<pkg>[\w.+:~-]+)|package (?P<pkg2>\S+) requires .{2,80}, but none of the providers can be installed|cannot install both (?P<pkg3>\S+) from \S+ and \S+ from \S+)",
        title: "Packages do not fit together: {msg}{when}",
        statement: "The solver finds no way to install what was asked for ({msg}): a repository is missing, switched off or of another release, or a package is held.",
        strength: 0.62,
        ticket: PKG,
        merge: true,
        ..BASE
    },
    Rule {
        detector: "repository-refuses",
        cause: "subscription-invalid",
        kind: "Service",
        name: "subscription",
        scope: Scope::Any,
        needles: &[
            "has been deleted",
            "Permission to access '",
            "401  Unauthorized",
            "HTTP error (410",
            "subscription has expired",
            "Subscription has expired",
            "contract expired",
            "Contract expired",
        ],
        pattern: r"(?P<msg>Unit \S+ has been deleted|HTTP error \(410[^)]{0,40}\)|[Cc]onsumer \S+ has been deleted|Permission to access '[^']{4,100}' denied|(?:esm|private-ppa)\S{0,80}\s+401 +Unauthorized.{0,40}|(?:[Ss]ubscription|[Cc]ontract) (?:has )?expired)",
        title: "The subscription is refused: {msg} ({n}){when}",
        statement: "The vendor's servers do not accept this host's subscription ({msg}): it expired, was removed, or its identity was cloned; no updates arrive until it is registered again.",
        strength: 0.66,
        ticket: PKG,
        merge: true,
        ..BASE
    },
    Rule {
        detector: "symbol-missing",
        cause: "library-mismatch",
        kind: "Process",
        name: "{prog}",
        scope: Scope::Any,
        needles: &["symbol lookup error"],
        pattern: r"(?P<prog>[^\s:]+): symbol lookup error: (?P<lib>\S+): undefined symbol: (?P<symbol>\w+)",
        title: "{prog} does not run: {lib} lacks {symbol} ({n}){when}",
        statement: "{prog} was built against another version of a library than is loaded ({lib}, undefined symbol {symbol}): packages of different releases are mixed, or a private library hides the system's.",
        strength: 0.82,
        ticket: &["start", "library", "update", "upgrade", "symbol"],
        ..BASE
    },
    Rule {
        detector: "modules-load-failed",
        cause: "kernel-module-missing",
        kind: "Module",
        name: "{module}",
        scope: Scope::System,
        needles: &["Failed to find module '"],
        pattern: r"systemd-modules-load(?:\[\d+\])?: Failed to find module '(?P<module>[\w-]+)'",
        except: r"'(?:lp|ppdev|parport\w*|rtc|msr|fuse|autofs4|efi_pstore|ramoops|configfs|loop|drm|sg|chromeos_pstore|iptable_\w+|sch_\w+|nvidia\w*|usbip\w*|dm_\w+)'",
        title: "Configured kernel module {module} does not exist for the running kernel{when}",
        statement: "The configuration loads the module {module} at boot and the running kernel has none of that name: it was not built or installed for this kernel, or was renamed.",
        strength: 0.5,
        ticket: &["module", "driver", "kernel"],
        ..BASE
    },
    Rule {
        detector: "logrotate-config",
        cause: "logrotate-failed",
        kind: "File",
        name: "{file}",
        scope: Scope::System,
        needles: &[
            "duplicate log entry for",
            "lines must begin with a keyword",
            "unknown user '",
            "bad rotation count",
            "found error in ",
        ],
        pattern: r"logrotate(?:\[\d+\])?: error: (?P<msg>(?P<file>[^\s:]+):\d+ (?:duplicate log entry for .{0,60}|lines must begin with a keyword.{0,30}|unknown user '[^']+'|bad rotation count.{0,30})|found error in (?:file )?(?P<file2>[^,]{1,80}), skipping)",
        title: "logrotate leaves logs out: {msg} ({n}){when}",
        statement: "logrotate skips what it finds wrong in its configuration ({msg}); those logs grow until their file system is full.",
        strength: 0.46,
        ticket: &["log", "logs", "rotate", "logrotate", "disk", "full"],
        ..BASE
    },
];

#[cfg(test)]
mod tests {
    use super::super::tests::{means, silent};

    #[test]
    fn packages() {
        means(&[
            (
                "apt[9]: trying to overwrite '/usr/bin/x', which is also in package xtools 1.2-3",
                "package-file-conflict",
            ),
            (
                "dnf[9]: file /usr/lib64/libx.so.1 from install of x-2-1.x86_64 conflicts with file from package x-1-1.x86_64",
                "package-file-conflict",
            ),
            (
                "zypper[9]: Problem: nothing provides 'libx.so.6()(64bit)' needed by the to be installed shop-1.2-1.x86_64",
                "package-unsolvable",
            ),
            (
                "rhsmcertd[9]: HTTP error (410 - Gone): Unit 1f2e-33 has been deleted",
                "subscription-invalid",
            ),
            (
                "shop[9]: /opt/shop/bin/shop: symbol lookup error: /opt/shop/lib/libssl.so.3: undefined symbol: EVP_md2",
                "library-mismatch",
            ),
            (
                "systemd-modules-load[9]: Failed to find module 'nf_nat_sip2'",
                "kernel-module-missing",
            ),
            (
                "logrotate[9]: error: nginx:3 duplicate log entry for /var/log/nginx/access.log",
                "logrotate-failed",
            ),
        ]);
        silent(&[
            "systemd-modules-load[9]: Failed to find module 'lp'",
            "subscription-manager[9]: This system is not registered with an entitlement server. You can use subscription-manager to register.",
            "apt[9]: Unpacking shop (1.2-3) over (1.2-2) ...",
        ]);
    }
}
