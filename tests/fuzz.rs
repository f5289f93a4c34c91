//! Every reader of foreign bytes, fed with damaged ones: nothing panics, nothing takes for ever,
//! nothing is written outside. A short run on the seeds here and on the inputs kept under
//! `fuzz/corpus/<target>/`; `scripts/fuzz.sh` makes the long one.
//!
//! A mutation runner in safe Rust, without instrumentation: it runs wherever the tests run. An input
//! that breaks a target is written to `fuzz/found/` and named; mended, it belongs into the corpus.
#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

#[path = "support/archives.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod archives;

use std::io::{Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use narrowroom::bundle::unpack::{UnpackLimits, Unpacker};
use narrowroom::bundle::{Text, Tree};
use narrowroom::error::ExitCode;
use narrowroom::room::protocol::{FromWorker, ToWorker};
use narrowroom::{model, playbook, profile, room, secrets, signals, verify};

/// No input of these sizes may take a reader longer than this, on a busy machine.
const TOO_LONG: Duration = Duration::from_secs(20);
/// Largest input.
const MAX_BYTES: usize = 1 << 16;

/// Seconds a target is tried: `NARROWROOM_FUZZ_SECONDS`, by default few.
fn seconds() -> u64 {
    std::env::var("NARROWROOM_FUZZ_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(2)
}

/// xorshift64* (Vigna).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap_or(0) % end.max(1)
    }
    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Numbers at the edges of formats.
const EDGES: &[u64] = &[
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0x8000,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    1 << 62,
    u64::MAX / 2,
    1 << 63,
    u64::MAX,
];

/// A damaged copy of one input, sometimes with a part of another one.
fn damage(dice: &mut Dice, seeds: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut bytes = dice.of(seeds).clone();
    for _ in 0..=dice.below(6) {
        let length = bytes.len();
        let at = dice.below(length + 1);
        match dice.below(10) {
            0 if length > 0 => bytes[at.min(length - 1)] ^= 1 << dice.below(8),
            1 if length > 0 => bytes[at.min(length - 1)] = u8::try_from(dice.below(256)).unwrap(),
            2 => bytes.truncate(at),
            3 => {
                let end = (at + dice.below(64)).min(length);
                bytes.drain(at..end);
            }
            4 => {
                let end = (at + dice.below(512)).min(length);
                let part = bytes[at..end].to_vec();
                for _ in 0..=dice.below(4) {
                    bytes.splice(at..at, part.iter().copied());
                }
            }
            5 => {
                let number = dice.of(EDGES).to_le_bytes();
                let width = *dice.of(&[1, 2, 4, 8]);
                let end = (at + width).min(length);
                bytes.splice(at..end, number[..width].iter().copied());
            }
            6 => {
                let number = dice.of(EDGES).to_string();
                bytes.splice(at..at, number.into_bytes());
            }
            7 if !words.is_empty() => {
                let word = *dice.of(words);
                bytes.splice(at..at, word.bytes());
            }
            8 => {
                let other = dice.of(seeds).clone();
                let from = dice.below(other.len() + 1);
                let end = (from + dice.below(2048)).min(other.len());
                bytes.splice(at..at, other[from..end].iter().copied());
            }
            _ => {
                let byte = *dice.of(b"\0\n\r\t\x1b{}[]\"'\\:,- \xff\xc3\xe2");
                let many = *dice.of(&[1, 2, 70, 3000]);
                bytes.splice(at..at, std::iter::repeat_n(byte, many));
            }
        }
        bytes.truncate(MAX_BYTES);
    }
    bytes
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz")
        .join(name)
}

/// Tries `target` on the seeds, on what is kept, and on damaged copies of both.
fn fuzz(name: &str, mut seeds: Vec<Vec<u8>>, words: &[&str], target: impl Fn(&[u8])) {
    let mut kept: Vec<_> = std::fs::read_dir(folder("corpus").join(name))
        .map(|items| items.map(|item| item.unwrap().path()).collect())
        .unwrap_or_default();
    kept.sort();
    seeds.extend(kept.iter().map(|path| std::fs::read(path).unwrap()));
    // The same inputs in every short run, others in a long one.
    let extra = std::env::var("NARROWROOM_FUZZ_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ extra.unwrap_or(0_u64));
    let end = Instant::now() + Duration::from_secs(seconds());
    let (mut tried, mut longest) = (0_u64, Duration::ZERO);
    let mut whole = seeds.clone().into_iter();
    loop {
        let input = match whole.next() {
            Some(seed) => seed,
            None if Instant::now() > end => break,
            None => damage(&mut dice, &seeds, words),
        };
        let start = Instant::now();
        let held = catch_unwind(AssertUnwindSafe(|| target(&input)));
        let took = start.elapsed();
        if held.is_err() || took > TOO_LONG {
            let path = folder("found").join(format!("{name}-{tried}"));
            std::fs::create_dir_all(folder("found")).unwrap();
            std::fs::write(&path, &input).unwrap();
            panic!(
                "{name}: input {tried} broke it or took {took:?}: {}",
                path.display()
            );
        }
        longest = longest.max(took);
        tried += 1;
    }
    println!(
        "fuzz: {name}: {tried} inputs from {} seeds, the longest took {longest:?}",
        seeds.len()
    );
    assert!(
        tried > seeds.len() as u64,
        "{name}: nothing but the seeds was tried"
    );
}

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Unpacks and looks beside the directory: only the two documented refusals, and nothing outside.
fn unpack(bytes: &[u8]) {
    let around = tempfile::tempdir().unwrap();
    std::fs::create_dir(around.path().join("out")).unwrap();
    let dir =
        cap_std::fs::Dir::open_ambient_dir(around.path().join("out"), cap_std::ambient_authority())
            .unwrap();
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(bytes).unwrap();
    input.rewind().unwrap();
    let limits = UnpackLimits {
        total_bytes: 4 << 20,
        files: 2_000,
        file_bytes: 1 << 20,
        fuel: 400_000_000,
        ..UnpackLimits::default()
    };
    let unpacker = Unpacker::new(limits).unwrap().called("a.log.gz");
    if let Err(error) = unpacker.run(input, dir, &mut |_| {}) {
        assert!(
            matches!(error.exit, ExitCode::InputRefused | ExitCode::LimitReached),
            "{}",
            error.chain()
        );
    }
    assert_eq!(std::fs::read_dir(around.path()).unwrap().count(), 1);
}

#[test]
fn the_unpacker_refuses_or_unpacks() {
    let mut seeds: Vec<_> = archives::all()
        .into_iter()
        .filter(|(_, bytes)| bytes.len() <= MAX_BYTES)
        .map(|(_, bytes)| bytes)
        .collect();
    seeds.push(archives::gzip(&archives::ordinary()));
    seeds.push(archives::gzip(b"a lone log\n"));
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in ["b/a.log", "b/c/d.txt"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(&b"a line of text\n".repeat(50)).unwrap();
    }
    seeds.push(zip.finish().unwrap().into_inner());
    fuzz(
        "unpack",
        seeds,
        &[
            "ustar\0",
            "ustar  \0",
            "PK\x01\x02",
            "PK\x05\x06",
            "12 path=../x\n",
            "30 size=99999999999\n",
        ],
        unpack,
    );
}

/// A bundle out of one text: paths of known places, each with a part of it.
fn bundle(bytes: &[u8]) {
    const PLACES: &[&str] = &[
        "b/cluster-resources/pods/default.json",
        "b/cluster-resources/events/default.json",
        "b/cluster-resources/nodes.json",
        "b/cluster-resources/pods/logs/default/web-0/web.log",
        "b/namespaces/default/core/pods.yaml",
        "b/sos_commands/kernel/dmesg",
        "b/sos_commands/systemd/systemctl_list-units_--all",
        "b/var/log/messages",
        "b/proc/meminfo",
        "b/free",
        "b/date",
        "b/rke2/kubectl/pods",
        "b/ticket.txt",
        "b/version.yaml",
    ];
    let folder = tempfile::tempdir().unwrap();
    for part in bytes.split(|byte| *byte == 0).take(4) {
        let (at, content) = part
            .split_first()
            .map_or((0, part), |(at, rest)| (*at, rest));
        let path = folder.path().join(PLACES[usize::from(at) % PLACES.len()]);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let dir =
        cap_std::fs::Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
    let tree = Tree::new(dir.try_clone().unwrap(), Tree::index_dir(&dir).unwrap());
    let profile = profile::recognise(&tree);
    let causes = CAUSES.with(Clone::clone);
    let analysis = signals::analyse(&tree, &profile, &causes, None);
    for signal in analysis.signals {
        for evidence in signal.evidence {
            assert!(
                evidence.line_start >= 1 && evidence.line_end >= evidence.line_start,
                "{evidence:?}"
            );
        }
    }
}

thread_local! {
    static CAUSES: Vec<playbook::Cause> = playbook::shipped(playbook::for_profile("troubleshoot"))
        .and_then(|bound| bound.parse())
        .map(|(_, causes)| causes)
        .unwrap();
}

#[test]
fn recognisers_and_readers_of_logs_yaml_and_json_end() {
    let parts = [
        (
            0,
            "{\"kind\":\"PodList\",\"items\":[{\"kind\":\"Pod\",\"metadata\":{\"name\":\"web-0\",\"namespace\":\"default\"},\"spec\":{\"nodeName\":\"n1\",\"containers\":[{\"name\":\"web\",\"image\":\"web:1\",\"resources\":{\"limits\":{\"memory\":\"64Mi\"}}}]},\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"web\",\"restartCount\":9,\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}},\"lastState\":{\"terminated\":{\"exitCode\":137,\"reason\":\"OOMKilled\"}}}]}}]}",
        ),
        (
            1,
            "{\"kind\":\"EventList\",\"items\":[{\"type\":\"Warning\",\"reason\":\"FailedScheduling\",\"message\":\"0/3 nodes are available: 3 Insufficient cpu.\",\"count\":7,\"involvedObject\":{\"kind\":\"Pod\",\"name\":\"web-0\",\"namespace\":\"default\"},\"lastTimestamp\":\"2024-05-01T10:00:00Z\"}]}",
        ),
        (
            2,
            "{\"kind\":\"NodeList\",\"items\":[{\"metadata\":{\"name\":\"n1\"},\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"reason\":\"KubeletNotReady\"}],\"capacity\":{\"memory\":\"4Gi\"}}}]}",
        ),
        (
            3,
            "2024-05-01T10:00:01Z FATAL listen tcp 0.0.0.0:8080: bind: address already in use\n{\"level\":\"error\",\"ts\":1714557601.5,\"msg\":\"x509: certificate has expired\"}\n",
        ),
        (
            4,
            "apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  metadata: {name: a, namespace: default}\n  spec:\n    containers:\n    - name: c\n      env: &e\n      - {name: X, value: \"1\"}\n  status: *e\n",
        ),
        (
            5,
            "[    1.000000] Out of memory: Killed process 4321 (java) total-vm:8000000kB, anon-rss:7000000kB, file-rss:0kB\n[    2.0] EXT4-fs error (device sda1): ext4_lookup:1602: inode #2: comm ls: deleted inode referenced: 12\n",
        ),
        (
            6,
            "  UNIT LOAD ACTIVE SUB DESCRIPTION\n● nginx.service loaded failed failed A web server\n  dbus.service loaded active running D-Bus\n",
        ),
        (
            7,
            "Jan  5 10:00:00 host kernel: nfs: server store not responding, still trying\nJan  5 10:00:01 host sshd[12]: error: connect_to port 80: failed.\n",
        ),
        (
            8,
            "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:      90000 kB\nSwapTotal: 0 kB\n",
        ),
        (
            9,
            "              total        used        free\nMem:       16000000    15900000      100000\nSwap:             0           0           0\n",
        ),
        (
            11,
            "NAMESPACE NAME READY STATUS RESTARTS AGE\ndefault web-0 0/1 ImagePullBackOff 0 5d\n",
        ),
    ];
    let mut seeds: Vec<Vec<u8>> = parts
        .iter()
        .map(|(at, text)| {
            let mut seed = vec![*at];
            seed.extend_from_slice(text.as_bytes());
            seed
        })
        .collect();
    let all: Vec<u8> = seeds[..4].join(&0);
    seeds.push(all);
    fuzz(
        "bundle",
        seeds,
        &[
            "null",
            "\"items\":null",
            "- ",
            "&a *a",
            "<<: *a",
            "1e999",
            "-1",
            "9999999999999999999999",
            "2024-02-30T25:61:61Z",
            "Jan 32",
            "kB",
            "%",
            "\u{202e}",
            "\u{ffff}",
        ],
        bundle,
    );
}

/// A GGUF header with one key and one tensor.
fn gguf() -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend(2_u64.to_le_bytes());
    let text = |bytes: &mut Vec<u8>, text: &str| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    text(&mut bytes, "general.architecture");
    bytes.extend(8_u32.to_le_bytes());
    text(&mut bytes, "qwen2");
    text(&mut bytes, "tokenizer.ggml.tokens");
    bytes.extend(9_u32.to_le_bytes());
    bytes.extend(8_u32.to_le_bytes());
    bytes.extend(2_u64.to_le_bytes());
    text(&mut bytes, "a");
    text(&mut bytes, "b");
    text(&mut bytes, "token_embd.weight");
    bytes.extend(2_u32.to_le_bytes());
    bytes.extend(32_u64.to_le_bytes());
    bytes.extend(2_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32) + 256, 0);
    bytes
}

#[test]
fn the_reader_of_model_files_refuses_or_reads() {
    fuzz(
        "gguf",
        vec![gguf()],
        &["GGUF", "token_embd.weight", "general.alignment"],
        |bytes| {
            if let Ok(file) = model::gguf::Gguf::parse(bytes.to_vec()) {
                for name in ["token_embd.weight", "output.weight"] {
                    let _ = file.read_all(name);
                }
            }
        },
    );
}

#[test]
fn readers_of_reports_playbooks_and_frames_refuse_or_read() {
    let report = r#"{"schema":"narrowroom.report/v1","run":"x","outcome":"findings","bundle":{"sha256":"0","profile":"plain","files":1},"findings":[{"rank":1,"cause":"unknown","title":"t","root_cause":"r","confidence":0.5,"evidence":[{"path":"a","line_start":1,"line_end":1,"quote":"q"}],"commands":[{"command":"ls","why":"w","class":"read-only"}]}],"missing":[],"not_examined":[]}"#;
    fuzz(
        "report",
        texts(&[report]),
        &["1e400", "-1", "null", "\\ud800", "\"run\":"],
        |bytes| {
            let _ = verify::parse_report(bytes);
        },
    );
    let playbooks: Vec<Vec<u8>> = playbook::SHIPPED
        .iter()
        .map(|(_, text)| text.as_bytes().to_vec())
        .collect();
    fuzz(
        "playbook",
        playbooks,
        &[
            "[[steps]]",
            "kind = \"rank\"",
            "{{",
            "}}",
            "{% for a in b %}",
            "= inf",
            "\"\"\"",
        ],
        |bytes| {
            let _ = playbook::parse(&String::from_utf8_lossy(bytes));
        },
    );
    let mut frames = Vec::new();
    for frame in [
        FromWorker::Finished {
            peak_kib: 1,
            cpu_millis: 2,
        },
        FromWorker::Failed {
            exit: ExitCode::Bug,
            message: "m".into(),
            hint: None,
        },
        FromWorker::Unpacked {
            sha256: "0".repeat(64),
            bytes: 7,
        },
    ] {
        let mut bytes = Vec::new();
        room::frame::write(&mut bytes, &frame).unwrap();
        frames.push(bytes);
    }
    fuzz(
        "frame",
        frames,
        &["{\"entries\":[", "{\"sealed\":{", "\"../x\"", "[[[[[[[["],
        |mut bytes| {
            let _ = room::frame::read::<ToWorker>(&mut &bytes[..]);
            while let Ok(Some(frame)) = room::frame::read::<FromWorker>(&mut bytes) {
                drop(frame);
            }
        },
    );
}

#[test]
fn the_judge_of_commands_always_has_an_answer() {
    let seeds = texts(&[
        "kubectl get pods -n $NS -o json | jq '.items[] | select(.status.phase != \"Running\")'",
        "for f in *.log; do grep -c ERROR \"$f\"; done > /tmp/out 2>&1 &",
        "sudo bash -c 'echo \"$(cat /etc/passwd)\" | ssh host \"cat >> x\"' <<EOF\nrm -rf /\nEOF",
        "ps aux | awk '{ if ($3 > 50) print $2 }' | xargs -r kill -9; [[ -f a && ! -d b ]] || eval \"$x\"",
        "psql -c 'select * from t; drop table t' && find / -name '*.tmp' -exec rm {} +",
        "curl -s -X POST http://localhost:9200/_cluster/reroute -d @body.json",
        "powershell -Command \"Get-Service | Where-Object {$_.Status -eq 'Stopped'}\"",
    ]);
    fuzz(
        "command",
        seeds,
        &[
            "$(", "`", "<(", "<<<", "${x:-", "((", "))", "|&", ";;", "\\\n", "\u{200b}", "\u{430}",
        ],
        |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let _ = verify::command::classify(&text);
        },
    );
}

#[test]
fn masks_texts_and_grammars_take_any_line() {
    let seeds = texts(&[
        "password: hunter2-Zebra-9981\ntoken=ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\n-----END PRIVATE KEY-----\n",
        "postgres://user:p%40ss@db:5432/x?sslmode=disable Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.x\n",
    ]);
    fuzz(
        "mask",
        seeds,
        &["=", ": ", "\"", "Bearer ", "AKIA", "\u{1b}[31m"],
        |bytes| {
            let text = Text::new(bytes);
            for number in 1..=text.len() + 1 {
                let _ = text.line(number);
            }
            let text = String::from_utf8_lossy(bytes);
            let masked = secrets::Masker::new().mask(&text);
            let _ = secrets::find_mark(&masked);
            let lines: Vec<String> = text.lines().take(20).map(str::to_owned).collect();
            for in_json in [false, true] {
                let _ = model::quote_rule("quote", &lines, in_json);
            }
        },
    );
}

#[test]
fn a_target_that_breaks_is_found() {
    let found = catch_unwind(|| {
        fuzz("control", vec![b"abc".to_vec()], &["boom"], |bytes| {
            assert!(!bytes.windows(4).any(|window| window == b"boom"));
        });
    });
    assert!(found.is_err(), "the runner must be able to find something");
    for item in std::fs::read_dir(folder("found")).unwrap() {
        let path = item.unwrap().path();
        if path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("control-"))
        {
            std::fs::remove_file(path).unwrap();
        }
    }
    let _ = std::fs::remove_dir(folder("found"));
}
