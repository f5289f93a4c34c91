//! Why a file system is full, where the bundle shows it: snapshots, the journal, container data, one folder or file.
//!
//! Runs after [`super::filesystems`] and completes its findings; a reason must hold a good part of the space.

use super::filesystems::{blocks, usage};
use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::emit::size;
use crate::signals::host::facts::{Doc, Host};
use std::collections::BTreeMap;

/// Snapshots from here on are many.
const MANY: usize = 20;
/// Most folders of listings that are summed.
const MAX_FOLDERS: usize = 20_000;

/// A file system that is full.
struct Full<'a> {
    mount: &'a str,
    device: &'a str,
    /// Size in KiB.
    total: u64,
    /// Mount points of all file systems.
    mounts: Vec<String>,
}

/// What holds the space: for the title, for the statement, lines that show it.
struct Reason {
    title: String,
    statement: String,
    lines: Vec<Evidence>,
}

/// Names the reason in every finding about a full file system of this host.
pub fn explain(host: &Host, out: &mut Partial) {
    let rows = usage(host);
    for signal in out.signals.iter_mut().filter(|signal| {
        signal.detector == "host.filesystem-full"
            && signal
                .evidence
                .iter()
                .all(|line| line.path.starts_with(host.root.as_str()))
    }) {
        let mount = signal.subject.name.clone();
        let Some((_, _, total, _)) = rows.iter().find(|row| row.0 == mount) else {
            continue;
        };
        let full = Full {
            mount: &mount,
            device: signal.entities.get("device").map_or("", String::as_str),
            total: *total,
            mounts: rows.iter().map(|row| row.0.clone()).collect(),
        };
        let reason = snapper(host, &full)
            .or_else(|| zfs(host, &full))
            .or_else(|| timeshift(host, &full))
            .or_else(|| subvolumes(host, &full))
            .or_else(|| journal(host, &full))
            .or_else(|| containers(host, &full))
            .or_else(|| listed(host, &full));
        if let Some(reason) = reason {
            signal.title = format!("{}; {}", signal.title, reason.title);
            signal.statement = format!("{} {}", signal.statement, reason.statement);
            for line in reason.lines.into_iter().take(3).rev() {
                signal.evidence.insert(1.min(signal.evidence.len()), line);
            }
            signal.evidence.truncate(6);
        }
    }
}

impl Full<'_> {
    /// Whether `path` lies on this file system and on no other one mounted below it.
    fn holds(&self, path: &str) -> bool {
        let below = |mount: &str| {
            mount == "/"
                || path == mount
                || path
                    .strip_prefix(mount)
                    .is_some_and(|rest| rest.starts_with('/'))
        };
        below(self.mount)
            && !self
                .mounts
                .iter()
                .any(|mount| mount.len() > self.mount.len() && below(mount))
    }
    /// Whether this much is at least `percent` of the file system.
    fn is_part(&self, kib: u64, percent: u64) -> bool {
        self.total > 0 && kib.saturating_mul(100) / self.total >= percent
    }
}

/// `38.2G`, `38.2GB`, `1.4 GiB` without its blank, or bytes; in KiB.
fn amount(word: &str) -> u64 {
    let word = word.trim_end_matches('B').trim_end_matches('i');
    match word.bytes().last() {
        Some(b'0'..=b'9') => blocks(word) >> 10,
        Some(b'k' | b'K') => blocks(&word[..word.len() - 1]),
        _ => blocks(word),
    }
}

/// snapper's snapshots of a btrfs: what they hold is freed only with them.
fn snapper(host: &Host, full: &Full) -> Option<Reason> {
    let mut lines = Vec::new();
    let mut off = Vec::new();
    let mut configured = false;
    for config in host.files("etc/snapper/configs/") {
        let value = |key: &str| {
            config.lines().find_map(|(number, line)| {
                let value = line.trim().strip_prefix(key)?.strip_prefix('=')?;
                Some((number, value.trim().trim_matches('"').to_owned()))
            })
        };
        if value("SUBVOLUME").is_none_or(|(_, at)| at != full.mount) {
            continue;
        }
        configured = true;
        for key in ["NUMBER_CLEANUP", "TIMELINE_CLEANUP"] {
            if let Some((number, _)) = value(key).filter(|(_, value)| value == "no") {
                off.push(key);
                lines.push(config.cite(number));
            }
        }
    }
    if !configured && full.mount != "/" {
        return None;
    }
    let (count, held, first) = host
        .commands("snapper", |name| {
            name.contains("list") && !name.contains("configs")
        })
        .iter()
        .map(snapper_rows)
        .max_by_key(|found| found.0)?;
    let enough = match held {
        Some(kib) => full.is_part(kib, 15) || (count >= MANY && full.is_part(kib, 3)),
        None => count >= MANY,
    };
    if !enough || count < 3 {
        return None;
    }
    lines.extend(first);
    let held = held.map_or_else(String::new, |kib| {
        format!(" with {} of their own", size(kib))
    });
    let cleanup = if off.is_empty() {
        String::new()
    } else {
        format!(", their cleanup is off ({} = no)", off.join(", "))
    };
    Some(Reason {
        title: format!("{count} snapshots of snapper{held} hold the space{cleanup}"),
        statement: format!(
            "{count} snapper snapshots{held} keep the old blocks{cleanup}: what is deleted stays in them, so deleting files frees nothing until snapshots are deleted."
        ),
        lines,
    })
}

/// Number of snapshots, the sum of their own space where the list tells it, and the oldest row.
fn snapper_rows(doc: &Doc) -> (usize, Option<u64>, Option<Evidence>) {
    let mut column = None;
    let (mut count, mut held, mut first) = (0, 0u64, None);
    for (number, line) in doc.lines() {
        let cells: Vec<&str> = line.split(['|', '│']).map(str::trim).collect();
        if cells.len() < 5 {
            continue;
        }
        if column.is_none() && cells.contains(&"Type") {
            column = Some(cells.iter().position(|cell| cell.starts_with("Used Space")));
        }
        let id = cells
            .iter()
            .take(2)
            .find_map(|cell| cell.trim_end_matches(['*', '-', '+']).parse::<u32>().ok());
        if id.is_none_or(|id| id < 2) {
            continue;
        }
        count += 1;
        let used = column
            .flatten()
            .and_then(|at| cells.get(at))
            .map_or(0, |cell| amount(&cell.replace(' ', "")));
        held = held.saturating_add(used);
        first = first.or_else(|| Some(doc.cite(number)));
    }
    (count, (held > 0).then_some(held), first)
}

/// Snapshots of ZFS: `zfs list -t snapshot`.
fn zfs(host: &Host, full: &Full) -> Option<Reason> {
    let pool = full
        .device
        .split('/')
        .next()
        .filter(|pool| !pool.is_empty())?;
    let mut found: BTreeMap<String, (u64, Evidence)> = BTreeMap::new();
    for doc in host.commands("zfs", |name| name.contains("list")) {
        for (number, line) in doc.lines() {
            let mut words = line.split_whitespace();
            let (Some(name), Some(used)) = (words.next(), words.next()) else {
                continue;
            };
            if name.contains('@') && name.split(['/', '@']).next() == Some(pool) {
                found.insert(name.to_owned(), (amount(used), doc.cite(number)));
            }
        }
    }
    let sum = found
        .values()
        .fold(0u64, |sum, (used, _)| sum.saturating_add(*used));
    if found.is_empty() || !full.is_part(sum, 20) {
        return None;
    }
    let count = found.len();
    let mut rows: Vec<(u64, Evidence)> = found.into_values().collect();
    rows.sort_by_key(|(used, _)| std::cmp::Reverse(*used));
    Some(Reason {
        title: format!("{count} ZFS snapshots of {pool} hold {}", size(sum)),
        statement: format!(
            "{count} snapshots of pool {pool} hold {} by themselves: deleting files frees nothing until snapshots are destroyed.",
            size(sum)
        ),
        lines: rows.into_iter().map(|(_, line)| line).collect(),
    })
}

/// `timeshift --list`: rows of a number, `>` and a date.
fn timeshift(host: &Host, full: &Full) -> Option<Reason> {
    let doc = host
        .commands("timeshift", |name| name.contains("list"))
        .into_iter()
        .find(|doc| doc.contains(full.device))?;
    let rows: Vec<usize> = doc
        .lines()
        .filter(|(_, line)| {
            let mut words = line.split_whitespace();
            words.next().is_some_and(|word| word.parse::<u32>().is_ok())
                && words.next() == Some(">")
        })
        .map(|(number, _)| number)
        .collect();
    (rows.len() >= MANY / 2).then(|| Reason {
        title: format!("{} snapshots of timeshift lie on it", rows.len()),
        statement: format!(
            "timeshift keeps {} snapshots on this file system; what is deleted stays in them.",
            rows.len()
        ),
        lines: rows
            .iter()
            .take(2)
            .map(|number| doc.cite(*number))
            .collect(),
    })
}

/// `btrfs subvolume list`: snapshots without a list of the tool that makes them.
fn subvolumes(host: &Host, full: &Full) -> Option<Reason> {
    if full.mount != "/" {
        return None;
    }
    let doc = host
        .commands("btrfs", |name| {
            name.contains("subvolume") && name.contains("list")
        })
        .into_iter()
        .next()?;
    let rows: Vec<usize> = doc
        .lines()
        .filter(|(_, line)| line.starts_with("ID ") && line.contains("snapshot"))
        .map(|(number, _)| number)
        .collect();
    (rows.len() >= MANY + MANY / 2).then(|| Reason {
        title: format!("{} btrfs snapshots lie on it", rows.len()),
        statement: format!(
            "{} snapshots of btrfs keep the old blocks; what is deleted stays in them.",
            rows.len()
        ),
        lines: rows
            .iter()
            .take(2)
            .map(|number| doc.cite(*number))
            .collect(),
    })
}

/// `journalctl --disk-usage`.
fn journal(host: &Host, full: &Full) -> Option<Reason> {
    if !full.holds("/var/log/journal") {
        return None;
    }
    let doc = host.command("journalctl", &["disk-usage"])?;
    let (number, line) = doc.line_with(|line| line.contains("take up "))?;
    let kib = amount(line.split_once("take up ")?.1.split_whitespace().next()?);
    full.is_part(kib, 20).then(|| Reason {
        title: format!("the journal takes up {}", size(kib)),
        statement: format!(
            "journald's files take up {} of it; SystemMaxUse= limits them.",
            size(kib)
        ),
        lines: vec![doc.cite(number)],
    })
}

/// `docker system df`: images, containers, volumes and build cache.
fn containers(host: &Host, full: &Full) -> Option<Reason> {
    if !full.holds("/var/lib/docker") && !full.holds("/var/lib/containers") {
        return None;
    }
    let mut docs = host.commands("docker", |name| name.contains("system df"));
    docs.extend(host.commands("podman", |name| name.contains("system df")));
    let doc = docs.into_iter().next()?;
    let (kib, kind, number) = doc
        .lines()
        .filter_map(|(number, line)| {
            let kind = ["Images", "Containers", "Local Volumes", "Build Cache"]
                .into_iter()
                .find(|kind| line.starts_with(kind))?;
            let used = line[kind.len()..].split_whitespace().nth(2)?;
            Some((amount(used), kind, number))
        })
        .max_by_key(|(kib, ..)| *kib)?;
    full.is_part(kib, 25).then(|| Reason {
        title: format!(
            "{} of the container engine take {}",
            kind.to_lowercase(),
            size(kib)
        ),
        statement: format!(
            "The container engine's {} take {} of it.",
            kind.to_lowercase(),
            size(kib)
        ),
        lines: vec![doc.cite(number)],
    })
}

/// The deepest path that `du` gives a quarter of the space to, or a folder whose files `ls` lists with as much.
fn listed(host: &Host, full: &Full) -> Option<Reason> {
    let mut best: Option<(u64, String, Evidence)> = None;
    let mut offer = |kib: u64, path: &str, line: Evidence| {
        let deeper = best.as_ref().is_none_or(|(known, other, _)| {
            (path.len(), kib) > (other.len(), *known) && path.starts_with(other.as_str())
                || (kib > *known && !other.starts_with(path))
        });
        if path != full.mount && full.holds(path) && full.is_part(kib, 25) && deeper {
            best = Some((kib, path.to_owned(), line));
        }
    };
    for doc in host.commands("du", |_| true) {
        let bytes = doc
            .name
            .split(' ')
            .any(|word| word.starts_with('-') && !word.starts_with("--") && word.contains('b'));
        for (number, line) in doc.lines() {
            let mut words = line.split_whitespace();
            if let (Some(used), Some(path), None) = (words.next(), words.next(), words.next())
                && path.starts_with('/')
            {
                let kib = if bytes { amount(used) } else { blocks(used) };
                offer(kib, path.trim_end_matches('/'), doc.cite(number));
            }
        }
    }
    for doc in host.commands("ls", |_| true) {
        let mut folder = String::new();
        let mut sums: BTreeMap<String, (u64, u64, usize)> = BTreeMap::new();
        for (number, line) in doc.lines() {
            if let Some(path) = line.strip_suffix(':').filter(|path| path.starts_with('/')) {
                path.clone_into(&mut folder);
            } else if line.starts_with("-r") && !folder.is_empty() {
                let words: Vec<&str> = line.split_whitespace().collect();
                let at = if words.get(3).is_some_and(|word| word.ends_with(',')) {
                    3
                } else {
                    4
                };
                let kib = words.get(at).map_or(0, |word| amount(word));
                if sums.len() < MAX_FOLDERS || sums.contains_key(&folder) {
                    let sum = sums.entry(folder.clone()).or_insert((0, 0, number));
                    sum.0 = sum.0.saturating_add(kib);
                    if kib > sum.1 {
                        (sum.1, sum.2) = (kib, number);
                    }
                }
            }
        }
        for (folder, (kib, _, number)) in sums {
            offer(kib, &folder, doc.cite(number));
        }
    }
    best.map(|(kib, path, line)| Reason {
        title: format!("{path} holds {}", size(kib)),
        statement: format!("{path} alone holds {} of it.", size(kib)),
        lines: vec![line],
    })
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};
    use std::fmt::Write as _;

    const DF: &str = "Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/vda3 20971520 20900000 0 100% /home\n/dev/vda3 20971520 20900000 0 100% /\n";

    fn title(files: &[(&str, &str)]) -> String {
        let mut all = vec![("sos_commands/filesys/df_-al", DF)];
        all.extend(files);
        let out = on(&all);
        // Subvolumes of one device are one finding.
        assert_eq!(causes(&out), ["disk-full"]);
        out.signals[0].title.clone()
    }

    #[test]
    fn snapshots_that_nobody_deletes() {
        let list = |rows: u32| {
            let mut text = "  # | Type | Pre # | Date | User | Used Space | Cleanup | Description\n 0 | single | | | root | | | current\n".to_owned();
            for n in 0..rows {
                let _ = writeln!(
                    text,
                    " {} | single | | 2024-01-01 | root | 200.00 MiB | timeline | t",
                    n + 10
                );
            }
            text
        };
        let config = "SUBVOLUME=\"/\"\nTIMELINE_CLEANUP=\"no\"\n";
        let of = |rows| {
            title(&[
                ("sos_commands/snapper/snapper_list", &list(rows)),
                ("etc/snapper/configs/root", config),
            ])
        };
        let said = of(30);
        assert!(
            said.contains("30 snapshots of snapper") && said.contains("TIMELINE_CLEANUP"),
            "{said}"
        );
        assert!(!of(2).contains("snapper"));
    }

    #[test]
    fn journals_engines_and_folders() {
        let used = |amount: &str| {
            let text =
                format!("Archived and active journals take up {amount} in the file system.\n");
            title(&[("sos_commands/logs/journalctl_--disk-usage", &text)])
        };
        assert!(used("12.5G").contains("journal takes up 12.5 GiB"));
        assert!(!used("200.0M").contains("journal"));
        let engine = "TYPE TOTAL ACTIVE SIZE RECLAIMABLE\nImages 40 2 900.1MB 800MB (90%)\nBuild Cache 400 0 11GB 11GB\n";
        assert!(title(&[("sos_commands/docker/docker_system_df", engine)]).contains("build cache"));
        let du = "20900000\t/\n15000000\t/var\n14000000\t/var/spool/app\n1000\t/var/lib\n";
        assert!(
            title(&[("sos_commands/filesys/du_-x", du)]).contains("/var/spool/app holds 13.4 GiB")
        );
    }

    #[test]
    fn zfs_snapshots() {
        let df = "Filesystem 1K-blocks Used Available Use% Mounted on\ntank/data 20971520 20971520 0 100% /data\n";
        let of = |used: &str| {
            let list = format!("NAME USED AVAIL REFER MOUNTPOINT\ntank/data@a {used} - 1G -\n");
            on(&[
                ("sos_commands/filesys/df_-al", df),
                ("sos_commands/zfs/zfs_list_-t_all", &list),
            ])
            .signals[0]
                .title
                .contains("ZFS snapshots")
        };
        assert!(of("15.1G"));
        assert!(!of("15.1M"));
    }
}
