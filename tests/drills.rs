//! Machines that fail in the middle: workers and the coordinator killed at random points, full disks,
//! no memory, no descriptors. Every time a documented exit code, a whole run or none, and nothing left
//! of processes, mounts and files. `scripts/drills.sh` runs the long form.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files and processes it made itself"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{Ended, Place, pack};

/// Exit codes that a run may end with when the machine fails: done, input refused, unsealed, a limit.
const DOCUMENTED: [i32; 4] = [0, 3, 4, 6];

/// How often the long drills kill: `NARROWROOM_DRILL_KILLS`, by default few.
fn kills() -> u64 {
    std::env::var("NARROWROOM_DRILL_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(16)
}

/// xorshift64* (Vigna): any spread of moments will do, and it is the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % end.max(1)
    }
}

/// A process by number and start, which together are never given twice.
type Process = (i32, u64);

fn start_of(pid: i32) -> Option<(i32, u64, char)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    Some((
        fields.get(1)?.parse().ok()?,
        fields.get(19)?.parse().ok()?,
        fields.first()?.chars().next()?,
    ))
}

/// Everything that descends from `root`, itself not included.
fn descendants(root: i32) -> BTreeSet<Process> {
    let mut parents: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for item in std::fs::read_dir("/proc").unwrap().flatten() {
        if let Some(pid) = item
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
            && let Some((parent, start, _)) = start_of(pid)
        {
            parents.entry(parent).or_default().push((pid, start));
        }
    }
    let (mut found, mut next) = (BTreeSet::new(), vec![root]);
    while let Some(pid) = next.pop() {
        for process in parents.get(&pid).into_iter().flatten() {
            if found.insert(*process) {
                next.push(process.0);
            }
        }
    }
    found
}

/// Those that still run after a while.
fn alive(processes: &BTreeSet<Process>) -> Vec<Process> {
    let patience = Instant::now();
    loop {
        let left: Vec<_> = processes
            .iter()
            .copied()
            .filter(|(pid, start)| {
                start_of(*pid).is_some_and(|(_, now, state)| now == *start && state != 'Z')
            })
            .collect();
        if left.is_empty() || patience.elapsed() > Duration::from_secs(10) {
            return left;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn mounts() -> usize {
    std::fs::read_to_string("/proc/self/mountinfo")
        .unwrap()
        .lines()
        .count()
}

/// Two logs of `lines` ordinary lines each, and one with a fault.
fn bundle(place: &Place, lines: usize) -> std::path::PathBuf {
    let line = b"2024-01-01 00:00:00 INFO an ordinary line of a log that goes on and on\n";
    let fatal =
        b"2024-05-01T10:00:01Z FATAL listen tcp 0.0.0.0:8080: bind: address already in use\n";
    let big = line.repeat(lines);
    place.write(
        "b.tar.gz",
        pack(&[("b/a.log", &big), ("b/b.log", fatal), ("b/c/d.log", &big)]),
    )
}

/// Every run that is kept is whole: its record can be read and shown, and all its files are there.
fn whole_runs(place: &Place) -> usize {
    let mut whole = 0;
    for name in place.run_entries() {
        if name.starts_with('.') {
            continue;
        }
        let dir = place.runs().join(&name);
        for file in [
            "record.json",
            "report.json",
            "verdict.json",
            "report.html",
            "report.md",
        ] {
            let text = std::fs::read_to_string(dir.join(file))
                .unwrap_or_else(|e| panic!("{name}/{file}: {e}"));
            if file.ends_with(".json") {
                serde_json::from_str::<serde_json::Value>(&text)
                    .unwrap_or_else(|e| panic!("{name}/{file}: {e}"));
            }
        }
        assert!(
            !dir.join("tree").exists(),
            "{name}: the customer's files are gone"
        );
        whole += 1;
    }
    whole
}

fn hidden(place: &Place) -> Vec<String> {
    let entries = place.run_entries().into_iter();
    entries.filter(|name| name.starts_with('.')).collect()
}

#[test]
fn kills_at_random_points_leave_a_whole_run_or_none() {
    let place = Place::new();
    let temporary = place.join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let bundle = bundle(&place, 2_000);
    let runs = place.runs();
    let program = || {
        let mut program = place.program();
        program
            .args(["triage", bundle.to_str().unwrap(), "--no-model", "--json"])
            .args(["--runs", runs.to_str().unwrap()])
            .env("TMPDIR", &temporary)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        program
    };
    let started = Instant::now();
    Ended::of(program().output().unwrap()).ends(0);
    let usual = u64::try_from(started.elapsed().as_millis()).unwrap();
    let before = mounts();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut ends: BTreeMap<(&str, i32), u64> = BTreeMap::new();
    for _ in 0..kills() {
        let kept = whole_runs(&place);
        let child = program().spawn().unwrap();
        let root = i32::try_from(child.id()).unwrap();
        let at = Instant::now();
        let moment = Duration::from_millis(dice.below(usual + usual / 10));
        let mut seen = BTreeSet::new();
        while at.elapsed() < moment {
            seen.extend(descendants(root));
            std::thread::sleep(Duration::from_millis(1));
        }
        let workers: Vec<_> = descendants(root).into_iter().collect();
        seen.extend(workers.iter().copied());
        // A third of the time the coordinator, else one of the two processes of a worker.
        let (who, victim) = match (dice.below(3), workers.as_slice()) {
            (0, _) | (_, []) => ("coordinator", root),
            (_, workers) => {
                let at = usize::try_from(dice.below(workers.len() as u64)).unwrap();
                ("worker", workers[at].0)
            }
        };
        // SAFETY: a number of a process that was started here; if it ended since, the coordinator
        // has not been waited for, and a worker's number is not given again within a moment.
        unsafe { libc::kill(victim, libc::SIGKILL) };
        // Started between the look and the kill.
        seen.extend(descendants(root));
        let output = child.wait_with_output().unwrap();
        let (code, signal) = (output.status.code(), output.status.signal());
        let code = code.unwrap_or_else(|| -signal.unwrap_or(0));
        let allowed = match who {
            "coordinator" => code == -libc::SIGKILL || code == 0,
            _ => code == 0 || code == 6,
        };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(allowed, "{who} killed after {moment:?}: {code}\n{said}");
        let left = alive(&seen);
        assert!(
            left.is_empty(),
            "{who} killed after {moment:?}: {left:?} live on"
        );
        // A coordinator that is killed between its last rename and its end has kept its run.
        let now = whole_runs(&place);
        assert!(
            (now > kept) == (code == 0) || code == -libc::SIGKILL && now == kept + 1,
            "{who} killed after {moment:?}: {code}, {kept} runs, then {now}"
        );
        if code != -libc::SIGKILL {
            assert_eq!(hidden(&place), Vec::<String>::new(), "{who} killed: {code}");
        }
        *ends.entry((who, code)).or_default() += 1;
    }
    // The next run sweeps what a killed coordinator had to leave.
    Ended::of(program().output().unwrap()).ends(0);
    assert_eq!(hidden(&place), Vec::<String>::new(), "swept");
    assert_eq!(
        std::fs::read_dir(&temporary).unwrap().count(),
        0,
        "no temporary file"
    );
    assert_eq!(mounts(), before, "no mount");
    println!(
        "drills: {} kills survived, by victim and exit code: {ends:?}",
        kills()
    );
    place
        .run(&["audit", "verify", "--runs", runs.to_str().unwrap()])
        .ends(0);
}

/// Runs the program with its runs on a file system of `kib` KiB, and what is left there.
fn on_a_small_disk(place: &Place, kib: u64, command: &str) -> (Ended, Vec<String>) {
    let small = place.join("small");
    let _ = std::fs::create_dir(&small);
    let script = format!(
        "mount -t tmpfs -o size={kib}k,mode=0700 none {small} && {command}; code=$?; \
         ls -A {small}/runs {small} 2>/dev/null | grep -v -e : -e '^$' -e '^runs$' -e '^.audit$' >&3; exit $code",
        small = small.display(),
        command = command.replace("SMALL", small.to_str().unwrap()),
    );
    let list = place.join("list");
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg(format!("exec 3>{}; {script}", list.display()))
        .env("HOME", place.path())
        .env("NO_COLOR", "1")
        .output()
        .expect("unshare of util-linux is there");
    let left = std::fs::read_to_string(&list).unwrap();
    (Ended::of(output), left.lines().map(str::to_owned).collect())
}

#[test]
fn a_full_disk_leaves_a_whole_run_or_none() {
    let place = Place::new();
    let bundle = bundle(&place, 60_000);
    let mut ends = BTreeMap::<i32, u64>::new();
    for kib in [
        16, 64, 256, 1024, 4096, 8192, 8800, 8900, 9000, 9100, 9200, 9400, 10_240, 32_768,
    ] {
        let triage = format!(
            "{} triage {} --no-model --json --runs SMALL/runs >/dev/null",
            env!("CARGO_BIN_EXE_narrowroom"),
            bundle.display()
        );
        let (ended, left) = on_a_small_disk(&place, kib, &triage);
        let runs = left.len();
        assert!(
            [0, 2, 6].contains(&ended.code),
            "{kib} KiB: {} {}",
            ended.code,
            ended.err
        );
        assert_eq!(
            runs,
            usize::from(ended.code == 0),
            "{kib} KiB: {left:?} {}",
            ended.err
        );
        if ended.code != 0 {
            assert!(ended.err.contains("hint"), "{kib} KiB: {}", ended.err);
        }
        *ends.entry(ended.code).or_default() += 1;

        let unpack = format!(
            "{} unpack {} --out SMALL/out >/dev/null",
            env!("CARGO_BIN_EXE_narrowroom"),
            bundle.display()
        );
        let (ended, left) = on_a_small_disk(&place, kib, &unpack);
        assert!(
            [0, 2, 6].contains(&ended.code),
            "{kib} KiB: {} {}",
            ended.code,
            ended.err
        );
        let whole = left.iter().any(|name| name == "out");
        assert_eq!(whole, ended.code == 0, "{kib} KiB: {left:?}");
        assert!(left.iter().all(|name| name == "out"), "{kib} KiB: {left:?}");
        *ends.entry(ended.code).or_default() += 1;
    }
    assert!(
        ends.contains_key(&0) && ends.len() > 1,
        "the disk is full for some: {ends:?}"
    );
    println!("drills: full disks by exit code: {ends:?}");
}

/// Runs a triage under limits of the calling shell.
fn limited(place: &Place, bundle: &Path, limit: &str) -> Ended {
    let output = Command::new("prlimit")
        .arg(limit)
        .arg(env!("CARGO_BIN_EXE_narrowroom"))
        .args(["triage", bundle.to_str().unwrap(), "--no-model", "--json"])
        .args(["--runs", place.runs().to_str().unwrap()])
        .env("HOME", place.path())
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("prlimit of util-linux is there");
    Ended::of(output)
}

#[test]
fn running_out_of_descriptors_memory_or_file_size_ends_as_documented() {
    let place = Place::new();
    let bundle = bundle(&place, 60_000);
    let mut ends = BTreeMap::<i32, u64>::new();
    let descriptors = (4..24)
        .step_by(2)
        .chain([32, 64])
        .map(|n| format!("--nofile={n}"));
    let sizes = [0, 4096, 65_536, 1 << 20].map(|n: u64| format!("--fsize={n}"));
    for limit in descriptors.chain(sizes) {
        let kept = whole_runs(&place);
        let ended = limited(&place, &bundle, &limit);
        assert!(
            DOCUMENTED.contains(&ended.code) || ended.code == 2,
            "{limit}: {} {}",
            ended.code,
            ended.err
        );
        assert_eq!(whole_runs(&place) > kept, ended.code == 0, "{limit}");
        assert!(!ended.err.contains("panicked"), "{limit}: {}", ended.err);
        *ends.entry(ended.code).or_default() += 1;
    }
    for memory in [
        "1000000",
        "20000000",
        "60000000",
        "100000000",
        "200000000",
        "400000000",
    ] {
        let kept = whole_runs(&place);
        let (ended, _) = place.triage(&bundle, &["--no-model", "--max-memory", memory]);
        assert!(
            DOCUMENTED.contains(&ended.code),
            "{memory}: {} {}",
            ended.code,
            ended.err
        );
        assert_eq!(whole_runs(&place) > kept, ended.code == 0, "{memory}");
        *ends.entry(ended.code).or_default() += 1;
    }
    let (ended, _) = place.triage(&bundle, &["--no-model"]);
    ended.ends(0);
    assert_eq!(hidden(&place), Vec::<String>::new());
    println!("drills: short resources by exit code: {ends:?}");
}
