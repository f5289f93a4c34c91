//! What a process that was taken over would try to get out, act by act. Each act really does what
//! its name says where nothing stops it: the same acts outside of a seal are the positive control.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketType};
use serde::{Deserialize, Serialize};

/// What lies outside and is tried.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Targets {
    /// A directory of the host with the files `secret`, `victim` and `socket`.
    pub dir: PathBuf,
    /// What is writable or readable inside, if anything: `/tree`.
    pub inside: PathBuf,
    /// Ports of 127.0.0.1 that are listened on: TCP, UDP.
    pub ports: (u16, u16),
    /// Name of an abstract socket that is listened on.
    pub abstract_name: String,
    /// A process of the same user.
    pub sibling: i32,
    /// A segment of System V memory.
    pub segment: usize,
    /// A descriptor that was inherited and is open on `secret`.
    pub inherited: i32,
}

/// What an act met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Met {
    /// Name of the act.
    pub act: String,
    /// Errno, 0 when it succeeded.
    pub errno: i32,
}

type Act = (&'static str, fn(&Targets) -> Result<(), Errno>);

/// Every act, in this thread.
pub fn attempt_all(targets: &Targets) -> Vec<Met> {
    all()
        .map(|(act, run)| Met {
            act: act.to_owned(),
            errno: run(targets).err().map_or(0, Errno::raw_os_error),
        })
        .collect()
}

/// Every act, each in a process of its own, so that none changes what the next one meets.
pub fn attempt_each_alone(targets: &Targets) -> Vec<Met> {
    all()
        .map(|(act, run)| {
            // SAFETY: this process has one thread; the child makes the attempt and ends.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let errno = run(targets).err().map_or(0, Errno::raw_os_error);
                // SAFETY: ends the child at once.
                unsafe { libc::_exit(errno) };
            }
            let mut status = 0;
            // SAFETY: a child of ours, and a local that lives through the call.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            Met {
                act: act.to_owned(),
                errno: if libc::WIFEXITED(status) {
                    libc::WEXITSTATUS(status)
                } else {
                    libc::EINTR
                },
            }
        })
        .collect()
}

fn all() -> impl Iterator<Item = Act> {
    FILES
        .iter()
        .chain(NETWORK)
        .chain(PROCESSES)
        .chain(MEMORY)
        .chain(KERNEL)
        .copied()
}

/// A call by number; the result as a number.
fn call(number: libc::c_long, args: &[usize]) -> Result<usize, Errno> {
    let mut all = [0; 6];
    for (to, from) in all.iter_mut().zip(args) {
        *to = *from;
    }
    // SAFETY: test code in a process that exists for it; pointers are to live locals or statics.
    let got = unsafe { libc::syscall(number, all[0], all[1], all[2], all[3], all[4], all[5]) };
    if got == -1 {
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
    } else {
        #[expect(clippy::cast_sign_loss, reason = "descriptors and addresses")]
        Ok(got as usize)
    }
}

/// The descriptor that a call gave.
fn descriptor(number: libc::c_long, args: &[usize]) -> Result<OwnedFd, Errno> {
    let fd = i32::try_from(call(number, args)?).map_err(|_| Errno::BADF)?;
    // SAFETY: the kernel has just given it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn c(path: &Path) -> std::ffi::CString {
    use std::os::unix::ffi::OsStrExt;
    std::ffi::CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}

fn open(path: impl AsRef<Path>, flags: OFlags) -> Result<OwnedFd, Errno> {
    rustix::fs::open(
        path.as_ref(),
        flags | OFlags::CLOEXEC,
        Mode::from_raw_mode(0o600),
    )
}

/// Opens and reads; a file of nothing was not read.
fn read(path: impl AsRef<Path>) -> Result<(), Errno> {
    let file = open(path, OFlags::RDONLY)?;
    match rustix::io::read(file, &mut [0_u8; 16])? {
        0 => Err(Errno::NODATA),
        _ => Ok(()),
    }
}

fn climb(from: &str, targets: &Targets) -> Result<(), Errno> {
    read(format!("{from}{}", targets.dir.join("secret").display()))
}

const FILES: &[Act] = &[
    ("read by name", |t| read(t.dir.join("secret"))),
    ("read by climbing from the tree", |t| {
        climb(
            &format!("{}/../../../../../../../../..", t.inside.display()),
            t,
        )
    }),
    ("read through /proc/self/root", |t| {
        climb("/proc/self/root", t)
    }),
    ("read through /proc/self/cwd", |t| {
        climb("/proc/self/cwd/../../../../../../..", t)
    }),
    ("read through the root of another process", |t| {
        climb(&format!("/proc/{}/root", t.sibling), t)
    }),
    ("read what a descriptor of another process has open", |t| {
        read(format!("/proc/{}/fd/3", t.sibling))
    }),
    ("read an inherited descriptor", |t| {
        let mut byte = [0_u8; 1];
        call(
            libc::SYS_pread64,
            &[t.inherited as usize, byte.as_mut_ptr() as usize, 1, 0],
        )
        .map(drop)
    }),
    (
        "open an inherited descriptor anew through /proc/self/fd",
        |t| read(format!("/proc/self/fd/{}", t.inherited)),
    ),
    ("read by openat2", |t| {
        let resolve = rustix::fs::ResolveFlags::empty();
        let path = t.dir.join("secret");
        rustix::fs::openat2(CWD, path, OFlags::RDONLY, Mode::empty(), resolve).map(drop)
    }),
    ("list a directory", |t| {
        open(&t.dir, OFlags::RDONLY | OFlags::DIRECTORY).map(drop)
    }),
    ("look at a file", |t| {
        rustix::fs::stat(t.dir.join("secret")).map(drop)
    }),
    ("write into a file", |t| {
        let file = open(t.dir.join("victim"), OFlags::WRONLY)?;
        rustix::io::write(file, b"x").map(drop)
    }),
    ("create a file", |t| {
        open(t.dir.join("made"), OFlags::WRONLY | OFlags::CREATE).map(drop)
    }),
    ("create a file without a name", |t| {
        open(&t.dir, OFlags::WRONLY | OFlags::TMPFILE).map(drop)
    }),
    ("make a directory", |t| {
        rustix::fs::mkdir(t.dir.join("folder"), Mode::from_raw_mode(0o700))
    }),
    ("truncate", |t| {
        let path = c(&t.dir.join("victim"));
        call(libc::SYS_truncate, &[path.as_ptr() as usize, 1]).map(drop)
    }),
    ("change a mode", |t| {
        rustix::fs::chmod(t.dir.join("victim"), Mode::from_raw_mode(0o777))
    }),
    ("change an owner", |t| {
        rustix::fs::chown(t.dir.join("victim"), Some(rustix::process::getuid()), None)
    }),
    ("change times", |t| {
        let then = rustix::fs::Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        let times = rustix::fs::Timestamps {
            last_access: then,
            last_modification: then,
        };
        rustix::fs::utimensat(CWD, t.dir.join("victim"), &times, AtFlags::empty())
    }),
    ("set an extended attribute", |t| {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::setxattr(t.dir.join("victim"), "user.taken", b"x", flags)
    }),
    ("make a symlink", |t| {
        rustix::fs::symlink("/etc/passwd", t.dir.join("link"))
    }),
    ("make a hard link", |t| {
        rustix::fs::link(t.dir.join("victim"), t.dir.join("hard"))
    }),
    ("make a pipe with a name", |t| {
        rustix::fs::mknodat(
            CWD,
            t.dir.join("fifo"),
            rustix::fs::FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
    }),
    ("rename", |t| {
        rustix::fs::rename(t.dir.join("moved"), t.dir.join("moved-away"))
    }),
    ("remove", |t| rustix::fs::unlink(t.dir.join("doomed"))),
    ("a link inside that leads out", |t| {
        let link = t.inside.join("way-out");
        rustix::fs::symlink(t.dir.join("secret"), &link)?;
        read(link)
    }),
    ("a program inside that its owner becomes", |t| {
        rustix::fs::chmod(t.inside.join("existing"), Mode::from_raw_mode(0o4755))
    }),
    ("a device inside", |t| {
        let kind = rustix::fs::FileType::CharacterDevice;
        rustix::fs::mknodat(
            CWD,
            t.inside.join("null"),
            kind,
            Mode::from_raw_mode(0o600),
            rustix::fs::makedev(1, 3),
        )
    }),
    ("read shared memory by its file", |_| {
        read("/dev/shm/narrowroom-takeover")
    }),
];

fn socket(family: AddressFamily, kind: SocketType) -> Result<OwnedFd, Errno> {
    rustix::net::socket(family, kind, None)
}

fn raw_socket(family: usize, kind: usize, protocol: usize) -> Result<(), Errno> {
    descriptor(libc::SYS_socket, &[family, kind, protocol]).map(drop)
}

const NETWORK: &[Act] = &[
    ("connect by TCP", |t| {
        let one = socket(AddressFamily::INET, SocketType::STREAM)?;
        rustix::net::connect(one, &SocketAddr::from((Ipv4Addr::LOCALHOST, t.ports.0)))
    }),
    ("listen on TCP", |_| {
        let one = socket(AddressFamily::INET, SocketType::STREAM)?;
        rustix::net::bind(&one, &SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        rustix::net::listen(&one, 1)
    }),
    ("send by UDP", |t| {
        let one = socket(AddressFamily::INET, SocketType::DGRAM)?;
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, t.ports.1));
        rustix::net::sendto(one, b"escaped", SendFlags::empty(), &to).map(drop)
    }),
    ("connect to a unix socket by path", |t| {
        let one = socket(AddressFamily::UNIX, SocketType::STREAM)?;
        rustix::net::connect(one, &SocketAddrUnix::new(t.dir.join("socket"))?)
    }),
    ("connect to an abstract unix socket", |t| {
        let one = socket(AddressFamily::UNIX, SocketType::STREAM)?;
        rustix::net::connect(
            one,
            &SocketAddrUnix::new_abstract_name(t.abstract_name.as_bytes())?,
        )
    }),
    ("a unix socket by path of one's own", |t| {
        let one = socket(AddressFamily::UNIX, SocketType::STREAM)?;
        rustix::net::bind(one, &SocketAddrUnix::new(t.dir.join("own-socket"))?)
    }),
    ("a raw socket", |_| raw_socket(2, 3, 1)),
    ("a netlink socket", |_| raw_socket(16, 3, 0)),
    ("a packet socket", |_| raw_socket(17, 3, 0)),
    ("a vsock socket", |_| raw_socket(40, 1, 0)),
    ("a pair of sockets", |_| {
        let mut pair = [0_i32; 2];
        call(libc::SYS_socketpair, &[1, 1, 0, pair.as_mut_ptr() as usize]).map(drop)
    }),
    (
        "an io_uring, which opens and connects without a call",
        |_| {
            let mut parameters = [0_u8; 120];
            descriptor(
                libc::SYS_io_uring_setup,
                &[1, parameters.as_mut_ptr() as usize],
            )
            .map(drop)
        },
    ),
];

/// Waits for a child of ours that a call of the fork family made, or ends it if this is the child.
fn child(made: Result<usize, Errno>) -> Result<(), Errno> {
    match made? {
        // SAFETY: ends the child at once.
        0 => unsafe { libc::_exit(0) },
        pid => {
            // SAFETY: waits without a status.
            unsafe { libc::waitpid(i32::try_from(pid).unwrap_or(-1), std::ptr::null_mut(), 0) };
            Ok(())
        }
    }
}

/// Runs a program in the place of this process: comes back only if that fails.
fn execute(path: &Path) -> Result<(), Errno> {
    let path = c(path);
    let arguments = [path.as_ptr(), std::ptr::null()];
    call(
        libc::SYS_execve,
        &[path.as_ptr() as usize, arguments.as_ptr() as usize, 0],
    )
    .map(drop)
}

const PROCESSES: &[Act] = &[
    ("fork", |_| child(call(libc::SYS_fork, &[]))),
    ("clone a process in a user namespace", |_| {
        child(call(
            libc::SYS_clone,
            &[libc::CLONE_NEWUSER as usize | libc::SIGCHLD as usize],
        ))
    }),
    ("execute a program", |_| execute(Path::new("/bin/true"))),
    ("execute a program from memory", |_| {
        let file = descriptor(libc::SYS_memfd_create, &[c"taken".as_ptr() as usize, 0])?;
        rustix::io::write(&file, b"#!/bin/true\n")?;
        let path = c"";
        let arguments = [path.as_ptr(), std::ptr::null()];
        call(
            libc::SYS_execveat,
            &[
                file.as_raw_fd() as usize,
                path.as_ptr() as usize,
                arguments.as_ptr() as usize,
                0,
                0x1000,
            ],
        )
        .map(drop)
    }),
    ("signal another process", |t| {
        call(libc::SYS_kill, &[t.sibling as usize, 0]).map(drop)
    }),
    ("stop another process", |t| {
        call(
            libc::SYS_kill,
            &[t.sibling as usize, libc::SIGCONT as usize],
        )
        .map(drop)
    }),
    ("signal a thread of another process", |t| {
        call(
            libc::SYS_tgkill,
            &[t.sibling as usize, t.sibling as usize, 0],
        )
        .map(drop)
    }),
    ("open another process", |t| {
        descriptor(libc::SYS_pidfd_open, &[t.sibling as usize, 0]).map(drop)
    }),
    ("take a descriptor of another process", |t| {
        let process = descriptor(libc::SYS_pidfd_open, &[t.sibling as usize, 0])?;
        descriptor(libc::SYS_pidfd_getfd, &[process.as_raw_fd() as usize, 0, 0]).map(drop)
    }),
    ("trace another process", |t| {
        call(libc::SYS_ptrace, &[16, t.sibling as usize, 0, 0])?;
        // SAFETY: waits for the stop that attaching makes.
        unsafe { libc::waitpid(t.sibling, std::ptr::null_mut(), libc::__WALL) };
        call(libc::SYS_ptrace, &[17, t.sibling as usize, 0, 0]).map(drop)
    }),
    ("read the memory of another process by its file", |t| {
        open(format!("/proc/{}/mem", t.sibling), OFlags::RDONLY).map(drop)
    }),
    ("read the memory of a process", |_| {
        let (from, mut to) = ([7_u8; 8], [0_u8; 8]);
        let local = libc::iovec {
            iov_base: to.as_mut_ptr().cast(),
            iov_len: 8,
        };
        let remote = libc::iovec {
            iov_base: from.as_ptr().cast_mut().cast(),
            iov_len: 8,
        };
        let own = std::process::id() as usize;
        call(
            libc::SYS_process_vm_readv,
            &[
                own,
                &raw const local as usize,
                1,
                &raw const remote as usize,
                1,
                0,
            ],
        )
        .map(drop)
    }),
    ("change the limits of another process", |t| {
        let mut old = [0_u64; 2];
        call(
            libc::SYS_prlimit64,
            &[t.sibling as usize, 7, 0, old.as_mut_ptr() as usize],
        )
        .map(drop)
    }),
    ("change the priority of another process", |t| {
        call(libc::SYS_setpriority, &[0, t.sibling as usize, 19]).map(drop)
    }),
];

fn map(length: usize, protection: i32) -> Result<usize, Errno> {
    let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
    call(
        libc::SYS_mmap,
        &[0, length, protection as usize, flags, usize::MAX, 0],
    )
}

const MEMORY: &[Act] = &[
    ("memory that is written and executed", |_| {
        map(4096, libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC).map(drop)
    }),
    ("memory that is written, then executed", |_| {
        let page = map(4096, libc::PROT_READ | libc::PROT_WRITE)?;
        let to = (libc::PROT_READ | libc::PROT_EXEC) as usize;
        call(libc::SYS_mprotect, &[page, 4096, to]).map(drop)
    }),
    ("the same by a protection key", |_| {
        let page = map(4096, libc::PROT_READ | libc::PROT_WRITE)?;
        let to = (libc::PROT_READ | libc::PROT_EXEC) as usize;
        call(libc::SYS_pkey_mprotect, &[page, 4096, to, usize::MAX]).map(drop)
    }),
    ("attach shared memory", |t| {
        call(libc::SYS_shmat, &[t.segment, 0, 0]).map(drop)
    }),
    ("look at shared memory", |t| {
        let mut found = [0_u8; 256];
        call(
            libc::SYS_shmctl,
            &[
                t.segment,
                libc::IPC_STAT as usize,
                found.as_mut_ptr() as usize,
            ],
        )
        .map(drop)
    }),
    ("make shared memory", |_| {
        let id = call(
            libc::SYS_shmget,
            &[0, 4096, libc::IPC_CREAT as usize | 0o600],
        )?;
        call(libc::SYS_shmctl, &[id, libc::IPC_RMID as usize, 0]).map(drop)
    }),
    ("make a message queue", |_| {
        let id = call(libc::SYS_msgget, &[0, libc::IPC_CREAT as usize | 0o600])?;
        call(libc::SYS_msgctl, &[id, libc::IPC_RMID as usize, 0]).map(drop)
    }),
    ("make a file of memory", |_| {
        descriptor(libc::SYS_memfd_create, &[c"taken".as_ptr() as usize, 0]).map(drop)
    }),
];

fn unshare(flag: i32) -> Result<(), Errno> {
    call(libc::SYS_unshare, &[flag as usize]).map(drop)
}

const KERNEL: &[Act] = &[
    ("a user namespace", |_| unshare(libc::CLONE_NEWUSER)),
    ("a network namespace", |_| {
        unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET)
    }),
    ("enter the network of another process", |t| {
        let file = open(format!("/proc/{}/ns/net", t.sibling), OFlags::RDONLY)?;
        call(libc::SYS_setns, &[file.as_raw_fd() as usize, 0]).map(drop)
    }),
    ("mount", |_| {
        unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS)?;
        let (kind, to) = (c"tmpfs", c"/tmp");
        call(
            libc::SYS_mount,
            &[
                kind.as_ptr() as usize,
                to.as_ptr() as usize,
                kind.as_ptr() as usize,
                0,
                0,
            ],
        )
        .map(drop)
    }),
    ("open a file system", |_| {
        unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS)?;
        descriptor(libc::SYS_fsopen, &[c"tmpfs".as_ptr() as usize, 0]).map(drop)
    }),
    ("another root", |_| {
        unshare(libc::CLONE_NEWUSER)?;
        call(libc::SYS_chroot, &[c"/".as_ptr() as usize]).map(drop)
    }),
    ("become the same user", |_| {
        let own = rustix::process::getuid().as_raw() as usize;
        call(libc::SYS_setresuid, &[own, own, own]).map(drop)
    }),
    ("a filter of one's own", |_| {
        // SECCOMP_GET_ACTION_AVAIL, SECCOMP_RET_ALLOW
        let action = 0x7fff_0000_u32;
        call(libc::SYS_seccomp, &[2, 0, &raw const action as usize]).map(drop)
    }),
    ("be looked into", |_| {
        call(libc::SYS_prctl, &[4, 1, 0, 0, 0]).map(drop)
    }),
    ("outlive the parent", |_| {
        call(libc::SYS_prctl, &[1, 0, 0, 0, 0]).map(drop)
    }),
    ("raise a limit", |_| {
        let mut limit = [0_u64; 2];
        call(libc::SYS_prlimit64, &[0, 7, 0, limit.as_mut_ptr() as usize])?;
        limit[0] = limit[1];
        call(libc::SYS_prlimit64, &[0, 7, limit.as_ptr() as usize, 0]).map(drop)
    }),
    ("a handle of a file", |t| {
        let path = c(&t.dir.join("secret"));
        let mut handle = [0_u32; 40];
        handle[0] = 128;
        let mut mount = 0_i32;
        call(
            libc::SYS_name_to_handle_at,
            &[
                libc::AT_FDCWD as usize,
                path.as_ptr() as usize,
                handle.as_mut_ptr() as usize,
                &raw mut mount as usize,
                0,
            ],
        )
        .map(drop)
    }),
    ("a key ring", |_| {
        call(libc::SYS_keyctl, &[0, usize::MAX - 2, 1]).map(drop)
    }),
    ("watch files", |_| {
        descriptor(libc::SYS_inotify_init1, &[0]).map(drop)
    }),
    ("handle page faults", |_| {
        descriptor(libc::SYS_userfaultfd, &[1]).map(drop)
    }),
    ("count events of the processor", |_| {
        let mut attributes = [0_u32; 32];
        (attributes[0], attributes[1]) = (1, 128); // software
        attributes[10] = 1 << 5 | 1 << 6; // of user space alone
        descriptor(
            libc::SYS_perf_event_open,
            &[attributes.as_ptr() as usize, 0, usize::MAX, usize::MAX, 0],
        )
        .map(drop)
    }),
    ("another execution domain", |_| {
        call(libc::SYS_personality, &[0xffff_ffff]).map(drop)
    }),
    ("the kernel's log", |_| {
        call(libc::SYS_syslog, &[10, 0, 0]).map(drop)
    }),
    ("write to the terminal's input", |_| {
        // FIONREAD on standard input: any ioctl will do.
        let mut count = 0_i32;
        call(libc::SYS_ioctl, &[0, 0x541b, &raw mut count as usize]).map(drop)
    }),
];
