//! Names from an archive, made fit to be shown and to be compared.

use crate::bundle::path::BundlePath;
use std::hash::{BuildHasher, RandomState};
use unicode_normalization::UnicodeNormalization;

/// Longest name shown, in characters.
const SHOWN_CHARS: usize = 200;

/// A name as ASCII that no terminal can misunderstand, cut to 200 characters.
pub fn shown(name: &[u8]) -> String {
    let mut out = String::new();
    let mut count = 0;
    for chunk in name.utf8_chunks() {
        let valid = chunk
            .valid()
            .chars()
            .map(|c| c.escape_default().collect::<String>());
        let invalid = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
        for piece in valid.chain(invalid) {
            count += piece.len();
            if count > SHOWN_CHARS - 1 {
                out.push('…');
                return out;
            }
            out.push_str(&piece);
        }
    }
    out
}

/// A number that is equal for names which a file system that ignores case or Unicode form takes for
/// one. `seed` is chosen anew each run, so that nobody can prepare names that collide.
pub fn folded(path: &str, seed: &RandomState) -> u64 {
    if path.is_ascii() {
        return seed.hash_one(path.to_ascii_lowercase());
    }
    let lower: String = path.nfc().flat_map(char::to_lowercase).nfc().collect();
    seed.hash_one(lower)
}

/// Endings of a compressed single file, and of archives in one file.
const STREAMS: [&str; 4] = [".gz", ".xz", ".zst", ".bz2"];
const ARCHIVES: [&str; 7] = [".tar", ".tgz", ".txz", ".tzst", ".tbz", ".tbz2", ".zip"];
/// Endings of text that is taken as a bundle of one file, though nothing in its bytes says what it is.
const TEXTS: [&str; 7] = [".log", ".txt", ".out", ".err", ".json", ".yaml", ".yml"];

/// The folder into which the files of the archive at `path` go: beside it, with a `!` behind its name,
/// as in the URLs of Java archives.
pub fn folder_of(path: &str) -> String {
    format!("{path}!")
}

/// Whether a file inside a bundle is opened by its name; its first bytes must be an archive's too.
/// Programs and documents that happen to be archives are left closed.
pub fn is_opened(path: &str) -> bool {
    let name = path.to_ascii_lowercase();
    STREAMS
        .iter()
        .chain(&ARCHIVES)
        .any(|ending| name.ends_with(ending))
}

/// The name of the one file in the stream called `name`, when it is not an archive by its name:
/// without `.gz` and the like.
pub fn single(name: &str) -> Option<String> {
    let base = name.rsplit('/').next().unwrap_or(name);
    let lower = base.to_ascii_lowercase();
    let stem = STREAMS
        .iter()
        .find(|ending| lower.ends_with(**ending))
        .and_then(|ending| base.get(..base.len() - ending.len()));
    let single = match stem {
        Some(stem) if !stem.to_ascii_lowercase().ends_with(".tar") => stem,
        None if TEXTS.iter().any(|ending| lower.ends_with(ending)) => base,
        _ => return None,
    };
    match BundlePath::parse(single) {
        Ok(path) => Some(path.as_str().to_owned()),
        Err(_) => Some("file".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_short_ascii() {
        assert_eq!(shown(b"logs/a.log"), "logs/a.log");
        assert_eq!(
            shown("a\u{202e}b\x1b[2J".as_bytes()),
            "a\\u{202e}b\\u{1b}[2J"
        );
        assert_eq!(shown(b"a\xffb"), "a\\xffb");
        let long = shown("é".repeat(100_000).as_bytes());
        assert!(long.chars().count() <= SHOWN_CHARS && long.ends_with('…'));
    }

    #[test]
    fn folding_ignores_case_and_form_and_nothing_else() {
        let seed = RandomState::new();
        let same = |a, b| folded(a, &seed) == folded(b, &seed);
        assert!(same("A/README", "a/readme"));
        assert!(same("caf\u{e9}", "CAFE\u{301}"));
        assert!(!same("a/b", "a/c"));
        assert!(!same("cafe", "caf\u{e9}"));
    }
}
