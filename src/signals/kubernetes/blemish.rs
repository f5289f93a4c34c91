//! What is known already: an alert, an object or a sentence of the ticket that says a trouble is known,
//! expected, silenced or about to go. Such a trouble is real, but nobody asks for its cause.

use super::emit::{Ctx, contains_word};
use super::model::*;
use crate::signals::{Role, Signal};
use regex::Regex;
use std::collections::BTreeSet;
use std::sync::LazyLock;

/// Most that a known trouble is worth beside another one.
const MOST: f64 = 0.4;
/// From this strength on something else is wrong.
const OTHER: f64 = 0.5;

static KNOWN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?xi)
        [(\[,:;-]\s*known\b
        | \b(?:is|are|was|been|already|well)\s(?:a\s)?known\b
        | \bknown[\s_-](?:issue|problem|defect|bug|error|fault|limitation|failure|trouble)
        | \b(?:silenced|muted|acknowledged|acked|snoozed)\b
        | \bsilence[ds]?\s(?:by|until|till|since|in)\b
        | \b(?:is|are|was|as|totally|fully)\sexpected\b
        | \bexpected\s(?:during|while|until|till|because|for\snow|outage|downtime|failure|behaviou?r|to\sfail)
        | [(\[]\s*expected\b
        | \b(?:is|are|being|be|been)\s(?:being\s)?(?:replaced|decommission\w*|retired|phased\sout|shut\sdown\sfor\sgood|removed\s(?:soon|next|in|with))\b
        | \bdecommission(?:ed|ing)?\b
        | \b(?:planned|scheduled)\s(?:maintenance|outage|downtime|work)
        | \b(?:under|in)\smaintenance\b | \bmaintenance\swindow\b
        | \b(?:can|may|please|to\sbe|should\sbe|safely)\s(?:be\s)?(?:safely\s)?ignored?\b
        | \bno\saction\s(?:is\s)?(?:needed|required|necessary)\b
        | \bwon'?t[\s_-]?fix\b | \baccepted\srisk\b
        ",
    )
    .ok()
});
/// The same words, denied.
static DENIED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:not|never|isn'?t|wasn'?t|aren'?t|nobody|un)\s?(?:yet |been |a |fully |as )*(?:known|expected|silenced|acknowledged|acked|planned|scheduled)|\bun(?:known|expected|acknowledged|planned)|\bthan (?:is |was )?expected|(?:is|was|are) expected to (?:be|have|run|return|match|exist)").ok()
});

/// Whether words say that a trouble is known, expected or about to go.
pub fn is_known(words: &str) -> bool {
    KNOWN.as_ref().is_some_and(|regex| regex.is_match(words))
        && !DENIED.as_ref().is_some_and(|regex| regex.is_match(words))
}

/// Namespaces and applications whose trouble is known; of what the complaint is about, none is.
pub fn known(ctx: &Ctx) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for alert in &ctx.cluster.alerts {
        if (alert.silenced || is_known(&alert.words.v)) && !alert.object.is_empty() {
            found.insert((alert.ns.clone(), app_of(&alert.object).to_owned()));
        }
    }
    let sentences: Vec<&str> = ctx
        .ticket
        .split(['\n', ';'])
        .flat_map(|line| line.split(". "))
        .filter(|sentence| is_known(sentence))
        .collect();
    for pod in &ctx.cluster.pods {
        let app = pod.app();
        let said = app.len() > 3
            && sentences
                .iter()
                .any(|sentence| contains_word(sentence, &app.to_lowercase()));
        let marked = pod.labels.iter().any(|(key, value)| {
            let value = value.to_lowercase();
            let key = key.rsplit('/').next().unwrap_or_default().to_lowercase();
            matches!(
                value.as_str(),
                "known-issue" | "deprecated" | "decommissioned" | "retired" | "wontfix"
            ) || matches!(
                key.as_str(),
                "known-issue" | "decommissioned" | "deprecated"
            ) && value != "false"
        });
        if said || marked {
            found.insert((pod.ns.clone(), app.to_owned()));
        }
    }
    found.retain(|(_, app)| {
        !ctx.focus.complains_of(app) || sentences.iter().any(|s| s.contains(app.as_str()))
    });
    found
}

/// Where something else is wrong, what is known does not lead.
pub fn lower(signals: &mut [Signal], known: &BTreeSet<(String, String)>) {
    let is_one = |signal: &Signal| {
        let names = ["pod", "deployment", "workload", "job"]
            .iter()
            .filter_map(|slot| signal.entities.get(*slot))
            .map(String::as_str)
            .chain([signal.subject.name.as_str()]);
        let ns = signal.subject.namespace.as_deref().unwrap_or_default();
        names.map(app_of).any(|app| {
            known
                .iter()
                .any(|(of, name)| name == app && (of.is_empty() || ns.is_empty() || of == ns))
        })
    };
    if known.is_empty() {
        return;
    }
    let other = signals
        .iter()
        .filter(|signal| signal.role == Role::Cause && !is_one(signal))
        .map(|signal| signal.strength)
        .fold(0.0, f64::max);
    if other < OTHER {
        return;
    }
    for signal in signals.iter_mut().filter(|signal| is_one(signal)) {
        signal.strength = signal.strength.min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_told_from_what_is_not() {
        for words in [
            "Pod loops (known, hardware is on order)",
            "known issue, see the board",
            "silenced until friday",
            "acknowledged by the night shift",
            "This is expected while the import runs",
            "the old printer is being replaced",
            "host is decommissioned",
            "planned maintenance of the line",
            "can be ignored",
        ] {
            assert!(is_known(words), "{words}");
        }
        for words in [
            "Deployment a/b has not matched the expected number of replicas for 15 minutes",
            "unknown host",
            "host key is not known",
            "unexpected end of file",
            "more restarts than expected",
            "This alert is not acknowledged",
            "2 replicas are expected to be ready",
            "the volume was removed",
        ] {
            assert!(!is_known(words), "{words}");
        }
    }
}
