//! Where the guest's entries land: every name is judged, every file is created new below the one
//! directory, hashed on the way, and everything that is left out is written down.
//!
//! The guest is not trusted: it may announce any name in any order, and can still neither name
//! anything outside the directory nor have anything but ordinary files and folders created.

use super::abi::{Kind, Note, Skip};
use super::limits::UnpackLimits;
use super::names::folded;
use super::refusal;
use super::table::{Listing, Node, Table, make_index};
use crate::bundle::index::{Index, kind_of};
use crate::bundle::path::{BundlePath, MAX_PATH_BYTES, PathRefusal};
use crate::error::Result;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, File, OpenOptions, OpenOptionsExt};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::hash::RandomState;
use std::io::Write;

/// Bytes of a file's head that its kind is told from.
const HEAD_BYTES: usize = 4096;

/// The file that is being written.
struct Open {
    path: BundlePath,
    file: File,
    expected: u64,
    bytes: u64,
    hash: Sha256,
    head: Vec<u8>,
}

/// Takes entries in, writes files, and makes the index of them.
pub struct Sink {
    dir: Dir,
    limits: UnpackLimits,
    table: Table,
    folds: HashSet<u64>,
    seed: RandomState,
    open: Option<Open>,
    listing: Listing,
    entries: u64,
    name_bytes: u64,
    /// Files complete.
    pub files: u64,
    /// Bytes written, those of replaced files too.
    pub bytes: u64,
}

impl Sink {
    /// A sink that writes below `dir`, which must be empty.
    pub fn new(dir: Dir, limits: UnpackLimits) -> Self {
        Self {
            dir,
            limits,
            table: Table::new(),
            folds: HashSet::new(),
            seed: RandomState::new(),
            open: None,
            listing: Listing::new(limits.skipped_listed),
            entries: 0,
            name_bytes: 0,
            files: 0,
            bytes: 0,
        }
    }

    /// An entry of the archive; whether its content is wanted.
    ///
    /// # Errors
    /// A limit, the file system, or a guest that breaks its contract.
    pub fn begin(&mut self, kind: Kind, name: &[u8], target: &[u8], bytes: u64) -> Result<bool> {
        if self.open.is_some() {
            return Err(refusal::broken_contract("an entry began inside another"));
        }
        // A folder is counted where it is made, implied ones too.
        if kind != Kind::Folder {
            self.count_entry()?;
        }
        let path = match std::str::from_utf8(name)
            .map_err(|_| PathRefusal::NotUtf8)
            .and_then(BundlePath::parse)
        {
            Ok(path) => path,
            // `./` is the root folder itself.
            Err(PathRefusal::Empty) if kind == Kind::Folder && !name.is_empty() => {
                return Ok(false);
            }
            Err(why) => return self.leave_out(name, why.to_string()),
        };
        self.name_bytes += (path.as_str().len() + target.len()) as u64;
        if self.name_bytes > self.limits.name_bytes {
            return Err(refusal::over_limit(
                format!(
                    "its names and links fill more than {} bytes",
                    self.limits.name_bytes
                ),
                None,
            ));
        }
        if let Some((parent, _)) = path.as_str().rsplit_once('/')
            && let Err(why) = self.make_folders(parent)?
        {
            return self.leave_out(name, why);
        }
        match kind {
            Kind::Folder => self.folder(&path, name),
            Kind::File => self.file(path, name, bytes),
            Kind::Symlink | Kind::HardLink => self.link(path, name, target, kind == Kind::Symlink),
        }
    }

    fn count_entry(&mut self) -> Result<()> {
        self.entries += 1;
        if self.entries > self.limits.files {
            return Err(refusal::over_limit(
                format!("it holds more than {} entries", self.limits.files),
                Some("--max-files"),
            ));
        }
        Ok(())
    }

    fn folder(&mut self, path: &BundlePath, name: &[u8]) -> Result<bool> {
        match self.table.get(path.as_str()) {
            Some(Node::Folder) => self.count_entry().map(|()| false),
            Some(Node::File { .. }) => {
                self.leave_out(name, "a folder, but a file of this name came before it")
            }
            Some(Node::Link { .. }) => {
                self.leave_out(name, "a folder, but a link of this name came before it")
            }
            None => self
                .make_folders(path.as_str())?
                .map_or_else(|why| self.leave_out(name, why), |()| Ok(false)),
        }
    }

    fn file(&mut self, path: BundlePath, name: &[u8], bytes: u64) -> Result<bool> {
        if bytes > self.limits.file_bytes {
            return self.leave_out(
                name,
                format!(
                    "{bytes} bytes are over the limit of {} for one file",
                    self.limits.file_bytes
                ),
            );
        }
        if self.bytes.saturating_add(bytes) > self.limits.total_bytes {
            return Err(refusal::too_many_bytes(self.limits.total_bytes));
        }
        if !self.vacate(&path, name)? {
            return Ok(false);
        }
        let mut options = OpenOptions::new();
        // Never through anything that is already there.
        options.write(true).create_new(true).mode(0o600);
        let file = self
            .dir
            .open_with(path.as_str(), &options)
            .map_err(|error| refusal::write_failed(&path, error))?;
        let head = Vec::with_capacity(usize::try_from(bytes).unwrap_or(HEAD_BYTES).min(HEAD_BYTES));
        self.open = Some(Open {
            path,
            file,
            expected: bytes,
            bytes: 0,
            hash: Sha256::new(),
            head,
        });
        Ok(true)
    }

    fn link(
        &mut self,
        path: BundlePath,
        name: &[u8],
        target: &[u8],
        symbolic: bool,
    ) -> Result<bool> {
        let Ok(target) = std::str::from_utf8(target) else {
            return self.leave_out(name, "a link to a name that is not UTF-8");
        };
        if target.is_empty() || target.len() > MAX_PATH_BYTES {
            return self.leave_out(
                name,
                if target.is_empty() {
                    "a link to nothing"
                } else {
                    "a link to a name that is too long"
                },
            );
        }
        if self.vacate(&path, name)? {
            self.table.insert(
                path.as_str().to_owned(),
                Node::Link {
                    target: target.to_owned(),
                    symbolic,
                },
            );
        }
        Ok(false)
    }

    /// Makes room for a file or link at `path`: the last of several entries of one name counts.
    fn vacate(&mut self, path: &BundlePath, name: &[u8]) -> Result<bool> {
        match self.table.get(path.as_str()) {
            None => {
                if !self.folds.insert(folded(path.as_str(), &self.seed)) {
                    self.listing.add(name, "kept, but another name differs from it only in letter case or Unicode form");
                }
                return Ok(true);
            }
            Some(Node::Folder) => {
                return self.leave_out(name, "a folder of this name came before it");
            }
            Some(Node::File { .. }) => {
                self.dir
                    .remove_file(path.as_str())
                    .map_err(|error| refusal::write_failed(path, error))?;
                self.files -= 1;
            }
            Some(Node::Link { .. }) => {}
        }
        self.table.remove(path.as_str());
        self.listing.add(
            name,
            "named more than once: the last entry of this name is kept, an earlier one is not",
        );
        Ok(true)
    }

    /// Content of the file that was begun last.
    ///
    /// # Errors
    /// The file system, or a guest that breaks its contract.
    pub fn data(&mut self, bytes: &[u8]) -> Result<()> {
        let open = self
            .open
            .as_mut()
            .ok_or_else(|| refusal::broken_contract("content without a file"))?;
        if bytes.len() as u64 > open.expected - open.bytes {
            return Err(refusal::broken_contract("a file is longer than announced"));
        }
        open.file
            .write_all(bytes)
            .map_err(|error| refusal::write_failed(&open.path, error))?;
        open.hash.update(bytes);
        let missing = HEAD_BYTES.saturating_sub(open.head.len()).min(bytes.len());
        open.head.extend_from_slice(&bytes[..missing]);
        open.bytes += bytes.len() as u64;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// The file that was begun last is complete.
    ///
    /// # Errors
    /// A guest that breaks its contract.
    pub fn end(&mut self) -> Result<()> {
        let open = self.open.take().filter(|open| open.bytes == open.expected);
        let open = open.ok_or_else(|| refusal::broken_contract("a file ended early"))?;
        let node = Node::File {
            bytes: open.bytes,
            sha256: open.hash.finalize().into(),
            kind: kind_of(&open.path, &open.head),
        };
        self.table.insert(open.path.as_str().to_owned(), node);
        self.files += 1;
        Ok(())
    }

    /// An entry that the guest itself leaves out.
    ///
    /// # Errors
    /// The limit of entries.
    pub fn skip(&mut self, reason: Skip, name: &[u8]) -> Result<()> {
        self.count_entry()?;
        self.listing.add(name, refusal::skipped(reason));
        Ok(())
    }

    /// Something about the archive as a whole.
    pub fn note(&mut self, note: Note, bytes: u64) {
        self.listing.note(refusal::noted(note, bytes));
    }

    /// Creates `path` and the folders above it where they are missing. The inner error is why the
    /// entry below must be left out.
    fn make_folders(&mut self, path: &str) -> Result<Result<(), &'static str>> {
        if let Some(Node::Folder) = self.table.get(path) {
            return Ok(Ok(()));
        }
        let ends = path
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([path.len()]);
        for end in ends {
            let folder = &path[..end];
            match self.table.get(folder) {
                Some(Node::Folder) => {}
                Some(Node::File { .. }) => return Ok(Err("its path leads through a file")),
                Some(Node::Link { .. }) => return Ok(Err("its path leads through a link")),
                None => {
                    self.count_entry()?;
                    let mut builder = DirBuilder::new();
                    builder.mode(0o700);
                    self.dir
                        .create_dir_with(folder, &builder)
                        .map_err(|error| refusal::folder_failed(folder, error))?;
                    self.name_bytes += folder.len() as u64;
                    self.table.insert(folder.to_owned(), Node::Folder);
                }
            }
        }
        Ok(Ok(()))
    }

    fn leave_out(&mut self, name: &[u8], reason: impl Into<String>) -> Result<bool> {
        self.listing.add(name, reason);
        Ok(false)
    }

    /// Makes the index.
    ///
    /// # Errors
    /// When the archive held no file at all.
    pub fn finish(self) -> Result<Index> {
        if self.open.is_some() {
            return Err(refusal::broken_contract("the archive ended inside a file"));
        }
        make_index(&self.table, self.listing)
    }
}
