//! Time synchronisation as its own tools report it.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;

const WORDS: &[&str] = &[
    "time",
    "clock",
    "ntp",
    "chrony",
    "skew",
    "drift",
    "certificate",
    "kerberos",
    "quorum",
];

pub fn detect(host: &Host, out: &mut Partial) {
    if host.container {
        return;
    }
    if !chrony(host, out) && !ntp(host, out) {
        timedatectl(host, out);
    }
}

/// `chronyc tracking`: leap status and offset. Gives whether chrony answered.
fn chrony(host: &Host, out: &mut Partial) -> bool {
    let Some(doc) = host.command("chronyc", &["tracking"]) else {
        return false;
    };
    let value = |key: &str| {
        doc.line_with(|l| l.starts_with(key))
            .and_then(|(n, l)| Some((n, l.split_once(':')?.1.trim().to_owned())))
    };
    let Some((leap_at, leap)) = value("Leap status") else {
        return false;
    };
    let offset = value("System time")
        .and_then(|(n, v)| Some((n, v.split(' ').next()?.parse::<f64>().ok()?)));
    let sources = host.command("chronyc", &["sources"]);
    let unreachable = sources
        .iter()
        .flat_map(|d| {
            d.lines()
                .filter(|(_, l)| l.starts_with("^?"))
                .map(|(n, _)| d.cite(n))
        })
        .take(3)
        .collect::<Vec<_>>();
    if leap == "Not synchronised" {
        Draft::cause("chrony-not-synchronised", "time-not-synchronised", 0.6, "Service", "chronyd")
            .says("chrony is not synchronised with any source", "chronyd reaches no usable time source (Leap status: Not synchronised); the clock drifts freely.")
            .cites([doc.cite(leap_at)])
            .cites(unreachable)
            .if_ticket(host, WORDS)
            .put(out);
    } else if let Some((at, seconds)) = offset.filter(|(_, s)| *s >= 0.5) {
        Draft::cause("clock-offset", "time-not-synchronised", if seconds >= 2.0 { 0.74 } else { 0.52 }, "Service", "chronyd")
            .says(format!("The clock is {seconds:.1} seconds off NTP time"), format!("The system clock differs from NTP time by {seconds:.1} seconds; clusters and authentication that compare times fail."))
            .cites([doc.cite(at), doc.cite(leap_at)])
            .if_ticket(host, WORDS)
            .put(out);
    }
    true
}

/// `ntpq -p`: no selected peer (`*`) among those listed.
fn ntp(host: &Host, out: &mut Partial) -> bool {
    let Some(doc) = host.command("ntpq", &["-p"]) else {
        return false;
    };
    let peers: Vec<(usize, &str)> = doc
        .lines()
        .filter(|(_, l)| l.split_whitespace().count() >= 10 && !l.contains("remote"))
        .collect();
    if peers.is_empty() || peers.iter().any(|(_, l)| l.starts_with(['*', 'o'])) {
        return !peers.is_empty();
    }
    let silent = peers
        .iter()
        .filter(|(_, l)| l.split_whitespace().nth(6) == Some("0"))
        .count();
    Draft::cause("ntp-no-peer", "time-not-synchronised", if silent == peers.len() { 0.6 } else { 0.5 }, "Service", "ntpd")
        .says(format!("ntpd has selected none of {} peers ({silent} unreachable)", peers.len()), "ntpd follows no peer, so the clock drifts freely; its servers are unreachable or too far off.")
        .cites(peers.iter().take(3).map(|(n, _)| doc.cite(*n)))
        .if_ticket(host, WORDS)
        .put(out);
    true
}

/// systemd's view, if no other tool answered.
fn timedatectl(host: &Host, out: &mut Partial) {
    let Some(doc) = host.command("timedatectl", &[]) else {
        return;
    };
    let Some((number, _)) = doc.line_with(|l| l.contains("synchronized: no")) else {
        return;
    };
    let service = doc.line_with(|l| {
        l.contains("NTP service:") || l.contains("Network time on:") || l.contains("NTP enabled:")
    });
    let active = service
        .is_some_and(|(_, l)| l.contains("active") && !l.contains("inactive") || l.contains("yes"));
    Draft::cause(
        "clock-not-synchronised",
        "time-not-synchronised",
        if active { 0.48 } else { 0.38 },
        "Host",
        "host",
    )
    .says(
        "The system clock is not synchronised",
        format!(
            "timedatectl reports an unsynchronised clock; the NTP service is {}.",
            if active {
                "active but reaches no server"
            } else {
                "not active"
            }
        ),
    )
    .cites([doc.cite(number)])
    .cites(service.map(|(n, _)| doc.cite(n)))
    .if_ticket(host, WORDS)
    .put(out);
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn chrony_offsets_and_status() {
        let text = |offset: &str, leap: &str| {
            format!(
                "Reference ID    : 0A000001 (ntp)\nSystem time     : {offset} seconds slow of NTP time\nLeap status     : {leap}\n"
            )
        };
        let path = "sos_commands/chrony/chronyc_tracking";
        assert!(causes(&on(&[(path, &text("0.000012", "Normal"))])).is_empty());
        assert!(
            on(&[(path, &text("42.5", "Normal"))]).signals[0]
                .title
                .contains("42.5")
        );
        assert_eq!(
            causes(&on(&[(path, &text("0.0", "Not synchronised"))])),
            ["time-not-synchronised"]
        );
    }

    #[test]
    fn an_unsynchronised_clock_alone_is_no_alarm() {
        let out = on(&[(
            "sos_commands/systemd/timedatectl",
            "System clock synchronized: no\n              NTP service: inactive\n",
        )]);
        assert!(out.signals.iter().all(|s| s.strength < 0.5) && !out.signals.is_empty());
    }
}
