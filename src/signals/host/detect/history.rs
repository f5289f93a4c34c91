//! What package managers say they did when: apt, dpkg, dnf, yum, zypper, snapd.

use crate::report::Evidence;
use crate::signals::host::clock;
use crate::signals::host::facts::{Doc, Host};

/// Most runs kept, the last ones.
const MAX_RUNS: usize = 200;
/// Lines closer than this belong to one run.
const GAP: i64 = 120;

/// One run of a package manager that upgraded something.
pub struct Run {
    /// Begin and end, in seconds.
    pub start: i64,
    /// See [`Run::start`].
    pub end: i64,
    /// The time of the begin as the log writes it.
    pub clock: String,
    /// Started by a timer and by nobody.
    pub automatic: bool,
    /// What ran: `unattended-upgrade`, `apt-get`, `dnf`, `snapd`, …
    pub tool: String,
    /// Names of the upgraded packages.
    pub packages: Vec<String>,
    /// Lines that show it, the begin first.
    pub lines: Vec<Evidence>,
}

/// All runs that the host's logs know.
pub fn runs(host: &Host) -> Vec<Run> {
    let mut runs = Vec::new();
    for name in ["var/log/apt/history.log.1", "var/log/apt/history.log"] {
        if let Some(doc) = host.file(name) {
            runs.extend(apt(&doc));
        }
    }
    if runs.is_empty()
        && let Some(doc) = host.file("var/log/dpkg.log")
    {
        runs.extend(lines(&doc, host, "dpkg", dpkg));
    }
    for (name, tool, read) in [
        ("var/log/dnf.rpm.log", "dnf", dnf as Reader),
        ("var/log/yum.log", "yum", yum),
        ("var/log/zypp/history", "zypper", zypper),
    ] {
        if let Some(doc) = host.file(name) {
            runs.extend(lines(&doc, host, tool, read));
        }
    }
    if let Some(doc) = host.command("snap", &["changes"]) {
        runs.extend(snapd(&doc));
    }
    let from = runs.len().saturating_sub(MAX_RUNS);
    runs.split_off(from)
}

/// A line that says a package was upgraded: its name.
type Reader = fn(&str) -> Option<&str>;

/// `Start-Date:`, `Commandline:`, `Upgrade:`, `End-Date:`; the date and the clock are two blanks apart.
fn apt(doc: &Doc) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open: Option<Run> = None;
    for (number, line) in doc.lines() {
        let Some((key, value)) = line.split_once(": ") else {
            continue;
        };
        let stamp = || {
            let text = value.split_whitespace().collect::<Vec<_>>().join(" ");
            clock::iso(&text).map(|at| (at, text.get(11..).unwrap_or_default().to_owned()))
        };
        match key {
            "Start-Date" => {
                open = stamp().map(|(start, clock)| Run {
                    start,
                    end: start,
                    clock,
                    automatic: false,
                    tool: "apt".into(),
                    packages: Vec::new(),
                    lines: vec![doc.cite(number)],
                });
            }
            "Commandline" => {
                if let Some(run) = &mut open {
                    run.automatic = value.contains("unattended-upgrade");
                    let tool = value.split_whitespace().next().unwrap_or("apt");
                    run.tool = tool.rsplit('/').next().unwrap_or(tool).to_owned();
                    run.lines.push(doc.cite(number));
                }
            }
            "Upgrade" => {
                if let Some(run) = &mut open {
                    run.packages = value
                        .split("), ")
                        .filter_map(|part| Some(part.split([':', ' ']).next()?.to_owned()))
                        .filter(|name| !name.is_empty())
                        .collect();
                    run.lines.insert(0, doc.cite(number));
                }
            }
            "End-Date" => {
                if let (Some(mut run), Some((end, _))) = (open.take(), stamp())
                    && !run.packages.is_empty()
                {
                    run.end = end.max(run.start);
                    runs.push(run);
                }
            }
            _ => {}
        }
    }
    runs
}

/// Logs with a stamp on each line: lines near to one another are one run.
fn lines(doc: &Doc, host: &Host, tool: &str, read: Reader) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (number, line) in doc.lines() {
        let (Some(name), Some(at)) = (read(line), clock::stamp(line, &host.frame)) else {
            continue;
        };
        match runs.last_mut() {
            Some(run) if (0..GAP).contains(&(at - run.end)) => {
                run.end = at;
                if run.packages.len() < 500 && !run.packages.iter().any(|known| known == name) {
                    run.packages.push(name.to_owned());
                    if run.lines.len() < 3 {
                        run.lines.push(doc.cite(number));
                    }
                }
            }
            _ => runs.push(Run {
                start: at,
                end: at,
                clock: clock_of(line),
                automatic: false,
                tool: tool.to_owned(),
                packages: vec![name.to_owned()],
                lines: vec![doc.cite(number)],
            }),
        }
    }
    runs
}

/// The first `hh:mm:ss` of a line as it stands there.
fn clock_of(line: &str) -> String {
    line.match_indices(':')
        .find_map(|(at, _)| {
            let text = line.get(at.checked_sub(2)?..at + 6)?;
            let bytes = text.as_bytes();
            (bytes[5] == b':' && bytes.iter().filter(|b| b.is_ascii_digit()).count() == 6)
                .then(|| text.to_owned())
        })
        .unwrap_or_default()
}

/// `2024-03-27 06:24:44 upgrade NAME:amd64 OLD NEW`
fn dpkg(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace().skip(2);
    (words.next()? == "upgrade").then_some(())?;
    words.next()?.split(':').next()
}

/// `2024-03-27T06:24:41+0000 SUBDEBUG Upgrade: NAME-1.2-3.el8.x86_64`
fn dnf(line: &str) -> Option<&str> {
    Some(without_version(line.split_once(" Upgrade: ")?.1))
}

/// `Mar 27 06:24:41 Updated: NAME-1.2-3.el7.x86_64`
fn yum(line: &str) -> Option<&str> {
    Some(without_version(line.split_once(" Updated: ")?.1))
}

/// `2024-03-27 06:24:41|install|NAME|1.2-3|x86_64|…`
fn zypper(line: &str) -> Option<&str> {
    line.split_once("|install|")?.1.split('|').next()
}

fn without_version(text: &str) -> &str {
    let text = text.trim();
    let end = text
        .match_indices('-')
        .find(|(at, _)| text[at + 1..].starts_with(|c: char| c.is_ascii_digit()))
        .map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// `42  Done  2024-05-02T11:02Z  2024-05-02T11:03Z  Auto-refresh snap "lxd"`
fn snapd(doc: &Doc) -> Vec<Run> {
    doc.lines()
        .filter_map(|(number, line)| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let automatic = line.contains("Auto-refresh snap");
            if !automatic && !line.contains("Refresh \"") && !line.contains("Refresh snap") {
                return None;
            }
            let (start, end) = (words.get(2)?, words.get(3)?);
            let packages: Vec<String> = line
                .split('"')
                .skip(1)
                .step_by(2)
                .take(20)
                .map(str::to_owned)
                .collect();
            let at = clock::iso(start.trim_end_matches('Z'))?;
            Some(Run {
                start: at,
                end: clock::iso(end.trim_end_matches('Z')).unwrap_or(at).max(at),
                clock: (*start).to_owned(),
                automatic,
                tool: "snapd".into(),
                packages,
                lines: vec![doc.cite(number)],
            })
        })
        .filter(|run| !run.packages.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_versions() {
        assert_eq!(
            dnf("2024-03-27T06:24:41+0000 SUBDEBUG Upgrade: openssl-libs-1:1.1.1k-12.el8.x86_64"),
            Some("openssl-libs")
        );
        assert_eq!(
            dpkg("2024-03-27 06:24:44 upgrade libc6:amd64 2.35 2.36"),
            Some("libc6")
        );
        assert_eq!(
            dpkg("2024-03-27 06:24:45 status unpacked libc6:amd64 2.36"),
            None
        );
        assert_eq!(
            zypper("2024-03-27 06:24:41|install|bash|5.1|x86_64||repo|x|"),
            Some("bash")
        );
        assert_eq!(
            yum("Mar 27 06:24:41 Updated: bash-4.2.46-35.el7.x86_64"),
            Some("bash")
        );
        assert_eq!(clock_of("2024-03-27 06:24:44 upgrade"), "06:24:44");
        assert_eq!(clock_of("é:é:"), "");
    }
}
