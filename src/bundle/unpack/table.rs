//! The table of accepted names, the list of what was left out, and the index made of both.

use super::links::{Lost, Place, Resolver};
use super::names::shown;
use super::refusal;
use crate::bundle::index::{Entry, FileKind, Index, Skipped};
use crate::bundle::path::BundlePath;
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// The name under which something about the archive as a whole is listed.
const ARCHIVE: &str = "(archive)";
/// Most notes about the archive as a whole; an honest guest has four.
const MAX_NOTES: usize = 16;

/// What a name in the archive stands for.
#[derive(Debug)]
pub enum Node {
    /// A folder, announced or implied.
    Folder,
    /// A file that was written.
    File {
        /// Size.
        bytes: u64,
        /// Hash of the content.
        sha256: [u8; 32],
        /// Told from name and head.
        kind: FileKind,
    },
    /// A link that was recorded and not created.
    Link {
        /// As the archive gives it.
        target: String,
        /// Relative to the link's folder; otherwise to the archive's root.
        symbolic: bool,
    },
}

/// Every name of the archive that was accepted.
pub type Table = HashMap<String, Node>;

/// What was left out, or not taken as it was asked to be.
pub struct Listing {
    entries: Vec<Skipped>,
    notes: Vec<Skipped>,
    limit: usize,
    more: u64,
}

impl Listing {
    /// An empty list that counts beyond `limit` entries.
    pub fn new(limit: usize) -> Self {
        Self {
            entries: Vec::new(),
            notes: Vec::new(),
            limit,
            more: 0,
        }
    }

    /// Lists an entry by the name that the archive gives it.
    pub fn add(&mut self, name: &[u8], reason: impl Into<String>) {
        if self.entries.len() < self.limit {
            self.entries.push(Skipped {
                name: shown(name),
                reason: reason.into(),
            });
        } else {
            self.more += 1;
        }
    }

    /// Lists something about the archive as a whole.
    pub fn note(&mut self, reason: String) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(Skipped {
                name: ARCHIVE.into(),
                reason,
            });
        }
    }

    fn finish(mut self) -> Vec<Skipped> {
        if self.more > 0 {
            self.notes.push(Skipped {
                name: ARCHIVE.into(),
                reason: format!(
                    "{} further entries were left out and are not listed",
                    self.more
                ),
            });
        }
        self.entries.append(&mut self.notes);
        self.entries
    }
}

/// Resolves the links and makes the index.
///
/// # Errors
/// When there is no file at all.
pub fn make_index(table: &Table, mut listing: Listing) -> Result<Index> {
    let mut entries = Vec::new();
    let mut links = Vec::new();
    for (path, node) in table {
        match node {
            Node::Folder => {}
            Node::File {
                bytes,
                sha256,
                kind,
            } => {
                entries.push(Entry {
                    path: parse(path)?,
                    bytes: *bytes,
                    sha256: hex::encode(sha256),
                    kind: *kind,
                    link_to: None,
                });
            }
            Node::Link { target, symbolic } => links.push((path, target, *symbolic)),
        }
    }
    if entries.is_empty() {
        return Err(refusal::no_files(
            listing.entries.first(),
            listing.entries.len() as u64 + listing.more,
        ));
    }
    // In order, so that what is said does not depend on the table's.
    links.sort_unstable();
    let mut resolver = Resolver::new(table);
    for (path, target, symbolic) in links {
        let leads = match resolver.resolve(path) {
            Ok(Place::File(to)) => {
                let sha256 = hex::encode(Sha256::digest(to.as_bytes()));
                entries.push(Entry {
                    path: parse(path)?,
                    bytes: 0,
                    sha256,
                    kind: FileKind::Link,
                    link_to: Some(parse(&to)?),
                });
                continue;
            }
            Ok(Place::Folder(_)) => "a folder of the bundle; its files are listed there",
            Err(Lost::Outside) => "outside the bundle",
            Err(Lost::Dangling) => "not in the bundle",
            Err(Lost::Loop) => "part of a circle or an endless chain of links",
        };
        let sort = if symbolic { "link" } else { "hard link" };
        listing.add(
            path.as_bytes(),
            format!("a {sort} to {}, which is {leads}", shown(target.as_bytes())),
        );
    }
    entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(Index {
        entries,
        skipped: listing.finish(),
    })
}

fn parse(path: &str) -> Result<BundlePath> {
    BundlePath::parse(path).map_err(|why| Error::bug("failed to name an unpacked file").source(why))
}
