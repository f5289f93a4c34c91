//! What a seal is asked to be: the zone, the directories, the limits, what may be missing.

use std::os::fd::RawFd;
use std::path::{Path, PathBuf};

pub use super::names::{Layer, Zone};
use super::proof::Root;
use crate::error::{Error, Result};

/// A directory or file of the host that is visible inside.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    /// Where it lies on the host. A directory, or one file.
    pub host: PathBuf,
    /// Where it appears inside: `/` and one name, such as `/tree`.
    pub inside: String,
}

impl Mount {
    /// A mount of `host` at `inside`.
    pub fn new(host: impl Into<PathBuf>, inside: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            inside: inside.into(),
        }
    }
}

/// What one sealed process may use. All limits are hard and cannot be raised from inside.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessLimits {
    /// Bytes of private writable memory (`RLIMIT_DATA`): heap, stacks of threads, anonymous
    /// mappings. Read-only file mappings and reserved, inaccessible ranges do not count.
    pub memory_bytes: u64,
    /// Bytes of address space (`RLIMIT_AS`), reservations included; `None` sets no such limit.
    pub address_space_bytes: Option<u64>,
    /// Seconds of processor time over all threads (`RLIMIT_CPU`); the kernel kills at the limit.
    pub cpu_seconds: u64,
    /// Largest file that may be written, in bytes (`RLIMIT_FSIZE`); 0 in zones that write nothing.
    /// Counts for inherited files too: a worker's standard output must be a pipe, not a file.
    pub file_bytes: u64,
    /// Open descriptors (`RLIMIT_NOFILE`), the granted ones included.
    pub open_files: u64,
    /// Threads, the first one included (`RLIMIT_NPROC`; one more is granted for the process that
    /// waits outside, which the kernel counts for the same user).
    pub threads: u64,
}

impl ProcessLimits {
    /// Defaults of a zone: generous for the work, small for the machine.
    pub fn of(zone: Zone) -> Self {
        const MIB: u64 = 1 << 20;
        match zone {
            Zone::Unpack => Self {
                memory_bytes: 1024 * MIB,
                address_space_bytes: None,
                cpu_seconds: 600,
                file_bytes: 4096 * MIB,
                open_files: 256,
                threads: 1,
            },
            Zone::Room => Self {
                memory_bytes: 8192 * MIB,
                address_space_bytes: None,
                cpu_seconds: 7200,
                file_bytes: 0,
                open_files: 256,
                threads: 128,
            },
            Zone::Verify => Self {
                memory_bytes: 2048 * MIB,
                address_space_bytes: None,
                cpu_seconds: 600,
                file_bytes: 0,
                open_files: 256,
                threads: 1,
            },
        }
    }
}

/// Everything a worker needs to know to seal itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealPlan {
    /// Which zone, so which allow-list and which probes.
    pub zone: Zone,
    /// Visible and readable, never writable or executable.
    pub read_dirs: Vec<Mount>,
    /// Visible, readable and writable (regular files and directories only), never executable.
    pub write_dirs: Vec<Mount>,
    /// Descriptors that stay open besides 0, 1 and 2.
    pub keep_fds: Vec<RawFd>,
    /// Limits of the process.
    pub limits: ProcessLimits,
    /// Layers whose absence the person accepted. They are still enforced where possible.
    pub allow_weaker: Vec<Layer>,
}

impl SealPlan {
    /// A plan of `zone` with its default limits and nothing granted.
    pub fn new(zone: Zone) -> Self {
        Self {
            zone,
            read_dirs: Vec::new(),
            write_dirs: Vec::new(),
            keep_fds: Vec::new(),
            limits: ProcessLimits::of(zone),
            allow_weaker: Vec::new(),
        }
    }

    /// Whether the absence of `layer` was accepted.
    pub fn waives(&self, layer: Layer) -> bool {
        self.allow_weaker.contains(&layer)
    }

    /// What a proof of this plan says is reachable.
    pub fn roots(&self) -> Vec<Root> {
        self.mounts()
            .map(|(mount, write)| Root {
                host: mount.host.to_string_lossy().into_owned(),
                inside: mount.inside.clone(),
                write,
            })
            .collect()
    }

    /// Read and write mounts, with whether they are writable.
    pub(super) fn mounts(&self) -> impl Iterator<Item = (&Mount, bool)> {
        let read = self.read_dirs.iter().map(|mount| (mount, false));
        read.chain(self.write_dirs.iter().map(|mount| (mount, true)))
    }

    /// Where the mount `inside` is reached: inside the new root, or on the host when the mount
    /// namespace is missing and that was accepted.
    pub(super) fn reach(&self, inside: &str, own_root: bool) -> Option<PathBuf> {
        let (mount, _) = self.mounts().find(|(mount, _)| mount.inside == inside)?;
        Some(if own_root {
            PathBuf::from(&mount.inside)
        } else {
            mount.host.clone()
        })
    }

    /// Refuses a plan that contradicts itself: a bug of the coordinator, never of the person.
    pub(super) fn check(&self) -> Result<()> {
        let mut seen = std::collections::BTreeSet::new();
        for (mount, _) in self.mounts() {
            let name = mount.inside.strip_prefix('/').unwrap_or("");
            let plain = !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            if !plain || mount.inside == super::rootfs::CANARY_DIR || !seen.insert(name) {
                return Err(Error::bug(format!(
                    "seal plan: {:?} is no usable mount point",
                    mount.inside
                )));
            }
            if !mount.host.is_absolute() || mount.host == Path::new("/") {
                return Err(Error::bug(format!(
                    "seal plan: {:?} is not an absolute path below the root",
                    mount.host.display()
                )));
            }
        }
        if self.zone != Zone::Unpack && !self.write_dirs.is_empty() {
            return Err(Error::bug(format!(
                "seal plan: zone {} may not write",
                self.zone
            )));
        }
        let highest = self.keep_fds.iter().copied().max().unwrap_or(2).max(2);
        if self.keep_fds.iter().any(|fd| *fd < 0) || highest as u64 >= self.limits.open_files {
            return Err(Error::bug(
                "seal plan: a kept descriptor does not fit below the limit of open files",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_contradicts_itself_is_refused() {
        let plan = |read: &[&str], write: &[&str]| {
            let mut plan = SealPlan::new(Zone::Room);
            plan.read_dirs = read.iter().map(|i| Mount::new("/srv", *i)).collect();
            plan.write_dirs = write.iter().map(|i| Mount::new("/srv", *i)).collect();
            plan
        };
        assert!(plan(&["/tree", "/model"], &[]).check().is_ok());
        assert!(plan(&["/tree", "/tree"], &[]).check().is_err());
        assert!(plan(&["/a/b"], &[]).check().is_err());
        assert!(plan(&["/.."], &[]).check().is_err());
        assert!(plan(&["tree"], &[]).check().is_err());
        assert!(plan(&["/outside"], &[]).check().is_err());
        assert!(
            plan(&["/tree"], &["/out"]).check().is_err(),
            "the room may not write"
        );
        let mut high = plan(&["/tree"], &[]);
        high.keep_fds = vec![5000];
        assert!(high.check().is_err());
    }
}
