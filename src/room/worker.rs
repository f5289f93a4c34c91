//! The coordinator's end of a sealed worker: start it, talk to it in frames, end it.

use super::frame::{self, FrameError};
use super::order::Order;
use super::protocol::{BOOT_VARIABLE, Boot, FromWorker, ToWorker};
use crate::error::{Context, Error, ExitCode, Result};
use crate::seal::Zone;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A running worker. Dropping it kills the process, and with it everything in its namespace.
pub struct Worker {
    zone: Zone,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    order: Order,
}

impl Worker {
    /// Starts a worker with an empty environment; `input` becomes its standard input (zone 1),
    /// otherwise frames are sent there.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn spawn(zone: Zone, boot: &Boot, input: Option<std::fs::File>) -> Result<Self> {
        Self::start(zone, zone.name(), boot, input)
    }

    /// Starts a worker that seals itself, proves it, and does nothing else; for `doctor`.
    ///
    /// # Errors
    /// As [`Self::spawn`].
    pub fn trial(zone: Zone, boot: &Boot) -> Result<Self> {
        Self::start(
            zone,
            &format!("{}{}", super::TRIAL, zone.name()),
            boot,
            None,
        )
    }

    /// Starts a worker of the guard in the seal of `zone`.
    ///
    /// # Errors
    /// As [`Self::spawn`].
    pub fn guard(zone: Zone, boot: &Boot) -> Result<Self> {
        Self::start(
            zone,
            &format!("{}{}", super::GUARD, zone.name()),
            boot,
            None,
        )
    }

    fn start(zone: Zone, task: &str, boot: &Boot, input: Option<std::fs::File>) -> Result<Self> {
        let order = Order::new(zone, boot, task.starts_with(super::TRIAL));
        let boot =
            serde_json::to_string(boot).or_fail(ExitCode::Bug, "failed to describe a worker")?;
        let stdin = input.map_or_else(Stdio::piped, Stdio::from);
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("narrowroom")
            .args(["__worker", task])
            .env_clear()
            .env(BOOT_VARIABLE, boot)
            .env("ORT_DISABLE_TELEMETRY", "1")
            .current_dir("/")
            .stdin(stdin)
            .stdout(Stdio::piped())
            // A library's diagnostics may repeat the bundle's text: they reach nobody.
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        #[cfg(feature = "layer-mutation")]
        for name in super::hostile::VARIABLES {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let mut child = command.spawn().map_err(|error| not_started(zone, error))?;
        let stdin = child.stdin.take();
        let stdout = child
            .stdout
            .take()
            .ok_or_else(|| Error::bug("a worker has no output"))?;
        Ok(Self {
            zone,
            child,
            stdin,
            stdout,
            order,
        })
    }

    /// Sends one frame.
    ///
    /// # Errors
    /// When its input fails. A worker that is gone is no failure yet: [`Self::next`] and [`Self::end`]
    /// say why it went.
    pub async fn send(&mut self, message: &ToWorker) -> Result<()> {
        use tokio::io::AsyncWriteExt;
        let mut bytes = Vec::new();
        frame::write(&mut bytes, message).or_fail(ExitCode::Bug, "failed to write a frame")?;
        let stdin = self
            .stdin
            .as_mut()
            .ok_or_else(|| Error::bug("a worker's input is closed"))?;
        written(self.zone, stdin.write_all(&bytes).await)
    }

    /// Sends bytes as they are, for a task that reads more than frames.
    ///
    /// # Errors
    /// When its input fails. A worker that is gone is no failure yet: [`Self::next`] and [`Self::end`]
    /// say why it went.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        use tokio::io::AsyncWriteExt;
        let stdin = self
            .stdin
            .as_mut()
            .ok_or_else(|| Error::bug("a worker's input is closed"))?;
        written(self.zone, stdin.write_all(bytes).await)
    }

    /// Says that nothing more will be sent.
    pub fn finish_input(&mut self) {
        self.stdin = None;
    }

    /// The next frame; `None` when the worker closed its output. A reported failure is an error.
    ///
    /// # Errors
    /// The worker's own failure, a broken frame, one that may not come now, or a limit.
    pub async fn next(&mut self) -> Result<Option<FromWorker>> {
        match frame::read_async(&mut self.stdout, &mut self.order.bytes_left).await {
            Ok(Some(FromWorker::Failed {
                exit,
                message,
                hint,
            })) => {
                let (exit, transient) = match exit {
                    // Who failed has not done its work, whatever it says.
                    ExitCode::Done => (ExitCode::Bug, false),
                    // We are here, so it lost its other half: such kills come with a lack of memory.
                    ExitCode::Interrupted => (ExitCode::LimitReached, true),
                    exit => (exit, false),
                };
                let mut error = Error::new(exit, clean(&message));
                error.hint = hint.map(|hint| clean(&hint));
                error.transient |= transient;
                Err(error)
            }
            Ok(Some(frame)) => {
                self.order.check(&frame)?;
                Ok(Some(frame))
            }
            Ok(None) => Ok(None),
            Err(
                error @ (FrameError::TooLong(_) | FrameError::TooMuch | FrameError::Malformed(_)),
            ) => {
                // It may well go on for ever: it is not waited for but ended.
                Err(self.broken(error))
            }
            Err(error) => {
                let status = self.child.wait().await.ok();
                Err(match status.and_then(|status| self.death(status)) {
                    Some(death) => death,
                    None => self.broken(error),
                })
            }
        }
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// When it did not end well.
    pub async fn end(mut self) -> Result<()> {
        self.stdin = None;
        let status = self
            .child
            .wait()
            .await
            .or_fail(ExitCode::Bug, "failed to wait for a worker")?;
        self.death(status).map_or(Ok(()), Err)
    }

    /// The operating system's id of the outer process.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    fn broken(&self, error: FrameError) -> Error {
        Error::bug(format!(
            "the {} worker broke the protocol",
            self.zone.name()
        ))
        .source(error)
    }

    fn death(&self, status: ExitStatus) -> Option<Error> {
        if status.success() {
            return None;
        }
        let zone = self.zone.name();
        if status.code() == Some(super::memory::STATUS) {
            return Some(
                Error::limit(format!("the {zone} worker ran out of memory"))
                    .hint("raise --max-memory, free memory, or choose a smaller model")
                    .transient(),
            );
        }
        // The outer process repeats a signal of the sealed one as 128 + signal.
        let signal = status.signal().or_else(|| {
            status
                .code()
                .filter(|code| (129..=192).contains(code))
                .map(|code| code - 128)
        });
        Some(match signal {
            Some(libc::SIGXCPU) => Error::limit(format!("the {zone} worker used up its processor time")).hint("raise --max-seconds"),
            Some(libc::SIGKILL) => Error::limit(format!("the {zone} worker was killed, most likely because memory ran out"))
                .hint("free memory, choose a smaller model, or raise --max-memory if a limit of yours is below the machine's")
                .transient(),
            Some(libc::SIGXFSZ) => Error::limit(format!("the {zone} worker wrote a file over its limit")).hint("raise --max-file-bytes"),
            Some(libc::SIGABRT) => Error::limit(format!("the {zone} worker aborted, most likely because memory ran out")).hint("raise --max-memory"),
            Some(signal) => Error::bug(format!("the {zone} worker was ended by signal {signal}")),
            None => Error::bug(format!("the {zone} worker ended with status {}", status.code().unwrap_or(-1))),
        })
    }
}

/// What became of writing to a worker.
fn written(zone: Zone, result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.or_fail(
            ExitCode::Bug,
            format!("failed to talk to the {} worker", zone.name()),
        ),
    }
}

/// Too many processes, files or too little memory now is no bug, and may be over in a moment.
fn not_started(zone: Zone, error: std::io::Error) -> Error {
    let message = format!("failed to start the {} worker", zone.name());
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => Error::limit(message)
            .source(error)
            .hint("start fewer workers, or raise the limits of processes and open files (ulimit -u, ulimit -n)")
            .transient(),
        _ => Error::bug(message).source(error),
    }
}

/// A worker is not trusted, not even with its error messages.
fn clean(text: &str) -> String {
    crate::report::escape::terminal(&text.chars().take(2_000).collect::<String>())
}
