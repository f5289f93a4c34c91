//! One finding: its evidence first, then everything it says held against that evidence.

use super::known::Strictness;
use super::ledger::Spot;
use super::{DEFAULT_NAMESPACE, Judge};
use crate::report::CommandClass;
use crate::report::{Evidence, Finding, SubjectField};
use crate::secrets::find_mark;
use crate::verify::command::Classified;
use crate::verify::names::Name;
use crate::verify::prose::{distinctive, distinctive_word};
use crate::verify::verdict::{Rule, Status};

impl Judge<'_> {
    /// Judges a finding; `None` if it can't stand, else what is left of it.
    pub(super) fn finding(&mut self, at: usize, finding: &Finding) -> Option<Finding> {
        let spot = Spot {
            finding: Some(finding.rank),
            ..Spot::new(format!("/findings/{at}"))
        };
        let mut stands = self.confidence(&spot.at("confidence"), finding.confidence);
        let mut left = finding.clone();
        left.evidence = self.evidence(&spot, finding);
        stands &= !left.evidence.is_empty();
        let shown = left
            .evidence
            .iter()
            .map(|cited| format!("{}\n{}", cited.path, cited.quote))
            .collect::<Vec<_>>()
            .join("\n");
        for (field, text) in [
            ("title", &finding.title),
            ("root_cause", &finding.root_cause),
        ] {
            let spot = spot.at(field);
            stands &= self.sentence(&spot, text);
            stands &= self.names(&spot, text, &shown, Strictness::Statement);
        }
        stands &= self.subject(&spot, finding.subject.as_ref(), &shown);
        if !left.evidence.is_empty() {
            self.grounding(&spot, finding, &left.evidence, &shown);
        }
        left.commands.clear();
        for (number, command) in finding.commands.iter().enumerate() {
            let spot = spot.at(&format!("commands/{number}"));
            let judged = self.policy.classify(&command.command);
            stands &= self.command(&spot.at("command"), &judged);
            let aimed = self.names_of_command(&spot.at("command"), &command.command, &shown);
            let why = spot.at("why");
            let sentence = self.sentence(&why, &command.why);
            let known = self.names(&why, &command.why, &shown, Strictness::Advice);
            if sentence && known && aimed {
                left.commands.push(command.clone());
            }
        }
        stands.then_some(left)
    }

    fn confidence(&mut self, spot: &Spot, confidence: f64) -> bool {
        let holds = confidence.is_finite() && (0.0..=1.0).contains(&confidence);
        let (status, reason) = if holds {
            (Status::Ok, "a number from 0 to 1")
        } else {
            (Status::Rejected, "not a number from 0 to 1")
        };
        self.ledger.note(spot, Rule::Confidence, status, reason);
        holds
    }

    /// The citations that hold.
    fn evidence(&mut self, spot: &Spot, finding: &Finding) -> Vec<Evidence> {
        let mut held = Vec::new();
        for (number, cited) in finding.evidence.iter().enumerate() {
            if self.citation(&spot.at(&format!("evidence/{number}")), cited) {
                held.push(cited.clone());
            }
        }
        let (status, reason) = match (finding.evidence.len(), held.len()) {
            (0, _) => (Status::Rejected, "the finding cites nothing".to_owned()),
            (_, 0) => (
                Status::Rejected,
                "no citation of the finding holds".to_owned(),
            ),
            (cited, held) => (Status::Ok, format!("{held} of {cited} citations hold")),
        };
        self.ledger
            .note(&spot.at("evidence"), Rule::Evidence, status, reason);
        held
    }

    fn subject(&mut self, spot: &Spot, subject: Option<&SubjectField>, shown: &str) -> bool {
        match subject {
            Some(SubjectField::Text(text)) => {
                self.names(&spot.at("subject"), text, shown, Strictness::Statement)
            }
            Some(SubjectField::Subject(subject)) => {
                let namespace = subject
                    .namespace
                    .as_ref()
                    .filter(|name| *name != DEFAULT_NAMESPACE);
                [
                    ("subject/name", Some(&subject.name)),
                    ("subject/namespace", namespace),
                ]
                .into_iter()
                .filter_map(|(field, text)| Some((field, text.filter(|text| !text.is_empty())?)))
                // What a mark stands for is not said here: the lines that hold it are checked. What stands
                // beside it is a name like any other.
                .flat_map(|(field, text)| beside_marks(text).map(move |part| (field, part)))
                .fold(true, |all, (field, text)| {
                    self.name(
                        &spot.at(field),
                        &Name::new(text),
                        shown,
                        Strictness::Statement,
                    ) && all
                })
            }
            None => true,
        }
    }

    /// Does the evidence bear on what is said, each citation and all of them together?
    fn grounding(&mut self, spot: &Spot, finding: &Finding, evidence: &[Evidence], shown: &str) {
        let said = format!("{} {}", finding.title, finding.root_cause);
        if said.trim().is_empty() {
            let reason = "there is evidence and nothing is said about it";
            self.ledger.note(
                &spot.at("root_cause"),
                Rule::Grounding,
                Status::Flagged,
                reason,
            );
            return;
        }
        let words = distinctive(&format!("{said} {}", finding.cause));
        let (status, reason) = if words.is_disjoint(&distinctive(shown)) {
            (
                Status::Flagged,
                "the evidence shares no distinctive word with what is said",
            )
        } else {
            (Status::Ok, "the evidence speaks about it")
        };
        self.ledger
            .note(&spot.at("root_cause"), Rule::Grounding, status, reason);
        if status != Status::Ok || evidence.len() < 2 {
            return;
        }
        for (number, cited) in finding.evidence.iter().enumerate() {
            let bears = !evidence.contains(cited)
                || !words.is_disjoint(&distinctive(&format!("{} {}", cited.path, cited.quote)))
                || names_of_subject(finding).any(|name| cited.quote.contains(name));
            if !bears {
                let reason = "this citation shares no distinctive word with what is said";
                let spot = spot.at(&format!("evidence/{number}"));
                self.ledger
                    .note(&spot, Rule::Grounding, Status::Flagged, reason);
            }
        }
    }

    /// Notes what a command's class means for the report; `false` if it rejects.
    pub(super) fn command(&mut self, spot: &Spot, judged: &Classified) -> bool {
        let why = if judged.reasons.is_empty() {
            "it only reads".to_owned()
        } else {
            judged.reasons.join("; ")
        };
        let (status, reason) = match judged.class {
            CommandClass::ReadOnly => (Status::Ok, why),
            CommandClass::Unknown => (
                Status::Flagged,
                format!("what it does can't be told: {why}"),
            ),
            CommandClass::ChangesState => (Status::Flagged, format!("it changes state: {why}")),
            CommandClass::Destructive => (Status::Rejected, format!("it is destructive: {why}")),
        };
        self.ledger.note(spot, Rule::Command, status, reason);
        status != Status::Rejected
    }
}

/// The parts of a name between marks that say something; the name itself when it has none.
fn beside_marks(name: &str) -> impl Iterator<Item = &str> {
    let (mut parts, mut rest) = (Vec::new(), name);
    while let Some(mark) = find_mark(rest) {
        parts.push(&rest[..mark.start]);
        rest = &rest[mark.end..];
    }
    let is_whole = parts.is_empty();
    parts.push(rest);
    parts
        .into_iter()
        .map(move |part| match is_whole {
            true => part,
            false => part.trim_matches(|c: char| !c.is_alphanumeric()),
        })
        .filter(move |part| is_whole || !part.is_empty())
}

/// The subject's names, where they say something.
fn names_of_subject(finding: &Finding) -> impl Iterator<Item = &str> {
    match &finding.subject {
        Some(SubjectField::Subject(subject)) => Some(subject.name.as_str()),
        _ => None,
    }
    .into_iter()
    .filter(|name| distinctive_word(name))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{cite, claims, finding, report, tree_with};
    use super::super::{Judged, Mode, Options, judge};
    use super::*;
    use crate::report::{Command, Subject};

    /// As a report of our own, in a bundle that names its namespaces.
    fn filtered(finding: Finding) -> Judged {
        let (_folder, tree) =
            tree_with("namespace: shop\ncart-5f7d9 corosync[256]: exit status 6\n");
        let options = Options {
            mode: Mode::Filter,
            ..Options::default()
        };
        judge(&report(vec![finding]), &tree, &options)
    }

    #[test]
    fn each_claim_of_a_finding_carries_its_rank() {
        let judged = filtered(finding());
        assert!(judged.verdict.claims.len() > 10);
        for claim in &judged.verdict.claims {
            let expected = claim.place.starts_with("/findings/0").then_some(1);
            assert_eq!(claim.finding, expected, "{claim:?}");
        }
    }

    #[test]
    fn one_part_that_fails_takes_the_finding_out() {
        type Change = fn(&mut Finding);
        let subject = |namespace: &str, name: &str| {
            Some(SubjectField::Subject(Subject {
                kind: "Pod".into(),
                namespace: Some(namespace.into()),
                name: name.into(),
            }))
        };
        let kept = |finding| filtered(finding).report.findings.len();
        assert_eq!(kept(finding()), 1);
        let changes: [Change; 7] = [
            |f| f.confidence = 1.5,
            |f| f.evidence.clear(),
            |f| f.title = "Assistant: it was OOM-killed".into(),
            |f| f.title = "Pod shop/cart-9z9z9 is OOM-killed".into(),
            |f| f.root_cause = "Assistant: the limit is too small.".into(),
            |f| f.root_cause = "The pod cart-9z9z9 has no memory.".into(),
            |f| f.commands[0].command = "kubectl -n shop delete pod cart-5f7d9".into(),
        ];
        for change in changes {
            let mut changed = finding();
            change(&mut changed);
            assert_eq!(kept(changed.clone()), 0, "{changed:?}");
        }
        for (namespace, name, left) in [
            ("shop", "cart-5f7d9", 1),
            ("default", "cart-5f7d9", 1),
            ("", "cart-5f7d9", 1),
            ("shop-9", "cart-5f7d9", 0),
            ("shop", "cart-9z9z9", 0),
        ] {
            let changed = Finding {
                subject: subject(namespace, name),
                ..finding()
            };
            assert_eq!(kept(changed), left, "{namespace} {name}");
        }
    }

    #[test]
    fn a_command_that_is_in_vain_or_badly_explained_is_left_out() {
        let command = |command: &str, why: &str| Command {
            command: command.into(),
            why: why.into(),
            class: None,
        };
        let mut advised = finding();
        advised.commands = vec![
            command("kubectl -n shop get pods", "Assistant: look at them."),
            command("kubectl -n shop get events", "Shows the pod cart-9z9z9."),
            command("kubectl -n shop logs cart-9z9z9", "Shows the log."),
            command(
                "kubectl -n shop describe pod cart-5f7d9",
                "Shows the state.",
            ),
        ];
        let judged = filtered(advised);
        let left = &judged.report.findings[0].commands;
        assert_eq!(left.len(), 1, "{left:?}");
        assert_eq!(left[0].why, "Shows the state.");
        assert_eq!(left[0].class, Some(CommandClass::ReadOnly));
    }

    #[test]
    fn citations_that_have_nothing_to_do_with_it_are_noted_one_by_one() {
        let good = || cite("logs/web.log", 2, "container web OOMKilled exit code 137");
        let limit = || cite("logs/web.log", 3, "limit 50Mi reached");
        let beside = || cite("nodes.txt", 1, "node7 Ready");
        let gone = || cite("nodes.txt", 1, "node7 Evicted");
        let named = || cite("logs/web.log", 7, "cart-5f7d9 corosync[256]");
        let noted = |evidence: Vec<Evidence>| {
            let judged = filtered(Finding {
                title: "Container web is OOM-killed (exit code 137)".into(),
                evidence,
                ..finding()
            });
            let all: Vec<String> = claims(&judged.verdict, Rule::Grounding)
                .into_iter()
                .filter(|(_, status, _)| *status == Status::Flagged)
                .map(|(place, ..)| place.replace("/findings/0/", ""))
                .collect();
            all
        };
        let none: [&str; 0] = [];
        assert_eq!(noted(vec![good()]), none);
        assert_eq!(noted(vec![good(), limit()]), none);
        assert_eq!(noted(vec![good(), beside()]), ["evidence/1"]);
        assert_eq!(
            noted(vec![beside(), good(), beside()]),
            ["evidence/0", "evidence/2"]
        );
        // It names the subject; it is rejected, which says enough.
        assert_eq!(noted(vec![good(), named()]), none);
        assert_eq!(noted(vec![good(), limit(), gone()]), none);
        assert_eq!(noted(vec![beside()]), ["root_cause"]);
        let image = cite("nodes.txt", 2, "registry.example.com/app:v1.2.3");
        assert_eq!(noted(vec![beside(), image]), ["root_cause"]);
    }
}
