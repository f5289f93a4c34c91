//! System calls that no crate wraps, and the names of their errors.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// An error number as the kernel gives it, positive.
pub(super) type Errno = i32;

/// Makes a system call by number.
///
/// # Safety
/// The arguments must be what the call demands: pointers valid for as long as the kernel reads or
/// writes them, and no effect that breaks what the program relies on.
pub(super) unsafe fn call(number: libc::c_long, args: [usize; 6]) -> Result<usize, Errno> {
    // SAFETY: the caller vouches for the arguments; unused ones are ignored by the kernel.
    let result =
        unsafe { libc::syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]) };
    if result == -1 {
        Err(last_errno())
    } else {
        Ok(result as usize)
    }
}

/// The error of the last failed call of this thread.
pub(super) fn last_errno() -> Errno {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// An errno as an error with the system's own words.
pub(super) fn os_error(errno: Errno) -> std::io::Error {
    std::io::Error::from_raw_os_error(errno)
}

/// A path for the kernel. Paths here are our own, without a zero byte; one that has it becomes
/// empty, which every call refuses.
pub(super) fn c_path(path: impl AsRef<Path>) -> CString {
    CString::new(path.as_ref().as_os_str().as_bytes()).unwrap_or_default()
}

/// Forks. The child has one thread.
///
/// # Safety
/// The calling process must have one thread, or the child must make nothing but
/// async-signal-safe calls.
pub(super) unsafe fn fork() -> Result<libc::pid_t, Errno> {
    // SAFETY: the caller vouches for the state of the threads.
    match unsafe { libc::fork() } {
        -1 => Err(last_errno()),
        pid => Ok(pid),
    }
}

/// Ends this process now, without destructors, buffers or exit handlers.
pub(super) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit takes a number and does not return.
    unsafe { libc::_exit(code) }
}

/// Waits for `child`; the raw wait status.
pub(super) fn wait(child: libc::pid_t) -> Result<i32, Errno> {
    loop {
        let mut status = 0;
        // SAFETY: the pointer is to a local that lives through the call.
        match unsafe { libc::waitpid(child, &mut status, 0) } {
            -1 if last_errno() == libc::EINTR => {}
            -1 => return Err(last_errno()),
            _ => return Ok(status),
        }
    }
}

/// `prctl` with integer arguments only.
pub(super) fn prctl(option: i32, args: [usize; 4]) -> Result<usize, Errno> {
    // SAFETY: every option used in this folder takes integers; nothing is dereferenced.
    unsafe {
        call(
            libc::SYS_prctl,
            [option as usize, args[0], args[1], args[2], args[3], 0],
        )
    }
}

/// The name of an error number, as `errno(3)` spells it.
pub(super) fn errno_name(errno: Errno) -> String {
    let name = match errno {
        libc::EPERM => "EPERM",
        libc::ENOENT => "ENOENT",
        libc::ESRCH => "ESRCH",
        libc::EINTR => "EINTR",
        libc::EIO => "EIO",
        libc::ENXIO => "ENXIO",
        libc::E2BIG => "E2BIG",
        libc::EBADF => "EBADF",
        libc::ECHILD => "ECHILD",
        libc::EAGAIN => "EAGAIN",
        libc::ENOMEM => "ENOMEM",
        libc::EACCES => "EACCES",
        libc::EFAULT => "EFAULT",
        libc::EBUSY => "EBUSY",
        libc::EEXIST => "EEXIST",
        libc::EXDEV => "EXDEV",
        libc::ENODEV => "ENODEV",
        libc::ENOTDIR => "ENOTDIR",
        libc::EISDIR => "EISDIR",
        libc::EINVAL => "EINVAL",
        libc::ENFILE => "ENFILE",
        libc::EMFILE => "EMFILE",
        libc::ENOTTY => "ENOTTY",
        libc::EFBIG => "EFBIG",
        libc::ENOSPC => "ENOSPC",
        libc::EROFS => "EROFS",
        libc::EMLINK => "EMLINK",
        libc::EPIPE => "EPIPE",
        libc::ENAMETOOLONG => "ENAMETOOLONG",
        libc::ENOSYS => "ENOSYS",
        libc::ENOTEMPTY => "ENOTEMPTY",
        libc::ELOOP => "ELOOP",
        libc::ENODATA => "ENODATA",
        libc::EOVERFLOW => "EOVERFLOW",
        libc::EUSERS => "EUSERS",
        libc::ENOTSOCK => "ENOTSOCK",
        libc::EPROTONOSUPPORT => "EPROTONOSUPPORT",
        libc::ESOCKTNOSUPPORT => "ESOCKTNOSUPPORT",
        libc::EOPNOTSUPP => "EOPNOTSUPP",
        libc::EAFNOSUPPORT => "EAFNOSUPPORT",
        libc::EADDRINUSE => "EADDRINUSE",
        libc::EADDRNOTAVAIL => "EADDRNOTAVAIL",
        libc::ENETDOWN => "ENETDOWN",
        libc::ENETUNREACH => "ENETUNREACH",
        libc::ECONNREFUSED => "ECONNREFUSED",
        libc::EHOSTUNREACH => "EHOSTUNREACH",
        libc::ETIMEDOUT => "ETIMEDOUT",
        libc::EDQUOT => "EDQUOT",
        libc::ENOKEY => "ENOKEY",
        other => return format!("errno {other}"),
    };
    name.to_owned()
}
