//! Releases past their end, repositories of another release, packages installed twice.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;
use crate::signals::host::logs::Hits;
use std::collections::{BTreeMap, BTreeSet};

const WORDS: &[&str] = &[
    "package",
    "packages",
    "install",
    "upgrade",
    "update",
    "updates",
    "apt",
    "yum",
    "dnf",
    "repository",
    "mirror",
    "404",
];

/// Ends of general support, by the vendors' calendars: (ID, VERSION_ID, end).
const ENDS: [(&str, &str, &str); 30] = [
    ("ubuntu", "14.04", "2019-04-30"),
    ("ubuntu", "16.04", "2021-04-30"),
    ("ubuntu", "18.04", "2023-05-31"),
    ("ubuntu", "20.04", "2025-05-31"),
    ("ubuntu", "20.10", "2021-07-22"),
    ("ubuntu", "21.04", "2022-01-20"),
    ("ubuntu", "21.10", "2022-07-14"),
    ("ubuntu", "22.10", "2023-07-20"),
    ("ubuntu", "23.04", "2024-01-25"),
    ("ubuntu", "23.10", "2024-07-11"),
    ("ubuntu", "24.10", "2025-07-10"),
    ("debian", "8", "2020-06-30"),
    ("debian", "9", "2022-06-30"),
    ("debian", "10", "2024-06-30"),
    ("centos", "6", "2020-11-30"),
    ("centos", "7", "2024-06-30"),
    ("centos", "8", "2021-12-31"),
    ("rhel", "6", "2020-11-30"),
    ("rhel", "7", "2024-06-30"),
    ("ol", "6", "2021-03-31"),
    ("ol", "7", "2024-12-31"),
    ("opensuse-leap", "15.0", "2019-12-03"),
    ("opensuse-leap", "15.1", "2021-02-02"),
    ("opensuse-leap", "15.2", "2022-01-04"),
    ("opensuse-leap", "15.3", "2022-12-31"),
    ("opensuse-leap", "15.4", "2023-12-07"),
    ("opensuse-leap", "15.5", "2024-12-31"),
    ("sles", "12.5", "2024-10-31"),
    ("sles", "15.3", "2022-12-31"),
    ("sles", "15.4", "2023-12-31"),
];
/// Code names of releases whose archives a host of another release must not use.
const NAMES: [&str; 21] = [
    "trusty", "xenial", "bionic", "focal", "groovy", "hirsute", "impish", "jammy", "kinetic",
    "lunar", "mantic", "noble", "oracular", "plucky", "jessie", "stretch", "buster", "bullseye",
    "bookworm", "trixie", "sid",
];

pub fn detect(host: &Host, hits: &Hits, out: &mut Partial) {
    let Some(release) = host
        .file("etc/os-release")
        .or_else(|| host.file("usr/lib/os-release"))
    else {
        duplicates(host, out);
        return;
    };
    let value = |key: &str| {
        release.lines().find_map(|(number, line)| {
            let (name, value) = line.split_once('=')?;
            (name == key).then(|| (value.trim().trim_matches('"').to_owned(), number))
        })
    };
    ended(host, hits, &value, &release, out);
    if let Some((codename, number)) =
        value("VERSION_CODENAME").filter(|found| NAMES.contains(&found.0.as_str()))
    {
        mixed(host, &codename, release.cite(number), out);
    }
    duplicates(host, out);
}

/// Past its end alone is a choice; together with repositories that no longer exist it is the reason.
fn ended(
    host: &Host,
    hits: &Hits,
    value: &dyn Fn(&str) -> Option<(String, usize)>,
    release: &crate::signals::host::facts::Doc,
    out: &mut Partial,
) {
    let (Some((id, _)), Some((version, number)), Some(now)) =
        (value("ID"), value("VERSION_ID"), host.frame.now)
    else {
        return;
    };
    let stream = value("NAME").is_some_and(|name| name.0.contains("Stream"));
    let Some((_, _, end)) = ENDS.iter().find(|(name, release, _)| {
        *name == id
            && (*release == version
                || (id == "rhel" || id == "ol") && version.split('.').next() == Some(release))
    }) else {
        return;
    };
    let past =
        crate::signals::host::clock::iso(&format!("{end} 00:00:00")).is_some_and(|end| now > end);
    if !past || stream {
        return;
    }
    let gone: Vec<_> = hits
        .of("repository-gone")
        .flat_map(|(_, group)| group.evidence())
        .take(3)
        .collect();
    let strength = if gone.is_empty() { 0.24 } else { 0.86 };
    let then = if gone.is_empty() {
        "no updates are made for it"
    } else {
        "its repositories were removed or moved, so nothing can be installed"
    };
    Draft::cause("release-ended", "release-end-of-life", strength, "Release", &version)
        .says(
            format!("{id} {version} is past the end of its support: {then}"),
            format!("The general support of {id} {version} has ended by the bundle's own date; {then} unless extended support is attached or the archive of old releases is used."),
        )
        .cites(gone)
        .cites([release.cite(number)])
        .if_ticket(host, WORDS)
        .put(out);
}

/// An archive line of another release: the next upgrade mixes two releases.
fn mixed(host: &Host, codename: &str, own: crate::report::Evidence, out: &mut Partial) {
    let mut docs = host.files("etc/apt/sources.list.d/");
    docs.extend(host.file("etc/apt/sources.list"));
    for doc in docs.iter().filter(|doc| doc.path.ends_with(".list")) {
        for (number, line) in doc.lines() {
            let bare = line.trim();
            let official = [
                "ubuntu.com/ubuntu",
                "deb.debian.org/debian",
                "debian.org/debian",
                "/ubuntu/ ",
                "/ubuntu ",
            ];
            if !bare.starts_with("deb ")
                || !official.iter().any(|part| bare.contains(part))
                || bare.contains("ppa.")
                || bare.contains("cloud-archive")
                || bare.contains("download.")
            {
                continue;
            }
            let url = bare
                .split_whitespace()
                .position(|word| word.contains("://"));
            let Some(suite) = url.and_then(|at| bare.split_whitespace().nth(at + 1)) else {
                continue;
            };
            let name = suite.split(['-', '/']).next().unwrap_or(suite);
            if !NAMES.contains(&name) || name == codename {
                continue;
            }
            Draft::cause("sources-of-other-release", "package-releases-mixed", 0.64, "File", &doc.name)
                .says(
                    format!("{} uses the archive of {name} on a host of {codename}", doc.name),
                    format!("The host is {codename}, and {} takes packages from {suite}: dependencies of two releases mix and cannot be resolved, or libraries of the wrong release are installed.", doc.name),
                )
                .cites([doc.cite(number), own.clone()])
                .if_ticket(host, WORDS)
                .put(out);
            return;
        }
    }
}

/// One package in two versions: a transaction of yum or dnf that was interrupted.
fn duplicates(host: &Host, out: &mut Partial) {
    let Some(doc) = host
        .commands("rpm", |name| name.contains("-qa"))
        .into_iter()
        .next()
        .or_else(|| host.file("installed-rpms"))
    else {
        return;
    };
    let mut versions: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    let mut lines: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    let rows: Vec<(usize, &str)> = doc.lines().collect();
    for (number, line) in &rows {
        let Some(full) = line.split_whitespace().next() else {
            continue;
        };
        let Some((rest, arch)) = full.rsplit_once('.').filter(|(_, arch)| {
            matches!(
                *arch,
                "x86_64" | "noarch" | "aarch64" | "ppc64le" | "s390x" | "i686"
            )
        }) else {
            continue;
        };
        let mut parts = rest.rsplitn(3, '-');
        let (Some(_), Some(_), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        // Kernels are kept beside each other on purpose.
        if name.starts_with("kernel")
            || name.starts_with("gpg-pubkey")
            || name.starts_with("kmod")
            || name.contains("-kmp-")
            || name.contains("debug")
        {
            continue;
        }
        versions
            .entry((name, arch))
            .or_default()
            .insert(&rest[name.len()..]);
        lines.entry((name, arch)).or_default().push(*number);
    }
    let double: Vec<&(&str, &str)> = versions
        .iter()
        .filter(|(_, found)| found.len() > 1)
        .map(|(key, _)| key)
        .collect();
    if double.len() < 5 {
        return;
    }
    let names: Vec<&str> = double.iter().take(4).map(|key| key.0).collect();
    let names = names.join(", ");
    Draft::cause("rpm-duplicates", "package-state-broken", 0.68, "Package", double[0].0)
        .says(
            format!("{} packages are installed in two versions: {names} …", double.len()),
            format!("The RPM database lists {} packages twice ({names} …): an update was interrupted between installing the new and removing the old ones, and further updates fail until the rest is cleaned up.", double.len()),
        )
        .cites(double.iter().take(2).flat_map(|key| lines[*key].iter().take(2)).map(|number| doc.cite(*number)))
        .if_ticket(host, WORDS)
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn a_release_past_its_end_whose_archive_is_gone() {
        let of = |version: &str, log: &str| {
            let release =
                format!("ID=\"centos\"\nVERSION_ID=\"{version}\"\nNAME=\"CentOS Linux\"\n");
            on(&[
                ("etc/os-release", &release),
                ("sos_commands/date/date", "Thu Feb 10 16:19:17 UTC 2022\n"),
                ("var/log/dnf.log", log),
            ])
        };
        let gone = "2022-02-10T10:00:00Z ERROR Error: Failed to download metadata for repo 'appstream': Cannot prepare internal mirrorlist: No URLs in mirrorlist\n";
        let out = of("8", gone);
        let signal = out
            .signals
            .iter()
            .find(|s| s.cause == "release-end-of-life")
            .unwrap();
        assert!(signal.strength > 0.8);
        assert!(of("8", "").signals.iter().all(|s| s.strength < 0.3));
        assert!(!causes(&of("7", gone)).contains(&"release-end-of-life"));
    }

    #[test]
    fn archives_of_another_release() {
        let of = |line: &str| {
            on(&[
                ("etc/os-release", "ID=ubuntu\nVERSION_CODENAME=focal\n"),
                ("etc/apt/sources.list", line),
            ])
        };
        assert_eq!(
            causes(&of("deb http://archive.ubuntu.com/ubuntu jammy main\n")),
            ["package-releases-mixed"]
        );
        assert!(of("deb http://archive.ubuntu.com/ubuntu focal-updates main\n# deb http://archive.ubuntu.com/ubuntu jammy main\n").signals.is_empty());
    }

    #[test]
    fn packages_in_two_versions() {
        let rows = |second: &str| -> String {
            [
                "bash",
                "glibc",
                "openssl-libs",
                "sudo",
                "vim-minimal",
                "kernel-core",
            ]
            .iter()
            .map(|name| format!("{name}-1.0-1.el9.x86_64 Thu\n{name}-{second}-1.el9.x86_64 Fri\n"))
            .collect()
        };
        assert_eq!(
            causes(&on(&[("sos_commands/rpm/rpm_-qa", &rows("1.1"))])),
            ["package-state-broken"]
        );
        assert!(
            on(&[("sos_commands/rpm/rpm_-qa", &rows("1.0"))])
                .signals
                .is_empty()
        );
    }
}
