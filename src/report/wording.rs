//! The sentences and units that all renderers share, so that they say the same thing.

use super::model::{CommandClass, Finding, Outcome, SubjectField};
use super::view::{ReviewState, RunFacts, SealFacts, Share, TickStatus, View};

/// Confidence in words; the numbers are the calibrated probabilities of the report.
pub fn confidence(value: f64) -> &'static str {
    match value {
        v if !v.is_finite() => "unknown",
        v if v >= 0.85 => "high",
        v if v >= 0.60 => "moderate",
        v if v >= 0.35 => "low",
        _ => "very low",
    }
}

/// Words and number: `high (0.91)`.
pub fn confidence_full(value: f64) -> String {
    match value.is_finite() {
        true => format!("{} ({value:.2})", confidence(value)),
        false => "unknown".to_owned(),
    }
}

/// What the whole report says, as a heading.
pub fn outcome(view: &View) -> &'static str {
    match view.report.outcome {
        Outcome::Findings if view.report.findings.is_empty() => "No finding was let through",
        Outcome::Findings => "Likely cause",
        Outcome::InsufficientEvidence => "Insufficient evidence",
        Outcome::Healthy => "No fault found in what was examined",
    }
}

/// What a report without a leading cause means, and does not mean.
pub fn outcome_sentence(view: &View) -> String {
    let report = &view.report;
    match report.outcome {
        Outcome::Findings if report.findings.is_empty() => {
            "The room proposed causes, and the verifier let none of them through. Treat this as no answer.".to_owned()
        }
        Outcome::Findings => String::new(),
        Outcome::InsufficientEvidence => {
            let missing = match report.missing.len() {
                0 => "",
                _ => " What is listed under \"Missing\" would decide it.",
            };
            format!("Something is wrong, but the bundle does not show why. No cause is claimed.{missing}")
        }
        Outcome::Healthy => {
            let rest = match report.not_examined.len() {
                0 => "A fault that left no trace in the bundle would not be seen.".to_owned(),
                n => format!("{} not looked at; a fault there, or one that left no trace, would not be seen.", plural(n as u64, "item was", "items were")),
            };
            format!("This does not say that the system is healthy. {rest}")
        }
    }
}

/// The subject in words: `Pod shop/cart-5f`.
pub fn subject(finding: &Finding) -> Option<String> {
    match finding.subject.as_ref()? {
        SubjectField::Text(text) if text.trim().is_empty() => None,
        SubjectField::Text(text) => Some(text.clone()),
        SubjectField::Subject(subject) => Some(match &subject.namespace {
            Some(namespace) => format!("{} {namespace}/{}", subject.kind, subject.name),
            None => format!("{} {}", subject.kind, subject.name),
        }),
    }
}

/// A command's class; `None` means that nobody judged it.
pub fn class(class: Option<CommandClass>) -> &'static str {
    match class {
        Some(CommandClass::ReadOnly) => "read-only",
        Some(CommandClass::ChangesState) => "changes state: needs your consent",
        Some(CommandClass::Destructive) => "destructive: do not run",
        Some(CommandClass::Unknown) => "effect unknown: needs your consent",
        None => "not judged: needs your consent",
    }
}

/// One character for a check's result, always followed by words.
pub fn tick(status: TickStatus) -> &'static str {
    match status {
        TickStatus::Ok => "✓",
        TickStatus::Flagged => "!",
        TickStatus::Dropped | TickStatus::Rejected => "✗",
    }
}

/// A check's result in one word.
pub fn tick_word(status: TickStatus) -> &'static str {
    match status {
        TickStatus::Ok => "holds",
        TickStatus::Flagged => "doubtful",
        TickStatus::Dropped => "removed",
        TickStatus::Rejected => "rejected",
    }
}

/// Where a finding comes from: rules, model, and whose words they are.
pub fn share(share: &Share) -> String {
    let mut parts = Vec::new();
    match share.signals.filter(|v| v.is_finite()) {
        Some(value) => parts.push(format!("rules {value:.2}")),
        None => parts.push("no rule speaks for it".to_owned()),
    }
    if let Some(value) = share.model.filter(|v| v.is_finite()) {
        parts.push(format!("with the model {value:.2}"));
    }
    parts.push(
        if share.worded_by_model {
            "worded by the model"
        } else {
            "worded by a rule"
        }
        .to_owned(),
    );
    parts.join(", ")
}

/// Whether the seal was whole.
pub fn is_weaker(seal: &SealFacts) -> bool {
    !seal.weaker.is_empty()
        || seal.layers == 0
        || seal.probes == 0
        || seal.probes_denied < seal.probes
}

/// The seal in one sentence.
pub fn seal(seal: &SealFacts) -> String {
    if seal.layers == 0 {
        return "No layer of the seal was enforced.".to_owned();
    }
    let layers = plural(u64::from(seal.layers), "layer", "layers");
    match (seal.probes, seal.probes_denied) {
        (0, _) => format!("{layers} enforced, but not one probe ran: nothing proves it."),
        (all, denied) if all == denied => {
            format!("{layers} enforced; {all} of {all} probes as expected.")
        }
        (all, denied) => {
            format!("{layers} enforced; only {denied} of {all} probes as expected.")
        }
    }
}

/// The heading of a run that was not fully sealed.
pub const WEAKER_SEAL: &str = "THE SEAL WAS WEAKER THAN IT SHOULD BE";

/// What a weaker seal means for the reader.
pub fn weaker_seal_sentence(seal: &SealFacts) -> String {
    match seal.weaker.len() {
        0 => "Not every forbidden act was tried and denied. Do not rely on the isolation of this run.".to_owned(),
        n => format!("The customer's data was read without {} of protection:", plural(n as u64, "layer", "layers")),
    }
}

/// What a person must still do with the report.
pub fn review(state: &ReviewState) -> String {
    match state {
        ReviewState::Pending => {
            "Not signed. Check the evidence, then sign or reject it.".to_owned()
        }
        ReviewState::Signed { by, at, .. } => format!("Signed by {by} at {at}."),
        ReviewState::Rejected { by, at, .. } => {
            format!("Rejected by {by} at {at}. Do not use this report.")
        }
    }
}

/// The model in one sentence.
pub fn model(run: &RunFacts) -> String {
    let Some(model) = &run.model else {
        return "No model ran; rules only.".to_owned();
    };
    let context = match model.context_requested == model.context_effective {
        true => format!("context {} tokens", model.context_effective),
        false => format!(
            "context {} tokens ({} were asked for)",
            model.context_effective, model.context_requested
        ),
    };
    let mut text = format!("{} {}, {context}", model.name, model.quantisation);
    if model.prompt_tokens > 0 {
        text.push_str(&format!(
            ", read {} at {:.0}/s, wrote {} at {:.0}/s",
            model.prompt_tokens,
            model.prefill_per_second,
            model.output_tokens,
            model.decode_per_second
        ));
    }
    text
}

/// The verifier in one sentence.
pub fn verifier(view: &View) -> String {
    let verdict = &view.verdict;
    let mut text = match (verdict.checked, verdict.failed) {
        (0, _) if view.report.findings.is_empty() => {
            "No cause is claimed, so nothing was checked.".to_owned()
        }
        (0, _) => "NO CLAIM WAS CHECKED.".to_owned(),
        (n, 0) => format!(
            "{} checked against the bundle, all hold.",
            plural(n, "claim", "claims")
        ),
        (n, failed) => format!(
            "{} checked against the bundle, {failed} did not hold.",
            plural(n, "claim", "claims")
        ),
    };
    if !verdict.dropped.is_empty() {
        text.push_str(&format!(
            " {} dropped.",
            plural(verdict.dropped.len() as u64, "finding was", "findings were")
        ));
    }
    if verdict.rejected {
        text.push_str(" The report as a whole was REJECTED.");
    }
    text
}

/// The lines that address a model, in one sentence.
pub fn injections(view: &View) -> String {
    let n = view.injections.len() as u64;
    let (these, were) = if n == 1 {
        ("speaks", "It was")
    } else {
        ("speak", "They were")
    };
    format!(
        "{} of this bundle {these} to a language model. {were} treated as data and followed by nobody.",
        plural(n, "line", "lines")
    )
}

/// Masked secrets in one sentence, or nothing.
pub fn masked(view: &View) -> Option<String> {
    let total: u64 = view
        .masked
        .iter()
        .map(|m| m.count)
        .fold(0, u64::saturating_add);
    let kinds: Vec<String> = view
        .masked
        .iter()
        .filter(|m| m.count > 0)
        .map(|m| format!("{} {}", m.count, m.kind))
        .collect();
    (total > 0).then(|| {
        format!(
            "{} masked before anything was shown: {}.",
            plural(total, "secret was", "secrets were"),
            kinds.join(", ")
        )
    })
}

/// `1 file`, `2 files`.
pub fn plural(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { many })
}

/// A whole number with a comma every three digits.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + 4);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A size in bytes for a person: `4.2 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return plural(bytes, "byte", "bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A duration for a person: `340 ms`, `12.4 s`, `3 min 05 s`.
pub fn duration(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{:.1} s", millis as f64 / 1000.0),
        _ => format!("{} min {:02} s", millis / 60_000, millis % 60_000 / 1000),
    }
}

/// The first characters of a hash, enough to compare by eye.
pub fn short_hash(hash: &str) -> String {
    hash.chars().take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(plural(1, "file", "files"), "1 file");
        assert_eq!(size(4_404_020), "4.2 MiB");
        assert_eq!(duration(185_000), "3 min 05 s");
        assert_eq!(confidence_full(0.914), "high (0.91)");
        assert_eq!(confidence_full(f64::NAN), "unknown");
    }

    #[test]
    fn a_seal_without_proof_is_a_weaker_seal() {
        let full = SealFacts {
            layers: 7,
            probes: 41,
            probes_denied: 41,
            weaker: vec![],
        };
        assert!(!is_weaker(&full));
        assert!(is_weaker(&SealFacts {
            probes_denied: 40,
            ..full.clone()
        }));
        assert!(is_weaker(&SealFacts {
            probes: 0,
            probes_denied: 0,
            ..full
        }));
        assert!(is_weaker(&SealFacts::default()));
    }
}
