//! llama.cpp beside us: a Python of the user's that has llama-cpp-python, spoken to in lines of JSON.

#![expect(
    clippy::disallowed_methods,
    reason = "starts the Python that the person named"
)]

use super::Weighed;
use crate::error::{Context, Error, ExitCode, Result};
use serde::Deserialize;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// What runs inside Python.
const PROGRAM: &str = include_str!("llama.py");
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(900);

/// A running llama.cpp; ended when dropped.
pub struct Rival {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
    /// Version of llama-cpp-python.
    pub version: String,
    /// Seconds that loading the model took.
    pub load_seconds: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    error: Option<String>,
    version: String,
    load_seconds: f64,
    seconds: f64,
    nats: f64,
    tokens: Vec<u32>,
}

impl Rival {
    /// Starts `python` with the model in `gguf`.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] when Python or llama-cpp-python isn't there or can't load the model.
    pub fn start(python: &str, gguf: &Path, context: usize, threads: u32) -> Result<Self> {
        let hint =
            "install it (pip install llama-cpp-python), or name a Python that has it with --python";
        let mut child = Command::new(python)
            .args(["-c", PROGRAM])
            .arg(gguf)
            .args([context.to_string(), threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .or_fail(ExitCode::Usage, format!("start {python}"))
            .map_err(|error| error.hint(hint))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(Error::bug("a child has no pipes"));
        };
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(|line| line.ok()) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut rival = Self {
            child,
            stdin,
            lines,
            version: String::new(),
            load_seconds: 0.0,
        };
        let hello = rival
            .answer()
            .map_err(|error| Error::usage("run llama.cpp").source(error).hint(hint))?;
        rival.version = hello.version;
        rival.load_seconds = hello.load_seconds;
        Ok(rival)
    }
    /// Seconds to read `tokens` as a prompt.
    ///
    /// # Errors
    /// When llama.cpp fails.
    pub fn prompt(&mut self, tokens: &[u32]) -> Result<f64> {
        self.ask(&serde_json::json!({"do": "prompt", "tokens": tokens}))
            .map(|answer| answer.seconds)
    }
    /// Seconds to compute all but the first of `tokens`, one after the other.
    ///
    /// # Errors
    /// When llama.cpp fails.
    pub fn reply(&mut self, tokens: &[u32]) -> Result<f64> {
        self.ask(&serde_json::json!({"do": "reply", "tokens": tokens}))
            .map(|answer| answer.seconds)
    }
    /// Seconds to compute `reply` after `prompt`, one token after the other.
    ///
    /// # Errors
    /// When llama.cpp fails.
    pub fn write(&mut self, prompt: &[u32], reply: &[u32]) -> Result<f64> {
        self.ask(&serde_json::json!({"do": "write", "prompt": prompt, "reply": reply}))
            .map(|answer| answer.seconds)
    }
    /// Scores the tokens after position `first`, each after all before it.
    pub(super) fn score(&mut self, window: &[u32], first: usize) -> Result<Weighed> {
        let answer =
            self.ask(&serde_json::json!({"do": "score", "tokens": window, "first": first}))?;
        Ok(Weighed {
            nats: answer.nats,
            likeliest: answer.tokens,
        })
    }
    fn ask(&mut self, question: &serde_json::Value) -> Result<Answer> {
        writeln!(self.stdin, "{question}").or_fail(ExitCode::Usage, "talk to llama.cpp")?;
        self.answer()
    }
    fn answer(&mut self) -> Result<Answer> {
        let line = self
            .lines
            .recv_timeout(PATIENCE)
            .or_fail(ExitCode::Usage, "hear from llama.cpp")?;
        let answer: Answer =
            serde_json::from_str(&line).or_fail(ExitCode::Usage, "read what llama.cpp said")?;
        match answer.error {
            Some(error) => Err(Error::usage(format!("llama.cpp failed: {error}"))),
            None => Ok(answer),
        }
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
