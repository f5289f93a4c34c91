//! Upgrades that restarted a service at the time the customer speaks of: package history, systemd's lines and the ticket together.

use super::history::{self, Run};
use crate::bundle::FileKind;
use crate::report::Evidence;
use crate::signals::Partial;
use crate::signals::host::clock::{self, DAY};
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::{Host, cite};
use crate::signals::host::logs::is_system_log;

/// What customers say of an interruption.
const OUTAGE: &[&str] = &[
    "restart",
    "restarted",
    "restarts",
    "lost",
    "loses",
    "down",
    "outage",
    "interrupted",
    "interruption",
    "disconnected",
    "unreachable",
    "stopped",
    "dropped",
    "hang",
    "hangs",
    "hung",
    "failed",
    "fails",
    "fail",
    "crashed",
    "gone",
    "unavailable",
    "broke",
    "broken",
];
/// What customers say when they suspect a change.
const CHANGE: &[&str] = &[
    "update", "updates", "updated", "upgrade", "upgraded", "upgrades", "patch", "patched",
    "patching",
];
/// An upgrade counts as recent within two days.
const RECENT: i64 = 2 * DAY;
/// A service is restarted at the latest this long after the last package was set up.
const AFTER: i64 = 180;

pub fn detect(host: &Host, out: &mut Partial) {
    let Some(now) = host.frame.now else { return };
    let told = minutes_told(&host.ticket);
    let best = history::runs(host)
        .into_iter()
        .filter(|run| (0..7 * DAY).contains(&(now - run.start)))
        .filter_map(|run| {
            let restart = restarted(host, &run);
            let strength = weigh(host, &run, restart.is_some(), now, &told)?;
            Some((strength, run, restart))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.start.cmp(&b.1.start)));
    let Some((strength, run, restart)) = best else {
        return;
    };
    let names: Vec<&str> = run.packages.iter().take(4).map(String::as_str).collect();
    let more = match run.packages.len().saturating_sub(names.len()) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let (what, then) = match &restart {
        Some(restart) => (
            format!("and {} was restarted", restart.unit),
            format!("its scripts stopped and started {}, and what depends on it was interrupted", restart.unit),
        ),
        None => (
            "just then".to_owned(),
            "its scripts may restart services, and what runs behaves by the new version from then on".to_owned(),
        ),
    };
    let subject = run.packages.first().map_or("", String::as_str);
    Draft::cause(
        "upgrade-restarted-service",
        "upgrade-restarted-service",
        strength,
        "Package",
        subject,
    )
    .says(
        format!(
            "{} upgraded {}{more} at {} {what}",
            run.tool,
            names.join(", "),
            run.clock
        ),
        format!(
            "{} upgraded {}{more} at {}: {then}.{}",
            run.tool,
            names.join(", "),
            run.clock,
            if run.automatic {
                " It ran by itself, outside of any maintenance window."
            } else {
                ""
            }
        ),
    )
    .cites(run.lines.iter().take(3).cloned())
    .cites(restart.into_iter().flat_map(|restart| restart.lines))
    .with("package", subject)
    .put(out);
}

/// How likely the upgrade is what the customer asks about; `None` if nothing says so.
fn weigh(host: &Host, run: &Run, restart: bool, now: i64, told: &[i64]) -> Option<f64> {
    let minute = |at: i64| at.rem_euclid(DAY) / 60;
    let (from, to) = (minute(run.start) - 10, minute(run.end) + 30);
    let at_that_time = told
        .iter()
        .any(|told| (from..=to).contains(told) || (from..=to).contains(&(told + 24 * 60)));
    let recent = now - run.start < RECENT;
    let (outage, change) = (host.ticket_has(OUTAGE), host.ticket_has(CHANGE));
    Some(match (at_that_time && recent, restart) {
        (true, true) => 0.86,
        (true, false) if run.automatic || change => 0.55,
        (_, true) if change => 0.68,
        (_, true) if outage && recent && told.is_empty() && run.automatic => 0.58,
        (_, false) if change && recent => 0.52,
        (_, true) if recent && run.automatic => 0.36,
        _ => return None,
    })
}

/// A service that systemd stopped while one of its packages was set up.
struct Restart {
    unit: String,
    lines: Vec<Evidence>,
}

fn restarted(host: &Host, run: &Run) -> Option<Restart> {
    let stems: Vec<String> = run.packages.iter().filter_map(|name| stem(name)).collect();
    let mut found: Option<Restart> = None;
    for entry in host.entries().filter(|entry| {
        !matches!(
            entry.kind,
            FileKind::Archive | FileKind::Binary | FileKind::Empty
        ) && is_system_log(host.rel(entry), entry)
    }) {
        let Ok(Some(text)) = host.tree.text(entry) else {
            continue;
        };
        for (number, line) in text.lines().filter(|(_, line)| line.contains("systemd[")) {
            let Some((verb, unit)) = ["Stopping ", "Stopped ", "Started "]
                .iter()
                .find_map(|verb| Some((*verb, line.split_once(&format!("]: {verb}"))?.1)))
            else {
                continue;
            };
            let plain: String = unit.chars().filter(char::is_ascii_alphanumeric).collect();
            let plain = plain.to_ascii_lowercase();
            if !stems.iter().any(|stem| plain.contains(stem.as_str()))
                || !clock::stamp(line, &host.frame)
                    .is_some_and(|at| (run.start - 5..=run.end + AFTER).contains(&at))
            {
                continue;
            }
            let unit = unit.trim_end_matches(['.', ' ']).to_owned();
            match &mut found {
                None if verb != "Started " => {
                    found = Some(Restart {
                        unit,
                        lines: vec![cite(entry.path.as_str(), number, line)],
                    });
                }
                Some(restart) if restart.unit == unit && restart.lines.len() < 3 => {
                    restart.lines.push(cite(entry.path.as_str(), number, line));
                }
                _ => {}
            }
        }
        if found.is_some() {
            break;
        }
    }
    found
}

/// `openvswitch` for `openvswitch-switch`: the part of a package's name that its service shares.
fn stem(package: &str) -> Option<String> {
    let stem: String = package
        .split(['-', ':', '.', '_'])
        .next()?
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let stem = stem.to_ascii_lowercase();
    const SHARED: [&str; 10] = [
        "linux", "lib", "libc", "python", "python3", "perl", "core", "base", "common", "the",
    ];
    (stem.len() >= 3 && !SHARED.contains(&stem.as_str())).then_some(stem)
}

/// Times of day that a ticket names, in minutes: `06:25`, `2 am`, `eleven o'clock` (either half of the day).
fn minutes_told(ticket: &str) -> Vec<i64> {
    const HOURS: [&str; 12] = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve",
    ];
    let words: Vec<&str> = ticket
        .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, ':' | '\'' | '’')))
        .filter(|word| !word.is_empty())
        .collect();
    let mut told = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let word = word.trim_matches(':');
        let next = words.get(at + 1).copied().unwrap_or_default();
        let (clock, half) = match word
            .strip_suffix("am")
            .map(|w| (w, "am"))
            .or_else(|| word.strip_suffix("pm").map(|w| (w, "pm")))
        {
            Some((clock, half)) if clock.starts_with(|c: char| c.is_ascii_digit()) => (clock, half),
            _ => (word, next),
        };
        let mut parts = clock.splitn(3, ':');
        let hour = parts.next().and_then(|hour| hour.parse::<i64>().ok());
        let minute = parts
            .next()
            .and_then(|minute| minute.get(..2)?.parse::<i64>().ok());
        let named = HOURS
            .iter()
            .position(|name| *name == word)
            .map(|at| at as i64 + 1);
        let oclock = next.starts_with("o'clock") || next.starts_with("o’clock");
        match (hour, minute, half) {
            (Some(hour), minute, "am" | "pm") if (1..=12).contains(&hour) => {
                told.push(
                    (hour % 12 + if half == "pm" { 12 } else { 0 }) * 60 + minute.unwrap_or(0),
                );
            }
            (Some(hour), Some(minute), _)
                if (0..24).contains(&hour) && (0..60).contains(&minute) =>
            {
                told.push(hour * 60 + minute);
            }
            (hour, None, _) if oclock => {
                if let Some(hour) = hour.or(named).filter(|hour| (0..=12).contains(hour)) {
                    told.extend([hour % 12 * 60, (hour % 12 + 12) * 60]);
                }
            }
            _ => {}
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::host::tests::on_ticket;

    #[test]
    fn times_of_day_in_a_customers_words() {
        assert_eq!(minutes_told("lost at 06:25. what happened?"), [385]);
        assert_eq!(minutes_told("since 2 am, and at 3:30pm"), [120, 930]);
        assert_eq!(minutes_told("hangs since eleven o'clock"), [660, 1380]);
        assert!(minutes_told("10.0.0.1:8443 and 25:99, five nodes of 12").is_empty());
    }

    const HISTORY: (&str, &str) = (
        "var/log/apt/history.log",
        "Start-Date: 2022-02-10  06:24:41\nCommandline: /usr/bin/unattended-upgrade\nUpgrade: shelf-common:amd64 (1.1, 1.2), shelf-server:amd64 (1.1, 1.2)\nEnd-Date: 2022-02-10  06:25:33\n",
    );
    const LOG: (&str, &str) = (
        "var/log/syslog",
        "Feb 10 06:24:53 h systemd[1]: Stopping Shelf Server...\nFeb 10 06:24:54 h systemd[1]: Stopped Shelf Server.\nFeb 10 06:25:30 h systemd[1]: Started Shelf Server.\n",
    );
    const DATE: (&str, &str) = ("sos_commands/date/date", "Thu Feb 10 16:19:17 UTC 2022\n");

    fn strength(files: &[(&str, &str)], ticket: &str) -> f64 {
        let out = on_ticket(files, Some(ticket));
        out.signals
            .iter()
            .filter(|s| s.cause == "upgrade-restarted-service")
            .map(|s| s.strength)
            .fold(0.0, f64::max)
    }

    #[test]
    fn an_upgrade_at_the_customers_time_with_its_restart() {
        let all = [HISTORY, LOG, DATE];
        assert!(strength(&all, "everything lost its shelf this morning at 06:25") > 0.8);
        assert!(
            strength(
                &[HISTORY, DATE],
                "everything lost its shelf this morning at 06:25"
            ) < 0.6
        );
        assert!(strength(&all, "broken since 14:00") < 0.5);
        assert!(strength(&all, "the clock is wrong") < 0.5);
        let old = ("sos_commands/date/date", "Thu Feb 24 16:19:17 UTC 2022\n");
        assert_eq!(strength(&[HISTORY, LOG, old], "lost at 06:25"), 0.0);
    }

    #[test]
    fn a_refreshed_snap() {
        let snaps = (
            "sos_commands/snap/snap_changes",
            "ID   Status  Spawn                 Ready                 Summary\n42   Done    2022-02-10T11:02Z     2022-02-10T11:03Z     Auto-refresh snap \"shelf\"\n",
        );
        assert!(strength(&[snaps, DATE], "shelf hangs since eleven o'clock") > 0.5);
    }
}
