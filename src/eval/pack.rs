//! A case's `bundle/` folder as a tar: for tests that are kept as files beside a playbook.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the author's own test files, never a customer's bundle"
)]

use crate::error::{Context, Error, ExitCode, Result};
use crate::files;
use std::path::{Path, PathBuf};

/// Most bytes of a test's folder; a frozen incident is a page, not a dump.
const MAX_BYTES: u64 = 64 << 20;
/// Most files of it.
const MAX_FILES: usize = 20_000;

/// Packs the regular files below `dir` in the order of their names under the top folder `bundle`; the
/// same files give the same bytes.
///
/// # Errors
/// A usage error when a file cannot be read or the folder is too large.
pub fn pack(dir: &Path, to: &Path) -> Result<()> {
    let fail = |path: &Path| format!("failed to read {}", files::shown(path));
    let mut tar = tar::Builder::new(Vec::new());
    let mut total = 0;
    let mut packed = 0;
    let mut todo: Vec<PathBuf> = vec![PathBuf::new()];
    let mut found = Vec::new();
    while let Some(rel) = todo.pop() {
        let at = dir.join(&rel);
        for name in files::names(&at).or_fail(ExitCode::Usage, fail(&at))? {
            let rel = rel.join(name);
            let meta = std::fs::symlink_metadata(dir.join(&rel))
                .or_fail(ExitCode::Usage, fail(&dir.join(&rel)))?;
            if meta.is_dir() {
                todo.push(rel);
            } else if meta.is_file() {
                total += meta.len();
                packed += 1;
                found.push(rel);
            }
            if total > MAX_BYTES || packed > MAX_FILES {
                return Err(
                    Error::usage(format!("the test {} is too large", files::shown(dir)))
                        .hint("keep what decides: up to 64 MiB and 20,000 files"),
                );
            }
        }
    }
    found.sort();
    for rel in found {
        let path = dir.join(&rel);
        let bytes = std::fs::read(&path).or_fail(ExitCode::Usage, fail(&path))?;
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(
            &mut header,
            Path::new("bundle").join(&rel),
            bytes.as_slice(),
        )
        .or_fail(ExitCode::Usage, fail(&path))?;
    }
    let bytes = tar
        .into_inner()
        .or_fail(ExitCode::Bug, "failed to pack a test")?;
    files::write_whole(to, &bytes)
}
