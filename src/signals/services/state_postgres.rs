//! PostgreSQL's settings against the host's memory: huge pages that do not cover what it must take from them.

use super::state::{Says, at, line_with, texts, value_of};
use crate::bundle::Tree;
use crate::report::Evidence;
use crate::signals::{Partial, Role};

/// Detector ids and their causes.
pub const IDS: &[(&str, &str)] = &[HUGE];
const HUGE: (&str, &str) = ("postgres.huge-pages", "postgres-shared-memory");

/// Findings from `postgresql.conf` and `/proc/meminfo` together.
pub fn detect(tree: &Tree) -> Partial {
    let mut partial = Partial::default();
    for (entry, text) in texts(tree, |rel| {
        rel.contains("postgres") && rel.ends_with(".conf")
            || rel.contains("pgsql") && rel.ends_with("postgresql.conf")
    }) {
        let value = |name: &str| {
            value_of(entry, &text, name).map(|(value, line)| {
                (
                    value
                        .split('#')
                        .next()
                        .unwrap_or_default()
                        .trim()
                        .to_owned(),
                    line,
                )
            })
        };
        let (Some((mode, mode_line)), Some((buffers, buffers_line))) =
            (value("huge_pages"), value("shared_buffers"))
        else {
            continue;
        };
        let Some(needed) = kib(&buffers).filter(|_| mode.trim_matches('\'') == "on") else {
            continue;
        };
        let Some((reserved, lines)) = huge_pages(tree) else {
            continue;
        };
        if needed <= reserved {
            continue;
        }
        let mut evidence = vec![buffers_line, mode_line];
        evidence.extend(lines);
        evidence.extend(setting_of_sysctl(tree));
        partial.signals.extend(
            Says {
                id: HUGE,
                subject: ("Setting", "shared_buffers"),
                title: format!("PostgreSQL cannot start: shared_buffers {buffers} with huge_pages on needs more huge pages than the {} MiB reserved", reserved >> 10),
                statement: format!("PostgreSQL takes all of its shared memory from huge pages (huge_pages is on) or does not start; shared_buffers is {buffers}, but only {} MiB of huge pages are reserved on the host. Reserve more huge pages, lower shared_buffers, or let it try.", reserved >> 10),
                strength: 0.88,
                role: Role::Cause,
                evidence,
            }
            .signal(&[]),
        );
    }
    partial
}

/// `32GB`, `128MB`, `16384` (pages of 8 kB) in KiB.
fn kib(text: &str) -> Option<u64> {
    let text = text.trim_matches('\'');
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text.get(..end)?.parse().ok()?;
    let factor = match text.get(end..)?.trim() {
        "" => 8,
        "kB" => 1,
        "MB" => 1 << 10,
        "GB" => 1 << 20,
        "TB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// Reserved huge pages of the default size in KiB, with their lines.
fn huge_pages(tree: &Tree) -> Option<(u64, Vec<Evidence>)> {
    let entry = tree.get("proc/meminfo")?;
    let text = tree.text(entry).ok().flatten()?;
    let number = |key: &str| {
        let (number, line) = text.lines().find(|(_, line)| line.starts_with(key))?;
        let value: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some((value, at(entry, number, line)))
    };
    let ((total, total_line), (size, size_line)) =
        (number("HugePages_Total:")?, number("Hugepagesize:")?);
    Some((total.checked_mul(size)?, vec![total_line, size_line]))
}

/// Where the number of huge pages is set.
fn setting_of_sysctl(tree: &Tree) -> Option<Evidence> {
    texts(tree, |rel| rel.starts_with("etc/sysctl"))
        .find_map(|(entry, text)| line_with(entry, &text, "vm.nr_hugepages"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::testing::tree_of;

    fn run(conf: &str, pages: u32) -> usize {
        let memory =
            format!("MemTotal: 9 kB\nHugePages_Total:    {pages}\nHugepagesize:       2048 kB\n");
        let (_folder, tree) = tree_of([
            ("top/etc/postgresql/14/main/postgresql.conf", conf),
            ("top/proc/meminfo", &memory),
        ]);
        detect(&tree).signals.len()
    }

    #[test]
    fn huge_pages_must_cover_the_buffers_when_they_are_required() {
        assert_eq!(
            run("shared_buffers = 8GB # big\nhuge_pages = on\n", 1024),
            1
        );
        assert_eq!(run("shared_buffers = 8GB\nhuge_pages = on\n", 5000), 0);
        assert_eq!(run("shared_buffers = 8GB\nhuge_pages = try\n", 1024), 0);
        assert_eq!(
            run(
                "shared_buffers = 18446744073709551615TB\nhuge_pages = on\n",
                0
            ),
            0
        );
        assert_eq!(kib("16384"), Some(131_072));
    }
}
