//! `narrowroom classify`.

use super::{print, print_json};
use crate::error::{Context, ExitCode, Result};
use crate::files;
use crate::report::escape;
use crate::verify::command::{Checked, Policy, class_name, classify_lines};
use clap::Args;
use std::path::{Path, PathBuf};

/// Classify shell commands read from standard input: one a line, or JSON lines with `command`;
/// prints JSON lines with command, class and reasons.
#[derive(Args)]
pub struct Classify {
    /// An organisation's own policy beside the shipped one: TOML of the form that --print-policy prints
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Run the examples of every rule instead, and say which are judged otherwise than they say
    #[arg(long)]
    check: bool,
    /// With --check: print the result as JSON
    #[arg(long, requires = "check")]
    json: bool,
    /// Print the shipped policy instead
    #[arg(long, conflicts_with_all = ["check", "policy"])]
    print_policy: bool,
}

impl Classify {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        if self.print_policy {
            return print(Policy::shipped_text()).map(|()| ExitCode::Done);
        }
        let policy = read_policy(self.policy.as_deref())?;
        if self.check {
            let checked = policy.check();
            if self.json {
                print_json(&checked)?;
            } else {
                print(&text(&checked))?;
            }
            return Ok(if checked.holds() {
                ExitCode::Done
            } else {
                ExitCode::Usage
            });
        }
        classify_lines(
            &policy,
            &mut std::io::stdin().lock(),
            &mut std::io::stdout().lock(),
        )
        .or_fail(ExitCode::Usage, "failed to read or write commands")?;
        Ok(ExitCode::Done)
    }
}

/// The policy of a `--policy` option.
///
/// # Errors
/// The file can't be read or is no policy.
fn read_policy(path: Option<&Path>) -> Result<Policy> {
    read_policy_text(path)?.map_or_else(|| Ok(Policy::default()), |text| Policy::with_own(&text))
}

/// The text of a `--policy` option, which is known to be a policy.
///
/// # Errors
/// The file can't be read or is no policy.
pub(super) fn read_policy_text(path: Option<&Path>) -> Result<Option<String>> {
    let Some(path) = path else { return Ok(None) };
    let text = files::read_text(path).or_fail(
        ExitCode::Usage,
        format!("failed to read the policy {}", files::shown(path)),
    )?;
    Policy::with_own(&text)?;
    Ok(Some(text))
}

fn text(checked: &Checked) -> String {
    let mut out = String::new();
    for wrong in &checked.wrong {
        out.push_str(&format!(
            "WRONG  {}\n       is {}, the rule for {} says {}\n",
            escape::terminal(&wrong.command),
            class_name(wrong.class),
            escape::terminal(&wrong.rule),
            wrong.expected
        ));
        for reason in &wrong.reasons {
            out.push_str(&format!("       {}\n", escape::terminal(reason)));
        }
    }
    for rule in &checked.without_examples {
        out.push_str(&format!("WRONG  {}: no examples\n", escape::terminal(rule)));
    }
    out.push_str(&format!(
        "{} rules for {} programs, {} examples, {} judged otherwise than they say\n",
        checked.rules,
        checked.programs,
        checked.examples,
        checked.wrong.len()
    ));
    out
}
