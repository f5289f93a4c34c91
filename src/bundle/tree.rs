//! Reading an unpacked bundle: a capability for one directory plus its index.

use super::decode::Decoded;
use super::index::{Entry, FileKind, Index, kind_of};
use super::path::BundlePath;
use crate::secrets::find_mark;
use cap_std::fs::Dir;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

/// Files up to this size, in bytes, are read whole by [`Tree::text`]; larger ones are streamed.
pub const MAX_TEXT_BYTES: u64 = 32 << 20;
/// Bytes of decoded text kept for re-reading.
const CACHE_BYTES: usize = 128 << 20;
/// Bytes of text that [`Tree::held`] keeps.
const HELD_BYTES: u64 = 32 << 20;
/// Longest line handed out by [`Tree::for_each_line`], in bytes; the rest of it is dropped.
pub const MAX_LINE_BYTES: usize = 64 << 10;

/// A whole text file split at `\n`; lines count from 1. Invalid UTF-8 becomes U+FFFD.
#[derive(Debug)]
pub struct Text {
    content: String,
    starts: Vec<usize>,
}

impl Text {
    /// Decodes bytes as UTF-8, replacing what is invalid.
    pub fn new(bytes: &[u8]) -> Self {
        let content = String::from_utf8_lossy(bytes).into_owned();
        let mut starts = vec![0];
        starts.extend(
            content
                .bytes()
                .enumerate()
                .filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at + 1),
        );
        if starts.last() == Some(&content.len()) {
            starts.pop();
        }
        Self { content, starts }
    }
    /// Number of lines.
    pub fn len(&self) -> usize {
        self.starts.len()
    }
    /// Whether there is no line at all.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }
    /// Line `number`, counted from 1, without its line ending.
    pub fn line(&self, number: usize) -> Option<&str> {
        let start = *self.starts.get(number.checked_sub(1)?)?;
        let end = self
            .starts
            .get(number)
            .map_or(self.content.len(), |next| next - 1);
        self.content
            .get(start..end.max(start))
            .map(|line| line.strip_suffix('\n').unwrap_or(line))
            .map(|line| line.strip_suffix('\r').unwrap_or(line))
    }
    /// Each line with its number, counted from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..=self.len()).filter_map(|number| self.line(number).map(|line| (number, line)))
    }
    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.content
    }
    /// The line, counted from 1, that holds byte `offset` of [`Self::as_str`].
    pub fn line_at(&self, offset: usize) -> usize {
        self.starts.partition_point(|start| *start <= offset).max(1)
    }
}

/// A text's bytes, shared.
struct Held(Arc<Text>);

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.0.content.as_bytes()
    }
}

/// The unpacked bundle: nothing outside it can be named through this type.
pub struct Tree {
    /// The folder; none for a tree whose texts are all held in memory.
    dir: Option<Dir>,
    index: Index,
    top: String,
    /// Where the files lie whose names are not shown, by the path that is shown instead.
    concealed: HashMap<BundlePath, BundlePath>,
    cache: RefCell<(usize, HashMap<BundlePath, Arc<Text>>)>,
}

impl Tree {
    /// A tree over `dir` whose content `index` describes.
    pub fn new(dir: Dir, index: Index) -> Self {
        let top = top_of(&index);
        Self {
            dir: Some(dir),
            index,
            top,
            concealed: HashMap::new(),
            cache: RefCell::default(),
        }
    }
    /// What can be judged without opening a file any more: the texts at `first`, then as many of the others, in their
    /// order, as fit into 32 MiB. What does not fit or cannot be read is listed as empty, so that a name is found
    /// in fewer places and never in more.
    pub fn held<'a>(&self, first: impl IntoIterator<Item = &'a str>) -> Self {
        let mut texts: HashMap<BundlePath, Arc<Text>> = HashMap::new();
        let mut room = HELD_BYTES;
        let first = first.into_iter().filter_map(|path| self.find(path));
        for entry in first.chain(self.files()) {
            if entry.bytes <= room
                && !texts.contains_key(&entry.path)
                && let Ok(Some(text)) = self.text(entry)
            {
                room -= entry.bytes;
                texts.insert(entry.path.clone(), text);
            }
        }
        let mut index = self.index.clone();
        for entry in &mut index.entries {
            if entry.kind != FileKind::Link && !texts.contains_key(&entry.path) {
                entry.kind = FileKind::Empty;
            }
        }
        Self {
            dir: None,
            index,
            top: self.top.clone(),
            concealed: HashMap::new(),
            cache: RefCell::new((0, texts)),
        }
    }
    /// Gives every file the path that `shown` makes of its own; content is found under the new ones from here on, and
    /// only there. A path that cannot be one, or that another file has, is replaced as a whole.
    pub fn conceal_names(&mut self, shown: impl Fn(&str) -> String) {
        let mut taken: HashSet<BundlePath> = HashSet::new();
        let mut renamed: HashMap<BundlePath, BundlePath> = HashMap::new();
        let entries = &self.index.entries;
        for entry in entries {
            if shown(entry.path.as_str()) == entry.path.as_str() {
                taken.insert(entry.path.clone());
            }
        }
        for (at, entry) in entries.iter().enumerate() {
            let new = shown(entry.path.as_str());
            if new == entry.path.as_str() {
                continue;
            }
            let new = BundlePath::parse(&new)
                .ok()
                .filter(|path| !taken.contains(path))
                .or_else(|| BundlePath::parse(&format!("concealed-names/{at}")).ok());
            if let Some(new) = new {
                taken.insert(new.clone());
                renamed.insert(entry.path.clone(), new);
            }
        }
        if renamed.is_empty() {
            return;
        }
        for entry in &mut self.index.entries {
            if let Some(new) = renamed.get(&entry.path) {
                self.concealed.insert(new.clone(), entry.path.clone());
                entry.path = new.clone();
            }
            if let Some(new) = entry.link_to.as_ref().and_then(|path| renamed.get(path)) {
                entry.link_to = Some(new.clone());
            }
        }
        self.index.entries.sort_by(|a, b| a.path.cmp(&b.path));
        self.top = top_of(&self.index);
        self.cache.take();
    }
    /// Walks `dir` and hashes each regular file; links are not followed and not listed.
    ///
    /// # Errors
    /// What the file system says, with the path.
    pub fn index_dir(dir: &Dir) -> io::Result<Index> {
        let mut index = Index::default();
        let mut pending = vec![(dir.try_clone()?, String::new())];
        while let Some((at, prefix)) = pending.pop() {
            for item in at.entries()? {
                let item = item?;
                let name = item.file_name();
                let Some(name) = name.to_str() else {
                    index.skipped.push(super::index::Skipped {
                        name: name.to_string_lossy().escape_default().to_string(),
                        reason: "the name is not UTF-8".into(),
                    });
                    continue;
                };
                let full = if prefix.is_empty() {
                    name.to_owned()
                } else {
                    format!("{prefix}/{name}")
                };
                let kind = item.file_type()?;
                if kind.is_dir() {
                    pending.push((item.open_dir()?, full));
                } else if kind.is_file() {
                    match BundlePath::parse(&full) {
                        Ok(path) => index.entries.push(index_file(item.open()?, path)?),
                        Err(why) => index.skipped.push(super::index::Skipped {
                            name: full.escape_default().to_string(),
                            reason: why.to_string(),
                        }),
                    }
                }
            }
        }
        index.entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(index)
    }
    /// What is in the bundle.
    pub fn index(&self) -> &Index {
        &self.index
    }
    /// The shared top folder with its `/`, or "".
    pub fn top(&self) -> &str {
        &self.top
    }
    /// The path of `entry` without the top folder.
    pub fn rel<'a>(&self, entry: &'a Entry) -> &'a str {
        entry
            .path
            .as_str()
            .strip_prefix(&self.top)
            .unwrap_or(entry.path.as_str())
    }
    /// The entry at `rel` (a path without the top folder), links resolved.
    pub fn get(&self, rel: &str) -> Option<&Entry> {
        self.resolve(self.index.get(&format!("{}{rel}", self.top))?)
    }
    /// The entry at a full bundle path (with or without the top folder), links resolved.
    pub fn find(&self, path: &str) -> Option<&Entry> {
        self.index
            .get(path)
            .and_then(|entry| self.resolve(entry))
            .or_else(|| self.get(path))
            .or_else(|| self.like(path))
    }
    /// The one entry that a path with marks in it can mean.
    fn like(&self, path: &str) -> Option<&Entry> {
        let (mut parts, mut rest) = (Vec::new(), path);
        while let Some(mark) = find_mark(rest) {
            parts.push(&rest[..mark.start]);
            rest = &rest[mark.end..];
        }
        let (first, middle) = parts.split_first()?;
        let fits = |entry: &&Entry| {
            let name = entry.path.as_str();
            let inner = name
                .strip_prefix(first)
                .and_then(|name| name.strip_suffix(rest));
            let after = middle
                .iter()
                .try_fold(inner.unwrap_or_default(), |left, part| {
                    left.find(part).map(|at| &left[at + part.len()..])
                });
            inner.is_some() && after.is_some()
        };
        let mut found = self.files().filter(fits);
        match (found.next(), found.next()) {
            (Some(one), None) => Some(one),
            _ => None,
        }
    }
    /// Entries that are files (no links), sorted by path.
    pub fn files(&self) -> impl Iterator<Item = &Entry> {
        self.index
            .entries
            .iter()
            .filter(|entry| entry.kind != FileKind::Link)
    }
    /// Files whose path without the top folder begins with `prefix`, sorted by path.
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.files()
            .filter(move |entry| self.rel(entry).starts_with(prefix))
    }
    /// Follows recorded links, at most eight deep.
    fn resolve<'a>(&'a self, mut entry: &'a Entry) -> Option<&'a Entry> {
        for _ in 0..8 {
            match &entry.link_to {
                None => return Some(entry),
                Some(target) => entry = self.index.get(target.as_str())?,
            }
        }
        None
    }
    /// Opens `entry` for reading: its bytes, or for UTF-16 with a byte order mark the same text as UTF-8.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(&self, entry: &Entry) -> io::Result<Box<dyn Read>> {
        let entry = self.resolve(entry).ok_or(io::ErrorKind::NotFound)?;
        let Some(dir) = &self.dir else {
            let cache = self.cache.borrow();
            let text = cache.1.get(&entry.path).ok_or(io::ErrorKind::NotFound)?;
            return Ok(Box::new(io::Cursor::new(Held(text.clone()))));
        };
        let path = self.concealed.get(&entry.path).unwrap_or(&entry.path);
        Ok(Box::new(Decoded::new(dir.open(path.as_str())?.into_std())?))
    }
    /// The whole file as text, cached; `None` for binary files and those over [`MAX_TEXT_BYTES`].
    ///
    /// # Errors
    /// What the file system says.
    pub fn text(&self, entry: &Entry) -> io::Result<Option<Arc<Text>>> {
        let Some(entry) = self.resolve(entry) else {
            return Ok(None);
        };
        if matches!(entry.kind, FileKind::Binary | FileKind::Archive)
            || entry.bytes > MAX_TEXT_BYTES
        {
            return Ok(None);
        }
        if let Some(text) = self.cache.borrow().1.get(&entry.path) {
            return Ok(Some(text.clone()));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(entry.bytes).unwrap_or(0));
        self.open(entry)?
            .take(MAX_TEXT_BYTES)
            .read_to_end(&mut bytes)?;
        let text = Arc::new(Text::new(&bytes));
        let mut cache = self.cache.borrow_mut();
        if cache.0 + bytes.len() > CACHE_BYTES {
            *cache = (0, HashMap::new());
        }
        cache.0 += bytes.len();
        cache.1.insert(entry.path.clone(), text.clone());
        Ok(Some(text))
    }
    /// Streams the lines of a text file of any size: `each(number, line)`, numbers from 1.
    /// Return `false` from `each` to stop. Nothing is called for binary files.
    ///
    /// # Errors
    /// What the file system says.
    pub fn for_each_line(
        &self,
        entry: &Entry,
        mut each: impl FnMut(usize, &str) -> bool,
    ) -> io::Result<()> {
        let Some(entry) = self.resolve(entry) else {
            return Ok(());
        };
        if matches!(
            entry.kind,
            FileKind::Binary | FileKind::Archive | FileKind::Empty
        ) {
            return Ok(());
        }
        let mut reader = BufReader::with_capacity(256 << 10, self.open(entry)?);
        let mut line = Vec::with_capacity(512);
        let mut number = 0;
        loop {
            line.clear();
            let (mut cut, mut any) = (false, false);
            loop {
                let chunk = reader.fill_buf()?;
                if chunk.is_empty() {
                    break;
                }
                any = true;
                let end = chunk.iter().position(|byte| *byte == b'\n');
                let part = &chunk[..end.unwrap_or(chunk.len())];
                let space = MAX_LINE_BYTES.saturating_sub(line.len());
                cut |= part.len() > space;
                line.extend_from_slice(&part[..part.len().min(space)]);
                let used = end.map_or(chunk.len(), |at| at + 1);
                reader.consume(used);
                if end.is_some() {
                    break;
                }
            }
            if !any {
                return Ok(());
            }
            number += 1;
            let _ = cut;
            let text = String::from_utf8_lossy(&line);
            if !each(number, text.strip_suffix('\r').unwrap_or(&text)) {
                return Ok(());
            }
        }
    }
}

fn top_of(index: &Index) -> String {
    index
        .top_folder()
        .map(|top| format!("{top}/"))
        .unwrap_or_default()
}

fn index_file(mut file: cap_std::fs::File, path: BundlePath) -> io::Result<Entry> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let (mut bytes, mut head) = (0u64, Vec::new());
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        if head.len() < 4096 {
            head.extend_from_slice(&buffer[..read.min(4096 - head.len())]);
        }
        hash.update(&buffer[..read]);
        bytes += read as u64;
    }
    let kind = kind_of(&path, &head);
    Ok(Entry {
        path,
        bytes,
        sha256: hex::encode(hash.finalize()),
        kind,
        link_to: None,
    })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make their own bundles")]
mod tests {
    use super::*;

    #[test]
    fn concealed_names_lead_to_their_content() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a-hidden-1", "a-hidden-2", "b"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        let mut index = Tree::index_dir(&dir).unwrap();
        index.entries.push(Entry {
            path: BundlePath::parse("c-link").unwrap(),
            bytes: 0,
            sha256: String::new(),
            kind: FileKind::Link,
            link_to: Some(BundlePath::parse("a-hidden-1").unwrap()),
        });
        let mut tree = Tree::new(dir, index);
        tree.conceal_names(|path| match path.starts_with("a-hidden") {
            true => "z".to_owned(),
            false => path.to_owned(),
        });
        let text = |path: &str| {
            let entry = tree.find(path)?;
            Some(tree.text(entry).unwrap()?.as_str().to_owned())
        };
        assert_eq!(text("z").as_deref(), Some("a-hidden-1"));
        assert_eq!(text("c-link").as_deref(), Some("a-hidden-1"));
        assert_eq!(text("concealed-names/1").as_deref(), Some("a-hidden-2"));
        assert_eq!(text("b").as_deref(), Some("b"));
        assert_eq!(text("a-hidden-1"), None);
    }

    #[test]
    fn what_is_held_is_read_without_the_folder_and_the_rest_is_empty() {
        let big = "x\n".repeat(20 << 20);
        let files = [("b/a.log", big.as_str()), ("b/c.log", "one\ntwo\n")];
        let (folder, tree) = crate::bundle::testing::tree_of(files);
        let held = tree.held(["b/c.log"]);
        drop(tree);
        folder.close().unwrap();
        let cited = held.find("b/c.log").unwrap();
        let text = held.text(cited).unwrap().unwrap();
        assert_eq!(text.line(2), Some("two"));
        let mut lines = Vec::new();
        held.for_each_line(cited, |number, line| {
            lines.push((number, line.to_owned()));
            true
        })
        .unwrap();
        assert_eq!(lines, [(1, "one".to_owned()), (2, "two".to_owned())]);
        // Over 32 MiB, so only its name is left.
        let large = held.find("b/a.log").unwrap();
        assert_eq!(large.kind, FileKind::Empty);
        assert!(held.open(large).is_err());
    }

    #[test]
    fn a_path_with_marks_leads_to_the_one_file_that_fits() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["on-web-1.log", "on-web-2.log", "of-db-1.txt"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let dir = Dir::open_ambient_dir(folder.path(), cap_std::ambient_authority()).unwrap();
        let index = Tree::index_dir(&dir).unwrap();
        let tree = Tree::new(dir, index);
        let found = |path: &str| tree.find(path).map(|entry| entry.path.to_string());
        assert_eq!(found("of-‹host:1›.txt").as_deref(), Some("of-db-1.txt"));
        assert_eq!(found("on-‹host:1›-2.log").as_deref(), Some("on-web-2.log"));
        assert_eq!(found("on-‹host:1›.log"), None, "two fit");
        assert_eq!(found("on-‹host:1›.txt"), None);
        assert_eq!(found("on-‹host:x›-2.log"), None, "no mark");
    }

    #[test]
    fn lines_count_from_one_and_split_at_newline() {
        let text = Text::new(b"one\r\ntwo\n\nfour");
        assert_eq!(text.len(), 4);
        assert_eq!(
            [1, 2, 3, 4].map(|n| text.line(n).unwrap()),
            ["one", "two", "", "four"]
        );
        assert_eq!((text.line(0), text.line(5)), (None, None));
        assert_eq!(Text::new(b"a\nb\n").len(), 2);
        assert_eq!(Text::new(b"").len(), 0);
        assert_eq!(text.line_at(5), 2);
    }
}
