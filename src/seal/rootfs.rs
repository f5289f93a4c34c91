//! The empty root: a small read-only tmpfs that holds the granted directories and nothing else.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags,
    OpenTreeFlags, UnmountFlags,
};

use super::plan::{Mount, SealPlan};
use super::sys;
use crate::error::{Context, ExitCode, Result};

/// A directory of the new root that no Landlock rule covers: reading it tells whether Landlock
/// is in force, whatever the mounts hide.
pub(super) const CANARY_DIR: &str = "/outside";

/// A readable file in [`CANARY_DIR`].
pub(super) const CANARY_FILE: &str = "/outside/canary";

const CANARY_TEXT: &[u8] = b"Landlock must keep this from being read.\n";

/// Builds the new root out of the plan's mounts and makes it the root of this process. The old
/// root is gone afterwards, `/proc` and `/sys` with it.
///
/// # Errors
/// [`ExitCode::Unsealed`] with the step that failed and the kernel's reason.
pub(super) fn build(plan: &SealPlan) -> Result<()> {
    private().or_fail(
        ExitCode::Unsealed,
        "failed to cut the mounts off from the host's",
    )?;
    // The sources are opened before anything covers them.
    let mut sources = Vec::new();
    for (mount, writable) in plan.mounts() {
        let failed = || format!("failed to grant {} to the room", mount.host.display());
        let source = clone_tree(mount, writable).or_fail(ExitCode::Unsealed, failed())?;
        sources.push((mount, source));
    }
    let root = empty_root().or_fail(ExitCode::Unsealed, "failed to make an empty root")?;
    for (mount, (source, is_dir)) in sources {
        attach(&root, mount, source, is_dir).or_fail(
            ExitCode::Unsealed,
            format!("failed to mount {}", mount.inside),
        )?;
    }
    canary(&root).or_fail(ExitCode::Unsealed, "failed to lay out the empty root")?;
    become_root(root).or_fail(ExitCode::Unsealed, "failed to leave the host's root")
}

fn private() -> rustix::io::Result<()> {
    rustix::mount::mount_change(
        "/",
        MountPropagationFlags::REC | MountPropagationFlags::PRIVATE,
    )
}

/// A detached copy of a granted tree, already as restricted as it will stay. Mounts below it come
/// along: the kernel refuses to show what a mount of the host covers.
fn clone_tree(mount: &Mount, writable: bool) -> std::io::Result<(OwnedFd, bool)> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(CWD, &mount.host, flags)?;
    let stat = rustix::fs::fstat(&tree)?;
    let mut set = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOEXEC;
    if !writable {
        set |= libc::MOUNT_ATTR_RDONLY;
    }
    set_attributes(tree.as_fd(), set, libc::AT_RECURSIVE)?;
    let is_dir = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
    Ok((tree, is_dir))
}

/// `mount_setattr(2)` on one mount, or with `AT_RECURSIVE` on everything below it too.
fn set_attributes(mount: BorrowedFd<'_>, set: u64, depth: i32) -> std::io::Result<()> {
    use std::os::fd::AsRawFd;
    let attributes = libc::mount_attr {
        attr_set: set,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | depth;
    // SAFETY: the path is a static C string, the structure lives through the call and its size is
    // given; the kernel writes to neither.
    let done = unsafe {
        sys::call(
            libc::SYS_mount_setattr,
            [
                mount.as_raw_fd() as usize,
                c"".as_ptr() as usize,
                flags as usize,
                &raw const attributes as usize,
                size_of::<libc::mount_attr>(),
                0,
            ],
        )
    };
    done.map(drop).map_err(sys::os_error)
}

/// A tmpfs mounted over the present root, of a size that holds names and no data.
fn empty_root() -> rustix::io::Result<OwnedFd> {
    let context = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (key, value) in [("size", "64k"), ("nr_inodes", "64"), ("mode", "0755")] {
        rustix::mount::fsconfig_set_string(&context, key, value)?;
    }
    rustix::mount::fsconfig_create(&context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let root = rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(&root, "", CWD, "/", flags)?;
    Ok(root)
}

fn attach(root: &OwnedFd, mount: &Mount, source: OwnedFd, is_dir: bool) -> rustix::io::Result<()> {
    let name = mount.inside.trim_start_matches('/');
    if is_dir {
        rustix::fs::mkdirat(root, name, Mode::from_raw_mode(0o755))?;
    } else {
        write_file(root, name, b"")?;
    }
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    rustix::mount::move_mount(&source, "", root, name, flags)
}

fn canary(root: &OwnedFd) -> rustix::io::Result<()> {
    let name = |path: &'static str| path.trim_start_matches('/');
    rustix::fs::mkdirat(root, name(CANARY_DIR), Mode::from_raw_mode(0o755))?;
    write_file(root, name(CANARY_FILE), CANARY_TEXT)
}

fn write_file(root: &OwnedFd, name: &str, text: &[u8]) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(root, name, flags, Mode::from_raw_mode(0o644))?;
    rustix::io::write(&file, text).map(drop)
}

fn become_root(root: OwnedFd) -> std::io::Result<()> {
    rustix::process::fchdir(&root)?;
    // With "." for both, the old root lands on top of the new one and is taken off again.
    rustix::process::pivot_root(".", ".")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")?;
    // The tmpfs itself; what is mounted below keeps its own attributes.
    let flags = OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let top = rustix::mount::open_tree(CWD, "/", flags)?;
    set_attributes(top.as_fd(), libc::MOUNT_ATTR_RDONLY, 0)
}
