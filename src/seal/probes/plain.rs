//! Probes that are one system call with numbers, null pointers or names of nothing.

use super::{Outcome, Probe, Scene};
use crate::seal::plan::Layer;
use crate::seal::sys::{self, Errno};

/// One call.
struct Plain {
    name: &'static str,
    attempt: &'static str,
    number: libc::c_long,
    args: [usize; 6],
    /// How an open kernel answers, besides success.
    open: &'static [Errno],
}

/// -1 as an argument: no descriptor, no address, no id.
const NONE: usize = usize::MAX;

/// A limit whose soft value is above its hard one, which no kernel takes.
static SOFTER: [u64; 2] = [2, 1];

/// A path that exists nowhere, as an argument.
fn nothing() -> usize {
    c"/narrowroom-probe-nothing".as_ptr() as usize
}

fn plain(
    name: &'static str,
    attempt: &'static str,
    number: libc::c_long,
    args: &[usize],
    open: &'static [Errno],
) -> Plain {
    let mut all = [0; 6];
    for (to, from) in all.iter_mut().zip(args) {
        *to = *from;
    }
    Plain {
        name,
        attempt,
        number,
        args: all,
        open,
    }
}

#[rustfmt::skip]
fn table((own, parent): (u32, u32)) -> Vec<Plain> {
    use libc::*;
    let path = nothing();
    let (own, parent) = (own as usize, parent as usize);
    vec![
        // Sockets: every family that leads somewhere, and every call on an existing one.
        plain("socket-netlink", "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)", SYS_socket, &[16, 3, 0], &[]),
        plain("socket-packet", "socket(AF_PACKET, SOCK_RAW)", SYS_socket, &[17, 3, 0], &[]),
        plain("socket-raw", "socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)", SYS_socket, &[2, 3, 1], &[]),
        plain("socket-vsock", "socket(AF_VSOCK, SOCK_STREAM)", SYS_socket, &[40, 1, 0], &[EAFNOSUPPORT]),
        plain("socket-alg", "socket(AF_ALG, SOCK_SEQPACKET)", SYS_socket, &[38, 5, 0], &[EAFNOSUPPORT]),
        plain("socketpair", "socketpair(AF_UNIX, SOCK_STREAM, 0, NULL)", SYS_socketpair, &[1, 1, 0, 0], &[EFAULT]),
        plain("connect", "connect(-1)", SYS_connect, &[NONE, 0, 0], &[EBADF]),
        plain("bind", "bind(-1)", SYS_bind, &[NONE, 0, 0], &[EBADF]),
        plain("listen", "listen(-1)", SYS_listen, &[NONE, 0], &[EBADF]),
        plain("accept4", "accept4(-1)", SYS_accept4, &[NONE, 0, 0, 0], &[EBADF]),
        plain("sendto", "sendto(-1)", SYS_sendto, &[NONE, 0, 0, 0, 0, 0], &[EBADF]),
        plain("sendmsg", "sendmsg(-1)", SYS_sendmsg, &[NONE, 0, 0], &[EBADF]),
        plain("recvmsg", "recvmsg(-1)", SYS_recvmsg, &[NONE, 0, 0], &[EBADF]),
        // Other programs and other processes.
        plain("execve", "execve of a path that does not exist", SYS_execve, &[path, 0, 0], &[ENOENT]),
        plain("execveat", "execveat(-1, \"\", AT_EMPTY_PATH), as of a memfd", SYS_execveat, &[NONE, c"".as_ptr() as usize, 0, 0, 0x1000], &[EBADF]),
        plain("memfd-create", "memfd_create(\"probe\")", SYS_memfd_create, &[c"probe".as_ptr() as usize, 0], &[]),
        plain("ptrace", "ptrace(PTRACE_ATTACH) of a process that does not exist", SYS_ptrace, &[16, 0x3fff_ffff, 0, 0], &[ESRCH]),
        plain("process-vm-readv", "process_vm_readv(self, nothing)", SYS_process_vm_readv, &[own, 0, 0, 0, 0, 0], &[]),
        plain("process-vm-writev", "process_vm_writev(self, nothing)", SYS_process_vm_writev, &[own, 0, 0, 0, 0, 0], &[]),
        plain("kill-all", "kill(-1, 0)", SYS_kill, &[NONE, 0], &[]),
        plain("kill-parent", "kill(getppid(), 0)", SYS_kill, &[parent, 0], &[]),
        plain("kill-self", "kill(getpid(), 0)", SYS_kill, &[own, 0], &[]),
        plain("tgkill", "tgkill(getpid(), getpid(), 0)", SYS_tgkill, &[own, own, 0], &[]),
        plain("pidfd-open", "pidfd_open(getpid())", SYS_pidfd_open, &[own, 0], &[]),
        plain("pidfd-getfd", "pidfd_getfd(-1, 0)", SYS_pidfd_getfd, &[NONE, 0, 0], &[EBADF]),
        plain("kcmp", "kcmp(self, self)", SYS_kcmp, &[own, own, 0, 0, 0], &[ENOSYS]),
        plain("setpriority", "setpriority(PRIO_PROCESS, -1)", SYS_setpriority, &[0, 0x3fff_ffff, 19], &[ESRCH]),
        // Leaving or remaking the room.
        plain("unshare", "unshare(0)", SYS_unshare, &[0], &[]),
        plain("setns", "setns(-1)", SYS_setns, &[NONE, 0], &[EBADF]),
        plain("mount", "mount on a path that does not exist", SYS_mount, &[0, path, 0, 0, 0], &[ENOENT]),
        plain("umount2", "umount2 of a path that does not exist", SYS_umount2, &[path, 0], &[ENOENT]),
        plain("fsopen", "fsopen(NULL)", SYS_fsopen, &[0, 0], &[EFAULT]),
        plain("open-tree", "open_tree of a path that does not exist", SYS_open_tree, &[NONE, path, 0], &[ENOENT]),
        plain("move-mount", "move_mount(-1, -1)", SYS_move_mount, &[NONE, 0, NONE, 0, 0], &[EFAULT, EBADF]),
        plain("mount-setattr", "mount_setattr(-1, NULL)", SYS_mount_setattr, &[NONE, 0, 0, 0, 0], &[EINVAL]),
        plain("chroot", "chroot to a path that does not exist", SYS_chroot, &[path], &[ENOENT]),
        plain("pivot-root", "pivot_root to a path that does not exist", SYS_pivot_root, &[path, path], &[ENOENT]),
        plain("open-by-handle", "open_by_handle_at(-1, NULL)", SYS_open_by_handle_at, &[NONE, 0, 0], &[EFAULT, EBADF]),
        plain("name-to-handle", "name_to_handle_at(NULL)", SYS_name_to_handle_at, &[NONE, path, 0, 0, 0], &[ENOENT, EFAULT, EBADF]),
        // Privileges.
        plain("capset", "capset(NULL)", SYS_capset, &[0, 0], &[EFAULT]),
        plain("setresuid", "setresuid(-1, -1, -1)", SYS_setresuid, &[NONE, NONE, NONE], &[]),
        plain("setresgid", "setresgid(-1, -1, -1)", SYS_setresgid, &[NONE, NONE, NONE], &[]),
        plain("setuid-root", "setuid(0)", SYS_setuid, &[0], &[]),
        plain("personality", "personality(0xffffffff)", SYS_personality, &[0xffff_ffff], &[]),
        plain("prctl-dumpable", "prctl(PR_SET_DUMPABLE, 2), refused by any kernel", SYS_prctl, &[4, 2, 0, 0, 0], &[EINVAL]),
        plain("prctl-pdeathsig", "prctl(PR_SET_PDEATHSIG, no such signal)", SYS_prctl, &[1, 1000, 0, 0, 0], &[EINVAL]),
        plain("raise-limit", "prlimit of open files, softer than hard", SYS_prlimit64, &[0, 7, SOFTER.as_ptr() as usize, 0], &[EINVAL]),
        plain("ioctl-tiocsti", "ioctl(-1, TIOCSTI)", SYS_ioctl, &[NONE, 0x5412, 0], &[EBADF]),
        plain("fcntl-setown", "fcntl(-1, F_SETOWN)", SYS_fcntl, &[NONE, 8, 0], &[EBADF]),
        // Kernel machinery that has no use here.
        plain("io-uring-setup", "io_uring_setup(0, NULL)", SYS_io_uring_setup, &[0, 0], &[EFAULT, EINVAL]),
        plain("io-uring-enter", "io_uring_enter(-1)", SYS_io_uring_enter, &[NONE, 0, 0, 0, 0, 0], &[EBADF]),
        plain("io-uring-register", "io_uring_register(-1)", SYS_io_uring_register, &[NONE, 0, 0, 0], &[EBADF, EINVAL]),
        plain("bpf", "bpf(-1, NULL, 0)", SYS_bpf, &[NONE, 0, 0], &[EINVAL, EFAULT]),
        plain("perf-event-open", "perf_event_open(NULL)", SYS_perf_event_open, &[0, 0, NONE, NONE, 0], &[EFAULT]),
        plain("userfaultfd", "userfaultfd(unknown flags)", SYS_userfaultfd, &[NONE], &[EINVAL]),
        plain("keyctl", "keyctl(KEYCTL_GET_KEYRING_ID, session, no creation)", SYS_keyctl, &[0, NONE - 2, 0], &[ENOKEY]),
        plain("add-key", "add_key(NULL)", SYS_add_key, &[0, 0, 0, 0, 0], &[EFAULT]),
        plain("request-key", "request_key(NULL)", SYS_request_key, &[0, 0, 0, 0], &[EFAULT]),
        plain("shmget", "shmget(IPC_PRIVATE, 0 bytes)", SYS_shmget, &[0, 0, 0], &[EINVAL]),
        plain("shmat", "shmat(-1)", SYS_shmat, &[NONE, 0, 0], &[EINVAL]),
        plain("semget", "semget(IPC_PRIVATE, 0)", SYS_semget, &[0, 0, 0], &[EINVAL]),
        plain("msgget", "msgget of a queue that does not exist", SYS_msgget, &[0x6e72_7072, 0], &[ENOENT]),
        plain("mq-open", "mq_open(NULL)", SYS_mq_open, &[0, 0, 0, 0], &[EFAULT]),
        plain("fanotify-init", "fanotify_init(unknown flags)", SYS_fanotify_init, &[NONE, 0], &[EINVAL]),
        plain("inotify-init", "inotify_init1(unknown flags)", SYS_inotify_init1, &[NONE], &[EINVAL]),
        plain("modify-ldt", "modify_ldt(read nothing)", SYS_modify_ldt, &[0, 0, 0], &[ENOSYS]),
        plain("reboot", "reboot with magic numbers that no kernel accepts", SYS_reboot, &[0, 0, 0, 0], &[EINVAL]),
        plain("swapon", "swapon of a path that does not exist", SYS_swapon, &[path, 0], &[ENOENT]),
        plain("delete-module", "delete_module of a module that does not exist", SYS_delete_module, &[path, 0o4000], &[ENOENT, ENOSYS]),
        plain("clock-settime", "clock_settime(no such clock)", SYS_clock_settime, &[0x7fff, 0], &[EINVAL, EFAULT]),
        plain("sethostname", "sethostname(-1 bytes)", SYS_sethostname, &[0, NONE], &[EINVAL]),
        plain("syslog", "syslog(SYSLOG_ACTION_SIZE_BUFFER)", SYS_syslog, &[10, 0, 0], &[]),
        plain("seccomp-listener", "seccomp(unknown operation)", SYS_seccomp, &[0x7fff, 0, 0], &[EINVAL]),
    ]
}

/// The probes, with what the zone's allow-list answers.
pub(super) fn probes(scene: &Scene) -> Vec<Probe> {
    let mut probes: Vec<Probe> = table(scene.pids).into_iter().map(probe).collect();
    // The C library must take clone3 for unimplemented where threads are allowed, and use clone,
    // whose flags the filter can read.
    let mut clone3 = probe(plain(
        "clone3",
        "clone3(NULL)",
        libc::SYS_clone3,
        &[0, 0],
        &[libc::EINVAL],
    ));
    if scene.zone.may_start_threads() {
        clone3.expected = vec![libc::ENOSYS];
    }
    probes.push(clone3);
    probes
}

fn probe(plain: Plain) -> Probe {
    let Plain {
        name,
        attempt,
        number,
        args,
        open,
    } = plain;
    Probe {
        name: name.to_owned(),
        attempt: attempt.to_owned(),
        layers: vec![Layer::Seccomp],
        expected: vec![libc::EPERM],
        open: open.to_vec(),
        run: Box::new(move || {
            // SAFETY: `table` holds numbers, null pointers and static strings only; an open
            // kernel refuses each call or does nothing that outlives the next line.
            match unsafe { sys::call(number, args) } {
                Ok(result) => {
                    close_if_descriptor(number, result);
                    Outcome::Answer(super::SUCCESS)
                }
                Err(errno) => Outcome::Answer(errno),
            }
        }),
    }
}

/// Takes back what a successful attempt opened.
fn close_if_descriptor(number: libc::c_long, result: usize) {
    const OPENS: &[libc::c_long] = &[
        libc::SYS_socket,
        libc::SYS_memfd_create,
        libc::SYS_pidfd_open,
        libc::SYS_fsopen,
        libc::SYS_open_tree,
        libc::SYS_userfaultfd,
        libc::SYS_fanotify_init,
        libc::SYS_inotify_init1,
    ];
    if OPENS.contains(&number) {
        // SAFETY: the kernel has just given this number to us and nothing else knows it.
        let _ = unsafe { sys::call(libc::SYS_close, [result, 0, 0, 0, 0, 0]) };
    }
}
