//! Loading ONNX Runtime: one library a process, checked before it runs, with its telemetry off.
//!
//! Builds from 1.29 on hold a telemetry collector that, by default, writes files, starts a thread and
//! reads the machine's identity as soon as the environment is created. Such a library is refused.

#![expect(
    clippy::disallowed_methods,
    reason = "examines the library before it is loaded"
)]

use crate::error::{Context, Error, ExitCode, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

/// A library that is known good.
#[derive(Debug, Clone, Copy)]
pub struct PinnedLibrary {
    /// Version of ONNX Runtime.
    pub version: &'static str,
    /// File name in the store.
    pub file: &'static str,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: &'static str,
}

/// The libraries that were examined: no collector, and the models' results were checked with them.
pub const PINNED: [PinnedLibrary; 1] = [PinnedLibrary {
    version: "1.28.0",
    file: "libonnxruntime.so.1.28.0",
    sha256: "aa4079d18f4ea7a5f3a94d80cd4bbe0f2740436626622d64d793803a20381083",
}];

/// Words that only a build with the collector holds.
const COLLECTOR_MARKS: [&[u8]; 4] = [
    b"ORT_DISABLE_TELEMETRY",
    b"events.data.microsoft.com",
    b"OneCollector/",
    b"Microsoft/DeveloperTools",
];
/// Turns the collector off should a build hold one all the same. Read when the library is loaded.
const TELEMETRY_SWITCH: &str = "ORT_DISABLE_TELEMETRY";
/// Largest library accepted, in bytes.
const MAX_LIBRARY_BYTES: u64 = 1 << 30;

/// ONNX Runtime, loaded, with its environment. Cheap to clone; there is one a process.
#[derive(Debug, Clone)]
pub struct Runtime {
    pub(super) environment: ort::environment::Environment,
    /// SHA-256 of the library, hexadecimal.
    pub library_sha256: Arc<str>,
    /// Where it was loaded from.
    pub path: Arc<Path>,
    /// Whether threads that wait busily can be told for how long: libraries before 1.28 know no bound,
    /// and on a machine with other work a thread that waits without one takes its processor away.
    pub(super) spins_briefly: bool,
    /// Names the layout of prepared weights: a hash of the library and of what the processor can do.
    pub layout: Arc<str>,
}

static LOADED: OnceLock<Mutex<Option<Runtime>>> = OnceLock::new();

impl Runtime {
    /// Loads the library and creates its environment. Call this before the process seals itself and
    /// while it has one thread: it sets an environment variable. Starts no thread and writes no file.
    ///
    /// # Errors
    /// Refused when the library can't be read, holds a telemetry collector or isn't compatible; a
    /// second library in the same process is a bug.
    pub fn load(library: &Path) -> Result<Self> {
        let mut loaded = LOADED
            .get_or_init(Mutex::default)
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = std::path::absolute(library)
            .or_fail(ExitCode::Usage, format!("find {}", library.display()))?;
        if let Some(runtime) = loaded.as_ref() {
            return if *runtime.path == *path {
                Ok(runtime.clone())
            } else {
                Err(Error::bug(
                    "a second ONNX Runtime was to be loaded into one process",
                ))
            };
        }
        let Examined {
            sha256: library_sha256,
            spins_briefly,
        } = examine(&path)?;
        // SAFETY: changing the environment races with threads that read it. This function is documented
        // to run before any thread is started, and LOADED makes it run once.
        unsafe { std::env::set_var(TELEMETRY_SWITCH, "1") };
        let failed = || format!("load {}", path.display());
        let builder = ort::init_from(&path).map_err(|cause| Error::usage(failed()).source(cause.to_string()).hint("narrowroom needs ONNX Runtime 1.24 to 1.28 for this processor; run scripts/fetch.sh runtime"))?;
        let silent: ort::logging::LoggerFunction = Arc::new(|_, _, _, _, _| {});
        let environment = builder
            .with_name("narrowroom")
            .with_telemetry(false)
            .with_logger(silent)
            .build()
            .or_fail(ExitCode::Usage, failed())?;
        environment.set_log_level(ort::logging::LogLevel::Error);
        let layout = layout(&library_sha256);
        let runtime = Self {
            environment,
            library_sha256: library_sha256.into(),
            path: path.into(),
            layout: layout.into(),
            spins_briefly,
        };
        *loaded = Some(runtime.clone());
        Ok(runtime)
    }
    /// The version, where the library is a pinned one.
    pub fn version(&self) -> Option<&'static str> {
        PINNED
            .iter()
            .find(|pinned| *pinned.sha256 == *self.library_sha256)
            .map(|pinned| pinned.version)
    }
}

/// The setting that bounds how long a thread waits busily.
const BOUNDED_SPIN: &[u8] = b"session.intra_op.spin_duration_us";

/// What a library is.
#[derive(Debug)]
pub struct Examined {
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Whether it knows the setting that bounds busy waiting.
    pub spins_briefly: bool,
}

/// Hashes the library; one that isn't pinned is searched for the collector.
///
/// # Errors
/// Refused when it can't be read, is too large or holds the collector.
pub fn examine(path: &PathBuf) -> Result<Examined> {
    let hint = "run scripts/fetch.sh runtime, which fetches a checked build";
    let mut file = File::open(path)
        .or_fail(
            ExitCode::Usage,
            format!("open ONNX Runtime at {}", path.display()),
        )
        .map_err(|error| error.hint(hint))?;
    let size = file
        .metadata()
        .or_fail(ExitCode::Usage, format!("examine {}", path.display()))?
        .len();
    if size > MAX_LIBRARY_BYTES {
        return Err(Error::usage(format!(
            "{} is too large for a library",
            path.display()
        )));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.by_ref()
        .take(MAX_LIBRARY_BYTES)
        .read_to_end(&mut bytes)
        .or_fail(ExitCode::Usage, format!("read {}", path.display()))?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    let is_pinned = PINNED.iter().any(|pinned| pinned.sha256 == sha256);
    if let Some(mark) = collector_mark(&bytes).filter(|_| !is_pinned) {
        return Err(Error::usage(format!(
            "{} holds a telemetry collector ({mark:?})",
            path.display()
        ))
        .hint(hint));
    }
    Ok(Examined {
        spins_briefly: holds(&bytes, BOUNDED_SPIN),
        sha256,
    })
}

/// The name of the layout that this library gives weights on this processor.
fn layout(library_sha256: &str) -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let telling = [
        "vendor_id",
        "cpu family",
        "model\t",
        "flags",
        "Features",
        "CPU implementer",
        "CPU part",
    ];
    let first = text.split("\n\n").next().unwrap_or_default();
    let mut lines: Vec<&str> = first
        .lines()
        .filter(|line| telling.iter().any(|start| line.starts_with(start)))
        .collect();
    lines.push(std::env::consts::ARCH);
    lines.push(library_sha256);
    hex::encode(Sha256::digest(lines.join("\n")))[..16].to_owned()
}

fn holds(bytes: &[u8], mark: &[u8]) -> bool {
    aho_corasick::AhoCorasick::new([mark]).is_ok_and(|finder| finder.is_match(bytes))
}

/// The first mark of the collector found in a library.
fn collector_mark(bytes: &[u8]) -> Option<&'static str> {
    let finder = aho_corasick::AhoCorasick::new(COLLECTOR_MARKS).ok()?;
    let found = finder.find(bytes)?;
    std::str::from_utf8(COLLECTOR_MARKS[found.pattern().as_usize()]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_with_the_collector_is_refused_before_it_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("libonnxruntime.so");
        std::fs::write(&path, b"\x7fELF .. ORT_DISABLE_TELEMETRY ..").unwrap();
        // As Runtime::load does first; another test may have loaded the library into this process.
        let error = examine(&path).expect_err("must be refused");
        assert!(error.message.contains("telemetry collector"), "{error}");
        assert!(error.hint.is_some_and(|hint| hint.contains("fetch.sh")));
    }

    #[test]
    fn a_library_without_it_passes_the_examination() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lib.so");
        std::fs::write(&path, b"harmless").unwrap();
        let found = examine(&path).unwrap();
        assert_eq!((found.sha256.len(), found.spins_briefly), (64, false));
    }
}
