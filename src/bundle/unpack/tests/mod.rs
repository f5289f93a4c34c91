//! What becomes of each family of hostile archives, exactly: which files are there, what is said
//! about the others, and that nothing exists outside the directory.

#![expect(
    clippy::disallowed_methods,
    reason = "looks at the disk from outside, as an attacker would"
)]

#[path = "../../../../tests/support/archives.rs"]
mod archives;
mod damage;
mod formats;
mod guest;
mod inner;
mod limits;
mod names;
mod packed;
mod readers;
mod zip;

use super::*;
use crate::bundle::index::FileKind;
use archives::{BLOCK, HARMLESS, Tar, gzip};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Content of a file beside the directory, which no archive may touch.
const CANARY: &[u8] = b"untouched";

struct Outcome {
    result: Result<Unpacked>,
    /// What lies in the directory, by path.
    disk: BTreeMap<String, Vec<u8>>,
}

impl Outcome {
    fn index(&self) -> &Index {
        &self
            .result
            .as_ref()
            .unwrap_or_else(|error| panic!("refused: {}", error.chain()))
            .index
    }
    fn error(&self) -> &Error {
        self.result.as_ref().expect_err("it was not refused")
    }
    /// Asserts that the archive was refused with exit code 3 and words that hold `words`.
    fn refused(&self, words: &str) {
        let error = self.error();
        assert_eq!(error.exit, ExitCode::InputRefused, "{}", error.chain());
        assert!(
            error.chain().contains(words),
            "{} does not say {words:?}",
            error.chain()
        );
        assert!(error.hint.is_some(), "no hint: {}", error.chain());
    }
    /// Paths of files and links, in order.
    fn paths(&self) -> Vec<&str> {
        self.index()
            .entries
            .iter()
            .map(|entry| entry.path.as_str())
            .collect()
    }
    /// The reasons given for names that hold `name`, joined.
    fn why(&self, name: &str) -> String {
        let found: Vec<_> = self
            .index()
            .skipped
            .iter()
            .filter(|skipped| skipped.name.contains(name))
            .map(|skipped| skipped.reason.as_str())
            .collect();
        found.join("; ")
    }
    fn link(&self, path: &str) -> Option<&str> {
        self.index()
            .get(path)?
            .link_to
            .as_ref()
            .map(|path| path.as_str())
    }
}

fn unpack_with(archive: &[u8], limits: UnpackLimits) -> Outcome {
    unpack_by(Unpacker::new(limits).unwrap(), archive)
}

/// Unpacks `archive` and checks what holds for every archive, accepted or refused.
fn unpack_by(unpacker: Unpacker, archive: &[u8]) -> Outcome {
    let around = tempfile::tempdir().unwrap();
    fs::write(around.path().join("canary"), CANARY).unwrap();
    let out = around.path().join("out");
    fs::create_dir(&out).unwrap();
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(archive).unwrap();
    std::io::Seek::rewind(&mut input).unwrap();

    let dir = cap_std::fs::Dir::open_ambient_dir(&out, cap_std::ambient_authority()).unwrap();
    let result = unpacker.run(input, dir, &mut |_| {});

    let mut beside: Vec<_> = fs::read_dir(around.path())
        .unwrap()
        .map(|item| item.unwrap().file_name())
        .collect();
    beside.sort();
    assert_eq!(beside, ["canary", "out"], "something was written outside");
    assert_eq!(fs::read(around.path().join("canary")).unwrap(), CANARY);
    let mut disk = BTreeMap::new();
    walk(&out, "", &mut disk);

    if let Ok(unpacked) = &result {
        let sum = hex::encode(Sha256::digest(archive));
        assert_eq!(
            (unpacked.archive_sha256.as_str(), unpacked.archive_bytes),
            (sum.as_str(), archive.len() as u64)
        );
        assert!(
            unpacked.index.entries.is_sorted_by(|a, b| a.path < b.path),
            "not sorted or not unique"
        );
        let files = unpacked
            .index
            .entries
            .iter()
            .filter(|entry| entry.kind != FileKind::Link);
        let indexed: BTreeMap<_, _> = files
            .map(|entry| (entry.path.to_string(), (entry.bytes, entry.sha256.clone())))
            .collect();
        let found: BTreeMap<_, _> = disk
            .iter()
            .map(|(path, content)| {
                (
                    path.clone(),
                    (content.len() as u64, hex::encode(Sha256::digest(content))),
                )
            })
            .collect();
        assert_eq!(indexed, found, "the index and the disk differ");
        for skipped in &unpacked.index.skipped {
            assert!(
                skipped
                    .name
                    .chars()
                    .all(|c| c == '…' || (' '..='~').contains(&c)),
                "{:?}",
                skipped.name
            );
            assert!(skipped.name.chars().count() <= 200);
        }
    }
    Outcome { result, disk }
}

fn unpack(archive: &[u8]) -> Outcome {
    unpack_with(archive, UnpackLimits::default())
}

/// Ordinary files and folders only, with the bits that the unpacker gives.
fn walk(dir: &Path, prefix: &str, into: &mut BTreeMap<String, Vec<u8>>) {
    for item in fs::read_dir(dir).unwrap() {
        let item = item.unwrap();
        let path = format!("{prefix}{}", item.file_name().to_str().unwrap());
        let meta = item.path().symlink_metadata().unwrap();
        let bits = meta.permissions().mode() & 0o7777;
        if meta.is_dir() {
            assert_eq!(bits, 0o700, "{path}");
            walk(&item.path(), &format!("{path}/"), into);
        } else {
            assert!(meta.is_file(), "{path} is no ordinary file");
            assert_eq!(bits, 0o600, "{path}");
            into.insert(path, fs::read(item.path()).unwrap());
        }
    }
}

#[test]
fn an_ordinary_bundle_comes_out_whole() {
    for archive in [archives::ordinary(), gzip(&archives::ordinary())] {
        let out = unpack(&archive);
        assert_eq!(
            out.paths(),
            [
                "bundle/latest.log",
                "bundle/logs/empty.log",
                "bundle/logs/web.log",
                "bundle/version.yaml"
            ]
        );
        assert_eq!(out.disk["bundle/logs/web.log"], HARMLESS);
        let kinds: Vec<_> = out.index().entries.iter().map(|entry| entry.kind).collect();
        assert_eq!(
            kinds,
            [
                FileKind::Link,
                FileKind::Empty,
                FileKind::Log,
                FileKind::Yaml
            ]
        );
        assert_eq!(out.link("bundle/latest.log"), Some("bundle/logs/web.log"));
        assert!(out.index().skipped.is_empty(), "{:?}", out.index().skipped);
    }
}

#[test]
fn nothing_escapes_from_any_archive_plain_or_compressed() {
    let mut tried = 0;
    for (name, archive) in archives::all() {
        if name == "bomb" {
            continue;
        }
        for archive in [gzip(&archive), archive] {
            tried += 1;
            let out = unpack(&archive);
            assert!(
                out.result
                    .as_ref()
                    .map_or_else(|error| error.exit == ExitCode::InputRefused, |_| true),
                "{name}: {}",
                out.error().chain()
            );
        }
    }
    println!("archives: {tried} hostile archives tried, 0 escapes");
}
