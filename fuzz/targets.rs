//! What is fuzzed: each reader of foreign bytes with inputs to begin with and words of its format.
//!
//! `tests/fuzz.rs` damages these inputs wherever the tests run, for longer by `scripts/fuzz.sh`.

use std::io::{Seek, Write};

use narrowroom::bundle::unpack::{UnpackLimits, Unpacker};
use narrowroom::bundle::{Text, Tree};
use narrowroom::error::ExitCode;
use narrowroom::room::protocol::{FromWorker, ToWorker};
use narrowroom::{model, playbook, profile, room, secrets, signals, verify};

use crate::archives;

/// A reader of foreign bytes.
pub struct Target {
    /// Name of its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Whole inputs.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Parts of inputs that its format gives a meaning.
    pub words: &'static [&'static str],
    /// Reads one input; panics where it must not be read like this.
    pub read: fn(&[u8]),
}

/// Largest input, in bytes.
pub const MAX_BYTES: usize = 1 << 16;

/// Every target.
pub const ALL: &[Target] = &[
    Target {
        name: "unpack",
        seeds: unpack_seeds,
        words: &[
            "ustar\0",
            "ustar  \0",
            "PK\x01\x02",
            "PK\x05\x06",
            "12 path=../x\n",
            "30 size=99999999999\n",
        ],
        read: unpack,
    },
    Target {
        name: "bundle",
        seeds: bundle_seeds,
        words: &[
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
        read: bundle,
    },
    Target {
        name: "gguf",
        seeds: gguf_seeds,
        words: &["GGUF", "token_embd.weight", "general.alignment"],
        read: gguf,
    },
    Target {
        name: "report",
        seeds: report_seeds,
        words: &["1e400", "-1", "null", "\\ud800", "\"run\":"],
        read: report,
    },
    Target {
        name: "playbook",
        seeds: playbook_seeds,
        words: &[
            "[[steps]]",
            "kind = \"rank\"",
            "{{",
            "}}",
            "{% for a in b %}",
            "= inf",
            "\"\"\"",
        ],
        read: playbook,
    },
    Target {
        name: "frame",
        seeds: frame_seeds,
        words: &["{\"entries\":[", "{\"sealed\":{", "\"../x\"", "[[[[[[[["],
        read: frame,
    },
    Target {
        name: "command",
        seeds: command_seeds,
        words: &[
            "$(", "`", "<(", "<<<", "${x:-", "((", "))", "|&", ";;", "\\\n", "\u{200b}", "\u{430}",
        ],
        read: command,
    },
    Target {
        name: "mask",
        seeds: mask_seeds,
        words: &["=", ": ", "\"", "Bearer ", "AKIA", "\u{1b}[31m"],
        read: mask,
    },
];

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn unpack_seeds() -> Vec<Vec<u8>> {
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
    seeds
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

fn bundle_seeds() -> Vec<Vec<u8>> {
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
    seeds
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

/// A GGUF header with one key and one tensor.
fn gguf_file() -> Vec<u8> {
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

fn gguf_seeds() -> Vec<Vec<u8>> {
    vec![gguf_file()]
}

fn gguf(bytes: &[u8]) {
    if let Ok(file) = model::gguf::Gguf::parse(bytes.to_vec()) {
        for name in ["token_embd.weight", "output.weight"] {
            let _ = file.read_all(name);
        }
    }
}

fn report_seeds() -> Vec<Vec<u8>> {
    let report = r#"{"schema":"narrowroom.report/v1","run":"x","outcome":"findings","bundle":{"sha256":"0","profile":"plain","files":1},"findings":[{"rank":1,"cause":"unknown","title":"t","root_cause":"r","confidence":0.5,"evidence":[{"path":"a","line_start":1,"line_end":1,"quote":"q"}],"commands":[{"command":"ls","why":"w","class":"read-only"}]}],"missing":[],"not_examined":[]}"#;
    texts(&[report])
}

fn report(bytes: &[u8]) {
    let _ = verify::parse_report(bytes);
}

fn playbook_seeds() -> Vec<Vec<u8>> {
    playbook::SHIPPED
        .iter()
        .map(|(_, text)| text.as_bytes().to_vec())
        .collect()
}

fn playbook(bytes: &[u8]) {
    let _ = playbook::parse(&String::from_utf8_lossy(bytes));
}

fn frame_seeds() -> Vec<Vec<u8>> {
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
    frames
}

fn frame(mut bytes: &[u8]) {
    let _ = room::frame::read::<ToWorker>(&mut &bytes[..]);
    while let Ok(Some(frame)) = room::frame::read::<FromWorker>(&mut bytes) {
        drop(frame);
    }
}

fn command_seeds() -> Vec<Vec<u8>> {
    texts(&[
        "kubectl get pods -n $NS -o json | jq '.items[] | select(.status.phase != \"Running\")'",
        "for f in *.log; do grep -c ERROR \"$f\"; done > /tmp/out 2>&1 &",
        "sudo bash -c 'echo \"$(cat /etc/passwd)\" | ssh host \"cat >> x\"' <<EOF\nrm -rf /\nEOF",
        "ps aux | awk '{ if ($3 > 50) print $2 }' | xargs -r kill -9; [[ -f a && ! -d b ]] || eval \"$x\"",
        "psql -c 'select * from t; drop table t' && find / -name '*.tmp' -exec rm {} +",
        "curl -s -X POST http://localhost:9200/_cluster/reroute -d @body.json",
        "powershell -Command \"Get-Service | Where-Object {$_.Status -eq 'Stopped'}\"",
    ])
}

fn command(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = verify::command::classify(&text);
}

fn mask_seeds() -> Vec<Vec<u8>> {
    texts(&[
        "password: hunter2-Zebra-9981\ntoken=ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\n-----END PRIVATE KEY-----\n",
        "postgres://user:p%40ss@db:5432/x?sslmode=disable Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.e30.x\n",
    ])
}

fn mask(bytes: &[u8]) {
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
}
