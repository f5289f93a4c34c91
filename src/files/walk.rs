//! Listing the regular files below a folder of the person's, without following linked folders.

use super::shown;
use crate::error::{Context, Error, ExitCode, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Deepest folder that is entered.
const MAX_DEPTH: usize = 32;
/// Most files that are listed.
const MAX_FILES: usize = 1_000_000;

/// A file below the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walked {
    /// Path below the folder.
    pub path: PathBuf,
    /// Size in bytes.
    pub bytes: u64,
}

/// Every regular file below `root`, hidden ones left out, sorted by path. A link to a file counts as
/// the file; a link to a folder is not followed.
///
/// # Errors
/// A usage error when a folder cannot be read; input refused beyond 32 levels or a million files.
pub fn walk(root: &Path) -> Result<Vec<Walked>> {
    let mut found = Vec::new();
    let mut folders = vec![(PathBuf::new(), 0)];
    while let Some((below, depth)) = folders.pop() {
        let folder = root.join(&below);
        let fail = || format!("failed to list {}", shown(&folder));
        for item in fs::read_dir(&folder).or_fail(ExitCode::Usage, fail())? {
            let item = item.or_fail(ExitCode::Usage, fail())?;
            if item.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = below.join(item.file_name());
            let kind = item.file_type().or_fail(ExitCode::Usage, fail())?;
            if kind.is_dir() {
                if depth == MAX_DEPTH {
                    return Err(Error::refused(format!(
                        "{} lies more than {MAX_DEPTH} folders deep",
                        shown(&root.join(&path))
                    )));
                }
                folders.push((path, depth + 1));
                continue;
            }
            match fs::metadata(item.path()) {
                Ok(meta) if meta.is_file() => found.push(Walked {
                    path,
                    bytes: meta.len(),
                }),
                _ => continue,
            }
            if found.len() > MAX_FILES {
                return Err(Error::refused(format!(
                    "{} holds more than {MAX_FILES} files",
                    shown(root)
                )));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_sorted_and_linked_folders_are_not_entered() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("b/c")).unwrap();
        fs::create_dir(at(".hidden")).unwrap();
        for name in ["b/c/2", "a", "b/1", ".no", ".hidden/x"] {
            fs::write(at(name), name).unwrap();
        }
        std::os::unix::fs::symlink(at("b"), at("loop")).unwrap();
        std::os::unix::fs::symlink(at("a"), at("z")).unwrap();
        let names: Vec<_> = walk(dir.path())
            .unwrap()
            .into_iter()
            .map(|file| (file.path.to_string_lossy().into_owned(), file.bytes))
            .collect();
        let expect = [("a", 1), ("b/1", 3), ("b/c/2", 5), ("z", 1)];
        assert_eq!(names, expect.map(|(name, bytes)| (name.to_owned(), bytes)));
    }
}
