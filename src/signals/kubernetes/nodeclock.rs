//! Clocks of nodes: what the time daemon of a node says, and what all nodes answered when they were asked for the
//! time at once. A node whose clock is off refuses tokens and certificates that are good everywhere else.

use super::emit::{Ctx, Draft, cut};
use super::time::parse_time;
use crate::bundle::Entry;
use crate::report::Evidence;
use crate::signals::Role;
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Largest file looked into, in bytes, and most lines of it.
const MAX_BYTES: u64 = 256 << 10;
const MAX_LINES: usize = 2_000;
/// Seconds: the least difference that tokens notice, and the least of a list that was asked for one by one.
const OFF: f64 = 0.5;
const OFF_IN_LIST: i64 = 5;
/// Seconds from which programs notice, whatever words they find for it.
const FAR: f64 = 30.0;
/// Most findings of one bundle.
const MAX_SAID: usize = 3;
/// What programs say of something that begins later than their own clock.
const VICTIMS: [&str; 11] = [
    "before the nbf",
    "before nbf",
    "not valid yet",
    "not yet valid",
    "in the future",
    "from the future",
    "used before issued",
    "clock skew",
    "timetooskewed",
    "krb_ap_err_skew",
    "immaturesignature",
];
const TICKET: [&str; 7] = ["time", "clock", "ntp", "chrony", "drift", "skew", "401"];

static ANSWER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\s*(?P<node>[A-Za-z0-9][\w.-]*?):?\s+(?P<time>\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*|[A-Z][a-z]{2},? .*\d{4}.*)$").ok()
});
static OFFSET: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^System time\s*:\s*(?P<by>[\d.]+) seconds (?P<way>slow|fast)").ok()
});

/// What is known of a node's clock.
#[derive(Debug, Default)]
struct Clock {
    /// Seconds, negative when it is behind.
    off: Option<f64>,
    unsynchronised: bool,
    silent: Vec<String>,
    lines: Vec<Evidence>,
}

fn text_of(ctx: &Ctx, entry: &Entry) -> Option<Vec<String>> {
    if entry.bytes == 0 || entry.bytes > MAX_BYTES {
        return None;
    }
    let text = ctx.tree.text(entry).ok()??;
    Some(
        text.as_str()
            .lines()
            .take(MAX_LINES)
            .map(str::to_owned)
            .collect(),
    )
}

fn cite(entry: &Entry, at: usize, line: &str) -> Evidence {
    Evidence {
        path: entry.path.as_str().to_owned(),
        line_start: at as u64 + 1,
        line_end: at as u64 + 1,
        quote: line.trim().chars().take(300).collect(),
    }
}

/// A date as `date` writes it, `Tue Mar  3 09:14:02 UTC 2026`, in the form that is read.
fn plain_date(text: &str) -> Option<i64> {
    if let Some(time) = parse_time(text) {
        return Some(time);
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let [week, month, day, clock, zone, year] = words.as_slice() else {
        return None;
    };
    let zone = if matches!(*zone, "UTC" | "GMT") {
        "+0000"
    } else {
        zone
    };
    parse_time(&format!(
        "{}, {day} {month} {year} {clock} {zone}",
        week.trim_end_matches(',')
    ))
}

/// Nodes whose answer stands apart from the middle of all answers, with the seconds and the line.
fn apart(answers: &[(String, i64, usize)]) -> Vec<(String, i64, usize)> {
    let mut times: Vec<i64> = answers.iter().map(|(_, time, _)| *time).collect();
    times.sort_unstable();
    let Some(middle) = times
        .get(times.len() / 2)
        .copied()
        .filter(|_| times.len() >= 3)
    else {
        return Vec::new();
    };
    let far: Vec<_> = answers
        .iter()
        .map(|(node, time, at)| (node.clone(), time - middle, *at))
        .filter(|(_, off, _)| off.abs() >= OFF_IN_LIST)
        .collect();
    let near: Vec<i64> = times
        .into_iter()
        .filter(|time| (time - middle).abs() < OFF_IN_LIST)
        .collect();
    let spread = near.last().unwrap_or(&0) - near.first().unwrap_or(&0);
    // Answers that were collected one after the other spread by themselves.
    if near.len() <= far.len() {
        return Vec::new();
    }
    far.into_iter()
        .filter(|(_, off, _)| off.abs() > 3 * spread)
        .collect()
}

/// The node that a path belongs to: a folder or a part of the file's name.
fn node_of<'n>(nodes: &'n [&str], path: &str) -> Option<&'n str> {
    nodes.iter().copied().find(|node| {
        path.split('/').any(|part| {
            let stem = part.strip_suffix(".txt").or(part.strip_suffix(".log"));
            part == *node
                || stem
                    .unwrap_or(part)
                    .split(['_', '.', '@', '='])
                    .any(|word| word == *node)
        })
    })
}

fn of_daemon(clock: &mut Clock, entry: &Entry, lines: &[String]) {
    for (at, line) in lines.iter().enumerate() {
        let lower = line.trim().to_ascii_lowercase();
        let found = OFFSET.as_ref().and_then(|regex| regex.captures(line));
        if let Some(found) = found {
            let by: f64 = found["by"].parse().unwrap_or(0.0);
            if by >= OFF {
                clock.off = Some(if &found["way"] == "slow" { -by } else { by });
                clock.lines.push(cite(entry, at, line));
            }
        } else if lower.starts_with("leap status") && lower.contains("not synchronised")
            || lower.contains("clock synchronized: no")
            || lower.contains("ntp synchronized: no")
        {
            clock.unsynchronised = true;
            clock.lines.push(cite(entry, at, line));
        } else if line.starts_with("^?") && clock.silent.len() < 4 {
            if clock.silent.is_empty() {
                clock.lines.push(cite(entry, at, line));
            }
            clock
                .silent
                .extend(line.split_whitespace().nth(1).map(str::to_owned));
        }
    }
    if lines.iter().any(|line| line.starts_with("^*")) {
        clock.silent.clear();
    }
}

fn read(ctx: &Ctx) -> BTreeMap<String, Clock> {
    let nodes: Vec<&str> = ctx
        .cluster
        .nodes
        .iter()
        .map(|node| node.name.as_str())
        .collect();
    let mut clocks: BTreeMap<String, Clock> = BTreeMap::new();
    // What each node answered in a file of its own.
    let (mut own, mut own_lines) = (Vec::new(), Vec::new());
    for entry in ctx.tree.files() {
        let path = entry.path.as_str();
        let name = path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let of_daemon_file = ["chrony", "timedatectl", "timesync"]
            .iter()
            .any(|word| name.contains(word));
        let of_all = ["date", "time", "clock"]
            .iter()
            .any(|word| name.contains(word));
        if !of_daemon_file && !of_all || path.contains("/logs/") {
            continue;
        }
        let Some(lines) = text_of(ctx, entry) else {
            continue;
        };
        if let Some(node) = node_of(&nodes, path) {
            of_daemon(clocks.entry(node.to_owned()).or_default(), entry, &lines);
            let date = lines.iter().enumerate().find_map(|(at, line)| {
                let own = line.len() < 40 && line.starts_with(|c: char| c.is_alphanumeric());
                Some((plain_date(line.trim()).filter(|_| own)?, at))
            });
            if let Some((time, at)) = date {
                own.push((node.to_owned(), time, own_lines.len()));
                own_lines.push(cite(entry, at, &lines[at]));
            }
        }
        let mut answers = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let Some(found) = ANSWER.as_ref().and_then(|regex| regex.captures(line)) else {
                continue;
            };
            if nodes.contains(&&found["node"])
                && let Some(time) = plain_date(&found["time"])
            {
                answers.push((found["node"].to_owned(), time, at));
            }
        }
        for (node, off, at) in apart(&answers) {
            let clock = clocks.entry(node).or_default();
            clock.off = Some(off as f64);
            clock.lines.insert(0, cite(entry, at, &lines[at]));
        }
    }
    // Files may have been written one after the other; only a clock that nobody sets is believed to be off.
    for (node, off, at) in apart(&own) {
        let clock = clocks.entry(node).or_default();
        if !clock.unsynchronised {
            continue;
        }
        clock.off = Some(off as f64);
        clock.lines.insert(0, own_lines[at].clone());
    }
    clocks
}

/// Names the node whose clock is off, above the pods on it that see tokens from the future.
pub fn detect(ctx: &Ctx) {
    if ctx.cluster.nodes.is_empty() {
        return;
    }
    let clocks = read(ctx);
    // Pods whose errors are those of a wrong clock, by node.
    let victims: Vec<(String, String, String, Evidence)> = ctx
        .signals()
        .iter()
        .filter(|signal| signal.subject.kind == "Pod")
        .filter_map(|signal| {
            let line = signal.evidence.iter().find(|line| {
                let said = line.quote.to_lowercase();
                VICTIMS.iter().any(|word| said.contains(word))
            })?;
            let ns = signal.subject.namespace.clone().unwrap_or_default();
            let pod = ctx.cluster.pod(&ns, &signal.subject.name)?;
            (!pod.node.is_empty()).then(|| (pod.node.clone(), ns, pod.name.clone(), line.clone()))
        })
        .collect();
    let odd = odd_replicas(ctx);
    let mut told = Vec::new();
    for (node, clock) in &clocks {
        if clock.off.is_none() && !clock.unsynchronised || told.len() >= MAX_SAID {
            continue;
        }
        let mut here: Vec<_> = victims.iter().filter(|(on, ..)| on == node).collect();
        // With a clock that is off by that much, what only the replica on this node complains of is its doing.
        if here.is_empty() && clock.off.is_some_and(|off| off.abs() >= FAR) {
            here.extend(odd.iter().filter(|(on, ..)| on == node));
        }
        // What the customer speaks of is named.
        here.sort_by_key(|(_, _, pod, _)| !ctx.is_asked(super::app_of(pod)));
        let alone = !here.is_empty() && (victims.is_empty() || here.len() == victims.len());
        let asked = TICKET.iter().any(|word| ctx.speaks(word));
        let strength = match (alone, here.is_empty(), clock.off.is_some()) {
            (true, _, true) => 0.93,
            (true, _, false) => 0.86,
            (_, false, _) => 0.7,
            (_, _, true) if asked => 0.6,
            (_, _, true) if clock.unsynchronised => 0.46,
            (_, _, true) => 0.45,
            _ => 0.3,
        };
        let by = match clock.off {
            Some(off) => {
                let way = if off < 0.0 { "behind" } else { "ahead" };
                let by = off.abs();
                let by = if by.fract() == 0.0 {
                    format!("{by:.0}")
                } else {
                    format!("{by:.1}")
                };
                format!("the clock of node {node} is {by} seconds {way}")
            }
            None => format!("the clock of node {node} is not synchronised"),
        };
        let also = if clock.unsynchronised && clock.off.is_some() {
            ", and it is not synchronised"
        } else {
            ""
        };
        let sources = match clock.silent.is_empty() {
            true => String::new(),
            false => format!(
                " It reaches none of its time sources ({}).",
                clock.silent.join(", ")
            ),
        };
        let wrong = match clock.off {
            Some(off) if off > 0.0 => "what is good for something that has expired",
            _ => "what is fresh for something from the future",
        };
        let pods = here
            .first()
            .map(|(_, ns, pod, _)| format!(", so pod {ns}/{pod} on it takes {wrong}"))
            .unwrap_or_default();
        let mut draft = Draft::cause("clock-skew", "Node", "", node, strength)
            .says(
                format!("{by}{also}{pods}"),
                format!("{}{also}{pods}.{}", cut(&capital(&by), 200), sources),
            )
            .entity("node", node);
        for line in clock.lines.iter().take(4) {
            draft = draft.show(Some(line.clone()));
        }
        if let Some((_, ns, pod, line)) = here.first() {
            draft = draft
                .show(Some(line.clone()))
                .entity("pod", pod)
                .entity("namespace", ns);
        }
        ctx.emit(draft);
        told.push(node.clone());
    }
    // What the pods on such a node see is its consequence.
    ctx.amend(|signal| {
        let Some(ns) = signal.subject.namespace.as_deref() else {
            return;
        };
        let on = victims
            .iter()
            .find(|(_, own, pod, _)| *own == ns && *pod == signal.subject.name);
        let replica = odd.iter().find(|(node, own, pod, _)| {
            *own == ns
                && *pod == signal.subject.name
                && told.contains(node)
                && clocks
                    .get(node)
                    .and_then(|clock| clock.off)
                    .is_some_and(|off| off.abs() >= FAR)
        });
        let general = matches!(
            signal.cause.as_str(),
            "application-error" | "application-exception" | "dependency-auth-failed"
        );
        let seen = on.is_some_and(|(node, ..)| told.contains(node));
        let of_clock = (signal.cause == "clock-skew" || general) && seen
            || signal.cause == "application-error" && replica.is_some();
        if of_clock && signal.subject.kind == "Pod" {
            signal.role = Role::Symptom;
            signal.strength = signal.strength.min(0.4);
        }
    });
}

/// Errors of a pod whose replicas on other nodes do not have them: node, namespace, pod and line.
fn odd_replicas(ctx: &Ctx) -> Vec<(String, String, String, Evidence)> {
    let signals = ctx.signals();
    let errors = || {
        signals
            .iter()
            .filter(|signal| signal.subject.kind == "Pod" && signal.cause == "application-error")
    };
    errors()
        .filter_map(|signal| {
            let ns = signal.subject.namespace.clone().unwrap_or_default();
            let pod = ctx.cluster.pod(&ns, &signal.subject.name)?;
            let mut others = ctx.cluster.pods.iter().filter(|other| {
                other.ns == pod.ns && other.app() == pod.app() && other.node != pod.node
            });
            let shared = errors().any(|other| {
                let name = &other.subject.name;
                *name != pod.name && super::app_of(name) == pod.app()
            });
            (others.next().is_some() && !shared && !pod.node.is_empty()).then(|| {
                let line = signal.evidence.first().cloned();
                line.map(|line| (pod.node.clone(), ns, pod.name.clone(), line))
            })?
        })
        .collect()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_stands_apart_is_found_among_those_asked_at_once() {
        let list = |times: &[i64]| -> Vec<(String, i64, usize)> {
            times
                .iter()
                .enumerate()
                .map(|(at, time)| (format!("n{at}"), *time, at))
                .collect()
        };
        assert_eq!(apart(&list(&[100, 101, 12, 100]))[0].1, -88);
        // Asked one after the other; two only; no majority.
        assert!(apart(&list(&[100, 103, 106, 109, 112])).is_empty());
        assert!(apart(&list(&[100, 400])).is_empty());
        assert!(apart(&list(&[100, 400, 700, 1000])).is_empty());
    }

    #[test]
    fn a_replica_on_a_node_whose_clock_is_far_off() {
        use super::super::tests::{first, run};
        let nodes = "NAME   STATUS   ROLES    AGE   VERSION\nw1     Ready    <none>   90d   v1.30.1\nw2     Ready    <none>   90d   v1.30.1\nw3     Ready    <none>   90d   v1.30.1\n";
        let pods = "NAMESPACE   NAME                    READY   STATUS    RESTARTS   AGE   IP         NODE\ndoors       gate-5b9c6d7f4-b4c5d    1/1     Running   0          3d    10.0.0.1   w1\ndoors       gate-5b9c6d7f4-c6d7f    1/1     Running   0          3d    10.0.0.2   w3\n";
        let log = "2026-09-29T01:31:25Z ERROR badge was written 158 s from now, door stays shut\n"
            .repeat(5);
        let of = |third: &str, leap: &str| {
            let date = |time: &str, leap: &str| {
                format!(
                    "$ date -u\n2026-09-29T{time}Z\n$ chronyc tracking\nLeap status     : {leap}\n"
                )
            };
            let (one, two) = (date("06:32:45.2", "Normal"), date("06:32:46.6", "Normal"));
            let three = date(third, leap);
            run(&[
                ("nodes.txt", nodes),
                ("pods.txt", pods),
                ("logs/doors/gate-5b9c6d7f4-c6d7f.log", &log),
                ("nodes/w1_time.txt", &one),
                ("nodes/w2_time.txt", &two),
                ("nodes/w3_time.txt", &three),
            ])
        };
        let found = of("06:30:03.8", "Not synchronised");
        assert_eq!(first(&found).cause, "clock-skew");
        let title = &first(&found).title;
        assert!(
            title.contains("w3") && title.contains("seconds behind"),
            "{title}"
        );
        // Asked later than the others, and in time.
        let right = of("06:42:47.1", "Normal");
        assert!(right.signals.iter().all(|one| one.cause != "clock-skew"));
    }

    #[test]
    fn dates_are_read_as_programs_write_them() {
        let time = plain_date("2026-03-03T09:14:02.72Z");
        assert!(time.is_some());
        assert_eq!(plain_date("Tue Mar  3 09:14:02 UTC 2026"), time);
        assert_eq!(plain_date("no date at all"), None);
    }

    #[test]
    fn paths_name_their_node() {
        let nodes = ["n1", "n10"];
        assert_eq!(
            node_of(&nodes, "nodes/n10/chronyc_tracking.txt"),
            Some("n10")
        );
        assert_eq!(node_of(&nodes, "chronyc_n1.txt"), Some("n1"));
        assert_eq!(node_of(&nodes, "chronyc_n2.txt"), None);
    }
}
