//! What the bundle was collected for: the applications that the complaint is about.
//!
//! A ticket begins with what does not work; what follows are observations and guesses, and many of them
//! name something else that is broken, too. So the names of the first sentence count, then those that
//! urgent alerts name; a name that only a later sentence mentions is an aside.

use super::emit::contains_word;
use super::model::*;
use std::collections::BTreeSet;

/// Shortest sentence that can hold a complaint, in characters.
const SENTENCE: usize = 16;
/// Most applications a complaint is about; a word that fits more of them means none of them.
const MOST: usize = 4;
/// Parts of names that many applications share.
const COMMON_PARTS: [&str; 40] = [
    "service",
    "server",
    "worker",
    "gateway",
    "proxy",
    "controller",
    "operator",
    "manager",
    "agent",
    "client",
    "backend",
    "frontend",
    "database",
    "cache",
    "queue",
    "broker",
    "store",
    "system",
    "data",
    "main",
    "core",
    "test",
    "prod",
    "node",
    "kube",
    "cluster",
    "monitor",
    "portal",
    "platform",
    "public",
    "internal",
    "common",
    "default",
    "primary",
    "master",
    "replica",
    "cloud",
    "scheduler",
    "network",
    "storage",
];

/// Namespaces of the platform: what runs there serves the applications.
const PLATFORM: [&str; 22] = [
    "kube-system",
    "kube-public",
    "monitoring",
    "observability",
    "logging",
    "tracing",
    "telemetry",
    "istio-system",
    "linkerd",
    "cert-manager",
    "ingress-nginx",
    "argocd",
    "argo-cd",
    "flux-system",
    "gatekeeper-system",
    "kyverno",
    "prometheus",
    "grafana",
    "elastic-system",
    "cattle-monitoring-system",
    "openshift-monitoring",
    "opentelemetry",
];

/// Words of somebody who tells several troubles.
const SEVERAL: [&str; 10] = [
    "two things",
    "two problems",
    "two issues",
    "two faults",
    "three things",
    "secondly",
    "separately",
    "another problem",
    "second problem",
    "independently",
];

/// Words of somebody who asks whether a past trouble has left anything.
const OVER: [&str; 20] = [
    "works again",
    "working again",
    "works fine again",
    "fine again",
    "went away",
    "gone again",
    "has gone",
    "disappeared",
    "recovered",
    "back to normal",
    "resolved itself",
    "is over",
    "anything left",
    "all right now",
    "all right again",
    "everything fine",
    "everything all right",
    "everything ok",
    "post-mortem",
    "in hindsight",
];

/// The subject of a complaint.
#[derive(Debug, Clone, Default)]
pub struct Focus {
    /// Applications, by their names without what controllers append.
    apps: BTreeSet<String>,
    /// The first sentence of the ticket.
    complaint: String,
    /// What it quotes.
    quotes: Vec<String>,
    /// It says that the trouble is over.
    over: bool,
}

/// Whether a namespace belongs to the platform rather than to its users.
pub fn is_platform(ns: &str) -> bool {
    PLATFORM.contains(&ns) || ns.starts_with("kube-") || ns.starts_with("openshift-")
}

/// How urgent an alert is: 2 wakes somebody up, 1 is a warning, 0 is for information.
pub fn urgency(alert: &Alert) -> u8 {
    match alert.severity.as_str() {
        "critical" | "page" | "emergency" | "high" | "error" | "disaster" | "fatal" => 2,
        "none" | "info" | "information" | "debug" | "low" => 0,
        _ => 1,
    }
}

impl Focus {
    /// The subject by the ticket (lower case, "" for none) and the alerts.
    pub fn of(cluster: &Cluster, ticket: &str) -> Self {
        let names: BTreeSet<String> = cluster
            .pods
            .iter()
            .map(|pod| pod.app().to_lowercase())
            .chain(
                cluster
                    .services
                    .iter()
                    .map(|service| service.name.to_lowercase()),
            )
            .filter(|name| name.len() > 2)
            .collect();
        let complaint = first_sentence(ticket);
        let said: BTreeSet<String> = names
            .iter()
            .filter(|name| is_named(&complaint, name))
            .cloned()
            .collect();
        let mut apps = said;
        if apps.is_empty() {
            apps = few(names.iter().filter(|name| is_meant(&complaint, name)));
        }
        if apps.is_empty() {
            apps = few(names.iter().filter(|name| is_called(&complaint, name)));
        }
        apps.extend(alerted(cluster, &names, |alert| urgency(alert) == 2));
        // Without a ticket and an urgent alert, a warning that users notice tells what it is about.
        if apps.is_empty() && ticket.trim().is_empty() {
            apps.extend(alerted(cluster, &names, |alert| {
                urgency(alert) == 1 && is_noticed(alert)
            }));
        }
        Self {
            apps,
            quotes: quoted(ticket),
            over: OVER.iter().any(|words| ticket.contains(words)),
            complaint,
        }
    }
    /// Whether anything is known about the subject.
    pub fn is_known(&self) -> bool {
        !self.apps.is_empty()
    }
    /// Whether the application, pod or service belongs to the subject.
    pub fn holds(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.apps.contains(&name) || self.apps.contains(app_of(&name))
    }
    /// Whether the complaint itself, not what is said beside it, speaks of this name.
    pub fn complains_of(&self, name: &str) -> bool {
        is_named(&self.complaint, &name.to_lowercase())
    }
    /// Whether the ticket says that the trouble is over.
    pub fn is_over(&self) -> bool {
        self.over
    }
    /// The words that the ticket quotes, lower case.
    pub fn quotes(&self) -> &[String] {
        &self.quotes
    }
    /// The complaint, lower case.
    pub fn complaint(&self) -> &str {
        &self.complaint
    }
}

/// Phrases between quotation marks: what a user or a log was seen to say.
fn quoted(ticket: &str) -> Vec<String> {
    const SHORTEST: usize = 10;
    let plain = ticket.replace(['“', '”', '„', '«', '»', '`'], "\"");
    plain
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::trim)
        .filter(|phrase| phrase.len() >= SHORTEST && phrase.contains(' '))
        .map(str::to_owned)
        .take(5)
        .collect()
}

/// At most a few names, else none: a word that fits many says nothing.
fn few<'a>(names: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let found: BTreeSet<String> = names.cloned().collect();
    if found.len() > MOST {
        BTreeSet::new()
    } else {
        found
    }
}

/// The first sentence that says something; a heading ends with a colon.
fn first_sentence(ticket: &str) -> String {
    // Who tells several troubles complains about all of them.
    let listed = ticket
        .lines()
        .filter(|line| {
            let line = line.trim_start();
            line.starts_with(['-', '*', '•'])
                || line
                    .trim_start_matches(['(', '#'])
                    .starts_with(|c: char| c.is_ascii_digit())
                    && line
                        .trim_start_matches(|c: char| c == '(' || c == '#' || c.is_ascii_digit())
                        .starts_with(['.', ')', ':'])
        })
        .count();
    if listed > 1 || SEVERAL.iter().any(|words| ticket.contains(words)) {
        return ticket.trim().to_owned();
    }
    for line in ticket.lines() {
        let line = line.trim();
        if line.ends_with(':') || line.is_empty() {
            continue;
        }
        let mut from = 0;
        for (at, c) in line.char_indices() {
            let ends = matches!(c, '.' | '!' | '?' | ';')
                && line[at + c.len_utf8()..]
                    .chars()
                    .next()
                    .is_none_or(char::is_whitespace);
            if ends && at - from >= SENTENCE {
                return line[..at].to_owned();
            }
            if ends {
                from = at;
            }
        }
        if line.len() >= SENTENCE {
            return line.to_owned();
        }
    }
    ticket.trim().to_owned()
}

fn is_named(text: &str, name: &str) -> bool {
    name.len() > 2
        && (contains_word(text, name)
            || name.contains(['-', '_'])
                && name.len() > 5
                && contains_word(text, &name.replace(['-', '_'], " ")))
}

/// Whether a text speaks of an application by a word of its name: `baskets` of `basket-api`.
fn is_meant(text: &str, name: &str) -> bool {
    let stem = |word: &str| {
        let word = word.strip_suffix("ies").map_or_else(
            || word.strip_suffix('s').unwrap_or(word).to_owned(),
            |stem| format!("{stem}y"),
        );
        word.strip_suffix("ing").map_or(word.clone(), str::to_owned)
    };
    name.split(['-', '_'])
        .filter(|part| part.len() > 3 && !COMMON_PARTS.contains(part))
        .any(|part| {
            let part = stem(part);
            part.len() > 3
                && text
                    .split(|c: char| !c.is_alphanumeric())
                    .any(|word| word.len() > 3 && stem(word) == part)
        })
}

/// What people call a thing, and parts of the names of programs that are one.
const CALLED: &[(&[&str], &[&str])] = &[
    (
        &[
            "login",
            "logins",
            "log in",
            "logging in",
            "sign in",
            "log on",
            "sso",
            "signin",
        ],
        &[
            "keycloak", "auth", "oidc", "dex", "login", "sso", "identity",
        ],
    ),
    (
        &["mail", "mails", "email", "emails", "e-mail", "e-mails"],
        &["mail", "smtp", "postfix"],
    ),
    (
        &["search", "searching", "suggestions"],
        &["search", "elastic", "solr"],
    ),
    (
        &["pay", "payment", "payments", "checkout", "pays"],
        &["payment", "checkout", "billing"],
    ),
    (
        &[
            "picture",
            "pictures",
            "image",
            "images",
            "photo",
            "photos",
            "thumbnails",
        ],
        &["image", "media", "thumbnail", "photo"],
    ),
    (
        &[
            "upload",
            "uploads",
            "uploaded",
            "download",
            "downloads",
            "attachment",
            "attachments",
        ],
        &["upload", "file", "document", "minio", "attachment"],
    ),
    (
        &["report", "reports", "dashboard", "dashboards"],
        &["report", "dashboard", "grafana", "superset", "metabase"],
    ),
];

/// Whether a text speaks of an application by what such programs are called.
fn is_called(text: &str, name: &str) -> bool {
    CALLED.iter().any(|(said, programs)| {
        programs.iter().any(|program| name.contains(program))
            && said.iter().any(|word| contains_word(text, word))
    })
}

/// Whether an alert is about something that users notice.
fn is_noticed(alert: &Alert) -> bool {
    const NOTICED: [&str; 12] = [
        "error rate",
        "errorrate",
        "errors",
        "5xx",
        "latency",
        "slow",
        "unavailable",
        "availability",
        "response time",
        "failed requests",
        "success rate",
        "slo",
    ];
    let words = format!("{} {}", alert.name, alert.words.v).to_lowercase();
    NOTICED.iter().any(|word| words.contains(word))
}

/// Applications that alerts name in their own words.
fn alerted(
    cluster: &Cluster,
    names: &BTreeSet<String>,
    counts: impl Fn(&Alert) -> bool,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for alert in cluster.alerts.iter().filter(|alert| counts(alert)) {
        let words = format!(
            "{} {} {}",
            spaced(&alert.name),
            alert.object.to_lowercase(),
            alert.words.v.to_lowercase()
        );
        let named: BTreeSet<String> = names
            .iter()
            .filter(|name| is_named(&words, name) || app_of(&alert.object.to_lowercase()) == *name)
            .cloned()
            .collect();
        found.extend(if named.is_empty() {
            few(names.iter().filter(|name| is_meant(&words, name)))
        } else {
            named
        });
    }
    found
}

/// `CartErrorRate` as `cart error rate`.
fn spaced(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            out.push(' ');
        }
        out.extend(c.to_lowercase());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(pods: &[&str], alert: Option<(&str, &str, &str)>) -> Cluster {
        let mut cluster = Cluster::default();
        for name in pods {
            cluster.pods.push(Pod {
                ns: "shop".into(),
                name: (*name).into(),
                ..Pod::default()
            });
        }
        cluster
            .alerts
            .extend(alert.map(|(name, severity, words)| Alert {
                name: name.into(),
                severity: severity.into(),
                words: Loc::new(words.into(), Src::default()),
                ..Alert::default()
            }));
        cluster
    }

    #[test]
    fn the_complaint_counts_and_not_the_guess() {
        let pods = ["parcels-api-0", "mailer-0"];
        let focus = Focus::of(
            &cluster(&pods, None),
            "problem as reported by the customer:\nno parcel is shown any more. mailer restarts now and then.",
        );
        assert!(focus.holds("parcels-api") && !focus.holds("mailer"));
        assert!(!focus.complains_of("mailer"));
    }

    #[test]
    fn an_urgent_alert_names_the_subject_and_a_warning_does_not() {
        let pods = ["cart-0", "mailer-0"];
        let urgent = cluster(&pods, Some(("CartErrorRate", "critical", "5xx above 10%")));
        assert!(Focus::of(&urgent, "").holds("cart-0"));
        let warning = cluster(
            &pods,
            Some(("MailerQueue", "warning", "mailer has a queue")),
        );
        assert!(!Focus::of(&warning, "").is_known());
        let noticed = cluster(
            &pods,
            Some(("CartLatency", "warning", "cart p99 above 2 s")),
        );
        assert!(Focus::of(&noticed, "").holds("cart-0"));
        assert!(!Focus::of(&noticed, "is all well?").is_known());
    }

    #[test]
    fn who_tells_two_troubles_complains_about_both() {
        let pods = ["cart-0", "mailer-0"];
        for ticket in [
            "two things: cart ends with errors. mailer sends nothing.",
            "problems today:\n- cart ends with errors\n- mailer sends nothing",
            "1) cart ends with errors\n2) mailer sends nothing",
        ] {
            let focus = Focus::of(&cluster(&pods, None), ticket);
            assert!(focus.holds("cart") && focus.holds("mailer"), "{ticket}");
        }
    }

    #[test]
    fn a_version_number_ends_no_sentence() {
        assert_eq!(
            first_sentence("Since 2.14.0 nobody can pay. Why?"),
            "Since 2.14.0 nobody can pay"
        );
    }
}
