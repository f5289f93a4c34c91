//! `narrowroom model …` through the command line, with tiny models of the tests' own.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test handles the files it made itself and serves them on loopback"
)]

mod support;

#[path = "support/tiny.rs"]
mod tiny;

use std::io::{Read, Write};
use std::net::TcpListener;
use support::Place;
use tiny::Tiny;

/// A place with a store of its own and the inference library.
fn place() -> Place {
    let place = Place::new();
    assert!(
        std::env::var_os("NARROWROOM_ORT_LIBRARY").is_some()
            || std::path::Path::new(&std::env::var("HOME").unwrap_or_default())
                .join(".local/share/narrowroom/lib")
                .is_dir(),
        "these tests need ONNX Runtime: scripts/fetch.sh runtime"
    );
    place
}

fn library() -> std::path::PathBuf {
    std::env::var_os("NARROWROOM_ORT_LIBRARY").map_or_else(
        || {
            let home = std::env::var_os("HOME").expect("a home");
            std::path::Path::new(&home).join(".local/share/narrowroom/lib/libonnxruntime.so.1.28.0")
        },
        Into::into,
    )
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn run_in(place: &Place, args: &[&str], env: &[(&str, &str)], input: &str) -> Ran {
    let mut command = place.program();
    command
        .arg("model")
        .args(args)
        .env("NARROWROOM_ORT_LIBRARY", library())
        .env_remove("HF_ENDPOINT")
        .env_remove("HF_HOME")
        .env_remove("HF_HUB_CACHE")
        .env_remove("OLLAMA_MODELS")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    for (name, value) in env {
        command.env(name, value);
    }
    let mut child = command.spawn().expect("the program starts");
    child
        .stdin
        .take()
        .expect("its input")
        .write_all(input.as_bytes())
        .expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    if !output.status.success() {
        // Shown when the test fails.
        eprint!("{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn run(place: &Place, args: &[&str]) -> Ran {
    run_in(place, args, &[], "")
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(bytes))
}

fn put(place: &Place, path: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = place.join(path);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(&path, bytes).expect("a file");
    path
}

#[test]
fn a_model_is_inspected_imported_listed_measured_and_removed() {
    let place = place();
    let bytes = Tiny::new("qwen3", "qwen2").gguf();
    let id = sha256(&bytes);
    let file = put(&place, "m.gguf", &bytes);
    let file = file.to_str().expect("UTF-8");

    let before = json(&run(&place, &["inspect", file, "--json"]).out);
    assert_eq!(before["file"]["sha256"], id);
    assert_eq!(before["file"]["storage"][0]["kind"], "F32");
    assert!(before["run"].is_null() && before["refused"].is_null());

    let imported = run(&place, &["import", file]);
    assert_eq!(imported.code, 0, "{}", imported.err);
    let list = json(&run(&place, &["list", "--json", "--check"]).out);
    assert_eq!(list[0]["sha256"], id);
    let shown = run(&place, &["list"]);
    assert!(shown.out.contains("qwen3") && shown.out.contains(&id[..12]));
    assert!(shown.out.lines().all(|line| line.chars().count() <= 80));

    let after = json(&run(&place, &["inspect", &id[..8], "--json"]).out);
    let run_facts = &after["run"];
    assert_eq!(run_facts["prepared"][0]["used_here"], true);
    assert_eq!(run_facts["prepared"][0]["whole"], true);
    let tensors = run_facts["tensors"].as_array().expect("a list");
    let products = tensors
        .iter()
        .filter(|group| group["operator"] == "MatMulNBits");
    // Two layers of seven products, and the head; in groups by the size of their blocks.
    let count: u64 = products
        .filter(|group| group["bits"] == 8)
        .filter_map(|group| group["tensors"].as_u64())
        .sum();
    assert_eq!(count, 15);
    assert_eq!(after["file"]["source"], file);
    let text = run(&place, &["inspect", &id[..8]]);
    assert!(text.out.contains("8-bit") && text.out.contains("chat template"));

    let tokens = run_in(&place, &["tokenize", &id[..8], "--json"], &[], "the error");
    assert_eq!(json(&tokens.out)["count"], 3);

    let args = ["bench", &id[..8], "-p", "8", "-n", "4", "-r", "2", "--json"];
    let bench = json(&run(&place, &args).out);
    assert_eq!(bench["bench"]["tests"][0]["name"], "pp8");
    assert_eq!(
        bench["bench"]["tests"][1]["ours"]["rates"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let table = run(&place, &args[..8]);
    assert!(
        table.out.contains("tg4") && table.out.contains("load"),
        "{}",
        table.out
    );
    assert!(
        table.out.lines().all(|line| line.chars().count() <= 80),
        "{}",
        table.out
    );
    let long = run(&place, &["bench", &id[..8], "-p", "4096"]);
    assert_eq!(long.code, 2);

    // Other runs on this machine may have rooms; none has this model.
    let rooms = run(&place, &["ps"]).out;
    assert!(
        rooms.contains("no model runs") || rooms.starts_with("PID"),
        "{rooms}"
    );
    let rooms = run(&place, &["ps", "--json"]).out;
    assert!(!rooms.contains(&id), "{rooms}");
    assert_eq!(run(&place, &["rm", &id[..8]]).code, 0);
    assert_eq!(run(&place, &["inspect", &id[..8]]).code, 2);
}

#[test]
fn prune_removes_what_nobody_needs_and_nothing_else() {
    let place = place();
    let bytes = Tiny::new("llama", "smollm").gguf();
    let id = sha256(&bytes);
    let fetched = put(
        &place,
        &format!(".local/share/narrowroom/downloads/{id}.gguf"),
        &bytes,
    );
    assert_eq!(
        run(&place, &["import", fetched.to_str().expect("UTF-8")]).code,
        0
    );
    assert!(run(&place, &["prune"]).out.contains("nothing to remove"));
    let models = ".local/share/narrowroom/models";
    let other = format!("{models}/{id}/prepared/0123456789abcdef/model.data");
    put(&place, &other, &[0; 5000]);
    let half = format!("{models}/.pending-4294967294-0/model.data");
    put(&place, &half, &[0; 5000]);
    let dry = run(&place, &["prune", "--dry-run"]);
    assert!(dry.out.contains("would be freed"), "{}", dry.out);
    assert!(place.join(&other).exists() && place.join(&half).exists());
    let done = json(&run(&place, &["prune", "--json"]).out);
    assert_eq!(done["items"].as_array().map(Vec::len), Some(2));
    assert!(!place.join(&other).exists() && !place.join(&half).exists());
    assert!(fetched.exists());
    assert_eq!(run(&place, &["list", "--check"]).code, 0);
    run(&place, &["prune", "--downloads"]);
    assert!(!fetched.exists());
    assert_eq!(run(&place, &["list", "--check"]).code, 0);
}

#[test]
fn models_come_from_the_stores_of_other_programs_and_are_hashed_again() {
    let place = place();
    let bytes = Tiny::new("qwen2", "qwen2").gguf();
    let id = sha256(&bytes);
    let manifest = format!(
        r#"{{"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{id}"}}]}}"#
    );
    put(
        &place,
        ".ollama/models/manifests/registry.ollama.ai/library/tiny/1b",
        manifest.as_bytes(),
    );
    let blob = put(&place, &format!(".ollama/models/blobs/sha256-{id}"), &bytes);
    put(&place, ".lmstudio/models/pub/tiny/tiny-q4.gguf", &bytes);
    put(
        &place,
        ".cache/huggingface/hub/models--o--r/refs/main",
        b"c0ffee",
    );
    put(
        &place,
        ".cache/huggingface/hub/models--o--r/snapshots/c0ffee/sub/m.gguf",
        &bytes,
    );
    for source in ["ollama:tiny:1b", "lmstudio:pub/tiny", "hf:o/r/sub/m.gguf"] {
        let ran = run(&place, &["import", source]);
        assert_eq!(ran.code, 0, "{source}: {}", ran.err);
        let facts = json(&run(&place, &["inspect", &id[..10], "--json"]).out);
        assert_eq!(facts["file"]["source"], source);
        run(&place, &["rm", &id[..10]]);
    }
    let unknown = run(&place, &["import", "ollama:tiny"]);
    assert_eq!(unknown.code, 2);
    assert!(unknown.err.contains("ollama:tiny:1b"), "{}", unknown.err);
    // A blob that isn't what its name says is refused.
    std::fs::write(&blob, Tiny::new("llama", "smollm").gguf()).expect("written");
    let lying = run(&place, &["import", "ollama:tiny:1b"]);
    assert_eq!(lying.code, 3, "{}", lying.err);
    let offline = run(&place, &["import", "hf:o/r/other.gguf", "--offline"]);
    assert_eq!(offline.code, 2);
    assert!(offline.err.contains("--offline"));
}

/// A hub on this machine that serves one file: answers HEAD with hash and size, GET with the bytes from
/// where the client asks for them. `asked` gets each request's head.
fn hub(bytes: Vec<u8>, sha256: String) -> (String, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let from: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("Range: bytes=")?.strip_suffix('-'))
                .and_then(|from| from.parse().ok())
                .unwrap_or(0);
            let body = bytes.get(from..).unwrap_or_default();
            let status = if from > 0 {
                format!(
                    "206 Partial Content\r\nContent-Range: bytes {from}-{}/{}",
                    bytes.len() - 1,
                    bytes.len()
                )
            } else {
                "200 OK".to_owned()
            };
            let answer = format!(
                "HTTP/1.1 {status}\r\nX-Linked-Size: {}\r\nX-Linked-Etag: \"{sha256}\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                bytes.len(),
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
            if head.starts_with("GET") {
                let _ = stream.write_all(body);
            }
            if sender.send(head).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

#[test]
fn a_file_of_the_hub_is_fetched_goes_on_where_it_stopped_and_is_checked() {
    let place = place();
    let bytes = Tiny::new("qwen2", "qwen2").gguf();
    let id = sha256(&bytes);
    let (address, asked) = hub(bytes.clone(), id.clone());
    let env = [
        ("HF_ENDPOINT", address.as_str()),
        ("HF_TOKEN", "hf_secret123"),
    ];
    put(
        &place,
        &format!(".local/share/narrowroom/downloads/.{id}.partial"),
        &bytes[..1000],
    );
    let ran = run_in(&place, &["import", "hf:o/r/m.gguf"], &env, "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    let requests: Vec<String> = asked.try_iter().collect();
    assert!(
        requests[0].starts_with("HEAD /o/r/resolve/main/m.gguf "),
        "{requests:?}"
    );
    assert!(requests[1].contains("Range: bytes=1000-"), "{requests:?}");
    assert!(
        requests
            .iter()
            .all(|head| head.contains("Bearer hf_secret123"))
    );
    assert!(!ran.err.contains("hf_secret123") && !ran.out.contains("hf_secret123"));
    let kept = place.join(&format!(".local/share/narrowroom/downloads/{id}.gguf"));
    assert_eq!(std::fs::read(kept).expect("the file"), bytes);

    // A hub that sends something else than it announced.
    let (lying, _asked) = hub(bytes, "0".repeat(64));
    let ran = run_in(
        &place,
        &["import", "hf:o/r/m.gguf"],
        &[("HF_ENDPOINT", &lying)],
        "",
    );
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(
        ran.err.contains("not what the hub announced"),
        "{}",
        ran.err
    );
    // Plain HTTP to anywhere but this machine is not spoken.
    let ran = run_in(
        &place,
        &["import", "hf:o/r/m.gguf"],
        &[("HF_ENDPOINT", "http://mirror.invalid")],
        "",
    );
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("curl ended with 1"), "{}", ran.err);
}

#[test]
fn what_is_not_supported_is_refused_by_name_and_can_be_looked_at() {
    let place = place();
    let mut tiny = Tiny::new("llama", "smollm");
    tiny.architecture = "mamba".to_owned();
    let file = put(&place, "m.gguf", &tiny.gguf());
    let file = file.to_str().expect("UTF-8");
    let ran = run(&place, &["import", file]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("mamba") && ran.err.contains("qwen3"),
        "{}",
        ran.err
    );
    let facts = json(&run(&place, &["inspect", file, "--json"]).out);
    assert_eq!(facts["architecture"], "mamba");
    assert!(
        facts["refused"]
            .as_str()
            .is_some_and(|why| why.contains("mamba"))
    );
    let mut bytes = Tiny::new("llama", "smollm").gguf();
    bytes.truncate(bytes.len() / 2);
    let cut = put(&place, "cut.gguf", &bytes);
    let ran = run(&place, &["import", cut.to_str().expect("UTF-8")]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("beyond the end"), "{}", ran.err);
    let ran = run(&place, &["import", "nothing.gguf"]);
    assert_eq!(ran.code, 3);
}
