//! Masking the answers and packing them: sorted names, one time, one owner, a manifest of hashes.

use super::gather::{Gathered, Limits, Refused};
use crate::error::{Context, ExitCode, Result};
use crate::secrets::Masker;
use flate2::{Compression, GzBuilder};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Schema name of `collect.json`.
pub const SCHEMA: &str = "narrowroom.collect/v1";

/// `collect.json` at the top of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Version of the program.
    pub version: String,
    /// What was collected, in words.
    pub source: String,
    /// When, RFC 3339, UTC.
    pub collected: String,
    /// Limits that were in force.
    pub limits: Limits,
    /// Every question, as a person would type it.
    pub asked: Vec<String>,
    /// What could not be collected, and why.
    pub not_collected: Vec<Refused>,
    /// Files that are not whole: bytes left out.
    pub shortened: BTreeMap<String, u64>,
    /// Different secret values that were masked, by kind.
    pub masked: BTreeMap<String, u64>,
    /// The other files of the archive.
    pub files: BTreeMap<String, FileFacts>,
}

/// A file of the archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileFacts {
    /// Bytes.
    pub bytes: u64,
    /// SHA-256, lower-case hex.
    pub sha256: String,
}

/// An archive.
#[derive(Debug)]
pub struct Packed {
    /// The bytes of the `.tar.gz`.
    pub archive: Vec<u8>,
    /// Its manifest.
    pub manifest: Manifest,
}

/// Seconds since 1970; `SOURCE_DATE_EPOCH` where that is set (reproducible-builds.org/specs).
pub fn seconds_now() -> u64 {
    let fixed = std::env::var("SOURCE_DATE_EPOCH").ok();
    fixed.and_then(|text| text.parse().ok()).unwrap_or_else(|| {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |d| d.as_secs())
    })
}

/// Masks and packs `gathered` below the folder `name`; `time`: seconds since 1970, given to every
/// entry. The same input gives the same bytes.
///
/// # Errors
/// Only a bug.
pub fn pack(
    gathered: Gathered,
    source: &str,
    name: &str,
    time: u64,
    limits: &Limits,
) -> Result<Packed> {
    let mut masker = Masker::new();
    let texts = gathered.files.into_iter().map(|(path, bytes)| {
        let text = String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        (path, text)
    });
    let texts: Vec<(String, String)> = texts.collect();
    masker.learn_texts(texts.iter().map(|(_, text)| text.as_str()));
    let refused = gathered.refused.into_iter().map(|refused| Refused {
        why: masker.mask(&refused.why),
        ..refused
    });
    let mut manifest = Manifest {
        schema: SCHEMA.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        source: source.to_owned(),
        collected: crate::record::rfc3339(time),
        limits: limits.clone(),
        asked: gathered
            .asked
            .iter()
            .map(|asked| masker.mask(asked))
            .collect(),
        not_collected: refused.collect(),
        shortened: gathered.shortened,
        masked: masker
            .counts()
            .iter()
            .map(|(kind, count)| ((*kind).to_owned(), *count as u64))
            .collect(),
        files: BTreeMap::new(),
    };
    let gzip = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::default());
    let mut tar = tar::Builder::new(gzip);
    for (path, text) in texts {
        let masked = masker.mask(&text);
        drop(text);
        let facts = FileFacts {
            bytes: masked.len() as u64,
            sha256: hex::encode(Sha256::digest(masked.as_bytes())),
        };
        add(&mut tar, &format!("{name}/{path}"), masked.as_bytes(), time)?;
        manifest.files.insert(path, facts);
    }
    add(
        &mut tar,
        &format!("{name}/collect.json"),
        &crate::record::pretty(&manifest)?,
        time,
    )?;
    let archive = tar
        .into_inner()
        .and_then(flate2::write::GzEncoder::finish)
        .or_fail(ExitCode::Bug, "failed to pack")?;
    Ok(Packed { archive, manifest })
}

fn add<W: std::io::Write>(
    tar: &mut tar::Builder<W>,
    path: &str,
    bytes: &[u8],
    time: u64,
) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(time);
    tar.append_data(&mut header, path, bytes)
        .or_fail(ExitCode::Bug, "failed to pack a file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    const LIMITS: Limits = Limits {
        max_bytes: 1,
        max_file_bytes: 1,
        max_seconds: 1,
        question_seconds: 1,
    };

    fn gathered() -> Gathered {
        let mut gathered = Gathered::default();
        let token = format!("ghp_{}", "a8Kd93mNfQ0zXw51LpTr7vYcUe2hGj4bSiXo");
        gathered.files.insert(
            "b/app.log".into(),
            format!("password=Vq7hT2mZpL9w\ntoken {token}\n").into_bytes(),
        );
        gathered
            .files
            .insert("a.txt".into(), b"again Vq7hT2mZpL9w here\n".to_vec());
        gathered.refused.push(Refused {
            what: "x".into(),
            path: "y".into(),
            why: "denied: Vq7hT2mZpL9w".into(),
        });
        gathered.asked.push("kubectl get pods".into());
        gathered
    }

    #[test]
    fn secrets_are_masked_by_value_in_every_file_and_message_and_two_archives_are_equal() {
        let packed = pack(gathered(), "a test", "customer-123", 1_700_000_000, &LIMITS).unwrap();
        let again = pack(gathered(), "a test", "customer-123", 1_700_000_000, &LIMITS).unwrap();
        assert_eq!(packed.archive, again.archive);
        let mut all = Vec::new();
        flate2::read::GzDecoder::new(packed.archive.as_slice())
            .read_to_end(&mut all)
            .unwrap();
        let text = String::from_utf8_lossy(&all);
        assert!(
            !text.contains("Vq7hT2mZpL9w") && !text.contains("ghp_"),
            "{text}"
        );
        assert!(text.contains("‹secret:") && text.contains("customer-123/collect.json"));
        assert!(packed.manifest.masked.values().sum::<u64>() >= 2);

        let mut seen = 0;
        for entry in tar::Archive::new(all.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            if let Some(facts) = path
                .strip_prefix("customer-123/")
                .and_then(|path| packed.manifest.files.get(path))
            {
                assert_eq!(facts.sha256, hex::encode(Sha256::digest(&bytes)));
                seen += 1;
            }
        }
        assert_eq!(seen, 2);
    }
}
