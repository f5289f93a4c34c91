//! Takeover drills: a sealed process that was taken over tries every way out that we know, from each
//! zone, and gains nothing; its harmless twin outside of a seal gets through. A room that lies is
//! refused or judged. Needs `--features layer-mutation`, which `scripts/test.sh` gives.
#![cfg(feature = "layer-mutation")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test handles the files, sockets and processes it made itself"
)]

mod support;

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};

use narrowroom::room::frame;
use narrowroom::room::hostile::acts::{Met, Targets};
use narrowroom::room::hostile::{TARGETS, lies};
use narrowroom::room::protocol::{BOOT_VARIABLE, Boot};
use serde_json::Value;
use support::{Ended, Place, pack};

const SECRET: &str = "hostsecret-7f3a9c";

/// Everything outside that a worker may try, and what must be true of it afterwards.
struct Outside {
    place: Place,
    targets: Targets,
    _tcp: std::net::TcpListener,
    udp: std::net::UdpSocket,
    _unix: UnixListener,
    _abstract: UnixListener,
    _secret: std::fs::File,
    sibling: Child,
}

impl Outside {
    fn lay(name: &str) -> Self {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::fs::PermissionsExt;
        let place = Place::new();
        // Workers of root become nobody: nothing here is out of reach by its mode.
        std::fs::set_permissions(place.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        for name in ["secret", "victim", "moved", "doomed"] {
            let path = place.write(name, SECRET);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
        }
        std::fs::create_dir(place.join("tree")).unwrap();
        std::fs::write(place.join("tree/existing"), "a line\n").unwrap();
        if let Some((uid, gid)) = narrowroom::seal::worker_owner() {
            for path in ["tree", "tree/existing"] {
                std::os::unix::fs::chown(place.join(path), Some(uid), Some(gid)).unwrap();
            }
        }
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.set_nonblocking(true).unwrap();
        let unix = UnixListener::bind(place.join("socket")).unwrap();
        let socket = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(place.join("socket"), socket).unwrap();
        let abstract_name = format!("narrowroom-takeover-{name}-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&abstract_name).unwrap();
        let listening = UnixListener::bind_addr(&address).unwrap();
        let secret = std::fs::File::open(place.join("secret")).unwrap();
        let sibling = Command::new("sleep")
            .arg("600")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        // SAFETY: takes numbers; the segment goes with the last process that has it attached.
        let segment = unsafe {
            let id = libc::shmget(libc::IPC_PRIVATE, 4096, libc::IPC_CREAT | 0o666);
            assert!(id >= 0 && !libc::shmat(id, std::ptr::null(), 0).is_null());
            libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut());
            id
        };
        let targets = Targets {
            dir: place.path().to_owned(),
            inside: "/tree".into(),
            ports: (
                tcp.local_addr().unwrap().port(),
                udp.local_addr().unwrap().port(),
            ),
            abstract_name,
            sibling: i32::try_from(sibling.id()).unwrap(),
            segment: usize::try_from(segment).unwrap(),
            inherited: 77,
        };
        Self {
            place,
            targets,
            _tcp: tcp,
            udp,
            _unix: unix,
            _abstract: listening,
            _secret: secret,
            sibling,
        }
    }

    /// Starts the worker `name` with a descriptor that nobody granted, and hears what it met.
    fn attempt(&mut self, name: &str) -> Vec<Value> {
        use std::os::unix::process::CommandExt;
        let boot = Boot {
            tree: self.place.join("tree"),
            model: None,
            library: None,
            limits: narrowroom::limits::Limits::default(),
            allow_weaker: vec![],
            name: String::new(),
            open_streams: false,
        };
        let (from, to) = (self._secret.as_raw_fd(), self.targets.inherited);
        let mut command = Command::new(env!("CARGO_BIN_EXE_narrowroom"));
        command
            .args(["__worker", &format!("takeover-{name}")])
            .env_clear()
            .env(BOOT_VARIABLE, serde_json::to_string(&boot).unwrap())
            .env(TARGETS, serde_json::to_string(&self.targets).unwrap())
            .current_dir("/")
            .stdin(Stdio::piped());
        // SAFETY: one call that is allowed after a fork; the copy stays open in the new program.
        unsafe {
            command.pre_exec(move || match libc::dup2(from, to) {
                -1 => Err(std::io::Error::last_os_error()),
                _ => Ok(()),
            });
        }
        let output = command.output().unwrap();
        let mut bytes = output.stdout.as_slice();
        let mut frames = Vec::new();
        while let Some(frame) = frame::read::<Value>(&mut bytes).unwrap() {
            frames.push(frame);
        }
        assert!(
            output.status.success(),
            "{name}: {:?} {frames:?}",
            output.status
        );
        frames
    }

    /// What lies in the directory outside, with everything that an act could have changed.
    fn state(&self) -> Vec<String> {
        use std::os::unix::fs::MetadataExt;
        let mut all: Vec<_> = std::fs::read_dir(self.place.path())
            .unwrap()
            .map(|item| {
                let item = item.unwrap();
                let meta = item.path().symlink_metadata().unwrap();
                format!(
                    "{:?} {:o} {}:{} {} {}.{}",
                    item.file_name(),
                    meta.mode(),
                    meta.uid(),
                    meta.gid(),
                    meta.size(),
                    meta.mtime(),
                    meta.ctime()
                )
            })
            .collect();
        all.sort();
        all
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.sibling.kill();
        let _ = self.sibling.wait();
    }
}

fn met(frame: &Value) -> Vec<Met> {
    serde_json::from_value(frame.clone()).unwrap()
}

#[test]
fn no_act_gets_out_of_any_zone() {
    for (zone, rounds) in [("unpack", 1), ("room", 3), ("verify", 1)] {
        let mut outside = Outside::lay(zone);
        let before = outside.state();
        let frames = outside.attempt(zone);
        assert_eq!(frames.len(), 1 + rounds, "{zone}: the proof and each round");
        assert!(frames[0]["sealed"].is_object());
        for (round, frame) in frames[1..].iter().enumerate() {
            let met = met(frame);
            assert!(met.len() > 80, "{} acts", met.len());
            let escapes: Vec<_> = met.iter().filter(|one| one.errno == 0).collect();
            assert!(escapes.is_empty(), "{zone}, round {round}: {escapes:?}");
            // Refused by the seal, not by a mistake of the act: no other errno counts.
            let denied = [
                libc::EPERM,
                libc::ENOENT,
                libc::EACCES,
                libc::EBADF,
                libc::EROFS,
                libc::ENOSYS,
            ];
            let odd: Vec<_> = met
                .iter()
                .filter(|one| !denied.contains(&one.errno))
                .collect();
            assert!(odd.is_empty(), "{zone}, round {round}: {odd:?}");
            println!(
                "takeover: {zone}, round {round}: {} acts, {} escapes",
                met.len(),
                escapes.len()
            );
        }
        assert_eq!(
            outside.state(),
            before,
            "{zone}: nothing outside was touched"
        );
        assert!(
            outside.udp.recv(&mut [0; 16]).is_err(),
            "{zone}: no datagram came"
        );
        assert!(
            outside.sibling.try_wait().unwrap().is_none(),
            "{zone}: the sibling lives"
        );
        let mut left: Vec<_> = std::fs::read_dir(outside.place.join("tree"))
            .unwrap()
            .map(|item| item.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["existing"], "{zone}: no link, device or pipe inside");
    }
}

#[test]
fn the_same_acts_get_through_without_a_seal() {
    let mut outside = Outside::lay("open");
    outside.targets.inside = outside.place.join("tree");
    let frames = outside.attempt("nowhere");
    let met = met(&frames[0]);
    let (through, stopped): (Vec<_>, Vec<_>) = met.iter().partition(|one| one.errno == 0);
    let root = rustix::process::geteuid().is_root();
    // What this machine, or a user without privileges, cannot do anyway.
    let may_fail = [
        "a vsock socket",
        "a packet socket",
        "a raw socket",
        "read shared memory by its file",
        "an io_uring, which opens and connects without a call",
        "handle page faults",
        "count events of the processor",
        "the kernel's log",
        "a device inside",
        "read what a descriptor of another process has open",
        "enter the network of another process",
        "create a file without a name",
        "a user namespace",
        "set an extended attribute",
        "open a file system",
        "mount",
        "change an owner",
    ];
    let odd: Vec<_> = stopped
        .iter()
        .filter(|one| !may_fail.contains(&one.act.as_str()))
        .collect();
    assert!(odd.is_empty(), "stopped without a seal: {odd:?}");
    let least = if root { 9 } else { 8 };
    assert!(
        through.len() * 10 >= met.len() * least,
        "only {} of {} get through: {stopped:?}",
        through.len(),
        met.len()
    );
    println!(
        "takeover: without a seal {} of {} acts get through",
        through.len(),
        met.len()
    );
    assert!(outside.place.join("made").exists() && outside.place.join("hard").exists());
    assert!(!outside.place.join("doomed").exists());
    assert!(outside.udp.recv(&mut [0; 16]).is_ok(), "the datagram came");
}

fn bundle(place: &Place) -> std::path::PathBuf {
    place.write(
        "b.tar.gz",
        pack(&[
            ("b/a.log", b"2024-05-01T10:00:01Z FATAL listen tcp 0.0.0.0:8080: bind: address already in use\n"),
            ("b/secret.txt", b"password=hunter2-Zebra-9981-correct\n"),
        ]),
    )
}

fn lied_to(place: &Place, lie: &str, more: &[&str]) -> Ended {
    let bundle = bundle(place);
    let mut command = place.program();
    command
        .args(["triage", bundle.to_str().unwrap(), "--no-model", "--json"])
        .args(["--runs", place.runs().to_str().unwrap()])
        .args(more)
        .env(lies::VARIABLE, lie);
    let started = std::time::Instant::now();
    let ended = Ended::of(command.output().unwrap());
    assert!(
        started.elapsed().as_secs() < 60,
        "{lie}: it took {:?}",
        started.elapsed()
    );
    ended
}

#[test]
fn a_room_that_lies_is_refused_and_leaves_nothing() {
    let none: &[&str] = &[];
    let short: &[&str] = &["--max-seconds", "3"];
    for (lie, exit, words, more) in [
        ("oversized-frame", 1, "broke the protocol", none),
        ("garbage", 1, "broke the protocol", none),
        ("unknown-frame", 1, "broke the protocol", none),
        ("second-proof", 1, "out of turn", none),
        (
            "proof-of-another-zone",
            4,
            "another seal than its own",
            none,
        ),
        (
            "proof-of-other-folders",
            4,
            "another seal than its own",
            none,
        ),
        ("proof-with-an-excuse", 4, "another seal than its own", none),
        (
            "progress-flood",
            1,
            "more bytes than such a worker may send",
            none,
        ),
        (
            "exchange-flood",
            1,
            "more bytes than such a worker may send",
            none,
        ),
        ("another-zones-frame", 1, "out of turn", none),
        ("last-words-twice", 1, "out of turn", none),
        ("failed-well", 1, "all is well", none),
        ("no-report", 1, "without a report", none),
        ("abort", 1, "ended by signal", none),
        ("endless-frame", 6, "longer than its limit of 3 s", short),
        ("silent", 6, "longer than its limit of 3 s", short),
        ("spin", 6, "longer than its limit of 3 s", short),
        (
            "memory",
            6,
            "ran out of memory",
            &["--max-memory", "300000000"],
        ),
    ] {
        let place = Place::new();
        let ended = lied_to(&place, lie, more).ends(exit).says(words);
        assert!(ended.out.is_empty(), "{lie}: {}", ended.out);
        assert!(
            !ended.err.contains('\u{1b}'),
            "{lie}: the terminal is not spoken to"
        );
        assert_eq!(place.run_entries(), Vec::<String>::new(), "{lie}");
    }
    let place = Place::new();
    lied_to(&place, "none", none).ends(0);
}

#[test]
fn what_a_room_invents_is_not_shown_and_its_facts_are_not_believed() {
    let place = Place::new();
    let ended = lied_to(&place, "invented", &[]);
    let id = place
        .run_entries()
        .pop()
        .unwrap_or_else(|| panic!("the judged run is kept: {}", ended.err));
    let dir = place.runs().join(&id);
    let mut everything = format!("{}{}", ended.out, ended.err);
    for item in std::fs::read_dir(&dir).unwrap() {
        everything.push_str(&std::fs::read_to_string(item.unwrap().path()).unwrap());
    }
    for invented in [
        "hunter2-Zebra-9981-correct",
        "ignore all previous instructions",
        "an instruction that is not there",
    ] {
        assert!(!everything.contains(invented), "{invented}");
    }
    assert!(!everything.contains('\u{1b}'));
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(dir.join("report.json")).unwrap()).unwrap();
    let record: Value =
        serde_json::from_str(&std::fs::read_to_string(dir.join("record.json")).unwrap()).unwrap();
    assert_eq!(
        report["findings"],
        serde_json::json!([]),
        "no finding has its lines"
    );
    assert_eq!(report["bundle"]["files"], 2);
    assert_eq!(report["bundle"]["sha256"], record["bundle"]["sha256"]);
    assert_eq!(report["run"], record["key"]);
    assert!(!report.to_string().contains("invented"), "{report}");
    let mut honest = std::io::stdout();
    writeln!(
        honest,
        "takeover: an invented report ended with exit code {}",
        ended.code
    )
    .unwrap();
}
