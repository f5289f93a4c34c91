//! Packages: half installed ones, broken dependencies, the kernel that runs and those installed.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;
use crate::signals::host::logs::Hits;

const WORDS: &[&str] = &[
    "package", "packages", "install", "upgrade", "update", "apt", "dpkg", "yum", "dnf",
];

pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    modules(host, hits, out);
    dpkg(host, out);
    apt_check(host, out);
    kernel(host, out);
    unattended(host, out);
    snaps(host, out);
}

/// `snap list`: a snap whose files cannot be mounted or read is noted as broken.
fn snaps(host: &Host, out: &mut Partial) {
    let Some(doc) = host.command("snap", &["list"]) else {
        return;
    };
    let Some((number, line)) = doc.line_with(|line| {
        line.split_whitespace()
            .next_back()
            .is_some_and(|notes| notes.split(',').any(|note| note == "broken"))
    }) else {
        return;
    };
    let name = line.split_whitespace().next().unwrap_or_default();
    Draft::cause("snap-broken", "snap-refresh-failed", 0.66, "Snap", name)
        .says(format!("Snap {name} is broken"), format!("snapd notes {name} as broken: its image is missing or cannot be mounted, so its services do not run."))
        .cites([doc.cite(number)])
        .if_ticket(host, &["snap", "start", "service"])
        .put(out);
}

/// Second letter of `dpkg -l`: U unpacked, F half configured, H half installed, W or t triggers; third R.
fn dpkg(host: &Host, out: &mut Partial) {
    let Some(doc) = host
        .commands("dpkg", |name| name.contains("-l"))
        .into_iter()
        .next()
    else {
        return;
    };
    let mut broken = Vec::new();
    for (number, line) in doc.lines() {
        let Some((state, rest)) = line.split_once(' ') else {
            continue;
        };
        let bytes = state.as_bytes();
        let fault = match bytes {
            [b'i' | b'h' | b'r' | b'p', b'U', ..] => "unpacked but not configured",
            [b'i' | b'h' | b'r' | b'p', b'F', ..] => "half configured",
            [b'i' | b'h' | b'r' | b'p', b'H', ..] => "half installed",
            [_, _, b'R'] => "in need of reinstallation",
            _ => continue,
        };
        if bytes.len() <= 3 {
            broken.push((
                number,
                rest.split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned(),
                fault,
            ));
        }
    }
    let Some((_, name, fault)) = broken.first() else {
        return;
    };
    let names: Vec<&str> = broken.iter().take(6).map(|b| b.1.as_str()).collect();
    Draft::cause("dpkg-state", "package-state-broken", 0.6, "Package", name)
        .says(format!("Package {name} is {fault} ({} broken packages: {})", broken.len(), names.join(", ")), format!("dpkg left {} in a broken state ({name} is {fault}): an installation was interrupted or failed, so its service may run old or incomplete files.", names.join(", ")))
        .cites(broken.iter().take(4).map(|b| doc.cite(b.0)))
        .with("package", name.as_str())
        .if_ticket(host, WORDS)
        .put(out);
}

fn apt_check(host: &Host, out: &mut Partial) {
    let Some(doc) = host
        .commands("apt-get", |name| name.contains("check"))
        .into_iter()
        .next()
    else {
        return;
    };
    let Some((number, line)) = doc.line_with(|l| {
        l.contains("Unmet dependencies")
            || l.contains("unmet dependencies")
            || l.contains("dpkg was interrupted")
    }) else {
        return;
    };
    Draft::cause("apt-check", "package-state-broken", 0.56, "Package", "apt")
        .says(format!("apt reports broken packages: {}", line.trim()), "The package database has unmet dependencies or an interrupted run; no package can be installed or updated until it is repaired.")
        .cites([doc.cite(number)])
        .cites(doc.line_with(|l| l.contains("Depends:")).map(|(n, _)| doc.cite(n)))
        .if_ticket(host, WORDS)
        .put(out);
}

/// A module that is not found, and the package with the further modules is there for another kernel only: it was
/// installed by hand once, and an upgrade of the kernel does not bring it.
fn modules(host: &Host, hits: &Hits, out: &mut Partial) {
    const EXTRA: &str = " linux-modules-extra-";
    let missing = ["modules-load-failed", "module-missing"]
        .into_iter()
        .find_map(|rule| hits.of(rule).next());
    let Some((module, group)) = missing else {
        return;
    };
    let docs = host.commands("dpkg", |name| name.contains("-l"));
    let (Some(doc), Some(uname)) = (docs.first(), host.command("uname", &["-a"])) else {
        return;
    };
    let Some((number, line)) = uname.lines().next() else {
        return;
    };
    let Some(release) = line.split_whitespace().nth(2) else {
        return;
    };
    let installed = |line: &str| line.starts_with("ii") && line.contains(EXTRA);
    let Some((other, _)) = doc.line_with(installed) else {
        return;
    };
    if doc.contains(&format!("{EXTRA}{release} ")) {
        return;
    }
    Draft::cause("modules-extra-missing", "kernel-module-missing", 0.84, "Module", module)
        .says(
            format!("Kernel module {module} is missing: linux-modules-extra is not installed for the running kernel {release}"),
            format!("The running kernel {release} has no module {module}: the package linux-modules-extra is installed for another kernel and not for this one, so what needs the module (file systems, network protocols, storage) fails since this kernel runs."),
        )
        .cites(group.evidence().into_iter().take(1))
        .cites([doc.cite(other), uname.cite(number)])
        .put(out);
}

/// The running kernel has no package: its modules may be gone. Ordinary in containers.
fn kernel(host: &Host, out: &mut Partial) {
    if host.container {
        return;
    }
    let Some(uname) = host.command("uname", &["-a"]) else {
        return;
    };
    let Some((number, line)) = uname.lines().next() else {
        return;
    };
    let Some(release) = line.split_whitespace().nth(2) else {
        return;
    };
    let Some(doc) = host
        .commands("dpkg", |name| name.contains("-l"))
        .into_iter()
        .next()
    else {
        return;
    };
    let mut images = doc
        .lines()
        .filter(|(_, l)| l.contains(" linux-image-") && l.starts_with("ii"))
        .peekable();
    if images.peek().is_none() || release.len() < 5 {
        return;
    }
    let images: Vec<usize> = images
        .filter(|(_, l)| {
            l.split_whitespace()
                .nth(1)
                .is_some_and(|p| p.chars().any(|c| c.is_ascii_digit()))
        })
        .map(|(n, _)| n)
        .collect();
    if images.is_empty() || doc.contains(&format!("-{release} ")) {
        return;
    }
    Draft::cause("kernel-not-installed", "kernel-not-installed", 0.36, "Kernel", release)
        .says(format!("The running kernel {release} is no longer installed"), format!("Kernel {release} runs but its package was removed; modules that are not loaded yet can't be loaded until the host boots an installed kernel."))
        .cites([uname.cite(number)])
        .cites(images.into_iter().take(2).map(|n| doc.cite(n)))
        .if_ticket(host, &["kernel", "module", "upgrade", "update", "reboot"])
        .put(out);
}

/// Automatic upgrades restart services at their own time; on a node of a cluster that is a risk, no fault.
fn unattended(host: &Host, out: &mut Partial) {
    let docs = host.files("etc/apt/apt.conf.d/");
    let switch = docs.iter().find_map(|doc| {
        let (number, _) = doc.line_with(|line| {
            line.trim_start()
                .starts_with("APT::Periodic::Unattended-Upgrade")
                && line.contains("\"1\"")
        })?;
        Some(doc.cite(number))
    });
    let Some(switch) = switch else { return };
    let Some(ps) = host
        .commands("ps", |name| name.contains("aux"))
        .into_iter()
        .next()
    else {
        return;
    };
    const NODES: [&str; 8] = [
        "ceph-osd",
        "ceph-mon",
        "ovs-vswitchd",
        "libvirtd",
        "nova-compute",
        "neutron-server",
        "kubelet",
        "mysqld",
    ];
    let runs = ps.line_with(|line| NODES.iter().any(|name| line.contains(name)));
    let Some((number, _)) = runs else { return };
    let strength = if host.ticket_has(WORDS) || host.ticket_has(&["restart", "restarted"]) {
        0.48
    } else {
        0.2
    };
    Draft::cause("unattended-upgrades", "unattended-upgrades-enabled", strength, "Setting", "unattended-upgrades")
        .says("unattended-upgrades is enabled on a node that runs cluster services", "Unattended-Upgrade is \"1\": packages are upgraded and services restarted at any time, outside a maintenance window, on several nodes at once.")
        .cites([switch, ps.cite(number)])
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn half_configured_packages() {
        let list = |state: &str| {
            format!(
                "Desired=Unknown/Install/Remove/Purge/Hold\n||/ Name Version\n+++-===-===\n{state}  mysql-server-8.0 8.0.28 amd64 x\nrc  old 1 all x\n"
            )
        };
        assert_eq!(
            causes(&on(&[("sos_commands/dpkg/dpkg_-l", &list("iF"))])),
            ["package-state-broken"]
        );
        assert!(causes(&on(&[("sos_commands/dpkg/dpkg_-l", &list("ii"))])).is_empty());
    }

    #[test]
    fn modules_of_another_kernel_only() {
        let of = |release: &str| {
            let dpkg = "ii  linux-image-5.15.0-94-generic 5.15 amd64 x\nii  linux-modules-extra-5.15.0-91-generic 5.15 amd64 x\n";
            let uname = format!("Linux h {release} #1 SMP x86_64\n");
            let log =
                "Feb 10 02:13:45 h systemd-modules-load[704]: Failed to find module 'nvme-tcp'\n";
            let out = on(&[
                ("sos_commands/dpkg/dpkg_-l", dpkg),
                ("sos_commands/kernel/uname_-a", &uname),
                ("var/log/syslog", log),
            ]);
            out.signals
                .iter()
                .map(|signal| signal.strength)
                .fold(0.0, f64::max)
        };
        assert!(of("5.15.0-94-generic") > 0.8);
        assert!(of("5.15.0-91-generic") < 0.6);
    }

    #[test]
    fn running_kernel_without_package_is_weak() {
        let files = [
            (
                "sos_commands/kernel/uname_-a",
                "Linux h 5.4.0-90-generic #1 SMP\n",
            ),
            (
                "sos_commands/dpkg/dpkg_-l",
                "ii  linux-image-5.4.0-97-generic 5.4.0-97.110 amd64 x\n",
            ),
        ];
        let out = on(&files);
        assert_eq!(causes(&out), ["kernel-not-installed"]);
        assert!(out.signals[0].strength < 0.5);
    }
}
