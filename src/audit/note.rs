//! Signed checkpoints: C2SP `tlog-checkpoint` text in a C2SP `signed-note`.
//!
//! The text is the log's name, the number of leaves and the root in base64, a line each. After an
//! empty line follows `— <name> <base64(key hash ‖ signature)>`, where the key hash is the first four
//! bytes of `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)` and the signature covers the text with its
//! last newline.

use crate::error::{Error, Result};
use crate::keys::{Key, PublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// Longest checkpoint, in bytes.
pub const MAX_NOTE: usize = 4 << 10;
/// Signature type Ed25519.
const ED25519: u8 = 1;

/// The head of a log of a certain size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// RFC 6962 root.
    pub root: [u8; 32],
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root)
        )
    }

    /// The signed note.
    pub fn sign(&self, key: &Key) -> String {
        let text = self.text();
        let mut blob = hash(&self.origin, &key.public()).to_vec();
        blob.extend(key.sign(text.as_bytes()));
        format!("{text}\n— {} {}\n", self.origin, STANDARD.encode(blob))
    }

    /// Reads the text of a note, unverified.
    ///
    /// # Errors
    /// Refused input when it is not exactly three lines of the form.
    pub fn parse(text: &str) -> Result<Self> {
        let damaged = |what: &str| Error::refused(format!("a checkpoint is damaged: {what}"));
        let mut lines = text.strip_suffix('\n').unwrap_or(text).split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(damaged("it does not have three lines"));
        };
        let number: u64 = size.parse().map_err(|_| damaged("its size"))?;
        if number.to_string() != size || origin.is_empty() {
            return Err(damaged("its size or its name"));
        }
        let bytes = STANDARD.decode(root).map_err(|_| damaged("its root"))?;
        let root = bytes.try_into().map_err(|_| damaged("its root"))?;
        Ok(Self {
            origin: origin.to_owned(),
            size: number,
            root,
        })
    }

    /// Reads a signed note and checks it: a signature of `key` must be there and hold.
    ///
    /// # Errors
    /// Refused input that tells a damaged note, a wrong key and a bad signature apart.
    pub fn open(note: &str, key: &PublicKey) -> Result<Self> {
        let text = verified(note, key)?;
        let checkpoint = Self::parse(text)?;
        Ok(checkpoint)
    }
}

/// Name, key hash and key as C2SP `signed-note` writes a verifier key.
pub fn verifier_key(origin: &str, key: &PublicKey) -> String {
    let mut blob = vec![ED25519];
    blob.extend(key.as_bytes());
    format!(
        "{origin}+{}+{}",
        hex::encode(hash(origin, key)),
        STANDARD.encode(blob)
    )
}

fn hash(name: &str, key: &PublicKey) -> [u8; 4] {
    let mut hash = Sha256::new();
    hash.update(name);
    hash.update([b'\n', ED25519]);
    hash.update(key.as_bytes());
    let all: [u8; 32] = hash.finalize().into();
    [all[0], all[1], all[2], all[3]]
}

/// The text of a signed note whose signature by `key` holds. Signatures of other keys (witnesses)
/// are allowed beside it and not judged.
fn verified<'a>(note: &'a str, key: &PublicKey) -> Result<&'a str> {
    let damaged = || Error::refused("a checkpoint is damaged: it is no signed note");
    if note.len() > MAX_NOTE {
        return Err(damaged());
    }
    let at = note.rfind("\n\n").ok_or_else(damaged)?;
    let (text, signatures) = (&note[..=at], &note[at + 2..]);
    let signatures = signatures.strip_suffix('\n').ok_or_else(damaged)?;
    let mut others = Vec::new();
    for line in signatures.split('\n') {
        let (name, blob) = line
            .strip_prefix("— ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or_else(damaged)?;
        let blob = STANDARD.decode(blob).map_err(|_| damaged())?;
        let (id, signature) = blob.split_at_checked(4).ok_or_else(damaged)?;
        if id != hash(name, key) {
            others.push(hex::encode(id));
            continue;
        }
        return if key.verifies(text.as_bytes(), signature) {
            Ok(text)
        } else {
            Err(Error::refused(
                "the signature of a checkpoint does not hold: its text or its signature was altered",
            ))
        };
    }
    Err(Error::refused(format!(
        "a checkpoint is signed with another key: {}",
        others.join(", ")
    ))
    .hint("give the public key of that log with --public"))
}

/// Splits the file of all checkpoints. A note ends with the first line after its empty line that is
/// followed by no further signature.
///
/// # Errors
/// Refused input when something is left over.
pub fn split(all: &str) -> Result<Vec<&str>> {
    let mut notes = Vec::new();
    let mut rest = all;
    while !rest.is_empty() {
        let damaged = || {
            Error::refused(format!(
                "checkpoint {} is damaged: it does not end as a signed note does",
                notes.len() + 1
            ))
        };
        let mut end = rest.find("\n\n").ok_or_else(damaged)? + 2;
        let mut signed = false;
        while rest[end..].starts_with("— ") {
            signed = true;
            end += rest[end..].find('\n').ok_or_else(damaged)? + 1;
        }
        if !signed {
            return Err(damaged());
        }
        notes.push(&rest[..end]);
        rest = &rest[end..];
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the C2SP signed-note specification.
    #[test]
    fn the_published_note_verifies_and_an_altered_one_does_not() {
        let key = STANDARD
            .decode("AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
            .unwrap();
        let key = PublicKey::from_bytes(key[1..].try_into().unwrap()).unwrap();
        assert_eq!(
            verifier_key("example.com/foo", &key),
            "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
        );
        let note = "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
        assert_eq!(
            verified(note, &key).unwrap(),
            "This is an example message.\n"
        );
        assert!(verified(&note.replace("example m", "exemple m"), &key).is_err());
        assert!(verified(&note.replace("foo Uw2", "fox Uw2"), &key).is_err());
        assert!(verified(note.trim_end(), &key).is_err());
        let other = Key::generate().unwrap().public();
        let error = verified(note, &other).unwrap_err();
        assert!(error.message.contains("another key"), "{}", error.message);
    }

    #[test]
    fn a_checkpoint_survives_the_way_through_a_note_and_no_bit_may_change() {
        let key = Key::generate().unwrap();
        let checkpoint = Checkpoint {
            origin: "narrowroom/log/x".into(),
            size: 7,
            root: [9; 32],
        };
        let note = checkpoint.sign(&key);
        assert_eq!(Checkpoint::open(&note, &key.public()).unwrap(), checkpoint);
        for at in 0..note.len() {
            let mut altered = note.clone().into_bytes();
            altered[at] ^= 1;
            if let Ok(altered) = String::from_utf8(altered) {
                assert!(
                    Checkpoint::open(&altered, &key.public()).is_err(),
                    "{altered}"
                );
            }
        }
        assert_eq!(
            split(&format!("{note}{note}")).unwrap(),
            [note.as_str(), &note]
        );
        assert!(split(&note[..note.len() - 1]).is_err());
        for bad in ["x\n07\nAA==\n", "x\n7\nAA==\n", "x\n7\n", "\n7\nAA==\n"] {
            assert!(Checkpoint::parse(bad).is_err(), "{bad:?}");
        }
    }
}
