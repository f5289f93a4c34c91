//! Certificates that were renewed and never loaded: what a server presents has expired, and the bundle holds its newer one. A
//! program reads its certificate when it starts, and a file mounted by `subPath` is not even exchanged below it.

use super::emit::{Ctx, Draft, cut};
use super::time::parse_time;
use crate::report::Evidence;
use regex::Regex;
use std::sync::LazyLock;

/// Largest file looked into, in bytes.
const MAX_BYTES: u64 = 512 << 10;

/// `notAfter=Mar  3 02:11:39 2026 GMT`, as openssl writes it.
static ENDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"notAfter=(?P<month>[A-Z][a-z]{2})\s+(?P<day>\d{1,2}) (?P<clock>\d\d:\d\d:\d\d) (?P<year>\d{4})").ok()
});
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

struct Ends {
    at: i64,
    /// The command above it asked a server.
    served: bool,
    /// The command above it read a secret or a file.
    kept: bool,
    evidence: Evidence,
}

fn ends(ctx: &Ctx) -> Vec<Ends> {
    let mut all = Vec::new();
    let Some(regex) = ENDS.as_ref() else {
        return all;
    };
    for entry in ctx
        .tree
        .files()
        .filter(|entry| entry.bytes > 0 && entry.bytes <= MAX_BYTES)
    {
        let (mut served, mut kept) = (false, false);
        let _ = ctx.tree.for_each_line(entry, |number, line| {
            if line.contains("s_client") || line.starts_with("* ") {
                (served, kept) = (true, false);
            } else if line.contains("get secret") || line.contains("x509 -in ") {
                (served, kept) = (false, true);
            }
            if let Some(found) = regex.captures(line)
                && let Some(month) = MONTHS.iter().position(|name| *name == &found["month"])
                && let Some(at) = parse_time(&format!(
                    "{}-{:02}-{:0>2}T{}Z",
                    &found["year"],
                    month + 1,
                    &found["day"],
                    &found["clock"]
                ))
            {
                all.push(Ends {
                    at,
                    served,
                    kept,
                    evidence: Evidence {
                        path: entry.path.as_str().to_owned(),
                        line_start: number as u64,
                        line_end: number as u64,
                        quote: cut(line.trim(), 200),
                    },
                });
            }
            number < 20_000
        });
    }
    all
}

/// A served certificate that has expired beside a kept one that has not.
pub fn detect(ctx: &Ctx) {
    let said = ctx
        .signals()
        .iter()
        .filter(|signal| signal.cause == "workload-certificate-expired")
        .max_by(|a, b| a.strength.total_cmp(&b.strength))
        .map(|signal| (signal.title.clone(), signal.evidence.first().cloned()));
    let Some((title, shown)) = said else { return };
    let all = ends(ctx);
    let pair = all.iter().filter(|one| one.served).find_map(|served| {
        let newer = all
            .iter()
            .find(|kept| kept.kept && kept.at > served.at + 86_400)?;
        Some((served, newer))
    });
    let Some((served, kept)) = pair else { return };
    let host = title
        .split_whitespace()
        .find(|word| word.contains('.') && word.ends_with(':'))
        .map_or("the server", |word| word.trim_end_matches(':'));
    let draft = Draft::cause("certificate-not-reloaded", "Certificate", "", host, 0.94)
        .says(
            format!("{host} still serves its old certificate ({}) although a newer one is there ({}): the program has not reloaded it", served.evidence.quote, kept.evidence.quote),
            format!("The certificate that {host} presents has expired ({}), the one that is kept for it is newer ({}): the program was not reloaded or restarted since it was renewed, or has it mounted by subPath, where a renewed file never arrives.", served.evidence.quote, kept.evidence.quote),
        )
        .show(Some(served.evidence.clone()))
        .show(Some(kept.evidence.clone()))
        .show(shown);
    ctx.emit(draft);
}

#[cfg(test)]
mod tests {
    use super::super::tests::{first, run};

    #[test]
    fn a_renewed_certificate_that_nobody_loaded() {
        let of = |newer: &str| {
            let curl = "$ curl -v https://shop.example.com/\n* SSL certificate problem: certificate has expired\ncurl: (60) SSL certificate problem: certificate has expired\n$ openssl s_client -connect shop.example.com:443 </dev/null | openssl x509 -noout -dates\nnotAfter=Mar  3 02:11:39 2026 GMT\n";
            let kept = format!(
                "$ kubectl -n edge get secret shop-tls -o jsonpath='{{.data.tls\\.crt}}' | base64 -d | openssl x509 -noout -dates\nnotAfter={newer} 01:09:02 2026 GMT\n"
            );
            run(&[("curl-v.txt", curl), ("secret-dates.txt", &kept)])
        };
        assert_eq!(first(&of("May 18")).cause, "certificate-not-reloaded");
        assert_ne!(first(&of("Mar  3")).cause, "certificate-not-reloaded");
    }
}
