//! The seal in processes of its own: how they end, what limits them, who they die with.
//!
//! Each test forks; the child has one thread, seals itself and must not panic.

mod sweep;

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use super::{Mount, SealPlan, Sealed, Zone, close, enter, sys, worker_owner};

/// What the closure of a child answers with when the seal could not be closed.
const NOT_SEALED: i32 = 99;

fn plan(zone: Zone, scratch: &tempfile::TempDir) -> SealPlan {
    let mut plan = SealPlan::new(zone);
    if let Some((uid, gid)) = worker_owner() {
        std::os::unix::fs::chown(scratch.path(), Some(uid), Some(gid)).unwrap();
    }
    let mount = Mount::new(scratch.path(), "/tree");
    if zone == Zone::Unpack {
        plan.write_dirs.push(mount);
    } else {
        plan.read_dirs.push(mount);
    }
    plan
}

/// Starts a process that seals itself by `plan` and then does `work`; its process id.
fn start(plan: &SealPlan, work: impl FnOnce(&Sealed) -> i32) -> libc::pid_t {
    // SAFETY: the child's only thread is this one. It allocates, which the C library makes safe
    // after a fork, and takes no lock that another thread of the test runner could hold.
    let pid = unsafe { sys::fork() }.unwrap();
    if pid == 0 {
        let code = match enter(plan).and_then(close) {
            Ok(sealed) if sealed.prove().holds() => work(&sealed),
            _ => NOT_SEALED,
        };
        sys::exit_now(code);
    }
    pid
}

fn end(plan: &SealPlan, work: impl FnOnce(&Sealed) -> i32) -> i32 {
    sys::wait(start(plan, work)).unwrap()
}

fn pipe() -> (OwnedFd, OwnedFd) {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap()
}

#[test]
fn the_exit_status_passes_through_the_process_that_waits() {
    let scratch = tempfile::tempdir().unwrap();
    for zone in Zone::ALL {
        let status = end(&plan(zone, &scratch), |_| 7);
        assert!(libc::WIFEXITED(status), "{zone}: {status:#x}");
        assert_eq!(libc::WEXITSTATUS(status), 7, "{zone}");
    }
}

#[test]
fn a_crash_passes_through_as_the_same_signal_without_a_core() {
    let scratch = tempfile::tempdir().unwrap();
    let status = end(&plan(Zone::Verify, &scratch), |_| {
        // SAFETY: none; the page at 0 is not mapped, and the fault is what is tested.
        unsafe { std::ptr::without_provenance::<u8>(8).read_volatile().into() }
    });
    assert!(libc::WIFSIGNALED(status), "{status:#x}");
    assert_eq!(libc::WTERMSIG(status), libc::SIGSEGV);
    assert!(!libc::WCOREDUMP(status));
}

#[test]
fn processor_time_is_capped_by_the_kernel() {
    let scratch = tempfile::tempdir().unwrap();
    let mut plan = plan(Zone::Verify, &scratch);
    plan.limits.cpu_seconds = 1;
    let start = Instant::now();
    let status = end(&plan, |_| {
        while start.elapsed() < Duration::from_secs(60) {
            std::hint::black_box(0);
        }
        0
    });
    assert!(libc::WIFSIGNALED(status), "{status:#x}");
    assert_eq!(libc::WTERMSIG(status), libc::SIGKILL);
}

#[test]
fn memory_is_capped_and_reserving_address_space_is_not() {
    let scratch = tempfile::tempdir().unwrap();
    let mut plan = plan(Zone::Verify, &scratch);
    // Well above what a test program with many threads has already taken.
    plan.limits.memory_bytes = 1 << 30;
    let map = |bytes: usize, protection: i32| {
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE) as usize;
        let args = [0, bytes, protection as usize, flags, usize::MAX, 0];
        // SAFETY: a new private mapping at an address that the kernel chooses.
        unsafe { sys::call(libc::SYS_mmap, args) }.err()
    };
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    let status = end(&plan, |_| {
        i32::from(map(2 << 30, writable) != Some(libc::ENOMEM))
            + i32::from(map(8 << 20, writable).is_some()) * 2
            + i32::from(map(8 << 30, libc::PROT_NONE).is_some()) * 4
    });
    assert_eq!(libc::WEXITSTATUS(status), 0);
}

#[test]
fn files_are_capped_in_the_zone_that_writes() {
    let scratch = tempfile::tempdir().unwrap();
    let mut plan = plan(Zone::Unpack, &scratch);
    plan.limits.file_bytes = 4096;
    let status = end(&plan, |sealed| {
        let Some(path) = sealed.path("/tree") else {
            return 1;
        };
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::CREATE;
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let Ok(file) = rustix::fs::openat(rustix::fs::CWD, path.join("big"), flags, mode) else {
            return 2;
        };
        let mut file = std::fs::File::from(file);
        match (file.write_all(&[0; 4096]), file.write_all(&[0])) {
            (Ok(()), Err(error)) if error.raw_os_error() == Some(libc::EFBIG) => 0,
            _ => 3,
        }
    });
    assert_eq!(libc::WEXITSTATUS(status), 0);
    assert_eq!(scratch.path().join("big").metadata().unwrap().len(), 4096);
}

#[test]
fn a_granted_descriptor_stays_and_another_does_not() {
    let scratch = tempfile::tempdir().unwrap();
    let (read, write) = pipe();
    let (_read, other) = pipe();
    let mut plan = plan(Zone::Room, &scratch);
    plan.keep_fds = vec![write.as_raw_fd()];
    let status = end(&plan, |_| {
        let closed = rustix::io::write(&other, b"x") == Err(rustix::io::Errno::BADF);
        let open = rustix::io::write(&write, b"x") == Ok(1);
        i32::from(!closed) + i32::from(!open) * 2
    });
    assert_eq!(libc::WEXITSTATUS(status), 0);
    drop(write);
    let mut got = Vec::new();
    std::fs::File::from(read).read_to_end(&mut got).unwrap();
    assert_eq!(got, b"x");
}

#[test]
fn the_sealed_process_dies_with_the_one_that_waits() {
    let scratch = tempfile::tempdir().unwrap();
    let (read, write) = pipe();
    let mut plan = plan(Zone::Room, &scratch);
    plan.keep_fds = vec![write.as_raw_fd()];
    let pid = start(&plan, |_| {
        let _ = rustix::io::write(&write, b"x");
        std::thread::sleep(Duration::from_secs(60));
        0
    });
    drop(write);
    let mut read = std::fs::File::from(read);
    read.read_exact(&mut [0]).unwrap();
    // SAFETY: the process was started above and not yet waited for, so the number is still its own.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    sys::wait(pid).unwrap();
    let start = Instant::now();
    // The end of the pipe comes when nobody holds its other side any more.
    assert_eq!(read.read(&mut [0]).unwrap(), 0);
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_call_of_the_32_bit_interface_kills() {
    let scratch = tempfile::tempdir().unwrap();
    let status = end(&plan(Zone::Verify, &scratch), |_| {
        let mut result: i32 = 224; // gettid of the 32-bit table; allowed by its 64-bit name
        // SAFETY: the call takes nothing and gives a number, if it comes back at all.
        unsafe {
            std::arch::asm!("int 0x80", inout("eax") result, out("r8") _, out("r9") _,
                out("r10") _, out("r11") _);
        }
        i32::from(result == 1)
    });
    assert!(libc::WIFSIGNALED(status), "{status:#x}");
    // SIGSEGV where the kernel was built without that interface.
    assert!([libc::SIGSYS, libc::SIGSEGV].contains(&libc::WTERMSIG(status)));
}

#[test]
fn a_process_with_two_threads_is_not_sealed() {
    let scratch = tempfile::tempdir().unwrap();
    let plan = plan(Zone::Verify, &scratch);
    // SAFETY: as in `start`.
    let pid = unsafe { sys::fork() }.unwrap();
    if pid == 0 {
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || held.recv().is_err());
        let refused = enter(&plan).is_err_and(|error| error.message.contains("2 threads"));
        drop(hold);
        let _ = thread.join();
        sys::exit_now(i32::from(!refused));
    }
    assert_eq!(libc::WEXITSTATUS(sys::wait(pid).unwrap()), 0);
}
