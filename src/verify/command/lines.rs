//! `narrowroom classify`: commands one a line in, verdicts one a line out.

use super::Policy;
use crate::error::{Context, Error, ExitCode, Result};
use std::io::{BufRead, Read, Write};

/// Longest input line, in bytes.
const MAX_LINE_BYTES: u64 = 256 << 10;

/// Reads commands from `input`, one a line or as JSON lines with a `command`, and writes one JSON line for each:
/// `{"command": …, "class": …, "reasons": […]}`. Empty lines are skipped. Gives the number judged.
///
/// # Errors
/// A line over 256 KiB, a JSON line without a text `command`, or what reading and writing say.
pub fn classify_lines(
    policy: &Policy,
    mut input: impl BufRead,
    mut output: impl Write,
) -> Result<usize> {
    let mut line = Vec::new();
    let (mut number, mut judged) = (0usize, 0usize);
    loop {
        line.clear();
        let read = input
            .by_ref()
            .take(MAX_LINE_BYTES + 1)
            .read_until(b'\n', &mut line)
            .or_fail(ExitCode::InputRefused, "failed to read the commands")?;
        if read == 0 {
            break;
        }
        number += 1;
        if read as u64 > MAX_LINE_BYTES {
            return Err(Error::refused(format!(
                "line {number} is longer than {MAX_LINE_BYTES} bytes"
            ))
            .hint("give one command a line"));
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if text.trim().is_empty() {
            continue;
        }
        let command = match text
            .trim_start()
            .starts_with("{\"")
            .then(|| serde_json::from_str::<serde_json::Value>(text))
        {
            Some(Ok(value)) => value
                .get("command")
                .and_then(|command| command.as_str())
                .ok_or_else(|| {
                    Error::refused(format!("line {number} is JSON without a text `command`"))
                        .hint("give {\"command\": \"…\"} or the plain command")
                })?
                .to_owned(),
            _ => text.to_owned(),
        };
        let judgement = policy.classify(&command);
        let out = serde_json::json!({"command": command, "class": judgement.class, "reasons": judgement.reasons});
        writeln!(output, "{out}")
            .or_fail(ExitCode::InputRefused, "failed to write the verdicts")?;
        judged += 1;
    }
    output
        .flush()
        .or_fail(ExitCode::InputRefused, "failed to write the verdicts")?;
    Ok(judged)
}
