//! `narrowroom attest show|verify RUN`.

use super::audit::{Public, key};
use super::{RunsDir, print, print_json};
use crate::attest;
use crate::error::{ExitCode, Result};
use crate::record;
use crate::report::escape;
use crate::report::wrap::wrap;
use clap::{Args, Subcommand};

/// The attestation of a run: in-toto statements in DSSE envelopes.
#[derive(Subcommand)]
pub enum Attest {
    /// Show the statements of a run
    Show(Show),
    /// Check the signatures and every digest of a run's statements
    Verify(Verify),
}

impl Attest {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Self::Show(args) => args.run(),
            Self::Verify(args) => args.run(),
        }
    }
}

/// Show the statements.
#[derive(Args)]
pub struct Show {
    /// Id of the run, or its beginning
    run: String,
    /// Print the statements as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl Show {
    fn run(self) -> Result<ExitCode> {
        let dir = record::find(&self.runs.path(), &self.run)?;
        let envelopes = attest::read(&dir)?;
        let statements = envelopes
            .iter()
            .map(attest::statement_of)
            .collect::<Result<Vec<_>>>()?;
        if self.json {
            return print_json(&statements).map(|()| ExitCode::Done);
        }
        let mut out = String::new();
        for (envelope, statement) in envelopes.iter().zip(&statements) {
            out.push_str(&format!(
                "{}\n",
                escape::terminal(&statement.predicate_type)
            ));
            if let Some(result) = statement.result() {
                out.push_str(&format!("  result   {}\n", escape::terminal(&result)));
            }
            for (field, word) in [
                ("passedTests", "held"),
                ("warnedTests", "accepted as missing"),
                ("failedTests", "FAILED"),
            ] {
                if let Some(tests) = statement.predicate[field]
                    .as_array()
                    .filter(|t| !t.is_empty())
                {
                    out.push_str(&format!("  probes   {} {word}\n", tests.len()));
                }
            }
            for field in ["name", "time"] {
                if let Some(text) = statement.predicate[field].as_str() {
                    out.push_str(&format!("  {field:<8} {}\n", escape::terminal(text)));
                }
            }
            for subject in &statement.subject {
                let digest = subject.digest.get("sha256").map_or("", String::as_str);
                out.push_str(&format!(
                    "  {:<11} {}\n",
                    escape::terminal(&subject.name),
                    escape::terminal(digest)
                ));
            }
            for signature in &envelope.signatures {
                out.push_str(&format!(
                    "  signed by {}\n",
                    escape::terminal(&signature.keyid)
                ));
            }
        }
        print(&out).map(|()| ExitCode::Done)
    }
}

/// Check the statements.
#[derive(Args)]
pub struct Verify {
    /// Id of the run, or its beginning
    run: String,
    #[command(flatten)]
    public: Public,
    /// A person's public key that must have signed off
    #[arg(long, value_name = "KEY|FILE")]
    person: Vec<String>,
    /// Print as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    runs: RunsDir,
}

impl Verify {
    fn run(self) -> Result<ExitCode> {
        let dir = record::find(&self.runs.path(), &self.run)?;
        let people = self
            .person
            .iter()
            .map(|text| key(text))
            .collect::<Result<Vec<_>>>()?;
        let checked = attest::verify(&dir, &self.public.demand()?, &people)?;
        let holds = checked.iter().all(|one| one.problems.is_empty());
        if self.json {
            print_json(&checked)?;
        } else {
            let mut out = String::new();
            for one in &checked {
                let result = one
                    .result
                    .as_ref()
                    .map(|result| format!(": {}", escape::terminal(result)))
                    .unwrap_or_default();
                let word = if one.problems.is_empty() {
                    "holds"
                } else {
                    "WRONG"
                };
                out.push_str(&format!(
                    "{word}  {}{result}\n",
                    escape::terminal(&one.predicate_type)
                ));
                for problem in &one.problems {
                    for line in wrap(&escape::terminal(problem), 72) {
                        out.push_str(&format!("       {line}\n"));
                    }
                }
                let good = one.signed_by.iter().filter(|(_, holds)| *holds).count();
                out.push_str(&format!(
                    "       {good} of {} signatures checked with a known key\n",
                    one.signatures
                ));
            }
            print(&out)?;
        }
        Ok(if holds {
            ExitCode::Done
        } else {
            ExitCode::Rejected
        })
    }
}
