//! Which commands are known: the shipped table, and an organisation's own beside it.
//!
//! An own table has the shipped one's form. It adds programs, and it can make known ones stricter; what the shipped
//! policy knows to change or destroy something stays what it is.

use super::table::{SHIPPED_TEXT, Table, Tool};
use super::{Classified, Judge, class_name};
use crate::error::{Error, ExitCode, Result};
use crate::report::CommandClass;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// Largest policy file, in bytes.
pub const MAX_POLICY_BYTES: usize = 1 << 20;

/// The shipped policy, with an organisation's own beside it if there is one.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    own: Option<Arc<Own>>,
}

#[derive(Debug)]
struct Own {
    table: Table,
    sha256: String,
}

/// An example of a rule that is not judged as it says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WrongExample {
    /// The rule's programs.
    pub rule: String,
    /// The command.
    pub command: String,
    /// What the example says.
    pub expected: String,
    /// What it is judged to be.
    pub class: CommandClass,
    /// Why.
    pub reasons: Vec<String>,
}

/// The result of running every rule's examples.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Checked {
    /// Rules that were checked.
    pub rules: usize,
    /// Programs they name.
    pub programs: usize,
    /// Examples that were judged.
    pub examples: usize,
    /// Rules without any example.
    pub without_examples: Vec<String>,
    /// Examples that are judged otherwise than they say.
    pub wrong: Vec<WrongExample>,
}

impl Checked {
    /// Whether every rule has examples and keeps them.
    pub fn holds(&self) -> bool {
        self.wrong.is_empty() && self.without_examples.is_empty()
    }
}

impl Policy {
    /// The shipped policy with an own one beside it.
    ///
    /// # Errors
    /// Usage: the text is too large or no policy.
    pub fn with_own(text: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::new(ExitCode::Usage, format!("the policy can't be used: {why}"))
                .hint("it has the form that `narrowroom classify --print-policy` prints; `classify --policy FILE --check` runs its examples")
        };
        if text.len() > MAX_POLICY_BYTES {
            return Err(wrong(format!("it is larger than {MAX_POLICY_BYTES} bytes")));
        }
        let table = Table::parse(text).map_err(wrong)?;
        Ok(Self {
            own: Some(Arc::new(Own {
                table,
                sha256: hex::encode(Sha256::digest(text.as_bytes())),
            })),
        })
    }

    /// SHA-256 of the own policy, if there is one.
    pub fn sha256(&self) -> Option<&str> {
        self.own.as_deref().map(|own| own.sha256.as_str())
    }

    /// The shipped policy's text.
    pub fn shipped_text() -> &'static str {
        SHIPPED_TEXT
    }

    pub(super) fn own(&self) -> Option<&Table> {
        self.own.as_deref().map(|own| &own.table)
    }

    /// Judges one command, or several lines of shell.
    pub fn classify(&self, command: &str) -> Classified {
        Judge::of(command, self.clone())
    }

    /// Runs the examples of every rule, shipped and own.
    pub fn check(&self) -> Checked {
        let mut checked = Checked::default();
        for tool in Table::shipped().entries() {
            Self::default().check_tool(tool, &mut checked);
        }
        for tool in self.own().map(Table::entries).unwrap_or_default() {
            self.check_tool(tool, &mut checked);
        }
        checked
    }

    fn check_tool(&self, tool: &Tool, checked: &mut Checked) {
        checked.rules += 1;
        checked.programs += tool.names.split_whitespace().count();
        let only_reads = tool
            .ok
            .iter()
            .map(|example| (example, Some(CommandClass::ReadOnly)));
        let others = tool.no.iter().map(|example| (example, None));
        let classed = tool
            .examples
            .iter()
            .flat_map(|(class, examples)| examples.iter().map(|example| (example, Some(*class))));
        let mut any = false;
        for (example, expected) in only_reads.chain(others).chain(classed) {
            any = true;
            checked.examples += 1;
            let judged = self.classify(example);
            let holds = match expected {
                Some(class) => judged.class == class,
                None => judged.class != CommandClass::ReadOnly,
            };
            if !holds {
                checked.wrong.push(WrongExample {
                    rule: tool
                        .names
                        .split_whitespace()
                        .take(6)
                        .collect::<Vec<_>>()
                        .join(" "),
                    command: example.clone(),
                    expected: expected.map_or_else(
                        || "not read-only".to_owned(),
                        |class| class_name(class).to_owned(),
                    ),
                    class: judged.class,
                    reasons: judged.reasons,
                });
            }
        }
        if !any {
            checked.without_examples.push(tool.names.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = r#"
[[tools]]
names = "acmectl kubectl rm"
[tools.subs]
read-only = ["status, delete, -rf"]
changes-state = ["sync, logs"]
[tools.examples]
read-only = ["acmectl status"]
changes-state = ["acmectl sync", "kubectl logs x"]
destructive = ["kubectl delete pod x", "rm -rf x"]
"#;

    #[test]
    fn every_shipped_rule_keeps_its_examples() {
        let checked = Policy::default().check();
        assert!(
            checked.holds(),
            "{:#?} {:#?}",
            checked.wrong,
            checked.without_examples
        );
        assert!(
            checked.programs > 500 && checked.examples > 500,
            "{checked:?}"
        );
    }

    #[test]
    fn an_own_policy_adds_programs_and_makes_known_ones_stricter_only() {
        let policy = Policy::with_own(OWN).unwrap();
        let checked = policy.check();
        assert!(checked.holds(), "{:#?}", checked.wrong);
        assert_eq!(
            Policy::default().classify("acmectl status").class,
            CommandClass::Unknown
        );
        assert_eq!(
            policy.classify("sudo acmectl status && ls").class,
            CommandClass::ReadOnly
        );
        assert!(policy.sha256().is_some() && Policy::default().sha256().is_none());
    }

    #[test]
    fn a_policy_that_is_none_is_refused() {
        for text in [
            "x",
            "[[tools]]\nnames = \"a\"\nfrob = 1\n",
            "[[tools]]\nnames = \"a\"\n[[tools]]\nnames = \"a\"\n",
        ] {
            assert!(Policy::with_own(text).is_err(), "{text}");
        }
        let wrong = Policy::with_own("[[tools]]\nnames = \"a\"\nok = [\"a x\"]\n")
            .unwrap()
            .check();
        assert_eq!(wrong.wrong.len(), 1);
        assert!(!wrong.holds());
    }

    #[test]
    fn a_rule_without_examples_does_not_hold() {
        let own = |examples: &str| {
            let text =
                format!("[[tools]]\nnames = \"acmectl acmeadm\"\nbase = \"read-only\"\n{examples}");
            Policy::with_own(&text).unwrap().check()
        };
        let none = own("");
        assert_eq!(none.without_examples, ["acmectl acmeadm"]);
        assert!(none.wrong.is_empty() && !none.holds());
        let some = own("ok = [\"acmectl x\", \"acmeadm\"]");
        assert!(some.holds(), "{some:?}");
        let shipped = Policy::default().check();
        assert_eq!(some.rules, shipped.rules + 1);
        assert_eq!(some.programs, shipped.programs + 2);
        assert_eq!(some.examples, shipped.examples + 2);
    }

    #[test]
    fn a_policy_may_be_as_large_as_the_limit() {
        let of = |bytes: usize| {
            let tool = "[[tools]]\nnames = \"acmectl\"\n#";
            Policy::with_own(&format!("{tool}{}", "x".repeat(bytes - tool.len())))
        };
        assert!(of(MAX_POLICY_BYTES).is_ok());
        let error = of(MAX_POLICY_BYTES + 1).unwrap_err();
        assert!(error.to_string().contains("larger"), "{error}");
    }

    #[test]
    fn the_shipped_text_is_a_policy() {
        assert!(Policy::with_own(Policy::shipped_text()).is_ok());
    }
}
