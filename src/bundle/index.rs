//! What is in an unpacked bundle: path, size, hash and kind of each file, and what was left out.

use super::path::BundlePath;
use serde::{Deserialize, Serialize};

/// What a file holds, told from its first bytes and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// No bytes at all. Not the same as "nothing happened".
    Empty,
    /// Starts like a JSON object or array.
    Json,
    /// Named `.yaml` or `.yml`.
    Yaml,
    /// Text with a log's name or place.
    Log,
    /// Any other text.
    Text,
    /// Compressed or an archive; not opened.
    Archive,
    /// Holds NUL bytes.
    Binary,
    /// A link recorded by the unpacker; `link_to` says where it points.
    Link,
}

/// One file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Entry {
    /// Path inside the bundle, top folder included.
    pub path: BundlePath,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the content, lower-case hex; of the target's path text for a link.
    pub sha256: String,
    /// What it holds.
    pub kind: FileKind,
    /// For [`FileKind::Link`]: the file inside the bundle it resolves to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_to: Option<BundlePath>,
}

/// An archive entry that was not written, or not as it was asked to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Skipped {
    /// The name as the archive gave it, escaped for any terminal and cut to 200 characters.
    pub name: String,
    /// Why, for a person.
    pub reason: String,
}

/// The whole bundle, files sorted by path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Index {
    /// Regular files and recorded links, sorted by path, unique.
    pub entries: Vec<Entry>,
    /// What was refused or skipped while unpacking, with the reason.
    pub skipped: Vec<Skipped>,
}

impl Index {
    /// The entry at exactly `path`.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.entries
            .binary_search_by(|entry| entry.path.as_str().cmp(path))
            .ok()
            .map(|at| &self.entries[at])
    }
    /// Sum of the sizes in bytes.
    pub fn total_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.bytes).sum()
    }
    /// The single top folder all entries share, if there is one.
    pub fn top_folder(&self) -> Option<&str> {
        let first = self.entries.first()?.path.as_str();
        let (top, _) = first.split_once('/')?;
        self.entries
            .iter()
            .all(|entry| {
                entry
                    .path
                    .as_str()
                    .split_once('/')
                    .is_some_and(|(t, _)| t == top)
            })
            .then_some(top)
    }
}

/// The encoding that a byte order mark names, when it is UTF-16: whether the low byte comes first.
pub fn utf16_of(head: &[u8]) -> Option<bool> {
    match head {
        [0xff, 0xfe, 0, 0, ..] => None,
        [0xff, 0xfe, ..] => Some(true),
        [0xfe, 0xff, ..] => Some(false),
        _ => None,
    }
}

/// Tells the kind of a file from its path and its first bytes (4 KiB are enough).
pub fn kind_of(path: &BundlePath, head: &[u8]) -> FileKind {
    if head.is_empty() {
        return FileKind::Empty;
    }
    let magic: [(&[u8], usize); 6] = [
        (b"\x1f\x8b", 0),
        (b"PK\x03\x04", 0),
        (b"BZh", 0),
        (b"\xfd7zXZ\0", 0),
        (b"\x28\xb5\x2f\xfd", 0),
        (b"ustar", 257),
    ];
    if magic
        .iter()
        .any(|(bytes, at)| head.get(*at..at + bytes.len()) == Some(*bytes))
    {
        return FileKind::Archive;
    }
    // Windows writes logs as UTF-16 with a byte order mark: text, decoded when it is read.
    if head.contains(&0) && utf16_of(head).is_none() {
        return FileKind::Binary;
    }
    let name = path.name().to_ascii_lowercase();
    if name.ends_with(".yaml") || name.ends_with(".yml") {
        return FileKind::Yaml;
    }
    let is_log = name.ends_with(".log")
        || name.contains(".log.")
        || ["syslog", "messages", "dmesg", "journal"]
            .iter()
            .any(|word| name.starts_with(word))
        || path.as_str().contains("/logs/")
        || path.as_str().contains("/var/log/");
    if is_log {
        return FileKind::Log;
    }
    match head.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => FileKind::Json,
        _ => FileKind::Text,
    }
}
