//! Files that were deleted while a program keeps them open: `df` counts them, `du` does not find them.

use super::filesystems::usage;
use crate::signals::Partial;
use crate::signals::host::emit::{Draft, size};
use crate::signals::host::facts::Host;
use std::collections::BTreeMap;

/// What one process keeps.
struct Kept {
    process: String,
    path: String,
    kib: u64,
    number: usize,
}

/// Speaks where the file system is full and a good part of it is held so.
pub fn detect(host: &Host, out: &mut Partial) {
    let Some(doc) = host
        .commands("lsof", |_| true)
        .into_iter()
        .find(|doc| doc.contains("(deleted)"))
    else {
        return;
    };
    let links = doc
        .lines()
        .next()
        .is_some_and(|(_, header)| header.contains("NLINK"));
    let mut kept: BTreeMap<(String, String), Kept> = BTreeMap::new();
    for (number, line) in doc.lines().filter(|(_, line)| line.ends_with("(deleted)")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some(at) = words
            .iter()
            .position(|word| word.starts_with('/') && word.len() > 1)
        else {
            continue;
        };
        let column = at.checked_sub(if links { 3 } else { 2 });
        let (Some(bytes), Some(node)) = (
            column.and_then(|column| words.get(column)?.parse::<u64>().ok()),
            at.checked_sub(1).and_then(|column| words.get(column)),
        ) else {
            continue;
        };
        if bytes < 64 << 20
            || words[at].starts_with("/dev/")
            || words[at].starts_with("/memfd")
            || words[at].starts_with("/SYSV")
        {
            continue;
        }
        kept.entry((words[at].to_owned(), (*node).to_owned()))
            .or_insert_with(|| Kept {
                process: format!(
                    "{} (pid {})",
                    words[0],
                    words.get(1).copied().unwrap_or_default()
                ),
                path: words[at].to_owned(),
                kib: bytes >> 10,
                number,
            });
    }
    let rows = usage(host);
    let mut kept: Vec<Kept> = kept.into_values().collect();
    kept.sort_by_key(|file| std::cmp::Reverse(file.kib));
    let Some(first) = kept.first() else {
        return;
    };
    let Some((mount, percent, total, line)) = rows
        .into_iter()
        .filter(|row| {
            first.path.starts_with(&row.0)
                && (row.0 == "/" || first.path[row.0.len()..].starts_with('/'))
        })
        .max_by_key(|row| row.0.len())
    else {
        return;
    };
    let sum = kept
        .iter()
        .fold(0u64, |sum, file| sum.saturating_add(file.kib));
    if percent < 90 || sum.saturating_mul(20) < total {
        return;
    }
    Draft::cause("deleted-open-files", "deleted-files-hold-space", 0.95, "Process", &first.process)
        .says(
            format!("{} keeps the deleted file {} open: {} of {mount} ({percent} % full)", first.process, first.path, size(sum)),
            format!("{} of {mount} belong to files that were deleted while programs have them open, most of it {} of {}. The space comes back only when that program closes the file or is restarted; its log rotation does not tell it to.", size(sum), first.path, first.process),
        )
        .cites(kept.iter().take(3).map(|file| doc.cite(file.number)))
        .cites([line])
        .with("mount", mount.as_str())
        .if_ticket(host, &["disk", "space", "full", "storage", "df", "du"])
        .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn space_that_nobody_finds() {
        let lsof = "COMMAND PID TID USER FD TYPE DEVICE SIZE/OFF NODE NAME\njava 4711 app 12w REG 253,0 32212254720 131 /var/log/app/app.log (deleted)\nbash 9 root 1u REG 253,0 12 7 /tmp/x (deleted)\n";
        let df = |used: u64| {
            format!(
                "Filesystem 1K-blocks Used Available Use% Mounted on\n/dev/sda1 20000000 1 1 20% /\n/dev/sda2 41943040 41000000 900000 {used}% /var\n"
            )
        };
        let of = |used| {
            on(&[
                ("sos_commands/process/lsof_-b_M_-n_-l", lsof),
                ("sos_commands/filesys/df_-al", &df(used)),
            ])
        };
        assert_eq!(causes(&of(99)).first(), Some(&"deleted-files-hold-space"));
        assert!(of(99).signals.iter().any(
            |s| s.title.contains("java (pid 4711)") && s.title.contains("/var/log/app/app.log")
        ));
        assert!(!causes(&of(60)).contains(&"deleted-files-hold-space"));
    }
}
