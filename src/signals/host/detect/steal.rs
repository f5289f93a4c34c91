//! Time that the hypervisor takes from a virtual machine, by what samples it: sar, mpstat, iostat, vmstat, top.
//!
//! `/proc/stat` counts since boot, so weeks of peace hide an hour of trouble; samples show it, and since when.

use crate::bundle::FileKind;
use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::clock::{self, DAY};
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Doc, Host};
use std::collections::BTreeSet;

const WORDS: &[&str] = &[
    "slow",
    "slowly",
    "load",
    "performance",
    "latency",
    "cpu",
    "timeout",
    "hang",
    "unresponsive",
];
const TOOLS: [&str; 5] = ["sar", "mpstat", "iostat", "vmstat", "top"];
/// Steal in percent from which users notice.
const NOTICED: f64 = 10.0;
/// Steal in percent from which the machine lacks a quarter of its processors.
const STRONG: f64 = 25.0;
const HOUR: i64 = 3600;
/// Samples above [`STRONG`] in a row that are more than a backup of the neighbour's.
const LASTING: usize = 3;
/// Largest file of samples that is read.
const MAX_BYTES: u64 = 8 << 20;
/// Lines of one file that are read: a day of samples each second.
const MAX_LINES: usize = 400_000;

/// One sample of all processors together.
struct Sample {
    line: usize,
    /// Second of the day and how the file writes it.
    time: Option<(i64, String)>,
    steal: f64,
}

/// What one file says.
struct Reading {
    mean: f64,
    /// When it began and the mean before.
    since: Option<(String, f64)>,
    /// It was so between two samples and is over.
    over: Option<(String, String)>,
    day: Option<i64>,
    cites: Vec<Evidence>,
}

/// Looks at every table of samples that has steal in it.
pub fn detect(host: &Host, out: &mut Partial) {
    let mut readings: Vec<Reading> = files(host)
        .iter()
        .filter_map(|doc| read(doc, &samples(doc)))
        .collect();
    // Of several days the last one tells, and only if the bundle is of that time.
    let newest = readings.iter().filter_map(|reading| reading.day).max();
    readings.retain(|reading| {
        let Some(day) = reading.day else { return true };
        Some(day) == newest && host.frame.now.is_none_or(|now| now - day <= 2 * DAY)
    });
    readings.sort_by(|a, b| {
        let worth = |r: &Reading| (r.over.is_none(), r.since.is_some());
        worth(b).cmp(&worth(a)).then(b.mean.total_cmp(&a.mean))
    });
    let Some(first) = readings.first() else {
        return;
    };
    let mean = first.mean;
    let (strength, when, told) = match (&first.over, &first.since) {
        (Some((from, to)), _) => (
            0.5,
            format!(" between {from} and {to}"),
            format!(
                "Between {from} and {to} this virtual machine wanted to run and got no processor for {mean:.0} % of the time; it is over now"
            ),
        ),
        (None, Some((from, before))) => (
            level(mean),
            format!(" since {from}"),
            format!(
                "Since {from} this virtual machine wants to run and gets no processor for {mean:.0} % of the time (before: {before:.1} %)"
            ),
        ),
        (None, None) => (
            level(mean),
            String::new(),
            format!(
                "This virtual machine wants to run and gets no processor for {mean:.0} % of the time"
            ),
        ),
    };
    let others = readings.iter().skip(1).filter(|r| r.over.is_none());
    Draft::cause("steal-sampled", "cpu-steal", strength, "Processor", "processor")
        .says(
            format!("The hypervisor takes {mean:.0} % of processor time (steal){when}"),
            format!("{told}: its host is over-committed or throttles it (limit, credits used up). Programs inside are slow without being the reason."),
        )
        .cites(first.cites.iter().cloned())
        .cites(others.filter_map(|reading| reading.cites.last().cloned()))
        .if_ticket(host, WORDS)
        .put(out);
}

fn level(mean: f64) -> f64 {
    if mean >= STRONG { 0.8 } else { 0.55 }
}

/// Outputs of the tools, and what else is named or filed after them.
fn files(host: &Host) -> Vec<Doc> {
    let mut docs: Vec<Doc> = TOOLS
        .iter()
        .flat_map(|tool| host.commands(tool, |_| true))
        .collect();
    let seen: BTreeSet<String> = docs.iter().map(|doc| doc.path.clone()).collect();
    for entry in host.entries() {
        let rel = host.rel(entry);
        let lower = rel.to_ascii_lowercase();
        if matches!(entry.kind, FileKind::Text | FileKind::Log)
            && entry.bytes <= MAX_BYTES
            && TOOLS.iter().any(|tool| lower.contains(tool))
            && !seen.contains(entry.path.as_str())
        {
            docs.extend(host.file(rel));
        }
    }
    docs
}

/// The samples of one file, whichever of the tools wrote it.
fn samples(doc: &Doc) -> Vec<Sample> {
    /// Where steal stands in a row.
    enum Columns {
        /// From the end, with the column that says which processor: times take one word or two.
        Sysstat(usize, Option<usize>),
        Vmstat(usize),
    }
    let mut columns = None;
    let mut found: Vec<Sample> = Vec::new();
    let mut averages = 0;
    for (line, text) in doc.lines().take(MAX_LINES) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let Some(first) = words.first() else {
            if !matches!(columns, Some(Columns::Vmstat(_))) {
                columns = None;
            }
            continue;
        };
        let place = |name: &str| words.iter().position(|word| *word == name);
        if let Some(at) = place("%steal") {
            let from_end = |at: usize| words.len() - 1 - at;
            averages += usize::from(*first == "avg-cpu:");
            columns = Some(Columns::Sysstat(from_end(at), place("CPU").map(from_end)));
            continue;
        }
        if let (Some(at), Some(_), Some(_)) = (place("st"), place("us"), place("wa"))
            && place("r") == Some(0)
        {
            columns = Some(Columns::Vmstat(at));
            continue;
        }
        let (steal, time) = if first.trim_start_matches('%').starts_with("Cpu(s)") {
            (of_top(text), None)
        } else {
            let from_end = |back: usize| words.len().checked_sub(back + 1).map(|at| words[at]);
            match columns {
                // The last line of a table is the mean of the others.
                Some(Columns::Sysstat(..)) if first.ends_with(':') => continue,
                Some(Columns::Sysstat(at, cpu)) => {
                    if cpu.is_some_and(|cpu| from_end(cpu) != Some("all")) {
                        continue;
                    }
                    (from_end(at).and_then(number), second_of_day(&words))
                }
                Some(Columns::Vmstat(at)) if number(first).is_some() => {
                    (words.get(at).copied().and_then(number), None)
                }
                _ => continue,
            }
        };
        if let Some(steal) = steal.filter(|steal| (0.0..=100.0).contains(steal)) {
            found.push(Sample { line, time, steal });
        }
    }
    // The first sample of vmstat and iostat is the mean since boot.
    let since_boot = matches!(columns, Some(Columns::Vmstat(_))) || averages > 1;
    if since_boot && found.len() > 1 {
        found.remove(0);
    }
    found
}

/// `%Cpu(s): 41.2 us, …, 47.6 st` or, of old, `Cpu(s): 0.3%us, …, 47.6%st`.
fn of_top(text: &str) -> Option<f64> {
    let head = text.trim_end().strip_suffix("st")?;
    let head = head.trim_end_matches([' ', '%']);
    let from = head
        .rfind(|c: char| !c.is_ascii_digit() && c != '.' && c != ',')
        .map_or(0, |at| {
            at + head[at..].chars().next().map_or(1, char::len_utf8)
        });
    number(head[from..].trim_start_matches(','))
}

/// A number with the point of any locale.
fn number(word: &str) -> Option<f64> {
    word.starts_with(|c: char| c.is_ascii_digit())
        .then(|| word.replace(',', ".").parse().ok())
        .flatten()
}

/// `08:20:01` or `10:29:55 PM` at the beginning of a row.
fn second_of_day(words: &[&str]) -> Option<(i64, String)> {
    let first = words.first()?;
    let mut parts = first.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
        return None;
    }
    let half = words.get(1).filter(|word| matches!(**word, "AM" | "PM"));
    let hour = match half {
        Some(&"PM") if hour < 12 => hour + 12,
        Some(&"AM") if hour == 12 => 0,
        _ => hour,
    };
    let shown = half.map_or_else(|| (*first).to_owned(), |half| format!("{first} {half}"));
    Some((hour * HOUR + minute * 60 + second, shown))
}

/// The day in sysstat's first line, `Linux 5.14 (host) 02/25/2025 _x86_64_ (4 CPU)`.
fn day_of(doc: &Doc) -> Option<i64> {
    let (_, line) = doc.lines().take(5).find(|(_, l)| l.starts_with("Linux "))?;
    line.split_whitespace().find_map(|word| {
        let parts: Vec<&str> = word.split(['/', '-']).collect();
        let [a, b, c] = parts[..] else { return None };
        let all: Option<Vec<i64>> = [a, b, c].iter().map(|part| part.parse().ok()).collect();
        let all = all?;
        let [x, y, z] = all[..] else { return None };
        let (year, month, day) = match (a.len(), c.len(), x) {
            (4, _, _) => (x, y, z),
            (_, 4, 13..) => (z, y, x),
            (_, 4, _) => (z, x, y),
            (_, 2, 13..) => (2000 + z, y, x),
            (_, 2, _) => (2000 + z, x, y),
            _ => return None,
        };
        clock::iso(&format!("{year:04}-{month:02}-{day:02} 00:00"))
    })
}

/// The mean of the last hour, and since when it is so; else the longest time of trouble before.
fn read(doc: &Doc, samples: &[Sample]) -> Option<Reading> {
    let last = samples.last()?;
    let recent = |sample: &&Sample| match (&sample.time, &last.time) {
        (Some((at, _)), Some((end, _))) => (end - HOUR..=*end).contains(at),
        _ => true,
    };
    let now = mean(samples.iter().filter(recent));
    let day = day_of(doc);
    let cite = |sample: &Sample| doc.cite(sample.line);
    if now >= NOTICED {
        let start = samples
            .iter()
            .rposition(|sample| sample.steal < now / 2.0)
            .map_or(0, |at| at + 1);
        let begin = samples.get(start).filter(|_| start > 0);
        let since = begin.and_then(|begin| {
            let (_, shown) = begin.time.as_ref()?;
            Some((shown.clone(), mean(samples[..start].iter())))
        });
        let mut cites = Vec::new();
        if since.is_some() {
            cites.extend(samples[start - 1..=start].iter().map(cite));
        }
        cites.push(cite(samples.iter().rfind(|s| s.steal >= now / 2.0)?));
        return Some(Reading {
            mean: now,
            since,
            over: None,
            day,
            cites,
        });
    }
    let run = samples
        .chunk_by(|a, b| (a.steal >= STRONG) == (b.steal >= STRONG))
        .filter(|run| run.len() >= LASTING && run[0].steal >= STRONG)
        .max_by_key(|run| run.len())?;
    let (from, to) = (run.first()?, run.last()?);
    Some(Reading {
        mean: mean(run.iter()),
        since: None,
        over: Some((from.time.as_ref()?.1.clone(), to.time.as_ref()?.1.clone())),
        day,
        cites: vec![cite(from), cite(to)],
    })
}

fn mean<'s>(samples: impl Iterator<Item = &'s Sample>) -> f64 {
    let (sum, count) = samples.fold((0.0, 0.0), |(sum, count), sample| {
        (sum + sample.steal, count + 1.0)
    });
    if count > 0.0 { sum / count } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::of_top;
    use crate::signals::host::tests::{causes, on};

    /// A day of sar with these values each ten minutes from 08:10 on.
    fn sar(steals: &[f64]) -> String {
        let rows: String = steals
            .iter()
            .enumerate()
            .map(|(n, steal)| {
                let at = 490 + n * 10;
                format!(
                    "{:02}:{:02}:01        all     20.00      0.00      4.00      0.10     {steal:.2}     30.00\n",
                    at / 60,
                    at % 60
                )
            })
            .collect();
        format!(
            "Linux 5.14.0 (n1) \t03/01/2024 \t_x86_64_\t(4 CPU)\n\n08:00:01        CPU     %user     %nice   %system   %iowait    %steal     %idle\n{rows}Average:        all     20.00      0.00      4.00      0.10     0.00     30.00\n"
        )
    }

    #[test]
    fn sar_tells_since_when() {
        let mut values = vec![0.3; 6];
        values.extend([44.0; 8]);
        for path in ["cmd/sar-u.txt", "sos_commands/sar/sar01"] {
            let out = on(&[(path, &sar(&values)), ("proc/meminfo", "")]);
            assert_eq!(causes(&out), ["cpu-steal"], "{path}");
            assert!(
                out.signals[0]
                    .title
                    .ends_with("44 % of processor time (steal) since 09:10:01")
            );
            assert!((out.signals[0].strength - 0.8).abs() < 0.01);
            assert_eq!(out.signals[0].evidence.len(), 3);
        }
        let quiet = sar(&[2.0; 14]);
        assert!(
            on(&[("cmd/sar-u.txt", &quiet), ("proc/meminfo", "")])
                .signals
                .is_empty()
        );
        // A night's backup of a neighbour that is over is told, but weakly; one sample is not.
        let out = |values: &[f64]| on(&[("cmd/sar.txt", &sar(values)), ("proc/meminfo", "")]);
        let past = [[0.2; 4], [40.0; 4], [0.1; 4], [0.2; 4]].concat();
        assert!(out(&past).signals[0].strength <= 0.5);
        assert!(
            out(&[[0.2; 4], [0.2, 0.2, 0.2, 60.0], [0.1; 4], [0.1; 4]].concat())
                .signals
                .is_empty()
        );
    }

    #[test]
    fn a_day_long_ago_tells_nothing_of_now() {
        let date = |text: &str| {
            on(&[
                ("cmd/date.txt", text),
                ("cmd/sar.txt", &sar(&[44.0; 8])),
                ("proc/meminfo", ""),
            ])
        };
        assert_eq!(
            causes(&date("Fri Mar  1 10:00:00 UTC 2024\n")),
            ["cpu-steal"]
        );
        assert!(date("Fri Mar 29 10:00:00 UTC 2024\n").signals.is_empty());
    }

    #[test]
    fn vmstat_top_and_mpstat() {
        let vmstat = |first: u32, then: u32| {
            format!(
                "procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu-----\n r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st\n 9  0      0 30110  20888  51200    0    0     0    22 7609  818 40  4  4  0 {first}\n 9  0      0 30110  20888  51200    0    0     0    22 7609  818 40  4  4  0 {then}\n"
            )
        };
        let top = |steal: &str| {
            format!(
                "top - 10:30:02 up 5 days\n%Cpu(s): 41.2 us,  3.4 sy,  0.0 ni,  6.8 id,  0.1 wa,  0.3 hi,  0.6 si, {steal} st\n"
            )
        };
        let mpstat = |steal: &str| {
            format!(
                "10:29:50 AM  CPU    %usr   %nice    %sys %iowait    %irq   %soft  %steal  %guest  %gnice   %idle\n10:29:55 AM  all   40.10    0.00    3.01    0.12    0.30    0.61   {steal}    0.00    0.00    8.56\n10:29:55 AM    0   41.10    0.00    3.11    0.12    0.30    0.61   90.00    0.00    0.00    8.46\n"
            )
        };
        let strength = |path: &str, text: &str| {
            let out = on(&[(path, text), ("proc/meminfo", "")]);
            out.signals.first().map_or(0.0, |signal| signal.strength)
        };
        assert!(strength("sos_commands/process/vmstat_1_2", &vmstat(1, 41)) >= 0.8);
        assert!(strength("cmd/vmstat_1_2.txt", &vmstat(41, 1)) < 0.1);
        assert!(strength("cmd/top.txt", &top("12.0")) < 0.6);
        assert!(strength("sos_commands/process/top_-b_-n_1", &top("47.6")) >= 0.8);
        assert!(strength("cmd/top.txt", &top("0.3")) < 0.1);
        assert!(strength("cmd/mpstat_-P_ALL.txt", &mpstat("47.30")) >= 0.8);
        assert!(strength("cmd/mpstat_-P_ALL.txt", &mpstat("1.20")) < 0.1);
    }

    #[test]
    fn the_line_of_top_in_its_forms() {
        for (line, steal) in [
            (
                "Cpu(s):  0.3%us,  0.3%sy,  0.0%ni, 99.3%id,  0.0%wa,  0.0%hi,  0.0%si, 12.5%st",
                Some(12.5),
            ),
            ("%Cpu(s): 41,2 us,  3,4 sy,  0,0 si, 47,6 st", Some(47.6)),
            ("%Cpu(s):  0.0 us,  0.0 si,100.0 st", Some(100.0)),
            ("%Cpu(s):  0.0 us,  0.0 si", None),
            ("%Cpu(s): é st", None),
        ] {
            assert_eq!(of_top(line), steal, "{line}");
        }
    }
}
