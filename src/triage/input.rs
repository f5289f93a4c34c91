//! The bundle on its way to the unpacker: a file, standard input, or a folder that is packed as it
//! is read.

use crate::bundle::{Skipped, folder};
use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread::JoinHandle;

/// An open bundle.
pub struct Input {
    /// What the worker inherits.
    pub file: File,
    /// Its name, without the folders it lies in.
    pub name: String,
    feeder: Option<JoinHandle<io::Result<Vec<Skipped>>>>,
}

impl Input {
    /// Opens the bundle at `path`; `-` is standard input.
    ///
    /// # Errors
    /// Refused input: not there, a device, empty; [`ExitCode::Usage`] for a terminal.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = || format!("failed to open the bundle {}", files::shown(path));
        if path == Path::new("-") {
            let input = io::stdin();
            if input.is_terminal() {
                return Err(Error::usage("failed to read a bundle from a terminal")
                    .hint("pipe one in: narrowroom triage - < bundle.tar.gz"));
            }
            let file = input
                .as_fd()
                .try_clone_to_owned()
                .or_fail(ExitCode::InputRefused, failed())?;
            return Ok(Self {
                file: file.into(),
                name: String::new(),
                feeder: None,
            });
        }
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        if !files::is_dir(path) {
            return Ok(Self {
                file: files::open_bundle(path)?,
                name,
                feeder: None,
            });
        }
        let dir = cap_std::fs::Dir::open_ambient_dir(path, cap_std::ambient_authority())
            .or_fail(ExitCode::InputRefused, failed())?;
        let top = folder::top(&std::path::absolute(path).unwrap_or_else(|_| path.to_owned()));
        let (read, write) = io::pipe().or_fail(ExitCode::Bug, failed())?;
        let feeder = std::thread::spawn(move || {
            let mut write = io::BufWriter::with_capacity(256 << 10, write);
            let left_out = folder::pack(&dir, &top, &mut write)?;
            write.flush()?;
            Ok(left_out)
        });
        Ok(Self {
            file: OwnedFd::from(read).into(),
            name,
            feeder: Some(feeder),
        })
    }

    /// Whether there is a bundle at `path` that can be opened; reads nothing of it.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn check(path: &Path) -> Result<()> {
        if path != Path::new("-") && !files::is_dir(path) {
            files::open_bundle(path)?;
        }
        Ok(())
    }

    /// Splits off what must be waited for when the worker has ended.
    pub fn split(self) -> (File, String, Feeder) {
        (self.file, self.name, Feeder(self.feeder))
    }
}

/// The thread that packs a folder, if there is one.
pub struct Feeder(Option<JoinHandle<io::Result<Vec<Skipped>>>>);

impl Feeder {
    /// What could not be read, once the worker has taken everything or has ended.
    ///
    /// # Errors
    /// A file changed while it was read.
    pub fn finish(self) -> Result<Vec<Skipped>> {
        match self.0.map(JoinHandle::join) {
            None => Ok(vec![]),
            Some(Ok(Ok(left_out))) => Ok(left_out),
            // The worker stopped reading: its own reason is the one to tell.
            Some(Ok(Err(error))) if error.kind() == io::ErrorKind::BrokenPipe => Ok(vec![]),
            Some(Ok(Err(error))) => Err(Error::refused("failed to read the folder")
                .source(error)
                .hint("it is still being written to: copy it first, then try again")),
            Some(Err(_)) => Err(Error::bug("packing the folder failed")),
        }
    }
}
