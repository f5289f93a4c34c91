//! Which file is whose log: matches log files to pods and containers, and tells real logs from the
//! errors of the command that should have collected them.

use super::model::*;
use super::read::is_refusal;
use crate::bundle::{Entry, FileKind, Tree};

/// Whether a path is one where collectors keep logs of containers.
pub fn is_log_path(rel: &str) -> bool {
    let lower = rel.to_ascii_lowercase();
    let file = lower.rsplit('/').next().unwrap_or_default();
    let is_named = file.ends_with(".log")
        || file.contains(".log.")
        || file == "logs.txt"
        || file.contains("_logs_")
        || file.contains("kubectl_logs")
        || file.starts_with("logs_")
        || is_thread_dump(file);
    is_named
        || lower.contains("/logs/")
        || lower.starts_with("logs/")
        || lower.contains("podlogs/")
        || lower.contains("var/log/pods/")
        || lower.contains("var/log/containers/")
}

/// Whether a file's name says that it holds what a program's threads were doing.
fn is_thread_dump(file: &str) -> bool {
    [
        "jstack",
        "thread-dump",
        "thread_dump",
        "threaddump",
        "thread.dump",
        "goroutines",
    ]
    .iter()
    .any(|word| file.contains(word))
}

/// Whether a text that is nothing else may be a log.
pub fn is_maybe_log(rel: &str, kind: FileKind) -> bool {
    kind == FileKind::Log || is_log_path(rel) || rel.to_ascii_lowercase().contains("log")
}

/// Makes a [`Log`] of each file and matches it to a pod and container. `host_report`: the bundle is
/// about a host, whose other logs are not those of containers. A journal or syslog is a host's in any bundle.
pub fn attach(tree: &Tree, cluster: &mut Cluster, files: &[(u32, String)], host_report: bool) {
    for (id, rel) in files {
        let Some(path) = cluster.files.get(*id as usize).cloned() else {
            continue;
        };
        let Some(entry) = tree.find(&path) else {
            continue;
        };
        if rel.ends_with("logs.txt") {
            // kubectl cluster-info dump: several containers in one file.
            let mut parts: Vec<Log> = Vec::new();
            let _ = tree.for_each_line(entry, |number, line| {
                if let Some((container, ns, pod)) =
                    dump_mark(line, "==== START logs for container ")
                {
                    parts.push(Log {
                        file: *id,
                        first: number + 1,
                        last: usize::MAX,
                        ns,
                        pod,
                        container,
                        empty: true,
                        ..Log::default()
                    });
                } else if line.starts_with("==== END logs for container ") {
                    if let Some(log) = parts.last_mut() {
                        log.last = number - 1;
                    }
                } else if let Some(log) = parts.last_mut() {
                    if log.empty && is_refusal(line) {
                        // What kubectl says instead of a log is no word of the container.
                        let src = Src {
                            file: *id,
                            line: u32::try_from(number).unwrap_or(0),
                            column: 0,
                        };
                        log.collection_error = Some(Loc::new(line.trim().to_owned(), src));
                    } else {
                        log.empty &= !has_content(line);
                    }
                }
                true
            });
            if !parts.is_empty() {
                cluster.logs.extend(parts);
                continue;
            }
        }
        if is_kernel_or_collector_log(rel) {
            continue;
        }
        let not_collected = error_file(cluster, rel);
        let mut log = place(cluster, *id, not_collected.as_deref().unwrap_or(rel));
        if let Some(instead) = not_collected {
            let of_bundle = path.strip_suffix(rel.as_str()).unwrap_or_default();
            log.empty = true;
            log.instead_of = Some(format!("{of_bundle}{instead}"));
            log.collection_error = first_words(tree, entry, *id);
            cluster.logs.push(log);
            continue;
        }
        let is_container_place =
            rel.contains("var/log/pods/") || rel.contains("var/log/containers/");
        if host_report && !is_container_place && cluster.pod(&log.ns, &log.pod).is_none() {
            continue;
        }
        log.empty = true;
        let mut refusal = None;
        let mut of_host = false;
        let unknown = !is_container_place && cluster.pod(&log.ns, &log.pod).is_none();
        let _ = tree.for_each_line(entry, |number, line| {
            if !has_content(line) {
                return number < 2_000;
            }
            of_host = unknown && log.empty && is_syslog_line(line);
            if of_host {
                return false;
            }
            if log.empty && is_refusal(line) {
                refusal = Some(Loc::new(
                    line.trim().to_owned(),
                    Src {
                        file: *id,
                        line: u32::try_from(number).unwrap_or(0),
                        column: 0,
                    },
                ));
                return true;
            }
            log.empty = false;
            false
        });
        if of_host {
            continue;
        }
        if log.empty {
            log.collection_error = refusal;
        }
        cluster.logs.push(log);
    }
}

/// Whether a file holds what a node's kernel or the collector of the bundle says; neither is a container.
fn is_kernel_or_collector_log(rel: &str) -> bool {
    let lower = rel.to_ascii_lowercase();
    let file = lower.rsplit('/').next().unwrap_or_default();
    let stem = file.split('.').next().unwrap_or_default();
    matches!(
        stem,
        "dmesg" | "kern" | "kernel" | "console" | "boot" | "syslog" | "messages"
    ) || matches!(
        stem,
        "bundlegenerationerror"
            | "execution-data"
            | "must-gather"
            | "gather-debug"
            | "collector-errors"
    )
}

/// `Nov  4 09:29:34 node sshd[85]: …`, `2024-03-19T10:32:01.160446+01:00 node kernel: …`, `-- Logs begin at …`:
/// what syslog and the journal of a host write. A container's output names neither its host nor a program.
pub fn is_syslog_line(line: &str) -> bool {
    if line.starts_with("-- Logs begin at ") || line.starts_with("-- Journal begins at ") {
        return true;
    }
    let words: Vec<&str> = line.split_whitespace().take(5).collect();
    let is_clock = |word: &str| {
        word.len() >= 8
            && word.split(':').count() == 3
            && word.starts_with(|c: char| c.is_ascii_digit())
    };
    let at = match words[..] {
        [month, day, clock, ..]
            if month.len() == 3
                && month.starts_with(|c: char| c.is_ascii_uppercase())
                && day.len() <= 2
                && day.bytes().all(|b| b.is_ascii_digit())
                && is_clock(clock) =>
        {
            3
        }
        [stamp, ..]
            if stamp.len() > 20 && stamp.get(10..11) == Some("T") && stamp.contains(':') =>
        {
            1
        }
        _ => return false,
    };
    let (Some(host), Some(tag)) = (words.get(at), words.get(at + 1)) else {
        return false;
    };
    let name = |text: &str| {
        text.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@' | b'/' | b'(' | b')')
        })
    };
    let Some(tag) = tag.strip_suffix(':') else {
        return false;
    };
    let (program, pid) = tag
        .strip_suffix(']')
        .and_then(|tag| tag.split_once('['))
        .map_or((tag, None), |(program, pid)| (program, Some(pid)));
    name(host)
        && !program.is_empty()
        && name(program)
        && match pid {
            Some(pid) => !pid.is_empty() && pid.bytes().all(|b| b.is_ascii_digit()),
            None => matches!(program, "kernel" | "systemd" | "sudo" | "su" | "rsyslogd"),
        }
}

/// The path of the log that a collector could not fetch, when `rel` is the file in which it says so:
/// `…/web-logs-errors.log`, `…/web-errors.json`. A container may be called `web-errors`, too.
fn error_file(cluster: &Cluster, rel: &str) -> Option<String> {
    let (folder, file) = rel.rsplit_once('/').unwrap_or_default();
    let (stem, _) = [".log", ".json", ".txt"]
        .iter()
        .find_map(|end| Some((file.strip_suffix(end)?, end)))?;
    let is_container = cluster.pods.iter().any(|pod| {
        rel.contains(pod.name.as_str()) && pod.containers.iter().any(|c| c.name == stem)
    });
    if is_container {
        return None;
    }
    let container = stem
        .strip_suffix("-logs-errors")
        .or_else(|| stem.strip_suffix("-errors"))
        .filter(|name| !name.is_empty())?;
    Some(format!("{folder}/{container}.log"))
}

/// The first line that says something; of a JSON list of messages, the first message.
fn first_words(tree: &Tree, entry: &Entry, file: u32) -> Option<Loc<String>> {
    let mut found = None;
    let _ = tree.for_each_line(entry, |number, line| {
        if has_content(line) {
            let words = line.trim().trim_matches(['[', ']', ',', ' ']);
            let words = words
                .strip_prefix('"')
                .and_then(|words| words.strip_suffix('"'))
                .map_or_else(|| words.to_owned(), |words| words.replace("\\\"", "\""));
            let src = Src {
                file,
                line: u32::try_from(number).unwrap_or(0),
                column: 0,
            };
            found = Some(Loc::new(words, src));
        }
        found.is_none() && number < 2_000
    });
    found
}

/// A line with at least one letter or digit.
pub fn has_content(line: &str) -> bool {
    line.chars().any(char::is_alphanumeric)
}

fn dump_mark(line: &str, lead: &str) -> Option<(String, String, String)> {
    // ==== START logs for container C of pod NS/P ====
    let rest = line.strip_prefix(lead)?.trim_end_matches([' ', '=']);
    let (container, pod) = rest.split_once(" of pod ")?;
    let (ns, pod) = pod.split_once('/')?;
    Some((container.to_owned(), ns.to_owned(), pod.to_owned()))
}

fn place(cluster: &Cluster, id: u32, rel: &str) -> Log {
    let mut log = Log {
        file: id,
        first: 1,
        last: usize::MAX,
        ..Log::default()
    };
    let parts: Vec<&str> = rel.split('/').collect();
    let file = parts.last().copied().unwrap_or_default();
    let mut stem = file;
    for end in [".txt", ".log", ".json"] {
        stem = stem.strip_suffix(end).unwrap_or(stem);
    }
    let lower = file.to_ascii_lowercase();
    log.previous = lower.contains("previous")
        || lower.contains("--previous")
        || lower.contains("_-p_")
        || lower.contains(".prev");
    log.filtered = lower.contains("filter") || lower.contains("grep");
    for end in [
        "-previous",
        ".previous",
        "_previous",
        "_--previous",
        ".filtered",
        "_filtered",
        "--previous",
    ] {
        stem = stem.strip_suffix(end).unwrap_or(stem);
    }
    // var/log/pods/<ns>_<pod>_<uid>/<container>/0.log and var/log/containers/<pod>_<ns>_<container>-<id>.log
    if let Some(at) = parts.iter().position(|part| *part == "pods").filter(|at| {
        parts
            .get(at + 1)
            .is_some_and(|p| p.matches('_').count() >= 2)
    }) {
        let mut names = parts[at + 1].splitn(3, '_');
        log.ns = names.next().unwrap_or_default().to_owned();
        log.pod = names.next().unwrap_or_default().to_owned();
        log.container = parts.get(at + 2).copied().unwrap_or_default().to_owned();
        return log;
    }
    if parts.len() > 1 && parts[parts.len() - 2] == "containers" && stem.matches('_').count() >= 2 {
        let mut names = stem.splitn(3, '_');
        log.pod = names.next().unwrap_or_default().to_owned();
        log.ns = names.next().unwrap_or_default().to_owned();
        log.container = names
            .next()
            .and_then(|rest| rest.rsplit_once('-'))
            .map_or(String::new(), |(name, _)| name.to_owned());
        return log;
    }
    // must-gather: namespaces/<ns>/pods/<pod>/<container>/<container>/logs/current.log
    if let (Some(ns), Some(pod)) = (
        parts.iter().position(|p| *p == "namespaces"),
        parts.iter().position(|p| *p == "pods"),
    ) && pod > ns + 1
    {
        log.ns = parts.get(ns + 1).copied().unwrap_or_default().to_owned();
        log.pod = parts.get(pod + 1).copied().unwrap_or_default().to_owned();
        log.container = parts.get(pod + 2).copied().unwrap_or_default().to_owned();
        return log;
    }
    // A known pod whose name stands in the path; the longest wins.
    let found = cluster
        .pods
        .iter()
        .filter(|pod| !pod.name.is_empty() && rel.contains(pod.name.as_str()));
    let best = found.max_by_key(|pod| {
        (
            parts.iter().any(|part| *part == pod.ns) || stem.starts_with(&format!("{}-", pod.ns)),
            pod.name.len(),
        )
    });
    if let Some(pod) = best {
        log.ns = pod.ns.clone();
        // A folder that names another namespace wins over a guess.
        if let Some(at) = parts.iter().position(|part| *part == "logs")
            && parts.len() == at + 3
            && parts[at + 1] != pod.ns
            && !pod.ns.is_empty()
        {
            log.ns = parts[at + 1].to_owned();
        }
        log.pod = pod.name.clone();
        let container = pod
            .containers
            .iter()
            .map(|container| container.name.as_str())
            .filter(|name| {
                stem == *name
                    || stem.ends_with(&format!("_{name}"))
                    || stem.ends_with(&format!("-{name}")) && !pod.name.ends_with(*name)
            });
        log.container = container
            .max_by_key(|name| name.len())
            .unwrap_or_default()
            .to_owned();
        if log.container.is_empty() && parts.len() > 1 && parts[parts.len() - 2] == pod.name {
            log.container = stem.to_owned();
        }
        return log;
    }
    if let Some(at) = parts.iter().position(|part| *part == "logs") {
        match parts.len() - at - 1 {
            3 => {
                (log.ns, log.pod, log.container) =
                    (parts[at + 1].into(), parts[at + 2].into(), stem.into())
            }
            2 => (log.ns, log.pod) = (parts[at + 1].into(), strip_copy(stem).into()),
            _ => log.pod = strip_copy(stem).into(),
        }
    } else {
        log.pod = strip_copy(stem).to_owned();
    }
    log
}

/// `name_2` is the second copy of `name`.
fn strip_copy(stem: &str) -> &str {
    match stem.rsplit_once('_') {
        Some((name, number))
            if number.len() < 3 && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => stem,
    }
}

/// Removes what container runtimes put before a line: `2025-…Z stdout F text`, `{"log":"text\n",…}`.
pub fn strip_runtime(line: &str) -> &str {
    if let Some((time, rest)) = line.split_once(' ')
        && time.len() > 18
        && time.ends_with(['Z', '0'])
        && let Some(rest) = rest
            .strip_prefix("stdout ")
            .or_else(|| rest.strip_prefix("stderr "))
    {
        return rest.get(2..).unwrap_or_default();
    }
    if let Some(rest) = line.strip_prefix("{\"log\":\"") {
        return rest
            .split_once("\\n\",")
            .or_else(|| rest.split_once("\",\""))
            .map_or(rest, |(text, _)| text);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> Cluster {
        let pod = |ns: &str, name: &str, container: &str| Pod {
            ns: ns.into(),
            name: name.into(),
            containers: vec![Container {
                name: container.into(),
                ..Container::default()
            }],
            ..Pod::default()
        };
        let mut cluster = Cluster::default();
        for pod in [
            pod("shop", "web-5f7c9d6b8-x2x4z", "web"),
            pod("shop", "web", "main"),
        ] {
            super::super::objects::add_pod(&mut cluster, pod);
        }
        cluster
    }

    #[test]
    fn paths_of_every_layout_name_their_container() {
        let cluster = cluster();
        for (path, ns, pod, container, previous) in [
            (
                "cluster-resources/pods/logs/shop/web-5f7c9d6b8-x2x4z/web-previous.log",
                "shop",
                "web-5f7c9d6b8-x2x4z",
                "web",
                true,
            ),
            (
                "kubectl/logs/shop/web-5f7c9d6b8-x2x4z.log",
                "shop",
                "web-5f7c9d6b8-x2x4z",
                "",
                false,
            ),
            (
                "kubectl/logs/other/unknown-0_2.log",
                "other",
                "unknown-0",
                "",
                false,
            ),
            (
                "must/namespaces/a/pods/p-0/c/c/logs/previous.log",
                "a",
                "p-0",
                "c",
                true,
            ),
            ("var/log/pods/a_p-0_0123/c/0.log", "a", "p-0", "c", false),
            (
                "var/log/containers/p-0_a_side-car-0123abc.log",
                "a",
                "p-0",
                "side-car",
                false,
            ),
            (
                "rke2/podlogs/shop-web-5f7c9d6b8-x2x4z",
                "shop",
                "web-5f7c9d6b8-x2x4z",
                "",
                false,
            ),
        ] {
            let log = place(&cluster, 0, path);
            assert_eq!(
                (
                    log.ns.as_str(),
                    log.pod.as_str(),
                    log.container.as_str(),
                    log.previous
                ),
                (ns, pod, container, previous),
                "{path}"
            );
        }
    }

    #[test]
    fn runtime_prefixes_are_taken_off() {
        assert_eq!(
            strip_runtime("2025-05-29T10:14:26.367123456Z stderr F panic: boom"),
            "panic: boom"
        );
        assert_eq!(
            strip_runtime(r#"{"log":"panic: boom\n","stream":"stderr","time":"x"}"#),
            "panic: boom"
        );
        assert_eq!(
            strip_runtime("2025-05-29 plain line"),
            "2025-05-29 plain line"
        );
    }

    #[test]
    fn a_hosts_journal_is_no_containers_output() {
        for line in [
            "Nov  4 09:29:34 edge-7 sshd[858531]: Accepted publickey for op from 10.0.0.9 port 5 ssh2",
            "2024-03-19T10:32:01.160446+01:00 db-1 systemd[1]: Started Session 7743 of User op.",
            "Sep 17 18:40:30 node1 shop.daemon-web[9911]: time=\"x\" level=info msg=\"Starting\"",
            "-- Logs begin at Mon 2024-01-01 00:00:00 UTC. --",
            "Feb 10 10:00:00 node1 kernel: [9.000001] x",
        ] {
            assert!(is_syslog_line(line), "{line}");
        }
        for line in [
            "2024-01-02T10:00:00.123Z stderr F panic: boom",
            "2024-01-02T10:00:00.123456Z web server: cannot start",
            "Jan 02 10:00:00 ERROR shop: cannot connect",
            "I0917 18:11:11.9    4411 server.go:412] x",
            "2024-01-02 10:00:00 web[7]: x",
        ] {
            assert!(!is_syslog_line(line), "{line}");
        }
    }
}
