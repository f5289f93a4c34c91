//! The host's files that a person names on the command line, and the hook's own files. Names and
//! kinds are looked at here; content is handed on unread.
#![expect(
    clippy::disallowed_methods,
    reason = "the one place where the guard opens files of the host by name"
)]

use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Largest `.narrowroomignore` or baseline, in bytes.
const MAX_SETTINGS: u64 = 8 << 20;

/// What a path names.
pub enum Named {
    /// A regular file, open.
    File(File),
    /// A folder.
    Folder,
    /// Anything else, or something that cannot be opened; why not, in a sentence.
    Other(String),
}

/// Opens what `path` names, without following a link at its end and without waiting for a pipe.
pub fn open(path: &Path) -> Named {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let file = match fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
    {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return Named::Other("it is a symbolic link, which is not followed".into());
        }
        Err(error) => return Named::Other(format!("it cannot be opened: {error}")),
    };
    match file.metadata() {
        Ok(meta) if meta.is_dir() => Named::Folder,
        Ok(meta) if meta.is_file() => Named::File(file),
        Ok(_) => Named::Other("it is neither a file nor a folder".into()),
        Err(error) => Named::Other(format!("it cannot be looked at: {error}")),
    }
}

/// All files below `folder`, sorted, links not followed; and what could not be listed, with the reason.
pub fn walk(folder: &Path, most: usize) -> (Vec<PathBuf>, Vec<(PathBuf, String)>) {
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    let mut pending = vec![folder.to_owned()];
    while let Some(at) = pending.pop() {
        let items = match fs::read_dir(&at) {
            Ok(items) => items,
            Err(error) => {
                failed.push((at, format!("it cannot be listed: {error}")));
                continue;
            }
        };
        for item in items {
            let Ok(item) = item else {
                failed.push((at.clone(), "a name in it cannot be read".into()));
                continue;
            };
            match item.file_type() {
                Ok(kind) if kind.is_dir() && item.file_name() == ".git" => {}
                Ok(kind) if kind.is_dir() => pending.push(item.path()),
                _ if found.len() >= most => {
                    failed.push((
                        folder.to_owned(),
                        format!("it holds more than {most} files"),
                    ));
                    return (found, failed);
                }
                _ => found.push(item.path()),
            }
        }
    }
    found.sort();
    (found, failed)
}

/// A settings file's text; `None` when it is not there.
///
/// # Errors
/// A usage error when it is there and cannot be read.
pub fn settings(path: &Path) -> Result<Option<String>> {
    let fail = || format!("failed to read {}", files::shown(path));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::usage(fail()).source(error)),
    };
    let mut text = String::new();
    let read = file
        .take(MAX_SETTINGS + 1)
        .read_to_string(&mut text)
        .or_fail(ExitCode::Usage, fail())?;
    if read as u64 > MAX_SETTINGS {
        return Err(Error::usage(format!("{}: it is larger than 8 MiB", fail())));
    }
    Ok(Some(text))
}

/// Writes an executable file, whole or not at all.
///
/// # Errors
/// Usage errors: no permission, no space.
pub fn write_script(path: &Path, text: &str) -> Result<()> {
    let fail = || format!("failed to write the hook {}", files::shown(path));
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).or_fail(ExitCode::Usage, fail())?;
    }
    let temporary = path.with_extension(format!("partial.{}", std::process::id()));
    let done = (|| {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o755)
            .open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.set_permissions(fs::Permissions::from_mode(0o755))?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    done.inspect_err(|_| {
        let _ = fs::remove_file(&temporary);
    })
    .or_fail(ExitCode::Usage, fail())
}

/// Whether anything has this name, a dangling link too.
pub fn there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Gives a file another name; nothing is overwritten.
///
/// # Errors
/// A usage error; also when the new name is taken.
pub fn rename(from: &Path, to: &Path) -> Result<()> {
    let fail = || {
        format!(
            "failed to rename {} to {}",
            files::shown(from),
            files::shown(to)
        )
    };
    if there(to) {
        return Err(Error::usage(format!("{}: that is there already", fail())));
    }
    fs::rename(from, to).or_fail(ExitCode::Usage, fail())
}

/// Removes a file.
///
/// # Errors
/// A usage error.
pub fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).or_fail(
        ExitCode::Usage,
        format!("failed to remove {}", files::shown(path)),
    )
}
