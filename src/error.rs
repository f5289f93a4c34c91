//! Errors a person may meet, with the exit code each one ends in.
//!
//! Everything expected is an [`Error`]: a lower-case message that fits after "failed to …", an
//! optional cause, and a hint that says what to do. Anything else is a bug and ends in
//! [`ExitCode::Bug`]. The numbers are a contract; scripts and job schedulers depend on them.

use std::fmt;

/// The exit codes of every sub-command.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum ExitCode {
    /// The command did what it was asked to do.
    Done = 0,
    /// A bug in narrowroom, never the user's fault.
    Bug = 1,
    /// The command line or a setting is wrong.
    Usage = 2,
    /// The input is refused: not a bundle, hostile, damaged or over a limit of form.
    InputRefused = 3,
    /// A layer of the seal could not be enforced or proved.
    Unsealed = 4,
    /// The verifier rejected the output.
    Rejected = 5,
    /// A limit on time, memory, bytes or tokens stopped the run.
    LimitReached = 6,
    /// Secrets were found (guard).
    SecretsFound = 7,
    /// A signal (Ctrl-C) stopped the run; 128 + SIGINT by convention.
    Interrupted = 130,
}

impl ExitCode {
    /// The number handed to the operating system.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// An expected failure.
#[derive(Debug)]
pub struct Error {
    /// Which exit code the process ends with.
    pub exit: ExitCode,
    /// What failed and where, lower case, already safe for a terminal.
    pub message: String,
    /// What the person can do about it.
    pub hint: Option<String>,
    /// Whether the same work may succeed later on this machine: memory, disk or time ran short. What
    /// the input itself causes is never transient.
    pub transient: bool,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The library's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A failure with its exit code and message.
    pub fn new(exit: ExitCode, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
            transient: false,
            source: None,
        }
    }
    /// [`ExitCode::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Usage, message)
    }
    /// [`ExitCode::InputRefused`].
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ExitCode::InputRefused, message)
    }
    /// [`ExitCode::Unsealed`].
    pub fn unsealed(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Unsealed, message)
    }
    /// [`ExitCode::LimitReached`].
    pub fn limit(message: impl Into<String>) -> Self {
        Self::new(ExitCode::LimitReached, message)
    }
    /// [`ExitCode::Bug`].
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(ExitCode::Bug, message)
    }
    /// Adds what the person can do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// Says that the same work may succeed later.
    #[must_use]
    pub fn transient(mut self) -> Self {
        self.transient = true;
        self
    }
    /// Adds the cause. Where that is a lack of memory, descriptors or file size, a bug becomes a limit.
    #[must_use]
    pub fn source(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let cause = cause.into();
        let errno = cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::raw_os_error);
        // The machine ran short in a place where nothing else can fail: that is no bug of ours.
        if let (ExitCode::Bug, Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::EFBIG)) =
            (self.exit, errno)
        {
            self.exit = ExitCode::LimitReached;
            self.transient = true;
            self.hint.get_or_insert_with(|| {
                "free memory, or raise the limits of open files and of file size (ulimit -n, ulimit -f)"
                    .to_owned()
            });
        }
        self.source = Some(cause);
        self
    }
    /// The message and each cause below it, joined by ": ", on one line.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut next = std::error::Error::source(self);
        while let Some(cause) = next {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            next = cause.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|cause| cause as _)
    }
}

/// Turns any error into an [`Error`] with a message of what was being done.
pub trait Context<T> {
    /// `message` says what failed, lower case; the original error becomes the cause.
    fn or_fail(self, exit: ExitCode, message: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Context<T>
    for std::result::Result<T, E>
{
    fn or_fail(self, exit: ExitCode, message: impl Into<String>) -> Result<T> {
        self.map_err(|cause| Error::new(exit, message).source(cause))
    }
}
