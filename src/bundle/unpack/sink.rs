//! Where the guest's entries land: every name is judged, every file is created new below the one
//! directory, hashed on the way, and everything that is left out is written down.
//!
//! The guest is not trusted: it may announce any name in any order, and can still neither name
//! anything outside the directory nor have anything but ordinary files and folders created.

use super::abi::{Kind, Note, Skip};
use super::limits::UnpackLimits;
use super::names::{folded, folder_of, is_opened};
use super::refusal;
use super::table::{Listing, Node, Table, make_index};
use crate::bundle::index::{FileKind, Index, kind_of};
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
    /// The size announced; `None` when only the end tells.
    expected: Option<u64>,
    bytes: u64,
    hash: Sha256,
    head: Vec<u8>,
}

/// The archive inside the bundle whose entries are taken in.
struct Inside {
    /// Its folder and a slash, before each of its names.
    prefix: String,
    /// What was made for it, in order.
    made: Vec<String>,
}

/// Takes entries in, writes files, and makes the index of them.
pub struct Sink {
    dir: Dir,
    limits: UnpackLimits,
    table: Table,
    folds: HashSet<u64>,
    seed: RandomState,
    open: Option<Open>,
    inside: Option<Inside>,
    stream_name: Option<String>,
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
            inside: None,
            stream_name: None,
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
        let given = self.stream_name.take_if(|_| kind == Kind::Stream);
        let name = match (&given, kind) {
            (Some(given), _) => given.as_bytes(),
            (None, Kind::Stream) => {
                return Err(refusal::broken_contract(
                    "a second stream, or one that was not asked for",
                ));
            }
            (None, _) => name,
        };
        // A folder is counted where it is made, implied ones too.
        if kind != Kind::Folder {
            self.count_entry()?;
        }
        let path = match self.place(name) {
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
            Kind::File => self.file(path, name, Some(bytes)),
            Kind::Stream => self.file(path, name, None),
            Kind::Symlink | Kind::HardLink => self.link(path, name, target, kind == Kind::Symlink),
        }
    }

    /// Where an entry called `name` goes.
    fn place(&self, name: &[u8]) -> std::result::Result<BundlePath, PathRefusal> {
        let name = std::str::from_utf8(name).map_err(|_| PathRefusal::NotUtf8)?;
        let path = BundlePath::parse(name)?;
        match &self.inside {
            Some(inside) => BundlePath::parse(&format!("{}{}", inside.prefix, path.as_str())),
            None => Ok(path),
        }
    }

    /// From here on the entries are those of the archive at `path`, and go into the folder
    /// [`folder_of`] beside it; `false` when there is something of that name already.
    pub fn enter(&mut self, path: &str) -> bool {
        let folder = folder_of(path);
        if self.table.contains_key(&folder) {
            self.listing.add(
                path.as_bytes(),
                "not opened: the bundle holds something else where its files would go",
            );
            return false;
        }
        self.inside = Some(Inside {
            prefix: folder + "/",
            made: Vec::new(),
        });
        true
    }

    /// The archive inside the bundle was read to its end; the names of what came out of it.
    pub fn leave(&mut self) -> Vec<String> {
        self.inside
            .take()
            .map_or_else(Vec::new, |inside| inside.made)
    }

    /// The archive at `path` is refused as a whole: nothing of it stays, and the reason is listed.
    ///
    /// # Errors
    /// The file system.
    pub fn undo(&mut self, path: &str, why: &str) -> Result<()> {
        let open = self.open.take().map(|open| open.path.as_str().to_owned());
        if let Some(open) = &open {
            self.remove(open)?;
        }
        for name in self.leave().into_iter().rev() {
            match self.table.remove(&name) {
                Some(Node::Folder) => self
                    .dir
                    .remove_dir(&name)
                    .map_err(|error| refusal::folder_failed(&name, error))?,
                Some(Node::File { .. }) => {
                    self.remove(&name)?;
                    self.files -= 1;
                }
                Some(Node::Link { .. }) | None => {}
            }
        }
        self.listing
            .add(path.as_bytes(), format!("not opened: {why}"));
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.dir
            .remove_file(name)
            .map_err(|error| refusal::folder_failed(name, error))
    }

    /// The archives among `names`, or among all files, that are worth opening, in order.
    pub fn archives(&self, names: Option<&[String]>) -> Vec<String> {
        let is_one = |name: &&String| {
            matches!(
                self.table.get(name.as_str()),
                Some(Node::File {
                    kind: FileKind::Archive,
                    ..
                })
            ) && is_opened(name)
        };
        let mut found: Vec<_> = match names {
            Some(names) => names.iter().filter(is_one).cloned().collect(),
            None => self.table.keys().filter(is_one).cloned().collect(),
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Opens a file that was written, to be read.
    ///
    /// # Errors
    /// The file system.
    pub fn open_again(&self, path: &str) -> Result<std::fs::File> {
        self.dir
            .open(path)
            .map(File::into_std)
            .map_err(refusal::read_failed)
    }

    /// Gives the name of the one file in the next stream, if it may be one.
    pub fn name_stream(&mut self, name: Option<String>) {
        self.stream_name = name;
    }

    /// Whether the next stream may be one file.
    pub fn names_stream(&self) -> bool {
        self.stream_name.is_some()
    }

    /// The archive that was read has ended.
    ///
    /// # Errors
    /// It ended inside a file.
    pub fn closed(&self) -> Result<()> {
        match self.open {
            Some(_) => Err(refusal::broken_contract("the archive ended inside a file")),
            None => Ok(()),
        }
    }

    /// Lists an archive that is left closed.
    pub fn stays_closed(&mut self, path: &str, why: &str) {
        self.listing
            .add(path.as_bytes(), format!("not opened: {why}"));
    }

    fn made(&mut self, name: &str) {
        if let Some(inside) = &mut self.inside {
            inside.made.push(name.to_owned());
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

    fn file(&mut self, path: BundlePath, name: &[u8], expected: Option<u64>) -> Result<bool> {
        let bytes = expected.unwrap_or(0);
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
        let known = expected.map_or(HEAD_BYTES, |bytes| {
            usize::try_from(bytes).unwrap_or(HEAD_BYTES)
        });
        let head = Vec::with_capacity(known.min(HEAD_BYTES));
        self.open = Some(Open {
            path,
            file,
            expected,
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
        // A hard link's target counts from the root of its archive.
        let target = match &self.inside {
            Some(inside) if !symbolic => format!("{}{target}", inside.prefix),
            _ => target.to_owned(),
        };
        if self.vacate(&path, name)? {
            self.made(path.as_str());
            self.table
                .insert(path.as_str().to_owned(), Node::Link { target, symbolic });
        }
        Ok(false)
    }

    /// Makes room for a file or link at `path`: the last of several entries of one name counts.
    fn vacate(&mut self, path: &BundlePath, name: &[u8]) -> Result<bool> {
        match self.table.get(path.as_str()) {
            None => {
                if !self.folds.insert(folded(path.as_str(), &self.seed)) {
                    self.list(name, "kept, but another name differs from it only in letter case or Unicode form");
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
        self.list(
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
        let after = open.bytes + bytes.len() as u64;
        match open.expected {
            Some(expected) if after > expected => {
                return Err(refusal::broken_contract("a file is longer than announced"));
            }
            None if after > self.limits.file_bytes => {
                return Err(refusal::over_limit(
                    format!(
                        "one file in it is larger than {} bytes",
                        self.limits.file_bytes
                    ),
                    Some("--max-file-bytes"),
                ));
            }
            None if self.bytes + bytes.len() as u64 > self.limits.total_bytes => {
                return Err(refusal::too_many_bytes(self.limits.total_bytes));
            }
            _ => {}
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
        let whole = |open: &Open| open.expected.is_none_or(|expected| expected == open.bytes);
        let open = self.open.take().filter(whole);
        let open = open.ok_or_else(|| refusal::broken_contract("a file ended early"))?;
        let node = Node::File {
            bytes: open.bytes,
            sha256: open.hash.finalize().into(),
            kind: kind_of(&open.path, &open.head),
        };
        self.made(open.path.as_str());
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
        self.list(name, refusal::skipped(reason));
        Ok(())
    }

    /// Something about the archive as a whole.
    pub fn note(&mut self, note: Note, bytes: u64) {
        let what = refusal::noted(note, bytes);
        match &self.inside {
            // Its own name says which archive it is about.
            Some(inside) => self.listing.add(inside.prefix.as_bytes(), what),
            None => self.listing.note(what),
        }
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
                    self.made(folder);
                    self.table.insert(folder.to_owned(), Node::Folder);
                }
            }
        }
        Ok(Ok(()))
    }

    fn leave_out(&mut self, name: &[u8], reason: impl Into<String>) -> Result<bool> {
        self.list(name, reason);
        Ok(false)
    }

    /// Lists an entry by its name, behind that of the archive inside the bundle which it is from.
    fn list(&mut self, name: &[u8], reason: impl Into<String>) {
        match &self.inside {
            Some(inside) => self
                .listing
                .add(&[inside.prefix.as_bytes(), name].concat(), reason),
            None => self.listing.add(name, reason),
        }
    }

    /// Makes the index.
    ///
    /// # Errors
    /// When the archive held no file at all.
    pub fn finish(self) -> Result<Index> {
        self.closed()?;
        make_index(&self.table, self.listing)
    }
}
