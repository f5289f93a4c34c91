//! Cron jobs whose schedule is meant in another time zone than the one it is read in.

use super::emit::{Ctx, Draft};
use super::lastwords;
use super::model::*;
use crate::signals::logs::parse_line;
use regex::Regex;
use std::sync::LazyLock;

const DAY: i64 = 24 * 60;
/// A job may begin this many minutes after its schedule.
const LATE: i64 = 12;

/// Words of a program that was started at the wrong time of the day.
static UNTIMELY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:too (?:late|early)|cut-?off|code=late|deadline (?:has )?(?:passed|missed|exceeded)|after (?:the )?deadline|outside (?:of )?(?:the )?(?:\w+ )?window|window (?:is |has )?closed|not (?:yet )?(?:closed|complete|available) (?:for|yet)|market (?:is )?closed|(?:arriv|receiv|submitt)\w* late|late (?:delivery|submission))\b").ok()
});

/// Hour and minute of a schedule that states both as numbers.
fn time_of(schedule: &str) -> Option<i64> {
    let mut fields = schedule.split_whitespace();
    let (minute, hour) = (fields.next()?, fields.next()?);
    let (minute, hour): (i64, i64) = (minute.parse().ok()?, hour.parse().ok()?);
    ((0..60).contains(&minute) && (0..24).contains(&hour)).then_some(hour * 60 + minute)
}

/// By how many minutes, in steps of a quarter of an hour, a clock is ahead of a schedule; `None` when it
/// is not or the start fits no step.
fn ahead(schedule: i64, clock: i64) -> Option<i64> {
    const STEP: i64 = 15;
    let difference = (clock - schedule).rem_euclid(DAY);
    let step = difference - difference % STEP;
    let late = difference - step;
    // No zone is more than 14 hours ahead; what is further ahead is behind.
    let step = if step > 14 * 60 { step - DAY } else { step };
    (late <= LATE && step != 0 && step % 30 == 0).then_some(step)
}

/// Cron jobs without a time zone whose program's clock stands apart from the schedule.
pub fn detect(ctx: &Ctx) {
    for cron in ctx
        .cluster
        .workloads
        .iter()
        .filter(|workload| workload.kind == "CronJob" && workload.zone.is_empty())
    {
        let Some(schedule) = time_of(&cron.schedule) else {
            continue;
        };
        let of_cron = |log: &&Log| {
            !log.empty
                && (log.ns == cron.ns || log.ns.is_empty() || cron.ns.is_empty())
                && log
                    .pod
                    .strip_prefix(&cron.name)
                    .and_then(|rest| rest.strip_prefix('-'))
                    .is_some_and(|rest| rest.bytes().take_while(u8::is_ascii_digit).count() >= 7)
        };
        let own_zone = cron
            .containers
            .iter()
            .flat_map(|container| &container.env)
            .find(|(name, value)| {
                name == "TZ" && !["", "UTC", "Etc/UTC", "GMT"].contains(&value.v.as_str())
            })
            .map(|(_, value)| value.clone());
        let mut apart: Option<(i64, Src, String)> = None;
        let mut untimely: Option<(Src, String)> = None;
        for log in ctx.cluster.logs.iter().filter(of_cron) {
            let lines = lastwords::tail(ctx, log);
            let src = |line: u32| Src {
                file: log.file,
                line,
                column: 0,
            };
            if apart.is_none()
                && let Some((line, text)) = lines.first()
                && let Some(time) = parse_line(text).time
            {
                let minutes = time.rem_euclid(86_400_000) / 60_000;
                apart = ahead(schedule, minutes).map(|step| (step, src(*line), text.clone()));
            }
            if untimely.is_none() {
                untimely = lines
                    .iter()
                    .find(|(_, text)| UNTIMELY.as_ref().is_some_and(|regex| regex.is_match(text)))
                    .map(|(line, text)| (src(*line), text.clone()));
            }
        }
        let strength = match (apart.is_some(), own_zone.is_some(), untimely.is_some()) {
            (true, _, true) | (_, true, true) => 0.9,
            (true, _, false) | (_, true, false) if ctx.is_asked(&cron.name) => 0.55,
            (true, _, false) => 0.3,
            _ => continue,
        };
        let name = full_name(&cron.ns, &cron.name);
        let zone = own_zone
            .as_ref()
            .map(|zone| format!(" ({})", zone.v))
            .unwrap_or_default();
        let clock = match &apart {
            Some((step, ..)) => {
                let way = if *step > 0 { "ahead of" } else { "behind" };
                let at = (schedule + step).rem_euclid(DAY);
                format!(
                    ": the clock of its program{zone} is {} hours {way} it, so it starts at {:02}:{:02} there",
                    hours(step.abs()),
                    at / 60,
                    at % 60
                )
            }
            None => format!(", not in that of its program{zone}"),
        };
        let consequence = if untimely.is_some() {
            " and comes too late or too early"
        } else {
            ""
        };
        let mut draft = Draft::cause(
            "cronjob-wrong-time-zone",
            "CronJob",
            &cron.ns,
            &cron.name,
            strength,
        )
        .says(
            format!("cron job {name} has no time zone, so its schedule {} is read in UTC{clock}{consequence}", cron.schedule),
            format!("Cron job {name} states no time zone, so the control plane reads its schedule {} in its own, usually UTC{clock}{consequence}.", cron.schedule),
        )
        .show(ctx.quote(cron.schedule_src, &cron.schedule));
        if let Some((src, line)) = &untimely {
            draft = draft.show(ctx.quote(*src, line));
        }
        if let Some((_, src, line)) = &apart {
            draft = draft.show(ctx.quote(*src, line));
        }
        if let Some(zone) = &own_zone {
            draft = draft.show(ctx.quote_loc(zone));
        }
        // Its jobs' pods fail because of it.
        if let Some(log) = ctx.cluster.logs.iter().find(of_cron) {
            draft = draft.entity("pod", &log.pod);
        }
        ctx.emit(draft);
    }
}

/// `9` or `5.5`.
fn hours(minutes: i64) -> String {
    if minutes % 60 == 0 {
        (minutes / 60).to_string()
    } else {
        format!("{:.1}", minutes as f64 / 60.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_apart_are_told_from_late_starts() {
        let at = |schedule: &str, hour: i64, minute: i64| {
            ahead(time_of(schedule).unwrap(), hour * 60 + minute)
        };
        assert_eq!(at("15 4 * * *", 6, 15), Some(120));
        assert_eq!(at("0 23 * * 1-5", 18, 2), Some(-300));
        assert_eq!(at("0 2 * * *", 7, 33), Some(330));
        assert_eq!(at("0 2 * * *", 2, 9), None);
        assert_eq!(time_of("*/5 * * * *"), None);
    }
}
