//! Shared by the whole-program tests: running the program, making bundles, scratch directories.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A scratch directory with its own runs directory.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
        }
    }
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
    pub fn join(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    pub fn runs(&self) -> PathBuf {
        self.join("runs")
    }
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, bytes).expect("a file in the temporary directory");
        path
    }
    /// The program with this place as its home.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_narrowroom"));
        command
            .env("HOME", self.path())
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_STATE_HOME")
            .env("NO_COLOR", "1");
        command
    }
    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Ended {
        Ended::of(
            self.program()
                .args(args)
                .stdin(Stdio::null())
                .output()
                .expect("the program starts"),
        )
    }
    /// Runs it with text on standard input.
    pub fn run_with(&self, args: &[&str], input: &str) -> Ended {
        let mut child = self
            .program()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        child
            .stdin
            .take()
            .expect("its input")
            .write_all(input.as_bytes())
            .expect("it reads");
        Ended::of(child.wait_with_output().expect("it ends"))
    }
    /// Triages without the model and gives the report as JSON.
    pub fn triage(&self, bundle: &Path, more: &[&str]) -> (Ended, serde_json::Value) {
        let bundle = bundle.to_str().expect("a UTF-8 path");
        let runs = self.runs();
        let mut args = vec![
            "triage",
            bundle,
            "--json",
            "--runs",
            runs.to_str().expect("a UTF-8 path"),
        ];
        args.extend(more);
        let ended = self.run(&args);
        let report = serde_json::from_str(&ended.out).unwrap_or(serde_json::Value::Null);
        (ended, report)
    }
    /// What is in the runs directory, hidden names too; the audit log, which keeps a line about every
    /// run, is not a run.
    pub fn run_entries(&self) -> Vec<String> {
        let Ok(items) = std::fs::read_dir(self.runs()) else {
            return vec![];
        };
        items
            .map(|item| {
                item.expect("a name")
                    .file_name()
                    .into_string()
                    .expect("UTF-8")
            })
            .filter(|name| name != ".audit")
            .collect()
    }
}

/// How a run of the program ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn of(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let code = output
            .status
            .code()
            .unwrap_or_else(|| -output.status.signal().unwrap_or(0));
        Self {
            code,
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
    /// Checks the exit code and shows both streams when it is another.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(
            self.code, code,
            "stdout:\n{}\nstderr:\n{}",
            self.out, self.err
        );
        self
    }
    /// Checks that standard error says `words`.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(
            self.err.contains(words),
            "{words:?} is not in:\n{}",
            self.err
        );
        self
    }
}

/// Packs files into a `.tar.gz`.
pub fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
        Vec::new(),
        flate2::Compression::default(),
    ));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *bytes)
            .expect("an entry");
    }
    tar.into_inner()
        .expect("the archive")
        .finish()
        .expect("the stream")
}
