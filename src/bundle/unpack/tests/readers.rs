//! A second tar reader, which does not know our rules, sees no other files than ours: what the two
//! read differently is refused or listed.

use super::*;
use std::io::Read;

/// Most bytes of a file that are compared.
const MAX_BYTES: u64 = 8 << 20;

/// The files that the `tar` crate finds, the last of a name, and whether it could read to the end.
fn files(archive: &[u8]) -> (BTreeMap<String, Vec<u8>>, bool) {
    let mut found = BTreeMap::new();
    let mut reader = tar::Archive::new(archive);
    let Ok(entries) = reader.entries() else {
        return (found, false);
    };
    for entry in entries {
        let Ok(entry) = entry else {
            return (found, false);
        };
        let kind = entry.header().entry_type();
        if !kind.is_file() && !kind.is_contiguous() && !kind.is_gnu_sparse() {
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        if entry.take(MAX_BYTES).read_to_end(&mut content).is_err() {
            return (found, false);
        }
        let parts = path.split('/').filter(|part| !matches!(*part, "" | "."));
        found.insert(parts.collect::<Vec<_>>().join("/"), content);
    }
    (found, true)
}

#[test]
fn a_second_reader_finds_the_same_files_in_what_is_accepted() {
    let (mut compared, mut equal) = (0, 0);
    for (name, archive) in archives::all() {
        if archive.starts_with(&[0x1f, 0x8b]) || name == "bomb" {
            continue;
        }
        let out = unpack(&archive);
        let Ok(unpacked) = &out.result else { continue };
        compared += 1;
        let (theirs, whole) = files(&archive);
        let mut others = 0;
        for (path, content) in &theirs {
            match out.disk.get(path) {
                Some(ours) => {
                    assert!(ours == content, "{name}: {path} holds something else");
                    equal += 1;
                }
                None => others += 1,
            }
        }
        let listed = unpacked.index.skipped.len();
        assert!(
            others <= listed,
            "{name}: {others} files of another reader, {listed} listed"
        );
        for path in out.disk.keys().filter(|_| whole) {
            assert!(theirs.contains_key(path), "{name}: only we find {path}");
        }
    }
    assert!(
        compared > 12 && equal > 20,
        "{compared} archives, {equal} files"
    );
    println!("archives: {compared} accepted ones read by a second reader, {equal} files equal");
}
