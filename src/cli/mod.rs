//! The command line: a file a sub-command, no logic.
//!
//! Owns: arguments, what is printed where, exit codes. Data goes to standard output only; progress,
//! warnings and errors to standard error. Touches: the terminal. Zone: 0.

mod attest;
mod audit;
mod batch;
mod classify;
mod collect;
mod diff;
mod docs;
mod doctor;
mod eval;
mod guard;
mod model;
mod packet;
mod playbook;
mod rerun;
mod review;
mod runs;
mod terminal;
mod timings;
mod triage;
mod unpack;
mod verify;

use crate::error::{Error, ExitCode, Result};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Triage a customer's private diagnostic bundle with a local model in a sealed room
#[derive(Parser)]
#[command(
    name = "narrowroom",
    version,
    max_term_width = 80,
    after_help = "Exit codes: 0 done, 1 a bug in narrowroom, 2 usage, 3 input refused, 4 the seal\ncould not be enforced, 5 the verifier rejected the output, 6 a limit stopped\nthe run, 7 secrets found, 130 interrupted.\n\nNothing leaves this machine: the program holds no network client, and every\nprocess that sees the bundle is sealed. `narrowroom doctor` shows what this\nmachine can enforce."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find the likely root cause in a bundle, with verified evidence
    Triage(triage::Triage),
    /// Unpack an archive safely: sealed, within limits, with a list of what was refused
    Unpack(unpack::Unpack),
    /// Check a report, ours or another tool's, against a bundle
    Verify(verify::Verify),
    /// Search what a change adds for secrets, before it is committed
    Guard(Box<guard::Guard>),
    /// Triage many bundles: plan, run, resume, merge
    #[command(subcommand)]
    Batch(batch::Batch),
    /// Collect a bundle on the customer's side: reads only, masks secrets
    Collect(collect::Collect),
    /// Show what this machine can enforce, with the probes run now
    Doctor(doctor::Doctor),
    /// List the runs that were made
    Runs(runs::Runs),
    /// Show a run: report, record, exact prompts and raw outputs
    Show(runs::Show),
    /// Repeat a run with the same inputs and say whether the result is the same
    Rerun(rerun::Rerun),
    /// Show what differs between two runs, by claim
    Diff(diff::Diff),
    /// The append-only log over all runs: list, verify, prove, export
    #[command(subcommand)]
    Audit(audit::Audit),
    /// The signed statements about a run: show, verify
    #[command(subcommand)]
    Attest(attest::Attest),
    /// Review a run claim by claim, on a page of this machine or in the terminal, and sign it
    Review(Box<review::Review>),
    /// Print the reply to the customer that an approved run allows
    Reply(review::Reply),
    /// Local models: import, list, inspect, bench, what runs now, prune
    #[command(subcommand)]
    Model(Box<model::Model>),
    /// List, write, check, test and lock playbooks
    #[command(subcommand)]
    Playbook(playbook::Playbook),
    /// Write a masked packet of a run for a person to approve; nothing is sent
    Packet(packet::Packet),
    /// Run labelled incidents, score the answers, hold them to thresholds
    Eval(Box<eval::Eval>),
    /// Classify shell commands read from standard input
    Classify(classify::Classify),
    /// Print the JSON Schema of what is read and written: report, verdict, record, …
    Schema(docs::Schema),
    /// Print shell completions
    Completions(docs::Completions),
    /// Print the manual page
    Man(docs::Man),
    #[command(name = "__worker", hide = true)]
    Worker { zone: String },
}

/// Where runs are kept; shared by several sub-commands.
#[derive(Args, Clone)]
pub struct RunsDir {
    /// Directory of the runs [default: $XDG_STATE_HOME/narrowroom/runs or ~/.local/state/narrowroom/runs]
    #[arg(long, value_name = "DIR")]
    runs: Option<PathBuf>,
}

impl RunsDir {
    fn path(&self) -> PathBuf {
        let path = self.runs.clone().unwrap_or_else(crate::files::runs_dir);
        // Workers start in another directory.
        std::path::absolute(&path).unwrap_or(path)
    }
}

/// Runs the command line; the number is the process's exit code.
pub fn main() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() {
                ExitCode::Usage.code()
            } else {
                ExitCode::Done.code()
            };
        }
    };
    if let Command::Worker { zone } = &cli.command {
        return crate::room::worker_main(zone).code();
    }
    crate::seal::without_core();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        eprintln!(
            "error: a bug in narrowroom{place}\n hint: please report it; the place is enough, it holds nothing of a bundle"
        );
    }));
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dispatch(cli.command))) {
        Ok(Ok(exit)) => exit.code(),
        Ok(Err(error)) => {
            terminal::error(&error);
            error.exit.code()
        }
        Err(_) => ExitCode::Bug.code(),
    }
}

fn dispatch(command: Command) -> Result<ExitCode> {
    match command {
        Command::Triage(args) => args.run(),
        Command::Unpack(args) => args.run(),
        Command::Verify(args) => args.run(),
        Command::Guard(args) => args.run(),
        Command::Batch(args) => args.run(),
        Command::Collect(args) => args.run(),
        Command::Doctor(args) => args.run(),
        Command::Runs(args) => args.run(),
        Command::Show(args) => args.run(),
        Command::Rerun(args) => args.run(),
        Command::Diff(args) => args.run(),
        Command::Audit(args) => args.run(),
        Command::Attest(args) => args.run(),
        Command::Review(args) => args.run(),
        Command::Reply(args) => args.run(),
        Command::Model(args) => args.run(),
        Command::Playbook(args) => args.run(),
        Command::Packet(args) => args.run(),
        Command::Eval(args) => args.run(),
        Command::Classify(args) => args.run(),
        Command::Schema(args) => args.run(),
        Command::Completions(args) => args.run(),
        Command::Man(args) => args.run(),
        Command::Worker { .. } => Err(Error::bug("a worker was started twice")),
    }
}

/// Fewest descriptors that a run gets along with: its event loop takes nine, a worker's pipes six,
/// the files of a run a few more.
const MIN_OPEN_FILES: u64 = 40;

/// Asks for as many open files as a run needs.
///
/// # Errors
/// A limit, when those are too few for any run: better now than in the middle.
fn allow_open_files() -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let enough = |files: Option<u64>| files.is_none_or(|files| files >= MIN_OPEN_FILES);
    let raised = Rlimit {
        current: Some(MIN_OPEN_FILES),
        ..limit
    };
    if enough(limit.current) || enough(limit.maximum) && setrlimit(Resource::Nofile, raised).is_ok()
    {
        return Ok(());
    }
    Err(
        Error::limit("this shell allows too few open files for a run").hint(format!(
            "allow {MIN_OPEN_FILES} or more, with: ulimit -n 1024"
        )),
    )
}

/// Runs a future on the coordinator's single thread.
fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    allow_open_files()?;
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::bug("failed to start").source(error))?;
    runtime.block_on(async {
        // Whoever listens for the signal of a file over its limit gets an error from the write instead.
        let _listening = signal(SignalKind::from_raw(libc::SIGXFSZ));
        work.await
    })
}

/// Prints to standard output; a closed pipe ends quietly.
fn print(text: &str) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Error::usage("failed to write to standard output").source(error)),
        Ok(()) => Ok(()),
    }
}

fn print_json<T: serde::Serialize>(value: &T) -> Result<()> {
    print(&String::from_utf8_lossy(&crate::record::pretty(value)?))
}
