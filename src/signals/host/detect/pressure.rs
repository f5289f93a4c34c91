//! Pressure files: for which share of the time work stood still for want of memory or for its disks.

use crate::signals::Partial;
use crate::signals::host::emit::Draft;
use crate::signals::host::facts::Host;

/// Reads `/proc/pressure`; the average over five minutes is no moment's chance.
pub fn detect(host: &Host, out: &mut Partial) {
    const KINDS: [(&str, f64, &str, &str, &str); 2] = [
        (
            "memory",
            8.0,
            "memory-exhausted",
            "memory",
            "pages are reclaimed and read again all the time; memory is too small for what runs here",
        ),
        (
            "io",
            40.0,
            "processes-blocked-on-io",
            "disks",
            "the storage is too slow or overloaded for what runs here",
        ),
    ];
    for (kind, limit, cause, what, why) in KINDS {
        let Some(doc) = host.file(&format!("proc/pressure/{kind}")) else {
            continue;
        };
        let Some((number, line)) = doc.line_with(|line| line.starts_with("full ")) else {
            continue;
        };
        let share = |key: &str| {
            line.split_whitespace()
                .find_map(|word| word.strip_prefix(key)?.parse::<f64>().ok())
                .filter(|share| (0.0..=100.0).contains(share))
                .unwrap_or(0.0)
        };
        let (minute, minutes) = (share("avg60="), share("avg300="));
        if minute < limit || minutes < limit {
            continue;
        }
        Draft::cause("pressure", cause, 0.58, "Host", what)
            .says(
                format!("All work stood still for want of {what} during {minutes:.0} % of the last five minutes"),
                format!("The pressure of {kind} is {minutes:.0} % (full, five minutes) and {minute:.0} % (one minute): {why}."),
            )
            .cites([doc.cite(number)])
            .cites(doc.lines().next().map(|(number, _)| doc.cite(number)))
            .if_ticket(host, &["slow", "hang", "hangs", "memory", "disk", "storage", "latency", "performance"])
            .put(out);
    }
}

#[cfg(test)]
mod tests {
    use crate::signals::host::tests::{causes, on};

    #[test]
    fn work_that_stands_still() {
        let file = |share: &str| {
            format!(
                "some avg10=70.00 avg60={share} avg300={share} total=1\nfull avg10=60.00 avg60={share} avg300={share} total=1\n"
            )
        };
        assert_eq!(
            causes(&on(&[
                ("etc/os-release", "ID=x\n"),
                ("proc/pressure/memory", &file("31.20"))
            ])),
            ["memory-exhausted"]
        );
        assert_eq!(
            causes(&on(&[
                ("etc/os-release", "ID=x\n"),
                ("proc/pressure/io", &file("66.00"))
            ])),
            ["processes-blocked-on-io"]
        );
        assert!(
            on(&[
                ("etc/os-release", "ID=x\n"),
                ("proc/pressure/memory", &file("0.31")),
                ("proc/pressure/io", &file("9.00")),
                ("proc/pressure/cpu", &file("66.00"))
            ])
            .signals
            .is_empty()
        );
    }
}
