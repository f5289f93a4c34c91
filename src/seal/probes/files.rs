//! Probes of paths: outside, in what may only be read, and in what may be written.

use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags};

use super::{Outcome, Probe, SUCCESS, Scene};
use crate::seal::plan::{Layer, Zone};
use crate::seal::sys::{self, Errno};

/// The name of what is created and removed again.
const NAME: &str = "narrowroom-probe";

/// Every path probe of a closed seal.
pub(super) fn probes(scene: &Scene) -> Vec<Probe> {
    let mut probes = outside(scene);
    probes.extend(attributes(&scene.not_granted));
    for (at, directory) in scene.read.iter().enumerate() {
        probes.extend(readable(scene, at, directory));
    }
    for (at, directory) in scene.write.iter().enumerate() {
        probes.extend(writable(at, directory));
    }
    probes
}

/// The path probes of a narrowed room: what was readable is not.
pub(super) fn narrowed(scene: &Scene) -> Vec<Probe> {
    let mut probes = attributes(&scene.not_granted);
    let paths = [Path::new("/"), &scene.not_granted].into_iter();
    let paths = paths.chain(scene.read.iter().map(PathBuf::as_path));
    for (at, path) in paths.enumerate() {
        let own = path.to_owned();
        probes.push(probe(
            format!("narrow-open-{at}"),
            format!("open {} after narrowing", path.display()),
            &[Layer::Seccomp],
            libc::EPERM,
            move || open(&own, OFlags::RDONLY),
        ));
    }
    probes
}

fn probe(
    name: impl Into<String>,
    attempt: impl Into<String>,
    layers: &[Layer],
    expected: Errno,
    run: impl Fn() -> rustix::io::Result<()> + Send + Sync + 'static,
) -> Probe {
    Probe {
        name: name.into(),
        attempt: attempt.into(),
        layers: layers.to_vec(),
        expected: vec![expected],
        open: vec![],
        run: Box::new(move || Outcome::from(run())),
    }
}

fn open(path: &Path, flags: OFlags) -> rustix::io::Result<()> {
    rustix::fs::openat(
        CWD,
        path,
        flags | OFlags::CLOEXEC,
        Mode::from_raw_mode(0o600),
    )
    .map(drop)
}

/// `openat2`, whose flags no filter can read: only the mount and Landlock stand in its way.
fn open2(path: &Path, flags: OFlags) -> rustix::io::Result<()> {
    let mode = if flags.intersects(OFlags::CREATE | OFlags::TMPFILE) {
        0o600
    } else {
        0
    };
    let resolve = ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::CLOEXEC;
    rustix::fs::openat2(CWD, path, flags, Mode::from_raw_mode(mode), resolve).map(drop)
}

/// Creates a file, and removes it again if that succeeded.
fn create(
    path: &Path,
    open: fn(&Path, OFlags) -> rustix::io::Result<()>,
) -> rustix::io::Result<()> {
    open(path, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
    rustix::fs::unlinkat(CWD, path, AtFlags::empty())
}

/// What lies outside of everything that was granted.
fn outside(scene: &Scene) -> Vec<Probe> {
    use Layer::{Landlock, MountNamespace};
    // With a root of our own the host's paths are not there; without it Landlock refuses them.
    let (gone, by) = if scene.own_root {
        (libc::ENOENT, &[MountNamespace])
    } else {
        (libc::EACCES, &[Landlock])
    };
    let not_granted = scene.not_granted.clone();
    let mut probes = vec![
        probe("read-passwd", "open /etc/passwd", by, gone, || {
            open(Path::new("/etc/passwd"), OFlags::RDONLY)
        }),
        probe("read-proc", "open /proc/self/status", by, gone, || {
            open(Path::new("/proc/self/status"), OFlags::RDONLY)
        }),
        probe("read-sys", "open /sys/class/net", by, gone, || {
            open(Path::new("/sys/class/net"), OFlags::RDONLY)
        }),
        probe(
            "write-device",
            "open /dev/null for writing",
            by,
            gone,
            || open2(Path::new("/dev/null"), OFlags::WRONLY),
        ),
        probe("list-root", "list /", &[Landlock], libc::EACCES, || {
            open(Path::new("/"), OFlags::RDONLY | OFlags::DIRECTORY)
        }),
        probe(
            "read-not-granted",
            format!(
                "open {}, which is there but not granted",
                not_granted.display()
            ),
            &[Landlock],
            libc::EACCES,
            move || open(&not_granted, OFlags::RDONLY),
        ),
    ];
    // Landlock does not look at stat: only the empty root hides these.
    for (name, path) in [
        ("stat-proc", "/proc/self"),
        ("stat-etc", "/etc"),
        ("stat-dev", "/dev"),
    ] {
        let (hidden, by) = (libc::ENOENT, &[MountNamespace]);
        probes.push(probe(name, format!("stat {path}"), by, hidden, move || {
            rustix::fs::statat(CWD, path, AtFlags::empty()).map(drop)
        }));
    }
    if scene.own_root {
        // A link of /proc leads to what a descriptor has open, whatever its path.
        for (name, path, flags) in [
            ("open-descriptor", "/proc/self/fd/0", OFlags::RDONLY),
            ("open-memory", "/proc/self/mem", OFlags::RDWR),
            ("open-shared-memory", "/dev/shm", OFlags::DIRECTORY),
        ] {
            probes.push(probe(name, format!("open {path}"), by, gone, move || {
                let flags = flags | OFlags::CLOEXEC;
                let resolve = ResolveFlags::empty();
                rustix::fs::openat2(CWD, path, flags, Mode::empty(), resolve).map(drop)
            }));
        }
        let create_in_root = || create(Path::new("/").join(NAME).as_path(), open2);
        probes.push(probe(
            "create-in-root",
            "create a file in /",
            by,
            libc::EROFS,
            create_in_root,
        ));
    }
    probes
}

/// Owner, mode, times, size and names: Landlock does not look at them, the allow-list does.
fn attributes(path: &Path) -> Vec<Probe> {
    let path = path.to_owned();
    let denied = |name: &str, attempt: &str, run: fn(&Path) -> Result<(), Errno>| {
        let own = path.clone();
        Probe {
            name: name.to_owned(),
            attempt: format!("{attempt} {}", path.display()),
            layers: vec![Layer::Seccomp],
            expected: vec![libc::EPERM],
            open: vec![
                libc::ENODATA,
                libc::EEXIST,
                libc::ENOENT,
                libc::EROFS,
                libc::EOPNOTSUPP,
            ],
            run: Box::new(move || Outcome::from(run(&own))),
        }
    };
    vec![
        denied("chmod", "chmod to 0644 of", |path| {
            let mode = Mode::from_raw_mode(0o644);
            rustix::fs::chmodat(CWD, path, mode, AtFlags::empty()).map_err(|e| e.raw_os_error())
        }),
        denied("chown", "chown to nobody new of", |path| {
            rustix::fs::chownat(CWD, path, None, None, AtFlags::empty())
                .map_err(|e| e.raw_os_error())
        }),
        denied("utimensat", "utimensat that leaves the times of", |path| {
            let omit = rustix::fs::Timespec {
                tv_sec: 0,
                tv_nsec: rustix::fs::UTIME_OMIT,
            };
            let times = rustix::fs::Timestamps {
                last_access: omit,
                last_modification: omit,
            };
            rustix::fs::utimensat(CWD, path, &times, AtFlags::empty()).map_err(|e| e.raw_os_error())
        }),
        denied(
            "setxattr",
            "replace an extended attribute that is not there on",
            |path| {
                let flags = rustix::fs::XattrFlags::REPLACE;
                rustix::fs::setxattr(path, "user.narrowroom-probe", &[], flags)
                    .map_err(|e| e.raw_os_error())
            },
        ),
        denied("truncate", "truncate to its own size", |path| {
            let length = rustix::fs::statat(CWD, path, AtFlags::empty());
            let length = length.map_or(0, |stat| stat.st_size) as usize;
            let path = sys::c_path(path);
            // SAFETY: the path is a C string that lives through the call.
            unsafe {
                sys::call(
                    libc::SYS_truncate,
                    [path.as_ptr() as usize, length, 0, 0, 0, 0],
                )
            }
            .map(drop)
        }),
        denied("link", "link to itself", |path| {
            rustix::fs::linkat(CWD, path, CWD, path, AtFlags::empty()).map_err(|e| e.raw_os_error())
        }),
        denied("symlink", "make a symlink in the place of", |path| {
            rustix::fs::symlinkat(path, CWD, path).map_err(|e| e.raw_os_error())
        }),
        denied("mknod", "make a fifo in the place of", |path| {
            let kind = rustix::fs::FileType::Fifo;
            rustix::fs::mknodat(CWD, path, kind, Mode::from_raw_mode(0o600), 0)
                .map_err(|e| e.raw_os_error())
        }),
    ]
}

/// What was granted for reading: it must be readable and nothing else.
fn readable(scene: &Scene, at: usize, path: &Path) -> Vec<Probe> {
    use Layer::{Landlock, MountNamespace, Seccomp};
    let shown = path.display();
    let own = path.to_owned();
    let child = path.join(NAME);
    // Calls that name a path and are not on the list of a zone that writes nothing.
    let writes = scene.zone == Zone::Unpack;
    let (read_only, by) = if scene.own_root {
        (libc::EROFS, MountNamespace)
    } else {
        (libc::EACCES, Landlock)
    };
    let (refused, refused_by) = if writes {
        (read_only, by)
    } else {
        (libc::EPERM, Seccomp)
    };

    let read = probe(
        format!("read-{at}"),
        format!("read {shown}, must be possible"),
        &[],
        SUCCESS,
        move || {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let file = rustix::fs::openat(CWD, &own, flags, Mode::empty())?;
            if rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode).is_dir() {
                let mut buffer = Vec::with_capacity(1024);
                let mut entries = rustix::fs::RawDir::new(&file, buffer.spare_capacity_mut());
                entries.next().transpose().map(drop)
            } else {
                rustix::io::read(&file, &mut [0_u8; 1]).map(drop)
            }
        },
    );
    let mut probes = vec![read];
    if !rustix::fs::statat(CWD, path, AtFlags::empty())
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir())
    {
        return probes;
    }
    let (one, two, three, four) = (child.clone(), child.clone(), child.clone(), child);
    probes.push(probe(
        format!("create2-{at}"),
        format!("create a file in {shown} by openat2"),
        &[by],
        read_only,
        move || create(&one, open2),
    ));
    probes.push(probe(
        format!("create-{at}"),
        format!("create a file in {shown} by openat"),
        &[refused_by],
        refused,
        move || create(&two, open),
    ));
    probes.push(probe(
        format!("mkdir-{at}"),
        format!("create a directory in {shown}"),
        &[refused_by],
        refused,
        move || {
            rustix::fs::mkdirat(CWD, &three, Mode::from_raw_mode(0o700))?;
            rustix::fs::unlinkat(CWD, &three, AtFlags::REMOVEDIR)
        },
    ));
    let mut unlink = probe(
        format!("unlink-{at}"),
        format!("remove a file that is not there from {shown}"),
        &[refused_by],
        refused,
        move || rustix::fs::unlinkat(CWD, &four, AtFlags::empty()),
    );
    unlink.open = vec![libc::ENOENT];
    if refused_by != Landlock {
        probes.push(unlink);
    }
    probes
}

/// What was granted for writing: regular files and directories, and nothing else.
fn writable(at: usize, path: &Path) -> Vec<Probe> {
    let (one, two) = (path.join(NAME), path.join(NAME));
    let shown = path.display();
    vec![
        probe(
            format!("write-{at}"),
            format!("create and remove a file in {shown}, must be possible"),
            &[],
            SUCCESS,
            move || create(&one, open2),
        ),
        probe(
            format!("write-mkdir-{at}"),
            format!("create and remove a directory in {shown}, must be possible"),
            &[],
            SUCCESS,
            move || {
                rustix::fs::mkdirat(CWD, &two, Mode::from_raw_mode(0o700))?;
                rustix::fs::unlinkat(CWD, &two, AtFlags::REMOVEDIR)
            },
        ),
    ]
}
