//! The answer sheet of a labelled case, in the two forms that are read: `truth.json` and `expect.toml`.

use crate::error::{Context, Error, ExitCode, Result};
use serde::{Deserialize, Serialize};

/// What a case is an example of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// One root cause, with decisive evidence in the bundle.
    Positive,
    /// Nothing is wrong.
    Negative,
    /// Something is visibly wrong, and the files that would say why are not there.
    Abstain,
    /// Several unrelated faults.
    Multi,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Positive => "positive",
            Kind::Negative => "negative",
            Kind::Abstain => "abstain",
            Kind::Multi => "multi",
        })
    }
}

/// A line that decides a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decisive {
    /// Path inside the bundle, with or without its top folder.
    pub path: String,
    /// Expression, case-insensitive.
    pub regex: String,
}

/// One of several faults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Short name.
    #[serde(default)]
    pub name: String,
    /// As [`Truth::must`].
    pub must: Vec<Vec<String>>,
    /// As [`Truth::decisive`].
    #[serde(default)]
    pub decisive: Vec<Decisive>,
}

/// The right answer of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Name of the case.
    #[serde(default)]
    pub id: String,
    /// What it is an example of.
    pub kind: Kind,
    /// Where it comes from; folds of a cross-validation keep a source together.
    #[serde(default)]
    pub source: String,
    /// Layout of the bundle, as the corpus calls it.
    #[serde(default)]
    pub profile: String,
    /// Playbook of this case, if the layout's is not meant.
    #[serde(default)]
    pub playbook: Option<String>,
    /// The right answer in one sentence.
    #[serde(default)]
    pub summary: String,
    /// Groups of alternatives (case-insensitive expressions). A finding is right when every group has a
    /// match in its title, root cause, subject and quotes.
    #[serde(default)]
    pub must: Vec<Vec<String>>,
    /// Lines that decide the case.
    #[serde(default)]
    pub decisive: Vec<Decisive>,
    /// For several faults: each of them.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Other true faults of the bundle: naming them is no error.
    #[serde(default)]
    pub other_real_faults: Vec<String>,
    /// Files that were taken out of the bundle.
    #[serde(default)]
    pub removed: Vec<String>,
    /// Expressions for a useful "what is missing".
    #[serde(default)]
    pub missing: Vec<String>,
}

/// `expect.toml` of the project's own bundles; see fixtures/README.md.
#[derive(Debug, Deserialize)]
struct Expect {
    kind: String,
    #[serde(default)]
    playbook: Option<String>,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    cause: Vec<String>,
    #[serde(default)]
    decisive: Vec<Decisive>,
    #[serde(default)]
    faults: Vec<ExpectFault>,
    #[serde(default)]
    missing: Vec<String>,
    #[serde(default)]
    other_real_faults: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct ExpectFault {
    cause: Vec<String>,
    #[serde(default)]
    decisive: Vec<Decisive>,
}

/// Each expression of `cause` must match: a group of one.
fn groups(cause: Vec<String>) -> Vec<Vec<String>> {
    cause.into_iter().map(|one| vec![one]).collect()
}

impl Truth {
    /// Reads a `truth.json`.
    ///
    /// # Errors
    /// A usage error that names the case.
    pub fn from_json(id: &str, text: &str) -> Result<Self> {
        let mut truth: Self = serde_json::from_str(text).or_fail(
            ExitCode::Usage,
            format!("failed to read the truth of case {id}"),
        )?;
        truth.id = id.to_owned();
        truth.checked()
    }

    /// Reads an `expect.toml`.
    ///
    /// # Errors
    /// A usage error that names the case.
    pub fn from_expect(id: &str, text: &str) -> Result<Self> {
        let fail = || format!("failed to read the expectation of case {id}");
        let expect: Expect = toml::from_str(text).or_fail(ExitCode::Usage, fail())?;
        let kind = match (expect.kind.as_str(), expect.faults.is_empty()) {
            ("findings", true) => Kind::Positive,
            ("findings", false) => Kind::Multi,
            ("healthy", _) => Kind::Negative,
            ("insufficient-evidence", _) => Kind::Abstain,
            (other, _) => return Err(Error::usage(format!("{}: {other:?} is no kind", fail()))),
        };
        Self {
            id: id.to_owned(),
            kind,
            source: "own".into(),
            profile: String::new(),
            playbook: expect.playbook,
            summary: expect.summary,
            must: groups(expect.cause),
            decisive: expect.decisive,
            faults: expect
                .faults
                .into_iter()
                .enumerate()
                .map(|(at, fault)| Fault {
                    name: (at + 1).to_string(),
                    must: groups(fault.cause),
                    decisive: fault.decisive,
                })
                .collect(),
            other_real_faults: expect.other_real_faults,
            removed: vec![],
            missing: expect.missing,
        }
        .checked()
    }

    /// Refuses what no scorer could work with, before a run is spent on it.
    fn checked(self) -> Result<Self> {
        let wrong = |what: String| {
            Err(Error::usage(format!(
                "the truth of case {} cannot be used: {what}",
                self.id
            ))
            .hint("docs/eval.md describes the form of a labelled case"))
        };
        if self.kind == Kind::Positive && self.must.is_empty() {
            return wrong("a positive case says with `must` what a right finding says".into());
        }
        if self.kind == Kind::Multi && self.faults.is_empty() {
            return wrong("a case of several faults lists them in `faults`".into());
        }
        let must = self
            .must
            .iter()
            .chain(self.faults.iter().flat_map(|fault| &fault.must))
            .flatten();
        let decisive = self
            .decisive
            .iter()
            .chain(self.faults.iter().flat_map(|fault| &fault.decisive));
        for form in must
            .chain(&self.other_real_faults)
            .chain(&self.missing)
            .chain(decisive.map(|line| &line.regex))
        {
            if let Err(error) = super::score::expression(form) {
                return wrong(format!("{form:?} is no expression: {error}"));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_a_useless_one_is_refused() {
        let truth = Truth::from_json(
            "a",
            r#"{"kind": "positive", "must": [["disk", "volume"], ["full"]], "license": "x"}"#,
        )
        .unwrap();
        assert_eq!((truth.kind, truth.must.len()), (Kind::Positive, 2));
        let own =
            Truth::from_expect("b", "kind = \"findings\"\ncause = [\"disk\", \"full\"]").unwrap();
        assert_eq!(
            own.must,
            vec![vec!["disk".to_owned()], vec!["full".to_owned()]]
        );
        for bad in [
            r#"{"kind": "positive"}"#,
            r#"{"kind": "multi"}"#,
            r#"{"kind": "negative", "other_real_faults": ["("]}"#,
            r#"{"kind": "odd"}"#,
        ] {
            assert_eq!(
                Truth::from_json("c", bad).unwrap_err().exit,
                ExitCode::Usage,
                "{bad}"
            );
        }
        assert!(Truth::from_expect("d", "kind = \"perhaps\"").is_err());
    }
}
