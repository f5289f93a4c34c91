//! Folders that become visible whole or not at all.

#![expect(clippy::disallowed_methods, reason = "owns the store on disk")]

use crate::error::{Context, Error, ExitCode, Result};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A folder under a temporary name; removed when dropped, unless it was published.
#[derive(Debug)]
pub struct Pending {
    path: PathBuf,
}

impl Pending {
    /// An empty folder below `parent`, which is created too.
    ///
    /// # Errors
    /// Fails when it can't be created.
    pub fn inside(parent: &Path) -> Result<Self> {
        let path = parent.join(format!(
            ".pending-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        fs::create_dir_all(&path).or_fail(ExitCode::Usage, format!("create {}", path.display()))?;
        Ok(Self { path })
    }
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// Syncs the folder and gives it its final name. If another process was faster, its folder stays.
    ///
    /// # Errors
    /// Fails when it can't be synced or renamed.
    pub fn publish(self, target: &Path) -> Result<()> {
        let failed = || format!("publish {}", target.display());
        for entry in fs::read_dir(&self.path).or_fail(ExitCode::Usage, failed())? {
            let file = File::open(entry.or_fail(ExitCode::Usage, failed())?.path())
                .or_fail(ExitCode::Usage, failed())?;
            file.sync_all().or_fail(ExitCode::Usage, failed())?;
        }
        sync(&self.path)?;
        let parent = target.parent().ok_or_else(|| Error::bug(failed()))?;
        fs::create_dir_all(parent).or_fail(ExitCode::Usage, failed())?;
        match fs::rename(&self.path, target) {
            Err(cause) if !target.is_dir() => return Err(Error::usage(failed()).source(cause)),
            _ => {}
        }
        sync(parent)
    }
}

fn sync(dir: &Path) -> Result<()> {
    File::open(dir)
        .and_then(|file| file.sync_all())
        .or_fail(ExitCode::Usage, format!("sync {}", dir.display()))
}

impl Drop for Pending {
    fn drop(&mut self) {
        // After publishing, the name is gone and there is nothing to remove.
        let _ = fs::remove_dir_all(&self.path);
    }
}
