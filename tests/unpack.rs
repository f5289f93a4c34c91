//! `unpack`: every way a bundle comes in, and nothing left where it is refused.

#![allow(
    clippy::disallowed_methods,
    reason = "a test handles the files it made itself"
)]

mod support;

use std::fs;
use std::io::Write;
use std::process::Stdio;
use support::{Place, pack};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        out.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        out.write_all(content).unwrap();
    }
    out.finish().unwrap().into_inner()
}

fn unpack(place: &Place, bundle: &str) -> (support::Ended, serde_json::Value) {
    let out = place.join("out");
    let ended = place.run(&["unpack", bundle, "--out", out.to_str().unwrap(), "--json"]);
    let answer = serde_json::from_str(&ended.out).unwrap_or_default();
    (ended, answer)
}

#[test]
fn a_tree_is_written_with_what_was_left_out_said() {
    let place = Place::new();
    let mut tar = tar::Builder::new(Vec::new());
    for (name, content) in [
        ("b/a.log", &b"a line\n"[..]),
        ("b/old.log.gz", &gzip(b"older\n")),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o777);
        tar.append_data(&mut header, name, content).unwrap();
    }
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    tar.append_link(&mut link, "b/passwd", "/etc/passwd")
        .unwrap();
    let bundle = place.write("b.tar.gz", gzip(&tar.into_inner().unwrap()));
    let (ended, answer) = unpack(&place, bundle.to_str().unwrap());
    ended.ends(0);
    let out = place.join("out");
    assert_eq!(fs::read(out.join("b/a.log")).unwrap(), b"a line\n");
    assert_eq!(
        fs::read(out.join("b/old.log.gz!/old.log")).unwrap(),
        b"older\n"
    );
    assert!(!out.join("b/passwd").exists());
    assert_eq!(answer["files"].as_array().unwrap().len(), 3);
    assert_eq!(answer["left_out"][0]["name"], "b/passwd");
    assert!(
        answer["left_out"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("outside the bundle")
    );
    // The caller owns what was written, and nobody else may read it.
    use std::os::unix::fs::MetadataExt;
    let meta = fs::metadata(out.join("b/a.log")).unwrap();
    assert_eq!(meta.uid(), rustix::process::geteuid().as_raw());
    assert_eq!(meta.mode() & 0o7777, 0o600);
    // Nothing but the tree is left beside it.
    let mut beside: Vec<_> = fs::read_dir(place.path())
        .unwrap()
        .map(|item| item.unwrap().file_name().into_string().unwrap())
        .collect();
    beside.sort();
    assert_eq!(beside, ["b.tar.gz", "out"]);
}

#[test]
fn a_refused_archive_leaves_nothing_and_a_full_directory_is_not_touched() {
    let place = Place::new();
    let whole = pack(&[("b/a.log", &b"a line\n".repeat(5000)[..])]);
    let cut = place.write("cut.tar.gz", &whole[..whole.len() / 2]);
    let (ended, _) = unpack(&place, cut.to_str().unwrap());
    ended.ends(3).says("cut off");
    assert!(!place.join("out").exists());

    let good = place.write("good.tar.gz", &whole);
    fs::create_dir(place.join("out")).unwrap();
    let (ended, _) = unpack(&place, good.to_str().unwrap());
    ended.ends(0);
    let (ended, _) = unpack(&place, good.to_str().unwrap());
    ended.ends(2).says("something is there");
}

#[test]
fn a_zip_a_folder_and_standard_input_give_the_same_files() {
    let files: [(&str, &[u8]); 2] = [("b/a.log", b"a line\n"), ("b/c/d.txt", b"text\n")];
    let place = Place::new();
    let bundle = place.write("b.zip", zip(&files));
    let (ended, from_zip) = unpack(&place, bundle.to_str().unwrap());
    ended.ends(0);

    let place = Place::new();
    fs::create_dir_all(place.join("b/c")).unwrap();
    for (name, content) in files {
        fs::write(place.join(name), content).unwrap();
    }
    std::os::unix::fs::symlink("a.log", place.join("b/link")).unwrap();
    std::os::unix::fs::symlink("/etc", place.join("b/away")).unwrap();
    let (ended, from_folder) = unpack(&place, place.join("b").to_str().unwrap());
    ended.ends(0);
    let listed = from_folder["files"].as_array().unwrap();
    let plain: Vec<_> = listed
        .iter()
        .filter(|file| file["kind"] != "link")
        .collect();
    assert_eq!(
        from_zip["files"]
            .as_array()
            .unwrap()
            .iter()
            .collect::<Vec<_>>(),
        plain
    );
    assert_eq!(listed.len(), 3, "the inner link is listed");
    assert_eq!(from_folder["left_out"][0]["name"], "b/away");

    let place = Place::new();
    let mut child = place
        .program()
        .args(["unpack", "-", "--out"])
        .arg(place.join("out"))
        .arg("--json")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(&pack(&files))
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let piped: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(piped["files"], from_zip["files"]);
}

#[test]
fn a_folder_and_a_lone_log_can_be_triaged() {
    let place = Place::new();
    fs::create_dir_all(place.join("case/var/log")).unwrap();
    let oom = "Jan  5 10:00:00 host kernel: Out of memory: Killed process 4321 (java) total-vm:8000000kB, anon-rss:7000000kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:15000kB oom_score_adj:0\n";
    fs::write(place.join("case/var/log/messages"), oom).unwrap();
    let (ended, report) = place.triage(&place.join("case"), &["--no-model"]);
    ended.ends(0);
    assert_eq!(report["bundle"]["files"], 1);
    let again = place.triage(&place.join("case"), &["--no-model"]).1;
    assert_eq!(report["bundle"]["sha256"], again["bundle"]["sha256"]);

    let log = place.write("messages.log.gz", gzip(oom.as_bytes()));
    let (ended, report) = place.triage(&log, &["--no-model"]);
    ended.ends(0);
    assert_eq!(report["bundle"]["files"], 1);
}
